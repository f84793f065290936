"""`neurodecode demo`: no data needed, digits decoded and reconstructed. The whole demo is slow; a smaller one runs always."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from neurodecode.cli import demo as module
from neurodecode.cli.app import app
from neurodecode.cli.demo import reconstruction_sentences, run_demo
from neurodecode.errors import ConfigError, DataError, OutputExistsError
from neurodecode.pipeline import load_config, verify
from neurodecode.report import load_contents

QUICK = ("reconstruct.generator.training_steps=40", "reconstruct.generator.n_samples=2")
SMALL: dict[str, Any] = {
    "n_runs": 3,
    "n_per_run": 30,
    "settings": ("decode.n_permutations=9", "reconstruct.n_permutations=99", *QUICK),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A demo of three short runs."""
    out = tmp_path_factory.mktemp("demo")
    return out, run_demo(out, seed=0, **SMALL)


def check_demo(results: dict[str, Any]) -> None:
    """What the demo must show."""
    found = results["other_results"]["reconstruction"]
    assert results["metric"] == "balanced_accuracy"
    assert results["chance"] == pytest.approx(0.1)
    assert results["score"] >= 3 * results["chance"]
    assert found["score"] > found["baseline"]
    assert found["score"] > found["chance"]
    assert found["identification"] > 0.7


def test_a_small_demo_decodes_and_reconstructs(small: tuple[Path, Any]) -> None:
    out, results = small
    check_demo(results.results)
    assert results.results["p_value"] == pytest.approx(0.1)
    assert results.results["other_results"]["reconstruction"]["n_images"] == 90
    assert json.loads((out / "results" / "results.json").read_text()) == results.results
    assert verify(out / "results")[1] == []


def test_the_report_shows_digits_beside_reconstructions(small: tuple[Path, Any]) -> None:
    out, _ = small
    page = (out / "results" / "report.html").read_text(encoding="utf-8")
    assert "shown above their reconstructions" in page
    assert "Pixel correlation" in page
    assert "simulated" in page.lower(), "nobody may take it for a real brain"
    contents = load_contents(out / "results")
    shown = contents.results["reconstruction"]
    assert shown.images.shape == shown.reconstructions.shape == (90, 32, 32, 3)
    assert "by ridge, one sample, mean of 2 samples, mean image" in page.replace("&#39;", "'")
    for name in ("one sample", "mean of 2 samples", "mean image"):
        assert contents.results[name].stimuli == shown.stimuli
    assert contents.results["mean image"].score == pytest.approx(shown.baseline)
    assert contents.results["mean image"].identification == pytest.approx(0.5)


def test_the_generator_learned_digits_that_nobody_was_shown(small: tuple[Path, Any]) -> None:
    from neurodecode.generate import load_generator
    from neurodecode.io.stimuli import image_files, read_image_folder

    out, _ = small
    unseen = out / "data" / "sourcedata" / "unseen"
    assert len(image_files(unseen)) == 1797 - 90
    model = load_generator(out / "results" / "generator" / "generator")
    shown = load_contents(out / "results").results["reconstruction"].images
    assert not model.has_seen(shown).any()
    assert model.has_seen([read_image_folder(unseen).items[0]]).all()


def test_the_generator_is_not_trained_again(small: tuple[Path, Any]) -> None:
    out, _ = small
    again = run_demo(out, seed=0, **{**SMALL, "settings": (*SMALL["settings"], "reconstruct.n_permutations=9")})
    states = {status.name: status.state for status in again.statuses}
    assert states["generator"] == "skipped"
    assert states["sub-01 decode"] == "done"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("reconstruct.generator={}", "either folder or images"),
        ("reconstruct.generator={images: sourcedata/nothing}", "no folder 'sourcedata/nothing'"),
        ("reconstruct.generator={images: ..}", "no folder '..'"),
        ("reconstruct.generator={folder: nowhere}", "no folder nowhere"),
    ],
)
def test_a_generator_that_cannot_be_is_refused(small: tuple[Path, Any], tmp_path: Path, setting: str, message: str) -> None:
    from neurodecode.pipeline import run_pipeline

    with pytest.raises(ConfigError, match=message):
        run_pipeline(load_config("digits_demo", [setting]), small[0] / "data", tmp_path / "results")


def test_what_the_report_shows_besides(small: tuple[Path, Any]) -> None:
    contents = load_contents(small[0] / "results")
    assert contents.dataset["name"].startswith("Handwritten digits")


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "data" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("precious")
    with pytest.raises(OutputExistsError, match="data"):
        run_demo(tmp_path, **SMALL)
    assert mine.read_text() == "precious"


@pytest.mark.parametrize(("options", "error"), [({"settings": ("decode.colour=red",)}, ConfigError), ({"n_runs": 0}, DataError)])
def test_mistakes_leave_nothing_behind(tmp_path: Path, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        run_demo(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_the_command_passes_its_options_on_and_says_what_it_found(
    small: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def run(out: Path, **options: Any) -> Any:
        given.update(options, out=out)
        return small[1]

    monkeypatch.setattr(module, "run_demo", run)
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "x"), "--seed", "7", "--jobs", "2"])
    assert done.exit_code == 0, done.output
    assert (given["out"], given["seed"], given["jobs"], given["settings"]) == (tmp_path / "x", 7, 2, ())
    lines = done.stdout.splitlines()
    assert lines[0].startswith("balanced_accuracy 0.")
    assert "chance 0.100" in lines[0]
    assert lines[1].startswith("pixcorr 0.")
    assert "mean training image 0." in lines[1]
    assert lines[2].startswith("beside each other: ridge 0.")
    assert lines[3] == f"report: {tmp_path / 'x' / 'results' / 'report.html'}"


def test_it_goes_without_a_generator(small: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(module, "run_demo", lambda out, **options: given.update(options) or small[1])
    assert CliRunner().invoke(app, ["demo", "--out", str(tmp_path), "--no-generator"]).exit_code == 0
    config = load_config("digits_demo", list(given["settings"]))
    assert config.reconstruct.generator is None


def test_the_default_folder_is_named_in_the_help() -> None:
    shown = CliRunner().invoke(app, ["demo", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).stdout
    assert "neurodecode_demo" in shown
    assert "downloaded" in shown


def test_without_permutations_the_sentence_claims_no_test() -> None:
    found = {"metric": "pixcorr", "score": 0.8, "chance": 0.5, "p_value": None, "n_permutations": 0, "n_images": 4}
    rest = {"baseline": 0.6, "baseline_name": "mean training image", "split": "leave-one-run-out over 2 folds"}
    (line,) = reconstruction_sentences({"other_results": {"reconstruction": {**found, **rest}}})
    assert "not tested" in line


def test_the_demo_is_a_public_pipeline() -> None:
    config = load_config("digits_demo")
    assert config.pipeline == "fmri_decoding"
    assert config.input.space == "fsaverage5"
    assert config.reconstruct is not None
    assert config.reconstruct.stimulus == "stimulus"


@pytest.mark.slow
def test_the_whole_demo_is_quick_small_and_good(tmp_path: Path) -> None:
    """At most 8 min on two quiet cores, and 3 GB of memory; the mean of samples beats the ridge."""
    command = [sys.executable, "-c", "from neurodecode.cli import main; main()", "demo", "--jobs", "2"]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - start < 480
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024  # of one process; there are three at most
    assert 3 * largest < 3e9
    results = json.loads((tmp_path / "neurodecode_demo" / "results" / "results.json").read_text())
    check_demo(results)
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert again.stderr.count(": skipped (") == 8, "the same data, so nothing is computed again"
    assert again.stdout == done.stdout
    found = results["other_results"]
    assert found["mean of 8 samples"]["score"] > found["reconstruction"]["score"]
    assert results["score"] > 0.6
    assert results["p_value"] == pytest.approx(0.02)
