"""Power of intracranial EEG in bands: line noise, high gamma, envelopes, change around an event."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Intervals, Recording
from neurodecode.data.describe import counts
from neurodecode.data.validate import check_columns, check_option, require
from neurodecode.errors import DataError
from neurodecode.preprocess._channels import (
    IEEG_KINDS,
    map_signal,
    names_of,
    need_rows,
    pick_rows,
    valid_slices,
)
from neurodecode.preprocess.meeg_filter import notch

_TRANSITION = 2.0  # Hz, on both sides of every band, so that narrow bands stay narrow
_GUARD = 3.0  # Hz kept free on both sides of the mains frequency and its harmonics


def remove_line_noise(recording: Recording, freqs: float | Sequence[float] | None = None) -> Recording:
    """Take the mains frequency and its harmonics out with zero-phase FIR notches.

    Parameters
    ----------
    recording : Recording
        Intracranial recording.
    freqs : float or sequence of float, optional
        Frequencies in Hz, by default ``meta["line_freq"]`` and its harmonics below half of sfreq.

    Returns
    -------
    Recording
        Same clock, events and channels.

    Raises
    ------
    DataError
        As `neurodecode.preprocess.meeg.notch`, which does the work; also if there is no intracranial channel.
    """
    need_rows(recording, IEEG_KINDS, "remove_line_noise", good=False)
    return notch(recording, freqs)


def high_gamma(
    recording: Recording,
    band: tuple[float, float] = (70.0, 150.0),
    n_bands: int = 8,
    *,
    train: Recording | None = None,
    picks: str | Sequence[str] | None = None,
) -> Recording:
    r"""High-gamma amplitude: the mean over narrow bands of envelopes, each in units of its own mean.

    .. math:: h_c(t) = \frac{1}{B} \sum_b |z_{cb}(t)| / \langle |z_{cb}| \rangle

    with :math:`z_{cb}` the analytic signal (Hilbert transform) of contact c in band b and the mean :math:`\langle\rangle` over
    the valid stretches of `train`. Dividing each band by its mean keeps the lowest band, where power is largest (1/f), from
    deciding alone. The bands are of equal width on a logarithmic axis and leave out 3 Hz on both sides of the mains frequency
    and its harmonics (where ``meta["line_freq"]`` says what it is). The value is 1 on average.

    Parameters
    ----------
    recording : Recording
        Intracranial recording, best referenced already (`bipolar`, `laplacian` or `common_average`).
    band : (float, float)
        Lower and upper edge in Hz.
    n_bands : int
        Number of narrow bands.
    train : Recording, optional
        Recording whose mean envelopes are the units, by default `recording` itself (each run by itself).
    picks : str or sequence of str, optional
        Channel kinds or names, by default kinds ecog, seeg and dbs. Bad channels are worked on too and stay marked.

    Returns
    -------
    Recording
        The picked channels only, without unit; same clock and events.

    Raises
    ------
    DataError
        If the band does not lie below half of sfreq, a good channel holds NaN in a valid stretch, or `train` has other channels.

    References
    ----------
    Crone et al. (2001), Induced electrocorticographic gamma activity during auditory perception, Clinical Neurophysiology 112.
    Bouchard et al. (2013), Functional organization of human sensorimotor cortex for speech articulation, Nature 495.
    """
    rows = _picked(recording, picks, "high_gamma")
    bands = sub_bands(band, n_bands, recording.meta.get("line_freq"), recording.sfreq)
    reference = recording if train is None else train.pick(names_of(recording, rows))
    rows_of_reference = rows if train is None else np.arange(len(rows))
    total = np.zeros((len(rows), recording.n_times))
    for low, high in bands:
        envelope = _envelope(recording, rows, low, high)
        units = mean_valid(reference, envelope if train is None else _envelope(reference, rows_of_reference, low, high))
        total += envelope / np.where(units > 0, units, np.inf)[:, None] / len(bands)  # a flat contact stays at 0
    channels = recording.channels.iloc[rows].assign(unit="n/a")
    parameters = {"band": list(band), "bands": [[round(low, 2), round(high, 2)] for low, high in bands]}
    return recording.with_step("ieeg.high_gamma", parameters, data=total, channels=channels)


def band_power(
    recording: Recording,
    l_freq: float,
    h_freq: float,
    *,
    output: Literal["amplitude", "power"] = "amplitude",
    picks: str | Sequence[str] | None = None,
) -> Recording:
    """Instantaneous amplitude or power in one band: the Hilbert envelope after a zero-phase FIR band-pass.

    Parameters
    ----------
    recording : Recording
        Intracranial recording.
    l_freq, h_freq : float
        Edges of the band in Hz.
    output : {"amplitude", "power"}
        The envelope in the unit of the signal, or its square (unit squared, which the channel table writes as n/a).
    picks : str or sequence of str, optional
        Channel kinds or names, by default kinds ecog, seeg and dbs. Bad channels are worked on too and stay marked.

    Returns
    -------
    Recording
        The picked channels only; same clock and events.

    Raises
    ------
    DataError
        If the band does not lie between 0 and half of sfreq, or a good channel holds NaN in a valid stretch.
    """
    check_option("output", output, ("amplitude", "power"))
    rows = _picked(recording, picks, "band_power")
    _check_band(l_freq, h_freq, recording.sfreq)
    envelope = _envelope(recording, rows, l_freq, h_freq)
    channels = recording.channels.iloc[rows]
    if output == "power":
        envelope, channels = envelope**2, channels.assign(unit="n/a")
    parameters = {"l_freq": l_freq, "h_freq": h_freq, "output": output}
    return recording.with_step("ieeg.band_power", parameters, data=envelope, channels=channels)


def band_power_ratio(
    recording: Recording,
    onset: float | str,
    l_freq: float = 8.0,
    h_freq: float = 30.0,
    *,
    after: float = 10.0,
    picks: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Power in a band after an event over the power before it, per contact: where a seizure begins.

    The signal is band-passed by a third-order Butterworth filter run forward and backward. The power is its mean square, over
    `after` seconds from the onset, and over everything before the onset (valid stretches only).

    Parameters
    ----------
    recording : Recording
        Intracranial recording.
    onset : float or str
        Time of the event in s, or the ``trial_type`` of the one event that has it.
    l_freq, h_freq : float
        Edges of the band in Hz.
    after : float
        Length of the window after the onset in s; cut at the end of the recording.
    picks : str or sequence of str, optional
        Channel kinds or names, by default the good channels of kind ecog, seeg and dbs.

    Returns
    -------
    DataFrame
        One row per contact, in the order of the recording: ``name``, ``before`` and ``after`` (unit squared), ``ratio``.

    Raises
    ------
    DataError
        If there is no valid sample before or after the onset, or no single event of that name.
    """
    rows = _picked(recording, picks, "band_power_ratio", good=True)
    _check_band(l_freq, h_freq, recording.sfreq)
    begin = _event_onset(recording, onset)
    power = _butterworth(recording, rows, l_freq, h_freq) ** 2
    times = recording.times
    valid = _valid_samples(recording)
    windows = {"before": valid & (times < begin), "after": valid & (times >= begin) & (times < begin + after)}
    for name, window in windows.items():
        if not window.any():
            span = f"{recording.t0:g} to {recording.t0 + recording.duration:g} s"
            raise DataError(f"no valid sample lies {name} the onset at {begin:g} s; the recording spans {span}")
    means = {name: power[:, window].mean(axis=1) for name, window in windows.items()}
    table = pd.DataFrame({"name": names_of(recording, rows), **means})
    return table.assign(ratio=table["after"] / table["before"])


def sub_bands(band: tuple[float, float], n_bands: int, line_freq: float | None, sfreq: float) -> list[tuple[float, float]]:
    """Narrow bands of equal logarithmic width that keep 3 Hz away from the mains frequency and its harmonics.

    Parameters
    ----------
    band : (float, float)
        Edges of the whole in Hz.
    n_bands : int
        Number of bands, at least one per stretch between harmonics.
    line_freq : float or None
        Mains frequency in Hz.
    sfreq : float
        Sampling rate in Hz.

    Returns
    -------
    list of (float, float)
        Edges in Hz, rising.
    """
    _check_band(*band, sfreq)
    if n_bands < 1:
        raise DataError(f"n_bands must be at least 1, got {n_bands}")
    free = Intervals([band[0]], [band[1]])
    if line_freq:
        lines = line_freq * np.arange(1, np.ceil(band[1] / line_freq) + 1)
        free = free.intersection(Intervals(lines - _GUARD, lines + _GUARD).complement(0, band[1]))
    if not len(free):
        raise DataError(f"nothing of the band {band} Hz is left beside the mains frequency {line_freq} Hz: choose a wider band")
    widths = np.log(free.end / free.start)
    numbers = np.maximum(1, np.round(n_bands * widths / widths.sum()).astype(int))
    edges = [np.geomspace(a, b, n + 1) for a, b, n in zip(free.start, free.end, numbers, strict=True)]
    return [(float(low), float(high)) for e in edges for low, high in pairwise(e)]


def mean_valid(recording: Recording, signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each row over the valid samples, shape (n_rows,)."""
    return np.asarray(signal[:, _valid_samples(recording)].mean(axis=1))


def _valid_samples(recording: Recording) -> NDArray[np.bool_]:
    inside = np.zeros(recording.n_times, bool)
    for part in valid_slices(recording):
        inside[part] = True
    return inside


def _picked(recording: Recording, picks: str | Sequence[str] | None, purpose: str, good: bool = False) -> NDArray[np.intp]:
    if picks is None:
        return need_rows(recording, IEEG_KINDS, purpose, good=good)
    return pick_rows(recording, picks, purpose, drop_bad=good)


def _check_band(l_freq: float, h_freq: float, sfreq: float) -> None:
    if not 0 < l_freq < h_freq < sfreq / 2:
        raise DataError(f"a band must satisfy 0 < low < high < {sfreq / 2:g} Hz (half of sfreq), got {l_freq:g} to {h_freq:g}")


def _envelope(recording: Recording, rows: NDArray[np.intp], low: float, high: float) -> NDArray[np.float64]:
    """Hilbert envelope of some channels in a band, shape (n_rows, n_times)."""
    from scipy.signal import hilbert

    mne = require("mne", "filtering", "meeg")
    width = {"l_trans_bandwidth": min(_TRANSITION, low), "h_trans_bandwidth": min(_TRANSITION, recording.sfreq / 2 - high)}

    def envelope(signal: NDArray[np.float64]) -> NDArray[np.float64]:
        narrow = mne.filter.filter_data(signal, recording.sfreq, low, high, **width, verbose="error")
        n_fast = mne.filter.next_fast_len(narrow.shape[1])
        return np.asarray(np.abs(hilbert(narrow, N=n_fast)[:, : narrow.shape[1]]))

    return map_signal(recording, rows, envelope, "band envelope")[rows].astype(np.float64)


def _butterworth(recording: Recording, rows: NDArray[np.intp], low: float, high: float) -> NDArray[np.float64]:
    from scipy.signal import butter, sosfiltfilt

    sections = butter(3, [low, high], "bandpass", fs=recording.sfreq, output="sos")
    return map_signal(recording, rows, lambda x: sosfiltfilt(sections, x), "band_power_ratio")[rows].astype(np.float64)


def _event_onset(recording: Recording, onset: float | str) -> float:
    """Time of the event in s."""
    if not isinstance(onset, str):
        return float(onset)
    check_columns(recording.events, ["trial_type"], "events")
    found = recording.events.loc[recording.events["trial_type"] == onset, "onset"]
    if len(found) != 1:
        raise DataError(f"expected one event {onset!r}, found {len(found)} among {counts(recording.events['trial_type'], 8)}")
    return float(found.iloc[0])
