"""Whitening and robust scaling: the noise becomes white, the fit comes from training data, big values are clamped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Intervals, Recording, Responses
from neurodecode.errors import DataError
from neurodecode.preprocess import meeg

MIXING = np.array([[2.0, 0.0, 0.0], [1.5, 1.0, 0.0], [0.0, 0.5, 3.0]]) * 1e-5
UNITS = pd.DataFrame({"name": ["A", "B", "C"], "kind": "eeg", "unit": "V"})


def responses(seed: int, n: int = 2000, n_times: int | None = 2, condition: float = 5e-5) -> Responses:
    """Two conditions with different means, and correlated noise around them."""
    rng = np.random.default_rng(seed)
    noise = np.einsum("ij,sjt->sit", MIXING, rng.standard_normal((n, 3, n_times or 1)))
    labels = np.arange(n) % 2
    data = noise + condition * labels[:, None, None]
    times = None if n_times is None else np.arange(n_times) / 100
    return Responses(data if n_times else data[:, :, 0], pd.DataFrame({"trial_type": np.array(["x", "y"])[labels]}), UNITS, times)


def recording(seed: int, n: int = 5000) -> Recording:
    rng = np.random.default_rng(seed)
    stim = np.arange(n) % 5
    channels = pd.concat([UNITS, pd.DataFrame({"name": ["STI"], "kind": "stim", "unit": "n/a"})])
    return Recording(np.vstack([MIXING @ rng.standard_normal((3, n)), stim]), 100.0, channels)


@pytest.mark.parametrize("n_times", [None, 1, 3])
def test_the_covariance_is_that_of_the_noise_within_conditions(n_times: int | None) -> None:
    noise = meeg.noise_covariance(responses(0, n_times=n_times))
    np.testing.assert_allclose(noise.covariance, MIXING @ MIXING.T, atol=0.12 * np.diag(MIXING @ MIXING.T).max())
    assert noise.n_samples == 2000 * (n_times or 1)
    assert 0 <= noise.shrinkage < 0.1


def test_without_conditions_their_difference_counts_as_noise() -> None:
    together = meeg.noise_covariance(responses(0), by=None).covariance
    apart = meeg.noise_covariance(responses(0)).covariance
    np.testing.assert_allclose((together - apart)[0, 2], 2.5e-5**2, rtol=0.15)


def test_few_samples_shrink_and_stay_invertible() -> None:
    noise = meeg.noise_covariance(responses(0, n=4))
    assert noise.shrinkage > 0.1
    assert np.isfinite(noise.whitener()).all()


@pytest.mark.parametrize("n_times", [None, 3])
def test_the_noise_of_other_responses_is_white_after_whitening(n_times: int | None) -> None:
    noise = meeg.noise_covariance(responses(0, n_times=n_times))
    test = responses(1, n_times=n_times, condition=0.0)
    white = meeg.whiten(test, noise)
    np.testing.assert_allclose(np.cov(np.moveaxis(white.data, 1, 0).reshape(3, -1)), np.eye(3), atol=0.1)
    assert white.units["unit"].tolist() == ["n/a"] * 3
    assert white.meta["steps"][-1]["step"] == "meeg.whiten"


def test_the_whitener_is_exact_and_does_not_depend_on_units() -> None:
    noise = meeg.noise_covariance(recording(0))
    root = noise.whitener()
    np.testing.assert_allclose(root @ noise.covariance @ root.T, np.eye(3), atol=1e-8)
    scale = np.diag([1.0, 1e-8, 1e6])
    other = meeg.NoiseCovariance(noise.names, scale @ noise.covariance @ scale, 0.0, 1)
    np.testing.assert_allclose(other.whitener() @ scale, root, rtol=1e-6)


def test_directions_without_noise_are_left_out() -> None:
    covariance = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    root = meeg.NoiseCovariance(["A", "B", "C"], covariance, 0.0, 10).whitener()
    np.testing.assert_allclose(root @ covariance @ root.T, [[0.5, -0.5, 0], [-0.5, 0.5, 0], [0, 0, 0]], atol=1e-12)


def test_a_recording_is_whitened_and_its_stim_channel_kept() -> None:
    noise = meeg.noise_covariance([recording(0), recording(1)])
    assert noise.n_samples == 10000
    test = recording(2)
    white = meeg.whiten(test, noise)
    np.testing.assert_allclose(np.cov(white.data[:3]), np.eye(3), atol=0.1)
    np.testing.assert_array_equal(white.data[3], test.data[3])
    assert white.channels["unit"].tolist() == ["n/a"] * 4


def test_only_valid_samples_of_good_channels_are_fitted() -> None:
    train = recording(0)
    train.data[:3, 3000:] = 1.0
    train.data[2] = np.nan
    train = train.replace(channels=train.channels.assign(bad=[False, False, True, False]), valid=Intervals([0], [30]))
    assert meeg.noise_covariance(train).names == ["A", "B"]
    assert np.abs(meeg.fit_robust_scale(train).center).max() < 1e-5


@pytest.mark.parametrize("fit", [meeg.noise_covariance, meeg.fit_robust_scale])
def test_nan_in_the_training_data_is_named(fit: object) -> None:
    train = responses(0)
    train.data[5, 1, 0] = np.nan
    with pytest.raises(DataError, match=r"'B' holds NaN .*1 of 3 rows"):
        fit(train)


def test_a_condition_needs_two_samples() -> None:
    few = responses(0, n=2)
    with pytest.raises(DataError, match="needs a condition with two samples: 2 samples of 2 values of 'trial_type'"):
        meeg.noise_covariance(few)
    with pytest.raises(DataError, match="samples has no column 'stimulus'"):
        meeg.noise_covariance(few, by="stimulus")


@pytest.mark.parametrize("make", [responses, recording])
def test_robust_scaling_uses_the_median_and_quartiles_of_training(make: object) -> None:
    train, test = make(0), make(1)
    scale = meeg.fit_robust_scale(train)
    values = (np.moveaxis(train.data, 1, 0) if isinstance(train, Responses) else train.data[:3]).reshape(3, -1)
    np.testing.assert_allclose(scale.center, np.median(values, axis=1), rtol=1e-5)
    np.testing.assert_allclose(scale.spread, np.subtract(*np.percentile(values, [75, 25], axis=1)), rtol=1e-5)
    scaled = meeg.robust_scale(test, scale)
    before = test.data[:, 0] if isinstance(test, Responses) else test.data[0]
    after = scaled.data[:, 0] if isinstance(test, Responses) else scaled.data[0]
    np.testing.assert_allclose(after, (before - scale.center[0]) / scale.spread[0], atol=1e-5)


@pytest.mark.parametrize(("clamp", "largest"), [(20.0, 20.0), (3.0, 3.0), (None, None)])
def test_values_far_out_are_clamped(clamp: float | None, largest: float | None) -> None:
    test = recording(1)
    test.data[0, 7] = 1.0
    test.data[1, 7] = -1.0
    scaled = meeg.robust_scale(test, meeg.fit_robust_scale(recording(0)), clamp)
    if largest is None:
        assert scaled.data[0, 7] > 1e4
    else:
        assert (scaled.data[:3].max(), scaled.data[:3].min()) == (largest, -largest)
    np.testing.assert_array_equal(scaled.data[3], test.data[3])


def test_a_channel_that_does_not_vary_cannot_be_scaled() -> None:
    train = recording(0)
    train.data[1] = 4.0
    with pytest.raises(DataError, match=r"channel 'B' has an interquartile range of 0 \(1 of 3 have\)"):
        meeg.fit_robust_scale(train)


@pytest.mark.parametrize("apply", [meeg.whiten, meeg.robust_scale])
def test_other_units_are_refused(apply: object) -> None:
    fitted = meeg.noise_covariance(responses(0)) if apply is meeg.whiten else meeg.fit_robust_scale(responses(0))
    with pytest.raises(DataError, match=r"fitted on 3 units, these responses have 2.*'C'"):
        apply(responses(1).select(units=[0, 1]), fitted)
    with pytest.raises(DataError, match="'C', which the recording lacks"):
        apply(recording(1).pick(["A", "B"]), fitted)
