"""What of a public data set lies in a folder: every recording once, as `load` opens it, with the files it is read from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import meeg_miniatures as seen
from datasets import speech_miniatures as heard

from neurodecode import datasets
from neurodecode.datasets.parts import parts
from neurodecode.errors import DataError, FormatError

SETS: list[tuple[str, str, Callable[[Path], Path], Callable[[], Any], list[str]]] = [
    ("meg_masc", "raw", heard.write_meg_masc, heard.meg_masc, ["sub-01_ses-0_task-0", "sub-01_ses-1_task-0"]),
    ("mous", "raw", heard.write_mous, heard.mous, ["sub-A2002_task-auditory"]),
    ("brennan2019", "raw", heard.write_brennan2019, lambda: None, ["sub-S01"]),
    ("broderick2018", "raw", heard.write_broderick2018, lambda: None, ["sub-01_run-01", "sub-01_run-02"]),
    ("things_meg", "raw", seen.write_things_meg, seen.things_meg, ["sub-BIGMEG1_ses-01_run-01", "sub-BIGMEG1_ses-01_run-02"]),
    ("things_meg", "preprocessed", seen.write_things_meg, seen.things_meg, ["sub-BIGMEG1"]),
    ("things_eeg2", "preprocessed", seen.converted_things_eeg2, seen.things_eeg2, ["sub-01"]),
]


@pytest.mark.parametrize(("name", "data", "write", "manifest", "expected"), SETS, ids=[f"{row[0]}_{row[1]}" for row in SETS])
def test_each_part_opens(name: str, data: str, write: Any, manifest: Any, expected: list[str], tmp_path: Path) -> None:
    write(tmp_path / "set")
    found = parts(name, tmp_path / "set", data=data)
    assert [part.name for part in found] == expected
    for part in found:
        opened, _ = datasets.load(name, tmp_path / "set", part.subject, manifest=manifest(), **part.options)
        assert part.files
        assert all(file.is_file() for file in part.files)
        named = {Path(source["file"]).name for source in opened.meta["sources"]}
        assert named <= {file.name for file in part.files}, "every source is among the files"


def test_some_subjects(tmp_path: Path) -> None:
    root = seen.write_seen_eeg2(tmp_path, n_train=4, n_test=2)
    for label in ("sub-02", "2"):
        assert [part.subject for part in parts("things_eeg2", root, data="preprocessed", subjects=[label])] == ["02"]
    with pytest.raises(DataError, match="no subject '03'"):
        parts("things_eeg2", root, data="preprocessed", subjects=["03"])


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds no raw data of brennan2019"):
        parts("brennan2019", tmp_path)
    with pytest.raises(DataError, match="data of things_eeg2"):
        parts("things_eeg2", tmp_path)
    with pytest.raises(DataError, match="haxby"):
        parts("haxby2001", tmp_path)
