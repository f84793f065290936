"""A folder imports from the ground up: the contract holds, and would notice if it did not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house.source import PACKAGE, ROOT


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts on the package below `root`, which stands first on the path."""
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"
    return subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the source and its contracts, to spoil."""
    ignored = shutil.ignore_patterns("__pycache__", "*.html", "*.bib")
    shutil.copytree(PACKAGE, tmp_path / "neurodecode", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("data/planted.py", "from neurodecode.io import read"),
        ("data/planted.py", "def late():\n    import neurodecode.report"),
        ("io/planted.py", "import neurodecode.metrics"),
        ("preprocess/planted.py", "from neurodecode.decode import LinearDecoder"),
        ("decode/planted.py", "from neurodecode import report"),
        ("errors.py", "import neurodecode.data"),
        ("pipeline/planted.py", "from neurodecode.cli import main"),
        ("playground/__init__.py", ""),
    ],
)
def test_a_forbidden_import_or_a_folder_without_a_layer_is_noticed(copy: Path, file: str, line: str) -> None:
    planted = copy / "neurodecode" / file
    planted.parent.mkdir(exist_ok=True)
    with open(planted, "a", encoding="utf-8") as opened:
        opened.write(f"\n{line}\n")
    done = lint_imports(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout
    assert planted.stem in done.stdout or planted.parent.name in done.stdout
