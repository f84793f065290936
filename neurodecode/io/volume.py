"""Volumes: fMRI runs, masks and segmentations in NIfTI files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import LazySignal, Recording
from neurodecode.data.convert_nifti import as_mask, volume_space, voxel_table
from neurodecode.data.tables import event_table
from neurodecode.errors import DataError, FormatError
from neurodecode.io.bids_tables import read_tsv
from neurodecode.io.fmri_meta import bold_meta, sidecar_beside, space_name
from neurodecode.io.guard import reading
from neurodecode.io.image_file import VoxelReader, check_real, locate, open_image, stated_tr
from neurodecode.io.timing import timing


class Mask(NamedTuple):
    """Voxels that belong to a region."""

    data: NDArray[np.bool_]
    """Shape (x, y, z)."""
    affine: NDArray[np.float64]
    """From voxel indices to mm, shape (4, 4)."""


class Segmentation(NamedTuple):
    """Label of each voxel, as in an atlas."""

    labels: NDArray[np.int64]
    """Shape (x, y, z); 0 is outside."""
    affine: NDArray[np.float64]
    """From voxel indices to mm, shape (4, 4)."""
    names: dict[int, str]
    """Name of each label, from the table beside the image; empty where there is none."""


def read_nifti(
    path: str | Path,
    *,
    mask: Any = None,
    tr: float | None = None,
    events: pd.DataFrame | None = None,
    sidecar: Mapping[str, Any] | None = None,
) -> Recording:
    """Open an fMRI run; volumes are read from the file when they are needed.

    Parameters
    ----------
    path : str or Path
        NIfTI-1 or NIfTI-2, compressed or not, with shape (x, y, z, n_times).
    mask : str, Path, Mask, nibabel image or array of bool of shape (x, y, z), optional
        Voxels that become channels, by default all of them.
    tr : float, optional
        Repetition time in s. By default that of the sidecar, else that of the header where it states the unit of time.
    events : DataFrame, optional
        ``onset`` and ``duration`` in s, ``trial_type``, ...
    sidecar : mapping, optional
        ``RepetitionTime``, ``StartTime`` (both s) and so on; by default those of the .json file of the same name.

    Returns
    -------
    Recording
        One channel per voxel in C order of i, j, k, in the units of the scanner, float32. ``t0`` is the ``StartTime`` of the
        sidecar where slices were brought to one time, else 0.

    Raises
    ------
    CorruptFileError
        If the file is damaged or truncated; damage inside compressed data shows when the volumes are read.
    FormatError
        If it is a single volume, or nothing states the repetition time.
    DataError
        If the mask does not fit.

    Notes
    -----
    No reader can see changed voxels of an uncompressed file, axes swapped, or another type of the same width; a known sha256
    finds them (see ``docs/damage.md``).
    """
    image = _open_volume(path)
    file = locate(image)
    if len(file.shape) != 4 or file.shape[3] < 2:
        raise FormatError(
            path, f"it is no time series: shape {file.shape}", "This is one volume: use read_mask, or read_dseg for an atlas"
        )
    fields = sidecar_beside(path) if sidecar is None else sidecar
    when = timing(Path(path), stated_tr(image), fields, file.shape[3], tr)
    inside = _inside(path, mask, file.shape[:3], image.affine)
    signal = LazySignal(VoxelReader(file, inside), (int(inside.sum()), file.shape[3]))
    meta = bold_meta([path], volume_space(file.shape[:3], image.affine, space_name(path)), when.notes)
    return Recording(signal, 1 / when.tr, voxel_table(inside, image.affine), event_table(events), when.t0, meta=meta)


def read_mask(path: str | Path, *, threshold: float | None = None) -> Mask:
    """Read the mask of a region.

    Parameters
    ----------
    path : str or Path
        NIfTI file of one volume.
    threshold : float, optional
        Values above it are inside; needed where the image holds more than zeros and one other value, e.g. probabilities.

    Returns
    -------
    Mask
        Voxels inside and affine.

    Raises
    ------
    FormatError
        If it is a time series, or holds several values and no threshold was given.
    CorruptFileError
        If the file is damaged.
    """
    values, image = _one_volume(path)
    found = np.unique(values)
    if threshold is None and len(found[found != 0]) > 1:
        shown = ", ".join(f"{v:g}" for v in found[:5])
        remedy = "Give threshold= for probabilities, or use read_dseg for an atlas"
        raise FormatError(path, f"a mask holds zeros and one other value, this has {len(found)} values ({shown}, ...)", remedy)
    inside = values != 0 if threshold is None else values > threshold
    return Mask(inside, np.asarray(image.affine, np.float64))


def read_dseg(path: str | Path) -> Segmentation:
    """Read an atlas or another segmentation with integer labels, and the names of the labels.

    Parameters
    ----------
    path : str or Path
        NIfTI file of one volume. Names come from a .tsv of the same name with the columns ``index`` and ``name``.

    Returns
    -------
    Segmentation
        Labels, affine and names.

    Raises
    ------
    FormatError
        If values are not whole numbers.
    CorruptFileError
        If the file is damaged.
    """
    values, image = _one_volume(path)
    labels = np.rint(values).astype(np.int64)
    if not np.array_equal(labels, values):
        odd = float(values[labels != values].flat[0])
        raise FormatError(path, f"labels must be whole numbers, found {odd:g}", "Use read_mask with threshold= for probabilities")
    return Segmentation(labels, np.asarray(image.affine, np.float64), _label_names(Path(path)))


def _open_volume(path: str | Path) -> Any:
    image = open_image(path)
    if type(image).__name__.startswith("Cifti"):
        raise FormatError(path, "this is a CIFTI file of grayordinates", "Use read_cifti")
    check_real(Path(path), locate(image).dtype)
    return image


def _inside(path: str | Path, mask: Any, shape: tuple[int, ...], affine: Any) -> NDArray[np.bool_]:
    """Voxels of the mask of a run, in a file or not; what does not fit is said with both names."""
    chosen = read_mask(mask) if isinstance(mask, (str, Path)) else mask
    try:
        return as_mask(chosen, shape, affine)
    except DataError as error:
        name = mask if isinstance(mask, (str, Path)) else type(mask).__name__
        raise DataError(f"{path} with mask {name}: {error}") from error


def _one_volume(path: str | Path) -> tuple[NDArray[np.float64], Any]:
    """Values of shape (x, y, z) of an image of one volume, and the image."""
    image = _open_volume(path)
    shape = tuple(image.shape)
    if len(shape) < 3 or any(n != 1 for n in shape[3:]):
        raise FormatError(path, f"one volume was expected, got shape {shape}", "Use read_nifti for a time series")
    values = locate(image).read(0, shape[-1]).reshape(shape[:3]).astype(np.float64)
    if np.isnan(values).any():
        raise FormatError(path, f"it holds {int(np.isnan(values).sum())} NaN", "Write zeros outside of the region")
    return values, image


def _label_names(path: Path) -> dict[int, str]:
    table = path.parent / (path.name.split(".")[0] + ".tsv")
    if not table.is_file():
        return {}
    with reading(table, "it is no table of labels", "It needs the columns index (whole numbers) and name"):
        rows = read_tsv(table, ("name",))
        return {int(index): str(name) for index, name in zip(rows["index"], rows["name"], strict=True)}
