"""What is damaged: for each reader, small files, the one that is damaged, and how its header is made to contradict it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import meeg_files
import numpy as np
import pandas as pd
from corrupt import headers

from neurodecode import io
from neurodecode.data import Recording, SpikeTrains, load, save
from neurodecode.io.bids_tables import read_confounds, read_events
from neurodecode.io.nwb import read_nwb_series

_HAXBY = "haxby2001/sub-1/func/sub-1_task-objectviewing_run-01"
_HAXBY_LOW = "haxby2001/derivatives/lowres25mm/sub-1/func/sub-1_task-objectviewing"
_MUSE = "muse_n170/sub-1/ses-1/eeg/sub-1_ses-1_task-n170_run-01"


class Case(NamedTuple):
    """A recording that a reader opens, and the file of it that is damaged."""

    copy: tuple[str, ...] | Callable[[Path], Any]
    """Files of the real recordings to copy (a set's own folders are kept for BIDS), or a function that writes them."""
    target: str
    """The file that is damaged, below the folder of the copy."""
    main: str
    """What the reader is given, below that folder."""
    read: Callable[[Path], Any]
    """The reader."""
    header: headers.Change | None = None
    """How its header is made to contradict the file."""
    tree: bool = False
    """Whether the copy keeps the folders."""
    states_length: bool = True
    """Whether a cut can always be noticed, because the format states a length or has an end."""

    def place(self, data: Path | None, folder: Path) -> Path:
        """Write the whole files into an empty folder and return what the reader is given."""
        if not isinstance(self.copy, tuple):
            self.copy(folder)
            return folder / self.main
        assert data is not None, f"{self.copy[0]} is a real recording, and none are here"
        for name in self.copy:
            target = folder / name.split("/", 1)[1] if self.tree else folder / Path(name).name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(data / name, target)
        return folder / self.main


def _one(name: str, read: Callable[[Path], Any], header: headers.Change | None = None, **more: Any) -> Case:
    return Case((name,), Path(name).name, Path(name).name, read, header, **more)


def _parts(names: tuple[str, ...], target: int, read: Callable[[Path], Any], header: headers.Change | None, **more: Any) -> Case:
    return Case(names, Path(names[target]).name, Path(names[0]).name, read, header, **more)


def _nifti(file: Path) -> Any:
    return io.read_nifti(file, tr=2.0)


def _cifti(file: Path) -> Any:
    return io.read_cifti(file, tr=0.72)


def _gifti(file: Path) -> Any:
    return io.read_gifti(file, tr=2.0)


def _bids_fmri(root: Path) -> Any:
    return io.read_bids(root, subject="1")


def _bids_eeg(root: Path) -> Any:
    return io.read_bids(root, subject="1", session="1")


def _recording() -> Recording:
    channels = pd.DataFrame({"name": ["Fz", "Cz"], "kind": "eeg", "unit": "V"})
    return Recording(np.random.default_rng(0).standard_normal((2, 500)), 100.0, channels)


def _stored(folder: Path) -> None:
    save(_recording(), folder / "stored")


def _nwb(folder: Path) -> None:
    meeg_files.write_nwb(folder / "series.nwb")


_F = "formats/"
_BV = tuple(f"{_F}brainvision/test{ending}" for ending in (".vhdr", ".eeg", ".vmrk"))
_SET = (f"{_F}eeglab/two_files.set", f"{_F}eeglab/two_files.fdt")
_MUSE_FILES = tuple(
    _MUSE + ending for ending in ("_eeg.vhdr", "_eeg.eeg", "_eeg.vmrk", "_channels.tsv", "_eeg.json", "_events.tsv")
)
_HAXBY_FILES = (f"{_HAXBY}_bold.nii.gz", f"{_HAXBY}_bold.json", f"{_HAXBY}_events.tsv", "haxby2001/dataset_description.json")

CASES: dict[str, Case] = {
    "nifti .nii": _one(f"{_F}nifti/functional.nii", _nifti, headers.nifti1),
    "nifti .nii.gz": _one(f"{_HAXBY}_bold.nii.gz", _nifti, headers.gzipped(headers.nifti1)),
    "nifti-2 .nii.gz": _one(f"{_F}nifti/example_nifti2.nii.gz", _nifti, headers.gzipped(headers.nifti2)),
    "mask": _one(f"{_HAXBY_LOW}_res-25mm_desc-brain_mask.nii.gz", io.read_mask, headers.gzipped(headers.nifti1)),
    "gifti": _one(f"{_F}gifti/task.func.gii", _gifti, headers.gifti),
    "cifti": _one(f"{_F}cifti/writer_made.dtseries.nii", _cifti, headers.cifti),
    "edf": _one(f"{_F}edf/test.edf", io.read_meeg, headers.edf),
    "edf, two rates": _one(f"{_F}edf/test_uneven_samp.edf", io.read_meeg, headers.edf),
    "bdf": _one(f"{_F}bdf/test.bdf", io.read_meeg, headers.edf),
    "brainvision .vhdr": _parts(_BV, 0, io.read_meeg, headers.brainvision),
    "brainvision .eeg": _parts(_BV, 1, io.read_meeg, headers.binary_size, states_length=False),
    "brainvision .vmrk": _parts(_BV, 2, io.read_meeg, None, states_length=False),
    "eeglab .set": _one(f"{_F}eeglab/one_file.set", io.read_meeg, headers.eeglab),
    "eeglab .set with .fdt": _parts(_SET, 0, io.read_meeg, headers.eeglab),
    "eeglab .fdt": _parts(_SET, 1, io.read_meeg, headers.binary_size),
    "cnt": _one(f"{_F}cnt/writer_made.cnt", io.read_meeg, headers.cnt),
    "fif eeg": _one(f"{_F}fif/eeg_rest_raw.fif", io.read_meeg, headers.fif),
    "fif meg": _one(f"{_F}fif/meg_ctf_raw.fif", io.read_meeg, headers.fif),
    "kit": _one(f"{_F}kit/test.sqd", io.read_meeg, headers.kit),
    "nwb units": _one("zheng_mtl/sub-4_ses-4_ecephys+image.nwb", io.read_nwb, headers.hdf5),
    "nwb series": Case(_nwb, "series.nwb", "series.nwb", read_nwb_series, headers.hdf5),
    "bids fmri": Case(_HAXBY_FILES, _HAXBY_FILES[0].split("/", 1)[1], "", _bids_fmri, headers.gzipped(headers.nifti1), tree=True),
    "bids eeg": Case(
        (*_MUSE_FILES, "muse_n170/dataset_description.json"),
        _MUSE_FILES[0].split("/", 1)[1],
        "",
        _bids_eeg,
        headers.brainvision,
        tree=True,
    ),
    "bids eeg, .eeg": Case(
        (*_MUSE_FILES, "muse_n170/dataset_description.json"),
        _MUSE_FILES[1].split("/", 1)[1],
        "",
        _bids_eeg,
        headers.binary_size,
        tree=True,
    ),
    "events": _one(f"{_HAXBY}_events.tsv", read_events, states_length=False),
    "confounds": _one(f"{_HAXBY_LOW}_run-01_desc-confounds_timeseries.tsv", read_confounds, states_length=False),
    "stored array": Case(_stored, "stored/data.npy", "stored", load, headers.npy),
    "stored marker": Case(_stored, "stored/meta.json", "stored", load, headers.marker),
}


def fingerprint(obj: Any) -> str:
    """Hash of everything that a user computes with: the whole signal, clock, names and events."""
    digest = hashlib.sha256()
    for value in _content(obj):
        digest.update(value)
    return digest.hexdigest()


def _content(obj: Any) -> list[bytes]:
    if isinstance(obj, pd.DataFrame):
        return [obj.to_csv().encode()]
    if isinstance(obj, SpikeTrains):
        return [obj.times.tobytes(), obj.unit.tobytes(), _table(obj.events)]
    if isinstance(obj, Recording):
        names = "\n".join(obj.names).encode()
        return [np.asarray(obj.data).tobytes(), repr((obj.data.shape, obj.sfreq, obj.t0)).encode(), names, _table(obj.events)]
    return [np.asarray(part).tobytes() + repr(np.shape(part)).encode() for part in obj]


def _table(events: pd.DataFrame) -> bytes:
    return bytes(events[["onset", "trial_type"]].to_csv().encode()) if "trial_type" in events else bytes(events.to_csv().encode())
