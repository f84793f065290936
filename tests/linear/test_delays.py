"""Delayed features: the right row at each delay, and never one of another run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from neurodecode.data import Responses
from neurodecode.errors import DataError
from neurodecode.linear.delays import Delayer, delayed_kernel


def impulse(row: int, n: int = 12) -> np.ndarray:
    """One feature that is 1 at one row."""
    x = np.zeros((n, 1), np.float32)
    x[row] = 1
    return x


def test_each_block_holds_the_row_that_came_before() -> None:
    x = np.arange(10.0).reshape(5, 2)
    delayed = Delayer([0, 2]).transform(x)
    assert_array_equal(delayed[:, :2], x)
    assert_array_equal(delayed[2:, 2:], x[:3])
    assert_array_equal(delayed[:2, 2:], 0)


@pytest.mark.parametrize(("delay", "row", "runs"), [(1, 5, "aaaaaabbbbbb"), (3, 4, "aaaaaabbbbbb"), (-1, 6, "aaaaaabbbbbb")])
def test_an_impulse_at_the_border_of_a_run_never_reaches_the_other(delay: int, row: int, runs: str) -> None:
    assert Delayer([delay]).transform(impulse(row)).any(), "without runs it moves on"
    assert not Delayer([delay]).transform(impulse(row), list(runs)).any()


def test_a_name_that_comes_again_is_another_run() -> None:
    x = Delayer([1]).transform(np.ones((6, 1)), [1, 1, 2, 2, 1, 1])
    assert x.ravel().tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("delays", "expected"),
    [([1, 2], "001110011"), ([-1, 1], "011100110"), ([0], "111111111"), ([-2], "111001100"), ([9], "000000000")],
)
def test_valid_rows_have_every_delay_inside_their_run(delays: list[int], expected: str) -> None:
    runs = [0] * 5 + [1] * 4
    assert "".join(map(str, Delayer(delays).valid(9, runs).astype(int))) == expected


def test_valid_rows_are_those_that_zero_fill_does_not_touch() -> None:
    delayer, runs = Delayer([-1, 2]), np.repeat([0, 1], 8)
    filled = (delayer.transform(np.ones((16, 3)), runs) == 0).any(axis=1)
    assert_array_equal(delayer.valid(16, runs), ~filled)


def test_seconds() -> None:
    assert Delayer([2, 4, 6, 8], sfreq=0.5).steps_.tolist() == [1, 2, 3, 4]
    assert Delayer([0.1, -0.2], sfreq=100).steps_.tolist() == [10, -20]
    assert Delayer([3.0], sfreq=1 / 1.5).steps_.tolist() == [2]


@pytest.mark.parametrize(
    ("window", "first", "last"),
    [((-0.2, 0.8, 100.0), -20, 80), ((2, 8, 0.5), 1, 4), ((2, 8, 1 / 1.5), 2, 5), ((0, 0, 10.0), 0, 0)],
)
def test_fir_takes_every_whole_sample_of_the_window(window: tuple[float, float, float], first: int, last: int) -> None:
    assert Delayer.fir(*window).steps_.tolist() == list(range(first, last + 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "at least one"),
        (([np.nan],), "finite"),
        (([1.5],), "give sfreq for seconds"),
        (([1, 1],), "stand once"),
        (([2.0], 1 / 1.5), r"2 s at 0.666667 Hz; Delayer.fir gives a whole window \(sample 1.333\)"),
        (([2.0], 0.0), "sfreq must be"),
    ],
)
def test_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Delayer(arguments[0], sfreq=arguments[1] if len(arguments) > 1 else None)


def test_a_window_without_a_sample_is_refused() -> None:
    with pytest.raises(DataError, match=r"between delays of 0.1 and 0.4 s"):
        Delayer.fir(0.1, 0.4, 0.5)


@pytest.mark.parametrize("x", [np.zeros(4), np.zeros((2, 2, 2)), np.array([["a"]])])
def test_features_must_be_a_matrix_of_numbers(x: np.ndarray) -> None:
    with pytest.raises(DataError, match="features must be real numbers"):
        Delayer([1]).transform(x)


def test_groups_must_name_every_row() -> None:
    with pytest.raises(DataError, match="each of the 4 samples"):
        Delayer([1]).transform(np.zeros((4, 1)), [0, 0])


def test_dtype_stays_and_nan_travels() -> None:
    x = impulse(3)
    x[5] = np.nan
    delayed = Delayer([0, 1]).transform(x)
    assert delayed.dtype == np.float32
    assert np.argwhere(np.isnan(delayed)).tolist() == [[5, 0], [6, 1]]
    assert x[4] == 0, "the input is untouched"


def test_responses_keep_their_samples_and_name_the_delay_of_each_unit() -> None:
    samples = pd.DataFrame({"run": [1, 1, 1, 2, 2, 2], "onset": np.tile([0.0, 2.0, 4.0], 2)})
    responses = Responses(np.arange(12.0).reshape(6, 2), samples, pd.DataFrame({"name": ["u", "v"], "layer": [1, 2]}))
    delayed = Delayer([0, 2], sfreq=0.5).transform(responses)
    assert delayed.units["name"].tolist() == ["u@0", "v@0", "u@2", "v@2"]
    assert delayed.units["delay"].tolist() == [0, 0, 2, 2]
    assert delayed.units["layer"].tolist() == [1, 2, 1, 2]
    assert_array_equal(delayed.data[[0, 3], 2:], 0)
    assert_array_equal(delayed.data[4, 2:], responses.data[3])
    assert delayed.meta["steps"][-1]["step"] == "linear.delay"
    assert_array_equal(delayed.samples["onset"], samples["onset"])


def test_responses_without_runs_are_one_run() -> None:
    responses = Responses(np.ones((3, 1)), pd.DataFrame({"stimulus": list("abc")}), pd.DataFrame({"name": ["u"]}))
    assert Delayer([1]).transform(responses).data.ravel().tolist() == [0, 1, 1]


def test_responses_over_time_are_refused() -> None:
    responses = Responses(np.ones((3, 1, 2)), pd.DataFrame(index=range(3)), pd.DataFrame({"name": ["u"]}), [0.0, 0.1])
    with pytest.raises(DataError, match=r"\(3, 1, 2\)"):
        Delayer([1]).transform(responses)


@pytest.mark.parametrize("delays", [[0], [1, 2, 3], [-2, 1]])
def test_the_kernel_of_a_delayed_band_needs_no_delayed_features(rng: np.random.Generator, delays: list[int]) -> None:
    x, z = rng.standard_normal((11, 4)), rng.standard_normal((7, 4))
    delayer, runs, others = Delayer(delays), [0] * 6 + [1] * 5, [0] * 3 + [1] * 4
    kernel = delayed_kernel(x @ z.T, delayer.source_rows(11, runs), delayer.source_rows(7, others))
    assert_allclose(kernel, delayer.transform(x, runs) @ delayer.transform(z, others).T, atol=1e-12)


def test_its_name() -> None:
    assert repr(Delayer([1, 2])) == "<Delayer [1, 2] samples>"
    assert repr(Delayer([2], sfreq=0.5)) == "<Delayer [1] samples at 0.5 Hz>"
    assert len(Delayer([1, 2])) == 2
