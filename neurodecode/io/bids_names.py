"""File names of BIDS: entities, suffix and extension, and which names a question matches."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from neurodecode.data.validate import suggest
from neurodecode.errors import DataError

# Entities in the order of BIDS names; these are also the keys of `BidsFile.entities`.
ENTITIES = (
    *("sub", "tpl", "ses", "cohort", "sample", "task", "tracksys", "acq", "ce", "trc", "stain", "rec", "dir", "run", "mod"),
    *("echo", "flip", "inv", "mt", "part", "proc", "hemi", "space", "split", "recording", "chunk", "atlas", "seg", "scale"),
    *("res", "den", "label", "from", "to", "mode", "desc"),
)
DATATYPES = ("func", "eeg", "meg", "ieeg", "beh", "anat", "dwi", "fmap", "perf", "pet", "nirs", "motion", "micr", "mrs", "emg")
_LONG = {"subject": "sub", "session": "ses", "acquisition": "acq", "resolution": "res", "density": "den", "direction": "dir"}
_SHORT = {"sub": "subject", "ses": "session"}
_NUMBERED = frozenset({"run", "echo", "flip", "inv", "split", "chunk"})  # BIDS indices: 1 and 01 are the same
_PAIR = re.compile(r"([a-zA-Z0-9]+)-([^_\s/\\]+)")


class BidsName(NamedTuple):
    """The parts of a file name."""

    entities: dict[str, str]
    """Label of each entity, e.g. ``{"sub": "01", "task": "rest"}``, in the order of the name."""
    suffix: str
    """What kind of data it is, e.g. bold, eeg, events."""
    extension: str
    """From the first dot on, e.g. ``.nii.gz``."""


@dataclass(frozen=True)
class BidsFile:
    """One file of a BIDS data set.

    Parameters
    ----------
    path : Path
        The file (or the folder of a CTF recording).
    root : Path
        Data set it belongs to; of a derivative, the derivative's own root.
    entities : dict
        Label of each entity, e.g. ``{"sub": "01", "task": "rest", "run": "2"}``.
    suffix : str
        What kind of data it is, e.g. bold, eeg, events.
    extension : str
        From the first dot of the name on, e.g. ``.nii.gz``.
    datatype : str
        Folder it lies in: func, eeg, meg, ieeg, ...
    raw : Path, optional
        Root of the raw data set that a derivative was made of, where events and raw sidecars lie.
    """

    path: Path
    root: Path
    entities: dict[str, str] = field(hash=False)
    suffix: str
    extension: str
    datatype: str
    raw: Path | None = None

    @property
    def relative(self) -> str:
        """Path below the root, with forward slashes."""
        return self.path.relative_to(self.root).as_posix()

    def without(self, *entities: str) -> tuple[tuple[str, str], ...]:
        """The entities but some, as a key that files with equal others share.

        Parameters
        ----------
        *entities : str
            Short names to leave out, e.g. ``"hemi"``.

        Returns
        -------
        tuple of (str, str)
            Short name and label of the others, in the order of the name.
        """
        return tuple((key, label) for key, label in self.entities.items() if key not in entities)


def parse_name(name: str) -> BidsName | None:
    """Take a file name apart.

    Parameters
    ----------
    name : str
        Name without folder.

    Returns
    -------
    BidsName or None
        None where the name does not follow BIDS.
    """
    stem, dot, extension = name.partition(".")
    *pairs, suffix = stem.split("_")
    matches = [_PAIR.fullmatch(pair) for pair in pairs]
    if not suffix.isalnum() or not all(matches):
        return None
    entities = {match[1]: match[2] for match in matches if match}
    return BidsName(entities, suffix, dot + extension) if len(entities) == len(pairs) else None


def format_name(entities: Mapping[str, str], suffix: str, extension: str) -> str:
    """Put a file name together, entities in the order of BIDS.

    Parameters
    ----------
    entities : mapping
        Label of each entity, e.g. ``{"sub": "01", "task": "rest"}``.
    suffix : str
        What kind of data it is, e.g. bold.
    extension : str
        With its dot, e.g. ``.nii.gz``.

    Returns
    -------
    str
        E.g. ``sub-01_task-rest_bold.nii.gz``.

    Raises
    ------
    DataError
        If an entity is unknown or a label would break the name.
    """
    for key, label in entities.items():
        if key not in ENTITIES:
            raise DataError(f"there is no BIDS entity {key!r}: {suggest(key, ENTITIES)}")
        if not _PAIR.fullmatch(f"{key}-{label}") or "." in label:
            raise DataError(f"the label {label!r} of {key} may hold neither blanks, dots, slashes nor underscores")
    pairs = [f"{key}-{entities[key]}" for key in ENTITIES if key in entities]
    return "_".join([*pairs, suffix]) + extension


def wanted(**filters: Any) -> dict[str, tuple[str, ...]]:
    """Turn the keywords of a question into accepted labels per entity, leaving out those that are None.

    Parameters
    ----------
    **filters
        ``subject``, ``task``, ... or the short names of BIDS, ``datatype``, ``suffix``, ``extension``: a label, with or without
        its prefix (``"sub-01"`` or ``"01"``), or a list of them.

    Returns
    -------
    dict
        Accepted labels by short name.

    Raises
    ------
    DataError
        If a keyword is no entity.
    """
    known = {*ENTITIES, *_LONG, "datatype", "suffix", "extension"}
    for name in filters:
        if name not in known:
            raise DataError(f"there is no BIDS entity {name!r} to search for: {suggest(name, sorted(known))}")
    named = {_LONG.get(name, name): value for name, value in filters.items() if value is not None}
    return {key: tuple(_label(key, value) for value in _several(values)) for key, values in named.items()}


def _several(values: Any) -> Sequence[Any]:
    return [values] if isinstance(values, (str, int)) else list(values)


def _label(key: str, value: Any) -> str:
    text = str(value)
    if key == "extension":
        return "." + text.removeprefix(".")
    return text.removeprefix(f"{key}-")


def value_of(file: BidsFile, key: str) -> str | None:
    """What a file has for an entity, ``datatype``, ``suffix`` or ``extension``."""
    if key in ("datatype", "suffix", "extension"):
        return str(getattr(file, key))
    return file.entities.get(key, "native" if key == "space" else None)


def same_label(key: str, one: str | None, other: str | None) -> bool:
    """Whether two labels are equal; run 1 is run 01."""
    if one is None or other is None:
        return one is other
    if key in _NUMBERED and one.isdecimal() and other.isdecimal():
        return int(one) == int(other)
    return one == other


def select(files: Iterable[BidsFile], question: Mapping[str, tuple[str, ...]]) -> list[BidsFile]:
    """Files that have an accepted label for every entity of the question."""
    return [
        file
        for file in files
        if all(any(same_label(key, value_of(file, key), label) for label in labels) for key, labels in question.items())
    ]


def explain_nothing(files: Sequence[BidsFile], question: Mapping[str, tuple[str, ...]]) -> str:
    """Say at which entity a question runs out of files, and which labels there are instead."""
    left = list(files)
    for key, labels in question.items():
        fewer = select(left, {key: labels})
        if not fewer:
            there = sorted({value for file in left if (value := value_of(file, key)) is not None}, key=natural)
            name = _SHORT.get(key, key)
            asked = " or ".join(f"{name}={label!r}" for label in labels)
            if not there:
                return f"no file has {asked}: none of the {len(left)} files that match so far has {name}"
            close = difflib.get_close_matches(labels[0], there, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            return f"no file has {asked}; there {'is' if len(there) == 1 else 'are'} {', '.join(there)}{hint}"
        left = fewer
    return f"{len(left)} files match"


def asked(question: Mapping[str, Sequence[str]]) -> str:
    """A question in words, e.g. ``subject=01 task=rest``."""
    return " ".join(f"{_SHORT.get(key, key)}={'|'.join(labels)}" for key, labels in question.items()) or "this data set"


def natural(text: str) -> list[tuple[int, str]]:
    """Key that sorts run-2 before run-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", text)]
