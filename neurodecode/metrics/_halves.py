"""Correlation of random halves of repeats, corrected to all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError
from neurodecode.metrics._repeats import Floats, Repeats
from neurodecode.metrics.regression import pearson_r

_ROUNDING = 1 - 1e-15


def split_half(repeats: Repeats, groups: NDArray[np.int64] | None, n_splits: int, seed: int) -> Floats:
    """Reliability of the means over repeats; see `neurodecode.metrics.ceiling_split_half`.

    Parameters
    ----------
    repeats : Repeats
        Trials, at least one stimulus twice.
    groups : array of shape (n_rows,) or None
        Group of each trial as it stood in the data, from 0; whole groups make up the halves.
    n_splits : int
        Random halves.
    seed : int
        The same for all targets.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_targets,), 0 where halves do not correlate above 0.

    Raises
    ------
    DataError
        If fewer than three stimuli have trials in both halves.
    """
    rng, total, shares = np.random.default_rng(seed), np.zeros(repeats.trials.shape[1]), np.zeros((n_splits, 2))
    for k in range(n_splits):
        first = _random_half(repeats, rng) if groups is None else _random_groups(groups, rng)[repeats.rows]
        r, shares[k] = _half_correlation(repeats, first)
        total += np.arctanh(np.clip(r, -_ROUNDING, _ROUNDING))
    a, b = shares.mean(axis=0)
    r = np.maximum(np.tanh(total / n_splits), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = (np.sqrt((a + b) ** 2 - 4 * a * b * (1 - r**-2)) - (a + b)) / (2 * a * b)
    return np.where(r > 0, 1 / (1 + np.where(r > 0, noise, 0.0) * repeats.share), 0.0)


def _random_half(repeats: Repeats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Half of the trials of each stimulus, the smaller one where they are odd."""
    rank = np.empty(len(repeats.rows), np.int64)
    rank[np.lexsort((rng.random(len(rank)), repeats.stimulus))] = np.arange(len(rank))
    return np.asarray(rank - repeats.starts[repeats.stimulus] < (repeats.counts // 2)[repeats.stimulus])


def _random_groups(groups: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Trials of half of the groups."""
    n = int(groups.max()) + 1
    return np.asarray((rng.permutation(n) < n // 2)[groups])


def _half_correlation(repeats: Repeats, first: NDArray[np.bool_]) -> tuple[Floats, tuple[float, float]]:
    """Correlation of the means of two halves over the stimuli that both have, and the mean of 1 / n in each."""
    counts = [np.bincount(repeats.stimulus[side], minlength=len(repeats.counts)) for side in (first, ~first)]
    both = (counts[0] > 0) & (counts[1] > 0)
    if both.sum() < 3:
        raise DataError(
            f"{int(both.sum())} stimuli have trials in both halves, at least 3 are needed: repeat them, or leave groups away"
        )
    means = [_side_means(repeats, side, n)[both] for side, n in zip((first, ~first), counts, strict=True)]
    shares = [float(np.mean(1 / n[both])) for n in counts]
    return np.nan_to_num(pearson_r(*means)), (shares[0], shares[1])


def _side_means(repeats: Repeats, side: NDArray[np.bool_], counts: NDArray[np.int64]) -> Floats:
    from scipy.sparse import csr_array

    weights = 1 / np.maximum(counts, 1)[repeats.stimulus[side]]
    average = csr_array((weights, (repeats.stimulus[side], np.flatnonzero(side))), (len(counts), len(repeats.trials)))
    return np.asarray(average @ repeats.trials)
