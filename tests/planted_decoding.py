"""Stored responses and features with a planted linear relation, and a configuration of the task that finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from neurodecode.data import Responses, save

QUICK: dict[str, Any] = {"epochs": 15, "batch_size": 32, "lr": 0.01, "device": "cpu", "schedule": "cosine", "patience": 10}


def responses_and_features(
    noise: float = 1.0, n_stimuli: int = 120, n_repeats: int = 2, seed: int = 0
) -> tuple[Responses, Responses]:
    """Each stimulus has an embedding, which units respond to linearly; it is shown once in each run."""
    rng = np.random.default_rng(seed)
    ids = [f"image{i:03d}" for i in range(n_stimuli)]
    embedding = rng.standard_normal((n_stimuli, 8)).astype(np.float32)
    order = np.concatenate([rng.permutation(n_stimuli) for _ in range(n_repeats)])
    signal = embedding[order] @ rng.standard_normal((8, 40))
    data = 5 + 3 * (signal + noise * rng.standard_normal(signal.shape))
    table = {"stimulus": [ids[i] for i in order], "run": np.repeat(np.arange(n_repeats), n_stimuli)}
    units = pd.DataFrame({"name": [f"voxel{i}" for i in range(40)]})
    features = Responses(embedding, {"stimulus": ids}, pd.DataFrame({"name": [f"dim{i}" for i in range(8)]}))
    return Responses(data.astype(np.float32), pd.DataFrame(table), units), features


def write_task(folder: Path, noise: float = 1.0, **changes: Any) -> Path:
    """Both on disk, with a configuration beside them."""
    responses, features = responses_and_features(noise)
    save(responses, folder / "responses")
    save(features, folder / "features")
    values = {"task": "contrastive", "responses": "responses", "features": "features", "trainer": QUICK, **changes}
    path = folder / "decoder.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path
