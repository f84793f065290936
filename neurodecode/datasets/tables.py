"""Tables that data sets bring besides BIDS: comma-separated files, and the columns that loaders need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from neurodecode.data.validate import suggest
from neurodecode.errors import FormatError
from neurodecode.io.guard import existing_file, reading


def read_csv(path: Path, columns: Sequence[str], texts: Sequence[str] = ()) -> pd.DataFrame:
    """Read a comma-separated table.

    Parameters
    ----------
    path : Path
        The file, with a header.
    columns : sequence of str
        Columns it must have.
    texts : sequence of str
        Those of them that hold text, of which "None" or "NA" is not a missing value but a word.

    Returns
    -------
    DataFrame
        All of its columns.

    Raises
    ------
    FormatError
        If there is no such file or a column is missing; the message names the closest.
    CorruptFileError
        If it is no such table.
    """
    file = existing_file(path)
    with reading(file, "it is no table of comma-separated values", "Copy it again from its origin"):
        table = pd.read_csv(file)
    need_columns(table, columns, file)
    words = pd.read_csv(file, usecols=list(texts), dtype=str, keep_default_na=False) if texts else table[[]]
    return table.assign(**{name: words[name] for name in texts})


def need_columns(table: pd.DataFrame, columns: Sequence[str], file: Path) -> None:
    """Check that a table that was read from a file has some columns.

    Parameters
    ----------
    table : DataFrame
        The table.
    columns : sequence of str
        What it must have.
    file : Path
        Where it comes from.

    Raises
    ------
    FormatError
        Naming the file and the first column that is missing.
    """
    lacking = [name for name in columns if name not in table]
    if lacking:
        what = f"it has no column {lacking[0]!r}: {suggest(lacking[0], map(str, table.columns))}"
        raise FormatError(file, what, "Take the file as its authors published it")
