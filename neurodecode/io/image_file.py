"""Voxels of a NIfTI file read stretch by stretch, and the check that the file is as long as its header says."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import require
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.guard import AGAIN, existing_file, reading
from neurodecode.io.nifti_header import check_header
from neurodecode.io.timing import Stated

_CHUNK = 2**20


class ImageFile(NamedTuple):
    """Where the voxels of an image lie in its file, and how they become numbers."""

    path: str
    """File with the voxels (of a .hdr/.img pair the .img)."""
    shape: tuple[int, ...]
    """Shape; time is the last axis of a volume and the first of a CIFTI series."""
    dtype: np.dtype[Any]
    """Type on disk."""
    offset: int
    """Bytes before the first voxel in the uncompressed file."""
    slope: float
    """Factor from stored to true values."""
    inter: float
    """Added after the factor."""

    @property
    def n_bytes(self) -> int:
        """Bytes the uncompressed file must have."""
        return self.offset + int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    def read(self, start: int, stop: int, axis: int = -1, voxels: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Values start to stop - 1 along the axis of time; at the end of a gzip file its checksum is checked.

        With `voxels`, places in the order of the file, only these: shape (n_voxels, stop - start).
        """
        fileslice = require("nibabel.fileslice", "reading NIfTI", "fmri").fileslice
        opener = require("nibabel.openers", "reading NIfTI", "fmri").ImageOpener
        scale = require("nibabel.volumeutils", "reading NIfTI", "fmri").apply_read_scaling
        window = [slice(None)] * len(self.shape)
        window[axis] = slice(start, stop)
        what = f"volumes {start} to {stop - 1} of {self.shape[axis]} cannot be read"
        with reading(self.path, what), opener(self.path) as file:
            stored = fileslice(file, tuple(window), self.shape, self.dtype, self.offset, order="F")
            if stop == self.shape[axis]:
                _drain(file)
            if voxels is not None:  # one volume after the other, as they lie in the file
                stored = stored.reshape(int(np.prod(self.shape[:-1])), stop - start, order="F").T[:, voxels].T
            return np.asarray(scale(stored, np.asarray(self.slope), np.asarray(self.inter)), dtype=np.float32)


class VoxelReader:
    """Reads the voxels of a mask in a stretch of time; goes into a `LazySignal` and travels between processes.

    Parameters
    ----------
    file : ImageFile
        The file.
    mask : array of bool of shape (x, y, z)
        Voxels to return, in C order of i, j, k.
    """

    def __init__(self, file: ImageFile, mask: NDArray[np.bool_]) -> None:
        self._file = file
        self._voxels = np.ravel_multi_index(np.nonzero(mask), mask.shape, order="F")

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        """Values of shape (n_voxels, stop - start)."""
        return np.ascontiguousarray(self._file.read(start, stop, voxels=self._voxels))


def open_image(path: str | Path) -> Any:
    """Open an image with nibabel and check that its voxels are all there.

    Parameters
    ----------
    path : str or Path
        A NIfTI-1 or NIfTI-2 file (.nii, .nii.gz, .hdr/.img) or a CIFTI-2 file.

    Returns
    -------
    nibabel image
        Its data unread.

    Raises
    ------
    CorruptFileError
        If the header cannot be read, or the file is shorter or longer than it says.
    FormatError
        If the file is missing, or an image of another format.
    """
    file = existing_file(path)
    nibabel = require("nibabel", "reading NIfTI", "fmri")
    check_header(file)
    with reading(file, "it is no image that nibabel can open"):
        image = nibabel.load(file)
    if not isinstance(image, (nibabel.Nifti1Pair, nibabel.Cifti2Image)):
        remedy = "Use read_gifti" if "Gifti" in type(image).__name__ else "Convert it, e.g. with mri_convert or 3dcopy"
        raise FormatError(file, f"this is a {type(image).__name__}, expected NIfTI or CIFTI-2", remedy)
    check_complete(locate(image))
    return image


def locate(image: Any) -> ImageFile:
    """Where nibabel finds the voxels of an image that it opened."""
    proxy, path = image.dataobj, image.file_map["image"].filename
    shape = tuple(int(n) for n in proxy.shape)
    if not shape or min(shape) < 1:
        raise CorruptFileError(path, f"its header gives the shape {shape}", AGAIN)
    return ImageFile(str(path), shape, np.dtype(proxy.dtype), int(proxy.offset), float(proxy.slope), float(proxy.inter))


def check_complete(file: ImageFile) -> None:
    """Compare the length of a file with what its header demands.

    Of a gzip file the length noted at its end is compared; only where that differs (it is damaged, or was written in several
    parts) is it unpacked to count.

    Parameters
    ----------
    file : ImageFile
        What the header says.

    Raises
    ------
    CorruptFileError
        If bytes are missing, or there are more.
    """
    path, expected = existing_file(file.path), file.n_bytes
    if path.suffix.lower() == ".gz":
        got = _unpacked_bytes(path, expected, expected + file.offset)
    elif path.suffix.lower() in (".bz2", ".zst"):
        return
    else:
        got = path.stat().st_size
    if got not in (expected, expected + file.offset):  # some writers leave room for a second header at the end
        verdict = "it is truncated" if got < expected else "one of the two is wrong"
        asked = f"its header (shape {file.shape}, {file.dtype}) demands {expected}"
        raise CorruptFileError(path, f"it holds {got} bytes, {asked}: {verdict}", AGAIN)


def _unpacked_bytes(path: Path, expected: int, most: int) -> int:
    """Length of a gzip file when unpacked, `expected` where its end says so, else counted until it is more than `most`."""
    with open(path, "rb") as raw:
        if path.stat().st_size >= 18:
            raw.seek(-4, 2)
            if struct.unpack("<I", raw.read(4))[0] == expected % 2**32:
                return expected
    total = 0
    with reading(path, "it is damaged or truncated: the compressed data end or break off too early"), gzip.open(path) as stream:
        while total <= most and (chunk := stream.read(_CHUNK)):
            total += len(chunk)
    return total


def _drain(file: Any) -> None:
    """Read to the end of the file: only there does gzip compare the checksum."""
    while file.read(_CHUNK):
        pass


def stated_tr(image: Any) -> Stated:
    """Repetition time of a NIfTI header, with its unit."""
    with reading(image.get_filename(), "its header has no valid unit of time"):
        return Stated(float(image.header["pixdim"][4]), image.header.get_xyzt_units()[1])


def check_real(path: Path, dtype: np.dtype[Any]) -> None:
    """Refuse voxels that are not real numbers (RGB, complex)."""
    if dtype.kind not in "iuf":
        raise FormatError(
            path, f"its voxels are {dtype}, expected real numbers", "Convert it to integer or floating point images"
        )
