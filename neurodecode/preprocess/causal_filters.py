"""Recursive filters that go on where the last chunk ended."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
Runner = Callable[[_Floats], _Floats]  # takes (n_channels, n), keeps its state, gives (n_channels, m)


def group_delay(sections: _Floats, freqs: _Floats, sfreq: float) -> _Floats:
    r"""Group delay of second-order sections, :math:`-d\phi / d\omega`.

    Parameters
    ----------
    sections : array of shape (n_sections, 6)
        Filter.
    freqs : array of shape (n_freqs,)
        Frequencies in Hz.
    sfreq : float
        Rate in Hz at which the filter runs.

    Returns
    -------
    array of shape (n_freqs,)
        Delay in s; NaN at a zero of the filter, where nothing comes through.
    """
    z = np.exp(-2j * np.pi * np.asarray(freqs)[:, None] * np.arange(3) / sfreq)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = [(z @ (part * np.arange(3)).T) / (z @ part.T) for part in (sections[:, :3], sections[:, 3:])]
        delay = (slopes[0] - slopes[1]).real.sum(axis=1) / sfreq
    return np.where(np.isfinite(delay), delay, np.nan)


class Sections:
    """A recursive filter in the middle of a signal; it begins as if the first sample had been there for ever.

    Parameters
    ----------
    sections : array of shape (n_sections, 6)
        Second-order sections.
    """

    def __init__(self, sections: _Floats) -> None:
        self._sections, self._state = sections, np.zeros(0)

    def __call__(self, x: _Floats) -> _Floats:
        from scipy.signal import sosfilt, sosfilt_zi

        if not self._state.size:
            self._state = sosfilt_zi(self._sections)[:, None, :] * x[None, :, :1]
        y, self._state = sosfilt(self._sections, x, zi=self._state)
        return np.asarray(y)


class Decimator:
    """A low-pass of which every `down`-th value is kept, counted from the first sample of the pass.

    Parameters
    ----------
    sections : array of shape (n_sections, 6)
        Second-order sections at `up` times the rate of the signal.
    up, down : int
        Each sample is held `up` times; every `down`-th value is kept.
    """

    def __init__(self, sections: _Floats, up: int, down: int) -> None:
        self._filter, self._up, self._down = Sections(sections), up, down
        self._skip = 0  # values to pass over before the next one that is kept

    def __call__(self, x: _Floats) -> _Floats:
        y = self._filter(np.repeat(x, self._up, axis=1) if self._up > 1 else x)
        kept = y[:, self._skip :: self._down]
        self._skip += kept.shape[1] * self._down - y.shape[1]
        return kept
