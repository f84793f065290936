"""Checks at the public border; each failure says what was expected, what came, and where."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.errors import DataError, MissingDependencyError

_MOST_NAMES = 20  # a message must stay readable where there are thousands of channels


def suggest(name: str, known: Iterable[str]) -> str:
    """End a message with the closest known name, or with the names to choose from.

    Parameters
    ----------
    name : str
        What was asked for.
    known : iterable of str
        What there is.

    Returns
    -------
    str
        End of a sentence.
    """
    names = sorted(str(k) for k in known)
    close = difflib.get_close_matches(str(name), names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"choose from {names[:_MOST_NAMES]}" + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def check_option(name: str, value: Any, options: Sequence[Any]) -> Any:
    """Return `value` if it is one of `options`.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : object
        What was given.
    options : sequence
        What is allowed.

    Returns
    -------
    object
        `value`.

    Raises
    ------
    DataError
        If it is none of them; the message names the closest.
    """
    if value not in options:
        raise DataError(f"{name}={value!r} is unknown: {suggest(str(value), map(str, options))}")
    return value


def check_positive(name: str, value: float) -> float:
    """Return `value` as a float if it is finite and above zero.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : float
        What was given.

    Returns
    -------
    float
        `value`.

    Raises
    ------
    DataError
        If it is not such a number.
    """
    number = as_number(value)
    if not np.isfinite(number) or number <= 0:
        raise DataError(f"{name} must be a finite number above 0, got {value!r}")
    return number


def as_number(value: Any) -> float:
    """Turn a value into a float.

    Parameters
    ----------
    value : object
        A number, or anything else.

    Returns
    -------
    float
        NaN for what is not a number, so that one check of the range catches both.
    """
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def check_columns(table: pd.DataFrame, required: Sequence[str], where: str) -> None:
    """Check that a table has the columns that are needed.

    Parameters
    ----------
    table : DataFrame
        The table.
    required : sequence of str
        Names of columns.
    where : str
        What the table is, for the message.

    Raises
    ------
    DataError
        Naming the first column that is missing, and the closest one there is.
    """
    for name in required:
        if name not in table.columns:
            raise DataError(f"{where} has no column {name!r}: {suggest(name, map(str, table.columns))}")


def check_length(name: str, got: int, expected: int, of: str) -> None:
    """Check the number of rows of a table.

    Parameters
    ----------
    name : str
        What the table is, for the message.
    got, expected : int
        Rows there are, and rows there must be.
    of : str
        What each row stands for.

    Raises
    ------
    DataError
        If the two differ.
    """
    if got != expected:
        raise DataError(f"{name} has {got} rows, expected {expected}, one per {of}")


def check_unique(values: pd.Series, where: str) -> None:
    """Check that no name occurs twice and none is missing (``n/a`` on disk).

    Parameters
    ----------
    values : Series
        Names or ids.
    where : str
        What they are, for the message.

    Raises
    ------
    DataError
        Naming the first value that occurs twice, or the first row without one.
    """
    missing = values.isna() | values.eq("n/a")
    if missing.any():
        raise DataError(f"{where} must not be missing, row {int(np.argmax(missing))} of {len(values)} has none")
    twice = values[values.duplicated()]
    if len(twice):
        raise DataError(f"{where} must be unique, {twice.iloc[0]!r} occurs {int((values == twice.iloc[0]).sum())} times")


def check_finite(data: np.ndarray[Any, Any], rows: Sequence[str], where: str, remedy: str) -> None:
    """Check that every value is finite.

    Parameters
    ----------
    data : array of shape (n_rows, ...)
        Values.
    rows : sequence of str
        Name of each row.
    where : str
        What needs finite values, for the message.
    remedy : str
        What the user can do.

    Raises
    ------
    DataError
        Naming the first row that holds a NaN or an infinity.
    """
    bad = ~np.isfinite(data).all(axis=tuple(range(1, data.ndim)))
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{where}: {rows[first]!r} holds NaN or infinite values ({int(bad.sum())} of {len(data)} rows do). {remedy}"
        )


def as_float32(data: Any, name: str, ndims: Sequence[int]) -> Any:
    """Return `data` as a float32 array of an allowed number of dimensions, without copying where possible.

    Parameters
    ----------
    data : array_like
        Real numbers; lazy arrays and float32 memory maps pass through unread.
    name : str
        What the numbers are, for the message.
    ndims : sequence of int
        Allowed numbers of dimensions.

    Returns
    -------
    array
        Of dtype float32.

    Raises
    ------
    DataError
        If these are not real numbers, or the number of dimensions is another one.
    """
    data = data if _is_array(data) else _to_array(data, name)
    if np.dtype(data.dtype).kind not in "fiub":
        raise DataError(f"{name} must be real numbers, got dtype {data.dtype}")
    if len(data.shape) not in ndims:
        raise DataError(f"{name} must have {' or '.join(map(str, ndims))} dimensions, got shape {tuple(data.shape)}")
    return data if data.dtype == np.float32 else np.asarray(data, dtype=np.float32)


def as_table(table: Any, name: str) -> pd.DataFrame:
    """Copy a table into a data frame with text as column names and rows numbered from 0.

    Parameters
    ----------
    table : DataFrame, mapping of columns or list of mappings
        The table.
    name : str
        What it is, for the message.

    Returns
    -------
    DataFrame
        A copy.

    Raises
    ------
    DataError
        If it is no table, its columns differ in length, or two columns have one name.
    """
    if not isinstance(table, (pd.DataFrame, Mapping, list)):
        raise DataError(f"{name} must be a pandas DataFrame (or a mapping of columns), got {type(table).__name__}")
    try:
        frame = pd.DataFrame(table).reset_index(drop=True)
    except ValueError as error:
        raise DataError(f"{name} must be columns of one length, got {type(table).__name__}: {error}") from error
    if not all(isinstance(column, str) for column in frame.columns):
        frame.columns = pd.Index([str(column) for column in frame.columns])
    if not frame.columns.is_unique:
        raise DataError(f"columns of {name} must be unique, {frame.columns[frame.columns.duplicated()][0]!r} occurs twice")
    return frame


def as_meta(meta: Any) -> dict[str, Any]:
    """Copy what is known about an object into a dictionary.

    Parameters
    ----------
    meta : mapping or None
        JSON values by name; None stands for nothing.

    Returns
    -------
    dict
        A copy, one level deep.

    Raises
    ------
    DataError
        If it is no mapping.
    """
    if meta is not None and not isinstance(meta, Mapping):
        raise DataError(f"meta must be a mapping of names to JSON values, got {type(meta).__name__}: {meta!r:.80}")
    return dict(meta or {})


def check_index(rows: Any, n: int, what: str) -> NDArray[np.intp]:
    """Turn row numbers, a slice or a mask into row numbers.

    Parameters
    ----------
    rows : int, slice or array_like
        Row numbers (negative ones count from the end), or a mask of shape (n,).
    n : int
        Number of rows there are.
    what : str
        What the rows are, for the message.

    Returns
    -------
    NDArray[np.intp]
        Row numbers from 0 to n - 1, in the order asked for.

    Raises
    ------
    DataError
        If an index is out of range, a mask has another length, or it is neither.
    """
    index = rows if isinstance(rows, slice) else np.atleast_1d(np.asarray(rows))
    if isinstance(index, np.ndarray) and not index.size:
        return np.zeros(0, dtype=np.intp)
    try:
        chosen = np.arange(n, dtype=np.intp)[index]
    except (IndexError, TypeError) as error:
        raise DataError(f"{what} must be row numbers below {n}, a slice or a mask of shape ({n},): {error}") from error
    if chosen.ndim != 1:
        raise DataError(f"{what} must be one list of row numbers, got shape {chosen.shape}")
    return chosen


def assign(instance: object, **members: Any) -> None:
    """Set members of a frozen dataclass from within its own constructor.

    Parameters
    ----------
    instance : object
        The object under construction.
    **members
        Values by name.
    """
    for name, value in members.items():
        object.__setattr__(instance, name, value)


def require(package: str, purpose: str, extra: str) -> ModuleType:
    """Import a package of an optional extra, or say which extra brings it.

    Parameters
    ----------
    package : str
        Name to import.
    purpose : str
        What it is needed for, as the object of "is needed for".
    extra : str
        The extra of neurodecode that brings it.

    Returns
    -------
    ModuleType
        The package.

    Raises
    ------
    MissingDependencyError
        With the command that installs it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingDependencyError(package, purpose, extra) from error


def _is_array(data: Any) -> bool:
    """Whether `data` has a shape and a dtype that numpy knows, be it in memory or not."""
    try:
        np.dtype(data.dtype)
    except (AttributeError, TypeError):
        return False
    return hasattr(data, "shape")


def _to_array(data: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(data)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name} must be an array of numbers, got {type(data).__name__}: {error}") from error
