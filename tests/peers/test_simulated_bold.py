"""Simulated responses against nilearn, which samples what is exact here."""

from __future__ import annotations

import numpy as np
import pytest
from nilearn.glm import first_level

from neurodecode.simulate import convolve_events, hrf


@pytest.mark.parametrize("kind", ["glover", "spm"])
def test_response_is_that_of_nilearn(kind: str) -> None:
    n = 1000  # samples per second; nilearn's kernel sums to 1 and starts one sample late
    theirs = getattr(first_level, f"{kind}_hrf")(1.0, oversampling=n) * n
    times = np.linspace(0, 32, len(theirs)) - 1 / n
    np.testing.assert_allclose(hrf(times, kind), theirs, atol=2e-3 * theirs.max())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["glover", "spm"])
@pytest.mark.parametrize("duration", [0.5, 2.0, 15.0])
def test_events_are_convolved_as_by_nilearn(rng: np.random.Generator, kind: str, duration: float) -> None:
    onsets, amplitudes, times = np.sort(rng.uniform(0, 90, 6)), rng.uniform(0.5, 2, 6), np.arange(60) * 2.0
    condition = np.array([onsets, np.full(6, duration), amplitudes])
    theirs = first_level.compute_regressor(condition, kind, times, oversampling=200)[0][:, 0]
    ours = convolve_events(onsets, duration, amplitudes, times, kind)  # type: ignore[arg-type]
    np.testing.assert_allclose(ours, theirs, atol=0.02 * np.abs(theirs).max())
