"""Which channels a step works on, and on which stretches of time: shared by M/EEG and iEEG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Intervals, Recording
from neurodecode.data.clock import first_sample_from
from neurodecode.data.describe import counts
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_finite, suggest
from neurodecode.errors import DataError

DATA_KINDS = ("eeg", "mag", "grad", "ecog", "seeg", "dbs")  # what is decoded
MEG_KINDS = ("mag", "grad")
IEEG_KINDS = ("ecog", "seeg", "dbs")
PERIPHERAL_KINDS = ("eog", "ecg", "emg", "bio", "ref_meg")
SIGNAL_KINDS = DATA_KINDS + PERIPHERAL_KINDS  # what is filtered; stim, misc and trigger channels never are

REMEDY = "Mark the channel bad (channels['bad']), interpolate it, or leave the stretch out of `valid`."


def rows_of_kind(recording: Recording, kinds: Iterable[str], *, good: bool = False) -> NDArray[np.intp]:
    """Rows of the channels of some kinds, without the bad ones if asked."""
    chosen = recording.channels["kind"].isin(list(kinds)).to_numpy()
    if good:
        chosen = chosen & ~recording.channels["bad"].to_numpy()
    return np.flatnonzero(chosen)


def need_rows(recording: Recording, kinds: Sequence[str], purpose: str, *, good: bool = True) -> NDArray[np.intp]:
    """Rows of the channels of some kinds; there must be at least one."""
    rows = rows_of_kind(recording, kinds, good=good)
    if not rows.size:
        held = counts(recording.channels["kind"])
        n_bad = int(recording.channels["bad"].sum())
        raise DataError(
            f"{purpose} needs {'good ' if good else ''}channels of kind {', '.join(kinds)}; here are {held}, {n_bad} of them "
            "bad. Set the column 'kind' of the channel table"
        )
    return rows


def pick_rows(
    recording: Recording, picks: str | Sequence[str] | None, purpose: str, *, drop_bad: bool = True
) -> NDArray[np.intp]:
    """Rows of the channels asked for: None for data channels, kinds, or names; in the order of the table."""
    if picks is None:
        return need_rows(recording, DATA_KINDS, purpose, good=drop_bad)
    wanted = [picks] if isinstance(picks, str) else list(picks)
    kinds, names = recording.channels["kind"], recording.channels["name"]
    for value in wanted:
        if not ((names == value) | (kinds == value)).any():
            raise DataError(f"{purpose}: no channel has the name or kind {value!r}: {suggest(value, [*names, *kinds.unique()])}")
    chosen = (names.isin(wanted) | kinds.isin(wanted)).to_numpy()
    if drop_bad:
        chosen = chosen & ~recording.channels["bad"].to_numpy()
    if not chosen.any():
        raise DataError(f"{purpose}: every channel of {wanted} is marked bad: choose others or pass drop_bad=False")
    return np.flatnonzero(chosen)


def names_of(recording: Recording, rows: NDArray[np.intp]) -> list[str]:
    """Names of some channels."""
    return [recording.names[i] for i in rows]


def valid_slices(recording: Recording) -> list[slice]:
    """The valid stretches as slices of samples, cut to the recording."""
    whole = Intervals([recording.t0], [recording.t0 + recording.duration])
    inside = recording.valid.intersection(whole)
    bounds = [
        [min(first_sample_from(t, recording.sfreq, recording.t0), recording.n_times) for t in pair]
        for pair in zip(inside.start, inside.end, strict=True)
    ]
    slices = [slice(a, b) for a, b in bounds if b > a]
    if not slices:
        raise DataError(f"no sample of the recording is valid: valid is {recording.valid!r}")
    return slices


def check_valid(recording: Recording, rows: NDArray[np.intp], where: str) -> None:
    """Raise `DataError` naming the first of some channels that holds NaN in a valid stretch."""
    data, names = read_signal(recording.data), names_of(recording, rows)
    for part in valid_slices(recording):
        check_finite(data[rows, part], names, where, REMEDY)


def valid_signal(recording: Recording, rows: NDArray[np.intp], where: str) -> NDArray[np.float64]:
    """The valid samples of some channels, joined, shape (n_rows, n_valid), checked to be finite."""
    data = read_signal(recording.data)
    check_valid(recording, rows, where)
    return np.concatenate([data[rows, part] for part in valid_slices(recording)], axis=1, dtype=np.float64)


def usable_stretches(recording: Recording, rows: NDArray[np.intp], where: str) -> list[slice]:
    """Stretches on which a filter can run: all of it where the signal is finite, else each valid stretch by itself.

    Raises `DataError` where a good channel holds NaN inside a valid stretch.
    """
    data = read_signal(recording.data)
    good = rows[~recording.channels["bad"].to_numpy()[rows]]
    if np.isfinite(data[good]).all():
        return [slice(0, recording.n_times)]
    check_valid(recording, good, where)
    return valid_slices(recording)


def map_signal(
    recording: Recording, rows: NDArray[np.intp], function: Callable[[NDArray[np.float64]], NDArray[Any]], where: str
) -> NDArray[np.float32]:
    """A copy of the data with `function` applied to some channels, in float64.

    Where good channels hold NaN outside of the valid stretches, each stretch is worked on by itself and what lies between
    becomes NaN; so does a stretch in which a bad channel holds NaN.
    """
    stretches = usable_stretches(recording, rows, where)
    before = read_signal(recording.data)
    data = np.array(before)
    data[rows] = np.nan
    for part in stretches:
        usable = rows[np.isfinite(before[rows, part]).all(axis=1)]
        if usable.size:
            data[usable, part] = function(before[usable, part].astype(np.float64))
    return data


def put_rows(recording: Recording, rows: NDArray[np.intp], signal: NDArray[Any]) -> NDArray[np.float32]:
    """A copy of the data with some channels exchanged."""
    data = np.array(read_signal(recording.data))
    data[rows] = signal
    return data


def rows_of_names(recording: Recording, names: Sequence[str], where: str) -> NDArray[np.intp]:
    """Rows of the named channels, which must all be there and be finite where the recording is valid."""
    place = {name: i for i, name in enumerate(recording.names)}
    missing = [name for name in names if name not in place]
    if missing:
        raise DataError(
            f"{where} was fitted on channel {missing[0]!r}, which the recording lacks ({len(missing)} of {len(names)} do)"
        )
    rows = np.array([place[name] for name in names], np.intp)
    check_valid(recording, rows, where)
    return rows


def joined(train: Recording | Sequence[Recording], where: str) -> Recording:
    """The valid samples of one or more training recordings in one; a channel that is bad in any of them is bad."""
    parts = [train] if isinstance(train, Recording) else list(train)
    if not parts:
        raise DataError(f"{where} needs at least one training recording, got none")
    first = parts[0]
    for i, part in enumerate(parts[1:], start=1):
        if part.names != first.names or part.sfreq != first.sfreq:
            raise DataError(
                f"{where}: training recording {i} has {part.n_channels} channels at {part.sfreq:g} Hz, recording 0 has "
                f"{first.n_channels} at {first.sfreq:g} Hz or other names: pick common channels and resample first"
            )
    data = [read_signal(part.data)[:, piece] for part in parts for piece in valid_slices(part)]
    bad = np.any([part.channels["bad"] for part in parts], axis=0)
    channels = first.channels.assign(bad=bad)
    return first.replace(data=np.concatenate(data, axis=1), channels=channels, events=None, valid=None, t0=0.0)


def line_frequency(recording: Recording) -> float:
    """Mains frequency in Hz from the metadata."""
    value = recording.meta.get("line_freq")
    if not isinstance(value, (int, float)) or not np.isfinite(value) or value <= 0:
        raise DataError(
            f"the mains frequency is not known (meta['line_freq'] is {value!r}): give freqs, e.g. freqs=[50, 100], "
            "or set PowerLineFrequency in the sidecar"
        )
    return float(value)


def line_harmonics(recording: Recording, freqs: float | Sequence[float] | None) -> list[float]:
    """Frequencies in Hz to take out: those given, else the mains frequency and its harmonics that fit below Nyquist."""
    nyquist = recording.sfreq / 2
    if freqs is None:
        line = line_frequency(recording)
        chosen = [f for f in (line * np.arange(1, nyquist // line + 1)).tolist() if f * (1 + 1 / 400) + 1 < nyquist]
    else:
        chosen = [float(f) for f in np.atleast_1d(np.asarray(freqs, float))]
    wrong = [f for f in chosen if not 0 < f < nyquist]
    if wrong or not chosen:
        raise DataError(f"frequencies to take out must lie between 0 and {nyquist:g} Hz (half of sfreq), got {wrong or freqs}")
    return chosen


def as_units(channels: pd.DataFrame, rows: NDArray[np.intp]) -> pd.DataFrame:
    """The rows of the channel table as a table of units."""
    return channels.iloc[rows].reset_index(drop=True)
