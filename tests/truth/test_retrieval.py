"""Retrieval and identification of simulated embeddings whose accuracy follows from theory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from neurodecode.metrics import retrieval_report, two_way_identification


def expected_top_1(signal: float, n: int) -> float:
    """Probability that a normal score with this mean beats n - 1 standard normal ones."""
    return float(integrate.quad(lambda s: stats.norm.pdf(s - signal) * stats.norm.cdf(s) ** (n - 1), -8, 12)[0])


@pytest.mark.parametrize("signal", [0.0, 1.0, 2.5])
def test_accuracy_of_m_alternatives(signal: float, rng: np.random.Generator) -> None:
    """Orthogonal targets: the score of the right one is normal about `signal`, of the others about 0."""
    n, repeats = 40, 100
    ids = np.tile(np.arange(n), repeats)
    predicted = signal * np.eye(n)[ids] + rng.standard_normal((n * repeats, n))
    found = retrieval_report(predicted, np.eye(n)[ids], ids, k=(1, 5), similarity="dot", n_bootstrap=200)
    expected = expected_top_1(signal, n)
    assert found.top_k["brain_to_stimulus"][1] == pytest.approx(
        expected, abs=4 * np.sqrt(expected * (1 - expected) / (n * repeats))
    )
    low, high = found.ci["brain_to_stimulus"][1]
    assert low - 0.01 < expected < high + 0.01


def test_unrelated_predictions_are_at_chance(rng: np.random.Generator) -> None:
    """Also where some stimuli were shown more often than others, and for averages."""
    found = []
    for _ in range(40):
        ids = np.r_[np.arange(50), rng.integers(0, 50, 100)]
        targets = rng.standard_normal((50, 10))[ids]
        report = retrieval_report(rng.standard_normal(targets.shape), targets, ids, n_bootstrap=0)
        means = [
            report.relative_median_rank["brain_to_stimulus"],
            report.repeat_averaged[5],
            report.top_k["stimulus_to_brain"][5],
        ]
        found.append([report.top_k["brain_to_stimulus"][k] for k in (1, 5, 10)] + means)
    np.testing.assert_allclose(np.mean(found, axis=0), [0.02, 0.1, 0.2, 0.5, 0.1, 0.1], atol=0.02)


def test_interval_covers_the_truth(rng: np.random.Generator) -> None:
    """In 95 % of experiments with new stimuli, of which each is a draw of its own."""
    n, signal, covered = 60, 2.0, []
    expected = expected_top_1(signal, n)
    for seed in range(100):
        predicted = signal * np.eye(n) + rng.standard_normal((n, n))
        low, high = retrieval_report(predicted, np.eye(n), k=1, similarity="dot", n_bootstrap=300, random_state=seed).ci[
            "brain_to_stimulus"
        ][1]
        covered.append(low <= expected <= high)
    assert np.mean(covered) >= 0.87


def test_averaging_repeats_is_worth_their_root(rng: np.random.Generator) -> None:
    """Four trials at noise 2 are as good as one at noise 1."""
    n, width = 200, 12
    targets = rng.standard_normal((n, width))
    ids = np.tile(np.arange(n), 4)
    four = retrieval_report(targets[ids] + 2 * rng.standard_normal((4 * n, width)), targets[ids], ids, n_bootstrap=0)
    one = retrieval_report(targets + rng.standard_normal((n, width)), targets, n_bootstrap=0)
    assert four.repeat_averaged[1] == pytest.approx(one.single_trial[1], abs=0.12)
    assert four.single_trial[1] < four.repeat_averaged[1] - 0.2


def test_hub_is_seen(rng: np.random.Generator) -> None:
    """Predictions that share one direction are answered with the candidate that lies there."""
    targets = rng.standard_normal((100, 10))
    plain = retrieval_report(targets + rng.standard_normal((100, 10)), targets, n_bootstrap=0)
    collapsed = retrieval_report(targets + rng.standard_normal((100, 10)) + 12 * targets[7], targets, n_bootstrap=0)
    assert collapsed.hub_share["brain_to_stimulus"] > 0.8 > 0.1 > plain.hub_share["brain_to_stimulus"]


def test_two_way_identification_of_two_normals(rng: np.random.Generator) -> None:
    """Many features: correlations are normal, and the right one wins with probability Phi(d / sqrt 2)."""
    n, width, signal = 300, 400, 0.1
    true = rng.standard_normal((n, width))
    made = signal * true + rng.standard_normal((n, width))
    expected = stats.norm.cdf(signal * np.sqrt(width) / np.sqrt(2))
    for direction in ("reconstruction", "truth"):
        assert two_way_identification(true, made, direction).mean() == pytest.approx(expected, abs=0.03)
