"""BIDS data sets as they are: the Haxby slice with both derivatives, and the summaries of all four sets."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from neurodecode.data.convert_nifti import to_nifti
from neurodecode.errors import DataError, FormatError
from neurodecode.io import bids_files, describe_bids, read_bids, read_bids_all, read_confounds, read_dseg, read_mask
from neurodecode.io.bids_tables import read_events

Real = Callable[..., Path]
STEM = "sub-1_task-objectviewing_run-"


def test_eight_runs_of_the_slice(real: Real):
    root = real("haxby2001")
    recordings = read_bids_all(root, subject="1", task="objectviewing", mask="auto")
    assert [r.meta["run"] for r in recordings] == [f"0{n}" for n in range(1, 9)]
    mask = nibabel.load(next(root.rglob("*slicemask/sub-1/func/*mask.nii.gz"))).get_fdata() != 0
    for recording in recordings:
        image = nibabel.load(root / "sub-1" / "func" / f"{STEM}{recording.meta['run']}_bold.nii.gz")
        np.testing.assert_array_equal(np.asarray(recording.data), image.get_fdata(dtype=np.float32)[mask])
        assert (recording.n_channels, recording.n_times, recording.sfreq, recording.t0) == (530, 121, 0.4, 0.0)
        assert recording.meta["preprocessed"] is False
        table = pd.read_csv(root / "sub-1" / "func" / f"{STEM}{recording.meta['run']}_events.tsv", sep="\t")
        pd.testing.assert_frame_equal(recording.events[list(table)], table, check_dtype=False)
        assert recording.events["trial_type"].nunique() == 8


def test_the_whole_brain_at_25_mm(real: Real):
    root = real("haxby2001")
    recordings = read_bids_all(root, derivatives="lowres25mm")
    assert len(recordings) == 8
    for recording in recordings:
        path = root / recording.meta["sources"][0]["file"]
        np.testing.assert_array_equal(
            np.asarray(recording.data), nibabel.load(path).get_fdata(dtype=np.float32).reshape(600, 121)
        )
        assert recording.meta["preprocessed"] is True
        assert len(recording.events) == 8
        confounds = read_confounds(recording, root)
        assert confounds.columns.tolist() == ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]
        assert len(confounds) == recording.n_times
    assert read_bids(root, derivatives="lowres25mm", run=1, res="25mm", mask="auto").n_channels == 129


def test_a_run_goes_back_into_its_volume(real: Real):
    root = real("haxby2001")
    recording = read_bids(root, run="run-02")
    image = nibabel.load(root / "sub-1" / "func" / f"{STEM}02_bold.nii.gz")
    back = to_nifti(recording)
    np.testing.assert_array_equal(back.get_fdata(), image.get_fdata())
    np.testing.assert_array_equal(back.affine, image.affine)
    assert back.header.get_zooms() == pytest.approx(image.header.get_zooms())


def test_masks_and_atlas(real: Real):
    root = real("haxby2001")
    masks = bids_files(root, derivatives="lowres25mm", suffix="mask")
    sizes = {mask.entities.get("label", mask.entities.get("desc")): int(read_mask(mask.path).data.sum()) for mask in masks}
    assert sizes == {"brain": 129, "GM": 28, "VT": 1, "WM": 34}
    (atlas,) = bids_files(root, derivatives="lowres25mm", suffix="dseg")
    labels = read_dseg(atlas.path).labels
    np.testing.assert_array_equal(labels, nibabel.load(atlas.path).get_fdata().astype(int))
    with pytest.raises(FormatError, match="Give threshold= for probabilities, or use read_dseg"):
        read_mask(atlas.path)


def test_a_mask_of_another_grid_is_refused(real: Real):
    root = real("haxby2001")
    (mask,) = bids_files(root, derivatives="slicemask", suffix="mask")
    with pytest.raises(DataError, match=r"the mask has shape \(40, 20, 1\), the images \(6, 10, 10\)"):
        read_bids(root, run=1, derivatives="lowres25mm", mask=mask.path)


def test_several_runs_are_listed_and_a_missing_one_is_explained(real: Real):
    root = real("haxby2001")
    with pytest.raises(DataError, match=rf"8 recordings match subject=1: sub-1/func/{STEM}01_bold.nii.gz, "):
        read_bids(root, subject="1")
    with pytest.raises(DataError, match="no file has run='9'; there are 01, 02, 03, 04, 05, 06, 07, 08"):
        read_bids(root, run=9)
    with pytest.raises(DataError, match=r"no file has subject='2'; there is 1$"):
        read_bids(root, subject="2")


@pytest.mark.parametrize(
    ("name", "subjects", "tasks", "n_runs", "datatype", "n_events"),
    [
        ("haxby2001", ["1"], ["objectviewing"], 8, "func", 64),
        ("muse_n170", ["1"], ["n170"], 4, "eeg", 781),
        ("muse_p300", ["1"], None, None, "eeg", None),
        ("ecog_seizure", ["pat01"], ["seizure"], 1, "ieeg", None),
    ],
)
def test_summaries(real: Real, name: str, subjects: list[str], tasks: list[str], n_runs: int, datatype: str, n_events: int):
    summary = describe_bids(real(name))
    assert summary.subjects == subjects
    assert tasks is None or summary.tasks == tasks
    assert summary.datatypes == [datatype]
    assert n_runs is None or len(summary.recordings) == n_runs
    assert n_events is None or summary.recordings["n_events"].sum() == n_events
    assert sum(sum(kinds.values()) for kinds in summary.trial_types.values()) <= summary.recordings["n_events"].sum()


def test_derivatives_are_found_with_their_pipelines(real: Real):
    lowres, slicemask = describe_bids(real("haxby2001")).derivatives
    assert (lowres.name, lowres.spaces, lowres.n_recordings) == ("lowres25mm", ["native"], 8)
    assert lowres.pipelines == ["PyMVPA tools/gen_testing_tutorial_data"]
    assert (slicemask.name, slicemask.n_recordings) == ("slicemask", 0)


@pytest.mark.parametrize("name", ["haxby2001", "muse_n170", "muse_p300", "ecog_seizure"])
def test_every_table_of_events_equals_that_of_pandas(real: Real, name: str):
    files = bids_files(real(name), suffix="events")
    assert files
    for file in files:
        expected = pd.read_csv(file.path, sep="\t", na_values="n/a")
        pd.testing.assert_frame_equal(read_events(file.path), expected, check_dtype=False)


def test_a_part_of_a_data_set_is_not_taken_for_it(real: Real):
    with pytest.raises(FormatError, match=r"Did you mean .*haxby2001\?"):
        read_bids(real("haxby2001", "sub-1"), run=1)


@pytest.mark.parametrize(
    ("name", "question", "kinds", "n_events"),
    [("muse_n170", {"session": "1", "run": 2}, {"eeg"}, 195), ("ecog_seizure", {"subject": "pat01"}, {"ecog", "ecg"}, 1)],
)
def test_the_same_door_opens_eeg_and_ieeg(real: Real, name: str, question: dict[str, object], kinds: set[str], n_events: int):
    recording = read_bids(real(name), **question)
    assert set(recording.channels["kind"]) == kinds
    assert len(recording.events) == n_events
    assert recording.meta["modality"] == ("eeg" if name == "muse_n170" else "ieeg")
