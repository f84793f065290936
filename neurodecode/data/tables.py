"""Tables that go with the data: channels, events, samples and units, with the BIDS names at the border."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.validate import as_table, check_columns, check_length, check_option, check_unique
from neurodecode.errors import DataError

UNITS = ("V", "T", "T/m", "s", "Hz", "m", "rad", "count", "percent", "a.u.", "dF/F", "n/a")
_TO_BIDS = {"kind": "type", "unit": "units", "bad": "status"}
_DEFAULTS: dict[str, Any] = {"kind": "misc", "unit": "n/a", "bad": False}


def channel_table(table: Any, n_channels: int | None) -> pd.DataFrame:
    """Check a table of channels and fill in what it leaves out.

    Parameters
    ----------
    table : DataFrame or mapping
        Column ``name`` is required and unique. ``kind`` (misc), ``unit`` (n/a) and ``bad`` (False) get the defaults
        in brackets; ``x, y, z``, ``region`` and any other column pass through.
    n_channels : int or None
        Rows the table must have.

    Returns
    -------
    DataFrame
        A copy with rows numbered from 0.

    Raises
    ------
    DataError
        If the name is missing or not unique, a unit is unknown, or the number of rows is wrong.
    """
    channels = as_table(table, "channels")
    check_columns(channels, ["name"], "channels")
    if n_channels is not None:
        check_length("channels", len(channels), n_channels, "row of data")
    channels = fill_defaults(channels, _DEFAULTS).assign(name=as_texts(channels["name"]))
    check_unique(channels["name"], "channel names")
    for unit in channels["unit"].unique():
        check_option("unit of a channel", unit, UNITS)
    return channels.assign(bad=_flags(channels["bad"]))


def event_table(table: Any) -> pd.DataFrame:
    """Check a table of events and sort it by onset.

    Parameters
    ----------
    table : DataFrame, mapping or None
        ``onset`` in s is required and finite, ``duration`` in s becomes 0 where missing; any other column passes through.
        None stands for no events.

    Returns
    -------
    DataFrame
        A copy with rows numbered from 0.

    Raises
    ------
    DataError
        If ``onset`` is missing, or one of the two is not a number, or an onset is not finite.
    """
    events = as_table({"onset": [], "duration": []} if table is None else table, "events")
    check_columns(events, ["onset"], "events")
    events = fill_defaults(events, {"duration": 0.0})
    for name in ("onset", "duration"):
        events[name] = _numbers(events[name], name)
    bad = np.flatnonzero(~np.isfinite(events["onset"].to_numpy()))
    if bad.size:
        raise DataError(f"event {bad[0]} has no finite onset (got {events['onset'].iloc[bad[0]]}); give seconds or drop the row")
    return events.sort_values("onset", kind="stable", ignore_index=True)


def fill_defaults(table: pd.DataFrame, defaults: dict[str, Any]) -> pd.DataFrame:
    """Add the columns that are missing, and fill the gaps of those that are there.

    Parameters
    ----------
    table : DataFrame
        A table.
    defaults : dict
        Value by column.

    Returns
    -------
    DataFrame
        A copy.
    """
    filled = {
        name: table[name].where(table[name].notna(), default) if name in table else default for name, default in defaults.items()
    }
    return table.assign(**filled)


def to_bids(channels: pd.DataFrame) -> pd.DataFrame:
    """Rename to the columns of a BIDS channels.tsv: kind, unit, bad become type, units, status.

    Parameters
    ----------
    channels : DataFrame
        Channels of a `Recording`.

    Returns
    -------
    DataFrame
        A copy with types in capitals and ``status`` good or bad.
    """
    table = channels.assign(kind=channels["kind"].str.upper(), bad=np.where(channels["bad"], "bad", "good"))
    return table.rename(columns=_TO_BIDS)


def from_bids(table: pd.DataFrame) -> pd.DataFrame:
    """Rename the columns of a BIDS channels.tsv to ours: type, units, status become kind, unit, bad.

    Parameters
    ----------
    table : DataFrame
        As read from the file; columns may be missing.

    Returns
    -------
    DataFrame
        A copy with kinds in small letters and ``bad`` True or False.
    """
    named = table.rename(columns={bids: ours for ours, bids in _TO_BIDS.items()})
    if "kind" in named:
        named["kind"] = named["kind"].map(lambda kind: str(kind).lower(), na_action="ignore")
    if "bad" in named:
        named["bad"] = named["bad"].astype(str).str.lower().eq("bad")
    return named


def row_mask(table: pd.DataFrame, conditions: dict[str, Any], where: str) -> NDArray[np.bool_]:
    """Find the rows that meet every condition.

    Parameters
    ----------
    table : DataFrame
        A table.
    conditions : dict
        Wanted value, or values, by column; None stands for a missing value.
    where : str
        What the table is, for the message.

    Returns
    -------
    NDArray[np.bool_]
        Shape (n_rows,).

    Raises
    ------
    DataError
        If there is no such column.
    """
    check_columns(table, list(conditions), where)
    keep = np.ones(len(table), bool)
    for name, wanted in conditions.items():
        values = [wanted] if wanted is None or np.isscalar(wanted) else list(wanted)
        keep &= table[name].isin(values).to_numpy()
    return keep


def cut_rows(table: pd.DataFrame, rows: Any) -> pd.DataFrame:
    """Cut some rows out of a table and number them from 0 again.

    Parameters
    ----------
    table : DataFrame
        A table.
    rows : slice or array_like
        Row numbers, a slice or a mask.

    Returns
    -------
    DataFrame
        The rows in the order asked for.
    """
    part: pd.DataFrame = table.iloc[rows]
    part.index = pd.RangeIndex(len(part))
    return part


def as_texts(column: pd.Series) -> pd.Series:
    """Turn the values of a column into texts.

    Parameters
    ----------
    column : Series
        Names or numbers.

    Returns
    -------
    Series
        Texts; missing values stay missing.
    """
    return column.map(str, na_action="ignore")


def _flags(column: pd.Series) -> pd.Series:
    """A column of True and False (or 1 and 0); texts are refused, for the text "False" would count as true."""
    odd = column[~column.isin([True, False])]
    if len(odd):
        raise DataError(f"bad must be True or False for each channel, got {odd.iloc[0]!r} in row {odd.index[0]}")
    return column.astype(bool)


def _numbers(column: pd.Series, name: str) -> pd.Series:
    """A column as float64."""
    try:
        return pd.to_numeric(column).astype(float)
    except (ValueError, TypeError) as error:
        raise DataError(f"column {name!r} of events must hold seconds: {error}") from error
