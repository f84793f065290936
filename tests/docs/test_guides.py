"""The README and the guides do what they say: code runs, printed results are right, commands and links exist."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from docs.example_folders import FOLDERS
from docs.guides import DATA_VARIABLE, PAGES, ROOT, blocks, commands, links, needs_data, shown_outputs, split_numbers
from typer.testing import CliRunner

from neurodecode.cli.app import app
from neurodecode.pipeline.configure import load_config

README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
CHEAP = {"pipelines", "--help", "--version"}


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run_page(text: str, title: str) -> None:
    """Execute the Python blocks of a page in one namespace, and compare what they print with what the page shows."""
    namespace: dict[str, Any] = {"__name__": "__guide__"}
    for block, shown in shown_outputs(text):
        code = compile("\n" * (block.line - 1) + block.text, title, "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, namespace)
        if shown is not None:
            (words, numbers), (said, said_numbers) = split_numbers(printed.getvalue()), split_numbers(shown)
            assert words == said, f"{title}, line {block.line}: prints\n{printed.getvalue()}"
            assert numbers == pytest.approx(said_numbers, rel=0.02, abs=0.02), f"{title}, line {block.line}"


@pytest.mark.parametrize("page", [p for p in PAGES if any(b.language == "python" for b in blocks(p.read_text()))], ids=named)
def test_code_runs_and_prints_what_the_page_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, folder = page.read_text(encoding="utf-8"), FOLDERS.get(named(page))
    if needs_data(text) or folder is not None:
        if not os.environ.get(DATA_VARIABLE):
            pytest.skip(f"{named(page)} works on real recordings and {DATA_VARIABLE} is not set: it names their folder")
        monkeypatch.setenv(DATA_VARIABLE, str(Path(os.environ[DATA_VARIABLE]).resolve()))
    monkeypatch.chdir(tmp_path)
    if folder is not None:
        folder(Path(os.environ[DATA_VARIABLE]), tmp_path)
    run_page(text, named(page))


ALL_COMMANDS = [(named(p), words) for p in PAGES for words in commands(p.read_text(encoding="utf-8"))]
OURS = [(page, words[1:]) for page, words in ALL_COMMANDS if words[0] == "neurodecode"]


@pytest.mark.parametrize(("page", "words"), OURS, ids=lambda v: v if isinstance(v, str) else shlex.join(v))
def test_commands_exist(page: str, words: list[str]) -> None:
    """Command and options parse; a named pipeline exists and takes the settings."""
    if set(words) & CHEAP:
        assert CliRunner().invoke(app, words).exit_code == 0, f"{page}: {words}"
        return
    name, *arguments = words
    command = typer.main.get_command(app).commands[name]
    if hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    values = command.make_context(name, list(arguments)).params
    if name == "run" and not values["pipeline"].endswith((".yaml", ".yml")):
        load_config(values["pipeline"], values["set_"] or [])


def test_pages_show_the_commands_of_every_day() -> None:
    shown = {words[0] for _, words in OURS}
    assert {"run", "pipelines", "info", "verify", "report"} <= shown


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    dead = [target for target in links(page.read_text(encoding="utf-8")) if not (page.parent / target).exists()]
    assert not dead, f"{named(page)} points to {dead}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_tests_named_as_proof_exist(page: Path) -> None:
    for name, function in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text(encoding="utf-8")):
        assert (ROOT / name).is_file(), f"{named(page)} names {name}"
        assert not function or f"def {function}(" in (ROOT / name).read_text(encoding="utf-8"), f"{name} has no {function}"


def test_yaml_of_pages_is_a_pipeline(tmp_path: Path) -> None:
    for page in PAGES:
        for number, block in enumerate(b for b in blocks(page.read_text(encoding="utf-8")) if b.language == "yaml"):
            path = tmp_path / f"{page.stem}{number}.yaml"
            path.write_text(block.text, encoding="utf-8")
            load_config(path)


def without_noise(words: list[str]) -> list[str]:
    """A command as typed by hand and as run by a script are the same command."""
    return [w for w in words if w not in ("python", "-m", "--quiet")]


def test_readme_tests_as_ci_does() -> None:
    ran = [without_noise(shlex.split(line)) for line in CI.splitlines() if re.match(r"(python -m pip install|pytest) ", line)]
    wanted = [words for page, words in ALL_COMMANDS if page == "README.md" and words[0] in ("pip", "pytest")]
    install_tests, test = wanted[-2:]
    assert "[all,test]" in install_tests[-1]
    assert without_noise(install_tests) in ran
    assert test == ran[-1]


def test_readme_is_short_and_its_pictures_light() -> None:
    assert len(README.splitlines()) <= 150
    pictures = list((ROOT / "docs" / "images").glob("*.png"))
    assert pictures
    assert sum(p.stat().st_size for p in pictures) <= 200_000


def test_site_builds_strictly(tmp_path: Path) -> None:
    pytest.importorskip("mkdocstrings", reason="the docs extra is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(PAGES) - 1
    external = [p for p in pages if re.search(r"<(?:link|script)[^>]+(?:href|src)=\"https?://(?!neurodecode)", p.read_text())]
    assert not external, f"the site loads from elsewhere in {external[:3]}"


class TestOfTheTests:
    """The harness itself notices what it is there for."""

    def test_wrong_output_is_noticed(self) -> None:
        page = "```python\nprint('score', 0.5)\n```\n\n```text\nscore 0.9\n```\n"
        with pytest.raises(AssertionError):
            run_page(page, "page")
        run_page(page.replace("0.9", "0.51"), "page")

    def test_blocks_share_a_namespace(self) -> None:
        run_page("```python\na = 1\n```\n\n```python\nassert a == 1\n```\n", "page")

    def test_links_and_commands_are_found(self) -> None:
        page = "[a](x.md#part) ![b](y.png) [c](https://z.org)\n\n"
        page += "```console\npip install .  # once\nneurodecode info \\\n    X && pytest\n```\n"
        assert links(page) == ["x.md", "y.png"]
        assert commands(page) == [["pip", "install", "."], ["neurodecode", "info", "X"], ["pytest"]]
