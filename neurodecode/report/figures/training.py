"""Loss curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurodecode.report.figures.style import BLUE, MUTED, PALETTE, RED, draw_chance, legend_above, new_figure, styled
from neurodecode.report.words import metric_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def loss_curves(result: Any) -> Figure:
    """Draw the loss of each seed over steps: training thin, validation thick, and a dot where the weights were kept.

    Parameters
    ----------
    result : TrainedRetrieval
        With curves.

    Returns
    -------
    Figure
        One pair of lines per seed.
    """
    figure = new_figure(6.8, 3.3)
    ax = figure.subplots()
    for i, (seed, curve) in enumerate(result.curves.items()):
        colour = PALETTE[i % len(PALETTE)]
        ax.plot(curve["step"], curve["loss"], color=colour, linewidth=0.8, alpha=0.5)
        if "validation_loss" not in curve:
            continue
        seen = curve.dropna(subset=["validation_loss"])
        ax.plot(seen["step"], seen["validation_loss"], color=colour, linewidth=1.8, label=f"seed {seed}")
        kept = seen[seen["step"] == result.best_steps[seed]]
        ax.plot(kept["step"], kept["validation_loss"], "o", color=colour)
    ax.set_xlabel("Step")
    ax.set_ylabel("Loss")
    if ax.get_legend_handles_labels()[0]:
        legend_above(ax, columns=5)
    return figure


@styled
def seed_scores(result: Any) -> Figure:
    """Draw the score of each seed with chance and baseline.

    Parameters
    ----------
    result : TrainedRetrieval
        With scores.

    Returns
    -------
    Figure
        A dot per seed.
    """
    figure = new_figure(6.4, 2.2)
    ax = figure.subplots()
    values = list(result.scores.values())
    ax.plot(values, [f"seed {seed}" for seed in result.scores], "o", color=BLUE)
    ax.axvline(result.score, color=BLUE, linewidth=1, label="mean")
    ax.axvline(result.baseline, color=RED, linestyle=(0, (1, 1.5)), linewidth=1.4, label=result.baseline_name)
    draw_chance(ax, result.chance, vertical=True)
    ax.margins(y=0.3)
    ax.tick_params(axis="y", colors=MUTED)
    ax.set_xlabel(metric_label(result.metric))
    legend_above(ax)
    return figure
