"""Averages of repeats, noise ceilings and the scale of runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Responses
from neurodecode.errors import DataError
from neurodecode.preprocess import fmri


def repeated(data: np.ndarray, stimulus: list[int] | np.ndarray, **columns: object) -> Responses:
    samples = pd.DataFrame({"stimulus": stimulus, **columns})
    return Responses(data, samples, pd.DataFrame({"name": [f"v{i}" for i in range(data.shape[1])]}))


def test_average_within_subject() -> None:
    trials = repeated(np.arange(8.0)[:, None], [0, 1] * 4, subject=["a"] * 4 + ["b"] * 4)
    mean = fmri.average_repeats(trials)
    assert mean.samples[["subject", "stimulus", "n_averaged"]].to_numpy().tolist() == [
        ["a", 0, 2],
        ["a", 1, 2],
        ["b", 0, 2],
        ["b", 1, 2],
    ]
    np.testing.assert_array_equal(mean.data[:, 0], [1, 2, 5, 6])


def test_average_without_subjects_and_by_another_column() -> None:
    trials = repeated(np.arange(4.0)[:, None], [0, 1, 0, 1], image=["x", "x", "y", "y"])
    np.testing.assert_array_equal(fmri.average_repeats(trials).data[:, 0], [1, 2])
    np.testing.assert_array_equal(fmri.average_repeats(trials, "image").data[:, 0], [0.5, 2.5])


@pytest.mark.parametrize("function", [fmri.average_repeats, fmri.ncsnr])
def test_samples_must_name_their_stimulus(function: object) -> None:
    trials = repeated(np.zeros((3, 1)), np.array([0, np.nan, 0]))
    with pytest.raises(DataError, match="sample 1 has no 'stimulus'"):
        function(trials)  # type: ignore[operator]
    with pytest.raises(DataError, match="has no column 'image'"):
        function(trials, "image")  # type: ignore[operator]


def test_ncsnr_by_hand() -> None:
    """Stimulus means 0 and 10, deviations of 1 and 2: within 2 * 1 + 2 * 4 = 10 over 2 degrees of freedom."""
    ceiling = fmri.ncsnr(repeated(np.array([[-1.0], [1.0], [8.0], [12.0]]), [0, 0, 1, 1]))
    noise, total = 5.0, np.var([-1, 1, 8, 12], ddof=1)
    assert ceiling.noise_variance[0] == pytest.approx(noise)
    assert ceiling.signal_variance[0] == pytest.approx(total - noise)
    assert ceiling.ncsnr[0] == pytest.approx(np.sqrt((total - noise) / noise))
    snr = (total - noise) / noise
    assert ceiling.noise_ceiling[0] == pytest.approx(100 * snr / (snr + 1 / 2))
    assert ceiling.n_repeats.tolist() == [2, 2]


def test_unequal_repeats_use_the_mean_of_one_over_n(rng: np.random.Generator) -> None:
    stimulus = [0, 0, 0, 1, 1, 2]
    ceiling = fmri.ncsnr(repeated(rng.standard_normal((6, 4)) + 3 * np.array(stimulus)[:, None], stimulus))
    share = (1 / 3 + 1 / 2 + 1) / 3
    np.testing.assert_allclose(ceiling.noise_ceiling, 100 * ceiling.ncsnr**2 / (ceiling.ncsnr**2 + share))
    assert ceiling.n_repeats.tolist() == [3, 2, 1]


def test_number_averaged_can_be_given(rng: np.random.Generator) -> None:
    trials = repeated(rng.standard_normal((40, 3)) + np.repeat(np.arange(20.0), 2)[:, None], np.repeat(np.arange(20), 2))
    one, many = fmri.ncsnr(trials, n_averaged=1), fmri.ncsnr(trials, n_averaged=100)
    assert (one.noise_ceiling < fmri.ncsnr(trials).noise_ceiling).all()
    assert (many.noise_ceiling > 99).all()


def test_pure_noise_equal_repeats_and_constant_units() -> None:
    data = np.array([[1.0, 5.0, 2.0], [-1.0, 5.0, 2.0], [1.0, 7.0, 2.0], [-1.0, 7.0, 2.0]])
    ceiling = fmri.ncsnr(repeated(data, [0, 0, 1, 1]))
    assert ceiling.ncsnr.tolist() == [0.0, np.inf, 0.0]
    assert ceiling.noise_ceiling.tolist() == [0.0, 100.0, 0.0]


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        (repeated(np.zeros((3, 1)), [0, 1, 2]), "none of the 3 values of 'stimulus' is repeated"),
        (repeated(np.array([[np.nan], [1.0]]), [0, 0]), "'v0' holds NaN"),
        (repeated(np.zeros((2, 1)), [0, 0], subject=["a", "b"]), r"subjects \['a', 'b'\]"),
    ],
)
def test_ncsnr_guards(trials: Responses, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fmri.ncsnr(trials)


def test_ncsnr_refuses_a_time_axis() -> None:
    trials = Responses(np.zeros((2, 1, 3)), pd.DataFrame({"stimulus": [0, 0]}), pd.DataFrame({"name": ["v"]}), [0, 1, 2])
    with pytest.raises(DataError, match=r"got data of shape \(2, 1, 3\)"):
        fmri.ncsnr(trials)


def test_runs_are_scaled_each_by_itself(rng: np.random.Generator) -> None:
    run, subject = np.repeat(["1", "2", "1"], 10), np.repeat(["a", "a", "b"], 10)
    data = rng.standard_normal((30, 4)) * np.repeat([1, 5, 20], 10)[:, None] + np.repeat([0, 100, -3], 10)[:, None]
    data[:10, 3] = 42.0
    scaled = fmri.standardise_runs(repeated(data, np.arange(30), run=run, subject=subject))
    for part in np.asarray(scaled.data).reshape(3, 10, 4):
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.asarray(scaled.data).reshape(3, 10, 4).std(axis=1, ddof=1)[:, :3], 1, rtol=1e-4)
    assert not np.asarray(scaled.data)[:10, 3].any()
    assert "transductive" in scaled.meta["steps"][-1]["note"]
    assert scaled.meta["steps"][-1]["n_runs"] == 3


def test_run_of_one_sample_cannot_be_scaled() -> None:
    with pytest.raises(DataError, match="run '2' has 1 sample"):
        fmri.standardise_runs(repeated(np.zeros((3, 1)), [0, 1, 2], run=["1", "1", "2"]))


def test_scaling_keeps_nan_to_its_unit_and_run(rng: np.random.Generator) -> None:
    data = rng.standard_normal((6, 2))
    data[0, 0] = np.nan
    scaled = np.asarray(fmri.standardise_runs(repeated(data, np.arange(6), run=["1"] * 3 + ["2"] * 3)).data)
    assert np.isnan(scaled[:3, 0]).all()
    assert np.isfinite(scaled[3:]).all()
    assert np.isfinite(scaled[:, 1]).all()
