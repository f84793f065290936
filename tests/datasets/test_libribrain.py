"""LibriBrain: stretches are read when they are indexed, empty cells are missing values, parts of a file must fit each other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from datasets import speech_miniatures as mini

from neurodecode import datasets
from neurodecode.errors import CorruptFileError, DataError, FormatError

STEM = "sub-0_ses-1_task-Sherlock1_run-1"
SIGNAL = Path("Sherlock1/derivatives/serialised") / f"{STEM}_proc-bads+headpos+sss+notch+bp+ds_meg.h5"
EVENTS = Path("Sherlock1/derivatives/events") / f"{STEM}_events.tsv"


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini.write_libribrain(tmp_path_factory.mktemp("libri"))


@pytest.fixture
def root(master: Path, tmp_path: Path) -> Path:
    """One's own copy, to spoil."""
    return Path(shutil.copytree(master, tmp_path / "libri"))


def load(root: Path, **options: Any) -> Any:
    return datasets.load("libribrain", root, "0", **{"manifest": mini.libribrain(), **options})


def spoil(root: Path, change: Callable[[Any], object]) -> None:
    with h5py.File(root / SIGNAL, "a") as file:
        change(file)


def test_signal(master: Path) -> None:
    recording, _ = load(master)
    assert "not read yet" in repr(recording.data)
    np.testing.assert_array_equal(recording.data[:, 40:60], mini.libri_signal()[:, 40:60])
    np.testing.assert_array_equal(np.asarray(recording.data), mini.libri_signal())
    channels = recording.channels
    assert channels["name"].tolist() == mini.LIBRI_NAMES
    assert channels["kind"].tolist() == mini.LIBRI_KINDS
    assert channels["unit"].tolist() == ["T/m", "T/m", "T", "T/m"]
    np.testing.assert_allclose(channels["x"], [0, 0.01, 0.02, 0.03])
    assert recording.meta["filters"] == {"highpass": 0.1, "lowpass": 125.0}
    assert (recording.sfreq, recording.t0, recording.meta["run"]) == (250.0, 0.0, "1")


def test_only_the_stretch_is_read(master: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neurodecode.datasets import _libribrain_signal

    recording, _ = load(master)
    asked: list[tuple[int, int]] = []
    whole = _libribrain_signal.Stretches.__call__

    def noted(self: Any, start: int, stop: int) -> Any:
        asked.append((start, stop))
        return whole(self, start, stop)

    monkeypatch.setattr(_libribrain_signal.Stretches, "__call__", noted)
    assert recording.data[1, 100:110].shape == (10,)
    assert asked == [(100, 110)]


def test_events(master: Path) -> None:
    recording, stimuli = load(master)
    events = recording.events
    assert events["trial_type"].value_counts().to_dict() == {"word": 4, "phoneme": 4, "silence": 1}
    words = events[events["trial_type"] == "word"]
    assert words["word"].tolist() == mini.LIBRI_WORDS
    np.testing.assert_allclose(words["onset"], 0.8 + 0.4 * np.arange(4))
    np.testing.assert_allclose(words["sound_onset"], 0.3 + 0.4 * np.arange(4))
    assert words["block"].tolist() == ["Sherlock1_ses-1:0"] * 2 + ["Sherlock1_ses-1:1"] * 2
    assert events["phoneme"].dropna().tolist() == ["t_B"] * 4
    assert events["wordidx"].dropna().tolist() == [0, 0, 1, 1] * 2
    assert (stimuli.kind, stimuli["Sherlock1_ses-1"]) == ("text", "to Sherlock None she")


def test_without_what_is_not_needed(root: Path) -> None:
    (root / "meg_sensors_information.json").unlink()
    mini.libri_events().drop(columns=["timechapter", "sentenceidx"]).to_csv(root / EVENTS, sep="\t", index=False)
    recording, _ = load(root)
    assert recording.events["sound_onset"].isna().all()
    assert recording.events["block"].isna().all()
    assert "x" not in recording.channels
    assert len(recording.meta["sources"]) == 2


@pytest.mark.parametrize("options", [{"task": "Sherlock9"}, {"session": 2}, {"run": "2"}, {"task": "../Sherlock1"}, {"run": "*"}])
def test_what_is_not_there(options: dict, master: Path) -> None:
    with pytest.raises(DataError, match=next(iter(options))):
        load(master, **options)


def test_a_run_in_two_files(root: Path) -> None:
    shutil.copy(root / SIGNAL, root / SIGNAL.with_name(f"{STEM}_proc-raw_meg.h5"))
    with pytest.raises(FormatError, match="one of 2 files of this run"):
        load(root)


def test_the_full_set_has_more_sensors(master: Path) -> None:
    with pytest.raises(FormatError, match=r"shape \(306, 'any'\), got \(4, 1000\)"):
        load(master, manifest=None)


class TestDamage:
    @pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
    def test_a_signal_that_is_cut_off(self, share: float, root: Path) -> None:
        whole = (root / SIGNAL).read_bytes()
        (root / SIGNAL).write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CorruptFileError, match=r"_meg\.h5"):
            load(root)

    def test_a_signal_that_is_cut_off_later(self, root: Path) -> None:
        recording, _ = load(root)
        (root / SIGNAL).write_bytes((root / SIGNAL).read_bytes()[:4000])
        with pytest.raises(CorruptFileError, match=r"_meg\.h5"):
            np.asarray(recording.data)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda file: file.pop("times"), "no data set 'times'"),
            (lambda file: file.attrs.pop("channel_names"), "no attribute 'channel_names'"),
            (lambda file: file.attrs.pop("sample_frequency"), "no attribute 'sample_frequency'"),
            (lambda file: file.attrs.update(sample_frequency="fast"), "sample_frequency is no number"),
            (lambda file: file.attrs.update(sample_frequency=125.0), "contradict each other"),
            (lambda file: file.attrs.update(channel_names="MEG0113"), "4 channels, 1 names"),
            (lambda file: file.attrs.update(channel_types="grad, grad, mag, eeg"), r"\['eeg', 'grad', 'mag'\]"),
            (lambda file: file.attrs.update(channel_names="A, A, B, C"), "do not fit together"),
            (lambda file: file.__setitem__("away", h5py.ExternalLink("/etc/x.h5", "x")), "/etc/x.h5"),
        ],
    )
    def test_parts_that_do_not_fit(self, change: Callable[[Any], object], message: str, root: Path) -> None:
        spoil(root, change)
        with pytest.raises((FormatError, CorruptFileError), match=message):
            load(root)

    def test_fewer_times_than_samples(self, root: Path) -> None:
        spoil(root, lambda file: file.pop("times"))
        for times in (np.arange(999) / 250, np.arange(1000) / 200, np.full(1000, np.nan), np.zeros(0)):
            spoil(root, lambda file, times=times: file.create_dataset("times", data=times))
            with pytest.raises(CorruptFileError, match="contradict each other"):
                load(root)
            spoil(root, lambda file: file.pop("times"))

    def test_events(self, root: Path) -> None:
        table = mini.libri_events()
        table.rename(columns={"timemeg": "time_meg"}).to_csv(root / EVENTS, sep="\t", index=False)
        with pytest.raises(FormatError, match="no column 'timemeg': did you mean 'time_meg'"):
            load(root)
        table.assign(timemeg="soon").to_csv(root / EVENTS, sep="\t", index=False)
        with pytest.raises(FormatError, match="row 1 has 'soon' as timemeg"):
            load(root)
        (root / EVENTS).unlink()
        with pytest.raises(FormatError, match=r"_events\.tsv: there is no such file"):
            load(root)

    @pytest.mark.parametrize("text", ["[", "{}", '[{"ch_name": "a"}]', '[{"ch_name": "a", "loc": ["x", 1, 2]}]'])
    def test_sensors(self, text: str, root: Path) -> None:
        (root / "meg_sensors_information.json").write_text(text, encoding="utf-8")
        if text == "{}":
            assert load(root)[0].channels["x"].isna().all()
            return
        with pytest.raises(CorruptFileError, match="meg_sensors_information"):
            load(root)
