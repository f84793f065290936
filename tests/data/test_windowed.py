"""Windows cut when they are read: the same numbers as by hand, whatever part of them is asked for, and never more than that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from neurodecode.data import LazySignal, Responses, load, save
from neurodecode.data import store as store_module
from neurodecode.data.windowed import Cut, WindowedArray, joined_windows
from neurodecode.errors import DataError

RNG = np.random.default_rng(0)
SIGNALS = [RNG.standard_normal((4, 50)).astype(np.float32) + 3, RNG.standard_normal((3, 40)).astype(np.float32)]
CHANNELS = np.array([[0, 1, 2, 3], [2, -1, 0, 1]])
SIGNAL, START = np.array([0, 1, 0, 0, 1]), np.array([0, 28, 7, 38, 3])
CENTER, SPREAD = RNG.standard_normal((2, 4)), RNG.uniform(1, 2, (2, 4))


def windows(signals: Any = SIGNALS) -> WindowedArray:
    cut = Cut(12, first=2, baseline=(0, 5), clamp=1.5)
    return WindowedArray(signals, SIGNAL, START, cut, channels=CHANNELS, center=CENTER, spread=SPREAD)


def by_hand() -> np.ndarray:
    found = np.full((5, 4, 10), np.nan)
    for k, (number, start) in enumerate(zip(SIGNAL, START, strict=True)):
        for channel, row in enumerate(CHANNELS[number]):
            if row >= 0:
                stretch = SIGNALS[number][row, start : start + 12].astype(float)
                value = (stretch - stretch[:5].mean() - CENTER[number, channel]) / SPREAD[number, channel]
                found[k, channel] = np.clip(value, -1.5, 1.5)[2:]
    return found


def test_numbers_by_hand() -> None:
    array = windows()
    assert array.shape == (5, 4, 10)
    assert array.nbytes == 5 * 4 * 10 * 4
    assert_allclose(np.asarray(array), by_hand(), rtol=1e-6, atol=1e-6)
    assert np.asarray(array, float).dtype == float
    assert np.abs(by_hand()[np.isfinite(by_hand())]).max() == 1.5, "nothing was clamped: the test would not see it"


@pytest.mark.parametrize(
    "index",
    [
        slice(1, 4),
        [4, 0, 0],
        np.array([True, False, True, False, True]),
        (slice(None), [3, 1]),
        (slice(1, None), slice(0, 2), slice(3, 7)),
        (slice(None), slice(None), [0, 5, 2]),
        2,
        -1,
        (1, 2),
        (slice(None), 0, 4),
        (3, slice(1, 3), slice(0, 2)),
        slice(0, 0),
    ],
)
def test_indexing_is_that_of_numpy(index: Any) -> None:
    whole = np.asarray(windows())
    assert_array_equal(np.asarray(windows()[index]), whole[index])


def test_parts_stay_unread_and_compose() -> None:
    part = windows()[1:][[3, 1]][:, 1:3][:, :, 2:8]
    assert isinstance(part, WindowedArray)
    assert_array_equal(np.asarray(part[:, :, 1:3]), np.asarray(windows())[[4, 2], 1:3, 3:5])
    assert isinstance(windows()[0], np.ndarray)
    assert [w.shape for w in windows()] == [(4, 10)] * 5
    with pytest.raises(DataError, match="windows must be row numbers below 5"):
        windows()[7]


def test_only_what_is_asked_for_is_read() -> None:
    asked = []

    def read(start: int, stop: int) -> np.ndarray:
        asked.append((start, stop))
        return SIGNALS[0][:, start:stop]

    array = windows([LazySignal(read, (4, 50)), SIGNALS[1]])
    part = array[[2, 1]]
    assert asked == []
    assert_array_equal(np.asarray(part), np.asarray(windows())[[2, 1]])
    assert asked == [(7, 19)]


def test_another_scale() -> None:
    plain = WindowedArray(SIGNALS[:1], SIGNAL[[0, 2]] * 0, START[[0, 2]], Cut(12))
    scaled = plain.scaled(np.full((1, 4), 3.0), np.full((1, 4), 2.0), 0.5)
    assert_allclose(np.asarray(scaled), np.clip((np.asarray(plain) - 3) / 2, -0.5, 0.5), rtol=1e-6)


def responses() -> Responses:
    table = pd.DataFrame({"split": ["train", "train", "test", "train", "test"]})
    return Responses(windows(), table, pd.DataFrame({"name": list("abcd")}), np.arange(10) / 10)


def test_responses_cut_them_unread() -> None:
    held = responses()
    for part in (
        held.select(split="train"),
        held.select(slice(0, 2)),
        held.select(units=[0, 2]),
        held.select(tmin=0.2, tmax=0.5),
    ):
        assert isinstance(part.data, WindowedArray)
        part.replace()
    assert_array_equal(np.asarray(held.select(split="test").data), np.asarray(windows())[[2, 4]])
    assert "not in memory" in repr(held)
    assert held.average("split").data.shape == (2, 4, 10)


@pytest.mark.parametrize("at_once", [1, 2**26])
def test_saved_window_by_window(tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_BLOCK_BYTES", at_once)
    loaded = load(save(responses(), tmp_path / "windows"))
    assert isinstance(loaded.data, np.memmap)
    assert_array_equal(loaded.data, np.asarray(windows()))


def test_a_stretch_of_a_memory_map_stays_one(tmp_path: Path) -> None:
    held = responses().select([0, 1, 3, 2, 4])
    loaded = load(save(held, tmp_path / "windows"))
    part = loaded.select(split="train")
    assert isinstance(part.data, np.memmap)
    assert np.shares_memory(part.data, loaded.data)
    assert_array_equal(part.data, np.asarray(windows())[[0, 1, 3]])
    apart = load(save(responses(), tmp_path / "apart")).select(split="train")
    assert_array_equal(apart.data, np.asarray(windows())[[0, 1, 3]])


def test_windows_of_several_files_are_one_array_unread(tmp_path: Path) -> None:
    parts = [np.random.default_rng(k).normal(size=(n, 3, 5)).astype(np.float32) for k, n in enumerate((4, 2, 6))]
    for k, part in enumerate(parts):
        np.save(tmp_path / f"{k}.npy", part)
    mapped = [np.load(tmp_path / f"{k}.npy", mmap_mode="r") for k in range(3)]
    joined = joined_windows(mapped)
    whole = np.concatenate(parts)
    assert joined.shape == whole.shape
    np.testing.assert_array_equal(np.asarray(joined), whole)
    np.testing.assert_array_equal(np.asarray(joined[[11, 3, 4], 1:, 2:4]), whole[[11, 3, 4], 1:, 2:4])
