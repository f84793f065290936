"""What the first bytes of a file must be, so that an error page is never stored under the name of data."""

from __future__ import annotations

_PAGES = (b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")
_MARKUP = (".html", ".htm", ".xml", ".svg", ".gii", ".xhtml")
_MAGIC: dict[str, tuple[bytes, ...]] = {
    ".gz": (b"\x1f\x8b",),
    ".tgz": (b"\x1f\x8b",),
    ".zip": (b"PK",),
    ".npz": (b"PK",),
    ".npy": (b"\x93NUMPY",),
    ".h5": (b"\x89HDF",),
    ".hdf5": (b"\x89HDF",),
    ".nwb": (b"\x89HDF",),
    ".nii": (b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0", b"\0\0\x02\x1c"),
    ".set": (b"MATLAB", b"\x89HDF"),
    ".edf": (b"0  ",),
    ".bdf": (b"\xffBIOSEMI",),
    ".vhdr": (b"Brain", b"BrainVision", b"\xef\xbb\xbfBrain"),
    ".png": (b"\x89PNG",),
    ".jpg": (b"\xff\xd8",),
    ".jpeg": (b"\xff\xd8",),
    ".pdf": (b"%PDF",),
}
N_BYTES = 512


def check_content(path: str, head: bytes) -> str | None:
    """Say what is wrong with the first bytes of a file.

    Parameters
    ----------
    path : str
        Its name.
    head : bytes
        Its first 512 bytes, or all it has.

    Returns
    -------
    str or None
        What is wrong, without a full stop; None where the bytes may be what the name says.
    """
    name = path.lower()
    if not name.endswith(_MARKUP) and head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        return "the server sent a web page instead of the file"
    magic = next((starts for suffix, starts in _MAGIC.items() if name.endswith(suffix)), None)
    if magic and head and not head.startswith(tuple(start[: len(head)] for start in magic)):
        return f"it begins with {head[:8]!r}, which no {name[name.rfind('.') :]} file does"
    return None
