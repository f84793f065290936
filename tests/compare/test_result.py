"""The result of a comparison: what it says at one look, its tables, and that storage changes no number."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import encoding_data as examples
import numpy as np
import pandas as pd
import pytest

from neurodecode.compare.result import ComparisonResult
from neurodecode.compare.storage import MARKER
from neurodecode.errors import CorruptFileError, DataError, FormatError, OutputExistsError


def same(a: Any, b: Any) -> None:
    """Equal in every number, and in the type of each array."""
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    else:
        assert a == b


@pytest.mark.parametrize("n_times", [0, 3])
def test_what_is_saved_comes_back(tmp_path: Path, n_times: int) -> None:
    result = examples.result(n_times=n_times)
    loaded = ComparisonResult.load(result.save(tmp_path / "found"))
    for field in dataclasses.fields(ComparisonResult):
        same(getattr(result, field.name), getattr(loaded, field.name))


def test_a_result_without_ceiling_and_permutations_comes_back(tmp_path: Path) -> None:
    bare = {name: None for name in ("ceiling", "ceiling_name", "normalised", "p", "q", "correction", "predictions", "weights")}
    loaded = ComparisonResult.load(examples.result(**bare, scores={}).save(tmp_path / "found"))
    assert loaded.scores == {}
    assert all(getattr(loaded, name) is None for name in bare)
    assert loaded.map_names == ["score", "baseline"]


def test_saving_replaces_an_older_result_and_nothing_else(tmp_path: Path) -> None:
    examples.result().save(tmp_path / "found")
    examples.result(notes=["newer"]).save(tmp_path / "found")
    assert ComparisonResult.load(tmp_path / "found").notes == ["newer"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExistsError, match="not written by neurodecode"):
        examples.result().save(tmp_path / "mine")


@pytest.mark.parametrize("member", ["score.npy", "scores.npy", "units.tsv"])
def test_damage_is_named(tmp_path: Path, member: str) -> None:
    folder = examples.result().save(tmp_path / "found")
    content = (folder / member).read_bytes()
    (folder / member).write_bytes(content[:-3] + b"abc")
    with pytest.raises(CorruptFileError, match=member):
        ComparisonResult.load(folder)
    (folder / member).unlink()
    with pytest.raises(CorruptFileError, match=member):
        ComparisonResult.load(folder)


def test_a_marker_cannot_point_elsewhere(tmp_path: Path) -> None:
    folder = examples.result().save(tmp_path / "found")
    header = json.loads((folder / MARKER).read_text())
    header["members"]["../secret.npy"] = "0" * 64
    (folder / MARKER).write_text(json.dumps(header))
    with pytest.raises(CorruptFileError, match="secret"):
        ComparisonResult.load(folder)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"kind": "something"}, FormatError, "not the result of a comparison"),
        ({"version": 99}, FormatError, "version 99"),
        ({"fold_names": None, "metric": 3, "scores": ["a"]}, CorruptFileError, "do not fit"),
        ({"members": None}, CorruptFileError, "do not fit"),
    ],
)
def test_a_marker_that_was_changed(tmp_path: Path, change: dict[str, Any], error: type[Exception], message: str) -> None:
    folder = examples.result().save(tmp_path / "found")
    header = json.loads((folder / MARKER).read_text())
    (folder / MARKER).write_text(json.dumps({**header, **change}))
    with pytest.raises(error, match=message):
        ComparisonResult.load(folder)


def test_no_result_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no finished comparison"):
        ComparisonResult.load(tmp_path)
    (tmp_path / MARKER).write_text("{ not json")
    with pytest.raises(CorruptFileError, match="not readable"):
        ComparisonResult.load(tmp_path)


def test_settings_must_be_plain(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="JSON values only"):
        examples.result(settings={"model": object()}).save(tmp_path / "found")
    assert not list(tmp_path.iterdir())


def test_one_look_says_score_chance_ceiling_baseline_and_split() -> None:
    result = examples.result(score=np.full(12, 0.321), baseline=np.full(12, 0.1))
    text = repr(result)
    for part in ("12 targets", "median r 0.321", "chance 0", "baseline 0.100: nuisance", "ceiling rho", "92 % of targets"):
        assert part in text
    assert "99 permutations" in text
    assert result.split in text
    bare = repr(examples.result(ceiling=None, normalised=None, q=None, p=None))
    assert "no ceiling" in bare
    assert "q <" not in bare
    assert "12 x 3 targets" in repr(examples.result(n_times=3))
    assert "nan" in repr(examples.result(score=np.full(12, np.nan)))


def test_table_has_a_row_per_target() -> None:
    result = examples.result()
    frame = result.to_dataframe()
    assert len(frame) == result.n_targets == 12
    assert list(frame["region"]) == list(result.units["region"])
    np.testing.assert_array_equal(frame["score"], result.score)
    np.testing.assert_allclose(frame["alpha"], 100.0)
    assert set(frame) >= {"metric", "chance", "ceiling", "normalised", "p", "q", "baseline", "R2", "gain", "i", "j", "k"}


def test_table_has_a_row_per_unit_and_time() -> None:
    result = examples.result(n_times=3)
    frame = result.to_dataframe()
    assert len(frame) == result.n_targets == 36
    row = frame[(frame["name"] == result.units["name"][5]) & (frame["time"] == 0.02)]
    assert row["score"].item() == result.score[5, 2]


def test_maps_by_name() -> None:
    result = examples.result()
    np.testing.assert_array_equal(result.map("gain"), result.scores["gain"])
    np.testing.assert_array_equal(result.map("q"), result.q)
    with pytest.raises(DataError, match="did you mean 'gain'"):
        result.map("gian")
    with pytest.raises(DataError, match="unknown"):
        examples.result(p=None).map("p")


def test_summary_is_json() -> None:
    result = examples.result()
    found = json.loads(json.dumps(result.summary()))
    assert found["median"]["score"] == pytest.approx(np.median(result.score))
    assert found["fraction_significant"] == pytest.approx(np.mean(result.score > 0.2))
    assert found["coverage"] == pytest.approx(11 / 12)
    assert examples.result(normalised=None).coverage is None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("score", np.zeros(3)),
        ("ceiling", np.zeros((12, 2))),
        ("fold_scores", np.zeros((2, 3))),
        ("alpha", np.zeros(12)),
        ("scores", {"R2": np.zeros(5)}),
        ("predictions", np.zeros((7, 3), np.float32)),
    ],
)
def test_members_must_have_one_value_per_target(name: str, values: Any) -> None:
    with pytest.raises(DataError, match="one value per target"):
        examples.result(**{name: values})


def test_a_result_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        examples.result().score = np.zeros(12)  # type: ignore[misc]
