"""Ceilings, shuffled conditions, and variances under resampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rsa_data import group_rdms, pairs, random_rdms
from scipy.stats import rankdata, spearmanr

from neurodecode.compare import compare_rdms, rdm_ceiling, rdm_permutation_test
from neurodecode.compare.rdm_embedding import MEASURES
from neurodecode.compare.rdm_inference import bootstrap_variances
from neurodecode.errors import DataError

ALL = ~np.eye(10, dtype=bool)


def variances(models: np.ndarray, data: np.ndarray, **options: Any) -> Any:
    n = data.shape[1]
    given = {"over": "both", "n": 300, "rng": np.random.default_rng(0)} | options
    return bootstrap_variances(models, data, given.pop("measure", "pearson"), ~np.eye(n, dtype=bool), **given)


def test_mean_ceiling_from_its_definition(rng: np.random.Generator) -> None:
    data = random_rdms(rng, 4, 10)
    x = pairs(data)
    lower = [spearmanr(x[i], np.delete(x, i, axis=0).mean(axis=0)).statistic for i in range(4)]
    upper = [spearmanr(row, x.mean(axis=0)).statistic for row in x]
    found = rdm_ceiling(data, pool="mean")
    np.testing.assert_allclose(found.lower_subjects, lower)
    np.testing.assert_allclose(found.upper_subjects, upper)
    assert (found.lower, found.upper) == pytest.approx((np.mean(lower), np.mean(upper)))


def test_ranks_are_pooled_for_spearman(rng: np.random.Generator) -> None:
    data = np.exp(3 * random_rdms(rng, 4, 10))
    data *= ALL
    x = np.array([rankdata(row) for row in pairs(data)])
    upper = [spearmanr(row, x.mean(axis=0)).statistic for row in x]
    np.testing.assert_allclose(rdm_ceiling(data).upper_subjects, upper)


@pytest.mark.parametrize("method", MEASURES)
def test_lower_lies_below_upper_and_nothing_above(rng: np.random.Generator, method: str) -> None:
    truth, data = group_rdms(rng, 5, 10, 1.0)
    data *= np.array([1, 10, 0.1, 1, 1])[:, None, None]  # subjects on scales of their own
    found = rdm_ceiling(data, method)
    assert found.lower < found.upper <= 1
    others = np.concatenate([truth[None], data, random_rdms(rng, 50, 10), data.mean(axis=0)[None]])
    best = np.max(np.mean(compare_rdms(others, data, method), axis=1))
    assert best <= found.upper + (0.02 if method in ("tau_a", "rho_a", "spearman") else 1e-12)


@pytest.mark.parametrize("method", ["pearson", "cosine", "whitened_cosine", "whitened_correlation"])
def test_normalised_pool_is_the_best_rdm(rng: np.random.Generator, method: str) -> None:
    data = group_rdms(rng, 4, 10, 2.0)[1] * np.array([1, 30, 1, 1])[:, None, None]
    assert rdm_ceiling(data, method).upper > rdm_ceiling(data, method, pool="mean").upper


def test_ceiling_with_missing_pairs(rng: np.random.Generator) -> None:
    data = random_rdms(rng, 3, 10)
    data[1, 2, 5] = data[1, 5, 2] = np.nan
    with pytest.raises(DataError, match="1 pairs of conditions are missing"):
        rdm_ceiling(data)
    x = np.delete(pairs(data), np.flatnonzero(np.isnan(pairs(data)[1])), axis=1)
    upper = [np.corrcoef(row, x.mean(axis=0))[0, 1] for row in x]
    np.testing.assert_allclose(rdm_ceiling(data, "pearson", pool="mean", missing="drop").upper_subjects, upper)


@pytest.mark.parametrize("method", ["spearman", "whitened_cosine", "tau_a"])
def test_shuffled_conditions_find_what_is_there(rng: np.random.Generator, method: str) -> None:
    truth, data = group_rdms(rng, 3, 10, 0.7)
    found = rdm_permutation_test(np.stack([truth, *random_rdms(rng, 1, 10)]), data, method, n=99)
    assert found.shape == (2,)
    assert found[0] == 0.01
    assert found[1] > 0.05


@pytest.mark.parametrize("method", MEASURES)
def test_shuffles_are_seeded_shared_and_counted(rng: np.random.Generator, method: str) -> None:
    """From the definition: rows and columns of the data move together, p = (1 + b) / (1 + n)."""
    model, data = random_rdms(rng, 1, 6)[0], random_rdms(rng, 2, 6)
    orders = np.random.default_rng(3)
    null = []
    for _ in range(20):
        order = orders.permutation(6)
        null.append(np.mean(compare_rdms(model, data[:, order][:, :, order], method)))
    expected = (1 + np.sum(np.array(null) >= np.mean(compare_rdms(model, data, method)) - 1e-10)) / 21
    assert rdm_permutation_test(model, data, method, n=20, random_state=3) == pytest.approx(expected)
    twice = rdm_permutation_test(np.stack([model, model]), data, method, n=20, random_state=3)
    np.testing.assert_allclose(twice, expected)


def test_shuffles_with_missing_pairs(rng: np.random.Generator) -> None:
    truth, data = group_rdms(rng, 3, 12, 0.5)
    data[0, 1, 7] = data[0, 7, 1] = np.nan
    with pytest.raises(DataError, match="1 pairs of conditions are missing"):
        rdm_permutation_test(truth, data)
    assert rdm_permutation_test(truth, data, n=50, missing="drop") == pytest.approx(1 / 51)


def test_a_flat_model_has_no_p_value(rng: np.random.Generator) -> None:
    found = rdm_permutation_test(np.stack([ALL * 1.0, *random_rdms(rng, 1, 10)]), random_rdms(rng, 2, 10), n=10)
    np.testing.assert_array_equal(np.isnan(found), [True, False])


def test_variance_over_subjects_is_that_of_a_mean(rng: np.random.Generator) -> None:
    truth, data = group_rdms(rng, 8, 10, 1.5)
    scores = np.asarray(compare_rdms(data, truth, "pearson"))
    found = variances(truth[None], data, over="subjects", n=4000)
    assert found.models[0] == pytest.approx(scores.var(ddof=1) / 8, rel=0.1)
    assert found.dof == 7
    assert found.n_used == 4000


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("over", "dof"), [("both", 4), ("stimuli", 9), ("subjects", 4)])
def test_variances_have_the_shape_of_the_models(rng: np.random.Generator, measure: str, over: str, dof: int) -> None:
    truth, data = group_rdms(rng, 5, 10, 1.0)
    found = variances(np.stack([truth, *random_rdms(rng, 1, 10), truth]), data, over=over, n=12, measure=measure)
    assert found.dof == dof
    assert found.models.shape == (3,)
    assert found.differences.shape == (3, 3)
    assert (found.models > 0).all()
    np.testing.assert_allclose(found.differences, found.differences.T)
    np.testing.assert_allclose(np.diag(found.differences), 0, atol=1e-16)
    assert found.differences[0, 2] == pytest.approx(0, abs=1e-16)  # the same model twice
    assert found.differences[0, 1] > 0


def test_a_stimulus_drawn_twice_makes_no_pair_of_itself(rng: np.random.Generator) -> None:
    """Were its zero distance kept, model and data would share it, and scores would be far above that of all stimuli."""
    from neurodecode.compare.rdm_inference import _stimulus_draws

    model, data = random_rdms(rng, 1, 10) + ALL, random_rdms(rng, 1, 10) + ALL
    drawn = _stimulus_draws(model, data, "pearson", ALL, 300, np.random.default_rng(0))
    whole = compare_rdms(model[0], data[0], "pearson")
    order = np.random.default_rng(0).integers(10, size=10)
    zeros = np.corrcoef(*[side[0][np.ix_(order, order)][np.triu_indices(10, 1)] for side in (model, data)])[0, 1]
    assert abs(np.mean(drawn) - whole) < 0.1
    assert zeros > whole + 0.3


def test_variance_over_both_is_more_than_over_each(rng: np.random.Generator) -> None:
    truth, data = group_rdms(rng, 6, 10, 1.5)
    found = {over: variances(truth[None], data, over=over).models[0] for over in ("both", "stimuli", "subjects")}
    assert found["both"] >= max(found["stimuli"], found["subjects"])
    assert found["both"] <= found["stimuli"] + found["subjects"]


def test_draws_without_a_score_are_left_out(rng: np.random.Generator) -> None:
    """A model in which one condition differs from all others is flat whenever that one is not drawn: (1 - 1/10)^10 = .35."""
    alone = np.zeros((1, 10, 10))
    alone[0, 0, 1:] = alone[0, 1:, 0] = 1
    data = random_rdms(rng, 3, 10)
    found = variances(alone, data, over="stimuli")
    assert 0.5 < found.n_used / 300 < 0.8
    assert np.isfinite(found.models).all()
    pair = np.zeros((1, 10, 10))
    pair[0, 0, 1] = pair[0, 1, 0] = 1  # flat unless both are drawn: .6
    with pytest.raises(DataError, match="some model does not vary in .* of 300 draws of 10 conditions"):
        variances(pair, data, over="stimuli")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: rdm_ceiling(x[:1]), "at least two subjects, got 1"),
        (lambda x: rdm_ceiling(x, "tau"), "did you mean 'tau_a'"),
        (lambda x: rdm_ceiling(x, pool="median"), "pool='median' is unknown"),
        (lambda x: rdm_permutation_test(x[0], x, n=0), "at least 1 shuffle, got 0"),
        (lambda x: rdm_permutation_test(x[0], x[:, :5, :5]), r"got \[5, 10\] conditions"),
        (lambda x: rdm_permutation_test(x[0], x, missing="no"), "missing='no' is unknown"),
    ],
)
def test_what_does_not_fit_is_refused(rng: np.random.Generator, call: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call(random_rdms(rng, 3, 10))
