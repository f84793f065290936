"""Sensors lie where their system has them, whatever else was recorded."""

from __future__ import annotations

import mne
import numpy as np
import pytest

from neurodecode.errors import DataError
from neurodecode.io.sensor_layout import montage_directions, sensor_layout, systems

TEN_TWENTY = ["Fp1", "Fp2", "Fz", "Cz", "Pz", "Oz", "T7", "T8", "C3", "C4"]


@pytest.mark.parametrize(
    ("names", "system"),
    [
        (["MEG 0113", "MEG0112", "meg 2643"], "Vectorview-all"),
        (["MLC11-1609", "MRO53", "MZP01-2622"], "CTF275"),
        (TEN_TWENTY, "spherical_1005"),
        (["A1", "B12", "D32"], "biosemi128"),
        (["A1", "B12", "E32"], "biosemi160"),
        (["E1", "E128", "Cz"], "GSN-HydroCel-129"),
    ],
)
def test_names_tell_the_system(names: list[str], system: str) -> None:
    found = sensor_layout(names)
    assert np.isfinite(found).all()
    assert np.array_equal(found, sensor_layout(names, system=system))


@pytest.mark.parametrize(
    "system", ["Vectorview-all", "CTF275", "CTF151", "KIT-AD", "spherical_1005", "biosemi128", "easycap-M10"]
)
def test_whole_layout_fills_the_unit_square(system: str) -> None:
    helmet = system in ("Vectorview-all", "CTF275", "CTF151", "KIT-AD")
    names = mne.channels.read_layout(system).names if helmet else mne.channels.make_standard_montage(system).ch_names
    places = sensor_layout([n for n in names if n not in ("COMNT", "SCALE")], system=system)
    assert np.allclose(places.min(axis=0), 0)
    assert np.allclose(places.max(axis=0), 1)


def test_dropping_channels_moves_nobody() -> None:
    names = [str(n) for n in mne.channels.read_layout("CTF275").names]
    whole = sensor_layout(names)
    left = np.random.default_rng(0).permutation(len(names))[:20]
    assert np.array_equal(sensor_layout([names[i] for i in left]), whole[left])
    known, places = montage_directions("biosemi64")
    places = 0.09 * places + np.array([0, 0, 0.04])
    flat = sensor_layout([f"ch{i}" for i in range(64)], positions=places)
    assert np.array_equal(sensor_layout([f"ch{i}" for i in range(9)], positions=places[:9]), flat[:9])
    assert len(known) == 64


def test_the_nose_is_up_and_the_left_is_left() -> None:
    left, right, front, back = sensor_layout(["T7", "T8", "Fpz", "Oz"])
    assert left[0] < 0.3 < 0.7 < right[0]
    assert back[1] < 0.3 < 0.7 < front[1]
    assert left[1] == pytest.approx(right[1])
    cap, directions = montage_directions("biosemi64")
    projected = sensor_layout(["x1", "x2"], positions=0.1 * directions[[cap.index("T7"), cap.index("Fpz")]], centre=(0, 0, 0))
    assert projected[0, 0] < 0.3
    assert projected[1, 1] > 0.7


def test_older_names_are_the_same_places() -> None:
    assert np.array_equal(sensor_layout(["T3", "T4", "T5", "T6", "FZ"]), sensor_layout(["T7", "T8", "P7", "P8", "Fz"]))


def test_unknown_sensors_have_no_place() -> None:
    found = sensor_layout(["Cz", "EXG1", "STI 014"])
    assert np.isnan(found).all(axis=1).tolist() == [False, True, True]
    assert np.isnan(sensor_layout(["LFP1", "LFP2"])).all()
    assert sensor_layout([]).shape == (0, 2)


def test_positions_serve_where_names_say_nothing() -> None:
    places = np.array([[0, 0, 0.13], [0.05, 0, 0.04], [np.nan] * 3])
    found = sensor_layout(["a", "b", "c"], positions=places)
    assert np.allclose(found[0], 0.5)
    assert found[1] == pytest.approx([0.5 + 0.5 * 90 / 135, 0.5])
    assert np.isnan(found[2]).all()
    named = sensor_layout(["Cz", "b", "c"], positions=places)
    assert np.array_equal(named, sensor_layout(["Cz", "b", "c"]), equal_nan=True)


def test_names_of_several_systems_are_refused() -> None:
    with pytest.raises(DataError, match="'MEG 001' names a sensor of several MEG systems"):
        sensor_layout(["MEG 001", "MEG 002"])
    assert np.isfinite(sensor_layout(["MEG 001", "MEG 208"], system="KIT-AD")).all()
    assert np.isfinite(sensor_layout(["MEG 001"], positions=[[0, 0, 0.1]])).all()


def test_bad_arguments() -> None:
    with pytest.raises(DataError, match=r"system='biosemi65' is unknown: did you mean 'biosemi64'"):
        sensor_layout(["Cz"], system="biosemi65")
    with pytest.raises(DataError, match=r"shape \(1, 3\).*got \(1, 2\)"):
        sensor_layout(["x"], positions=[[0, 0]])
    with pytest.raises(DataError, match="montage='KIT-AD' is unknown"):
        montage_directions("KIT-AD")
    assert {"KIT-AD", "biosemi64"} <= set(systems())
