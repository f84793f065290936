"""Broderick et al. 2018: microvolts become volts, words fall into sentences, parts of a run must fit each other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from datasets import speech_miniatures as mini

from neurodecode import datasets
from neurodecode.errors import CorruptFileError, DataError, FormatError

EEG = Path("Natural Speech/EEG/Subject1/Subject1_Run1.mat")
TEXT = Path("Natural Speech/Stimuli/Text/Run1.mat")
ENVELOPE = Path("Natural Speech/Stimuli/Envelopes/audio1_128Hz.mat")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini.write_broderick2018(tmp_path_factory.mktemp("santiago"))


@pytest.fixture
def root(master: Path, tmp_path: Path) -> Path:
    """One's own copy, to spoil."""
    return Path(shutil.copytree(master, tmp_path / "santiago"))


def load(root: Path, **options: Any) -> Any:
    return datasets.load("broderick2018", root, "1", **options)


def spoiled(path: Path, values: dict[str, Any], **changes: Any) -> None:
    """Write a file anew, without what is None."""
    scipy.io.savemat(path, {name: value for name, value in {**values, **changes}.items() if value is not None})


def test_signal(master: Path) -> None:
    recording, _ = load(master, run=2)
    signals = mini.broderick_signals(2)
    assert (recording.sfreq, recording.meta["subject"], recording.meta["run"]) == (128.0, "Subject1", "2")
    np.testing.assert_allclose(recording.data[:128], signals["eegData"].T * 1e-6, rtol=1e-6)
    np.testing.assert_allclose(recording.data[128:], signals["mastoids"].T * 1e-6, rtol=1e-6)
    channels = recording.channels
    assert channels["name"].tolist()[:3] == ["A1", "A2", "A3"]
    assert channels["name"].tolist()[-3:] == ["D32", "M1", "M2"]
    assert channels["kind"].value_counts().to_dict() == {"eeg": 128, "misc": 2}
    assert channels["x"].notna().sum() == 128
    assert channels["z"].idxmax() == 0, "A1 is the vertex"


def test_words(master: Path) -> None:
    recording, stimuli = load(master)
    words = recording.events[recording.events["trial_type"] == "word"]
    assert words["word"].tolist() == mini.SANTIAGO
    np.testing.assert_allclose(words["onset"], mini.SANTIAGO_BEGINS[:, 0])
    np.testing.assert_allclose(words["sound_onset"], mini.SANTIAGO_BEGINS[:, 0])
    np.testing.assert_allclose(words["duration"], 0.25)
    assert words["block"].tolist() == ["1:0"] * 5 + ["1:1"] * 3
    sound = recording.events.iloc[0]
    assert (sound["trial_type"], sound["onset"], sound["stimulus"]) == ("sound", 0.0, "audio1")
    assert sound["duration"] == pytest.approx(4.45)
    assert (stimuli.kind, stimuli["audio1"]) == ("text", "He was an old man who fished alone")


@pytest.mark.parametrize("bounds", [[[5], [8]], [[2.4], [9.0]], [[2.65]], [[5], [9]]])
def test_sentences(bounds: list, root: Path) -> None:
    """Numbers of last words, and times of begins or ends, say the same."""
    spoiled(root / TEXT, mini.broderick_words(), sentence_boundaries=bounds)
    words = load(root)[0].events.iloc[1:]
    assert words["block"].nunique() == 2
    assert words["block"].tolist()[4:6] == (["1:0", "1:1"] if bounds[0][0] != 2.4 else ["1:1", "1:1"])


def test_without_sentences(root: Path) -> None:
    spoiled(root / TEXT, mini.broderick_words(), sentence_boundaries=np.empty((0, 0)))
    assert set(load(root)[0].events["block"].dropna()) == {"1:0"}


def test_sounds(root: Path) -> None:
    mini.write_wav(root / "private" / "audio1.wav", 5.0)
    _, stimuli = load(root, audio=root / "private")
    assert (stimuli.kind, stimuli["audio1"][1]) == ("audio", 8000.0)
    with pytest.raises(FormatError, match=r"audio2\.wav"):
        load(root, run=2, audio=root / "private")


def test_envelope(root: Path) -> None:
    envelope = datasets.broderick2018.load_envelope(root, "Run1")
    assert (envelope.sfreq, envelope.meta["stimulus"], envelope.channels["unit"].tolist()) == (128.0, "audio1", ["a.u."])
    np.testing.assert_allclose(envelope.data[0], mini.broderick_envelope()[:, 0], rtol=1e-6)
    spoiled(root / ENVELOPE, {"envelope": np.zeros(3)})
    with pytest.raises(FormatError, match=r"audio1_128Hz\.mat: it has no variable 'env'"):
        datasets.broderick2018.load_envelope(root)


@pytest.mark.parametrize("options", [{"run": 3}, {"run": "one"}, {"run": -1}, {"run": "../1"}])
def test_runs_that_are_not_there(options: dict, master: Path) -> None:
    with pytest.raises(DataError, match="run"):
        load(master, **options)


def test_words_behind_the_end(root: Path) -> None:
    signals = mini.broderick_signals(1)
    shorter = {name: signals[name][:400] for name in ("eegData", "mastoids")}
    spoiled(root / EEG, signals, **shorter)
    recording, _ = load(root)
    assert recording.events["word"].dropna().tolist() == mini.SANTIAGO[:6]
    assert recording.meta["notes"] == ["2 words begin after the end of the recording and were left out"]
    spoiled(root / EEG, signals, **{name: signals[name][:50] for name in shorter})
    with pytest.raises(FormatError, match="its first word begins at 0.5 s, the recording has 0.39"):
        load(root)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eegData": np.zeros((640, 64))}, r"eegData has the shape \(640, 64\)"),
        ({"eegData": np.zeros((128, 640))}, "expected times by 128"),
        ({"mastoids": np.zeros((639, 2))}, r"mastoids \(639, 2\)"),
        ({"mastoids": None}, "no variable 'mastoids'"),
        ({"fs": [[1.0, 2.0]]}, r"fs is \[1.0, 2.0\]"),
        ({"fs": 64.0}, "a sampling rate of 128 Hz, got 64 Hz"),
    ],
)
def test_signals_that_are_not_as_published(changes: dict, message: str, root: Path) -> None:
    spoiled(root / EEG, mini.broderick_signals(1), **changes)
    with pytest.raises(FormatError, match=message):
        load(root)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"onset_time": np.zeros((7, 1))}, "8 words, 7 begins and 8 ends"),
        ({"onset_time": mini.SANTIAGO_BEGINS + 1}, "word 0, 'He', begins at 1.5 s and ends at 0.75 s"),
        ({"sentence_boundaries": None}, "no variable 'sentence_boundaries'"),
        ({"sentence_boundaries": "none"}, "sentence_boundaries holds no numbers"),
    ],
)
def test_words_that_are_not_as_published(changes: dict, message: str, root: Path) -> None:
    spoiled(root / TEXT, mini.broderick_words(), **changes)
    with pytest.raises(FormatError, match=message):
        load(root)


@pytest.mark.parametrize("name", [EEG, TEXT])
def test_a_file_that_is_cut_off_or_missing(name: Path, root: Path) -> None:
    whole = (root / name).read_bytes()
    (root / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptFileError, match=name.name):
        load(root)
    (root / name).unlink()
    with pytest.raises((FormatError, DataError), match="Run1|run"):
        load(root)
