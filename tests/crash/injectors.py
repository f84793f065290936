"""What may happen to a run: it is killed, its disk is full, or others run beside it."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neurodecode.data.leftovers import is_leftover
from neurodecode.pipeline.step import PROVENANCE

COMMAND = [sys.executable, "-c", "from neurodecode.cli import main; main()"]
_LINE = re.compile(r"\[\d+/\d+\] (?P<name>.+?): (?P<state>done|skipped|failed) \((?P<reason>.*); [\d.]+ s\)")


class Unit(NamedTuple):
    """A line of the runner's log."""

    name: str
    state: str
    reason: str


class Run(NamedTuple):
    """How a command ended."""

    code: int
    seconds: float
    units: list[Unit]
    errors: str


def run_command(command: Sequence[str], log: Path, kill_after: float | None = None) -> Run:
    """Run a command in its own process group, and kill the group with SIGKILL after so many seconds."""
    start = time.perf_counter()
    with open(log, "w", encoding="utf-8") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
        try:
            code = process.wait(timeout=kill_after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
    text = log.read_text(encoding="utf-8")
    units = [Unit(**found.groupdict()) for found in map(_LINE.fullmatch, text.splitlines()) if found]
    return Run(code, time.perf_counter() - start, units, text)


def outputs(root: Path) -> dict[str, str]:
    """Hash of every data file under its final name; provenance holds run times, hidden names are no outputs."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.name != PROVENANCE]
    named = {path.relative_to(root): path for path in files if not path.name.startswith(".neurodecode")}
    return {
        name.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in named.items()
        if not is_leftover(name) and not name.name.endswith(".lock")
    }


def finished_units(root: Path) -> set[str]:
    """Folders of units that are there under their final names."""
    return {path.parent.name for path in root.rglob(f"*_desc-*/{PROVENANCE}") if not is_leftover(path.relative_to(root))}


def kill_at_random(command: Sequence[str], out: Path, whole: dict[str, str], seconds: float, n: int, seed: int) -> list[int]:
    """Kill a cold run at `n` times, uniform over its wall time, and check that the next run loses and repeats nothing.

    Parameters
    ----------
    command : sequence of str
        Writes into ``out / "<number>"``, which is appended to it.
    out : Path
        Where the runs go.
    whole : dict
        `outputs` of a run that was not interrupted.
    seconds : float
        Wall time of a cold run.
    n, seed : int
        Number of kills, and the seed of their times.

    Returns
    -------
    list of int
        For each kill the units that were finished then.
    """
    finished = []
    for i, after in enumerate(np.random.default_rng(seed).uniform(0, seconds, n)):
        finished.append(kill_and_resume([*command, str(out / str(i))], out / str(i), whole, float(after)))
    return finished


def kill_and_resume(command: Sequence[str], out: Path, whole: dict[str, str], after: float) -> int:
    """Kill one run, look at what it left, and finish it."""
    log = out.with_suffix(".log")
    killed = run_command(command, log, kill_after=after)
    left = outputs(out)
    assert {name for name, digest in left.items() if whole[name] != digest} == set(), "a file is not whole"
    there = finished_units(out)
    resumed = run_command(command, log)
    assert resumed.code == 0, resumed.errors
    states = {unit.name: unit for unit in resumed.units}
    assert all(states[unit.name].state == "skipped" for unit in killed.units), resumed.units
    assert all("verified" in unit.reason for unit in resumed.units if unit.state == "skipped")
    assert sum(unit.state == "skipped" for unit in resumed.units) == len(there)
    assert outputs(out) == whole
    return len(there)
