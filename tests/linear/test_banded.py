"""Banded ridge: what the search tries, what it keeps, and that no form, backend or batch changes the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from neurodecode.data import Responses
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.linear import BandedRidgeCV, Delayer, RidgeCV
from neurodecode.linear.banded_search import check_candidates, draw_candidates
from neurodecode.linear.product_measure import product_measure

RUNS = np.repeat(np.arange(4), 30)


def problem(
    dtype: Any = np.float64, widths: tuple[int, ...] = (8, 12), n_targets: int = 6
) -> tuple[list[np.ndarray], np.ndarray]:
    """Feature spaces of which targets use the first, noise, and an offset."""
    rng = np.random.default_rng(1)
    spaces = [rng.standard_normal((len(RUNS), width)) + 2 for width in widths]
    y = spaces[0] @ rng.standard_normal((widths[0], n_targets)) + 3 * rng.standard_normal((len(RUNS), n_targets)) + 10
    return [x.astype(dtype) for x in spaces], y.astype(dtype)


def direct_solution(spaces: list[np.ndarray], y: np.ndarray, gamma: np.ndarray, alpha: float) -> np.ndarray:
    """Weights from the normal equations with a penalty ``alpha / gamma`` per column."""
    x = np.hstack(spaces)
    penalty = np.repeat(alpha / gamma, [s.shape[1] for s in spaces])
    xc, yc = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.linalg.solve(xc.T @ xc + np.diag(penalty), xc.T @ yc)


# --- candidates ----------------------------------------------------------------------------------------------------


def test_candidates_begin_with_all_bands_alike_and_each_alone() -> None:
    gammas = draw_candidates(3, 40)
    assert gammas.shape == (44, 3)
    assert_array_equal(gammas[0], 1 / 3)
    assert_array_equal(gammas[1:4], np.eye(3))
    assert_allclose(gammas.sum(axis=1), 1)


def test_concentrations_take_turns() -> None:
    gammas = draw_candidates(4, 400, (0.1, 100.0))[5:]
    assert gammas[::2].max(axis=1).mean() > 0.8, "few bands"
    assert gammas[1::2].max(axis=1).mean() < 0.35, "all bands"


def test_a_seed_gives_the_same_candidates() -> None:
    assert_array_equal(draw_candidates(3, 9, random_state=4), draw_candidates(3, 9, random_state=np.random.default_rng(4)))
    assert not np.array_equal(draw_candidates(3, 9, random_state=4), draw_candidates(3, 9, random_state=5))


def test_one_band_has_one_candidate() -> None:
    assert_array_equal(draw_candidates(1, 50), [[1.0]])


@pytest.mark.parametrize("arguments", [(2, -1), (2, 3, ()), (2, 3, (0.0, 1.0))])
def test_draws_out_of_range_are_refused(arguments: tuple) -> None:
    with pytest.raises(DataError, match="draws need"):
        draw_candidates(*arguments)


@pytest.mark.parametrize(
    ("gammas", "message"),
    [
        ([[1.0]], r"\(n_candidates, 2\)"),
        ([[0.5, 0.6]], "add up to 1"),
        ([[1.5, -0.5]], "at least 0"),
        (np.zeros((0, 2)), "shape"),
    ],
)
def test_candidates_of_your_own_are_checked(gammas: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_candidates(gammas, 2)


# --- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["primal", "dual"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-4)])
def test_the_weights_solve_the_normal_equations(form: str, dtype: Any, tolerance: float) -> None:
    spaces, y = problem(dtype)
    gamma = np.array([0.7, 0.3])
    model = BandedRidgeCV(gammas=[gamma], alphas=[20.0], form=form).fit(spaces, y, RUNS)
    expected = direct_solution([s.astype(float) for s in spaces], y.astype(float), gamma, 20.0)
    assert model.coef_.dtype == dtype
    assert_allclose(model.coef_, expected, atol=tolerance * np.abs(expected).max())
    x = np.hstack(spaces)
    assert_allclose(model.intercept_, y.mean(axis=0) - x.mean(axis=0) @ expected, rtol=max(tolerance, 1e-9))
    assert_allclose(model.predict(spaces), x @ model.coef_ + model.intercept_, rtol=1e-4)


def test_identical_bands_weighed_alike_are_plain_ridge() -> None:
    (x, _), y = problem()
    alphas = np.logspace(-1, 4, 6)
    banded = BandedRidgeCV(gammas=[[0.5, 0.5]], alphas=alphas, keep_surface=True).fit([x, x], y, RUNS)
    ridge = RidgeCV(alphas).fit(x, y, RUNS)
    assert_allclose(banded.surface_[0], ridge.cv_scores_, atol=1e-6)
    assert_allclose(banded.alpha_, ridge.alpha_)
    assert_allclose(banded.coef_[:8] + banded.coef_[8:], ridge.coef_, atol=1e-10)
    assert_allclose(banded.predict([x, x]), ridge.predict(x), atol=1e-9)


def test_no_target_does_worse_than_under_ridge_in_cross_validation() -> None:
    spaces, y = problem()
    banded = BandedRidgeCV(n_iter=20).fit(spaces, y, RUNS)
    ridge = RidgeCV().fit(np.hstack(spaces), y, RUNS)
    assert_allclose(banded.alphas_ * 2, ridge.alphas_)  # the kernel of all bands alike is half of the kernel of ridge
    gain = banded.cv_scores_ - ridge.cv_scores_.max(axis=0)
    assert gain.min() > -1e-9
    assert gain.mean() > 0.02


def test_the_running_best_is_the_best_of_the_surface() -> None:
    spaces, y = problem()
    model = BandedRidgeCV(n_iter=12, keep_surface=True).fit(spaces, y, RUNS)
    flat = model.surface_.reshape(-1, y.shape[1])
    assert_allclose(model.cv_scores_, flat.max(axis=0), atol=1e-6)
    number, alpha = np.unravel_index(flat.argmax(axis=0), model.surface_.shape[:2])
    assert_allclose(model.gamma_, model.candidates_[number].T)
    assert_allclose(model.alpha_, model.alphas_[alpha])


def test_scores_are_those_of_explicit_folds() -> None:
    spaces, y = problem()
    gamma, alpha = np.array([0.8, 0.2]), 30.0
    model = BandedRidgeCV(gammas=[gamma], alphas=[alpha]).fit(spaces, y, RUNS)
    scores = []
    for run in range(4):
        train, test = run != RUNS, run == RUNS
        coef = direct_solution([s[train] for s in spaces], y[train], gamma, alpha)
        x = np.hstack(spaces)
        predicted = (x[test] - x[train].mean(axis=0)) @ coef + y[train].mean(axis=0)
        scores.append(1 - ((y[test] - predicted) ** 2).sum(axis=0) / ((y[test] - y[test].mean(axis=0)) ** 2).sum(axis=0))
    assert_allclose(model.cv_scores_, np.mean(scores, axis=0), atol=1e-9)


def test_an_irrelevant_band_costs_next_to_nothing() -> None:
    rng = np.random.default_rng(0)
    good, noise = rng.standard_normal((400, 20)), rng.standard_normal((400, 300))
    y = good @ rng.standard_normal((20, 10)) + 4 * rng.standard_normal((400, 10))
    train, test = np.arange(300), np.arange(300, 400)
    oracle = RidgeCV().fit(good[train], y[train]).score(good[test], y[test])
    plain = RidgeCV().fit(np.hstack([good, noise])[train], y[train]).score(np.hstack([good, noise])[test], y[test])
    banded = BandedRidgeCV(n_iter=10).fit([good[train], noise[train]], y[train]).score([good[test], noise[test]], y[test])
    assert banded.mean() >= oracle.mean() - 0.01
    assert plain.mean() < oracle.mean() - 0.1, "which ridge of both does not manage"


@pytest.mark.parametrize("form", ["primal", "dual"])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_forms_and_backends_agree(form: str, backend: str) -> None:
    spaces, y = problem(np.float32)
    reference = BandedRidgeCV(n_iter=6, keep_surface=True, form="primal").fit(spaces, y, RUNS)
    other = BandedRidgeCV(n_iter=6, keep_surface=True, form=form, backend=backend).fit(spaces, y, RUNS)
    assert other.form_ == form
    assert_allclose(other.surface_, reference.surface_, atol=2e-5)
    assert_allclose(other.predict(spaces), reference.predict(spaces), atol=2e-3)


@pytest.mark.parametrize("batch", [1, 4])
def test_batches_of_targets_change_nothing(batch: int) -> None:
    spaces, y = problem()
    whole, parts = (BandedRidgeCV(n_iter=6, target_batch=size).fit(spaces, y, RUNS) for size in (None, batch))
    assert_allclose(parts.coef_, whole.coef_)
    assert_allclose(parts.cv_scores_, whole.cv_scores_)


def test_the_form_follows_the_smaller_side() -> None:
    spaces, y = problem(widths=(8, 12))
    assert BandedRidgeCV(n_iter=0).fit(spaces, y, RUNS).form_ == "primal"
    spaces, y = problem(widths=(80, 12))
    assert BandedRidgeCV(n_iter=0).fit(spaces, y, RUNS).form_ == "dual"


def test_weights_of_samples_predict_as_weights_of_features_do() -> None:
    spaces, y = problem(widths=(90, 60))
    coef, dual = (BandedRidgeCV(n_iter=6, store=store, delays=Delayer([0, 1])).fit(spaces, y, RUNS) for store in ("coef", "dual"))
    assert not hasattr(dual, "coef_")
    assert dual.dual_coef_.shape == y.shape
    assert_allclose(dual.predict(spaces, RUNS), coef.predict(spaces, RUNS), atol=1e-9)
    assert_allclose(dual.score_bands(spaces, y, RUNS), coef.score_bands(spaces, y, RUNS), atol=1e-9)


# --- fewer evaluations ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"search": "coarse"}, {"patience": 5}, {"search": "coarse", "patience": 5}])
def test_fewer_evaluations_find_nearly_the_same(options: dict[str, Any]) -> None:
    spaces, y = problem(n_targets=40)
    full = BandedRidgeCV(n_iter=30).fit(spaces, y, RUNS)
    fewer = BandedRidgeCV(n_iter=30, keep_surface=True, **options).fit(spaces, y, RUNS)
    assert np.isnan(fewer.surface_).mean() > 0.3, "many were not tried"
    assert np.isfinite(fewer.surface_[:3]).all(), "but all penalties of the first"
    assert (full.cv_scores_ - fewer.cv_scores_).max() < (5e-3 if "patience" not in options else 2e-2)
    assert (full.cv_scores_ - fewer.cv_scores_).mean() < 2e-3
    assert_allclose(fewer.cv_scores_, np.nanmax(fewer.surface_, axis=(0, 1)), atol=1e-6)


# --- delays and runs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_delays_equal_features_that_were_delayed_before(form: str) -> None:
    spaces, y = problem()
    first, second = Delayer([1, 2, 3]), Delayer([-1, 0])
    model = BandedRidgeCV(n_iter=5, delays=[first, second], form=form, cv=[(RUNS > 1, RUNS <= 1)]).fit(spaces, y, RUNS)
    laid_out = [first.transform(spaces[0], RUNS), second.transform(spaces[1], RUNS)]
    valid = first.valid(len(RUNS), RUNS) & second.valid(len(RUNS), RUNS)
    kept = RUNS[valid]
    plain = BandedRidgeCV(n_iter=5, alphas=model.alphas_, form=form, cv=[(kept > 1, kept <= 1)])
    plain.fit([x[valid] for x in laid_out], y[valid], kept)
    assert model.coef_.shape == (3 * 8 + 2 * 12, 6)
    assert_allclose(model.cv_scores_, plain.cv_scores_, atol=1e-8)
    assert_allclose(model.coef_, plain.coef_, atol=1e-8)
    assert_allclose(model.predict(spaces, RUNS), plain.predict(laid_out), atol=1e-8)


def test_rows_whose_delays_leave_the_run_do_not_count() -> None:
    spaces, y = problem()
    delayer = Delayer([2])
    spoiled = np.where(delayer.valid(len(RUNS), RUNS)[:, None], y, 1e6)
    clean, other = (BandedRidgeCV(n_iter=2, delays=delayer).fit(spaces, values, RUNS) for values in (y, spoiled))
    assert_allclose(other.coef_, clean.coef_)


def test_runs_of_responses_are_held_out_whole() -> None:
    spaces, y = problem(np.float32)
    samples = pd.DataFrame({"run": RUNS})
    objects = [Responses(x, samples, pd.DataFrame(index=range(x.shape[1]))) for x in (*spaces, y)]
    of_objects = BandedRidgeCV(n_iter=3).fit(objects[:2], objects[2])
    of_arrays = BandedRidgeCV(n_iter=3).fit(spaces, y, RUNS)
    assert [sorted(set(RUNS[f.test])) for f in of_objects.folds_] == [[0], [1], [2], [3]]
    assert_allclose(of_objects.coef_, of_arrays.coef_)
    assert_allclose(of_objects.score(objects[:2], objects[2]), of_arrays.score(spaces, y))


# --- shapes, gaps, product measure ---------------------------------------------------------------------------------


def test_one_array_is_cut_into_bands() -> None:
    spaces, y = problem()
    cut, listed = BandedRidgeCV([8, 12], n_iter=3), BandedRidgeCV(n_iter=3)
    assert_allclose(cut.fit(np.hstack(spaces), y, RUNS).coef_, listed.fit(spaces, y, RUNS).coef_)
    assert_allclose(cut.predict(np.hstack(spaces)), listed.predict(spaces))


def test_a_single_target_has_no_axis() -> None:
    spaces, y = problem()
    one, many = BandedRidgeCV(n_iter=3).fit(spaces, y[:, 0], RUNS), BandedRidgeCV(n_iter=3).fit(spaces, y[:, :1], RUNS)
    assert one.coef_.shape == (20,)
    assert one.gamma_.shape == (2,)
    assert np.ndim(one.alpha_) == np.ndim(one.cv_scores_) == 0
    assert_allclose(one.predict(spaces), many.predict(spaces)[:, 0])
    assert np.ndim(one.score(spaces, y[:, 0])) == 0
    assert_allclose(one.score_bands(spaces, y[:, 0]), many.score_bands(spaces, y[:, :1])[:, 0])


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_gaps_in_targets_are_fitted_without_those_samples(form: str) -> None:
    spaces, y = problem()
    gaps = y.copy()
    gaps[:10, 2:4] = np.nan
    gaps[70:75, 5] = np.nan
    alphas = np.logspace(0, 3, 4)
    model = BandedRidgeCV(n_iter=3, alphas=alphas, form=form).fit(spaces, gaps, RUNS)
    rows = np.arange(10, len(RUNS))
    alone = BandedRidgeCV(n_iter=3, alphas=alphas, form=form).fit([x[rows] for x in spaces], y[rows, 2:4], RUNS[rows])
    whole = BandedRidgeCV(n_iter=3, alphas=alphas, form=form).fit(spaces, y[:, :2], RUNS)
    assert_allclose(model.coef_[:, 2:4], alone.coef_, atol=1e-9)
    assert_allclose(model.intercept_[2:4], alone.intercept_)
    assert_allclose(model.cv_scores_[2:4], alone.cv_scores_, atol=1e-9)
    assert_allclose(model.coef_[:, :2], whole.coef_, atol=1e-9)
    assert_allclose(model.score(spaces, gaps)[2:4], alone.score([x[rows] for x in spaces], y[rows, 2:4]), atol=1e-9)


def test_a_target_that_never_varies_is_predicted_as_it_is() -> None:
    spaces, y = problem()
    y[:, 1] = 7.0
    model = BandedRidgeCV(n_iter=3).fit(spaces, y, RUNS)
    assert np.isnan(model.cv_scores_).tolist() == [False, True, False, False, False, False]
    assert_allclose(model.predict(spaces)[:, 1], 7.0)
    assert np.isnan(model.score(spaces, y)[1])


def test_shares_of_bands_add_up_to_the_score() -> None:
    spaces, y = problem(np.float32, (10, 15, 20))
    train, test = RUNS < 3, RUNS == 3
    model = BandedRidgeCV(n_iter=10).fit([x[train] for x in spaces], y[train], RUNS[train])
    held = [x[test] for x in spaces]
    shares = model.score_bands(held, y[test])
    predicted = model.predict(held).astype(float)
    joint = 1 - ((y[test] - predicted) ** 2).sum(axis=0) / ((y[test] - y[test].mean(axis=0)) ** 2).sum(axis=0)
    assert shares.shape == (3, 6)
    assert_allclose(shares.sum(axis=0), joint, atol=1e-6)
    assert_allclose(model.score(held, y[test]), joint, atol=1e-6)
    assert (shares[0] > 0.8 * joint).all(), "the band that drives the targets has it"


def test_the_product_measure_by_hand() -> None:
    y = np.array([[1.0], [2.0], [6.0]])
    parts = np.array([[[1.0], [2.0], [3.0]], [[0.0], [1.0], [2.0]]])
    centred, sums = y - 3, np.array([[-2.0], [0.0], [2.0]])
    expected = [np.sum(c * (2 * centred - sums)) / 14 - 3 * (4 - 3) ** 2 / 14 / 2 for c in (sums / 2, sums / 2)]
    assert_allclose(product_measure(y, parts, offset=1.0)[:, 0], expected)
    assert np.isnan(product_measure(np.ones((3, 1)), parts)).all()
    with pytest.raises(DataError, match="n_bands, n_samples, n_targets"):
        product_measure(y, parts[0])


# --- files and errors ----------------------------------------------------------------------------------------------


def test_saved_and_loaded(tmp_path: Path) -> None:
    spaces, y = problem(np.float32)
    delays = [Delayer([2.0, 4.0], sfreq=0.5), None]
    model = BandedRidgeCV(n_iter=3, delays=delays, keep_surface=True, gammas=draw_candidates(2, 2)).fit(spaces, y, RUNS)
    loaded = BandedRidgeCV.load(model.save(tmp_path / "banded"))
    assert_array_equal(loaded.predict(spaces, RUNS), model.predict(spaces, RUNS))
    assert_array_equal(loaded.surface_, model.surface_)
    assert_array_equal(loaded.gamma_, model.gamma_)
    assert [d and d.steps_.tolist() for d in loaded.delays] == [[1, 2], None]
    with pytest.raises(FormatError, match="expected a neurodecode RidgeCV"):
        RidgeCV.load(tmp_path / "banded")
    (tmp_path / "banded" / "weights.npz").write_bytes(b"cut")
    with pytest.raises(CorruptFileError, match="differs"):
        BandedRidgeCV.load(tmp_path / "banded")


def test_weights_of_samples_are_not_saved(tmp_path: Path) -> None:
    spaces, y = problem()
    with pytest.raises(DataError, match="is 'dual'"):
        BandedRidgeCV(n_iter=0, store="dual").fit(spaces, y, RUNS).save(tmp_path / "x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "both"}, "form='both' is unknown"),
        ({"search": "fine"}, "search='fine' is unknown"),
        ({"store": "all"}, "store='all' is unknown"),
        ({"store": "dual", "form": "primal"}, "use form='dual'"),
    ],
)
def test_unknown_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        BandedRidgeCV(**options)


def _with_nan(x: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(x))[:, None] == 3, np.nan, x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, x, y: m.fit([], y), "at least one feature space"),
        (lambda m, x, y: m.fit([x[0], x[1][:-1]], y), r"one number of samples, got \[120, 119\]"),
        (lambda m, x, y: m.fit(x, y[:-1]), "120 samples and Y 119"),
        (lambda m, x, y: m.fit([x[0], _with_nan(x[1])], y), "features of band 1: 'row 3'"),
        (lambda m, x, y: m.fit([x[0][:, 0], x[1]], y), "band 0 must be real numbers"),
        (lambda m, x, y: m.fit(x, y[:, :, None]), r"Y must be real numbers"),
        (lambda m, x, y: m.fit(x, np.full_like(y, np.nan)), "no value at all"),
        (lambda m, x, y: m.fit([0 * x[0], 0 * x[1]], y), "nothing to fit"),
        (lambda m, x, y: m.predict(x), "not fitted"),
        (lambda m, x, y: m.fit(x, y).predict(x[::-1]), r"\[12, 8\] columns, fitted were \[8, 12\]"),
        (lambda m, x, y: m.fit(x, y).score(x, y[:, 1:]), r"6 targets, got shape \(120, 5\)"),
        (lambda m, x, y: BandedRidgeCV([8, 11]).fit(np.hstack(x), y), "add up to those of X"),
        (lambda m, x, y: BandedRidgeCV([8, 12, 1]).fit(x, y), "3 sizes for 2"),
        (lambda m, x, y: BandedRidgeCV(delays=[Delayer([1])]).fit(x, y), "got 1 for 2 bands"),
        (lambda m, x, y: BandedRidgeCV(delays=4).fit(x, y), "must be a Delayer"),
        (lambda m, x, y: BandedRidgeCV(alphas=[-1.0]).fit(x, y), "above 0"),
    ],
)
def test_what_does_not_fit_is_refused(change: Any, message: str) -> None:
    spaces, y = problem()
    with pytest.raises(DataError, match=message):
        change(BandedRidgeCV(n_iter=0), spaces, y)
