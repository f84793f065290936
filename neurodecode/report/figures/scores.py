"""Scores against chance: folds, permutations, regions of interest, confusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.report.figures.style import (
    BLUE,
    INK,
    MUTED,
    RED,
    SEQUENTIAL,
    draw_chance,
    legend_above,
    new_figure,
    styled,
)
from neurodecode.report.words import fold_noun, metric_label, score_text, short, without_shared_parts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def score_summary(result: Any) -> Figure:
    """Draw the scores of all folds beside the scores of permuted labels, on one axis.

    Parameters
    ----------
    result : DecodingResult
        Without `null_scores` the right panel is left out.

    Returns
    -------
    Figure
        Dots are folds, the line with the band is the mean with its confidence interval; chance and baseline are lines.
    """
    null = _null_scores(result)
    figure = new_figure(8.4 if null is not None else 6.4, 3.5)
    if null is None:
        _draw_folds(figure.subplots(), result)
        return figure
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.7, 1])
    _draw_folds(left, result)
    _draw_null(right, result, null)
    return figure


@styled
def fold_scores(result: Any) -> Figure:
    """Draw the score of each fold, their mean, chance and the baseline.

    Parameters
    ----------
    result : DecodingResult
        A cross-validated result.

    Returns
    -------
    Figure
        One dot per fold.
    """
    figure = new_figure(6.4, 3.3)
    _draw_folds(figure.subplots(), result)
    return figure


@styled
def permutation_null(result: Any) -> Figure | None:
    """Draw the scores of permuted labels with the score that was found.

    Parameters
    ----------
    result : DecodingResult
        A result with `null_scores`.

    Returns
    -------
    Figure or None
        None where no permutations were run.
    """
    null = _null_scores(result)
    if null is None:
        return None
    figure = new_figure(4.2, 3.3)
    ax = figure.subplots()
    _draw_null(ax, result, null)
    ax.set_ylabel(metric_label(result.metric))
    return figure


@styled
def roi_scores(result: Any, most: int = 30) -> Figure:
    """Draw the score of each region of interest as a bar from chance.

    Parameters
    ----------
    result : RoiResult
        Its table has ``roi, score, chance`` and perhaps ``p_corrected`` or ``p``.
    most : int
        Regions shown, the best first.

    Returns
    -------
    Figure
        Horizontal bars, p ≤ 0.05 in full colour.
    """
    table = result.table.sort_values("score", ascending=False, kind="stable").head(most).iloc[::-1]
    chance = float(table["chance"].iloc[0])
    column = "p_corrected" if "p_corrected" in table else "p"
    p_values = table[column].to_numpy(float) if column in table else np.full(len(table), np.nan)
    figure = new_figure(6.4, 1.3 + 0.26 * len(table))
    ax = figure.subplots()
    colours = [BLUE if p <= 0.05 else "#9fb7c9" for p in p_values]
    ax.barh(range(len(table)), table["score"] - chance, left=chance, color=colours, height=0.7)
    ax.set_yticks(range(len(table)), [short(name, 34) for name in table["roi"]])
    draw_chance(ax, chance, vertical=True)
    ax.set_xlabel(metric_label(result.metric))
    ax.set_ylabel("Region of interest")
    legend_above(ax)
    return figure


@styled
def confusion(result: Any) -> Figure | None:
    """Draw the confusion matrix: rows are true classes, colours are shares of the row, numbers are counts.

    Parameters
    ----------
    result : DecodingResult
        A classification.

    Returns
    -------
    Figure or None
        None where there is no confusion matrix (regression).
    """
    if result.confusion is None:
        return None
    counts = np.asarray(result.confusion)
    k = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(8.2, 2.9 + 0.42 * k)
    figure = new_figure(size + 0.6, size)
    ax = figure.subplots()
    image = ax.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="equal")
    names = [short(c, 16) for c in (result.classes or range(k))]
    ax.set_xticks(range(k), names, rotation=45 if k > 3 else 0, ha="right" if k > 3 else "center", rotation_mode="anchor")
    ax.set_yticks(range(k), names)
    ax.set_xlabel("Predicted class")
    ax.set_ylabel("True class")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    if k <= 20:
        _write_counts(ax, counts, shares)
    bar = figure.colorbar(image, ax=ax, shrink=0.8, label="Share of the true class")
    _mark_chance(bar, 1 / k)
    return figure


@styled
def true_against_predicted(result: Any) -> Figure:
    """Draw predictions against true values, each fold's held-out samples once.

    Parameters
    ----------
    result : DecodingResult
        A regression.

    Returns
    -------
    Figure
        Scatter with the identity, and the mean of the truth: what a decoder without information would predict.
    """
    true = result.predictions["true"].to_numpy(float)
    predicted = result.predictions["predicted"].to_numpy(float)
    figure = new_figure(4.6, 4.2)
    ax = figure.subplots()
    ax.scatter(true, predicted, s=12, color=BLUE, alpha=0.45, linewidths=0)
    ends = [float(np.nanmin(true)), float(np.nanmax(true))]
    ax.plot(ends, ends, color=RED, linewidth=1.2, label="perfect prediction")
    draw_chance(ax, float(np.nanmean(true)), label="no information (mean)")
    ax.set_xlabel(f"True {short(result.target)}")
    ax.set_ylabel(f"Predicted {short(result.target)}")
    legend_above(ax, 2)
    return figure


def _null_scores(result: Any) -> NDArray[np.float64] | None:
    null = None if result.null_scores is None else np.asarray(result.null_scores, float)
    return None if null is None or not np.isfinite(null).any() else null[np.isfinite(null)]


def _draw_folds(ax: Axes, result: Any) -> None:
    """Dots for folds, a line for the mean, a band for its confidence interval."""
    scores = np.asarray(result.fold_scores, float)
    low, high = result.confidence_interval
    if np.isfinite([low, high]).all():
        ax.axhspan(low, high, color=BLUE, alpha=0.13, linewidth=0, label=f"95 % interval {score_text(low)} to {score_text(high)}")
    ax.axhline(result.score, color=BLUE, label=f"mean {score_text(result.score)}")
    if np.isfinite(result.baseline) and not np.isclose(result.baseline, result.chance):
        label = f"baseline {score_text(result.baseline)}"
        ax.axhline(result.baseline, color=RED, linestyle=(0, (1, 1.5)), linewidth=1.4, label=label)
    draw_chance(ax, result.chance)
    ax.plot(range(len(scores)), scores, "o", color=BLUE, markersize=6, markeredgecolor="white", zorder=3)
    ax.set_xlabel("Subject" if fold_noun(result) == "subject" else "Held-out fold")
    _fold_axis(ax, [name.replace("=", " ") for name in without_shared_parts(result.fold_names, ", ")])
    ax.set_ylabel(metric_label(result.metric))
    ax.set_ylim(*_score_limits([*scores, result.chance, result.baseline, low, high], result))
    legend_above(ax, 2)


def _fold_axis(ax: Axes, names: list[str]) -> None:
    n = len(names)
    step = max(1, int(np.ceil(n / 12)))
    slanted = max(len(name) for name in names) > 48 / min(n, 12) if names else False
    labels = [short(name, 20) for name in names[::step]]
    ax.set_xticks(range(0, n, step), labels, rotation=35 if slanted else 0, ha="right" if slanted else "center")
    ax.set_xlim(-0.6, max(n, 1) - 0.4)


def _score_limits(values: list[float], result: Any) -> tuple[float, float]:
    """Limits that hold every number, never a truncated view of a tiny difference."""
    null = _null_scores(result)
    known = np.array([v for v in values if np.isfinite(v)] + ([] if null is None else [null.min(), null.max()]), float)
    low, high = min(known.min(), result.chance), max(known.max(), result.chance)
    pad = max(0.08 * (high - low), 0.02)
    return low - pad, high + pad


def _draw_null(ax: Axes, result: Any, null: NDArray[np.float64]) -> None:
    """Histogram of the null on its side, with the score found."""
    bins = int(np.clip(np.sqrt(len(null)) * 1.5, 5, 40))
    ax.hist(null, bins=bins, orientation="horizontal", color=MUTED, alpha=0.55, label=f"{len(null)} permutations")
    ax.axhline(result.score, color=BLUE, label="score found")
    draw_chance(ax, result.chance, label="chance")
    ax.set_xlabel("Number of permutations")
    ax.locator_params(axis="x", integer=True)
    legend_above(ax, 2)


def _write_counts(ax: Axes, counts: NDArray[Any], shares: NDArray[np.float64]) -> None:
    size = float(np.clip(90 / len(counts), 6, 10))
    for (i, j), n in np.ndenumerate(counts):
        ax.text(j, i, str(int(n)), ha="center", va="center", fontsize=size, color="white" if shares[i, j] > 0.55 else INK)


def _mark_chance(bar: Any, chance: float) -> None:
    """Chance as a line on a colour bar."""
    bar.ax.axhline(chance, color="white", linewidth=2.6)
    bar.ax.axhline(chance, color=INK, linewidth=1.2, label="chance")
    bar.ax.text(-0.15, chance, "chance", ha="right", va="center", fontsize=8, transform=bar.ax.get_yaxis_transform())
    bar.outline.set_visible(False)
