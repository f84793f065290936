"""Features, responses and results for the tests of encoding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from neurodecode.compare.result import ComparisonResult
from neurodecode.data import Responses


def table(data: np.ndarray, **samples: Any) -> Responses:
    """Responses with some columns of samples."""
    return Responses(data, pd.DataFrame(samples, index=range(len(data))), pd.DataFrame(index=range(data.shape[1])))


def linear(n: int = 200, p: int = 4, k: int = 6, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """White features and responses that are linear in them."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    y = x @ rng.standard_normal((p, k)) + noise * rng.standard_normal((n, k))
    return x.astype(np.float32), y.astype(np.float32)


def trials(
    n: int = 60, repeats: int = 3, noise: float = 1.0, order: str = "blocked", seed: int = 0, **columns: Any
) -> tuple[Responses, Responses]:
    """Images with features, and responses to several presentations of each."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3)).astype(np.float32)
    ids = [f"image{i:03d}" for i in range(n)]
    shown = np.tile(np.arange(n), repeats)
    if order == "shuffled":
        shown = rng.permutation(shown)
    y = (x @ rng.standard_normal((3, 5)))[shown] + noise * rng.standard_normal((len(shown), 5))
    return table(x, stimulus=ids), table(y.astype(np.float32), stimulus=np.array(ids)[shown], **columns)


def cube(shape: tuple[int, int, int] = (4, 3, 2)) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Voxels of a small volume, every other one, and their space."""
    index = np.argwhere(np.ones(shape, bool))[::2]
    units = pd.DataFrame({"name": ["_".join(map(str, v)) for v in index], **dict(zip("ijk", index.T, strict=True))})
    units = units.assign(region=np.where(units["i"] < 1, "V1", "IT"))
    affine = np.diag([3.0, 3.0, 4.0, 1.0])
    return units, {"name": "native", "type": "volume", "shape": list(shape), "affine": affine.tolist()}


def surface() -> tuple[pd.DataFrame, dict[str, Any]]:
    """Vertices of two small hemispheres, and their space."""
    units = pd.DataFrame({"name": ["L0", "L4", "R1", "R2"], "hemisphere": list("LLRR"), "vertex": [0, 4, 1, 2]})
    return units, {"name": "fsaverage5", "type": "surface", "n_vertices": {"L": 5, "R": 6}}


def result(units: pd.DataFrame | None = None, n_times: int = 0, **changes: Any) -> ComparisonResult:
    """A comparison with every member, its numbers drawn at random."""
    rng = np.random.default_rng(0)
    units = cube()[0] if units is None else units
    shape = (len(units), n_times) if n_times else (len(units),)
    rho = rng.uniform(0.2, 0.8, shape)
    rho.flat[0] = 0.01
    score = rng.uniform(-0.1, 0.5, shape)
    members: dict[str, Any] = {
        "score": score, "metric": "r", "fold_scores": np.stack([score - 0.1, score + 0.1]), "fold_names": ["fold=0", "fold=1"],
        "chance": 0.0, "best": 1.0, "baseline": score / 2, "baseline_name": "nuisance features alone (rate)",
        "split": "2 folds over 2 runs, each held out whole", "ceiling": rho, "ceiling_name": "given",
        "normalised": np.where(rho < 0.05, np.nan, score / np.sqrt(rho)), "p": rng.uniform(0, 1, shape),
        "q": np.where(score > 0.2, 0.01, 0.5), "correction": "bh", "n_permutations": 99,
        "alpha": np.stack([np.full(shape, 10.0), np.full(shape, 1000.0)]), "scores": {"R2": score**2, "gain": score / 3},
        "units": units, "times": np.arange(n_times) / 100 if n_times else None, "space": cube()[1], "seeds": {"random_state": 3},
        "settings": {"model": "ridge", "delays_s": [2.0, 4.0], "nothing": None}, "notes": ["one note"],
        "predictions": rng.standard_normal((7, *shape)).astype(np.float32),
        "weights": rng.standard_normal((3, *shape)).astype(np.float32),
    }  # fmt: skip
    return ComparisonResult(**{**members, **changes})
