"""The place of each sensor on a flat map of the head, written into the tables that travel with the data."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from neurodecode.data import Recording, Responses
from neurodecode.io.sensor_layout import sensor_layout

Signal = TypeVar("Signal", Recording, Responses)


def with_layout(signal: Signal, system: str | None = None) -> Signal:
    """Write the flat layout of the sensors into their table: ``layout_x`` (to the right) and ``layout_y`` (to the nose).

    Both lie in [0, 1], scaled by the whole sensor system: leaving channels out moves nobody, so that positions mean the same in
    every recording. Networks that attend to sensors by their place need them.

    Parameters
    ----------
    signal : Recording or Responses
        Channels with names and, where there is no standard system, ``x, y, z`` in m.
    system : str, optional
        A layout or montage of MNE (``"KIT-AD"``, ``"biosemi128"``), by default the system that knows most of the names, else the
        projected positions.

    Returns
    -------
    Recording or Responses
        Of the same type, with two columns more; NaN for channels whose place is unknown.

    Raises
    ------
    DataError
        If the system is unknown, or names and positions leave it open.
    """
    table = signal.channels if isinstance(signal, Recording) else signal.units
    held = {"x", "y", "z"} <= set(table.columns) and bool(np.isfinite(table[["x", "y", "z"]].to_numpy(float)).all(axis=1).any())
    positions = table[["x", "y", "z"]].to_numpy(float) if held else None
    places = sensor_layout(table["name"].tolist(), system=system, positions=positions)
    placed = table.assign(layout_x=places[:, 0], layout_y=places[:, 1])
    if isinstance(signal, Recording):
        return signal.with_step("meeg.with_layout", {"system": system}, channels=placed)
    return signal.with_step("meeg.with_layout", {"system": system}, units=placed)
