"""Small tensors and traces for the tests of connectomes."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodecode.analysis.connectome import SeparableAffinity


def random_factors(shape: tuple[int, ...], rank: int, seed: int = 0) -> list[np.ndarray]:
    """Sparse non-negative factors (dim, rank) of unit norm, which a factorisation can tell apart."""
    rng = np.random.default_rng(seed)
    drawn = [rng.gamma(2.0, 1.0, (dim, rank)) * (rng.random((dim, rank)) < 0.6) for dim in shape]
    for factor in drawn:
        factor[np.arange(rank) % len(factor), np.arange(rank)] += 1.0  # no empty component
    return [factor / np.linalg.norm(factor, axis=0) for factor in drawn]


def full(factors: list[np.ndarray], weights: Any = None) -> np.ndarray:
    """The tensor of some factors, in double precision."""
    letters = "abcdef"[: len(factors)]
    first = factors[0].astype(float) * (1.0 if weights is None else np.asarray(weights, float))
    return np.einsum(",".join(f"{k}r" for k in letters) + "->" + letters, first, *(f.astype(float) for f in factors[1:]))


def noisy(shape: tuple[int, ...], rank: int, seed: int = 0, noise: float = 0.1) -> tuple[np.ndarray, list[np.ndarray]]:
    """A tensor of known factors and non-negative noise, float64."""
    factors = random_factors(shape, rank, seed)
    tensor = full(factors)
    return tensor + np.abs(noise * tensor.std() * np.random.default_rng(seed + 1).standard_normal(shape)), factors


def true_error(tensor: np.ndarray, fit: Any, mask: Any = None) -> float:
    """Relative error of a factorisation over observed cells, from residuals in double precision."""
    cells = np.ones(tensor.shape, bool) if mask is None else np.broadcast_to(mask, tensor.shape)
    data = tensor.astype(float)[cells]
    return float(np.linalg.norm(data - full(fit.factors, fit.weights)[cells]) / np.linalg.norm(data))


def separable(
    n_times: int = 60, n_samples: int = 3, n_names: int = 12, missing: float = 0.0, seed: int = 0, dtype: Any = np.float32
) -> SeparableAffinity:
    """Values of neurons that rise and fall, some of them missing in some samples."""
    rng = np.random.default_rng(seed)
    rates = rng.standard_normal((n_times, n_samples, n_names)) + np.sin(np.arange(n_times) / 5)[:, None, None]
    observed = rng.random((n_samples, n_names)) >= missing
    rates *= observed
    plus, minus = (np.sqrt(np.maximum(sign * rates, 0)).astype(dtype) for sign in (1, -1))
    return SeparableAffinity(plus, minus, observed if missing else None)


def built(affinity: SeparableAffinity) -> np.ndarray:
    """The tensor (n_times, n_samples, n_pairs) behind separable affinities."""
    i, j = np.triu_indices(affinity.h_plus.shape[2], 1)
    return np.asarray(sum(side[..., i] * side[..., j] for side in affinity[:2]))
