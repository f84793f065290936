"""What turns features of responses into images: the protocol, and ridge regression as its first member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.parameters import Parameters
from neurodecode.decode.features import best_features, location_and_scale
from neurodecode.decode.ridge import fit_ridge, prepare_ridge
from neurodecode.errors import DataError

_Floats = NDArray[np.float64]
_ALPHAS = tuple(float(a) for a in np.logspace(0, 8, 17))


class Reconstructor(Protocol):
    """Anything that learns images from features: a ridge, or a generator that starts from one.

    `neurodecode.decode.reconstruct` fits a shallow copy per fold and never looks inside, so that a method need only have these
    two functions; folds, leak checks, scores, chance, baseline and report stay as they are. `fit` must forget an earlier fit
    and assign new attributes rather than change those in place. Parameters that ``get_params()`` returns, where there is such a
    method, are told in the report.
    """

    def fit(self, features: _Floats, images: NDArray[np.uint8], groups: NDArray[np.int64]) -> Any:
        """Learn from training samples.

        Parameters
        ----------
        features : array of shape (n_samples, n_features)
            Responses, as they came in: scaling is the task of the reconstructor.
        images : array of shape (n_samples, height, width, 3)
            What was shown in each sample, uint8.
        groups : array of shape (n_samples,)
            Group of each sample; whatever is chosen by cross-validation keeps groups together.
        """

    def predict(self, features: _Floats) -> _Floats:
        """Make images.

        Parameters
        ----------
        features : array of shape (n_samples, n_features)
            Responses.

        Returns
        -------
        array of shape (n_samples, height, width, 3)
            Brightness on the scale 0 to 255; values outside are cut off by `neurodecode.decode.reconstruct`.
        """


@dataclass(eq=False)
class RidgeReconstructor(Parameters):
    """Ridge regression from features to the principal components of the training images.

    ``image = mean + sum_k V_k (x w_k)`` with ``V_k`` the components and ``w_k = (X'X + alpha_k I)^-1 X' V_k' (Y - mean)``. Each
    component has its own penalty, chosen on inner folds of the training groups, so that what the responses do not tell about
    stays at the mean image. Linear in the pixels, hence blurred where the responses are noisy.

    Parameters
    ----------
    n_features : int, optional
        Keep this many features, those that vary most with the training images (``x' Y Y' x`` of the standardised feature). By
        default all.
    alphas : sequence of float
        Penalties to choose from.

    Attributes
    ----------
    components_ : array of shape (n_components, n_pixels)
        Principal components of the training images.
    coef_ : array of shape (n_features, n_components)
        Weights of the features as they came in; 0 for features not kept.
    intercept_ : array of shape (n_components,)
        Offsets.
    alpha_ : array of shape (n_components,)
        Penalties chosen.
    mean_image_ : array of shape (height, width, 3)
        Mean training image.

    Raises
    ------
    DataError
        If a parameter is out of range.
    """

    _: KW_ONLY
    n_features: int | None = None
    alphas: Sequence[float] = _ALPHAS

    def __post_init__(self) -> None:
        if not len(self.alphas) or min(self.alphas) <= 0:
            raise DataError(f"alphas must be at least one number, all above 0, got {list(self.alphas)}")
        if self.n_features is not None and self.n_features < 1:
            raise DataError(f"n_features must be at least 1, or None for all, got {self.n_features}")

    def fit(self, features: _Floats, images: NDArray[np.uint8], groups: NDArray[np.int64]) -> RidgeReconstructor:
        """Learn from training samples.

        Parameters
        ----------
        features : array of shape (n_samples, n_features)
            Responses, finite.
        images : array of shape (n_samples, height, width, 3)
            What was shown.
        groups : array of shape (n_samples,)
            Groups kept together when penalties are chosen.

        Returns
        -------
        RidgeReconstructor
            This object.

        Raises
        ------
        DataError
            If lengths differ, or there are fewer than three samples.
        """
        lengths = [len(features), len(images), len(groups)]
        if len(set(lengths)) > 1 or lengths[0] < 3:
            raise DataError(f"features, images and groups must have one length of at least 3, got {lengths}")
        pixels = images.reshape(len(images), -1).astype(float)
        self.mean_image_ = images.mean(axis=0)
        scores, self.components_ = _principal_components(pixels - pixels.mean(axis=0))
        mean, deviation = location_and_scale(features)
        x = (features - mean) / deviation
        kept = self._kept(x, scores)
        weights, offsets, self.alpha_ = _fit_each(x[:, kept], scores, groups, np.asarray(self.alphas, float))
        self.coef_ = np.zeros((x.shape[1], len(offsets)))
        self.coef_[kept] = weights / deviation[kept, None]
        self.intercept_ = offsets - mean @ self.coef_
        return self

    def _kept(self, x: _Floats, scores: _Floats) -> NDArray[np.int64]:
        """Features that vary most with the images."""
        if self.n_features is None or self.n_features >= x.shape[1]:
            return np.arange(x.shape[1])
        return best_features(np.sum((scores.T @ x) ** 2, axis=0), self.n_features)

    def predict(self, features: _Floats) -> _Floats:
        """Make images.

        Parameters
        ----------
        features : array of shape (n_samples, n_features)
            Responses of the units fitted on.

        Returns
        -------
        array of shape (n_samples, height, width, 3)
            Brightness; it may leave the range of 0 to 255.

        Raises
        ------
        DataError
            If the reconstructor is not fitted, or was fitted on another number of features.
        """
        if not hasattr(self, "coef_"):
            raise DataError(f"this {type(self).__name__} is not fitted: call fit first")
        if features.ndim != 2 or features.shape[1] != len(self.coef_):
            raise DataError(f"features have shape {features.shape}, the reconstructor was fitted on {len(self.coef_)} features")
        change = (features @ self.coef_ + self.intercept_) @ self.components_
        return np.asarray(self.mean_image_ + change.reshape(len(features), *self.mean_image_.shape))


def _principal_components(centred: _Floats) -> tuple[_Floats, _Floats]:
    """Scores (n_samples, n_components) and components (n_components, n_pixels) of centred images."""
    left, values, right = np.linalg.svd(centred, full_matrices=False)
    kept = values > 1e-10 * max(values[0], np.finfo(float).tiny)
    return left[:, kept] * values[kept], right[kept]


def _fit_each(x: _Floats, scores: _Floats, groups: NDArray[np.int64], alphas: _Floats) -> tuple[_Floats, _Floats, _Floats]:
    """Ridge weights (n_features, n_components), offsets and penalties, one per component."""
    weights, offsets, chosen = fit_ridge(prepare_ridge(x, groups, alphas), scores)
    return weights.T, offsets, chosen


@dataclass(eq=False)
class MeanImage(Parameters):
    """The mean training image whatever the responses are: the baseline that every table of reconstructions needs.

    Attributes
    ----------
    image_ : array of shape (height, width, 3)
        Mean brightness, 0 to 255.
    """

    def fit(self, features: _Floats, images: NDArray[np.uint8], groups: NDArray[np.int64]) -> MeanImage:
        """Average the images.

        Parameters
        ----------
        features : array of shape (n_samples, n_features)
            Not used.
        images : array of shape (n_samples, height, width, 3)
            What was shown.
        groups : array of shape (n_samples,)
            Not used.

        Returns
        -------
        MeanImage
            This object.
        """
        self.image_ = np.asarray(images.mean(axis=0, dtype=np.float64))
        return self

    def predict(self, features: _Floats) -> _Floats:
        """Show it for every sample.

        Parameters
        ----------
        features : array of shape (n_samples, n_features)
            Only their number counts.

        Returns
        -------
        array of shape (n_samples, height, width, 3)
            Brightness, 0 to 255.

        Raises
        ------
        DataError
            If it is not fitted.
        """
        if not hasattr(self, "image_"):
            raise DataError(f"this {type(self).__name__} is not fitted: call fit first")
        return np.repeat(self.image_[None], len(features), axis=0)
