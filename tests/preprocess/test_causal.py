"""Causal chains: one pass equals any chunks, the delay is the one that is stated, and what does not fit is refused."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from contracts.members import lazily, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodecode.data import Recording
from neurodecode.errors import CorruptFileError, DataError, FormatError, NeurodecodeError
from neurodecode.preprocess import meeg
from neurodecode.preprocess.causal import (
    BandPass,
    CausalChain,
    Clamp,
    Notch,
    Reference,
    Resample,
    Scale,
    noncausal_steps,
)
from neurodecode.preprocess.causal_filters import group_delay
from neurodecode.preprocess.causal_steps import Step
from neurodecode.preprocess.meeg_noise import RobustScale

NAMES = ["Fz", "Cz", "Pz"]


def recording(n_times: int = 700, sfreq: float = 500.0, seed: int = 0, offset: float = 3e-3) -> Recording:
    """Noise on the offset of an amplifier, with a slow drift and two events."""
    rng = np.random.default_rng(seed)
    data = 1e-5 * rng.standard_normal((3, n_times)) + offset + 1e-5 * np.arange(n_times) / sfreq
    events = pd.DataFrame({"onset": [0.5, 1.0], "duration": 0.0, "trial_type": ["a", "b"]})
    meta = {"subject": "01", "run": "1", "modality": "eeg", "steps": [{"step": "read"}]}
    return Recording(data, sfreq, pd.DataFrame({"name": NAMES, "kind": "eeg", "unit": "V"}), events, meta=meta)


def full_chain(sfreq: float = 500.0, to: float = 120.0) -> CausalChain:
    """Every kind of step."""
    steps = [
        Reference("average"),
        Notch((50.0, 100.0)),
        BandPass(0.5, 40.0),
        Resample(to),
        Scale((0.0, 1e-6, -1e-6), (1e-5, 5e-6, 2e-5)),
        Clamp(1.5),
    ]
    return CausalChain(NAMES, sfreq, steps)


def in_chunks(chain: CausalChain, data: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Output of a chain for chunks of these sizes, over and over, and then the rest."""
    chain.reset()
    start, parts, turn = 0, [], 0
    while start < data.shape[1]:
        n = sizes[turn % len(sizes)]
        parts.append(chain.process(data[:, start : start + n]))
        start, turn = start + n, turn + 1
    return np.concatenate(parts, axis=1)


CHAINS: dict[str, Any] = {
    "all": full_chain,
    "no steps": lambda: CausalChain(NAMES, 500.0),
    "high-pass": lambda: CausalChain(NAMES, 500.0, [BandPass(1.0, None)]),
    "low-pass": lambda: CausalChain(NAMES, 500.0, [BandPass(None, 30.0, 6)]),
    "whole fraction": lambda: CausalChain(NAMES, 500.0, [Resample(125.0)]),
    "another": lambda: CausalChain(NAMES, 500.0, [Reference(("Cz",)), Resample(300.0), BandPass(1.0, 40.0), Resample(100.0)]),
}


class TestChunks:
    @pytest.mark.parametrize("name", CHAINS)
    @pytest.mark.parametrize("size", [1, 7, 100, 399, 400])
    def test_any_size_gives_what_one_pass_gives(self, name: str, size: int) -> None:
        chain, signal = CHAINS[name](), recording(400)
        whole = chain.run(signal)
        assert whole.data.shape[1] == chain.n_outputs(400) >= 80
        parts = in_chunks(chain, np.asarray(signal.data), [size])
        scale = np.abs(whole.data).max()
        np.testing.assert_allclose(parts, whole.data, rtol=0, atol=1e-5 * scale)

    @settings(max_examples=15, deadline=None)
    @given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=12), name=st.sampled_from(list(CHAINS)))
    def test_chunks_of_different_sizes(self, sizes: list[int], name: str) -> None:
        chain, signal = CHAINS[name](), recording(300)
        whole = chain.run(signal).data
        parts = in_chunks(chain, np.asarray(signal.data), sizes)
        np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-5 * np.abs(whole).max())

    @settings(max_examples=15, deadline=None)
    @given(up=st.integers(1, 16), down=st.integers(2, 60), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6))
    def test_any_fraction_keeps_its_phase(self, up: int, down: int, sizes: list[int]) -> None:
        if up / down > 1 / 1.2:
            return
        chain, signal = CausalChain(NAMES, 500.0, [Resample(500.0 * up / down)]), recording(150)
        whole = chain.run(signal).data
        assert whole.shape[1] == -(-150 * up // down)
        parts = in_chunks(chain, np.asarray(signal.data), sizes)
        np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-5 * np.abs(whole).max())

    def test_an_empty_chunk_changes_nothing(self) -> None:
        chain, data = full_chain(), np.asarray(recording().data)
        first = [
            chain.process(data[:, :0]),
            chain.process(data[:, :50]),
            chain.process(data[:, 50:50]),
            chain.process(data[:, 50:]),
        ]
        assert first[0].shape == first[2].shape == (3, 0)
        np.testing.assert_array_equal(np.concatenate(first, axis=1), full_chain().process(data))

    def test_a_whole_recording_does_not_disturb_a_stream(self) -> None:
        chain, data = full_chain(), np.asarray(recording().data)
        first = chain.process(data[:, :300])
        chain.run(recording(seed=4))
        copy = chain.fresh()
        copy.process(data[:, :10])
        rest = chain.process(data[:, 300:])
        np.testing.assert_array_equal(np.concatenate([first, rest], axis=1), full_chain().process(data))

    def test_long_recordings_go_through_in_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = full_chain().run(recording())
        monkeypatch.setattr("neurodecode.preprocess.causal._BLOCK", 64)
        np.testing.assert_array_equal(full_chain().run(lazily(recording())).data, whole.data)


class TestWhatComesOut:
    def test_the_contract_of_preprocessing(self) -> None:
        signal, chain = recording(), full_chain()
        before = snapshot(signal)
        result = chain.run(signal)
        assert snapshot(signal) == before
        assert (result.sfreq, result.t0) == (120.0, 0.0)
        assert result.data.dtype == np.float32
        assert result.events["onset"].tolist() == [0.5, 1.0]
        assert result.duration == pytest.approx(signal.duration, abs=1 / 120)
        assert result.meta["steps"][0] == {"step": "read"}
        step = result.meta["steps"][1]
        assert (step["step"], step["fingerprint"]) == ("causal.run", chain.fingerprint)
        assert [part["step"] for part in step["steps"]] == ["reference", "notch", "band_pass", "resample", "scale", "clamp"]
        assert set(result.channels["unit"]) == {"n/a"}
        assert set(CHAINS["high-pass"]().run(signal).channels["unit"]) == {"V"}
        json.dumps(result.meta, allow_nan=False)

    def test_channels_are_picked_in_the_order_of_the_chain(self) -> None:
        chain = CausalChain(["Pz", "Fz"], 500.0)
        assert chain.run(recording()).names == ["Pz", "Fz"]
        np.testing.assert_array_equal(chain.run(recording()).data, np.asarray(recording().data)[[2, 0]])

    def test_no_sample_is_used_before_it_is_there(self) -> None:
        """Another future leaves the past as it is."""
        chain, data = full_chain(), np.array(recording().data)
        other = data.copy()
        other[0, 400:] += 1e-3
        before = chain.n_outputs(400)
        one, two = (chain.fresh().process(x) for x in (data, other))
        np.testing.assert_array_equal(one[:, :before], two[:, :before])
        assert np.abs(one - two).max() > 0.1

    def test_an_offset_makes_no_step(self) -> None:
        """The pass begins as if the first sample had been there for ever."""
        flat = recording().replace(data=np.full((3, 700), 0.01))
        for name in ("high-pass", "low-pass", "whole fraction"):
            expected = 0.0 if name == "high-pass" else 0.01
            np.testing.assert_allclose(CHAINS[name]().run(flat).data, expected, atol=1e-8)
        held = CausalChain(NAMES, 500.0, [Resample(120.0)]).run(flat)
        np.testing.assert_allclose(held.data, 0.01, rtol=1e-5)

    def test_the_reference_is_taken_off(self) -> None:
        data = np.asarray(recording().data, float)
        average = CausalChain(NAMES, 500.0, [Reference()]).run(recording()).data
        np.testing.assert_allclose(average, data - data.mean(axis=0), atol=1e-9)
        one = CausalChain(NAMES, 500.0, [Reference("Cz")]).run(recording()).data
        np.testing.assert_allclose(one, data - data[1], atol=1e-9)
        assert np.abs(CausalChain(NAMES, 500.0, [Reference(("Fz", "Pz"))]).run(recording()).data[[0, 2]].sum(axis=0)).max() < 1e-9

    def test_scaling_is_that_of_the_training_data(self) -> None:
        train, test = [recording(seed=1), recording(seed=2)], recording(seed=3)
        chain = CausalChain.design(train[0], l_freq=1.0, h_freq=40.0, sfreq=100.0)
        scaled = chain.fit_scale(train, clamp=2.0)
        passed = np.concatenate([np.asarray(chain.run(part).data) for part in train], axis=1)
        low, center, high = np.percentile(passed, [25, 50, 75], axis=1)
        expected = (chain.run(test).data - center[:, None]) / (high - low)[:, None]
        np.testing.assert_allclose(scaled.run(test).data, np.clip(expected, -2, 2), rtol=1e-5, atol=1e-6)
        assert not any(isinstance(step, Scale) for step in chain.steps), "the chain itself was changed"
        unclamped = chain.fit_scale(train, clamp=None)
        assert [step.kind for step in unclamped.steps][-1] == "scale"

    def test_scaling_fitted_elsewhere(self) -> None:
        scale = RobustScale(NAMES, np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
        found = CausalChain(NAMES, 500.0).with_scale(scale, None).process(np.array([[2.0], [6.0], [7.0]]))
        np.testing.assert_array_equal(found, [[1.0], [2.0], [1.0]])
        with pytest.raises(DataError, match="the scale is of channels"):
            CausalChain(["A", "B", "C"], 500.0).with_scale(scale)

    def test_bad_channels_are_left_out_and_named_ones_scaled_all_the_same(self) -> None:
        table = recording().channels.assign(bad=[False, True, False])
        marked = recording().replace(channels=table)
        assert CausalChain.design(marked).channels == ["Fz", "Pz"]
        chain = CausalChain(NAMES, 500.0, [BandPass(1.0, 40.0)]).fit_scale(marked)
        assert len(chain.steps[1].center) == 3


class TestDelay:
    def burst(self, frequency: float, sfreq: float = 500.0) -> np.ndarray:
        """A narrow burst around 4 s of 8."""
        t = np.arange(round(8 * sfreq)) / sfreq - 4.0
        return np.exp(-((t / 0.6) ** 2)) * np.cos(2 * np.pi * frequency * t)

    @pytest.mark.parametrize("frequency", [8.0, 15.0, 25.0])
    @pytest.mark.parametrize("name", ["all but the clamp", "lower rate", "held"])
    def test_the_envelope_is_late_by_what_is_stated(self, name: str, frequency: float) -> None:
        from scipy.signal import hilbert

        steps: dict[str, list[Step]] = {
            "all but the clamp": [Notch((50.0,)), BandPass(2.0, 40.0), Resample(125.0)],
            "lower rate": [Resample(125.0)],
            "held": [Resample(120.0)],
        }
        chain = CausalChain(["x"], 500.0, steps[name])
        out = chain.process(self.burst(frequency)[None])[0]
        envelope = np.abs(hilbert(out.astype(float))) ** 2
        times = np.arange(len(out)) / chain.output_sfreq
        centre = float((envelope * times).sum() / envelope.sum())
        assert centre - 4.0 == pytest.approx(float(chain.group_delay(frequency)[0]), abs=0.0015)

    def test_the_band_and_the_median_over_it(self) -> None:
        chain = full_chain()
        assert chain.band == (0.5, 40.0)
        assert CausalChain(NAMES, 500.0, [Resample(50.0)]).band == (0.0, 20.0)
        freqs = np.linspace(0.5, 40.0, 200)[1:-1]
        assert chain.delay == pytest.approx(np.median(chain.group_delay(freqs)), abs=1e-3)
        assert CausalChain(NAMES, 500.0).delay == 0.0
        assert 0.01 < CausalChain(NAMES, 500.0, [Resample(120.0)]).delay < 0.02

    def test_it_is_unknown_where_nothing_comes_through(self) -> None:
        from scipy.signal import iirnotch

        sections = np.concatenate(iirnotch(50.0, 30.0, fs=500.0))[None]
        found = group_delay(sections, np.array([50.0, 20.0]), 500.0)
        assert np.isfinite(found[1])
        high_pass = CausalChain(NAMES, 500.0, [BandPass(1.0, None)])
        assert np.isnan(high_pass.group_delay(0.0)[0])

    def test_what_would_fold_is_sixty_decibels_down(self) -> None:
        t = np.arange(5000) / 500.0
        chain = CausalChain(["x"], 500.0, [Resample(100.0)])
        for frequency in (60.0, 65.0, 95.0, 105.0, 240.0):
            out = chain.fresh().process(np.sin(2 * np.pi * frequency * t)[None])[0][300:]
            assert np.sqrt(2) * out.std() < 1.1e-3, frequency
        passed = chain.fresh().process(np.sin(2 * np.pi * 20.0 * t)[None])[0][300:]
        assert np.sqrt(2) * passed.std() == pytest.approx(1.0, abs=0.01)


class TestRefusals:
    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: BandPass(0.0, 40.0), "l_freq must be a finite number above 0, got 0.0"),
            (lambda: BandPass(1.0, 40.0, 0), "order must be a whole number from 1 to 12, got 0"),
            (lambda: CausalChain(NAMES, 500.0, [BandPass()]), "needs l_freq or h_freq, got None and None"),
            (lambda: CausalChain(NAMES, 500.0, [BandPass(40.0, 1.0)]), "got 40.0 to 1.0"),
            (lambda: CausalChain(NAMES, 500.0, [BandPass(1.0, 250.0)]), "< 250 Hz (half of sfreq), got 1.0 to 250.0"),
            (lambda: CausalChain(NAMES, 500.0, [BandPass(300.0, None)]), "got 300.0 to None"),
            (
                lambda: CausalChain(NAMES, 500.0, [Resample(100.0), BandPass(1.0, 60.0)]),
                "< 50 Hz (half of sfreq), got 1.0 to 60.0",
            ),
            (lambda: CausalChain(NAMES, 500.0, [Notch((50.0, 300.0))]), "got [300.0]"),
            (lambda: CausalChain(NAMES, 500.0, [Notch()]), "notch needs frequencies"),
            (lambda: Notch((50.0,), -1.0), "quality must be"),
            (lambda: CausalChain(NAMES, 500.0, [Resample(117.3)]), "the nearest is"),
            (lambda: CausalChain(NAMES, 500.0, [Resample(450.0)]), "lowers a rate to at most 416.667 Hz"),
            (lambda: CausalChain(NAMES, 500.0, [Resample(1000.0)]), "asked for 1000"),
            (lambda: Resample(0.0), "sfreq of resample must be"),
            (lambda: Scale((0.0,), (0.0,)), "spread above 0"),
            (lambda: Scale((np.nan,), (1.0,)), "center must be finite"),
            (lambda: CausalChain(NAMES, 500.0, [Scale((0.0,), (1.0,))]), "1 centres and 1 spreads for 3 channels"),
            (lambda: Clamp(-1.0), "limit of clamp"),
            (lambda: Reference(()), "to must be 'average'"),
            (lambda: CausalChain(NAMES, 500.0, [Reference("Cz2")]), "did you mean 'Cz'"),
            (lambda: CausalChain(NAMES, 500.0, ["high-pass"]), "got str: 'high-pass'"),
            (lambda: CausalChain([], 500.0), "at least one channel, got []"),
            (lambda: CausalChain(["a", "a"], 500.0), "'a' occurs 2 times"),
            (lambda: CausalChain(NAMES, -1.0), "sfreq must be a finite number above 0, got -1.0"),
        ],
    )
    def test_what_does_not_fit(self, make: Any, message: str) -> None:
        with pytest.raises(DataError) as caught:
            make()
        assert message in str(caught.value)

    def test_a_chunk_of_another_shape(self) -> None:
        for wrong in (np.zeros((2, 5)), np.zeros(3), np.zeros((3, 5, 1))):
            with pytest.raises(DataError, match=r"shape \(3, n\)"):
                full_chain().process(wrong)

    def test_missing_values_are_refused_by_name(self) -> None:
        data = np.array(recording().data)
        data[1, 20] = np.nan
        with pytest.raises(DataError, match="'Cz' holds NaN"):
            full_chain().run(recording().replace(data=data))
        with pytest.raises(DataError, match="'Cz' holds NaN"):
            full_chain().process(data)

    def test_another_rate_or_montage(self) -> None:
        with pytest.raises(DataError, match="the chain is for 500 Hz, the signal comes at 250 Hz"):
            full_chain().run(recording(sfreq=250.0))
        with pytest.raises(DataError, match="there is no channel 'Oz'"):
            CausalChain(["Oz"], 500.0).run(recording())


class TestOnDisk:
    def test_what_was_saved_is_the_same_chain(self, tmp_path: Path) -> None:
        chain = full_chain()
        path = chain.save(tmp_path / "chain.json")
        loaded = CausalChain.load(path)
        assert loaded.to_dict() == chain.to_dict()
        assert loaded.fingerprint == chain.fingerprint
        np.testing.assert_array_equal(loaded.run(recording()).data, chain.run(recording()).data)
        assert full_chain(to=100.0).fingerprint != chain.fingerprint

    def test_another_file(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="cannot be read"):
            CausalChain.load(tmp_path / "none.json")
        (tmp_path / "other.json").write_text('{"kind": "something"}')
        with pytest.raises(FormatError, match="expected a neurodecode causal chain"):
            CausalChain.load(tmp_path / "other.json")

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('"band_pass"', '"os.system"'),
            ('"l_freq"', '"low"'),
            ("0.5", '"x"'),
            ("0.5", "1e999"),
            ("500.0", "null"),
            ('"version": 1', '"version": 2'),
            ('"steps": [', '"steps": [3, '),
            ('"limit": 1.5', '"limit": [[1]]'),
            ('"Fz"', '"Cz"'),
            ("{", ""),
        ],
    )
    def test_a_damaged_file(self, tmp_path: Path, old: str, new: str) -> None:
        path = full_chain().save(tmp_path / "chain.json")
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(CorruptFileError, match=r"chain\.json"):
            CausalChain.load(path)

    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_any_json_is_a_chain_or_one_error(self, data: st.DataObject) -> None:
        leaves = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)
        anything = st.recursive(
            leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        )
        values: dict[str, Any] = json.loads(json.dumps(full_chain().to_dict()))
        where = data.draw(st.sampled_from(["kind", "version", "channels", "sfreq", "steps", 0, 1, 2, 3, 4, 5]))
        if isinstance(where, str):
            values[where] = data.draw(anything)
        else:
            values["steps"][where][data.draw(st.sampled_from(list(values["steps"][where])))] = data.draw(anything)
        with contextlib.suppress(NeurodecodeError):
            assert CausalChain.from_dict(values).channels


class TestCausality:
    def test_steps_that_look_ahead_are_named(self) -> None:
        signal = recording()
        assert noncausal_steps(full_chain().run(signal).meta["steps"]) == []
        ahead = meeg.notch(meeg.filter(recording(4000), 1.0, 40.0), 50.0)
        assert noncausal_steps(ahead.meta["steps"]) == ["meeg.filter", "meeg.notch"]
        assert noncausal_steps(meeg.epochs(meeg.reference(signal), 0.0, 0.1, None).meta["steps"]) == []
        assert noncausal_steps([{"step": "of my own"}, {}]) == ["of my own", "None"]

    def test_the_words_of_the_report(self) -> None:
        from neurodecode.report.methods import preprocessing_sentences

        (_, said) = preprocessing_sentences(full_chain().run(recording()).meta["steps"])
        assert "causal chain" in said
        assert "120 Hz" in said

    def test_its_name(self) -> None:
        assert repr(full_chain()).startswith("CausalChain(3 channels, 500 to 120 Hz: reference, notch, band_pass")
        assert "no steps" in repr(CausalChain(NAMES, 500.0))
