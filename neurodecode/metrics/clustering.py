"""Agreement of groupings and of factorisations: adjusted Rand index, mutual information, factor match score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

Floats = NDArray[np.float64]


class FactorMatch(NamedTuple):
    """Which component of one factorisation goes with which of another."""

    score: float
    """Mean similarity of the matched components: the factor match score."""
    first: NDArray[np.intp]
    """Matched components of the first factorisation, shape (n_matched,), increasing."""
    second: NDArray[np.intp]
    """Their partners in the second one, shape (n_matched,)."""
    similarity: NDArray[np.float64]
    """Similarity of each matched pair, shape (n_matched,)."""


def adjusted_rand_index(true: ArrayLike, predicted: ArrayLike) -> float:
    r"""Agreement of two groupings: pairs that are together in both, above what random groupings of these sizes share.

    .. math:: \mathrm{ARI} = \frac{\sum_{kl} \binom{n_{kl}}{2} - E}{\tfrac12 (A + B) - E}, \qquad E = A B / \tbinom n2

    with :math:`n_{kl}` items in group k of one and l of the other, and A and B the pairs within groups of each (Hubert and
    Arabie 1985, Journal of Classification 2:193). Chance 0, best 1; names of groups do not count.

    Parameters
    ----------
    true, predicted : array_like of shape (n_items,)
        Group of each item.

    Returns
    -------
    float
        From -0.5 to 1.

    Raises
    ------
    DataError
        If the two differ in length or are empty.
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(*_groupings(true, predicted)))


def normalized_mutual_information(true: ArrayLike, predicted: ArrayLike) -> float:
    r"""Information that two groupings share, as a share of their mean entropy.

    .. math:: \mathrm{NMI} = 2\, I(a, b) / (H(a) + H(b))

    Best 1. Chance is above 0 and grows with the number of groups: many small groups look alike. Read it beside its chance
    level, `mutual_information_chance`, and beside `adjusted_rand_index`.

    Parameters
    ----------
    true, predicted : array_like of shape (n_items,)
        Group of each item.

    Returns
    -------
    float
        From 0 to 1; 1 where both have one group only.

    Raises
    ------
    DataError
        If the two differ in length or are empty.
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(*_groupings(true, predicted)))


def mutual_information_chance(true: ArrayLike, predicted: ArrayLike) -> float:
    """Chance level of the normalised mutual information: its exact mean over all permutations of one grouping.

    Vinh, Epps and Bailey (2010), Journal of Machine Learning Research 11:2837.

    Parameters
    ----------
    true, predicted : array_like of shape (n_items,)
        Group of each item; the sizes of the groups are what counts.

    Returns
    -------
    float
        From 0 to 1; the best value of the score is 1.

    Raises
    ------
    DataError
        If the two differ in length or are empty.
    """
    from scipy.stats import entropy
    from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

    a, b = _groupings(true, predicted)
    mean_entropy = (entropy(np.bincount(a)) + entropy(np.bincount(b))) / 2
    if mean_entropy == 0:
        return 1.0
    return float(expected_mutual_information(contingency_matrix(a, b, sparse=True), len(a)) / mean_entropy)


def factor_match_score(true: Any, estimated: Any, *, protocol: Literal["product", "mean"] = "product") -> float:
    r"""Similarity of two factorisations of a tensor, their components matched one to one.

    .. math:: \mathrm{FMS} = \max_\pi \frac1R \sum_r \prod_n |\cos(A^{(n)}_r, B^{(n)}_{\pi(r)})|

    Best 1. Non-negative factors have positive cosines by construction, so chance is above 0: see `factor_match_chance`. With
    ``protocol="mean"`` the mean over modes n takes the place of the product; it is more lenient. Scale of factors and weights
    do not count. Where ranks differ, components without a partner do not count either.

    Parameters
    ----------
    true, estimated : sequence of array_like of shape (dim, rank), or factorisation
        One matrix of factors per mode, or anything that holds them as ``factors`` (`NTF`, tensorly's ``CPTensor``).
    protocol : {"product", "mean"}
        How the cosines of the modes are combined.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    DataError
        If the two have other numbers of modes or rows, or one has no component.
    """
    return match_factors(true, estimated, protocol=protocol).score


def match_factors(true: Any, estimated: Any, *, protocol: Literal["product", "mean"] = "product") -> FactorMatch:
    """Match the components of two factorisations one to one, so that the sum of similarities is largest.

    Parameters
    ----------
    true, estimated : sequence of array_like of shape (dim, rank), or factorisation
        As in `factor_match_score`.
    protocol : {"product", "mean"}
        As in `factor_match_score`.

    Returns
    -------
    FactorMatch
        Score (chance: `factor_match_chance`, best 1) and partners.

    Raises
    ------
    DataError
        As in `factor_match_score`.
    """
    check_option("protocol", protocol, ("product", "mean"))
    return _matched(*_directions(true, estimated), protocol)


def factor_match_chance(
    true: Any,
    estimated: Any,
    *,
    protocol: Literal["product", "mean"] = "product",
    n_shuffles: int = 100,
    random_state: int | np.random.Generator = 0,
) -> float:
    """Chance level of the factor match score: its mean when the rows of each factor are shuffled.

    Parameters
    ----------
    true, estimated : sequence of array_like of shape (dim, rank), or factorisation
        As in `factor_match_score`; each column of the second is shuffled, mode by mode.
    protocol : {"product", "mean"}
        As in `factor_match_score`.
    n_shuffles : int
        Shuffles.
    random_state : int or Generator
        Seed.

    Returns
    -------
    float
        From 0 to 1; the best value of the score is 1.

    Raises
    ------
    DataError
        As in `factor_match_score`, or if there is no shuffle.
    """
    check_option("protocol", protocol, ("product", "mean"))
    if n_shuffles < 1:
        raise DataError(f"n_shuffles must be at least 1, got {n_shuffles}")
    rng, (a, b) = np.random.default_rng(random_state), _directions(true, estimated)
    shuffles = ([rng.permuted(mode, axis=0) for mode in b] for _ in range(n_shuffles))
    return float(np.mean([_matched(a, shuffled, protocol).score for shuffled in shuffles]))


def _matched(a: list[Floats], b: list[Floats], protocol: str) -> FactorMatch:
    from scipy.optimize import linear_sum_assignment

    cosines = np.stack([np.abs(x.T @ y) for x, y in zip(a, b, strict=True)])
    alike = cosines.prod(axis=0) if protocol == "product" else cosines.mean(axis=0)
    first, second = linear_sum_assignment(alike, maximize=True)
    return FactorMatch(float(alike[first, second].mean()), first, second, alike[first, second])


def _directions(true: Any, estimated: Any) -> tuple[list[Floats], list[Floats]]:
    """Columns of unit norm of both sides, checked against each other."""
    a, b = (_unit_columns(getattr(side, "factors", side)) for side in (true, estimated))
    rows = [[len(mode) for mode in side] for side in (a, b)]
    if not a or rows[0] != rows[1]:
        raise DataError(f"factors must have the same modes of the same length, got modes of {rows[0]} and {rows[1]} rows")
    return a, b


def _unit_columns(factors: Sequence[ArrayLike]) -> list[Floats]:
    """One float64 matrix per mode; a column without any entry stays 0 and is like nothing."""
    modes = [np.asarray(mode, np.float64) for mode in factors]
    shapes = [mode.shape for mode in modes]
    if any(len(shape) != 2 or shape[1] != shapes[0][1] or not all(shape) for shape in shapes):
        raise DataError(f"factors must be one matrix (dim, rank) per mode with one rank, got shapes {shapes}")
    if not all(np.isfinite(mode).all() for mode in modes):
        raise DataError(f"factors must be finite, got NaN or infinite values in shapes {shapes}")
    norms = [np.linalg.norm(mode, axis=0) for mode in modes]
    return [mode / np.where(norm > 0, norm, 1.0) for mode, norm in zip(modes, norms, strict=True)]


def _groupings(true: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Groups by number, whatever they were called."""
    a, b = np.asarray(true), np.asarray(predicted)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise DataError(f"groupings must be two arrays (n_items,) of the same items, got shapes {a.shape} and {b.shape}")
    return np.unique(a, return_inverse=True)[1], np.unique(b, return_inverse=True)[1]
