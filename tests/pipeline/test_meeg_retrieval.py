"""Pipelines that find speech and images in M/EEG, on small simulated worlds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from neurodecode.errors import ConfigError, FormatError
from neurodecode.pipeline import load_config, run_pipeline, verify
from neurodecode.report import load_contents

WORLD = "n_subjects: 2, n_sensors: 16, n_train: 120, n_validation: 20, n_test: 20"
TINY = "decoder.network_options={channels: 8, attention_channels: 8, n_blocks: 1, fourier: 4}"
RIDGE = ["decoder.network=ridge", "decoder.network_options=null", "decoder.trainer=null"]
SEEN = "kind: mag, snr: 0.2, n_subjects: 2, n_sensors: 16, n_test: 20, n_repeats: 2, pictures: {size: 16}"
IMAGES = [f"input.simulate={{{SEEN}}}", *RIDGE, "course={width: 0.1, stride: 0.1}", "retrieval.n_bootstrap=50"]
TRAINER = "decoder.trainer={epochs: 2, batch_size: 32, lr: 0.002, patience: 2, log_every: 1}"


def results_of(out: Path) -> dict[str, Any]:
    """Content of results.json."""
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output for speech, with a network of two seeds."""
    out = tmp_path_factory.mktemp("speech")
    settings = [f"input.simulate={{snr: 0.1, {WORLD}}}", TINY, TRAINER, "retrieval.n_seeds=2", "retrieval.n_bootstrap=50"]
    run_pipeline(load_config("meg_speech_simulated", settings), out / "data", out)
    return out


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output for images, by ridge, with pictures and a course over time."""
    out = tmp_path_factory.mktemp("images")
    run_pipeline(load_config("meg_images_simulated", IMAGES), out / "data", out)
    return out


def test_speech_is_scored_beside_ridge_and_the_likelihood(speech: Path) -> None:
    results = load_contents(speech).results
    assert set(results) == {"retrieval", "training"}
    found = results["retrieval"]
    assert found.n_candidates == 20
    assert found.chance[1] == pytest.approx(0.05)
    assert found.oracle[1] > found.chance[1]
    assert found.ridge[1] > found.chance[1]
    assert set(results["training"].scores) == {"0", "1"}
    page = (speech / "report.html").read_text()
    assert "Simulated data: no person was recorded." in page
    assert verify(speech)[1] == []


def test_decoders_are_kept(speech: Path) -> None:
    from neurodecode.decode import SpeechDecoder

    (folder,) = speech.rglob("seed-1")
    assert SpeechDecoder.load(folder).random_state == 1


def test_images_have_a_course_and_pictures(images: Path) -> None:
    results = load_contents(images).results
    assert set(results) == {"retrieval", "course over time", "pictures"}
    assert results["retrieval"].top_k[5] > results["retrieval"].chance[5]
    assert results_of(images)["score"] > results_of(images)["chance"]
    assert (images / "report.html").stat().st_size > 10_000


def test_a_second_run_skips_all(images: Path) -> None:
    before = (images / "results.json").read_bytes()
    run_pipeline(load_config("meg_images_simulated", IMAGES), images / "data", images)
    assert (images / "results.json").read_bytes() == before


def test_prepared_windows_are_read_where_they_lie(speech: Path, tmp_path: Path) -> None:
    run_pipeline(load_config("meg_speech_simulated", ["input.simulate=null", *RIDGE]), speech / "data", tmp_path / "out")
    assert results_of(tmp_path / "out")["score"] > results_of(tmp_path / "out")["chance"]


def test_a_folder_without_windows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such windows"):
        run_pipeline(load_config("meg_speech_simulated", ["input.simulate=null"]), tmp_path, tmp_path / "out")


def test_an_unknown_argument_of_the_simulation_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="n_subject"):
        run_pipeline(load_config("meg_speech_simulated", ["input.simulate={n_subject: 2}"]), tmp_path / "data", tmp_path / "out")
