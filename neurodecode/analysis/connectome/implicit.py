r"""A tensor of pairs that is never built: affinities that are products of two neurons' values.

With :math:`H^{\pm}` the values of all neurons at the times and samples (rows), :math:`A_r` the upper triangle of component r as a
matrix, and :math:`c_r` its time course times its samples, row by row,

.. math::

    \text{time and sample:}\quad \sum_\pm \operatorname{rowsum}\big((H^\pm A_r) \circ H^\pm\big) \qquad
    \text{pairs:}\quad \sum_\pm H^{\pm\top} \operatorname{diag}(c_r) H^\pm, \text{ entries } i < j

Memory is that of the traces and of the factors, instead of :math:`N^2 T W / 2`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.analysis.connectome.factors import Array, contract, gram
from neurodecode.analysis.connectome.kernels import Kernels
from neurodecode.analysis.connectome.observed import Gram, Observed
from neurodecode.analysis.connectome.updates import chunks, model_norm2, shared_gram, update
from neurodecode.errors import DataError

_BYTES = 2**23  # of traces that are multiplied at once
_ROUNDS = 3  # over times and samples, which share what one pass left
_CELLS = 2**14  # pairs whose held-out values are computed at once


class SeparableAffinity(NamedTuple):
    """Affinities that are products: ``h_plus[i] h_plus[j] + h_minus[i] h_minus[j]`` for each pair of neurons."""

    h_plus: NDArray[np.float32]
    """Shape (n_times, n_samples, n_names), at least 0: what rises."""
    h_minus: NDArray[np.float32]
    """Same shape: what falls. Of each entry at most one of the two is above 0."""
    observed: NDArray[np.bool_] | None = None
    """Shape (n_samples, n_names): whether a neuron was recorded in a sample; None for all."""


class SeparableProblem:
    """Non-negative factorisation of a separable affinity.

    Parameters
    ----------
    affinity : SeparableAffinity
        Values of neurons.
    observed : Observed or None
        Observed cells of the tensor (n_times, n_samples, n_pairs). Where a neuron is missing, its values must be 0.
    kernels : Kernels
        Who multiplies.
    """

    second: tuple[int, ...] = (2,)
    """Modes that are left to improve after `advance`: pairs."""

    def __init__(self, affinity: SeparableAffinity, observed: Observed | None, kernels: Kernels) -> None:
        self.affinity, self.observed, self.kernels = affinity, observed, kernels
        n_times, n_samples, self.n_names = affinity.h_plus.shape
        self.shape = (n_times, n_samples, self.n_names * (self.n_names - 1) // 2)
        self.dtype = affinity.h_plus.dtype
        self.sides = [side.reshape(-1, self.n_names) for side in affinity[:2]]
        self.upper = np.triu(np.ones((self.n_names, self.n_names), bool), 1)
        self.hidden = _hidden(affinity, observed)
        self.norm2 = self._norm2()

    def thinned(self, step: int) -> SeparableProblem:
        """Every step-th time.

        Parameters
        ----------
        step : int
            Step.

        Returns
        -------
        SeparableProblem
            A smaller problem of the same samples and pairs.
        """
        observed = None if self.observed is None else self.observed.thinned(step)
        plus, minus, names = self.affinity
        return SeparableProblem(SeparableAffinity(plus[::step], minus[::step], names), observed, self.kernels)

    def advance(self, factors: Sequence[Array], passes: int) -> Array:
        """Improve times and samples in place.

        Parameters
        ----------
        factors : sequence of array of shape (rank, dim)
            Times, samples and pairs.
        passes : int
            Passes over components.

        Returns
        -------
        array of shape (rank, n_pairs)
            The tensor summed against times and samples.
        """
        against_pairs = self.against_pairs(factors[2])
        for _ in range(_ROUNDS):
            self._update_times(factors, contract(against_pairs, factors[:2], 0), passes)
            update(factors[1], contract(against_pairs, factors[:2], 1), self.gram(1, factors), passes)
        return self._against_times(factors)

    def gram(self, mode: int, factors: Sequence[Array]) -> Gram:
        """Gram of samples or pairs.

        Parameters
        ----------
        mode : int
            1 or 2.
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
        against_pairs, inner = self.against_pairs(factors[2], np.float64), 0.0
        for r, part in enumerate(against_pairs):
            inner += float(factors[0][r].astype(np.float64) @ part @ factors[1][r].astype(np.float64))
        return max(self.norm2 - 2 * inner + model_norm2(factors[2], self.gram(2, factors)), 0.0) / self.norm2

    def values(self, times: slice, sample: int, pairs: NDArray[np.intp], dtype: type | None = None) -> Array:
        """Affinities of some pairs.

        Parameters
        ----------
        times : slice
            Times.
        sample : int
            Sample.
        pairs : array of int, shape (n, 2)
            Neurons of each pair.
        dtype : numpy dtype, optional
            Precision, by default that of the traces.

        Returns
        -------
        array of shape (n_times of the slice, n)
            Affinities.
        """
        h = [side[times, sample].astype(dtype or self.dtype, copy=False) for side in self.affinity[:2]]
        return np.asarray(sum(side[:, pairs[:, 0]] * side[:, pairs[:, 1]] for side in h))

    def hidden_cells(self) -> Iterator[tuple[slice, int, NDArray[np.intp], NDArray[np.intp]]]:
        """Cells that are held out although both neurons were recorded, some pairs at a time.

        Yields
        ------
        times : slice
            Times.
        sample : int
            Sample.
        columns : array of int, shape (n,)
            Pairs, as columns of the tensor.
        pairs : array of int, shape (n, 2)
            Neurons of each pair.
        """
        if self.hidden is None or self.observed is None:
            return
        neurons = np.argwhere(self.upper)
        bounds = self.observed.bounds
        for block, sample in np.argwhere(self.hidden.any(axis=2)):
            columns = np.flatnonzero(self.hidden[block, sample])
            for part in chunks(len(columns), _CELLS):
                yield slice(bounds[block], bounds[block + 1]), int(sample), columns[part], neurons[columns[part]]

    def against_pairs(self, pairs: Array, dtype: type | None = None) -> Array:
        """The tensor summed against pairs.

        Parameters
        ----------
        pairs : array of shape (rank, n_pairs)
            Weights of pairs, of any sign.
        dtype : numpy dtype, optional
            Precision, by default that of the traces.

        Returns
        -------
        array of shape (rank, n_times, n_samples)
            Sums over observed pairs.
        """
        kind = dtype or self.dtype
        found = np.zeros((len(pairs), len(self.sides[0])), kind)
        upper = np.zeros(self.upper.shape, kind)
        for r, component in enumerate(pairs):
            upper[self.upper] = component
            placed = self.kernels.place(upper)
            for rows in self._row_blocks():
                for side in self.sides:
                    found[r, rows] += self.kernels.quadratic(self.kernels.place(side[rows].astype(kind, copy=False)), placed)
        by_time: Array = found.reshape(len(pairs), *self.shape[:2])
        for times, sample, columns, neurons in self.hidden_cells():
            by_time[:, times, sample] -= pairs[:, columns].astype(kind) @ self.values(times, sample, neurons, dtype).T
        return by_time

    def _against_times(self, factors: Sequence[Array]) -> Array:
        """The tensor summed against times and samples, shape (rank, n_pairs)."""
        found = np.empty((len(factors[0]), self.shape[2]), self.dtype)
        for r, (time, sample) in enumerate(zip(factors[0], factors[1], strict=True)):
            scale = np.sqrt(np.outer(time, sample)).reshape(-1, 1)
            total = self.kernels.place(np.zeros(self.upper.shape, self.dtype))
            for rows in self._row_blocks():
                for side in self.sides:
                    self.kernels.add_products(total, self.kernels.place(side[rows]), self.kernels.place(scale[rows]))
            found[r] = self.kernels.fetch(total)[self.upper]
        for times, place, columns, neurons in self.hidden_cells():
            course = factors[0][:, times] * factors[1][:, place, None]
            found[:, columns] -= course @ self.values(times, place, neurons)
        return found

    def _update_times(self, factors: Sequence[Array], target: Array, passes: int) -> None:
        if self.observed is None:
            update(factors[0], target, shared_gram([gram(factor) for factor in factors[1:]]), passes)
            return
        grams = self.observed.first_grams(factors[1:])
        for block_gram, (start, stop) in zip(grams, pairwise(self.observed.bounds), strict=True):
            update(factors[0][:, start:stop], target[:, start:stop], block_gram, passes)

    def _row_blocks(self) -> Iterator[slice]:
        return chunks(len(self.sides[0]), max(_BYTES // (self.n_names * self.dtype.itemsize), 1))

    def _norm2(self) -> float:
        """Half of ``(sum h^2)^2 - sum h^4`` per time, sample and side, less what is held out."""
        total = 0.0
        for rows in self._row_blocks():
            for side in self.sides:
                squares = np.square(side[rows], dtype=np.float64)
                total += 0.5 * float(np.sum(squares.sum(axis=1) ** 2 - np.square(squares).sum(axis=1)))
        for times, sample, _, neurons in self.hidden_cells():
            total -= float(np.square(self.values(times, sample, neurons, np.float64)).sum())
        if not np.isfinite(total):
            raise DataError(f"the traces behind the tensor of shape {self.shape} hold NaN or infinite values")
        if total <= 0:
            raise DataError(f"the tensor of shape {self.shape} is 0 in every observed cell: there is nothing to factorise")
        return total


def pair_mask(observed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pairs of which both neurons were recorded.

    Parameters
    ----------
    observed : array of bool, shape (n_samples, n_names)
        Whether a neuron was recorded.

    Returns
    -------
    array of bool, shape (n_samples, n_pairs)
        Pairs in the order of ``numpy.triu_indices(n_names, 1)``.
    """
    i, j = np.triu_indices(observed.shape[1], 1)
    return np.asarray(observed[:, i] & observed[:, j])


def _hidden(affinity: SeparableAffinity, observed: Observed | None) -> NDArray[np.bool_] | None:
    """Cells (n_blocks, n_samples, n_pairs) that are masked although the values of both neurons are there."""
    if observed is None:
        return None
    hidden = ~observed.cells
    if affinity.observed is not None:
        hidden &= pair_mask(affinity.observed)
    return hidden if hidden.any() else None
