"""The result of a factorisation, and how factors are held while it is sought: components first, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import require
from neurodecode.errors import DataError

Array = NDArray[Any]
Floats = NDArray[np.float64]


class NTF(NamedTuple):
    r"""Non-negative factorisation :math:`X \approx \sum_r \lambda_r\, a^{(1)}_r \circ a^{(2)}_r \circ \dots`."""

    weights: NDArray[np.float64]
    """Weight of each component, shape (rank,), largest first: the norm of what it explains."""
    factors: list[NDArray[Any]]
    """One matrix (dim, rank) per mode, none of its entries below 0, columns of unit norm (0 where a component is empty)."""
    error: float
    """Relative error: norm of the residual over the norm of the tensor, both over observed cells only."""

    def to_tensorly(self) -> Any:
        """Hand the factorisation to tensorly.

        Returns
        -------
        tensorly.cp_tensor.CPTensor
            The same weights and factors, as arrays of tensorly's backend in use.

        Raises
        ------
        MissingDependencyError
            If tensorly is not installed.
        """
        tensorly = require("tensorly", "handing a factorisation to tensorly", "test")
        held = require("tensorly.cp_tensor", "handing a factorisation to tensorly", "test")
        parts = [self.weights.astype(self.factors[0].dtype), *self.factors]
        weights, *factors = (tensorly.tensor(np.ascontiguousarray(part)) for part in parts)
        return held.CPTensor((weights, factors))


def components_first(given: Any, shape: Sequence[int], rank: int, dtype: Any) -> list[Array]:
    """Bring factors that a user gives as a start into the form that solvers hold them in.

    Parameters
    ----------
    given : NTF, tensorly CPTensor, or pair of (weights, factors)
        Factors (dim, rank) per mode.
    shape : sequence of int
        Shape of the tensor.
    rank : int
        Components asked for.
    dtype : numpy dtype
        Of the solver.

    Returns
    -------
    list of array of shape (rank, dim)
        Copies; the weights go to the last mode.

    Raises
    ------
    DataError
        If shapes do not fit, or an entry is below 0 or not finite.
    """
    weights, factors = (given.weights, given.factors) if hasattr(given, "factors") else given
    arrays = [np.array(np.asarray(factor).T, dtype=dtype, order="C") for factor in factors]
    wanted = [(rank, dim) for dim in shape]
    if [a.shape for a in arrays] != wanted:
        found = [a.shape[::-1] for a in arrays]
        raise DataError(f"init must hold factors (dim, rank) of {[w[::-1] for w in wanted]}, got {found}")
    if not all((a >= 0).all() and np.isfinite(a).all() for a in arrays):
        raise DataError(f"init must hold finite factors of at least 0, got a minimum of {min(float(a.min()) for a in arrays)}")
    if weights is not None:
        arrays[-1] *= np.asarray(weights, dtype=dtype)[:, None]
    return arrays


def balance(factors: list[Array]) -> None:
    """Scale components in place, so that all modes but the last have rows of unit norm and the last holds the weight.

    Parameters
    ----------
    factors : list of array of shape (rank, dim)
        Changed in place; empty components stay empty.
    """
    for mode in factors[:-1]:
        norms = np.sqrt(np.diag(gram(mode)))
        scale = np.where(norms > 0, norms, 1.0)
        mode /= scale[:, None].astype(mode.dtype)
        factors[-1] *= np.where(norms > 0, norms, 0.0)[:, None].astype(mode.dtype)


def finish(factors: list[Array], error: float) -> NTF:
    """Order components by weight and hand them to the user.

    Parameters
    ----------
    factors : list of array of shape (rank, dim)
        Balanced factors; the last mode is scaled in place.
    error : float
        Relative error.

    Returns
    -------
    NTF
        With columns of unit norm.
    """
    weights = np.sqrt(np.diag(gram(factors[-1])))
    factors[-1] /= np.where(weights > 0, weights, 1.0)[:, None].astype(factors[-1].dtype)
    order = np.argsort(-weights, kind="stable")
    return NTF(weights[order], [factor[order].T for factor in factors], error)


def gram(rows: Array) -> Floats:
    """Products of components with each other, summed in double precision.

    Parameters
    ----------
    rows : array of shape (rank, dim)
        Factors of a mode.

    Returns
    -------
    array of shape (rank, rank)
        ``rows rows'``.
    """
    total = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], 2**16):
        part = rows[:, start : start + 2**16].astype(np.float64)
        total += part @ part.T
    return total


def khatri_rao(factors: Sequence[Array]) -> Array:
    """Products of each component's entries over modes.

    Parameters
    ----------
    factors : sequence of array of shape (rank, dim)
        One or more modes.

    Returns
    -------
    array of shape (rank, product of dims)
        The last mode runs fastest.
    """
    product = factors[0]
    for factor in factors[1:]:
        product = (product[:, :, None] * factor[:, None, :]).reshape(len(factor), -1)
    return product


def contract(tensor: Array, factors: Sequence[Array], keep: int) -> Array:
    """Sum a tensor of each component against its factors, in all modes but one.

    Parameters
    ----------
    tensor : array of shape (rank, dim of mode 0, dim of mode 1, ...)
        One tensor per component.
    factors : sequence of array of shape (rank, dim)
        One per mode.
    keep : int
        The mode that is left.

    Returns
    -------
    array of shape (rank, dim of mode keep)
        Sums.
    """
    rank, rest = len(tensor), tensor
    for factor in reversed(factors[keep + 1 :]):
        rest = rest.reshape(rank, -1, factor.shape[1]) @ factor[:, :, None]
    for factor in factors[:keep]:
        rest = factor[:, None, :] @ rest.reshape(rank, factor.shape[1], -1)
    return rest.reshape(rank, -1)
