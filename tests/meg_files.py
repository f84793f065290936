"""Miniature CTF and KIT recordings in their true layout on disk, written without the readers under test."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

FEMTOTESLA = 1e-15  # T; one count of the CTF recordings below
_CTF_KINDS = {"mag": 5, "ref": 0, "stim": 11}
_HEAD_COILS = {"nasion": (10.0, 0.0, 0.0), "left ear": (0.0, 8.0, 0.0), "right ear": (0.0, -8.0, 0.0)}  # cm
_KIT_BLOCKS = 30
_SYSTEM, _CHANNELS, _CALIBRATION, _AMPLIFIER, _ACQUISITION, _DATA, _MARKERS = 1, 4, 5, 7, 8, 9, 12


def write_ctf(folder: Path, names: Sequence[str], kinds: Sequence[str], counts: np.ndarray, sfreq: float = 1200.0) -> Path:
    """Write a folder .ds of one trial; `counts` (n_channels, n_times) are femtotesla, and codes of stim channels."""
    folder.mkdir(parents=True)
    stem = folder / folder.name[:-3]
    stem.with_suffix(".res4").write_bytes(_res4(names, kinds, counts.shape[1], sfreq))
    stem.with_suffix(".meg4").write_bytes(b"MEG41CP\0" + counts.astype(">i4").tobytes())
    text = "".join(_coil(name, frame, place) for frame in ("dewar", "head") for name, place in _HEAD_COILS.items())
    stem.with_suffix(".hc").write_text(text)
    return folder


def _coil(name: str, frame: str, place: tuple[float, float, float]) -> str:
    """A coil, measured in the dewar 20 cm above its place in the head frame."""
    x, y, z = place
    lines = [f"measured {name} coil position relative to {frame} (cm):"]
    lines += [f"\t{axis} = {value:.4f}" for axis, value in zip("xyz", (x, y, z - 20.0 * (frame == "dewar")), strict=True)]
    return "\n".join(lines) + "\n"


def _res4(names: Sequence[str], kinds: Sequence[str], n_times: int, sfreq: float) -> bytes:
    head = b"MEG42RS\0" + bytes(3 * 256) + struct.pack(">h", 1)
    head += b"12:00".ljust(255, b"\0") + b"01/01/2000".ljust(255, b"\0")
    head += struct.pack(">ih", n_times, len(names))
    head = _aligned(head, 8) + struct.pack(">ddh", sfreq, n_times / sfreq, 1)
    head = _aligned(head, 4) + struct.pack(">ihh", 0, 1, 0)
    head = _aligned(head, 4) + struct.pack(">i", 1) + bytes(10) + struct.pack(">h", 0)
    head = _aligned(head, 4).ljust(1844, b"\0")
    labels = b"".join(name.encode().ljust(32, b"\0") for name in names)
    rows = b"".join(_ctf_channel(kind, i) for i, kind in enumerate(kinds))
    references = [name for name, kind in zip(names, kinds, strict=True) if kind == "ref"]
    sensors = [name for name, kind in zip(names, kinds, strict=True) if kind == "mag"]
    balance = b"".join(_ctf_balance(name, references) for name in sensors)
    return head + struct.pack(">h", 0) + labels + rows + struct.pack(">h", len(sensors)) + balance


def _ctf_balance(sensor: str, references: Sequence[str]) -> bytes:
    """First-order coefficients of a sensor; none of the references takes part."""
    labels = b"".join(name.encode().ljust(31, b"\0") for name in references).ljust(50 * 31, b"\0")
    return sensor.encode().ljust(32, b"\0") + b"G1BR" + struct.pack(">ih", 0, len(references)) + labels + bytes(50 * 8)


def _aligned(content: bytes, width: int) -> bytes:
    return content + bytes(-len(content) % width)


def _ctf_channel(kind: str, number: int) -> bytes:
    """A row of the channel table: a sensor on a circle of 10 cm, pointing outwards."""
    angle = 0.3 * number
    place = 10.0 * np.array([np.cos(angle), np.sin(angle), 0.2])  # cm
    is_sensor = kind != "stim"
    gain = 1e9 if is_sensor else 1.0  # counts per proper unit: proper gain times q gain
    row = struct.pack(">hhi4dhhi", _CTF_KINDS[kind], 0, 0, gain, 1e6 if is_sensor else 1.0, 1.0, 0.0, 1, 0, 0)
    coil = struct.pack(">3dd3ddhihd", *place, 0, *(place / np.linalg.norm(place)), 0, 1, 0, 0, 1.0)
    return row + coil + bytes(15 * len(coil))


# --- KIT -----------------------------------------------------------------------------------------------------------


def write_kit(path: Path, n_sensors: int, counts: np.ndarray, sfreq: float = 1000.0) -> Path:
    """Write a .con file of axial gradiometers and trigger channels; one count of a sensor is a femtotesla."""
    n_channels, n_times = counts.shape
    channels = b"".join(_kit_channel(i, i < n_sensors) for i in range(n_channels))
    calibration = np.column_stack([np.zeros(n_channels), np.full(n_channels, FEMTOTESLA * 2**12 / 10.0)])
    blocks = {
        _SYSTEM: (_kit_system(n_channels), 1),
        _CHANNELS: (channels, n_channels),
        _CALIBRATION: (calibration.astype("<f8").tobytes(), n_channels),
        _AMPLIFIER: (struct.pack("<i", 0), 1),
        _ACQUISITION: (struct.pack("<idii", 1, sfreq, 0, n_times), 1),
        _DATA: (counts.T.astype("<i2").tobytes(), n_times),
    }
    return _write_blocks(path, blocks)


def write_markers(path: Path, places: np.ndarray) -> Path:
    """Write a .mrk file with five coils (5, 3) in m of the device frame."""
    points = b"".join(struct.pack("<4i6d", 1, 1, 1, 1, 0, 0, 0, *place) for place in places)
    return _write_blocks(path, {_MARKERS: (struct.pack("<i", 1) + bytes(256) + struct.pack("<i", 5) + points, 1)})


def write_points(path: Path, places: np.ndarray) -> Path:
    """Write points (n, 3) in m as FastSCAN does, in mm."""
    lines = [f"{x:.2f}\t{y:.2f}\t{z:.2f}" for x, y, z in 1e3 * places]
    path.write_text("% Ascii stylus data file created by FastSCAN V4.0.7\n% x y z\n" + "\n".join(lines) + "\n")
    return path


def _kit_system(n_channels: int) -> bytes:
    """Version 2.5, system of NYU Abu Dhabi, 16 bits of which 12 are used, a range of 10 V."""
    names = b"NYUAD".ljust(128, b"\0") + b"MEG".ljust(128, b"\0")
    head = struct.pack("<3i", 2, 5, 442) + names + struct.pack("<i", n_channels) + bytes(256)
    settings = bytes(4 * (2 + 3 + 1 + 3)) + struct.pack("<i", 100) + bytes(4 * (3 + 1 + 3 + 1 + 29))
    return head + settings + struct.pack("<d3i", 10.0, 0, 16, 12)


def _kit_channel(number: int, is_sensor: bool) -> bytes:
    angle = 0.3 * number
    if is_sensor:
        place = (0.1 * np.cos(angle), 0.1 * np.sin(angle), 0.02, 90.0, np.degrees(angle))
        return (struct.pack("<i5d", 2, *place) + bytes(16 + 6)).ljust(80, b"\0")
    return (struct.pack("<ii", -1, number) + bytes(4) + b"".ljust(32, b"\0")).ljust(80, b"\0")


def _write_blocks(path: Path, blocks: dict[int, tuple[bytes, int]]) -> Path:
    """A directory of 30 entries, and the blocks one after the other."""
    entries = [(0, 16, _KIT_BLOCKS, _KIT_BLOCKS)] + [(0, 0, 0, 0)] * (_KIT_BLOCKS - 1)
    content = b""
    for number, (block, count) in blocks.items():
        entries[number] = (16 * _KIT_BLOCKS + len(content), len(block) // count, count, count)
        content += block
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(struct.pack("<4i", *entry) for entry in entries) + content)
    return path
