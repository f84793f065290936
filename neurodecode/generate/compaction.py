"""Images as small as they can be without losing anything, or as small as wanted, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.stimuli import Stimuli
from neurodecode.errors import DataError

_Images = NDArray[np.uint8]
_LONGEST = 32  # pixels; what a small network learns in minutes


class Compaction(NamedTuple):
    """How images are made small and large again."""

    shape: tuple[int, int]
    """Height and width of the images."""
    size: tuple[int, int]
    """Height and width inside the network."""
    grey: bool
    """Whether all three channels are the same."""
    exact: bool
    """Whether nothing is lost: each pixel inside stands for a block of equal pixels."""

    @property
    def n_channels(self) -> int:
        """Channels inside the network."""
        return 1 if self.grey else 3


def as_images(images: Any) -> _Images:
    """Images of one size as one array.

    Parameters
    ----------
    images : Stimuli, array or sequence of arrays
        Stimuli of kind ``image``, or uint8 (n_images, height, width, 3).

    Returns
    -------
    array of shape (n_images, height, width, 3)
        Pixels, uint8.

    Raises
    ------
    DataError
        If these are no images of one size.
    """
    if isinstance(images, Stimuli) and images.kind != "image":
        raise DataError(f"stimuli are of kind {images.kind!r}, expected images")
    items = images if isinstance(images, np.ndarray) else list(images)
    shapes = sorted({np.shape(item) for item in items})
    if len(shapes) != 1:
        raise DataError(f"images must be of one size, got {len(items)} of the shapes {shapes[:5]}: resize them")
    stack = np.asarray(items)
    if stack.ndim != 4 or stack.shape[-1] != 3 or stack.dtype != np.uint8 or not stack.size:
        raise DataError(f"images must be uint8 of shape (n_images, H, W, 3), got {stack.dtype} of shape {stack.shape}")
    return stack


def find_compaction(images: _Images, size: int | str = "auto") -> Compaction:
    """Find how small images can be.

    Parameters
    ----------
    images : array of shape (n_images, height, width, 3)
        Pixels, uint8.
    size : int or "auto"
        Longest side inside the network. By default that of the images where they were enlarged by a whole number or have at
        most 32 pixels, and else 32.

    Returns
    -------
    Compaction
        Sizes, and whether images are grey.

    Raises
    ------
    DataError
        If `size` is no number of at least 2.
    """
    height, width = images.shape[1:3]
    grey = bool((images == images[..., :1]).all())
    factor = _enlargement(images)
    small = (height // factor, width // factor)
    if size == "auto":
        wanted = min(max(small), _LONGEST)
    elif isinstance(size, str) or size < 2:
        raise DataError(f"size must be a number of pixels of at least 2, or 'auto', got {size!r}")
    else:
        wanted = int(size)
    if wanted == max(small):
        return Compaction((height, width), small, grey, True)
    scale = wanted / max(height, width)
    inside = (max(round(height * scale), 1), max(round(width * scale), 1))
    return Compaction((height, width), inside, grey, False)


def _enlargement(images: _Images) -> int:
    """The whole number by which all images were enlarged, 1 where they were not."""
    height, width = images.shape[1:3]
    for factor in range(np.gcd(height, width), 1, -1):
        if height % factor or width % factor:
            continue
        blocks = images.reshape(len(images), height // factor, factor, width // factor, factor, 3)
        if (blocks == blocks[:, :, :1, :, :1]).all():
            return factor
    return 1


def shrink(images: _Images, how: Compaction) -> NDArray[np.float32]:
    """Make images small: means over blocks, and over channels where they are grey.

    Parameters
    ----------
    images : array of shape (n_images, height, width, 3)
        Pixels, uint8.
    how : Compaction
        Found by `find_compaction`.

    Returns
    -------
    array of shape (n_images, n_channels, *how.size)
        From -1, black, to 1.

    Raises
    ------
    DataError
        If images have another size.
    """
    import torch

    if images.shape[1:3] != tuple(how.shape):
        raise DataError(f"images are {images.shape[1]} x {images.shape[2]}, the generator was fitted on {how.shape}: resize them")
    pixels = torch.from_numpy(np.moveaxis(images, -1, 1).astype(np.float32))
    pixels = pixels.mean(dim=1, keepdim=True) if how.grey else pixels
    small = torch.nn.functional.interpolate(pixels, size=tuple(how.size), mode="area")
    return np.asarray(small.numpy() / 127.5 - 1, np.float32)


def enlarge(small: NDArray[Any], how: Compaction) -> _Images:
    """Undo `shrink`.

    Parameters
    ----------
    small : array of shape (n_images, n_channels, *how.size)
        From -1 to 1; cut off outside.
    how : Compaction
        As given to `shrink`.

    Returns
    -------
    array of shape (n_images, height, width, 3)
        Pixels, uint8.
    """
    import torch

    pixels = torch.from_numpy(np.asarray(small, np.float32))
    mode = "nearest" if how.exact else "bilinear"
    large = torch.nn.functional.interpolate(pixels, size=tuple(how.shape), mode=mode).numpy()
    grey_levels = np.clip(np.rint((large + 1) * 127.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(np.moveaxis(grey_levels, 1, -1), (len(small), *how.shape, 3)))
