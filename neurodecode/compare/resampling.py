"""Resamples of time series as sums of a few stored terms, so that a thousand of them cost little more than one.

A circular shift of one series against another, an exchange of blocks, or a sample of blocks does not need the rows again: its
scalar product is a sum of terms that are computed once per target (the cross-covariance at each shift, the scalar product of each
pair of blocks, the sum over each window). Which terms each resample takes is the same for all targets: a sparse matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError

_Floats = NDArray[np.float64]
_Rows = Sequence[NDArray[np.int64]]
_MOST_NUMBERS = 2**23  # held at once: 64 MB
_WIDEST = 4096


class Plan(NamedTuple):
    """Resamples of series that run in stretches (runs)."""

    take: Any
    """Sparse (n_resamples, n_terms): how often each resample takes each term."""
    terms: Callable[[_Floats, _Floats], _Floats]
    """Terms of two series, both (n_samples, n_targets), as (n_terms, n_targets)."""


def circular_plan(runs: _Rows, n: int, min_shift: int, rng: np.random.Generator) -> Plan:
    """Shift one series against the other within each run, in a circle.

    Each run is shifted by an amount of its own. Where there are no more than `n` different combinations of shifts, each is taken
    once: repeating them would make p values smaller than the data can show.

    Parameters
    ----------
    runs : sequence of array
        Rows of each run.
    n : int
        Number of resamples wanted.
    min_shift : int
        Shortest shift in samples, in both directions.
    rng : numpy.random.Generator
        Source of the shifts.

    Returns
    -------
    Plan
        At most `n` resamples.

    Raises
    ------
    DataError
        If a run is too short for two such shifts.
    """
    from scipy.fft import irfft, rfft

    lengths = [len(rows) for rows in runs]
    counts = [length - 2 * min_shift + 1 for length in lengths]
    if min_shift < 1 or min(counts) < 2:
        raise DataError(
            f"a run of {min(lengths)} samples has no two circular shifts of {min_shift} samples or more in both directions: take "
            "min_shift from 1 up to less than half a run, or method='block'"
        )
    shifts = _combinations(counts, n, rng) + min_shift
    starts = np.cumsum([0, *lengths[:-1]])

    def terms(y: _Floats, y_hat: _Floats) -> _Floats:
        parts = [irfft(rfft(y[r], axis=0) * rfft(y_hat[r], axis=0).conj(), len(r), axis=0) for r in runs]
        return np.concatenate(parts)

    return Plan(_take(shifts + starts, sum(lengths)), terms)


def block_plan(runs: _Rows, n: int, block: int, rng: np.random.Generator) -> Plan:
    """Put the blocks of one series into another order within each run.

    A run that is no multiple of the block ends with a shorter one, which may come to stand anywhere too. The order as it was is
    one of those drawn, as Phipson and Smyth (2010) require of ``(b + 1) / (n + 1)``.

    Parameters
    ----------
    runs : sequence of array
        Rows of each run.
    n : int
        Number of resamples.
    block : int
        Length of a block in samples.
    rng : numpy.random.Generator
        Source of the orders.

    Returns
    -------
    Plan
        `n` resamples.

    Raises
    ------
    DataError
        If a run has not two blocks.
    """
    shortest = min(len(rows) for rows in runs)
    if not 1 <= block <= shortest // 2:
        raise DataError(f"a run of {shortest} samples has not two blocks of {block!r}: take shorter blocks or longer runs")
    columns, start = [], 0
    for rows in runs:
        columns.append(start + _draw_order(len(rows), block, n, rng))
        start += _n_pairs(len(rows), block)

    def terms(y: _Floats, y_hat: _Floats) -> _Floats:
        return np.concatenate([_block_products(y[rows], y_hat[rows], block) for rows in runs])

    return Plan(_take(np.concatenate(columns, axis=1), start), terms)


def bootstrap_plan(runs: _Rows, n: int, block: int, rng: np.random.Generator) -> Plan:
    """Draw blocks with replacement within each run: the circular block bootstrap (Politis and Romano, 1992).

    Parameters
    ----------
    runs : sequence of array
        Rows of each run.
    n : int
        Number of resamples.
    block : int
        Length of a block in samples; a shorter run is one block.
    rng : numpy.random.Generator
        Source of the starts.

    Returns
    -------
    Plan
        `n` resamples as long as the series; its terms are sums of ``y * y_hat`` over windows.

    Raises
    ------
    DataError
        If the block is shorter than one sample.
    """
    if block < 1:
        raise DataError(f"block must be 1 sample or more, got {block!r}")
    columns, sizes, start = [], [], 0
    for rows in runs:
        length = min(block, len(rows))
        whole, rest = divmod(len(rows), length)
        drawn = rng.integers(0, len(rows), (n, whole + (rest > 0)))
        drawn[:, whole:] += len(rows)  # windows of the rest stand behind those of a whole block
        columns.append(start + drawn)
        sizes.append((length, rest))
        start += 2 * len(rows)

    def terms(y: _Floats, y_hat: _Floats) -> _Floats:
        windows = (_window_sums(y[rows] * y_hat[rows], width) for rows, both in zip(runs, sizes, strict=True) for width in both)
        return np.concatenate(list(windows))

    return Plan(_take(np.concatenate(columns, axis=1), start), terms)


def target_batches(plan: Plan, n_samples: int, n_targets: int) -> Iterator[slice]:
    """Cut targets into batches whose terms and resamples fit into about 64 MB.

    Parameters
    ----------
    plan : Plan
        Resamples.
    n_samples, n_targets : int
        Shape of the series.

    Yields
    ------
    slice
        Targets of one batch.
    """
    per_target = 2 * plan.take.shape[0] + plan.take.shape[1] + 4 * n_samples
    width = int(np.clip(_MOST_NUMBERS // per_target, 1, _WIDEST))
    for start in range(0, n_targets, width):
        yield slice(start, min(start + width, n_targets))


def _combinations(counts: Sequence[int], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers below `counts`, one of each per row: all combinations, or `n` at random."""
    total = math.prod(counts)
    if total > 2**50:  # too many to number; the same one twice is out of the question
        return np.asarray(rng.integers(0, counts, (n, len(counts))), np.int64)
    chosen = np.arange(total) if total <= n else rng.choice(total, n, replace=False)
    return np.stack(np.unravel_index(chosen, tuple(counts)), axis=1).astype(np.int64, copy=False)


def _take(columns: NDArray[np.int64], n_terms: int) -> Any:
    """Sparse matrix with a 1 (or their number) for each term of a resample, (n_resamples, n_taken)."""
    from scipy.sparse import csr_array

    n, k = columns.shape
    return csr_array((np.ones(n * k), columns.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n_terms))


def _n_pairs(length: int, block: int) -> int:
    """Terms of a run: pairs of blocks, before and behind the short one, and the places of the short one."""
    whole, rest = divmod(length, block)
    return whole**2 * (2 if rest else 1) + (whole + 1 if rest else 0)


def _draw_order(length: int, block: int, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Terms that each new order of the blocks of one run takes."""
    whole, rest = divmod(length, block)
    place = np.arange(whole)
    order = rng.permuted(np.tile(place, (n, 1)), axis=1)
    if not rest:
        return np.asarray(place * whole + order)
    short = rng.integers(0, whole + 1, (n, 1))  # blocks that stand before the short one
    columns = [place * whole + order + (place >= short) * whole**2, 2 * whole**2 + short]
    return np.concatenate(columns, axis=1)


def _block_products(y: _Floats, y_hat: _Floats, block: int) -> _Floats:
    """Scalar products of the blocks of one run, in the order of `_draw_order`."""
    whole, rest = divmod(len(y), block)
    moved = y_hat[: whole * block].T.reshape(-1, whole, block).swapaxes(1, 2)
    places = [y[first : first + whole * block].T.reshape(-1, whole, block) for first in ([0, rest] if rest else [0])]
    products = [(place @ moved).reshape(-1, whole**2).T for place in places]
    if rest:
        short = [np.sum(y[k * block : k * block + rest] * y_hat[whole * block :], axis=0) for k in range(whole + 1)]
        products.append(np.stack(short))
    return np.concatenate(products)


def _window_sums(values: _Floats, width: int) -> _Floats:
    """Sum over the window that begins at each sample, in a circle."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(np.concatenate([values, values[:width]]), axis=0)])
    return np.asarray(total[width : width + len(values)] - total[: len(values)])
