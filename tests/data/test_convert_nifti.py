"""To and from the images of nibabel."""

import bids_trees
import nibabel
import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Recording, Responses
from neurodecode.data.convert_nifti import as_mask, from_nifti, to_gifti, to_nifti, volume_space, voxel_table
from neurodecode.errors import DataError

AFFINE, SHAPE = bids_trees.AFFINE, bids_trees.SHAPE


@pytest.fixture
def image() -> nibabel.Nifti1Image:
    return nibabel.Nifti1Image(bids_trees.bold(0).astype(np.float32), AFFINE)


@pytest.fixture
def units() -> pd.DataFrame:
    return voxel_table(bids_trees.brain_mask(), AFFINE)


@pytest.fixture
def vertices() -> pd.DataFrame:
    return pd.DataFrame({"name": list("abcd"), "hemisphere": list("LLRR"), "vertex": [6, 2, 0, 8]})


def test_there_and_back(image: nibabel.Nifti1Image):
    recording = from_nifti(image, 2.5, events=bids_trees.events(2))
    assert (recording.sfreq, recording.t0, len(recording.events)) == (0.4, 0.0, 2)
    back = to_nifti(recording)
    np.testing.assert_array_equal(back.get_fdata(), image.get_fdata())
    np.testing.assert_allclose(back.affine, AFFINE)
    assert back.header.get_zooms()[3] == pytest.approx(2.5)
    assert back.header.get_xyzt_units() == ("mm", "sec")


def test_there_and_back_within_a_mask(image: nibabel.Nifti1Image):
    inside = bids_trees.brain_mask()
    back = to_nifti(from_nifti(image, 2.0, mask=inside), fill=-1)
    np.testing.assert_array_equal(back.get_fdata()[inside], image.get_fdata()[inside])
    assert (back.get_fdata()[~inside] == -1).all()


def test_voxels_are_listed_in_c_order_with_their_positions(units: pd.DataFrame):
    index = np.argwhere(bids_trees.brain_mask())
    np.testing.assert_array_equal(units[["i", "j", "k"]], index)
    np.testing.assert_allclose(units[["x", "y", "z"]], nibabel.affines.apply_affine(AFFINE, index))
    assert units["name"].iloc[1] == "1_1_1"
    assert set(units["kind"]) == {"bold"}


def test_a_map_goes_back_to_its_voxels(units: pd.DataFrame):
    values = np.arange(12, dtype=np.float32) + 1
    space = volume_space(SHAPE, AFFINE, "T1w")
    order = np.random.default_rng(0).permutation(12)
    volume = to_nifti(values[order], units.iloc[order], space).get_fdata()
    assert volume.shape == SHAPE
    np.testing.assert_array_equal(volume[bids_trees.brain_mask()], values)
    assert volume.sum() == values.sum()
    maps = to_nifti(np.stack([values, 2 * values]), units, space)
    assert maps.shape == (*SHAPE, 2)
    np.testing.assert_array_equal(maps.get_fdata()[..., 1], 2 * volume)


def test_responses_become_one_volume_per_sample(units: pd.DataFrame):
    data = np.arange(24, dtype=np.float32).reshape(2, 12)
    responses = Responses(data, pd.DataFrame({"trial_type": ["a", "b"]}), units, meta={"space": volume_space(SHAPE, AFFINE)})
    image = to_nifti(responses)
    assert image.shape == (*SHAPE, 2)
    np.testing.assert_array_equal(image.get_fdata()[bids_trees.brain_mask()], data.T)
    assert to_nifti(responses.select([0])).shape == (*SHAPE, 1)
    epochs = Responses(data[:, :, None], responses.samples, units, times=[0.0], meta=responses.meta)
    with pytest.raises(DataError, match=r"shape \(2, 12, 1\) have a time axis"):
        to_nifti(epochs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": None}, "units is missing"),
        ({"space": None}, "space is missing"),
        ({"values": np.zeros(11)}, r"shape \(11,\), expected \(n_maps, 12\)"),
        ({"values": np.zeros((2, 12, 3))}, r"expected \(n_maps, 12\)"),
        ({"space": {"shape": [4, 5], "affine": AFFINE.tolist()}}, "a shape of three numbers and a 4 x 4 affine"),
        ({"space": {"shape": [4, 5, 3]}}, "a 4 x 4 affine"),
        (
            {"space": volume_space((4, 3, 3), AFFINE)},
            r"4 of 12 units lie outside the volume of shape \(4, 3, 3\), the first at \[1, 3, 0\]",
        ),
        ({"units": pd.DataFrame({"name": range(12)})}, "units has no column 'i'"),
    ],
)
def test_maps_that_do_not_fit(units: pd.DataFrame, change: dict[str, object], message: str):
    given = {"values": np.zeros(12), "units": units, "space": volume_space(SHAPE, AFFINE), **change}
    with pytest.raises(DataError, match=message):
        to_nifti(**given)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((4, 5, 4)), r"the mask has shape \(4, 5, 4\), the images \(4, 5, 3\)"),
        (np.zeros(SHAPE), r"of shape \(4, 5, 3\) selects no voxel"),
        (np.full(SHAPE, np.nan), "holds 60 NaN"),
        (nibabel.Nifti1Image(np.ones(SHAPE, np.uint8), np.eye(4)), "affine of the mask differs .* by up to 20"),
    ],
)
def test_masks_that_do_not_fit(image: nibabel.Nifti1Image, mask: object, message: str):
    with pytest.raises(DataError, match=message):
        from_nifti(image, 2.0, mask=mask)


def test_a_mask_is_what_is_not_zero():
    np.testing.assert_array_equal(as_mask(2 * bids_trees.brain_mask(), SHAPE, AFFINE), bids_trees.brain_mask())
    assert as_mask(None, SHAPE, AFFINE).all()


def test_images_without_time_or_with_a_wrong_repetition_time(image: nibabel.Nifti1Image):
    with pytest.raises(DataError, match=r"\(x, y, z, n_times\) was expected, got \(4, 5, 3\)"):
        from_nifti(image.slicer[..., 0], 2.0)
    with pytest.raises(DataError, match="tr must be a finite number above 0, got 0"):
        from_nifti(image, 0)


def test_a_map_goes_back_to_its_vertices(vertices: pd.DataFrame):
    maps = np.arange(8, dtype=np.float32).reshape(2, 4) + 1
    images = to_gifti(maps, vertices, {"n_vertices": {"L": 7, "R": 9}}, fill=np.nan)
    left, right = (np.stack([array.data for array in images[side].darrays]) for side in "LR")
    assert (left.shape, right.shape) == ((2, 7), (2, 9))
    np.testing.assert_array_equal(left[:, [6, 2]], maps[:, :2])
    np.testing.assert_array_equal(right[:, [0, 8]], maps[:, 2:])
    assert np.isnan(left).sum() == 10
    assert images["L"].meta["AnatomicalStructurePrimary"] == "CortexLeft"
    assert (to_gifti(maps[0], vertices, {"n_vertices": {"L": 7, "R": 9}})["L"].darrays[0].data == 0).sum() == 5


def test_surface_maps_survive_their_file(vertices: pd.DataFrame, tmp_path):
    image = to_gifti(np.arange(4.0), vertices, {"n_vertices": {"L": 7, "R": 9}})["R"]
    image.to_filename(tmp_path / "map.func.gii")
    np.testing.assert_array_equal(nibabel.load(tmp_path / "map.func.gii").agg_data(), [2, 0, 0, 0, 0, 0, 0, 0, 3])


def test_a_recording_of_a_surface(vertices: pd.DataFrame):
    meta = {"space": {"name": "fsaverage5", "type": "surface", "n_vertices": {"L": 7, "R": 9}}}
    recording = Recording(np.arange(12.0).reshape(4, 3), 0.5, vertices, meta=meta)
    images = to_gifti(recording)
    assert len(images["L"].darrays) == 3
    assert images["L"].darrays[1].data[2] == recording.data[1, 1]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"n_vertices": {"L": 7}}, r"units lie in \['R'\], the surfaces of this space are \['L'\]"),
        ({"n_vertices": {"L": 7, "R": 8}}, "vertices 0 to 8 do not fit hemisphere R of 8 vertices"),
        ({"name": "fsaverage5"}, "space has no n_vertices per hemisphere, it holds"),
    ],
)
def test_surface_maps_that_do_not_fit(vertices: pd.DataFrame, space: dict[str, object], message: str):
    with pytest.raises(DataError, match=message):
        to_gifti(np.zeros(4), vertices, space)
