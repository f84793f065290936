"""Moves of nodes between blocks: Gibbs sweeps, annealing, ascent to the nearest maximum, and the way down to one block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodecode.analysis.connectome.block_gains import merge_gains, move_gains
from neurodecode.analysis.connectome.block_partitions import Integers, Partitions
from neurodecode.analysis.connectome.block_score import Floats

RISE = 1e-9  # a score is higher only above rounding


def gibbs_sweep(state: Partitions, rng: np.random.Generator) -> None:
    """Draw the block of each node from its distribution given all others, one node after the other.

    Parameters
    ----------
    state : Partitions
        Changed in place; each partition goes through the nodes in an order of its own.
    rng : numpy.random.Generator
        Source of the draws.
    """
    rows = np.arange(len(state.labels))
    for nodes in rng.permuted(np.tile(np.arange(state.labels.shape[1]), (len(rows), 1)), axis=1).T:
        gains = move_gains(state, nodes[:, None])[:, 0]
        drawn = (gains + rng.gumbel(size=gains.shape)).argmax(axis=1)
        _move(state, rows, nodes, drawn)


def _move(state: Partitions, rows: Integers, nodes: Integers, blocks: Integers) -> None:
    moved = blocks != state.labels[rows, nodes]
    if moved.any():
        state.move(rows[moved], nodes[moved], blocks[moved])


def update_half(
    state: Partitions, temperature: float, rng: np.random.Generator, allowed: NDArray[np.bool_] | None = None
) -> None:
    """Draw new blocks for a random half of the nodes at once, as if all others stayed.

    This is not a Gibbs sweep, and so it only serves to find good partitions; it costs a small part of one.

    Parameters
    ----------
    state : Partitions
        Changed in place.
    temperature : float
        1 draws from the posterior, 0 takes the best block.
    rng : numpy.random.Generator
        Source of the draws.
    allowed : NDArray[np.bool_] of shape (n_partitions, n_nodes, n_slots), optional
        Where each node may go.
    """
    n_partitions, n_nodes = state.labels.shape
    gains = move_gains(state, np.broadcast_to(np.arange(n_nodes), (n_partitions, n_nodes)))
    if allowed is not None:
        gains = np.where(allowed, gains, -np.inf)
    if temperature > 0:
        gains = gains + temperature * rng.gumbel(size=gains.shape)
    half = rng.random(state.labels.shape) < 0.5
    state.labels = np.where(half, gains.argmax(axis=2), state.labels)
    state.rebuild()


def anneal(state: Partitions, n_sweeps: int, rng: np.random.Generator, allowed: NDArray[np.bool_] | None = None) -> None:
    """Cool down from temperature 1 to 0 by `update_half`.

    Parameters
    ----------
    state : Partitions
        Changed in place.
    n_sweeps : int
        Steps of the temperature.
    rng : numpy.random.Generator
        Source of the draws.
    allowed : NDArray[np.bool_] of shape (n_partitions, n_nodes, n_slots), optional
        Where each node may go.
    """
    for step in range(n_sweeps):
        update_half(state, 1.0 - step / n_sweeps, rng, allowed)


def ascend(state: Partitions, rng: np.random.Generator, max_rounds: int = 100) -> None:
    """Move single nodes, one after the other, as long as that raises the score.

    Parameters
    ----------
    state : Partitions
        Changed in place.
    rng : numpy.random.Generator
        Order of the nodes.
    max_rounds : int
        Rounds at most; each looks at all nodes and then tries those that would gain.
    """
    n_partitions, n_nodes = state.labels.shape
    rows = np.arange(n_partitions)
    for _ in range(max_rounds):
        gains = move_gains(state, np.broadcast_to(np.arange(n_nodes), (n_partitions, n_nodes))).max(axis=2)
        if not (gains > RISE).any():
            return
        for nodes in _turns(gains > RISE, rng):
            single = move_gains(state, nodes[:, None])[:, 0]
            best = single.argmax(axis=1)
            _move(state, rows, nodes, np.where(single[rows, best] > RISE, best, state.labels[rows, nodes]))
        state.rebuild()


def _turns(wanted: NDArray[np.bool_], rng: np.random.Generator) -> Integers:
    """Nodes to try in each turn, shape (n_turns, n_partitions): the wanted ones in random order, others where there are fewer."""
    order = np.argsort(rng.random(wanted.shape) - wanted, axis=1)
    return order[:, : int(wanted.sum(axis=1).max())].T


def agglomerate(state: Partitions, rng: np.random.Generator) -> tuple[Floats, Integers]:
    """Merge the two blocks that lose least, rearrange the nodes, and so on down to one block.

    Parameters
    ----------
    state : Partitions
        Partitions to start from, left as they are.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    scores : NDArray[np.float64] of shape (n_partitions,)
        Highest score on each way.
    labels : NDArray[np.intp] of shape (n_partitions, n_nodes)
        Partition of that score.
    """
    state = state.compact()
    best, labels = np.full(len(state.labels), -np.inf), state.labels.copy()
    while True:
        for _ in range(2):
            update_half(state, 0.0, rng)
        ascend(state, rng, max_rounds=3)
        scores = state.scores()
        higher = scores > best + RISE
        best[higher], labels[higher] = scores[higher], state.labels[higher]
        state = state.compact()
        if state.n_slots == 1:
            return best, labels
        state = _merged(state)


def _merged(state: Partitions) -> Partitions:
    """Each partition after its best merge; those of one block stay."""
    gains, first, second = merge_gains(state)
    best = gains.argmax(axis=1)
    possible = np.isfinite(gains[np.arange(len(best)), best])[:, None]
    joined = (state.labels == second[best][:, None]) & possible
    state.labels = np.where(joined, first[best][:, None], state.labels)
    return state.compact()
