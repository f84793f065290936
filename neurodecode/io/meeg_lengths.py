"""Checks of a recording's length against what its own header states, before anything is believed.

Each format that states a length has one check. A reader that infers the length from the size of the file would take a
truncated recording for a shorter one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from neurodecode.errors import CorruptFileError
from neurodecode.io.eeglab_counts import check_counts
from neurodecode.io.fif_structure import check_fif
from neurodecode.io.mat_structure import check_mat
from neurodecode.io.outside import check_name

_AGAIN = "Copy or download it again and compare its checksum; read_meeg(..., strict=False) reads what is there"
_BRAINVISION_BYTES = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4, "IEEE_FLOAT_64": 8}


def check_length(path: Path, kind: str, options: Mapping[str, Any]) -> None:
    """Raise `CorruptFileError` if a file is shorter or longer than its header states, as far as its format states it.

    Parameters
    ----------
    path : Path
        The file that the user passes.
    kind : str
        Its format, as `neurodecode.io.sniff.sniff` names it.
    options : mapping
        What the user passes to the reader; options that repair a length switch the check of that length off.

    Raises
    ------
    CorruptFileError
        If the length is wrong; the message has the length stated and the one found.
    """
    if kind in _CHECKS and not _REPAIRS.get(kind, set()) & set(options):
        _CHECKS[kind](path)


def _wrong(path: Path, what: str, remedy: str = _AGAIN) -> CorruptFileError:
    return CorruptFileError(path, what, remedy)


# --- EDF and BDF ---------------------------------------------------------------------------------------------------


def _check_edf(path: Path) -> None:
    """Header length + records x bytes per record = file size; -1 records means "not closed", then records must be whole."""
    fixed, per_record = _edf_header(path)
    header, n_records = int(fixed[184:192]), int(fixed[236:244])
    record = sum(per_record.values()) * (3 if fixed[:1] == b"\xff" else 2)
    found = path.stat().st_size - header
    if record <= 0 or found < 0:
        raise _wrong(path, f"its header of {header} bytes states records of {record} bytes, the file has {found + header} bytes")
    if header != 256 * (len(per_record) + 1):
        raise _wrong(path, f"its header states {len(per_record)} signals and a length of {header} bytes, which do not fit")
    if n_records < 0 and found % record:
        raise _wrong(path, f"its last record is incomplete: {found % record} of {record} bytes")
    if n_records >= 0 and found != n_records * record:
        raise _wrong(path, f"its header states {n_records} records of {record} bytes, there are {found / record:.6g}")


def has_mixed_rates(path: Path) -> bool:
    """Whether the signals of an EDF or BDF file, annotations apart, have different sampling rates."""
    _, per_record = _edf_header(path)
    return len({n for (_, label), n in per_record.items() if not label.endswith(b"Annotations")}) > 1


def _edf_header(path: Path) -> tuple[bytes, dict[tuple[int, bytes], int]]:
    """The fixed part of the header, and samples per record by number and label of each signal."""
    with open(path, "rb") as file:
        fixed = file.read(256)
        n_signals = int(fixed[252:256])
        labels = [file.read(16).strip() for _ in range(n_signals)]
        file.seek(256 + 216 * n_signals)
        per_record = {(i, label): int(file.read(8)) for i, label in enumerate(labels)}
    return fixed, per_record


# --- BrainVision ---------------------------------------------------------------------------------------------------


def _check_brainvision(path: Path) -> None:
    """Whole samples of all channels, as many as DataPoints where given, and no marker after the end."""
    fields = _brainvision_fields(path)
    named = sum(re.fullmatch(r"ch\d+", key) is not None for key in fields)
    if named != int(fields["numberofchannels"]):
        raise _wrong(path, f"it states {fields['numberofchannels']} channels and names {named}")
    if fields.get("dataformat", "BINARY").upper() != "BINARY":
        return
    data = _brainvision_part(path, fields, "datafile")
    frame = int(fields["numberofchannels"]) * _BRAINVISION_BYTES[fields["binaryformat"].upper()]
    size = data.stat().st_size
    if size % frame:
        raise _wrong(path, f"{data.name} has {size} bytes, no multiple of the {frame} bytes of one sample of all channels")
    stated = int(fields.get("datapoints", size // frame))
    if stated != size // frame:
        raise _wrong(path, f"it states {stated} samples, {data.name} holds {size // frame}")
    if fields.get("markerfile"):
        _check_markers(path, _brainvision_part(path, fields, "markerfile"), size // frame)


def _check_markers(path: Path, markers: Path, n_times: int) -> None:
    """The list of markers is there, each has its five fields, and none comes after the end."""
    text = markers.read_text(encoding="latin-1")
    if "[Marker Infos]" not in text or text.rsplit("\n", 1)[-1].startswith(";"):
        raise _wrong(path, f"{markers.name} ends before its list of markers, after {len(text)} characters")
    rows = [line.split("=", 1)[1].split(",") for line in text.splitlines() if re.match(r"Mk\d+=", line)]
    for row in rows:
        if len(row) < 5:
            raise _wrong(path, f"{markers.name} has the incomplete marker {','.join(row)!r}")
    last = max((int(row[2]) for row in rows), default=0)
    if last > n_times:
        raise _wrong(path, f"{markers.name} has a marker at sample {last}, the data end after {n_times} samples")


def check_brainvision_names(path: Path) -> None:
    """Raise `FormatError` if a BrainVision header names its data or markers by a path."""
    fields = _brainvision_fields(path)
    for key in ("datafile", "markerfile"):
        if fields.get(key):
            check_name(path, fields[key].replace("$b", path.stem))


def brainvision_files(path: Path) -> list[Path]:
    """Data and marker file that a BrainVision header names, as far as they are there."""
    fields = _brainvision_fields(path)
    parts = [path.parent / fields[key].replace("$b", path.stem) for key in ("datafile", "markerfile") if fields.get(key)]
    return [part.resolve() for part in parts if part.is_file()]


def _brainvision_fields(path: Path) -> dict[str, str]:
    """Key = value lines of a header, keys in lower case, comments left out."""
    lines = path.read_text(encoding="latin-1").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith(";"))
    return {key.strip().lower(): value.strip() for key, value in pairs}


def _brainvision_part(path: Path, fields: Mapping[str, str], key: str) -> Path:
    """The data or marker file that a header names ($b stands for its own stem)."""
    part = path.parent / fields[key].replace("$b", path.stem)
    if not part.is_file():
        remedy = f"Put {part.name} back beside it, or correct the line {key!r} of the header"
        raise _wrong(path, f"the file {part.name!r} that it names is missing", remedy)
    return part


# --- Neuroscan CNT -------------------------------------------------------------------------------------------------


def _check_cnt(path: Path) -> None:
    """Data between header and event table = samples x channels x 2 or 4 bytes; the event table ends where the file ends."""
    size = path.stat().st_size
    if size >= 2e9:
        return  # the offset of the event table has 32 bits and overflows
    with open(path, "rb") as file:
        header = file.read(900)
        n_channels = struct.unpack_from("<H", header, 370)[0]
        n_times, table = struct.unpack_from("<i", header, 864)[0], struct.unpack_from("<i", header, 886)[0]
        file.seek(table)
        event_bytes = file.read(9)
    _check_cnt_events(path, table, event_bytes, size)
    found = table - 900 - 75 * n_channels
    if n_times > 0 and found not in (n_times * n_channels * 2, n_times * n_channels * 4):
        what = f"its header states {n_times} samples of {n_channels} channels, the data part has {found} bytes"
        remedy = (
            "If the file is whole, pass data_format='int16' or 'int32' with recompute_n_samples=True and check the amplitudes"
        )
        raise _wrong(path, what, remedy)


def _check_cnt_events(path: Path, table: int, head: bytes, size: int) -> None:
    """The events fill the file from their table to its end, but for an end mark shorter than one event."""
    kind, n_bytes = struct.unpack("<Bi", head[:5]) if len(head) == 9 else (0, 0)
    left = size - (table + 9 + n_bytes)
    if table < 0 or n_bytes < 0 or (left < 0 and (table > size or len(head) == 9)):
        raise _wrong(path, f"its event table at byte {table} does not fit into the {size} bytes of the file")
    if len(head) == 9 and left >= (8 if kind == 1 else 19):
        raise _wrong(path, f"its event table states {n_bytes} bytes, {left} more follow it")


def cnt_names(path: Path) -> list[str]:
    """Channel names of a Neuroscan CNT file."""
    with open(path, "rb") as file:
        n_channels = struct.unpack_from("<H", file.read(900), 370)[0]
        names = [file.read(75)[:10] for _ in range(n_channels)]
    return [name.split(b"\0")[0].decode("latin-1") for name in names]


# --- KIT -----------------------------------------------------------------------------------------------------------


def _check_kit(path: Path) -> None:
    """Every block that the directory at the start lists has its own place inside the file."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        n_blocks = struct.unpack("<4I", file.read(16))[3]
        entries = [struct.unpack("<4I", file.read(16)) for _ in range(n_blocks - 1)]
    blocks = sorted((offset, offset + width * count) for offset, width, _, count in entries if count)
    if any(start == 0 or end == start for start, end in blocks):
        raise _wrong(path, "its directory lists data that have no place or no length")
    for (_, end), (start, _) in pairwise([(0, 16 * n_blocks), *blocks, (size, size)]):
        if start < end:
            where = f"the file has {size} bytes" if start == size else f"the next begin at byte {start}"
            raise _wrong(path, f"its directory lists data up to byte {end}, {where}")


# --- EEGLAB --------------------------------------------------------------------------------------------------------


def _check_set(path: Path) -> None:
    """Lengths and counts inside a .set of MATLAB 5 fit; the HDF5 layout is checked by its own library."""
    with open(path, "rb") as file:
        level_5 = file.read(10) == b"MATLAB 5.0"
    if level_5:
        check_mat(path)
        check_counts(path)


def check_fdt(path: Path, raw: Any) -> None:
    """Raise `CorruptFileError` unless the .fdt of a continuous EEGLAB file holds 4 bytes per channel and sample."""
    for data in map(Path, getattr(raw, "filenames", ())):
        if data.suffix.lower() == ".fdt":
            expected, found = 4 * len(raw.ch_names) * raw.n_times, data.stat().st_size
            if expected != found:
                what = (
                    f"it states {raw.n_times} samples of {len(raw.ch_names)} channels, {expected} bytes; {data.name} has {found}"
                )
                raise _wrong(path, what)


_CHECKS: dict[str, Callable[[Path], None]] = {
    "edf": _check_edf,
    "bdf": _check_edf,
    "brainvision": _check_brainvision,
    "cnt": _check_cnt,
    "kit": _check_kit,
    "fif": check_fif,
    "eeglab": _check_set,
}
_REPAIRS = {"cnt": {"data_format", "recompute_n_samples"}}
