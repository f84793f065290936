"""How well blocks describe the weights of a graph: integrated likelihoods of sums over pairs of nodes.

Everything that is scored is a function of statistics that add up over pairs (how many pairs, how many edges, the sum of the
weights, ...). So a move of one node changes a score by differences of such sums, and a pair that was never observed adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

Floats = NDArray[np.float64]
Evidence = Callable[[Floats], Floats]
WeightModel = Literal["exponential", "lognormal"]
WEIGHT_MODELS = ("exponential", "lognormal")


class BlockScore(NamedTuple):
    """A graph as statistics that add up over pairs, and the score of a set of pairs."""

    statistics: Floats
    """One matrix per statistic, shape (n_statistics, n_nodes, n_nodes), symmetric with a diagonal of 0."""
    evidence: Evidence
    """From summed statistics, shape (n_statistics, ...), to the log of the integrated likelihood, shape (...); 0 for no pair."""
    constant: float
    """What does not depend on the blocks: changes of variables and the cost of fitted propensities, in nats."""


class Propensities(NamedTuple):
    """How strongly each node connects whatever its block; all are 1 without degree correction."""

    edges: Floats
    """Of having edges, shape (n_nodes,)."""
    weights: Floats
    """Of having large weights, shape (n_nodes,)."""
    cost: float
    """Their description length in nats."""


@dataclass(frozen=True)
class ExponentialWeights:
    r"""Weights with an exponential distribution whose rate has a Gamma prior, integrated out.

    .. math:: \ln \int \prod_k \lambda e^{-\lambda w_k}\, \Gamma(\lambda; a, b)\, d\lambda
       = a \ln b - \ln\Gamma(a) + \ln\Gamma(a + n) - (a + n) \ln(b + s)

    with a = 1, for n weights of sum s.
    """

    rate: float
    """The b of the prior: the mean weight, so that the prior is centred on one block for all."""
    log_factorial: Floats
    """Logs of the factorials of 0, 1, 2, ..., shape (n_largest + 1,)."""

    def __call__(self, statistics: Floats) -> Floats:
        """Score sums of the statistics count and weight."""
        n, total = statistics
        score: Floats = self.log_factorial[n.astype(np.intp)] - (n + 1.0) * np.log(total + self.rate) + np.log(self.rate)
        return score


@dataclass(frozen=True)
class LogNormalWeights:
    r"""Logarithms of weights with a normal distribution, mean and variance integrated out.

    With a normal prior of the mean (worth one observation) and an inverse Gamma prior of the variance, both centred on the mean
    and variance of all log weights x, and x counted from their mean,

    .. math:: \ln p = \ln\Gamma(1 + \tfrac n2) - \tfrac n2 \ln 2\pi - \tfrac12 \ln(1 + n) + \ln \beta
       - (1 + \tfrac n2) \ln\Big(\beta + \tfrac12 \sum x^2 - \tfrac{(\sum x)^2}{2 (1 + n)}\Big).
    """

    spread: float
    r"""The :math:`\beta` of the prior: the variance of all log weights."""
    log_gamma: Floats
    """Logs of the Gamma function of 1, 1.5, 2, 2.5, ..., shape (n_largest + 1,)."""

    def __call__(self, statistics: Floats) -> Floats:
        """Score sums of the statistics count, log weight and squared log weight."""
        n, total, squares = statistics
        left = self.spread + np.maximum(squares - total**2 / (n + 1.0), 0.0) / 2
        constant = self.log_gamma[n.astype(np.intp)] - n * (np.log(2 * np.pi) / 2) - np.log(n + 1.0) / 2
        score: Floats = constant + np.log(self.spread) - (n / 2 + 1.0) * np.log(left)
        return score


@dataclass(frozen=True)
class BernoulliEdges:
    r"""Whether pairs have an edge, its probability integrated out over a uniform prior: :math:`\ln B(1 + m, 1 + n - m)`."""

    log_factorial: Floats
    """Logs of the factorials of 0, 1, 2, ..., shape (n_largest + 2,)."""

    def __call__(self, statistics: Floats) -> Floats:
        """Score sums of the statistics pairs and edges."""
        n, m = statistics.astype(np.intp)
        score: Floats = self.log_factorial[m] + self.log_factorial[n - m] - self.log_factorial[n + 1]
        return score


@dataclass(frozen=True)
class PoissonEdges:
    r"""Edges of nodes that differ in their propensity :math:`\theta`: a rate per product of propensities, integrated out.

    .. math:: \ln b + \ln m! - (1 + m) \ln(b + x), \qquad x = \sum \theta_i \theta_j

    for m edges. As in the degree-corrected block model of Karrer and Newman (2011), edges are taken as rare.
    """

    rate: float
    """The b of the prior: mean exposure per edge."""
    log_factorial: Floats
    """Logs of the factorials of 0, 1, 2, ..., shape (n_largest + 1,)."""

    def __call__(self, statistics: Floats) -> Floats:
        """Score sums of the statistics exposure and edges."""
        exposure, m = statistics
        score: Floats = self.log_factorial[m.astype(np.intp)] - (m + 1.0) * np.log(exposure + self.rate) + np.log(self.rate)
        return score


def read_weights(weights: ArrayLike) -> Floats:
    """Check a matrix of weights.

    Parameters
    ----------
    weights : array_like of shape (n_nodes, n_nodes)
        Symmetric, at least 0; NaN where a pair was never observed. The diagonal is not looked at.

    Returns
    -------
    NDArray[np.float64]
        A copy with a diagonal of 0.

    Raises
    ------
    DataError
        If it is not such a matrix of at least two nodes, or holds no weight above 0.
    """
    w = np.array(weights, dtype=np.float64)
    if w.ndim != 2 or w.shape[0] != w.shape[1] or len(w) < 2:
        raise DataError(f"weights must be a square matrix of at least two nodes, got shape {w.shape}")
    np.fill_diagonal(w, 0.0)
    if np.isinf(w).any() or (w < 0).any():
        i, j = np.argwhere(np.isinf(w) | (w < 0))[0]
        raise DataError(
            f"weights must be finite and at least 0, weight ({i}, {j}) is {w[i, j]}: take absolute or positive values"
        )
    if not np.allclose(w, w.T, rtol=1e-6, atol=1e-12 * float(np.nanmax(w, initial=0.0)), equal_nan=True):
        i, j = np.argwhere(~np.isclose(w, w.T, rtol=1e-6, equal_nan=True))[0]
        found = f"({i}, {j}) is {w[i, j]} and ({j}, {i}) is {w[j, i]}"
        raise DataError(f"weights must be symmetric, {found}: give (W + W.T) / 2 of a directed graph")
    if not np.nansum(w) > 0:
        raise DataError(f"weights must hold at least one value above 0, the largest is {np.nanmax(w, initial=0.0)}")
    return (w + w.T) / 2


def block_score(weights: Floats, model: WeightModel, edges: bool, propensities: Propensities | None = None) -> BlockScore:
    """Statistics of a graph, and how sets of its pairs are scored.

    Parameters
    ----------
    weights : NDArray[np.float64] of shape (n_nodes, n_nodes)
        As `read_weights` returns them.
    model : {"exponential", "lognormal"}
        Distribution of the weights within a block of pairs.
    edges : bool
        Whether a weight of 0 is a pair without an edge, which is then modelled apart from the weights of the edges.
    propensities : Propensities, optional
        Those of each node; none without degree correction.

    Returns
    -------
    BlockScore
        The graph as the search sees it.

    Raises
    ------
    DataError
        If the model is unknown, or there are weights of 0 that no log-normal distribution has.
    """
    check_option("weight_model", model, WEIGHT_MODELS)
    observed = ~np.isnan(weights) & ~np.eye(len(weights), dtype=bool)
    present = observed & (np.nan_to_num(weights) > 0) if edges else observed
    values, constant = _values(np.nan_to_num(weights), present, model, propensities)
    counted = present.astype(np.float64)
    factorials = gammaln(np.arange(len(weights) * (len(weights) + 1) // 2 + 2) + 1.0)  # of all pairs, and of one node's once more
    of_weights = _weight_evidence(values, present, model, factorials)
    if not edges:
        return BlockScore(np.stack([counted, *values]), of_weights, constant)
    if propensities is None:
        return BlockScore(np.stack([observed, counted, *values]), _both(BernoulliEdges(factorials), of_weights), constant)
    exposure = np.where(observed, np.outer(propensities.edges, propensities.edges), 0.0)
    rare = PoissonEdges(float(exposure.sum() / counted.sum()), factorials)
    constant += float(counted.sum(axis=1) @ np.log(propensities.edges))
    return BlockScore(np.stack([exposure, counted, *values]), _both(rare, of_weights), constant)


def _values(
    weights: Floats, present: NDArray[np.bool_], model: WeightModel, propensities: Propensities | None
) -> tuple[list[Floats], float]:
    """What is summed of the weights, and the logarithm of the change of variables."""
    scale = np.zeros(len(weights)) if propensities is None else np.log(propensities.weights)
    cost = 0.0 if propensities is None else propensities.cost
    if model == "exponential":
        values = np.where(present, weights * np.exp(-np.add.outer(scale, scale)), 0.0)
        return [values], -float(present.sum(axis=1) @ scale) - cost
    if (weights[present] <= 0).any():
        zeros = int((weights[present] <= 0).sum()) // 2
        raise DataError(f"{zeros} weights are 0 and have no logarithm: count them as pairs without an edge, edges=True")
    logs = np.log(np.where(present, weights, 1.0))
    jacobian = -float(logs.sum()) / 2
    logs = np.where(present, logs - np.add.outer(scale, scale), 0.0)
    logs = np.where(present, logs - logs.sum() / present.sum(), 0.0)
    return [logs, logs**2], jacobian - cost


def _weight_evidence(values: list[Floats], present: NDArray[np.bool_], model: WeightModel, factorials: Floats) -> Evidence:
    if model == "exponential":
        return ExponentialWeights(float(values[0].sum() / present.sum()), factorials)
    spread = max(float(values[1].sum() / present.sum()), 1e-12)
    return LogNormalWeights(spread, gammaln(1.0 + np.arange(len(factorials)) / 2))


def _both(of_edges: Evidence, of_weights: Evidence) -> Evidence:
    """Score edges by the first two statistics and weights by all but the first."""
    return lambda statistics: of_edges(statistics[:2]) + of_weights(statistics[1:])
