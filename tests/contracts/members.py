"""Finds the members of a kind by importing the package, so that a new one is tested the day it is there."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from types import ModuleType, UnionType
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import LazySignal, Recording, Responses


def modules(folder: str) -> list[ModuleType]:
    """A folder of the package with all modules below it that are not private; none where there is no such folder yet."""
    name = f"neurodecode.{folder}"
    if importlib.util.find_spec(name) is None:
        return []
    package = importlib.import_module(name)
    below = pkgutil.walk_packages(getattr(package, "__path__", []), f"{name}.")
    public = [info.name for info in below if not any(part.startswith("_") for part in info.name.split("."))]
    return [package, *map(importlib.import_module, public)]


def defined_in(folder: str) -> Iterator[tuple[str, Any]]:
    """Public functions and classes that the modules of a folder define."""
    for module in modules(folder):
        for name, value in vars(module).items():
            if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__:
                yield name, value


def exported_by(folder: str) -> Iterator[tuple[str, Any]]:
    """What users reach below a folder: ``module.name`` through ``__all__``."""
    for module in modules(folder):
        if module.__name__.count(".") > 1 and not hasattr(module, "__all__"):
            continue
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if not isinstance(value, ModuleType):
                yield f"{module.__name__.removeprefix('neurodecode.')}.{name}", value


def result_types(function: Any) -> set[Any]:
    """Types that a function says it returns, those of a union one by one."""
    hint = typing.get_type_hints(function).get("return")
    return set(typing.get_args(hint)) if isinstance(hint, UnionType) or typing.get_origin(hint) is typing.Union else {hint}


def needed(function: Any) -> list[str]:
    """Parameters without a default, after the first."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind not in kinds]


def snapshot(value: Any) -> Any:
    """A deep picture of an argument, to see afterwards that nobody changed it."""
    if isinstance(value, (Recording, Responses)):
        return {name: snapshot(member) for name, member in vars(value).items()}
    if isinstance(value, (np.ndarray, LazySignal)):
        return (value.shape, np.asarray(value).tobytes())
    if isinstance(value, pd.DataFrame):
        return value.to_json(double_precision=15), list(value.columns)
    if isinstance(value, dict):
        return {name: snapshot(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [snapshot(member) for member in value]
    return repr(value)


def lazily(recording: Recording) -> Recording:
    """The same recording with its signal still in a file, as far as anyone can tell."""
    data = np.asarray(recording.data).copy()
    return recording.replace(data=LazySignal(lambda start, stop: data[:, start:stop].copy(), data.shape))
