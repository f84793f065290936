"""Retrieval: toys whose places are known, ties, averages, draws, intervals, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from retrieval_data import asymmetric, ratings, trials

from neurodecode.data import Responses
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.metrics import METRICS, RetrievalReport, retrieval_report
from neurodecode.metrics._alike import similarity
from neurodecode.metrics._ranks import places

BRAIN, STIMULUS = "brain_to_stimulus", "stimulus_to_brain"


def report(*args: object, **options: object) -> RetrievalReport:
    """Without intervals, unless they are asked for."""
    return retrieval_report(*args, **{"n_bootstrap": 0, "selection_split": "validation", **options})  # type: ignore[arg-type]


class TestDirections:
    def test_asymmetric_toy(self) -> None:
        found = report(*asymmetric(), k=(1, 2), similarity="dot")
        assert found.top_k == {BRAIN: {1: pytest.approx(2 / 3), 2: 1.0}, STIMULUS: {1: pytest.approx(1 / 3), 2: 1.0}}
        assert found.chance == {1: pytest.approx(1 / 3), 2: pytest.approx(2 / 3)}
        assert found.hub_share == {BRAIN: pytest.approx(2 / 3), STIMULUS: 1.0}
        assert found.relative_median_rank == {BRAIN: 0.0, STIMULUS: 0.5}
        assert float(found) == found.top_k[BRAIN][1]

    def test_swapped_arguments_swap_the_directions(self) -> None:
        predicted, targets = asymmetric()
        one, other = report(predicted, targets, similarity="dot", k=1), report(targets, predicted, similarity="dot", k=1)
        assert one.top_k[BRAIN] == other.top_k[STIMULUS]
        assert one.top_k[STIMULUS] == other.top_k[BRAIN]

    @pytest.mark.parametrize("kind", ["cosine", "correlation", "dot"])
    def test_by_sorting(self, kind: str) -> None:
        predicted, targets, _ = trials(repeats=1)
        found = report(predicted + 3, targets, k=(1, 3, 7), similarity=kind)
        reference = {
            "dot": lambda a, b: a @ b.T,
            "cosine": lambda a, b: (a / np.linalg.norm(a, axis=1)[:, None]) @ (b / np.linalg.norm(b, axis=1)[:, None]).T,
            "correlation": lambda a, b: np.corrcoef(a, b)[: len(a), len(a) :],
        }[kind](predicted + 3, targets)
        for k in (1, 3, 7):
            assert (found.top_k[BRAIN][k], found.top_k[STIMULUS][k]) == pytest.approx(ratings(reference, k))

    def test_features_of_any_shape_and_single_precision(self) -> None:
        predicted, targets, ids = trials()
        flat = report(predicted, targets, ids)
        deep = report(predicted.reshape(-1, 4, 5).astype(np.float32), targets.reshape(-1, 4, 5).astype(np.float32), ids)
        assert flat.top_k == deep.top_k


class TestTies:
    @pytest.mark.parametrize("kind", ["cosine", "correlation", "dot"])
    @pytest.mark.parametrize("constant", [0.0, 1.0])
    def test_constant_predictions_are_at_chance(self, kind: str, constant: float) -> None:
        _, targets, _ = trials(repeats=1)
        found = report(np.full_like(targets, constant), targets, similarity=kind)
        for direction in (BRAIN, STIMULUS):
            assert found.top_k[direction] == pytest.approx(found.chance)
        assert found.hub_share[BRAIN] == 1

    def test_the_published_rule_gives_a_constant_nothing(self) -> None:
        _, targets, _ = trials(repeats=1)
        found = report(np.zeros_like(targets), targets, ties="midrank")
        assert found.top_k[BRAIN] == {1: 0.0, 5: 0.0, 10: 0.0}
        assert found.relative_median_rank[BRAIN] == 0.5

    def test_credit_by_hand(self) -> None:
        place = places(np.array([[3.0, 5, 3, 3, 1], [1, 2, 3, 4, 5], [0, 0, 0, 0, 0]]), np.array([0, 4, 2]))
        np.testing.assert_array_equal(place.greater, [1, 0, 0])
        np.testing.assert_array_equal(place.equal, [3, 1, 5])
        np.testing.assert_array_equal(place.rank, [2, 0, 2])
        np.testing.assert_allclose(place.credit((1, 2, 3), "expected"), [[0, 1, 0.2], [1 / 3, 1, 0.4], [2 / 3, 1, 0.6]])
        np.testing.assert_array_equal(place.credit((1, 2, 3), "midrank"), [[0, 1, 0], [0, 1, 0], [1, 1, 1]])

    def test_rounding_is_a_tie(self) -> None:
        place = places(np.array([[1.0, 1.0 + 1e-13, 0.5]]), np.array([0]))
        assert (place.greater[0], place.equal[0]) == (0, 2)

    def test_identical_targets_under_two_names(self) -> None:
        _, targets, _ = trials(n=10, repeats=1)
        targets[3] = targets[7]
        with pytest.warns(UserWarning, match="1 of 10 candidates have the target of another name"):
            found = report(targets, targets, k=1)
        assert found.top_k[BRAIN][1] == pytest.approx(0.9)
        assert any("ties" in note for note in found.notes)
        ids = np.arange(10)
        ids[3] = 7
        assert report(targets, targets, ids, k=1).top_k[BRAIN][1] == 1


class TestRepeats:
    def test_candidates_are_counted_once(self) -> None:
        found = report(*trials(n=40, repeats=4))
        assert (found.n_candidates, found.n_queries, found.mean_repeats) == (40, 160, 4)
        assert found.chance == {1: 1 / 40, 5: 5 / 40, 10: 10 / 40}

    def test_single_and_averaged_are_both_said(self) -> None:
        predicted, targets, ids = trials()
        single, instance = report(predicted, targets, ids), report(predicted, targets, ids, aggregation="instance")
        assert single.top_k[BRAIN] == single.single_trial == instance.single_trial
        assert instance.top_k[BRAIN] == instance.repeat_averaged == single.repeat_averaged
        assert instance.n_queries == 40
        assert instance.top_k[BRAIN][1] > single.top_k[BRAIN][1] + 0.2
        mean = np.stack([predicted[ids == i].mean(axis=0) for i in range(40)])
        plain = report(mean, targets[:40])
        assert plain.top_k[BRAIN] == pytest.approx(instance.top_k[BRAIN])
        assert plain.top_k[STIMULUS] == pytest.approx(single.top_k[STIMULUS])

    def test_subjects_weigh_alike(self) -> None:
        """Subject b has one trial against three, so the mean within subjects first lies nearer to it."""
        targets = np.eye(3)[np.tile([0, 1, 2], 4)]
        predicted = np.roll(targets, 1, axis=1)  # subject a is wrong
        predicted[-3:] = 2 * targets[-3:]  # subject b is right, twice as strongly
        ids, subjects = np.tile([0, 1, 2], 4), np.repeat(["a", "a", "a", "b"], 3)
        options = {"candidate_ids": ids, "subjects": subjects, "k": 1}
        assert report(predicted, targets, aggregation="instance", **options).top_k[BRAIN][1] == 0
        assert report(predicted, targets, aggregation="subject", **options).top_k[BRAIN][1] == 1

    def test_a_subject_that_did_not_see_all(self) -> None:
        predicted, targets, ids = trials(n=10, repeats=3, noise=0.0)
        subjects = np.where(np.arange(30) < 14, "a", "b")
        assert report(predicted, targets, ids, aggregation="subject", subjects=subjects, k=1).top_k[BRAIN][1] == 1

    def test_ceiling_of_repeats(self) -> None:
        clear, noisy = (report(*trials(noise=noise)) for noise in (0.1, 3.0))
        assert clear.ceiling is not None
        assert noisy.ceiling is not None
        assert clear.ceiling[1] == 1
        assert noisy.chance[1] < noisy.ceiling[1] < 0.5
        assert "half of the trials" in repr(clear)

    def test_no_ceiling_without_repeats(self) -> None:
        predicted, targets, ids = trials(n=12, repeats=2)
        found = report(predicted[:-1], targets[:-1], ids[:-1])
        assert found.ceiling is None
        assert any("ceiling" in note for note in found.notes)

    def test_order_of_trials_does_not_matter(self, rng: np.random.Generator) -> None:
        predicted, targets, ids = trials()
        order = rng.permutation(len(ids))
        one = report(predicted, targets, ids, words=ids // 3)
        other = report(predicted[order], targets[order], ids[order], words=ids[order] // 3)
        assert one.top_k[BRAIN] == pytest.approx(other.top_k[BRAIN])
        assert one.top_k[STIMULUS] == pytest.approx(other.top_k[STIMULUS])
        assert one.vocabulary == pytest.approx(other.vocabulary)

    def test_responses_name_stimuli_and_subjects(self) -> None:
        predicted, targets, ids = trials(n=20, repeats=2)
        samples = pd.DataFrame({"stimulus": ids.astype(str), "subject": np.repeat(["a", "b"], 20)})
        units = pd.DataFrame({"name": [f"u{i}" for i in range(20)]})
        brain, truth = (Responses(values, samples, units) for values in (predicted, targets))
        found = report(brain, truth, aggregation="subject")
        assert found.n_candidates == 20
        assert found.top_k == report(predicted, targets, ids, aggregation="instance").top_k


class TestSeedsAndIntervals:
    def test_mean_over_seeds_and_its_interval(self) -> None:
        _, targets, ids = trials(n=30, repeats=1)
        predicted = np.stack([trials(n=30, repeats=1, seed=seed)[0] + targets for seed in range(3)], axis=1)
        found = report(predicted, targets, ids, seed_axis=1)
        each = [report(predicted[:, i], targets, ids).top_k[BRAIN][1] for i in range(3)]
        np.testing.assert_allclose(found.seed_scores[BRAIN][1], each)
        assert found.top_k[BRAIN][1] == pytest.approx(np.mean(each))
        low, high = found.seed_ci[BRAIN][1]
        assert low <= np.mean(each) <= high
        assert found.n_seeds == 3

    def test_interval_over_stimuli(self) -> None:
        found = retrieval_report(*trials(n=60, repeats=1, noise=1.5), n_bootstrap=2000)
        p = found.top_k[BRAIN][1]
        low, high = found.ci[BRAIN][1]
        expected = 1.96 * np.sqrt(p * (1 - p) / 60)
        assert high - p == pytest.approx(expected, rel=0.2)
        assert p - low == pytest.approx(expected, rel=0.2)

    def test_stimuli_not_trials_are_drawn(self) -> None:
        """Ten copies of each trial say no more than one."""
        predicted, targets, ids = trials(n=40, repeats=1, noise=1.5)
        once = retrieval_report(predicted, targets, ids)
        often = retrieval_report(np.tile(predicted, (10, 1)), np.tile(targets, (10, 1)), np.tile(ids, 10))
        assert np.ptp(often.ci[BRAIN][1]) == pytest.approx(np.ptp(once.ci[BRAIN][1]), abs=1e-6)

    def test_same_seed_same_report(self) -> None:
        data = trials()
        one, same, other = (retrieval_report(*data, random_state=seed) for seed in (1, 1, 2))
        assert one.ci == same.ci
        assert one.ci != other.ci
        assert one.top_k == other.top_k

    def test_without_resamples_there_is_no_interval(self) -> None:
        assert np.isnan(report(*trials()).ci[BRAIN][1]).all()


class TestDraws:
    def test_few_candidates_are_easier(self) -> None:
        data = trials(n=60, repeats=2, noise=3)
        whole = report(*data, aggregation="instance")
        drawn = report(*data, protocol="mindeye2", draw_size=12)
        assert drawn.n_candidates == drawn.n_queries == 12
        assert drawn.chance[1] == pytest.approx(1 / 12)
        assert drawn.top_k[BRAIN][1] > whole.top_k[BRAIN][1]
        assert drawn.aggregation == "instance"

    def test_mean_of_the_draws(self) -> None:
        predicted, targets, _ = trials(n=30, repeats=1)
        found = report(predicted, targets, protocol="mindeye2", draw_size=10, n_draws=4, k=1)
        rng = np.random.default_rng((0, 0))
        subsets = [np.sort(rng.choice(30, 10, replace=False)) for _ in range(4)]
        each = np.mean([ratings(similarity(predicted[s], targets[s], "cosine"), 1) for s in subsets], axis=0)
        assert (found.top_k[BRAIN][1], found.top_k[STIMULUS][1]) == pytest.approx(tuple(each))

    def test_a_draw_of_all_is_all(self) -> None:
        data = trials(n=30, repeats=1)
        drawn = report(*data, protocol="mindeye2", draw_size=30, n_draws=3)
        assert drawn.top_k[BRAIN] == pytest.approx(report(*data).top_k[BRAIN])

    @pytest.mark.parametrize("options", [{"draw_size": 50}, {"draw_size": 1}, {"n_draws": 0}])
    def test_draws_that_cannot_be_made(self, options: dict[str, int]) -> None:
        with pytest.raises(DataError, match="2 to 40"):
            report(*trials(), protocol="mindeye2", **{"draw_size": 10, **options})


class TestWords:
    def test_probabilities_of_one_word_add_up(self) -> None:
        """Candidate 2 is likelier than 0 and 1 each, but not than both together."""
        alike = np.log([[0.3, 0.3, 0.4], [0.3, 0.3, 0.4], [0.1, 0.1, 0.8]])
        found = report(alike, np.eye(3), similarity="dot", k=(1,), words=["dog", "dog", "cat"])
        assert found.vocabulary == {1: 1.0}
        assert found.vocabulary_chance == {1: pytest.approx(2 / 3)}
        assert found.n_words == 2
        assert found.top_k[BRAIN][1] == pytest.approx(1 / 3)

    def test_temperature_sharpens(self) -> None:
        alike = np.log([[0.3, 0.3, 0.4], [0.3, 0.3, 0.4], [0.1, 0.1, 0.8]])
        sharp = report(alike, np.eye(3), similarity="dot", k=1, words=["dog", "dog", "cat"], temperature=0.01)
        assert sharp.vocabulary == {1: pytest.approx(1 / 3)}

    def test_noise_names_no_more_than_the_most_frequent_words(self, rng: np.random.Generator) -> None:
        targets = rng.standard_normal((200, 20))
        words = np.minimum(np.arange(200) // 4, 30)
        found = report(rng.standard_normal((200, 20)), targets, words=words)
        assert found.vocabulary is not None
        assert found.vocabulary_chance is not None
        assert found.vocabulary[1] <= found.vocabulary_chance[1] + 0.03

    def test_one_word_per_stimulus(self) -> None:
        predicted, targets, ids = trials(n=10, repeats=2)
        words = ids.copy()
        words[12] = 9
        with pytest.raises(DataError, match="candidate 2 is 2 and, in trial 12, 9"):
            report(predicted, targets, ids, words=words)


class TestHygiene:
    def test_a_model_selected_on_the_test_is_refused(self) -> None:
        with pytest.raises(SplitLeakError, match="oracle_selection"):
            report(*trials(), selection_split="test")
        found = report(*trials(), selection_split="test", oracle_selection=True)
        assert found.oracle_selection
        assert "oracle" in repr(found)

    def test_what_is_not_stated_is_said(self) -> None:
        found = retrieval_report(*trials(), n_bootstrap=0)
        assert any("selection_split" in note for note in found.notes)
        assert "unknown" in repr(found)
        stated = report(*trials(), split_unit="stimulus")
        assert "held out by stimulus, model selected on validation" in repr(stated)

    @pytest.mark.parametrize(("train", "overlap", "zero"), [([], 0.0, True), ([0, 1], 0.5, False), ([0, 1, 2, 3], 1.0, False)])
    def test_overlap_of_categories(self, train: list[int], overlap: float, zero: bool) -> None:
        predicted, targets, ids = trials()
        found = report(predicted, targets, ids, categories=ids // 10, train_categories=train)
        assert found.category_overlap == overlap
        assert found.zero_shot is zero
        assert report(predicted, targets, ids).zero_shot is None

    def test_both_sides_of_the_overlap_are_needed(self) -> None:
        predicted, targets, ids = trials()
        with pytest.raises(DataError, match="train_categories is missing"):
            report(predicted, targets, ids, categories=ids)

    def test_k_beyond_the_candidates(self) -> None:
        found = report(*trials(n=6))
        assert list(found.chance) == [1, 5]
        assert any("[10]" in note for note in found.notes)

    def test_the_catalogue_knows_it(self) -> None:
        assert METRICS["retrieval"].best == 1


class TestWhatComesOut:
    def test_table(self) -> None:
        table = retrieval_report(*trials(), n_bootstrap=50).to_dataframe()
        assert list(table["direction"]) == [BRAIN] * 3 + [STIMULUS] * 3
        assert list(table["k"]) == [1, 5, 10] * 2
        assert (table["accuracy"] >= table["ci_low"]).all()
        assert (table["accuracy"] <= table["ci_high"]).all()
        assert table["ceiling"].isna().tolist() == [False] * 3 + [True] * 3

    def test_json(self) -> None:
        values = json.loads(json.dumps(retrieval_report(*trials(), n_bootstrap=10).to_dict()))
        assert values["n_candidates"] == 40
        assert values["chance"] == {"1": 0.025, "5": 0.125, "10": 0.25}

    def test_repr_states_chance(self) -> None:
        text = repr(retrieval_report(*trials(), words=trials()[2] // 3))
        for part in ("40 candidates", "chance 2.5 %", "brain to stimulus", "stimulus to brain", "14 words", "repeats averaged"):
            assert part in text, part


def _data(**changes: NDArray) -> dict[str, NDArray]:
    predicted, targets, ids = trials(n=5, repeats=2)
    return {"predicted": predicted, "targets": targets, "candidate_ids": ids, **changes}


def _with(values: NDArray, place: tuple[int, int], value: float) -> NDArray:
    changed = values.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"predicted": _with(_data()["predicted"], (7, 2), np.nan)}, "predicted: item 7 holds NaN"),
        ({"targets": _with(_data()["targets"], (4, 2), np.inf)}, "targets: item 4 holds NaN"),
        ({"targets": _with(_data()["targets"], (8, 2), 3.5)}, "candidate 3 has two targets: trials 3 and 8"),
        ({"predicted": np.ones((9, 20))}, "one shape"),
        ({"predicted": np.ones((10, 19))}, "one shape"),
        ({"predicted": np.ones(10)}, "n_features"),
        ({"candidate_ids": np.arange(9)}, r"candidate_ids .* 10 trials, got shape \(9,\)"),
        ({"candidate_ids": np.zeros(10), "targets": np.ones((10, 20))}, "two candidates"),
        ({"k": 5}, r"below the 5 candidates, got \[5\]"),
        ({"k": (0, 1)}, "at least 1"),
        ({"similarity": "euclid"}, "similarity='euclid'"),
        ({"ties": "lucky"}, "ties='lucky'"),
        ({"aggregation": "subjects"}, "did you mean"),
        ({"aggregation": "subject"}, "pass subjects"),
        ({"protocol": "mindeye"}, "mindeye2"),
        ({"temperature": 0}, "temperature"),
        ({"n_bootstrap": -1}, "n_bootstrap"),
        ({"level": 1.0}, "level"),
    ],
)
def test_what_cannot_be_scored(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        report(**{**_data(), **changes})


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = trials(n=30, repeats=3)
    whole = report(*data, words=data[2] // 2)
    monkeypatch.setattr("neurodecode.metrics._candidates._BLOCK", 100)
    monkeypatch.setattr("neurodecode.metrics._alike._BLOCK", 100)
    cut = report(*data, words=data[2] // 2)
    assert cut.top_k == whole.top_k
    assert cut.vocabulary == pytest.approx(whole.vocabulary)
    assert cut.relative_median_rank == whole.relative_median_rank
