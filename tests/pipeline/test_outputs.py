"""What stays and what goes when a pipeline runs again into a folder, and data sets whose files are links."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bids_trees import SHAPE, TR, bold, brain_mask, write_description, write_json, write_table, write_volume

from neurodecode.errors import ConfigError, CorruptFileError, NeurodecodeError, SplitLeakError
from neurodecode.pipeline import load_config, run_pipeline, verify
from neurodecode.pipeline.outputs import redraw
from neurodecode.pipeline.planning import find_units

OPTIONS = [
    "clean.allow_raw=true",
    "clean.confounds=null",
    "mask=null",
    "decode.n_permutations=3",
    "responses.method=block_average",
]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Three raw runs of blocks of two kinds."""
    root = tmp_path / "raw"
    write_description(root, License="CC0")
    write_json(root / "task-see_bold.json", {"TaskName": "see", "RepetitionTime": TR})
    for run in (1, 2, 3):
        stem = root / f"sub-01/func/sub-01_task-see_run-{run}"
        data = np.random.default_rng(run).integers(500, 900, (*SHAPE, 60)).astype(np.int16)
        write_volume(stem.with_name(stem.name + "_bold.nii.gz"), data)
        onsets = TR * np.array([2, 15, 28, 41])
        table = pd.DataFrame({"onset": onsets, "duration": 6 * TR, "trial_type": ["a", "b", "b", "a"]})
        write_table(stem.with_name(stem.name + "_events.tsv"), table)
    return root


def run(raw: Path, *more: str) -> Path:
    """Run the generic pipeline on raw data."""
    out = raw.parent / "out"
    run_pipeline(load_config("fmri_decoding", [*OPTIONS, *more]), raw, out)
    return out


def test_what_an_earlier_run_wrote_goes_and_what_others_wrote_stays(raw: Path):
    out = run(raw)
    older = out / "figures" / "older.svg"
    older.write_text("<svg/>")
    provenance = json.loads((out / "provenance.json").read_text())
    provenance["outputs"]["figures/older.svg"] = "0"
    (out / "provenance.json").write_text(json.dumps(provenance))
    (out / "notes.txt").write_text("mine")
    run(raw, "decode.C=0.1")
    assert not older.exists()
    assert (out / "notes.txt").read_text() == "mine"
    assert verify(out)[1] == []


def test_a_hostile_provenance_removes_nothing_outside(raw: Path):
    out = run(raw)
    outside = raw.parent / "precious.txt"
    outside.write_text("keep")
    provenance = json.loads((out / "provenance.json").read_text())
    provenance["outputs"] |= {"../precious.txt": "0", str(outside): "0"}
    (out / "provenance.json").write_text(json.dumps(provenance))
    run(raw, "decode.C=0.1")
    assert outside.read_text() == "keep"


def test_a_data_set_is_never_taken_for_an_output_folder(raw: Path):
    before = (raw / "dataset_description.json").read_bytes()
    with pytest.raises(ConfigError, match="another data set"):
        run_pipeline(load_config("fmri_decoding", OPTIONS), raw, raw)
    assert (raw / "dataset_description.json").read_bytes() == before


def test_a_report_is_drawn_again_with_the_same_bytes(raw: Path):
    out = run(raw)
    before = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    assert redraw(out).read_bytes() == before
    assert verify(out)[1] == []
    with pytest.raises(NeurodecodeError, match="not readable"):
        redraw(raw)


def test_links_of_git_annex_keep_their_names(raw: Path):
    """Data sets of OpenNeuro come with files that are links into a store of contents."""
    store = raw / ".git" / "annex" / "objects"
    store.mkdir(parents=True)
    path = raw / "sub-01/func/sub-01_task-see_run-1_bold.nii.gz"
    path.rename(store / "MD5E-1")
    path.symlink_to(store / "MD5E-1")
    unit = find_units(load_config("fmri_decoding", OPTIONS), raw)[0]
    assert unit.source == "sub-01/func/sub-01_task-see_run-1_bold.nii.gz"
    assert all(not name.startswith(".git") for name in unit.inputs)


def test_every_file_that_is_read_is_among_the_inputs(raw: Path):
    units = find_units(load_config("fmri_decoding", OPTIONS), raw)
    names = {Path(name).name for name in units[1].inputs}
    assert names == {"sub-01_task-see_run-2_bold.nii.gz", "sub-01_task-see_run-2_events.tsv", "task-see_bold.json"}


def test_derivatives_may_lie_elsewhere(raw: Path, tmp_path: Path):
    elsewhere = tmp_path / "prep"
    write_description(elsewhere, DatasetType="derivative", GeneratedBy=[{"Name": "fMRIPrep"}])
    name = "sub-01_task-see_run-1_space-T1w"
    write_volume(elsewhere / f"sub-01/func/{name}_desc-preproc_bold.nii.gz", bold(1).astype(np.float32))
    write_volume(elsewhere / f"sub-01/func/{name}_desc-brain_mask.nii.gz", brain_mask().astype(np.uint8))
    (unit,) = find_units(load_config("fmri_decoding", [f"input.derivatives={elsewhere}"]), raw)
    assert unit.source == f"prep/sub-01/func/{name}_desc-preproc_bold.nii.gz"
    assert unit.mask == f"prep/sub-01/func/{name}_desc-brain_mask.nii.gz"


def test_copies_are_refused_even_when_packed_anew(raw: Path):
    """The same numbers in another file: a changed time stamp in the gzip header, say."""
    import nibabel

    first, third = (raw / f"sub-01/func/sub-01_task-see_run-{i}_bold.nii.gz" for i in (1, 3))
    nibabel.Nifti1Image(
        np.asarray(nibabel.load(first).dataobj), nibabel.load(first).affine, nibabel.load(first).header
    ).to_filename(third)
    with pytest.raises(SplitLeakError, match=r"run-1_bold.*run-3_bold"):
        run(raw)


def test_an_error_about_a_file_keeps_its_type(raw: Path):
    path = raw / "sub-01/func/sub-01_task-see_run-2_bold.nii.gz"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(CorruptFileError, match="run-2_bold"):
        run(raw)
