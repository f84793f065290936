"""What one or several trainings of one configuration came to: curves and scores, for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.train.log import read_curve


@dataclass(frozen=True, eq=False)
class TrainedRetrieval:
    """Networks of several seeds, trained alike and scored once by retrieval on what was held out."""

    metric: str
    """``retrieval_top_k`` with k as a number."""
    scores: dict[str, float]
    """Accuracy of each seed."""
    chance: float
    """k over the number of candidates."""
    baseline: float
    """Accuracy of the ridge regression that saw the same samples; the mean over seeds."""
    baseline_name: str
    """What the baseline is."""
    n_candidates: int
    """Candidates that were ranked."""
    best_steps: dict[str, int]
    """Step whose weights each seed kept, chosen on the validation part."""
    curves: dict[str, pd.DataFrame]
    """``step, epoch, loss, lr, validation_loss`` of each seed."""
    split: str
    """What was held out, and on what the weights were chosen."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The configuration."""
    notes: list[str] = field(default_factory=list)
    """What the reader must know."""

    @property
    def score(self) -> float:
        """Mean accuracy over seeds."""
        return float(np.mean(list(self.scores.values())))

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds; None for one seed."""
        values = list(self.scores.values())
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


def summarise(results: Sequence[Mapping[str, Any]], root: Path, settings: Mapping[str, Any]) -> TrainedRetrieval:
    """Join what the runs of one configuration found.

    Parameters
    ----------
    results : sequence of mapping
        What a task returned for each seed.
    root : Path
        Folder that holds the folder ``seed-N`` of each.
    settings : mapping
        The configuration.

    Returns
    -------
    TrainedRetrieval
        Scores and curves by seed.
    """
    first = results[0]
    k = next(iter(first["chance"]))
    seeds = {str(result["seed"]): result for result in results}
    return TrainedRetrieval(
        metric=f"retrieval_top_{k}",
        scores={seed: float(result["top_k"][k]) for seed, result in seeds.items()},
        chance=float(first["chance"][k]),
        baseline=float(np.mean([result["baseline"][k] for result in results])),
        baseline_name=str(first["baseline_name"]),
        n_candidates=int(first["n_candidates"]),
        best_steps={seed: int(result["best_step"]) for seed, result in seeds.items()},
        curves={seed: read_curve(root / f"seed-{seed}") for seed in seeds},
        split=f"held out by {first['held_out']}; weights chosen on the {first['selected_on']} part",
        settings=dict(settings),
    )
