"""Headers that contradict their file: one function per format, ``(content, generator) -> (content, what was changed)``.

Only what the file itself contradicts is changed: counts, sizes, offsets, magic numbers and types of another width. A change that
leaves a consistent file of other values (float to integer of the same width, axes swapped) is not a contradiction; only a
checksum finds it.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Changed = tuple[bytes, str]
Change = Callable[[bytes, np.random.Generator], Changed]


def put(content: bytes, offset: int, layout: str, value: Any) -> Changed:
    """Write one number over what stands there."""
    before = struct.unpack_from(layout, content, offset)
    out = bytearray(content)
    struct.pack_into(layout, out, offset, value)
    return bytes(out), f"byte {offset}: {before[0]!r} -> {value!r}"


def other(generator: np.random.Generator, true: int, extremes: Sequence[int] = (0, -1)) -> int:
    """A count near the true one, or far from it, but never the same."""
    near = [true + step for step in (-3, -2, -1, 1, 2, 3)]
    far = [2 * true, true // 2, 10 * true, *extremes]
    return int(generator.choice([value for value in near + far if value != true]))


def clipped(value: int, layout: str) -> int:
    """The nearest value that the layout can hold."""
    bits = 8 * struct.calcsize(layout)
    low, high = (0, 2**bits - 1) if layout[-1].isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return min(max(value, low), high)


def count(content: bytes, generator: np.random.Generator, offset: int, layout: str) -> Changed:
    """Another count in place of the true one."""
    true = int(struct.unpack_from(layout, content, offset)[0])
    extremes = (0, clipped(-1, layout), clipped(2**62, layout))
    value = clipped(other(generator, true, extremes), layout)
    return put(content, offset, layout, value if value != true else clipped(true + 1, layout))


def gzipped(change: Change) -> Change:
    """The same change inside a gzip file."""

    def inside(content: bytes, generator: np.random.Generator) -> Changed:
        plain, what = change(gzip.decompress(content), generator)
        return gzip.compress(plain, 6, mtime=0), what

    return inside


# --- images --------------------------------------------------------------------------------------------------------

_WIDTHS = {2: 8, 4: 16, 8: 32, 16: 32, 64: 64, 256: 8, 512: 16, 768: 32, 1024: 64}  # bits of each NIfTI type


def _image_type(content: bytes, generator: np.random.Generator, offset: int) -> Changed:
    """A type of voxels of another width, or one that does not exist."""
    true = _WIDTHS[struct.unpack_from("<h", content, offset)[0]]
    codes = [code for code, bits in _WIDTHS.items() if bits != true] + [3, 99, 9999, -1, 128, 32]
    return put(content, offset, "<h", int(generator.choice(codes)))


def nifti1(content: bytes, generator: np.random.Generator) -> Changed:
    """Magic, shape, type and data offset of NIfTI-1."""
    field = generator.choice(["magic", "n_dims", "dim", "dim", "dim", "type", "offset", "size"])
    n_dims = struct.unpack_from("<h", content, 40)[0]
    if field == "magic":
        return put(content, 344, "4s", bytes(generator.choice([b"n+9\0", b"\0\0\0\0", b"GIF8", b"n+2\0"])))
    if field == "n_dims":
        return put(content, 40, "<h", int(generator.choice([-1, 0, 1, 2, 8, 99])))
    if field == "dim":
        return count(content, generator, 42 + 2 * int(generator.integers(n_dims)), "<h")
    if field == "type":
        return _image_type(content, generator, 70)
    if field == "offset":
        return put(content, 108, "<f", float(generator.choice([0, 16, 336, 368, 1000, 1e9, -352, np.nan, np.inf])))
    return put(content, 0, "<i", int(generator.choice([0, 340, 349, 540])))


def nifti2(content: bytes, generator: np.random.Generator) -> Changed:
    """Magic, shape, type and data offset of NIfTI-2."""
    field = generator.choice(["magic", "n_dims", "dim", "dim", "dim", "type", "offset", "size"])
    n_dims = struct.unpack_from("<q", content, 16)[0]
    if field == "magic":
        return put(content, 4, "8s", bytes(generator.choice([b"n+3\0\r\n\x1a\n", bytes(8), b"n+2\0\n\n\n\n"])))
    if field == "n_dims":
        return put(content, 16, "<q", int(generator.choice([-1, 0, 1, 2, 8, 99])))
    if field == "dim":
        used = [i for i in range(n_dims) if struct.unpack_from("<q", content, 24 + 8 * i)[0] != 1]
        return count(content, generator, 24 + 8 * int(generator.choice(used)), "<q")
    if field == "type":
        return _image_type(content, generator, 12)
    if field == "offset":
        true = struct.unpack_from("<q", content, 168)[0]
        return put(content, 168, "<q", int(generator.choice([0, 16, 528, true + 16, true + 1600, 10**12, -true])))
    return put(content, 0, "<i", int(generator.choice([0, 348, 541])))


def text(*patterns: str, numbers: bool = True) -> Change:
    """Another value for one of the attributes or elements that `patterns` find; their first group is the value."""

    def change(content: bytes, generator: np.random.Generator) -> Changed:
        pattern = str(generator.choice(patterns))
        found = list(re.finditer(pattern.encode(), content))
        match = found[int(generator.integers(len(found)))]
        true = match[1].decode()
        value = str(other(generator, int(true))) if true.lstrip("-").isdigit() else str(generator.choice(["", "other", "-1"]))
        return content[: match.start(1)] + value.encode() + content[match.end(1) :], f"{match[0].decode()!r}: {value!r}"

    return change


def gifti(content: bytes, generator: np.random.Generator) -> Changed:
    """Counts, types of another width and encodings of GIFTI arrays."""
    field = generator.choice(["dims", "type", "encoding", "arrays"])
    if field == "dims":
        return text(r'Dim0="(\d+)"', r'Dimensionality="(\d+)"')(content, generator)
    if field == "arrays":
        return text(r'NumberOfDataArrays="(\d+)"')(content, generator)
    options = {"type": (r'DataType="NIFTI_TYPE_(\w+)"', ["INT16", "FLOAT64", "UINT8", "INT64", "NONE"])}
    options["encoding"] = (r'Encoding="(\w+)"', ["ASCII", "Base64Binary", "ExternalFileBinary", "Zip"])
    pattern, values = options[str(field)]
    found = list(re.finditer(pattern.encode(), content))
    match = found[int(generator.integers(len(found)))]
    value = str(generator.choice([value for value in values if value != match[1].decode()]))
    return content[: match.start(1)] + value.encode() + content[match.end(1) :], f"{match[0].decode()!r}: {value}"


def cifti(content: bytes, generator: np.random.Generator) -> Changed:
    """Sizes of the matrix in the NIfTI header, and counts of its axes in the XML; the length of the extension is kept."""
    if generator.random() < 0.5:
        return nifti2(content, generator)
    patterns = (
        r'NumberOfSeriesPoints="(\d+)"',
        r'IndexCount="(\d+)"',
        r'IndexOffset="(\d+)"',
        r'AppliesToMatrixDimension="(\d+)"',
    )
    changed, what = text(*patterns)(content, generator)
    end = content.index(b"</CIFTI>") + 8
    grown = len(changed) - len(content)
    blanks = content[end:].find(content[end:].lstrip(b"\0"))  # the extension is padded
    if not 0 <= grown <= blanks:
        size = struct.unpack_from("<i", content, 544)[0]
        return put(content, 544, "<i", int(generator.choice([0, -16, size + 16, size * 2, 10**8])))
    return changed[: end + grown] + changed[end + 2 * grown :], what


# --- recordings ----------------------------------------------------------------------------------------------------


def edf(content: bytes, generator: np.random.Generator) -> Changed:
    """Magic, length of the header, number of records and signals, samples per record of EDF and BDF."""
    n_signals = int(content[252:256])
    field = generator.choice(["magic", "header", "records", "signals", "per record", "per record"])
    if field == "magic":
        return put(content, 0, "8s", bytes(generator.choice([b"1       ", b"\xffBIOSEM1", b"\0" * 8, b"RIFF    "])))
    places = {"header": (184, 8), "records": (236, 8), "signals": (252, 4)}
    start, width = places.get(str(field), (256 + 216 * n_signals + 8 * int(generator.integers(n_signals)), 8))
    true = int(content[start : start + width])
    value = str(other(generator, true) if generator.random() < 0.9 else "many")[:width]
    return put(content, start, f"{width}s", value.encode().ljust(width))


def brainvision(content: bytes, generator: np.random.Generator) -> Changed:
    """Magic, channels, type, orientation and names of the parts in a BrainVision header."""
    field = generator.choice(["NumberOfChannels", "BinaryFormat", "DataFile", "DataOrientation", "DataFormat", "magic", "Ch"])
    if field == "magic":
        return content.replace(b"Brain", b"Train", 1), "magic"
    if field == "Ch":
        found = list(re.finditer(rb"^Ch\d+=.*\r?\n", content, re.MULTILINE))
        line = found[int(generator.integers(len(found)))]
        return content[: line.start()] + content[line.end() :], f"{line[0]!r} left out"
    values = {
        "BinaryFormat": ["IEEE_FLOAT_64", "INT_8", "", "INT_12", "IEEE_FLOAT_32"],
        "DataFile": ["missing.eeg", "$b.vmrk", "$b.vhdr", "", "."],
        "DataOrientation": ["DIAGONAL", "", "1"],
        "DataFormat": ["TEXT", "", "1"],
    }
    line = re.search(rf"^{field}=(.*?)\r?$".encode(), content, re.MULTILINE)
    assert line
    true = line[1].decode()
    options = [value for value in values.get(str(field), []) if value != true]
    value = generator.choice(options) if options else other(generator, int(true))
    return content[: line.start(1)] + str(value).encode() + content[line.end(1) :], f"{field}={value}"


def cnt(content: bytes, generator: np.random.Generator) -> Changed:
    """Magic, channels, samples, place and length of the event table of CNT."""
    field = generator.choice(["magic", "channels", "samples", "table", "events"])
    if field == "magic":
        return put(content, 0, "10s", bytes(generator.choice([b"Version 2.", bytes(10), b"Mersion 3."])))
    table = struct.unpack_from("<i", content, 886)[0]
    places = {"channels": (370, "<H"), "samples": (864, "<i"), "table": (886, "<i"), "events": (table + 1, "<i")}
    return count(content, generator, *places[str(field)])


def fif(content: bytes, generator: np.random.Generator) -> Changed:
    """Kind, type, size or successor of a tag of FIF; tags of the data are as likely as all others together."""
    tags, position = [], 0
    while position + 16 <= len(content):
        kind, _, size, following = struct.unpack_from(">iIii", content, position)
        tags.append((position, kind))
        if following < 0:
            break
        position = following or position + 16 + size
    data = [tag for tag in tags if tag[1] == 300]
    pool = data if data and generator.random() < 0.5 else tags
    position, kind = pool[int(generator.integers(len(pool)))]
    fields = ["kind", "type", "size", "next"]
    if pool is data and len(data) == 1:
        fields.remove("type")  # nothing else in the file states the type of a single buffer
    field = generator.choice(fields)
    if field == "kind":
        kinds = [value for value in (0, 1, 300, 301, 104, 105, 200, 9999, -5) if value != kind]
        return put(content, position, ">i", int(generator.choice(kinds)))
    if field == "type":
        true = struct.unpack_from(">I", content, position + 4)[0]
        types = [value for value in (0, 1, 2, 3, 4, 5, 30, 77, 2**31) if value != true]
        return put(content, position + 4, ">I", int(generator.choice(types)))
    if field == "size":
        return count(content, generator, position + 8, ">i")
    return put(content, position + 12, ">i", int(generator.choice([16, position, position + 7, len(content) + 10, -7, 2**30])))


def kit(content: bytes, generator: np.random.Generator) -> Changed:
    """Offsets, widths and counts in the directory of KIT, and number of channels or samples."""
    n_entries = struct.unpack_from("<I", content, 12)[0]
    used = [i for i in range(n_entries) if struct.unpack_from("<I", content, 16 * i + 8)[0]]
    entry = int(generator.choice(used))
    return count(content, generator, 16 * entry + 4 * int(generator.integers(4)), "<I")


def eeglab(content: bytes, generator: np.random.Generator) -> Changed:
    """Channels, samples and trials of an EEGLAB struct, written again as MATLAB 5."""
    from scipy.io import loadmat, savemat

    variables = {name: value for name, value in loadmat(io.BytesIO(content)).items() if not name.startswith("__")}
    struct_ = variables["EEG"][0, 0] if "EEG" in variables else variables
    field = str(generator.choice(["nbchan", "pnts", "trials", "chanlocs", "data"]))
    if field == "chanlocs":
        struct_["chanlocs"], what = struct_["chanlocs"][:, :-1], "one channel location less"
    elif field == "data":
        value = np.array(["missing.fdt"]) if struct_["data"].dtype.kind == "U" else struct_["data"][:-1]
        struct_["data"], what = value, "other data"
    else:
        true = int(np.ravel(struct_[field])[0])
        value = other(generator, true)
        struct_[field], what = np.array([[float(value)]]), f"{field}: {true} -> {value}"
    target = io.BytesIO()
    savemat(target, variables, appendmat=False)
    return target.getvalue(), what


def binary_size(content: bytes, generator: np.random.Generator) -> Changed:
    """More bytes or fewer than whole samples of all channels."""
    n_bytes = int(generator.choice([1, 2, 4, 30, 4100]))
    if generator.random() < 0.5:
        return content + bytes(n_bytes), f"{n_bytes} bytes more"
    return content[:-n_bytes], f"{n_bytes} bytes less"


# --- HDF5 ----------------------------------------------------------------------------------------------------------

_FLOAT64 = bytes.fromhex("11203f000800000000004000340b0034ff030000")


def hdf5(content: bytes, generator: np.random.Generator) -> Changed:
    """Superblock, shape of a data set, width of a number of HDF5."""
    import h5py

    field = generator.choice(["superblock", "shape", "shape", "type"])
    if field == "superblock":
        offset = int(generator.choice([0, 3, 8, 13, 14, 16, 24, 40, 41]))
        return put(content, offset, "B", (content[offset] + int(generator.integers(1, 255))) % 256)
    if field == "type" and (places := [m.start() for m in re.finditer(re.escape(_FLOAT64), content)]):
        return put(content, int(generator.choice(places)) + 4, "<I", int(generator.choice([1, 2, 4, 7, 16, 1000, 0])))
    shapes: list[tuple[int, ...]] = []
    with h5py.File(io.BytesIO(content), "r") as file:
        file.visititems(lambda _, item: shapes.append(item.shape) if hasattr(item, "shape") and item.ndim else None)
    shape = shapes[int(generator.integers(len(shapes)))]
    dims = re.escape(struct.pack(f"<{len(shape)}Q", *shape))
    n_dims = re.escape(bytes([len(shape)]))  # after the version of the message; then flags and blanks, or flags and class
    pattern = rb"(\x01%b[\0\1]\0{5}|\x02%b[\0\1]\x01)%b" % (n_dims, n_dims, dims)
    starts = [match.end(1) for match in re.finditer(pattern, content, re.DOTALL)]
    start = int(generator.choice(starts))
    return count(content, generator, start + 8 * int(generator.integers(len(shape))), "<Q")


# --- our own -------------------------------------------------------------------------------------------------------


def npy(content: bytes, generator: np.random.Generator) -> Changed:
    """Magic, version, length of the header, type or shape of a .npy file."""
    if generator.random() < 0.4:
        return count(content, generator, int(generator.choice([0, 6, 8])), "B")
    return text(r"'descr': '([^']+)'", r"'shape': \((\d+)", r"'fortran_order': (\w+)")(content, generator)


def marker(content: bytes, generator: np.random.Generator) -> Changed:
    """A number or a word of meta.json."""
    return text(r'"bytes": (\d+)', r'"version": (\d+)', r'"kind": "(\w+)"', r'"sha256": "(\w+)"')(content, generator)
