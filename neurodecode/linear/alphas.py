"""Penalties: the grid by default, and which of its penalties must be solved so that the others follow by interpolation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError

_Floats = NDArray[np.float64]
DECADES = np.logspace(-4, 5, 10)  # of the mean eigenvalue: R2 of .999 to 1e-5 for features of one variance


class Skeleton(NamedTuple):
    """Penalties from whose predictions those of all the others follow."""

    chosen: list[int]
    """Numbers of the penalties to solve, (n_chosen,)."""
    weights: _Floats
    """Predictions at each penalty as a sum over the chosen ones, (n_alphas, n_chosen)."""


def resolve_alphas(alphas: ArrayLike | None, trace: float, rank: int) -> _Floats:
    """Penalties to choose from.

    Parameters
    ----------
    alphas : array_like of shape (n_alphas,) or None
        Penalties of your own, in any order; None for ten from 1e-4 to 1e5 times the mean eigenvalue of the features.
    trace : float
        Sum of squares of the (centred) features.
    rank : int
        Number of eigenvalues: features or samples, whichever are fewer.

    Returns
    -------
    array of shape (n_alphas,)
        Penalties.

    Raises
    ------
    DataError
        If one is not a finite number above 0, or features do not vary.
    """
    if alphas is None:
        if not trace > 0:
            raise DataError(f"no feature varies over the samples (sum of squares {trace:g}): there is nothing to fit")
        return np.asarray(trace / rank * DECADES)
    given = np.atleast_1d(np.asarray(alphas, float))
    if given.ndim != 1 or not given.size or not np.all(np.isfinite(given) & (given > 0)):
        raise DataError(f"alphas must be at least one finite number, all above 0, got {given}")
    return given


def choose_skeleton(probes: NDArray[Any], tolerance: float) -> Skeleton:
    """Find the fewest penalties that give the predictions at all penalties.

    Predictions depend on the penalty through ``1 / (eigenvalue + alpha)`` alone. On the eigenvalues that a fold has, these
    functions of the eigenvalue are nearly dependent: a QR decomposition with pivoting picks penalties one by one until no other
    is further than `tolerance` from their span.

    Parameters
    ----------
    probes : array of shape (n_alphas, n_entries)
        A random sketch of the operator from targets to predictions at each penalty.
    tolerance : float
        Largest distance (Euclidean norm) that may be left.

    Returns
    -------
    Skeleton
        Which penalties, and the weights of interpolation.
    """
    from scipy.linalg import qr, solve_triangular

    n_alphas = len(probes)
    upper, pivots = qr(np.asarray(probes, float).T, mode="r", pivoting=True)
    upper = upper[:n_alphas]
    left = np.sqrt(np.cumsum(np.square(upper[::-1]), axis=0))[::-1]  # norm of what is left of each, after so many are chosen
    enough = np.flatnonzero(left.max(axis=1) <= tolerance)
    n = max(1, int(enough[0]) if enough.size else n_alphas)
    weights = np.zeros((n_alphas, n))
    weights[pivots[:n]] = np.eye(n)
    weights[pivots[n:]] = solve_triangular(upper[:n, :n], upper[:n, n:]).T
    return Skeleton([int(k) for k in pivots[:n]], weights)
