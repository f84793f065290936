"""A full or read-only disk is one clear error that names path and bytes; nothing partial stays under a final name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from crash.injectors import COMMAND

MOUNTED = ["unshare", "--mount", "sh", "-ec"]

WRITES = '''
"""Write an object, a lazy one, a step and a text again and again where `limit(n)` lets n bytes through."""
import json, resource, subprocess, sys
from pathlib import Path
import numpy as np
import pandas as pd
from neurodecode.data import LazySignal, Recording, load, save
from neurodecode.data.atomic import write_text
from neurodecode.errors import DiskSpaceError
from neurodecode.pipeline.step import Item, Step, run_item

root, kind = Path(sys.argv[1]), sys.argv[2]
SAMPLES = 40_000
values = np.random.default_rng(0).standard_normal((4, SAMPLES)).astype(np.float32)  # 640 kB
channels = pd.DataFrame({"name": list("abcd")})
plain = Recording(values, 100.0, channels)
lazy = Recording(LazySignal(lambda start, stop: values[:, start:stop], values.shape), 100.0, channels)

def step(parameters, folder):
    save(plain, folder / "responses")
    with open(folder / "text.bin", "wb") as file:
        for _ in range(10):
            file.write(b"x" * 20_000)

WORK = {
    "object": lambda: save(plain, root / "object"),
    "lazy": lambda: save(lazy, root / "lazy"),
    "step": lambda: run_item(Item("unit", Step("write", 1, step), {}, {}, str(root / "deep" / "step"))),
    "text": lambda: write_text(root / "text.txt", "y" * 700_000),
}

def limit(n):
    if kind == "tmpfs":
        subprocess.run(["mount", "-o", f"remount,size={n}", "tmpfs", str(root)], check=True)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (n, resource.RLIM_INFINITY))

failures = []
points = np.linspace(4096, 600_000, 20).astype(int)
for n in points:
    for name, work in WORK.items():
        limit(int(n))
        try:
            work()
        except DiskSpaceError as error:
            failures.append([name, int(n), str(error)])
        limit(-1 if kind != "tmpfs" else 2**24)
        left = [str(p.relative_to(root)) for p in root.rglob("*") if p.name not in (".neurodecode.guard", "deep")]
        assert left == [], (name, n, left)
limit(2**24)
for work in WORK.values():
    work()
for name in ("object", "lazy", "deep/step/responses"):
    assert np.array_equal(load(root / name).data[:, :], values), name
sys.stdout.write(json.dumps([len(points) * len(WORK), failures]))
'''


def failures_of(done: subprocess.CompletedProcess[str]) -> list[tuple[str, int, str]]:
    """What each write said; every one must have failed."""
    assert done.returncode == 0, done.stderr
    n_writes, failures = json.loads(done.stdout)
    assert n_writes == 80
    assert len(failures) == n_writes, "a write that cannot have had room did not fail"
    for name, n, message in failures:
        assert {"object": "/object:", "lazy": "/lazy:", "step": "/deep/", "text": "/text.txt:"}[name] in message, (n, message)
        assert ".new-" not in message, "the hidden name is of no use to the user"
    return failures


def needs_mount() -> None:
    """Skip where this user may not mount a file system in a name space of its own."""
    if shutil.which("unshare") is None or subprocess.run([*MOUNTED, "mount -t tmpfs tmpfs /mnt"], check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here (needs Linux and root)")


def run_writes(root: Path, kind: str, prefix: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WRITES, str(root), kind]
    if prefix:
        command = [*MOUNTED, prefix + ' && "$@"', "sh", *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_files_that_may_not_grow_at_20_points(tmp_path: Path) -> None:
    failures = failures_of(run_writes(tmp_path, "limit"))
    assert all("larger than a file may be" in message or "no room" in message for *_, message in failures)


def test_a_small_disk_at_20_points(tmp_path: Path) -> None:
    needs_mount()
    failures = failures_of(run_writes(tmp_path, "tmpfs", f"mount -t tmpfs -o size=16m tmpfs {tmp_path}"))
    assert all("no room to write" in message and "bytes free" in message for *_, message in failures)
    assert all("bytes missing of 640000" in message for name, _, message in failures if name in ("object", "lazy"))


def neurodecode(arguments: list[str], mount: str) -> subprocess.CompletedProcess[str]:
    command = [*MOUNTED, mount + ' && "$@" ; code=$?; find ' + arguments[-1] + " -type f >&3; exit $code", "sh"]
    listed = ["sh", "-c", '"$@" 3>&1 >/dev/null', "sh", *command, *COMMAND, *arguments]
    return subprocess.run(listed, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize(("options", "says"), [("size=300k", "no room to write"), ("ro", "cannot be written")])
def test_the_command_says_it_in_one_line(real: Callable[..., Path], tmp_path: Path, options: str, says: str) -> None:
    needs_mount()
    settings = ["--set", "decode.n_permutations=3", "--set", "input.runs=['01','02']"]
    arguments = ["run", "haxby_objects", "--data", str(real("haxby2001")), *settings, "--out", str(tmp_path)]
    done = neurodecode(arguments, f"mount -t tmpfs -o {options} tmpfs {tmp_path}")
    lines = [line for line in done.stderr.splitlines() if not line.startswith("[")]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert str(tmp_path) in lines[0]
    assert says in lines[0]
    assert ".new-" not in done.stdout, "a temporary file stayed"
