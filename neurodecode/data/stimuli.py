"""What was shown, heard or read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from neurodecode.data.validate import as_number, as_table, assign, check_length, check_option, check_unique, suggest
from neurodecode.errors import DataError

Kind = Literal["image", "audio", "text", "video"]
KINDS: tuple[Kind, ...] = ("image", "audio", "text", "video")
_WHAT = {
    "image": "uint8 array of shape (H, W, 3)",
    "audio": "pair of a float32 array of shape (n_samples,) or (n_samples, n_channels) and its rate in Hz",
    "text": "str",
    "video": "uint8 array of shape (T, H, W, 3)",
}


@dataclass(frozen=True, eq=False, repr=False)
class Stimuli:
    """Stimuli under their ids, as they occur in the ``stimulus`` column of events and samples.

    Parameters
    ----------
    ids : sequence of str
        Unique names.
    items : sequence
        One item per id; indexed only when used, so a sequence that reads from disk stays lazy. Images are uint8
        (H, W, 3), audio a pair (float32 samples, rate in Hz), text a str, video uint8 (T, H, W, 3).
    kind : {"image", "audio", "text", "video"}
        What the items are.
    table : DataFrame, optional
        One row per id: category, caption, licence and so on.

    Raises
    ------
    DataError
        If ids are not unique or members differ in length; on access, if an item is not of the stated kind.
    """

    ids: Sequence[str]
    items: Sequence[Any]
    kind: Kind
    table: pd.DataFrame = None  # type: ignore[assignment]  # None stands for "nothing more is known"

    def __post_init__(self) -> None:
        assign(self, ids=[str(i) for i in self.ids], kind=check_option("kind of Stimuli", self.kind, KINDS))
        check_unique(pd.Series(self.ids, dtype=object), "ids of Stimuli")
        check_length("items", len(self.items), len(self.ids), "id")
        assign(self, table=as_table({"id": self.ids} if self.table is None else self.table, "table"))
        check_length("table", len(self.table), len(self.ids), "id")

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int | str) -> Any:
        """The item at a position or under an id, checked to be of the stated kind."""
        position = self._position(index) if isinstance(index, str) else index
        item = self.items[position]
        _check_item(item, self.kind, self.ids[position])
        return item

    @cached_property
    def _positions(self) -> dict[str, int]:
        """Position by id: data sets have up to a hundred thousand stimuli."""
        return {stimulus: i for i, stimulus in enumerate(self.ids)}

    def _position(self, stimulus: str) -> int:
        """The position of an id."""
        if stimulus not in self._positions:
            raise DataError(f"there is no stimulus {stimulus!r}: {suggest(stimulus, self.ids)}")
        return self._positions[stimulus]

    def select(self, ids: Sequence[str]) -> Stimuli:
        """Keep some stimuli; items stay unread.

        Parameters
        ----------
        ids : sequence of str
            Ids to keep, in this order.

        Returns
        -------
        Stimuli
            As many stimuli as ids.

        Raises
        ------
        DataError
            If an id is unknown or named twice.
        """
        rows = [self._position(str(i)) for i in ids]
        chosen = [self.ids[r] for r in rows]
        return replace(self, ids=chosen, items=_Picked([(self.items, row) for row in rows]), table=self.table.iloc[rows])

    def digest(self, index: int | str) -> str:
        """Hash the content of an item: equal for the same picture under two names.

        Parameters
        ----------
        index : int or str
            Position or id.

        Returns
        -------
        str
            The sha256 in hexadecimal digits.
        """
        item = self[index]
        parts = item if isinstance(item, tuple) else (item,)
        return hashlib.sha256(b"\0".join(_as_bytes(part) for part in parts)).hexdigest()

    def __repr__(self) -> str:
        return f"<Stimuli\n  {len(self)} items of kind {self.kind}\n  columns: {', '.join(map(str, self.table.columns))}>"


def joined_stimuli(parts: Sequence[Stimuli]) -> Stimuli:
    """Put stimuli of one kind behind each other; items stay unread.

    Parameters
    ----------
    parts : sequence of Stimuli
        At least one. A stimulus that several hold is taken from the first.

    Returns
    -------
    Stimuli
        In the order given, each id once.

    Raises
    ------
    DataError
        If there is none, or kinds differ.
    """
    kinds = sorted({part.kind for part in parts})
    if len(kinds) != 1:
        raise DataError(f"stimuli to join must be of one kind, got {kinds or 'none at all'}")
    names = [name for part in parts for name in part.ids]
    first = np.flatnonzero(~pd.Index(names).duplicated())
    rows = [(part.items, row) for part in parts for row in range(len(part))]
    table = pd.concat([part.table for part in parts], ignore_index=True).iloc[first].reset_index(drop=True)
    return Stimuli([names[i] for i in first], _Picked([rows[i] for i in first]), parts[0].kind, table)


class _Picked(Sequence[Any]):
    """Some items of one or several sequences, read only when indexed."""

    def __init__(self, rows: Sequence[tuple[Sequence[Any], int]]) -> None:
        self._rows = list(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        items, row = self._rows[index]
        return items[row]


def _as_bytes(part: Any) -> bytes:
    """What a hash sees of a text, a number or an array."""
    if isinstance(part, str):
        return part.encode()
    array = np.ascontiguousarray(part)
    return f"{array.dtype.str}{array.shape}".encode() + array.tobytes()


def _check_item(item: Any, kind: str, name: str) -> None:
    """Refuse an item that is not of the stated kind."""
    fits = {
        "image": lambda: _is_pixels(item, 3),
        "video": lambda: _is_pixels(item, 4),
        "text": lambda: isinstance(item, str),
        "audio": lambda: _is_sound(item),
    }
    if not fits[kind]():
        got = f"{item.dtype} array of shape {item.shape}" if isinstance(item, np.ndarray) else type(item).__name__
        raise DataError(f"stimulus {name!r} must be a {_WHAT[kind]} (kind {kind!r}), got {got}")


def _is_sound(item: Any) -> bool:
    """Whether an item is float32 samples, of one or more channels, and a rate."""
    if not isinstance(item, tuple) or len(item) != 2:
        return False
    samples, rate = item
    return isinstance(samples, np.ndarray) and samples.dtype == np.float32 and samples.ndim in (1, 2) and as_number(rate) > 0


def _is_pixels(item: Any, ndim: int) -> bool:
    """Whether an item is colour pixels of so many dimensions."""
    return isinstance(item, np.ndarray) and item.dtype == np.uint8 and item.ndim == ndim and item.shape[-1] == 3
