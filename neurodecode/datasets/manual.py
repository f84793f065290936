"""Data sets that a person fetches: archives behind forms, several archives at once, terms to agree to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neurodecode.data.hashing import sha256_file
from neurodecode.datasets.download import Remote
from neurodecode.datasets.lock import Locked, lock_name, read_lock, write_lock
from neurodecode.datasets.manifest import Manifest
from neurodecode.errors import CorruptFileError, FormatError


def files_there(manifest: Manifest, root: Path) -> list[Remote]:
    """List the files of a data set that a person has put into its folder.

    Parameters
    ----------
    manifest : Manifest
        A data set with manual steps.
    root : Path
        Folder of the data.

    Returns
    -------
    list of Remote
        Path and size of each file that the layout names, in the order of the paths; at least one.

    Raises
    ------
    FormatError
        If there is none; the message has the steps to take.
    """
    manual = manifest.manual
    patterns = () if manual is None else manual.layout
    found = {path.relative_to(root).as_posix(): path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    if manual is not None and not found:
        steps = " ".join(f"({number}) {step}" for number, step in enumerate(manual.steps, start=1))
        what = f"it has none of the files of {manifest.id} ({', '.join(patterns)}), which a person has to fetch"
        raise FormatError(root, what, f"Begin at {manual.page}: {steps} Then run the same command again")
    return [Remote(name, (), found[name].stat().st_size) for name in sorted(found)]


def as_they_are(files: Sequence[Remote], root: Path) -> tuple[Path, tuple[str, ...], int]:
    """Folder, paths and size of files, without reading them."""
    return root, tuple(file.path for file in files), sum(file.bytes for file in files)


def adopt(manifest: Manifest, root: Path, files: Sequence[Remote]) -> tuple[Path, tuple[str, ...], int]:
    """Hash files into the lock of their data set, or compare them with what it says already.

    Parameters
    ----------
    manifest : Manifest
        The data set.
    root : Path
        Its folder; the lock is written there, also where a later file turns out to be another one.
    files : sequence of Remote
        Files below the root.

    Returns
    -------
    root : Path
        The folder.
    files : tuple of str
        Their paths.
    n_bytes : int
        Their size.

    Raises
    ------
    CorruptFileError
        If a file is not what the lock says; the message names it.
    """
    from filelock import FileLock

    path = root / lock_name(manifest.id)
    (root / ".neurodecode").mkdir(exist_ok=True)
    with FileLock(root / ".neurodecode" / "lock.lock"):
        known = read_lock(path)
        fresh: dict[str, Locked] = {}
        try:
            for file in files:
                fresh[file.path] = _same(root / file.path, known.get(file.path))
        finally:
            write_lock(path, {**known, **fresh})
    return as_they_are(files, root)


def _same(path: Path, known: Locked | None) -> Locked:
    """Size and hash of a file, which must be the known ones."""
    found = Locked(path.stat().st_size, sha256_file(path))
    if known not in (None, found):
        what = f"the lock expects {known}, found {found}"
        raise CorruptFileError(path, what, "Fetch it again; if it was replaced on purpose, take its line out of the lock")
    return found
