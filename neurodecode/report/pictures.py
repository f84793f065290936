"""What the page says and shows about reconstructed images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.report import figures
from neurodecode.report.contents import RunContents
from neurodecode.report.parts import Picture, Section, Table, Tile
from neurodecode.report.words import as_sentence, metric_label, metric_name, number, p_equals, plural, score_text, verdict

_SSIM_SIDE = 11  # pixels: the window of SSIM


def reconstruction_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of a `ReconstructionResult`: stimuli beside reconstructions, scores, chance and baseline.

    Parameters
    ----------
    name : str
        Name of the result.
    result : ReconstructionResult
        What was found.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        For the page.
    """
    others = {other: value for other, value in same_images(name, contents).items() if other != name}
    beside = {_maker(result): result, **others} if others else {}
    scores = Table("Score of each image", result.to_dataframe().drop(columns="fold").rename(columns={"held_out": "held out"}))
    return Section(
        name,
        [*_sentences(result), *_beside_sentence(others)],
        verdict(result.score, result.chance, result.p_value),
        _tiles(result),
        _pictures(result, beside),
        [*([Table("Methods on the same images", methods_table(beside))] if beside else []), scores],
        list(result.notes),
    )


def same_images(name: str, contents: RunContents) -> dict[str, Any]:
    """Reconstructions of the very same images in one run: they share the section of the first.

    Parameters
    ----------
    name : str
        Name of a result.
    contents : RunContents
        The run.

    Returns
    -------
    dict of str to ReconstructionResult
        By name, in the order of the results; empty where the result is of another kind.
    """
    kinds = {key: value for key, value in contents.results.items() if type(value).__name__ == "ReconstructionResult"}
    return {key: value for key, value in kinds.items() if name in kinds and value.stimuli == kinds[name].stimuli}


def methods_table(beside: Mapping[str, Any]) -> pd.DataFrame:
    """Scores of several methods on the same images.

    Parameters
    ----------
    beside : mapping of str to ReconstructionResult
        By name.

    Returns
    -------
    DataFrame
        A row per method: pixel correlation, two-way identification and, of images that are large enough, SSIM; means over images.
    """
    from neurodecode.metrics.image import ssim

    rows = []
    for name, value in beside.items():
        row = {"method": name, "pixel correlation": value.score, "two-way identification": value.identification}
        if min(value.images.shape[1:3]) >= _SSIM_SIDE:
            row["SSIM"] = float(np.mean(ssim(value.images, value.reconstructions)))
        rows.append(row)
    return pd.DataFrame(rows)


def _maker(result: Any) -> str:
    """What made the reconstructions, in a word."""
    return str(result.settings.get("reconstructor", "reconstruction")).removesuffix("Reconstructor").lower()


def _beside_sentence(others: Mapping[str, Any]) -> list[str]:
    if not others:
        return []
    told = ", ".join(f"{name} {score_text(value.score)}" for name, value in others.items())
    return [f"The same images by other methods: {told}."]


def _sentences(result: Any) -> list[str]:
    metric, n = metric_name(result.metric), plural(len(result.stimuli), "held-out image")
    sentences = [
        f"{n} were reconstructed with a mean {metric} of {score_text(result.score)}; chance is {number(result.chance)}, the mean "
        f"of each reconstruction beside the other images of its fold, and a perfect one reaches {number(result.best)}.",
        f"The baseline (the {result.baseline_name} for every image) reaches {score_text(result.baseline)}.",
        _p_text(result),
        f"A reconstruction resembles its own image more than another image of its fold in {100 * result.identification:.1f} % of "
        f"pairs; guessing gives {100 * result.identification_chance:g} %.",
        as_sentence(result.split),
    ]
    if result.score < result.baseline:
        sentences.insert(2, "The reconstruction is below this baseline: showing the same image always does better here.")
    return sentences


def _p_text(result: Any) -> str:
    if result.p_value is None:
        return "No permutation test was run, so whether this could be luck was not tested."
    reached = int((result.null_scores >= result.score).sum())
    pairings = plural(len(result.null_scores), "pairing")
    paired = f"Images and reconstructions were paired at random: {reached} of {pairings} reached this score"
    return f"{paired}, {p_equals(result.p_value)}."


def _tiles(result: Any) -> list[Tile]:
    n = "no permutations were run" if result.p_value is None else f"{result.n_permutations} random pairings"
    return [
        Tile(metric_label(result.metric), score_text(result.score), f"mean of {plural(len(result.stimuli), 'image')}"),
        Tile("Chance", number(result.chance), "wrong pairs"),
        Tile("p value", "not tested" if result.p_value is None else number(result.p_value), n),
        Tile("Baseline", score_text(result.baseline), result.baseline_name),
        Tile("Two-way identification", score_text(result.identification), f"guessing gives {result.identification_chance:g}"),
    ]


def _pictures(result: Any, beside: Mapping[str, Any]) -> list[Picture]:
    score = f"{metric_label(result.metric)}: mean {score_text(result.score)}, chance {number(result.chance)}"
    rows = f", by {', '.join(beside)}" if beside else ""
    shown = Picture(
        "images",
        figures.reconstructions(result, beside),
        f"Images that were shown above their reconstructions from held-out responses: best, middle and worst. {score}.",
        "Top: what was shown. Below: what was reconstructed from responses that the reconstruction was not fitted on"
        f"{rows}. The number is the {metric_name(result.metric)} of the pair; chance is {number(result.chance)}.",
    )
    spread = Picture(
        "scores",
        figures.image_scores(result),
        f"{score}, baseline {score_text(result.baseline)}.",
        f"Scores of single images, and of showing the {result.baseline_name} instead. Dashed: chance.",
    )
    null = Picture("null", figures.permutation_null(result), f"{score}.", "Mean scores of random pairings of images.")
    return [shown, spread, null] if result.null_scores is not None else [shown, spread]
