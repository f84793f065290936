"""Of many processes that want one folder, one computes it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from neurodecode.data import cache
from neurodecode.data.cache import cached, hold, sweep_locks
from neurodecode.data.leftovers import this_process
from neurodecode.errors import DiskSpaceError, OutputExistsError


def missing(folder: Path) -> str | None:
    return None if (folder / "meta.json").is_file() else "no output yet"


def fill(folder: Path) -> None:
    (folder / "meta.json").write_text("{}")


def never(folder: Path) -> None:
    pytest.fail(f"{folder} is computed again")


def test_computed_once_and_kept(tmp_path: Path) -> None:
    assert cached(tmp_path / "deep" / "out", missing, fill) == "no output yet"
    assert cached(tmp_path / "deep" / "out", missing, never) is None
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == [".neurodecode.guard", "out"]


def test_what_is_there_needs_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a finished folder on a read-only disk is used."""
    cached(tmp_path / "out", missing, fill)
    monkeypatch.setattr(cache, "hold", lambda path: never(path))
    assert cached(tmp_path / "out", missing, never) is None


def test_a_failure_frees_the_lock(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        raise KeyError(folder.name)

    with pytest.raises(KeyError):
        cached(tmp_path / "out", missing, fail)
    assert cached(tmp_path / "out", missing, fill) == "no output yet"


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    with pytest.raises(OutputExistsError):
        cached(tmp_path / "out", missing, fill)


def test_threads_take_turns(tmp_path: Path) -> None:
    inside, most = [0], [0]

    def work() -> None:
        with hold(tmp_path / ".x.lock"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not (tmp_path / ".x.lock").exists()


def leave_lock(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**this_process()._asdict(), "token": "another", **fields}))


def test_a_holder_of_another_machine_is_waited_for_as_long_as_it_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_SILENCE", 0.6)
    path = tmp_path / ".x.lock"
    leave_lock(path, host="elsewhere")
    beat = threading.Thread(target=lambda: [(time.sleep(0.1), os.utime(path)) for _ in range(10)])
    start = time.monotonic()
    beat.start()
    with hold(path):
        assert 1.4 < time.monotonic() - start < 5
        assert "elsewhere" not in path.read_text()
    beat.join()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 1}'])
def test_a_lock_that_says_nothing_is_taken_after_the_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(cache, "_SILENCE", 0.2)
    (tmp_path / ".x.lock").write_text(text)
    start = time.monotonic()
    with hold(tmp_path / ".x.lock"):
        assert 0.2 < time.monotonic() - start < 2


def test_a_holder_touches_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_BEAT", 0.05)
    with hold(tmp_path / ".x.lock"):
        first = (tmp_path / ".x.lock").stat().st_mtime_ns
        time.sleep(0.3)
        assert (tmp_path / ".x.lock").stat().st_mtime_ns > first


def test_a_lock_that_was_taken_over_is_left_to_its_new_holder(tmp_path: Path) -> None:
    with hold(tmp_path / ".x.lock"):
        leave_lock(tmp_path / ".x.lock")
    assert "another" in (tmp_path / ".x.lock").read_text()


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC])
def test_a_lock_that_cannot_be_written_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    real = os.open

    def refuse(path: str, flags: int, *more: object, **options: object) -> int:
        if flags & os.O_CREAT:
            raise OSError(code, os.strerror(code), str(path))
        return real(path, flags)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DiskSpaceError, match=r"\.out\.lock: (cannot be written|no room)"):
        cached(tmp_path / "out", missing, fill)


# --- several processes ---------------------------------------------------------------------------------------------

RACER = """
import json, os, sys, time
from pathlib import Path
from neurodecode.data.cache import cached
root, rounds = Path(sys.argv[1]), int(sys.argv[2])
def missing(folder):
    return None if (folder / "meta.json").is_file() else "no output yet"
for i in range(rounds):
    def compute(folder):
        with open(root / f"computed{i}", "a") as file:
            file.write(f"{os.getpid()}\\n")
        (folder / "data.bin").write_bytes(bytes(range(256)) * 200)
        time.sleep(0.05)
        (folder / "meta.json").write_text("{}")
    (root / f"ready{i}-{os.getpid()}").touch()
    deadline = time.monotonic() + 60
    while len(list(root.glob(f"ready{i}-*"))) < int(sys.argv[3]) and time.monotonic() < deadline:
        time.sleep(0.002)
    cached(root / f"item{i}", missing, compute)
    assert (root / f"item{i}" / "data.bin").read_bytes() == bytes(range(256)) * 200
"""


def race(root: Path, n_processes: int, rounds: int) -> None:
    """All processes ask for the same item at the same moment, round after round."""
    command = [sys.executable, "-c", RACER, str(root), str(rounds), str(n_processes)]
    processes = [subprocess.Popen(command) for _ in range(n_processes)]
    assert [process.wait(timeout=600) for process in processes] == [0] * n_processes
    computed = [len((root / f"computed{i}").read_text().splitlines()) for i in range(rounds)]
    assert computed == [1] * rounds
    assert not list(root.glob(".*.lock"))


def test_four_processes_compute_once(tmp_path: Path) -> None:
    race(tmp_path, 4, 6)


@pytest.mark.slow
def test_sixteen_processes_compute_once(tmp_path: Path) -> None:
    race(tmp_path, 16, 50)


def test_without_the_lock_the_race_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The race can fail: the same program without the lock computes more than once."""
    unlocked = "from contextlib import nullcontext\nfrom neurodecode.data import cache\ncache.hold = nullcontext\n"
    monkeypatch.setattr(sys.modules[__name__], "RACER", unlocked + RACER)
    with pytest.raises(AssertionError):
        race(tmp_path, 3, 3)


HOLDER = """
import sys, time
from pathlib import Path
from neurodecode.data.cache import hold
with hold(Path(sys.argv[1])):
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    time.sleep(60)
"""


def kill_holder(path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "held\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.is_file()


def test_the_lock_of_a_killed_holder_is_taken_over(tmp_path: Path) -> None:
    kill_holder(tmp_path / ".x.lock")
    start = time.monotonic()
    with hold(tmp_path / ".x.lock"):
        assert time.monotonic() - start < 1
    assert not (tmp_path / ".x.lock").exists()


def test_locks_of_killed_holders_are_swept_and_others_stay(tmp_path: Path) -> None:
    kill_holder(tmp_path / ".x.lock")
    leave_lock(tmp_path / ".y.lock")
    assert sweep_locks(tmp_path) == [tmp_path / ".x.lock"]
    assert (tmp_path / ".y.lock").exists()
