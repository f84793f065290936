"""No split leaks: neither ours, nor one that is handed in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodecode.data import Recording, Responses
from neurodecode.data.splits import (
    Split,
    by_group,
    by_run,
    by_stimulus,
    by_subject,
    check_split,
    check_windows,
    contiguous_blocks,
    refuse_duplicates,
)
from neurodecode.errors import DataError, SplitLeakError


def make(n: int, *, window: float | None = None, seed: int = 0, **columns: object) -> Responses:
    """Random responses; with `window`, epochs of that many seconds at 10 Hz, the last sample included."""
    rng = np.random.default_rng(seed)
    units = pd.DataFrame({"name": ["a", "b"]})
    times = None if window is None else np.arange(round(window * 10) + 1) / 10
    shape = (n, 2) if times is None else (n, 2, len(times))
    return Responses(rng.standard_normal(shape), pd.DataFrame({"row": np.arange(n), **columns}), units, times)


def assert_partition(splits: list[Split], n: int) -> None:
    """Test sides cover every sample once; no sample stands on both sides of a fold."""
    np.testing.assert_array_equal(np.sort(np.concatenate([s.test for s in splits])), np.arange(n))
    for split in splits:
        assert not np.intersect1d(split.train, split.test).size
        assert split.train.size
        assert split.test.size


class TestByGroup:
    def test_each_run_is_held_out_once_under_its_name(self) -> None:
        responses = make(6, subject=list("AAABBB"), run=[1, 2, 2, 1, 1, 2])
        splits = by_run(responses)
        assert [s.name for s in splits] == [
            "subject=A, run=1",
            "subject=A, run=2",
            "subject=B, run=1",
            "subject=B, run=2",
        ]
        assert splits[2].test.tolist() == [3, 4]
        assert_partition(splits, 6)

    @given(st.lists(st.integers(0, 7), min_size=2, max_size=40), st.data())
    @settings(max_examples=60)
    def test_groups_are_never_torn_apart(self, labels: list[int], data: st.DataObject) -> None:
        responses = make(len(labels), group=labels)
        n_groups = len(set(labels))
        n_splits = data.draw(st.none() | st.integers(2, max(2, n_groups)))
        if n_groups < 2:
            with pytest.raises(DataError, match="found 1: group by another column"):
                by_group(responses, "group", n_splits)
            return
        splits = by_group(responses, "group", n_splits)
        assert len(splits) == (n_splits or n_groups)
        assert_partition(splits, len(labels))
        for split in splits:
            assert not {labels[i] for i in split.train} & {labels[i] for i in split.test}
            assert split.train.size + split.test.size == len(labels)

    def test_subjects_and_stimuli(self) -> None:
        responses = make(12, subject=list("AABBCC") * 2, stimulus=[f"s{i % 6}" for i in range(12)])
        assert [s.name for s in by_subject(responses)] == ["subject=A", "subject=B", "subject=C"]
        assert len(by_stimulus(responses)) == 5
        assert len(by_stimulus(responses, None)) == 6
        for split in by_stimulus(responses):
            check_split(responses, split.train, split.test)

    @pytest.mark.parametrize(
        ("group", "n_splits", "message"),
        [
            ("run", None, r"1 folds over \['run'\] need at least as many groups and two, found 1"),
            ("row", 9, r"9 folds over \['row'\] .* found 4"),
            ("row", 1, "1 folds"),
            ("rnu", None, "samples has no column 'rnu': did you mean 'run'"),
        ],
    )
    def test_too_few_groups_name_the_alternatives(self, group: str, n_splits: int | None, message: str) -> None:
        with pytest.raises(DataError, match=message) as caught:
            by_group(make(4, run=1), group, n_splits)
        assert "did you mean" in str(caught.value) or "contiguous_blocks" in str(caught.value)

    def test_nothing_cannot_be_split(self) -> None:
        with pytest.raises(DataError, match="found 0"):
            by_group(make(0, run=[]), "run")


class TestContiguousBlocks:
    @given(
        st.lists(st.floats(0, 5), min_size=2, max_size=60),
        st.integers(2, 6),
        st.floats(0, 20),
    )
    @settings(max_examples=80)
    def test_blocks_partition_time_and_the_gap_holds(self, steps: list[float], n_splits: int, gap: float) -> None:
        times = np.cumsum(steps)
        try:
            splits = contiguous_blocks(times, n_splits, gap)
        except DataError as error:
            assert n_splits > len(times) or "leaves nothing to train on" in str(error)  # noqa: PT017
            return
        assert_partition(splits, len(times))
        sizes = [len(s.test) for s in splits]
        assert max(sizes) - min(sizes) <= 1
        for split in splits:
            assert np.all(np.diff(split.test) == 1)
            if gap > 0:
                distance = np.abs(times[split.train][:, None] - times[split.test]).min()
                assert distance >= gap * (1 - 1e-9)

    def test_without_a_gap_every_sample_is_used(self) -> None:
        for split in contiguous_blocks([0, 0, 1, 1, 2, 2], 3):
            assert len(split.train) + len(split.test) == 6

    def test_names_and_order(self) -> None:
        splits = contiguous_blocks(np.arange(10), 2, gap=1.5)
        assert [s.name for s in splits] == ["block=0", "block=1"]
        assert splits[0].test.tolist() == [0, 1, 2, 3, 4]
        assert splits[0].train.tolist() == [6, 7, 8, 9]  # 5 is 1 s away, 6 is 2 s away

    @pytest.mark.parametrize(
        ("times", "n_splits", "gap", "message"),
        [
            ([0, 1, 2], 4, 0, r"4 blocks need .* got shape \(3,\)"),
            ([0, 1, 2], 1, 0, "1 blocks need at least two"),
            ([0, 2, 1], 2, 0, "times must be finite and not decrease"),
            ([0, 1, np.nan], 2, 0, "times must be finite"),
            ([[0, 1]], 2, 0, r"got shape \(1, 2\)"),
            ([0, 1, 2, 3], 2, 9, "a gap of 9 s leaves nothing to train on beside block 0 of 2"),
            ([0, 1, 2, 3], 2, -1, "gap must be a time of at least 0 s, got -1"),
            ([0, 1, 2, 3], 2, np.nan, "gap must be a time"),
        ],
    )
    def test_says_what_is_wrong(self, times: list, n_splits: int, gap: float, message: str) -> None:
        with pytest.raises(DataError, match=message):
            contiguous_blocks(times, n_splits, gap)


class TestCheckSplit:
    def test_a_clean_split_passes(self) -> None:
        responses = make(6, stimulus=list("abcabc"), run=[1, 1, 1, 2, 2, 2])
        check_split(responses, [0, 3], [1, 2, 4, 5])
        check_split(responses, responses.samples["run"] == 1, responses.samples["run"] == 2, unit=None)

    def test_a_sample_on_both_sides(self) -> None:
        with pytest.raises(SplitLeakError, match="1 samples stand on both sides of the split, the first is row 2"):
            check_split(make(4), [0, 1, 2], [2, 3])
        with pytest.raises(SplitLeakError, match="row 3"):
            check_split(make(4), [0, -1], [3])

    def test_a_stimulus_on_both_sides_is_named(self) -> None:
        responses = make(4, stimulus=["cat", "dog", "cat", None])
        with pytest.raises(SplitLeakError, match="1 values of 'stimulus' stand on both sides of the split, e.g. 'cat'"):
            check_split(responses, [0, 1], [2, 3])
        check_split(responses, [0, 2], [1, 3])

    def test_a_missing_stimulus_is_no_stimulus(self) -> None:
        check_split(make(4, stimulus=["a", None, "b", None]), [0, 1], [2, 3])

    def test_another_column_may_be_the_unit(self) -> None:
        responses = make(4, story=[1, 1, 1, 2])
        with pytest.raises(SplitLeakError, match="hold out by 'story'"):
            check_split(responses, [0, 1], [2, 3], unit="story")
        check_split(responses, [0, 1], [2, 3])

    @pytest.mark.parametrize(
        ("train", "test", "message"),
        [
            ([], [1], "train holds none of the 4 samples"),
            ([0], [False] * 4, "test holds none of the 4 samples"),
            ([0], [4], "test must be row numbers below 4"),
            ([True], [1], r"train must be row numbers below 4, a slice or a mask of shape \(4,\)"),
        ],
    )
    def test_rows_must_exist(self, train: list, test: list, message: str) -> None:
        with pytest.raises(DataError, match=message):
            check_split(make(4), train, test)


class TestDuplicates:
    def test_a_run_that_stands_twice_is_named_twice(self) -> None:
        one = make(3, seed=1)
        both = one.replace(
            data=np.concatenate([one.data, one.data]),
            samples=pd.DataFrame({"subject": ["01"] * 3 + ["02"] * 3, "run": 1}),
        )
        with pytest.raises(SplitLeakError, match="subject=01, run=1 and subject=02, run=1 hold the same recording"):
            by_subject(both)
        with pytest.raises(SplitLeakError, match="remove one of them"):
            check_split(both, [0, 1, 2], [3, 4, 5])

    def test_nearly_the_same_is_not_the_same(self) -> None:
        one = make(3, seed=1)
        other = one.data.copy()
        other[2, 1] = np.nextafter(other[2, 1], np.float32(9))
        both = one.replace(data=np.concatenate([one.data, other]), samples=pd.DataFrame({"run": [1] * 3 + [2] * 3}))
        assert len(by_run(both)) == 2

    def test_recordings_are_named_by_their_files(self) -> None:
        def recording(file: str | None, seed: int) -> Recording:
            data = np.random.default_rng(seed).standard_normal((2, 9))
            return Recording(data, 1, {"name": ["a", "b"]}, meta={"sources": [{"file": file}]} if file else {})

        refuse_duplicates([recording("a.edf", 1), recording("b.edf", 2)])
        with pytest.raises(SplitLeakError, match="a.edf and c.edf hold the same recording, number for number"):
            refuse_duplicates([recording("a.edf", 1), recording("b.edf", 2), recording("c.edf", 1)])
        with pytest.raises(SplitLeakError, match="recording 0 and recording 1"):
            refuse_duplicates([recording(None, 1), recording(None, 1)])

    def test_without_names_there_is_nothing_to_compare(self) -> None:
        refuse_duplicates(make(3))
        refuse_duplicates([])


class TestWindows:
    @pytest.mark.parametrize(("spacing", "leaks"), [(1.2, False), (1.1, False), (1.05, True), (1.0, True), (0.5, True)])
    def test_epochs_may_touch_but_not_share_a_sample(self, spacing: float, leaks: bool) -> None:
        responses = make(4, window=1.0, onset=spacing * np.arange(4))  # 11 samples from 0 to 1.0 s: 1.1 s long
        if leaks:
            with pytest.raises(SplitLeakError, match=r"\d test windows of .* overlap training windows of the same run, .* at"):
                check_split(responses, [0, 1], [2, 3])
        else:
            check_split(responses, [0, 1], [2, 3])

    def test_durations_count_where_there_is_no_time_axis(self) -> None:
        responses = make(4, onset=[0.0, 10.0, 20.0, 30.0], duration=[10.0, 12.0, 5.0, np.nan])
        check_split(responses, [0], [1, 2])
        with pytest.raises(SplitLeakError, match="the first at 20 s"):
            check_split(responses, [1], [2, 3])

    def test_one_long_training_window_is_seen_behind_short_ones(self) -> None:
        responses = make(4, onset=[0.0, 1.0, 2.0, 50.0], duration=[100.0, 0.5, 0.5, 1.0])
        with pytest.raises(SplitLeakError, match="the first at 50 s"):
            check_split(responses, [0, 1, 2], [3])

    def test_runs_and_subjects_have_clocks_of_their_own(self) -> None:
        onset = np.tile(np.arange(3.0), 2)
        check_split(make(6, window=1.0, onset=onset, run=[1] * 3 + [2] * 3), [0, 1, 2], [3, 4, 5])
        assert len(by_subject(make(6, window=1.0, onset=onset, subject=list("AAABBB")))) == 2
        with pytest.raises(SplitLeakError, match="overlap"):
            by_group(make(6, window=1.0, onset=onset, half=[1] * 3 + [2] * 3), "half")

    def test_samples_without_onset_do_not_hide_the_others(self) -> None:
        responses = make(4, window=1.0, onset=[np.nan, 5.0, 5.5, np.nan])
        with pytest.raises(SplitLeakError, match="1 test windows"):
            check_split(responses, [0, 1], [2, 3])
        check_windows(responses, Split(np.array([0]), np.array([1, 2, 3]), "fold"))

    @given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6), st.booleans()), min_size=2, max_size=25))
    @settings(max_examples=100)
    def test_agrees_with_comparing_every_pair(self, events: list[tuple[int, int, bool]]) -> None:
        onset, duration, side = (np.array(column) for column in zip(*events, strict=True))
        train, test = np.flatnonzero(side), np.flatnonzero(~side)
        responses = make(len(events), onset=onset.astype(float), duration=duration.astype(float))
        begin, end = onset, onset + duration
        leaks = any(begin[i] < end[j] and begin[j] < end[i] for i in train for j in test)
        split = Split(train, test, "fold")
        if leaks:
            with pytest.raises(SplitLeakError):
                check_windows(responses, split)
        else:
            check_windows(responses, split)

    def test_blocks_with_a_gap_as_long_as_the_window_pass(self) -> None:
        responses = make(40, window=2.0, onset=0.5 * np.arange(40))
        for split in contiguous_blocks(responses.samples["onset"], 4, gap=2.1):
            check_split(responses, split.train, split.test)
        with pytest.raises(SplitLeakError, match="blocks with a gap longer than the window"):
            check_windows(responses, contiguous_blocks(responses.samples["onset"], 4, gap=1.0)[1])
