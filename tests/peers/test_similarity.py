"""Similarities equal those of scipy, scikit-learn and POT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurodecode.metrics import cca, procrustes, soft_match


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    latent = rng.standard_normal((120, 3))
    return tuple(latent @ rng.standard_normal((3, k)) + rng.standard_normal((120, k)) for k in (8, 8))  # type: ignore[return-value]


def test_procrustes_equals_scipy(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Its disparity after the best scale is 1 - similarity²."""
    spatial = pytest.importorskip("scipy.spatial")
    assert procrustes(*pair, folds=None).similarity ** 2 == pytest.approx(1 - spatial.procrustes(*pair)[2], abs=1e-10)


def test_canonical_correlations_equal_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    decomposition = pytest.importorskip("sklearn.cross_decomposition")
    x, y = pair
    a, b = decomposition.CCA(4, scale=False, max_iter=5000, tol=1e-12).fit_transform(x, y)
    theirs = [np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(4)]
    np.testing.assert_allclose(cca(x, y, n_components=4, penalty=0.0, folds=None).correlations, theirs, atol=1e-6)


@pytest.mark.parametrize("q", [8, 5])
def test_soft_matching_equals_the_transport_of_pot(pair: tuple[np.ndarray, np.ndarray], q: int) -> None:
    ot: Any = pytest.importorskip("ot")
    x, y = pair[0], pair[1][:, :q]
    cost = 1 - np.corrcoef(x.T, y.T)[:8, 8:]
    margins = np.full(8, 1 / 8), np.full(q, 1 / q)
    assert soft_match(x, y, folds=None).similarity == pytest.approx(1 - ot.emd2(*margins, cost), abs=1e-10)
    for mass in (0.3, 0.7):
        plan = ot.partial.partial_wasserstein(*margins, cost, m=mass)
        assert soft_match(x, y, mass, folds=None).similarity == pytest.approx(1 - np.sum(plan * cost) / mass, abs=1e-9)
