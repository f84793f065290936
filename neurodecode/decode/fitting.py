"""One fit of a linear decoder on training samples: what depends on the features alone is computed once, then any labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.decode.discriminant import fit_discriminant
from neurodecode.decode.features import anova_f, best_features, location_and_scale, rotate, squared_correlation
from neurodecode.decode.ridge import fit_ridge, prepare_ridge
from neurodecode.linear.solve import Features

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FitSettings:
    """Parameters of a fit.

    Parameters
    ----------
    estimator : str
        ``"logistic"``, ``"lda"`` or ``"ridge"``.
    C : float
        Inverse penalty of logistic regression.
    alphas : tuple of float
        Penalties of ridge to choose from.
    n_features : int or None
        Number of features to select; None for all.
    scale : bool
        Whether to standardise features.
    """

    estimator: str
    C: float = 1.0
    alphas: tuple[float, ...] = (1.0,)
    n_features: int | None = None
    scale: bool = True


class Training(NamedTuple):
    """Training features, prepared without looking at labels."""

    x: _Floats
    """Standardised features or, where `basis` is given, their coordinates; (n_samples, n_coordinates)."""
    mean: _Floats
    """Mean of each feature."""
    scale: _Floats
    """Standard deviation of each feature."""
    basis: _Floats | None
    """Directions of the coordinates, (n_features, n_coordinates)."""
    ridge: Features | None
    """Operators of the inner folds for ridge."""
    groups: NDArray[np.int64]
    """Group of each training sample, for the choice of the ridge penalty."""
    products: _Floats | None = None
    """``x' x`` for the discriminant, where samples outnumber features."""


class Weights(NamedTuple):
    """A fitted linear model in the coordinates of `Training`."""

    coef: _Floats
    """Shape (n_outputs, n_selected)."""
    intercept: _Floats
    """Shape (n_outputs,)."""
    columns: NDArray[np.int64] | None
    """Selected coordinates; None for all."""
    alpha: float | None
    """Ridge penalty chosen."""


def prepare(x: _Floats, groups: NDArray[np.int64], settings: FitSettings) -> Training:
    """Do all of a fit that does not depend on labels.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Training features.
    groups : array of shape (n_samples,)
        Group of each sample.
    settings : FitSettings
        Parameters.

    Returns
    -------
    Training
        Input of `fit`, for any number of label vectors.
    """
    mean, scale = location_and_scale(x, settings.scale)
    standard = (x - mean) / scale
    if _selects(settings, x.shape[1]):
        return Training(standard, mean, scale, None, None, groups)
    if settings.estimator == "lda":
        products = standard.T @ standard if x.shape[0] >= x.shape[1] else None
        return Training(standard, mean, scale, None, None, groups, products)
    basis = None
    if x.shape[0] < x.shape[1]:
        standard, basis = rotate(standard)
    ridge = prepare_ridge(standard, groups, np.asarray(settings.alphas, float)) if settings.estimator == "ridge" else None
    return Training(standard, mean, scale, basis, ridge, groups)


def coordinates(training: Training, x: _Floats) -> _Floats:
    """Other samples in the coordinates of the training samples."""
    standard = (x - training.mean) / training.scale
    return standard if training.basis is None else standard @ training.basis


def fit(training: Training, y: NDArray[np.generic], n_classes: int | None, settings: FitSettings) -> Weights:
    """Fit labels; feature selection happens here, on the training samples.

    Parameters
    ----------
    training : Training
        The prepared features.
    y : array of shape (n_samples,)
        Classes 0 to n_classes - 1, or target values.
    n_classes : int or None
        Number of classes; None for regression.
    settings : FitSettings
        Parameters.

    Returns
    -------
    Weights
        One output for two classes and for regression, otherwise one per class.
    """
    x, columns = training.x, None
    if _selects(settings, len(training.mean)):
        columns = best_features(_relevance(x, y, n_classes), int(settings.n_features or 0))
        x = x[:, columns]
    if n_classes is None:
        ridge = training.ridge or prepare_ridge(x, training.groups, np.asarray(settings.alphas, float))
        coef, intercept, alpha = fit_ridge(ridge, np.asarray(y, float)[:, None])
        return Weights(coef, intercept, columns, float(alpha[0]))
    coefs, intercepts = fit_classes(x, np.asarray(y, np.int64), n_classes, settings, training.products)
    return Weights(coefs, intercepts, columns, None)


def fit_each(training: Training, labels: NDArray[np.generic], n_classes: int | None, settings: FitSettings) -> Iterator[Weights]:
    """Fit many label vectors, all at once where the estimator can.

    Parameters
    ----------
    training : Training
        The prepared features.
    labels : array of shape (n_labels, n_samples)
        Label vectors.
    n_classes : int or None
        Number of classes; None for regression.
    settings : FitSettings
        Parameters.

    Yields
    ------
    Weights
        As `fit` gives them, in order.
    """
    if training.ridge is None:
        yield from (fit(training, y, n_classes, settings) for y in labels)
        return
    coefs, intercepts, alphas = fit_ridge(training.ridge, np.asarray(labels, float).T)
    for coef, intercept, alpha in zip(coefs, intercepts, alphas, strict=True):
        yield Weights(coef[None], intercept[None], None, float(alpha))


def outputs(x: _Floats, weights: Weights) -> _Floats:
    """Decision values or predictions (n_samples, n_outputs) of samples in the coordinates of `Training`."""
    chosen = x if weights.columns is None else x[:, weights.columns]
    return np.asarray(chosen @ weights.coef.T + weights.intercept)


def feature_weights(training: Training, weights: Weights) -> tuple[_Floats, _Floats]:
    """Weights (n_outputs, n_features) and offsets (n_outputs,) that apply to features as they came in."""
    coef = weights.coef if training.basis is None else weights.coef @ training.basis.T
    full: _Floats = np.zeros((len(coef), len(training.mean)))
    full[:, slice(None) if weights.columns is None else weights.columns] = coef
    full /= training.scale
    return full, weights.intercept - full @ training.mean


def haufe_pattern(x: _Floats, coef: _Floats) -> _Floats:
    """Activation pattern of a linear model: how each feature varies with what the model reads out.

    ``A = cov(X) W cov(s)^-1`` with ``s = W' X``. Weights also cancel noise and must not be read as maps; patterns may be.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Training features.
    coef : array of shape (n_outputs, n_features)
        Weights.

    Returns
    -------
    array of shape (n_outputs, n_features)
        Patterns, in units of the features per unit of the output. The pseudo-inverse stands in where outputs are linearly
        dependent, as those of more than two classes are.

    References
    ----------
    Haufe et al. (2014), NeuroImage 87, 96.
    """
    centred = x - x.mean(axis=0)
    latent = centred @ coef.T
    shared = latent.T @ centred / (len(x) - 1)
    return np.asarray(np.linalg.pinv(latent.T @ latent / (len(x) - 1), hermitian=True) @ shared)


def _selects(settings: FitSettings, n_features: int) -> bool:
    return settings.n_features is not None and settings.n_features < n_features


def _relevance(x: _Floats, y: NDArray[np.generic], n_classes: int | None) -> _Floats:
    if n_classes is None:
        return squared_correlation(x, np.asarray(y, float))
    return anova_f(x, np.asarray(y, np.int64), n_classes)


def fit_classes(
    x: _Floats, y: NDArray[np.int64], n_classes: int, settings: FitSettings, products: _Floats | None = None
) -> tuple[_Floats, _Floats]:
    """Weights and offsets of a classifier, also where permuted labels left a rare class out of the training part.

    Parameters
    ----------
    x : array of shape (n_samples, n_features), or (..., n_samples, n_features) for ``"lda"``
        Training features.
    y : array of shape (n_samples,)
        Classes, 0 to n_classes - 1.
    n_classes : int
        Number of classes.
    settings : FitSettings
        Parameters.
    products : array of shape (n_features, n_features), optional
        ``x' x`` where it is known; for ``"lda"``.

    Returns
    -------
    coef : array of shape (..., n_outputs, n_features)
        Weights; 0 for a class without samples.
    intercept : array of shape (..., n_outputs)
        Offsets; minus infinity for a class without samples.
    """
    present = np.unique(y)
    k = len(present)
    if k == n_classes:
        return _fit_all_classes(x, y, k, settings, products)
    coef, intercept = np.zeros((*x.shape[:-2], n_classes, x.shape[-1])), np.full((*x.shape[:-2], n_classes), -np.inf)
    intercept[..., present] = 0.0
    if k > 1:
        part, offset = _fit_all_classes(x, np.searchsorted(present, y), k, settings, products)
        coef[..., present, :] = part if k > 2 else np.concatenate([-part, part], axis=-2) / 2
        intercept[..., present] = offset if k > 2 else np.concatenate([-offset, offset], axis=-1) / 2
    if n_classes == 2:  # one class only: the same decision for every sample
        return coef[..., 1:, :], np.full((*x.shape[:-2], 1), 1.0 if present[0] else -1.0)
    return coef, intercept


def _fit_all_classes(
    x: _Floats, y: NDArray[np.int64], n_classes: int, settings: FitSettings, products: _Floats | None
) -> tuple[_Floats, _Floats]:
    if settings.estimator == "lda":
        return fit_discriminant(x, y, n_classes, products)
    return fit_logistic(x, y, settings.C)


def fit_logistic(x: _Floats, y: NDArray[np.int64], C: float) -> tuple[_Floats, _Floats]:
    """Weights of logistic regression (softmax over more than two classes) with an L2 penalty.

    Minimises ``C * sum of -log p(y_i) + |w|^2 / 2`` by scikit-learn's Newton conjugate gradients (at this
    precision faster than its default solver), after rotating to as many coordinates as there are samples where features
    outnumber them (exact; see `rotate`).

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Training features.
    y : array of shape (n_samples,)
        Class of each sample; all classes occur.
    C : float
        Inverse penalty.

    Returns
    -------
    coef : array of shape (n_classes, n_features)
        Weights; (1, n_features) for two classes.
    intercept : array of shape (n_classes,)
        Offsets; (1,) for two classes.
    """
    from sklearn.linear_model import LogisticRegression

    basis = None
    if x.shape[0] < x.shape[1]:
        x, basis = rotate(x)
    model = LogisticRegression(C=C, solver="newton-cg", tol=1e-6, max_iter=2000).fit(x, y)
    return (model.coef_ if basis is None else model.coef_ @ basis.T), model.intercept_
