"""Filters in frequency for M/EEG: band-pass, notch, resampling, spectra."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.clock import nearest_sample, sample_times
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_finite, check_positive, require
from neurodecode.errors import DataError
from neurodecode.preprocess._channels import (
    IEEG_KINDS,
    MEG_KINDS,
    REMEDY,
    SIGNAL_KINDS,
    line_harmonics,
    map_signal,
    names_of,
    need_rows,
    pick_rows,
    rows_of_kind,
    valid_slices,
)

_PAD = 1000  # samples to reflect at least on each side

logger = logging.getLogger(__name__)


def filter(recording: Recording, l_freq: float | None = 0.1, h_freq: float | Literal["auto"] | None = "auto") -> Recording:
    """Filter with a zero-phase FIR filter, as `mne.filter.filter_data` designs it (Hamming window, firwin).

    Parameters
    ----------
    recording : Recording
        Any M/EEG or iEEG recording. Channels of kind eeg, mag, grad, ecog, seeg, dbs, eog, ecg, emg, bio and ref_meg are
        filtered; stim, misc and other channels stay untouched.
    l_freq : float, optional
        Lower edge of the pass band in Hz; None leaves slow drifts in.
    h_freq : float or "auto", optional
        Upper edge of the pass band in Hz. ``"auto"`` is 40 Hz, 120 Hz where there are magnetometers or gradiometers, and no
        low-pass for intracranial recordings or where that edge is not below half of sfreq. None leaves high frequencies in.

    Returns
    -------
    Recording
        Same clock, events and channels.

    Raises
    ------
    DataError
        If the edges are not in order and below half of sfreq, or a good channel holds NaN in a valid stretch.

    Notes
    -----
    A recording without NaN is filtered as a whole, so that what lies outside of `valid` reaches into the valid stretches by
    up to half of the filter length (3.3 / l_freq s / 2). Where NaN lies outside of `valid`, each valid stretch is filtered by
    itself and the rest becomes NaN. A stretch shorter than the filter is filtered with reflected ends, and a warning is logged.
    """
    mne = require("mne", "filtering", "meeg")
    rows = need_rows(recording, SIGNAL_KINDS, "filter", good=False)
    high = _upper_edge(recording, h_freq)
    _check_edges(l_freq, high, recording.sfreq)
    _log_short_signal(mne.filter.create_filter(None, recording.sfreq, l_freq, high, verbose="error"), recording)
    data = map_signal(
        recording, rows, lambda x: mne.filter.filter_data(x, recording.sfreq, l_freq, high, verbose="error"), "filter"
    )
    return recording.with_step("meeg.filter", {"l_freq": l_freq, "h_freq": high, "method": "zero-phase FIR"}, data=data)


def notch(recording: Recording, freqs: float | Sequence[float] | None = None) -> Recording:
    """Take out single frequencies with zero-phase FIR notches, as `mne.filter.notch_filter` designs them.

    Parameters
    ----------
    recording : Recording
        Any M/EEG or iEEG recording; channels as in `filter`.
    freqs : float or sequence of float, optional
        Frequencies in Hz; by default the mains frequency of ``meta["line_freq"]`` and its harmonics below half of sfreq.
        Each notch is freq / 200 Hz wide.

    Returns
    -------
    Recording
        Same clock, events and channels.

    Raises
    ------
    DataError
        If the mains frequency is not known, a frequency is not below half of sfreq, or a good channel holds NaN in a valid
        stretch.
    """
    mne = require("mne", "filtering", "meeg")
    rows = need_rows(recording, SIGNAL_KINDS, "notch", good=False)
    chosen = line_harmonics(recording, freqs)
    data = map_signal(recording, rows, lambda x: mne.filter.notch_filter(x, recording.sfreq, chosen, verbose="error"), "notch")
    return recording.with_step("meeg.notch", {"freqs": chosen}, data=data)


def resample(recording: Recording, sfreq: float) -> Recording:
    """Change the sampling rate, with an anti-alias filter (FFT method of `mne.filter.resample`, see `resample_signal`).

    Parameters
    ----------
    recording : Recording
        Any M/EEG or iEEG recording.
    sfreq : float
        New rate in Hz.

    Returns
    -------
    Recording
        ``round(n_times * sfreq / old)`` samples. Events and valid stretches keep their times in s. Stim, misc and other
        channels that are no signal take the value of the nearest old sample, so that trigger codes stay what they are.

    Raises
    ------
    DataError
        If a good channel holds NaN anywhere, or `sfreq` is not above 0.
    """
    new = check_positive("sfreq", sfreq)
    before = read_signal(recording.data)
    signal = rows_of_kind(recording, SIGNAL_KINDS)
    good = signal[~recording.channels["bad"].to_numpy()[signal]]
    check_finite(before[good], names_of(recording, good), "resample", f"{REMEDY} Or crop to a stretch without it")
    n_times = max(1, round(recording.n_times * new / recording.sfreq))
    nearest = np.minimum(nearest_sample(sample_times(n_times, new), recording.sfreq), recording.n_times - 1)
    data = np.array(before[:, nearest])
    finite = signal[np.isfinite(before[signal]).all(axis=1)]
    if finite.size:
        data[finite] = resample_signal(before[finite].astype(np.float64), new / recording.sfreq)
    return recording.with_step("meeg.resample", {"sfreq": new, "from": recording.sfreq}, data=data, sfreq=new)


def resample_signal(signal: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """Resample by `ratio` so that sample j of the result stands at sample j / ratio of the signal.

    `mne.filter.resample` rounds its padding to whole samples of the new rate, which moves the signal by up to half of one.
    Here the ends are reflected far enough that lengths before and after are whole numbers, and nothing moves.

    Parameters
    ----------
    signal : array of shape (n_channels, n_times)
        Finite signal.
    ratio : float
        New rate over old rate, taken as the nearest fraction with a denominator up to 10000.

    Returns
    -------
    ndarray
        Shape (n_channels, round(n_times * ratio)), at least one sample.
    """
    mne = require("mne", "resampling", "meeg")
    fraction = Fraction(ratio).limit_denominator(10_000)
    up, down = fraction.numerator, fraction.denominator
    n_times = signal.shape[1]
    left = down * -(-_PAD // down)
    right = left + (-n_times) % down
    padded = np.pad(signal, ((0, 0), (left, right)), mode="reflect", reflect_type="odd")
    whole = mne.filter.resample(padded, up=up, down=down, npad=0, verbose="error")
    first = left // down * up
    return np.asarray(whole[:, first : first + max(1, round(n_times * ratio))])


class Spectrum(NamedTuple):
    """Power spectra of some channels."""

    power: NDArray[np.float64]
    """Power spectral density in unit**2 / Hz, shape (n_channels, n_freqs); NaN for a channel that holds NaN."""
    freqs: NDArray[np.float64]
    """Frequencies in Hz, shape (n_freqs,)."""
    names: list[str]
    """Channel of each row."""


def psd(recording: Recording, *, picks: str | Sequence[str] | None = None, window: float = 2.0) -> Spectrum:
    """Power spectral density by Welch's method (Hann windows, half overlapping), over the valid stretches.

    Parameters
    ----------
    recording : Recording
        Any M/EEG or iEEG recording.
    picks : str or sequence of str, optional
        Channel kinds or names, by default all data channels, bad ones included.
    window : float
        Length of a window in s; the resolution is 1 / window Hz. Shortened where every valid stretch is shorter.

    Returns
    -------
    Spectrum
        Power, frequencies and channel names.
    """
    rows = pick_rows(recording, picks, "psd", drop_bad=False)
    stretches = valid_slices(recording)
    n_window = min(round(check_positive("window", window) * recording.sfreq), max(s.stop - s.start for s in stretches))
    long_enough = [s for s in stretches if s.stop - s.start >= n_window]
    before = read_signal(recording.data)
    powers, weights = [], []
    for part in long_enough:
        freqs, power = _welch(before[rows, part], recording.sfreq, n_window)
        powers.append(power)
        weights.append(1 + (part.stop - part.start - n_window) // (n_window - n_window // 2))
    return Spectrum(np.average(powers, axis=0, weights=weights), freqs, names_of(recording, rows))


def _welch(signal: NDArray[np.float32], sfreq: float, n_window: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies and power of each row; a row with NaN gives NaN."""
    from scipy.signal import welch

    finite = np.all(np.isfinite(signal), axis=1, keepdims=True)
    freqs, power = welch(np.where(finite, signal, 0).astype(np.float64), sfreq, nperseg=n_window)
    return freqs, np.where(finite, power, np.nan)


def _upper_edge(recording: Recording, h_freq: float | str | None) -> float | None:
    if h_freq != "auto":
        return None if h_freq is None else check_positive("h_freq", float(h_freq))
    if rows_of_kind(recording, IEEG_KINDS).size:
        return None
    edge = 120.0 if rows_of_kind(recording, MEG_KINDS).size else 40.0
    return edge if edge < recording.sfreq / 2 else None


def _check_edges(l_freq: float | None, h_freq: float | None, sfreq: float) -> None:
    if l_freq is None and h_freq is None:
        raise DataError("filter needs l_freq or h_freq, got None for both")
    low, high = (0.0 if l_freq is None else check_positive("l_freq", l_freq)), (sfreq / 2 if h_freq is None else h_freq)
    if not low < high or (h_freq is not None and h_freq >= sfreq / 2):
        raise DataError(
            f"the pass band must satisfy l_freq < h_freq < {sfreq / 2:g} Hz (half of sfreq), got {l_freq} to {h_freq}"
        )


def _log_short_signal(kernel: NDArray[np.float64], recording: Recording) -> None:
    """A filter longer than the signal distorts its ends: say so, and go on."""
    if len(kernel) > recording.n_times:
        logger.warning(
            "the filter (%.1f s) is longer than the recording (%.1f s): its ends are distorted; raise l_freq or use a longer one",
            len(kernel) / recording.sfreq,
            recording.duration,
        )
