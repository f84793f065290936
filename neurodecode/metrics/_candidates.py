"""Credit of queries among candidates: single trials, averages, both directions, halves of the trials, words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.metrics._alike import Floats, similarity
from neurodecode.metrics._ranks import places
from neurodecode.metrics._trials import Trials, averages
from neurodecode.metrics.retrieval_result import DIRECTIONS

Rows = NDArray[np.intp]
_BLOCK = 2**22  # similarities of a block of queries


class How(NamedTuple):
    """Arguments that say how to score."""

    ks: tuple[int, ...]
    """Places that count."""
    similarity: str
    """As in `retrieval_report`."""
    ties: str
    """As in `retrieval_report`."""
    aggregation: str
    """As in `retrieval_report`."""
    subsets: list[Rows]
    """Candidates that stand against each other: all, or several draws."""
    groups: list[Rows]
    """Trials of each subject, where these are averaged first."""
    words: Rows | None
    """Word of each candidate."""
    temperature: float
    """Of the softmax behind the words."""


class Queries(NamedTuple):
    """What is looked for, and where."""

    rows: NDArray[Any]
    """Shape (n_queries, n_features)."""
    right: Rows
    """Row of the gallery that is right for each, shape (n_queries,)."""
    gallery: NDArray[Any]
    """Shape (n_candidates, n_features)."""

    def similarities(self, kind: str) -> Iterator[tuple[Floats, Rows]]:
        """Compare queries with candidates, block by block.

        Parameters
        ----------
        kind : str
            As in `similarity`.

        Yields
        ------
        tuple of two arrays
            Similarities of shape (n_queries_of_block, n_candidates), and the right candidate of each query.
        """
        from tqdm.auto import tqdm

        step = max(1, _BLOCK // len(self.gallery))
        starts = range(0, len(self.rows), step)
        for start in tqdm(starts, desc="retrieval", disable=len(starts) < 8, leave=False):
            block = slice(start, start + step)
            yield similarity(self.rows[block], self.gallery, kind), self.right[block]


class Tally(NamedTuple):
    """Credit of queries, summed by candidate so that stimuli can be drawn anew."""

    sums: Floats
    """Credit at each k, shape (n_ks, n_candidates)."""
    counts: Floats
    """Queries for each candidate, shape (n_candidates,)."""
    rank: float
    """Relative median rank."""
    hub: float
    """Share of the most frequent first answer."""

    @property
    def accuracy(self) -> Floats:
        """Mean credit at each k."""
        return np.asarray(self.sums.sum(axis=1) / self.counts.sum())


class Found(NamedTuple):
    """What one seed found."""

    single: Tally
    """Single trials, from brain to stimulus."""
    instance: Tally
    """Averages over the trials of a stimulus, from brain to stimulus."""
    headline: dict[str, Tally]
    """As aggregated, by direction."""
    ceiling: Floats | None
    """Accuracy of half of the trials among the other half, shape (n_ks,)."""
    words: Floats | None
    """Accuracy of words, shape (n_ks,)."""


def score_seed(trials: Trials, predicted: NDArray[Any], how: How) -> Found:
    """Score the predictions of one seed.

    Parameters
    ----------
    trials : Trials
        Candidates and the trials of each.
    predicted : array of shape (n_trials, n_features)
        Predictions.
    how : How
        How to score.

    Returns
    -------
    Found
        Credit by kind of query.
    """
    n, repeats = len(trials.ids), trials.repeats
    own, everyone = np.arange(n), [np.arange(len(trials.code))]
    mean = predicted if repeats.max() == 1 else averages(predicted, trials.code, n, everyone)
    single = _tally(Queries(predicted, trials.code, trials.gallery), how)
    instance = single if mean is predicted else _tally(Queries(mean, own, trials.gallery), how)
    answered = {"single": single, "instance": instance}
    asked = Queries(predicted, trials.code, trials.gallery) if how.aggregation == "single" else Queries(mean, own, trials.gallery)
    if how.aggregation == "subject":
        mean = averages(predicted, trials.code, n, how.groups)
        asked = Queries(mean, own, trials.gallery)
        answered["subject"] = _tally(asked, how)
    headline = dict(zip(DIRECTIONS, (answered[how.aggregation], _tally(Queries(trials.gallery, own, mean), how)), strict=True))
    ceiling = _ceiling(trials, predicted, how) if repeats.min() > 1 else None
    return Found(single, instance, headline, ceiling, None if how.words is None else _words(asked, how.words, how))


def _tally(queries: Queries, how: How) -> Tally:
    """Add up credit over blocks of queries and draws of candidates."""
    n = len(queries.gallery)
    sums, counts, ranks, hits = np.zeros((len(how.ks), n)), np.zeros(n), [], np.zeros((len(how.subsets), n))
    for alike, right in queries.similarities(how.similarity):
        for subset, answers in zip(how.subsets, hits, strict=True):
            position = np.full(n, -1)
            position[subset] = np.arange(len(subset))
            asked = np.flatnonzero(position[right] >= 0)
            part = alike if len(subset) == n else alike[np.ix_(asked, subset)]
            place = places(part, position[right[asked]])
            for total, credit in zip(sums, place.credit(how.ks, how.ties), strict=True):
                np.add.at(total, right[asked], credit)
            np.add.at(counts, right[asked], 1)
            np.add.at(answers, subset[place.first], 1)
            ranks.append(place.rank / (len(subset) - 1))
    hub = float(np.mean(hits.max(axis=1) / hits.sum(axis=1)))
    return Tally(sums, counts, float(np.median(np.concatenate(ranks))), hub)


def _ceiling(trials: Trials, predicted: NDArray[Any], how: How) -> Floats:
    """Accuracy of one half of the trials of each stimulus among the other half, mean of both ways."""
    order = np.argsort(trials.code, kind="stable")
    starts = np.cumsum(trials.repeats) - trials.repeats
    turn = (np.arange(len(order)) - starts[trials.code[order]]) % 2
    n = len(trials.ids)
    halves = [averages(predicted, trials.code, n, [order[turn == side]]) for side in (0, 1)]
    tallies = [_tally(Queries(a, np.arange(n), b), how) for a, b in (halves, halves[::-1])]
    return np.asarray(np.mean([tally.accuracy for tally in tallies], axis=0))


def _words(queries: Queries, word: Rows, how: How) -> Floats:
    """Accuracy at each k of words, whose probability is the sum over their candidates."""
    from scipy.special import softmax

    member = np.eye(int(word.max()) + 1)[word]
    credit = [
        places(softmax(alike / how.temperature, axis=1) @ member, word[right]).credit(how.ks, how.ties)
        for alike, right in queries.similarities(how.similarity)
    ]
    return np.asarray(np.concatenate(credit, axis=1).mean(axis=1))
