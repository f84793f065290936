"""The pipeline of dynamic connectomes: simulated worms, arrays of a file, and mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neurodecode.errors import ConfigError, DataError, NeurodecodeError
from neurodecode.pipeline import load_config, run_pipeline, verify
from neurodecode.pipeline.connectome import shared_names
from neurodecode.report import load_contents
from neurodecode.simulate import planted_traces

QUICK = ["analysis.ranks=[2,3]", "analysis.n_restarts=2", "analysis.n_splits=2"]
SMALL = ["input.simulate={n_neurons: 20, n_times: 200, n_animals: 5, missing: 0.1}", *QUICK]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of simulated worms."""
    out = tmp_path_factory.mktemp("worms")
    run_pipeline(load_config("connectome_simulated", SMALL), out / "data", out)
    return out


def test_simulated_worms_are_analysed_and_reported(finished: Path) -> None:
    found = json.loads((finished / "results.json").read_text())
    assert found["metric"] == "explained share"
    assert found["score"] > found["chance"] > 0
    assert found["rank"] in (2, 3)
    assert len(found["ranks"]) == 2
    page = (finished / "report.html").read_text()
    assert "squared affinities" in page
    assert "Simulated data: no animal was recorded." in page
    assert verify(finished)[1] == []


def test_results_keep_their_type(finished: Path) -> None:
    (result,) = load_contents(finished).results.values()
    assert type(result).__name__ == "ConnectomeResult"
    assert result.graphs.shape == (result.rank, 20, 20)


def test_an_array_of_a_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    traces = planted_traces(20, 200, 4, random_state=1).traces.transpose(0, 2, 1)
    np.savez(data / "own.npz", activity=traces)
    settings = ["input.file=own.npz", "input.array=activity", "input.sfreq=4.0", "input.n_names=16", "input.simulate=null"]
    run_pipeline(load_config("connectome_simulated", [*settings, *QUICK, "analysis.null=false"]), data, tmp_path / "out")
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (found["n_samples"], found["n_names"]) == (4, 16)
    assert found["chance"] is None


def test_names_that_samples_share_are_kept() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((5, 100, 6)).astype(np.float32)
    values[:, :, [1, 4]] += 2 * rng.standard_normal((100, 2)).astype(np.float32)
    assert shared_names(values, 2).tolist() == [1, 4]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["input.simulate=null"], "one of file, dataset and simulate"),
        (["input.simulate=null", "input.file=x.npz"], "array and sfreq"),
        (["input.simulate={n_worms: 3}"], "n_worms"),
    ],
)
def test_mistakes_are_told(settings: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        run_pipeline(load_config("connectome_simulated", settings), tmp_path / "data", tmp_path / "out")


@pytest.mark.parametrize(("name", "kind"), [("../own.npz", ConfigError), ("other.npz", NeurodecodeError)])
def test_files_elsewhere_are_refused(name: str, kind: type[Exception], tmp_path: Path) -> None:
    settings = ["input.simulate=null", f"input.file={name}", "input.array=a", "input.sfreq=1.0"]
    with pytest.raises(kind):
        run_pipeline(load_config("connectome_simulated", settings), tmp_path, tmp_path / "out")


def test_an_array_of_two_dimensions_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "flat.npz", a=np.ones((4, 5)))
    settings = ["input.simulate=null", "input.file=flat.npz", "input.array=a", "input.sfreq=1.0"]
    with pytest.raises((DataError, NeurodecodeError), match="n_samples, n_times, n_names"):
        run_pipeline(load_config("connectome_simulated", settings), tmp_path, tmp_path / "out")
