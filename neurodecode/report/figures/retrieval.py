"""Retrieval of stimuli: accuracy beside chance, ridge and ceiling, over averagings, subjects and time; and generated pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.report.figures.pictures import canvas, draw_column
from neurodecode.report.figures.style import BLUE, INK, MUTED, ORANGE, RED, draw_chance, legend_above, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORWARD = "brain_to_stimulus"
_NAMES = {"single": "single trials", "instance": "repeats averaged", "subject": "subjects first"}


@styled
def retrieval_accuracy(result: Any) -> Figure:
    """Draw the accuracy at each k with its interval, a panel for each averaging, beside ridge, chance and ceiling.

    Parameters
    ----------
    result : StimulusRetrieval
        With one report per averaging.

    Returns
    -------
    Figure
        Dots with intervals over stimuli; short lines are chance, and the ceiling where it is known.
    """
    figure = new_figure(1.2 + 2.0 * len(result.reports), 3.6)
    panels = figure.subplots(1, len(result.reports), sharey=True, squeeze=False)[0]
    for ax, (name, report) in zip(panels, result.reports.items(), strict=True):
        ks = list(report.chance)
        place = np.arange(len(ks))
        _dots(ax, place - 0.12, report, BLUE, result.decoder)
        if result.baseline is not None:
            _dots(ax, place + 0.12, result.baseline[name], RED, result.baseline_name)
        _levels(ax, place, report.chance, MUTED, "chance")
        if name == "single" and result.oracle is not None:
            _levels(ax, place, result.oracle, ORANGE, "ceiling (likelihood)")
        ax.set_xticks(place, [f"top-{k}" for k in ks])
        ax.set_title(_NAMES.get(name, name), loc="left")
        ax.set_ylim(0, 1.02)
    panels[0].set_ylabel(f"Found among {result.n_candidates}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    return figure


def _dots(ax: Axes, place: Any, report: Any, colour: str, label: str) -> None:
    """Accuracy with its interval."""
    values = np.array([report.top_k[_FORWARD][k] for k in report.chance])
    low, high = np.array([report.ci[_FORWARD][k] for k in report.chance]).T
    errors = np.maximum([values - low, high - values], 0)
    ax.errorbar(place, values, errors, fmt="o", color=colour, markersize=4, linewidth=1.2, label=label)


def _levels(ax: Axes, place: Any, levels: Any, colour: str, label: str) -> None:
    ax.hlines(
        [levels[k] for k in levels], place - 0.3, place + 0.3, color=colour, linestyle=(0, (3, 2)), linewidth=1.2, label=label
    )


@styled
def subject_retrieval(result: Any) -> Figure:
    """Draw the accuracy of single trials in each subject, at the least and the largest k.

    Parameters
    ----------
    result : StimulusRetrieval
        With accuracies by subject.

    Returns
    -------
    Figure
        A row per subject.
    """
    table, ks = result.by_subject, sorted(result.chance)
    figure = new_figure(6.0, 1.3 + 0.24 * len(table))
    ax = figure.subplots()
    for k, colour in zip(dict.fromkeys((ks[0], ks[-1])), (BLUE, ORANGE), strict=False):
        ax.plot(table[f"top{k}"], table["subject"].astype(str), "o", color=colour, label=f"top-{k}")
        ax.axvline(result.chance[k], color=colour, linestyle=(0, (3, 2)), linewidth=1)
    ax.set_xlim(-0.02, 1.02)
    ax.margins(y=0.15)
    ax.set_xlabel("Found (single trials); dashed: chance")
    legend_above(ax)
    return figure


@styled
def retrieval_course(result: Any) -> Figure:
    """Draw the accuracy in each window of time, with its interval, the ridge and chance.

    Parameters
    ----------
    result : RetrievalCourse
        Sliding or growing windows.

    Returns
    -------
    Figure
        Sliding windows at their middle, growing ones at their end.
    """
    table = result.to_dataframe()
    where = table["stop"] if result.mode == "growing" else (table["start"] + table["stop"]) / 2
    figure = new_figure(6.8, 3.0)
    ax = figure.subplots()
    ax.fill_between(where, table["ci_low"], table["ci_high"], color=BLUE, alpha=0.15, linewidth=0)
    ax.plot(where, table["accuracy"], color=BLUE, marker="o", markersize=3, label="decoder")
    if table["ridge"].notna().any():
        ax.plot(where, table["ridge"], color=RED, linewidth=1, label="ridge")
    draw_chance(ax, result.chance)
    ax.axvline(0.0, color=INK, linewidth=0.8)
    ax.set_xlabel("End of the window (s)" if result.mode == "growing" else "Middle of the window (s)")
    ax.set_ylabel(f"Top-{result.k} of {result.results[0].n_candidates}")
    legend_above(ax)
    return figure


@styled
def generated_pictures(result: Any, aggregation: str, most: int = 12) -> Figure:
    """Draw what was seen above what was generated from it: by each decoder, and by the prior alone.

    Parameters
    ----------
    result : GenerationTable
        With pictures.
    aggregation : str
        Which averaging.
    most : int
        Images that are shown, evenly spaced in the order of the stimuli: none is picked by its score.

    Returns
    -------
    Figure
        A column per image.
    """
    rows = {name: made for (name, kind), made in result.pictures.items() if kind == aggregation}
    shown = np.unique(np.linspace(0, len(result.images) - 1, min(most, len(result.images))).round().astype(int))
    groups = {f"{len(shown)} of {len(result.images)} images, evenly spaced": shown}
    figure, grid = canvas(groups, len(rows), result.images.shape[1] / result.images.shape[2], scored=False)
    for column, image in enumerate(shown):
        axes = [figure.add_subplot(grid[i, column]) for i in range(1 + len(rows))]
        draw_column(axes, {"Seen": result.images, **rows}, int(image), column == 0)
        if column == 0:
            axes[0].set_title(next(iter(groups)), loc="left")
    return figure
