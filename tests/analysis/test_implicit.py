"""The factorisation that never builds pairs equals the one of the tensor."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from connectome_data import built, random_factors, separable, true_error

from neurodecode.analysis.connectome import SeparableAffinity, factor_match_score, ntf_hals
from neurodecode.analysis.connectome.dense import DenseProblem
from neurodecode.analysis.connectome.implicit import SeparableProblem, pair_mask
from neurodecode.analysis.connectome.kernels import get_kernels
from neurodecode.analysis.connectome.observed import Observed
from neurodecode.errors import DataError

BACKENDS = ["numpy", "torch"]


def masks(affinity: SeparableAffinity, held_out: bool, seed: int = 0) -> Observed | None:
    """Observed pairs, some of them held out in blocks of time."""
    n_times, n_samples, n_names = affinity.h_plus.shape
    n_pairs = n_names * (n_names - 1) // 2
    observed = np.ones((n_samples, n_names), bool) if affinity.observed is None else affinity.observed
    seen = np.broadcast_to(pair_mask(observed), (n_times, n_samples, n_pairs)).copy()
    if held_out:
        blocks = np.random.default_rng(seed).random((6, n_samples, n_pairs)) < 0.85
        seen &= np.repeat(blocks, -(-n_times // 6), axis=0)[:n_times]
    return Observed.from_mask(seen, seen.shape)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("held_out", [False, True])
class TestSums:
    """What the solver needs, against the tensor that was built."""

    def problems(self, backend: str, missing: float, held_out: bool, dtype: Any = np.float32) -> tuple[Any, Any, np.ndarray]:
        affinity = separable(missing=missing, dtype=dtype)
        observed, kernels = masks(affinity, held_out), get_kernels(backend)
        tensor = built(affinity)
        return SeparableProblem(affinity, observed, kernels), DenseProblem(tensor, observed, kernels), tensor

    def test_sums_and_norms(self, backend: str, missing: float, held_out: bool) -> None:
        implicit, dense, tensor = self.problems(backend, missing, held_out)
        assert implicit.shape == tensor.shape
        assert implicit.norm2 == pytest.approx(dense.norm2, rel=1e-7)
        factors = [f.T.astype(np.float32) for f in random_factors(tensor.shape, 3)]
        cells = (
            np.ones(tensor.shape)
            if implicit.observed is None
            else np.repeat(implicit.observed.cells, np.diff(implicit.observed.bounds), axis=0)
        )
        expected = np.einsum("twp,rp->rtw", tensor * cells, factors[2], dtype=np.float64)
        np.testing.assert_allclose(implicit.against_pairs(factors[2]), expected, rtol=2e-6, atol=1e-6 * expected.max())
        left = implicit.advance(factors, 3)
        expected = np.einsum("twp,rt,rw->rp", tensor * cells, factors[0], factors[1], dtype=np.float64)
        np.testing.assert_allclose(left, expected, rtol=2e-6, atol=1e-6 * expected.max())
        assert implicit.exact_loss(factors) == pytest.approx(dense.exact_loss(factors), rel=1e-6)

    def test_factorisations(self, backend: str, missing: float, held_out: bool) -> None:
        """From the same start, errors equal to 1e-5 and the same components."""
        implicit, _, tensor = self.problems(backend, missing, held_out)
        options: dict[str, Any] = {"init": (None, random_factors(tensor.shape, 2, 3)), "backend": backend, "tol": 1e-9}
        a = ntf_hals(implicit.affinity, 2, mask=None if not held_out else _whole(implicit), **options)
        b = ntf_hals(tensor, 2, mask=_whole(implicit), **options)
        assert a.error == pytest.approx(b.error, rel=1e-5)
        assert a.error == pytest.approx(true_error(tensor, a, _whole(implicit)), rel=1e-5)
        assert factor_match_score(a, b) > 0.9999


def _whole(problem: SeparableProblem) -> np.ndarray | None:
    seen = problem.observed
    return None if seen is None else np.repeat(seen.cells, np.diff(seen.bounds), axis=0)


def test_double_precision() -> None:
    affinity = separable(dtype=np.float64)
    fit = ntf_hals(affinity, 3, random_state=0)
    assert fit.factors[2].dtype == np.float64
    assert fit.error == pytest.approx(true_error(built(affinity), fit), rel=1e-9)


def test_a_long_recording_is_thinned_for_the_start() -> None:
    affinity = separable(n_times=600)
    problem = SeparableProblem(affinity, None, get_kernels())
    thin = problem.thinned(8)
    np.testing.assert_array_equal(thin.sides[0], affinity.h_plus[::8].reshape(-1, 12))
    fit = ntf_hals(affinity, 2, random_state=0)
    assert fit.error == pytest.approx(true_error(built(affinity), fit), rel=1e-5)


def test_memory_is_that_of_traces_and_factors() -> None:
    """300 neurons, 400 times: a tensor of 72 MB, solved within 9 MB."""
    affinity = separable(n_times=400, n_samples=1, n_names=300)
    tracemalloc.start()
    ntf_hals(affinity, 4, max_sweeps=3, random_state=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9e6


@pytest.mark.parametrize(
    ("affinity", "message"),
    [
        (SeparableAffinity(np.ones((4, 3)), np.ones((4, 3))), r"\(n_times, n_samples, n_names\) .*\(4, 3\)"),
        (SeparableAffinity(np.ones((4, 2, 3)), np.ones((4, 2, 4))), r"\(4, 2, 3\) and \(4, 2, 4\)"),
        (SeparableAffinity(np.ones((4, 2, 1)), np.ones((4, 2, 1))), "two names or more"),
        (SeparableAffinity(np.ones((4, 2, 3)), np.zeros((4, 2, 3)), np.ones((2, 4))), r"= \(2, 3\), got \(2, 4\)"),
        (SeparableAffinity(np.ones((4, 2, 3)), np.zeros((4, 2, 3)), np.eye(2, 3) > 0), "must be 0, got others in 4 traces"),
        (SeparableAffinity(np.zeros((4, 2, 3)), np.zeros((4, 2, 3))), "is 0 in every observed cell"),
        (SeparableAffinity(np.full((4, 2, 3), np.nan), np.zeros((4, 2, 3))), "NaN or infinite values"),
    ],
)
def test_refusals(affinity: SeparableAffinity, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ntf_hals(affinity, 2)


def test_masks_of_the_data_and_of_the_user_both_count() -> None:
    affinity = separable(missing=0.3)
    mask = np.random.default_rng(1).random((3, 66)) < 0.8
    fit = ntf_hals(affinity, 2, mask=mask, random_state=0)
    both = mask & pair_mask(affinity.observed)  # type: ignore[arg-type]
    assert fit.error == pytest.approx(true_error(built(affinity), fit, both), rel=1e-5)
    with pytest.raises(DataError, match=r"mask of shape \(4, 66\) does not fit"):
        ntf_hals(affinity, 2, mask=np.ones((4, 66), bool))
    with pytest.raises(DataError, match="truth values"):
        ntf_hals(affinity, 2, mask=mask.astype(float))
