"""``neurodecode live``: a file played again gives the predictions of the whole file, and mistakes are one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from stream_data import HOPPING, LOCKED, fitted, planted
from typer.testing import CliRunner

from neurodecode.cli.app import app
from neurodecode.cli.live import _LiveLine
from neurodecode.data import save
from neurodecode.decode import StreamDecoder
from neurodecode.errors import ConfigError, DataError, FormatError, OutputExistsError
from neurodecode.io import ReplaySource


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording and two decoders for live use."""
    root = tmp_path_factory.mktemp("live")
    save(planted(5, 12), root / "recording")
    fitted(LOCKED).save(root / "locked")
    fitted(HOPPING).save(root / "hopping")
    return root


def invoke(folders: Path, decoder: str, *arguments: object) -> Any:
    source = ["--source", f"replay:{folders / 'recording'}", "--decoder", str(folders / decoder), "--fast"]
    return CliRunner().invoke(app, ["live", *source, *map(str, arguments)])


def test_predictions_are_those_of_the_whole_file(folders: Path, tmp_path: Path) -> None:
    done = invoke(folders, "locked", "--out", tmp_path / "out", "--chunk", 0.05)
    assert done.exit_code == 0, done.output
    offline = StreamDecoder.load(folders / "locked").offline(planted(5, 12))
    table = pd.read_csv(tmp_path / "out" / "predictions.tsv", sep="\t", na_values="n/a")
    assert table["label"].tolist() == offline.predictions["label"].tolist()
    np.testing.assert_allclose(table["score"], offline.predictions["score"], atol=1e-5)
    assert table["valid"].all()
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    np.testing.assert_allclose([line["values"] for line in lines], offline.values, atol=1e-5)
    latency = json.loads((tmp_path / "out" / "latency.json").read_text())
    assert latency["n_decoded"] == len(table)
    assert latency["percentiles"]["compute"]["p99"] > 0
    assert [part["part"] for part in latency["latency"]][-1] == "sum"
    assert (tmp_path / "out" / "latency.svg").read_bytes().startswith(b"<?xml")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        ["latency.json", "latency.svg", "predictions.jsonl", "predictions.tsv"]
    )
    assert f"{len(table)} of {len(table)} windows decoded" in done.output
    assert "predictions: " in done.output


def test_windows_of_a_folder_can_be_changed(folders: Path) -> None:
    done = invoke(folders, "hopping", "--hop", 0.5, "--duration", 3)
    assert "6 of 6 windows decoded in 3.0 s" in done.output, done.output
    only = invoke(folders, "locked", "--events", "face")
    n_faces = int((planted(5, 12).events["trial_type"] == "face").sum())
    assert f"{n_faces} of {n_faces} windows" in only.output


def test_a_plain_decoder_with_its_chain_beside_it(folders: Path, tmp_path: Path) -> None:
    (decoder, chain) = folders / "locked" / "decoder", folders / "locked" / "chain.json"
    options = ["--chain", chain, "--window=-0.05,0.3", "--events", "face", "--events", "house", "--out", tmp_path / "out"]
    done = invoke(folders, "locked/decoder", *options)
    assert done.exit_code == 0, done.output
    invoke(folders, "locked", "--out", tmp_path / "whole")
    columns = ["start", "stop", "label", "score"]
    one, two = (pd.read_csv(tmp_path / n / "predictions.tsv", sep="\t", usecols=columns) for n in ("out", "whole"))
    pd.testing.assert_frame_equal(one, two)
    assert (decoder / "config.json").is_file()


@pytest.mark.parametrize(
    ("decoder", "options", "error", "message"),
    [
        ("locked/decoder", [], ConfigError, "has no stream.json: give --chain and --window, got --chain None"),
        ("locked", ["--chain", "chain.json"], ConfigError, "has a chain of its own"),
        ("locked", ["--window", "a,b"], ConfigError, "got 'a,b'"),
        ("locked", ["--window", "1,2,3"], ConfigError, "got '1,2,3'"),
        ("locked", ["--window=-0.05,0.2"], DataError, "the decoder was fitted on"),
        ("locked", ["--markers", "Task"], ConfigError, "--markers Task is for lsl:NAME"),
        ("locked", ["--trigger", "STI"], DataError, "there is no trigger channel 'STI'"),
        ("nothing", ["--chain", "chain.json", "--window", "1"], FormatError, "no saved decoder"),
    ],
)
def test_mistakes(folders: Path, decoder: str, options: list[str], error: type[Exception], message: str) -> None:
    found = invoke(folders, decoder, *options)
    assert isinstance(found.exception, error), found.output
    assert message in str(found.exception)


def test_a_stream_of_the_laboratory_is_not_fast(folders: Path) -> None:
    arguments = ["live", "--source", "lsl:EEG", "--decoder", str(folders / "locked"), "--fast"]
    found = CliRunner().invoke(app, arguments).exception
    assert isinstance(found, ConfigError)
    assert "--fast is for replay:FILE, 'lsl:EEG' comes at its own pace" in str(found)


def test_an_earlier_session_is_not_written_over(folders: Path, tmp_path: Path) -> None:
    assert invoke(folders, "locked", "--out", tmp_path).exit_code == 0
    before = (tmp_path / "predictions.jsonl").read_bytes()
    again = invoke(folders, "locked", "--out", tmp_path)
    assert isinstance(again.exception, OutputExistsError)
    assert (tmp_path / "predictions.jsonl").read_bytes() == before


def test_notes_are_said(folders: Path, tmp_path: Path) -> None:
    stream = StreamDecoder.load(folders / "locked")
    stream.notes = ["the decoder was fitted on something else"]
    stream.save(tmp_path / "noted")
    done = CliRunner().invoke(
        app, ["live", "--source", f"replay:{folders / 'recording'}", "--decoder", str(tmp_path / "noted"), "--fast"]
    )
    assert "neurodecode: note: the decoder was fitted on something else" in done.output


def test_the_live_line_in_a_terminal(folders: Path) -> None:
    shown: list[str] = []
    with _LiveLine() as line:
        line._status = type("Status", (), {"update": lambda self, text: shown.append(text), "stop": lambda self: None})()
        stream = StreamDecoder.load(folders / "locked")
        for predictions in stream.follow(ReplaySource(planted(5, 12))):
            line.show(stream, predictions)
    assert len(shown) > 3
    assert "after face: face " in " ".join(shown)
    assert "0 invalid" in shown[-1]


def test_ctrl_c_ends_a_session_and_everything_is_written(folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    save(planted(5, 120), tmp_path / "recording")  # a minute: the signal has to come before its end
    code = "from neurodecode.cli import main; main()"
    source = f"replay:{tmp_path / 'recording'}"
    arguments = ["live", "--source", source, "--decoder", str(folders / "hopping"), "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while time.monotonic() < until and not ((out / "predictions.jsonl").is_file() and (out / "predictions.jsonl").stat().st_size):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    said, complained = process.communicate(timeout=60)
    assert process.returncode == 0, complained
    assert "stopped by Ctrl-C" in complained
    assert "windows decoded" in said
    lines = (out / "predictions.jsonl").read_text().splitlines()
    assert json.loads((out / "latency.json").read_text())["n_windows"] == len(lines) >= 1
