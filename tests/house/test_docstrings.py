"""Every public object is documented the numpydoc way; the checks are chosen in pyproject.toml.

What a user can reach by a public name (through ``__all__`` of the package and of its modules) names each of its parameters.
A helper that modules share among themselves may say it all in one sentence; what it does document must be right.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
import tomllib
import typing
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import pytest
from house.source import PACKAGE, ROOT, trees
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import Validator, validate

CHECKS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["numpydoc_validation"]["checks"]
STRICT = ("neurodecode.data", "neurodecode.metrics", "neurodecode.linear", "neurodecode.analysis", "neurodecode.compare")


def module_names() -> list[str]:
    """Dotted name of each module of the package."""
    parts = [path.relative_to(PACKAGE.parent).with_suffix("").parts for path in trees()]
    return [".".join(p[:-1] if p[-1] == "__init__" else p) for p in parts]


def objects_of(module: Any) -> Iterator[tuple[str, Any]]:
    """Functions and classes that a module defines, and the public methods that those classes define."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value) or inspect.isclass(value):
            yield f"{module.__name__}.{name}", value
        if inspect.isclass(value):
            yield from _members(f"{module.__name__}.{name}", value)


def _members(prefix: str, owner: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(owner).items():
        function = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        if not name.startswith("_") and (inspect.isfunction(function) or isinstance(function, property)):
            yield f"{prefix}.{name}", function


@cache
def exported() -> frozenset[str]:
    """Qualified names of what ``__all__`` reaches, from the package downwards."""
    return frozenset(_exported_from(importlib.import_module("neurodecode")))


def _exported_from(module: ModuleType) -> Iterator[str]:
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            yield from _exported_from(value)
        elif getattr(value, "__module__", "").startswith("neurodecode"):
            yield f"{value.__module__}.{getattr(value, '__qualname__', name)}"


def names_every_parameter(place: str) -> bool:
    """Whether this object is public enough to document each parameter."""
    return any(place == name or place.startswith(f"{name}.") for name in (*STRICT, *exported()))


def faults(target: Any, strict: bool = True) -> list[str]:
    """What numpydoc finds wrong with the docstring of an object, of the checks that are chosen."""
    found = [(code, text) for code, text in validate(get_doc_object(target))["errors"] if code in CHECKS]
    if not strict and "Parameters\n" not in (inspect.getdoc(target) or ""):
        found = [(code, text) for code, text in found if code != "PR01"]
    if inspect.isclass(target):
        found = [(code, text) for code, text in found if code != "PR01" or _undocumented_fields(target)]
    return [f"{code} {text}" for code, text in found]


def _undocumented_fields(owner: type) -> set[str]:
    """Parameters of a class that nothing explains: neither its docstring, nor a text at the field."""
    if typing.is_protocol(owner) if hasattr(typing, "is_protocol") else getattr(owner, "_is_protocol", False):
        return set()
    if not {"__init__", "__new__"} & vars(owner).keys() and not hasattr(owner, "model_fields"):
        return set()  # its parent explains the constructor
    document = Validator(get_doc_object(owner))
    told = set(document.doc_all_parameters) | {name for name, *_ in document.doc["Attributes"]}
    return set(document.signature_parameters) - told - _told_beside(owner)


def _told_beside(owner: type) -> set[str]:
    """Fields with a text below them, or a pydantic description."""
    fields = getattr(owner, "model_fields", {})
    told = {name for name, field in fields.items() if field.description}
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(body, ast.ClassDef)
    for first, second in zip(body.body, body.body[1:], strict=False):
        below = isinstance(second, ast.Expr) and isinstance(second.value, ast.Constant)
        if below and isinstance(first, ast.AnnAssign) and isinstance(first.target, ast.Name):
            told.add(first.target.id)
    return told


@pytest.mark.parametrize("name", module_names())
def test_docstrings_of(name: str) -> None:
    everything = objects_of(importlib.import_module(name))
    wrong = [f"{place}: {fault}" for place, value in everything for fault in faults(value, names_every_parameter(place))]
    assert not wrong, "\n".join(wrong)


def arrays_without_shape(function: Any) -> list[str]:
    """Documented parameters that are arrays and whose shape is not said."""
    told = Validator(get_doc_object(function)).doc_all_parameters
    hints = {name: str(p.annotation) for name, p in inspect.signature(function).parameters.items()}
    arrays = [n for n, hint in hints.items() if n in told and re.search("NDArray|ArrayLike", hint) and "Callable" not in hint]
    return [name for name in arrays if not re.search(r"shape|\(n_", " ".join([told[name][0], *told[name][1]]))]


@pytest.mark.parametrize("name", module_names())
def test_arrays_have_their_shape_in(name: str) -> None:
    everything = [(place, value) for place, value in objects_of(importlib.import_module(name)) if inspect.isfunction(value)]
    wrong = [f"{place}: {parameter}" for place, value in everything for parameter in arrays_without_shape(value)]
    assert not wrong, "\n".join(wrong)


def test_what_users_reach_is_known() -> None:
    for name in ("data.recording.Recording", "data.store.save", "io.read.read", "preprocess.fmri_glm.betas"):
        assert f"neurodecode.{name}" in exported()
    assert names_every_parameter("neurodecode.data.recording.Recording.crop")
    assert not names_every_parameter("neurodecode.io.sniff._head")


def test_the_check_tells_good_from_bad() -> None:
    def good(x: int) -> int:
        """Add one.

        Parameters
        ----------
        x : int
            A number.

        Returns
        -------
        int
            One more.
        """
        return x + 1

    def bad(x: int) -> int:
        """add one"""
        return x + 1

    def none(x: int) -> int:
        return x + 1

    assert faults(good) == []
    assert {fault[:4] for fault in faults(bad)} == {"SS02", "SS03", "PR01"}
    assert {fault[:4] for fault in faults(bad, strict=False)} == {"SS02", "SS03"}
    assert {fault[:4] for fault in faults(none, strict=False)} == {"GL08"}
