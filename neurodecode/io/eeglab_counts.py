"""Counts in the header of an EEGLAB file against the shape of the signal that is stored with it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.data.validate import require
from neurodecode.errors import CorruptFileError

_COUNTS = ("nbchan", "pnts", "trials")
_REMEDY = "Copy it again, or save it again with pop_saveset; read_meeg(..., strict=False) reads what is there"


def check_counts(path: Path) -> None:
    """Check that an EEGLAB file of MATLAB 5 to 7 holds as many values and channel locations as it states.

    Parameters
    ----------
    path : Path
        A ``.set`` file. Where the signal is in another file, only the channel locations are compared.

    Raises
    ------
    CorruptFileError
        If the numbers differ.
    """
    fields = _fields(path)
    if not all(name in fields for name in _COUNTS):
        return
    n_channels, n_times, n_trials = (_count(path, name, fields[name]) for name in _COUNTS)
    data = np.asarray(fields.get("data"))
    stated = n_channels * n_times * max(n_trials, 1)
    if data.dtype.kind in "fiu" and data.size and data.size != stated:
        what = f"it states {n_channels} channels, {n_times} samples and {n_trials} trials, its data have the shape {data.shape}"
        raise CorruptFileError(path, what, _REMEDY)
    n_places = np.asarray(fields.get("chanlocs")).size if "chanlocs" in fields else 0
    if n_places and n_places != n_channels:
        raise CorruptFileError(path, f"it states {n_channels} channels and has {n_places} channel locations", _REMEDY)


def _fields(path: Path) -> dict[str, Any]:
    """Fields of the struct EEG, or of the file where it holds them itself; empty where they are neither."""
    loadmat = require("scipy.io", "reading EEGLAB files", "meeg").loadmat
    content = loadmat(path, appendmat=False, variable_names=["EEG", *_COUNTS, "data", "chanlocs"])
    eeg = content.get("EEG")
    if eeg is None:
        return dict(content)
    return {name: eeg[name].flat[0] for name in eeg.dtype.names} if eeg.dtype.names and eeg.size == 1 else {}


def _count(path: Path, name: str, value: Any) -> int:
    """A whole number of at least zero."""
    plain = np.ravel(value)
    number = float(plain[0]) if plain.size == 1 and plain.dtype.kind in "biuf" else math.nan
    if not (number >= 0 and number.is_integer()):
        raise CorruptFileError(path, f"{name} is {value!r:.60}, expected a count", _REMEDY)
    return int(number)
