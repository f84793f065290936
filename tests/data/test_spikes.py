"""Spike trains check their members, cut them together, and are counted without loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodecode.data import Intervals, SpikeTrains
from neurodecode.errors import DataError

UNITS = {"name": ["a", "b", "c"], "region": ["CA1", "CA3", "CA1"]}


@pytest.fixture
def spikes() -> SpikeTrains:
    events = {"onset": [0.5, 3.5], "trial_type": ["left", "right"]}
    return SpikeTrains([3.0, 1.0, 2.0, 2.5], [0, 2, 1, 2], UNITS, events, Intervals(0, 4), {"subject": "rat1"})


class TestConstructor:
    def test_sorts_by_time_and_keeps_units_with_their_spikes(self, spikes: SpikeTrains) -> None:
        assert spikes.times.tolist() == [1.0, 2.0, 2.5, 3.0]
        assert spikes.unit.tolist() == [2, 1, 2, 0]
        assert spikes.counts().tolist() == [1, 1, 2]
        assert spikes.n_units == 3

    def test_valid_holds_every_spike_by_default(self) -> None:
        trains = SpikeTrains([1.0, 5.0], [0, 0], {"name": ["a"]})
        assert trains.valid.contains(trains.times).all()
        assert SpikeTrains([7.0], [0], {"name": ["a"]}).valid.contains(7.0)

    def test_silence_is_allowed(self) -> None:
        trains = SpikeTrains([], [], UNITS)
        assert trains.counts().tolist() == [0, 0, 0]
        assert trains.unit.dtype == np.int64
        assert len(trains.valid) == 0

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"times": [1.0]}, r"two lists of one length, got shapes \(1,\) and \(2,\)"),
            ({"times": [1.0, np.nan]}, "spike 1 has no finite time in s, got np.float64"),
            ({"times": ["a", "b"]}, "spike 0 has no finite time in s, got np.str_"),
            ({"unit": [0, 3]}, "row numbers of channels, 0 to 2, got 0 to 3"),
            ({"unit": [-1, 0]}, "got -1 to 0"),
            ({"unit": [0.0, 1.0]}, "got dtype float64"),
            ({"unit": ["a", "b"]}, "got dtype <U1"),
            ({"channels": {"name": ["a", "a"]}}, "channel names must be unique"),
            ({"valid": [0, 1]}, "valid must be Intervals"),
            ({"meta": 3}, "meta must be a mapping"),
        ],
    )
    def test_says_what_is_wrong(self, change: dict, message: str) -> None:
        with pytest.raises(DataError, match=message):
            SpikeTrains(**{"times": [1.0, 2.0], "unit": [0, 1], "channels": UNITS, **change})


class TestCuts:
    def test_crop_cuts_spikes_events_and_valid_time(self, spikes: SpikeTrains) -> None:
        part = spikes.crop(2.0, 3.0)
        assert part.times.tolist() == [2.0, 2.5]
        assert part.unit.tolist() == [1, 2]
        assert len(part.events) == 0
        assert part.valid == Intervals(2, 3)
        assert part.n_units == 3

    def test_pick_renumbers_units(self, spikes: SpikeTrains) -> None:
        part = spikes.pick(region="CA1")
        assert part.channels["name"].tolist() == ["a", "c"]
        assert part.times.tolist() == [1.0, 2.5, 3.0]
        assert part.unit.tolist() == [1, 1, 0]
        assert part.valid == spikes.valid

    def test_pick_says_what_is_wrong(self, spikes: SpikeTrains) -> None:
        with pytest.raises(DataError, match="no unit is left for {'region': 'V1'} among 3"):
            spikes.pick(region="V1")
        with pytest.raises(DataError, match="did you mean 'region'"):
            spikes.pick(regoin="V1")

    def test_an_empty_window_is_refused(self, spikes: SpikeTrains) -> None:
        with pytest.raises(DataError, match=r"got \[3.0, 3.0\)"):
            spikes.crop(3.0, 3.0)


class TestBin:
    def test_counts_with_the_time_at_the_centre_of_each_bin(self, spikes: SpikeTrains) -> None:
        counts = spikes.bin(1.0)
        assert counts.data.tolist() == [[0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 1, 0]]
        assert counts.times.tolist() == [0.5, 1.5, 2.5, 3.5]
        assert counts.sfreq == 1.0
        assert set(counts.channels["unit"]) == {"count"}
        assert counts.events["trial_type"].tolist() == ["left", "right"]
        assert counts.meta["steps"] == [{"step": "bin", "width": 1.0}]
        assert counts.meta["subject"] == "rat1"

    def test_a_last_bin_that_does_not_fit_is_left_out(self, spikes: SpikeTrains) -> None:
        assert spikes.bin(1.5).n_times == 2
        assert spikes.bin(0.5, tmin=1.0, tmax=2.0).data.sum() == 1

    @given(
        st.lists(st.integers(0, 9999), max_size=60),
        st.sampled_from([0.001, 0.01, 0.025, 0.1, 1 / 3]),
        st.floats(-1e3, 1e3),
    )
    @settings(max_examples=50)
    def test_every_spike_falls_into_the_bin_that_holds_its_time(self, ms: list[int], width: float, start: float) -> None:
        times = start + np.array(ms) / 1000
        n = int(np.ceil(10 / width)) + 1
        counts = SpikeTrains(times, np.zeros(len(ms), int), {"name": ["a"]}).bin(width, start, start + n * width)
        assert counts.data.sum() == len(ms)
        lower = counts.times[counts.data[0] > 0] - width / 2
        assert all(((t - lower > -1e-6) & (t - lower < width + 1e-6)).any() for t in times)

    def test_spikes_on_decimal_borders_are_not_moved_by_rounding(self) -> None:
        times = np.arange(1000) / 1000
        counts = SpikeTrains(times, np.zeros(1000, int), {"name": ["a"]}).bin(0.001, 0.0, 1.0)
        assert counts.data[0].tolist() == [1] * 1000

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"width": 0}, "width must be a finite number above 0, got 0"),
            ({"width": "wide"}, "width must be .* got 'wide'"),
            ({"width": 1.0, "tmin": 9.0}, "no bin of 1.0 s fits between tmin=9 s"),
            ({"width": 9.0}, "no bin of 9.0 s fits"),
        ],
    )
    def test_says_what_is_wrong(self, spikes: SpikeTrains, options: dict, message: str) -> None:
        with pytest.raises(DataError, match=message):
            spikes.bin(**options)

    def test_silence_needs_a_window(self) -> None:
        silent = SpikeTrains([], [], UNITS)
        with pytest.raises(DataError, match="give tmin and tmax"):
            silent.bin(1.0)
        assert silent.bin(1.0, 0.0, 3.0).data.tolist() == [[0.0] * 3] * 3


def test_repr_shows_numbers_and_duration(spikes: SpikeTrains) -> None:
    for part in ("<SpikeTrains sub-rat1", "3 units, 4 spikes in 4 s", "2 events; 64 B"):
        assert part in repr(spikes)
