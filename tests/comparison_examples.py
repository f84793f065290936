"""Made-up comparisons of models with brains, in the shapes that `neurodecode.compare` returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from report_examples import sensor_units, template_units

from neurodecode.compare.group import SignFlipResult
from neurodecode.compare.layers import LayerResult
from neurodecode.compare.leakage import LeakageResult
from neurodecode.compare.partition_result import VariancePartition, subsets
from neurodecode.compare.rdm_result import RdmComparison
from neurodecode.compare.result import ComparisonResult

REGIONS = ["V1", "V4", "LOC", "FFA"]
CAP = ["Fp1", "Fp2", "F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "Oz", "O2"]
SETTINGS: dict[str, Any] = {
    "model": "ridge", "spaces": {"image model": 768, "luminance": 2}, "nuisance": ["luminance"], "delays_s": [2.0, 4.0, 6.0, 8.0],
    "TR": 2.0, "gap": 20, "n_rows": 600, "alphas": None, "backend": "numpy",
    "permutation": {"method": "circular", "rows": 20, "spread": 1.41},
}  # fmt: skip


def voxels(n_regions: int = 4) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Voxels of a ball in MNI space, in regions from back to front; the foremost have none."""
    units, space = template_units()
    band = np.minimum(units["j"].to_numpy() * (n_regions + 1) // 16, n_regions)
    names = np.array([*REGIONS[:n_regions], None], object)
    return units.assign(region=names[band]), space


def encoding(units: pd.DataFrame | None = None, space: Any = None, times: Any = None, **changes: Any) -> ComparisonResult:
    """An encoding model with every member that a page shows; a few targets have no score or too low a ceiling."""
    rng = np.random.default_rng(4)
    if units is None:
        units, space = voxels()
    shape = (len(units),) if times is None else (len(units), len(times))
    bump = 1.0 if times is None else np.exp(-(((np.asarray(times) - 0.3) / 0.12) ** 2))
    rho = np.clip(rng.uniform(0.0, 0.8, (len(units), 1)).reshape(len(units), *[1] * (len(shape) - 1)) * bump, 0.0, 1.0) * np.ones(
        shape
    )
    score = np.sqrt(rho) * 0.75 + rng.normal(0, 0.04, shape)
    score.flat[1] = np.nan
    baseline = 0.4 * score + rng.normal(0, 0.02, shape)
    members: dict[str, Any] = {
        "score": score, "metric": "r", "fold_scores": score + rng.normal(0, 0.03, (5, *shape)),
        "fold_names": [f"run={i}" for i in range(5)], "chance": 0.0, "best": 1.0, "baseline": baseline,
        "baseline_name": "nuisance features alone (luminance)", "split": "5 folds over 10 runs, each held out whole",
        "ceiling": rho, "ceiling_name": "split halves of the repeats, Spearman-Brown corrected",
        "normalised": np.where(rho < 0.05, np.nan, score / np.sqrt(np.maximum(rho, 0.05))),
        "p": np.where(score > 0.2, 0.001, 0.4),
        "q": np.where(np.isnan(score), np.nan, np.where(score > 0.2, 0.002, 0.5)), "correction": "bh", "n_permutations": 999,
        "alpha": np.full((5, *shape), 10.0), "scores": {"r": score, "R2": score**2, "gain": score**2 - baseline**2},
        "units": units, "times": None if times is None else np.asarray(times, float), "space": space,
        "seeds": {"random_state": 0}, "settings": SETTINGS, "notes": ["p: predictions shifted in a circle by 20 rows or more"],
    }  # fmt: skip
    return ComparisonResult(**{**members, **changes})


def bare(**changes: Any) -> ComparisonResult:
    """The same without ceiling, permutations, regions or a place in the brain."""
    units = pd.DataFrame({"name": [f"u{i}" for i in range(30)]})
    nothing: dict[str, Any] = {
        "ceiling": None,
        "ceiling_name": None,
        "normalised": None,
        "p": None,
        "q": None,
        "correction": None,
    }
    members = {"baseline_name": "training mean (a constant prediction)", "n_permutations": 0, "settings": {}, "notes": []}
    return encoding(units, None, **{**nothing, **members, "scores": {}, "alpha": None, **changes})


def course(**changes: Any) -> ComparisonResult:
    """Sensors over time, positions taken from their names."""
    space = {"name": "sensors", "type": "sensors"}
    return encoding(sensor_units(CAP), space, np.arange(-0.1, 0.8, 0.02), **{"notes": [], **changes})


def layers(n_layers: int = 6, best: ComparisonResult | None = None) -> LayerResult:
    """Early layers explain the first region, late ones the last."""
    rng = np.random.default_rng(5)
    best = encoding() if best is None else best
    place = np.linspace(0, 1, len(best.units)).reshape(-1, *[1] * (best.score.ndim - 1))
    depth = np.linspace(0, 1, n_layers)
    scores = np.stack([best.score * (1 - 0.8 * np.abs(place - d)) for d in depth])
    nearest = np.abs(place[None] - depth.reshape(-1, *[1] * best.score.ndim)).argmin(axis=0)
    chosen = np.clip(nearest + rng.integers(-1, 2, (5, *best.score.shape)), 0, n_layers - 1)
    return LayerResult(best, [f"encoder.{i}" for i in range(n_layers)], scores, chosen)


def rdms(
    n_subjects: int = 6, models: tuple[str, ...] = ("animacy", "faces and bodies", "V1 model", "null"), **changes: Any
) -> RdmComparison:
    """Models of falling quality, the last at chance."""
    rng = np.random.default_rng(6)
    n = len(models)
    subjects = np.linspace(0.35, 0.0, n) + rng.normal(0, 0.03, (n_subjects, n))
    score, pairs = subjects.mean(axis=0), np.where(np.eye(n) > 0, np.nan, 0.01)
    several = n_subjects > 1
    members: dict[str, Any] = {
        "models": list(models), "measure": "spearman", "score": score, "subject_scores": subjects,
        "ceiling_low": 0.36 if several else np.nan, "ceiling_high": 0.45 if several else np.nan,
        "ci": np.stack([score - 0.06, score + 0.06], axis=1), "level": 0.95, "p": np.where(score > 0.1, 0.001, 0.4),
        "q": np.where(score > 0.1, 0.002, 0.4), "pair_p": pairs, "pair_q": pairs,
        "test": "1000 shuffles of the conditions, one-sided", "generalises_to": "new stimuli and new subjects",
        "n_conditions": 92, "n_pairs": 4186, "settings": {"over": "both", "n_bootstrap": 1000, "correction": "bh"},
    }  # fmt: skip
    return RdmComparison(**{**members, **changes})


def partition(method: str = "inclusion_exclusion", n_spaces: int = 2, **changes: Any) -> VariancePartition:
    """Variance of nested spaces; with regions."""
    rng = np.random.default_rng(7)
    units, _ = voxels()
    names = ["objects", "motion", "words", "sound"][:n_spaces]
    alone = rng.uniform(0.02, 0.2, (n_spaces, len(units)))
    r2 = {s: 1 - np.prod([1 - alone[i] for i in s], axis=0) for s in subsets(n_spaces)}
    joint = r2[tuple(range(n_spaces))]
    members: dict[str, Any] = {
        "spaces": names, "method": method, "joint": joint, "r2": r2, "product": joint * alone / alone.sum(axis=0),
        "fold_joint": np.stack([joint - 0.01, joint + 0.01]), "fold_names": ["run=1", "run=2"],
        "split": "2 folds over 2 runs, each held out whole", "units": units, "settings": {"n_iter": 20, "delays_s": None},
    }  # fmt: skip
    return VariancePartition(**{**members, **changes})


def leakage(leaks: bool = False, **changes: Any) -> LeakageResult:
    """A split that holds, or one of shuffled rows."""
    rng = np.random.default_rng(8)
    height = 0.4 if leaks else 0.0
    scores = {name: height + rng.normal(0, 0.004, (5, 40)) for name in ("OASM", "AR noise")}
    scores["yours"] = 0.2 + rng.normal(0, 0.02, (5, 40))
    names = [f"run={i}" for i in range(5)]
    split = "5 folds of KFold" if leaks else "5 folds of whole runs (10 in all)"
    return LeakageResult(
        **{"scores": scores, "threshold": 0.02, "exposed": float(leaks), "split": split, "fold_names": names, **changes}
    )


def signs(**changes: Any) -> SignFlipResult:
    """Eight subjects, half of the targets above chance."""
    mean = np.linspace(0, 0.3, 20)
    p = np.where(mean > 0.15, 0.004, 0.5)
    members: dict[str, Any] = {"mean": mean, "t": mean * 20, "p": p, "p_max": p, "n_subjects": 8, "n_flips": 256, "exact": True}
    return SignFlipResult(**{**members, **changes})


EVERY = {
    "encoding": encoding,
    "bare encoding": bare,
    "encoding over time": course,
    "layers": layers,
    "rsa": rdms,
    "partition": partition,
    "leakage": leakage,
    "subjects": signs,
}
