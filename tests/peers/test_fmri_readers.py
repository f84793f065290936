"""fMRI readers against nibabel: the same numbers, whole and in stretches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from neurodecode.data import Recording
from neurodecode.errors import FormatError
from neurodecode.io import read, read_cifti, read_gifti, read_nifti

Real = Callable[..., Path]
VOLUMES = [
    ("formats/nifti/functional.nii", None, 2.0),
    ("formats/nifti/example4d.nii.gz", 2.0, 2.0),
    ("formats/nifti/example_nifti2.nii.gz", 2.0, 2.0),
    ("nitime_fmri/fmri1.nii.gz", None, 1.35),
    ("nitime_fmri/fmri2.nii.gz", None, 1.35),
    ("haxby2001/sub-1/func/sub-1_task-objectviewing_run-03_bold.nii.gz", None, 2.5),
    (
        "haxby2001/derivatives/lowres25mm/sub-1/func/sub-1_task-objectviewing_run-03_res-25mm_desc-preproc_bold.nii.gz",
        None,
        2.5,
    ),
]


def check_stretches(recording: Recording, expected: np.ndarray) -> None:
    """Whole, in a stretch, and for a few channels."""
    np.testing.assert_array_equal(np.asarray(recording.data), expected)
    n = expected.shape[1]
    np.testing.assert_array_equal(recording.data[:, n // 3 : n // 2 + 1], expected[:, n // 3 : n // 2 + 1])
    rows = np.linspace(0, len(expected) - 1, 5).astype(int)
    np.testing.assert_array_equal(np.asarray(recording.pick(rows).data), expected[rows])
    np.testing.assert_array_equal(recording.data[:, -1], expected[:, -1])


@pytest.mark.parametrize(("name", "tr", "expected_tr"), VOLUMES)
def test_volumes(real: Real, name: str, tr: float | None, expected_tr: float):
    path = real(*name.split("/"))
    image = nibabel.load(path)
    recording = read_nifti(path, tr=tr)
    expected = image.get_fdata(dtype=np.float32)
    check_stretches(recording, expected.reshape(-1, expected.shape[3]))
    assert 1 / recording.sfreq == pytest.approx(expected_tr, rel=1e-6)
    index = recording.channels[["i", "j", "k"]].to_numpy()
    np.testing.assert_array_equal(index, np.argwhere(np.ones(image.shape[:3], bool)))
    np.testing.assert_allclose(
        recording.channels[["x", "y", "z"]], nibabel.affines.apply_affine(image.affine, index), rtol=0, atol=1e-4
    )
    np.testing.assert_array_equal(recording.meta["space"]["affine"], image.affine)


@pytest.mark.parametrize("name", ["example4d.nii.gz", "example_nifti2.nii.gz"])
def test_a_repetition_time_of_2000_s_is_refused(real: Real, name: str):
    with pytest.raises(FormatError, match=r"got 2000.0; 2000.0 ms would be 2 s. Pass the repetition time in s, e.g. tr=2.0"):
        read_nifti(real("formats", "nifti", name))


def test_a_mask(real: Real):
    path = real("formats", "nifti", "functional.nii")
    image = nibabel.load(path)
    mask = image.get_fdata()[..., 0] > 600
    recording = read_nifti(path, mask=mask)
    check_stretches(recording, image.get_fdata(dtype=np.float32)[mask])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("ending", ["nii", "nii.gz", "img"])
def test_every_type_of_voxel(tmp_path: Path, rng: np.random.Generator, dtype: Any, ending: str):
    data = (200 * rng.random((5, 4, 3, 6))).astype(np.float32)
    image = (nibabel.Nifti1Pair if ending == "img" else nibabel.Nifti1Image)(data, np.eye(4))
    image.set_data_dtype(dtype)
    path = tmp_path / f"x.{ending}"
    image.to_filename(path)
    expected = nibabel.load(path).get_fdata(dtype=np.float32)
    check_stretches(read_nifti(path, tr=2.0), expected.reshape(-1, 6))


def test_foreign_byte_order(tmp_path: Path, rng: np.random.Generator):
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    image = nibabel.Nifti1Image(rng.integers(0, 99, (5, 4, 3, 6)).astype(">i2"), np.eye(4), header)
    image.to_filename(tmp_path / "x.nii")
    again = nibabel.load(tmp_path / "x.nii")
    assert again.header.endianness == ">"
    check_stretches(read_nifti(tmp_path / "x.nii", tr=2.0), again.get_fdata(dtype=np.float32).reshape(-1, 6))


def test_surface(real: Real):
    path = real("formats", "gifti", "task.func.gii")
    image = nibabel.load(path)
    check_stretches(read_gifti(path, tr=2.0), np.stack([array.data for array in image.darrays], axis=1))


@pytest.mark.parametrize(("name", "intent"), [("small.surf.gii", 1008), ("rh.aparc.annot.gii", 1002)])
def test_surfaces_that_are_no_time_series(real: Real, name: str, intent: int):
    with pytest.raises(FormatError, match=f"{intent}.*Only time series"):
        read_gifti(real("formats", "gifti", name), tr=2.0)


def test_grayordinates(real: Real):
    path = real("formats", "cifti", "writer_made.dtseries.nii")
    image = nibabel.load(path)
    recording = read_cifti(path)
    check_stretches(recording, image.get_fdata(dtype=np.float32).T)
    assert 1 / recording.sfreq == pytest.approx(0.72)
    axis = image.header.get_axis(1)
    table = recording.channels
    cortex = (table["vertex"] >= 0).to_numpy()
    np.testing.assert_array_equal(cortex, axis.surface_mask)
    np.testing.assert_array_equal(table["vertex"][cortex], axis.vertex[cortex])
    np.testing.assert_array_equal(table[["i", "j", "k"]][~cortex], axis.voxel[~cortex])
    assert ("CIFTI_STRUCTURE_" + table["structure"]).tolist() == list(axis.name)


@pytest.mark.parametrize("name", ["nifti/functional.nii", "cifti/writer_made.dtseries.nii"])
def test_the_one_door_takes_the_same_readers(real: Real, name: str):
    path = real("formats", *name.split("/"))
    image = nibabel.load(path).get_fdata(dtype=np.float32)
    expected = image.T if image.ndim == 2 else image.reshape(-1, image.shape[3])
    np.testing.assert_array_equal(np.asarray(read(path).data), expected)
