"""Maps of a comparison back in space: volumes and surfaces through the table of units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.data import convert_nifti
from neurodecode.errors import DataError

if TYPE_CHECKING:
    from neurodecode.compare.result import ComparisonResult


def to_nifti(result: ComparisonResult, which: str = "score", *, fill: float = 0.0) -> Any:
    """Put a map back into its volume.

    Parameters
    ----------
    result : ComparisonResult
        Its units have the columns i, j, k, its space ``shape`` and ``affine``.
    which : str
        One of ``result.map_names``.
    fill : float
        Value of the voxels that have no unit. A voxel whose value is not defined stays NaN.

    Returns
    -------
    nibabel.Nifti1Image
        Shape (x, y, z), or (x, y, z, n_times) where the responses had a time axis, float32.

    Raises
    ------
    DataError
        If the units are not voxels, or the map or the space is missing.
    """
    _check_columns(result, ("i", "j", "k"), "voxels", "to_gifti for vertices, to_dataframe for sensors")
    return convert_nifti.to_nifti(result.map(which).T, result.units, result.space, fill=fill)


def to_gifti(result: ComparisonResult, which: str = "score", *, fill: float = 0.0) -> dict[str, Any]:
    """Put a map back onto its surfaces.

    Parameters
    ----------
    result : ComparisonResult
        Its units have the columns hemisphere and vertex, its space ``n_vertices`` per hemisphere.
    which : str
        One of ``result.map_names``.
    fill : float
        Value of the vertices that have no unit, e.g. the medial wall. A vertex whose value is not defined stays NaN.

    Returns
    -------
    dict of str to nibabel.gifti.GiftiImage
        One image per hemisphere; one array of float32 per map, or per time.

    Raises
    ------
    DataError
        If the units are not vertices, or the map or the space is missing.
    """
    _check_columns(result, ("hemisphere", "vertex"), "vertices", "to_nifti for voxels, to_dataframe for sensors")
    return convert_nifti.to_gifti(np.atleast_2d(result.map(which).T), result.units, result.space, fill=fill)


def _check_columns(result: ComparisonResult, needed: tuple[str, ...], what: str, instead: str) -> None:
    missing = [name for name in needed if name not in result.units]
    if missing:
        raise DataError(f"units are no {what}: they lack {missing}, they have {list(result.units)[:20]}; use {instead}")
