"""Inference against scipy and MNE on the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from inference_data import pairs, related
from scipy import stats

from neurodecode.compare import block_bootstrap, permutation_null, sign_flip_test
from neurodecode.metrics import false_discovery_rate


def test_shuffled_rows_agree_with_scipy(rng: np.random.Generator) -> None:
    """Blocks of one sample are plain permutations."""
    y, y_hat = related(40, 3, 0.12)
    ours = permutation_null(y, y_hat, "block", block=1, n=4000)
    for k in range(3):
        shuffle = stats.PermutationMethod(n_resamples=2000, rng=rng)
        theirs = stats.pearsonr(y[:, k], y_hat[:, k], alternative="greater", method=shuffle)
        assert ours.score[k] == pytest.approx(theirs.statistic)
        assert ours.p[k] == pytest.approx(theirs.pvalue, abs=0.04)


@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
def test_all_sign_flips_equal_those_of_scipy(rng: np.random.Generator, alternative: str) -> None:
    values = rng.standard_normal((9, 5)) + 0.4
    theirs = stats.permutation_test(
        (values,), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples", n_resamples=np.inf, alternative=alternative
    )
    ours = sign_flip_test(values, alternative=alternative)  # type: ignore[arg-type]
    np.testing.assert_allclose(ours.p, theirs.pvalue)


def test_largest_t_over_targets_equals_that_of_mne(rng: np.random.Generator) -> None:
    mne_stats = pytest.importorskip("mne.stats")
    values = rng.standard_normal((8, 12)) + np.linspace(0, 1.5, 12)
    t, p, _ = mne_stats.permutation_t_test(values, n_permutations="all", tail=0, n_jobs=1, verbose=False)
    ours = sign_flip_test(values, alternative="two-sided")
    np.testing.assert_allclose(ours.t, t, rtol=1e-10)
    np.testing.assert_allclose(ours.p_max, p, atol=0.01)  # MNE leaves one pair of patterns out


@pytest.mark.parametrize(("ours", "theirs"), [("bh", "indep"), ("by", "negcorr")])
def test_false_discovery_rates_equal_those_of_mne(rng: np.random.Generator, ours: str, theirs: str) -> None:
    mne_stats = pytest.importorskip("mne.stats")
    p = rng.random((10, 30)) ** 2
    np.testing.assert_allclose(false_discovery_rate(p, ours), mne_stats.fdr_correction(p, method=theirs)[1])  # type: ignore[arg-type]


def test_interval_of_single_samples_agrees_with_scipy(rng: np.random.Generator) -> None:
    values = rng.exponential(size=400)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=rng).confidence_interval
    ours = block_bootstrap(values, block=1, n=4000)
    np.testing.assert_allclose([ours.low, ours.high], theirs, atol=0.01)


def test_circular_shifts_agree_with_a_surrogate_loop_of_scipy() -> None:
    """Correlation at every shift, by scipy's own correlation of rolled series."""
    y, y_hat = pairs(80, 1)
    null = [stats.pearsonr(y[:, 0], np.roll(y_hat[:, 0], k)).statistic for k in range(20, 61)]
    found = permutation_null(y[:, 0], y_hat[:, 0], min_shift=20)
    np.testing.assert_allclose(np.sort(found.null_max), np.sort(null), atol=1e-10)
