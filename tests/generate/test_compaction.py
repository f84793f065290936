"""Images made small and large again."""

from __future__ import annotations

import numpy as np
import pytest
from generate_data import blobs

from neurodecode.data import Stimuli
from neurodecode.errors import DataError
from neurodecode.generate.compaction import as_images, enlarge, find_compaction, shrink


@pytest.mark.parametrize("enlarged", [1, 2, 3, 4])
@pytest.mark.parametrize("colour", [False, True])
def test_nothing_is_lost_of_images_that_were_enlarged(enlarged: int, colour: bool) -> None:
    images = blobs(5, enlarged=enlarged, colour=colour)
    how = find_compaction(images)
    assert (how.size, how.grey, how.exact) == ((8, 8), not colour, True)
    small = shrink(images, how)
    assert small.shape == (5, 3 if colour else 1, 8, 8)
    assert small.min() >= -1
    assert small.max() <= 1
    np.testing.assert_array_equal(enlarge(small, how), images)


def test_black_and_white_are_the_ends_of_the_scale() -> None:
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[1, :2] = 255
    assert sorted(np.unique(shrink(images, find_compaction(images)))) == [-1, 1]


def test_sides_may_differ() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)
    how = find_compaction(images.repeat(2, axis=1).repeat(2, axis=2))
    assert (how.shape, how.size, how.grey) == ((10, 14), (5, 7), False)


def test_large_photographs_are_averaged() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 96, 3), np.uint8)
    how = find_compaction(images)
    assert (how.size, how.exact) == ((16, 32), False)
    small = shrink(images, how)
    expected = images.reshape(2, 16, 3, 32, 3, 3).mean(axis=(2, 4)) / 127.5 - 1
    np.testing.assert_allclose(np.moveaxis(small, 1, -1), expected, atol=1e-5)
    assert enlarge(small, how).shape == images.shape


def test_a_size_may_be_chosen() -> None:
    how = find_compaction(blobs(3, enlarged=2), 4)
    assert (how.size, how.exact) == ((4, 4), False)
    assert find_compaction(blobs(3, enlarged=2), 8).exact


def test_one_other_picture_is_enough_not_to_be_enlarged() -> None:
    images = blobs(5, enlarged=2)
    images[3, 0, 0] = 77
    assert find_compaction(images).size == (16, 16)
    images[3, 0, 0] = (1, 2, 3)
    assert not find_compaction(images).grey


def test_values_outside_are_cut_off() -> None:
    images = blobs(2)
    made = enlarge(np.full((1, 1, 8, 8), 3.0), find_compaction(images))
    assert (made == 255).all()


def test_stimuli_become_an_array() -> None:
    images = blobs(3)
    np.testing.assert_array_equal(as_images(Stimuli(["a", "b", "c"], images, "image")), images)
    np.testing.assert_array_equal(as_images(list(images)), images)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (Stimuli(["a"], ["text"], "text"), "kind 'text'"),
        ([np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)], "one size"),
        (np.zeros((2, 4, 4, 3)), "float64"),
        (np.zeros((2, 4, 4), np.uint8), r"\(2, 4, 4\)"),
        ([], "got 0"),
    ],
)
def test_other_things_are_refused(images: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_images(images)


@pytest.mark.parametrize("size", [1, "small", 0])
def test_sizes_that_are_none(size: object) -> None:
    with pytest.raises(DataError, match=str(size)):
        find_compaction(blobs(2), size)  # type: ignore[arg-type]


def test_another_size_than_fitted_on() -> None:
    with pytest.raises(DataError, match="16 x 16"):
        shrink(blobs(2, enlarged=2), find_compaction(blobs(2)))
