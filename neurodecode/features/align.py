"""Features of words and frames on the clock of the scans or of the sensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Recording, Responses
from neurodecode.data.responses import group_columns
from neurodecode.data.validate import check_columns, check_length, check_positive
from neurodecode.errors import DataError
from neurodecode.features.align_weights import Method, clock_weights

Clock = int | ArrayLike | Sequence[Any] | Mapping[Any, Any] | None
_DENSE = 0.9  # part of the weights that are not 0; a product with a NaN that weighs nothing would be NaN
_BLOCK = 2**23  # numbers of a block of columns in float64, so that wide layers need no second copy of themselves


class _Run(NamedTuple):
    """One run: its name, the rows of the events that belong to it, and the start of each of its scans in s."""

    name: Any
    rows: NDArray[np.intp]
    starts: NDArray[np.float64]


def to_tr(
    values: Responses | ArrayLike,
    times: ArrayLike | None = None,
    *,
    TR: float | None = None,
    n_scans: int | Sequence[int] | Mapping[Any, int] | None = None,
    tr_times: ArrayLike | Sequence[ArrayLike] | Mapping[Any, ArrayLike] | None = None,
    method: Method = "lanczos",
    offsets: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    held: bool | None = None,
    cutoff: float | None = None,
    window: float = 3.0,
    reference: float = 0.5,
) -> Any:
    r"""Bring values of words or frames to one row per scan.

    Row i is :math:`y_i = \sum_j w_{ij} x_j` over the events of the same run: nothing crosses the border of a run. Scan i stands
    for the TR around its reference time :math:`c_i = start_i + reference \cdot TR`, by default its middle.

    ========== ==========================================================================================================
    method     weight of an event at :math:`t_j`
    ========== ==========================================================================================================
    lanczos    :math:`\mathrm{sinc}(x)\,\mathrm{sinc}(x / window)` for :math:`|x| < window`, with :math:`x = cutoff (c_i - t_j)`
    sinc       :math:`\mathrm{sinc}(x)`: the same without a window
    box        the part of the event, from onset to offset, that lies in the TR; all of it where it begins, without offsets
    mean       1 / n for the n events that begin in the TR
    last       1 for the last event that begins in the TR
    ========== ==========================================================================================================

    Events count as masses: a TR without any is 0, and a row of ones becomes words per TR (box: its sum over the scans is the
    number of words). Values that are `held`, such as the luminance of frames, become weighted means instead, and a TR that they
    cover by less than a half is 0.

    Parameters
    ----------
    values : Responses or array_like of shape (n_events, n_features)
        One row per word or frame; a one-dimensional array is one feature. NaN spreads to the scans that its event weighs on.
    times : array_like of shape (n_events,), optional
        Onsets in s on the clock of the run; of `Responses` the column ``onset``.
    TR : float, optional
        Repetition time in s; by default the median step of `tr_times`.
    n_scans : int, sequence of int or mapping, optional
        Scans of each run, the first at 0 s: one number for all, one per run in order of appearance, or by name of the run. A
        mapping also sets the order of the runs, and may name runs without any event.
    tr_times : array_like of shape (n_scans,), sequence or mapping of them, optional
        Instead of `n_scans`: the time at which each scan starts in s, as in `Recording.times`.
    method : {"lanczos", "box", "last", "mean", "sinc"}
        Weights, as in the table.
    offsets : array_like of shape (n_events,), optional
        Ends of the events in s; of `Responses` the column ``offset``, or onset plus ``duration``. Used by box, and by all where
        values are held.
    groups : array_like of shape (n_events,), optional
        Run of each event; of `Responses` the column ``run`` (within subject and session). By default all are one run.
    held : bool, optional
        Whether values last until the next one; by default what ``meta["held"]`` of `Responses` says, else False.
    cutoff : float, optional
        Rate of the sinc in Hz, by default 1 / TR: it passes what is slower than half of that.
    window : float
        Lobes of the Lanczos kernel on each side.
    reference : float
        Slice-time reference as a fraction of the TR: 0.5 is the middle, 0 the start, as fMRIPrep and others state it.

    Returns
    -------
    array of shape (n_scans_of_all_runs, n_features), or Responses
        Run after run, of the dtype of `values` where that is a float. The samples of `Responses` have ``onset`` (start of the
        scan in s), ``duration`` (TR) and every column that has one value per run.

    Raises
    ------
    DataError
        If shapes do not fit, a time is not finite, or the scans are not said, run backwards or are nearer than a TR.

    References
    ----------
    Huth et al., Nature 532:453 (2016), for words and Lanczos; Duchon, J. Appl. Meteorol. 18:1016 (1979), for the kernel.
    """
    events = _events(values, times, offsets, groups, held)
    given = {"n_scans": n_scans, "tr_times": tr_times}
    if (n_scans is None) == (tr_times is None):
        raise DataError(f"give either n_scans or tr_times, got {sorted(k for k, v in given.items() if v is not None)}")
    step = _resolve_tr(TR, tr_times)
    runs = _runs(events, n_scans if tr_times is None else tr_times, step, counted=tr_times is None)
    options = {"width": step, "method": method, "held": events.held, "window": check_positive("window", window)}
    options |= {"cutoff": 1 / step if cutoff is None else check_positive("cutoff", cutoff), "reference": float(reference)}
    data = _apply(events, runs, options)
    if not isinstance(values, Responses):
        return data[:, 0] if np.ndim(values) == 1 else data
    return _on_clock(values, "features.to_tr", {"TR": step, **options}, data, _scan_table(values.samples, runs, step))


def to_sfreq(
    values: Responses | ArrayLike,
    times: ArrayLike | None = None,
    *,
    like: Recording | None = None,
    sfreq: float | None = None,
    n_times: int | None = None,
    t0: float = 0.0,
    method: Method | None = None,
    offsets: ArrayLike | None = None,
    held: bool | None = None,
    cutoff: float | None = None,
    window: float = 3.0,
) -> Any:
    """Bring a series of features to the clock of a recording, without aliasing.

    It is `to_tr` of one run whose scans are the samples of the recording. Held series are low-passed at half the slower of the
    two rates by a Lanczos kernel; words become impulses of one sample, so that a delayed regression gives their response.

    Parameters
    ----------
    values : Responses or array_like of shape (n_events, n_features)
        As in `to_tr`.
    times : array_like of shape (n_events,), optional
        Onsets in s on the clock of the recording.
    like : Recording, optional
        Recording whose clock is meant; or give `sfreq` and `n_times`.
    sfreq : float, optional
        Sampling rate in Hz.
    n_times : int, optional
        Number of samples.
    t0 : float
        Time of the first sample in s.
    method : {"lanczos", "box", "last", "mean", "sinc"}, optional
        By default lanczos where values are held, else box.
    offsets : array_like of shape (n_events,), optional
        Ends of the events in s. Words are impulses at their onset unless you give it here.
    held : bool, optional
        As in `to_tr`.
    cutoff : float, optional
        Rate of the sinc in Hz, by default the slower of the two rates.
    window : float
        Lobes of the Lanczos kernel on each side.

    Returns
    -------
    array of shape (n_times, n_features), or Responses
        One row per sample of the recording.

    Raises
    ------
    DataError
        As in `to_tr`, or if neither a recording nor a rate and a number of samples is given.
    """
    rate, n, start = (like.sfreq, like.n_times, like.t0) if like is not None else (sfreq, n_times, t0)
    if rate is None or n is None:
        raise DataError(f"give like=recording, or sfreq and n_times, got sfreq={rate!r} and n_times={n!r}")
    rate = check_positive("sfreq", rate)
    events = _events(values, times, offsets, None, held)
    if len(np.unique(events.groups)) > 1:
        raise DataError(f"a recording is one run, these features have {len(np.unique(events.groups))}: select one")
    ends = None if not events.held and offsets is None else events.offsets
    events = events._replace(offsets=events.onsets if ends is None else ends)
    method = ("lanczos" if events.held else "box") if method is None else method
    slower = min(rate, _rate(events.onsets, rate)) if cutoff is None else check_positive("cutoff", cutoff)
    run = _Run(None, np.arange(len(events.onsets)), start + np.arange(int(n)) / rate)
    options = {"width": 1 / rate, "method": method, "held": events.held, "cutoff": slower}
    options |= {"window": check_positive("window", window), "reference": 0.0}
    data = _apply(events, [run], options)
    if not isinstance(values, Responses):
        return data[:, 0] if np.ndim(values) == 1 else data
    samples = _scan_table(values.samples, [run], 1 / rate)
    return _on_clock(values, "features.to_sfreq", {"sfreq": rate, **options}, data, samples)


class _Events(NamedTuple):
    """Values with the onset, offset and run of each, checked."""

    values: NDArray[Any]
    onsets: NDArray[np.float64]
    offsets: NDArray[np.float64]
    groups: NDArray[np.int64]
    names: list[Any]
    held: bool


def _events(values: Any, times: Any, offsets: Any, groups: Any, held: bool | None) -> _Events:
    """Take arrays or the columns of `Responses`."""
    if isinstance(values, Responses):
        if values.times is not None:
            raise DataError(f"values must be (n_events, n_features), these Responses have the shape {values.data.shape}")
        held = bool(values.meta.get("held", False)) if held is None else held
        table, values = values.samples, values.data
        if times is None:
            check_columns(table, ["onset"], "samples")
            times = table["onset"]
        offsets = _offsets_of(table, np.asarray(times, float)) if offsets is None else offsets
        groups, names = _runs_of(table) if groups is None else _codes(groups)
    else:
        if times is None:
            raise DataError(f"times are missing: give the onset in s of each of the {len(np.asarray(values))} events")
        groups, names = _codes(np.zeros(len(np.asarray(values)), int) if groups is None else groups)
    data = np.asarray(values)
    if data.ndim not in (1, 2) or data.dtype.kind not in "fiub":
        raise DataError(f"values must be real numbers of shape (n_events, n_features), got {data.dtype} of shape {data.shape}")
    data = data[:, None] if data.ndim == 1 else data
    onsets = _seconds("times", times, len(data))
    check_length("groups", len(groups), len(data), "event")
    ends = _until_next(onsets, groups) if offsets is None and held else onsets if offsets is None else offsets
    ends = _seconds("offsets", ends, len(data))
    if (ends < onsets).any():
        first = int(np.argmax(ends < onsets))
        raise DataError(f"event {first} ends before it begins: onset {onsets[first]:g} s, offset {ends[first]:g} s")
    return _Events(data, onsets, ends, groups, names, bool(held))


def _seconds(name: str, seconds: Any, n: int) -> NDArray[np.float64]:
    """Times of events, all of them finite."""
    array = np.asarray(seconds, float)
    if array.shape != (n,):
        raise DataError(f"{name} must be in s, one per event, shape ({n},), got shape {array.shape}")
    if not np.isfinite(array).all():
        raise DataError(f"{name} must be finite, {int((~np.isfinite(array)).sum())} of {n} are not: drop those events first")
    return array


def _codes(groups: Any) -> tuple[NDArray[np.int64], list[Any]]:
    codes, names = pd.factorize(np.asarray(groups))
    return codes.astype(np.int64), list(names)


def _runs_of(table: pd.DataFrame) -> tuple[NDArray[np.int64], list[Any]]:
    """Runs of samples, under their plain label where that is unique, else as (subject, session, run)."""
    if "run" not in table:
        return np.zeros(len(table), np.int64), [None]
    columns = group_columns(table, "run")
    codes = table.groupby(columns, sort=False, dropna=False).ngroup().to_numpy().astype(np.int64)
    each = table.iloc[np.unique(codes, return_index=True)[1]]
    plain = each["run"].is_unique
    return codes, each["run"].tolist() if plain else list(each[columns].itertuples(index=False, name=None))


def _offsets_of(table: pd.DataFrame, onsets: NDArray[np.float64]) -> Any:
    if "offset" in table:
        return table["offset"]
    return onsets + table["duration"].to_numpy(float) if "duration" in table else None


def _until_next(onsets: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """End of each value that lasts until the next one of its run; the last lasts as long as most do."""
    ends: NDArray[np.float64] = onsets.copy()
    for g in np.unique(groups):
        rows = np.flatnonzero(groups == g)
        rows = rows[np.argsort(onsets[rows], kind="stable")]
        steps = np.diff(onsets[rows])
        if not len(steps):
            raise DataError(f"a held value needs an offset or a next value, run {int(g)} has a single one: give offsets")
        ends[rows] = onsets[rows] + np.append(steps, np.median(steps))
    return ends


def _rate(onsets: NDArray[np.float64], otherwise: float) -> float:
    """Median rate of a series in Hz."""
    steps = np.diff(np.sort(onsets))
    return 1 / float(np.median(steps)) if len(steps) and np.median(steps) > 0 else otherwise


def _resolve_tr(TR: float | None, tr_times: Any) -> float:
    if TR is not None:
        return check_positive("TR", TR)
    if tr_times is None:
        raise DataError(f"TR is missing: give it in s, or the start of each scan as tr_times (got TR={TR!r})")
    first = next(iter(tr_times.values())) if isinstance(tr_times, Mapping) else tr_times
    first = first if np.ndim(first[0]) == 0 else first[0]
    return check_positive("TR (median step of tr_times)", float(np.median(np.diff(np.asarray(first, float)))))


def _runs(events: _Events, clocks: Any, TR: float, *, counted: bool) -> list[_Run]:
    """Rows and scans of each run, in the order of a mapping or of appearance."""
    if isinstance(clocks, Mapping):
        unknown = [name for name in events.names if name not in clocks]
        if unknown:
            raise DataError(f"no scans are given for run {unknown[0]!r}: the mapping has {list(clocks)}")
        pairs = list(clocks.items())
    else:
        each = [clocks] * len(events.names) if np.ndim(clocks if counted else clocks[0]) == 0 else list(clocks)
        if len(each) != len(events.names):
            raise DataError(f"scans are given for {len(each)} runs, the events are of {len(events.names)}: {events.names[:20]}")
        pairs = list(zip(events.names, each, strict=True))
    number = {name: i for i, name in enumerate(events.names)}
    return [
        _Run(name, np.flatnonzero(events.groups == number.get(name, -1)), _starts(clock, TR, counted)) for name, clock in pairs
    ]


def _starts(clock: Any, TR: float, counted: bool) -> NDArray[np.float64]:
    """Start of each scan in s."""
    if counted:
        if isinstance(clock, bool) or int(clock) != clock or clock < 0:
            raise DataError(f"n_scans must be a whole number of scans, got {clock!r}")
        return np.arange(int(clock), dtype=float) * TR
    starts = np.asarray(clock, float)
    if starts.ndim != 1 or not np.isfinite(starts).all():
        raise DataError(f"tr_times must be finite times in s of shape (n_scans,), got shape {starts.shape}")
    if (np.diff(starts) < TR * (1 - 1e-3)).any():
        worst = float(np.diff(starts).min())
        raise DataError(f"tr_times must lie at least one TR of {TR:g} s apart, got a step of {worst:g} s")
    return starts


def _apply(events: _Events, runs: list[_Run], options: dict[str, Any]) -> NDArray[Any]:
    """Weighted sums of each run."""
    dtype = events.values.dtype if events.values.dtype.kind == "f" else np.dtype(float)
    out = np.empty((sum(len(run.starts) for run in runs), events.values.shape[1]), dtype)
    first = 0
    for run in runs:
        weights = clock_weights(events.onsets[run.rows], events.offsets[run.rows], run.starts, **options)
        _multiply(weights, events.values[run.rows], out[first : first + len(run.starts)])
        first += len(run.starts)
    return out


def _multiply(weights: Any, values: NDArray[Any], out: NDArray[Any]) -> None:
    """Product in float64, some columns at a time; by BLAS where hardly a weight is 0 (sinc)."""
    weights = weights.toarray() if weights.nnz > _DENSE * np.prod(weights.shape) else weights
    step = max(1, _BLOCK // max(1, len(values)))
    for first in range(0, values.shape[1], step):
        out[:, first : first + step] = weights @ values[:, first : first + step].astype(float)


def _on_clock(values: Responses, name: str, parameters: dict[str, Any], data: NDArray[Any], samples: pd.DataFrame) -> Responses:
    """Responses with one row per scan, which from now on are a series: each holds until the next."""
    made = values.with_step(name, parameters, data=data, samples=samples)
    return made.replace(meta={**made.meta, "held": True})


def _scan_table(samples: pd.DataFrame, runs: list[_Run], TR: float) -> pd.DataFrame:
    """One row per scan, with the columns that have one value per run."""
    timed = {"onset", "offset", "duration"}
    kept = [c for c in samples if c not in timed and all(samples[c].iloc[run.rows].duplicated()[1:].all() for run in runs)]
    parts = []
    for run in runs:
        same = {c: samples[c].iloc[run.rows[0]] if len(run.rows) else run.name if c == "run" else None for c in kept}
        parts.append(pd.DataFrame({**same, "onset": run.starts, "duration": TR}, index=range(len(run.starts))))
    return pd.concat(parts, ignore_index=True)
