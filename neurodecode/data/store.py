"""The folder that an object is on disk: ``data.npy`` (opens as a memory map), tables as TSV, ``meta.json`` last."""

from __future__ import annotations

import csv
import hashlib
import json
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
from neurodecode.data.validate import suggest
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
    with atomic_folder(folder, MARKER) as partial:
        header = _WRITERS[kind](obj, partial)
        _write_marker(partial, {"format": _FORMAT, "version": _VERSION, "kind": kind, **header})
    return Path(folder)


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
        return _READERS[header["kind"]](root, header)
    except (ValueError, KeyError, TypeError, OSError, NeurodecodeError) as error:
        raise CorruptFileError(root, f"its members do not fit together ({error})", _REMEDY) from error


_REMEDY = "Write it again from its source, or restore the folder from a backup"


def read_marker(root: Path) -> dict[str, Any]:
    """Read and check ``meta.json`` of a saved object."""
    path = root / MARKER
    if not path.is_file():
        raise FormatError(
            root, f"there is no {MARKER}, so this is not a finished neurodecode folder", "Pass a folder written by save()"
        )
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CorruptFileError(path, f"it is not readable JSON ({error})", _REMEDY) from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT or not isinstance(header.get("members"), dict):
        raise FormatError(path, "it was not written by neurodecode", "Pass a folder written by save()")
    if header.get("version") != _VERSION:
        raise FormatError(path, f"version {header.get('version')!r}, this neurodecode reads {_VERSION}", "Update neurodecode")
    if header.get("kind") not in _READERS:
        raise FormatError(path, f"kind {header.get('kind')!r} is unknown: {suggest(str(header.get('kind')), _READERS)}", _REMEDY)
    return header


def check_members(root: Path, header: dict[str, Any], *, contents: bool = True) -> None:
    """Compare every member of a saved folder with its recorded size and, with `contents`, its sha256."""
    sealed = {k: v for k, v in header.items() if k != "seal"}
    if contents and header.get("seal") != _seal(sealed):
        raise CorruptFileError(root / MARKER, "its own seal does not match: it was altered", _REMEDY)
    for name, expected in header["members"].items():
        path = root / name
        if not path.is_file() or path.stat().st_size != expected.get("bytes"):
            got = f"{path.stat().st_size} bytes" if path.is_file() else "nothing"
            raise CorruptFileError(path, f"expected {expected.get('bytes')} bytes, found {got}", _REMEDY)
        if contents and _digest(path) != expected.get("sha256"):
            raise CorruptFileError(path, "its sha256 differs from the one in meta.json: it was altered or damaged", _REMEDY)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seal(header: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()


def _write_marker(root: Path, header: dict[str, Any]) -> None:
    files = sorted(p for p in root.rglob("*") if p.is_file())
    members = {p.relative_to(root).as_posix(): {"bytes": p.stat().st_size, "sha256": _digest(p)} for p in files}
    try:
        complete = json.loads(json.dumps({**jsonable(header), "members": members}, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise DataError(f"meta must hold JSON values only (numbers, texts, lists, mappings): {error}") from error
    text = json.dumps({**complete, "seal": _seal(complete)}, indent=1, sort_keys=True)
    (root / MARKER).write_text(text + "\n", encoding="utf-8", newline="\n")


# --- members -------------------------------------------------------------------------------------------------------


def _write_array(root: Path, name: str, data: Any) -> None:
    if not isinstance(data, LazySignal):
        np.save(root / name, np.asarray(data), allow_pickle=False)
        return
    target = open_memmap(root / name, mode="w+", dtype=np.float32, shape=data.shape)
    step = max(1, _BLOCK_BYTES // (4 * max(1, data.shape[0])))
    for start in range(0, data.shape[1], step):
        target[:, start : start + step] = data[:, start : start + step]
    target.flush()


def _read_array(root: Path, name: str) -> Any:
    return np.load(root / name, mmap_mode="r", allow_pickle=False)


def write_table(path: Path, table: pd.DataFrame) -> dict[str, str]:
    """Write a table as TSV with ``n/a`` for missing values, and return the type of each column."""
    types = {str(name): _column_type(table[name], str(name)) for name in table}
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    return types


def read_table(path: Path, types: dict[str, str]) -> pd.DataFrame:
    """Read a table written by `write_table`, every column in the type it had."""
    raw = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, na_values=["n/a"], skip_blank_lines=False)
    return pd.DataFrame({name: _typed(raw[name], kind) for name, kind in types.items()}, columns=list(types))


def _column_type(column: pd.Series, name: str) -> str:
    kind = column.dtype.kind if isinstance(column.dtype, np.dtype) else "O"
    if kind in "biuf":
        return {"b": "bool", "f": "float", "i": "int", "u": "int"}[kind]
    values = column.dropna()
    if not values.map(lambda v: isinstance(v, str)).all():
        odd = next(v for v in values if not isinstance(v, str))
        raise DataError(
            f"column {name!r} mixes texts with {type(odd).__name__} ({odd!r}): use one type, or JSON text, per column"
        )
    return "str"


def _typed(column: pd.Series, kind: str) -> pd.Series:
    if kind == "bool":
        return column.eq("True")
    if kind == "int":
        return column.astype(np.int64)
    if kind == "float":
        return column.map(float, na_action="ignore").astype(float)
    return column


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
    tables = {name: write_table(root / f"{name}.tsv", getattr(obj, name)) for name in ("samples", "units")}
    return {"tables": tables, "meta": obj.meta}


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
        if obj.kind == "text":
            (root / "items" / f"{i:06d}.txt").write_text(array, encoding="utf-8", newline="")
        else:
            _write_array(root, f"items/{i:06d}.npy", array)
    tables = {"table": write_table(root / "table.tsv", obj.table)}
    return {"tables": tables, "stimulus_kind": obj.kind, "ids": list(obj.ids), "rates": rates}


def _read_stimuli(root: Path, header: dict[str, Any]) -> Stimuli:
    table = read_table(root / "table.tsv", header["tables"]["table"])
    kind = header["stimulus_kind"]
    return Stimuli(header["ids"], _StoredItems(root / "items", kind, header["rates"]), kind, table)


class _StoredItems(Sequence[Any]):
    """Items of saved stimuli, read when indexed."""

    def __init__(self, folder: Path, kind: str, rates: list[float | None]) -> None:
        self._folder, self._kind, self._rates = folder, kind, rates

    def __len__(self) -> int:
        return len(self._rates)

    def __getitem__(self, index: Any) -> Any:
        i = range(len(self))[index]
        if self._kind == "text":
            with open(self._folder / f"{i:06d}.txt", encoding="utf-8", newline="") as file:
                return file.read()
        array = np.load(self._folder / f"{i:06d}.npy", allow_pickle=False)
        return (array, self._rates[i]) if self._kind == "audio" else array


_WRITERS: dict[str, Callable[[Any, Path], dict[str, Any]]] = {
    "Recording": _write_recording,
    "SpikeTrains": _write_spikes,
    "Responses": _write_responses,
    "Stimuli": _write_stimuli,
}
_READERS: dict[str, Callable[[Path, dict[str, Any]], Storable]] = {
    "Recording": _read_recording,
    "SpikeTrains": _read_spikes,
    "Responses": _read_responses,
    "Stimuli": _read_stimuli,
}
