"""A matrix of features that may be a memory map larger than memory: checked, centred and multiplied in parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError

_Floats = NDArray[np.float64]
_Array = NDArray[Any]
_COLUMNS = 2**26  # bytes of features read at once


def check_features(x: _Array) -> _Floats:
    """Mean of each feature, refused where one is not finite.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Features.

    Returns
    -------
    array of shape (n_features,)
        Means.

    Raises
    ------
    DataError
        Naming the first feature and sample that is not finite.
    """
    with np.errstate(invalid="ignore"):
        mean = np.asarray(x.mean(axis=0, dtype=np.float64))
    bad = np.flatnonzero(~np.isfinite(mean))
    if len(bad):
        row = int(np.flatnonzero(~np.isfinite(np.asarray(x[:, bad[0]])))[0])
        raise DataError(f"X holds NaN or infinite values in {len(bad)} features, the first in sample {row} of feature {bad[0]}")
    return mean


def centred(x: _Array, mean: _Floats, columns: slice, dtype: Any) -> _Array:
    """Some features about their means.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Features.
    mean : array of shape (n_features,)
        Means.
    columns : slice
        Which features.
    dtype : numpy dtype
        Precision of the result.

    Returns
    -------
    array of shape (n_samples, n_columns)
        A copy.
    """
    kind = np.promote_types(x.dtype, np.float32)
    return np.asarray(np.subtract(x[:, columns], mean[columns].astype(kind), dtype=kind), dtype)


def from_samples(dual: _Array, x: _Array, mean: _Floats) -> _Array:
    """Weights of features from those of samples.

    Parameters
    ----------
    dual : array of shape (n_targets, n_samples)
        Weights of samples.
    x : array of shape (n_samples, n_features)
        Features.
    mean : array of shape (n_features,)
        What they are centred by.

    Returns
    -------
    array of shape (n_targets, n_features)
        ``dual' X``.
    """
    found = np.empty((len(dual), x.shape[1]), dual.dtype)
    for part in feature_parts(x, dual.dtype):
        found[:, part] = dual @ centred(x, mean, part, dual.dtype)
    return found


def feature_parts(x: _Array, precision: Any) -> list[slice]:
    """Cut features into parts of 64 MB.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Features.
    precision : numpy dtype
        What they are turned into.

    Returns
    -------
    list of slice
        Features some at a time.
    """
    step = max(1, _COLUMNS // (len(x) * np.dtype(precision).itemsize))
    return [slice(start, start + step) for start in range(0, x.shape[1], step)]
