"""A run that is killed at any time loses nothing that is finished, and leaves only whole files under final names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from crash.injectors import COMMAND, kill_at_random, outputs, run_command

from neurodecode.data.atomic import atomic_folder, remove_folder
from neurodecode.data.leftovers import Owner, hidden_sibling, is_dead, is_leftover, recover, sweep, this_process
from neurodecode.pipeline import verify

AGED = 2 * 3600


@pytest.mark.slow
def test_twenty_kills_of_a_real_run(real: Callable[..., Path], tmp_path: Path) -> None:
    command = [*COMMAND, "run", "haxby_objects", "--data", str(real("haxby2001")), "--out"]
    cold = run_command([*command, str(tmp_path / "whole")], tmp_path / "whole.log")
    assert cold.code == 0, cold.errors
    finished = kill_at_random(command, tmp_path, outputs(tmp_path / "whole"), cold.seconds, n=20, seed=0)
    sys.stderr.write(f"cold run {cold.seconds:.1f} s; units finished at each kill: {sorted(finished)}\n")
    assert sum(number > 0 for number in finished) >= 5


class Small(NamedTuple):
    """A command of few seconds, and how it ended."""

    arguments: list[str]
    out: Path
    seconds: float


@pytest.fixture(scope="module")
def small(real: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Two runs and three permutations, finished."""
    folder = tmp_path_factory.mktemp("small")
    settings = ["--set", "decode.n_permutations=3", "--set", "input.runs=['01','02']"]
    arguments = ["run", "haxby_objects", "--data", str(real("haxby2001")), *settings, "--out"]
    cold = run_command([*COMMAND, *arguments, str(folder / "out")], folder / "log")
    assert cold.code == 0, cold.errors
    return Small(arguments, folder / "out", cold.seconds)


def test_kills_of_a_small_run(small: Small, tmp_path: Path) -> None:
    kill_at_random([*COMMAND, *small.arguments], tmp_path, outputs(small.out), small.seconds, n=2, seed=0)


# --- named points --------------------------------------------------------------------------------------------------

WRITER = """
import os, shutil, sys
from pathlib import Path
from neurodecode.data import atomic
calls = 0
def dying(function):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == int(sys.argv[2]) and sys.argv[3] == "before":
            os._exit(9)
        result = function(*arguments, **options)
        if calls == int(sys.argv[2]):
            os._exit(9)
        return result
    return call
os.replace, shutil.rmtree = dying(os.replace), dying(shutil.rmtree)
with atomic.atomic_folder(sys.argv[1]) as partial:
    for name in ("data.txt", "meta.json"):
        (partial / name).write_text("new")
"""


def write(folder: Path, text: str) -> None:
    with atomic_folder(folder) as partial:
        for name in ("data.txt", "meta.json"):
            (partial / name).write_text(text)


def contents(folder: Path) -> set[str]:
    assert sorted(path.name for path in folder.iterdir()) == ["data.txt", "meta.json"]
    return {path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("call", range(1, 6))
def test_a_folder_that_is_being_replaced_is_never_lost(tmp_path: Path, call: int, side: str) -> None:
    """The calls are: old aside, new in place, old to what may go, its removal, and that of the empty temporary."""
    out = tmp_path / "out"
    write(out, "old")
    done = subprocess.run([sys.executable, "-c", WRITER, str(out), str(call), side], check=False)
    assert done.returncode == (9 if call <= 4 else 0)
    assert out.exists() != ((call == 1 and side == "after") or (call == 2 and side == "before"))
    sweep(tmp_path)
    assert contents(out) == {"old"} if call == 1 or (call == 2 and side == "before") else {"new"}
    write(out, "newest")
    assert contents(out) == {"newest"}
    age(tmp_path)
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_older_folder_comes_back_with_the_next_write(tmp_path: Path) -> None:
    """Without a sweep, and although the next write fails."""
    write(tmp_path / "out", "old")
    subprocess.run([sys.executable, "-c", WRITER, str(tmp_path / "out"), "1", "after"], check=False)
    with pytest.raises(KeyError), atomic_folder(tmp_path / "out"):
        raise KeyError
    assert contents(tmp_path / "out") == {"old"}


REPORT = """
import os, sys
from pathlib import Path
from neurodecode.cli import main
from neurodecode.pipeline import outputs
unlink, left = Path.unlink, [int(sys.argv.pop(1))]
def dying(path, **options):
    unlink(path, **options)
    if not path.name.startswith("."):
        left[0] -= 1
    if left[0] == 0:
        os._exit(9)
older = outputs._remove_older
def remove_older(out):
    Path.unlink = dying
    older(out)
outputs._remove_older = remove_older
main()
"""


def test_a_run_killed_while_it_replaces_results_is_finished_by_the_next(small: Small, tmp_path: Path) -> None:
    shutil.copytree(small.out, tmp_path / "out")
    arguments = [*small.arguments, str(tmp_path / "out")]
    killed = run_command([sys.executable, "-c", REPORT, "4", *arguments], tmp_path / "log")
    assert killed.code == 9, killed.errors
    assert len(outputs(tmp_path / "out")) == len(outputs(small.out)) - 4
    resumed = run_command([*COMMAND, *arguments], tmp_path / "log")
    assert [unit.state for unit in resumed.units] == ["skipped"] * 3
    assert outputs(tmp_path / "out") == outputs(small.out)
    assert verify(tmp_path / "out")[1] == []


# --- leftovers -----------------------------------------------------------------------------------------------------


def age(root: Path, seconds: float = AGED) -> None:
    """Make everything below a folder older."""
    past = time.time() - seconds
    for path in [*root.rglob("*"), root]:
        os.utime(path, (past, past))


@pytest.fixture
def dead() -> Owner:
    """A process of this machine that has ended."""
    code = "from neurodecode.data.leftovers import this_process; print(*this_process())"
    host, pid, start = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return Owner(host, int(pid), int(start))


def leave(folder: Path, owner: Owner, name: str = "data.nii.gz") -> Path:
    """What a process leaves when it is killed."""
    host, pid, start = owner
    mine = ".".join(map(str, this_process()))
    path = hidden_sibling(folder / name, "new")
    path = path.with_name(path.name.replace(mine, f"{host}.{pid}.{start}"))
    path.write_text("half")
    return path


def test_hidden_names_keep_suffixes_and_are_known(tmp_path: Path) -> None:
    path = hidden_sibling(tmp_path / "sub-01_bold.nii.gz", "new")
    assert path.name.startswith(".sub-01_bold.")
    assert path.name.endswith(".nii.gz")
    assert is_leftover(path)
    assert is_leftover(path / "deep" / "data.npy")
    assert not is_leftover(tmp_path / ".hidden" / "data.npy")


def test_who_is_dead(dead: Owner) -> None:
    mine = this_process()
    assert is_dead(dead) is True
    assert is_dead(mine) is False
    assert is_dead(mine._replace(start=mine.start + 1)) is True, "another process had this number"
    assert is_dead(mine._replace(host="elsewhere")) is None


@pytest.mark.parametrize(
    ("whose", "seconds", "goes"),
    [
        ("dead", 1800, False),
        ("dead", AGED, True),
        ("alive", 10 * 86400, False),
        ("elsewhere", AGED, False),
        ("elsewhere", 90000, True),
    ],
)
def test_only_what_is_abandoned_is_swept(tmp_path: Path, dead: Owner, whose: str, seconds: float, goes: bool) -> None:
    owner = {"dead": dead, "alive": this_process(), "elsewhere": Owner("elsewhere", 1, 1)}[whose]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".mine").write_text("kept")
    path = leave(tmp_path / "deep", owner)
    age(tmp_path, seconds)
    assert sweep(tmp_path) == ([path] if goes else [])
    assert path.exists() != goes
    assert (tmp_path / "deep" / ".mine").read_text() == "kept"


def test_a_folder_in_which_something_is_new_stays(tmp_path: Path, dead: Owner) -> None:
    path = leave(tmp_path, dead)
    path.unlink()
    path.mkdir()
    (path / "data.npy").write_text("half")
    age(tmp_path)
    os.utime(path / "data.npy")
    assert sweep(tmp_path) == []
    age(tmp_path)
    assert sweep(tmp_path) == [path]


def test_a_living_writer_keeps_its_older_folder(tmp_path: Path) -> None:
    """Between the two steps of a swap nobody else may take the older folder."""
    old = hidden_sibling(tmp_path / "out", "old")
    old.mkdir()
    recover(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert sweep(tmp_path) == []
    assert old.exists()


def test_removal_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "out", "old")
    monkeypatch.setattr("shutil.rmtree", lambda *arguments, **options: None)  # killed here
    remove_folder(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert all(is_leftover(path) for path in tmp_path.iterdir())
