"""Banded ridge and the product measure beside himalaya: the same candidates, penalties and folds."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from neurodecode.linear import BandedRidgeCV
from neurodecode.linear.banded_search import draw_candidates
from neurodecode.linear.product_measure import product_measure

himalaya = pytest.importorskip("himalaya")
ALPHAS = np.logspace(-1, 4, 6)


def problem(dtype: Any) -> tuple[list[np.ndarray], np.ndarray]:
    """Three feature spaces, centred as himalaya needs them without an intercept."""
    rng = np.random.default_rng(0)
    spaces = [rng.standard_normal((120, width)) for width in (30, 50, 80)]
    y = spaces[0] @ rng.standard_normal((30, 15)) + 0.5 * spaces[1] @ rng.standard_normal((50, 15))
    y += 4 * rng.standard_normal(y.shape)
    return [(x - x.mean(axis=0)).astype(dtype) for x in spaces], (y - y.mean(axis=0)).astype(dtype)


def peer_surface(spaces: list[np.ndarray], y: np.ndarray, gammas: np.ndarray, folds: Any, backend: str) -> np.ndarray:
    """Mean R2 per candidate and target at the best penalty, one candidate at a time; (n_candidates, n_targets)."""
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search
    from himalaya.scoring import r2_score
    from sklearn.model_selection import PredefinedSplit

    module = set_backend(backend)
    fold = np.concatenate([np.full(len(test), k) for k, (_, test) in enumerate(folds)])
    kernels = module.asarray(np.stack([x @ x.T for x in spaces]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, _, scores, *_ = solve_multiple_kernel_ridge_random_search(
                kernels,
                module.asarray(y),
                n_iter=gammas.astype(y.dtype),
                alphas=module.asarray(ALPHAS.astype(y.dtype)),
                score_func=r2_score,
                cv=PredefinedSplit(fold),
                fit_intercept=True,
                return_weights="dual",
                progress_bar=False,
            )
    finally:
        set_backend("numpy")
    return np.asarray(scores)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("form", ["dual", "primal"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_surface_of_scores_is_that_of_himalaya(backend: str, form: str, dtype: Any) -> None:
    spaces, y = problem(dtype)
    gammas = draw_candidates(3, 8, random_state=3)
    blocks = np.array_split(np.arange(len(y)), 4)
    folds = [(np.setdiff1d(np.arange(len(y)), test), test) for test in blocks]
    ours = BandedRidgeCV(gammas=gammas, alphas=ALPHAS, cv=folds, keep_surface=True, form=form, backend=backend).fit(spaces, y)
    theirs = peer_surface(spaces, y, gammas, folds, backend)
    assert_allclose(ours.surface_.max(axis=1), theirs, atol=1e-4)
    assert_allclose(ours.cv_scores_, theirs.max(axis=0), atol=1e-4)


def test_the_fit_of_all_samples_predicts_as_that_of_himalaya() -> None:
    from himalaya.kernel_ridge import KernelRidge

    spaces, y = problem(np.float64)
    gamma, alpha = np.array([0.6, 0.3, 0.1]), 10.0
    ours = BandedRidgeCV(gammas=[gamma], alphas=[alpha]).fit(spaces, y)
    kernel = sum(g * x @ x.T for g, x in zip(gamma, spaces, strict=True))
    peer = KernelRidge(alpha=alpha, kernel="precomputed", solver="eigenvalues").fit(kernel, y)
    assert_allclose(ours.predict(spaces), peer.predict(kernel), atol=1e-8)


def test_the_product_measure_is_that_of_himalaya() -> None:
    """On centred predictions; what the mean is off is shared out by himalaya in another way."""
    from himalaya.scoring import r2_score_split

    rng = np.random.default_rng(2)
    y, parts = rng.standard_normal((50, 6)), rng.standard_normal((3, 50, 6))
    y -= y.mean(axis=0)
    parts -= parts.mean(axis=1, keepdims=True)
    assert_allclose(product_measure(y, parts), r2_score_split(y, parts), atol=1e-12)
