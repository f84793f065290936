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

_CELLS = 2**13  # cells whose products of components are held at once, in double precision


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

    def first_grams(self, factors: Sequence[Array]) -> Floats:
        """Gram of the first mode, the same for all entries of a block.

        Parameters
        ----------
        factors : sequence of array of shape (rank, dim)
            The other modes.

        Returns
        -------
        array of shape (n_blocks, rank, rank)
            In double precision.
        """
        cells = self.cells.reshape(len(self.cells), -1)
        return _square(_moments(cells, [_products(factor) for factor in factors]), len(factors[0]))

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
        first = np.add.reduceat(_products(factors[0]), self.bounds[:-1], axis=1)
        others = [_products(factor) for k, factor in enumerate(factors) if k not in (0, mode)]
        cells = np.moveaxis(self.cells, mode, 0)

        def of(part: slice) -> Floats:
            some = cells[part]
            grams = _square(_moments(some.reshape(len(some), -1), [first, *others]), len(factors[0]))
            return np.moveaxis(grams, 0, 2)

        return RowGrams(of)


def _products(factor: Array) -> Floats:
    """Products of all pairs of components, shape (rank (rank + 1) / 2, dim), in double precision."""
    i, j = np.triu_indices(len(factor))
    v = factor.astype(np.float64)
    return np.asarray(v[i] * v[j])


def _moments(cells: NDArray[np.bool_], products: Sequence[Floats]) -> Floats:
    """Products of components summed over the observed cells of each row; cells (n, product of dims) to (n, n_products)."""
    total = np.zeros((len(cells), len(products[0])))
    dims = tuple(product.shape[1] for product in products)
    for start in range(0, cells.shape[1], _CELLS):
        some = cells[:, start : start + _CELLS]
        index = np.unravel_index(np.arange(start, start + some.shape[1]), dims)
        weights = products[-1][:, index[-1]]
        for product, place in zip(products[:-1], index[:-1], strict=True):
            weights *= product[:, place]
        total += some @ weights.T
    return total


def _square(products: Floats, rank: int) -> Floats:
    """From (n, n_products) to symmetric (n, rank, rank)."""
    i, j = np.triu_indices(rank)
    grams = np.empty((len(products), rank, rank))
    grams[:, i, j] = grams[:, j, i] = products
    return grams
