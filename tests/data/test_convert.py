"""Converters to and from MNE and xarray keep values, units, positions, events and epochs."""

from __future__ import annotations

import json

import mne
import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Intervals, LazySignal, Recording, Responses, load, save
from neurodecode.data.convert import from_mne, from_xarray, to_mne, to_xarray, with_montage
from neurodecode.errors import DataError

KINDS = ["eeg", "mag", "grad", "eog", "ecog", "seeg", "stim", "misc"]
UNITS = ["V", "T", "T/m", "V", "V", "V", "n/a", "n/a"]


@pytest.fixture
def raw(rng: np.random.Generator) -> mne.io.BaseRaw:
    """Eight channels of as many kinds, 3 s at 100 Hz, first sample 250, with three annotations."""
    info = mne.create_info([f"ch{i}" for i in range(8)], 100.0, KINDS)
    info["bads"] = ["ch3"]
    info["chs"][0]["loc"][:3] = [0.01, 0.02, 0.09]
    array = mne.io.RawArray(1e-5 * rng.standard_normal((8, 300)), info, first_samp=250, verbose="error")
    array.set_annotations(mne.Annotations([0.5, 1.0, 2.0], [0.0, 0.25, 0.5], ["face", "house", "BAD_move"]))
    return array


@pytest.fixture
def epochs(raw: mne.io.BaseRaw) -> mne.BaseEpochs:
    """Three epochs of two kinds with metadata."""
    events = np.array([[280, 0, 4], [350, 0, 7], [420, 0, 4]])
    metadata = pd.DataFrame({"word": ["cat", "dog", "sun"], "length": [3, 3, 3]})
    settings = {"tmin": -0.1, "tmax": 0.2, "baseline": None, "reject_by_annotation": False, "preload": True, "verbose": "error"}
    return mne.Epochs(raw, events, {"face": 4, "house": 7}, metadata=metadata, **settings)


class TestRaw:
    def test_values_units_kinds_and_bads(self, raw: mne.io.BaseRaw) -> None:
        recording = from_mne(raw)
        np.testing.assert_array_equal(recording.data, raw.get_data().astype(np.float32))
        assert recording.channels["kind"].tolist() == KINDS
        assert recording.channels["unit"].tolist() == UNITS
        assert recording.channels.loc[recording.channels["bad"], "name"].tolist() == ["ch3"]
        assert recording.sfreq == 100.0
        assert recording.t0 == 0.0

    def test_position_is_nan_where_unknown(self, raw: mne.io.BaseRaw) -> None:
        places = from_mne(raw).channels[["x", "y", "z"]].to_numpy()
        np.testing.assert_allclose(places[0], [0.01, 0.02, 0.09])
        assert np.isnan(places[1:]).all()

    @pytest.mark.parametrize("meas_date", [None, 1.5e9])
    def test_onsets_count_from_the_first_sample(self, raw: mne.io.BaseRaw, meas_date: float | None) -> None:
        raw.set_annotations(None).set_meas_date(meas_date)
        onset = 0.5 if meas_date is None else 0.5 + raw.first_time  # MNE counts from the start of acquisition if it has a date
        origin = None if meas_date is None else raw.info["meas_date"]
        raw.set_annotations(mne.Annotations([onset], [0.0], ["face"], orig_time=origin))
        assert from_mne(raw).events["onset"].tolist() == pytest.approx([0.5])

    def test_bad_annotations_leave_valid(self, raw: mne.io.BaseRaw) -> None:
        recording = from_mne(raw)
        assert recording.valid == Intervals([0.0, 2.5], [2.0, 3.0])
        assert recording.events["trial_type"].tolist() == ["face", "house", "BAD_move"]

    def test_unread_until_indexed(self, raw: mne.io.BaseRaw, tmp_path) -> None:
        raw.save(tmp_path / "a_raw.fif", verbose="error")
        lazy = mne.io.read_raw_fif(tmp_path / "a_raw.fif", preload=False, verbose="error")
        recording = from_mne(lazy)
        assert isinstance(recording.data, LazySignal)
        assert not lazy.preload
        np.testing.assert_array_equal(recording.data[2:4, 10:20], lazy.get_data()[2:4, 10:20].astype(np.float32))

    def test_round_trip(self, raw: mne.io.BaseRaw) -> None:
        back = to_mne(from_mne(raw))
        np.testing.assert_array_equal(back.get_data().astype(np.float32), raw.get_data().astype(np.float32))
        assert back.ch_names == raw.ch_names
        assert back.get_channel_types() == raw.get_channel_types()
        assert back.info["bads"] == ["ch3"]
        np.testing.assert_allclose(back.annotations.onset, raw.annotations.onset - raw.first_time)
        assert list(back.annotations.description) == list(raw.annotations.description)
        np.testing.assert_array_equal(back.info["chs"][0]["loc"], raw.info["chs"][0]["loc"])

    def test_there_and_back_is_the_same_recording(self, eeg: Recording) -> None:
        eeg = eeg.replace(events=eeg.events.assign(stimulus=[f"s{i}" for i in range(8)], block=2))
        back = from_mne(to_mne(eeg))
        np.testing.assert_array_equal(back.data, eeg.data)
        pd.testing.assert_frame_equal(back.events, eeg.events, check_dtype=False)

    def test_clock_of_a_cropped_recording(self, eeg: Recording) -> None:
        part = eeg.crop(2.0, 6.0)
        assert to_mne(part).annotations.onset.tolist() == pytest.approx([0.0, 1.0, 2.0, 3.0])

    def test_valid_becomes_bad_annotations(self, eeg: Recording) -> None:
        back = to_mne(eeg.replace(valid=Intervals([0.0], [7.5])))
        bad = back.annotations[back.annotations.description == "BAD_invalid"]
        assert (bad.onset.tolist(), bad.duration.tolist()) == ([7.5], [2.5])
        assert from_mne(back).valid == Intervals([0.0], [7.5])

    def test_channels_of_annotations(self, raw: mne.io.BaseRaw) -> None:
        raw.set_annotations(mne.Annotations([0.5, 1.0], 0.1, ["spike", "all"], ch_names=[("ch4", "ch5"), ()]))
        recording = from_mne(raw)
        assert recording.events["channel"].tolist()[0] == "ch4,ch5"
        assert list(to_mne(recording).annotations.ch_names) == [("ch4", "ch5"), ()]

    def test_description_survives_renaming_resampling_and_picking(self, raw: mne.io.BaseRaw) -> None:
        recording = from_mne(raw)
        part = recording.pick(["ch0", "ch1"]).replace(data=np.zeros((2, 150)), sfreq=50.0, valid=None, events=None)
        renamed = part.replace(channels=part.channels.assign(name=["Fz", "ch1"]))
        info = to_mne(renamed).info
        assert info["sfreq"] == 50.0
        assert info["lowpass"] <= 25.0
        np.testing.assert_allclose(info["chs"][0]["loc"][:3], [0.01, 0.02, 0.09])

    def test_no_personal_data(self, raw: mne.io.BaseRaw) -> None:
        raw.set_meas_date(1.5e9)
        raw.info["subject_info"] = {"last_name": "Doe", "first_name": "Jane", "id": 77}
        raw.info["experimenter"] = "Smith"
        raw.info["description"] = "visit of Doe"
        text = json.dumps(from_mne(raw).meta)
        for private in ("Doe", "Jane", "Smith", "2017"):
            assert private not in text

    def test_head_shape_stays_out_and_fiducials_stay(self, raw: mne.io.BaseRaw) -> None:
        points = {"nasion": [0, 0.1, 0], "lpa": [-0.08, 0, 0], "rpa": [0.08, 0, 0], "hsp": [[0, 0.11, 0.02]] * 5}
        raw.set_montage(mne.channels.make_dig_montage(**points, coord_frame="head"), on_missing="ignore", verbose="error")
        assert len(from_mne(raw).meta["mne_info"]["dig"]) == 3
        assert len(to_mne(from_mne(raw)).info["dig"]) == 3

    def test_maxwell_filtering_is_remembered(self, raw: mne.io.BaseRaw) -> None:
        done = {"sss_info": {"in_order": 8, "nfree": 64}, "max_st": {}, "sss_ctc": {}, "sss_cal": {}}
        with raw.info._unlock():
            raw.info["proc_history"] = [{"max_info": done, "experimenter": "Smith"}]
        recording = from_mne(raw)
        assert "Smith" not in json.dumps(recording.meta)
        assert to_mne(recording).info["proc_history"][0]["max_info"]["sss_info"]["nfree"] == 64
        assert from_mne(to_mne(recording)).meta["mne_info"]["proc_history"] == recording.meta["mne_info"]["proc_history"]

    def test_saved_and_loaded(self, raw: mne.io.BaseRaw, tmp_path) -> None:
        back = to_mne(load(save(from_mne(raw), tmp_path / "r")))
        np.testing.assert_array_equal(back.info["chs"][0]["loc"], raw.info["chs"][0]["loc"])

    def test_template_space_is_in_mm_here_and_in_m_there(self, eeg: Recording) -> None:
        placed = eeg.channels.assign(kind="seeg", x=40.0, y=-20.0, z=10.0)
        space = {"name": "MNI152NLin2009bAsym", "type": "sensors", "unit": "mm"}
        info = to_mne(eeg.replace(channels=placed, meta={"space": space})).info
        np.testing.assert_allclose(info["chs"][0]["loc"][:3], [0.04, -0.02, 0.01])

    def test_unknown_kind(self, eeg: Recording) -> None:
        with pytest.raises(DataError, match="bold"):
            to_mne(eeg.replace(channels=eeg.channels.assign(kind="bold")))

    @pytest.mark.parametrize("convert", [from_mne, to_mne, to_xarray])
    def test_other_types_are_refused(self, convert) -> None:
        with pytest.raises(DataError, match="ndarray"):
            convert(np.zeros(3))


class TestEpochs:
    def test_units_samples_and_times(self, epochs: mne.BaseEpochs) -> None:
        responses = from_mne(epochs)
        np.testing.assert_array_equal(responses.data, epochs.get_data().astype(np.float32))
        np.testing.assert_allclose(responses.times, epochs.times)
        assert responses.units["name"].tolist() == epochs.ch_names
        assert responses.samples["trial_type"].tolist() == ["face", "house", "face"]
        assert responses.samples["word"].tolist() == ["cat", "dog", "sun"]
        assert responses.samples["onset"].tolist() == pytest.approx([2.8, 3.5, 4.2])

    def test_round_trip(self, epochs: mne.BaseEpochs) -> None:
        back = to_mne(from_mne(epochs))
        np.testing.assert_array_equal(back.events, epochs.events)
        assert back.event_id == epochs.event_id
        np.testing.assert_allclose(back.times, epochs.times)
        np.testing.assert_array_equal(back.get_data().astype(np.float32), epochs.get_data().astype(np.float32))
        pd.testing.assert_frame_equal(from_mne(back).samples, from_mne(epochs).samples)

    def test_codes_are_made_where_value_contradicts_trial_type(self, epochs: mne.BaseEpochs) -> None:
        responses = from_mne(epochs)
        wrong = responses.replace(samples=responses.samples.assign(value=[1, 1, 2]))
        assert to_mne(wrong).event_id == {"face": 1, "house": 2}

    def test_colliding_onsets_of_several_runs(self, epochs: mne.BaseEpochs) -> None:
        responses = from_mne(epochs)
        samples = responses.samples.drop(columns=["sample"]).assign(onset=1.0)
        back = to_mne(responses.replace(samples=samples))
        assert len(np.unique(back.events[:, 0])) == 3
        assert back.metadata["onset"].tolist() == [1.0, 1.0, 1.0]

    def test_without_metadata_or_trial_type(self, rng: np.random.Generator) -> None:
        responses = Responses(
            rng.random((2, 3, 4)), pd.DataFrame(index=range(2)), pd.DataFrame({"name": list("abc")}), np.arange(4.0)
        )
        assert to_mne(responses).get_data().shape == (2, 3, 4)

    def test_no_time_axis(self) -> None:
        flat = Responses(np.zeros((2, 3)), pd.DataFrame(index=range(2)), pd.DataFrame({"name": list("abc")}))
        with pytest.raises(DataError, match=r"\(2, 3\)"):
            to_mne(flat)


class TestMontage:
    def test_positions_in_m(self, eeg: Recording) -> None:
        placed = with_montage(eeg, "standard_1020")
        places = placed.channels[["x", "y", "z"]].to_numpy()
        assert ((np.linalg.norm(places, axis=1) > 0.05) & (np.linalg.norm(places, axis=1) < 0.15)).all()
        assert placed.channels["z"].idxmax() == 1  # Cz is on top
        assert placed.meta["space"]["name"] == "head"
        assert "x" not in eeg.channels

    def test_equals_mne(self, eeg: Recording) -> None:
        raw = to_mne(eeg).set_montage("standard_1020", verbose="error")
        ours = with_montage(eeg, "standard_1020").channels[["x", "y", "z"]].to_numpy()
        np.testing.assert_allclose(ours, [channel["loc"][:3] for channel in raw.info["chs"]])

    def test_case_and_unknown_channels(self, eeg: Recording) -> None:
        odd = eeg.replace(channels=eeg.channels.assign(name=["FZ", "cz", "Pz", "weird"]))
        table = with_montage(odd, "standard_1005").channels
        assert np.isfinite(table["x"]).tolist() == [True, True, True, False]

    @pytest.mark.parametrize(("name", "message"), [("standard_1021", "standard_1020"), ("biosemi64x", "biosemi64")])
    def test_unknown_montage(self, eeg: Recording, name: str, message: str) -> None:
        with pytest.raises(DataError, match=message):
            with_montage(eeg, name)

    def test_no_channel_known(self, eeg: Recording) -> None:
        with pytest.raises(DataError, match="none of the channels"):
            with_montage(eeg.replace(channels=eeg.channels.assign(name=list("wxyz"))), "standard_1020")


class TestXarray:
    def test_recording_round_trip(self, eeg: Recording) -> None:
        cropped = eeg.crop(1.0, 8.0).replace(valid=Intervals([1.5], [7.0]))
        dataset = to_xarray(cropped)
        assert dataset["data"].dims == ("channel", "time")
        np.testing.assert_array_equal(dataset["data"].sel(channel="Cz"), cropped.data[1])
        back = from_xarray(dataset)
        np.testing.assert_array_equal(back.data, cropped.data)
        pd.testing.assert_frame_equal(back.channels, cropped.channels)
        pd.testing.assert_frame_equal(back.events, cropped.events)
        assert (back.sfreq, back.t0, back.valid, back.meta) == (cropped.sfreq, cropped.t0, cropped.valid, cropped.meta)

    def test_no_events(self, eeg: Recording) -> None:
        assert len(from_xarray(to_xarray(eeg.replace(events=None))).events) == 0

    def test_responses_round_trip(self, epochs: mne.BaseEpochs) -> None:
        responses = from_mne(epochs)
        back = from_xarray(to_xarray(responses))
        np.testing.assert_array_equal(back.data, responses.data)
        pd.testing.assert_frame_equal(back.samples, responses.samples)
        pd.testing.assert_frame_equal(back.units, responses.units)
        np.testing.assert_allclose(back.times, responses.times)

    def test_flat_responses(self) -> None:
        flat = Responses(np.eye(2), pd.DataFrame({"run": [1, 2]}), pd.DataFrame({"name": ["a", "b"]}))
        back = from_xarray(to_xarray(flat))
        assert back.times is None
        assert back.samples["run"].tolist() == [1, 2]

    def test_plain_array_in_any_order(self) -> None:
        import xarray

        array = xarray.DataArray(np.arange(6.0).reshape(3, 2), dims=("time", "channel"), coords={"time": [1.0, 1.5, 2.0]})
        recording = from_xarray(array)
        assert recording.data.tolist() == [[0, 2, 4], [1, 3, 5]]
        assert (recording.sfreq, recording.t0, recording.names) == (2.0, 1.0, ["channel0", "channel1"])

    def test_irregular_clock(self) -> None:
        import xarray

        array = xarray.DataArray(np.zeros((1, 3)), dims=("channel", "time"), coords={"time": [0.0, 1.0, 2.5]})
        with pytest.raises(DataError, match="not regular"):
            from_xarray(array)

    @pytest.mark.parametrize("dims", [("time", "place"), ("channel", "unit")])
    def test_other_axes(self, dims: tuple[str, str]) -> None:
        import xarray

        with pytest.raises(DataError, match="axes"):
            from_xarray(xarray.DataArray(np.zeros((2, 2)), dims=dims))
