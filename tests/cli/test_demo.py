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
from neurodecode.cli.demo import reconstruction_sentence, run_demo
from neurodecode.errors import ConfigError, DataError, OutputExistsError
from neurodecode.pipeline import load_config, verify
from neurodecode.report import load_contents

SMALL: dict[str, Any] = {"n_runs": 3, "n_per_run": 30, "settings": ("decode.n_permutations=9", "reconstruct.n_permutations=99")}


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
    assert (given["out"], given["seed"], given["jobs"]) == (tmp_path / "x", 7, 2)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("balanced_accuracy 0.")
    assert "chance 0.100" in lines[0]
    assert lines[1].startswith("pixcorr 0.")
    assert "mean training image 0." in lines[1]
    assert lines[2] == f"report: {tmp_path / 'x' / 'results' / 'report.html'}"


def test_the_default_folder_is_named_in_the_help() -> None:
    shown = CliRunner().invoke(app, ["demo", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).stdout
    assert "neurodecode_demo" in shown
    assert "downloaded" in shown


def test_without_permutations_the_sentence_claims_no_test() -> None:
    found = {"metric": "pixcorr", "score": 0.8, "chance": 0.5, "p_value": None, "n_permutations": 0, "n_images": 4}
    rest = {"baseline": 0.6, "baseline_name": "mean training image", "split": "leave-one-run-out over 2 folds"}
    assert "not tested" in reconstruction_sentence({"other_results": {"reconstruction": {**found, **rest}}})


def test_the_demo_is_a_public_pipeline() -> None:
    config = load_config("digits_demo")
    assert config.pipeline == "fmri_decoding"
    assert config.input.space == "fsaverage5"
    assert config.reconstruct is not None
    assert config.reconstruct.stimulus == "stimulus"


@pytest.mark.slow
def test_the_whole_demo_is_quick_small_and_good(tmp_path: Path) -> None:
    """Issue figure: at most 6 min on two cores and 3 GB of memory."""
    command = [sys.executable, "-c", "from neurodecode.cli import main; main()", "demo", "--jobs", "2"]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - start < 360
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024  # of one process; there are three at most
    assert 3 * largest < 3e9
    results = json.loads((tmp_path / "neurodecode_demo" / "results" / "results.json").read_text())
    check_demo(results)
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert again.stderr.count(": skipped (") == 7, "the same data, so nothing is computed again"
    assert again.stdout == done.stdout
    assert results["score"] > 0.6
    assert results["p_value"] == pytest.approx(0.02)
