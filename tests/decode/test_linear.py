"""The decoder as its users meet it: results, single fits, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.base
from decoding_data import make_responses

from neurodecode.data import Responses, concatenate
from neurodecode.decode import DecodingResult, LinearDecoder, cross_validate_arrays, parallel
from neurodecode.errors import DataError, SplitLeakError


@pytest.fixture(scope="module")
def result() -> DecodingResult:
    return LinearDecoder("classification").cross_validate(make_responses(), n_permutations=19)


def test_two_classes_are_scored_by_auc(result: DecodingResult) -> None:
    assert (result.metric, result.chance, result.best, result.task, result.target) == (
        "roc_auc",
        0.5,
        1.0,
        "classification",
        "trial_type",
    )
    assert result.score == pytest.approx(np.mean(result.fold_scores))
    assert result.score > 0.85
    assert result.p_value == 1 / 20
    assert result.n_permutations == 19
    assert result.fold_names == [f"subject=01, run={r:02d}" for r in range(1, 5)]
    assert result.split == "leave-one-run-out over 4 folds"
    assert result.baseline_name == "nearest class mean"
    assert result.baseline > 0.8
    assert result.confidence_interval[0] < result.score < result.confidence_interval[1]
    assert result.notes == []


def test_confusion_and_accuracy_agree_with_predictions(result: DecodingResult) -> None:
    table = result.predictions
    assert table["sample"].tolist() == list(range(48))
    assert result.classes == ["kind0", "kind1"]
    assert result.confusion is not None
    assert result.confusion.sum() == 48
    right = (table["true"] == table["predicted"]).mean()
    assert right == result.scores["accuracy"] == result.confusion.trace() / 48
    assert ((table["decision"] > 0) == (table["predicted"] == "kind1")).all()
    expected = 1 / (1 + np.exp(-table["decision"].abs()))
    np.testing.assert_allclose(table["probability"], expected)


def test_class_counts_per_fold_and_side(result: DecodingResult) -> None:
    counts = result.class_counts
    assert list(counts) == ["fold", "held_out", "side", "label", "n"]
    assert len(counts) == 4 * 2 * 2
    assert (counts[counts["side"] == "test"]["n"] == 6).all()
    assert (counts[counts["side"] == "train"]["n"] == 18).all()


def test_result_is_json_and_a_table(result: DecodingResult) -> None:
    read = json.loads(json.dumps(result.to_dict()))
    assert read["score"] == result.score
    assert read["n_permutations"] == 19
    assert read["settings"]["estimator"] == "logistic"
    assert read["settings"]["permutation"] == "labels permuted within runs"
    assert len(read["class_counts"]) == 16
    table = result.to_dataframe()
    assert table["score"].tolist() == result.fold_scores.tolist()
    assert (table["n_test"] == 12).all()
    assert "roc_auc" in repr(result)
    assert "chance 0.5" in repr(result)


def test_more_classes_are_scored_by_balanced_accuracy() -> None:
    result = LinearDecoder(C=0.1).cross_validate(make_responses(60, k=3), n_permutations=9)
    assert (result.metric, result.chance) == ("balanced_accuracy", 1 / 3)
    assert "decision" not in result.predictions
    assert result.patterns is not None
    assert result.patterns.shape == (3, 10)
    assert result.null_scores is not None
    assert result.null_scores.shape == (9,)


def test_regression_is_scored_by_r() -> None:
    result = LinearDecoder("regression").cross_validate(make_responses(120), target="strength", n_permutations=9)
    assert (result.metric, result.chance, result.task, result.classes, result.confusion) == ("r", 0.0, "regression", None, None)
    assert 0.4 < result.score < 0.9
    assert result.baseline == 0.0
    assert set(result.scores) == {"r2", "r2_pooled"}
    assert len(result.settings["alpha_of_fold"]) == 4
    assert result.class_counts["label"].unique().tolist() == ["all"]


def test_times_become_features_and_come_back_in_patterns() -> None:
    responses = make_responses(n_times=5)
    result = LinearDecoder(estimator="lda").cross_validate(responses, n_permutations=0)
    assert result.patterns is not None
    assert result.patterns.shape == (1, 10, 5)
    assert result.times is not None
    np.testing.assert_array_equal(result.times, responses.times)
    assert np.abs(result.patterns[0, :3]).mean() > 2 * np.abs(result.patterns[0, 3:]).mean()
    assert (result.p_value, result.null_scores) == (None, None)


def test_bad_units_are_left_out_and_said_so() -> None:
    responses = make_responses()
    data = responses.data.copy()
    data[5, 7] = np.nan
    units = responses.units.assign(bad=np.arange(10) == 7)
    result = LinearDecoder().cross_validate(responses.replace(data=data, units=units), n_permutations=0)
    assert result.patterns is not None
    assert np.isnan(result.patterns[:, 7]).all()
    assert np.isfinite(np.delete(result.patterns, 7, axis=1)).all()
    assert any("u7" in note for note in result.notes)
    without = LinearDecoder().cross_validate(responses.select(units=np.arange(10) != 7), n_permutations=0)
    assert without.score == result.score


def test_nan_is_refused_with_unit_and_sample() -> None:
    responses = make_responses()
    data = responses.data.copy()
    data[5, 7] = np.nan
    with pytest.raises(DataError, match=r"'u7' holds NaN.*sample 5"):
        LinearDecoder().cross_validate(responses.replace(data=data))


def test_a_recording_that_stands_twice_is_refused_by_both_names() -> None:
    one = make_responses()
    twin = one.select(run="02")
    twin = twin.replace(samples=twin.samples.assign(run="09"))
    with pytest.raises(SplitLeakError, match=r"run=02.*run=09"):
        LinearDecoder().cross_validate(concatenate([one, twin]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "trial_typ"}, r"'trial_typ'.*trial_type"),
        ({"groups": "sesion"}, "sesion"),
        ({"groups": "subject"}, r"1 groups.*trial_type"),
        ({"n_splits": 9}, r"4 groups.*at least 9"),
        ({"n_splits": 1}, "at least 2"),
        ({"gap": 3.0}, "gap=3"),
        ({"n_permutations": -1}, "-1"),
        ({"jobs": 0, "n_permutations": 1}, "jobs must be at least 1, got 0"),
        ({"target": "subject"}, r"two classes.*'01'"),
        ({"target": "onset"}, r"missing from the training part.*regression"),
    ],
)
def test_refusals_name_value_and_alternative(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        LinearDecoder().cross_validate(make_responses(), **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "clasification"}, "classification"),
        ({"estimator": "ridge"}, "estimator for classification"),
        ({"task": "regression", "estimator": "lda"}, "ridge"),
        ({"C": 0.0}, "C must"),
        ({"alphas": ()}, "alphas"),
        ({"alphas": (0.0, 1.0)}, "alphas"),
        ({"n_features": 0}, "n_features"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_parameters_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        LinearDecoder(**arguments)


def test_gaps_in_the_target_are_refused() -> None:
    responses = make_responses()
    gappy = responses.samples["trial_type"].where(responses.samples.index != 3)
    with pytest.raises(DataError, match=r"1 samples, the first is 3"):
        LinearDecoder().cross_validate(responses.replace(samples=responses.samples.assign(trial_type=gappy)))


@pytest.mark.parametrize(("column", "message"), [("trial_type", "must hold numbers"), ("duration", "that vary")])
def test_regression_needs_numbers_that_vary(column: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        LinearDecoder("regression").cross_validate(make_responses(), target=column)


def test_same_seed_same_numbers_other_seed_other_null() -> None:
    responses = make_responses()
    a, b, c = (LinearDecoder(random_state=s).cross_validate(responses, n_permutations=9) for s in (0, 0, 1))
    assert a.null_scores is not None
    assert a.null_scores.tobytes() == b.null_scores.tobytes()  # type: ignore[union-attr]
    assert not np.array_equal(a.null_scores, c.null_scores)  # type: ignore[arg-type]
    assert a.score == c.score


def test_more_permutations_begin_with_the_same_ones() -> None:
    responses = make_responses()
    few, many = (LinearDecoder().cross_validate(responses, n_permutations=n).null_scores for n in (4, 9))
    np.testing.assert_array_equal(few, many[:4])  # type: ignore[index]


def in_this_process(function: Any, shares: list[np.ndarray], arguments: tuple[Any, ...]) -> list[Any]:
    """Work through the shares one by one: the same division without the seconds that new processes take to start."""
    return [function(*arguments, indices=share) for share in shares]


@pytest.mark.parametrize("decoder", [LinearDecoder(n_features=5), LinearDecoder(estimator="lda"), LinearDecoder("regression")])
@pytest.mark.parametrize("jobs", [2, 7, 20])
def test_numbers_do_not_depend_on_the_division(monkeypatch: pytest.MonkeyPatch, decoder: LinearDecoder, jobs: int) -> None:
    monkeypatch.setattr(parallel, "_spawned", in_this_process)
    responses = make_responses(p=70)
    target = "trial_type" if decoder.task == "classification" else "strength"
    one, many = (decoder.cross_validate(responses, target, n_permutations=7, jobs=n) for n in (1, jobs))
    assert one.null_scores is not None
    assert many.null_scores is not None
    assert one.null_scores.tobytes() == many.null_scores.tobytes()
    assert json.dumps(one.to_dict()) == json.dumps(many.to_dict())


def test_numbers_do_not_depend_on_processes() -> None:
    responses = make_responses(p=70)
    one, two = (LinearDecoder(n_features=50).cross_validate(responses, n_permutations=7, jobs=jobs) for jobs in (1, 2))
    assert one.null_scores is not None
    assert two.null_scores is not None
    assert one.null_scores.tobytes() == two.null_scores.tobytes()
    assert json.dumps(one.to_dict()) == json.dumps(two.to_dict())


def test_input_is_left_as_it_was() -> None:
    responses = make_responses()
    before = responses.data.copy()
    LinearDecoder(n_features=4).cross_validate(responses, n_permutations=2)
    np.testing.assert_array_equal(responses.data, before)


# --- plain arrays ------------------------------------------------------------------------------------------------------


def test_arrays_give_the_same_as_responses() -> None:
    responses = make_responses()
    table = responses.samples
    found = cross_validate_arrays(responses.data, table["trial_type"], table["run"], n_permutations=5)
    expected = LinearDecoder().cross_validate(responses, n_permutations=5)
    np.testing.assert_array_equal(found.fold_scores, expected.fold_scores)
    np.testing.assert_array_equal(found.null_scores, expected.null_scores)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("x", "y", "groups"),
    [
        (np.zeros((4, 2)), [0, 1, 0], [0, 0, 1]),
        (np.zeros((4, 2)), [0, 1, 0, 1], [0, 1]),
        (np.zeros(4), [0, 1, 0, 1], [0, 0, 1, 1]),
    ],
)
def test_arrays_must_fit(x: np.ndarray, y: list[int], groups: list[int]) -> None:
    with pytest.raises(DataError):
        cross_validate_arrays(x, y, groups)


# --- one fit -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("options", [{}, {"estimator": "lda"}, {"n_features": 4}, {"scale": False}])
def test_fit_predict_score(options: dict[str, Any], k: int) -> None:
    responses = make_responses(90, k=k)
    train, test = responses.select(run=["01", "02", "03"]), responses.select(run="04")
    decoder = LinearDecoder(**options).fit(train)
    fold = LinearDecoder(**options).cross_validate(responses, n_permutations=0)
    assert decoder.score(test) == pytest.approx(fold.fold_scores[3])
    expected = fold.predictions.loc[fold.predictions["fold"] == 3, "predicted"]
    assert decoder.predict(test).tolist() == expected.tolist()
    probability = decoder.predict_proba(test)
    assert probability.shape == (len(test), k)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert decoder.coef_.shape == decoder.patterns_.shape == (1 if k == 2 else k, 10)


def test_fit_and_predict_values() -> None:
    responses = make_responses(90)
    decoder = LinearDecoder("regression").fit(responses, "strength")
    assert decoder.predict(responses).shape == (90,)
    assert decoder.score(responses, "strength") > 0.6
    assert decoder.alpha_ in decoder.alphas
    with pytest.raises(DataError, match="regression"):
        decoder.predict_proba(responses)


def test_classes_keep_their_type() -> None:
    x = make_responses().data
    decoder = LinearDecoder().fit(x, np.arange(48) % 2 + 5)
    assert decoder.classes_ == [5, 6]
    assert set(decoder.predict(x).tolist()) == {5, 6}


def test_selected_features_alone_have_weights() -> None:
    decoder = LinearDecoder(n_features=3).fit(make_responses(200))
    np.testing.assert_array_equal(np.flatnonzero(decoder.coef_[0]), [0, 1, 2])


def test_a_bad_unit_needs_no_value_at_prediction() -> None:
    responses = make_responses()
    decoder = LinearDecoder().fit(responses.replace(units=responses.units.assign(bad=np.arange(10) == 4)))
    data = responses.data.copy()
    data[:, 4] = np.nan
    assert len(decoder.predict(responses.replace(data=data))) == 48
    data[3, 2] = np.inf
    with pytest.raises(DataError, match=r"'u2'.*sample 3"):
        decoder.predict(data)


def test_misuse_of_a_fit_is_explained() -> None:
    responses = make_responses()
    with pytest.raises(DataError, match="not fitted"):
        LinearDecoder().predict(responses)
    decoder = LinearDecoder().fit(responses)
    with pytest.raises(DataError, match=r"\(9,\).*\(10,\)"):
        decoder.predict(responses.select(units=slice(0, 9)))
    with pytest.raises(DataError, match="unit 0 is 'u9'"):
        decoder.predict(responses.select(units=np.arange(10)[::-1]))
    with pytest.raises(DataError, match="'kind9'"):
        decoder.score(responses, ["kind9"] * 48)
    with pytest.raises(DataError, match="plain array"):
        LinearDecoder().fit(responses.data)
    with pytest.raises(DataError, match=r"48 samples, got shape \(3,\)"):
        LinearDecoder().fit(responses.data, [0, 1, 1])
    with pytest.raises(DataError, match="'kind'"):
        LinearDecoder().fit(responses, "kind")
    with pytest.raises(DataError, match=r"48 samples, got shape \(2,\)"):
        LinearDecoder("regression").fit(responses, "strength", groups=[0, 1])


# --- as scikit-learn asks ----------------------------------------------------------------------------------------------


def test_clone_and_parameters() -> None:
    decoder = LinearDecoder("classification", C=0.5, n_features=7)
    copy: LinearDecoder = sklearn.base.clone(decoder)
    assert copy.get_params() == decoder.get_params() == {f.name: getattr(decoder, f.name) for f in fields(decoder)}
    assert copy.set_params(C=2.0).C == 2.0
    with pytest.raises(DataError, match="did you mean 'n_features'"):
        copy.set_params(n_feature=3)
    with pytest.raises(DataError, match="C must"):
        copy.set_params(C=-1.0)
    assert copy.C == 2.0


def test_labels_of_a_stimulus_move_with_it() -> None:
    """Forty stimuli shown once per run; category belongs to the stimulus, so permutations shuffle stimuli, not samples."""
    rng = np.random.default_rng(0)
    stimulus = np.tile(np.arange(40), 3)
    samples = pd.DataFrame(
        {"stimulus": stimulus, "run": np.repeat([0, 1, 2], 40), "trial_type": np.where(stimulus % 2, "a", "b")}
    )
    x = rng.standard_normal((120, 6)) + 0.8 * rng.standard_normal((40, 6))[stimulus]
    responses = Responses(x, samples, pd.DataFrame({"name": list("uvwxyz")}))
    result = LinearDecoder().cross_validate(responses, groups="stimulus", n_splits=5, n_permutations=19)
    assert result.settings["permutation"] == "labels permuted between held-out groups"
    assert result.split == "5 folds over 40 groups by stimulus, whole groups held out"
    assert result.null_scores is not None
    assert result.null_scores.std() > 0.06  # as wide as forty stimuli make it, not as narrow as 120 samples would
