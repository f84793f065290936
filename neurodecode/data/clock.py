"""The one rule that turns seconds into sample indices."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def _position(seconds: ArrayLike, sfreq: float, t0: float) -> NDArray[np.float64]:
    """Times in samples, moved up by what rounding may have cost: an onset that is a whole sample stays that sample."""
    t = np.asarray(seconds, float)
    slack = np.maximum(1e-9, 16 * np.finfo(float).eps * (np.abs(t) + abs(t0)) * sfreq)
    position: NDArray[np.float64] = (t - t0) * sfreq + slack
    return position


def nearest_sample(seconds: ArrayLike, sfreq: float, t0: float = 0.0) -> NDArray[np.int64]:
    """Index of the sample nearest to each time, halves going up.

    Parameters
    ----------
    seconds : array_like of shape (...)
        Times in s.
    sfreq : float
        Sampling rate in Hz.
    t0 : float
        Time of sample 0 in s.

    Returns
    -------
    NDArray[np.int64]
        Indices, same shape; at most half a sample from the time asked for. They may lie outside the recording.
    """
    return np.floor(_position(seconds, sfreq, t0) + 0.5).astype(np.int64)


def first_sample_from(seconds: float, sfreq: float, t0: float = 0.0) -> int:
    """Index of the first sample at or after a time: the border rule of every half-open window.

    Parameters
    ----------
    seconds : float
        Time in s; an infinite time gives an index beyond any recording.
    sfreq : float
        Sampling rate in Hz.
    t0 : float
        Time of sample 0 in s.

    Returns
    -------
    int
        The index; it may lie outside the recording.
    """
    if np.isinf(seconds):
        return int(np.sign(seconds)) * 2**62
    return -int(np.floor(_position(-seconds, sfreq, -t0)))


def inside_samples(seconds: ArrayLike, start: int, stop: int, sfreq: float, t0: float = 0.0) -> NDArray[np.bool_]:
    """Tell which times lie from sample `start` to just before sample `stop`, forgiving rounding at both borders.

    Parameters
    ----------
    seconds : array_like of shape (...)
        Times in s.
    start, stop : int
        First sample inside, and first sample after.
    sfreq : float
        Sampling rate in Hz.
    t0 : float
        Time of sample 0 in s.

    Returns
    -------
    NDArray[np.bool_]
        Same shape as `seconds`.
    """
    position = _position(seconds, sfreq, t0)
    inside: NDArray[np.bool_] = (position >= start) & (position < stop)
    return inside


def sample_times(n: int, sfreq: float, t0: float = 0.0) -> NDArray[np.float64]:
    """Give the times of samples 0 to n - 1.

    Parameters
    ----------
    n : int
        Number of samples.
    sfreq : float
        Sampling rate in Hz.
    t0 : float
        Time of sample 0 in s.

    Returns
    -------
    NDArray[np.float64]
        Times in s, shape (n,).
    """
    times: NDArray[np.float64] = t0 + np.arange(n) / sfreq
    return times
