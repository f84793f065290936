"""Operators from training targets to held-out predictions, one per fold and penalty, by Cholesky factors.

With ``G = X'X`` of the centred training features (primal) or ``K = XX'`` (dual), the held-out rows ``X_v`` and a penalty alpha:
``H = X_v (G + alpha I)^-1`` acts on ``X'Y``, or ``H = K_v (K + alpha I)^-1`` on ``Y``. No eigendecomposition is needed, and none
that can fail; the operators depend on features alone, so they serve any number of targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError
from neurodecode.linear.alphas import Skeleton, choose_skeleton
from neurodecode.linear.backend import Backend
from neurodecode.linear.blocks import Plan, gather, size

_PROBES = 8  # random sums of held-out rows
_SAMPLED = 64  # training samples at which an operator is compared
_MOST_MEMORY = 2**31  # bytes of operators held at once; folds take turns beyond
_STEEP = 1e3  # condition number above which errors of single precision (6e-8 times it) would show in scores


@dataclass(frozen=True)
class Design:
    """What a fit needs of the features, whatever the targets.

    Parameters
    ----------
    backend : Backend
        Who does the algebra.
    form : str
        ``"primal"`` or ``"dual"``.
    dtype : numpy dtype
        Precision of targets and predictions.
    plan : Plan
        Folds.
    features : array of shape (n_samples, n_features + 1) or None
        Centred features in the order of the plan, with a column of ones where there is an intercept; None in dual form.
    gram : array of shape (d, d)
        ``X'X`` or ``XX'`` of all samples, in the precision of solutions.
    intercept : bool
        Whether training means are removed.
    alphas : array of shape (n_alphas,)
        Penalties.
    tolerance : float
        Error of predictions that interpolation over penalties may make, as a share of the size of the targets.
    """

    backend: Backend
    form: str
    dtype: Any
    plan: Plan
    features: Any
    gram: Any
    intercept: bool
    alphas: NDArray[np.float64]
    tolerance: float

    @property
    def width(self) -> int:
        """Length of what is solved for: features or samples."""
        return int(self.gram.shape[0])


class Hats(NamedTuple):
    """Operators of one fold."""

    fold: int
    """Its number."""
    operators: Any
    """From what the fold knows of a target to held-out predictions about its training mean, (n_chosen, n_test, n_known)."""
    weights: NDArray[np.float64]
    """Weights of the chosen penalties at every penalty, (n_alphas, n_chosen)."""


class _System(NamedTuple):
    """Equations of one fold."""

    gram: Any  # (d, d)
    rows: Any  # (n_test, d) held-out side
    shift: Any  # (d,) training mean of the features; None in dual form and without intercept
    samples: Any  # (d, n_sampled) from solutions to operators on some training samples; None in dual form


def precise_enough(backend: Backend, gram: Any, alpha: float) -> bool:
    """Whether single precision solves ``gram + alpha I``: a condition number below 1e3, by power iteration.

    Parameters
    ----------
    backend : Backend
        Who does the algebra.
    gram : array of shape (d, d)
        In single precision.
    alpha : float
        Smallest penalty.

    Returns
    -------
    bool
        False where double precision is needed.
    """
    factor = backend.factor(gram, alpha)
    if factor is None:
        return False
    start = np.random.default_rng(0).standard_normal((1, gram.shape[0]))
    largest = _growth(backend.asarray(start, np.float32), lambda v: v @ gram) + alpha
    return largest * _growth(backend.asarray(start, np.float32), lambda v: backend.solve(factor, v)) < _STEEP


def _growth(vector: Any, step: Callable[[Any], Any], n: int = 12) -> float:
    """Largest eigenvalue of a linear map, from below."""
    norm = 0.0
    for _ in range(n):
        vector = step(vector / float((vector * vector).sum()) ** 0.5)
        norm = float((vector * vector).sum()) ** 0.5
        if norm == 0:
            break
    return norm


def factorise(backend: Backend, gram: Any, alpha: float) -> Any:
    """Cholesky factor, or an error that says what to do.

    Parameters
    ----------
    backend : Backend
        Who does the algebra.
    gram : array of shape (d, d)
        Matrix.
    alpha : float
        Penalty.

    Returns
    -------
    array of shape (d, d)
        The factor.

    Raises
    ------
    DataError
        If the penalty is too small for the features, in double precision.
    """
    factor = backend.factor(gram, alpha)
    if factor is None:
        size_ = float(abs(gram).max())
        raise DataError(
            f"alpha={alpha:g} is too small for features whose products reach {size_:g}: the equations cannot be solved in double "
            f"precision. Give alphas above {1e-13 * size_ * gram.shape[0]:.1g}"
        )
    return factor


def make_hats(design: Design) -> Iterator[list[Hats]]:
    """Operators of all folds, as many folds at a time as memory allows.

    Parameters
    ----------
    design : Design
        The fit.

    Yields
    ------
    list of Hats
        Operators of some folds.
    """
    item = np.dtype(design.dtype).itemsize
    one = len(design.alphas) * max(map(size, design.plan.test)) * design.width * item
    step = max(1, _MOST_MEMORY // max(1, one))
    for start in range(0, len(design.plan.test), step):
        yield [_fold_hats(design, fold) for fold in range(start, min(start + step, len(design.plan.test)))]


def _fold_hats(design: Design, fold: int) -> Hats:
    system = _primal_system(design, fold) if design.form == "primal" else _dual_system(design, fold)
    backend, (n_test, d) = design.backend, system.rows.shape
    few = len(design.alphas) * d * d * np.dtype(design.dtype).itemsize <= _MOST_MEMORY
    factors = [factorise(backend, system.gram, alpha) for alpha in design.alphas] if few else None

    def solve(k: int, rows: Any) -> Any:
        factor = factors[k] if factors else factorise(backend, system.gram, design.alphas[k])
        return backend.solve(factor, rows * 1)  # a copy, which it may overwrite

    skeleton = _skeleton(design, system, fold, solve)
    width = d if system.shift is None else design.features.shape[1]
    operators = backend.empty((len(skeleton.chosen), n_test, width), design.dtype)
    for j, k in enumerate(skeleton.chosen):
        solved = solve(k, system.rows)
        operators[j, :, :d] = backend.asarray(solved, design.dtype)
        if system.shift is not None:
            operators[j, :, d] = backend.asarray(-(solved @ system.shift), design.dtype)
    return Hats(fold, operators, skeleton.weights)


def _skeleton(design: Design, system: _System, fold: int, solve: Callable[[int, Any], Any]) -> Skeleton:
    """Which penalties to solve for all held-out rows, judged by a few random sums of those rows."""
    n_alphas, n_test = len(design.alphas), system.rows.shape[0]
    if n_alphas < 3 or n_test <= _PROBES:
        return Skeleton(list(range(n_alphas)), np.eye(n_alphas))
    backend, kind = design.backend, _kind(system.rows)
    sums = np.random.default_rng(fold).standard_normal((_PROBES, n_test)) / _PROBES**0.5
    probe = backend.asarray(sums, kind) @ system.rows
    found = []
    for k in range(n_alphas):
        solved = solve(k, probe)
        seen = solved if system.samples is None else solved @ system.samples
        step = max(1, seen.shape[1] // _SAMPLED)
        found.append(backend.numpy(seen[:, ::step]).ravel())
    scale = (size(design.plan.train[fold]) * _PROBES / len(found[0])) ** 0.5  # from the samples seen to all of them
    return choose_skeleton(scale * np.stack(found), design.tolerance * n_test**0.5)


def _primal_system(design: Design, fold: int) -> _System:
    """Features as unknowns."""
    backend, train, d = design.backend, design.plan.train[fold], design.width
    kind = _kind(design.gram)
    x = backend.asarray(gather(design.features, train, 0, _room(design)), kind)
    test = backend.asarray(gather(design.features, design.plan.test[fold], 0, _room(design)), kind)[:, :d]
    sampled = x[:: max(1, x.shape[0] // _SAMPLED), :d]
    gram = x.T @ x
    if not design.intercept:
        return _System(gram, backend.asarray(test, kind), None, sampled.T)
    mean = gram[d, :d] / x.shape[0]
    centred = gram[:d, :d] - mean[:, None] * gram[d, :d]
    return _System(centred, test - mean, mean, (sampled - mean).T)


def _dual_system(design: Design, fold: int) -> _System:
    """Samples as unknowns."""
    plan = design.plan
    columns = gather(design.gram, plan.train[fold], 1, _room(design, design.gram))
    inner = gather(columns, plan.train[fold], 0, _room(design, design.gram))
    outer = gather(columns, plan.test[fold], 0, _room(design, design.gram))
    if not design.intercept:
        return _System(inner * 1, outer * 1, None, None)
    mean = inner.sum(0) / inner.shape[0]
    rows = outer - outer.sum(1)[:, None] / inner.shape[0] - mean + mean.sum() / inner.shape[0]
    return _System(lift_constant(inner - mean - mean[:, None] + mean.sum() / inner.shape[0]), rows, None, None)


def lift_constant(kernel: Any) -> Any:
    """Give the constant vector, which a centred kernel maps to 0, the mean eigenvalue: centred equations do not see it.

    Parameters
    ----------
    kernel : array of shape (n, n)
        Centred kernel.

    Returns
    -------
    array of shape (n, n)
        The same on all centred vectors, and better conditioned.
    """
    return kernel + float(kernel.diagonal().sum()) / kernel.shape[0] ** 2


def _room(design: Design, like: Any = None) -> Callable[[tuple[int, ...]], Any]:
    """Takes room in the precision of the data, or of another array."""
    kind = design.dtype if like is None else _kind(like)
    return lambda shape: design.backend.empty(shape, kind)


def _kind(data: Any) -> Any:
    """Precision of an array of any backend, as a type of numpy."""
    return np.float32 if "32" in str(data.dtype) else np.float64
