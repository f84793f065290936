"""Rows in blocks that folds train on together or not at all, so that each product with the targets is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.splits import Split

_MOST_BLOCKS = 6  # per fold; with more of them (folds drawn at random), sums over blocks cost more than they save


class Plan(NamedTuple):
    """Folds in terms of rows that were put in order."""

    order: NDArray[np.int64]
    """Row of the data that stands in each place, (n_samples,)."""
    blocks: list[slice]
    """Stretches of places that each fold trains on as a whole or not at all; together they are all samples."""
    member: NDArray[np.bool_]
    """Whether a fold trains on a block, (n_folds, n_blocks); of no use where `shared` is False."""
    train: list[list[slice]]
    """Places to train on, per fold, as few stretches as possible."""
    test: list[list[slice]]
    """Places to test on."""
    shared: bool
    """Whether there are few enough blocks to be worth summing over."""


def plan_folds(folds: Sequence[Split], n_samples: int) -> Plan:
    """Order rows so that those which share the folds they belong to stand together.

    Parameters
    ----------
    folds : sequence of Split
        Folds.
    n_samples : int
        Number of all samples; those in no fold are kept, for the final fit.

    Returns
    -------
    Plan
        Order, blocks, and the folds in terms of both.
    """
    trains = np.zeros((len(folds), n_samples), bool)
    tested = np.full(n_samples, len(folds))
    for number in range(len(folds) - 1, -1, -1):
        trains[number, folds[number].train] = True
        tested[folds[number].test] = number
    _, kind = np.unique(np.packbits(trains, axis=0), axis=1, return_inverse=True)
    kind = kind.ravel() * (len(folds) + 1) + tested
    _, first = np.unique(kind, return_index=True)
    order, shared = np.arange(n_samples), len(first) <= _MOST_BLOCKS * len(folds)
    if shared and not _is_sorted(kind, len(first)):
        order = np.lexsort((order, kind, tested))
    borders = [0, *(np.flatnonzero(np.diff(kind[order])) + 1), n_samples]
    blocks = [slice(int(a), int(b)) for a, b in pairwise(borders)]
    place = np.argsort(order)
    return Plan(
        order,
        blocks,
        trains[:, order[[b.start for b in blocks]]],
        [stretches(place[fold.train]) for fold in folds],
        [stretches(place[fold.test]) for fold in folds],
        shared,
    )


def stretches(places: NDArray[np.int64]) -> list[slice]:
    """Places as slices, ascending.

    Parameters
    ----------
    places : array of shape (n,)
        Different places, in any order.

    Returns
    -------
    list of slice
        As few as possible.
    """
    ordered = np.sort(places)
    cuts = [0, *(np.flatnonzero(np.diff(ordered) > 1) + 1), len(ordered)]
    return [slice(int(ordered[a]), int(ordered[b - 1]) + 1) for a, b in pairwise(cuts)]


def size(slices: Sequence[slice]) -> int:
    """Number of places.

    Parameters
    ----------
    slices : sequence of slice
        Stretches of places.

    Returns
    -------
    int
        How many places they hold together.
    """
    return sum(s.stop - s.start for s in slices)


def gather(data: Any, slices: Sequence[slice], axis: int, out: Any) -> Any:
    """Copy stretches of rows or columns of a matrix next to each other; one stretch is passed on as a view.

    Parameters
    ----------
    data : array of two dimensions
        Of any backend.
    slices : sequence of slice
        Stretches.
    axis : int
        0 for rows, 1 for columns.
    out : function of a shape
        Takes room for the copy.

    Returns
    -------
    array
        The stretches.
    """
    if len(slices) == 1:
        return data[slices[0]] if axis == 0 else data[:, slices[0]]
    shape = (size(slices), data.shape[1]) if axis == 0 else (data.shape[0], size(slices))
    found, start = out(shape), 0
    for part in slices:
        stop = start + part.stop - part.start
        if axis == 0:
            found[start:stop] = data[part]
        else:
            found[:, start:stop] = data[:, part]
        start = stop
    return found


def _is_sorted(kind: NDArray[np.int64], n_kinds: int) -> bool:
    """Whether each kind of row stands in one stretch as the rows came."""
    return int(np.count_nonzero(np.diff(kind))) == n_kinds - 1
