"""Traces of several samples on one clock and one list of names, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from neurodecode.analysis.connectome.traces import Traces, align_traces, from_arrays, from_recordings
from neurodecode.data import Recording
from neurodecode.errors import DataError


def as_they_are(data: Any, sfreq: float) -> Any:
    """No smoothing."""
    return data


def ramps(label: str, names: list[str], sfreq: float, start: float, n_times: int) -> Traces:
    """Trace k is (k + 1) times the time in s."""
    times = start + np.arange(n_times) / sfreq
    return Traces(label, names, np.outer(np.arange(1, len(names) + 1), times).astype(np.float32), sfreq, start)


def recording(onsets: tuple[float, ...] = (), **meta: Any) -> Recording:
    """Two channels of 40 s at 2 Hz that hold the time in s and minus it, from 100 s on."""
    times = 100 + np.arange(80) / 2.0
    events = pd.DataFrame({"onset": list(onsets), "duration": 1.0, "trial_type": ["odour", "salt"][: len(onsets)]})
    return Recording(np.stack([times, -times]), 2.0, pd.DataFrame({"name": ["AVA", "AVB"]}), events, t0=100.0, meta=meta)


class TestArrays:
    """Names, rates and starts, for all or for each."""

    def test_one_value_holds_for_all(self) -> None:
        a, b = from_arrays([np.ones((2, 9)), np.ones((3, 5))], None, 2.0, 1.0)
        assert (a.label, a.names, a.sfreq, a.start, a.stop) == ("sample0", ["neuron0", "neuron1"], 2.0, 1.0, 5.0)
        assert (b.label, b.names, b.stop) == ("sample1", ["neuron0", "neuron1", "neuron2"], 3.0)

    def test_each_sample_may_have_its_own(self) -> None:
        a, b = from_arrays([np.ones((1, 9)), np.ones((2, 5))], [["x"], ["y", "x"]], [2.0, 4.0], [0.0, 3.0], ["w1", "w2"])
        assert (a.label, a.names, a.sfreq, a.start) == ("w1", ["x"], 2.0, 0.0)
        assert (b.label, b.names, b.sfreq, b.start) == ("w2", ["y", "x"], 4.0, 3.0)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"traces": []}, "one array"),
            ({"labels": ["a"]}, r"one per sample \(2\)"),
            ({"start": [0.0, 1.0, 2.0]}, r"one per sample \(2\)"),
            ({"sfreq": [4.0, 0.0]}, "sfreq must be a finite number above 0"),
            ({"names": [["a"], ["b"], ["c"]]}, r"one per sample \(2\), got 3"),
        ],
    )
    def test_refusals(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            from_arrays(**{"traces": [np.ones((1, 9))] * 2, "names": None, "sfreq": 4.0, **options})


class TestGrid:
    """The times that all samples cover, at the lowest rate."""

    def test_values_lie_on_the_line_between_frames(self) -> None:
        """Of 0 to 9.75 s at 4 Hz and 2.1 to 12 s at 10 Hz the stretch 2.1 to 9.6 s is shared."""
        found = align_traces([ramps("a", ["x", "y"], 4.0, 0.0, 40), ramps("b", ["y", "z"], 10.0, 2.1, 100)], as_they_are)
        np.testing.assert_allclose(found.times, 2.1 + np.arange(31) / 4)
        assert found.names == ["x", "y", "z"]
        np.testing.assert_array_equal(found.observed, [[True, True, False], [False, True, True]])
        lines = found.times[:, None] * np.array([[1, 2, 0, 0, 1, 2]])
        np.testing.assert_allclose(found.data.reshape(31, 6), lines, rtol=1e-5)

    def test_a_frame_of_the_grid_is_a_frame(self) -> None:
        """0.3 s at 10 Hz is not quite 3 frames in binary; the value must be that of the third one all the same."""
        noise = np.random.default_rng(0).standard_normal((2, 50)).astype(np.float32)
        found = align_traces([Traces("a", ["x", "y"], noise, 10.0, 0.1)], as_they_are)
        np.testing.assert_array_equal(found.data[:, 0], noise.T)

    def test_a_rate_can_be_asked_for(self) -> None:
        found = align_traces([ramps("a", ["x", "y"], 4.0, 0.0, 41)], as_they_are, 1.0)
        np.testing.assert_array_equal(found.times, np.arange(11.0))
        with pytest.raises(DataError, match="sfreq"):
            align_traces([ramps("a", ["x", "y"], 4.0, 0.0, 41)], as_they_are, -1.0)

    def test_signals_are_prepared_at_their_own_rate_without_missing_ones(self) -> None:
        seen = []

        def prepare(data: Any, sfreq: float) -> Any:
            seen.append((data.shape, sfreq))
            return 2 * data

        sample = ramps("a", ["x", "y", "z"], 4.0, 1.0, 40)
        sample.data[1] = np.nan
        found = align_traces([sample, ramps("b", ["x", "y", "z"], 8.0, 1.0, 80)], prepare)
        assert seen == [((2, 40), 4.0), ((3, 80), 8.0)]
        np.testing.assert_allclose(found.data[:, 0], 2 * found.times[:, None] * np.array([1, 0, 3]), rtol=1e-5)

    def test_samples_apart_are_told(self) -> None:
        with pytest.raises(DataError, match=r"1 times in common at 4 Hz, two are needed: a 0 to 9.75 s, b 9.75 to 19.5 s"):
            align_traces([ramps("a", ["x", "y"], 4.0, 0.0, 40), ramps("b", ["x", "y"], 4.0, 9.75, 40)], as_they_are)


class TestRecordings:
    """What time 0 is."""

    def test_without_an_event_the_clock_of_the_recording_counts(self) -> None:
        (found,) = from_recordings([recording(subject="w1")], "animal")
        assert (found.label, found.names, found.sfreq, found.start, found.stop) == ("w1", ["AVA", "AVB"], 2.0, 100.0, 139.5)

    def test_the_first_event_is_time_0(self) -> None:
        (found,) = from_recordings([recording((120.0, 110.0), subject="w1")], "animal", "odour")
        assert (found.start, found.stop) == (-20.0, 19.5)
        (cut,) = from_recordings([recording((120.0, 110.0), subject="w1")], "animal", "salt", (-2.0, 3.0))
        assert (cut.start, cut.stop) == (-2.0, 3.0)
        np.testing.assert_array_equal(cut.data[0], np.arange(108.0, 113.5, 0.5))

    def test_trials_are_all_events_in_time(self) -> None:
        found = from_recordings([recording((120.0, 110.0), subject="w1", run="2")], "trial", None, (0.0, 1.0))
        assert [trial.label for trial in found] == ["w1 run-2 trial-0", "w1 run-2 trial-1"]
        np.testing.assert_array_equal([trial.data[0, 0] for trial in found], [110.0, 120.0])

    def test_samples_without_a_subject_are_numbered(self) -> None:
        assert [s.label for s in from_recordings([recording(), recording()], "animal")] == ["sample0", "sample1"]

    @pytest.mark.parametrize(
        ("mode", "align", "window", "message"),
        [
            ("trial", None, (1.0, 1.0), r"window=\(from, to\)"),
            ("trial", None, (0.0, 1.0), "no event"),
            ("animal", "odour", None, "no event 'odour'"),
            ("trail", None, None, "sample_mode='trail' is unknown"),
        ],
    )
    def test_refusals(self, mode: str, align: str | None, window: Any, message: str) -> None:
        with pytest.raises(DataError, match=message):
            from_recordings([recording()], mode, align, window)
