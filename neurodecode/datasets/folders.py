"""Folders and labels of data sets that are no BIDS data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neurodecode.data.validate import suggest
from neurodecode.errors import DataError, FormatError


def existing_root(root: str | Path) -> Path:
    """The folder of a data set, or `FormatError` where there is none."""
    folder = Path(root)
    if not folder.is_dir():
        raise FormatError(folder, "there is no such folder", "Give the folder of the data set")
    return folder


def chosen(label: str, known: Sequence[str], what: str) -> str:
    """One of the labels that are there.

    Parameters
    ----------
    label : str
        What was asked for; a prefix ``sub-`` and zeros in front of a number are not needed.
    known : sequence of str
        What there is.
    what : str
        What it is, for the message.

    Returns
    -------
    str
        As it is written in `known`.

    Raises
    ------
    DataError
        If there is no such label; the message names the closest.
    """
    asked = _plain(label)
    found = [name for name in known if _plain(name) == asked]
    if not found:
        raise DataError(f"there is no {what} {str(label)!r}: {suggest(str(label), known)}")
    return found[0]


def _plain(label: str) -> str:
    """A label as it is compared."""
    text = str(label).removeprefix("sub-")
    return str(int(text)) if text.isdecimal() else text
