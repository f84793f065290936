"""One rule turns seconds into samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodecode.data.clock import first_sample_from, inside_samples, nearest_sample, sample_times

RATES = st.sampled_from([0.5, 1 / 0.72, 2.0, 100.0, 1000 / 3, 1024.0, 2048.0, 30000.0, 48000.0])
STARTS = st.floats(-1e5, 1e5, allow_subnormal=False)
SAMPLES = st.integers(0, 10**8)


@given(RATES, STARTS, SAMPLES)
def test_the_time_of_a_sample_is_that_sample_again(sfreq: float, t0: float, i: int) -> None:
    time = t0 + i / sfreq
    assert nearest_sample(time, sfreq, t0) == i
    assert first_sample_from(time, sfreq, t0) == i
    assert inside_samples(time, i, i + 1, sfreq, t0)
    assert not inside_samples(time, i - 1, i, sfreq, t0)


@given(RATES, STARTS, SAMPLES, st.floats(0.01, 0.99))
def test_between_two_samples_the_border_is_the_later_one(sfreq: float, t0: float, i: int, part: float) -> None:
    assert first_sample_from(t0 + (i + part) / sfreq, sfreq, t0) == i + 1


@given(RATES, STARTS, st.floats(-1e4, 1e4, allow_subnormal=False))
def test_the_nearest_sample_is_at_most_half_a_sample_away(sfreq: float, t0: float, offset: float) -> None:
    seconds = t0 + offset
    i = nearest_sample(seconds, sfreq, t0)
    assert abs((seconds - t0) * sfreq - i) <= 0.5 + 1e-4


@pytest.mark.parametrize(("seconds", "index"), [(0.0, 0), (0.5, 1), (1.49, 1), (1.5, 2), (-0.5, 0), (-0.6, -1)])
def test_halves_go_up(seconds: float, index: int) -> None:
    assert nearest_sample(seconds, 1.0) == index


def test_arrays_keep_their_shape() -> None:
    indices = nearest_sample([[0.0, 0.1], [0.2, 0.3]], 10)
    assert indices.tolist() == [[0, 1], [2, 3]]
    assert indices.dtype == np.int64


@pytest.mark.parametrize("seconds", [np.inf, -np.inf])
def test_an_infinite_border_lies_beyond_any_recording(seconds: float) -> None:
    assert first_sample_from(seconds, 30000.0) * np.sign(seconds) > 10**15


def test_times_do_not_drift_over_a_day() -> None:
    times = sample_times(30000 * 86400 // 1000 + 1, 30.0, 5.0)
    assert times[0] == 5.0
    assert times[-1] == 5.0 + 86400.0
