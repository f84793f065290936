"""The folder that an object is on disk: ``data.npy`` (opens as a memory map), tables as TSV, ``meta.json`` last."""

from __future__ import annotations

import hashlib
import json
import os
import tokenize
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap

from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import jsonable
from neurodecode.data.intervals import Intervals
from neurodecode.data.lazy import LazySignal
from neurodecode.data.recording import Recording
from neurodecode.data.responses import Responses
from neurodecode.data.spikes import SpikeTrains
from neurodecode.data.stimuli import Stimuli
from neurodecode.data.tsv import read_table, write_table
from neurodecode.data.validate import suggest
from neurodecode.data.windowed import WindowedArray
from neurodecode.errors import CorruptFileError, DataError, FormatError, NeurodecodeError

MARKER = "meta.json"
_FORMAT, _VERSION = "neurodecode", 1
_BLOCK_BYTES = 64 * 2**20  # a lazy signal is copied to disk in stretches of this size
Storable = Recording | SpikeTrains | Responses | Stimuli


def save(obj: Storable, folder: str | Path) -> Path:
    """Write an object to a folder that appears whole or not at all.

    Parameters
    ----------
    obj : Recording, SpikeTrains, Responses or Stimuli
        What to save; a lazy signal is written block by block.
    folder : str or Path
        Final name. An older object of ours under this name is replaced; any other folder is refused.

    Returns
    -------
    Path
        The folder: ``data.npy`` and the like, ``*.tsv`` and, last, ``meta.json`` with the sha256 of each member.

    Raises
    ------
    DataError
        If `obj` is none of the four objects or its `meta` holds something that JSON cannot.
    DiskSpaceError
        If there is no room; nothing is left under the final name.
    """
    kind = type(obj).__name__
    if kind not in _WRITERS:
        raise DataError(f"only {sorted(_WRITERS)} can be saved, got {kind}")
    need = getattr(getattr(obj, "data", None), "nbytes", None)
    with atomic_folder(folder, MARKER, need) as partial:
        header = _WRITERS[kind](obj, partial)
        _write_marker(partial, {"format": _FORMAT, "version": _VERSION, "kind": kind, **header})
    return Path(folder)


def seal_responses(folder: Path, samples: pd.DataFrame, units: pd.DataFrame, meta: dict[str, Any]) -> None:
    """Finish a folder of `Responses` whose ``data.npy`` was written row by row.

    Parameters
    ----------
    folder : Path
        A temporary folder of `atomic_folder`, with ``data.npy``.
    samples, units : DataFrame
        One row per row and per column of the data.
    meta : dict
        As in `Responses`.
    """
    tables = _write_response_tables(folder, samples, units, meta)
    _write_marker(folder, {"format": _FORMAT, "version": _VERSION, "kind": "Responses", **tables})


def load(folder: str | Path, verify: bool = True) -> Any:
    """Open an object that `save` wrote; arrays stay memory maps.

    Parameters
    ----------
    folder : str or Path
        A folder written by `save`.
    verify : bool
        Check the sha256 of every member first. With False a changed payload of unchanged length cannot be noticed.

    Returns
    -------
    Recording, SpikeTrains, Responses or Stimuli
        The object that was saved.

    Raises
    ------
    FormatError
        If the folder was not written by `save`, or by a newer version.
    CorruptFileError
        If a member is missing or damaged; the message names it.
    """
    root = Path(folder)
    header = read_marker(root)
    check_members(root, header, contents=verify)
    try:
        _check_layout(root, header)
        return _READERS[header["kind"]](root, header)
    except CorruptFileError:
        raise
    except _DAMAGE as error:
        raise CorruptFileError(root, f"its members do not fit together ({error!r:.200})", _REMEDY) from error


_REMEDY = "Write it again from its source, or restore the folder from a backup"
_DAMAGE = (
    NeurodecodeError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
    SyntaxError,
    tokenize.TokenError,
)  # whatever numpy, pandas and the four constructors raise over members that contradict each other


def read_marker(root: Path) -> dict[str, Any]:
    """Read and check ``meta.json`` of a saved object.

    Parameters
    ----------
    root : Path
        The folder.

    Returns
    -------
    dict
        ``format, version, kind, members, tables, meta, ...``.

    Raises
    ------
    FormatError
        If the folder was not written by `save`, or by a newer version.
    CorruptFileError
        If the marker was altered.
    """
    path = root / MARKER
    if not path.is_file():
        raise FormatError(
            root, f"there is no {MARKER}, so this is not a finished neurodecode folder", "Pass a folder written by save()"
        )
    try:
        text = path.read_text(encoding="utf-8")
        header = json.loads(text)
    except (ValueError, OSError, RecursionError) as error:
        raise CorruptFileError(path, f"it is not readable JSON ({error})", _REMEDY) from error
    if not isinstance(header, dict) or not (header.get("format") == _FORMAT or "seal" in header):
        raise FormatError(path, "it was not written by neurodecode", "Pass a folder written by save()")
    if text != _marker_text({name: value for name, value in header.items() if name != "seal"}):
        raise CorruptFileError(path, "its own seal does not match: it was altered", _REMEDY)
    if header.get("version") != _VERSION:
        raise FormatError(path, f"version {header.get('version')!r}, this neurodecode reads {_VERSION}", "Update neurodecode")
    if str(header.get("kind")) not in _READERS:
        raise FormatError(path, f"kind {header.get('kind')!r} is unknown: {suggest(str(header.get('kind')), _READERS)}", _REMEDY)
    return header


def check_members(root: Path, header: dict[str, Any], *, contents: bool = True) -> None:
    """Compare every member of a saved folder with what was recorded of it.

    Parameters
    ----------
    root : Path
        The folder.
    header : dict
        Its marker.
    contents : bool
        Compare the sha256 and not only the size.

    Raises
    ------
    CorruptFileError
        Naming the first member that is missing, damaged, or lies outside the folder.
    """
    members = header.get("members")
    for name, expected in members.items() if isinstance(members, dict) else [(str(members), None)]:
        path = root / name
        if not isinstance(expected, dict) or not _is_inside(name):
            raise CorruptFileError(root / MARKER, f"{name!r} is no member of a saved folder", _REMEDY)
        if not path.is_file() or path.stat().st_size != expected.get("bytes"):
            got = f"{path.stat().st_size} bytes" if path.is_file() else "nothing"
            raise CorruptFileError(path, f"expected {expected.get('bytes')} bytes, found {got}", _REMEDY)
        if contents and _digest(path) != expected.get("sha256"):
            raise CorruptFileError(path, "its sha256 differs from the one in meta.json: it was altered or damaged", _REMEDY)


def _is_inside(name: str) -> bool:
    """Whether a member's name is plain parts below the folder, on every operating system."""
    parts = name.split("/")
    return not any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts)


def _check_layout(root: Path, header: dict[str, Any]) -> None:
    """Refuse a marker that lacks, or does not vouch for, a file that the reader of its kind will open."""
    arrays, tables = _LAYOUTS[header["kind"]]
    if set(header["tables"]) != set(tables):
        raise CorruptFileError(root / MARKER, f"expected the tables {list(tables)}, found {list(header['tables'])}", _REMEDY)
    items = [_item_name(i, header["stimulus_kind"]) for i in range(len(header.get("rates", [])))]
    for name in [*arrays, *(f"{table}.tsv" for table in tables), *items]:
        if name not in header["members"]:
            raise CorruptFileError(root / MARKER, f"it does not list the member {name!r}", _REMEDY)


def _digest(path: Path) -> str:
    """The sha256 of what is on the disk now."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _marker_text(header: dict[str, Any]) -> str:
    """The one way a marker is spelled, with the hash of all its other entries as its seal; the order of columns counts."""
    seal = hashlib.sha256(json.dumps(header).encode()).hexdigest()
    return json.dumps({**header, "seal": seal}, indent=1) + "\n"


def _write_marker(root: Path, header: dict[str, Any]) -> None:
    """Write ``meta.json`` over all the other members."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    members = {p.relative_to(root).as_posix(): {"bytes": p.stat().st_size, "sha256": _digest(p)} for p in files}
    try:
        complete = json.loads(json.dumps({**jsonable(header), "members": members}, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise DataError(f"meta must hold JSON values only (numbers, texts, lists, mappings): {error}") from error
    (root / MARKER).write_text(_marker_text(complete), encoding="utf-8", newline="\n")


# --- members -------------------------------------------------------------------------------------------------------


def _write_array(root: Path, name: str, data: Any) -> None:
    """Write an array, a lazy one in stretches of time, or some windows at a time."""
    if not isinstance(data, (LazySignal, WindowedArray)):
        np.save(root / name, np.asarray(data), allow_pickle=False)
        return
    target = open_memmap(root / name, mode="w+", dtype=np.float32, shape=data.shape)
    _reserve(root / name)
    axis = 1 if isinstance(data, LazySignal) else 0
    step = max(1, _BLOCK_BYTES * data.shape[axis] // max(1, data.nbytes))
    for start in range(0, data.shape[axis], step):
        part = (slice(None),) * axis + (slice(start, start + step),)
        target[part] = data[part]
    target.flush()


def _reserve(path: Path) -> None:
    """Take the room of a file now: a memory map that finds the disk full later kills the process."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _read_array(root: Path, name: str) -> Any:
    """Open an array as a memory map."""
    return open_memmap(root / name, mode="r")  # opens plain arrays alone: no archive, and nothing that holds objects


# --- one writer and one reader per kind ----------------------------------------------------------------------------


def _write_timed(obj: Recording | SpikeTrains, root: Path) -> dict[str, Any]:
    tables = {name: write_table(root / f"{name}.tsv", getattr(obj, name)) for name in ("channels", "events")}
    valid = pd.DataFrame({"start": obj.valid.start, "end": obj.valid.end})
    return {"tables": {**tables, "valid": write_table(root / "valid.tsv", valid)}, "meta": obj.meta}


def _read_timed(root: Path, header: dict[str, Any]) -> dict[str, Any]:
    tables = {name: read_table(root / f"{name}.tsv", types) for name, types in header["tables"].items()}
    valid = tables.pop("valid")
    return {**tables, "valid": Intervals(valid["start"], valid["end"]), "meta": header["meta"]}


def _write_recording(obj: Recording, root: Path) -> dict[str, Any]:
    _write_array(root, "data.npy", obj.data)
    return {"sfreq": obj.sfreq, "t0": obj.t0, **_write_timed(obj, root)}


def _read_recording(root: Path, header: dict[str, Any]) -> Recording:
    data = _read_array(root, "data.npy")
    return Recording(data, header["sfreq"], t0=header["t0"], **_read_timed(root, header))


def _write_spikes(obj: SpikeTrains, root: Path) -> dict[str, Any]:
    _write_array(root, "times.npy", obj.times)
    _write_array(root, "unit.npy", obj.unit)
    return _write_timed(obj, root)


def _read_spikes(root: Path, header: dict[str, Any]) -> SpikeTrains:
    return SpikeTrains(_read_array(root, "times.npy"), _read_array(root, "unit.npy"), **_read_timed(root, header))


def _write_responses(obj: Responses, root: Path) -> dict[str, Any]:
    _write_array(root, "data.npy", obj.data)
    if obj.times is not None:
        _write_array(root, "times.npy", obj.times)
    return _write_response_tables(root, obj.samples, obj.units, obj.meta)


def _write_response_tables(root: Path, samples: pd.DataFrame, units: pd.DataFrame, meta: dict[str, Any]) -> dict[str, Any]:
    tables = {"samples": write_table(root / "samples.tsv", samples), "units": write_table(root / "units.tsv", units)}
    return {"tables": tables, "meta": meta}


def _read_responses(root: Path, header: dict[str, Any]) -> Responses:
    tables = {name: read_table(root / f"{name}.tsv", types) for name, types in header["tables"].items()}
    times = np.array(_read_array(root, "times.npy")) if "times.npy" in header["members"] else None
    return Responses(_read_array(root, "data.npy"), **tables, times=times, meta=header["meta"])


def _write_stimuli(obj: Stimuli, root: Path) -> dict[str, Any]:
    (root / "items").mkdir()
    rates = []
    for i, item in enumerate(obj):
        array, rate = item if obj.kind == "audio" else (item, None)
        rates.append(rate)
        name = _item_name(i, obj.kind)
        if obj.kind == "text":
            _write_item_text(root / name, array)
        else:
            _write_array(root, name, array)
    tables = {"table": write_table(root / "table.tsv", obj.table)}
    return {"tables": tables, "stimulus_kind": obj.kind, "ids": list(obj.ids), "rates": rates}


def _read_stimuli(root: Path, header: dict[str, Any]) -> Stimuli:
    table = read_table(root / "table.tsv", header["tables"]["table"])
    kind = header["stimulus_kind"]
    return Stimuli(header["ids"], _StoredItems(root, kind, header["rates"]), kind, table)


def _item_name(position: int, kind: str) -> str:
    """Name of the member that holds an item of `Stimuli`."""
    return f"items/{position:06d}.{'txt' if kind == 'text' else 'npy'}"


def _write_item_text(path: Path, text: str) -> None:
    """Write a text to the letter: no line end is changed."""
    try:
        path.write_bytes(text.encode())
    except UnicodeEncodeError as error:
        raise DataError(f"stimulus text {path.stem} cannot be written in UTF-8: {error}") from error


class _StoredItems(Sequence[Any]):
    """Items of saved stimuli, read when indexed."""

    def __init__(self, folder: Path, kind: str, rates: list[float | None]) -> None:
        self._folder, self._kind, self._rates = folder, kind, rates

    def __len__(self) -> int:
        return len(self._rates)

    def __getitem__(self, index: Any) -> Any:
        i = range(len(self))[index]
        path = self._folder / _item_name(i, self._kind)
        if self._kind == "text":
            return path.read_bytes().decode()
        array = np.array(open_memmap(path, mode="r"))
        return (array, self._rates[i]) if self._kind == "audio" else array


_WRITERS: dict[str, Callable[[Any, Path], dict[str, Any]]] = {
    "Recording": _write_recording,
    "SpikeTrains": _write_spikes,
    "Responses": _write_responses,
    "Stimuli": _write_stimuli,
}
_TIMED_TABLES = ("channels", "events", "valid")
_LAYOUTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # arrays and tables that are always there
    "Recording": (("data.npy",), _TIMED_TABLES),
    "SpikeTrains": (("times.npy", "unit.npy"), _TIMED_TABLES),
    "Responses": (("data.npy",), ("samples", "units")),
    "Stimuli": ((), ("table",)),
}
_READERS: dict[str, Callable[[Path, dict[str, Any]], Storable]] = {
    "Recording": _read_recording,
    "SpikeTrains": _read_spikes,
    "Responses": _read_responses,
    "Stimuli": _read_stimuli,
}
