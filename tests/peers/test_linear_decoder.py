"""The linear decoder against scikit-learn, MNE and nilearn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest, f_classif, r_regression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, PredefinedSplit, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neurodecode.data import Responses
from neurodecode.decode import LinearDecoder, cross_validate_arrays, generalise_over_time, searchlight, time_resolved
from neurodecode.decode.discriminant import fit_discriminant, ledoit_wolf_intensity
from neurodecode.decode.features import anova_f, squared_correlation
from neurodecode.decode.fitting import fit_logistic, haufe_pattern
from neurodecode.decode.ridge import fit_ridge, inner_folds, prepare_ridge


def problem(rng: np.random.Generator, n: int, p: int, k: int, strength: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlated features of unequal scale, labels and runs; float32 values, as Responses hold."""
    y = np.arange(n) % k
    mixing = rng.standard_normal((p, p)) / np.sqrt(p)
    x = rng.standard_normal((n, p)) @ mixing + strength * rng.standard_normal((k, p))[y]
    x = x * rng.uniform(0.1, 10, p) + rng.standard_normal(p)
    return x.astype(np.float32), y, np.arange(n) * 4 // n


SHAPES = [(60, 5), (60, 59), (60, 200), (37, 300), (40, 1)]


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_discriminant_equals_sklearn(rng: np.random.Generator, n: int, p: int, k: int) -> None:
    x, y, _ = problem(rng, n, p, k)
    x = x.astype(float)
    y[: n // 5] = 0  # unequal classes
    peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(x, y)
    coef, intercept = fit_discriminant(x, y, k)
    expected = peer.decision_function(x).reshape(n, -1)
    np.testing.assert_allclose(x @ coef.T + intercept, expected, atol=1e-6, rtol=1e-6)
    found = (x @ coef.T + intercept)[:, 0] > 0 if k == 2 else (x @ coef.T + intercept).argmax(axis=1)
    np.testing.assert_array_equal(found.astype(int), peer.predict(x))


def test_discriminant_with_features_that_do_not_vary(rng: np.random.Generator) -> None:
    x, y, _ = problem(rng, 50, 120, 2)
    x = x.astype(float)
    x[:, 3] = 0.0
    x[y == 1, 7] = 2.0  # constant in one class
    peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(x, y)
    coef, intercept = fit_discriminant(x, y, 2)
    np.testing.assert_allclose(x @ coef[0] + intercept, peer.decision_function(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("k", [2, 5])
def test_discriminant_from_known_products_is_the_same(rng: np.random.Generator, k: int) -> None:
    x, y, _ = problem(rng, 90, 30, k)
    x = x - x.mean(axis=0, dtype=float)
    y[:30] = k - 1
    plain, known = fit_discriminant(x, y, k), fit_discriminant(x, y, k, x.T @ x)
    np.testing.assert_allclose(known[0], plain[0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(known[1], plain[1], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("p", [3, 80])
def test_discriminant_of_many_problems_at_once(rng: np.random.Generator, p: int) -> None:
    x, y = rng.standard_normal((6, 40, p)), np.arange(40) % 3
    coef, intercept = fit_discriminant(x, y, 3)
    for i in range(6):
        one_coef, one_intercept = fit_discriminant(x[i], y, 3)
        np.testing.assert_allclose(coef[i], one_coef, atol=1e-10)
        np.testing.assert_allclose(intercept[i], one_intercept, atol=1e-10)


@pytest.mark.parametrize(("n", "p"), [*SHAPES, (2, 4)])
def test_shrinkage_equals_sklearn(rng: np.random.Generator, n: int, p: int) -> None:
    x = rng.standard_normal((n, p)) @ rng.standard_normal((p, p))
    x -= x.mean(axis=0)
    assert ledoit_wolf_intensity(x) == pytest.approx(ledoit_wolf_shrinkage(x), abs=1e-12)


@pytest.mark.parametrize("C", [0.01, 1.0])
@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("p", [10, 150])
def test_logistic_in_rotated_coordinates_is_exact(rng: np.random.Generator, p: int, k: int, C: float) -> None:
    x, y, _ = problem(rng, 60, p, k)
    standard = StandardScaler().fit_transform(x.astype(float))
    coef, intercept = fit_logistic(standard, y, C)
    peer = LogisticRegression(C=C, tol=1e-9, max_iter=20000).fit(standard, y)
    np.testing.assert_allclose(coef, peer.coef_, atol=2e-5)
    np.testing.assert_allclose(intercept - intercept.mean(), peer.intercept_ - peer.intercept_.mean(), atol=2e-5)


@pytest.mark.parametrize("p", [10, 100])
def test_ridge_and_its_penalty_equal_a_grid_search(rng: np.random.Generator, p: int) -> None:
    x, _, groups = problem(rng, 60, p, 2)
    y = x[:, :5].sum(axis=1) + 3 * rng.standard_normal(60)
    alphas = np.logspace(-1, 5, 13)
    (coef,), (intercept,), (alpha,) = fit_ridge(prepare_ridge(x.astype(float), groups, alphas), y.astype(float)[:, None])
    folds = np.zeros(60, int)
    for k, (_, test, _) in enumerate(inner_folds(groups)):
        folds[test] = k
    search = GridSearchCV(Ridge(), {"alpha": alphas}, cv=PredefinedSplit(folds), scoring="neg_mean_squared_error").fit(x, y)
    assert alpha == search.best_params_["alpha"]
    np.testing.assert_allclose(coef, Ridge(alpha).fit(x.astype(float), y).coef_, atol=1e-6)
    np.testing.assert_allclose(x @ coef + intercept, search.predict(x), rtol=1e-3, atol=1e-3)


def test_anova_and_correlation_equal_sklearn(rng: np.random.Generator) -> None:
    x, y, _ = problem(rng, 50, 40, 4)
    centred = x.astype(float) - x.mean(axis=0, dtype=float)
    np.testing.assert_allclose(anova_f(centred, y, 4), f_classif(x.astype(float), y)[0], rtol=1e-8)
    np.testing.assert_allclose(anova_f(centred, y, 6), f_classif(x.astype(float), y)[0], rtol=1e-8)
    target = rng.standard_normal(50)
    np.testing.assert_allclose(squared_correlation(centred, target), r_regression(x.astype(float), target) ** 2, rtol=1e-8)


@pytest.mark.parametrize("n_features", [None, 30])
@pytest.mark.parametrize("k", [2, 4])
def test_cross_validation_equals_a_sklearn_pipeline(rng: np.random.Generator, k: int, n_features: int | None) -> None:
    x, y, groups = problem(rng, 64, 120, k)
    result = cross_validate_arrays(x, y, groups, LinearDecoder(C=0.1, n_features=n_features), n_permutations=0)
    model = make_pipeline(
        StandardScaler(), SelectKBest(k=n_features or "all"), LogisticRegression(C=0.1, tol=1e-8, max_iter=9999)
    )
    double, fold = x.astype(float), LeaveOneGroupOut()
    scoring = "roc_auc" if k == 2 else "balanced_accuracy"
    np.testing.assert_allclose(
        result.fold_scores, cross_val_score(model, double, y, groups=groups, cv=fold, scoring=scoring), atol=1e-9
    )
    predicted = cross_val_predict(model, double, y, groups=groups, cv=fold)
    assert result.predictions["predicted"].tolist() == [str(p) for p in predicted]
    probability = cross_val_predict(model, double, y, groups=groups, cv=fold, method="predict_proba")
    np.testing.assert_allclose(result.predictions["probability"], probability.max(axis=1), atol=1e-4)


def test_discriminant_validation_equals_a_sklearn_pipeline(rng: np.random.Generator) -> None:
    x, y, groups = problem(rng, 80, 150, 2)
    result = cross_validate_arrays(x, y, groups, LinearDecoder(estimator="lda"), n_permutations=0)
    model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
    expected = cross_val_predict(model, x.astype(float), y, groups=groups, cv=LeaveOneGroupOut(), method="decision_function")
    np.testing.assert_allclose(result.predictions["decision"], expected, atol=1e-6, rtol=1e-6)


def as_epochs(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Responses:
    samples = pd.DataFrame({"trial_type": [f"kind{v}" for v in y], "run": groups})
    return Responses(x, samples, pd.DataFrame({"name": [f"c{i}" for i in range(x.shape[1])]}), np.arange(x.shape[2]) / 100)


@pytest.mark.parametrize("estimator", ["lda", "logistic"])
def test_time_courses_equal_mne(rng: np.random.Generator, estimator: str) -> None:
    from mne.decoding import GeneralizingEstimator, SlidingEstimator, cross_val_multiscore

    y, groups = np.arange(60) % 2, np.arange(60) // 20
    x = rng.standard_normal((60, 4, 7)).astype(np.float32)
    x[:, 1, 3:5] += y[:, None]
    peers: dict[str, Any] = {
        "lda": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        "logistic": LogisticRegression(tol=1e-9, max_iter=999),
    }
    model = make_pipeline(StandardScaler(), peers[estimator])
    options = {"scoring": "roc_auc", "verbose": False}
    cut = {"groups": groups, "cv": LeaveOneGroupOut(), "verbose": False}
    epochs, decoder = as_epochs(x, y, groups), LinearDecoder(estimator=estimator)
    sliding = cross_val_multiscore(SlidingEstimator(model, **options), x.astype(float), y, **cut)
    np.testing.assert_allclose(time_resolved(epochs, decoder=decoder, n_permutations=0).scores, sliding, atol=1e-9)
    general = cross_val_multiscore(GeneralizingEstimator(model, **options), x.astype(float), y, **cut)
    np.testing.assert_allclose(generalise_over_time(epochs, decoder=decoder).scores, general, atol=1e-9)


def test_patterns_equal_mne(rng: np.random.Generator) -> None:
    from mne.decoding import LinearModel, get_coef

    x, y, _ = problem(rng, 80, 12, 2)
    standard = StandardScaler().fit_transform(x.astype(float))
    model = LinearModel(LogisticRegression(tol=1e-9, max_iter=999)).fit(standard, y)
    found = haufe_pattern(standard, model.filters_[None])
    peer = get_coef(model, "patterns_")  # of one output, up to its variance
    np.testing.assert_allclose(found[0] / np.linalg.norm(found), peer / np.linalg.norm(peer), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Use a custom estimator at your own risk:UserWarning")
def test_searchlight_equals_nilearn(rng: np.random.Generator) -> None:
    import nibabel
    from nilearn.decoding import SearchLight

    shape, affine = (5, 5, 4), np.diag([3.0, 3.0, 3.0, 1.0])
    y, groups = np.arange(32) % 2, np.arange(32) // 8
    volumes = rng.standard_normal((*shape, 32)).astype(np.float32)
    volumes[1:3, 1:3, 1:3] += y
    mask = np.ones(shape, np.int8)
    mask[0] = 0
    peer = SearchLight(
        nibabel.Nifti1Image(mask, affine),
        radius=4.0,
        estimator=LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        cv=LeaveOneGroupOut(),
        scoring="roc_auc",
    )
    peer.fit(nibabel.Nifti1Image(volumes, affine), y, groups=groups)
    ijk = np.argwhere(mask)
    responses = Responses(
        volumes[mask > 0].T,
        pd.DataFrame({"trial_type": y, "run": groups}),
        pd.DataFrame(ijk, columns=["i", "j", "k"]),
        meta={"space": {"type": "volume", "affine": affine.tolist()}},
    )
    found = searchlight(responses, radius_mm=4.0)
    np.testing.assert_allclose(found.scores, peer.scores_[mask > 0], atol=1e-9)
