"""Events joined to blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from neurodecode.data.blocks import join_events
from neurodecode.errors import DataError


def table(onset: list[float], kinds: list[Any], duration: Any = 0.5, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"onset": onset, "duration": duration, "trial_type": kinds, **columns})


def joined(events: pd.DataFrame, gap: float = 4.0) -> list[tuple[float, float, Any, int]]:
    made = join_events(events, gap)
    return [tuple(row) for row in made[["onset", "duration", "trial_type", "n_events"]].itertuples(index=False)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (table([12, 14, 16, 48, 50], ["face"] * 3 + ["house"] * 2), [(12, 4.5, "face", 3), (48, 2.5, "house", 2)]),
        (table([0, 2, 4], ["a", "b", "a"]), [(0, 0.5, "a", 1), (2, 0.5, "b", 1), (4, 0.5, "a", 1)]),
        (table([0, 2, 10, 12], ["a"] * 4), [(0, 2.5, "a", 2), (10, 2.5, "a", 2)]),  # the same kind after a pause
        (table([0, 4.5], ["a", "a"]), [(0, 5.0, "a", 2)]),  # a pause of exactly the gap
        (table([0, 4.6], ["a", "a"]), [(0, 0.5, "a", 1), (4.6, 0.5, "a", 1)]),
        (table([2, 0], ["a", "a"]), [(0, 2.5, "a", 2)]),  # in the order of time
        (table([0, 1, 8], ["a"] * 3, [10.0, 0.5, 0.5]), [(0, 10.0, "a", 3)]),  # a long event covers later ones
        (table([0, 1], ["a", "a"], [np.nan, 0.5]), [(0, 1.5, "a", 2)]),
        (table([0, 1, 2], ["a", None, None]), [(0, 0.5, "a", 1), (1, 0.5, None, 1), (2, 0.5, None, 1)]),
        (table([], []), []),
    ],
)
def test_blocks(events: pd.DataFrame, expected: list[tuple]) -> None:
    got = joined(events)
    assert [row[3] for row in got] == [row[3] for row in expected]
    assert [row[2] if isinstance(row[2], str) else None for row in got] == [row[2] for row in expected]
    np.testing.assert_allclose([row[:2] for row in got], [row[:2] for row in expected])


def test_columns_that_vary_inside_a_block_are_left_out() -> None:
    events = table([0, 1, 10], ["a", "a", "b"], stimulus=["x", "y", "z"], group=[1, 1, 2], missing=[np.nan] * 3)
    made = join_events(events, 1.0)
    assert made.columns.tolist() == ["onset", "duration", "trial_type", "group", "missing", "n_events"]
    assert made["group"].tolist() == [1, 2]


def test_another_column() -> None:
    events = table([0, 1, 2], ["a", "b", "b"], half=["x", "x", "y"])
    assert join_events(events, 1.0, "half")["half"].tolist() == ["x", "y"]


def test_the_events_stay_as_they_were() -> None:
    events = table([1, 0], ["a", "a"])
    before = events.copy()
    join_events(events, 1.0)
    pd.testing.assert_frame_equal(events, before)


@pytest.mark.parametrize("gap", [-1.0, float("nan"), float("inf"), "long"])
def test_a_gap_is_a_number(gap: Any) -> None:
    with pytest.raises(DataError, match=f"gap must be 0 s or more, got {gap!r}"):
        join_events(table([0], ["a"]), gap)


def test_a_column_is_there() -> None:
    with pytest.raises(DataError, match="no column 'kind'"):
        join_events(table([0], ["a"]), 1.0, "kind")
