"""Events that belong together, joined to blocks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neurodecode.data.tables import event_table
from neurodecode.data.validate import as_number, check_columns
from neurodecode.errors import DataError


def join_events(events: pd.DataFrame, gap: float, column: str = "trial_type") -> pd.DataFrame:
    """Join consecutive events of one kind to blocks.

    Parameters
    ----------
    events : DataFrame
        ``onset`` and ``duration`` in s, and the column.
    gap : float
        Longest pause between the end of an event and the onset of the next one of its block, in s.
    column : str
        What the events of a block have in common. Events without it stay apart.

    Returns
    -------
    DataFrame
        One row per block: ``onset`` of its first event, ``duration`` up to the end of the one that ends last, ``n_events``, and
        every other column that has one value in each block; the others are left out.

    Raises
    ------
    DataError
        If `gap` is negative or no number, or the column is missing.
    """
    if not 0 <= as_number(gap) < np.inf:
        raise DataError(f"gap must be 0 s or more, got {gap!r}")
    check_columns(events, [column], "events")
    table = event_table(events)
    end = table["onset"] + table["duration"].fillna(0.0)
    pause = table["onset"] - end.cummax().shift()
    begins = table[column].ne(table[column].shift()) | table[column].isna() | (pause > gap + 1e-9)
    blocks = table.assign(end=end).groupby(begins.cumsum(), sort=False)
    n_values = blocks[table.columns.drop(["onset", "duration"]).tolist()].nunique(dropna=False)
    first = table.loc[begins].reset_index(drop=True)
    lasted = blocks["end"].max().to_numpy() - first["onset"]
    constant = [name for name in n_values if not (n_values[name] > 1).any()]
    return first[["onset", *constant]].assign(n_events=blocks.size().to_numpy()).pipe(_with_duration, lasted)


def _with_duration(table: pd.DataFrame, duration: pd.Series) -> pd.DataFrame:
    """Put the durations where BIDS has them, behind the onsets."""
    table.insert(1, "duration", duration)
    return table
