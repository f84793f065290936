"""Scores of values against scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as peer

from neurodecode.errors import DataError
from neurodecode.metrics import pearson_r, r2_score


def test_equal_to_peers(rng: np.random.Generator) -> None:
    true = rng.standard_normal((50, 3))
    predicted = 0.5 * true + rng.standard_normal((50, 3)) + 2
    expected = [stats.pearsonr(t, p).statistic for t, p in zip(true.T, predicted.T, strict=True)]
    np.testing.assert_allclose(pearson_r(true, predicted), expected)
    np.testing.assert_allclose(r2_score(true, predicted), peer.r2_score(true, predicted, multioutput="raw_values"))
    assert isinstance(pearson_r(true[:, 0], predicted[:, 0]), float)


def test_scale_matters_for_r2_alone(rng: np.random.Generator) -> None:
    true = rng.standard_normal(30)
    assert pearson_r(true, 5 * true + 3) == pytest.approx(1.0)
    assert r2_score(true, 5 * true + 3) < 0
    assert r2_score(true, true) == 1.0
    assert r2_score(true, np.full(30, true.mean())) == pytest.approx(0.0)
    assert pearson_r(true, -true) == pytest.approx(-1.0)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e6])
def test_constant_values_are_undefined(rng: np.random.Generator, level: float) -> None:
    varied = rng.standard_normal(20)
    constant = np.full(20, level)
    assert np.isnan(pearson_r(varied, constant))
    assert np.isnan(pearson_r(constant, varied))
    assert np.isnan(r2_score(constant, varied))


def test_small_values_are_not_taken_for_constant(rng: np.random.Generator) -> None:
    true = 1e-9 * rng.standard_normal(20)  # teslas, say
    assert pearson_r(true, 1e-6 * true) == pytest.approx(1.0)


def test_one_target_against_many_predictions(rng: np.random.Generator) -> None:
    true, predicted = rng.standard_normal(20), rng.standard_normal((20, 4, 2))
    found = pearson_r(true, predicted)
    assert found.shape == (4, 2)
    assert found[3, 1] == pytest.approx(stats.pearsonr(true, predicted[:, 3, 1]).statistic)
    assert r2_score(true, predicted)[1, 0] == pytest.approx(peer.r2_score(true, predicted[:, 1, 0]))


@pytest.mark.parametrize("function", [pearson_r, r2_score])
@pytest.mark.parametrize("pair", [([1.0], [1.0]), ([1.0, 2.0], [1.0, 2.0, 3.0])])
def test_lengths_must_fit(function: object, pair: tuple[list[float], list[float]]) -> None:
    with pytest.raises(DataError, match="at least 2"):
        function(*pair)  # type: ignore[operator]


def test_every_docstring_states_chance_and_best() -> None:
    for function in (pearson_r, r2_score):
        text = (function.__doc__ or "").lower()
        assert "chance" in text
        assert "best" in text
