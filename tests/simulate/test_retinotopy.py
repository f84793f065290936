"""The simulated visual cortex is laid out as the real one: crossed, upside down, with a large fovea."""

from __future__ import annotations

import socket

import numpy as np
import pandas as pd
import pytest

from neurodecode.errors import DataError
from neurodecode.simulate import occipital_patch, population_response, receptive_fields, retinotopic_map


@pytest.fixture(scope="module")
def patch() -> pd.DataFrame:
    """The default patch."""
    return occipital_patch()


@pytest.fixture(scope="module")
def vertices(patch: pd.DataFrame) -> pd.DataFrame:
    """The default patch with its map."""
    return retinotopic_map(patch, np.random.default_rng(0))


def test_the_patch_lies_at_the_back_of_both_hemispheres(patch: pd.DataFrame) -> None:
    assert patch["hemisphere"].value_counts().to_dict() == {"L": 400, "R": 400}
    assert not patch.duplicated(["hemisphere", "vertex"]).any()
    assert patch["vertex"].between(0, 10241).all()
    assert (patch["y"] < -85).all(), "mm behind the middle"
    assert (patch.loc[patch["hemisphere"] == "L", "x"] < 5).all()
    assert (patch.loc[patch["hemisphere"] == "R", "x"] > -5).all()


def test_a_smaller_patch_is_the_back_of_a_larger_one(patch: pd.DataFrame) -> None:
    small = occipital_patch(30)
    for hemisphere in "LR":
        large = patch.loc[patch["hemisphere"] == hemisphere, "vertex"].tolist()
        assert small.loc[small["hemisphere"] == hemisphere, "vertex"].tolist() == large[:30]


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refuse)
    assert len(occipital_patch(5)) == 10


@pytest.mark.parametrize("number", [0, -1, 10243])
def test_patches_that_are_not_there(number: int) -> None:
    with pytest.raises(DataError, match=str(number)):
        occipital_patch(number)


def test_each_hemisphere_sees_the_other_half_of_the_field(vertices: pd.DataFrame) -> None:
    left = (vertices["hemisphere"] == "L").to_numpy()
    assert (vertices.loc[left, "field_x"] > 0).mean() > 0.9
    assert (vertices.loc[~left, "field_x"] < 0).mean() > 0.9


def test_eccentricity_grows_forward_and_size_with_it(vertices: pd.DataFrame) -> None:
    for _, part in vertices.groupby("hemisphere"):
        assert part["y"].corr(part["eccentricity"], method="spearman") > 0.95
        assert part["field_size"].corr(part["eccentricity"], method="spearman") > 0.95
    assert vertices["eccentricity"].max() < 6.5
    fovea = (vertices["eccentricity"] < 2.5).mean()
    assert fovea > 0.45, "half of the radius takes far more than a quarter of the cortex"


def test_dorsal_vertices_see_the_lower_field(vertices: pd.DataFrame) -> None:
    for _, part in vertices.groupby("hemisphere"):
        outer = part[part["eccentricity"] > 1]
        assert outer["z"].corr(outer["field_y"], method="spearman") < -0.8
        assert outer["field_y"].min() < -2
        assert outer["field_y"].max() > 2


def test_polar_coordinates_agree_with_the_centre(vertices: pd.DataFrame) -> None:
    np.testing.assert_allclose(vertices["eccentricity"] * np.cos(vertices["angle"]), vertices["field_x"], atol=1e-9)
    np.testing.assert_allclose(vertices["eccentricity"] * np.sin(vertices["angle"]), vertices["field_y"], atol=1e-9)


def test_fields_cover_the_image(vertices: pd.DataFrame) -> None:
    cover = receptive_fields(vertices).sum(axis=0)
    assert (cover[1:-1, 1:-1] > 1.5).all()


def field(x: float, y: float, size: float) -> np.ndarray:
    """One receptive field on the image of 8 degrees."""
    return receptive_fields(pd.DataFrame({"field_x": [x], "field_y": [y], "field_size": [size]}))[0]


@pytest.mark.parametrize(
    ("x", "y", "pixel"), [(-3.5, 3.5, (0, 0)), (3.5, 3.5, (0, 7)), (-3.5, -3.5, (7, 0)), (0.5, -1.5, (5, 4))]
)
def test_the_centre_is_where_it_is_on_the_screen(x: float, y: float, pixel: tuple[int, int]) -> None:
    small = field(x, y, 0.1)
    assert np.unravel_index(np.argmax(small), small.shape) == pixel
    assert small[pixel] == pytest.approx(1.0, abs=1e-5)


def test_a_field_is_a_gaussian() -> None:
    rows, columns = np.mgrid[0:8, 0:8]
    wide = field(0.3, -0.7, 1.1)
    assert wide.sum() == pytest.approx(1.0, abs=0.01)
    x, y = columns - 3.5, 3.5 - rows
    assert (wide * x).sum() / wide.sum() == pytest.approx(0.3, abs=0.05)
    assert (wide * y).sum() / wide.sum() == pytest.approx(-0.7, abs=0.05)
    assert (wide * (x - 0.3) ** 2).sum() == pytest.approx(1.1**2 + 1 / 12, abs=0.08)


def test_a_field_at_the_edge_sees_half(vertices: pd.DataFrame) -> None:
    assert field(4.0, 0.0, 0.5).sum() == pytest.approx(0.5, abs=1e-6)
    assert field(9.0, 0.0, 0.5).sum() < 1e-6


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_responses_are_the_overlap_to_a_power(rng: np.random.Generator, exponent: float) -> None:
    fields, images = rng.uniform(size=(5, 8, 8)), rng.uniform(size=(3, 8, 8))
    made = population_response(fields, images, exponent)
    assert made.shape == (3, 5)
    assert made[2, 4] == pytest.approx(np.sum(fields[4] * images[2]) ** exponent)
    assert population_response(fields, 2 * images, exponent)[0, 0] == pytest.approx(2**exponent * made[0, 0])


def test_images_that_do_not_fit(rng: np.random.Generator) -> None:
    fields = rng.uniform(size=(5, 8, 8))
    for images in (np.zeros((2, 7, 8)), np.zeros((8, 8)), -np.ones((2, 8, 8))):
        with pytest.raises(DataError, match="images must be"):
            population_response(fields, images)
    with pytest.raises(DataError, match="exponent"):
        population_response(fields, np.zeros((1, 8, 8)), 0.0)


def test_missing_columns_are_named(patch: pd.DataFrame, rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match="'z'"):
        retinotopic_map(patch.drop(columns="z"), rng)
    with pytest.raises(DataError, match="field_x"):
        receptive_fields(patch)
