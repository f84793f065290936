"""Recordings of a BIDS data set take their types, positions and events from the sidecars."""

from __future__ import annotations

import json
from pathlib import Path

import meeg_files
import numpy as np
import pandas as pd
import pytest
from bids_trees import write_table
from meeg_files import NAMES, write_bids, write_electrodes

from neurodecode.data import LazySignal, load, save
from neurodecode.data.convert import to_mne
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.meeg import read_bids_meeg, read_meeg


@pytest.fixture(params=[".vhdr", ".edf"])
def eeg_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Data file of an EEG data set."""
    return write_bids(tmp_path / "set", suffix=request.param)


@pytest.fixture(params=[".edf", ".nwb"])
def ieeg_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Data file of an iEEG data set; MNE-BIDS does not read the second."""
    return write_bids(tmp_path / "set", "ieeg", request.param)


def read(file: Path, **options: object):
    return read_bids_meeg(file.parents[3], file, **options)


class TestEeg:
    def test_values_are_those_of_the_file(self, eeg_file: Path) -> None:
        recording = read(eeg_file)
        assert isinstance(recording.data, LazySignal)
        np.testing.assert_array_equal(recording.load().data, read_meeg(eeg_file).load().data)

    def test_channels(self, eeg_file: Path) -> None:
        channels = read(eeg_file).channels
        assert channels["kind"].tolist() == ["eeg", "eeg", "eog"]
        assert channels["bad"].tolist() == [False, True, False]
        assert channels["unit"].tolist() == ["V", "V", "V"]
        assert channels["group"].tolist()[:2] == ["A", "B"]
        assert channels["low_cutoff"].tolist() == [0.1, 0.1, 0.1]
        assert channels[["x", "y", "z"]].isna().all(axis=None)

    def test_events_keep_every_column(self, eeg_file: Path) -> None:
        events = read(eeg_file).events
        pd.testing.assert_frame_equal(events, meeg_files.bids_events(), check_dtype=False)

    def test_identity_line_frequency_and_sources(self, eeg_file: Path) -> None:
        meta = read(eeg_file).meta
        expected = {"subject": "01", "session": "a", "task": "faces", "run": "02", "modality": "eeg", "line_freq": 60.0}
        assert expected.items() <= meta.items()
        assert meta["sources"][0]["file"] == eeg_file.relative_to(eeg_file.parents[3]).as_posix()
        assert len(meta["sources"]) == (3 if eeg_file.suffix == ".vhdr" else 1)
        assert str(eeg_file.parents[3]) not in json.dumps(meta)

    def test_without_events_tsv_those_of_the_file(self, tmp_path: Path) -> None:
        file = write_bids(tmp_path / "set")
        next(file.parent.glob("*events.tsv")).unlink()
        assert read(file).events["trial_type"].tolist() == ["Stimulus/S  1", "Stimulus/S  2"]

    def test_without_any_sidecar(self, tmp_path: Path) -> None:
        file = write_bids(tmp_path / "set", suffix=".edf")
        for sidecar in [*file.parent.glob("*.tsv"), *file.parent.glob("*.json"), file.parents[3] / "participants.tsv"]:
            sidecar.unlink()
        recording = read(file)
        assert (recording.names, len(recording.events)) == (NAMES, 0)

    def test_no_personal_data(self, eeg_file: Path) -> None:
        assert "age" not in json.dumps(read(eeg_file).meta)

    def test_saved_and_loaded(self, eeg_file: Path, tmp_path: Path) -> None:
        back = load(save(read(eeg_file), tmp_path / "r"))
        assert back.names == NAMES

    def test_cut_short(self, eeg_file: Path) -> None:
        part = eeg_file.with_suffix(".eeg") if eeg_file.suffix == ".vhdr" else eeg_file
        part.write_bytes(part.read_bytes()[:-1])
        with pytest.raises(CorruptFileError, match=eeg_file.name):
            read(eeg_file)

    def test_channels_of_another_recording(self, eeg_file: Path) -> None:
        path = next(eeg_file.parent.glob("*channels.tsv"))
        table = pd.read_csv(path, sep="\t")
        write_table(path, table.assign(name=["A", "B", "C"]))
        with pytest.raises(FormatError, match=eeg_file.name):
            read(eeg_file)

    def test_onset_that_is_no_number(self, eeg_file: Path) -> None:
        path = next(eeg_file.parent.glob("*events.tsv"))
        path.write_text(path.read_text().replace("0.5\t", "soon\t", 1))
        with pytest.raises(FormatError, match="soon"):
            read(eeg_file)


class TestIeeg:
    def test_kinds_units_and_extra_columns(self, ieeg_file: Path) -> None:
        channels = read(ieeg_file).channels
        assert channels["kind"].tolist() == ["ecog", "seeg", "misc"]
        assert channels["name"].tolist() == NAMES
        assert channels["bad"].tolist() == [False, True, False]
        assert channels["group"].tolist()[:2] == ["A", "B"]
        assert channels["unit"].tolist() == ["V", "V", "V"]

    def test_events_and_meta(self, ieeg_file: Path) -> None:
        recording = read(ieeg_file)
        assert recording.events["trial_type"].tolist() == ["face", "house", "face", "house"]
        expected = {"subject": "01", "run": "02", "modality": "ieeg", "line_freq": 60.0}
        assert expected.items() <= recording.meta.items()
        assert recording.meta["sources"][0]["file"] == ieeg_file.relative_to(ieeg_file.parents[3]).as_posix()

    def test_values(self, ieeg_file: Path) -> None:
        np.testing.assert_allclose(read(ieeg_file).load().data, meeg_files.counts() * 0.5e-6, atol=1e-10)

    @pytest.mark.parametrize(
        ("unit", "system", "first", "out"),
        [
            ("mm", "MNI152NLin2009bAsym", 40.0, "mm"),
            ("m", "MNI152NLin2009bAsym", 40e3, "mm"),
            ("mm", "ACPC", 0.04, "m"),
            ("cm", "ScanRAS", 0.4, "m"),
            ("pixels", "Pixels", 40.0, "pixel"),
        ],
    )
    def test_positions_by_space_and_unit(self, ieeg_file: Path, unit: str, system: str, first: float, out: str) -> None:
        write_electrodes(ieeg_file, unit, system)
        recording = read(ieeg_file)
        assert recording.channels["x"].tolist()[0] == pytest.approx(first)
        assert recording.channels["x"].isna().tolist() == [False, False, True]
        assert recording.meta["space"] == {"name": system, "type": "sensors", "unit": out}
        assert recording.channels["size"].tolist()[0] == pytest.approx(2.3)

    def test_positions_reach_mne_in_m(self, ieeg_file: Path) -> None:
        write_electrodes(ieeg_file)
        np.testing.assert_allclose(to_mne(read(ieeg_file)).info["chs"][0]["loc"][:3], [0.04, 0.001, 0.01], rtol=1e-6)

    def test_of_several_spaces_the_template_comes_first(self, ieeg_file: Path) -> None:
        write_electrodes(ieeg_file, "mm", "ACPC", space="ACPC")
        write_electrodes(ieeg_file, "mm", "MNI152NLin6Sym", space="MNI152NLin6Sym")
        assert read(ieeg_file).meta["space"]["name"] == "MNI152NLin6Sym"
        assert read(ieeg_file, space="ACPC").meta["space"]["name"] == "ACPC"
        with pytest.raises(FormatError, match=r"'Talairach'.*ACPC"):
            read(ieeg_file, space="Talairach")

    def test_unit_that_is_not_stated(self, ieeg_file: Path) -> None:
        write_electrodes(ieeg_file, unit="n/a")
        with pytest.raises(FormatError, match="iEEGCoordinateUnits is 'n/a'"):
            read(ieeg_file)

    def test_coordinate_system_missing(self, ieeg_file: Path) -> None:
        write_electrodes(ieeg_file)
        next(ieeg_file.parent.glob("*coordsystem.json")).unlink()
        with pytest.raises(FormatError, match=r"no coordsystem\.json"):
            read(ieeg_file)

    @pytest.mark.parametrize("column", ["name", "x"])
    def test_column_missing(self, ieeg_file: Path, column: str) -> None:
        write_electrodes(ieeg_file)
        path = next(ieeg_file.parent.glob("*electrodes.tsv"))
        write_table(path, pd.read_csv(path, sep="\t").drop(columns=column))
        with pytest.raises(FormatError, match=r"electrodes\.tsv|MNE"):
            read(ieeg_file)

    def test_unknown_positions_stay_nan(self, ieeg_file: Path) -> None:
        if ieeg_file.suffix == ".edf":
            assert read(ieeg_file).channels[["x", "y", "z"]].isna().all(axis=None)


class TestNwb:
    def test_by_name_in_any_order(self, tmp_path: Path) -> None:
        file = write_bids(tmp_path / "set", "ieeg", ".nwb")
        path = next(file.parent.glob("*channels.tsv"))
        table = pd.DataFrame({"name": ["G1", "LA1", "LA2"], "type": ["ECOG", "SEEG", "SEEG"], "units": "V", "status": "good"})
        write_table(path, table)
        channels = read(file).channels
        assert channels["name"].tolist() == ["LA1", "G1", "LA2"]
        assert channels["kind"].tolist() == ["seeg", "ecog", "seeg"]

    def test_rows_do_not_fit(self, tmp_path: Path) -> None:
        file = write_bids(tmp_path / "set", "ieeg", ".nwb")
        path = next(file.parent.glob("*channels.tsv"))
        write_table(path, pd.read_csv(path, sep="\t").iloc[:2])
        with pytest.raises(FormatError, match="2 rows"):
            read(file)

    def test_clock_starts_where_bids_events_count_from(self, tmp_path: Path) -> None:
        recording = read(write_bids(tmp_path / "set", "ieeg", ".nwb"))
        assert recording.t0 == 0.0
        assert recording.valid.start[0] == 0.0


def test_not_a_recording(tmp_path: Path) -> None:
    file = write_bids(tmp_path / "set")
    with pytest.raises(FormatError, match=r"\.vhdr"):
        read(file.with_suffix(".vmrk"))
