"""THINGS-EEG2: pickles are refused until they are converted, copies equal them, codes and rows name images."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import meeg_miniatures as mini
from PIL import Image

from neurodecode import datasets
from neurodecode.datasets import things_eeg2
from neurodecode.errors import CorruptFileError, DataError, FormatError

TRAINING = Path("eeg_dataset/preprocessed_data/sub-01/preprocessed_eeg_training.npy")
RAW = Path("eeg_dataset/raw_data/sub-01/ses-01/raw_eeg_training.npy")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini.converted_things_eeg2(tmp_path_factory.mktemp("eeg2"))


@pytest.fixture
def root(master: Path, tmp_path: Path) -> Path:
    """One's own copy, to spoil."""
    return Path(shutil.copytree(master, tmp_path / "eeg2"))


def load(root: Path, **options: Any) -> Any:
    return datasets.load("things_eeg2", root, "01", manifest=mini.things_eeg2(), **options)


class TestPreprocessed:
    @pytest.mark.parametrize(("part", "n_repeats"), [("training", 4), ("test", 5)])
    def test_rows_are_images_times_repeats(self, part: str, n_repeats: int, master: Path) -> None:
        responses, _ = load(master, part=part)
        published = mini.eeg2_epochs(part)
        assert isinstance(responses.data, np.memmap)
        np.testing.assert_array_equal(np.asarray(responses.data), published.reshape(-1, 5, 10).astype(np.float32))
        np.testing.assert_allclose(responses.times, np.linspace(-0.2, 0.7, 10))
        assert responses.units["name"].tolist() == mini.EEG2_NAMES
        assert responses.samples["repeat"].tolist() == list(range(n_repeats)) * len(published)
        average = responses.average("stimulus")
        np.testing.assert_allclose(average.data, published.mean(1), rtol=1e-5, atol=1e-6)

    def test_names(self, master: Path) -> None:
        responses, stimuli = load(master)
        assert stimuli.ids == ["aardvark_01b", "aardvark_02s", "bat1_01b", "bat1_02n", "ice_cream_01b", "ice_cream_03s"]
        assert responses.samples["stimulus"].tolist() == [name for name in stimuli.ids for _ in range(4)]
        assert responses.samples["concept"].unique().tolist() == ["aardvark", "bat1", "ice_cream"]
        assert set(responses.samples["split"]) == {"train"}
        assert set(responses.samples["subject"]) == {"01"}
        assert (stimuli.kind, stimuli["ice_cream_03s"], stimuli["bat1_01b"]) == ("text", "ice cream", "bat")

    def test_concepts_of_the_parts_are_disjoint(self, master: Path) -> None:
        test, _ = load(master, part="test")
        train, _ = load(master)
        assert set(test.samples["split"]) == {"test"}
        assert not set(test.samples["concept"]) & set(train.samples["concept"])

    def test_electrodes_have_places(self, master: Path) -> None:
        responses, _ = load(master)
        assert np.isfinite(responses.units[["x", "y", "z"]].to_numpy(float)).all()
        assert set(responses.units["unit"]) == {"a.u."}

    def test_other_layouts(self, master: Path, tmp_path: Path) -> None:
        shutil.copytree(master / TRAINING.parent, tmp_path / "sub-01")
        shutil.copy(master / "image_set" / "image_metadata.npy", tmp_path)
        assert len(load(tmp_path)[0]) == 24


class TestRaw:
    def test_codes_name_images(self, master: Path) -> None:
        recording, stimuli = load(master, data="raw")
        events = recording.events
        assert recording.sfreq == 1000.0
        assert events["value"].tolist() == mini.EEG2_CODES
        np.testing.assert_allclose(events["onset"], 0.3 + 0.2 * np.arange(9))
        assert events["trial_type"].tolist() == ["training"] * 2 + ["target"] + ["training"] * 6
        named = events["stimulus"].fillna("").tolist()
        assert named == ["" if code == 99999 else stimuli.ids[code - 1] for code in mini.EEG2_CODES]
        assert events["repeat"].tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 1]

    def test_signal_in_volt(self, master: Path) -> None:
        recording, _ = load(master, data="raw", session="01")
        np.testing.assert_array_equal(recording.data, mini.eeg2_raw()["raw_eeg_data"].astype(np.float32))
        assert isinstance(recording.data, np.memmap)
        assert recording.channels["kind"].tolist() == ["eeg"] * 5 + ["stim"]
        assert recording.channels["unit"].tolist() == ["V"] * 5 + ["n/a"]
        assert recording.meta["session"] == "01"

    def test_a_code_without_an_image(self, root: Path) -> None:
        values = mini.eeg2_raw()
        values["raw_eeg_data"][-1, 300] = 7
        shutil.rmtree((root / RAW).with_suffix(""))
        mini.save_objects(root / RAW, values)
        things_eeg2.convert(root, "1", data="raw", progress=False)
        with pytest.raises(CorruptFileError, match="code 7, image_metadata.npy lists 6 images"):
            load(root, data="raw")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"ch_names": [*mini.EEG2_NAMES, "trigger"]}, "no channel 'stim'"),
            ({"ch_names": ["stim"]}, "6 channels and 1 names"),
            ({"ch_types": ["eeg"]}, "6 channels and 1 types"),
            ({"raw_eeg_data": np.zeros(3)}, "raw_eeg_data is float64 of shape"),
            ({"raw_eeg_data": None}, "raw_eeg_data is NoneType"),
        ],
    )
    def test_other_contents(self, changes: dict, message: str, root: Path) -> None:
        shutil.rmtree((root / RAW).with_suffix(""))
        mini.save_objects(root / RAW, {**mini.eeg2_raw(), **changes})
        with pytest.raises(FormatError, match=message):
            things_eeg2.convert(root, "01", data="raw", progress=False)
        assert [path.name for path in (root / RAW).parent.iterdir()] == [RAW.name]


class TestConversion:
    def test_pickles_are_refused_before(self, tmp_path: Path) -> None:
        mini.write_things_eeg2(tmp_path)
        for options in ({}, {"part": "test"}, {"data": "raw"}):
            with pytest.raises(FormatError, match=r"no plain copy.*pickles.*things_eeg2\.convert"):
                load(tmp_path, **options)

    def test_elsewhere_and_without_the_pickles(self, tmp_path: Path) -> None:
        root = mini.write_things_eeg2(tmp_path / "root")
        folders = things_eeg2.convert(root, "sub-01", converted=tmp_path / "plain", progress=False)
        assert [folder.relative_to(tmp_path / "plain").parts[:2] for folder in folders] == [
            ("eeg_dataset", "preprocessed_data")
        ] * 2
        before = sorted(path.name for path in (root / TRAINING.parent).iterdir())
        assert before == ["preprocessed_eeg_test.npy", "preprocessed_eeg_training.npy"]
        (root / TRAINING).unlink()
        assert len(load(root, converted=tmp_path / "plain")[0]) == 24

    def test_twice_is_once(self, root: Path) -> None:
        folder = (root / TRAINING).with_suffix("")
        before = (folder / "data.npy").stat().st_mtime_ns
        things_eeg2.convert(root, "01", progress=False)
        assert (folder / "data.npy").stat().st_mtime_ns == before

    def test_another_pickle_is_noticed_and_converted_again(self, root: Path) -> None:
        values = {"preprocessed_eeg_data": mini.eeg2_epochs("training") + 1, "ch_names": mini.EEG2_NAMES}
        mini.save_objects(root / TRAINING, {**values, "times": np.linspace(-0.2, 0.7, 10).tolist()})
        with pytest.raises(FormatError, match="its plain copy was made of"):
            load(root)
        things_eeg2.convert(root, "01", progress=False)
        np.testing.assert_allclose(load(root)[0].data[0, 0, 0], mini.eeg2_epochs("training")[0, 0, 0, 0] + 1, rtol=1e-6)

    def test_hostile(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class Payload:
            def __reduce__(self) -> Any:
                return (os.system, ("touch mark",))

        monkeypatch.chdir(root)
        for hostile in ({"preprocessed_eeg_data": Payload()}, Payload()):
            (root / TRAINING).write_bytes(pickle.dumps(hostile))
            with pytest.raises(FormatError, match=r"preprocessed_eeg_training.*asks for (posix|nt)\.system"):
                things_eeg2.convert(root, "01", progress=False)
        assert not (root / "mark").exists()

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
    def test_cut_off(self, share: float, root: Path) -> None:
        whole = (root / TRAINING).read_bytes()
        (root / TRAINING).write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CorruptFileError, match="preprocessed_eeg_training"):
            things_eeg2.convert(root, "01", progress=False)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"times": np.zeros(9)}, r"10 samples and times of shape \(9,\)"),
            ({"ch_names": ["Pz"]}, "5 channels and 1 names"),
            ({"preprocessed_eeg_data": np.zeros((2, 3))}, "expected numbers with 4 dimensions"),
        ],
    )
    def test_other_contents(self, changes: dict, message: str, root: Path) -> None:
        values = {"preprocessed_eeg_data": mini.eeg2_epochs("training"), "ch_names": mini.EEG2_NAMES, "times": np.zeros(10)}
        mini.save_objects(root / TRAINING, {**values, **changes})
        with pytest.raises(FormatError, match=message):
            things_eeg2.convert(root, "01", progress=False)

    @pytest.mark.parametrize("value", [{"data": 1}, [1, 2]])
    def test_no_such_dictionary(self, value: Any, root: Path) -> None:
        (root / TRAINING).write_bytes(pickle.dumps(value, protocol=4))
        with pytest.raises(FormatError, match="it has no 'preprocessed_eeg_data'|expected a dictionary"):
            things_eeg2.convert(root, "01", progress=False)

    def test_a_damaged_copy(self, root: Path) -> None:
        path = (root / TRAINING).with_suffix("") / "data.npy"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(bytes(content))
        with pytest.raises(CorruptFileError, match=r"data\.npy"):
            load(root)
        load(root, verify=False)


class TestImages:
    def test_are_read_from_the_disk(self, root: Path) -> None:
        for concept, name in zip(mini.EEG2_IMAGES["test_img_concepts"], mini.EEG2_IMAGES["test_img_files"], strict=True):
            path = root / "image_set" / "test_images" / concept / name
            path.parent.mkdir(parents=True)
            Image.new("RGB", (4, 3), (9, 8, 7)).save(path)
        _, stimuli = load(root, part="test")
        assert stimuli.kind == "image"
        assert stimuli["zebra_03n"].shape == (3, 4, 3)
        _, elsewhere = load(root, part="test", images=root / "image_set")
        assert elsewhere.kind == "image"
        (root / "image_set" / "test_images" / "00002_zebra" / "zebra_03n.jpg").unlink()
        with pytest.raises(FormatError, match=r"zebra_03n\.jpg.*1 of 2 stimuli"):
            load(root, part="test")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"train_img_files": ["a.jpg"]}, "1 files and 6 concepts"),
            ({"train_img_files": None}, "no list of texts train_img_files"),
            ({"train_img_files": [f"../{i}.jpg" for i in range(6)]}, "expected a file in its own folder"),
            ({"train_img_files": ["a.jpg"], "train_img_concepts": ["00001_a"]}, "to 6 images, image_metadata.npy lists 1"),
        ],
    )
    def test_other_metadata(self, changes: dict, message: str, root: Path) -> None:
        mini.save_objects(root / "image_set" / "image_metadata.npy", {**mini.EEG2_IMAGES, **changes})
        with pytest.raises(FormatError, match=message):
            load(root)

    def test_no_metadata(self, root: Path) -> None:
        (root / "image_set" / "image_metadata.npy").unlink()
        with pytest.raises(FormatError, match="there is no image_metadata.npy"):
            load(root)


class TestWhatIsNotThere:
    @pytest.mark.parametrize("options", [{"data": "epochs"}, {"part": "validation"}, {"data": "raw", "session": 2}])
    def test_options(self, options: dict, master: Path) -> None:
        with pytest.raises(DataError):
            load(master, **options)

    def test_a_folder_without_subjects(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="no folders sub-XX of preprocessed data"):
            load(tmp_path)

    def test_a_subject_without_files(self, tmp_path: Path) -> None:
        (tmp_path / "sub-01").mkdir()
        with pytest.raises(FormatError, match="no pickles of preprocessed data"):
            things_eeg2.convert(tmp_path, "01")

    def test_other_counts_than_published(self, master: Path) -> None:
        with pytest.raises(
            FormatError, match=r"preprocessed_eeg_training\.npy: things_eeg2 .*66160, 'any', 'any'\), got \(24, 5, 10\)"
        ):
            datasets.load("things_eeg2", master, "01")
