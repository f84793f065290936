"""Tuning as arrays, from arrays or from responses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import check_columns
from neurodecode.errors import DataError

_Floats = NDArray[np.float64]


class Tuning(NamedTuple):
    """Mean responses by session, stimulus and unit."""

    tuning: _Floats
    """(n_sessions, n_stimuli, n_units)"""
    stimuli: _Floats
    """(n_stimuli,)"""
    preferred: _Floats | None
    """(n_units,), where the units tell it."""


def as_tuning(name: str, values: Any) -> _Floats:
    """Return tuning with an axis of sessions, or raise `DataError`.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    values : array of shape ([n_sessions,] n_stimuli, n_units)
        Mean responses, finite.

    Returns
    -------
    array of shape (n_sessions, n_stimuli, n_units)
        Float64.

    Raises
    ------
    DataError
        If the shape is another or a value is not finite.
    """
    array = np.asarray(values, float)
    if array.ndim not in (2, 3) or min(array.shape, default=0) < 1:
        raise DataError(f"{name} must be ([n_sessions,] n_stimuli, n_units), got shape {array.shape}")
    if not np.isfinite(array).all():
        raise DataError(f"{name} has {int((~np.isfinite(array)).sum())} values that are not finite: leave these units out")
    return array if array.ndim == 3 else array[None]


def tuning_of(responses: Responses) -> Tuning:
    """Average responses over trials of each session and orientation.

    Parameters
    ----------
    responses : Responses
        Samples with ``orientation`` and perhaps ``session``; units perhaps with ``preferred``.

    Returns
    -------
    Tuning
        Every session has every orientation.

    Raises
    ------
    DataError
        If a column is missing, or a session lacks an orientation.
    """
    check_columns(responses.samples, ["orientation"], "samples of the responses")
    samples = responses.samples
    session = samples["session"].astype(str).to_numpy() if "session" in samples else np.full(len(samples), "1")
    names, row = np.unique(session, return_inverse=True)
    stimuli, column = np.unique(samples["orientation"].to_numpy(float), return_inverse=True)
    data = responses.matrix().astype(float)
    cell = row.ravel() * len(stimuli) + column.ravel()
    counts = np.bincount(cell, minlength=len(names) * len(stimuli))
    if (counts == 0).any():
        missing = int(np.argmin(counts))
        where = f"session {names[missing // len(stimuli)]!r} has no orientation {stimuli[missing % len(stimuli)]:g}"
        raise DataError(f"{where}: every session needs all {len(stimuli)}")
    sums = np.zeros((len(counts), data.shape[1]))
    np.add.at(sums, cell, data)
    preferred = responses.units["preferred"].to_numpy(float) if "preferred" in responses.units else None
    return Tuning((sums / counts[:, None]).reshape(len(names), len(stimuli), -1), stimuli, preferred)
