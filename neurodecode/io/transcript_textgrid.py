"""Praat TextGrids: a list of texts, numbers and flags, whatever stands between them.

In Praat's text format only free-standing values count, and the long form differs from the short one by words that do not. So one
reader of values reads both. Each list states its length, which shows where a file was broken off.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neurodecode.data.validate import suggest
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.guard import AGAIN, reading

_VALUE = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?!\S)|(?<!\S)<([^<>\s]*)>(?!\S)|(")')
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Tier(NamedTuple):
    """One tier of a TextGrid."""

    name: str
    """Its name."""
    kind: str
    """IntervalTier or TextTier (points)."""
    entries: list[tuple[float, float, str]]
    """Begin and end in s, and label; of points both are the same."""


def read_textgrid(file: Path, tier: str | None, phones: str | bool) -> pd.DataFrame:
    """Labels of the tier of words with their times.

    Parameters
    ----------
    file : Path
        A TextGrid.
    tier : str or None
        Name of the tier; None for those named words.
    phones : str or bool
        Name of the tier of phones, or whether there is one.

    Returns
    -------
    DataFrame
        ``onset, offset, word``, and ``speaker`` and ``phones`` where there are such tiers.

    Raises
    ------
    FormatError
        If it is binary, not UTF-8 or UTF-16, or has no such tier.
    CorruptFileError
        If it is damaged.
    """
    tiers = textgrid_tiers(file)
    chosen = _tiers_of(file, tiers, tier, "words")
    parts = [_table(t, _speaker(t.name) if len(chosen) > 1 else None) for t in chosen]
    if phones:
        spoken = _tiers_of(file, tiers, phones if isinstance(phones, str) else None, "phones")
        for part, own in zip(parts, spoken if len(spoken) == len(parts) else [spoken[0]] * len(parts), strict=True):
            part["phones"] = _labels_inside(part, own)
    return pd.concat(parts, ignore_index=True)


def textgrid_tiers(file: Path) -> list[Tier]:
    """Read all tiers of a TextGrid.

    Parameters
    ----------
    file : Path
        Long or short text form.

    Returns
    -------
    list of Tier
        In the order of the file.

    Raises
    ------
    FormatError
        If it is binary or in another encoding.
    CorruptFileError
        If a value is missing, of the wrong kind, or left over.
    """
    values = _Values(file, _decoded(file))
    if not values.text("the type of the file").startswith("ooTextFile") or values.text("the type of the object") != "TextGrid":
        raise FormatError(file, f"it is no TextGrid, its first values are {values.first(2)}", "Export it as TextGrid")
    values.number("its begin"), values.number("its end")
    exists = values.flag("whether it has tiers")
    tiers = [_tier(file, values, i + 1) for i in range(values.count("its number of tiers") if exists == "exists" else 0)]
    values.end()
    return tiers


def _tier(file: Path, values: _Values, number: int) -> Tier:
    kind, name = values.text(f"the kind of tier {number}"), values.text(f"the name of tier {number}")
    what = f"tier {number} ({name!r:.40})"
    if kind not in ("IntervalTier", "TextTier"):
        raise CorruptFileError(file, f"{what} must be an IntervalTier or a TextTier, it is {kind!r:.40}", AGAIN)
    values.number(f"the begin of {what}"), values.number(f"the end of {what}")
    entries = []
    for i in range(values.count(f"the number of entries of {what}")):
        place = f"entry {i + 1} of {what}"
        begin = values.number(f"the time of {place}")
        end = values.number(f"the end of {place}") if kind == "IntervalTier" else begin
        entries.append((begin, end, values.text(f"the label of {place}")))
    return Tier(name, kind, entries)


class _Values:
    """The free-standing values of a text, taken one after the other."""

    def __init__(self, file: Path, text: str) -> None:
        self._file, self._found = file, list(_VALUE.finditer(text))
        self._place = 0

    def _next(self, group: int, kind: str, what: str) -> str:
        if self._place >= len(self._found):
            raise CorruptFileError(self._file, f"it breaks off before {what}", AGAIN)
        match = self._found[self._place]
        self._place += 1
        if match[group] is None:
            raise CorruptFileError(self._file, f"{what} must be a {kind}, found {match[0]!r:.40}", AGAIN)
        return match[group]

    def text(self, what: str) -> str:
        return self._next(1, "text in quotes", what).replace('""', '"')

    def number(self, what: str) -> float:
        return float(self._next(2, "number", what))

    def flag(self, what: str) -> str:
        return self._next(3, "flag such as <exists>", what)

    def count(self, what: str) -> int:
        """A number of things, each of which takes at least one more value."""
        number, left = self.number(what), len(self._found) - self._place
        if not 0 <= number <= left or number != int(number):
            raise CorruptFileError(self._file, f"{what} is {number:g}, and {left} values follow: it was cut or altered", AGAIN)
        return int(number)

    def first(self, n: int) -> list[str]:
        return [match[0][:40] for match in self._found[:n]]

    def end(self) -> None:
        if self._place < len(self._found):
            rest = self._found[self._place][0]
            raise CorruptFileError(self._file, f"values are left over behind its last tier, the first is {rest!r:.40}", AGAIN)


def _decoded(file: Path) -> str:
    """Text of a file in UTF-8 or UTF-16."""
    with reading(file):
        content = file.read_bytes()
    if content.startswith(b"ooBinaryFile"):
        raise FormatError(file, f"it is a binary TextGrid of {len(content)} bytes", "Save it as text file in Praat")
    try:
        return content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        remedy = "Save it with the encoding UTF-8 in Praat, or copy it again"
        raise CorruptFileError(file, f"it is neither UTF-8 nor UTF-16 ({error.reason} at byte {error.start})", remedy) from error


def _tiers_of(file: Path, tiers: list[Tier], name: str | None, usual: str) -> list[Tier]:
    """The tier of a name; or those of the usual name, or the only one with intervals."""
    names = [t.name for t in tiers]
    if name is not None:
        found = [t for t in tiers if t.name == name]
    else:
        found = [t for t in tiers if re.search(rf"\b{usual[:-1]}s?$", t.name.strip().lower())]
        intervals = [t for t in tiers if t.kind == "IntervalTier"]
        found = found or (intervals if len(intervals) == 1 and usual == "words" else [])
    if not found or (name is not None and len(found) > 1):
        wanted = name or usual
        what = f"it has {len(found)} tiers {wanted!r}" if found else f"it has no tier {wanted!r}, {suggest(wanted, names)}"
        raise FormatError(file, what, "Name the tier" if not found else "Rename one of them in Praat")
    return found


def _speaker(name: str) -> str:
    """The part of a tier's name before ``words``."""
    return re.sub(r"[\s\-_/:]*\bwords?$", "", name.strip(), flags=re.IGNORECASE) or name


def _table(tier: Tier, speaker: str | None) -> pd.DataFrame:
    table = pd.DataFrame(tier.entries, columns=["onset", "offset", "word"])
    return table if speaker is None else table.assign(speaker=speaker)


def _labels_inside(words: pd.DataFrame, tier: Tier) -> list[str]:
    """Labels of the entries whose middle lies in each word, with spaces between."""
    middle = np.array([(begin + end) / 2 for begin, end, _ in tier.entries])
    labels = [label for _, _, label in tier.entries]
    order = np.argsort(middle, kind="stable")
    bounds: Iterator[Any] = zip(*(np.searchsorted(middle[order], words[c]) for c in ("onset", "offset")), strict=True)
    return [" ".join(filter(None, (labels[i].strip() for i in order[first:stop]))) for first, stop in bounds]
