"""Retrieval: which stimulus was it, out of all that it could have been?"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neurodecode.data import Responses
from neurodecode.data.validate import check_option, check_positive
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.metrics._alike import SIMILARITIES, Floats
from neurodecode.metrics._candidates import Found, How, Rows, score_seed
from neurodecode.metrics._intervals import bootstrap_interval
from neurodecode.metrics._trials import Trials, as_trials, n_identical, per_trial
from neurodecode.metrics.inference import fold_confidence_interval
from neurodecode.metrics.retrieval_result import DIRECTIONS, RetrievalReport, TopK

__all__ = ["RetrievalReport", "retrieval_report"]

AGGREGATIONS = ("single", "instance", "subject")


def retrieval_report(
    predicted: Responses | ArrayLike,
    targets: Responses | ArrayLike,
    candidate_ids: ArrayLike | None = None,
    k: int | Sequence[int] = (1, 5, 10),
    *,
    similarity: str = "cosine",
    ties: str = "expected",
    aggregation: str | None = None,
    protocol: str = "all",
    subjects: ArrayLike | None = None,
    seed_axis: int | None = None,
    words: ArrayLike | None = None,
    temperature: float = 1.0,
    categories: ArrayLike | None = None,
    train_categories: Iterable[Any] | None = None,
    split_unit: str | None = None,
    selection_split: str | None = None,
    oracle_selection: bool = False,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    n_draws: int = 30,
    draw_size: int = 300,
    random_state: int = 0,
) -> RetrievalReport:
    r"""Look every prediction up among the targets of all stimuli, and every stimulus among all predictions.

    Candidates are the different stimuli, each counted once however often it was shown. From brain to stimulus, the credit of a
    prediction at k is :math:`clip((k - g) / e, 0, 1)` with g candidates more similar than the right one and e as similar, the
    right one included: the probability of a hit if ties are broken at random, so that constant predictions score exactly
    chance. Stimulus to brain is the transposed question: the target of a stimulus is given, and its prediction is looked for
    among the repeat-averaged predictions of all stimuli. The two differ; papers and codes confuse them.

    Chance k / n_candidates, best 1 (relative median rank: chance .5, best 0).

    Similarities are formed in blocks of features and of queries, some 100 MB beside the inputs, the averages and the gallery.

    Parameters
    ----------
    predicted : Responses or array_like of shape (n_trials, ...)
        Predicted embeddings, one per trial; further axes are flattened. A prediction without length is equally far from all.
    targets : Responses or array_like of shape (n_trials, ...)
        True embeddings in the order of the trials.
    candidate_ids : array_like of shape (n_trials,), optional
        Stimulus of each trial. By default the column ``stimulus`` of `predicted`, or each row is a stimulus of its own.
    k : int or sequence of int
        Places that count; those that are not below the number of candidates are left out.
    similarity : str
        ``"cosine"``, ``"correlation"`` or ``"dot"``.
    ties : str
        ``"expected"``, or ``"midrank"`` as in Défossez et al. (2023): a hit if the mid-rank is below k, so that constant
        predictions score 0.
    aggregation : str, optional
        Predictions of `top_k` from brain to stimulus. ``"single"``: each trial (default); ``"instance"``: the mean over all
        trials of a stimulus; ``"subject"``: the mean within each subject first, then over subjects.
    protocol : str
        ``"all"`` candidates at once, or ``"mindeye2"`` (Scotti et al. 2024): the mean of `n_draws` draws of `draw_size`
        candidates, with predictions averaged over trials.
    subjects : array_like of shape (n_trials,), optional
        Subject of each trial, by default the column ``subject`` of `predicted`.
    seed_axis : int, optional
        Axis of `predicted` that counts models trained with different seeds.
    words : array_like of shape (n_trials,), optional
        Word of each stimulus. Probabilities, the softmax of similarity / `temperature` over candidates, are summed over equal
        words for the accuracy of words.
    temperature : float
        That of the loss with which the decoder was trained.
    categories : array_like of shape (n_trials,), optional
        Category of each stimulus, for the overlap with training.
    train_categories : iterable, optional
        Categories that occur in training.
    split_unit : str, optional
        What was held out, e.g. ``"stimulus"``.
    selection_split : str, optional
        Split on which epochs and parameters were chosen. ``"test"`` is refused.
    oracle_selection : bool
        Accept ``selection_split="test"`` and mark the report.
    n_bootstrap : int
        Resamples of stimuli behind the intervals; 0 for none.
    level : float
        Coverage of the intervals.
    n_draws, draw_size : int
        Draws of the protocol ``"mindeye2"``, and candidates in each.
    random_state : int
        Seed of draws and resamples.

    Returns
    -------
    RetrievalReport
        Accuracies in both directions, for single trials and averaged, with chance, ceiling and intervals.

    Raises
    ------
    DataError
        If shapes do not fit, a value is NaN, a stimulus has two targets, no k is below the number of candidates, or an option
        is unknown.
    SplitLeakError
        If the model was selected on the test data.

    Warns
    -----
    UserWarning
        If candidates of different names have identical targets: none of them can be told from the other.

    References
    ----------
    Défossez et al. (2023), Decoding speech perception from non-invasive brain recordings. Scotti et al. (2024), MindEye2.
    """
    _check_options(similarity, ties, aggregation, protocol)
    refuse_oracle(selection_split, oracle_selection)
    trials = as_trials(predicted, targets, candidate_ids, seed_axis)
    notes = _duplicates(trials)
    subsets = _subsets(len(trials.ids), (n_draws, draw_size) if protocol == "mindeye2" else None, random_state)
    averaged = aggregation or ("instance" if protocol == "mindeye2" else "single")
    how = How(
        ks=below_candidates(k, len(subsets[0]), notes),
        similarity=similarity,
        ties=ties,
        aggregation=averaged,
        subsets=subsets,
        groups=_groups(predicted, subjects, len(trials.code), averaged),
        words=None if words is None else np.unique(trials.of_candidates(words, "words"), return_inverse=True)[1].ravel(),
        temperature=check_positive("temperature", temperature),
    )
    found = [score_seed(trials, seed, how) for seed in trials.predicted]
    if found[0].ceiling is None:
        notes.append("no ceiling: it needs two trials of every stimulus")
    if selection_split is None:
        notes.append("selection_split is not stated: say on which split epochs and parameters were chosen")
    return RetrievalReport(
        **_summary(found, how, np.random.default_rng((random_state, 1)), n_bootstrap, level),
        **_words_summary(found, trials, how),
        mean_repeats=len(trials.code) / len(trials.ids),
        category_overlap=_overlap(trials, categories, train_categories),
        aggregation=averaged,
        similarity=similarity,
        ties=ties,
        protocol=protocol,
        split_unit=split_unit,
        selection_split=selection_split,
        oracle_selection=oracle_selection,
        level=level,
        settings={"temperature": temperature, "n_bootstrap": n_bootstrap, "n_draws": len(subsets), "random_state": random_state},
        notes=notes,
    )


def _summary(found: list[Found], how: How, rng: np.random.Generator, n_bootstrap: int, level: float) -> dict[str, Any]:
    """Accuracies with their intervals over stimuli and seeds."""
    n = len(how.subsets[0])
    tallies = {d: [f.headline[d] for f in found] for d in DIRECTIONS}
    seeds = {d: {k: np.array([t.accuracy[i] for t in ts]) for i, k in enumerate(how.ks)} for d, ts in tallies.items()}
    sums = {d: np.mean([t.sums for t in ts], axis=0) for d, ts in tallies.items()}
    return {
        "top_k": {d: {k: float(scores.mean()) for k, scores in by_k.items()} for d, by_k in seeds.items()},
        "chance": {k: k / n for k in how.ks},
        "n_candidates": n,
        "n_queries": round(tallies[DIRECTIONS[0]][0].counts.sum() / len(how.subsets)),
        "ci": {
            d: {k: bootstrap_interval(s, ts[0].counts, n_bootstrap, rng, level) for k, s in zip(how.ks, sums[d], strict=True)}
            for d, ts in tallies.items()
        },
        "seed_scores": seeds,
        "seed_ci": {d: {k: fold_confidence_interval(scores, level) for k, scores in by_k.items()} for d, by_k in seeds.items()},
        "single_trial": _by_k(how.ks, [f.single.accuracy for f in found]),
        "repeat_averaged": _by_k(how.ks, [f.instance.accuracy for f in found]),
        "ceiling": None if found[0].ceiling is None else _by_k(how.ks, [f.ceiling for f in found]),
        "relative_median_rank": {d: float(np.mean([t.rank for t in ts])) for d, ts in tallies.items()},
        "hub_share": {d: float(np.mean([t.hub for t in ts])) for d, ts in tallies.items()},
    }


def _words_summary(found: list[Found], trials: Trials, how: How) -> dict[str, Any]:
    """Accuracy of words beside that of always naming the most frequent ones."""
    if how.words is None:
        return {"vocabulary": None, "vocabulary_chance": None, "n_words": None}
    asked = how.words[trials.code] if how.aggregation == "single" else how.words
    often = np.sort(np.bincount(asked))[::-1] / len(asked)
    return {
        "vocabulary": _by_k(how.ks, [f.words for f in found]),
        "vocabulary_chance": {k: float(often[:k].sum()) for k in how.ks},
        "n_words": int(how.words.max()) + 1,
    }


def _by_k(ks: Sequence[int], accuracies: Sequence[Floats | None]) -> TopK:
    """Mean over seeds at each k."""
    return dict(zip(ks, np.mean(np.array(accuracies, np.float64), axis=0).tolist(), strict=True))


def _check_options(similarity: str, ties: str, aggregation: str | None, protocol: str) -> None:
    check_option("similarity", similarity, SIMILARITIES)
    check_option("ties", ties, ("expected", "midrank"))
    check_option("aggregation", aggregation, (None, *AGGREGATIONS))
    check_option("protocol", protocol, ("all", "mindeye2"))


def refuse_oracle(selection_split: str | None, oracle_selection: bool) -> None:
    """Refuse a model that was chosen by its test score: it has seen the test.

    Parameters
    ----------
    selection_split : str or None
        Split on which it was chosen.
    oracle_selection : bool
        Accept that it was the test split.

    Raises
    ------
    SplitLeakError
        If it was and this is not accepted.
    """
    if selection_split == "test" and not oracle_selection:
        raise SplitLeakError(
            f"selection_split={selection_split!r}: the model was selected on the data scored here. Select on a validation split, "
            "or pass oracle_selection=True, which marks the report"
        )


def _duplicates(trials: Trials) -> list[str]:
    """Say where candidates of different names are one and the same."""
    n = n_identical(trials.gallery)
    if not n:
        return []
    text = f"{n} of {len(trials.ids)} candidates have the target of another name: ties; give them one id in candidate_ids"
    warnings.warn(text, UserWarning, stacklevel=3)
    return [text]


def _subsets(n: int, draws: tuple[int, int] | None, random_state: int) -> list[Rows]:
    """All candidates, or draws of some of them."""
    if draws is None:
        return [np.arange(n)]
    if draws[0] < 1 or not 2 <= draws[1] <= n:
        raise DataError(f"draws need 1 or more times 2 to {n} candidates, got {draws[0]} of {draws[1]}")
    rng = np.random.default_rng((random_state, 0))
    return [np.sort(rng.choice(n, draws[1], replace=False)) for _ in range(draws[0])]


def below_candidates(k: int | Sequence[int], n: int, notes: list[str]) -> tuple[int, ...]:
    """Keep the k that say something about n candidates, ascending.

    Parameters
    ----------
    k : int or sequence of int
        Places that count.
    n : int
        Number of candidates.
    notes : list of str
        Told which k are left out.

    Returns
    -------
    tuple of int
        Those below n.

    Raises
    ------
    DataError
        If none is left.
    """
    wanted = sorted({int(value) for value in np.atleast_1d(k)})
    kept = tuple(value for value in wanted if value < n)
    if not kept or kept[0] < 1:
        raise DataError(f"k must be at least 1 and below the {n} candidates, got {wanted}")
    if len(kept) < len(wanted):
        notes.append(f"k of {wanted[len(kept) :]} left out: there are {n} candidates")
    return kept


def _groups(predicted: Any, subjects: ArrayLike | None, n: int, aggregation: str) -> list[Rows]:
    """Trials of each subject, where predictions are averaged within subjects first."""
    if aggregation != "subject":
        return []
    if subjects is None and isinstance(predicted, Responses) and "subject" in predicted.samples:
        subjects = predicted.samples["subject"].astype(str).to_numpy()
    if subjects is None:
        raise DataError(f"aggregation={aggregation!r} needs the subject of each of {n} trials: pass subjects")
    names = per_trial(subjects, n, "subjects")
    return [np.flatnonzero(names == name) for name in np.unique(names)]


def _overlap(trials: Trials, categories: ArrayLike | None, train: Iterable[Any] | None) -> float | None:
    """Share of candidates whose category occurs in training."""
    if (categories is None) != (train is None):
        missing = "train_categories" if train is None else "categories"
        raise DataError(f"the overlap of categories needs both sides: {missing} is missing")
    if categories is None or train is None:
        return None
    known = set(np.asarray(list(train)).tolist())
    return float(np.mean([name in known for name in trials.of_candidates(categories, "categories").tolist()]))
