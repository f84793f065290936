"""Pipelines that find speech and images, on public data sets in the layout of their authors, with a planted signal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tiny_models
from datasets import meeg_miniatures as seen
from datasets import speech_miniatures as heard

from neurodecode.datasets import things_eeg2
from neurodecode.errors import ConfigError, DataError, FormatError, NeurodecodeError
from neurodecode.pipeline import load_config, run_pipeline, verify
from neurodecode.pipeline.meeg_heard import heard_events, spoken_words
from neurodecode.pipeline.planning import find_units, prepare_items
from neurodecode.pipeline.step import run_item

RIDGE = ["decoder.network=ridge", "decoder.network_options=null", "decoder.trainer=null", "retrieval.n_bootstrap=20"]
MEL = ["features.kind=mel", "features.n_mels=8"]


def results_of(out: Path) -> dict[str, Any]:
    """Content of results.json."""
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


@pytest.fixture(scope="module")
def masc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return heard.write_spoken_masc(tmp_path_factory.mktemp("masc"), (("01", 0), ("01", 1), ("02", 0)))


@pytest.fixture
def expecting_masc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest counts the sensors of the miniature."""
    manifest = heard.meg_masc()
    monkeypatch.setattr("neurodecode.datasets._catalogue.info", lambda name: manifest)


@pytest.mark.usefixtures("expecting_masc")
class TestSpeech:
    def test_a_data_set_is_decoded_from_its_root(self, masc: Path, tmp_path: Path) -> None:
        config = load_config("meg_speech", [*RIDGE, *MEL, "retrieval.n_seeds=1"])
        run_pipeline(config, masc, tmp_path / "out")
        found = results_of(tmp_path / "out")
        assert found["score"] > 3 * found["chance"]
        assert verify(tmp_path / "out")[1] == []


@pytest.fixture(scope="module")
def eeg2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seen.write_seen_eeg2(tmp_path_factory.mktemp("eeg2"))


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seen.write_seen_meg(tmp_path_factory.mktemp("things"))


@pytest.fixture(scope="module")
def vision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of random weights: colours pass through it."""
    return tiny_models.model_folder("vit", tmp_path_factory.mktemp("models"))


class TestImages:
    @pytest.mark.parametrize("kept", ["no pickle", "one copy"])
    def test_copies_are_made_where_they_lack_and_pickles_are_not_needed(
        self, kept: str, eeg2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        manifest = seen.expecting("things_eeg2", shape={})
        monkeypatch.setattr("neurodecode.datasets._catalogue.info", lambda name: manifest)
        root = Path(shutil.copytree(eeg2, tmp_path / "eeg2"))
        for subject in ("01", "02"):
            things_eeg2.convert(root, subject, progress=False)
        for file in root.glob("eeg_dataset/**/*_test.npy"):
            file.unlink() if kept == "no pickle" else shutil.rmtree(file.with_suffix(""))
        if kept == "no pickle":
            for file in root.glob("eeg_dataset/**/*_training.npy"):
                file.unlink()
        config = load_config("eeg_images", ["features.targets=embeddings"])
        items = prepare_items(config, find_units(config, root), root, tmp_path / "out")
        assert [run_item(item)[0] for item in items] == ["done", "done"]
        converted = list((tmp_path / "out").glob("*/converted"))
        assert len(converted) == (0 if kept == "no pickle" else 2)

    def test_published_epochs(self, eeg2: Path, vision: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shapes = {"preprocessed_training": (320, 5, None), "preprocessed_test": (48, 5, None)}
        manifest = seen.expecting("things_eeg2", shape=shapes)
        monkeypatch.setattr("neurodecode.datasets._catalogue.info", lambda name: manifest)
        settings = [
            *RIDGE,
            f"features={{model: '{vision}', pooling: mean}}",
            "input.split={validation: 8}",
            "retrieval.n_seeds=1",
        ]
        run_pipeline(load_config("eeg_images", settings), eeg2, tmp_path / "out")
        found = results_of(tmp_path / "out")
        assert found["score"] > 3 * found["chance"]

    def test_raw_recordings(self, things: Path, vision: Path, tmp_path: Path) -> None:
        features = f"features={{model: '{vision}', pooling: mean}}"
        settings = [*RIDGE, features, f"input.images={things / 'images'}", "retrieval.n_seeds=1", "course=null"]
        run_pipeline(load_config("meg_images", settings), things, tmp_path / "out")
        found = results_of(tmp_path / "out")
        assert found["score"] > 3 * found["chance"]


def test_a_data_set_and_a_simulation_are_not_mixed() -> None:
    with pytest.raises(ConfigError, match="simulated or come from meg_masc, not both"):
        load_config("meg_speech", ["input.simulate={}"])


def test_words_of_all_people_are_joined_and_marks_know_their_place() -> None:
    told = {"stimulus": ["7"] * 3, "sound_onset": [0.0, 0.2, 1.2], "word": [None, "a", "b"], "block": ["7"] * 3}
    events = pd.DataFrame({"onset": [1.0, 1.2, 2.2], "duration": 0.5, "trial_type": ["sound", "word", "word"], **told})
    later = events.iloc[:2].assign(onset=events["onset"] + 9, sound_onset=[0.0, 0.2001])
    marks = [heard_events(part) for part in (events, later)]
    assert marks[0]["start"].tolist() == [0.0, 0.2, 1.2]
    words = spoken_words(marks)
    assert words[["word", "onset", "sentence"]].to_numpy().tolist() == [["a", 0.2, "7"], ["b", 1.2, "7"]]
    with pytest.raises(DataError, match="none of the 1 recordings has a word"):
        spoken_words([marks[0].iloc[:1]])


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("meg_images", ["features.model=null"], "name a vision model"),
        ("meg_images", [], "input.images: name the folder of the THINGS images"),
        ("meg_images", ["features.model=nobody/nothing", "input.images=x"], "nobody/nothing"),
        ("meg_speech", ["features.model=nobody/nothing"], "nobody/nothing"),
    ],
)
def test_what_makes_the_features_must_be_there_first(name: str, settings: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(NeurodecodeError, match=message):
        run_pipeline(load_config(name, settings), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sounds_that_are_not_there_are_named(tmp_path: Path) -> None:
    heard.write_broderick2018(tmp_path / "data")
    config = load_config("meg_speech", ["input.dataset=broderick2018", *MEL])
    with pytest.raises(FormatError, match=r"sounds that sub-1 heard are not there.*input\.options"):
        run_pipeline(config, tmp_path / "data", tmp_path / "out")
