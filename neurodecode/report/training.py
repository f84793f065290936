"""What the page says and shows about a training."""

from __future__ import annotations

from typing import Any

import pandas as pd

from neurodecode.report import figures
from neurodecode.report.contents import RunContents
from neurodecode.report.parts import Picture, Section, Table, Tile
from neurodecode.report.words import as_sentence, metric_label, metric_name, number, plural, score_text, verdict


def training_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of a `TrainedRetrieval`: score of each seed against chance and baseline, and the loss curves.

    Parameters
    ----------
    name : str
        Name of the result.
    result : TrainedRetrieval
        What was found.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        For the page.
    """
    summary = f"{metric_label(result.metric)} {score_text(result.score)}, chance {number(result.chance)}"
    pictures = [
        Picture("scores", figures.seed_scores(result), f"{summary}.", "A dot is one seed. Dashed: chance; dotted: the baseline."),
        Picture("loss", figures.loss_curves(result), "Loss over the steps of training.", _CURVES),
    ]
    seeds = plural(len(result.scores), "seed")
    tiles = [
        Tile(metric_label(result.metric), score_text(result.score), f"mean of {seeds}"),
        Tile("Chance", number(result.chance), f"among {plural(result.n_candidates, 'candidate')}"),
        Tile("Baseline", score_text(result.baseline), result.baseline_name),
    ]
    return Section(
        name,
        _sentences(result),
        verdict(result.score, result.chance, None),
        tiles,
        pictures,
        [Table("Seeds", _seeds(result))],
        list(result.notes),
    )


_CURVES = "Thin: training. Thick: validation. The dot marks the step whose weights were kept and scored."


def _sentences(result: Any) -> list[str]:
    spread = "" if result.spread is None else f" (standard deviation over seeds {number(result.spread)})"
    told = [
        f"The {metric_name(result.metric)} is {score_text(result.score)}{spread} among "
        f"{plural(result.n_candidates, 'candidate')}; chance is {number(result.chance)}.",
        f"The baseline ({result.baseline_name}, fitted on the same samples) reaches {score_text(result.baseline)}.",
        as_sentence(result.split),
    ]
    if result.score < result.baseline:
        told.insert(2, "The network is below this baseline: the simpler method does better here.")
    return told


def _seeds(result: Any) -> pd.DataFrame:
    rows = [
        {"seed": seed, metric_name(result.metric): score, "weights of step": result.best_steps[seed]}
        for seed, score in result.scores.items()
    ]
    return pd.DataFrame(rows)
