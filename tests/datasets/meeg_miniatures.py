"""Public M/EEG data sets of images, a few kilobytes in the true layout of their authors, and what their manifests then expect."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import meg_files
import mne
import numpy as np
import pandas as pd
from bids_trees import write_description, write_table

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


# --- THINGS-MEG: two CTF runs, the table of trials, epochs ---------------------------------------------------------------

MEG_SENSORS = ["MLC11-1609", "MRO11-1609", "MZO01-1609"]
MEG_TRIALS = [  # of two runs: trial_type, image_path, things_image_nr
    ("exp", "images_meg/aardvark/aardvark_01b.jpg", 1),
    ("catch", "images_catch_meg/catch_001.jpg", np.nan),
    ("test", "images_test_meg/candle_12s.jpg", 4001),
    ("exp", "images_meg/candle/candle_02s.jpg", 3990),
    ("test", "images_test_meg/candle_12s.jpg", 4001),
    ("exp", "images_meg/ice_cream/ice_cream_03s.jpg", 9000),
    ("exp", "images_meg/bat1/bat1_05s.jpg", 200),
    ("catch", "images_catch_meg/catch_002.jpg", np.nan),
]
MEG_EPOCH_TIMES = 29  # from -0.1 s at 20 Hz


def meg_trials() -> pd.DataFrame:
    """sample_attributes_P1.csv: four trials of each of two runs of the first session."""
    table = pd.DataFrame(MEG_TRIALS, columns=["trial_type", "image_path", "things_image_nr"])
    known = {
        "session_nr": 1,
        "run_nr": np.repeat([1, 2], 4),
        "image_nr": range(8),
        "image_on": np.tile([0.65, 2.15, 3.6, 5.1], 2),
    }
    return table.assign(**known, image_off=known["image_on"] + 0.5)


def meg_counts(run: int) -> np.ndarray:
    """Femtotesla of three sensors and two references, and the trigger channel; 8 s."""
    counts = np.random.default_rng(run).integers(-900, 900, (6, 9600))
    counts[-1] = 0
    for sample in (600, 2400, 4140, 5940):
        counts[-1, sample : sample + 12] = 64
    counts[-1, 7200:7212] = 32
    return counts


def write_things_meg(root: Path) -> Path:
    """Subject 1, session 1, two runs; the events of the second have a row for the last trigger."""
    write_description(root, "THINGS-MEG", License="CC0")
    trials = meg_trials()
    kinds = [*["mag"] * 3, "ref", "ref", "stim"]
    for run in (1, 2):
        stem = root / "sub-BIGMEG1" / "ses-01" / "meg" / f"sub-BIGMEG1_ses-01_task-main_run-{run:02d}"
        names = [*MEG_SENSORS, "BG1-1609", "BG2-1609", "UPPT001"]
        meg_files.write_ctf(stem.with_name(f"{stem.name}_meg.ds"), names, kinds, meg_counts(run))
        mine = trials[trials["run_nr"] == run]
        events = pd.DataFrame({"onset": mine["image_on"], "duration": 0.5, "value": mine["things_image_nr"]})
        events = events.assign(trial_type="image", sample=[780, 2580, 4320, 6120])
        if run == 2:
            last = {"onset": 6.1, "duration": 0.0, "value": 32, "trial_type": "end", "sample": 7200}
            events = pd.concat([events, pd.DataFrame([last])])
        write_table(stem.with_name(f"{stem.name}_events.tsv"), events)
    (root / "sourcedata").mkdir()
    trials.to_csv(root / "sourcedata" / "sample_attributes_P1.csv", index=False)
    write_meg_epochs(root / "derivatives" / "preprocessed" / "preprocessed_P1-epo.fif", trials)
    return root


def meg_epochs() -> np.ndarray:
    """Z-scores of eight trials at two sensors."""
    return np.random.default_rng(3).standard_normal((8, 2, MEG_EPOCH_TIMES)).astype(np.float32)


def write_meg_epochs(path: Path, trials: pd.DataFrame) -> None:
    """As the authors' script does: codes of the images as events, the table as metadata."""
    path.parent.mkdir(parents=True)
    info = mne.create_info([MEG_SENSORS[0], MEG_SENSORS[2]], 20.0, "mag")
    codes = trials["things_image_nr"].fillna(999999).astype(int)
    events = np.column_stack([100 * np.arange(1, 9), np.zeros(8, int), codes])
    epochs = mne.EpochsArray(meg_epochs(), info, events, tmin=-0.1, metadata=trials, verbose="error")
    epochs.save(path, verbose="error")


def things_meg() -> Manifest:
    """The manifest, with the counts of the miniature."""
    return expecting("things_meg", shape={"preprocessed": (8, 2, MEG_EPOCH_TIMES)})


# --- as long as decoding needs: pictures of two colours each, which the sensors follow ------------------------------------


def seen_pictures(n_images: int, seed: int) -> np.ndarray:
    """Pictures (n_images, 32, 32, 3) whose halves have a colour of their own."""
    halves = np.random.default_rng(seed).integers(0, 256, (n_images, 2, 3))
    return np.repeat(np.repeat(halves, 16, axis=1)[:, :, None], 32, axis=2).astype(np.uint8)


def seen_response(pictures: np.ndarray, n_channels: int, n_times: int, seed: int) -> np.ndarray:
    """What the sensors do (n_images, n_channels, n_times): every sample of theirs is a mixture of the colours."""
    colours = pictures[:, [0, -1], 0].reshape(len(pictures), -1) / 128.0 - 1.0
    return (colours @ np.random.default_rng(seed).standard_normal((6, n_channels * n_times))).reshape(-1, n_channels, n_times)


def write_seen_eeg2(root: Path, subjects: tuple[str, ...] = ("01", "02"), n_train: int = 80, n_test: int = 12) -> Path:
    """Preprocessed epochs and images: two training images of each concept, five test images of other concepts."""
    rng, listed = np.random.default_rng(1), {}
    for part, short, count in (("training", "train", n_train), ("test", "test", n_test)):
        concepts = (
            [f"{k // 2 + 1:05d}_{part}{k // 2}" for k in range(count)]
            if part == "training"
            else [f"{k:05d}_x{k}" for k in range(count)]
        )
        files = [f"{concept.split('_')[1]}_{k:02d}s.png" for k, concept in enumerate(concepts)]
        pictures = seen_pictures(count, len(part))
        for concept, name, picture in zip(concepts, files, pictures, strict=True):
            write_png(root / "image_set" / f"{part}_images" / concept / name, picture)
        listed |= {f"{short}_img_files": files, f"{short}_img_concepts": concepts}
        for k, subject in enumerate(subjects):
            clean = seen_response(pictures, 5, 10, k)[:, None]
            epochs = clean + 2 * rng.standard_normal((count, 4, 5, 10))
            values = {"preprocessed_eeg_data": epochs, "ch_names": EEG2_NAMES, "times": np.linspace(-0.2, 0.7, 10)}
            save_objects(root / "eeg_dataset" / "preprocessed_data" / f"sub-{subject}" / f"preprocessed_eeg_{part}.npy", values)
    save_objects(root / "image_set" / "image_metadata.npy", listed)
    return root


def write_png(path: Path, picture: np.ndarray) -> None:
    """One picture."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def write_seen_meg(root: Path, n_runs: int = 2, n_trials: int = 60) -> Path:
    """Raw runs of one subject at 1200 Hz, an image every 1.6 s; a fifth of the trials show eight images of other concepts."""
    write_description(root, "THINGS-MEG", License="CC0")
    rng, names = np.random.default_rng(2), [*MEG_SENSORS, "BG1-1609", "BG2-1609", "UPPT001"]
    pictures = seen_pictures(8 + n_runs * n_trials, 0)
    clean = 700 * seen_response(pictures, 3, 2, 1)
    tables, shown = [], 8
    for run in range(1, n_runs + 1):
        tested = np.arange(n_trials) % 5 == 4
        number = np.where(tested, np.arange(n_trials) // 5 % 8, shown + np.arange(n_trials))
        shown += n_trials
        sample = 900 + 1920 * np.arange(n_trials)
        counts = np.zeros((6, int(sample[-1]) + 2400))
        counts[:5] = rng.normal(0, 200, (5, counts.shape[1]))
        for at, image in zip(sample, number, strict=True):
            counts[-1, at : at + 12] = 64
            counts[:3, at : at + 1200] += np.repeat(clean[image], 600, axis=1)
        stem = root / "sub-BIGMEG1" / "ses-01" / "meg" / f"sub-BIGMEG1_ses-01_task-main_run-{run:02d}"
        meg_files.write_ctf(
            stem.with_name(f"{stem.name}_meg.ds"), names, [*["mag"] * 3, "ref", "ref", "stim"], counts.round().astype(int)
        )
        path = [
            f"images_test_meg/t{i}/t{i}_01s.png" if t else f"images_meg/c{i}/c{i}_01s.png"
            for i, t in zip(number, tested, strict=True)
        ]
        known = {
            "trial_type": np.where(tested, "test", "exp"),
            "image_path": path,
            "things_image_nr": number + 1,
            "session_nr": 1,
        }
        table = pd.DataFrame({**known, "run_nr": run, "image_nr": range(n_trials), "image_on": sample / 1200})
        tables.append(table.assign(image_off=table["image_on"] + 0.5))
        events = pd.DataFrame(
            {"onset": sample / 1200, "duration": 0.5, "value": number + 1, "trial_type": "image", "sample": sample}
        )
        write_table(stem.with_name(f"{stem.name}_events.tsv"), events)
        for name, image in zip(path, number, strict=True):
            write_png(root / "images" / Path(name).parent.name / Path(name).name, pictures[image])
    (root / "sourcedata").mkdir()
    pd.concat(tables).to_csv(root / "sourcedata" / "sample_attributes_P1.csv", index=False)
    return root
