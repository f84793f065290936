"""Tables on disk: TSV with ``n/a`` for missing values, each column back in the type it had."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.errors import CorruptFileError, DataError


def write_table(path: Path, table: pd.DataFrame) -> dict[str, str]:
    """Write a table as TSV.

    Parameters
    ----------
    path : Path
        The file.
    table : DataFrame
        Columns of numbers, of texts, or of True and False. Missing values become ``n/a``, and a text ``n/a`` is a missing
        value, as in BIDS.

    Returns
    -------
    dict
        Type of each column, for `read_table`: str, float, int, uint or bool.

    Raises
    ------
    DataError
        If a column holds something else, or texts that UTF-8 cannot write.
    """
    types = {str(name): _column_type(table[name], str(name)) for name in table}
    plain = pd.DataFrame({name: _plain(table[name], kind) for name, kind in types.items()}, index=table.index)
    texts = [pd.Series(list(types), dtype=object), *(plain[name] for name, kind in types.items() if kind == "str")]
    returns = any(column.map(lambda text: "\r" in text, na_action="ignore").eq(True).any() for column in texts)
    try:
        plain.to_csv(
            path,
            sep="\t",
            index=False,
            na_rep="n/a",
            lineterminator="\n",
            quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL,  # the latter forgets about carriage returns
        )
    except UnicodeEncodeError as error:
        raise DataError(f"{path.name} holds a text that UTF-8 cannot write: {error}") from error
    return types


def read_table(path: Path, types: dict[str, str]) -> pd.DataFrame:
    """Read a table written by `write_table`.

    Parameters
    ----------
    path : Path
        The file.
    types : dict
        What `write_table` returned, in the same order.

    Returns
    -------
    DataFrame
        Every column in the type it had.

    Raises
    ------
    CorruptFileError
        If the file has another number of columns.
    """
    if not types:  # a table without columns is one line end for the header and one for each row
        return pd.DataFrame(index=pd.RangeIndex(len(path.read_bytes()) - 1))
    with open(path, encoding="utf-8", newline="") as file:
        n_columns = max(1, len(next(csv.reader(file, delimiter="\t"), [])))
    if n_columns != len(types):
        raise CorruptFileError(path, f"it has {n_columns} columns, expected {len(types)}: {list(types)}", "Write it again")
    options: dict[str, Any] = {"keep_default_na": False, "na_values": ["n/a"], "skip_blank_lines": False, "index_col": False}
    raw = pd.read_csv(path, sep="\t", dtype=str, header=0, names=list(types), **options)
    return pd.DataFrame({name: _TYPED[kind](raw[name]) for name, kind in types.items()})


def _column_type(column: pd.Series, name: str) -> str:
    """How a column is written: by its dtype, or by what is in it."""
    kind = column.dtype.kind if isinstance(column.dtype, np.dtype) else "O"
    if kind in "biuf":
        return {"b": "bool", "f": "float", "i": "int", "u": "uint"}[kind]
    content = pd.api.types.infer_dtype(column.astype(object), skipna=True)
    types = {"string": "str", "empty": "str", "floating": "float", "mixed-integer-float": "float"}
    if not column.isna().any():
        types |= {"boolean": "bool", "integer": "int"}
    elif content == "integer":
        return "float"
    if content not in types:
        odd = next((v for v in column.dropna() if not isinstance(v, str)), None)
        raise DataError(
            f"column {name!r} holds {content} values, e.g. {odd!r}: use numbers, texts (JSON if need be), or True and False"
        )
    return types[content]


def _plain(column: pd.Series, kind: str) -> pd.Series:
    """A column in the numpy type it is written in, numbers in full precision."""
    numbers = {"float": np.float64, "int": np.int64, "uint": np.uint64, "bool": np.bool_}
    if kind == "str":
        return column.astype(object)
    try:
        return column.astype(numbers[kind])
    except OverflowError as error:
        raise DataError(f"column {column.name!r} holds whole numbers beyond 64 bits ({error}): use texts") from error


_TYPED: dict[str, Callable[[pd.Series], pd.Series]] = {
    "str": lambda column: column,
    "bool": lambda column: column.eq("True"),
    "int": lambda column: column.astype(np.int64),
    "uint": lambda column: column.astype(np.uint64),
    "float": lambda column: column.map(float, na_action="ignore").astype(float),
}
