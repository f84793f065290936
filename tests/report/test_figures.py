"""Figures: labelled axes, the chance line, hostile names, odd numbers, equal bytes, no global state."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
import report_examples as examples
from matplotlib.figure import Figure

from neurodecode.data.convert_nifti import to_nifti
from neurodecode.errors import DataError
from neurodecode.report import figures
from neurodecode.report.figures.quality import row_names
from neurodecode.report.figures.space import sensor_info

HOSTILE = ["<script>alert(1)</script>", "a$b$c_{x}", "日本語", "x" * 200, "line\nbreak\ttab", ""]


def slice_image(k: int = 0) -> Any:
    """A pattern of the made-up slice, or of all classes where k is None."""
    result = examples.objects()
    return to_nifti(result.patterns[k], result.units, result.space, fill=np.nan)


def ball_image() -> Any:
    """Scores of the made-up searchlight."""
    result = examples.searchlight()
    return to_nifti(result.scores, result.units, result.space, fill=np.nan)


def motion_table() -> pd.DataFrame:
    """Displacement and signal to noise of three runs."""
    runs = {"run": ["01", "02", "03"], "mean_fd": [0.1, 0.2, 0.1], "max_fd": [0.3, 2.0, 0.2]}
    return pd.DataFrame({**runs, "tsnr_median": [90.0, 80, 85], "tsnr_5": [20.0, 10, 15], "tsnr_95": [150.0, 140, 145]})


def event_table() -> pd.DataFrame:
    """Counts of two kinds of events in two runs."""
    return pd.DataFrame({"run": ["1", "1", "2", "2"], "trial_type": ["a", "b"] * 2, "n": [4, 5, 6, 7]})


SCORES: dict[str, Callable[[], Figure | None]] = {
    "summary": lambda: figures.score_summary(examples.objects()),
    "summary without permutations": lambda: figures.score_summary(examples.faces()),
    "folds": lambda: figures.fold_scores(examples.faces()),
    "null": lambda: figures.permutation_null(examples.objects()),
    "regions": lambda: figures.roi_scores(examples.regions()),
    "confusion": lambda: figures.confusion(examples.objects()),
    "regression": lambda: figures.true_against_predicted(examples.regression()),
    "time": lambda: figures.time_course(examples.over_time()),
    "generalisation": lambda: figures.generalization(examples.across_time()),
    "glass brain of scores": lambda: figures.glass_brain(ball_image(), "ROC-AUC", 0.5),
    "slices of scores": lambda: figures.slices(ball_image(), "ROC-AUC", 0.5),
    "image scores": lambda: figures.image_scores(examples.pictures()),
}
OTHERS: dict[str, Callable[[], Figure | None]] = {
    "evoked": lambda: figures.evoked(examples.averages()),
    "pattern course": lambda: figures.pattern_course(examples.faces().patterns[0], examples.MUSE, examples.faces().times),
    "slices": lambda: figures.slices(slice_image(), "Pattern (a.u.)"),
    "topomap": lambda: figures.topomap(np.eye(4), examples.sensor_units(), list("abcd")),
    "motion": lambda: figures.motion(motion_table()),
    "tsnr": lambda: figures.tsnr(motion_table()),
    "events": lambda: figures.event_counts(event_table()),
    "channels": lambda: figures.channel_values(["a", "b", "a"], np.array([1.0, 2.0, 3.0]), "Value (µV)"),
    "spectra": lambda: figures.spectra(*examples.run_of({}).spectra, line_freq=50.0),
    "contacts": lambda: figures.contact_bars(list("abc"), np.array([9.0, 1.0, 0.2]), "Power ratio"),
}
EVERY = {**SCORES, **OTHERS}


@functools.cache
def drawn(name: str) -> Figure:
    """A figure that several tests look at and none changes."""
    figure = EVERY[name]()
    assert figure is not None
    return figure


@pytest.mark.parametrize("name", SCORES)
def test_every_figure_of_a_score_draws_chance(name: str) -> None:
    figure = drawn(name)
    lines = [line for ax in figure.axes for line in ax.lines]
    assert any(str(line.get_label()).startswith(("chance", "no information")) for line in lines)


@pytest.mark.parametrize("name", EVERY)
def test_every_axis_that_is_shown_has_labels(name: str) -> None:
    figure = drawn(name)
    shown = [ax for ax in figure.axes if ax.axison and not hasattr(ax, "_colorbar")]
    shared = [figure.get_supxlabel(), figure.get_supylabel()]
    for ax in shown:
        left = ax.get_subplotspec() is None or ax.get_subplotspec().is_first_col()
        assert ax.get_xlabel() or shared[0], "a horizontal axis without label"
        assert ax.get_ylabel() or shared[1] or not left, "a vertical axis without label"
    bars = [ax for ax in figure.axes if hasattr(ax, "_colorbar")]
    assert shown or bars
    assert all(ax.get_ylabel() for ax in bars)


@pytest.mark.parametrize("name", EVERY)
def test_bytes_are_equal_and_hold_no_date_or_version(name: str) -> None:
    first, second = drawn(name), EVERY[name]()
    assert second is not None
    svg, png = figures.to_svg(first), figures.to_png(first)
    assert svg == figures.to_svg(second)
    assert png == figures.to_png(first), "a second save of one figure moves nothing"
    assert b"<dc:date>" not in svg
    assert b"Matplotlib v" not in svg
    assert b"Software" not in png


def test_nothing_global_changes() -> None:
    before = dict(matplotlib.rcParams)
    figure = figures.score_summary(examples.objects())
    figures.to_svg(figure)
    figures.to_png(figures.glass_brain(ball_image(), "ROC-AUC", 0.5))
    assert dict(matplotlib.rcParams) == before
    from matplotlib import pyplot

    assert not pyplot.get_fignums()


def test_the_style_of_the_user_does_not_leak_in() -> None:
    plain = figures.to_svg(figures.fold_scores(examples.faces()))
    with matplotlib.rc_context({"font.size": 30, "axes.labelcolor": "pink", "svg.hashsalt": "other"}):
        assert figures.to_svg(figures.fold_scores(examples.faces())) == plain


@pytest.mark.parametrize("name", HOSTILE, ids=["script", "dollars", "script without font", "long", "control", "empty"])
def test_hostile_names_are_drawn_as_text(name: str) -> None:
    classes = [name, "other"]
    result = examples.faces(classes=classes, target=name, fold_names=[name, "b", "c", "d"])
    for figure in (figures.score_summary(result), figures.confusion(result)):
        assert figure is not None
        assert figures.to_svg(figure).startswith(b"<?xml")
    contacts = figures.contact_bars([name, "b"], np.array([2.0, 0.5]), "Ratio")
    assert b"<script" not in figures.to_svg(contacts)


ODD: dict[str, dict[str, Any]] = {
    "one fold": {"fold_scores": np.array([0.6]), "fold_names": ["all"], "confidence_interval": (np.nan, np.nan)},
    "a missing fold": {"fold_scores": np.array([0.6, np.nan, 0.5, 0.7])},
    "all folds missing": {"fold_scores": np.full(4, np.nan), "score": np.nan, "confidence_interval": (np.nan, np.nan)},
    "no baseline": {"baseline": np.nan},
    "empty null": {"null_scores": np.array([])},
    "null of one value": {"null_scores": np.array([0.5]), "p_value": 0.5},
    "null with missing values": {"null_scores": np.array([0.5, np.nan, 0.6]), "p_value": 0.5},
    "all the same": {"fold_scores": np.full(4, 0.5), "score": 0.5, "baseline": 0.5, "confidence_interval": (0.5, 0.5)},
    "sixty folds": {"fold_scores": np.linspace(0.4, 0.8, 60), "fold_names": [f"subject {i}" for i in range(60)]},
}


@pytest.mark.parametrize("case", ODD)
def test_odd_numbers_are_drawn(case: str) -> None:
    result = examples.faces(**ODD[case])
    figure = figures.score_summary(result)
    low, high = figure.axes[0].get_ylim()
    known = result.fold_scores[np.isfinite(result.fold_scores)]
    assert low < result.chance < high
    assert all((low < known) & (known < high))
    assert figures.to_png(figure).startswith(b"\x89PNG")


def test_the_null_stands_on_the_axis_of_the_folds() -> None:
    folds, null = figures.score_summary(examples.objects()).axes
    assert folds.get_ylim() == null.get_ylim()
    assert sum(patch.get_width() for patch in null.patches) == 199


def test_without_permutations_there_is_no_null() -> None:
    assert figures.permutation_null(examples.faces()) is None
    assert len(figures.score_summary(examples.faces()).axes) == 1


def test_a_regression_has_no_confusion() -> None:
    assert figures.confusion(examples.regression()) is None


def test_a_baseline_that_differs_from_chance_is_a_line() -> None:
    labels = [str(line.get_label()) for line in figures.fold_scores(examples.objects()).axes[0].lines]
    assert "baseline 0.280" in labels
    assert not any("baseline" in str(line.get_label()) for line in figures.fold_scores(examples.faces()).axes[0].lines)


def test_fold_names_lose_what_they_share() -> None:
    result = examples.faces(fold_names=[f"subject=1, session=2, run=0{i}" for i in range(1, 5)])
    labels = [text.get_text() for text in figures.fold_scores(result).axes[0].get_xticklabels()]
    assert labels == ["run 01", "run 02", "run 03", "run 04"]


def test_counts_of_the_confusion_matrix_are_written() -> None:
    result = examples.faces()
    figure = figures.confusion(result)
    assert figure is not None
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert texts == {str(n) for n in result.confusion.ravel()}


def test_a_class_that_never_occurs_has_an_empty_row() -> None:
    figure = figures.confusion(examples.faces(confusion=np.array([[0, 0], [3, 5]])))
    assert figure is not None
    assert np.isfinite(figure.axes[0].images[0].get_array()).all()


@pytest.mark.parametrize(("scale", "unit", "zero"), [(1.0, "ms", 0.2e3), (100.0, "s", 20.0)])
def test_times_are_in_the_unit_that_suits_them(scale: float, unit: str, zero: float) -> None:
    result = examples.over_time(times=np.arange(-0.2, 0.8, 0.01) * scale)
    ax = figures.time_course(result).axes[0]
    assert ax.get_xlabel() == f"Time from the event ({unit})"
    assert ax.lines[0].get_xdata()[40] == pytest.approx(zero)


def test_significant_times_are_marked_only_where_tested() -> None:
    assert len(figures.time_course(examples.over_time()).axes[0].collections) == 2
    assert len(figures.time_course(examples.over_time(p_values=None)).axes[0].collections) == 1


def test_a_course_of_one_fold_has_no_error_band() -> None:
    result = examples.over_time(scores=np.full((1, 100), 0.5), mean=np.full(100, 0.5), p_values=None)
    assert not figures.time_course(result).axes[0].collections


def test_generalisation_is_centred_on_chance() -> None:
    mesh = figures.generalization(examples.across_time()).axes[0].collections[0]
    assert np.mean(mesh.get_clim()) == pytest.approx(0.5)


def test_generalisation_without_any_effect_is_drawn() -> None:
    flat = np.full((50, 50), 0.5)
    assert figures.to_png(figures.generalization(examples.across_time(mean=flat)))


def test_evoked_responses_are_in_microvolt_and_only_some_channels() -> None:
    averages = examples.averages()
    figure = figures.evoked(averages, most=2)
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in shown] == ["TP9", "TP10"], "the two that differ most"
    np.testing.assert_allclose(shown[0].lines[0].get_ydata().min(), np.asarray(averages.data)[0, 0].min() * 1e6)
    assert figure.get_supylabel() == "Amplitude (µV)"


def test_slices_of_all_classes_share_one_scale() -> None:
    result = examples.objects()
    image = to_nifti(result.patterns, result.units, result.space, fill=np.nan)
    figure = figures.slices(image, "Pattern (a.u.)", titles=examples.OBJECTS)
    panels = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title(loc="left") for ax in panels] == examples.OBJECTS
    assert {ax.images[0].get_clim() for ax in panels} == {panels[0].images[0].get_clim()}
    assert figures.to_png(figure)


def test_a_slice_keeps_its_values_and_shows_what_is_outside() -> None:
    image = slice_image()
    drawn = figures.slices(image, "Pattern (a.u.)").axes[0].images[0].get_array()
    np.testing.assert_array_equal(np.ma.filled(drawn, np.nan), image.get_fdata()[:, :, 0].T)


def test_a_map_without_values_cannot_be_drawn() -> None:
    result = examples.objects()
    image = to_nifti(np.full(len(result.units), np.nan), result.units, result.space, fill=np.nan)
    with pytest.raises(DataError, match="holds no finite value"):
        figures.slices(image, "Pattern (a.u.)")


def test_a_volume_of_many_slices_shows_sixteen_at_most() -> None:
    image = to_nifti(
        np.arange(40.0),
        pd.DataFrame({"i": 0, "j": 0, "k": range(40)}),
        {"shape": [2, 2, 40], "affine": np.eye(4).tolist()},
        fill=np.nan,
    )
    panels = [ax for ax in figures.slices(image, "Pattern").axes if ax.images]
    assert len(panels) == 16
    assert [panels[0].get_title(loc="left"), panels[-1].get_title(loc="left")] == ["slice 0", "slice 39"]


def test_positions_of_the_recording_come_before_standard_ones() -> None:
    units = examples.sensor_units()
    _, standard = sensor_info(units)
    assert standard
    info, standard = sensor_info(units.assign(x=[-0.08, -0.03, 0.03, 0.08], y=[0.0, 0.08, 0.08, 0.0], z=0.02))
    assert not standard
    np.testing.assert_allclose(info["chs"][0]["loc"][:3], [-0.08, 0.0, 0.02])


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (examples.sensor_units(["Cz", "Pz"]), "at least 3 sensors, there are 2"),
        (examples.sensor_units(["A1", "X7", "Q9"]), "no position is known for 2 of 3 sensors, e.g. 'X7'"),
        (examples.sensor_units(["G1", "G2", "G3"], kind="ecog"), r"got \['ecog'\]"),
    ],
)
def test_sensors_that_cannot_be_placed(units: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        figures.topomap(np.ones((1, len(units))), units, ["x"])


def ring(noise: float) -> pd.DataFrame:
    """Twelve magnetometers around the head."""
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    jitter = noise * np.random.default_rng(0).standard_normal(12)
    names = [f"MEG{i}" for i in range(12)]
    return pd.DataFrame({"name": names, "kind": "mag", "x": 0.12 * np.cos(angle) + jitter, "y": 0.12 * np.sin(angle), "z": 0.03})


def test_sensors_of_a_helmet_are_drawn_on_the_head() -> None:
    info, standard = sensor_info(ring(0.01))
    assert not standard
    assert np.median([np.linalg.norm(c["loc"][:3]) for c in info["chs"]]) == pytest.approx(0.09)
    assert figures.to_png(figures.topomap(np.arange(12.0), ring(0.01), ["x"]))


def test_sensors_on_a_circle_cannot_be_interpolated() -> None:
    with pytest.raises(DataError, match="12 sensors lie on one line or circle"):
        figures.topomap(np.arange(12.0), ring(0.0), ["x"])


def test_bars_are_sorted_and_the_largest_named() -> None:
    ax = figures.contact_bars(["a", "b", "c", "d"], np.array([0.5, 9.4, np.nan, 2.0]), "Ratio").axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["b", "d", "a"]
    assert [text.get_text() for text in ax.texts] == ["9.4", "2"]
    assert ax.get_yscale() == "log"


def test_only_the_largest_bars_are_shown_and_it_is_said() -> None:
    ax = figures.contact_bars([f"C{i}" for i in range(76)], np.linspace(0.1, 5, 76), "Ratio").axes[0]
    assert ax.get_xlabel() == "Contact (the 40 largest of 76)"


def test_large_numbers_do_not_overlap_on_crowded_bars() -> None:
    ax = figures.contact_bars([f"C{i}" for i in range(76)], np.linspace(3000, 6000, 76), "Ratio").axes[0]
    assert not ax.texts


def test_spectra_without_power_leave_gaps() -> None:
    power = np.array([[0.0, np.nan, 1.0, 2.0]])
    figure = figures.spectra(np.arange(4.0), power, ["a"], line_freq=2.0)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [np.nan, 0, 10 * np.log10(2)])


def test_many_channels_are_grey_with_their_median() -> None:
    figure = figures.spectra(np.arange(1.0, 5), np.ones((20, 4)), [str(i) for i in range(20)])
    labels = [str(line.get_label()) for line in figure.axes[0].lines]
    assert labels[-1] == "median of 20 channels"


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (pd.DataFrame({"run": ["1", "2"], "n": [1, 2]}), ["1", "2"]),
        (pd.DataFrame({"subject": ["a", "b"], "run": ["1", "1"], "n": [1, 2]}), ["a", "b"]),
        (pd.DataFrame({"subject": ["a", "b"], "run": ["1", "2"], "n": [1, 2]}), ["subject a run 1", "subject b run 2"]),
        (pd.DataFrame({"recording": ["sub-1_run-1_bold", "sub-1_run-2_bold"], "n": [1, 2]}), ["run-1", "run-2"]),
        (pd.DataFrame({"recording": ["sub-1_bold"], "n": [1]}), ["sub-1_bold"]),
        (pd.DataFrame({"n": [1, 2]}), ["1", "2"]),
    ],
)
def test_rows_are_named_by_what_tells_them_apart(table: pd.DataFrame, names: list[str]) -> None:
    assert row_names(table, ["n"]) == names
