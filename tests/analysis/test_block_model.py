"""What `weighted_sbm` takes and returns; whether it is right is tested in tests/truth/test_block_model.py."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from neurodecode.analysis.connectome import WeightedSBM, weighted_sbm
from neurodecode.analysis.connectome.block_posterior import agreement, block_levels, block_means, confidence_of
from neurodecode.analysis.connectome.modularity import modular_partitions, modularity
from neurodecode.errors import DataError, MissingDependencyError
from neurodecode.metrics import adjusted_rand_index
from neurodecode.simulate import block_pattern, planted_blocks

QUICK: dict[str, Any] = {"n_restarts": 4, "random_state": 0}


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray]:
    """Weights and labels of three blocks, of 15, 10 and 5 nodes."""
    labels = np.repeat([0, 1, 2], [15, 10, 5])
    means = np.array([[8.0, 1.0, 1.0], [1.0, 8.0, 1.0], [1.0, 1.0, 8.0]])
    upper = np.triu(np.random.default_rng(0).exponential(means[labels][:, labels]), 1)
    return upper + upper.T, labels


@pytest.fixture(scope="module")
def found(planted: tuple[np.ndarray, np.ndarray]) -> WeightedSBM:
    return weighted_sbm(planted[0], **QUICK)


def test_every_field(planted: tuple[np.ndarray, np.ndarray], found: WeightedSBM) -> None:
    weights, labels = planted
    np.testing.assert_array_equal(found.labels, labels)  # numbered from the largest block on
    assert found.description_length < found.null_description_length - 50
    same = labels[:, None] == labels
    assert found.block_means[0, 1] == pytest.approx(weights[:15, 15:25].mean())
    assert found.block_means[1, 1] == pytest.approx(weights[15:25, 15:25].sum() / 90)
    np.testing.assert_array_equal(found.levels[0], labels)
    assert (found.levels[-1] == 0).all()
    assert found.confidence.shape == (30,)
    assert found.confidence.min() > 0.9
    assert found.co_assignment[same].min() > found.co_assignment[~same].max()
    np.testing.assert_array_equal(np.diag(found.co_assignment), pytest.approx(1.0))
    np.testing.assert_array_equal(found.propensity, 1.0)
    assert found[8:] == ("assortative", "exponential", False, False, "sbm")


def test_same_seed_same_result(planted: tuple[np.ndarray, np.ndarray], found: WeightedSBM) -> None:
    weights = planted[0].copy()
    again = weighted_sbm(weights, **QUICK)
    for a, b in zip(found[:8], again[:8], strict=True):
        np.testing.assert_array_equal(np.hstack(a) if isinstance(a, tuple) else a, np.hstack(b) if isinstance(b, tuple) else b)
    np.testing.assert_array_equal(weights, planted[0])


def test_order_of_the_nodes_does_not_matter(
    planted: tuple[np.ndarray, np.ndarray], found: WeightedSBM, rng: np.random.Generator
) -> None:
    order = rng.permutation(30)
    other = weighted_sbm(planted[0][order][:, order], **QUICK)
    np.testing.assert_array_equal(other.labels, found.labels[order])
    assert other.description_length == pytest.approx(found.description_length)


def test_units_and_diagonal_do_not_matter(planted: tuple[np.ndarray, np.ndarray], found: WeightedSBM) -> None:
    weights = planted[0] * 1e-3
    np.fill_diagonal(weights, 99.0)
    other = weighted_sbm(weights, **QUICK)
    np.testing.assert_array_equal(other.labels, found.labels)
    gain = found.null_description_length - found.description_length
    assert other.null_description_length - other.description_length == pytest.approx(gain)


def test_pairs_that_were_not_observed_are_left_out(planted: tuple[np.ndarray, np.ndarray], rng: np.random.Generator) -> None:
    weights, labels = planted[0].copy(), planted[1]
    missing = np.triu(rng.random((30, 30)) < 0.3, 1)
    weights[missing | missing.T] = np.nan
    found = weighted_sbm(weights, **QUICK)
    assert adjusted_rand_index(labels, found.labels) > 0.9
    assert np.isfinite(found.block_means).all()
    filled = np.where(np.isnan(weights), 0.0, weights)
    assert weighted_sbm(filled, **QUICK).edges
    assert not found.edges


@pytest.mark.parametrize("structure", ["general", "communities", "assortative"])
@pytest.mark.parametrize("model", ["exponential", "lognormal"])
def test_each_model_on_its_own(planted: tuple[np.ndarray, np.ndarray], structure: Any, model: Any) -> None:
    found = weighted_sbm(planted[0], structure=structure, weight_model=model, **QUICK)
    assert (found.structure, found.weight_model) == (structure, model)
    assert adjusted_rand_index(planted[1], found.labels) > 0.6


def test_the_better_weight_model_is_kept(planted: tuple[np.ndarray, np.ndarray]) -> None:
    labels = planted[1]
    noise = np.triu(np.random.default_rng(1).normal(0, 0.3, (30, 30)), 1)
    lognormal = np.exp(np.where(labels[:, None] == labels, 1.0, 0.0) + noise + noise.T)
    found = weighted_sbm(lognormal, weight_model="auto", structure="assortative", **QUICK)
    assert found.weight_model == "lognormal"
    assert weighted_sbm(planted[0], weight_model="auto", structure="assortative", **QUICK).weight_model == "exponential"
    assert adjusted_rand_index(labels, found.labels) == 1.0


def test_edges_alone_make_blocks(rng: np.random.Generator) -> None:
    """Weights of one distribution, edges of two probabilities."""
    labels = np.arange(40) % 2
    present = np.triu(rng.random((40, 40)) < np.where(labels[:, None] == labels, 0.6, 0.15), 1)
    upper = present * rng.exponential(1.0, (40, 40))
    found = weighted_sbm(upper + upper.T, **QUICK)
    assert found.edges
    assert adjusted_rand_index(labels, found.labels) > 0.9


def test_two_nodes() -> None:
    found = weighted_sbm([[0.0, 2.0], [2.0, 0.0]], **QUICK)
    np.testing.assert_array_equal(found.labels, 0)
    assert found.description_length == pytest.approx(found.null_description_length)
    assert len(found.levels) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "louvain"}, "method='louvain'"),
        ({"weight_model": "normal"}, "weight_model='normal'"),
        ({"structure": "assortativ"}, "did you mean 'assortative'"),
        ({"degree_corrected": "yes"}, "degree_corrected='yes'"),
        ({"edges": "no"}, "edges='no'"),
        ({"n_restarts": 0}, "n_restarts must be a whole number from 1 up, got 0"),
        ({"max_blocks": 2.5}, r"got 2\.5"),
        ({"method": "leiden", "resolution": -1.0}, r"resolution .* -1\.0"),
    ],
)
def test_options_that_do_not_exist(planted: tuple[np.ndarray, np.ndarray], options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        weighted_sbm(planted[0], **options)


def test_a_warning_says_that_there_may_be_more_blocks(planted: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.warns(UserWarning, match="max_blocks=2"):
        weighted_sbm(planted[0], max_blocks=2, **QUICK)


class TestLeiden:
    """Communities of largest modularity, with the fields of the block model."""

    def test_partition_with_its_description(self, planted: tuple[np.ndarray, np.ndarray], found: WeightedSBM) -> None:
        leiden = weighted_sbm(planted[0], method="leiden", **QUICK)
        assert leiden.method == "leiden"
        np.testing.assert_array_equal(leiden.labels, planted[1])
        assert leiden.description_length == pytest.approx(found.description_length)
        assert leiden.confidence.shape == (30,)

    def test_modularity_is_that_of_scikit_network(self, planted: tuple[np.ndarray, np.ndarray]) -> None:
        from scipy.sparse import csr_matrix
        from sknetwork.clustering import get_modularity

        weights, labels = planted
        for resolution in (1.0, 1.7):
            expected = get_modularity(csr_matrix(weights), labels, resolution=resolution)
            assert modularity(weights, labels, resolution=resolution) == pytest.approx(expected, abs=1e-6)
        assert modularity(weights, np.zeros(30)) == pytest.approx(0.0, abs=1e-12)

    def test_runs_differ_and_repeat(self) -> None:
        noise = planted_blocks([[1.0]], 40).weights
        runs, again = (modular_partitions(noise, method="louvain", n_runs=6, random_state=3) for _ in range(2))
        assert runs.shape == (6, 40)
        assert len(np.unique(runs, axis=0)) > 1
        np.testing.assert_array_equal(again, runs)
        leiden = modular_partitions(noise, n_runs=6, random_state=3)
        assert max(modularity(noise, run) for run in leiden) >= np.mean([modularity(noise, run) for run in runs])

    def test_without_scikit_network(self, planted: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
        """The block model does without; Leiden says which extra brings it."""
        real, import_module = importlib.util.find_spec, importlib.import_module
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "sknetwork" else real(name, *rest))

        def refuse(name: str, *rest: Any) -> Any:
            if name.startswith("sknetwork"):
                raise ImportError(name)
            return import_module(name, *rest)

        monkeypatch.setattr(importlib, "import_module", refuse)
        np.testing.assert_array_equal(weighted_sbm(planted[0], **QUICK).labels, planted[1])
        with pytest.raises(MissingDependencyError, match=r"neurodecode\[connectome\]"):
            weighted_sbm(planted[0], method="leiden", **QUICK)


class TestSummaries:
    """Means, agreement, confidence and levels."""

    def test_means_skip_diagonal_and_missing_pairs(self) -> None:
        weights = np.array([[9.0, 2.0, 4.0], [2.0, 9.0, np.nan], [4.0, np.nan, 9.0]])
        np.testing.assert_array_equal(block_means(weights, np.array([0, 0, 1])), [[2.0, 4.0], [4.0, np.nan]])

    def test_agreement(self) -> None:
        shared = agreement(np.array([[0, 0, 1], [1, 0, 0]]))
        np.testing.assert_array_equal(shared, [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])

    def test_confidence(self) -> None:
        """A node drawn half of the time to another block of its size: overlap over union, about a third."""
        sure = np.repeat([0, 1], 50)
        moved = sure.copy()
        moved[0] = 1
        confidence = confidence_of(agreement(np.stack([sure, moved])), sure)
        assert confidence[0] == pytest.approx((1 + 49 / 2) / (50 + 50 / 2))
        assert confidence[1:].min() > 0.95
        np.testing.assert_allclose(confidence_of(agreement(sure[None]), sure), 1.0)

    def test_levels_end_in_one_block(self, rng: np.random.Generator) -> None:
        graph = planted_blocks(block_pattern("nested", 6, ratio=4.0), 60)
        levels = block_levels(graph.weights, graph.truth["labels"], rng)
        assert [level.max() + 1 for level in levels] == [6, 2, 1]
        np.testing.assert_array_equal(
            levels[1],
            np.where(
                graph.truth["labels"] < 3, levels[1][graph.truth["labels"] == 0][0], 1 - levels[1][graph.truth["labels"] == 0][0]
            ),
        )

    def test_blocks_without_any_edge_between_them(self, rng: np.random.Generator) -> None:
        weights = np.kron(np.eye(5), np.ones((4, 4)))
        np.fill_diagonal(weights, 0.0)
        assert [level.max() for level in block_levels(weights, np.repeat(np.arange(5), 4), rng)] == [4, 0]
