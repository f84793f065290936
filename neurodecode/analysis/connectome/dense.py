"""A tensor that is there: one pass over it improves its first mode and leaves what the other modes need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from neurodecode.analysis.connectome.factors import Array, Floats, gram, khatri_rao
from neurodecode.analysis.connectome.kernels import Kernels
from neurodecode.analysis.connectome.observed import Gram, Observed
from neurodecode.analysis.connectome.updates import model_norm2, shared_gram, update
from neurodecode.errors import DataError

_SUMMED = 256  # squares that are summed in single precision before the double precision takes over


class _Block(NamedTuple):
    rows: slice
    mask: int  # block of the mask


class DenseProblem:
    r"""Non-negative factorisation of a tensor in memory or in a memory map.

    The first mode goes ahead: with the other modes given, each of its rows is a least squares problem of its own. A block of rows
    is read, its factors :math:`T_b` are improved, and :math:`S \mathrel{+}= T_b^\top X_b` is added up while the block is
    still in a cache. S, of shape (rank, all other dims), is all that the other modes need.

    Parameters
    ----------
    tensor : array of shape (dim of mode 0, dim of mode 1, ...)
        float32 or float64.
    observed : Observed or None
        Observed cells; what the tensor holds elsewhere is not looked at.
    kernels : Kernels
        Who multiplies.
    """

    second: tuple[int, ...]
    """Modes that are left to improve after `advance`."""

    def __init__(self, tensor: Array, observed: Observed | None, kernels: Kernels) -> None:
        self.tensor, self.observed, self.kernels = tensor, observed, kernels
        self.shape, self.dtype = tensor.shape, tensor.dtype
        self.second = tuple(range(1, tensor.ndim))
        self.flat = tensor.reshape(len(tensor), -1)
        self.clean = observed is None
        self.norm2 = self._norm2()
        self.placed = None if isinstance(tensor, np.memmap) else kernels.place(self._cleaned())  # a map may exceed memory

    def thinned(self, step: int) -> DenseProblem:
        """Every step-th entry of the first mode.

        Parameters
        ----------
        step : int
            Step.

        Returns
        -------
        DenseProblem
            A smaller problem with the same other modes.
        """
        observed = None if self.observed is None else self.observed.thinned(step)
        return DenseProblem(self.tensor[::step], observed, self.kernels)

    def advance(self, factors: Sequence[Array], passes: int) -> Array:
        """Improve the first mode in place.

        Parameters
        ----------
        factors : sequence of array of shape (rank, dim)
            All modes.
        passes : int
            Passes over components.

        Returns
        -------
        array of shape (rank, dim of mode 1, dim of mode 2, ...)
            The tensor summed against the improved factors.
        """
        first, rank = factors[0], len(factors[0])
        filled = -(-rank // self.kernels.width) * self.kernels.width
        weights = np.zeros((filled, self.flat.shape[1]), self.dtype)
        weights[:rank] = khatri_rao(factors[1:])
        against, total, scratch = (self.kernels.place(part) for part in (weights, np.zeros_like(weights), np.empty_like(weights)))
        grams = self._first_grams(factors)
        for block in self._blocks():
            rows, part = self._rows(block), first[:, block.rows]
            target = self.kernels.project(rows, against)[:, :rank].T
            update(part, np.ascontiguousarray(target), grams[block.mask], passes)
            improved = np.zeros((filled, part.shape[1]), self.dtype)
            improved[:rank] = part
            self.kernels.accumulate(total, self.kernels.place(improved), rows, scratch)
        return self.kernels.fetch(total)[:rank].reshape(rank, *self.shape[1:])

    def gram(self, mode: int, factors: Sequence[Array]) -> Gram:
        """Gram of one of the modes after the first.

        Parameters
        ----------
        mode : int
            Mode.
        factors : sequence of array of shape (rank, dim)
            All modes.

        Returns
        -------
        array of shape (rank, rank) or RowGrams
            For `update`.
        """
        if self.observed is not None:
            return self.observed.row_grams(mode, factors)
        return shared_gram([gram(factor) for k, factor in enumerate(factors) if k != mode])

    def exact_loss(self, factors: Sequence[Array]) -> float:
        """Squared error over observed cells with all sums in double precision, by one more pass.

        Parameters
        ----------
        factors : sequence of array of shape (rank, dim)
            All modes.

        Returns
        -------
        float
            Squared norm of the residual over that of the tensor.
        """
        against, inner, norm2 = khatri_rao([factor.astype(np.float64) for factor in factors[1:]]), 0.0, 0.0
        for block in self._blocks(2**22):
            rows = self._read(block).astype(np.float64)
            inner += float(np.vdot(factors[0][:, block.rows].T.astype(np.float64), rows @ against.T))
            norm2 += float(np.vdot(rows, rows))
        last = self.second[-1]
        return max(norm2 - 2 * inner + model_norm2(factors[last], self.gram(last, factors)), 0.0) / norm2

    def _first_grams(self, factors: Sequence[Array]) -> list[Floats]:
        if self.observed is None:
            return [shared_gram([gram(factor) for factor in factors[1:]])]
        return list(self.observed.first_grams(factors[1:]))

    def _blocks(self, size: int | None = None) -> Iterator[_Block]:
        """Rows that are read at once; the mask does not change within them."""
        bounds = np.array([0, len(self.flat)]) if self.observed is None else self.observed.bounds
        most = max((size or self.kernels.block_bytes) // (self.flat.shape[1] * self.dtype.itemsize), 1)
        for mask, (start, stop) in enumerate(pairwise(bounds)):
            n_parts = -(-(stop - start) // most)
            edges = np.linspace(start, stop, n_parts + 1).astype(int)
            yield from (_Block(slice(a, b), mask) for a, b in pairwise(edges))

    def _cleaned(self) -> Array:
        """The tensor as it is, or a copy that is 0 where it is not observed."""
        if not self.clean:
            self.flat, self.clean = np.concatenate([self._read(block) for block in self._blocks()]), True
            self.tensor = self.flat.reshape(self.shape)
        return self.flat

    def _rows(self, block: _Block) -> Any:
        return self.placed[block.rows] if self.placed is not None else self.kernels.place(self._read(block))

    def _read(self, block: _Block) -> Array:
        """Rows as they are in the tensor, 0 where they are not observed."""
        rows = self.flat[block.rows]
        if self.clean or self.observed is None:
            return rows
        return np.where(self.observed.cells[block.mask].reshape(-1), rows, self.dtype.type(0))

    def _norm2(self) -> float:
        """Squared norm over observed cells; on the way it is seen whether the others are 0 already."""
        total, clean = 0.0, True
        for block in self._blocks(2**22):
            rows = self._read(block)
            total += _sum_of_squares(rows)
            clean = clean and (self.clean or np.array_equal(rows, self.flat[block.rows]))
        if not np.isfinite(total):
            raise DataError(f"the tensor of shape {self.shape} holds NaN or infinite values in observed cells: mask them")
        if total == 0:
            raise DataError(f"the tensor of shape {self.shape} is 0 in every observed cell: there is nothing to factorise")
        self.clean = clean
        return total


def _sum_of_squares(rows: Array) -> float:
    """Short sums in the precision of the data, summed up in double precision."""
    flat = rows.reshape(-1)
    whole = len(flat) // _SUMMED * _SUMMED
    short = flat[:whole].reshape(-1, _SUMMED)
    rest = flat[whole:].astype(np.float64)
    return float(np.einsum("ij,ij->i", short, short).sum(dtype=np.float64) + rest @ rest)
