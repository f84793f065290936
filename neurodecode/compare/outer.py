"""What is held out: runs, stimuli, or contiguous blocks with a gap; and the warning where a split of one's own leaks."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.compare.inputs import Rows
from neurodecode.compare.rows import Aligned
from neurodecode.data.responses import Responses
from neurodecode.data.splits import Split
from neurodecode.data.validate import check_columns
from neurodecode.errors import DataError, LeakWarning, SplitLeakError
from neurodecode.linear.folds import DEFAULT_GAP, resolve_folds

HRF_LENGTH_S = 24.0  # until a response of BOLD and its undershoot are over
OTHER_LENGTH_S = 2.0  # evoked tails and slow drifts of M/EEG, iEEG and spikes
_FAST = ("eeg", "meg", "ieeg", "ecog", "seeg", "spikes")
_MOST_NEIGHBOURS = 0.2  # blocks of ten rows have at most this fraction beside a training row; shuffled folds have nearly all
_Codes = NDArray[np.int64]


class Outer(NamedTuple):
    """Folds on which a comparison is scored."""

    splits: list[Split]
    """Training and test rows; rows whose delays reach out of their run are in neither."""
    groups: _Codes | None
    """What is held out whole, per row: inner folds hold it out whole too. None for blocks of one run."""
    gap: int
    """Rows left out beside a block."""
    fold: _Codes
    """Fold that tests each row (the last one where several do), -1 for rows never tested."""
    segments: _Codes
    """Stretch of each row in which samples follow each other: its run within its test fold; -1 for rows never tested."""
    sentence: str
    """The split in words."""
    notes: list[str]
    """What the reader must know."""


def outer_folds(
    aligned: Aligned, brain: Responses, rows: Rows, *, groups: Any, cv: Any, gap: int | None, valid: NDArray[np.bool_], lag: int
) -> Outer:
    """Decide what is held out.

    Groups where they are given; else, for stimuli that come several times (or once, without runs or onsets), stimuli; else runs;
    else contiguous blocks of the one run, with a gap of at least the longest delay and the length of the haemodynamic response
    (24 s; 2 s for fast signals), and at least 20 rows where the rows are a series.

    Parameters
    ----------
    aligned : Aligned
        Rows.
    brain : Responses
        Responses that the rows came from.
    rows : Rows
        What a row is.
    groups : None, str or array
        Column of the brain's samples that is held out whole, or any array where `with_groups` has written it down.
    cv : None, int, splitter or iterable
        As in `neurodecode.linear.resolve_folds`.
    gap : int or None
        Rows left out beside a block.
    valid : array of bool of shape (n_rows,)
        Rows whose delays lie inside their run.
    lag : int
        Longest delay in rows.

    Returns
    -------
    Outer
        At least two folds.

    Raises
    ------
    DataError
        If there are too few groups or rows.
    SplitLeakError
        If a stimulus stands on both sides of a fold.

    Warns
    -----
    LeakWarning
        If folds of one's own put neighbours in time on both sides.
    """
    labels, what = _what_is_held_out(aligned, brain, rows, groups)
    wanted = _default_gap(brain, rows, lag) if gap is None else int(gap)
    splits = resolve_folds(aligned.targets.n_rows, labels, cv, wanted if rows.kind == "series" or gap is not None else None)
    own = cv is not None and not isinstance(cv, (int, np.integer))
    notes = _check_own(splits, aligned, rows) if own else []
    _refuse_shared_stimuli(splits, aligned)
    used = [Split(s.train[valid[s.train]], s.test[valid[s.test]], s.name) for s in splits]
    _refuse_empty(used)
    blocks = labels is None or len(np.unique(labels)) < 2
    fold = np.full(aligned.targets.n_rows, -1)
    for number, split in enumerate(used):
        fold[split.test] = number
    sentence = _sentence(len(splits), labels, what, "" if own else what, _gap_of(splits) if blocks else 0)
    return Outer(used, None if blocks else labels, wanted, fold, _segments(fold, aligned.runs), sentence, notes)


def inner_gap(outer: Outer, n_train: int) -> int:
    """Gap of the inner folds: that of the outer ones, but half a block at most, so that something is left to train on.

    Parameters
    ----------
    outer : Outer
        Outer folds.
    n_train : int
        Training rows.

    Returns
    -------
    int
        Rows.
    """
    return min(outer.gap, n_train // 10)


def _what_is_held_out(aligned: Aligned, brain: Responses, rows: Rows, groups: Any) -> tuple[_Codes | None, str]:
    """Label of each row and what it is called; None for blocks of one run."""
    table = brain.samples
    if groups is not None:
        return _given_groups(aligned, brain, groups)
    several_runs = "run" in table and aligned.runs.max(initial=0) > 0
    if rows.kind == "stimuli" and aligned.stimuli is not None:
        repeated = len(brain.samples["stimulus"].unique()) < len(table)
        if repeated or not (several_runs or "onset" in table):
            return aligned.stimuli, "stimuli"
    return (aligned.runs, "runs") if several_runs else (None, "blocks")


def _given_groups(aligned: Aligned, brain: Responses, groups: Any) -> tuple[_Codes, str]:
    """Groups of the user; all presentations of an averaged stimulus must lie in one."""
    column = groups if isinstance(groups, str) else "group"
    check_columns(brain.samples, [column], "samples of the brain")
    labels = brain.groups(column)
    targets = aligned.targets
    of_samples = labels[targets.order]
    of_rows = np.repeat(labels[aligned.first], targets.n_presentations)
    mixed = np.flatnonzero(of_samples != of_rows)
    if mixed.size:
        raise SplitLeakError(
            f"{mixed.size} presentations were averaged over several values of {column!r}, which cannot be held out then: pass "
            "repeats='keep', or hold out by stimulus (groups=None)"
        )
    return labels[aligned.first], f"values of {column!r}" if isinstance(groups, str) else "groups"


def _default_gap(brain: Responses, rows: Rows, lag: int) -> int:
    """Longest delay and length of a response in rows, and at least 20."""
    if rows.TR is None:
        return DEFAULT_GAP
    length = OTHER_LENGTH_S if str(brain.meta.get("modality", "bold")).lower() in _FAST else HRF_LENGTH_S
    return max(DEFAULT_GAP, lag + int(np.ceil(length / rows.TR)))


def _refuse_shared_stimuli(splits: list[Split], aligned: Aligned) -> None:
    if aligned.stimuli is None:
        return
    for split in splits:
        both = np.intersect1d(aligned.stimuli[split.train], aligned.stimuli[split.test])
        if both.size:
            raise SplitLeakError(
                f"{both.size} stimuli stand on both sides of {split.name}: average their repeats, or hold out by stimulus"
            )


def _refuse_empty(splits: list[Split]) -> None:
    for split in splits:
        if len(split.train) < 2 or len(split.test) < 2:
            raise DataError(
                f"{split.name} has {len(split.train)} training and {len(split.test)} test rows whose delays lie inside their "
                "run, two of each are needed: use fewer folds, or shorter delays"
            )


def _check_own(splits: list[Split], aligned: Aligned, rows: Rows) -> list[str]:
    """Warn where test rows have neighbours in time among the training rows."""
    if rows.kind == "stimuli":
        return []
    beside = max(_fraction_beside(split, aligned.runs) for split in splits)
    if beside <= _MOST_NEIGHBOURS:
        return []
    text = (
        f"{100 * beside:.0f} % of the test rows of a fold of your own have a training row right beside them in the same run: "
        "neighbours in time are alike whatever the features say, and the score is too high. Leave cv to its default"
    )
    warnings.warn(text, LeakWarning, stacklevel=5)
    return [text]


def _fraction_beside(split: Split, runs: _Codes) -> float:
    """Fraction of test rows with a training row before or after them in the same run."""
    training = np.zeros(len(runs) + 2, bool)
    training[split.train + 1] = True
    run = np.concatenate([[-1], runs, [-1]])
    here = split.test + 1
    beside = [training[here + side] & (run[here + side] == run[here]) for side in (-1, 1)]
    return float(np.mean(beside[0] | beside[1]))


def _segments(fold: _Codes, runs: _Codes) -> _Codes:
    code = np.unique(np.stack([fold, runs]), axis=1, return_inverse=True)[1].ravel()
    return np.where(fold < 0, -1, code).astype(np.int64)


def _gap_of(splits: list[Split]) -> int:
    """Rows that a block leaves unused on a side."""
    split = splits[len(splits) // 2]
    below = split.train[split.train < split.test.min()]
    return int(split.test.min() - below.max() - 1) if below.size else 0


def _sentence(n_folds: int, labels: _Codes | None, what: str, known: str, gap: int) -> str:
    inner = "penalties chosen on inner folds of the training part"
    if not known:
        return f"{n_folds} folds of the user's own; {inner}"
    if labels is None or len(np.unique(labels)) < 2:
        return f"{n_folds} contiguous blocks of a single run, each held out in turn, {gap} rows beside it unused; {inner}"
    n_groups = len(np.unique(labels))
    return f"{n_folds} folds over {n_groups} {what}, each held out whole; {inner}"
