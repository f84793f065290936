"""NWB files: electrical series in volts, units with their electrodes, intervals as events."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import meeg_files
import numpy as np
import pytest

from neurodecode.data import Intervals, LazySignal, Recording, SpikeTrains, load, save
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io.nwb import read_nwb, read_nwb_series, read_nwb_units

COUNTS = meeg_files.counts().astype(float)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One series and no units."""
    return meeg_files.write_nwb(tmp_path / "a.nwb")


@pytest.fixture
def units_file(tmp_path: Path) -> Path:
    """Two units and no series."""
    return meeg_files.write_nwb(tmp_path / "u.nwb", series=(), units=True)


class TestSeries:
    def test_values_clock_and_laziness(self, file: Path) -> None:
        recording = read_nwb_series(file)
        assert isinstance(recording.data, LazySignal)
        np.testing.assert_allclose(recording.data, COUNTS * 0.5e-6, rtol=1e-6)
        np.testing.assert_allclose(recording.data[1, 7:20], COUNTS[1, 7:20] * 0.5e-6, rtol=1e-6)
        assert (recording.sfreq, recording.t0, recording.n_times) == (100.0, 2.5, 400)

    @pytest.mark.parametrize(
        ("changes", "factor", "offset"),
        [
            ({"conversion": 2e-6}, [2e-6] * 3, 0.0),
            ({"conversion": 1e-6, "offset": 1e-3}, [1e-6] * 3, 1e-3),
            ({"conversion": 1e-6, "channel_conversion": [1.0, 2.0, 3.0]}, [1e-6, 2e-6, 3e-6], 0.0),
            ({"conversion": 0.5, "unit": "microvolts"}, [0.5e-6] * 3, 0.0),
            ({"conversion": 1.0, "offset": 2.0, "unit": "mV"}, [1e-3] * 3, 2e-3),
        ],
    )
    def test_conversion_to_volts(self, changes: dict, factor: list[float], offset: float, tmp_path: Path) -> None:
        recording = read_nwb_series(meeg_files.write_nwb(tmp_path / "a.nwb", **changes))
        np.testing.assert_allclose(recording.data, COUNTS * np.array(factor)[:, None] + offset, rtol=1e-5, atol=1e-9)
        assert recording.channels["unit"].tolist() == ["V", "V", "V"]

    def test_unit_that_is_no_voltage(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="unit 'amperes'"):
            read_nwb_series(meeg_files.write_nwb(tmp_path / "a.nwb", unit="amperes"))

    def test_channels_are_the_electrodes_it_refers_to(self, file: Path) -> None:
        channels = read_nwb_series(file).channels
        assert channels["name"].tolist() == ["LA1", "G1", "LA2"]
        assert channels["region"].tolist() == ["amygdala", "temporal", "hippocampus"]
        assert channels["kind"].tolist() == ["seeg", "ecog", "seeg"]
        np.testing.assert_allclose(channels["x"], [0.01, np.nan, 0.02])

    def test_kind_and_position_unit_may_be_given(self, file: Path) -> None:
        channels = read_nwb_series(file, kind="dbs", position_unit="mm").channels
        assert set(channels["kind"]) == {"dbs"}
        assert channels["x"].tolist()[0] == pytest.approx(10.0)
        with pytest.raises(DataError, match="position_unit='inch'"):
            read_nwb_series(file, position_unit="inch")

    def test_intervals(self, file: Path) -> None:
        recording = read_nwb_series(file)
        assert recording.events["onset"].tolist() == [3.0, 4.0]
        assert recording.events["duration"].tolist() == [0.5, 0.5]
        assert recording.events["trial_type"].tolist() == ["trials", "trials"]
        assert recording.events["stim_file"].tolist() == ["cat.png", "dog.png"]
        assert "ragged" not in recording.events
        assert recording.valid == Intervals([2.5, 5.5], [5.0, 6.5])

    def test_trial_type_of_the_table(self, file: Path) -> None:
        with h5py.File(file, "a") as opened:
            opened["intervals/trials"].create_dataset("trial_type", data=[b"old", b"new"])
        events = read_nwb_series(file).events
        assert events["trial_type"].tolist() == ["old", "new"]
        assert events["table"].tolist() == ["trials", "trials"]

    def test_regular_time_stamps(self, tmp_path: Path) -> None:
        stamps = 7.0 + np.arange(400) / 250 + np.random.default_rng(0).uniform(-5e-4, 5e-4, 400)
        recording = read_nwb_series(meeg_files.write_nwb(tmp_path / "a.nwb", timestamps=stamps))
        assert recording.sfreq == pytest.approx(250, rel=1e-3)
        assert recording.t0 == pytest.approx(7.0, abs=1e-3)

    def test_time_stamps_with_a_gap(self, tmp_path: Path) -> None:
        stamps = np.arange(400) / 250
        stamps[200:] += 1.0
        file = meeg_files.write_nwb(tmp_path / "a.nwb", timestamps=stamps)
        with pytest.raises(FormatError, match="not regular: sample"):
            read_nwb_series(file)
        assert read_nwb_series(file, tolerance=1e3).n_times == 400

    def test_wrong_number_of_time_stamps(self, tmp_path: Path) -> None:
        with pytest.raises(CorruptFileError, match="10 time stamps for 400 samples"):
            read_nwb_series(meeg_files.write_nwb(tmp_path / "a.nwb", timestamps=np.arange(10.0)))

    @pytest.mark.parametrize("electrodes", [(0, 1), (0, 1, 7)])
    def test_electrodes_that_do_not_fit(self, electrodes: tuple[int, ...], tmp_path: Path) -> None:
        with pytest.raises(CorruptFileError, match="3 channels refer to"):
            read_nwb_series(meeg_files.write_nwb(tmp_path / "a.nwb", electrodes=electrodes))

    def test_choosing_one_of_several(self, tmp_path: Path) -> None:
        file = meeg_files.write_nwb(tmp_path / "a.nwb", series=("raw", "lfp"))
        with pytest.raises(FormatError, match=r"2 electrical series.*name="):
            read_nwb_series(file)
        with pytest.raises(FormatError, match="Did you mean|choose|Choose"):
            read_nwb_series(file, "lpf")
        np.testing.assert_allclose(read_nwb_series(file, "raw").data, meeg_files.counts(0) * 0.5e-6, rtol=1e-6)
        np.testing.assert_allclose(read_nwb_series(file, "acquisition/lfp").data, meeg_files.counts(1) * 0.5e-6, rtol=1e-6)

    def test_one_dimensional_series(self, tmp_path: Path) -> None:
        file = meeg_files.write_nwb(tmp_path / "a.nwb", electrodes=(2,))
        with h5py.File(file, "a") as opened:
            group = opened["acquisition/ecog"]
            values = group["data"][:, 0]
            del group["data"]
            group["data"] = values
            group["data"].attrs["conversion"] = 1.0
        assert read_nwb_series(file).data.shape == (1, 400)

    def test_saved_and_loaded(self, file: Path, tmp_path: Path) -> None:
        recording = read_nwb_series(file)
        back = load(save(recording, tmp_path / "r"))
        np.testing.assert_array_equal(back.data, recording.load().data)

    def test_damage_found_while_reading_later(self, file: Path) -> None:
        recording = read_nwb_series(file)
        file.write_bytes(file.read_bytes()[:-500])
        with pytest.raises(CorruptFileError, match=r"a\.nwb"):
            recording.load()


class TestUnits:
    def test_spikes_per_unit(self, units_file: Path) -> None:
        spikes = read_nwb_units(units_file)
        assert spikes.times.tolist() == [0.1, 0.2, 0.5, 0.9]
        assert spikes.unit.tolist() == [0, 1, 0, 0]
        assert spikes.channels["name"].tolist() == ["unit4", "unit9"]
        assert spikes.valid == Intervals([0.0], [2.0])

    def test_columns_and_first_electrode(self, units_file: Path) -> None:
        channels = read_nwb_units(units_file).channels
        assert channels["quality"].tolist() == ["good", "fair"]
        assert channels["region"].tolist() == ["hippocampus", "temporal"]
        assert channels["electrode"].tolist() == ["LA2", "G1"]
        assert "waveform_mean" not in channels

    def test_events(self, units_file: Path) -> None:
        assert read_nwb_units(units_file).events["trial_type"].tolist() == ["trials", "trials"]

    def test_index_that_does_not_fit(self, units_file: Path) -> None:
        with h5py.File(units_file, "a") as opened:
            opened["units/spike_times_index"][...] = [3, 5]
        with pytest.raises(CorruptFileError, match="ends at 5, there are 4"):
            read_nwb_units(units_file)

    def test_no_units(self, file: Path) -> None:
        with pytest.raises(FormatError, match="read_nwb_series"):
            read_nwb_units(file)

    def test_meta(self, units_file: Path) -> None:
        meta = read_nwb_units(units_file).meta
        assert (meta["subject"], meta["modality"]) == ("p7", "spikes")
        assert meta["sources"][0]["file"] == "u.nwb"
        json.dumps(meta)


class TestChoice:
    def test_whichever_the_file_holds(self, file: Path, units_file: Path) -> None:
        assert isinstance(read_nwb(file), Recording)
        assert isinstance(read_nwb(units_file), SpikeTrains)

    @pytest.mark.parametrize(
        ("series", "units", "message"),
        [
            (("a",), True, r"read_nwb_series.*read_nwb_units"),
            (("a", "b"), False, r"\['acquisition/a', 'acquisition/b'\].*read_nwb_series"),
            ((), False, "not supported yet"),
        ],
    )
    def test_otherwise_it_names_the_function(self, series: tuple[str, ...], units: bool, message: str, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match=message):
            read_nwb(meeg_files.write_nwb(tmp_path / "b.nwb", series=series, units=units))

    @pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
    def test_cut_short(self, file: Path, share: float) -> None:
        content = file.read_bytes()
        file.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(CorruptFileError, match=r"a\.nwb"):
            read_nwb(file)

    def test_another_hdf5_file(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "x.nwb", "w") as opened:
            opened["data"] = [1]
        with pytest.raises(FormatError, match=r"no NWB file, its groups are \['data'\]"):
            read_nwb(tmp_path / "x.nwb")

    def test_spike_time_that_is_no_number(self, units_file: Path) -> None:
        with h5py.File(units_file, "a") as opened:
            opened["units/spike_times"][1] = np.nan
        with pytest.raises(CorruptFileError, match=r"u\.nwb.*no finite time"):
            read_nwb(units_file)
