"""A training on the page: every seed, chance, baseline, and the curve with the step that was kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import report_examples as examples

from neurodecode.report import figures, load_contents, save_contents
from neurodecode.report.scores import score_table
from neurodecode.report.sections import result_sections
from neurodecode.train.summary import TrainedRetrieval


def trained(**changes: Any) -> TrainedRetrieval:
    """Two made-up seeds."""
    curve = pd.DataFrame({"step": [1, 2, 3, 4], "epoch": [0, 0, 1, 1], "loss": [4.0, 3.0, 2.0, 1.0], "lr": 0.1})
    curve["validation_loss"] = [None, 3.5, None, 3.8]
    members: dict[str, Any] = {
        "metric": "retrieval_top_1",
        "scores": {"0": 0.5, "1": 0.7},
        "chance": 0.1,
        "baseline": 0.4,
        "baseline_name": "ridge",
        "n_candidates": 10,
        "best_steps": {"0": 2, "1": 4},
        "curves": {"0": curve, "1": curve + 0.1},
        "split": "held out by stimulus; weights chosen on the validation part",
    }
    members["curves"]["1"]["step"] = curve["step"]
    return TrainedRetrieval(**{**members, **changes})


def test_the_section_says_score_spread_chance_and_baseline() -> None:
    (section,) = result_sections(examples.run_of({"training": trained()}))
    text = " ".join(section.sentences).replace("\N{NO-BREAK SPACE}", " ")
    assert "top-1 retrieval is 0.600 (standard deviation over seeds 0.141) among 10 candidates; chance is 0.1" in text
    assert "The baseline (ridge, fitted on the same samples) reaches 0.400." in text
    assert "below this baseline" not in text
    (worse,) = result_sections(examples.run_of({"training": trained(baseline=0.9)}))
    assert "below this baseline" in " ".join(worse.sentences)
    assert section.tables[0].frame["weights of step"].tolist() == [2, 4]


def test_the_curve_marks_the_step_that_was_kept() -> None:
    lines = figures.loss_curves(trained()).axes[0].lines
    assert lines[0].get_ydata().tolist() == [4.0, 3.0, 2.0, 1.0]
    dots = [line for line in lines if line.get_marker() == "o"]
    assert [(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots] == [(2, 3.5), (4, pytest.approx(3.9))]


def test_without_validation_there_is_the_training_loss() -> None:
    bare = {"0": trained().curves["0"].drop(columns="validation_loss")}
    assert len(figures.loss_curves(trained(curves=bare)).axes[0].lines) == 1


def test_the_table_of_scores_has_each_seed_and_the_mean() -> None:
    table = score_table(examples.run_of({"training": trained()}))
    assert table["fold"].tolist() == ["seed 0", "seed 1", "mean"]
    assert table["score"].tolist() == pytest.approx([0.5, 0.7, 0.6])
    assert set(table["chance"]) == {0.1}


def test_it_comes_back_from_disk(tmp_path: Path) -> None:
    save_contents(examples.run_of({"training": trained()}, **examples.BARE), tmp_path)
    back = load_contents(tmp_path).results["training"]
    assert back.scores == trained().scores
    pd.testing.assert_frame_equal(back.curves["0"], trained().curves["0"], check_dtype=False)
    assert trained(scores={"0": 0.5}).spread is None
