"""Scores of predicted values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError


def pearson_r(true: ArrayLike, predicted: ArrayLike) -> Any:
    """Pearson correlation of true and predicted values, per target.

    Chance 0, best 1. Blind to scale and offset of the prediction; see `r2_score` for a score that is not.

    Parameters
    ----------
    true, predicted : array_like of shape (n_samples, ...)
        Values; further axes are targets. They are broadcast against each other.

    Returns
    -------
    float or array
        Of the shape of the further axes; NaN where either side does not vary.

    Raises
    ------
    DataError
        If numbers of samples differ or are below 2.
    """
    t, p = _pair(true, predicted)
    size = len(t) * np.max(np.abs(t), axis=0) * np.max(np.abs(p), axis=0)
    t, p = t - t.mean(axis=0), p - p.mean(axis=0)
    norm = np.sqrt(np.sum(t**2, axis=0) * np.sum(p**2, axis=0))
    defined = norm > 1e-12 * size  # below, what varies is rounding
    return np.where(defined, np.sum(t * p, axis=0) / np.where(defined, norm, 1.0), np.nan)[()]


def r2_score(true: ArrayLike, predicted: ArrayLike) -> Any:
    """Share of the variance that the prediction explains, per target.

    ``1 - sum((true - predicted)^2) / sum((true - mean(true))^2)``. Best 1; 0 for predicting the mean of these samples, so
    that chance is 0 or, on held-out samples, a little below; a bad prediction is below 0 without limit.

    Parameters
    ----------
    true, predicted : array_like of shape (n_samples, ...)
        Values; further axes are targets. They are broadcast against each other.

    Returns
    -------
    float or array
        Of the shape of the further axes; NaN where `true` does not vary.

    Raises
    ------
    DataError
        If numbers of samples differ or are below 2.
    """
    t, p = _pair(true, predicted)
    total = np.sum((t - t.mean(axis=0)) ** 2, axis=0)
    left = np.sum((t - p) ** 2, axis=0)
    varies = np.ptp(t, axis=0) > 0
    return np.where(varies, 1 - left / np.where(varies, total, 1.0), np.nan)[()]


def _pair(true: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    t, p = np.asarray(true, float), np.asarray(predicted, float)
    if t.ndim < 1 or p.ndim < 1 or len(t) != len(p) or len(t) < 2:
        raise DataError(f"true and predicted must have one number of samples of at least 2, got shapes {t.shape} and {p.shape}")
    extra = p.ndim - t.ndim  # further axes align on the left, as samples do
    t = t.reshape(t.shape + (1,) * extra) if extra > 0 else t
    p = p.reshape(p.shape + (1,) * -extra) if extra < 0 else p
    return t, p
