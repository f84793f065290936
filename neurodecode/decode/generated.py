"""Images by a generator from what a ridge predicts of its embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.parameters import Parameters
from neurodecode.decode.features import best_features, location_and_scale
from neurodecode.decode.ridge import fit_ridge, inner_folds, prepare_ridge
from neurodecode.errors import DataError
from neurodecode.generate.conditions import held_out_uncertainty
from neurodecode.generate.protocol import Generator, generate_samples

_Floats = NDArray[np.float64]
_ALPHAS = tuple(float(a) for a in np.logspace(0, 8, 17))


@dataclass(eq=False)
class GeneratorReconstructor(Parameters):
    """Ridge regression from features to a generator's embedding, then pictures; the mean of several samples by default.

    How uncertain each component of the prediction is, is found on inner folds of the training groups
    (`neurodecode.generate.held_out_uncertainty`) and told to a generator that takes it. The generator must be trained already,
    on images that are not tested; `neurodecode.decode.reconstruct` refuses one that has seen them.

    Parameters
    ----------
    generator : Generator
        Fitted, with a single embedding of shape (n_components,) that it needs, e.g. `neurodecode.generate.TinyDiffusion`.
    n_samples : int
        Samples that are averaged; 1 for a single one, which is sharper and less often right.
    n_features : int, optional
        Keep this many features, those that vary most with the embedding. By default all.
    steps : int
        Steps of the sampler.
    guidance : float, optional
        By default the generator's own.
    alphas : sequence of float
        Penalties to choose from, one for each component.
    random_state : int
        Seed of the samples.

    Attributes
    ----------
    coef_ : array of shape (n_features, n_components)
        Weights of the features as they came in; 0 for features not kept.
    intercept_ : array of shape (n_components,)
        Offsets.
    uncertainty_ : array of shape (n_components,)
        Error of predictions for inner held-out groups.

    Raises
    ------
    DataError
        If a parameter is out of range.
    """

    generator: Generator
    _: KW_ONLY
    n_samples: int = 8
    n_features: int | None = None
    steps: int = 20
    guidance: float | None = None
    alphas: Sequence[float] = _ALPHAS
    random_state: int = 0

    def __post_init__(self) -> None:
        if len(self.generator.needs) != 1:
            raise DataError(f"the generator must need one embedding, it needs {list(self.generator.needs)}")
        counts = {"n_samples": self.n_samples, "n_features": 1 if self.n_features is None else self.n_features}
        if min(counts.values()) < 1 or not len(self.alphas) or min(self.alphas) <= 0:
            raise DataError(f"expected counts of at least 1 and penalties above 0, got {counts} and {list(self.alphas)}")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters as a report tells them; the generator by its own description.

        Parameters
        ----------
        deep : bool
            Without effect.

        Returns
        -------
        dict
            Values by name.
        """
        return {**super().get_params(deep), "generator": f"{self.generator!r:.500}"}

    def has_seen(self, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which images the generator was trained on, as far as it can tell.

        Parameters
        ----------
        images : array of shape (n_images, height, width, 3)
            Images, uint8.

        Returns
        -------
        array of shape (n_images,)
            True where it was trained on the image.
        """
        if not hasattr(self.generator, "has_seen"):
            return np.zeros(len(images), bool)
        return np.asarray(self.generator.has_seen(images))

    def fit(self, features: _Floats, images: NDArray[np.uint8], groups: NDArray[np.int64]) -> GeneratorReconstructor:
        """Learn the embedding from training samples; the generator stays as it is.

        Parameters
        ----------
        features : array of shape (n_samples, n_features)
            Responses, finite.
        images : array of shape (n_samples, height, width, 3)
            What was shown.
        groups : array of shape (n_samples,)
            Groups kept together when penalties and uncertainties are found.

        Returns
        -------
        GeneratorReconstructor
            This object.

        Raises
        ------
        DataError
            If lengths differ, or there are fewer than three samples.
        """
        lengths = [len(features), len(images), len(groups)]
        if len(set(lengths)) > 1 or lengths[0] < 3:
            raise DataError(f"features, images and groups must have one length of at least 3, got {lengths}")
        targets = np.asarray(self.generator.encode_targets(images)[self.generator.needs[0]], float)
        if targets.ndim != 2:
            raise DataError(f"the embedding must be (n_images, n_components), got {targets.shape}")
        held_out = np.zeros_like(targets)
        for split in inner_folds(groups):
            coef, intercept = self._ridge(features[split.train], targets[split.train], groups[split.train])
            held_out[split.test] = features[split.test] @ coef + intercept
        self.uncertainty_ = held_out_uncertainty(held_out, targets)
        self.coef_, self.intercept_ = self._ridge(features, targets, groups)
        return self

    def conditions(self, features: _Floats) -> dict[str, NDArray[np.float32]]:
        """What the generator is told.

        Parameters
        ----------
        features : array of shape (n_samples, n_features)
            Responses.

        Returns
        -------
        dict
            The embedding under its name, and ``uncertainty`` where the generator takes it.

        Raises
        ------
        DataError
            If the reconstructor is not fitted, or was fitted on another number of features.
        """
        if not hasattr(self, "coef_"):
            raise DataError(f"this {type(self).__name__} is not fitted: call fit first")
        if features.ndim != 2 or features.shape[1] != len(self.coef_):
            raise DataError(f"features have shape {features.shape}, the reconstructor was fitted on {len(self.coef_)} features")
        embedding = np.asarray(features @ self.coef_ + self.intercept_, np.float32)
        told = {self.generator.needs[0]: embedding}
        if "uncertainty" in getattr(self.generator, "optional", ()):
            told["uncertainty"] = np.tile(self.uncertainty_, (len(embedding), 1))
        return told

    def samples(self, features: _Floats) -> NDArray[np.uint8]:
        """Make several pictures of each sample.

        Parameters
        ----------
        features : array of shape (n_samples, n_features)
            Responses.

        Returns
        -------
        array of shape (self.n_samples, n_samples, height, width, 3)
            Pictures, uint8.
        """
        options = {"steps": self.steps, "guidance": self.guidance}
        return generate_samples(self.generator, self.conditions(features), self.n_samples, seed=self.random_state, **options)

    def predict(self, features: _Floats) -> _Floats:
        """Make images: the mean over samples.

        Parameters
        ----------
        features : array of shape (n_samples, n_features)
            Responses of the units fitted on.

        Returns
        -------
        array of shape (n_samples, height, width, 3)
            Brightness, 0 to 255.
        """
        return np.asarray(self.samples(features).mean(axis=0, dtype=np.float64))

    def _ridge(self, features: _Floats, targets: _Floats, groups: NDArray[np.int64]) -> tuple[_Floats, _Floats]:
        """Weights of the features as they came in (n_features, n_components) and offsets."""
        mean, deviation = location_and_scale(features)
        x = (features - mean) / deviation
        kept = np.arange(x.shape[1])
        if self.n_features is not None and self.n_features < len(kept):
            centred = targets - targets.mean(axis=0)
            kept = best_features(np.sum((centred.T @ x) ** 2, axis=0), self.n_features)
        weights, offsets, _ = fit_ridge(prepare_ridge(x[:, kept], groups, np.asarray(self.alphas, float)), targets)
        coef = np.zeros((x.shape[1], targets.shape[1]))
        coef[kept] = weights.T / deviation[kept, None]
        return coef, offsets - mean @ coef
