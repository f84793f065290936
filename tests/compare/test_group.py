"""Sign flips over subjects: all of them by hand, at random, and over many targets."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from neurodecode.compare import group as group_module
from neurodecode.compare import sign_flip_test
from neurodecode.errors import DataError


def all_flips(values: np.ndarray) -> np.ndarray:
    """One-sample t of every pattern of signs, (2 ** n_subjects, n_targets)."""
    return np.array(
        [ttest_1samp(np.array(signs)[:, None] * values, 0).statistic for signs in product([1, -1], repeat=len(values))]
    )


@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
def test_exact_test_by_hand(rng: np.random.Generator, alternative: str) -> None:
    values = rng.standard_normal((6, 4)) + 0.5
    null = all_flips(values)
    t = ttest_1samp(values, 0).statistic
    if alternative == "two-sided":
        null, aim = np.abs(null), np.abs(t)
    else:
        aim = t
    found = sign_flip_test(values, alternative=alternative)  # type: ignore[arg-type]
    assert (found.exact, found.n_flips, found.n_subjects) == (True, 64, 6)
    np.testing.assert_allclose(found.t, t)
    np.testing.assert_allclose(found.mean, values.mean(axis=0))
    np.testing.assert_allclose(found.p, [(null[:, k] >= aim[k] - 1e-9).mean() for k in range(4)])
    np.testing.assert_allclose(found.p_max, [(null.max(axis=1) >= a - 1e-9).mean() for a in aim])


def test_subjects_that_agree_reach_the_smallest_p() -> None:
    assert sign_flip_test([0.2, 0.1, 0.4, 0.3, 0.2]).p == pytest.approx(1 / 32)
    assert sign_flip_test([0.2, 0.1, 0.4, 0.3, 0.2], alternative="two-sided").p == pytest.approx(2 / 32)
    assert sign_flip_test([1.0, 1.0, 1.0]).t == np.inf
    assert sign_flip_test([0.0, 0.0, 0.0]).p == 1.0


def test_chance_is_taken_away() -> None:
    scores = np.array([[0.6, 0.2], [0.7, 0.1], [0.8, 0.3]])
    found = sign_flip_test(scores, chance=[0.5, 0.2])
    np.testing.assert_allclose(found.mean, [0.2, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.p, [1 / 8, 6 / 8])


def test_random_flips_agree_with_all_of_them(rng: np.random.Generator) -> None:
    values = rng.standard_normal((12, 30)) + 0.3
    exact, drawn = (sign_flip_test(values, n=n) for n in (4096, 4000))
    assert exact.exact
    assert not drawn.exact
    assert drawn.n_flips == 4000
    np.testing.assert_allclose(drawn.p, exact.p, atol=0.03)
    np.testing.assert_array_equal(
        sign_flip_test(values, n=500, random_state=1).p, sign_flip_test(values, n=500, random_state=1).p
    )
    assert (sign_flip_test(np.ones((80, 1)) + rng.random((80, 1)), n=200).p == 1 / 200).all()


def test_false_positives(rng: np.random.Generator) -> None:
    """Skewed between subjects, but symmetric about chance: the test holds its level; over 20 targets only p_max does."""
    found = [sign_flip_test(rng.laplace(size=(8, 20))) for _ in range(300)]
    assert np.mean([r.p <= 0.05 for r in found]) == pytest.approx(0.05, abs=0.015)
    assert np.mean([r.p_max.min() <= 0.05 for r in found]) < 0.09
    assert np.mean([r.p.min() <= 0.05 for r in found]) > 0.4


def test_batches_and_missing(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    values = rng.standard_normal((7, 10)) + 0.4
    values[2, 3] = np.nan
    whole = sign_flip_test(values)
    monkeypatch.setattr(group_module, "_WIDEST", 3)
    parts = sign_flip_test(values)
    for name in ("mean", "t", "p", "p_max"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name))
        assert np.flatnonzero(np.isnan(getattr(whole, name))).tolist() == [3], name
    table = whole.to_dataframe()
    assert list(table) == ["mean", "t", "p", "q", "p_max"]
    assert "all 128 flips" in repr(whole)
    assert sign_flip_test(values.reshape(7, 5, 2)).p.shape == (5, 2)


@pytest.mark.parametrize(("scores", "options"), [([0.1], {}), (0.1, {}), ([0.1, 0.2], {"n": 1})])
def test_refuses(scores, options: dict) -> None:
    with pytest.raises(DataError, match="two subjects"):
        sign_flip_test(scores, **options)


def test_refuses_an_unknown_alternative() -> None:
    with pytest.raises(DataError, match="alternative='less'"):
        sign_flip_test([0.1, 0.2], alternative="less")  # type: ignore[arg-type]
