"""The likelihood ceiling of simulated M/EEG is the ceiling: closed forms, dense covariances, and linear decoders below it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from meeg_data import lagged, ridge_scores, right_columns, top_k
from scipy.linalg import circulant
from scipy.stats import multivariate_normal, norm

from neurodecode import Responses
from neurodecode.data.splits import check_split
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.linear import RidgeCV
from neurodecode.simulate.meeg import (
    SimulatedMEEG,
    candidate_ids,
    expected_responses,
    oracle_scores,
    oracle_top_k,
    simulate_images,
    simulate_speech,
)

TINY: dict[str, Any] = {"n_subjects": 2, "n_sensors": 5, "n_train": 20, "n_validation": 4, "lead_field": "disc"}
SMALL: dict[str, Any] = {"lead_field": "disc"}


def dense_covariance(world: SimulatedMEEG, subject: int, usable: np.ndarray) -> np.ndarray:
    """Covariance of all sensors at all times, built without a Fourier transform of data."""
    n_times = world.responses.data.shape[2]
    power = world.truth["noise_power"]
    steps = np.arange(n_times)
    folded = np.minimum(steps, n_times - steps)
    row = (power[folded][:, None] * np.cos(2 * np.pi * np.outer(steps, steps) / n_times)).sum(axis=0) / n_times
    space = world.truth["noise_covariance"][subject][np.ix_(usable, usable)]
    return np.kron(space, circulant(row))


def accuracies(world: SimulatedMEEG, *ks: int) -> list[float]:
    """Top-k of the oracle, then of the ridge, on the test split."""
    test = world.responses.select(split="test")
    right = right_columns(world, test)
    both = oracle_scores(world.truth, test), ridge_scores(world, test)
    return [top_k(scores, right, k) for scores in both for k in ks]


@pytest.mark.parametrize("snr", [0.02, 0.08])
@pytest.mark.parametrize("lead_field", ["disc", "sphere"])
def test_two_candidates_are_told_apart_as_signal_detection_says(snr: float, lead_field: str) -> None:
    world = simulate_speech(
        n_subjects=1,
        n_sensors=6,
        n_train=20,
        n_validation=2,
        n_test=2,
        duration=1.0,
        snr=snr,
        n_repeats=4000,
        lead_field=lead_field,
    )
    test = world.responses.select(split="test")
    apart = np.diff(expected_responses(world.truth, "01", candidate_ids(world.truth)), axis=0).ravel()
    distance = np.sqrt(apart @ np.linalg.solve(dense_covariance(world, 0, np.ones(6, bool)), apart))
    expected = norm.cdf(distance / 2)
    found = top_k(oracle_scores(world.truth, test), right_columns(world, test), 1)
    assert 0.55 < expected < 0.99
    assert found == pytest.approx(expected, abs=3 * np.sqrt(expected * (1 - expected) / len(test)))


def test_scores_are_log_likelihoods_of_the_dense_covariance() -> None:
    world = simulate_speech(**TINY, n_test=6, duration=1.0, snr=1.0, flat=1, missing=1)
    test = world.responses.select(split="test")
    scores = oracle_scores(world.truth, test)
    for number, subject in enumerate(["01", "02"]):
        rows = np.flatnonzero(test.samples["subject"] == subject)
        usable = world.truth["usable"][number]
        assert usable.sum() == 3
        means = expected_responses(world.truth, subject, candidate_ids(world.truth))[:, usable].reshape(6, -1)
        covariance = dense_covariance(world, number, usable)
        data = test.data[rows][:, usable].reshape(len(rows), -1).astype(float)
        wanted = np.column_stack([multivariate_normal.logpdf(data, mean, covariance) for mean in means])
        np.testing.assert_allclose(np.diff(scores[rows]), np.diff(wanted), rtol=1e-6, atol=1e-6)


def test_random_signs_are_averaged_over() -> None:
    world = simulate_images(**TINY, n_test=6, random_signs=True, snr=1.0)
    test = world.responses.select(split="test", subject="01")
    means = expected_responses(world.truth, "01", candidate_ids(world.truth)).reshape(6, -1)
    covariance = dense_covariance(world, 0, np.ones(5, bool))
    data = test.data.reshape(len(test), -1).astype(float)
    both = [np.column_stack([multivariate_normal.logpdf(data, sign * m, covariance) for m in means]) for sign in (-1, 1)]
    np.testing.assert_allclose(np.diff(oracle_scores(world.truth, test)), np.diff(np.logaddexp(*both)), rtol=1e-6, atol=1e-6)


def test_noise_has_the_known_covariance_and_the_power_of_one_over_f() -> None:
    world = simulate_speech(n_subjects=1, n_sensors=6, n_train=2000, snr=0.0, lead_field="disc")
    noise = world.responses.data.astype(float)
    across = np.einsum("nct,ndt->cd", noise, noise) / (len(noise) * noise.shape[2])
    np.testing.assert_allclose(across, world.truth["noise_covariance"][0], atol=0.05)
    assert np.trace(world.truth["noise_covariance"][0]) == pytest.approx(6)
    power = (np.abs(np.fft.rfft(noise)) ** 2).mean(axis=(0, 1))
    frequency = np.arange(1, len(power))
    slope = np.polyfit(np.log(frequency), np.log(power[1:]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.03)
    assert power[0] == pytest.approx(power[1], rel=0.1)


@pytest.mark.parametrize(
    ("snr", "first", "tenth"),
    [
        (0.1, (0.99, 1.0), (1.0, 1.0)),
        (0.02, (0.93, 1.0), (0.98, 1.0)),
        (0.008, (0.6, 0.88), (0.92, 1.0)),
        (0.003, (0.2, 0.5), (0.64, 0.84)),
    ],
)
def test_ceiling_at_each_signal_to_noise_ratio(snr: float, first: tuple[float, float], tenth: tuple[float, float]) -> None:
    world = simulate_speech(
        n_sensors=32, n_features=12, n_sources=12, sfreq=40.0, n_train=100, n_validation=40, snr=snr, lead_field="disc"
    )
    test = world.responses.select(split="test")
    scores, right = oracle_scores(world.truth, test), right_columns(world, test)
    assert first[0] <= top_k(scores, right, 1) <= first[1]
    assert tenth[0] <= top_k(scores, right, 10) <= tenth[1]


@pytest.mark.parametrize("lead_field", ["disc", "sphere"])
def test_ridge_lies_between_chance_and_the_oracle(lead_field: str) -> None:
    oracle, oracle_ten, ridge, ridge_ten = accuracies(simulate_speech(snr=0.02, lead_field=lead_field), 1, 10)
    assert oracle > ridge + 0.1
    assert oracle_ten > 0.95
    assert 0.2 < ridge < oracle
    assert 0.6 < ridge_ten < oracle_ten


def test_sign_symmetric_brains_are_beyond_linear_decoders() -> None:
    oracle, _, ridge, ridge_ten = accuracies(simulate_speech(**SMALL, snr=0.3, rectified=1.0), 1, 10)
    assert oracle > 0.99
    assert ridge <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 400)
    assert ridge_ten <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 100)  # the predictions of four subjects are not independent


def test_random_signs_are_beyond_linear_decoders() -> None:
    world = simulate_images(random_signs=True, snr=0.3, n_subjects=2)
    oracle, oracle_five, ridge, ridge_five = accuracies(world, 1, 5)
    assert oracle > 0.9
    assert oracle_five > 0.99
    assert ridge <= 0.005 + 3 * np.sqrt(0.005 / 400)
    assert ridge_five <= 0.05
    without = accuracies(simulate_images(snr=0.3, n_subjects=2), 5)
    assert without[1] > 0.5  # the same sources without signs are linear


@pytest.mark.parametrize("m", [4, 9])
def test_the_mean_of_m_repeats_is_one_trial_of_m_times_the_snr(m: int) -> None:
    sizes: dict[str, Any] = {"n_subjects": 2, "n_train": 40, "lead_field": "disc"}
    repeated = simulate_images(**sizes, snr=0.01, n_repeats=m)
    mean = repeated.responses.select(split="test").average(["subject", "stimulus"])
    assert (mean.samples["n_averaged"] == m).all()
    once = simulate_images(**sizes, snr=0.01 * m)
    test = once.responses.select(split="test")
    found = [
        top_k(oracle_scores(world.truth, trials), right_columns(world, trials), 5)
        for world, trials in ((repeated, mean), (once, test), (repeated, repeated.responses.select(split="test")))
    ]
    assert found[0] == pytest.approx(found[1], abs=0.1)
    assert found[0] > found[2] + 0.1


def test_scores_of_means_are_sums_of_scores() -> None:
    world = simulate_speech(**TINY, n_test=6, n_repeats=3, snr=0.5)
    test = world.responses.select(split="test")
    mean = test.average(["subject", "stimulus"])
    group = test.groups(["subject", "stimulus"])
    sums = np.zeros((len(mean), 6))
    np.add.at(sums, group, oracle_scores(world.truth, test))
    np.testing.assert_allclose(np.diff(oracle_scores(world.truth, mean)), np.diff(sums), rtol=1e-4, atol=1e-3)


def test_ceiling_of_single_and_of_pooled_trials() -> None:
    world = simulate_images(**TINY, n_test=20, n_repeats=3, random_signs=True, snr=0.05)
    test = world.responses.select(split="test")
    scores, right = oracle_scores(world.truth, test), right_columns(world, test)
    single, pooled = (oracle_top_k(world.truth, test, (1, 5), pooled=pooled) for pooled in (False, True))
    assert single == {k: top_k(scores, right, k) for k in (1, 5)}
    sums = np.stack([scores[right == column].sum(axis=0) for column in range(20)])
    assert pooled == {k: top_k(sums, np.arange(20), k) for k in (1, 5)}
    assert pooled[1] > single[1] + 0.1
    with pytest.raises(DataError, match="sample 0 is a response to 'image.*', which is not of the test split"):
        oracle_top_k(world.truth, world.responses.select(split="train"))


def best_lag(world: SimulatedMEEG) -> float:
    """Lag at which single samples of the response predict the features best on held-out segments, s."""
    kinds = [world.responses.select(split=split, subject="01") for split in ("train", "test")]
    targets = dict(zip(world.targets.samples["stimulus"], np.moveaxis(world.targets.data, 1, 2), strict=True))
    y = [np.stack([targets[name] for name in part.samples["stimulus"]]) for part in kinds]
    n_lags, scores = 18, []
    x = [lagged(part.data, n_lags).reshape(*y_part.shape[:2], -1, n_lags) for part, y_part in zip(kinds, y, strict=True)]
    for lag in range(n_lags):
        train, test = (
            [a[:, : -n_lags or None].reshape(-1, a.shape[2]) for a in (x_part[..., lag], y_part)]
            for x_part, y_part in zip(x, y, strict=True)
        )
        scores.append(float(RidgeCV([1e3], cv=2).fit(*train).score(*test).mean()))
    return float(np.argmax(scores)) / world.responses.meta["sfreq"]


def test_a_planted_delay_is_found_by_a_sweep_of_lags() -> None:
    world: dict[str, Any] = {
        "n_subjects": 1,
        "n_sources": 4,
        "n_features": 4,
        "n_train": 150,
        "n_test": 50,
        "sfreq": 40.0,
        "snr": 1.0,
    }
    plain, later = (simulate_speech(**world, lead_field="disc", rectified=0.0, delay=delay) for delay in (0.0, 0.15))
    assert 0.06 <= best_lag(plain) <= 0.24
    assert best_lag(later) - best_lag(plain) == pytest.approx(0.15, abs=0.0251)


def clamped(world: SimulatedMEEG, limit: float) -> SimulatedMEEG:
    return world._replace(responses=world.responses.replace(data=np.clip(world.responses.data, -limit, limit)))


def test_spikes_ruin_what_is_not_clamped_and_leave_the_ceiling() -> None:
    plain, spiky = (simulate_images(n_subjects=2, lead_field="disc", spikes=share) for share in (0.0, 0.001))
    difference = spiky.responses.data - plain.responses.data
    assert np.mean(np.abs(difference) > 50) == pytest.approx(0.001, rel=0.1)
    clean, ceiling = (oracle_scores(w.truth, w.responses.select(split="test")) for w in (plain, spiky))
    np.testing.assert_allclose(ceiling, clean, atol=0.01)
    hurt, mended = (accuracies(world, 5)[1] for world in (spiky, clamped(spiky, 5.0)))
    assert mended > hurt + 0.05


def test_drift_tells_the_block_and_leaves_the_ceiling() -> None:
    world = simulate_speech(**SMALL, n_subjects=1, drift=3.0)
    means = world.responses.data.mean(axis=2)
    _, block = np.unique(world.responses.samples["block"], return_inverse=True)
    centres = np.stack([means[block == b].mean(axis=0) for b in range(block.max() + 1)])
    assert centres.var(axis=0).mean() > 5 * (means - centres[block]).var(axis=0).mean()
    plain = simulate_speech(**SMALL, n_subjects=1)
    pair = [oracle_scores(w.truth, w.responses.select(split="test")) for w in (world, plain)]
    np.testing.assert_allclose(*pair, atol=0.01)


def test_flat_and_missing_channels_differ_between_subjects() -> None:
    world = simulate_speech(n_subjects=4, n_sensors=12, n_train=20, n_test=10, flat=1, missing=3, lead_field="disc")
    lacking = []
    for subject, usable in zip(["01", "02", "03", "04"], world.truth["usable"], strict=True):
        data = world.responses.select(subject=subject).data
        missing = np.isnan(data).all(axis=(0, 2))
        flat = (data == 0).all(axis=(0, 2))
        assert (missing.sum(), flat.sum()) == (3, 1)
        np.testing.assert_array_equal(usable, ~(missing | flat))
        lacking.append(tuple(missing))
    assert len(set(lacking)) > 1
    assert np.isfinite(oracle_scores(world.truth, world.responses.select(split="test"))).all()


def test_a_second_session_repeats_the_stimuli_and_trial_splits_leak() -> None:
    world = simulate_speech(**TINY, n_test=10, n_sessions=2)
    table = world.responses.samples
    for _, part in table.groupby("subject"):
        first, second = (set(part["stimulus"][part["session"] == s]) for s in "12")
        assert first == second
        assert (part["repeat"][part["session"] == "2"] == 2).all()
    assert table.groupby("stimulus")["split"].nunique().max() == 1
    rows = np.random.default_rng(0).permutation(len(table))
    with pytest.raises(SplitLeakError):
        check_split(world.responses, rows[:60], rows[60:])


def test_what_has_no_known_likelihood_is_refused() -> None:
    world = simulate_images(**TINY, n_test=6, n_repeats=2, random_signs=True)
    test = world.responses.select(split="test")
    with pytest.raises(DataError, match=r"\['signs'\] change from trial to trial, means over up to 2 trials"):
        oracle_scores(world.truth, test.average(["subject", "stimulus"]))
    with pytest.raises(DataError, match="no column 'subject'"):
        oracle_scores(world.truth, test.average("stimulus"))
    with pytest.raises(DataError, match=r"subject '09' was not simulated, there are \['01', '02'\]"):
        expected_responses(world.truth, "09", candidate_ids(world.truth))
    with pytest.raises(DataError, match="stimulus 'cat' is none of the"):
        oracle_scores(world.truth, test, ["cat"])


def test_oracle_of_some_candidates_and_trials_is_a_part_of_the_whole() -> None:
    world = simulate_speech(**TINY, n_test=8, spikes=0.01, drift=1.0)
    test: Responses = world.responses.select(split="test")
    whole, ids = oracle_scores(world.truth, test), candidate_ids(world.truth)
    part = oracle_scores(world.truth, test.select([5, 2, 11]), [ids[3], ids[0]])
    np.testing.assert_allclose(part, whole[[5, 2, 11]][:, [3, 0]], atol=1e-6)
