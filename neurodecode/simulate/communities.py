"""Weighted graphs with planted communities: blocks of any pattern, and benchmark graphs with broad degrees."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.simulate.truth import Truth, item_generator

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
PATTERNS = ("assortative", "core_periphery", "random", "nested")


class PlantedGraph(NamedTuple):
    """A weighted graph and its communities."""

    weights: Floats
    """Symmetric, shape (n_nodes, n_nodes), with a diagonal of 0."""
    truth: Truth
    """``labels`` (n_nodes,) and what else its generator says."""


def block_pattern(
    pattern: Literal["assortative", "core_periphery", "random", "nested"] = "assortative",
    n_blocks: int = 4,
    *,
    ratio: float = 3.0,
    random_state: int = 0,
) -> Floats:
    """Mean weights between blocks.

    Parameters
    ----------
    pattern : {"assortative", "core_periphery", "random", "nested"}
        ``ratio`` within blocks and 1 between; products of two levels of coreness, from 2 down to 0.4; uniform between 0.3 and 2
        for each pair of blocks; or groups of three blocks each, with ``ratio`` squared within blocks, ``ratio`` within groups
        and 1 between.
    n_blocks : int
        Blocks; a multiple of three for nested ones.
    ratio : float
        See above.
    random_state : int
        Seed of the random pattern.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_blocks, n_blocks), symmetric.

    Raises
    ------
    DataError
        If the pattern is unknown or the number of blocks does not fit.
    """
    check_option("pattern", pattern, PATTERNS)
    if n_blocks < 2 or (pattern == "nested" and n_blocks % 3):
        raise DataError(f"n_blocks must be 2 or more, and a multiple of 3 for nested blocks, got {n_blocks}")
    diagonal = np.eye(n_blocks, dtype=bool)
    if pattern == "assortative":
        return np.where(diagonal, check_positive("ratio", ratio), 1.0)
    if pattern == "core_periphery":
        core = np.interp(np.linspace(0, 3, n_blocks), np.arange(4), [2.0, 1.2, 0.7, 0.4])
        return np.outer(core, core)
    if pattern == "nested":
        group = np.arange(n_blocks) // 3
        return np.where(diagonal, ratio**2, np.where(group[:, None] == group, check_positive("ratio", ratio), 1.0))
    drawn = np.triu(item_generator(random_state, "pattern").uniform(0.3, 2.0, (n_blocks, n_blocks)))
    return drawn + np.triu(drawn, 1).T


def planted_blocks(
    means: ArrayLike,
    n_nodes: int = 80,
    *,
    spread: float = 0.0,
    density: float = 1.0,
    random_state: int = 0,
) -> PlantedGraph:
    r"""Simulate exponential weights whose mean depends on the blocks of both nodes: :math:`w_{ij} \sim t_i t_j\,\mathrm{Exp}`.

    Parameters
    ----------
    means : array_like of shape (n_blocks, n_blocks)
        Mean weights, symmetric and above 0.
    n_nodes : int
        Nodes, divided evenly over the blocks in random order.
    spread : float
        Standard deviation of the logarithm of the propensities t of the nodes; 0 for none.
    density : float
        Probability of an edge, above 0 up to 1.
    random_state : int
        Seed.

    Returns
    -------
    PlantedGraph
        The truth holds ``labels``, ``means`` and ``propensity``.

    Raises
    ------
    DataError
        If means are no such matrix, there are fewer nodes than blocks, or a number is out of range.
    """
    mu = np.asarray(means, dtype=np.float64)
    if mu.ndim != 2 or mu.shape[0] != mu.shape[1] or not (mu > 0).all() or not np.allclose(mu, mu.T):
        raise DataError(f"means must be a symmetric square matrix above 0, got shape {mu.shape} from {mu.min(initial=0.0):g} up")
    if n_nodes < len(mu) or not 0 < density <= 1 or not spread >= 0:
        needed = f"n_nodes must be at least the {len(mu)} blocks, density above 0 up to 1, spread 0 or more"
        raise DataError(f"{needed}, got {n_nodes}, {density} and {spread}")
    labels = item_generator(random_state, "labels").permutation(np.arange(n_nodes) % len(mu)).astype(np.intp)
    t = np.exp(spread * item_generator(random_state, "propensity").standard_normal(n_nodes))
    weights = item_generator(random_state, "weights").exponential(mu[labels][:, labels] * np.outer(t, t))
    present = item_generator(random_state, "edges").random(weights.shape) < density
    upper = np.triu(np.where(present, weights, 0.0), 1)
    parameters = {"n_nodes": n_nodes, "spread": spread, "density": density}
    truth = Truth("planted_blocks", random_state, parameters, {"labels": labels, "means": mu, "propensity": t})
    return PlantedGraph(upper + upper.T, truth)


def weighted_lfr(
    n_nodes: int = 125,
    *,
    mean_degree: float = 25.0,
    max_degree: int = 100,
    mu_t: float = 0.5,
    mu_w: float = 0.5,
    beta: float = 2.0,
    degree_exponent: float = 2.0,
    size_exponent: float = 1.0,
    random_state: int = 0,
) -> PlantedGraph:
    r"""Simulate a benchmark graph with power laws of degrees and community sizes.

    Degrees follow :math:`k^{-\tau_1}` and sizes of communities :math:`n^{-\tau_2}`. A share :math:`\mu_t` of the edges of each
    node leaves its community; its strength is :math:`k^\beta`, of which a share :math:`\mu_w` lies on those edges. This is the
    undirected benchmark of Lancichinetti and Fortunato (2009, Physical Review E 80:016118) without overlap, written anew: edges
    are drawn by matching stubs, stubs that find no partner are left out, and weights are scaled until strengths fit, as far as
    they can: a strong node whose partners are weak stays below its strength. A community has at most half of the nodes, or the
    others could not return its edges. Graph and communities need not be connected.

    Parameters
    ----------
    n_nodes : int
        Nodes.
    mean_degree : float
        Mean of the degrees.
    max_degree : int
        Largest degree, below `n_nodes`; also the largest community, if that is below half of the nodes.
    mu_t : float
        Share of the edges of a node that leaves its community, from 0 to 1.
    mu_w : float
        Share of its strength on those edges, from 0 to 1.
    beta : float
        Exponent of strength over degree.
    degree_exponent, size_exponent : float
        The :math:`\tau_1` and :math:`\tau_2`.
    random_state : int
        Seed.

    Returns
    -------
    PlantedGraph
        The truth holds ``labels``, the ``degree`` and ``strength`` that were asked for, and as parameters the shares that came
        about, ``mixing_edges`` and ``mixing_weights``.

    Raises
    ------
    DataError
        If a number is out of range, or degrees cannot have that mean.
    """
    if not 0 <= mu_t <= 1 or not 0 <= mu_w <= 1 or not 1 < mean_degree < max_degree < n_nodes:
        raise DataError(
            "mu_t and mu_w must be shares, and 1 < mean_degree < max_degree < n_nodes, "
            f"got {mu_t}, {mu_w}, {mean_degree}, {max_degree} and {n_nodes}"
        )
    rng = item_generator(random_state, "graph")
    degree = _degrees(n_nodes, mean_degree, max_degree, degree_exponent, rng)
    inner = np.floor((1 - mu_t) * degree + rng.random(n_nodes)).astype(np.intp)
    sizes = _sizes(n_nodes, int(degree.min()), min(max_degree, n_nodes // 2), size_exponent, rng)
    labels = _assign(inner, sizes, rng)
    inner = np.minimum(inner, np.bincount(labels)[labels] - 1)
    adjacency = _match(inner, labels, True, rng) | _match(degree - inner, labels, False, rng)
    strength = degree.astype(np.float64) ** beta
    weights = _weigh(adjacency, labels, strength, mu_w)
    same = labels[:, None] == labels
    given: dict[str, Any] = {"mu_t": mu_t, "mu_w": mu_w, "beta": beta, "mean_degree": mean_degree, "max_degree": max_degree}
    reached = {"mixing_edges": _share(adjacency, ~same), "mixing_weights": _share(weights, ~same)}
    truth = Truth("weighted_lfr", random_state, given | reached, {"labels": labels, "degree": degree, "strength": strength})
    return PlantedGraph(weights, truth)


def _share(values: NDArray[Any], where: NDArray[np.bool_]) -> float:
    return float(values[where].sum() / max(values.sum(), 1e-300))


def _power_law(low: float, high: float, exponent: float, n: int, rng: np.random.Generator) -> Floats:
    """Draw from a density x^-exponent between two bounds."""
    u, power = rng.random(n), 1.0 - exponent
    if abs(power) < 1e-9:
        return low * (high / low) ** u
    drawn: Floats = (low**power + u * (high**power - low**power)) ** (1 / power)
    return drawn


def _mean_of_power_law(low: float, high: float, exponent: float) -> float:
    x = np.linspace(low, high, 4001)
    density = x**-exponent
    return float(np.trapezoid(x * density, x) / np.trapezoid(density, x))


def _degrees(n: int, mean: float, largest: int, exponent: float, rng: np.random.Generator) -> Integers:
    """Degrees of that mean; the smallest follows from it."""
    from scipy.optimize import brentq

    if _mean_of_power_law(1.0, largest, exponent) > mean:
        raise DataError(f"degrees up to {largest} with exponent {exponent} have a mean above {mean}: lower max_degree")
    low = brentq(lambda x: _mean_of_power_law(x, largest, exponent) - mean, 1.0, largest - 1e-6)
    return np.clip(np.round(_power_law(low, largest, exponent, n, rng)), 1, largest).astype(np.intp)


def _sizes(n: int, low: int, high: int, exponent: float, rng: np.random.Generator) -> Integers:
    """Sizes of communities that sum to all nodes."""
    sizes: list[int] = []
    while sum(sizes) < n:
        sizes.append(round(float(_power_law(min(low, high), high, exponent, 1, rng)[0])))
    last = n - sum(sizes[:-1])
    if last >= low or len(sizes) == 1:
        return np.array([*sizes[:-1], last], np.intp)
    return np.array(sizes[:-1], np.intp) + np.bincount(np.arange(last) % (len(sizes) - 1), minlength=len(sizes) - 1)


def _assign(inner: Integers, sizes: Integers, rng: np.random.Generator) -> Integers:
    """Communities at random, each larger than the degrees inside it; nodes of large degree choose first."""
    labels, room = np.zeros(len(inner), np.intp), sizes.copy()
    for node in np.argsort(-inner, kind="stable"):
        fitting = np.flatnonzero((room > 0) & (sizes > inner[node]))
        if not len(fitting):
            fitting = np.flatnonzero(room == room.max())
        labels[node] = rng.choice(fitting, p=room[fitting] / room[fitting].sum())
        room[labels[node]] -= 1
    return labels


def _match(degree: Integers, labels: Integers, inside: bool, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Edges of the given degrees within communities, or between them: the node with most open stubs takes its partners first."""
    open_stubs, adjacency = degree.copy(), np.zeros((len(degree), len(degree)), bool)
    allowed = ((labels[:, None] == labels) == inside) & ~np.eye(len(degree), dtype=bool)
    for _ in range(len(degree)):
        node = int(np.argmax(open_stubs))
        partners = np.flatnonzero(allowed[node] & ~adjacency[node] & (open_stubs > 0))
        order = np.argsort(-(np.log(open_stubs[partners]) + rng.gumbel(size=len(partners))))
        chosen = partners[order[: open_stubs[node]]]
        adjacency[node, chosen] = adjacency[chosen, node] = True
        open_stubs[chosen] -= 1
        open_stubs[node] = 0
    return adjacency


def _weigh(adjacency: NDArray[np.bool_], labels: Integers, strength: Floats, mu_w: float) -> Floats:
    """Weights whose sums inside and outside of its community are, for each node, its shares of its strength."""
    same = labels[:, None] == labels
    total = np.zeros(adjacency.shape)
    for part, share in ((adjacency & same, 1 - mu_w), (adjacency & ~same, mu_w)):
        weights = part * np.sqrt(np.outer(strength, strength))
        for _ in range(200):
            present = weights.sum(axis=1)
            ratio = np.where(present > 0, share * strength / np.where(present > 0, present, 1.0), 1.0)
            weights *= np.sqrt(np.outer(ratio, ratio))
        total += weights
    return total
