"""Archives unpacked so that nothing lands outside the target, whatever the archive says."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import uuid
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from neurodecode.data.validate import check_positive
from neurodecode.datasets.disk import room
from neurodecode.datasets.manifest import check_path, same_name
from neurodecode.errors import CorruptFileError, DataError, FormatError, OutputExistsError

RATIO = 20  # an archive that unfolds to more than this many times its size is a bomb
_CHUNK = 1 << 20
_REMEDY = "Do not use this archive; report it where it came from"
_LONGEST = 255  # bytes of one name on the usual file systems
_OVERHEAD = 2048  # bytes of headers that a member of a tar may have
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError)
_Opened = zipfile.ZipFile | tarfile.TarFile


class _Member(NamedTuple):
    """One entry of an archive."""

    path: str
    size: int
    folder: bool
    entry: Any


def extract(archive: str | Path, target: str | Path, *, max_files: int = 200_000, max_bytes: int | None = None) -> list[Path]:
    """Unpack a tar or zip archive into a new folder.

    Refused are links, devices, absolute paths, ``..``, names that occur twice or differ in case or Unicode form only, a file
    that is also a folder, encrypted members, and bombs. Owners and modes of the archive are not taken over. Everything goes to a
    temporary folder first, which gets its name when it is complete.

    Parameters
    ----------
    archive : str or Path
        ``.tar``, ``.tar.gz``, ``.tar.bz2``, ``.tar.xz`` or ``.zip``; recognised by content.
    target : str or Path
        Folder that does not exist yet, or is empty.
    max_files : int
        Most members, folders included.
    max_bytes : int, optional
        Most bytes of all files together, e.g. what a manifest declares; never more than 20 times the archive.

    Returns
    -------
    list of Path
        The files, sorted.

    Raises
    ------
    FormatError
        If the archive is of another kind, or holds what is refused; nothing is left at `target`.
    CorruptFileError
        If it is damaged.
    OutputExistsError
        If `target` holds something already.
    DiskSpaceError
        If there is no room.
    """
    source, folder = Path(archive), Path(os.path.realpath(target))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputExistsError(f"{target} exists and is not an empty folder: choose another one")
    most = RATIO * _size(source)
    if max_bytes is not None:
        most = min(most, int(check_positive("max_bytes", max_bytes)))
    files = int(check_positive("max_files", max_files))
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    try:
        with room(folder), _opened(source, most + _OVERHEAD * (files + 10)) as opened:
            names = _unpack(opened, partial, files, most)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return sorted(folder / name for name in names)


def _size(source: Path) -> int:
    if not source.is_file():
        raise FormatError(source, "there is no such file", "Check the path")
    return source.stat().st_size


@contextmanager
def _opened(source: Path, limit: int) -> Iterator[_Opened]:
    """The archive, opened by its content; what its reader raises names the file."""
    try:
        with ExitStack() as stack:
            if zipfile.is_zipfile(source):
                yield stack.enter_context(zipfile.ZipFile(source))
                return
            with open(source, "rb") as file:
                head = file.read(6)
            stream = stack.enter_context(_uncompressed(source, head))
            yield stack.enter_context(tarfile.open(fileobj=_Limited(stream, limit), mode="r:"))
    except DataError as error:
        raise FormatError(source, str(error), _REMEDY) from error
    except (*_BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk, not of the archive: bz2 and gzip raise OSError without a number
        text = " ".join(str(error).split())[:200]
        what = f"it is no whole tar or zip archive ({type(error).__name__}: {text})"
        raise CorruptFileError(source, what, "Fetch it again, and check that it is an archive") from error


def _uncompressed(source: Path, head: bytes) -> IO[bytes]:
    """The bytes of a tar, whatever they are packed with."""
    openers: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
    opener = next((opener for magic, opener in openers.items() if head.startswith(magic)), _plain)
    stream: IO[bytes] = opener(source)
    return stream


def _plain(source: Path) -> IO[bytes]:
    return open(source, "rb")


class _Limited(io.RawIOBase):
    """A stream that ends in an error where a bomb would go on; headers that claim gigabytes are never read."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        super().__init__()
        self._stream, self._limit = stream, limit

    def seekable(self) -> bool:
        """Tar members are sought."""
        return True

    def readable(self) -> bool:
        """It is read only."""
        return True

    def tell(self) -> int:
        """Position in the unpacked bytes."""
        return self._stream.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position before the limit."""
        if whence == 0 and offset > self._limit:
            raise DataError(f"it unfolds to more than {self._limit} bytes")
        return self._stream.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, at most a few chunks at once."""
        if not 0 <= size <= 2 * _CHUNK:
            raise DataError(f"one of its headers claims {size} bytes")
        if self._stream.tell() + size > self._limit:
            raise DataError(f"it unfolds to more than {self._limit} bytes")
        return self._stream.read(size)


def _unpack(opened: _Opened, partial: Path, max_files: int, most: int) -> list[str]:
    """Check every member before the first is written, then write them, counting what really comes out."""
    members, total = [], 0
    for member in _zip_members(opened) if isinstance(opened, zipfile.ZipFile) else _tar_members(opened):
        members.append(member)
        total += member.size
        if len(members) > max_files:
            raise DataError(f"it has more than {max_files} members")
        if total > most:
            raise DataError(f"it unfolds to {total} bytes or more, at most {most} are allowed")
    _check_members(members)
    partial.mkdir(parents=True)
    for member in members:
        if member.folder:
            (partial / member.path).mkdir(parents=True, exist_ok=True)
        else:
            _write(opened, member, partial)
    return [member.path for member in members if not member.folder]


def _zip_members(opened: zipfile.ZipFile) -> Iterator[_Member]:
    """Files and folders; the mode of other things stands in the upper half of the attributes."""
    for entry in opened.infolist():
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or entry.orig_filename != entry.filename or entry.flag_bits & 1:
            what = f"a link or device (mode {kind:o})" if kind else "encrypted, or has a broken name"
            raise DataError(f"{entry.orig_filename!r} is {what}")
        if name := _clean(entry.filename):
            yield _Member(name, 0 if entry.is_dir() else entry.file_size, entry.is_dir(), entry)


def _tar_members(opened: tarfile.TarFile) -> Iterator[_Member]:
    """Files and folders; everything else is refused."""
    for entry in opened:
        if not (entry.isdir() or entry.isreg()) or entry.issparse():
            kind = "a link" if entry.issym() or entry.islnk() else f"a device, or of type {entry.type!r}"
            raise DataError(f"{entry.name!r} is {kind}")
        if name := _clean(entry.name):
            yield _Member(name, 0 if entry.isdir() else entry.size, entry.isdir(), entry)


def _clean(name: str) -> str:
    """The path of a member without the ``./`` that tar likes to write; empty for the root itself."""
    path = name.removeprefix("./").removesuffix("/")
    if path in ("", "."):
        return ""
    if any(len(part.encode()) > _LONGEST for part in check_path(path).split("/")):
        raise DataError(f"the name {path[:80]!r}... is longer than {_LONGEST} bytes")
    return path


def _check_members(members: list[_Member]) -> None:
    """No name twice, in any spelling, and no file that is a folder of another member."""
    paths = [member.path for member in members]
    if len(set(paths)) < len(paths):
        raise DataError(f"{next(path for path, n in Counter(paths).items() if n > 1)!r} is there twice")
    folders = {"/".join(path.split("/")[:i]) for path in paths for i in range(1, path.count("/") + 1)}
    spelled: dict[str, str] = {}
    for path in sorted({*paths, *folders}):
        if (other := spelled.setdefault(same_name(path), path)) != path:
            raise DataError(f"{other!r} and {path!r} are the same on some file systems")
    if clash := folders & {member.path for member in members if not member.folder}:
        raise DataError(f"{min(clash)!r} is a file, and other members lie inside it")


def _write(opened: _Opened, member: _Member, partial: Path) -> None:
    """Write a file of exactly the stated size, with the rights of the user and none of the archive."""
    target = partial / member.path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(partial)):
        raise DataError(f"{member.path!r} leads outside the target")
    content: Any = opened.open(member.entry) if isinstance(opened, zipfile.ZipFile) else opened.extractfile(member.entry)
    left = member.size
    with content as stream, open(target, "xb") as file:
        while chunk := stream.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise DataError(f"{member.path!r} holds more than the {member.size} bytes it states")
            file.write(chunk)
    if left:
        raise DataError(f"{member.path!r} lacks {left} of its {member.size} bytes")
