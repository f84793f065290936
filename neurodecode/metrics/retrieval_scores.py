"""Retrieval from a matrix of scores: for targets too large to stand beside each trial, and galleries with more than was shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.metrics._alike import Floats
from neurodecode.metrics._intervals import bootstrap_interval
from neurodecode.metrics._ranks import places
from neurodecode.metrics._trials import averages, per_trial
from neurodecode.metrics.inference import fold_confidence_interval
from neurodecode.metrics.retrieval import AGGREGATIONS, below_candidates, refuse_oracle
from neurodecode.metrics.retrieval_result import DIRECTIONS, RetrievalReport, TopK

_BLOCK = 2**22  # scores of a block of queries
_FORWARD = DIRECTIONS[0]


class _Asked(NamedTuple):
    """Queries in one form of averaging."""

    rows: NDArray[np.floating]
    """Scores, (n_queries, n_candidates)."""
    right: NDArray[np.intp]
    """Column that is right for each, (n_queries,)."""


class _Found(NamedTuple):
    """Credit of queries."""

    credit: Floats
    """(n_ks, n_queries)."""
    rank: Floats
    """Mid-rank from 0, (n_queries,)."""
    first: NDArray[np.int64]
    """Candidate that is answered, (n_queries,)."""

    @property
    def accuracy(self) -> Floats:
        """Mean credit at each k."""
        return np.asarray(self.credit.mean(axis=1))


def retrieval_from_scores(
    scores: ArrayLike,
    right: ArrayLike,
    k: int | Sequence[int] = (1, 5, 10),
    *,
    ties: str = "expected",
    aggregation: str = "single",
    subjects: ArrayLike | None = None,
    words: ArrayLike | None = None,
    temperature: float = 1.0,
    category_overlap: float | None = None,
    similarity: str = "dot",
    split_unit: str | None = None,
    selection_split: str | None = None,
    oracle_selection: bool = False,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    random_state: int = 0,
) -> RetrievalReport:
    """Say how often the right candidate has the highest scores.

    The same rules as in `retrieval_report`, from brain to stimulus alone: candidates that no trial shows are candidates, too,
    and nobody needs the target of every trial in memory. Averages over trials are averages of their scores, which are the
    scores of the averaged predictions where a score is linear in the prediction (an inner product, or one over the norm of the
    target).

    Chance k / n_candidates, best 1.

    Parameters
    ----------
    scores : array_like of shape (n_trials, n_candidates) or (n_seeds, n_trials, n_candidates)
        Score of each candidate for each trial, the higher the likelier.
    right : array_like of shape (n_trials,)
        Column of the candidate that was shown.
    k : int or sequence of int
        Places that count; those that are not below the number of candidates are left out.
    ties : str
        ``"expected"`` or ``"midrank"``, as in `retrieval_report`.
    aggregation : str
        ``"single"`` trials, ``"instance"`` (the mean over all trials of a candidate) or ``"subject"`` (within subjects first).
    subjects : array_like of shape (n_trials,), optional
        Subject of each trial, for ``aggregation="subject"``.
    words : array_like of shape (n_candidates,), optional
        Word of each candidate. Probabilities, the softmax of scores / `temperature`, are summed over equal words.
    temperature : float
        Of that softmax.
    category_overlap : float, optional
        Share of the candidates whose category occurs in training, for the report.
    similarity : str
        What the scores are, for the report.
    split_unit : str, optional
        What was held out.
    selection_split : str, optional
        Split on which the model was selected. ``"test"`` is refused.
    oracle_selection : bool
        Accept ``selection_split="test"`` and mark the report.
    n_bootstrap : int
        Resamples of the stimuli that were shown; 0 for no intervals.
    level : float
        Coverage of the intervals.
    random_state : int
        Seed of the resamples.

    Returns
    -------
    RetrievalReport
        From brain to stimulus; the other direction and the ceiling by halves need predictions and are left out.

    Raises
    ------
    DataError
        If shapes do not fit, a score is NaN, a column does not exist, or an option is unknown.
    SplitLeakError
        If the model was selected on the test data.
    """
    check_option("ties", ties, ("expected", "midrank"))
    check_option("aggregation", aggregation, AGGREGATIONS)
    refuse_oracle(selection_split, oracle_selection)
    seeds, own = _checked(scores, right)
    notes = [] if selection_split else ["selection_split is not stated: say on which split epochs and parameters were chosen"]
    ks = below_candidates(k, seeds.shape[2], notes)
    groups = _groups(subjects, len(own), aggregation)
    asked = [{kind: _ask(seed, own, groups if kind == "subject" else []) for kind in {"instance", aggregation}} for seed in seeds]
    asked = [{**kinds, "single": _Asked(seed, own)} for kinds, seed in zip(asked, seeds, strict=True)]
    found = [{kind: _score(queries, ks, ties) for kind, queries in kinds.items()} for kinds in asked]
    headline, by_seed = [kinds[aggregation] for kinds in found], [kinds[aggregation].accuracy for kinds in found]
    right_of = asked[0][aggregation].right
    spread = _by_stimulus(np.mean([h.credit for h in headline], axis=0), right_of)
    rng = np.random.default_rng((random_state, 1))
    n = seeds.shape[2]
    per_k = {value: np.array([accuracy[i] for accuracy in by_seed]) for i, value in enumerate(ks)}
    vocabulary = _words(words, [kinds[aggregation] for kinds in asked], ks, ties, check_positive("temperature", temperature))
    return RetrievalReport(
        top_k={_FORWARD: {value: float(per_k[value].mean()) for value in ks}},
        chance={value: value / n for value in ks},
        n_candidates=n,
        n_queries=len(right_of),
        ci={_FORWARD: {v: bootstrap_interval(s, spread[1], n_bootstrap, rng, level) for v, s in zip(ks, spread[0], strict=True)}},
        seed_scores={_FORWARD: per_k},
        seed_ci={_FORWARD: {value: fold_confidence_interval(per_k[value], level) for value in ks}},
        single_trial=_mean(ks, [kinds["single"].accuracy for kinds in found]),
        repeat_averaged=_mean(ks, [kinds["instance"].accuracy for kinds in found]),
        ceiling=None,
        relative_median_rank={_FORWARD: float(np.mean([np.median(h.rank) / (n - 1) for h in headline]))},
        hub_share={_FORWARD: float(np.mean([np.bincount(h.first).max() / len(h.first) for h in headline]))},
        mean_repeats=len(own) / len(np.unique(own)),
        vocabulary=vocabulary[0],
        vocabulary_chance=vocabulary[1],
        n_words=None if words is None else len(np.unique(np.asarray(words))),
        category_overlap=category_overlap,
        aggregation=aggregation,
        similarity=similarity,
        ties=ties,
        protocol="all",
        split_unit=split_unit,
        selection_split=selection_split,
        oracle_selection=oracle_selection,
        level=level,
        settings={"temperature": temperature, "n_bootstrap": n_bootstrap, "random_state": random_state},
        notes=notes,
    )


def _checked(scores: ArrayLike, right: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.intp]]:
    """Scores (n_seeds, n_trials, n_candidates) and the right columns."""
    values = np.asarray(scores)
    if values.ndim not in (2, 3) or values.dtype.kind not in "fiu" or 0 in values.shape or values.shape[-1] < 2:
        raise DataError(f"scores must be numbers (n_trials, n_candidates) of at least two candidates, got {values.shape}")
    real = values if values.dtype.kind == "f" else values.astype(np.float64)
    seeds = real if real.ndim == 3 else real[None]
    own = per_trial(right, seeds.shape[1], "right")
    if own.dtype.kind not in "iu" or own.min() < 0 or own.max() >= seeds.shape[2]:
        raise DataError(f"right must hold columns from 0 to {seeds.shape[2] - 1}, got {own!s:.80}")
    bad = [i for i in range(seeds.shape[1]) if not np.isfinite(seeds[:, i]).all()]
    if bad:
        raise DataError(f"the scores of trial {bad[0]} hold NaN or infinite values ({len(bad)} of {len(own)} do): leave them out")
    return seeds, own.astype(np.intp)


def _groups(subjects: ArrayLike | None, n: int, aggregation: str) -> list[NDArray[np.intp]]:
    """Trials of each subject, where they are averaged within subjects first."""
    if aggregation != "subject":
        return []
    if subjects is None:
        raise DataError(f"aggregation={aggregation!r} needs the subject of each of {n} trials: pass subjects")
    names = per_trial(subjects, n, "subjects")
    return [np.flatnonzero(names == name) for name in np.unique(names)]


def _ask(scores: NDArray[np.floating], right: NDArray[np.intp], groups: list[NDArray[np.intp]]) -> _Asked:
    """Mean scores of each candidate that was shown."""
    shown, code = np.unique(right, return_inverse=True)
    parts = groups or [np.arange(len(right))]
    return _Asked(averages(scores, code.ravel(), len(shown), parts), shown)


def _score(queries: _Asked, ks: Sequence[int], ties: str) -> _Found:
    """Credit, block by block."""
    step = max(1, _BLOCK // queries.rows.shape[1])
    blocks = [slice(start, start + step) for start in range(0, len(queries.rows), step)]
    found = [places(np.asarray(queries.rows[b], np.float64), queries.right[b]) for b in blocks]
    credit = np.concatenate([place.credit(ks, ties) for place in found], axis=1)
    return _Found(credit, np.concatenate([p.rank for p in found]), np.concatenate([p.first for p in found]))


def _by_stimulus(credit: Floats, right: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Credit (n_ks, n_shown) and queries (n_shown,) of each candidate that was shown."""
    shown, code = np.unique(right, return_inverse=True)
    counts = np.bincount(code.ravel(), minlength=len(shown)).astype(np.float64)
    sums = np.array([np.bincount(code.ravel(), row, minlength=len(shown)) for row in credit])
    return sums, counts


def _words(
    words: ArrayLike | None, asked: list[_Asked], ks: Sequence[int], ties: str, temperature: float
) -> tuple[TopK | None, TopK | None]:
    """Accuracy of words beside that of always naming the most frequent ones."""
    if words is None:
        return None, None
    names = per_trial(words, asked[0].rows.shape[1], "words, one per candidate,")
    _, word = np.unique(names, return_inverse=True)
    word = word.ravel()
    accuracies = [_score(_Asked(word_probabilities(a.rows, word, temperature), word[a.right]), ks, ties).accuracy for a in asked]
    often = np.sort(np.bincount(word[asked[0].right]))[::-1] / len(asked[0].right)
    return _mean(ks, accuracies), {value: float(often[:value].sum()) for value in ks}


def word_probabilities(scores: NDArray[np.floating], word: NDArray[np.intp], temperature: float = 1.0) -> Floats:
    r"""Probability of words: the softmax over candidates, summed over the candidates of one word.

    .. math:: P(w) = \sum_{j: w_j = w} e^{s_j / \tau} / \sum_j e^{s_j / \tau}

    Parameters
    ----------
    scores : array of shape (n_trials, n_candidates)
        Scores s.
    word : array of shape (n_candidates,)
        Number of the word of each candidate, from 0 without gaps.
    temperature : float
        :math:`\tau`.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_trials, n_words).

    References
    ----------
    Défossez et al., Nature Machine Intelligence 5:1097 (2023).
    """
    from scipy.special import softmax

    order = np.argsort(word, kind="stable")
    starts = np.flatnonzero(np.diff(word[order], prepend=-1))
    probability = softmax(np.asarray(scores, np.float64) / temperature, axis=1)
    return np.asarray(np.add.reduceat(probability[:, order], starts, axis=1))


def _mean(ks: Sequence[int], accuracies: Sequence[Floats]) -> TopK:
    """Mean over seeds at each k."""
    return dict(zip(ks, np.mean(np.array(accuracies), axis=0).tolist(), strict=True))
