"""Public M/EEG data sets of a few kilobytes in the true layout of their authors, each with what its manifest then expects."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode import datasets
from neurodecode.datasets.manifest import Expect, Manifest


def expecting(name: str, **changes: Any) -> Manifest:
    """A manifest that expects something else."""
    manifest = datasets.info(name)
    expect = Expect.model_validate({**manifest.expect.model_dump(), **changes})
    return manifest.model_copy(update={"expect": expect})


def save_objects(path: Path, value: Any) -> None:
    """As the authors of THINGS-EEG2 do: numpy pickles the dictionary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, value, allow_pickle=True)


# --- THINGS-EEG2: pickled dictionaries, 3 training concepts of 2 images and 2 test concepts of one ----------------------

EEG2_NAMES = ["P7", "P3", "Pz", "O1", "Oz"]
EEG2_CODES = [3, 1, 99999, 6, 2, 4, 5, 3, 1]  # of the session of training, 0.2 s apart
EEG2_IMAGES = {
    "train_img_files": [
        "aardvark_01b.jpg",
        "aardvark_02s.jpg",
        "bat1_01b.jpg",
        "bat1_02n.jpg",
        "ice_cream_01b.jpg",
        "ice_cream_03s.jpg",
    ],
    "train_img_concepts": ["00001_aardvark"] * 2 + ["00002_bat1"] * 2 + ["00003_ice_cream"] * 2,
    "train_img_concepts_THINGS": ["00001_aardvark"] * 2 + ["00123_bat1"] * 2 + ["00900_ice_cream"] * 2,
    "test_img_files": ["candle_12s.jpg", "zebra_03n.jpg"],
    "test_img_concepts": ["00001_candle", "00002_zebra"],
    "test_img_concepts_THINGS": ["00290_candle", "01854_zebra"],
}


def eeg2_epochs(part: str) -> np.ndarray:
    """Images x repeats x channels x times in float64, as published."""
    shape = (6, 4, 5, 10) if part == "training" else (2, 5, 5, 10)
    return np.random.default_rng(len(part)).standard_normal(shape)


def write_things_eeg2(root: Path) -> Path:
    """Subject 01: training as an array of objects, test as a plain pickle under the name .npy, one raw session, metadata."""
    folder = root / "eeg_dataset"
    times = np.linspace(-0.2, 0.7, 10)
    for part in ("training", "test"):
        values = {"preprocessed_eeg_data": eeg2_epochs(part), "ch_names": EEG2_NAMES, "times": times}
        path = folder / "preprocessed_data" / "sub-01" / f"preprocessed_eeg_{part}.npy"
        if part == "training":
            save_objects(path, values)
        else:
            path.write_bytes(pickle.dumps(values, protocol=4))
    save_objects(folder / "raw_data" / "sub-01" / "ses-01" / "raw_eeg_training.npy", eeg2_raw())
    save_objects(root / "image_set" / "image_metadata.npy", EEG2_IMAGES)
    return root


def eeg2_raw() -> dict[str, Any]:
    """Two and a half seconds at 1000 Hz; each code stands in one sample of the channel stim."""
    data = np.random.default_rng(7).normal(0, 1e-5, (6, 2500))
    data[-1] = 0
    data[-1, 300 + 200 * np.arange(len(EEG2_CODES))] = EEG2_CODES
    names = [*EEG2_NAMES, "stim"]
    kinds = ["eeg"] * 5 + ["stim"]
    return {"raw_eeg_data": data, "ch_names": names, "ch_types": kinds, "sfreq": 1000, "highpass": 0.01, "lowpass": 100}


def converted_things_eeg2(root: Path) -> Path:
    """The same with the plain copies that users make once."""
    write_things_eeg2(root)
    for data in ("preprocessed", "raw"):
        datasets.things_eeg2.convert(root, "01", data=data, progress=False)
    return root


def things_eeg2() -> Manifest:
    """The manifest, with the counts of the miniature."""
    shapes = {"raw": (6, None), "preprocessed_training": (24, 5, None), "preprocessed_test": (10, 5, None)}
    return expecting("things_eeg2", shape=shapes)
