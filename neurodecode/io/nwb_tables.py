"""Tables inside an NWB file (electrodes, units, intervals) as data frames; read with h5py, nothing is constructed from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Intervals

_NAME_COLUMNS = ("label", "channel_name", "electrode_name", "name")
_ELECTRODES = "general/extracellular_ephys/electrodes"
_INTERVALS = "intervals"


def text_of(value: Any) -> str:
    """Text of an attribute or a scalar, whether it comes as bytes or not."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def column_values(table: Any, n_rows: int, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Columns of an NWB table that hold one plain value per row.

    Parameters
    ----------
    table : h5py.Group
        A dynamic table.
    n_rows : int
        Its number of rows.
    skip : tuple of str
        Columns to leave out. Ragged columns (those with an index), columns of more than one dimension and references to
        other parts of the file are always left out.

    Returns
    -------
    dict
        Texts decoded, numbers as they are, ``name: values``.
    """
    ragged = {name.removesuffix("_index") for name in table if name.endswith("_index")}
    wanted = [name for name in _column_order(table) if name not in ragged and name not in (*skip, "id")]
    plain = {name: table[name] for name in wanted if name in table and not name.endswith("_index")}
    return {
        name: _plain_values(column[()])
        for name, column in plain.items()
        if getattr(column, "shape", None) == (n_rows,) and _is_plain(column.dtype)
    }


def _column_order(table: Any) -> list[str]:
    named = [text_of(name) for name in np.atleast_1d(table.attrs.get("colnames", []))]
    return [*named, *[name for name in table if name not in named]]


def _is_plain(dtype: np.dtype[Any]) -> bool:
    """Numbers, booleans and texts; not references, and not records of them."""
    stored: Any = dict(dtype.metadata or {})
    return dtype.kind in "biufSU" or stored.get("vlen") in (str, bytes)


def _plain_values(values: Any) -> Any:
    if values.dtype.kind in "SUO":
        return [text_of(value) for value in values]
    return values


def electrode_table(file: Any, position_scale: float) -> pd.DataFrame:
    """The electrodes of a file.

    Parameters
    ----------
    file : h5py.File
        Open NWB file.
    position_scale : float
        What turns stored positions into m.

    Returns
    -------
    DataFrame
        ``name`` (a unique label column of the file, else "electrode" and its id), ``group``, ``region`` (the location),
        ``x, y, z`` in m, and the other plain columns.
    """
    if _ELECTRODES not in file:
        return pd.DataFrame({"name": [], "group": []})
    table = file[_ELECTRODES]
    ids = np.asarray(table["id"][()])
    columns = pd.DataFrame(column_values(table, len(ids)), index=pd.RangeIndex(len(ids)))
    columns = columns.assign(name=_electrode_names(columns, ids), group=_group_texts(file, columns, len(ids)))
    columns = columns.rename(columns={"location": "region", "kind": "electrode_kind", "unit": "electrode_unit"})
    for axis in {"x", "y", "z"} & set(columns):
        columns[axis] = columns[axis].astype(float) * position_scale
    return columns


def _electrode_names(columns: pd.DataFrame, ids: Any) -> list[str]:
    for name in _NAME_COLUMNS:
        if name in columns and columns[name].is_unique and columns[name].map(lambda text: bool(str(text).strip())).all():
            return columns[name].astype(str).tolist()
    return [f"electrode{i}" for i in ids]


def _group_texts(file: Any, columns: pd.DataFrame, n_rows: int) -> list[str]:
    """Name of the electrode group of each row, with its description where that says more."""
    if "group_name" not in columns:
        return [""] * n_rows
    groups = file["general/extracellular_ephys"]
    texts = {}
    for name in columns["group_name"].unique():
        description = text_of(groups[name].attrs.get("description", "")) if name in groups else ""
        texts[name] = name if description in ("", name) else f"{name}: {description}"
    return columns["group_name"].map(texts).tolist()


def interval_events(file: Any) -> pd.DataFrame | None:
    """All tables of intervals as one table of events.

    Parameters
    ----------
    file : h5py.File
        Open NWB file.

    Returns
    -------
    DataFrame or None
        ``onset`` and ``duration`` in s, ``trial_type`` (the column of that name, else the name of the table), ``table``, and
        every plain column; None where the file has no intervals.
    """
    parts = [_events_of(name, table) for name, table in _interval_tables(file) if name != "invalid_times"]
    return pd.concat(parts, ignore_index=True) if parts else None


def _interval_tables(file: Any) -> list[tuple[str, Any]]:
    if _INTERVALS not in file:
        return []
    return [(name, table) for name, table in file[_INTERVALS].items() if "start_time" in table and len(table["start_time"])]


def _events_of(name: str, table: Any) -> pd.DataFrame:
    start = np.asarray(table["start_time"][()], float)
    stop = np.asarray(table["stop_time"][()], float) if "stop_time" in table else start
    columns = column_values(table, len(start), skip=("start_time", "stop_time", "onset", "duration", "table"))
    label = columns.pop("trial_type", [name] * len(start))
    events = pd.DataFrame({"onset": start, "duration": stop - start, "trial_type": [str(text) for text in label], "table": name})
    return events.join(pd.DataFrame(columns, index=events.index))


def invalid_times(file: Any) -> Intervals:
    """Stretches that the file marks as unusable."""
    table = dict(_interval_tables(file)).get("invalid_times")
    if table is None:
        return Intervals([], [])
    return Intervals.from_pairs(zip(table["start_time"][()], table["stop_time"][()], strict=True))
