"""Masks, parcels and the cortical surface."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import nibabel
import numpy as np
import pytest
from bold_runs import AFFINE

from neurodecode.data import Recording
from neurodecode.data.convert_nifti import from_nifti, to_nifti, volume_space
from neurodecode.errors import DataError
from neurodecode.io import Mask, Segmentation
from neurodecode.preprocess import fmri

SHAPE = (4, 3, 2)


@pytest.fixture
def volume(rng: np.random.Generator) -> Recording:
    image = nibabel.Nifti1Image(rng.standard_normal((*SHAPE, 10)).astype(np.float32) + 5, AFFINE)
    return from_nifti(image, 2.0)


@pytest.fixture
def region() -> np.ndarray:
    inside = np.zeros(SHAPE, np.uint8)
    inside[1:3, :, 0] = 1
    return inside


@pytest.mark.parametrize("form", ["array", "array and affine", "image", "Mask"])
def test_mask_forms(volume: Recording, region: np.ndarray, form: str) -> None:
    given: dict[str, tuple[Any, ...]] = {
        "array": (region,),
        "array and affine": (region, AFFINE),
        "image": (nibabel.Nifti1Image(region, AFFINE),),
        "Mask": (Mask(region > 0, AFFINE),),
    }
    kept = fmri.mask(volume, *given[form])
    assert kept.n_channels == 6
    assert region[tuple(kept.channels[["i", "j", "k"]].to_numpy().T)].all()
    np.testing.assert_array_equal(kept.data, np.asarray(to_nifti(volume).get_fdata(dtype=np.float32))[region > 0])
    assert kept.meta["steps"][-1] == {"step": "fmri.mask", "n_channels": 6, "n_missing": 0}
    assert kept.meta["space"] == volume.meta["space"]


def test_mask_of_a_masked_recording_counts_what_is_missing(volume: Recording, region: np.ndarray) -> None:
    part = fmri.mask(volume, region)
    wider = np.ones(SHAPE)
    assert fmri.mask(part, wider).meta["steps"][-1]["n_missing"] == 24 - 6


def test_grids_must_match(volume: Recording, region: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"the mask has shape \(4, 3\), the recording \(4, 3, 2\)"):
        fmri.mask(volume, region[..., 0])
    with pytest.raises(DataError, match=r"another affine, \[\[2.0, .*against \[\[3.0"):
        fmri.mask(volume, region, np.diag([2.0, 2, 2, 1]))
    with pytest.raises(DataError, match="the atlas has shape"):
        fmri.parcellate(volume, region[:2])
    with pytest.raises(DataError, match=r"meta\['space'\] of the recording holds \[\]"):
        fmri.mask(volume.replace(meta={}), region)


def test_empty_mask(volume: Recording) -> None:
    with pytest.raises(DataError, match=r"none of the 24 channels .* \(0 voxels\)"):
        fmri.mask(volume, np.zeros(SHAPE))


def test_mask_needs_voxels(eeg: Recording) -> None:
    with pytest.raises(DataError, match="'eeg'"):
        fmri.mask(eeg, np.ones(SHAPE))
    with pytest.raises(DataError, match="channels has no column 'i'"):
        fmri.mask(eeg.replace(meta={}), np.ones(SHAPE))


@pytest.fixture
def atlas() -> np.ndarray:
    labels = np.zeros(SHAPE, int)
    labels[0], labels[1:3] = 2, 7
    return labels


def test_parcels_are_means(volume: Recording, atlas: np.ndarray) -> None:
    parcels = fmri.parcellate(volume, atlas, {2: "V1", 7: "FFA"})
    image = to_nifti(volume).get_fdata()
    np.testing.assert_allclose(parcels.data, [image[atlas == 2].mean(axis=0), image[atlas == 7].mean(axis=0)], rtol=1e-6)
    table = parcels.channels
    assert table["name"].tolist() == table["region"].tolist() == ["V1", "FFA"]
    assert table["kind"].unique().tolist() == ["parcel"]
    assert table["n_channels"].tolist() == [6, 12]
    assert table["label"].tolist() == [2, 7]
    assert table["x"].tolist() == [0.0, 4.5]
    assert parcels.meta["space"] == {"name": "native", "type": "parcels"}
    assert parcels.sfreq == volume.sfreq


class Atlas(NamedTuple):
    labels: np.ndarray
    affine: np.ndarray


@pytest.mark.parametrize(
    ("names", "expected"),
    [(None, ["label_2", "label_7"]), ({7: "FFA"}, ["label_2", "FFA"]), ([f"p{i}" for i in range(1, 8)], ["p2", "p7"])],
)
def test_names_of_parcels(volume: Recording, atlas: np.ndarray, names: Any, expected: list[str]) -> None:
    assert fmri.parcellate(volume, atlas, names).names == expected
    assert fmri.parcellate(volume, Atlas(atlas, AFFINE), names).names == expected


def test_atlas_of_the_reader_brings_its_names(volume: Recording, atlas: np.ndarray) -> None:
    assert fmri.parcellate(volume, Segmentation(atlas, AFFINE, {2: "V1", 7: "FFA"})).names == ["V1", "FFA"]
    with pytest.raises(DataError, match="another affine"):
        fmri.parcellate(volume, Segmentation(atlas, 2 * AFFINE, {}))


def test_empty_parcels_are_said(volume: Recording, atlas: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        parcels = fmri.parcellate(volume, atlas, {2: "V1", 7: "FFA", 9: "MT"})
    assert parcels.names == ["V1", "FFA"]
    assert parcels.meta["steps"][-1] == {"step": "fmri.parcellate", "n_parcels": 2, "empty": ["MT"]}
    assert "1 of 3 parcels are empty: MT" in caplog.text
    with pytest.raises(DataError, match="none of the 1 parcels"):
        fmri.parcellate(volume, np.zeros(SHAPE), {4: "V4"})


def test_bad_voxels_do_not_enter_the_mean(volume: Recording, atlas: np.ndarray) -> None:
    data = np.array(volume.data)
    data[0] = np.nan
    with pytest.raises(DataError, match="'0_0_0' holds NaN"):
        fmri.parcellate(volume.replace(data=data), atlas)
    bad = volume.channels.assign(bad=np.arange(24) == 0)
    parcels = fmri.parcellate(volume.replace(data=data, channels=bad), atlas)
    np.testing.assert_allclose(np.asarray(parcels.data)[0], data[1:6].mean(axis=0), rtol=1e-6)


def test_nan_outside_of_all_parcels_does_no_harm(volume: Recording, atlas: np.ndarray) -> None:
    data = np.array(volume.data)
    data[-1] = np.nan
    assert np.isfinite(fmri.parcellate(volume.replace(data=data), atlas).data).all()


def test_probabilities_are_no_labels(volume: Recording) -> None:
    with pytest.raises(DataError, match=r"whole numbers, found 0.5"):
        fmri.parcellate(volume, np.full(SHAPE, 0.5))


# ---- surfaces


@pytest.fixture(scope="module")
def head() -> Recording:
    """Three volumes over the whole head in MNI space: ones, the position along x, and along z, in mm."""
    shape, affine = (38, 46, 38), np.array([[5.0, 0, 0, -92], [0, 5, 0, -130], [0, 0, 5, -75], [0, 0, 0, 1]])
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    position = index @ affine[:3, :3].T + affine[:3, 3]
    image = nibabel.Nifti1Image(np.stack([np.ones(shape), position[..., 0], position[..., 2]], -1).astype(np.float32), affine)
    run = from_nifti(image, 2.0)
    return run.replace(meta={**run.meta, "space": volume_space(shape, affine, "MNI152NLin2009cAsym")})


@pytest.fixture(scope="module")
def surface(head: Recording) -> Recording:
    return fmri.sample_surface(head)


def test_surface_covers_the_cortex(surface: Recording) -> None:
    assert surface.n_channels == 2 * 10242
    assert surface.channels["hemisphere"].value_counts().to_dict() == {"L": 10242, "R": 10242}
    assert surface.names[:2] == ["L_0", "L_1"]
    expected = {"name": "fsaverage5", "type": "surface", "n_vertices": {"L": 10242, "R": 10242}}
    assert surface.meta["space"] == expected
    assert surface.meta["steps"][-1]["n_not_covered"] == 0


def test_surface_values_are_those_of_the_place(surface: Recording) -> None:
    np.testing.assert_allclose(surface.data[:, 0], 1, rtol=1e-5)
    np.testing.assert_allclose(surface.data[:, 1], surface.channels["x"], atol=0.05)
    np.testing.assert_allclose(surface.data[:, 2], surface.channels["z"], atol=0.05)


def test_masked_voxels_do_not_pull_values_to_zero(head: Recording, surface: Recording) -> None:
    left = head.pick(((head.channels["x"] < -20) & (head.channels["z"] > 0)).to_numpy())
    part = fmri.sample_surface(left)
    assert 500 < part.n_channels < 10242
    assert part.channels["hemisphere"].unique().tolist() == ["L"]
    np.testing.assert_allclose(part.data[:, 0], 1, rtol=1e-5)
    np.testing.assert_allclose(part.data[:, 1], part.channels["x"], atol=3.0)
    assert part.meta["steps"][-1]["n_not_covered"] == 2 * 10242 - part.n_channels


def test_bad_voxels_are_outside(head: Recording) -> None:
    data = np.array(head.data)
    right = (head.channels["x"] > 0).to_numpy()
    data[right] = np.nan
    with pytest.raises(DataError, match="holds NaN"):
        fmri.sample_surface(head.replace(data=data))
    part = fmri.sample_surface(head.replace(data=data, channels=head.channels.assign(bad=right)))
    assert np.isfinite(part.data).all()
    assert (part.channels["hemisphere"] == "L").mean() > 0.95


def test_surfaces_can_be_masked_and_parcellated(surface: Recording) -> None:
    vertices = np.arange(10242)
    kept = fmri.mask(surface, {"L": vertices < 100, "R": vertices < 50})
    assert kept.n_channels == 150
    parcels = fmri.parcellate(surface, {"L": (vertices < 100) * 1, "R": (vertices < 50) * 2}, ["left", "right"])
    np.testing.assert_allclose(np.asarray(parcels.data)[0], np.asarray(surface.data)[:100].mean(axis=0), rtol=1e-5)
    assert parcels.channels["n_channels"].tolist() == [100, 50]
    with pytest.raises(DataError, match=r"hemisphere L has shape \(5,\), the data have vertex 10241"):
        fmri.mask(surface, {"L": np.ones(5)})


def test_what_cannot_be_sampled(head: Recording, surface: Recording) -> None:
    native = head.replace(meta={**head.meta, "space": {**head.meta["space"], "name": "native"}})
    with pytest.raises(DataError, match="is in space 'native', fsaverage5 fits MNI space"):
        fmri.sample_surface(native)
    with pytest.raises(DataError, match="of type 'surface'"):
        fmri.sample_surface(surface)
    with pytest.raises(DataError, match="mesh='fsaverage7' is unknown"):
        fmri.sample_surface(head, "fsaverage7")
    with pytest.raises(DataError, match="no vertex is covered by the 1 good voxels"):
        fmri.sample_surface(head.pick([0]))


def test_meshes_of_the_subject_are_taken_in_any_space(head: Recording, surface: Recording) -> None:
    from nilearn.datasets import load_fsaverage

    native = head.replace(meta={**head.meta, "space": {**head.meta["space"], "name": "native"}})
    own = fmri.sample_surface(native, load_fsaverage("fsaverage5"))
    np.testing.assert_array_equal(own.data, surface.data)
    assert own.meta["space"]["name"] == "native"
