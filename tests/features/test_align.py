"""Words and frames on the clock of scans: what each method weighs, what is conserved, and that runs stay apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodecode.data import Recording, Responses
from neurodecode.errors import DataError
from neurodecode.features import to_sfreq, to_tr

METHODS = ("lanczos", "box", "last", "mean", "sinc")


def words(rng: np.random.Generator, n: int = 200, until: float = 95.0) -> tuple[np.ndarray, np.ndarray]:
    """Onsets and offsets of words that end within 100 s."""
    onsets = np.sort(rng.uniform(0, until, n))
    return onsets, onsets + rng.uniform(0, 4, n)


def three_runs(**samples: object) -> Responses:
    """Six words of three runs in mixed order."""
    table = {
        "run": ["b", "b", "a", "a", "c", "b"],
        "onset": [0.5, 3.0, 0.1, 5.9, 2.0, 3.5],
        "word": list("uvwxyz"),
        "task": "story",
    }
    return Responses(np.eye(6)[:, :4], pd.DataFrame({**table, **samples}), pd.DataFrame({"name": list("pqrs")}))


# --- weights -------------------------------------------------------------------------------------------------------


def test_box_conserves_the_number_of_words(rng: np.random.Generator) -> None:
    onsets, offsets = words(rng)
    rate = to_tr(np.ones((200, 1)), onsets, TR=1.7, n_scans=60, method="box", offsets=offsets)
    assert rate.shape == (60, 1)
    assert rate.sum() == pytest.approx(200, abs=1e-10)
    assert rate.min() >= 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 90), st.one_of(st.just(0.0), st.floats(1e-6, 9.9))), min_size=1, max_size=20),
    st.sampled_from([0.1, 0.5, 1.0, 2.0, 2.4, 0.72, 3.333]),
    st.floats(-1e3, 1e3),
)
def test_box_conserves_any_feature_of_any_words(spans: list[tuple[float, float]], TR: float, value: float) -> None:
    onsets = np.array([on for on, _ in spans])
    offsets = onsets + np.array([d for _, d in spans])
    values = np.array([value * (i + 1) for i in range(len(spans))])
    total = to_tr(values, onsets, TR=TR, n_scans=int(np.ceil(101 / TR)), method="box", offsets=offsets).sum()
    assert total == pytest.approx(values.sum(), abs=1e-7 * (1 + np.abs(values).sum()))


def test_box_divides_a_word_between_scans() -> None:
    y = to_tr([[10.0]], [1.5], TR=1.0, n_scans=5, method="box", offsets=[3.5])
    np.testing.assert_allclose(y[:, 0], [0, 2.5, 5.0, 2.5, 0])


def test_box_without_offsets_counts_where_words_begin() -> None:
    y = to_tr(np.ones(4), [0.0, 0.9, 1.0, 3.0], TR=1.0, n_scans=4, method="box")
    np.testing.assert_array_equal(y, [2, 1, 0, 1])


def test_mean_and_last_of_the_words_in_a_scan() -> None:
    values, onsets = np.array([1.0, 2.0, 6.0, 5.0]), [0.2, 0.9, 0.4, 2.5]
    np.testing.assert_allclose(to_tr(values, onsets, TR=1.0, n_scans=4, method="mean"), [3.0, 0, 5, 0])
    np.testing.assert_allclose(to_tr(values, onsets, TR=1.0, n_scans=4, method="last"), [2.0, 0, 5, 0])


def test_of_two_words_at_once_the_later_row_is_the_last() -> None:
    np.testing.assert_array_equal(to_tr([1.0, 2.0], [0.5, 0.5], TR=1.0, n_scans=1, method="last"), [2.0])


@pytest.mark.parametrize("window", [2.0, 3.0])
@pytest.mark.parametrize("cutoff", [None, 0.2])
def test_lanczos_is_its_equation(rng: np.random.Generator, window: float, cutoff: float | None) -> None:
    onsets, _ = words(rng)
    values = rng.standard_normal((200, 3))
    y = to_tr(values, onsets, TR=2.0, n_scans=50, window=window, cutoff=cutoff)
    rate = 0.5 if cutoff is None else cutoff
    x = rate * ((2.0 * np.arange(50) + 1.0)[:, None] - onsets)
    kernel = np.where(np.abs(x) <= window, np.sinc(x) * np.sinc(x / window), 0)
    np.testing.assert_allclose(y, kernel @ values, atol=1e-12)


def test_sinc_is_its_equation(rng: np.random.Generator) -> None:
    onsets, _ = words(rng)
    values = rng.standard_normal((200, 2))
    kernel = np.sinc(0.5 * ((2.0 * np.arange(50) + 1)[:, None] - onsets))
    np.testing.assert_allclose(to_tr(values, onsets, TR=2.0, n_scans=50, method="sinc"), kernel @ values, atol=1e-12)


def test_lanczos_conserves_words_away_from_the_border_within_two_percent(rng: np.random.Generator) -> None:
    onsets = rng.uniform(20, 80, 500)
    assert to_tr(np.ones(500), onsets, TR=2.0, n_scans=50).sum() == pytest.approx(500, rel=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_scans_without_words_are_zero(method: str) -> None:
    y = to_tr(np.ones((3, 2)), [30.1, 30.5, 31.0], TR=2.0, n_scans=30, method=method)
    assert np.abs(y[15]).max() > 0
    if method != "sinc":
        assert not y[[0, 5, 29]].any()


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_words_does_not_matter(rng: np.random.Generator, method: str) -> None:
    onsets, offsets = words(rng)
    values, shuffled = rng.standard_normal((200, 3)), rng.permutation(200)
    y = to_tr(values, onsets, TR=2.0, n_scans=50, method=method, offsets=offsets)
    z = to_tr(values[shuffled], onsets[shuffled], TR=2.0, n_scans=50, method=method, offsets=offsets[shuffled])
    np.testing.assert_allclose(y, z, atol=1e-12)


@pytest.mark.parametrize("reference", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("method", METHODS)
def test_another_reference_is_another_clock(rng: np.random.Generator, method: str, reference: float) -> None:
    onsets, offsets = words(rng)
    values = rng.standard_normal((200, 2))
    y = to_tr(values, onsets, TR=2.0, n_scans=60, method=method, offsets=offsets, reference=reference)
    shift = (reference - 0.5) * 2.0
    z = to_tr(values, onsets - shift, TR=2.0, n_scans=60, method=method, offsets=offsets - shift)
    np.testing.assert_allclose(y, z, atol=1e-9)


def test_an_onset_written_as_a_whole_scan_begins_that_scan() -> None:
    onsets = np.arange(300) * 0.1  # 0.3 is not three tenths
    for method in ("box", "mean", "last"):
        np.testing.assert_array_equal(to_tr(np.arange(300.0), onsets, TR=0.1, n_scans=300, method=method), np.arange(300.0))


def test_nan_spreads_only_to_the_scans_it_weighs_on() -> None:
    y = to_tr([1.0, np.nan], [1.0, 20.0], TR=2.0, n_scans=15)
    assert np.isnan(y).sum() == 6
    assert np.isfinite(y[[0, 5, 14]]).all()


def test_wide_values_are_multiplied_in_blocks(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    values, onsets = rng.standard_normal((40, 33)).astype(np.float32), np.sort(rng.uniform(0, 40, 40))
    whole = to_tr(values, onsets, TR=2.0, n_scans=20)
    assert whole.dtype == np.float32
    monkeypatch.setattr("neurodecode.features.align._BLOCK", 160)
    np.testing.assert_array_equal(to_tr(values, onsets, TR=2.0, n_scans=20), whole)


# --- held values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_series_stays_what_it_is(method: str) -> None:
    frames = np.arange(0, 60, 1 / 24)
    y = to_tr(np.full(len(frames), 7.0), frames, TR=1.5, n_scans=44, method=method, held=True)
    np.testing.assert_allclose(y[:40], 7.0, rtol=1e-12)
    assert not y[42:].any(), "scans after the film are 0"


def test_box_of_held_values_is_their_mean_over_time() -> None:
    y = to_tr([1.0, 5.0], [0.0, 1.5], TR=2.0, n_scans=2, method="box", offsets=[1.5, 4.0], held=True)
    np.testing.assert_allclose(y, [2.0, 5.0])


@pytest.mark.parametrize("method", ["lanczos", "sinc"])
def test_slow_changes_pass_and_fast_ones_do_not(method: str) -> None:
    frames, middle = np.arange(0, 200, 1 / 25), 2.0 * np.arange(100) + 1
    wave = np.column_stack([np.sin(2 * np.pi * f * (frames + 0.02)) for f in (0.05, 1.0, 0.49)])
    y = to_tr(wave, frames, TR=2.0, n_scans=100, method=method, held=True)[10:-10]
    np.testing.assert_allclose(y[:, 0], np.sin(2 * np.pi * 0.05 * middle)[10:-10], atol=0.03)
    assert np.abs(y[:, 1]).max() < 0.02, "1 Hz would alias to a constant"
    assert np.abs(y[:, 2]).max() < 0.1, "0.49 Hz would alias to 0.01 Hz"


def test_a_single_held_value_needs_its_end() -> None:
    with pytest.raises(DataError, match="single one"):
        to_tr([1.0], [0.0], TR=2.0, n_scans=2, held=True)


# --- runs ----------------------------------------------------------------------------------------------------------


def test_each_run_has_its_own_clock() -> None:
    y = to_tr(np.ones(4), [0.5, 9.5, 0.5, 9.5], TR=1.0, n_scans=10, method="lanczos", groups=["x", "x", "y", "y"])
    alone = to_tr(np.ones(2), [0.5, 9.5], TR=1.0, n_scans=10, method="lanczos")
    np.testing.assert_array_equal(y, np.tile(alone, 2))


@pytest.mark.parametrize("method", METHODS)
def test_a_word_at_the_end_of_a_run_does_not_reach_the_next(method: str) -> None:
    y = to_tr([1.0, 0.0], [9.99, 5.0], TR=1.0, n_scans=10, method=method, groups=[0, 1])
    assert y[9] > 0
    assert not y[10:].any()


def test_responses_become_responses_of_scans() -> None:
    out = to_tr(three_runs(), TR=2.0, n_scans=4, method="box")
    assert out.samples["run"].tolist() == ["b"] * 4 + ["a"] * 4 + ["c"] * 4
    assert out.samples["onset"].tolist() == [0.0, 2.0, 4.0, 6.0] * 3
    assert out.samples["task"].unique().tolist() == ["story"]
    assert "word" not in out.samples, "it differs within a run"
    assert out.units["name"].tolist() == list("pqrs")
    np.testing.assert_array_equal(out.data[[0, 1, 4, 6]], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    step = out.meta["steps"][-1]
    assert step["step"] == "features.to_tr"
    assert step["TR"] == 2.0
    assert out.meta["held"] is True, "scans are a series"


def test_a_mapping_sets_order_and_length_of_the_runs() -> None:
    out = to_tr(three_runs(), TR=2.0, n_scans={"a": 3, "silent": 2, "b": 4, "c": 1}, method="box")
    assert out.samples["run"].tolist() == ["a"] * 3 + ["silent"] * 2 + ["b"] * 4 + ["c"]
    assert not out.data[3:5].any()


def test_run_1_of_two_subjects_is_two_runs() -> None:
    out = to_tr(three_runs(subject=["1"] * 3 + ["2"] * 3, run="1"), TR=2.0, n_scans=[3, 4], method="box")
    assert out.samples["subject"].tolist() == ["1"] * 3 + ["2"] * 4
    np.testing.assert_array_equal(out.data[3:].sum(axis=1), [0, 0, 1, 0])


def test_offset_and_duration_of_the_samples_are_used() -> None:
    by_duration = to_tr(three_runs(duration=1.0), TR=2.0, n_scans=4, method="box").data
    by_offset = to_tr(three_runs(offset=np.array([0.5, 3.0, 0.1, 5.9, 2.0, 3.5]) + 1), TR=2.0, n_scans=4, method="box").data
    np.testing.assert_allclose(by_duration, by_offset, atol=1e-6)
    assert 0 < by_duration[1, 1] <= 1
    assert not np.array_equal(by_duration, to_tr(three_runs(), TR=2.0, n_scans=4, method="box").data)


def test_held_is_a_property_that_features_carry() -> None:
    frames = np.arange(0, 10, 0.1)
    film = Responses(np.full((100, 1), 3.0), {"onset": frames}, {"name": ["luminance"]}, meta={"held": True})
    np.testing.assert_allclose(to_tr(film, TR=2.0, n_scans=5).data, 3.0, rtol=1e-6)
    assert to_tr(film, TR=2.0, n_scans=5, held=False, method="box").data[0, 0] == pytest.approx(60.0)


def test_scans_by_their_times() -> None:
    onsets = [0.5, 11.0, 13.0]
    y = to_tr(np.ones(3), onsets, tr_times=[0.0, 2.0, 10.0, 12.0], TR=2.0, method="box")
    np.testing.assert_array_equal(y, [1, 0, 1, 1])
    each = to_tr(np.ones(3), onsets, tr_times=[[0.0, 2.0], [10.0, 12.0]], groups=[0, 1, 1], method="mean")
    np.testing.assert_array_equal(each, [1, 0, 1, 1])
    named = to_tr(np.ones(3), onsets, tr_times={1: [10.0, 12.0], 0: [0.0, 2.0]}, groups=[0, 1, 1], method="mean")
    np.testing.assert_array_equal(named, [1, 1, 1, 0])


def test_inputs_are_left_alone() -> None:
    source = three_runs()
    data, table = np.array(source.data), source.samples.copy()
    to_tr(source, TR=2.0, n_scans=4)
    np.testing.assert_array_equal(source.data, data)
    pd.testing.assert_frame_equal(source.samples, table)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_scans": None}, "either n_scans or tr_times, got \\[\\]"),
        ({"tr_times": [0.0, 2.0]}, "either n_scans or tr_times, got \\['n_scans', 'tr_times'\\]"),
        ({"TR": None}, "TR is missing"),
        ({"TR": -2.0}, "TR must be a finite number above 0, got -2.0"),
        ({"n_scans": 2.5}, "whole number of scans, got 2.5"),
        ({"n_scans": [3, 3]}, "given for 2 runs, the events are of 1"),
        ({"n_scans": {"x": 3}}, "no scans are given for run"),
        ({"n_scans": None, "tr_times": [0.0, 1.0]}, "one TR of 2 s apart, got a step of 1 s"),
        ({"method": "linear"}, "method='linear' is unknown"),
        ({"times": None}, "times are missing"),
        ({"times": [0.0, 1.0]}, "shape \\(3,\\), got shape \\(2,\\)"),
        ({"times": [0.0, np.nan, 1.0]}, "1 of 3 are not"),
        ({"offsets": [0.5, 0.5, 3.0]}, "event 1 ends before it begins: onset 1 s, offset 0.5 s"),
        ({"groups": [0, 1]}, "groups has 2 rows, expected 3"),
        ({"values": np.ones((3, 1, 1))}, "got float64 of shape \\(3, 1, 1\\)"),
        ({"values": ["a", "b", "c"]}, "must be real numbers"),
        ({"cutoff": 0.0}, "cutoff must be"),
        ({"window": np.nan}, "window must be"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, object], message: str) -> None:
    given_ = {"values": np.ones((3, 1)), "times": [0.0, 1.0, 2.0], "TR": 2.0, "n_scans": 3, **changes}
    with pytest.raises(DataError, match=message):
        to_tr(given_.pop("values"), given_.pop("times"), **given_)


def test_responses_that_do_not_fit() -> None:
    with pytest.raises(DataError, match="no column 'onset'"):
        to_tr(Responses(np.ones((2, 1)), {"word": ["a", "b"]}, {"name": ["x"]}), TR=2.0, n_scans=2)
    with pytest.raises(DataError, match="these Responses have the shape"):
        to_tr(Responses(np.ones((2, 1, 3)), {"onset": [0, 1]}, {"name": ["x"]}, np.arange(3)), TR=2.0, n_scans=2)


# --- sensors -------------------------------------------------------------------------------------------------------


def test_words_become_impulses_at_their_sample(eeg: Recording) -> None:
    heard = Responses([[2.0], [3.0]], {"onset": [0.5, 7.123], "offset": [1.0, 7.5]}, {"name": ["length"]})
    out = to_sfreq(heard, like=eeg)
    assert out.data.shape == (1000, 1)
    assert np.flatnonzero(out.data[:, 0]).tolist() == [50, 712]
    assert out.data[[50, 712], 0].tolist() == [2.0, 3.0]
    np.testing.assert_allclose(out.samples["onset"], eeg.times, atol=1e-12)


def test_a_series_comes_down_without_aliasing() -> None:
    t = np.arange(0, 20, 1 / 1000)
    wave = np.column_stack([np.sin(2 * np.pi * 5 * t), np.sin(2 * np.pi * 101 * t)])
    out = to_sfreq(wave, t, sfreq=100.0, n_times=2000, held=True, offsets=t)
    assert not out.any(), "values of no duration cover nothing"
    out = to_sfreq(wave, t - 0.0005, sfreq=100.0, n_times=2000, held=True)
    np.testing.assert_allclose(out[20:-20, 0], np.sin(2 * np.pi * 5 * np.arange(2000) / 100)[20:-20], atol=0.01)
    assert np.abs(out[20:-20, 1]).max() < 0.02, "101 Hz would alias to 1 Hz"


def test_a_series_goes_up_by_interpolation() -> None:
    t = np.arange(0, 20, 1 / 25)
    out = to_sfreq(np.sin(2 * np.pi * t), t - 0.02, sfreq=100.0, n_times=2000, held=True)
    np.testing.assert_allclose(out[40:-40], np.sin(2 * np.pi * np.arange(2000) / 100)[40:-40], atol=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"sfreq": None}, "give like=recording"), ({"n_times": None}, "n_times=None"), ({"sfreq": 0.0}, "sfreq must be")],
)
def test_a_clock_must_be_said(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        to_sfreq(np.ones(2), [0.0, 1.0], **{"sfreq": 100.0, "n_times": 50, **changes})


def test_a_recording_is_one_run(eeg: Recording) -> None:
    with pytest.raises(DataError, match="have 3: select one"):
        to_sfreq(three_runs(), like=eeg)
