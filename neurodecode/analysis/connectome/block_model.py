"""Communities of a weighted graph by a stochastic block model: blocks of nodes that connect alike, however that is."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from neurodecode.analysis.connectome.block_degrees import fit_propensities
from neurodecode.analysis.connectome.block_partitions import STRUCTURES, Integers, Partitions, Structure
from neurodecode.analysis.connectome.block_posterior import (
    agreement,
    block_levels,
    block_means,
    confidence_of,
    sample_together,
)
from neurodecode.analysis.connectome.block_score import WEIGHT_MODELS, BlockScore, Floats, WeightModel, block_score, read_weights
from neurodecode.analysis.connectome.block_search import Found, refine_partition, search_partition
from neurodecode.analysis.connectome.modularity import modular_partitions, modularity
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

_REFITS = 2  # propensities given the blocks, blocks given the propensities


class WeightedSBM(NamedTuple):
    """Communities of a weighted graph."""

    labels: Integers
    """Block of each node, shape (n_nodes,), numbered from the largest block on."""
    description_length: float
    """Minus the log of prior times likelihood in nats; lower is better, comparable between partitions of the same weights."""
    null_description_length: float
    """The same with one block for all nodes: no community structure."""
    block_means: Floats
    """Mean weight within and between blocks, shape (n_blocks, n_blocks); NaN where there is no pair."""
    levels: tuple[Integers, ...]
    """Block of each node at each level of the hierarchy: `labels` first, one block for all last."""
    confidence: Floats
    """Shape (n_nodes,), 1 for sure: expected overlap of a node's block with its company in draws from the posterior."""
    co_assignment: Floats
    """Share of draws in which two nodes are in one block, shape (n_nodes, n_nodes)."""
    propensity: Floats
    """How large the weights of each node are whatever its block, shape (n_nodes,); 1 without degree correction."""
    structure: Structure
    """Which pairs of blocks share a distribution of weights."""
    weight_model: WeightModel
    """Distribution of the weights."""
    degree_corrected: bool
    """Whether nodes have propensities."""
    edges: bool
    """Whether weights of 0 were taken as pairs without an edge."""
    method: str
    """Who found the partition: ``"sbm"`` or ``"leiden"``."""


class _Task(NamedTuple):
    """What is to be found in which graph."""

    weights: Floats
    edges: bool
    structures: Sequence[Structure]
    starts: Integers | None
    fixed: Integers | None
    n_restarts: int
    max_blocks: int


class _Fit(NamedTuple):
    """A partition with the graph as it was scored."""

    found: Found
    graph: BlockScore
    model: WeightModel
    propensity: Floats | None
    null: float


def weighted_sbm(
    W: ArrayLike,
    *,
    random_state: int | None = None,
    method: Literal["sbm", "leiden"] = "sbm",
    degree_corrected: bool | Literal["auto"] = False,
    weight_model: WeightModel | Literal["auto"] = "exponential",
    structure: Structure | Literal["auto"] = "auto",
    edges: bool | Literal["auto"] = "auto",
    n_restarts: int = 20,
    max_blocks: int = 15,
    resolution: float = 1.0,
) -> WeightedSBM:
    r"""Find the blocks of a weighted graph and how many there are.

    The weights of each pair of blocks (r, s) are exponential with a rate of their own, which is integrated out; for n pairs of
    sum s the log likelihood is

    .. math:: a \ln b - \ln\Gamma(a) + \ln\Gamma(a + n) - (a + n) \ln(b + s), \qquad a = 1,\ b = a \bar w

    and a partition costs its description length (`PartitionPrior`). Of the maxima near the highest one, the one around which
    most of the posterior lies is returned. So blocks are found whatever their pattern is (assortative, core and periphery, any
    other), their number needs no choice, and one block is returned where nothing speaks for more. This is the weighted model of
    Aicher, Jacobs and Clauset (2015, Journal of Complex Networks 3:221) and Peixoto (2018, Physical Review E 97:012306) with a
    search of our own. A rate per pair of blocks costs about 3 nats each and hides weak communities; therefore two simpler
    structures compete by their description length: one rate within each block and one between all (``"communities"``), and one
    within all and one between all (``"assortative"``; Zhang and Peixoto 2020, Physical Review Research 2:043271).

    The graph is undirected. One that is not connected is no special case: a pair without an edge is data, too.

    Parameters
    ----------
    W : array_like of shape (n_nodes, n_nodes)
        Weights, symmetric and at least 0. NaN where a pair was never observed: such a pair counts neither for nor against
        anything. The diagonal is not looked at.
    random_state : int, optional
        Seed; without one, results may differ between calls.
    method : {"sbm", "leiden"}
        The block model, or communities of largest modularity, the best of all restarts, which then are scored by it.
        scikit-network's Leiden draws from a generator that no seed reaches: on graphs without clear communities its result may
        differ between calls of one seed.
    degree_corrected : bool or "auto"
        Whether each node has a propensity, so that blocks do not follow degrees and strengths; ``"auto"`` keeps the shorter
        description.
    weight_model : {"exponential", "lognormal", "auto"}
        Distribution of the weights within a pair of blocks.
    structure : {"auto", "general", "communities", "assortative"}
        Which pairs of blocks share a distribution; ``"auto"`` keeps the shortest description.
    edges : bool or "auto"
        Whether a weight of 0 is a pair without an edge, with a probability per pair of blocks (uniform prior); ``"auto"`` where
        there is one.
    n_restarts : int
        Random partitions to start from. Communities by modularity (Louvain, five runs) are tried as well if scikit-network is
        installed.
    max_blocks : int
        Blocks at most. A warning says when they are all used.
    resolution : float
        Of the modularity.

    Returns
    -------
    WeightedSBM
        Blocks, their hierarchy and how sure they are.

    Raises
    ------
    DataError
        If the weights are no such matrix, or an option is none of those above.
    MissingDependencyError
        If ``method="leiden"`` and scikit-network is not installed (``pip install 'neurodecode[connectome]'``).

    Warns
    -----
    UserWarning
        If there may be more blocks than `max_blocks`.
    """
    weights, rng = read_weights(W), np.random.default_rng(random_state)
    check_option("method", method, ("sbm", "leiden"))
    models: Sequence[WeightModel] = _choices("weight_model", weight_model, WEIGHT_MODELS)
    corrections: Sequence[bool] = _choices("degree_corrected", degree_corrected, (False, True))
    n_runs, n_blocks = _at_least_one("n_restarts", n_restarts), _at_least_one("max_blocks", max_blocks)
    runs = _modular(weights, method, n_runs, resolution, rng)
    fixed = (
        None if method == "sbm" or runs is None else max(runs, key=lambda run: modularity(weights, run, resolution=resolution))
    )
    task = _Task(
        weights, _with_edges(weights, edges), _choices("structure", structure, STRUCTURES), runs, fixed, n_runs, n_blocks
    )
    fits = [_fit(task, model, corrected, rng) for model, corrected in product(models, corrections)]
    best = max(fits, key=lambda fit: fit.found.score)
    if method == "sbm" and best.found.labels.max() + 1 >= n_blocks > 1 and n_blocks < len(weights):
        warnings.warn(f"all of max_blocks={n_blocks} blocks are used: there may be more, raise it", stacklevel=2)
    return _summary(task, best, rng)


def _choices(name: str, value: Any, options: Sequence[Any]) -> Sequence[Any]:
    """All options, or the one that was asked for."""
    return options if value == "auto" else (check_option(name, value, options),)


def _at_least_one(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise DataError(f"{name} must be a whole number from 1 up, got {value!r}")
    return int(value)


def _with_edges(weights: Floats, edges: bool | str) -> bool:
    """Whether zeros are pairs without an edge."""
    off_diagonal = weights[~np.eye(len(weights), dtype=bool)]
    return bool((off_diagonal == 0).any()) if edges == "auto" else bool(check_option("edges", edges, (False, True)))


def _modular(weights: Floats, method: str, n_runs: int, resolution: float, rng: np.random.Generator) -> Integers | None:
    """Communities by modularity: Leiden if asked for; as starts Louvain, which a seed repeats, if there is scikit-network."""
    seed = int(rng.integers(2**31))
    if method == "leiden":
        return modular_partitions(weights, resolution=resolution, n_runs=n_runs, random_state=seed)
    if importlib.util.find_spec("sknetwork") is None:
        return None
    return modular_partitions(weights, method="louvain", resolution=resolution, n_runs=min(n_runs, 5), random_state=seed)


def _fit(task: _Task, model: WeightModel, corrected: bool, rng: np.random.Generator) -> _Fit:
    """Find the blocks with or without propensities."""
    nobody = np.zeros(len(task.weights), np.intp)
    graph = block_score(task.weights, model, task.edges)
    null = _score(graph, nobody, "general").score
    if not corrected:
        return _Fit(_found(task, graph, rng), graph, model, None, null)
    fits, found = [], Found(null, nobody, "assortative")
    for refit in range(1 + _REFITS):
        given = fit_propensities(task.weights, found.labels, found.structure, model, task.edges)
        graph = block_score(task.weights, model, task.edges, given)
        null = max(null, _score(graph, nobody, "general").score)
        found = _found(task, graph, rng) if refit == 0 else _refound(task, graph, found, rng)
        fits.append(_Fit(found, graph, model, given.weights, null))
    return max(fits, key=lambda fit: fit.found.score)._replace(null=null)


def _found(task: _Task, graph: BlockScore, rng: np.random.Generator) -> Found:
    """The best partition, or the given one with its score."""
    if task.fixed is not None:
        return max((_score(graph, task.fixed, structure) for structure in task.structures), key=lambda found: found.score)
    options: dict[str, Any] = {"n_restarts": task.n_restarts, "max_blocks": task.max_blocks, "starts": task.starts}
    return search_partition(graph, task.structures, rng, **options)


def _refound(task: _Task, graph: BlockScore, found: Found, rng: np.random.Generator) -> Found:
    """The partition after its propensities have changed."""
    return _found(task, graph, rng) if task.fixed is not None else refine_partition(graph, found.labels, task.structures, rng)


def _score(graph: BlockScore, labels: Integers, structure: Structure) -> Found:
    """A partition as it is."""
    state = Partitions(graph, labels[None], int(labels.max()) + 1, structure)
    return Found(float(state.scores()[0]) + graph.constant, labels, structure)


def _summary(task: _Task, fit: _Fit, rng: np.random.Generator) -> WeightedSBM:
    """All that is reported of a partition."""
    labels, structure = _by_size(fit.found.labels), fit.found.structure
    runs = None if task.fixed is None else task.starts
    together = sample_together(fit.graph, labels, structure, rng) if runs is None else agreement(runs)
    return WeightedSBM(
        labels=labels,
        description_length=-fit.found.score,
        null_description_length=-fit.null,
        block_means=block_means(task.weights, labels),
        levels=block_levels(task.weights, labels, rng),
        confidence=confidence_of(together, labels),
        co_assignment=together,
        propensity=np.ones(len(labels)) if fit.propensity is None else fit.propensity,
        structure=structure,
        weight_model=fit.model,
        degree_corrected=fit.propensity is not None,
        edges=task.edges,
        method="sbm" if runs is None else "leiden",
    )


def _by_size(labels: Integers) -> Integers:
    """Blocks numbered from the largest on; of equal ones the one whose first node comes first."""
    _, first, block, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), np.intp)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[block]
