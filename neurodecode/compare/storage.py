"""A comparison as a folder: one ``.npy`` per member, the units as TSV, ``meta.json`` last; nothing that could run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from neurodecode.compare.result import ComparisonResult
from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import jsonable, sha256_file
from neurodecode.data.tsv import read_table, write_table
from neurodecode.errors import CorruptFileError, DataError, FormatError

MARKER = "meta.json"
_KIND, _VERSION = "neurodecode ComparisonResult", 1
_REMEDY = "Write it again from its source, or restore the folder from a backup"
_ARRAYS = (
    "score", "fold_scores", "baseline", "ceiling", "normalised", "p", "q", "alpha", "times", "predictions", "weights"
)  # fmt: skip
_VALUES = (
    "metric", "fold_names", "chance", "best", "baseline_name", "split", "ceiling_name", "ceiling_floor", "correction",
    "n_permutations", "space", "seeds", "settings", "notes",
)  # fmt: skip


def save_result(result: ComparisonResult, folder: str | Path) -> Path:
    """Write a comparison.

    Parameters
    ----------
    result : ComparisonResult
        What to save.
    folder : str or Path
        Final name. An older result of this name is replaced; any other folder is refused.

    Returns
    -------
    Path
        The folder, with ``meta.json`` written last.

    Raises
    ------
    DataError
        If `settings` hold something that JSON cannot.
    OutputExistsError
        If the name is taken by something else.
    DiskSpaceError
        If there is no room; nothing is left under the final name.
    """
    arrays = {name: getattr(result, name) for name in _ARRAYS if getattr(result, name) is not None}
    arrays |= {"scores": np.stack(list(result.scores.values()))} if result.scores else {}
    with atomic_folder(folder, MARKER, sum(np.asarray(values).nbytes for values in arrays.values())) as partial:
        for name, values in arrays.items():
            np.save(partial / f"{name}.npy", np.asarray(values), allow_pickle=False)
        types = write_table(partial / "units.tsv", result.units)
        header = {name: getattr(result, name) for name in _VALUES} | {"scores": list(result.scores), "units": types}
        members = {path.name: sha256_file(path) for path in sorted(partial.iterdir())}
        (partial / MARKER).write_text(_text({"kind": _KIND, "version": _VERSION, **header, "members": members}), encoding="utf-8")
    return Path(folder)


def load_result(folder: str | Path) -> ComparisonResult:
    """Read a comparison; arrays are in memory.

    Parameters
    ----------
    folder : str or Path
        A folder written by `save_result`.

    Returns
    -------
    ComparisonResult
        Equal in every number to what was saved.

    Raises
    ------
    FormatError
        If the folder holds no finished comparison, or one of a newer version.
    CorruptFileError
        If a member is missing or damaged; the message names it.
    """
    root = Path(folder)
    header = _read_header(root)
    try:
        _check_members(root, header["members"])
        arrays: dict[str, Any] = {
            path[:-4]: np.array(open_memmap(root / path, mode="r")) for path in header["members"] if path.endswith(".npy")
        }
        stacked = arrays.pop("scores", ())
        values = {name: header[name] for name in _VALUES}
        units = read_table(root / "units.tsv", header["units"])
        return ComparisonResult(**arrays, **values, units=units, scores=dict(zip(header["scores"], stacked, strict=True)))
    except (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, SyntaxError) as error:
        raise CorruptFileError(root, f"its members do not fit together ({error!r:.200})", _REMEDY) from error


def _text(header: dict[str, Any]) -> str:
    try:
        return json.dumps(jsonable(header), indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise DataError(f"settings must hold JSON values only (numbers, texts, lists, mappings): {error}") from error


def _read_header(root: Path) -> dict[str, Any]:
    path = root / MARKER
    if not path.is_file():
        raise FormatError(root, f"there is no {MARKER} in it, so no finished comparison", "Pass a folder written by save()")
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptFileError(path, f"it is not readable JSON ({error})", _REMEDY) from error
    if not isinstance(header, dict) or header.get("kind") != _KIND:
        raise FormatError(path, "it is not the result of a comparison", "Pass a folder written by ComparisonResult.save()")
    if header.get("version") != _VERSION:
        raise FormatError(path, f"version {header.get('version')!r}, this neurodecode reads {_VERSION}", "Update neurodecode")
    return header


def _check_members(root: Path, members: dict[str, str]) -> None:
    """Refuse members that are missing, altered, or that `save_result` does not write."""
    known = {f"{name}.npy" for name in (*_ARRAYS, "scores")} | {"units.tsv"}
    for name, digest in members.items():
        if name not in known:
            raise CorruptFileError(root / MARKER, f"{name!r} is no member of a saved comparison", _REMEDY)
        if not (root / name).is_file() or sha256_file(root / name) != digest:
            raise CorruptFileError(root / name, "it is missing, or its sha256 differs from the one in meta.json", _REMEDY)
