"""Sidecars, events and confounds of a BIDS data file, found by the inheritance principle."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Recording
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io.bids_names import BidsFile, BidsName, parse_name, same_label
from neurodecode.io.bids_search import bids_file, raw_of, raw_root
from neurodecode.io.checksums import check_known
from neurodecode.io.fmri_meta import read_json
from neurodecode.io.guard import existing_file, reading

_TEXT_COLUMNS = ("trial_type", "stimulus", "stim_file", "stim_id", "identifier", "HED")
_TABLE = "Correct it: one header line, tabs between columns, n/a where missing"
_NO_EVENTS: dict[str, list[float]] = {"onset": [], "duration": []}
_CONFOUND_SUFFIXES = ("timeseries", "regressors")  # the second until fMRIPrep 20


def sidecar(file: BidsFile | str | Path) -> dict[str, Any]:
    """Fields of the JSON sidecars that apply to a data file.

    Parameters
    ----------
    file : BidsFile, str or Path
        A data file of a BIDS data set.

    Returns
    -------
    dict
        Fields of all sidecars from the root down to the folder of the file; the nearer file wins, and among those of one folder
        the one with more entities.

    Raises
    ------
    CorruptFileError
        If a sidecar is not valid JSON.
    """
    target = as_bids_file(file)
    fields: dict[str, Any] = {}
    for path in applicable(target, target.root, target.suffix, ".json"):
        fields |= read_json(path)
    return fields


def read_events(file: BidsFile | str | Path) -> pd.DataFrame:
    """Read the events of a data file.

    Parameters
    ----------
    file : BidsFile, str or Path
        A data file of a BIDS data set, or an ``events.tsv``. The events of a derivative are looked for beside it first and then
        in the raw data set.

    Returns
    -------
    DataFrame
        ``onset`` and ``duration`` in s, and every other column; ``n/a`` is NaN; ``trial_type`` and the like are text. Without
        rows where the file has no events.

    Raises
    ------
    FormatError
        If onset is missing, or not a number of seconds in every row.
    CorruptFileError
        If the table cannot be read.

    Notes
    -----
    Nothing states the number of rows: rows missing at the end, or a last value cut short, are found by a known sha256 only.
    """
    path = events_path(file)
    return pd.DataFrame(_NO_EVENTS) if path is None else _checked_events(path, read_tsv(path, _TEXT_COLUMNS))


def events_path(file: BidsFile | str | Path) -> Path | None:
    """The ``events.tsv`` that applies to a data file, or None."""
    if not isinstance(file, BidsFile) and Path(file).name.endswith("events.tsv"):
        return existing_file(file)
    target = as_bids_file(file)
    roots = [target.root, raw_of(target)]
    found = [path for root in roots if root for path in list(applicable(target, root, "events", ".tsv"))[-1:]]
    return found[0] if found else None


def read_confounds(source: BidsFile | Recording | str | Path, root: str | Path | None = None) -> pd.DataFrame:
    """Read the table of confounds of a run: motion, compartment signals, cosines and so on as fMRIPrep writes them.

    Parameters
    ----------
    source : BidsFile, Recording, str or Path
        The table itself, a preprocessed data file beside it, or a recording of `read_bids` (whose ``meta["confounds"]`` is then
        looked for below `root`).
    root : str or Path, optional
        Root of the raw data set, or of the derivative inside it; needed for a recording.

    Returns
    -------
    DataFrame
        One row per volume; ``n/a`` (the first row of derivatives) is NaN.

    Raises
    ------
    FormatError
        If there is no such table.
    DataError
        If a recording knows of no table, or `root` is missing.

    Notes
    -----
    A table alone states no number of rows; `read_bids` compares it with the volumes of the run.
    """
    path = _confounds_of_recording(source, root) if isinstance(source, Recording) else confounds_path(source)
    if path is None:
        raise FormatError(str(source), "no table desc-confounds_timeseries.tsv lies beside it", "Give the table itself")
    return read_tsv(path)


def confounds_path(file: BidsFile | str | Path) -> Path | None:
    """The table of confounds beside a data file, or None; a table itself is returned as it is."""
    if not isinstance(file, BidsFile) and str(file).endswith(".tsv"):
        return existing_file(file)
    target = as_bids_file(file)
    found = [path for suffix in _CONFOUND_SUFFIXES for path in applicable(target, target.root, suffix, ".tsv", desc="confounds")]
    return found[-1] if found else None


def _confounds_of_recording(recording: Recording, root: str | Path | None) -> Path:
    name = recording.meta.get("confounds")
    if not name:
        raise DataError(
            f"this recording knows of no table of confounds (meta has {sorted(recording.meta)}): give the table itself"
        )
    if root is None:
        raise DataError(f"root is missing: the table of this recording is {name}, relative to the root of its data set")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise FormatError(name, "the table of confounds of this recording lies outside of its data set", "Give the table itself")
    homes = [Path(root), *([raw] if (raw := raw_root(Path(root))) else [])]
    return existing_file(next((home / name for home in homes if (home / name).is_file()), homes[0] / name))


def applicable(file: BidsFile, root: Path, suffix: str, extension: str, desc: str | None = None) -> Iterator[Path]:
    """Files of a suffix that apply to a data file, the most general first.

    A file applies if it lies in a folder from the root down to that of the data file and all its entities are also in the name
    of the data file.
    """
    entities = {**file.entities, "desc": desc} if desc else file.entities
    for folder in _levels(file, root):
        named = [(parse_name(path.name), path) for path in folder.glob(f"*{suffix}{extension}")] if folder.is_dir() else []
        fitting = [(name, path) for name, path in named if name and _applies(name, entities, suffix, desc)]
        yield from (path for _, path in sorted(fitting, key=lambda pair: (len(pair[0].entities), pair[1].name)))


def _levels(file: BidsFile, root: Path) -> list[Path]:
    levels = [root]
    for key in ("sub", "ses"):
        if key in file.entities:
            levels.append(levels[-1] / f"{key}-{file.entities[key]}")
    return [*levels, levels[-1] / file.datatype]


def _applies(name: BidsName, entities: dict[str, Any], suffix: str, desc: str | None) -> bool:
    if name.suffix != suffix or (desc and name.entities.get("desc") != desc):
        return False
    return all(same_label(key, entities.get(key), label) for key, label in name.entities.items())


def as_bids_file(file: BidsFile | str | Path) -> BidsFile:
    """Accept a path where a file of a data set is expected."""
    return file if isinstance(file, BidsFile) else bids_file(file)


def read_tsv(path: Path, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a table of BIDS.

    Parameters
    ----------
    path : Path
        Tab-separated, with a header; ``n/a`` marks missing values.
    text : tuple of str
        Columns that stay text even if all their values look like numbers.

    Returns
    -------
    DataFrame
        Columns that hold only numbers are float or int, all others text.

    Raises
    ------
    CorruptFileError
        If it is empty or its rows have different lengths.
    """
    with reading(path, "it is no text table", _TABLE), open(check_known(path), encoding="utf-8-sig", newline="") as file:
        text_read = file.read()
        header, *rows = [row for row in csv.reader(StringIO(text_read, newline=""), delimiter="\t") if row] or [[]]
    if not header or len(set(header)) < len(header):
        raise CorruptFileError(path, f"its columns must have different names, got {header}", _TABLE)
    if not rows and text_read[-1:] not in ("\n", "\r"):
        raise CorruptFileError(path, f"it ends within its header, after {text_read[-40:]!r}", _TABLE)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise CorruptFileError(path, f"row {number} has {len(row)} values, the header {len(header)} columns", _TABLE)
    cells = np.array(rows, dtype=object).reshape(len(rows), len(header))
    raw = pd.DataFrame(cells, columns=header, dtype=str).replace("n/a", np.nan)
    return pd.DataFrame({name: raw[name] if name in text else _numeric(raw[name]) for name in header})


def _numeric(column: pd.Series) -> pd.Series:
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column


def _checked_events(path: Path, events: pd.DataFrame) -> pd.DataFrame:
    if "onset" not in events:
        remedy = "Rename the column that holds the start of each event in s to onset, and separate columns by tabs"
        raise FormatError(path, f"it has no column 'onset', its columns are {list(map(str, events.columns))}", remedy)
    for name in ("onset", "duration"):
        if name in events and events[name].dtype.kind not in "iuf" and len(events):
            odd = next(
                (value for value in events[name] if not _is_number(value)), events[name].iloc[0]
            )  # the text "nan" is no n/a
            raise FormatError(path, f"column {name!r} must hold seconds, found {odd!r}", "Write numbers, or n/a for no duration")
    missing = np.flatnonzero(events["onset"].isna())
    if missing.size:
        raise FormatError(path, f"row {missing[0] + 1} of {len(events)} has no onset", "Give its start in s, or remove the row")
    return events


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def recording_files(group: Sequence[BidsFile]) -> list[Path]:
    """Every file that is read for a recording: its data, what lies beside it under the same name, and inherited sidecars.

    Parameters
    ----------
    group : sequence of BidsFile
        The data file, or the two of a surface, or the parts of a split one, as from `find_recordings`.

    Returns
    -------
    list of Path
        Files that exist, each once.
    """
    file = group[0]
    stem = file.path.name.removesuffix(file.extension).removesuffix(file.suffix)
    beside = [p for member in group for p in ([member.path] if member.path.is_file() else sorted(member.path.rglob("*")))]
    beside += sorted(file.path.parent.glob(f"{stem}*"))
    kinds = [(file.suffix, ".json"), ("events", ".tsv"), ("channels", ".tsv"), ("electrodes", ".tsv"), ("coordsystem", ".json")]
    inherited = [path for suffix, extension in kinds for path in applicable(file, file.root, suffix, extension)]
    tables = [path for path in (events_path(file), confounds_path(file) if file.suffix == "bold" else None) if path]
    return list(dict.fromkeys(path for path in [*beside, *inherited, *tables] if path.is_file()))
