"""The parts of live decoding: ring, clock, windows, what decoders say about one window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_data import HOPPING, LOCKED, NAMES, chain_of, planted

from neurodecode.data import Responses
from neurodecode.decode import LinearDecoder, WindowPlan, cut_windows
from neurodecode.decode.stream_buffer import RingBuffer
from neurodecode.decode.stream_clock import StreamClock, Stretch
from neurodecode.decode.stream_intake import Intake
from neurodecode.decode.stream_predict import Output, Retrieval, window_function
from neurodecode.decode.stream_windows import Preparation, Schedule, Span, spans_within
from neurodecode.errors import DataError
from neurodecode.io import Marker
from neurodecode.linear import RidgeCV
from neurodecode.preprocess import meeg
from neurodecode.preprocess.causal import CausalChain
from neurodecode.preprocess.meeg_noise import RobustScale, fit_robust_scale


class TestRing:
    @settings(max_examples=50, deadline=None)
    @given(capacity=st.integers(1, 12), sizes=st.lists(st.integers(0, 30), max_size=12))
    def test_it_holds_the_newest_samples(self, capacity: int, sizes: list[int]) -> None:
        ring, sent = RingBuffer(2, capacity), np.zeros((2, 0))
        for size in sizes:
            chunk = sent.shape[1] + np.arange(2 * size).reshape(2, size)
            ring.push(chunk.astype(np.float32))
            sent = np.concatenate([sent, chunk], axis=1)
            assert (ring.count, ring.oldest) == (sent.shape[1], max(0, sent.shape[1] - capacity))
            for start in range(ring.oldest, ring.count + 1):
                np.testing.assert_array_equal(ring.view(start, ring.count), sent[:, start:])
                middle = (start + ring.count) // 2
                np.testing.assert_array_equal(ring.view(start, middle), sent[:, start:middle])

    def test_a_stretch_is_a_view_also_around_the_end(self) -> None:
        ring = RingBuffer(3, 10)
        ring.push(np.ones((3, 8), np.float32))
        ring.push(np.ones((3, 7), np.float32))
        view = ring.view(6, 15)
        assert view.base is not None
        assert np.shares_memory(view, ring._data)
        assert view.strides[1] == 4

    def test_other_samples_are_refused(self) -> None:
        ring = RingBuffer(1, 4)
        ring.push(np.zeros((1, 6), np.float32))
        for start, stop in ((1, 4), (4, 7), (5, 4)):
            with pytest.raises(DataError, match=f"samples {start} to {stop} are not in the ring, which holds 2 to 6"):
                ring.view(start, stop)
        ring.clear()
        assert (ring.count, ring.oldest) == (0, 0)
        with pytest.raises(DataError, match="got 0 and 4"):
            RingBuffer(0, 4)


class TestClock:
    def stamps(self, first: int, n: int, extra: float = 0.0) -> np.ndarray:
        return 5.0 + np.arange(first, first + n) / 100.0 + extra

    def test_a_regular_stream_is_one_stretch_per_chunk(self) -> None:
        clock = StreamClock(100.0)
        for start in range(0, 1000, 10):
            assert list(clock.place(self.stamps(start, 10))) == [Stretch(0, 10, 0, False)]
        assert (clock.count, clock.anchor) == (1000, 5.0)
        assert list(clock.place(np.zeros(0))) == []

    @settings(max_examples=60, deadline=None)
    @given(kept=st.lists(st.booleans(), min_size=2, max_size=60), size=st.integers(1, 20))
    def test_every_lost_sample_is_counted(self, kept: list[bool], size: int) -> None:
        numbers = np.flatnonzero([True, *kept])
        clock, placed = StreamClock(100.0), []
        for start in range(0, len(numbers), size):
            for stretch in clock.place(5.0 + numbers[start : start + size] / 100.0):
                placed += [None] * stretch.missing + list(range(stretch.start + start, stretch.stop + start))
        assert [numbers[i] for i in placed if i is not None] == numbers.tolist()
        assert [i for i, seen in enumerate(placed) if seen is not None] == numbers.tolist()
        assert clock.count == numbers[-1] + 1

    def test_jitter_is_no_gap_and_drift_is_followed(self) -> None:
        rng, clock = np.random.default_rng(0), StreamClock(100.0, jitter=0.02)
        true = 5.0 + np.arange(60_000) / 100.02  # the device is a little fast: 0.12 s in 10 minutes
        for start in range(0, 60_000, 20):
            (stretch,) = clock.place(true[start : start + 20] + rng.uniform(-0.004, 0.004))
            assert not stretch.missing
        assert clock.anchor + clock.count / 100.0 == pytest.approx(true[-1], abs=0.02)

    def test_a_jump_back_or_a_long_gap_begins_anew(self) -> None:
        clock = StreamClock(100.0, max_missing=50)
        list(clock.place(self.stamps(0, 20)))
        stretches = list(clock.place(np.concatenate([self.stamps(20, 5), self.stamps(3, 5)])))
        assert stretches == [Stretch(0, 5, 0, False), Stretch(5, 10, 0, True)]
        assert (clock.count, clock.anchor) == (5, pytest.approx(5.03))
        assert list(clock.place(self.stamps(58, 2))) == [Stretch(0, 2, 50, False)]
        assert list(clock.place(self.stamps(111, 2))) == [Stretch(0, 2, 51, True)]
        assert (clock.count, clock.anchor) == (2, pytest.approx(6.11))
        clock.reset()
        assert clock.count == 0


class TestWindows:
    def test_every_hop_the_last_stretch(self) -> None:
        schedule = Schedule(WindowPlan(0.5, hop=0.1), 20.0)
        assert list(schedule.due(9)) == []
        assert list(schedule.due(10)) == [Span(0, 10, None)]
        assert list(schedule.due(10)) == []
        assert list(schedule.due(15)) == [Span(2, 12, None), Span(4, 14, None)]
        assert schedule.restart() == []
        assert list(schedule.due(12)) == [Span(0, 10, None), Span(2, 12, None)]

    def test_hops_between_samples_keep_their_mean(self) -> None:
        stops = [span.stop for span in Schedule(WindowPlan(0.1, hop=0.025), 125.0).due(12 + 1250)]
        assert len(stops) == 401
        assert set(np.diff(stops)) == {3, 4}
        assert stops[-1] == 12 + 1250

    def test_windows_around_markers_come_when_they_are_complete(self) -> None:
        schedule = Schedule(WindowPlan((-0.2, 0.3), events=["a"]), 10.0)
        late, early = Marker(2.04, "a"), Marker(1.0, "a")
        for marker in (late, early, Marker(1.2, "b")):
            schedule.add(marker, anchor=0.0)
        assert list(schedule.due(13)) == []
        assert list(schedule.due(24)) == [Span(8, 14, early), Span(18, 24, late)]
        schedule.add(Marker(1.0, "a"), anchor=0.9)
        assert schedule.restart() == [Span(-1, 5, Marker(1.0, "a"))]
        assert list(schedule.due(100)) == []

    def test_they_are_those_of_epochs(self) -> None:
        """The same samples as `meeg.epochs` cuts from what the chain gives."""
        recording = planted()
        chain = chain_of(recording)
        done = chain.run(recording)
        scale = fit_robust_scale(meeg.epochs(done, -0.05, 0.3, None))
        plan = WindowPlan((-0.05, 0.3), baseline=(-0.05, 0.0), scale=scale, clamp=2.0)
        ours = cut_windows(recording, chain, plan)
        theirs = meeg.robust_scale(meeg.epochs(done, -0.05, 0.3, (-0.05, 0.0)), scale, clamp=2.0)
        np.testing.assert_allclose(ours.data, theirs.data, atol=1e-6)
        np.testing.assert_allclose(ours.times, theirs.times)
        assert ours.samples["onset"].tolist() == theirs.samples["onset"].tolist()
        assert ours.samples[["subject", "run"]].iloc[0].tolist() == ["01", "0"]
        assert [step["step"] for step in ours.meta["steps"]] == ["causal.run", "causal.windows", "meeg.robust_scale"]

    def test_of_several_runs(self) -> None:
        runs = [planted(1, 6), planted(2, 6)]
        chain = chain_of(runs[0])
        several = cut_windows(runs, chain, HOPPING)
        assert len(several) == sum(len(spans_within(chain, run, HOPPING)) for run in runs)
        assert set(several.samples["run"]) == {"1", "2"}
        assert several.samples["onset"].iloc[0] == pytest.approx(1.0 + 29 / 100)

    def test_two_events_that_look_alike_keep_their_rows(self) -> None:
        recording = planted(n_events=3)
        events = pd.concat([recording.events.iloc[:1]] * 2).assign(value=[4, 5], trial_type="face")
        found = cut_windows(recording.replace(events=events), chain_of(recording), LOCKED)
        assert found.samples["value"].tolist() == [4, 5]

    def test_events_without_a_type_are_events(self) -> None:
        recording = planted(n_events=3)
        bare = recording.replace(events=recording.events[["onset"]])
        assert len(cut_windows(bare, chain_of(recording), WindowPlan((-0.05, 0.3), events=["event"]))) == 3

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"window": 0.5}, "got window=0.5; or give a hop"),
            ({"window": -1.0, "hop": 0.1}, "window must be a finite number above 0, got -1.0"),
            ({"window": (0.3, 0.1)}, "got (0.3, 0.1)"),
            ({"window": (0.0, 0.1, 0.2)}, "got (0.0, 0.1, 0.2)"),
            ({"window": 0.5, "hop": 0.0}, "hop must be"),
            ({"window": (0.0, 0.1), "clamp": -2.0}, "clamp must be"),
            ({"window": 0.5, "hop": 0.1, "events": ["a"]}, "events=['a'] name markers, but hop=0.1 s"),
        ],
    )
    def test_plans_that_are_none(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError) as caught:
            WindowPlan(**options)
        assert message in str(caught.value)

    def test_plans_that_do_not_fit(self) -> None:
        with pytest.raises(DataError, match="at least one sample at 10 Hz"):
            WindowPlan(1.0, hop=0.05).offsets(10.0)
        with pytest.raises(DataError, match="at least one sample at 10 Hz"):
            WindowPlan(0.01, hop=1.0).offsets(10.0)
        recording = planted(n_events=3)
        with pytest.raises(DataError, match=r"no window of 60.0 s fits into 270 samples at 100 Hz \(3 events\)"):
            cut_windows(recording, chain_of(recording), WindowPlan(60.0, hop=0.1))
        wrong = RobustScale(["a"], np.zeros(1), np.ones(1))
        with pytest.raises(DataError, match="the chain gives"):
            Preparation(WindowPlan(0.1, hop=0.1, scale=wrong), NAMES, 100.0)
        with pytest.raises(DataError, match="has no sample in the epoch"):
            Preparation(WindowPlan(0.1, hop=0.1, baseline=(1.0, 2.0)), NAMES, 100.0)

    @pytest.mark.parametrize("plan", [LOCKED, HOPPING, WindowPlan((0.0, 0.1), baseline=(None, 0.05), clamp=3.0)])
    def test_they_come_back_from_json(self, plan: WindowPlan) -> None:
        import json

        again = WindowPlan.from_parameters(json.loads(json.dumps(plan.parameters())))
        assert again.parameters() == plan.parameters()

    def test_nothing_is_done_where_nothing_is_asked_for(self) -> None:
        window = np.ones((4, 35), np.float32)
        assert Preparation(LOCKED, NAMES, 100.0)(window) is window
        scaled = Preparation(WindowPlan(0.35, hop=0.1, clamp=0.5), NAMES, 100.0)
        assert np.shares_memory(scaled(window), scaled(window))
        assert window.max() == 1
        assert scaled(window).max() == 0.5


class TestIntake:
    def intake(self, **options: Any) -> Intake:
        return Intake(CausalChain(["a"], 10.0), 4, **{"jitter": 0.0, "settle": 0.0, "history": 2.0, "max_gap": 1.0, **options})

    def test_a_gap_is_bridged_by_the_last_value_and_marked(self) -> None:
        intake = self.intake(settle=0.2)
        assert list(intake.feed(np.arange(5.0)[None], np.arange(5) / 10)) == [False]
        assert list(intake.feed(np.arange(8.0, 12.0)[None], np.arange(8, 12) / 10)) == [False, False]
        np.testing.assert_array_equal(intake.ring.view(0, 12)[0], [0, 1, 2, 3, 4, 4, 4, 4, 8, 9, 10, 11])
        assert [intake.good(i, i + 1) for i in range(12)] == [True] * 5 + [False] * 5 + [True] * 2
        assert (intake.gaps, intake.lost_samples, intake.restarts) == (1, 3, 0)

    def test_missing_values_are_a_gap(self) -> None:
        intake = self.intake()
        signal = np.array([[np.nan, 1.0, np.nan, np.inf, 4.0, 5.0]])
        list(intake.feed(signal, np.arange(6) / 10))
        np.testing.assert_array_equal(intake.ring.view(0, 6)[0], [0, 1, 1, 1, 4, 5])
        assert [intake.good(i, i + 1) for i in range(6)] == [False, True, False, False, True, True]
        assert (intake.gaps, intake.lost_samples) == (2, 3)

    def test_a_long_gap_begins_anew(self) -> None:
        intake = self.intake()
        list(intake.feed(np.arange(5.0)[None], np.arange(5) / 10))
        stamps = np.r_[np.arange(5, 7), np.arange(50, 53)] / 10
        seen = [(restarted, intake.ring.count, intake.anchor) for restarted in intake.feed(np.arange(5.0, 10.0)[None], stamps)]
        assert seen == [(False, 7, 0.0), (True, 0, 5.0), (False, 3, 5.0)]
        np.testing.assert_array_equal(intake.ring.view(0, 3)[0], [7, 8, 9])
        assert intake.good(0, 3)
        assert (intake.restarts, intake.lost_samples) == (1, 43)

    def test_a_large_chunk_comes_in_pieces_that_no_window_outgrows(self) -> None:
        intake = self.intake(history=0.1)
        counts = [intake.ring.count for _ in intake.feed(np.arange(50.0)[None], np.arange(50) / 10)]
        assert counts == [*range(4, 49, 4), 50]


class TestPredictions:
    def responses(self, n: int = 40, classes: int = 2) -> Responses:
        rng = np.random.default_rng(0)
        labels = np.arange(n) % classes
        data = rng.standard_normal((n, 3, 5)) + labels[:, None, None] * np.array([0.0, 1.0, -1.0])[:, None]
        table = pd.DataFrame({"trial_type": np.array(["a", "b", "c"])[labels], "value": labels * 1.5, "run": np.arange(n) // 10})
        return Responses(data, table, pd.DataFrame({"name": list("xyz"), "bad": [False, False, True]}), np.arange(5) / 10)

    @pytest.mark.parametrize("classes", [2, 3])
    @pytest.mark.parametrize("estimator", ["lda", "logistic"])
    def test_classes_are_those_of_the_decoder(self, classes: int, estimator: str) -> None:
        responses = self.responses(classes=classes)
        decoder = LinearDecoder(estimator=estimator).fit(responses)
        assert not decoder.coef_[:, 2].any(), "a bad unit has no weight"
        predict = window_function(decoder)
        found = [predict(window) for window in np.asarray(responses.data)]
        assert [f.label for f in found] == decoder.predict(responses).tolist()
        np.testing.assert_allclose([f.values for f in found], decoder.predict_proba(responses), atol=1e-9)
        assert [f.score for f in found] == [f.values.max() for f in found]

    def test_values_are_those_of_the_decoder(self) -> None:
        responses = self.responses()
        decoder = LinearDecoder("regression").fit(responses, "value")
        found = [window_function(decoder)(window) for window in np.asarray(responses.data)]
        np.testing.assert_allclose([f.score for f in found], decoder.predict(responses), atol=1e-9)
        assert {f.label for f in found} == {None}

    def test_a_ridge_takes_the_window_as_features(self) -> None:
        responses = self.responses()
        ridge = RidgeCV().fit(responses.matrix(), np.asarray(responses.data)[:, :2, 0], groups=responses.samples["run"])
        found = window_function(ridge)(np.asarray(responses.data)[3])
        np.testing.assert_allclose(found.values, ridge.predict(responses.matrix()[3:4])[0], atol=1e-6)
        assert np.isnan(found.score)

    def test_networks_functions_and_whatever_predicts(self) -> None:
        class Mean(torch.nn.Module):
            def forward(self, *, signal: torch.Tensor) -> torch.Tensor:
                assert not torch.is_grad_enabled()
                return torch.nn.functional.dropout(signal.mean(2), 0.5, self.training)

        class Namer:
            def predict(self, windows: np.ndarray) -> np.ndarray:
                return np.array(["up" if window.mean() > 0 else "down" for window in windows])

        window = np.asarray(self.responses().data)[0]
        np.testing.assert_allclose(window_function(Mean())(window).values, window.mean(axis=1), rtol=1e-5)
        assert window_function(np.ptp)(window).score == pytest.approx(np.ptp(window))
        assert window_function(Namer())(window).label in {"up", "down"}
        assert isinstance(window_function(lambda w: (w.mean(), w.max()))(window), Output)

    def test_what_does_not_decode(self) -> None:
        with pytest.raises(DataError, match="got str: 'lda'"):
            window_function("lda")
        with pytest.raises(DataError, match="not fitted"):
            window_function(LinearDecoder())
        with pytest.raises(DataError, match=r"a window has shape \(2, 5\)"):
            window_function(LinearDecoder().fit(self.responses()))(np.zeros((2, 5), np.float32))


class TestRetrieval:
    def test_the_nearest_by_angle(self) -> None:
        candidates = Responses(
            np.array([[1.0, 0], [0, 5.0], [-3.0, -3.0]]),
            pd.DataFrame({"stimulus": ["cat", "dog", "car"]}),
            pd.DataFrame(index=range(2)),
        )
        retrieve = Retrieval(candidates)
        found = retrieve(Output(None, float("nan"), np.array([0.3, 0.4])))
        assert (found.label, found.score) == ("dog", pytest.approx(0.8))
        assert np.isnan(retrieve(Output(None, 0.0, np.zeros(2))).score)
        with pytest.raises(DataError, match="predicts 3 features, candidates have 2"):
            retrieve(Output(None, 0.0, np.zeros(3)))

    def test_candidates_without_a_name_or_a_direction(self) -> None:
        units = pd.DataFrame(index=range(2))
        with pytest.raises(DataError, match="no column 'stimulus'"):
            Retrieval(Responses(np.ones((1, 2)), pd.DataFrame({"name": ["a"]}), units))
        for bad in (0.0, np.nan):
            data = np.array([[1.0, 1.0], [bad, bad]])
            with pytest.raises(DataError, match="candidate 'b' are all 0 or not finite"):
                Retrieval(Responses(data, pd.DataFrame({"stimulus": ["a", "b"]}), units))
