"""A known sha256 is compared when a file is first opened, wherever it was written down."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import bids_trees
import meeg_files
import numpy as np
import pytest

from neurodecode import io
from neurodecode.data.hashing import _sha256_file
from neurodecode.errors import CorruptFileError
from neurodecode.io.checksums import check_known, known_checksum

TRUE = hashlib.sha256(b"signal").hexdigest()
WRONG = "0" * 64


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a" / "b" / "x.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"signal")
    return path


def sidecar(file: Path, text: str) -> Path:
    path = file.with_name(f"{file.name}.sha256")
    path.write_text(text)
    return path


def lock(folder: Path, digest: str, name: str = "a/b/x.bin", n_bytes: int = 6) -> Path:
    path = folder / "set.lock.tsv"
    path.write_text(f"path\tbytes\tsha256\n{name}\t{n_bytes}\t{digest}\n")
    return path


def test_an_unknown_file_passes(file: Path) -> None:
    assert known_checksum(file) is None
    assert check_known(file) == file


@pytest.mark.parametrize("text", [TRUE, f"{TRUE}  x.bin\n", f"{TRUE.upper()} *x.bin\n", f"{WRONG}  y.bin\n{TRUE}  x.bin\n"])
def test_the_true_sha256_passes(text: str, file: Path) -> None:
    sidecar(file, text)
    assert check_known(file) == file


@pytest.mark.parametrize("text", [WRONG, f"{WRONG}  x.bin\n"])
def test_another_sha256_is_an_error_with_both(text: str, file: Path) -> None:
    sidecar(file, text)
    with pytest.raises(CorruptFileError, match=rf"x\.bin: .*sha256 {WRONG}, found {TRUE}\. .*again"):
        check_known(file)


@pytest.mark.parametrize("text", ["", "\n", "abc", TRUE[:-1], f"{TRUE}  y.bin\n{TRUE}  z.bin\n", "\udcff"])
def test_a_sidecar_that_is_none(text: str, file: Path) -> None:
    path = sidecar(file, "")
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(CorruptFileError, match=r"x\.bin\.sha256.*sha256sum"):
        check_known(file)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_lock_in_any_folder_above(level: int, file: Path) -> None:
    folder = file.parents[level]
    lock(folder, TRUE, file.relative_to(folder).as_posix())
    assert check_known(file) == file
    lock(folder, WRONG, file.relative_to(folder).as_posix())
    with pytest.raises(CorruptFileError, match=r"set\.lock\.tsv expects the sha256 0{64}"):
        check_known(file)


def test_the_nearest_lock_and_the_sidecar_first(file: Path) -> None:
    lock(file.parents[2], WRONG)
    lock(file.parents[1], TRUE, "b/x.bin")
    assert check_known(file) == file
    sidecar(file, WRONG)
    with pytest.raises(CorruptFileError):
        check_known(file)


def test_a_lock_that_does_not_list_the_file(file: Path) -> None:
    lock(file.parent, TRUE, "other.bin")
    assert known_checksum(file) is None


def test_the_length_is_compared_first(file: Path) -> None:
    lock(file.parent, TRUE, "x.bin", 7)
    with pytest.raises(CorruptFileError, match="expects 7 bytes, found 6"):
        check_known(file)


@pytest.mark.parametrize(
    "text",
    ["path\tbytes\n", "path\tbytes\tsha256\nx.bin\tmany\t" + TRUE, "path\tbytes\tsha256\nx.bin\t6\tabc", "path\tsha256\nx"],
)
def test_a_lock_that_is_none(text: str, file: Path) -> None:
    (file.parent / "set.lock.tsv").write_text(text + "\n")
    if text == "path\tbytes\n":
        assert known_checksum(file) is None
    else:
        with pytest.raises(CorruptFileError, match=r"set\.lock\.tsv"):
            check_known(file)


def test_a_file_is_hashed_once_and_again_when_it_changed(file: Path) -> None:
    sidecar(file, TRUE)
    check_known(file)
    misses = _sha256_file.cache_info().misses
    check_known(file)
    assert _sha256_file.cache_info().misses == misses
    file.write_bytes(b"sIgnal")
    os.utime(file, ns=(1, 1))
    with pytest.raises(CorruptFileError, match="sha256"):
        check_known(file)


@pytest.mark.parametrize("part", ["eeg.eeg", "eeg.vhdr", "eeg.vmrk", "channels.tsv", "events.tsv", "eeg.json"])
def test_every_part_of_a_bids_recording(part: str, tmp_path: Path) -> None:
    path = meeg_files.write_bids(tmp_path / "bids")
    stem = path.name.removesuffix("eeg.vhdr")
    target = path.with_name(stem + part)
    before = np.asarray(io.read_bids(tmp_path / "bids", subject="01").data)
    sidecar(target, hashlib.sha256(target.read_bytes()).hexdigest())
    np.testing.assert_array_equal(np.asarray(io.read_bids(tmp_path / "bids", subject="01").data), before)
    sidecar(target, WRONG)
    with pytest.raises(CorruptFileError, match=f"{part}.*expects the sha256"):
        io.read_bids(tmp_path / "bids", subject="01")


@pytest.mark.parametrize("read", [io.read, io.read_nifti])
def test_a_volume(read: object, tmp_path: Path) -> None:
    path = bids_trees.write_volume(tmp_path / "x.nii", bids_trees.bold(0))
    sidecar(path, WRONG)
    with pytest.raises(CorruptFileError, match=r"x\.nii.*expects the sha256"):
        read(path)  # type: ignore[operator]
