"""Points of a head that a stylus or a laser digitised, as Polhemus FastSCAN writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import CorruptFileError
from neurodecode.io.guard import AGAIN, existing_file, reading

_MM = 1e-3


def read_fastscan(path: str | Path) -> NDArray[np.float64]:
    """Read digitised points.

    Parameters
    ----------
    path : str or Path
        Text with three numbers in mm per line; lines before the first of them, and those that begin with %, are comments. The
        ending (.pos, .txt, ...) does not matter.

    Returns
    -------
    array of shape (n_points, 3)
        Places in m.

    Raises
    ------
    FormatError
        If there is no such file.
    CorruptFileError
        If it holds no points, or a line among them is none.
    """
    file = existing_file(path)
    with reading(file, "it is no text"):
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    points: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("%")[0].split()
        if not text:
            continue
        place = _numbers(text)
        if place is not None:
            points.append(place)
        elif points:
            raise CorruptFileError(file, f"line {number} is no point: {line[:60]!r}, expected three numbers in mm", AGAIN)
    if not points:
        raise CorruptFileError(file, f"none of its {len(lines)} lines is a point, expected three numbers in mm", AGAIN)
    return _MM * np.array(points)


def _numbers(text: list[str]) -> list[float] | None:
    """Three finite numbers, or None."""
    try:
        values = [float(part) for part in text]
    except ValueError:
        return None
    return values if len(values) == 3 and bool(np.isfinite(values).all()) else None
