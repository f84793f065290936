"""Structural similarity of images, in the two forms that are published under one name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.metrics._alike import as_pairs
from neurodecode.metrics._resize import BLOCK, resize

Floats = NDArray[np.float64]
_LUMINANCE = (0.2125, 0.7154, 0.0721)  # red, green and blue, ITU-R BT.709
_SIGMA, _RADIUS = 1.5, 5  # the window of Wang et al.: 11 pixels wide
_C1, _C2 = 0.01**2, 0.03**2
_ROUNDING = 1e-6


def ssim(true: ArrayLike, reconstructed: ArrayLike, protocol: str = "2d", *, size: int | None = None) -> Floats:
    r"""Structural similarity (SSIM) of each image and its reconstruction, of their luminance.

    .. math:: SSIM = \frac{(2 \mu_x \mu_y + C_1)(2 \sigma_{xy} + C_2)}{(\mu_x^2 + \mu_y^2 + C_1)(\sigma_x^2 + \sigma_y^2 + C_2)}

    in a Gaussian window (sigma 1.5 pixels, 11 wide, population covariance; :math:`C_1 = .01^2, C_2 = .03^2`), mean over windows
    that lie inside the image (Wang et al. 2004). The numbers are those of scikit-image.

    Published figures mix two forms: ``multichannel=True`` on an image without colours, which much code passes, makes old
    scikit-image treat each column as an image of its own and is ignored by newer versions. The two differ by up to a factor of
    two on the same pair.

    Best 1. Chance 0 for images that have nothing in common. It is far above that for natural images: a generator that is fed
    noise reaches about .33, and a mean image may beat a sharp reconstruction, so read it beside the null and the mean image of
    `image_report`. The wider an image is in pixels, the higher the score of a blurred one: state the size.

    Parameters
    ----------
    true, reconstructed : array_like of shape (n_images, height, width, n_colours)
        Images in one order, with one or three colours: uint8, or numbers from 0 to 1.
    protocol : str
        ``"2d"``: windows of 11 x 11 pixels; ``"columns"``: windows of 11 pixels within each column.
    size : int, optional
        Shorter side in pixels to which both are brought first, bilinearly; 425 in the literature of NSD.

    Returns
    -------
    array of shape (n_images,)
        One score per image, from -1 to 1. Defined for images without contrast, too.

    Raises
    ------
    DataError
        If shapes differ or are not those of images of at least 11 pixels, or a pixel is NaN or outside of 0 to 1.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli (2004), Image quality assessment: from error visibility to structural similarity.
    """
    check_option("protocol", protocol, ("2d", "columns"))
    as_pairs(true, reconstructed, ("true images", "reconstructed images"))
    pair = [_unit_range(images, name) for images, name in ((true, "true"), (reconstructed, "reconstructed"))]
    _, height, width, colours = pair[0].shape
    step = max(1, BLOCK // (colours * max(height * width, (size or 0) ** 2)))
    blocks = [slice(start, start + step) for start in range(0, len(pair[0]), step)]
    x, y = pair
    return np.concatenate([_similarity(luminance(x[rows], size), luminance(y[rows], size), protocol) for rows in blocks])


def _similarity(x: Floats, y: Floats, protocol: str) -> Floats:
    """SSIM of images of shape (n_images, height, width)."""
    from scipy.ndimage import gaussian_filter

    sigma = (0, _SIGMA, _SIGMA if protocol == "2d" else 0)
    inner = slice(_RADIUS, -_RADIUS), slice(_RADIUS, -_RADIUS) if protocol == "2d" else slice(None)
    if min(x.shape[1:] if protocol == "2d" else x.shape[1:2]) < 2 * _RADIUS + 1:
        raise DataError(f"SSIM needs images of at least {2 * _RADIUS + 1} pixels a side, got {x.shape[1:]}: resize them (size=)")

    def local(values: Floats) -> Floats:
        smooth = gaussian_filter(values, sigma, mode="reflect", radius=(0, _RADIUS, _RADIUS))
        return np.asarray(smooth[:, inner[0], inner[1]])

    mx, my = local(x), local(y)
    xx, yy, xy = local(x * x) - mx * mx, local(y * y) - my * my, local(x * y) - mx * my
    ratio = (2 * mx * my + _C1) * (2 * xy + _C2) / ((mx * mx + my * my + _C1) * (xx + yy + _C2))
    return np.asarray(ratio.mean(axis=(1, 2)))


def _unit_range(images: ArrayLike, name: str) -> NDArray[Any]:
    """Images with one or three colours, uint8 or from 0 to 1."""
    array = np.asarray(images)
    if array.ndim != 4 or array.shape[-1] not in (1, 3):
        raise DataError(f"{name} must be images of shape (n_images, height, width, 1 or 3), got shape {array.shape}")
    if array.dtype != np.uint8 and (array.min() < -_ROUNDING or array.max() > 1 + _ROUNDING):
        raise DataError(
            f"{name} images must be uint8 or numbers from 0 to 1, got {array.dtype} from {array.min():.3g} to {array.max():.3g}"
        )
    return array


def luminance(images: NDArray[Any], size: int | None = None) -> Floats:
    """Turn colours into grey, from 0 to 1.

    Parameters
    ----------
    images : array of shape (n_images, height, width, 1 or 3)
        Bytes, or numbers from 0 to 1.
    size : int, optional
        Shorter side in pixels to which they are brought.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_images, height, width).
    """
    unit = images / 255.0 if images.dtype == np.uint8 else images.astype(np.float64)
    grey = unit @ np.array(_LUMINANCE) if unit.shape[-1] == 3 else unit[..., 0]
    return grey if size is None else resize(grey[..., None], size)[..., 0]  # both are linear: grey first is a third of the work
