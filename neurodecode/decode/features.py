"""What happens to features before a linear model sees them: scaling, selection, rotation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]


def location_and_scale(x: _Floats, scale: bool = True) -> tuple[_Floats, _Floats]:
    """Mean and standard deviation of each training feature; 1 for features that do not vary.

    Parameters
    ----------
    x : array of shape (..., n_samples, n_features)
        Training features; leading axes (e.g. times) are treated one by one.
    scale : bool
        Whether to divide by the standard deviation; otherwise all are 1.

    Returns
    -------
    mean, deviation : array of shape (..., n_features)
        To subtract, and then to divide by.
    """
    mean = x.mean(axis=-2)
    if not scale:
        return mean, np.ones_like(mean)
    deviation = x.std(axis=-2)
    varies = deviation > 1e-9 * np.max(np.abs(x), axis=-2)
    return mean, np.where(varies, deviation, 1.0)


def anova_f(x: _Floats, y: NDArray[np.int64], n_classes: int) -> _Floats:
    """F statistic of a one-way analysis of variance, per feature.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Training features, centred (so that sums of squares keep their digits).
    y : array of shape (n_samples,)
        Class of each sample, 0 to n_classes - 1.
    n_classes : int
        Number of classes; those without samples do not count.

    Returns
    -------
    array of shape (n_features,)
        F; 0 where a feature does not vary, infinite where it varies between classes alone.
    """
    counts = np.bincount(y, minlength=n_classes)
    sums = (y == np.arange(n_classes)[:, None]).astype(float) @ x
    present = counts > 0
    total_sum = sums.sum(axis=0)
    between = np.sum(sums[present] ** 2 / counts[present, None], axis=0) - total_sum**2 / len(y)
    total = np.einsum("ij,ij->j", x, x) - total_sum**2 / len(y)
    within = np.maximum(total - between, 0.0)
    ratio = (len(y) - present.sum()) / max(int(present.sum()) - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.nan_to_num(between / within * ratio, nan=0.0, posinf=np.inf))


def squared_correlation(x: _Floats, y: _Floats) -> _Floats:
    """Squared Pearson correlation of each feature with a target.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Training features, centred.
    y : array of shape (n_samples,)
        Target.

    Returns
    -------
    array of shape (n_features,)
        Between 0 and 1; 0 where a feature does not vary.
    """
    centred = y - y.mean()
    energy = np.einsum("ij,ij->j", x, x) * (centred @ centred)
    return np.where(energy > 0, (centred @ x) ** 2 / np.where(energy > 0, energy, 1.0), 0.0)


def best_features(relevance: _Floats, n_features: int) -> NDArray[np.int64]:
    """Indices, in increasing order, of the features of highest relevance; among equals the first."""
    return np.sort(np.argsort(-relevance, kind="stable")[:n_features]).astype(np.int64)


def rotate(x: _Floats) -> tuple[_Floats, _Floats]:
    """Coordinates of samples in the space they span.

    A model with an L2 penalty has its weights in the span of the samples, and a rotation changes neither penalty nor
    predictions. So with fewer samples than features it can be fitted, exactly, on as many coordinates as samples.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Features, n_samples < n_features.

    Returns
    -------
    coordinates : array of shape (n_samples, n_samples)
        ``x @ basis``.
    basis : array of shape (n_features, n_samples)
        Orthonormal columns; weights of features are ``basis @ weights of coordinates``.
    """
    basis, triangle = np.linalg.qr(x.T)
    return np.ascontiguousarray(triangle.T), basis
