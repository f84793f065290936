"""BOLD runs of BIDS data sets and of fMRIPrep derivatives."""

import shutil
from pathlib import Path

import bids_trees
import nibabel
import numpy as np
import pandas as pd
import pytest

from neurodecode.data.hashing import sha256_file
from neurodecode.errors import DataError, FormatError
from neurodecode.io import bids_files, read_bids, read_bids_all, read_confounds
from neurodecode.io.bids import open_recording
from neurodecode.io.bids_bold import find_mask

MNI = bids_trees.MNI


@pytest.fixture(scope="module")
def shared_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set that tests only read."""
    root = bids_trees.write_raw(tmp_path_factory.mktemp("bids") / "set")
    bids_trees.write_fmriprep(root / "derivatives" / "fmriprep")
    return root


@pytest.fixture
def tree(shared_tree: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return shutil.copytree(shared_tree, tmp_path / "copy")


def preprocessed(tree: Path, ending: str, run: int = 1) -> Path:
    return tree / "derivatives" / "fmriprep" / "sub-01" / "func" / f"sub-01_task-words_run-{run}_{ending}"


def test_a_raw_run(shared_tree: Path):
    recording = read_bids(shared_tree, subject="01", task="words", run=1)
    np.testing.assert_array_equal(np.asarray(recording.data), bids_trees.bold(1).reshape(60, 12))
    assert (recording.sfreq, recording.t0) == (0.5, 0.0)
    assert recording.events["trial_type"].tolist() == ["face", "house", "face", "house"]
    meta = recording.meta
    assert (meta["subject"], meta["task"], meta["run"]) == ("01", "words", "1")
    assert (meta["modality"], meta["preprocessed"]) == ("bold", False)
    assert "session" not in meta
    assert "confounds" not in meta
    stem = "sub-01/func/sub-01_task-words_run-1"
    assert [source["file"] for source in meta["sources"]] == [f"{stem}_bold.nii.gz", f"{stem}_events.tsv"]
    assert all(source["sha256"] == sha256_file(shared_tree / source["file"]) for source in meta["sources"])


def test_a_preprocessed_run(shared_tree: Path):
    recording = read_bids(shared_tree, subject="01", run="1", derivatives="fmriprep", space=MNI)
    path = preprocessed(shared_tree, f"space-{MNI}_desc-preproc_bold.nii.gz")
    np.testing.assert_array_equal(np.asarray(recording.data), nibabel.load(path).get_fdata(dtype=np.float32).reshape(60, 12))
    assert recording.t0 == 0.5
    assert recording.events["onset"].tolist() == [0, 6, 12, 18]
    meta = recording.meta
    assert meta["preprocessed"] is True
    assert meta["space"]["name"] == MNI
    assert meta["sources"][0]["file"] == path.relative_to(shared_tree).as_posix()
    assert meta["sources"][1]["file"] == "sub-01/func/sub-01_task-words_run-1_events.tsv"
    assert read_confounds(recording, shared_tree).columns.tolist() == ["trans_x", "rot_x", "trans_x_derivative1"]


def test_two_hemispheres_are_one_recording(shared_tree: Path):
    recording = read_bids(shared_tree, run=1, derivatives="fmriprep", space="fsaverage5")
    parts = [nibabel.load(preprocessed(shared_tree, f"hemi-{h}_space-fsaverage5_bold.func.gii")) for h in "LR"]
    expected = np.concatenate([np.stack([array.data for array in part.darrays], axis=1) for part in parts])
    np.testing.assert_array_equal(np.asarray(recording.data), expected)
    assert recording.channels["hemisphere"].value_counts().to_dict() == bids_trees.N_VERTICES
    assert (recording.sfreq, recording.t0) == (0.5, 0.5)
    assert recording.meta["confounds"].endswith("desc-confounds_timeseries.tsv")
    assert len(recording.events) == 4
    assert len(recording.meta["sources"]) == 3


def test_one_hemisphere_alone(shared_tree: Path):
    recording = read_bids(shared_tree, run=1, derivatives="fmriprep", space="fsaverage5", hemi="R")
    assert recording.names == [f"R_{v}" for v in range(9)]


def test_grayordinates(shared_tree: Path):
    recording = read_bids(shared_tree, run=2, derivatives="fmriprep", space="fsLR", den="91k")
    path = preprocessed(shared_tree, "space-fsLR_den-91k_bold.dtseries.nii", run=2)
    np.testing.assert_array_equal(np.asarray(recording.data), nibabel.load(path).get_fdata(dtype=np.float32).T)
    assert (recording.t0, recording.meta["run"], recording.meta["space"]["type"]) == (0.5, "2", "cifti")


def test_all_runs_in_order(shared_tree: Path):
    recordings = read_bids_all(shared_tree, derivatives="fmriprep", space="T1w")
    assert [recording.meta["run"] for recording in recordings] == ["1", "2"]
    assert not np.array_equal(np.asarray(recordings[0].data), np.asarray(recordings[1].data))


def test_several_matches_are_listed(shared_tree: Path):
    with pytest.raises(DataError) as error:
        read_bids(shared_tree, subject="01")
    stem = "sub-01/func/sub-01_task-words_run"
    expected = f"2 recordings match subject=01: {stem}-1_bold.nii.gz, {stem}-2_bold.nii.gz. Narrow it down, or use read_bids_all"
    assert str(error.value) == expected


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"subject": "02"}, "no recording matches subject=02: no file has subject='02'; there is 01$"),
        ({"subject": "1"}, r"did you mean '01'\?"),
        ({"task": "word"}, r"there is words \(did you mean 'words'\?\)"),
        ({"run": 3}, "no file has run='3'; there are 1, 2"),
        ({"session": "a"}, "none of the 2 files that match so far has session"),
        ({"datatype": "eeg"}, "no file has datatype='eeg'; there is func"),
        (
            {"derivatives": "fmriprep", "space": "MNI"},
            "no file has space='MNI'; there are MNI152NLin2009cAsym, T1w, fsLR, fsaverage5",
        ),
        ({"derivatives": "fmriprep", "space": "T1w", "desc": "smooth"}, "no file has desc='smooth'; there is preproc"),
        ({"derivatives": "fmriprep", "res": 2}, "files that match so far has res"),
        ({"derivatives": "fmripreb"}, "did you mean 'fmriprep'"),
        ({"subjects": "01"}, "no BIDS entity 'subjects'.*did you mean 'subject'"),
    ],
)
def test_no_match_says_what_there_is(shared_tree: Path, question: dict[str, object], message: str):
    for reader in (read_bids, read_bids_all):
        with pytest.raises((DataError, FormatError), match=message):
            reader(shared_tree, **question)


def test_one_run_in_several_spaces_is_not_read_as_several_runs(shared_tree: Path):
    with pytest.raises(
        DataError, match=r"one run matches in 4 versions: .*T1w_desc-preproc.*Choose one with space= or den= or desc="
    ):
        read_bids_all(shared_tree, derivatives="fmriprep")


def test_echoes_of_one_run_are_not_read_as_several_runs(tmp_path: Path):
    bids_trees.write_description(tmp_path)
    for echo in (1, 2):
        bids_trees.write_volume(tmp_path / "sub-1" / "func" / f"sub-1_task-x_echo-{echo}_bold.nii", bids_trees.bold(echo))
    with pytest.raises(DataError, match=r"in 2 versions.*Choose one with echo="):
        read_bids_all(tmp_path)
    recording = read_bids(tmp_path, echo=2)
    np.testing.assert_array_equal(np.asarray(recording.data), bids_trees.bold(2).reshape(60, 12))


def test_the_brain_mask_of_the_same_space(shared_tree: Path):
    inside = bids_trees.brain_mask()
    recording = read_bids(shared_tree, run=1, derivatives="fmriprep", space="T1w", mask="auto")
    whole = read_bids(shared_tree, run=1, derivatives="fmriprep", space="T1w")
    np.testing.assert_array_equal(np.asarray(recording.data), np.asarray(whole.data)[inside.ravel()])
    assert recording.names == [name for name, kept in zip(whole.names, inside.ravel(), strict=True) if kept]
    file = bids_files(shared_tree, derivatives="fmriprep", space="T1w", run=1, suffix="bold")[0]
    assert find_mask(file) == preprocessed(shared_tree, "space-T1w_desc-brain_mask.nii.gz")


def test_a_mask_of_another_resolution_is_not_taken(tree: Path):
    mask = preprocessed(tree, "space-T1w_desc-brain_mask.nii.gz")
    mask.rename(preprocessed(tree, "space-T1w_res-2_desc-brain_mask.nii.gz"))
    with pytest.raises(FormatError, match="no desc-brain_mask of space-T1w was found in .*fmriprep. Give mask="):
        read_bids(tree, run=1, derivatives="fmriprep", space="T1w", mask="auto")


def test_a_raw_run_takes_the_native_mask_of_its_derivatives(tree: Path):
    with pytest.raises(FormatError, match="no desc-brain_mask of the native space"):
        read_bids(tree, run=1, mask="auto")
    mask = bids_trees.write_volume(preprocessed(tree, "desc-brain_mask.nii.gz"), bids_trees.brain_mask().astype(np.uint8))
    assert read_bids(tree, run=1, mask="auto").data.shape == (12, 12)
    bids_trees.write_description(tree / "derivatives" / "other")
    shutil.copytree(mask.parent, tree / "derivatives" / "other" / "sub-01" / "func")
    with pytest.raises(DataError, match="2 brain masks fit sub-01_task-words_run-1_bold.nii.gz"):
        read_bids(tree, run=1, mask="auto")
    assert read_bids(tree, run=1, mask=mask).data.shape == (12, 12)


def test_the_mask_of_the_run_goes_before_that_of_the_task(tree: Path):
    shared = bids_trees.write_volume(
        tree / "derivatives" / "fmriprep" / "sub-01" / "func" / "sub-01_task-words_space-T1w_desc-brain_mask.nii.gz",
        np.ones(bids_trees.SHAPE, np.uint8),
    )
    own = preprocessed(tree, "space-T1w_desc-brain_mask.nii.gz")
    file = bids_files(tree, derivatives="fmriprep", space="T1w", run=1, suffix="bold")[0]
    assert find_mask(file) == own
    own.unlink()
    assert find_mask(file) == shared


def test_a_mask_of_voxels_does_not_fit_a_surface(shared_tree: Path):
    assert read_bids(shared_tree, run=1, derivatives="fmriprep", space="fsLR", mask="auto").n_channels == 8
    with pytest.raises(DataError, match="a mask selects voxels, .*dtseries.nii holds surfaces"):
        read_bids(shared_tree, run=1, derivatives="fmriprep", space="fsLR", mask=bids_trees.brain_mask())


def test_mask_and_tr_are_refused_where_they_mean_nothing(tmp_path: Path):
    bids_trees.write_description(tmp_path)
    folder = tmp_path / "sub-1" / "eeg"
    folder.mkdir(parents=True)
    (folder / "sub-1_task-x_eeg.edf").touch()
    with pytest.raises(DataError, match=r"mask= and tr= are for BOLD runs, sub-1_task-x_eeg.edf is eeg"):
        read_bids(tmp_path, tr=2.0)


@pytest.mark.parametrize("space", ["T1w", "fsaverage5", "fsLR"])
def test_timing_that_a_derivative_leaves_out_comes_from_the_raw_run(tree: Path, space: str):
    for path in (tree / "derivatives").rglob(f"*space-{space}*bold.json"):
        bids_trees.write_json(path, {"SliceTimingCorrected": True})
    recording = read_bids(tree, run=1, derivatives="fmriprep", space=space)
    assert (recording.sfreq, recording.t0) == (0.5, 0.5)  # slices at 0 to 1 s in the raw sidecar


def test_without_any_repetition_time_one_must_be_given(tree: Path):
    (tree / "task-words_bold.json").unlink()
    path = tree / "sub-01" / "func" / "sub-01_task-words_run-1_bold.nii.gz"
    bids_trees.write_volume(path, bids_trees.bold(1), tr=None)
    with pytest.raises(FormatError, match="neither its header nor a JSON sidecar gives a repetition time"):
        read_bids(tree, run=1)
    assert read_bids(tree, run=1, tr=1.25).sfreq == 0.8


def test_a_table_of_confounds_of_another_length_names_both_files(tree: Path):
    path = preprocessed(tree, "desc-confounds_timeseries.tsv")
    table = pd.read_csv(path, sep="\t")
    bids_trees.write_table(path, table.iloc[:-2])
    with pytest.raises(
        FormatError, match=r"run-1_desc-confounds_timeseries.tsv: it has 10 rows, .*T1w_desc-preproc_bold.nii.gz has 12 vol"
    ):
        read_bids(tree, run=1, derivatives="fmriprep", space="T1w")


def test_events_in_ms_name_both_files(tree: Path):
    path = tree / "sub-01" / "func" / "sub-01_task-words_run-1_events.tsv"
    events = bids_trees.events()
    bids_trees.write_table(path, events.assign(onset=1000 * events["onset"]))
    with pytest.raises(
        FormatError, match=r"run-1_events.tsv: its events start at 0 to 18000, the 12 volumes of .*run-1_bold.nii.gz end at 24 s"
    ):
        read_bids(tree, run=1)


def test_a_few_late_events_are_noted(tree: Path):
    path = tree / "sub-01" / "func" / "sub-01_task-words_run-1_events.tsv"
    bids_trees.write_table(path, bids_trees.events(6))
    assert read_bids(tree, run=1).meta["notes"] == ["2 of 6 events start after the last volume"]


def test_a_run_at_rest_has_no_events(tree: Path):
    (tree / "sub-01" / "func" / "sub-01_task-words_run-1_events.tsv").unlink()
    recording = read_bids(tree, run=1)
    assert len(recording.events) == 0
    assert len(recording.meta["sources"]) == 1


def test_derivatives_outside_of_the_data_set_find_its_events(tree: Path, tmp_path: Path):
    outside = Path(shutil.move(tree / "derivatives" / "fmriprep", tmp_path / "elsewhere"))
    recording = read_bids(tree, run=1, derivatives=outside, space="T1w")
    assert len(recording.events) == 4
    stem = "sub-01/func/sub-01_task-words_run-1"
    assert recording.meta["sources"][0]["file"] == f"{stem}_space-T1w_desc-preproc_bold.nii.gz"
    assert recording.meta["sources"][1]["file"] == f"{stem}_events.tsv"
    alone = read_bids(outside, run=1, space="T1w")
    assert len(alone.events) == 0
    assert alone.meta["preprocessed"] is True


def test_content_behind_links_keeps_the_names_of_the_data_set(tree: Path, tmp_path: Path):
    path = tree / "sub-01" / "func" / "sub-01_task-words_run-1_bold.nii.gz"
    hidden = path.rename(tmp_path / "annexed-object")
    path.symlink_to(hidden)
    recording = read_bids(tree, run=1)
    assert recording.meta["sources"][0]["file"] == "sub-01/func/sub-01_task-words_run-1_bold.nii.gz"
    np.testing.assert_array_equal(np.asarray(recording.data), bids_trees.bold(1).reshape(60, 12))


def test_sessions(tmp_path: Path):
    bids_trees.write_description(tmp_path)
    for session in ("a", "b"):
        folder = tmp_path / "sub-1" / f"ses-{session}" / "func"
        bids_trees.write_volume(folder / f"sub-1_ses-{session}_task-x_bold.nii", bids_trees.bold(ord(session)))
    bids_trees.write_table(tmp_path / "sub-1" / "ses-b" / "sub-1_ses-b_task-x_events.tsv", bids_trees.events(2))
    first, second = read_bids_all(tmp_path)
    assert (first.meta["session"], second.meta["session"]) == ("a", "b")
    assert (len(first.events), len(second.events)) == (0, 2)
    assert read_bids(tmp_path, session="ses-b").meta["session"] == "b"


def test_one_file_alone(shared_tree: Path):
    files = bids_files(shared_tree, derivatives="fmriprep", space="fsaverage5", run=1, suffix="bold")
    assert open_recording(files, shared_tree).n_channels == 16
    assert open_recording(files[:1], shared_tree).n_channels == 7
