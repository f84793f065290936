"""A ring of the newest samples, of which any stretch is one plain view."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError


class RingBuffer:
    """The newest samples of some rows, counted from the first one that was pushed.

    Every sample is written twice, half the memory apart. So a stretch that wraps around the end of the ring is still contiguous
    in the other copy, and `view` never copies.

    Parameters
    ----------
    n_rows : int
        Channels.
    capacity : int
        Samples that are kept.
    dtype : dtype
        Of the samples.
    """

    def __init__(self, n_rows: int, capacity: int, dtype: Any = np.float32) -> None:
        if n_rows < 1 or capacity < 1:
            raise DataError(f"a ring needs at least one row and one sample, got {n_rows} and {capacity}")
        self.capacity, self.count = int(capacity), 0
        self._data = np.zeros((n_rows, 2 * self.capacity), dtype)

    @property
    def oldest(self) -> int:
        """Number of the oldest sample that is kept."""
        return max(0, self.count - self.capacity)

    def push(self, chunk: NDArray[Any]) -> None:
        """Add samples, over the oldest ones.

        Parameters
        ----------
        chunk : array of shape (n_rows, n)
            The next samples.
        """
        kept = chunk[:, -self.capacity :] if chunk.shape[1] > self.capacity else chunk
        self.count += chunk.shape[1]
        n, end = kept.shape[1], self.count % self.capacity
        first = max(0, n - end)  # samples that still fit before the end of the ring
        self._write(kept[:, :first], self.capacity - first)
        self._write(kept[:, first:], end - (n - first))

    def view(self, start: int, stop: int) -> NDArray[Any]:
        """Samples `start` to `stop` - 1.

        Parameters
        ----------
        start, stop : int
            Numbers of samples, counted from the first one pushed.

        Returns
        -------
        array of shape (n_rows, stop - start)
            A view, valid until the next `push`.

        Raises
        ------
        DataError
            If not all of them are in the ring.
        """
        if not self.oldest <= start <= stop <= self.count:
            raise DataError(f"samples {start} to {stop} are not in the ring, which holds {self.oldest} to {self.count}")
        place = start % self.capacity
        return self._data[:, place : place + stop - start]

    def clear(self) -> None:
        """Forget all samples and count from 0 again."""
        self.count = 0

    def _write(self, part: NDArray[Any], place: int) -> None:
        for at in (place, place + self.capacity):
            self._data[:, at : at + part.shape[1]] = part
