"""Tidy table of every score, with chance and baseline in each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.metrics.catalogue import METRICS, chance_level
from neurodecode.report.comparison_scores import ROWS as COMPARISON_ROWS
from neurodecode.report.contents import RunContents
from neurodecode.report.words import best_index

COLUMNS = ("pipeline", "result", "metric", "fold", "held_out", "score", "chance", "baseline", "p_value", "ceiling")


def score_table(contents: RunContents) -> pd.DataFrame:
    """Every score of a run, one row per fold and one row for their mean (``fold`` is "mean").

    Parameters
    ----------
    contents : RunContents
        The run.

    Returns
    -------
    DataFrame
        Columns pipeline, result, metric, fold, held_out, score, chance, baseline, p_value, ceiling. Results over time have the
        mean over folds at their best time; a searchlight has its best unit; regions have one row each (p corrected over regions).
        Further metrics over pooled predictions have ``fold`` "pooled". Comparisons have medians over targets, regions and parts
        with ``fold`` "part", and the ceiling in the unit of the score (the lower bound for RDMs).
    """
    rows: list[dict[str, Any]] = []
    for name, result in contents.results.items():
        make = _ROWS.get(type(result).__name__)
        if make is not None:
            rows += [{"pipeline": contents.pipeline, "result": name, **row} for row in make(result)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _decoding_rows(result: Any) -> list[dict[str, Any]]:
    common = {"metric": result.metric, "chance": result.chance, "baseline": result.baseline}
    folds = [
        {**common, "fold": str(i + 1), "held_out": name, "score": float(score)}
        for i, (name, score) in enumerate(zip(result.fold_names, result.fold_scores, strict=True))
    ]
    others = [
        {"metric": metric, "chance": chance_of(metric, result), "fold": "pooled", "held_out": "all", "score": score}
        for metric, score in result.scores.items()
    ]
    return [*folds, {**common, "fold": "mean", "held_out": "all", "score": result.score, "p_value": result.p_value}, *others]


def chance_of(metric: str, result: Any) -> float:
    """Chance level of a further metric of a result, NaN where the metric is not known.

    Parameters
    ----------
    metric : str
        Name of the metric.
    result : DecodingResult
        Its class sizes decide for plain accuracy: always naming the most frequent class is right that often.

    Returns
    -------
    float
        Value without any information.
    """
    if metric == "accuracy" and result.confusion is not None:
        sizes = np.asarray(result.confusion).sum(axis=1)
        return float(sizes.max() / max(sizes.sum(), 1))
    base = metric.removesuffix("_pooled")
    return chance_level(base, len(result.classes or []) or None) if base in METRICS else float("nan")


def _time_rows(result: Any) -> list[dict[str, Any]]:
    best = best_index(result.mean)
    common = {"metric": result.metric, "chance": result.chance}
    where = f"best time {result.times[best] * 1e3:.0f} ms"
    p_value = None if result.p_values is None else float(result.p_values[best])
    return [{**common, "fold": "mean", "held_out": where, "score": float(result.mean[best]), "p_value": p_value}]


def _generalization_rows(result: Any) -> list[dict[str, Any]]:
    train, test = np.unravel_index(best_index(result.mean), result.mean.shape)
    where = f"trained at {result.train_times[train] * 1e3:.0f} ms, tested at {result.test_times[test] * 1e3:.0f} ms"
    score = float(result.mean[train, test])
    return [{"metric": result.metric, "chance": result.chance, "fold": "mean", "held_out": where, "score": score}]


def _searchlight_rows(result: Any) -> list[dict[str, Any]]:
    best = best_index(result.scores)
    p_value = None if result.p_values is None else float(result.p_values[best])
    where = f"best unit {result.units['name'].iloc[best]}"
    score = float(result.scores[best])
    return [
        {"metric": result.metric, "chance": result.chance, "fold": "mean", "held_out": where, "score": score, "p_value": p_value}
    ]


def _roi_rows(result: Any) -> list[dict[str, Any]]:
    table = result.table
    column = "p_corrected" if "p_corrected" in table else "p"
    p_values = table[column] if column in table else [None] * len(table)
    return [
        {"metric": result.metric, "fold": "mean", "held_out": f"region {roi}", "score": score, "chance": chance, "p_value": p}
        for roi, score, chance, p in zip(table["roi"], table["score"], table["chance"], p_values, strict=True)
    ]


def _reconstruction_rows(result: Any) -> list[dict[str, Any]]:
    common = {"metric": result.metric, "chance": result.chance, "baseline": result.baseline}
    table = result.to_dataframe()
    folds = [
        {
            **common,
            "fold": str(fold + 1),
            "held_out": name,
            "score": float(part["score"].mean()),
            "baseline": part["baseline"].mean(),
        }
        for (fold, name), part in table.groupby(["fold", "held_out"])
    ]
    identified = {"metric": "two_way_identification", "chance": result.identification_chance, "score": result.identification}
    mean = {**common, "fold": "mean", "held_out": "all", "score": result.score, "p_value": result.p_value}
    return [*folds, mean, {**identified, "fold": "pooled", "held_out": "all"}]


def _retrieval_rows(result: Any) -> list[dict[str, Any]]:
    """Accuracy at each k of the decoder, by averaging; the headline is the mean."""
    rows = []
    for name, report in result.reports.items():
        for k, chance in report.chance.items():
            base = None if result.baseline is None else result.baseline[name].top_k["brain_to_stimulus"][k]
            known = result.oracle[k] if name == "single" and result.oracle is not None else None
            main = name == result.aggregation and k == min(report.chance)
            row = {"metric": f"retrieval_top_{k}", "fold": "mean" if main else "part", "held_out": f"test part, {name}"}
            scores = {"score": report.top_k["brain_to_stimulus"][k], "chance": chance, "baseline": base, "ceiling": known}
            rows.append({**row, **scores})
    return rows


def _course_rows(result: Any) -> list[dict[str, Any]]:
    best = result.to_dataframe().loc[int(np.argmax(result.accuracy))]
    where = f"{best['start']:g} to {best['stop']:g} s"
    row = {"metric": f"retrieval_top_{result.k}", "fold": "mean", "held_out": where, "score": best["accuracy"]}
    return [{**row, "chance": result.chance, "baseline": best["ridge"]}]


def _generation_rows(result: Any) -> list[dict[str, Any]]:
    return [
        {
            "metric": row["metric"],
            "fold": "part",
            "held_out": f"{row['decoder']}, {row['aggregation']}",
            "score": row["score"],
            "chance": row["chance"],
            "baseline": row["prior_only"],
        }
        for row in result.scores.to_dict("records")
    ]


def _connectome_rows(result: Any) -> list[dict[str, Any]]:
    row = {"metric": "explained share", "fold": "mean", "held_out": "none", "score": result.explained}
    return [{**row, "chance": result.null_explained}]


def _training_rows(result: Any) -> list[dict[str, Any]]:
    common = {"metric": result.metric, "chance": result.chance, "baseline": result.baseline, "held_out": "test part"}
    seeds = [{**common, "fold": f"seed {seed}", "score": score} for seed, score in result.scores.items()]
    return [*seeds, {**common, "fold": "mean", "score": result.score}]


_ROWS: dict[str, Callable[[Any], list[dict[str, Any]]]] = {
    "DecodingResult": _decoding_rows,
    "TimeResolvedResult": _time_rows,
    "GeneralizationResult": _generalization_rows,
    "SearchlightResult": _searchlight_rows,
    "RoiResult": _roi_rows,
    "ReconstructionResult": _reconstruction_rows,
    "TrainedRetrieval": _training_rows,
    "ConnectomeResult": _connectome_rows,
    "StimulusRetrieval": _retrieval_rows,
    "RetrievalCourse": _course_rows,
    "GenerationTable": _generation_rows,
    **COMPARISON_ROWS,
}
