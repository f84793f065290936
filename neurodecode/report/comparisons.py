"""What the page says about encoding models: scores against chance, baseline and ceiling, by region, layer and time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.report import figures
from neurodecode.report.contents import RunContents
from neurodecode.report.figures.comparisons import MOST_DOTS
from neurodecode.report.maps import map_pictures, maps_of
from neurodecode.report.parts import Picture, Section, Table, Tile
from neurodecode.report.targets import (
    SIGNIFICANT,
    ceiling_text,
    correction_text,
    known,
    middle,
    n_significant,
    percent,
    quartiles,
    ratio_name,
    reach,
    region_column,
    targets_text,
    unit_noun,
)
from neurodecode.report.words import as_sentence, metric_label, metric_name, number, plural, score_text

_DRAWN = ("score", "normalised")  # maps on the page; the folder maps has all


def comparison_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of an encoding model.

    Parameters
    ----------
    name : str
        Name of the result.
    result : ComparisonResult
        The result.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        Sentences with chance, baseline, ceiling, test and split; scores of targets, regions, times and maps.
    """
    sentences = [_found(result, _spaces(result)), _baseline(result), *_ceiling(result), _test(result), as_sentence(result.split)]
    regions = region_table(result)
    pictures = [
        _targets_picture(result),
        *_region_pictures(result, regions),
        *_course_pictures(result),
        *_map_pictures(name, result, contents),
    ]
    return Section(name, sentences, verdict_of(result), tiles_of(result), pictures, _tables(result, regions), list(result.notes))


def layers_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of the layers of a model.

    Parameters
    ----------
    name : str
        Name of the result.
    result : LayerResult
        The result.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        That of the chosen layers, with the curve of all layers and the table of layers by regions in front.
    """
    chosen = comparison_section(name, result.best, contents)
    pictures = [_curve_picture(result), *_heat_pictures(result), *chosen.pictures]
    sentences = [_chosen(result), _found(result.best, _one_layer(result.best)), *chosen.sentences[1:]]
    tables = [Table("Layers", layer_table(result)), *chosen.tables]
    return replace(chosen, sentences=sentences, pictures=pictures, tables=tables)


def verdict_of(result: Any) -> tuple[str, str]:
    """A few words on how many targets beat chance, and their class of colour.

    Parameters
    ----------
    result : ComparisonResult
        The result.

    Returns
    -------
    (str, str)
        Words, and ``good``, ``none`` or ``open``.
    """
    if result.q is None:
        return "not tested against chance", "open"
    n = n_significant(result.q)
    if not n:
        return f"no target above chance at q < {SIGNIFICANT:g}", "none"
    return f"above chance in {percent(n, result.n_targets)} of targets, q < {SIGNIFICANT:g}", "good"


def tiles_of(result: Any) -> list[Tile]:
    """The numbers of the headline: score, chance, ceiling, normalised score, baseline, significant targets.

    Parameters
    ----------
    result : ComparisonResult
        The result.

    Returns
    -------
    list of Tile
        Each with a remark; what there is not says so.
    """
    median, ceiling = f"median of {plural(result.n_targets, 'target')}", reach(result)
    tiles = [
        Tile(metric_label(result.metric), score_text(middle(result.score)), f"{median}, raw"),
        Tile("Chance", number(result.chance), "without any information"),
        Tile("Baseline", score_text(middle(result.baseline)), result.baseline_name),
    ]
    if ceiling is None:
        tiles.append(Tile("Noise ceiling", "unknown", "scores are not normalised"))
    else:
        unit = "√ρ" if result.metric == "r" else "ρ"
        tiles.append(
            Tile("Noise ceiling", score_text(middle(ceiling)), f"median {unit}: the highest {result.metric} there can be")
        )
    if result.normalised is not None:
        note = f"{ratio_name(result)}, median of the {percent(result.coverage)} of targets with a ceiling"
        tiles.append(Tile("Normalised score", score_text(middle(result.normalised)), note))
    return [*tiles, _significance_tile(result)]


def layer_table(result: Any) -> pd.DataFrame:
    """One row per layer: median and quartiles over targets, and how often it was chosen.

    Parameters
    ----------
    result : LayerResult
        The result.

    Returns
    -------
    DataFrame
        ``layer, median r, lower quartile, upper quartile, chance, share chosen``.
    """
    rows = [
        (layer, middle(scores), *quartiles(scores), float(result.best.chance), float(np.mean(result.chosen == i)))
        for i, (layer, scores) in enumerate(zip(result.layers, result.scores, strict=True))
    ]
    return pd.DataFrame(rows, columns=["layer", "median r", "lower quartile", "upper quartile", "chance", "share chosen"])


def _significance_tile(result: Any) -> Tile:
    if result.q is None:
        return Tile("Significant targets", "not tested", "no permutations were run")
    note = f"q < {SIGNIFICANT:g}, {plural(result.n_permutations, 'permutation')}, corrected over targets"
    return Tile("Significant targets", percent(n_significant(result.q), result.n_targets), note)


def _found(result: Any, features: str) -> str:
    low, high = quartiles(result.score)
    over = f"the median over {plural(result.n_targets, 'target')}"
    missing = result.n_targets - len(known(result.score))
    unscored = (
        f" {plural(missing, 'target')} could not be scored and {'is' if missing == 1 else 'are'} left out." if missing else ""
    )
    return (
        f"The responses of {targets_text(result.units, result.times)} were predicted from {features} in held-out data "
        f"with a {metric_name(result.metric)} of {score_text(middle(result.score))}, {over} (quartiles {score_text(low)} to "
        f"{score_text(high)}); no information gives {number(result.chance)}, a perfect prediction of data without noise reaches "
        f"{number(result.best)}.{unscored}"
    )


def _spaces(result: Any) -> str:
    """The features that predicted, by name and number."""
    spaces, nuisance = result.settings.get("spaces"), result.settings.get("nuisance") or []
    if not isinstance(spaces, dict) or not spaces:
        return "the features"
    named = [f"{name} ({n} columns)" for name, n in spaces.items() if name not in nuisance]
    named = [*named[:6], *([f"{len(named) - 6} more"] if len(named) > 6 else [])]
    return ", ".join(named) + _beside(nuisance)


def _one_layer(result: Any) -> str:
    return f"the layer chosen for each{_beside(result.settings.get('nuisance') or [])}"


def _beside(nuisance: list[str]) -> str:
    return f" together with the nuisance features ({', '.join(map(str, nuisance))})" if nuisance else ""


def _baseline(result: Any) -> str:
    score, baseline = np.asarray(result.score, float), np.asarray(result.baseline, float)
    both = np.isfinite(score) & np.isfinite(baseline)
    text = (
        f"The baseline ({result.baseline_name}) reaches {score_text(middle(baseline))} on the same folds; the model is above it "
        f"in {int(np.sum(score[both] > baseline[both]))} of {plural(int(both.sum()), 'target')}."
    )
    if "gain" in result.scores:
        text += f" Beyond the baseline the features explain a median R² of {score_text(middle(result.scores['gain']))}."
    if middle(score) < middle(baseline):
        text += " The model is below this baseline in the median: simpler features do better here."
    return text


def _ceiling(result: Any) -> list[str]:
    ceiling = reach(result)
    if ceiling is None:
        return [
            "The noise ceiling of these responses is not known: scores are raw, and how far a better model could get is open."
        ]
    root = " (√ρ)" if result.metric == "r" else ""
    sentences = [
        f"The noise ceiling ({ceiling_text(result.ceiling_name)}) is a reliability ρ of {score_text(middle(result.ceiling))} in "
        "the median, a share of variance: there no model can reach a higher "
        f"{result.metric} than {score_text(middle(ceiling))}{root}.",
    ]
    if result.normalised is None:
        return sentences
    rated = np.isfinite(np.asarray(result.normalised, float))
    if not rated.any():
        return [*sentences, f"No target has a ρ of {number(result.ceiling_floor)} or more, so no score is normalised."]
    raw = middle(np.asarray(result.score, float)[rated])
    return [
        *sentences,
        f"Divided by this ceiling the score is {score_text(middle(result.normalised))} ({ratio_name(result)}, 1 is the ceiling; "
        f"raw {score_text(raw)}), the median over {int(rated.sum())} of {plural(result.n_targets, 'target')} "
        f"({percent(rated.mean())}): those with ρ of {number(result.ceiling_floor)} or more.",
    ]


def _test(result: Any) -> str:
    if result.q is None:
        return "No permutation test was run, so whether these scores could be luck was not tested."
    n = n_significant(result.q)
    return (
        f"{n} of {plural(result.n_targets, 'target')} ({percent(n, result.n_targets)}) {'passes' if n == 1 else 'pass'} "
        f"q < {SIGNIFICANT:g} by {plural(result.n_permutations, 'permutation')}, {correction_text(result.correction)}."
    )


def _chosen(result: Any) -> str:
    medians = [middle(scores) for scores in result.scores]
    share = [float(np.mean(result.chosen == i)) for i in range(len(result.layers))]
    best, often = int(np.argmax(np.nan_to_num(medians, nan=-np.inf))), int(np.argmax(share))
    return (
        f"For each fold and target one of {plural(len(result.layers), 'layer')} was chosen by its score on inner folds of the "
        f"training data; scores below are those of the chosen layers on data that neither chose nor fitted them. Chosen most "
        f"often: {result.layers[often]} ({percent(share[often])}). Of single layers {result.layers[best]} has the highest "
        f"median r, {score_text(medians[best])}, but the best of many on the test data is no score of its own."
    )


def _targets_picture(result: Any) -> Picture:
    middle_text = f"median {score_text(middle(result.score))}, baseline {score_text(middle(result.baseline))}"
    alt = f"{metric_label(result.metric)} of {plural(result.n_targets, 'target')}: {middle_text}, chance {number(result.chance)}."
    caption = "How often each score occurs. Dashed: chance; dotted: median of the baseline; line: median of the model."
    if result.ceiling is not None:
        alt += f" Right: scores against the noise ceiling, {ceiling_text(result.ceiling_name)}."
        caption += (
            " Right: each target against the highest score that its noise allows; a perfect model lies on the line. Targets "
            "above it are chance or an unsure ceiling; in the grey strip the ceiling is too low to normalise by."
        )
    return Picture("scores", figures.target_scores(result), alt, caption, vector=result.n_targets <= MOST_DOTS)


def region_table(result: Any) -> pd.DataFrame:
    """`roi_summary` of a result, empty where units have no region or there are times.

    Parameters
    ----------
    result : ComparisonResult
        The result.

    Returns
    -------
    DataFrame
        One row per region.
    """
    column = region_column(result.units)
    return pd.DataFrame() if column is None or result.times is not None else result.roi_summary(column)


def _region_pictures(result: Any, table: pd.DataFrame) -> list[Picture]:
    if not len(table):
        return []
    listed = ", ".join(f"{roi} {score_text(m)}" for roi, m in zip(table["roi"][:12], table["median"][:12], strict=True))
    more = "" if len(table) <= 12 else f" and {len(table) - 12} more"
    alt = f"Median {metric_name(result.metric)} by region: {listed}{more}; chance {number(result.chance)}."
    caption = (
        f"Bars: median over the {unit_noun(result.units)}s of a region, with the 95 % interval of it over them (it says nothing "
        "about other subjects). Upright tick: median noise ceiling; diamond: baseline."
    )
    return [Picture("regions", figures.region_scores(table, result.metric), alt, caption)]


def _course_pictures(result: Any) -> list[Picture]:
    if result.times is None:
        return []
    course = np.array([middle(column) for column in np.asarray(result.score, float).T])
    best = int(np.argmax(np.nan_to_num(course, nan=-np.inf)))
    peak = f"{score_text(course[best])} at {result.times[best] * 1e3:.0f} ms"
    alt = f"{metric_label(result.metric)} over time: highest median over units {peak}, chance {number(result.chance)}."
    caption = f"Scores at each time. The highest median is {peak}, picked among {plural(len(course), 'time')} after the fact."
    if result.q is not None:
        caption += f" Below: share of units with q < {SIGNIFICANT:g}, corrected over units and times."
    return [Picture("course", figures.score_course(result), alt, caption)]


def _map_pictures(name: str, result: Any, contents: RunContents) -> list[Picture]:
    shown = [m for m in maps_of(name, result, contents) if m.desc in _DRAWN and (m.desc == "score" or m.times is None)]
    return [picture._replace(name=f"map-{picture.name}") for m in shown for picture in map_pictures([m])]


def _curve_picture(result: Any) -> Picture:
    medians = [middle(scores) for scores in result.scores]
    best = int(np.argmax(np.nan_to_num(medians, nan=-np.inf)))
    alt = (
        f"Median r of each of {plural(len(result.layers), 'layer')}: highest at {result.layers[best]} with "
        f"{score_text(medians[best])}; chance {number(result.best.chance)}."
    )
    caption = (
        "Above: each layer on its own. The dotted line is what counts: layers chosen for each target on inner folds. Below: "
        "share of folds and targets that chose the layer."
    )
    return Picture("layers", figures.layer_curve(result), alt, caption)


def _heat_pictures(result: Any) -> list[Picture]:
    column = region_column(result.best.units)
    if column is None:
        return []
    table = result.roi_table(column)
    often = table.loc[table.groupby("roi", sort=False)["chosen"].idxmax()]
    listed = ", ".join(f"{roi}: {layer}" for roi, layer in zip(often["roi"][:12], often["layer"][:12], strict=True))
    alt = f"Median r of each layer in each region. Layer chosen most often: {listed}."
    caption = "Darker is higher, white is chance. The ring marks the layer that inner folds chose most often in the region."
    return [Picture("regions-layers", figures.layer_regions(table), alt, caption)]


def _tables(result: Any, regions: pd.DataFrame) -> list[Table]:
    folds = [
        (name, *quartiles(scores)[:1], middle(scores), quartiles(scores)[1], float(result.chance))
        for name, scores in zip(result.fold_names, result.fold_scores, strict=True)
    ]
    per_fold = pd.DataFrame(
        folds, columns=["held out", "lower quartile", f"median {metric_name(result.metric)}", "upper quartile", "chance"]
    )
    named = regions.drop(columns="which", errors="ignore").rename(columns={"ceiling": "ceiling ρ"})
    return [Table("Median over targets of each fold", per_fold), Table("Regions", named)]
