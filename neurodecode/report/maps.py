"""Maps of results: drawn for the page, and as NIfTI or GIFTI files with BIDS names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.atomic import atomic_folder, remove_folder, write_text
from neurodecode.data.convert_nifti import to_gifti, to_nifti
from neurodecode.data.tables import cut_rows
from neurodecode.errors import DataError, MissingDependencyError
from neurodecode.io.bids_names import format_name
from neurodecode.report import figures
from neurodecode.report.contents import RunContents
from neurodecode.report.figures.space import is_template, sensor_info
from neurodecode.report.parts import Picture
from neurodecode.report.words import metric_label, number

MOST_CLASSES = 8  # maps drawn on the page; the files hold all
MOST_TIMES = 5
_LIST = "maps.tsv"  # what each file holds; it also tells a folder of ours
_COMPARED = {  # maps of a comparison: name on axes, in sentences, and in the file beside the map
    "score": (None, "the score", "Score in held-out data of each voxel or vertex, in a searchlight of the sphere around it"),
    "normalised": ("Normalised score", "the normalised score", "Score divided by the noise ceiling; NaN where that is too low"),
    "ceiling": ("Noise ceiling ρ", "the noise ceiling", "Reliability in units of variance, not of correlation"),
}


class BrainMap(NamedTuple):
    """Values per unit with all that is needed to draw or write them.

    Parameters
    ----------
    result : str
        Name of the result.
    desc : str
        ``pattern`` or ``score``, of comparisons also ``normalised`` and ``ceiling``.
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
    result : DecodingResult, SearchlightResult, ComparisonResult or LayerResult
        A result; those of other types hold no maps. Of layers the maps are those of the chosen ones.
    contents : RunContents
        The run, whose units and space stand in where the result has none.

    Returns
    -------
    list of BrainMap
        One per class, the scores of the spheres, or score, normalised score and ceiling of a comparison; empty where units or
        space are not known.
    """
    result = getattr(result, "best", None) if type(result).__name__ == "LayerResult" else result
    units = result.units if len(getattr(result, "units", ())) else contents.units
    space = getattr(result, "space", None) or contents.space or {}
    if units is None:
        return []
    if type(result).__name__ == "SearchlightResult":
        title = metric_label(result.metric)
        return [BrainMap(name, "score", None, np.asarray(result.scores, float), units, space, None, title, float(result.chance))]
    if type(result).__name__ == "ComparisonResult":
        return list(_compared(name, result, units, space))
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


def _compared(name: str, result: Any, units: pd.DataFrame, space: dict[str, Any]) -> Iterator[BrainMap]:
    """Maps of a comparison that have a value at all; none of units that have no place."""
    if not space and not {"i", "hemisphere", "x"} & set(units.columns):
        return
    for desc, (title, *_) in _COMPARED.items():
        values = getattr(result, desc)
        if values is not None and np.isfinite(values).any():
            center = float(result.chance) if desc == "score" else 0.0
            shown = title or metric_label(result.metric)
            yield BrainMap(name, desc, None, np.asarray(values, float), units, space, result.times, shown, center)


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
    shown = _readable(maps[:MOST_CLASSES])
    try:
        if len(shown) > 1 and _kind(shown[0]) == "volume" and not is_template(shown[0].space):
            yield _slices_picture(f"{shown[0].desc}s", shown)
        else:
            for i, brain_map in enumerate(shown):
                yield from _draw(f"{brain_map.desc}-{i + 1}", brain_map)
    except (DataError, MissingDependencyError) as error:
        yield Picture("map", None, "", f"No map is drawn: {error}.")
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
            remove_folder(target)
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


def _readable(maps: list[BrainMap]) -> list[BrainMap]:
    """Patterns in a power of ten of their unit, so that axes need no exponent; one factor for all classes."""
    largest = max((float(np.nanmax(np.abs(m.values), initial=0)) for m in maps if m.desc == "pattern"), default=0)
    exponent = int(np.floor(np.log10(largest))) if largest > 0 else 0
    if -3 < exponent < 3:
        return maps
    return [m._replace(values=m.values / 10.0**exponent, title=f"Pattern (1e{exponent} a.u.)") for m in maps]


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
    if not is_template(brain_map.space):
        return _slices_picture(name, [brain_map])
    values = _over_times(brain_map)
    image = to_nifti(values, brain_map.units, brain_map.space, fill=np.nan)
    what, where = _called(brain_map), brain_map.space["name"]
    caption = f"Glass brain of {what} in {where}: the strongest value along each line of sight."
    figure = figures.glass_brain(image, brain_map.title, brain_map.center)
    return Picture(name, figure, f"Map of {what}, {_reach(values)}.", caption, vector=False)


def _slices_picture(name: str, maps: list[BrainMap]) -> Picture:
    """Slices of one map or of the maps of all classes, with one colour scale."""
    first, values = maps[0], np.stack([_over_times(m) for m in maps])
    image = to_nifti(values, first.units, first.space, fill=np.nan)
    what = _called(first) if len(maps) == 1 else f"the patterns of {len(maps)} classes"
    titles = [str(m.label) for m in maps] if len(maps) > 1 else []
    figure = figures.slices(image, first.title, first.center, titles)
    caption = (
        f"Slices of {what} in their own space ({first.space.get('name', 'native')}), which is no template or has too few slices: "
        "hence no glass brain. Axes are voxel indices; grey is outside the mask."
    )
    return Picture(name, figure, f"Map of {what}, {_reach(values)}.", caption, vector=False)


def _reach(values: NDArray[np.float64]) -> str:
    return f"from {number(np.nanmin(values))} to {number(np.nanmax(values))}"


def _over_times(brain_map: BrainMap) -> NDArray[np.float64]:
    """One value per voxel: the mean over times where there are several."""
    return brain_map.values if brain_map.values.ndim == 1 else brain_map.values.mean(axis=-1)


def _sensor_pictures(name: str, brain_map: BrainMap) -> Iterator[Picture]:
    known = np.flatnonzero(np.isfinite(brain_map.values.reshape(len(brain_map.values), -1)).all(axis=1))
    if not known.size:
        raise DataError(f"none of the {len(brain_map.values)} channels has a finite value")
    finite = brain_map._replace(values=brain_map.values[known], units=cut_rows(brain_map.units, known))
    if finite.values.ndim == 2 and finite.times is not None:
        figure = figures.pattern_course(finite.values, list(finite.units["name"].astype(str)), finite.times, finite.title)
        what = _called(finite)
        yield Picture(f"{name}-course", figure, f"Course of {what} at each sensor.", f"Course of {what}, one line per sensor.")
    kinds = finite.units["kind"].astype(str) if "kind" in finite.units else pd.Series("eeg", index=finite.units.index)
    for kind in dict.fromkeys(kinds):
        rows = np.flatnonzero(kinds == kind)
        part = finite._replace(values=finite.values[rows], units=cut_rows(finite.units, rows))
        yield _topomap_picture(f"{name}-{kind}", part)


def _topomap_picture(name: str, brain_map: BrainMap) -> Picture:
    values, times, what = brain_map.values, brain_map.times, _called(brain_map)
    maps, titles = values[None], [str(brain_map.label or "")]
    if values.ndim == 2 and times is not None:
        windows = np.array_split(np.arange(len(times)), min(MOST_TIMES, len(times)))
        maps = np.stack([values[:, w].mean(axis=1) for w in windows])
        titles = [f"{times[w[0]] * 1e3:.0f} to {times[w[-1]] * 1e3:.0f} ms" for w in windows]
    try:
        _, standard = sensor_info(brain_map.units)
        figure = figures.topomap(maps, brain_map.units, titles, brain_map.title, brain_map.center)
    except DataError as error:
        return Picture(name, None, "", f"No topographic map of {what}: {error}.")
    caption = f"Topography of {what}, head seen from above, nose up; interpolated between the {len(values)} sensors."
    if standard:
        caption += " The recording has no positions: standard 10-05 positions are used for drawing only."
    return Picture(name, figure, f"Topographic maps of {what}.", caption, vector=False)


def _images(brain_map: BrainMap) -> Iterator[tuple[str | None, Any, str]]:
    """Hemisphere, image and suffix of each file that a map becomes; none for sensors and parcels."""
    kind = _kind(brain_map)
    if kind not in ("volume", "surface"):
        return
    values = _over_times(brain_map)
    values = values if brain_map.desc in _COMPARED.keys() - {"score"} else np.nan_to_num(values)  # not known is not zero
    if kind == "volume":
        yield None, to_nifti(values, brain_map.units, brain_map.space), ".nii.gz"
    elif brain_map.space.get("n_vertices"):
        for side, image in to_gifti(values, brain_map.units, brain_map.space).items():
            yield side, image, ".func.gii"


def _bids_name(entities: dict[str, str], brain_map: BrainMap, desc: str, hemisphere: str | None) -> str:
    """Name of a map without its extension, every label cut down to what BIDS allows."""
    space = _alphanumeric(str(brain_map.space.get("name", "")))
    pairs = {
        "sub": entities.get("subject"), "ses": entities.get("session"), "task": entities.get("task"), "run": entities.get("run"),
        "hemi": hemisphere, "space": None if space in ("", "native") else space, "label": brain_map.label, "desc": desc,
    }  # fmt: skip
    return format_name({key: _alphanumeric(str(value)) for key, value in pairs.items() if value}, "map", "")


def _unused(stem: str, suffix: str, written: list[str]) -> str:
    """The stem, with a number in its description where two names would be one."""
    for i in range(1, len(written) + 2):
        candidate = stem if i == 1 else f"{stem.removesuffix('_map')}{i}_map"
        if f"{candidate}{suffix}" not in written:
            return candidate
    return stem


def _sidecar(brain_map: BrainMap) -> dict[str, Any]:
    text = _COMPARED.get(brain_map.desc, ("", "", "Activation pattern of the decoder (Haufe et al., 2014), mean over folds"))[2]
    values = {"Description": text, "Result": brain_map.result, "Label": brain_map.label, "Quantity": brain_map.title}
    return {k: v for k, v in {**values, "NoEffectValue": brain_map.center}.items() if v is not None}


def _called(brain_map: BrainMap) -> str:
    return _COMPARED[brain_map.desc][1] if brain_map.desc in _COMPARED else f"the pattern of {brain_map.label}"


def _contrast(result: Any) -> str:
    """Name of the one pattern of two classes, or of a regression."""
    if result.classes and len(result.classes) == 2:
        return f"{result.classes[1]} against {result.classes[0]}"
    return str(result.target)


def _alphanumeric(text: str) -> str:
    """Letters and digits only, as BIDS wants; words after the first get a capital."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    return "".join(w if i == 0 else w[0].upper() + w[1:] for i, w in enumerate(words)) or "x"
