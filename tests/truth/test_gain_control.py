"""The reference population shows all six effects of adaptation; planted prices are found again, and rivals explain less."""

from __future__ import annotations

import numpy as np
import pytest
from analysis.test_gains import world

from neurodecode.analysis.gain_control import (
    GainControlModel,
    adaptation_signatures,
    optimal_gains,
    responses,
    second_moment,
)
from neurodecode.simulate.gain_control import simulate_adaptation

# alpha = gamma: mean control gain, gain ratio at the adapter and orthogonal, ratio of maxima and of minima at the adapter,
# largest repulsion (deg), covariance distance without and with adaptation, variation of mean responses without and with it
TABLE = {
    0.1: (0.82, 0.98, 1.02, 0.98, 0.98, 0.14, 0.320, 0.302, 0.253, 0.236),
    1.0: (0.645, 0.754, 1.095, 0.783, 0.829, 0.963, 0.320, 0.218, 0.253, 0.135),
    10.0: (0.607, 0.632, 1.122, 0.681, 0.748, 1.36, 0.320, 0.218, 0.253, 0.092),
}


def effects(price: float, strength: float = 0.5) -> tuple[float, ...]:
    """The row of the table."""
    w = world(strength)
    g0, g1 = (optimal_gains(second_moment(w.drive, p), w.M, w.D, price, price) for p in (w.uniform, w.biased))
    control, adapted = (responses(w.drive, w.M, g) for g in (g0, g1))
    found = adaptation_signatures(control, adapted, w.stimuli, w.biased, adapter=90.0)
    ratio, at = g1 / g0, found.at(90.0)
    distances, variations = found.covariance_distance, found.mean_variation
    first = (float(g0.mean()), ratio[18], ratio[0], at["max_ratio"], at["min_ratio"], found.repulsion.max())
    return (*first, *distances, *variations)


@pytest.mark.parametrize("price", TABLE)
def test_the_reference_table(price: float) -> None:
    tolerance = 1e-3 if price == 1.0 else 6e-3
    np.testing.assert_allclose(effects(price), TABLE[price], atol=tolerance)


def test_all_six_effects_appear_together() -> None:
    _, gain, _, largest, smallest, shift, before, after, uneven, even = effects(1.0)
    assert gain < 0.85
    assert largest < 0.9
    assert smallest < 1
    assert shift > 0.5
    assert after < before
    assert even < uneven


def test_inhibition_attracts_instead() -> None:
    w = world(-0.5)
    g0, g1 = (optimal_gains(second_moment(w.drive, p), w.M, w.D, 1.0, 1.0) for p in (w.uniform, w.biased))
    control, adapted = (responses(w.drive, w.M, g) for g in (g0, g1))
    found = adaptation_signatures(control, adapted, w.stimuli, w.biased, adapter=90.0)
    near = np.abs(found.preferred - 90) < 25
    assert found.repulsion[near].min() < -0.1


def test_planted_prices_and_gains_are_recovered() -> None:
    planted = simulate_adaptation(n_sessions=4, alpha=2.0, gamma=0.5, noise=0.0)
    model = GainControlModel().fit(
        planted.control, planted.adapted, planted.probability, stimuli=planted.stimuli, preferred=planted.preferred
    )
    wanted = {"tuning_width": 15, "baseline": 0.1, "recurrent_width": 15, "recurrent_strength": 0.5, "alpha": 2.0, "gamma": 0.5}
    for name, value in wanted.items():
        assert model.parameters_[name] == pytest.approx(value, rel=0.02), name
    ratio = planted.truth["gains"] / planted.truth["gains_control"]
    assert model.scores_["r2"].iloc[0] > 0.9999
    one = GainControlModel().fit(
        planted.control[:1], planted.adapted[:1], planted.probability[:1], stimuli=planted.stimuli, preferred=planted.preferred
    )
    np.testing.assert_allclose(one.gain_ratio_, ratio[0], atol=2e-3)


def test_with_noise_it_predicts_other_sessions_better_than_its_rivals() -> None:
    planted = simulate_adaptation(n_sessions=4, n_units=18, n_stimuli=30, noise=0.005, random_state=1)
    model = GainControlModel().fit(
        planted.control, planted.adapted, planted.probability, stimuli=planted.stimuli, preferred=planted.preferred
    )
    held_out = model.scores_.set_index("model")["r2_held_out"]
    assert held_out.idxmax() == "gain control"
    assert held_out["gain control"] > 0.9
    assert held_out["no change"] == pytest.approx(0, abs=1e-12)
    assert held_out["gain control"] > held_out["normalisation reweighting (Westrick)"] + 0.05
    assert held_out["gain control"] > held_out["scalar gain"] + 0.3


def test_without_a_planted_change_nothing_is_explained_elsewhere() -> None:
    rng = np.random.default_rng(0)
    planted = simulate_adaptation(n_sessions=3, noise=0.0)
    control = planted.control + 0.02 * rng.standard_normal(planted.control.shape)
    adapted = planted.control + 0.02 * rng.standard_normal(planted.control.shape)
    model = GainControlModel().fit(control, adapted, planted.probability, stimuli=planted.stimuli, preferred=planted.preferred)
    assert model.scores_["r2_held_out"].iloc[0] < 0.05
