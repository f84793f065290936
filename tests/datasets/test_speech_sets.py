"""Data sets of speech: units, onsets, words, what was not recorded, damaged and foreign files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets.speech_miniatures import (
    BRENNAN_CHANNELS,
    BRODERICK_TIMES,
    LIBRIBRAIN_TIMES,
    libribrain,
    write_brennan2019,
    write_broderick2018,
    write_libribrain,
)

from neurodecode.data import LazySignal
from neurodecode.datasets import brennan2019, broderick2018
from neurodecode.datasets import libribrain as book
from neurodecode.errors import CorruptFileError, DataError, FormatError


class TestBroderick2018:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return write_broderick2018(tmp_path / "broderick")

    def test_electrodes_are_in_volts_and_have_places(self, root: Path) -> None:
        recording, stimuli = broderick2018.load(root, "1", run=2)
        assert recording.data.shape == (130, BRODERICK_TIMES)
        expected = np.random.default_rng(2).standard_normal((BRODERICK_TIMES, 128))
        np.testing.assert_allclose(recording.data[:128], 1e-6 * expected.T, rtol=1e-5)
        assert recording.channels["kind"].tolist() == ["eeg"] * 128 + ["misc"] * 2
        assert np.isfinite(recording.channels[["x", "y", "z"]].to_numpy()[:128]).all()
        assert recording.events["stimulus"].tolist() == ["audio2"]
        assert recording.events["duration"].tolist() == [2.0]
        assert stimuli.kind == "text"

    def test_words_come_from_a_table(self, root: Path, tmp_path: Path) -> None:
        words = tmp_path / "words.tsv"
        words.write_text("word\tonset\tduration\nHe\t0.5\t0.2\nwas\t0.7\t0.2\n")
        recording, _ = broderick2018.load(root, "1", words=words)
        assert recording.events["word"].tolist() == ["He", "was"]
        assert set(recording.events["stimulus"]) == {"audio1"}

    def test_all_runs(self, root: Path) -> None:
        recordings, stimuli = broderick2018.load_runs(root, "1")
        assert [recording.meta["run"] for recording in recordings] == ["1", "2"]
        assert list(stimuli.ids) == ["audio1", "audio2"]

    def test_what_is_not_there(self, root: Path) -> None:
        with pytest.raises(DataError, match="no run '7'"):
            broderick2018.load(root, "1", run=7)

    def test_another_number_of_electrodes(self, root: Path) -> None:
        from scipy.io import savemat

        path = root / "Natural Speech" / "EEG" / "Subject1" / "Subject1_Run1.mat"
        savemat(path, {"eegData": np.zeros((10, 64)), "mastoids": np.zeros((10, 2)), "fs": 128.0})
        with pytest.raises(FormatError, match=r"eegData has shape \(10, 64\)"):
            broderick2018.load(root, "1")

    def test_a_cut_file(self, root: Path) -> None:
        path = root / "Natural Speech" / "EEG" / "Subject1" / "Subject1_Run1.mat"
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(CorruptFileError, match="Subject1_Run1"):
            broderick2018.load(root, "1")


class TestBrennan2019:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return write_brennan2019(tmp_path / "alice")

    def test_words_follow_their_order_and_onsets(self, root: Path) -> None:
        recording, stimuli = brennan2019.load(root, "1")
        events = recording.events
        assert events["word"].tolist() == ["was", "beginning", "to", "very", "tired"], "not marked, or before the recording"
        np.testing.assert_allclose(events["onset"], [0.3, 0.5, 1.0, 1.8, 2.1])
        np.testing.assert_allclose(events["duration"], [0.2, 0.5, 0.1, 0.3, 0.5])
        assert events["stimulus"].tolist() == ["segment1"] * 3 + ["segment2"] * 2
        assert events["block"].tolist() == ["segment1-sentence1"] * 3 + ["segment2-sentence2"] * 2
        assert events["logfreq"].iloc[0] == 15.9
        assert stimuli["segment2"] == "get very tired"

    def test_kinds_units_and_bad_electrodes(self, root: Path) -> None:
        recording, _ = brennan2019.load(root, "01")
        assert recording.channels["name"].tolist() == BRENNAN_CHANNELS
        assert recording.channels["kind"].tolist() == ["eeg"] * 3 + ["eog", "misc"]
        assert recording.channels["bad"].tolist() == [False, True, False, False, False]
        raw = np.random.default_rng(0).standard_normal((5, 2000))
        np.testing.assert_allclose(recording.data, raw * np.array([1e-6] * 4 + [1])[:, None], rtol=1e-5)

    def test_a_word_that_the_table_does_not_have(self, root: Path) -> None:
        table = pd.read_csv(root / brennan2019.WORDS)
        table.iloc[:5].to_csv(root / brennan2019.WORDS, index=False)
        with pytest.raises(CorruptFileError, match="marks word 7, the table has 5"):
            brennan2019.load(root, "01")

    def test_a_missing_column(self, root: Path) -> None:
        pd.read_csv(root / brennan2019.WORDS).drop(columns="Segment").to_csv(root / brennan2019.WORDS, index=False)
        with pytest.raises(FormatError, match="no column 'Segment'"):
            brennan2019.load(root, "01")

    def test_without_the_marks(self, root: Path) -> None:
        (root / "proc" / "S01.mat").unlink()
        with pytest.raises(FormatError, match="no such file"):
            brennan2019.load(root, "01")


class TestLibriBrain:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return write_libribrain(tmp_path / "books")

    def test_the_signal_is_read_in_stretches(self, root: Path) -> None:
        recording, _ = book.load(root, "0", manifest=libribrain())
        assert isinstance(recording.data, LazySignal)
        assert recording.data.shape == (3, LIBRIBRAIN_TIMES)
        expected = np.random.default_rng(0).standard_normal((3, LIBRIBRAIN_TIMES)).astype(np.float32) * 1e-12
        np.testing.assert_allclose(np.asarray(recording.data[:, 100:200]), expected[:, 100:200], rtol=1e-6)
        assert recording.channels["unit"].tolist() == ["T", "T/m", "T/m"]

    def test_sentences_are_blocks(self, root: Path) -> None:
        recording, stimuli = book.load(root, "0", manifest=libribrain())
        words = recording.events[recording.events["trial_type"] == "word"]
        assert words["word"].tolist() == ["It", "was", "dark", "Holmes", "laughed"]
        assert words["block"].nunique() == 2
        assert stimuli[words["stimulus"].iloc[3]] == "Holmes laughed"
        others = recording.events[recording.events["trial_type"] != "word"]
        assert others["stimulus"].isna().all()

    def test_expectations_are_checked(self, root: Path) -> None:
        with pytest.raises(FormatError, match="a? ?shape .*306"):
            book.load(root, "0")

    def test_what_is_not_there(self, root: Path) -> None:
        with pytest.raises(DataError, match="did you mean 'Sherlock1'"):
            book.load(root, "0", task="Sherlock2", manifest=libribrain())
        with pytest.raises(DataError, match="no session"):
            book.load(root, "0", session=3, manifest=libribrain())

    def test_other_contents(self, root: Path) -> None:
        import h5py

        path = next((root / "Sherlock1" / "derivatives" / "serialised").glob("*.h5"))
        with h5py.File(path, "a") as file:
            del file.attrs["channel_types"]
        with pytest.raises(FormatError, match="no attribute 'channel_types'"):
            book.load(root, "0", manifest=libribrain())

    def test_lengths_that_do_not_fit(self, root: Path) -> None:
        import h5py

        path = next((root / "Sherlock1" / "derivatives" / "serialised").glob("*.h5"))
        with h5py.File(path, "a") as file:
            file.attrs["channel_names"] = "MEG0111, MEG0112"
        with pytest.raises(CorruptFileError, match="with 2 names, 3 kinds"):
            book.load(root, "0", manifest=libribrain())

    def test_a_cut_file(self, root: Path) -> None:
        path = next((root / "Sherlock1" / "derivatives" / "serialised").glob("*.h5"))
        path.write_bytes(path.read_bytes()[:900])
        with pytest.raises(CorruptFileError, match=r"\.h5"):
            book.load(root, "0", manifest=libribrain())
