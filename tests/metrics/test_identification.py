"""Two-way identification and feature distances by hand, in both directions, with ties."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from neurodecode.errors import DataError
from neurodecode.metrics import feature_distance, two_way_identification
from neurodecode.metrics._alike import paired_similarity, similarity
from neurodecode.metrics.identification import wins

ALIKE = np.array([[0.9, 0.5, 0.1], [0.2, 0.4, 0.3], [0.95, 0.6, 0.8]])  # images are rows, reconstructions columns


def by_loops(true: NDArray, made: NDArray, direction: str) -> NDArray[np.float64]:
    """The definition, pair by pair."""
    n = len(true)
    r = np.array([[np.corrcoef(t.ravel(), m.ravel())[0, 1] for m in made] for t in true])
    other = r if direction == "reconstruction" else r.T
    return np.array([np.mean([other[i, j] < other[j, j] for i in range(n) if i != j]) for j in range(n)])


class TestTwoWay:
    def test_by_hand_in_both_directions(self) -> None:
        """Reconstruction 0 is likest image 2; image 2 is likest reconstruction 0, but beats 1."""
        np.testing.assert_allclose(wins(ALIKE, np.arange(3)), [0.5, 0.0, 1.0])
        np.testing.assert_allclose(wins(ALIKE, np.arange(3), "truth"), [1.0, 1.0, 0.5])

    @pytest.mark.parametrize("direction", ["reconstruction", "truth"])
    def test_by_the_definition(self, rng: np.random.Generator, direction: str) -> None:
        true = rng.standard_normal((9, 4, 5))
        made = true + 4 * rng.standard_normal(true.shape)
        found = two_way_identification(true, made, direction)
        np.testing.assert_allclose(found, by_loops(true, made, direction))
        assert found.shape == (9,)
        assert 0.5 < found.mean() < 1

    def test_the_directions_are_transposed(self, rng: np.random.Generator) -> None:
        true, made = rng.standard_normal((2, 30, 8))
        np.testing.assert_array_equal(two_way_identification(true, made), two_way_identification(made, true, "truth"))
        assert not np.array_equal(two_way_identification(true, made), two_way_identification(true, made, "truth"))

    def test_identity_and_opposite(self, rng: np.random.Generator) -> None:
        true = rng.standard_normal((20, 30))
        assert (two_way_identification(true, true) == 1).all()
        assert (two_way_identification(true, -true) == 0).all()
        assert (two_way_identification(true, 0.1 * true + 7) == 1).all()

    def test_shuffled_pairs_are_at_chance(self, rng: np.random.Generator) -> None:
        true = rng.standard_normal((60, 30))
        found = [two_way_identification(true, true[rng.permutation(60)]).mean() for _ in range(40)]
        assert np.mean(found) == pytest.approx(0.5, abs=0.03)

    def test_a_mean_image_is_at_chance(self, rng: np.random.Generator) -> None:
        true = rng.standard_normal((51, 30))
        mean = np.broadcast_to(true.mean(axis=0), true.shape)
        assert two_way_identification(true, mean).mean() == pytest.approx(0.5)
        assert (two_way_identification(true, mean, "truth") == 0).all(), "all reconstructions tie"
        assert (two_way_identification(true, mean, "truth", ties="half") == 0.5).all()

    @pytest.mark.parametrize("direction", ["reconstruction", "truth"])
    @pytest.mark.parametrize(("ties", "expected"), [("lose", 0.0), ("half", 0.5)])
    def test_features_that_do_not_vary(self, rng: np.random.Generator, direction: str, ties: str, expected: float) -> None:
        true = rng.standard_normal((6, 10))
        assert (two_way_identification(true, np.full_like(true, 0.3), direction, ties) == expected).all()

    @pytest.mark.parametrize(
        ("true", "made", "options", "message"),
        [
            (np.ones((1, 3)), np.ones((1, 3)), {}, "at least 2 items"),
            (np.ones((3, 4)), np.ones((3, 5)), {}, "one shape"),
            (np.ones(3), np.ones(3), {}, "n_features"),
            (np.array([[1.0, 2], [np.nan, 1]]), np.ones((2, 2)), {}, "true_features: item 1"),
            (np.ones((2, 2)), np.array([["a", "b"], ["c", "d"]]), {}, "numbers"),
            (np.eye(3), np.eye(3), {"direction": "image"}, "direction='image'"),
            (np.eye(3), np.eye(3), {"ties": "win"}, "ties='win'"),
        ],
    )
    def test_what_cannot_be_scored(self, true: NDArray, made: NDArray, options: dict[str, str], message: str) -> None:
        with pytest.raises(DataError, match=message):
            two_way_identification(true, made, **options)


class TestDistance:
    def test_by_the_definition(self, rng: np.random.Generator) -> None:
        true, made = rng.standard_normal((2, 7, 3, 4))
        expected = [1 - np.corrcoef(t.ravel(), m.ravel())[0, 1] for t, m in zip(true, made, strict=True)]
        np.testing.assert_allclose(feature_distance(true, made), expected, rtol=1e-12)

    def test_ends_of_the_scale(self, rng: np.random.Generator) -> None:
        true = rng.standard_normal((5, 20))
        np.testing.assert_allclose(feature_distance(true, 2 * true + 1), 0, atol=1e-12)
        np.testing.assert_allclose(feature_distance(true, -true), 2)
        assert (feature_distance(true, np.ones_like(true)) == 1).all()

    def test_far_from_zero_in_single_precision(self, rng: np.random.Generator) -> None:
        true, made = (1000 + rng.standard_normal((2, 5, 400))).astype(np.float32)
        expected = [1 - np.corrcoef(t, m)[0, 1] for t, m in zip(true.astype(float), made.astype(float), strict=True)]
        np.testing.assert_allclose(feature_distance(true, made), expected, atol=1e-10)


class TestSimilarity:
    @pytest.mark.parametrize("block", [7, 50, 10**6])
    @pytest.mark.parametrize("kind", ["cosine", "correlation", "dot"])
    def test_blocks_change_nothing(
        self, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, kind: str, block: int
    ) -> None:
        a, b = rng.standard_normal((4, 31)), 2 + rng.standard_normal((6, 31))
        whole = similarity(a, b, kind)
        monkeypatch.setattr("neurodecode.metrics._alike._BLOCK", block)
        np.testing.assert_allclose(similarity(a, b, kind), whole, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(paired_similarity(a, b[:4]), np.diag(similarity(a, b[:4])), rtol=1e-12)

    def test_bytes_do_not_overflow(self) -> None:
        a = np.array([[250, 255, 0], [0, 1, 255]], np.uint8)
        np.testing.assert_allclose(similarity(a, a, "correlation"), np.corrcoef(a.astype(float)))
        np.testing.assert_allclose(similarity(a, a, "dot"), a.astype(float) @ a.astype(float).T)
