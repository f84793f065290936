"""Gains of moves and merges are differences of scores; sweeps draw from the posterior; searches end at maxima."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodecode.analysis.connectome.block_gains import merge_gains, move_gains
from neurodecode.analysis.connectome.block_moves import agglomerate, anneal, ascend, gibbs_sweep
from neurodecode.analysis.connectome.block_partitions import STRUCTURES, Partitions, Structure
from neurodecode.analysis.connectome.block_score import BlockScore, Propensities, block_score, read_weights
from neurodecode.analysis.connectome.block_search import mass_of, refine_partition, search_partition
from neurodecode.simulate import block_pattern, planted_blocks


def make_graph(seed: int, n: int = 10, model: str = "exponential", edges: bool = True, corrected: bool = False) -> BlockScore:
    """Weights of two kinds, some without an edge, one never observed."""
    rng = np.random.default_rng(seed)
    w = np.triu(rng.exponential(1.0 + 2 * (np.add.outer(np.arange(n), np.arange(n)) % 2 == 0)), 1)
    w = np.where(rng.random((n, n)) < 0.8, w, 0.0 if edges else 0.1 * (w > 0))
    w = w + w.T
    w[0, 1] = w[1, 0] = np.nan
    given = Propensities(rng.uniform(0.5, 2, n), rng.uniform(0.5, 2, n), 1.0) if corrected else None
    return block_score(read_weights(w), model, edges, given)  # type: ignore[arg-type]


def rescored(state: Partitions, labels: np.ndarray) -> np.ndarray:
    """Scores of other labels, from nothing."""
    return Partitions(state.graph, labels, state.n_slots, state.structure).scores()


CASES = st.tuples(
    st.integers(0, 1000),
    st.sampled_from(STRUCTURES),
    st.sampled_from(["exponential", "lognormal"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
)


def make_state(case: tuple[int, Structure, str, bool, bool, int]) -> tuple[Partitions, np.random.Generator]:
    """Two partitions with some empty slots."""
    seed, structure, model, edges, corrected, n_blocks = case
    rng = np.random.default_rng(seed)
    graph = make_graph(seed, 10, model, edges, corrected)
    return Partitions(graph, rng.integers(0, n_blocks, (2, 10)), n_blocks + 2, structure), rng


@settings(max_examples=40, deadline=None)
@given(case=CASES)
def test_gains_of_moves_are_differences_of_scores(case: tuple[int, Structure, str, bool, bool, int]) -> None:
    state, _ = make_state(case)
    nodes = np.broadcast_to(np.arange(10), (2, 10))
    gains, before = move_gains(state, nodes), state.scores()
    for node, block in product(range(10), range(state.n_slots)):
        labels = state.labels.copy()
        labels[:, node] = block
        possible = np.isfinite(gains[:, node, block])
        np.testing.assert_allclose((rescored(state, labels) - before)[possible], gains[possible, node, block], atol=1e-9)
        assert (possible | (state.sizes[:, block] == 0)).all(), "only empty blocks are left out"
    np.testing.assert_array_equal(np.take_along_axis(gains, state.labels[:, :, None], axis=2), 0.0)
    alone = np.take_along_axis(state.sizes, state.labels, axis=1) == 1
    offered = np.isfinite(gains) & (state.sizes[:, None] == 0)
    np.testing.assert_array_equal(offered.sum(axis=2), np.where(alone, 0, 1), "one empty block, or the own one")


@settings(max_examples=30, deadline=None)
@given(case=CASES)
def test_gains_of_merges_are_differences_of_scores(case: tuple[int, Structure, str, bool, bool, int]) -> None:
    state, _ = make_state(case)
    gains, first, second = merge_gains(state)
    before = state.scores()
    for pair, (r, s) in enumerate(zip(first, second, strict=True)):
        possible = (state.sizes[:, r] > 0) & (state.sizes[:, s] > 0)
        np.testing.assert_array_equal(np.isfinite(gains[:, pair]), possible)
        difference = rescored(state, np.where(state.labels == s, r, state.labels)) - before
        np.testing.assert_allclose(gains[possible, pair], difference[possible], atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(case=CASES)
def test_sums_follow_the_moves(case: tuple[int, Structure, str, bool, bool, int]) -> None:
    state, rng = make_state(case)
    for _ in range(20):
        nodes, blocks = rng.integers(0, 10, 2), rng.integers(0, state.n_slots, 2)
        rows = np.flatnonzero(blocks != state.labels[np.arange(2), nodes])
        if rows.size:
            state.move(rows, nodes[rows], blocks[rows])
    moved, scores = (
        {name: getattr(state, name).copy() for name in ("sizes", "sums", "links", "within", "between")},
        state.scores(),
    )
    state.rebuild()
    for name, values in moved.items():
        np.testing.assert_allclose(values, getattr(state, name), atol=1e-10, err_msg=name)
    np.testing.assert_allclose(scores, state.scores(), atol=1e-10)


def test_many_nodes_at_once_are_as_one_by_one() -> None:
    """Gains are computed in portions of bounded memory."""
    state = Partitions(make_graph(0, 200), np.random.default_rng(0).integers(0, 12, (30, 200)), 14, "general")
    nodes = np.broadcast_to(np.arange(200), (30, 200))
    whole = move_gains(state, nodes)
    for node in (0, 57, 199):
        np.testing.assert_allclose(move_gains(state, nodes[:, [node]])[:, 0], whole[:, node], atol=1e-9)


def set_partitions(n: int) -> list[tuple[int, ...]]:
    """All partitions of n nodes, blocks numbered in the order in which they appear."""
    found: list[tuple[int, ...]] = [()]
    for _ in range(n):
        found = [(*labels, block) for labels in found for block in range(max(labels, default=-1) + 2)]
    return found


def canonical(labels: np.ndarray) -> tuple[int, ...]:
    seen: dict[int, int] = {}
    return tuple(seen.setdefault(int(block), len(seen)) for block in labels)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_sweeps_draw_from_the_posterior(structure: Structure) -> None:
    """Four nodes have 15 partitions: frequencies of 24,000 draws are their probabilities."""
    graph = make_graph(3, 4)
    every = set_partitions(4)
    scores = np.concatenate([Partitions(graph, np.array([labels]), 5, structure).scores() for labels in every])
    expected = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    state, rng = Partitions(graph, np.zeros((60, 4), np.intp), 5, structure), np.random.default_rng(0)
    counts = dict.fromkeys(every, 0)
    for sweep in range(410):
        gibbs_sweep(state, rng)
        for labels in state.labels if sweep >= 10 else ():
            counts[canonical(labels)] += 1
    drawn = np.array([counts[labels] for labels in every]) / 24_000
    np.testing.assert_allclose(drawn, expected, atol=0.015)
    assert expected.max() < 0.9


@pytest.mark.parametrize("structure", STRUCTURES)
def test_ascent_ends_where_no_single_move_gains(structure: Structure) -> None:
    rng = np.random.default_rng(1)
    state = Partitions(make_graph(1, 30), rng.integers(0, 5, (6, 30)), 6, structure)
    before = state.scores()
    ascend(state, rng)
    assert (state.scores() > before).all()
    assert move_gains(state, np.broadcast_to(np.arange(30), (6, 30))).max() <= 1e-9


def test_the_way_down_passes_through_one_block() -> None:
    """So no search ends below the score of one block for all."""
    rng = np.random.default_rng(2)
    noise = np.triu(rng.exponential(1.0, (20, 20)), 1)
    graph = block_score(read_weights(noise + noise.T), "exponential", edges=False)
    state = Partitions(graph, rng.integers(0, 8, (5, 20)), 8, "general")
    start = state.labels.copy()
    scores, labels = agglomerate(state, rng)
    np.testing.assert_array_equal(state.labels, start)
    np.testing.assert_allclose(scores, Partitions(graph, labels, 8, "general").scores(), atol=1e-9)
    assert (scores >= Partitions(graph, np.zeros((1, 20), np.intp), 1, "general").scores()[0] - 1e-9).all()


def test_nodes_that_are_held_stay() -> None:
    rng = np.random.default_rng(3)
    state = Partitions(make_graph(4, 20), rng.integers(0, 4, (3, 20)), 4, "general")
    start = state.labels.copy()
    allowed = np.arange(4) == start[:, :, None]
    allowed[:, :5] = True
    anneal(state, 6, rng, allowed)
    np.testing.assert_array_equal(state.labels[:, 5:], start[:, 5:])
    assert (state.labels[:, :5] != start[:, :5]).any()


@pytest.mark.parametrize("structure", STRUCTURES)
def test_search_finds_the_best_of_all_partitions(structure: Structure) -> None:
    """Seven nodes have 877 partitions, all of which are scored."""
    graph = make_graph(8, 7)
    every = np.array(set_partitions(7))
    best = Partitions(graph, every, 7, structure).scores().max() + graph.constant
    found = search_partition(graph, [structure], np.random.default_rng(0), n_restarts=4, max_blocks=7)
    assert found.score == pytest.approx(best)
    refined = refine_partition(graph, found.labels, [structure], np.random.default_rng(0))
    assert refined.score == pytest.approx(best)


def test_search_keeps_to_the_number_of_blocks() -> None:
    graph = make_graph(5, 24)
    found = search_partition(graph, STRUCTURES, np.random.default_rng(0), n_restarts=3, max_blocks=2)
    assert found.labels.max() <= 1


def test_mass_counts_what_single_moves_reach() -> None:
    graph = make_graph(3, 6)
    labels = np.array([[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1]])
    for row, found in zip(labels, mass_of(graph, labels, "general"), strict=True):
        here = Partitions(graph, row[None], 4, "general").scores()[0]
        expected = here
        for node in range(6):
            ways = np.tile(row, (row.max() + 2, 1))  # each block, and one of its own
            ways[:, node] = np.arange(len(ways))
            expected += np.log(np.exp(Partitions(graph, ways, 4, "general").scores() - here).sum())
        assert found == pytest.approx(expected)


def test_a_narrow_peak_gives_way_to_a_wide_one() -> None:
    pattern = {"pattern": "random", "n_blocks": 5, "random_state": 6}
    planted = planted_blocks(block_pattern(**pattern), 80, random_state=6)
    graph = block_score(planted.weights, "exponential", edges=False)
    found = search_partition(graph, STRUCTURES, np.random.default_rng(0))
    truth = refine_partition(graph, planted.truth["labels"], STRUCTURES, np.random.default_rng(0))
    assert len(np.unique(found.labels)) == 5
    assert found.score >= truth.score - 1e-6
