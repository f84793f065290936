"""Many partitions of one graph at a time, with the sums that scores and moves need."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from neurodecode.analysis.connectome.block_score import BlockScore, Floats

Integers = NDArray[np.intp]
Structure = Literal["general", "communities", "assortative"]
STRUCTURES: tuple[Structure, ...] = ("assortative", "communities", "general")


class PartitionPrior(NamedTuple):
    r"""Description length of a partition: first how many blocks, then their sizes, then who is where.

    .. math:: \ln P(z) = \sum_k \ln n_k! - \ln N! - \ln \binom{N - 1}{B - 1} - \ln N

    (Peixoto 2017, Physical Review E 95:012317).
    """

    log_factorial: Floats
    """Logs of the factorials of 0 ... n_nodes, shape (n_nodes + 1,)."""
    log_number: Floats
    """The part that depends on the number of blocks, 0 ... n_nodes + 1, shape (n_nodes + 2,); -inf for none and too many."""

    def total(self, sizes: Integers) -> Floats:
        """Log probability of partitions.

        Parameters
        ----------
        sizes : array of shape (n_partitions, n_slots)
            Nodes of each block.

        Returns
        -------
        array of shape (n_partitions,)
            In nats.
        """
        n = len(self.log_factorial) - 1
        blocks = (sizes > 0).sum(axis=1)
        total: Floats = self.log_factorial[sizes].sum(axis=1) + self.log_number[blocks] - self.log_factorial[n] - np.log(n)
        return total


class Partitions:
    """Partitions of the nodes of one graph, all of them searched together.

    Parameters
    ----------
    graph : BlockScore
        Statistics of the graph.
    labels : NDArray[np.intp] of shape (n_partitions, n_nodes)
        Block of each node in each partition, below `n_slots`.
    n_slots : int
        Blocks there is room for; some may be empty.
    structure : {"general", "communities", "assortative"}
        Which pairs of blocks share a distribution.
    """

    def __init__(self, graph: BlockScore, labels: Integers, n_slots: int, structure: Structure) -> None:
        self.graph, self.structure, self.n_slots = graph, structure, n_slots
        self.labels = labels.copy()
        self.prior = partition_prior(labels.shape[1])
        self.rebuild()

    def rebuild(self) -> None:
        """Compute all sums from the labels."""
        member = np.zeros((*self.labels.shape, self.n_slots))
        np.put_along_axis(member, self.labels[:, :, None], 1.0, axis=2)
        self.sizes: Integers = member.sum(axis=1).astype(np.intp)
        self.links: Floats = self.graph.statistics[:, None] @ member  # from node to block: (n_statistics, n_partitions, N, B)
        self.sums: Floats = member.transpose(0, 2, 1) @ self.links  # from block to block: (n_statistics, n_partitions, B, B)
        every = np.arange(self.n_slots)
        self.sums[:, :, every, every] /= 2  # each pair within a block was counted from both ends
        self.refresh()

    def refresh(self) -> None:
        """Compute what follows from the sums between blocks."""
        self.within: Floats = np.diagonal(self.sums, axis1=2, axis2=3).copy()
        self.between: Floats = (self.sums.sum(axis=(2, 3)) - self.within.sum(axis=2)) / 2
        if self.structure == "general":
            self.evidence: Floats = self.graph.evidence(self.sums)

    def scores(self) -> Floats:
        """Log of prior times integrated likelihood of each partition, shape (n_partitions,), without the graph's constant."""
        return self.prior.total(self.sizes) + self._evidence()

    def _evidence(self) -> Floats:
        score = self.graph.evidence
        if self.structure == "general":
            halves: Floats = self.evidence.sum(axis=(1, 2)) + np.trace(self.evidence, axis1=1, axis2=2)
            return halves / 2
        inside = score(self.within.sum(axis=2)) if self.structure == "assortative" else score(self.within).sum(axis=1)
        total: Floats = inside + score(self.between)
        return total

    def move(self, rows: Integers, nodes: Integers, blocks: Integers) -> None:
        """Move one node of each of some partitions, and change the sums by what the node brings and takes.

        Parameters
        ----------
        rows, nodes, blocks : NDArray[np.intp] of shape (n_moved,)
            Partition, node, and its new block, which is not its present one; no partition twice.
        """
        old = self.labels[rows, nodes]
        brought = self.links[:, rows, nodes]
        self._add(rows, old, -brought)
        self._add(rows, blocks, brought)
        self.sizes[rows, old] -= 1
        self.sizes[rows, blocks] += 1
        self.labels[rows, nodes] = blocks
        statistics = self.graph.statistics[:, nodes].transpose(1, 0, 2)
        self.links[:, rows, :, old] -= statistics
        self.links[:, rows, :, blocks] += statistics
        self.refresh()

    def _add(self, rows: Integers, blocks: Integers, sums: Floats) -> None:
        """Add sums (n_statistics, n_moved, n_slots) to one block of some partitions, from both sides."""
        self.sums[:, rows, blocks] += sums
        self.sums[:, rows, :, blocks] += sums.transpose(1, 0, 2)
        self.sums[:, rows, blocks, blocks] -= sums[:, np.arange(len(rows)), blocks]

    def compact(self, extra: int = 0) -> Partitions:
        """The same partitions with blocks numbered from 0 and no more slots than the largest needs.

        Parameters
        ----------
        extra : int
            Empty slots besides.

        Returns
        -------
        Partitions
            Of the same graph.
        """
        labels = np.stack([np.unique(row, return_inverse=True)[1] for row in self.labels]).astype(np.intp)
        return Partitions(self.graph, labels, int(labels.max()) + 1 + extra, self.structure)


def partition_prior(n_nodes: int) -> PartitionPrior:
    """Tabulate the description length of partitions.

    Parameters
    ----------
    n_nodes : int
        Nodes to be partitioned.

    Returns
    -------
    PartitionPrior
        Its tables.
    """
    blocks = np.arange(1, n_nodes + 1)
    log_number = np.full(n_nodes + 2, -np.inf)
    log_number[1:-1] = gammaln(blocks) + gammaln(n_nodes - blocks + 1) - gammaln(n_nodes)
    return PartitionPrior(gammaln(np.arange(n_nodes + 1) + 1.0), log_number)
