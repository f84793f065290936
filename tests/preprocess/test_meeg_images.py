"""Windows around images by the published settings, and noise whitened by session without a look at the test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from neurodecode.data import Recording, Responses
from neurodecode.errors import DataError
from neurodecode.preprocess import meeg
from neurodecode.preprocess.meeg_images import image_signal


def recording(sfreq: float = 240.0, seed: int = 0) -> Recording:
    rng = np.random.default_rng(seed)
    n = int(80 * sfreq)
    line = np.sin(2 * np.pi * 50 * np.arange(n) / sfreq)
    data = 1e-13 * (rng.standard_normal((4, n)) + 5 * line + np.linspace(0, 30, n))
    table = pd.DataFrame({"name": list("abcd"), "kind": "mag", "unit": "T"})
    onset = np.arange(2.0, 76.0, 1.5)
    split = np.array(["train", "train", "train", "test", "excluded"])[np.arange(len(onset)) % 5]
    events = pd.DataFrame({"onset": onset, "stimulus": [f"i{k}" for k in range(len(onset))], "split": split})
    return Recording(data, sfreq, table, events, meta={"subject": "1", "line_freq": 50.0, "modality": "meg"})


def test_windows_of_the_paper() -> None:
    found = meeg.image_windows([recording()])
    assert found.data.shape[1:] == (4, 181)
    assert_allclose(found.times[[0, -1]], [-0.5, 1.0])
    assert set(found.samples["split"]) == {"train", "test"}
    by_hand = meeg.scaled_windows(
        [meeg.resample(recording(), 120.0)], [recording().events.query("split != 'excluded'")], tmin=-0.5, tmax=1.0
    )
    assert_array_equal(np.asarray(found.data), np.asarray(by_hand.data))


def test_windows_of_the_benchmark() -> None:
    found = meeg.image_windows([recording(480.0)], preset="benchmark")
    assert found.data.shape[1:] == (4, 121)
    assert_allclose(found.times[[0, -1]], [-0.2, 0.8])
    data = np.asarray(found.data)
    assert_allclose(data[:, :, :25].mean(axis=2), 0, atol=1e-4)
    spectrum = np.abs(np.fft.rfft(data, axis=2)).mean(axis=(0, 1))
    line = spectrum[np.argmin(np.abs(np.fft.rfftfreq(121, 1 / 120) - 50))]
    paper = np.asarray(meeg.image_windows([recording(480.0)]).data)[:, :, 36:157]
    assert line < 0.3 * np.abs(np.fft.rfft(paper, axis=2)).mean(axis=(0, 1))[50], "the mains frequency is out"


def test_recordings_are_prepared_once_and_cut_later() -> None:
    settings = meeg.IMAGE_PRESETS["benchmark"]
    kept = image_signal(recording(480.0), settings)
    later = meeg.image_windows([kept], preset=replace(settings, band=None, line=False))
    at_once = meeg.image_windows([recording(480.0)], preset="benchmark")
    assert_array_equal(np.asarray(later.data), np.asarray(at_once.data))


def test_settings_of_your_own_and_refusals() -> None:
    short = meeg.ImageWindows(-0.1, 0.5, (None, 0.0), sfreq=60.0)
    assert meeg.image_windows([recording()], preset=short).data.shape[2] == 37
    with pytest.raises(DataError, match="preset='papers' is unknown: did you mean 'paper'"):
        meeg.image_windows([recording()], preset="papers")
    with pytest.raises(DataError, match=r"from data.stimulus_splits\) has no column 'split'"):
        meeg.image_windows([recording()], [recording().events.drop(columns="split")])


def sessions(seed: int = 0, n_images: int = 12) -> Responses:
    """Two sessions with noise of other shapes; images twice each in training, four times in the test."""
    rng = np.random.default_rng(seed)
    rows = []
    for session in ("1", "2"):
        rows += [(session, f"t{session}{i}", "train") for i in range(n_images) for _ in range(10)]
        rows += [(session, f"u{i}", "test") for i in range(3) for _ in range(4)]
    table = pd.DataFrame(rows, columns=["session", "stimulus", "split"]).assign(subject="1").sample(frac=1, random_state=1)
    mixing = {"1": np.array([[1, 0, 0], [0.7, 1, 0], [0, 0, 5.0]]), "2": np.array([[2, 0, 0], [0, 4, 1], [0, 1, 1.0]])}
    noise = rng.standard_normal((len(table), 3, 20))
    data = np.stack([mixing[s] @ x for s, x in zip(table["session"], noise, strict=True)])
    return Responses(data, table.reset_index(drop=True), pd.DataFrame({"name": list("abc")}), np.arange(20) / 100)


def test_noise_is_white_in_each_session() -> None:
    found = meeg.whiten_sessions(sessions())
    assert found.samples.equals(sessions().samples)
    for session in ("1", "2"):
        data = np.asarray(found.select(session=session, split="test").data)
        covariance = np.cov(np.moveaxis(data, 1, 0).reshape(3, -1))
        assert_allclose(covariance, np.eye(3), atol=0.25)
    assert found.meta["steps"][-1] == {"step": "meeg.whiten_sessions", "by": "stimulus", "fit_on": "train", "sessions": 2}


def test_repeats_are_averaged_afterwards() -> None:
    mean = meeg.whiten_sessions(sessions()).select(tmin=0.0, tmax=0.1).average(["subject", "stimulus"])
    assert mean.data.shape == (2 * 12 + 3, 3, 10)
    assert mean.samples.groupby("split")["n_averaged"].agg(set).to_dict() == {"train": {10}, "test": {8}}


def test_the_test_is_never_looked_at() -> None:
    held = sessions()
    data = np.array(held.data)
    data[(held.samples["split"] == "test").to_numpy()] *= 100
    train = (held.samples["split"] == "train").to_numpy()
    before, after = meeg.whiten_sessions(held), meeg.whiten_sessions(held.replace(data=data))
    assert_array_equal(before.data[train], after.data[train])
    assert_allclose(after.data[~train], 100 * before.data[~train], rtol=1e-4)


def test_a_session_without_training_is_refused() -> None:
    held = sessions()
    table = held.samples.assign(split=held.samples["split"].where(held.samples["session"] == "1", "test"))
    with pytest.raises(DataError, match=r"'session': '2'.* none of split 'train'"):
        meeg.whiten_sessions(held.replace(samples=table))
    alone = held.replace(samples=held.samples.drop(columns=["session", "subject"]))
    assert meeg.whiten_sessions(alone).meta["steps"][-1]["sessions"] == 1
