"""A signal that stays in its file until it is indexed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Index = Any  # what numpy accepts for one axis: an int, a slice, indices or a mask


class LazySignal:
    """A (n_channels, n_times) float32 signal that is read when it is indexed.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` returns the samples start to stop - 1 of all channels, shape (n_channels, stop - start).
    shape : tuple of int
        (n_channels, n_times).
    rows : array_like of int, optional
        Channels to keep of what `read` returns, by default all; `shape` counts the kept ones.

    Notes
    -----
    Behaves like a read-only array where it matters: ``shape``, ``dtype``, ``ndim``, ``nbytes``, ``numpy.asarray`` (which
    reads everything) and two-dimensional indexing, which reads only the stretch of time asked for and takes rows and
    times one after the other.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(
        self, read: Callable[[int, int], NDArray[Any]], shape: tuple[int, int], rows: NDArray[np.intp] | None = None
    ) -> None:
        self._read, self._rows = read, rows
        self.shape = (int(shape[0]), int(shape[1]))  # plain int: numpy writes the shape into the header of a file

    @property
    def nbytes(self) -> int:
        """Bytes it would take in memory."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"LazySignal({self.shape[0]} x {self.shape[1]}, not read yet)"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:, :], dtype=dtype or self.dtype)

    def __getitem__(self, index: Index) -> NDArray[np.float32]:
        rows, times = index if isinstance(index, tuple) else (index, slice(None))
        picked = np.arange(self.shape[1])[times]
        flat = np.atleast_1d(picked)
        start, stop = (int(flat.min()), int(flat.max()) + 1) if flat.size else (0, 0)
        block = np.asarray(self._read(start, stop), dtype=np.float32)
        block = block if self._rows is None else block[self._rows]
        inside = times_inside(times, picked, start)
        signal: NDArray[np.float32] = block[rows][..., inside]
        return signal

    def take_rows(self, rows: NDArray[np.intp]) -> LazySignal:
        """Keep some of the channels, still unread.

        Parameters
        ----------
        rows : array_like of int, shape (n_rows,)
            Rows of this signal, in the order wanted.

        Returns
        -------
        LazySignal
            Of shape (len(rows), n_times).
        """
        kept = (np.arange(self.shape[0]) if self._rows is None else self._rows)[np.asarray(rows, dtype=np.intp)]
        return LazySignal(self._read, (len(kept), self.shape[1]), kept)


def times_inside(times: Index, picked: NDArray[np.intp], start: int) -> Index:
    """Find the wanted samples within a block that was read.

    Parameters
    ----------
    times : int, slice or array_like
        Index of the time axis that was asked for.
    picked : array_like of int, shape (n_picked,)
        Samples that this index stands for.
    start : int
        First sample of the block.

    Returns
    -------
    int, slice or array_like
        Index into the time axis of the block; a plain slice stays one, so that the result is a view.
    """
    if isinstance(times, slice) and (times.step or 1) == 1:
        return slice(None)
    return picked - start


def read_signal(data: Any) -> NDArray[np.float32]:
    """Give the whole signal as an array.

    Parameters
    ----------
    data : array_like or LazySignal
        The `data` of a recording.

    Returns
    -------
    NDArray[np.float32]
        The same array where it is one already (a memory map stays one); a `LazySignal` is read.
    """
    return np.asarray(data, dtype=np.float32)
