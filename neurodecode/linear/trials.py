"""Continuous signals as a list of trials, whatever they came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.recording import Recording
from neurodecode.data.responses import Responses
from neurodecode.errors import DataError
from neurodecode.linear.delays import run_of

_Array = NDArray[Any]
_RATE = 1e-3  # relative difference of sampling rates that is rounding


class Trials(NamedTuple):
    """Trials of a signal, and how they came."""

    arrays: list[_Array]
    """One per trial, (n_times_i, n_channels); views wherever possible."""
    form: str
    """``"list"``, ``"windows"`` (n_trials, n_channels, n_times), or ``"rows"`` (n_times, n_channels)."""
    groups: NDArray[Any] | None
    """Name of the group of each trial, where known."""

    @property
    def lengths(self) -> list[int]:
        """Samples of each trial."""
        return [len(array) for array in self.arrays]

    def like(self, arrays: list[_Array]) -> Any:
        """Lay out other trials of the same lengths in the form these came in.

        Parameters
        ----------
        arrays : list of array of shape (n_times_i, n_channels)
            Trials.

        Returns
        -------
        array or list of array
            In the form of these trials.
        """
        if self.form == "list":
            return arrays
        return np.concatenate(arrays) if self.form == "rows" else np.stack([array.T for array in arrays])


def as_trials(name: str, data: Any, groups: ArrayLike | None, sfreq: float) -> Trials:
    """Cut a signal into trials.

    Parameters
    ----------
    name : str
        What it is, for messages.
    data : Responses, Recording, array_like or sequence of array_like
        A list of trials (n_times_i, n_channels) or (n_times_i,); windows (n_trials, n_channels, n_times), as `Responses` with
        times hold them; one matrix (n_times, n_channels), whose trials are the unbroken stretches of `groups`; or a
        `Recording`, which is one trial.
    groups : array_like of shape (n_trials,) or (n_times,) or None
        Name of the group of each trial, or of each row of a matrix; None for the runs that `Responses` know.
    sfreq : float
        Sampling rate in Hz, which that of the objects must equal.

    Returns
    -------
    Trials
        Each an array of real numbers with two axes.

    Raises
    ------
    DataError
        If shapes, dtypes or rates do not fit.
    """
    _check_rate(name, data, sfreq)
    labels = run_of(groups, data)
    names = None if labels is None else np.asarray(labels)
    if isinstance(data, Recording):
        return Trials([_matrix(name, np.asarray(data.data).T)], "rows", None)
    if isinstance(data, (list, tuple)):
        return Trials([_matrix(f"{name}[{k}]", trial) for k, trial in enumerate(data)], "list", _named(names, len(data), name))
    held = data.data if isinstance(data, Responses) else np.asanyarray(data)
    if held.ndim == 3:
        return Trials([_matrix(name, trial.T) for trial in held], "windows", _named(names, len(held), name))
    rows = _matrix(name, held)
    if names is None:
        return Trials([rows], "rows", None)
    _named(names, len(rows), name)
    starts = np.flatnonzero(np.concatenate([[True], names[1:] != names[:-1]]))
    return Trials(np.split(rows, starts[1:]), "rows", names[starts])


def check_pairs(first: Trials, second: Trials, names: Sequence[str]) -> None:
    """Check that two signals have the same trials.

    Parameters
    ----------
    first, second : Trials
        The signals.
    names : sequence of str
        What they are, for the message.

    Raises
    ------
    DataError
        Naming the first trial that differs.
    """
    n = len(first.arrays), len(second.arrays)
    if not n[0] or n[0] != n[1]:
        raise DataError(f"{names[0]} has {n[0]} trials and {names[1]} {n[1]}: give one of both per trial, at least one")
    for k, (a, b) in enumerate(zip(first.lengths, second.lengths, strict=True)):
        if a != b:
            raise DataError(f"trial {k} has {a} samples in {names[0]} and {b} in {names[1]}: cut both to the same stretch")
    for name, trials in zip(names, (first, second), strict=True):
        for k, array in enumerate(trials.arrays):
            if array.shape[1] != trials.arrays[0].shape[1] or 0 in array.shape:
                first_shape = trials.arrays[0].shape
                raise DataError(f"trial {k} of {name} has shape {array.shape}, trial 0 {first_shape}: channels must be the same")


def first_not_finite(sides: Mapping[str, Sequence[_Array]], number: int = 0) -> str:
    """Say where the first value is that is not finite.

    Parameters
    ----------
    sides : mapping of str to sequence of array of shape (n_times_i, n_channels)
        Trials by what they are.
    number : int
        Number of the first trial.

    Returns
    -------
    str
        The message.
    """
    for name, arrays in sides.items():
        for k, array in enumerate(arrays, start=number):
            bad = np.argwhere(~np.isfinite(array))
            if len(bad):
                where = f"trial {k}, sample {bad[0][0]}, channel {bad[0][1]}"
                return f"{name} hold {array[tuple(bad[0])]} in {where}: interpolate it, or leave the trial out"
    return f"sums of products of {' and '.join(sides)} overflow double precision: scale them"


def _matrix(name: str, data: Any) -> _Array:
    array: _Array = np.asanyarray(data)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise DataError(f"{name} must be real numbers of shape (n_times, n_channels), got {array.dtype} of shape {array.shape}")
    return array


def _named(names: NDArray[Any] | None, n: int, name: str) -> NDArray[Any] | None:
    if names is not None and names.shape != (n,):
        raise DataError(f"groups must name the group of each of the {n} trials (or rows) of {name}, got shape {names.shape}")
    return names


def _check_rate(name: str, data: Any, sfreq: float) -> None:
    """Refuse objects on another clock."""
    rate = data.sfreq if isinstance(data, Recording) else None
    if isinstance(data, Responses) and data.times is not None and len(data.times) > 1:
        rate = (len(data.times) - 1) / float(data.times[-1] - data.times[0])
    if rate is not None and abs(rate - sfreq) > _RATE * sfreq:
        raise DataError(f"{name} is sampled at {rate:g} Hz, the model at {sfreq:g} Hz: resample it, or give sfreq={rate:g}")
