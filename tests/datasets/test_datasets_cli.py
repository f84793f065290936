"""``neurodecode datasets``: what it says, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from neurodecode import datasets
from neurodecode.cli.app import app
from neurodecode.datasets import Fetched
from neurodecode.datasets.lock import Locked, write_lock


def invoke(*words: str) -> Any:
    return CliRunner().invoke(app, ["datasets", *words])


def test_list() -> None:
    lines = invoke("list").output.splitlines()
    assert [line.split()[0] for line in lines] == list(datasets.list())
    assert "CC0-1.0" in lines[0]


@pytest.mark.parametrize("name", datasets.list())
def test_info(name: str) -> None:
    shown = invoke("info", name).output
    manifest = datasets.info(name)
    for text in (manifest.title, manifest.version, manifest.licence, manifest.citation, manifest.known_issues[0].text):
        assert text in shown
    assert f"next: neurodecode datasets fetch {name}" in shown
    assert json.loads(invoke("info", name, "--croissant").output)["name"] == name


def test_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, Any] = {}

    def fetched(dataset: str, **options: Any) -> Fetched:
        asked.update(options, dataset=dataset)
        options["announce"]("terms of use")
        return Fetched(tmp_path, ("a", "b"), 10)

    monkeypatch.setattr(datasets, "fetch", fetched)
    words = ("haxby2001", "--root", str(tmp_path), "--subject", "1", "--subject", "2", "--only", "sub-*")
    assert invoke("fetch", *words).output.splitlines() == ["terms of use", f"2 files verified in {tmp_path}"]
    assert asked["subjects"] == ["1", "2"]
    assert asked["only"] == ["sub-*"]
    assert invoke("fetch", "haxby2001", "--root", str(tmp_path), "--dry-run").output.splitlines() == ["terms of use"]
    assert asked["subjects"] is None


def test_verify(tmp_path: Path) -> None:
    content = b"read me"
    (tmp_path / "README").write_bytes(content)
    sha256 = "9ec1f9d4e4a3a6e0a0b5b1b4a2f9e2d6bb0d7a2a1c2d3e4f5a6b7c8d9e0f1a2b"
    write_lock(tmp_path / "haxby2001.lock.tsv", {"README": Locked(len(content), sha256)})
    done = invoke("verify", "haxby2001", "--root", str(tmp_path))
    assert done.exit_code == 3
    assert "README: its sha256 is not 9ec1" in done.output
    import hashlib

    write_lock(tmp_path / "haxby2001.lock.tsv", {"README": Locked(len(content), hashlib.sha256(content).hexdigest())})
    done = invoke("verify", "haxby2001", "--root", str(tmp_path))
    assert (done.exit_code, done.output) == (0, "haxby2001: all files are what they were\n")


def test_an_unknown_name() -> None:
    done = invoke("info", "haxby2002")
    assert done.exit_code == 1
    assert "did you mean 'haxby2001'" in str(done.exception)
