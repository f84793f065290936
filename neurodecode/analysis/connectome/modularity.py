"""Communities by modularity, through scikit-network."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from neurodecode.analysis.connectome.block_partitions import Integers
from neurodecode.analysis.connectome.block_score import read_weights
from neurodecode.data.validate import check_option, check_positive, require


def modular_partitions(
    W: ArrayLike,
    *,
    method: Literal["leiden", "louvain"] = "leiden",
    resolution: float = 1.0,
    n_runs: int = 1,
    random_state: int | None = 0,
) -> Integers:
    r"""Communities of largest modularity, through scikit-network.

    .. math:: Q = \frac{1}{2m} \sum_{ij} \Big(w_{ij} - \gamma \frac{s_i s_j}{2m}\Big) \delta(z_i, z_j)

    Groups whose members are *not* tied to each other, such as a periphery, are not found by it: see `weighted_sbm`.

    Parameters
    ----------
    W : array_like of shape (n_nodes, n_nodes)
        Weights, symmetric and at least 0; pairs that are NaN count as 0. The diagonal is not looked at.
    method : {"leiden", "louvain"}
        Traag, Waltman and van Eck (2019, Scientific Reports 9:5233) or Blondel et al. (2008, Journal of Statistical Mechanics
        P10008). Part of the Leiden algorithm of scikit-network draws from a generator that no seed reaches, so that runs of one
        seed may differ; those of Louvain do not.
    resolution : float
        The :math:`\gamma`; higher for more communities.
    n_runs : int
        Runs, each in a random order of the nodes.
    random_state : int, optional
        Seed.

    Returns
    -------
    NDArray[np.intp]
        Community of each node in each run, shape (n_runs, n_nodes).

    Raises
    ------
    MissingDependencyError
        If scikit-network is not installed.
    DataError
        If the weights are no such matrix, or the method is unknown.
    """
    from scipy.sparse import csr_matrix

    gamma, name = check_positive("resolution", resolution), check_option("method", method, ("leiden", "louvain"))
    weights = csr_matrix(np.nan_to_num(read_weights(W)))
    algorithm = getattr(require("sknetwork.clustering", "communities by modularity", "connectome"), name.capitalize())
    seeds = np.random.default_rng(random_state).integers(0, 2**31 - 1, n_runs)
    runs = [algorithm(resolution=gamma, shuffle_nodes=True, random_state=int(seed)).fit_predict(weights) for seed in seeds]
    return np.stack(runs).astype(np.intp)


def modularity(W: ArrayLike, labels: ArrayLike, *, resolution: float = 1.0) -> float:
    """Weight within communities above what the strengths of the nodes make expect, as a share of all weight.

    Parameters
    ----------
    W : array_like of shape (n_nodes, n_nodes)
        Weights, as in `modular_partitions`.
    labels : array_like of shape (n_nodes,)
        Community of each node.
    resolution : float
        Factor of the expectation.

    Returns
    -------
    float
        0 for one community (at a resolution of 1), below 1.

    Raises
    ------
    DataError
        If the weights are no such matrix.
    """
    weights = np.nan_to_num(read_weights(W))
    strength, z = weights.sum(axis=1), np.asarray(labels)
    together = z[:, None] == z
    total = strength.sum()
    return float(((weights - resolution * np.outer(strength, strength) / total) * together).sum() / total)
