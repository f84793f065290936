"""Variables of MATLAB files, of level 5 and of the HDF5 layout (v7.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import require, suggest
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.guard import AGAIN, existing_file, reading
from neurodecode.io.hdf5_structure import check_stored
from neurodecode.io.mat_structure import check_mat
from neurodecode.io.outside import check_links

_LEVEL_5, _LEVEL_7 = b"MATLAB 5.0 MAT-file", b"MATLAB 7."
_REMEDY = "Take the file as its authors published it"


def read_mat(path: str | Path, names: Sequence[str]) -> dict[str, Any]:
    """Read variables of a MATLAB file.

    Parameters
    ----------
    path : str or Path
        A file of level 5 or v7.3, of any name. The structure of level 5 is walked first, and links to other files are refused.
    names : sequence of str
        Variables to read; the others stay unread.

    Returns
    -------
    dict
        Arrays without the axes of length 1, texts, and a dictionary for each struct; a cell is a list, one of a single item is
        that item (see `numbers` and `texts`).

    Raises
    ------
    FormatError
        If there is no such file, it is no MATLAB file of these levels, or lacks a variable.
    CorruptFileError
        If it is damaged.
    """
    pymatreader = require("pymatreader", "reading MATLAB files", "meeg")
    file = existing_file(path)
    _check(file)
    try:
        with reading(file, "its variables cannot be read"):
            values: dict[str, Any] = pymatreader.read_mat(file, variable_names=list(names))
    except RuntimeError as error:  # what the HDF5 library raises on damaged internals
        raise CorruptFileError(file, f"its variables cannot be read ({error})", AGAIN) from error
    for name in names:
        member(values, file, name)
    return {name: values[name] for name in names}


def _check(file: Path) -> None:
    """Refuse other formats, damaged structures and links to elsewhere."""
    with open(file, "rb") as opened:
        head = opened.read(len(_LEVEL_5))
    if head == _LEVEL_5:
        return check_mat(file)
    if not head.startswith(_LEVEL_7):
        raise FormatError(file, f"it is no MATLAB file of level 5 or v7.3, it begins with {head!r}", _REMEDY)
    check_links(file)
    h5py = require("h5py", "reading MATLAB files of v7.3", "meeg")
    with reading(file), h5py.File(file, "r") as opened:
        check_stored(opened)


def member(value: Any, file: Path, *names: str) -> Any:
    """A field of a struct, of a struct inside it, and so on.

    Parameters
    ----------
    value : dict
        Variables that were read, or a struct.
    file : Path
        Where they come from.
    *names : str
        Names of the fields, from the outside to the inside.

    Returns
    -------
    object
        The value.

    Raises
    ------
    FormatError
        Naming the file and the first field that is not there.
    """
    for i, name in enumerate(names):
        if not isinstance(value, Mapping) or name not in value:
            known = [key for key in value if not key.startswith("__")] if isinstance(value, Mapping) else []
            where = f"{'.'.join(names[:i])} has no field {name!r}" if i else f"it has no variable {name!r}"
            raise FormatError(file, f"{where}: {suggest(name, known)}" if known else where, _REMEDY)
        value = value[name]
    return value


def numbers(value: Any, file: Path, what: str) -> NDArray[np.float64]:
    """Numbers as a vector: MATLAB knows no difference between one number and many.

    Parameters
    ----------
    value : object
        What was read.
    file : Path
        Where it comes from.
    what : str
        What it is, for the message.

    Returns
    -------
    array of shape (n,)
        The numbers.

    Raises
    ------
    FormatError
        If it is something else.
    """
    try:
        return np.asarray(value, np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise FormatError(file, f"{what} holds no numbers, but {str(value)[:80]!r}", _REMEDY) from error


def texts(value: Any) -> list[str]:
    """Texts of a cell: one text is a list of one, nothing an empty list, and numbers become texts."""
    if isinstance(value, str):
        return [value] if value else []
    items = np.asarray(value, object).reshape(-1).tolist() if value is not None else []
    return [str(int(item)) if isinstance(item, float) and item.is_integer() else str(item) for item in items]
