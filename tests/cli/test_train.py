"""``neurodecode train``: planted embeddings are found, runs go on, mistakes are one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_decoding import QUICK, responses_and_features, write_task
from typer.testing import CliRunner

from neurodecode.cli.app import app
from neurodecode.errors import ConfigError, DataError, SplitLeakError
from neurodecode.models import BrainProjector
from neurodecode.train import read_curve
from neurodecode.train.contrastive import Held, pair, split_rows
from neurodecode.train.contrastive_loss import KINDS


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def test_planted_embeddings_are_found_from_disk_to_score(tmp_path: Path) -> None:
    config = write_task(tmp_path)
    done = invoke(config, "--seeds", 2)
    assert done.exit_code == 0, done.output
    assert "chance 0.056" in done.output
    results = json.loads((tmp_path / "decoder" / "results.json").read_text())
    assert [result["seed"] for result in results] == [0, 1]
    for result in results:
        assert result["n_candidates"] == 18
        assert result["top_k"]["1"] > 0.7 > 10 * result["chance"]["1"]
        assert result["n_samples"] == {"train": 168, "validation": 36, "test": 36}
        assert result["selected_on"] == "validation"
    run = tmp_path / "decoder" / "seed-0"
    curve = read_curve(run)
    assert curve["validation_loss"].min() == pytest.approx(results[0]["validation_loss"])
    network = BrainProjector.load(run / "network")
    assert network.config["n_outputs"] == 8
    assert float(network.input_scale.min()) > 1, "responses are standardised by the training samples"


def test_shuffled_stimuli_are_at_chance(tmp_path: Path) -> None:
    from neurodecode.data import save

    config = write_task(tmp_path)
    responses, _ = responses_and_features()
    wrong = np.random.default_rng(3).permutation(120)
    samples = responses.samples.assign(stimulus=[f"image{wrong[int(s[5:])]:03d}" for s in responses.samples["stimulus"]])
    save(responses.replace(samples=samples), tmp_path / "responses")
    assert invoke(config).exit_code == 0
    result = json.loads((tmp_path / "decoder" / "seed-0" / "result.json").read_text())
    assert result["top_k"]["1"] < 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_every_loss_learns(tmp_path: Path, kind: str) -> None:
    config = write_task(tmp_path, noise=0.3, loss={"kind": kind}, network={"hidden": 32}, trainer={**QUICK, "epochs": 25})
    done = invoke(config)
    assert done.exit_code == 0, done.output
    result = json.loads((tmp_path / "decoder" / "seed-0" / "result.json").read_text())
    assert result["top_k"]["1"] > 0.5, kind


def test_a_run_goes_on_or_is_refused(tmp_path: Path) -> None:
    config = write_task(tmp_path, trainer={**QUICK, "epochs": 2})
    assert invoke(config).exit_code == 0
    before = (tmp_path / "decoder" / "seed-0" / "result.json").read_bytes()
    again = invoke(config)
    assert "resume it" in str(again.exception)
    assert invoke(config, "--resume").exit_code == 0
    assert (tmp_path / "decoder" / "seed-0" / "result.json").read_bytes() == before


def test_a_signal_is_told_by_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    from neurodecode.train.log import MetricLog

    write = MetricLog.write

    def stop(self: MetricLog, record: dict[str, Any]) -> None:
        write(self, record)
        if record["step"] == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(MetricLog, "write", stop)
    config = write_task(tmp_path)
    stopped = invoke(config, "--seeds", 2)
    assert stopped.exit_code == 128 + signal.SIGTERM
    assert not (tmp_path / "decoder" / "seed-1").exists()
    monkeypatch.undo()
    assert invoke(config, "--resume").exit_code == 0


@pytest.mark.slow
def test_two_processes_under_torchrun(tmp_path: Path) -> None:
    config = write_task(tmp_path)
    code = "from neurodecode.cli import main; main()"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    command = [*launch, sys.executable, "-c", code, "train", str(config), "--out"]
    done = subprocess.run([*command, str(tmp_path / "two")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert invoke(config, "--out", tmp_path / "one").exit_code == 0
    one, two = (read_curve(tmp_path / name / "seed-0") for name in ("one", "two"))
    np.testing.assert_allclose(two["loss"], one["loss"], atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "contrastiv"}, "did you mean 'contrastive'"),
        ({"task": "os.system"}, "task: 'os.system' is unknown"),
        ({"feature": "x"}, "unknown key 'feature': did you mean 'features'"),
        ({"trainer": {"epochs": 0}}, "trainer.epochs"),
        ({"split": {"test": 1.5}}, "split.test"),
    ],
)
def test_mistakes_in_the_configuration(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    error = invoke(write_task(tmp_path, **changes)).exception
    assert isinstance(error, ConfigError)
    assert message in str(error)


class TestParts:
    @pytest.mark.parametrize("unit", ["stimulus", "run"])
    def test_groups_are_whole(self, unit: str) -> None:
        responses, _ = responses_and_features(n_repeats=5)
        parts = split_rows(responses, Held(unit=unit, validation=0.2, test=0.2))
        assert sorted(np.concatenate(parts).tolist()) == list(range(600))
        sides = [set(responses.samples[unit].iloc[rows]) for rows in parts]
        assert sum(map(len, sides)) == len(set.union(*sides)), "a group stands on two sides"
        assert [len(rows) for rows in parts] == [360, 120, 120]

    def test_groups_by_name(self) -> None:
        responses, _ = responses_and_features(n_repeats=3)
        parts = split_rows(responses, Held(unit="run", validation=["1"], test=["2"]))
        assert [set(responses.samples["run"].iloc[rows]) for rows in parts] == [{0}, {1}, {2}]
        with pytest.raises(DataError, match="'7'"):
            split_rows(responses, Held(unit="run", test=["7"]))
        with pytest.raises((DataError, SplitLeakError)):
            split_rows(responses, Held(unit="run", validation=["1"], test=["1"]))

    def test_the_features_of_what_was_shown(self) -> None:
        responses, features = responses_and_features()
        pairs = pair(responses, features.select(np.arange(120)[::-1]))
        row = responses.samples["stimulus"].tolist().index("image007")
        assert np.array_equal(pairs.targets[row], features.data[7])
        with pytest.raises(DataError, match="have no features, e.g. stimulus"):
            pair(responses, features.select(np.arange(100)))
        with pytest.raises(DataError, match="2 rows for stimulus 'image000'"):
            pair(responses, features.select(np.r_[0, np.arange(120)]))
        holed = np.array(responses.data)
        holed[3, 2] = np.nan
        with pytest.raises(DataError, match="NaN"):
            pair(responses.replace(data=holed), features)
