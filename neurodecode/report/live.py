"""What the page says about the latency of a decoded stream."""

from __future__ import annotations

from typing import Any

import pandas as pd

from neurodecode.report import figures
from neurodecode.report.contents import RunContents
from neurodecode.report.parts import Picture, Section, Table, Tile
from neurodecode.report.words import number, plural


def latency_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of a decoded stream.

    Parameters
    ----------
    name : str
        Name of the result.
    result : LatencyReport
        The result.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        Histogram of computing times, the parts of the latency, and what was lost.
    """
    p, total = result.percentiles(), result.parts().iloc[-1]
    invalid = ", ".join(f"{reason}: {n}" for reason, n in result.invalid.items()) or "none"
    sentences = [
        f"{result.n_decoded} of {plural(result.n_windows, 'window')} were decoded in {result.duration:.1f} s of signal; not "
        f"decoded: {invalid}.",
        f"From an event to its prediction {_ms(total['typical'])} pass typically, and {_ms(total['worst'])} at worst. This is a "
        "time, not a score: how well it decodes is another result.",
        f"{plural(result.gaps, 'gap')} with {plural(result.lost_samples, 'lost sample')}; {plural(result.overruns, 'overrun')}, "
        f"where the decoder was too late.",
    ]
    if not result.realtime:
        sentences.append("The signal did not come at its own pace: only the computation was measured.")
    tiles = [
        Tile("Compute, median", _ms(p["p50"]), "chain, decoder and retrieval"),
        Tile("Compute, 99 %", _ms(p["p99"]), f"longest {_ms(p['max'])}"),
        Tile("Latency", _ms(total["typical"]), f"at worst {_ms(total['worst'])}"),
        Tile("Group delay", _ms(result.group_delay), "of the causal filters, median over the pass band"),
    ]
    alt = f"Histogram of computing times: median {_ms(p['p50'])}, 99th percentile {_ms(p['p99'])}; and the parts of the latency."
    caption = "Left: computing time of each window. Right: of which parts the latency is made; typical are medians, worst maxima."
    tables = [Table("Parts of the latency (s)", result.parts()), Table("Durations (s)", _durations(result))]
    picture = Picture("latency", figures.latency(result), alt, caption)
    return Section(name, sentences, None, tiles, [picture], tables, list(result.notes))


def _durations(result: Any) -> pd.DataFrame:
    """Percentiles of everything that was measured."""
    names = ("compute", "processor", "filtering", "decoding", "retrieval", "chunk", "acquisition")
    return pd.DataFrame([{"what": name, **result.percentiles(name)} for name in names])


def _ms(seconds: float) -> str:
    return f"{number(1e3 * seconds)} ms"
