"""Where in the brain: masks, parcels, and sampling of volumes onto the cortical surface."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Recording
from neurodecode.data.convert_nifti import to_nifti
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_columns, check_option, require
from neurodecode.errors import DataError
from neurodecode.preprocess._runs import check_bold, check_good_finite, name_of

log = logging.getLogger(__name__)

AT_ONCE = 50  # volumes sampled onto the surface at once
COVERED = 0.5  # a vertex counts where at least this part of its sampling points lies inside the data
_SIDES = {"L": "left", "R": "right"}


def mask(recording: Recording, mask: Any, affine: ArrayLike | None = None) -> Recording:
    """Keep the channels inside a mask.

    Parameters
    ----------
    recording : Recording
        One run of voxels or vertices.
    mask : array of shape (x, y, z), image, or mapping of hemisphere to array of shape (n_vertices,)
        What is not zero is inside. An image is anything with ``affine`` and its values: of nibabel, or from `read_mask`.
    affine : array_like of shape (4, 4), optional
        Voxel to mm of an array, to check that it lies on the grid of the recording.

    Returns
    -------
    Recording
        The channels inside, in their order; the step counts mask voxels that the recording lacks.

    Raises
    ------
    DataError
        If the mask lies on another grid, or no channel is inside.
    """
    check_bold(recording)
    values, grid = _unpacked(mask, affine)
    inside = _at_channels(recording, values, grid, "mask") != 0
    total = sum(np.count_nonzero(part) for part in (values.values() if isinstance(values, Mapping) else [values]))
    if not inside.any():
        raise DataError(f"none of the {recording.n_channels} channels of {name_of(recording)} lies in the mask ({total} voxels)")
    kept = recording.pick(inside)
    found = {"n_channels": kept.n_channels, "n_missing": int(total) - kept.n_channels}
    return kept.with_step("fmri.mask", found)


def parcellate(
    recording: Recording, labels: Any, names: Mapping[int, str] | Sequence[str] | None = None, affine: ArrayLike | None = None
) -> Recording:
    """Average the good channels of each parcel of an atlas.

    Parameters
    ----------
    recording : Recording
        One run of voxels or vertices.
    labels : array of int of shape (x, y, z), image, or mapping of hemisphere to array of shape (n_vertices,)
        Whole number of the parcel of each voxel or vertex, 0 outside. An image is anything with ``affine`` and its values: of
        nibabel, or from `read_dseg`, whose names are used.
    names : mapping of int to str, or sequence of str, optional
        Name of each label; a sequence names the labels 1, 2, ... By default ``label_1`` and so on.
    affine : array_like of shape (4, 4), optional
        Voxel to mm of an array, to check that it lies on the grid of the recording.

    Returns
    -------
    Recording
        One channel per parcel that has a good channel, in order of the labels: kind parcel, ``region``, ``label``,
        ``n_channels``, mean position. The step, and the log, name the parcels that are empty here.

    Raises
    ------
    DataError
        If the atlas lies on another grid or has labels that are no whole numbers, a good channel inside a parcel holds NaN, or
        every parcel is empty.
    """
    check_bold(recording)
    values, grid = _unpacked(labels, affine)
    known = _label_names(labels, names, values)
    here = _at_channels(recording, values, grid, "atlas")
    here = np.where(recording.channels["bad"].to_numpy(), 0, here)
    present = [label for label in known if (here == label).any()]
    empty = [known[label] for label in known if label not in present]
    if not present:
        raise DataError(f"none of the {len(known)} parcels has a good channel in {name_of(recording)}: is it the same space?")
    if empty:
        log.warning("%s: %d of %d parcels are empty: %s", name_of(recording), len(empty), len(known), ", ".join(empty[:10]))
    data = read_signal(recording.data)
    used = np.isin(here, present)
    check_good_finite(recording.replace(channels=recording.channels.assign(bad=~used)), data, "parcellate")
    means = np.stack([data[here == label].mean(axis=0, dtype=np.float64) for label in present])
    channels = _parcel_table(recording.channels, here, {label: known[label] for label in present})
    step = {"n_parcels": len(present), "empty": empty}
    space = {"name": recording.meta.get("space", {}).get("name", "native"), "type": "parcels"}
    parcels = recording.replace(data=means, channels=channels, meta={**recording.meta, "space": space})
    return parcels.with_step("fmri.parcellate", step)


def sample_surface(recording: Recording, mesh: str | Mapping[str, Any] = "fsaverage5") -> Recording:
    """Sample a volume in MNI space between the white and the pial surface.

    Each vertex takes the mean of points along the cortical depth, by linear interpolation between voxels (nilearn). Points
    where the recording has no good voxel do not count: the sampled data are divided by the sampled mask.

    Parameters
    ----------
    recording : Recording
        One run of voxels.
    mesh : str or mapping
        "fsaverage5" (10242 vertices per hemisphere, comes with nilearn), or ``{"pial": ..., "white_matter": ...}`` of
        nilearn's PolyMesh in the space of the recording.

    Returns
    -------
    Recording
        One channel per vertex that is covered at least by half: name "L_123", ``hemisphere``, ``vertex``, position in mm.
        The step counts the vertices left out.

    Raises
    ------
    DataError
        If the recording is no volume, is not in MNI space while the mesh is, a good voxel holds NaN, or no vertex is covered.
    """
    check_bold(recording)
    meshes = _meshes(recording, mesh)
    data = read_signal(recording.data)
    check_good_finite(recording, data, "sample_surface")
    good = recording.pick(bad=False)
    sampled, tables = [], []
    for side, (pial, white) in meshes.items():
        values = _sample_side(good, pial, white)
        covered = np.flatnonzero(np.isfinite(values[:, 0]))
        sampled.append(values[covered])
        tables.append(_vertex_table(side, covered, (np.asarray(pial.coordinates) + np.asarray(white.coordinates)) / 2))
    channels = pd.concat(tables, ignore_index=True)
    if not len(channels):
        raise DataError(f"no vertex is covered by the {good.n_channels} good voxels of {name_of(recording)}: is it in MNI space?")
    n_vertices = {side: len(pial.coordinates) for side, (pial, _) in meshes.items()}
    name = mesh if isinstance(mesh, str) else "native"
    meta = {**recording.meta, "space": {"name": name, "type": "surface", "n_vertices": n_vertices}}
    step = {"mesh": name, "n_vertices": len(channels), "n_not_covered": sum(n_vertices.values()) - len(channels)}
    surface = recording.replace(data=np.concatenate(sampled), channels=channels, meta=meta)
    return surface.with_step("fmri.sample_surface", step)


def _unpacked(image: Any, affine: ArrayLike | None) -> tuple[Any, NDArray[np.float64] | None]:
    """Values and affine of an array, an image, or arrays by hemisphere."""
    if isinstance(image, Mapping):
        return {str(side): np.asarray(values) for side, values in image.items()}, None
    grid = getattr(image, "affine", affine)
    if hasattr(image, "get_fdata"):
        image = image.get_fdata()
    elif hasattr(image, "affine"):
        image = image.labels if hasattr(image, "labels") else image.data
    return np.asarray(image), None if grid is None else np.asarray(grid, np.float64)


def _at_channels(recording: Recording, values: Any, affine: NDArray[np.float64] | None, what: str) -> NDArray[Any]:
    """Value of an image at each channel of a recording on the same grid or surface."""
    table = recording.channels
    if isinstance(values, Mapping):
        check_columns(table, ["hemisphere", "vertex"], "channels")
        result = np.zeros(len(table), np.result_type(*values.values()))
        for side, part in values.items():
            rows = (table["hemisphere"] == side).to_numpy()
            _check_vertices(table["vertex"].to_numpy(int)[rows], part, side, what)
            result[rows] = part[table["vertex"].to_numpy(int)[rows]]
        return result
    check_columns(table, ["i", "j", "k"], "channels")
    _check_grid(recording, values, affine, what)
    return np.asarray(values[tuple(table[["i", "j", "k"]].to_numpy(int).T)])


def _check_vertices(vertices: NDArray[np.int64], values: NDArray[Any], side: str, what: str) -> None:
    if values.ndim != 1 or vertices.max(initial=-1) >= len(values):
        raise DataError(
            f"the {what} of hemisphere {side} has shape {values.shape}, the data have vertex {vertices.max(initial=-1)}"
        )


def _check_grid(recording: Recording, values: NDArray[Any], affine: NDArray[np.float64] | None, what: str) -> None:
    space = recording.meta.get("space") or {}
    shape, own = space.get("shape"), space.get("affine")
    if shape is None:
        raise DataError(f"meta['space'] of {name_of(recording)} holds {sorted(space)}, expected the shape and affine of its grid")
    if tuple(shape) != values.shape:
        raise DataError(f"the {what} has shape {values.shape}, the recording {tuple(shape)}: resample one of them to the other")
    if affine is not None and own is not None and not np.allclose(affine, own, rtol=0, atol=1e-2):
        raise DataError(
            f"the {what} has the same shape as the recording but another affine, {np.round(affine, 3).tolist()} against "
            f"{np.round(np.asarray(own, float), 3).tolist()}: resample one of them to the other"
        )


def _label_names(image: Any, names: Mapping[int, str] | Sequence[str] | None, values: Any) -> dict[int, str]:
    """Name of each label of an atlas, in order of the labels."""
    parts = list(values.values()) if isinstance(values, Mapping) else [values]
    found = np.unique(np.concatenate([np.ravel(part) for part in parts]))
    if not np.array_equal(found, np.rint(found)):
        odd = float(found[found != np.rint(found)][0])
        raise DataError(f"the labels of an atlas must be whole numbers, found {odd:g}: threshold a probabilistic atlas first")
    names = getattr(image, "names", None) if names is None else names
    if names is not None and not isinstance(names, Mapping):
        names = {i + 1: str(name) for i, name in enumerate(names)}
    given = {int(label): str(name) for label, name in (names or {}).items() if int(label) != 0}
    unnamed = {int(label): f"label_{int(label)}" for label in found if label != 0 and int(label) not in given}
    return dict(sorted({**given, **unnamed}.items()))


def _parcel_table(channels: pd.DataFrame, here: NDArray[Any], names: Mapping[int, str]) -> pd.DataFrame:
    units = channels["unit"].unique()
    table = pd.DataFrame({"name": list(names.values()), "kind": "parcel", "unit": units[0] if len(units) == 1 else "a.u."})
    table["region"], table["label"] = list(names.values()), list(names)
    table["n_channels"] = [int((here == label).sum()) for label in names]
    for axis in ("x", "y", "z"):
        if axis in channels:
            table[axis] = [float(channels[axis].to_numpy()[here == label].mean()) for label in names]
    return table


def _meshes(recording: Recording, mesh: str | Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Pial and white surface of each hemisphere."""
    space = recording.meta.get("space") or {}
    if space.get("type") != "volume":
        raise DataError(f"sample_surface takes volumes, {name_of(recording)} is of type {space.get('type')!r}")
    if isinstance(mesh, str):
        check_option("mesh", mesh, ("fsaverage5",))
        if "MNI" not in str(space.get("name")):
            raise DataError(
                f"{name_of(recording)} is in space {space.get('name')!r}, {mesh} fits MNI space: read the MNI output of fMRIPrep "
                "(space='MNI152NLin2009cAsym'), or give the subject's own meshes"
            )
        return _sides(require("nilearn.datasets", "surface meshes", "fmri").load_fsaverage(mesh))
    return _sides(mesh)


def _sides(mesh: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {side: (mesh["pial"].parts[part], mesh["white_matter"].parts[part]) for side, part in _SIDES.items()}


def _sample_side(good: Recording, pial: Any, white: Any) -> NDArray[np.float32]:
    """Values (n_vertices, n_times) on one hemisphere, NaN where fewer than half of the points lie inside the data."""
    coverage = _project(good, np.ones((1, good.n_channels), np.float32), pial, white)[:, 0]
    coverage[~(coverage >= COVERED)] = np.nan
    values = np.empty((len(coverage), good.n_times), np.float32)
    volumes = read_signal(good.data).T
    for start in range(0, good.n_times, AT_ONCE):
        part = slice(start, start + AT_ONCE)
        values[:, part] = _project(good, volumes[part], pial, white) / coverage[:, None]
    return values


def _project(good: Recording, volumes: NDArray[np.float32], pial: Any, white: Any) -> NDArray[np.float64]:
    """Volumes (n_volumes, n_channels) on the vertices, zero outside of the channels; shape (n_vertices, n_volumes)."""
    surface = require("nilearn.surface", "sampling onto a surface", "fmri")
    image = to_nifti(volumes, good.channels, good.meta["space"])
    with warnings.catch_warnings():  # vertices outside of the image come as NaN, each with a warning
        warnings.filterwarnings("ignore", message="Mean of empty slice", category=RuntimeWarning)
        return np.asarray(surface.vol_to_surf(image, pial, inner_mesh=white), np.float64).reshape(-1, len(volumes))


def _vertex_table(side: str, vertices: NDArray[np.intp], position: NDArray[np.float64]) -> pd.DataFrame:
    table = pd.DataFrame({"name": [f"{side}_{v}" for v in vertices], "kind": "bold", "unit": "a.u."})
    table["hemisphere"], table["vertex"] = side, vertices
    return table.assign(**dict(zip("xyz", position[vertices].T, strict=True)))
