"""Single-trial betas and finite impulse responses: bookkeeping, guards and small cases."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bold_runs import bold, event_table, motion_table, response, simulate

from neurodecode.data import Recording
from neurodecode.errors import DataError
from neurodecode.preprocess import fmri
from neurodecode.preprocess.fmri_design import hrf_regressors, tents
from neurodecode.preprocess.fmri_glm import estimator, lsa_weights, lss_weights


@pytest.fixture
def run(rng: np.random.Generator) -> Recording:
    onsets = np.arange(5, 350, 12.0) + rng.uniform(0, 4, 29)
    return simulate(rng, event_table(onsets, 1.0), n_voxels=8)[0]


@pytest.mark.parametrize("method", ["lss", "lsa"])
@pytest.mark.parametrize("noise_model", ["ols", "ar1"])
def test_shapes_samples_and_steps(run: Recording, method: Any, noise_model: Any) -> None:
    made = fmri.betas(run, method=method, noise_model=noise_model)
    assert made.data.shape == (29, 8)
    assert np.isfinite(made.data).all()
    assert made.samples["trial_type"].tolist() == run.events["trial_type"].tolist()
    assert made.samples["subject"].unique().tolist() == ["01"]
    assert made.meta["drops"] == {"events": 29, "kept": 29, "response peak outside the run": 0}
    step = json.loads(json.dumps(made.meta["steps"][-1]))
    assert (step["method"], step["noise_model"], step["high_pass"]) == (method, noise_model, 1 / 128)


@pytest.mark.parametrize("hrf", ["glover", "spm"])
def test_hrf_peaks_about_five_seconds_after_the_event(hrf: Any) -> None:
    assert fmri.hrf_lag(hrf) == pytest.approx(5.0, abs=0.3)


def test_unknown_hrf(run: Recording) -> None:
    with pytest.raises(DataError, match="hrf='canonical' is unknown"):
        fmri.betas(run, hrf="canonical")  # type: ignore[arg-type]


@pytest.mark.parametrize("t0", [0.0, 0.9, -3.0])
@pytest.mark.parametrize("duration", [1.0, 3.0, 20.0])
def test_regressors_equal_the_closed_form(t0: float, duration: float) -> None:
    run = bold(np.zeros((1, 60)), events=event_table([2.0, 31.4], duration), t0=t0)
    design = hrf_regressors(run, run.events, "glover")
    for j, onset in enumerate(run.events["onset"]):
        expected = response(run.times, onset, duration)
        np.testing.assert_allclose(design[:, j], expected, atol=0.03 * expected.max())


def test_events_long_before_the_first_volume_are_modelled() -> None:
    run = bold(np.zeros((1, 60)), events=event_table([-40.0], 60.0))
    expected = response(run.times, -40.0, 60.0)
    np.testing.assert_allclose(hrf_regressors(run, run.events, "glover")[:, 0], expected, atol=0.05)


def test_trials_whose_peak_is_outside_are_dropped_and_counted(run: Recording) -> None:
    outside = pd.concat([run.events, event_table([395.0, 500.0, -30.0], 1.0)])
    made = fmri.betas(run.replace(events=outside))
    assert made.meta["drops"] == {"events": 32, "kept": 29, "response peak outside the run": 3}
    with pytest.raises(DataError, match="none of the 1 events .* are onsets in s"):
        fmri.betas(run.replace(events=event_table([395.0], 1.0)))


def test_other_trial_types_are_nuisance(rng: np.random.Generator) -> None:
    events = event_table(np.arange(5, 350, 7.0), 1.0, ["face", "button"])
    run, truth = simulate(rng, events, n_voxels=4, noise=0.01)
    wanted = fmri.betas(run, method="lsa", trial_types="face")
    assert set(wanted.samples["trial_type"]) == {"face"}
    assert len(wanted) == (events["trial_type"] == "face").sum()
    assert wanted.meta["drops"]["events"] == len(wanted)
    ignored = run.replace(events=events[events["trial_type"] == "face"])
    true = truth[(events["trial_type"] == "face").to_numpy()]
    error = [np.abs(np.asarray(r.data) - true).mean() for r in (wanted, fmri.betas(ignored, method="lsa"))]
    assert error[0] < error[1]


def test_confounds_per_run(run: Recording, rng: np.random.Generator) -> None:
    tables = [fmri.select_confounds(motion_table(rng, run.n_times), "motion6") for _ in range(2)]
    mixture = rng.standard_normal((8, 6)) * 50
    spoilt = [run.replace(data=np.asarray(run.data) + mixture @ table.to_numpy().T) for table in tables]
    rescued = fmri.betas(spoilt, confounds=tables)
    clean = fmri.betas([run, run], confounds=tables)
    np.testing.assert_allclose(rescued.data, clean.data, atol=2e-3)
    assert rescued.meta["steps"][-1]["confounds"] == tables[0].columns.tolist()
    with pytest.raises(DataError, match="the list of confounds has 1 rows, expected 2, one per run"):
        fmri.betas(spoilt, confounds=tables[:1])
    with pytest.raises(DataError, match="has 10 rows, expected 200"):
        fmri.betas(run, confounds=tables[0].iloc[:10])


def test_nan_constant_and_bad_channels(run: Recording) -> None:
    data = np.array(run.data)
    data[1], data[2, 5] = 3.0, np.nan
    with pytest.raises(DataError, match="'2_0_0' holds NaN"):
        fmri.betas(run.replace(data=data))
    marked = run.replace(data=data, channels=run.channels.assign(bad=np.arange(8) == 2))
    for noise_model in ("ols", "ar1"):
        made = np.asarray(fmri.betas(marked, noise_model=noise_model).data)  # type: ignore[arg-type]
        assert not made[:, 1].any()
        assert np.isnan(made[:, 2]).all()
        np.testing.assert_allclose(made[:, 3:], np.asarray(fmri.betas(run, noise_model=noise_model).data)[:, 3:], atol=1e-5)  # type: ignore[arg-type]


def test_channels_in_blocks_give_the_same(run: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fmri.betas(run)
    monkeypatch.setattr("neurodecode.preprocess._runs.BLOCK", 3)
    np.testing.assert_allclose(fmri.betas(run).data, whole.data, atol=1e-6)


@pytest.mark.parametrize(
    ("onsets", "n_times", "message"),
    [
        ([10.0, 10.0, 50.0], 100, "only 2 of 3 regressors can be told apart"),
        (np.arange(2, 80, 1.0), 50, r"only \d+ of 78 regressors"),
    ],
)
def test_lsa_refuses_what_it_cannot_tell_apart(rng: np.random.Generator, onsets: list[float], n_times: int, message: str) -> None:
    run = bold(rng.standard_normal((2, n_times)), events=event_table(onsets, 1.0))
    with pytest.raises(DataError, match=message):
        fmri.betas(run, method="lsa")
    assert np.isfinite(fmri.betas(run, method="lss").data).all()


def test_too_many_confounds(run: Recording) -> None:
    with pytest.raises(DataError, match="nuisance regressors explain all 200 volumes"):
        fmri.betas(run, confounds=pd.DataFrame(np.eye(200)[:, :199]).add_prefix("c"))


def test_regressor_that_is_a_confound(run: Recording) -> None:
    table = pd.DataFrame({"copy": hrf_regressors(run, run.events.iloc[:1], "glover")[:, 0]})
    with pytest.raises(DataError, match="regressor 0 of 29 has no volume of its own, or drifts, confounds"):
        fmri.betas(run, confounds=table)


def test_single_trial(run: Recording) -> None:
    alone = run.replace(events=run.events.iloc[[4]])
    np.testing.assert_allclose(fmri.betas(alone).data, fmri.betas(alone, method="lsa").data, atol=1e-6)


def test_lss_weights_equal_the_normal_equations(rng: np.random.Generator) -> None:
    design, signal = rng.standard_normal((40, 6)), rng.standard_normal((40, 3))
    weights = lss_weights(design.T @ design, np.zeros(6, int))
    for j in range(6):
        model = np.column_stack([design[:, j], np.delete(design, j, axis=1).sum(axis=1)])
        expected = np.linalg.lstsq(model, signal, rcond=None)[0][0]
        np.testing.assert_allclose(weights[j] @ design.T @ signal, expected, atol=1e-10)


def test_lss_with_one_trial_per_group_is_lsa(rng: np.random.Generator) -> None:
    design = rng.standard_normal((40, 6))
    gram = design.T @ design
    np.testing.assert_allclose(lss_weights(gram, np.arange(6)), lsa_weights(gram), atol=1e-10)


def test_estimator_ignores_the_nuisance(rng: np.random.Generator) -> None:
    design, nuisance = rng.standard_normal((50, 4)), rng.standard_normal((50, 7))
    matrix = estimator(design, np.hstack([nuisance, nuisance[:, :2], np.zeros((50, 1))]), lsa_weights)
    np.testing.assert_allclose(matrix @ nuisance, 0, atol=1e-10)
    np.testing.assert_allclose(matrix @ design, np.eye(4), atol=1e-10)


def test_others_by_trial_type(run: Recording) -> None:
    one, by_type = (np.asarray(fmri.betas(run, others=o).data) for o in ("one", "by_trial_type"))  # type: ignore[arg-type]
    assert 0.9 < np.corrcoef(one.ravel(), by_type.ravel())[0, 1] < 0.99999


@pytest.mark.parametrize(("window", "lags"), [((0, 20), 10), ((0.0, 19.9), 10), ((-4, 6), 5), ((1.0, 5.0), 2)])
def test_fir_lags(run: Recording, window: tuple[float, float], lags: int) -> None:
    made = fmri.fir(run, window=window)
    assert made.data.shape == (3, 8, lags)
    assert made.times is not None
    assert (made.times >= window[0]).all()
    assert (made.times < window[1]).all()
    assert made.samples["n_events"].tolist() == [10, 10, 9]


def test_fir_of_some_trial_types_equals_those_of_all(run: Recording) -> None:
    whole, some = fmri.fir(run), fmri.fir(run, trial_types=["cat", "face"])
    assert some.samples["trial_type"].tolist() == ["face", "cat"]
    np.testing.assert_allclose(some.data, np.asarray(whole.data)[[0, 2]], atol=1e-5)


def test_fir_guards(run: Recording) -> None:
    with pytest.raises(DataError, match=r"window \(3.0, 3.5\) s holds no volume"):
        fmri.fir(run, window=(3.0, 3.5))
    regular = run.replace(events=event_table(np.arange(0, 400, 8.0), 1.0, ["tone"]))
    with pytest.raises(DataError, match=r"only \d+ of 15 regressors .* shorten the window"):
        fmri.fir(regular, window=(0, 30))
    with pytest.raises(DataError, match="has 0 events"):
        fmri.fir(run.replace(events=None))


def test_fir_without_trial_types_and_over_runs(run: Recording) -> None:
    plain = run.replace(events=run.events[["onset", "duration"]])
    made = fmri.fir([plain, plain.replace(meta={**plain.meta, "run": "2"})])
    assert made.samples["trial_type"].tolist() == ["event", "event"]
    assert made.samples["run"].tolist() == ["1", "2"]


def test_tents_sum_to_one_where_lags_cover(run: Recording) -> None:
    basis = tents(run, np.array([10.7]), np.arange(0, 20, 2.0))
    inside = (run.times >= 10.7) & (run.times <= 28.7)
    np.testing.assert_allclose(basis[inside].sum(axis=1), 1)
