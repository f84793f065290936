"""Our readers give what MNE and pynwb give, on files of every format."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from neurodecode.data import LazySignal, Recording
from neurodecode.data.convert import from_mne, to_mne
from neurodecode.io.meeg import read_meeg
from neurodecode.io.nwb import read_nwb_units
from neurodecode.io.read import read

FILES = [
    "formats/fif/eeg_rest_raw.fif",
    "formats/fif/meg_ctf_raw.fif",
    "formats/edf/test.edf",
    "formats/edf/test_uneven_samp.edf",
    "formats/bdf/test.bdf",
    "formats/brainvision/test.vhdr",
    "formats/eeglab/one_file.set",
    "formats/eeglab/two_files.set",
    "formats/cnt/writer_made.cnt",
    "formats/kit/test.sqd",
    "eeglab_sample/eeglab_data.set",
    "eeglab_sample/format_samples/test.edf",
    "eeglab_sample/format_samples/test.bdf",
    "eeglab_sample/format_samples/testbva.vhdr",
    "ecog_seizure/sub-pat01/ieeg/sub-pat01_task-seizure_ieeg.edf",
]
READ_AT_ONCE = {"formats/edf/test_uneven_samp.edf"}  # its rates are mixed


def with_mne(path: Path, **options: Any) -> Any:
    """MNE's own reading, preloaded."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return mne.io.read_raw(path, preload=True, verbose="error", **options)


@pytest.fixture(params=FILES)
def pair(request: pytest.FixtureRequest, real: Callable[..., Path]) -> tuple[str, Recording, Any]:
    """Name of a file, our reading and MNE's."""
    path = real(request.param)
    return request.param, read(path), with_mne(path)


def test_whole_signal(pair: tuple[str, Recording, Any]) -> None:
    name, ours, theirs = pair
    assert isinstance(ours.data, LazySignal) == (name not in READ_AT_ONCE)
    np.testing.assert_array_equal(ours.load().data, theirs.get_data().astype(np.float32))


def test_stretches_of_the_signal(pair: tuple[str, Recording, Any]) -> None:
    _, ours, theirs = pair
    n, whole = ours.n_times, theirs.get_data().astype(np.float32)
    for start, stop in [(0, 1), (n // 3, n // 3 + 50), (n // 2, n)]:
        np.testing.assert_array_equal(ours.data[:, start:stop], whole[:, start:stop])
    np.testing.assert_array_equal(ours.pick([1, 0]).crop(tmin=0.1).data, whole[[1, 0], int(np.ceil(0.1 * ours.sfreq - 1e-6)) :])


def test_clock_names_and_annotations(pair: tuple[str, Recording, Any]) -> None:
    _, ours, theirs = pair
    assert (ours.names, ours.sfreq, ours.n_times) == (theirs.ch_names, theirs.info["sfreq"], theirs.n_times)
    onsets = np.sort(theirs.annotations.onset - theirs.first_time)
    np.testing.assert_allclose(ours.events["onset"], onsets, atol=1e-9)
    assert sorted(ours.events["trial_type"]) == sorted(theirs.annotations.description)


def test_back_to_mne(pair: tuple[str, Recording, Any]) -> None:
    name, ours, theirs = pair
    back = to_mne(ours)
    locations = [np.array([channel["loc"] for channel in raw.info["chs"]]) for raw in (back, theirs)]
    kinds = theirs.get_channel_types()
    if "eeglab_data" in name:  # read as EEG by MNE, as EOG with our default
        kinds = ["eog" if "EOG" in channel else kind for channel, kind in zip(theirs.ch_names, kinds, strict=True)]
        keep = ["EOG" not in channel for channel in theirs.ch_names]
        locations = [places[keep] for places in locations]
    assert back.get_channel_types() == kinds
    np.testing.assert_array_equal(*locations)
    assert len(back.info["comps"]) == len(theirs.info["comps"])
    if theirs.info["dev_head_t"] is not None:
        np.testing.assert_allclose(back.info["dev_head_t"]["trans"], theirs.info["dev_head_t"]["trans"])


def test_kit_with_head_position(real: Callable[..., Path]) -> None:
    options = {"mrk": real("formats/kit/test_mrk.sqd"), "elp": real("formats/kit/test.elp"), "hsp": real("formats/kit/test.hsp")}
    ours, theirs = read_meeg(real("formats/kit/test.sqd"), **options), with_mne(real("formats/kit/test.sqd"), **options)
    move = theirs.info["dev_head_t"]
    sensor = mne.transforms.apply_trans(move, theirs.info["chs"][5]["loc"][:3])
    np.testing.assert_allclose(ours.channels.loc[5, ["x", "y", "z"]].astype(float), sensor, atol=1e-9)
    assert [source["file"] for source in ours.meta["sources"]] == ["test.sqd", "test_mrk.sqd", "test.elp", "test.hsp"]


def test_epochs(real: Callable[..., Path]) -> None:
    path = real("priming_n400/priming_n400-epo.fif")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = mne.read_epochs(path, proj=False, verbose="error")
    ours = read(path)
    np.testing.assert_array_equal(ours.data, theirs.get_data().astype(np.float32))
    np.testing.assert_allclose(ours.times, theirs.times)
    assert ours.samples["trial_type"].value_counts().to_dict() == {"unrelated": 66, "related": 54}
    assert ours.samples["cue"].tolist() == theirs.metadata["cue"].tolist()
    back = to_mne(ours)
    np.testing.assert_array_equal(back.events, theirs.events)
    assert back.event_id == theirs.event_id


def test_evoked_of_both_is_one(real: Callable[..., Path]) -> None:
    ours = read(real("priming_n400/priming_n400-epo.fif"))
    evoked = to_mne(ours)["related"].average().get_data()
    np.testing.assert_allclose(evoked, ours.select(trial_type="related").data.mean(axis=0, dtype=float), atol=1e-12)


def test_units_against_pynwb(real: Callable[..., Path]) -> None:
    import pynwb

    path = real("zheng_mtl/sub-4_ses-4_ecephys+image.nwb")
    spikes = read_nwb_units(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pynwb.NWBHDF5IO(path, "r") as opened:
            theirs = opened.read()
            trains = [np.asarray(theirs.units["spike_times"][i]) for i in range(len(theirs.units))]
            regions = [theirs.units["electrodes"][i]["location"].iloc[0].decode() for i in range(len(theirs.units))]
            starts = {name: np.asarray(table["start_time"][:]) for name, table in theirs.intervals.items()}
    assert (spikes.n_units, len(spikes.times)) == (35, 214278)
    for i, train in enumerate(trains):
        np.testing.assert_array_equal(spikes.times[spikes.unit == i], np.sort(train))
    assert spikes.channels["region"].tolist() == regions
    for name, start in starts.items():
        events = spikes.events[spikes.events["trial_type"] == name]
        np.testing.assert_array_equal(events["onset"], np.sort(start))


def test_series_against_pynwb(tmp_path: Path) -> None:
    import datetime

    import pynwb

    file = pynwb.NWBFile("a session", "id", datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
    group = file.create_electrode_group("grid", "8 x 8 ECoG", "cortex", file.create_device("amplifier"))
    for i in range(4):
        file.add_electrode(x=1e3 * i, y=0.0, z=0.0, location=f"area{i}", group=group)
    region = file.create_electrode_table_region([3, 1, 0], "used")
    values = np.random.default_rng(0).integers(-999, 999, (500, 3)).astype(np.int16)
    settings = {"rate": 512.0, "starting_time": 1.5, "conversion": 2e-6, "offset": 1e-4, "channel_conversion": [1.0, 0.5, 2.0]}
    file.add_acquisition(pynwb.ecephys.ElectricalSeries(name="ecog", data=values, electrodes=region, **settings))
    file.add_trial(start_time=1.6, stop_time=1.9)
    with pynwb.NWBHDF5IO(tmp_path / "a.nwb", "w") as opened:
        opened.write(file)
    recording = read(tmp_path / "a.nwb")
    with pynwb.NWBHDF5IO(tmp_path / "a.nwb", "r") as opened:
        theirs = opened.read().acquisition["ecog"].get_data_in_units()
    np.testing.assert_allclose(recording.data, theirs.T, rtol=1e-6)
    assert recording.channels["region"].tolist() == ["area3", "area1", "area0"]
    assert set(recording.channels["kind"]) == {"ecog"}
    assert (recording.sfreq, recording.t0, recording.events["onset"].tolist()) == (512.0, 1.5, [1.6])


def test_from_mne_of_a_lazy_raw_is_what_the_reader_gives(real: Callable[..., Path]) -> None:
    raw = mne.io.read_raw_fif(real("formats/fif/meg_ctf_raw.fif"), preload=False, verbose="error")
    np.testing.assert_array_equal(from_mne(raw).load().data, read(real("formats/fif/meg_ctf_raw.fif")).load().data)
