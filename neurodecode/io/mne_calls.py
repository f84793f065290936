"""Calls into MNE whose failures and warnings come out as our two errors."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.data import LazySignal
from neurodecode.data.validate import suggest
from neurodecode.errors import CorruptFileError, DataError, FormatError, NeurodecodeError
from neurodecode.io.guard import AGAIN

# What MNE says in a warning and then reads wrong or missing data all the same.
_DAMAGE = (
    "possibly corrupted",
    "invalid tag",
    "could not be read",
    "truncat",
    "evenly divisible",
    "larger than file",
)
# What MNE raises on files that are whole but need something else, with what to do then.
_NEEDS = {
    "could not be imported": "Install the package that the message names",
    "module is needed": "Install the package that the message names",
    "is required": "Install the package that the message names",
    "internal active shielding": "Apply Maxwell filtering first, or pass allow_maxshield=True",
    "allow_unknown_format": "Pass allow_unknown_format=True and check the amplitudes",
    "no raw data in": "Read evoked, covariance and other derived files with MNE itself",
    "discontinuous": "Export it as continuous EDF or BDF",
    "recordingtype": "Read epoched files with MNE-BIDS and convert with neurodecode.data.convert.from_mne",
}


@contextmanager
def mne_reading(path: str | Path, *, strict: bool = True) -> Iterator[list[str]]:
    """Run MNE inside the block: what it raises names the file, and what it warns of is collected.

    Parameters
    ----------
    path : str or Path
        File the block reads.
    strict : bool
        Whether a warning that means wrong data is an error.

    Yields
    ------
    list of str
        Warnings of the block, filled in when it ends.

    Raises
    ------
    FormatError
        If the file is whole but needs something else: a package, an option, another reader.
    CorruptFileError
        If the file is damaged or a part of it is missing.
    """
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        with _explained(path):
            yield notes
    notes += dict.fromkeys(_note(item, Path(path)) for item in caught if _about_data(item))
    damage = [note for note in notes if any(mark in note.lower() for mark in _DAMAGE)]
    if strict and damage:
        raise CorruptFileError(path, damage[0].rstrip("."), f"{AGAIN}; read_meeg(..., strict=False) reads what is there")


def _about_data(item: warnings.WarningMessage) -> bool:
    """Warnings for programmers and about the naming of files say nothing about the data."""
    for_programmers = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)
    return not issubclass(item.category, for_programmers) and "naming conventions" not in str(item.message)


def _note(item: warnings.WarningMessage, path: Path) -> str:
    """Text of a warning on one line, without the folders of this machine."""
    text = " ".join(str(item.message).split()).split(" The search strings were")[0]
    return text.replace(f"{path.absolute().parent}/", "").replace(f"{path.parent}/", "")


@contextmanager
def consistent(path: str | Path) -> Iterator[None]:
    """Run a constructor of our objects inside the block: members of one file that do not fit are damage of that file.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    CorruptFileError
        If the constructor refuses what the file holds.
    """
    try:
        yield
    except DataError as error:
        raise CorruptFileError(path, f"its parts do not fit together ({error})", AGAIN) from error


@contextmanager
def _explained(path: str | Path) -> Iterator[None]:
    """Whatever MNE and the libraries below it raise on a file, as one of our errors."""
    try:
        yield
    except FileNotFoundError as error:
        remedy = "Put the missing file back beside the others, under the name that the header has"
        raise CorruptFileError(path, f"a part of it is missing ({_line(error)})", remedy) from error
    except ImportError as error:
        raise FormatError(path, f"a package is missing ({_line(error)})", "Install the package that the message names") from error
    except NeurodecodeError:
        raise
    except Exception as error:
        text = _line(error)
        advice = [remedy for mark, remedy in _NEEDS.items() if mark in text.lower()]
        if advice:
            raise FormatError(path, text.rstrip("."), advice[0]) from error
        raise CorruptFileError(path, f"MNE cannot read it ({type(error).__name__}: {text})", AGAIN) from error


def _line(error: Exception) -> str:
    """Text of an error on one line, not longer than one can read."""
    text = " ".join(str(error).split())
    return text if len(text) <= 400 else text[:400] + " ..."


def check_options(function: Any, options: Mapping[str, Any], where: str) -> None:
    """Raise `DataError` if `function` has no such keyword."""
    known = set(inspect.signature(function).parameters) - {"verbose"}
    for name in options:
        if name not in known:
            raise DataError(f"{where} has no option {name!r}: {suggest(name, sorted(known))}")


def guarded(signal: LazySignal, path: Path, files: list[Path], *, strict: bool = True) -> LazySignal:
    """The same signal, whose failures while it is read later name the file.

    Parameters
    ----------
    signal : LazySignal
        Signal over an MNE object.
    path : Path
        File to name.
    files : list of Path
        Files it is read from; their sizes must not change between opening and reading.
    strict : bool
        Whether a warning that means wrong data is an error.

    Returns
    -------
    LazySignal
        Reads what `signal` reads.
    """
    sizes = {file: file.stat().st_size for file in files}

    def read(start: int, stop: int) -> Any:
        _check_sizes(path, sizes)
        with mne_reading(path, strict=strict):
            return signal[:, start:stop]

    return LazySignal(read, signal.shape)


def _check_sizes(path: Path, sizes: Mapping[Path, int]) -> None:
    for file, size in sizes.items():
        found = file.stat().st_size if file.exists() else None
        if found != size:
            raise CorruptFileError(path, f"{file.name} had {size} bytes when it was opened and has {found} now", "Open it again")
