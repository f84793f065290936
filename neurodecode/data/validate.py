"""Checks at the public border; each failure says what was expected, what came, and where."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.errors import DataError, MissingDependencyError


def suggest(name: str, known: Iterable[str]) -> str:
    """End a message with the closest known name, or with the list of names."""
    names = [str(k) for k in known]
    close = difflib.get_close_matches(str(name), names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose from {sorted(names)}"


def check_option(name: str, value: Any, options: Sequence[Any]) -> Any:
    """Return `value` if it is one of `options`, else raise `DataError`."""
    if value not in options:
        raise DataError(f"{name}={value!r} is unknown: {suggest(str(value), map(str, options))}")
    return value


def check_positive(name: str, value: float) -> float:
    """Return `value` as a float if it is finite and above zero."""
    number = float(value)
    if not np.isfinite(number) or number <= 0:
        raise DataError(f"{name} must be a finite number above 0, got {value!r}")
    return number


def check_columns(table: pd.DataFrame, required: Sequence[str], where: str) -> None:
    """Raise `DataError` if `table` lacks one of the `required` columns."""
    for name in required:
        if name not in table.columns:
            raise DataError(f"{where} has no column {name!r}: {suggest(name, map(str, table.columns))}")


def check_length(name: str, got: int, expected: int, of: str) -> None:
    """Raise `DataError` unless `got` equals `expected`."""
    if got != expected:
        raise DataError(f"{name} has {got} rows, expected {expected}, one per {of}")


def check_unique(values: pd.Series, where: str) -> None:
    """Raise `DataError` naming the first value that occurs twice."""
    twice = values[values.duplicated()]
    if len(twice):
        raise DataError(f"{where} must be unique, {twice.iloc[0]!r} occurs {int((values == twice.iloc[0]).sum())} times")


def check_finite(data: np.ndarray[Any, Any], rows: Sequence[str], where: str, remedy: str) -> None:
    """Raise `DataError` naming the first row of `data` (n_rows, ...) that holds a NaN or an infinity."""
    bad = ~np.isfinite(data.reshape(len(data), -1)).all(axis=1)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{where}: {rows[first]!r} holds NaN or infinite values ({int(bad.sum())} of {len(data)} rows do). {remedy}"
        )


def as_float32(data: Any, name: str, ndims: Sequence[int]) -> Any:
    """Return `data` as a float32 array of an allowed number of dimensions, without copying where possible.

    Lazy arrays and float32 memory maps pass through unread.
    """
    if not (hasattr(data, "shape") and hasattr(data, "dtype")):
        data = np.asarray(data)
    if np.dtype(data.dtype).kind not in "fiub":
        raise DataError(f"{name} must be real numbers, got dtype {data.dtype}")
    if len(data.shape) not in ndims:
        raise DataError(f"{name} must have {' or '.join(map(str, ndims))} dimensions, got shape {tuple(data.shape)}")
    return data if data.dtype == np.float32 else np.asarray(data, dtype=np.float32)


def as_table(table: Any, name: str) -> pd.DataFrame:
    """Return a copy of `table` as a data frame with rows numbered from 0."""
    if not isinstance(table, (pd.DataFrame, Mapping, list)):
        raise DataError(f"{name} must be a pandas DataFrame (or a mapping of columns), got {type(table).__name__}")
    return pd.DataFrame(table).reset_index(drop=True)


def assign(instance: object, **members: Any) -> None:
    """Set members of a frozen dataclass from within its own constructor."""
    for name, value in members.items():
        object.__setattr__(instance, name, value)


def require(package: str, purpose: str, extra: str) -> ModuleType:
    """Import a package of an optional extra, or say which extra brings it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingDependencyError(package, purpose, extra) from error
