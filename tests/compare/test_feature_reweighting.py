"""Weights of RDMs: found again, and scored on stimuli and subjects that they have not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rsa_data import euclidean_rdms, pairs, random_rdms, responses

import neurodecode.compare.feature_reweighting as module
from neurodecode.compare import feature_rdms, reweighted_rsa
from neurodecode.compare.feature_reweighting import non_negative_weights
from neurodecode.errors import DataError

SHARES = np.array([0.7, 0.3, 0, 0, 0])


def planted(rng: np.random.Generator, noise: float = 0.3, n_subjects: int = 3, n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Five RDMs of unit length, and subjects that show a weighted sum of the first two."""
    components = euclidean_rdms(rng.standard_normal((5, n, 3)))
    components /= np.linalg.norm(components, axis=(1, 2))[:, None, None]
    truth = np.tensordot(SHARES, components, 1)
    error = random_rdms(rng, n_subjects, n) - 0.5 * (1 - np.eye(n))
    return components, truth + noise * truth.std() * np.sqrt(12) * error


@pytest.mark.parametrize("method", ["pearson", "spearman", "cosine", "whitened_cosine", "whitened_correlation"])
def test_planted_weights_come_back(rng: np.random.Generator, method: str) -> None:
    components, data = planted(rng)
    found = reweighted_rsa(components, data, method, n_repeats=2)
    np.testing.assert_allclose(found.weights, SHARES, atol=0.1)
    assert found.score > found.baseline + 0.01
    assert (found.fold_weights >= 0).all()
    np.testing.assert_allclose(found.fold_weights.sum(axis=-1), 1)


def test_exact_weights_without_noise(rng: np.random.Generator) -> None:
    components, data = planted(rng, noise=0)
    for method in ("pearson", "cosine", "whitened_cosine"):
        np.testing.assert_allclose(non_negative_weights(components, data[0], method, ~np.eye(24, dtype=bool)), SHARES, atol=1e-9)


def test_weights_are_never_negative_and_equal_where_nothing_helps(rng: np.random.Generator) -> None:
    components, _ = planted(rng)
    against = -components.sum(axis=0)
    np.testing.assert_array_equal(non_negative_weights(components, against, "cosine", ~np.eye(24, dtype=bool)), np.full(5, 0.2))


def test_unrelated_data_score_at_chance(rng: np.random.Generator) -> None:
    """Five weights fitted on pure noise predict nothing of new stimuli."""
    scores = [
        reweighted_rsa(euclidean_rdms(rng.standard_normal((5, 15, 3))), random_rdms(rng, 2, 15), n_repeats=1).score
        for _ in range(40)
    ]
    assert abs(np.mean(scores)) < 4 * np.std(scores) / np.sqrt(40)


def test_neither_stimuli_nor_subjects_are_on_both_sides(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entry of the data says its subject, row and column: weights see none of what is scored."""
    components, _ = planted(rng)
    data = np.arange(3 * 24 * 24, dtype=float).reshape(3, 24, 24)
    data = np.triu(data, 1) + np.triu(data, 1).transpose(0, 2, 1)
    fitted: list[set[float]] = []
    scored: list[set[float]] = []

    def unit(rdms: np.ndarray) -> np.ndarray:
        if rdms.shape[1] < 24:
            fitted.append(set(rdms[rdms > 0].tolist()))
        return rdms

    def compare(models: np.ndarray, measured: np.ndarray, *_: Any) -> np.ndarray:
        scored.append(set(measured[measured > 0].tolist()))
        return np.zeros((2, len(measured)))

    monkeypatch.setattr(module, "_unit", unit)
    monkeypatch.setattr(module, "compare_stacks", compare)
    reweighted_rsa(components, data, n_repeats=2, n_stimulus_folds=4)
    assert len(fitted) == len(scored) == 2 * 3 * 4

    def cells(values: set[float]) -> tuple[set[int], set[int]]:
        numbers = np.array(sorted(values), int)
        stimuli = {*(numbers // 24 % 24).tolist(), *(numbers % 24).tolist()}
        return set((numbers // 576).tolist()), stimuli

    for train, test in zip(fitted, scored, strict=True):
        (subjects, stimuli), (new_subjects, new_stimuli) = cells(train), cells(test)
        assert not subjects & new_subjects
        assert not stimuli & new_stimuli
        assert (len(stimuli), len(new_stimuli)) == (18, 6)
    assert set().union(*scored) == set(data[data > 0].tolist()) & set().union(*scored)


def test_stimuli_of_one_group_stay_together(rng: np.random.Generator) -> None:
    groups = np.repeat(np.arange(8), 3)
    for fold in module._stimulus_folds(groups, 4, rng):
        assert len(fold) == 6
        assert len(np.unique(groups[fold])) == 2


def test_one_rdm_is_split_over_stimuli_only(rng: np.random.Generator) -> None:
    components, data = planted(rng, n_subjects=1)
    found = reweighted_rsa(components, data[0], n_repeats=2)
    assert found.fold_scores.shape == (2, 1, 3)
    assert found.notes == ["one RDM: weights were fitted and scored on the same subject"]
    assert "one subject, the same on both sides" in found.split


def test_subjects_may_share_a_fold(rng: np.random.Generator) -> None:
    components, data = planted(rng, n_subjects=5)
    assert reweighted_rsa(components, data, n_repeats=1, n_subject_folds=2).fold_scores.shape == (1, 2, 3)


def test_same_seed_same_folds(rng: np.random.Generator) -> None:
    components, data = planted(rng)
    found = [reweighted_rsa(components, data, n_repeats=2, random_state=seed).fold_scores for seed in (1, 1, 2)]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


def test_table_and_text(rng: np.random.Generator) -> None:
    components, data = planted(rng)
    found = reweighted_rsa(components, data, names=list("abcde"), n_repeats=2)
    table = found.to_dataframe()
    assert len(table) == 2 * 3 * 3
    assert table.columns.tolist()[:5] == ["repeat", "subject_fold", "stimulus_fold", "score", "baseline"]
    row = table.query("repeat == 1 and subject_fold == 2 and stimulus_fold == 1").iloc[0]
    assert row["score"] == found.fold_scores[1, 2, 1]
    assert row["weight:b"] == found.fold_weights[1, 2, 1, 1]
    assert table["score"].mean() == pytest.approx(found.score)
    assert "chance 0" in repr(found)
    assert "largest shares a 0." in repr(found)


def test_features_become_squared_differences(rng: np.random.Generator) -> None:
    features = rng.standard_normal((6, 4)) + 100
    expected = (features[:, None] - features) ** 2
    np.testing.assert_allclose(feature_rdms(features), expected.transpose(2, 0, 1), atol=1e-11)
    grouped = feature_rdms(features, ["b", "a", "b", "a"])
    np.testing.assert_allclose(grouped, [expected[..., [1, 3]].sum(axis=2), expected[..., [0, 2]].sum(axis=2)], atol=1e-11)
    model = responses(features.astype(np.float32))
    np.testing.assert_allclose(feature_rdms(model), feature_rdms(np.asarray(model.data)))


def test_weights_of_features_come_back(rng: np.random.Generator) -> None:
    features, weights = rng.standard_normal((20, 3)), np.array([4.0, 1, 0])
    data = np.tensordot(weights, feature_rdms(features), 1)
    components = feature_rdms(features)
    found = non_negative_weights(components, data, "cosine", ~np.eye(20, dtype=bool))
    np.testing.assert_allclose(found, weights / 5, atol=1e-9)
    assert np.corrcoef(pairs(np.tensordot(found, components, 1)), pairs(data))[0, 1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "r"}, "method='r' is unknown"),
        ({"names": ["a"]}, "names must name 5 components, got 1"),
        ({"n_stimulus_folds": 1}, "between 2 and 24 .* got 1"),
        ({"n_stimulus_folds": 8}, "8 folds of 24 stimuli leave 3 to score and 21 to fit"),
        ({"n_subject_folds": 4}, r"between 2 and 3 \(subjects\), got 4"),
        ({"stimulus_groups": np.zeros(5)}, r"each of 24 stimuli, got shape \(5,\)"),
        ({"components": np.zeros((2, 5, 5))}, r"got \[5, 24\] conditions"),
        ({"data": np.full((24, 24), np.nan)}, "276 pairs of conditions are missing"),
    ],
)
def test_what_does_not_fit_is_refused(rng: np.random.Generator, change: dict[str, Any], message: str) -> None:
    components, data = planted(rng)
    with pytest.raises(DataError, match=message):
        reweighted_rsa(**({"components": components, "data": data} | change))


@pytest.mark.parametrize(
    ("features", "groups", "message"),
    [
        (np.ones(4), None, r"got shape \(4,\)"),
        (np.full((3, 2), np.nan), None, "finite"),
        (np.ones((3, 2)), [1], "each of 2 features"),
    ],
)
def test_features_that_do_not_fit_are_refused(features: np.ndarray, groups: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        feature_rdms(features, groups)
