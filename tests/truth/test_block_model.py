"""Planted communities are found, and none where there are none.

The whole tables (ten seeds each, benchmark graphs) are in docs/benchmarks.md; ``pytest -m slow`` repeats them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurodecode.analysis.connectome import WeightedSBM, weighted_sbm
from neurodecode.analysis.connectome.block_partitions import STRUCTURES
from neurodecode.analysis.connectome.block_score import block_score, read_weights
from neurodecode.analysis.connectome.block_search import refine_partition
from neurodecode.analysis.connectome.modularity import modular_partitions
from neurodecode.metrics import adjusted_rand_index
from neurodecode.simulate import PlantedGraph, block_pattern, planted_blocks, weighted_lfr

PLANTED: dict[str, dict[str, Any]] = {
    "ratio 3": {"pattern": "assortative", "n_blocks": 4, "ratio": 3.0},
    "ratio 2": {"pattern": "assortative", "n_blocks": 4, "ratio": 2.0},
    "core": {"pattern": "core_periphery", "n_blocks": 4},
    "random": {"pattern": "random", "n_blocks": 5},
}


def graph(name: str, seed: int) -> PlantedGraph:
    return planted_blocks(block_pattern(random_state=seed, **PLANTED[name]), 80, random_state=seed)


def compare(planted: PlantedGraph, seed: int, structure: Any = "auto") -> tuple[WeightedSBM, bool, float, float]:
    """What is found; whether its score reaches that of an ascent from the truth; adjusted Rand index of both."""
    truth, structures = planted.truth["labels"], STRUCTURES if structure == "auto" else (structure,)
    found = weighted_sbm(planted.weights, structure=structure, random_state=seed)
    scored = block_score(read_weights(planted.weights), "exponential", edges=False)
    refined = refine_partition(scored, truth, structures, np.random.default_rng(0))
    indices = (adjusted_rand_index(truth, labels) for labels in (found.labels, refined.labels))
    return found, -found.description_length >= refined.score - 1e-6, *indices


@pytest.mark.parametrize(("name", "structure"), [("ratio 2", "assortative"), ("core", "general"), ("random", "general")])
def test_search_reaches_what_a_start_at_the_truth_reaches(name: str, structure: str) -> None:
    """One network of each kind."""
    found, reached, index, refined = compare(graph(name, 2), 0)
    assert reached
    assert index > refined - 0.1
    assert found.structure == structure
    assert found.description_length < found.null_description_length - 15


@pytest.mark.slow
@pytest.mark.parametrize("structure", ["auto", "general"])
@pytest.mark.parametrize("name", PLANTED)
def test_ten_networks_of_each_kind(name: str, structure: str) -> None:
    rows = [compare(graph(name, seed), seed, structure)[1:] for seed in range(10)]
    reached, index, refined = np.mean(rows, axis=0)
    assert reached >= 0.9
    if structure == "auto" or name in ("ratio 3", "core"):
        assert index >= refined - 0.03


def null(seed: int, n_nodes: int) -> bool:
    """Whether one block is found in independent exponential weights."""
    found = weighted_sbm(planted_blocks([[1.0]], n_nodes, random_state=seed).weights, random_state=seed)
    assert (found.labels.max() == 0) == (found.description_length >= found.null_description_length - 1e-9)
    return bool(found.labels.max() == 0)


def test_no_communities_in_noise() -> None:
    assert sum(null(seed, 40) for seed in range(3)) == 3


@pytest.mark.slow
def test_no_communities_in_fifty_networks_of_noise() -> None:
    assert sum(null(seed, 60) for seed in range(50)) >= 48


def test_blocks_of_nodes_that_differ_in_strength() -> None:
    """Degree correction finds the blocks, without it nodes are sorted by strength; ``"auto"`` takes the shorter description."""
    planted = planted_blocks(block_pattern("assortative", 3, ratio=4.0), 45, spread=0.7)
    truth = planted.truth["labels"]
    plain, corrected = (weighted_sbm(planted.weights, degree_corrected=c, n_restarts=4, random_state=0) for c in (False, True))
    assert adjusted_rand_index(truth, corrected.labels) > 0.9
    assert adjusted_rand_index(truth, plain.labels) < 0.6
    assert corrected.description_length < plain.description_length - 20  # so "auto" would take it
    assert np.corrcoef(np.log(corrected.propensity), np.log(planted.truth["propensity"]))[0, 1] > 0.9
    even = planted_blocks(block_pattern("assortative", 3, ratio=4.0), 45).weights
    assert not weighted_sbm(even, degree_corrected="auto", n_restarts=4, random_state=0).degree_corrected


def test_blocks_of_blocks() -> None:
    """Six blocks in two groups of three."""
    planted = planted_blocks(block_pattern("nested", 6, ratio=3.0), 90)
    found = weighted_sbm(planted.weights, n_restarts=6, random_state=0)
    assert [level.max() + 1 for level in found.levels] == [6, 2, 1]
    assert adjusted_rand_index(planted.truth["labels"], found.labels) > 0.95
    assert adjusted_rand_index(planted.truth["labels"] // 3, found.levels[1]) == 1.0


def test_a_node_between_two_blocks_is_not_sure() -> None:
    """One node is tied to both blocks alike."""
    planted = planted_blocks(block_pattern("assortative", 2, ratio=4.0), 41)
    weights = planted.weights.copy()
    rng = np.random.default_rng(0)
    weights[0] = weights[:, 0] = np.r_[0.0, 2.0 + 0.2 * rng.random(40)]
    found = weighted_sbm(weights, n_restarts=5, random_state=0)
    assert found.labels.max() == 1
    assert found.confidence[0] < 0.6
    assert np.median(found.confidence[1:]) > 0.95


def test_communities_of_broad_degrees() -> None:
    """A benchmark graph of 125 nodes with half of all edges between its communities."""
    planted = weighted_lfr(random_state=14)
    found = weighted_sbm(planted.weights, degree_corrected=True, structure="general", n_restarts=4, random_state=0)
    louvain = modular_partitions(planted.weights, method="louvain")[0]
    truth = planted.truth["labels"]
    assert adjusted_rand_index(truth, found.labels) > 0.8
    assert adjusted_rand_index(truth, found.labels) > adjusted_rand_index(truth, louvain) + 0.2
