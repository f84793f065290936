"""Figures of comparisons that are no map of scores: RDM models, divided variance, features without any stimulus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.report.figures.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PALETTE,
    RED,
    draw_chance,
    legend_above,
    new_figure,
    styled,
)
from neurodecode.report.targets import SIGNIFICANT
from neurodecode.report.words import metric_label, number, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_MODELS = 40
_HATCHES = ("", "///", "...", "xx", "\\\\\\", "++", "oo")  # parts differ in more than their colour


@styled
def rdm_scores(result: Any) -> Figure:
    """Draw how well each model RDM explains the measured ones, with the band in which the true model would lie.

    Parameters
    ----------
    result : RdmComparison
        Scores of models.

    Returns
    -------
    Figure
        One bar per model with its confidence interval, dots for subjects, a star where q < 0.05.
    """
    models = result.models[:MOST_MODELS]
    n = len(models)
    score, ci = np.asarray(result.score, float)[:n], np.asarray(result.ci, float)[:n]
    figure = new_figure(max(6.4, min(8.4, 2.4 + 0.5 * n)), 4.2)
    ax = figure.subplots()
    x = np.arange(n)
    ax.bar(x, score - result.chance, bottom=result.chance, color=BLUE, width=0.68, label="mean over subjects")
    _subjects(ax, np.asarray(result.subject_scores, float)[:, :n])
    finite = np.isfinite(ci).all(axis=1)
    ax.vlines(x[finite], ci[finite, 0], ci[finite, 1], color=INK, linewidth=1.8, label=f"{100 * result.level:g} % interval")
    if np.isfinite([result.ceiling_low, result.ceiling_high]).all():
        ax.axhspan(result.ceiling_low, result.ceiling_high, color=MUTED, alpha=0.28, linewidth=0, label="noise ceiling")
    draw_chance(ax, float(result.chance))
    _stars(ax, x, np.asarray(result.q, float)[:n])
    names = [short(name, 22) for name in models]
    slanted = max(map(len, names)) > 72 / n
    at: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    ax.set_xticks(x, names, **at)
    ax.set_xlim(-0.7, n - 0.3)
    ax.set_xlabel("Model")
    ax.set_ylabel(metric_label(result.measure))
    legend_above(ax, 3)
    return figure


@styled
def variance_parts(parts: Mapping[str, NDArray[np.float64]], names: list[str], joint: NDArray[np.float64]) -> Figure:
    """Draw how the explained variance divides, as stacked bars; negative parts reach to the left.

    Parameters
    ----------
    parts : mapping of str to array of shape (n_groups,)
        Mean R2 of each part in each group of targets.
    names : list of str
        Names of the groups.
    joint : array of shape (n_groups,)
        Mean R2 of all spaces, what the parts add up to.

    Returns
    -------
    Figure
        One bar per group of targets, all targets first.
    """
    rows = np.arange(len(names))[::-1]
    figure = new_figure(7.2, 1.5 + 0.4 * len(names) + 0.2 * (len(parts) // 3))
    ax = figure.subplots()
    ends = {1: np.zeros(len(names)), -1: np.zeros(len(names))}
    for i, (name, values) in enumerate(parts.items()):
        sign = np.where(values < 0, -1, 1)
        left = np.where(sign > 0, ends[1], ends[-1])
        style: dict[str, Any] = {"color": PALETTE[i % len(PALETTE)], "hatch": _HATCHES[(i + i // len(PALETTE)) % len(_HATCHES)]}
        ax.barh(rows, values, left=left, height=0.62, edgecolor="white", linewidth=0.6, label=short(name, 34), **style)
        for side in ends:
            ends[side] = ends[side] + np.where(sign == side, np.nan_to_num(values), 0.0)
    ax.plot(joint, rows, "D", color=INK, markersize=5, markeredgecolor="white", label="all spaces together")
    draw_chance(ax, 0.0, vertical=True, label="chance 0")
    ax.set_yticks(rows, [short(name, 30) for name in names])
    ax.set_xlabel("Mean explained variance R²")
    legend_above(ax, 3)
    return figure


@styled
def stimulus_free(result: Any) -> Figure:
    """Draw what features without any stimulus predict under a split.

    Parameters
    ----------
    result : LeakageResult
        Scores per fold and target.

    Returns
    -------
    Figure
        One dot per fold (mean over targets), a line for their mean; the split leaks above the threshold.
    """
    figure = new_figure(6.4, 3.4)
    ax = figure.subplots()
    styles = dict(zip(result.scores, ((BLUE, "o"), (GREEN, "s"), (ORANGE, "^")), strict=False))
    for x, (name, r) in enumerate(result.scores.items()):
        folds = np.asarray(r, float).mean(axis=1)
        colour, marker = styles[name]
        ax.plot(x + np.linspace(-0.14, 0.14, len(folds)), folds, marker, color=colour, markersize=6, markeredgecolor="white")
        ax.hlines(folds.mean(), x - 0.25, x + 0.25, color=INK, linewidth=2, label="" if x else "mean over folds")
    ax.axhline(result.threshold, color=RED, linestyle=(0, (1, 1.5)), label=f"leak above {number(result.threshold)}")
    draw_chance(ax, 0.0)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, -0.05), max(high, 0.1))  # differences far below the threshold look as small as they are
    names = {"OASM": "OASM\n(smoothed identity)", "AR noise": "Autoregressive\nnoise", "yours": "Features of\nthe model"}
    ax.set_xticks(range(len(result.scores)), [names.get(name, name) for name in result.scores])
    ax.set_xlim(-0.6, len(result.scores) - 0.4)
    ax.set_ylabel(metric_label("r"))
    ax.set_xlabel("Features")
    legend_above(ax, 3)
    return figure


def _subjects(ax: Axes, scores: NDArray[np.float64]) -> None:
    """Dots for subjects, spread sideways so that none covers another."""
    if len(scores) < 2:
        return
    spread = np.linspace(-0.2, 0.2, len(scores))
    for i, column in enumerate(scores.T):
        ax.plot(i + spread, column, "o", color="white", markersize=4, markeredgecolor=INK, markeredgewidth=0.8,
                label="" if i else "subjects")  # fmt: skip


def _stars(ax: Axes, x: NDArray[np.int64], q: NDArray[np.float64]) -> None:
    """A star at the upper edge over each model that passes the corrected test."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.1 * (high - low))
    passed = q < SIGNIFICANT
    level = np.full(int(passed.sum()), high + 0.05 * (high - low))
    ax.plot(x[passed], level, "*", color=INK, markersize=9, linestyle="none", label=f"q < {SIGNIFICANT:g}")
