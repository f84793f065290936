"""Figures of encoding models: scores of targets against their ceilings, by region, by layer and over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
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
from neurodecode.report.figures.times import axis_times, mark_zero
from neurodecode.report.targets import SIGNIFICANT, known, middle, ratio_name, reach
from neurodecode.report.words import metric_label, metric_name, score_text, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_DOTS = 600  # targets drawn one by one; more are counted in hexagons
MOST_REGIONS = 30
_PALE = "#a9c4d8"


@styled
def target_scores(result: Any) -> Figure:
    """Draw the scores of all targets: how often each occurs, and each against what the noise allows.

    Parameters
    ----------
    result : ComparisonResult
        Without a ceiling the right panel is left out.

    Returns
    -------
    Figure
        Histogram with chance, median and baseline; score against ceiling with the line on which a perfect model lies.
    """
    ceiling = reach(result)
    if ceiling is None or not np.isfinite(ceiling).any():
        figure = new_figure(6.4, 3.4)
        _histogram(figure.subplots(), result)
        return figure
    figure = new_figure(8.4, 3.7)
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    _histogram(left, result)
    _against_ceiling(right, figure, result, ceiling)
    return figure


@styled
def region_scores(table: pd.DataFrame, metric: str) -> Figure:
    """Draw the median score of each region with its interval, beside baseline, ceiling and chance.

    Parameters
    ----------
    table : DataFrame
        ``roi, median, ci_low, ci_high, chance, baseline, ceiling`` of `roi_summary`, the ceiling as rho.
    metric : str
        ``r`` or ``R2``: of r the ceiling is the root of rho.

    Returns
    -------
    Figure
        One bar per region, in the order of the table.
    """
    table = table.head(MOST_REGIONS).iloc[::-1]
    rows, chance = np.arange(len(table)), float(table["chance"].iloc[0])
    figure = new_figure(6.8, 1.35 + 0.34 * len(table))
    ax = figure.subplots()
    median = table["median"].to_numpy(float)
    ax.barh(rows, median - chance, left=chance, color=BLUE, height=0.62, label="median score")
    _intervals(ax, table, rows)
    ceiling = np.clip(table["ceiling"].to_numpy(float), 0, None)
    ceiling = np.sqrt(ceiling) if metric == "r" else ceiling
    ax.plot(ceiling, rows, "|", color=INK, markersize=17, markeredgewidth=2.2, label="noise ceiling")
    ax.plot(table["baseline"], rows, "D", color=RED, markersize=6, markeredgecolor="white", label="baseline")
    draw_chance(ax, chance, vertical=True)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, chance - 0.02 * (high - low)), high)  # chance is a line of its own, not the frame
    ax.set_yticks(rows, [short(name, 34) for name in table["roi"]])
    ax.set_xlabel(metric_label(metric))
    ax.set_ylabel("Region")
    legend_above(ax, 5)
    return figure


@styled
def layer_curve(result: Any) -> Figure:
    """Draw the scores of all layers, and how often each was chosen.

    Parameters
    ----------
    result : LayerResult
        Scores per layer.

    Returns
    -------
    Figure
        Above the median over targets with its quartiles, below the share of folds and targets that chose the layer.
    """
    scores = np.asarray(result.scores, float).reshape(len(result.layers), -1)
    low, median, high = (np.array([_quantile(row, q) for row in scores]) for q in (0.25, 0.5, 0.75))
    share = [float(np.mean(np.asarray(result.chosen) == i)) for i in range(len(scores))]
    figure = new_figure(max(6.4, min(8.4, 2.5 + 0.4 * len(scores))), 4.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, 1])
    x = np.arange(len(scores))
    above.fill_between(x, low, high, color=BLUE, alpha=0.16, linewidth=0, label="quartiles over targets")
    above.plot(x, median, "o-", color=BLUE, markersize=4, label="median over targets")
    best = middle(result.best.score)
    above.axhline(best, color=RED, linestyle=(0, (1, 1.5)), label=f"layers chosen inside, {score_text(best)}")
    draw_chance(above, float(result.best.chance))
    above.set_ylabel(metric_label("r"))
    legend_above(above, 2)
    below.bar(x, share, color=MUTED, width=0.7)
    below.set_ylabel("Share chosen")
    below.set_xlabel("Layer")
    _layer_ticks(below, result.layers)
    return figure


@styled
def layer_regions(table: pd.DataFrame, metric: str = "r") -> Figure:
    """Draw the score of each layer in each region; a ring marks the layer that was chosen most often.

    Parameters
    ----------
    table : DataFrame
        ``roi, layer, median, chosen, chance`` of `LayerResult.roi_table`.
    metric : str
        What the median is.

    Returns
    -------
    Figure
        Regions below each other, layers side by side; the colour starts at chance.
    """
    layers = list(dict.fromkeys(table["layer"]))
    regions = list(dict.fromkeys(table["roi"]))[:MOST_REGIONS]
    wide = [table.pivot_table(name, "roi", "layer", dropna=False, sort=False) for name in ("median", "chosen")]
    median, chosen = (values.reindex(index=regions, columns=layers).to_numpy(float) for values in wide)
    chance = float(table["chance"].iloc[0])
    figure = new_figure(max(5.6, min(8.4, 3.2 + 0.46 * len(layers))), 2.0 + 0.34 * len(regions))
    ax = figure.subplots()
    top = max(float(np.nanmax(median, initial=chance)), chance + 0.01)
    image = ax.imshow(np.ma.masked_invalid(median), cmap=SEQUENTIAL, vmin=chance, vmax=top, aspect="auto")
    for row, values in enumerate(chosen):
        ax.plot(int(np.argmax(np.nan_to_num(values))), row, "o", markersize=8, markerfacecolor="white", markeredgecolor=INK)
    ax.plot([], [], "o", markersize=8, markerfacecolor="white", markeredgecolor=INK, label="chosen most often, on inner folds")
    ax.set_yticks(range(len(regions)), [short(name, 24) for name in regions])
    _layer_ticks(ax, layers)
    ax.set_xlabel("Layer")
    ax.set_ylabel("Region")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    legend_above(ax)
    bar = figure.colorbar(image, ax=ax, label=f"Median {metric_name(metric)}\n(white: chance)", aspect=12)
    bar.outline.set_visible(False)
    return figure


@styled
def score_course(result: Any) -> Figure:
    """Draw scores over time: median and quartiles over units, baseline, ceiling, and the share of significant units.

    Parameters
    ----------
    result : ComparisonResult
        With times.

    Returns
    -------
    Figure
        Time in ms, or in s beyond 10 s.
    """
    times, unit = axis_times(result.times)
    tested = result.q is not None
    figure = new_figure(8.4, 4.3 if tested else 3.4)
    panels = figure.subplots(2 if tested else 1, 1, sharex=True, squeeze=False, height_ratios=[2.6, 1] if tested else [1])[:, 0]
    ax = panels[0]
    low, median, high = (_over_units(result.score, q) for q in (0.25, 0.5, 0.75))
    ax.fill_between(times, low, high, color=BLUE, alpha=0.16, linewidth=0, label="quartiles over units")
    ax.plot(times, median, color=BLUE, label="median over units")
    ax.plot(times, _over_units(result.baseline, 0.5), color=RED, linestyle=(0, (1, 1.5)), label="baseline")
    ceiling = reach(result)
    if ceiling is not None:
        ax.plot(times, _over_units(ceiling, 0.5), color=INK, linewidth=1.0, linestyle=(0, (6, 2, 1, 2)), label="noise ceiling")
    draw_chance(ax, float(result.chance))
    ax.set_ylabel(metric_label(result.metric))
    legend_above(ax, 5)
    if tested:
        share = np.mean(np.asarray(result.q, float) < SIGNIFICANT, axis=0)
        panels[1].fill_between(times, 0, share, color=BLUE, linewidth=0, step="mid")
        panels[1].set_ylim(0, max(float(share.max()) * 1.1, 0.05))
        panels[1].set_ylabel(f"Share with\nq < {SIGNIFICANT:g}")
    for panel in panels:
        mark_zero(panel, times)
    panels[-1].set_xlim(times[0], times[-1])
    panels[-1].set_xlabel(f"Time ({unit})")
    return figure


def _histogram(ax: Axes, result: Any) -> None:
    """Scores of targets; those that pass the corrected test stand out and are counted in the legend."""
    score = np.asarray(result.score, float).ravel()
    finite = np.isfinite(score)
    bins: Any = _bins(score[finite])
    if result.q is None:
        ax.hist(score[finite], bins=bins, color=BLUE, label=f"{finite.sum()} targets")
    else:
        passed = finite & (np.asarray(result.q, float).ravel() < SIGNIFICANT)
        parts = [score[passed], score[finite & ~passed]]
        labels = [f"q < {SIGNIFICANT:g}: {len(parts[0])}", f"others: {len(parts[1])}"]
        ax.hist(parts, bins=bins, stacked=True, color=[BLUE, _PALE], label=labels)
    median, baseline = middle(score), middle(result.baseline)
    draw_chance(ax, float(result.chance), vertical=True)
    if np.isfinite(baseline):
        ax.axvline(baseline, color=RED, linestyle=(0, (1, 1.5)), label=f"baseline {score_text(baseline)}")
    if np.isfinite(median):
        ax.axvline(median, color=INK, linewidth=1.3, label=f"median {score_text(median)}")
    ax.set_xlabel(metric_label(result.metric))
    ax.set_ylabel("Number of targets")
    ax.locator_params(axis="y", integer=True)
    legend_above(ax, 2 if result.ceiling is not None else 4)


def _bins(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of some sqrt(n) bins; all values alike get one bin around them."""
    if not values.size:
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    pad = 0.0 if high - low > 1e-9 else 0.01
    return np.linspace(low - pad, high + pad, int(np.clip(np.sqrt(values.size) * 1.5, 5, 40)) + 1)


def _against_ceiling(ax: Axes, figure: Figure, result: Any, ceiling: NDArray[np.float64]) -> None:
    """Scores against the largest that noise allows: dots, or hexagons of counts where there are many."""
    x, y = ceiling.ravel(), np.asarray(result.score, float).ravel()
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if len(x) > MOST_DOTS:
        hexagons = ax.hexbin(x, y, gridsize=36, bins="log", mincnt=1, cmap="viridis_r", linewidths=0.1)
        bar: Any = figure.colorbar(hexagons, ax=ax, label="Targets", aspect=24, format="%g")
        bar.ax.yaxis.set_minor_formatter("")
        bar.outline.set_visible(False)
    else:
        ax.plot(x, y, "o", color=BLUE, markersize=3.5, alpha=0.55, markeredgewidth=0)
    end = float(max(x.max(initial=0.0), y.max(initial=0.0), 0.05)) * 1.03
    ax.plot([0, end], [0, end], color=RED, linewidth=1.2, label="perfect model")
    draw_chance(ax, float(result.chance))
    floor = np.sqrt(result.ceiling_floor) if result.metric == "r" else result.ceiling_floor
    ax.axvspan(0, floor, color=MUTED, alpha=0.14, linewidth=0)
    ax.set_xlim(0, end)
    ax.set_xlabel(f"Noise ceiling ({'√ρ' if result.metric == 'r' else 'ρ'})")
    ax.set_ylabel(metric_label(result.metric))
    ax.set_title(f"median {ratio_name(result)} {score_text(middle(result.normalised))}", pad=24, fontsize=9.5)
    legend_above(ax, 2)


def _intervals(ax: Axes, table: pd.DataFrame, rows: NDArray[np.int64]) -> None:
    low, high = table["ci_low"].to_numpy(float), table["ci_high"].to_numpy(float)
    finite = np.isfinite(low) & np.isfinite(high)
    if finite.any():
        ax.hlines(rows[finite], low[finite], high[finite], color=INK, linewidth=1.6, label="95 % over units")


def _layer_ticks(ax: Axes, layers: list[str]) -> None:
    step = max(1, int(np.ceil(len(layers) / 16)))
    names = [short(name, 18) for name in layers[::step]]
    slanted = max(len(name) for name in names) > 4
    at: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    ax.set_xticks(range(0, len(layers), step), names, **at)


def _quantile(values: NDArray[np.float64], q: float) -> float:
    finite = known(values)
    return float(np.quantile(finite, q)) if finite.size else float("nan")


def _over_units(values: Any, q: float) -> NDArray[np.float64]:
    """Quantile over units at each time, NaN where no unit has a value."""
    return np.array([_quantile(column, q) for column in np.asarray(values, float).T])
