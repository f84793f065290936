"""Listeners of one story predict each other, and no longer if each is shifted in time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodecode.compare import noise_ceiling
from neurodecode.metrics import ceiling_schoppe, pearson_r


@pytest.fixture
def listeners(real: Callable[..., Path]) -> np.ndarray:
    """(n_volumes, n_listeners, n_nodes)."""
    with np.load(real("story_htfa", "story_htfa.npz"), allow_pickle=False) as held:
        return held["weights"].transpose(1, 0, 2)


def shifted(data: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each listener by another time, the best null of correlated volumes."""
    return np.stack([np.roll(data[:, s], rng.integers(30, 270), axis=0) for s in range(data.shape[1])], axis=1)


def test_the_correlation_with_the_others_is_as_published(listeners: np.ndarray) -> None:
    others = (listeners.sum(axis=1, keepdims=True) - listeners) / (listeners.shape[1] - 1)
    r = pearson_r(others, listeners)
    assert r.mean() == pytest.approx(0.164, abs=0.001)
    assert r.mean(axis=0).max() == pytest.approx(0.376, abs=0.001)
    assert r.mean(axis=0).argmax() == 18


def test_the_mean_of_all_listeners_is_reliable_and_of_shifted_ones_less(listeners: np.ndarray, rng: np.random.Generator) -> None:
    """Listeners as repeats of the story: signal power of what they share."""
    rho, null = ceiling_schoppe(listeners), ceiling_schoppe(shifted(listeners, rng))
    assert np.nanmean(rho) > 0.4
    assert np.nan_to_num(rho).argmax() == 18
    assert np.nan_to_num(null).mean() < 0.5 * np.nanmean(rho)


def test_listeners_predict_each_other(listeners: np.ndarray, rng: np.random.Generator) -> None:
    best = np.argsort(-np.nan_to_num(ceiling_schoppe(listeners)))[:10]
    some = listeners[:, ::3, best]
    rho, null = (noise_ceiling(data, "cross_subject", average=True, cv=3) for data in (some, shifted(some, rng)))
    assert np.sqrt(rho).mean() > 0.18
    assert np.sqrt(null).mean() < 0.5 * np.sqrt(rho).mean()


@pytest.mark.slow
def test_all_listeners_and_nodes(listeners: np.ndarray, rng: np.random.Generator) -> None:
    rho, null = (noise_ceiling(data, "cross_subject") for data in (listeners, shifted(listeners, rng)))
    assert np.sqrt(rho).mean() > 0.1
    assert np.sqrt(null).mean() < 0.08
