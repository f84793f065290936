"""Targets larger than memory: a memory map is read in batches, and what is taken does not grow with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from ridge_data import peak_growth, problem, sparse_map
from threadpoolctl import threadpool_limits

from neurodecode.linear import RidgeCV

MB = 2**20


def fit_map(path: Path, n: int, n_targets: int, p: int, limit: int) -> None:
    """Fit a memory map that is nearly all zeros, and compare the targets that are not with a fit of them alone."""
    x, y = problem(n, p, 4, np.float32)
    columns = {0: y[:, 0], n_targets // 3: y[:, 1], n_targets // 2: y[:, 2], n_targets - 1: y[:, 3]}
    targets = sparse_map(path, n, n_targets, columns)
    RidgeCV([1.0, 100.0]).fit(x, y)  # loads libraries
    with peak_growth() as grown, threadpool_limits(1):  # threads wait for each other longer than such small products take
        model = RidgeCV([1.0, 100.0, 1e4]).fit(x, targets)
    assert grown[0] <= limit, f"{grown[0] / MB:.0f} MB for targets of {targets.nbytes / MB:.0f} MB"
    alone = RidgeCV([1.0, 100.0, 1e4]).fit(x, y)
    assert_allclose(model.coef_[:, list(columns)], alone.coef_, atol=1e-5)
    assert_allclose(model.cv_scores_[:, list(columns)], alone.cv_scores_, atol=1e-5)
    assert np.isnan(model.cv_scores_[:, 1]).all()


def test_targets_of_one_gigabyte(tmp_path: Path) -> None:
    fit_map(tmp_path / "y.npy", 1024, 260_000, 16, 256 * MB)


@pytest.mark.slow
def test_targets_of_eight_gigabytes(tmp_path: Path) -> None:
    fit_map(tmp_path / "y.npy", 2048, 1_000_000, 100, 2048 * MB)


def test_features_of_a_memory_map_are_read_in_parts(tmp_path: Path) -> None:
    """In dual form nothing the size of the features is held."""
    n, p = 64, 2**20
    _, y = problem(n, 2, 3, np.float32)
    x = sparse_map(tmp_path / "x.npy", n, p, {0: y[:, 0], p - 1: y[:, 1]})
    RidgeCV([1.0, 10.0]).fit(x[:, :1000], y)
    with peak_growth() as grown:
        model = RidgeCV([1.0, 10.0, 100.0]).fit(x, y)
    assert model.form_ == "dual"
    assert grown[0] <= 192 * MB, f"{grown[0] / MB:.0f} MB for features of {x.nbytes / MB:.0f} MB"
    assert_allclose(model.coef_[[0, -1]], RidgeCV([1.0, 10.0, 100.0]).fit(x[:, [0, -1]], y).coef_, atol=1e-4)
