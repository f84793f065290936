"""Headers that contradict their file are refused with the figures of both, and whole files pass."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import bids_trees
import h5py
import meeg_files
import nibabel
import numpy as np
import pytest
import scipy.io

from neurodecode import io
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.eeglab_counts import check_counts
from neurodecode.io.fif_structure import check_fif
from neurodecode.io.hdf5_structure import check_stored
from neurodecode.io.meeg_lengths import check_length
from neurodecode.io.nifti_header import check_header
from neurodecode.io.outside import check_links, check_name, check_parts


def patched(path: Path, offset: int, layout: str, value: Any) -> Path:
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, offset, value)
    path.write_bytes(bytes(content))
    return path


def nifti(path: Path, version: int = 1, order: str = "<", extension: bool = False) -> Path:
    image_class = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    image = image_class(np.arange(60, dtype=np.int16).reshape(2, 2, 3, 5), np.eye(4), image_class.header_class(endianness=order))
    image.header["pixdim"][4] = 2
    image.header.set_xyzt_units("mm", "sec")
    if extension:
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"a comment of some length"))
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("extension", [True, False])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_whole_images_pass(version: int, order: str, extension: bool, ending: str, tmp_path: Path) -> None:
    path = nifti(tmp_path / f"x{ending}", version, order, extension)
    check_header(path)
    np.testing.assert_array_equal(np.asarray(io.read_nifti(path).data)[:, 0], np.arange(0, 60, 5))


def test_image_pairs_and_other_files_pass(tmp_path: Path) -> None:
    image = nibabel.Nifti1Pair(np.zeros((2, 2, 2, 3), np.int16), np.eye(4))
    nibabel.save(image, tmp_path / "x.img")
    check_header(tmp_path / "x.hdr")
    (tmp_path / "other").write_bytes(b"something else")
    check_header(tmp_path / "other")


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (40, "<h", 0, "0 dimensions"),
        (40, "<h", 99, "dimensions"),
        (42, "<h", 0, "lengths"),
        (44, "<h", -2, "lengths"),
        (108, "<f", 16.0, "voxels begin at byte 16"),
        (108, "<f", 0.0, "voxels begin at byte 0"),
        (108, "<f", np.nan, "voxels begin at byte nan"),
        (108, "<f", np.inf, "voxels begin at byte inf|demands"),
        (108, "<f", 352.5, "voxels begin at byte 352.5"),
        (352, "<i", 4000, "extension at byte 352 states 4000 bytes"),
        (352, "<i", -16, "extension at byte 352 states -16 bytes"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_impossible_nifti(offset: int, layout: str, value: Any, message: str, packed: bool, tmp_path: Path) -> None:
    path = patched(nifti(tmp_path / "x.nii", extension=True), offset, layout, value)
    if packed:
        path = tmp_path / "x.nii.gz"
        path.write_bytes(gzip.compress((tmp_path / "x.nii").read_bytes()))
    with pytest.raises(CorruptFileError, match=message):
        io.read_nifti(path)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize(("axis", "length"), [(1, 1), (3, 2), (4, 4)])
def test_an_image_longer_than_its_shape(axis: int, length: int, ending: str, tmp_path: Path) -> None:
    path = patched(nifti(tmp_path / "x.nii"), 40 + 2 * axis, "<h", length)
    if ending == ".nii.gz":
        path = tmp_path / "y.nii.gz"
        path.write_bytes(gzip.compress((tmp_path / "x.nii").read_bytes()))
    with pytest.raises(CorruptFileError, match=r"it holds .* bytes, its header .* demands .*: one of the two is wrong"):
        io.read_nifti(path)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_room_for_a_second_header_at_the_end_passes(ending: str, tmp_path: Path) -> None:
    """Recordings written that way are in use."""
    path, content = tmp_path / f"x{ending}", nifti(tmp_path / "whole.nii").read_bytes()
    for more, fits in [(352, True), (351, False), (353, False), (5000, False)]:
        path.write_bytes(gzip.compress(content + bytes(more)) if ending == ".nii.gz" else content + bytes(more))
        if fits:
            np.testing.assert_array_equal(np.asarray(io.read_nifti(path).data)[:, 0], np.arange(0, 60, 5))
        else:
            with pytest.raises(CorruptFileError, match="one of the two is wrong"):
                io.read_nifti(path)


def test_gifti_with_another_number_of_arrays(tmp_path: Path) -> None:
    arrays = [nibabel.gifti.GiftiDataArray(np.arange(5, dtype=np.float32), "NIFTI_INTENT_TIME_SERIES") for _ in range(3)]
    text = nibabel.gifti.GiftiImage(darrays=arrays).to_bytes().decode()
    path = tmp_path / "x.func.gii"
    path.write_text(text)
    assert io.read_gifti(path, tr=2.0).data.shape == (5, 3)
    path.write_text(text.replace('NumberOfDataArrays="3"', 'NumberOfDataArrays="4"'))
    with pytest.raises(CorruptFileError, match="4 != 3"):
        io.read_gifti(path, tr=2.0)


@pytest.mark.parametrize(("stated", "named"), [(2, 3), (4, 3)])
def test_brainvision_channels_stated_and_named(stated: int, named: int, tmp_path: Path) -> None:
    path = meeg_files.write_brainvision(tmp_path / "a.vhdr")
    path.write_text(
        path.read_text(encoding="utf-8").replace("NumberOfChannels=3", f"NumberOfChannels={stated}"), encoding="utf-8"
    )
    with pytest.raises(CorruptFileError, match=f"states {stated} channels and names {named}"):
        io.read_meeg(path)


def test_edf_whose_signals_do_not_fill_its_header(tmp_path: Path) -> None:
    path = patched(meeg_files.write_edf(tmp_path / "a.edf"), 184, "8s", b"1280    ")
    with pytest.raises(CorruptFileError, match="states 3 signals and a length of 1280 bytes"):
        io.read_meeg(path)


def test_cnt_with_more_after_its_events(tmp_path: Path) -> None:
    path = meeg_files.write_cnt(tmp_path / "a.cnt")
    check_length(path, "cnt", {})
    path.write_bytes(path.read_bytes() + b"\0")  # an end mark
    check_length(path, "cnt", {})
    path.write_bytes(path.read_bytes() + bytes(8))
    with pytest.raises(CorruptFileError, match="states 0 bytes, 9 more follow"):
        check_length(path, "cnt", {})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ((0, 4, 10, 10), "no place or no length"),
        ((72, 4, 10, 10), "next begin at byte"),
        ((64, 0, 10, 10), "no place or no length"),
    ],
)
def test_kit_places(entry: tuple[int, ...], message: str, tmp_path: Path) -> None:
    entries = [(0, 16, 4, 4), entry, (0, 0, 0, 0), (104, 2, 50, 50)]
    path = tmp_path / "a.sqd"
    path.write_bytes(b"".join(struct.pack("<4I", *one) for one in entries) + bytes(140))
    with pytest.raises(CorruptFileError, match=message):
        check_length(path, "kit", {})


def buffers(path: Path) -> list[int]:
    """Places of the data buffers of a FIF file."""
    content, position, found = path.read_bytes(), 0, []
    while position < len(content):
        kind, _, size, following = struct.unpack_from(">iIii", content, position)
        found += [position] if kind == 300 else []
        if following < 0:
            break
        position = following or position + 16 + size
    return found


@pytest.mark.parametrize(
    ("change", "value", "message"),
    [(0, 9999, "kind 9999"), (0, 301, "kind 301"), (4, 5, "types"), (4, 77, "types")],
)
def test_fif_buffers(change: int, value: int, message: str, tmp_path: Path) -> None:
    path = meeg_files.write_fif(tmp_path / "a_raw.fif")
    check_fif(path)
    places = buffers(path)
    assert len(places) > 1
    patched(path, places[1] + change, ">i", value)
    with pytest.raises(CorruptFileError, match=message):
        io.read_meeg(path)


def write_set(path: Path, **changes: Any) -> Path:
    fields = {"nbchan": 3.0, "pnts": 400.0, "trials": 1.0, "srate": 100.0, "data": np.zeros((3, 400), np.float32)}
    chanlocs = np.array([(name,) for name in meeg_files.NAMES], dtype=[("labels", object)])
    scipy.io.savemat(path, {"EEG": {**fields, "chanlocs": chanlocs, **changes}}, appendmat=False)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pnts": 399.0}, r"399 samples and 1 trials, its data have the shape \(3, 400\)"),
        ({"nbchan": 2.0}, "states 2 channels"),
        ({"trials": 2.0}, "2 trials"),
        ({"chanlocs": np.zeros((1, 2))}, "3 channels and has 2 channel locations"),
        ({"pnts": -400.0}, "expected a count"),
        ({"pnts": "many"}, "expected a count"),
    ],
)
def test_eeglab_counts(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    check_counts(write_set(tmp_path / "whole.set"))
    with pytest.raises(CorruptFileError, match=message):
        check_counts(write_set(tmp_path / "x.set", **changes))


@pytest.mark.parametrize(
    ("stated", "fits"), [(4.0, True), (3.99, True), (3, True), (4.2, False), (5, True), (6, False), ("4", True)]
)
def test_duration_of_the_sidecar(stated: Any, fits: bool, tmp_path: Path) -> None:
    path = meeg_files.write_bids(tmp_path / "bids")
    path.with_suffix(".json").write_text(json.dumps({"RecordingDuration": stated, "PowerLineFrequency": 50}))
    if fits:
        assert io.read_bids(tmp_path / "bids", subject="01").duration == 4.0
        return
    with pytest.raises(CorruptFileError, match=rf"lasts 4 s, RecordingDuration of its sidecar states {stated:g} s"):
        io.read_bids(tmp_path / "bids", subject="01")


def test_hdf5_shapes_and_room(tmp_path: Path) -> None:
    path = meeg_files.write_nwb(tmp_path / "x.nwb")
    with h5py.File(path) as file:
        check_stored(file)
    content = path.read_bytes()
    place = content.index(struct.pack("<2Q", 400, 3))
    patched(path, place, "<Q", 200)
    with pytest.raises(CorruptFileError, match=r"acquisition/ecog/data takes 2400 bytes, its shape \(200, 3\)"):
        io.read_nwb(path)


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "..", "", ".", "C:x", "a\\b", "a\0"])
def test_names_of_other_files_are_no_paths(name: str) -> None:
    with pytest.raises(FormatError, match="expected a file in its own folder"):
        check_name("a.vhdr", name)


@pytest.mark.parametrize("name", ["x.eeg", "a b.eeg", "..x", "x.y.z"])
def test_plain_names_pass(name: str) -> None:
    check_name("a.vhdr", name)


def test_links_of_hdf5_inside_the_folder_pass(tmp_path: Path) -> None:
    path = meeg_files.write_nwb(tmp_path / "x.nwb")
    with h5py.File(path, "r+") as file, h5py.File(tmp_path / "y.h5", "w") as other:
        other["data"] = np.zeros(3)
        file["more"] = h5py.ExternalLink("y.h5", "/data")
    check_links(path)
    assert io.read_nwb(path).n_times == 400
    check_links(bids_trees.write_volume(tmp_path / "x.nii", bids_trees.bold(0)))


def test_parts_of_a_recording_may_be_links(tmp_path: Path) -> None:
    """As datalad makes them: the names lie side by side, the contents elsewhere."""
    (tmp_path / "store").mkdir()
    meeg_files.write_brainvision(tmp_path / "store" / "a.vhdr")
    (tmp_path / "view").mkdir()
    for part in (tmp_path / "store").iterdir():
        (tmp_path / "view" / part.name).symlink_to(part)
    assert io.read_meeg(tmp_path / "view" / "a.vhdr").n_times == 400


def test_parts_elsewhere_are_refused(tmp_path: Path) -> None:
    class Raw:
        filenames = (str(tmp_path / "elsewhere" / "a.fdt"),)

    with pytest.raises(FormatError, match="in its own folder"):
        check_parts(tmp_path / "here" / "a.set", Raw())
    check_parts(tmp_path / "a.set", Raw())
