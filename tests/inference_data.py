"""Series for tests of inference, and the plain loops that fast permutations are held against."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurodecode.simulate import ar_noise


def pairs(n_samples: int, n_pairs: int, ar: float = 0.8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unrelated autoregressive series, two of shape (n_samples, n_pairs)."""
    both = ar_noise((2, n_pairs, n_samples), ar, np.random.default_rng(seed))
    return both[0].T, both[1].T


def related(n_samples: int, n_targets: int, weight: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Series and predictions that share part of their variance."""
    y, noise = pairs(n_samples, n_targets, 0.5, seed)
    return y, weight * y + (1 - weight) * noise


def shifted(series: np.ndarray, runs: list[np.ndarray], shifts: list[int]) -> np.ndarray:
    """Each run rolled by its shift: the definition."""
    out = series.copy()
    for rows, shift in zip(runs, shifts, strict=True):
        out[rows] = np.roll(series[rows], shift, axis=0)
    return out


def block_orders(length: int, block: int) -> Iterator[list[np.ndarray]]:
    """All orders of the blocks of a short run, the shorter one at its end among them."""
    from itertools import permutations

    starts = range(0, length, block)
    yield from (list(order) for order in permutations([np.arange(s, min(s + block, length)) for s in starts]))
