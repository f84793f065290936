"""Data sets that a person fetches: the steps are told, files that are there are locked, and a later change is noticed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from datasets.test_manifest import GOOD, MANUAL

from neurodecode.datasets import fetch, to_croissant, verify
from neurodecode.datasets.lock import read_lock
from neurodecode.datasets.manifest import Manifest
from neurodecode.errors import CorruptFileError, DataError, FormatError

ABOUT = Manifest.model_validate(
    {**{k: v for k, v in GOOD.items() if k not in ("files", "size_bytes")}, "access": "dua", "manual": MANUAL}
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "proc").mkdir()
    for name in ("S01.mat", "S02.mat", "proc/S01.mat", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def get(root: Path, **options: Any) -> Any:
    return fetch(ABOUT, root=root, progress=False, **{"announce": lambda text: None, **options})


def test_the_steps_are_told_where_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none of the files of planted .*https://example.org/form: \(1\) Sign the form"):
        get(tmp_path)


def test_files_are_locked_without_a_token(root: Path) -> None:
    said: list[str] = []
    done = get(root, announce=said.append)
    assert done.files == ("S01.mat", "S02.mat", "proc/S01.mat")
    assert done.n_bytes == 7 + 7 + 12
    assert "https://example.org/form" in said[0]
    locked = read_lock(root / "planted.lock.tsv")
    assert list(locked) == ["S01.mat", "S02.mat", "proc/S01.mat"]
    assert locked["S02.mat"].sha256 == hashlib.sha256(b"S02.mat").hexdigest()
    assert verify(ABOUT, root) == []


def test_a_dry_run_writes_nothing(root: Path) -> None:
    assert len(get(root, dry_run=True).files) == 3
    assert not (root / "planted.lock.tsv").exists()


def test_a_changed_file_is_noticed_and_the_rest_is_locked(root: Path) -> None:
    get(root, only="S01.mat")
    (root / "S01.mat").write_bytes(b"other!!")
    assert verify(ABOUT, root) == [f"S01.mat: its sha256 is not {hashlib.sha256(b'S01.mat').hexdigest()}"]
    with pytest.raises(CorruptFileError, match=r"S01\.mat: the lock expects"):
        get(root)
    (root / "S01.mat").write_bytes(b"S01.mat")
    assert len(get(root).files) == 3
    assert len(read_lock(root / "planted.lock.tsv")) == 3


def test_patterns(root: Path) -> None:
    assert get(root, only="proc/*").files == ("proc/S01.mat",)
    with pytest.raises(DataError, match="none of the 3 files of planted matches"):
        get(root, only="*.fif")


def test_verify_before_the_first_fetch(root: Path) -> None:
    with pytest.raises(FormatError, match=r"no planted\.lock\.tsv"):
        verify(ABOUT, root)


def test_croissant_names_the_page(root: Path) -> None:
    get(root)
    described = to_croissant(ABOUT, read_lock(root / "planted.lock.tsv"))
    assert described["url"] == described["distribution"][0]["contentUrl"] == "https://example.org/form"
    assert [entry["@id"] for entry in described["distribution"]][2:] == ["S01.mat", "S02.mat", "proc/S01.mat"]
