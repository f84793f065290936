"""Scores of images, against numbers worked out by another way."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.errors import DataError
from neurodecode.metrics import pixcorr


def images(rng: np.random.Generator, n: int = 5) -> np.ndarray:
    """Random colours."""
    return rng.integers(0, 256, (n, 6, 4, 3)).astype(np.uint8)


def test_each_image_is_correlated_over_its_pixels(rng: np.random.Generator) -> None:
    true, made = images(rng), images(rng)
    expected = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(true.astype(float), made.astype(float), strict=True)]
    np.testing.assert_allclose(pixcorr(true, made), expected, rtol=1e-12)


def test_perfect_inverted_and_rescaled_images(rng: np.random.Generator) -> None:
    true = images(rng)
    np.testing.assert_allclose(pixcorr(true, true), 1.0)
    np.testing.assert_allclose(pixcorr(true, 255 - true), -1.0)
    np.testing.assert_allclose(pixcorr(true, 0.1 * true + 30), 1.0)


def test_small_unsigned_numbers_do_not_overflow() -> None:
    true = np.zeros((1, 2, 2, 1), np.uint8)
    true[0, 0] = 255
    assert pixcorr(true, 255 - true)[0] == pytest.approx(-1)


@pytest.mark.parametrize("side", [0, 1])
def test_an_image_without_contrast_has_no_score(rng: np.random.Generator, side: int) -> None:
    pair = [images(rng), images(rng)]
    pair[side][2] = 7
    scores = pixcorr(*pair)
    assert np.isnan(scores[2])
    assert np.isfinite(np.delete(scores, 2)).all()


def test_unrelated_images_are_at_chance_on_average(rng: np.random.Generator) -> None:
    scores = pixcorr(rng.random((400, 10, 10, 1)), rng.random((400, 10, 10, 1)))
    assert abs(scores.mean()) < 4 * 0.1 / np.sqrt(400)
    assert scores.std() == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 4, 4, 3), (3, 4, 4, 3)), "one shape"),
        (((2, 4, 4), (2, 4, 4)), r"got shape \(2, 4, 4\)"),
        (((0, 4, 4, 3), (0, 4, 4, 3)), "n_images"),
        (((2, 4, 4, 3), (2, 4, 4, 1)), "one shape"),
    ],
)
def test_shapes_that_are_not_pairs_of_images(shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        pixcorr(*(np.ones(shape) for shape in shapes))


def test_nan_is_named(rng: np.random.Generator) -> None:
    made = images(rng).astype(float)
    made[3, 1, 1, 0] = np.nan
    with pytest.raises(DataError, match="reconstructed image 3"):
        pixcorr(images(rng), made)
