"""From and to xarray: the signal with named axes, the tables as coordinates, the rest as attributes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data.hashing import jsonable
from neurodecode.data.intervals import Intervals
from neurodecode.data.lazy import read_signal
from neurodecode.data.recording import Recording
from neurodecode.data.responses import Responses
from neurodecode.data.validate import require
from neurodecode.errors import DataError

_AXES = {"Recording": ("channel", "time"), "Responses": ("sample", "unit")}


def to_xarray(obj: Recording | Responses) -> Any:
    """Turn a Recording or Responses into an ``xarray.Dataset``.

    Parameters
    ----------
    obj : Recording or Responses
        What to convert; a lazy signal is read.

    Returns
    -------
    xarray.Dataset
        ``data`` with the axes (channel, time) or (sample, unit[, time]); every column of a table is a coordinate of its
        axis (``channel_kind``, ``sample_trial_type``, ...); events and valid stretches are variables on their own axes;
        ``sfreq``, ``t0`` and ``meta`` (JSON text) are attributes. `from_xarray` gives the same object back.

    Raises
    ------
    DataError
        If `obj` is something else.
    """
    xarray = require("xarray", "labelled arrays", "test")
    if isinstance(obj, Recording):
        return _recording_dataset(xarray, obj)
    if isinstance(obj, Responses):
        return _responses_dataset(xarray, obj)
    raise DataError(f"to_xarray takes a Recording or Responses, got {type(obj).__name__}")


def from_xarray(dataset: Any) -> Recording | Responses:
    """Turn what `to_xarray` made, or a labelled array with the same axes, into a Recording or Responses.

    Parameters
    ----------
    dataset : xarray.Dataset or xarray.DataArray
        Axes (channel, time) make a Recording, (sample, unit[, time]) make Responses, in any order. ``time`` must be a
        coordinate in s; for a Recording it must be regular unless the attributes ``sfreq`` and ``t0`` are there.

    Returns
    -------
    Recording or Responses
        With the tables, attributes and values of `dataset`.

    Raises
    ------
    DataError
        If the axes are neither of these, or the clock of a Recording is not regular.
    """
    xarray = require("xarray", "labelled arrays", "test")
    if isinstance(dataset, xarray.DataArray):
        dataset = dataset.to_dataset(name="data").assign_attrs(dataset.attrs)
    if "data" not in dataset:
        raise DataError(f"the dataset has no variable 'data', only {sorted(map(str, dataset.data_vars))}")
    axes = set(dataset["data"].dims)
    if axes == {"channel", "time"}:
        return _recording(dataset)
    if axes in ({"sample", "unit"}, {"sample", "unit", "time"}):
        return _responses(dataset)
    raise DataError(f"data has the axes {sorted(map(str, axes))}, expected channel and time, or sample, unit and perhaps time")


def _columns(table: pd.DataFrame, axis: str) -> dict[str, tuple[str, Any]]:
    """Columns of a table as coordinates of one axis; the names themselves label the axis of channels and units."""
    columns = {f"{axis}_{name}": (axis, _plain(table[name])) for name in table}
    if axis in ("channel", "unit"):
        columns[axis] = columns.pop(f"{axis}_name")
    return columns


def _plain(column: pd.Series) -> Any:
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.to_numpy(object)


def _table(dataset: Any, axis: str) -> pd.DataFrame:
    columns = {str(name)[len(axis) + 1 :]: dataset[name].values for name in dataset.variables if _belongs(dataset, name, axis)}
    if axis in ("channel", "unit") and axis in dataset.coords:
        columns = {"name": dataset[axis].values, **columns}
    return pd.DataFrame(columns, index=pd.RangeIndex(dataset.sizes.get(axis, 0)))


def _belongs(dataset: Any, name: Any, axis: str) -> bool:
    return str(name).startswith(f"{axis}_") and dataset[name].dims == (axis,)


def _meta_text(obj: Recording | Responses) -> str:
    return json.dumps(jsonable(obj.meta), sort_keys=True)


def _recording_dataset(xarray: Any, recording: Recording) -> Any:
    valid = recording.valid
    return xarray.Dataset(
        {
            "data": (_AXES["Recording"], read_signal(recording.data)),
            **_columns(recording.events, "event"),
            "valid_start": ("valid", valid.start),
            "valid_end": ("valid", valid.end),
        },
        coords={"time": recording.times, **_columns(recording.channels, "channel")},
        attrs={"kind": "Recording", "sfreq": recording.sfreq, "t0": recording.t0, "meta": _meta_text(recording)},
    )


def _responses_dataset(xarray: Any, responses: Responses) -> Any:
    axes = _AXES["Responses"] if responses.times is None else (*_AXES["Responses"], "time")
    clock = {} if responses.times is None else {"time": responses.times}
    return xarray.Dataset(
        {"data": (axes, np.asarray(responses.data))},
        coords={**clock, **_columns(responses.samples, "sample"), **_columns(responses.units, "unit")},
        attrs={"kind": "Responses", "meta": _meta_text(responses)},
    )


def _recording(dataset: Any) -> Recording:
    signal = dataset["data"].transpose(*_AXES["Recording"]).values
    sfreq, t0 = _clock(dataset, signal.shape[1])
    events = _table(dataset, "event")
    valid = Intervals(dataset["valid_start"].values, dataset["valid_end"].values) if "valid_start" in dataset else None
    return Recording(
        signal,
        sfreq,
        _named(_table(dataset, "channel"), "channel"),
        events if len(events.columns) else None,  # type: ignore[arg-type]  # None stands for "no events"
        t0=t0,
        valid=valid,  # type: ignore[arg-type]  # None stands for "all of it"
        meta=json.loads(dataset.attrs.get("meta", "{}")),
    )


def _clock(dataset: Any, n_times: int) -> tuple[float, float]:
    """Rate (Hz) and first time (s): from the attributes, else from a regular ``time`` coordinate."""
    attrs = dataset.attrs
    if "time" not in dataset.coords or n_times < 2:
        if "sfreq" not in attrs:
            raise DataError(f"{n_times} samples without a time coordinate: give one in s, or the attributes sfreq and t0")
        return float(attrs["sfreq"]), float(attrs.get("t0", 0.0))
    times = dataset["time"].values.astype(float)
    sfreq = (n_times - 1) / float(times[-1] - times[0])
    if np.isclose(attrs.get("sfreq", np.nan), sfreq, rtol=1e-6):
        sfreq = float(attrs["sfreq"])  # exact, where the times are its rounded multiples
    off = float(np.abs(times - (times[0] + np.arange(n_times) / sfreq)).max() * sfreq)
    if not off < 0.01:
        raise DataError(f"time is not regular: a sample is off by {off:.3g} sample widths; resample to one clock first")
    return sfreq, float(times[0])


def _named(table: pd.DataFrame, axis: str) -> pd.DataFrame:
    return table if "name" in table else table.assign(name=[f"{axis}{row}" for row in range(len(table))])


def _responses(dataset: Any) -> Responses:
    data = dataset["data"]
    axes = [*_AXES["Responses"], *(["time"] if "time" in data.dims else [])]
    times = dataset["time"].values if "time" in data.dims else None
    return Responses(
        data.transpose(*axes).values,
        _table(dataset, "sample"),
        _named(_table(dataset, "unit"), "unit"),
        times,
        json.loads(dataset.attrs.get("meta", "{}")),
    )
