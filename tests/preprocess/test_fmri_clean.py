"""Cleaning of BOLD runs: what leaves, what stays, and what is refused."""

from __future__ import annotations

import json
import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bold_runs import bold, motion_table

from neurodecode.data import Recording
from neurodecode.errors import DataError
from neurodecode.preprocess import fmri
from neurodecode.preprocess.fmri_clean import HIGH_PASS, drifts

N_TIMES = 160  # at TR 2 s: 320 s


@pytest.fixture
def run(rng: np.random.Generator) -> Recording:
    return bold(100 + rng.standard_normal((6, N_TIMES)))


def sine(frequency: float, sfreq: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(N_TIMES) / sfreq)


def test_output_is_standardised_and_the_input_untouched(run: Recording) -> None:
    before = np.array(run.data)
    cleaned = fmri.clean(run)
    np.testing.assert_array_equal(run.data, before)
    np.testing.assert_allclose(cleaned.data.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(cleaned.data.std(axis=1, ddof=1), 1, rtol=1e-5)
    assert cleaned.data.dtype == np.float32
    assert "steps" not in run.meta


def test_step_records_every_parameter_as_json(run: Recording, rng: np.random.Generator) -> None:
    table = pd.DataFrame({"x": rng.standard_normal(N_TIMES)})
    step = fmri.clean(run, confounds=table, low_pass=0.1, standardise="psc").meta["steps"][-1]
    assert json.loads(json.dumps(step)) == {
        "step": "fmri.clean",
        "confounds": ["x"],
        "high_pass": HIGH_PASS,
        "low_pass": 0.1,
        "detrend": False,
        "standardise": "psc",
        "allow_raw": False,
        "n_constant": 0,
        "notes": [],
    }


@pytest.mark.parametrize("low_pass", [None, 0.1])
@pytest.mark.parametrize("high_pass", [None, HIGH_PASS])
def test_confounds_and_drifts_leave_together(rng: np.random.Generator, high_pass: float | None, low_pass: float | None) -> None:
    nuisance = pd.DataFrame(rng.standard_normal((N_TIMES, 5))).add_prefix("c")
    mixture = rng.standard_normal((6, 5)) @ nuisance.to_numpy().T
    signal = 0.05 * rng.standard_normal((6, N_TIMES))
    drift = np.cos(np.pi * np.arange(N_TIMES) / N_TIMES) if high_pass else 0.0
    run = bold(100 + signal + mixture + 3 * drift)
    cleaned = fmri.clean(run, confounds=nuisance, high_pass=high_pass, low_pass=low_pass, standardise=None)
    assert np.asarray(cleaned.data).std(axis=1).max() < 0.06
    left = drifts(run, high_pass) if low_pass is None else np.zeros((N_TIMES, 0))
    residual = np.asarray(cleaned.data, float)
    residual -= residual.mean(axis=1, keepdims=True)
    overlap = residual @ np.hstack([left, nuisance if low_pass is None else left])
    np.testing.assert_allclose(overlap, 0, atol=2e-3)


def test_filter_and_regression_one_after_the_other_would_bring_drift_back(rng: np.random.Generator) -> None:
    slow = drifts(bold(np.zeros((1, N_TIMES))), HIGH_PASS)
    movement = slow[:, 0] + 0.02 * rng.standard_normal(N_TIMES)
    run = bold(100 + 0.1 * rng.standard_normal((6, N_TIMES)))
    together = fmri.clean(run, confounds=pd.DataFrame({"movement": movement}), standardise=None)
    filtered = fmri.clean(run, standardise=None)
    apart = fmri.clean(filtered, confounds=pd.DataFrame({"movement": movement}), high_pass=None, standardise=None)
    drift_left = [np.abs((np.asarray(r.data, float) - 100) @ slow).max() for r in (together, apart)]
    assert drift_left[0] < 1e-3 < drift_left[1]


def test_slow_head_movement_does_not_switch_the_high_pass_off(rng: np.random.Generator) -> None:
    movement = pd.DataFrame({"trans_y": np.linspace(0, 1, N_TIMES)})  # correlates above 0.9 with the first cosine
    second = drifts(bold(np.zeros((1, N_TIMES))), HIGH_PASS)[:, 1]
    run = bold(100 + rng.standard_normal((3, N_TIMES)) + 30 * second)
    cleaned = fmri.clean(run, confounds=movement)
    assert np.abs(np.asarray(cleaned.data) @ second).max() < 1e-4


@pytest.mark.parametrize(
    ("options", "frequency", "kept"),
    [
        ({}, 0.05, True),
        ({}, 1 / 320, False),
        ({"high_pass": None}, 1 / 320, True),
        ({"low_pass": 0.1}, 0.05, True),
        ({"low_pass": 0.1}, 0.2, False),
        ({"low_pass": 0.1, "high_pass": None}, 0.02, True),
        ({"low_pass": 0.1}, 1 / 640, False),
    ],
)
def test_pass_band(options: dict[str, Any], frequency: float, kept: bool) -> None:
    cleaned = fmri.clean(bold(100 + sine(frequency)[None]), standardise=None, **options)
    part = float(np.std(np.asarray(cleaned.data)[:, 20:-20]) / np.std(sine(frequency)[20:-20]))
    assert part > 0.9 if kept else part < 0.1


def test_linear_detrend_equals_a_straight_line_fit(rng: np.random.Generator) -> None:
    time = np.arange(N_TIMES)
    run = bold(100 + 0.1 * time + rng.standard_normal((4, N_TIMES)))
    cleaned = fmri.clean(run, high_pass=None, detrend="linear", standardise=None)
    data = np.asarray(run.data, float).T
    slope, level = np.polyfit(time, data, 1)
    expected = data - time[:, None] * slope - level + data.mean(axis=0)
    np.testing.assert_allclose(np.asarray(cleaned.data).T, expected, atol=1e-4)


def test_detrend_with_high_pass_is_reported(run: Recording, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        cleaned = fmri.clean(run, detrend="linear")
    assert "both applied" in cleaned.meta["steps"][-1]["notes"][0]
    assert "both applied" in caplog.text


def test_percent_signal_change_keeps_the_scale_of_the_mean() -> None:
    run = bold(np.stack([50 + sine(0.05), 200 + 2 * sine(0.05)]))
    cleaned = np.asarray(fmri.clean(run, high_pass=None, standardise="psc").data)
    np.testing.assert_allclose(cleaned[0], 100 * sine(0.05) / 50, atol=1e-3)
    np.testing.assert_allclose(cleaned[1], 100 * 2 * sine(0.05) / 200, atol=1e-3)


def test_percent_signal_change_of_demeaned_data_is_refused(run: Recording) -> None:
    with pytest.raises(DataError, match="percent signal change needs the mean"):
        fmri.clean(fmri.clean(run), standardise="psc")


@pytest.mark.parametrize("standardise", ["zscore", "psc", None])
def test_constant_voxels_become_zero_and_are_marked(run: Recording, standardise: Any) -> None:
    data = np.array(run.data)
    data[2] = 7.0
    data[3] = 0.0
    cleaned = fmri.clean(run.replace(data=data), standardise=standardise)
    assert not np.asarray(cleaned.data)[[2, 3]].any()
    assert cleaned.channels["bad"].tolist() == [False, False, True, True, False, False]
    assert cleaned.meta["steps"][-1]["n_constant"] == 2


def test_voxel_that_is_nothing_but_confound_becomes_zero(run: Recording, rng: np.random.Generator) -> None:
    confound = rng.standard_normal(N_TIMES)
    data = np.array(run.data)
    data[1] = 100 + confound
    run = run.replace(data=data)
    table = pd.DataFrame({"c": np.asarray(run.data, float)[1] - 100})
    cleaned = fmri.clean(run, confounds=table)
    assert not np.asarray(cleaned.data)[1].any()
    assert cleaned.channels["bad"].tolist()[1]


def test_nan_is_refused_by_name_unless_the_voxel_is_bad(run: Recording) -> None:
    data = np.array(run.data)
    data[4, 10] = np.nan
    with pytest.raises(DataError, match="'4_0_0' holds NaN"):
        fmri.clean(run.replace(data=data))
    marked = run.replace(data=data, channels=run.channels.assign(bad=np.arange(6) == 4))
    cleaned = fmri.clean(marked)
    np.testing.assert_array_equal(np.asarray(cleaned.data)[4], data[4])
    np.testing.assert_allclose(np.asarray(cleaned.data)[[0, 5]], np.asarray(fmri.clean(run).data)[[0, 5]])


def test_blocks_of_channels_do_not_change_the_result(run: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fmri.clean(run)
    monkeypatch.setattr("neurodecode.preprocess._runs.BLOCK", 4)
    np.testing.assert_array_equal(fmri.clean(run).data, whole.data)


def test_raw_bold_is_refused_with_the_remedy(run: Recording) -> None:
    raw = run.replace(meta={**run.meta, "preprocessed": False})
    with pytest.raises(DataError, match=r"sub-01_task-objects_run-1 is raw BOLD.*fMRIPrep.*allow_raw=True"):
        fmri.clean(raw)
    assert fmri.clean(raw, allow_raw=True).meta["steps"][-1]["allow_raw"] is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"high_pass": -1.0}, "high_pass must be a finite number above 0, got -1"),
        ({"high_pass": 0.3}, "high_pass must lie below 0.25 Hz"),
        ({"low_pass": 0.25}, "low_pass must lie below 0.25 Hz"),
        ({"high_pass": 0.1, "low_pass": 0.05}, "high_pass must lie below low_pass, got 0.1 and 0.05"),
        ({"high_pass": 1 / 1000}, r"lasts 320 s, less than half a period"),
        ({"detrend": "quadratic"}, "detrend='quadratic' is unknown"),
        ({"standardise": "robust"}, "standardise='robust' is unknown"),
        ({"confounds": pd.DataFrame({"x": np.zeros(5)})}, "has 5 rows, expected 160, one per volume"),
        ({"confounds": pd.DataFrame({"cosine00": np.zeros(N_TIMES)})}, "one high-pass only"),
        ({"confounds": pd.DataFrame({"x": np.r_[np.nan, np.zeros(N_TIMES - 1)]})}, "confound 'x' .* holds nan in row 0"),
        ({"confounds": pd.DataFrame(np.eye(N_TIMES)).add_prefix("c")}, "explain all 160 volumes"),
    ],
)
def test_wrong_arguments(run: Recording, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fmri.clean(run, **options)


def test_cosines_of_fmriprep_are_welcome_alone(run: Recording, rng: np.random.Generator) -> None:
    own = drifts(run, HIGH_PASS)
    table = pd.DataFrame(own).add_prefix("cosine0")
    there = fmri.clean(run, confounds=table, high_pass=None)
    np.testing.assert_allclose(there.data, fmri.clean(run).data, atol=1e-5)


def test_other_modalities_are_refused(eeg: Recording) -> None:
    with pytest.raises(DataError, match="the recording is 'eeg'"):
        fmri.clean(eeg)


def test_fmriprep_defaults_run_end_to_end(rng: np.random.Generator) -> None:
    table = motion_table(rng, N_TIMES)
    chosen = fmri.select_confounds(table)
    assert chosen.shape == (N_TIMES, 30)
    run = bold(100 + rng.standard_normal((5, 6)) @ table.filter(like="a_comp").to_numpy().T + rng.standard_normal((5, N_TIMES)))
    cleaned = fmri.clean(run, confounds=chosen)
    leakage = np.asarray(cleaned.data, float) @ chosen.to_numpy()
    assert np.abs(leakage / np.linalg.norm(chosen.to_numpy(), axis=0) / np.sqrt(N_TIMES)).max() < 1e-4
