"""The parts of a fit: scaling, selection, rotation, missing classes, inner folds."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.decode.evaluation import baseline_outputs
from neurodecode.decode.features import anova_f, best_features, location_and_scale, rotate, squared_correlation
from neurodecode.decode.fitting import (
    FitSettings,
    coordinates,
    feature_weights,
    fit,
    fit_classes,
    haufe_pattern,
    outputs,
    prepare,
)
from neurodecode.decode.ridge import fit_ridge, inner_folds, prepare_ridge


def test_scaling_of_features_that_do_not_vary(rng: np.random.Generator) -> None:
    x = rng.standard_normal((20, 4))
    x[:, 1] = 0.1
    x[:, 2] = 1e6 + 1e-9 * x[:, 0]  # rounding only
    x[:, 3] *= 1e-12  # small, yet a signal
    mean, scale = location_and_scale(x)
    np.testing.assert_allclose(scale, [x[:, 0].std(), 1.0, 1.0, x[:, 3].std()])
    np.testing.assert_allclose(mean, x.mean(axis=0))
    np.testing.assert_array_equal(location_and_scale(x, False)[1], 1.0)


def test_selection_of_the_best_in_their_order() -> None:
    np.testing.assert_array_equal(best_features(np.array([1.0, 5.0, 3.0, 5.0, np.inf]), 3), [1, 3, 4])
    np.testing.assert_array_equal(best_features(np.zeros(4), 2), [0, 1])


def test_relevance_of_features_that_do_not_vary() -> None:
    y = np.array([0, 0, 1, 1])
    x = np.array([[0.0, -1.0, 1.0], [0.0, -1.0, -1.0], [0.0, 1.0, 1.0], [0.0, 1.0, -1.0]])
    np.testing.assert_array_equal(anova_f(x, y, 2), [0.0, np.inf, 0.0])
    np.testing.assert_allclose(squared_correlation(x, np.array([0.0, 0.0, 1.0, 1.0])), [0.0, 1.0, 0.0])


def test_rotation_keeps_all_products(rng: np.random.Generator) -> None:
    x = rng.standard_normal((8, 30))
    z, basis = rotate(x)
    assert z.shape == (8, 8)
    np.testing.assert_allclose(z @ z.T, x @ x.T, atol=1e-10)
    np.testing.assert_allclose(x @ basis, z, atol=1e-10)


@pytest.mark.parametrize("estimator", ["logistic", "lda", "ridge"])
@pytest.mark.parametrize(("p", "n_features"), [(5, None), (60, None), (60, 7)])
def test_weights_of_coordinates_and_of_features_agree(
    rng: np.random.Generator, estimator: str, p: int, n_features: int | None
) -> None:
    settings = FitSettings(estimator, alphas=(1.0, 10.0), n_features=n_features)
    x, test, groups = 3 * rng.standard_normal((30, p)) + 5, rng.standard_normal((9, p)), np.arange(30) // 10
    training = prepare(x, groups, settings)
    n_classes = None if estimator == "ridge" else 2
    weights = fit(training, np.arange(30) % 2, n_classes, settings)
    coef, intercept = feature_weights(training, weights)
    np.testing.assert_allclose(test @ coef.T + intercept, outputs(coordinates(training, test), weights), atol=1e-8)
    if n_features:
        assert (coef != 0).sum() == n_features


@pytest.mark.parametrize("estimator", ["logistic", "lda"])
def test_classes_missing_from_the_training_part_are_never_chosen(rng: np.random.Generator, estimator: str) -> None:
    x = rng.standard_normal((20, 3))
    for present in ([0, 1, 3], [1, 2], [2]):
        y = np.resize(present, 20)
        coef, intercept = fit_classes(x, y, 4, FitSettings(estimator))
        assert coef.shape == (4, 3)
        assert set((x @ coef.T + intercept).argmax(axis=1)) <= set(present)
    for only in (0, 1):
        coef, intercept = fit_classes(x, np.full(20, only), 2, FitSettings(estimator))
        assert ((x @ coef.T + intercept > 0) == only).all()


def test_two_of_four_classes_are_told_as_two_alone(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((30, 3)), np.arange(30) % 2
    alone = fit_classes(x, y, 2, FitSettings("lda"))
    among = fit_classes(x, 2 * y + 1, 4, FitSettings("lda"))
    np.testing.assert_allclose(among[0][3] - among[0][1], alone[0][0])
    assert among[1][3] - among[1][1] == pytest.approx(alone[1][0])


@pytest.mark.parametrize(("groups", "n"), [([0, 0, 1, 1, 2, 2], 3), (np.repeat(np.arange(12), 2), 5), (np.zeros(20), 5)])
def test_inner_folds_hold_out_whole_groups(groups: np.ndarray, n: int) -> None:
    groups = np.asarray(groups, int)
    folds = inner_folds(groups)
    assert len(folds) == n
    assert sorted(np.concatenate([test for _, test, _ in folds])) == list(range(len(groups)))
    for train, test, _ in folds:
        assert not set(train) & set(test)
        assert len(np.unique(groups)) == 1 or not set(groups[train]) & set(groups[test])


def test_ridge_shrinks_noise_more_than_signal(rng: np.random.Generator) -> None:
    x, groups, alphas = rng.standard_normal((80, 40)), np.arange(80) // 20, np.logspace(-2, 6, 17)
    targets = np.column_stack([x[:, 0] + 0.01 * rng.standard_normal(80), rng.standard_normal(80)])
    strong, nothing = fit_ridge(prepare_ridge(x, groups, alphas), targets)[2]
    assert strong < 1.0 < 100.0 < nothing


def test_pattern_of_one_output_is_the_covariance_over_its_variance(rng: np.random.Generator) -> None:
    x, w = rng.standard_normal((50, 4)) @ rng.standard_normal((4, 4)), rng.standard_normal((1, 4))
    s = x @ w[0]
    expected = [np.cov(column, s)[0, 1] / s.var(ddof=1) for column in x.T]
    np.testing.assert_allclose(haufe_pattern(x, w)[0], expected)


@pytest.mark.parametrize("k", [2, 3])
def test_baseline_is_the_nearest_class_mean(rng: np.random.Generator, k: int) -> None:
    train, test, y = rng.standard_normal((30, 4)), rng.standard_normal((12, 4)), np.arange(30) % k
    distance = np.stack([np.linalg.norm(test - train[y == c].mean(axis=0), axis=1) for c in range(k)], axis=1)
    found = baseline_outputs(train, y, test, k)
    nearest = (found[:, 0] > 0).astype(int) if k == 2 else found.argmax(axis=1)
    np.testing.assert_array_equal(nearest, distance.argmin(axis=1))
