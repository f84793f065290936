"""Noise ceilings: formulas by hand, missing repeats, and normalisation in the right units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ceiling_data import planted, without_some

from neurodecode import metrics
from neurodecode.errors import DataError
from neurodecode.metrics import (
    cc_norm,
    ceiling_coverage,
    ceiling_explainable_variance,
    ceiling_ncsnr,
    ceiling_schoppe,
    ceiling_split_half,
    normalise_r,
    normalise_r2,
    pearson_r,
    signal_noise,
)

ALL = [ceiling_ncsnr, ceiling_split_half, ceiling_schoppe, ceiling_explainable_variance]
Ceiling = Callable[..., np.ndarray]


def test_ncsnr_by_hand() -> None:
    """Within stimuli 2 * 1 + 2 * 4 over 2 degrees of freedom; the rest of the variance is signal."""
    data = np.array([[-1.0, 1.0], [8.0, 12.0]])[:, :, None]
    noise, total = 5.0, np.var([-1, 1, 8, 12], ddof=1)
    snr = (total - noise) / noise
    assert ceiling_ncsnr(data)[0] == pytest.approx(snr / (snr + 1 / 2))
    found = signal_noise(data.reshape(4, 1), [0, 0, 1, 1])
    assert (found.signal[0], found.noise[0]) == pytest.approx((total - noise, noise))


def test_mixed_repeats_follow_the_rule_of_nsd() -> None:
    """A stimuli three times, B twice, C once: one over n is averaged."""
    truth = planted(300, 3, 5)
    trials = without_some(truth.data)
    flat, names = trials.reshape(900, 5), np.repeat(np.arange(300), 3)
    there = ~np.isnan(flat[:, 0])
    signal, noise = signal_noise(flat[there], names[there])
    left = (100 / 3 + 100 / 2 + 100 / 1) / 300
    np.testing.assert_allclose(ceiling_ncsnr(trials), signal / (signal + noise * left))


@pytest.mark.parametrize("n_repeats", [2, 4, 6])
def test_split_half_is_spearman_brown_for_equal_halves(n_repeats: int) -> None:
    data = planted(80, n_repeats, 4).data
    first = data[:, : n_repeats // 2].mean(axis=1), data[:, n_repeats // 2 :].mean(axis=1)
    groups = np.tile(np.arange(n_repeats) < n_repeats // 2, 80)
    rho = ceiling_split_half(data.reshape(-1, 4), np.repeat(np.arange(80), n_repeats), groups=groups, n_splits=3)
    r = pearson_r(*first)
    np.testing.assert_allclose(rho, 2 * r / (1 + r))


def test_split_half_averages_fisher_z_before_it_corrects(rng: np.random.Generator) -> None:
    """Two repeats: r is the same whatever half is first, so the mean over splits is r of randomly swapped pairs."""
    data = planted(40, 2, 1).data
    rho = ceiling_split_half(data, n_splits=400, random_state=1)[0]
    swapped = [data[np.arange(40)[:, None], np.argsort(rng.random((40, 2)), axis=1)] for _ in range(400)]
    z = np.mean([np.arctanh(pearson_r(pair[:, 0, 0], pair[:, 1, 0])) for pair in swapped])
    assert rho == pytest.approx(2 * np.tanh(z) / (1 + np.tanh(z)), abs=2e-3)


def test_unequal_halves_are_corrected_exactly() -> None:
    """Without sampling error, halves of one and two trials correlate 1 / sqrt((1 + x)(1 + x / 2))."""
    from neurodecode.metrics._halves import split_half
    from neurodecode.metrics._repeats import gather

    truth = planted(30000, 3, 3)
    rho = split_half(gather(truth.data.reshape(-1, 3), np.repeat(np.arange(30000), 3), np.arange(90000)), None, 5, 0)
    np.testing.assert_allclose(rho, truth.rho(1 / 3), atol=0.008)
    r = np.sqrt(truth.rho(1) * truth.rho(1 / 2))
    assert np.all(truth.rho(1 / 3) - 2 * r / (1 + r) > 0.001), "the plain formula is too low there"


def test_schoppe_by_its_formula() -> None:
    data = planted(60, 3, 4).data
    power = (np.var(data.sum(axis=1), axis=0, ddof=1) - np.var(data, axis=0, ddof=1).sum(axis=0)) / (3 * 2)
    np.testing.assert_allclose(ceiling_schoppe(data), power / data.mean(axis=1).var(axis=0, ddof=1))


def test_schoppe_with_missing_repeats_is_the_mean_covariance_of_two() -> None:
    data = without_some(planted(90, 3, 2).data)
    pairs = [(0, 1, 60), (0, 2, 30), (1, 2, 30)]
    covariances = [[np.cov(data[:n, i, t], data[:n, j, t])[0, 1] for i, j, n in pairs] for t in range(2)]
    power = np.average(covariances, axis=1, weights=[59, 29, 29])
    np.testing.assert_allclose(ceiling_schoppe(data), power / np.nanmean(data, axis=1).var(axis=0, ddof=1))


@pytest.mark.parametrize("n_repeats", [2, 5])
def test_explainable_variance_by_its_formula(n_repeats: int) -> None:
    data = planted(60, n_repeats, 4).data
    z = (data - data.mean(axis=0)) / data.std(axis=0, ddof=1)
    share = z.mean(axis=1).var(axis=0, ddof=1)
    single = share - (1 - share) / (n_repeats - 1)
    np.testing.assert_allclose(ceiling_explainable_variance(data), n_repeats * single / (1 + (n_repeats - 1) * single))


@pytest.mark.parametrize("ceiling", ALL)
class TestEveryCeiling:
    def test_order_and_layout_do_not_matter(self, ceiling: Ceiling, rng: np.random.Generator) -> None:
        data = planted(50, 4, 6).data
        order = rng.permutation(50)
        rho = ceiling(data)
        exact = ceiling is not ceiling_split_half  # its halves are drawn trial by trial
        np.testing.assert_allclose(ceiling(data[order]), rho, rtol=1e-9 if exact else 0.1)
        trials, names = data.reshape(200, 6), np.repeat([f"image{i:02}" for i in range(50)], 4)
        np.testing.assert_allclose(ceiling(trials, names), rho, rtol=1e-9)

    def test_scale_and_offset_do_not_matter(self, ceiling: Ceiling) -> None:
        data = planted(50, 3, 6).data
        np.testing.assert_allclose(ceiling(100 + 1e-3 * data), ceiling(data), rtol=1e-6)

    def test_targets_that_lack_other_trials_are_solved_each_by_itself(self, ceiling: Ceiling) -> None:
        """As in NSD with the voxels of several subjects side by side."""
        data = planted(60, 3, 4).data
        data[:30, :, 1:3] = np.nan
        data[5:20, 2, 3] = np.nan
        single = [ceiling(data[:, :, [t]])[0] for t in range(4)]
        np.testing.assert_allclose(ceiling(data), single)
        np.testing.assert_allclose(ceiling(data[30:, :, 1:3]), single[1:3], rtol=0.1)

    def test_further_axes_are_targets(self, ceiling: Ceiling) -> None:
        data = planted(40, 3, 6).data
        np.testing.assert_array_equal(ceiling(data.reshape(40, 3, 2, 3)), ceiling(data).reshape(2, 3))

    def test_blocks_of_targets_change_nothing(self, ceiling: Ceiling, monkeypatch: pytest.MonkeyPatch) -> None:
        data = planted(40, 3, 7).data
        whole = ceiling(data)
        monkeypatch.setattr("neurodecode.metrics._repeats._BLOCK", 240)
        np.testing.assert_allclose(ceiling(data), whole)

    def test_no_noise_is_one_and_no_signal_is_zero_or_nan(self, ceiling: Ceiling, rng: np.random.Generator) -> None:
        signal = rng.standard_normal((30, 1))
        noise = rng.standard_normal((30, 3))
        noise -= noise.mean(axis=1, keepdims=True)  # repeats that disagree, means that are all alike
        rho = ceiling(np.stack([np.repeat(signal, 3, axis=1), noise, np.full((30, 3), 4.0)], axis=2))
        assert rho[0] == pytest.approx(1.0)
        np.testing.assert_array_equal(rho[1:], [np.nan, np.nan] if ceiling is ceiling_schoppe else [0.0, 0.0])

    def test_nothing_repeated_is_nan(self, ceiling: Ceiling) -> None:
        data = planted(30, 2, 2).data
        data[:, 1, 0] = np.nan
        rho = ceiling(data)
        assert np.isnan(rho[0])
        assert 0 < rho[1] < 1
        with pytest.raises(DataError, match="no target has two repeats of one of the 30 stimuli"):
            ceiling(data[:, :, :1])

    def test_input_is_left_alone_and_float32_will_do(self, ceiling: Ceiling) -> None:
        data = without_some(planted(60, 3, 3).data)
        before = data.copy()
        np.testing.assert_allclose(ceiling(data.astype(np.float32)), ceiling(data), rtol=1e-4)
        np.testing.assert_array_equal(data, before)

    @pytest.mark.parametrize(
        ("data", "stimulus", "message"),
        [
            (np.zeros((4, 3)), None, r"got shape \(4, 3\)"),
            (np.zeros((4, 3)), [0, 1], r"got \(4, 3\) and \(2,\)"),
            (np.full((4, 2, 3), np.inf), None, "target 0 holds infinite values"),
            (np.full((4, 2, 3), "a"), None, "real numbers"),
            (np.zeros((0, 2, 3)), None, "got shape"),
        ],
    )
    def test_guards(self, ceiling: Ceiling, data: np.ndarray, stimulus: list[int] | None, message: str) -> None:
        with pytest.raises(DataError, match=message):
            ceiling(data, stimulus)


def test_split_half_repeats_itself_with_its_seed() -> None:
    data = planted(40, 3, 3).data
    first = ceiling_split_half(data, n_splits=7, random_state=5)
    np.testing.assert_array_equal(ceiling_split_half(data, n_splits=7, random_state=np.random.default_rng(5)), first)
    assert not np.array_equal(ceiling_split_half(data, n_splits=7, random_state=6), first)


def test_noise_of_a_run_is_no_signal_if_halves_are_runs(rng: np.random.Generator) -> None:
    """Each stimulus three times in one of two runs per session: shared noise of a stimulus within a run raises plain halves."""
    stimulus, run = np.repeat(np.arange(100), 4), np.tile([0, 0, 1, 1], 100)
    shared = rng.standard_normal((100, 2, 3))[stimulus, run]
    trials = shared + 0.5 * rng.standard_normal((400, 3))
    assert ceiling_split_half(trials, stimulus).min() > 0.5
    assert ceiling_split_half(trials, stimulus, groups=run, n_splits=20).max() < 0.35


def test_split_half_guards() -> None:
    data = planted(10, 2, 1).data
    trials, names = data.reshape(20, 1), np.repeat(np.arange(10), 2)
    with pytest.raises(DataError, match="n_splits must be at least 1, got 0"):
        ceiling_split_half(data, n_splits=0)
    with pytest.raises(DataError, match="need the stimulus of each trial"):
        ceiling_split_half(data, groups=np.zeros(20))
    with pytest.raises(DataError, match=r"all 20 trials are of one group \('a'\)"):
        ceiling_split_half(trials, names, groups=["a"] * 20)
    with pytest.raises(DataError, match="0 stimuli have trials in both halves"):
        ceiling_split_half(trials, names, groups=names < 5)


def test_signal_noise_guards() -> None:
    with pytest.raises(DataError, match="none of 3 stimuli is repeated"):
        signal_noise(np.zeros((3, 2)), [0, 1, 2])


def test_cc_norm_is_the_correlation_over_the_largest_one(rng: np.random.Generator) -> None:
    truth = planted(200, 4, 5)
    guess = truth.signal + 0.5 * rng.standard_normal(truth.signal.shape)
    r, rho = pearson_r(truth.data.mean(axis=1), guess), ceiling_schoppe(truth.data)
    np.testing.assert_allclose(cc_norm(truth.data, guess), r / np.sqrt(rho))
    np.testing.assert_allclose(cc_norm(truth.data, guess), normalise_r(r, rho))
    assert cc_norm(truth.data[:, :, 0], guess[:, 0]) == pytest.approx(cc_norm(truth.data, guess)[0])


def test_cc_norm_by_its_formula_and_with_missing_repeats(rng: np.random.Generator) -> None:
    y, guess = rng.standard_normal((50, 2)) + rng.standard_normal((50, 1)), rng.standard_normal(50)
    power = np.cov(y.T)[0, 1]
    expected = np.cov(guess, y.mean(axis=1))[0, 1] / np.sqrt(np.var(guess, ddof=1) * power)
    assert cc_norm(y, guess) == pytest.approx(expected)
    y[:10, 1] = np.nan
    expected = np.cov(guess, np.nanmean(y, axis=1))[0, 1] / np.sqrt(np.var(guess, ddof=1) * np.cov(y[10:].T)[0, 1])
    assert cc_norm(y, guess) == pytest.approx(expected)


def test_cc_norm_without_signal_is_nan_and_guards(rng: np.random.Generator) -> None:
    noise = rng.standard_normal((30, 1))
    assert np.isnan(cc_norm(np.hstack([noise, -noise]), rng.standard_normal(30)))
    with pytest.raises(DataError, match="predicted without repeats"):
        cc_norm(np.zeros((30, 2, 3)), np.zeros(30))
    with pytest.raises(DataError, match="stimulus 3 has no response"):
        cc_norm(np.where(np.arange(30)[:, None] == 3, np.nan, np.ones((30, 2))), np.zeros(30))


def test_normalised_scores_are_in_the_right_units() -> None:
    rho = np.array([0.64, 0.25, 0.0499, np.nan, 0.05])
    np.testing.assert_allclose(normalise_r(np.full(5, 0.4), rho), [0.5, 0.8, np.nan, np.nan, 0.4 / np.sqrt(0.05)])
    np.testing.assert_allclose(normalise_r2(np.full(5, 0.16), rho), [0.25, 0.64, np.nan, np.nan, 3.2])
    assert normalise_r(0.9, 0.25) == pytest.approx(1.8), "not clipped"
    assert normalise_r2(-0.5, 0.25) == pytest.approx(-2.0), "not clipped"
    np.testing.assert_allclose(normalise_r(np.ones((2, 5)), rho, floor=0.3), [[1.25, *[np.nan] * 4]] * 2)
    assert ceiling_coverage(rho) == pytest.approx(3 / 5)
    assert ceiling_coverage(rho, floor=0.3) == pytest.approx(1 / 5)


@pytest.mark.parametrize("function", [lambda rho: normalise_r(0.5, rho), lambda rho: normalise_r2(0.5, rho), ceiling_coverage])
@pytest.mark.parametrize("rho", [[0.5, 36.0], [-0.1], []])
def test_percent_is_no_reliability(function: Callable[[object], object], rho: list[float]) -> None:
    with pytest.raises(DataError, match="divide percent"):
        function(rho)


def test_no_name_divides_a_correlation_by_a_reliability() -> None:
    """Of the functions that normalise, none turns (r, rho) into r / rho except the one that is given r²."""
    r, rho = 0.3, 0.36
    normalising = [name for name in dir(metrics) if name.startswith("normalise")]
    assert sorted(normalising) == ["normalise_r", "normalise_r2"]
    assert metrics.normalise_r(r, rho) == pytest.approx(0.5)
    assert metrics.normalise_r2(r**2, rho) == pytest.approx(0.5**2)


@pytest.mark.parametrize("ceiling", ALL)
def test_the_first_line_says_the_unit(ceiling: Ceiling) -> None:
    assert "units of variance" in (ceiling.__doc__ or "").splitlines()[0]
