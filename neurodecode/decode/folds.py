"""From labelled responses to a problem on arrays: features, target, folds, and what may be permuted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.responses import RUN_KEYS
from neurodecode.data.splits import Split, by_group, check_windows, contiguous_blocks
from neurodecode.errors import DataError

_MARGIN = {"bold": 10.0}  # s; how long the haemodynamic response outlasts its block
_OTHER_MARGIN = 2.0  # s; slow drifts and evoked tails of M/EEG and spikes


class Folds(NamedTuple):
    """How samples are divided."""

    splits: list[Split]
    """Training and test rows."""
    groups: NDArray[np.int64]
    """Group, or block, of each sample."""
    sentence: str
    """The division in words."""
    notes: list[str]
    """What the reader must know about it."""
    gap: float | None
    """Gap in s between blocks; None for whole groups."""


class Target(NamedTuple):
    """What is decoded."""

    y: NDArray[Any]
    """Class codes, or values."""
    classes: list[Any] | None
    """Classes in the order of the codes; None for regression."""

    @property
    def n_classes(self) -> int | None:
        """Number of classes; None for regression."""
        return None if self.classes is None else len(self.classes)


def usable_units(responses: Responses) -> NDArray[np.bool_]:
    """Mask of the units not marked bad; their data must be finite.

    Raises
    ------
    DataError
        If all are bad, or a used unit holds NaN, naming unit and sample.
    """
    keep = ~responses.units["bad"].to_numpy(bool) if "bad" in responses.units else np.ones(responses.n_units, bool)
    if not keep.any():
        raise DataError(f"all {responses.n_units} units are marked bad, nothing is left to decode from")
    for row in range(responses.n_samples):  # row by row: a memory map is not read whole
        wrong = ~np.isfinite(np.asarray(responses.data[row], float)).reshape(responses.n_units, -1).all(axis=1) & keep
        if wrong.any():
            name = responses.units["name"].iloc[int(np.argmax(wrong))]
            raise DataError(
                f"unit {name!r} holds NaN or infinite values in sample {row} ({int(wrong.sum())} units do in this sample): "
                "mark the unit bad, interpolate it, or leave the sample out"
            )
    return keep


def encode_target(responses: Responses, target: str, task: str) -> Target:
    """The target column as class codes or values.

    Raises
    ------
    DataError
        If the column is missing or has gaps, has fewer than two classes, or is no number in a regression.
    """
    table = responses.samples
    if target not in table:
        raise DataError(
            f"samples have no column {target!r}; they have {list(map(str, table.columns))}: pass one of them as target"
        )
    return encode_labels(table[target], target, task)


def encode_labels(labels: Any, name: str, task: str) -> Target:
    """Labels as class codes or values; see `encode_target`."""
    column = pd.Series(np.asarray(labels) if not isinstance(labels, pd.Series) else labels).reset_index(drop=True)
    gaps = np.flatnonzero(column.isna())
    if gaps.size:
        raise DataError(f"{name!r} has no value in {gaps.size} samples, the first is {gaps[0]}: select the samples that have one")
    if task == "regression":
        return Target(_values(column, name), None)
    classes = _sorted_classes(column)
    if len(classes) < 2:
        raise DataError(f"{name!r} needs at least two classes to tell apart, found {classes}: choose another target column")
    codes = {label: i for i, label in enumerate(classes)}
    return Target(column.map(codes).to_numpy(np.int64), classes)


def make_folds(responses: Responses, groups: str | Sequence[str], n_splits: int | None, gap: float | None) -> Folds:
    """Divide samples by whole groups, or a single run into contiguous blocks with a gap.

    Parameters
    ----------
    responses : Responses
        Samples to divide.
    groups : str or sequence of str
        Columns of `samples`. ``"run"`` is the unique (subject, session, run); where there is no such column, each
        (subject, session) counts as one run if samples have an onset.
    n_splits : int, optional
        Number of folds; by default one per group, or 5 blocks.
    gap : float, optional
        Least distance of onsets, in s, between training samples and a test block; by default the longest response window
        (or duration) plus 10 s for BOLD and plus 2 s otherwise. For single runs only.

    Returns
    -------
    Folds
        Checked for leaks.

    Raises
    ------
    DataError
        If there are too few groups, naming the columns that would do.
    SplitLeakError
        If a recording stands on both sides, or windows overlap across the border.
    """
    by = _existing_run_columns(responses.samples) if groups == "run" else groups
    if groups == "run" and (not by or int(responses.groups(by).max(initial=0)) == 0):
        return _blocks(responses, n_splits or 5, gap)
    if gap is not None:
        raise DataError(f"gap={gap} s applies to the blocks of a single run; here whole groups of {groups!r} are held out")
    _refuse_too_few(responses, by, n_splits)
    splits = by_group(responses, by, n_splits)
    codes = responses.groups(by)
    return Folds(splits, codes, _group_sentence(groups, len(splits), int(codes.max()) + 1), [], None)


def permutation_blocks(responses: Responses, folds: Folds, y: NDArray[Any]) -> tuple[NDArray[np.int64], bool, str]:
    """Blocks within which, or between which, labels are exchangeable.

    Labels are permuted among the samples of a run. Labels that belong to whole groups (the category of a stimulus that is
    held out, the diagnosis of a subject) move with the group.

    Returns
    -------
    blocks : array of shape (n_samples,)
        Block of each sample.
    between : bool
        Whether labels move with whole blocks.
    sentence : str
        The scheme in words.
    """
    columns = _existing_run_columns(responses.samples)
    runs = responses.groups(columns) if columns else np.zeros(len(y), np.int64)
    if folds.gap is None and _constant_within(y, folds.groups):
        return folds.groups, True, "labels permuted between held-out groups"
    if runs.max(initial=0) > 0 and _constant_within(y, runs):
        return runs, True, "labels permuted between runs"
    return runs, False, "labels permuted within runs"


def check_classes(target: Target, splits: list[Split], name: str, columns: list[str]) -> None:
    """Refuse folds whose training part lacks a class.

    Raises
    ------
    DataError
        Naming the class, the fold and the columns to choose from.
    """
    for split in splits:
        missing = np.setdiff1d(np.arange(len(target.classes or [])), target.y[split.train])
        if target.classes is not None and missing.size:
            raise DataError(
                f"class {target.classes[missing[0]]!r} of {name!r} is missing from the training part when {split.name} is held "
                f"out ({missing.size} of {len(target.classes)} classes are): hold out by another column (there are {columns}), "
                "leave the class out, or use task='regression' for a continuous target"
            )


def _existing_run_columns(table: pd.DataFrame) -> list[str]:
    """Columns that tell runs apart; a table without any run column holds one run per subject and session."""
    columns = [c for c in RUN_KEYS if c in table]
    if "run" not in table and "onset" not in table:
        raise DataError(
            f"samples have no column 'run' to hold out by and no 'onset' to cut blocks by; they have "
            f"{list(map(str, table.columns))}: pass one of them as groups"
        )
    return columns


def _blocks(responses: Responses, n_splits: int, gap: float | None) -> Folds:
    table = responses.samples
    if "onset" not in table or table["onset"].isna().any():
        raise DataError(
            "there is one run only, and cutting it into blocks needs an 'onset' in s for every sample; "
            + _alternatives(responses)
        )
    used = _default_gap(responses) if gap is None else float(gap)
    onset = table["onset"].to_numpy(float)
    order = np.argsort(onset, kind="stable")
    try:
        cut = contiguous_blocks(onset[order], n_splits, used)
    except DataError as error:
        raise DataError(f"{error}; there is one run only, {_alternatives(responses)}") from error
    splits = [Split(np.sort(order[s.train]), np.sort(order[s.test]), s.name) for s in cut]
    codes = np.zeros(len(table), np.int64)
    for k, split in enumerate(splits):
        check_windows(responses, split)
        codes[split.test] = k
    sentence = f"{len(splits)} contiguous blocks of a single run, each held out in turn, onsets within {used:g} s of it unused"
    note = f"single run: contiguous blocks with a gap of {used:g} s between onsets; runs of their own would be stronger evidence"
    return Folds(splits, codes, sentence, [note], used)


def _default_gap(responses: Responses) -> float:
    table, times = responses.samples, responses.times
    if times is not None:
        return float(times[-1] - times[0]) + _OTHER_MARGIN
    durations = table["duration"].to_numpy(float) if "duration" in table else np.zeros(1)
    margin = _MARGIN.get(str(responses.meta.get("modality", "bold")), _OTHER_MARGIN)
    return float(np.nan_to_num(durations).max(initial=0.0)) + margin


def _refuse_too_few(responses: Responses, groups: str | Sequence[str], n_splits: int | None) -> None:
    n_groups = int(responses.groups(groups).max(initial=-1)) + 1
    wanted = 2 if n_splits is None else n_splits
    if n_groups < max(wanted, 2) or wanted < 2:
        raise DataError(
            f"groups={groups!r} gives {n_groups} groups, at least {max(wanted, 2)} are needed; {_alternatives(responses)}"
        )


def _alternatives(responses: Responses) -> str:
    table = responses.samples
    options = [str(c) for c in table if 2 <= table[c].nunique() < len(table)]
    return f"columns with several groups: {options or 'none'}; or record more runs"


def _group_sentence(groups: str | Sequence[str], n_folds: int, n_groups: int) -> str:
    name = groups if isinstance(groups, str) else " and ".join(groups)
    if n_folds == n_groups:
        return f"leave-one-{name}-out over {n_groups} folds"
    return f"{n_folds} folds over {n_groups} groups by {name}, whole groups held out"


def _constant_within(y: NDArray[Any], groups: NDArray[np.int64]) -> bool:
    first = np.unique(groups, return_index=True)[1]
    return bool(np.array_equal(y[first][np.searchsorted(groups[first], groups)], y))


def _values(column: pd.Series, name: str) -> NDArray[np.float64]:
    try:
        values = pd.to_numeric(column).to_numpy(float)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name!r} must hold numbers for a regression ({error}); use task='classification' for labels") from error
    if not values.size:
        raise DataError(f"{name!r} holds no value to fit, got {values.size} samples: give at least two")
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        raise DataError(f"{name!r} must hold finite values that vary, got {values.min():g} to {values.max():g}")
    return values


def _sorted_classes(column: pd.Series) -> list[Any]:
    values = [v.item() if isinstance(v, np.generic) else v for v in pd.unique(column)]
    numbers = all(isinstance(v, (int, float)) for v in values)
    return sorted(values) if numbers else sorted(values, key=str)
