"""Sensors as they were when a decoder was fitted: names, and positions that must not move when channels are dropped."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodecode.data import Responses
from neurodecode.decode.meeg_inputs import LAYOUT, Windows
from neurodecode.errors import DataError

Montage = dict[str, list[list[float]]]
_MOVED = 0.02  # of the width of the layout


def frozen_montage(windows: Windows) -> Montage:
    """Positions of each channel, in the order of the channels.

    Parameters
    ----------
    windows : Windows
        Training responses.

    Returns
    -------
    dict
        By name: positions (x, y) that it has in the sensor arrays, none where it is not known.
    """
    montage: Montage = {}
    for names, places in zip(windows.names, windows.positions, strict=True):
        for name, place in zip(names, places.tolist(), strict=True):
            known = montage.setdefault(name, [])
            if np.isfinite(place).all() and place not in known:
                known.append(place)
    return montage


def with_frozen_layout(part: Responses, montage: Mapping[str, list[list[float]]]) -> Responses:
    """Fill a layout in by the names of channels, where responses come without one.

    Parameters
    ----------
    part : Responses
        Of one sensor array.
    montage : mapping
        As `frozen_montage` gives it.

    Returns
    -------
    Responses
        The same where there is a layout.

    Raises
    ------
    DataError
        If a channel is unknown, or had several positions.
    """
    if set(LAYOUT) <= set(part.units):
        return part
    names = part.units["name"].tolist()
    unclear = [name for name in names if len(montage.get(name, [])) != 1]
    if unclear:
        raise DataError(
            f"responses have no layout, and channel {unclear[0]!r} has no single position among those fitted on: add layout_x "
            "and layout_y (neurodecode.preprocess.meeg.with_layout)"
        )
    places = np.array([montage[name][0] for name in names])
    return part.replace(units=part.units.assign(layout_x=places[:, 0], layout_y=places[:, 1]))


def check_channels(montage: Mapping[str, list[list[float]]], windows: Windows, layout: bool) -> None:
    """Refuse channels that the network cannot take.

    Parameters
    ----------
    montage : mapping
        As `frozen_montage` gives it.
    windows : Windows
        Responses to decode.
    layout : bool
        Whether the network looks at positions; then any sensors will do, but those that it knows must stand where they stood.

    Raises
    ------
    DataError
        If channels differ, or one has moved.
    """
    known = list(montage)
    for names, places in zip(windows.names, windows.positions, strict=True):
        if not layout:
            _check_names(names, known)
            continue
        for name, place in zip(names, places, strict=True):
            before = montage.get(name)
            if before and np.isfinite(place).all() and np.abs(np.asarray(before) - place).max(axis=1).min() > _MOVED:
                raise DataError(
                    f"channel {name!r} lies at {place.tolist()}, the decoder was fitted with it at {before[0]}: the layout must "
                    "be that of the whole sensor array, not of the channels that are left"
                )


def _check_names(names: list[str], known: list[str]) -> None:
    if len(names) != len(known):
        raise DataError(f"responses have {len(names)} channels, the decoder was fitted on {len(known)}, {known[:8]}")
    other = [i for i, (a, b) in enumerate(zip(names, known, strict=True)) if a != b]
    if other:
        i = other[0]
        raise DataError(f"channel {i} is {names[i]!r}, the decoder was fitted on {known[i]!r}: put channels in the same order")
