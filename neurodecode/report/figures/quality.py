"""Figures of data quality: head motion, channel variance, spectra, counts of events, values per contact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.report.figures.style import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    PALETTE,
    RED,
    legend_above,
    new_figure,
    styled,
)
from neurodecode.report.words import number, short, without_shared_parts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HIGH_MOTION = 0.5  # mm; volumes above it are commonly censored


@styled
def motion(table: pd.DataFrame) -> Figure:
    """Draw framewise displacement per run: bars are means, dots the largest step.

    Parameters
    ----------
    table : DataFrame
        ``mean_fd`` and ``max_fd`` in mm, one row per run.

    Returns
    -------
    Figure
        The dashed line is 0.5 mm.
    """
    names = row_names(table, ["mean_fd", "max_fd"])
    figure = new_figure(8.4, 2.9)
    ax = figure.subplots()
    ax.bar(range(len(table)), table["mean_fd"], width=0.6, color=BLUE, label="mean")
    ax.plot(range(len(table)), table["max_fd"], "o", color=RED, markersize=5, label="largest")
    ax.axhline(HIGH_MOTION, color=INK, linestyle=(0, (4, 3)), linewidth=1, label=f"{HIGH_MOTION} mm")
    _name_axis(ax, names, "Run")
    ax.set_ylabel("Framewise displacement (mm)")
    ax.set_ylim(bottom=0)
    legend_above(ax)
    return figure


@styled
def tsnr(table: pd.DataFrame) -> Figure:
    """Draw the temporal signal-to-noise ratio of each run.

    Parameters
    ----------
    table : DataFrame
        ``tsnr_median, tsnr_5, tsnr_95``, one row per run.

    Returns
    -------
    Figure
        Dots are medians over voxels, lines reach from the 5th to the 95th percentile.
    """
    median = table["tsnr_median"].to_numpy(float)
    reach = np.abs(table[["tsnr_5", "tsnr_95"]].to_numpy(float).T - median)
    figure = new_figure(8.4, 2.7)
    ax = figure.subplots()
    ax.errorbar(
        range(len(table)),
        median,
        yerr=np.nan_to_num(reach),
        fmt="o",
        color=BLUE,
        markersize=5,
        elinewidth=1.2,
        label="median, 5 to 95 %",
    )
    _name_axis(ax, row_names(table, ["tsnr_median", "tsnr_5", "tsnr_95"]), "Run")
    ax.set_ylabel("Temporal signal-to-noise ratio")
    ax.set_ylim(bottom=0)
    legend_above(ax)
    return figure


@styled
def channel_values(
    names: list[str], values: NDArray[np.float64], label: str, bad: NDArray[np.bool_] | None = None, log: bool = False
) -> Figure:
    """Draw one value per channel in the order of the recording.

    Parameters
    ----------
    names : list of str
        Channel names; a name that returns (in another recording) keeps its place.
    values : array of shape (n_channels,)
        A variance, a standard deviation, a ratio.
    label : str
        Axis label with the unit.
    bad : array of bool of shape (n_channels,), optional
        Channels marked as bad, drawn in red.
    log : bool
        Logarithmic axis.

    Returns
    -------
    Figure
        Dots, with the median as a line.
    """
    values = np.asarray(values, float)
    marked = np.zeros(len(values), bool) if bad is None else np.asarray(bad, bool)
    figure = new_figure(8.4, 2.9)
    ax = figure.subplots()
    index, unique = pd.factorize(np.asarray(names, dtype=object))
    ax.plot(index[~marked], values[~marked], "o", color=BLUE, markersize=4, label="channel")
    if marked.any():
        ax.plot(index[marked], values[marked], "X", color=RED, markersize=6, label="marked bad")
    ax.axhline(float(np.nanmedian(values)) if np.isfinite(values).any() else 0, color=MUTED, linewidth=1, label="median")
    _name_axis(ax, [str(name) for name in unique], "Channel")
    ax.set_ylabel(label)
    if log and (values[np.isfinite(values)] > 0).all() and np.isfinite(values).any():
        _log_axis(ax)
    legend_above(ax)
    return figure


@styled
def spectra(freqs: NDArray[np.float64], power: NDArray[np.float64], names: list[str], line_freq: float | None = None) -> Figure:
    """Draw the power spectral density of each channel.

    Parameters
    ----------
    freqs : array of shape (n_freqs,)
        Frequencies in Hz.
    power : array of shape (n_channels, n_freqs)
        Power spectral density; zeros and NaN are left out.
    names : list of str
        Channel names; named in the legend when there are few.
    line_freq : float, optional
        Mains frequency in Hz, marked with its harmonics.

    Returns
    -------
    Figure
        Decibels relative to the unit of `power`; the thick line is the median over channels.
    """
    keep = np.asarray(freqs) > 0
    decibels = 10 * np.log10(np.where(power > 0, power, np.nan))[:, keep]
    shown = np.asarray(freqs, float)[keep]
    figure = new_figure(8.4, 3.2)
    ax = figure.subplots()
    few = len(names) <= len(PALETTE)
    for i, row in enumerate(decibels):
        ax.plot(
            shown,
            row,
            color=PALETTE[i] if few else MUTED,
            linewidth=1.2 if few else 0.5,
            alpha=1 if few else 0.45,
            label=short(names[i]) if few else None,
        )
    if not few:
        ax.plot(shown, np.nanmedian(decibels, axis=0), color=BLUE, linewidth=2, label=f"median of {len(names)} channels")
    if line_freq and shown.size:
        for k, harmonic in enumerate(np.arange(line_freq, shown[-1], line_freq)):
            ax.axvline(
                harmonic,
                color=RED,
                linewidth=0.9,
                linestyle=(0, (1, 2)),
                zorder=0.5,
                label=None if k else f"mains {line_freq:g} Hz",
            )
    ax.set_xlim(shown[0], shown[-1])
    ax.set_xlabel("Frequency (Hz)")
    ax.set_ylabel("Power density (dB)")
    legend_above(ax, 6)
    return figure


@styled
def event_counts(table: pd.DataFrame) -> Figure:
    """Draw how often each kind of event occurs in each run.

    Parameters
    ----------
    table : DataFrame
        Columns ``trial_type`` and ``n``; the others name the run.

    Returns
    -------
    Figure
        Stacked bars, one per run.
    """
    names = row_names(table, ["trial_type", "n"])
    counts = pd.crosstab(names, table["trial_type"].astype(str), values=table["n"], aggfunc="sum").fillna(0)
    counts = counts.loc[list(dict.fromkeys(names))]
    figure = new_figure(8.4, 3.0)
    ax = figure.subplots()
    bottom = np.zeros(len(counts))
    for i, kind in enumerate(counts.columns):
        values = counts[kind].to_numpy(float)
        colour = PALETTE[i % len(PALETTE)]
        hatch = None if i < len(PALETTE) else "///"
        ax.bar(
            range(len(counts)),
            values,
            bottom=bottom,
            width=0.65,
            color=colour,
            edgecolor="white",
            hatch=hatch,
            label=short(kind, 18),
        )
        bottom += values
    _name_axis(ax, [str(name) for name in counts.index], "Run")
    ax.set_ylabel("Number of events")
    ax.locator_params(axis="y", integer=True)
    legend_above(ax, 6)
    return figure


@styled
def contact_bars(
    names: list[str],
    values: NDArray[np.float64],
    label: str,
    reference: float = 1.0,
    reference_name: str = "no change",
    what: str = "Contact",
    most: int = 40,
) -> Figure:
    """Draw one value per contact as sorted bars from a reference.

    Parameters
    ----------
    names : list of str
        Contact names.
    values : array of shape (n_contacts,)
        Ratios above 0; NaN is left out.
    label : str
        Axis label.
    reference : float
        Value that means nothing special; the five largest above it are written on the bars.
    reference_name : str
        What it is called in the legend.
    what : str
        What the bars stand for, on the axis.
    most : int
        Contacts shown, the largest first.

    Returns
    -------
    Figure
        Bars on a logarithmic axis, so that a doubling and a halving look alike.
    """
    values = np.asarray(values, float)
    order = [i for i in np.argsort(-values, kind="stable") if values[i] > 0][:most]
    figure = new_figure(8.4, 3.4)
    ax = figure.subplots()
    colours = [RED if values[i] > reference else "#9fb7c9" for i in order]
    ax.bar(range(len(order)), values[order] - reference, bottom=reference, color=colours, width=0.75)
    ax.axhline(reference, color=INK, linewidth=1.1, linestyle=(0, (4, 3)), label=f"{reference_name} ({number(reference)})")
    _log_axis(ax)
    ax.set_xticks(range(len(order)), [short(names[i], 10) for i in order], rotation=90 if len(order) > 10 else 0, fontsize=8)
    ax.set_xlim(-0.7, max(len(order), 1) - 0.3)
    largest = [(x, i) for x, i in enumerate(order[:5]) if values[i] > reference]
    if len(order) * max((len(_plain_short(values[i])) for _, i in largest), default=0) <= 150:  # else they would overlap
        for x, i in largest:
            place: dict[str, Any] = {"xytext": (0, 2), "textcoords": "offset points", "ha": "center", "fontsize": 7.5}
            ax.annotate(_plain_short(values[i]), (x, values[i]), **place)
    cut = len(order) < int(np.isfinite(values).sum())
    ax.set_xlabel(f"{what} (the {len(order)} largest of {len(values)})" if cut else what)
    ax.set_ylabel(label)
    legend_above(ax)
    return figure


def row_names(table: pd.DataFrame, values: list[str]) -> list[str]:
    """What names each row: subject, session, task and run as far as they vary, or the recording, or a number."""
    columns = [c for c in ("subject", "session", "task", "run") if c in table and c not in values]
    varying = [c for c in columns if len(set(table[c])) > 1] or columns[-1:]
    if varying:
        parts = [(f"{c} " if len(varying) > 1 else "") + table[c].astype(str) for c in varying]
        return [" ".join(row) for row in zip(*parts, strict=True)]
    named = next((c for c in ("recording", "file", "name") if c in table and c not in values), None)
    if named is None:
        return [str(i + 1) for i in range(len(table))]
    return without_shared_parts([str(name) for name in table[named]], "_")


def _name_axis(ax: Axes, names: list[str], label: str) -> None:
    """Names below the axis, thinned where there are many."""
    step = max(1, int(np.ceil(len(names) / 32)))
    crowded = sum(min(len(n), 14) for n in names[::step]) > 60
    shown = [short(n, 14) for n in names[::step]]
    ax.set_xticks(range(0, len(names), step), shown, rotation=90 if crowded else 0, fontsize=8 if crowded else 9)
    ax.set_xlim(-0.7, max(len(names), 1) - 0.3)
    ax.set_xlabel(label)
    ax.grid(axis="y", color=FAINT, linewidth=0.8)
    ax.set_axisbelow(True)


def _log_axis(ax: Axes) -> None:
    """A logarithmic axis with plain numbers."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(FuncFormatter(_plain))
    low, high = ax.get_ylim()
    wide = high / low > 12
    ax.yaxis.set_minor_formatter(NullFormatter() if wide else FuncFormatter(_plain))


def _plain_short(value: float) -> str:
    return f"{value:.2g}" if value < 100 else f"{value:.0f}"


def _plain(value: float, position: Any) -> str:
    return f"{value:g}"
