"""Short texts for `repr`: sizes, durations, memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def memory(n_bytes: float) -> str:
    """Write a number of bytes as a short text, e.g. 1.5 MB.

    Parameters
    ----------
    n_bytes : float
        Number of bytes.

    Returns
    -------
    str
        Three digits and a unit from B to TB.
    """
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 999.5:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"


def counts(values: pd.Series, most: int = 4) -> str:
    """List the most frequent values with their number, e.g. 32 eeg, 2 eog.

    Parameters
    ----------
    values : Series
        Values of a column.
    most : int
        Values to list; more are hinted at by dots.

    Returns
    -------
    str
        Most frequent first.
    """
    table = values.value_counts()
    shown = ", ".join(f"{n} {name}" for name, n in table.iloc[:most].items())
    return shown + (", ..." if len(table) > most else "")


def identity(meta: Mapping[str, Any]) -> str:
    """Write subject, session, task and run of an object in BIDS form.

    Parameters
    ----------
    meta : mapping
        The `meta` of an object.

    Returns
    -------
    str
        E.g. ``sub-01_task-faces``; empty where nothing is known.
    """
    names = (("subject", "sub"), ("session", "ses"), ("task", "task"), ("run", "run"))
    return "_".join(f"{short}-{meta[name]}" for name, short in names if meta.get(name) is not None)


def titled(kind: str, meta: Mapping[str, Any], lines: list[str]) -> str:
    """Set a title with the identity of the object over indented lines.

    Parameters
    ----------
    kind : str
        Name of the class.
    meta : mapping
        The `meta` of the object.
    lines : list of str
        What to say about it.

    Returns
    -------
    str
        The text of a `repr`.
    """
    return "\n  ".join([" ".join(["<" + kind, identity(meta)]).rstrip(), *lines]) + ">"
