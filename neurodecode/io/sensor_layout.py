"""Two-dimensional layout of named M/EEG sensors, the same for whoever of them is left."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_option, require
from neurodecode.errors import DataError

# Systems that names alone tell apart; of equals the first, so that the larger nets of one maker come last.
_BY_NAME = (
    "Vectorview-all",
    "CTF275",
    "spherical_1005",
    "biosemi128",
    "GSN-HydroCel-129",
    "biosemi160",
    "biosemi256",
    "GSN-HydroCel-257",
)
_LAYOUTS = (
    "Vectorview-all",
    "Neuromag_122",
    "CTF275",
    "CTF151",
    "KIT-125",
    "KIT-157",
    "KIT-160",
    "KIT-AD",
    "KIT-AS-2008",
    "KIT-UMD-3",
    "magnesWH3600",
)
_OLDER = {"t3": "t7", "t4": "t8", "t5": "p7", "t6": "p8", "m1": "tp9", "m2": "tp10"}  # names of 10-20 before 1991, and mastoids
_WIDEST = 0.75 * np.pi  # rad from the top of the head: below any sensor of a cap or a helmet


def sensor_layout(
    names: Sequence[str],
    *,
    system: str | None = None,
    positions: ArrayLike | None = None,
    centre: Sequence[float] = (0.0, 0.0, 0.04),
) -> NDArray[np.float64]:
    """Find the place of each sensor on a flat map of the head, seen from above with the nose up.

    The map is scaled by all sensors of the system, not by those that are asked for: dropping channels moves nobody.

    Parameters
    ----------
    names : sequence of str
        Names of channels; case, blanks and the suffix that CTF appends (``MLC11-1609``) do not matter.
    system : str, optional
        A layout (``"KIT-AD"``, ``"CTF151"``) or a montage (``"biosemi64"``, ``"easycap-M10"``) of MNE. By default the system that
        knows most of the names among Vectorview, CTF 275, the 10-05 system, BioSemi (ABC) and HydroCel nets. Other systems share
        their names (``MEG 001`` occurs in several), so that they must be given.
    positions : array_like of shape (n_channels, 3), optional
        Positions in m, used where no system is given and none knows a name: they are projected about `centre`, the angle from
        above becoming the distance from the middle, 135 degrees the edge.
    centre : sequence of float
        Centre of the head in m; z points up, y to the nose.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_channels, 2), x and y in [0, 1]; NaN for channels that the system does not know, or without a position.

    Raises
    ------
    DataError
        If the system is unknown, positions do not fit the names, or names and positions leave the system open.
    """
    keys = [_key(name) for name in names]
    chosen = _system_of(keys) if system is None else check_option("system", system, systems())
    if chosen is not None:
        known = _places(chosen)
        return np.array([known.get(key, (np.nan, np.nan)) for key in keys], float).reshape(-1, 2)
    if positions is not None:
        return _projected_positions(positions, len(keys), centre)
    ambiguous = [name for name, key in zip(names, keys, strict=True) if re.fullmatch(r"meg\d{3}", key)]
    if ambiguous:
        raise DataError(f"{ambiguous[0]!r} names a sensor of several MEG systems: give positions or system=, e.g. {_LAYOUTS[1:]}")
    return np.full((len(keys), 2), np.nan)


def systems() -> list[str]:
    """Names of the sensor systems that `sensor_layout` knows.

    Returns
    -------
    list of str
        Layouts of MEG helmets, then montages of EEG caps.
    """
    return [*_LAYOUTS, *require("mne", "layouts of sensors", "meeg").channels.get_builtin_montages()]


def montage_directions(montage: str) -> tuple[list[str], NDArray[np.float64]]:
    """Names of the electrodes of a standard montage, and where they lie seen from the centre of the head.

    Parameters
    ----------
    montage : str
        A montage of MNE, e.g. ``"biosemi64"``.

    Returns
    -------
    names : list of str
        Names of the electrodes.
    directions : NDArray[np.float64]
        Shape (n_electrodes, 3), of length 1, from the centre of the sphere that fits best; y points to the nose, z up.

    Raises
    ------
    DataError
        If there is no such montage.
    """
    channels = require("mne", "standard montages", "meeg").channels
    check_option("montage", montage, channels.get_builtin_montages())
    places = channels.make_standard_montage(montage).get_positions()["ch_pos"]
    positions = np.array(list(places.values()), float)
    outward = positions - _sphere_centre(positions)
    return list(places), outward / np.linalg.norm(outward, axis=1, keepdims=True)


def _key(name: str) -> str:
    """A name without what varies from file to file."""
    return re.sub(r"(?<=\d)-\d+$", "", re.sub(r"\s", "", str(name))).casefold()


def _system_of(keys: Sequence[str]) -> str | None:
    """The system that knows most names, or None where none knows any."""
    counts = {name: sum(key in _places(name) for key in set(keys)) for name in _BY_NAME}
    best = max(_BY_NAME, key=counts.__getitem__)
    return best if counts[best] else None


@lru_cache(maxsize=16)
def _places(system: str) -> Mapping[str, tuple[float, float]]:
    """Place of every sensor of a system, by the key of its name."""
    names, flat = _read_layout(system) if system in _LAYOUTS else _flat_montage(system)
    low, high = flat.min(axis=0), flat.max(axis=0)
    scaled = (flat - low) / (high - low)
    places = {_key(name): (float(x), float(y)) for name, (x, y) in zip(names, scaled, strict=True)}
    older = {old: places[new] for old, new in _OLDER.items() if new in places}
    return MappingProxyType({**older, **places})


def _read_layout(system: str) -> tuple[list[str], NDArray[np.float64]]:
    """Names and centres of the boxes of a layout of MNE."""
    layout = require("mne", "layouts of sensors", "meeg").channels.read_layout(system, scale=False)
    sensors = [i for i, name in enumerate(layout.names) if name not in ("COMNT", "SCALE")]
    return [layout.names[i] for i in sensors], layout.pos[sensors, :2] + layout.pos[sensors, 2:] / 2


def _flat_montage(system: str) -> tuple[list[str], NDArray[np.float64]]:
    """Names and projected positions of a montage of MNE."""
    names, directions = montage_directions(system)
    return names, _project(directions)


def _sphere_centre(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre of the sphere that fits best: |p|^2 = 2 c.p + (r^2 - |c|^2) is linear in c."""
    design = np.column_stack([2 * positions, np.ones(len(positions))])
    centre: NDArray[np.float64] = np.linalg.lstsq(design, (positions**2).sum(axis=1), rcond=None)[0][:3]
    return centre


def _project(offsets: NDArray[Any]) -> NDArray[np.float64]:
    """Azimuthal equidistant projection: distance from the middle is the angle from above, in rad."""
    across = np.hypot(offsets[:, 0], offsets[:, 1])
    angle = np.arctan2(across, offsets[:, 2])
    return np.asarray(offsets[:, :2] * (angle / np.maximum(across, np.finfo(float).tiny))[:, None])


def _projected_positions(positions: ArrayLike, n_channels: int, centre: Sequence[float]) -> NDArray[np.float64]:
    """Positions on a map whose frame does not depend on them."""
    given = np.asarray(positions, float)
    if given.shape != (n_channels, 3):
        raise DataError(f"positions must have shape ({n_channels}, 3), x, y and z of each name in m, got {given.shape}")
    flat: NDArray[np.float64] = np.clip(0.5 + 0.5 * _project(given - np.asarray(centre, float)) / _WIDEST, 0.0, 1.0)
    return np.asarray(flat, float)
