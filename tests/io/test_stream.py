"""Sources of streams: a file played again gives each sample once, and a stream of the laboratory gives what was sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import meeg_files
import numpy as np
import pandas as pd
import pytest
from contracts.members import lazily
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodecode.data import Recording, Responses, save
from neurodecode.errors import DataError, FormatError, MissingDependencyError
from neurodecode.io import LSLSource, Marker, ReplaySource, StreamSource, open_stream
from neurodecode.io.stream import Triggers, event_markers
from neurodecode.io.stream_lsl import _factor


def recording(n_times: int = 500, sfreq: float = 100.0, t0: float = 2.0) -> Recording:
    """Samples that count up, so that a lost or doubled one shows, with a channel of trigger codes and four events."""
    data = np.arange(2 * n_times, dtype=float).reshape(2, n_times)
    codes = np.zeros(n_times)
    codes[50:55], codes[100:105], codes[105:110] = 1, 1, 2
    channels = pd.DataFrame({"name": ["Cz", "Pz", "STI"], "kind": ["eeg", "eeg", "stim"], "unit": ["V", "V", "n/a"]})
    events = pd.DataFrame({"onset": [2.0, 2.5, 3.0, 6.99], "duration": 0.0, "trial_type": ["a", None, "b", "c"]})
    return Recording(np.vstack([data, codes]), sfreq, channels, events, t0=t0)


def everything(source: StreamSource) -> tuple[np.ndarray, np.ndarray, list[int], list[Marker]]:
    """All samples and times, the length of each delivery, and all markers."""
    chunks, times, sizes, markers = [], [], [], []
    while not source.ended:
        chunk, timestamps = source.read()
        chunks.append(np.array(chunk))
        times.append(np.array(timestamps))
        sizes.append(len(timestamps))
        markers += source.markers()
    return np.concatenate(chunks, axis=1), np.concatenate(times), sizes, markers


class TestReplay:
    @settings(max_examples=40, deadline=None)
    @given(n_times=st.integers(1, 120), chunk=st.floats(0.001, 2.0), on_disk=st.booleans())
    def test_every_sample_comes_once(self, n_times: int, chunk: float, on_disk: bool) -> None:
        signal = recording(200).crop(tmax=2.0 + n_times / 100)
        data, times, sizes, _ = everything(ReplaySource(lazily(signal) if on_disk else signal, chunk=chunk))
        np.testing.assert_array_equal(data, signal.data)
        np.testing.assert_allclose(times, signal.times, atol=1e-9)
        assert set(sizes[:-1]) <= {max(1, round(chunk * 100))}

    def test_what_it_says_about_itself(self) -> None:
        source = ReplaySource(recording())
        assert (source.names, source.sfreq, source.jitter) == (["Cz", "Pz", "STI"], 100.0, 0.0)
        assert (source.realtime, source.ended, source.overruns, source.notes) == (False, False, 0, [])
        assert np.isnan(source.now())
        with source as same:
            assert same is source

    def test_reading_beyond_the_end_gives_nothing(self) -> None:
        source = ReplaySource(recording(10), chunk=1.0)
        source.read()
        assert source.ended
        assert source.read()[0].shape == (3, 0)

    def test_lost_packets_leave_a_gap_in_the_times(self) -> None:
        source = ReplaySource(recording(100), chunk=0.1, lost=(0, 3, 4, 9))
        data, times, sizes, _ = everything(source)
        kept = np.r_[10:30, 50:90]
        np.testing.assert_array_equal(data[0], kept)
        np.testing.assert_allclose(times, 2.0 + kept / 100)
        assert sizes[:6] == [10] * 6

    def test_large_recordings_are_read_in_stretches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("neurodecode.io.stream_replay._IN_MEMORY", 10)
        monkeypatch.setattr("neurodecode.io.stream_replay._AHEAD", 0.5)
        reads: list[tuple[int, int]] = []
        signal = lazily(recording(200))
        inner = signal.data._read
        monkeypatch.setattr(signal.data, "_read", lambda a, b: (reads.append((a, b)), inner(a, b))[1])
        data, *_ = everything(ReplaySource(signal, chunk=0.07))
        np.testing.assert_array_equal(data, recording(200).data)
        assert len(reads) <= 6

    def test_markers_come_with_the_sample_they_stand_at(self) -> None:
        source, seen = ReplaySource(recording(), chunk=0.25), []
        while not source.ended:
            _, timestamps = source.read()
            seen += [(marker.label, marker.onset, timestamps[-1] >= marker.onset) for marker in source.markers()]
        assert seen == [("a", 2.0, True), ("n/a", 2.5, True), ("b", 3.0, True), ("c", 6.99, True)]

    def test_events_without_a_type(self) -> None:
        plain = recording().replace(events=pd.DataFrame({"onset": [2.5]}))
        assert event_markers(plain) == [Marker(2.5, "event")]
        assert event_markers(recording().replace(events=None)) == []

    @pytest.mark.parametrize("chunk", [0.01, 0.03, 0.5])
    def test_markers_from_a_trigger_channel(self, chunk: float) -> None:
        *_, markers = everything(ReplaySource(recording(), chunk=chunk, trigger="STI"))
        assert [(m.label, round(m.onset, 6)) for m in markers] == [("1", 2.5), ("1", 3.0), ("2", 3.05)]
        with pytest.raises(DataError, match="did you mean 'STI'"):
            ReplaySource(recording(), trigger="STIM")

    @pytest.mark.parametrize("option", ["chunk", "bufsize"])
    def test_lengths_must_be_above_zero(self, option: str) -> None:
        with pytest.raises(DataError, match=f"{option} must be"):
            ReplaySource(recording(), **{option: 0.0})


class TestRealTime:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """A clock that only sleeping moves."""
        now = [100.0]
        monkeypatch.setattr(time, "perf_counter", lambda: now[0])
        monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
        return now

    def test_a_packet_comes_when_its_last_sample_was_recorded(self, clock: list[float]) -> None:
        source = ReplaySource(recording(100), chunk=0.2, realtime=True)
        delays = []
        while not source.ended:
            _, timestamps = source.read()
            delays.append(source.now() - timestamps[-1])
        assert clock[0] == pytest.approx(101.0)
        np.testing.assert_allclose(delays, 0.01, atol=1e-9)

    def test_who_comes_late_gets_all_that_is_due_at_once(self, clock: list[float]) -> None:
        source = ReplaySource(recording(105), chunk=0.1, realtime=True)
        sizes = [len(source.read()[1])]
        clock[0] += 0.57
        while not source.ended:
            sizes.append(len(source.read()[1]))
        assert sizes == [10, 50, 10, 10, 10, 10, 5]
        assert source.overruns == 0

    def test_who_comes_too_late_has_lost_samples(self, clock: list[float]) -> None:
        source = ReplaySource(recording(), chunk=0.1, realtime=True, bufsize=0.5, lost=(15,))
        source.read()
        clock[0] += 2.0
        chunk, timestamps = source.read()
        assert (source.overruns, chunk[0, 0]) == (1, 160), "the oldest of 0.5 s is in a packet that was lost"
        assert timestamps[0] == pytest.approx(2.0 + 1.6)
        assert len(timestamps) == 50

    def test_lost_packets_cut_a_delivery(self, clock: list[float]) -> None:
        source = ReplaySource(recording(100), chunk=0.1, realtime=True, lost=(3,))
        source.read()
        clock[0] += 0.6
        sizes = [len(source.read()[1]) for _ in range(2)]
        assert sizes == [20, 30]


class TestOpening:
    def test_a_file_by_its_address(self, tmp_path: Path) -> None:
        path = meeg_files.write_edf(tmp_path / "a.edf")
        data, *_ = everything(open_stream(f"replay:{path}", chunk=0.5))
        np.testing.assert_allclose(data, meeg_files.counts() * 0.5e-6, rtol=1e-4, atol=1e-7)

    def test_a_saved_recording(self, tmp_path: Path) -> None:
        save(recording(), tmp_path / "a")
        source = open_stream(f"replay:{tmp_path / 'a'}")
        assert isinstance(source, ReplaySource)
        np.testing.assert_array_equal(everything(source)[0], recording().data)

    def test_a_file_of_a_bids_data_set_brings_its_sidecars(self, tmp_path: Path) -> None:
        path = meeg_files.write_bids(tmp_path / "study")
        source = open_stream(f"replay:{path}", chunk=1.0)
        labels = [marker.label for marker in everything(source)[3]]
        assert labels == ["face", "house", "face", "house"]

    @pytest.mark.parametrize(
        ("address", "message"),
        [
            ("eeg.set", "got 'eeg.set'"),
            ("replay:", "got 'replay:'"),
            ("rplay:eeg.set", "did you mean 'replay'"),
            ("tcp:eeg", "kind of source='tcp' is unknown"),
        ],
    )
    def test_addresses_that_are_none(self, address: str, message: str) -> None:
        with pytest.raises(DataError, match=message):
            open_stream(address)

    def test_what_is_no_recording(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="does not exist"):
            open_stream(f"replay:{tmp_path / 'none.set'}")
        epochs = Responses(np.zeros((2, 1, 3)), pd.DataFrame(index=range(2)), pd.DataFrame({"name": ["Cz"]}), [0.0, 0.1, 0.2])
        save(epochs, tmp_path / "epochs")
        with pytest.raises(DataError, match="holds Responses"):
            open_stream(f"replay:{tmp_path / 'epochs'}")


class TestTriggers:
    @settings(max_examples=50, deadline=None)
    @given(codes=st.lists(st.integers(0, 3), min_size=1, max_size=40), size=st.integers(1, 10))
    def test_one_marker_per_change_whatever_the_chunks(self, codes: list[int], size: int) -> None:
        triggers, found = Triggers(["x", "STI"], "STI"), []
        signal, times = np.vstack([np.zeros(len(codes)), codes]), np.arange(len(codes)) / 10
        for start in range(0, len(codes), size):
            found += triggers.find(signal[:, start : start + size], times[start : start + size])
        changes = [i for i, code in enumerate(codes) if code and code != ([0, *codes])[i]]
        assert [(m.onset, m.label) for m in found] == [(times[i], str(codes[i])) for i in changes]
        assert triggers.find(signal[:, :0], times[:0]) == []


# --- streams of the laboratory -------------------------------------------------------------------------------------


class TestUnits:
    @pytest.mark.parametrize(
        ("unit", "factor"),
        [
            *(("microvolts", 1e-6), ("uV", 1e-6), ("µV", 1e-6), ("MicroVolt", 1e-6), ("mV", 1e-3), ("V", 1.0), ("fT", 1e-15)),
            *(("-6", 1e-6), ("0", 1.0), ("T/m", 1.0), ("femtotesla", 1e-15)),
        ],
    )
    def test_units_become_those_of_the_package(self, unit: str, factor: float) -> None:
        assert _factor(unit) == pytest.approx(factor)

    @pytest.mark.parametrize("unit", ["none", None, "", "furlong", "12345"])
    def test_what_says_nothing(self, unit: Any) -> None:
        assert np.isnan(_factor(unit))


@pytest.fixture(scope="module")
def outlet() -> Iterator[Callable[..., Any]]:
    """Make streams on this machine; the test is skipped, saying why, where none is heard."""
    lsl = pytest.importorskip("mne_lsl.lsl", reason="mne-lsl is not installed: the extra live brings it")
    made: list[Any] = []

    def make(name: str, n: int = 3, sfreq: float = 200.0, unit: str | None = "microvolts", names: bool = True) -> Any:
        info = lsl.StreamInfo(name, "EEG" if sfreq else "Markers", n, sfreq, "float32" if sfreq else "string", f"{name}-id")
        if names:
            info.set_channel_names(["Cz", "Pz", "STI"][:n])
        if unit is not None:
            info.set_channel_units(unit)
        made.append(lsl.StreamOutlet(info, chunk_size=1, max_buffered=30))
        if not lsl.resolve_streams(timeout=5.0, name=name):
            pytest.skip("a stream of this machine is not heard on it: multicast is switched off here")
        return made[-1]

    yield make
    made.clear()


def collected(source: LSLSource, n: int, within: float = 10.0) -> tuple[np.ndarray, np.ndarray, list[Marker]]:
    """The next n samples of a stream."""
    chunks, times, markers, end = [], [], [], time.monotonic() + within
    while sum(map(len, times)) < n and time.monotonic() < end:
        chunk, timestamps = source.read()
        chunks.append(np.array(chunk))
        times.append(np.array(timestamps))
        markers += source.markers()
    return np.concatenate(chunks, axis=1), np.concatenate(times), markers


class TestLSL:
    def test_what_is_sent_arrives(self, outlet: Callable[..., Any]) -> None:
        stream, marks = outlet("nd-test"), outlet("nd-test-markers", 1, 0.0, None, False)
        sent = np.arange(90, dtype=np.float32).reshape(30, 3)
        with LSLSource("nd-test", markers="nd-test-markers", timeout=5.0) as source:
            assert (source.names, source.sfreq, source.realtime, source.notes) == (["Cz", "Pz", "STI"], 200.0, True, [])
            begun = source.now()
            for start in range(0, 30, 10):
                stream.push_chunk(sent[start : start + 10])
                time.sleep(0.05)
            marks.push_sample(["face"])
            data, times, markers = collected(source, 30)
            np.testing.assert_allclose(data, sent.T * 1e-6, rtol=1e-6)
            assert np.all(np.diff(times) > 0)
            assert begun - 0.2 < times[0] < times[-1] < source.now() + 0.1
            until = time.monotonic() + 5
            while not markers and time.monotonic() < until:
                markers += source.markers()
            assert [marker.label for marker in markers] == ["face"]
            assert abs(markers[0].onset - source.now()) < 5

    def test_a_chunk_is_a_view_where_nothing_has_to_be_converted(self, outlet: Callable[..., Any]) -> None:
        stream = outlet("nd-volts", unit="V", names=False)
        with LSLSource("nd-volts", trigger="channel2") as source:
            assert source.names == ["channel0", "channel1", "channel2"]
            stream.push_chunk(np.array([[1, 2, 0], [1, 2, 7]], np.float32))
            chunk, _ = source.read()
            assert not chunk.flags.owndata
            assert chunk.shape == (3, 2)
            assert [marker.label for marker in source.markers()] == ["7"]

    def test_a_stream_that_falls_silent_has_ended(self, outlet: Callable[..., Any]) -> None:
        outlet("nd-silent", unit=None)
        with LSLSource("nd-silent", timeout=0.6) as source:
            assert "3 channels of the stream state no unit (e.g. 'Cz')" in source.notes[0]
            until = time.monotonic() + 10
            while not source.ended and time.monotonic() < until:
                assert source.read()[0].shape == (3, 0)
            assert source.ended

    def test_no_such_stream(self, outlet: Callable[..., Any]) -> None:
        outlet("nd-other")
        with pytest.raises(DataError, match="named 'nd-nothing', found 0; on the network there are: .*'nd-other'"):
            open_stream("lsl:nd-nothing", timeout=0.5)

    def test_an_irregular_stream_is_no_signal(self, outlet: Callable[..., Any]) -> None:
        outlet("nd-irregular", 1, 0.0, None, False)
        with pytest.raises(DataError, match="no regular rate"):
            LSLSource("nd-irregular")

    def test_without_the_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "mne_lsl.lsl", None)
        with pytest.raises(MissingDependencyError, match=r"pip install 'neurodecode\[live\]'"):
            LSLSource("anything")
