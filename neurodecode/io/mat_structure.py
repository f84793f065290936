"""The structure of MAT files of level 5, walked before scipy parses them, which can crash on damaged ones.

A file is a chain of elements, each with a type and a length; arrays, cells and structs hold elements themselves. Every length
must fit exactly into the one around it. Values are not read.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import NamedTuple

from neurodecode.errors import CorruptFileError

_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}  # bytes of each type of number
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _FIRST_NUMBER, _LAST_NUMBER = 1, 2, 3, 4, 5, 6, 15
_COMPLEX = 0x0800
_REMEDY = "Copy or download it again and compare its checksum, or save it again from its source"


class _Element(NamedTuple):
    """One element: its type, where its content begins and ends, and where the next element begins."""

    kind: int
    start: int
    end: int
    following: int


class _Damage(ValueError):
    """What is wrong, and at which byte."""


def check_mat(path: Path) -> None:
    """Check that the lengths inside a MAT file of level 5 fit into each other.

    Parameters
    ----------
    path : Path
        A file that begins with "MATLAB 5.0 MAT-file". The content of compressed elements has its own checksum and is not walked.

    Raises
    ------
    CorruptFileError
        If a length or a type is not possible; the message has the byte.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            order = {b"IM": "<", b"MI": ">"}.get(content[126:128], "")
            if not order:
                raise _Damage(f"its byte order is given as {content[126:128]!r}")
            for element in _elements(content, 128, len(content), order, padded=False):
                if element.kind == _MATRIX:
                    _check_matrix(content, element, order)
        except (_Damage, struct.error, RecursionError) as error:
            raise CorruptFileError(path, f"its structure is damaged: {error}", _REMEDY) from error


def _elements(content: mmap.mmap, start: int, end: int, order: str, *, padded: bool = True) -> Iterator[_Element]:
    """The elements between two bytes, one after the other, which must end exactly there."""
    position = start
    while position < end:
        element = _element(content, position, order)
        if element.end > end:
            raise _Damage(f"the element at byte {position} ends at byte {element.end}, after its frame, which ends at {end}")
        yield element
        position = min(element.following, end) if padded else element.end


def _element(content: mmap.mmap, position: int, order: str) -> _Element:
    kind, length = struct.unpack_from(order + "II", content, position)
    start = position + 8
    if kind >> 16:  # up to four bytes are packed into the tag itself
        kind, length, start = kind & 0xFFFF, kind >> 16, position + 4
    if kind not in _WIDTHS and kind not in (_MATRIX, _COMPRESSED):
        raise _Damage(f"there is no type {kind}, which stands at byte {position}")
    packed = start == position + 4
    if packed and length > 4:
        raise _Damage(f"the packed element at byte {position} states {length} bytes")
    following = position + 8 if packed else start + length + -length % 8
    return _Element(kind, start, start + length, following)


def _check_matrix(content: mmap.mmap, matrix: _Element, order: str) -> None:
    if matrix.end == matrix.start:
        return  # an empty array
    parts = list(_elements(content, matrix.start, matrix.end, order))
    if len(parts) < 3 or (parts[0].kind, parts[1].kind) != (6, 5) or parts[0].end - parts[0].start != 8:
        raise _Damage(f"the array at byte {matrix.start} has no flags, dimensions and name")
    flags = struct.unpack_from(order + "I", content, parts[0].start)[0]
    n_dims = (parts[1].end - parts[1].start) // 4
    size = prod(struct.unpack_from(f"{order}{n_dims}i", content, parts[1].start))
    kind, rest = flags & 0xFF, parts[3:]
    if kind in (_CELL, _STRUCT, _OBJECT):
        rest, expected = _members(content, kind, size, rest, order)
        _check_members(content, matrix, rest, expected, order)
    elif _FIRST_NUMBER <= kind <= _LAST_NUMBER:
        _check_numbers(matrix, rest, size, 2 if flags & _COMPLEX else 1)
    elif kind not in (_CHAR, _SPARSE, 16, 17):
        raise _Damage(f"there is no class {kind}, which the array at byte {matrix.start} has")


def _members(content: mmap.mmap, kind: int, size: int, parts: list[_Element], order: str) -> tuple[list[_Element], int]:
    """The arrays inside a cell or struct, and how many there must be."""
    if kind == _CELL:
        return parts, size
    skip = 1 if kind == _OBJECT else 0  # the name of the class
    if len(parts) < skip + 2:
        raise _Damage("a struct has no field names")
    width = struct.unpack_from(order + "i", content, parts[skip].start)[0]
    n_bytes = parts[skip + 1].end - parts[skip + 1].start
    if width <= 0 or n_bytes % width:
        raise _Damage(f"{n_bytes} bytes of field names at byte {parts[skip + 1].start} are no multiple of {width}")
    return parts[skip + 2 :], size * (n_bytes // width)


def _check_members(content: mmap.mmap, matrix: _Element, members: list[_Element], expected: int, order: str) -> None:
    if len(members) != expected or any(member.kind != _MATRIX for member in members):
        raise _Damage(f"the cell or struct at byte {matrix.start} has {len(members)} members, expected {expected} arrays")
    for member in members:
        _check_matrix(content, member, order)


def _check_numbers(matrix: _Element, parts: list[_Element], size: int, n_parts: int) -> None:
    """One element of numbers, two for complex ones, with as many values as the dimensions say."""
    counts = [(part.end - part.start) / _WIDTHS.get(part.kind, 1) for part in parts]
    if counts != [size] * n_parts and not (size == 0 and not any(counts)):
        raise _Damage(f"the array at byte {matrix.start} holds {counts} values, its dimensions ask for {size}")
