"""Band-pass, notch, resampling and spectra on signals whose answer is known."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Intervals, LazySignal, Recording
from neurodecode.errors import DataError
from neurodecode.preprocess import meeg

SFREQ = 200.0


def sines(*freqs: float, kind: str = "eeg", seconds: float = 40.0, sfreq: float = SFREQ, **members: object) -> Recording:
    """One channel per frequency with a sine of amplitude 1, and a stim channel with codes."""
    times = np.arange(round(seconds * sfreq)) / sfreq
    codes = (np.arange(len(times)) // 50) % 7
    data = np.vstack([np.sin(2 * np.pi * f * times) for f in freqs] + [codes])
    channels = pd.DataFrame(
        {
            "name": [f"s{f:g}" for f in freqs] + ["STI"],
            "kind": [kind] * len(freqs) + ["stim"],
            "unit": ["V"] * len(freqs) + ["n/a"],
        }
    )
    return Recording(data, sfreq, channels, **members)


def amplitude(recording: Recording) -> np.ndarray:
    """Amplitude of the sines, away from the ends."""
    return np.sqrt(2) * np.asarray(recording.data)[:-1, 1000:-1000].std(axis=1)


def test_the_pass_band_stays_and_the_rest_goes() -> None:
    filtered = meeg.filter(sines(1, 10, 20, 60), 4, 30)
    np.testing.assert_allclose(amplitude(filtered), [0, 1, 1, 0], atol=0.01)


def test_the_filter_does_not_move_the_signal() -> None:
    recording = sines(10)
    filtered = meeg.filter(recording, 1, 30)
    np.testing.assert_allclose(filtered.data[0, 1000:-1000], recording.data[0, 1000:-1000], atol=0.01)


@pytest.mark.parametrize(
    ("kind", "sfreq", "edge"),
    [("eeg", 200, 40), ("mag", 600, 120), ("grad", 600, 120), ("mag", 200, None), ("ecog", 200, None), ("eeg", 80, None)],
)
def test_the_low_pass_of_auto_depends_on_the_kind(kind: str, sfreq: float, edge: float | None) -> None:
    filtered = meeg.filter(sines(10, kind=kind, sfreq=sfreq), 1)
    assert filtered.meta["steps"] == [{"step": "meeg.filter", "l_freq": 1, "h_freq": edge, "method": "zero-phase FIR"}]


@pytest.mark.parametrize("step", [lambda r: meeg.filter(r, 1, 30), lambda r: meeg.notch(r, 50)])
def test_stim_and_misc_channels_are_untouched(step: object) -> None:
    recording = sines(10, 50)
    np.testing.assert_array_equal(step(recording).data[-1], recording.data[-1])


@pytest.mark.parametrize("kind", ["eog", "ecg", "emg", "seeg", "dbs", "ref_meg"])
def test_peripheral_and_intracranial_channels_are_filtered(kind: str) -> None:
    recording = sines(10, 60, kind=kind)
    np.testing.assert_allclose(amplitude(meeg.filter(recording, 1, 30)), [1, 0], atol=0.01)


@pytest.mark.parametrize(("low", "high"), [(30, 10), (None, None), (1, 100), (1, 150), (-1, 30), (0, 30), (120, None)])
def test_edges_out_of_order_are_refused(low: float | None, high: float | None) -> None:
    with pytest.raises(DataError, match=r"100 Hz|got"):
        meeg.filter(sines(10), low, high)


def test_a_nan_in_a_good_channel_is_refused_by_name() -> None:
    recording = sines(10, 20)
    recording.data[1, 500] = np.nan
    with pytest.raises(DataError, match=r"'s20' holds NaN.*Mark the channel bad"):
        meeg.filter(recording, 1, 30)


def test_a_bad_channel_with_nan_does_not_stop_the_others_and_becomes_nan() -> None:
    recording = sines(10, 20)
    recording.data[1, 500] = np.nan
    recording = recording.replace(channels=recording.channels.assign(bad=[False, True, False]))
    filtered = meeg.filter(recording, 1, 30)
    assert np.isnan(filtered.data[1]).all()
    np.testing.assert_allclose(amplitude(filtered)[0], 1, atol=0.01)


def test_valid_stretches_are_filtered_by_themselves_where_the_rest_is_missing() -> None:
    recording = sines(10)
    recording.data[0, 4000:4100] = np.nan
    cut = recording.replace(valid=Intervals([0, 20.5], [20, 40]))
    filtered = meeg.filter(cut, 1, 30)
    assert np.isnan(filtered.data[0, 4000:4100]).all()
    alone = meeg.filter(cut.crop(20.5, 40), 1, 30)
    np.testing.assert_array_equal(filtered.data[0, 4100:], alone.data[0])


def test_a_signal_shorter_than_its_filter_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        meeg.filter(sines(10, seconds=5), 0.1, 30)
    assert "33.0 s) is longer than the recording (5.0 s)" in caplog.text


def test_there_must_be_a_channel_to_filter() -> None:
    with pytest.raises(DataError, match=r"filter needs channels of kind eeg.*1 stim"):
        meeg.filter(sines(10).pick(kind="stim"))


def test_a_lazy_signal_is_read() -> None:
    recording = sines(10)
    lazy = recording.replace(data=LazySignal(lambda a, b: recording.data[:, a:b], recording.data.shape))
    np.testing.assert_array_equal(meeg.filter(lazy, 1, 30).data, meeg.filter(recording, 1, 30).data)


@pytest.mark.parametrize(("line", "expected"), [(50, [50.0]), (60, [60.0]), (30, [30.0, 60.0, 90.0]), (25, [25.0, 50.0, 75.0])])
def test_notches_stand_at_the_mains_frequency_and_its_harmonics(line: float, expected: list[float]) -> None:
    recording = sines(10, *expected, meta={"line_freq": line})
    cleaned = meeg.notch(recording)
    assert cleaned.meta["steps"][-1] == {"step": "meeg.notch", "freqs": expected}
    np.testing.assert_allclose(amplitude(cleaned), [1] + [0] * len(expected), atol=0.02)


def test_no_notch_stands_too_near_to_half_of_sfreq() -> None:
    assert meeg.notch(sines(10, meta={"line_freq": 50, "run": "1"})).meta["steps"][-1]["freqs"] == [50]


@pytest.mark.parametrize("meta", [{}, {"line_freq": None}, {"line_freq": "n/a"}, {"line_freq": 0}])
def test_an_unknown_mains_frequency_is_asked_for(meta: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"line_freq.*give freqs"):
        meeg.notch(sines(10, meta=meta))


@pytest.mark.parametrize("freqs", [100, [50, 130], [-5], []])
def test_notches_must_lie_below_half_of_sfreq(freqs: object) -> None:
    with pytest.raises(DataError, match="100 Hz"):
        meeg.notch(sines(10), freqs)


@pytest.mark.parametrize("new", [100.0, 128.0, 60.5, 400.0])
def test_resampling_keeps_signal_events_and_codes(new: float) -> None:
    events = pd.DataFrame({"onset": [1.234, 20.5], "trial_type": ["a", "b"]})
    recording = sines(10, events=events, t0=-3.0)
    other = meeg.resample(recording, new)
    assert (other.sfreq, other.n_times, other.t0) == (new, round(40 * new), -3.0)
    pd.testing.assert_frame_equal(other.events, recording.events)
    inner = slice(round(5 * new), round(35 * new))
    np.testing.assert_allclose(other.data[0, inner], np.sin(2 * np.pi * 10 * (other.times[inner] + 3)), atol=0.01)
    assert set(np.unique(other.data[-1])) <= set(range(7))
    nearest = np.minimum(np.floor(np.arange(other.n_times) / new * SFREQ + 0.5 + 1e-9).astype(int), recording.n_times - 1)
    np.testing.assert_array_equal(other.data[-1], recording.data[-1, nearest])


def test_resampling_removes_what_the_new_rate_cannot_hold() -> None:
    other = meeg.resample(sines(10, 70), 100)
    assert np.abs(other.data[1, 500:-500]).max() < 0.01


def test_resampling_refuses_nan_by_name_unless_the_channel_is_bad() -> None:
    recording = sines(10, 20)
    recording.data[1, 7] = np.nan
    with pytest.raises(DataError, match=r"'s20'.*crop"):
        meeg.resample(recording, 100)
    marked = recording.replace(channels=recording.channels.assign(bad=[False, True, False]))
    assert np.isfinite(meeg.resample(marked, 100).data[0]).all()


def test_the_spectrum_peaks_where_the_sine_is_and_integrates_to_its_variance() -> None:
    spectrum = meeg.psd(sines(10, 30))
    assert spectrum.names == ["s10", "s30"]
    assert spectrum.freqs[np.argmax(spectrum.power, axis=1)].tolist() == [10, 30]
    np.testing.assert_allclose(spectrum.power.sum(axis=1) * spectrum.freqs[1], 0.5, rtol=0.01)


def test_the_spectrum_looks_at_valid_stretches_only() -> None:
    recording = sines(10)
    recording.data[0, 4000:] = np.nan
    assert np.isnan(meeg.psd(recording).power).any()
    cut = recording.replace(valid=Intervals([0], [20]))
    assert meeg.psd(cut).freqs[np.argmax(meeg.psd(cut).power)] == 10


def test_the_window_of_the_spectrum_shortens_with_the_recording() -> None:
    assert meeg.psd(sines(10, seconds=1)).freqs[1] == 1.0
    assert meeg.psd(sines(10, seconds=10), window=4).freqs[1] == 0.25
