"""The figure and the section of the latency of a decoded stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodecode.decode import LatencyReport
from neurodecode.report import RunContents, figures
from neurodecode.report.sections import RENDERERS, result_sections
from neurodecode.report.store import load_contents, save_contents


def report(n: int = 200, **changes: Any) -> LatencyReport:
    """A made-up session of 20 s."""
    rng = np.random.default_rng(0)
    decoding = 0.02 + 0.002 * rng.gamma(2.0, size=n)
    values: dict[str, Any] = {
        "source": "ReplaySource",
        "realtime": True,
        "duration": 20.0,
        "hop": 0.1,
        "n_windows": n + 3,
        "invalid": {"gap": 3},
        "chunk": np.full(1000, 0.02),
        "acquisition": np.full(1000, 0.004),
        "group_delay": 0.03,
        "tail": 0.0,
        "filtering": np.full(n, 0.001),
        "decoding": decoding,
        "retrieval": np.zeros(n),
        "processor": decoding,
        "gaps": 1,
        "lost_samples": 20,
    }
    return LatencyReport(**{**values, **changes})


def texts(axes: Any) -> str:
    """Everything that is written in a panel."""
    legend = axes.get_legend()
    labels = [t.get_text() for t in (legend.get_texts() if legend else [])]
    return " ".join([axes.get_xlabel(), axes.get_ylabel(), *labels, *[t.get_text() for t in axes.texts]])


def test_the_figure_shows_percentiles_hop_and_the_sum_of_the_parts() -> None:
    result = report()
    left, right = figures.latency(result).axes
    assert f"median {1e3 * result.percentiles()['p50']:.2f} ms" in texts(left)
    assert f"99th percentile {1e3 * result.percentiles()['p99']:.2f} ms" in texts(left)
    assert "hop 100 ms" in texts(left)
    assert sum(patch.get_height() for patch in left.patches) == result.n_decoded
    total = result.parts().iloc[-1]
    assert f" {1e3 * total['worst']:.0f} ms" in texts(right)
    widths = [patch.get_width() for patch in right.patches]
    assert sum(widths) == pytest.approx(1e3 * (total["typical"] + total["worst"]))
    assert "group delay of the filters" in texts(right)


def test_a_figure_of_nothing_is_drawn_all_the_same() -> None:
    empty = {name: np.zeros(0) for name in ("filtering", "decoding", "retrieval", "processor", "chunk", "acquisition")}
    for hop in (None, 0.1):
        figure = figures.latency(report(n_windows=0, invalid={}, hop=hop, **empty))
        assert figures.to_svg(figure) == figures.to_svg(figures.latency(report(n_windows=0, invalid={}, hop=hop, **empty)))


def test_ticks_are_plain_numbers() -> None:
    left, _ = (figure := figures.latency(report())).axes
    figures.to_svg(figure)
    assert "$" not in "".join(label.get_text() for label in left.get_xticklabels(which="both"))


def test_the_section_says_what_was_lost_and_that_it_is_no_score(tmp_path: Path) -> None:
    assert "LatencyReport" in RENDERERS
    contents = RunContents("Live", "live", results={"stream": report(notes=["a note"])})
    (section,) = result_sections(contents)
    said = " ".join(section.sentences)
    assert "200 of 203 windows were decoded in 20.0 s of signal; not decoded: gap: 3." in said
    assert "1 gap with 20 lost samples" in said
    assert "not a score" in said
    assert "own pace" not in said
    assert section.notes == ["a note"]
    assert section.tiles[0].label == "Compute, median"
    assert section.pictures[0].figure is not None
    again = load_contents(save_contents(contents, tmp_path).parent).results["stream"]
    assert again.to_dict() == report(notes=["a note"]).to_dict()
    (fast,) = result_sections(RunContents("Live", "live", results={"stream": report(realtime=False)}))
    assert "The signal did not come at its own pace" in fast.sentences[-1]
