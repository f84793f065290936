"""Figures of comparisons: chance, ceiling and baseline in each, more than colour, odd numbers, equal bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comparison_examples as examples
import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from neurodecode.compare.partition_result import VariancePartition
from neurodecode.report import figures
from neurodecode.report.figures.comparisons import MOST_DOTS, MOST_REGIONS
from neurodecode.report.figures.similarity import MOST_MODELS
from neurodecode.report.targets import middle


def named_units(n: int = 40, **columns: Any) -> pd.DataFrame:
    """Units without a place."""
    return pd.DataFrame({"name": [f"u{i}" for i in range(n)], **columns})


def small(**changes: Any) -> Any:
    """An encoding model of forty units with a ceiling and a test."""
    return examples.encoding(named_units(), **changes)


def parts_of(result: VariancePartition) -> Figure:
    """Stacked bars of all targets."""
    parts = {name: np.array([values.mean()]) for name, values in result.parts.items()}
    return figures.variance_parts(parts, ["all targets"], np.array([result.joint.mean()]))


def regions_of(names: list[Any], **changes: Any) -> pd.DataFrame:
    """Summary of regions, one unit after the other in one of them."""
    units = named_units(60, region=[names[i % len(names)] for i in range(60)])
    return examples.encoding(units, **changes).roi_summary("region")


def layer_table(n_layers: int = 5, names: tuple[str, ...] = ("V1", "IT")) -> pd.DataFrame:
    """Layers against regions."""
    units = named_units(30, region=[names[i % len(names)] for i in range(30)])
    return examples.layers(n_layers, examples.encoding(units)).roi_table()


DRAWN: dict[str, Callable[[], Figure]] = {
    "targets": lambda: figures.target_scores(small()),
    "many targets": lambda: figures.target_scores(examples.encoding()),
    "targets without a ceiling": lambda: figures.target_scores(examples.bare()),
    "regions": lambda: figures.region_scores(regions_of(["V1", "IT"]), "r"),
    "layers": lambda: figures.layer_curve(examples.layers(4, small())),
    "layers by region": lambda: figures.layer_regions(layer_table()),
    "course": lambda: figures.score_course(examples.course()),
    "models": lambda: figures.rdm_scores(examples.rdms()),
    "parts": lambda: parts_of(examples.partition(n_spaces=3)),
    "leakage": lambda: figures.stimulus_free(examples.leakage()),
}


def labels(figure: Figure) -> list[str]:
    """Labels of everything that is drawn in the first panel and of its legend."""
    return [label for ax in figure.axes for label in ax.get_legend_handles_labels()[1]]


@pytest.mark.parametrize("kind", DRAWN)
def test_axes_are_labelled_and_no_window_is_open(kind: str) -> None:
    figure = DRAWN[kind]()
    assert all(ax.get_xlabel() or ax.get_ylabel() for ax in figure.axes)
    assert figure.canvas.manager is None
    assert matplotlib.rcParams["font.size"] == matplotlib.rcParamsDefault["font.size"]


@pytest.mark.parametrize("kind", [kind for kind in DRAWN if kind != "layers by region"])
def test_every_score_stands_beside_chance(kind: str) -> None:
    assert any(label.startswith("chance") for label in labels(DRAWN[kind]()))


def test_the_heat_map_says_where_chance_is() -> None:
    figure = DRAWN["layers by region"]()
    assert any("(white: chance)" in ax.get_ylabel() for ax in figure.axes)
    assert figure.axes[0].images[0].get_clim()[0] == 0.0


@pytest.mark.parametrize("kind", ["targets", "regions", "models", "parts", "leakage"])
def test_equal_figures_have_equal_bytes(kind: str) -> None:
    assert figures.to_svg(DRAWN[kind]()) == figures.to_svg(DRAWN[kind]())


def test_every_target_is_counted_once() -> None:
    result = small()
    counts = [float(patch.get_height()) for patch in figures.target_scores(result).axes[0].patches]
    assert sum(counts) == np.isfinite(result.score).sum()
    passed = int((result.q < 0.05).sum())
    assert f"q < 0.05: {passed}" in labels(figures.target_scores(result))
    assert f"others: {int(np.isfinite(result.score).sum()) - passed}" in labels(figures.target_scores(result))


def line(figure: Figure, label: str) -> np.ndarray:
    """Points of the line of that label in the first panel that has it, shape (n, 2)."""
    return next(np.asarray(part.get_xydata()) for ax in figure.axes for part in ax.lines if part.get_label() == label)


def test_a_dot_per_target_against_the_root_of_its_ceiling() -> None:
    result = small()
    right = figures.target_scores(result).axes[1]
    dots = right.lines[0].get_xydata()
    known = np.isfinite(result.score)
    np.testing.assert_allclose(dots, np.stack([np.sqrt(result.ceiling), result.score], axis=1)[known])
    perfect = line(right.figure, "perfect model")  # type: ignore[arg-type]
    np.testing.assert_array_equal(perfect[:, 0], perfect[:, 1])


def test_of_explained_variance_the_ceiling_is_rho_itself() -> None:
    result = small(metric="R2")
    right = figures.target_scores(result).axes[1]
    assert right.get_xlabel() == "Noise ceiling (ρ)"
    np.testing.assert_allclose(right.lines[0].get_xydata()[:, 0], result.ceiling[np.isfinite(result.score)])
    assert "R²/ρ" in right.get_title(loc="left")


@pytest.mark.parametrize(("n", "expected"), [(MOST_DOTS, 0), (MOST_DOTS + 2, 1)])
def test_many_targets_are_counted_in_hexagons(n: int, expected: int) -> None:
    figure = figures.target_scores(examples.encoding(named_units(n)))
    bars = [ax for ax in figure.axes if ax.get_ylabel() == "Targets"]
    assert len(bars) == expected
    if bars:
        figure.draw_without_rendering()
        texts = [label.get_text() for label in bars[0].get_yticklabels()]
        assert not any("$" in text for text in texts)


@pytest.mark.parametrize(
    "changes",
    [
        {"score": np.full(30, np.nan), "baseline": np.full(30, np.nan)},
        {"score": np.full(30, 0.1)},
        {"ceiling": np.full(30, np.nan), "ceiling_name": "given"},
        {"ceiling": np.full(30, -1.0), "ceiling_name": "given", "normalised": np.full(30, np.nan)},
        {"q": np.full(30, np.nan)},
        {"score": np.full(30, -0.2), "ceiling": np.full(30, 0.01), "ceiling_name": "given"},
    ],
    ids=["no score", "all alike", "no ceiling known", "ceiling below 0", "no q", "below chance"],
)
def test_odd_numbers_of_targets_are_drawn(changes: dict[str, Any]) -> None:
    assert len(figures.to_png(figures.target_scores(examples.bare(**changes)))) > 1000


def test_bars_of_regions_reach_from_chance_to_the_median() -> None:
    table = regions_of(["V1", "IT", "V4"])
    figure = figures.region_scores(table, "r")
    ax = figure.axes[0]
    np.testing.assert_allclose([patch.get_width() for patch in ax.patches][::-1], table["median"])
    np.testing.assert_allclose(line(figure, "noise ceiling")[::-1, 0], np.sqrt(table["ceiling"]))
    np.testing.assert_allclose(line(figure, "baseline")[::-1, 0], table["baseline"])
    assert [text.get_text() for text in ax.get_yticklabels()][::-1] == ["V1", "IT", "V4"]
    assert ax.get_xlim()[0] < 0  # the line at chance is not the frame


def test_the_ceiling_of_explained_variance_in_regions_is_rho() -> None:
    table = regions_of(["V1"])
    np.testing.assert_allclose(line(figures.region_scores(table, "R2"), "noise ceiling")[:, 0], table["ceiling"])


@pytest.mark.parametrize("names", [["V1"], [f"parcel {i}" for i in range(40)], ["<b>$x$</b>", "日本", "x" * 90]])
def test_any_number_of_regions(names: list[str]) -> None:
    ax = figures.region_scores(regions_of(names), "r").axes[0]
    assert len(ax.patches) == min(len(names), MOST_REGIONS)


def test_a_region_of_one_unit_has_no_interval() -> None:
    units = named_units(5, region=["V1", "V1", "V1", "V1", "IT"])
    figure = figures.region_scores(examples.encoding(units).roi_summary("region"), "r")
    (interval,) = [part for part in figure.axes[0].collections if part.get_label() == "95 % over units"]
    assert len(interval.get_segments()) == 1  # type: ignore[attr-defined]


def test_layers_show_their_medians_and_how_often_they_were_chosen() -> None:
    result = examples.layers(4, small())
    figure = figures.layer_curve(result)
    np.testing.assert_allclose(line(figure, "median over targets")[:, 1], [np.nanmedian(s) for s in result.scores])
    shares = [patch.get_height() for patch in figure.axes[1].patches]
    np.testing.assert_allclose(shares, [(result.chosen == i).mean() for i in range(4)])
    assert any(label == f"layers chosen inside, {middle(result.best.score):.3f}" for label in labels(figure))


def test_the_ring_is_at_the_layer_that_was_chosen_most() -> None:
    table = layer_table(6, ("V1", "IT", "V4"))
    ax = figures.layer_regions(table).axes[0]
    rings = [tuple(part.get_xydata()[0].astype(int)) for part in ax.lines if len(part.get_xydata())]
    layers = list(dict.fromkeys(table["layer"]))
    for row, region in enumerate(["V1", "IT", "V4"]):
        part = table[table["roi"] == region]
        assert (layers.index(part.loc[part["chosen"].idxmax(), "layer"]), row) in rings
    shown = ax.images[0].get_array()
    np.testing.assert_allclose(shown, table["median"].to_numpy().reshape(3, 6))


def test_layers_keep_their_order_beyond_nine() -> None:
    ax = figures.layer_regions(layer_table(12)).axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == [f"encoder.{i}" for i in range(12)]


@pytest.mark.parametrize("n", [1, 40])
def test_any_number_of_layers(n: int) -> None:
    assert len(figures.to_png(figures.layer_curve(examples.layers(n, small())))) > 1000
    assert figures.layer_regions(layer_table(n)).axes[0].images


def test_a_region_without_any_score_stays_empty() -> None:
    table = layer_table().assign(median=np.nan)
    assert np.ma.getmaskarray(figures.layer_regions(table).axes[0].images[0].get_array()).all()


def test_the_course_shows_medians_over_units() -> None:
    result = examples.course()
    figure = figures.score_course(result)
    np.testing.assert_allclose(
        line(figure, "median over units"), np.stack([1e3 * result.times, np.nanmedian(result.score, 0)], 1)
    )
    np.testing.assert_allclose(line(figure, "noise ceiling")[:, 1], np.median(np.sqrt(result.ceiling), axis=0))
    assert len(figure.axes) == 2


def test_the_course_without_ceiling_and_test_has_one_panel() -> None:
    result = examples.course(ceiling=None, ceiling_name=None, normalised=None, p=None, q=None)
    figure = figures.score_course(result)
    assert len(figure.axes) == 1
    assert "noise ceiling" not in labels(figure)


def test_a_course_without_any_significant_unit_is_flat() -> None:
    result = examples.course()
    share = figures.score_course(examples.course(q=np.ones_like(result.q))).axes[1]
    assert share.get_ylim() == (0.0, 0.05)


def test_stars_stand_over_models_that_pass() -> None:
    result = examples.rdms(q=np.array([0.01, 0.05, 0.04, np.nan]))
    np.testing.assert_array_equal(line(figures.rdm_scores(result), "q < 0.05")[:, 0], [0, 2])


def test_the_band_of_the_ceiling_is_there_only_with_several_subjects() -> None:
    assert "noise ceiling" in labels(figures.rdm_scores(examples.rdms()))
    alone = labels(figures.rdm_scores(examples.rdms(1)))
    assert "noise ceiling" not in alone
    assert "subjects" not in alone


def test_models_that_do_not_vary_are_left_blank() -> None:
    nothing = np.full(4, np.nan)
    result = examples.rdms(score=nothing, subject_scores=np.full((6, 4), np.nan), ci=np.full((4, 2), np.nan), q=nothing)
    assert len(figures.to_png(figures.rdm_scores(result))) > 1000


@pytest.mark.parametrize("n", [1, 12, MOST_MODELS + 5])
def test_any_number_of_models(n: int) -> None:
    names = tuple(f"a model with a name {i}" for i in range(n))
    ax = figures.rdm_scores(examples.rdms(models=names)).axes[0]
    assert len(ax.get_xticks()) == min(n, MOST_MODELS)


def test_parts_of_variance_end_at_what_all_spaces_explain() -> None:
    parts = {"a": np.array([0.2, 0.1]), "b": np.array([0.1, 0.2]), "a & b": np.array([0.05, -0.04])}
    joint = np.array([0.35, 0.26])
    ax = figures.variance_parts(parts, ["V1", "IT"], joint).axes[0]
    ends = {}
    for patch in ax.patches:
        ends.setdefault(round(patch.get_y(), 3), []).append((patch.get_x(), patch.get_width()))  # type: ignore[attr-defined]
    v1, it = (ends[key] for key in sorted(ends, reverse=True))
    assert max(x + width for x, width in v1) == pytest.approx(0.35)
    assert it[2] == pytest.approx((0.0, -0.04))  # a negative part reaches to the left of 0, the others are not moved
    assert sum(width for _, width in it) == pytest.approx(0.26)
    np.testing.assert_allclose(line(ax.figure, "all spaces together")[:, 0], joint)  # type: ignore[arg-type]


def test_parts_differ_in_colour_and_hatch() -> None:
    ax = parts_of(examples.partition(n_spaces=4)).axes[0]
    looks = {(patch.get_facecolor(), patch.get_hatch()) for patch in ax.patches}
    assert len(looks) == 15


@pytest.mark.parametrize("leaks", [False, True])
def test_folds_of_the_leak_check_and_its_threshold(leaks: bool) -> None:
    result = examples.leakage(leaks)
    ax = figures.stimulus_free(result).axes[0]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), result.scores["OASM"].mean(axis=1))
    assert ax.get_ylim()[1] >= 0.1
    markers = {part.get_marker() for part in ax.lines[:3]}
    assert len(markers) == 3
    assert "leak above 0.02" in labels(ax.figure)  # type: ignore[arg-type]
