"""Simulated M/EEG on disk is what it was in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neurodecode
from neurodecode.errors import DataError, FormatError, OutputExistsError
from neurodecode.simulate import LinearPictures, oracle_scores, read_simulated_meeg, simulate_images, simulate_speech
from neurodecode.simulate import write_simulated_meeg as write

SIZES = {"n_subjects": 2, "n_sensors": 6, "n_train": 12, "n_validation": 4, "n_test": 8, "lead_field": "disc"}


def test_round_trip(tmp_path: Path) -> None:
    world = simulate_images(**SIZES, random_signs=True, spikes=0.01, drift=0.5, missing=1)
    again = read_simulated_meeg(write(tmp_path / "world", world, pictures=LinearPictures(64)))
    np.testing.assert_array_equal(again.responses.data, world.responses.data)
    np.testing.assert_array_equal(again.targets.data, world.targets.data)
    test = again.responses.select(split="test")
    np.testing.assert_array_equal(
        oracle_scores(again.truth, test), oracle_scores(world.truth, world.responses.select(split="test"))
    )
    shown = neurodecode.load(tmp_path / "world" / "stimuli")
    assert list(shown.ids) == list(world.targets.samples["stimulus"])
    assert shown[0].shape == (16, 16, 3)


def test_only_our_own_folder_is_replaced(tmp_path: Path) -> None:
    world = simulate_speech(**SIZES)
    write(tmp_path / "world", world)
    write(tmp_path / "world", world)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExistsError, match="other"):
        write(tmp_path / "other", world)
    with pytest.raises(FormatError, match="truth.json"):
        read_simulated_meeg(tmp_path / "other")


def test_speech_has_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="latent"):
        write(tmp_path / "world", simulate_speech(**SIZES), pictures=LinearPictures(8))
    assert not (tmp_path / "world").exists()
