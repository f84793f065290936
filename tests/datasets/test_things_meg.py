"""THINGS-MEG: onsets of the optical sensor, names from the table of trials, epochs read, converted and refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bids_trees import write_table
from datasets import meeg_miniatures as mini
from PIL import Image

from neurodecode import datasets
from neurodecode.datasets import things_meg
from neurodecode.errors import CorruptFileError, DataError, FormatError

TABLE = Path("sourcedata/sample_attributes_P1.csv")
EPOCHS = Path("derivatives/preprocessed/preprocessed_P1-epo.fif")
EVENTS = Path("sub-BIGMEG1/ses-01/meg/sub-BIGMEG1_ses-01_task-main_run-01_events.tsv")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini.write_things_meg(tmp_path_factory.mktemp("meg"))


@pytest.fixture
def root(master: Path, tmp_path: Path) -> Path:
    """One's own copy, to spoil."""
    return Path(shutil.copytree(master, tmp_path / "meg"))


def load(root: Path, **options: Any) -> Any:
    return datasets.load("things_meg", root, "1", manifest=mini.things_meg(), **options)


class TestRaw:
    def test_events(self, master: Path) -> None:
        recording, stimuli = load(master)
        events = recording.events
        np.testing.assert_allclose(events["onset"], np.array([780, 2580, 4320, 6120]) / 1200)
        np.testing.assert_allclose(events["onset_logged"], [0.65, 2.15, 3.6, 5.1])
        assert events["trial_type"].tolist() == ["exp", "catch", "test", "exp"]
        assert events["stimulus"].fillna("").tolist() == ["aardvark_01b", "", "candle_12s", "candle_02s"]
        assert events["concept"].fillna("").tolist() == ["aardvark", "", "candle", "candle"]
        assert events["split"].fillna("").tolist() == ["train", "", "test", "train"]
        assert events["test_concept"].tolist() == [False, False, True, True]
        assert events["value"].tolist() == [1, 999999, 4001, 3990]
        assert stimuli.ids == ["aardvark_01b", "candle_12s", "candle_02s", "ice_cream_03s", "bat1_05s"]

    def test_signal_in_tesla(self, master: Path) -> None:
        recording, _ = load(master)
        assert "not in memory" in repr(recording)
        assert recording.channels["kind"].tolist() == ["mag"] * 3 + ["ref_meg"] * 2 + ["stim"]
        np.testing.assert_allclose(np.asarray(recording.data)[:5], mini.meg_counts(1)[:5] * 1e-15, rtol=1e-5, atol=1e-20)
        assert np.isfinite(recording.channels[["x", "y", "z"]].to_numpy(float)[:5]).all()
        assert (recording.meta["subject"], recording.meta["session"], recording.meta["run"]) == ("BIGMEG1", "01", "01")

    def test_a_row_of_the_last_trigger_is_no_trial(self, master: Path) -> None:
        recording, _ = load(master, run=2, session="01")
        assert recording.events["stimulus"].fillna("").tolist() == ["candle_12s", "ice_cream_03s", "bat1_05s", ""]
        assert recording.events["repeat"].tolist()[:2] == [1, 0]

    @pytest.mark.parametrize("subject", ["1", "P1", "BIGMEG1", "sub-BIGMEG1"])
    def test_labels(self, subject: str, master: Path) -> None:
        recording, _ = things_meg.load(master, subject, manifest=mini.things_meg())
        assert recording.meta["subject"] == "BIGMEG1"

    def test_fewer_trials_than_events(self, root: Path) -> None:
        mini.meg_trials().drop(index=2).to_csv(root / TABLE, index=False)
        with pytest.raises(FormatError, match=r"P1\.csv: it has 3 trials of this run, the events of the recording are 4"):
            load(root)

    def test_a_few_other_numbers_are_noted(self, root: Path) -> None:
        mini.meg_trials().assign(things_image_nr=range(8)).to_csv(root / TABLE, index=False)
        recording, _ = load(root)
        assert "3 trials have another image number in the events" in recording.meta["notes"]

    def test_many_are_refused(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("neurodecode.datasets._things_meg_trials._MOST_MISMATCHES", 2)
        mini.meg_trials().assign(things_image_nr=range(8)).to_csv(root / TABLE, index=False)
        with pytest.raises(FormatError, match="3 of 4 trials have another image number"):
            load(root)

    def test_events_without_samples(self, root: Path) -> None:
        table = pd.read_csv(root / EVENTS, sep="\t").drop(columns="sample")
        write_table(root / EVENTS, table)
        with pytest.raises(FormatError, match="no column 'sample'"):
            load(root)

    def test_a_sensor_file_cut_off(self, root: Path) -> None:
        path = next(root.glob("sub-*/ses-01/meg/*run-01_meg.ds/*.meg4"))
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(CorruptFileError, match=r"run-01_meg\.ds"):
            load(root)

    def test_other_rate(self, master: Path) -> None:
        with pytest.raises(FormatError, match="a sampling rate of 1000 Hz, got 1200 Hz"):
            things_meg.load(master, "1", manifest=mini.expecting("things_meg", sfreq=1000.0))


class TestTable:
    @pytest.mark.parametrize("column", ["trial_type", "image_path", "things_image_nr", "session_nr", "run_nr"])
    def test_a_missing_column(self, column: str, root: Path) -> None:
        mini.meg_trials().drop(columns=column).to_csv(root / TABLE, index=False)
        with pytest.raises(FormatError, match=rf"P1\.csv: it has no column '{column}'"):
            load(root)

    def test_another_kind_of_trial(self, root: Path) -> None:
        mini.meg_trials().replace("catch", "pause").to_csv(root / TABLE, index=False)
        with pytest.raises(CorruptFileError, match="trial 1 is of type 'pause'"):
            load(root)

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00a,b\n", b'a,b\n"1'])
    def test_no_table(self, content: bytes, root: Path) -> None:
        (root / TABLE).write_bytes(content)
        with pytest.raises(FormatError, match=r"P1\.csv"):
            load(root)

    def test_a_name_that_leads_elsewhere(self, root: Path) -> None:
        table = mini.meg_trials()
        table.loc[0, "image_path"] = "images_meg/aardvark/..\\..\\secret_01b.jpg"
        table.to_csv(root / TABLE, index=False)
        with pytest.raises(FormatError, match="expected a file in its own folder"):
            load(root)

    def test_no_table_at_all(self, root: Path) -> None:
        (root / TABLE).unlink()
        with pytest.raises(FormatError, match=r"it has no sample_attributes_P\*\.csv"):
            load(root)

    def test_no_such_subject(self, master: Path) -> None:
        with pytest.raises(DataError, match="no subject of things_meg '5'|no subject of things_meg 'BIGMEG5'"):
            things_meg.load(master, "BIGMEG5")


class TestPreprocessed:
    def check(self, responses: Any) -> None:
        np.testing.assert_allclose(np.asarray(responses.data), mini.meg_epochs(), rtol=1e-6)
        np.testing.assert_allclose(responses.times, -0.1 + np.arange(mini.MEG_EPOCH_TIMES) / 20, atol=1e-9)
        samples = responses.samples
        assert samples["stimulus"].fillna("").tolist()[:4] == ["aardvark_01b", "", "candle_12s", "candle_02s"]
        assert samples["repeat"].tolist()[2] == 0
        assert samples["repeat"].tolist()[4] == 1
        assert samples["run"].tolist() == [1] * 4 + [2] * 4
        assert set(samples["subject"]) == {"BIGMEG1"}
        assert responses.units["kind"].tolist() == ["mag", "mag"]
        assert set(responses.units["unit"]) == {"a.u."}
        assert len(responses.select(split="test")) == 2

    def test_into_memory(self, master: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("neurodecode.io.fif_epochs._BLOCK", 1500)  # three epochs at a time
        self.check(load(master, data="preprocessed")[0])

    def test_converted(self, master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("neurodecode.io.fif_epochs._BLOCK", 1500)
        folder = things_meg.convert(master, "1", converted=tmp_path, progress=False)
        before = (folder / "data.npy").stat().st_mtime_ns
        assert things_meg.convert(master, "P1", converted=tmp_path, progress=False) == folder
        assert (folder / "data.npy").stat().st_mtime_ns == before
        responses, _ = load(master, data="preprocessed", converted=tmp_path)
        assert isinstance(responses.data, np.memmap)
        self.check(responses)
        (folder / "data.npy").write_bytes(b"x")
        with pytest.raises(CorruptFileError, match=r"data\.npy"):
            load(master, data="preprocessed", converted=tmp_path)

    def test_other_trials(self, root: Path) -> None:
        mini.meg_trials().iloc[1:].to_csv(root / TABLE, index=False)
        with pytest.raises(FormatError, match="it has 7 trials, the preprocessed file 8 epochs"):
            load(root, data="preprocessed")

    def test_other_counts_than_published(self, master: Path) -> None:
        with pytest.raises(
            FormatError, match=r"preprocessed_P1-epo\.fif: things_meg 2\.0\.1 has shape \(27048, 271, 281\), got \(8, 2"
        ):
            datasets.load("things_meg", master, "1", data="preprocessed")

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
    def test_cut_off(self, share: float, root: Path) -> None:
        content = (root / EPOCHS).read_bytes()
        (root / EPOCHS).write_bytes(content[: int(share * len(content))])
        with pytest.raises(FormatError, match=r"preprocessed_P1-epo\.fif"):
            load(root, data="preprocessed")

    def test_missing(self, root: Path) -> None:
        (root / EPOCHS).unlink()
        for call in (lambda: load(root, data="preprocessed"), lambda: things_meg.convert(root, "1", progress=False)):
            with pytest.raises(FormatError, match="there is no such file"):
                call()


def test_images(master: Path, tmp_path: Path) -> None:
    _, words = load(master)
    assert (words.kind, words["ice_cream_03s"]) == ("text", "ice cream")
    for path in ("aardvark/aardvark_01b", "candle/candle_12s", "candle/candle_02s", "ice_cream/ice_cream_03s", "bat1/bat1_05s"):
        file = tmp_path / f"{path}.jpg"
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 3)).save(file)
    _, images = load(master, images=tmp_path)
    assert (images.kind, images["bat1_05s"].shape) == ("image", (3, 4, 3))
    with pytest.raises(FormatError, match="5 of 5 stimuli have none"):
        load(master, images=tmp_path / "elsewhere")
