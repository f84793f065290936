"""Held-out errors at every penalty from the operators of a fold, for a tile of targets that stays in the cache."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.linear.blocks import gather, size
from neurodecode.linear.hats import Design, Hats

_Floats = NDArray[np.float64]
_CONSTANT = 1e-12  # held-out variance, as a share of the square of held-out values, below which it is rounding


class Errors(NamedTuple):
    """What cross-validation found."""

    squares: _Floats
    """Sum over folds of squared errors, (n_alphas, n_targets)."""
    r2: _Floats
    """Mean over folds of R2 on the held-out samples, (n_alphas, n_targets); NaN where a target never varies."""


class Tally:
    """Sums of errors over folds, in place: the table is large where there are many targets.

    Parameters
    ----------
    n_alphas, n_targets : int
        Size of the table.
    """

    def __init__(self, n_alphas: int, n_targets: int) -> None:
        self._squares, self._r2 = np.zeros((2, n_alphas, n_targets))
        self._n = np.zeros(n_targets, np.int64)

    def add(self, targets: slice, squares: _Floats, total: _Floats, size: _Floats) -> None:
        """Count one fold.

        Parameters
        ----------
        targets : slice
            Targets it is about.
        squares : array of shape (n_alphas, n_part)
            Sums of squared errors.
        total : array of shape (n_part,)
            Sums of squares of the held-out values about their mean.
        size : array of shape (n_part,)
            Sums of squares of the held-out values about the training mean.
        """
        varies = total > _CONSTANT * size
        self._squares[:, targets] += squares
        self._r2[:, targets] += np.where(varies, 1 - squares / np.where(varies, total, 1.0), 0.0)
        self._n[targets] += varies

    def errors(self) -> Errors:
        """Sums and means over the folds counted; asked for once."""
        with np.errstate(invalid="ignore"):
            np.divide(self._r2, self._n, out=self._r2)
        return Errors(self._squares, self._r2)


def known_of_blocks(design: Design, y: Any) -> Any:
    """What each block of rows knows of targets: ``X'Y`` and, with an intercept, the sum of ``Y``.

    Parameters
    ----------
    design : Design
        A fit in primal form.
    y : array of shape (n_targets, n_samples)
        Targets in the order of the plan.

    Returns
    -------
    array of shape (n_blocks, n_targets, n_known)
        Products.
    """
    blocks, x = design.plan.blocks, design.features
    found = design.backend.empty((len(blocks), y.shape[0], x.shape[1]), design.dtype)
    for number, block in enumerate(blocks):
        design.backend.matmul(y[:, block], x[block], out=found[number])
    return found


def known_of_folds(design: Design, folds: list[Hats], y: Any, blocks: Any) -> Any:
    """What the training part of each fold knows of targets.

    Parameters
    ----------
    design : Design
        The fit.
    folds : list of Hats
        Folds.
    y : array of shape (n_targets, n_samples)
        Targets.
    blocks : array of shape (n_blocks, n_targets, n_known) or None
        From `known_of_blocks`.

    Returns
    -------
    list of array of shape (n_targets, n_known)
        One per fold.
    """
    backend, plan = design.backend, design.plan
    train = [plan.train[h.fold] for h in folds]
    if design.form == "dual":
        return [gather(y, part, 1, lambda shape: backend.empty(shape, design.dtype)) for part in train]
    if blocks is None:
        room = [lambda shape: backend.empty(shape, design.dtype)] * 2
        return [gather(y, part, 1, room[0]) @ gather(design.features, part, 0, room[1]) for part in train]
    member = backend.asarray(plan.member[[h.fold for h in folds]], design.dtype)
    known = member @ blocks.reshape(blocks.shape[0], -1)
    return known.reshape(len(folds), *blocks.shape[1:])


def fold_errors(design: Design, hats: Hats, known: Any, y: Any) -> tuple[_Floats, _Floats, _Floats]:
    """Squared errors of one fold at every penalty.

    Predictions at a penalty are sums over those at the chosen penalties, so their squares follow from the scalar products of the
    latter: predictions at all penalties never exist.

    Parameters
    ----------
    design : Design
        The fit.
    hats : Hats
        Operators of the fold.
    known : array of shape (n_targets, n_known)
        What its training part knows of the targets.
    y : array of shape (n_targets, n_samples)
        Targets.

    Returns
    -------
    squares : array of shape (n_alphas, n_targets)
        Sums of squared errors.
    total, size : array of shape (n_targets,)
        Sums of squares of the held-out values about their own mean, and about the training mean.
    """
    backend, (n_chosen, n_test, width) = design.backend, hats.operators.shape
    held = gather(y, design.plan.test[hats.fold], 1, lambda shape: backend.empty(shape, design.dtype))
    rows = backend.empty((known.shape[0], n_chosen + 2, n_test), design.dtype)  # predictions, held-out values, ones for sums
    backend.matmul(known, hats.operators.reshape(-1, width).T, out=rows[:, :n_chosen].reshape(known.shape[0], n_chosen * n_test))
    rows[:, n_chosen] = held if not design.intercept else held - _training_mean(design, hats.fold, known)[:, None]
    rows[:, n_chosen + 1] = 1
    products = backend.numpy(backend.matmul(rows[:, : n_chosen + 1], rows.swapaxes(1, 2))).astype(np.float64)
    size_, mean = products[:, n_chosen, n_chosen], products[:, n_chosen, n_chosen + 1] / n_test
    w = hats.weights
    pairs = (w[:, :, None] * w[:, None, :]).reshape(len(w), -1)
    squared = pairs @ products[:, :n_chosen, :n_chosen].reshape(len(products), -1).T
    return size_ - 2 * w @ products[:, n_chosen, :n_chosen].T + squared, size_ - n_test * mean**2, size_


def _training_mean(design: Design, fold: int, known: Any) -> Any:
    """Mean of each target over the training part, (n_targets,)."""
    if design.form == "dual":
        return known.sum(1) / known.shape[1]
    return known[:, design.width] / size(design.plan.train[fold])
