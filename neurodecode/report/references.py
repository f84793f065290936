"""The works that a report cites: BibTeX entries, short citations and a list of references."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from neurodecode.data.validate import suggest
from neurodecode.errors import DataError

_FIELD = re.compile(r"^  (\w+) = \{(.*)\},$", re.MULTILINE)
_CITATION = re.compile(r"\[(@[a-z0-9]+(?:; @[a-z0-9]+)*)\]")


class Work(NamedTuple):
    """A published work.

    Parameters
    ----------
    key : str
        Key in the library.
    bibtex : str
        The entry as it stands in the library.
    fields : dict of str to str
        Its fields.
    """

    key: str
    bibtex: str
    fields: dict[str, str]

    @property
    def short(self) -> str:
        """Authors and year as cited in a text, e.g. Ledoit and Wolf, 2004."""
        names = [_family(author) for author in self.fields["author"].split(" and ")]
        who = names[0] if len(names) == 1 else f"{names[0]} and {names[1]}" if len(names) == 2 else f"{names[0]} et al."
        return f"{who}, {self.fields['year']}" if "year" in self.fields else who

    @property
    def full(self) -> str:
        """The whole reference as plain text, without the link."""
        f = {name: _plain(value) for name, value in self.fields.items()}
        authors = [_initials(author) for author in self.fields["author"].split(" and ")]
        who = ", ".join(authors[:6]) + (", et al." if len(authors) > 6 else "")
        where = f.get("journal", f.get("publisher", ""))
        volume = f.get("volume", "") + (f"({f['number']})" if "number" in f else "")
        place = ", ".join(part for part in (where, volume, f.get("pages", "").replace("--", "–")) if part)
        return f"{who}{' (' + f['year'] + ')' if 'year' in f else ''}. {f['title']}. {place}."

    @property
    def doi(self) -> str | None:
        """Digital object identifier, if it has one."""
        return self.fields.get("doi")


def work(key: str) -> Work:
    """A work of the library by its key.

    Parameters
    ----------
    key : str
        E.g. ``haufe2014``.

    Returns
    -------
    Work
        The work.

    Raises
    ------
    DataError
        If the library has no such key.
    """
    library = _library()
    if key not in library:
        raise DataError(f"the library has no work {key!r}: {suggest(key, library)}")
    return library[key]


def cited(texts: Iterable[str]) -> list[Work]:
    """Works cited as ``[@key]`` in texts, sorted by key, each once."""
    keys = {key for text in texts for group in _CITATION.findall(text) for key in group.replace("@", "").split("; ")}
    return [work(key) for key in sorted(keys)]


def with_names(text: str) -> str:
    """The text with ``[@key]`` replaced by (authors, year)."""
    return _CITATION.sub(lambda m: "(" + "; ".join(work(k).short for k in m[1].replace("@", "").split("; ")) + ")", text)


def bibtex(works: Iterable[Work]) -> str:
    """A ``.bib`` file of these works."""
    return "\n".join(w.bibtex for w in works)


@lru_cache(maxsize=1)
def _library() -> dict[str, Work]:
    text = (files("neurodecode.report") / "library.bib").read_text(encoding="utf-8")
    works = {}
    for entry in re.split(r"(?m)^(?=@)", text):
        head = re.match(r"@\w+\{(\w+),", entry)
        if head:
            works[head[1]] = Work(head[1], entry.strip() + "\n", dict(_FIELD.findall(entry)))
    return works


def _family(author: str) -> str:
    return _plain(author.split(",")[0])


def _initials(author: str) -> str:
    family, _, given = author.partition(", ")
    return f"{_plain(family)} {''.join(part[0] for part in re.split(r'[ -]', given) if part)}".strip()


def _plain(text: str) -> str:
    """BibTeX text without braces and backslashes."""
    return text.replace("\\&", "&").strip("{}")
