"""Simulated M/EEG holds what was asked for."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from neurodecode.errors import DataError
from neurodecode.simulate.meeg import SimulatedMEEG, expected_responses, oracle_scores, simulate_images, simulate_speech

SPEECH: dict[str, Any] = {"n_subjects": 2, "n_sensors": 10, "n_train": 40, "n_validation": 10, "n_test": 20, "lead_field": "disc"}
IMAGES: dict[str, Any] = {"n_subjects": 2, "n_sensors": 10, "n_train": 20, "n_validation": 5, "n_test": 30, "lead_field": "disc"}


@pytest.fixture(scope="module")
def speech() -> SimulatedMEEG:
    return simulate_speech(**SPEECH)


@pytest.fixture(scope="module")
def images() -> SimulatedMEEG:
    return simulate_images(**IMAGES)


def test_shapes_and_columns_of_speech(speech: SimulatedMEEG) -> None:
    responses, targets, _ = speech
    assert responses.data.shape == (2 * 70, 10, 60)
    assert targets.data.shape == (70, 8, 60)
    assert responses.data.dtype == targets.data.dtype == np.float32
    wanted = {"stimulus", "subject", "session", "run", "repeat", "onset", "block", "word", "split", "trial"}
    assert wanted == set(responses.samples.columns)
    assert {"name", "kind", "x", "y", "z", "layout_x", "layout_y"} == set(responses.units.columns)
    np.testing.assert_allclose(responses.times, np.arange(60) / 20)
    assert responses.select(split="test", subject="02").n_samples == 20


def test_shapes_and_columns_of_images(images: SimulatedMEEG) -> None:
    responses, targets, _ = images
    assert responses.data.shape == (2 * (20 * 4 + 5 * 4 + 30), 10, 24)
    np.testing.assert_allclose(np.linalg.norm(targets.data, axis=1), 1, rtol=1e-5)
    assert np.linalg.matrix_rank(targets.data, tol=1e-3) == 8
    assert responses.times[0] == pytest.approx(-0.1)
    sets = {split: set(part["concept"]) for split, part in responses.samples.groupby("split")}
    assert {split: len(names) for split, names in sets.items()} == {"train": 20, "validation": 5, "test": 30}
    assert not sets["train"] & sets["test"] | sets["train"] & sets["validation"] | sets["validation"] & sets["test"]


def test_same_seed_same_data(speech: SimulatedMEEG) -> None:
    again, other = simulate_speech(**SPEECH), simulate_speech(**SPEECH, random_state=1)
    np.testing.assert_array_equal(again.responses.data, speech.responses.data)
    assert again.responses.samples.equals(speech.responses.samples)
    assert np.abs(other.responses.data - speech.responses.data).max() > 0.1


def test_more_subjects_change_nobody(speech: SimulatedMEEG) -> None:
    alone = simulate_speech(**{**SPEECH, "n_subjects": 1})
    np.testing.assert_allclose(alone.responses.data, speech.responses.select(subject="01").data, atol=1e-5)


def test_blocks_are_shown_as_a_whole_and_lie_in_one_split() -> None:
    table = simulate_speech(**SPEECH, n_repeats=3, n_sessions=2, block_size=4).responses.samples
    assert table.groupby("block")["split"].nunique().max() == 1
    shown = (table["block"] != table["block"].shift()).cumsum()
    length = table.groupby(["subject", "session", "block"])["trial"].count() / table.groupby("block")["stimulus"].nunique()
    assert set(length) == {1, 3}
    gaps = table.groupby([shown, "subject", "session", "run", "repeat"])["onset"].diff().dropna()
    np.testing.assert_allclose(gaps, 3.5)
    assert (table.groupby(["subject", "session", "run"])["onset"].min() == 0).all()
    assert table.groupby(["subject", "stimulus"])["repeat"].apply(lambda r: sorted(r) == list(range(1, len(r) + 1))).all()
    orders = [list(part["stimulus"]) for _, part in table.groupby(["subject", "session"])]
    assert all(a != b for i, a in enumerate(orders) for b in orders[:i])


def test_speech_changes_slowly(speech: SimulatedMEEG) -> None:
    power = (np.abs(np.fft.rfft(speech.targets.data)) ** 2).mean(axis=(0, 1))
    gain = 1 / (1 + (np.fft.rfftfreq(60, 1 / 20) / 4) ** 2)
    np.testing.assert_allclose(power / power[1:].mean(), gain**2 / (gain[1:] ** 2).mean(), rtol=0.25)
    assert speech.targets.data.var() == pytest.approx(1, rel=0.05)


def test_images_of_a_concept_are_alike(images: SimulatedMEEG) -> None:
    train = images.targets.select(split="train")
    alike = train.data @ train.data.T
    _, concept = np.unique(train.samples["concept"], return_inverse=True)
    same = concept[:, None] == concept
    assert alike[same & ~np.eye(len(same), dtype=bool)].mean() > alike[~same].mean() + 0.5


def test_rectified_sources_follow_the_absolute_value() -> None:
    world = simulate_images(**IMAGES, rectified=0.5, n_sources=4)
    truth = world.truth
    assert truth["rectified"].tolist() == [False, False, True, True]
    ids = [str(name) for name in truth["stimuli"]["stimulus"]]
    amplitude = world.targets.data @ truth["weights"].T
    amplitude[:, 2:] = np.abs(amplitude[:, 2:])
    wanted = np.einsum("ck,nk,kt->nct", truth["mixing"][0], amplitude, truth["kernels"])
    np.testing.assert_allclose(expected_responses(truth, "01", ids), wanted, atol=1e-6)


def test_responses_to_speech_are_convolved_and_causal(speech: SimulatedMEEG) -> None:
    truth, features = speech.truth, speech.targets.data
    drive = np.einsum("kf,nft->nkt", truth["weights"], features)
    drive[:, truth["rectified"]] = np.abs(drive[:, truth["rectified"]])
    activity = np.stack([[np.convolve(u, h)[:60] for u, h in zip(us, truth["kernels"], strict=True)] for us in drive])
    ids = [str(name) for name in truth["stimuli"]["stimulus"]]
    np.testing.assert_allclose(expected_responses(truth, "02", ids), truth["mixing"][1] @ activity, atol=1e-6)


@pytest.mark.parametrize("kind", ["eeg", "mag"])
def test_a_real_montage(kind: str) -> None:
    world = simulate_speech(**{**SPEECH, "lead_field": "sphere", "kind": kind, "montage": "biosemi128"})
    units = world.responses.units
    assert set(units["kind"]) == {kind}
    assert np.isfinite(units[["x", "y", "z", "layout_x", "layout_y"]]).all(axis=None)
    assert world.responses.meta["modality"] == ("eeg" if kind == "eeg" else "meg")


@pytest.mark.parametrize("snr", [0.05, 2.0])
@pytest.mark.parametrize("simulate", [simulate_speech, simulate_images])
def test_signal_and_noise_have_the_power_asked_for(snr: float, simulate: Any) -> None:
    sizes = {**(SPEECH if simulate is simulate_speech else IMAGES), "n_subjects": 1}
    world = simulate(**sizes, snr=snr)
    train = world.responses.select(split="train")
    clean = expected_responses(world.truth, "01", list(train.samples["stimulus"]))
    assert clean.var(axis=0).mean() == pytest.approx(snr, rel=1e-6)
    noise = train.data - clean
    assert noise.var(axis=0).mean() == pytest.approx(1, rel=0.1)


def test_a_light_import() -> None:
    code = "import sys, neurodecode.simulate.meeg; sys.exit('torch' in sys.modules or 'mne' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_oracle_is_above_chance(images: SimulatedMEEG) -> None:
    test = images.responses.select(split="test")
    scores = oracle_scores(images.truth, test)
    assert scores.shape == (60, 30)
    names = images.truth["stimuli"]["stimulus"][images.truth["stimuli"]["split"] == "test"].tolist()
    right = np.array([names.index(name) for name in test.samples["stimulus"]])
    assert (scores.argmax(axis=1) == right).mean() > 0.3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"snr": -0.1}, "snr must be a power ratio of at least 0, got -0.1"),
        ({"rectified": 1.5}, "rectified must be a share.*1.5"),
        ({"n_test": 1}, "at least two stimuli.*'test': 1"),
        ({"duration": 0.05}, "make 1 samples"),
        ({"spikes": 2.0}, "spikes must be a share.*2.0"),
        ({"flat": 5, "missing": 5}, "n_sensors=10, flat=5, missing=5"),
        ({"lead_field": "sphere", "n_sensors": 65}, "from 1 to the 64 of montage 'biosemi64', got 65"),
        ({"lead_field": "cube"}, "lead_field='cube' is unknown"),
        ({"kind": "meg"}, "kind='meg' is unknown"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        simulate_speech(**{**SPEECH, **arguments})
