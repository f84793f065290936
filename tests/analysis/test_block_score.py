"""The score of a set of pairs is the integral that it stands for."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammaln
from scipy.stats import expon, gamma, invgamma, norm

from neurodecode.analysis.connectome.block_degrees import fit_propensities, pair_classes
from neurodecode.analysis.connectome.block_partitions import partition_prior
from neurodecode.analysis.connectome.block_score import (
    BernoulliEdges,
    ExponentialWeights,
    LogNormalWeights,
    PoissonEdges,
    Propensities,
    block_score,
    read_weights,
)
from neurodecode.errors import DataError

FACTORIALS = gammaln(np.arange(60) + 1.0)


def graph(rng: np.random.Generator, n: int = 12, density: float = 0.7) -> np.ndarray:
    """Symmetric weights, some of them 0."""
    w = np.triu(rng.exponential(2.0, (n, n)) * (rng.random((n, n)) < density), 1)
    return w + w.T


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_exponential_weights(rng: np.random.Generator, n: int) -> None:
    weights, b = rng.exponential(2.0, n), 1.7
    integral, _ = quad(lambda rate: np.prod(expon.pdf(weights, scale=1 / rate)) * gamma.pdf(rate, 1.0, scale=1 / b), 0, np.inf)
    score = ExponentialWeights(b, FACTORIALS)(np.array([n, weights.sum()]))
    assert score == pytest.approx(np.log(integral), rel=1e-6)


@pytest.mark.parametrize("n", [1, 3, 6])
def test_lognormal_weights(rng: np.random.Generator, n: int) -> None:
    logs, spread = rng.normal(0.3, 0.8, n), 0.6

    mean, log_variance = np.linspace(-9, 9, 3001)[:, None], np.linspace(-8, 12, 2001)
    variance = np.exp(log_variance)
    prior = norm.pdf(mean, 0, np.sqrt(variance)) * invgamma.pdf(variance, 1.0, scale=spread) * variance
    integral = (
        np.exp(-((logs[:, None, None] - mean) ** 2).sum(axis=0) / (2 * variance)) * prior / (2 * np.pi * variance) ** (n / 2)
    )
    integral = np.trapezoid(np.trapezoid(integral, log_variance, axis=1), mean[:, 0])
    score = LogNormalWeights(spread, gammaln(1 + np.arange(30) / 2))(np.array([n, logs.sum(), (logs**2).sum()]))
    assert score == pytest.approx(np.log(integral), rel=2e-3)


@pytest.mark.parametrize(("n", "m"), [(1, 0), (4, 4), (9, 3)])
def test_edges(n: int, m: int) -> None:
    integral, _ = quad(lambda p: p**m * (1 - p) ** (n - m), 0, 1)
    assert BernoulliEdges(FACTORIALS)(np.array([n, m])) == pytest.approx(np.log(integral), rel=1e-8)


@pytest.mark.parametrize(("exposure", "m"), [(0.4, 0), (3.5, 2), (7.1, 11)])
def test_edges_of_unequal_nodes(exposure: float, m: int) -> None:
    integral, _ = quad(lambda rate: rate**m * np.exp(-rate * exposure) * gamma.pdf(rate, 1.0, scale=1 / 2.5), 0, np.inf)
    assert PoissonEdges(2.5, FACTORIALS)(np.array([exposure, m])) == pytest.approx(np.log(integral), rel=1e-8)


@pytest.mark.parametrize("edges", [True, False])
@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("model", ["exponential", "lognormal"])
def test_no_pair_counts_nothing(rng: np.random.Generator, model: str, corrected: bool, edges: bool) -> None:
    given = Propensities(rng.uniform(0.5, 2, 12), rng.uniform(0.5, 2, 12), 3.0) if corrected else None
    scored = block_score(graph(rng, density=1.0), model, edges, given)  # type: ignore[arg-type]
    assert scored.evidence(np.zeros((len(scored.statistics), 2))) == pytest.approx(0.0, abs=1e-12)


def test_a_pair_that_was_not_observed_changes_no_sum(rng: np.random.Generator) -> None:
    weights = graph(rng)
    weights[2, 7] = weights[7, 2] = np.nan
    for model, edges in product(("exponential", "lognormal"), (True, False)):
        if model == "lognormal" and not edges:
            continue
        statistics = block_score(read_weights(weights), model, edges).statistics  # type: ignore[arg-type]
        assert (statistics[:, 2, 7] == 0).all()
        assert statistics[0, 2, 8] == 1


def test_units_of_the_weights_shift_all_scores_alike(rng: np.random.Generator) -> None:
    """Weights in other units: densities change by a constant per pair, differences between partitions do not."""
    weights = graph(rng, density=1.0)
    for model in ("exponential", "lognormal"):
        a, b = (block_score(read_weights(weights * c), model, edges=False) for c in (1.0, 1000.0))  # type: ignore[arg-type]
        n_pairs = 66
        whole = [float(g.evidence(g.statistics.sum(axis=(1, 2)) / 2)) + g.constant for g in (a, b)]
        assert whole[0] - whole[1] == pytest.approx(n_pairs * np.log(1000.0))
        part = [float(g.evidence(g.statistics[:, :6, :6].sum(axis=(1, 2)) / 2)) for g in (a, b)]
        assert part[0] - part[1] == pytest.approx(15 * np.log(1000.0) if model == "exponential" else 0.0, abs=1e-9)


@pytest.mark.parametrize("n", [2, 4, 5])
def test_probabilities_of_all_partitions_sum_to_one(n: int) -> None:
    prior, total = partition_prior(n), 0.0
    for labels in product(range(n), repeat=n):
        sizes = np.bincount(labels, minlength=n)
        if (sizes[: max(labels) + 1] > 0).all():  # blocks are numbered without a gap
            total += float(np.exp(prior.total(sizes[None])[0]))
    assert total == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda w: w[:5], r"\(5, 12\)"),
        (lambda w: w[:1, :1], r"\(1, 1\)"),
        (lambda w: w - 5 * (w == w[0, 1]), "at least 0"),
        (lambda w: w + np.triu(np.ones_like(w), 1), "symmetric"),
        (lambda w: np.where(w == w[0, 1], np.inf, w), "inf"),
        (lambda w: w * 0, "above 0"),
    ],
)
def test_no_weights_of_a_graph(rng: np.random.Generator, spoil: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_weights(spoil(graph(rng, density=1.0)))  # type: ignore[operator]


def test_zeros_have_no_logarithm(rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match="edges=True"):
        block_score(graph(rng), "lognormal", edges=False)
    with pytest.raises(DataError, match="did you mean 'exponential'"):
        block_score(graph(rng), "exponentiel", edges=False)  # type: ignore[arg-type]


class TestPropensities:
    """Fitted by moments: what is expected of a node is what it has."""

    @pytest.mark.parametrize("structure", ["general", "communities", "assortative"])
    def test_expected_strengths_are_the_observed_ones(self, rng: np.random.Generator, structure: str) -> None:
        labels = np.arange(30) % 3
        weights = graph(rng, 30, 1.0) * np.outer(*[np.exp(rng.normal(0, 0.5, 30))] * 2)
        theta = fit_propensities(weights, labels, structure, "exponential", edges=False).weights  # type: ignore[arg-type]
        classes, exposed = pair_classes(labels, structure), np.outer(theta, theta) * ~np.eye(30, dtype=bool)  # type: ignore[arg-type]
        rates = np.bincount(classes.ravel(), weights.ravel()) / np.maximum(np.bincount(classes.ravel(), exposed.ravel()), 1e-9)
        np.testing.assert_allclose((rates[classes] * exposed).sum(axis=1), weights.sum(axis=1), rtol=0.03)
        assert np.abs(weights.sum(axis=1) / weights.sum(axis=1).mean() - 1).max() > 0.5

    @pytest.mark.parametrize("model", ["exponential", "lognormal"])
    def test_planted_ones_are_found(self, rng: np.random.Generator, model: str) -> None:
        t = np.exp(rng.normal(0, 0.7, 60))
        noise = rng.exponential(1.0, (60, 60)) if model == "exponential" else np.exp(rng.normal(0, 0.5, (60, 60)))
        weights = np.triu(noise * np.outer(t, t), 1)
        fitted = fit_propensities(weights + weights.T, np.zeros(60, np.intp), "assortative", model, edges=False)  # type: ignore[arg-type]
        assert np.corrcoef(np.log(fitted.weights), np.log(t))[0, 1] > 0.95
        assert np.exp(np.log(fitted.weights).mean()) == pytest.approx(1.0)
        np.testing.assert_array_equal(fitted.edges, 1.0)

    def test_equal_nodes_pay_for_propensities_that_they_do_not_need(self, rng: np.random.Generator) -> None:
        weights = graph(rng, 40, 1.0)
        given = fit_propensities(weights, np.zeros(40, np.intp), "assortative", "exponential", edges=False)
        scores = []
        for propensities in (None, given):
            scored = block_score(weights, "exponential", False, propensities)
            scores.append(float(scored.evidence(scored.statistics.sum(axis=(1, 2)) / 2)) + scored.constant)
        assert scores[0] > scores[1] + 20

    def test_nodes_without_an_edge(self, rng: np.random.Generator) -> None:
        weights = graph(rng, 20)
        weights[3] = weights[:, 3] = 0.0
        given = fit_propensities(weights, np.zeros(20, np.intp), "general", "exponential", edges=True)
        assert (given.edges > 0).all()
        assert np.isfinite(given.weights).all()
        assert np.argmin(given.edges) == 3
