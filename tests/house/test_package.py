"""What surrounds the code: metadata, pinned versions, what the wheel holds, and the commands that people are told to type."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml
from house.source import PACKAGE, ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import neurodecode

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = ["fmri", "meeg", "calcium", "decode", "bayes", "cluster", "compare", "connectome", "live", "docs", "demo", "test", "all"]
TEST_COMMAND = "pytest -n 2"


@cache
def tracked() -> list[Path]:
    """Files under version control; where there is none (an unpacked archive), all files that are not hidden."""
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return [p for p in ROOT.rglob("*") if p.is_file() and not any(part.startswith(".") for part in p.relative_to(ROOT).parts)]
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@cache
def pins() -> dict[str, Version]:
    """Versions in constraints.txt."""
    lines = [line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()]
    return {canonicalize_name(name): Version(version) for name, _, version in (line.partition("==") for line in lines if line)}


def requirements() -> list[Requirement]:
    """Everything that the package and its extras ask for, other than the package itself."""
    named = PROJECT["project"]["dependencies"] + [r for e in PROJECT["project"]["optional-dependencies"].values() for r in e]
    return [requirement for requirement in map(Requirement, named) if requirement.name != "neurodecode"]


class TestMetadata:
    def test_one_version_everywhere(self) -> None:
        citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
        assert citation["version"] == neurodecode.__version__ == importlib.metadata.version("neurodecode")
        assert citation["cff-version"] == "1.2.0"
        assert citation["title"] == "neurodecode"
        assert {"message", "authors", "license"} <= citation.keys()

    def test_licence(self) -> None:
        text = (ROOT / "LICENSE").read_text(encoding="utf-8")
        assert PROJECT["project"]["license"] == "BSD-3-Clause"
        assert "BSD 3-Clause License" in text
        assert "Copyright (c) 2026, The neurodecode developers" in text

    def test_extras(self) -> None:
        declared = PROJECT["project"]["optional-dependencies"]
        assert sorted(declared) == sorted(EXTRAS)
        (everything,) = map(Requirement, declared["all"])
        assert everything.extras == set(EXTRAS) - {"test", "all"}

    def test_pythons(self) -> None:
        assert PROJECT["project"]["requires-python"] == ">=3.11"
        classifiers = PROJECT["project"]["classifiers"]
        assert [f"Programming Language :: Python :: 3.{minor}" in classifiers for minor in (11, 12, 13, 14)] == [True] * 4

    def test_the_package_is_typed_and_brings_its_stubs(self) -> None:
        assert (PACKAGE / "py.typed").is_file()
        assert "Typing :: Typed" in PROJECT["project"]["classifiers"]


class TestConstraints:
    def test_every_requirement_is_pinned_to_a_version_that_it_allows(self) -> None:
        unpinned = [r.name for r in requirements() if canonicalize_name(r.name) not in pins()]
        assert unpinned == []
        refused = [str(r) for r in requirements() if not r.specifier.contains(pins()[canonicalize_name(r.name)])]
        assert refused == []

    def test_torch(self) -> None:
        assert pins()["torch"] == Version("2.13.0")

    def test_pins_are_exact_and_serve_every_platform(self) -> None:
        lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", line)] == []
        assert lines == sorted(lines, key=str.casefold)


class TestWheel:
    def test_named_pipelines_are_built_in(self) -> None:
        included = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
        assert included == {name: f"neurodecode/_{name}" for name in ("pipelines", "data_manifests", "model_manifests")}
        assert {"haxby_objects", "eeg_faces", "eeg_p300", "ieeg_quality", "fmri_decoding", "meeg_decoding"} <= {
            path.stem for path in (ROOT / "pipelines").glob("*.yaml")
        }

    def test_an_installed_package_holds_all_files(self) -> None:
        distribution = importlib.metadata.distribution("neurodecode")
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            pytest.skip("the package is installed editable; .ci/run installs it as users do")
        installed = {str(path) for path in distribution.files or []}
        expected = {f"neurodecode/_pipelines/{path.name}" for path in (ROOT / "pipelines").glob("*.yaml")}
        for manifests in ("data_manifests", "model_manifests"):
            expected |= {f"neurodecode/_{manifests}/{path.name}" for path in (ROOT / manifests).iterdir()}
        expected |= {str(p.relative_to(ROOT)) for p in tracked() if PACKAGE in p.parents}
        assert expected - installed == set()

    def test_nothing_big_is_tracked(self) -> None:
        sizes = {str(path.relative_to(ROOT)): path.stat().st_size for path in tracked()}
        assert {name: size for name, size in sizes.items() if size > 1_500_000} == {}


class TestCommands:
    def test_people_and_ci_test_with_one_command(self) -> None:
        script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
        assert [line.strip() for line in script.splitlines() if line.strip().startswith("pytest -n")] == [TEST_COMMAND]
        typed = re.compile(rf"(^|&& ){re.escape(TEST_COMMAND)}(\s|$)", re.MULTILINE)
        for page in ("README.md", "CONTRIBUTING.md"):
            assert typed.search((ROOT / page).read_text(encoding="utf-8")), page

    def test_ci_stops_at_the_first_failure_and_checks_everything(self) -> None:
        script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
        assert "set -euo pipefail" in script
        for command in ("ruff check", "ruff format --check", "lint-imports", "mypy", "test_docstrings.py", "constraints.txt"):
            assert command in script, command
        assert subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=False).returncode == 0

    def test_no_file_knows_the_machine_it_was_written_on(self) -> None:
        own = r"(?<![\w.~-])/(?:(?:work|opt|root|mnt|scratch)/|(?:home|Users)/(?!someone))\w"
        suffixes = {".py", ".pyi", ".md", ".toml", ".yaml", ".yml", ".cff", ".txt", ".html", ".json", ".cfg", ".bib", ""}
        found = []
        for path in tracked():
            if path.suffix in suffixes and path != Path(__file__):
                lines = enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
                found += [f"{path.relative_to(ROOT)}:{i} {line.strip()[:80]}" for i, line in lines if re.search(own, line)]
        assert found == []
