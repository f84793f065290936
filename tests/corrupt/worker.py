"""A process of its own that reads damaged files, so that a crash, a hang or a gigabyte too much is counted and not suffered."""

from __future__ import annotations

import importlib
import multiprocessing
import resource
from pathlib import Path
from typing import Any, NamedTuple

from neurodecode.errors import FormatError

MEGABYTE = 2**20
STATM = Path("/proc/self/statm")


class Outcome(NamedTuple):
    """What came of reading a file."""

    kind: str
    """data, error, unnamed, foreign, hang or crash."""
    text: str
    """Fingerprint of the data, or the message."""
    notes: tuple[str, ...] = ()
    """Notes that came with the data."""


def _serve(pipe: Any, prepare: str) -> None:
    """Read what the parent asks for until it closes its end."""
    from corrupt.cases import CASES, fingerprint

    if prepare:
        importlib.import_module(prepare).install()
    pipe.send("ready")

    while True:
        name, path, n_bytes = pipe.recv()
        pipe.send(_read(CASES[name].read, Path(path), n_bytes, fingerprint))


def _read(read: Any, path: Path, n_bytes: int, fingerprint: Any) -> Outcome:
    try:
        with_limit(3 * n_bytes + 500 * MEGABYTE)
        obj = read(path)
        text = fingerprint(obj)
    except FormatError as error:
        names = {part.name.split(".")[0] for part in [path, *path.rglob("*")] if part.name}
        return Outcome("error" if any(name in str(error) for name in names) else "unnamed", f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001  # whatever it is, it is counted
        return Outcome("foreign", f"{type(error).__name__}: {error}")
    finally:
        with_limit(None)
    return Outcome("data", text, tuple(getattr(obj, "meta", {}).get("notes", ())))


def with_limit(more: int | None) -> None:
    """Let this process take at most so many bytes more than it has; None lifts the limit."""
    if not STATM.exists():
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    now = int(STATM.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY if more is None else now + more, hard))


class Worker:
    """Reads files in a process that is replaced when it dies or takes longer than `seconds`."""

    def __init__(self, seconds: float = 20.0, prepare: str = "") -> None:
        self._prepare = prepare
        self._seconds, self._context = seconds, multiprocessing.get_context("spawn")
        self._process: Any = None
        self._pipe: Any = None

    def read(self, case: str, path: Path, n_bytes: int) -> Outcome:
        """Open a file with the reader of a case and load it whole."""
        if self._process is None:
            self._start()
        try:
            self._pipe.send((case, str(path), n_bytes))
            if not self._pipe.poll(self._seconds):
                self.stop()
                return Outcome("hang", f"no answer within {self._seconds} s")
            return self._pipe.recv()  # type: ignore[no-any-return]
        except (EOFError, BrokenPipeError, ConnectionResetError):
            code = self._process.exitcode
            self.stop()
            return Outcome("crash", f"the process ended with {code}")

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs, self._prepare), daemon=True)
        self._process.start()
        theirs.close()
        assert self._pipe.poll(120), "the process that reads did not start"
        assert self._pipe.recv() == "ready"

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = None
