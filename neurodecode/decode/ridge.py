"""Ridge regression with the penalty chosen inside the training samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_MAX_INNER = 5


class RidgePath(NamedTuple):
    """What ridge needs of the features, whatever the target: singular value decompositions."""

    mean: _Floats
    """Mean of the features, (n_features,)."""
    left: _Floats
    """Left singular vectors of the centred features, (n_samples, rank)."""
    values: _Floats
    """Singular values, (rank,)."""
    right: _Floats
    """Right singular vectors, (rank, n_features)."""
    inner: list[InnerFold]
    """Decompositions of the inner folds on which the penalty is chosen."""


class InnerFold(NamedTuple):
    """One inner division of the training samples."""

    train: NDArray[np.int64]
    """Rows to fit on."""
    test: NDArray[np.int64]
    """Rows to choose the penalty on."""
    left: _Floats
    """Left singular vectors of the inner training features."""
    values: _Floats
    """Singular values."""
    projected: _Floats
    """Inner test features in the basis of the right singular vectors, (n_test, rank)."""


def inner_folds(groups: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """At most five (train, test) pairs that hold out whole groups; stretches of samples where there is one group only."""
    names = np.unique(groups)
    codes = np.searchsorted(names, groups)
    if len(names) < 2:
        codes = np.arange(len(groups)) * _MAX_INNER // len(groups)
    folds = codes % _MAX_INNER
    return [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in np.unique(folds)]


def ridge_path(x: _Floats, groups: NDArray[np.int64]) -> RidgePath:
    """Decompose training features once, for any number of targets and penalties.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Training features.
    groups : array of shape (n_samples,)
        Groups kept together when the penalty is chosen.

    Returns
    -------
    RidgePath
        Decompositions of all samples and of each inner fold.
    """
    mean, left, values, right = _decompose(x)
    return RidgePath(mean, left, values, right, [_inner(x, train, test) for train, test in inner_folds(groups)])


def fit_ridge(path: RidgePath, y: _Floats, alphas: _Floats) -> tuple[_Floats, float, float]:
    """Ridge weights at the penalty with the smallest squared error over the inner folds.

    ``w = (X'X + alpha I)^-1 X'y`` on centred features and target.

    Parameters
    ----------
    path : RidgePath
        The training features, decomposed.
    y : array of shape (n_samples,)
        Training target.
    alphas : array of shape (n_alphas,)
        Penalties to choose from.

    Returns
    -------
    coef : array of shape (n_features,)
        Weights.
    intercept : float
        Offset.
    alpha : float
        The penalty chosen.
    """
    errors = sum((_inner_errors(fold, y, alphas) for fold in path.inner), np.zeros(len(alphas)))
    alpha = float(alphas[int(np.argmin(errors))])
    known = path.left.T @ (y - y.mean())
    coef = path.right.T @ (path.values / (path.values**2 + alpha) * known)
    return coef, float(y.mean() - path.mean @ coef), alpha


def _decompose(x: _Floats) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    mean = x.mean(axis=0)
    left, values, right = np.linalg.svd(x - mean, full_matrices=False)
    kept = values > 1e-10 * max(values[0], np.finfo(float).tiny)
    return mean, left[:, kept], values[kept], right[kept]


def _inner(x: _Floats, train: NDArray[np.int64], test: NDArray[np.int64]) -> InnerFold:
    mean, left, values, right = _decompose(x[train])
    return InnerFold(train, test, left, values, (x[test] - mean) @ right.T)


def _inner_errors(fold: InnerFold, y: _Floats, alphas: _Floats) -> _Floats:
    """Sum of squared errors on the inner test samples for each penalty."""
    mean = y[fold.train].mean()
    known = fold.left.T @ (y[fold.train] - mean)
    shrunk = fold.values[:, None] / (fold.values[:, None] ** 2 + alphas) * known[:, None]
    return np.asarray(np.sum((fold.projected @ shrunk + mean - y[fold.test][:, None]) ** 2, axis=0))
