"""The structure of FIF files: a chain of tags in nested blocks, and data buffers of whole samples of one type."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from neurodecode.errors import CorruptFileError

_BLOCK_START, _BLOCK_END, _N_CHANNELS, _BUFFER, _SKIP = 104, 105, 200, 300, 301
_RAW_BLOCKS = (102, 112, 119)  # raw, continuous, and raw with internal active shielding
_WIDTHS = {2: 2, 3: 4, 4: 4, 5: 8, 16: 2, 20: 8, 21: 16}  # bytes of each type that a buffer may have
_FILE_TAGS = {*range(100, 112), 206, 208, 209}  # of any block, and the first and last sample
_REMEDY = "Copy or download it again and compare its checksum; read_meeg(..., strict=False) reads what is there"


class _Tag(NamedTuple):
    """One tag, and the kind of the block that it stands in."""

    position: int
    kind: int
    type: int
    size: int
    block: int


def check_fif(path: Path) -> None:
    """Check that the tags of a FIF file form a chain and its data buffers fit its channels.

    Parameters
    ----------
    path : Path
        The file, compressed with gzip or not.

    Raises
    ------
    CorruptFileError
        If the chain of tags leaves the file or a block stays open, if data buffers have several types or hold no whole samples,
        or if between them stands a tag of their size that is none.
    """
    with open(path, "rb") as start:
        compressed = start.read(2) == b"\x1f\x8b"
    size = None if compressed else path.stat().st_size
    opener: Any = gzip.open if compressed else open
    n_channels, data = 0, []
    with opener(path, "rb") as file:
        for tag in _tags(path, file, size):
            if tag.kind == _N_CHANNELS and not n_channels and tag.size == 4:
                file.seek(tag.position + 16)
                n_channels = struct.unpack(">i", file.read(4))[0]
            if tag.block in _RAW_BLOCKS:
                data.append(tag)
    if n_channels > 0:
        _check_buffers(path, data, n_channels)


def _wrong(path: Path, what: str) -> CorruptFileError:
    return CorruptFileError(path, what, _REMEDY)


def _tags(path: Path, file: Any, size: int | None) -> Iterator[_Tag]:
    """Follow the tags to the end; every block that is opened must be closed, and there must be one."""
    position, blocks, n_blocks = 0, [0], 0
    while True:
        file.seek(position)
        header = file.read(16)
        if not header:
            break
        if len(header) < 16:
            raise _wrong(path, f"it ends within a tag, at byte {position + len(header)}")
        kind, kind_of_value, length, following = map(int, struct.unpack(">iIii", header))
        end = position + 16 + length
        if length < 0 or (size is not None and end > size):
            raise _wrong(path, f"the tag at byte {position} states {length} bytes, the file ends after {size}")
        yield _Tag(position, kind, kind_of_value, length, blocks[-1])
        n_blocks += kind == _BLOCK_START
        _follow_blocks(path, file, position, kind, length, blocks)
        if following < 0:
            break
        if 0 < following <= position:
            raise _wrong(path, f"the tag at byte {position} points back to byte {following}")
        position = following or end
    if len(blocks) > 1 or (not header and not n_blocks):
        raise _wrong(path, f"it ends within its data: {len(blocks) - 1 or 1} blocks are not closed")


def _follow_blocks(path: Path, file: Any, position: int, kind: int, length: int, blocks: list[int]) -> None:
    """Enter or leave a block where a tag says so."""
    if kind not in (_BLOCK_START, _BLOCK_END):
        return
    file.seek(position + 16)
    named = file.read(4) if length == 4 else b""
    block = struct.unpack(">i", named)[0] if len(named) == 4 else None
    if kind == _BLOCK_START:
        blocks.append(-1 if block is None else int(block))
    elif len(blocks) == 1 or block not in (None, blocks.pop()):
        raise _wrong(path, f"the end of a block at byte {position} closes block {block}, which is not the one that is open")


def _check_buffers(path: Path, tags: list[_Tag], n_channels: int) -> None:
    """Buffers of one type with whole samples, and no other tag that could be one of them."""
    buffers = [tag for tag in tags if tag.kind == _BUFFER]
    types = sorted({tag.type for tag in buffers})
    if len(types) > 1 or not set(types) <= set(_WIDTHS):
        raise _wrong(path, f"its data buffers have the types {types}, expected one of {sorted(_WIDTHS)}")
    for tag in buffers:
        frame = n_channels * _WIDTHS[tag.type]
        if tag.size % frame:
            what = f"no whole samples of {n_channels} channels ({frame} bytes each)"
            raise _wrong(path, f"the data buffer at byte {tag.position} has {tag.size} bytes, {what}")
    sizes = {tag.size for tag in buffers}
    for tag in tags:
        lost = tag.kind != _BUFFER and tag.kind not in _FILE_TAGS and tag.size in sizes
        if lost or (tag.kind == _SKIP and tag.size != 4):
            raise _wrong(path, f"the tag at byte {tag.position} among the data has the kind {tag.kind} and {tag.size} bytes")
