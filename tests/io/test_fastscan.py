"""Digitised points."""

from __future__ import annotations

from pathlib import Path

import meg_files
import numpy as np
import pytest

from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.fastscan import read_fastscan


def test_points_come_back_in_metres(tmp_path: Path) -> None:
    places = np.array([[0.1, 0.03, -0.02], [0.0, 0.08, 0.0]])
    np.testing.assert_allclose(read_fastscan(meg_files.write_points(tmp_path / "a.pos", places)), places, atol=1e-8)


def test_comments_and_a_title(tmp_path: Path) -> None:
    (tmp_path / "a.pos").write_text("FastSCAN V1.0\n% x y z\n1 2 3 % nasion\n\n4e0\t5\t6\n")
    np.testing.assert_allclose(read_fastscan(tmp_path / "a.pos"), [[0.001, 0.002, 0.003], [0.004, 0.005, 0.006]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("% nothing\n", "none of its 1 lines is a point"),
        ("1 2 3\n4 5\n", "line 2 is no point: '4 5'"),
        ("1 2 3\n4 5 nan\n", "line 2"),
        ("1 2 3\na b c\n", "line 2"),
    ],
)
def test_what_is_no_point(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.pos").write_text(text)
    with pytest.raises(CorruptFileError, match=message):
        read_fastscan(tmp_path / "a.pos")


def test_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.pos").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorruptFileError, match="no text"):
        read_fastscan(tmp_path / "a.pos")
    with pytest.raises(FormatError, match="no such file"):
        read_fastscan(tmp_path / "b.pos")
