"""A recording checks its members, and cuts them together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodecode.data import Intervals, LazySignal, Recording
from neurodecode.errors import DataError


def channels(n: int, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"name": [f"c{i}" for i in range(n)], **columns})


def lazy(data: np.ndarray, log: list[tuple[int, int]]) -> LazySignal:
    """A signal that writes down which samples were read."""

    def read(start: int, stop: int) -> np.ndarray:
        log.append((start, stop))
        return data[:, start:stop]

    return LazySignal(read, data.shape)


class TestConstructor:
    def test_fills_in_what_may_be_left_out(self) -> None:
        recording = Recording([[1, 2, 3]], 10, {"name": ["Cz"]})
        assert recording.data.dtype == np.float32
        assert recording.channels.iloc[0].to_dict() == {"name": "Cz", "kind": "misc", "unit": "n/a", "bad": False}
        assert recording.events.columns.tolist() == ["onset", "duration"]
        assert recording.valid == Intervals([0], [0.3])
        assert recording.meta == {}

    def test_gaps_in_the_channel_table_get_the_defaults(self) -> None:
        table = channels(2, kind=["eeg", None], unit=["V", None], bad=[True, None])
        recording = Recording(np.zeros((2, 5)), 10, table)
        assert recording.channels["kind"].tolist() == ["eeg", "misc"]
        assert recording.channels["unit"].tolist() == ["V", "n/a"]
        assert recording.channels["bad"].tolist() == [True, False]
        assert recording.channels["bad"].dtype == bool

    def test_events_are_sorted_and_their_other_columns_kept(self) -> None:
        events = pd.DataFrame({"onset": [2, 1], "trial_type": ["late", "early"], "stimulus": ["b", None]}, index=[7, 9])
        recording = Recording(np.zeros((1, 5)), 1, channels(1), events)
        assert recording.events["trial_type"].tolist() == ["early", "late"]
        assert recording.events.index.tolist() == [0, 1]
        assert recording.events["duration"].tolist() == [0.0, 0.0]

    def test_inputs_stay_untouched_and_apart(self) -> None:
        table, meta = channels(1), {"subject": "01"}
        before = table.copy()
        recording = Recording(np.zeros((1, 5)), 1, table, meta=meta)
        meta["subject"] = "02"
        table.loc[0, "name"] = "other"
        assert recording.meta["subject"] == "01"
        assert recording.names == ["c0"]
        assert before.columns.tolist() == ["name"]

    def test_float32_is_not_copied_and_memory_maps_stay_maps(self, tmp_path) -> None:
        np.save(tmp_path / "x.npy", np.zeros((2, 5), np.float32))
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        assert isinstance(Recording(mapped, 1, channels(2)).data, np.memmap)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"data": np.zeros(5)}, r"2 dimensions, got shape \(5,\)"),
            ({"data": np.zeros((2, 5), complex)}, "real numbers, got dtype complex128"),
            ({"data": [["a", "b"]]}, "real numbers, got dtype <U1"),
            ({"data": [[1, 2], [3]]}, "array of numbers, got list"),
            ({"sfreq": 0}, "sfreq must be a finite number above 0, got 0"),
            ({"sfreq": np.nan}, "sfreq must be .* got nan"),
            ({"sfreq": "fast"}, "sfreq must be .* got 'fast'"),
            ({"sfreq": None}, "sfreq must be .* got None"),
            ({"t0": np.inf}, "t0 must be a finite time in s, got inf"),
            ({"t0": None}, "t0 must be a finite time in s, got None"),
            ({"channels": channels(3)}, "channels has 3 rows, expected 2, one per row of data"),
            ({"channels": {"label": ["a", "b"]}}, "channels has no column 'name'"),
            ({"channels": {"nmae": ["a", "b"]}}, "did you mean 'nmae'"),
            ({"channels": {"name": ["a", "a"]}}, "channel names must be unique, 'a' occurs 2 times"),
            ({"channels": {"name": [1, "1"]}}, "channel names must be unique, '1' occurs 2 times"),
            ({"channels": {"name": ["a", None]}}, "channel names must not be missing, row 1 of 2"),
            ({"channels": {"name": ["a", "n/a"]}}, "channel names must not be missing, row 1 of 2"),
            ({"channels": channels(2, unit=["V", "uV"])}, "unit of a channel='uV' is unknown"),
            ({"channels": channels(2, bad=["False", "True"])}, "bad must be True or False .* got 'False' in row 0"),
            ({"channels": "Cz"}, "channels must be a pandas DataFrame .* got str"),
            ({"channels": {"name": ["a", "b"], "x": [1.0]}}, "channels must be columns of one length"),
            ({"events": {"time": [1.0]}}, "events has no column 'onset'"),
            ({"events": {"onset": [1.0, np.nan]}}, "event 1 has no finite onset"),
            ({"events": {"onset": ["soon"]}}, "column 'onset' of events must hold seconds"),
            ({"events": pd.DataFrame([[1, 2]], columns=["onset", "onset"])}, "columns of events must be unique, 'onset'"),
            ({"valid": [(0, 1)]}, "valid must be Intervals.* got list"),
            ({"meta": "sub-01"}, "meta must be a mapping .* got str: 'sub-01'"),
        ],
    )
    def test_says_what_is_wrong(self, change: dict, message: str) -> None:
        members = {"data": np.zeros((2, 5)), "sfreq": 1.0, "channels": channels(2), **change}
        with pytest.raises(DataError, match=message):
            Recording(**members)

    def test_a_message_stays_readable_with_thousands_of_channels(self) -> None:
        recording = Recording(np.zeros((3000, 1)), 1, channels(3000))
        with pytest.raises(DataError, match="and 2980 more") as caught:
            recording.pick("zzzzzzzz")
        assert len(str(caught.value)) < 400


class TestCrop:
    def test_keeps_the_half_open_window_and_what_lies_inside(self, eeg: Recording) -> None:
        part = eeg.crop(2.0, 5.0)
        assert part.t0 == 2.0
        assert part.n_times == 300
        assert part.events["onset"].tolist() == [2.0, 3.0, 4.0]
        assert part.valid == Intervals([2.0], [5.0])
        np.testing.assert_array_equal(part.data, eeg.data[:, 200:500])
        assert np.shares_memory(part.data, eeg.data)

    def test_without_borders_nothing_changes(self, eeg: Recording) -> None:
        whole = eeg.crop()
        np.testing.assert_array_equal(whole.data, eeg.data)
        assert len(whole.events) == len(eeg.events)
        assert eeg.crop(-np.inf, np.inf).n_times == eeg.n_times

    def test_an_event_on_the_border_is_not_lost_to_rounding(self) -> None:
        recording = Recording(np.zeros((1, 20)), 10, channels(1), {"onset": [0.3]}, t0=0.1)
        assert 0.1 + 2 / 10 > 0.3  # the time of that sample is a rounding error later than the event
        assert len(recording.crop(0.3, 1.0).events) == 1

    @settings(max_examples=40)
    @given(
        st.sampled_from([1.0, 10.0, 250.0, 1000 / 3, 1024.0, 48000.0]),
        st.floats(-1e4, 1e4),
        st.integers(0, 50),
        st.integers(1, 50),
    )
    def test_neighbouring_windows_share_no_sample_and_miss_none(self, sfreq: float, t0: float, first: int, second: int) -> None:
        recording = Recording(np.arange(101)[None], sfreq, channels(1), {"onset": t0 + np.arange(101) / sfreq}, t0=t0)
        border, end = t0 + (first + 1) / sfreq, t0 + (first + 1 + min(second, 99 - first)) / sfreq
        left, right = recording.crop(None, border), recording.crop(border, end)
        joined = np.concatenate([left.data, right.data], axis=1)
        np.testing.assert_array_equal(joined, recording.crop(None, end).data)
        assert left.n_times == first + 1
        assert len(left.events) + len(right.events) == joined.shape[1]

    @pytest.mark.parametrize("window", [(20, 30), (5, 5), (6, 5), (-3, -1)])
    def test_an_empty_window_is_refused(self, eeg: Recording, window: tuple[float, float]) -> None:
        with pytest.raises(DataError, match=r"no sample lies in .* spans \[0, 10\) s"):
            eeg.crop(*window)

    @pytest.mark.parametrize("edge", [np.nan, "early"])
    def test_a_border_must_be_a_time(self, eeg: Recording, edge: object) -> None:
        with pytest.raises(DataError, match="must be times in s"):
            eeg.crop(edge)  # type: ignore[arg-type]

    def test_of_a_lazy_signal_only_the_window_is_read(self) -> None:
        log: list[tuple[int, int]] = []
        data = np.arange(200, dtype=np.float32).reshape(2, 100)
        part = Recording(lazy(data, log), 10, channels(2)).pick("c1").crop(2, 3)
        assert log == [(20, 30)]
        np.testing.assert_array_equal(part.data, data[1:, 20:30])


class TestPick:
    @pytest.mark.parametrize(
        ("wanted", "names"),
        [
            ("Oz", ["Oz"]),
            (["Oz", "Fz"], ["Oz", "Fz"]),
            ([3, 0], ["Oz", "Fz"]),
            ([-1], ["Oz"]),
            (np.array([True, False, True, False]), ["Fz", "Pz"]),
            (pd.Series(["Cz"]), ["Cz"]),
        ],
    )
    def test_by_name_number_or_mask(self, eeg: Recording, wanted: object, names: list[str]) -> None:
        part = eeg.pick(wanted)  # type: ignore[arg-type]
        assert part.names == names
        np.testing.assert_array_equal(part.data, eeg.data[[eeg.names.index(n) for n in names]])
        assert part.channels.index.tolist() == list(range(len(names)))

    def test_by_conditions(self) -> None:
        table = channels(4, kind=["eeg", "eog", "eeg", "eeg"], bad=[False, False, True, False], region=["A", None, "B", None])
        recording = Recording(np.zeros((4, 2)), 1, table)
        assert recording.pick(kind="eeg", bad=False).names == ["c0", "c3"]
        assert recording.pick(region=["A", "B"]).names == ["c0", "c2"]
        assert recording.pick(region=None).names == ["c1", "c3"]
        assert recording.pick(["c3", "c2"], bad=False).names == ["c3"]

    @pytest.mark.parametrize(
        ("wanted", "conditions", "message"),
        [
            ("Cy", {}, "there is no channel 'Cy': choose from"),
            ([9], {}, "channels must be row numbers below 4"),
            ([True, False], {}, "channels must be row numbers below 4"),
            ([0.5], {}, "channels must be row numbers below 4"),
            ([], {}, "no channel is left"),
            (None, {"kind": "meg"}, "no channel is left for {'kind': 'meg'}; kinds here: 4 eeg"),
            (None, {"knd": "eeg"}, "channels has no column 'knd': did you mean 'kind'"),
            ([0, 0], {}, "channel names must be unique"),
        ],
    )
    def test_says_what_is_wrong(self, eeg: Recording, wanted: object, conditions: dict, message: str) -> None:
        with pytest.raises(DataError, match=message):
            eeg.pick(wanted, **conditions)  # type: ignore[arg-type]


class TestCopies:
    def test_a_step_is_appended_with_its_parameters(self, eeg: Recording) -> None:
        once = eeg.with_step("meeg.filter", {"l_freq": 0.1}, data=eeg.data * 2)
        twice = once.with_step("meeg.notch", {"freqs": [50]})
        assert twice.meta["steps"] == [{"step": "meeg.filter", "l_freq": 0.1}, {"step": "meeg.notch", "freqs": [50]}]
        assert "steps" not in eeg.meta
        assert len(once.meta["steps"]) == 1
        np.testing.assert_array_equal(twice.data, eeg.data * 2)

    def test_a_replaced_member_is_checked(self, eeg: Recording) -> None:
        assert eeg.replace(t0=3.0).times[0] == 3.0
        with pytest.raises(DataError, match="channels has 4 rows, expected 3"):
            eeg.replace(data=eeg.data[:3])

    def test_load_reads_a_lazy_signal_once_and_for_all(self) -> None:
        log: list[tuple[int, int]] = []
        loaded = Recording(lazy(np.ones((2, 10), np.float32), log), 1, channels(2)).load()
        loaded.data[0, 0] = 5
        assert log == [(0, 10)]
        assert isinstance(loaded.data, np.ndarray)

    def test_members_are_frozen(self, eeg: Recording) -> None:
        with pytest.raises(AttributeError):
            eeg.sfreq = 1.0  # type: ignore[misc]


def test_repr_shows_shapes_units_duration_and_memory(eeg: Recording) -> None:
    text = repr(eeg.with_step("meeg.filter", {}))
    for part in ("sub-01_task-faces_run-1", "4 channels (4 eeg)", "4 V", "1000 samples at 100 Hz = 10 s", "8 events", "16 kB"):
        assert part in text
    assert "4 face, 4 house" in text
    assert "in memory; 1 steps applied" in text
    assert "not in memory" in repr(Recording(lazy(np.zeros((1, 5), np.float32), []), 1, channels(1)))
    assert "1 bad" in repr(Recording(np.zeros((2, 5)), 1, channels(2, bad=[True, False])))


def test_times_follow_the_clock() -> None:
    recording = Recording(np.zeros((1, 3)), 2.0, channels(1), t0=10.0)
    assert recording.times.tolist() == [10.0, 10.5, 11.0]
    assert recording.duration == 1.5


class TestLazySignal:
    DATA = np.arange(60, dtype=np.float32).reshape(3, 20)

    @pytest.mark.parametrize(
        "index",
        [
            np.s_[0],
            np.s_[1:],
            np.s_[:, 5],
            np.s_[:, -1],
            np.s_[2, 3],
            np.s_[:, 4:9],
            np.s_[[2, 0], 4:9],
            np.s_[:, ::3],
            np.s_[:, 9:4:-1],
            np.s_[:, [7, 3, 3]],
            np.s_[:, 5:5],
            np.s_[:, np.arange(20) % 2 == 0],
            np.s_[..., 2:4],
            np.s_[np.array([True, False, True]), 1:],
        ],
    )
    def test_indexes_like_the_array_it_stands_for(self, index: object) -> None:
        np.testing.assert_array_equal(lazy(self.DATA, [])[index], self.DATA[index])

    def test_reads_no_more_than_the_stretch(self) -> None:
        log: list[tuple[int, int]] = []
        _ = lazy(self.DATA, log)[:, [12, 4, 9]]
        assert log == [(4, 13)]

    def test_rows_are_taken_from_rows(self) -> None:
        part = lazy(self.DATA, []).take_rows(np.array([2, 0])).take_rows([1])
        assert part.shape == (1, 20)
        np.testing.assert_array_equal(np.asarray(part), self.DATA[:1])

    def test_converts_and_describes_itself(self) -> None:
        signal = lazy(self.DATA, [])
        assert np.asarray(signal, dtype=np.float64).dtype == np.float64
        assert (len(signal), signal.nbytes, signal.ndim) == (3, 240, 2)
        assert repr(signal) == "LazySignal(3 x 20, not read yet)"

    def test_outside_is_an_index_error(self) -> None:
        with pytest.raises(IndexError):
            lazy(self.DATA, [])[:, 20]
