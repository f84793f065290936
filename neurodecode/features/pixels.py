"""From pixels in sRGB to luminance and colour as they are seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError

_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
_KNEE = (6 / 29) ** 3


def linear_luminance(frames: NDArray[Any]) -> NDArray[np.float32]:
    """Relative luminance of images in sRGB (IEC 61966-2-1).

    Parameters
    ----------
    frames : uint8 array of shape (..., height, width, 3)
        Images.

    Returns
    -------
    NDArray[np.float32]
        Y from 0 (black) to 1 (white), shape (..., height, width).

    Raises
    ------
    DataError
        If these are no such images.
    """
    return np.asarray(_linear(frames) @ _TO_XYZ[1].astype(np.float32))


def lightness(luminance: NDArray[Any]) -> NDArray[np.float32]:
    """CIE lightness L* of relative luminance.

    Parameters
    ----------
    luminance : array of shape (...)
        Y from 0 to 1.

    Returns
    -------
    NDArray[np.float32]
        L* from 0 to 100, same shape.
    """
    return (116 * _cube_root(np.asarray(luminance)) - 16).astype(np.float32)


def lab(frames: NDArray[Any]) -> NDArray[np.float32]:
    """Colours in CIELAB, under D65.

    Parameters
    ----------
    frames : uint8 array of shape (..., height, width, 3)
        Images in sRGB.

    Returns
    -------
    NDArray[np.float32]
        L* (0 to 100), a* (green to red) and b* (blue to yellow), shape (..., height, width, 3).

    Raises
    ------
    DataError
        If these are no such images.
    """
    x, y, z = np.moveaxis(_cube_root(_linear(frames) @ (_TO_XYZ / _WHITE[:, None]).T.astype(np.float32)), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def area_weights(n_from: int, n_to: int) -> NDArray[np.float32]:
    """Weights that average pixels over the areas of larger ones.

    Parameters
    ----------
    n_from, n_to : int
        Pixels along one side, before and after; `n_to` is at most `n_from`.

    Returns
    -------
    NDArray[np.float32]
        Shape (n_to, n_from); each row adds up to 1.
    """
    borders = np.linspace(0, n_from, n_to + 1)
    begins = np.arange(n_from)
    inside = np.minimum(borders[1:, None], begins + 1) - np.maximum(borders[:-1, None], begins)
    return np.asarray(np.maximum(inside, 0) * n_to / n_from, np.float32)


def _linear(frames: NDArray[Any]) -> NDArray[np.float32]:
    """Linear light of each colour, 0 to 1, from a table of the 256 levels."""
    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim < 3 or frames.shape[-1] != 3:
        raise DataError(f"images must be uint8 of shape (..., height, width, 3), got {frames.dtype} of shape {frames.shape}")
    level = np.arange(256) / 255
    table = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return np.asarray(table.astype(np.float32)[frames])


def _cube_root(ratio: NDArray[Any]) -> NDArray[Any]:
    """Cube root with the straight piece near black of CIELAB."""
    return np.where(ratio > _KNEE, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
