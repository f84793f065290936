"""Scores of held-out predictions where responses may be missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Floats = NDArray[np.float64]
_SLAB = 2**20  # numbers


def column_slabs(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Cut columns into slabs of 8 MB in double precision: temporary copies stay in the cache, and memory stays small.

    Parameters
    ----------
    n_rows, n_columns : int
        Shape of an array.

    Yields
    ------
    slice
        Columns.
    """
    width = max(1, _SLAB // max(n_rows, 1))
    for start in range(0, n_columns, width):
        yield slice(start, min(start + width, n_columns))


class Scores(NamedTuple):
    """How well predictions fit."""

    r: _Floats
    """Pearson correlation per target; 0 for a constant prediction, which knows nothing; NaN where the responses do not vary."""
    R2: _Floats
    """``1 - SSE / SST``, SST about the mean of these responses; NaN where they do not vary."""


def held_out_scores(true: ArrayLike, predicted: ArrayLike) -> Scores:
    """Correlation and R2 per target, of the rows that have a response.

    Chance 0 for both (R2 lies a little below on held-out rows), best 1. Without NaN they equal `neurodecode.metrics.pearson_r`
    and `neurodecode.metrics.r2_score`.

    Parameters
    ----------
    true, predicted : array_like of shape (n_rows, n_targets)
        Responses, NaN where missing, and predictions.

    Returns
    -------
    Scores
        Per target.
    """
    y, guess = np.asarray(true), np.asarray(predicted)
    parts = [_scores(*(np.asarray(part[:, columns], np.float64) for part in (y, guess))) for columns in column_slabs(*y.shape)]
    return Scores(*(np.concatenate(member) for member in zip(*parts, strict=True)))


def _scores(y: _Floats, guess: _Floats) -> Scores:
    known = np.isfinite(y) & np.isfinite(guess)
    n = np.maximum(known.sum(axis=0), 1)
    left = np.where(known, y - guess, 0.0)
    size = np.where(known, np.abs(y), 0.0).max(axis=0), np.where(known, np.abs(guess), 0.0).max(axis=0)
    y, guess = _centred(y, known, n), _centred(guess, known, n)
    total, spread = np.square(y).sum(axis=0), np.square(guess).sum(axis=0)
    varies = (known.sum(axis=0) > 1) & (total > n * (1e-6 * size[0]) ** 2)  # below, what varies is rounding of float32
    guesses = spread > n * (1e-6 * size[1]) ** 2
    norm = np.sqrt(np.where(varies & guesses, total * spread, 1.0))
    r = np.where(guesses, (y * guess).sum(axis=0) / norm, 0.0)
    r2 = 1 - np.square(left).sum(axis=0) / np.where(varies, total, 1.0)
    return Scores(np.where(varies, r, np.nan), np.where(varies, r2, np.nan))


def mean_over_folds(values: _Floats) -> _Floats:
    """Mean over the folds in which a score is defined.

    Parameters
    ----------
    values : array of shape (n_folds, ...)
        Scores, NaN where not defined.

    Returns
    -------
    array of shape (...)
        NaN where no fold has a score.
    """
    defined = np.isfinite(values)
    count = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def unit_norm(values: ArrayLike, segments: NDArray[np.int64]) -> NDArray[np.float32]:
    """Centre each column within each segment and give it norm 1 there, 0 where it is missing or does not vary.

    The scalar product of two such columns is the sum over segments of their correlations.

    Parameters
    ----------
    values : array_like of shape (n_rows, n_targets)
        Responses or predictions.
    segments : array of shape (n_rows,)
        Segment of each row.

    Returns
    -------
    array of shape (n_rows, n_targets)
        A copy.
    """
    result = np.zeros(np.shape(values), np.float32)
    for segment in np.unique(segments):
        rows = np.flatnonzero(segments == segment)
        part = np.asarray(values, np.float64)[rows]
        known = np.isfinite(part)
        centred = _centred(part, known, np.maximum(known.sum(axis=0), 1))
        norm = np.sqrt(np.square(centred).sum(axis=0))
        size = np.where(known, np.abs(part), 0.0).max(axis=0)
        varies = norm > 1e-6 * size * np.sqrt(len(rows))
        result[rows] = np.where(varies, centred / np.where(varies, norm, 1.0), 0.0)
    return result


def _centred(values: _Floats, known: NDArray[np.bool_], n: NDArray[np.int64]) -> _Floats:
    mean = np.where(known, values, 0.0).sum(axis=0) / n
    return np.where(known, values - mean, 0.0)
