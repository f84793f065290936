"""Miniature BIDS data sets and fMRIPrep derivatives in their true layout on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd

SHAPE = (4, 5, 3)
AFFINE = np.array([[-3.0, 0, 0, 10], [0, 3, 0, -20], [0, 0, 3.5, 5], [0, 0, 0, 1]])
N_VOLUMES = 12
TR = 2.0
N_VERTICES = {"L": 7, "R": 9}
MNI = "MNI152NLin2009cAsym"


def write_description(root: Path, name: str = "miniature", **fields: Any) -> Path:
    """Write the file that makes a folder a BIDS data set."""
    root.mkdir(parents=True, exist_ok=True)
    return write_json(root / "dataset_description.json", {"Name": name, "BIDSVersion": "1.9.0", **fields})


def write_json(path: Path, fields: Any) -> Path:
    """Write a JSON file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fields), encoding="utf-8")
    return path


def write_table(path: Path, table: pd.DataFrame) -> Path:
    """Write a table of BIDS, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    return path


def write_volume(path: Path, data: np.ndarray, tr: float | None = TR, affine: np.ndarray = AFFINE, unit: str = "sec") -> Path:
    """Write a NIfTI image; with `tr` None the header states no repetition time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", unit if data.ndim == 4 else None)
    if data.ndim == 4:
        image.header["pixdim"][4] = 0 if tr is None else tr
    image.to_filename(path)
    return path


def write_surface(path: Path, data: np.ndarray) -> Path:
    """Write a time series (n_vertices, n_times) as fMRIPrep does: one array per volume."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = [nibabel.gifti.GiftiDataArray(column.astype(np.float32), intent="NIFTI_INTENT_TIME_SERIES") for column in data.T]
    nibabel.GiftiImage(darrays=arrays).to_filename(path)
    return path


def write_grayordinates(path: Path, data: np.ndarray, tr: float = TR) -> Path:
    """Write a CIFTI series (n_times, 8): three vertices of each hemisphere and two voxels of the left thalamus."""
    path.parent.mkdir(parents=True, exist_ok=True)
    left = nibabel.cifti2.BrainModelAxis.from_surface([0, 2, 5], N_VERTICES["L"], name="CortexLeft")
    right = nibabel.cifti2.BrainModelAxis.from_surface([1, 3, 8], N_VERTICES["R"], name="CortexRight")
    mask = np.zeros(SHAPE, bool)
    mask[1, 2, 1:3] = True
    thalamus = nibabel.cifti2.BrainModelAxis.from_mask(mask, name="thalamus_left", affine=AFFINE)
    axes = (nibabel.cifti2.SeriesAxis(0, tr, len(data), "SECOND"), left + right + thalamus)
    nibabel.Cifti2Image(data.astype(np.float32), axes).to_filename(path)
    return path


def events(n: int = 4, tr: float = TR) -> pd.DataFrame:
    """Events every three volumes."""
    kinds = (["face", "house"] * n)[:n]
    onset = 3 * tr * np.arange(n)
    return pd.DataFrame({"onset": onset, "duration": tr, "trial_type": kinds, "response_time": [0.5, np.nan] * (n // 2)})


def bold(seed: int, shape: Sequence[int] = SHAPE) -> np.ndarray:
    """A run of integers, as scanners write them."""
    return np.random.default_rng(seed).integers(0, 2000, (*shape, N_VOLUMES)).astype(np.int16)


def write_raw(root: Path, subjects: Sequence[str] = ("01",), runs: Sequence[str] = ("1", "2")) -> Path:
    """A raw data set of one task: runs, events, and one sidecar at the root for all runs."""
    write_description(root, DatasetType="raw")
    write_json(root / "task-words_bold.json", {"TaskName": "words", "RepetitionTime": TR, "SliceTiming": [0.0, 1.0, 0.5]})
    for subject in subjects:
        for run in runs:
            stem = root / f"sub-{subject}" / "func" / f"sub-{subject}_task-words_run-{run}"
            write_volume(stem.with_name(stem.name + "_bold.nii.gz"), bold(int(run)))
            write_table(stem.with_name(stem.name + "_events.tsv"), events())
    return root


def write_fmriprep(root: Path, subjects: Sequence[str] = ("01",), runs: Sequence[str] = ("1", "2")) -> Path:
    """The derivatives of `write_raw` as fMRIPrep lays them out: two volumes, a surface and grayordinates per run."""
    made_by = [{"Name": "fMRIPrep", "Version": "24.1.1"}]
    write_description(root, "fMRIPrep - fMRI PREProcessing workflow", DatasetType="derivative", GeneratedBy=made_by)
    for subject in subjects:
        for run in runs:
            _write_preprocessed(root / f"sub-{subject}" / "func", f"sub-{subject}_task-words_run-{run}", int(run))
    return root


def _write_preprocessed(folder: Path, stem: str, seed: int) -> None:
    timing = {"RepetitionTime": TR, "StartTime": 0.5, "SliceTimingCorrected": True, "SkullStripped": False}
    for space, shift in ((MNI, 0), ("T1w", 100)):
        prefix = f"{stem}_space-{space}"
        write_volume(folder / f"{prefix}_desc-preproc_bold.nii.gz", bold(seed + shift).astype(np.float32) / 3)
        write_json(folder / f"{prefix}_desc-preproc_bold.json", timing)
        write_volume(folder / f"{prefix}_boldref.nii.gz", bold(seed)[..., 0])
        write_volume(folder / f"{prefix}_desc-brain_mask.nii.gz", brain_mask().astype(np.uint8))
    for side, number in N_VERTICES.items():
        name = f"{stem}_hemi-{side}_space-fsaverage5_bold"
        write_surface(folder / f"{name}.func.gii", np.random.default_rng(seed).standard_normal((number, N_VOLUMES)))
        write_json(folder / f"{name}.json", timing)
    name = f"{stem}_space-fsLR_den-91k_bold"
    write_grayordinates(folder / f"{name}.dtseries.nii", np.random.default_rng(seed).standard_normal((N_VOLUMES, 8)))
    write_json(folder / f"{name}.json", timing)
    motion = pd.DataFrame(np.random.default_rng(seed).standard_normal((N_VOLUMES, 2)), columns=["trans_x", "rot_x"])
    derivative = motion["trans_x"].diff()
    write_table(folder / f"{stem}_desc-confounds_timeseries.tsv", motion.assign(trans_x_derivative1=derivative))
    write_json(folder / f"{stem}_desc-confounds_timeseries.json", {"trans_x": {"Units": "mm"}})


def brain_mask() -> np.ndarray:
    """A mask of 12 voxels that is different along each axis."""
    mask = np.zeros(SHAPE, bool)
    mask[1:3, 1:4, :2] = True
    return mask
