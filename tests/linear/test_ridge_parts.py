"""The parts of the ridge: blocks of rows, the skeleton of penalties, operators, precision, folds in turns."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from ridge_data import ALPHAS, problem

from neurodecode.data.splits import Split
from neurodecode.errors import DataError
from neurodecode.linear import RidgeCV, resolve_folds
from neurodecode.linear import hats as hats_module
from neurodecode.linear.alphas import choose_skeleton
from neurodecode.linear.backend import get_backend
from neurodecode.linear.blocks import gather, plan_folds, size, stretches
from neurodecode.linear.hats import lift_constant, make_hats, precise_enough
from neurodecode.linear.solve import Settings, prepare_features, solve_targets


def rows_of(order: np.ndarray, slices: list[slice]) -> list[int]:
    """Rows of the data behind places."""
    return sorted(order[np.concatenate([np.arange(s.start, s.stop) for s in slices])].tolist())


def check_plan(folds: list[Split], n: int) -> None:
    plan = plan_folds(folds, n)
    assert_array_equal(np.sort(plan.order), np.arange(n))
    assert plan.blocks[0].start == 0
    assert plan.blocks[-1].stop == n
    for number, fold in enumerate(folds):
        assert rows_of(plan.order, plan.train[number]) == sorted(fold.train.tolist())
        assert rows_of(plan.order, plan.test[number]) == sorted(fold.test.tolist())
        blocks = [block for block, inside in zip(plan.blocks, plan.member[number], strict=True) if inside]
        assert rows_of(plan.order, blocks) == sorted(fold.train.tolist())


@pytest.mark.parametrize("gap", [0, 3])
def test_plan_of_contiguous_blocks_leaves_rows_in_place(gap: int) -> None:
    folds = resolve_folds(50, None, 5, gap)
    check_plan(folds, 50)
    plan = plan_folds(folds, 50)
    assert_array_equal(plan.order, np.arange(50))
    assert plan.shared
    assert len(plan.blocks) == (13 if gap else 5)
    assert all(len(test) == 1 for test in plan.test)


def test_plan_of_mixed_runs_puts_each_together() -> None:
    folds = resolve_folds(60, np.arange(60) % 4)
    check_plan(folds, 60)
    assert len(plan_folds(folds, 60).blocks) == 4


def test_plan_of_random_folds_is_not_summed_over_blocks() -> None:
    rng = np.random.default_rng(0)
    folds = [Split(*np.split(rng.permutation(200), [120]), f"{k}") for k in range(8)]
    check_plan(folds, 200)
    assert not plan_folds(folds, 200).shared


def test_stretches_and_gathering() -> None:
    slices = stretches(np.array([7, 1, 2, 3, 9, 8]))
    assert slices == [slice(1, 4), slice(7, 10)]
    assert size(slices) == 6
    data = np.arange(40).reshape(10, 4)
    assert_array_equal(gather(data, slices, 0, np.empty), data[[1, 2, 3, 7, 8, 9]])
    assert_array_equal(gather(data.T, slices, 1, np.empty), data.T[:, [1, 2, 3, 7, 8, 9]])
    assert np.shares_memory(gather(data, slices[:1], 0, np.empty), data)


def test_a_skeleton_interpolates_all_penalties() -> None:
    eigenvalues, alphas = np.geomspace(1, 1e3, 200), np.geomspace(1e-2, 1e5, 30)
    shrunk = eigenvalues / (eigenvalues + alphas[:, None])
    for tolerance in (1e-8, 1e-4, 1e-1):
        found = choose_skeleton(shrunk, tolerance)
        rebuilt = found.weights @ shrunk[found.chosen]
        assert np.linalg.norm(rebuilt - shrunk, axis=1).max() <= 2 * tolerance
        assert_allclose(found.weights[found.chosen], np.eye(len(found.chosen)))
    sizes = [len(choose_skeleton(shrunk, t).chosen) for t in (0, 1e-8, 1e-4, 1e-1)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] <= 15
    assert len(choose_skeleton(np.ones((5, 3)), 1e-9).chosen) == 1


def test_few_penalties_are_all_solved() -> None:
    x, _ = problem()
    features = prepare_features(x, resolve_folds(len(x)), [1.0, 10.0], Settings(), get_backend(), np.float64)
    assert all(h.operators.shape[0] == 2 for group in features.hats() for h in group)


def test_operators_are_those_of_the_formula() -> None:
    x, _ = problem(60, 8)
    folds = resolve_folds(60, None, 3, 4)
    for form in ("primal", "dual"):
        features = prepare_features(x, folds, [5.0, 50.0], Settings(form=form), get_backend(), np.float64)
        (group,) = features.hats()
        for hats in group:
            fold = folds[hats.fold]
            mean = x[fold.train].mean(axis=0)
            inside, outside = x[fold.train] - mean, x[fold.test] - mean
            whole = outside @ np.linalg.solve(inside.T @ inside + 5.0 * np.eye(8), inside.T)
            found = hats.operators[0]
            if form == "primal":
                centred = x[fold.train] - x.mean(axis=0)
                found = found @ np.vstack([centred.T, np.ones(len(fold.train))])
            assert_allclose(found, whole, atol=1e-10)


def test_condition_numbers_are_judged() -> None:
    backend = get_backend()
    gram = np.diag(np.geomspace(1, 1e6, 20)).astype(np.float32)
    assert not precise_enough(backend, gram, 1.0)
    assert precise_enough(backend, gram, 1e4)
    assert not precise_enough(backend, np.ones((5, 5), np.float32), 1e-9)


def test_the_constant_vector_is_lifted_and_nothing_else() -> None:
    x, _ = problem(30, 50)
    x = x - x.mean(axis=0)
    kernel = x @ x.T
    lifted = lift_constant(kernel)
    centred = np.eye(30) - 1 / 30
    assert_allclose(centred @ lifted @ centred, kernel, atol=1e-10)
    assert lifted.sum() / 30 == pytest.approx(np.trace(kernel) / 30)


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_folds_take_turns_where_memory_is_short(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    x, y = problem(80, 20)
    whole = RidgeCV(ALPHAS, form=form).fit(x, y)
    monkeypatch.setattr(hats_module, "_MOST_MEMORY", 1)
    one_by_one = RidgeCV(ALPHAS, form=form).fit(x, y)
    assert_allclose(one_by_one.cv_scores_, whole.cv_scores_, atol=1e-9)
    assert_allclose(one_by_one.coef_, whole.coef_, rtol=1e-9)
    features = prepare_features(x, whole.folds_, ALPHAS, Settings(form=form), get_backend(), np.float64)
    assert [len(group) for group in make_hats(features.design)] == [1] * 5


def test_steady_targets_do_not_see_each_other(rng: np.random.Generator) -> None:
    x, y = problem(60, 20, 64)
    y = rng.standard_normal(y.shape)
    features = prepare_features(x, resolve_folds(60), ALPHAS, Settings(target_batch=32, steady=True), get_backend(), np.float64)
    choose = lambda errors, _: np.argmin(errors.squares, axis=0)  # noqa: E731
    together = solve_targets(features, y, choose)
    moved = solve_targets(features, y[:, ::-1][:, :32], choose)
    assert together.weights is not None
    assert moved.weights is not None
    assert together.weights[::-1][:32].tobytes() == moved.weights.tobytes()


def test_backends_agree_on_their_operations(rng: np.random.Generator) -> None:
    gram, rows = np.cov(rng.standard_normal((6, 50))), rng.standard_normal((4, 6))
    expected = rows @ np.linalg.inv(gram + 2.0 * np.eye(6))
    for name in ("numpy", "torch"):
        backend = get_backend(name)
        factor = backend.factor(backend.asarray(gram, np.float64), 2.0)
        assert_allclose(backend.numpy(backend.solve(factor, backend.asarray(rows.copy(), np.float64))), expected)
        assert backend.factor(backend.asarray(-gram, np.float64), 1e-6) is None
        out = backend.empty((2, 6), np.float64)
        found = backend.matmul(backend.asarray(rows[:2], np.float64), backend.asarray(gram, np.float64), out=out)
        assert_allclose(backend.numpy(found), rows[:2] @ gram)
        assert_allclose(backend.numpy(out), rows[:2] @ gram)
    with pytest.raises(DataError, match="did you mean 'torch'"):
        get_backend("torhc")
