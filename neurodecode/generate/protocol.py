"""What every generator can do, and several samples of one condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError

_Images = NDArray[np.uint8]
Conditions = Mapping[str, NDArray[Any]]


class Generator(Protocol):
    """Anything that makes pictures from embeddings.

    A decoder learns `encode_targets` of the images that were shown, and `generate` takes what it predicts, so that the targets
    of a decoder and the generator always match. A constructor never calls a hub.
    """

    @property
    def needs(self) -> Sequence[str]:
        """Names of the embeddings that `generate` must be given."""

    @property
    def target_spec(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each embedding of one image, by name."""

    def encode_targets(self, images: _Images) -> dict[str, NDArray[np.float32]]:
        """Embed images with the generator's own encoders.

        Parameters
        ----------
        images : array of shape (n_images, height, width, 3)
            What was shown, uint8.

        Returns
        -------
        dict
            An array (n_images, ...) for each name in `needs`.
        """

    def generate(
        self,
        conditions: Conditions,
        *,
        init: _Images | None = None,
        strength: float = 1.0,
        guidance: float | None = None,
        steps: int = 20,
        seed: int | Sequence[int] = 0,
    ) -> _Images:
        """Make one picture per condition.

        Parameters
        ----------
        conditions : mapping
            An array (n_images, ...) for each name in `needs`.
        init : array of shape (n_images, height, width, 3), optional
            Images to start from, uint8.
        strength : float
            How far to leave `init`: 1 starts from noise alone.
        guidance : float, optional
            Weight of the conditions against none; by default the generator's own.
        steps : int
            Steps of the sampler.
        seed : int or sequence of int
            One seed per image, or one from which those of all images are made. An image depends on its own conditions and seed,
            not on the others that are made with it.

        Returns
        -------
        array of shape (n_images, height, width, 3)
            Pictures, uint8.
        """


def sample_seeds(seed: int | Sequence[int], n: int) -> list[int]:
    """One seed per sample.

    Parameters
    ----------
    seed : int or sequence of int
        Not negative. The seeds made from one number do not depend on how many samples there are.
    n : int
        Number of samples.

    Returns
    -------
    list of int
        As long as there are samples.

    Raises
    ------
    DataError
        If there are more or fewer seeds than samples, or one is negative.
    """
    given = [int(s) for s in np.atleast_1d(np.asarray(seed))]
    if min(given, default=0) < 0 or (np.ndim(seed) and len(given) != n):
        raise DataError(f"seed must be one number of at least 0, or {n} of them (one per sample), got {seed!s:.100}")
    if np.ndim(seed):
        return given
    return [int(np.random.SeedSequence([given[0], i]).generate_state(1, np.uint64)[0] >> np.uint64(1)) for i in range(n)]


def generate_samples(generator: Generator, conditions: Conditions, n_samples: int, *, seed: int = 0, **options: Any) -> _Images:
    """Make several pictures of each condition.

    Parameters
    ----------
    generator : Generator
        What makes them.
    conditions : mapping
        As `Generator.generate` takes them, for n_images images.
    n_samples : int
        Pictures of each.
    seed : int
        Seed; the first pictures are the same however many follow.
    **options
        Passed on: ``init``, ``strength``, ``guidance``, ``steps``.

    Returns
    -------
    array of shape (n_samples, n_images, height, width, 3)
        Pictures, uint8; the first of them for example is ``[0]``.

    Raises
    ------
    DataError
        If `n_samples` is below 1.
    """
    if n_samples < 1:
        raise DataError(f"n_samples must be at least 1, got {n_samples}")
    return np.stack([generator.generate(conditions, seed=s, **options) for s in sample_seeds(seed, n_samples)])


def mean_of_samples(samples: _Images) -> _Images:
    """Average several pictures of each condition, which errs less in each pixel than any one of them, and is less sharp.

    Parameters
    ----------
    samples : array of shape (n_samples, n_images, height, width, 3)
        Pictures, uint8, as `generate_samples` gives them.

    Returns
    -------
    array of shape (n_images, height, width, 3)
        Mean over samples, rounded, uint8.

    Raises
    ------
    DataError
        If the shape or the type is another.
    """
    if samples.ndim != 5 or samples.dtype != np.uint8 or not len(samples):
        raise DataError(f"samples must be uint8 (n_samples, n_images, H, W, 3), got {samples.dtype} of shape {samples.shape}")
    return np.asarray(np.rint(samples.mean(axis=0, dtype=np.float64)), np.uint8)
