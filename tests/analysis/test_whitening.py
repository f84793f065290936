"""Gains that whiten: closed form, frames, streams, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.analysis.gain_control import whiten_online, whitened_covariance, whitening_frame, whitening_gains
from neurodecode.data import Responses
from neurodecode.errors import DataError


def covariance(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, 2 * n))
    return A @ A.T / (2 * n) + 0.1 * np.eye(n)


@pytest.mark.parametrize("n", [1, 2, 5, 12])
@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_the_closed_form_whitens(n: int, alpha: float) -> None:
    C = covariance(n)
    g = whitening_gains(C, alpha=alpha)
    assert g.shape == (n * (n + 1) // 2,)
    np.testing.assert_allclose(whitened_covariance(C, g, alpha=alpha), np.eye(n), atol=1e-11)


def test_any_frame_of_enough_directions_does() -> None:
    rng = np.random.default_rng(1)
    W = rng.standard_normal((4, 10))
    W /= np.linalg.norm(W, axis=0)
    C = covariance(4)
    np.testing.assert_allclose(whitened_covariance(C, whitening_gains(C, W), W), np.eye(4), atol=1e-9)


def test_a_frame_of_the_axes_alone_whitens_what_is_uncorrelated() -> None:
    C = np.diag([4.0, 1.0, 0.25])
    g = whitening_gains(C, np.eye(3))
    np.testing.assert_allclose(g, [1.0, 0.0, -0.5])
    np.testing.assert_allclose(whitened_covariance(C, g, np.eye(3)), np.eye(3), atol=1e-12)


def test_the_frame_has_directions_of_length_one() -> None:
    W = whitening_frame(3)
    np.testing.assert_allclose(np.linalg.norm(W, axis=0), 1)
    np.testing.assert_allclose(W[:, 1], [np.sqrt(0.5), np.sqrt(0.5), 0])
    outer = np.stack([np.outer(w, w)[np.triu_indices(3)] for w in W.T])
    assert np.linalg.matrix_rank(outer) == 6


def test_a_stream_ends_at_the_closed_form() -> None:
    C = np.array([[3.0, 1.0], [1.0, 2.0]])
    exact = whiten_online(C, rate=0.1, batch=0, steps=3000)
    np.testing.assert_allclose(exact.gains, whitening_gains(C), rtol=1e-8)
    sampled = whiten_online(C, rate=0.05, batch=256, steps=1500)
    np.testing.assert_allclose(sampled.gains, whitening_gains(C), atol=0.05)
    assert sampled.error[-1] < 1e-3 < sampled.error[0]
    again = whiten_online(C, rate=0.05, batch=256, steps=1500)
    np.testing.assert_array_equal(again.course, sampled.course)


def test_gains_can_be_kept_above_zero() -> None:
    C = np.diag([4.0, 0.25])
    found = whiten_online(C, np.eye(2), rate=0.1, batch=0, steps=2000, nonnegative=True)
    np.testing.assert_allclose(found.gains, [1.0, 0.0], atol=1e-6)


def test_responses_stand_for_their_covariance() -> None:
    rng = np.random.default_rng(2)
    data = rng.multivariate_normal(np.zeros(3), covariance(3), size=400).astype(np.float32)
    responses = Responses(data, pd.DataFrame(index=range(400)), pd.DataFrame({"name": list("abc")}))
    g = whitening_gains(responses)
    np.testing.assert_allclose(g, whitening_gains(np.cov(data.astype(float), rowvar=False)), rtol=1e-6)


class TestRefusals:
    def test_what_is_no_covariance(self) -> None:
        with pytest.raises(DataError, match="symmetric"):
            whitening_gains([[1.0, 0.5], [0.1, 1.0]])
        with pytest.raises(DataError, match="smallest eigenvalue is -"):
            whitening_gains([[1.0, 2.0], [2.0, 1.0]])

    def test_frames(self) -> None:
        with pytest.raises(DataError, match="length 1"):
            whitening_gains(np.eye(2), np.ones((2, 3)))
        with pytest.raises(DataError, match="not independent"):
            whitening_gains(np.eye(2), np.array([[1.0, 1.0], [0.0, 0.0]]))
        with pytest.raises(DataError, match="at least 1"):
            whitening_frame(0)

    def test_a_rate_that_is_too_high(self) -> None:
        with pytest.raises(DataError, match="lower rate=50"):
            whiten_online(9 * np.eye(3), rate=50.0)
        with pytest.raises(DataError, match="rate > 0"):
            whiten_online(np.eye(2), rate=0)

    def test_many_units_are_warned_of(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from neurodecode.analysis.gain_control import whitening

        monkeypatch.setattr(whitening, "_MANY", 5)
        with pytest.warns(UserWarning, match="system of 21 gains"):
            whitening_gains(np.eye(6))
