"""How well subjects predict each other: the ceiling of what is common to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.linear.folds import resolve_folds
from neurodecode.metrics.regression import pearson_r

Floats = NDArray[np.float64]
Extrapolation = Literal["reliability", "exponential"]
_MOST_SIZES = 6  # sizes of the pool at which the curve over subjects is measured
_CONSTANTS = 200
_RISES: dict[str, Callable[[Any, Any], Any]] = {
    "reliability": lambda k, tau: np.sqrt(k / (k + tau)),
    "exponential": lambda k, tau: 1 - np.exp(-k / tau),
}


def cross_subject_ceiling(
    data: ArrayLike,
    *,
    cv: Any = None,
    average: bool = False,
    extrapolate: Extrapolation | None = None,
    n_subsets: int = 5,
    random_state: int | np.random.Generator = 0,
) -> Floats:
    r"""Share of each subject's variance that the other subjects predict, in units of variance.

    Each subject is predicted from all targets of all others by ridge regression, and :math:`\rho = \max(0, r)^2` with r the
    correlation on held-out stimuli, mean over folds. A model of what is common to subjects cannot do better but by chance; a
    model of what is particular to one can, and the reliability of the subject's own repeats is the bound of both.

    With `extrapolate` the same is done for pools of fewer others, a curve is fitted to r over their number k, and
    :math:`\rho = v^2` (at most 1) is where it ends for infinitely many. ``"reliability"`` fits :math:`r(k) = v \sqrt{k / (k +
    \tau)}`, the growth of the reliability of a mean with the noise left in it (Spearman-Brown). ``"exponential"`` fits
    :math:`r(k) = v\,(1 - e^{-k / \tau})` (Schrimpf et al. 2021, PNAS 118:e2105646118), to compare with published figures: it
    flattens too soon for averages of independent noise, and may end below the last value measured. Both are least squares
    over a grid of :math:`\tau` up to twice the number of others, so that a curve that does not bend yet cannot run away.

    Parameters
    ----------
    data : array_like of shape (n_stimuli, n_subjects, n_targets)
        Responses of each subject, means over its repeats. A target that holds NaN for a subject is one that this subject does
        not have.
    cv : int, splitter or iterable of (train, test), optional
        Folds over stimuli, as in `neurodecode.linear.folds.resolve_folds`: by default 5 contiguous blocks with a gap.
    average : bool
        Whether to average the others target by target first, which needs far fewer stimuli. Only for targets that mean the same
        in all subjects: parcels, network nodes, sensors, voxels of a template.
    extrapolate : {"reliability", "exponential"}, optional
        Curve by which to extrapolate to infinitely many subjects; by default none.
    n_subsets : int
        Random pools of each size, for `extrapolate`.
    random_state : int or Generator
        Seed of the pools.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_subjects, n_targets), 0 to 1: the ceiling for a model of that subject. 0 where nothing is predicted, NaN where
        the subject does not have the target.

    Raises
    ------
    DataError
        If the shape is another one, a value is infinite, or there are fewer than two subjects (three to extrapolate).
    """
    check_option("extrapolate", extrapolate, (None, *_RISES))
    y = np.asarray(data, np.float64)
    least = 3 if extrapolate else 2
    if y.ndim != 3 or y.shape[1] < least or not y.size or np.isinf(y).any():
        raise DataError(f"data must be finite (n_stimuli, n_subjects of at least {least}, n_targets), got shape {y.shape}")
    folds = resolve_folds(len(y), cv=cv)
    rng, others = np.random.default_rng(random_state), y.shape[1] - 1
    sizes = np.unique(np.geomspace(1, others, _MOST_SIZES).round().astype(int)) if extrapolate else np.array([others])
    curve = np.stack([_at_size(y, int(size), n_subsets, average, folds, rng) for size in _shown(sizes)])
    r = _at_infinity(sizes, curve, extrapolate) if extrapolate else curve[0]
    return np.where(np.isnan(y).any(axis=0), np.nan, np.square(np.clip(r, 0.0, 1.0)))


def _shown(sizes: NDArray[np.int64]) -> Any:
    from tqdm.auto import tqdm

    return tqdm(sizes, desc="subjects from others", disable=len(sizes) < 2, leave=False)


def _at_size(y: Floats, size: int, n_subsets: int, average: bool, folds: Any, rng: np.random.Generator) -> Floats:
    """Mean correlation over pools of so many others, shape (n_subjects, n_targets)."""
    n_subjects = y.shape[1]
    found = np.zeros(y.shape[1:])
    for subject in range(n_subjects):
        others = np.setdiff1d(np.arange(n_subjects), subject)
        n_pools = 1 if size == len(others) else n_subsets
        pools = [rng.choice(others, size, replace=False) for _ in range(n_pools)]
        found[subject] = np.mean([_predicted(_targets(y, pool, average), y[:, subject], folds) for pool in pools], axis=0)
    return found


def _targets(y: Floats, pool: NDArray[np.int64], average: bool) -> Floats:
    """All targets that the subjects of a pool have, side by side or averaged."""
    beside = y[:, pool].mean(axis=1) if average else y[:, pool].reshape(len(y), -1)
    have = beside[:, ~np.isnan(beside).any(axis=0)]
    if not have.shape[1]:
        raise DataError(f"subjects {pool.tolist()} have no target without NaN: leave them out")
    return have


def _predicted(x: Floats, y: Floats, folds: Any) -> Floats:
    """Correlation of each target with its prediction on held-out stimuli, 0 where it is missing or constant."""
    from neurodecode.linear import RidgeCV

    have, found = ~np.isnan(y).any(axis=0), np.zeros(y.shape[1])
    weights = [len(fold.test) for fold in folds]
    scores = []
    for train, test, _ in folds:
        from_others, measured = (_standardised(side, train) for side in (x, y[:, have]))
        ridge = RidgeCV().fit(from_others[train], measured[train])
        scores.append(np.nan_to_num(pearson_r(measured[test], ridge.predict(from_others[test]))))
    found[have] = np.average(scores, axis=0, weights=weights)
    return found


def _standardised(values: Floats, train: NDArray[np.int64]) -> Floats:
    """Columns of mean 0 and variance 1 in training; those that do not vary there are 0."""
    mean, spread = values[train].mean(axis=0), values[train].std(axis=0)
    return np.asarray((values - mean) / np.where(spread > 0, spread, np.inf))


def _at_infinity(sizes: NDArray[np.int64], curve: Floats, kind: str) -> Floats:
    """Where the saturating curve through correlations (n_sizes, ...) over sizes of the pool ends."""
    constants = np.geomspace(0.1, 2 * sizes[-1], _CONSTANTS)
    rise = _RISES[kind](sizes, constants[:, None])
    inner, power = np.tensordot(rise, curve, axes=1), np.sum(rise**2, axis=1).reshape(-1, *(1,) * (curve.ndim - 1))
    best = np.argmax(inner**2 / power, axis=0)  # the least squares over v at each constant leave |r|^2 minus this
    return np.asarray(np.take_along_axis(inner / power, best[None], axis=0)[0])
