"""Values on the brain or the head: glass brain, slices, surface, topographic maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.validate import require
from neurodecode.errors import DataError
from neurodecode.report.figures.style import DIVERGING, new_figure, styled
from neurodecode.report.words import number, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SENSORS = ("eeg", "mag", "grad")
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
        moved, figure=figure, axes=(0.0, 0.0, 0.88, 1.0), display_mode="lyrz", threshold=reach * 1e-6, **options
    )
    _colour_bar(figure, center - reach, center + reach, label, (0.91, 0.16, 0.018, 0.68))
    return figure


@styled
def slices(image: Any, label: str, center: float = 0.0, most: int = 12) -> Figure:
    """Draw a map in a native space as a mosaic of its slices.

    Parameters
    ----------
    image : nibabel image of shape (x, y, z)
        Values; NaN is outside and stays grey.
    label : str
        Label of the colour bar.
    center : float
        Value without colour.
    most : int
        Slices shown, evenly spread over those that hold values.

    Returns
    -------
    Figure
        Slices along the third axis, from the first index up.
    """
    import matplotlib

    volume = image.get_fdata()
    filled = np.flatnonzero(np.isfinite(volume).any(axis=(0, 1)))
    if not filled.size:
        raise DataError(f"the map of shape {volume.shape} holds no finite value to draw")
    shown = filled[np.unique(np.linspace(0, len(filled) - 1, min(most, len(filled))).round().astype(int))]
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
    columns = min(len(shown), 4)
    rows = -(-len(shown) // columns)
    shape = volume.shape[1] * sizes[1] / (volume.shape[0] * sizes[0])
    width = 8.4 if columns > 1 else 5.6
    figure = new_figure(width, float(np.clip(0.5 + rows * (width / columns) * 0.85 * shape, 2.2, 9)))
    grid = figure.subplots(rows, columns, squeeze=False)
    reach = float(np.nanmax(np.abs(volume - center))) or 1.0
    colours = matplotlib.colormaps[DIVERGING].with_extremes(bad="#e9edf1")
    options = {"cmap": colours, "vmin": center - reach, "vmax": center + reach, "origin": "lower", "aspect": sizes[1] / sizes[0]}
    for ax in grid.flat:
        ax.set_axis_off()
    for ax, k in zip(grid.flat, shown, strict=False):
        drawn = ax.imshow(volume[:, :, k].T, interpolation="nearest", **options)
        ax.set_title(f"slice {k}", fontsize=9)
    bar = figure.colorbar(drawn, ax=list(grid.flat), shrink=0.8, label=label, aspect=18)
    bar.outline.set_visible(False)  # type: ignore[operator]
    _name_center(bar.ax, center)
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
        If positions are neither given nor known, or there are fewer than three sensors.
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
    info = mne.create_info(names, 1000.0, "eeg")
    info.set_montage(mne.channels.make_dig_montage(dict(zip(names, positions, strict=True)), coord_frame="head"))
    return info, standard


def is_template(space: Mapping[str, Any], shape: tuple[int, ...]) -> bool:
    """Whether a volume can be drawn in a glass brain: MNI space and more than a few slices."""
    return str(space.get("name", "")).startswith("MNI") and min(shape[:3]) > 4


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
    few = len(values) <= 12
    marks = {"mask": np.ones(len(values), bool), "mask_params": {"markersize": 3, "markerfacecolor": "#1f2933"}} if few else {}
    mne.viz.plot_topomap(
        np.nan_to_num(values),
        info,
        axes=ax,
        show=False,
        cmap=DIVERGING,
        vlim=(-reach, reach),
        contours=0,
        sensors=not few,
        **marks,
    )


def _colour_bar(figure: Figure, low: float, high: float, label: str, where: Any) -> None:
    """A colour bar on its own axes (a rectangle) or beside given axes (a list)."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    mappable = ScalarMappable(Normalize(low, high), DIVERGING)
    place = {"cax": figure.add_axes(where)} if isinstance(where, tuple) else {"ax": where, "shrink": 0.75, "aspect": 16}
    bar = figure.colorbar(mappable, label=label, **place)
    bar.outline.set_visible(False)  # type: ignore[operator]
    _name_center(bar.ax, (low + high) / 2)


def _name_center(ax: Axes, center: float) -> None:
    """Where the neutral colour is not zero it is chance: marked with a line."""
    if center:
        ax.axhline(center, color="#1f2933", linestyle=(0, (3, 2)), linewidth=1.1, label="chance")
        ax.set_ylabel(f"{ax.get_ylabel()} (white: chance {number(center)})")
