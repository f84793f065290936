"""The header of a NIfTI file, checked before nibabel believes it: magic, shape, data offset and extensions."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any, NamedTuple

from neurodecode.errors import CorruptFileError
from neurodecode.io.guard import AGAIN, reading

_MAGIC = {348: (344, (b"n+1\0", b"ni1\0")), 540: (4, (b"n+2\0", b"ni2\0"))}


class _Layout(NamedTuple):
    """Where one version of NIfTI keeps what is checked."""

    dims: tuple[int, str]
    offset: tuple[int, str]


_LAYOUTS = {348: _Layout((40, "8h"), (108, "f")), 540: _Layout((16, "8q"), (168, "q"))}


def check_header(path: Path) -> None:
    """Check what a NIfTI-1 or NIfTI-2 header says about the places in its own file.

    Parameters
    ----------
    path : Path
        The file, compressed with gzip or not. Files that do not begin as NIfTI are left to nibabel.

    Raises
    ------
    CorruptFileError
        If the number of dimensions, a dimension, the data offset or the chain of extensions is impossible.
    """
    with open(path, "rb") as start:
        opener: Any = gzip.open if start.read(2) == b"\x1f\x8b" else open
    with reading(path, "its header cannot be read"), opener(path, "rb") as file:
        head = file.read(544)
        version = _version(head)
        if version is None:
            return
        size, order = version
        layout = _LAYOUTS[size]
        n_dims, *dims = struct.unpack_from(order + layout.dims[1], head, layout.dims[0])
        if not 1 <= n_dims <= 7 or min(dims[:n_dims]) < 1:
            raise CorruptFileError(path, f"its header states {n_dims} dimensions with the lengths {dims}", AGAIN)
        if head[slice(*_place(size))] in (b"n+1\0", b"n+2\0"):
            offset = struct.unpack_from(order + layout.offset[1], head, layout.offset[0])[0]
            _check_extensions(path, file, size + 4, offset, order)


def _version(head: bytes) -> tuple[int, str] | None:
    """Length and byte order of a header with a NIfTI magic; None where there is none."""
    for size in _MAGIC:
        if len(head) >= size and head[slice(*_place(size))] in _MAGIC[size][1]:
            for order in "<>":
                n_dims = struct.unpack_from(order + _LAYOUTS[size].dims[1], head, _LAYOUTS[size].dims[0])[0]
                if struct.unpack_from(order + "i", head)[0] == size or 1 <= n_dims <= 7:
                    return size, order
    return None


def _place(size: int) -> tuple[int, int]:
    start = _MAGIC[size][0]
    return start, start + 4


def _check_extensions(path: Path, file: Any, first: int, offset: float, order: str) -> None:
    """The voxels begin after the header, and the extensions between the two fill no more than that room."""
    if not (offset >= first and float(offset).is_integer()):
        raise CorruptFileError(path, f"its voxels begin at byte {offset:g}, within its header of {first} bytes", AGAIN)
    file.seek(first - 4)
    if not file.read(4)[:1].strip(b"\0"):
        return
    position = first
    while position + 16 <= offset:
        file.seek(position)
        start = file.read(4)
        length = struct.unpack(order + "i", start)[0] if len(start) == 4 else 0
        if length == 0:
            return
        if length < 8 or position + length > offset:
            raise CorruptFileError(
                path, f"its extension at byte {position} states {length} bytes, the voxels begin at byte {offset:g}", AGAIN
            )
        position += length
