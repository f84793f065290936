"""A small diffusion model that a lab trains on its own stimuli in minutes, on two processor cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.hashing import sha256_array
from neurodecode.data.parameters import Parameters
from neurodecode.data.validate import check_positive
from neurodecode.errors import DataError
from neurodecode.generate.compaction import as_images, enlarge, find_compaction, shrink
from neurodecode.generate.conditions import embed, fit_embedding
from neurodecode.generate.network import (
    build_network,
    denoise,
    from_patches,
    in_batches,
    sampling_times,
    scheduler,
    start_noise,
    to_patches,
)
from neurodecode.generate.protocol import sample_seeds
from neurodecode.generate.training import Lesson, train_denoiser

if TYPE_CHECKING:
    from torch import Tensor

_Images = NDArray[np.uint8]


@dataclass(eq=False)
class TinyDiffusion(Parameters):
    """A conditional diffusion model of small images: UNet and schedulers of diffusers, conditions from principal components.

    Conditions are the coordinates of an image on the principal components of the training images, and how uncertain each is.
    Training simulates decoders of any quality, so that one model serves every subject and fold; a decoder gives what it
    predicts, with the uncertainty that it finds by cross-validation (`held_out_uncertainty`). Images that were enlarged by a
    whole number or are grey are learned at their own size and made large again, so nothing is lost by that.

    Train it on images that no decoder is tested on; `has_seen` tells which it knows.

    Parameters
    ----------
    size : int or "auto"
        Longest side inside the network, in pixels; by default that of the images before they were enlarged, at most 32.
    channels : sequence of int
        Width of each level of the UNet, multiples of 8.
    steps : int
        Training steps.
    batch_size : int
        Images of a step.
    learning_rate : float
        Highest rate of the one-cycle schedule.
    n_components : int
        Principal components, at most.
    patch : int
        Side of the patches of pixels that become channels.
    guidance : float
        Weight of the conditions against none where `generate` is not told another: 1 samples the distribution that was learned,
        more keeps closer to the conditions.
    temperature : float
        Standard deviation of the noise that sampling starts from: 1 samples the distribution that was learned, less gives
        likelier pictures that differ less from each other.
    device : str
        Where it computes, e.g. ``cpu`` or ``cuda``.
    random_state : int
        Seed of weights and training.

    Attributes
    ----------
    compaction_ : Compaction
        Size of the images, and inside.
    embedding_ : Embedding
        Principal components.
    network_ : torch.nn.ModuleDict
        The trained network.
    losses_ : array of shape (steps,)
        Mean squared error of the velocity in each step.
    digests_ : list of str
        Hashes of the training images.

    Raises
    ------
    DataError
        If a parameter is out of range.

    References
    ----------
    Ho, Jain, Abbeel: Denoising diffusion probabilistic models, NeurIPS (2020); Song, Meng, Ermon: Denoising diffusion implicit
    models, ICLR (2021); Ho, Salimans: Classifier-free diffusion guidance, arXiv:2207.12598 (2022).
    """

    _: KW_ONLY
    size: int | str = "auto"
    channels: Sequence[int] = (32, 64)
    steps: int = 2000
    batch_size: int = 64
    learning_rate: float = 2e-3
    n_components: int = 40
    patch: int = 2
    guidance: float = 1.25
    temperature: float = 0.2
    device: str = "cpu"
    random_state: int = 0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "guidance"):
            check_positive(name, getattr(self, name))
        counts = {name: getattr(self, name) for name in ("steps", "batch_size", "n_components", "patch")}
        if min(counts.values()) < 1 or self.temperature < 0 or self.random_state < 0:
            raise DataError(
                f"expected counts of at least 1 and temperature and random_state of at least 0, got {counts}, {self.temperature} "
                f"and {self.random_state}"
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the embeddings that `generate` must be given."""
        return ("embedding",)

    @property
    def optional(self) -> tuple[str, ...]:
        """Names of what it may be given besides: the standard deviation of each component, 0 where it is left out."""
        return ("uncertainty",)

    @property
    def target_spec(self) -> dict[str, tuple[int, ...]]:
        """Shape of the embedding of one image."""
        self._check_fitted()
        return {"embedding": (len(self.embedding_.scale),)}

    def fit(self, stimuli: Any) -> TinyDiffusion:
        """Train on images, with a progress bar.

        Parameters
        ----------
        stimuli : Stimuli or array of shape (n_images, height, width, 3)
            Images of one size, uint8.

        Returns
        -------
        TinyDiffusion
            This object.

        Raises
        ------
        DataError
            If these are no images of one size, or all the same.
        MissingDependencyError
            If torch or diffusers is not installed.
        """
        images = as_images(stimuli)
        how = find_compaction(images, self.size)
        small = shrink(images, how)
        embedding = fit_embedding(small, self.n_components)
        network = build_network(how, self.channels, self.patch, len(embedding.scale), self.random_state).to(self.device)
        coordinates = self._tensor(embed(small, embedding) / embedding.scale)
        patches = to_patches(self._tensor(small), self.patch, len(self.channels))
        lesson = Lesson(patches, coordinates, self.steps, self.batch_size, self.learning_rate, self.random_state)
        self.losses_ = train_denoiser(network, lesson)
        self.compaction_, self.embedding_, self.network_ = how, embedding, network
        self.digests_ = sorted({sha256_array(image) for image in images})
        return self

    def encode_targets(self, images: _Images) -> dict[str, NDArray[np.float32]]:
        """Coordinates of images on the principal components: what a decoder learns to predict.

        Parameters
        ----------
        images : Stimuli or array of shape (n_images, height, width, 3)
            Images of the size fitted on, uint8.

        Returns
        -------
        dict
            ``embedding``, (n_images, n_components), on the scale of pixels from -1 to 1.

        Raises
        ------
        DataError
            If the generator is not fitted, or images have another size.
        """
        self._check_fitted()
        return {"embedding": embed(shrink(as_images(images), self.compaction_), self.embedding_)}

    def has_seen(self, images: _Images) -> NDArray[np.bool_]:
        """Which images are among those it was trained on.

        Parameters
        ----------
        images : Stimuli or array of shape (n_images, height, width, 3)
            Images, uint8.

        Returns
        -------
        array of shape (n_images,)
            True where it was trained on the image.

        Raises
        ------
        DataError
            If the generator is not fitted.
        """
        self._check_fitted()
        known = set(self.digests_)
        return np.array([sha256_array(image) in known for image in as_images(images)])

    def generate(
        self,
        conditions: Mapping[str, NDArray[Any]],
        *,
        init: _Images | None = None,
        strength: float = 1.0,
        guidance: float | None = None,
        steps: int = 20,
        seed: int | Sequence[int] = 0,
    ) -> _Images:
        """Make one picture per condition, by deterministic steps (DDIM) from noise.

        Parameters
        ----------
        conditions : mapping
            ``embedding``, (n_images, n_components), and optionally ``uncertainty`` of the same shape, the
            standard deviation of each component; without it the embedding is taken as exact.
        init : array of shape (n_images, height, width, 3), optional
            Images to start from, e.g. those of a ridge.
        strength : float
            How far to leave `init`: 1 starts from noise alone.
        guidance : float, optional
            By default that of the constructor.
        steps : int
            Steps from noise alone.
        seed : int or sequence of int
            One per image, or one from which those of all are made; nothing depends on what else is made.

        Returns
        -------
        array of shape (n_images, height, width, 3)
            Pictures, uint8.

        Raises
        ------
        DataError
            If the generator is not fitted, or shapes or numbers do not fit.
        """
        import torch

        self._check_fitted()
        told = self._standardised(conditions)
        seeds, times = sample_seeds(seed, len(told)), sampling_times(steps, strength if init is not None else 1.0)
        start = self._start(init, seeds, times[0], strength)
        weight = check_positive("guidance", self.guidance if guidance is None else guidance)
        made = torch.zeros_like(start)
        with torch.inference_mode():
            for rows in in_batches(len(told)):
                noisy, conditions_here = start[rows].to(self.device), told[rows].to(self.device)
                made[rows] = denoise(self.network_, noisy, conditions_here, times, steps, weight).cpu()
        return enlarge(from_patches(made, self.patch, self.compaction_.size).numpy(), self.compaction_)

    def save(self, folder: str | Path) -> Path:
        """Write the generator: ``config.json`` and ``model.safetensors``, nothing that could run.

        Parameters
        ----------
        folder : str or Path
            Appears whole or not at all; an older model of that name is replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            If the generator is not fitted.
        """
        from neurodecode.generate.storage import save_tiny

        self._check_fitted()
        return save_tiny(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> TinyDiffusion:
        """Read a generator that `save` wrote.

        Parameters
        ----------
        folder : str or Path
            Its folder.

        Returns
        -------
        TinyDiffusion
            Fitted, on the CPU.

        Raises
        ------
        CorruptFileError
            If a file is missing, cut short or altered.
        FormatError
            If the folder holds something else, or a newer version.
        """
        from neurodecode.generate.storage import load_tiny

        return load_tiny(Path(folder))

    def _check_fitted(self) -> None:
        if not hasattr(self, "network_"):
            raise DataError(f"this {type(self).__name__} is not fitted: call fit, or load a saved one")

    def _standardised(self, conditions: Mapping[str, NDArray[Any]]) -> Tensor:
        """Conditions (n_images, 2 * n_components) as the network knows them."""
        unknown = set(conditions) - {*self.needs, *self.optional}
        if unknown or "embedding" not in conditions:
            raise DataError(f"conditions must hold 'embedding' and may hold 'uncertainty', got {sorted(conditions)}")
        means = np.asarray(conditions["embedding"], np.float32)
        spread = np.asarray(conditions.get("uncertainty", np.zeros_like(means)), np.float32)
        expected = self.target_spec["embedding"]
        if means.shape[1:] != expected or spread.shape != means.shape or not len(means):
            raise DataError(f"conditions must have the shape (n_images, {expected[0]}), got {means.shape} and {spread.shape}")
        if not (np.isfinite(means).all() and np.isfinite(spread).all()) or spread.min() < 0:
            raise DataError(f"conditions must be finite and uncertainties at least 0, the lowest is {spread.min()}")
        scale = self.embedding_.scale
        return self._tensor(np.hstack([means / scale, np.clip(spread / scale, 0, 1)]))

    def _start(self, init: _Images | None, seeds: Sequence[int], time: int, strength: float) -> Tensor:
        """Patches from which sampling starts: noise, or images with noise."""
        import torch

        inside = self._tensor(np.zeros((1, self.compaction_.n_channels, *self.compaction_.size)))
        shape = tuple(to_patches(inside, self.patch, len(self.channels)).shape[1:])
        noise = self.temperature * start_noise(seeds, shape)
        if init is None or strength == 1:
            return noise
        images = as_images(init)
        if len(images) != len(seeds):
            raise DataError(f"init has {len(images)} images, conditions {len(seeds)}")
        patches = to_patches(self._tensor(shrink(images, self.compaction_)), self.patch, len(self.channels))
        noisy: Tensor = scheduler("DDPMScheduler").add_noise(patches, noise, torch.full((len(images),), time))
        return noisy

    @staticmethod
    def _tensor(values: Any) -> Tensor:
        import torch

        return torch.as_tensor(values, dtype=torch.float32)
