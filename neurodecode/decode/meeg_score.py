"""Scores of candidates for predictions, block by block, and what retrieval among them found beside the ridge and the ceiling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.hashing import jsonable
from neurodecode.decode.meeg_inputs import Targets
from neurodecode.errors import DataError
from neurodecode.metrics.retrieval_result import RetrievalReport

BLOCK = 2**24  # values of a block of candidates: 64 MB of float32
_FORWARD = "brain_to_stimulus"


class Gallery(NamedTuple):
    """Candidates, each different one once."""

    ids: list[str]
    """Name of each candidate: the first of those that have one target."""
    rows: NDArray[np.int64]
    """Row of the targets of each candidate."""
    column: NDArray[np.int64]
    """Candidate of each row of the targets."""


def deduplicate(targets: Targets) -> Gallery:
    """Find the different candidates: rows that are equal, number for number, are one.

    Parameters
    ----------
    targets : Targets
        Rows, read in blocks.

    Returns
    -------
    Gallery
        In order of first appearance.

    Raises
    ------
    DataError
        If there are fewer than two.
    """
    first: dict[bytes, int] = {}
    column = np.empty(len(targets.ids), np.int64)
    for block in _blocks(len(targets.ids), targets.data.shape[1:]):
        for row, values in zip(block, np.asarray(targets.data[block[0] : block[-1] + 1]), strict=True):
            column[row] = first.setdefault(_digest(values), len(first))
    if len(first) < 2:
        raise DataError(f"retrieval needs at least two different candidates, got {len(first)} of {len(column)} rows")
    _, rows = np.unique(column, return_index=True)
    return Gallery([str(targets.ids[row]) for row in rows], rows.astype(np.int64), column)


def _digest(values: NDArray[Any]) -> bytes:
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(values + 0.0, np.float32).tobytes()).digest()  # + 0.0: -0 is 0


def _blocks(n: int, shape: Sequence[int]) -> list[NDArray[np.int64]]:
    step = max(1, BLOCK // max(1, int(np.prod(shape))))
    return [np.arange(start, min(start + step, n)) for start in range(0, n, step)]


def score_candidates(
    predictions: Iterable[tuple[NDArray[np.int64], Any]],
    n_samples: int,
    gallery: Gallery,
    read: Callable[[NDArray[np.int64]], Any],
    shape: tuple[int, ...],
) -> NDArray[np.float32]:
    r"""Score every candidate for every prediction, :math:`s_{ij} = \langle z_i, y_j \rangle / \lVert y_j \rVert`.

    One product of matrices per pair of blocks; neither all predictions nor all candidates are held at once.

    Parameters
    ----------
    predictions : iterable of tuple
        Sample numbers and a Tensor (n, ...) of their predictions.
    n_samples : int
        Number of samples.
    gallery : Gallery
        Candidates.
    read : callable
        From rows of the targets to a Tensor (n, ...) that predictions are compared with.
    shape : tuple of int
        Shape of one target, for the size of the blocks.

    Returns
    -------
    array of shape (n_samples, n_candidates)
        Scores, float32.
    """
    blocks, scores = _blocks(len(gallery.rows), shape), np.empty((n_samples, len(gallery.rows)), np.float32)
    kept = [_unit_rows(read(gallery.rows[b])) for b in blocks] if len(blocks) == 1 else []
    for index, predicted in predictions:
        flat = predicted.flatten(1).float()
        for number, block in enumerate(blocks):
            candidates = kept[number] if kept else _unit_rows(read(gallery.rows[block]))
            scores[np.ix_(index, block)] = (flat @ candidates.to(flat.device).T).cpu().numpy()
    return scores


def _unit_rows(values: Any) -> Any:
    """Flattened rows of length 1, lengths found in double precision."""
    flat = values.flatten(1).float()
    length = flat.double().square().sum(1, keepdim=True).sqrt().clamp_min(1e-12)
    return (flat / length).float()


@dataclass(frozen=True, eq=False, repr=False)
class StimulusRetrieval:
    """What a decoder of M/EEG found among candidates; `float` of it is the accuracy at the least k.

    Parameters
    ----------
    reports : dict of str to RetrievalReport
        By averaging: ``"single"`` trials, ``"instance"`` (all trials of a stimulus), ``"subject"`` (within subjects first).
    aggregation : str
        The one that `float` and the first line are about.
    decoder : str
        What decoded: the network, or the ridge.
    baseline : dict of str to RetrievalReport or None
        The same by the ridge of each subject, on the same samples and candidates.
    baseline_name : str
        What it is.
    oracle : dict of int to float or None
        Accuracy of the likelihood of single trials at each k, where it is known (simulated data): no decoder exceeds it.
    by_subject : DataFrame
        Accuracy of single trials of each subject: ``subject, n, top1, top5, ...``.
    notes : list of str
        What the reader must know.
    """

    reports: dict[str, RetrievalReport]
    aggregation: str
    decoder: str
    baseline: dict[str, RetrievalReport] | None
    baseline_name: str
    oracle: dict[int, float] | None
    by_subject: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def __float__(self) -> float:
        return float(self.report)

    @property
    def report(self) -> RetrievalReport:
        """The report that is the headline, with interval, chance, split, ties and words."""
        return self.reports[self.aggregation]

    @property
    def score(self) -> float:
        """Accuracy at the least k."""
        return float(self)

    @property
    def top_k(self) -> dict[int, float]:
        """Accuracy at each k, from brain to stimulus."""
        return self.report.top_k[_FORWARD]

    @property
    def chance(self) -> dict[int, float]:
        """Chance at each k, k / n_candidates."""
        return self.report.chance

    @property
    def n_candidates(self) -> int:
        """Number of different candidates."""
        return self.report.n_candidates

    @property
    def ridge(self) -> dict[int, float] | None:
        """Accuracy of the ridge at each k, averaged as the headline is."""
        return None if self.baseline is None else self.baseline[self.aggregation].top_k[_FORWARD]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per decoder, averaging and k.

        Returns
        -------
        DataFrame
            ``decoder, aggregation, k, accuracy, ci_low, ci_high, chance, oracle, n_candidates, n_queries, selection_split``.
        """
        both = {self.decoder: self.reports, self.baseline_name: self.baseline or {}}
        return pd.DataFrame([self._row(name, r, k) for name, rs in both.items() for r in rs.values() for k in r.chance])

    def _row(self, decoder: str, report: RetrievalReport, k: int) -> dict[str, Any]:
        known = self.oracle is not None and report.aggregation == "single"
        return {
            "decoder": decoder,
            "aggregation": report.aggregation,
            "k": k,
            "accuracy": report.top_k[_FORWARD][k],
            "ci_low": report.ci[_FORWARD][k][0],
            "ci_high": report.ci[_FORWARD][k][1],
            "chance": report.chance[k],
            "oracle": self.oracle[k] if known and self.oracle is not None else float("nan"),
            "n_candidates": report.n_candidates,
            "n_queries": report.n_queries,
            "selection_split": report.selection_split,
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values."""
        baseline = None if self.baseline is None else {name: r.to_dict() for name, r in self.baseline.items()}
        return dict(
            jsonable(
                {
                    "aggregation": self.aggregation,
                    "decoder": self.decoder,
                    "reports": {name: report.to_dict() for name, report in self.reports.items()},
                    "baseline": baseline,
                    "baseline_name": self.baseline_name,
                    "oracle": self.oracle,
                    "by_subject": self.by_subject.to_dict("records"),
                    "notes": self.notes,
                }
            )
        )

    def __repr__(self) -> str:
        lines = [repr(self.report).replace("RetrievalReport", "StimulusRetrieval", 1)]
        for name, report in self.reports.items():
            ridge = "" if self.baseline is None else f"; {self.baseline_name} {_percent(self.baseline[name].top_k[_FORWARD])}"
            lines.append(f"  {name}: {_percent(report.top_k[_FORWARD])}{ridge}")
        if self.oracle is not None:
            lines.append(f"  ceiling of single trials (likelihood) {_percent(self.oracle)}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _percent(values: dict[int, float]) -> str:
    return ", ".join(f"top-{k} {100 * value:.1f} %" for k, value in values.items())


def accuracy_by_subject(
    scores: NDArray[Any], right: NDArray[np.int64], subjects: NDArray[Any], ks: Sequence[int]
) -> pd.DataFrame:
    """Accuracy of single trials within each subject, ties in expectation.

    Parameters
    ----------
    scores : array of shape (n_samples, n_candidates)
        Scores.
    right : array of shape (n_samples,)
        Column of the right candidate.
    subjects : array of shape (n_samples,)
        Subject of each sample.
    ks : sequence of int
        Places that count.

    Returns
    -------
    DataFrame
        ``subject, n`` and ``top<k>`` for each k.
    """
    own = scores[np.arange(len(scores)), right][:, None]
    greater, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    credit = {f"top{k}": np.clip((k - greater) / equal, 0, 1) for k in ks}
    table = pd.DataFrame({"subject": subjects, "n": 1, **credit})
    means = table.groupby("subject", sort=True)[list(credit)].mean()
    return table.groupby("subject", sort=True)[["n"]].sum().join(means).reset_index()
