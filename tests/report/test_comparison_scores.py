"""Rows of scores, maps and methods of comparisons."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import comparison_examples as examples
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import report_examples

from neurodecode.report import RunContents, write
from neurodecode.report.comparison_methods import comparison_sentences
from neurodecode.report.maps import maps_of, write_maps
from neurodecode.report.methods import methods_markdown, works_of
from neurodecode.report.references import cited
from neurodecode.report.scores import COLUMNS, score_table
from neurodecode.report.targets import middle


def run(results: dict[str, Any], **members: Any) -> RunContents:
    """A run without data quality."""
    return report_examples.run_of(results, **{**report_examples.BARE, **members})


def rows_of(result: Any) -> pd.DataFrame:
    """Rows of one result."""
    return score_table(run({"x": result}))


@pytest.mark.parametrize("kind", [kind for kind in examples.EVERY if kind != "subjects"])
def test_every_row_names_its_chance(kind: str) -> None:
    table = rows_of(examples.EVERY[kind]())
    assert tuple(table.columns) == COLUMNS
    assert table["chance"].notna().all()
    assert (table["fold"] == "mean").any()


def test_medians_over_targets_per_fold_region_and_in_all() -> None:
    result = examples.encoding()
    table = rows_of(result)
    mean = table[table["fold"] == "mean"].iloc[0]
    assert mean["score"] == middle(result.score)
    assert mean["baseline"] == middle(result.baseline)
    assert mean["ceiling"] == middle(np.sqrt(result.ceiling))
    assert mean["held_out"] == f"median of {result.n_targets} targets"
    folds = table[table["fold"].isin(list("12345"))]
    np.testing.assert_allclose(folds["score"], [middle(scores) for scores in result.fold_scores])
    assert folds["held_out"].tolist() == result.fold_names
    at = (result.units["region"] == "V4").to_numpy()
    region = table[table["held_out"] == "region V4"].iloc[0]
    assert region["score"] == middle(result.score[at])
    assert region["ceiling"] == middle(np.sqrt(result.ceiling)[at])
    normalised = table[table["metric"] == "r_normalised"].iloc[0]
    assert (normalised["score"], normalised["ceiling"], normalised["chance"]) == (middle(result.normalised), 1.0, 0.0)


def test_no_p_value_is_made_up_for_a_median() -> None:
    assert rows_of(examples.encoding())["p_value"].isna().all()


def test_without_a_ceiling_there_is_none_in_the_table() -> None:
    table = rows_of(examples.bare())
    assert table["ceiling"].isna().all()
    assert not table["metric"].str.contains("normalised").any()


def test_single_layers_are_parts_and_no_headline() -> None:
    result = examples.layers(3, examples.bare())
    table = rows_of(result)
    layers = table[table["held_out"].str.startswith("layer")]
    assert set(layers["fold"]) == {"part"}
    np.testing.assert_allclose(layers["score"], [np.nanmedian(s) for s in result.scores])
    assert (table["fold"] == "mean").sum() == 1


def test_rdm_models_have_their_corrected_p_and_the_lower_ceiling() -> None:
    result = examples.rdms()
    table = rows_of(result)
    np.testing.assert_array_equal(table["p_value"], result.q)
    np.testing.assert_array_equal(table["score"], result.score)
    assert set(table["ceiling"]) == {0.36}
    assert table["held_out"].tolist() == [f"model {name}" for name in result.models]


def test_parts_of_variance_add_up_in_the_table() -> None:
    table = rows_of(examples.partition(n_spaces=3))
    whole = table[table["fold"] == "mean"]["score"].iloc[0]
    assert table[table["fold"] == "part"]["score"].sum() == pytest.approx(whole)


def test_features_of_the_model_are_no_headline_of_the_leak_check() -> None:
    table = rows_of(examples.leakage()).set_index("held_out")
    assert table.loc["features: yours", "fold"] == "part"
    assert table.loc["features: OASM", "fold"] == "mean"


def test_a_table_of_comparisons_reads_back(tmp_path: Path) -> None:
    contents = run({"encoding": examples.bare(), "rsa": examples.rdms()})
    write(contents, tmp_path)
    table = pd.read_csv(tmp_path / "scores.tsv", sep="\t", na_values="n/a", dtype={"fold": str})
    pd.testing.assert_frame_equal(table, score_table(contents), check_dtype=False)


def test_maps_of_score_normalised_score_and_ceiling() -> None:
    result = examples.encoding()
    found = {m.desc: m for m in maps_of("x", result, run({}))}
    assert list(found) == ["score", "normalised", "ceiling"]
    np.testing.assert_array_equal(found["ceiling"].values, result.ceiling)
    assert found["ceiling"].title == "Noise ceiling ρ"
    assert found["score"].center == result.chance


def test_maps_of_layers_are_those_of_the_chosen_ones() -> None:
    result = examples.layers()
    (first, *_) = maps_of("x", result, run({}))
    np.testing.assert_array_equal(first.values, result.best.score)


@pytest.mark.parametrize(
    "result",
    [
        examples.bare(),
        examples.rdms(),
        examples.leakage(),
        examples.encoding(examples.voxels()[0], examples.voxels()[1], ceiling=None, normalised=None, score=np.full(871, np.nan)),
    ],
    ids=["no place", "rdms", "leakage", "no score"],
)
def test_nothing_to_map(result: Any) -> None:
    assert maps_of("x", result, run({})) == []


def test_maps_are_files_in_which_the_unknown_is_not_zero(tmp_path: Path) -> None:
    result = examples.encoding()
    files = write_maps(run({"encoding": result}), tmp_path)
    assert len(files) == 3
    index = tuple(result.units[["i", "j", "k"]].to_numpy(int).T)
    images = {re.search(r"desc-(\w+?)_", name)[1]: nib.load(tmp_path / name) for name in files}  # type: ignore[index]
    np.testing.assert_allclose(images["normalised"].get_fdata()[index], result.normalised, rtol=1e-6)
    np.testing.assert_allclose(images["ceiling"].get_fdata()[index], result.ceiling, rtol=1e-6)
    np.testing.assert_allclose(images["score"].get_fdata()[index], np.nan_to_num(result.score), rtol=1e-6)
    sidecar = json.loads((tmp_path / files[2].replace(".nii.gz", ".json")).read_text(encoding="utf-8"))
    assert "not of correlation" in sidecar["Description"]


def test_maps_on_a_surface_are_gifti(tmp_path: Path) -> None:
    units = pd.DataFrame({"name": ["L0", "L4", "R1", "R2"], "hemisphere": list("LLRR"), "vertex": [0, 4, 1, 2]})
    space = {"name": "fsaverage5", "type": "surface", "n_vertices": {"L": 5, "R": 6}}
    files = write_maps(run({"encoding": examples.encoding(units, space)}), tmp_path)
    assert len(files) == 6
    assert all(name.endswith(".func.gii") for name in files)


def methods(result: Any) -> str:
    """Methods of one result."""
    return " ".join(comparison_sentences({"x": result}))


def test_methods_of_an_encoding_model() -> None:
    text = methods(examples.encoding())
    for part in (
        "ridge regression [@hoerl1970]", "[@naselaris2011]", "4 delays (2 to 8 s)", "5 folds over 10 runs, each held out whole",
        "the baseline is nuisance features alone (luminance)", "Spearman-Brown corrected [@spearman1910]",
        "r was divided by the root of it where ρ is 0.05 or more", "999 permutations", "in a circle by 20 rows",
        "[@benjamini1995]",
    ):  # fmt: skip
        assert part in text


def test_methods_name_only_what_was_done() -> None:
    text = methods(examples.bare())
    for part in ("ceiling", "permutation", "delay", "@benjamini", "banded"):
        assert part not in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"settings": {"model": "banded"}}, "banded ridge regression, a penalty for each feature space [@nunezelizalde2019"),
        ({"settings": {"delays_s": [4.0]}}, "1 delay (4 s)"),
        ({"ceiling": np.full(30, 0.3), "ceiling_name": "ncsnr"}, "[@allen2022]"),
        ({"ceiling": np.full(30, 0.3), "ceiling_name": "schoppe", "metric": "R2"}, "[@schoppe2016]; R² was divided by it"),
        ({"ceiling": np.full(30, 0.3), "ceiling_name": "split_half"}, "[@spearman1910]"),
        ({"ceiling": np.full(30, 0.3), "ceiling_name": "given"}, "reliabilities that were handed to the analysis"),
        ({"q": np.ones(30), "correction": "by", "n_permutations": 9}, "[@benjamini2001]"),
        ({"q": np.ones(30), "correction": "max", "n_permutations": 9}, "[@nichols2002]"),
        (
            {
                "q": np.ones(30),
                "correction": "bh",
                "n_permutations": 9,
                "settings": {"permutation": {"method": "block", "rows": 1}},
            },
            "trials shuffled",
        ),
        (
            {
                "q": np.ones(30),
                "correction": "bh",
                "n_permutations": 9,
                "settings": {"permutation": {"method": "block", "rows": 7}},
            },
            "blocks of 7 rows",
        ),
    ],
)
def test_methods_follow_the_settings(changes: dict[str, Any], expected: str) -> None:
    assert expected in methods(examples.bare(**changes))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (examples.layers(3, examples.bare()), "one of 3 layers of the model was chosen on the inner folds"),
        (examples.rdms(), "bootstrap draws over conditions and subjects [@schutt2023]"),
        (examples.rdms(measure="whitened_cosine"), "[@diedrichsen2021]"),
        (examples.partition(), "every combination of spaces [@deheer2017]"),
        (examples.partition("shapley"), "Shapley values"),
        (examples.partition("product_measure"), "product measure in the fit of all spaces [@duprelatour2022]"),
        (examples.leakage(), "[@feghhi2024]"),
        (examples.signs(), "256 patterns of flipped signs"),
    ],
)
def test_methods_of_the_other_types(result: Any, expected: str) -> None:
    assert expected in methods(result)


def test_one_subject_has_no_ceiling_in_the_methods() -> None:
    assert "@nili2014" in methods(examples.rdms())
    assert "@nili2014" not in methods(examples.rdms(1))


def test_each_type_is_told_once_and_layers_stand_for_their_encoding_model() -> None:
    sentences = comparison_sentences({"a": examples.layers(2, examples.bare()), "b": examples.bare(), "c": examples.bare()})
    assert len(sentences) == len(set(sentences))
    assert comparison_sentences({"faces": report_examples.faces()}) == []


def test_every_citation_is_in_the_library() -> None:
    results = {kind: make() for kind, make in examples.EVERY.items()}
    assert len(cited(comparison_sentences(results))) > 8
    contents = run({"encoding": examples.encoding(), "rsa": examples.rdms()})
    assert "## Comparison of model and brain" in methods_markdown(contents)
    assert {"hoerl1970", "kriegeskorte2008"} <= {work.key for work in works_of(contents)}
    assert "pedregosa2011" not in {work.key for work in works_of(contents)}  # a ridge of our own
