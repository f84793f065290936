"""Positions of iEEG contacts from electrodes.tsv and coordsystem.json."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from neurodecode.data import Recording
from neurodecode.errors import FormatError
from neurodecode.io.bids_names import BidsFile, parse_name
from neurodecode.io.bids_tables import applicable, read_tsv
from neurodecode.io.fmri_meta import read_json

_METERS = {"m": 1.0, "mm": 1e-3, "cm": 1e-2}
_TEMPLATES = ("mni", "icbm", "fsaverage", "talairach", "uninfant", "nihpd", "oasis", "fslr")


def place_electrodes(recording: Recording, file: BidsFile, space: str | None = None) -> Recording:
    """Give the contacts of an iEEG recording the positions of its electrodes.tsv.

    Parameters
    ----------
    recording : Recording
        Recording of `file`.
    file : BidsFile
        Data file, beside which electrodes.tsv and coordsystem.json are looked for.
    space : str, optional
        The ``space-`` label of the table wanted; by default a template space comes before a native one.

    Returns
    -------
    Recording
        With ``x, y, z`` in mm for template spaces and in m otherwise (pixels stay pixels), the other columns of the table,
        and ``meta["space"]``. Unchanged where the data set has no positions.

    Raises
    ------
    FormatError
        If there is no table of that space, or coordsystem.json is missing or has an unknown unit.
    """
    found = _tables(file)
    if space is not None and space not in found:
        raise FormatError(file.path, f"there is no electrodes.tsv of space {space!r}", f"There are {sorted(map(str, found))}")
    if not found:
        return recording
    chosen = space if space is not None else min(found, key=lambda name: (not _is_template(name), name))
    name, scale, unit = _coordinate_system(file, found[chosen], chosen)
    table = _contacts(found[chosen], scale).reindex(recording.names).reset_index(drop=True)
    channels = recording.channels.drop(columns=["x", "y", "z"], errors="ignore")
    channels = channels.join(table[[column for column in table if column not in channels]])
    return recording.replace(channels=channels, meta={**recording.meta, "space": {"name": name, "type": "sensors", "unit": unit}})


def _tables(file: BidsFile) -> dict[str, Path]:
    """The electrodes.tsv of each space ("" for a name without one) that applies to a data file."""
    names = [parse_name(path.name) for path in file.path.parent.glob("*_electrodes.tsv")]
    spaces = {name.entities.get("space", "") for name in names if name}
    found = {space: list(applicable(_in_space(file, space), file.root, "electrodes", ".tsv")) for space in spaces}
    of_space = {
        space: [path for path in paths if (f"_space-{space}_" in path.name) == bool(space)] for space, paths in found.items()
    }
    return {space: paths[-1] for space, paths in of_space.items() if paths}


def _in_space(file: BidsFile, space: str) -> BidsFile:
    return replace(file, entities={**file.entities, "space": space}) if space else file


def _is_template(space: str) -> bool:
    return space.lower().startswith(_TEMPLATES)


def _coordinate_system(file: BidsFile, table: Path, space: str) -> tuple[str, float, str]:
    """Name of the space, what the positions are multiplied with, and the unit they have then."""
    paths = list(applicable(_in_space(file, space), file.root, "coordsystem", ".json"))
    if not paths:
        remedy = "Add coordsystem.json with iEEGCoordinateSystem and iEEGCoordinateUnits beside it"
        raise FormatError(table, "its positions have no unit, because there is no coordsystem.json", remedy)
    fields = read_json(paths[-1])
    unit, name = str(fields.get("iEEGCoordinateUnits", "n/a")), str(fields.get("iEEGCoordinateSystem", "n/a"))
    name = space if name in ("n/a", "Other") and space else name
    if unit == "pixels":
        return name, 1.0, "pixel"
    if unit not in _METERS:
        raise FormatError(paths[-1], f"iEEGCoordinateUnits is {unit!r}, expected m, cm, mm or pixels", "Correct it")
    return (name, _METERS[unit] * 1e3, "mm") if _is_template(name) else (name, _METERS[unit], "m")


def _contacts(path: Path, scale: float) -> pd.DataFrame:
    """Rows of electrodes.tsv by name, positions scaled."""
    table = read_tsv(path, ("name", "hemisphere", "group", "type"))
    lacking = [name for name in ("name", "x", "y", "z") if name not in table]
    if lacking or table["name"].duplicated().any():
        what = f"it lacks the columns {lacking}" if lacking else "it has a contact twice"
        raise FormatError(path, f"{what}; its columns are {list(table)}", "Give each contact one row with name, x, y and z")
    places = {axis: pd.to_numeric(table[axis], errors="coerce") * scale for axis in "xyz"}
    return table.assign(**places).rename(columns={"type": "contact_type"}).set_index("name")
