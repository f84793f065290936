"""Windows of several recordings on one scale: cut when read, without baseline, scaled by each recording's training windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses
from neurodecode.data.clock import nearest_sample
from neurodecode.data.describe import identity
from neurodecode.data.responses import RUN_KEYS
from neurodecode.data.validate import as_number, check_columns, check_positive
from neurodecode.data.windowed import Cut, WindowedArray
from neurodecode.errors import DataError
from neurodecode.preprocess._channels import DATA_KINDS, check_valid
from neurodecode.preprocess.meeg_noise import fit_robust_scale

SPLITS = ("train", "validation", "test")
_OUTSIDE, _INVALID = "outside the recording", "outside the valid stretches"
_Rows = NDArray[np.int64]


class Shape(NamedTuple):
    """What a window is, in samples."""

    offsets: _Rows
    """Samples relative to the event, both ends included."""
    cut: Cut
    """Their number, and the baseline."""
    lag: int
    """Samples taken off the begin."""
    sfreq: float
    """In Hz."""


def scaled_windows(
    recordings: Sequence[Recording],
    events: Sequence[pd.DataFrame] | None = None,
    *,
    tmin: float = -0.5,
    tmax: float = 2.5,
    lag: float = 0.0,
    baseline: tuple[float | None, float | None] | None = (None, 0.0),
    scale_baselined: bool = True,
    n_fit: int = 200,
    clamp: float | None = 20.0,
    random_state: int = 0,
) -> Responses:
    """Cut a window around each event of several recordings, and bring all recordings to one scale.

    In this order: window, baseline, robust scale (median and interquartile range of each channel, of each recording by itself,
    found on its training windows alone; a channel that does not vary keeps its scale), clamp. Nothing is copied: windows are cut
    out of the recordings when they are read, so that these should be in memory or saved (`neurodecode.data.save`).

    Parameters
    ----------
    recordings : sequence of Recording
        At one rate. Channels are joined by name; a channel that one recording of a subject lacks or has marked bad is NaN in all
        windows of this subject, and left out where no subject has it.
    events : sequence of DataFrame, optional
        Events of each recording, by default its own: ``onset`` (s on its clock), ``split`` and any other column.
    tmin, tmax : float
        Window in s around the event, both ends included as in `epochs`.
    lag : float
        Time in s taken off the begin of each window, after baseline and scale: the brain answers so much later.
    baseline : tuple of (float or None, float or None), optional
        Window in s (both ends included, None for the end of the window) whose mean is taken off; None takes nothing off.
    scale_baselined : bool
        Whether the scale is found after the baseline was taken off; else before, as for a continuous signal (the median then goes
        with the baseline).
    n_fit : int
        Training windows, drawn at random, that the scale of a recording is found on.
    clamp : float, optional
        Values beyond plus or minus this are set to it: networks do not train without (Défossez et al. 2023).
    random_state : int
        Seed of the draw.

    Returns
    -------
    Responses
        Data (n_windows, n_channels, n_times), a `WindowedArray`: training windows first, then validation, then test. Samples have
        the identity of the recording, the columns of the events, ``repeat`` (how often this subject had met the stimulus before);
        ``meta["drops"]`` counts events, kept ones, and those whose window is not inside the recording or not valid.

    Raises
    ------
    DataError
        If recordings differ in rate, an event has no split, a good channel holds NaN, a recording has windows but none of
        training, or nothing is left.

    References
    ----------
    Défossez et al. (2023), Nature Machine Intelligence 5:1097.
    """
    tables = [recording.events for recording in recordings] if events is None else list(events)
    shape = _shape(recordings, tables, tmin, tmax, lag, baseline)
    rows, channels = _channel_rows(recordings)
    samples, drops = _samples(recordings, tables, shape)
    if not len(samples):
        raise DataError(f"no window of {tmin} to {tmax} s is left of {drops['events']} events ({drops}): check their onsets")
    number, start = samples.pop("_recording").to_numpy(np.int64), samples.pop("_start").to_numpy(np.int64)
    windows = WindowedArray([r.data for r in recordings], number, start, shape.cut, channels=rows)
    fitted = windows if scale_baselined else windows.without_baseline()
    center, spread = _scales(fitted, samples["split"].to_numpy(object), number, recordings, n_fit, random_state)
    if not scale_baselined and baseline is not None:
        center = np.zeros_like(center)
    limit = None if clamp is None else check_positive("clamp", clamp)
    times = shape.offsets[shape.lag :] / shape.sfreq
    meta = {**_common(recordings), "drops": drops}
    parameters: dict[str, Any] = {"tmin": tmin, "tmax": tmax, "lag": lag, "baseline": baseline and list(baseline), "clamp": clamp}
    parameters |= {"scale_baselined": scale_baselined, "n_fit": n_fit, "random_state": random_state, "drops": drops}
    found = Responses(windows.scaled(center, spread, limit)[:, :, shape.lag :], samples, channels, times, meta)
    return found.with_step("meeg.scaled_windows", parameters)


def _shape(
    recordings: Sequence[Recording], tables: Sequence[pd.DataFrame], tmin: float, tmax: float, lag: float, baseline: Any
) -> Shape:
    """Samples of a window, after the arguments were checked."""
    if not recordings or len(tables) != len(recordings):
        raise DataError(f"got {len(recordings)} recordings and {len(tables)} tables of events: give one table per recording")
    sfreq = recordings[0].sfreq
    for i, (recording, table) in enumerate(zip(recordings, tables, strict=True)):
        check_columns(table, ["onset", "split"], f"events of recording {i} ({_name(recording)})")
        if abs(recording.sfreq - sfreq) > 1e-6 * sfreq:
            raise DataError(f"recording {i} has {recording.sfreq:g} Hz, recording 0 {sfreq:g} Hz: resample them to one rate")
    if not tmin < tmax:
        raise DataError(f"tmin must be below tmax, got {tmin} and {tmax} s")
    offsets = np.arange(round(tmin * sfreq), round(tmax * sfreq) + 1)
    first = round(as_number(lag) * sfreq) if as_number(lag) >= 0 else -1
    if not 0 <= first < len(offsets):
        raise DataError(f"lag must be from 0 to below {tmax - tmin:g} s, the length of a window, got {lag!r}")
    return Shape(offsets, Cut(len(offsets), baseline=_baseline(offsets, sfreq, baseline)), first, sfreq)


def _baseline(offsets: _Rows, sfreq: float, baseline: Any) -> tuple[int, int] | None:
    """Samples of the baseline within a window."""
    if baseline is None:
        return None
    low, high = (None if edge is None else round(edge * sfreq) for edge in baseline)
    inside = np.flatnonzero(
        (offsets >= (offsets[0] if low is None else low)) & (offsets <= (offsets[-1] if high is None else high))
    )
    if not inside.size:
        raise DataError(f"the baseline {baseline[0]} to {baseline[1]} s has no sample in the window: choose one inside, or None")
    return int(inside[0]), int(inside[-1]) + 1


def _channel_rows(recordings: Sequence[Recording]) -> tuple[_Rows, pd.DataFrame]:
    """Row of each channel in each recording (-1 where the subject lacks it), and the table of channels."""
    tables = [r.channels[r.channels["kind"].isin(DATA_KINDS)] for r in recordings]
    good = [table[~table["bad"]] for table in tables]
    joined = pd.concat(good).drop_duplicates("name").reset_index(drop=True)
    if not len(joined):
        raise DataError(f"none of {len(recordings)} recordings has a good channel of kind {', '.join(DATA_KINDS)}")
    rows = np.full((len(recordings), len(joined)), -1)
    for i, table in enumerate(good):
        found = joined["name"].map(pd.Series(table.index, table["name"])).to_numpy(float)
        rows[i] = np.where(np.isnan(found), -1, found)
    subjects = np.array([str(r.meta.get("subject")) for r in recordings])
    for subject in np.unique(subjects):
        own = subjects == subject
        rows[np.ix_(own, (rows[own] < 0).any(axis=0))] = -1
    kept = (rows >= 0).any(axis=0)
    for recording, row in zip(recordings, rows[:, kept], strict=True):
        check_valid(recording, row[row >= 0].astype(np.intp), f"windows of {_name(recording)}")
    if not kept.any():
        raise DataError(f"the {len(recordings)} recordings have no good channel in common: {joined['name'].tolist()[:5]} ...")
    return rows[:, kept], joined[kept].reset_index(drop=True).assign(unit="n/a")


def _samples(
    recordings: Sequence[Recording], tables: Sequence[pd.DataFrame], shape: Shape
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Events whose window can be cut, in order of the splits, and how many could not."""
    parts, drops = [], {"events": 0, "kept": 0, _OUTSIDE: 0, _INVALID: 0}
    for i, (recording, table) in enumerate(zip(recordings, tables, strict=True)):
        wrong = ~table["split"].isin(SPLITS)
        if wrong.any():
            raise DataError(
                f"events of {_name(recording)} have split {table['split'][wrong].iloc[0]!r}, expected one of {SPLITS}"
            )
        start = nearest_sample(table["onset"].to_numpy(float), recording.sfreq, recording.t0) + shape.offsets[0]
        begin = recording.t0 + start / recording.sfreq
        valid = recording.valid.covers(begin + 1e-9, begin + (len(shape.offsets) - 1) / recording.sfreq + 1e-9)
        inside = (start >= 0) & (start + len(shape.offsets) <= recording.n_times)
        kept = inside & valid
        counted = {"events": len(table), "kept": kept.sum(), _OUTSIDE: (~inside).sum(), _INVALID: (inside & ~valid).sum()}
        drops = {name: drops[name] + int(n) for name, n in counted.items()}
        parts.append(_identified(table[kept], recording.meta).assign(_recording=i, _start=start[kept]))
    samples = pd.concat(parts, ignore_index=True)
    if "stimulus" in samples and "repeat" not in samples:
        by = [c for c in ("subject", "stimulus") if c in samples]
        samples["repeat"] = samples.groupby(by, sort=False).cumcount()
    order = samples["split"].map({name: k for k, name in enumerate(SPLITS)}).argsort(kind="stable")
    return samples.iloc[order].reset_index(drop=True), drops


def _identified(table: pd.DataFrame, meta: Mapping[str, Any]) -> pd.DataFrame:
    """Events with the identity of their recording in front."""
    known = {key: meta[key] for key in (*RUN_KEYS, "task") if meta.get(key) is not None}
    front = pd.DataFrame({key: [value] * len(table) for key, value in known.items()}, index=table.index)
    return pd.concat([front, table[[c for c in table if c not in known]]], axis=1).reset_index(drop=True)


def _scales(
    windows: WindowedArray, split: NDArray[Any], number: _Rows, recordings: Sequence[Recording], n_fit: int, random_state: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and spread of each channel of each recording, from some of its training windows."""
    check_positive("n_fit", n_fit)
    rng = np.random.default_rng(random_state)
    center, spread = np.zeros((len(recordings), windows.shape[1])), np.ones((len(recordings), windows.shape[1]))
    for i, recording in enumerate(recordings):
        train = np.flatnonzero((number == i) & (split == "train"))
        if not len(train):
            if (number == i).any():
                n = int((number == i).sum())
                raise DataError(f"{_name(recording)} has {n} windows, none of them in training: its scale cannot be found")
            continue
        chosen = np.sort(rng.choice(train, min(int(n_fit), len(train)), replace=False))
        data = np.asarray(windows[chosen])
        there = ~np.isnan(data[0]).any(axis=1)
        table = pd.DataFrame({"name": [f"{k}" for k in np.flatnonzero(there)]})
        part = Responses(data[:, there], pd.DataFrame(index=range(len(data))), table, np.arange(data.shape[2], dtype=float))
        fitted = fit_robust_scale(part, flat="unit")
        center[i, there], spread[i, there] = fitted.center, fitted.spread
    return center, spread


def _common(recordings: Sequence[Recording]) -> dict[str, Any]:
    """What all recordings say of themselves; identity is in the samples."""
    first = recordings[0].meta
    return {k: v for k, v in first.items() if k != "mne_info" and all(r.meta.get(k) == v for r in recordings)}


def _name(recording: Recording) -> str:
    return identity(recording.meta) or "the recording"
