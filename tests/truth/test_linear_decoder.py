"""Known effects are found at their known size; where there is none, decoding is at chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from neurodecode.data import Responses
from neurodecode.decode import (
    LinearDecoder,
    cross_validate_arrays,
    generalise_over_time,
    roi,
    searchlight,
    time_resolved,
)
from neurodecode.decode.features import anova_f, best_features

RUNS = 6


def labels(n: int, k: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Classes in turn, and six runs."""
    return np.arange(n) % k, np.arange(n) * RUNS // n


@pytest.mark.parametrize("estimator", ["logistic", "lda"])
@pytest.mark.parametrize("d_prime", [0.5, 1.0, 2.0])
def test_auc_is_that_of_the_planted_separation(rng: np.random.Generator, estimator: str, d_prime: float) -> None:
    """Two normal classes d' apart along one axis: an ideal observer has AUC Phi(d' / sqrt 2)."""
    y, runs = labels(3000)
    axis = np.array([0.6, 0.8, 0.0])
    x = rng.standard_normal((3000, 3)) + d_prime * np.outer(y, axis)
    result = cross_validate_arrays(x, y, runs, LinearDecoder(estimator=estimator), n_permutations=0)
    assert result.score == pytest.approx(norm.cdf(d_prime / np.sqrt(2)), abs=0.025)
    low, high = result.confidence_interval
    assert low < norm.cdf(d_prime / np.sqrt(2)) < high


def test_correlated_noise_is_used(rng: np.random.Generator) -> None:
    """Signal in one unit, its noise in two: the discriminant subtracts it (d' = 1 / sqrt(1 - r^2)), class means cannot."""
    y, runs = labels(3000)
    x = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 3000)
    x[:, 0] += y
    result = cross_validate_arrays(x, y, runs, LinearDecoder(estimator="lda"), n_permutations=0)
    assert result.score == pytest.approx(norm.cdf(1 / np.sqrt(1 - 0.81) / np.sqrt(2)), abs=0.02)
    assert result.baseline == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.03)


def test_many_classes(rng: np.random.Generator) -> None:
    """Eight classes on orthogonal axes: the share right is the probability of the largest of eight normal values."""
    y, runs = labels(2400, 8)
    x = rng.standard_normal((2400, 8)) + 2.0 * np.eye(8)[y]
    draws = rng.standard_normal((200000, 8))
    expected = np.mean(draws[:, 0] + 2.0 > draws[:, 1:].max(axis=1))
    result = cross_validate_arrays(x, y, runs, LinearDecoder(estimator="lda"), n_permutations=0)
    assert result.metric == "balanced_accuracy"
    assert result.score == pytest.approx(expected, abs=0.03)
    assert result.chance == 0.125


def test_regression_reaches_the_planted_correlation(rng: np.random.Generator) -> None:
    x = rng.standard_normal((1200, 20))
    y = x @ rng.standard_normal(20)
    y = y / y.std() + rng.standard_normal(1200)  # half the variance can be told
    result = cross_validate_arrays(x, y, labels(1200)[1], LinearDecoder("regression"), n_permutations=19)
    assert result.score == pytest.approx(np.sqrt(0.5), abs=0.05)
    assert result.scores["r2"] == pytest.approx(0.5, abs=0.07)
    assert (result.baseline, result.p_value) == (0.0, 1 / 20)


@pytest.mark.parametrize(
    "options", [{"C": 0.1, "n_features": 20}, {"C": 0.1}, {"estimator": "lda"}, {"estimator": "lda", "n_features": 20}]
)
def test_noise_is_at_chance_whatever_is_selected(options: dict[str, object]) -> None:
    """Twelve data sets of noise with 25 times more features than samples."""
    y, runs = labels(48)
    scores = []
    for seed in range(12):
        x = np.random.default_rng(seed).standard_normal((48, 1200))
        scores.append(cross_validate_arrays(x, y, runs, LinearDecoder(**options), n_permutations=0).score)
    assert abs(np.mean(scores) - 0.5) < 3 * np.std(scores, ddof=1) / np.sqrt(12)


def test_selection_outside_the_folds_would_have_been_seen(rng: np.random.Generator) -> None:
    """The mistake the decoder must not make, made by hand on the same noise."""
    y, runs = labels(48)
    x = rng.standard_normal((48, 1200))
    leaked = x[:, best_features(anova_f(x - x.mean(axis=0), y, 2), 20)]
    assert cross_validate_arrays(leaked, y, runs, LinearDecoder(C=0.1), n_permutations=0).score > 0.9


def test_noise_regression_is_at_chance() -> None:
    scores = []
    for seed in range(12):
        draw = np.random.default_rng(seed)
        x, y = draw.standard_normal((60, 300)), draw.standard_normal(60)
        result = cross_validate_arrays(x, y, labels(60)[1], LinearDecoder("regression", n_features=15), n_permutations=0)
        scores.append(result.score)
    assert abs(np.mean(scores)) < 3 * np.std(scores, ddof=1) / np.sqrt(12)


def test_permutation_p_is_uniform_on_noise() -> None:
    y, runs = labels(36)
    p = []
    for seed in range(40):
        x = np.random.default_rng(seed).standard_normal((36, 8))
        decoder = LinearDecoder(estimator="lda", random_state=seed)
        p.append(cross_validate_arrays(x, y, runs, decoder, n_permutations=19).p_value)
    assert 0.38 < np.mean(p) < 0.67  # 0.525 +- 3 standard errors
    assert np.mean(np.array(p) <= 0.05) <= 0.2


def test_drift_between_runs_is_neither_signal_nor_null(rng: np.random.Generator) -> None:
    """Runs differ in mean and in the mix of classes; labels permuted within runs keep both, so the null holds the effect."""
    runs = np.arange(120) * RUNS // 120
    y = (rng.random(120) < np.where(runs % 2, 0.8, 0.2)).astype(int)
    x = rng.standard_normal((120, 5)) + 2.0 * (runs % 2)[:, None]
    result = cross_validate_arrays(x, y, runs, LinearDecoder(estimator="lda"), n_permutations=99)
    assert result.p_value is not None
    assert result.p_value > 0.02


def test_pattern_shows_the_signal_where_weights_show_noise_too(rng: np.random.Generator) -> None:
    """Two noise sources shared by all sensors (Haufe et al. 2014): weights also cancel them, patterns show the source."""
    n, p = 2000, 12
    y, runs = labels(n)
    source = np.zeros(p)
    source[:3] = [1.0, 0.8, 0.6]
    noise = rng.standard_normal((2, p))
    x = np.outer(2.0 * y - 1, source) + 2 * rng.standard_normal((n, 2)) @ noise + 0.5 * rng.standard_normal((n, p))
    decoder = LinearDecoder(estimator="lda")
    result = cross_validate_arrays(x, y, runs, decoder, n_permutations=0)
    assert result.patterns is not None
    assert result.patterns.shape == (1, p)
    weights = decoder.fit(x, y).coef_[0]
    assert np.corrcoef(result.patterns[0], source)[0, 1] > 0.97
    assert np.corrcoef(weights, source)[0, 1] < 0.9


def epochs(rng: np.random.Generator, onset: float, n: int = 240) -> Responses:
    """Six sensors, 50 Hz, -0.2 to 0.78 s; the classes differ from an onset on, first by one pattern, 0.3 s later by another."""
    times = np.arange(50) / 50 - 0.2
    y, runs = labels(n)
    x = rng.standard_normal((n, 6, 50))
    patterns = np.linalg.qr(rng.standard_normal((6, 2)))[0].T
    early, late = (times >= onset) & (times < onset + 0.3), times >= onset + 0.3
    x += 2.0 * y[:, None, None] * (patterns[0][:, None] * early + patterns[1][:, None] * late)
    samples = pd.DataFrame({"trial_type": np.array(["face", "house"])[y], "run": runs})
    return Responses(x, samples, pd.DataFrame({"name": [f"E{i}" for i in range(6)]}), times)


def test_time_course_recovers_the_onset(rng: np.random.Generator) -> None:
    result = time_resolved(epochs(rng, 0.1), n_permutations=39)
    assert result.p_values is not None
    significant = result.times[result.p_values <= 0.05]
    assert significant.min() == pytest.approx(0.1, abs=0.021)
    assert (result.p_values[result.times >= 0.12] <= 0.05).all()
    assert result.mean[result.times > 0.1].mean() == pytest.approx(norm.cdf(2 / np.sqrt(2)), abs=0.03)
    assert result.mean[result.times < 0.1].mean() == pytest.approx(0.5, abs=0.03)


def test_smoothing_raises_scores_and_blurs_by_half_a_window(rng: np.random.Generator) -> None:
    data = epochs(rng, 0.1)
    plain, smooth = (time_resolved(data, window=w, n_permutations=0) for w in (None, 0.1))
    inside = (plain.times > 0.18) & (plain.times < 0.32)
    assert smooth.mean[inside].mean() > plain.mean[inside].mean() + 0.02
    assert abs(smooth.mean[smooth.times < 0.03].mean() - 0.5) < 0.06
    assert any("0.1 s" in note for note in smooth.notes)


def test_generalisation_shows_two_stages(rng: np.random.Generator) -> None:
    result = generalise_over_time(epochs(rng, 0.1))
    early = (result.train_times >= 0.1) & (result.train_times < 0.38)
    late = result.train_times > 0.42
    assert result.mean[np.ix_(early, early)].mean() > 0.85
    assert result.mean[np.ix_(late, late)].mean() > 0.85
    assert result.mean[np.ix_(early, late)].mean() == pytest.approx(0.5, abs=0.08)
    np.testing.assert_allclose(
        result.mean.diagonal(), time_resolved(epochs(np.random.default_rng(0), 0.1), n_permutations=0).mean
    )


def grid(rng: np.random.Generator) -> tuple[Responses, np.ndarray]:
    """A cube of 5^3 voxels of 3 mm with two classes told apart by a ball in its middle; truth as a mask."""
    ijk = np.stack(np.meshgrid(*[np.arange(5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = np.linalg.norm(ijk - [1, 3, 2], axis=1) <= 1
    y, runs = labels(96)
    x = rng.standard_normal((96, len(ijk)))
    x[:, inside] += np.outer(y, rng.choice([-1.0, 1.0], inside.sum()))
    units = pd.DataFrame(3.0 * ijk, columns=["x", "y", "z"]).assign(region=np.where(inside, "ball", "rest"))
    return Responses(x, pd.DataFrame({"trial_type": y, "run": runs}), units), inside


def test_searchlight_peaks_in_the_planted_ball(rng: np.random.Generator) -> None:
    responses, _ = grid(rng)
    result = searchlight(responses, radius_mm=3.0, n_permutations=9)
    assert result.p_values is not None
    centre = responses.units.iloc[int(result.scores.argmax())][["x", "y", "z"]].to_numpy(float)
    assert np.linalg.norm(centre - [3.0, 9.0, 6.0]) <= 3.0
    reach = np.linalg.norm(responses.units[["x", "y", "z"]].to_numpy(float) - [3.0, 9.0, 6.0], axis=1)
    assert (result.p_values[reach > 6.1] > 0.1).mean() > 0.95
    assert result.p_values[result.scores.argmax()] == 1 / 10
    assert result.scores[reach > 6.1].mean() == pytest.approx(0.5, abs=0.03)


def test_regions_of_interest(rng: np.random.Generator) -> None:
    responses, inside = grid(rng)
    table = roi(responses, n_permutations=39).table.set_index("roi")
    assert table.loc["ball", "n_units"] == inside.sum()
    assert table.loc["ball", "score"] > 0.8
    assert table.loc["ball", "p"] == 1 / 40
    assert (table["p_corrected"] >= table["p"]).all()
