"""Contents of a report: checks, and the way to disk and back."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import report_examples as examples

from neurodecode.data import Responses
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.report import RunContents, load_contents, save_contents


def assert_same(got: Any, expected: Any) -> None:
    """Equal in type, value and every member."""
    if is_dataclass(expected):
        assert type(got) is type(expected)
        for field in fields(expected):
            assert_same(getattr(got, field.name), getattr(expected, field.name))
    elif isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(got, expected, check_dtype=False)
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == expected.dtype
    elif isinstance(expected, dict):
        assert list(got) == list(expected)
        for key in expected:
            assert_same(got[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert type(got) is type(expected)
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, float) and np.isnan(expected):
        assert np.isnan(got)
    else:
        assert got == expected


@pytest.mark.parametrize("kind", examples.EVERY)
def test_every_result_comes_back_as_it_was(kind: str, tmp_path: Path) -> None:
    result = examples.EVERY[kind]()
    save_contents(examples.run_of({kind: result}), tmp_path)
    assert_same(load_contents(tmp_path).results[kind], result)


def test_everything_around_the_results_comes_back(tmp_path: Path) -> None:
    contents = examples.run_of({"contacts": examples.contact_table()}, units=examples.sensor_units(), space={"name": "sensors"})
    save_contents(contents, tmp_path)
    again = load_contents(tmp_path)
    for name, expected in contents.members().items():
        if name == "erp":
            assert isinstance(again.erp, Responses)
            np.testing.assert_array_equal(again.erp.data, expected.data)
            np.testing.assert_array_equal(again.erp.times, expected.times)
        else:
            assert_same(getattr(again, name), expected)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"), float("-inf"), (1, (2.5, "a")), {"$array": "0001.npy"}, {1: "one", "two": 2}, [], {}, None, True, "ünï <b>",
        np.array(["a", "bc"]), np.array([], float), [np.float32(0.5)],
    ],
    ids=str,
)  # fmt: skip
def test_odd_values_in_the_configuration_come_back(value: Any, tmp_path: Path) -> None:
    save_contents(RunContents("t", "p", configuration={"odd": value}), tmp_path)
    expected = [0.5] if isinstance(value, list) and value else value
    assert_same(load_contents(tmp_path).configuration["odd"], expected)


def test_an_object_array_is_kept_as_a_list_without_pickle(tmp_path: Path) -> None:
    save_contents(RunContents("t", "p", configuration={"names": np.array(["a", None], dtype=object)}), tmp_path)
    assert load_contents(tmp_path).configuration["names"] == ["a", None]


def test_a_column_of_mixed_types_becomes_text(tmp_path: Path) -> None:
    table = pd.DataFrame({"value": pd.Series([1, "a"], dtype=object), 3: [1.5, 2.5]})
    save_contents(RunContents("t", "p", quality={"mixed": table}), tmp_path)
    again = load_contents(tmp_path).quality["mixed"]
    assert again["value"].tolist() == ["1", "a"]
    assert again["3"].tolist() == [1.5, 2.5]


def test_saving_twice_gives_equal_bytes(tmp_path: Path) -> None:
    contents = examples.run_of({"decoding": examples.objects()})
    for name in ("a", "b"):
        save_contents(contents, tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) > 10
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_something_that_is_no_plain_data_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"configuration\.a\[1\] of a report is a object"):
        save_contents(RunContents("t", "p", configuration={"a": [1, object()]}), tmp_path)
    assert not (tmp_path / "report_data").exists()


def test_a_folder_without_a_report_says_so(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no finished report"):
        load_contents(tmp_path)


def edit(folder: Path, change: Any) -> None:
    """Change the JSON of a saved report."""
    path = folder / "report_data" / "contents.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["members"].pop("title"), "title"),
        (lambda d: d["members"].update(surprise=1), "surprise"),
        (lambda d: d["members"]["quality"].update(Events={"$table": "9999.tsv", "types": {}}), "9999"),
        (lambda d: d["members"]["quality"].update(Events={"$array": "../contents.json"}), "not the name of a member"),
        (lambda d: d["members"]["results"].update(decoding={"$result": "Popen", "members": {}}), "unknown type 'Popen'"),
        (lambda d: d["members"]["results"].update(decoding={"$pickle": "x"}), "unknown kind"),
    ],
)
def test_a_damaged_report_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    save_contents(examples.run_of({"decoding": examples.faces()}), tmp_path)
    edit(tmp_path, change)
    with pytest.raises(CorruptFileError, match=message):
        load_contents(tmp_path)


def test_a_truncated_report_is_refused(tmp_path: Path) -> None:
    save_contents(RunContents("t", "p"), tmp_path)
    path = tmp_path / "report_data" / "contents.json"
    path.write_text(path.read_text(encoding="utf-8")[:40], encoding="utf-8")
    with pytest.raises(CorruptFileError, match="cannot be read"):
        load_contents(tmp_path)


def test_a_report_of_another_format_says_which(tmp_path: Path) -> None:
    save_contents(RunContents("t", "p"), tmp_path)
    edit(tmp_path, lambda d: d.update(format="neurodecode report 99"))
    with pytest.raises(FormatError, match="neurodecode report 99"):
        load_contents(tmp_path)


@pytest.mark.parametrize("member", ["title", "pipeline"])
def test_a_run_needs_its_names(member: str) -> None:
    with pytest.raises(DataError, match=f"{member} of a report must be a text, got ''"):
        RunContents(**{"title": "t", "pipeline": "p", member: ""})


def test_spectra_must_fit_their_names() -> None:
    with pytest.raises(DataError, match=r"\(2, 3\), got \(3, 3\)"):
        RunContents("t", "p", spectra=(np.arange(3.0), np.ones((3, 3)), ["a", "b"]))
