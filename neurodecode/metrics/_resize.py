"""Bilinear resampling of images, as the protocols of image metrics ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError

Floats = NDArray[np.float64]
BLOCK = 2**22  # pixels of a block of images
NSD_SIZE = 425  # pixels a side of the stimuli of the Natural Scenes Dataset


def resize(images: NDArray[Any], size: int) -> Floats:
    """Bring the shorter side of images to `size` pixels, bilinearly and keeping proportions.

    Pixel centres lie at half pixels, the outermost pixels are repeated beyond the border, and the triangle is widened where
    images shrink: what torch calls ``align_corners=False, antialias=True``.

    Parameters
    ----------
    images : array of shape (n_images, height, width, n_colours)
        Pixels.
    size : int
        Shorter side in pixels.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_images, new_height, new_width, n_colours).

    Raises
    ------
    DataError
        If the size is below 1.
    """
    if size < 1:
        raise DataError(f"images must be resized to at least one pixel, got {size}")
    height, width = images.shape[1:3]
    shorter = min(height, width)
    rows, columns = (_triangles(side, size * side // shorter) for side in (height, width))
    wide = np.tensordot(images, columns, axes=(2, 1))  # (n, height, n_colours, new_width)
    return np.ascontiguousarray(np.tensordot(wide, rows, axes=(1, 1)).transpose(0, 3, 2, 1))


def _triangles(n_in: int, n_out: int) -> Floats:
    """Weights of the pixels of one side, shape (n_out, n_in)."""
    scale = n_in / n_out
    distance = np.abs(np.arange(n_in) + 0.5 - (np.arange(n_out) + 0.5)[:, None] * scale)
    weights = np.maximum(0, 1 - distance / max(scale, 1.0))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
