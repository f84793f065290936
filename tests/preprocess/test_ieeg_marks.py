"""Planted interictal spikes are found, background is left alone, and flat contacts are marked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Intervals, Recording
from neurodecode.errors import DataError
from neurodecode.preprocess import ieeg
from neurodecode.preprocess.ieeg_marks import background

SFREQ = 250.0


def planted(seed: int, n_spikes: int = 20, seconds: float = 60.0) -> tuple[Recording, np.ndarray]:
    """Three contacts of pink noise; spikes with a slow wave on the first one, and their times in s."""
    rng = np.random.default_rng(seed)
    n = round(seconds * SFREQ)
    spectrum = np.fft.rfft(rng.standard_normal((3, n))) / np.maximum(np.fft.rfftfreq(n, 1 / SFREQ), 1)
    noise = np.fft.irfft(spectrum, n)
    data = 3e-5 * noise / noise.std(axis=1, keepdims=True)
    starts = 1 + np.sort(rng.choice(np.arange(int(seconds) - 2), n_spikes, replace=False)) + rng.uniform(0, 0.4, n_spikes)
    age = np.arange(-30, 75) / SFREQ
    shape = np.exp(-0.5 * (age / 0.010) ** 2) - 0.4 * np.exp(-0.5 * ((age - 0.1) / 0.04) ** 2)
    for start in starts:
        at = round(start * SFREQ)
        data[0, at - 30 : at + 75] += 2e-4 * shape
    channels = pd.DataFrame({"name": ["A1", "A2", "A3"], "kind": "seeg", "unit": "V"})
    events = pd.DataFrame({"onset": [30.0], "trial_type": ["word"]})
    return Recording(data, SFREQ, channels, events, meta={"line_freq": 50.0}), starts


def found(recording: Recording) -> pd.DataFrame:
    return recording.events[recording.events["trial_type"] == "interictal spike"]


@pytest.mark.parametrize("seed", range(4))
def test_planted_spikes_are_found_and_hardly_anything_else(seed: int) -> None:
    recording, starts = planted(seed)
    spikes = found(ieeg.mark_spikes(recording))
    on_first = spikes.loc[spikes["channel"] == "A1", "onset"].to_numpy()
    nearest = np.abs(on_first[:, None] - starts).min(axis=1)
    hits = np.abs(on_first[:, None] - starts).min(axis=0) < 0.03
    assert hits.mean() >= 0.95
    assert (nearest > 0.05).sum() <= 1, "false alarms on the contact with spikes, in a minute"
    assert (spikes["channel"] != "A1").sum() <= 2, "false alarms on two contacts without spikes, in a minute"


def test_other_events_and_the_signal_stay() -> None:
    recording, _ = planted(0)
    marked = ieeg.mark_spikes(recording)
    np.testing.assert_array_equal(marked.data, recording.data)
    assert (marked.events["trial_type"] == "word").sum() == 1
    assert marked.meta["steps"][-1]["n_spikes"] == len(found(marked))
    assert found(marked)["duration"].between(0.004, 0.3).all()


def test_a_higher_threshold_marks_fewer() -> None:
    recording, _ = planted(1)
    assert len(found(ieeg.mark_spikes(recording, threshold=30))) < len(found(ieeg.mark_spikes(recording, threshold=3)))


def test_a_discharge_with_two_peaks_is_one_spike() -> None:
    recording, starts = planted(2, n_spikes=5)
    shifted = np.roll(recording.data[0], round(0.08 * SFREQ))
    both = recording.replace(data=np.vstack([recording.data[0] + shifted, recording.data[1:]]))
    assert (found(ieeg.mark_spikes(both))["channel"] == "A1").sum() == len(starts)


def test_line_noise_does_not_hide_or_make_spikes() -> None:
    recording, starts = planted(3)
    noisy = recording.replace(data=recording.data + 3e-4 * np.sin(2 * np.pi * 50 * recording.times))
    spikes = found(ieeg.mark_spikes(noisy))
    assert abs((spikes["channel"] == "A1").sum() - len(starts)) <= 2


def test_spikes_outside_of_valid_are_not_marked() -> None:
    recording, _ = planted(0)
    recording.data[:, round(30 * SFREQ) :] = np.nan
    spikes = found(ieeg.mark_spikes(recording.replace(valid=Intervals([0], [30]))))
    assert len(spikes) > 3
    assert spikes["onset"].max() < 30


def test_bad_contacts_are_not_looked_at() -> None:
    recording, _ = planted(0)
    marked = recording.replace(channels=recording.channels.assign(bad=[True, False, False]))
    assert "A1" not in set(found(ieeg.mark_spikes(marked)).get("channel", []))


def test_a_recording_without_spikes_keeps_its_events() -> None:
    recording, _ = planted(0, n_spikes=0)
    marked = ieeg.mark_spikes(recording, threshold=50)
    pd.testing.assert_frame_equal(marked.events, recording.events)


def test_the_background_is_that_of_a_log_normal(rng: np.random.Generator) -> None:
    envelope = np.exp(rng.normal(2.0, 0.5, 50_000))
    expected = 3 * (np.exp(2.0 - 0.25) + np.exp(2.0))
    np.testing.assert_allclose(background(envelope, 5000, 3.0), expected, rtol=0.1)
    np.testing.assert_allclose(background(envelope[:100], 5000, 3.0), expected, rtol=0.4)


@pytest.mark.parametrize("threshold", [0, -1, np.nan])
def test_the_threshold_must_be_positive(threshold: float) -> None:
    with pytest.raises(DataError, match="threshold must be a finite number above 0"):
        ieeg.mark_spikes(planted(0)[0], threshold=threshold)


@pytest.mark.parametrize(("share", "is_bad"), [(0.4, False), (0.6, True), (1.0, True)])
def test_flat_contacts_are_marked(share: float, is_bad: bool) -> None:
    recording, _ = planted(0)
    recording.data[1, : round(share * recording.n_times)] = 5e-6
    marked = ieeg.mark_flat(recording)
    assert marked.channels["bad"].tolist() == [False, is_bad, False]
    assert ("A2" in marked.meta["steps"][-1]["marked_bad"]) == is_bad


def test_what_was_bad_stays_bad() -> None:
    recording, _ = planted(0)
    before = recording.replace(channels=recording.channels.assign(bad=[False, False, True]))
    assert ieeg.mark_flat(before).channels["bad"].tolist() == [False, False, True]
