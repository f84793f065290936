"""Room that HDF5 data sets take in their file against what their shape and type ask for."""

from __future__ import annotations

from typing import Any

from neurodecode.errors import CorruptFileError
from neurodecode.io.guard import AGAIN


def check_stored(file: Any) -> None:
    """Check every data set of numbers or fixed texts that is stored in one piece, and the types of its attributes.

    Parameters
    ----------
    file : h5py.File
        An open file.

    Raises
    ------
    CorruptFileError
        If the room of a data set is not the product of its shape and the width of its type, or the number in an attribute is
        wider than its type. Data sets in chunks have no such number; HDF5 fills what is missing of them.
    """

    def compare(name: str, item: Any) -> None:
        for key in getattr(item, "attrs", ()) if hasattr(item, "chunks") else ():
            _check_number(file.filename, f"{name}.{key}", item.attrs.get_id(key).get_type())
        if not _is_in_one_piece(item):
            return
        stored, asked = item.id.get_storage_size(), item.size * item.id.get_type().get_size()
        if stored not in (0, asked):
            what = f"{name} takes {stored} bytes, its shape {item.shape} and type {item.dtype} ask for {asked}"
            raise CorruptFileError(file.filename, what, AGAIN)

    file.visititems(compare)


def _check_number(path: str, name: str, type_: Any) -> None:
    """The bits of a number fit into its bytes."""
    if not hasattr(type_, "get_precision"):
        return
    bits, n_bytes = type_.get_offset() + type_.get_precision(), type_.get_size()
    if bits > 8 * n_bytes:
        raise CorruptFileError(path, f"{name} is a number of {bits} bits in {n_bytes} bytes", AGAIN)


def _is_in_one_piece(item: Any) -> bool:
    """Whether an item is a data set whose values lie one after the other in this file."""
    if not hasattr(item, "chunks") or item.shape is None or item.dtype.kind not in "biufcS":
        return False
    return item.chunks is None and not item.is_virtual and item.external is None
