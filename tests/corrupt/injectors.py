"""Damage to copies of files: ``damage(file, kind, seed)``."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
from corrupt.headers import Change

KINDS = ("truncate", "header", "flip")


def damage(file: Path, kind: str, seed: int, header: Change | None = None) -> str:
    """Damage a file in place and say how; the same name, kind and seed give the same damage.

    ``truncate`` cuts it at a random byte, ``header`` makes its header contradict it (by `header`, one of `corrupt.headers`),
    ``flip`` changes one bit of its last three quarters.
    """
    generator = np.random.default_rng([seed, crc32(f"{file.name} {kind}".encode())])
    content = file.read_bytes()
    if kind == "truncate":
        length = int(generator.integers(1, len(content)))
        damaged, what = content[:length], f"cut after {length} of {len(content)} bytes"
    elif kind == "flip":
        place, bit = int(generator.integers(len(content) // 4, len(content))), int(generator.integers(8))
        damaged = content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]
        what = f"bit {bit} of byte {place} flipped"
    else:
        assert header, f"there is no header damage for {file.name}"
        damaged, what = header(content, generator)
    assert damaged != content, f"{what} changes nothing in {file.name}"
    file.write_bytes(damaged)
    return what
