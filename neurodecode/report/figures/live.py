"""Latency of a decoded stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neurodecode.report.figures.style import BLUE, INK, MUTED, PALETTE, RED, legend_above, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BINS = 40


@styled
def latency(result: Any) -> Figure:
    """Draw how long each window took to compute, and of which parts the whole latency is made.

    Parameters
    ----------
    result : LatencyReport
        Of `neurodecode.decode.StreamDecoder`.

    Returns
    -------
    Figure
        Left a histogram of computing times with median, 99th percentile and the hop; right the parts of the latency,
        typical and worst, in ms.
    """
    figure = new_figure(9.6, 3.5)
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
    _draw_histogram(left, result)
    _draw_parts(right, result)
    return figure


def _draw_histogram(ax: Axes, result: Any) -> None:
    compute = 1e3 * np.asarray(result.compute, float)
    if compute.size:
        ax.hist(compute, bins=_bins(compute), color=BLUE, alpha=0.75)
        p = result.percentiles()
        ax.axvline(1e3 * p["p50"], color=INK, label=f"median {1e3 * p['p50']:.2f} ms")
        ax.axvline(1e3 * p["p99"], color=RED, linestyle=(0, (4, 3)), label=f"99th percentile {1e3 * p['p99']:.2f} ms")
    if result.hop is not None:
        ax.axvline(1e3 * result.hop, color=MUTED, linestyle=(0, (1, 1.5)), label=f"hop {1e3 * result.hop:g} ms")
    ax.set_xlabel("Computing time of a window (ms)")
    ax.set_ylabel("Windows")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda value, position: f"{value:g}")
    ax.xaxis.set_minor_formatter(lambda value, position: "")
    if ax.get_legend_handles_labels()[0]:
        legend_above(ax, 3)


def _parts(result: Any) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Parts of the latency, computation as one of them, and their sum."""
    table = result.parts().fillna(0.0)
    computed = table["part"].str.startswith("computing")
    joined = {"part": "computing", **table.loc[computed, ["typical", "worst"]].sum().to_dict()}
    return pd.concat([table[~computed].iloc[:-1], pd.DataFrame([joined])], ignore_index=True), table.iloc[-1]


def _bins(compute: Any) -> Any:
    """Bins of equal width on a logarithmic axis: a few slow windows are what such a histogram is looked at for."""
    low, high = max(float(compute.min()), 1e-4), max(float(compute.max()), 1e-4)
    return np.geomspace(0.9 * low, 1.1 * high, _BINS)


def _draw_parts(ax: Axes, result: Any) -> None:
    """Two stacked bars."""
    parts, total = _parts(result)
    for y, column in enumerate(("typical", "worst")):
        edges = np.concatenate([[0.0], np.cumsum(parts[column])]) * 1e3
        for i, name in enumerate(parts["part"]):
            label = name if y == 0 else None
            ax.barh(y, edges[i + 1] - edges[i], left=edges[i], height=0.6, color=PALETTE[i % len(PALETTE)], label=label)
        ax.text(edges[-1], y, f" {1e3 * total[column]:.0f} ms", va="center", fontsize=9)
    ax.set_yticks([0, 1], ["typical", "worst"])
    ax.set_ylim(-0.6, 1.6)
    ax.set_xlabel("Latency (ms)")
    ax.margins(x=0.18)
    legend_above(ax, 2)
