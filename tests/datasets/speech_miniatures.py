"""Miniatures of three data sets of speech, in the layouts of their files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from datasets.worm_miniatures import cells
from scipy.io import savemat

from neurodecode import datasets
from neurodecode.datasets.manifest import Manifest

BRODERICK_TIMES, LIBRIBRAIN_TIMES = 256, 500
ALICE = ["Alice", "was", "beginning", "to", "get", "very", "tired"]
BRENNAN_CHANNELS = ["1", "2", "3", "VEOG", "AUD"]


def write_broderick2018(root: Path) -> Path:
    """Subject 1, runs 1 and 2, of 2 s: times by electrodes, in microvolts."""
    for run in (1, 2):
        folder = root / "Natural Speech" / "EEG" / "Subject1"
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(run)
        content = {"eegData": rng.standard_normal((BRODERICK_TIMES, 128)), "mastoids": rng.standard_normal((BRODERICK_TIMES, 2))}
        savemat(folder / f"Subject1_Run{run}.mat", {**content, "fs": 128.0})
    return root


def write_brennan2019(root: Path) -> Path:
    """Subject 01: seven words in two segments; the fifth was not marked, and the first begins before the recording."""
    (root / "proc").mkdir(parents=True)
    table = pd.DataFrame(
        {
            "Word": ALICE,
            "Segment": [1, 1, 1, 1, 2, 2, 2],
            "onset": [0.0, 0.3, 0.5, 1.0, 0.1, 0.4, 0.7],
            "offset": [0.3, 0.5, 1.0, 1.1, 0.4, 0.7, 1.2],
            "Order": range(1, 8),
            "LogFreq": [8.1, 15.9, 10.2, 16.4, 13.0, 12.5, 9.3],
            "Sentence": [1, 1, 1, 1, 2, 2, 2],
        }
    )
    table.to_csv(root / "AliceChapterOne-EEG.csv", index=False)
    data = np.random.default_rng(0).standard_normal((5, 2000))
    labels = cells(BRENNAN_CHANNELS)
    raw = {
        "label": labels,
        "trial": cells([data]),
        "fsample": 500.0,
        "hdr": {"Fs": 500.0},
        "time": cells([np.arange(2000) / 500]),
    }
    savemat(root / "S01.mat", {"raw": raw})
    order = np.array([1, 2, 3, 4, 6, 7])
    onset = np.array([-20, 150, 250, 500, 900, 1050])  # samples from 0
    begin = onset - 100 + 1
    trl = np.column_stack([begin, begin + 400, np.full(6, -100), table["Segment"].to_numpy()[order - 1], onset / 500, order])
    proc = {"trl": trl.astype(float), "varnames": cells(["segment", "tmin", "Order"])}
    savemat(root / "proc" / "S01.mat", {"proc": {**proc, "impedence": {"bads": cells(["2"])}}})
    return root


def write_libribrain(root: Path) -> Path:
    """One session of 2 s of two magnetometers and a gradiometer, with two sentences."""
    stem = "sub-0_ses-1_task-Sherlock1_run-1"
    home = root / "Sherlock1" / "derivatives"
    for name in ("serialised", "events"):
        (home / name).mkdir(parents=True)
    with h5py.File(home / "serialised" / f"{stem}_proc-bads+headpos+sss+notch+bp+ds_meg.h5", "w") as file:
        file["data"] = np.random.default_rng(0).standard_normal((3, LIBRIBRAIN_TIMES)).astype(np.float32) * 1e-12
        file["times"] = np.arange(LIBRIBRAIN_TIMES) / 250
        file.attrs["channel_names"] = "MEG0111, MEG0112, MEG0113"
        file.attrs["channel_types"] = "mag, grad, grad"
        file.attrs["sample_frequency"] = 250.0
    rows = [
        ("silence", "", 0.0, 0.1, ""),
        ("word", "It", 0.1, 0.2, "It was dark."),
        ("phoneme", "ih1", 0.1, 0.1, "It was dark."),
        ("word", "was", 0.3, 0.2, "It was dark."),
        ("word", "dark", 0.5, 0.3, "It was dark."),
        ("word", "Holmes", 1.0, 0.3, "Holmes laughed."),
        ("word", "laughed", 1.3, 0.4, "Holmes laughed."),
    ]
    table = pd.DataFrame(rows, columns=["kind", "segment", "timemeg", "duration", "sentence"]).replace("", "n/a")
    table.to_csv(home / "events" / f"{stem}_events.tsv", sep="\t", index=False)
    return root


def libribrain() -> Manifest:
    """The manifest, with the sensors of the miniature."""
    manifest = datasets.info("libribrain")
    return manifest.model_copy(update={"expect": manifest.expect.model_copy(update={"shape": {"meg": (3, None)}})})
