"""Resamples as sums of terms: each equals the plain rearrangement of the rows, and every one that should be there is."""

from __future__ import annotations

import numpy as np
import pytest
from inference_data import block_orders, pairs, shifted

from neurodecode.compare.resampling import block_plan, bootstrap_plan, circular_plan, target_batches
from neurodecode.data.splits import group_rows
from neurodecode.errors import DataError


def products(plan, y, y_hat) -> np.ndarray:
    """Scalar products of all resamples, (n_resamples, n_targets)."""
    return plan.take @ plan.terms(y, y_hat)


def test_a_single_run_takes_every_shift_once(rng: np.random.Generator) -> None:
    y, y_hat = pairs(31, 3)
    plan = circular_plan(group_rows(31), 1000, 5, rng)
    expected = [np.sum(y * np.roll(y_hat, k, axis=0), axis=0) for k in range(5, 27)]
    np.testing.assert_allclose(products(plan, y, y_hat), expected, atol=1e-10)


def test_fewer_shifts_than_there_are_come_once_each(rng: np.random.Generator) -> None:
    plan = circular_plan(group_rows(300), 200, 20, rng)
    columns = plan.take.indices
    assert len(np.unique(columns)) == 200
    assert columns.min() >= 20
    assert columns.max() <= 280


def test_runs_shift_by_themselves(rng: np.random.Generator) -> None:
    groups = ["b"] * 12 + ["a"] * 9
    runs = group_rows(21, groups)
    y, y_hat = pairs(21, 2)
    plan = circular_plan(runs, 10_000, 3, rng)
    expected = [np.sum(y * shifted(y_hat, runs, [j, k]), axis=0) for j in range(3, 10) for k in range(3, 7)]
    assert plan.take.shape[0] == len(expected) == 28
    np.testing.assert_allclose(np.sort(products(plan, y, y_hat), axis=0), np.sort(expected, axis=0), atol=1e-10)


def test_many_runs_have_more_shifts_than_can_be_numbered(rng: np.random.Generator) -> None:
    runs = group_rows(3000, np.repeat(np.arange(30), 100))
    plan = circular_plan(runs, 500, 10, rng)
    shifts = plan.take.indices.reshape(500, 30) - np.arange(0, 3000, 100)
    assert shifts.min() == 10
    assert shifts.max() == 90
    assert len(np.unique(shifts, axis=0)) == 500


@pytest.mark.parametrize(("length", "block"), [(12, 4), (14, 4), (11, 5), (10, 3)])
def test_blocks_come_in_every_order_and_no_other(rng: np.random.Generator, length: int, block: int) -> None:
    y, y_hat = pairs(length, 2)
    expected = np.array([np.sum(y * y_hat[np.concatenate(order)], axis=0) for order in block_orders(length, block)])
    found = products(block_plan(group_rows(length), 600, block, rng), y, y_hat)
    distinct = [np.unique(values[:, 0].round(9)) for values in (found, expected)]
    np.testing.assert_allclose(*distinct, atol=1e-8)
    nearest = np.abs(found[:, None] - expected[None]).max(axis=2).min(axis=1)
    assert nearest.max() < 1e-9  # both targets moved together


def test_all_orders_of_blocks_are_as_likely(rng: np.random.Generator) -> None:
    y, y_hat = pairs(11, 1)
    found = products(block_plan(group_rows(11), 6000, 4, rng), y, y_hat)[:, 0].round(9)
    _, counts = np.unique(found, return_counts=True)
    assert len(counts) == 6  # two whole blocks and a short one
    assert np.abs(counts / 1000 - 1).max() < 0.12


def test_blocks_stay_in_their_run(rng: np.random.Generator) -> None:
    groups = np.repeat([0, 1], [12, 10])
    y = np.ones((22, 1))
    y_hat = np.where(groups == 0, 1.0, 100.0)[:, None] * np.where(groups == 0, 1.0, 0.0)[:, None]
    plan = block_plan(group_rows(22, groups), 50, 4, rng)
    np.testing.assert_allclose(products(plan, (groups == 1)[:, None] * y, y_hat), 0.0, atol=1e-12)
    np.testing.assert_allclose(products(plan, y, y_hat), 12.0)


@pytest.mark.parametrize(("lengths", "block"), [([12], 4), ([13, 7], 4), ([9, 3], 5)])
def test_bootstrap_draws_whole_windows(rng: np.random.Generator, lengths: list[int], block: int) -> None:
    groups = np.repeat(np.arange(len(lengths)), lengths)
    values = np.arange(float(len(groups)))[:, None] ** 2
    plan = bootstrap_plan(group_rows(len(groups), groups), 300, block, rng)
    found = products(plan, values, np.ones_like(values))[:, 0]
    n_values = products(plan, np.ones_like(values), np.ones_like(values))
    np.testing.assert_allclose(n_values, len(groups))
    if lengths == [12]:
        windows = [np.sum(np.roll(values, -s, axis=0)[:block]) for s in range(12)]
        sums = {round(a + b + c, 6) for a in windows for b in windows for c in windows}
        assert {round(v, 6) for v in found} <= sums
    expected = values.sum()
    assert found.mean() == pytest.approx(expected, rel=0.15)
    assert found.std() > 0


def test_batches_cover_all_targets_once(rng: np.random.Generator) -> None:
    plan = circular_plan(group_rows(300), 1000, 20, rng)
    pieces = list(target_batches(plan, 300, 10_001))
    assert np.concatenate([np.arange(10_001)[piece] for piece in pieces]).tolist() == list(range(10_001))
    assert max(piece.stop - piece.start for piece in pieces) <= 4096
    assert len(list(target_batches(plan, 300, 5))) == 1


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (lambda runs, rng: circular_plan(runs, 10, 20, rng), "40 samples has no two circular shifts of 20"),
        (lambda runs, rng: circular_plan(runs, 10, 0, rng), "min_shift from 1"),
        (lambda runs, rng: block_plan(runs, 10, 21, rng), "40 samples has not two blocks of 21"),
        (lambda runs, rng: block_plan(runs, 10, 0, rng), "two blocks of 0"),
        (lambda runs, rng: bootstrap_plan(runs, 10, 0, rng), "block must be 1 sample"),
    ],
)
def test_refuses(rng: np.random.Generator, plan, message: str) -> None:
    with pytest.raises(DataError, match=message):
        plan(group_rows(40), rng)
