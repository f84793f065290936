"""What was shown or heard in a public data set: its files where they lie on the disk, else words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from neurodecode.data import Stimuli
from neurodecode.errors import FormatError


def files_or_words(
    table: pd.DataFrame, words: Sequence[str], paths: Sequence[Path] | None, kind: Literal["image", "audio"]
) -> Stimuli:
    """Stimuli of a data set.

    Parameters
    ----------
    table : DataFrame
        Column ``id`` and what else is known of each stimulus.
    words : sequence of str
        Each stimulus in words, for where there are no files.
    paths : sequence of Path or None
        File of each stimulus; None where the files were not fetched.
    kind : {"image", "audio"}
        What the files hold.

    Returns
    -------
    Stimuli
        Of the kind of the files, read when they are indexed; without files the words, of kind text.

    Raises
    ------
    FormatError
        If one of the files is not there.
    """
    from neurodecode.io.sound import read_sound
    from neurodecode.io.stimuli import LazyFiles, read_image

    ids = table["id"].astype(str).tolist()
    if paths is None:
        return Stimuli(ids, list(words), "text", table)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        what = f"there is no such file, and {len(missing)} of {len(paths)} stimuli have none"
        raise FormatError(missing[0], what, "Fetch all of them, or move their folder away to load words in their place")
    items: Any = LazyFiles(list(paths), read_image if kind == "image" else read_sound)
    return Stimuli(ids, items, kind, table)


def in_words(concept: str) -> str:
    """A concept of THINGS as a person would say it: ``aircraft_carrier`` and ``bat1`` are "aircraft carrier" and "bat"."""
    return concept.replace("_", " ").rstrip("0123456789")
