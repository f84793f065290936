"""Traces of several animals, sessions or trials, brought to one clock and one list of names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_option, check_positive, suggest
from neurodecode.errors import DataError

Signals = Callable[[NDArray[np.float32], float], NDArray[np.float32]]
MODES = ("animal", "session", "trial")


class Traces(NamedTuple):
    """Signals of one sample."""

    label: str
    """Animal, session or trial."""
    names: list[str]
    """Name of each row."""
    data: NDArray[np.float32]
    """Shape (n_names, n_times)."""
    sfreq: float
    """Hz."""
    start: float
    """Time of the first column in s, on the clock of the stimuli."""

    @property
    def stop(self) -> float:
        """Time of the last column in s."""
        return float(self.start + (self.data.shape[1] - 1) / self.sfreq)


class Aligned(NamedTuple):
    """Signals of all samples on one grid."""

    data: NDArray[np.float32]
    """Shape (n_times, n_samples, n_names), 0 where a neuron is missing."""
    observed: NDArray[np.bool_]
    """Shape (n_samples, n_names)."""
    names: list[str]
    """Union of the names, in the order in which they first occur."""
    times: NDArray[np.float64]
    """s, on the clock of the stimuli."""


def from_arrays(
    traces: Sequence[Any],
    names: Sequence[Any] | None,
    sfreq: float | Sequence[float] | None,
    start: float | Sequence[float] = 0.0,
    labels: Sequence[str] | None = None,
) -> list[Traces]:
    """Take plain arrays, one per sample.

    Parameters
    ----------
    traces : sequence of array_like of shape (n_names, n_times)
        Signals of each animal, session or trial.
    names : sequence of str, or one such sequence per sample, or None
        Name of each row; None numbers them, which says that row i is the same neuron everywhere.
    sfreq : float or sequence of float
        Sampling rates in Hz.
    start : float or sequence of float
        Time of the first column in s, on the clock of the stimuli.
    labels : sequence of str, optional
        What samples are called.

    Returns
    -------
    list of Traces
        One per sample.

    Raises
    ------
    DataError
        If lengths do not fit, or a sampling rate is missing.
    """
    n = len(traces)
    arrays = [np.asarray(trace, np.float32) for trace in traces]
    if not n or any(array.ndim != 2 for array in arrays):
        raise DataError(f"traces must be one array (n_names, n_times) per sample, got shapes {[a.shape for a in arrays][:5]}")
    if sfreq is None:
        raise DataError(f"sfreq is needed: traces of {n} samples came as plain arrays; give their sampling rate in Hz")
    rates, starts = (
        np.broadcast_to(np.asarray(value, float), n) if np.size(value) in (1, n) else None for value in (sfreq, start)
    )
    called = [f"sample{k}" for k in range(n)] if labels is None else list(map(str, labels))
    if rates is None or starts is None or len(called) != n:
        raise DataError(f"sfreq, start and labels must be one, or one per sample ({n}), got {sfreq!r}, {start!r}, {labels!r}")
    rows = _names_per_sample(names, arrays)
    parts = zip(called, rows, arrays, rates, starts, strict=True)
    return [Traces(label, row, array, check_positive("sfreq", rate), float(at)) for label, row, array, rate, at in parts]


def from_recordings(
    recordings: Sequence[Recording], sample_mode: str, align: str | None = None, window: tuple[float, float] | None = None
) -> list[Traces]:
    """Take recordings: a sample is an animal, a session (recording) or a trial (event).

    Parameters
    ----------
    recordings : sequence of Recording
        ``channels.name`` is the identity of a neuron; bad channels count as missing.
    sample_mode : str
        ``"animal"`` (one recording per subject), ``"session"`` (each recording) or ``"trial"`` (each event).
    align : str, optional
        ``trial_type`` of the events: time 0 is the onset of the first one (of each one in trial mode). By default the clock of
        the recording, in trial mode all events.
    window : tuple of float, optional
        Stretch in s around each event; needed for trials.

    Returns
    -------
    list of Traces
        One per sample.

    Raises
    ------
    DataError
        If there is no such event, a subject has several recordings, or a trial is not covered.
    """
    check_option("sample_mode", sample_mode, MODES)
    if sample_mode == "trial":
        return [trial for k, recording in enumerate(recordings) for trial in _trials(recording, k, align, window)]
    labels = [_label(recording, k, sample_mode) for k, recording in enumerate(recordings)]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise DataError(
            f"{labels.count(twice[0])} recordings are of {twice[0]!r}: "
            + ("use sample_mode='session'" if sample_mode == "animal" else "give each its own subject, session or run")
        )
    pairs = zip(recordings, labels, strict=True)
    return [_cut(recording, label, _onsets(recording, align)[0] if align else 0.0, window) for recording, label in pairs]


def align_traces(samples: Sequence[Traces], prepare: Signals, sfreq: float | None = None) -> Aligned:
    """Bring all samples to the union of names and to the times that all of them cover.

    Parameters
    ----------
    samples : sequence of Traces
        One or more; a row that is NaN throughout, or never changes, counts as missing.
    prepare : callable
        From (traces, sampling rate) to signals of the same shape, before they are interpolated; smoothing belongs here.
    sfreq : float, optional
        Rate of the grid in Hz, by default the lowest of the samples.

    Returns
    -------
    Aligned
        Signals on the grid, linear between the frames of a sample.

    Raises
    ------
    DataError
        If a trace is NaN in part, samples do not overlap in time, or fewer than two names are left.
    """
    rate = min(sample.sfreq for sample in samples) if sfreq is None else check_positive("sfreq", sfreq)
    begin, end = max(sample.start for sample in samples), min(sample.stop for sample in samples)
    n_times = int(np.floor((end - begin) * rate + 1e-6)) + 1
    if n_times < 2:
        spans = ", ".join(f"{s.label} {s.start:g} to {s.stop:g} s" for s in samples[:5])
        raise DataError(f"the samples have {max(n_times, 0)} times in common at {rate:g} Hz, two are needed: {spans}")
    times = begin + np.arange(n_times) / rate
    names = list(dict.fromkeys(name for sample in samples for name in sample.names))
    if len(names) < 2:
        raise DataError(f"pairs need two names or more, got {names}")
    place = {name: k for k, name in enumerate(names)}
    data = np.zeros((n_times, len(samples), len(names)), np.float32)
    observed = np.zeros((len(samples), len(names)), bool)
    for k, sample in enumerate(samples):
        rows = _usable(sample)
        columns = [place[sample.names[row]] for row in rows]
        data[:, k, columns] = _at(times, sample, prepare(sample.data[rows], sample.sfreq)).T
        observed[k, columns] = True
    return Aligned(data, observed, names, times)


def _names_per_sample(names: Sequence[Any] | None, arrays: list[NDArray[np.float32]]) -> list[list[str]]:
    if names is None:
        names = [f"neuron{i}" for i in range(max(len(array) for array in arrays))]
        given = [list(names[: len(array)]) for array in arrays]
    elif len(names) and isinstance(names[0], str):
        given = [list(names) for _ in arrays]
    else:
        given = [list(map(str, row)) for row in names]
    for k, (row, array) in enumerate(zip(given, arrays, strict=False)):
        if len(row) != len(array) or len(set(row)) != len(row):
            raise DataError(
                f"sample {k} has {len(array)} traces and {len(set(row))} different names of {len(row)}: one per trace"
            )
    if len(given) != len(arrays):
        raise DataError(f"names must be one list for all, or one per sample ({len(arrays)}), got {len(given)}")
    return given


def _label(recording: Recording, k: int, sample_mode: str) -> str:
    subject = str(recording.meta.get("subject", f"sample{k}"))
    if sample_mode == "animal":
        return subject
    return " ".join([subject, *(f"{key}-{recording.meta[key]}" for key in ("session", "run") if key in recording.meta)])


def _onsets(recording: Recording, align: str | None) -> NDArray[np.float64]:
    events = recording.events
    kinds = events["trial_type"].astype(str) if "trial_type" in events else None
    found = events["onset"] if align is None else (events["onset"][kinds == align] if kinds is not None else events["onset"][:0])
    if not len(found):
        there = [] if kinds is None else sorted(set(kinds))
        raise DataError(f"there is no event {align or 'at all'!r} to align to: {suggest(str(align), there)}")
    return np.sort(found.to_numpy(float))


def _cut(recording: Recording, label: str, onset: float, window: tuple[float, float] | None) -> Traces:
    """The signal around an onset that is time 0; no window keeps all of it."""
    part = recording if window is None else recording.crop(onset + window[0], onset + window[1] + 0.5 / recording.sfreq)
    data = np.array(read_signal(part.data))
    data[part.channels["bad"].to_numpy(bool)] = np.nan
    return Traces(label, part.names, data, part.sfreq, part.t0 - onset)


def _trials(recording: Recording, k: int, align: str | None, window: tuple[float, float] | None) -> list[Traces]:
    if window is None or not window[1] > window[0]:
        raise DataError(f"trials need window=(from, to) in s around each event, got {window!r}")
    label, onsets = _label(recording, k, "session"), _onsets(recording, align)
    last = recording.t0 + (recording.n_times - 1) / recording.sfreq
    slack = 0.5 / recording.sfreq
    outside = [t for t in onsets if t + window[0] < recording.t0 - slack or t + window[1] > last + slack]
    if outside:
        raise DataError(
            f"the trial at {outside[0]:g} s of {label} is not covered from {window[0]:g} to {window[1]:g} s: the recording spans "
            f"{recording.t0:g} to {last:g} s. Drop the event or shorten the window"
        )
    return [_cut(recording, f"{label} trial-{i}", float(onset), window) for i, onset in enumerate(onsets)]


def _usable(sample: Traces) -> NDArray[np.intp]:
    """Rows that were recorded; a row that is NaN in part can be neither used nor left out in silence."""
    lost = np.isnan(sample.data)
    part = np.flatnonzero(lost.any(axis=1) & ~lost.all(axis=1))
    if len(part):
        first = part[0]
        raise DataError(
            f"{sample.names[first]!r} of {sample.label} is NaN at {int(lost[first].sum())} of {lost.shape[1]} times ({len(part)} "
            "traces are so in part): interpolate it, or set it to NaN throughout"
        )
    if np.isinf(sample.data).any():
        raise DataError(f"traces of {sample.label} must be finite or NaN, got {int(np.isinf(sample.data).sum())} infinite values")
    return np.flatnonzero(~lost.any(axis=1) & (np.ptp(np.where(lost, 0, sample.data), axis=1) > 0))


def _at(times: NDArray[np.float64], sample: Traces, signals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Signals at given times, linear between frames; a time that is a frame (to a millionth) gets its value."""
    position = (times - sample.start) * sample.sfreq
    position = np.where(np.abs(position - np.round(position)) < 1e-6, np.round(position), position)
    before = np.clip(np.floor(position).astype(int), 0, max(signals.shape[1] - 2, 0))
    share = (position - before).astype(np.float32)
    return np.asarray(signals[:, before] * (1 - share) + signals[:, before + 1] * share)
