"""Live decoding: what streams in bit by bit is decoded as the whole recording is, and what was lost is never decoded."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_data import HOPPING, LOCKED, NAMES, chain_of, fitted, planted

from neurodecode.data import Recording, Responses
from neurodecode.decode import FoldedNetwork, LatencyReport, LinearDecoder, StreamDecoder, StreamResult, WindowPlan, cut_windows
from neurodecode.decode.stream import CUT, GAP, TOO_EARLY, TOO_LATE
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io import Marker, ReplaySource
from neurodecode.models import meeg_conv
from neurodecode.preprocess import meeg
from neurodecode.preprocess.causal import BandPass, CausalChain
from neurodecode.preprocess.meeg_noise import fit_robust_scale

SIZES = {"attention_channels": 12, "channels": 8, "width": 16, "fourier": 4}


@cache
def decoder_of(plan: WindowPlan) -> StreamDecoder:
    """A fitted decoder, made once."""
    return fitted(plan)


@cache
def network_decoder() -> StreamDecoder:
    """A small image network with random weights behind baseline, scale and clamp."""
    train = planted(1, 10)
    chain = chain_of(train)
    scale = fit_robust_scale(cut_windows(train, chain, WindowPlan((-0.1, 0.2), baseline=(-0.1, 0.0))))
    torch.manual_seed(0)
    network = meeg_conv.image(2, 6, n_times=31, **SIZES).eval()
    folded = FoldedNetwork(network, np.random.default_rng(0).uniform(size=(4, 2)), 1)
    return StreamDecoder(folded, chain, (-0.1, 0.2), baseline=(-0.1, 0.0), scale=scale, clamp=20.0)


def pushed(stream: StreamDecoder, recording: Recording, sizes: list[int]) -> list[Any]:
    """Predictions of chunks of these sizes, over and over; each marker comes with the chunk in which it lies."""
    stream.reset()
    events = [Marker(float(o), str(t)) for o, t in zip(recording.events["onset"], recording.events["trial_type"], strict=True)]
    data, times, found, start, turn = np.asarray(recording.data), recording.times, [], 0, 0
    while start < recording.n_times:
        stop = min(start + sizes[turn % len(sizes)], recording.n_times)
        now = [m for m in events if times[start] - 1e-9 <= m.onset < times[start] + (stop - start) / recording.sfreq - 1e-9]
        found += stream.push(data[:, start:stop], times[start:stop], now)
        start, turn = stop, turn + 1
    return found


def same(found: list[Any], offline: StreamResult) -> None:
    """Online predictions are the offline ones."""
    whole = [p for p in found if p.valid]
    assert len(whole) == len(offline.predictions) > 5
    np.testing.assert_allclose([p.values for p in whole], offline.values, atol=1e-5)
    for name in ("label", "marker"):
        assert [getattr(p, name) for p in whole] == offline.predictions[name].tolist()
    for name in ("start", "stop", "onset"):
        np.testing.assert_allclose([getattr(p, name) for p in whole], offline.predictions[name], atol=1e-9)


DECODERS: dict[str, Any] = {
    "locked": lambda: decoder_of(LOCKED),
    "hopping": lambda: decoder_of(HOPPING),
    "network": network_decoder,
}


class TestOnlineIsOffline:
    @pytest.mark.parametrize("name", DECODERS)
    @pytest.mark.parametrize("size", [1, 9, 40, 5000])
    def test_for_chunks_of_any_size(self, name: str, size: int) -> None:
        stream, recording = DECODERS[name](), planted(7, 8)
        same(pushed(stream, recording, [size]), stream.offline(recording))

    @settings(max_examples=12, deadline=None)
    @given(sizes=st.lists(st.integers(1, 90), min_size=1, max_size=10), name=st.sampled_from(list(DECODERS)))
    def test_for_chunks_of_different_sizes(self, sizes: list[int], name: str) -> None:
        stream, recording = DECODERS[name](), planted(8, 8)
        same(pushed(stream, recording, sizes), stream.offline(recording))

    @pytest.mark.parametrize("name", DECODERS)
    def test_from_a_source(self, name: str) -> None:
        stream, recording = DECODERS[name](), planted(9, 8)
        shuffled = recording.pick(["Oz", "Pz", "Cz", "Fz"])  # the source has its channels in another order
        result = stream.run(ReplaySource(shuffled, chunk=0.07))
        offline = stream.offline(recording)
        kept = result.predictions["valid"].to_numpy()
        np.testing.assert_allclose(result.values[kept], offline.values, atol=1e-5)
        assert result.latency.n_decoded == len(offline.predictions)

    def test_offline_is_what_the_decoder_says_of_its_windows(self) -> None:
        stream, recording = decoder_of(LOCKED), planted(5)
        windows = stream.windows(recording)
        offline = stream.offline(recording)
        assert offline.predictions["label"].tolist() == stream.decoder.predict(windows).tolist()
        assert (offline.predictions["label"] == windows.samples["trial_type"]).mean() > 0.9, "the planted effect is found"

    def test_the_window_is_what_lies_before_its_end(self) -> None:
        result = decoder_of(HOPPING).run(ReplaySource(planted(3, 4), chunk=0.05))
        table = result.predictions
        np.testing.assert_allclose(table["stop"] - table["start"], 0.29, atol=1e-9)
        np.testing.assert_allclose(np.diff(table["stop"]), 0.1, atol=1e-9)
        assert table["start"].iloc[0] == 1.0
        assert table["marker"].isna().all()
        assert table["onset"].equals(table["stop"])


class TestGaps:
    @pytest.mark.parametrize("name", ["locked", "hopping"])
    def test_windows_that_a_gap_touches_are_not_decoded(self, name: str) -> None:
        stream, recording = DECODERS[name](), planted(4)
        lost = {20, 21, 60}  # of packets of 0.05 s: 2.0 to 2.1 s and 4.0 to 4.05 s on the clock that begins at 1 s
        result = stream.run(ReplaySource(recording, chunk=0.05, lost=lost))
        table, whole = result.predictions, stream.offline(recording)
        gaps = [(2.0, 2.1 + stream.settle), (4.0, 4.05 + stream.settle)]
        touched = [
            any(stop > a - 0.02 and start < b + 0.02 for a, b in gaps)
            for start, stop in zip(table["start"], table["stop"], strict=True)
        ]
        sure = [
            any(stop >= a and start < b - 0.02 for a, b in gaps)
            for start, stop in zip(table["start"], table["stop"], strict=True)
        ]
        assert not table["valid"][sure].any()
        assert table["valid"][~np.array(touched)].all()
        assert set(table["reason"]) == {"", GAP}
        assert np.isnan(result.values[~table["valid"]]).all()
        assert result.latency.invalid == {GAP: int((~table["valid"]).sum())}
        assert (result.latency.gaps, result.latency.lost_samples) == (2, 30)
        assert len(table) == len(whole.predictions), "no window is lost without a word"
        np.testing.assert_allclose(table["stop"], whole.predictions["stop"], atol=1e-9, err_msg="the clock is kept over gaps")

    def test_decoding_after_a_gap_is_that_of_the_bridged_signal(self) -> None:
        stream, recording = decoder_of(HOPPING), planted(4)
        data = np.array(recording.data)
        data[:, 200:220] = data[:, 199:200]
        held = stream.offline(recording.replace(data=data))
        result = stream.run(ReplaySource(recording, chunk=0.05, lost={20, 21}))
        kept = result.predictions["valid"].to_numpy()
        np.testing.assert_allclose(result.values[kept], held.values[kept], atol=1e-5)

    def test_missing_values_are_a_gap_in_all_channels(self) -> None:
        stream, recording = decoder_of(HOPPING), planted(4, 6)
        data = np.array(recording.data)
        data[2, 300:305] = np.nan
        result = stream.run(ReplaySource(recording.replace(data=data), chunk=0.03))
        assert result.latency.lost_samples == 5
        assert 3 <= result.latency.invalid[GAP] <= 5

    def test_after_a_long_gap_everything_begins_anew(self) -> None:
        stream, recording = decoder_of(LOCKED), planted(4)
        wanted = recording.events[recording.events["trial_type"] != "pause"]["onset"].to_numpy()
        first = int((wanted[2] - 1.0) / 0.1) + 2  # the window around this event is not complete when the gap begins
        result = stream.run(ReplaySource(recording, chunk=0.1, lost=range(first, first + 26)))
        again = 1.0 + (first + 26) * 0.1
        rest = stream.offline(recording.crop(tmin=again))
        table = result.predictions
        fresh = table[table["valid"] & (table["start"] >= again)]
        np.testing.assert_allclose(result.values[fresh.index], rest.values, atol=1e-5)
        assert result.latency.restarts == 1
        assert result.latency.lost_samples == 26 * 20
        assert table["reason"].tolist()[:3] == ["", "", CUT]
        assert set(table["reason"][3:]) == {"", TOO_EARLY}
        assert len(table) == len(wanted)

    def test_a_clock_that_jumps_back_begins_anew(self) -> None:
        stream, recording = decoder_of(HOPPING), planted(4, 6)
        data, times = np.asarray(recording.data), recording.times.copy()
        times[500:] -= 1.0
        stream.reset()
        found = stream.push(data, times)
        assert stream.latency().restarts == 1
        offline = stream.offline(recording.crop(tmin=recording.times[500]).replace(t0=times[500], events=None))
        np.testing.assert_allclose([p.values for p in found][-len(offline.values) :], offline.values, atol=1e-5)


class TestMarkers:
    def test_a_marker_may_come_after_its_window(self) -> None:
        stream, recording = fitted(history=1.0), planted(6, 6)
        onset = float(recording.events["onset"].iloc[2])
        data, times = np.asarray(recording.data), recording.times
        late = round((onset + 1.0 - recording.t0) * recording.sfreq)
        early = stream.push(data[:, :late], times[:late])
        found = stream.push(data[:, late:late], times[late:late], [Marker(onset, "face")])
        assert early == []
        assert [(p.valid, p.onset) for p in found] == [(True, onset)]
        np.testing.assert_allclose(found[0].values, stream_values(stream, recording, onset), atol=1e-5)

    def test_a_marker_that_comes_far_too_late(self) -> None:
        stream, recording = fitted(history=0.5), planted(6, 12)
        stream.push(np.asarray(recording.data), recording.times)
        found = stream.push(np.zeros((4, 0)), np.zeros(0), [Marker(1.3, "house"), Marker(0.9, "face"), Marker(1.3, "pause")])
        assert [(p.valid, p.reason) for p in found] == [(False, TOO_EARLY), (False, TOO_LATE)]
        assert stream.latency().invalid == {TOO_EARLY: 1, TOO_LATE: 1}

    def test_a_marker_before_any_sample(self) -> None:
        stream, recording = decoder_of(LOCKED), planted(6, 6)
        stream.reset()
        assert stream.push(np.zeros((4, 0)), np.zeros(0), [Marker(1.7, "face")]) == []
        (only,) = stream.push(np.asarray(recording.data)[:, :300], recording.times[:300])
        assert only.onset == 1.7


def stream_values(stream: StreamDecoder, recording: Recording, onset: float) -> np.ndarray:
    """Offline values of one event called face."""
    events = pd.DataFrame({"onset": [onset], "duration": 0.0, "trial_type": ["face"]})
    return stream.offline(recording.replace(events=events)).values[0]


class TestCausality:
    def test_a_decoder_fitted_on_zero_phase_data_is_refused_or_flagged(self) -> None:
        train = planted(1, 60)
        chain = chain_of(train, None)
        ahead = meeg.epochs(meeg.filter(train, 1.0, 35.0), -0.05, 0.3, None, trial_types=["face", "house"])
        decoder, options = LinearDecoder(estimator="lda").fit(ahead), {"events": ["face", "house"], "steps": ahead.meta["steps"]}
        with pytest.raises(DataError, match=r"look ahead or are not known to be causal: \['meeg.filter'\]; the decoder was not"):
            StreamDecoder(decoder, chain, (-0.05, 0.3), **options)
        stream = StreamDecoder(decoder, chain, (-0.05, 0.3), **options, allow_noncausal=True)
        notes = stream.run(ReplaySource(planted(3, 4))).latency.notes
        assert len(notes) == 2
        assert "meeg.filter" in notes[0]

    def test_a_decoder_behind_another_chain_is_refused(self) -> None:
        stream = decoder_of(LOCKED)
        steps = stream.windows(planted(3, 6)).meta["steps"]
        other = CausalChain(NAMES, 200.0, [BandPass(2.0, 35.0), *stream.chain.steps[1:]])
        with pytest.raises(DataError, match="was fitted behind another chain"):
            StreamDecoder(stream.decoder, other, (-0.05, 0.3), events=["face", "house"], steps=steps)

    def test_no_prediction_depends_on_what_comes_later(self) -> None:
        stream, recording = decoder_of(HOPPING), planted(2, 8)
        other = np.array(recording.data)
        other[:, 500:] += 1.0
        one, two = (stream.offline(recording.replace(data=data)) for data in (recording.data, other))
        past = one.predictions["stop"] <= recording.times[499]
        np.testing.assert_array_equal(one.values[past], two.values[past])
        assert np.abs(one.values[~past] - two.values[~past]).max() > 1


class TestWhatDoesNotFit:
    def test_windows_of_another_length(self) -> None:
        stream = decoder_of(LOCKED)
        with pytest.raises(DataError, match=r"a window has shape \(4, 26\)"):
            StreamDecoder(stream.decoder, stream.chain, (-0.05, 0.2))

    def test_other_channels(self) -> None:
        stream = decoder_of(LOCKED)
        with pytest.raises(DataError, match=r"from number 0 on \(\['Fz'\] against \['Cz'\]\)"):
            StreamDecoder(stream.decoder, CausalChain(["Cz", "Fz", "Pz", "Oz"], 200.0), (-0.05, 0.3))
        with pytest.raises(DataError, match=r"4 channels, the chain gives 3, and they differ from number 3"):
            StreamDecoder(stream.decoder, CausalChain(NAMES[:3], 200.0), (-0.05, 0.3))
        with pytest.raises(DataError, match="the source has no channel 'Oz'"):
            stream.run(ReplaySource(planted().pick(NAMES[:3])))

    def test_another_rate(self) -> None:
        with pytest.raises(DataError, match="the chain is for 200 Hz, the signal comes at 400 Hz"):
            decoder_of(LOCKED).run(ReplaySource(planted(sfreq=400.0)))


class TestLatency:
    def report(self, chunk: float, plan: WindowPlan = LOCKED) -> LatencyReport:
        return decoder_of(plan).run(ReplaySource(planted(3, 8), chunk=chunk)).latency

    def test_it_grows_with_the_chunk(self) -> None:
        sums = [self.report(chunk).parts() for chunk in (0.01, 0.1, 0.5)]
        for column in ("typical", "worst"):
            chunks = [float(table[column].iloc[0]) for table in sums]
            assert chunks == pytest.approx(
                [share * chunk for share, chunk in zip([0.5 if column == "typical" else 1.0] * 3, (0.01, 0.1, 0.5), strict=True)]
            )
            totals = [float(table[column].iloc[-1]) for table in sums]
            assert totals == sorted(totals)

    def test_its_parts_add_up(self) -> None:
        report = self.report(0.05)
        table = report.parts().set_index("part")
        assert table.loc["window after the event", "typical"] == 0.3
        assert table.loc["group delay of the filters", "worst"] == decoder_of(LOCKED).chain.delay > 0.01
        np.testing.assert_allclose(table.iloc[:-1].fillna(0).sum(), table.loc["sum"])
        assert np.isnan(table.loc["acquisition delay", "typical"]), "without a clock there is no such delay"
        assert report.compute.shape == report.processor.shape == (report.n_decoded,)
        assert np.all(report.compute > 0)
        assert report.percentiles()["p50"] <= report.percentiles()["p99"] <= report.percentiles()["max"]
        assert report.duration == pytest.approx(5.2)
        assert not report.realtime

    def test_windows_at_a_hop_have_no_tail(self) -> None:
        report = self.report(0.05, HOPPING)
        assert (report.tail, report.hop) == (0.0, 0.1)

    def test_nothing_decoded_is_nothing_measured(self) -> None:
        stream = decoder_of(LOCKED)
        result = stream.run(ReplaySource(planted(3, 8).replace(events=None)))
        assert len(result.predictions) == 0
        assert result.values.shape == (0, 0)
        assert np.isnan(result.latency.percentiles()["p99"])
        assert result.latency.to_dict()["percentiles"]["compute"]["p99"] is None
        assert "0 of 0 windows" in repr(result.latency)

    def test_in_real_time_arrival_is_measured(self) -> None:
        recording = planted(3, 8).crop(tmax=1.9)
        report = decoder_of(HOPPING).run(ReplaySource(recording, chunk=0.05, realtime=True)).latency
        assert report.realtime
        arrival = report.percentiles("acquisition")
        assert 0.005 <= arrival["p50"] < 0.5, "a packet arrives no earlier than a sample after its last one"
        assert report.overruns == 0

    def test_a_duration_ends_it(self) -> None:
        report = decoder_of(HOPPING).run(ReplaySource(planted(3, 8), chunk=0.05), duration=2.0).latency
        assert report.duration == pytest.approx(2.0)
        assert report.n_windows == 18


class TestCandidates:
    def test_the_best_candidate_is_the_label(self) -> None:
        stream = network_decoder()
        recording = planted(9, 6)
        values = stream.offline(recording).values
        rng = np.random.default_rng(0)
        features = np.vstack([3 * values[2], rng.standard_normal((5, 6))])
        candidates = Responses(
            features, pd.DataFrame({"stimulus": [f"image{i}" for i in range(6)]}), pd.DataFrame(index=range(6))
        )
        options = {name: value for name, value in vars(stream.plan).items() if name != "window"}
        named = StreamDecoder(stream.decoder, stream.chain, stream.plan.window, **options, candidates=candidates)
        table = named.run(ReplaySource(recording)).predictions
        assert table["label"].iloc[2] == "image0"
        assert table["score"].iloc[2] == pytest.approx(1.0, abs=1e-5)
        assert named.latency().percentiles("retrieval")["p50"] > 0


class TestOnDisk:
    @pytest.mark.parametrize("name", ["locked", "network"])
    def test_a_folder_carries_decoder_chain_and_windows(self, name: str, tmp_path: Path) -> None:
        stream, recording = DECODERS[name](), planted(9, 8)
        folder = stream.save(tmp_path / "live")
        loaded = StreamDecoder.load(folder)
        assert loaded.chain.fingerprint == stream.chain.fingerprint
        assert loaded.plan.parameters() == stream.plan.parameters()
        assert (loaded.settle, loaded.history, loaded.notes) == (stream.settle, stream.history, stream.notes)
        np.testing.assert_allclose(loaded.offline(recording).values, stream.offline(recording).values, rtol=1e-5)
        suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
        assert suffixes <= {".json", ".npz", ".npy", ".safetensors"}

    def test_candidates_and_notes_are_kept(self, tmp_path: Path) -> None:
        stream = network_decoder()
        candidates = Responses(np.eye(6), pd.DataFrame({"stimulus": list("abcdef")}), pd.DataFrame(index=range(6)))
        options = {name: value for name, value in vars(stream.plan).items() if name != "window"}
        named = StreamDecoder(
            stream.decoder, stream.chain, stream.plan.window, **options, candidates=candidates, steps=[], allow_noncausal=True
        )
        loaded = StreamDecoder.load(named.save(tmp_path / "live"))
        assert loaded.notes == named.notes == ["the decoder was not fitted behind a causal chain (no step causal.run)"]
        recording = planted(9, 6)
        assert loaded.offline(recording).predictions["label"].tolist() == named.offline(recording).predictions["label"].tolist()

    def test_a_decoder_without_a_folder_of_its_own(self, tmp_path: Path) -> None:
        stream = StreamDecoder(lambda window: window.mean(), CausalChain(["a"], 100.0), 0.1, hop=0.1)
        with pytest.raises(DataError, match="a decoder of type function cannot be saved"):
            stream.save(tmp_path / "live")
        assert not (tmp_path / "live").exists()

    @pytest.mark.parametrize(
        ("member", "error", "message"),
        [
            ("stream.json", FormatError, r"stream\.json: it cannot be read"),
            ("chain.json", FormatError, r"chain\.json: it cannot be read"),
            ("decoder/config.json", FormatError, "no saved decoder"),
            ("decoder/weights.npz", CorruptFileError, r"weights\.npz"),
        ],
    )
    def test_a_part_that_is_missing(self, member: str, error: type[Exception], message: str, tmp_path: Path) -> None:
        folder = decoder_of(LOCKED).save(tmp_path / "live")
        (folder / member).unlink()
        with pytest.raises(error, match=message):
            StreamDecoder.load(folder)

    @pytest.mark.parametrize(
        ("member", "old", "new", "message"),
        [
            ("stream.json", "neurodecode StreamDecoder", "something", "expected a neurodecode StreamDecoder"),
            ("stream.json", '"version": 1', '"version": 9', "version 9, this release reads 1"),
            ("stream.json", "-0.05", "0.0", "do not fit each other"),
            ("stream.json", '"hop"', '"hup"', "do not fit each other"),
            ("stream.json", "{", "", "not readable as JSON"),
            ("chain.json", "35.0", "36.0", "not the chain that the decoder was saved with"),
            ("decoder/config.json", "LinearDecoder", "LinearDecader", "did you mean 'LinearDecoder'"),
            ("decoder/config.json", "{", "", "not readable as JSON"),
        ],
    )
    def test_a_part_that_was_changed(self, member: str, old: str, new: str, message: str, tmp_path: Path) -> None:
        folder = decoder_of(LOCKED).save(tmp_path / "live")
        text = (folder / member).read_text()
        assert old in text
        (folder / member).write_text(text.replace(old, new, 1))
        with pytest.raises((FormatError, CorruptFileError), match=message):
            StreamDecoder.load(folder)
