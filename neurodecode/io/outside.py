"""Files that name other files: what they name must lie beside them, so that no recording reads from elsewhere on the machine.

A link on the disk (datalad, git-annex) was made by its owner and is followed; a name inside a file may come from anybody.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from neurodecode.data.validate import require
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.guard import AGAIN, reading

_REMEDY = "Put the file that it names beside it, and write only its name"
_HDF5 = b"\x89HDF\r\n\x1a\n"


def check_name(path: str | Path, name: str) -> None:
    """Refuse a name inside a file that is more than the name of a file in the same folder.

    Parameters
    ----------
    path : str or Path
        The file that names another.
    name : str
        What it names.

    Raises
    ------
    FormatError
        If it is a path.
    """
    if name in ("", ".", "..") or any(mark in name for mark in ("/", "\\", "\0")) or name[1:2] == ":":
        raise FormatError(path, f"it names the file {name!r}, expected a file in its own folder", _REMEDY)


def check_links(path: str | Path) -> None:
    """Refuse an HDF5 file whose links or data sets lead to a file outside of its folder.

    Parameters
    ----------
    path : str or Path
        A file; what is no HDF5 file, with or without a MATLAB header, passes.

    Raises
    ------
    FormatError
        If a link, an external storage or a virtual data set names a path.
    CorruptFileError
        If the file cannot be opened.
    """
    with open(path, "rb") as start:
        head = start.read(520)
    if _HDF5 not in (head[:8], head[512:]):
        return
    h5py = require("h5py", "reading HDF5 files", "meeg")
    try:
        with reading(path, "it is an HDF5 file that cannot be opened"), h5py.File(path, "r") as file:
            for name in _outside_names(h5py, file):
                check_name(path, name)
    except RuntimeError as error:  # what the HDF5 library raises on damaged internals
        raise CorruptFileError(path, f"it is an HDF5 file that cannot be opened ({error})", AGAIN) from error


def _outside_names(h5py: Any, file: Any) -> list[str]:
    """Names of other files anywhere in an HDF5 file."""
    found: list[str] = []

    def note(_: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            links = [item.get(name, getlink=True) for name in item]
            found.extend(link.filename for link in links if isinstance(link, h5py.ExternalLink))
        elif isinstance(item, h5py.Dataset):
            found.extend(os.fsdecode(name) for name, *_ in item.external or ())
            if item.is_virtual:
                found.extend(source.file_name for source in item.virtual_sources() if source.file_name != ".")

    note("/", file)
    file.visititems(note)
    return found


def check_parts(path: Path, obj: Any) -> None:
    """Refuse an MNE object that reads from files outside of the folder of its first file.

    Parameters
    ----------
    path : Path
        The file or folder that the user passed.
    obj : mne.io.BaseRaw or mne.BaseEpochs
        What MNE made of it.

    Raises
    ------
    FormatError
        If one of its files lies elsewhere.
    """
    home, whole = Path(os.path.abspath(path.parent)), path.resolve()
    for name in filter(None, getattr(obj, "filenames", None) or ()):
        part = Path(os.path.abspath(name))
        if not part.is_relative_to(home) and part.resolve() != whole:
            raise FormatError(path, f"it names the file {str(name)!r}, expected a file in its own folder", _REMEDY)
