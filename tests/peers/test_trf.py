"""Temporal response functions against mTRFpy, MNE and scikit-learn: same lags, same penalty, same folds, same numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from ridge_data import relative
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from trf_data import LENGTHS, SFREQ, trials

from neurodecode.linear import TRF, Delayer, RidgeCV

DIRECTIONS = ["forward", "backward"]
LAMBDAS = np.array([1e-4, 1e-2, 1e0, 1e2])


def mtrf_of(direction: str, lambdas: object, method: str = "ridge", **options: object) -> tuple[object, object]:
    """mTRFpy fitted on the same trials, and what its training returns."""
    from mtrf.model import TRF as Peer

    stimuli, responses = trials(n_features=1) if method == "tikhonov" and direction == "forward" else trials()
    peer = Peer(direction=1 if direction == "forward" else -1, method=method)
    table = peer.train(stimuli, responses, SFREQ, -0.05, 0.15, lambdas, verbose=False, **options)
    return peer, table


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("value", LAMBDAS)
def test_weights_offsets_and_predictions_equal_mtrf(direction: str, value: float) -> None:
    stimuli, responses = trials()
    peer, _ = mtrf_of(direction, float(value))
    model = TRF(-0.05, 0.15, SFREQ, direction, alphas=[value * SFREQ * len(LENGTHS)]).fit(stimuli, responses)
    weights = (
        peer.weights if direction == "forward" else peer.weights[:, ::-1]
    )  # its lags are of the stimulus behind the response
    assert relative(model.coef_ * SFREQ, weights) <= 1e-9
    assert_allclose(model.times_, peer.times if direction == "forward" else -peer.times[::-1], atol=1e-12)
    assert_allclose(model.intercept_, peer.bias[0] / SFREQ, rtol=1e-8)
    fresh = trials(seed=3)
    predicted = peer.predict(**{"stimulus" if direction == "forward" else "response": fresh[direction == "backward"]})
    for ours, theirs in zip(model.predict(fresh[direction == "backward"]), predicted, strict=True):
        assert relative(ours, theirs) <= 1e-9


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_surface_and_choice_per_target_equal_leave_one_trial_out_of_mtrf(direction: str) -> None:
    _, table = mtrf_of(direction, LAMBDAS, reg_per_y_channel=True)
    in_folds = LAMBDAS * SFREQ * (len(LENGTHS) - 1)  # mTRFpy divides sums by the trials they are over
    model = TRF(-0.05, 0.15, SFREQ, direction, alphas=in_folds, metric="correlation").fit(*trials())
    assert_allclose(model.cv_scores_, table, rtol=1e-9)
    assert_array_equal(model.alpha_, in_folds[np.argmax(table, axis=0)])
    assert len(np.unique(model.alpha_)) > 1, "targets of one penalty would test nothing"


def test_smooth_penalty_of_one_input_equals_the_tikhonov_of_mtrf() -> None:
    stimuli, responses = trials(n_features=1)
    peer, _ = mtrf_of("forward", 0.5, "tikhonov")
    model = TRF(-0.05, 0.15, SFREQ, alphas=[0.5 * SFREQ * len(LENGTHS)], penalty="smooth").fit(stimuli, responses)
    assert relative(model.coef_ * SFREQ, peer.weights) <= 1e-9


@pytest.fixture
def epochs() -> tuple[np.ndarray, np.ndarray]:
    """Trials of one length as (n_trials, n_channels, n_times)."""
    stimuli, responses = trials((300,) * 5)
    return np.stack([s.T for s in stimuli]), np.stack([r.T for r in responses])


def mne_coef(x: np.ndarray, y: np.ndarray, lags: tuple[float, float], alpha: float, plain: bool) -> tuple[object, np.ndarray]:
    """MNE's receptive field, by its own solver or by scikit-learn's ridge, and its weights as (inputs, lags, targets)."""
    from mne.decoding import ReceptiveField, TimeDelayingRidge

    solver = Ridge(alpha, fit_intercept=False) if plain else TimeDelayingRidge(*lags, SFREQ, alpha=alpha, fit_intercept=False)
    field = ReceptiveField(*lags, SFREQ, estimator=solver)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        field.fit(x.transpose(2, 0, 1), y.transpose(2, 0, 1))
    return field, field.coef_.transpose(1, 2, 0)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_weights_and_predictions_equal_mne(epochs: tuple[np.ndarray, np.ndarray], direction: str, plain: bool) -> None:
    x, y = epochs if direction == "forward" else epochs[::-1]
    lags = (-0.05, 0.15) if direction == "forward" else (-0.15, 0.05)
    field, weights = mne_coef(x, y, lags, 30.0, plain)
    model = TRF(-0.05, 0.15, SFREQ, direction, alphas=[30.0], fit_intercept=False).fit(*epochs)
    assert relative(model.coef_, weights if direction == "forward" else weights[:, ::-1]) <= 1e-6
    assert relative(model.predict(x), field.predict(x.transpose(2, 0, 1)).transpose(1, 2, 0)) <= 1e-6


def test_held_out_scores_equal_mne_on_the_same_folds(epochs: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = epochs
    model = TRF(0.0, 0.1, SFREQ, alphas=[1.0, 100.0], fit_intercept=False).fit(x, y)
    for k, alpha in enumerate(model.alphas_):
        scores = []
        for fold in model.folds_:
            field, _ = mne_coef(x[fold.train], y[fold.train], (0.0, 0.1), alpha, plain=False)
            predicted = field.predict(x[fold.test].transpose(2, 0, 1)).transpose(1, 0, 2).reshape(-1, y.shape[1])
            held = y[fold.test].transpose(0, 2, 1).reshape(-1, y.shape[1])
            scores.append(r2_score(held, predicted, multioutput="raw_values"))
        assert_allclose(model.cv_scores_[k], np.mean(scores, axis=0), rtol=1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_it_is_the_one_ridge_on_delayed_inputs(direction: str, fit_intercept: bool) -> None:
    stimuli, responses = trials()
    runs = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    sides = np.concatenate(stimuli), np.concatenate(responses)
    x, y = sides if direction == "forward" else sides[::-1]
    delays = Delayer.fir(-0.05, 0.15, SFREQ) if direction == "forward" else Delayer.fir(-0.15, 0.05, SFREQ)
    ridge = RidgeCV(cv=len(LENGTHS), fit_intercept=fit_intercept).fit(delays.transform(x, runs), y, groups=runs)
    model = TRF(-0.05, 0.15, SFREQ, direction, fit_intercept=fit_intercept).fit(*sides, groups=runs)
    assert_allclose(model.alphas_, ridge.alphas_, rtol=1e-9)
    assert_allclose(model.cv_scores_, ridge.cv_scores_, atol=1e-8)
    assert_array_equal(np.round(np.log10(model.alpha_), 6), np.round(np.log10(ridge.alpha_), 6))
    assert relative(model.predict(x, groups=runs), ridge.predict(delays.transform(x, runs))) <= 1e-8
