"""Traces to the tensor time x sample x pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from connectome_data import built

from neurodecode.analysis.connectome import (
    affinity_tensor,
    choose_path,
    fold_pairs,
    ntf_hals,
    pair_affinity,
    rates_of_change,
    split_rates,
)
from neurodecode.data import Recording
from neurodecode.errors import DataError

SFREQ = 4.0


def walks(n_names: int = 5, n_times: int = 120, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).standard_normal((n_names, n_times)), axis=1).astype(np.float32)


def recording(data: np.ndarray, names: list[str] | None = None, onsets: tuple[float, ...] = (), **meta: Any) -> Recording:
    channels = pd.DataFrame({"name": names or [f"N{i}" for i in range(len(data))]})
    events = pd.DataFrame({"onset": list(onsets), "duration": 1.0, "trial_type": "odour"})
    t0 = meta.pop("t0", 0.0)
    return Recording(data, SFREQ, channels, events, t0=t0, meta=meta)


class TestRates:
    """Smoothed derivatives in robust units."""

    def test_the_slope_of_a_parabola_is_exact(self) -> None:
        """In units of its own robust deviation a straight slope of a parabola runs from -x to x."""
        t = np.arange(200) / SFREQ
        rates = rates_of_change(np.stack([t**2, -3 * t**2]), SFREQ)
        slope = 2 * t - np.median(2 * t)
        scale = 1.4826 * np.median(np.abs(slope))
        np.testing.assert_allclose(rates[0], 2 * t / scale, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(rates[1], -rates[0], rtol=1e-4, atol=1e-6)

    def test_the_gaussian_has_the_slope_of_a_sine(self) -> None:
        """Smoothing a sine of angular frequency w by s damps it by exp(-w^2 s^2 / 2)."""
        t, w = np.arange(400) / 20.0, 2 * np.pi * 0.2
        rates = rates_of_change(np.sin(w * t)[None], 20.0, derivative="gaussian", smoothing_s=0.5)
        expected = np.cos(w * t)
        inner = slice(60, -60)
        np.testing.assert_allclose(rates[0, inner] / rates[0, inner].max(), expected[inner] / expected[inner].max(), atol=0.02)

    def test_units_do_not_count(self) -> None:
        data = walks().astype(float)
        np.testing.assert_allclose(rates_of_change(1e-6 * data + 7, SFREQ), rates_of_change(data, SFREQ), atol=1e-5)

    def test_the_dead_zone(self) -> None:
        data = walks()
        every, some = rates_of_change(data, SFREQ), rates_of_change(data, SFREQ, dead_zone=0.5)
        np.testing.assert_array_equal(some, np.where(np.abs(every) < 0.5, 0, every))
        assert 0.1 < np.mean(some == 0) < 0.6

    def test_a_trace_that_mostly_rests_keeps_a_scale(self) -> None:
        data = np.zeros((2, 200))
        data[0, 90:110] = np.sin(np.arange(20))
        rates = rates_of_change(data, SFREQ)
        assert rates[0].std() == pytest.approx(1.0, rel=1e-5)
        np.testing.assert_array_equal(rates[1], 0.0)

    def test_rates_given_are_only_scaled(self) -> None:
        data = np.random.default_rng(0).standard_normal((3, 4001))
        scaled = rates_of_change(data, SFREQ, derivative="none")
        assert np.allclose(scaled.std(axis=1), 1, atol=0.06)
        assert np.corrcoef(scaled[0], data[0])[0, 1] == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"smoothing_s": 0.5}, r"0.5 s has 3 frames at 4 Hz, a parabola needs 5: give smoothing_s of 1 s or more"),
            ({"smoothing_s": 90.0}, "over 361 frames .* these have 120"),
            ({"derivative": "gaussian", "smoothing_s": 0.05}, "0.2 frames wide at 4 Hz .* 0.125 s or more"),
            ({"derivative": "gaussian", "smoothing_s": 10.0}, "over 241 frames"),
            ({"derivative": "diff"}, "derivative='diff' is unknown"),
            ({"dead_zone": -1}, "from 0 up, got -1"),
            ({"smoothing_s": 0.0}, "smoothing_s must be a finite number above 0, got 0.0"),
        ],
    )
    def test_refusals(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            rates_of_change(walks(), SFREQ, **options)


class TestPairs:
    """Affinities by hand."""

    rates = np.array([[4.0, 1.0, -9.0], [-4.0, -1.0, 0.0]])

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("geomean", [[2, 0, 0], [2, 0, 0]]),
            ("product", [[4, 0, 0], [4, 0, 0]]),
            ("min", [[1, 0, 0], [1, 0, 0]]),
            ("gauss", [[np.exp(-4.5), 0, 0], [np.exp(-4.5), 0, 0]]),
        ],
    )
    def test_by_hand(self, kind: str, expected: list[list[float]]) -> None:
        np.testing.assert_allclose(pair_affinity(self.rates, kind=kind, clip=None), expected, rtol=1e-6)

    def test_the_width_of_the_gaussian(self) -> None:
        found = pair_affinity(self.rates, kind="gauss", clip=None, width=3.0)
        assert found[0, 0] == pytest.approx(np.exp(-0.5), rel=1e-6)

    @pytest.mark.parametrize("kind", ["geomean", "product"])
    def test_the_separable_ones_are_products(self, kind: str) -> None:
        rates = np.random.default_rng(0).standard_normal((50, 2, 7))
        halves = [split_rates(rates[:, k], kind=kind) for k in range(2)]
        from neurodecode.analysis.connectome import SeparableAffinity

        both = SeparableAffinity(*(np.stack([h[side] for h in halves], axis=1) for side in (0, 1)))
        for k in range(2):
            np.testing.assert_allclose(built(both)[:, k], pair_affinity(rates[:, k], kind=kind), rtol=1e-5, atol=1e-6)

    def test_clipping_is_per_neuron_and_before_pairing(self) -> None:
        rates = np.ones((1000, 3))
        rates[17, 0] = 400.0
        most = np.percentile(rates[:, 0], 99.9)
        assert pair_affinity(rates)[17, 0] == pytest.approx(np.sqrt(most), rel=1e-5)
        assert most < 2
        assert pair_affinity(rates, clip=None)[17, 0] == pytest.approx(20.0)

    def test_many_pairs_pass_in_parts(self) -> None:
        rates = np.random.default_rng(0).standard_normal((130, 400))
        found = pair_affinity(rates, clip=None)
        i, j = np.triu_indices(400, 1)
        picked = np.random.default_rng(1).integers(0, len(i), 50)
        expected = np.sqrt(np.maximum(rates[:, i[picked]] * rates[:, j[picked]], 0))
        np.testing.assert_allclose(found[:, picked], expected, atol=1e-5)

    def test_folding(self) -> None:
        folded = fold_pairs([[1.0, 2.0, 3.0]], 3, fill=np.nan)
        np.testing.assert_array_equal(folded[0], [[np.nan, 1, 2], [1, np.nan, 3], [2, 3, np.nan]])
        with pytest.raises(DataError, match=r"4 names have 6 pairs, got values of shape \(3,\)"):
            fold_pairs(np.ones(3), 4)

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda r: pair_affinity(r, kind="cosine"), "kind='cosine' is unknown"),
            (lambda r: split_rates(r, kind="min"), r"'min' is no product of two neurons: choose from \['geomean', 'product'\]"),
            (lambda r: pair_affinity(r[:, :1]), r"two names or more, got shape \(2, 1\)"),
            (lambda r: pair_affinity(r * np.nan), "NaN or infinite values of 3 names"),
            (lambda r: pair_affinity(r, clip=0), "clip is a percentile above 0, .* got 0"),
        ],
    )
    def test_refusals(self, call: Any, message: str) -> None:
        with pytest.raises(DataError, match=message):
            call(self.rates)


class TestArrays:
    """Plain arrays of several animals."""

    def test_shapes_and_values(self) -> None:
        traces = [walks(seed=k) for k in range(3)]
        found = affinity_tensor(traces, sfreq=SFREQ, path="dense")
        assert found.tensor is not None
        assert found.tensor.shape == (120, 3, 10)
        assert found.tensor.dtype == np.float32
        np.testing.assert_allclose(found.times, np.arange(120) / SFREQ)
        np.testing.assert_allclose(found.tensor[:, 1], pair_affinity(rates_of_change(traces[1], SFREQ).T), atol=1e-6)
        np.testing.assert_array_equal(found.pairs[:2], [[0, 1], [0, 2]])
        assert found.mask.all()
        assert found.separable is not None
        np.testing.assert_allclose(built(found.separable), found.tensor, atol=1e-6)
        assert affinity_tensor(traces, sfreq=SFREQ, kind="min").separable is None

    def test_the_union_of_names_is_masked(self) -> None:
        names = [["AVA", "AVB", "RIM"], ["RIM", "AIB", "AVA"]]
        traces = [walks(3, seed=0), walks(3, seed=1)]
        found = affinity_tensor(traces, names=names, sfreq=SFREQ, labels=["worm1", "worm2"], path="dense")
        assert found.names == ["AVA", "AVB", "RIM", "AIB"]
        assert found.samples == ["worm1", "worm2"]
        there = {tuple(found.names[k] for k in pair): mask.tolist() for pair, mask in zip(found.pairs, found.mask.T, strict=True)}
        assert there[("AVA", "RIM")] == [True, True]
        assert there[("AVB", "RIM")] == [True, False]
        assert there[("RIM", "AIB")] == [False, True]
        assert there[("AVB", "AIB")] == [False, False]
        assert found.tensor is not None
        assert not found.tensor[:, ~found.mask].any()
        rates = rates_of_change(traces[1], SFREQ)
        np.testing.assert_allclose(found.tensor[:, 1, 1], pair_affinity(rates.T)[:, 1], atol=1e-6)

    def test_nan_and_flat_traces_are_missing(self) -> None:
        traces = [walks(seed=k) for k in range(2)]
        traces[0][3], traces[1][2] = np.nan, 5.0
        found = affinity_tensor(traces, sfreq=SFREQ, path="implicit")
        assert found.tensor is None
        assert found.separable is not None
        np.testing.assert_array_equal(found.separable.observed, [[1, 1, 1, 0, 1], [1, 1, 0, 1, 1]])
        dense = affinity_tensor(traces, sfreq=SFREQ, path="dense")
        a, b = ntf_hals(found, 2, random_state=0, tol=1e-8), ntf_hals(dense, 2, random_state=0, tol=1e-8)
        assert a.error == pytest.approx(b.error, rel=1e-3)

    def test_other_rates_and_starts_meet_on_one_grid(self) -> None:
        """A slow sine seen at 4 Hz from 0 s and at 10 Hz from 3 s has the same rates where both see it."""

        def seen(sfreq: float, start: float, n: int) -> np.ndarray:
            t = start + np.arange(n) / sfreq
            return np.stack([np.sin(t / 4), np.cos(t / 4)]).astype(np.float32)

        found = affinity_tensor([seen(4.0, 0.0, 400), seen(10.0, 3.0, 800)], sfreq=[4.0, 10.0], start=[0.0, 3.0], path="dense")
        assert found.times[0] == 3.0
        assert found.times[-1] <= 82.9
        assert np.diff(found.times) == pytest.approx(0.25)
        assert found.tensor is not None
        inner = found.tensor[20:-20]
        assert np.abs(inner[:, 0] - inner[:, 1]).max() < 0.1 * inner.max()
        fast = affinity_tensor([seen(4.0, 0.0, 400)] * 2, sfreq=4.0, grid_sfreq=2.0)
        assert np.diff(fast.times) == pytest.approx(0.5)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "sfreq is needed: traces of 2 samples"),
            ({"sfreq": [4.0, 4.0, 4.0]}, r"one, or one per sample \(2\)"),
            ({"sfreq": -1.0}, "sfreq"),
            ({"sfreq": 4.0, "names": ["a", "b"]}, "sample 0 has 5 traces and 2 different names of 2"),
            ({"sfreq": 4.0, "names": [list("abcde"), list("aacde")]}, "sample 1 has 5 traces and 4 different names of 5"),
            ({"sfreq": 4.0, "names": [list("abcde")]}, r"one per sample \(2\), got 1"),
            ({"sfreq": 4.0, "start": [0.0, 500.0]}, "have 0 times in common"),
            ({"sfreq": 4.0, "sample_mode": "worm"}, "sample_mode='worm' is unknown"),
            ({"sfreq": 4.0, "kind": "dot"}, "kind='dot' is unknown"),
            ({"sfreq": 4.0, "path": "sparse"}, "path='sparse' is unknown"),
            ({"sfreq": 4.0, "kind": "min", "path": "implicit"}, "'min' is no product"),
        ],
    )
    def test_refusals(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            affinity_tensor([walks(), walks(seed=1)], **options)

    def test_bad_values_are_refused_by_name(self) -> None:
        traces = walks()
        traces[2, 10:14] = np.nan
        with pytest.raises(DataError, match=r"'neuron2' of sample0 is NaN at 4 of 120 times \(1 traces"):
            affinity_tensor([traces], sfreq=SFREQ)
        traces[2, 10:14] = np.inf
        with pytest.raises(DataError, match="got 4 infinite values"):
            affinity_tensor([traces], sfreq=SFREQ)
        with pytest.raises(DataError, match=r"got shapes \[\(120,\)"):
            affinity_tensor([walks()[0]], sfreq=SFREQ)
        with pytest.raises(DataError, match=r"two names or more, got \['neuron0'\]"):
            affinity_tensor([walks(1)], sfreq=SFREQ)


class TestRecordings:
    """Animals, sessions and trials."""

    def test_animals(self) -> None:
        found = affinity_tensor([recording(walks(seed=k), subject=f"worm{k}") for k in range(2)])
        assert found.samples == ["worm0", "worm1"]
        assert found.names == ["N0", "N1", "N2", "N3", "N4"]
        with pytest.raises(DataError, match="2 recordings are of 'worm0': use sample_mode='session'"):
            affinity_tensor([recording(walks(seed=k), subject="worm0") for k in range(2)])

    def test_sessions(self) -> None:
        several = [recording(walks(seed=k), subject="worm0", session=str(k)) for k in range(2)]
        assert affinity_tensor(several, sample_mode="session").samples == ["worm0 session-0", "worm0 session-1"]
        with pytest.raises(DataError, match="give each its own subject, session or run"):
            affinity_tensor([several[0], several[0]], sample_mode="session")

    def test_stimuli_are_aligned(self) -> None:
        """The same course, but the second animal smelled it 10 s later on its own clock."""
        data = walks(n_times=200)
        late = np.concatenate([walks(n_times=40, seed=9) + data[:, :1], data], axis=1)
        pair = [recording(data, onsets=(20.0,), subject="a"), recording(late, onsets=(30.0,), subject="b")]
        found = affinity_tensor(pair, align="odour", window=(-10.0, 25.0), path="dense")
        assert found.times[[0, -1]] == pytest.approx([-10.0, 25.0])
        assert found.tensor is not None
        np.testing.assert_allclose(found.tensor[:, 0], found.tensor[:, 1], atol=1e-4)

    def test_trials(self) -> None:
        data = walks(n_times=400)
        found = affinity_tensor(
            recording(data, onsets=(30.0, 60.0), subject="a", t0=5.0), sample_mode="trial", align="odour", window=(-5.0, 20.0)
        )
        assert found.samples == ["a trial-0", "a trial-1"]
        assert found.times[[0, -1]] == pytest.approx([-5.0, 20.0])
        with pytest.raises(DataError, match=r"trial at 30 s of a is not covered from -5 to 90 s: .* 5 to 104.75 s"):
            affinity_tensor(recording(data, onsets=(30.0,), subject="a", t0=5.0), sample_mode="trial", window=(-5.0, 90.0))
        with pytest.raises(DataError, match=r"trials need window=.*, got None"):
            affinity_tensor(recording(data, onsets=(30.0,)), sample_mode="trial")

    def test_bad_channels_are_missing(self) -> None:
        data = recording(walks(), subject="a")
        bad = data.replace(channels=data.channels.assign(bad=[False, True, False, False, False]))
        found = affinity_tensor([bad, recording(walks(seed=1), subject="b")])
        np.testing.assert_array_equal(found.mask[0], ~(found.pairs == 1).any(axis=1))

    def test_refusals(self) -> None:
        with pytest.raises(DataError, match="there is no event 'salt' to align to: .*odour"):
            affinity_tensor(recording(walks(), onsets=(3.0,)), align="salt")
        with pytest.raises(DataError, match="all recordings or all arrays, got 1 recordings of 2"):
            affinity_tensor([recording(walks()), walks()])
        with pytest.raises(DataError, match="1 recordings bring their own names"):
            affinity_tensor(recording(walks()), sfreq=4.0)


@pytest.mark.parametrize(
    ("size", "kind", "free", "path"),
    [
        ((960, 21, 50), "geomean", 10**9, "dense"),
        ((960, 21, 50), "geomean", 3 * 10**8, "implicit"),
        ((960, 21, 50), "min", 3 * 10**8, "dense"),
        ((960, 1, 300), "product", 10**12, "implicit"),
    ],
)
def test_the_path(size: tuple[int, int, int], kind: str, free: int, path: str) -> None:
    assert choose_path(*size, kind, free) == path
    assert choose_path(10, 1, 10) == "dense"
