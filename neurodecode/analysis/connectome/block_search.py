"""Search for the partition that describes a graph best: annealed starts, merges down to one block, splits, and shuffled pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from neurodecode.analysis.connectome.block_gains import merge_gains, move_gains
from neurodecode.analysis.connectome.block_moves import RISE, agglomerate, anneal, ascend, update_half
from neurodecode.analysis.connectome.block_partitions import Integers, Partitions, Structure
from neurodecode.analysis.connectome.block_score import BlockScore, Floats

_BEAM = 4  # partitions that are improved side by side
_PAIRS = 10  # pairs of blocks that are shuffled per partition
_COOLING = 20  # steps from temperature 1 to 0 at the start
_SHUFFLING = 8  # the same while few nodes are rearranged
_NEAR = 12.0  # nats below the highest maximum at which another one may hold more of the posterior
_LOOKS = 2  # rounds in which maxima are sought around the ones that hold most
_BEHIND = 0.5  # nats per node by which a structure may be worse and is still improved


class Found(NamedTuple):
    """A partition and how well it describes a graph."""

    score: float
    """Log of prior times integrated likelihood, in nats, with the graph's constant."""
    labels: Integers
    """Block of each node, shape (n_nodes,)."""
    structure: Structure
    """Which pairs of blocks share a distribution."""


def search_partition(
    graph: BlockScore,
    structures: Sequence[Structure],
    rng: np.random.Generator,
    *,
    n_restarts: int = 20,
    max_blocks: int = 15,
    starts: Integers | None = None,
) -> Found:
    """Find the partition that describes a graph best.

    For each structure, random partitions are annealed and merged block by block down to one. The best partitions of all
    structures, the given ones and one block for all are then improved under each structure: blocks are split, pairs of blocks
    merged, or thrown together and divided anew, until nothing is better. Of the maxima around the highest one, the one that
    holds most of the posterior is taken (`mass_of`), unless the highest is one block for all: a narrow peak may be higher than
    a wide one, and still be the less likely place.

    Parameters
    ----------
    graph : BlockScore
        Statistics of the graph.
    structures : sequence of {"general", "communities", "assortative"}
        Structures to choose from.
    rng : numpy.random.Generator
        Source of the draws.
    n_restarts : int
        Random partitions to start from.
    max_blocks : int
        Blocks at most.
    starts : NDArray[np.intp] of shape (n_starts, n_nodes), optional
        Partitions that are tried, too.

    Returns
    -------
    Found
        The best partition.
    """
    n_nodes = graph.statistics.shape[1]
    max_blocks = min(max_blocks, n_nodes)
    pool = [np.zeros((1, n_nodes), np.intp)] if starts is None else [np.zeros((1, n_nodes), np.intp), starts]
    for structure in structures:
        n_random = n_restarts if structure == "general" else 2 * n_restarts  # the others cost little
        state = Partitions(graph, rng.integers(0, max_blocks, (n_random, n_nodes)), max_blocks, structure)
        anneal(state, _COOLING, rng)
        pool.append(_best_of(*agglomerate(state, rng), 2 * _BEAM)[1])
    settled = [_best_of(*_settled(graph, np.concatenate(pool), max_blocks, structure, rng)) for structure in structures]
    enough = max(scores[0] for scores, _ in settled) - _BEHIND * n_nodes
    near = [(one, structure) for one, structure in zip(settled, structures, strict=True) if one[0][0] >= enough]
    best = max((_improve(graph, *one, max_blocks, structure, rng) for one, structure in near), key=lambda found: found.score)
    return best if best.labels.max() == 0 else _widest(graph, best, max_blocks, rng)


def mass_of(graph: BlockScore, labels: Integers, structure: Structure) -> Floats:
    r"""How much of the posterior lies around partitions, as if nodes moved independently.

    .. math:: \ln P(z) + \sum_i \ln \sum_k \frac{P(z_{i \to k})}{P(z)}

    Parameters
    ----------
    graph : BlockScore
        Statistics of the graph.
    labels : NDArray[np.intp] of shape (n_partitions, n_nodes)
        Maxima.
    structure : {"general", "communities", "assortative"}
        Which pairs of blocks share a distribution.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_partitions,), in nats, without the graph's constant.
    """
    state = Partitions(graph, labels, int(labels.max()) + 1, structure).compact(extra=1)
    gains = move_gains(state, np.broadcast_to(np.arange(labels.shape[1]), labels.shape))
    return np.asarray(state.scores() + logsumexp(gains, axis=2).sum(axis=1))


def refine_partition(graph: BlockScore, labels: Integers, structures: Sequence[Structure], rng: np.random.Generator) -> Found:
    """Move single nodes of one partition as long as that raises the score; the best over structures.

    Parameters
    ----------
    graph : BlockScore
        Statistics of the graph.
    labels : NDArray[np.intp] of shape (n_nodes,)
        Where to start.
    structures : sequence of {"general", "communities", "assortative"}
        Structures to choose from.
    rng : numpy.random.Generator
        Order of the nodes.

    Returns
    -------
    Found
        The nearest maximum.
    """
    found = []
    for structure in structures:
        state = Partitions(graph, labels[None], int(labels.max()) + 1, structure).compact(extra=1)
        ascend(state, rng)
        found.append(Found(float(state.scores()[0]) + graph.constant, state.labels[0], structure))
    return max(found, key=lambda one: one.score)


def _improve(
    graph: BlockScore, scores: Floats, labels: Integers, max_blocks: int, structure: Structure, rng: np.random.Generator
) -> Found:
    """Improve a few partitions as long as the best becomes better."""
    while True:
        proposals = [_proposals(graph, row, max_blocks, structure, rng) for row in labels]
        more = _settled(graph, np.concatenate(proposals), max_blocks, structure, rng)
        before = scores[0]
        scores, labels = _best_of(np.r_[scores, more[0]], np.concatenate([labels, more[1]]))
        if scores[0] <= before + RISE:
            return Found(float(scores[0]) + graph.constant, labels[0], structure)


def _widest(graph: BlockScore, highest: Found, max_blocks: int, rng: np.random.Generator) -> Found:
    """Of the maxima around the highest one that are better than one block for all, that which holds most of the posterior."""
    structure, top = highest.structure, highest.score - graph.constant
    one = Partitions(graph, np.zeros((1, len(highest.labels)), np.intp), 1, structure).scores()[0]
    labels, scores = highest.labels[None], np.array([top])
    mass = mass_of(graph, labels, structure)
    for _ in range(_LOOKS):
        front = labels[np.argsort(-mass)[:_BEAM]]
        proposals = np.concatenate([_proposals(graph, row, max_blocks, structure, rng) for row in front])
        more = _settled(graph, proposals, max_blocks, structure, rng)
        scores, labels = _best_of(np.r_[scores, more[0]], np.concatenate([labels, more[1]]), n_kept=len(scores) + len(more[0]))
        near = scores >= max(top - _NEAR, min(one + RISE, top))
        scores, labels = scores[near], labels[near]
        mass = mass_of(graph, labels, structure)
    best = int(mass.argmax())
    return Found(float(scores[best]) + graph.constant, labels[best], structure)


def _settled(
    graph: BlockScore, labels: Integers, max_blocks: int, structure: Structure, rng: np.random.Generator
) -> tuple[Floats, Integers]:
    """Nearest maxima of partitions, with their scores."""
    state = Partitions(graph, labels, int(labels.max()) + 1, structure)
    state = state.compact()
    if state.n_slots < max_blocks:
        state = state.compact(extra=1)
    update_half(state, 0.0, rng)
    ascend(state, rng)
    return state.scores(), state.labels


def _best_of(scores: Floats, labels: Integers, n_kept: int = _BEAM) -> tuple[Floats, Integers]:
    """The best few that differ in their scores."""
    _, first = np.unique(-np.round(scores, 6), return_index=True)
    return scores[first[:n_kept]], labels[first[:n_kept]]


def _proposals(graph: BlockScore, labels: Integers, max_blocks: int, structure: Structure, rng: np.random.Generator) -> Integers:
    """Other partitions near one: each block split, near pairs of blocks merged, and near pairs divided anew."""
    state = Partitions(graph, labels[None], int(labels.max()) + 1, structure).compact()
    labels, n_blocks = state.labels[0], state.n_slots
    pairs = _near_pairs(state) if n_blocks > 1 else []
    splits = [(r, n_blocks) for r in range(n_blocks) if (labels == r).sum() > 1 and n_blocks < max_blocks]
    merged = [np.where(labels == s, r, labels) for r, s in pairs]
    divided = _divide(graph, labels, 2 * splits + 2 * pairs, structure, rng)
    return np.stack([labels, *merged, *divided])


def _near_pairs(state: Partitions) -> list[tuple[int, int]]:
    """Pairs of blocks whose merging costs least."""
    gains, first, second = merge_gains(state)
    near = np.argsort(-gains[0])[:_PAIRS]
    return [(int(r), int(s)) for r, s in zip(first[near], second[near], strict=True)]


def _divide(
    graph: BlockScore, labels: Integers, pairs: list[tuple[int, int]], structure: Structure, rng: np.random.Generator
) -> Integers:
    """Throw the nodes of two blocks together and divide them anew, all other nodes staying; one partition per pair."""
    if not pairs:
        return np.zeros((0, len(labels)), np.intp)
    n_slots = int(max(labels.max(), max(s for _, s in pairs))) + 1
    member = np.stack([np.isin(labels, pair) for pair in pairs])
    drawn = np.where(rng.random(member.shape) < 0.5, *np.array(pairs).T[:, :, None])
    state = Partitions(graph, np.where(member, drawn, labels), n_slots, structure)
    anneal(state, _SHUFFLING, rng, _allowed(labels, member, pairs, n_slots))
    return state.labels


def _allowed(labels: Integers, member: NDArray[np.bool_], pairs: list[tuple[int, int]], n_slots: int) -> NDArray[np.bool_]:
    """Members of a pair may go to both of its blocks, all others only to their own."""
    own = np.arange(n_slots) == labels[:, None]
    both = np.array([np.isin(np.arange(n_slots), pair) for pair in pairs])
    return np.where(member[:, :, None], both[:, None], own[None])
