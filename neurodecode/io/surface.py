"""Time series on the cortical surface: GIFTI, and CIFTI with surface and volume together."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import LazySignal, Recording
from neurodecode.data.tables import event_table
from neurodecode.data.validate import require
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io.bids_names import parse_name
from neurodecode.io.fmri_meta import bold_meta, sidecar_beside, space_name
from neurodecode.io.guard import AGAIN, existing_file, reading
from neurodecode.io.image_file import ImageFile, check_real, locate, open_image
from neurodecode.io.outside import check_name
from neurodecode.io.timing import Stated, timing

_SERIES_ONLY = "Only time series (func.gii) can be a Recording; labels and shapes are maps"
_LEFT = re.compile(r"(^|[._-])(lh|left|hemi-l|l)([._-]|$)", re.IGNORECASE)
_RIGHT = re.compile(r"(^|[._-])(rh|right|hemi-r|r)([._-]|$)", re.IGNORECASE)
_CORTEX = {"CIFTI_STRUCTURE_CORTEX_LEFT": "L", "CIFTI_STRUCTURE_CORTEX_RIGHT": "R"}


def read_gifti(
    path: str | Path | Sequence[str | Path],
    *,
    tr: float | None = None,
    events: pd.DataFrame | None = None,
    sidecar: Mapping[str, Any] | None = None,
) -> Recording:
    """Read a time series on one or both hemispheres.

    Parameters
    ----------
    path : str, Path, or (left, right)
        Files ``.func.gii`` of one run.
    tr : float, optional
        Repetition time in s. By default that of the sidecar, else the ``TimeStep`` of the file, which FreeSurfer writes in ms.
    events : DataFrame, optional
        ``onset`` and ``duration`` in s, ``trial_type``, ...
    sidecar : mapping, optional
        ``RepetitionTime``, ``StartTime`` (both s) and so on; by default those of the .json file of the same name.

    Returns
    -------
    Recording
        One channel per vertex with ``hemisphere`` (L, R, or n/a where neither name nor file tells) and ``vertex``.

    Raises
    ------
    CorruptFileError
        If a file is damaged.
    FormatError
        If it is no time series, nothing states the repetition time, or the two hemispheres differ in length.
    DataError
        If both files are of the same hemisphere.

    Notes
    -----
    No reader can see changed values of arrays that are not compressed, or a wrong byte order; a known sha256 finds them (see
    ``docs/damage.md``).
    """
    paths = [Path(path)] if isinstance(path, (str, Path)) else [Path(p) for p in path]
    surfaces = [_read_surface(p) for p in paths]
    _check_pair(paths, surfaces)
    fields = sidecar_beside(paths[0]) if sidecar is None else sidecar
    when = timing(paths[0], surfaces[0].step, fields, surfaces[0].data.shape[1], tr)
    table = pd.concat([_vertex_table(s.hemisphere, np.arange(len(s.data))) for s in surfaces], ignore_index=True)
    counts = {s.hemisphere: len(s.data) for s in surfaces}
    space = {"name": space_name(paths[0]), "type": "surface", "n_vertices": counts}
    data = np.concatenate([s.data for s in surfaces])
    return Recording(data, 1 / when.tr, table, event_table(events), when.t0, meta=bold_meta(paths, space, when.notes))


class _Surface(NamedTuple):
    """Time series of one hemisphere."""

    hemisphere: str
    data: NDArray[np.float32]
    step: Stated


def _read_surface(path: Path) -> _Surface:
    file = existing_file(path)
    gifti = require("nibabel", "reading GIFTI", "fmri").gifti
    with reading(file, "it is no GIFTI file that nibabel can read"):
        image = _parsed(gifti, file)
        for name in filter(None, (array.ext_fname for array in image.darrays)):
            check_name(file, name)
        arrays = [(array.intent, np.asarray(array.data)) for array in image.darrays]
        step = [str(array.meta["TimeStep"]) for array in image.darrays if "TimeStep" in array.meta][:1]
    if not arrays:
        raise FormatError(file, "it holds no data array", _SERIES_ONLY)
    structure = str(image.meta.get("AnatomicalStructurePrimary", ""))
    return _Surface(_hemisphere(file, structure), _series(file, arrays), _time_step(file, step[0] if step else "0"))


def _parsed(gifti: Any, file: Path) -> Any:
    """The image of a GIFTI file that holds as many arrays as it states, of which nibabel would only warn."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Actual # of data arrays")
            return gifti.GiftiImage.from_filename(file)
    except UserWarning as error:
        raise CorruptFileError(file, str(error).rstrip("."), AGAIN) from error


def _series(path: Path, arrays: list[tuple[int, NDArray[Any]]]) -> NDArray[np.float32]:
    """Time series (n_vertices, n_times) of one array per volume, or of a single array with two dimensions."""
    shapes = {values.shape for _, values in arrays}
    kinds = sorted({intent for intent, _ in arrays})
    if len(shapes) > 1 or any(intent in (1002, 1008, 1009) for intent in kinds):  # labels, points, triangles
        raise FormatError(path, f"it is no time series: arrays of shapes {sorted(shapes)} with intents {kinds}", _SERIES_ONLY)
    first = arrays[0][1]
    check_real(path, first.dtype)
    data = np.stack([values for _, values in arrays], axis=1) if first.ndim == 1 else first
    if data.ndim != 2 or (first.ndim == 2 and len(arrays) > 1) or data.shape[1] < 2:
        raise FormatError(path, f"it is no time series: {len(arrays)} arrays of shape {first.shape}", _SERIES_ONLY)
    return np.asarray(data, np.float32)


def _time_step(path: Path, text: str) -> Stated:
    """TimeStep of a GIFTI file: FreeSurfer writes ms, others s; no plausible repetition time can be taken for the other."""
    with reading(path, f"its TimeStep is {text!r}", "Pass the repetition time in s, e.g. tr=2.0"):
        value = float(text)
    return Stated(value, "msec" if value >= 50 else "sec")


def _hemisphere(path: Path, structure: str) -> str:
    """Hemisphere of a surface file: from its BIDS name, its structure, or a part of its name such as lh."""
    name = parse_name(path.name)
    if name and name.entities.get("hemi") in ("L", "R"):
        return name.entities["hemi"]
    for text in (structure.removeprefix("Cortex"), path.name):
        left, right = bool(_LEFT.search(text)), bool(_RIGHT.search(text))
        if left != right:
            return "L" if left else "R"
    return "n/a"


def _check_pair(paths: Sequence[Path], surfaces: Sequence[_Surface]) -> None:
    if not 1 <= len(surfaces) <= 2:
        raise DataError(f"one surface or a left and a right one were expected, got {len(surfaces)} files")
    if len(surfaces) == 1:
        return
    one, other = surfaces
    if one.hemisphere == other.hemisphere:
        raise DataError(
            f"{paths[0].name} and {paths[1].name} are both of hemisphere {one.hemisphere}: give a left and a right one"
        )
    if one.data.shape[1] != other.data.shape[1]:
        what = f"it has {one.data.shape[1]} volumes, {paths[1]} has {other.data.shape[1]}"
        raise FormatError(paths[0], what, "Give the two hemispheres of one run")


def _vertex_table(hemisphere: str, vertices: NDArray[Any]) -> pd.DataFrame:
    prefix = "vertex" if hemisphere == "n/a" else hemisphere
    names = [f"{prefix}_{v}" for v in vertices.tolist()]
    return pd.DataFrame({"name": names, "kind": "bold", "unit": "a.u.", "hemisphere": hemisphere, "vertex": vertices.astype(int)})


def read_cifti(
    path: str | Path,
    *,
    tr: float | None = None,
    events: pd.DataFrame | None = None,
    sidecar: Mapping[str, Any] | None = None,
) -> Recording:
    """Open a CIFTI-2 time series of grayordinates (dtseries) or parcels (ptseries).

    Parameters
    ----------
    path : str or Path
        A ``.dtseries.nii`` or ``.ptseries.nii`` file.
    tr : float, optional
        Repetition time in s. By default that of the sidecar, else the step of the series.
    events : DataFrame, optional
        ``onset`` and ``duration`` in s, ``trial_type``, ...
    sidecar : mapping, optional
        ``RepetitionTime``, ``StartTime`` (both s) and so on; by default those of the .json file of the same name.

    Returns
    -------
    Recording
        One channel per grayordinate with ``structure``, ``hemisphere`` and ``vertex`` (-1 for voxels), ``i, j, k`` (-1 for
        vertices) and ``x, y, z`` (mm, NaN for vertices); or one per parcel.

    Raises
    ------
    CorruptFileError
        If the file is damaged or truncated.
    FormatError
        If it is no CIFTI time series.

    Notes
    -----
    No reader can see changed values; a known sha256 finds them (see ``docs/damage.md``).
    """
    image = open_image(path)
    if not type(image).__name__.startswith("Cifti"):
        raise FormatError(path, f"this is a {type(image).__name__}, expected CIFTI-2", "Use read_nifti for volumes")
    with reading(path, "its CIFTI header is damaged"):
        axes = [image.header.get_axis(i) for i in range(len(image.shape))]
    kinds = [type(axis).__name__ for axis in axes]
    if len(axes) != 2 or kinds[0] != "SeriesAxis" or kinds[1] not in ("BrainModelAxis", "ParcelsAxis"):
        raise FormatError(path, f"it is no time series: its axes are {kinds}", "Only dtseries and ptseries can be a Recording")
    series, target = axes
    if (series.size, len(target)) != tuple(image.shape):
        what = f"its axes have {series.size} time points and {len(target)} grayordinates, its matrix the shape {image.shape}"
        raise CorruptFileError(path, what, AGAIN)
    if series.unit != "SECOND":
        raise FormatError(path, f"its series is in {series.unit}, expected SECOND", "Only series over time can be a Recording")
    fields = sidecar_beside(path) if sidecar is None else sidecar
    when = timing(Path(path), Stated(float(series.step), "sec"), fields, series.size, tr)
    t0 = when.t0 if "StartTime" in fields else when.t0 + float(series.start)
    table = _grayordinates(target) if kinds[1] == "BrainModelAxis" else _parcels(target)
    signal = LazySignal(_SeriesReader(locate(image)), (len(table), series.size))
    meta = bold_meta([path], _cifti_space(target, space_name(path)), when.notes)
    return Recording(signal, 1 / when.tr, table, event_table(events), t0, meta=meta)


class _SeriesReader:
    """Reads a stretch of a CIFTI time series; travels between processes."""

    def __init__(self, file: ImageFile) -> None:
        self._file = file

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        """Values of shape (n_grayordinates, stop - start)."""
        return self._file.read(start, stop, axis=0).T


def _grayordinates(axis: Any) -> pd.DataFrame:
    """Table of the vertices and voxels of a brain model axis."""
    on_surface = np.asarray(axis.surface_mask)
    structure = [str(name).removeprefix("CIFTI_STRUCTURE_") for name in axis.name]
    hemisphere = [_CORTEX.get(str(name), "n/a") for name in axis.name]
    voxel, vertex = np.asarray(axis.voxel), np.where(on_surface, axis.vertex, -1)
    position = np.full((len(axis), 3), np.nan)
    if not on_surface.all():
        position[~on_surface] = voxel[~on_surface] @ axis.affine[:3, :3].T + axis.affine[:3, 3]
    ends = zip(hemisphere, structure, vertex.tolist(), voxel.tolist(), strict=True)
    names = [f"{s if h == 'n/a' else h}_{v}" if v >= 0 else "_".join(map(str, ijk)) for h, s, v, ijk in ends]
    columns = {"name": names, "kind": "bold", "unit": "a.u.", "structure": structure, "hemisphere": hemisphere, "vertex": vertex}
    index = dict(zip("ijk", np.where(on_surface[:, None], -1, voxel).T, strict=True))
    return pd.DataFrame({**columns, **index, **dict(zip("xyz", position.T, strict=True))})


def _parcels(axis: Any) -> pd.DataFrame:
    names = [str(name) for name in axis.name]
    return pd.DataFrame({"name": names, "kind": "parcel", "unit": "a.u.", "region": names})


def _cifti_space(axis: Any, name: str) -> dict[str, Any]:
    """Surfaces and grid of a CIFTI axis for ``meta["space"]``."""
    space: dict[str, Any] = {"name": name, "type": "cifti"}
    if type(axis).__name__ == "ParcelsAxis":
        return {**space, "type": "parcels"}
    space["n_vertices"] = {_CORTEX.get(str(key), str(key)): int(count) for key, count in axis.nvertices.items()}
    if axis.volume_shape is not None:
        space |= {"shape": [int(n) for n in axis.volume_shape], "affine": np.asarray(axis.affine, float).tolist()}
    return space
