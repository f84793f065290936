"""Non-negative CP factorisation by hierarchical alternating least squares (HALS), with momentum and a start on thinned data."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from neurodecode.analysis.connectome.factors import NTF, Array, balance, components_first, contract, finish
from neurodecode.analysis.connectome.observed import Gram
from neurodecode.analysis.connectome.updates import inner_product, model_norm2, update

_PASSES = 3  # over components, per update of a mode
_ROUNDS = 3  # over the modes that share what one pass over the tensor left
_WINDOW = 5  # sweeps over which the error must have changed
_STEP = 8  # of every so many rows at most one is kept for the start
_CANCELS = 1e-3  # squared error below which single precision loses digits of it


class Problem(Protocol):
    """What is factorised; `DenseProblem` and `SeparableProblem`."""

    norm2: float
    """Squared norm of the tensor over observed cells."""
    second: tuple[int, ...]
    """Modes that are left to improve after `advance`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""

    @property
    def dtype(self) -> Any:
        """Precision of the factors."""

    def thinned(self, step: int) -> Problem:
        """Every step-th entry of the first mode.

        Parameters
        ----------
        step : int
            Step.

        Returns
        -------
        Problem
            A smaller problem with the same other modes.
        """

    def advance(self, factors: Sequence[Array], passes: int) -> Array:
        """Improve all modes that are not in `second` in place.

        Parameters
        ----------
        factors : sequence of array of shape (rank, dim)
            All modes.
        passes : int
            Passes over components.

        Returns
        -------
        array of shape (rank, dims of the modes in second)
            The tensor summed against the improved factors.
        """

    def gram(self, mode: int, factors: Sequence[Array]) -> Gram:
        """Gram of a mode.

        Parameters
        ----------
        mode : int
            One of `second`.
        factors : sequence of array of shape (rank, dim)
            All modes.

        Returns
        -------
        array of shape (rank, rank) or RowGrams
            For `update`.
        """

    def exact_loss(self, factors: Sequence[Array]) -> float:
        """Squared error with all sums in double precision.

        Parameters
        ----------
        factors : sequence of array of shape (rank, dim)
            All modes.

        Returns
        -------
        float
            Squared norm of the residual over that of the tensor, over observed cells.
        """


class HalsResult(NamedTuple):
    """A factorisation and the way to it."""

    ntf: NTF
    """Weights, factors and error."""
    errors: NDArray[np.float64]
    """Relative error after each sweep over the whole tensor, shape (n_sweeps,); it never grows."""
    converged: bool
    """Whether the error stopped changing before the sweeps were used up."""


def solve_hals(
    problem: Problem,
    rank: int,
    *,
    init: Any = None,
    max_sweeps: int = 500,
    tol: float = 1e-6,
    random_state: int | np.random.Generator | None = None,
) -> HalsResult:
    """Factorise a problem; `ntf_hals` is the way in for arrays.

    Parameters
    ----------
    problem : Problem
        What is factorised.
    rank : int
        Components.
    init : NTF or CPTensor, optional
        Factors to start from; by default random ones, improved first on every eighth entry of the first mode.
    max_sweeps : int
        Sweeps over the whole tensor at most.
    tol : float
        Relative change of the error over five sweeps at which to stop.
    random_state : int or Generator, optional
        Seed of the start.

    Returns
    -------
    HalsResult
        Factorisation, errors and whether they converged.
    """
    if init is None:
        factors = _start(problem, rank, np.random.default_rng(random_state))
    else:
        factors = components_first(init, problem.shape, rank, problem.dtype)
    factors, losses, converged = _iterate(problem, factors, max_sweeps, tol)
    if not converged:
        logging.getLogger(__name__).warning(
            "the factorisation of rank %d still changed after %d sweeps: error %.6g",
            rank,
            max_sweeps,
            losses[-1] ** 0.5,
        )
    if losses[-1] < _CANCELS and problem.dtype == np.float32:
        losses[-1] = problem.exact_loss(factors)
    errors = np.sqrt(losses)
    return HalsResult(finish(factors, float(errors[-1])), errors, converged)


def _start(problem: Problem, rank: int, rng: np.random.Generator) -> list[Array]:
    """Random factors, improved on thinned data while these have enough rows to tell the components apart."""
    step = min(_STEP, problem.shape[0] // max(64, 8 * rank))
    if step < 2:
        return [rng.random((rank, dim)).astype(problem.dtype) for dim in problem.shape]
    thinned = problem.thinned(step)
    factors, _, _ = _iterate(thinned, _start(thinned, rank, rng), max_sweeps=60, tol=1e-4)
    factors[0] = np.repeat(factors[0], step, axis=1)[:, : problem.shape[0]]
    return factors


def _iterate(problem: Problem, start: list[Array], max_sweeps: int, tol: float) -> tuple[list[Array], list[float], bool]:
    """Sweep until the loss rests. After each sweep the factors go on in the direction they came from; where that made the
    loss grow, the sweep is repeated from where it was, with less momentum (Ang, Cohen, Gillis and Hien 2021, Numerical
    Linear Algebra with Applications 28:e2373)."""
    best, trial, before = start, [factor.copy() for factor in start], [factor.copy() for factor in start]
    losses: list[float] = []
    momentum, ceiling, moved = 0.5, 1.0, False
    rounding = float(np.finfo(problem.dtype).eps) / 4  # of a loss that is summed from this precision
    for _ in range(max_sweeps):
        loss = _sweep(problem, trial)
        if losses and moved and loss > losses[-1] + rounding:
            losses.append(losses[-1])
            ceiling, momentum, moved = momentum, momentum / 1.5, False
            _copy(best, trial)
            continue
        losses.append(loss)
        if len(losses) > _WINDOW and losses[-1 - _WINDOW] ** 0.5 - loss**0.5 <= tol * loss**0.5:
            return trial, losses, True
        before, best, trial = best, trial, before
        moved = len(losses) > 1
        _extrapolate(best, trial, momentum if moved else 0.0)
        momentum, ceiling = min(ceiling, 1.05 * momentum), min(1.0, 1.01 * ceiling)
    return best, losses, False


def _sweep(problem: Problem, factors: list[Array]) -> float:
    """Improve all modes in place; the loss over the squared norm of the tensor."""
    left = problem.advance(factors, _PASSES)
    second = list(problem.second)
    for _ in range(_ROUNDS if len(second) > 1 else 1):
        for place, mode in enumerate(second):
            target, gram = contract(left, [factors[k] for k in second], place), problem.gram(mode, factors)
            update(factors[mode], target, gram, _PASSES)
    last = factors[second[-1]]
    loss = problem.norm2 - 2 * inner_product(target, last) + model_norm2(last, gram)
    balance(factors)
    return max(loss, 0.0) / problem.norm2


def _extrapolate(best: list[Array], before: list[Array], momentum: float) -> None:
    """``max(0, best + momentum (best - before))``, written over what came before."""
    for new, old in zip(best, before, strict=True):
        np.subtract(new, old, out=old)
        old *= new.dtype.type(momentum)
        old += new
        np.maximum(old, 0, out=old)


def _copy(source: list[Array], target: list[Array]) -> None:
    for a, b in zip(source, target, strict=True):
        np.copyto(b, a)
