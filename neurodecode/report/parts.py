"""The parts that a page is made of."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Picture(NamedTuple):
    """A figure with its words; without a figure it is a statement of why there is none.

    Parameters
    ----------
    name : str
        Part of the file name.
    figure : Figure or None
        What is drawn.
    alt : str
        What a reader who cannot see it needs to know.
    caption : str
        How to read it.
    vector : bool
        Whether the page shows the SVG; maps with thousands of elements are shown as PNG.
    """

    name: str
    figure: Figure | None
    alt: str
    caption: str
    vector: bool = True


class Table(NamedTuple):
    """A table with its title."""

    title: str
    frame: pd.DataFrame


class Tile(NamedTuple):
    """One number with its name and a remark."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Section:
    """What the page says about one result.

    Parameters
    ----------
    title : str
        Name of the result.
    sentences : list of str
        The result in words.
    verdict : tuple of (str, str) or None
        A few words and a class of colour: ``good``, ``none`` or ``open``.
    tiles : list of Tile
        The numbers of the headline.
    pictures : list of Picture
        The first one is the main figure.
    tables : list of Table
        Tables.
    notes : list of str
        What the reader must know.
    """

    title: str
    sentences: list[str] = field(default_factory=list)
    verdict: tuple[str, str] | None = None
    tiles: list[Tile] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def members(self) -> dict[str, Any]:
        """The members by name, not copied."""
        return {f.name: getattr(self, f.name) for f in fields(self)}
