"""A folder that many processes want is computed by one of them, and a process that dies holds nobody up."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neurodecode.data.atomic import atomic_folder, naming_full_disk
from neurodecode.data.leftovers import Owner, hidden_sibling, is_dead, recover, this_process

_BEAT = 1.0  # s between two touches of a lock by its holder
_SILENCE = 5.0  # s without a touch after which a holder on another machine counts as dead
_POLL = 0.02  # s between two looks at a lock that another process holds
_GUARD = ".neurodecode.guard"


def cached(
    folder: str | Path, why: Callable[[Path], str | None], compute: Callable[[Path], None], marker: str = "meta.json"
) -> str | None:
    """Compute a folder unless it is there; of many processes that ask at once, one computes and the others wait.

    On a network file system that does not honour locks two processes may compute the same folder; it still appears whole.

    Parameters
    ----------
    folder : str or Path
        Final name.
    why : callable
        ``why(folder)`` gives the reason for which it has to be computed, or None if it can stay.
    compute : callable
        ``compute(partial)`` fills a temporary folder, which then becomes `folder`.
    marker : str
        File that tells a finished folder of ours.

    Returns
    -------
    str or None
        The reason for which it was computed here, or None if it was there.

    Raises
    ------
    OutputExistsError
        If `folder` exists and is not one of ours.
    DiskSpaceError
        If there is no room, or the place cannot be written to.
    """
    target = Path(os.path.realpath(folder))
    recover(target)
    if why(target) is None:  # a finished folder may lie on a disk that is read only: no lock
        return None
    with hold(target.with_name(f".{target.name}.lock")):
        recover(target)
        reason = why(target)
        if reason is not None:
            with atomic_folder(target, marker) as partial:
                compute(partial)
    return reason


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold a lock file, waiting until the process that has it is done or dead.

    The file names its holder, which touches it every second. It is taken over at once if that process of this machine is
    dead, and after 5 s without a touch if it belongs to another machine.

    Parameters
    ----------
    path : Path
        The lock file; its folder is created. It is removed afterwards.

    Yields
    ------
    None
        While the lock is held.

    Raises
    ------
    DiskSpaceError
        If the lock cannot be written.
    """
    record = json.dumps({**this_process()._asdict(), "token": uuid.uuid4().hex})
    watch = _Watch()
    with naming_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        while not _take(path, record, watch):
            time.sleep(_POLL)
    stop = threading.Event()
    beat = threading.Thread(target=_keep_touching, args=(path, stop), daemon=True)
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()
        _release(path, record)


class _Watch:
    """Tells for how long a lock stands still, by the clock of the watcher: clocks of machines differ."""

    def __init__(self) -> None:
        self._seen: tuple[str, int] | None = None
        self._since = 0.0

    def seconds_still(self, text: str, modified: int) -> float:
        """Seconds since this text and time of change were first seen."""
        if self._seen != (text, modified):
            self._seen, self._since = (text, modified), time.monotonic()
        return time.monotonic() - self._since


def _take(path: Path, record: str, watch: _Watch) -> bool:
    """Make the lock ours if it is free, or its holder dead."""
    with _guard(path):
        if path.exists():
            if not _is_stale(path, watch):
                return False
            stale = hidden_sibling(path, "new")
            os.replace(path, stale)
            stale.unlink()
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        try:
            os.write(handle, record.encode())
        finally:
            os.close(handle)
    return True


def _is_stale(path: Path, watch: _Watch) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    still = watch.seconds_still(text, path.stat().st_mtime_ns)
    try:
        holder = json.loads(text)
        dead = is_dead(Owner(str(holder["host"]), int(holder["pid"]), int(holder["start"])))
    except (ValueError, KeyError, TypeError, OverflowError):  # its writer was killed before the first word was written
        dead = None
    return still > _SILENCE if dead is None else dead


def _keep_touching(path: Path, stop: threading.Event) -> None:
    while not stop.wait(_BEAT):
        with suppress(OSError):
            os.utime(path)


def _release(path: Path, record: str) -> None:
    """Remove the lock, unless another process has taken it over."""
    with suppress(OSError), _guard(path):
        if path.read_text(encoding="utf-8") == record:
            path.unlink()


@contextmanager
def _guard(path: Path) -> Iterator[None]:
    """One process at a time looks at the locks of a folder; the system frees this guard when a process dies."""
    from filelock import FileLock

    with FileLock(path.with_name(_GUARD)):
        yield


def sweep_locks(root: Path) -> list[Path]:
    """Remove the locks below a folder that a killed process of this machine has left.

    Parameters
    ----------
    root : Path
        Folder of outputs.

    Returns
    -------
    list of Path
        What was removed.
    """
    removed = []
    for path in sorted(root.rglob(".*.lock")):
        with suppress(OSError), _guard(path):
            if _is_stale(path, _Watch()):
                path.unlink()
                removed.append(path)
    return removed
