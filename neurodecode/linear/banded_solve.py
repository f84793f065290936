"""Ridge of one mixture of bands: the operators of a fold, what they leave unexplained, and the weights of the final fit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.splits import Split
from neurodecode.errors import DataError
from neurodecode.linear.alphas import choose_skeleton
from neurodecode.linear.backend import Backend
from neurodecode.linear.banded_forms import Form, System

_WORST_CONDITION = 1e3  # beyond, a solution in single precision is wrong by more than 1e-4
_TOLERANCE = {"float32": 1e-5, "float64": 1e-10}  # error of interpolation over penalties, as a share of the targets' size
_PROBES = 8  # random sums of held-out rows on which that error is measured
_ROWS = 128  # held-out samples whose squares are added up in single precision
_Floats = NDArray[np.float64]


class Operators(NamedTuple):
    """From what is known of the targets to predictions, at each penalty."""

    chosen: Any
    """Operators of some penalties, (n_chosen, n_test, size)."""
    weights: Any
    """Operators of all penalties as sums of the chosen ones, (n_alphas, n_chosen); NaN for a penalty that is too small."""


def make_operators(backend: Backend, system: System, alphas: _Floats, dtype: Any) -> Operators:
    """Operators ``H_alpha = cross (gram + alpha I)^-1`` of one fold.

    Those of some penalties are solved for; the others follow from them with an error of 1e-5 of the size of the targets (1e-10
    in double precision).

    Parameters
    ----------
    backend : Backend
        Who does the algebra.
    system : System
        One fold.
    alphas : array of shape (n_alphas,)
        Penalties.
    dtype : numpy dtype
        Precision of the operators.

    Returns
    -------
    Operators
        Of all penalties.
    """
    n_test, size = system.cross.shape
    factors = _Factors(backend, system.gram, dtype)
    held = [factors.at(float(alpha)) for alpha in alphas]
    usable = [k for k, factor in enumerate(held) if factor is not None]
    chosen, weights = usable, np.eye(len(usable))
    if len(usable) > 2 and n_test > _PROBES:
        sums = np.random.default_rng(0).standard_normal((_PROBES, n_test)) / _PROBES**0.5
        probe = backend.asarray(sums, np.float64) @ system.cross
        found = np.stack([_seen(factors, system, held[k], probe) for k in usable])
        skeleton = choose_skeleton(found, _TOLERANCE[np.dtype(dtype).name] * n_test**0.5)
        if len(skeleton.chosen) < len(usable):
            chosen, weights = [usable[k] for k in skeleton.chosen], skeleton.weights
    operators = backend.empty((len(chosen), n_test, size), dtype)
    for j, k in enumerate(chosen):
        operators[j] = factors.solve(held[k], system.cross)
    if system.scale is not None:
        operators *= backend.asarray(system.scale, dtype)
    full = np.full((len(alphas), len(chosen)), np.nan)
    full[usable] = weights
    return Operators(operators, backend.asarray(full, dtype))


def _seen(factors: _Factors, system: System, factor: Any, probe: Any) -> NDArray[Any]:
    """A sketch of one operator: random sums of its rows, as they act on training samples."""
    solved = factors.solve(factor, probe, np.float64)
    return factors.backend.numpy(solved if system.samples is None else solved @ system.samples).ravel()


class _Factors:
    """Cholesky factors of ``gram + alpha I``, in single precision where that is enough."""

    def __init__(self, backend: Backend, gram: Any, dtype: Any) -> None:
        self.backend, self.gram, self.dtype = backend, gram, np.dtype(dtype)
        self.light = None if self.dtype == np.float64 else backend.asarray(gram, np.float32)
        self.norm = float((gram * gram).sum()) ** 0.5  # a bound of the largest eigenvalue

    def at(self, alpha: float) -> Any:
        """Factor at one penalty; None where the matrix is not positive definite even in double precision."""
        if self.light is not None and self.norm <= _WORST_CONDITION * alpha:
            return self.backend.factor(self.light, alpha)
        return self.backend.factor(self.gram, alpha)

    def solve(self, factor: Any, rows: Any, dtype: Any = None) -> Any:
        """``rows (gram + alpha I)^-1`` in the precision of the factor, returned in that of the data; rows stay as they are."""
        kind = np.float32 if "32" in str(factor.dtype) else np.float64
        right = self.backend.asarray(rows, kind)
        right = right * 1 if right is rows else right
        return self.backend.asarray(self.backend.solve(factor, right), self.dtype if dtype is None else dtype)


def squared_errors(backend: Backend, operators: Operators, form: Form, y: Any, fold: Split) -> _Floats:
    """Sum of squared errors on the held-out samples of a fold.

    Parameters
    ----------
    backend : Backend
        Who does the algebra.
    operators : Operators
        Of the fold.
    form : Form
        The bands.
    y : array of shape (n_samples, n_targets)
        Targets about the mean of their training samples.
    fold : Split
        Rows.

    Returns
    -------
    array of shape (n_alphas, n_targets)
        Sums, in double precision.
    """
    n_chosen, n_test, size = operators.chosen.shape
    predicted = backend.matmul(operators.chosen.reshape(-1, size), form.known(y, fold.train)).reshape(n_chosen, -1)
    if n_chosen < len(operators.weights):  # else the weights are those of the identity
        predicted = backend.matmul(operators.weights, predicted)
    left = predicted.reshape(len(operators.weights), n_test, -1)
    left -= y[fold.test]
    total = np.zeros((left.shape[0], left.shape[2]))
    for start in range(0, n_test, _ROWS):
        part = left[:, start : start + _ROWS]
        part *= part
        total += backend.numpy(part.sum(1))
    return total


def final_weights(backend: Backend, form: Form, y: Any, gammas: _Floats, alphas: _Floats) -> NDArray[Any]:
    """Fit all samples, targets of one mixture and penalty together.

    Parameters
    ----------
    backend : Backend
        Who does the algebra.
    form : Form
        The bands.
    y : callable
        ``y(targets)`` gives targets about their mean, (n_samples, n_part), in the backend.
    gammas : array of shape (n_targets, n_bands)
        Weights of bands of each target.
    alphas : array of shape (n_targets,)
        Penalty of each target.

    Returns
    -------
    array of shape (n_targets, size)
        Weights of samples (dual) or of columns (primal) of each target.

    Raises
    ------
    DataError
        If a penalty is too small for all samples together.
    """
    rows = form.all_rows()
    weights: NDArray[Any] | None = None
    kinds, kind = np.unique(gammas, axis=0, return_inverse=True)
    for k, gamma in enumerate(kinds):
        here = np.flatnonzero(kind.ravel() == k)
        system = form.system(form.mix(gamma), rows, rows[:1])
        factors = _Factors(backend, system.gram, form.dtype)
        scale = 1 if system.scale is None else backend.asarray(system.scale, form.dtype)
        for alpha in np.unique(alphas[here]):
            targets, factor = here[alphas[here] == alpha], factors.at(float(alpha))
            if factor is None:
                raise DataError(f"alpha={alpha:g} is too small to fit all samples, bands weighted {gamma}: give larger alphas")
            found = backend.numpy(scale * factors.solve(factor, scale * form.known(y(targets), rows).T))
            weights = np.empty((len(alphas), found.shape[1]), found.dtype) if weights is None else weights
            weights[targets] = found
    return np.empty((0, len(rows))) if weights is None else weights
