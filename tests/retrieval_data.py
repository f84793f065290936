"""Trials of stimuli with known places, for tests of retrieval and of images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def trials(n: int = 40, repeats: int = 4, noise: float = 2.0, width: int = 20, seed: int = 0) -> tuple[NDArray, NDArray, NDArray]:
    """Noisy predictions of random targets, shape (n * repeats, width), the targets of each trial, and their ids."""
    rng = np.random.default_rng(seed)
    ids = np.tile(np.arange(n), repeats)
    targets = rng.standard_normal((n, width))[ids]
    return targets + noise * rng.standard_normal(targets.shape), targets, ids


def asymmetric() -> tuple[NDArray, NDArray]:
    """Predictions and targets whose dot products are these: rows are predictions, columns targets.

    Prediction 0 finds its target, 1 and 2 answer with target 2 (2 rightly): 2 of 3 brains find their stimulus.
    Target 2 finds its prediction, 0 and 1 answer with prediction 2: 1 of 3 stimuli finds its brain.
    """
    return np.array([[9.0, 0.0, 0.0], [5.0, 8.0, 10.0], [9.5, 8.5, 11.0]]), np.eye(3)


def ratings(alike: NDArray, k: int) -> tuple[float, float]:
    """Top-k accuracy of rows among columns and of columns among rows, by sorting, for matrices without ties."""

    def found(matrix: NDArray) -> float:
        order = np.argsort(-matrix, axis=1)[:, :k]
        return float(np.mean([i in row for i, row in enumerate(order)]))

    return found(alike), found(alike.T)


def images(rng: np.random.Generator, n: int = 12, side: int = 24, colours: int = 3) -> NDArray[np.uint8]:
    """Smooth random images with one bright patch each, so that pairs differ."""
    found = rng.integers(0, 120, (n, side, side, colours))
    for image in found:
        y, x = rng.integers(0, side - 6, 2)
        image[y : y + 6, x : x + 6] += rng.integers(60, 130, colours)
    return found.astype(np.uint8)


def noisy(true: NDArray, rng: np.random.Generator, noise: float = 40) -> NDArray[np.uint8]:
    """Images with noise on each pixel."""
    return np.clip(true + noise * rng.standard_normal(true.shape), 0, 255).astype(np.uint8)
