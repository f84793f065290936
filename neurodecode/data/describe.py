"""Short texts for `repr`: sizes, durations, memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def memory(n_bytes: float) -> str:
    """Bytes as a short text, e.g. 1.5 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"


def counts(values: pd.Series, most: int = 4) -> str:
    """The most frequent values with their number, e.g. 32 eeg, 2 eog."""
    table = values.value_counts()
    shown = ", ".join(f"{n} {name}" for name, n in table.iloc[:most].items())
    return shown + (", ..." if len(table) > most else "")


def identity(meta: Mapping[str, Any]) -> str:
    """Subject, session, run and task of an object in BIDS form, or nothing."""
    names = (("subject", "sub"), ("session", "ses"), ("task", "task"), ("run", "run"))
    return "_".join(f"{short}-{meta[name]}" for name, short in names if meta.get(name) is not None)


def titled(kind: str, meta: Mapping[str, Any], lines: list[str]) -> str:
    """A title with the identity of the object, and indented lines below it."""
    return "\n  ".join([" ".join(["<" + kind, identity(meta)]).rstrip(), *lines]) + ">"
