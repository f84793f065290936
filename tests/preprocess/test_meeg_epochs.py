"""Epochs: where they are cut, which are dropped, and that it is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Intervals, LazySignal, Recording
from neurodecode.errors import DataError
from neurodecode.preprocess import meeg


def ramp(onsets: list[float], *, sfreq: float = 100.0, t0: float = 0.0, n_times: int = 1000, **members: object) -> Recording:
    """Two EEG channels whose value is the number of the sample (and its double), and a stim channel."""
    number = np.arange(n_times, dtype=float)
    channels = pd.DataFrame({"name": ["A", "B", "STI"], "kind": ["eeg", "eeg", "stim"], "unit": ["V", "V", "n/a"]})
    events = pd.DataFrame({"onset": onsets, "duration": 0.1, "trial_type": [["x", "y"][i % 2] for i in range(len(onsets))]})
    events["rt"] = 0.5
    meta = {"subject": "01", "run": "2", "task": "faces", "modality": "eeg"}
    return Recording(
        np.vstack([number, 2 * number, number]), sfreq, channels, **{"events": events, "t0": t0, "meta": meta} | members
    )


def test_an_epoch_holds_the_samples_from_tmin_to_tmax_both_included() -> None:
    epochs = meeg.epochs(ramp([3.0]), -0.2, 0.8, None)
    assert epochs.data.shape == (1, 2, 101)
    np.testing.assert_array_equal(epochs.data[0, 0], np.arange(280, 381))
    np.testing.assert_allclose(epochs.times, np.arange(-20, 81) / 100)
    assert epochs.units["name"].tolist() == ["A", "B"]


@pytest.mark.parametrize(("onset", "sample"), [(3.004, 300), (3.005, 301), (3.0049999, 300), (2.996, 300), (1 / 3, 33)])
def test_an_event_stands_at_the_nearest_sample(onset: float, sample: int) -> None:
    epochs = meeg.epochs(ramp([onset]), 0, 0.1, None)
    assert epochs.data[0, 0, 0] == sample
    assert epochs.samples["onset"].tolist() == [onset]


def test_the_clock_of_the_recording_is_respected() -> None:
    assert meeg.epochs(ramp([3.0], t0=-2.0), 0, 0.1, None).data[0, 0, 0] == 500
    assert meeg.epochs(ramp([3.0], sfreq=99.41), 0, 0.1, None).data[0, 0, 0] == round(3 * 99.41)


def test_the_baseline_is_the_mean_of_its_window_with_both_ends() -> None:
    epochs = meeg.epochs(ramp([3.0, 5.0]), -0.2, 0.8)
    np.testing.assert_allclose(epochs.data[:, 0], np.tile(np.arange(-20, 81) + 10, (2, 1)), atol=1e-4)
    later = meeg.baseline(meeg.epochs(ramp([3.0, 5.0]), -0.2, 0.8, None), -0.2, 0.0)
    np.testing.assert_allclose(later.data, epochs.data, atol=1e-4)
    assert later.meta["steps"][-1] == {"step": "meeg.baseline", "tmin": -0.2, "tmax": 0.0}


def test_none_in_the_baseline_is_the_end_of_the_epoch() -> None:
    centred = meeg.epochs(ramp([3.0]), -0.2, 0.8, (None, None))
    np.testing.assert_allclose(centred.data.mean(axis=2), 0, atol=1e-4)


@pytest.mark.parametrize("window", [(-0.5, -0.3), (0.9, 1.0), (0.1, -0.1)])
def test_a_baseline_outside_of_the_epoch_is_refused(window: tuple[float, float]) -> None:
    with pytest.raises(DataError, match=r"baseline .* has no sample in the epoch"):
        meeg.epochs(ramp([3.0]), -0.2, 0.8, window)


def test_samples_carry_the_run_and_every_event_column() -> None:
    samples = meeg.epochs(ramp([3.0, 4.0])).samples
    assert samples.to_dict("records")[1] == {
        "subject": "01",
        "run": "2",
        "task": "faces",
        "onset": 4.0,
        "duration": 0.1,
        "trial_type": "y",
        "rt": 0.5,
    }


def test_the_recording_decides_the_run_when_an_event_column_has_that_name() -> None:
    recording = ramp([3.0])
    assert meeg.epochs(recording.replace(events=recording.events.assign(run="9"))).samples["run"].tolist() == ["2"]


def test_trial_types_are_kept_by_name() -> None:
    epochs = meeg.epochs(ramp([2.0, 3.0, 4.0]), trial_types="y")
    assert epochs.samples["onset"].tolist() == [3.0]
    with pytest.raises(DataError, match=r"no event has trial_type 'xx' \(there are 2 x, 1 y\): did you mean 'x'"):
        meeg.epochs(ramp([2.0, 3.0, 4.0]), trial_types=["xx"])


def test_every_reason_for_a_drop_is_counted() -> None:
    recording = ramp([0.1, 2.0, 3.0, 4.0, 5.0, 9.9], valid=Intervals([0.0, 2.8], [2.1, 10.0]))
    recording.data[0, 410] = np.nan
    recording.data[1, 510] = 1e6
    epochs = meeg.epochs(recording, -0.2, 0.8, None, reject_peak_to_peak=1e5, on_nan="drop")
    assert epochs.samples["onset"].tolist() == [3.0]
    drops = {
        "events": 6,
        "kept": 1,
        "outside the recording": 2,
        "outside the valid stretches": 1,
        "NaN": 1,
        "peak-to-peak": 1,
    }
    assert epochs.meta["drops"] == drops
    assert epochs.meta["steps"][-1]["drops"] == drops


@pytest.mark.parametrize(("onset", "kept"), [(0.2, 1), (0.19, 0), (9.19, 1), (9.2, 0)])
def test_a_window_may_touch_the_ends_of_the_recording(onset: float, kept: int) -> None:
    assert meeg.epochs(ramp([onset, 5.0])).n_samples == 1 + kept


@pytest.mark.parametrize(("onset", "kept"), [(3.2, 1), (3.19, 0), (5.19, 1), (5.2, 0)])
def test_a_window_may_touch_the_ends_of_a_valid_stretch(onset: float, kept: int) -> None:
    assert meeg.epochs(ramp([onset, 4.0], valid=Intervals([3.0], [6.0]))).n_samples == 1 + kept


def test_overlapping_windows_are_allowed() -> None:
    assert meeg.epochs(ramp([3.0, 3.1, 3.2])).n_samples == 3


def test_no_epoch_left_names_counts_and_reasons() -> None:
    with pytest.raises(DataError, match=r"no epoch is left of 2 events \(1 outside the recording, 1 peak-to-peak\)"):
        meeg.epochs(ramp([0.0, 5.0]), reject_peak_to_peak=1e-6)


def test_no_events_is_an_error() -> None:
    with pytest.raises(DataError, match=r"no events to cut epochs around \(0 rows\)"):
        meeg.epochs(ramp([]))


def test_nan_in_a_good_channel_names_it_and_the_remedy() -> None:
    recording = ramp([3.0, 5.0])
    recording.data[1, 510] = np.nan
    with pytest.raises(DataError, match=r"channel 'B' holds NaN .* in 1 of 2 epochs.*Mark the channel bad"):
        meeg.epochs(recording)


def test_nan_outside_of_the_windows_and_in_bad_channels_does_not_matter() -> None:
    recording = ramp([3.0, 5.0])
    recording.data[0, 50] = np.nan
    recording.data[1] = np.nan
    marked = recording.replace(channels=recording.channels.assign(bad=[False, True, False]))
    epochs = meeg.epochs(marked)
    assert epochs.units["name"].tolist() == ["A"]
    assert epochs.meta["steps"][-1]["bad_channels_left_out"] == ["B"]
    assert meeg.epochs(marked, drop_bad=False, on_nan="drop", picks=["A"]).units["name"].tolist() == ["A"]


def test_peak_to_peak_may_be_given_per_kind() -> None:
    recording = ramp([3.0, 5.0])
    recording = recording.replace(channels=recording.channels.assign(kind=["eeg", "eog", "stim"]))
    assert meeg.epochs(recording, picks=["eeg", "eog"], reject_peak_to_peak={"eeg": 101.0}).n_samples == 2
    with pytest.raises(DataError, match="no epoch is left"):
        meeg.epochs(recording, picks=["eeg", "eog"], reject_peak_to_peak={"eog": 101.0})
    with pytest.raises(DataError, match=r"kind in reject_peak_to_peak='mag'"):
        meeg.epochs(recording, reject_peak_to_peak={"mag": 1.0})


def test_a_span_equal_to_the_limit_is_kept() -> None:
    assert meeg.epochs(ramp([3.0]), reject_peak_to_peak=200.0).n_samples == 1
    with pytest.raises(DataError, match="no epoch is left"):
        meeg.epochs(ramp([3.0]), reject_peak_to_peak=199.9)


@pytest.mark.parametrize(("picks", "names"), [("eeg", ["A", "B"]), (["B"], ["B"]), (["stim", "A"], ["A", "STI"])])
def test_channels_are_picked_by_kind_or_name(picks: object, names: list[str]) -> None:
    assert meeg.epochs(ramp([3.0]), picks=picks).units["name"].tolist() == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tmin": 0.5, "tmax": 0.1}, "tmin must be below tmax, got 0.5 and 0.1"),
        ({"picks": "C"}, "no channel has the name or kind 'C'"),
        ({"on_nan": "keep"}, "on_nan='keep' is unknown"),
        ({"reject_peak_to_peak": -1}, "must be a finite number above 0, got -1"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        meeg.epochs(ramp([3.0]), **options)


def test_a_lazy_signal_is_read_window_by_window() -> None:
    recording = ramp([3.0, 8.0])
    reads = []

    def read(start: int, stop: int) -> np.ndarray:
        reads.append((start, stop))
        return recording.data[:, start:stop]

    lazy = recording.replace(data=LazySignal(read, recording.data.shape))
    np.testing.assert_array_equal(meeg.epochs(lazy).data, meeg.epochs(recording).data)
    assert reads == [(280, 381), (780, 881)]


def test_a_baseline_needs_a_time_axis() -> None:
    responses = meeg.epochs(ramp([3.0]))
    flat = responses.replace(data=responses.data.mean(axis=2), times=None)
    with pytest.raises(DataError, match=r"time axis, got data of shape \(1, 2\)"):
        meeg.baseline(flat)
