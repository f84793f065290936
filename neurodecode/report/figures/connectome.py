"""Dynamic connectomes: when components are active, who is in them, and what speaks for their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.report.figures.style import BLUE, FAINT, INK, MUTED, PALETTE, RED, SEQUENTIAL, legend_above, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NAMES = 60  # labels that can be read beside a matrix
_EDGES = 60  # strongest pairs that are drawn


@styled
def component_courses(result: Any) -> Figure:
    """Draw the time factor of each component with the stimuli behind it, and its sample factor beside it.

    Parameters
    ----------
    result : ConnectomeResult
        With factors.

    Returns
    -------
    Figure
        A row per component; components that are not stable are grey.
    """
    figure = new_figure(8.4, 0.5 + 0.95 * result.rank)
    axes = figure.subplots(result.rank, 2, squeeze=False, sharex="col", width_ratios=[4, 1])
    kinds = list(dict.fromkeys(result.events["trial_type"].astype(str))) if len(result.events) else []
    for row, (left, right) in enumerate(axes):
        colour = PALETTE[row % len(PALETTE)] if result.components["stable"].iloc[row] else MUTED
        _stimuli(left, result.events, kinds)
        left.plot(result.times, result.time_factors[:, row], color=colour, linewidth=1.2)
        left.set_ylabel(f"{row + 1}", rotation=0, ha="right", va="center")
        left.set_yticks([])
        left.set_xlim(result.times[0], result.times[-1])
        right.bar(np.arange(len(result.samples)), result.sample_factors[:, row], color=colour)
        right.set_yticks([])
    axes[0, 0].set_title("Component: activity over time", loc="left")
    axes[0, 1].set_title("in samples", loc="left")
    axes[-1, 0].set_xlabel("Time (s)")
    axes[-1, 1].set_xlabel("Sample")
    if kinds:
        legend_above(axes[0, 0], columns=4)
    return figure


def _stimuli(ax: Axes, events: Any, kinds: list[str]) -> None:
    """Stimuli as bands."""
    for number, kind in enumerate(kinds):
        for i, event in enumerate(events[events["trial_type"].astype(str) == kind].itertuples()):
            end = event.onset + event.duration
            ax.axvspan(
                event.onset, end, color=PALETTE[-1 - number % len(PALETTE)], alpha=0.25, linewidth=0, label="" if i else kind
            )


@styled
def community_matrices(result: Any, most: int = 6) -> Figure:
    """Draw the graph of each component as a matrix, neurons in the order of their communities.

    Parameters
    ----------
    result : ConnectomeResult
        With graphs and communities.
    most : int
        Components that are drawn, largest first.

    Returns
    -------
    Figure
        Lines are borders of communities; pairs that were never observed are white.
    """
    n = min(result.rank, most)
    columns = min(n, 3)
    rows = -(-n // columns)
    figure = new_figure(2.8 * columns, 2.9 * rows)
    for component, ax in enumerate(np.ravel(figure.subplots(rows, columns, squeeze=False))):
        if component >= n:
            ax.set_axis_off()
            continue
        order = _order(result, component)
        graph = result.graphs[component][np.ix_(order, order)].copy()
        np.fill_diagonal(graph, np.nan)
        ax.imshow(graph, cmap=SEQUENTIAL, interpolation="nearest", vmin=0)
        borders = np.flatnonzero(np.diff(result.labels[component][order])) + 0.5
        for border in borders:
            ax.axhline(border, color=RED, linewidth=0.7)
            ax.axvline(border, color=RED, linewidth=0.7)
        ax.set_title(f"Component {component + 1}", loc="left")
        _name_rows(ax, [result.names[i] for i in order])
    return figure


def _order(result: Any, component: int) -> Any:
    """Neurons by community, within it by their strength."""
    strength = np.nansum(result.graphs[component], axis=1)
    return np.lexsort((-strength, result.labels[component]))


def _name_rows(ax: Axes, names: list[str]) -> None:
    ax.set_xticks([])
    if len(names) > _MOST_NAMES:
        ax.set_yticks([])
        ax.set_ylabel(f"{len(names)} names by community")
    else:
        ax.set_yticks(range(len(names)), names, fontsize=max(3.0, min(7.0, 180 / len(names))))


@styled
def component_graph(result: Any, component: int = 0) -> Figure:
    """Draw the strongest pairs of a component between neurons on a circle, coloured by community.

    Parameters
    ----------
    result : ConnectomeResult
        With graphs and communities.
    component : int
        Which component, from 0.

    Returns
    -------
    Figure
        Line width is the strength of a pair.
    """
    figure = new_figure(5.2, 5.2)
    ax = figure.subplots()
    order = _order(result, component)
    n = len(order)
    angle = 2 * np.pi * np.arange(n) / n
    places = np.empty((n, 2))
    places[order] = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    i, j = np.triu_indices(n, 1)
    weight = np.nan_to_num(result.graphs[component][i, j])
    strongest = np.argsort(-weight)[: min(_EDGES, len(weight))]
    for pair in strongest[weight[strongest] > 0]:
        a, b = i[pair], j[pair]
        same = result.labels[component][a] == result.labels[component][b]
        colour = PALETTE[result.labels[component][a] % len(PALETTE)] if same else FAINT
        ax.plot(*places[[a, b]].T, color=colour, linewidth=0.3 + 2.5 * weight[pair] / weight.max(), alpha=0.8, zorder=1)
    colours = [PALETTE[label % len(PALETTE)] for label in result.labels[component]]
    ax.scatter(places[:, 0], places[:, 1], color=colours, s=18, zorder=2)
    for name, (x, y) in zip(result.names, 1.06 * places, strict=True):
        ax.text(x, y, name, fontsize=max(3.5, min(7.0, 260 / n)), color=INK, ha="left" if x > 0 else "right", va="center")
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.margins(0.15)
    return figure


@styled
def rank_evidence(result: Any) -> Figure:
    """Draw held-out error and stability over numbers of components.

    Parameters
    ----------
    result : ConnectomeResult
        With a table of ranks.

    Returns
    -------
    Figure
        Two panels; the dashed line is the number that was chosen.
    """
    figure = new_figure(6.8, 2.8)
    left, right = figure.subplots(1, 2)
    table = result.ranks
    left.plot(table["rank"], table["test_error"], "o-", color=BLUE, label="held out")
    left.plot(table["rank"], table["train_error"], color=MUTED, linewidth=1, label="seen")
    left.set_ylabel("Squared error, share")
    right.plot(table["rank"], table["stability"], "o-", color=BLUE, label="starts with the best")
    right.plot(table["rank"], table["chance"], color=MUTED, linewidth=1, label="chance")
    right.set_ylabel("Factor match score")
    for ax in (left, right):
        ax.axvline(result.rank, color=INK, linestyle=(0, (3, 2)), linewidth=1)
        ax.set_xlabel("Components")
        legend_above(ax, columns=2)
    return figure
