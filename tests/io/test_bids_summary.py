"""Summaries of BIDS data sets."""

from pathlib import Path

import bids_trees
import pytest

from neurodecode.errors import FormatError
from neurodecode.io import describe_bids


def test_what_a_data_set_holds(tmp_path: Path):
    root = bids_trees.write_raw(tmp_path / "set", subjects=("02", "10", "9"), runs=("1", "2"))
    bids_trees.write_fmriprep(root / "derivatives" / "fmriprep", subjects=("02",), runs=("1",))
    bids_trees.write_description(root / "derivatives" / "masks", PipelineDescription={"Name": "old style"})
    bids_trees.write_description(root / "derivatives" / "nameless", GeneratedBy=[{"Version": "1"}])
    summary = describe_bids(root)
    assert summary.name == "miniature"
    assert summary.subjects == ["02", "9", "10"]
    assert (summary.sessions, summary.tasks, summary.runs, summary.datatypes) == ([], ["words"], ["1", "2"], ["func"])
    assert summary.trial_types == {"words": {"face": 12, "house": 12}}
    assert summary.derivatives == [
        ("fmriprep", ["fMRIPrep 24.1.1"], [bids_trees.MNI, "T1w", "fsLR", "fsaverage5"], 4),
        ("masks", ["old style"], [], 0),
        ("nameless", [], [], 0),
    ]
    table = summary.recordings
    assert len(table) == 6
    assert table.iloc[0][["subject", "task", "run", "n_events"]].tolist() == ["02", "words", "1", 4]
    assert table["file"].iloc[0] == "sub-02/func/sub-02_task-words_run-1_bold.nii.gz"


def test_a_data_set_without_recordings_or_trial_types(tmp_path: Path):
    bids_trees.write_description(tmp_path)
    summary = describe_bids(tmp_path)
    assert (summary.subjects, summary.trial_types, len(summary.recordings)) == ([], {}, 0)
    bids_trees.write_volume(tmp_path / "sub-1" / "ses-x" / "func" / "sub-1_ses-x_task-rest_bold.nii", bids_trees.bold(0))
    summary = describe_bids(tmp_path)
    assert (summary.sessions, summary.runs, summary.trial_types) == (["x"], [], {"rest": {}})


def test_a_derivative_can_be_described_on_its_own(tmp_path: Path):
    root = bids_trees.write_fmriprep(tmp_path / "out", runs=("1",))
    assert len(describe_bids(root).recordings) == 4


def test_any_other_folder_is_refused(tmp_path: Path):
    with pytest.raises(FormatError, match="not the root of a BIDS data set"):
        describe_bids(tmp_path)
