"""Rows of the table of scores for comparisons: medians over targets, with chance, baseline and ceiling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurodecode.report.targets import known, middle, reach, region_column
from neurodecode.report.words import plural

Rows = list[dict[str, Any]]


def encoding_rows(result: Any) -> Rows:
    """One row per fold, one for the mean over folds, one normalised, and one per region; medians over targets.

    Parameters
    ----------
    result : ComparisonResult
        The result.

    Returns
    -------
    list of dict
        P values belong to single targets, so there are none of medians.
    """
    ceiling = reach(result)
    top = float("nan") if ceiling is None else middle(ceiling)
    common = {"metric": result.metric, "chance": result.chance, "baseline": middle(result.baseline)}
    folds = [
        {**common, "baseline": None, "fold": str(i + 1), "held_out": name, "score": middle(scores)}
        for i, (name, scores) in enumerate(zip(result.fold_names, result.fold_scores, strict=True))
    ]
    over = f"median of {plural(result.n_targets, 'target')}"
    mean = {**common, "fold": "mean", "held_out": over, "score": middle(result.score), "ceiling": top}
    rows = [*folds, mean, *_region_rows(result, common)]
    if result.normalised is not None:
        normalised = {"metric": f"{result.metric}_normalised", "chance": 0.0, "score": middle(result.normalised), "ceiling": 1.0}
        n = len(known(result.normalised))
        rows.append({**normalised, "fold": "part", "held_out": f"median of {plural(n, 'target')} with a ceiling"})
    return rows


def layer_rows(result: Any) -> Rows:
    """Rows of the chosen layers, and one per layer.

    Parameters
    ----------
    result : LayerResult
        The result.

    Returns
    -------
    list of dict
        Layers on their own are parts: the best of them is no score.
    """
    layers = [
        {"metric": "r", "fold": "part", "held_out": f"layer {layer}", "score": middle(scores), "chance": result.best.chance}
        for layer, scores in zip(result.layers, result.scores, strict=True)
    ]
    return [*encoding_rows(result.best), *layers]


def rdm_rows(result: Any) -> Rows:
    """One row per model, p corrected over models.

    Parameters
    ----------
    result : RdmComparison
        The result.

    Returns
    -------
    list of dict
        The ceiling is the lower bound.
    """
    common = {"metric": result.measure, "fold": "mean", "chance": result.chance, "ceiling": result.ceiling_low}
    return [
        {**common, "held_out": f"model {name}", "score": float(score), "p_value": float(q)}
        for name, score, q in zip(result.models, result.score, result.q, strict=True)
    ]


def partition_rows(result: Any) -> Rows:
    """R2 of all spaces per fold and over folds, and of each part; means over targets, so that parts add up.

    Parameters
    ----------
    result : VariancePartition
        The result.

    Returns
    -------
    list of dict
        Without p values.
    """
    common = {"metric": "R2", "chance": result.chance}
    folds = [
        {**common, "fold": str(i + 1), "held_out": name, "score": _mean(scores)}
        for i, (name, scores) in enumerate(zip(result.fold_names, result.fold_joint, strict=True))
    ]
    parts = [{**common, "fold": "part", "held_out": name, "score": _mean(values)} for name, values in result.parts.items()]
    every = f"all spaces, mean of {plural(int(np.size(result.joint)), 'target')}"
    return [*folds, {**common, "fold": "mean", "held_out": every, "score": _mean(result.joint)}, *parts]


def leakage_rows(result: Any) -> Rows:
    """One row per kind of features.

    Parameters
    ----------
    result : LeakageResult
        The result.

    Returns
    -------
    list of dict
        Mean r over folds and targets. Features of one's own are a part: they may score as high as they like.
    """
    return [
        {
            "metric": "r",
            "fold": "part" if name == "yours" else "mean",
            "held_out": f"features: {name}",
            "score": float(np.mean(r)),
            "chance": 0.0,
        }
        for name, r in result.scores.items()
    ]


def _region_rows(result: Any, common: dict[str, Any]) -> Rows:
    """Median of each region over its units (and times)."""
    column = region_column(result.units)
    if column is None:
        return []
    named, top = result.units[column].to_numpy(object), reach(result)
    rows = []
    for region in dict.fromkeys(value for value in named if value == value and value is not None):
        at = named == region
        row = {**common, "fold": "part", "held_out": f"region {region}", "score": middle(np.asarray(result.score)[at])}
        rows.append(
            {
                **row,
                "baseline": middle(np.asarray(result.baseline)[at]),
                "ceiling": float("nan") if top is None else middle(top[at]),
            }
        )
    return rows


def _mean(values: Any) -> float:
    finite = known(values)
    return float(finite.mean()) if finite.size else float("nan")


ROWS: dict[str, Callable[[Any], Rows]] = {
    "ComparisonResult": encoding_rows,
    "LayerResult": layer_rows,
    "RdmComparison": rdm_rows,
    "VariancePartition": partition_rows,
    "LeakageResult": leakage_rows,
}
