"""What retrieval found: accuracies by direction with chance, ceiling, intervals, and how they came about."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.hashing import jsonable

DIRECTIONS = ("brain_to_stimulus", "stimulus_to_brain")
TopK = dict[int, float]
Interval = tuple[float, float]


@dataclass(frozen=True, eq=False, repr=False)
class RetrievalReport:
    """How often the right candidate is found among all; `float` of it is the accuracy at the least k, from brain to stimulus.

    Chance k / n_candidates, best 1.

    Parameters
    ----------
    top_k : dict of str to dict of int to float
        Accuracy at each k in both directions. ``"brain_to_stimulus"``: the prediction of a trial is given, its stimulus is
        looked for ("image retrieval"); ``"stimulus_to_brain"``: a stimulus is given, its prediction is looked for ("brain
        retrieval"), left out where only scores of candidates are known.
    chance : dict of int to float
        k / n_candidates.
    n_candidates : int
        Candidates among which one is looked for, each counted once.
    n_queries : int
        Predictions that were looked up, from brain to stimulus.
    ci : dict of str to dict of int to tuple of float
        Bootstrap interval over stimuli, with the candidates held fixed.
    seed_scores : dict of str to dict of int to array of shape (n_seeds,)
        Accuracy of each seed.
    seed_ci : dict of str to dict of int to tuple of float
        Student t interval of the mean over seeds; NaN with one seed.
    single_trial : dict of int to float
        From brain to stimulus with one trial at a time.
    repeat_averaged : dict of int to float
        From brain to stimulus with the mean prediction of all trials of a stimulus.
    ceiling : dict of int to float or None
        The mean prediction of one half of the trials of each stimulus looked for among those of the other half. Its candidates
        are noisy where targets are not: a reference for what these recordings repeat, not a bound. None unless every stimulus
        has two trials.
    relative_median_rank : dict of str to float
        Median place of the right candidate / (n_candidates - 1): chance .5, best 0.
    hub_share : dict of str to float
        Share of queries that are answered with the most frequent first answer: 1 / n_candidates if all are right, 1 if
        predictions have collapsed onto one candidate.
    mean_repeats : float
        Trials per candidate.
    vocabulary : dict of int to float or None
        Accuracy of words, with probabilities summed over candidates of one word.
    vocabulary_chance : dict of int to float or None
        Accuracy of always naming the k most frequent words.
    n_words : int or None
        Number of words.
    category_overlap : float or None
        Share of candidates whose category also occurs in training: 0 for zero-shot retrieval.
    aggregation, similarity, ties, protocol : str
        As in `retrieval_report`.
    split_unit : str or None
        What was held out.
    selection_split : str or None
        Split on which the model was selected.
    oracle_selection : bool
        Whether the model was selected on the data scored here: the score is then no estimate for new data.
    level : float
        Coverage of the intervals.
    settings : dict
        Arguments as they were used.
    notes : list of str
        What the reader must know.
    """

    top_k: dict[str, TopK]
    chance: TopK
    n_candidates: int
    n_queries: int
    ci: dict[str, dict[int, Interval]]
    seed_scores: dict[str, dict[int, NDArray[np.float64]]]
    seed_ci: dict[str, dict[int, Interval]]
    single_trial: TopK
    repeat_averaged: TopK
    ceiling: TopK | None
    relative_median_rank: dict[str, float]
    hub_share: dict[str, float]
    mean_repeats: float
    vocabulary: TopK | None
    vocabulary_chance: TopK | None
    n_words: int | None
    category_overlap: float | None
    aggregation: str
    similarity: str
    ties: str
    protocol: str
    split_unit: str | None
    selection_split: str | None
    oracle_selection: bool
    level: float
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __float__(self) -> float:
        return self.top_k[DIRECTIONS[0]][min(self.chance)]

    @property
    def n_seeds(self) -> int:
        """Number of seeds."""
        return len(self.seed_scores[DIRECTIONS[0]][min(self.chance)])

    @property
    def zero_shot(self) -> bool | None:
        """Whether no category of the candidates occurs in training; None if that is not known."""
        return None if self.category_overlap is None else self.category_overlap == 0

    def to_dataframe(self) -> pd.DataFrame:
        """One row per direction and k.

        Returns
        -------
        DataFrame
            ``direction, k, accuracy, ci_low, ci_high, seed_ci_low, seed_ci_high, chance, best, ceiling, n_candidates,
            relative_median_rank, hub_share, aggregation, ties``. The ceiling is from brain to stimulus.
        """
        return pd.DataFrame([self._row(direction, k) for direction in self.top_k for k in self.chance])

    def _row(self, direction: str, k: int) -> dict[str, Any]:
        ceiling = self.ceiling[k] if self.ceiling is not None and direction == DIRECTIONS[0] else float("nan")
        return {
            "direction": direction,
            "k": k,
            "accuracy": self.top_k[direction][k],
            "ci_low": self.ci[direction][k][0],
            "ci_high": self.ci[direction][k][1],
            "seed_ci_low": self.seed_ci[direction][k][0],
            "seed_ci_high": self.seed_ci[direction][k][1],
            "chance": self.chance[k],
            "best": 1.0,
            "ceiling": ceiling,
            "n_candidates": self.n_candidates,
            "relative_median_rank": self.relative_median_rank[direction],
            "hub_share": self.hub_share[direction],
            "aggregation": self.aggregation,
            "ties": self.ties,
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return dict(jsonable({member.name: getattr(self, member.name) for member in fields(self)}))

    def __repr__(self) -> str:
        head = (
            f"RetrievalReport: {self.n_queries} queries ({self.aggregation}, {self.mean_repeats:.3g} trials per stimulus) among "
            f"{self.n_candidates} candidates, {self.similarity}, ties {self.ties}, {self.n_seeds} seed(s)"
        )
        lines = [head, *map(self._line, self.top_k)]
        lines.append(f"  single trials {_percent(self.single_trial)}; repeats averaged {_percent(self.repeat_averaged)}")
        if self.ceiling is not None:
            lines.append(f"  one half of the trials among the other half {_percent(self.ceiling)}")
        if self.vocabulary is not None and self.vocabulary_chance is not None:
            often = _percent(self.vocabulary_chance)
            lines.append(f"  {self.n_words} words {_percent(self.vocabulary)}; always the most frequent ones {often}")
        selected = (
            "on the data scored here (oracle)" if self.oracle_selection else f"on {self.selection_split or 'an unknown split'}"
        )
        lines.append(f"  held out by {self.split_unit or 'an unknown unit'}, model selected {selected}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def _line(self, direction: str) -> str:
        parts = [
            f"top-{k} {100 * accuracy:.1f} % [{100 * self.ci[direction][k][0]:.1f}, {100 * self.ci[direction][k][1]:.1f}] "
            f"(chance {100 * self.chance[k]:.3g} %)"
            for k, accuracy in self.top_k[direction].items()
        ]
        rank = f"relative median rank {self.relative_median_rank[direction]:.3f} (chance .5)"
        return f"  {direction.replace('_', ' ')}: {', '.join(parts)}; {rank}; modal answer {self.hub_share[direction]:.1%}"


def _percent(values: TopK) -> str:
    return ", ".join(f"top-{k} {100 * value:.1f} %" for k, value in values.items())
