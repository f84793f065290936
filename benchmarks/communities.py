"""Communities of weighted graphs whose truth is known: ``python benchmarks/communities.py planted null lfr time``.

``planted`` compares the block model with a search that starts at the truth, and with the best that can be known (posterior
marginals given all mean weights and the number of blocks). ``lfr`` sets it beside Leiden and Louvain of scikit-network.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sknetwork.clustering import Leiden, Louvain
from threadpoolctl import threadpool_limits

from neurodecode.analysis.connectome import weighted_sbm
from neurodecode.analysis.connectome.block_partitions import STRUCTURES
from neurodecode.analysis.connectome.block_score import block_score, read_weights
from neurodecode.analysis.connectome.block_search import refine_partition
from neurodecode.metrics import adjusted_rand_index, mutual_information_chance, normalized_mutual_information
from neurodecode.simulate import PlantedGraph, block_pattern, planted_blocks, weighted_lfr

PLANTED: dict[str, dict[str, Any]] = {
    "assortative, ratio 3": {"pattern": "assortative", "n_blocks": 4, "ratio": 3.0},
    "assortative, ratio 2": {"pattern": "assortative", "n_blocks": 4, "ratio": 2.0},
    "core and periphery": {"pattern": "core_periphery", "n_blocks": 4},
    "random block means": {"pattern": "random", "n_blocks": 5},
}
LFR: dict[str, dict[str, float]] = {
    "base": {},
    "beta 0.5": {"beta": 0.5},
    "beta 1": {"beta": 1.0},
    "mu_t 0.25": {"mu_t": 0.25},
    "mu_t 0.75": {"mu_t": 0.75},
    "mean degree 10": {"mean_degree": 10.0},
    "mu_w 0.25": {"mu_w": 0.25},
    "mu_w 0.75": {"mu_w": 0.75},
    "base, other seeds": {},
}


def graph(seed: int, **pattern: Any) -> PlantedGraph:
    """A planted network of 80 nodes."""
    return planted_blocks(block_pattern(random_state=seed, **pattern), 80, random_state=seed)


def oracle(planted: PlantedGraph, n_sweeps: int = 300, burn_in: int = 100) -> NDArray[np.intp]:
    """Block of largest posterior probability, all mean weights and the number of blocks being known."""
    weights, labels, means = planted.weights, planted.truth["labels"].copy(), planted.truth["means"]
    rng, member, drawn = np.random.default_rng(0), np.eye(len(means))[labels], np.zeros((len(labels), len(means)))
    for sweep in range(n_sweeps):
        for i in rng.permutation(len(labels)):
            member[i] = 0
            fit = -np.log(means) @ member.sum(axis=0) - (1 / means) @ (weights[i] @ member)
            member[i, (fit + rng.gumbel(size=len(fit))).argmax()] = 1
        drawn += member if sweep >= burn_in else 0
    return drawn.argmax(axis=1)


def modular(method: Callable[..., Any], weights: NDArray[np.float64], seed: int) -> NDArray[np.intp]:
    """Communities of scikit-network with its default settings."""
    return np.asarray(method(shuffle_nodes=True, random_state=seed).fit_predict(csr_matrix(weights)))


def planted(n_seeds: int) -> None:
    """Score and adjusted Rand index of planted networks."""
    print(
        "| planted, 80 nodes | score at least the refined truth's | ARI | refined truth | oracle | Leiden | Louvain | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, pattern in PLANTED.items():
        rows = np.array([_planted_row(graph(seed, **pattern), seed) for seed in range(n_seeds)])
        means = " | ".join(f"{value:.3f}" for value in rows[:, 1:].mean(axis=0))
        print(f"| {name} | {int(rows[:, 0].sum())} of {n_seeds} | {means} |", flush=True)


def _planted_row(planted: PlantedGraph, seed: int) -> list[float]:
    truth, start = planted.truth["labels"], time.process_time()
    found = weighted_sbm(planted.weights, random_state=seed)
    seconds = time.process_time() - start
    scored = block_score(read_weights(planted.weights), "exponential", edges=False)
    refined = refine_partition(scored, truth, STRUCTURES, np.random.default_rng(0))
    reached = -found.description_length >= refined.score - 1e-6
    others = [oracle(planted), *(modular(method, planted.weights, seed) for method in (Leiden, Louvain))]
    scores = [adjusted_rand_index(truth, labels) for labels in (found.labels, refined.labels, *others)]
    return [float(reached), *scores, seconds]


def null(n_seeds: int) -> None:
    """How often one block is found where there is no more."""
    for n_nodes in (60, 80):
        ones = [
            weighted_sbm(planted_blocks([[1.0]], n_nodes, random_state=seed).weights, random_state=seed).labels.max() == 0
            for seed in range(n_seeds)
        ]
        print(f"null, {n_nodes} nodes: one block in {sum(ones)} of {n_seeds}", flush=True)


def lfr(n_seeds: int) -> None:
    """Benchmark graphs: NMI and ARI, chance of the NMI for these sizes of blocks, and numbers of blocks."""
    print("| setting | degree-corrected: NMI (chance) / ARI | shorter description | Leiden | Louvain | blocks found, planted |")
    print("|---|---|---|---|---|---|")
    for number, (name, setting) in enumerate(LFR.items()):
        first = 23 if number == len(LFR) - 1 else 13
        graphs = [weighted_lfr(random_state=seed, **setting) for seed in range(first, first + n_seeds)]  # type: ignore[arg-type]
        rows = np.array([_lfr_row(planted, seed) for seed, planted in enumerate(graphs)])
        m = rows.mean(axis=0)
        texts = [f"{m[0]:.2f} ({m[1]:.2f}) / {m[2]:.2f}", *(f"{m[k]:.2f} / {m[k + 1]:.2f}" for k in (3, 5, 7))]
        print(f"| {name} | {' | '.join(texts)} | {m[9]:.1f}, {m[10]:.1f} |", flush=True)


def _lfr_row(planted: PlantedGraph, seed: int) -> list[float]:
    truth = planted.truth["labels"]
    corrected, plain = (weighted_sbm(planted.weights, degree_corrected=c, random_state=seed) for c in (True, False))
    chosen = min(corrected, plain, key=lambda found: found.description_length)
    row = _agreement(truth, corrected.labels)
    row.insert(1, mutual_information_chance(truth, corrected.labels))
    for labels in (chosen.labels, *(modular(method, planted.weights, seed) for method in (Leiden, Louvain))):
        row += _agreement(truth, labels)
    return [*row, corrected.labels.max() + 1, truth.max() + 1]


def _agreement(truth: NDArray[np.intp], labels: NDArray[np.intp]) -> list[float]:
    return [normalized_mutual_information(truth, labels), adjusted_rand_index(truth, labels)]


def times(n_seeds: int) -> None:
    """Processor time by number of nodes."""
    for n_nodes in (50, 125, 300):
        taken = []
        for seed in range(n_seeds):
            weights = planted_blocks(block_pattern("assortative", 5), n_nodes, random_state=seed).weights
            start = time.process_time()
            weighted_sbm(weights, random_state=seed)
            taken.append(time.process_time() - start)
        print(f"{n_nodes} nodes: median {np.median(taken):.2f} s of processor time", flush=True)


def main() -> None:
    """Run what is named."""
    parts = {"planted": planted, "null": null, "lfr": lfr, "time": times}
    defaults = {"planted": 10, "null": 50, "lfr": 10, "time": 3}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*parts, []])
    parser.add_argument("--seeds", type=int, help="networks per setting")
    given = parser.parse_args()
    with threadpool_limits(1):
        for name in given.parts or parts:
            parts[name](given.seeds or defaults[name])


if __name__ == "__main__":
    main()
