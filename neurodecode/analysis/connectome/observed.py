r"""Which cells of a tensor are observed, and the exact Grams of least squares over these cells alone.

A mask is held as blocks of the first mode within which it does not change: one block for neurons that were never seen in an
animal, one per block of time where cells are held out. With :math:`m` the mask, row p of a mode has a Gram of its own, e.g.
for pairs of neurons

.. math:: G_p = \sum_b (T_b^\top T_b) \circ \Big(\sum_w m_{bwp}\, W_w W_w^\top\Big)

Nothing is imputed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.analysis.connectome.factors import Array, Floats
from neurodecode.errors import DataError

_ROWS = 2**13  # entries of a mode whose products of components are held at once, in double precision


@dataclass(frozen=True, eq=False)
class RowGrams:
    """A Gram for each entry of a mode, computed for some entries at a time.

    Parameters
    ----------
    of : callable
        From a slice of the mode's entries to an array of shape (rank, rank, n_entries).
    """

    of: Callable[[slice], Floats]


Gram = Floats | RowGrams


@dataclass(frozen=True, eq=False)
class Observed:
    """Observed cells.

    Parameters
    ----------
    bounds : NDArray[np.intp]
        Shape (n_blocks + 1,): where blocks of the first mode begin, and its length.
    cells : NDArray[np.bool_]
        Shape (n_blocks, dim of mode 1, dim of mode 2, ...): whether a cell is observed within a block.
    """

    bounds: NDArray[np.intp]
    cells: NDArray[np.bool_]

    @classmethod
    def from_mask(cls, mask: Any, shape: Sequence[int]) -> Observed | None:
        """Find the blocks of a mask.

        Parameters
        ----------
        mask : array_like of bool
            Observed cells, of the shape of the tensor or one that broadcasts to it, e.g. (n_samples, n_pairs) for cells that are
            never observed; None for all. What is `Observed` already stays as it is.
        shape : sequence of int
            Shape of the tensor.

        Returns
        -------
        Observed or None
            None where every cell is observed.

        Raises
        ------
        DataError
            If the mask is not of truth values, does not fit the tensor, or hides everything.
        """
        if mask is None or isinstance(mask, Observed):
            return mask
        given = np.asarray(mask)
        if given.dtype != bool:
            raise DataError(f"mask must be of truth values (True: observed), got dtype {given.dtype}")
        try:
            whole = np.broadcast_to(given, tuple(shape))
        except ValueError as error:
            raise DataError(f"mask of shape {given.shape} does not fit a tensor of shape {tuple(shape)}") from error
        if not given.any():
            raise DataError(f"mask of shape {given.shape} hides every cell: nothing is left to fit")
        if given.all():
            return None
        flat = whole.reshape(len(whole), -1) if whole.strides[0] else whole[:1].reshape(1, -1)
        starts = np.flatnonzero(np.r_[True, (flat[1:] != flat[:-1]).any(axis=1)])
        return cls(np.r_[starts, shape[0]], np.ascontiguousarray(whole[starts]))

    def thinned(self, step: int) -> Observed:
        """The mask of every step-th entry of the first mode.

        Parameters
        ----------
        step : int
            Step.

        Returns
        -------
        Observed
            Blocks of which no entry is left are dropped.
        """
        bounds = -(-self.bounds // step)  # entries 0, step, 2 step, ...: those below a bound
        kept = np.flatnonzero(np.diff(bounds))
        return Observed(np.r_[bounds[kept], bounds[-1]], self.cells[kept])

    def first_gram(self, block: int, factors: Sequence[Array]) -> Floats:
        """Gram of the first mode, the same for all entries of a block.

        Parameters
        ----------
        block : int
            Block.
        factors : sequence of array of shape (rank, dim)
            The other modes.

        Returns
        -------
        array of shape (rank, rank)
            In double precision.
        """
        return _moments(self.cells[block][None], factors)[..., 0]

    def row_grams(self, mode: int, factors: Sequence[Array]) -> RowGrams:
        """Grams of another mode, one per entry.

        Parameters
        ----------
        mode : int
            Mode, from 1.
        factors : sequence of array of shape (rank, dim)
            All modes.

        Returns
        -------
        RowGrams
            Computed when asked for.
        """
        first = [np.asarray(factors[0][:, a:b], np.float64) for a, b in zip(self.bounds[:-1], self.bounds[1:], strict=True)]
        grams = [block @ block.T for block in first]
        others = [factor for k, factor in enumerate(factors) if k not in (0, mode)]
        cells = np.moveaxis(self.cells, mode, 1)

        def of(part: slice) -> Floats:
            return np.asarray(sum(g[:, :, None] * _moments(c[part], others) for g, c in zip(grams, cells, strict=True)))

        return RowGrams(of)


def _moments(cells: NDArray[np.bool_], factors: Sequence[Array]) -> Floats:
    """Products of components summed over the observed cells of each entry: cells (n, dims...) to (rank, rank, n)."""
    rank = len(factors[0]) if factors else 0
    if not factors:
        return cells.astype(np.float64)[None, None]
    last = factors[-1]
    flat = cells.reshape(-1, cells.shape[-1])
    total = np.zeros((len(flat), rank * rank))
    for start in range(0, flat.shape[1], _ROWS):
        v = last[:, start : start + _ROWS].astype(np.float64)
        total += flat[:, start : start + _ROWS] @ (v[:, None] * v[None]).reshape(rank * rank, -1).T
    for factor in factors[-2::-1]:
        v = factor.astype(np.float64)
        products = (v[:, None] * v[None]).reshape(rank * rank, -1).T
        total = (total.reshape(-1, len(products), rank * rank) * products).sum(axis=1)
    return total.T.reshape(rank, rank, -1)
