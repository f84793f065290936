"""Retrieval from a matrix of scores equals that from embeddings, and takes candidates that nobody was shown."""

from __future__ import annotations

import numpy as np
import pytest
from retrieval_data import trials

from neurodecode.errors import DataError, SplitLeakError
from neurodecode.metrics import retrieval_from_scores, retrieval_report
from neurodecode.metrics.retrieval_scores import word_probabilities

FORWARD = "brain_to_stimulus"
QUIET = {"n_bootstrap": 0, "selection_split": "validation"}


def scores_of(n: int = 40, repeats: int = 4, **options: float) -> tuple[np.ndarray, ...]:
    """Predictions, targets of trials, ids, and inner products of predictions with targets of unit length."""
    predicted, targets, ids = trials(n, repeats, **options)
    gallery = targets[:n] / np.linalg.norm(targets[:n], axis=1)[:, None]
    return predicted, targets, ids, predicted @ gallery.T


class TestAgainstEmbeddings:
    @pytest.mark.parametrize("aggregation", ["single", "instance", "subject"])
    @pytest.mark.parametrize("ties", ["expected", "midrank"])
    def test_same_accuracy_rank_and_interval(self, aggregation: str, ties: str) -> None:
        predicted, targets, ids, scores = scores_of()
        subjects = np.arange(len(ids)) // 40 % 2
        options = {"aggregation": aggregation, "ties": ties, "subjects": subjects, "selection_split": "validation"}
        one = retrieval_report(predicted, targets, ids, (1, 5), n_bootstrap=200, **options)
        other = retrieval_from_scores(scores, ids, (1, 5), n_bootstrap=200, **options)
        assert other.top_k[FORWARD] == pytest.approx(one.top_k[FORWARD])
        assert other.single_trial == pytest.approx(one.single_trial)
        assert other.repeat_averaged == pytest.approx(one.repeat_averaged)
        assert other.relative_median_rank[FORWARD] == pytest.approx(one.relative_median_rank[FORWARD])
        assert other.hub_share[FORWARD] == pytest.approx(one.hub_share[FORWARD])
        assert other.ci[FORWARD][1] == pytest.approx(one.ci[FORWARD][1])
        assert (other.n_queries, other.n_candidates, other.mean_repeats) == (one.n_queries, one.n_candidates, one.mean_repeats)

    def test_same_words(self) -> None:
        predicted, targets, ids = trials()
        words = np.array([f"w{i % 10}" for i in range(40)])
        one = retrieval_report(predicted, targets, ids, (1, 3), similarity="dot", words=words[ids], **QUIET)
        other = retrieval_from_scores(predicted @ targets[:40].T, ids, (1, 3), words=words, **QUIET)
        assert other.vocabulary == pytest.approx(one.vocabulary)
        assert other.vocabulary_chance == pytest.approx(one.vocabulary_chance)
        assert other.n_words == one.n_words == 10

    def test_seeds(self) -> None:
        scores = np.stack([scores_of(seed=0)[3], scores_of(seed=1)[3]])
        ids = np.tile(np.arange(40), 4)
        found = retrieval_from_scores(scores, ids, 1, **QUIET)
        each = [float(retrieval_from_scores(part, ids, 1, **QUIET)) for part in scores]
        np.testing.assert_allclose(found.seed_scores[FORWARD][1], each)
        assert float(found) == pytest.approx(np.mean(each))


class TestCandidates:
    def test_those_that_nobody_was_shown_count(self) -> None:
        *_, scores = scores_of()
        shown = np.tile(np.arange(40), 4) < 5
        right = np.tile(np.arange(40), 4)[shown]
        few = retrieval_from_scores(scores[shown][:, :5], right, 1, **QUIET)
        many = retrieval_from_scores(scores[shown], right, 1, **QUIET)
        assert (few.n_candidates, many.n_candidates) == (5, 40)
        assert many.chance[1] == pytest.approx(1 / 40)
        assert float(many) < float(few)

    def test_constant_scores_are_exactly_at_chance(self) -> None:
        found = retrieval_from_scores(np.ones((30, 12)), np.arange(30) % 12, (1, 5), **QUIET)
        assert found.top_k[FORWARD] == pytest.approx({1: 1 / 12, 5: 5 / 12})
        assert float(retrieval_from_scores(np.ones((30, 12)), np.arange(30) % 12, 1, ties="midrank", **QUIET)) == 0

    def test_noise_is_at_chance(self) -> None:
        found = retrieval_from_scores(np.random.default_rng(0).standard_normal((4000, 50)), np.arange(4000) % 50, 1, **QUIET)
        assert float(found) == pytest.approx(0.02, abs=0.008)

    def test_one_direction_alone_is_told(self) -> None:
        *_, ids, scores = scores_of()
        found = retrieval_from_scores(scores, ids, (1, 5))
        assert set(found.to_dataframe()["direction"]) == {FORWARD}
        assert "stimulus to brain" not in repr(found)
        assert any("selection_split" in note for note in found.notes)
        assert found.to_dict()["ceiling"] is None


def test_probabilities_of_words_are_sums() -> None:
    scores = np.log(np.array([[0.5, 0.2, 0.3], [0.1, 0.1, 0.8]]))
    np.testing.assert_allclose(word_probabilities(scores, np.array([0, 1, 0])), [[0.8, 0.2], [0.9, 0.1]])
    hot = word_probabilities(scores, np.array([0, 1, 0]), temperature=1e6)
    np.testing.assert_allclose(hot, [[2 / 3, 1 / 3]] * 2, atol=1e-5)


@pytest.mark.parametrize(
    ("scores", "right", "options", "message"),
    [
        (np.ones((4, 1)), np.zeros(4, int), {}, "at least two candidates"),
        (np.full((4, 3), np.nan), np.zeros(4, int), {}, "scores of trial 0 hold NaN"),
        (np.ones((4, 3)), np.array([0, 1, 2, 3]), {}, "columns from 0 to 2"),
        (np.ones((4, 3)), np.zeros(3, int), {}, "one value for each of 4 trials"),
        (np.ones((4, 3)), np.zeros(4, int), {"aggregation": "subject"}, "needs the subject"),
        (np.ones((4, 3)), np.zeros(4, int), {"words": ["a", "b"]}, "one per candidate"),
        (np.ones((4, 3)), np.zeros(4, int), {"k": 3}, "below the 3 candidates"),
    ],
)
def test_refusals(scores: np.ndarray, right: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        retrieval_from_scores(scores, right, **{"k": 1, **QUIET, **options})


def test_selection_on_the_test_split_is_refused() -> None:
    with pytest.raises(SplitLeakError, match="selected on the data scored"):
        retrieval_from_scores(np.eye(3), np.arange(3), 1, selection_split="test")
    assert retrieval_from_scores(np.eye(3), np.arange(3), 1, selection_split="test", oracle_selection=True).oracle_selection
