"""Filters in frequency for M/EEG: band-pass, notch, resampling, spectra."""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.validate import check_positive, require
from neurodecode.errors import DataError
from neurodecode.preprocess._channels import (
    IEEG_KINDS,
    MEG_KINDS,
    SIGNAL_KINDS,
    map_signal,
    need_rows,
    rows_of_kind,
)

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
