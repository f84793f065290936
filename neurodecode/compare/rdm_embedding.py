"""RDMs as points whose inner product is their similarity, so that many comparisons are one matrix product."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.compare.rdm_design import Floats
from neurodecode.errors import DataError

Measure = Literal["spearman", "rho_a", "tau_a", "pearson", "cosine", "whitened_cosine", "whitened_correlation"]
MEASURES = ("spearman", "rho_a", "tau_a", "pearson", "cosine", "whitened_cosine", "whitened_correlation")
RANKED = ("spearman", "rho_a", "tau_a")
CENTRED = ("spearman", "rho_a", "pearson", "whitened_correlation")
_ROUNDING = 1e-10  # relative difference of d_ij and d_ji that rounding can leave
_FLAT = 1e-12  # spread of an RDM, relative to its size, below which all its entries are equal


def as_rdms(rdms: ArrayLike, name: str) -> Floats:
    """RDMs as a stack.

    Parameters
    ----------
    rdms : array_like of shape (n_conditions, n_conditions) or (n_rdms, n_conditions, n_conditions)
        One RDM or several. NaN marks missing pairs; the diagonal is not looked at.
    name : str
        What they are, for the message.

    Returns
    -------
    array of shape (n_rdms, n_conditions, n_conditions)
        Float64, with a diagonal of 0.

    Raises
    ------
    DataError
        If they are not square, not symmetric, infinite, or of fewer than three conditions.
    """
    values = np.array(rdms, np.float64)
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3 or not len(values) or values.shape[1] != values.shape[2] or values.shape[1] < 3:
        raise DataError(
            f"{name} must be (n_conditions, n_conditions) or a stack of such matrices, of at least three conditions, "
            f"got shape {np.shape(rdms)}"
        )
    values[:, np.arange(values.shape[1]), np.arange(values.shape[1])] = 0
    if np.isinf(values).any():
        raise DataError(f"{name} hold {int(np.isinf(values).sum())} infinite values: mark missing pairs by NaN")
    _check_symmetric(values, name)
    return values


def _check_symmetric(values: Floats, name: str) -> None:
    """Refuse what differs from its mirror image, missing entries included."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    difference = float(np.abs(filled - filled.transpose(0, 2, 1)).max())
    if difference > _ROUNDING * float(np.abs(filled).max()) or (known != known.transpose(0, 2, 1)).any():
        raise DataError(
            f"{name} must be symmetric, entries differ from their mirror image by up to {difference:g} (or are missing on one "
            "side only): average both halves if that is meant"
        )


def shared_pairs(missing: Literal["raise", "drop"], *stacks: Floats) -> NDArray[np.bool_]:
    """Pairs of conditions that every RDM has.

    Parameters
    ----------
    missing : {"raise", "drop"}
        Whether a missing pair is refused, or left out of all RDMs.
    *stacks : array of shape (n_rdms, n_conditions, n_conditions)
        RDMs of the same conditions.

    Returns
    -------
    array of bool of shape (n_conditions, n_conditions)
        Symmetric, False on the diagonal.

    Raises
    ------
    DataError
        If numbers of conditions differ, a pair is missing and that is refused, or fewer than three pairs are left.
    """
    sizes = {stack.shape[1] for stack in stacks}
    if len(sizes) > 1:
        raise DataError(f"RDMs must be of the same conditions in the same order, got {sorted(sizes)} conditions")
    kept: NDArray[np.bool_] = np.all([np.isfinite(stack).all(axis=0) for stack in stacks], axis=0)
    n_missing = (kept.size - int(kept.sum())) // 2
    if n_missing and missing == "raise":
        row, column = np.argwhere(~kept)[0]
        raise DataError(
            f"{n_missing} pairs of conditions are missing in some RDM, the first is {row} and {column}: pass missing='drop' to "
            "leave them out of all"
        )
    np.fill_diagonal(kept, False)
    if kept.sum() < 6:
        raise DataError(f"only {int(kept.sum()) // 2} pairs of conditions are in all RDMs, at least three are needed")
    return kept


def pair_values(rdms: Floats, kept: NDArray[np.bool_]) -> Floats:
    """Entries of the pairs that are kept, each once.

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_conditions, n_conditions)
        RDMs.
    kept : array of bool of shape (n_conditions, n_conditions)
        From `shared_pairs`.

    Returns
    -------
    array of shape (n_rdms, n_pairs)
        Row by row of the upper triangle.
    """
    return rdms[:, np.triu(kept, 1)]


def embed(rdms: Floats, measure: str, kept: NDArray[np.bool_], sigma: Floats | None = None, *, normed: bool = True) -> Floats:
    """Bring RDMs to the space in which their similarity is an inner product.

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_conditions, n_conditions)
        RDMs.
    measure : str
        Any of `MEASURES` but ``"tau_a"``.
    kept : array of bool of shape (n_conditions, n_conditions)
        Pairs that count.
    sigma : array of shape (n_conditions,) or (n_conditions, n_conditions), optional
        Covariance of the pattern estimates, for the whitened measures.
    normed : bool
        Scale each to length 1, but for ``"rho_a"``, whose scale does not depend on the RDM.

    Returns
    -------
    array of shape (n_rdms, n_pairs) or, of whitened measures, (n_rdms, n_conditions^2)
        Points. NaN where an RDM has no spread.
    """
    values = pair_values(rdms, kept)
    n = values.shape[1]
    if measure in RANKED:
        values = ranks(values)
    size = np.linalg.norm(values, axis=1)
    if measure in CENTRED:
        values = values - values.mean(axis=1, keepdims=True)
    flat = np.linalg.norm(values, axis=1) <= _FLAT * size
    points = _whitened(as_squares(values, kept), kept, sigma) if measure.startswith("whitened") else values
    if measure == "rho_a":
        scale = np.full(len(values), np.sqrt((n**3 - n) / 12))
    else:
        scale = np.linalg.norm(points, axis=1) if normed else np.ones(len(values))
    return np.asarray(points / np.where(flat, np.nan, scale)[:, None], np.float64)


def squares_of_points(points: Floats, measure: str, kept: NDArray[np.bool_]) -> Floats:
    """Lay points out so that conditions can be shuffled; without a covariance of conditions, both may be done in any order.

    Parameters
    ----------
    points : array of shape (n_rdms, n_pairs or n_conditions^2)
        From `embed` without `sigma`.
    measure : str
        Their measure.
    kept : array of bool of shape (n_conditions, n_conditions)
        Pairs that count: all.

    Returns
    -------
    array of shape (n_rdms, n_conditions, n_conditions)
        Symmetric; the sum of products of two of them is their similarity.
    """
    if measure.startswith("whitened"):
        return np.asarray(points.reshape(len(points), *kept.shape), np.float64)
    return np.asarray(as_squares(points, kept) / np.sqrt(2), np.float64)


def ranks(values: Floats) -> Floats:
    """Rank the entries of each RDM.

    Parameters
    ----------
    values : array of shape (n_rdms, n_pairs)
        Entries.

    Returns
    -------
    array of shape (n_rdms, n_pairs)
        Ranks from 1; ties share their mean.
    """
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=1), np.float64)


def as_squares(values: Floats, kept: NDArray[np.bool_]) -> Floats:
    """Put entries of pairs into symmetric matrices.

    Parameters
    ----------
    values : array of shape (n_rdms, n_pairs)
        From `pair_values`.
    kept : array of bool of shape (n_conditions, n_conditions)
        Pairs they belong to.

    Returns
    -------
    array of shape (n_rdms, n_conditions, n_conditions)
        Matrices, 0 elsewhere.
    """
    squares = np.zeros((len(values), *kept.shape))
    squares[:, np.triu(kept, 1)] = values
    return squares + squares.transpose(0, 2, 1)


def _whitened(squares: Floats, kept: NDArray[np.bool_], sigma: Floats | None) -> Floats:
    """Whiten by the covariance of the entries without ever forming it.

    Errors of the entries d_ij have covariance V with V[ij, kl] = ((e_i - e_j)^T Sigma (e_k - e_l))^2, up to a factor. As a map,
    V x = distances of Sigma L(x) Sigma with L(x) the graph Laplacian of x; both steps are one to one, so V^-1 is known in
    closed form: with B = P - P 1 1^T P / (1^T P 1) and P the inverse of Sigma, a^T V^-1 b = tr(A B C B) / 4 for the matrices A, C
    of a, b. A root R of B makes that the inner product of R A R^T / 2 and R C R^T / 2.
    """
    lost = ~kept
    np.fill_diagonal(lost, False)
    inner = _inner_matrix(len(kept), sigma) if sigma is not None or lost.any() else None
    if lost.any():
        squares = _filled(squares, lost, np.asarray(inner))
    if sigma is None:  # B takes the mean off rows and columns, and is its own root
        squares = squares - squares.mean(axis=1, keepdims=True)
        points = squares - squares.mean(axis=2, keepdims=True)
    else:
        weights, axes = np.linalg.eigh(np.asarray(inner))
        root = axes * np.sqrt(np.maximum(weights, 0))
        points = root.T @ squares @ root
    return np.asarray(points.reshape(len(points), -1) / 2, np.float64)


def _inner_matrix(n: int, sigma: Floats | None) -> Floats:
    precision = np.eye(n) if sigma is None else np.linalg.inv(np.diag(sigma) if sigma.ndim == 1 else sigma)
    total = precision.sum(axis=1)
    return np.asarray(precision - np.outer(total, total) / total.sum(), np.float64)


def _filled(squares: Floats, lost: NDArray[np.bool_], inner: Floats) -> Floats:
    """Fill missing pairs with their best prediction from the others: V of the pairs that are there is then inverted exactly.

    Minimises tr(D B D B) over the missing entries; of pairs ij and kl its curvature is b_ik b_jl + b_il b_jk.
    """
    i, j = np.nonzero(np.triu(lost, 1))
    curvature = inner[np.ix_(i, i)] * inner[np.ix_(j, j)] + inner[np.ix_(i, j)] * inner[np.ix_(j, i)]
    slope = (inner @ squares @ inner)[:, i, j]
    found = np.linalg.solve(curvature, -slope.T).T
    filled = squares.copy()
    filled[:, i, j] = found
    filled[:, j, i] = found
    return filled


def tau_a(a: Floats, b: Floats) -> Floats:
    """Kendall's tau-a of all pairs of vectors, in O(n log n) each.

    Scipy divides by the pairs of entries that are tied in neither vector (tau-b); tau-a divides by all of them.

    Parameters
    ----------
    a : array of shape (n_a, n_values)
        Vectors.
    b : array of shape (n_b, n_values)
        Vectors.

    Returns
    -------
    array of shape (n_a, n_b)
        (concordant - discordant) / all pairs of entries; NaN where a vector does not vary.
    """
    from scipy.stats import kendalltau

    shares = [np.array([_untied(row) for row in side]) for side in (a, b)]
    found = np.full((len(a), len(b)), np.nan)
    for i, j in zip(*np.nonzero(np.outer(*shares)), strict=True):
        found[i, j] = kendalltau(a[i], b[j], method="asymptotic").statistic * np.sqrt(shares[0][i] * shares[1][j])
    return found


def _untied(values: Floats) -> float:
    """Share of pairs of entries that differ."""
    counts = np.unique(values, return_counts=True)[1].astype(np.float64)
    pairs = len(values) * (len(values) - 1)
    return float(1 - (counts * (counts - 1)).sum() / pairs)
