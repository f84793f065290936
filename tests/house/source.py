"""The package's source as syntax trees, for the tests that hold its bar."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "neurodecode"
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Function(NamedTuple):
    """A function or method with the place where it stands."""

    where: str
    """File and line."""
    name: str
    """Dotted name within the file."""
    node: FunctionNode
    """Its syntax tree."""
    public: bool
    """Whether neither it nor anything around it begins with an underscore or is a function."""


@cache
def trees() -> dict[Path, ast.Module]:
    """Syntax tree of each file of the package."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def where(path: Path, node: ast.AST) -> str:
    """File and line of a node, as an editor wants it."""
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@cache
def functions() -> tuple[Function, ...]:
    """Every function and method of the package, also those inside others."""
    return tuple(f for path, tree in trees().items() for f in _inside(path, tree, "", True))


def _inside(path: Path, parent: ast.AST, prefix: str, public: bool) -> Iterator[Function]:
    for node in ast.iter_child_nodes(parent):
        name = f"{prefix}{getattr(node, 'name', '')}"
        if isinstance(node, FunctionNode):
            yield Function(where(path, node), name, node, public and not node.name.startswith("_"))
            yield from _inside(path, node, f"{name}.", False)
        elif isinstance(node, ast.ClassDef):
            yield from _inside(path, node, f"{name}.", public and not node.name.startswith("_"))
        else:
            yield from _inside(path, node, prefix, public)


@cache
def classes() -> tuple[tuple[str, ast.ClassDef], ...]:
    """Every public class with its place."""
    found = [(where(path, node), node) for path, tree in trees().items() for node in tree.body if isinstance(node, ast.ClassDef)]
    return tuple((place, node) for place, node in found if not node.name.startswith("_"))


def body_lines(node: FunctionNode) -> int:
    """Lines of a function's body, from its first statement to its last, without the docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a name such as ``print`` or ``yaml.load``."""
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
                yield where(path, node), node


def code_lines(path: Path) -> int:
    """Lines of a file that hold code: no blank ones, no comments, no docstrings."""
    text = path.read_text(encoding="utf-8")
    quoted: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            quoted.update(range(node.lineno, (node.end_lineno or 0) + 1))
    lines = enumerate(text.splitlines(), start=1)
    return sum(bool(line.strip()) and not line.strip().startswith("#") and i not in quoted for i, line in lines)
