"""Figures over time: decoding, generalisation, evoked responses, pattern courses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.report.figures.style import (
    BLUE,
    DIVERGING,
    INK,
    MUTED,
    PALETTE,
    draw_chance,
    legend_above,
    new_figure,
    styled,
)
from neurodecode.report.words import metric_label, scaled, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGNIFICANT = 0.05


@styled
def time_course(result: Any) -> Figure:
    """Draw decoding over time: mean over folds, its standard error, chance, and where it is significant.

    Parameters
    ----------
    result : TimeResolvedResult
        `p_values` are taken as corrected for the number of times.

    Returns
    -------
    Figure
        Time in ms, or in s beyond 10 s.
    """
    times, unit = axis_times(result.times)
    scores = np.asarray(result.scores, float)
    figure = new_figure(8.4, 3.3)
    ax = figure.subplots()
    if len(scores) > 1:
        error = scores.std(axis=0, ddof=1) / np.sqrt(len(scores))
        ax.fill_between(
            times, result.mean - error, result.mean + error, color=BLUE, alpha=0.18, linewidth=0, label="standard error"
        )
    ax.plot(times, result.mean, color=BLUE, label=f"mean of {len(scores)} folds")
    draw_chance(ax, result.chance)
    mark_zero(ax, times)
    if result.p_values is not None:
        _mark_significant(ax, times, np.asarray(result.p_values, float) <= SIGNIFICANT)
    ax.set_xlim(times[0], times[-1])
    ax.set_xlabel(f"Time from the event ({unit})")
    ax.set_ylabel(metric_label(result.metric))
    legend_above(ax, 4)
    return figure


@styled
def generalization(result: Any) -> Figure:
    """Draw training time against testing time; the colour is centred on chance.

    Parameters
    ----------
    result : GeneralizationResult
        Mean over folds of shape (n_train, n_test).

    Returns
    -------
    Figure
        The dashed diagonal is where both times are equal.
    """
    train, unit = axis_times(result.train_times)
    test, _ = axis_times(result.test_times, unit)
    mean = np.asarray(result.mean, float)
    reach = float(np.nanmax(np.abs(mean - result.chance))) or 0.01
    figure = new_figure(5.6, 4.6)
    ax = figure.subplots()
    limits = {"vmin": result.chance - reach, "vmax": result.chance + reach}
    image = ax.pcolormesh(test, train, mean, cmap=DIVERGING, shading="nearest", rasterized=True, **limits)
    ends = [max(train[0], test[0]), min(train[-1], test[-1])]
    ax.plot(ends, ends, color=INK, linestyle=(0, (4, 3)), linewidth=0.9)
    ax.set_xlabel(f"Testing time ({unit})")
    ax.set_ylabel(f"Training time ({unit})")
    ax.set_aspect("equal")
    bar = figure.colorbar(image, ax=ax, shrink=0.85, label=f"{metric_label(result.metric)} (white: chance)")
    bar.ax.axhline(result.chance, color=INK, linewidth=1.1, linestyle=(0, (3, 2)), label="chance")
    bar.outline.set_visible(False)
    return figure


@styled
def evoked(responses: Responses, most: int = 6, label: str = "trial_type") -> Figure:
    """Draw evoked responses: one panel per channel, one line per class.

    Parameters
    ----------
    responses : Responses
        Averages, one sample per class, with times.
    most : int
        Channels shown: those whose classes differ most.
    label : str
        Column of `samples` that names the classes.

    Returns
    -------
    Figure
        Amplitudes in microvolt or the like, times in ms.
    """
    times, unit = axis_times(responses.times)
    data = np.asarray(responses.data, float)
    names = [str(c) for c in responses.samples[label]] if label in responses.samples else [str(i) for i in range(len(data))]
    shown = _most_different(data, most)
    columns = min(len(shown), 3 if len(shown) > 4 else 2)
    rows = -(-len(shown) // columns)
    figure = new_figure(8.4, 1.0 + 1.9 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    factor, amplitude = scaled(responses.units)
    for ax, channel in zip(grid.flat, shown, strict=False):
        for i, name in enumerate(names[: len(PALETTE)]):
            ax.plot(times, data[i, channel] * factor, color=PALETTE[i], linewidth=1.4, label=short(name))
        ax.set_title(short(responses.units["name"].iloc[channel]))
        ax.axhline(0, color=MUTED, linewidth=0.7)
        mark_zero(ax, times)
    for ax in list(grid.flat)[len(shown) :]:
        ax.set_axis_off()
    figure.supxlabel(f"Time from the event ({unit})", fontsize=10)
    figure.supylabel(amplitude, fontsize=10)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=min(len(labels), 6))
    return figure


@styled
def pattern_course(
    pattern: NDArray[np.float64], names: list[str], times: NDArray[np.float64], label: str = "Pattern (a.u.)"
) -> Figure:
    """Draw the pattern of a decoder over time, one line per channel.

    Parameters
    ----------
    pattern : array of shape (n_channels, n_times)
        Haufe pattern of one class.
    names : list of str
        Channel names; more than seven are drawn in grey.
    times : array of shape (n_times,)
        Seconds from the event.
    label : str
        Axis label.

    Returns
    -------
    Figure
        Lines over time.
    """
    seconds, unit = axis_times(times)
    figure = new_figure(8.4, 2.9)
    ax = figure.subplots()
    few = len(names) <= len(PALETTE)
    for i, (row, name) in enumerate(zip(np.asarray(pattern, float), names, strict=True)):
        ax.plot(
            seconds, row, color=PALETTE[i] if few else MUTED, linewidth=1.4 if few else 0.6, label=short(name) if few else None
        )
    ax.axhline(0, color=MUTED, linewidth=0.7)
    mark_zero(ax, seconds)
    ax.set_xlim(seconds[0], seconds[-1])
    ax.set_xlabel(f"Time from the event ({unit})")
    ax.set_ylabel(label)
    if few:
        legend_above(ax, 7)
    return figure


def axis_times(times: Any, unit: str | None = None) -> tuple[NDArray[np.float64], str]:
    """Times for an axis: ms for short windows, s for long ones.

    Parameters
    ----------
    times : array_like of shape (n_times,)
        Times in s.
    unit : {"ms", "s"}, optional
        Unit, where it is given.

    Returns
    -------
    times : array of shape (n_times,)
        In that unit.
    unit : str
        Its name.
    """
    seconds = np.asarray(times, float)
    unit = unit or ("ms" if np.abs(seconds).max(initial=0) < 10 else "s")
    return (seconds * 1e3, unit) if unit == "ms" else (seconds, unit)


def mark_zero(ax: Axes, times: NDArray[np.float64]) -> None:
    """A line at the event, where the axis of times has it inside.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    times : array of shape (n_times,)
        Times in the unit of the axis.
    """
    if times[0] < 0 < times[-1]:
        ax.axvline(0, color=MUTED, linewidth=0.8)


def _mark_significant(ax: Axes, times: NDArray[np.float64], significant: NDArray[np.bool_]) -> None:
    """A bar along the lower edge of the axes where the test passes."""
    low, high = ax.get_ylim()
    level = low - 0.03 * (high - low)
    half = np.diff(times).mean() / 2 if len(times) > 1 else 0.5
    pieces = [(t - half, 2 * half) for t in times[significant]]
    ax.broken_barh(pieces, (level, 0.025 * (high - low)), color=BLUE, linewidth=0, label="p ≤ 0.05, corrected")
    ax.set_ylim(level - 0.01 * (high - low), high)


def _most_different(data: NDArray[np.float64], most: int) -> list[int]:
    """Channels in their order whose classes differ most in variance over time."""
    spread = np.nan_to_num(data.std(axis=0).mean(axis=-1), nan=-1.0)
    best = np.argsort(-spread, kind="stable")[:most]
    return sorted(int(i) for i in best)
