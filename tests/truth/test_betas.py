"""Amplitudes, response shapes and noise ceilings that were put in come out again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bold_runs import bold, correlation, event_table, glover_integral, simulate

from neurodecode.data import Responses
from neurodecode.preprocess import fmri

SPREAD = np.arange(5, 560, 16.0)  # responses hardly overlap
CROWDED = np.arange(5, 360, 4.0)  # four responses at a time


def jittered(rng: np.random.Generator, onsets: np.ndarray, by: float) -> np.ndarray:
    return onsets + rng.uniform(0, by, len(onsets))


@pytest.mark.parametrize("method", ["lss", "lsa"])
@pytest.mark.parametrize("noise_model", ["ols", "ar1"])
def test_spread_trials_are_recovered(rng: np.random.Generator, method: str, noise_model: str) -> None:
    events = event_table(jittered(rng, SPREAD, 3.0), 2.0)
    run, truth = simulate(rng, events, n_times=290, noise=0.1)
    made = fmri.betas(run, method=method, noise_model=noise_model)  # type: ignore[arg-type]
    assert correlation(np.asarray(made.data), truth) > 0.97
    slope = np.polyfit(truth.ravel(), np.asarray(made.data).ravel(), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.05)


def test_all_at_once_is_exact_without_noise(rng: np.random.Generator) -> None:
    run, truth = simulate(rng, event_table(jittered(rng, SPREAD, 3.0), 2.0), n_times=290, noise=0.0)
    made = fmri.betas(run, method="lsa")
    np.testing.assert_allclose(made.data, truth, atol=0.06)


def test_separate_models_withstand_noise_where_trials_crowd(rng: np.random.Generator) -> None:
    events = event_table(jittered(rng, CROWDED, 1.0), 1.0, ["face"])
    run, truth = simulate(rng, events, noise=0.3)
    lss, lsa = (correlation(np.asarray(fmri.betas(run, method=m).data), truth) for m in ("lss", "lsa"))  # type: ignore[arg-type]
    assert lss > lsa + 0.05
    assert lss > 0.4


@pytest.mark.parametrize("t0", [0.0, 1.0, 7.3])
def test_clock_of_the_first_volume_matters(rng: np.random.Generator, t0: float) -> None:
    """Volumes at t0 + 2 i: a clock wrong by half a TR fits worse, whichever way it is wrong."""
    events = event_table(jittered(rng, SPREAD[:-2], 3.0) + t0, 1.0)
    run, truth = simulate(rng, events, n_times=290, noise=0.005, t0=t0)
    clocks = [run.replace(t0=t0 + d, valid=None) for d in (0.0, 1.0, -1.0)]
    error = [float(np.mean((np.asarray(fmri.betas(clock, method="lsa").data) - truth) ** 2)) for clock in clocks]
    assert error[0] < 0.1 * min(error[1:])


def test_autoregressive_model_is_more_precise_in_autoregressive_noise(rng: np.random.Generator) -> None:
    events = event_table(jittered(rng, SPREAD, 3.0), 1.0)
    run, truth = simulate(rng, events, n_times=290, noise=0.3, rho=0.8, n_voxels=80)
    error = [np.mean((np.asarray(fmri.betas(run, method="lsa", noise_model=m).data) - truth) ** 2) for m in ("ols", "ar1")]  # type: ignore[arg-type]
    assert error[1] < 0.8 * error[0]


def test_drift_needs_the_high_pass(rng: np.random.Generator) -> None:
    run, truth = simulate(rng, event_table(jittered(rng, SPREAD, 3.0), 1.0), n_times=290, noise=0.05, drift=20.0)
    with_it, without = (correlation(np.asarray(fmri.betas(run, high_pass=h).data), truth) for h in (1 / 128, None))
    assert with_it > 0.95
    assert without < with_it - 0.3


def test_blocks_rank_as_their_amplitudes(rng: np.random.Generator) -> None:
    run, truth = simulate(rng, event_table(np.arange(10, 350, 40.0), 20.0), noise=0.2)
    blocks = fmri.block_average(fmri.clean(run))
    assert correlation(np.asarray(blocks.data), truth) > 0.95


@pytest.mark.parametrize("t0", [0.0, 1.0])
def test_time_course_is_the_response(rng: np.random.Generator, t0: float) -> None:
    onsets = np.cumsum(rng.uniform(3, 12, 60)) + 5
    times = t0 + np.arange(260) * 2.0
    pulse = [glover_integral(times - on) - glover_integral(times - on - 0.5) for on in onsets]
    run = bold(100 + np.outer([1.0, 3.0], np.sum(pulse, axis=0)), 0.5, event_table(onsets, 0.5, ["tone"]), t0)
    made = fmri.fir(run, window=(-4.0, 24.0))
    assert made.times is not None
    expected = glover_integral(made.times) - glover_integral(made.times - 0.5)
    for gain, course in zip([1.0, 3.0], np.asarray(made.data)[0], strict=True):
        assert np.corrcoef(course, expected)[0, 1] > 0.98
        assert course.max() == pytest.approx(gain * expected.max(), rel=0.2)
        assert made.times[np.argmax(course)] == pytest.approx(fmri.hrf_lag(), abs=1.1)
        np.testing.assert_allclose(course[made.times < 0], 0, atol=0.1 * gain * expected.max())


@pytest.mark.parametrize("snr", [0.0, 0.5, 1.0, 2.0])
def test_noise_ceiling_is_the_one_planted(rng: np.random.Generator, snr: float) -> None:
    n_stimuli, n_repeats, n_units = 400, 3, 60
    signal = snr * rng.standard_normal((n_stimuli, n_units))
    stimulus = np.repeat(np.arange(n_stimuli), n_repeats)
    data = signal[stimulus] + rng.standard_normal((len(stimulus), n_units))
    trials = Responses(data, pd.DataFrame({"stimulus": stimulus}), pd.DataFrame({"name": [f"v{i}" for i in range(n_units)]}))
    ceiling = fmri.ncsnr(trials)
    assert ceiling.ncsnr.mean() == pytest.approx(snr, abs=0.1)
    expected = 100 * snr**2 / (snr**2 + 1 / n_repeats)
    assert ceiling.noise_ceiling.mean() == pytest.approx(expected, abs=4.0)
    explained = [np.corrcoef(a, b)[0, 1] ** 2 for a, b in zip(signal.T, fmri.average_repeats(trials).data.T, strict=True) if snr]
    if explained:
        assert 100 * np.mean(explained) == pytest.approx(ceiling.noise_ceiling.mean(), abs=3.0)


def test_unequal_repeats_give_the_same_noise(rng: np.random.Generator) -> None:
    stimulus = np.repeat(np.arange(300), rng.integers(1, 5, 300))
    data = 1.5 * rng.standard_normal((300, 40))[stimulus] + 2 * rng.standard_normal((len(stimulus), 40))
    trials = Responses(data, pd.DataFrame({"stimulus": stimulus}), pd.DataFrame({"name": [f"v{i}" for i in range(40)]}))
    ceiling = fmri.ncsnr(trials)
    assert ceiling.noise_variance.mean() == pytest.approx(4.0, rel=0.05)
    assert ceiling.ncsnr.mean() == pytest.approx(0.75, abs=0.06)
