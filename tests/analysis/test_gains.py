"""Optimal gains: the closed form against a search, its limits and symmetries, and the ways to get there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import minimize

from neurodecode.analysis.gain_control import (
    adapt_online,
    gain_gradient,
    linear_readout,
    optimal_gains,
    recurrent_operator,
    responses,
    second_moment,
    settle,
)
from neurodecode.errors import ConfigError, DataError
from neurodecode.simulate.tuning_curves import biased_ensemble, circular_distance, gaussian_recurrence, gaussian_tuning


class World(NamedTuple):
    """The reference population: 36 units, 180 orientations."""

    stimuli: np.ndarray
    preferred: np.ndarray
    drive: np.ndarray
    W: np.ndarray
    M: np.ndarray
    D: np.ndarray
    uniform: np.ndarray
    biased: np.ndarray


def world(strength: float = 0.5) -> World:
    stimuli, preferred = np.arange(180.0), np.arange(36) * 5.0
    drive, W = gaussian_tuning(stimuli, preferred), gaussian_recurrence(preferred, strength)
    M, uniform = recurrent_operator(W), np.full(180, 1 / 180)
    return World(stimuli, preferred, drive, W, M, linear_readout(drive, uniform, M), uniform, biased_ensemble(stimuli))


def loss(g: np.ndarray, w: World, p: np.ndarray, alpha: float, gamma: float) -> float:
    """The objective, stimulus by stimulus."""
    r = responses(w.drive, w.M, g)
    error = ((w.drive - r @ w.D.T) ** 2).sum(axis=1) + alpha * (r**2).sum(axis=1)
    return float(p @ error + gamma * np.sum((g - 1) ** 2))


@pytest.mark.parametrize("price", [0.1, 1.0, 10.0])
def test_the_gradient_vanishes_at_the_closed_form(price: float) -> None:
    w = world()
    C = second_moment(w.drive, w.biased)
    g = optimal_gains(C, w.M, w.D, price, price)
    assert np.abs(gain_gradient(g, C, w.M, w.D, price, price)).max() < 1e-9
    step = 1e-5
    shifted = [g + sign * step * np.eye(36)[7] for sign in (1, -1)]
    slope = (loss(shifted[0], w, w.biased, price, price) - loss(shifted[1], w, w.biased, price, price)) / (2 * step)
    assert abs(slope) < 1e-8
    wrong = np.ones(36)
    numeric = [
        (loss(wrong + step * e, w, w.biased, price, price) - loss(wrong - step * e, w, w.biased, price, price)) / (2 * step)
        for e in np.eye(36)[:5]
    ]
    np.testing.assert_allclose(gain_gradient(wrong, C, w.M, w.D, price, price)[:5], numeric, rtol=1e-5, atol=1e-7)


def test_a_search_finds_the_same_gains() -> None:
    w = world()
    C = second_moment(w.drive, w.biased)
    found = minimize(
        lambda g: loss(g, w, w.biased, 1.0, 1.0),
        np.ones(36),
        jac=lambda g: gain_gradient(g, C, w.M, w.D, 1.0, 1.0),
        method="L-BFGS-B",
        options={"ftol": 1e-16, "gtol": 1e-12, "maxiter": 5000},
    ).x
    np.testing.assert_allclose(optimal_gains(C, w.M, w.D, 1.0, 1.0), found, atol=1e-6)


def test_gains_that_would_be_negative_are_solved_for_nonnegative_ones() -> None:
    w = world(-0.9)
    C = second_moment(w.drive, biased_ensemble(w.stimuli, share=0.95, width=2))
    rng = np.random.default_rng(0)
    D = w.D * (1 + 3 * rng.standard_normal(w.D.shape))
    free = optimal_gains(C, w.M, D, 0.0, 1e-4, nonnegative="never")
    assert free.min() < 0
    bound = optimal_gains(C, w.M, D, 0.0, 1e-4)
    assert bound.min() >= 0
    slope = gain_gradient(bound, C, w.M, D, 0.0, 1e-4)
    scale = np.abs(gain_gradient(np.zeros(36), C, w.M, D, 0.0, 1e-4)).max()
    assert np.abs(slope[bound > 0]).max() < 1e-8 * scale, "free where above 0"
    assert slope[bound == 0].min() > -1e-8 * scale, "pushed down where at 0"


def test_dear_changes_leave_gains_at_one() -> None:
    w = world()
    g = optimal_gains(second_moment(w.drive, w.biased), w.M, w.D, 1.0, 1e9)
    np.testing.assert_allclose(g, 1, atol=1e-7)


def test_control_gains_are_equal_where_units_are() -> None:
    w = world()
    g = optimal_gains(second_moment(w.drive, w.uniform), w.M, w.D, 1.0, 1.0)
    assert np.ptp(g) < 1e-8


def test_units_may_be_counted_in_any_order() -> None:
    w = world()
    order = np.random.default_rng(0).permutation(36)
    C = second_moment(w.drive, w.biased)
    g = optimal_gains(C, w.M, w.D, 1.0, 1.0)
    mixed = optimal_gains(*(A[np.ix_(order, order)] for A in (C, w.M, w.D)), 1.0, 1.0)
    np.testing.assert_allclose(mixed, g[order], rtol=1e-9)


def test_turning_the_adapter_turns_the_gains() -> None:
    w = world()
    at_90, at_45 = (
        optimal_gains(second_moment(w.drive, biased_ensemble(w.stimuli, angle)), w.M, w.D, 1.0, 1.0) for angle in (90, 45)
    )
    np.testing.assert_allclose(np.roll(at_90, -9), at_45, atol=1e-8)


def test_gains_that_follow_a_stream_come_to_rest_at_the_optimum() -> None:
    w = world()
    rng = np.random.default_rng(0)
    course = adapt_online(w.drive[rng.choice(180, 20_000, p=w.biased)], w.M, w.D, 1.0, 1.0, rate=0.1)
    goal = optimal_gains(second_moment(w.drive, w.biased), w.M, w.D, 1.0, 1.0)
    assert np.linalg.norm(course[-1] - goal) < 0.02 * np.linalg.norm(goal)
    assert np.linalg.norm(course[50] - goal) > 0.1 * np.linalg.norm(goal), "it had somewhere to go"


def test_responses_settle_at_the_steady_state() -> None:
    w = world()
    g = np.linspace(0.5, 1.5, 36)
    times, r = settle(w.drive[90], w.W, g)
    np.testing.assert_allclose(r[-1], responses(w.drive[90:91], w.M, g)[0], atol=1e-8)
    assert np.abs(r[0]).max() == 0
    assert times[-1] == 0.5


def test_distances_on_the_circle() -> None:
    assert circular_distance([0, 170, 90], [10]).ravel().tolist() == [-10, -20, 80]
    assert circular_distance([90], [0]).item() == 90
    assert circular_distance([-90], [0]).item() == 90


class TestRefusals:
    def test_a_network_without_a_steady_state(self) -> None:
        with pytest.raises(ConfigError, match=r"real part 1\.2"):
            recurrent_operator(gaussian_recurrence(np.arange(36) * 5.0, 1.2))

    @pytest.mark.parametrize(("alpha", "gamma"), [(-1, 1), (1, 0), (1, -2), (np.nan, 1)])
    def test_prices(self, alpha: float, gamma: float) -> None:
        with pytest.raises(DataError, match="alpha >= 0 and gamma > 0"):
            optimal_gains(np.eye(2), np.eye(2), np.eye(2), alpha, gamma)

    def test_shapes(self) -> None:
        with pytest.raises(DataError, match=r"one shape, got \(2, 2\), \(3, 3\)"):
            optimal_gains(np.eye(2), np.eye(3), np.eye(2), 1, 1)
        with pytest.raises(DataError, match="square"):
            optimal_gains(np.ones((2, 3)), np.eye(2), np.eye(2), 1, 1)
        with pytest.raises(DataError, match="n_stimuli"):
            second_moment(np.ones((3, 2)), [0.5, 0.5])

    def test_what_is_no_probability(self) -> None:
        with pytest.raises(DataError, match="sums to 1"):
            second_moment(np.ones((2, 2)), [0.5, 0.6])
        with pytest.raises(DataError, match="share"):
            biased_ensemble([0.0, 90.0], share=1.5)

    def test_what_is_no_covariance(self) -> None:
        with pytest.raises(DataError, match="not positive definite"):
            optimal_gains(-9 * np.eye(2), np.eye(2), np.eye(2), 1.0, 0.1)

    def test_streams_that_do_not_fit(self) -> None:
        with pytest.raises(DataError, match="do not fit"):
            adapt_online(np.ones((5, 3)), np.eye(2), np.eye(2), 1, 1)
        with pytest.raises(DataError, match="rate"):
            adapt_online(np.ones((5, 2)), np.eye(2), np.eye(2), 1, 1, rate=0)
        with pytest.raises(DataError, match="tau"):
            settle(np.ones(2), np.zeros((2, 2)), np.ones(2), tau=0)
        with pytest.raises(DataError, match="ridge"):
            linear_readout(np.ones((2, 2)), [0.5, 0.5], np.eye(2), ridge=0)
