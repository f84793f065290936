"""A true model reaches the ceiling: planted signal, the ceilings estimated from repeats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ceiling_data import planted, without_some

from neurodecode.metrics import (
    cc_norm,
    ceiling_coverage,
    ceiling_explainable_variance,
    ceiling_ncsnr,
    ceiling_schoppe,
    ceiling_split_half,
    normalise_r,
    normalise_r2,
    pearson_r,
)

ALL = [ceiling_ncsnr, ceiling_split_half, ceiling_schoppe, ceiling_explainable_variance]


@pytest.mark.parametrize("n_repeats", [3, 4])
@pytest.mark.parametrize("ceiling", ALL)
def test_the_true_model_is_at_the_ceiling(ceiling: Callable[..., np.ndarray], n_repeats: int) -> None:
    """400 targets, 1000 stimuli: median r² / rho within .01 of 1, rho itself within .002; the wrong units are far off."""
    truth = planted(1000, n_repeats, 400)
    rho, r = ceiling(truth.data), pearson_r(truth.data.mean(axis=1), truth.signal)
    assert np.median(normalise_r2(r**2, rho)) == pytest.approx(1.0, abs=0.01)
    assert np.median(normalise_r(r, rho)) == pytest.approx(1.0, abs=0.005)
    assert np.mean(rho - truth.rho(1 / n_repeats)) == pytest.approx(0.0, abs=0.002)
    assert np.median(r / rho) > 1.1
    assert np.median((r / rho) ** 2) > 1.3


def test_normalised_correlation_of_the_true_model() -> None:
    truth = planted(1000, 4, 400)
    assert np.median(cc_norm(truth.data, truth.signal)) == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize("ceiling", ALL)
def test_mixed_repeats(ceiling: Callable[..., np.ndarray]) -> None:
    """Stimuli three times, twice and once, compared with the mean over what there is."""
    truth = planted(3000, 3, 100, seed=1)
    data = without_some(truth.data)
    rho, r = ceiling(data), pearson_r(np.nanmean(data, axis=1), truth.signal)
    assert np.mean(rho - truth.rho((1 / 3 + 1 / 2 + 1) / 3)) == pytest.approx(0.0, abs=0.005)
    assert np.median(normalise_r2(r**2, rho)) == pytest.approx(1.0, abs=0.015)


@pytest.mark.parametrize("ceiling", ALL)
def test_noise_alone_does_not_reach_the_floor(ceiling: Callable[..., np.ndarray], rng: np.random.Generator) -> None:
    rho = ceiling(rng.standard_normal((5000, 3, 100)))
    assert ceiling_coverage(rho) <= 0.08
    assert np.nanmax(rho) < 0.12
