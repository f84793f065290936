"""NWB files: electrical series as recordings, sorted units as spike trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Intervals, LazySignal, Recording, SpikeTrains
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import check_option, require, suggest
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.guard import AGAIN, existing_file, reading
from neurodecode.io.hdf5_structure import check_stored
from neurodecode.io.mne_calls import consistent
from neurodecode.io.nwb_tables import column_values, electrode_table, interval_events, invalid_times, text_of
from neurodecode.io.outside import check_links

_VOLTS = {"volts": 1.0, "volt": 1.0, "V": 1.0, "millivolts": 1e-3, "mV": 1e-3, "microvolts": 1e-6, "uV": 1e-6, "µV": 1e-6}
_METERS = {"um": 1e-6, "mm": 1e-3, "m": 1.0}


def read_nwb(path: str | Path, **options: Any) -> Recording | SpikeTrains:
    """Read an NWB file that holds either one electrical series or sorted units.

    Parameters
    ----------
    path : str or Path
        NWB 2 file.
    **options
        Passed to `read_nwb_series` or `read_nwb_units`.

    Returns
    -------
    Recording or SpikeTrains
        Whichever the file holds.

    Raises
    ------
    FormatError
        If it holds both, several series, or neither; the message names the function to call.
    CorruptFileError
        If the file is damaged.

    Notes
    -----
    No reader can see changed values where the writer left out fletcher32, or missing chunks, which HDF5 fills; a known sha256
    finds them (see ``docs/damage.md``).
    """
    with _opened(path) as file:
        series, units = sorted(_series(file)), "units" in file
    if len(series) == 1 and not units:
        return read_nwb_series(path, **options)
    if units and not series:
        return read_nwb_units(path, **options)
    if not series:
        remedy = "Calcium imaging and behaviour are not supported yet: read them with pynwb and make a Recording of the arrays"
        raise FormatError(path, "it holds neither an electrical series nor sorted units", remedy)
    remedy = "Call neurodecode.io.nwb.read_nwb_series(path, name=...)" + (", or read_nwb_units(path)" if units else "")
    raise FormatError(path, f"it holds the electrical series {series}{' and sorted units' if units else ''}", remedy)


def read_nwb_series(
    path: str | Path, name: str | None = None, *, kind: str | None = None, position_unit: str = "um", tolerance: float = 0.5
) -> Recording:
    """Read an electrical series (iEEG, LFP, raw extracellular voltage).

    Parameters
    ----------
    path : str or Path
        NWB 2 file.
    name : str, optional
        Name of the series, or its path inside the file; needed where there are several.
    kind : str, optional
        Kind of the channels, e.g. "ecog" or "seeg"; by default "ecog" where the electrode group speaks of grids, strips or
        ECoG, otherwise "seeg".
    position_unit : {"um", "mm", "m"}
        Unit of the electrode positions. NWB says micrometers; human recordings often hold mm.
    tolerance : float
        Largest distance of a time stamp from a regular clock, in samples.

    Returns
    -------
    Recording
        Signal in V (``data * conversion * channel_conversion + offset``), read when it is indexed; ``t0`` is the starting
        time; tables of intervals are events whose ``trial_type`` is the name of the table unless the table has one.

    Raises
    ------
    FormatError
        If there is no such series, its unit is not a voltage, or its time stamps are not regular.
    CorruptFileError
        If the file is damaged or its parts contradict each other.
    """
    check_option("position_unit", position_unit, tuple(_METERS))
    with _opened(path) as file:
        where = _find_series(path, file, name)
        group = file[where]
        n_times, n_channels = _series_shape(group["data"])
        sfreq, t0 = _clock(path, group, n_times, tolerance)
        channels = _series_channels(path, file, group, n_channels, kind, _METERS[position_unit])
        scale, offset = _conversion(path, group, n_channels)
        events, broken = interval_events(file), invalid_times(file)
        meta = _meta(path, file, "ieeg")
    meta["space"] = {"name": "native", "type": "sensors", "unit": "m"}
    signal = LazySignal(_SeriesReader(Path(path), where, scale, offset), (n_channels, n_times))
    valid = broken.complement(t0, t0 + n_times / sfreq) if len(broken) else Intervals([t0], [t0 + n_times / sfreq])
    with consistent(path):
        return Recording(signal, sfreq, channels, events, t0=t0, valid=valid, meta=meta)  # type: ignore[arg-type]  # None: no events


def read_nwb_units(path: str | Path) -> SpikeTrains:
    """Read sorted units.

    Parameters
    ----------
    path : str or Path
        NWB 2 file with a table ``units``.

    Returns
    -------
    SpikeTrains
        One channel per unit, with the plain columns of the table, and ``region`` and positions of its (first) electrode.
        Every table of intervals (trials, epochs, ...) is in the events; ``trial_type`` is the name of the table unless the
        table has one. ``valid`` is where any unit was observed, where the file says so.

    Raises
    ------
    FormatError
        If the file has no sorted units.
    CorruptFileError
        If the file is damaged or the index of the spike times does not fit.
    """
    with _opened(path) as file:
        if "units" not in file or "spike_times" not in file["units"]:
            raise FormatError(path, "it holds no sorted units", "Call neurodecode.io.nwb.read_nwb_series(path) for signals")
        units = file["units"]
        times = np.asarray(units["spike_times"][()], float)
        ends = np.asarray(units["spike_times_index"][()], np.int64)
        if len(ends) and (ends[-1] != len(times) or np.any(np.diff(ends) < 0)):
            raise CorruptFileError(path, f"the index of the spike times ends at {ends[-1]}, there are {len(times)}", "Sort again")
        channels = _unit_channels(file, units, len(ends))
        events, valid, meta = interval_events(file), _observed(units), _meta(path, file, "spikes")
    unit = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    with consistent(path):
        return SpikeTrains(times, unit, channels, events, valid, meta)  # type: ignore[arg-type]  # None stands for the default


# --- opening -------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(path: str | Path, *, check: bool = True) -> Iterator[Any]:
    """The open HDF5 file, with its structure checked; what fails inside the block names the file."""
    h5py = require("h5py", "reading NWB files", "meeg")
    place = existing_file(path)
    if check:
        check_links(place)
    try:
        with reading(place, "it is no readable NWB file"), h5py.File(place, "r") as file:
            if "nwb_version" not in file.attrs:
                raise FormatError(place, f"it is no NWB file, its groups are {sorted(file)}", "Pass an NWB 2 file")
            if check:
                check_stored(file)
            yield file
    except RuntimeError as error:  # what the HDF5 library raises on damaged internals
        raise CorruptFileError(place, f"it is no readable NWB file ({error})", AGAIN) from error


def _meta(path: str | Path, file: Any, modality: str) -> dict[str, Any]:
    named = {"subject": "general/subject/subject_id", "session": "general/session_id"}
    found = {name: text_of(file[where][()]) for name, where in named.items() if where in file}
    source = {"file": Path(path).name, "sha256": sha256_file(path)}
    return {**found, "modality": modality, "sources": [source]}


# --- electrical series ---------------------------------------------------------------------------------------------


def _series(file: Any) -> list[str]:
    """Paths of the electrical series below acquisition and processing."""
    found: list[str] = []

    def note(where: str, item: Any) -> None:
        if text_of(item.attrs.get("neurodata_type", "")) == "ElectricalSeries" and "data" in item:
            found.append(where)

    for top in ("acquisition", "processing"):
        if top in file:
            file[top].visititems(lambda where, item, top=top: note(f"{top}/{where}", item))
    return found


def _find_series(path: str | Path, file: Any, name: str | None) -> str:
    there = _series(file)
    matches = [where for where in there if name is None or name in (where, where.rsplit("/", 1)[-1])]
    if len(matches) == 1:
        return matches[0]
    if not there:
        raise FormatError(path, "it holds no electrical series", "Call neurodecode.io.nwb.read_nwb_units(path) for sorted units")
    if not matches:
        raise FormatError(path, f"it holds no electrical series {name!r}", suggest(str(name), there).capitalize())
    raise FormatError(path, f"it holds {len(matches)} electrical series: {matches}", "Choose one with name=...")


def _series_shape(data: Any) -> tuple[int, int]:
    return int(data.shape[0]), int(data.shape[1]) if data.ndim == 2 else 1


def _clock(path: str | Path, group: Any, n_times: int, tolerance: float) -> tuple[float, float]:
    """Rate in Hz and time of the first sample in s, from the stated rate or from regular time stamps."""
    if "starting_time" in group:
        return float(group["starting_time"].attrs["rate"]), float(group["starting_time"][()])
    stamps = np.asarray(group["timestamps"][()], float)
    if len(stamps) != n_times or n_times < 2:
        raise CorruptFileError(path, f"it has {len(stamps)} time stamps for {n_times} samples", "Write the series again")
    sfreq = (n_times - 1) / float(stamps[-1] - stamps[0])
    off = np.abs(stamps - (stamps[0] + np.arange(n_times) / sfreq)) * sfreq
    worst = int(np.argmax(off))
    if not off[worst] <= tolerance:
        what = f"its time stamps are not regular: sample {worst} is {off[worst]:.3g} samples away from a clock of {sfreq:.6g} Hz"
        raise FormatError(path, what, "Resample the series to a regular clock, or read it in pieces without gaps")
    return sfreq, float(stamps[0])


def _conversion(path: str | Path, group: Any, n_channels: int) -> tuple[NDArray[np.float64], float]:
    """Factor per channel, shape (n_channels, 1), and offset, that turn stored numbers into V."""
    attrs = group["data"].attrs
    unit = text_of(attrs.get("unit", "volts"))
    if unit not in _VOLTS:
        raise FormatError(path, f"the series has the unit {unit!r}, expected a voltage", f"Known units are {sorted(_VOLTS)}")
    factor = np.full((n_channels, 1), _VOLTS[unit] * float(attrs.get("conversion", 1.0)))
    if "channel_conversion" in group:
        factor = factor * np.asarray(group["channel_conversion"][()], float).reshape(-1, 1)
    return factor, _VOLTS[unit] * float(attrs.get("offset", 0.0))


class _SeriesReader:
    """Reads a stretch of a series; the file is open only while it does."""

    def __init__(self, path: Path, where: str, factor: NDArray[np.float64], offset: float) -> None:
        self._path, self._where, self._factor, self._offset = path, where, factor, offset

    def __call__(self, start: int, stop: int) -> NDArray[np.float64]:
        with _opened(self._path, check=False) as file:
            block = np.asarray(file[self._where]["data"][start:stop], float)
        return block.reshape(stop - start, -1).T * self._factor + self._offset


def _series_channels(
    path: str | Path, file: Any, group: Any, n_channels: int, kind: str | None, position_scale: float
) -> pd.DataFrame:
    table = electrode_table(file, position_scale)
    rows = np.asarray(group["electrodes"][()], np.int64) if "electrodes" in group else np.arange(n_channels)
    if len(rows) != n_channels or (len(rows) and rows.max() >= len(table)):
        what = f"{n_channels} channels refer to {len(rows)} rows of {len(table)} electrodes"
        raise CorruptFileError(path, what, "Write the series again with one electrode per channel")
    channels = table.iloc[rows].reset_index(drop=True)
    kinds = [kind] * n_channels if kind else [_kind_of(text) for text in channels["group"]]
    return channels.assign(kind=kinds, unit="V")


def _kind_of(group: str) -> str:
    return "ecog" if any(word in group.lower() for word in ("grid", "strip", "ecog", "subdural")) else "seeg"


# --- units ---------------------------------------------------------------------------------------------------------


def _unit_channels(file: Any, units: Any, n_units: int) -> pd.DataFrame:
    """One row per unit: the plain columns of the table and what is known about its first electrode."""
    ids = units["id"][()] if "id" in units else np.arange(n_units)
    columns = column_values(units, n_units, skip=("spike_times", "obs_intervals", "electrodes"))
    renamed = {("unit_kind" if name == "kind" else "unit_unit" if name == "unit" else name): v for name, v in columns.items()}
    names = renamed.pop("name", [f"unit{i}" for i in ids])
    channels = pd.DataFrame({"name": names, "kind": "unit", "unit": "n/a", "id": ids, **renamed})
    if "electrodes" in units and n_units:
        channels = channels.join(_first_electrodes(file, units).drop(columns=[*channels.columns], errors="ignore"))
    return channels


def _first_electrodes(file: Any, units: Any) -> pd.DataFrame:
    """Region and position of the first electrode of each unit; NaN for units without one."""
    listed = np.asarray(units["electrodes"][()], np.int64)
    first = listed.tolist()
    if "electrodes_index" in units:
        ends = np.asarray(units["electrodes_index"][()], np.int64)
        starts = np.concatenate([[0], ends[:-1]])
        first = [int(listed[start]) if end > start else -1 for start, end in zip(starts, ends, strict=True)]
    table = electrode_table(file, 1.0)
    found = table.reindex(first).reset_index(drop=True)
    return found.rename(columns={"name": "electrode", "x": "electrode_x", "y": "electrode_y", "z": "electrode_z"})


def _observed(units: Any) -> Intervals | None:
    """Stretches in which any unit was observed, or None where the file does not say."""
    if "obs_intervals" not in units:
        return None
    pairs = np.asarray(units["obs_intervals"][()], float).reshape(-1, 2)
    return Intervals.from_pairs([(float(start), float(end)) for start, end in pairs])
