"""By how much the score changes if a node moves or two blocks merge, for all nodes and pairs of blocks at once."""

from __future__ import annotations

import numpy as np

from neurodecode.analysis.connectome.block_partitions import Integers, Partitions
from neurodecode.analysis.connectome.block_score import Floats

_LARGEST = 2**18  # numbers of one temporary array, so that it stays in the cache


def move_gains(state: Partitions, nodes: Integers) -> Floats:
    """Change of the score if single nodes move, exactly.

    Of the empty blocks only one is offered, which is the present block of a node that is alone in it.

    Parameters
    ----------
    state : Partitions
        Where the nodes are.
    nodes : NDArray[np.intp] of shape (n_partitions, n_moved)
        Nodes that may move, each on its own.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_partitions, n_moved, n_slots); 0 for staying, -inf where a node cannot go.
    """
    width = max(1, _LARGEST // (len(nodes) * state.n_slots ** (2 if state.structure == "general" else 1)))
    parts = [_move_gains(state, nodes[:, i : i + width]) for i in range(0, nodes.shape[1], width)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _move_gains(state: Partitions, nodes: Integers) -> Floats:
    rows = np.arange(len(nodes))[:, None]
    old = state.labels[rows, nodes]
    links = state.links[:, rows, nodes]
    of_weights = _general_gains if state.structure == "general" else _pooled_gains
    gains = of_weights(state, rows, old, links) + _prior_gains(state, rows, old)
    own: Floats = np.take_along_axis(gains, old[:, :, None], axis=2)
    return gains - own


def _prior_gains(state: Partitions, rows: Integers, old: Integers) -> Floats:
    """Of the partition itself, counted from the partition without the node."""
    columns = np.arange(old.shape[1])
    sizes = np.repeat(state.sizes[:, None], old.shape[1], axis=1)
    sizes[rows, columns, old] -= 1
    empty = sizes == 0
    blocks = state.n_slots - empty.sum(axis=2, keepdims=True)
    gains: Floats = np.where(empty, state.prior.log_number[blocks + 1], np.log(sizes + 1.0) + state.prior.log_number[blocks])
    offered = (np.cumsum(empty, axis=2) == 1) & ~empty[rows, columns, old][:, :, None]
    offered[rows, columns, old] = True
    gains[empty & ~offered] = -np.inf
    return gains


def _general_gains(state: Partitions, rows: Integers, old: Integers, links: Floats) -> Floats:
    """Of a distribution per pair of blocks: the rows of the new block after, less before the node joins, for each new block."""
    score, evidence = state.graph.evidence, state.evidence
    joined = score(state.sums[:, :, None] + links[:, :, :, None])
    gains: Floats = joined.sum(axis=3) - evidence.sum(axis=2)[:, None]
    to_old = np.take_along_axis(links, old[None, :, :, None], axis=3)
    left = state.sums[:, rows, old] - links  # sums of the old block without the node
    without, before = score(left), evidence[rows, old]
    gains += score(left + to_old) - without - np.take_along_axis(joined, old[:, :, None, None], axis=3)[..., 0] + before
    np.put_along_axis(gains, old[:, :, None], (before - without).sum(axis=2, keepdims=True), axis=2)
    return gains


def _pooled_gains(state: Partitions, rows: Integers, old: Integers, links: Floats) -> Floats:
    """Of one distribution between blocks, and one within them all, or within each."""
    score = state.graph.evidence
    to_old = np.take_along_axis(links, old[None, :, :, None], axis=3)
    gains = score(state.between[:, :, None, None] + to_old - links)
    if state.structure == "assortative":
        return gains + score(state.within.sum(axis=2)[:, :, None, None] - to_old + links)
    within = np.repeat(state.within[:, :, None], old.shape[1], axis=2)
    within[:, rows, np.arange(old.shape[1]), old] -= to_old[..., 0]
    return gains + score(within + links) - score(within)


def merge_gains(state: Partitions) -> tuple[Floats, Integers, Integers]:
    """Change of the score if two blocks become one, exactly.

    Parameters
    ----------
    state : Partitions
        With at least two slots.

    Returns
    -------
    gains : NDArray[np.float64] of shape (n_partitions, n_pairs)
        -inf where one of the two is empty.
    first, second : NDArray[np.intp] of shape (n_pairs,)
        The pairs of blocks, the first below the second.
    """
    first, second = np.triu_indices(state.n_slots, 1)
    sizes, prior = state.sizes, state.prior
    n, m = sizes[:, first], sizes[:, second]
    blocks = (sizes > 0).sum(axis=1)[:, None]
    gains = prior.log_factorial[n + m] - prior.log_factorial[n] - prior.log_factorial[m]
    gains = gains + np.where(blocks > 1, prior.log_number[blocks - 1] - prior.log_number[blocks], 0.0)
    of_weights = _general_merges if state.structure == "general" else _pooled_merges
    return np.where((n > 0) & (m > 0), gains + of_weights(state, first, second), -np.inf), first, second


def _general_merges(state: Partitions, first: Integers, second: Integers) -> Floats:
    score, sums, evidence = state.graph.evidence, state.sums, state.evidence
    pairs = np.arange(len(first))
    rows = score(sums[:, :, first] + sums[:, :, second]) - evidence[:, first] - evidence[:, second]
    gains: Floats = rows.sum(axis=2) - rows[:, pairs, first] - rows[:, pairs, second]
    within = score(state.within[:, :, first] + state.within[:, :, second] + sums[:, :, first, second])
    return gains + within - evidence[:, first, first] - evidence[:, second, second] - evidence[:, first, second]


def _pooled_merges(state: Partitions, first: Integers, second: Integers) -> Floats:
    score, joined = state.graph.evidence, state.sums[:, :, first, second]
    gains = score(state.between[:, :, None] - joined) - score(state.between)[:, None]
    if state.structure == "assortative":
        inside = state.within.sum(axis=2)
        return gains + score(inside[:, :, None] + joined) - score(inside)[:, None]
    one, other = state.within[:, :, first], state.within[:, :, second]
    return gains + score(one + other + joined) - score(one) - score(other)
