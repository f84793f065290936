"""Planted blinks and beats are taken out, and only with what was fitted on the training part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Intervals, Recording
from neurodecode.errors import DataError
from neurodecode.preprocess import meeg

SFREQ = 100.0
HEAD = np.random.default_rng(99).standard_normal((6, 6))  # how sources reach the channels
WEIGHTS = np.array([1.0, 0.8, 0.5, 0.4, 0.2, 0.1])


def blinks(seed: int, seconds: float = 60.0) -> tuple[Recording, np.ndarray]:
    """Six EEG channels with brain activity and blinks, one EOG channel; and the brain activity alone."""
    rng = np.random.default_rng(seed)
    n = round(seconds * SFREQ)
    brain = 1e-5 * (HEAD @ rng.laplace(size=(6, n)) / 3)
    blink = np.zeros(n)
    for start in rng.choice(np.arange(100, n - 150, 180), size=n // 300, replace=False):
        blink[start : start + 40] += 2e-4 * np.hanning(40)
    eog = blink + 2e-6 * rng.standard_normal(n)
    channels = pd.DataFrame({"name": [f"E{i}" for i in range(6)] + ["VEOG"], "kind": ["eeg"] * 6 + ["eog"], "unit": "V"})
    return Recording(np.vstack([brain + WEIGHTS[:, None] * blink, eog]), SFREQ, channels), brain


def error(recording: Recording, brain: np.ndarray) -> float:
    """What is left of the artifact, relative to the brain activity; constant offsets do not count."""
    rest = np.asarray(recording.data)[:6] - brain
    return float((rest - rest.mean(axis=1, keepdims=True)).std() / brain.std())


def test_regression_removes_blinks_of_a_run_it_has_not_seen() -> None:
    train, _ = blinks(0)
    test, brain = blinks(1)
    cleaned = meeg.regress_out(test, train=train)
    assert error(test, brain) > 1
    assert error(cleaned, brain) < 0.15
    np.testing.assert_array_equal(cleaned.data[6], test.data[6])
    assert cleaned.meta["steps"][-1]["artifact_channels"] == ["VEOG"]


def test_regression_weights_come_from_the_training_part_alone() -> None:
    train, _ = blinks(0)
    test, _ = blinks(1)
    louder = test.replace(data=np.vstack([test.data[:6] + 5 * test.data[6], test.data[6:]]))
    difference = meeg.regress_out(louder, train=train).data[:6] - meeg.regress_out(test, train=train).data[:6]
    np.testing.assert_allclose(difference, np.tile(5 * test.data[6], (6, 1)), atol=1e-9)


def test_a_channel_can_stand_in_for_an_eog_channel() -> None:
    train, _ = blinks(0)
    cleaned = meeg.regress_out(train, "E0", train=train)
    assert cleaned.meta["steps"][-1]["artifact_channels"] == ["E0"]
    np.testing.assert_array_equal(cleaned.data[0], train.data[0])
    assert abs(np.corrcoef(cleaned.data[1], train.data[0])[0, 1]) < 1e-3


def test_regression_without_an_artifact_channel_says_so() -> None:
    recording, _ = blinks(0)
    with pytest.raises(DataError, match=r"regress_out: no channel has the name or kind 'eog'"):
        meeg.regress_out(recording.pick(kind="eeg"), train=recording.pick(kind="eeg"))


def test_a_flat_artifact_channel_changes_nothing() -> None:
    recording, _ = blinks(0)
    recording.data[6] = 1e-5
    np.testing.assert_allclose(meeg.regress_out(recording, train=recording).data, recording.data, atol=1e-11)


def test_ica_finds_the_blinks_and_takes_them_out_of_another_run() -> None:
    train, _ = blinks(0)
    test, brain = blinks(1)
    ica = meeg.fit_ica(train, random_state=3)
    scores = meeg.score_components(train, ica)
    assert abs(scores["correlation"].iloc[0]) > 0.9
    assert abs(scores["correlation"].iloc[1]) < 0.3
    cleaned = meeg.apply_ica(test, ica, [int(scores["component"].iloc[0])])
    assert error(cleaned, brain) < 0.25
    assert abs(np.corrcoef(ica.mixing[:, scores["component"].iloc[0]], WEIGHTS)[0, 1]) > 0.98


def test_ica_is_the_same_for_the_same_seed_and_takes_several_runs() -> None:
    runs = [blinks(0, 20)[0], blinks(1, 20)[0]]
    first, second = (meeg.fit_ica(runs, random_state=5) for _ in range(2))
    np.testing.assert_array_equal(first.mixing, second.mixing)
    both = np.concatenate([r.data[:6] for r in runs], axis=1)
    np.testing.assert_allclose(first.mean, both.mean(axis=1), atol=1e-10)


def test_excluding_nothing_changes_nothing_and_all_leaves_the_mean() -> None:
    recording, _ = blinks(0, 20)
    ica = meeg.fit_ica(recording)
    assert ica.n_components == 6
    np.testing.assert_array_equal(meeg.apply_ica(recording, ica, []).data, recording.data)
    emptied = meeg.apply_ica(recording, ica, range(6)).data[:6]
    np.testing.assert_allclose(emptied, np.tile(ica.mean[:, None], emptied.shape[1]), atol=1e-9)


def test_sources_are_standardised_and_mix_back_to_the_signal() -> None:
    recording, _ = blinks(0, 20)
    ica = meeg.fit_ica(recording)
    sources = meeg.ica_sources(recording, ica)
    np.testing.assert_allclose(sources.std(axis=1), 1, rtol=0.02)
    np.testing.assert_allclose(ica.mixing @ sources + ica.mean[:, None], recording.data[:6], atol=1e-9)


def test_fewer_components_leave_the_rest_in() -> None:
    recording, _ = blinks(0, 20)
    ica = meeg.fit_ica(recording, 3)
    assert ica.mixing.shape == (6, 3)
    assert np.abs(meeg.apply_ica(recording, ica, range(3)).data[:6]).std() > 1e-7


@pytest.mark.parametrize("exclude", [[6], [-1], [0, 99]])
def test_components_that_do_not_exist_are_refused(exclude: list[int]) -> None:
    recording, _ = blinks(0, 20)
    with pytest.raises(DataError, match="numbers from 0 to 5"):
        meeg.apply_ica(recording, meeg.fit_ica(recording), exclude)


def test_a_missing_or_broken_channel_is_named() -> None:
    recording, _ = blinks(0, 20)
    ica = meeg.fit_ica(recording)
    with pytest.raises(DataError, match=r"fitted on channel 'E1', which the recording lacks \(1 of 6 do\)"):
        meeg.apply_ica(recording.pick(["E0", "E2", "E3", "E4", "E5"]), ica, [0])
    recording.data[2, 50] = np.nan
    with pytest.raises(DataError, match="'E2' holds NaN"):
        meeg.apply_ica(recording, ica, [0])
    with pytest.raises(DataError, match="'E2' holds NaN"):
        meeg.fit_ica(recording)


def test_fitting_leaves_out_bad_channels_and_invalid_stretches() -> None:
    recording, _ = blinks(0, 20)
    recording.data[2] = np.nan
    recording.data[0, 1500:] = np.nan
    recording = recording.replace(channels=recording.channels.assign(bad=[False, False, True] + [False] * 4))
    ica = meeg.fit_ica(recording.replace(valid=Intervals([0], [15])))
    assert ica.names == ["E0", "E1", "E3", "E4", "E5"]


def test_training_runs_must_agree() -> None:
    recording, _ = blinks(0, 20)
    with pytest.raises(DataError, match="recording 1 has 6 channels at 100 Hz, recording 0 has 7"):
        meeg.fit_ica([recording, recording.pick(kind="eeg")])
    with pytest.raises(DataError, match="at least one training recording, got none"):
        meeg.fit_ica([])


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(DataError, match="method='pca' is unknown"):
        meeg.fit_ica(blinks(0, 20)[0], method="pca")


def test_ssp_projects_the_blink_topography_out() -> None:
    train, _ = blinks(0)
    test, _ = blinks(1)
    projection = meeg.fit_ssp(train, "eog")
    np.testing.assert_allclose(projection.vectors @ projection.vectors.T, np.eye(1), atol=1e-10)
    assert abs(projection.vectors[0] @ WEIGHTS) / np.linalg.norm(WEIGHTS) > 0.97
    assert projection.n_events > 10
    cleaned = meeg.apply_ssp(test, projection)
    np.testing.assert_allclose(projection.vectors @ cleaned.data[:6], 0, atol=1e-10)
    before, after = (abs(np.corrcoef(r.data[0], test.data[6])[0, 1]) for r in (test, cleaned))
    assert before > 0.9
    assert after < 0.3
    assert cleaned.meta["steps"][-1] == {
        "step": "meeg.apply_ssp",
        "artifact": "eog",
        "n_vectors": 1,
        "n_events": projection.n_events,
    }


def test_ssp_needs_an_artifact_channel() -> None:
    recording, _ = blinks(0, 20)
    with pytest.raises(DataError, match=r"fit_ssp needs good channels of kind ecg"):
        meeg.fit_ssp(recording, "ecg")
    with pytest.raises(DataError, match="artifact='emg' is unknown"):
        meeg.fit_ssp(recording, "emg")


def test_the_maxwell_filter_needs_coils() -> None:
    recording, _ = blinks(0, 5)
    with pytest.raises(DataError, match="maxwell_filter needs good channels of kind mag, grad"):
        meeg.maxwell_filter(recording)
    magnetometers = recording.replace(channels=recording.channels.assign(kind="mag", unit="T"))
    with pytest.raises(DataError, match=r"coils of the 7 channels in meta\['mne_info'\]"):
        meeg.maxwell_filter(magnetometers)
