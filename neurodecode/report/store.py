"""Contents of a report on disk: JSON, TSV and npy under ``report_data/``, so that the page can be drawn again."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Responses, load, save
from neurodecode.data.atomic import atomic_folder
from neurodecode.data.tsv import read_table, write_table
from neurodecode.errors import CorruptFileError, DataError, FormatError, NeurodecodeError
from neurodecode.report.contents import RunContents

FOLDER, MARKER = "report_data", "contents.json"
_FORMAT = "neurodecode report 1"
_RESULT_TYPES = {  # name of the type -> module that defines it
    "DecodingResult": "neurodecode.decode.result",
    "TimeResolvedResult": "neurodecode.decode.result",
    "GeneralizationResult": "neurodecode.decode.result",
    "SearchlightResult": "neurodecode.decode.result",
    "RoiResult": "neurodecode.decode.result",
    "ReconstructionResult": "neurodecode.decode.result",
    "ComparisonResult": "neurodecode.compare.result",
    "LayerResult": "neurodecode.compare.layers",
    "LeakageResult": "neurodecode.compare.leakage",
    "VariancePartition": "neurodecode.compare.partition_result",
    "RdmComparison": "neurodecode.compare.rdm_result",
    "SignFlipResult": "neurodecode.compare.group",
    "TrainedRetrieval": "neurodecode.train.summary",
    "RetrievalReport": "neurodecode.metrics.retrieval_result",
    "StimulusRetrieval": "neurodecode.decode.meeg_score",
    "RetrievalCourse": "neurodecode.decode.time_windows",
    "GenerationTable": "neurodecode.decode.meeg_generation",
    "LatencyReport": "neurodecode.decode.stream_latency",
    "ConnectomeResult": "neurodecode.analysis.connectome.result",
}
_REMEDY = "Run the pipeline again to write it anew"


def save_contents(contents: RunContents, folder: str | Path) -> Path:
    """Write the contents of a report so that `load_contents` gives them back.

    Parameters
    ----------
    contents : RunContents
        What to save.
    folder : str or Path
        The folder of the run; ``report_data/`` appears in it as a whole.

    Returns
    -------
    Path
        The folder ``report_data``.

    Raises
    ------
    DataError
        If a member holds something other than numbers, texts, lists, mappings, arrays, tables, results or Responses.
    """
    target = Path(folder) / FOLDER
    with atomic_folder(target, MARKER) as partial:
        writer = _Writer(partial)
        members = {name: writer.encode(value, name) for name, value in contents.members().items()}
        text = json.dumps({"format": _FORMAT, "members": members}, indent=1, allow_nan=False, ensure_ascii=False)
        (partial / MARKER).write_text(text + "\n", encoding="utf-8", newline="\n")
    return target


def load_contents(folder: str | Path) -> RunContents:
    """Read the contents that `save_contents` wrote.

    Parameters
    ----------
    folder : str or Path
        The folder of the run (the one that holds ``report_data/``).

    Returns
    -------
    RunContents
        Equal in every number to what was saved.

    Raises
    ------
    FormatError
        If there is no finished report in the folder.
    CorruptFileError
        If a member is missing or damaged.
    """
    root = Path(folder) / FOLDER
    if not (root / MARKER).is_file():
        raise FormatError(
            folder, f"there is no {FOLDER}/{MARKER} in it, so no finished report", "Pass the --out of a finished run"
        )
    try:
        document = json.loads((root / MARKER).read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            raise FormatError(root / MARKER, f"format {document['format']!r}, expected {_FORMAT!r}", _REMEDY)
        return RunContents(**{name: _decode(value, root) for name, value in document["members"].items()})
    except FormatError:
        raise
    except (ValueError, KeyError, TypeError, OSError, NeurodecodeError) as error:
        raise CorruptFileError(root, f"its members cannot be read ({error})", _REMEDY) from error


class _Writer:
    """Turns values into JSON, putting arrays and tables into numbered files beside it."""

    def __init__(self, root: Path) -> None:
        self._root, self._count = root, 0

    def encode(self, value: Any, where: str) -> Any:
        """JSON form of a value; `where` names it in messages."""
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not np.isfinite(value):
            return {"$float": str(value)}
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, Mapping):
            return self._mapping(value, where)
        if isinstance(value, (list, tuple)):
            return self._sequence(value, where)
        return self._file(value, where)

    def _mapping(self, value: Mapping[Any, Any], where: str) -> Any:
        items = [(self.encode(k, where), self.encode(v, f"{where}.{k}")) for k, v in value.items()]
        plain = all(isinstance(k, str) and not k.startswith("$") for k, _ in items)
        return dict(items) if plain else {"$items": [list(pair) for pair in items]}

    def _sequence(self, value: list[Any] | tuple[Any, ...], where: str) -> Any:
        items = [self.encode(v, f"{where}[{i}]") for i, v in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items

    def _file(self, value: Any, where: str) -> Any:
        if isinstance(value, np.ndarray) and value.dtype.kind in "biufU":
            name = self._next("npy")
            np.save(self._root / name, value, allow_pickle=False)
            return {"$array": name}
        if isinstance(value, np.ndarray):
            return self.encode(value.tolist(), where)
        if isinstance(value, pd.DataFrame):
            name = self._next("tsv")
            return {"$table": name, "types": write_table(self._root / name, _plain_columns(value))}
        if isinstance(value, Responses):
            name = self._next("responses")
            save(value, self._root / name)
            return {"$responses": name}
        if is_dataclass(value) and type(value).__name__ in _RESULT_TYPES:
            members = {f.name: self.encode(getattr(value, f.name), f"{where}.{f.name}") for f in fields(value)}
            return {"$result": type(value).__name__, "members": members}
        raise DataError(
            f"{where} of a report is a {type(value).__name__}, expected plain data, a table or one of {list(_RESULT_TYPES)}"
        )

    def _next(self, suffix: str) -> str:
        self._count += 1
        return f"{self._count:04d}.{suffix}"


def _plain_columns(table: pd.DataFrame) -> pd.DataFrame:
    """The table with texts where a column mixes types, and text column names."""
    named = table.rename(columns=str)
    mixed = {str(c): named[c].map(str) for c in named if named[c].dtype == object and len(set(named[c].map(type))) > 1}
    return named.assign(**mixed)


def _decode(value: Any, root: Path) -> Any:
    """The value that `_Writer.encode` turned into JSON."""
    if isinstance(value, list):
        return [_decode(v, root) for v in value]
    if not isinstance(value, dict):
        return value
    if "$float" in value:
        return float(value["$float"])
    if "$tuple" in value:
        return tuple(_decode(v, root) for v in value["$tuple"])
    if "$items" in value:
        return {_decode(k, root): _decode(v, root) for k, v in value["$items"]}
    if "$result" in value:
        members = {name: _decode(v, root) for name, v in value["members"].items()}
        return _result_type(value["$result"])(**members)
    return _read_file(value, root) if any(k.startswith("$") for k in value) else {k: _decode(v, root) for k, v in value.items()}


def _read_file(value: dict[str, Any], root: Path) -> Any:
    """An array, table or Responses that has a file of its own."""
    ((kind, name),) = [(k, v) for k, v in value.items() if k.startswith("$")]
    if Path(name).name != name:
        raise DataError(f"{name!r} is not the name of a member")
    if kind == "$array":
        return np.load(root / name, allow_pickle=False)
    if kind == "$table":
        return read_table(root / name, value["types"])
    if kind == "$responses":
        return load(root / name)
    raise DataError(f"member of unknown kind {kind!r}")


def _result_type(name: str) -> Any:
    """The result class of that name; only those of the table are looked up."""
    if name not in _RESULT_TYPES:
        raise DataError(f"result of unknown type {name!r}, expected one of {list(_RESULT_TYPES)}")
    return getattr(importlib.import_module(_RESULT_TYPES[name]), name)
