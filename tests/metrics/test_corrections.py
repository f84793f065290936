"""False discovery rates by hand, and tails that are fitted only where the fit holds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from neurodecode.errors import DataError
from neurodecode.metrics import false_discovery_rate, tail_p_values


def test_false_discovery_rate_by_hand() -> None:
    """Four tests: p * 4 / rank, made monotone from the largest down; BY times 1 + 1/2 + 1/3 + 1/4."""
    p = [0.01, 0.04, 0.03, 0.9]
    expected = np.array([0.04, 0.16 / 3, 0.16 / 3, 0.9])
    np.testing.assert_allclose(false_discovery_rate(p), expected)
    np.testing.assert_allclose(false_discovery_rate(p, "by"), np.minimum(expected * 25 / 12, 1.0))


def test_missing_tests_do_not_count() -> None:
    p = np.array([[0.01, np.nan], [0.02, 0.5]])
    q = false_discovery_rate(p)
    assert np.isnan(q).tolist() == [[False, True], [False, False]]
    np.testing.assert_allclose(q[~np.isnan(q)], false_discovery_rate([0.01, 0.02, 0.5]))
    assert np.isnan(false_discovery_rate([np.nan, np.nan])).all()
    assert false_discovery_rate(0.03) == pytest.approx(0.03)


@pytest.mark.parametrize("method", ["bh", "by"])
def test_share_of_false_discoveries(rng: np.random.Generator, method: str) -> None:
    """Half of the tests have an effect: of those called positive at .1, no more than .1 may be false."""
    shares = []
    for _ in range(200):
        z = rng.standard_normal(200) + np.repeat([0.0, 3.0], 100)
        positive = false_discovery_rate(stats.norm.sf(z), method) <= 0.1  # type: ignore[arg-type]
        shares.append(positive[:100].sum() / max(positive.sum(), 1))
        assert positive[100:].sum() > 20
    assert np.mean(shares) < (0.07 if method == "bh" else 0.03)


@pytest.mark.parametrize("p", [[0.1, 1.2], [-0.1], [np.inf]])
def test_false_discovery_rate_refuses(p: list[float]) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        false_discovery_rate(p)
    with pytest.raises(DataError, match="method='fdr'"):
        false_discovery_rate([0.1], "fdr")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("null", "within"),
    [(stats.norm(), 2.0), (stats.gamma(4), 2.0), (stats.gumbel_r(), 6.0)],  # the last has a heavier tail than any gamma
)
def test_tail_finds_small_p(rng: np.random.Generator, null, within: float) -> None:
    """One in a hundred thousand, from a thousand scores."""
    true = 1e-5
    samples = null.rvs((1000, 200), random_state=rng)
    found = tail_p_values(np.full(200, null.isf(true)), samples)
    fitted = found[found < 1 / 1001]
    assert len(fitted) > 140  # the guard refuses one in twenty of those that do fit
    assert true / within < np.median(fitted) < true * within
    assert np.mean((fitted > true / 20) & (fitted < true * 20)) > 0.9


@pytest.mark.parametrize(
    ("draw", "score"),
    [
        (lambda rng: rng.standard_t(2.5, (1000, 100)), 60.0),  # far heavier tails
        (lambda rng: rng.choice([-1.0, 1.0], (1000, 100)), 2.0),
        (lambda rng: rng.standard_normal((1000, 100)) + 6 * (rng.random((1000, 100)) < 0.1), 12.0),  # two humps
    ],
)
def test_a_fit_that_does_not_hold_is_not_used(rng: np.random.Generator, draw, score: float) -> None:
    found = tail_p_values(np.full(100, score), draw(rng))
    assert np.mean(found >= 1 / 1001) > 0.85


def test_counting_stays_where_it_is_good_enough(rng: np.random.Generator) -> None:
    null = rng.standard_normal((1000, 3))
    scores = np.array([0.0, 1.5, np.nan])
    found = tail_p_values(scores, null)
    np.testing.assert_allclose(found[:2], ((null[:, :2] >= scores[:2]).sum(axis=0) + 1) / 1001)
    assert np.isnan(found[2])
    few = tail_p_values([5.0], rng.standard_normal((99, 1)))
    np.testing.assert_allclose(few, 1 / 100)
    np.testing.assert_allclose(tail_p_values([5.0], np.ones((200, 1))), 1 / 201)  # a null that does not vary


def test_tail_is_seeded_and_has_an_end(rng: np.random.Generator) -> None:
    null = rng.standard_normal((400, 20))
    first, same = (tail_p_values(np.full(20, 30.0), null, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(first, same)
    assert first.min() == 1 / 400**2


@pytest.mark.parametrize(("scores", "null"), [([1.0], np.zeros((5, 2))), ([1.0], np.zeros((0, 1))), (1.0, np.zeros((5, 1)))])
def test_tail_refuses(scores, null: np.ndarray) -> None:
    with pytest.raises(DataError, match="n_permutations"):
        tail_p_values(scores, null)
