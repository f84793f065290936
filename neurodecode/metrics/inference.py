"""How surprising a score is: permutations, p values, intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError

_TIE = 1e-10  # scores that differ by less are equal but for rounding


def permutation_p_value(score: float, null: ArrayLike) -> float:
    """Probability of a score at least this high if labels mean nothing.

    ``(1 + number of null scores >= score) / (1 + n)`` (Phipson and Smyth, 2010). Best 1 / (1 + n); uniform at chance.

    Parameters
    ----------
    score : float
        The score found, higher is better.
    null : array_like of shape (n_permutations,)
        Scores under permuted labels.

    Returns
    -------
    float
        Never 0.

    Raises
    ------
    DataError
        If there is no permutation or a score is NaN.
    """
    return float(maximum_statistic_p_values([score], np.asarray(null, float).reshape(-1, 1))[0])


def maximum_statistic_p_values(scores: ArrayLike, null: ArrayLike) -> NDArray[np.float64]:
    """P values corrected for testing many scores at once.

    Each score is held against the largest score of each permutation (Nichols and Holmes, 2002), which controls the
    probability of any false positive among all scores. Best 1 / (1 + n_permutations).

    Parameters
    ----------
    scores : array_like of shape (n_scores,)
        The scores found, higher is better.
    null : array_like of shape (n_permutations, n_scores)
        Scores under permuted labels.

    Returns
    -------
    array of shape (n_scores,)
        Corrected p values.

    Raises
    ------
    DataError
        If shapes do not fit, there is no permutation, or a score is NaN.
    """
    found, permuted = np.asarray(scores, float), np.asarray(null, float)
    if found.ndim != 1 or permuted.ndim != 2 or not len(permuted) or permuted.shape[1] != len(found) or not len(found):
        raise DataError(f"scores must be (n,) and null (n_permutations, n), got shapes {found.shape} and {permuted.shape}")
    if np.isnan(found).any() or np.isnan(permuted).any():
        n_missing = int(np.isnan(found).sum()), int(np.isnan(permuted).sum())
        raise DataError(f"{n_missing[0]} scores and {n_missing[1]} null scores are NaN: leave those columns out")
    largest = np.sort(permuted.max(axis=1))
    reached = len(largest) - np.searchsorted(largest, found - _TIE, side="left")
    return np.asarray((1.0 + reached) / (1.0 + len(largest)), np.float64)


def within_group_permutation(labels: ArrayLike, groups: ArrayLike, rng: np.random.Generator) -> NDArray[Any]:
    """Shuffle labels among the samples of each group.

    The numbers of each label in each group stay as they are, and so does whatever differs between groups.

    Parameters
    ----------
    labels : array_like of shape (n_samples, ...)
        Labels; further axes move together.
    groups : array_like of shape (n_samples,)
        Group of each sample, e.g. its run.
    rng : Generator
        Source of the random order.

    Returns
    -------
    array
        Shuffled copy of `labels`.

    Raises
    ------
    DataError
        If lengths differ.
    """
    values, codes = _labels_and_groups(labels, groups)
    place = np.argsort(codes, kind="stable")
    drawn = np.lexsort((rng.random(len(codes)), codes))
    shuffled = np.empty_like(values)
    shuffled[place] = values[drawn]
    return shuffled


def between_group_permutation(labels: ArrayLike, groups: ArrayLike, rng: np.random.Generator) -> NDArray[Any]:
    """Shuffle labels among whole groups, for labels that belong to groups and not to samples (a stimulus, a subject).

    Parameters
    ----------
    labels : array_like of shape (n_samples, ...)
        Labels, the same for all samples of a group.
    groups : array_like of shape (n_samples,)
        Group of each sample.
    rng : Generator
        Source of the random order.

    Returns
    -------
    array
        Copy of `labels` in which each group has the label of another.

    Raises
    ------
    DataError
        If lengths differ or labels vary within a group.
    """
    values, codes = _labels_and_groups(labels, groups)
    first = np.unique(codes, return_index=True)[1]
    vary = np.flatnonzero(np.any(np.atleast_2d((values[first][codes] != values).T), axis=0))
    if vary.size:
        raise DataError(f"labels vary within the group of sample {vary[0]}: shuffle them within groups instead")
    return np.asarray(values[first][rng.permutation(len(first))][codes])


def fold_confidence_interval(fold_scores: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Student t interval of the mean over folds.

    It says how well the folds agree, treating them as independent draws. They are not: training parts overlap, so the
    interval is too narrow for a statement about new runs or subjects, and it does not test against chance (use
    `permutation_p_value`). It may reach beyond the range of the metric.

    Parameters
    ----------
    fold_scores : array_like of shape (n_folds,)
        Score of each fold; NaN folds are left out.
    level : float
        Coverage under independence, between 0 and 1.

    Returns
    -------
    tuple of float
        Lower and upper end; NaN if fewer than two folds have a score.

    Raises
    ------
    DataError
        If the level is not between 0 and 1.
    """
    from scipy.stats import t

    if not 0 < level < 1:
        raise DataError(f"level must lie between 0 and 1, got {level}")
    scores = np.asarray(fold_scores, float)
    scores = scores[np.isfinite(scores)]
    if len(scores) < 2:
        return float("nan"), float("nan")
    half = float(t.ppf((1 + level) / 2, len(scores) - 1)) * float(scores.std(ddof=1)) / np.sqrt(len(scores))
    return float(scores.mean() - half), float(scores.mean() + half)


def _labels_and_groups(labels: ArrayLike, groups: ArrayLike) -> tuple[NDArray[Any], NDArray[np.int64]]:
    values, members = np.asarray(labels), np.asarray(groups)
    if members.ndim != 1 or len(values) != len(members):
        raise DataError(f"labels and groups must have one length, got shapes {values.shape} and {members.shape}")
    return values, np.unique(members, return_inverse=True)[1].astype(np.int64)
