"""Targets with missing samples: each as if it were fitted alone on the samples it has."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from ridge_data import ALPHAS, brute_surface, brute_weights, problem, relative

from neurodecode.errors import DataError
from neurodecode.linear import RidgeCV
from neurodecode.linear.missing import folds_within, missing_patterns


def with_gaps(n: int, p: int) -> tuple[np.ndarray, np.ndarray]:
    """Two subjects who saw different halves, one target with scattered gaps, and three that are complete."""
    x, y = problem(n, p, 9)
    y[::2, :3], y[1::2, 3:5], y[[4, 17, 18], 5] = np.nan, np.nan, np.nan
    return x, y


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("form", ["primal", "dual"])
@pytest.mark.parametrize("p", [8, 90])
def test_each_target_as_if_alone(p: int, form: str, backend: str) -> None:
    x, y = with_gaps(140, p)
    model = RidgeCV(ALPHAS, form=form, backend=backend).fit(x, y)
    for t in range(y.shape[1]):
        rows = np.flatnonzero(~np.isnan(y[:, t]))
        folds = folds_within(model.folds_, rows, len(x))
        surface = brute_surface(x[rows], y[rows][:, [t]], folds, ALPHAS)
        assert_allclose(model.cv_scores_[:, [t]], surface, atol=1e-7 * np.abs(surface).max())
        coef, offset = brute_weights(x[rows], y[rows, t], model.alpha_[t])
        assert relative(model.coef_[:, t], coef) < 1e-8
        assert model.intercept_[t] == pytest.approx(offset, abs=1e-8)


def test_only_what_is_missing_matters() -> None:
    x, y = with_gaps(140, 8)
    whole = problem(140, 8, 9)[1]
    found, complete = RidgeCV(ALPHAS).fit(x, y), RidgeCV(ALPHAS).fit(x, whole)
    assert_allclose(found.coef_[:, 6:], complete.coef_[:, 6:], rtol=1e-9)
    assert not np.allclose(found.coef_[:, 0], complete.coef_[:, 0])


def test_one_target_with_a_gap_and_no_axis() -> None:
    x, y = problem(80, 6)
    y[5, 0] = np.nan
    model = RidgeCV([10.0]).fit(x, y[:, 0])
    rows = np.delete(np.arange(80), 5)
    assert relative(model.coef_, brute_weights(x[rows], y[rows, 0], 10.0)[0]) < 1e-10
    assert 0 < model.score(x, y[:, 0]) <= 1


def test_what_cannot_be_fitted_is_named() -> None:
    x, y = problem(80, 6)
    empty = y.copy()
    empty[:, [2, 4]] = np.nan
    with pytest.raises(DataError, match="2 targets have no value at all, the first is target 2"):
        RidgeCV().fit(x, empty)
    few = y.copy()
    few[3:, 1] = np.nan
    with pytest.raises(DataError, match="3 of 80 samples are left"):
        RidgeCV().fit(x, few)
    infinite = y.copy()
    infinite[9, 3] = np.inf
    with pytest.raises(DataError, match="sample 9 of target 3"):
        RidgeCV().fit(x, infinite)


def test_patterns_group_targets() -> None:
    _, y = with_gaps(20, 3)
    found = list(missing_patterns(y, np.arange(6)))
    assert [members.tolist() for _, members in found] == [[0, 1, 2], [3, 4], [5]]
    assert_array_equal(found[0][0], np.arange(1, 20, 2))
    assert_array_equal(found[2][0], np.setdiff1d(np.arange(20), [4, 17, 18]))
    assert not list(missing_patterns(y, np.arange(0)))
