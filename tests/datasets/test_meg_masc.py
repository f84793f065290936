"""MEG-MASC: dictionaries as text become columns and are never evaluated, sensors lie in the head, sessions repeat."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bids_trees import write_table
from datasets import speech_miniatures as mini

from neurodecode import datasets
from neurodecode.datasets import meg_masc
from neurodecode.errors import CorruptFileError, DataError, FormatError

FOLDER = Path("sub-01/ses-0/meg")
EVENTS = FOLDER / "sub-01_ses-0_task-0_events.tsv"


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini.write_meg_masc(tmp_path_factory.mktemp("masc"))


@pytest.fixture
def root(master: Path, tmp_path: Path) -> Path:
    """One's own copy, to spoil."""
    return Path(shutil.copytree(master, tmp_path / "masc"))


def load(root: Path, **options: Any) -> Any:
    return datasets.load("meg_masc", root, "01", **{"manifest": mini.meg_masc(), **options})


class TestEvents:
    def test_words(self, master: Path) -> None:
        recording, _ = load(master)
        events = recording.events
        assert events["trial_type"].value_counts().to_dict() == {"word": 5, "phoneme": 5, "sound": 1}
        words = events[events["trial_type"] == "word"]
        assert words["word"].tolist() == ["Tara", "stood", "stock", "dog", "it\u2019s"]
        np.testing.assert_allclose(words["onset"], 1.0 + 0.3 * np.arange(5))
        np.testing.assert_allclose(words["sound_onset"], 0.3 * np.arange(5))
        assert words["block"].tolist() == ["lw1_0:sentence:0"] * 3 + ["lw1_0:word_list:1"] * 2
        assert words["condition"].tolist() == ["sentence"] * 3 + ["word_list"] * 2
        assert words["speech_rate"].tolist() == [205.0] * 5
        assert set(events["stimulus"]) == {"lw1_0"}
        assert set(events["story"]) == {"lw1"}
        phonemes = events[events["trial_type"] == "phoneme"]
        assert set(phonemes["phoneme"]) == {"t_B"}
        assert phonemes["block"].tolist() == words["block"].tolist()

    def test_the_second_session_repeats_the_first(self, master: Path) -> None:
        first, second = (load(master, session=session)[0].events for session in (0, 1))
        assert first["block"].tolist() == second["block"].tolist()
        assert (set(first["session"]), set(first["repeat"])) == ({"0"}, {0})
        assert (set(second["session"]), set(second["repeat"])) == ({"1"}, {1})
        np.testing.assert_allclose(second["onset"] - first["onset"], 0.5)

    def test_nothing_is_evaluated(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(root)
        for text in ("__import__('os').system('touch mark')", "{'kind': open('mark', 'w')}", "[" * 1000 + "]" * 1000):
            table = mini.masc_events(0)
            table.loc[2, "trial_type"] = text
            write_table(root / EVENTS, table)
            with pytest.raises(CorruptFileError, match=r"events\.tsv: the description of event 2 cannot be read"):
                load(root)
        assert not (root / "mark").exists()

    @pytest.mark.parametrize("text", ["['kind', 'word']", "{1: 2}", "3", "{'kind': '" + "x" * 5000 + "'}"])
    def test_no_dictionary(self, text: str, root: Path) -> None:
        write_table(root / EVENTS, mini.masc_events(0).assign(trial_type=text))
        with pytest.raises(CorruptFileError, match="event 0 is no dictionary"):
            load(root)

    def test_without_kind_sound_or_column(self, root: Path) -> None:
        write_table(root / EVENTS, mini.masc_events(0).assign(trial_type="{'word': 'a'}"))
        with pytest.raises(FormatError, match="none of its 11 descriptions has the key 'kind'"):
            load(root)
        write_table(root / EVENTS, mini.masc_events(0).assign(trial_type="{'kind': 'word'}"))
        with pytest.raises(FormatError, match="none of its 11 events names a sound"):
            load(root)
        write_table(root / EVENTS, mini.masc_events(0).drop(columns="trial_type"))
        with pytest.raises(FormatError, match="no column 'trial_type'"):
            load(root)

    def test_a_sound_that_lies_elsewhere(self, root: Path) -> None:
        write_table(root / EVENTS, mini.masc_events(0).assign(trial_type="{'kind': 'sound', 'sound': 'stimuli/..'}"))
        with pytest.raises(FormatError, match="expected a file in its own folder"):
            load(root)


class TestSignal:
    def test_in_tesla(self, master: Path) -> None:
        recording, _ = load(master, session=1)
        assert "not in memory" in repr(recording)
        assert recording.sfreq == 1000.0
        np.testing.assert_allclose(np.asarray(recording.data)[:8], mini.masc_counts(1)[:8] * 1e-15, rtol=1e-5, atol=1e-20)
        assert recording.channels["kind"].tolist()[:8] == ["mag"] * 8
        assert recording.channels["bad"].tolist().index(True) == 3

    def test_sensors_in_the_head(self, master: Path) -> None:
        """The head lies 3 cm lower in the device than its own frame: in the frame of the head sensors are 3 cm higher."""
        placed, plain = load(master)[0], load(master, head=False)[0]
        assert (placed.meta["space"]["name"], plain.meta["space"]["name"]) == ("head", "device")
        moved = (placed.channels["z"] - plain.channels["z"]).to_numpy()[:8]
        np.testing.assert_allclose(moved, 0.03, atol=1e-4)
        files = [source["file"].rsplit("_", 1)[-1] for source in placed.meta["sources"]]
        assert files == ["meg.con", "markers.mrk", "headshape.pos", "headshape.pos"]

    @pytest.mark.parametrize("name", ["task-0_markers.mrk", "acq-ELP_headshape.pos", "acq-HSP_headshape.pos"])
    def test_a_part_is_missing(self, name: str, root: Path) -> None:
        (root / FOLDER / f"sub-01_ses-0_{name}").unlink()
        with pytest.raises(FormatError, match=rf"{name}.*pass head=False"):
            load(root)
        load(root, head=False)

    @pytest.mark.parametrize("name", ["task-0_meg.con", "task-0_markers.mrk", "acq-ELP_headshape.pos"])
    def test_a_part_is_cut_off(self, name: str, root: Path) -> None:
        path = root / FOLDER / f"sub-01_ses-0_{name}"
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(CorruptFileError, match="sub-01_ses-0"):
            load(root)

    def test_the_full_set_has_more_sensors(self, master: Path) -> None:
        with pytest.raises(FormatError, match="208 channels 'mag', got 8"):
            load(master, manifest=None)


class TestStories:
    @pytest.mark.parametrize("story", [0, "0", "lw1", "LW1"])
    def test_by_number_or_name(self, story: Any, master: Path) -> None:
        assert load(master, story=story)[0].meta["story"] == "lw1"

    @pytest.mark.parametrize("options", [{"story": 4}, {"story": "alice"}, {"story": 1}, {"session": 2}])
    def test_what_is_not_there(self, options: dict, master: Path) -> None:
        with pytest.raises(DataError):
            load(master, **options)

    def test_sounds(self, root: Path) -> None:
        _, stimuli = load(root)
        sound, rate = stimuli["lw1_0"]
        assert (stimuli.kind, rate, sound.shape) == ("audio", 8000.0, (16000,))
        shutil.rmtree(root / "stimuli")
        _, texts = load(root)
        assert (texts.kind, texts["lw1_0"]) == ("text", "Tara stood stock dog it\u2019s")
        (root / "stimuli" / "audio").mkdir(parents=True)
        with pytest.raises(FormatError, match=r"lw1_0\.wav"):
            load(root)


def test_a_description_keeps_what_else_it_says() -> None:
    texts = ["{'kind': 'sound', 'sound': 'a.wav', 'voice': 'Allison'}", "{'kind': 'word', 'word': 'x', 'onset': 9}"]
    table = pd.DataFrame({"onset": [0.0, 1.0], "duration": 0.0, "trial_type": texts})
    events = meg_masc._described(table, Path("events.tsv"))
    assert events["onset"].tolist() == [0.0, 1.0]
    assert events["voice"].tolist()[0] == "Allison"
    assert events["stimulus"].tolist() == ["a", "a"]
    assert events["block"].isna().all()
