"""The ridge against scikit-learn, penalty by penalty, and against himalaya on the same folds."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from ridge_data import problem, relative
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit

from neurodecode.linear import RidgeCV

ALPHAS = np.logspace(0, 5, 6)
BACKENDS = ["numpy", "torch"]


def check_penalties(model: RidgeCV, n: int, p: int, dtype: type, alphas: np.ndarray, tolerance: float) -> None:
    """Weights, offsets and predictions of each penalty alone, relative to scikit-learn's in double precision."""
    x, y = problem(n, p, 5, dtype)
    for alpha in alphas:
        model.set_params(alphas=[alpha]).fit(x, y)
        peer = Ridge(alpha, fit_intercept=model.fit_intercept).fit(x.astype(float), y.astype(float))
        assert relative(model.coef_, peer.coef_.T) <= tolerance
        assert relative(model.predict(x), peer.predict(x.astype(float))) <= tolerance
        assert_allclose(model.intercept_, peer.intercept_, atol=tolerance * np.abs(y).max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("form", ["primal", "dual"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n", "p"), [(300, 40), (120, 200)])
def test_each_penalty_equals_sklearn(n: int, p: int, fit_intercept: bool, form: str, backend: str) -> None:
    model = RidgeCV(form=form, fit_intercept=fit_intercept, backend=backend)
    check_penalties(model, n, p, np.float64, ALPHAS, 1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n", "p"), [(300, 40), (120, 200)])
def test_each_penalty_equals_sklearn_in_single_precision(n: int, p: int, fit_intercept: bool, backend: str) -> None:
    check_penalties(RidgeCV(fit_intercept=fit_intercept, backend=backend), n, p, np.float32, ALPHAS, 1e-5)
    for form in ("primal", "dual"):  # a form against the smaller side has directions that the penalty alone holds
        check_penalties(RidgeCV(form=form, backend=backend), n, p, np.float32, ALPHAS[2:], 1e-5)


@pytest.mark.parametrize(("n", "p"), [(120, 15), (80, 120)])
def test_surface_and_choice_equal_a_grid_search(n: int, p: int) -> None:
    x, y = problem(n, p, 4)
    model = RidgeCV(ALPHAS, KFold(4)).fit(x, y)
    for t in range(4):
        search = GridSearchCV(Ridge(), {"alpha": ALPHAS}, cv=KFold(4), scoring="r2").fit(x, y[:, t])
        assert_allclose(model.cv_scores_[:, t], search.cv_results_["mean_test_score"], atol=1e-8)
        assert model.alpha_[t] == search.best_params_["alpha"]


def test_scores_equal_sklearn() -> None:
    x, y = problem()
    model = RidgeCV(ALPHAS).fit(x, y)
    assert_allclose(model.score(x, y), r2_score(y, model.predict(x), multioutput="raw_values"))


@pytest.mark.parametrize("search", ["grid", "coarse"])
@pytest.mark.parametrize(("n", "p"), [(300, 60), (150, 300)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_surface_equals_himalaya(n: int, p: int, backend: str, search: str) -> None:
    pytest.importorskip("himalaya")
    from himalaya.backend import set_backend
    from himalaya.ridge import RidgeCV as Peer
    from himalaya.scoring import r2_score as score_func

    x, y = problem(n, p, 60, np.float32)
    fold = np.arange(n) * 5 // n
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    model = RidgeCV(ALPHAS, folds, backend=backend, search=search).fit(x, y)
    peers = set_backend(backend)
    surface = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for alphas in [*ALPHAS[:, None], ALPHAS]:
            peer = Peer(
                alphas, cv=PredefinedSplit(fold), fit_intercept=True, solver_params={"score_func": score_func, "warn": False}
            )
            peer.fit(peers.asarray(x), peers.asarray(y))
            surface.append(peers.to_numpy(peer.cv_scores_))
    best, peer_alpha = np.array(surface[-1]), peers.to_numpy(peer.best_alphas_)
    found = model.cv_scores_.max(axis=0)
    assert_allclose(found, best, atol=1e-4)
    if search == "grid":
        assert_allclose(model.cv_scores_, surface[:-1], atol=1e-4)
    differs = ~np.isclose(model.alpha_, peer_alpha, rtol=1e-3)
    assert differs.mean() <= 0.05
    assert_array_equal(np.abs(best - found)[differs] < 1e-4, True)
