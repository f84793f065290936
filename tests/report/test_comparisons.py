"""Sections of comparisons: what nobody may misread, and odd results told as they are."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import comparison_examples as examples
import numpy as np
import pandas as pd
import pytest
import report_examples
from report.test_contents import assert_same

from neurodecode.report import RunContents, load_contents, rerender, save_contents, write
from neurodecode.report.comparisons import layer_table, tiles_of, verdict_of
from neurodecode.report.parts import Section
from neurodecode.report.sections import RENDERERS, overview, result_sections
from neurodecode.report.targets import (
    correction_text,
    known,
    middle,
    percent,
    quartiles,
    reach,
    region_column,
    targets_text,
    unit_noun,
)


def run(results: dict[str, Any], **members: Any) -> RunContents:
    """A run without data quality and without units of its own."""
    return report_examples.run_of(results, **{**report_examples.BARE, **members})


def section_of(result: Any, name: str = "result") -> Section:
    """The one section of a result."""
    (section,) = result_sections(run({name: result}))
    return section


def words(section: Section) -> str:
    """All sentences, tiles, captions and alternative texts on one line."""
    tiles = [part for tile in section.tiles for part in tile]
    pictures = [part for picture in section.pictures for part in (picture.alt, picture.caption)]
    return " ".join([*section.sentences, *tiles, *pictures, *section.notes]).replace("\N{NO-BREAK SPACE}", " ")


@functools.cache
def example(kind: str) -> Section:
    """The section of an example, drawn once."""
    return section_of(examples.EVERY[kind](), kind)


def text_of(result: Any) -> str:
    """Words of the section of a result."""
    return words(section_of(result))


@pytest.mark.parametrize("kind", examples.EVERY)
def test_every_comparison_has_its_section_with_chance_and_split(kind: str) -> None:
    section = example(kind)
    assert any(re.search(r"chance\b|no information", sentence, re.IGNORECASE) for sentence in section.sentences)
    assert any(tile.label == "Chance" for tile in section.tiles)
    assert section.verdict is not None
    assert "no figure for results" not in words(section)
    for picture in section.pictures:
        assert picture.figure is None or len(picture.alt) > 20
        assert picture.caption.endswith(".")


@pytest.mark.parametrize("kind", examples.EVERY)
def test_names_of_figures_are_unique(kind: str) -> None:
    names = [picture.name for picture in example(kind).pictures]
    assert len(set(names)) == len(names)


def test_every_type_has_a_renderer() -> None:
    assert {type(make()).__name__ for make in examples.EVERY.values()} <= set(RENDERERS)


def test_an_encoding_model_cannot_be_misread() -> None:
    result = examples.encoding()
    n, text = result.n_targets, words(example("encoding"))
    passed = int((result.q < 0.05).sum())
    rated = np.isfinite(result.normalised)
    for part in (
        f"The responses of {n} voxels were predicted from image model (768 columns) together with the nuisance features "
        f"(luminance) in held-out data with a correlation r of {middle(result.score):.3f}, the median over {n} targets",
        "no information gives 0, a perfect prediction of data without noise reaches 1",
        "1 target could not be scored and is left out",
        f"The baseline (nuisance features alone (luminance)) reaches {middle(result.baseline):.3f} on the same folds",
        f"Beyond the baseline the features explain a median R² of {middle(result.scores['gain']):.3f}",
        "split halves of the repeats, Spearman-Brown corrected",
        f"a reliability ρ of {middle(result.ceiling):.3f} in the median, a share of variance",
        f"no model can reach a higher r than {middle(np.sqrt(result.ceiling)):.3f} (√ρ)",
        f"Divided by this ceiling the score is {middle(result.normalised):.3f} (r/√ρ, 1 is the ceiling; "
        f"raw {middle(result.score[rated]):.3f}), the median over {rated.sum()} of {n} targets",
        f"{passed} of {n} targets",
        "999 permutations, false discovery rate over targets (Benjamini-Hochberg)",
        "5 folds over 10 runs, each held out whole.",
    ):
        assert part in text


def tile(result: Any, label: str) -> str:
    """Value of a tile."""
    return next(tile.value for tile in tiles_of(result) if tile.label == label)


def test_tiles_hold_raw_and_normalised_score() -> None:
    result = examples.encoding()
    assert tile(result, "Correlation r") == f"{middle(result.score):.3f}"
    assert tile(result, "Normalised score") == f"{middle(result.normalised):.3f}"
    assert tile(result, "Noise ceiling") == f"{middle(np.sqrt(result.ceiling)):.3f}"
    assert tile(result, "Chance") == "0"
    assert tile(result, "Significant targets") == percent(int((result.q < 0.05).sum()), result.n_targets)


def test_what_there_is_not_is_said() -> None:
    section = example("bare encoding")
    text = words(section)
    assert tile(examples.bare(), "Noise ceiling") == "unknown"
    assert tile(examples.bare(), "Significant targets") == "not tested"
    assert "The noise ceiling of these responses is not known: scores are raw" in text
    assert "No permutation test was run, so whether these scores could be luck was not tested" in text
    assert "Normalised" not in text
    assert section.verdict == ("not tested against chance", "open")
    assert [picture.name for picture in section.pictures] == ["scores"]  # no region, no place, no time


ODD: dict[str, tuple[dict[str, Any], str]] = {
    "below the baseline": ({"baseline": examples.bare().score + 0.1}, "The model is below this baseline in the median"),
    "nothing scored": (
        {"score": np.full(30, np.nan), "fold_scores": np.full((5, 30), np.nan), "baseline": np.full(30, np.nan)},
        "30 targets could not be scored and are left out",
    ),
    "all alike": ({"score": np.full(30, 0.2)}, "0.200, the median over 30 targets (quartiles 0.200 to 0.200)"),
    "nothing significant": (
        {"q": np.ones(30), "p": np.ones(30), "n_permutations": 99, "correction": "max"},
        "0 of 30 targets (0 %) pass q < 0.05 by 99 permutations, maximum statistic over targets",
    ),
    "one significant": (
        {"q": np.r_[0.01, np.ones(29)], "p": np.ones(30), "n_permutations": 99, "correction": "by"},
        "1 of 30 targets (3.33 %) passes q < 0.05",
    ),
    "no target has a ceiling": (
        {"ceiling": np.full(30, 0.01), "ceiling_name": "given", "normalised": np.full(30, np.nan)},
        "No target has a ρ of 0.05 or more, so no score is normalised",
    ),
    "ceiling without normalised score": ({"ceiling": np.full(30, 0.25), "ceiling_name": "ncsnr"}, "higher r than 0.500 (√ρ)"),
    "negative ceiling": ({"ceiling": np.full(30, -0.1), "ceiling_name": "given"}, "higher r than 0.000 (√ρ)"),
    "explained variance": (
        {"metric": "R2", "ceiling": np.full(30, 0.25), "ceiling_name": "schoppe", "normalised": np.full(30, 0.5)},
        "higher R2 than 0.250.",
    ),
    "many spaces": (
        {"settings": {"spaces": {f"s{i}": 3 for i in range(9)}, "nuisance": []}},
        "s4 (3 columns), s5 (3 columns), 3 more in held-out data",
    ),
    "a note": ({"notes": ["rows were joined by stimulus"]}, "rows were joined by stimulus"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_odd_results_are_told_as_they_are(kind: str) -> None:
    changes, expected = ODD[kind]
    assert expected in text_of(examples.bare(**changes))


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (None, "open"),
        (np.ones(30), "none"),
        (np.full(30, np.nan), "none"),
        (np.full(30, 0.05), "none"),
        (np.full(30, 0.04), "good"),
    ],
)
def test_the_verdict_follows_the_corrected_test(q: Any, expected: str) -> None:
    assert verdict_of(examples.bare(q=q))[1] == expected


def test_one_region_and_none() -> None:
    units = pd.DataFrame({"name": [f"u{i}" for i in range(20)], "region": ["V1"] * 15 + [None] * 5})
    section = section_of(examples.encoding(units))
    assert "Median correlation r by region: V1" in words(section)
    without = examples.encoding(units.drop(columns="region"))
    assert not [picture for picture in section_of(without).pictures if picture.name == "regions"]
    nowhere = examples.encoding(units.assign(region=pd.Series([None] * len(units), dtype=object)))
    assert not [picture for picture in section_of(nowhere).pictures if picture.name == "regions"]


def test_more_regions_than_fit_in_the_words_are_counted() -> None:
    many = pd.DataFrame({"name": [f"u{i}" for i in range(120)], "region": [f"parcel {i % 40}" for i in range(120)]})
    section = section_of(examples.encoding(many))
    assert "and 28 more" in words(section)
    regions = next(table for table in section.tables if table.title == "Regions")
    assert len(regions.frame) == 40
    assert "ceiling ρ" in regions.frame  # in units of variance, unlike the tick in the figure


def test_scores_over_time_say_that_a_peak_was_picked() -> None:
    result, section = examples.course(), example("encoding over time")
    median = np.array([middle(column) for column in result.score.T])
    peak = f"{median.max():.3f} at {1e3 * result.times[median.argmax()]:.0f} ms"
    assert f"highest median over units {peak}" in words(section)
    assert "picked among 45 times after the fact" in words(section)
    assert "14 sensors at 45 times" in words(section)
    drawn = {picture.name for picture in section.pictures if picture.figure is not None}
    assert {"course", "map-score-1-course", "map-score-1-eeg"} <= drawn


def test_layers_are_told_with_how_they_were_chosen() -> None:
    result, section = examples.layers(), example("layers")
    table = layer_table(result)
    best, often = table.loc[table["median r"].idxmax(), "layer"], table.loc[table["share chosen"].idxmax(), "layer"]
    text = words(section)
    assert "one of 6 layers was chosen by its score on inner folds of the training data" in text
    assert f"Chosen most often: {often}" in text
    assert "predicted from the layer chosen for each together with the nuisance features (luminance) in held-out data" in text
    assert f"Of single layers {best} has the highest median r" in text
    assert "the best of many on the test data is no score of its own" in text
    assert [picture.name for picture in section.pictures[:2]] == ["layers", "regions-layers"]
    assert section.verdict == verdict_of(result.best)
    np.testing.assert_allclose(table["share chosen"].sum(), 1.0)
    np.testing.assert_allclose(table["median r"], [np.nanmedian(scores) for scores in result.scores])


@pytest.mark.parametrize("n", [1, 2, 40])
def test_any_number_of_layers(n: int) -> None:
    section = section_of(examples.layers(n, examples.bare()))
    assert f"one of {n} layer" in words(section)
    assert len(section.tables[0].frame) == n


def test_layers_without_regions_and_over_time() -> None:
    names = [picture.name for picture in section_of(examples.layers(3, examples.bare())).pictures]
    assert names == ["layers", "scores"]
    units = pd.DataFrame({"name": [f"u{i}" for i in range(8)]})
    timed = examples.encoding(units, times=np.arange(5) / 10)
    assert [picture.name for picture in section_of(examples.layers(3, timed)).pictures] == ["layers", "scores", "course"]


def test_models_by_rdm_against_the_ceiling() -> None:
    result, section = examples.rdms(), example("rsa")
    text = words(section)
    assert section.title == "RSA"
    assert f"the highest rank correlation (Spearman) is that of animacy with {result.score[0]:.3f}; chance is 0" in text
    assert "6 subjects over 92 conditions (4186 pairs)" in text
    assert "between 0.360 and 0.450" in text
    assert ("reaches" if result.score[0] >= 0.36 else "stays below") + " this band" in text
    assert (
        "3 of 4 models pass q < 0.05, the false discovery rate over models (1000 shuffles of the conditions, one-sided)" in text
    )
    assert "about new stimuli and new subjects" in text
    assert [len(table.frame) for table in section.tables] == [4, 6]


def test_one_subject_has_no_rdm_ceiling() -> None:
    section = section_of(examples.rdms(1, generalises_to="new stimuli"))
    assert "There is no noise ceiling with one subject" in words(section)
    assert any(tile.value == "unknown" for tile in section.tiles)


@pytest.mark.parametrize(
    ("q", "expected"), [([0.01] * 4, "good"), ([0.05] * 4, "none"), ([np.nan] * 4, "open"), ([0.001, 1, 1, 1], "good")]
)
def test_the_verdict_of_rdm_models(q: list[float], expected: str) -> None:
    verdict = section_of(examples.rdms(q=np.array(q))).verdict
    assert verdict is not None
    assert verdict[1] == expected


@pytest.mark.parametrize("method", ["inclusion_exclusion", "shapley", "product_measure"])
@pytest.mark.parametrize("n_spaces", [2, 3])
def test_parts_of_variance_add_up(method: str, n_spaces: int) -> None:
    result = examples.partition(method, n_spaces)
    section = section_of(result)
    frame = section.tables[0].frame
    assert frame["targets"].tolist() == ["all targets", *dict.fromkeys(result.units["region"].dropna())]
    np.testing.assert_allclose(frame[list(result.parts)].sum(axis=1), frame["all"])
    assert frame["n"][0] == len(result.units)
    assert "The parts add up to the R² of all spaces" in words(section)
    assert section.verdict == ("parts not tested against chance", "open")


def test_negative_parts_are_explained() -> None:
    result = examples.partition()
    suppressed = {**result.r2, (0,): result.r2[(0,)] - 0.2}
    assert "A negative part is kept as it is" in text_of(replace(result, r2=suppressed))
    assert "A negative part" not in text_of(result)


def test_variance_over_time_is_grouped_by_the_region_of_the_unit() -> None:
    result = examples.partition()
    repeated = {s: np.repeat(values, 2) for s, values in result.r2.items()}
    members = {"joint": np.repeat(result.joint, 2), "product": np.repeat(result.product, 2, axis=1), "r2": repeated}
    timed = replace(result, **members, fold_joint=np.repeat(result.fold_joint, 2, axis=1), times=np.array([0.1, 0.2]))
    once, twice = (section_of(r).tables[0].frame for r in (result, timed))
    np.testing.assert_allclose(twice["all"], once["all"])
    assert twice["n"].tolist() == [2 * n for n in once["n"]]


@pytest.mark.parametrize(("leaks", "outcome"), [(False, "passed"), (True, "failed")])
def test_the_leak_check_says_passed_or_failed(leaks: bool, outcome: str) -> None:
    section = section_of(examples.leakage(leaks))
    assert section.tiles[0].value == outcome
    assert f"Leak check {outcome}" in words(section)
    assert ("hold out whole runs" in words(section)) is leaks
    assert section.verdict == (("the split leaks", "none") if leaks else ("no leak found", "good"))
    assert ("100 %" if leaks else "0 %") + " of held-out samples" in words(section)


def test_the_leak_check_without_features_of_a_model() -> None:
    result = examples.leakage()
    section = section_of(replace(result, scores={k: v for k, v in result.scores.items() if k != "yours"}))
    assert not any("Your features" in tile.label for tile in section.tiles)


def test_signs_over_subjects() -> None:
    text = text_of(examples.signs())
    assert "8 subjects were tested by flipping their signs (all 256 flips): 10 of 20 targets pass p < 0.05" in text
    assert section_of(examples.signs(p_max=np.ones(20))).verdict == ("no target above chance over subjects", "none")


def test_the_overview_has_the_ceiling_only_where_one_is_known() -> None:
    from neurodecode.report.scores import score_table

    assert "ceiling" in overview(score_table(run({"a": examples.encoding(), "b": examples.rdms()})))
    assert "ceiling" not in overview(score_table(run({"a": examples.bare(), "b": examples.leakage()})))


def test_hostile_names_are_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    units = pd.DataFrame({"name": [evil] * 30, "region": [evil] * 30})
    best = replace(examples.bare(baseline_name=evil, split=evil, notes=[evil], settings={"spaces": {evil: 3}}), units=units)
    layers = replace(examples.layers(2, best), layers=[evil, "b"])
    results = {
        evil: best,
        "l": layers,
        "r": examples.rdms(models=(evil, "b")),
        "p": replace(examples.partition(), spaces=[evil, "b"]),
    }
    source = write(run(results), tmp_path).read_text(encoding="utf-8")
    assert "<script" not in source
    assert "&lt;script&gt;" in source


def test_a_page_of_comparisons_is_drawn_again_byte_by_byte(tmp_path: Path) -> None:
    contents = run({"layers": examples.layers(3, examples.bare()), "rsa": examples.rdms()})
    before = write(contents, tmp_path).read_bytes()
    assert rerender(tmp_path).read_bytes() == before
    assert b"All results" in before


@pytest.mark.parametrize("kind", examples.EVERY)
def test_every_comparison_comes_back_as_it_was(kind: str, tmp_path: Path) -> None:
    result = examples.EVERY[kind]()
    save_contents(run({kind: result}), tmp_path)
    assert_same(load_contents(tmp_path).results[kind], result)


@pytest.mark.parametrize("kind", examples.EVERY)
def test_equal_comparisons_are_equal_on_disk(kind: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_contents(run({kind: examples.EVERY[kind]()}), tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


NONE = np.full(3, np.nan)


@pytest.mark.parametrize(
    ("function", "values", "expected"),
    [
        (middle, [1, np.nan, 3], 2.0),
        (middle, NONE, np.nan),
        (quartiles, [0, 1, 2, 3, 4], (1.0, 3.0)),
        (quartiles, NONE, (np.nan,) * 2),
    ],
)
def test_medians_leave_out_what_is_not_known(function: Callable[[Any], Any], values: Any, expected: Any) -> None:
    np.testing.assert_array_equal(function(values), expected)
    assert known(NONE).size == 0


def test_the_reach_of_a_score_is_in_its_own_unit() -> None:
    rho = np.array([0.25, -0.1, np.nan])
    units = pd.DataFrame({"name": list("abc")})
    members = {"ceiling": rho, "score": rho, "fold_scores": np.zeros((5, 3)), "baseline": rho}
    base = examples.encoding(units, **{**members, "normalised": None, "p": None, "q": None, "alpha": None, "scores": {}})
    np.testing.assert_array_equal(reach(base), [0.5, 0, np.nan])
    np.testing.assert_array_equal(reach(replace(base, metric="R2")), [0.25, 0, np.nan])
    assert reach(examples.bare()) is None


@pytest.mark.parametrize(
    ("columns", "expected"),
    [({"i": [1], "j": [1], "k": [1]}, "voxel"), ({"kind": ["EEG"]}, "sensor"), ({"kind": ["x"]}, "unit"), ({}, "unit")],
)
def test_units_are_called_what_they_are(columns: dict[str, Any], expected: str) -> None:
    units = pd.DataFrame({"name": ["a"], **columns})
    assert unit_noun(units) == expected
    assert targets_text(units, np.arange(3.0)) == f"1 {expected} at 3 times"


def test_the_region_is_the_first_known_column() -> None:
    assert region_column(pd.DataFrame({"region": [None, None], "roi": ["V1", None]})) == "roi"
    assert region_column(pd.DataFrame({"region": ["a", "b"], "roi": ["V1", None]})) == "region"
    assert region_column(pd.DataFrame({"name": ["a"]})) is None


def test_an_unknown_correction_is_named() -> None:
    assert correction_text("wonder") == "corrected over targets (wonder)"
    assert percent(0, 0) == "n/a"
