"""Embeddings on disk: computed once by one process, row by row, and opened as memory maps ever after."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap, write_array_header_1_0
from numpy.typing import NDArray

from neurodecode.data import Responses, Stimuli, load
from neurodecode.data.cache import cached
from neurodecode.data.hashing import jsonable, sha256_json
from neurodecode.data.recording import meta_with_step
from neurodecode.data.store import MARKER, check_members, read_marker, seal_responses
from neurodecode.data.tsv import read_table
from neurodecode.data.validate import check_option
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.features.units import Block, join_sites, unit_table

log = logging.getLogger(__name__)

_SERIES = ("embed_audio", "embed_video", "mel_spectrogram")  # rows that last until the next; `to_tr` averages over them
_VERSION = 1  # raised whenever the same recipe would give other numbers
_LARGEST_HALF = 65504.0
STORED_AS = ("float32", "float16")


def stimulus_hash(stimuli: Stimuli) -> str:
    """Hash ids and contents of stimuli; every item is read.

    Parameters
    ----------
    stimuli : Stimuli
        Of any kind.

    Returns
    -------
    str
        The sha256 in hexadecimal digits.
    """
    return sha256_json([stimuli.kind, *([name, stimuli.digest(i)] for i, name in enumerate(stimuli.ids))])


def embedded(
    function: str,
    settings: dict[str, Any],
    content: Callable[[], str],
    blocks: Callable[[], Iterable[Block]],
    *,
    model: dict[str, Any] | None = None,
    cache: str | Path | None = None,
    stored_as: str = "float32",
) -> Responses:
    """Compute responses block by block, or open them where they were computed before.

    Parameters
    ----------
    function : str
        Name of the function that embeds.
    settings : dict
        JSON values by name: everything besides model and stimuli on which the numbers depend.
    content : callable
        Gives the hash of the stimuli; called only if there is a cache.
    blocks : callable
        Gives the rows in their order; called only if they have to be computed.
    model : dict, optional
        Identity of the model.
    cache : str or Path, optional
        Folder with one subfolder per embedding, named by the sha256 of model, settings, stimuli and version of the code. None
        keeps everything in memory.
    stored_as : {"float32", "float16"}
        Type on disk. Half precision takes half the space at a relative error of up to 5e-4.

    Returns
    -------
    Responses
        Data are a memory map where there is a cache.

    Raises
    ------
    DataError
        If there are no rows, or a value does not fit into float16.
    """
    check_option("stored_as", stored_as, STORED_AS)
    recipe = jsonable({"function": function, "version": _VERSION, "model": model, "settings": settings})
    step = {"model": model and {"id": model["id"], "revision": model["revision"]}, **settings}
    known = {"modality": "model", "held": function in _SERIES}
    meta: dict[str, Any] = jsonable(meta_with_step(known, f"features.{function}", step))
    if cache is None:
        return _in_memory(blocks(), meta)
    key = sha256_json({**recipe, "stimuli": content(), "stored_as": stored_as})
    return _on_disk(Path(cache) / f"{function}-{key[:32]}", blocks, {**meta, "recipe": recipe, "stored_as": stored_as})


def _in_memory(blocks: Iterable[Block], meta: dict[str, Any]) -> Responses:
    rows, tables, units = [], [], None
    for block in blocks:
        units = unit_table(block.values) if units is None else units
        rows.append(join_sites(block.values))
        tables.append(block.samples)
    if units is None:
        raise DataError(f"there is nothing to embed: no stimulus gave a row ({len(rows)} blocks)")
    return Responses(np.concatenate(rows), pd.concat(tables, ignore_index=True), units, meta=meta)


def _on_disk(folder: Path, blocks: Callable[[], Iterable[Block]], meta: dict[str, Any]) -> Responses:
    """Compute the folder unless it is there and whole, and open it."""
    reason = cached(folder, _why, lambda partial: _write(partial, blocks(), meta), MARKER)
    if reason is not None:
        log.info("%s: computed, because %s", folder, reason)
    return _open(folder)


def _why(folder: Path) -> str | None:
    """Why an embedding has to be computed, or None."""
    if not folder.exists():
        return "it was not there"
    try:
        check_members(folder, read_marker(folder))
    except CorruptFileError as error:
        log.warning("%s: this embedding is damaged and is computed again (%s)", folder, error.what)
        return error.what
    except FormatError as error:
        return error.what
    return None


def _open(folder: Path) -> Responses:
    """Open an embedding that was checked; half precision is widened when it is read."""
    header = read_marker(folder)
    if header["meta"]["stored_as"] == "float32":
        responses: Responses = load(folder, verify=False)
        return responses
    samples, units = (read_table(folder / f"{name}.tsv", header["tables"][name]) for name in ("samples", "units"))
    return Responses(HalfArray(open_memmap(folder / "data.npy", mode="r")), samples, units, meta=header["meta"])


def _write(partial: Path, blocks: Iterable[Block], meta: dict[str, Any]) -> None:
    """Write rows as they come, then tables and the marker."""
    tables, units = [], None
    with open(partial / "data.npy", "wb") as file:
        n_rows, dtype = 0, np.dtype(meta["stored_as"])
        for block in blocks:
            if units is None:
                units = unit_table(block.values)
                _write_header(file, (0, len(units)), dtype)
            rows = _narrowed(join_sites(block.values), dtype, partial.name)
            file.write(np.ascontiguousarray(rows).tobytes())
            tables.append(block.samples)
            n_rows += len(rows)
        if units is None:
            raise DataError(f"there is nothing to embed: no stimulus gave a row ({n_rows} rows)")
        file.seek(0)
        _write_header(file, (n_rows, len(units)), dtype)
    seal_responses(partial, pd.concat(tables, ignore_index=True), units, meta)


def _write_header(file: BinaryIO, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
    """Write the header of an array; numpy leaves room in it for the number of rows to grow."""
    write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": shape})


def _narrowed(rows: NDArray[np.float32], dtype: np.dtype[Any], where: str) -> NDArray[Any]:
    """Rows in the type of the disk."""
    if dtype == np.float16 and float(np.nanmax(np.abs(rows), initial=0.0)) > _LARGEST_HALF:
        largest = float(np.nanmax(np.abs(rows)))
        raise DataError(f"{where}: a value of {largest:g} does not fit into float16 (at most 65504): use stored_as='float32'")
    return rows.astype(dtype, copy=False)


class HalfArray:
    """A float16 memory map that gives float32 when it is indexed.

    Parameters
    ----------
    stored : array of shape (n_samples, n_units)
        Float16 numbers.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, stored: NDArray[np.float16]) -> None:
        self._stored = stored
        self.shape = stored.shape

    @property
    def nbytes(self) -> int:
        """Bytes it would take in memory as float32."""
        return 4 * int(np.prod(self.shape))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self._stored, dtype=dtype or self.dtype)

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        return np.asarray(self._stored[index], np.float32)
