"""Bootstrap intervals of means over items that were drawn: stimuli, images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError

Floats = NDArray[np.float64]
_BATCH = 2**22  # resampled items at once


def bootstrap_interval(
    sums: Floats, counts: Floats, n: int, rng: np.random.Generator, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of a ratio of sums over items, drawn with replacement.

    Parameters
    ----------
    sums : NDArray[np.float64]
        Sum of the scores of each item, shape (n_items,).
    counts : NDArray[np.float64]
        Number of scores behind each sum, shape (n_items,).
    n : int
        Number of resamples; 0 for no interval.
    rng : Generator
        Source of the resamples.
    level : float
        Coverage.

    Returns
    -------
    tuple of float
        Lower and upper end; NaN without resamples or with one item.

    Raises
    ------
    DataError
        If the number is negative or the level is not between 0 and 1.
    """
    if n < 0 or not 0 < level < 1:
        raise DataError(f"n_bootstrap must be 0 or more and level between 0 and 1, got {n} and {level}")
    if n == 0 or len(sums) < 2:
        return float("nan"), float("nan")
    share, size = np.full(len(sums), 1 / len(sums)), max(1, _BATCH // len(sums))
    found = []
    for start in range(0, n, size):
        taken = rng.multinomial(len(sums), share, size=min(size, n - start))
        behind = taken @ counts
        found.append(np.where(behind > 0, taken @ sums / np.maximum(behind, 1e-300), np.nan))
    low, high = np.nanquantile(np.concatenate(found), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
