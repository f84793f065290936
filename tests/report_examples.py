"""Made-up results of every type, in the shapes that the decoders return."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Responses
from neurodecode.decode.result import (
    DecodingResult,
    GeneralizationResult,
    ReconstructionResult,
    RoiResult,
    SearchlightResult,
    TimeResolvedResult,
)
from neurodecode.report import RunContents

OBJECTS = ["bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe"]
MUSE = ["TP9", "AF7", "AF8", "TP10"]


def slice_units() -> tuple[pd.DataFrame, dict[str, Any]]:
    """Voxels of a disc in one native slice, as in the Haxby set."""
    i, j = np.nonzero(np.hypot(*np.mgrid[-20:20, -10:10] / np.array([20, 10]).reshape(2, 1, 1)) < 0.9)
    affine = np.diag([3.1, 3.75, 3.75, 1.0])
    units = pd.DataFrame(
        {"name": [f"{a}_{b}_0" for a, b in zip(i, j, strict=True)], "kind": "bold", "unit": "a.u.", "i": i, "j": j, "k": 0}
    )
    space = {"name": "native", "type": "volume", "shape": [40, 20, 1], "affine": affine.tolist()}
    return units.assign(x=3.1 * i, y=3.75 * j, z=0.0), space


def template_units() -> tuple[pd.DataFrame, dict[str, Any]]:
    """Voxels of a ball in MNI space."""
    affine = np.array([[12.0, 0, 0, -72], [0, 12, 0, -108], [0, 0, 12, -60], [0, 0, 0, 1]])
    index = np.argwhere(np.linalg.norm((np.indices((13, 16, 12)).T - [6, 7, 5]) / [6, 7, 5], axis=-1).T < 1)
    units = pd.DataFrame(index, columns=["i", "j", "k"])
    units.insert(0, "name", [f"{a}_{b}_{c}" for a, b, c in index])
    space = {"name": "MNI152NLin2009cAsym", "type": "volume", "shape": [13, 16, 12], "affine": affine.tolist()}
    return units.assign(kind="bold", unit="a.u."), space


def sensor_units(names: list[str] | None = None, kind: str = "eeg") -> pd.DataFrame:
    """Sensors without positions."""
    return pd.DataFrame({"name": names or MUSE, "kind": kind, "unit": "V", "x": np.nan, "y": np.nan, "z": np.nan})


def class_counts(folds: list[str], classes: list[str], n: int = 1) -> pd.DataFrame:
    """Equal numbers of every class on both sides of every fold."""
    rows = [
        {"fold": i, "held_out": fold, "side": side, "label": label, "n": n * (len(folds) - 1 if side == "train" else 1)}
        for i, fold in enumerate(folds)
        for side in ("train", "test")
        for label in classes
    ]
    return pd.DataFrame(rows)


def objects(seed: int = 0, **changes: Any) -> DecodingResult:
    """Eight-way decoding from one slice, leave one run out."""
    rng = np.random.default_rng(seed)
    units, space = slice_units()
    folds = [f"run {i}" for i in range(1, 9)]
    true = np.tile(OBJECTS, 8)
    predicted = np.where(rng.random(64) < 0.45, true, rng.choice(OBJECTS, 64))
    confusion = pd.crosstab(true, predicted).reindex(index=OBJECTS, columns=OBJECTS, fill_value=0).to_numpy()
    patterns = np.exp(-np.hypot(units["i"] - 25, units["j"] - 6).to_numpy() / 4) * rng.normal(1, 0.4, (8, len(units)))
    members: dict[str, Any] = {
        "score": 0.484375,
        "metric": "balanced_accuracy",
        "fold_scores": np.array([0.625, 0.375, 0.625, 0.625, 0.5, 0.5, 0.5, 0.125]),
        "fold_names": folds,
        "chance": 0.125,
        "best": 1.0,
        "p_value": 0.005,
        "null_scores": rng.normal(0.125, 0.04, 199),
        "confidence_interval": (0.344, 0.625),
        "baseline": 0.28,
        "baseline_name": "nearest class mean",
        "task": "classification",
        "target": "trial_type",
        "classes": OBJECTS,
        "confusion": confusion,
        "class_counts": class_counts(folds, OBJECTS),
        "predictions": pd.DataFrame({"sample": range(64), "fold": np.repeat(range(8), 8), "true": true, "predicted": predicted}),
        "split": "Each of 8 runs was held out once, the decoder was trained on the other 7.",
        "patterns": patterns,
        "units": units,
        "space": space,
        "settings": {"estimator": "logistic", "C": 0.01, "n_features": 500, "n_permutations": 199, "random_state": 0},
        "scores": {"accuracy": 0.484375},
        "notes": [],
    }
    return DecodingResult(**{**members, **changes})


def faces(**changes: Any) -> DecodingResult:
    """Faces against houses from four sensors."""
    times = np.arange(-0.1, 0.8, 1 / 64)
    course = np.exp(-(((times - 0.2) / 0.06) ** 2))
    patterns = (np.array([-1.0, 0.4, 0.5, -0.9])[:, None] * course)[None]
    folds = ["run 01", "run 02", "run 03", "run 04"]
    members: dict[str, Any] = {
        "score": 0.646,
        "metric": "roc_auc",
        "fold_scores": np.array([0.616, 0.679, 0.659, 0.630]),
        "fold_names": folds,
        "chance": 0.5,
        "confidence_interval": (0.6, 0.69),
        "baseline": 0.5,
        "baseline_name": "most frequent class",
        "classes": ["face", "house"],
        "confusion": np.array([[210, 157], [160, 223]]),
        "null_scores": None,
        "p_value": None,
        "class_counts": class_counts(folds, ["face", "house"], 90),
        "split": "Each of 4 runs was held out once.",
        "patterns": patterns,
        "units": sensor_units(),
        "times": times,
        "space": {"name": "sensors", "type": "sensors"},
        "settings": {"estimator": "lda"},
        "scores": {},
    }
    return replace(objects(), **{**members, **changes})


def regression(**changes: Any) -> DecodingResult:
    """A continuous target."""
    rng = np.random.default_rng(3)
    true = rng.normal(size=80)
    table = pd.DataFrame(
        {"sample": range(80), "fold": np.repeat(range(4), 20), "true": true, "predicted": 0.5 * true + rng.normal(0, 0.5, 80)}
    )
    members: dict[str, Any] = {
        "metric": "r",
        "score": 0.6,
        "fold_scores": np.array([0.5, 0.7, 0.6, 0.6]),
        "fold_names": list("abcd"),
        "chance": 0.0,
        "baseline": 0.0,
        "baseline_name": "mean of the training samples",
        "task": "regression",
        "target": "reaction_time",
        "classes": None,
        "confusion": None,
        "class_counts": class_counts(list("abcd"), ["all"], 20),
        "predictions": table,
        "scores": {"r2": 0.31},
        "patterns": None,
        "null_scores": rng.normal(0, 0.1, 99),
        "p_value": 0.01,
        "confidence_interval": (0.45, 0.75),
    }
    return replace(objects(), **{**members, **changes})


def over_time(**changes: Any) -> TimeResolvedResult:
    """Decoding at each time, significant in the middle."""
    rng = np.random.default_rng(1)
    times = np.arange(-0.2, 0.8, 0.01)
    mean = 0.5 + 0.15 * np.exp(-(((times - 0.2) / 0.08) ** 2))
    scores = mean + rng.normal(0, 0.02, (4, len(times)))
    p_values = np.where(np.abs(times - 0.2) < 0.1, 0.01, 0.6)
    members = {"times": times, "scores": scores, "mean": scores.mean(0), "metric": "roc_auc", "chance": 0.5, "p_values": p_values}
    names = {"split": "Each of 4 runs was held out once.", "fold_names": list("1234"), "target": "trial_type"}
    return TimeResolvedResult(**{**members, **names, **changes})


def across_time(**changes: Any) -> GeneralizationResult:
    """Trained at one time, tested at another."""
    times = np.arange(-0.2, 0.8, 0.02)
    bump = np.exp(-(((times - 0.25) / 0.12) ** 2))
    mean = 0.5 + 0.2 * np.outer(bump, bump)
    members = {"train_times": times, "test_times": times, "scores": np.stack([mean, mean]), "mean": mean}
    names = {"metric": "roc_auc", "chance": 0.5, "split": "Each of 2 runs was held out once.", "target": "trial_type"}
    return GeneralizationResult(**{**members, **names, **changes})


def searchlight(**changes: Any) -> SearchlightResult:
    """Scores of spheres in MNI space."""
    units, space = template_units()
    scores = 0.5 + 0.3 * np.exp(-np.linalg.norm(units[["i", "j", "k"]].to_numpy() - [9, 3, 3], axis=1) / 3)
    members = {"scores": scores, "metric": "roc_auc", "chance": 0.5, "units": units, "space": space, "p_values": None}
    names = {"split": "Each of 8 runs was held out once.", "target": "trial_type", "radius_mm": 24.0}
    return SearchlightResult(**{**members, **names, **changes})


def regions(**changes: Any) -> RoiResult:
    """Scores of three regions."""
    table = pd.DataFrame(
        {
            "roi": ["V1", "FFA", "Motor cortex"],
            "score": [0.7, 0.81, 0.49],
            "chance": 0.5,
            "p": [0.01, 0.01, 0.6],
            "p_corrected": [0.03, 0.03, 0.9],
            "n_units": [40, 22, 31],
        }
    )
    return RoiResult(
        **{
            **{
                "table": table,
                "metric": "roc_auc",
                "chance": 0.5,
                "split": "Each of 8 runs was held out once.",
                "target": "trial_type",
            },
            **changes,
        }
    )


def pictures(n: int = 20, **changes: Any) -> ReconstructionResult:
    """Reconstructions of random pictures from two folds, the last ones worse."""
    rng = np.random.default_rng(6)
    images = rng.integers(0, 256, (n, 6, 8, 3)).astype(np.uint8)
    blurred = 0.5 * images + rng.uniform(0, 127, images.shape) * np.linspace(0.5, 1, n)[:, None, None, None]
    members: dict[str, Any] = {
        "score": 0.81,
        "metric": "pixcorr",
        "image_scores": np.linspace(0.95, 0.67, n),
        "stimuli": [f"picture{i:02d}" for i in range(n)],
        "images": images,
        "reconstructions": blurred.astype(np.uint8),
        "fold": np.arange(n) * 2 // n,
        "fold_names": ["run=1", "run=2"],
        "chance": 0.52,
        "best": 1.0,
        "p_value": 0.01,
        "null_scores": rng.normal(0.52, 0.02, 99),
        "baseline": 0.64,
        "baseline_name": "mean training image",
        "baseline_scores": rng.normal(0.64, 0.05, n),
        "identification": 0.93,
        "identification_chance": 0.5,
        "target": "stimulus",
        "split": "Each of 2 runs was held out once.",
        "settings": {"reconstructor": "RidgeReconstructor", "n_features": 500, "random_state": 0},
    }
    return ReconstructionResult(**{**members, **changes})


BARE: dict[str, Any] = {"quality": {}, "erp": None, "spectra": None}  # members of a run that take no time to draw
EVERY = {
    "objects": objects,
    "faces": faces,
    "regression": regression,
    "over time": over_time,
    "across time": across_time,
    "searchlight": searchlight,
    "regions": regions,
    "pictures": pictures,
}


def contact_table(n: int = 30) -> pd.DataFrame:
    """Band power ratios per contact, BTM1 the largest."""
    rng = np.random.default_rng(5)
    names = [f"C{i}" for i in range(1, n - 1)] + ["BTM1", "BTM2"]
    ratios = np.append(np.exp(rng.normal(-0.8, 0.4, n - 2)), [9.4, 3.58])
    return pd.DataFrame({"channel": names, "band": "8-30 Hz", "ratio": ratios})


def averages() -> Responses:
    """Evoked responses of two classes."""
    times = np.arange(-0.1, 0.8, 1 / 128)
    bump = np.exp(-(((times - 0.17) / 0.03) ** 2))
    data = 4e-6 * np.array([[-1.0, 0.3, 0.3, -1.0], [-0.4, 0.3, 0.2, -0.4]])[:, :, None] * bump
    return Responses(data, pd.DataFrame({"trial_type": ["face", "house"], "n_averaged": [360, 380]}), sensor_units(), times)


def run_of(results: dict[str, Any], **members: Any) -> RunContents:
    """A run with everything around the results."""
    runs = [f"0{i}" for i in range(1, 5)]
    events = pd.DataFrame(
        [{"run": run, "trial_type": kind, "n": 90 + i} for i, run in enumerate(runs) for kind in ("face", "house")]
    )
    variance = pd.DataFrame(
        {
            "name": MUSE,
            "unit": "V",
            "std": [9e-6, 2e-5, 2.2e-5, 8e-6],
            "line_noise_ratio": [3.0, 20.0, 1.2, 0.9],
            "bad": [False, False, True, False],
        }
    )
    freqs = np.arange(0, 60, 0.5)
    power = 1e-10 / (1 + freqs) * np.array([1, 2, 3, 4.0])[:, None]
    complete: dict[str, Any] = {
        "title": "Faces and houses",
        "pipeline": "eeg_faces",
        "description": "Which of two pictures was seen, from four EEG channels.",
        "dataset": {"name": "Muse N170", "licence": "BSD-3-Clause", "citation": "Please cite the data set."},
        "configuration": {"pipeline": "meeg_decoding", "decode": {"estimator": "lda", "n_permutations": 199}},
        "results": results,
        "quality": {"Events": events, "Channels": variance},
        "recordings_summary": ["sub-01 run-01: 4 channels, 120 s at 256 Hz"],
        "spectra": (freqs, power, MUSE),
        "erp": averages(),
        "steps": [{"step": "meeg.filter", "l_freq": 0.1, "h_freq": 40.0}, {"step": "meeg.epochs", "tmin": -0.1, "tmax": 0.8}],
        "versions": {"neurodecode": "0.1.0", "numpy": "2.4.6", "mne": "1.13.2", "scikit-learn": "1.9.1"},
        "hashes": {"sub-01/eeg/sub-01_task-n170_run-01_eeg.vhdr": "ab" * 32},
        "notes": ["Positions of the electrodes are not in the data."],
        "entities": {"subject": "01", "task": "n170"},
    }
    return RunContents(**{**complete, **members})
