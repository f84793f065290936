"""Miniatures of the two data sets of worms, in the layouts of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.io import savemat

N_TIMES, FPS = 960, 4.0
NEURONS = {"AVA": True, "AWB": True, "AVL": False}  # class of neurons -> whether it has a left and a right one


def cells(values: list[Any]) -> np.ndarray:
    """A cell array of one column."""
    made = np.empty((len(values), 1), object)
    for i, value in enumerate(values):
        made[i, 0] = value
    return made


def trace(name: str, side: str, worm: int) -> np.ndarray:
    """What one neuron of one worm shows."""
    return np.random.default_rng([worm, *map(ord, name + side)]).standard_normal(N_TIMES)


def write_yemini2021(root: Path, *, file: str = "Head_Activity_OH16230.mat", frames: bool = False) -> Path:
    """Two worms; in the second the right AWB was not found. Cells of a class: one per worm, first of one side, then the other."""
    root.mkdir(parents=True)
    traces, sides = [], []
    for name, paired in NEURONS.items():
        own = [trace(name, side, worm) for side in ("LR" if paired else "-") for worm in (0, 1)]
        if name == "AWB":
            own[3] = np.empty((0, 0))
        traces.append(cells(own))
        sides.append(np.repeat([1.0, 0.0] if paired else [np.nan], 2)[:, None])
    times = np.array([[60.0, 70.0], [120.0, 130.0], [180.0, 190.0]])
    content = {
        "neurons": cells(list(NEURONS)),
        "norm_traces": cells(traces),
        "is_L": cells(sides),
        "files": cells(["animal_11", "animal_12"]),
        "fps": FPS,
        "stim_names": cells(["butanone", "pentanedione", "nacl"]),
        "stim_times": times * (FPS if frames else 1),
        "stims": np.array([[1, 2, 3], [3, 1, 2]]),
    }
    savemat(root / file, content)
    return root


def write_celegans_neural(root: Path) -> Path:
    """Two sources that both have a worm0, each with a neuron that nobody could name."""
    root.mkdir(parents=True)
    rows = [
        {
            "source_dataset": source,
            "raw_data_file": f"opensource_data/{source}/data.mat",
            "worm": worm,
            "neuron": neuron,
            "slot": slot,
            "is_labeled_neuron": not neuron.isdigit(),
            "is_unlabeled_neuron": neuron.isdigit(),
            **{
                column: np.random.default_rng([seed, slot, i]).standard_normal(60).astype(np.float32)
                for i, column in enumerate(
                    ("calcium_data", "smooth_calcium_data", "residual_calcium", "smooth_residual_calcium", "time_in_seconds")
                )
            },
            "median_dt": np.float32(1 / 3),
        }
        for seed, (source, worm) in enumerate([("Kato2015", "worm0"), ("Kato2015", "worm1"), ("Uzel2022", "worm0")])
        for slot, neuron in enumerate(["AVAL", "AVAR", "17"])
    ]
    pd.DataFrame(rows).to_parquet(root / "worm_data_short.parquet", engine="pyarrow")
    return root
