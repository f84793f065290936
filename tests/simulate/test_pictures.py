"""Toy pictures: linear, and readable."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.errors import DataError
from neurodecode.generate import Generator
from neurodecode.metrics import pixcorr
from neurodecode.simulate import LinearPictures, simulate_images


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    return simulate_images(n_subjects=1, n_sensors=4, lead_field="disc").targets.select(split="test").data


@pytest.mark.parametrize("size", [16, 32])
def test_pictures_are_those_of_their_latents(latents: np.ndarray, size: int) -> None:
    pictures = LinearPictures(64, size=size)
    images = pictures.generate({"latent": latents})
    assert images.shape == (200, size, size, 3)
    assert images.dtype == np.uint8
    assert images.std() / 255 == pytest.approx(0.15, abs=0.03)
    assert np.mean((images == 0) | (images == 255)) < 0.01
    found = pictures.encode_targets(images)["latent"]
    assert np.mean((found * latents).sum(axis=1) / np.linalg.norm(found, axis=1)) > 0.97
    longer = pictures.generate({"latent": 5 * latents}).astype(int)
    assert np.abs(longer - images).max() <= 1


def test_neighbouring_pixels_are_alike(latents: np.ndarray) -> None:
    images = LinearPictures(64).generate({"latent": latents}).astype(float)
    neighbours = images[:, 1:] - images[:, :-1]
    assert neighbours.std() < images.std()  # white noise: 1.41 times


def test_better_latents_make_better_pictures(latents: np.ndarray) -> None:
    pictures, rng = LinearPictures(64), np.random.default_rng(0)
    shown = pictures.generate({"latent": latents})
    noisy = latents + 0.1 * rng.standard_normal(latents.shape).astype(np.float32)
    scores = [pixcorr(shown, pictures.generate({"latent": z})).mean() for z in (latents, noisy, rng.permutation(latents))]
    assert scores[0] == pytest.approx(1)
    assert scores[0] > scores[1] + 0.1 > scores[2] + 0.3


def test_it_is_a_generator() -> None:
    pictures: Generator = LinearPictures(8)
    assert pictures.target_spec == {"latent": (8,)}
    assert list(pictures.needs) == ["latent"]


def test_bad_arguments() -> None:
    with pytest.raises(DataError, match=r"4 x 4 pixels show 1 to 16 dimensions, got n_features=17"):
        LinearPictures(17, size=4)
    with pytest.raises(DataError, match=r"shape \(n_images, 8\), got \(2, 7\)"):
        LinearPictures(8).generate({"latent": np.ones((2, 7))})
    with pytest.raises(DataError, match=r"got \(\) in \['clip'\]"):
        LinearPictures(8).generate({"clip": np.ones((2, 8))})
