"""Scores of reconstructed images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError
from neurodecode.metrics.regression import pearson_r


def pixcorr(true: ArrayLike, reconstructed: ArrayLike) -> NDArray[np.float64]:
    """Pearson correlation of each image with its reconstruction, over all pixels and colours (PixCorr).

    Best 1. Chance 0 for images that have nothing in common. Images of one kind (digits in the middle, faces) resemble each
    other: chance is then the score of wrong pairs, which `neurodecode.decode.reconstruct` measures. Blind to the brightness
    and the contrast of the whole image.

    Parameters
    ----------
    true, reconstructed : array_like of shape (n_images, height, width, n_colours)
        Images in one order.

    Returns
    -------
    array of shape (n_images,)
        One score per image; NaN where either image has the same value everywhere, as it then has no pattern to compare.

    Raises
    ------
    DataError
        If shapes differ or are not those of images, there is no image, or a pixel is NaN.
    """
    t, r = _pixels(true, "true"), _pixels(reconstructed, "reconstructed")
    if np.shape(true) != np.shape(reconstructed):
        raise DataError(f"true and reconstructed images must have one shape, got {np.shape(true)} and {np.shape(reconstructed)}")
    return np.asarray(pearson_r(t.T, r.T), np.float64)


def _pixels(images: ArrayLike, name: str) -> NDArray[Any]:
    """Images as rows of pixels, in float64."""
    array = np.asarray(images, np.float64)
    if array.ndim != 4 or not array.size:
        raise DataError(f"{name} must be images of shape (n_images, height, width, n_colours), got shape {array.shape}")
    rows = array.reshape(len(array), -1)
    wrong = ~np.isfinite(rows).all(axis=1)
    if wrong.any():
        raise DataError(f"{name} image {int(np.argmax(wrong))} holds NaN or infinite pixels: replace them, or leave it out")
    return rows
