"""Values on the brain or the head: glass brain, slices, surface, topographic maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.validate import require
from neurodecode.errors import DataError
from neurodecode.report.figures.style import DIVERGING, INK, new_figure, styled
from neurodecode.report.words import number, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEAD = 0.09  # m; radius of the head that is drawn
_SENSORS = ("eeg", "mag")
_MONTAGES = ("colin27_1005", "standard_1005")  # the name of newer and of older versions of MNE


@styled
def glass_brain(image: Any, label: str, center: float = 0.0) -> Figure:
    """Draw a map in a template space as maximum projections through a transparent brain.

    Parameters
    ----------
    image : nibabel image of shape (x, y, z)
        Values in MNI space; NaN is outside.
    label : str
        Label of the colour bar.
    center : float
        Value without colour: 0 for a pattern, chance for scores.

    Returns
    -------
    Figure
        Left, coronal, right and axial view.
    """
    nibabel = require("nibabel", "drawing a map of the brain", "fmri")
    plotting = require("nilearn.plotting", "drawing a map of the brain", "fmri")
    shifted = np.nan_to_num(image.get_fdata() - center)
    reach = float(np.abs(shifted).max()) or 1.0
    figure = new_figure(8.4, 2.7, layout=None)
    moved = nibabel.Nifti1Image(shifted.astype(np.float32), image.affine)
    options = {"plot_abs": False, "colorbar": False, "cmap": DIVERGING, "vmin": -reach, "vmax": reach, "black_bg": False}
    plotting.plot_glass_brain(
        moved, figure=figure, axes=(0.0, 0.0, 0.86, 1.0), display_mode="lyrz", threshold=reach * 1e-6, **options
    )
    _colour_bar(figure, center - reach, center + reach, label, (0.885, 0.16, 0.018, 0.68))
    return figure


@styled
def slices(image: Any, label: str, center: float = 0.0, titles: Sequence[str] = (), most: int = 16) -> Figure:
    """Draw maps in a native space as a mosaic of their slices, all with one colour scale.

    Parameters
    ----------
    image : nibabel image of shape (x, y, z) or (x, y, z, n_maps)
        Values; NaN is outside and stays grey.
    label : str
        Label of the colour bar.
    center : float
        Value without colour.
    titles : sequence of str
        Name of each map, where there are several.
    most : int
        Slices shown in all, evenly spread over those that hold values, but at least one per map.

    Returns
    -------
    Figure
        Slices along the third axis, from the first index up.

    Raises
    ------
    DataError
        If no value is finite.
    """
    import matplotlib

    volume = image.get_fdata()
    volume = volume if volume.ndim == 4 else volume[..., None]
    shown = _shown_slices(volume, max(1, most // volume.shape[3]))
    panels = [(m, int(k)) for m in range(volume.shape[3]) for k in shown]
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
    figure, axes = _mosaic(len(panels), volume.shape[1] * sizes[1] / (volume.shape[0] * sizes[0]))
    reach = float(np.nanmax(np.abs(volume - center))) or 1.0
    colours = matplotlib.colormaps[DIVERGING].with_extremes(bad="#e9edf1")
    options = {"cmap": colours, "vmin": center - reach, "vmax": center + reach, "origin": "lower", "aspect": sizes[1] / sizes[0]}
    for ax, (m, k) in zip(axes, panels, strict=False):
        ax.imshow(volume[:, :, k, m].T, interpolation="nearest", **options)
        name = short(titles[m], 18) if titles else ""
        ax.set_title(", ".join(part for part in (name, f"slice {k}" if len(shown) > 1 or not name else "") if part), fontsize=9)
    _colour_bar(figure, center - reach, center + reach, label, axes)
    return figure


@styled
def topomap(
    values: NDArray[np.float64], units: pd.DataFrame, titles: list[str], label: str = "Pattern (a.u.)", center: float = 0.0
) -> Figure:
    """Draw values at sensors as topographic maps with one colour scale.

    Parameters
    ----------
    values : array of shape (n_maps, n_sensors)
        One row per map.
    units : DataFrame
        ``name, kind`` and ``x, y, z`` in m. Where positions are missing and all names are of the 10-05 system, the standard
        positions are used for drawing.
    titles : list of str
        One per map.
    label : str
        Label of the colour bar.
    center : float
        Value without colour.

    Returns
    -------
    Figure
        Up to five maps in a row.

    Raises
    ------
    DataError
        If positions are neither given nor known, lie on one line or circle, or there are fewer than three sensors.
    """
    mne = require("mne", "drawing topographic maps", "meeg")
    values = np.atleast_2d(np.asarray(values, float)) - center
    info, _ = sensor_info(units)
    reach = float(np.nanmax(np.abs(values))) or 1.0
    columns = min(len(values), 5)
    rows = -(-len(values) // columns)
    figure = new_figure(max(3.4, 1.6 * columns + 1.0), 1.95 * rows + 0.2)
    grid = figure.subplots(rows, columns, squeeze=False)
    for ax in grid.flat:
        ax.set_axis_off()
    for ax, row, title in zip(grid.flat, values, titles, strict=False):
        _draw_head(mne, ax, row, info, reach)
        ax.set_title(short(title, 20), fontsize=9, loc="center")
    _colour_bar(figure, center - reach, center + reach, label, list(grid.flat))
    return figure


def sensor_info(units: pd.DataFrame) -> tuple[Any, bool]:
    """MNE's description of sensors with positions, and whether they are standard ones taken for drawing only.

    Parameters
    ----------
    units : DataFrame
        ``name, kind, x, y, z`` (m).

    Returns
    -------
    info : mne.Info
        Sensors of one kind with positions.
    standard : bool
        True where the positions are those of the 10-05 system and not of the recording.

    Raises
    ------
    DataError
        If there are fewer than three sensors or no positions.
    """
    mne = require("mne", "drawing topographic maps", "meeg")
    names = [str(name) for name in units["name"]]
    kinds = set(units["kind"].astype(str)) if "kind" in units else {"eeg"}
    if len(names) < 3:
        raise DataError(f"a topographic map needs at least 3 sensors, there are {len(names)}")
    if len(kinds) > 1 or not kinds <= set(_SENSORS):
        raise DataError(f"a topographic map needs one kind of sensor among {_SENSORS}, got {sorted(kinds)}")
    positions = _positions(units)
    standard = positions is None
    if positions is None:
        positions = _standard_positions(mne, names)
    if "mag" in kinds:  # sensors of a helmet lie outside the head: drawn at its surface
        positions = positions * (_HEAD / np.median(np.linalg.norm(positions, axis=1)))
    info = mne.create_info(names, 1000.0, "eeg")
    info.set_montage(mne.channels.make_dig_montage(dict(zip(names, positions, strict=True)), coord_frame="head"))
    return info, standard


def is_template(space: Mapping[str, Any]) -> bool:
    """Whether a volume can be drawn in a glass brain: MNI space and more than a few slices."""
    return str(space.get("name", "")).startswith("MNI") and min(space.get("shape") or [0]) > 4


def _shown_slices(volume: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Indices along the third axis, evenly spread over the slices that hold a finite value."""
    filled: NDArray[np.intp] = np.flatnonzero(np.isfinite(volume).any(axis=(0, 1, 3)))
    if not filled.size:
        raise DataError(f"the map of shape {volume.shape[:3]} holds no finite value to draw")
    middle = [len(filled) // 2] if most == 1 else np.linspace(0, len(filled) - 1, min(most, len(filled))).round()
    chosen: NDArray[np.intp] = filled[np.unique(np.asarray(middle, int))]
    return chosen


def _mosaic(n: int, shape: float) -> tuple[Figure, list[Axes]]:
    """A figure of n panels whose height is `shape` times their width, axes hidden."""
    columns = min(n, 4)
    rows = -(-n // columns)
    width = 8.4 if columns > 1 else 5.6
    figure = new_figure(width, float(np.clip(0.35 + rows * (0.3 + (width - 1.2) / columns * shape), 2.2, 11)))
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        ax.set_axis_off()
    return figure, axes


def _positions(units: pd.DataFrame) -> NDArray[np.float64] | None:
    if not {"x", "y", "z"} <= set(units.columns):
        return None
    positions = units[["x", "y", "z"]].to_numpy(float)
    return positions if np.isfinite(positions).all() else None


def _standard_positions(mne: Any, names: list[str]) -> NDArray[np.float64]:
    """Positions of the 10-05 system in the head frame, or an error that names a channel it does not know."""
    known = mne.channels.get_builtin_montages()
    montage = mne.channels.make_standard_montage(next(name for name in _MONTAGES if name in known))
    table = {name.lower(): name for name in montage.ch_names}
    unknown = [name for name in names if name.lower() not in table]
    if unknown:
        raise DataError(f"no position is known for {len(unknown)} of {len(names)} sensors, e.g. {unknown[0]!r}")
    info = mne.create_info([table[name.lower()] for name in names], 1000.0, "eeg").set_montage(montage)
    return np.array([channel["loc"][:3] for channel in info["chs"]])


def _draw_head(mne: Any, ax: Axes, values: NDArray[np.float64], info: Any, reach: float) -> None:
    from scipy.spatial import QhullError

    few = len(values) <= 12
    marks = {"mask": np.ones(len(values), bool), "mask_params": {"markersize": 3, "markerfacecolor": INK}} if few else {}
    options = {"cmap": DIVERGING, "vlim": (-reach, reach), "contours": 0, "sensors": not few, **marks}
    try:
        mne.viz.plot_topomap(np.nan_to_num(values), info, axes=ax, show=False, **options)
    except QhullError as error:
        raise DataError(
            f"the {len(values)} sensors lie on one line or circle, between which nothing can be interpolated"
        ) from error


def _colour_bar(figure: Figure, low: float, high: float, label: str, where: Any) -> None:
    """A colour bar on its own axes (a rectangle) or beside given axes (a list)."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    mappable = ScalarMappable(Normalize(low, high), DIVERGING)
    place = {"cax": figure.add_axes(where)} if isinstance(where, tuple) else {"ax": where, "shrink": 0.75, "aspect": 16}
    bar = figure.colorbar(mappable, label=label, **place)
    bar.outline.set_visible(False)
    _name_center(bar.ax, (low + high) / 2)


def _name_center(ax: Axes, center: float) -> None:
    """Where the neutral colour is not zero it is chance: marked with a line."""
    if center:
        ax.axhline(center, color=INK, linestyle=(0, (3, 2)), linewidth=1.1, label="chance")
        ax.set_ylabel(f"{ax.get_ylabel()} (white: chance {number(center)})")
