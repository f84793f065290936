"""How sure the place of each node is, and how blocks group into blocks of blocks."""

from __future__ import annotations

import numpy as np

from neurodecode.analysis.connectome.block_moves import gibbs_sweep
from neurodecode.analysis.connectome.block_partitions import STRUCTURES, Integers, Partitions, Structure
from neurodecode.analysis.connectome.block_score import BlockScore, Floats, block_score, read_weights
from neurodecode.analysis.connectome.block_search import search_partition

_CHAINS = 10  # run side by side, at little more cost than one
_BURN_IN = 3


def sample_together(
    graph: BlockScore, labels: Integers, structure: Structure, rng: np.random.Generator, n_sweeps: int = 10
) -> Floats:
    """How often two nodes share a block in partitions drawn from the posterior around one of its maxima.

    Parameters
    ----------
    graph : BlockScore
        Statistics of the graph.
    labels : NDArray[np.intp] of shape (n_nodes,)
        The maximum, where 10 chains of Gibbs sweeps start.
    structure : {"general", "communities", "assortative"}
        Which pairs of blocks share a distribution.
    rng : numpy.random.Generator
        Source of the draws.
    n_sweeps : int
        Sweeps of each chain that count, after three that do not.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_nodes, n_nodes), with a diagonal of 1.
    """
    state = Partitions(graph, np.tile(labels, (_CHAINS, 1)), int(labels.max()) + 1, structure).compact(extra=2)
    together = np.zeros((len(labels), len(labels)))
    for sweep in range(_BURN_IN + n_sweeps):
        gibbs_sweep(state, rng)
        state.rebuild()
        if sweep >= _BURN_IN:
            together += agreement(state.labels) / n_sweeps
    return together


def agreement(labels: Integers) -> Floats:
    """Share of partitions in which two nodes are together.

    Parameters
    ----------
    labels : NDArray[np.intp] of shape (n_partitions, n_nodes)
        Block of each node in each partition.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_nodes, n_nodes).
    """
    shared: Floats = np.zeros((labels.shape[1], labels.shape[1]))
    for row in labels:
        shared += row[:, None] == row
    return shared / len(labels)


def confidence_of(together: Floats, labels: Integers) -> Floats:
    r"""How well the company that each node keeps in the drawn partitions is its block.

    .. math:: \sum_{j \in z_i} p_{ij} \Big/ \Big( n_{z_i} + \sum_{j \notin z_i} p_{ij} \Big)

    with the probability :math:`p_{ij}` that i and j share a block: the expected overlap of its block with where it is drawn to,
    over their union. A node that is drawn half of the time to another block of the same size has about 1/3.

    Parameters
    ----------
    together : NDArray[np.float64] of shape (n_nodes, n_nodes)
        Share of draws in which two nodes are together.
    labels : NDArray[np.intp] of shape (n_nodes,)
        Block of each node.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_nodes,), above 0 up to 1.
    """
    own = labels[:, None] == labels
    inside, outside = (together * own).sum(axis=1), (together * ~own).sum(axis=1)
    confidence: Floats = inside / (own.sum(axis=1) + outside)
    return confidence


def block_means(weights: Floats, labels: Integers) -> Floats:
    """Mean weight within and between blocks.

    Parameters
    ----------
    weights : NDArray[np.float64] of shape (n_nodes, n_nodes)
        Symmetric; NaN where a pair was never observed. The diagonal does not count.
    labels : NDArray[np.intp] of shape (n_nodes,)
        Block of each node, numbered from 0.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_blocks, n_blocks); NaN where there is no pair, as within a block of one node.
    """
    member = np.eye(int(labels.max()) + 1)[labels]
    observed = (~np.isnan(weights) & ~np.eye(len(weights), dtype=bool)).astype(np.float64)
    total, count = (member.T @ values @ member for values in (np.nan_to_num(weights) * observed, observed))
    means: Floats = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    return means


def block_levels(weights: Floats, labels: Integers, rng: np.random.Generator) -> tuple[Integers, ...]:
    """Blocks, blocks of blocks, and so on until one is left.

    The mean weights between the blocks of one level are the weights of a graph, whose blocks are the next level. Its weights are
    log-normal, since means of many weights scatter much less than single ones do.

    Parameters
    ----------
    weights : NDArray[np.float64] of shape (n_nodes, n_nodes)
        Weights of the graph.
    labels : NDArray[np.intp] of shape (n_nodes,)
        Block of each node, numbered from 0.
    rng : numpy.random.Generator
        Source of the draws of the search.

    Returns
    -------
    tuple of NDArray[np.intp]
        Block of each node at each level, each of shape (n_nodes,): first `labels`, last one block for all.
    """
    levels = [labels]
    while levels[-1].max() > 0:
        upper = _upper_blocks(block_means(weights, levels[-1]), rng)
        coarser = upper.max() < levels[-1].max()
        levels.append(upper[levels[-1]] if coarser else np.zeros_like(labels))
    return tuple(levels)


def _upper_blocks(means: Floats, rng: np.random.Generator) -> Integers:
    """Group blocks by their mean weights to the others."""
    n_blocks = len(means)
    positive = means[~np.eye(n_blocks, dtype=bool) & (np.nan_to_num(means) > 0)]
    if n_blocks < 4 or not len(positive):
        return np.zeros(n_blocks, np.intp)
    filled = np.where(means == 0, positive.min() / 2, means)
    graph = block_score(read_weights(filled), "lognormal", edges=False)
    found = search_partition(graph, STRUCTURES, rng, n_restarts=10, max_blocks=n_blocks - 1)
    return np.unique(found.labels, return_inverse=True)[1].astype(np.intp)
