"""The decoders' ridge: the one of `neurodecode.linear`, its penalty chosen by squared error inside the training samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.splits import Split
from neurodecode.linear.backend import get_backend
from neurodecode.linear.scoring import Errors
from neurodecode.linear.solve import Features, Settings, feature_weights, intercepts, prepare_features, solve_targets

_Floats = NDArray[np.float64]
_MAX_INNER = 5
_AT_ONCE = 32  # targets; always as many, so that a permutation gives the same bits whichever others are computed with it


def inner_folds(groups: NDArray[np.int64]) -> list[Split]:
    """At most five folds that hold out whole groups; stretches of samples where there is one group only."""
    names = np.unique(groups)
    codes = np.searchsorted(names, groups)
    if len(names) < 2:
        codes = np.arange(len(groups)) * _MAX_INNER // len(groups)
    folds = codes % _MAX_INNER
    return [Split(np.flatnonzero(folds != f), np.flatnonzero(folds == f), f"fold={f}") for f in np.unique(folds)]


def prepare_ridge(x: _Floats, groups: NDArray[np.int64], alphas: _Floats) -> Features:
    """Solve training features once, for any number of targets.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Training features.
    groups : array of shape (n_samples,)
        Groups kept together when the penalty is chosen.
    alphas : array of shape (n_alphas,)
        Penalties to choose from.

    Returns
    -------
    Features
        Operators of the inner folds.
    """
    return prepare_features(
        x, inner_folds(groups), alphas, Settings(target_batch=_AT_ONCE, steady=True), get_backend(), np.float64
    )


def fit_ridge(features: Features, y: _Floats) -> tuple[_Floats, _Floats, _Floats]:
    """Ridge weights at the penalty with the smallest squared error over the inner folds, target by target.

    ``w = (X'X + alpha I)^-1 X'y`` on centred features and target.

    Parameters
    ----------
    features : Features
        The training features, from `prepare_ridge`.
    y : array of shape (n_samples, n_targets)
        Training targets.

    Returns
    -------
    coef : array of shape (n_targets, n_features)
        Weights.
    intercept : array of shape (n_targets,)
        Offsets.
    alpha : array of shape (n_targets,)
        The penalties chosen.
    """
    n = y.shape[1]
    found = solve_targets(features, np.pad(y, ((0, 0), (0, -n % _AT_ONCE))), _smallest)
    return feature_weights(features, found)[:n], intercepts(features, found)[:n], features.design.alphas[found.best[:n]]


def _smallest(errors: Errors, alphas: _Floats) -> NDArray[np.int64]:
    return np.asarray(np.argmin(errors.squares, axis=0))
