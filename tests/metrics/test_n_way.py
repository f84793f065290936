"""n-way top-k: chance in closed form, the exact mean over draws, and the published draws."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from neurodecode.errors import DataError
from neurodecode.metrics import METRICS, n_way_chance, n_way_top_k


def by_all_draws(true: NDArray, made: NDArray, n: int, k: int, gt_top: int) -> NDArray[np.float64]:
    """The published procedure over every possible draw of the other classes."""
    found = []
    for t, m in zip(true, made, strict=True):
        right = np.argsort(-t)[:gt_top]
        others = [c for c in range(len(t)) if c not in right]
        hits = [any(np.sum(m[list(drawn)] > m[c]) < k for c in right) for drawn in combinations(others, n - 1)]
        found.append(np.mean(hits))
    return np.array(found)


class TestChance:
    @pytest.mark.parametrize(
        ("n", "k", "gt_top", "expected"),
        [(2, 1, 3, 0.75), (50, 1, 3, 3 / 52), (2, 1, 1, 0.5), (50, 1, 1, 0.02), (50, 5, 1, 0.1), (50, 5, 3, 0.2663)],
    )
    def test_figures(self, n: int, k: int, gt_top: int, expected: float) -> None:
        assert n_way_chance(n, k, gt_top) == pytest.approx(expected, abs=5e-5)

    @pytest.mark.parametrize("n", [2, 3, 10, 50])
    def test_one_place_of_three_right_classes(self, n: int) -> None:
        assert n_way_chance(n, 1, 3) == pytest.approx(3 / (n + 2))

    def test_the_catalogue_says_the_same(self) -> None:
        assert METRICS["n_way_top_k"].chance == pytest.approx(n_way_chance())

    @pytest.mark.parametrize("exact", [True, False])
    @pytest.mark.parametrize(("n", "k", "gt_top"), [(2, 1, 3), (50, 1, 3), (2, 1, 1), (50, 1, 1), (50, 5, 3), (10, 3, 2)])
    def test_random_logits_are_there(self, n: int, k: int, gt_top: int, exact: bool, rng: np.random.Generator) -> None:
        true, made = rng.standard_normal((2, 3000, 200))
        found = n_way_top_k(true, made, n, k, gt_top, n_trials=None if exact else 5)
        error = found.std() / np.sqrt(len(found))
        assert found.mean() == pytest.approx(n_way_chance(n, k, gt_top), abs=4 * error)
        assert error < 0.01


class TestAccuracy:
    @pytest.mark.parametrize(("n", "k", "gt_top"), [(2, 1, 1), (3, 1, 3), (4, 2, 2), (5, 4, 1), (6, 1, 3)])
    def test_mean_over_all_draws(self, rng: np.random.Generator, n: int, k: int, gt_top: int) -> None:
        true, made = rng.standard_normal((2, 12, 9))
        np.testing.assert_allclose(n_way_top_k(true, made, n, k, gt_top), by_all_draws(true, made, n, k, gt_top), atol=1e-12)

    def test_draws_come_to_the_same(self, rng: np.random.Generator) -> None:
        true = rng.standard_normal((40, 60))
        made = true + rng.standard_normal(true.shape)
        exact, drawn = n_way_top_k(true, made, 20), n_way_top_k(true, made, 20, n_trials=4000)
        np.testing.assert_allclose(drawn, exact, atol=5 * 0.5 / np.sqrt(4000))

    def test_identical_and_opposite_images(self, rng: np.random.Generator) -> None:
        true = rng.standard_normal((10, 100))
        assert (n_way_top_k(true, true) == 1).all()
        assert n_way_top_k(true, -true).max() < 1e-12

    def test_one_of_the_right_classes_is_enough(self) -> None:
        true = np.array([[9.0, 8, 7, 0, 0, 0, 0]])
        made = np.array([[0.0, 0, 9, 1, 1, 1, 1]])
        assert n_way_top_k(true, made, n=4, gt_top=3)[0] == 1
        assert n_way_top_k(true, made, n=4, gt_top=2)[0] == 0

    def test_equal_logits_stand_in_random_order(self) -> None:
        """A classifier that says the same of all classes is at chance, not at 0 or 1."""
        true = np.random.default_rng(1).standard_normal((4000, 30))
        found = n_way_top_k(true, np.zeros_like(true), n=10)
        assert found.mean() == pytest.approx(n_way_chance(10), abs=4 * found.std() / np.sqrt(4000))

    def test_a_preferred_class_has_another_null(self, rng: np.random.Generator) -> None:
        """Chance in closed form is for predictions without a prior; shuffled pairs show the prior."""
        true = rng.standard_normal((500, 60)) + np.where(np.arange(60) < 3, 3.0, 0.0)
        assert n_way_top_k(true, true[rng.permutation(500)]).mean() > 5 * n_way_chance()

    @pytest.mark.parametrize("n_trials", [None, 7])
    def test_same_seed_same_score(self, rng: np.random.Generator, n_trials: int | None) -> None:
        true, made = rng.integers(0, 3, (2, 20, 60)).astype(float)
        one, same, other = (n_way_top_k(true, made, random_state=seed, n_trials=n_trials) for seed in (3, 3, 4))
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 2}, "1 <= k < n"),
        ({"k": 0}, "1 <= k < n"),
        ({"gt_top": 0}, "gt_top >= 1"),
        ({"n": 9}, "needs 11 classes"),
        ({"n_trials": 0}, "n_trials"),
    ],
)
def test_numbers_out_of_range(options: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        n_way_top_k(np.eye(10), np.eye(10), **{"n": 2, **options})


def test_nan_is_refused() -> None:
    with pytest.raises(DataError, match="reconstructed_logits: item 0"):
        n_way_top_k(np.eye(60), np.full((60, 60), np.nan))
