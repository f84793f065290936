"""Forty archives that try to write where they must not, or to fill the disk; each is made in code and holds one good file."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

GOOD = ("data/good.txt", b"good\n" * 100)


def _tar(*members: tuple[str, bytes, dict], mode: str = "w", **options: object) -> Callable[[Path], None]:
    """A tar of the good file and members of given name, content and header fields."""

    def write(path: Path) -> None:
        with tarfile.open(path, mode, **options) as archive:  # type: ignore[call-overload]
            for name, content, fields in ((*GOOD, {}), *members):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                for key, value in fields.items():
                    setattr(info, key, value)
                archive.addfile(info, io.BytesIO(content))

    return write


def _zip(*members: tuple[str, bytes, int], compression: int = zipfile.ZIP_STORED) -> Callable[[Path], None]:
    """A zip of the good file and members of given name, content and Unix mode."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content, mode in ((*GOOD, 0o644), *members):
                info = zipfile.ZipInfo("placeholder")
                info.filename = name
                info.external_attr = mode << 16
                info.compress_type = compression
                archive.writestr(info, content)

    return write


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[str, bytes, dict]:
    return (name, b"", {"type": kind, "linkname": target})


def plain(name: str, content: bytes = b"evil") -> tuple[str, bytes, dict]:
    return (name, content, {})


def packed(name: str, mode: int = 0o644, content: bytes = b"evil") -> tuple[str, bytes, int]:
    return (name, content, mode)


def _lying_zip(path: Path) -> None:
    """The directory states 4 bytes, the member unfolds to a million."""
    _zip(packed("big", content=bytes(1_000_000)), compression=zipfile.ZIP_DEFLATED)(path)
    raw = path.read_bytes().replace(struct.pack("<I", 1_000_000), struct.pack("<I", 4))
    path.write_bytes(raw)


def _huge_header(path: Path) -> None:
    """A pax header that claims a gigabyte of attributes, packed to a megabyte."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    with open(path, "wb") as file:
        file.write(packer.compress(info.tobuf()))
        file.write(packer.compress(bytes(1 << 20)) + packer.flush())


def _bomb_in_tail(path: Path) -> None:
    """A tar.gz of 30 MB of zeros in 30 kB."""
    _tar(plain("zeros", bytes(30_000_000)), mode="w:gz")(path)


def _sparse(path: Path) -> None:
    _tar(("sparse", b"", {"type": tarfile.GNUTYPE_SPARSE}))(path)


HOSTILE: dict[str, Callable[[Path], None]] = {
    "tar parent": _tar(plain("../evil")),
    "tar parent inside": _tar(plain("data/../../evil")),
    "tar parent that stays": _tar(plain("data/../evil")),
    "tar absolute": _tar(plain("/tmp/neurodecode_evil")),
    "tar sibling prefix": _tar(plain("../target_evil/evil")),
    "tar windows drive": _tar(plain("C:/evil")),
    "tar backslash": _tar(plain("..\\evil")),
    "tar empty part": _tar(plain("data//evil")),
    "tar dot inside": _tar(plain("data/./evil")),
    "tar newline": _tar(plain("data/evil\nname")),
    "tar symlink out": _tar(link("out", "..")),
    "tar symlink absolute": _tar(link("out", "/tmp")),
    "tar symlink then file": _tar(link("out", ".."), plain("out/evil")),
    "tar symlink inside": _tar(link("data/alias", "good.txt")),
    "tar symlink to itself": _tar(link("loop", "loop")),
    "tar hardlink out": _tar(link("hard", "../outside.txt", tarfile.LNKTYPE)),
    "tar hardlink absolute": _tar(link("hard", "/etc/passwd", tarfile.LNKTYPE)),
    "tar hardlink inside": _tar(link("hard", "data/good.txt", tarfile.LNKTYPE)),
    "tar character device": _tar(("null", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})),
    "tar block device": _tar(("disk", b"", {"type": tarfile.BLKTYPE, "devmajor": 8})),
    "tar fifo": _tar(("pipe", b"", {"type": tarfile.FIFOTYPE})),
    "tar sparse": _sparse,
    "tar twice": _tar(plain("evil", b"a"), plain("evil", b"b")),
    "tar case": _tar(plain("DATA/good.txt")),
    "tar unicode": _tar(plain("caf\u00e9"), plain("cafe\u0301")),
    "tar file as folder": _tar(plain("data/good.txt/evil")),
    "tar bomb": _tar(plain("zeros", bytes(3_000_000)), mode="w:gz"),
    "tar larger bomb": _bomb_in_tail,
    "tar header bomb": _huge_header,
    "tar long name": _tar(plain("x" * 300)),
    "zip parent": _zip(packed("../evil")),
    "zip absolute": _zip(packed("/tmp/neurodecode_evil")),
    "zip sibling prefix": _zip(packed("../target_evil/evil")),
    "zip backslash": _zip(packed("..\\evil")),
    "zip symlink": _zip(packed("out", 0o120777, b"..")),
    "zip symlink then file": _zip(packed("out", 0o120777, b".."), packed("out/evil")),
    "zip device": _zip(packed("null", 0o020666)),
    "zip case": _zip(packed("Data/GOOD.txt")),
    "zip bomb": _zip(packed("zeros", content=bytes(3_000_000)), compression=zipfile.ZIP_DEFLATED),
    "zip that lies": _lying_zip,
    "zip file as folder": _zip(packed("data/good.txt/evil")),
    "zip unicode": _zip(packed("caf\u00e9"), packed("cafe\u0301")),
}
