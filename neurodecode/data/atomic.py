"""Writes that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neurodecode.data.leftovers import hidden_sibling, recover
from neurodecode.errors import DiskSpaceError, NeurodecodeError, OutputExistsError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
_REMEDY = "Free some space or choose another folder"
_NEARLY_NOTHING = 2**16  # bytes; a library that hides the error of the system failed for want of room


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; when the block ends well it becomes `path` in one step.

    Parameters
    ----------
    path : str or Path
        Final name; its folder is created.

    Yields
    ------
    Path
        The temporary name, with the same suffixes as `path`.

    Raises
    ------
    DiskSpaceError
        If the disk is full, the quota is used up or the target is read only; nothing is left under either name.
    """
    target = Path(path)
    partial = hidden_sibling(target, "new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        _sync(partial)
        os.replace(partial, target)
        _sync(target.parent)
    except OSError as error:
        _explain(error, partial, target)
        raise
    finally:
        _discard(partial)


@contextmanager
def atomic_folder(folder: str | Path, marker: str = "meta.json", need: int | None = None) -> Iterator[Path]:
    """Give a temporary folder to fill; when the block ends well it becomes `folder`.

    A process that is killed at any time leaves the older folder, or the new one, whole: under its name, or under a hidden
    one from which the next call, or `neurodecode.data.leftovers.sweep`, brings it back. An older folder of that name is
    replaced only if it holds `marker`, so that nothing but our own output is removed.

    Parameters
    ----------
    folder : str or Path
        Final name.
    marker : str
        File that tells a finished folder of ours.
    need : int, optional
        Bytes that will be written, as far as they are known; a full disk is then reported with the bytes that are missing.

    Yields
    ------
    Path
        The temporary folder.

    Raises
    ------
    OutputExistsError
        If `folder` exists and is not one of ours.
    DiskSpaceError
        As in `atomic_write`.
    """
    target = Path(os.path.realpath(folder))
    recover(target)
    if target.exists() and not (target / marker).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise OutputExistsError(f"{target} exists and was not written by neurodecode (no {marker}); choose another name")
    partial = hidden_sibling(target, "new")
    try:
        partial.mkdir(parents=True)
        yield partial
        for member in sorted(partial.rglob("*")):
            _sync(member)
        _swap(partial, target)
        _sync(target.parent)
    except OSError as error:
        _explain(error, partial, target, need)
        raise
    finally:
        _discard(partial)


@contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Report a full or forbidden disk by the name of what could not be written.

    Parameters
    ----------
    path : Path
        What is written in the block.

    Yields
    ------
    None
        While it is written.

    Raises
    ------
    DiskSpaceError
        As in `atomic_write`.
    """
    try:
        yield
    except OSError as error:
        _explain(error, path, path)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically, in UTF-8 with plain line ends.

    Parameters
    ----------
    path : str or Path
        Final name; its folder is created.
    text : str
        The whole content.

    Raises
    ------
    DiskSpaceError
        As in `atomic_write`.
    """
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def remove_folder(folder: Path) -> None:
    """Remove a folder so that a process that is killed meanwhile leaves nothing half under its name.

    Parameters
    ----------
    folder : Path
        An output of ours.
    """
    hidden = hidden_sibling(folder, "new")
    os.replace(folder, hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _swap(partial: Path, target: Path) -> None:
    """Put `partial` in place of `target`; an older one moves aside first and is removed last."""
    old = hidden_sibling(target, "old")
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(partial, target)
    except OSError:
        if old.exists():
            os.replace(old, target)  # the older object is still whole: it keeps its name
        raise
    if old.exists():
        remove_folder(old)


def _discard(partial: Path) -> None:
    """Remove what was not finished; on a disk that became read only there is nothing more to do."""
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk and not only in a cache."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _explain(error: OSError, partial: Path, target: Path, need: int | None = None) -> None:
    """Raise `DiskSpaceError` for a full or forbidden disk; other errors are left to the caller."""
    if isinstance(error, DiskSpaceError):  # of a member: it is known to the user under the final name of the folder
        raise DiskSpaceError(str(error).replace(str(partial), str(target))) from error
    if isinstance(error, NeurodecodeError) or _is_elsewhere(error, target):
        return
    free = shutil.disk_usage(_existing(target.parent)).free
    if error.errno == errno.EFBIG:
        raise DiskSpaceError(f"{target}: larger than a file may be here ({error.strerror}). Raise the limit") from error
    if error.errno in _FULL or (error.errno is None and (_is_short(error) or free < _NEARLY_NOTHING)):
        raise DiskSpaceError(f"{target}: no room to write ({_room(partial, free, need)}). {_REMEDY}") from error
    if error.errno in _FORBIDDEN:
        raise DiskSpaceError(f"{target}: cannot be written ({error.strerror}). Choose a folder you may write to") from error


def _is_elsewhere(error: OSError, target: Path) -> bool:
    """Whether another file could not be read or written, e.g. an input."""
    return isinstance(error.filename, str | Path) and target.parent not in Path(error.filename).absolute().parents


def _is_short(error: OSError) -> bool:
    """Whether numpy says that fewer numbers were written than were given; it does not say why."""
    return re.search(r"\d+ requested and \d+ written", str(error)) is not None


def _room(partial: Path, free: int, need: int | None) -> str:
    """Bytes that are free and, where the need is known, that are missing."""
    if need is None:
        return f"{free} bytes free"
    written = sum(path.stat().st_blocks * 512 for path in partial.rglob("*") if path.is_file())
    return f"{free} bytes free, at least {max(need - written - free, 1)} bytes missing of {need}"


def _existing(folder: Path) -> Path:
    """The nearest folder above that exists."""
    return next(p for p in [folder, *folder.parents] if p.exists())
