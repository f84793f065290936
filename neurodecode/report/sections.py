"""What the page says and shows about each result, chosen by its type; plain data until the page is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.report import figures
from neurodecode.report.comparisons import comparison_section, layers_section
from neurodecode.report.connectome import connectome_section
from neurodecode.report.contents import RunContents
from neurodecode.report.live import latency_section
from neurodecode.report.maps import map_pictures, maps_of
from neurodecode.report.parts import Picture, Section, Table, Tile
from neurodecode.report.pictures import reconstruction_section, same_images
from neurodecode.report.retrieval import course_section, generation_section, retrieval_section
from neurodecode.report.scores import chance_of
from neurodecode.report.similarity import leakage_section, partition_section, rdm_section, sign_flip_section
from neurodecode.report.training import training_section
from neurodecode.report.words import (
    as_sentence,
    best_index,
    fold_noun,
    interval_text,
    metric_label,
    metric_name,
    number,
    p_text,
    plural,
    score_text,
    verdict,
)


def result_sections(contents: RunContents) -> list[Section]:
    """One section per result, in the order of the run; reconstructions of the same images share the section of the first.

    Parameters
    ----------
    contents : RunContents
        The run.

    Returns
    -------
    list of Section
        The first picture of each is the one that shows its score; a result of a type that has no section says so.
    """
    shared = {name: next(iter(same_images(name, contents)), name) for name in contents.results}
    own = {name: result for name, result in contents.results.items() if shared[name] == name}
    sections = [RENDERERS.get(type(r).__name__, _unknown)(name, r, contents) for name, r in own.items()]
    return [replace(section, title=section.title[:1].upper() + section.title[1:]) for section in sections]


def _decoding(name: str, result: Any, contents: RunContents) -> Section:
    label = metric_label(result.metric)
    summary = f"{label} of each {fold_noun(result)}, mean {score_text(result.score)}; chance is {number(result.chance)}"
    pictures = [
        Picture("scores", figures.score_summary(result), f"{summary}.", _score_caption(result)),
        *_confusion_pictures(result),
        *map_pictures(maps_of(name, result, contents)),
    ]
    tables = [
        Table(f"Score of each {fold_noun(result)}", _fold_table(result)),
        Table("Samples per class and fold", _class_table(result)),
        Table("Other scores, over the pooled predictions", _other_scores(result)),
    ]
    return Section(
        name,
        _score_sentences(result),
        verdict(result.score, result.chance, result.p_value),
        _tiles(result),
        pictures,
        tables,
        list(result.notes),
    )


def _tiles(result: Any) -> list[Tile]:
    low, high = result.confidence_interval
    known = np.isfinite([low, high]).all()
    p_note = f"{result.n_permutations} permutations" if result.p_value is not None else "no permutations were run"
    return [
        Tile(metric_label(result.metric), score_text(result.score), f"best possible {number(result.best)}"),
        Tile("Chance", number(result.chance), "without any information"),
        Tile(
            "95 % interval",
            f"{score_text(low)}–{score_text(high)}" if known else "n/a",
            f"over {plural(len(result.fold_scores), fold_noun(result))}",
        ),
        Tile("p value", "not tested" if result.p_value is None else number(result.p_value), p_note),
        Tile("Baseline", score_text(result.baseline), result.baseline_name),
    ]


def _score_sentences(result: Any) -> list[str]:
    """Sentences that nobody can misread: what was scored, on what, against what."""
    sentences = [
        _found(result),
        interval_text(result),
        p_text(result),
        f"The baseline ({result.baseline_name}) reaches {score_text(result.baseline)} on the same folds.",
        as_sentence(result.split),
    ]
    if np.isfinite(result.baseline) and result.score < result.baseline:
        sentences.insert(4, "The decoder is below this baseline: a simpler method does better here.")
    return sentences


def _found(result: Any) -> str:
    score = f"in held-out data with a {metric_name(result.metric)} of {score_text(result.score)}"
    reach = f"a perfect decoder reaches {number(result.best)}"
    if not result.classes:
        return f"The decoder predicted {result.target} {score}; no information gives {number(result.chance)}, {reach}."
    names = ", ".join(map(str, result.classes[:8])) + (", ..." if len(result.classes) > 8 else "")
    return (
        f"The decoder told {len(result.classes)} classes of {result.target} apart ({names}) {score}; "
        f"guessing gives {number(result.chance)}, {reach}."
    )


def _score_caption(result: Any) -> str:
    what = "subject (mean over its folds)" if fold_noun(result) == "subject" else "held-out fold"
    text = (
        f"Each dot is one {what}; the line is their mean and the band its 95 % interval. "
        f"Dashed: chance ({number(result.chance)})."
    )
    if result.null_scores is None:
        return text
    return f"{text} Right: scores of the same analysis on shuffled labels; luck alone rarely beats all of them."


def _confusion_pictures(result: Any) -> Iterator[Picture]:
    if result.task == "regression" and len(result.predictions):
        alt = f"Predicted against true {result.target} of the held-out samples."
        yield Picture("predictions", figures.true_against_predicted(result), alt, "One dot per held-out sample.")
    figure = figures.confusion(result)
    if figure is not None:
        shares = np.diag(result.confusion) / np.maximum(np.asarray(result.confusion).sum(axis=1), 1)
        best, worst = result.classes[int(np.argmax(shares))], result.classes[int(np.argmin(shares))]
        alt = f"Confusion matrix of {len(result.classes)} classes; most often right: {best}, least often: {worst}."
        chance = number(1 / len(result.classes))
        yield Picture(
            "confusion",
            figure,
            alt,
            f"Rows are true classes, numbers count held-out samples. Guessing gives {chance} in every cell.",
        )


def _fold_table(result: Any) -> pd.DataFrame:
    counts, key = result.class_counts, fold_noun(result)
    named = {"held out" if key == "fold" else key: result.fold_names}
    table = pd.DataFrame({"fold": range(1, len(result.fold_names) + 1), **named} if key == "fold" else named)
    for side in ("train", "test") if key == "fold" else ("test",):  # over subjects every sample is tested once
        if {key, "side", "n"} <= set(counts.columns):
            sizes = counts[counts["side"] == side].groupby(key)["n"].sum()
            keys = range(len(table)) if key == "fold" else result.fold_names
            table[f"{side} samples"] = [int(sizes.get(k, 0)) for k in keys]
    return table.assign(**{metric_label(result.metric): result.fold_scores, "chance": result.chance})


def _other_scores(result: Any) -> pd.DataFrame:
    rows = [(metric_label(metric), score, chance_of(metric, result)) for metric, score in result.scores.items()]
    return pd.DataFrame(rows, columns=["score", "value", "chance"])


def _class_table(result: Any) -> pd.DataFrame:
    counts = result.class_counts
    if not {"held_out", "side", "label", "n"} <= set(counts.columns) or not len(counts):
        return pd.DataFrame()
    keys = [c for c in ("subject", "fold", "held_out", "side") if c in counts]
    wide: pd.DataFrame = counts.pivot_table(index=keys, columns="label", values="n", aggfunc="sum", fill_value=0, sort=False)
    named = wide.droplevel("fold").rename_axis(index={"held_out": "held out"}, columns=None)
    return named.reset_index(allow_duplicates=True)  # a class may be called "side"


def _over_time(name: str, result: Any, contents: RunContents) -> Section:
    best = best_index(result.mean)
    when = f"at {result.times[best] * 1e3:.0f} ms"
    peak = f"{score_text(result.mean[best])} {when}"
    p = None if result.p_values is None else float(result.p_values[best])
    sentences = [
        f"A decoder was trained and tested at each time from the event: the highest {metric_name(result.metric)} is {peak}, "
        f"where chance is {number(result.chance)}.",
        _significant_times(result),
        as_sentence(result.split),
    ]
    alt = f"{metric_label(result.metric)} over time, peak {peak}, chance {number(result.chance)}."
    caption = "The band is the standard error over folds; the dashed line is chance."
    picture = Picture("time", figures.time_course(result), alt, caption)
    tiles = [
        Tile(f"Highest {metric_name(result.metric)}", score_text(result.mean[best]), when),
        Tile("Chance", number(result.chance), "at every time"),
        Tile(
            "p value",
            "not tested" if p is None else number(p),
            "no permutations were run" if p is None else "corrected for all times",
        ),
    ]
    return Section(name, sentences, verdict(float(result.mean[best]), result.chance, p), tiles, [picture], [], list(result.notes))


def _significant_times(result: Any) -> str:
    if result.p_values is None:
        return "No permutation test was run over time: a peak chosen among many times is above chance by luck alone."
    passed = result.times[np.asarray(result.p_values) <= 0.05] * 1e3
    if not len(passed):
        return "At no time does it pass p ≤ 0.05, corrected for the number of times (maximum statistic over permutations)."
    span = f"the first at {passed[0]:.0f} ms, the last at {passed[-1]:.0f} ms"
    count = f"{len(passed)} of {len(result.times)} times ({span})"
    return f"It passes p ≤ 0.05 at {count}, corrected by the maximum statistic over permutations."


def _across_time(name: str, result: Any, contents: RunContents) -> Section:
    train, test = np.unravel_index(best_index(result.mean), result.mean.shape)
    where = f"trained at {result.train_times[train] * 1e3:.0f} ms and tested at {result.test_times[test] * 1e3:.0f} ms"
    sentences = [
        f"A decoder trained at one time was tested at every other: the highest {metric_name(result.metric)} is "
        f"{score_text(result.mean[train, test])} ({where}), where chance is {number(result.chance)}.",
        as_sentence(result.split),
    ]
    alt = f"{metric_label(result.metric)} for every pair of training and testing time, chance {number(result.chance)}."
    caption = "A response that holds generalises away from the diagonal; a chain of different responses stays on it."
    tiles = [
        Tile(f"Highest {metric_name(result.metric)}", score_text(result.mean[train, test]), where),
        Tile("Chance", number(result.chance), "everywhere"),
    ]
    picture = Picture("generalisation", figures.generalization(result), alt, caption)
    return Section(
        name, sentences, verdict(float(result.mean[train, test]), result.chance, None), tiles, [picture], [], list(result.notes)
    )


def _searchlight(name: str, result: Any, contents: RunContents) -> Section:
    best = best_index(result.scores)
    p = None if result.p_values is None else float(result.p_values[best])
    unit = result.units["name"].iloc[best]
    sentences = [
        f"A decoder was fitted on each sphere of {number(result.radius_mm)} mm: the highest {metric_name(result.metric)} is "
        f"{score_text(result.scores[best])} around {unit}, where chance is {number(result.chance)}.",
        "No permutation test was run over spheres: the highest of many is above chance by luck alone."
        if p is None
        else f"Corrected for all spheres by the maximum statistic: p = {number(p)}.",
        as_sentence(result.split),
    ]
    tiles = [
        Tile(f"Highest {metric_name(result.metric)}", score_text(result.scores[best]), f"around {unit}"),
        Tile("Chance", number(result.chance), "in every sphere"),
    ]
    pictures = list(map_pictures(maps_of(name, result, contents)))
    return Section(
        name, sentences, verdict(float(result.scores[best]), result.chance, p), tiles, pictures, [], list(result.notes)
    )


def _regions(name: str, result: Any, contents: RunContents) -> Section:
    table = result.table.sort_values("score", ascending=False, kind="stable")
    best = table.iloc[0]
    column = "p_corrected" if "p_corrected" in table else "p"
    p = float(best[column]) if column in table and np.isfinite(float(best[column])) else None
    sentences = [
        f"A decoder was fitted on each of {plural(len(table), 'region')}: the highest {metric_name(result.metric)} is "
        f"{number(best['score'])} in {best['roi']}, where chance is {number(result.chance)}.",
        as_sentence(result.split),
    ]
    alt = f"{metric_label(result.metric)} of each region, chance {number(result.chance)}."
    picture = Picture(
        "regions", figures.roi_scores(result), alt, "Bars start at chance; full colour where p ≤ 0.05, corrected over regions."
    )
    tiles = [
        Tile(f"Highest {metric_name(result.metric)}", score_text(best["score"]), str(best["roi"])),
        Tile("Chance", number(result.chance), "in every region"),
    ]
    return Section(
        name,
        sentences,
        verdict(float(best["score"]), result.chance, p),
        tiles,
        [picture],
        [Table("Regions", table)],
        list(result.notes),
    )


def _table(name: str, result: pd.DataFrame, contents: RunContents) -> Section:
    """A table; ratios per contact get bars and a sentence that names the contacts at the top."""
    if not {"channel", "ratio"} <= set(result.columns):
        return Section(name, [], None, [], [], [Table(name, result)], [])
    pictures, sentences, tiles = [], [], []
    bands = result["band"].astype(str) if "band" in result else pd.Series("", index=result.index)
    for i, band in enumerate(dict.fromkeys(bands)):
        part = result[bands == band].sort_values("ratio", ascending=False, kind="stable")
        label = f"{band} power ratio".strip()
        sentence = _contact_sentence(part, label)
        figure = figures.contact_bars([str(c) for c in part["channel"]], part["ratio"].to_numpy(float), label)
        pictures.append(
            Picture(f"contacts-{i + 1}", figure, sentence, "Ratios on a logarithmic axis; the dashed line is no change.")
        )
        sentences.append(sentence)
        tiles += [
            Tile(f"Largest {label}", number(part["ratio"].iloc[0]), f"at {part['channel'].iloc[0]}"),
            Tile("No change", "1", f"median contact {number(part['ratio'].median())}"),
        ]
    ordered = result.sort_values("ratio", ascending=False, kind="stable")
    return Section(name, sentences, None, tiles, pictures, [Table(f"{name}: all contacts", ordered)], [])


def _contact_sentence(part: pd.DataFrame, label: str) -> str:
    top = ", ".join(f"{c} ({number(r)})" for c, r in zip(part["channel"].iloc[:5], part["ratio"].iloc[:5], strict=True))
    median = number(part["ratio"].median())
    return f"{label}: largest at {top}; the median of {plural(len(part), 'contact')} is {median}, and 1 means no change."


def evoked_section(contents: RunContents) -> list[Section]:
    """Evoked responses of each class, where there are averages over epochs with times.

    Parameters
    ----------
    contents : RunContents
        The run.

    Returns
    -------
    list of Section
        One section, or none.
    """
    erp = contents.erp
    if erp is None or erp.times is None or not len(erp):
        return []
    label = next((c for c in ("trial_type", *_targets(contents)) if c in erp.samples), str(erp.samples.columns[0]))
    names = ", ".join(str(c) for c in erp.samples[label])
    most = 6
    alt = f"Evoked responses to {names} at {plural(min(erp.n_units, most), 'channel')}."
    chosen = (
        f" Shown are the {most} of {erp.n_units} channels whose classes differ most: chosen with the labels, for looking only."
    )
    which = "" if erp.n_units <= most else chosen
    picture = Picture("evoked", figures.evoked(erp, most, label), alt, f"Mean over epochs of each class.{which}")
    return [Section("Evoked responses", pictures=[picture])]


def _targets(contents: RunContents) -> list[str]:
    return [str(result.target) for result in contents.results.values() if hasattr(result, "target")]


def overview(scores: pd.DataFrame) -> pd.DataFrame:
    """The mean rows of the table of scores, the best where a result has several: one line per result."""
    means = scores[scores["fold"] == "mean"].drop(columns=["pipeline", "fold"])
    best = means.loc[list(means.fillna({"score": -np.inf}).groupby("result", sort=False)["score"].idxmax())]
    means = best.assign(metric=[metric_label(metric) for metric in best["metric"]])
    if means["ceiling"].isna().all():
        means = means.drop(columns="ceiling")
    return means.rename(columns={"held_out": "what", "p_value": "p"}).reset_index(drop=True)


def _unknown(name: str, result: Any, contents: RunContents) -> Section:
    return Section(name, [f"This report has no figure for results of type {type(result).__name__}."], None, [], [], [], [])


RENDERERS: dict[str, Callable[[str, Any, RunContents], Section]] = {
    "DecodingResult": _decoding,
    "TimeResolvedResult": _over_time,
    "GeneralizationResult": _across_time,
    "SearchlightResult": _searchlight,
    "RoiResult": _regions,
    "ReconstructionResult": reconstruction_section,
    "ComparisonResult": comparison_section,
    "LayerResult": layers_section,
    "RdmComparison": rdm_section,
    "VariancePartition": partition_section,
    "LeakageResult": leakage_section,
    "SignFlipResult": sign_flip_section,
    "TrainedRetrieval": training_section,
    "StimulusRetrieval": retrieval_section,
    "RetrievalCourse": course_section,
    "GenerationTable": generation_section,
    "LatencyReport": latency_section,
    "ConnectomeResult": connectome_section,
    "DataFrame": _table,
}
