"""The tidy table of scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import report_examples as examples

from neurodecode.report import write
from neurodecode.report.scores import COLUMNS, chance_of, score_table


def test_one_row_per_fold_and_one_for_their_mean() -> None:
    result = examples.objects()
    table = score_table(examples.run_of({"decoding": result}))
    assert tuple(table.columns) == COLUMNS
    folds = table[~table["fold"].isin(["mean", "pooled"])]
    np.testing.assert_allclose(folds["score"], result.fold_scores)
    assert folds["held_out"].tolist() == result.fold_names
    mean = table[table["fold"] == "mean"].iloc[0]
    assert (mean["score"], mean["chance"], mean["baseline"], mean["p_value"]) == (0.484375, 0.125, 0.28, 0.005)


@pytest.mark.parametrize("kind", examples.EVERY)
def test_every_row_names_its_chance_level(kind: str) -> None:
    table = score_table(examples.run_of({kind: examples.EVERY[kind]()}))
    assert len(table)
    assert table["chance"].notna().all()
    assert set(table["result"]) == {kind}
    assert set(table["pipeline"]) == {"eeg_faces"}


@pytest.mark.parametrize(
    ("kind", "score", "where"),
    [
        ("across time", 0.7, "trained at 260 ms, tested at 260 ms"),
        ("searchlight", 0.8, "best unit 9_3_3"),
    ],
)
def test_maps_and_matrices_have_their_best_place(kind: str, score: float, where: str) -> None:
    row = score_table(examples.run_of({kind: examples.EVERY[kind]()})).iloc[0]
    assert row["score"] == pytest.approx(score, abs=0.01)
    assert row["held_out"] == where


def test_regions_have_the_p_value_corrected_over_regions() -> None:
    table = score_table(examples.run_of({"regions": examples.regions()}))
    assert table["p_value"].tolist() == [0.03, 0.03, 0.9]
    assert table["held_out"].tolist() == ["region V1", "region FFA", "region Motor cortex"]


def test_a_course_of_missing_values_has_a_missing_score() -> None:
    result = examples.over_time(mean=np.full(100, np.nan), p_values=None)
    assert score_table(examples.run_of({"course": result}))["score"].isna().all()


@pytest.mark.parametrize(("metric", "expected"), [("balanced_accuracy", 0.125), ("roc_auc", 0.5), ("r2_pooled", 0.0)])
def test_chance_of_other_metrics(metric: str, expected: float) -> None:
    assert chance_of(metric, examples.objects()) == expected


def test_chance_of_accuracy_is_the_share_of_the_largest_class() -> None:
    result = examples.faces(confusion=np.array([[60, 15], [5, 20]]))
    assert chance_of("accuracy", result) == 0.75


def test_chance_of_an_unknown_metric_is_missing() -> None:
    assert np.isnan(chance_of("wonder", examples.objects()))


def test_the_file_reads_back(tmp_path: Path) -> None:
    contents = examples.run_of({"decoding": examples.faces(patterns=None)}, **examples.BARE)
    write(contents, tmp_path)
    table = pd.read_csv(tmp_path / "scores.tsv", sep="\t", na_values="n/a", dtype={"fold": str})
    pd.testing.assert_frame_equal(table, score_table(contents), check_dtype=False)


def test_a_table_as_result_adds_no_scores() -> None:
    assert not len(score_table(examples.run_of({"contacts": examples.contact_table()})))
