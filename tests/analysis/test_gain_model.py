"""The gain-control model as an estimator: parameters, inputs, memory, storage, refusals; its rivals and its reader of tuning."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from neurodecode.analysis.gain_control import RIVALS, GainControlModel, adaptation_signatures
from neurodecode.data import Responses
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.simulate.gain_control import SimulatedAdaptation, simulate_adaptation


@pytest.fixture(scope="module")
def planted() -> SimulatedAdaptation:
    return simulate_adaptation(n_sessions=2, noise=0.003)


@pytest.fixture(scope="module")
def fitted(planted: SimulatedAdaptation) -> GainControlModel:
    return fit(GainControlModel(), planted)


def fit(model: GainControlModel, data: SimulatedAdaptation) -> GainControlModel:
    return model.fit(data.control, data.adapted, data.probability, stimuli=data.stimuli, preferred=data.preferred)


def as_responses(tuning: np.ndarray, data: SimulatedAdaptation, repeats: int = 2) -> Responses:
    """Single trials around the tuning, in a random order."""
    n_sessions, n_stimuli, n_units = tuning.shape
    rows = pd.DataFrame(
        {
            "session": np.repeat([f"s{i}" for i in range(n_sessions)], n_stimuli),
            "orientation": np.tile(data.stimuli, n_sessions),
        }
    )
    trials = np.concatenate([tuning.reshape(-1, n_units) + sign * 0.01 for sign in np.linspace(-1, 1, repeats)])
    order = np.random.default_rng(0).permutation(len(trials))
    samples = pd.concat([rows] * repeats, ignore_index=True).iloc[order].reset_index(drop=True)
    return Responses(trials[order], samples, pd.DataFrame({"preferred": data.preferred}))


def test_parameters_go_in_and_come_out() -> None:
    model = GainControlModel(n_bootstrap=3)
    assert sorted(model.get_params()) == sorted(inspect.signature(GainControlModel).parameters)
    assert set(vars(model)) == set(model.get_params())
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(DataError, match="period > 0"):
        GainControlModel(period=0)
    with pytest.raises(DataError, match="nonsense"):
        model.set_params(nonsense=1)


def test_fit_leaves_its_input_alone_and_remembers_only_what_it_found(planted: SimulatedAdaptation) -> None:
    before = planted.control.copy(), planted.adapted.copy(), planted.probability.copy()
    model = GainControlModel()
    assert fit(model, planted) is model
    for now, then in zip((planted.control, planted.adapted, planted.probability), before, strict=True):
        np.testing.assert_array_equal(now, then)
    new = set(vars(model)) - set(GainControlModel().get_params())
    assert all(name.endswith("_") for name in new)


def test_same_data_same_result(planted: SimulatedAdaptation, fitted: GainControlModel) -> None:
    other = fit(fit(GainControlModel(), simulate_adaptation(n_sessions=1, alpha=5.0)), planted)
    assert other.parameters_ == fitted.parameters_


def test_trials_of_responses_are_averaged(planted: SimulatedAdaptation, fitted: GainControlModel) -> None:
    control, adapted = (as_responses(tuning, planted) for tuning in (planted.control, planted.adapted))
    model = GainControlModel().fit(control, adapted, planted.probability)
    for name, value in fitted.parameters_.items():
        assert model.parameters_[name] == pytest.approx(value, rel=1e-3), name
    assert model.score(control, adapted, planted.probability) == pytest.approx(fitted.scores_["r2"].iloc[0], abs=1e-4)


def test_preferences_are_those_of_the_control_tuning_where_none_are_given(planted: SimulatedAdaptation) -> None:
    model = GainControlModel().fit(planted.control, planted.adapted, planted.probability, stimuli=planted.stimuli)
    off = np.abs((model.preferred_ - planted.preferred + 90) % 180 - 90)
    assert off.max() < 1


def test_a_prediction_is_on_the_scale_of_the_tuning(planted: SimulatedAdaptation, fitted: GainControlModel) -> None:
    n = len(planted.stimuli)
    np.testing.assert_allclose(fitted.predict(np.full(n, 1 / n)), planted.control.mean(axis=0), atol=0.05)
    adapted = fitted.predict(planted.probability[0])
    np.testing.assert_allclose(adapted, planted.adapted[0], atol=0.05)
    with pytest.raises(DataError, match="20 stimuli"):
        fitted.predict([0.5, 0.5])


def test_one_session_is_fitted_but_not_tested(planted: SimulatedAdaptation) -> None:
    model = GainControlModel(n_bootstrap=2).fit(planted.control[0], planted.adapted[0], planted.probability[0])
    assert model.scores_["r2_held_out"].isna().all()
    assert len(model.held_out_) == len(model.bootstrap_) == 0


def test_the_bootstrap_follows_its_seed(planted: SimulatedAdaptation) -> None:
    tables = [fit(GainControlModel(n_bootstrap=2, random_state=seed), planted).bootstrap_ for seed in (0, 0, 1)]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not tables[0].equals(tables[2])
    assert list(tables[0]) == ["tuning_width", "baseline", "recurrent_width", "recurrent_strength", "alpha", "gamma"]


def test_it_is_saved_without_code(planted: SimulatedAdaptation, fitted: GainControlModel, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["config.json"]
    back = GainControlModel.load(tmp_path / "model")
    assert back.parameters_ == fitted.parameters_
    np.testing.assert_array_equal(back.predict(planted.probability[0]), fitted.predict(planted.probability[0]))
    pd.testing.assert_frame_equal(back.scores_, fitted.scores_)
    path = tmp_path / "model" / "config.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(CorruptFileError, match=r"config\.json"):
        GainControlModel.load(tmp_path / "model")
    path.write_text('{"kind": "something"}')
    with pytest.raises(FormatError, match="something"):
        GainControlModel.load(tmp_path / "model")
    with pytest.raises(FormatError, match="no such file"):
        GainControlModel.load(tmp_path / "nothing")


def test_nothing_before_fit() -> None:
    square = np.ones((2, 2))
    uses = (lambda m: m.predict([1.0]), lambda m: m.save("x"), lambda m: m.score(square, square, [0.5, 0.5]))
    for use in uses:
        with pytest.raises(DataError, match="not fitted"):
            use(GainControlModel())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tuning_adapted": np.ones((20, 11))}, "one shape"),
        ({"stimulus_probability": np.full(19, 1 / 19)}, "stimulus_probability must be"),
        ({"stimuli": np.linspace(-90, 90, 20)}, "stimuli -90 and 90 are the same"),
        ({"stimuli": np.arange(5.0)}, r"stimuli must have shape \(20,\)"),
        ({"preferred": np.zeros(3)}, r"preferred must have shape \(12,\)"),
        ({"tuning_control": np.full((20, 12), np.nan)}, "not finite"),
        ({"tuning_control": np.ones(12)}, "n_stimuli, n_units"),
    ],
)
def test_refusals(planted: SimulatedAdaptation, change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"tuning_control": planted.control[0], "tuning_adapted": planted.adapted[0]}
    given |= {"stimulus_probability": planted.probability[0], **change}
    with pytest.raises(DataError, match=message):
        GainControlModel().fit(**given)


def test_no_change_at_all_is_refused(planted: SimulatedAdaptation) -> None:
    with pytest.raises(DataError, match="no change to explain"):
        GainControlModel().fit(planted.control, planted.control, planted.probability)


def test_a_session_without_an_orientation_is_named(planted: SimulatedAdaptation) -> None:
    control = as_responses(planted.control, planted, repeats=1)
    hole = control.select(~((control.samples["session"] == "s1") & (control.samples["orientation"] == 0)).to_numpy())
    with pytest.raises(DataError, match="session 's1' has no orientation 0"):
        GainControlModel().fit(hole, hole, planted.probability)


class TestRivals:
    """Each finds a change of its own kind."""

    CONTROL = np.random.default_rng(0).uniform(0.5, 2, (2, 8, 5))
    P = np.full((2, 8), 1 / 8)

    def test_scalar(self) -> None:
        rule = RIVALS["scalar gain"](self.CONTROL, 0.7 * self.CONTROL, self.P)
        np.testing.assert_allclose(rule(self.CONTROL, self.P), 0.7 * self.CONTROL)

    def test_independent(self) -> None:
        gains = np.linspace(0.5, 1.5, 5)
        rule = RIVALS["independent gains"](self.CONTROL, gains * self.CONTROL, self.P)
        np.testing.assert_allclose(rule(self.CONTROL, self.P), gains * self.CONTROL)

    def test_separable(self) -> None:
        factor = np.outer(np.linspace(0.8, 1.2, 8), np.linspace(0.5, 1.5, 5))
        rule = RIVALS["separable (Benucci)"](self.CONTROL, factor * self.CONTROL, self.P)
        np.testing.assert_allclose(rule(self.CONTROL, self.P), factor * self.CONTROL, rtol=1e-9)

    def test_reweighting_lowers_what_came_often(self) -> None:
        data = simulate_adaptation(n_sessions=2, noise=0.0)
        rule = RIVALS["normalisation reweighting (Westrick)"](data.control, data.adapted, data.probability)
        ratio = rule(data.control, data.probability).max(axis=1) / data.control.max(axis=1)
        assert ratio[0].argmin() == int(np.abs(data.preferred).argmin())
        flat = np.full_like(data.probability, 1 / data.probability.shape[1])
        np.testing.assert_allclose(rule(data.control, flat), data.control, rtol=1e-6)


def test_signatures_refuse_a_stimulus_that_stands_twice() -> None:
    tuning = np.random.default_rng(0).uniform(1, 2, (21, 4))
    with pytest.raises(DataError, match="-90 and 90 are the same"):
        adaptation_signatures(tuning, tuning, np.linspace(-90, 90, 21), np.full(21, 1 / 21), adapter=0)
    with pytest.raises(DataError, match="do not fit"):
        adaptation_signatures(tuning, tuning[:5], np.arange(21.0), np.full(21, 1 / 21), adapter=0)
