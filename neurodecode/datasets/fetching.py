"""Fetch a data set as its manifest describes it, and verify what is there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from neurodecode.data.validate import suggest
from neurodecode.datasets._catalogue import info, manifest_folder
from neurodecode.datasets.croissant import home_page
from neurodecode.datasets.disk import free_bytes
from neurodecode.datasets.download import Policy, Remote, download, present
from neurodecode.datasets.lock import Locked, lock_name, read_lock, write_lock
from neurodecode.datasets.manifest import Manifest
from neurodecode.datasets.manual import adopt, as_they_are, files_there
from neurodecode.datasets.openneuro import ENDPOINT, list_files, wanted
from neurodecode.errors import ConfigError, DataError, DiskSpaceError, FormatError

_TERMS = {
    "open": "open to everyone",
    "registration": "after registration at its home page",
    "dua": "after signing its data use agreement",
}


class Fetched(NamedTuple):
    """What a fetch did, or would do."""

    root: Path
    """Folder of the data set."""
    files: tuple[str, ...]
    """Paths below it, all verified (after a dry run: that would be fetched or verified)."""
    n_bytes: int
    """Their size."""


def fetch(
    dataset: str | Manifest,
    *,
    root: str | Path,
    subjects: Sequence[str] | None = None,
    only: str | Sequence[str] | None = None,
    dry_run: bool = False,
    progress: bool = True,
    announce: Callable[[str], object] | None = None,
    _policy: Policy | None = None,
    _endpoint: str = ENDPOINT,
) -> Fetched:
    """Fetch a data set, or what is missing of it; every file is verified before it gets its name.

    Several fetches into one folder at the same time wait for each other file by file. Of a data set that only a person can fetch
    nothing is downloaded: once its files are there, they are hashed into the lock.

    Parameters
    ----------
    dataset : str or Manifest
        One of `list`, or a manifest of your own.
    root : str or Path
        Folder for the data.
    subjects : sequence of str, optional
        Labels, with or without ``sub-``; files of all subjects (README, tasks, ...) come along. By default everyone.
    only : str or sequence of str, optional
        Patterns of paths, e.g. ``"sub-1/func/*"``.
    dry_run : bool
        Only tell terms, number of files and size.
    progress : bool
        Show a bar on stderr.
    announce : callable, optional
        Told licence, access, citation and size before the first byte; by default they go to stderr.
    _policy : Policy, optional
        Retries, waits and time-outs; for tests.
    _endpoint : str
        Interface of the archive; for tests.

    Returns
    -------
    Fetched
        Folder, files and size.

    Raises
    ------
    DataError
        If the data set is unknown, or nothing matches `subjects` and `only`.
    ConfigError
        If the data need a token and the environment has none.
    CorruptFileError
        If a file is not what it should be.
    FormatError
        If a file cannot be fetched, or the archive lists another size than the lock; where a person has to fetch the files and
        has not, with the steps to take.
    DiskSpaceError
        If there is no room.
    """
    manifest = info(dataset) if isinstance(dataset, str) else dataset
    folder, labels = Path(root), _labels(subjects)
    if manifest.manual is not None:
        found = _chosen(files_there(manifest, folder), manifest, labels, only)
        (announce or _to_stderr)(terms(manifest, len(found), sum(file.bytes for file in found)))
        return Fetched(*(as_they_are(found, folder) if dry_run else adopt(manifest, folder, found)))
    token = _token(manifest)
    known = known_hashes(manifest, folder)
    files = _chosen(_remotes(manifest, known, labels, _endpoint, _policy), manifest, labels, only)
    size = sum(file.bytes for file in files)
    (announce or _to_stderr)(terms(manifest, len(files), size))
    if not dry_run:
        _check_room(folder, files)
        with _bar(size, manifest.id, progress) as told:
            for file in files:
                _fetch_one(manifest, folder, download(file, folder, token=token, policy=_policy, on_bytes=told), file)
    return Fetched(folder, tuple(file.path for file in files), size)


def verify(
    dataset: str | Manifest,
    root: str | Path,
    *,
    subjects: Sequence[str] | None = None,
    only: str | Sequence[str] | None = None,
) -> list[str]:
    """Hash the files of a data set again and compare them with its manifest or lock.

    Parameters
    ----------
    dataset : str or Manifest
        One of `list`, or a manifest of your own.
    root : str or Path
        Folder of the data.
    subjects : sequence of str, optional
        As in `fetch`.
    only : str or sequence of str, optional
        As in `fetch`.

    Returns
    -------
    list of str
        One line per file that is missing or altered; empty where all is well. Of a data set whose archive has no hashes, the
        files that were fetched are verified, against what they were when they came.

    Raises
    ------
    DataError
        If the data set is unknown, or nothing matches `subjects` and `only`.
    FormatError
        If the data set has no hashes yet, because nothing of it was fetched to this folder.
    """
    manifest = info(dataset) if isinstance(dataset, str) else dataset
    folder, labels = Path(root), _labels(subjects)
    known = known_hashes(manifest, folder)
    if not manifest.files and not known:
        raise FormatError(
            folder, f"it holds no {lock_name(manifest.id)}", f"Run `neurodecode datasets fetch {manifest.id}` first"
        )
    files = [Remote(f.path, f.url, f.bytes, f.sha256) for f in manifest.files]
    files = files or [Remote(path, (), *locked) for path, locked in known.items()]
    problems = (_problem(folder / file.path, file) for file in _chosen(files, manifest, labels, only))
    return [problem for problem in problems if problem]


def terms(manifest: Manifest, n_files: int, n_bytes: int) -> str:
    """What a user must know before the first byte: version, licence, access, citation and size."""
    lines = [
        f"{manifest.title}, version {manifest.version}",
        f"  licence   {manifest.licence}",
        f"  access    {_TERMS[manifest.access]}",
        f"  cite      {manifest.citation}",
        f"  home      {home_page(manifest)}",
        f"  size      {n_bytes / 1e6:.1f} MB in {n_files} files",
    ]
    return "\n".join(lines)


def token_variable(manifest: Manifest) -> str:
    """Environment variable that holds the access token of a data set that is not open."""
    return f"NEURODECODE_TOKEN_{manifest.id.upper()}"


def known_hashes(manifest: Manifest, root: Path) -> dict[str, Locked]:
    """Hashes of the files of a source: those that came with the package, and those of earlier fetches to this folder."""
    name = lock_name(manifest.id)
    return {**read_lock(root / name), **read_lock(manifest_folder() / name)}


def _token(manifest: Manifest) -> str | None:
    if manifest.access == "open":
        return None
    token = os.environ.get(token_variable(manifest), "").strip()
    if not token or any(ord(c) < 33 or ord(c) > 126 for c in token):
        raise ConfigError(
            f"{manifest.id} is available {_TERMS[manifest.access]} ({home_page(manifest)}): "
            f"put your access token into the environment variable {token_variable(manifest)}"
        )
    return token


def _labels(subjects: Sequence[str] | None) -> list[str] | None:
    return (
        None
        if subjects is None
        else [str(s).removeprefix("sub-") for s in ([subjects] if isinstance(subjects, str) else subjects)]
    )


def _remotes(
    manifest: Manifest, known: Mapping[str, Locked], labels: list[str] | None, endpoint: str, policy: Policy | None
) -> list[Remote]:
    """Files as the manifest or the archive lists them, with the hashes that are known."""
    if manifest.source is None:
        return [Remote(f.path, f.url, f.bytes, f.sha256) for f in manifest.files]
    listed = list_files(manifest.source, labels, endpoint=endpoint, policy=policy)
    for file in listed:
        if file.path in known and known[file.path].bytes != file.bytes:
            what = f"the archive lists {file.bytes} bytes, the lock {known[file.path].bytes}"
            raise FormatError(file.path, what, f"A fixed version must not change: report it to the authors of {manifest.id}")
    return [file._replace(sha256=known[file.path].sha256) if file.path in known else file for file in listed]


def _chosen(
    files: Sequence[Remote], manifest: Manifest, labels: list[str] | None, only: str | Sequence[str] | None
) -> list[Remote]:
    """Files of the subjects and patterns that were asked for; each must match something."""
    owners = {file.path: file.subject for file in manifest.files if file.subject}
    for label in labels or ():
        if not any(_owner(file.path, owners) == label for file in files):
            names = {owner for file in files if (owner := _owner(file.path, owners))}
            raise DataError(f"{manifest.id} has no subject {label!r}: {suggest(label, names)}")
    patterns = [only] if isinstance(only, str) else None if only is None else list(only)
    own = [f for f in files if labels is None or _owner(f.path, owners) in (None, *labels)]
    chosen = [f for f in own if patterns is None or any(fnmatchcase(f.path, pattern) for pattern in patterns)]
    if not chosen:
        raise DataError(
            f"none of the {len(own)} files of {manifest.id} matches {patterns}, e.g. {own[0].path if own else 'none'}"
        )
    return chosen


def _owner(path: str, owners: Mapping[str, str]) -> str | None:
    """Subject that a file belongs to, by the manifest or by its folder."""
    folders = [part[4:] for part in path.split("/")[:-1] if part.startswith("sub-")]
    return owners.get(path, folders[0] if folders and not wanted(path, []) else None)


def _fetch_one(manifest: Manifest, root: Path, locked: Locked, file: Remote) -> None:
    """Write the hash of a file that had none into the lock, at once, so that a later failure does not lose it."""
    from filelock import FileLock

    if manifest.source is None or file.sha256 is not None:
        return
    path = root / lock_name(manifest.id)
    with FileLock(root / ".neurodecode" / "lock.lock"):
        write_lock(path, {**read_lock(path), file.path: locked})


def _problem(path: Path, file: Remote) -> str | None:
    if not path.is_file():
        return f"{file.path}: it is missing"
    if path.stat().st_size != file.bytes:
        return f"{file.path}: it has {path.stat().st_size} bytes, expected {file.bytes}"
    return None if present(path, file) else f"{file.path}: its sha256 is not {file.sha256}"


def _check_room(root: Path, files: Sequence[Remote]) -> None:
    """Refuse to begin what cannot end."""
    missing = sum(file.bytes for file in files if not (root / file.path).is_file())
    if missing > (free := free_bytes(root)):
        raise DiskSpaceError(f"{root}: {missing} bytes are missing, {free} are free. Free some space or choose another folder")


@contextmanager
def _bar(size: int, name: str, shown: bool) -> Iterator[Callable[[int], object]]:
    from tqdm.auto import tqdm

    with tqdm(total=size, unit="B", unit_scale=True, desc=name, disable=not shown) as bar:
        yield bar.update


def _to_stderr(text: str) -> None:
    sys.stderr.write(text + "\n")
