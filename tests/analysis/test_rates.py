"""Rates of change against slopes that are fitted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.analysis.connectome import rates_of_change

WALK = np.cumsum(np.random.default_rng(0).standard_normal((2, 80)), axis=1)


def in_robust_units(slopes: np.ndarray) -> np.ndarray:
    return slopes / (1.4826 * np.median(np.abs(slopes - np.median(slopes))))


def test_each_rate_is_the_slope_of_a_parabola_through_its_window() -> None:
    """7 frames around each one; at the edges the parabola of the first and the last 7."""
    t, slopes = np.arange(80) / 4.0, np.empty(80)
    for k in range(80):
        first = min(max(k - 3, 0), 73)
        window = slice(first, first + 7)
        slopes[k] = np.polyval(np.polyder(np.polyfit(t[window] - t[k], WALK[0, window], 2)), 0.0)
    np.testing.assert_allclose(rates_of_change(WALK, 4.0, smoothing_s=1.75)[0], in_robust_units(slopes), rtol=1e-5, atol=1e-6)


def test_the_window_is_odd_and_15_frames_at_4_hz_by_default() -> None:
    default = rates_of_change(WALK, 4.0)
    np.testing.assert_array_equal(default, rates_of_change(WALK, 4.0, smoothing_s=3.5))
    assert (default != rates_of_change(WALK, 4.0, smoothing_s=4.1)).any()


def test_time_in_other_units_changes_nothing() -> None:
    a, b = rates_of_change(WALK, 4.0, smoothing_s=2.0), rates_of_change(WALK, 0.04, smoothing_s=200.0)
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_rounding_of_a_large_constant_is_no_movement() -> None:
    data = np.float32(1e6) * np.ones((1, 80), np.float32)
    assert (rates_of_change(data, 4.0) == 0).all()


@pytest.mark.parametrize("derivative", ["savgol", "gaussian", "none"])
def test_rows_do_not_meet(derivative: str) -> None:
    both = rates_of_change(WALK, 4.0, derivative=derivative)
    assert both.dtype == np.float32
    np.testing.assert_array_equal(both[1], rates_of_change(WALK[1:], 4.0, derivative=derivative)[0])
