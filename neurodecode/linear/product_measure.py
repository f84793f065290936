"""The product measure: what each band adds to the variance explained by all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError


def product_measure(true: ArrayLike, parts: ArrayLike, offset: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Share of the variance explained that belongs to each band; the shares add up to the R2 of their sum.

    ``R2_i = sum_t c_i (2 y - c) / sum_t y^2`` with ``y`` and the contributions ``c_i`` (sum ``c``) centred on these samples.
    What the mean of the prediction is off belongs to no band: ``-n (mean(prediction) - mean(true))^2 / sum_t y^2`` is shared
    equally. A share is negative where a band works against the target. [1]_ [2]_

    Parameters
    ----------
    true : array_like of shape (n_samples, n_targets)
        Values; NaN where missing, which leaves that sample out for that target.
    parts : array_like of shape (n_bands, n_samples, n_targets)
        What each band predicts.
    offset : array_like of shape (n_targets,)
        What the prediction adds to the sum of `parts`.

    Returns
    -------
    array of shape (n_bands, n_targets)
        Shares; NaN where `true` does not vary.

    Raises
    ------
    DataError
        If shapes do not fit each other.

    References
    ----------
    .. [1] Pratt JW (1987). Dividing the indivisible: using simple symmetry to partition variance explained.
    .. [2] Dupre la Tour T, Eickenberg M, Nunez-Elizalde AO, Gallant JL (2022). Feature-space selection with banded ridge
       regression. NeuroImage 264, 119728.
    """
    y, c = np.asarray(true, float), np.asarray(parts, float)
    if y.ndim != 2 or c.ndim != 3 or c.shape[1:] != y.shape:
        raise DataError(f"parts must have the shape (n_bands, n_samples, n_targets) of true {y.shape}, got {c.shape}")
    seen = np.isfinite(y)
    n = np.maximum(seen.sum(axis=0), 1)
    means = [np.where(seen, v, 0.0).sum(axis=-2) / n for v in (y, c)]
    y = np.where(seen, y - means[0], 0.0)
    c = np.where(seen, c - means[1][:, None], 0.0)
    total = np.sum(y**2, axis=0)
    off = n * (means[1].sum(axis=0) + offset - means[0]) ** 2 / len(c)
    shares = np.sum(c * (2 * y - c.sum(axis=0)), axis=1) - off
    return np.where(total > 0, shares / np.where(total > 0, total, 1.0), np.nan)
