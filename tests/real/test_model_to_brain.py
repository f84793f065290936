"""The pipelines that compare models with a brain on real data: figures of the sets' descriptions, and what damage does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodecode.errors import ConfigError, CorruptFileError, FormatError
from neurodecode.pipeline import load_config, named_pipelines, run_pipeline, verify
from neurodecode.report import load_contents

SCORES = {"animacy": 0.424, "FaceBodyManmadeNatobj": 0.313, "EVA": 0.382, "HMAX": 0.205, "V1": 0.046, "pixels": 0.090}
QUICK_RDMS = ["rsa.n_bootstrap=50"]


@pytest.fixture(scope="module")
def objects(real: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A finished comparison of the 92 objects: its folder and its results."""
    out = tmp_path_factory.mktemp("objects") / "out"
    found = run_pipeline(load_config("objects92_rsa", QUICK_RDMS), real("objects92"), out)
    return out, found


@pytest.fixture(scope="module")
def words(real: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A finished comparison of words with the EEG: its folder and its results."""
    out = tmp_path_factory.mktemp("words") / "out"
    found = run_pipeline(load_config("priming_n400", ["encode.n_permutations=19"]), real("priming_n400"), out)
    return out, found


def scores_of(found: Any, name: str) -> dict[str, float]:
    """Score of each model in one of the further results."""
    return {row["model"]: row["score"] for row in found.results["other_results"][name]["models"]}


def test_models_score_as_the_set_says(objects: tuple[Path, Any]) -> None:
    found = scores_of(objects[1], "rsa human (mean)")
    assert {name: found[name] for name in SCORES} == pytest.approx(SCORES, abs=0.001)
    assert scores_of(objects[1], "measured human") == pytest.approx({"monkey": 0.354}, abs=0.001)


def test_data_are_no_model(objects: tuple[Path, Any]) -> None:
    assert all("monkeyIT" not in scores_of(objects[1], name) for name in ("rsa human (mean)", "rsa monkey"))
    models = load_contents(objects[0]).results["rsa human"].models
    assert models == [*(name for name in models if name not in ("pixels", "low-level")), "pixels", "low-level"]


def test_people_have_a_ceiling_and_one_mean_has_none(objects: tuple[Path, Any]) -> None:
    results = objects[1].results
    low, high = results["ceiling"]
    assert 0 < low < high < 1
    assert results["of"].startswith("animacy")
    assert results["q"] < 0.001
    assert results["other_results"]["rsa human (mean)"]["ceiling"] == [None, None]
    for text in ("chance 0", "ceiling 0.", "q = ", "pixels 0.0", "92 conditions", "new stimuli, these subjects"):
        assert text in objects[1].sentence


def test_association_strength_predicts_the_n400_at_the_centre(words: tuple[Path, Any]) -> None:
    peak = words[1].results["largest"]
    assert peak["unit"] in ("Pz", "Cz", "CP1", "CP2", "P3", "P4")
    assert 0.3 <= peak["time"] <= 0.5
    assert peak["score"] > 0.4
    assert peak["score"] > peak["baseline"] + 0.2
    result = load_contents(words[0]).results["encoding"]
    assert result.score.shape == (32, 60)
    before = result.score[:, result.times < 0]
    assert abs(np.median(before)) < 0.15
    assert words[1].results["other_results"]["word features"]["largest"]["score"] < peak["score"]


def test_trials_are_held_out_in_blocks(words: tuple[Path, Any]) -> None:
    assert "5 contiguous blocks of a single run" in words[1].results["split"]
    assert "chance 0" in words[1].sentence
    assert "permutations" in words[1].sentence


@pytest.mark.parametrize("which", ["objects", "words"])
def test_a_second_run_skips_all(which: str, request: pytest.FixtureRequest, real: Callable[..., Path]) -> None:
    out, _ = request.getfixturevalue(which)
    name, data, quick = {
        "objects": ("objects92_rsa", "objects92", QUICK_RDMS),
        "words": ("priming_n400", "priming_n400", ["encode.n_permutations=19"]),
    }[which]
    before = (out / "results.json").read_bytes()
    again = run_pipeline(load_config(name, quick), real(data), out)
    assert {status.state for status in again.statuses} == {"skipped"}
    assert (out / "results.json").read_bytes() == before
    assert verify(out)[1] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["measured.human=hit_rdm"], "measured.human: objects92.npz holds no 'hit_rdm'.*hit_rdms"),
        (["leave_out=[monkey]"], "leave_out: there is no model 'monkey'.*monkeyIT"),
        (["input.file=../objects92.npz"], "input.file: expected the name of a file"),
        (["images=categories"], "images: expected uint8 of shape"),
        (["model_names=categories"], "model_names: 8 model RDMs need as many different names"),
        (["measured={a: images}"], "measured.a: expected RDMs"),
    ],
)
def test_wrong_settings_of_rdms_are_named(real: Callable[..., Path], tmp_path: Path, settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_pipeline(load_config("objects92_rsa", [*QUICK_RDMS, *settings]), real("objects92"), tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["input.word=wort"], "input.word: the metadata have no column 'wort'"),
        (["input.predictors=[cue]"], "input.predictors: column 'cue' is not numeric"),
    ],
)
def test_wrong_settings_of_epochs_are_named(real: Callable[..., Path], tmp_path: Path, settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_pipeline(load_config("priming_n400", settings), real("priming_n400"), tmp_path)


@pytest.mark.parametrize(("pipeline", "name"), [("objects92_rsa", "objects92.npz"), ("priming_n400", "priming_n400-epo.fif")])
def test_damaged_and_missing_files_are_named(real: Callable[..., Path], tmp_path: Path, pipeline: str, name: str) -> None:
    with pytest.raises(FormatError, match="no such file"):
        run_pipeline(load_config(pipeline), tmp_path, tmp_path / "out")
    file = tmp_path / name
    shutil.copy(real(name.split(".")[0].removesuffix("-epo"), name), file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CorruptFileError, match=name):
        run_pipeline(load_config(pipeline), tmp_path, tmp_path / "out")


@pytest.mark.slow
def test_the_command_prints_the_sentence_and_names_what_is_wrong(real: Callable[..., Path], tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from neurodecode.cli import main; main()",
        "run",
        "objects92_rsa",
        "--data",
        str(real("objects92")),
    ]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--set", "rsa.n_bootstrap=20"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("spearman 0.3")
    wrong = subprocess.run([*command, "--out", str(tmp_path / "out"), "--set", "rsa.n=2"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert wrong.stderr.strip().count("\n") == 0
    assert "rsa.n" in wrong.stderr


def test_the_pipelines_are_listed() -> None:
    assert {"model_to_brain", "objects92_rsa", "priming_n400"} <= set(named_pipelines())
