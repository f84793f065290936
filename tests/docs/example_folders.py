"""Folders that some guides start from, made of the small real recordings: a clone of PyMVPA's example, a study after fMRIPrep."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

RUNS = range(1, 9)


def pymvpa_clone(data: Path, here: Path) -> None:
    """The files of the Haxby example where PyMVPA's repository has them."""
    source = data / "haxby2001" / "sub-1" / "func"
    for run in RUNS:
        folder = here / "PyMVPA" / "mvpa2" / "data" / "haxby2001" / "sub001" / "BOLD" / f"task001_run{run:03d}"
        folder.mkdir(parents=True)
        stem = f"sub-1_task-objectviewing_run-{run:02d}"
        shutil.copy(source / f"{stem}_bold.nii.gz", folder / "bold_1slice.nii.gz")
        shutil.copy(source / f"{stem}_events.tsv", folder / "bold_events.tsv")


def study_after_fmriprep(data: Path, here: Path) -> None:
    """Raw data with events, and below it a derivative laid out as fMRIPrep does: the slice, its mask, the head motion."""
    source, root = data / "haxby2001", here / "study"
    prepared = root / "derivatives" / "fmriprep" / "sub-1" / "func"
    prepared.mkdir(parents=True)
    shutil.copytree(source / "sub-1", root / "sub-1")
    shutil.copy(source / "dataset_description.json", root)
    described = {"Name": "fMRIPrep", "BIDSVersion": "1.9.0", "DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep"}]}
    (root / "derivatives" / "fmriprep" / "dataset_description.json").write_text(json.dumps(described), encoding="utf-8")
    (mask,) = (source / "derivatives" / "slicemask").rglob("*_mask.nii.gz")
    for run in RUNS:
        stem = f"sub-1_task-objectviewing_run-{run:02d}"
        confounds = next((source / "derivatives" / "lowres25mm").rglob(f"{stem}_desc-confounds_timeseries.tsv"))
        shutil.copy(confounds, prepared)
        shutil.copy(mask, prepared / f"{stem}_space-T1w_desc-brain_mask.nii.gz")
        shutil.copy(source / "sub-1" / "func" / f"{stem}_bold.nii.gz", prepared / f"{stem}_space-T1w_desc-preproc_bold.nii.gz")
        sidecar = {"RepetitionTime": 2.5, "StartTime": 0.0, "SkullStripped": False, "TaskName": "objectviewing"}
        (prepared / f"{stem}_space-T1w_desc-preproc_bold.json").write_text(json.dumps(sidecar), encoding="utf-8")


FOLDERS: dict[str, Callable[[Path, Path], None]] = {
    "docs/own_data/haxby.md": pymvpa_clone,
    "docs/own_data/fmri.md": study_after_fmriprep,
}
