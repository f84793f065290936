"""Planted geometry: what is unbiased, what is calibrated, and what comes back."""

from __future__ import annotations

import numpy as np
import pytest
from rsa_data import euclidean_rdms, group_rdms, pairs, random_rdms

from neurodecode.compare import compare_models, compare_rdms, noise_precision, rdm, rdm_ceiling, rdm_permutation_test
from neurodecode.compare.rdm_inference import bootstrap_variances

N, RUNS, UNITS = 10, 4, 60


def simulated(rng: np.random.Generator, strength: float, mixing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Patterns of N conditions in four runs with correlated noise, and the true Mahalanobis distances."""
    truth = strength * rng.standard_normal((N, UNITS))
    data = np.tile(truth, (RUNS, 1)) + rng.standard_normal((N * RUNS, UNITS)) @ mixing
    whitened = truth @ np.linalg.inv(mixing)
    return data, euclidean_rdms(whitened[None])[0]


CONDITION, RUN = np.tile(np.arange(N), RUNS), np.repeat(np.arange(RUNS), N)


def test_crossnobis_is_unbiased_and_mahalanobis_is_not(rng: np.random.Generator) -> None:
    """Known noise: the cross-validated distance is right within 3 standard errors, the other is too large by 2 / runs."""
    mixing = np.eye(UNITS) + 0.3 * rng.standard_normal((UNITS, UNITS)) / np.sqrt(UNITS)
    precision = np.linalg.inv(mixing.T @ mixing)
    errors: dict[str, list[float]] = {"crossnobis": [], "mahalanobis": []}
    for _ in range(200):
        data, true = simulated(rng, 0.3, mixing)
        for method, found in errors.items():
            given = rdm(data, method, CONDITION, RUN, noise=(precision + precision.T) / 2)  # type: ignore[arg-type]
            found.append(float(np.mean(pairs(given) - pairs(true))))
    cross, plain = (np.array(values) for values in errors.values())
    assert abs(cross.mean()) < 3 * cross.std(ddof=1) / np.sqrt(200)
    assert plain.mean() == pytest.approx(2 / RUNS, abs=0.02)


@pytest.mark.parametrize("method", ["ledoit_wolf", "shrunk_diagonal", "diagonal"])
@pytest.mark.parametrize("holes", [False, True])
def test_equal_conditions_have_no_crossnobis_distance_whatever_the_noise_estimate(
    rng: np.random.Generator, method: str, holes: bool
) -> None:
    mixing = np.eye(12) + 0.5 * rng.standard_normal((12, 12)) / np.sqrt(12)
    kept = ~((CONDITION == 2) & (RUN == 1)) if holes else np.ones(N * RUNS, bool)
    found = []
    for _ in range(80):
        data = rng.standard_normal((N * RUNS, 12)) @ mixing + rng.standard_normal(12)
        found.append(np.mean(pairs(rdm(data[kept], "crossnobis", CONDITION[kept], RUN[kept], noise=method))))
    assert abs(np.mean(found)) < 3 * np.std(found, ddof=1) / np.sqrt(80)


def test_noise_of_the_tested_patterns_would_bias(rng: np.random.Generator) -> None:
    """Why noise is never fitted on what is tested.

    Residuals of all runs around their means hold the noise of the tested runs; with the inverse of their variance of 12 degrees
    of freedom, equal conditions are 2 / runs * 2 / (12 - 2) apart.
    """
    condition, run = np.tile(np.arange(4), RUNS), np.repeat(np.arange(RUNS), 4)
    circular, honest = [], []
    for _ in range(200):
        data = rng.standard_normal((4 * RUNS, 12))
        means = np.stack([data[condition == c].mean(axis=0) for c in range(4)])
        noise = noise_precision(data - means[condition], "diagonal", dof=12)
        circular.append(np.mean(pairs(rdm(data, "crossnobis", condition, run, noise=noise))))
        honest.append(np.mean(pairs(rdm(data, "crossnobis", condition, run, noise="diagonal"))))
    assert np.mean(circular) == pytest.approx(0.1, abs=3 * np.std(circular) / np.sqrt(200))
    assert np.mean(circular) > 5 * np.std(circular) / np.sqrt(200)
    assert abs(np.mean(honest)) < 3 * np.std(honest) / np.sqrt(200)


def test_shuffled_conditions_hold_their_level(rng: np.random.Generator) -> None:
    """Unrelated geometry, whose distances are far from independent: p below .05 in about 5 % of cases."""
    p = [
        rdm_permutation_test(
            euclidean_rdms(rng.standard_normal((1, 12, 4))), euclidean_rdms(rng.standard_normal((2, 12, 4))), n=59
        )
        for _ in range(200)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert 0.4 < np.mean(p) < 0.6


def test_true_model_lies_between_the_ceilings(rng: np.random.Generator) -> None:
    inside = []
    for _ in range(20):
        truth, data = group_rdms(rng, 6, 15, 1.5)
        low, high = rdm_ceiling(data, "pearson")[:2]
        inside.append(low < np.mean(compare_rdms(data, truth, "pearson")) < high)
    assert np.mean(inside) >= 0.9


def test_dual_bootstrap_knows_the_variance_over_new_stimuli_and_subjects(rng: np.random.Generator) -> None:
    """Draw stimuli and subjects anew many times: the spread of scores is what one bootstrap predicts; the naive one is above."""
    n_subjects, n_stimuli, kept = 6, 15, ~np.eye(15, dtype=bool)
    scores, predicted, naive = [], [], []
    for _ in range(60):
        truth = rng.standard_normal((n_stimuli, 6))
        subjects = truth + 0.8 * rng.standard_normal((n_subjects, n_stimuli, 6))
        model, data = euclidean_rdms(truth[None, :, :3]), euclidean_rdms(subjects)
        scores.append(np.mean(compare_rdms(data, model, "pearson")))
        found = [
            bootstrap_variances(model, data, "pearson", kept, over=over, n=40, rng=np.random.default_rng(7)).models[0]  # type: ignore[arg-type]
            for over in ("both", "stimuli", "subjects")
        ]
        predicted.append(found[0])
        naive.append(found[1] + found[2])
    assert np.mean(predicted) / np.var(scores, ddof=1) == pytest.approx(1, abs=0.6)
    assert np.mean(predicted) < np.mean(naive)


def test_interval_and_order_of_models(rng: np.random.Generator) -> None:
    """Models further and further from the truth come out in that order, the unrelated one not above chance."""
    truth = rng.standard_normal((20, 8))
    data = euclidean_rdms(truth + 0.8 * rng.standard_normal((8, 20, 8)))
    models = {f"{k} of 8": euclidean_rdms(truth[None, :, :k])[0] for k in (8, 5, 2)} | {"none": random_rdms(rng, 1, 20)[0]}
    found = compare_models(models, data, "pearson", n_bootstrap=200)
    assert (np.diff(found.score) < 0).all()
    assert (found.q[:3] < 0.05).all()
    assert found.q[3] > 0.05
    assert found.ci[3, 0] < 0 < found.ci[3, 1]
    assert found.pair_p[0, 2] < 0.05
    assert found.ceiling_low < found.score[0] < found.ceiling_high
