"""Variables of MAT files, of any version, read without surprises."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neurodecode.data.validate import require
from neurodecode.errors import FormatError
from neurodecode.io.guard import AGAIN, existing_file, reading
from neurodecode.io.mat_structure import check_mat
from neurodecode.io.outside import check_links


def read_mat(path: str | Path, variables: Sequence[str]) -> dict[str, Any]:
    """Read some variables of a MAT file.

    Parameters
    ----------
    path : str or Path
        A file of level 5 or of version 7.3 (HDF5).
    variables : sequence of str
        Those that must be there.

    Returns
    -------
    dict of str to object
        Numbers as arrays, texts as str, structs as dict, cells as lists.

    Raises
    ------
    FormatError
        If there is no such file, or a variable is missing.
    CorruptFileError
        If it is damaged.
    """
    file = existing_file(path)
    pymatreader = require("pymatreader", "reading MAT files", "meeg")
    with open(file, "rb") as start:
        is_level_5 = start.read(19) == b"MATLAB 5.0 MAT-file"
    if is_level_5:
        check_mat(file)
    check_links(file)
    with reading(file, "it is not a readable MAT file"):
        content: dict[str, Any] = pymatreader.read_mat(file)
    missing = [name for name in variables if name not in content]
    if missing:
        raise FormatError(file, f"it has no variable {missing[0]!r}, only {sorted(content)[:12]}", AGAIN)
    return content
