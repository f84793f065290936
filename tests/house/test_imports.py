"""Importing the package costs nothing and changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = ["torch", "sklearn", "scipy", "pandas", "mne", "nibabel", "matplotlib", "nilearn", "h5py", "pynwb", "pydantic", "typer"]
SHARED_MACHINE = 2.0  # other programs run beside the tests


def python(code: str, folder: Path | None = None) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def seconds(code: str) -> float:
    """Shortest of five runs of a statement, each in a fresh interpreter, timed inside it."""
    timed = f"import time; start = time.perf_counter(); {code}; print(time.perf_counter() - start)"
    return min(float(python(timed).split()[-1]) for _ in range(5))


def test_loads_nothing_heavy() -> None:
    loaded = json.loads(python("import json, sys, neurodecode; print(json.dumps(sorted(sys.modules)))"))
    assert [name for name in HEAVY if name in loaded] == []


def test_takes_a_tenth_of_a_second() -> None:
    assert seconds("import neurodecode") <= 0.1 * SHARED_MACHINE


def test_help_takes_half_a_second() -> None:
    command, taken = Path(sys.executable).parent / "neurodecode", []
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run([command, "--help"], capture_output=True, text=True, check=False)
        taken.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
        assert "pipelines" in done.stdout
    assert min(taken) <= 0.5 * SHARED_MACHINE


@pytest.mark.parametrize(
    "statement", ["import neurodecode", "from neurodecode import *", "import neurodecode.data, neurodecode.io"]
)
def test_changes_nothing(statement: str, tmp_path: Path) -> None:
    """No file, no variable, no log handler, no thread, no seed, no warning filter, no other float printing."""
    code = f"""
import json, locale, logging, os, random, sys, threading, time, warnings
import numpy, pandas
def state():
    loggers = {{n: str(logging.getLogger(n).handlers) for n in logging.root.manager.loggerDict if n.startswith("neurodecode")}}
    return [
        dict(os.environ), os.getcwd(), sorted(os.listdir(".")), str(logging.root.handlers), logging.root.level,
        sorted(t.name for t in threading.enumerate()), hash(random.getstate()), str(numpy.random.get_state()),
        str(warnings.filters), str(numpy.geterr()), str(numpy.get_printoptions()), pandas.get_option("display.max_rows"),
        locale.setlocale(locale.LC_ALL), time.tzname, sys.getrecursionlimit(), any(h for h in loggers.values() if h != "[]"),
    ]
before = state()
{statement}
after = state()
print(json.dumps([str(a) for a, b in zip(before, after) if a != b]))
"""
    assert json.loads(python(code, tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_names_are_found_when_they_are_used() -> None:
    code = "import neurodecode as nd; print(nd.Recording.__name__, nd.__version__, 'Recording' in dir(nd), nd.io.read is nd.read)"
    assert python(code).split()[0::2] == ["Recording", "True"]
    missing = subprocess.run(
        [sys.executable, "-c", "import neurodecode; neurodecode.nothing"], capture_output=True, text=True, check=False
    )
    assert "AttributeError" in missing.stderr


def test_the_stub_and_the_package_agree() -> None:
    code = "import neurodecode as nd; [getattr(nd, name) for name in nd.__all__]; print(len(nd.__all__))"
    assert int(python(code)) >= 15
