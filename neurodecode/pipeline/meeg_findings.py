"""What was found among candidates as JSON values and as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurodecode.data.hashing import jsonable


def retrieval_finding(result: Any) -> dict[str, Any]:
    """The main figures of retrieval.

    Parameters
    ----------
    result : StimulusRetrieval
        Result.

    Returns
    -------
    dict
        JSON values: ``metric, score, chance, baseline, ceiling, interval, top_k, n_candidates, split`` and the whole table.
    """
    k = min(result.chance)
    report = result.report
    found = {
        "metric": f"retrieval_top_{k}",
        "score": result.top_k[k],
        "chance": result.chance[k],
        "confidence_interval": list(report.ci["brain_to_stimulus"][k]),
        "baseline": None if result.ridge is None else result.ridge[k],
        "baseline_name": result.baseline_name,
        "ceiling": None if result.oracle is None else result.oracle[k],
        "top_k": {str(n): value for n, value in result.top_k.items()},
        "chance_k": {str(n): value for n, value in result.chance.items()},
        "baseline_k": None if result.ridge is None else {str(n): value for n, value in result.ridge.items()},
        "ceiling_k": None if result.oracle is None else {str(n): value for n, value in result.oracle.items()},
        "n_candidates": result.n_candidates,
        "n_queries": report.n_queries,
        "aggregation": result.aggregation,
        "selection_split": report.selection_split,
        "split": f"held out by {report.split_unit}",
        "table": result.to_dataframe().to_dict("records"),
        "subjects": result.by_subject.to_dict("records"),
        "notes": [*result.notes, *report.notes],
    }
    return dict(jsonable(found))


def retrieval_sentence(found: Mapping[str, Any]) -> str:
    """The main figures in one line.

    Parameters
    ----------
    found : mapping
        What `retrieval_finding` gave.

    Returns
    -------
    str
        Accuracy at each k, chance, ridge, ceiling, split and selection.
    """
    parts = [f"chance {_percent(found['chance_k'])}"]
    if found["baseline_k"] is not None:
        parts.append(f"{found['baseline_name']} {_percent(found['baseline_k'])}")
    if found["ceiling_k"] is not None:
        parts.append(f"ceiling of single trials {_percent(found['ceiling_k'])}")
    where = f"{found['n_candidates']} candidates, {found['aggregation']}"
    tail = f"{found['split']}, selected on {found['selection_split']}"
    return f"found {_percent(found['top_k'])} ({where}; {'; '.join(parts)}); {tail}"


def _percent(values: Mapping[str, float]) -> str:
    return ", ".join(f"top-{k} {100 * value:.1f} %" for k, value in values.items())
