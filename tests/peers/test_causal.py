"""Causal filters are those of MNE and scipy, and those of a stream of mne-lsl."""

from __future__ import annotations

from typing import Any

import mne
import numpy as np
import pytest
from scipy.signal import butter, iirnotch, lfilter, sosfilt

from neurodecode.preprocess.causal import BandPass, CausalChain, Notch, Resample

BANDS = [(1.0, 40.0, 4), (0.5, None, 2), (None, 30.0, 6), (8.0, 12.0, 3)]


def signal(offset: float = 0.0) -> np.ndarray:
    """Noise and a drift, beginning at the offset."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((3, 2000)) + np.linspace(0, 3, 2000)
    return data - data[:, :1] + offset


@pytest.mark.parametrize(("low", "high", "order"), BANDS)
def test_sections_are_those_that_mne_designs(low: float | None, high: float | None, order: int) -> None:
    made = mne.filter.create_filter(
        None,
        500.0,
        low,
        high,
        method="iir",
        phase="forward",
        iir_params={"order": order, "ftype": "butter", "output": "sos"},
        verbose="error",
    )
    ours = BandPass(low, high, order).sections(500.0)
    np.testing.assert_allclose(ours, made["sos"], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("low", "high", "order"), BANDS)
def test_a_signal_that_begins_at_zero_is_filtered_as_by_mne_and_scipy(low: float | None, high: float | None, order: int) -> None:
    """MNE pads what it filters; with zeros before a signal that begins at 0 both begin at rest."""
    data = signal()
    params = {"order": order, "ftype": "butter", "output": "sos", "padlen": 0}
    theirs = mne.filter.filter_data(
        data, 500.0, low, high, method="iir", iir_params=params, phase="forward", pad="constant", verbose="error"
    )
    ours = CausalChain(["a", "b", "c"], 500.0, [BandPass(low, high, order)]).process(data)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    edges: Any = (low or high) if low is None or high is None else (low, high)
    kind = "bandpass" if low and high else "highpass" if low else "lowpass"
    plain = sosfilt(butter(order, edges, kind, fs=500.0, output="sos"), data)
    np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-5)


def test_a_notch_is_that_of_scipy() -> None:
    data = signal()
    ours = CausalChain(["a", "b", "c"], 500.0, [Notch((50.0, 100.0), 25.0)]).process(data)
    plain = data
    for frequency in (50.0, 100.0):
        plain = lfilter(*iirnotch(frequency, 25.0, fs=500.0), plain)
    np.testing.assert_allclose(ours, plain, atol=1e-5)


def test_an_offset_is_begun_with_as_in_streams_of_mne_lsl() -> None:
    """Its filters, too, begin in the steady state of the first chunk (here one sample long, so that both agree)."""
    filters = pytest.importorskip("mne_lsl.stream._filters", reason="mne-lsl is not installed: the extra live brings it")
    data = signal(offset=50.0)
    made = filters.create_filter(500.0, 1.0, 40.0, {"order": 4, "ftype": "butter", "output": "sos"})
    state = made["zi_unit"] * data[:, 0]
    theirs, _ = sosfilt(made["sos"], data.T, zi=state, axis=0)
    ours = CausalChain(["a", "b", "c"], 500.0, [BandPass(1.0, 40.0)]).process(data)
    np.testing.assert_allclose(ours, theirs.T, atol=1e-5)


def test_a_lower_rate_is_mnes_signal_later() -> None:
    """In the band that both keep, a resampled sine is that of `mne.filter.resample` moved by the group delay."""
    times = np.arange(4000) / 500.0
    for frequency in (3.0, 10.0, 20.0):
        wave = np.sin(2 * np.pi * frequency * times)[None]
        chain = CausalChain(["a"], 500.0, [Resample(100.0)])
        delay = _phase_delay(chain, frequency)
        moved = np.sin(2 * np.pi * frequency * (times - delay))[None]
        theirs = mne.filter.resample(moved, up=1.0, down=5.0, verbose="error")
        np.testing.assert_allclose(chain.process(wave)[0, 200:700], theirs[0, 200:700], atol=0.01)


def _phase_delay(chain: CausalChain, frequency: float) -> float:
    """Integral of the group delay from 0 to a frequency over it, in s."""
    freqs = np.linspace(0, frequency, 400)
    return float(np.trapezoid(chain.group_delay(freqs), freqs) / frequency)
