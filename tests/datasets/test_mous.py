"""MOUS: sounds and sentences are named by their number whatever their order, words come from alignments or the screen."""

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
from neurodecode.datasets._mous_events import heard, read
from neurodecode.errors import CorruptFileError, DataError, FormatError

LISTENER = Path("sub-A2002/meg/sub-A2002_task-auditory_events.tsv")
READER = Path("sub-V1001/meg/sub-V1001_task-visual_events.tsv")
ALIGNMENT = Path("derivatives/phonemes/EQ_Ramp_Int2_Int1LPF186.TextGrid")
TEXTS = Path("stimuli/stimuli.txt")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini.write_mous(tmp_path_factory.mktemp("mous"))


@pytest.fixture
def root(master: Path, tmp_path: Path) -> Path:
    """One's own copy, to spoil."""
    return Path(shutil.copytree(master, tmp_path / "mous"))


def load(root: Path, subject: str = "A2002", **options: Any) -> Any:
    return datasets.load("mous", root, subject, **{"manifest": mini.mous(), **options})


class TestListening:
    def test_signal(self, master: Path) -> None:
        recording, _ = load(master)
        assert "not in memory" in repr(recording)
        assert (recording.sfreq, recording.meta["task"]) == (1200.0, "auditory")
        assert recording.channels["kind"].value_counts().to_dict() == {"mag": 3, "ref_meg": 2, "stim": 1}
        np.testing.assert_allclose(np.asarray(recording.data)[:3], mini.mous_counts()[:3] * 1e-15, rtol=1e-5, atol=1e-20)

    def test_sounds(self, master: Path) -> None:
        recording, stimuli = load(master)
        sounds = recording.events[recording.events["trial_type"] == "sound"]
        np.testing.assert_allclose(sounds["onset"], [1.1, 3.1, 5.1])
        np.testing.assert_allclose(sounds["duration"], 1.5)
        assert sounds["stimulus"].tolist() == sounds["block"].tolist() == ["186", "7", "12"]
        assert sounds["condition"].tolist() == ["sentence", "word_list", "sentence"]
        assert (stimuli.kind, list(stimuli.ids), stimuli["7"][1]) == ("audio", ["186", "7", "12"], 8000.0)
        assert stimuli.table["text"].tolist() == list(mini.MOUS_TEXTS.values())

    def test_words_of_the_alignment(self, master: Path) -> None:
        events = load(master)[0].events
        words = events[events["trial_type"] == "word"]
        assert words["word"].tolist() == ["Het", "kleine", "meisje", "zingt"]
        np.testing.assert_allclose(words["onset"], 1.3 + 0.3 * np.arange(4))
        np.testing.assert_allclose(words["sound_onset"], 0.2 + 0.3 * np.arange(4))
        assert set(words["block"]) == {"186"}
        phonemes = events[events["trial_type"] == "phoneme"]
        assert phonemes["phoneme"].tolist() == ["H", "k", "m", "z"]
        np.testing.assert_allclose(phonemes["duration"], 0.1)

    def test_without_sounds_and_alignments(self, root: Path) -> None:
        shutil.rmtree(root / "derivatives")
        shutil.rmtree(root / "stimuli" / "audio_files")
        recording, stimuli = load(root)
        assert set(recording.events["trial_type"]) == {"sound"}
        assert recording.events["word"].isna().all()
        assert (stimuli.kind, stimuli["12"]) == ("text", "De oude man slaapt.")

    def test_a_sound_without_its_own_onset_and_end(self) -> None:
        log = mini.mous_heard()
        log = log[~log["value"].isin(["Audio onset", "End of file"])]
        events = heard(log, Path("meg.ds"), Path)
        assert events["onset"].tolist() == [1.0, 3.0, 5.0]
        assert events["duration"].tolist() == [0.0, 0.0, 0.0]

    def test_a_sound_by_its_path(self) -> None:
        log = pd.DataFrame({"onset": [1.0], "type": "Sound", "value": "Start File stimuli\\audio\\009.wav"})
        assert heard(log, Path("meg.ds"), Path)["stimulus"].tolist() == ["9"]


class TestReading:
    def test_words(self, master: Path) -> None:
        recording, stimuli = load(master, "V1001")
        events = recording.events
        assert events["word"].tolist() == [
            "Het",
            "kleine",
            "meisje",
            "zingt.",
            "zingt",
            "meisje",
            "het",
            "Niemand",
            "weet",
            "het.",
        ]
        np.testing.assert_allclose(events["onset"][:7], [1.0, 1.3, 1.6, 1.9, 3.0, 3.3, 3.6])
        np.testing.assert_allclose(events["duration"], 0.3)
        assert events["block"].tolist() == ["186"] * 4 + ["7"] * 3 + ["Niemand weet het."] * 3
        assert events["condition"].tolist() == ["sentence"] * 4 + ["word_list"] * 3 + ["sentence"] * 3
        assert (stimuli.kind, stimuli["186"]) == ("text", "Het kleine meisje zingt.")
        assert stimuli["Niemand weet het."] == "Niemand weet het."

    def test_other_letters_and_a_longer_text(self) -> None:
        text = "De man, die gisteren nog zo vrolijk was, huilt nu zonder dat iemand het ziet"
        shown = text.upper().replace(",", "").split()
        log = pd.DataFrame({"onset": np.arange(len(shown)), "type": "Picture"})
        log = log.assign(value=[f"{i} {word} 400" for i, word in enumerate(shown)])
        assert set(read(log, Path("meg.ds"), {"3": text, "4": text})["block"]) == {"3"}

    def test_a_word_that_is_a_number(self) -> None:
        log = pd.DataFrame({"onset": [0.0, 1.0], "type": "Picture", "value": ["1 12 300", "64"]})
        assert read(log, Path("meg.ds"), {})["word"].tolist() == ["12"]


class TestRefusals:
    @pytest.mark.parametrize("subject", ["A2003", "sub-V1002", "2002", "anna", ""])
    def test_people_that_are_not_there(self, subject: str, master: Path) -> None:
        with pytest.raises(DataError):
            load(master, subject)

    def test_runs(self, root: Path) -> None:
        folder = root / "sub-A2002" / "meg"
        for path in sorted(folder.glob("*")):
            second = folder / path.name.replace("auditory_", "auditory_run-2_")
            if path.is_dir():
                shutil.copytree(path, second)
                for part in second.iterdir():
                    part.rename(second / part.name.replace("auditory_", "auditory_run-2_"))
            else:
                shutil.copy(path, second)
        with pytest.raises(DataError, match="2 recordings match"):
            load(root)
        assert load(root, run=2)[0].meta["run"] == "2"

    def test_the_full_set_has_more_sensors(self, master: Path) -> None:
        with pytest.raises(FormatError, match="273 channels 'mag', got 3"):
            load(master, manifest=None)

    def test_logs(self, root: Path) -> None:
        write_table(root / LISTENER, mini.mous_read())
        with pytest.raises(FormatError, match="is the start of a sound"):
            load(root)
        write_table(root / READER, mini.mous_heard())
        with pytest.raises(FormatError, match="none of its 18 events is a word"):
            load(root, "V1001")
        write_table(root / LISTENER, mini.mous_heard().drop(columns="type"))
        with pytest.raises(FormatError, match="no column 'type'"):
            load(root)

    @pytest.mark.parametrize("text", ["", "186\n", "first Het kleine\n", "1 a\n\u00b2 b\n"])
    def test_texts(self, text: str, root: Path) -> None:
        (root / TEXTS).write_text(text, encoding="utf-8")
        with pytest.raises(CorruptFileError, match=r"stimuli\.txt"):
            load(root)

    def test_texts_of_another_version(self, root: Path) -> None:
        (root / TEXTS).write_text("1 Het\n", encoding="utf-8")
        with pytest.raises(FormatError, match="no line of number 186"):
            load(root)
        (root / TEXTS).unlink()
        with pytest.raises(FormatError, match=r"stimuli\.txt: there is no such file"):
            load(root)

    def test_a_damaged_alignment(self, root: Path) -> None:
        whole = (root / ALIGNMENT).read_text(encoding="utf-8")
        (root / ALIGNMENT).write_text(whole[: len(whole) // 2], encoding="utf-8")
        with pytest.raises((CorruptFileError, FormatError), match=r"LPF186\.TextGrid"):
            load(root)
        (root / ALIGNMENT).write_text(whole.replace("ORT-MAU", "words"), encoding="utf-8")
        with pytest.raises(FormatError, match="ORT-MAU"):
            load(root)

    def test_a_recording_that_is_cut_off(self, root: Path) -> None:
        path = next((root / "sub-A2002").rglob("*.meg4"))
        path.write_bytes(path.read_bytes()[:-4000])
        with pytest.raises(CorruptFileError, match="A2002"):
            load(root)
