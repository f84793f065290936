"""Subjects put together: the mean, its null, and what cannot be put together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Responses
from neurodecode.decode import DecodingResult, LinearDecoder, combine_subjects
from neurodecode.errors import DataError
from neurodecode.metrics import permutation_p_value


def subject(seed: int, effect: float, n_permutations: int = 19) -> DecodingResult:
    """Decoding of two classes in four runs; `effect` in standard deviations."""
    rng = np.random.default_rng(seed)
    labels = np.tile(["a", "b"], 32)
    data = rng.standard_normal((64, 10))
    data[labels == "b", :3] += effect
    samples = pd.DataFrame({"trial_type": labels, "run": np.repeat(np.arange(4), 16), "subject": f"0{seed}"})
    responses = Responses(data, samples, pd.DataFrame({"name": [f"u{i}" for i in range(10)]}))
    return LinearDecoder().cross_validate(responses, n_permutations=n_permutations)


@pytest.fixture(scope="module")
def parts() -> dict[str, DecodingResult]:
    """Three subjects, one of whom shows nothing."""
    return {"sub-01": subject(1, 1.0), "sub-02": subject(2, 0.0), "sub-03": subject(3, 0.7)}


def test_the_score_is_the_mean_and_the_folds_are_the_subjects(parts):
    group = combine_subjects(parts)
    assert group.score == pytest.approx(np.mean([p.score for p in parts.values()]))
    assert group.fold_names == list(parts)
    np.testing.assert_allclose(group.fold_scores, [p.score for p in parts.values()])
    assert "within each of 3 subjects" in group.split


def test_the_null_is_averaged_permutation_by_permutation(parts):
    group = combine_subjects(parts)
    null = np.mean([p.null_scores for p in parts.values()], axis=0)
    np.testing.assert_allclose(group.null_scores, null)
    assert group.p_value == permutation_p_value(group.score, null)
    assert group.null_scores.std() < np.mean([p.null_scores.std() for p in parts.values()])


def test_confusion_and_predictions_keep_every_sample(parts):
    group = combine_subjects(parts)
    assert group.confusion.sum() == 3 * 64
    assert group.predictions.groupby("subject").size().tolist() == [64, 64, 64]
    assert set(group.class_counts["subject"]) == set(parts)


def test_without_permutations_there_is_no_p():
    group = combine_subjects({"a": subject(1, 1.0, 0), "b": subject(2, 1.0, 0)})
    assert group.p_value is None
    assert group.null_scores is None


def test_a_single_subject_is_its_own_group(parts):
    group = combine_subjects({"sub-01": parts["sub-01"]})
    assert group.score == parts["sub-01"].score
    assert np.isnan(group.confidence_interval).all()


def test_what_cannot_be_averaged_is_refused(parts):
    with pytest.raises(DataError, match="no subject"):
        combine_subjects({})
    with pytest.raises(DataError, match="n_permutations"):
        combine_subjects({"a": parts["sub-01"], "b": subject(2, 0.0, 3)})
