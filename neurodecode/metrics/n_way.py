"""n-way top-k accuracy of a classifier on reconstructed images, with its true chance."""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError
from neurodecode.metrics._alike import as_pairs


class _Rivals(NamedTuple):
    """What stands against the best of the right classes of each image."""

    above: NDArray[np.int64]  # other classes with a greater logit
    n: int  # other classes


def n_way_chance(n: int = 50, k: int = 1, gt_top: int = 3) -> float:
    r"""Accuracy by n-way top-k of a classifier that knows nothing.

    :math:`1 - \binom{n - 1}{k} / \binom{n - 1 + m}{k}` for m right classes. It fails only if the k best of the m right and
    n - 1 other classes are all others. With m = 1 this is k / n; with m = 3 and k = 1 it is 3 / (n + 2): .75 of two and .058 of
    fifty classes, where published "2-way" accuracies are often read against .5.

    Parameters
    ----------
    n : int
        Classes that are compared, the right one included.
    k : int
        Places that count as right.
    gt_top : int
        Right classes m: those that the classifier puts first for the true image.

    Returns
    -------
    float
        Chance level; the best value of the accuracy is 1.

    Raises
    ------
    DataError
        Unless 1 <= k < n and gt_top >= 1.
    """
    if not 1 <= k < n or gt_top < 1:
        raise DataError(f"n-way top-k needs 1 <= k < n and gt_top >= 1, got n={n}, k={k}, gt_top={gt_top}")
    return 1 - comb(n - 1, k) / comb(n - 1 + gt_top, k)


def n_way_top_k(
    true_logits: ArrayLike,
    reconstructed_logits: ArrayLike,
    n: int = 50,
    k: int = 1,
    gt_top: int = 3,
    random_state: int | np.random.Generator = 0,
    *,
    n_trials: int | None = None,
) -> NDArray[np.float64]:
    """Probability that the class of an image is among the top k of n classes for its reconstruction, per image.

    The right classes are the `gt_top` best of the true image. n - 1 of the other classes are drawn; the image counts if any
    right class is among the top k of itself and those drawn (``gt_top=3``, Chen et al. 2023; ``gt_top=1``: the plain n-way
    top-k). Published code repeats the draw some 50 to 1000 times. The number of drawn classes above the best right one is
    hypergeometric, so by default the mean over all draws is given exactly.

    Best 1. Chance is that of `n_way_chance`, 3 / (n + 2) for three right classes and k = 1 (.058 by default): not 1 / n. A
    classifier that prefers some classes has another chance, the score of shuffled pairs, which `image_report` measures.

    Parameters
    ----------
    true_logits, reconstructed_logits : array_like of shape (n_images, n_classes)
        Logits or probabilities in one order.
    n : int
        Classes that are compared, the right one included.
    k : int
        Places that count as right.
    gt_top : int
        Right classes per image.
    random_state : int or Generator
        Seed of the draws, and of the order of classes with equal logits.
    n_trials : int, optional
        Draws per image, as published; by default all of them, exactly.

    Returns
    -------
    array of shape (n_images,)
        One probability per image; the mean over images is what is published.

    Raises
    ------
    DataError
        If shapes differ, a logit is NaN, there are fewer classes than needed, or a number is out of range.

    References
    ----------
    Chen, Qing and Zhou (2023), Cinematic mindscapes: high-quality video reconstruction from brain activity.
    """
    true, made = as_pairs(true_logits, reconstructed_logits, ("true_logits", "reconstructed_logits"))
    n_way_chance(n, k, gt_top)
    if true.shape[1] < n - 1 + gt_top:
        raise DataError(f"{n}-way needs {n - 1 + gt_top} classes, {gt_top} of them right, got logits of {true.shape[1]}")
    if n_trials is not None and n_trials < 1:
        raise DataError(f"n_trials must be at least 1, or None for all draws, got {n_trials}")
    rng = np.random.default_rng(random_state)
    rivals = _rivals(true, made, gt_top, rng)
    if n_trials is not None:
        drawn = rng.hypergeometric(rivals.above, rivals.n - rivals.above, n - 1, size=(n_trials, len(true)))
        return np.asarray((drawn < k).mean(axis=0), np.float64)
    from scipy.stats import hypergeom

    return np.asarray(hypergeom.cdf(k - 1, rivals.n, rivals.above, n - 1), np.float64)


def _rivals(true: NDArray[np.generic], made: NDArray[np.generic], gt_top: int, rng: np.random.Generator) -> _Rivals:
    """Count the other classes above the best right one; equal ones stand in random order."""
    right = np.argsort(-true.astype(np.float64), axis=1, kind="stable")[:, :gt_top]
    is_right = np.zeros(true.shape, np.bool_)
    np.put_along_axis(is_right, right, True, axis=1)
    best = np.take_along_axis(made, right, axis=1).max(axis=1, keepdims=True)
    place = rng.random(true.shape)
    drawn = made == best
    own = np.where(drawn & is_right, place, 0.0).max(axis=1, keepdims=True)
    above = ((made > best) | (drawn & (place > own))) & ~is_right
    return _Rivals(above.sum(axis=1), true.shape[1] - gt_top)
