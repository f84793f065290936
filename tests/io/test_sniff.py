"""Content decides what a file is; `read` opens it or says what to use instead."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import h5py
import meeg_files
import nibabel
import numpy as np
import pytest
import scipy.io

from neurodecode.data import Recording, Responses, SpikeTrains, save
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.read import read
from neurodecode.io.sniff import sniff


def _hdf5(path: Path, **members: object) -> Path:
    with h5py.File(path, "w") as file:
        for name, value in members.items():
            file[name] = value
    return path


def _bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _nifti(path: Path, kind: type = nibabel.Nifti1Image) -> Path:
    kind(np.zeros((2, 2, 2, 3), np.float32), np.eye(4)).to_filename(path)
    return path


def _mat(path: Path, **members: object) -> Path:
    scipy.io.savemat(path, members)
    return path


MAKERS = {
    "fif": lambda folder: meeg_files.write_fif(folder / "a_raw.fif"),
    "edf": lambda folder: meeg_files.write_edf(folder / "a.edf"),
    "bdf": lambda folder: meeg_files.write_edf(folder / "a.bdf", bdf=True),
    "gdf": lambda folder: _bytes(folder / "a.gdf", b"GDF 2.20" + bytes(300)),
    "brainvision": lambda folder: meeg_files.write_brainvision(folder / "a.vhdr"),
    "brainvision markers": lambda folder: meeg_files.write_brainvision(folder / "a.vhdr").with_suffix(".vmrk"),
    "cnt": lambda folder: meeg_files.write_cnt(folder / "a.cnt"),
    "ant": lambda folder: _bytes(folder / "a.cnt", b"RIFF\0\0\0\0CNT " + bytes(30)),
    "kit": lambda folder: _bytes(folder / "a.sqd", np.array([0, 16, 32, 32] * 3, "<u4").tobytes()),
    "xdf": lambda folder: _bytes(folder / "a.xdf", b"XDF:\x01"),
    "nwb": lambda folder: meeg_files.write_nwb(folder / "a.nwb"),
    "snirf": lambda folder: _hdf5(folder / "a.snirf", formatVersion="1.0"),
    "hdf5": lambda folder: _hdf5(folder / "a.h5", data=[1, 2]),
    "eeglab": lambda folder: _mat(folder / "a.mat", EEG={"nbchan": 1}),
    "mat": lambda folder: _mat(folder / "a.mat", x=np.eye(2)),
    "nifti": lambda folder: _nifti(folder / "a.nii.gz"),
    "gifti": lambda folder: _bytes(folder / "a.gii", b'<?xml version="1.0"?>\n<!DOCTYPE GIFTI><GIFTI Version="1.0">'),
    "numpy": lambda folder: _bytes(folder / "a.npy", b"\x93NUMPY\x01\x00"),
    "tiff": lambda folder: _bytes(folder / "a.tif", b"II*\0" + bytes(30)),
    "mne": lambda folder: _bytes(folder / "a.nxe", bytes(30)),
    "unknown": lambda folder: _bytes(folder / "a.txt", b"hello"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_content_is_recognised(kind: str, tmp_path: Path) -> None:
    assert sniff(MAKERS[kind](tmp_path)) == kind


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind not in ("mne", "unknown")])
def test_name_does_not_matter(kind: str, tmp_path: Path) -> None:
    file = MAKERS[kind](tmp_path)
    assert sniff(file.rename(tmp_path / "renamed.bin")) == kind


def test_nifti2_and_cifti_differ_by_intent(tmp_path: Path) -> None:
    plain = _nifti(tmp_path / "a.nii", nibabel.Nifti2Image)
    assert sniff(plain) == "nifti"
    content = bytearray(plain.read_bytes())
    content[504:508] = np.int32(3002).tobytes()
    assert sniff(_bytes(tmp_path / "b.nii", bytes(content))) == "cifti"


def test_gzip_is_looked_into(tmp_path: Path) -> None:
    file = meeg_files.write_fif(tmp_path / "a_raw.fif")
    packed = _bytes(tmp_path / "b", gzip.compress(file.read_bytes()))
    assert sniff(packed) == "fif"
    with pytest.raises(CorruptFileError, match="cannot be opened"):
        sniff(_bytes(tmp_path / "c.gz", packed.read_bytes()[:30]))


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["dataset_description.json"], "bids"),
        (["sub-01/eeg.txt"], "bids"),
        (["a.meg4", "a.res4"], "ctf"),
        (["sub-01_task-x_meg.meg4", "sub-01_task-x_meg.res4"], "ctf"),
        (["sub-01_task-x_meg.res4"], "ctf"),
        (["signal1.bin"], "mff"),
        (["F.npy", "Fneu.npy"], "suite2p"),
        (["notes.txt"], "unknown"),
    ],
)
def test_folders(names: list[str], kind: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert sniff(tmp_path) == kind


def test_our_folder(eeg: Recording, tmp_path: Path) -> None:
    folder = save(eeg, tmp_path / "r")
    assert sniff(folder) == "neurodecode"
    assert isinstance(read(folder), Recording)
    (folder / "meta.json").write_text(json.dumps({"format": "other"}))
    assert sniff(folder) == "unknown"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("fif", Recording), ("edf", Recording), ("bdf", Recording), ("brainvision", Recording), ("nwb", Recording)],
)
def test_read_opens(kind: str, expected: type, tmp_path: Path) -> None:
    assert isinstance(read(MAKERS[kind](tmp_path)), expected)


def test_read_opens_units(tmp_path: Path) -> None:
    assert isinstance(read(meeg_files.write_nwb(tmp_path / "a.nwb", series=(), units=True)), SpikeTrains)


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("xdf", "BrainVision or EDF"),
        ("tiff", "not supported yet"),
        ("mat", "make a Recording"),
        ("hdf5", "make a Recording"),
        ("numpy", "make a Recording"),
        ("brainvision markers", r"\.vhdr"),
        ("unknown", "Supported are FIF"),
    ],
)
def test_read_says_what_to_use_instead(kind: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=remedy) as caught:
        read(MAKERS[kind](tmp_path))
    assert not isinstance(caught.value, CorruptFileError)


def test_bids_root_names_read_bids(tmp_path: Path) -> None:
    (tmp_path / "dataset_description.json").write_text("{}")
    with pytest.raises(FormatError, match="read_bids"):
        read(tmp_path)


@pytest.mark.parametrize(("part", "whole"), [("a.eeg", "a.vhdr"), ("a.dat", "a.vhdr"), ("a.fdt", "a.set")])
def test_part_of_a_recording_names_the_whole(part: str, whole: str, tmp_path: Path) -> None:
    _bytes(tmp_path / part, bytes(100))
    _bytes(tmp_path / whole, b"x")
    with pytest.raises(FormatError, match=f"pass that file|{whole}"):
        read(tmp_path / part)


def test_missing_path_names_the_closest(tmp_path: Path) -> None:
    meeg_files.write_edf(tmp_path / "sub-01_eeg.edf")
    with pytest.raises(FormatError, match=r"does not exist.*sub-01_eeg\.edf"):
        read(tmp_path / "sub-1_eeg.edf")
    with pytest.raises(FormatError, match="neither does its folder"):
        read(tmp_path / "nowhere" / "a.edf")


def test_link_without_content(tmp_path: Path) -> None:
    (tmp_path / "a.edf").symlink_to(tmp_path / "not-fetched")
    with pytest.raises(FormatError, match="datalad get"):
        sniff(tmp_path / "a.edf")


@pytest.mark.parametrize("name", ["a.edf", "a.fif", "a.set", "a.nwb", "a.vhdr"])
def test_name_that_promises_more_than_the_content(name: str, tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match=name):
        read(_bytes(tmp_path / name, b"<html>404</html>"))


def test_empty_file(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match="0 bytes"):
        sniff(_bytes(tmp_path / "a.edf", b""))


def test_damaged_containers(tmp_path: Path) -> None:
    nwb = meeg_files.write_nwb(tmp_path / "a.nwb")
    with pytest.raises(CorruptFileError, match=r"b\.nwb"):
        sniff(_bytes(tmp_path / "b.nwb", nwb.read_bytes()[:2000]))
    mat = _mat(tmp_path / "a.mat", x=np.random.default_rng(0).random((50, 50)))
    with pytest.raises(CorruptFileError, match=r"b\.mat"):
        sniff(_bytes(tmp_path / "b.mat", mat.read_bytes()[:140]))


def test_epochs_become_responses(tmp_path: Path) -> None:
    import mne

    info = mne.create_info(["a", "b"], 50.0, "eeg")
    mne.EpochsArray(np.zeros((3, 2, 10)), info, verbose="error").save(tmp_path / "a-epo.fif", verbose="error")
    assert isinstance(read(tmp_path / "a-epo.fif"), Responses)
    shutil.copy(tmp_path / "a-epo.fif", tmp_path / "odd")
    assert isinstance(read(tmp_path / "odd"), Responses)
