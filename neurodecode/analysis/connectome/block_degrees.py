"""Propensities of nodes: how much of degree and strength belongs to the node and not to its block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodecode.analysis.connectome.block_partitions import Integers, Structure
from neurodecode.analysis.connectome.block_score import Floats, Propensities, WeightModel

_ROUNDS = 50  # the moments are matched to about 1e-6 by then


def fit_propensities(weights: Floats, labels: Integers, structure: Structure, model: WeightModel, edges: bool) -> Propensities:
    r"""Fit propensities given the blocks, by moments: the expected strength of each node is its observed one.

    Edges have the expectation :math:`\lambda_{rs} \theta_i \theta_j`, and weights :math:`\mu_{rs} \phi_i \phi_j`. Both sets have
    a geometric mean of 1, within each block where each pair of blocks has rates of its own, which then carry the level. Their
    description length is that of a standard normal prior of the logarithms, by Laplace's method.

    Parameters
    ----------
    weights : NDArray[np.float64] of shape (n_nodes, n_nodes)
        Symmetric with a diagonal of 0; NaN where a pair was never observed.
    labels : NDArray[np.intp] of shape (n_nodes,)
        Block of each node.
    structure : {"general", "communities", "assortative"}
        Which pairs of blocks share rates.
    model : {"exponential", "lognormal"}
        Distribution of the weights.
    edges : bool
        Whether a weight of 0 is a pair without an edge.

    Returns
    -------
    Propensities
        Of edges and of weights.
    """
    observed = ~np.isnan(weights) & ~np.eye(len(weights), dtype=bool)
    known = np.nan_to_num(weights)
    present = observed & (known > 0) if edges else observed
    classes, groups = pair_classes(labels, structure), labels if structure == "general" else np.zeros_like(labels)
    of_weights, information = _weight_propensities(known, present, classes, groups, model)
    cost = _laplace(of_weights, information)
    if not edges:
        return Propensities(np.ones(len(weights)), of_weights, cost)
    of_edges, expected = _balance(present.astype(np.float64), observed.astype(np.float64), classes, groups)
    return Propensities(of_edges, of_weights, cost + _laplace(of_edges, expected))


def pair_classes(labels: Integers, structure: Structure) -> Integers:
    """Number of the distribution of each pair of nodes.

    Parameters
    ----------
    labels : NDArray[np.intp] of shape (n_nodes,)
        Block of each node.
    structure : {"general", "communities", "assortative"}
        Which pairs of blocks share a distribution.

    Returns
    -------
    NDArray[np.intp]
        Shape (n_nodes, n_nodes), symmetric.
    """
    low, high = np.minimum.outer(labels, labels), np.maximum.outer(labels, labels)
    if structure == "general":
        return low * (int(labels.max()) + 1) + high
    inside = 1 + low if structure == "communities" else np.ones_like(low)
    return np.where(low == high, inside, 0)


def _weight_propensities(
    weights: Floats, present: NDArray[np.bool_], classes: Integers, groups: Integers, model: WeightModel
) -> tuple[Floats, Floats]:
    """Propensities of the weights of edges, and the Fisher information of their logarithms."""
    counted = present.astype(np.float64)
    if model == "exponential":
        return _balance(np.where(present, weights, 0.0), counted, classes, groups)[0], counted
    logs, shift = np.log(np.where(present, weights, 1.0)), np.zeros(len(weights))
    for _ in range(_ROUNDS):
        residual = np.where(present, logs - np.add.outer(shift, shift), 0.0)
        residual = np.where(present, residual - _class_means(residual, counted, classes), 0.0)
        shift = _centred(shift + residual.sum(axis=1) / (counted.sum(axis=1) + 1.0), groups)
    return np.exp(shift), counted * counted.sum() / max(float((residual**2).sum()), 1e-12)


def _balance(values: Floats, exposure: Floats, classes: Integers, groups: Integers) -> tuple[Floats, Floats]:
    """Propensities that make expected row sums equal to observed ones, and the expected values of all pairs.

    Half a typical value is added to both, so that a node without any edge has a propensity, too.
    """
    theta, half = np.ones(len(values)), values.sum() / np.count_nonzero(values) / 2
    for _ in range(_ROUNDS):
        exposed = exposure * np.outer(theta, theta)
        expected = exposed * _class_means(values, exposed, classes)
        ratio = (values.sum(axis=1) + half) / (expected.sum(axis=1) + half)
        theta = np.exp(_centred(np.log(theta) + np.log(ratio) / 2, groups))
    return theta, expected


def _class_means(values: Floats, exposure: Floats, classes: Integers) -> Floats:
    """Sum of values over sum of exposures of the class of each pair, shape (n_nodes, n_nodes)."""
    total = np.bincount(classes.ravel(), values.ravel())
    means: Floats = (total / np.maximum(np.bincount(classes.ravel(), exposure.ravel()), 1e-300))[classes]
    return means


def _centred(logs: Floats, groups: Integers) -> Floats:
    """Logarithms less their mean within each group."""
    return logs - (np.bincount(groups, logs) / np.maximum(np.bincount(groups), 1))[groups]


def _laplace(theta: Floats, information: Floats) -> float:
    """Description length of propensities whose logarithms have a standard normal prior."""
    curvature = information + np.diag(information.sum(axis=1) + 1.0)
    return float((np.log(theta) ** 2).sum() + np.linalg.slogdet(curvature)[1]) / 2
