"""Stimuli stay unread until used, and are what they say they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Stimuli
from neurodecode.data.stimuli import joined_stimuli
from neurodecode.errors import DataError


class Counting(Sequence[Any]):
    """Items that count how often they are read."""

    def __init__(self, items: list[Any]) -> None:
        self.items, self.read = items, 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        self.read += 1
        return self.items[index]


def image(value: int = 0, shape: tuple[int, ...] = (4, 5, 3)) -> np.ndarray:
    return np.full(shape, value, np.uint8)


def test_are_found_by_position_and_by_id() -> None:
    stimuli = Stimuli(["cat", "dog"], [image(1), image(2)], "image")
    assert stimuli["dog"][0, 0, 0] == stimuli[1][0, 0, 0] == stimuli[-1][0, 0, 0] == 2
    assert [item[0, 0, 0] for item in stimuli] == [1, 2]
    assert len(stimuli) == 2
    assert stimuli.table["id"].tolist() == ["cat", "dog"]


def test_nothing_is_read_before_it_is_used() -> None:
    items = Counting([image(i) for i in range(5)])
    part = Stimuli(list("abcde"), items, "image", pd.DataFrame({"category": list("vwxyz")})).select(["e", "b"])
    assert items.read == 0
    assert part[0][0, 0, 0] == 4
    assert items.read == 1
    assert part.table["category"].tolist() == ["z", "w"]
    assert part.select(["b"])["b"][0, 0, 0] == 1


def test_a_hundred_thousand_ids_are_selected_at_once() -> None:
    ids = [f"nsd{i:06d}" for i in range(100_000)]
    chosen = Stimuli(ids, range(100_000), "image").select(ids[::-1])  # type: ignore[arg-type]
    assert chosen.ids[0] == ids[-1]


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("image", image()),
        ("video", image(shape=(2, 4, 5, 3))),
        ("text", "a dog"),
        ("text", ""),
        ("audio", (np.zeros(8, np.float32), 16000)),
        ("audio", (np.zeros((8, 2), np.float32), 44100.0)),
    ],
)
def test_each_kind_holds_its_items(kind: Any, item: Any) -> None:
    assert Stimuli(["a"], [item], kind)["a"] is item


@pytest.mark.parametrize(
    ("kind", "item", "got"),
    [
        ("image", image().astype(float), "float64 array of shape"),
        ("image", image(shape=(4, 5)), r"uint8 array of shape \(4, 5\)"),
        ("image", image(shape=(4, 5, 4)), r"got uint8 array of shape \(4, 5, 4\)"),
        ("image", "cat.png", "got str"),
        ("video", image(), r"\(T, H, W, 3\) \(kind 'video'\), got uint8 array of shape \(4, 5, 3\)"),
        ("text", b"bytes", "got bytes"),
        ("audio", np.zeros(8, np.float32), "pair of a float32 array"),
        ("audio", (np.zeros(8), 16000), "got tuple"),
        ("audio", ([0.0], 16000), "got tuple"),
        ("audio", (np.zeros(8, np.float32), 0), "got tuple"),
        ("audio", (np.zeros(8, np.float32), "CD"), "got tuple"),
    ],
)
def test_an_item_of_another_kind_is_refused_when_it_is_used(kind: Any, item: Any, got: str) -> None:
    stimuli = Stimuli(["x"], [item], kind)
    with pytest.raises(DataError, match=f"stimulus 'x' must be a .*{got}"):
        _ = stimuli[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ["a", "a"]}, "ids of Stimuli must be unique, 'a' occurs 2 times"),
        ({"ids": [1, "1"]}, "ids of Stimuli must be unique, '1'"),
        ({"ids": ["a"]}, "items has 2 rows, expected 1, one per id"),
        ({"kind": "smell"}, "kind of Stimuli='smell' is unknown"),
        ({"kind": "imge"}, "did you mean 'image'"),
        ({"table": {"category": ["x"]}}, "table has 1 rows, expected 2"),
    ],
)
def test_says_what_is_wrong(change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Stimuli(**{"ids": ["a", "b"], "items": ["x", "y"], "kind": "text", **change})


def test_an_unknown_id_is_answered_with_the_closest() -> None:
    stimuli = Stimuli(["cat", "dog"], ["x", "y"], "text")
    with pytest.raises(DataError, match="there is no stimulus 'catt': did you mean 'cat'"):
        _ = stimuli["catt"]
    with pytest.raises(DataError, match="ids of Stimuli must be unique"):
        stimuli.select(["cat", "cat"])
    with pytest.raises(IndexError):
        _ = stimuli[2]


def test_digests_tell_contents_apart_and_find_the_same_picture() -> None:
    stimuli = Stimuli(["a", "b", "c", "d"], [image(1), image(1), image(2), image(1, (5, 4, 3))], "image")
    assert stimuli.digest("a") == stimuli.digest(1)
    assert len({stimuli.digest(i) for i in range(4)}) == 3
    sound = np.ones(4, np.float32)
    sounds = Stimuli(["a", "b"], [(sound, 8000), (sound, 16000)], "audio")
    assert sounds.digest("a") != sounds.digest("b")
    assert Stimuli(["a"], ["ü"], "text").digest(0) != Stimuli(["a"], ["u"], "text").digest(0)


def test_repr_shows_number_kind_and_columns() -> None:
    assert repr(Stimuli(["a"], ["x"], "text")) == "<Stimuli\n  1 items of kind text\n  columns: id>"


def test_joined_ones_stay_unread() -> None:
    first, second = Counting([image(1), image(2)]), Counting([image(3)])
    both = joined_stimuli([Stimuli(["a", "b"], first, "image"), Stimuli(["c"], second, "image")])
    assert (list(both.ids), both["c"][0, 0, 0], both[1][0, 0, 0]) == (["a", "b", "c"], 3, 2)
    assert (first.read, second.read) == (1, 1)
    again = joined_stimuli([both, Stimuli(["c", "d"], [image(9), image(4)], "image")])
    assert (list(again.ids), again["c"][0, 0, 0], again["d"][0, 0, 0]) == (["a", "b", "c", "d"], 3, 4)
    with pytest.raises(DataError, match="one kind, got .'image', 'text'."):
        joined_stimuli([Stimuli(["a"], [image()], "image"), Stimuli(["b"], ["b"], "text")])
    with pytest.raises(DataError, match="none at all"):
        joined_stimuli([])
