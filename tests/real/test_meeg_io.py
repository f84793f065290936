"""Real recordings: damaged copies are refused, BIDS sidecars are used, reference figures come out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.meeg import read_bids_meeg, read_meeg
from neurodecode.io.nwb import read_nwb
from neurodecode.io.read import read

# File to cut, and the file to pass where that is another one.
CUT = [
    ("formats/fif/eeg_rest_raw.fif", None),
    ("formats/fif/meg_ctf_raw.fif", None),
    ("priming_n400/priming_n400-epo.fif", None),
    ("formats/edf/test.edf", None),
    ("formats/edf/test_uneven_samp.edf", None),
    ("formats/bdf/test.bdf", None),
    ("formats/brainvision/test.eeg", "test.vhdr"),
    ("formats/eeglab/one_file.set", None),
    ("formats/eeglab/two_files.set", None),
    ("formats/eeglab/two_files.fdt", "two_files.set"),
    ("formats/cnt/writer_made.cnt", None),
    ("formats/kit/test.sqd", None),
    ("eeglab_sample/format_samples/test.edf", None),
    ("eeglab_sample/format_samples/test.bdf", None),
    ("eeglab_sample/format_samples/testbva.dat", "testbva.vhdr"),
    ("ecog_seizure/sub-pat01/ieeg/sub-pat01_task-seizure_ieeg.edf", None),
    ("zheng_mtl/sub-4_ses-4_ecephys+image.nwb", None),
]
SHARES = [0.0, 0.001, 0.1, 0.5, 0.9, 0.999]


@pytest.mark.parametrize(("name", "passed"), CUT)
def test_every_cut_is_found(name: str, passed: str | None, real: Callable[..., Path], tmp_path: Path) -> None:
    source = real(name)
    parts = [part for part in source.parent.glob(f"{source.stem}.*") if part.is_file()]
    for part in parts:
        shutil.copyfile(part, tmp_path / part.name)
    content = source.read_bytes()
    lengths = {int(len(content) * share) for share in SHARES} | {len(content) - 1, len(content) - 16}
    for length in sorted(lengths):
        (tmp_path / source.name).write_bytes(content[:length])
        with pytest.raises(CorruptFileError, match=(passed or source.name).replace("+", r"\+")):
            read(tmp_path / (passed or source.name)).load()


@pytest.mark.parametrize("name", [name for name, passed in CUT if passed is None and not name.endswith((".nwb", ".set"))])
def test_renamed(name: str, real: Callable[..., Path], tmp_path: Path) -> None:
    shutil.copyfile(real(name), tmp_path / "renamed.dat")
    ours, theirs = read(tmp_path / "renamed.dat"), read(real(name))
    np.testing.assert_array_equal(np.asarray(ours.data), np.asarray(theirs.data))


def test_cnt_that_contradicts_itself(real: Callable[..., Path]) -> None:
    file = real("eeglab_sample/format_samples/test.cnt")
    with pytest.raises(CorruptFileError, match=r"states 26080 samples of 2 channels, the data part has 102420 bytes.*int16"):
        read(file)
    assert read_meeg(file, data_format="int16", recompute_n_samples=True).n_times == 25605


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("eeglab_sample/format_samples/test.xdf", "BrainVision or EDF"),
        ("formats/brainvision/test.eeg", r"test\.vhdr"),
        ("formats/eeglab/two_files.fdt", r"two_files\.set"),
        ("formats/mat/v73_small.mat", "make a Recording"),
        ("formats/mat/v5_nested_struct.mat", "make a Recording"),
        ("formats/tiff/writer_made_movie.tif", "not supported yet"),
        ("formats/nwb/writer_made_ophys.nwb", "not supported yet"),
        ("suite2p_plane", "not supported yet"),
        ("muse_n170", "read_bids"),
    ],
)
def test_unsupported_content(name: str, message: str, real: Callable[..., Path]) -> None:
    with pytest.raises(FormatError, match=message):
        read(real(name))


def test_eeglab_types_eye_channels(real: Callable[..., Path]) -> None:
    recording = read(real("eeglab_sample/eeglab_data.set"))
    assert recording.channels.query("kind == 'eog'")["name"].tolist() == ["EOG1", "EOG2"]
    assert recording.events["trial_type"].value_counts().to_dict() == {"square": 80, "rt": 74}
    assert np.sqrt(np.mean(recording.load().data.astype(float) ** 2)) == pytest.approx(25.79e-6, rel=1e-3)


def test_muse_n170(real: Callable[..., Path]) -> None:
    root = real("muse_n170")
    recording = read_bids_meeg(root, root / "sub-1/ses-1/eeg/sub-1_ses-1_task-n170_run-02_eeg.vhdr")
    assert {"subject": "1", "session": "1", "run": "02", "line_freq": 60.0}.items() <= recording.meta.items()
    assert set(recording.events["trial_type"]) == {"face", "house"}
    assert {"value", "sample"} <= set(recording.events)
    assert recording.channels["kind"].tolist() == ["eeg"] * 4
    with_t0 = np.round(recording.events["onset"] * recording.sfreq).astype(int)
    assert np.abs(with_t0 - recording.events["sample"]).max() <= 1


def test_ecog_seizure(real: Callable[..., Path]) -> None:
    root = real("ecog_seizure")
    recording = read_bids_meeg(root, root / "sub-pat01/ieeg/sub-pat01_task-seizure_ieeg.edf")
    assert recording.channels["kind"].value_counts().to_dict() == {"ecog": 76, "ecg": 2}
    assert recording.channels[["x", "y", "z"]].isna().all(axis=None)
    assert recording.events["onset"].tolist() == pytest.approx([10.229], abs=1e-3)
    assert recording.events["trial_type"].tolist() == ["eeg sz start"]
    assert (recording.n_times, recording.sfreq) == (21658, pytest.approx(999.4121, abs=1e-4))
    ecog = recording.pick(kind="ecog").load().data.astype(float) * 1e6
    onset = int(10.229 * recording.sfreq)
    assert np.abs(np.diff(ecog[:, :onset])).mean() == pytest.approx(15.23, abs=0.1)


def test_zheng_units(real: Callable[..., Path]) -> None:
    spikes = read_nwb(real("zheng_mtl/sub-4_ses-4_ecephys+image.nwb"))
    assert (spikes.n_units, len(spikes.times)) == (35, 214278)
    tables = spikes.events["trial_type"].value_counts().to_dict()
    assert tables == {"encoding_table": 90, "recognition_table": 180, "timediscrimination_table": 180}
    clips = spikes.events.query("trial_type == 'encoding_table'")["Clip_name"]
    assert clips.map(type).eq(str).all()
    rates = spikes.counts() / (spikes.times[-1] - spikes.times[0])
    assert (rates.min(), rates.max()) == (pytest.approx(0.184, abs=0.001), pytest.approx(7.351, abs=0.005))


def test_no_dates_of_the_recording(real: Callable[..., Path]) -> None:
    assert "2019" not in str(read(real("formats/fif/eeg_rest_raw.fif")).meta["mne_info"])
