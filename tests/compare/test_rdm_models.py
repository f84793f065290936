"""The table of models: scores, intervals, p values, ceilings, notes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rsa_data import group_rdms, random_rdms
from scipy.stats import t

from neurodecode.compare import RdmComparison, compare_models, compare_rdms, rdm_ceiling, rdm_permutation_test
from neurodecode.errors import DataError


def problem(rng: np.random.Generator, n_subjects: int = 6) -> tuple[dict[str, np.ndarray], np.ndarray]:
    truth, data = group_rdms(rng, n_subjects, 12, 0.8)
    near = truth + 3 * random_rdms(rng, 1, 12)[0]
    return {"truth": truth, "near": near, "nothing": random_rdms(rng, 1, 12)[0]}, data


def test_scores_and_ceilings_are_those_of_the_functions(rng: np.random.Generator) -> None:
    models, data = problem(rng)
    found = compare_models(models, data, "rho_a", n_bootstrap=50)
    expected = compare_rdms(data, np.stack(list(models.values())), "rho_a")
    np.testing.assert_array_equal(found.subject_scores, expected)
    np.testing.assert_allclose(found.score, np.mean(expected, axis=0))
    assert (found.ceiling_low, found.ceiling_high) == pytest.approx(rdm_ceiling(data, "rho_a")[:2])
    assert found.models == ["truth", "near", "nothing"]
    assert (found.n_subjects, found.n_conditions, found.n_pairs, found.chance, found.best) == (6, 12, 66, 0, 1)


def test_interval_and_p_value_are_one_t_test(rng: np.random.Generator) -> None:
    models, data = problem(rng)
    found = compare_models(models, data, n_bootstrap=200, level=0.9)
    np.testing.assert_allclose(found.ci.mean(axis=1), found.score)
    error = (found.ci[:, 1] - found.score) / t.ppf(0.95, 5)
    np.testing.assert_allclose(found.p, t.sf(found.score / error, 5))
    assert (found.q >= found.p).all()
    assert found.p[0] < 0.001 < 0.05 < found.p[2]


def test_models_are_told_apart(rng: np.random.Generator) -> None:
    models, data = problem(rng)
    found = compare_models(models | {"again": models["truth"]}, data, n_bootstrap=200)
    assert found.pair_p[0, 2] < 0.05
    assert found.pair_p[0, 3] == 1
    assert np.isnan(np.diag(found.pair_p)).all()
    np.testing.assert_array_equal(found.pair_p, found.pair_p.T)
    np.testing.assert_array_equal(found.pair_q, found.pair_q.T)
    upper = np.triu_indices(4, 1)
    assert (found.pair_q[upper] >= found.pair_p[upper]).all()


def test_permutation_p_values(rng: np.random.Generator) -> None:
    models, data = problem(rng)
    found = compare_models(models, data, test="permutation", n_permutations=99, n_bootstrap=20, random_state=4)
    np.testing.assert_allclose(found.p[0], 0.01)
    assert found.test == "99 shuffles of the conditions, one-sided"
    again = rdm_permutation_test(np.stack(list(models.values())), data, n=99, random_state=np.random.default_rng([4, 1]))
    np.testing.assert_array_equal(found.p, again)


def test_same_seed_same_result(rng: np.random.Generator) -> None:
    models, data = problem(rng)
    found = [compare_models(models, data, n_bootstrap=30, random_state=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(found[0].ci, found[1].ci)
    assert (found[0].ci != found[2].ci).all()
    assert found[0].seeds == {"random_state": 1}


@pytest.mark.parametrize(
    ("over", "dof", "words"),
    [
        ("both", 5, "new stimuli and new subjects"),
        ("stimuli", 11, "new stimuli, these subjects"),
        ("subjects", 5, "new subjects"),
    ],
)
def test_what_is_resampled_decides_what_it_generalises_to(rng: np.random.Generator, over: Any, dof: int, words: str) -> None:
    models, data = problem(rng)
    found = compare_models(models, data, over=over, n_bootstrap=60)
    error = (found.ci[:, 1] - found.score) / t.ppf(0.975, dof)
    np.testing.assert_allclose(found.p, t.sf(found.score / error, dof))
    assert words in found.generalises_to
    assert over.split()[0] in found.test or over == "both"


def test_one_rdm_has_no_ceiling(rng: np.random.Generator) -> None:
    models, data = problem(rng, n_subjects=1)
    found = compare_models(models, data[0], n_bootstrap=50)
    assert np.isnan([found.ceiling_low, found.ceiling_high]).all()
    assert found.generalises_to == "new stimuli, these subjects"
    assert found.notes == ["one RDM: no ceiling, and nothing generalises to other subjects"]
    assert "no ceiling" in repr(found)
    with pytest.raises(DataError, match="over='both' draws subjects again, and there is 1: pass over='stimuli'"):
        compare_models(models, data[0], over="both")


def test_missing_pairs_are_left_out_of_scores_and_ceilings(rng: np.random.Generator) -> None:
    models, data = problem(rng)
    models["near"][2, 3] = models["near"][3, 2] = np.nan
    with pytest.raises(DataError, match="1 pairs of conditions are missing"):
        compare_models(models, data, n_bootstrap=5)
    found = compare_models(models, data, n_bootstrap=20, missing="drop")
    assert found.n_pairs == 65
    assert found.notes[0] == "1 pairs of conditions are missing in some RDM and were left out of all"
    data[:, 2, 3] = data[:, 3, 2] = np.nan
    assert found.ceiling_high == pytest.approx(rdm_ceiling(data, missing="drop").upper)


def test_notes_say_what_to_know(rng: np.random.Generator) -> None:
    models, data = problem(rng, n_subjects=3)
    category = np.repeat([0, 1], 6)
    models["category"] = (category[:, None] != category) * 1.0
    found = compare_models(models, data, n_bootstrap=20)
    assert "3 subjects: the variance over subjects is itself badly known" in found.notes
    assert "1 models predict many ties, which Spearman favours: compare by 'rho_a' or 'tau_a'" in found.notes
    assert not [note for note in compare_models(models, data, "tau_a", n_bootstrap=20).notes if "ties" in note]
    alone = np.zeros((12, 12))
    alone[0, 1:] = alone[1:, 0] = 1
    assert [n for n in compare_models({"alone": alone}, data, "pearson", n_bootstrap=40).notes if "of 40 draws are left out" in n]


def test_tables(rng: np.random.Generator) -> None:
    models, data = problem(rng)
    found = compare_models(models, data, n_bootstrap=30)
    table = found.to_dataframe()
    assert table["model"].tolist() == ["truth", "near", "nothing"]
    np.testing.assert_array_equal(table[["score", "p", "q"]].to_numpy(), np.stack([found.score, found.p, found.q], axis=1))
    np.testing.assert_array_equal(table[["ci_low", "ci_high"]].to_numpy(), found.ci)
    assert set(table["chance"]) == {0.0}
    assert set(table["ceiling_high"]) == {found.ceiling_high}
    pairs = found.pairs_to_dataframe()
    assert list(zip(pairs["model"], pairs["other"], strict=True)) == [
        ("truth", "near"),
        ("truth", "nothing"),
        ("near", "nothing"),
    ]
    np.testing.assert_allclose(pairs["difference"], found.score[[0, 0, 1]] - found.score[[1, 2, 2]])
    assert "truth 0." in repr(found)
    assert "chance 0, ceiling 0." in repr(found)


def test_a_result_must_hold_one_value_per_model(rng: np.random.Generator) -> None:
    models, data = problem(rng)
    found = compare_models(models, data, n_bootstrap=10)
    with pytest.raises(DataError, match=r"p must have one value per model, shape \(3,\), got \(2,\)"):
        RdmComparison(**(vars(found) | {"p": found.p[:2]}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "spear"}, "did you mean 'spearman'"),
        ({"over": "stimulus"}, "did you mean 'stimuli'"),
        ({"test": "t"}, "test='t' is unknown"),
        ({"missing": "no"}, "missing='no' is unknown"),
        ({"level": 95}, "level must lie between 0 and 1 .* got 95"),
        ({"n_bootstrap": 1}, "n_bootstrap be at least 2, got 0.95 and 1"),
        ({"models": {}}, "models must be RDMs by name, got dict of length 0"),
        ({"models": [np.zeros((12, 12))]}, "models must be RDMs by name, got list"),
        ({"models": {"a": np.zeros((2, 12, 12))}}, "models must be one RDM each"),
        ({"models": {"a": np.zeros((12, 12)), "b": np.zeros((5, 5))}}, "of the same conditions, got shapes"),
        ({"models": {"a": np.triu(np.ones((12, 12)))}}, "model 'a' must be symmetric"),
        ({"correction": "holm", "n_bootstrap": 5}, "method='holm' is unknown"),
    ],
)
def test_what_does_not_fit_is_refused(rng: np.random.Generator, change: dict[str, Any], message: str) -> None:
    models, data = problem(rng)
    with pytest.raises(DataError, match=message):
        compare_models(**({"models": models, "data": data} | change))
