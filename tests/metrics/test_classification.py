"""Scores of classes against counting by hand and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as peer

from neurodecode.errors import DataError
from neurodecode.metrics import METRICS, accuracy, balanced_accuracy, chance_level, confusion_matrix, roc_auc


def auc_by_pairs(positive: np.ndarray, scores: np.ndarray) -> float:
    """Share of pairs in the right order, ties one half: the definition."""
    difference = scores[positive][:, None] - scores[~positive][None]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


@pytest.mark.parametrize("n_levels", [2, 3, 10, 10**6])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_roc_auc_with_ties(rng: np.random.Generator, n_levels: int, share: float) -> None:
    positive = np.arange(60) < 60 * share
    scores = rng.integers(0, n_levels, 60) + positive
    assert roc_auc(positive, scores) == pytest.approx(auc_by_pairs(positive, scores), abs=1e-12)
    assert roc_auc(positive, scores) == pytest.approx(peer.roc_auc_score(positive, scores), abs=1e-12)


def test_roc_auc_of_many_columns_equals_one_by_one(rng: np.random.Generator) -> None:
    positive = rng.random(40) < 0.4
    scores = rng.integers(0, 5, (40, 3, 2))
    found = roc_auc(positive, scores)
    assert found.shape == (3, 2)
    for index in np.ndindex(3, 2):
        assert found[index] == pytest.approx(auc_by_pairs(positive, scores[(slice(None), *index)]), abs=1e-12)


def test_roc_auc_bounds_and_symmetry(rng: np.random.Generator) -> None:
    positive = np.repeat([False, True], 10)
    assert roc_auc(positive, positive) == 1.0
    assert roc_auc(positive, ~positive) == 0.0
    assert roc_auc(positive, np.zeros(20)) == 0.5
    scores = rng.standard_normal(20)
    assert roc_auc(positive, scores) == pytest.approx(1 - roc_auc(~positive, scores))
    assert roc_auc(positive, np.exp(3 * scores)) == pytest.approx(roc_auc(positive, scores))


def test_roc_auc_takes_minus_infinity_as_lowest() -> None:
    assert roc_auc([False, False, True], [-np.inf, 0.0, 1.0]) == 1.0


@pytest.mark.parametrize("positive", [[True, True], [False, False]])
def test_roc_auc_of_one_class_is_nan(positive: list[bool]) -> None:
    assert np.isnan(roc_auc(positive, [0.0, 1.0]))
    assert np.isnan(roc_auc(positive, np.zeros((2, 3)))).all()


def test_roc_auc_refuses_nan_and_wrong_shapes() -> None:
    with pytest.raises(DataError, match="1 NaN of 2"):
        roc_auc([True, False], [0.0, np.nan])
    with pytest.raises(DataError, match=r"\(3,\)"):
        roc_auc([True, False], [0.0, 1.0, 2.0])


@pytest.mark.parametrize("labels", [np.array([0, 1, 2]), np.array(["a", "b", "c"])])
def test_accuracies_equal_their_peers(rng: np.random.Generator, labels: np.ndarray) -> None:
    true = labels[rng.choice(3, 90, p=[0.6, 0.3, 0.1])]
    predicted = np.where(rng.random(90) < 0.5, true, labels[rng.integers(0, 3, 90)])
    assert accuracy(true, predicted) == pytest.approx(peer.accuracy_score(true, predicted))
    assert balanced_accuracy(true, predicted) == pytest.approx(peer.balanced_accuracy_score(true, predicted))
    table = confusion_matrix(true, predicted, labels.tolist())
    np.testing.assert_array_equal(table, peer.confusion_matrix(true, predicted, labels=labels))


def test_balanced_accuracy_ignores_class_sizes() -> None:
    true = np.repeat([0, 1], [90, 10])
    assert accuracy(true, np.zeros(100)) == 0.9
    assert balanced_accuracy(true, np.zeros(100)) == 0.5


def test_balanced_accuracy_of_many_columns() -> None:
    true = np.array([0, 0, 1, 1])
    predicted = np.array([[0, 1], [0, 0], [1, 0], [0, 0]])
    np.testing.assert_allclose(balanced_accuracy(true, predicted), [0.75, 0.25])


def test_confusion_matrix_names_an_unknown_class() -> None:
    with pytest.raises(DataError, match="'c' is not among"):
        confusion_matrix(["a", "b"], ["a", "c"], ["a", "b"])


@pytest.mark.parametrize("function", [accuracy, balanced_accuracy])
@pytest.mark.parametrize("pair", [([], []), ([1, 2], [1])])
def test_lengths_must_fit(function: object, pair: tuple[list[int], list[int]]) -> None:
    with pytest.raises(DataError, match="shapes"):
        function(*pair)  # type: ignore[operator]


@pytest.mark.parametrize(("name", "classes", "chance"), [("accuracy", 8, 0.125), ("balanced_accuracy", 3, 1 / 3)])
def test_chance_depends_on_classes(name: str, classes: int, chance: float) -> None:
    assert chance_level(name, classes) == chance
    with pytest.raises(DataError, match="n_classes"):
        chance_level(name)


@pytest.mark.parametrize(("name", "chance"), [("roc_auc", 0.5), ("r", 0.0), ("r2", 0.0)])
def test_chance_is_fixed(name: str, chance: float) -> None:
    assert chance_level(name) == chance
    assert METRICS[name].best == 1.0


def test_unknown_metric_suggests_a_known_one() -> None:
    with pytest.raises(DataError, match="roc_auc"):
        chance_level("roc_aux")


def test_every_docstring_states_chance_and_best() -> None:
    for function in (accuracy, balanced_accuracy, roc_auc, confusion_matrix):
        text = (function.__doc__ or "").lower()
        assert "chance" in text
        assert "best" in text
