"""Tell what a file or folder is by what is inside, not by how it is called."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurodecode.data.validate import require, suggest
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.checksums import check_known

_ADVICE = {
    "bids": "This is a BIDS folder: use read_bids(root, subject=..., task=...), or read_bids_all for all its recordings",
    "brainvision markers": "Pass the header beside it, the file that ends in .vhdr",
    "xdf": "Neither MNE nor neurodecode reads XDF: convert it to BrainVision or EDF, for instance with MNELAB",
    "suite2p": "Calcium imaging is not supported yet: load the arrays with numpy and make a Recording of them",
    "tiff": "Calcium imaging is not supported yet: extract the traces and make a Recording of them",
    "mat": "Load it with scipy.io.loadmat or pymatreader and make a Recording of the array; EEGLAB files are recognised",
    "hdf5": "Load it with h5py and make a Recording of the array; NWB files are recognised",
    "numpy": "Load it with numpy.load and make a Recording of the array",
}
_SUPPORTED = (
    "Supported are FIF, EDF, BDF, GDF, BrainVision (.vhdr), EEGLAB (.set), Neuroscan and ANT CNT, CTF, KIT, EGI MFF, what "
    "else MNE reads, NWB, NIfTI, CIFTI, GIFTI, folders written by neurodecode.data.save, and BIDS folders through read_bids"
)
_NAMES_THAT_PROMISE = (
    *(".fif", ".fif.gz", ".edf", ".bdf", ".gdf", ".vhdr", ".set", ".cnt", ".sqd", ".con"),
    *(".nwb", ".snirf", ".nii", ".nii.gz", ".gii", ".h5", ".hdf5", ".mat"),
)
_HEAD = 4096
_HDF5 = b"\x89HDF\r\n\x1a\n"
_AGAIN = "Copy or download it again and compare its checksum with that of the origin"
# Formats without a signature, which MNE tells by their names only.
_BY_NAME = (".nxe", ".lay", ".data", ".cdt", ".dap", ".rs3", ".cef", ".nedf", ".ns3", ".asc", ".eeg", ".dat", ".bin", ".hdr")


def sniff(path: str | Path) -> str:
    """Name the format of a file or folder by its content.

    Parameters
    ----------
    path : str or Path
        A file or a folder.

    Returns
    -------
    str
        One of fif, edf, bdf, gdf, brainvision, brainvision markers, eeglab, cnt, ant, kit, xdf, snirf, nwb, nifti, cifti,
        gifti, mat, hdf5, numpy, tiff; for folders neurodecode, bids, ctf, mff, mef, suite2p; "mne" for a file that has no
        signature but a name ending that MNE knows; "unknown" for everything else.

    Raises
    ------
    FormatError
        If there is no such path; the message names the closest ones.
    CorruptFileError
        If the file is empty or its container cannot be opened.
    """
    place = existing(path)
    if place.is_dir():
        return _folder_kind(place)
    head = _head(place)
    kind = next((name for name, matches in _SIGNATURES.items() if matches(head)), "unknown")
    if kind == "hdf5":
        return _hdf5_kind(place)
    if kind == "mat":
        return _mat_kind(place)
    if kind == "unknown" and place.suffix.lower() in _BY_NAME:
        return "mne"
    return kind


def existing(path: str | Path) -> Path:
    """Return `path` if it is there and as its known checksum says, else raise an error with the closest name beside it."""
    place = Path(path)
    if place.exists():
        return check_known(place) if place.is_file() else place
    if place.is_symlink():
        raise FormatError(place, "it is a link to content that is not here", "Fetch it first, e.g. with datalad get")
    if not place.parent.is_dir():
        raise FormatError(place, "it does not exist, and neither does its folder", f"Check the path; {place.parent} is not there")
    names = sorted(entry.name for entry in place.parent.iterdir())[:5000]
    advice = suggest(place.name, names) if names else "the folder is empty"
    raise FormatError(place, "it does not exist", f"In its folder, {advice}" if len(advice) < 400 else "Check the path")


def _head(path: Path) -> bytes:
    """First bytes of a file; of a gzip file, those inside."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(path, "rb") as inner:
                head = inner.read(_HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise CorruptFileError(path, f"it cannot be opened ({error})", _AGAIN) from error
    if not head:
        raise CorruptFileError(path, "it is empty (0 bytes)", _AGAIN)
    return head


# --- signatures ----------------------------------------------------------------------------------------------------


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(marks)


def _is_edf(head: bytes) -> bool:
    """Version 0 padded with blanks, and a number where the length of the header stands."""
    return head.startswith(b"0       ") and head[184:192].strip().isdigit()


def _is_kit(head: bytes) -> bool:
    """The directory of a KIT file begins with the entry of the directory itself: offset 0, 16 bytes per entry."""
    if len(head) < 32:
        return False
    offset, size, most, count = struct.unpack("<4I", head[:16])
    return bool(offset == 0 and size == 16 and 0 < count <= most < 1024)


def _is_ant(head: bytes) -> bool:
    return head[:4] in (b"RIFF", b"RF64") and b"CNT" in head[8:16].upper()


def _is_nifti(head: bytes) -> bool:
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def _is_cifti(head: bytes) -> bool:
    """A NIfTI-2 header whose intent code (offset 504) is one of those of connectivity files."""
    if head[4:8] != b"n+2\0" or len(head) < 508:
        return False
    order = "<" if head[:4] == struct.pack("<i", 540) else ">"
    return bool(3000 <= struct.unpack(order + "i", head[504:508])[0] < 3100)


def _is_gifti(head: bytes) -> bool:
    return b"<GIFTI" in head


_SIGNATURES: dict[str, Callable[[bytes], bool]] = {
    "fif": _starts(struct.pack(">3i", 100, 31, 20)),
    "edf": _is_edf,
    "bdf": _starts(b"\xffBIOSEMI"),
    "gdf": _starts(b"GDF "),
    "brainvision": lambda head: b"Data Exchange Header File" in head[:80] and b"Brain" in head[:20],
    "brainvision markers": lambda head: b"Data Exchange Marker File" in head[:80] and b"Brain" in head[:20],
    "cnt": _starts(b"Version 3."),
    "ant": _is_ant,
    "xdf": _starts(b"XDF:"),
    "mat": _starts(b"MATLAB 5.0 MAT-file", b"MATLAB 7."),
    "hdf5": _starts(_HDF5),
    "cifti": _is_cifti,
    "nifti": _is_nifti,
    "gifti": _is_gifti,
    "numpy": _starts(b"\x93NUMPY"),
    "tiff": _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "kit": _is_kit,
}


# --- containers ----------------------------------------------------------------------------------------------------


def _hdf5_kind(path: Path) -> str:
    h5py = require("h5py", "reading HDF5 and NWB files", "meeg")
    try:
        with h5py.File(path, "r") as file:
            if "nwb_version" in file.attrs:
                return "nwb"
            if "formatVersion" in file:
                return "snirf"
            return "eeglab" if _is_eeglab(file) else "hdf5"
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise CorruptFileError(path, f"it is an HDF5 file that cannot be opened ({error})", _AGAIN) from error


def _mat_kind(path: Path) -> str:
    """EEGLAB files are MAT files that hold EEG, or its fields; a name that ends in .set settles it."""
    if path.suffix.lower() == ".set":
        return "eeglab"
    with open(path, "rb") as file:
        if file.read(520)[512:] == _HDF5:
            return "eeglab" if _hdf5_kind(path) == "eeglab" else "mat"
    scipy_io = require("scipy.io", "reading MAT files", "meeg")
    try:
        names = {name for name, _, _ in scipy_io.whosmat(path)}
    except (OSError, ValueError, TypeError, KeyError, EOFError, zlib.error) as error:
        raise CorruptFileError(path, f"it is a MAT file that cannot be opened ({error})", _AGAIN) from error
    return "eeglab" if _is_eeglab(names) else "mat"


def _is_eeglab(names: Any) -> bool:
    return "EEG" in names or all(name in names for name in ("nbchan", "pnts", "srate"))


# --- folders -------------------------------------------------------------------------------------------------------


def _folder_kind(folder: Path) -> str:
    names = {entry.name for entry in folder.iterdir()}
    if "meta.json" in names and _is_ours(folder / "meta.json"):
        return "neurodecode"
    if any(name.endswith((".meg4", ".res4")) for name in names):  # inside BIDS their names begin with sub- as well
        return "ctf"
    if "dataset_description.json" in names or any(name.startswith("sub-") for name in names):
        return "bids"
    if "signal1.bin" in names or folder.suffix == ".mff":
        return "mff"
    if folder.suffix == ".mefd":
        return "mef"
    if {"F.npy", "Fneu.npy"} <= names or "suite2p" in names or "plane0" in names:
        return "suite2p"
    return "unknown"


def _is_ours(marker: Path) -> bool:
    try:
        header = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return True  # only `load` can say what is wrong with a damaged marker
    return isinstance(header, dict) and header.get("format") == "neurodecode"


# --- advice --------------------------------------------------------------------------------------------------------


def unsupported(path: str | Path, kind: str) -> FormatError:
    """The error for content that the function at hand does not read, with what to do instead.

    Parameters
    ----------
    path : str or Path
        File or folder.
    kind : str
        What `sniff` says it is.

    Returns
    -------
    FormatError
        To be raised; a `CorruptFileError` where the name promises a format with a signature.
    """
    place = Path(path)
    if kind == "unknown" and place.is_file() and place.name.lower().endswith(_NAMES_THAT_PROMISE):
        return CorruptFileError(place, "it does not begin as a file of this name should", _AGAIN)
    known = kind not in ("unknown", "mne")
    what = f"it is a {kind} {_noun(place)}, which is not read here" if known else "its content is not recognised"
    return FormatError(path, what, header_beside(path) or _ADVICE.get(kind) or _SUPPORTED)


def _noun(path: str | Path) -> str:
    return "folder" if Path(path).is_dir() else "file"


def header_beside(path: str | Path) -> str:
    """Advice for a part of a recording in several files: the file to pass instead, or nothing."""
    file = Path(path)
    for ending in (".vhdr", ".ahdr", ".set"):
        if file.suffix.lower() in (".eeg", ".dat", ".avg", ".fdt") and file.with_suffix(ending).is_file():
            return f"It is a part of the recording {file.with_suffix(ending).name}: pass that file"
    if file.suffix in (".meg4", ".res4") and file.parent.suffix == ".ds":
        return f"It is a part of the recording {file.parent.name}: pass that folder"
    return ""
