"""Ridge of lagged inputs from moments alone: a penalty per target by held-out scores, then one factor per penalty chosen."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.linear.alphas import resolve_alphas
from neurodecode.linear.backend import Backend
from neurodecode.linear.hats import factorise
from neurodecode.linear.lagged_folds import FoldMoments
from neurodecode.linear.lagged_moments import Moments

_Floats = NDArray[np.float64]
_CONSTANT = 1e-12  # variance, as a share of the mean square, below which it is rounding


class LaggedFit(NamedTuple):
    """A fitted lagged model."""

    coef: _Floats
    """Weights, (n_targets, n_lags * n_inputs)."""
    intercept: _Floats
    """Offsets, (n_targets,)."""
    alphas: _Floats
    """Penalties compared, (n_alphas,)."""
    alpha: _Floats
    """Penalty chosen, (n_targets,)."""
    scores: _Floats
    """Mean held-out score over folds, (n_alphas, n_targets); NaN where a target never varies."""


class Penalty(NamedTuple):
    """What is kept small."""

    smooth: _Floats | None
    """Quadratic form of the weights, (n_lags * n_inputs, n_lags * n_inputs); None for their squares."""
    intercept: bool
    """Whether there is an offset, which costs nothing."""


def smoothness(n_lags: int, n_inputs: int) -> _Floats:
    """Half the squares of the steps of each weight from lag to lag, as a quadratic form.

    Parameters
    ----------
    n_lags, n_inputs : int
        Size of the model.

    Returns
    -------
    array of shape (n_lags * n_inputs, n_lags * n_inputs)
        Symmetric; inputs do not mix.
    """
    steps = np.diff(np.eye(n_lags), axis=0)
    return np.asarray(np.kron(0.5 * steps.T @ steps, np.eye(n_inputs)), np.float64)


def fit_lagged(moments: FoldMoments, n_folds: int, alphas: Any, penalty: Penalty, metric: str, backend: Backend) -> LaggedFit:
    """Choose a penalty for each target and fit all data with it.

    Parameters
    ----------
    moments : FoldMoments
        The data.
    n_folds : int
        Number of folds.
    alphas : array_like of shape (n_alphas,) or None
        Penalties; None for the default ones of `RidgeCV`.
    penalty : Penalty
        What is penalised.
    metric : str
        ``"r2"`` or ``"correlation"``: by what penalties are compared.
    backend : Backend
        Who does the algebra.

    Returns
    -------
    LaggedFit
        Weights, offsets, penalties and scores.

    Raises
    ------
    DataError
        If penalties are out of range or too small, or no input varies.
    """
    total = moments.total
    xx, xy = _equations(total, penalty.intercept)
    chosen = resolve_alphas(alphas, float(np.trace(xx)), int(min(len(xx), total.n)))
    scores = _cross_validate(moments, n_folds, chosen, penalty, metric, backend)
    falling = np.argsort(-chosen, kind="stable")
    alpha = chosen[falling[np.argmax(np.nan_to_num(scores[falling], nan=-np.inf), axis=0)]]
    xx, coef = backend.asarray(xx, np.float64), np.empty_like(xy)
    for one in np.unique(alpha):
        members = alpha == one
        coef[members] = backend.numpy(_solve(xx, xy[members], float(one), penalty, backend))
    return LaggedFit(coef, _offset(total, coef, penalty.intercept), chosen, alpha, scores)


def _cross_validate(
    moments: FoldMoments, n_folds: int, alphas: _Floats, penalty: Penalty, metric: str, backend: Backend
) -> _Floats:
    """Mean score over the folds in which a target varies, (n_alphas, n_targets)."""
    total, n = np.zeros((2, len(alphas), len(moments.total.y)))
    for fold in range(n_folds):
        scores = _fold_scores(moments.train(fold), moments.test(fold), alphas, penalty, metric, backend)
        total += np.nan_to_num(scores, nan=0.0)
        n += ~np.isnan(scores)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _equations(moments: Moments, intercept: bool) -> tuple[Any, Any]:
    """Products about the means, where there is an offset."""
    if not intercept:
        return moments.xx, moments.xy
    mean = moments.x / moments.n
    return moments.xx - np.outer(moments.x, mean), moments.xy - np.outer(moments.y, mean)


def _offset(moments: Moments, coef: _Floats, intercept: bool) -> _Floats:
    return (moments.y - coef @ moments.x) / moments.n if intercept else np.zeros(len(coef))


def _solve(xx: Any, xy: Any, alpha: float, penalty: Penalty, backend: Backend) -> Any:
    """Weights of some targets at one penalty."""
    shape, shift = (xx, alpha) if penalty.smooth is None else (xx + alpha * backend.asarray(penalty.smooth, np.float64), 0.0)
    factor = factorise(backend, backend.asarray(shape, np.float64), shift)
    return backend.solve(factor, backend.asarray(xy, np.float64) * 1)  # a copy, which it may overwrite


def _fold_scores(train: Moments, test: Moments, alphas: _Floats, penalty: Penalty, metric: str, backend: Backend) -> _Floats:
    """Held-out scores at every penalty, (n_alphas, n_targets), without a prediction: squares and products suffice."""
    xx, xy = (backend.asarray(part, np.float64) for part in _equations(train, penalty.intercept))
    held = backend.asarray(test.xx, np.float64)
    scores = []
    for alpha in alphas.tolist():
        weights = _solve(xx, xy, alpha, penalty, backend)
        coef = backend.numpy(weights)
        power = np.einsum("cd,cd->c", coef, backend.numpy(backend.matmul(weights, held)))
        plain, offset = coef @ test.x, _offset(train, coef, penalty.intercept)
        predicted = plain + test.n * offset
        squares = power + 2 * offset * plain + test.n * offset**2
        products = np.einsum("cd,cd->c", coef, test.xy) + offset * test.y
        scores.append(held_out_score(metric, PairSums(test.n, test.y, test.yy, predicted, squares, products)))
    return np.stack(scores)


class PairSums(NamedTuple):
    """Sums over samples of targets y and predictions p."""

    n: float
    """Samples."""
    y: _Floats
    """Targets, (n_targets,)."""
    yy: _Floats
    """Squares of targets, (n_targets,)."""
    p: _Floats
    """Predictions, (n_targets,)."""
    pp: _Floats
    """Squares of predictions, (n_targets,)."""
    yp: _Floats
    """Products, (n_targets,)."""


def held_out_score(metric: str, sums: PairSums) -> _Floats:
    """R2 about the mean of these samples, or Pearson correlation.

    Parameters
    ----------
    metric : str
        ``"r2"`` or ``"correlation"``.
    sums : PairSums
        Sums over the samples.

    Returns
    -------
    array of shape (n_targets,)
        Best 1; NaN where a target, or for a correlation its prediction, does not vary.
    """
    n, y, yy, p, pp, yp = sums
    total, spread = yy - y**2 / n, pp - p**2 / n
    varies = total > _CONSTANT * yy
    if metric == "r2":
        return np.where(varies, 1 - (yy - 2 * yp + pp) / np.where(varies, total, 1), np.nan)
    varies &= spread > _CONSTANT * pp
    return np.where(varies, (yp - y * p / n) / np.sqrt(np.where(varies, total * spread, 1)), np.nan)
