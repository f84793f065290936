"""The one rule that turns seconds into sample indices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EPS = 1e-9  # an onset that is a whole sample but for rounding stays that sample


def nearest_sample(seconds: ArrayLike, sfreq: float, t0: float = 0.0) -> NDArray[np.int64]:
    """Index of the sample nearest to each time, halves going up.

    Parameters
    ----------
    seconds : array_like
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
    return np.floor((np.asarray(seconds, float) - t0) * sfreq + 0.5 + _EPS).astype(np.int64)


def first_sample_from(seconds: float, sfreq: float, t0: float = 0.0) -> int:
    """Index of the first sample at or after a time in s: the border rule of every half-open window."""
    return int(np.ceil((seconds - t0) * sfreq - _EPS * max(1.0, abs(seconds) * sfreq)))


def sample_times(n: int, sfreq: float, t0: float = 0.0) -> NDArray[Any]:
    """Times in s of samples 0 to n - 1."""
    return t0 + np.arange(n) / sfreq
