"""Measures between RDMs, from their definitions; missing pairs; what is refused."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from rsa_data import euclidean_rdms, pair_covariance, pairs, random_rdms, slow_whitened_cosine
from scipy.stats import spearmanr

from neurodecode.compare import compare_rdms, rdm
from neurodecode.compare.rdm_embedding import MEASURES, tau_a
from neurodecode.errors import DataError

N = 9
RANKS = ("spearman", "rho_a", "tau_a")


def whitened(a: np.ndarray, b: np.ndarray, sigma: np.ndarray | None = None) -> float:
    return float(slow_whitened_cosine(a[None], b[None], pair_covariance(N, sigma))[0, 0])


def slow_tau_a(a: np.ndarray, b: np.ndarray) -> float:
    signs = [np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) for i, j in combinations(range(len(a)), 2)]
    return float(np.mean(signs))


def broken_ties(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return values + 1e-6 * rng.random(len(values))


SLOW = {
    "spearman": lambda a, b: spearmanr(a, b).statistic,
    "tau_a": slow_tau_a,
    "pearson": lambda a, b: np.corrcoef(a, b)[0, 1],
    "cosine": lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b),
    "whitened_cosine": whitened,
    "whitened_correlation": lambda a, b: whitened(a - a.mean(), b - b.mean()),
}


@pytest.mark.parametrize("levels", [0, 3])
@pytest.mark.parametrize("method", SLOW)
def test_each_measure_is_its_definition(rng: np.random.Generator, method: str, levels: int) -> None:
    a, b = random_rdms(rng, 1, N, levels)[0], random_rdms(rng, 1, N)[0]
    found = compare_rdms(a, b, method)  # type: ignore[arg-type]
    assert isinstance(found, float)
    assert found == pytest.approx(SLOW[method](pairs(a), pairs(b)), abs=1e-12)


def test_rho_a_is_spearman_over_all_ways_to_break_ties(rng: np.random.Generator) -> None:
    a, b = random_rdms(rng, 1, N, levels=3)[0], random_rdms(rng, 1, N)[0]
    drawn = [spearmanr(broken_ties(pairs(a), rng), pairs(b)).statistic for _ in range(400)]
    assert compare_rdms(a, b, "rho_a") == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / np.sqrt(400))


@pytest.mark.parametrize("shape", ["diagonal", "full"])
@pytest.mark.parametrize("method", ["whitened_cosine", "whitened_correlation"])
def test_covariance_of_pattern_estimates(rng: np.random.Generator, method: str, shape: str) -> None:
    a, b = random_rdms(rng, 2, N), random_rdms(rng, 3, N)
    root = np.diag(rng.uniform(0.5, 2, N)) if shape == "diagonal" else rng.standard_normal((N, N))
    sigma = root @ root.T
    sides = [pairs(side) for side in (a, b)]
    sides = [s - s.mean(axis=1, keepdims=True) for s in sides] if method == "whitened_correlation" else sides
    expected = slow_whitened_cosine(sides[0], sides[1], pair_covariance(N, sigma))
    found = compare_rdms(a, b, method, sigma=np.diag(sigma) if shape == "diagonal" else sigma)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_scaling_the_covariance_changes_nothing(rng: np.random.Generator) -> None:
    a, b = random_rdms(rng, 2, N)
    expected = compare_rdms(a, b, "whitened_cosine")
    assert compare_rdms(a, b, "whitened_cosine", sigma=7 * np.eye(N)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", MEASURES)
def test_stacks_are_compared_each_with_each(rng: np.random.Generator, method: str) -> None:
    a, b = random_rdms(rng, 2, N), random_rdms(rng, 3, N, levels=4)
    found = compare_rdms(a, b, method)
    assert isinstance(found, np.ndarray)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found, [[compare_rdms(x, y, method) for y in b] for x in a], atol=1e-13)
    np.testing.assert_allclose(compare_rdms(a[0], b, method), found[:1], atol=1e-13)
    np.testing.assert_allclose(compare_rdms(b, a, method), found.T, atol=1e-13)


@pytest.mark.parametrize("method", MEASURES)
def test_best_is_one_and_the_order_of_conditions_does_not_count(rng: np.random.Generator, method: str) -> None:
    a, b = random_rdms(rng, 2, N)
    assert compare_rdms(a, a, method) == pytest.approx(1)
    order = rng.permutation(N)
    shuffled = [x[np.ix_(order, order)] for x in (a, b)]
    assert compare_rdms(shuffled[0], shuffled[1], method) == pytest.approx(compare_rdms(a, b, method))
    assert compare_rdms(shuffled[0], b, method) != pytest.approx(compare_rdms(a, b, method), abs=1e-3)


@pytest.mark.parametrize("method", MEASURES)
def test_scale_does_not_count_and_offset_only_for_cosines(rng: np.random.Generator, method: str) -> None:
    a, b = random_rdms(rng, 2, N)
    expected = compare_rdms(a, b, method)
    assert compare_rdms(5 * a, b, method) == pytest.approx(expected)
    moved = compare_rdms(a + 3 * (1 - np.eye(N)), b, method)
    assert (moved == pytest.approx(expected)) == (method not in ("cosine", "whitened_cosine"))


@pytest.mark.parametrize("method", MEASURES)
def test_chance_is_zero_for_unrelated_rdms(rng: np.random.Generator, method: str) -> None:
    """Distances of independent patterns; cosines need distances around 0, as crossnobis gives them."""
    points = rng.standard_normal((2, 200, N, 20))
    a, b = (euclidean_rdms(side) for side in points)
    if "cosine" in method:
        a, b = (side - 2 * (1 - np.eye(N)) for side in (a, b))
    found = np.array([compare_rdms(x, y, method) for x, y in zip(a, b, strict=True)])
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(200)


@pytest.mark.parametrize("method", SLOW)
def test_missing_pairs_are_refused_or_dropped_from_all(rng: np.random.Generator, method: str) -> None:
    a, b = random_rdms(rng, 2, N), random_rdms(rng, 2, N)
    full = [a.copy(), b.copy()]
    for stack, (i, j) in ((a[1], (0, 3)), (b[0], (5, 2)), (b[1], (5, 7))):
        stack[i, j] = stack[j, i] = np.nan
    with pytest.raises(DataError, match="3 pairs of conditions are missing in some RDM, the first is 0 and 3"):
        compare_rdms(a, b, method)  # type: ignore[arg-type]
    kept = np.isfinite(pairs(a[1] + b[0] + b[1]))
    assert kept.sum() == 33
    left, right = (pairs(side)[:, kept] for side in full)
    if method.startswith("whitened"):
        sides = [s - s.mean(axis=1, keepdims=True) if "corr" in method else s for s in (left, right)]
        expected = slow_whitened_cosine(sides[0], sides[1], pair_covariance(N)[np.ix_(kept, kept)])
    else:
        expected = np.array([[SLOW[method](x, y) for y in right] for x in left])
    np.testing.assert_allclose(compare_rdms(a, b, method, missing="drop"), expected, atol=1e-12)  # type: ignore[arg-type]


def test_missing_pairs_with_a_covariance(rng: np.random.Generator) -> None:
    a, b = random_rdms(rng, 2, N)
    kept = rng.random(36) > 0.3
    root = rng.standard_normal((N, N))
    sigma = root @ root.T
    expected = slow_whitened_cosine(pairs(a)[None, kept], pairs(b)[None, kept], pair_covariance(N, sigma)[np.ix_(kept, kept)])
    rows, columns = np.triu_indices(N, 1)
    a[rows[~kept], columns[~kept]] = a[columns[~kept], rows[~kept]] = np.nan
    assert compare_rdms(a, b, "whitened_cosine", sigma=sigma, missing="drop") == pytest.approx(expected[0, 0], abs=1e-9)


@pytest.mark.parametrize("method", MEASURES)
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_an_rdm_that_does_not_vary_has_no_similarity(rng: np.random.Generator, method: str, value: float) -> None:
    flat = value * (1 - np.eye(N))
    found = compare_rdms(np.stack([flat, *random_rdms(rng, 1, N)]), random_rdms(rng, 2, N), method)
    has_one = value > 0 and "cosine" in method  # its angle is known
    np.testing.assert_array_equal(np.isnan(found), [[not has_one] * 2, [False] * 2])


def test_ties_bound_tau_a(rng: np.random.Generator) -> None:
    values = np.repeat([0.0, 1.0], 5)[None]
    assert tau_a(values, values)[0, 0] == pytest.approx(25 / 45)
    assert tau_a(values, -values)[0, 0] == pytest.approx(-25 / 45)


def test_diagonals_are_not_looked_at(rng: np.random.Generator) -> None:
    a, b = random_rdms(rng, 2, N)
    expected = compare_rdms(a, b)
    before = a.copy()
    np.fill_diagonal(a, np.nan)
    assert compare_rdms(a, b) == expected
    np.fill_diagonal(a, 0)
    np.testing.assert_array_equal(a, before)


def test_encoding_predictions_are_compared_as_rdms(rng: np.random.Generator) -> None:
    measured = rng.standard_normal((12, 30))
    near, far = (measured + noise * rng.standard_normal((12, 30)) for noise in (0.5, 5))
    close, distant = (compare_rdms(rdm(predicted), rdm(measured)) for predicted in (near, far))
    assert close > distant + 0.2


def test_whitening_makes_the_similarity_with_the_truth_surer(rng: np.random.Generator) -> None:
    """It varies less, relative to its mean: that is what it is for."""
    truth = rng.standard_normal((N, 6))
    noisy = euclidean_rdms(truth + 0.7 * rng.standard_normal((400, N, 6)))
    reference = euclidean_rdms(truth[None])
    spread = {m: np.std(compare_rdms(noisy, reference, m)) for m in ("pearson", "whitened_correlation")}  # type: ignore[arg-type]
    level = {m: np.mean(compare_rdms(noisy, reference, m)) for m in spread}  # type: ignore[arg-type]
    assert spread["whitened_correlation"] / level["whitened_correlation"] < spread["pearson"] / level["pearson"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "kendall"}, "method='kendall' is unknown"),
        ({"missing": "ignore"}, "missing='ignore' is unknown"),
        ({"a": np.zeros((3, 4))}, r"a must be \(n_conditions, n_conditions\) or a stack .* got shape \(3, 4\)"),
        ({"a": np.zeros((2, 2))}, "of at least three conditions"),
        ({"a": np.zeros(36)}, r"got shape \(36,\)"),
        ({"b": np.zeros((0, 9, 9))}, r"got shape \(0, 9, 9\)"),
        ({"b": np.zeros((8, 8))}, r"the same conditions in the same order, got \[8, 9\]"),
        ({"b": np.triu(np.ones((9, 9)))}, "b must be symmetric, .* by up to 1"),
        ({"b": np.full((9, 9), np.inf)}, "b hold 72 infinite values"),
        ({"b": np.full((9, 9), np.nan), "missing": "drop"}, "only 0 pairs of conditions are in all RDMs"),
        ({"sigma": np.eye(9)}, "method='spearman' takes no sigma"),
        ({"method": "whitened_cosine", "sigma": np.eye(8)}, r"of shape \(9,\) or \(9, 9\), .* got shape \(8, 8\)"),
        ({"method": "whitened_cosine", "sigma": -np.ones(9)}, "its lowest eigenvalue is -1"),
        ({"method": "whitened_cosine", "sigma": np.triu(np.ones((9, 9)))}, "must be symmetric and positive definite"),
    ],
)
def test_what_does_not_fit_is_refused(rng: np.random.Generator, change: dict[str, Any], message: str) -> None:
    a, b = random_rdms(rng, 2, N)
    with pytest.raises(DataError, match=message):
        compare_rdms(**({"a": a, "b": b} | change))
