"""The factorisation of arrays: each branch, on small tensors."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from connectome_data import full, noisy, random_factors, true_error

from neurodecode.analysis.connectome import NTF, factor_match_score, ntf_hals
from neurodecode.analysis.connectome.dense import DenseProblem
from neurodecode.analysis.connectome.factorise import Settings, factorise
from neurodecode.analysis.connectome.factors import balance, components_first, contract, gram, khatri_rao
from neurodecode.analysis.connectome.kernels import get_kernels
from neurodecode.analysis.connectome.observed import Observed, RowGrams
from neurodecode.analysis.connectome.updates import inner_product, model_norm2, update
from neurodecode.errors import DataError

SHAPE = (30, 7, 12)


class TestUpdates:
    """One mode at a time is non-negative least squares."""

    def problem(self, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        design, data = rng.random((40, 4)), rng.standard_normal((40, 9))
        return design, data, rng.random((4, 9))

    def test_many_passes_solve_it(self) -> None:
        from scipy.optimize import nnls

        design, data, factor = self.problem()
        update(factor, (data.T @ design).T.copy(), design.T @ design, 3000)
        expected = np.stack([nnls(design, column)[0] for column in data.T], axis=1)
        np.testing.assert_allclose(factor, expected, atol=1e-6)
        assert (expected == 0).any()

    def test_a_gram_per_row(self) -> None:
        from scipy.optimize import nnls

        design, data, factor = self.problem(1)
        seen = np.random.default_rng(2).random(data.shape) < 0.7
        grams = np.einsum("kr,ks,kn->rsn", design, design, seen)
        update(factor, design.T @ np.where(seen, data, 0), RowGrams(lambda part: grams[..., part]), 3000)
        expected = [nnls(design[seen[:, n]], data[seen[:, n], n])[0] for n in range(9)]
        np.testing.assert_allclose(factor, np.stack(expected, axis=1), atol=1e-6)

    def test_long_modes_pass_in_chunks(self) -> None:
        rng = np.random.default_rng(0)
        design, target, start = rng.random((20, 3)), rng.random((3, 5000)), rng.random((3, 5000))
        whole = start.copy()
        update(whole, target, design.T @ design, 3)
        for part in np.split(np.arange(5000), 10):
            some = np.ascontiguousarray(start[:, part])
            update(some, np.ascontiguousarray(target[:, part]), design.T @ design, 3)
            np.testing.assert_allclose(some, whole[:, part], rtol=1e-12)

    def test_what_depends_on_nothing(self) -> None:
        """An empty component stays as it is; an entry without any observed cell becomes 0."""
        g, factor = np.diag([2.0, 0.0]), np.ones((2, 3))
        update(factor, np.full((2, 3), 4.0), g, 2)
        np.testing.assert_array_equal(factor, [[2, 2, 2], [1, 1, 1]])
        rows = np.stack([np.eye(2), np.zeros((2, 2)), np.eye(2)], axis=2)
        update(factor, np.full((2, 3), 4.0), RowGrams(lambda part: rows[..., part]), 2)
        np.testing.assert_array_equal(factor, [[4, 0, 4], [4, 0, 4]])

    def test_norms_and_products_are_summed_in_double_precision(self) -> None:
        """Three million equal numbers: single precision loses a per cent of their sum."""
        row = np.full((1, 3_000_000), 0.1, np.float32)
        exact = 3_000_000 * float(np.float32(0.1)) ** 2
        assert inner_product(row, row) == pytest.approx(exact, rel=1e-12)
        assert gram(row)[0, 0] == pytest.approx(exact, rel=1e-12)
        assert model_norm2(row, np.ones((1, 1))) == pytest.approx(exact, rel=1e-12)


class TestFactors:
    """Products and scales of factors."""

    def test_khatri_rao_and_contractions(self) -> None:
        a, b, c = (np.random.default_rng(k).random((2, d)) for k, d in enumerate((3, 4, 5)))
        np.testing.assert_allclose(khatri_rao([a, b, c]), np.einsum("ra,rb,rc->rabc", a, b, c).reshape(2, -1))
        tensor = np.random.default_rng(3).random((2, 3, 4, 5))
        for keep, sums in enumerate(("rabc,rb,rc->ra", "rabc,ra,rc->rb", "rabc,ra,rb->rc")):
            others = [f for k, f in enumerate((a, b, c)) if k != keep]
            np.testing.assert_allclose(contract(tensor, [a, b, c], keep), np.einsum(sums, tensor, *others))

    def test_balancing_keeps_the_model(self) -> None:
        factors = [f.T.copy() for f in random_factors((4, 5, 6), 3)]
        factors[1][2] = 0
        before = full([f.T for f in factors])
        balance(factors)
        np.testing.assert_allclose(full([f.T for f in factors]), before, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(factors[0], axis=1), [1, 1, 1])
        np.testing.assert_allclose(np.linalg.norm(factors[1], axis=1), [1, 1, 0])

    def test_a_start_of_tensorly_or_of_ours(self) -> None:
        from tensorly.cp_tensor import CPTensor

        factors, weights = random_factors(SHAPE, 2), np.array([3.0, 0.5])
        for given in (CPTensor((weights, factors)), (weights, factors), NTF(weights, factors, 0.0)):
            held = components_first(given, SHAPE, 2, np.float64)
            np.testing.assert_allclose(full([f.T for f in held]), full(factors, weights))
        assert components_first((None, factors), SHAPE, 2, np.float32)[0].dtype == np.float32


class TestObserved:
    """Masks as blocks of the first mode."""

    def test_blocks_are_found(self) -> None:
        mask = np.ones(SHAPE, bool)
        mask[5:11, 2, 3] = False
        found = Observed.from_mask(mask, SHAPE)
        assert found is not None
        np.testing.assert_array_equal(found.bounds, [0, 5, 11, 30])
        np.testing.assert_array_equal(np.repeat(found.cells, np.diff(found.bounds), axis=0), mask)
        assert Observed.from_mask(found, SHAPE) is found

    @pytest.mark.parametrize("mask", [None, True, np.ones(SHAPE, bool), np.ones((7, 1), bool)])
    def test_all_is_none(self, mask: Any) -> None:
        assert Observed.from_mask(mask, SHAPE) is None

    def test_a_mask_without_time_is_one_block(self) -> None:
        mask = np.random.default_rng(0).random((7, 12)) < 0.5
        found = Observed.from_mask(mask, SHAPE)
        assert found is not None
        np.testing.assert_array_equal(found.bounds, [0, 30])
        np.testing.assert_array_equal(found.cells[0], mask)

    @pytest.mark.parametrize("step", [2, 7, 8, 29])
    def test_thinned(self, step: int) -> None:
        mask = np.random.default_rng(0).random(SHAPE) < 0.7
        mask[10:20] = mask[10]
        found = Observed.from_mask(mask, SHAPE)
        assert found is not None
        thin = found.thinned(step)
        np.testing.assert_array_equal(np.repeat(thin.cells, np.diff(thin.bounds), axis=0), mask[::step])

    @pytest.mark.parametrize("shape", [(9, 5), (9, 5, 6), (9, 4, 3, 5)])
    def test_grams_are_those_of_the_observed_cells(self, shape: tuple[int, ...]) -> None:
        rng = np.random.default_rng(0)
        mask, factors = rng.random(shape) < 0.6, [rng.random((3, dim)) for dim in shape]
        mask[4:] = mask[4]
        found, letters = Observed.from_mask(mask, shape), "abcd"[: len(shape)]
        assert found is not None
        for mode, kept in enumerate(letters):
            others = [(k, f) for k, f in zip(letters, factors, strict=True) if k != kept]
            sums = letters + "".join(f",r{k},s{k}" for k, _ in others) + f"->{kept}rs"
            expected = np.einsum(sums, mask.astype(float), *(f for _, f in others for _ in range(2)))
            if mode == 0:
                grams = np.repeat(found.first_grams(factors[1:]), np.diff(found.bounds), axis=0)
            else:
                whole = found.row_grams(mode, factors).of(slice(0, shape[mode]))
                grams = np.moveaxis(whole, 2, 0)
                np.testing.assert_allclose(found.row_grams(mode, factors).of(slice(1, 3)), whole[..., 1:3])
            np.testing.assert_allclose(grams, expected, atol=1e-12)

    @pytest.mark.parametrize(
        ("mask", "message"),
        [
            (np.ones(SHAPE), "truth values .*, got dtype float64"),
            (np.ones((7, 11), bool), r"shape \(7, 11\) does not fit a tensor of shape \(30, 7, 12\)"),
            (np.zeros((7, 12), bool), "hides every cell"),
        ],
    )
    def test_refusals(self, mask: Any, message: str) -> None:
        with pytest.raises(DataError, match=message):
            ntf_hals(np.ones(SHAPE), 2, mask=mask)


BACKENDS = ["numpy", "torch"]


class TestFactorisation:
    """What comes out."""

    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.parametrize("shape", [(40, 30), (200, 5, 12), (30, 5, 6, 7)])
    def test_any_number_of_modes(self, shape: tuple[int, ...], backend: str) -> None:
        tensor, factors = noisy(shape, 3, noise=0.02)
        fits = [ntf_hals(tensor, 3, backend=backend, random_state=k) for k in range(3)]
        fit = min(fits, key=lambda f: f.error)
        assert fit.error == pytest.approx(true_error(tensor, fit), rel=1e-9)
        assert [f.shape for f in fit.factors] == [(dim, 3) for dim in shape]
        assert all((f >= 0).all() for f in fit.factors)
        for factor in fit.factors:
            np.testing.assert_allclose(np.linalg.norm(factor, axis=0), 1.0)
        assert np.all(np.diff(fit.weights) <= 0)
        if len(shape) > 2:  # a matrix has many factorisations
            assert factor_match_score(factors, fit) > 0.99
        assert fit.error < 0.05

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_backends_and_precisions_agree(self, backend: str) -> None:
        tensor, _ = noisy((80, 6, 20), 3)
        reference = ntf_hals(tensor, 3, random_state=0, tol=1e-9)
        for dtype in (np.float64, np.float32):
            fit = ntf_hals(tensor.astype(dtype), 3, backend=backend, random_state=0)
            assert fit.factors[0].dtype == dtype
            assert fit.error == pytest.approx(reference.error, rel=1e-5)
            assert factor_match_score(reference, fit) > 0.9999

    def test_the_error_of_single_precision_is_the_true_one(self) -> None:
        for noise in (0.3, 0.01, 0.001):
            tensor, _ = noisy((100, 8, 50), 4, noise=noise)
            fit = ntf_hals(tensor.astype(np.float32), 4, random_state=0)
            assert fit.error == pytest.approx(true_error(tensor.astype(np.float32), fit), rel=1e-4)

    def test_the_seed_decides(self) -> None:
        tensor, _ = noisy((70, 5, 10), 3)
        a, b, other = (ntf_hals(tensor, 3, random_state=seed) for seed in (1, 1, 2))
        for x, y in zip(a.factors, b.factors, strict=True):
            np.testing.assert_array_equal(x, y)
        assert not np.array_equal(a.factors[0], other.factors[0])

    def test_the_input_is_not_changed(self) -> None:
        tensor, _ = noisy(SHAPE, 2)
        mask = np.random.default_rng(0).random(SHAPE) < 0.8
        before, start = tensor.copy(), random_factors(SHAPE, 2, 5)
        kept = [f.copy() for f in start]
        ntf_hals(tensor, 2, mask=mask, init=(None, start))
        np.testing.assert_array_equal(tensor, before)
        for now, then in zip(start, kept, strict=True):
            np.testing.assert_array_equal(now, then)

    def test_the_error_falls_from_sweep_to_sweep(self) -> None:
        tensor, _ = noisy((60, 6, 15), 4)
        found = factorise(tensor, 6, None, Settings(tol=1e-9), 0)
        assert found.converged
        assert len(found.errors) > 5
        assert np.all(np.diff(found.errors) <= 1e-12)
        assert found.errors[-1] == found.ntf.error

    def test_an_end_without_convergence_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        tensor, _ = noisy(SHAPE, 3)
        with caplog.at_level(logging.WARNING):
            assert not factorise(tensor, 3, None, Settings(max_sweeps=2), 0).converged
        assert "rank 3 still changed after 2 sweeps" in caplog.text

    def test_a_start_is_taken(self) -> None:
        tensor, factors = noisy((40, 6, 10), 3, noise=0.0)
        fit = ntf_hals(tensor, 3, init=(None, factors), max_sweeps=6)
        assert fit.error < 1e-7
        assert ntf_hals(tensor, 3, init=fit, max_sweeps=6).error < 1e-7

    def test_a_short_first_mode_gives_way(self) -> None:
        """Few times, many pairs: the longest mode goes first, and comes back to its place."""
        tensor, _ = noisy((4, 6, 50), 3, noise=0.01)
        mask = np.random.default_rng(0).random((6, 50)) < 0.9
        fit = ntf_hals(tensor, 3, mask=mask, random_state=0)
        assert [f.shape for f in fit.factors] == [(4, 3), (6, 3), (50, 3)]
        assert fit.error == pytest.approx(true_error(tensor, fit, mask), rel=1e-9)
        assert ntf_hals(tensor, 3, init=fit, mask=mask).error == pytest.approx(fit.error, rel=1e-3)

    def test_more_components_than_there_are(self) -> None:
        tensor, _ = noisy((40, 6, 10), 2, noise=0.0)
        fit = ntf_hals(tensor, 5, random_state=0)
        assert fit.error < 1e-3
        assert all(np.isfinite(f).all() for f in fit.factors)

    def test_whole_numbers_and_lists_are_taken(self) -> None:
        fit = ntf_hals([[1, 2], [2, 4], [3, 6]], 1, random_state=0)
        assert fit.error < 1e-6
        assert fit.factors[0].dtype == np.float32

    def test_to_tensorly(self) -> None:
        import tensorly

        tensor, _ = noisy(SHAPE, 2)
        fit = ntf_hals(tensor, 2, random_state=0)
        held = fit.to_tensorly()
        np.testing.assert_allclose(tensorly.cp_to_tensor(held), full(fit.factors, fit.weights), rtol=1e-9, atol=1e-12)
        assert ntf_hals(tensor, 2, init=held).error == pytest.approx(fit.error, rel=1e-5)


class TestMasks:
    """Masked cells take no part."""

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_a_masked_sample_is_as_if_it_were_not_there(self, backend: str) -> None:
        """The same start, so the same way: equal to the sub-tensor to rounding."""
        tensor, _ = noisy((60, 6, 15), 3)
        start, kept = random_factors(tensor.shape, 3, 9), np.array([True, False, True, True, False, True])
        wild = np.where(kept[:, None], tensor, np.nan)
        masked = ntf_hals(wild, 3, mask=np.repeat(kept[:, None], 15, axis=1), init=(None, start), backend=backend)
        alone = [start[0], start[1][kept], start[2]]
        sub = ntf_hals(tensor[:, kept], 3, init=(None, alone), backend=backend)
        assert masked.error == pytest.approx(sub.error, rel=1e-9)
        np.testing.assert_array_equal(masked.factors[1][~kept], 0.0)
        for a, b in zip([masked.factors[0], masked.factors[1][kept], masked.factors[2]], sub.factors, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-7)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("kind", ["cells", "blocks", "any"])
    def test_hidden_cells_do_not_count(self, kind: str, dtype: Any) -> None:
        tensor, factors = noisy((80, 6, 20), 3, noise=0.05)
        rng = np.random.default_rng(3)
        shape = {"cells": (1, 6, 20), "blocks": (8, 6, 20), "any": (80, 6, 20)}[kind]
        mask = np.repeat(rng.random(shape) < 0.8, 80 // shape[0], axis=0)
        spoiled = np.where(mask, tensor, 1e3 * rng.random(tensor.shape)).astype(dtype)
        fit = ntf_hals(spoiled, 3, mask=mask, random_state=0)
        assert fit.error == pytest.approx(true_error(tensor, fit, mask), rel=1e-4)
        assert factor_match_score(factors, fit) > 0.99
        clean = ntf_hals(np.where(mask, tensor, 0).astype(dtype), 3, mask=mask, random_state=0)
        for a, b in zip(fit.factors, clean.factors, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)

    def test_zeros_instead_of_a_mask_would_do_harm(self) -> None:
        """What masking is for."""
        tensor, factors = noisy((80, 10, 30), 3, noise=0.05)
        mask = np.random.default_rng(3).random((10, 30)) < 0.7
        masked = ntf_hals(tensor, 3, mask=mask, random_state=0)
        zeros = ntf_hals(np.where(mask, tensor, 0), 3, random_state=0)
        assert factor_match_score(factors, masked) > 0.99 > factor_match_score(factors, zeros) + 0.05


class TestMemoryMaps:
    """Tensors on disk."""

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_a_map_gives_the_same(self, tmp_path: Path, backend: str) -> None:
        tensor = noisy((300, 5, 20), 3)[0].astype(np.float32)
        np.save(tmp_path / "tensor.npy", tensor)
        mask = np.random.default_rng(0).random((5, 20)) < 0.9
        mapped = np.load(tmp_path / "tensor.npy", mmap_mode="r")
        for cells in (None, mask):
            a, b = (ntf_hals(t, 3, mask=cells, backend=backend, random_state=0) for t in (tensor, mapped))
            assert a.error == pytest.approx(b.error, rel=1e-6)
            np.testing.assert_allclose(a.factors[0], b.factors[0], atol=1e-5)

    def test_a_map_is_not_read_into_memory(self, tmp_path: Path) -> None:
        import tracemalloc

        tensor = np.lib.format.open_memmap(tmp_path / "tensor.npy", "w+", np.float32, (2000, 4, 2000))  # 64 MB
        rng = np.random.default_rng(0)
        for k in range(0, 2000, 100):
            tensor[k : k + 100] = rng.random((100, 4, 2000), np.float32)
        tensor.flush()
        mapped = np.load(tmp_path / "tensor.npy", mmap_mode="r")
        tracemalloc.start()
        ntf_hals(mapped, 3, max_sweeps=2, random_state=0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8e6


class TestRefusals:
    """Messages carry the value."""

    @pytest.mark.parametrize(
        ("tensor", "options", "message"),
        [
            (np.ones(5), {}, r"two or more modes, got dtype float64 and shape \(5,\)"),
            (np.ones((0, 4)), {}, r"shape \(0, 4\)"),
            (np.full((4, 3), "a"), {}, "real numbers"),
            (np.full(SHAPE, np.nan), {}, "NaN or infinite values in observed cells"),
            (np.zeros(SHAPE), {}, "is 0 in every observed cell"),
            (np.ones(SHAPE), {"rank": 0}, "rank must be a whole number from 1 up, got 0"),
            (np.ones(SHAPE), {"rank": 2.5}, "got 2.5"),
            (np.ones(SHAPE), {"rank": True}, "got True"),
            (np.ones(SHAPE), {"max_sweeps": 0}, "max_sweeps must be a whole number from 1 up, got 0"),
            (np.ones(SHAPE), {"tol": -1.0}, "tol is a share .*, got -1.0"),
            (np.ones(SHAPE), {"backend": "jax"}, "backend='jax' is unknown"),
            (np.ones(SHAPE), {"device": "cuda"}, "needs backend='torch'"),
            (np.ones(SHAPE), {"backend": "torch", "device": "nonsense"}, "device='nonsense' cannot be used"),
            (np.ones(SHAPE), {"init": (None, random_factors((30, 7, 11), 2))}, r"\(12, 2\)\], got .*\(11, 2\)"),
            (np.ones(SHAPE), {"init": (None, [-f for f in random_factors(SHAPE, 2)])}, "at least 0, got a minimum of -"),
        ],
    )
    def test_message(self, tensor: Any, options: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            ntf_hals(tensor, options.pop("rank", 2), **options)


class TestDenseProblem:
    """One pass over the tensor."""

    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_a_pass_leaves_the_sums(self, backend: str, dtype: Any) -> None:
        rng = np.random.default_rng(0)
        tensor = rng.random((50, 6, 11)).astype(dtype)
        kernels = get_kernels(backend)
        kernels.block_bytes = 7 * 66 * tensor.itemsize  # type: ignore[misc]  # blocks of seven rows, the last one shorter
        problem = DenseProblem(tensor, None, kernels)
        factors = [rng.random((3, dim)).astype(dtype) for dim in tensor.shape]
        left = problem.advance(factors, 3)
        np.testing.assert_allclose(left, np.einsum("twp,rt->rwp", tensor, factors[0]), rtol=1e-5)
        assert problem.norm2 == pytest.approx(float(np.sum(tensor.astype(float) ** 2)), rel=1e-7)
        exact = np.linalg.norm(tensor - full([f.T for f in factors])) ** 2 / np.sum(tensor.astype(float) ** 2)
        assert problem.exact_loss(factors) == pytest.approx(exact, rel=1e-6)

    def test_thinning_does_not_copy(self) -> None:
        problem = DenseProblem(np.ones((50, 6, 11)), None, get_kernels())
        assert np.shares_memory(problem.thinned(8).flat, problem.flat)
        assert problem.thinned(8).shape == (7, 6, 11)
