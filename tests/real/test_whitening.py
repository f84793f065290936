"""Covariances of natural image patches in 56 contexts are whitened to rounding error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodecode.analysis.gain_control import whiten_online, whitened_covariance, whitening_gains


@pytest.fixture
def contexts(real: Callable[..., Path]) -> np.ndarray:
    return np.load(real("natural_covariances") / "norm_filtered_5x5.npy", allow_pickle=False)


def test_all_contexts_are_whitened(contexts: np.ndarray) -> None:
    errors = [np.linalg.norm(whitened_covariance(C, whitening_gains(C)) - np.eye(25)) / np.linalg.norm(C) for C in contexts]
    assert len(errors) == 56
    assert max(errors) <= 1e-12


def test_a_stream_whitens_them_too(contexts: np.ndarray) -> None:
    C = contexts[0]
    found = whiten_online(C, rate=0.02, batch=0, steps=3000)
    assert found.error[0] > 0.1
    assert found.error[-1] < 1e-3
    distance = [np.linalg.norm(g - whitening_gains(C)) for g in found.course[[0, 300, 1000, -1]]]
    assert distance == sorted(distance, reverse=True)
