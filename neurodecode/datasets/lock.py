"""The lock of a data set whose files could not be hashed beforehand: path, bytes and sha256 of the first verified fetch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from neurodecode.data.atomic import write_text
from neurodecode.datasets.manifest import check_path
from neurodecode.errors import CorruptFileError, DataError

_HEADER = "path\tbytes\tsha256"
_REMEDY = "Delete it and fetch again, or take it from where the data were fetched first"


class Locked(NamedTuple):
    """What a file was when it was fetched first."""

    bytes: int
    """Size."""
    sha256: str
    """Hash in hexadecimal digits."""


def lock_name(dataset: str) -> str:
    """Name of the lock of a data set, beside its manifest or in the root of its data."""
    return f"{dataset}.lock.tsv"


def read_lock(path: str | Path) -> dict[str, Locked]:
    """Read a lock.

    Parameters
    ----------
    path : str or Path
        The table; it may be missing.

    Returns
    -------
    dict
        `Locked` by path; empty where there is no such file.

    Raises
    ------
    CorruptFileError
        If it is not such a table, with the line.
    """
    file = Path(path)
    if not file.is_file():
        return {}
    try:
        header, *lines = file.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise CorruptFileError(file, f"it is not text ({error})", _REMEDY) from error
    if header != _HEADER or not lines or lines.pop():
        raise CorruptFileError(
            file, f"expected the columns {_HEADER.split()} and a line end at its end, got {header[:80]!r}", _REMEDY
        )
    entries: dict[str, Locked] = {}
    for number, line in enumerate(lines, start=2):
        name, locked = _entry(file, number, line)
        if name in entries:
            raise CorruptFileError(file, f"line {number}: {name!r} is there twice", _REMEDY)
        entries[name] = locked
    return entries


def _entry(file: Path, number: int, line: str) -> tuple[str, Locked]:
    fields = line.split("\t")
    good = len(fields) == 3 and re.fullmatch(r"[0-9]{1,18}", fields[1]) and re.fullmatch(r"[0-9a-f]{64}", fields[2])
    try:
        name = check_path(fields[0])
    except DataError as error:
        raise CorruptFileError(file, f"line {number}: {error}", _REMEDY) from error
    if not good:
        raise CorruptFileError(file, f"line {number}: expected path, bytes and sha256, got {line[:120]!r}", _REMEDY)
    return name, Locked(int(fields[1]), fields[2])


def write_lock(path: str | Path, entries: Mapping[str, Locked]) -> None:
    """Write a lock, in the order of the paths.

    Parameters
    ----------
    path : str or Path
        The table; an older one is replaced.
    entries : mapping
        `Locked` by path.

    Raises
    ------
    DiskSpaceError
        If there is no room.
    """
    lines = [f"{name}\t{locked.bytes}\t{locked.sha256}" for name, locked in sorted(entries.items())]
    write_text(path, "\n".join([_HEADER, *lines, ""]))
