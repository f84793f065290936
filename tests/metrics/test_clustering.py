from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from neurodecode.errors import DataError
from neurodecode.metrics import (
    adjusted_rand_index,
    chance_level,
    factor_match_chance,
    factor_match_score,
    match_factors,
    mutual_information_chance,
    normalized_mutual_information,
)

GROUPINGS = (adjusted_rand_index, normalized_mutual_information, mutual_information_chance)


def factors(seed: int = 0, rank: int = 3, dims: tuple[int, ...] = (12, 7, 9)) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random((dim, rank)) for dim in dims]


class TestAdjustedRandIndex:
    def test_by_hand(self) -> None:
        """Of 15 pairs, 2 are together in both; A = 6, B = 3, E = 1.2."""
        assert adjusted_rand_index([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2]) == pytest.approx((2 - 1.2) / (4.5 - 1.2))

    def test_names_do_not_count(self) -> None:
        assert adjusted_rand_index(["a", "a", "b", "c"], [2.5, 2.5, 0.5, -1.0]) == 1.0

    def test_worse_than_chance_is_below_zero(self) -> None:
        assert adjusted_rand_index([0, 0, 1, 1], [0, 1, 0, 1]) == pytest.approx(-0.5)


class TestMutualInformation:
    def test_by_hand(self) -> None:
        """I = ln 2 of H = ln 2 and ln 4."""
        assert normalized_mutual_information([0, 0, 1, 1], [0, 1, 2, 3]) == pytest.approx(2 / 3)

    @pytest.mark.parametrize(("k", "n"), [(2, 30), (5, 30), (15, 30)])
    def test_chance_is_the_mean_over_permutations(self, k: int, n: int) -> None:
        rng = np.random.default_rng(k)
        a, b = rng.integers(0, k, n), rng.integers(0, k + 1, n)
        found = [normalized_mutual_information(a, rng.permutation(b)) for _ in range(2000)]
        assert mutual_information_chance(a, b) == pytest.approx(np.mean(found), abs=4 * np.std(found) / np.sqrt(2000))

    def test_chance_grows_with_the_number_of_groups(self) -> None:
        chance = [mutual_information_chance(np.arange(40) % k, np.arange(40) // (40 // k)) for k in (2, 4, 10, 20)]
        assert np.all(np.diff(chance) > 0.02)

    def test_one_group_tells_nothing_about_itself(self) -> None:
        assert normalized_mutual_information([1, 1, 1], [0, 0, 0]) == mutual_information_chance([1, 1, 1], [0, 0, 0]) == 1.0


@pytest.mark.parametrize("score", GROUPINGS)
@pytest.mark.parametrize(("a", "b"), [([0, 1], [0, 1, 1]), ([], []), ([[0, 1]], [[0, 1]]), (0, 0)])
def test_groupings_of_other_items_are_refused(score: object, a: object, b: object) -> None:
    with pytest.raises(DataError, match="two arrays \\(n_items,\\) of the same items, got shapes"):
        score(a, b)  # type: ignore[operator]


class TestFactorMatch:
    def test_order_scale_and_weights_do_not_count(self) -> None:
        a = factors()
        other = SimpleNamespace(
            weights=np.ones(3), factors=[mode[:, [2, 0, 1]] * 10.0**i * (-1) ** i for i, mode in enumerate(a)]
        )
        found = match_factors(a, other)
        assert found.score == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_array_equal(found.second, [1, 2, 0])
        np.testing.assert_allclose(found.similarity, 1.0, atol=1e-12)

    def test_product_and_mean_by_hand(self) -> None:
        """One mode is orthogonal, the other has a cosine of 0.6."""
        a, b = [np.array([[1.0], [0.0]]), np.array([[1.0], [0.0]])], [np.array([[0.0], [2.0]]), np.array([[3.0], [4.0]])]
        assert factor_match_score(a, b) == 0.0
        assert factor_match_score(a, b, protocol="mean") == pytest.approx(0.3)
        assert factor_match_score(a[1:], b[1:]) == pytest.approx(0.6)

    def test_the_assignment_is_the_best_of_all(self) -> None:
        """Taking the best pair first would leave the other two with nothing."""
        a, b = np.eye(3), np.array([[0.8, 0.6, 0.0], [0.6, 0.0, 0.0], [0.0, 0.8, 1.0]])
        assert factor_match_score([a], [b]) == pytest.approx((0.6 + 0.6 + 1.0) / 3)

    def test_components_without_a_partner_do_not_count(self) -> None:
        more = factors(rank=5)
        found = match_factors([mode[:, 1:4] for mode in more], more)
        assert found.score == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_array_equal(found.second, [1, 2, 3])
        assert factor_match_score(more, [mode[:, :2] for mode in more]) == pytest.approx(1.0, abs=1e-12)

    def test_an_empty_component_is_like_nothing(self) -> None:
        a, b = factors(rank=2), factors(rank=2)
        b[1][:, 0] = 0
        assert factor_match_score(a, b) == pytest.approx(0.5)

    def test_a_cptensor_of_tensorly(self) -> None:
        from tensorly.cp_tensor import CPTensor

        a = factors()
        assert factor_match_score(CPTensor((np.arange(1.0, 4.0), a)), a) == pytest.approx(1.0, abs=1e-12)

    def test_chance_of_non_negative_factors_is_far_above_zero(self) -> None:
        a, b = factors(1), factors(2)
        chance = factor_match_chance(a, b)
        assert 0.4 < chance < 0.7
        assert factor_match_chance(a, a) == pytest.approx(chance, abs=0.1)
        assert factor_match_chance(a, b) == chance
        assert factor_match_chance(a, b, random_state=1) != chance
        assert factor_match_chance(a, b, protocol="mean") > chance

    @pytest.mark.parametrize("score", [factor_match_score, match_factors, factor_match_chance])
    def test_what_cannot_be_matched_is_refused(self, score: object) -> None:
        for a, b, message in (
            (factors(), factors(dims=(12, 7)), r"modes of \[12, 7, 9\] and \[12, 7\] rows"),
            (factors(), factors(dims=(12, 7, 8)), r"\[12, 7, 9\] and \[12, 7, 8\]"),
            ([], [], r"modes of \[\] and \[\] rows"),
            (factors(), [np.ones(12)] * 3, r"one matrix \(dim, rank\) per mode"),
            (factors(rank=0), factors(), "got shapes"),
            (factors(), [np.full((12, 3), np.nan), *factors()[1:]], "must be finite"),
        ):
            with pytest.raises(DataError, match=message):
                score(a, b)  # type: ignore[operator]
        with pytest.raises(DataError, match="protocol='median' is unknown"):
            score(factors(), factors(), protocol="median")  # type: ignore[operator]

    def test_chance_needs_a_shuffle(self) -> None:
        with pytest.raises(DataError, match="n_shuffles must be at least 1, got 0"):
            factor_match_chance(factors(), factors(), n_shuffles=0)


@pytest.mark.parametrize("name", ["factor_match_score", "normalized_mutual_information"])
def test_the_catalogue_names_the_function_that_finds_chance(name: str) -> None:
    with pytest.raises(DataError, match="depends on the data: compute it by neurodecode.metrics.*chance"):
        chance_level(name)
