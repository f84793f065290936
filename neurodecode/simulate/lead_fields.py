"""From dipoles to sensors: a spherical head under a real montage, or dipolar patterns on a disc."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.validate import check_option, require
from neurodecode.errors import DataError
from neurodecode.io.sensor_layout import montage_directions, sensor_layout

_Floats = NDArray[np.float64]

CENTRE = (0.0, 0.0, 0.04)  # m, of the spherical head in head coordinates
_SCALP, _HELMET = 0.09, 0.11  # m from the centre
_CORTEX = (0.05, 0.075)  # m from the centre, between which dipoles lie
_PATTERN_WIDTH = 0.35  # radii of the disc
_JITTER, _TURN = 0.15, 0.6  # how subjects differ: radii of the head or the disc, and of the unit of orientations


class Dipoles(NamedTuple):
    """Current dipoles in a head."""

    positions: _Floats
    """Shape (n, 3) in m, or (n, 2) in radii of the disc."""
    moments: _Floats
    """The same shape, of length 1."""


def sensor_table(lead_field: str, n_sensors: int, montage: str, kind: str, rng: np.random.Generator) -> pd.DataFrame:
    """Sensors of a simulated helmet or cap.

    Parameters
    ----------
    lead_field : str
        ``"sphere"`` or ``"disc"``.
    n_sensors : int
        How many; those of a montage are taken as far from each other as they can be.
    montage : str
        A montage of MNE (sphere).
    kind : str
        ``"eeg"``, or ``"mag"`` for a radial magnetometer 2 cm over each electrode's place (sphere).
    rng : Generator
        Places on the disc.

    Returns
    -------
    DataFrame
        ``name, kind, x, y, z`` (m, NaN on the disc), ``layout_x, layout_y`` (0 to 1).

    Raises
    ------
    DataError
        If the montage has fewer sensors, or an option is unknown.
    """
    check_option("lead_field", lead_field, ["sphere", "disc"])
    check_option("kind", kind, ["eeg", "mag"])
    if lead_field == "disc":
        names, places = [f"S{i:03d}" for i in range(n_sensors)], np.full((n_sensors, 3), np.nan)
        layout = 0.5 + 0.5 * _in_disc(n_sensors, rng)
    else:
        names, places = _spread_sensors(n_sensors, montage, _SCALP if kind == "eeg" else _HELMET)
        layout = sensor_layout(names, system=montage)
    columns = dict(zip(("x", "y", "z", "layout_x", "layout_y"), np.hstack([places, layout]).T, strict=True))
    return pd.DataFrame({"name": names, "kind": kind, **columns})


def draw_dipoles(lead_field: str, n: int, rng: np.random.Generator) -> Dipoles:
    """Dipoles at random places of a head, in random directions.

    Parameters
    ----------
    lead_field : str
        ``"sphere"``: in the upper half of a shell from 5 to 7.5 cm; ``"disc"``: anywhere in it.
    n : int
        How many.
    rng : Generator
        Random numbers.

    Returns
    -------
    Dipoles
        Positions and moments.
    """
    if lead_field == "disc":
        return Dipoles(_in_disc(n, rng), _unit(rng.standard_normal((n, 2))))
    outward = _unit(rng.standard_normal((n, 3)))
    outward[:, 2] = np.abs(outward[:, 2])
    depth = np.cbrt(rng.uniform(_CORTEX[0] ** 3, _CORTEX[1] ** 3, (n, 1)))
    return Dipoles(outward * depth + CENTRE, _unit(rng.standard_normal((n, 3))))


def of_subject(dipoles: Dipoles, lead_field: str, rng: np.random.Generator) -> Dipoles:
    """The same dipoles in the head of another person.

    Parameters
    ----------
    dipoles : Dipoles
        Those of the group.
    lead_field : str
        As in `draw_dipoles`.
    rng : Generator
        Random numbers of the subject.

    Returns
    -------
    Dipoles
        Moved by 0.15 radii (standard deviation per axis) and turned by 0.6; those of a sphere stay in their shell.
    """
    radius = 1.0 if lead_field == "disc" else _SCALP
    moved = dipoles.positions + _JITTER * radius * rng.standard_normal(dipoles.positions.shape)
    turned = _unit(dipoles.moments + _TURN * rng.standard_normal(dipoles.moments.shape))
    return Dipoles(moved if lead_field == "disc" else _into_shell(moved), turned)


def lead_field_of(sensors: pd.DataFrame, lead_field: str, dipoles: Dipoles) -> _Floats:
    r"""What each sensor sees of each dipole.

    The disc has :math:`(r - p) \cdot o\, \exp(-|r - p|^2 / (2 \cdot 0.35^2))` with sensors at r, dipoles at p with moments o; the
    sphere has the field that MNE computes: four shells for EEG, for magnetometers a conductor that is symmetric.

    Parameters
    ----------
    sensors : DataFrame
        Of `sensor_table`.
    lead_field : str
        ``"sphere"`` or ``"disc"``.
    dipoles : Dipoles
        The dipoles.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_sensors, n_dipoles); each column has length 1.
    """
    seen = _disc_field(sensors, dipoles) if lead_field == "disc" else _sphere_field(sensors, dipoles)
    return np.asarray(seen / np.linalg.norm(seen, axis=0))


def _disc_field(sensors: pd.DataFrame, dipoles: Dipoles) -> _Floats:
    places = 2.0 * sensors[["layout_x", "layout_y"]].to_numpy(float) - 1.0
    apart = places[:, None] - dipoles.positions
    reach = np.exp(-(apart**2).sum(axis=-1) / (2 * _PATTERN_WIDTH**2))
    return np.asarray((apart * dipoles.moments).sum(axis=-1) * reach)


def _sphere_field(sensors: pd.DataFrame, dipoles: Dipoles) -> _Floats:
    """Forward solution of MNE; each dipole's three axes are weighted with its moment."""
    mne = require("mne", "lead fields of a spherical head", "meeg")
    eeg = sensors["kind"].iloc[0] == "eeg"
    head = mne.make_sphere_model(CENTRE, _SCALP, verbose="error")
    places = {"rr": dipoles.positions, "nn": dipoles.moments}
    source = mne.setup_volume_source_space(pos=places, verbose="error")
    info = _info(mne, sensors)
    forward = mne.make_forward_solution(info, None, source, head, meg=not eeg, eeg=eeg, mindist=0.0, verbose="error")
    axes = forward["sol"]["data"].reshape(len(sensors), len(dipoles.positions), 3)
    return np.asarray(np.einsum("cdk,dk->cd", axes, dipoles.moments))


def _info(mne: Any, sensors: pd.DataFrame) -> Any:
    """Electrodes on the sphere, or radial point magnetometers over it."""
    kind = str(sensors["kind"].iloc[0])
    info = mne.create_info(list(sensors["name"]), 100.0, kind, verbose="error")
    places = sensors[["x", "y", "z"]].to_numpy(float)
    with info._unlock():
        info["dev_head_t"] = mne.transforms.Transform("meg", "head")
    for channel, place, outward in zip(info["chs"], places, _unit(places - CENTRE), strict=True):
        frame = np.zeros(9) if kind == "eeg" else _axes(outward)
        channel["loc"][:] = np.concatenate([place, frame])
        channel["coil_type"] = channel["coil_type"] if kind == "eeg" else mne.io.constants.FIFF.FIFFV_COIL_POINT_MAGNETOMETER
    return info


def _axes(outward: _Floats) -> _Floats:
    """Two axes of a coil and its normal, one after the other."""
    first = _unit(np.cross(outward, np.eye(3)[np.argmin(np.abs(outward))])[None])[0]
    return np.concatenate([first, np.cross(outward, first), outward])


def _spread_sensors(n_sensors: int, montage: str, radius: float) -> tuple[list[str], _Floats]:
    """Sensors of a montage, each time the one farthest from those taken before."""
    names, outward = montage_directions(montage)
    if not 1 <= n_sensors <= len(names):
        raise DataError(f"n_sensors must be from 1 to the {len(names)} of montage {montage!r}, got {n_sensors}")
    taken, nearest = [int(np.argmax(outward[:, 2]))], np.full(len(names), np.inf)
    while len(taken) < n_sensors:
        nearest = np.minimum(nearest, np.linalg.norm(outward - outward[taken[-1]], axis=1))
        taken.append(int(np.argmax(nearest.round(9))))  # electrodes that are equally far: the first, on every machine
    order = sorted(taken)
    return [names[i] for i in order], outward[order] * radius + CENTRE


def _in_disc(n: int, rng: np.random.Generator) -> _Floats:
    angle, distance = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.uniform(0, 1, n))
    return np.column_stack([np.cos(angle), np.sin(angle)]) * distance[:, None]


def _into_shell(positions: _Floats) -> _Floats:
    offset = positions - CENTRE
    distance = np.linalg.norm(offset, axis=1, keepdims=True)
    return np.asarray(offset / distance * np.clip(distance, *_CORTEX) + CENTRE)


def _unit(vectors: _Floats) -> _Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
