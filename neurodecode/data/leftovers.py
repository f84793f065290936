"""Hidden names of what is being written, and what to do with them when the process that wrote is dead."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

_HOUR, _DAY = 3600.0, 86400.0
_HIDDEN = re.compile(
    r"\.(?P<stem>.+)\.(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)\.(?P<start>\d+)\.(?P<kind>new|old)-[0-9a-f]{8}(?P<suffixes>.*)"
)


class Owner(NamedTuple):
    """A process, told apart from a later one of the same number by its start."""

    host: str
    """Name of the machine, letters, digits and hyphens only."""
    pid: int
    """Number of the process."""
    start: int
    """When it began, in ticks of the system; 0 where the system does not tell."""


def this_process() -> Owner:
    """The process that calls."""
    host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:32] or "unknown"
    return Owner(host, os.getpid(), _start_of(os.getpid()) or 0)


def is_dead(owner: Owner) -> bool | None:
    """Whether a process has ended.

    Parameters
    ----------
    owner : Owner
        The process.

    Returns
    -------
    bool or None
        None if it belongs to another machine, so that nobody here can tell.
    """
    if owner.host != this_process().host or os.name != "posix":
        return None
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    start = _start_of(owner.pid)
    return start is None or start != owner.start if Path("/proc/self/stat").exists() else False


def _start_of(pid: int) -> int | None:
    """Start of a running process as Linux tells it; None if it has ended, or on other systems."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def hidden_sibling(target: Path, kind: Literal["new", "old"]) -> Path:
    """A hidden name beside a target that tells the writing process and keeps the suffixes.

    Parameters
    ----------
    target : Path
        Final name.
    kind : {"new", "old"}
        "new" for what is not finished, or may go; "old" for a whole folder that had the name and makes room.

    Returns
    -------
    Path
        In the same folder; nothing has this name yet.
    """
    suffixes = "".join(target.suffixes[-2:])
    host, pid, start = this_process()
    name = f".{target.name.removesuffix(suffixes)}.{host}.{pid}.{start}.{kind}-{uuid.uuid4().hex[:8]}{suffixes}"
    return target.with_name(name)


def is_leftover(path: Path) -> bool:
    """Whether a path is, or lies in, what is being written or was left by a killed process.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    bool
        True if any part of it is a hidden name of ours: what lies there is no output.
    """
    return any(_HIDDEN.fullmatch(part) for part in path.parts)


def recover(target: Path) -> None:
    """Give a folder its name back if a process died after moving it aside and before putting the new one there.

    Parameters
    ----------
    target : Path
        Final name; nothing happens if it exists.
    """
    if target.exists() or not target.parent.is_dir():
        return
    for path in sorted(target.parent.glob(".*.old-*")):
        found = _HIDDEN.fullmatch(path.name)
        if found and found["stem"] + found["suffixes"] == target.name and _is_abandoned(path, found, wait=0.0):
            _rename(path, target)


def sweep(root: Path) -> list[Path]:
    """Remove what killed processes left below a folder, and give whole folders their names back.

    Removed are hidden names of ours whose process is dead and that are older than an hour, or that belong to another
    machine and are older than a day.

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
    for path, found in list(_leftovers(root)):
        if found["kind"] == "old":
            recover(path.with_name(found["stem"] + found["suffixes"]))
        if os.path.lexists(path) and _is_abandoned(path, found, wait=_HOUR):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def _leftovers(root: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    """Hidden names of ours below a folder; what lies inside them is not visited."""
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            found = _HIDDEN.fullmatch(name)
            if found:
                yield Path(folder) / name, found
        folders[:] = [name for name in folders if not _HIDDEN.fullmatch(name)]


def _is_abandoned(path: Path, found: re.Match[str], wait: float) -> bool:
    """Whether its process is dead for so many seconds, or nobody can tell and it was not touched for a day."""
    dead = is_dead(Owner(found["host"], int(found["pid"]), int(found["start"])))
    return dead is not False and _untouched(path) >= (_DAY if dead is None else wait)


def _untouched(path: Path) -> float:
    """Seconds since the last change of a file, or of anything in a folder."""
    changed = [0.0]
    for member in [path, *path.rglob("*")]:
        try:
            changed.append(member.lstat().st_mtime)
        except OSError:  # another process removes it at this moment
            continue
    return max(time.time() - max(changed), 0.0)


def _rename(path: Path, target: Path) -> None:
    """Rename unless another process has done so, or has put something there."""
    try:
        os.rename(path, target)
    except OSError:
        if path.exists() and not target.exists():
            raise
