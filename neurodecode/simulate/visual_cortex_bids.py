"""Files of the simulated visual cortex: a BIDS data set of digits, and what fMRIPrep would have made of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.validate import require

TASK = "digits"
SPACE = "fsaverage5"
_ENLARGED = 4  # times; 8 x 8 pixels are too small to look at
_README = """\
Simulated fMRI of a visual cortex that sees real handwritten digits, written by neurodecode.simulate.write_visual_cortex.
No person was scanned. There are no raw images: derivatives/fmriprep holds time series on fsaverage5, made up and laid out as
fMRIPrep lays them out. stimuli/ holds the digits, sourcedata/truth what was put into the signal, sourcedata/unseen the digits
that were not shown.
"""
_DESCRIPTION = {
    "Name": "Handwritten digits seen by a simulated visual cortex",
    "BIDSVersion": "1.9.0",
    "DatasetType": "raw",
    "License": "CC-BY-4.0",
    "Authors": ["The neurodecode developers"],
    "HowToAcknowledge": "Cite the authors of the digits and neurodecode",
    "ReferencesAndLinks": [
        "Alpaydin E, Kaynak C (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning Repository. "
        "https://doi.org/10.24432/C50P49"
    ],
}
_STIMULUS_COLUMNS = {
    "trial_type": {"Description": "The digit, 0 to 9, as text"},
    "stimulus": {"Description": "Id of the image: the digit and its row in scikit-learn's load_digits"},
    "stim_file": {"Description": "File of the image below stimuli/"},
}


def write_top(root: Path, subjects: Sequence[str], tr: float) -> None:
    """Write what describes the data set and its derivative.

    Parameters
    ----------
    root : Path
        Folder of the data set.
    subjects : sequence of str
        Labels of the subjects.
    tr : float
        Repetition time in s.
    """
    (root / "README").write_text(_README, encoding="utf-8")
    made_by = _generated_by()
    _write_json(root / "dataset_description.json", {**_DESCRIPTION, "GeneratedBy": made_by})
    derivative = {"Name": f"{_DESCRIPTION['Name']}, as after fMRIPrep", "DatasetType": "derivative"}
    fields = {**_DESCRIPTION, **derivative, "GeneratedBy": made_by}
    _write_json(root / "derivatives" / "fmriprep" / "dataset_description.json", fields)
    _write_table(root / "participants.tsv", pd.DataFrame({"participant_id": [f"sub-{subject}" for subject in subjects]}))
    _write_json(root / f"task-{TASK}_bold.json", {"TaskName": TASK, "RepetitionTime": tr})
    _write_json(root / f"task-{TASK}_events.json", _STIMULUS_COLUMNS)


def write_stimuli(folder: Path, trials: pd.DataFrame, images: NDArray[np.float64]) -> None:
    """Write every image that was shown as PNG.

    Parameters
    ----------
    folder : Path
        ``stimuli/`` of the data set.
    trials : DataFrame
        With ``stim_file``, one row per image.
    images : array of shape (n_trials, 8, 8)
        Ink from 0 to 1.
    """
    pillow = require("PIL.Image", "writing PNG files", "demo")
    folder.mkdir(parents=True)
    for name, image in dict(zip(trials["stim_file"], images, strict=True)).items():
        pillow.fromarray(as_picture(image)).save(folder / name)


def write_unseen(folder: Path, trials: pd.DataFrame, images: NDArray[np.float64]) -> None:
    """Write the images that nobody was shown as PNG: on these a generator may be trained.

    Parameters
    ----------
    folder : Path
        A new folder.
    trials : DataFrame
        With ``stimulus``, which ends in the number of the image.
    images : array of shape (n_images, 8, 8)
        All images, with ink from 0 to 1.
    """
    pillow = require("PIL.Image", "writing PNG files", "demo")
    folder.mkdir(parents=True)
    shown = {int(str(name).rsplit("_", 1)[-1]) for name in trials["stimulus"]}
    for number in sorted(set(range(len(images))) - shown):
        pillow.fromarray(as_picture(images[number])).save(folder / f"{number:04d}.png")


def as_picture(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Enlarge an image of 8 x 8 pixels to the picture that is shown.

    Parameters
    ----------
    image : array of shape (n_rows, n_columns)
        Ink from 0 to 1, drawn white on black.

    Returns
    -------
    NDArray[np.uint8]
        Shape (4 * n_rows, 4 * n_columns, 3).
    """
    grey = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
    return np.repeat(np.kron(grey, np.ones((_ENLARGED, _ENLARGED), np.uint8))[..., None], 3, axis=-1)


def write_run(
    root: Path, subject: str, run: int, events: pd.DataFrame, confounds: pd.DataFrame, bold: NDArray[np.float32], tr: float
) -> None:
    """Write one run: its events, and its surfaces, sidecars and confounds as fMRIPrep names them.

    Parameters
    ----------
    root : Path
        Folder of the data set.
    subject : str
        Label of the subject.
    run : int
        Number of the run.
    events : DataFrame
        ``onset`` and ``duration`` in s, and so on.
    confounds : DataFrame of shape (n_times, n_columns)
        Confounds.
    bold : array of shape (2 * n_vertices, n_times)
        Signal, the left hemisphere first.
    tr : float
        Repetition time in s.
    """
    stem = f"sub-{subject}_task-{TASK}_run-{run:02d}"
    _write_table(root / f"sub-{subject}" / "func" / f"{stem}_events.tsv", events)
    func = root / "derivatives" / "fmriprep" / f"sub-{subject}" / "func"
    timing = {"RepetitionTime": tr, "StartTime": tr / 2, "SliceTimingCorrected": True, "TaskName": TASK}
    names = [f"{stem}_hemi-{side}_space-{SPACE}_bold" for side in "LR"]
    for name in names:
        _write_json(func / f"{name}.json", timing)
    paths = [func / f"{name}.func.gii" for name in names]
    with ThreadPoolExecutor(2) as pool:  # nearly all the time goes into compression, which runs beside other threads
        list(pool.map(_write_surface, paths, np.split(bold, 2), "LR", [tr, tr]))
    _write_table(func / f"{stem}_desc-confounds_timeseries.tsv", confounds)


def _write_surface(path: Path, signal: NDArray[np.float32], side: str, tr: float) -> None:
    """A time series (n_vertices, n_times) as GIFTI, one compressed array per volume, as fMRIPrep writes it."""
    gifti = require("nibabel", "writing GIFTI", "fmri").gifti
    step = gifti.GiftiMetaData({"TimeStep": f"{1000 * tr:g}"})
    arrays = [
        gifti.GiftiDataArray(np.ascontiguousarray(volume), intent="NIFTI_INTENT_TIME_SERIES", datatype="float32", meta=step)
        for volume in signal.T
    ]
    structure = {"L": "CortexLeft", "R": "CortexRight"}[side]
    meta = gifti.GiftiMetaData({"AnatomicalStructurePrimary": structure})
    gifti.GiftiImage(meta=meta, darrays=arrays).to_filename(path)


def _generated_by() -> list[dict[str, Any]]:
    """Who made it: this simulation, not fMRIPrep."""
    from neurodecode import __version__

    what = "Simulated; laid out as fMRIPrep lays out its derivatives, which was not run"
    return [{"Name": "neurodecode.simulate", "Version": __version__, "Description": what}]


def _write_json(path: Path, fields: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8", newline="\n")


def _write_table(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", lineterminator="\n")
