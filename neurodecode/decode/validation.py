"""Cross-validation of a linear decoder on responses, put together as a result with chance, baseline and remarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.splits import Split
from neurodecode.decode.evaluation import (
    Evaluation,
    Problem,
    evaluate,
    fold_scores,
    needs_pooling,
    null_scores,
    one_thread,
    overall_score,
)
from neurodecode.decode.fitting import FitSettings
from neurodecode.decode.folds import Folds, Target, check_classes, encode_target, make_folds, permutation_blocks, usable_units
from neurodecode.decode.parallel import over_shares
from neurodecode.decode.result import DecodingResult
from neurodecode.errors import DataError
from neurodecode.metrics import (
    METRICS,
    accuracy,
    balanced_accuracy,
    chance_level,
    confusion_matrix,
    fold_confidence_interval,
    permutation_p_value,
    r2_score,
)


class Setup(NamedTuple):
    """A decoding problem with the words that describe it."""

    problem: Problem
    """The problem on arrays."""
    target: Target
    """What is decoded."""
    folds: Folds
    """How samples are divided."""
    units: NDArray[np.bool_]
    """Units used."""
    metric: str
    """Name of the metric."""
    chance: float
    """Its chance level."""
    pooled: bool
    """Whether scores are over pooled predictions."""
    permutation: str
    """How labels are permuted."""
    notes: list[str]
    """What the reader must know."""


def set_up(
    responses: Responses,
    target: str,
    groups: str | Sequence[str],
    task: str,
    settings: FitSettings,
    *,
    n_splits: int | None = None,
    gap: float | None = None,
    seed: int = 0,
    flat: bool = True,
) -> Setup:
    """Check responses and turn them into a problem on arrays.

    Parameters
    ----------
    responses : Responses
        What to decode from.
    target : str
        Column of `samples`.
    groups : str or sequence of str
        What is held out.
    task : str
        ``"classification"`` or ``"regression"``.
    settings : FitSettings
        Parameters of the fit.
    n_splits : int, optional
        Number of folds, as in `make_folds`.
    gap : float, optional
        Gap of the blocks of a single run in s, as in `make_folds`.
    seed : int
        Seed of the permutations.
    flat : bool
        Whether times become features; otherwise features stay (n_samples, n_units, n_times).

    Returns
    -------
    Setup
        Problem and words.

    Raises
    ------
    DataError
        If data are not finite, or target or groups do not fit; the message names alternatives.
    SplitLeakError
        If a recording stands on both sides.
    """
    units = usable_units(responses)
    encoded = encode_target(responses, target, task)
    folds = make_folds(responses, groups, n_splits, gap)
    check_classes(encoded, folds.splits, target, [str(c) for c in responses.samples])
    blocks, between, permutation = permutation_blocks(responses, folds, encoded.y)
    data = np.asarray(responses.data)[:, units]
    x = data.reshape(len(data), -1) if flat else data
    n_classes = encoded.n_classes
    problem = Problem(x, encoded.y, n_classes, folds.splits, folds.groups, blocks, between, settings, seed)
    metric = "r" if n_classes is None else "roc_auc" if n_classes == 2 else "balanced_accuracy"
    pooled = needs_pooling(problem)
    notes = [*folds.notes, *_notes(responses, units, pooled, metric)]
    return Setup(problem, encoded, folds, units, metric, chance_level(metric, n_classes), pooled, permutation, notes)


def cross_validate(
    responses: Responses, target: str, setup: Setup, n_permutations: int, jobs: int, parameters: dict[str, Any]
) -> DecodingResult:
    """Validate a decoder and describe what came out.

    Parameters
    ----------
    responses : Responses
        What was decoded from.
    target : str
        Column of `samples`.
    setup : Setup
        The problem made of them.
    n_permutations : int
        Label permutations; 0 for none.
    jobs : int
        Processes for the permutations.
    parameters : dict
        Parameters of decoder and validation, for the record.

    Returns
    -------
    DecodingResult
        Score with chance, baseline, null distribution, predictions and patterns.

    Raises
    ------
    DataError
        If `n_permutations` is negative or `jobs` below 1.
    """
    problem = setup.problem
    check_permutations(n_permutations)
    with one_thread():
        found = evaluate(problem)
    null = over_shares(null_scores, n_permutations, jobs, problem, setup.pooled) if n_permutations else None
    score = float(overall_score(problem, problem.y, found.outputs, setup.pooled))
    by_fold = fold_scores(problem, problem.y, found.outputs)
    return DecodingResult(
        score=score,
        metric=setup.metric,
        fold_scores=by_fold,
        fold_names=[s.name for s in problem.splits],
        chance=setup.chance,
        best=METRICS[setup.metric].best,
        p_value=None if null is None else permutation_p_value(score, null),
        null_scores=null,
        confidence_interval=fold_confidence_interval(by_fold),
        baseline=float(overall_score(problem, problem.y, found.baseline, setup.pooled)),
        baseline_name="nearest class mean" if problem.n_classes else "mean of the training target",
        task="classification" if problem.n_classes else "regression",
        target=target,
        split=setup.folds.sentence,
        patterns=_unit_patterns(found.patterns, setup.units, responses),
        units=responses.units,
        times=responses.times,
        space=responses.meta.get("space"),
        settings={**parameters, **_found_settings(setup, found, n_permutations)},
        notes=setup.notes,
        **_tables(setup, found),
    )


def check_permutations(n_permutations: int) -> None:
    """Raise `DataError` unless the number of permutations is 0 or more."""
    if n_permutations < 0:
        raise DataError(f"n_permutations must be 0 or more, got {n_permutations}")


def _tables(setup: Setup, found: Evaluation) -> dict[str, Any]:
    """Classes, confusion, counts, predictions and further scores."""
    y, classes, splits = setup.problem.y, setup.target.classes, setup.problem.splits
    predictions = _predictions(setup, found.outputs)
    if classes is None:
        r2 = [r2_score(y[s.test], found.outputs[s.test, 0]) if len(s.test) > 1 else np.nan for s in splits]
        pooled = float(r2_score(predictions["true"], predictions["predicted"]))
        scores = {"r2": float(np.mean(r2)) if np.isfinite(r2).all() else pooled, "r2_pooled": pooled}
        return {
            "classes": None,
            "confusion": None,
            "class_counts": _counts(splits, None),
            "predictions": predictions,
            "scores": scores,
        }
    names = [str(c) for c in classes]
    true, predicted = predictions["true"].to_numpy(), predictions["predicted"].to_numpy()
    return {
        "classes": names,
        "confusion": confusion_matrix(true, predicted, names),
        "class_counts": _counts(splits, np.asarray(names, object)[y]),
        "predictions": predictions,
        "scores": {"accuracy": accuracy(true, predicted), "balanced_accuracy": float(balanced_accuracy(true, predicted))},
    }


def _predictions(setup: Setup, values: NDArray[np.float64]) -> pd.DataFrame:
    """One row per held-out sample, in the order of the samples."""
    y, classes, splits = setup.problem.y, setup.target.classes, setup.problem.splits
    fold = np.full(len(y), -1)
    for k, split in enumerate(splits):
        fold[split.test] = k
    rows = np.flatnonzero(fold >= 0)
    table = pd.DataFrame({"sample": rows, "fold": fold[rows]})
    if classes is None:
        return table.assign(true=y[rows], predicted=values[rows, 0])
    names = np.array([str(c) for c in classes], object)
    codes, probability = choose(values[rows])
    table = table.assign(true=names[y[rows]], predicted=names[codes])
    if len(classes) == 2:
        table = table.assign(decision=values[rows, 0])
    return table.assign(probability=probability.max(axis=1))


def choose(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Predicted class codes (n_samples,) and probabilities (n_samples, n_classes) of decision values."""
    from scipy.special import softmax

    both = np.concatenate([np.zeros_like(values), values], axis=1) if values.shape[1] == 1 else values
    return both.argmax(axis=1), softmax(both, axis=1)


def _counts(splits: list[Split], labels: NDArray[Any] | None) -> pd.DataFrame:
    """Samples per fold, side and class."""
    rows = []
    for fold, split in enumerate(splits):
        for side in ("train", "test"):
            part = getattr(split, side)
            names, n = (["all"], [len(part)]) if labels is None else np.unique(labels[part].astype(str), return_counts=True)
            rows += [
                {"fold": fold, "held_out": split.name, "side": side, "label": str(a), "n": int(b)}
                for a, b in zip(names, n, strict=True)
            ]
    return pd.DataFrame(rows)


def _unit_patterns(patterns: NDArray[np.float64], units: NDArray[np.bool_], responses: Responses) -> NDArray[np.float64]:
    full = np.full((len(patterns), *responses.data.shape[1:]), np.nan)
    full[:, units] = patterns.reshape(len(patterns), int(units.sum()), *responses.data.shape[2:])
    return full


def _found_settings(setup: Setup, found: Evaluation, n_permutations: int) -> dict[str, Any]:
    chosen = {"alpha_of_fold": found.alphas} if found.alphas else {}
    gap = {} if setup.folds.gap is None else {"gap": setup.folds.gap}
    return {**chosen, **gap, "n_permutations": n_permutations, "permutation": setup.permutation}


def _notes(responses: Responses, units: NDArray[np.bool_], pooled: bool, metric: str) -> list[str]:
    notes = []
    if not units.all():
        left_out = responses.units["name"][~units].tolist()
        notes.append(
            f"{len(left_out)} units marked bad were left out: {', '.join(left_out[:5])}{', ...' if len(left_out) > 5 else ''}"
        )
    if pooled:
        notes.append(
            f"{metric} is over the pooled predictions, because some folds hold too few samples or one class only; outputs of "
            "different folds are then compared with each other, which tends to lower the score"
        )
    return notes
