"""CKA, Procrustes and canonical correlation: invariances, held-out samples, and what their folds refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Responses
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.metrics import cca, cka, procrustes, soft_match

HELD_OUT = [procrustes, cca, soft_match]


def related(rng: np.random.Generator, n: int, p: int, q: int, rank: int = 4, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Two representations of the same latent variables, with offsets."""
    latent = rng.standard_normal((n, rank))
    sides = [latent @ rng.standard_normal((rank, k)) + noise * rng.standard_normal((n, k)) for k in (p, q)]
    return sides[0] + 3, sides[1] - 5


def rotation(rng: np.random.Generator, p: int) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((p, p)))[0]


def dense_cka(x: np.ndarray, y: np.ndarray) -> float:
    """The formula as it is written, with whole matrices."""
    n, one = len(x), np.ones(len(x))
    grams = [side @ side.T for side in (x, y)]
    for gram in grams:
        np.fill_diagonal(gram, 0)

    def hsic(k: np.ndarray, m: np.ndarray) -> float:
        middle = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
        return float(np.trace(k @ m) + middle - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3))

    k, m = grams
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def responses(data: np.ndarray, stimulus: Any) -> Responses:
    return Responses(data, pd.DataFrame({"stimulus": stimulus}), pd.DataFrame({"name": [f"u{i}" for i in range(data.shape[1])]}))


class TestCKA:
    @pytest.mark.parametrize(("n", "p", "q"), [(60, 5, 7), (50, 300, 200), (60, 30, 300), (60, 300, 5), (4, 2, 3)])
    def test_equals_the_dense_formula(self, n: int, p: int, q: int, rng: np.random.Generator) -> None:
        """Through units or through samples, whichever is less."""
        x, y = related(rng, n, p, q)
        assert cka(x, y) == pytest.approx(dense_cka(x, y), abs=1e-10)

    @pytest.mark.parametrize(("p", "q"), [(5, 7), (200, 100)])
    def test_biased_by_its_formula(self, p: int, q: int, rng: np.random.Generator) -> None:
        x, y = related(rng, 40, p, q)
        a, b = x - x.mean(axis=0), y - y.mean(axis=0)
        expected = np.linalg.norm(a.T @ b) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
        assert cka(x, y, debiased=False) == pytest.approx(expected)

    def test_independent_noise_is_zero_only_if_debiased(self) -> None:
        pairs = [np.random.default_rng(seed).standard_normal((2, 100, 2000)) for seed in range(5)]
        debiased = [cka(x, y) for x, y in pairs]
        assert abs(debiased[0]) <= 0.02
        assert abs(np.mean(debiased)) <= 0.01
        assert np.mean([cka(x, y, debiased=False) for x, y in pairs]) == pytest.approx(0.953, abs=0.005)

    @pytest.mark.parametrize("debiased", [True, False])
    def test_invariant_to_rotation_scale_and_offset(self, debiased: bool, rng: np.random.Generator) -> None:
        x, y = related(rng, 80, 6, 9)
        changed = 4 * y @ rotation(rng, 9) + rng.standard_normal(9)
        assert cka(x, changed, debiased) == pytest.approx(cka(x, y, debiased))
        assert cka(y, x, debiased) == pytest.approx(cka(x, y, debiased))
        assert cka(x, 2 * x @ rotation(rng, 6), debiased) == pytest.approx(1.0)

    def test_a_large_offset_costs_no_digits(self, rng: np.random.Generator) -> None:
        x, y = related(rng, 80, 6, 9)
        assert cka(x + 1e7, y) == pytest.approx(cka(x, y), rel=1e-6)

    def test_batches_average_to_the_whole(self, rng: np.random.Generator) -> None:
        x, y = related(rng, 1200, 30, 20, noise=3.0)
        whole = cka(x, y)
        streamed = [cka(x, y, batch_size=60, random_state=seed) for seed in range(30)]
        error = np.std(streamed, ddof=1) / np.sqrt(30)
        assert np.mean(streamed) == pytest.approx(whole, abs=3 * error + 0.005)
        assert np.std(streamed) < 0.02
        averaged = np.mean([cka(x[rows], y[rows]) for rows in np.split(rng.permutation(1200), 20)])
        assert cka(x, y, batch_size=60, debiased=True) == pytest.approx(averaged, abs=0.02)
        assert 0.1 < whole < 0.9, "else nothing is tested"

    def test_batches_repeat_with_their_seed_and_one_batch_is_the_whole(self, rng: np.random.Generator) -> None:
        x, y = related(rng, 50, 5, 6)
        assert cka(x, y, batch_size=50) == pytest.approx(cka(x, y))
        assert cka(x, y, batch_size=10, random_state=3) == cka(x, y, batch_size=10, random_state=np.random.default_rng(3))
        assert cka(x, y, batch_size=10, random_state=3) != cka(x, y, batch_size=10, random_state=4)

    def test_memory_maps_are_read_batch_by_batch(self, rng: np.random.Generator, tmp_path: Any) -> None:
        x, y = (side.astype(np.float32) for side in related(rng, 64, 5, 6))
        np.save(tmp_path / "x.npy", x)
        lazy = np.load(tmp_path / "x.npy", mmap_mode="r")
        assert cka(lazy, y, batch_size=16) == cka(x, y, batch_size=16)

    def test_no_variance_is_nan(self, rng: np.random.Generator) -> None:
        assert np.isnan(cka(np.ones((20, 3)), rng.standard_normal((20, 3))))
        assert np.isnan(cka(np.ones((20, 3)), rng.standard_normal((20, 3)), debiased=False))

    @pytest.mark.parametrize("arguments", [{"batch_size": 3}, {"batch_size": 10, "debiased": False}])
    def test_batches_that_cannot_be(self, arguments: dict[str, Any], rng: np.random.Generator) -> None:
        with pytest.raises(DataError, match="batches need debiased=True and at least 4 samples"):
            cka(*related(rng, 30, 3, 3), **arguments)

    def test_three_samples_are_too_few(self) -> None:
        with pytest.raises(DataError, match="at least 4"):
            cka(np.eye(3), np.eye(3))


class TestProcrustes:
    @pytest.mark.parametrize("folds", [5, None])
    def test_a_rotation_is_found(self, folds: int | None, rng: np.random.Generator) -> None:
        x = rng.standard_normal((100, 8)) * np.arange(1, 9)
        found = procrustes(x, -3 * x @ rotation(rng, 8) + 1, folds=folds)
        assert found.similarity == pytest.approx(1.0)
        assert found.angle == pytest.approx(0.0, abs=1e-6)
        assert found.distance == pytest.approx(0.0, abs=1e-6)

    def test_all_samples_give_the_nuclear_norm(self, rng: np.random.Generator) -> None:
        x, y = related(rng, 30, 5, 9)
        a, b = ((side - side.mean(axis=0)) / np.linalg.norm(side - side.mean(axis=0)) for side in (x, y))
        found = procrustes(x, y, folds=None)
        assert found.similarity == pytest.approx(np.linalg.norm(a.T @ b, "nuc"))
        assert found.angle == pytest.approx(np.arccos(found.similarity))
        assert found.distance == pytest.approx(np.sqrt(2 - 2 * found.similarity))
        assert found.fold_similarities.tolist() == [found.similarity]
        assert float(found) == found.similarity

    @pytest.mark.parametrize(("p", "q"), [(6, 9), (9, 6), (60, 90)])
    def test_widths_may_differ_as_if_padded_with_zeros(self, p: int, q: int, rng: np.random.Generator) -> None:
        x, y = related(rng, 50, p, q)
        wide = max(p, q)
        padded = [np.pad(side, ((0, 0), (0, wide - side.shape[1]))) for side in (x, y)]
        for folds in (5, None):
            assert procrustes(x, y, folds=folds).similarity == pytest.approx(procrustes(*padded, folds=folds).similarity)
            assert procrustes(y, x, folds=folds).similarity == pytest.approx(procrustes(x, y, folds=folds).similarity)

    def test_each_fold_is_rotated_by_its_training_samples(self, rng: np.random.Generator) -> None:
        x, y = related(rng, 40, 4, 4)
        train, test = np.arange(25), np.arange(30, 40)
        a, b = x[train] - x[train].mean(axis=0), y[train] - y[train].mean(axis=0)
        u, _, vt = np.linalg.svd(a.T @ b)
        c, d = x[test] - x[test].mean(axis=0), y[test] - y[test].mean(axis=0)
        expected = np.sum((c @ u @ vt) * d) / (np.linalg.norm(c) * np.linalg.norm(d))
        assert procrustes(x, y, folds=[(train, test)]).similarity == pytest.approx(expected)

    def test_more_units_than_samples_do_not_help(self, rng: np.random.Generator) -> None:
        x, y = rng.standard_normal((2, 60, 500))
        assert abs(procrustes(x, y).similarity) < 0.02
        assert procrustes(x, y, folds=None).similarity > 0.9, "which is what the folds are for"

    def test_a_constant_side_is_nan(self, rng: np.random.Generator) -> None:
        found = procrustes(np.ones((30, 3)), rng.standard_normal((30, 3)))
        assert np.isnan([found.similarity, found.angle, found.distance]).all()


class TestCCA:
    def test_shared_directions_are_found_under_any_mixing(self, rng: np.random.Generator) -> None:
        latent = rng.standard_normal((400, 3))
        x = np.hstack([latent, rng.standard_normal((400, 4))]) @ rng.standard_normal((7, 7))
        y = np.hstack([latent, rng.standard_normal((400, 2))]) @ rng.standard_normal((5, 5))
        found = cca(x, y, penalty=1e-6)
        assert found.correlations[:3].min() > 0.999
        assert np.abs(found.correlations[3:]).max() < 0.3
        assert cca(x, y, penalty=1e-6, n_components=3).similarity > 0.999
        assert len(found.correlations) == 5

    def test_held_out_correlations_do_not_overfit(self, rng: np.random.Generator) -> None:
        x, y = rng.standard_normal((80, 200)), rng.standard_normal((80, 150))
        found = cca(x, y)
        assert found.train_correlations.min() > 0.99
        assert abs(found.similarity) < 0.15
        assert cca(x, y, folds=None).similarity > 0.99

    def test_variance_keeps_the_leading_components_only(self, rng: np.random.Generator) -> None:
        """Shared directions of little variance are cut off by the principal components of SVCCA."""
        x, y = rng.standard_normal((300, 5)) * 10, rng.standard_normal((300, 5)) * 10
        x[:, 4] = y[:, 4] = rng.standard_normal(300) * 0.1
        assert cca(x, y, penalty=0.0, n_components=1).similarity > 0.99
        assert cca(x, y, penalty=0.0, n_components=1, variance=0.99).similarity < 0.3

    def test_projection_weights_follow_what_a_direction_carries(self, rng: np.random.Generator) -> None:
        x = rng.standard_normal((300, 3)) * [10, 1, 1]
        y = np.column_stack([rng.standard_normal((300, 2)), x[:, 0] + rng.standard_normal(300)])
        assert cca(x, y, mean="projection").similarity > 1.5 * cca(x, y).similarity

    def test_a_penalty_helps_where_samples_are_few(self, rng: np.random.Generator) -> None:
        x, y = related(rng, 60, 40, 40, rank=3, noise=2.0)
        assert cca(x, y, n_components=3).similarity > cca(x, y, n_components=3, penalty=0.0).similarity + 0.05

    @pytest.mark.parametrize("arguments", [{"penalty": -1.0}, {"variance": 0.0}, {"variance": 1.1}, {"n_components": 0}])
    def test_arguments_out_of_range(self, arguments: dict[str, Any], rng: np.random.Generator) -> None:
        with pytest.raises(DataError, match="needed are penalty >= 0"):
            cca(*related(rng, 30, 3, 3), **arguments)

    def test_other_guards(self, rng: np.random.Generator) -> None:
        with pytest.raises(DataError, match="did you mean 'plain'"):
            cca(*related(rng, 30, 3, 3), mean="plane")  # type: ignore[arg-type]
        with pytest.raises(DataError, match="is constant in the samples"):
            cca(np.ones((30, 3)), rng.standard_normal((30, 3)))


@pytest.mark.parametrize("function", [cka, *HELD_OUT])
class TestPairs:
    @pytest.mark.parametrize(
        ("x", "y", "message"),
        [
            (np.zeros((9, 2)), np.zeros((8, 2)), r"got shapes \(9, 2\) and \(8, 2\)"),
            (np.zeros(9), np.zeros((9, 2)), "X must be numbers of shape"),
            (np.zeros((9, 2)), np.full((9, 2), "a"), "Y must be numbers of shape"),
            (np.eye(9), np.where(np.eye(9) > 0, np.nan, 0.0), "Y holds NaN or infinite values, the first at sample 0, unit 0"),
        ],
    )
    def test_what_is_no_pair(self, function: Callable[..., Any], x: np.ndarray, y: np.ndarray, message: str) -> None:
        with pytest.raises(DataError, match=message):
            function(x, y)

    def test_responses_must_be_to_the_same_stimuli(self, function: Callable[..., Any], rng: np.random.Generator) -> None:
        x, y = (side.astype(np.float32) for side in related(rng, 30, 4, 5))
        names = np.arange(30)
        assert float(function(responses(x, names), responses(y, names))) == pytest.approx(float(function(x, y)))
        assert float(function(responses(x, names), y)) == pytest.approx(float(function(x, y)))
        with pytest.raises(DataError, match="sample 0 is stimulus '0' in X and '29' in Y"):
            function(responses(x, names), responses(y, names[::-1]))

    def test_inputs_are_left_alone(self, function: Callable[..., Any], rng: np.random.Generator) -> None:
        x, y = related(rng, 30, 4, 4)
        before = x.copy(), y.copy()
        function(x, y)
        np.testing.assert_array_equal((x, y), before)


@pytest.mark.parametrize("function", HELD_OUT)
class TestFolds:
    def test_blocks_leave_a_gap(self, function: Callable[..., Any], rng: np.random.Generator) -> None:
        """With 40 samples blocks of 8 leave out 4 on both sides."""
        x, y = related(rng, 40, 3, 3)
        rows = np.arange(40)
        pairs = [(rows[(rows < 8 * k - 4) | (rows >= 8 * k + 12)], rows[8 * k : 8 * k + 8]) for k in range(5)]
        np.testing.assert_allclose(function(x, y).fold_similarities, function(x, y, folds=pairs).fold_similarities)
        plain = [(np.setdiff1d(rows, rows[8 * k : 8 * k + 8]), rows[8 * k : 8 * k + 8]) for k in range(5)]
        np.testing.assert_allclose(function(x, y, gap=0).fold_similarities, function(x, y, folds=plain).fold_similarities)

    def test_groups_are_held_out_whole(self, function: Callable[..., Any], rng: np.random.Generator) -> None:
        x, y = related(rng, 40, 3, 3)
        runs = np.tile(["a", "b"], 20)
        pairs = [(np.flatnonzero(runs != name), np.flatnonzero(runs == name)) for name in "ab"]
        found = function(x, y, groups=runs)
        np.testing.assert_allclose(found.fold_similarities, function(x, y, folds=pairs).fold_similarities)
        assert float(found) == pytest.approx(found.fold_similarities.mean())

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"folds": 1}, "folds=1 of 30 samples"),
            ({"folds": 11}, "folds=11 of 30 samples"),
            ({"folds": [([0, 1], [4, 5, 6])]}, "fold 0 has 2 samples to fit and 3 to score"),
            ({"folds": []}, "gives none"),
            ({"groups": ["a"] * 30}, "at least two groups"),
            ({"groups": ["a", "b"]}, r"got shape \(2,\)"),
        ],
    )
    def test_folds_that_cannot_be(self, function: Callable[..., Any], arguments: dict[str, Any], message: str) -> None:
        x, y = related(np.random.default_rng(0), 30, 3, 3)
        with pytest.raises(DataError, match=message):
            function(x, y, **arguments)

    def test_a_row_on_both_sides_leaks(self, function: Callable[..., Any], rng: np.random.Generator) -> None:
        with pytest.raises(SplitLeakError, match="row 2 of fold 0"):
            function(*related(rng, 30, 3, 3), folds=[(np.arange(3), np.arange(2, 9))])
