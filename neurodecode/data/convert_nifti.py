"""To and from the images of nibabel: volumes (NIfTI) and surfaces (GIFTI)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.recording import Recording
from neurodecode.data.responses import Responses
from neurodecode.data.tables import event_table
from neurodecode.data.validate import check_columns, check_positive, require
from neurodecode.errors import DataError

_PURPOSE = "images of volumes and surfaces"


def from_nifti(image: Any, tr: float, mask: Any = None, events: pd.DataFrame | None = None) -> Recording:
    """Make a recording of an image that is in memory.

    Parameters
    ----------
    image : nibabel image of shape (x, y, z, n_times)
        Any spatial image of nibabel.
    tr : float
        Repetition time in s; what the header says is not used.
    mask : nibabel image or array of bool of shape (x, y, z), optional
        Voxels that become channels, by default all of them.
    events : DataFrame, optional
        ``onset`` and ``duration`` in s from the first volume, ``trial_type``, ...

    Returns
    -------
    Recording
        One channel per voxel in C order of i, j, k; ``meta["space"]`` holds shape and affine.

    Raises
    ------
    DataError
        If the image has no time axis or the mask is on another grid.
    """
    if len(image.shape) != 4:
        raise DataError(f"an image of shape (x, y, z, n_times) was expected, got {tuple(image.shape)}")
    inside = as_mask(mask, image.shape[:3], image.affine)
    data = np.asarray(image.get_fdata(dtype=np.float32))[inside]
    meta = {"modality": "bold", "space": volume_space(image.shape[:3], image.affine)}
    return Recording(data, 1 / check_positive("tr", tr), voxel_table(inside, image.affine), event_table(events), meta=meta)


def to_nifti(
    values: Recording | Responses | ArrayLike,
    units: pd.DataFrame | None = None,
    space: Mapping[str, Any] | None = None,
    *,
    fill: float = 0.0,
) -> Any:
    """Put the values of voxels back into their volume.

    Parameters
    ----------
    values : Recording, Responses or array of shape (n_units,) or (n_maps, n_units)
        Values per voxel. Of a recording each sample becomes a volume, of responses each sample.
    units : DataFrame, optional
        Table with the columns i, j, k; needed for an array, else that of the object.
    space : mapping, optional
        ``shape`` (3 numbers) and ``affine`` (4 x 4, voxel to mm); needed for an array, else ``meta["space"]``.
    fill : float
        Value of the voxels that have no unit.

    Returns
    -------
    nibabel.Nifti1Image
        Shape (x, y, z) for one map, else (x, y, z, n_maps), float32.

    Raises
    ------
    DataError
        If units are not voxels, lie outside the shape, or do not fit the values.
    """
    maps, table, target = _parts(values, units, space)
    shape, affine = _grid(target)
    check_columns(table, ["i", "j", "k"], "units")
    voxels = table[["i", "j", "k"]].to_numpy(np.int64)
    _check_inside(voxels, shape)
    volume = np.full((*shape, len(maps)), fill, np.float32)
    volume[tuple(voxels.T)] = maps.T
    single = not isinstance(values, (Recording, Responses)) and np.ndim(values) == 1
    image = require("nibabel", _PURPOSE, "fmri").Nifti1Image(volume[..., 0] if single else volume, affine)
    image.header.set_xyzt_units("mm", "sec")
    if isinstance(values, Recording):
        image.header.set_zooms((*image.header.get_zooms()[:3], 1 / values.sfreq))
    return image


def to_gifti(
    values: Recording | Responses | ArrayLike,
    units: pd.DataFrame | None = None,
    space: Mapping[str, Any] | None = None,
    *,
    fill: float = 0.0,
) -> dict[str, Any]:
    """Put the values of vertices back onto their surfaces.

    Parameters
    ----------
    values : Recording, Responses or array of shape (n_units,) or (n_maps, n_units)
        Values per vertex. Of a recording each sample becomes a map, of responses each sample.
    units : DataFrame, optional
        Table with the columns hemisphere (L or R) and vertex; needed for an array, else that of the object.
    space : mapping, optional
        ``n_vertices``, e.g. ``{"L": 10242, "R": 10242}``; needed for an array, else ``meta["space"]``.
    fill : float
        Value of the vertices that have no unit, e.g. the medial wall.

    Returns
    -------
    dict of str to nibabel.gifti.GiftiImage
        One image per hemisphere of `space`, one array of float32 per map.

    Raises
    ------
    DataError
        If units are not vertices, lie outside the surface, or do not fit the values.
    """
    maps, table, target = _parts(values, units, space)
    check_columns(table, ["hemisphere", "vertex"], "units")
    counts = {str(side): int(number) for side, number in (target.get("n_vertices") or {}).items()}
    if not counts:
        raise DataError(f"space has no n_vertices per hemisphere, it holds {sorted(target)}: add {{'L': ..., 'R': ...}}")
    strange = sorted(set(table["hemisphere"].astype(str)) - set(counts))
    if strange:
        raise DataError(f"units lie in {strange}, the surfaces of this space are {sorted(counts)}: keep the units of those")
    return {side: _surface_image(maps, table, side, number, fill) for side, number in counts.items()}


def _surface_image(maps: NDArray[Any], table: pd.DataFrame, side: str, n_vertices: int, fill: float) -> Any:
    rows = np.flatnonzero(table["hemisphere"].eq(side).to_numpy())
    vertices = table["vertex"].to_numpy(np.int64)[rows]
    if rows.size and not 0 <= vertices.min() <= vertices.max() < n_vertices:
        raise DataError(f"vertices {vertices.min()} to {vertices.max()} do not fit hemisphere {side} of {n_vertices} vertices")
    nibabel = require("nibabel", _PURPOSE, "fmri")
    full = np.full((len(maps), n_vertices), fill, np.float32)
    full[:, vertices] = maps[:, rows]
    arrays = [nibabel.gifti.GiftiDataArray(row, intent="NIFTI_INTENT_NONE", datatype="NIFTI_TYPE_FLOAT32") for row in full]
    structure = {"L": "CortexLeft", "R": "CortexRight"}.get(side, side)
    meta = nibabel.gifti.GiftiMetaData({"AnatomicalStructurePrimary": structure})
    return nibabel.gifti.GiftiImage(darrays=arrays, meta=meta)


def voxel_table(mask: NDArray[np.bool_], affine: ArrayLike) -> pd.DataFrame:
    """Table of the voxels of a mask, in C order of i, j, k.

    Parameters
    ----------
    mask : array of bool of shape (x, y, z)
        Voxels to list.
    affine : array_like of shape (4, 4)
        From voxel indices to mm.

    Returns
    -------
    DataFrame
        ``name`` ("i_j_k"), ``kind`` (bold), ``unit`` (a.u.), ``i, j, k`` and ``x, y, z`` in mm.
    """
    index = np.argwhere(mask)
    matrix = np.asarray(affine, float)
    position = index @ matrix[:3, :3].T + matrix[:3, 3]
    columns: dict[str, Any] = {"name": _voxel_names(index), "kind": "bold", "unit": "a.u."}
    columns |= dict(zip("ijk", index.T, strict=True)) | dict(zip("xyz", position.T, strict=True))
    return pd.DataFrame(columns)


def _voxel_names(index: NDArray[np.int64]) -> list[str]:
    """Names like 12_4_30; the text of each number is made once, since a volume has a million voxels."""
    text = [f"_{n}" for n in range(int(index.max(initial=0)) + 1)]
    first = [t[1:] for t in text]
    return [first[i] + text[j] + text[k] for i, j, k in zip(*index.T.tolist(), strict=True)]


def volume_space(shape: tuple[int, ...], affine: ArrayLike, name: str = "native") -> dict[str, Any]:
    """Describe a grid of voxels for ``meta["space"]``.

    Parameters
    ----------
    shape : tuple of int
        Voxels along each axis (x, y, z).
    affine : array_like of shape (4, 4)
        From voxel indices to mm.
    name : str
        Space, e.g. ``MNI152NLin2009cAsym``.

    Returns
    -------
    dict
        ``name``, ``type`` (volume), ``shape`` and ``affine`` as JSON values.
    """
    matrix = np.asarray(affine, float)
    return {"name": name, "type": "volume", "shape": [int(n) for n in shape], "affine": matrix.tolist()}


def as_mask(mask: Any, shape: tuple[int, ...], affine: ArrayLike) -> NDArray[np.bool_]:
    """Voxels of a grid that a mask selects.

    Parameters
    ----------
    mask : None, array of shape (x, y, z), (array, affine) or nibabel image
        What is not zero is inside; None selects every voxel.
    shape : tuple of int
        Grid of the data.
    affine : array_like of shape (4, 4)
        Affine of the data; compared where the mask has one.

    Returns
    -------
    NDArray[np.bool_]
        Shape (x, y, z).

    Raises
    ------
    DataError
        If the mask is on another grid, holds NaN, or selects nothing.
    """
    if mask is None:
        return np.ones(shape, bool)
    grid = None
    if hasattr(mask, "affine"):
        mask, grid = (mask.get_fdata() if hasattr(mask, "get_fdata") else mask.data), mask.affine
    values = np.asarray(mask)
    if values.shape != tuple(shape):
        raise DataError(f"the mask has shape {values.shape}, the images {tuple(shape)}: resample it to their grid")
    if grid is not None and not np.allclose(grid, affine, rtol=0, atol=1e-2):
        moved = float(np.abs(np.asarray(grid) - np.asarray(affine)).max())
        raise DataError(f"the affine of the mask differs from that of the images by up to {moved:g}: resample it to their grid")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise DataError(f"the mask holds {int(np.isnan(values).sum())} NaN: give zeros and ones")
    inside: NDArray[np.bool_] = values != 0
    if not inside.any():
        raise DataError(f"the mask of shape {values.shape} selects no voxel")
    return inside


def _parts(
    values: Any, units: pd.DataFrame | None, space: Mapping[str, Any] | None
) -> tuple[NDArray[np.float32], pd.DataFrame, Mapping[str, Any]]:
    """Maps (n_maps, n_units), table and space of an object or of the three given apart."""
    if isinstance(values, Recording):
        units, space = (values.channels if units is None else units), space or values.meta.get("space")
        values = np.asarray(values.data).T
    elif isinstance(values, Responses):
        if np.ndim(values.data) != 2:
            raise DataError(f"responses of shape {np.shape(values.data)} have a time axis: average or select over time first")
        units, space = (values.units if units is None else units), space or values.meta.get("space")
        values = values.data
    if units is None or not space:
        missing = "units" if units is None else "space"
        raise DataError(f"{missing} is missing: values of shape {np.shape(values)} need their table of units and their space")
    maps = np.atleast_2d(np.asarray(values, dtype=np.float32))
    if maps.ndim != 2 or maps.shape[1] != len(units):
        raise DataError(f"values have shape {np.shape(values)}, expected (n_maps, {len(units)}) for {len(units)} units")
    return maps, units, space


def _grid(space: Mapping[str, Any]) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    shape, affine = space.get("shape"), np.asarray(space.get("affine"), dtype=object)
    if shape is None or len(shape) != 3 or affine.shape != (4, 4):
        raise DataError(f"space must have a shape of three numbers and a 4 x 4 affine, got shape {shape} in {sorted(space)}")
    return (int(shape[0]), int(shape[1]), int(shape[2])), affine.astype(np.float64)


def _check_inside(voxels: NDArray[np.int64], shape: tuple[int, int, int]) -> None:
    outside = ((voxels < 0) | (voxels >= np.array(shape))).any(axis=1)
    if outside.any():
        first = voxels[np.flatnonzero(outside)[0]].tolist()
        raise DataError(
            f"{int(outside.sum())} of {len(voxels)} units lie outside the volume of shape {shape}, the first at {first}; "
            "keep the rows of voxels only (vertices go to to_gifti)"
        )
