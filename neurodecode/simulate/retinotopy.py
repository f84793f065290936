"""A simulated visual cortex: vertices at the back of fsaverage5 and the part of the image that each of them sees."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_columns, check_positive, require
from neurodecode.errors import DataError

N_VERTICES = 10242  # of each hemisphere of fsaverage5
MAGNIFICATION = 0.75  # degrees: the eccentricity at which the magnification of the fovea is halved
IMAGE_WIDTH = 8.0  # degrees of visual angle


def occipital_patch(n_per_hemisphere: int = 400) -> pd.DataFrame:
    """Choose the vertices around the occipital pole of fsaverage5, which comes with nilearn.

    Parameters
    ----------
    n_per_hemisphere : int
        How many, the most posterior ones of the pial surface.

    Returns
    -------
    DataFrame
        One row per vertex: ``hemisphere`` (L or R), ``vertex``, and ``x, y, z`` in mm on the pial surface; the pole of each
        hemisphere comes first.

    Raises
    ------
    DataError
        If a hemisphere has not as many vertices.
    """
    if not 1 <= n_per_hemisphere <= N_VERTICES:
        raise DataError(f"n_per_hemisphere must be 1 to {N_VERTICES}, the vertices of a hemisphere, got {n_per_hemisphere!r}")
    nibabel = require("nibabel", "reading the surface of fsaverage5", "fmri")
    datasets = require("nilearn.datasets", "the surface of fsaverage5", "fmri")
    meshes = datasets.fetch_surf_fsaverage("fsaverage5")  # comes with nilearn: nothing is downloaded
    parts = []
    for hemisphere, side in (("L", "left"), ("R", "right")):
        place = nibabel.load(meshes[f"pial_{side}"]).agg_data("pointset").astype(float)
        vertices = np.argsort(place[:, 1], kind="stable")[:n_per_hemisphere]
        part = pd.DataFrame(place[vertices], columns=list("xyz"))
        part.insert(0, "vertex", vertices)
        part.insert(0, "hemisphere", hemisphere)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def retinotopic_map(patch: pd.DataFrame, rng: np.random.Generator, *, max_eccentricity: float = 5.0) -> pd.DataFrame:
    r"""Give each vertex of a patch the place in the visual field that it sees.

    The left hemisphere sees the right half of the field. The fovea lies at the pole; eccentricity grows forward, by the
    magnification :math:`1 / (E + 0.75°)` of Horton and Hoyt (1991, Archives of Ophthalmology 109:816). Dorsal vertices see the
    lower field, ventral ones the upper. The size of the field grows with the eccentricity.

    Parameters
    ----------
    patch : DataFrame
        ``hemisphere``, ``x, y, z`` in mm, as from `occipital_patch`.
    rng : numpy.random.Generator
        Source of the scatter of the centres, a quarter of a field's size.
    max_eccentricity : float
        Of the centres before scatter, in degrees of visual angle.

    Returns
    -------
    DataFrame
        `patch` with ``field_x`` (to the right), ``field_y`` (upward), ``field_size`` (standard deviation) and
        ``eccentricity``, in degrees, and ``angle`` in rad from the right, upward positive.

    Raises
    ------
    DataError
        If a column is missing.
    """
    check_columns(patch, ["hemisphere", "x", "y", "z"], "patch")
    far = check_positive("max_eccentricity", max_eccentricity)
    maps = [_map_hemisphere(part, far) for _, part in patch.groupby("hemisphere", sort=False)]
    size = 0.35 + 0.15 * np.concatenate([eccentricity for eccentricity, _ in maps])
    centre = np.concatenate([place for _, place in maps]) + 0.25 * size[:, None] * rng.standard_normal((len(patch), 2))
    return patch.assign(
        field_x=centre[:, 0],
        field_y=centre[:, 1],
        field_size=size,
        eccentricity=np.hypot(*centre.T),
        angle=np.arctan2(centre[:, 1], centre[:, 0]),
    )


def receptive_fields(vertices: pd.DataFrame, n_pixels: int = 8, width: float = IMAGE_WIDTH) -> NDArray[np.float64]:
    """How much each pixel of an image counts for each vertex: a Gaussian of sum 1 over the plane.

    Parameters
    ----------
    vertices : DataFrame
        ``field_x``, ``field_y`` and ``field_size`` in degrees.
    n_pixels : int
        Rows and columns of the image.
    width : float
        Width of the image in degrees; its centre is looked at.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_vertices, n_pixels, n_pixels), rows from the top. A field that lies half outside the image sums to one half.

    Raises
    ------
    DataError
        If a column is missing.
    """
    from scipy.special import ndtr

    check_columns(vertices, ["field_x", "field_y", "field_size"], "vertices")
    edges = np.linspace(-width / 2, width / 2, n_pixels + 1)
    size = vertices["field_size"].to_numpy()[:, None]
    across = np.diff(ndtr((edges - vertices["field_x"].to_numpy()[:, None]) / size), axis=1)
    up = np.diff(ndtr((edges - vertices["field_y"].to_numpy()[:, None]) / size), axis=1)
    return np.asarray(up[:, ::-1, None] * across[:, None, :])


def population_response(fields: NDArray[np.float64], images: ArrayLike, exponent: float = 1.0) -> NDArray[np.float64]:
    r"""Response of each vertex to each image.

    :math:`r = \langle f, I \rangle^n`, compressive for n < 1 (Kay et al. 2013, Journal of Neurophysiology 110:481).

    Parameters
    ----------
    fields : array of shape (n_vertices, n_rows, n_columns)
        Receptive fields.
    images : array_like of shape (n_images, n_rows, n_columns)
        Luminance, 0 or above.
    exponent : float
        1 sums linearly over space, less compresses.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_images, n_vertices).

    Raises
    ------
    DataError
        If images and fields differ in size, an image is negative, or `exponent` is not above 0.
    """
    shown = np.asarray(images, float)
    if shown.ndim != 3 or shown.shape[1:] != fields.shape[1:] or (shown < 0).any():
        raise DataError(
            f"images must be 0 or above and of shape (n_images, {fields.shape[1]}, {fields.shape[2]}) like the receptive fields, "
            f"got shape {shown.shape} with a minimum of {shown.min(initial=0):g}"
        )
    drive = shown.reshape(len(shown), -1) @ fields.reshape(len(fields), -1).T
    return np.asarray(drive ** check_positive("exponent", exponent))


def _map_hemisphere(part: pd.DataFrame, far: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eccentricity and centre (n_vertices, 2) of the fields of one hemisphere, in degrees."""
    order = part["y"].rank(method="first").to_numpy()
    outward = np.sqrt((order - 0.5) / len(part))  # an area on the cortex grows with the square of the distance
    eccentricity = MAGNIFICATION * ((1 + far / MAGNIFICATION) ** outward - 1)
    pole = part.iloc[int(np.argmin(part["y"].to_numpy()))]
    angle = -np.arctan2(part["z"] - pole["z"], (part["x"] - pole["x"]).abs()).to_numpy()
    side = 1.0 if part["hemisphere"].iloc[0] == "L" else -1.0
    return eccentricity, np.stack([side * eccentricity * np.cos(angle), eccentricity * np.sin(angle)], axis=1)
