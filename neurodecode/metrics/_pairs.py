"""Two sets of responses to the same samples, and the samples on which they are fitted and compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Responses
from neurodecode.data.splits import contiguous_blocks
from neurodecode.errors import DataError, SplitLeakError

Rows = NDArray[np.int64]
Folds = int | Sequence[tuple[ArrayLike, ArrayLike]] | None
"""Number of blocks, pairs of rows to fit on and to score on, or None: fit and score on all samples."""
_MOST_GAP = 20  # samples; the folds of ridge regression leave out as many


def paired(X: Responses | ArrayLike, Y: Responses | ArrayLike, least: int = 2) -> tuple[NDArray[Any], NDArray[Any]]:
    """Check that two representations are of the same samples.

    Parameters
    ----------
    X : Responses or array_like of shape (n_samples, n_units_x)
        One representation.
    Y : Responses or array_like of shape (n_samples, n_units_y)
        The other one.
    least : int
        Samples that are needed.

    Returns
    -------
    tuple of two arrays
        Shapes (n_samples, n_units_x) and (n_samples, n_units_y), as they came.

    Raises
    ------
    DataError
        If these are not two matrices of finite numbers of one length, or two `Responses` name other stimuli.
    """
    matrices = [_matrix(side, name) for side, name in ((X, "X"), (Y, "Y"))]
    x, y = matrices
    if len(x) != len(y) or len(x) < least:
        raise DataError(f"X and Y must have the same samples as rows, at least {least}, got shapes {x.shape} and {y.shape}")
    if isinstance(X, Responses) and isinstance(Y, Responses):
        _check_stimuli(X, Y)
    return x, y


def _matrix(side: Responses | ArrayLike, name: str) -> NDArray[Any]:
    values = side.matrix() if isinstance(side, Responses) else np.asarray(side)
    if values.ndim != 2 or not values.size or values.dtype.kind not in "fiub":
        raise DataError(f"{name} must be numbers of shape (n_samples, n_units), got {values.dtype} of shape {values.shape}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = np.argwhere(~np.isfinite(values))[0]
        raise DataError(
            f"{name} holds NaN or infinite values, the first at sample {bad[0]}, unit {bad[1]}: leave those out of both"
        )
    return values


def _check_stimuli(X: Responses, Y: Responses) -> None:
    """Rows in another order give a number all the same, so names are compared where both sides have them."""
    if "stimulus" in X.samples and "stimulus" in Y.samples:
        names = [side.samples["stimulus"].astype(str).to_numpy() for side in (X, Y)]
        other = np.flatnonzero(names[0] != names[1])
        if other.size:
            first = [column[other[0]] for column in names]
            raise DataError(f"sample {other[0]} is stimulus {first[0]!r} in X and {first[1]!r} in Y: bring both into one order")


def comparison_folds(n: int, folds: Folds, groups: ArrayLike | None, gap: int | None) -> list[tuple[Rows, Rows]]:
    """Rows to fit on and to score on: whole groups, contiguous blocks with a gap, pairs as given, or all and all.

    Parameters
    ----------
    n : int
        Number of samples.
    folds : int, sequence of (train, test), or None
        Number of blocks, rows of one's own, or None: all samples are fitted and scored.
    groups : array_like of shape (n_samples,), optional
        Each group is held out as a whole, instead of blocks.
    gap : int, optional
        Samples left out of the fit on both sides of a block, by default 20 or half a block.

    Returns
    -------
    list of (train, test)
        Row numbers.

    Raises
    ------
    DataError
        If there are too few samples, groups or folds.
    SplitLeakError
        If a row stands on both sides of a fold of one's own.
    """
    if folds is None:
        return [(np.arange(n), np.arange(n))]
    if groups is not None:
        return _group_folds(np.asarray(groups), n)
    if isinstance(folds, (int, np.integer)):
        if not 2 <= folds <= n // 3:
            raise DataError(
                f"folds={folds} of {n} samples: at least two folds of at least three samples are needed, or folds=None"
            )
        wide = min(_MOST_GAP, n // (2 * int(folds))) if gap is None else gap
        return [(split.train, split.test) for split in contiguous_blocks(np.arange(n), int(folds), float(wide))]
    return _own_folds(folds, n)


def _group_folds(names: NDArray[Any], n: int) -> list[tuple[Rows, Rows]]:
    if names.shape != (n,) or len(np.unique(names)) < 2:
        raise DataError(f"groups must name one of at least two groups for each of {n} samples, got shape {names.shape}")
    return [(np.flatnonzero(names != name), np.flatnonzero(names == name)) for name in np.unique(names)]


def _own_folds(folds: Iterable[tuple[ArrayLike, ArrayLike]], n: int) -> list[tuple[Rows, Rows]]:
    pairs = [(np.arange(n)[np.asarray(fold[0])], np.arange(n)[np.asarray(fold[1])]) for fold in folds]
    for number, (train, test) in enumerate(pairs):
        if np.intersect1d(train, test).size:
            raise SplitLeakError(
                f"row {np.intersect1d(train, test)[0]} of fold {number} is fitted on and scored: keep the sides apart"
            )
        if min(len(train), len(test)) < 3:
            raise DataError(f"fold {number} has {len(train)} samples to fit and {len(test)} to score: at least three are needed")
    if not pairs:
        raise DataError(f"folds={folds!r} gives none: give pairs of rows, a number of blocks, or None")
    return pairs


def centred(values: NDArray[Any]) -> NDArray[np.float64]:
    """Take the mean off each column.

    Parameters
    ----------
    values : array of shape (n_samples, n_units)
        Numbers.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_samples, n_units).
    """
    return np.asarray(values - values.mean(axis=0, dtype=np.float64), np.float64)


def weighted_mean(values: Sequence[float], folds: Sequence[tuple[Rows, Rows]]) -> float:
    """Mean over folds, each as heavy as it has samples.

    Parameters
    ----------
    values : sequence of float
        One per fold.
    folds : sequence of (train, test)
        Rows.

    Returns
    -------
    float
        The mean.
    """
    return float(np.average(values, weights=[len(test) for _, test in folds]))
