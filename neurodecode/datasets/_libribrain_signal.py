"""Recordings of LibriBrain: HDF5 files of 306 sensors, of which a stretch is read when it is indexed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import LazySignal, Recording
from neurodecode.data.validate import require
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.guard import AGAIN, existing_file, reading
from neurodecode.io.hdf5_structure import check_stored
from neurodecode.io.mne_calls import consistent
from neurodecode.io.outside import check_links

_UNITS = {"mag": "T", "grad": "T/m"}
_FILTERS = {"highpass_cutoff": "highpass", "lowpass_cutoff": "lowpass"}
_REMEDY = "Take the file as its authors published it"


def read_serialised(file: Path, sensors: Path | None) -> Recording:
    """Open a recording without its events.

    Parameters
    ----------
    file : Path
        Data sets ``data`` (channels x times) and ``times``, attributes ``sample_frequency``, ``channel_names`` and
        ``channel_types``.
    sensors : Path or None
        Table of positions in JSON.

    Returns
    -------
    Recording
        In T and T/m, unread until used; t = 0 s is that of ``times``.

    Raises
    ------
    FormatError
        If there is no such file, or it lacks something.
    CorruptFileError
        If it is damaged or its parts contradict each other.
    """
    check_links(existing_file(file))
    with _opened(file) as opened:
        check_stored(opened)
        for name in ("data", "times"):
            if name not in opened:
                raise FormatError(file, f"it has no data set {name!r}, only {sorted(opened)}", _REMEDY)
        shape, told = opened["data"].shape, {**opened["data"].attrs, **opened.attrs}
        times = np.asarray(opened["times"][()], np.float64)
    sfreq = _number(told, "sample_frequency", file)
    if len(shape) != 2 or times.shape != shape[1:] or not sfreq > 0 or not _is_regular(times, sfreq):
        what = f"data has the shape {shape}, times {times.shape}, at {sfreq:g} Hz from {times[:1]} to {times[-1:]} s"
        raise CorruptFileError(file, f"its parts contradict each other: {what}", AGAIN)
    filters = {ours: _number(told, theirs, file) for theirs, ours in _FILTERS.items() if theirs in told}
    meta = {"modality": "meg", "filters": filters, "space": {"name": "device", "type": "sensors", "unit": "m"}}
    with consistent(file):
        channels = _placed(_channels(told, shape[0], file), sensors)
        signal: Any = LazySignal(Stretches(file), shape)
        return Recording(signal, sfreq, channels, t0=float(times[0]), meta=meta)


class Stretches:
    """Reads a stretch of ``data``; the file is open only while it does."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        """Samples start to stop - 1 of all channels."""
        with _opened(self._file) as opened:
            return np.asarray(opened["data"][:, start:stop], np.float32)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """The open file; what fails inside the block names it."""
    h5py = require("h5py", "reading HDF5 files", "meeg")
    try:
        with reading(file, "it is no readable HDF5 file"), h5py.File(file, "r") as opened:
            yield opened
    except RuntimeError as error:  # what the HDF5 library raises on damaged internals
        raise CorruptFileError(file, f"it is no readable HDF5 file ({error})", AGAIN) from error


def _is_regular(times: NDArray[np.float64], sfreq: float) -> bool:
    """Whether times rise by one sample from each to the next."""
    ideal = times[0] + np.arange(len(times)) / sfreq if len(times) else times
    return bool(len(times) and np.isfinite(times).all() and np.abs(times - ideal).max() < 0.5 / sfreq)


def _number(told: dict[str, Any], name: str, file: Path) -> float:
    """A number among the attributes."""
    if name not in told:
        raise FormatError(file, f"it has no attribute {name!r}, only {sorted(told)}", _REMEDY)
    with reading(file, f"its attribute {name} is no number"):
        return float(told[name])


def _channels(told: dict[str, Any], n_channels: int, file: Path) -> pd.DataFrame:
    """Names and kinds, which one text of commas holds each."""
    names, kinds = (_listed(told, name, file) for name in ("channel_names", "channel_types"))
    if not len(names) == len(kinds) == n_channels or set(kinds) - set(_UNITS):
        what = f"it has {n_channels} channels, {len(names)} names and {len(kinds)} types, which are {sorted(set(kinds))}"
        raise CorruptFileError(file, what, AGAIN)
    return pd.DataFrame({"name": names, "kind": kinds, "unit": [_UNITS[kind] for kind in kinds]})


def _listed(told: dict[str, Any], name: str, file: Path) -> list[str]:
    """Items of a list, or of a text with commas between them."""
    if name not in told:
        raise FormatError(file, f"it has no attribute {name!r}, only {sorted(told)}", _REMEDY)
    value = told[name]
    value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    items = value.split(",") if isinstance(value, str) else [str(item) for item in np.ravel(value)]
    return [item.strip() for item in items]


def _placed(channels: pd.DataFrame, sensors: Path | None) -> pd.DataFrame:
    """Channels with the positions that the table has of them."""
    if sensors is None:
        return channels
    with reading(sensors, "it is no table of sensors in JSON"), open(sensors, encoding="utf-8") as opened:
        places = {str(row["ch_name"]): [float(number) for number in row["loc"][:3]] for row in json.load(opened)}
    unknown = [np.nan] * 3
    xyz = np.array([places.get(name, unknown) for name in channels["name"]], float)
    return channels.assign(x=xyz[:, 0], y=xyz[:, 1], z=xyz[:, 2])
