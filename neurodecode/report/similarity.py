"""What the page says about RDM models, divided variance, the check of a split, and tests over subjects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.report import figures
from neurodecode.report.contents import RunContents
from neurodecode.report.figures.comparisons import MOST_REGIONS
from neurodecode.report.parts import Picture, Section, Table, Tile
from neurodecode.report.targets import SIGNIFICANT, known, middle, percent, region_column, targets_text
from neurodecode.report.words import as_sentence, best_index, metric_label, metric_name, number, plural, score_text

_LEAK_NAMES = {"OASM": "OASM r", "AR noise": "Noise r", "yours": "Your features, r"}
_DIVISIONS = {
    "inclusion_exclusion": "what only one space explains, and what exactly these spaces share",
    "shapley": "what a space adds, mean over all orders of the spaces (Shapley values)",
    "product_measure": "the product measure of each space in the fit of all of them",
}


def rdm_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of models compared by their RDMs.

    Parameters
    ----------
    name : str
        Name of the result.
    result : RdmComparison
        The result.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        Bars of models with intervals and ceiling; tables of models and of pairs of models.
    """
    best, n = best_index(result.score), int(np.sum(result.q < SIGNIFICANT))
    metric, top = metric_name(result.measure), f"{result.models[best]} with {score_text(result.score[best])}"
    sentences = [
        f"The RDMs of {plural(len(result.models), 'model')} were compared with the measured ones of {_subjects(result)} over "
        f"{plural(result.n_conditions, 'condition')} ({plural(result.n_pairs, 'pair')}): the highest {metric} is that of {top}; "
        f"chance is {number(result.chance)}, equal RDMs reach {number(result.best)}.",
        _rdm_ceiling(result, best),
        f"{n} of {plural(len(result.models), 'model')} {'passes' if n == 1 else 'pass'} q < {SIGNIFICANT:g}, the false discovery "
        f"rate over models ({result.test}).",
        f"Intervals and differences between models are about {result.generalises_to.rstrip('.')}.",
    ]
    listed = ", ".join(f"{m} {score_text(s)}" for m, s in zip(result.models[:12], result.score[:12], strict=True))
    alt = f"{metric_label(result.measure)} of each model: {listed}; chance {number(result.chance)}."
    caption = (
        f"Bars: mean over subjects with the {100 * result.level:g} % interval; dots: subjects. In the grey band lies the true "
        f"model. Stars: q < {SIGNIFICANT:g}."
    )
    tables = [Table("Models", result.to_dataframe()), Table("Pairs of models", result.pairs_to_dataframe())]
    picture = Picture("models", figures.rdm_scores(result), alt, caption)
    title = "RSA" if name == "rsa" else name
    return Section(title, sentences, _rdm_verdict(result), _rdm_tiles(result, best), [picture], tables, list(result.notes))


def partition_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of variance divided among feature spaces.

    Parameters
    ----------
    name : str
        Name of the result.
    result : VariancePartition
        The result.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        Stacked bars of all targets and of each region; a table of the parts.
    """
    parts, joint = result.parts, np.asarray(result.joint, float)
    means = {part: _mean(values) for part, values in parts.items()}
    listed = ", ".join(f"{part} {score_text(value)}" for part, value in means.items())
    what = _DIVISIONS.get(result.method, result.method)
    sentences = [
        f"{len(result.spaces)} feature spaces ({', '.join(result.spaces)}) together predicted the held-out responses of "
        f"{targets_text(result.units, result.times)} with a mean R² of {score_text(_mean(joint))} (median "
        f"{score_text(middle(joint))}); no information gives {number(result.chance)} or a little below, a perfect prediction "
        f"{number(result.best)}.",
        f"This divides into {what}; mean R² over targets: {listed}.",
        as_sentence(result.split),
        "The parts add up to the R² of all spaces. None is tested against chance here, and none is divided by a ceiling.",
    ]
    if any(value < 0 for value in means.values()):
        sentences.insert(2, "A negative part is kept as it is: spaces that explain more together than the sum of each, or noise.")
    tiles = [
        Tile("Explained variance R²", score_text(_mean(joint)), f"all spaces, mean of {plural(joint.size, 'target')}"),
        Tile("Chance", number(result.chance), "or a little below, in held-out data"),
        *(Tile(part, score_text(value), "mean R²") for part, value in list(means.items())[:6]),
    ]
    groups = _groups(result)
    table = pd.DataFrame({"targets": [k for k, _ in groups], "n": [int(rows.sum()) for _, rows in groups]})
    columns = {part: np.array([_mean(np.asarray(v)[rows]) for _, rows in groups]) for part, v in {"all": joint, **parts}.items()}
    drawn = figures.variance_parts({p: columns[p] for p in parts}, [k for k, _ in groups], columns["all"])
    caption = "Bars: mean R² of each part, stacked from 0; negative parts to the left. Diamond: R² of all spaces together."
    picture = Picture("parts", drawn, f"Explained variance by part, mean over targets: {listed}; chance 0.", caption)
    tables = [Table("Mean R² by part", table.assign(**columns, chance=result.chance))]
    return Section(name, sentences, ("parts not tested against chance", "open"), tiles, [picture], tables, list(result.notes))


def leakage_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of a check whether the split leaks.

    Parameters
    ----------
    name : str
        Name of the result.
    result : LeakageResult
        The result.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        Passed or failed, with the scores of features that know nothing of the stimulus.
    """
    table, leaks = result.to_dataframe(), result.leaks
    outcome = "failed" if leaks else "passed"
    scores = ", ".join(f"{row.features} r = {score_text(row.r)}" for row in table.itertuples())
    sentences = [
        f"Leak check {outcome}: features that know nothing of the stimulus were used to predict the responses under the split of "
        f"the analysis ({scores}); chance is 0, and the split leaks above {number(result.threshold)}.",
        "So what a model scores under this split may be autocorrelation in time and not the stimulus: hold out whole runs, or "
        "blocks with a gap."
        if leaks
        else "So the scores of models under this split are not explained by samples that are near in time.",
        f"{percent(result.exposed)} of held-out samples have a training sample of their own run within 5 samples.",
        as_sentence(result.split),
    ]
    tiles = [
        Tile("Leak check", outcome, f"leaks above r = {number(result.threshold)}"),
        *(Tile(_LEAK_NAMES.get(row.features, row.features), score_text(row.r), "without any stimulus" if row.features != "yours"
          else "for comparison") for row in table.itertuples()),
        Tile("Chance", "0", "what a split without leaks gives"),
    ]  # fmt: skip
    alt = f"Leak check {outcome}: {scores}; chance 0, threshold {number(result.threshold)}."
    caption = "Dots: held-out folds, mean over targets. Features without any stimulus must stay below the dotted line."
    picture = Picture("leakage", figures.stimulus_free(result), alt, caption)
    tables = [Table("Features without any stimulus", table), Table("Reference: mean r on simulated responses", result.reference)]
    verdict = ("the split leaks", "none") if leaks else ("no leak found", "good")
    return Section(name, sentences, verdict, tiles, [picture], tables, list(result.notes))


def sign_flip_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of a test over subjects.

    Parameters
    ----------
    name : str
        Name of the result.
    result : SignFlipResult
        The result.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        How many targets pass, and the table of all.
    """
    n, n_targets = int(np.sum(np.asarray(result.p_max) < SIGNIFICANT)), int(np.size(result.p))
    kind = "all" if result.exact else "random"
    sentences = [
        f"Scores less chance of {plural(result.n_subjects, 'subject')} were tested by flipping their signs ({kind} "
        f"{plural(result.n_flips, 'flip')}): {n} of {plural(n_targets, 'target')} {'passes' if n == 1 else 'pass'} "
        f"p < {SIGNIFICANT:g}, corrected over targets by the maximum statistic. Chance is 0 here.",
        f"The median of the mean over subjects is {score_text(middle(result.mean))} above chance.",
    ]
    tiles = [
        Tile("Mean above chance", score_text(middle(result.mean)), f"median of {plural(n_targets, 'target')}"),
        Tile("Chance", "0", "already subtracted"),
        Tile("Significant targets", percent(n, n_targets), f"p < {SIGNIFICANT:g}, maximum statistic"),
    ]
    words = f"above chance in {percent(n, n_targets)} of targets over subjects" if n else "no target above chance over subjects"
    return Section(name, sentences, (words, "good" if n else "none"), tiles, [], [Table("Targets", result.to_dataframe())], [])


def _subjects(result: Any) -> str:
    return "one subject" if result.n_subjects == 1 else f"{result.n_subjects} subjects"


def _rdm_ceiling(result: Any, best: int) -> str:
    low, high = result.ceiling_low, result.ceiling_high
    if not np.isfinite([low, high]).all():
        return "There is no noise ceiling with one subject: how far from the true model the best one is, is not known."
    inside = "reaches" if result.score[best] >= low else "stays below"
    return (
        f"The true model would score between {score_text(low)} and {score_text(high)} with these subjects (noise ceiling); the "
        f"best model {inside} this band."
    )


def _rdm_verdict(result: Any) -> tuple[str, str]:
    n = int(np.sum(result.q < SIGNIFICANT))
    if not np.isfinite(result.q).any():
        return "not tested against chance", "open"
    return (f"{plural(n, 'model')} above chance, q < {SIGNIFICANT:g}", "good") if n else ("no model above chance", "none")


def _rdm_tiles(result: Any, best: int) -> list[Tile]:
    low, high = result.ci[best]
    ceiling = f"{score_text(result.ceiling_low)}–{score_text(result.ceiling_high)}"
    return [
        Tile(
            metric_label(result.measure), score_text(result.score[best]), f"best of {len(result.models)}: {result.models[best]}"
        ),
        Tile("Chance", number(result.chance), "without any information"),
        Tile(f"{100 * result.level:g} % interval", f"{score_text(low)}–{score_text(high)}", f"of {result.models[best]}"),
        Tile("Noise ceiling", ceiling if np.isfinite(result.ceiling_low) else "unknown", plural(result.n_subjects, "subject")),
        Tile("q value", number(result.q[best]), "corrected over models"),
    ]


def _mean(values: Any) -> float:
    finite = known(values)
    return float(finite.mean()) if finite.size else float("nan")


def _groups(result: Any) -> list[tuple[str, NDArray[np.bool_]]]:
    """All targets, and those of each region, as masks over targets."""
    every: list[tuple[str, NDArray[np.bool_]]] = [("all targets", np.ones(np.size(result.joint), bool))]
    column = region_column(result.units)
    if column is None:
        return every
    named = np.repeat(result.units[column].to_numpy(object), 1 if result.times is None else len(result.times))
    regions = [region for region in dict.fromkeys(named) if not pd.isna(region)]
    return every + [(str(region), np.asarray(named == region)) for region in regions[:MOST_REGIONS]]
