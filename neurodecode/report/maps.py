"""Maps of results: drawn for the page, and as NIfTI or GIFTI files with BIDS names."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.atomic import atomic_folder, write_text
from neurodecode.data.convert_nifti import to_gifti, to_nifti
from neurodecode.errors import DataError, MissingDependencyError
from neurodecode.report import figures
from neurodecode.report.contents import RunContents
from neurodecode.report.figures.space import is_template, sensor_info
from neurodecode.report.parts import Picture
from neurodecode.report.words import metric_label, number, short

MOST_CLASSES = 8  # maps drawn on the page; the files hold all
MOST_TIMES = 5
_LIST = "maps.tsv"  # what each file holds; it also tells a folder of ours


class BrainMap(NamedTuple):
    """Values per unit with all that is needed to draw or write them.

    Parameters
    ----------
    result : str
        Name of the result.
    desc : str
        ``pattern`` or ``score``.
    label : str or None
        The class of a pattern.
    values : array of shape (n_units,) or (n_units, n_times)
        One value per unit, or its course.
    units : DataFrame
        The units.
    space : dict
        ``meta["space"]``.
    times : array of shape (n_times,) or None
        Times in s.
    title : str
        What the values are, for axes.
    center : float
        Value that means nothing found: 0, or chance.
    """

    result: str
    desc: str
    label: str | None
    values: NDArray[np.float64]
    units: pd.DataFrame
    space: dict[str, Any]
    times: NDArray[np.float64] | None
    title: str
    center: float


def maps_of(name: str, result: Any, contents: RunContents) -> list[BrainMap]:
    """The maps that a result holds.

    Parameters
    ----------
    name : str
        Name of the result.
    result : DecodingResult or SearchlightResult
        A result; those of other types hold no maps.
    contents : RunContents
        The run, whose units and space stand in where the result has none.

    Returns
    -------
    list of BrainMap
        One per class, or the scores of the spheres; empty where units or space are not known.
    """
    units = result.units if len(getattr(result, "units", ())) else contents.units
    space = getattr(result, "space", None) or contents.space or {}
    if units is None:
        return []
    if type(result).__name__ == "SearchlightResult":
        title = metric_label(result.metric)
        return [BrainMap(name, "score", None, np.asarray(result.scores, float), units, space, None, title, float(result.chance))]
    patterns = getattr(result, "patterns", None)
    if patterns is None:
        return []
    labels = (
        [str(c) for c in result.classes]
        if result.classes and len(result.classes) == len(patterns)
        else [_contrast(result)] * len(patterns)
    )
    return [BrainMap(name, "pattern", label, np.asarray(row, float), units, space, result.times, "Pattern (a.u.)", 0.0)
            for label, row in zip(labels, patterns, strict=True)]  # fmt: skip


def map_pictures(maps: list[BrainMap]) -> Iterator[Picture]:
    """Draw maps on what they live on, or say why not.

    Parameters
    ----------
    maps : list of BrainMap
        Maps of one result.

    Yields
    ------
    Picture
        Glass brains or slices of volumes, topographic maps of sensors; without a figure, the reason.
    """
    for i, brain_map in enumerate(maps[:MOST_CLASSES]):
        name = f"{brain_map.desc}-{i + 1}"
        try:
            yield from _draw(name, brain_map)
        except (DataError, MissingDependencyError) as error:
            yield Picture(name, None, "", f"No map of {_called(brain_map)}: {error}.")
            return
    if len(maps) > MOST_CLASSES:
        yield Picture("more", None, "", f"The maps of {len(maps) - MOST_CLASSES} more classes are in the folder maps only.")


def write_maps(contents: RunContents, folder: Path) -> list[str]:
    """Write the maps of all results that live on voxels or vertices.

    Parameters
    ----------
    contents : RunContents
        The run; `entities` make the names.
    folder : Path
        Folder of the run; the files appear in ``maps/``.

    Returns
    -------
    list of str
        Names of the files relative to `folder`.
    """
    maps = [m for name, result in contents.results.items() for m in maps_of(name, result, contents)]
    files = [(m, side, image, suffix) for m in maps for side, image, suffix in _images(m)]
    target = folder / "maps"
    if not files:
        if (target / _LIST).is_file():  # maps of an earlier run with other settings
            shutil.rmtree(target)
        return []
    several = len({m.result for m, *_ in files}) > 1
    rows: list[dict[str, Any]] = []
    with atomic_folder(target, _LIST) as partial:
        for brain_map, hemisphere, image, suffix in files:
            desc = (_alphanumeric(brain_map.result) if several else "") + brain_map.desc
            stem = _unused(_bids_name(contents.entities, brain_map, desc, hemisphere), suffix, [row["file"] for row in rows])
            image.to_filename(partial / f"{stem}{suffix}")
            write_text(partial / f"{stem}.json", json.dumps(_sidecar(brain_map), indent=1, ensure_ascii=False) + "\n")
            rows.append(
                {"file": f"{stem}{suffix}", "result": brain_map.result, "label": brain_map.label, "quantity": brain_map.title}
            )
        pd.DataFrame(rows).to_csv(partial / _LIST, sep="\t", index=False, na_rep="n/a", lineterminator="\n")
    return [f"maps/{row['file']}" for row in rows]


def _draw(name: str, brain_map: BrainMap) -> Iterator[Picture]:
    kind = _kind(brain_map)
    if kind == "volume":
        yield _volume_picture(name, brain_map)
    elif kind == "sensors":
        yield from _sensor_pictures(name, brain_map)
    elif kind == "surface":
        yield Picture(
            name, None, "", f"The map of {_called(brain_map)} lives on a surface: see the GIFTI files in the folder maps."
        )


def _kind(brain_map: BrainMap) -> str:
    """What the units are, from their columns first: they decide what can be written."""
    if {"i", "j", "k"} <= set(brain_map.units.columns) and brain_map.space.get("shape"):
        return "volume"
    if {"hemisphere", "vertex"} <= set(brain_map.units.columns):
        return "surface"
    return "sensors" if brain_map.space.get("type", "sensors") == "sensors" else str(brain_map.space.get("type"))


def _volume_picture(name: str, brain_map: BrainMap) -> Picture:
    values = _over_times(brain_map)
    image = to_nifti(values, brain_map.units, brain_map.space, fill=np.nan)
    what, title = _called(brain_map), brain_map.title
    if is_template(brain_map.space, image.shape):
        figure = figures.glass_brain(image, title, brain_map.center)
        caption = f"Glass brain of {what} in {brain_map.space['name']}: the strongest value along each line of sight."
    else:
        figure = figures.slices(image, title, brain_map.center)
        caption = f"Slices of {what} in their own space ({brain_map.space.get('name', 'native')}), axes in voxels: not in a template, hence no glass brain."
    return Picture(
        name, figure, f"Map of {what}, from {number(np.nanmin(values))} to {number(np.nanmax(values))}.", caption, vector=False
    )


def _over_times(brain_map: BrainMap) -> NDArray[np.float64]:
    """One value per voxel: the mean over times where there are several."""
    return brain_map.values if brain_map.values.ndim == 1 else brain_map.values.mean(axis=-1)


def _sensor_pictures(name: str, brain_map: BrainMap) -> Iterator[Picture]:
    values, units = brain_map.values, brain_map.units
    known = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    values, units = values[known], units[known].reset_index(drop=True)
    if not len(units):
        raise DataError(f"none of the {len(known)} channels has a finite value")
    if values.ndim == 2 and brain_map.times is not None:
        figure = figures.pattern_course(values, list(units["name"].astype(str)), brain_map.times)
        yield Picture(
            f"{name}-course",
            figure,
            f"Course of {_called(brain_map)} at each sensor.",
            f"{_called(brain_map, capital=True)} over time, one line per sensor.",
        )
    yield _topomap_picture(name, brain_map, values, units)


def _topomap_picture(name: str, brain_map: BrainMap, values: NDArray[np.float64], units: pd.DataFrame) -> Picture:
    _, standard = sensor_info(units)
    maps, titles = values[None], [short(brain_map.label or "")]
    if values.ndim == 2 and brain_map.times is not None:
        windows = np.array_split(np.arange(values.shape[1]), min(MOST_TIMES, values.shape[1]))
        maps = np.stack([values[:, w].mean(axis=1) for w in windows])
        titles = [f"{brain_map.times[w[0]] * 1e3:.0f} to {brain_map.times[w[-1]] * 1e3:.0f} ms" for w in windows]
    caption = f"{_called(brain_map, capital=True)} on the head seen from above, nose up; between the {len(units)} sensors it is interpolated."
    if standard:
        caption += " The recording has no positions: standard 10-05 positions are used for drawing only."
    return Picture(
        f"{name}-head",
        figures.topomap(maps, units, titles, brain_map.title, brain_map.center),
        f"Topographic maps of {_called(brain_map)}.",
        caption,
        vector=False,
    )


def _images(brain_map: BrainMap) -> Iterator[tuple[str | None, Any, str]]:
    """Hemisphere, image and suffix of each file that a map becomes; none for sensors and parcels."""
    kind = _kind(brain_map)
    if kind not in ("volume", "surface"):
        return
    values = np.nan_to_num(_over_times(brain_map))
    if kind == "volume":
        yield None, to_nifti(values, brain_map.units, brain_map.space), ".nii.gz"
    elif brain_map.space.get("n_vertices"):
        for side, image in to_gifti(values, brain_map.units, brain_map.space).items():
            yield side, image, ".func.gii"


def _bids_name(entities: dict[str, str], brain_map: BrainMap, desc: str, hemisphere: str | None) -> str:
    """Entities in the order of BIDS."""
    space = _alphanumeric(str(brain_map.space.get("name", "")))
    pairs = {
        "sub": entities.get("subject"), "ses": entities.get("session"), "task": entities.get("task"), "run": entities.get("run"),
        "hemi": hemisphere, "space": None if space in ("", "native") else space,
        "label": brain_map.label and _alphanumeric(brain_map.label), "desc": desc,
    }  # fmt: skip
    return "_".join(f"{key}-{_alphanumeric(str(value))}" for key, value in pairs.items() if value) + "_map"


def _unused(stem: str, suffix: str, written: list[str]) -> str:
    """The stem, with a number in its description where two names would be one."""
    for i in range(1, len(written) + 2):
        candidate = stem if i == 1 else f"{stem.removesuffix('_map')}{i}_map"
        if f"{candidate}{suffix}" not in written:
            return candidate
    return stem


def _sidecar(brain_map: BrainMap) -> dict[str, Any]:
    text = (
        "Activation pattern of the decoder (Haufe et al., 2014), mean over folds"
        if brain_map.desc == "pattern"
        else "Score of the sphere around each voxel"
    )
    values = {"Description": text, "Result": brain_map.result, "Label": brain_map.label, "Quantity": brain_map.title}
    return {k: v for k, v in {**values, "NoEffectValue": brain_map.center}.items() if v is not None}


def _called(brain_map: BrainMap, capital: bool = False) -> str:
    what = "score" if brain_map.desc == "score" else f"pattern of {brain_map.label}"
    return f"{'The' if capital else 'the'} {what}"


def _contrast(result: Any) -> str:
    """Name of the one pattern of two classes, or of a regression."""
    if result.classes and len(result.classes) == 2:
        return f"{result.classes[1]} against {result.classes[0]}"
    return str(result.target)


def _alphanumeric(text: str) -> str:
    """Letters and digits only, as BIDS wants; words after the first get a capital."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    return "".join(w if i == 0 else w[0].upper() + w[1:] for i, w in enumerate(words)) or "x"
