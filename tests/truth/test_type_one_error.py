"""How often unrelated autocorrelated series are called related: as often as said, or seven times as often."""

from __future__ import annotations

import numpy as np
import pytest
from inference_data import pairs, related
from scipy.stats import pearsonr

from neurodecode.compare import permutation_null, permutation_test
from neurodecode.simulate import planted_encoding

N_SAMPLES, N_PAIRS = 300, 2000


@pytest.fixture(scope="module")
def unrelated() -> tuple[np.ndarray, np.ndarray]:
    """2000 pairs of 300 samples with a coefficient of .8."""
    return pairs(N_SAMPLES, N_PAIRS, 0.8)


@pytest.mark.parametrize("method", ["circular", "block"])
def test_permutations_hold_their_level(unrelated: tuple[np.ndarray, np.ndarray], method: str) -> None:
    p = permutation_test(*unrelated, method)  # type: ignore[arg-type]
    assert np.mean(p <= 0.05) <= 0.08
    assert np.mean(p <= 0.05) >= 0.03
    assert np.mean(p <= 0.2) == pytest.approx(0.2, abs=0.04)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["circular", "block"])
@pytest.mark.parametrize("seed", range(1, 11))
def test_permutations_hold_their_level_whatever_the_seed(method: str, seed: int) -> None:
    p = permutation_test(*pairs(N_SAMPLES, N_PAIRS, 0.8, seed), method, random_state=seed)  # type: ignore[arg-type]
    assert np.mean(p <= 0.05) <= 0.08


def test_why_there_is_no_textbook_p_value(unrelated: tuple[np.ndarray, np.ndarray]) -> None:
    """The p value of a correlation, and that of shuffled rows (blocks of one): .37 and .37 two-sided."""
    textbook = pearsonr(*unrelated).pvalue
    assert np.mean(textbook <= 0.05) == pytest.approx(0.37, abs=0.03)
    shuffled = permutation_null(*unrelated, "block", block=1, n=200)
    two_sided = np.minimum(1.0, 2 * np.minimum(shuffled.p, 1 - shuffled.p + 1 / 201))
    assert np.mean(two_sided <= 0.05) == pytest.approx(0.37, abs=0.04)
    assert np.mean(shuffled.p <= 0.05) > 0.18


def in_runs(length: int, n_runs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unrelated series of several runs, and the run of each sample."""
    parts = [pairs(length, N_PAIRS, 0.8, seed) for seed in range(n_runs)]
    y, y_hat = (np.concatenate([part[k] for part in parts]) for k in range(2))
    return y, y_hat, np.repeat(np.arange(n_runs), length)


@pytest.mark.parametrize("method", ["circular", "block"])
@pytest.mark.parametrize(("length", "n_runs"), [(75, 4), (120, 8)])
def test_several_runs_hold_their_level(method: str, length: int, n_runs: int) -> None:
    y, y_hat, groups = in_runs(length, n_runs)
    p = permutation_test(y, y_hat, method, n=300, groups=groups)  # type: ignore[arg-type]
    assert 0.03 <= np.mean(p <= 0.05) <= 0.08


def test_why_short_runs_have_short_shifts() -> None:
    """Leaving out all but the longest shifts leaves those whose covariance is lower by construction."""
    y, y_hat, groups = in_runs(75, 4)
    error = {k: np.mean(permutation_test(y, y_hat, n=300, min_shift=k, groups=groups) <= 0.05) for k in (1, 20)}
    assert error[1] == pytest.approx(0.05, abs=0.015)
    assert error[20] > 0.11


def test_the_largest_of_many_targets_holds_its_level() -> None:
    """Any of 20 targets below .05 by p_max in one of twenty data sets; by p in most."""
    found = [permutation_null(*pairs(N_SAMPLES, 20, 0.5, seed), "block", n=200) for seed in range(200)]
    assert np.mean([r.p_max.min() <= 0.05 for r in found]) <= 0.1
    assert np.mean([r.p.min() <= 0.05 for r in found]) > 0.5


def test_power() -> None:
    """A correlation of about .4 in 300 samples is found in nearly every target."""
    y, y_hat = related(N_SAMPLES, 200, 0.3)
    for method in ("circular", "block"):
        assert np.mean(permutation_test(y, y_hat, method) <= 0.05) > 0.95  # type: ignore[arg-type]


def test_planted_targets_are_told_from_silent_ones() -> None:
    share = np.repeat([0.0, 0.3], 50)
    features, brain, truth = planted_encoding(900, 10, 100, signal=share, noise_ar=0.6, n_runs=3)
    predicted = features.data @ truth["weights"] + 1e-3 * features.data[:, :1]
    q = permutation_null(brain.data, predicted, groups=truth["runs"], n=500).to_dataframe()["q"].to_numpy()
    assert (q[50:] < 0.05).all()
    assert np.mean(q[:50] < 0.05) < 0.15
