"""Traces to rates of change: smoothed derivative, robust scale, dead zone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import as_number, check_option, check_positive
from neurodecode.errors import DataError

_ORDER = 2  # of the polynomial of Savitzky and Golay
_WINDOW_S = 3.75  # 15 frames at 4 Hz
_SIGMA_S = 1.0


def rates_of_change(
    traces: NDArray[np.float32],
    sfreq: float,
    *,
    derivative: str = "savgol",
    smoothing_s: float | None = None,
    dead_zone: float = 0.0,
) -> NDArray[np.float32]:
    """Smoothed derivative of each trace in units of its robust standard deviation.

    The scale is 1.4826 times the median absolute deviation; where more than half of a trace does not move, it is the standard
    deviation.

    Parameters
    ----------
    traces : array of shape (n_names, n_times)
        Signals of any unit, finite.
    sfreq : float
        Sampling rate in Hz.
    derivative : str
        ``"savgol"``: slope of a parabola fitted to a window (Savitzky and Golay 1964); ``"gaussian"``: convolution with the
        derivative of a Gaussian; ``"none"``: the traces are rates already (only scaled).
    smoothing_s : float, optional
        Window of the parabola (by default 3.75 s: 15 frames at 4 Hz), or standard deviation of the Gaussian (by default 1 s).
    dead_zone : float
        Rates below this many robust standard deviations become 0.

    Returns
    -------
    array of shape (n_names, n_times)
        Rates without unit; a trace that never changes gives 0.

    Raises
    ------
    DataError
        If the smoothing is too short for the frame rate or too long for the traces, or an argument is out of its range.
    """
    check_option("derivative", derivative, ["savgol", "gaussian", "none"])
    if not as_number(dead_zone) >= 0:
        raise DataError(f"dead_zone must be a number of robust standard deviations from 0 up, got {dead_zone!r}")
    slopes = _slopes(np.asarray(traces, np.float64), check_positive("sfreq", sfreq), derivative, smoothing_s)
    scale = 1.4826 * np.median(np.abs(slopes - np.median(slopes, axis=1, keepdims=True)), axis=1)
    spread, size = slopes.std(axis=1), np.abs(slopes).max(axis=1, initial=0.0)
    scale = np.where(scale > 1e-6 * size, scale, spread)
    moves = spread > 1e-9 * np.maximum(np.abs(traces).max(axis=1, initial=0.0), np.finfo(float).tiny)  # above rounding
    rates = np.where(moves[:, None], slopes / np.where(scale > 0, scale, 1.0)[:, None], 0.0)
    rates[np.abs(rates) < dead_zone] = 0.0
    return rates.astype(np.float32)


def _slopes(traces: NDArray[np.float64], sfreq: float, derivative: str, smoothing_s: float | None) -> NDArray[np.float64]:
    if derivative == "none":
        return traces
    if derivative == "savgol":
        return _parabola(traces, sfreq, _WINDOW_S if smoothing_s is None else check_positive("smoothing_s", smoothing_s))
    return _gaussian(traces, sfreq, _SIGMA_S if smoothing_s is None else check_positive("smoothing_s", smoothing_s))


def _parabola(traces: NDArray[np.float64], sfreq: float, window_s: float) -> NDArray[np.float64]:
    from scipy.signal import savgol_filter

    window = round(window_s * sfreq) // 2 * 2 + 1  # odd: a frame in the middle
    least = _ORDER + 3
    if window < least:
        raise DataError(
            f"a window of {window_s:g} s has {window} frames at {sfreq:g} Hz, a parabola needs {least}: "
            f"give smoothing_s of {(least - 1) / sfreq:g} s or more"
        )
    _check_length(window, traces.shape[1], sfreq)
    return np.asarray(savgol_filter(traces, window, _ORDER, deriv=1, delta=1 / sfreq, axis=1))


def _gaussian(traces: NDArray[np.float64], sfreq: float, sigma_s: float) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter1d

    sigma = sigma_s * sfreq
    if sigma < 0.5:
        raise DataError(
            f"a Gaussian of {sigma_s:g} s is {sigma:.2g} frames wide at {sfreq:g} Hz and smooths nothing: "
            f"give smoothing_s of {0.5 / sfreq:g} s or more"
        )
    _check_length(int(2 * np.ceil(3 * sigma)) + 1, traces.shape[1], sfreq)
    return np.asarray(gaussian_filter1d(traces, sigma, axis=1, order=1, mode="nearest", truncate=3.0)) * sfreq


def _check_length(frames: int, n_times: int, sfreq: float) -> None:
    if frames > n_times:
        raise DataError(
            f"smoothing over {frames} frames ({frames / sfreq:g} s) needs traces as long, these have {n_times}: shorten it"
        )
