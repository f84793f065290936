"""Writes that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurodecode.errors import DiskSpaceError, OutputExistsError


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
    partial = _sibling(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        _sync(partial)
        os.replace(partial, target)
        _sync(target.parent)
    except OSError as error:
        _explain(error, target)
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: str | Path, marker: str = "meta.json") -> Iterator[Path]:
    """Give a temporary folder to fill; when the block ends well it becomes `folder`.

    An older folder of that name is replaced only if it holds `marker`, so that nothing but our own output is removed.

    Parameters
    ----------
    folder : str or Path
        Final name.
    marker : str
        File that tells a finished folder of ours.

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
    if target.exists() and not (target / marker).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise OutputExistsError(f"{target} exists and was not written by neurodecode (no {marker}); choose another name")
    partial = _sibling(target)
    try:
        partial.mkdir(parents=True)
        yield partial
        for member in sorted(partial.rglob("*")):
            _sync(member)
        _swap(partial, target)
        _sync(target.parent)
    except OSError as error:
        _explain(error, target)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


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


def _swap(partial: Path, target: Path) -> None:
    """Put `partial` in place of `target`; an older one moves aside first and is removed last."""
    old = _sibling(target)
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(partial, target)
    except OSError:
        if old.exists():
            os.replace(old, target)  # the older object is still whole: it keeps its name
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sibling(target: Path) -> Path:
    """A hidden name beside `target` that tells the writing process and keeps the suffixes."""
    suffixes = "".join(target.suffixes[-2:])
    return target.with_name(f".{target.name.removesuffix(suffixes)}.{os.getpid()}.{uuid.uuid4().hex[:8]}{suffixes}")


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk and not only in a cache."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _explain(error: OSError, target: Path) -> None:
    """Raise `DiskSpaceError` for a full or forbidden disk; other errors are left to the caller."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(_existing(target.parent)).free
        raise DiskSpaceError(
            f"{target}: no room to write ({free} bytes free). Free some space or choose another folder"
        ) from error
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        raise DiskSpaceError(f"{target}: cannot be written ({error.strerror}). Choose a folder you may write to") from error


def _existing(folder: Path) -> Path:
    """The nearest folder above that exists."""
    return next(p for p in [folder, *folder.parents] if p.exists())
