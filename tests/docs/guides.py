"""Read the code blocks, links and commands out of the pages that users read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DATA_VARIABLE = "NEURODECODE_TEST_DATA"

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)|<img[^>]*src=\"(?P<source>[^\"]+)\"")
_DECIMAL = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


class Block(NamedTuple):
    """One fenced block of a page."""

    language: str
    """What stands behind the fence, e.g. python."""
    text: str
    """The lines between the fences."""
    line: int
    """Line of the page on which the text begins."""


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page in order."""
    return [Block(m["language"], m["text"], page.count("\n", 0, m.start("text")) + 1) for m in _FENCE.finditer(page)]


def needs_data(page: str) -> bool:
    """Whether the first Python block reads the variable that names the folder of real recordings."""
    python = [block for block in blocks(page) if block.language == "python"]
    return bool(python) and DATA_VARIABLE in python[0].text


def shown_outputs(page: str) -> list[tuple[Block, str | None]]:
    """Each Python block with the ``text`` block right after it: what it is said to print."""
    found = blocks(page)
    followed = [*found[1:], Block("", "", 0)]
    return [
        (block, after.text if after.language == "text" else None)
        for block, after in zip(found, followed, strict=True)
        if block.language == "python"
    ]


def commands(page: str) -> list[list[str]]:
    """Words of each command in the ``console`` blocks; ``&&`` parts commands, a backslash joins lines."""
    texts = [block.text.replace("\\\n", " ") for block in blocks(page) if block.language == "console"]
    typed = [part for text in texts for line in text.splitlines() for part in line.split(" && ")]
    return [words for words in (shlex.split(part, comments=True) for part in typed) if words]


def links(page: str) -> list[str]:
    """Targets of links and images that point into the repository, without fragments."""
    prose = _FENCE.sub("", page)
    targets = [m["target"] or m["source"] for m in _LINK.finditer(prose)]
    local = [t.partition("#")[0] for t in targets if not re.match(r"[a-z]+:", t)]
    return [t for t in local if t]


def split_numbers(text: str) -> tuple[list[str], list[float]]:
    """Words (with whole numbers) and decimal numbers apart, so that rounding on another processor is no difference."""
    return _DECIMAL.sub("#", text).split(), [float(n) for n in _DECIMAL.findall(text)]
