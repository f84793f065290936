"""The ridge: equal to brute force in every form, precision, backend and batch, and clear about what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from ridge_data import ALPHAS, brute_surface, brute_weights, problem, relative
from sklearn.base import clone
from sklearn.model_selection import KFold

from neurodecode.data import Responses
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.linear import RidgeCV

BACKENDS = ["numpy", "torch"]


def check_against_brute_force(model: RidgeCV, x: np.ndarray, y: np.ndarray, tolerance: float) -> None:
    """Scores, penalties, weights and offsets."""
    surface = brute_surface(x, y, model.folds_, model.alphas_, model.fit_intercept)
    assert_allclose(model.cv_scores_, surface, atol=tolerance * max(1.0, np.abs(surface).max()))
    assert_array_equal(model.alpha_, model.alphas_[surface.argmax(axis=0)])
    for t, alpha in enumerate(model.alpha_):
        coef, offset = brute_weights(x, y[:, t], alpha, model.fit_intercept)
        assert relative(model.coef_[:, t], coef) < tolerance
        assert model.intercept_[t] == pytest.approx(offset, abs=float(tolerance * (1 + np.abs(y).max())))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("form", ["primal", "dual"])
@pytest.mark.parametrize(("n", "p"), [(120, 15), (60, 100)])
def test_equals_brute_force(n: int, p: int, form: str, fit_intercept: bool, backend: str) -> None:
    x, y = problem(n, p)
    model = RidgeCV(ALPHAS, form=form, fit_intercept=fit_intercept, backend=backend).fit(x, y)
    assert (model.form_, model.precision_) == (form, "float64")
    check_against_brute_force(model, x, y, 1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("offset", [0.0, 30.0])
@pytest.mark.parametrize(("n", "p"), [(120, 15), (60, 100)])
def test_single_precision_is_close(n: int, p: int, offset: float, backend: str) -> None:
    x, y = problem(n, p, dtype=np.float32, offset=offset)
    model = RidgeCV(ALPHAS, backend=backend).fit(x, y)
    assert model.coef_.dtype == np.float32
    check_against_brute_force(model, x, y, 5e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
def test_primal_equals_dual(dtype: type, tolerance: float) -> None:
    x, y = problem(90, 40, dtype=dtype)
    alphas = [10.0, 1000.0]
    primal, dual = (RidgeCV(alphas, form=form).fit(x, y) for form in ("primal", "dual"))
    assert_array_equal(primal.alpha_, dual.alpha_)
    assert relative(primal.coef_, dual.coef_) < tolerance
    assert_allclose(primal.cv_scores_, dual.cv_scores_, atol=2 * tolerance)


@pytest.mark.parametrize(("n", "p", "form"), [(120, 15, "primal"), (60, 100, "dual"), (60, 50, "dual"), (60, 48, "primal")])
def test_the_form_follows_the_smaller_side_of_training(n: int, p: int, form: str) -> None:
    x, y = problem(n, p)
    assert RidgeCV(cv=KFold(5)).fit(x, y).form_ == form  # 48 of 60 samples to train on


@pytest.mark.parametrize("form", ["primal", "dual"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_batches_change_nothing(form: str, backend: str) -> None:
    x, y = problem(80, 30, 23, np.float32)
    whole, parts = (RidgeCV(ALPHAS, form=form, backend=backend, target_batch=b).fit(x, y) for b in (None, 4))
    assert_allclose(parts.cv_scores_, whole.cv_scores_, atol=2e-6)
    assert_allclose(parts.coef_, whole.coef_, atol=1e-6)


@pytest.mark.parametrize(
    "cv",
    [
        KFold(4),
        KFold(4, shuffle=True, random_state=0),
        [(np.arange(20, 80), np.arange(10))],
        [(np.random.default_rng(k).permutation(80)[:50], np.arange(0)) for k in range(3)],
    ],
    ids=["blocks", "shuffled", "one fold, rows in none", "random subsets"],
)
@pytest.mark.parametrize("form", ["primal", "dual"])
def test_any_folds(cv: Any, form: str) -> None:
    x, y = problem(80, 12)
    folds = cv if not isinstance(cv, list) else [(tr, te if len(te) else np.setdiff1d(np.arange(80), tr)) for tr, te in cv]
    check_against_brute_force(RidgeCV(ALPHAS, folds, form=form).fit(x, y), x, y, 1e-8)


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_runs_out_of_order_and_of_unequal_length(form: str) -> None:
    x, y = problem(90, 12)
    runs = np.random.default_rng(0).choice(["a", "b", "c"], 90, p=[0.2, 0.5, 0.3])
    model = RidgeCV(ALPHAS, form=form).fit(x, y, groups=runs)
    assert sorted({run for fold in model.folds_ for run in runs[fold.test]}) == ["a", "b", "c"]
    assert all(not set(runs[fold.test]) & set(runs[fold.train]) for fold in model.folds_)
    check_against_brute_force(model, x, y, 1e-8)


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_a_loud_run_does_not_drown_the_others(form: str) -> None:
    """Sums over blocks, not differences from the total: an artefact of one run must not cost the digits of the others."""
    x, y = problem(100, 8, dtype=np.float32)
    loud = np.repeat([1, 1, 1e4, 1, 1], 20).astype(np.float32)[:, None]
    model = RidgeCV([1.0, 100.0], KFold(5), form=form).fit(x, y * loud)
    spared = model.folds_[2]
    coef, offset = brute_weights(x[spared.train], y[spared.train], 1.0)
    alone = RidgeCV([1.0], [spared], form=form).fit(x, y)
    held = y[spared.test].astype(float)
    total = np.sum((held - held.mean(axis=0)) ** 2, axis=0)
    expected = 1 - np.sum((held - x[spared.test] @ coef - offset) ** 2, axis=0) / total
    assert_allclose(alone.cv_scores_[0], expected, atol=1e-5)


def test_default_penalties_follow_the_scale_of_features() -> None:
    x, y = problem()
    model, scaled = RidgeCV().fit(x, y), RidgeCV().fit(1000 * x, y)
    assert len(model.alphas_) == 10
    assert_allclose(scaled.alphas_, 1e6 * model.alphas_)
    assert_allclose(scaled.cv_scores_, model.cv_scores_, atol=1e-8)
    mean = np.linalg.eigvalsh(np.cov(x.T) * (len(x) - 1)).mean()
    assert_allclose(model.alphas_, mean * np.logspace(-4, 5, 10))
    assert_allclose(RidgeCV(form="dual").fit(x, y).alphas_, model.alphas_)


def test_penalties_in_any_order() -> None:
    x, y = problem()
    rising, falling = RidgeCV(ALPHAS).fit(x, y), RidgeCV(ALPHAS[::-1]).fit(x, y)
    assert_array_equal(falling.cv_scores_.shape, rising.cv_scores_.shape)
    assert_allclose(falling.cv_scores_[::-1], rising.cv_scores_, atol=1e-9)
    assert_array_equal(falling.alpha_, rising.alpha_)


@pytest.mark.parametrize("p", [12, 150])
def test_one_target_without_an_axis(p: int) -> None:
    x, y = problem(80, p)
    flat, wide = RidgeCV(ALPHAS).fit(x, y[:, 2]), RidgeCV(ALPHAS).fit(x, y[:, 2:3])
    assert flat.coef_.shape == (p,)
    assert np.shape(flat.alpha_) == np.shape(flat.intercept_) == ()
    assert flat.cv_scores_.shape == (8,)
    assert_allclose(flat.coef_, wide.coef_[:, 0], rtol=1e-9)
    assert flat.predict(x).shape == (80,)
    assert isinstance(flat.score(x, y[:, 2]), float)


@pytest.mark.parametrize("p", [12, 150])
def test_predictions_and_scores(p: int) -> None:
    x, y = problem(100, p)
    model = RidgeCV(ALPHAS).fit(x[:80], y[:80])
    predicted = model.predict(x[80:])
    assert_allclose(predicted, x[80:] @ model.coef_ + model.intercept_)
    held = y[80:]
    expected = 1 - np.sum((held - predicted) ** 2, axis=0) / np.sum((held - held.mean(axis=0)) ** 2, axis=0)
    assert_allclose(model.score(x[80:], held), expected)
    gaps = held.copy()
    gaps[::3, 1], gaps[:, 2] = np.nan, 5.0
    found = model.score(x[80:], gaps)
    assert_allclose(found[1], model.score(x[80:][np.arange(20) % 3 > 0], held[np.arange(20) % 3 > 0])[1])
    assert np.isnan(found[2])
    assert_allclose(found[3:], expected[3:])


def test_dual_weights_give_those_of_features_when_asked() -> None:
    x, y = problem(40, 300, offset=5.0)
    model = RidgeCV(ALPHAS).fit(x, y)
    assert "coef_" not in vars(model)
    assert_allclose(model.coef_, (x - x.mean(axis=0)).T @ model.dual_coef_, atol=1e-12)
    assert "coef_" in vars(model)
    again = model.fit(x, -y)
    assert_allclose(again.coef_, (x - x.mean(axis=0)).T @ model.dual_coef_, atol=1e-12)


def test_targets_that_do_not_vary() -> None:
    x, y = problem(100, 10, 4, np.float32)
    y[:, 1], y[20:, 2] = 7.3, 1e6
    model = RidgeCV(ALPHAS, KFold(5)).fit(x, y)
    assert np.isnan(model.cv_scores_[:, 1]).all()
    assert model.alpha_[1] == ALPHAS.max()
    assert_allclose(model.coef_[:, 1], 0, atol=1e-6)
    assert model.intercept_[1] == pytest.approx(7.3, rel=1e-6)
    assert np.isfinite(model.cv_scores_[:, [0, 2, 3]]).all()  # the third varies in one fold, and is scored there


def test_features_that_do_not_vary_count_for_nothing() -> None:
    x, y = problem(100, 10)
    x[:, 3] = 4.0
    x[:90, 5] = 0.0  # varies in the last block alone
    model = RidgeCV(ALPHAS).fit(x, y)
    assert_allclose(model.coef_[3], 0, atol=1e-10)
    check_against_brute_force(model, x, y, 1e-8)


def test_steep_features_are_solved_in_double_precision() -> None:
    x, y = problem(200, 30, dtype=np.float32)
    x *= np.logspace(0, -3, 30, dtype=np.float32)
    model = RidgeCV(np.logspace(-3, 3, 7)).fit(x, y)
    assert model.precision_ == "float64"
    assert model.coef_.dtype == np.float32
    check_against_brute_force(model, x, y, 1e-3)
    assert RidgeCV([1e3]).fit(x, y).precision_ == "float32"


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("n", "p"), [(300, 100), (150, 400)])
def test_coarse_search_chooses_as_well(n: int, p: int, decay: float) -> None:
    x, _ = problem(n, p)
    x = x * np.arange(1, p + 1) ** -decay
    rng = np.random.default_rng(1)
    y = x @ rng.standard_normal((p, 40))
    y = y / y.std(axis=0) + np.geomspace(0.1, 6, 40) * rng.standard_normal((n, 40))
    alphas = np.logspace(-2, 5, 15)
    grid, coarse = (RidgeCV(alphas, search=s).fit(x.astype(np.float32), y.astype(np.float32)) for s in ("grid", "coarse"))
    exact = brute_surface(x, y, grid.folds_, alphas)
    assert np.abs(grid.cv_scores_ - exact).max() < 1e-4
    chosen = exact[np.searchsorted(alphas, coarse.alpha_), np.arange(40)]
    assert (exact.max(axis=0) - chosen).max() < 1e-4


def test_without_weights_there_are_scores_alone() -> None:
    x, y = problem()
    full, lean = RidgeCV(ALPHAS).fit(x, y), RidgeCV(ALPHAS, keep_coef=False).fit(x, y)
    assert_array_equal(lean.cv_scores_, full.cv_scores_)
    assert_array_equal(lean.alpha_, full.alpha_)
    with pytest.raises(DataError, match="keep_coef=False"):
        lean.predict(x)
    y[0, 0] = np.nan
    assert np.isfinite(RidgeCV(ALPHAS, keep_coef=False).fit(x, y).cv_scores_).all()


def as_responses(data: np.ndarray, runs: np.ndarray) -> Responses:
    return Responses(data, pd.DataFrame({"run": runs}), pd.DataFrame({"name": [f"u{i}" for i in range(data.shape[1])]}))


def test_responses_bring_their_runs() -> None:
    x, y = problem(90, 10, dtype=np.float32)
    runs = np.repeat(["1", "2", "3"], 30)
    model = RidgeCV(ALPHAS).fit(as_responses(x, runs), as_responses(y, runs))
    plain = RidgeCV(ALPHAS).fit(x, y, groups=runs)
    assert len(model.folds_) == 3
    assert_array_equal(model.coef_, plain.coef_)
    assert_array_equal(model.predict(as_responses(x, runs)), plain.predict(x))


def test_integers_and_lists_are_numbers() -> None:
    x, y = problem(60, 5)
    whole = np.rint(10 * x).astype(int)
    from_int, from_list = RidgeCV([10.0]).fit(whole, y), RidgeCV([10.0]).fit(whole.tolist(), y.tolist())
    assert_allclose(from_int.coef_, brute_weights(whole, y, 10.0)[0], rtol=1e-4, atol=1e-5)
    assert_allclose(from_list.coef_, from_int.coef_, rtol=1e-4, atol=1e-5)


def test_inputs_stay_as_they_are() -> None:
    x, y = problem(60, 100)
    y[3, 2] = np.nan
    before = x.tobytes(), y.tobytes()
    model = RidgeCV(ALPHAS).fit(x, y)
    model.predict(x)
    assert (x.tobytes(), y.tobytes()) == before


def test_parameters_as_scikit_learn_asks() -> None:
    model = RidgeCV([1.0, 2.0], cv=3, form="dual", target_batch=7)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(form="primal").form == "primal"
    with pytest.raises(DataError, match="nonsense"):
        model.set_params(nonsense=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "prmal"}, "did you mean 'primal'"),
        ({"search": "fine"}, "coarse"),
        ({"backend": "jax"}, "numpy"),
        ({"target_batch": 0}, "at least 1"),
    ],
)
def test_parameters_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        RidgeCV(**options)


@pytest.mark.parametrize("alphas", [[], [0.0], [-1.0, 1.0], [np.nan], [[1.0, 2.0]]])
def test_penalties_must_be_above_zero(alphas: Any) -> None:
    with pytest.raises(DataError, match="alphas must be"):
        RidgeCV(alphas).fit(*problem())


def test_refusals_name_what_is_wrong() -> None:
    x, y = problem()
    bad = x.copy()
    bad[7, 3] = np.nan
    with pytest.raises(DataError, match="sample 7 of feature 3"):
        RidgeCV().fit(bad, y)
    with pytest.raises(DataError, match="120 samples and Y 119"):
        RidgeCV().fit(x, y[:-1])
    with pytest.raises(DataError, match=r"X must be real numbers.*\(120,\)"):
        RidgeCV().fit(x[:, 0], y)
    with pytest.raises(DataError, match="Y must be real numbers"):
        RidgeCV().fit(x, y.astype(str))
    with pytest.raises(DataError, match="Y must be real numbers"):
        RidgeCV().fit(x, y[:, :0])
    with pytest.raises(DataError, match="nothing to fit"):
        RidgeCV().fit(np.ones_like(x), y)
    with pytest.raises(DataError, match="too small"):
        RidgeCV([1e-300]).fit(np.hstack([x, x]), y)
    with pytest.raises(DataError, match="backend='torch'"):
        RidgeCV(device="cuda").fit(x, y)
    with pytest.raises(DataError, match="cannot be used by torch"):
        RidgeCV(backend="torch", device="nonsense").fit(x, y)
    with pytest.raises(SplitLeakError):
        RidgeCV(cv=[(np.arange(50), np.arange(40, 60))]).fit(x, y)


def test_use_before_and_after_fit() -> None:
    x, y = problem()
    with pytest.raises(DataError, match="not fitted yet"):
        RidgeCV().predict(x)
    model = RidgeCV(ALPHAS).fit(x, y)
    with pytest.raises(DataError, match="14 features, the model was fitted on 15"):
        model.predict(x[:, 1:])
    with pytest.raises(DataError, match="the predictions have"):
        model.score(x, y[:, 1:])
    bad = x.copy()
    bad[0, 0] = np.inf
    with pytest.raises(DataError, match="sample 0 of feature 0"):
        model.predict(bad)
