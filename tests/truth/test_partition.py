"""Shares of variance that were planted are found again."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.compare import variance_partition
from neurodecode.simulate.encoding import planted_bands


@pytest.mark.parametrize(
    "parts",
    [
        {(0,): 0.2, (1,): 0.1, (0, 1): 0.15},
        {(0,): 0.3, (1,): 0.0, (0, 1): 0.0},
        {(0,): 0.15, (1,): 0.1, (2,): 0.0, (0, 1): 0.1, (0, 1, 2): 0.15},
    ],
    ids=["two spaces", "one holds nothing", "three spaces"],
)
def test_planted_shares_are_recovered(parts: dict[tuple[int, ...], float]) -> None:
    planted = planted_bands(1500, parts, n_targets=40, n_runs=5)
    found = variance_partition(planted.spaces, planted.brain, delays_s=None, n_iter=5)
    for region, values in found.regions.items():
        assert abs(np.median(values) - parts.get(region, 0.0)) < 0.03, region
    assert abs(np.median(found.joint) - sum(parts.values())) < 0.03


def test_every_division_agrees_on_spaces_that_share_nothing() -> None:
    parts = {(0,): 0.25, (1,): 0.15}
    planted = planted_bands(900, parts, n_targets=40, n_runs=5, feature_ar=0.0)
    found = variance_partition(planted.spaces, planted.brain, delays_s=None, n_iter=5)
    for division in (found.unique, found.shapley, found.product):
        assert np.abs(np.median(division, axis=1) - [0.25, 0.15]).max() < 0.03


def test_suppression_stays_negative() -> None:
    """A space that tells the noise of another one explains nothing alone, and much beside it."""
    rng = np.random.default_rng(0)
    signal, noise = rng.standard_normal((2, 600, 3))
    y = signal @ rng.standard_normal((3, 20)) + rng.standard_normal((600, 20))
    found = variance_partition([signal + noise, noise], y, delays_s=None, n_iter=5, groups=np.repeat(np.arange(5), 120))
    assert np.median(found.single[1]) < 0.02
    assert np.median(found.shared["features0 & features1"]) < -0.2


def test_nothing_is_found_in_noise() -> None:
    planted = planted_bands(600, {(0,): 0.0, (1,): 0.0}, n_targets=60, n_runs=5)
    found = variance_partition(planted.spaces, planted.brain, delays_s=None, n_iter=5)
    assert -0.05 < np.mean(found.joint) < 0.005, "a little below chance, as every prediction of noise on held-out data"
    assert np.abs(found.unique.mean(axis=1)).max() < 0.01
