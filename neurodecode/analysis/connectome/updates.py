"""Non-negative least squares of one mode: a few passes of hierarchical alternating least squares (HALS) over components."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurodecode.analysis.connectome.factors import Array, Floats
from neurodecode.analysis.connectome.observed import Gram, RowGrams

_CHUNK = 2**11  # columns that are updated at once: few enough to stay in a cache, too few for several threads


def chunks(n: int, size: int = _CHUNK) -> Iterator[slice]:
    """Cut a range into slices.

    Parameters
    ----------
    n : int
        Length of the range.
    size : int
        Length of a slice.

    Yields
    ------
    slice
        In order, the last one shorter.
    """
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def update(factor: Array, target: Array, gram: Gram, passes: int) -> None:
    r"""Improve the factors of one mode in place.

    .. math:: V_r \leftarrow \max\left(0,\; V_r + \frac{Y_r - \sum_s G_{rs} V_s}{G_{rr}}\right), \qquad r = 1 \dots R

    Cichocki and Phan (2009), IEICE Transactions E92-A:708.

    Parameters
    ----------
    factor : array of shape (rank, dim)
        V, changed in place.
    target : array of shape (rank, dim)
        Y, the tensor times the factors of the other modes (MTTKRP).
    gram : array of shape (rank, rank) or RowGrams
        G, one for all entries of the mode, or one for each of them where cells are masked.
    passes : int
        Passes over components.
    """
    for part in chunks(factor.shape[1]):
        if isinstance(gram, RowGrams):
            _update_rows(factor[:, part], target[:, part], gram.of(part).astype(factor.dtype), passes)
        else:
            _update_shared(factor[:, part], target[:, part], gram.astype(factor.dtype), passes)


def _update_shared(v: Array, y: Array, g: Array, passes: int) -> None:
    diagonal = np.diag(g)
    scale = np.where(diagonal > 0, diagonal, 1)[:, None]
    others, alone, fitted = g / scale, y / scale, np.empty_like(v[0])
    np.fill_diagonal(others, 0)
    alive = np.flatnonzero(diagonal > 0)  # a component that is empty in another mode cannot be fitted here
    for _ in range(passes):
        for r in alive:
            np.matmul(others[r], v, out=fitted)
            np.subtract(alone[r], fitted, out=fitted)
            np.maximum(fitted, 0, out=v[r])


def _update_rows(v: Array, y: Array, g: Array, passes: int) -> None:
    diagonal = np.einsum("rrn->rn", g)
    seen = diagonal > 0  # what no observed cell depends on is 0
    inverse = np.where(seen, 1 / np.where(seen, diagonal, 1), 0)
    v *= seen
    for _ in range(passes):
        for r in range(len(v)):
            v[r] += (y[r] - np.einsum("sn,sn->n", g[r], v)) * inverse[r]
            np.maximum(v[r], 0, out=v[r])


def model_norm2(factor: Array, gram: Gram) -> float:
    """Squared norm of the model over observed cells, in double precision.

    Parameters
    ----------
    factor : array of shape (rank, dim)
        Factors of one mode.
    gram : array of shape (rank, rank) or RowGrams
        That of the other modes.

    Returns
    -------
    float
        ``sum_n V_n' G_n V_n``.
    """
    total = 0.0
    for part in chunks(factor.shape[1]):
        v = factor[:, part].astype(np.float64)
        if isinstance(gram, RowGrams):
            total += float(np.einsum("rn,rsn,sn->", v, gram.of(part), v, optimize=True))
        else:
            total += float(np.sum(gram * (v @ v.T)))
    return total


def inner_product(a: Array, b: Array) -> float:
    """Sum of products in double precision.

    Parameters
    ----------
    a, b : array of shape (rank, dim)
        The two sides.

    Returns
    -------
    float
        ``sum a b``.
    """
    parts = (np.vdot(a[:, part].astype(np.float64), b[:, part].astype(np.float64)) for part in chunks(a.shape[1], 2**16))
    return float(sum(parts))


def shared_gram(grams: list[Floats]) -> Floats:
    """Gram of the other modes where no cell is masked.

    Parameters
    ----------
    grams : list of array of shape (rank, rank)
        Of each other mode.

    Returns
    -------
    array of shape (rank, rank)
        Their product, entry by entry.
    """
    product = grams[0]
    for other in grams[1:]:
        product = product * other
    return product
