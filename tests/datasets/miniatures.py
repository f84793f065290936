"""Public data sets of a few kilobytes in the true layout of their authors, each with what its manifest then expects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import scipy.io
from bids_trees import write_description, write_json, write_table, write_volume

from neurodecode import datasets
from neurodecode.datasets.manifest import Expect, Manifest

SHAPE = (4, 5, 3)
CATEGORIES = ("scissors", "face", "cat", "shoe", "house", "scrambledpix", "bottle", "chair")
N_SAMPLES, SFREQ = 512, 256.0
SCALP = [f"E{i}" for i in range(1, 65)]
OTHERS = [*(f"EXG{i}" for i in range(1, 9)), "GSR1", "GSR2", "Erg1", "Erg2", "Resp", "Plet", "Temp"]
SOUNDS = ["standard", "oddball_with_reponse", "response", "noise", "ignore", "standard_with_reponse", "condition 5", "oddball"]


# --- Haxby 2001: one task, two runs, blocks of twelve pictures ---------------------------------------------------------


def write_haxby2001(root: Path) -> Path:
    """Subject 1, runs 1 and 2, of few voxels; 121 volumes and 96 pictures each, as in the full set."""
    write_description(root, "Visual object recognition", DatasetType="raw")
    write_json(root / "task-objectviewing_bold.json", {"TaskName": "object viewing", "RepetitionTime": 2.5})
    write_table(root / "participants.tsv", pd.DataFrame({"participant_id": ["sub-1"]}))
    for run in (1, 2):
        stem = root / "sub-1" / "func" / f"sub-1_task-objectviewing_run-{run:02d}"
        data = np.random.default_rng(run).integers(0, 2000, (*SHAPE, 121)).astype(np.int16)
        write_volume(stem.with_name(f"{stem.name}_bold.nii.gz"), data, tr=2.5)
        write_table(stem.with_name(f"{stem.name}_events.tsv"), pictures(run))
    return root


def pictures(run: int) -> pd.DataFrame:
    """Eight blocks of 24 s, 12 s apart, of twelve pictures of 0.5 s each 2 s; the order differs between runs."""
    order = np.roll(CATEGORIES, run)
    onset = np.concatenate([12.0 + 36.0 * block + 2.0 * np.arange(12) for block in range(8)])
    return pd.DataFrame({"onset": onset, "duration": 0.5, "trial_type": np.repeat(order, 12)})


def haxby2001() -> Manifest:
    """The manifest, with the voxels of the miniature."""
    manifest = datasets.info("haxby2001")
    return with_shape(manifest, "bold", (int(np.prod(SHAPE)), 121))


# --- ds003061: three sounds and button presses -------------------------------------------------------------------------


def write_auditory_oddball(root: Path) -> Path:
    """Subject 001, runs 1 and 2, of 2 s: EEGLAB files that hold their data, as in version 1.1.2."""
    write_description(root, "P300 sound task", License="CC0")
    write_table(root / "participants.tsv", pd.DataFrame({"participant_id": ["sub-001"], "age": [30]}))
    for run in (1, 2):
        stem = root / "sub-001" / "eeg" / f"sub-001_task-P300_run-{run}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        write_eeglab(stem.with_name(f"{stem.name}_eeg.set"), run)
        fields = {"TaskName": "P300", "SamplingFrequency": SFREQ, "PowerLineFrequency": 50, "EEGReference": "CMS/DRL"}
        write_json(stem.with_name(f"{stem.name}_eeg.json"), fields)
        kinds = ["EEG"] * len(SCALP) + ["MISC"] * len(OTHERS)
        channels = pd.DataFrame({"name": [*SCALP, *OTHERS], "type": kinds, "units": "microV"})
        write_table(stem.with_name(f"{stem.name}_channels.tsv"), channels)
        write_table(stem.with_name(f"{stem.name}_events.tsv"), sounds())
    return root


def sounds() -> pd.DataFrame:
    """Every kind of event that the full set has, its spelling too."""
    kinds = {"response": "response", "ignore": None, "condition 5": "STATUS"}
    types = [kinds.get(value, "stimulus") for value in SOUNDS]
    onset = 0.2 * np.arange(len(SOUNDS)) + 0.1
    times = [np.nan, 412.0, *[np.nan] * 6]
    return pd.DataFrame(
        {"onset": onset, "duration": np.nan, "trial_type": types, "response_time": times, "stim_file": np.nan, "value": SOUNDS}
    )


def write_eeglab(path: Path, seed: int) -> None:
    """Write 79 channels in microvolt."""
    values = np.random.default_rng(seed).normal(0, 20, (len(SCALP) + len(OTHERS), N_SAMPLES)).astype(np.float32)
    labels = np.array([(name,) for name in (*SCALP, *OTHERS)], dtype=[("labels", object)])
    shape = {"nbchan": len(values), "pnts": N_SAMPLES, "trials": 1, "srate": SFREQ, "xmin": 0.0, "xmax": (N_SAMPLES - 1) / SFREQ}
    empty = {name: [] for name in ("event", "epoch", "icawinv", "icaweights", "icasphere")}
    other = {"setname": "", "chaninfo": {"nosedir": "+X"}, "data": values, "chanlocs": labels}
    scipy.io.savemat(path, {"EEG": {**shape, **empty, **other}})


def auditory_oddball() -> Manifest:
    """The manifest as it is: a run has all channels and any length."""
    return datasets.info("auditory_oddball")


def with_shape(manifest: Manifest, modality: str, shape: tuple[int, ...]) -> Manifest:
    """A manifest that expects another shape."""
    expect = Expect.model_validate({**manifest.expect.model_dump(), "shape": {modality: shape}})
    return manifest.model_copy(update={"expect": expect})
