"""Known checksums of files, compared when a reader opens a file for the first time.

Most formats hold no checksum of their numbers: a changed byte inside them reads as a changed value. Where somebody wrote down the
sha256 of a file, it is the only defence.
"""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from neurodecode.data.hashing import sha256_file
from neurodecode.errors import CorruptFileError

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_LEVELS = 8  # folders above a file that are searched for a lock: deeper than any BIDS derivative
_RESTORE = "Copy or download the file again; if it was changed on purpose, correct the checksum in {source}"


class Known(NamedTuple):
    """What is known of a file before it is opened."""

    sha256: str
    """In hexadecimal digits."""
    n_bytes: int | None
    """Length, where it is known."""
    source: Path
    """The file that says so."""


def check_known(path: str | Path) -> Path:
    """Compare a file with its known sha256, if there is one.

    Known are the sha256 in ``<file>.sha256`` beside it (as ``sha256sum`` writes it), and those in the ``*.lock.tsv`` (columns
    path, bytes, sha256; paths relative to the lock) of the nearest folder above that has one. A file is hashed once per process,
    and again when its size or time of change differ.

    Parameters
    ----------
    path : str or Path
        A file.

    Returns
    -------
    Path
        The same file.

    Raises
    ------
    CorruptFileError
        If length or sha256 are not the known ones, or the checksum cannot be read.
    """
    file = Path(path)
    known = known_checksum(file)
    if known is None:
        return file
    n_bytes, remedy = file.stat().st_size, _RESTORE.format(source=known.source)
    if known.n_bytes not in (None, n_bytes):
        raise CorruptFileError(file, f"{known.source.name} expects {known.n_bytes} bytes, found {n_bytes}", remedy)
    found = sha256_file(file)
    if found != known.sha256:
        raise CorruptFileError(file, f"{known.source.name} expects the sha256 {known.sha256}, found {found}", remedy)
    return file


def known_checksum(path: str | Path) -> Known | None:
    """Look up the known sha256 of a file.

    Parameters
    ----------
    path : str or Path
        A file.

    Returns
    -------
    Known or None
        From ``<file>.sha256``, else from the nearest lock above; None where neither knows it.

    Raises
    ------
    CorruptFileError
        If the checksum cannot be read.
    """
    file = Path(path).absolute()
    beside = file.with_name(f"{file.name}.sha256")
    if beside.is_file():
        return _from_sidecar(beside, file.name)
    for folder in file.parents[:_LEVELS]:
        locks = _locks(str(folder), folder.stat().st_mtime_ns)
        if locks:
            inside = file.relative_to(folder).as_posix()
            return next((known for lock in locks if (known := _lock_table(*_state(lock)).get(inside))), None)
    return None


def _from_sidecar(sidecar: Path, name: str) -> Known:
    """The line of a checksum file that speaks of this name, or its only line."""
    try:
        lines = [line.split(maxsplit=1) for line in sidecar.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise CorruptFileError(sidecar, f"it is no list of checksums ({error})", "Write it again with sha256sum") from error
    named = [line for line in lines if len(line) == 2 and Path(line[1].lstrip("*")).name == name]
    chosen = named or lines
    if len(chosen) != 1 or not _SHA256.fullmatch(chosen[0][0]):
        what = f"expected one line with the 64 digits of the sha256 of {name}, found {len(lines)} lines"
        raise CorruptFileError(sidecar, what, "Write it again with sha256sum")
    return Known(chosen[0][0].lower(), None, sidecar)


def _state(file: Path) -> tuple[str, int, int]:
    """Path, size and time of change: what a memory of a file's content has as its key."""
    status = file.stat()
    return str(file), status.st_size, status.st_mtime_ns


@lru_cache(maxsize=4096)
def _locks(folder: str, mtime_ns: int) -> tuple[Path, ...]:
    """Locks in a folder as it was at a time."""
    try:
        return tuple(sorted(path for path in Path(folder).glob("*.lock.tsv") if path.is_file()))
    except OSError:  # a folder above that may be passed through but not listed
        return ()


@lru_cache(maxsize=64)
def _lock_table(path: str, size: int, mtime_ns: int) -> dict[str, Known]:
    """Entries of a lock by path."""
    lock = Path(path)
    remedy = "Write it again; it needs the columns path, bytes and sha256"
    try:
        with open(lock, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        entries = {row["path"]: Known(row["sha256"].lower(), int(row["bytes"]), lock) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise CorruptFileError(lock, f"it is no lock of a data set ({type(error).__name__}: {error})", remedy) from error
    for name, known in entries.items():
        if not _SHA256.fullmatch(known.sha256):
            raise CorruptFileError(lock, f"the sha256 of {name} is {known.sha256!r}, expected 64 hexadecimal digits", remedy)
    return entries
