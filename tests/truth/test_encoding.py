"""Encoding of planted responses: the true model reaches the ceiling, noise stays at chance, p values hold what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from encoding_data import table

from neurodecode.compare import encode
from neurodecode.simulate import ar_features, oasm, planted_bands, planted_encoding


@pytest.mark.parametrize(("n_repeats", "signal"), [(4, 0.3), (2, 0.5)])
def test_the_true_model_reaches_the_ceiling(n_repeats: int, signal: float) -> None:
    sim = planted_encoding(1500, 20, 60, n_runs=5, n_repeats=n_repeats, signal=signal)
    found = encode(sim.features, sim.brain, TR=2.0, delays_s=None)
    rho = sim.truth["rho"]
    assert np.median(found.score / np.sqrt(rho)) == pytest.approx(1.0, abs=0.03)
    assert found.normalised is not None
    assert found.ceiling is not None
    assert np.median(found.normalised) == pytest.approx(1.0, abs=0.03)
    assert np.median(found.scores["r2_normalised"]) == pytest.approx(1.0, abs=0.05)
    assert np.median(found.ceiling) == pytest.approx(rho[0], abs=0.02)
    assert np.median(found.score / found.ceiling) > 1.1, "r over rho is the wrong unit"


def test_delays_find_the_shape_of_the_response() -> None:
    sim = planted_encoding(2000, 10, 40, delays_s=(2, 4, 6, 8), n_runs=5, n_repeats=3, signal=0.4)
    found = encode(sim.features, sim.brain, TR=2.0, keep_weights=True)
    assert found.normalised is not None
    assert found.weights is not None
    assert np.median(found.normalised) == pytest.approx(1.0, abs=0.03)
    assert np.corrcoef(found.weights.ravel(), sim.truth["weights"].ravel())[0, 1] > 0.98
    without = encode(sim.features, sim.brain, TR=2.0, delays_s=(0, 0))
    assert np.median(found.score) > np.median(without.score) + 0.2


def test_the_gain_is_the_unique_variance() -> None:
    parts = {(0,): 0.2, (1,): 0.1, (0, 1): 0.15}
    sim = planted_bands(2500, parts, 30, n_runs=5)
    found = encode(sim.spaces[0], sim.brain, nuisance=sim.spaces[1], TR=2.0, delays_s=None, model="ridge")
    assert np.median(found.scores["gain"]) == pytest.approx(0.2, abs=0.03)
    assert np.median(found.scores["R2"]) == pytest.approx(0.45, abs=0.03)
    assert np.median(found.scores["R2_baseline"]) == pytest.approx(0.25, abs=0.03)


def null_p(n: int, n_runs: int, delays_s: Any, seed: int, **options: Any) -> np.ndarray:
    """P values of 100 targets of autocorrelated noise under autocorrelated features."""
    x = planted_encoding(n, 10, 1, feature_ar=0.8, n_runs=n_runs, random_state=seed).features
    y = planted_encoding(n, 1, 100, signal=0.0, noise_ar=0.8, n_runs=n_runs, random_state=1000 + seed).brain
    found = encode(x, y, TR=2.0, delays_s=delays_s, n_permutations=99, random_state=seed, **options)
    assert abs(found.score.mean()) < 0.05
    assert found.p is not None
    return found.p


@pytest.mark.parametrize("permutation", ["circular", "block"])
@pytest.mark.parametrize(("n", "n_runs", "delays_s"), [(300, 1, (2, 8)), (300, 5, (0, 0))])
def test_noise_is_significant_as_often_as_promised(permutation: str, n: int, n_runs: int, delays_s: Any) -> None:
    """Permutations of fixed predictions alone would call 12 % of the targets significant: folds train each other."""
    p = np.concatenate([null_p(n, n_runs, delays_s, seed, permutation=permutation) for seed in range(4)])
    assert (p <= 0.05).mean() <= 0.08
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.08)


@pytest.mark.slow
@pytest.mark.parametrize("permutation", ["circular", "block"])
@pytest.mark.parametrize(("n", "n_runs"), [(300, 1), (300, 5), (600, 4), (1000, 10)])
@pytest.mark.parametrize("delays_s", [(2, 8), (0, 0)])
def test_type_one_error(permutation: str, n: int, n_runs: int, delays_s: Any) -> None:
    p = np.concatenate([null_p(n, n_runs, delays_s, seed, permutation=permutation) for seed in range(20)])
    assert 0.01 <= (p <= 0.05).mean() <= 0.08
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.05)


def test_noise_trials_are_significant_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    ids = [f"image{i}" for i in range(120)]
    features, brain = (table(rng.standard_normal((120, k)).astype(np.float32), stimulus=ids) for k in (8, 400))
    found = encode(features, brain, n_permutations=99)
    assert found.p is not None
    assert (found.p <= 0.05).mean() <= 0.08
    assert (found.p <= 0.5).mean() == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("features", ["oasm", "ar"])
@pytest.mark.parametrize("n_runs", [1, 4])
def test_features_without_a_stimulus_score_nothing_by_default(features: str, n_runs: int) -> None:
    """Under shuffled folds both predict autocorrelated responses with r above 0.5; under the default folds they cannot."""
    y = planted_encoding(600, 1, 200, signal=0.0, noise_ar=0.8, n_runs=n_runs).brain
    runs = y.samples["run"]
    x = oasm(600, groups=runs) if features == "oasm" else ar_features(600, 300, groups=runs)
    found = encode(x, y, TR=2.0, delays_s=(0, 0))
    assert abs(found.score.mean()) < 0.02
