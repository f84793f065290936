"""Folds on which a penalty is chosen: whole runs, or contiguous blocks with a gap; never shuffled samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.splits import Split, contiguous_blocks
from neurodecode.data.validate import check_index
from neurodecode.errors import DataError, SplitLeakError

MOST_FOLDS = 5
DEFAULT_GAP = 20  # samples; at 1.5 to 2 s per scan as long as the response to a stimulus and the noise of BOLD


def resolve_folds(n_samples: int, groups: ArrayLike | None = None, cv: Any = None, gap: int | None = None) -> list[Split]:
    """Folds of time-ordered samples.

    Two or more groups (runs, stories, stimuli) are held out whole, dealt out in order of appearance. A single run is cut into
    contiguous blocks; samples nearer than `gap` to a block are left out of its training part on both sides.

    Parameters
    ----------
    n_samples : int
        Number of samples, in temporal order.
    groups : array_like of shape (n_samples,), optional
        Run of each sample.
    cv : int, splitter or iterable of (train, test), optional
        Number of folds, by default 5 (or one per group where there are fewer groups); a scikit-learn splitter; or pairs of rows
        or masks of your own, taken as they are.
    gap : int, optional
        Samples left out on both sides of a block, by default 20, or half a block where blocks are shorter than 40
        (``n_samples // (2 * n_folds)``). Whole groups need none.

    Returns
    -------
    list of Split
        The folds.

    Raises
    ------
    DataError
        If there are too few samples or groups, or a gap leaves nothing to train on.
    SplitLeakError
        If a sample stands on both sides of a fold of your own.
    """
    labels = None if groups is None else _check_groups(groups, n_samples)
    if cv is not None and not isinstance(cv, (int, np.integer)):
        return _own_folds(cv, n_samples, labels)
    n_groups = 0 if labels is None else int(labels.max()) + 1
    if labels is not None and n_groups > 1:
        return _group_folds(labels, n_groups, min(MOST_FOLDS, n_groups) if cv is None else int(cv))
    n_folds = MOST_FOLDS if cv is None else int(cv)
    if not 2 <= n_folds <= n_samples:
        raise DataError(f"{n_folds} blocks need at least two blocks and one sample in each, got {n_samples} samples")
    wanted = min(DEFAULT_GAP, n_samples // (2 * n_folds)) if gap is None else int(gap)
    return contiguous_blocks(np.arange(n_samples), n_folds, float(wanted))


def _check_groups(groups: ArrayLike, n_samples: int) -> NDArray[np.int64]:
    """Groups as numbers in order of appearance."""
    names = np.asarray(groups)
    if names.shape != (n_samples,):
        raise DataError(f"groups must name the run of each of the {n_samples} samples, got shape {names.shape}")
    _, first, codes = np.unique(names, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[codes].astype(np.int64)


def _group_folds(labels: NDArray[np.int64], n_groups: int, n_folds: int) -> list[Split]:
    if not 2 <= n_folds <= n_groups:
        raise DataError(f"{n_folds} folds over runs need at least two folds and as many runs, found {n_groups} runs")
    fold = labels % n_folds
    return [Split(np.flatnonzero(fold != f), np.flatnonzero(fold == f), f"fold={f}") for f in range(n_folds)]


def _own_folds(cv: Any, n_samples: int, labels: NDArray[np.int64] | None) -> list[Split]:
    """Folds of a splitter or of pairs, checked."""
    pairs: Iterable[Any] = _pairs_of_splitter(cv, n_samples, labels) if hasattr(cv, "split") else cv
    splits = []
    for number, (train, test, *name) in enumerate(pairs):
        left, right = (check_index(rows, n_samples, side).astype(np.int64) for rows, side in ((train, "train"), (test, "test")))
        both = np.intersect1d(left, right)
        if both.size:
            raise SplitLeakError(f"{both.size} samples stand on both sides of fold {number}, the first is row {both[0]}")
        if not min(len(left), len(right)):
            raise DataError(f"fold {number} has {len(left)} samples to train on and {len(right)} to test on: give both")
        splits.append(Split(left, right, name[0] if name else f"fold={number}"))
    if not splits:
        raise DataError(f"cv gave no fold for {n_samples} samples: give pairs of rows to train and test on")
    return splits


def _pairs_of_splitter(splitter: Any, n_samples: int, labels: NDArray[np.int64] | None) -> list[Any]:
    """Pairs of a scikit-learn splitter; one that makes no use of groups is not given any, for it would warn."""
    rows = np.zeros((n_samples, 1))
    try:
        return list(splitter.split(rows))
    except ValueError:  # it needs groups, or the rows do not suffice: the second call says which
        return list(splitter.split(rows, groups=labels))
