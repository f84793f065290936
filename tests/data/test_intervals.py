"""Stretches of time behave like sets of points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodecode.data import Intervals
from neurodecode.data.intervals import check_intervals
from neurodecode.errors import DataError

PROBES = np.arange(-1, 31) + 0.5  # points inside the unit cells that the stretches below are made of


@st.composite
def stretches(draw: st.DrawFn) -> Intervals:
    pairs = draw(st.lists(st.tuples(st.integers(0, 28), st.integers(1, 6)), max_size=8))
    return Intervals([a for a, _ in pairs], [a + n for a, n in pairs])


@given(stretches())
def test_are_sorted_disjoint_and_apart(a: Intervals) -> None:
    assert np.all(a.end > a.start)
    assert np.all(a.start[1:] > a.end[:-1])


@given(stretches(), stretches())
def test_union_intersection_and_complement_are_those_of_point_sets(a: Intervals, b: Intervals) -> None:
    in_a, in_b = a.contains(PROBES), b.contains(PROBES)
    np.testing.assert_array_equal(a.union(b).contains(PROBES), in_a | in_b)
    np.testing.assert_array_equal(a.intersection(b).contains(PROBES), in_a & in_b)
    window = (PROBES > 3) & (PROBES < 25)
    np.testing.assert_array_equal(a.complement(3, 25).contains(PROBES), window & ~in_a)


@given(stretches(), stretches())
def test_lengths_add_up(a: Intervals, b: Intervals) -> None:
    assert a.duration + b.duration == pytest.approx(a.union(b).duration + a.intersection(b).duration)
    assert a.complement(-5, 40).duration == pytest.approx(45 - a.duration)
    assert a.union(a) == a == a.intersection(a)
    assert a.intersection(b) == b.intersection(a)


@given(stretches(), st.integers(-100, 100))
def test_shifting_keeps_lengths(a: Intervals, seconds: int) -> None:
    moved = a.shift(seconds)
    assert moved.duration == a.duration
    np.testing.assert_array_equal(moved.contains(PROBES + seconds), a.contains(PROBES))


def test_borders_are_half_open() -> None:
    one = Intervals(1, 3)
    assert one.contains([0.999, 1.0, 2.999, 3.0, np.nan]).tolist() == [False, True, True, False, False]
    assert one.covers([1.0, 1.0, 0.5], [3.0, 3.001, 2.0]).tolist() == [True, False, False]


def test_a_window_across_a_gap_is_not_covered() -> None:
    assert not Intervals([0, 2], [1, 3]).covers(0.5, 2.5)
    assert Intervals([0, 1], [1, 3]).covers(0.5, 2.5)  # touching stretches are one


def test_nothing_contains_nothing() -> None:
    none = Intervals([], [])
    assert len(none) == 0
    assert none.duration == 0.0
    assert not none.contains([0.0, 1.0]).any()
    assert none.complement(1, 2) == Intervals([1], [2])
    assert none.union(Intervals(1, 2)) == Intervals(1, 2)


def test_many_stretches_meet_quickly() -> None:
    starts = np.arange(0, 40_000, 2.0)
    both = Intervals(starts, starts + 1).intersection(Intervals(starts + 0.5, starts + 1.5))
    assert len(both) == 20_000
    assert both.duration == pytest.approx(10_000)


def test_pairs_of_no_length_are_left_out() -> None:
    assert Intervals.from_pairs([(1, 1), (2, 3), (5, 4)]) == Intervals([2], [3])


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ([0, 1], [1], r"two lists of one length, got shapes \(2,\) and \(1,\)"),
        ([0, 5], [1, 5], r"interval 1 must be finite and end after its start, got \[5.0, 5.0\)"),
        ([0], [np.inf], r"interval 0 must be finite .* got \[0.0, inf\)"),
        ([np.nan], [1], "interval 0 must be finite"),
        ([[0]], [[1]], "two lists"),
    ],
)
def test_says_what_is_wrong(start: list, end: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Intervals(start, end)


def test_equality_and_repr() -> None:
    assert Intervals([1], [2]) != Intervals([1], [3])
    assert Intervals([1], [2]) != "anything else"
    assert repr(Intervals([1, 4], [2, 6])) == "Intervals(2: [1, 2), [4, 6); 3 s)"
    assert ", ...; 5 s" in repr(Intervals(np.arange(0, 10, 2), np.arange(1, 11, 2)))


def test_anything_else_is_refused_as_valid_time() -> None:
    one = Intervals(0, 1)
    assert check_intervals(one) is one
    with pytest.raises(DataError, match="valid must be Intervals.* got list"):
        check_intervals([(0, 1)])
