"""What the page says and shows about stimuli that were looked up or generated from M/EEG."""

from __future__ import annotations

from typing import Any

from neurodecode.report import figures
from neurodecode.report.contents import RunContents
from neurodecode.report.parts import Picture, Section, Table, Tile
from neurodecode.report.words import metric_label, metric_name, number, plural, score_text

_AVERAGING = {
    "single": "single trials",
    "instance": "the mean over all trials of a stimulus",
    "subject": "the mean within subjects, then over subjects",
}


def retrieval_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of a `StimulusRetrieval`: accuracy beside chance, ridge and ceiling, and everything the number depends on.

    Parameters
    ----------
    name : str
        Name of the result.
    result : StimulusRetrieval
        What was found.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        For the page.
    """
    k = min(result.chance)
    low = min(result.report.ci["brain_to_stimulus"][k])
    above = low > result.chance[k]
    summary = f"Top-{k} {score_text(result.top_k[k])}, chance {number(result.chance[k])}, {result.n_candidates} candidates"
    pictures = [
        Picture("accuracy", figures.retrieval_accuracy(result), f"{summary}.", "Bars: 95 % interval over stimuli."),
        Picture("subjects", figures.subject_retrieval(result), "Accuracy of each subject.", "Single trials of each subject."),
    ]
    words = "interval above chance" if above else "interval holds chance"
    return Section(
        name,
        _sentences(result),
        (words, "good" if above else "none"),
        _tiles(result),
        pictures,
        [Table("Accuracy", result.to_dataframe()), Table("Subjects", result.by_subject)],
        [*result.notes, *result.report.notes],
    )


def _sentences(result: Any) -> list[str]:
    report = result.report
    told = [
        f"{plural(report.n_queries, 'window')} of responses ({_AVERAGING[result.aggregation]}) were looked up among "
        f"{plural(result.n_candidates, 'candidate')}: {_levels(result.top_k)}; chance is {_levels(result.chance)}.",
    ]
    if result.ridge is not None:
        told.append(f"The baseline ({result.baseline_name}, on the same windows) reaches {_levels(result.ridge)}.")
        if result.top_k[min(result.chance)] < result.ridge[min(result.chance)]:
            told.append("The decoder is below this baseline: the simpler method does better here.")
    if result.oracle is not None:
        told.append(f"No decoder of single trials can exceed the likelihood, which reaches {_levels(result.oracle)}.")
    if report.vocabulary is not None:
        told.append(
            f"Words (candidates of one word summed, {report.n_words} words): {_levels(report.vocabulary)}; chance is "
            f"{_levels(report.vocabulary_chance)}."
        )
    told.append(f"Held out by {report.split_unit}; weights selected on: {report.selection_split}. Ties count in expectation.")
    if report.zero_shot is not None:
        overlap = "no concept" if report.zero_shot else f"{100 * report.category_overlap:.3g} % of the concepts"
        told.append(f"Of the tested stimuli, {overlap} occurred in training.")
    return told


def _levels(values: Any) -> str:
    return ", ".join(f"top-{k} {score_text(value)}" for k, value in values.items())


def _tiles(result: Any) -> list[Tile]:
    k = min(result.chance)
    tiles = [
        Tile(f"Top-{k}", score_text(result.top_k[k]), _AVERAGING[result.aggregation]),
        Tile("Chance", number(result.chance[k]), plural(result.n_candidates, "candidate")),
    ]
    if result.ridge is not None:
        tiles.append(Tile("Baseline", score_text(result.ridge[k]), result.baseline_name))
    if result.oracle is not None:
        tiles.append(Tile("Ceiling", score_text(result.oracle[k]), "likelihood, single trials"))
    return tiles


def course_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of a `RetrievalCourse`: accuracy over time, with the windows before the stimulus as control.

    Parameters
    ----------
    name : str
        Name of the result.
    result : RetrievalCourse
        What was found.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        For the page.
    """
    table = result.to_dataframe()
    best = table.loc[table["accuracy"].idxmax()]
    told = [
        f"A decoder was fitted on each of {plural(len(table), f'{result.mode} window')}: the highest top-{result.k} accuracy is "
        f"{score_text(best['accuracy'])} in {best['start']:g} to {best['stop']:g} s; chance is {number(result.chance)}.",
        *_control(result),
    ]
    picture = Picture("course", figures.retrieval_course(result), told[0], "Shaded: 95 % interval over stimuli. Dashed: chance.")
    tiles = [
        Tile(f"Highest top-{result.k}", score_text(best["accuracy"]), f"{best['start']:g} to {best['stop']:g} s"),
        Tile("Chance", number(result.chance), "in every window"),
    ]
    verdict = ("knows the stimulus before it begins", "none") if result.leaks else None
    return Section(name, told, verdict, tiles, [picture], [Table("Windows", table)], list(result.notes))


def _control(result: Any) -> list[str]:
    if result.leaks is None:
        return ["No window lies before the stimulus, so that nothing controls for responses that look ahead."]
    if result.leaks:
        return ["Windows before the stimulus are above chance: a filter, a baseline or the order of stimuli tells what comes."]
    return ["Windows before the stimulus are at chance, as they have to be."]


def generation_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of a `GenerationTable`: pictures beside those of the prior alone, and what is gained over it.

    Parameters
    ----------
    name : str
        Name of the result.
    result : GenerationTable
        What was made.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        For the page.
    """
    kinds = list(dict.fromkeys(kind for _, kind in result.pictures))
    main = kinds[-1] if "instance" not in kinds else "instance"
    rows = result.scores[(result.scores["aggregation"] == main) & (result.scores["decoder"] != "prior only")]
    told = [_gain(row) for row in rows.to_dict("records")]
    picture = Picture(
        "pictures",
        figures.generated_pictures(result, main),
        "Pictures that were seen above those that were generated from the responses.",
        "Prior only: the same generator told of another image. Columns are evenly spaced, not chosen by score.",
    )
    identified = rows[rows["metric"] == "two_way_pixels"]
    first = (identified if len(identified) else rows).iloc[0]
    gain = f"gain {number(first['gain'])} over the prior alone"
    tiles = [
        Tile(metric_label(first["metric"]), score_text(first["score"]), gain),
        Tile("Prior only", score_text(first["prior_only"]), f"chance {number(first['chance'])}"),
    ]
    good = first["gain_low"] > 0
    verdict = ("above the prior alone", "good") if good else ("not distinguishable from the prior alone", "none")
    return Section(name, told, verdict, tiles, [picture], [Table("Scores", result.scores)], list(result.notes))


def _gain(row: dict[str, Any]) -> str:
    interval = f"95 % interval {number(row['gain_low'])} to {number(row['gain_high'])}"
    scores = f"{score_text(row['score'])}, prior alone {score_text(row['prior_only'])}"
    return f"{row['decoder'].capitalize()}, {metric_name(row['metric'])}: {scores}, gain {number(row['gain'])} ({interval})."
