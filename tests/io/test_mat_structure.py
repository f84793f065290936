"""The structure of MAT files is walked: whole files pass, damaged lengths and types are found."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from neurodecode.errors import CorruptFileError
from neurodecode.io.mat_structure import check_mat

MEMBERS: dict[str, Any] = {
    "real": np.arange(12.0).reshape(3, 4),
    "complex": np.eye(3) * 1j,
    "integers": np.arange(5, dtype=np.int16),
    "flags": np.array([True, False]),
    "text": "some text",
    "empty": np.zeros((0, 3)),
    "cell": np.array([1, "b", np.zeros(2)], dtype=object),
    "struct": {"key": [1, 2], "nested": {"deep": "x"}},
    "structs": np.array([(1, "a"), (2, "b")], dtype=[("n", object), ("t", object)]),
    "sparse": scipy.sparse.eye(4).tocsc(),
}


def write(path: Path, members: dict[str, Any], *, compressed: bool = False) -> Path:
    scipy.io.savemat(path, members, do_compression=compressed)
    return path


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("compressed", [False, True])
def test_whole_files_pass(name: str, compressed: bool, tmp_path: Path) -> None:
    check_mat(write(tmp_path / "a.mat", {name: MEMBERS[name]}, compressed=compressed))


def test_several_members_pass(tmp_path: Path) -> None:
    check_mat(write(tmp_path / "a.mat", MEMBERS))


@pytest.mark.parametrize("name", [name for name in MEMBERS if name != "empty"])
@pytest.mark.parametrize("n_bytes", [1, 8, 30])
def test_cut_short(name: str, n_bytes: int, tmp_path: Path) -> None:
    file = write(tmp_path / "a.mat", {name: MEMBERS[name]})
    file.write_bytes(file.read_bytes()[:-n_bytes])
    with pytest.raises(CorruptFileError, match=r"a\.mat: its structure is damaged"):
        check_mat(file)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (126, b"XX", "byte order"),
        (128, struct.pack("<I", 99), "no type 99"),
        (132, struct.pack("<I", 10**6), "after its frame"),
        (144, struct.pack("<I", 60), "no class 60"),
        (160, struct.pack("<i", 40), "its dimensions ask for 160"),
        (136, struct.pack("<I", 5), "no flags, dimensions and name"),
    ],
)
def test_damaged_figures(offset: int, value: bytes, message: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.mat", {"real": MEMBERS["real"]})
    content = bytearray(file.read_bytes())
    content[offset : offset + len(value)] = value
    file.write_bytes(bytes(content))
    with pytest.raises(CorruptFileError, match=message):
        check_mat(file)


def test_member_of_a_struct_missing(tmp_path: Path) -> None:
    file = write(tmp_path / "a.mat", {"s": {"one": 1.0, "two": 2.0}})
    content = bytearray(file.read_bytes())
    width = content.index(struct.pack("<HHi", 5, 4, 4))  # the tag that holds the width of field names
    content[width + 4 : width + 8] = struct.pack("<i", 2)
    file.write_bytes(bytes(content))
    with pytest.raises(CorruptFileError, match="has 2 members, expected 4"):
        check_mat(file)


def test_random_damage_never_gets_past_as_another_error(tmp_path: Path) -> None:
    content, generator = write(tmp_path / "a.mat", MEMBERS).read_bytes(), np.random.default_rng(0)
    found = 0
    for _ in range(200):
        damaged = bytearray(content)
        for position in generator.integers(128, len(content), 4):
            damaged[position] = generator.integers(256)
        (tmp_path / "b.mat").write_bytes(bytes(damaged))
        try:
            check_mat(tmp_path / "b.mat")
        except CorruptFileError:
            found += 1
    assert found > 100
