"""Tables that go with the data: channels, events, samples and units, with the BIDS names at the border."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

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
    channels = fill_defaults(channels, _DEFAULTS).assign(name=channels["name"].astype(str))
    check_unique(channels["name"], "channel names")
    for unit in channels["unit"].unique():
        check_option("unit of a channel", unit, UNITS)
    return channels.assign(bad=channels["bad"].astype(bool))


def event_table(table: Any) -> pd.DataFrame:
    """Check a table of events: ``onset`` (s) finite, ``duration`` (s) 0 where missing, sorted by onset.

    Raises
    ------
    DataError
        If ``onset`` is missing, not a number, or not finite.
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
    """Add the columns of `defaults` that are missing, and fill the gaps of those that are there."""
    filled = {
        name: table[name].where(table[name].notna(), default) if name in table else default for name, default in defaults.items()
    }
    return table.assign(**filled)


def to_bids(channels: pd.DataFrame) -> pd.DataFrame:
    """Rename to the columns of a BIDS channels.tsv: kind, unit, bad become type, units, status."""
    table = channels.assign(kind=channels["kind"].str.upper(), bad=np.where(channels["bad"], "bad", "good"))
    return table.rename(columns=_TO_BIDS)


def from_bids(table: pd.DataFrame) -> pd.DataFrame:
    """Rename the columns of a BIDS channels.tsv to ours: type, units, status become kind, unit, bad."""
    named = table.rename(columns={bids: ours for ours, bids in _TO_BIDS.items()})
    if "kind" in named:
        named["kind"] = named["kind"].astype(str).str.lower()
    if "bad" in named:
        named["bad"] = named["bad"].astype(str).str.lower().eq("bad")
    return named


def row_mask(table: pd.DataFrame, conditions: dict[str, Any], where: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Rows whose columns equal the wanted value, or one of the wanted values, in every condition."""
    check_columns(table, list(conditions), where)
    keep = np.ones(len(table), bool)
    for name, wanted in conditions.items():
        values = [wanted] if np.isscalar(wanted) else list(wanted)
        keep &= table[name].isin(values).to_numpy()
    return keep


def cut_rows(table: pd.DataFrame, rows: Any) -> pd.DataFrame:
    """Some rows of a table, numbered from 0 again."""
    part = table.iloc[rows]
    part.index = pd.RangeIndex(len(part))
    return part


def _numbers(column: pd.Series, name: str) -> pd.Series:
    try:
        return pd.to_numeric(column).astype(float)
    except (ValueError, TypeError) as error:
        raise DataError(f"column {name!r} of events must hold seconds: {error}") from error
