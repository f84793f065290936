"""Ridge of many targets: what depends on features once, then one pass over the targets, then one factor per penalty chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.splits import Split
from neurodecode.linear.alphas import resolve_alphas
from neurodecode.linear.backend import Backend
from neurodecode.linear.blocks import plan_folds
from neurodecode.linear.hats import Design, Hats, factorise, lift_constant, make_hats, precise_enough
from neurodecode.linear.matrix import centred, check_features, feature_parts, from_samples
from neurodecode.linear.scoring import Errors, Tally, fold_errors, known_of_blocks, known_of_folds

_Floats = NDArray[np.float64]
_Array = NDArray[Any]
_SLAB = 2**26  # bytes of targets read at once
TOLERANCES = {("grid", "float32"): 1e-5, ("coarse", "float32"): 3e-4, ("grid", "float64"): 1e-10, ("coarse", "float64"): 3e-4}


class Settings(NamedTuple):
    """How to fit."""

    form: str = "auto"
    """``"primal"``, ``"dual"`` or ``"auto"``."""
    search: str = "grid"
    """``"grid"`` or ``"coarse"``."""
    intercept: bool = True
    """Whether features and targets are centred."""
    target_batch: int | None = None
    """Targets read at once."""
    keep: bool = True
    """Whether the weights are wanted, or penalties and scores alone."""
    steady: bool = False
    """Whether what is found for a target may not depend, to the last bit, on the targets beside it. Products are then computed
    in batches of `target_batch`, filled up where they are smaller; the number of targets must be a multiple of it."""


@dataclass
class Features:
    """A matrix of features, prepared for any number of targets.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Features as they came; may be a memory map.
    mean : array of shape (n_features,)
        Mean of each; zero without intercept.
    design : Design
        The equations.
    settings : Settings
        How to fit.
    """

    x: _Array
    mean: _Floats
    design: Design
    settings: Settings
    _hats: list[Hats] | None = field(default=None, init=False, repr=False)

    def hats(self) -> Iterator[list[Hats]]:
        """Operators of the folds, kept where they all fit in memory."""
        if self._hats is not None:
            yield self._hats
            return
        for group in make_hats(self.design):
            if len(group) == len(self.design.plan.test):
                self._hats = group
            yield group


class Solution(NamedTuple):
    """A fit of some targets."""

    errors: Errors
    """What cross-validation found."""
    best: NDArray[np.int64]
    """Number of the penalty chosen for each target, (n_targets,)."""
    weights: _Array | None
    """Weights of the features (n_targets, n_features), or of the centred samples in dual form (n_targets, n_samples)."""
    mean: _Floats
    """Mean of each target; zero without intercept."""
    unclear: NDArray[np.int64]
    """Targets that hold NaN: what stands here for them means nothing."""


def prepare_features(
    x: _Array, folds: Sequence[Split], alphas: Any, settings: Settings, backend: Backend, dtype: Any
) -> Features:
    """Do all of a fit that does not depend on targets.

    Parameters
    ----------
    x : array of shape (n_samples, n_features)
        Finite features.
    folds : sequence of Split
        Folds on which penalties are chosen.
    alphas : array_like of shape (n_alphas,) or None
        Penalties; None for the default ones.
    settings : Settings
        How to fit.
    backend : Backend
        Who does the algebra.
    dtype : numpy dtype
        Precision of targets and predictions.

    Returns
    -------
    Features
        For `solve_targets`.

    Raises
    ------
    DataError
        If penalties are out of range, or features do not vary.
    """
    n, p = x.shape
    form = settings.form
    if form == "auto":
        form = "primal" if p <= min(len(split.train) for split in folds) else "dual"
    plan = plan_folds(folds, n)
    mean = check_features(x) * settings.intercept
    x_ordered = x if np.array_equal(plan.order, np.arange(n)) else x[plan.order]
    build = _features_and_gram if form == "primal" else _kernel
    features, gram = build(x_ordered, mean, settings.intercept, backend, dtype, dtype)
    trace = float(backend.numpy(gram.diagonal()).sum(dtype=np.float64))
    chosen = resolve_alphas(alphas, trace, min(n, p))
    lifted = form == "dual" and settings.intercept
    gram = lift_constant(gram) if lifted else gram
    if np.dtype(dtype) == np.float32 and not precise_enough(backend, gram, float(chosen.min())):
        _, gram = build(x_ordered, mean, settings.intercept, backend, dtype, np.float64)
        gram = lift_constant(gram) if lifted else gram
    tolerance = TOLERANCES[settings.search, np.dtype(dtype).name]
    design = Design(backend, form, dtype, plan, features, gram, settings.intercept, chosen, tolerance)
    return Features(x, mean, design, settings)


def intercepts(features: Features, solution: Solution) -> _Floats:
    """Offsets that go with weights of features as they came.

    Parameters
    ----------
    features : Features
        What was fitted on.
    solution : Solution
        A fit with weights.

    Returns
    -------
    array of shape (n_targets,)
        Offsets; zero where there is no intercept.
    """
    if not features.settings.intercept or solution.weights is None:
        return np.zeros_like(solution.mean)
    towards = features.mean
    if features.design.form == "dual":
        parts = feature_parts(features.x, np.float64)
        towards = sum((centred(features.x, features.mean, part, np.float64) @ features.mean[part] for part in parts), np.zeros(1))
    step = max(1, _SLAB // (8 * len(towards)))
    found = [solution.weights[a : a + step].astype(np.float64) @ towards for a in range(0, len(solution.mean), step)]
    return solution.mean - np.concatenate(found)


def feature_weights(features: Features, solution: Solution) -> _Array:
    """Weights of features, whatever the form.

    Parameters
    ----------
    features : Features
        What was fitted on.
    solution : Solution
        A fit with weights.

    Returns
    -------
    array of shape (n_targets, n_features)
        In dual form ``dual' X``, some features at a time.
    """
    weights = np.zeros((0, features.x.shape[1])) if solution.weights is None else solution.weights
    if features.design.form == "primal":
        return weights
    return from_samples(weights, features.x, features.mean)


def _features_and_gram(
    x: _Array, mean: _Floats, intercept: bool, backend: Backend, dtype: Any, precision: Any
) -> tuple[Any, Any]:
    """Centred features with a column of ones, and their products."""
    n, d = x.shape
    held = np.ones((n, d + intercept), dtype)
    held[:, :d] = centred(x, mean, slice(None), dtype)
    features = backend.asarray(held, dtype)
    inner = backend.asarray(held[:, :d], precision)
    return features, inner.T @ inner


def _kernel(x: _Array, mean: _Floats, intercept: bool, backend: Backend, dtype: Any, precision: Any) -> tuple[None, Any]:
    """Products of centred samples, some features at a time."""
    gram: Any = 0
    for part in feature_parts(x, precision):
        some = backend.asarray(centred(x, mean, part, precision), precision)
        gram = gram + some @ some.T
    return None, gram


def solve_targets(features: Features, y: Any, choose: Callable[[Errors, _Floats], NDArray[np.int64]]) -> Solution:
    """Choose a penalty for each target and fit it on all samples.

    Parameters
    ----------
    features : Features
        Prepared features.
    y : array of shape (n_samples, n_targets)
        Targets; may be a memory map, which is read in slabs of targets.
    choose : function
        Number of the best penalty of each target, from the errors and the penalties.

    Returns
    -------
    Solution
        Errors, penalties and weights.
    """
    design, n_targets = features.design, y.shape[1]
    tally, mean = Tally(len(design.alphas), n_targets), np.zeros(n_targets)
    weights = np.empty((n_targets, design.width), design.dtype) if features.settings.keep else None
    unclear: list[NDArray[np.int64]] = []
    for number, hats in enumerate(features.hats()):
        for targets in _slabs(features, n_targets):
            slab, mean[targets], gaps = read_slab(y, targets, design)
            unclear += [] if number else [gaps + targets.start]
            _score_slab(design, hats, slab, targets, tally, None if number else weights)
    errors = tally.errors()
    best = np.empty(n_targets, np.int64)
    for part in _slabs(features, n_targets):
        best[part] = choose(Errors(errors.squares[:, part], errors.r2[:, part]), design.alphas)
    if weights is not None:
        _refit(features, weights, best)
    return Solution(errors, best, weights, mean, np.concatenate(unclear))


def _slabs(features: Features, n_targets: int) -> Iterator[slice]:
    """Targets that are read together."""
    design = features.design
    n = len(design.plan.order)
    step = features.settings.target_batch
    if step is None:
        step = max(
            design.backend.tile, _SLAB // (n * np.dtype(design.dtype).itemsize) // design.backend.tile * design.backend.tile
        )
    return (slice(start, min(start + step, n_targets)) for start in range(0, n_targets, step))


def read_slab(y: Any, targets: slice, design: Design) -> tuple[Any, _Floats, NDArray[np.int64]]:
    """Read some targets, one per row, about their means.

    Parameters
    ----------
    y : array of shape (n_samples, n_targets)
        Targets.
    targets : slice
        Which.
    design : Design
        The fit.

    Returns
    -------
    slab : array of shape (n_part, n_samples)
        Of the backend, in the order of the plan.
    mean : array of shape (n_part,)
        What was subtracted; zero without intercept.
    unclear : array of int
        Rows that hold NaN or infinities, which are zero here.
    """
    raw, order = y[:, targets], design.plan.order
    if not np.array_equal(order, np.arange(len(order))):
        raw = raw[order]
    slab = np.array(raw.T, dtype=design.dtype, order="C")
    ones = np.full(slab.shape[1], 1 / slab.shape[1], design.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        mean = slab @ ones
    unclear = np.flatnonzero(~np.isfinite(mean))
    slab[unclear], mean[unclear] = 0, 0
    if not design.intercept:
        return design.backend.asarray(slab, design.dtype), np.zeros(len(slab)), unclear
    slab -= mean[:, None]
    rest = slab @ ones  # the mean of single precision is not exact, and offsets can be large
    return design.backend.asarray(slab, design.dtype), mean.astype(np.float64) + rest, unclear


def _score_slab(design: Design, hats: list[Hats], slab: Any, targets: slice, tally: Tally, weights: _Array | None) -> None:
    """Count the errors of some targets, and leave in `weights` what the final fit starts from."""
    for start in range(0, len(slab), design.backend.tile):
        y = slab[start : start + design.backend.tile]
        part = slice(targets.start + start, targets.start + start + len(y))
        primal = design.form == "primal"
        blocks = known_of_blocks(design, y) if primal and design.plan.shared else None
        for fold, known in zip(hats, known_of_folds(design, hats, y, blocks), strict=True):
            tally.add(part, *fold_errors(design, fold, known, y))
        if weights is not None:
            whole = y if not primal else (y @ design.features if blocks is None else blocks.sum(0))
            weights[part] = design.backend.numpy(whole[:, : design.width])


def _refit(features: Features, weights: _Array, best: NDArray[np.int64]) -> None:
    """Solve right-hand sides in place, one factor per penalty."""
    design, settings = features.design, features.settings
    backend, back = design.backend, np.argsort(design.plan.order)
    kind = np.float32 if "32" in str(design.gram.dtype) else np.float64
    moved = design.form == "dual" and not np.array_equal(back, np.arange(len(back)))
    width = settings.target_batch if settings.steady and settings.target_batch else 8 * backend.tile
    for k in np.unique(best):
        factor = factorise(backend, design.gram, float(design.alphas[k]))
        members = np.flatnonzero(best == k)
        for start in range(0, len(members), width):
            some = members[start : start + width]
            known = np.zeros((width if settings.steady else len(some), design.width), design.dtype)
            known[: len(some)] = weights[some]
            found = backend.numpy(backend.solve(factor, backend.asarray(known, kind)))[: len(some)]
            weights[some] = found[:, back] if moved else found
