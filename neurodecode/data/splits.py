"""Splits that cannot leak: by run, stimulus, subject, or contiguous blocks with a gap; and the check of any split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.hashing import sha256_array
from neurodecode.data.recording import Recording
from neurodecode.data.responses import RUN_KEYS, Responses, group_columns
from neurodecode.data.validate import as_number, check_index
from neurodecode.errors import DataError, SplitLeakError

_ALTERNATIVES = "group by another column, use contiguous_blocks, or record more runs"
_SLACK = 1e-6  # s; windows that touch do not overlap, whatever rounding says


class Split(NamedTuple):
    """One division into training and test samples."""

    train: NDArray[np.int64]
    """Rows to fit on, shape (n_train,)."""
    test: NDArray[np.int64]
    """Rows to score on, shape (n_test,)."""
    name: str
    """What is held out, e.g. ``run=3``."""


def by_group(responses: Responses, group: str | Sequence[str] = "run", n_splits: int | None = None) -> list[Split]:
    """Hold out whole groups: each in turn, or several at a time.

    Parameters
    ----------
    responses : Responses
        Samples to split.
    group : str or sequence of str
        Columns of `samples`; ``"run"`` means the unique (subject, session, run).
    n_splits : int, optional
        Number of folds; by default one per group. Groups are dealt out to folds in order of appearance.

    Returns
    -------
    list of Split
        Checked against duplicate recordings, and against windows that overlap across the border.

    Raises
    ------
    DataError
        If there are fewer than two groups, or fewer groups than folds.
    SplitLeakError
        If the same recording or an overlapping window stands on both sides.
    """
    labels = responses.groups(group)
    n_groups = int(labels.max()) + 1 if len(labels) else 0
    n_folds = n_groups if n_splits is None else n_splits
    columns = group_columns(responses.samples, group)
    if n_groups < 2 or not 2 <= n_folds <= n_groups:
        raise DataError(f"{n_folds} folds over {columns} need at least as many groups and two, found {n_groups}: {_ALTERNATIVES}")
    first = responses.samples.loc[[int(np.argmax(labels == g)) for g in range(n_groups)], columns]
    names = [", ".join(f"{c}={v}" for c, v in row.items()) for row in first.to_dict("records")]
    splits = []
    for fold in range(n_folds):
        held = np.arange(fold, n_groups, n_folds)
        test = np.isin(labels, held)
        splits.append(Split(np.flatnonzero(~test), np.flatnonzero(test), "; ".join(names[h] for h in held)))
    refuse_duplicates(responses)
    for split in splits:
        check_windows(responses, split)
    return splits


def by_run(responses: Responses, n_splits: int | None = None) -> list[Split]:
    """Hold out runs; a run is the unique (subject, session, run).

    Parameters
    ----------
    responses : Responses
        Samples to split.
    n_splits : int, optional
        Number of folds; by default one per run.

    Returns
    -------
    list of Split
        Checked as in `by_group`.
    """
    return by_group(responses, "run", n_splits)


def by_subject(responses: Responses, n_splits: int | None = None) -> list[Split]:
    """Hold out subjects.

    Parameters
    ----------
    responses : Responses
        Samples to split.
    n_splits : int, optional
        Number of folds; by default one per subject.

    Returns
    -------
    list of Split
        Checked as in `by_group`.
    """
    return by_group(responses, "subject", n_splits)


def by_stimulus(responses: Responses, n_splits: int | None = 5) -> list[Split]:
    """Hold out stimuli with all their repeats.

    Parameters
    ----------
    responses : Responses
        Samples to split.
    n_splits : int or None
        Number of folds; None holds out one stimulus at a time.

    Returns
    -------
    list of Split
        Checked as in `by_group`.
    """
    return by_group(responses, "stimulus", n_splits)


def contiguous_blocks(times: ArrayLike, n_splits: int = 5, gap: float = 0.0) -> list[Split]:
    """Hold out stretches of time, leaving a gap on both sides out of the training part.

    Parameters
    ----------
    times : array_like of shape (n_samples,)
        Time of each sample in s, not decreasing.
    n_splits : int
        Number of blocks, equal in samples within one.
    gap : float
        Samples nearer than this (s) to the test block are used by neither side; choose it above the autocorrelation
        time of the signal plus the length of a response window.

    Returns
    -------
    list of Split
        One per block.

    Raises
    ------
    DataError
        If times decrease or are not finite, there are too few samples, or the gap is negative or leaves nothing to train
        on.
    """
    t = np.asarray(times, float)
    if t.ndim != 1 or not 2 <= n_splits <= len(t):
        raise DataError(f"{n_splits} blocks need at least two blocks and one list of times as long, got shape {t.shape}")
    if not np.isfinite(t).all() or np.any(np.diff(t) < 0):
        raise DataError(f"times must be finite and not decrease, got {t!s:.80}: sort the samples of one run by onset")
    if not as_number(gap) >= 0:
        raise DataError(f"gap must be a time of at least 0 s, got {gap!r}")
    splits = []
    for k, test in enumerate(np.array_split(np.arange(len(t)), n_splits)):
        begin, end = t[test[0]] - gap, t[test[-1]] + gap
        train = np.flatnonzero(((t < begin) | (t > end)) if gap > 0 else ~np.isin(np.arange(len(t)), test))
        if not train.size:
            raise DataError(
                f"a gap of {gap} s leaves nothing to train on beside block {k} of {n_splits}: use a shorter gap or more blocks"
            )
        splits.append(Split(train, test.astype(np.int64), f"block={k}"))
    return splits


def check_split(responses: Responses, train: ArrayLike, test: ArrayLike, unit: str | None = "stimulus") -> None:
    """Refuse a split of your own that leaks.

    Parameters
    ----------
    responses : Responses
        All samples.
    train, test : array_like of shape (n_train,), (n_test,)
        Rows of the two sides, or masks of shape (n_samples,).
    unit : str, optional
        Column whose values must not stand on both sides, by default ``stimulus`` where there is such a column; None
        leaves this check out (categories seen again in other runs are no leak for a decoder of categories).

    Raises
    ------
    DataError
        If a side is empty or its rows do not exist.
    SplitLeakError
        Naming the sample, stimulus, recording or window that stands on both sides.
    """
    sides = {name: check_index(rows, responses.n_samples, name) for name, rows in (("train", train), ("test", test))}
    for name, rows in sides.items():
        if not rows.size:
            raise DataError(
                f"{name} holds none of the {responses.n_samples} samples; give rows, or a mask that is somewhere True"
            )
    split = Split(sides["train"].astype(np.int64), sides["test"].astype(np.int64), "the given split")
    both = np.intersect1d(split.train, split.test)
    if both.size:
        raise SplitLeakError(f"{both.size} samples stand on both sides of the split, the first is row {both[0]}")
    if unit is not None and unit in responses.samples:
        _check_values(responses.samples[unit], split, unit)
    refuse_duplicates(responses)
    check_windows(responses, split)


def _check_values(column: pd.Series, split: Split, unit: str) -> None:
    """Refuse values that stand on both sides."""
    shared = sorted(set(column.iloc[split.train].dropna()) & set(column.iloc[split.test].dropna()), key=str)
    if shared:
        raise SplitLeakError(
            f"{len(shared)} values of {unit!r} stand on both sides of the split, e.g. {shared[0]!r}: hold out by {unit!r}"
        )


def refuse_duplicates(items: Responses | Sequence[Recording]) -> None:
    """Refuse a data set in which one recording stands twice under two names.

    Parameters
    ----------
    items : Responses or sequence of Recording
        Runs of `Responses` (unique subject, session, run) or recordings, compared by the numbers they hold.

    Raises
    ------
    SplitLeakError
        Naming both.
    """
    seen: dict[str, str] = {}
    for name, data in _named_runs(items):
        digest = sha256_array(data)
        if digest in seen:
            raise SplitLeakError(f"{seen[digest]} and {name} hold the same recording, number for number: remove one of them")
        seen[digest] = name


def _named_runs(items: Responses | Sequence[Recording]) -> list[tuple[str, Any]]:
    """Name and numbers of each run or recording."""
    if not isinstance(items, Responses):
        return [(_recording_name(r, i), r.data) for i, r in enumerate(items)]
    columns = [c for c in RUN_KEYS if c in items.samples]
    if not columns:
        return []
    labels = items.groups(columns)
    runs = [(np.flatnonzero(labels == g)) for g in range(int(labels.max()) + 1)] if len(labels) else []
    records = [items.samples.loc[rows[0], columns].to_dict() for rows in runs]
    return [(", ".join(f"{c}={v}" for c, v in r.items()), items.data[rows]) for r, rows in zip(records, runs, strict=True)]


def _recording_name(recording: Recording, position: int) -> str:
    """The file a recording came from, or its place in the list."""
    sources = recording.meta.get("sources") or [{}]
    return str(sources[0].get("file", f"recording {position}"))


def check_windows(responses: Responses, split: Split) -> None:
    """Refuse a split in which response windows of one run overlap across the border.

    The window of a sample runs from ``onset + times[0]`` to the end of the last response sample, or over ``duration`` where
    there is no time axis. Samples without an onset cannot be checked.

    Parameters
    ----------
    responses : Responses
        All samples.
    split : Split
        Rows of both sides.

    Raises
    ------
    SplitLeakError
        Saying how many test windows overlap, and where the first one is.
    """
    if "onset" not in responses.samples:
        return
    start, end = _windows(responses)
    columns = [c for c in RUN_KEYS if c in responses.samples]
    run = responses.groups(columns) if columns else np.zeros(responses.n_samples, np.int64)  # onsets count within a run
    for r in np.intersect1d(run[split.train], run[split.test]):
        train, test = (part[(run[part] == r) & np.isfinite(start[part])] for part in (split.train, split.test))
        clash = _overlaps(start[train], end[train], start[test], end[test])
        if clash.any():
            raise SplitLeakError(
                f"{int(clash.sum())} test windows of {split.name} overlap training windows of the same run, the first at "
                f"{start[test[np.argmax(clash)]]:g} s: hold out whole runs, or blocks with a gap longer than the window"
            )


def _overlaps(
    train_start: NDArray[np.float64], train_end: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which windows [start, end) share a stretch with a training window, shape (n_test,)."""
    if not len(train_start):
        return np.zeros(len(start), bool)
    order = np.argsort(train_start, kind="stable")
    reach = np.maximum.accumulate(train_end[order])
    before = np.searchsorted(train_start[order], end - _SLACK) - 1  # last training window that begins before this one ends
    clash: NDArray[np.bool_] = (before >= 0) & (reach[np.maximum(before, 0)] > start + _SLACK)
    return clash


def _windows(responses: Responses) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and end of each sample's response in s; NaN where there is no onset."""
    onset = responses.samples["onset"].to_numpy(float)
    times = responses.times
    if times is not None:
        one_sample = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        return onset + times[0], onset + times[-1] + one_sample
    duration = responses.samples["duration"].to_numpy(float) if "duration" in responses.samples else 0.0
    return onset, onset + np.nan_to_num(duration)


def group_rows(n_samples: int, groups: ArrayLike | None = None) -> list[NDArray[np.int64]]:
    """Rows of each group, the groups in order of appearance.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    groups : array_like of shape (n_samples,), optional
        Group of each sample, e.g. its run; by default all are one.

    Returns
    -------
    list of array
        Increasing row numbers of each group.

    Raises
    ------
    DataError
        If there are no samples, or labels are not one per sample.
    """
    labels = np.zeros(n_samples, np.int64) if groups is None else np.asarray(groups)
    if n_samples < 1 or labels.shape != (n_samples,):
        raise DataError(f"groups must name the run of each of {n_samples} samples, at least one, got shape {labels.shape}")
    _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    return [np.flatnonzero(codes == code).astype(np.int64) for code in np.argsort(first)]
