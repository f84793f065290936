"""Planted graphs are what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurodecode.errors import DataError
from neurodecode.simulate import block_pattern, planted_blocks, weighted_lfr


def test_patterns() -> None:
    np.testing.assert_array_equal(block_pattern("assortative", 3, ratio=2.0), [[2, 1, 1], [1, 2, 1], [1, 1, 2]])
    np.testing.assert_allclose(np.diag(block_pattern("core_periphery")), np.array([2.0, 1.2, 0.7, 0.4]) ** 2)
    nested = block_pattern("nested", 6, ratio=3.0)
    assert (nested[0, 0], nested[0, 2], nested[0, 3]) == (9.0, 3.0, 1.0)
    one, same, other = (block_pattern("random", 5, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_array_equal(one, one.T)
    assert one.min() > 0.3
    assert one.max() < 2.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((("ring", 4), {}), "ring"),
        ((("nested", 4), {}), "got 4"),
        ((("assortative", 1), {}), "got 1"),
        ((("assortative", 3), {"ratio": 0.0}), "ratio"),
    ],
)
def test_patterns_that_do_not_exist(arguments: tuple[tuple[Any, ...], dict[str, Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        block_pattern(*arguments[0], **arguments[1])


class TestPlantedBlocks:
    def test_means_and_sizes(self) -> None:
        planted = planted_blocks(block_pattern("assortative", 4, ratio=3.0), 400)
        labels = planted.truth["labels"]
        np.testing.assert_array_equal(np.bincount(labels), 100)
        same = (labels[:, None] == labels) & ~np.eye(400, dtype=bool)
        inside, outside = planted.weights[same], planted.weights[labels[:, None] != labels]
        assert inside.mean() == pytest.approx(3.0, rel=0.03)
        assert outside.mean() == pytest.approx(1.0, rel=0.03)
        assert inside.std() == pytest.approx(inside.mean(), rel=0.05)  # exponential
        np.testing.assert_array_equal(planted.weights, planted.weights.T)
        assert (np.diag(planted.weights) == 0).all()

    def test_propensities_and_edges(self) -> None:
        planted = planted_blocks([[1.0]], 300, spread=0.5, density=0.4)
        t = planted.truth["propensity"]
        assert np.log(t).std() == pytest.approx(0.5, rel=0.15)
        assert (planted.weights > 0).mean() == pytest.approx(0.4, abs=0.02)
        assert np.corrcoef(planted.weights.sum(axis=1), t)[0, 1] > 0.95

    def test_seeds(self) -> None:
        a, b, c = (planted_blocks([[1.0]], 20, random_state=seed).weights for seed in (0, 0, 1))
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 0.1

    @pytest.mark.parametrize(
        ("means", "options"),
        [
            ([[1.0, 2.0]], {}),
            ([[1.0, 2.0], [3.0, 1.0]], {}),
            ([[0.0]], {}),
            ([[1.0]], {"density": 0.0}),
            ([[1.0]], {"spread": -1.0}),
            (np.ones((3, 3)), {"n_nodes": 2}),
        ],
    )
    def test_wrong_arguments(self, means: Any, options: dict[str, Any]) -> None:
        with pytest.raises(DataError, match="got"):
            planted_blocks(means, **options)


class TestBenchmarkGraph:
    @pytest.mark.parametrize(
        "setting", [{}, {"mu_t": 0.25}, {"mu_t": 0.75}, {"mean_degree": 10.0}, {"mu_w": 0.25}, {"beta": 1.0}]
    )
    def test_degrees_mixing_and_strengths(self, setting: dict[str, float]) -> None:
        planted = weighted_lfr(random_state=13, **setting)  # type: ignore[arg-type]
        adjacency, truth = planted.weights > 0, planted.truth
        np.testing.assert_array_equal(planted.weights, planted.weights.T)
        assert (adjacency.sum(axis=1) <= truth["degree"]).all()
        assert adjacency.sum() >= 0.9 * truth["degree"].sum()
        assert truth.parameters["mixing_edges"] == pytest.approx(setting.get("mu_t", 0.5), abs=0.06)
        assert truth.parameters["mixing_weights"] == pytest.approx(setting.get("mu_w", 0.5), abs=0.08)
        fit = np.corrcoef(np.log(planted.weights.sum(axis=1)), np.log(truth["strength"]))[0, 1]
        assert fit > 0.9
        assert np.bincount(truth["labels"]).max() <= 62

    def test_degrees_are_broad(self) -> None:
        degrees = np.concatenate([weighted_lfr(random_state=seed).truth["degree"] for seed in range(8)])
        assert degrees.mean() == pytest.approx(25.0, rel=0.12)
        assert degrees.max() > 80
        assert np.median(degrees) < 20

    def test_seeds(self) -> None:
        a, b, c = (weighted_lfr(random_state=seed).weights for seed in (0, 0, 1))
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 0

    @pytest.mark.parametrize("setting", [{"mu_t": 1.5}, {"mu_w": -0.1}, {"max_degree": 200}, {"mean_degree": 120.0}])
    def test_wrong_arguments(self, setting: dict[str, Any]) -> None:
        with pytest.raises(DataError, match="got"):
            weighted_lfr(**setting)

    def test_a_mean_that_no_power_law_has(self) -> None:
        with pytest.raises(DataError, match="mean above 5"):
            weighted_lfr(mean_degree=5.0, max_degree=100, degree_exponent=0.5)
