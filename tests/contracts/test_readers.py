"""Readers: the values of the field's own reader, unread where the format allows, and damage refused by name.

A new ``read_*`` in ``neurodecode.io`` needs a row in `SAMPLES`: how to write a miniature file, how to read it with ours, and how
to read its values with the field's reader.
"""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import bids_trees
import h5py
import meeg_files
import mne
import nibabel
import numpy as np
import pytest
from contracts.members import defined_in, result_types

from neurodecode import io
from neurodecode.data import LazySignal, Recording, Responses, SpikeTrains
from neurodecode.data.hashing import sha256_file
from neurodecode.errors import CorruptFileError, FormatError


class Sample(NamedTuple):
    """A miniature and two ways to read it."""

    write: Callable[[Path], Path]
    """``write(folder)`` gives the file that holds the signal."""
    read: Callable[[Path], Any]
    """Ours: ``read(file)`` gives one object."""
    values: Callable[[Path], np.ndarray]
    """The field's: (n_channels, n_times), or the sorted spike times."""
    lazy: bool = True
    """Whether the format allows to leave the signal unread."""
    root: int = 0
    """How many folders above the file the sources are named from."""


def _mne(reader: Callable[..., Any]) -> Callable[[Path], np.ndarray]:
    return lambda file: reader(file, preload=True, verbose="error").get_data()


def _nwb_units(file: Path) -> np.ndarray:
    with h5py.File(file, "r") as opened:
        return np.sort(opened["units/spike_times"][:])


def _nwb_series(file: Path) -> np.ndarray:
    with h5py.File(file, "r") as opened:
        (series,) = opened["acquisition"].values()
        return series["data"][:].T * series["data"].attrs["conversion"]


def _volumes(file: Path) -> np.ndarray:
    data = nibabel.load(file).get_fdata()
    return data.reshape(-1, data.shape[-1])


def _raw_bids(folder: Path) -> Path:
    bids_trees.write_raw(folder / "bids", runs=("1",))
    return folder / "bids" / "sub-01" / "func" / "sub-01_task-words_run-1_bold.nii.gz"


def _bids_root(file: Path) -> Path:
    return next(p for p in file.parents if (p / "dataset_description.json").exists())


SAMPLES: dict[str, list[Sample]] = {
    "read_meeg": [
        Sample(lambda d: meeg_files.write_edf(d / "a.edf"), io.read_meeg, _mne(mne.io.read_raw_edf)),
        Sample(lambda d: meeg_files.write_edf(d / "a.bdf", bdf=True), io.read_meeg, _mne(mne.io.read_raw_bdf)),
        Sample(lambda d: meeg_files.write_fif(d / "a_raw.fif"), io.read_meeg, _mne(mne.io.read_raw_fif)),
        Sample(
            lambda d: meeg_files.write_brainvision(d / "a.vhdr", stated=True).with_suffix(".eeg"),
            lambda file: io.read_meeg(file.with_suffix(".vhdr")),
            lambda file: _mne(mne.io.read_raw_brainvision)(file.with_suffix(".vhdr")),
        ),
    ],
    "read_nwb": [Sample(lambda d: meeg_files.write_nwb(d / "a.nwb"), io.read_nwb, _nwb_series)],
    "read_nwb_series": [Sample(lambda d: meeg_files.write_nwb(d / "a.nwb"), io.read_nwb_series, _nwb_series)],
    "read_nwb_units": [
        Sample(lambda d: meeg_files.write_nwb(d / "a.nwb", series=(), units=True), io.read_nwb_units, _nwb_units, lazy=False)
    ],
    "read_nifti": [
        Sample(lambda d: bids_trees.write_volume(d / "a_bold.nii", bids_trees.bold(0)), io.read_nifti, _volumes),
        Sample(lambda d: bids_trees.write_volume(d / "a_bold.nii.gz", bids_trees.bold(0)), io.read_nifti, _volumes),
    ],
    "read_gifti": [
        Sample(
            lambda d: bids_trees.write_surface(d / "hemi-L_bold.func.gii", np.random.default_rng(0).standard_normal((7, 12))),
            lambda file: io.read_gifti(file, tr=2.0),
            lambda file: nibabel.load(file).agg_data(),
            lazy=False,
        )
    ],
    "read_cifti": [
        Sample(
            lambda d: bids_trees.write_grayordinates(d / "a.dtseries.nii", np.random.default_rng(0).standard_normal((12, 8))),
            io.read_cifti,
            lambda file: nibabel.load(file).get_fdata().T,
        )
    ],
    "read_bids": [
        Sample(_raw_bids, lambda file: io.read_bids(_bids_root(file), subject="01"), _volumes, root=2),
        Sample(
            lambda d: meeg_files.write_bids(d / "bids", suffix=".edf"),
            lambda file: io.read_bids(_bids_root(file), subject="01"),
            _mne(mne.io.read_raw_edf),
            root=3,
        ),
    ],
    "read_bids_all": [Sample(_raw_bids, lambda file: io.read_bids_all(_bids_root(file), subject="01")[0], _volumes, root=2)],
}
PARTS = {"read_bold": "read_bids", "read_bids_meeg": "read_bids"}  # what other readers are made of
OURS = {Recording, SpikeTrains, Responses, list[Recording]}


def readers() -> dict[str, Any]:
    """Functions ``read_*`` of ``neurodecode.io`` that return one of our objects."""
    return {
        name: value
        for name, value in defined_in("io")
        if name.startswith("read_") and inspect.isfunction(value) and result_types(value) & OURS
    }


def check_reader(sample: Sample, folder: Path) -> None:
    """The contract."""
    file = sample.write(folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    obj = sample.read(file)
    _check_values(obj, sample, file)
    _check_sources(obj, file, sample.root)
    untouched = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    assert untouched, "reading must not write"
    for name, damaged in _damages(before[file]).items():
        file.write_bytes(damaged)
        _check_refused(sample, file, name)
    file.unlink()
    _check_refused(sample, file, "missing")
    for path, content in before.items():
        path.write_bytes(content)


def _check_values(obj: Any, sample: Sample, file: Path) -> None:
    expected = sample.values(file)
    if isinstance(obj, SpikeTrains):
        np.testing.assert_array_equal(obj.times, expected)
        return
    if sample.lazy:
        assert isinstance(obj.data, (LazySignal, np.memmap)), "the format allows to read when indexed"
        part = obj.crop(obj.t0 + 2 / obj.sfreq, obj.t0 + 7 / obj.sfreq).data
        np.testing.assert_allclose(part, expected[:, 2:7], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(np.asarray(obj.data), expected, rtol=1e-6, atol=1e-12)
    assert np.asarray(obj.data).dtype == np.float32


def _check_sources(obj: Any, file: Path, root: int) -> None:
    named = {source["file"]: source["sha256"] for source in obj.meta["sources"]}
    name = file.relative_to(file.parents[root]).as_posix()
    assert named.get(name) == sha256_file(file), f"meta['sources'] must name {name} with its sha256, got {named}"


def _damages(whole: bytes) -> dict[str, bytes]:
    """Copies that hold no recording any more."""
    noise = np.random.default_rng(0).bytes(256)
    cuts = {f"cut to {part:.0%}": whole[: int(part * len(whole))] for part in (0.0, 0.05, 0.5, 0.98)}
    return {**cuts, "noise": noise * (1 + len(whole) // 256)}


def _check_refused(sample: Sample, file: Path, damage: str) -> None:
    """Reading, or at the latest the use of the signal, ends in an error that names file and remedy."""
    expected = FormatError if damage == "missing" else (CorruptFileError, FormatError)
    with pytest.raises(expected) as caught:
        obj = sample.read(file)
        np.asarray(obj.data)
        pytest.fail(f"{file.name} ({damage}) was read without an error as {obj!r}")
    named = [file.stem.split(".")[0], *([str(_bids_root(file))] if sample.root else [])]
    assert any(name in str(caught.value) for name in named), f"the message must name the file: {caught.value}"
    assert len(caught.value.remedy) > 10, f"the message must say what to do: {caught.value}"


def test_every_reader_has_a_sample() -> None:
    missing = set(readers()) - set(SAMPLES) - set(PARTS)
    assert not missing, f"add a row to SAMPLES in {Path(__file__).name} for {sorted(missing)}"
    assert set(SAMPLES) <= set(readers()), "a row of SAMPLES has no reader"
    assert len(readers()) >= 9


@pytest.mark.parametrize(("name", "i"), [(name, i) for name, samples in SAMPLES.items() for i in range(len(samples))])
def test_reader(name: str, i: int, tmp_path: Path) -> None:
    check_reader(SAMPLES[name][i], tmp_path)


class TestTheContractItself:
    """A reader that breaks one promise is noticed."""

    SAMPLE = SAMPLES["read_nifti"][0]

    def test_other_values(self, tmp_path: Path) -> None:
        broken = self.SAMPLE._replace(read=lambda file: io.read_nifti(file).replace(data=np.ones((60, 12))), lazy=False)
        with pytest.raises(AssertionError, match="Not equal"):
            check_reader(broken, tmp_path)

    def test_everything_in_memory(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="allows to read when indexed"):
            check_reader(self.SAMPLE._replace(read=lambda file: io.read_nifti(file).load()), tmp_path)

    def test_no_source(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="must name"):
            check_reader(self.SAMPLE._replace(read=lambda file: io.read_nifti(file).replace(meta={"sources": []})), tmp_path)

    def test_a_file_left_behind(self, tmp_path: Path) -> None:
        def read(file: Path) -> Recording:
            shutil.copy(file, tmp_path / "copy.nii")
            return io.read_nifti(file)

        with pytest.raises(AssertionError, match="must not write"):
            check_reader(self.SAMPLE._replace(read=read), tmp_path)

    def test_the_error_of_the_library_below(self, tmp_path: Path) -> None:
        def read(file: Path) -> Recording:
            try:
                return io.read_nifti(file)
            except FormatError as error:
                raise ValueError(str(error)) from error

        with pytest.raises(ValueError, match="empty"):
            check_reader(self.SAMPLE._replace(read=read), tmp_path)
