"""The main result of a comparison as JSON values and as a sentence, and what several subjects have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data.hashing import jsonable
from neurodecode.pipeline.config import BrainRsa, ModelToBrain

COMPARISONS = ("ComparisonResult", "LayerResult", "RdmComparison")
GROUP = "over subjects"


def best_of(result: Any) -> Any:
    """The comparison inside a result over layers; others pass through."""
    return result.best if type(result).__name__ == "LayerResult" else result


def finding(result: Any) -> dict[str, Any]:
    """The main figures of a comparison.

    Parameters
    ----------
    result : ComparisonResult, LayerResult or RdmComparison
        Result.

    Returns
    -------
    dict
        JSON values: ``metric, score, of, chance, ceiling, baseline, baseline_name, p_value, q, split`` and what belongs to the
        type.
    """
    if type(result).__name__ == "RdmComparison":
        return dict(jsonable(_rdm_finding(result)))
    found = _encoding_finding(best_of(result))
    if type(result).__name__ == "LayerResult":
        found["layers"] = layer_table(result).to_dict("records")
    return dict(jsonable(found))


def layer_table(result: Any) -> pd.DataFrame:
    """Layers against regions, or against all units where they have no region.

    Parameters
    ----------
    result : LayerResult
        Result.

    Returns
    -------
    DataFrame
        As `LayerResult.roi_table` gives it.
    """
    if "region" in result.best.units and result.best.units["region"].notna().any():
        table: pd.DataFrame = result.roi_table("region")
        return table
    medians = [median(scores) for scores in result.scores]
    return pd.DataFrame({"roi": "all units", "layer": result.layers, "median": medians, "chance": 0.0})


def _encoding_finding(result: Any) -> dict[str, Any]:
    q = None if result.q is None else float(np.nanmin(result.q, initial=np.inf))
    return {
        "metric": result.metric,
        "score": median(result.score),
        "of": f"median of {result.n_targets} targets",
        "largest": _largest(result),
        "chance": result.chance,
        "ceiling": None if result.ceiling is None else median(result.ceiling),
        "ceiling_name": result.ceiling_name,
        "normalised": None if result.normalised is None else median(result.normalised),
        "baseline": median(result.baseline),
        "baseline_name": result.baseline_name,
        "p_value": None if result.p is None else float(np.nanmin(result.p, initial=np.inf)),
        "q": q,
        "fraction_significant": None if result.q is None else float(np.mean(result.q < 0.05)),
        "correction": result.correction,
        "n_permutations": result.n_permutations,
        "split": result.split,
        "notes": result.notes,
    }


def _largest(result: Any) -> dict[str, Any]:
    """The target with the largest score, which `q` is corrected for."""
    if not np.isfinite(result.score).any():
        return {}
    where = np.unravel_index(int(np.nanargmax(result.score)), result.score.shape)
    time = {} if result.times is None else {"time": float(result.times[where[1]])}
    q = None if result.q is None else float(result.q[where])
    name = str(result.units["name"].iloc[where[0]])
    return {"unit": name, **time, "score": float(result.score[where]), "baseline": float(result.baseline[where]), "q": q}


def _rdm_finding(result: Any) -> dict[str, Any]:
    best = int(np.nanargmax(np.nan_to_num(result.score, nan=-np.inf)))
    reference = next((name for name in ("pixels", "low-level") if name in result.models), None)
    return {
        "metric": result.measure,
        "score": float(result.score[best]),
        "of": f"{result.models[best]}, the highest of {len(result.models)} models",
        "chance": result.chance,
        "ceiling": [result.ceiling_low, result.ceiling_high],
        "baseline": None if reference is None else float(result.score[result.models.index(reference)]),
        "baseline_name": reference,
        "p_value": float(result.p[best]),
        "q": float(result.q[best]),
        "split": f"{result.n_conditions} conditions, {result.n_subjects} RDMs; {result.test}; about {result.generalises_to}",
        "models": result.to_dataframe().to_dict("records"),
        "notes": result.notes,
    }


def finding_sentence(found: Mapping[str, Any]) -> str:
    """The main figures in one line.

    Parameters
    ----------
    found : mapping
        What `finding` gave.

    Returns
    -------
    str
        Score, chance, ceiling, baseline, p and split.
    """
    p = "not tested" if found["p_value"] is None else f"p = {found['p_value']:.3g}, q = {found['q']:.3g}"
    if found.get("fraction_significant") is not None:
        p = f"q < 0.05 in {100 * found['fraction_significant']:.1f} % of targets, {found['n_permutations']} permutations"
    baseline = "no baseline" if found["baseline"] is None else f"{found['baseline_name']} {found['baseline']:.3f}"
    parts = [f"chance {found['chance']:g}", _ceiling_text(found["ceiling"]), p, baseline]
    largest = found.get("largest") or {}
    peak = f"; largest {largest['score']:.3f} at {largest['unit']}{_when(largest)}{_q_text(largest)}" if largest else ""
    return f"{found['metric']} {found['score']:.3f} ({found['of']}; {'; '.join(parts)}){peak}; {found['split']}"


def _ceiling_text(ceiling: Any) -> str:
    if ceiling is None or ceiling == [None, None]:
        return "no ceiling"
    if isinstance(ceiling, list):
        return f"ceiling {ceiling[0]:.3f} to {ceiling[1]:.3f}"
    return f"ceiling rho {ceiling:.3f}"


def _when(largest: Mapping[str, Any]) -> str:
    return f" {largest['time'] * 1e3:.0f} ms" if "time" in largest else ""


def _q_text(largest: Mapping[str, Any]) -> str:
    return "" if largest["q"] is None else f" (q = {largest['q']:.3g})"


def group_results(subjects: Mapping[str, Any], folders: list[Path], config: ModelToBrain) -> tuple[dict[str, Any], list[str]]:
    """What holds over subjects: scores of layers and regions with a random-effects test, and RDMs with a ceiling.

    Parameters
    ----------
    subjects : mapping of str to RunContents
        Subjects by name, at least two.
    folders : list of Path
        What each of them left.
    config : ModelToBrain
        Configuration.

    Returns
    -------
    results : dict
        ``over subjects`` (a table) and ``rsa over subjects``.
    notes : list of str
        What could not be compared.
    """
    from neurodecode.pipeline.rsa import group_rsa

    tables = [_region_scores(part.results).assign(subject=name) for name, part in subjects.items()]
    results: dict[str, Any] = {GROUP: group_table(pd.concat(tables, ignore_index=True), config.compute.seed)}
    if config.rsa is None:
        return results, []
    found, notes = group_rsa(folders, BrainRsa(**config.rsa.model_dump()), config.compute.seed)
    return {**results, **{f"{name} over subjects": value for name, value in found.items()}}, notes


def _region_scores(results: Mapping[str, Any]) -> pd.DataFrame:
    """Median score of each layer in each region, of the chosen layers, and of the low-level features."""
    parts: list[pd.DataFrame] = []
    for name, result in results.items():
        if type(result).__name__ == "LayerResult":
            table = result.roi_table("region").rename(columns={"roi": "region", "median": "score"})
            parts += [table[["region", "layer", "score"]], _by_region(result.best, "chosen layers")]
        elif type(result).__name__ == "ComparisonResult":
            parts.append(_by_region(result, "low-level features" if name == "encoding" else name))
    return pd.concat(parts, ignore_index=True)


def _by_region(result: Any, name: str) -> pd.DataFrame:
    table = result.roi_summary("region", n_bootstrap=0)
    return pd.DataFrame({"region": table["roi"], "layer": name, "score": table["median"]})


def group_table(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Mean over subjects, tested by flipping the signs of subjects.

    Parameters
    ----------
    scores : DataFrame
        ``subject, region, layer, score``.
    seed : int
        Seed of the flips.

    Returns
    -------
    DataFrame
        ``region, layer, metric, score, sem, chance, p, p_max, n_subjects``; `p_max` is corrected over all rows.
    """
    from neurodecode.compare import sign_flip_test

    layers = scores["layer"].map(str)
    wide = scores.assign(layer=layers).pivot_table(index="subject", columns=["region", "layer"], values="score", sort=False)
    wide = wide.dropna(axis=1)
    test = sign_flip_test(wide.to_numpy(), random_state=seed)
    table = wide.columns.to_frame(index=False)
    sem = wide.to_numpy().std(axis=0, ddof=1) / np.sqrt(len(wide))
    columns = {"metric": "median r", "score": test.mean, "sem": sem, "chance": 0.0, "p": test.p, "p_max": test.p_max}
    return table.assign(**columns, n_subjects=test.n_subjects)


def group_finding(table: pd.DataFrame, single: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The main figures over subjects: of the chosen layers, or else of the features, in the region where they are highest.

    Parameters
    ----------
    table : DataFrame
        From `group_table`.
    single : sequence of mapping
        `finding` of the main result of each subject.

    Returns
    -------
    dict
        The members of `finding`.
    """
    main = table[table["layer"] == "chosen layers"]
    row = (main if len(main) else table).sort_values("score", ascending=False, kind="stable").iloc[0]
    low = table[(table["region"] == row["region"]) & (table["layer"] == "low-level features")]["score"]
    ceilings = [found["ceiling"] for found in single if found["ceiling"] is not None]
    found = {
        "metric": row["metric"],
        "score": row["score"],
        "of": f"{row['layer']} in {row['region']}, mean over {row['n_subjects']} subjects",
        "chance": 0.0,
        "ceiling": float(np.mean(ceilings)) if ceilings else None,
        "baseline": float(low.iloc[0]) if len(low) and len(main) else float(np.mean([f["baseline"] for f in single])),
        "baseline_name": "low-level features" if len(low) and len(main) else single[0]["baseline_name"],
        "p_value": row["p"],
        "q": row["p_max"],
        "split": f"within subjects: {single[0]['split']}; signs of subjects flipped",
        "notes": [],
    }
    return dict(jsonable(found))


def median(values: Any) -> float:
    """Median of the finite values; NaN where there is none."""
    finite = np.asarray(values)[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")
