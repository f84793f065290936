"""Reading one recording: values, laziness, options, sources, and what happens to renamed files."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

import meeg_files
import mne
import numpy as np
import pytest
import scipy.io

from neurodecode.data import LazySignal, Recording, Responses, load, save
from neurodecode.data.hashing import sha256_file
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io.meeg import read_meeg

VOLT = 0.5e-6  # one count of the miniature files
WRITERS = {
    "edf": lambda folder: meeg_files.write_edf(folder / "a.edf"),
    "bdf": lambda folder: meeg_files.write_edf(folder / "a.bdf", bdf=True),
    "brainvision": lambda folder: meeg_files.write_brainvision(folder / "a.vhdr"),
    "fif": lambda folder: meeg_files.write_fif(folder / "a_raw.fif"),
}


def write_set(path: Path, *, trials: int = 1, fdt: bool = False) -> Path:
    """Write an EEGLAB .set in one file, or with its .fdt."""
    values = (meeg_files.counts() * 0.5).astype(np.float32)
    data: object = values.reshape(3, -1, trials) if trials > 1 else values
    if fdt:
        path.with_suffix(".fdt").write_bytes(values.T.astype("<f4").tobytes())
        data = path.with_suffix(".fdt").name
    labels = np.array([(name,) for name in meeg_files.NAMES], dtype=[("labels", object)])
    shape = {"nbchan": 3, "pnts": 400 // trials, "trials": trials, "srate": 100.0, "xmin": 0.0, "xmax": (400 / trials - 1) / 100}
    empty = {
        "event": [],
        "epoch": [],
        "icawinv": [],
        "icaweights": [],
        "icasphere": [],
        "setname": "",
        "chaninfo": {"nosedir": "+X"},
    }
    scipy.io.savemat(path, {"EEG": {**shape, **empty, "data": data, "chanlocs": labels}})
    return path


@pytest.mark.parametrize("kind", WRITERS)
def test_values_are_volts(kind: str, tmp_path: Path) -> None:
    recording = read_meeg(WRITERS[kind](tmp_path))
    np.testing.assert_allclose(recording.load().data, meeg_files.counts() * VOLT, atol=1e-10)
    assert recording.channels["unit"].tolist() == ["V", "V", "V"]
    assert recording.names == meeg_files.NAMES
    assert (recording.sfreq, recording.t0) == (100.0, 0.0)


@pytest.mark.parametrize("kind", WRITERS)
def test_unread_until_indexed(kind: str, tmp_path: Path) -> None:
    recording = read_meeg(WRITERS[kind](tmp_path))
    assert isinstance(recording.data, LazySignal)
    expected = meeg_files.counts()[1:, 37:199] * VOLT
    np.testing.assert_allclose(recording.data[1:, 37:199], expected, atol=1e-10)
    np.testing.assert_allclose(recording.crop(0.37, 1.99).pick(["Cz", "EOG1"]).data, expected, atol=1e-10)


@pytest.mark.parametrize("kind", WRITERS)
def test_renamed_file_is_read_by_content(kind: str, tmp_path: Path) -> None:
    file = WRITERS[kind](tmp_path)
    if kind == "brainvision":
        with pytest.raises(FormatError, match=r"\.vhdr"):
            read_meeg(file.rename(tmp_path / "other.dat"))
        return
    recording = read_meeg(file.rename(tmp_path / "other.dat"))
    np.testing.assert_allclose(recording.data[:, 100:130], meeg_files.counts()[:, 100:130] * VOLT, atol=1e-10)
    assert recording.meta["sources"] == [{"file": "other.dat", "sha256": sha256_file(tmp_path / "other.dat")}]


def test_link_of_a_renamed_file_goes_with_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file = meeg_files.write_edf(tmp_path / "a.edf").rename(tmp_path / "a")
    recording = read_meeg(file)
    assert list(tmp_path.glob("neurodecode-*"))
    del recording
    gc.collect()
    assert not list(tmp_path.glob("neurodecode-*"))


def test_sources_list_every_file(tmp_path: Path) -> None:
    sources = read_meeg(WRITERS["brainvision"](tmp_path)).meta["sources"]
    assert [source["file"] for source in sources] == ["a.vhdr", "a.eeg", "a.vmrk"]
    assert sources[1]["sha256"] == sha256_file(tmp_path / "a.eeg")
    assert [s["file"] for s in read_meeg(write_set(tmp_path / "b.set", fdt=True)).meta["sources"]] == ["b.set", "b.fdt"]


def test_first_sample_is_zero_seconds(tmp_path: Path) -> None:
    recording = read_meeg(meeg_files.write_fif(tmp_path / "a_raw.fif", first_samp=1234))
    assert recording.t0 == 0.0
    assert recording.events["onset"].tolist() == pytest.approx([0.5, 1.5])
    assert recording.events["trial_type"].tolist() == ["face", "house"]


def test_brainvision_markers_are_events(tmp_path: Path) -> None:
    events = read_meeg(meeg_files.write_brainvision(tmp_path / "a.vhdr", markers=(51, 151))).events
    assert events["onset"].tolist() == pytest.approx([0.5, 1.5])
    assert events["trial_type"].tolist() == ["Stimulus/S  1", "Stimulus/S  2"]


@pytest.mark.parametrize("fdt", [False, True])
def test_eeglab_in_both_layouts(fdt: bool, tmp_path: Path) -> None:
    recording = read_meeg(write_set(tmp_path / "a.set", fdt=fdt))
    np.testing.assert_allclose(recording.load().data, meeg_files.counts() * VOLT, rtol=1e-6)
    assert recording.channels["kind"].tolist() == ["eeg", "eeg", "eog"]


def test_eeglab_epochs_become_responses(tmp_path: Path) -> None:
    responses = read_meeg(write_set(tmp_path / "a.set", trials=4))
    assert isinstance(responses, Responses)
    assert responses.data.shape == (4, 3, 100)


def test_mixed_rates_do_not_depend_on_the_stretch_read(tmp_path: Path) -> None:
    fast, slow = meeg_files.counts()[:2]
    file = meeg_files.write_edf(tmp_path / "a.edf", np.stack([fast, slow]), per_record=[100, 25])
    recording = read_meeg(file)
    with mne.utils.use_log_level("error"):
        whole = mne.io.read_raw_edf(file, preload=True, verbose="error").get_data()
    np.testing.assert_array_equal(recording.data, whole.astype(np.float32))


def test_options_reach_the_reader(tmp_path: Path) -> None:
    recording = read_meeg(WRITERS["edf"](tmp_path), misc=["Fz"])
    assert recording.channels["kind"].tolist()[0] == "misc"


def test_unknown_option(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="eogs.*eog"):
        read_meeg(WRITERS["edf"](tmp_path), eogs=["EOG1"])


def test_preload_is_possible(tmp_path: Path) -> None:
    assert isinstance(read_meeg(WRITERS["edf"](tmp_path), preload=True).data, np.ndarray)


def test_not_a_recording(tmp_path: Path) -> None:
    mne.write_events(tmp_path / "a-eve.fif", np.array([[1, 0, 1]]), verbose="error")
    with pytest.raises(FormatError, match="a-eve"):
        read_meeg(tmp_path / "a-eve.fif")


def test_damage_found_while_reading_later(tmp_path: Path) -> None:
    file = WRITERS["edf"](tmp_path)
    recording = read_meeg(file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CorruptFileError, match=r"a\.edf.*bytes when it was opened"):
        recording.load()


def test_failure_of_the_reader_while_reading_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = read_meeg(WRITERS["edf"](tmp_path))

    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("block of no length")

    monkeypatch.setattr(mne.io.BaseRaw, "get_data", broken)
    with pytest.raises(CorruptFileError, match=r"a\.edf.*ZeroDivisionError: block of no length"):
        recording.load()


def test_saved_recording_is_the_same(tmp_path: Path) -> None:
    recording = read_meeg(WRITERS["fif"](tmp_path))
    back: Recording = load(save(recording, tmp_path / "r"))
    np.testing.assert_array_equal(back.data, recording.load().data)
    assert back.events.equals(recording.events)


def test_two_readings_have_equal_meta(tmp_path: Path) -> None:
    file = WRITERS["brainvision"](tmp_path)
    assert read_meeg(file).meta == read_meeg(file).meta


def test_notes_hold_no_folder_of_this_machine(tmp_path: Path) -> None:
    file = WRITERS["edf"](tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[:236] + b"-1      " + content[244:])
    meta = read_meeg(file).meta
    assert meta["notes"]
    assert str(tmp_path) not in str(meta)
