"""Brennan & Hale 2019: words are matched by their number, signals come in V, tables and structures must fit each other."""

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

HEARD = [i for i in range(8) if i != mini.ALICE_LOST - 1]


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini.write_brennan2019(tmp_path_factory.mktemp("alice"))


@pytest.fixture
def root(master: Path, tmp_path: Path) -> Path:
    """One's own copy, to spoil."""
    return Path(shutil.copytree(master, tmp_path / "alice"))


def load(root: Path, **options: Any) -> Any:
    return datasets.load("brennan2019", root, "01", **options)


def test_signal(master: Path) -> None:
    recording, _ = load(master)
    assert (recording.sfreq, recording.meta["subject"], recording.meta["modality"]) == (500.0, "S01", "eeg")
    np.testing.assert_allclose(recording.data, mini.alice_signal() * 1e-6, rtol=1e-6)
    channels = recording.channels
    assert channels["kind"].value_counts().to_dict() == {"eeg": 60, "eog": 1, "misc": 1}
    assert set(channels["unit"]) == {"V"}
    assert channels.loc[channels["bad"], "name"].tolist() == ["12", "30", "45"]
    placed = channels["x"].notna()
    assert channels.loc[placed, "kind"].eq("eeg").all()
    assert placed.sum() == 60
    assert [source["file"] for source in recording.meta["sources"]] == ["S01.mat", "proc/S01.mat", "AliceChapterOne-EEG.csv"]


def test_words(master: Path) -> None:
    """The third word has no event: those behind it keep their own begin."""
    recording, stimuli = load(master)
    words = recording.events[recording.events["trial_type"] == "word"]
    assert words["word"].tolist() == [mini.ALICE[i] for i in HEARD]
    np.testing.assert_allclose(words["onset"], mini.ALICE_BEGINS[HEARD])
    np.testing.assert_allclose(words["duration"], 0.3)
    np.testing.assert_allclose(words["sound_onset"], np.tile(0.1 + 0.6 * np.arange(4), 2)[HEARD])
    assert words["block"].tolist() == ["1"] * 3 + ["2"] * 4
    assert words["Length"].tolist() == [len(mini.ALICE[i]) for i in HEARD]
    sounds = recording.events[recording.events["trial_type"] == "sound"]
    assert sounds["stimulus"].tolist() == list(stimuli.ids)
    np.testing.assert_allclose(sounds["onset"], [1.9, 4.3])
    np.testing.assert_allclose(sounds["duration"], 2.2)


def test_sounds_or_words(root: Path) -> None:
    _, stimuli = load(root)
    sound, rate = stimuli["DownTheRabbitHoleFinal_SoundFile1"]
    assert (stimuli.kind, rate, sound.shape) == ("audio", 8000.0, (20000,))
    (root / "audio" / "DownTheRabbitHoleFinal_SoundFile2.wav").unlink()
    with pytest.raises(FormatError, match=r"SoundFile2\.wav.*1 of 2 stimuli"):
        load(root)
    shutil.rmtree(root / "audio")
    _, stimuli = load(root)
    assert (stimuli.kind, list(stimuli.items)) == ("text", ["Alice was beginning to", "get very tired of"])


def test_a_word_that_pandas_takes_for_missing(root: Path) -> None:
    table = mini.alice_words()
    table.loc[4, "Word"] = "None"
    table.to_csv(root / "AliceChapterOne-EEG.csv", index=False)
    assert "None" in load(root)[0].events["word"].tolist()


def test_who_is_not_there(master: Path) -> None:
    with pytest.raises(DataError, match="no subject '02'"):
        datasets.load("brennan2019", master, "S02")
    assert datasets.load("brennan2019", master, "S01")[0].meta["subject"] == "S01"


@pytest.mark.parametrize("name", ["S01.mat", "proc/S01.mat", "AliceChapterOne-EEG.csv"])
def test_a_missing_file(name: str, root: Path) -> None:
    (root / name).unlink()
    with pytest.raises((FormatError, DataError), match=name if "/" in name else "(Alice|subject)"):
        load(root)


@pytest.mark.parametrize("name", ["S01.mat", "proc/S01.mat"])
def test_a_file_that_is_cut_off(name: str, root: Path) -> None:
    whole = (root / name).read_bytes()
    for share in (0.0, 0.02, 0.5, 0.99):
        (root / name).write_bytes(whole[: int(share * len(whole))])
        with pytest.raises((CorruptFileError, FormatError), match=name):
            load(root)


def spoiled_proc(root: Path, **changes: Any) -> None:
    _, proc = mini.alice_structures()
    scipy.io.savemat(root / "proc" / "S01.mat", {"proc": {**proc, **changes}})


class TestContradictions:
    def test_columns_of_words(self, root: Path) -> None:
        mini.alice_words().rename(columns={"Order": "Orders"}).to_csv(root / "AliceChapterOne-EEG.csv", index=False)
        with pytest.raises(FormatError, match="no column 'Order': did you mean 'Orders'"):
            load(root)

    def test_numbers_of_words(self, root: Path) -> None:
        trials = mini.alice_structures()[1]["trl"]
        for rows in (trials[:, [0, 1, 2, 3, 4, 0]], trials[[0, 0, 1]]):
            spoiled_proc(root, trl=rows)
            with pytest.raises(FormatError, match="numbers of words are in AliceChapterOne-EEG"):
                load(root)

    def test_begins_outside(self, root: Path) -> None:
        trials = mini.alice_structures()[1]["trl"].copy()
        trials[2, 0] = 1e6
        spoiled_proc(root, trl=trials)
        with pytest.raises(FormatError, match="the recording has 8 s"):
            load(root)

    def test_columns_of_trials(self, root: Path) -> None:
        spoiled_proc(root, varnames=mini.cells(["segment", "tmin"]).T)
        with pytest.raises(FormatError, match="6 columns, three and"):
            load(root)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"label": mini.cells(["1", "2"])}, "2 channels, and signals of shape"),
            ({"fsample": [[250.0, 500.0]]}, "expected uV and one rate"),
            ({"hdr": {"chanunit": mini.cells(["mV"] * 62)}}, r"\['mV'\]"),
            ({"hdr": {}}, "raw.hdr|hdr has no field 'chanunit'"),
        ],
    )
    def test_structures(self, changes: dict, message: str, root: Path) -> None:
        raw, _ = mini.alice_structures()
        scipy.io.savemat(root / "S01.mat", {"raw": {**raw, **changes}})
        with pytest.raises(FormatError, match=message):
            load(root)

    def test_fewer_channels_than_expected(self, root: Path) -> None:
        raw, _ = mini.alice_structures()
        trial = np.empty((1, 1), object)
        trial[0, 0] = mini.alice_signal()[1:]
        scipy.io.savemat(root / "S01.mat", {"raw": {**raw, "label": raw["label"][1:], "trial": trial}})
        with pytest.raises(FormatError, match="60 channels 'eeg', got 59"):
            load(root)
