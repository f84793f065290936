"""What every preprocessing function of M/EEG and iEEG promises: the input stays, one step is written down, lazy signals do."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Intervals, LazySignal, Recording, Responses, load, save
from neurodecode.errors import DataError
from neurodecode.preprocess import ieeg, meeg

Step = Callable[[Recording], Any]


def scalp() -> Recording:
    """Forty seconds of six EEG channels, an EOG and a stim channel at an odd rate, off zero, with events."""
    rng = np.random.default_rng(3)
    names = ["F3", "F4", "C3", "C4", "P3", "P4", "EOG", "STI"]
    n = 8007
    data = 1e-5 * rng.standard_normal((8, n)) + 1e-5 * rng.standard_normal(n)
    data[6] += np.resize(np.r_[np.zeros(500), 3e-4 * np.hanning(100)], n)
    data[:6] += 0.5 * data[6]
    data[7] = np.arange(n) // 500
    place = 0.09 * rng.standard_normal((8, 3))
    place /= 10 * np.linalg.norm(place, axis=1, keepdims=True)
    channels = pd.DataFrame({"name": names, "kind": ["eeg"] * 6 + ["eog", "stim"], "unit": ["V"] * 7 + ["n/a"]})
    channels = channels.assign(x=place[:, 0], y=place[:, 1], z=np.abs(place[:, 2]))
    events = pd.DataFrame({"onset": 12 + np.arange(30.0), "trial_type": ["x", "y", "x"] * 10, "rt": 0.3})
    meta = {"subject": "01", "run": "1", "line_freq": 50.0, "steps": [{"step": "read"}]}
    return Recording(data, 200.19, channels, events, t0=10.25, meta=meta)


def depth() -> Recording:
    """The same with contacts of two shafts in place of the EEG channels."""
    recording = scalp()
    names = ["A1", "A2", "A3", "A'1", "A'2", "A'4", "EKG", "STI"]
    return recording.replace(channels=recording.channels.assign(name=names, kind=["seeg"] * 6 + ["ecg", "stim"]))


SCALP: dict[str, Step] = {
    "meeg.filter": lambda r: meeg.filter(r, 1, 40),
    "meeg.notch": meeg.notch,
    "meeg.resample": lambda r: meeg.resample(r, 100),
    "meeg.reference": meeg.reference,
    "meeg.find_bad_channels": meeg.find_bad_channels,
    "meeg.drop_bads": meeg.drop_bads,
    "meeg.interpolate_bads": meeg.interpolate_bads,
    "meeg.apply_ica": lambda r: meeg.apply_ica(r, meeg.fit_ica(scalp(), 3), [0]),
    "meeg.apply_ssp": lambda r: meeg.apply_ssp(r, meeg.fit_ssp(scalp(), "eog")),
    "meeg.regress_out": lambda r: meeg.regress_out(r, train=scalp()),
    "meeg.whiten": lambda r: meeg.whiten(r, meeg.noise_covariance(scalp())),
    "meeg.robust_scale": lambda r: meeg.robust_scale(r, meeg.fit_robust_scale(scalp())),
    "meeg.epochs": meeg.epochs,
}
DEPTH: dict[str, Step] = {
    "ieeg.bipolar": ieeg.bipolar,
    "ieeg.laplacian": ieeg.laplacian,
    "ieeg.common_average": ieeg.common_average,
    "ieeg.high_gamma": lambda r: ieeg.high_gamma(r, (60, 95), 3),
    "ieeg.band_power": lambda r: ieeg.band_power(r, 8, 30),
    "ieeg.mark_spikes": ieeg.mark_spikes,
    "ieeg.mark_flat": ieeg.mark_flat,
    "meeg.notch": ieeg.remove_line_noise,
}
ALL = [pytest.param(scalp, name, f, id=name) for name, f in SCALP.items()]
ALL += [pytest.param(depth, name, f, id=f"{name} (depth)") for name, f in DEPTH.items()]
NEEDS_FINITE = [p for p in ALL if p.values[1] not in ("meeg.find_bad_channels", "meeg.drop_bads", "meeg.interpolate_bads")]
NEEDS_FINITE = [p for p in NEEDS_FINITE if p.values[1] != "ieeg.mark_flat"]


def snapshot(recording: Recording) -> tuple[Any, ...]:
    return np.array(recording.data), recording.channels.copy(), recording.events.copy(), json.dumps(recording.meta)


@pytest.mark.parametrize(("make", "name", "function"), ALL)
def test_the_input_is_untouched(make: Callable[[], Recording], name: str, function: Step) -> None:
    recording = make()
    before = snapshot(recording)
    function(recording)
    np.testing.assert_array_equal(recording.data, before[0])
    pd.testing.assert_frame_equal(recording.channels, before[1])
    pd.testing.assert_frame_equal(recording.events, before[2])
    assert json.dumps(recording.meta) == before[3]


@pytest.mark.parametrize(("make", "name", "function"), ALL)
def test_one_step_is_added_and_all_of_it_is_json(make: Callable[[], Recording], name: str, function: Step) -> None:
    result = function(make())
    assert [step["step"] for step in result.meta["steps"]] == ["read", name]
    assert json.loads(json.dumps(result.meta, allow_nan=False)) == result.meta
    assert {key: result.meta[key] for key in ("subject", "run", "line_freq")} == {"subject": "01", "run": "1", "line_freq": 50.0}


@pytest.mark.parametrize(("make", "name", "function"), ALL)
def test_the_clock_and_the_events_stay(make: Callable[[], Recording], name: str, function: Step) -> None:
    recording = make()
    result = function(recording)
    assert result.data.dtype == np.float32
    assert np.isfinite(result.data).all()
    if isinstance(result, Responses):
        assert result.samples["onset"].isin(recording.events["onset"]).all()
        return
    assert result.t0 == recording.t0
    assert result.valid == recording.valid
    old = result.events[result.events["trial_type"] != "interictal spike"]
    pd.testing.assert_frame_equal(old[recording.events.columns].reset_index(drop=True), recording.events, check_dtype=False)
    if name != "meeg.resample":
        assert (result.sfreq, result.n_times) == (recording.sfreq, recording.n_times)


@pytest.mark.parametrize(("make", "name", "function"), ALL)
def test_a_signal_that_is_not_in_memory_gives_the_same(
    make: Callable[[], Recording], name: str, function: Step, tmp_path: Path
) -> None:
    recording = make()
    expected = function(recording).data
    lazy = recording.replace(data=LazySignal(lambda a, b: recording.data[:, a:b], recording.data.shape))
    np.testing.assert_array_equal(function(lazy).data, expected)
    save(recording, tmp_path / "recording")
    mapped = load(tmp_path / "recording")
    assert isinstance(mapped.data, np.memmap)
    np.testing.assert_array_equal(function(mapped).data, expected)


@pytest.mark.parametrize(("make", "name", "function"), ALL)
def test_the_same_call_gives_the_same_numbers(make: Callable[[], Recording], name: str, function: Step) -> None:
    first, second = function(make()), function(make())
    np.testing.assert_array_equal(first.data, second.data)
    assert first.meta == second.meta


@pytest.mark.parametrize(("make", "name", "function"), NEEDS_FINITE)
def test_a_nan_channel_is_named_with_the_remedy(make: Callable[[], Recording], name: str, function: Step) -> None:
    recording = make()
    recording.data[1] = np.nan
    with pytest.raises(DataError, match=f"{recording.names[1]!r} holds NaN or infinite values.*Mark the channel bad"):
        function(recording)


@pytest.mark.parametrize(("make", "name", "function"), NEEDS_FINITE)
def test_what_is_missing_outside_of_valid_does_not_stop_it(make: Callable[[], Recording], name: str, function: Step) -> None:
    if name == "meeg.resample":
        pytest.skip("resampling goes over the gaps and says so")
    recording = make()
    recording.data[:7, 4000:4100] = np.nan
    times = recording.times
    recording = recording.replace(valid=Intervals([times[0], times[4100]], [times[4000], times[-1] + 1]))
    result = function(recording)
    if isinstance(result, Responses):
        assert 0 < result.n_samples < len(recording.events)
        assert np.isfinite(result.data).all()
    else:
        valid = np.r_[0:4000, 4100 : recording.n_times]
        assert np.isfinite(result.data[:, valid]).all()


@pytest.mark.parametrize("module", [meeg, ieeg])
def test_every_public_function_is_listed_and_annotated(module: Any) -> None:
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isfunction(value):
            hints = inspect.signature(value)
            assert hints.return_annotation is not inspect.Signature.empty, name
            assert all(p.annotation is not inspect.Parameter.empty for p in hints.parameters.values()), name


@pytest.mark.parametrize(
    "fit", [partial(meeg.fit_ica, n_components=3), meeg.fit_ssp, meeg.noise_covariance, meeg.fit_robust_scale]
)
def test_what_is_fitted_takes_training_data_first_and_several_runs(fit: Callable[..., Any]) -> None:
    assert next(iter(inspect.signature(fit).parameters)) == "train"
    one, two = fit(scalp()), fit([scalp(), scalp()])
    assert one.names == two.names == ["F3", "F4", "C3", "C4", "P3", "P4"]
