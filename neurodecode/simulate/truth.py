"""What every generator shares: one seed per item, and a container for what was put into the data."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.atomic import atomic_folder, write_text
from neurodecode.data.hashing import jsonable, sha256_file
from neurodecode.data.tsv import read_table, write_table
from neurodecode.data.validate import suggest
from neurodecode.errors import CorruptFileError, DataError, FormatError

TRUTH = "truth.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def item_generator(random_state: int, item: str) -> np.random.Generator:
    """Random numbers of one item of a simulation, the same in whatever order and by whichever worker it is made.

    Parameters
    ----------
    random_state : int
        Seed of the whole simulation, 0 or above.
    item : str
        Name of the item, e.g. ``"sub-01 run-2 noise"``.

    Returns
    -------
    numpy.random.Generator
        Independent of that of any other item.

    Raises
    ------
    DataError
        If the seed is not such a number.
    """
    if isinstance(random_state, bool) or not isinstance(random_state, (int, np.integer)) or random_state < 0:
        raise DataError(f"random_state must be a whole number from 0 up, got {random_state!r}: the truth is kept with its seed")
    key = int.from_bytes(hashlib.sha256(item.encode()).digest()[:8], "big")
    return np.random.default_rng(np.random.SeedSequence(int(random_state), spawn_key=(key,)))


@dataclass(frozen=True, eq=False, repr=False)
class Truth:
    """What a generator put into its data.

    Parameters
    ----------
    generator : str
        Name of the generator.
    random_state : int
        Its seed.
    parameters : mapping
        Its other arguments, as JSON values.
    arrays : mapping of str to array
        Named arrays, which become read only; of any shape.
    tables : mapping of str to DataFrame
        Named tables.

    Raises
    ------
    DataError
        If a name is used twice or cannot be the name of a file, or an array does not hold numbers.
    """

    generator: str
    random_state: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        twice = sorted(set(self.arrays) & set(self.tables))
        odd = [name for name in (*self.arrays, *self.tables) if not _NAME.fullmatch(name)]
        if twice or odd:
            raise DataError(f"names of a truth must be unique words of letters, digits, - and _, got {twice or odd}")
        object.__setattr__(self, "arrays", {name: _frozen(name, values) for name, values in self.arrays.items()})
        object.__setattr__(self, "tables", {name: table.copy() for name, table in self.tables.items()})
        object.__setattr__(self, "parameters", jsonable(self.parameters))

    def __getitem__(self, name: str) -> Any:
        """The array or the table of a name."""
        if name in self.arrays:
            return self.arrays[name]
        if name not in self.tables:
            raise DataError(f"the truth of {self.generator} holds no {name!r}: {suggest(name, [*self.arrays, *self.tables])}")
        return self.tables[name]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain Python values.

        Returns
        -------
        dict
            Arrays as nested lists, tables as lists of rows; missing numbers are None.
        """
        head = {"generator": self.generator, "random_state": self.random_state, "parameters": dict(self.parameters)}
        rows = {name: table.to_dict("records") for name, table in self.tables.items()}
        return {**head, "arrays": jsonable(dict(self.arrays)), "tables": jsonable(rows)}

    def save(self, folder: str | Path) -> None:
        """Write one ``.npy`` per array, one ``.tsv`` per table and ``truth.json``.

        Parameters
        ----------
        folder : str or Path
            Appears whole or not at all; an older truth of that name is replaced.

        Raises
        ------
        OutputExistsError
            If `folder` exists and holds something else.
        DiskSpaceError
            If it cannot be written.
        """
        with atomic_folder(folder, marker=TRUTH) as partial:
            for name, values in self.arrays.items():
                np.save(partial / f"{name}.npy", values, allow_pickle=False)
            tables = {name: write_table(partial / f"{name}.tsv", table) for name, table in self.tables.items()}
            head = {"generator": self.generator, "random_state": int(self.random_state), "parameters": self.parameters}
            hashes = {path.name: sha256_file(path) for path in sorted(partial.iterdir())}
            members = {"arrays": list(self.arrays), "tables": tables, "sha256": hashes}
            write_text(partial / TRUTH, json.dumps({**head, **members}, indent=2) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> Truth:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : str or Path
            Folder with ``truth.json``.

        Returns
        -------
        Truth
            With the same values.

        Raises
        ------
        FormatError
            If the folder holds no truth.
        CorruptFileError
            If a file is missing or damaged.
        """
        home = Path(folder)
        if not (home / TRUTH).is_file():
            raise FormatError(home, f"there is no {TRUTH} in it", "Give the folder that Truth.save wrote")
        try:
            head = json.loads((home / TRUTH).read_text(encoding="utf-8"))
            changed = [name for name, digest in head["sha256"].items() if sha256_file(home / name) != digest]
            arrays = {name: np.load(home / f"{_plain(name)}.npy", allow_pickle=False) for name in head["arrays"]}
            tables = {name: read_table(home / f"{_plain(name)}.tsv", types) for name, types in head["tables"].items()}
            truth = cls(head["generator"], head["random_state"], head["parameters"], arrays, tables)
        except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError) as error:
            raise CorruptFileError(home, f"the truth is incomplete or damaged ({error})", "Simulate it again") from error
        if changed:
            raise CorruptFileError(home / changed[0], "it differs from what was written (sha256)", "Simulate it again")
        return truth

    def __repr__(self) -> str:
        arrays = [f"  {name}: {values.dtype} {values.shape}" for name, values in self.arrays.items()]
        tables = [f"  {name}: table of {len(table)} rows ({', '.join(map(str, table))})" for name, table in self.tables.items()]
        return "\n".join([f"<Truth of {self.generator}, random_state {self.random_state}", *arrays, *tables]) + ">"


def _frozen(name: str, values: Any) -> NDArray[Any]:
    """A read-only copy of an array of numbers."""
    array = np.array(values)
    if array.dtype.kind not in "biufc":
        raise DataError(f"array {name!r} of a truth must hold numbers, got {array.dtype}: texts belong into a table")
    array.flags.writeable = False
    return array


def _plain(name: str) -> str:
    """A member's name from a file, refused where it could lead out of the folder."""
    if not _NAME.fullmatch(name):
        raise DataError(f"{name!r} is no name of a member")
    return name
