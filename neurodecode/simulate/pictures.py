"""Toy pictures that are linear in a latent, so that what a decoder's latent shows can be scored against what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from neurodecode.errors import DataError
from neurodecode.simulate.truth import item_generator

_Images = NDArray[np.uint8]

_CONTRAST = 0.15  # standard deviation of a pixel, of full brightness


class LinearPictures:
    r"""Pictures :math:`0.5 + 0.15 \sum_f z_f P_f` of latents z of length 1, with smooth patterns P.

    A generator as those of `neurodecode.generate`: without weights, without chance, and with an encoder that inverts it up to the
    256 levels of a pixel.

    Parameters
    ----------
    n_features : int
        Dimensions of a latent.
    size : int
        Height and width, pixels.
    random_state : int
        Seed of the patterns.

    Raises
    ------
    DataError
        If pictures of this size cannot tell so many dimensions apart.
    """

    needs = ("latent",)

    def __init__(self, n_features: int = 64, *, size: int = 16, random_state: int = 0) -> None:
        if not 1 <= n_features <= size**2:
            raise DataError(f"pictures of {size} x {size} pixels show 1 to {size**2} dimensions, got n_features={n_features}")
        self.n_features, self.size, self.random_state = n_features, size, random_state

    @property
    def target_spec(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of the latent of one picture."""
        return {"latent": (self.n_features,)}

    @cached_property
    def patterns(self) -> NDArray[np.float64]:
        """Smooth patterns, shape (n_features, size * size * 3), each of mean square 1."""
        frequency = np.hypot(*np.meshgrid(np.arange(self.size), np.arange(self.size)))
        rng = item_generator(self.random_state, "patterns")
        modes = rng.standard_normal((self.n_features, self.size, self.size, 3)) / (1.0 + frequency[..., None])
        smooth = fft.idctn(modes, axes=(1, 2), norm="ortho").reshape(self.n_features, -1)
        return np.asarray(smooth / np.sqrt((smooth**2).mean(axis=1, keepdims=True)))

    def encode_targets(self, images: _Images) -> dict[str, NDArray[np.float32]]:
        """Latents of pictures, by least squares.

        Parameters
        ----------
        images : array of shape (n_images, size, size, 3)
            Pictures, uint8.

        Returns
        -------
        dict
            ``latent`` (n_images, n_features).
        """
        ink = (np.asarray(images, float).reshape(len(images), -1) / 255.0 - 0.5) / _CONTRAST
        return {"latent": np.linalg.lstsq(self.patterns.T, ink.T, rcond=None)[0].T.astype(np.float32)}

    def generate(
        self,
        conditions: Mapping[str, Any],
        *,
        init: _Images | None = None,
        strength: float = 1.0,
        guidance: float | None = None,
        steps: int = 1,
        seed: int | Sequence[int] = 0,
    ) -> _Images:
        """Draw the picture of each latent.

        Parameters
        ----------
        conditions : mapping
            ``latent`` (n_images, n_features); each is scaled to length 1.
        init, strength, guidance, steps, seed : object
            Those of any generator; nothing here depends on them.

        Returns
        -------
        array of shape (n_images, size, size, 3)
            Pictures, uint8.

        Raises
        ------
        DataError
            If there is no latent, or it has another shape.
        """
        latent = np.asarray(conditions.get("latent", np.nan), float)
        if latent.ndim != 2 or latent.shape[1] != self.n_features:
            raise DataError(
                f"pictures need 'latent' of shape (n_images, {self.n_features}), got {latent.shape} in {list(conditions)}"
            )
        length = np.maximum(np.linalg.norm(latent, axis=1, keepdims=True), np.finfo(float).tiny)
        light = np.clip(0.5 + _CONTRAST * (latent / length) @ self.patterns, 0.0, 1.0)
        return np.asarray(np.round(255.0 * light), np.uint8).reshape(len(latent), self.size, self.size, 3)
