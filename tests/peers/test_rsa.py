"""Representational similarity against rsatoolbox: dissimilarities, comparisons, ceilings, bootstrap variances."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from rsa_data import group_rdms, pairs, patterns, random_rdms

from neurodecode.compare import compare_models, compare_rdms, noise_precision, rdm, rdm_ceiling
from neurodecode.compare.rdm_inference import bootstrap_variances

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    toolbox = pytest.importorskip("rsatoolbox")

pytestmark = pytest.mark.filterwarnings("ignore")  # what the peer does inside is not ours to mend
MEASURES = {
    "spearman": "spearman",
    "rho_a": "rho-a",
    "tau_a": "tau-a",
    "pearson": "corr",
    "cosine": "cosine",
    "whitened_cosine": "cosine_cov",
    "whitened_correlation": "corr_cov",
}


def peer_rdm(data: np.ndarray, condition: np.ndarray, run: np.ndarray, method: str, **options: Any) -> np.ndarray:
    """An RDM by rsatoolbox."""
    dataset = toolbox.data.Dataset(data, obs_descriptors={"condition": condition, "run": run})
    options |= {"cv_descriptor": "run"} if method == "crossnobis" else {}
    return toolbox.rdm.calc_rdm(dataset, method=method, descriptor="condition", **options).get_matrices()[0]


@pytest.mark.parametrize("offset", [0.0, 3.0])
@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("method", ["correlation", "euclidean", "mahalanobis", "crossnobis"])
def test_dissimilarities(rng: np.random.Generator, method: str, noise: bool, offset: float) -> None:
    data, condition, run = patterns(rng, n_conditions=20, n_runs=5, n_units=60)
    data += offset
    given = {}
    if method == "mahalanobis" or (noise and method == "crossnobis"):
        given = {"noise": noise_precision(rng.standard_normal((200, 60)) @ rng.standard_normal((60, 60)))}
    found = rdm(data, method, condition, run, **given)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, peer_rdm(data, condition, run, method, **given), atol=1e-10, rtol=0)


def test_noise_per_fold_is_a_precision_of_each_training_part(rng: np.random.Generator) -> None:
    """The peer takes one precision for a call; a call per pair of test run and training part gives the same mean."""
    data, condition, run = patterns(rng, n_conditions=8, n_runs=4, n_units=10)
    found = rdm(data, "crossnobis", condition, run, noise="ledoit_wolf")
    total = np.zeros_like(found)
    for test in range(4):
        train = data[run != test]
        means = np.stack([train[condition[run != test] == c].mean(axis=0) for c in range(8)])
        runs = np.stack([train[run[run != test] == r].mean(axis=0) for r in range(4) if r != test])
        number = np.unique(run[run != test], return_inverse=True)[1]
        residuals = train - means[condition[run != test]] - runs[number] + train.mean(axis=0)
        dof = (8 - 1) * (3 - 1)
        precision = np.linalg.inv(toolbox.data.noise.cov_from_residuals(residuals, dof=dof, method="shrinkage_eye"))
        two_runs = np.concatenate([data[run == test][np.argsort(condition[run == test])], means])
        total += peer_rdm(two_runs, np.tile(np.arange(8), 2), np.repeat([0, 1], 8), "crossnobis", noise=precision)
    np.testing.assert_allclose(found, total / 4, atol=1e-10)


def test_ledoit_wolf_precision(rng: np.random.Generator) -> None:
    residuals = rng.standard_normal((40, 25)) @ rng.standard_normal((25, 25))
    residuals -= residuals.mean(axis=0)
    expected = toolbox.data.noise.prec_from_residuals(residuals, method="shrinkage_eye")
    np.testing.assert_allclose(noise_precision(residuals), expected, rtol=1e-8)


@pytest.mark.parametrize("levels", [0, 4])
@pytest.mark.parametrize("method", MEASURES)
def test_comparisons(rng: np.random.Generator, method: str, levels: int) -> None:
    a, b = random_rdms(rng, 3, 25, levels), random_rdms(rng, 4, 25)
    expected = toolbox.rdm.compare(toolbox.rdm.RDMs(pairs(a)), toolbox.rdm.RDMs(pairs(b)), MEASURES[method])
    np.testing.assert_allclose(compare_rdms(a, b, method), expected, atol=1e-10, rtol=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", MEASURES)
def test_comparisons_with_missing_pairs(rng: np.random.Generator, method: str) -> None:
    a, b = random_rdms(rng, 2, 15), random_rdms(rng, 3, 15)
    for i, j in ((0, 4), (3, 9), (3, 10)):
        a[:, i, j] = a[:, j, i] = b[:, i, j] = b[:, j, i] = np.nan
    expected = toolbox.rdm.compare(toolbox.rdm.RDMs(pairs(a)), toolbox.rdm.RDMs(pairs(b)), MEASURES[method])
    np.testing.assert_allclose(compare_rdms(a, b, method, missing="drop"), expected, atol=1e-10, rtol=0)  # type: ignore[arg-type]


def test_whitened_cosine_with_a_covariance(rng: np.random.Generator) -> None:
    """The peer solves by conjugate gradients to about 1e-5; its covariance of pairs, inverted in full, is the sharper test."""
    from rsatoolbox.rdm.compare import _get_v

    a, b = random_rdms(rng, 2, 12), random_rdms(rng, 3, 12)
    root = rng.standard_normal((12, 30))
    sigma = root @ root.T / 30
    found = compare_rdms(a, b, "whitened_cosine", sigma=sigma)
    loose = toolbox.rdm.compare(toolbox.rdm.RDMs(pairs(a)), toolbox.rdm.RDMs(pairs(b)), "cosine_cov", sigma_k=sigma)
    np.testing.assert_allclose(found, loose, atol=1e-4)
    inverse = np.linalg.inv(_get_v(12, sigma).toarray())
    norm = [np.sqrt(np.einsum("ij,jk,ik->i", pairs(x), inverse, pairs(x))) for x in (a, b)]
    np.testing.assert_allclose(found, pairs(a) @ inverse @ pairs(b).T / norm[0][:, None] / norm[1], atol=1e-10, rtol=0)


@pytest.mark.parametrize("method", ["spearman", "rho_a", "tau_a", "pearson", "cosine"])
def test_ceilings(rng: np.random.Generator, method: str) -> None:
    """Of whitened measures the peer pools at equal mean square, not at equal whitened length, which is not its upper bound."""
    data = group_rdms(rng, 5, 12, 1.5)[1] * np.array([1, 5, 1, 1, 0.2])[:, None, None]
    expected = toolbox.inference.boot_noise_ceiling(toolbox.rdm.RDMs(pairs(data)), method=MEASURES[method])
    np.testing.assert_allclose(rdm_ceiling(data, method)[:2], expected, atol=1e-10)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["whitened_cosine", "whitened_correlation"])
def test_whitened_upper_ceiling_is_at_least_that_of_the_peer(rng: np.random.Generator, method: str) -> None:
    data = group_rdms(rng, 5, 12, 1.5)[1]
    peer = toolbox.inference.boot_noise_ceiling(toolbox.rdm.RDMs(pairs(data)), method=MEASURES[method])[1]
    assert peer - 1e-12 <= rdm_ceiling(data, method).upper <= peer + 0.02  # type: ignore[arg-type]


@pytest.mark.parametrize(("over", "peer"), [("stimuli", "eval_bootstrap_pattern"), ("subjects", "eval_bootstrap_rdm")])
@pytest.mark.parametrize("method", ["pearson", "whitened_cosine"])
def test_bootstrap_variances(rng: np.random.Generator, method: str, over: Any, peer: str) -> None:
    """Other draws, the same spread: 150 draws know it to about 6 %, six subjects leave the rest."""
    truth, data = group_rdms(rng, 6, 12, 1.5)
    models = np.stack([truth, random_rdms(rng, 1, 12)[0]])
    found = bootstrap_variances(
        models, data, method, ~np.eye(12, dtype=bool), over=over, n=150, rng=np.random.default_rng(0)
    ).models
    fixed = [toolbox.model.ModelFixed(name, pairs(model)) for name, model in zip("ab", models, strict=True)]
    result = getattr(toolbox.inference, peer)(fixed, toolbox.rdm.RDMs(pairs(data)), method=MEASURES[method], N=150)
    np.testing.assert_allclose(np.sqrt(found), np.sqrt(result.get_model_var()), rtol=0.35)


def test_model_scores(rng: np.random.Generator) -> None:
    truth, data = group_rdms(rng, 4, 12, 1.0)
    other = random_rdms(rng, 1, 12)[0]
    found = compare_models({"truth": truth, "other": other}, data, n_bootstrap=10)
    fixed = [toolbox.model.ModelFixed(name, pairs(model)) for name, model in (("truth", truth), ("other", other))]
    result = toolbox.inference.eval_fixed(fixed, toolbox.rdm.RDMs(pairs(data)), method="spearman")
    np.testing.assert_allclose(found.score, result.get_means(), atol=1e-12)
