"""Folds: what is held out, gaps, what is permuted, and scores where folds are too small."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from decoding_data import make_responses

from neurodecode.data import Responses
from neurodecode.decode import LinearDecoder
from neurodecode.decode.evaluation import permuted_labels
from neurodecode.decode.folds import make_folds, permutation_blocks
from neurodecode.errors import DataError, SplitLeakError


def single_run(n: int = 60, n_times: int = 0, **meta: str) -> Responses:
    responses = make_responses(n, n_times=n_times, **meta)
    return responses.replace(samples=responses.samples.drop(columns="run"))


def test_run_means_subject_session_and_run() -> None:
    responses = make_responses()
    table = responses.samples.assign(subject=["01"] * 24 + ["02"] * 24, run=["1"] * 12 + ["2"] * 12 + ["1"] * 12 + ["2"] * 12)
    folds = make_folds(responses.replace(samples=table), "run", None, None)
    assert [s.name for s in folds.splits] == [f"subject=0{s}, run={r}" for s in (1, 2) for r in (1, 2)]
    assert all(len(s.test) == 12 for s in folds.splits)


def test_groups_are_dealt_out_to_fewer_folds() -> None:
    folds = make_folds(make_responses(), "run", 2, None)
    assert [len(s.test) for s in folds.splits] == [24, 24]
    assert folds.sentence == "2 folds over 4 groups by run, whole groups held out"


@pytest.mark.parametrize(
    ("modality", "n_times", "gap"), [("bold", 0, 12.0), ("eeg", 0, 4.0), ("eeg", 50, 0.49 + 2.0), ("bold", 20, 0.19 + 2.0)]
)
def test_a_single_run_is_cut_into_blocks_with_a_gap(modality: str, n_times: int, gap: float) -> None:
    responses = single_run(n_times=n_times, modality=modality)
    folds = make_folds(responses, "run", None, None)
    onset = responses.samples["onset"].to_numpy()
    assert folds.gap == pytest.approx(gap)
    assert len(folds.splits) == 5
    for split in folds.splits:
        distance = np.abs(onset[split.train][:, None] - onset[split.test][None]).min()
        assert distance > gap
    assert f"{gap:g} s" in folds.notes[0]
    assert "single run" in folds.notes[0]


def test_a_run_column_with_one_value_is_a_single_run_too() -> None:
    responses = make_responses()
    result = LinearDecoder().cross_validate(
        responses.replace(samples=responses.samples.assign(run="01")), n_permutations=3, n_splits=4, gap=15.0
    )
    assert result.settings["gap"] == 15.0
    assert result.fold_names == ["block=0", "block=1", "block=2", "block=3"]
    assert result.split == "4 contiguous blocks of a single run, each held out in turn, onsets within 15 s of it unused"
    assert result.notes[0].startswith("single run: contiguous blocks with a gap of 15 s")


def test_blocks_follow_onsets_not_rows() -> None:
    responses = single_run()
    order = np.random.default_rng(0).permutation(60)
    folds = make_folds(responses.select(order), "run", None, 5.0)
    onsets = responses.samples["onset"].to_numpy()[order]
    spans = [(onsets[s.test].min(), onsets[s.test].max()) for s in folds.splits]
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))


def test_subjects_without_runs_count_as_one_run_each() -> None:
    responses = single_run()
    table = responses.samples.assign(subject=np.repeat(["01", "02", "03"], 20))
    folds = make_folds(responses.replace(samples=table), "run", None, None)
    assert [s.name for s in folds.splits] == ["subject=01", "subject=02", "subject=03"]


def test_a_gap_shorter_than_the_window_is_a_leak() -> None:
    responses = single_run(n_times=50)
    table = responses.samples.assign(onset=0.1 * np.arange(60))
    with pytest.raises(SplitLeakError, match="overlap"):
        make_folds(responses.replace(samples=table), "run", None, 0.2)


@pytest.mark.parametrize(
    ("columns", "gap", "message"),
    [
        (["run", "onset"], None, r"no column 'run'.*'onset'.*trial_type"),
        (["onset"], None, r"needs an 'onset'.*columns with several groups"),
        (["run"], 1e6, r"leaves nothing to train on.*columns with several groups"),
    ],
)
def test_no_way_to_divide_names_alternatives(columns: list[str], gap: float | None, message: str) -> None:
    responses = make_responses()
    table = responses.samples.assign(run="01").drop(columns=columns)
    with pytest.raises(DataError, match=message):
        make_folds(responses.replace(samples=table), "run", None, gap)


def test_a_class_in_one_run_only_is_refused_with_fold_and_class() -> None:
    responses = make_responses()
    names = responses.samples["trial_type"].where(responses.samples["run"] != "03", "odd")
    with pytest.raises(DataError, match=r"'odd'.*run=03.*strength"):
        LinearDecoder().cross_validate(responses.replace(samples=responses.samples.assign(trial_type=names)))


def permutation_of(responses: Responses, target: str = "trial_type", groups: str = "run") -> tuple[np.ndarray, np.ndarray, str]:
    setup = LinearDecoder().set_up(responses, target, groups)
    return setup.problem.y, permuted_labels(setup.problem, 0), setup.permutation


def test_labels_are_permuted_within_runs() -> None:
    responses = make_responses()
    y, shuffled, words = permutation_of(responses)
    assert words == "labels permuted within runs"
    assert not np.array_equal(y, shuffled)
    runs = responses.groups("run")
    assert all(y[runs == r].sum() == shuffled[runs == r].sum() for r in range(4))


def test_labels_of_subjects_move_with_subjects_but_labels_of_samples_do_not() -> None:
    responses = make_responses(64, n_runs=8)
    table = responses.samples.assign(subject=responses.samples["run"])
    table["patient"] = np.where(table["run"].astype(int) % 2, "yes", "no")
    both = responses.replace(samples=table)
    _y, shuffled, words = permutation_of(both, "patient", "subject")
    assert words == "labels permuted between held-out groups"
    assert all(len(set(shuffled[responses.groups("run") == r])) == 1 for r in range(8))
    assert permutation_of(both, "trial_type", "subject")[2] == "labels permuted within runs"


def test_labels_of_runs_move_with_runs_when_subjects_are_held_out() -> None:
    responses = make_responses(64, n_runs=8)
    table = responses.samples.assign(subject=np.repeat(["01", "02"], 32))
    table["state"] = np.where(table["run"].astype(int) % 2, "rest", "task")
    data = responses.replace(samples=table)
    folds = make_folds(data, "subject", None, None)
    y = (table["state"] == "task").to_numpy(int)
    blocks, between, words = permutation_blocks(data, folds, y)
    assert (between, words) == (True, "labels permuted between runs")
    assert len(np.unique(blocks)) == 8


def test_folds_of_one_class_are_scored_together() -> None:
    """Leave one stimulus out: a fold has one class, and an area under the curve needs two."""
    responses = make_responses(40)
    table = responses.samples.assign(stimulus=np.arange(40))
    result = LinearDecoder(estimator="lda").cross_validate(responses.replace(samples=table), groups="stimulus", n_permutations=9)
    assert np.isnan(result.fold_scores).all()
    assert result.score > 0.8
    assert result.p_value == 0.1
    assert any("pooled" in note for note in result.notes)
    assert result.to_dict()["fold_scores"] == [None] * 40


def test_a_rare_class_may_vanish_from_a_permuted_training_part() -> None:
    """Blocks of a single run: permuting may put all samples of a rare class into the held-out block."""
    rng = np.random.default_rng(0)
    kinds = np.array(["a"] * 20)
    kinds[[3, 11]] = "b"
    samples = pd.DataFrame({"trial_type": kinds, "onset": 10.0 * np.arange(20)})
    responses = Responses(rng.standard_normal((20, 4)), samples, pd.DataFrame({"name": list("wxyz")}))
    for options in ({"estimator": "lda"}, {"C": 0.1}):
        result = LinearDecoder(**options).cross_validate(responses, n_permutations=60, n_splits=2, gap=1.0)  # type: ignore[arg-type]
        assert result.null_scores is not None
        assert np.isfinite(result.null_scores).all()
