"""One seed per item, and a truth that comes back from disk as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neurodecode.errors import CorruptFileError, DataError, FormatError, OutputExistsError
from neurodecode.simulate import Truth, item_generator


@pytest.fixture
def truth() -> Truth:
    """Two arrays and a table with texts that look like numbers and a missing number."""
    table = pd.DataFrame({"stimulus": ["01", "2"], "onset": [0.5, np.nan], "seen": [True, False]})
    arrays = {"weights": np.arange(6.0).reshape(2, 3), "labels": np.array([3, 1])}
    return Truth("toy", 7, {"tr": np.float64(2), "sizes": (1, 2)}, arrays, {"trials": table})


def test_an_item_has_the_same_numbers_whatever_came_before() -> None:
    first = item_generator(3, "sub-01 run-2").standard_normal(5)
    item_generator(3, "sub-01 run-1").standard_normal(100)
    np.testing.assert_array_equal(item_generator(3, "sub-01 run-2").standard_normal(5), first)


def test_the_numbers_of_an_item_are_the_same_in_every_version() -> None:
    """Data sets made with a seed are cited by it, so its numbers must never change."""
    assert item_generator(0, "sub-01").integers(0, 1000, 4).tolist() == PINNED


@pytest.mark.parametrize(("seed", "item"), [(3, "sub-01 run-1"), (4, "sub-01 run-2"), (3, "sub-01 run-2 ")])
def test_other_items_and_seeds_have_other_numbers(seed: int, item: str) -> None:
    a, b = item_generator(3, "sub-01 run-2").standard_normal(1000), item_generator(seed, item).standard_normal(1000)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.15


@pytest.mark.parametrize("seed", [-1, 1.5, None, "0", True])
def test_what_is_no_seed_is_refused(seed: object) -> None:
    with pytest.raises(DataError, match="random_state must be"):
        item_generator(seed, "item")  # type: ignore[arg-type]


def test_saved_and_loaded(truth: Truth, tmp_path: Path) -> None:
    truth.save(tmp_path / "truth")
    again = Truth.load(tmp_path / "truth")
    assert (again.generator, again.random_state, again.parameters) == ("toy", 7, {"tr": 2.0, "sizes": [1, 2]})
    assert list(again.arrays) == ["weights", "labels"]
    for name in truth.arrays:
        np.testing.assert_array_equal(again[name], truth[name])
        assert again[name].dtype == truth[name].dtype
    pd.testing.assert_frame_equal(again["trials"], truth["trials"], check_dtype=False)
    assert again["trials"]["stimulus"].tolist() == ["01", "2"]


def test_the_same_truth_gives_the_same_bytes_and_may_be_replaced(truth: Truth, tmp_path: Path) -> None:
    for name in ("one", "two", "one"):
        truth.save(tmp_path / name)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    assert set(one) == {"truth.json", "weights.npy", "labels.npy", "trials.tsv"}


def test_the_folder_of_somebody_else_is_kept(truth: Truth, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputExistsError):
        truth.save(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_arrays_are_frozen_copies() -> None:
    weights, table = np.zeros(2), pd.DataFrame({"a": [1]})
    truth = Truth("toy", 0, arrays={"weights": weights}, tables={"rows": table})
    weights[0], table.loc[0, "a"] = 1, 2
    assert truth["weights"][0] == 0
    assert truth["rows"]["a"].tolist() == [1]
    with pytest.raises(ValueError, match="read-only"):
        truth["weights"][0] = 1
    with pytest.raises(AttributeError):
        truth.random_state = 1  # type: ignore[misc]


def test_as_plain_values(truth: Truth) -> None:
    plain = json.loads(json.dumps(truth.to_dict(), allow_nan=False))
    assert plain["arrays"]["weights"] == [[0, 1, 2], [3, 4, 5]]
    assert plain["tables"]["trials"][1] == {"stimulus": "2", "onset": None, "seen": False}


def test_an_unknown_name_gets_a_hint(truth: Truth) -> None:
    with pytest.raises(DataError, match=r"toy holds no 'weight'.*weights"):
        truth["weight"]
    assert "weights: float64 (2, 3)" in repr(truth)


@pytest.mark.parametrize("name", ["../out", "a/b", "", ".hidden", "a b"])
def test_names_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(DataError, match="names of a truth"):
        Truth("toy", 0, arrays={name: np.zeros(1)})


def test_one_name_is_one_member() -> None:
    with pytest.raises(DataError, match="weights"):
        Truth("toy", 0, arrays={"weights": np.zeros(1)}, tables={"weights": pd.DataFrame({"a": [1]})})


@pytest.mark.parametrize("values", [np.array(["a"]), np.array([None, {}], dtype=object)])
def test_only_numbers_are_arrays(values: np.ndarray) -> None:
    with pytest.raises(DataError, match="must hold numbers"):
        Truth("toy", 0, arrays={"texts": values})


def test_a_folder_without_truth_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"truth\.json"):
        Truth.load(tmp_path)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("truth.json", "{"),
        ("truth.json", "[]"),
        ("truth.json", '{"generator": "toy"}'),
        (
            "truth.json",
            '{"generator": "a", "random_state": 0, "parameters": {}, "sha256": {}, "arrays": ["../up"], "tables": {}}',
        ),
        ("weights.npy", ""),
        ("weights.npy", "no numbers"),
        ("trials.tsv", ""),
        ("trials.tsv", "stimulus\tonset\tseen\n03\t0.5\tTrue\n"),
    ],
)
def test_a_damaged_truth_is_an_error(truth: Truth, tmp_path: Path, file: str, text: str) -> None:
    np.save(tmp_path / "up.npy", np.zeros(1))
    truth.save(tmp_path / "truth")
    (tmp_path / "truth" / file).write_text(text)
    with pytest.raises(CorruptFileError, match="truth"):
        Truth.load(tmp_path / "truth")


def test_a_lost_member_is_an_error(truth: Truth, tmp_path: Path) -> None:
    truth.save(tmp_path / "truth")
    (tmp_path / "truth" / "labels.npy").unlink()
    with pytest.raises(CorruptFileError, match="labels"):
        Truth.load(tmp_path / "truth")


PINNED = [775, 913, 51, 667]
