"""Scores of reconstructed images: pixels, structure, features, classes, and all of them in one report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.metrics._resize import BLOCK, NSD_SIZE, resize
from neurodecode.metrics.feature_layers import METRIC_LAYERS, FeatureLayer, layer_features
from neurodecode.metrics.identification import feature_distance, two_way_identification
from neurodecode.metrics.n_way import n_way_chance, n_way_top_k
from neurodecode.metrics.reconstruction import ImageReport, image_report
from neurodecode.metrics.regression import pearson_r
from neurodecode.metrics.structural_similarity import ssim

__all__ = [
    "METRIC_LAYERS",
    "FeatureLayer",
    "ImageReport",
    "feature_distance",
    "image_report",
    "layer_features",
    "n_way_chance",
    "n_way_top_k",
    "pixcorr",
    "ssim",
    "two_way_identification",
]


def pixcorr(true: ArrayLike, reconstructed: ArrayLike, protocol: str = "as_is") -> NDArray[np.float64]:
    """Pearson correlation of each image with its reconstruction, over all pixels and colours (PixCorr).

    Best 1. Chance 0 for images that have nothing in common. Images of one kind (digits in the middle, faces) resemble each
    other: chance is then the score of wrong pairs, which `neurodecode.decode.reconstruct` and `image_report` measure. Blind to
    the brightness and the contrast of the whole image.

    Parameters
    ----------
    true, reconstructed : array_like of shape (n_images, height, width, n_colours)
        Images in one order.
    protocol : str
        ``"as_is"``, or ``"nsd"``: both are brought to 425 pixels first, bilinearly, as in the literature of NSD.

    Returns
    -------
    array of shape (n_images,)
        One score per image; NaN where either image has the same value everywhere, as it then has no pattern to compare.

    Raises
    ------
    DataError
        If shapes differ or are not those of images, there is no image, or a pixel is NaN.
    """
    check_option("protocol", protocol, ("as_is", "nsd"))
    pair = [_checked(true, "true"), _checked(reconstructed, "reconstructed")]
    if pair[0].shape != pair[1].shape:
        raise DataError(f"true and reconstructed images must have one shape, got {pair[0].shape} and {pair[1].shape}")
    size = NSD_SIZE if protocol == "nsd" else None
    step = max(1, BLOCK // max(pair[0][0].size, 3 * (size or 0) ** 2))
    blocks = [slice(start, start + step) for start in range(0, len(pair[0]), step)]
    return np.concatenate([np.asarray(pearson_r(*(_columns(images[rows], size) for images in pair))) for rows in blocks])


def _checked(images: ArrayLike, name: str) -> NDArray[Any]:
    """Images without a pixel that is no number."""
    array = np.asarray(images)
    if array.ndim != 4 or not array.size:
        raise DataError(f"{name} must be images of shape (n_images, height, width, n_colours), got shape {array.shape}")
    wrong = [i for i, image in enumerate(array) if not np.isfinite(image).all()]
    if wrong:
        raise DataError(f"{name} image {wrong[0]} holds NaN or infinite pixels: replace them, or leave it out")
    return array


def _columns(images: NDArray[Any], size: int | None) -> NDArray[np.float64]:
    """Pixels of each image as a column, in float64."""
    pixels = images.astype(np.float64) if size is None else resize(images, size)
    return pixels.reshape(len(pixels), -1).T
