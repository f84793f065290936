"""What an analysis of dynamic connectomes found, as plain data for reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.hashing import jsonable


@dataclass(frozen=True, eq=False, repr=False)
class ConnectomeResult:
    """Components of a dynamic connectome.

    Parameters
    ----------
    names : list of str
        Neurons or regions.
    samples : list of str
        Animals, sessions or trials.
    times : array of shape (n_times,)
        s.
    time_factors : array of shape (n_times, rank)
        When each component is active, columns of length 1.
    sample_factors : array of shape (n_samples, rank)
        In which samples.
    graphs : array of shape (rank, n_names, n_names)
        Which pairs, folded; NaN where a pair was never observed.
    labels : array of shape (rank, n_names)
        Community of each neuron in each component.
    confidence : array of shape (rank, n_names)
        How sure that is, 0 to 1.
    components : DataFrame
        ``component, weight, stability, reproducibility, null_reproducibility, stable, n_communities, active_from, active_to`` (s
        where the time factor exceeds half of its largest value).
    explained : float
        Share of the squared tensor that is explained.
    null_explained : float or None
        The same of circularly shifted traces.
    ranks : DataFrame
        ``rank, test_error, train_error, stability, chance, core_consistency``; empty where the rank was given.
    overlap : DataFrame
        ``component, stimulus, overlap, chance, p, n_shifts``.
    events : DataFrame
        Stimuli.
    settings : dict
        Parameters.
    notes : list of str
        What the reader must know.
    """

    names: list[str]
    samples: list[str]
    times: NDArray[np.float64]
    time_factors: NDArray[np.float64]
    sample_factors: NDArray[np.float64]
    graphs: NDArray[np.float64]
    labels: NDArray[np.int64]
    confidence: NDArray[np.float64]
    components: pd.DataFrame
    explained: float
    null_explained: float | None
    ranks: pd.DataFrame
    overlap: pd.DataFrame
    events: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def rank(self) -> int:
        """Number of components."""
        return len(self.graphs)

    @property
    def n_stable(self) -> int:
        """Components that come back in other samples more than those of shifted traces do."""
        return int(self.components["stable"].sum())

    def to_dict(self) -> dict[str, Any]:
        """Tables and figures as JSON values, without factors."""
        found = {
            "metric": "explained share",
            "score": self.explained,
            "chance": self.null_explained,
            "rank": self.rank,
            "n_stable": self.n_stable,
            "n_samples": len(self.samples),
            "n_names": len(self.names),
            "components": self.components.to_dict("records"),
            "ranks": self.ranks.to_dict("records"),
            "overlap": self.overlap.to_dict("records"),
            "settings": self.settings,
            "notes": self.notes,
        }
        return dict(jsonable(found))

    def __repr__(self) -> str:
        null = "" if self.null_explained is None else f" (shifted traces {self.null_explained:.3f})"
        return (
            f"<ConnectomeResult: {self.rank} components of {len(self.names)} names in {len(self.samples)} samples, explained "
            f"{self.explained:.3f}{null}, {self.n_stable} stable>"
        )
