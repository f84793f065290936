"""Variance partitioning: identities, nested folds, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from neurodecode.compare import variance_partition
from neurodecode.compare.partition_result import VariancePartition, shapley_values, subsets, venn_regions
from neurodecode.data import Responses
from neurodecode.errors import DataError
from neurodecode.linear import BandedRidgeCV
from neurodecode.simulate.encoding import planted_bands

RUNS = np.repeat(np.arange(4), 40)


def arrays(n_spaces: int = 2) -> tuple[list[np.ndarray], np.ndarray]:
    """Feature spaces that share a latent, and targets driven by all of them."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((160, 3))
    spaces = [np.hstack([shared, rng.standard_normal((160, 4))]).astype(np.float32) for _ in range(n_spaces)]
    y = sum(x @ rng.standard_normal((7, 8)) for x in spaces) + 4 * rng.standard_normal((160, 8))
    return spaces, y.astype(np.float32)


@pytest.fixture(scope="module")
def three() -> VariancePartition:
    """A partition among three spaces."""
    spaces, y = arrays(3)
    return variance_partition(dict(zip("ABC", spaces, strict=True)), y, delays_s=None, groups=RUNS, n_iter=3)


# --- arithmetic ----------------------------------------------------------------------------------------------------


def test_two_spaces_by_the_book() -> None:
    r2 = {(0,): np.array([0.3]), (1,): np.array([0.2]), (0, 1): np.array([0.4])}
    regions = venn_regions(r2, 2)
    assert_allclose(regions[(0,)], 0.4 - 0.2)
    assert_allclose(regions[(1,)], 0.4 - 0.3)
    assert_allclose(regions[(0, 1)], 0.3 + 0.2 - 0.4)
    assert_allclose(shapley_values(regions, 2)[:, 0], [(0.3 + 0.4 - 0.2) / 2, (0.2 + 0.4 - 0.3) / 2])


@pytest.mark.parametrize("n", [2, 3, 4])
def test_regions_give_back_the_r2_of_every_combination(n: int, rng: np.random.Generator) -> None:
    planted = {region: rng.standard_normal(5) for region in subsets(n)}
    r2 = {s: np.asarray(sum(v for region, v in planted.items() if set(region) & set(s))) for s in subsets(n)}
    found = venn_regions(r2, n)
    assert len(found) == 2**n - 1
    for region, values in planted.items():
        assert_allclose(found[region], values, atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_shapley_values_are_the_mean_over_orders(n: int, rng: np.random.Generator) -> None:
    from itertools import permutations

    r2 = {s: rng.random(3) for s in subsets(n)} | {(): np.zeros(3)}
    orders = list(permutations(range(n)))
    expected = np.zeros((n, 3))
    for order in orders:
        for k, space in enumerate(order):
            expected[space] += r2[tuple(sorted(order[: k + 1]))] - r2[tuple(sorted(order[:k]))]
    del r2[()]
    assert_allclose(shapley_values(venn_regions(r2, n), n), expected / len(orders), atol=1e-12)


# --- the identities on fits ----------------------------------------------------------------------------------------


def test_every_division_adds_up_to_the_joint_r2(three: VariancePartition) -> None:
    assert_allclose(sum(three.regions.values()), three.joint, atol=1e-12)
    assert_allclose(three.unique.sum(axis=0) + sum(three.shared.values()), three.joint, atol=1e-12)
    assert_allclose(three.shapley.sum(axis=0), three.joint, atol=1e-12)
    assert_allclose(three.product.sum(axis=0), three.joint, atol=1e-6)
    assert_allclose(sum(three.parts.values()), three.joint, atol=1e-12)
    assert_allclose(three.fold_joint.mean(axis=0), three.joint, atol=1e-12)


def test_a_space_is_the_regions_that_it_holds(three: VariancePartition) -> None:
    for i in range(3):
        assert_allclose(three.single[i], sum(v for region, v in three.regions.items() if i in region), atol=1e-12)
    assert list(three.shared) == ["A & B", "A & C", "B & C", "A & B & C"]


def test_the_r2_of_a_combination_is_that_of_a_nested_banded_ridge(three: VariancePartition) -> None:
    spaces, y = arrays(3)
    scores = []
    for run in range(4):
        train, test = np.flatnonzero(run != RUNS), np.flatnonzero(run == RUNS)
        every = [(x - x[train].mean(axis=0)) / x[train].std(axis=0) for x in spaces]
        alphas = BandedRidgeCV(n_iter=0).fit([x[train] for x in every], y[train], RUNS[train]).alphas_
        pair = every[:2]
        model = BandedRidgeCV(n_iter=3, alphas=alphas).fit([x[train] for x in pair], y[train], RUNS[train])
        scores.append(model.score([x[test] for x in pair], y[test]))
    assert_allclose(three.r2[(0, 1)], np.mean(scores, axis=0), atol=1e-4)


def test_methods_name_their_parts_and_share_their_fits(three: VariancePartition) -> None:
    spaces, y = arrays(3)
    given = dict(zip("ABC", spaces, strict=True))
    options: dict[str, Any] = {"delays_s": None, "groups": RUNS, "n_iter": 3}
    shapley = variance_partition(given, y, method="shapley", **options)
    product = variance_partition(given, y, method="product_measure", **options)
    assert_array_equal(shapley.shapley, three.shapley)
    assert_array_equal(product.product, three.product)
    assert list(shapley.parts) == list(product.parts) == ["A", "B", "C"]
    assert list(three.parts) == ["A", "B", "C", "A & B", "A & C", "B & C", "A & B & C"]
    assert list(product.r2) == [(0, 1, 2)]
    assert_allclose(sum(product.parts.values()), product.joint, atol=1e-6)


def test_the_same_space_twice_has_nothing_of_its_own() -> None:
    spaces, y = arrays(1)
    found = variance_partition([spaces[0], spaces[0]], y, delays_s=None, groups=RUNS, n_iter=2)
    assert_allclose(found.unique, 0, atol=1e-6)
    assert_allclose(found.shared["features0 & features1"], found.joint, atol=1e-6)


# --- inputs --------------------------------------------------------------------------------------------------------


def test_responses_with_delays() -> None:
    planted = planted_bands(240, n_targets=6, n_runs=4)
    found = variance_partition(planted.spaces, planted.brain, delays_s=(0, 2), n_iter=2)
    assert found.settings["delays_s"] == [0.0, 2.0]
    assert any("delays reach out of the run" in note for note in found.notes)
    assert len(found.units) == 6
    assert "4 folds" in found.split


def test_missing_values_are_left_out() -> None:
    spaces, y = arrays()
    gaps = y.copy()
    gaps[:20, 0] = np.nan
    gaps[RUNS != 0, 1] = np.nan
    gaps[:, 2] = np.nan
    options: dict[str, Any] = {"delays_s": None, "groups": RUNS, "n_iter": 2}
    whole, found = variance_partition(spaces, y, **options), variance_partition(spaces, gaps[:, [0, 3, 2]], **options)
    assert_allclose(found.joint[1], whole.joint[3], atol=1e-6)
    assert np.isfinite(found.joint[0])
    assert np.isnan(found.joint[2])
    assert np.isnan(found.to_dataframe()["joint"][2])


def test_a_table_with_one_row_per_target(three: VariancePartition) -> None:
    table = three.to_dataframe()
    assert len(table) == 8
    assert {"joint", "r2 A", "r2 A + B + C", "unique A", "shared A & B", "shapley C", "product B"} <= set(table.columns)
    assert_array_equal(table["unique B"], three.unique[1])
    assert "median R2" in repr(three)
    assert three.chance == 0


def test_times_of_the_responses_are_targets_of_their_own() -> None:
    spaces, y = arrays()
    units = pd.DataFrame({"name": list("uvwx")})
    brain = Responses(y.reshape(160, 4, 2), pd.DataFrame({"run": RUNS}), units, times=[0.0, 0.1])
    found = variance_partition(spaces, brain, delays_s=None, n_iter=2, method="product_measure")
    flat = variance_partition(spaces, y, delays_s=None, groups=RUNS, n_iter=2, method="product_measure")
    assert_allclose(found.joint, flat.joint, atol=1e-6)
    assert found.to_dataframe()["name"].tolist() == list("uuvvwwxx")
    assert found.to_dataframe()["time"].tolist() == [0.0, 0.1] * 4
    assert "unique features0" not in found.to_dataframe()


def test_torch_gives_the_same() -> None:
    spaces, y = arrays()
    options: dict[str, Any] = {"delays_s": None, "groups": RUNS, "n_iter": 2, "method": "product_measure"}
    numpy, torch = (variance_partition(spaces, y, backend=name, **options) for name in ("numpy", "torch"))
    assert_allclose(torch.product, numpy.product, atol=1e-4)


@pytest.mark.parametrize(
    ("n", "options", "message"),
    [
        (1, {}, r"2 to 4 feature spaces, got 1: \['features0'\]"),
        (5, {}, "got 5"),
        (2, {"method": "commonality"}, "method='commonality' is unknown"),
        (2, {"alphas": [0.0]}, "above 0"),
        (2, {"n_iter": -1}, "n_iter of at least 0"),
        (2, {"groups": RUNS[:-1]}, "groups has 159 rows"),
    ],
)
def test_refused(n: int, options: dict[str, Any], message: str) -> None:
    spaces, y = arrays(n)
    with pytest.raises(DataError, match=message):
        variance_partition(spaces, y, **{"delays_s": None, "groups": RUNS, **options})


def test_the_product_measure_takes_any_number_of_spaces() -> None:
    spaces, y = arrays(5)
    found = variance_partition(spaces, y, delays_s=None, groups=RUNS, n_iter=0, method="product_measure")
    assert found.product.shape == (5, 8)


def test_a_result_needs_every_combination(three: VariancePartition) -> None:
    from dataclasses import replace

    with pytest.raises(DataError, match=r"that of \(0, 1\) is missing"):
        replace(three, r2={s: v for s, v in three.r2.items() if s != (0, 1)})
