"""Features that know nothing of the stimulus: what they predict, a split has leaked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.splits import group_rows
from neurodecode.data.validate import check_positive
from neurodecode.errors import DataError
from neurodecode.simulate.bold import ar_noise


def oasm(n_samples: int, groups: ArrayLike | None = None, *, sigma: float = 2.0) -> NDArray[np.float64]:
    """Orthogonal features that vary smoothly in time: an identity matrix, smoothed within each group.

    The orthogonal autocorrelated sequences model (Feghhi et al. 2024, arXiv 2406.01538): column k is a Gaussian around sample k.
    Features of different groups are orthogonal, so between held-out groups they carry nothing; within a group they tell
    which samples stand beside each other, and so predict whatever is autocorrelated.

    Parameters
    ----------
    n_samples : int
        Samples in temporal order.
    groups : array_like of shape (n_samples,), optional
        Run or block of each sample; by default all are one.
    sigma : float
        Standard deviation of the Gaussian in samples.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_samples, n_samples).

    Raises
    ------
    DataError
        If there are no samples, labels are not one per sample, or `sigma` is not above 0.
    """
    from scipy.ndimage import gaussian_filter1d

    width, features = check_positive("sigma", sigma), np.zeros((n_samples, n_samples))
    for rows in group_rows(n_samples, groups):
        features[np.ix_(rows, rows)] = gaussian_filter1d(np.eye(len(rows)), width, axis=0)
    return features


def ar_features(
    n_samples: int,
    n_features: int = 300,
    *,
    coefficients: ArrayLike = 0.8,
    groups: ArrayLike | None = None,
    random_state: int | np.random.Generator = 0,
) -> NDArray[np.float64]:
    """Autoregressive noise, independent between groups.

    Parameters
    ----------
    n_samples, n_features : int
        Samples in temporal order, and features.
    coefficients : array_like of shape (order,) or float
        Autoregressive coefficients.
    groups : array_like of shape (n_samples,), optional
        Run or block of each sample; by default all are one.
    random_state : int or numpy.random.Generator
        Seed.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_samples, n_features), of variance 1.

    Raises
    ------
    DataError
        If there are no samples or features, labels are not one per sample, or the noise would grow without bound.
    """
    if n_features < 1:
        raise DataError(f"n_features must be 1 or more, got {n_features}")
    rng, features = np.random.default_rng(random_state), np.empty((n_samples, n_features))
    for rows in group_rows(n_samples, groups):
        features[rows] = ar_noise((n_features, len(rows)), coefficients, rng).T
    return features
