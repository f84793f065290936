"""Responses check their members, and cut, average and group them together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodecode.data import Responses, concatenate
from neurodecode.data.responses import group_columns
from neurodecode.data.windowed import WindowedArray
from neurodecode.errors import DataError


def make(n_samples: int = 6, n_units: int = 3, n_times: int | None = 4, **columns: object) -> Responses:
    """Data whose every value says where it was."""
    shape = (n_samples, n_units) if n_times is None else (n_samples, n_units, n_times)
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    samples = pd.DataFrame({"row": np.arange(n_samples), **columns})
    units = pd.DataFrame({"name": [f"u{i}" for i in range(n_units)], "column": np.arange(n_units)})
    return Responses(data, samples, units, None if n_times is None else 0.1 * np.arange(n_times))


def assert_cut_together(part: Responses, whole: Responses) -> None:
    """Each remaining number is the one that its row, its column and its time say."""
    times = slice(None) if whole.times is None else np.searchsorted(whole.times, part.times)
    rows, columns = part.samples["row"].to_numpy(), part.units["column"].to_numpy()
    np.testing.assert_array_equal(part.data, whole.data[rows][:, columns][..., times])
    assert part.samples.index.tolist() == list(range(part.n_samples))
    assert part.units.index.tolist() == list(range(part.n_units))
    part.replace()  # the constructor's checks hold for a cut, too


class TestConstructor:
    def test_makes_up_unit_names(self) -> None:
        responses = Responses([[1, 2]], {"stimulus": ["a"]}, {"region": ["V1", "V2"]})
        assert responses.units["name"].tolist() == ["unit0", "unit1"]
        assert responses.data.dtype == np.float32
        assert len(responses) == 1

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"data": np.zeros(4)}, r"2 or 3 dimensions, got shape \(4,\)"),
            ({"samples": {"row": [0]}}, "samples has 1 rows, expected 2, one per row of data"),
            ({"units": {"name": ["a"]}}, "units has 1 rows, expected 3, one per column of data"),
            ({"units": {"name": ["a", "b", "a"]}}, "unit names must be unique, 'a' occurs 2 times"),
            ({"units": {"name": ["a", "b", None]}}, "unit names must not be missing, row 2 of 3"),
            ({"times": None}, r"data of shape \(2, 3, 4\) has a time axis: give times, 4 values in s"),
            ({"times": [0, 1, 2]}, r"times must be 4 increasing, finite values in s, got shape \(3,\)"),
            ({"times": [0, 1, 1, 2]}, "times must be 4 increasing"),
            ({"times": [0, 1, 2, np.inf]}, "times must be 4 increasing, finite"),
            ({"data": np.zeros((2, 3))}, r"times were given for data of shape \(2, 3\), which has no time axis"),
            ({"samples": pd.DataFrame(np.zeros((2, 2)), columns=["a", "a"])}, "columns of samples must be unique, 'a'"),
            ({"meta": [1]}, r"meta must be a mapping .* got list: \[1\]"),
        ],
    )
    def test_says_what_is_wrong(self, change: dict, message: str) -> None:
        members = {
            "data": np.zeros((2, 3, 4)),
            "samples": {"row": [0, 1]},
            "units": {"name": ["a", "b", "c"]},
            "times": [0, 1, 2, 3],
        }
        with pytest.raises(DataError, match=message):
            Responses(**{**members, **change})

    def test_one_time_must_be_finite(self) -> None:
        with pytest.raises(DataError, match="finite"):
            Responses(np.zeros((1, 1, 1)), {"row": [0]}, {"name": ["a"]}, times=[np.nan])


class TestSelect:
    @pytest.mark.parametrize(
        "rows",
        [0, 5, -1, np.int64(2), slice(1, 4), slice(None, None, -1), [4, 0], (0, 4), np.array([0, -1]), [True, False] * 3],
    )
    @pytest.mark.parametrize("n_times", [None, 4])
    def test_rows(self, rows: object, n_times: int | None) -> None:
        whole = make(n_times=n_times)
        part = whole.select(rows)
        assert_cut_together(part, whole)
        index = list(rows) if isinstance(rows, tuple) else rows
        assert part.samples["row"].tolist() == np.atleast_1d(np.arange(6)[index]).tolist()  # type: ignore[call-overload]

    def test_a_series_of_a_table_is_a_mask(self) -> None:
        whole = make()
        part = whole.select(whole.samples["row"] > 3)
        assert part.samples["row"].tolist() == [4, 5]
        assert_cut_together(part, whole)

    def test_conditions_units_and_window_at_once(self) -> None:
        whole = make(trial_type=["face", "house"] * 3, run=[1, 1, 2, 2, 3, 3])
        part = whole.select(slice(1, 6), units=[2, 0], tmin=0.1, tmax=0.3, trial_type="house", run=[2, 3])
        assert part.samples["row"].tolist() == [3, 5]
        assert part.units["name"].tolist() == ["u2", "u0"]
        np.testing.assert_allclose(part.times, [0.1, 0.2])
        assert_cut_together(part, whole)

    @given(st.data())
    @settings(max_examples=50)
    def test_any_cut_keeps_members_together(self, data: st.DataObject) -> None:
        whole = make(7, 5, 6, kind=list("aabbcca"))
        rows = data.draw(st.none() | st.lists(st.integers(-7, 6), min_size=1, max_size=9))
        units = data.draw(st.none() | st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True))
        first = data.draw(st.integers(0, 5))
        last = data.draw(st.integers(first, 5))
        part = whole.select(rows, units=units, tmin=0.1 * first, tmax=0.1 * last + 0.05)
        assert part.data.shape[2] == last - first + 1
        assert_cut_together(part, whole)

    def test_gives_views_where_numpy_would(self) -> None:
        whole = make()
        assert np.shares_memory(whole.select(3).data, whole.data)
        assert np.shares_memory(whole.select(slice(1, 3), units=slice(0, 2), tmin=0.1).data, whole.data)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"samples": 6}, "samples must be row numbers below 6"),
            ({"samples": -7}, "samples must be row numbers below 6"),
            ({"samples": [True, False]}, "samples must be row numbers below 6, a slice or a mask"),
            ({"samples": [0.5]}, "samples must be row numbers"),
            ({"samples": [[0, 1]]}, r"samples must be one list of row numbers, got shape \(1, 2\)"),
            ({"units": [3]}, "units must be row numbers below 3"),
            ({"units": [1, 1]}, "units must not be taken twice, got 2 of 1 different units"),
            ({"tmin": 5.0}, r"no response time lies in \[5.0, None\) s; they span 0 to 0.3 s"),
            ({"row": 17}, "no sample is left for {'row': 17} among 6"),
            ({"rwo": 1}, "samples has no column 'rwo': did you mean 'row'"),
        ],
    )
    def test_says_what_is_wrong(self, options: dict, message: str) -> None:
        with pytest.raises(DataError, match=message):
            make().select(**options)

    def test_a_window_needs_a_time_axis(self) -> None:
        with pytest.raises(DataError, match=r"no time axis \(shape \(6, 3\)\)"):
            make(n_times=None).select(tmin=0.0)


class TestAverage:
    def test_is_the_mean_of_each_value_in_order_of_appearance(self) -> None:
        whole = make(stimulus=list("babacb"), category=["x", "y", "x", "y", "z", "x"])
        mean = whole.average("stimulus")
        assert mean.samples["stimulus"].tolist() == ["b", "a", "c"]
        assert mean.samples["category"].tolist() == ["x", "y", "z"]
        assert mean.samples["n_averaged"].tolist() == [3, 2, 1]
        assert "row" not in mean.samples  # varies within a stimulus
        np.testing.assert_allclose(mean.data[0], whole.data[[0, 2, 5]].mean(axis=0))
        np.testing.assert_allclose(mean.data[2], whole.data[4])
        assert mean.meta["steps"] == [{"step": "average", "by": ["stimulus"]}]

    def test_by_several_columns(self) -> None:
        mean = make(run=[1, 1, 1, 2, 2, 2], stimulus=list("aabbba")).average(["run", "stimulus"])
        assert mean.samples[["run", "stimulus"]].to_numpy().tolist() == [[1, "a"], [1, "b"], [2, "b"], [2, "a"]]

    def test_missing_labels_are_a_value_and_missing_data_spread(self) -> None:
        whole = make(4, 1, None, stimulus=["a", None, "a", None])
        whole.data[0, 0] = np.nan
        mean = whole.average()
        assert np.isnan(mean.data[0, 0])
        assert mean.data[1, 0] == 2.0
        assert mean.samples["stimulus"].isna().tolist() == [False, True]

    def test_sums_in_double_precision(self) -> None:
        data = np.concatenate([np.full((1, 1), 2**24, np.float32), np.ones((2**12, 1), np.float32)])
        mean = Responses(data, {"stimulus": ["a"] * len(data)}, {"name": ["u"]}).average()
        assert mean.data[0, 0] == np.float32((2**24 + 2**12) / len(data))

    def test_keeps_the_types_of_columns(self) -> None:
        mean = make(stimulus=list("aabbcc"), correct=[True] * 6, n=[1, 1, 2, 2, 3, 3]).average()
        assert mean.samples["correct"].dtype == bool
        assert mean.samples["n"].dtype.kind == "i"

    def test_nothing_cannot_be_averaged(self) -> None:
        with pytest.raises(DataError, match=r"no samples to average by \['row'\]"):
            make(0).average("row")


class TestGroups:
    def test_a_run_is_unique_within_its_subject_and_session(self) -> None:
        whole = make(subject=list("AAABBB"), session=list("112111"), run=[1, 2, 1, 1, 2, 1])
        assert whole.groups("run").tolist() == [0, 1, 2, 3, 4, 3]
        assert whole.groups("session").tolist() == [0, 0, 1, 2, 2, 2]
        assert whole.groups("subject").tolist() == [0, 0, 0, 1, 1, 1]
        assert whole.groups(["run"]).tolist() == [0, 1, 0, 0, 1, 0]

    def test_missing_upper_columns_are_left_out(self) -> None:
        whole = make(run=[2, 2, 1, 1, 2, 3])
        assert group_columns(whole.samples, "run") == ["run"]
        assert whole.groups().tolist() == [0, 0, 1, 1, 0, 2]

    @pytest.mark.parametrize(("by", "message"), [("runn", "has no column 'runn'"), ([], "at least one column to group by")])
    def test_says_what_is_wrong(self, by: object, message: str) -> None:
        with pytest.raises(DataError, match=message):
            make().groups(by)  # type: ignore[arg-type]


class TestConcatenate:
    def test_joins_samples_and_keeps_what_all_agree_on(self) -> None:
        a, b = (make().replace(meta={"subject": "01", "run": run}) for run in ("1", "2"))
        both = concatenate([a, b])
        assert both.n_samples == 12
        assert both.meta == {"subject": "01"}
        np.testing.assert_array_equal(both.data[6:], b.data)
        assert both.samples.index.tolist() == list(range(12))

    @pytest.mark.parametrize(("second", "expected"), [(4, [4]), (5, [4, 5])])
    def test_steps_are_kept_once_where_equal_and_of_all_parts_otherwise(self, second: int, expected: list[int]) -> None:
        a, b = (make().with_step("epochs", {"kept": kept}) for kept in (4, second))
        assert [step["kept"] for step in concatenate([a, b]).meta["steps"]] == expected

    def test_windows_stay_unread_where_that_is_asked_for(self) -> None:
        a, b = make(), make()
        both = concatenate([a, b], lazy=True)
        assert isinstance(both.data, WindowedArray)
        np.testing.assert_array_equal(np.asarray(both.data), concatenate([a, b]).data)
        assert isinstance(concatenate([make(n_times=None)] * 2, lazy=True).data, np.ndarray)

    def test_columns_that_one_part_lacks_are_missing_there(self) -> None:
        both = concatenate([make(2, stimulus=["a", "b"]), make(2)])
        assert both.samples["stimulus"].isna().tolist() == [False, False, True, True]

    def test_says_what_does_not_fit(self) -> None:
        with pytest.raises(DataError, match="at least one"):
            concatenate([])
        with pytest.raises(DataError, match=r"part 1 has other units than part 0 \(2 against 3\)"):
            concatenate([make(), make(n_units=2)])
        with pytest.raises(DataError, match="part 2 has other response times"):
            concatenate([make(), make(), make(n_times=None)])
        with pytest.raises(DataError, match="part 1 has other response times"):
            concatenate([make(), make().replace(times=[1.0, 2.0, 3.0, 4.0])])


def test_matrix_has_units_varying_slowest() -> None:
    whole = make(2, 3, 4)
    assert whole.matrix().shape == (2, 12)
    np.testing.assert_array_equal(whole.matrix()[1, 4:8], whole.data[1, 1])


def test_repr_shows_shapes_times_and_memory() -> None:
    text = repr(make(trial_type=["face", "house"] * 3).replace(meta={"subject": "01"}))
    for part in ("sub-01", "6 samples (3 face, 3 house) x 3 units x 4 times (0 to 0.3 s)", "row, trial_type", "288 B"):
        assert part in text


def test_a_step_is_appended() -> None:
    whole = make()
    assert whole.with_step("scale", {"by": 2}, data=whole.data * 2).meta["steps"] == [{"step": "scale", "by": 2}]
    assert whole.meta == {}
