"""Noise precision: each shrinkage, residuals of designs with and without repeats, and that nothing tested is fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from rsa_data import patterns, slow_crossnobis
from sklearn.covariance import ledoit_wolf

from neurodecode.compare import noise_precision, rdm
from neurodecode.compare.rdm_noise import METHODS, pattern_residuals, precision_root
from neurodecode.errors import DataError


def noise(rng: np.random.Generator, n: int = 60, p: int = 8) -> np.ndarray:
    return rng.standard_normal((n, p)) @ rng.standard_normal((p, p))


def test_ledoit_wolf_is_that_of_scikit_learn(rng: np.random.Generator) -> None:
    residuals = noise(rng)
    expected = np.linalg.inv(ledoit_wolf(residuals, assume_centered=True)[0])
    np.testing.assert_allclose(noise_precision(residuals, dof=60), expected, rtol=1e-9)


def test_degrees_of_freedom_scale_the_covariance(rng: np.random.Generator) -> None:
    residuals = noise(rng)
    np.testing.assert_allclose(noise_precision(residuals, dof=30), noise_precision(residuals, dof=60) / 2, rtol=1e-10)
    np.testing.assert_allclose(noise_precision(residuals), noise_precision(residuals, dof=59), rtol=1e-12)


def test_diagonal_is_one_over_variance_and_no_matrix(rng: np.random.Generator) -> None:
    residuals = noise(rng)
    found = noise_precision(residuals, "diagonal", dof=60)
    assert found.shape == (8,)
    np.testing.assert_allclose(found, 1 / np.mean(residuals**2, axis=0))


def test_correlations_shrink_as_schaefer_and_strimmer_have_it(rng: np.random.Generator) -> None:
    residuals = noise(rng)
    residuals -= residuals.mean(axis=0)
    n = len(residuals)
    z = residuals / residuals.std(axis=0, ddof=1)
    products = z[:, :, None] * z[:, None, :]
    r, spread = products.sum(axis=0) / (n - 1), n / (n - 1) ** 3 * np.sum((products - products.mean(axis=0)) ** 2, axis=0)
    off = ~np.eye(8, dtype=bool)
    share = min(1, spread[off].sum() / (r[off] ** 2).sum())
    assert 0.01 < share < 0.5
    scale = residuals.std(axis=0, ddof=1)
    expected = np.where(off, 1 - share, 1) * r * scale * scale[:, None]
    np.testing.assert_allclose(np.linalg.inv(noise_precision(residuals, "shrunk_diagonal")), expected, rtol=1e-9)


@pytest.mark.parametrize("method", ["ledoit_wolf", "shrunk_diagonal"])
def test_shrunk_precision_exists_where_units_outnumber_samples(rng: np.random.Generator, method: str) -> None:
    precision = noise_precision(rng.standard_normal((10, 50)), method)
    assert np.linalg.eigvalsh(precision)[0] > 0
    np.testing.assert_array_equal(precision, precision.T)


@pytest.mark.parametrize("method", METHODS)
def test_precision_comes_back_from_many_samples(rng: np.random.Generator, method: str) -> None:
    mixing = np.diag([1.0, 2.0, 3.0]) if method == "diagonal" else np.array([[1.0, 0, 0], [0.8, 1, 0], [0, 0.5, 2]])
    found = noise_precision(rng.standard_normal((20000, 3)) @ mixing.T, method)
    expected = np.linalg.inv(mixing @ mixing.T)
    np.testing.assert_allclose(found, np.diag(expected) if method == "diagonal" else expected, atol=0.05)


def test_root_times_its_transpose_is_the_precision(rng: np.random.Generator) -> None:
    precision = noise_precision(noise(rng))
    root = precision_root(precision, 8)
    np.testing.assert_allclose(root @ root.T, precision, atol=1e-12)


def test_residuals_of_repeats_leave_out_the_mean_of_each_cell(rng: np.random.Generator) -> None:
    condition, run = np.tile([0, 1, 0, 1], 3), np.repeat(np.arange(3), 4)
    data = rng.standard_normal((12, 5))
    residuals, dof = pattern_residuals(data, condition, run)
    assert dof == 6
    expected = data.reshape(3, 2, 2, 5) - data.reshape(3, 2, 2, 5).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(residuals, expected.reshape(12, 5), atol=1e-14)


def test_residuals_without_repeats_leave_out_condition_and_run(rng: np.random.Generator) -> None:
    data = rng.standard_normal((4, 6, 5))  # runs, conditions, units
    residuals, dof = pattern_residuals(data.reshape(24, 5), np.tile(np.arange(6), 4), np.repeat(np.arange(4), 6))
    expected = data - data.mean(axis=0) - data.mean(axis=1, keepdims=True) + data.mean(axis=(0, 1))
    assert dof == 15
    np.testing.assert_allclose(residuals, expected.reshape(24, 5), atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_noise_of_a_fold_is_that_of_its_training_runs(rng: np.random.Generator, method: str) -> None:
    """From the definition: products of run m with any other are whitened by the residuals of all runs but m."""
    data, condition, run = patterns(rng, n_units=6)
    total = np.zeros((7, 7))
    for test in range(4):
        train = run != test
        residuals, dof = pattern_residuals(data[train], condition[train], run[train])
        precision = noise_precision(residuals, method, dof=dof)
        precision = np.diag(precision) if precision.ndim == 1 else precision
        for other in range(4):
            if other != test:
                two = np.isin(run, (test, other))
                total += slow_crossnobis(data[two], condition[two], run[two], precision)
    np.testing.assert_allclose(rdm(data, "crossnobis", condition, run, noise=method), total / 12, atol=1e-12)


def test_a_test_run_cannot_change_its_own_noise(rng: np.random.Generator) -> None:
    """Scale one run up by a factor: products with that run as the test part scale by the factor, and no more."""
    data, condition, run = patterns(rng, n_runs=3, n_units=5)
    scaled = np.where((run == 0)[:, None], 100 * data, data)
    found = [rdm(x, "crossnobis", condition, run, noise="diagonal") for x in (data, scaled)]
    residuals, dof = pattern_residuals(data[run != 0], condition[run != 0], run[run != 0])
    fixed = noise_precision(residuals, "diagonal", dof=dof)
    pairs = [
        sum(
            slow_crossnobis(
                data[np.isin(run, (0, k))], condition[np.isin(run, (0, k))], run[np.isin(run, (0, k))], np.diag(fixed)
            )
        )
        for k in (1, 2)
    ]
    share = np.sum(pairs) * 100 / 6
    assert found[1].sum() == pytest.approx(share, rel=0.05)  # what the noisy run itself whitens is next to nothing
    assert found[0].sum() != pytest.approx(share, rel=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_mahalanobis_takes_the_residuals_of_all_rows(rng: np.random.Generator, method: str) -> None:
    data, condition, run = patterns(rng, n_units=6)
    residuals, dof = pattern_residuals(data, condition, run)
    expected = rdm(data, "mahalanobis", condition, noise=noise_precision(residuals, method, dof=dof))
    np.testing.assert_allclose(rdm(data, "mahalanobis", condition, run, noise=method), expected, atol=1e-14)


def test_two_runs_without_repeats_have_no_noise_to_train_on(rng: np.random.Generator) -> None:
    data, condition, run = patterns(rng, n_runs=2)
    with pytest.raises(DataError, match="7 rows of 7 conditions in 1 training runs leave no residuals"):
        rdm(data, "crossnobis", condition, run, noise="diagonal")


@pytest.mark.parametrize(
    ("residuals", "method", "dof", "message"),
    [
        (np.ones(4), "diagonal", None, r"of shape \(n_samples, n_units\), got shape \(4,\)"),
        (np.full((4, 2), np.nan), "diagonal", None, "leave NaN units out"),
        (np.eye(4), "diagonal", 0, "4 residuals with 0 degrees of freedom"),
        (np.eye(4), "diagonal", 9, "4 residuals with 9 degrees of freedom"),
        (np.eye(4)[:, :3] * [1, 0, 1], "diagonal", None, "1 of 3 units do not vary, the first is unit 1"),
        (np.eye(4), "full", None, "method='full' is unknown"),
        (np.zeros((4, 2)), "ledoit_wolf", None, "covariance of 2 units is singular"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_gives_no_precision_is_refused(residuals: np.ndarray, method: str, dof: float | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        noise_precision(residuals, method, dof=dof)
