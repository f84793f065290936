"""Variables of MATLAB files of both layouts; other formats, links to elsewhere and damage are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.matlab import member, numbers, read_mat, texts

VALUES = np.arange(6.0).reshape(2, 3)


def level_5(path: Path) -> Path:
    scipy.io.savemat(path, {"data": VALUES, "info": {"fs": 128.0, "more": {"name": "x"}}, "other": np.zeros(9)})
    return path


def level_73(path: Path) -> Path:
    """As MATLAB writes it: a block of 512 bytes before the HDF5 file, axes in reverse."""
    with h5py.File(path, "w", userblock_size=512) as file:
        data = file.create_dataset("data", data=VALUES.T)
        fs = file.create_dataset("info/fs", data=[[128.0]])
        name = file.create_dataset("info/more/name", data=np.array([[ord("x")]], np.uint16))
        for item, kind in (
            (data, "double"),
            (fs, "double"),
            (name, "char"),
            (file["info"], "struct"),
            (file["info/more"], "struct"),
        ):
            item.attrs["MATLAB_class"] = np.bytes_(kind)
    with open(path, "r+b") as opened:
        opened.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


@pytest.fixture(params=[level_5, level_73])
def path(request: Any, tmp_path: Path) -> Path:
    return request.param(tmp_path / "a.mat")


def test_values(path: Path) -> None:
    values = read_mat(path, ["data", "info"])
    assert set(values) == {"data", "info"}
    np.testing.assert_array_equal(values["data"], VALUES)
    assert numbers(member(values, path, "info", "fs"), path, "fs").tolist() == [128.0]
    assert texts(member(values, path, "info", "more", "name")) == ["x"]


def test_what_is_not_there(path: Path) -> None:
    with pytest.raises(FormatError, match=r"a\.mat: it has no variable 'date'"):
        read_mat(path, ["data", "date"])
    values = read_mat(path, ["info"])
    with pytest.raises(FormatError, match=r"info\.more has no field 'names': did you mean 'name'"):
        member(values, path, "info", "more", "names")
    with pytest.raises(FormatError, match=r"info\.fs has no field 'x'"):
        member(values, path, "info", "fs", "x")


def test_damage(path: Path) -> None:
    whole = path.read_bytes()
    for n in (130, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:n])
        with pytest.raises((CorruptFileError, FormatError), match=r"a\.mat"):
            read_mat(path, ["data", "info"])


def test_other_formats(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        read_mat(tmp_path / "b.mat", ["data"])
    (tmp_path / "a.mat").write_bytes(b"PK\x03\x04" + bytes(200))
    with pytest.raises(FormatError, match="no MATLAB file of level 5"):
        read_mat(tmp_path / "a.mat", ["data"])


def test_links_to_elsewhere(tmp_path: Path) -> None:
    path = level_73(tmp_path / "a.mat")
    with h5py.File(path, "a") as file:
        file["away"] = h5py.ExternalLink("/etc/secret.h5", "x")
    with pytest.raises(FormatError, match="/etc/secret"):
        read_mat(path, ["data"])


def test_texts_and_numbers() -> None:
    assert texts("") == texts([]) == texts(np.empty((0,))) == []
    assert texts(["a", "b"]) == ["a", "b"]
    assert texts(np.array([12.0, 30.0])) == ["12", "30"]
    assert numbers(3, Path("a.mat"), "n").tolist() == [3.0]
    with pytest.raises(FormatError, match="n holds no numbers, but 'five'"):
        numbers("five", Path("a.mat"), "n")
