"""Files made to do harm: each would leave a mark, or show a secret, where a reader executed it or left its folder."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import bids_trees
import h5py
import meeg_files
import mne
import nibabel
import numpy as np
import pandas as pd
import scipy.io

from neurodecode.data import Recording, save
from neurodecode.data.store import MARKER, _write_marker

SECRET = 7.25  # the value that must never come out


class Payload:
    """An object whose unpickling writes the mark."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> Any:
        return (open, (str(self._mark), "w"))


def pickled(folder: Path) -> bytes:
    """Bytes that write the mark when they are unpickled."""
    return pickle.dumps(Payload(folder.parent / "mark"), protocol=2)


def secret(folder: Path, n_bytes: int = 4000) -> Path:
    """A file of the user beside the folder that was sent."""
    path = folder.parent / "secret.bin"
    path.write_bytes(np.full(n_bytes // 4, SECRET, "<f4").tobytes())
    return path


def object_array(folder: Path) -> Path:
    """An array of objects."""
    path = folder / "x.npy"
    np.save(path, np.array([Payload(folder.parent / "mark")], dtype=object), allow_pickle=True)
    return path


def object_archive(folder: Path) -> Path:
    """An archive with an array of objects."""
    path = folder / "x.npz"
    np.savez(path, np.array([Payload(folder.parent / "mark")], dtype=object), allow_pickle=True)
    return path


def torch_file(folder: Path) -> Path:
    """The layout of torch.save: a zip file with a pickle."""
    path = folder / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickled(folder))
    return path


def stored(folder: Path, content: bytes | None = None) -> Path:
    """A saved recording, with other bytes as its signal and every checksum made to fit."""
    channels = pd.DataFrame({"name": ["Fz"], "kind": "eeg", "unit": "V"})
    root = save(Recording(np.zeros((1, 10)), 10.0, channels), folder / "stored")
    header = json.loads((root / MARKER).read_text())
    (root / MARKER).unlink()
    (root / "data.npy").write_bytes(object_array(folder).read_bytes() if content is None else content)
    _write_marker(root, {name: value for name, value in header.items() if name not in ("seal", "members")})
    return root


def stored_pickle(folder: Path) -> Path:
    """A saved recording whose signal is a pickle."""
    return stored(folder, pickled(folder))


def stored_link(folder: Path) -> Path:
    """A saved recording whose signal is a link to a secret."""
    root = stored(folder, np.lib.format.magic(1, 0))
    (root / "data.npy").unlink()
    (root / "data.npy").symlink_to(secret(folder))
    return root


def stored_outside(folder: Path) -> Path:
    """A saved recording with a member that lies elsewhere."""
    root = stored(folder)
    text = (root / MARKER).read_text().replace('"data.npy"', '"../../secret.bin"')
    (root / MARKER).write_text(text)
    secret(folder)
    return root


def deep_json(folder: Path) -> Path:
    """A volume whose sidecar is nested a hundred thousand times."""
    path = bids_trees.write_volume(folder / "x.nii", bids_trees.bold(0))
    (folder / "x.json").write_text("[" * 100_000 + "]" * 100_000)
    return path


def long_number(folder: Path) -> Path:
    """A volume whose sidecar holds a number of ten million digits."""
    path = bids_trees.write_volume(folder / "x.nii", bids_trees.bold(0))
    (folder / "x.json").write_text('{"RepetitionTime": ' + "9" * 10_000_000 + "}")
    return path


def deep_marker(folder: Path) -> Path:
    """A folder whose meta.json is nested a hundred thousand times."""
    root = folder / "stored"
    root.mkdir()
    (root / MARKER).write_text('{"format": ' + "[" * 100_000)
    return root


def mat_object(folder: Path) -> Path:
    """An EEGLAB file with an object of a MATLAB class in place of its struct."""
    fields = np.zeros((1, 1), dtype=[("nbchan", object), ("code", object)])
    fields[0, 0] = (np.array([[2.0]]), "system('touch mark')")
    path = folder / "x.set"
    scipy.io.savemat(path, {"EEG": scipy.io.matlab.MatlabObject(fields, classname="inline")}, appendmat=False)
    return path


def mat_text(folder: Path) -> Path:
    """An EEGLAB file with MATLAB code in the place of its numbers."""
    path = folder / "x.set"
    code = "@() system('touch mark')"
    scipy.io.savemat(path, {"EEG": {"nbchan": code, "pnts": code, "trials": code, "srate": code, "data": code}}, appendmat=False)
    return path


def set_data_outside(folder: Path) -> Path:
    """An EEGLAB file whose signal is a secret beside its folder."""
    secret(folder)
    path = folder / "x.set"
    eeg = {"nbchan": 1.0, "pnts": 1000.0, "trials": 1.0, "srate": 100.0, "xmin": 0.0, "xmax": 9.99, "event": [], "chanlocs": []}
    scipy.io.savemat(path, {"EEG": {**eeg, "data": "../secret.bin"}}, appendmat=False)
    return path


def _brainvision(folder: Path, name: str) -> Path:
    header = meeg_files.write_brainvision(folder / "x.vhdr")
    text = header.read_text(encoding="utf-8").replace("DataFile=x.eeg", f"DataFile={name}").replace("INT_16", "IEEE_FLOAT_32")
    header.write_text(text, encoding="utf-8")
    return header


def brainvision_above(folder: Path) -> Path:
    """A BrainVision header whose signal is a secret above."""
    secret(folder, 4800)
    return _brainvision(folder, "../secret.bin")


def brainvision_absolute(folder: Path) -> Path:
    """A BrainVision header whose signal is a secret given by its whole path."""
    return _brainvision(folder, str(secret(folder, 4800)))


def brainvision_markers_above(folder: Path) -> Path:
    """A BrainVision header whose markers are a file above."""
    header = meeg_files.write_brainvision(folder / "x.vhdr")
    (folder / "x.vmrk").rename(folder.parent / "secret.vmrk")
    header.write_text(
        header.read_text(encoding="utf-8").replace("MarkerFile=x.vmrk", "MarkerFile=../secret.vmrk"), encoding="utf-8"
    )
    return header


def _gifti(folder: Path, change: tuple[str, str]) -> Path:
    arrays = [nibabel.gifti.GiftiDataArray(np.arange(5, dtype=np.float32), intent="NIFTI_INTENT_TIME_SERIES") for _ in range(3)]
    text = nibabel.gifti.GiftiImage(darrays=arrays).to_bytes().decode()
    assert change[0] in text
    path = folder / "x.func.gii"
    path.write_text(text.replace(*change))
    return path


def billion_laughs(folder: Path) -> Path:
    """A GIFTI file with entities that expand to gigabytes."""
    entities = '<!ENTITY e0 "laugh">' + "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 11))
    start = f'<!DOCTYPE GIFTI [{entities}]><GIFTI Version="1.0" NumberOfDataArrays="1"><MetaData><MD><Name>&e10;</Name>'
    path = folder / "x.func.gii"
    path.write_text(f'<?xml version="1.0"?>{start}<Value>1</Value></MD></MetaData></GIFTI>')
    return path


def external_entity(folder: Path) -> Path:
    """A GIFTI file that includes a secret as an entity."""
    start = f'<!DOCTYPE GIFTI [<!ENTITY secret SYSTEM "{secret(folder).as_uri()}">]><GIFTI Version="1.0" NumberOfDataArrays="1">'
    path = folder / "x.func.gii"
    path.write_text(f'<?xml version="1.0"?>{start}<MetaData><MD><Name>&secret;</Name></MD></MetaData></GIFTI>')
    return path


def gifti_outside(folder: Path) -> Path:
    """A GIFTI file whose values are a secret above."""
    secret(folder)
    path = _gifti(folder, ('Encoding="GZipBase64Binary"', 'Encoding="ExternalFileBinary"'))
    path.write_text(path.read_text().replace('ExternalFileName=""', 'ExternalFileName="../secret.bin"'))
    return path


def _nwb(folder: Path) -> tuple[Path, Path]:
    other = folder.parent / "secret.h5"
    with h5py.File(other, "w") as file:
        file["data"] = np.full((400, 3), SECRET)
    return meeg_files.write_nwb(folder / "x.nwb"), other


def nwb_link(folder: Path) -> Path:
    """An NWB file whose signal is a link to another file."""
    path, _ = _nwb(folder)
    with h5py.File(path, "r+") as file:
        attributes = dict(file["acquisition/ecog/data"].attrs)
        del file["acquisition/ecog/data"]
        file["acquisition/ecog/data"] = h5py.ExternalLink("../secret.h5", "/data")
        assert attributes
    return path


def nwb_soft_link(folder: Path) -> Path:
    """An NWB file with a link from one of its groups to another that leads to another file."""
    path = nwb_link(folder)
    with h5py.File(path, "r+") as file:
        file["acquisition/more"] = h5py.SoftLink("/acquisition/ecog")
    return path


def nwb_raw(folder: Path) -> Path:
    """An NWB file whose signal is stored in another file."""
    path, _ = _nwb(folder)
    with h5py.File(path, "r+") as file:
        del file["acquisition/ecog/data"]
        external = [(str(secret(folder, 4800)), 0, 4800)]
        file["acquisition/ecog"].create_dataset("data", (400, 3), "<f4", external=external)
    return path


def nwb_virtual(folder: Path) -> Path:
    """An NWB file whose signal is a view of another file."""
    path, other = _nwb(folder)
    layout = h5py.VirtualLayout((400, 3), "f8")
    layout[:] = h5py.VirtualSource(str(other), "data", (400, 3))
    with h5py.File(path, "r+") as file:
        del file["acquisition/ecog/data"]
        file["acquisition/ecog"].create_virtual_dataset("data", layout)
    return path


def set_link(folder: Path) -> Path:
    """An EEGLAB file of MATLAB 7.3 whose signal is a link to another file."""
    _, other = _nwb(folder)
    path = folder / "x.set"
    with h5py.File(path, "w") as file:
        for name, value in {"nbchan": 3.0, "pnts": 400.0, "trials": 1.0, "srate": 100.0, "xmin": 0.0, "xmax": 3.99}.items():
            file[f"EEG/{name}"] = np.array([[value]])
        file["EEG/data"] = h5py.ExternalLink(str(other), "/data")
    return path


SHELL_NAME = "x; touch mark $(touch mark) `touch mark` & .."


def fif_shell_name(folder: Path) -> Path:
    """A whole FIF file whose name and description are shell commands."""
    info = mne.create_info(1, 100.0, "eeg")
    with info._unlock():
        info["description"] = "$(touch mark)"
    path = folder / f"{SHELL_NAME}_raw.fif"
    mne.io.RawArray(np.zeros((1, 200)), info, verbose="error").save(path, verbose="error")
    return path


def nifti_shell_name(folder: Path) -> Path:
    """A whole NIfTI file whose name and description are shell commands."""
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2, 5), np.int16), np.eye(4))
    image.header["descrip"] = b"$(touch mark)"
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = 2
    path = folder / f"{SHELL_NAME}.nii"
    path.write_bytes(image.to_bytes())
    return path


def link_loop(folder: Path) -> Path:
    """A link to itself."""
    path = folder / "x.nii"
    path.symlink_to(path)
    return path


def link_nowhere(folder: Path) -> Path:
    """A link to nothing."""
    path = folder / "x.edf"
    path.symlink_to(folder / "gone.edf")
    return path


REFUSED = [
    *(object_array, object_archive, torch_file, stored, stored_pickle, stored_link, stored_outside),
    *(deep_json, long_number, deep_marker, mat_object, mat_text, set_data_outside),
    *(brainvision_above, brainvision_absolute, brainvision_markers_above),
    *(billion_laughs, external_entity, gifti_outside, nwb_link, nwb_soft_link, nwb_raw, nwb_virtual, set_link),
    *(link_loop, link_nowhere),
]
HARMLESS = [fif_shell_name, nifti_shell_name]
EXTENSIONS = (
    *(".fif", ".fif.gz", ".edf", ".bdf", ".gdf", ".vhdr", ".set", ".cnt", ".sqd", ".con", ".nwb", ".snirf"),
    *(".nii", ".nii.gz", ".dtseries.nii", ".func.gii", ".h5", ".hdf5", ".mat", ".npy", ".eeg", ".dat"),
)


def bomb(n_bytes: int) -> bytes:
    """A gzip file that grows a thousandfold."""
    import gzip

    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=9, mtime=0) as file:
        for _ in range(n_bytes // 2**20):
            file.write(bytes(2**20))
    return target.getvalue()
