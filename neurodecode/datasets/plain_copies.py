"""Plain copies of data that are slow to open or may not be opened as they are: folders of `neurodecode.data.save`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from neurodecode.data import load
from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import sha256_file
from neurodecode.data.store import MARKER, read_marker, seal_responses
from neurodecode.errors import FormatError


def copy_of(file: Path) -> Path:
    """Folder of the plain copy of a file: its name without the ending."""
    return file.with_suffix("")


def has_copy(file: Path) -> bool:
    """Whether there is a plain copy of a file."""
    return (copy_of(file) / MARKER).is_file()


def origin(file: Path, name: str) -> dict[str, Any]:
    """What the ``meta`` of a plain copy says of the file it was made of: its name, sha256 and size."""
    return {"sources": [{"file": name, "sha256": sha256_file(file)}], "converted": {"bytes": file.stat().st_size}}


def is_current(file: Path, folder: Path) -> bool:
    """Whether a folder is a copy of a file of this size."""
    if not (folder / MARKER).is_file():
        return False
    return bool(read_marker(folder)["meta"].get("converted", {}).get("bytes") == file.stat().st_size)


def open_copy(file: Path, verify: bool, remedy: str) -> Any:
    """Open the plain copy of a file.

    Parameters
    ----------
    file : Path
        The file, which need not be there any more.
    verify : bool
        Compare the sha256 of its members.
    remedy : str
        How a copy is made.

    Returns
    -------
    Recording or Responses
        Memory maps.

    Raises
    ------
    FormatError
        If there is no copy, or the file has changed since.
    CorruptFileError
        If the copy is damaged.
    """
    if not has_copy(file):
        known = "it has no plain copy" if file.is_file() else "there is neither such a file nor a plain copy of it"
        raise FormatError(file, f"{known} in {copy_of(file).name}/", remedy)
    opened = load(copy_of(file), verify=verify)
    size = int(opened.meta.get("converted", {}).get("bytes", -1))
    if file.is_file() and file.stat().st_size != size:
        raise FormatError(file, f"it has {file.stat().st_size} bytes, its plain copy was made of {size}", remedy)
    return opened


def write_responses(
    folder: Path,
    shape: tuple[int, int, int],
    blocks: Iterable[NDArray[Any]],
    samples: pd.DataFrame,
    units: pd.DataFrame,
    times: NDArray[np.float64],
    meta: dict[str, Any],
) -> None:
    """Write responses block by block.

    Parameters
    ----------
    folder : Path
        Final name; it appears whole or not at all.
    shape : tuple of int
        (n_samples, n_units, n_times).
    blocks : iterable of array of shape (n, n_units, n_times)
        The responses in their order, numbers of any precision, written as float32.
    samples, units : DataFrame
        One row per sample and per unit.
    times : array of shape (n_times,)
        In s.
    meta : dict
        As in `Responses`.

    Raises
    ------
    DiskSpaceError
        If there is no room.
    """
    with atomic_folder(folder, MARKER, 4 * int(np.prod(shape, dtype=object))) as partial:
        with open(partial / "data.npy", "wb") as file:
            write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
            for block in blocks:
                file.write(np.ascontiguousarray(block, "<f4").tobytes())
        np.save(partial / "times.npy", times, allow_pickle=False)
        seal_responses(partial, samples, units, meta)
