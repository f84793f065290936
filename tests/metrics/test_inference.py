"""Permutations, p values and intervals against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from neurodecode.errors import DataError
from neurodecode.metrics import (
    between_group_permutation,
    fold_confidence_interval,
    maximum_statistic_p_values,
    permutation_p_value,
    within_group_permutation,
)


@pytest.mark.parametrize(("score", "expected"), [(5.0, 1 / 5), (4.0, 2 / 5), (2.5, 3 / 5), (0.0, 1.0)])
def test_p_value_counts_the_score_itself(score: float, expected: float) -> None:
    assert permutation_p_value(score, [1.0, 2.0, 3.0, 4.0]) == pytest.approx(expected)


def test_p_value_takes_rounding_for_a_tie() -> None:
    assert permutation_p_value(0.1 + 0.2, [0.3]) == 1.0
    assert permutation_p_value(0.3, [0.1 + 0.2]) == 1.0


def test_p_values_are_uniform_under_the_null(rng: np.random.Generator) -> None:
    p = [permutation_p_value(row[0], row[1:]) for row in rng.standard_normal((2000, 20))]
    assert np.mean(p) == pytest.approx(0.525, abs=0.02)
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.02)


def test_maximum_statistic_by_hand() -> None:
    null = np.array([[1.0, 0.0], [0.0, 3.0], [0.5, 0.2]])
    np.testing.assert_allclose(maximum_statistic_p_values([2.0, 0.4], null), [2 / 4, 4 / 4])


def test_maximum_statistic_controls_any_false_positive(rng: np.random.Generator) -> None:
    draws = rng.standard_normal((400, 40, 30))
    smallest = np.array([maximum_statistic_p_values(d[0], d[1:]).min() for d in draws])
    assert np.mean(smallest <= 0.05) == pytest.approx(0.05, abs=0.03)
    single = np.array([[permutation_p_value(d[0, j], d[1:, j]) for j in range(5)] for d in draws[:100]])
    assert np.mean(single.min(axis=1) <= 0.05) > 0.12  # what the correction is for


@pytest.mark.parametrize(
    ("scores", "null", "message"),
    [
        ([1.0], np.zeros((0, 1)), "n_permutations"),
        ([1.0, 2.0], np.zeros((5, 1)), "shapes"),
        ([np.nan], np.zeros((5, 1)), "1 scores"),
    ],
)
def test_maximum_statistic_refuses(scores: list[float], null: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        maximum_statistic_p_values(scores, null)


def test_within_groups_labels_stay_in_their_group(rng: np.random.Generator) -> None:
    groups = rng.integers(0, 5, 200)
    labels = 10 * groups + rng.integers(0, 3, 200)
    shuffled = within_group_permutation(labels, groups, rng)
    np.testing.assert_array_equal(shuffled // 10, groups)
    assert (shuffled != labels).mean() > 0.4
    for g in range(5):
        np.testing.assert_array_equal(np.sort(shuffled[groups == g]), np.sort(labels[groups == g]))


def test_within_groups_every_order_is_equally_likely() -> None:
    rng = np.random.default_rng(0)
    labels, groups = np.array([0, 1, 2, 7]), np.array([0, 0, 0, 1])
    drawn = [tuple(within_group_permutation(labels, groups, rng)) for _ in range(3000)]
    orders, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(orders) == 6
    assert stats.chisquare(counts).pvalue > 0.001


def test_permutations_follow_the_generator() -> None:
    labels, groups = np.arange(20), np.repeat([0, 1], 10)
    a, b = (within_group_permutation(labels, groups, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, within_group_permutation(labels, groups, np.random.default_rng(5)))


def test_between_groups_whole_groups_move(rng: np.random.Generator) -> None:
    groups = np.array(["a", "b", "c", "b", "a", "d", "d"])
    labels = np.array([1, 2, 3, 2, 1, 4, 4])
    shuffled = between_group_permutation(labels, groups, rng)
    values = {g: set(shuffled[groups == g]) for g in "abcd"}
    assert all(len(v) == 1 for v in values.values())
    assert sorted(v.pop() for v in values.values()) == [1, 2, 3, 4]


def test_between_groups_refuses_labels_that_vary_inside(rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match="sample 1"):
        between_group_permutation([0, 1, 0], [0, 0, 1], rng)


@pytest.mark.parametrize("function", [within_group_permutation, between_group_permutation])
def test_lengths_must_fit(function: object, rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match="one length"):
        function([1, 2, 3], [0, 0], rng)  # type: ignore[operator]


def test_interval_equals_scipy(rng: np.random.Generator) -> None:
    scores = rng.random(8)
    expected = stats.t.interval(0.9, 7, loc=scores.mean(), scale=stats.sem(scores))
    assert fold_confidence_interval(scores, 0.9) == pytest.approx(expected)
    assert fold_confidence_interval([*scores, np.nan], 0.9) == pytest.approx(expected)


def test_interval_of_one_fold_is_undefined() -> None:
    assert np.isnan(fold_confidence_interval([0.7])).all()
    assert fold_confidence_interval([0.7, 0.7]) == (0.7, 0.7)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_interval_refuses_levels_outside(level: float) -> None:
    with pytest.raises(DataError, match=str(level)):
        fold_confidence_interval([0.1, 0.2], level)
