"""What a comparison of model RDMs with measured ones found: a table, with no figures and no analysis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.compare.rdm_design import Floats
from neurodecode.errors import DataError


@dataclass(frozen=True, eq=False, repr=False)
class RdmComparison:
    """How well each of several models explains the RDMs of a group.

    Parameters
    ----------
    models : list of str
        Names of the models.
    measure : str
        How RDMs were compared (see `compare_rdms`).
    score : array of shape (n_models,)
        Mean similarity over subjects.
    subject_scores : array of shape (n_subjects, n_models)
        Similarity of each subject's RDM with each model.
    ceiling_low, ceiling_high : float
        Bounds of what the true model could score (see `rdm_ceiling`); NaN for one subject.
    ci : array of shape (n_models, 2)
        Confidence interval of `score`.
    level : float
        Its coverage.
    p : array of shape (n_models,)
        Probability of a score at least this high if the model explains nothing, one-sided.
    q : array of shape (n_models,)
        The same as false discovery rate over models.
    pair_p : array of shape (n_models, n_models)
        Probability of a difference at least this large between two models that are equally good, two-sided; NaN on the diagonal.
    pair_q : array of shape (n_models, n_models)
        The same as false discovery rate over pairs of models.
    test : str
        What `p` is.
    generalises_to : str
        What was resampled: the population that the interval and `pair_p` are about.
    n_conditions, n_pairs : int
        Conditions, and pairs of conditions that entered.
    chance, best : float
        Value of a measure without any information, and of equal RDMs (with ties, `rho_a` and `tau_a` stay below it).
    settings : dict
        Arguments as they were used.
    seeds : dict of str to int
        Seeds by what was drawn with them.
    notes : list of str
        What the reader must know.

    Raises
    ------
    DataError
        If members do not have one value per model.
    """

    models: list[str]
    measure: str
    score: Floats
    subject_scores: Floats
    ceiling_low: float
    ceiling_high: float
    ci: Floats
    level: float
    p: Floats
    q: Floats
    pair_p: Floats
    pair_q: Floats
    test: str
    generalises_to: str
    n_conditions: int
    n_pairs: int
    chance: float = 0.0
    best: float = 1.0
    settings: dict[str, Any] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        n = len(self.models)
        expected = {"score": (n,), "p": (n,), "q": (n,), "ci": (n, 2), "pair_p": (n, n), "pair_q": (n, n)}
        expected["subject_scores"] = (len(self.subject_scores), n)
        for name, shape in expected.items():
            if np.shape(getattr(self, name)) != shape:
                raise DataError(f"{name} must have one value per model, shape {shape}, got {np.shape(getattr(self, name))}")

    @property
    def n_subjects(self) -> int:
        """Number of measured RDMs."""
        return len(self.subject_scores)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per model, in the order given.

        Returns
        -------
        DataFrame
            ``model``, ``measure``, ``score``, ``ci_low``, ``ci_high``, ``chance``, ``ceiling_low``, ``ceiling_high``, ``p``,
            ``q``, ``n_subjects`` and ``n_conditions``.
        """
        return pd.DataFrame(
            {
                "model": self.models,
                "measure": self.measure,
                "score": self.score,
                "ci_low": self.ci[:, 0],
                "ci_high": self.ci[:, 1],
                "chance": self.chance,
                "ceiling_low": self.ceiling_low,
                "ceiling_high": self.ceiling_high,
                "p": self.p,
                "q": self.q,
                "n_subjects": self.n_subjects,
                "n_conditions": self.n_conditions,
            }
        )

    def pairs_to_dataframe(self) -> pd.DataFrame:
        """One row per pair of models.

        Returns
        -------
        DataFrame
            ``model``, ``other``, ``difference`` of their scores, ``p`` and ``q``.
        """
        first, second = np.triu_indices(len(self.models), 1)
        names = np.array(self.models, object)
        return pd.DataFrame(
            {
                "model": names[first],
                "other": names[second],
                "difference": self.score[first] - self.score[second],
                "p": self.pair_p[first, second],
                "q": self.pair_q[first, second],
            }
        )

    def __repr__(self) -> str:
        order = np.argsort(-np.nan_to_num(self.score, nan=-np.inf), kind="stable")
        shown = ", ".join(f"{self.models[i]} {self.score[i]:.3f} (q {self.q[i]:.3f})" for i in order)
        bounds = f"ceiling {self.ceiling_low:.3f} to {self.ceiling_high:.3f}" if self.n_subjects > 1 else "no ceiling"
        what = f"{self.n_conditions} conditions, {self.n_subjects} subjects, {self.measure}"
        return f"<RdmComparison of {what}, chance {self.chance:g}, {bounds}: {shown}>"
