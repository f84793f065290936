"""What a small generator is told about an image: principal components, and how sure the decoder is of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_ROOM = 0.05  # least share of the standard deviation left open, so that no component is believed exactly


class Embedding(NamedTuple):
    """Principal components of training images."""

    mean: NDArray[np.float32]
    """Mean image, (n_pixels,)."""
    components: NDArray[np.float32]
    """Rows of norm 1, (n_components, n_pixels)."""
    scale: NDArray[np.float32]
    """Standard deviation of each coordinate, (n_components,)."""


def fit_embedding(images: NDArray[np.float32], n_components: int) -> Embedding:
    """Find the components along which images vary most.

    Parameters
    ----------
    images : array of shape (n_images, n_channels, height, width)
        Training images, from -1 to 1.
    n_components : int
        How many, at most.

    Returns
    -------
    Embedding
        As many components as images allow.

    Raises
    ------
    DataError
        If all images are the same.
    """
    flat = images.reshape(len(images), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    _, values, rows = np.linalg.svd(flat - mean, full_matrices=False)
    kept = np.flatnonzero(values > 1e-6 * max(values[0], np.finfo(float).tiny))[:n_components]
    if len(images) < 2 or values[0] < 1e-6 or not len(kept):
        raise DataError(f"the {len(images)} images do not differ: there is nothing to learn")
    signs = np.sign(rows[kept, np.abs(rows[kept]).argmax(axis=1)])[:, None]  # a direction has no sign of its own
    scale = values[kept] / np.sqrt(len(images))
    return Embedding(mean.astype(np.float32), (signs * rows[kept]).astype(np.float32), scale.astype(np.float32))


def embed(images: NDArray[np.float32], embedding: Embedding) -> NDArray[np.float32]:
    """Coordinates of images.

    Parameters
    ----------
    images : array of shape (n_images, n_channels, height, width)
        From -1 to 1.
    embedding : Embedding
        Found by `fit_embedding`.

    Returns
    -------
    array of shape (n_images, n_components)
        On the scale of the pixels, so that a component that shows more varies more.
    """
    flat = images.reshape(len(images), -1).astype(np.float64)
    return np.asarray((flat - embedding.mean) @ embedding.components.T.astype(np.float64), np.float32)


def simulate_decoding(coordinates: Tensor, generator: torch.Generator, *, known: float = 0.9) -> tuple[Tensor, Tensor]:
    r"""What a decoder might say of images: posterior means, and their uncertainty.

    With reliability :math:`\rho` of a component z of variance 1,

    .. math:: m = \rho z + \sqrt{\rho (1 - \rho)}\,\varepsilon, \qquad s = \sqrt{1 - \rho},

    m is the posterior mean of z and s its standard deviation, as an optimal linear decoder gives them. Reliabilities are drawn
    anew for each image, falling along components, from nothing known to nearly everything; so one network serves any decoder.

    Parameters
    ----------
    coordinates : Tensor of shape (n_images, n_components)
        Standardised coordinates z.
    generator : torch.Generator
        Source of random numbers.
    known : float
        Share of the images of which anything is known; of the others both are as without any response (m 0, s 1).

    Returns
    -------
    means, uncertainties : Tensor of shape (n_images, n_components)
        m and s.
    """
    import torch

    n, k = coordinates.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    fall = torch.exp(-torch.arange(k) / k / torch.exp(4 * uniform(n, 1) - 2.5))
    reliability = (0.1 + 0.9 * uniform(n, 1)) * fall * (0.7 + 0.6 * uniform(n, k))
    reliability = reliability.clamp(0, 0.995) * (uniform(n, 1) < known)
    noise = torch.randn(n, k, generator=generator)
    return reliability * coordinates + (reliability * (1 - reliability)).sqrt() * noise, (1 - reliability).sqrt()


def held_out_uncertainty(predicted: NDArray[np.floating], true: NDArray[np.floating]) -> NDArray[np.float32]:
    """How uncertain each component is, from predictions for images that the decoder was not fitted on.

    The root of the mean squared error, at most the standard deviation of the truth. Predictions are meant to be posterior means,
    as those of a ridge are; refitting their slopes to a few hundred images costs more than it gains.

    Parameters
    ----------
    predicted : array of shape (n_images, n_components)
        Predictions.
    true : array of shape (n_images, n_components)
        What was to be predicted.

    Returns
    -------
    array of shape (n_components,)
        Standard deviations, on the scale of the truth.

    Raises
    ------
    DataError
        If shapes differ, there are fewer than three images, or a value is not finite.
    """
    x, y = np.asarray(predicted, float), np.asarray(true, float)
    if x.shape != y.shape or x.ndim != 2 or len(x) < 3 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError(f"expected two finite arrays (n_images, n_components) of at least 3 images, got {x.shape} and {y.shape}")
    error, spread = np.sqrt(((y - x) ** 2).mean(axis=0)), y.std(axis=0)
    return np.asarray(np.clip(error, _ROOM * spread, spread), np.float32)
