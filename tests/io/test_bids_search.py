"""Finding files in BIDS data sets."""

import shutil
from pathlib import Path

import bids_trees
import pytest

from neurodecode.errors import DataError, FormatError
from neurodecode.io import bids_files
from neurodecode.io.bids_names import wanted
from neurodecode.io.bids_search import bids_file, dataset_root, derivative_names, find_recordings, raw_root


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = bids_trees.write_raw(tmp_path_factory.mktemp("bids") / "set", subjects=("01", "02"), runs=("1", "2", "10"))
    bids_trees.write_fmriprep(root / "derivatives" / "fmriprep", subjects=("01",), runs=("1", "2"))
    bids_trees.write_description(root / "derivatives" / "masks")
    return root


def test_files_come_in_natural_order(tree: Path):
    found = bids_files(tree, suffix="bold", extension=".nii.gz")
    assert [file.relative for file in found] == [
        f"sub-{s}/func/sub-{s}_task-words_run-{r}_bold.nii.gz" for s in ("01", "02") for r in ("1", "2", "10")
    ]
    first = found[0]
    assert (first.root, first.datatype, first.suffix, first.extension) == (tree, "func", "bold", ".nii.gz")
    assert first.entities == {"sub": "01", "task": "words", "run": "1"}


@pytest.mark.parametrize(
    ("filters", "number"),
    [
        ({}, 12),
        ({"subject": "01"}, 6),
        ({"subject": "sub-01", "run": "01"}, 2),
        ({"subject": ["01", "02"], "run": 10, "suffix": "events"}, 2),
        ({"subject": "1"}, 0),
        ({"datatype": "eeg"}, 0),
        ({"derivatives": "fmriprep", "suffix": "bold"}, 10),
        ({"derivatives": "fmriprep", "space": bids_trees.MNI, "desc": "preproc"}, 2),
        ({"derivatives": "fmriprep", "space": bids_trees.MNI, "desc": "preproc", "extension": "json"}, 2),
        ({"derivatives": "fmriprep", "hemi": "L", "run": 2}, 1),
        ({"derivatives": "fmriprep", "den": "91k", "extension": ".dtseries.nii"}, 2),
        ({"derivatives": "fmriprep", "desc": "confounds", "suffix": "timeseries"}, 2),
        ({"derivatives": "masks"}, 0),
    ],
)
def test_filters(tree: Path, filters: dict[str, object], number: int):
    assert len(bids_files(tree, **filters)) == number


def test_parts_of_a_recording_are_listed_only_when_asked_for(tmp_path: Path):
    bids_trees.write_description(tmp_path)
    folder = tmp_path / "sub-1" / "ses-a" / "eeg"
    folder.mkdir(parents=True)
    for ending in ("eeg.vhdr", "eeg.vmrk", "eeg.eeg", "eeg.json", "channels.tsv"):
        (folder / f"sub-1_ses-a_task-x_{ending}").touch()
    (folder / "notes.txt").touch()
    assert [file.path.name for file in bids_files(tmp_path)] == ["sub-1_ses-a_task-x_channels.tsv", "sub-1_ses-a_task-x_eeg.vhdr"]
    assert [file.extension for file in bids_files(tmp_path, session="a", suffix="eeg", extension="vmrk")] == [".vmrk"]


def test_an_unknown_entity_is_an_error(tree: Path):
    with pytest.raises(DataError, match="no BIDS entity 'spaces'.*did you mean 'space'"):
        bids_files(tree, spaces="T1w")


def test_derivatives_by_name_by_path_and_outside_of_the_data_set(tree: Path, tmp_path: Path):
    by_name = bids_files(tree, derivatives="fmriprep", desc="preproc")
    assert bids_files(tree, derivatives=tree / "derivatives" / "fmriprep", desc="preproc") == by_name
    assert all(file.raw == tree for file in by_name)
    outside = tmp_path / "out"
    shutil.copytree(tree / "derivatives" / "fmriprep", outside)
    moved = bids_files(tree, derivatives=outside, desc="preproc")
    assert [file.relative for file in moved] == [file.relative for file in by_name]
    assert all(file.raw == tree and file.root == outside for file in moved)


def test_unknown_derivatives_suggest_those_that_exist(tree: Path):
    assert derivative_names(tree) == ["fmriprep", "masks"]
    with pytest.raises(FormatError, match="no derivatives 'fmriprp'.*did you mean 'fmriprep'"):
        bids_files(tree, derivatives="fmriprp")
    with pytest.raises(FormatError, match=r"no derivatives 'x'.*it has none"):
        bids_files(tree / "derivatives" / "masks", derivatives="x")


def test_a_derivative_without_description_is_refused(tree: Path, tmp_path: Path):
    bids_trees.write_description(tmp_path)
    (tmp_path / "derivatives" / "mine").mkdir(parents=True)
    with pytest.raises(FormatError, match="mine: this is not the root of a BIDS data set"):
        bids_files(tmp_path, derivatives="mine")


def test_a_wrong_root_names_the_nearest_data_set(tree: Path, tmp_path: Path):
    with pytest.raises(FormatError, match=rf"no dataset_description.json. Did you mean {tree}\?"):
        dataset_root(tree / "sub-01")
    with pytest.raises(FormatError, match=rf"Did you mean {tree}\?"):
        dataset_root(tree.parent)
    with pytest.raises(FormatError, match="A BIDS root has a dataset_description.json"):
        dataset_root(tmp_path)
    with pytest.raises(FormatError, match="there is no such folder"):
        dataset_root(tmp_path / "nothing")


def test_a_file_by_its_path(tree: Path):
    path = tree / "derivatives" / "fmriprep" / "sub-01" / "func" / "sub-01_task-words_run-1_desc-confounds_timeseries.tsv"
    file = bids_file(path)
    assert file.root == tree / "derivatives" / "fmriprep"
    assert file.entities["desc"] == "confounds"
    assert raw_root(file.root) == tree
    assert raw_root(tree) is None


def test_a_file_outside_of_a_data_set_or_of_another_name_is_refused(tree: Path, tmp_path: Path):
    with pytest.raises(FormatError, match="no folder above it has a dataset_description.json"):
        bids_file(tmp_path / "sub-01_bold.nii.gz")
    with pytest.raises(FormatError, match="does not follow BIDS"):
        bids_file(tree / "sub-01" / "func" / "run1.nii.gz")


def test_the_two_hemispheres_and_the_parts_of_a_split_file_are_one_recording(tree: Path, tmp_path: Path):
    groups = find_recordings(tree, "fmriprep", wanted(space="fsaverage5", run=1))
    assert [[file.entities["hemi"] for file in group] for group in groups] == [["L", "R"]]
    bids_trees.write_description(tmp_path)
    folder = tmp_path / "sub-1" / "meg"
    folder.mkdir(parents=True)
    for name in ("task-x_split-01_meg", "task-x_split-02_meg", "acq-crosstalk_meg", "task-y_meg"):
        (folder / f"sub-1_{name}.fif").touch()
    names = [[file.path.name for file in group] for group in find_recordings(tmp_path)]
    assert names == [["sub-1_task-x_split-01_meg.fif", "sub-1_task-x_split-02_meg.fif"], ["sub-1_task-y_meg.fif"]]


def test_preprocessed_volumes_are_those_of_desc_preproc(tmp_path: Path):
    root = bids_trees.write_fmriprep(tmp_path / "out", runs=("1",))
    folder = root / "sub-01" / "func"
    names = [group[0].path.name for group in find_recordings(root, None, wanted(space="T1w"))]
    assert names == ["sub-01_task-words_run-1_space-T1w_desc-preproc_bold.nii.gz"]
    old = folder / names[0]
    old.rename(folder / names[0].replace("preproc", "denoised"))
    with pytest.raises(DataError, match="no BOLD run has desc-preproc, there are desc denoised: pass desc="):
        find_recordings(root, None, wanted(space="T1w"))
    assert len(find_recordings(root, None, wanted(desc="denoised"))) == 1


def test_a_data_set_without_recordings_says_where_they_may_be(tree: Path, tmp_path: Path):
    bids_trees.write_description(tmp_path)
    with pytest.raises(FormatError, match=r"holds no recording.*Expected files like"):
        find_recordings(tmp_path)
    bids_trees.write_fmriprep(tmp_path / "derivatives" / "fmriprep", runs=("1",))
    with pytest.raises(FormatError, match=r"Its derivatives are \['fmriprep'\]"):
        find_recordings(tmp_path)
