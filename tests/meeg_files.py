"""Miniature M/EEG and NWB files in their true layout on disk, written without the readers under test."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import h5py
import mne
import numpy as np
import pandas as pd
from bids_trees import write_description, write_json, write_table

N_CHANNELS, N_TIMES, SFREQ = 3, 400, 100.0
NAMES = ["Fz", "Cz", "EOG1"]


def counts(seed: int = 0, n_times: int = N_TIMES) -> np.ndarray:
    """Integers as an amplifier writes them, (n_channels, n_times); one count is 0.5 microvolt in the files below."""
    return np.random.default_rng(seed).integers(-2000, 2000, (N_CHANNELS, n_times)).astype(np.int16)


def write_edf(path: Path, values: np.ndarray | None = None, *, bdf: bool = False, per_record: list[int] | None = None) -> Path:
    """Write EDF (or BDF): records of 1 s, one count = 0.5 microvolt."""
    values = counts() if values is None else values
    per_record = per_record or [int(SFREQ)] * len(values)
    n_records = values.shape[1] // per_record[0]
    low, high = (-2000000, 2000000) if bdf else (-32768, 32767)
    columns = [
        ([*NAMES, *[f"x{i}" for i in range(9)]][: len(values)], 16),
        ([""] * len(values), 80),
        (["uV"] * len(values), 8),
        ([f"{low * 0.5:.8g}"] * len(values), 8),
        ([f"{high * 0.5:.8g}"] * len(values), 8),
        ([str(low)] * len(values), 8),
        ([str(high)] * len(values), 8),
        ([""] * len(values), 80),
        ([str(n) for n in per_record], 8),
        ([""] * len(values), 32),
    ]
    version = b"\xffBIOSEMI" if bdf else b"0       "
    fixed = [("", 80), ("", 80), ("01.01.00", 8), ("12.00.00", 8), (str(256 * (len(values) + 1)), 8)]
    fixed += [("24BIT" if bdf else "", 44), (str(n_records), 8), ("1", 8), (str(len(values)), 4)]
    header = version + b"".join(_padded(text, width) for text, width in fixed)
    header += b"".join(_padded(text, width) for texts, width in columns for text in texts)
    records = [row[r * n : (r + 1) * n] for r in range(n_records) for row, n in zip(values, per_record, strict=True)]
    path.write_bytes(header + b"".join(_int24(part) if bdf else part.astype("<i2").tobytes() for part in records))
    return path


def _padded(text: str, width: int) -> bytes:
    return text.encode("ascii").ljust(width)


def _int24(values: np.ndarray) -> bytes:
    return values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def write_brainvision(
    path: Path, values: np.ndarray | None = None, markers: tuple[int, ...] = (50, 150), stated: bool = False
) -> Path:
    """Write .vhdr, .eeg and .vmrk; one count = 0.5 microvolt."""
    values = counts() if values is None else values
    channels = "".join(f"Ch{i + 1}={name},,0.5,µV\n" for i, name in enumerate(NAMES))
    points = f"DataPoints={values.shape[1]}\n" if stated else ""
    path.with_suffix(".vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nMarkerFile={path.stem}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={N_CHANNELS}\n{points}SamplingInterval=10000\n\n[Binary Infos]\nBinaryFormat=INT_16\n\n"
        f"[Channel Infos]\n{channels}",
        encoding="utf-8",
    )
    rows = "".join(f"Mk{i + 2}=Stimulus,S  {i % 2 + 1},{sample},1,0\n" for i, sample in enumerate(markers))
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\n\n[Marker Infos]\nMk1=New Segment,,1,1,0,20000101120000000000\n{rows}",
        encoding="utf-8",
    )
    path.with_suffix(".eeg").write_bytes(values.T.astype("<i2").tobytes())
    return path.with_suffix(".vhdr")


def write_fif(path: Path, seed: int = 0, first_samp: int = 0) -> Path:
    """Write FIF with two annotations."""
    info = mne.create_info(NAMES, SFREQ, ["eeg", "eeg", "eog"])
    raw = mne.io.RawArray(counts(seed) * 0.5e-6, info, first_samp=first_samp, verbose="error")
    raw.set_annotations(mne.Annotations([0.5, 1.5], [0.1, 0.0], ["face", "house"]))
    raw.save(path, verbose="error")
    return path


def write_cnt(path: Path, n_times: int = 200) -> Path:
    """Write the parts of a Neuroscan CNT header that state lengths, zeros as data and an empty event table."""
    header = bytearray(900 + 75 * N_CHANNELS)
    header[:11] = b"Version 3.0"
    struct.pack_into("<H", header, 370, N_CHANNELS)
    struct.pack_into("<H", header, 376, int(SFREQ))
    data = bytes(n_times * N_CHANNELS * 2)
    struct.pack_into("<i", header, 864, n_times)
    struct.pack_into("<i", header, 886, len(header) + len(data))
    path.write_bytes(bytes(header) + data + struct.pack("<Bii", 1, 0, 0))
    return path


# --- BIDS ----------------------------------------------------------------------------------------------------------


def write_bids(root: Path, datatype: str = "eeg", suffix: str = ".vhdr") -> Path:
    """Write a BIDS data set of one run with all its sidecars and return the data file."""
    write_description(root)
    folder = root / "sub-01" / "ses-a" / datatype
    folder.mkdir(parents=True)
    stem = f"sub-01_ses-a_task-faces_run-02_{datatype}"
    path = folder / f"{stem}{suffix}"
    if suffix == ".nwb":
        write_nwb(path)
    else:
        {".vhdr": write_brainvision, ".edf": write_edf, ".fif": write_fif}[suffix](path)
    kinds = ["EEG", "EEG", "EOG"] if datatype == "eeg" else ["ECOG", "SEEG", "MISC"]
    channels = pd.DataFrame({"name": NAMES, "type": kinds, "units": "µV", "status": ["good", "bad", "good"]})
    write_table(folder / stem.replace(datatype, "channels.tsv"), channels.assign(group=["A", "B", None], low_cutoff=0.1))
    write_table(folder / stem.replace(f"_{datatype}", "_events.tsv"), bids_events())
    write_json(folder / f"{stem}.json", {"PowerLineFrequency": 60, "TaskName": "faces", "SamplingFrequency": SFREQ})
    write_table(root / "participants.tsv", pd.DataFrame({"participant_id": ["sub-01"], "age": [30]}))
    return path


def bids_events() -> pd.DataFrame:
    """Four events with columns of several types."""
    table = {"onset": [0.5, 1.0, 2.0, 3.5], "duration": [0.1, 0.1, 0.0, 0.1], "trial_type": ["face", "house", "face", "house"]}
    return pd.DataFrame(
        {**table, "stimulus": ["f1", "h1", "f2", "h1"], "response_time": [0.31, np.nan, 0.42, 0.5], "value": [1, 2, 1, 2]}
    )


def write_electrodes(path: Path, unit: str = "mm", system: str = "MNI152NLin2009bAsym", space: str = "") -> None:
    """Write electrodes.tsv and coordsystem.json beside a data file; the third channel has no contact."""
    label = f"_space-{space}" if space else ""
    table = pd.DataFrame({"name": NAMES[:2], "x": [40.0, -40.0], "y": [1.0, 2.0], "z": [10.0, 20.0], "size": [2.3, 2.3]})
    write_table(path.parent / f"sub-01_ses-a{label}_electrodes.tsv", table)
    fields = {"iEEGCoordinateSystem": system, "iEEGCoordinateUnits": unit}
    write_json(path.parent / f"sub-01_ses-a{label}_coordsystem.json", fields)


# --- NWB -----------------------------------------------------------------------------------------------------------


def write_nwb(path: Path, *, series: tuple[str, ...] = ("ecog",), units: bool = False, **changes: Any) -> Path:
    """Write the parts of NWB 2 that hold electrical series, units, electrodes and intervals."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        file["general/subject/subject_id"] = "p7"
        _write_electrodes_table(file.create_group("general/extracellular_ephys"))
        for i, name in enumerate(series):
            _write_series(file.create_group(f"acquisition/{name}"), counts(i), **changes)
        _write_intervals(file)
        if units:
            _write_units(file.create_group("units"))
    return path


def _write_series(
    group: Any,
    values: np.ndarray,
    *,
    conversion: float = 0.5e-6,
    offset: float = 0.0,
    unit: str = "volts",
    channel_conversion: list[float] | None = None,
    timestamps: np.ndarray | None = None,
    electrodes: tuple[int, ...] = (0, 2, 1),
) -> None:
    group.attrs["neurodata_type"] = "ElectricalSeries"
    data = group.create_dataset("data", data=values.T)
    data.attrs.update(conversion=conversion, offset=offset, unit=unit)
    if channel_conversion is not None:
        group["channel_conversion"] = channel_conversion
    if timestamps is None:
        group["starting_time"] = 2.5
        group["starting_time"].attrs["rate"] = SFREQ
    else:
        group["timestamps"] = timestamps
    group["electrodes"] = np.array(electrodes)


def _write_electrodes_table(group: Any) -> None:
    table = group.create_group("electrodes")
    table["id"] = np.arange(3)
    table["x"] = np.array([1e4, 2e4, np.nan])
    table["y"] = table["z"] = np.zeros(3)
    texts = {
        "location": ["amygdala", "hippocampus", "temporal"],
        "group_name": ["LA", "LA", "grid"],
        "label": ["LA1", "LA2", "G1"],
    }
    for name, values in texts.items():
        table.create_dataset(name, data=values, dtype=h5py.string_dtype())
    group.create_group("LA").attrs["description"] = "depth"
    group.create_group("grid").attrs["description"] = "8 x 8 grid"
    table["group"] = np.array([group["LA"].ref, group["LA"].ref, group["grid"].ref], dtype=h5py.ref_dtype)


def _write_intervals(file: Any) -> None:
    trials = file.create_group("intervals/trials")
    trials["id"] = np.arange(2)
    trials["start_time"], trials["stop_time"] = np.array([3.0, 4.0]), np.array([3.5, 4.5])
    trials.create_dataset("stim_file", data=np.array([b"cat.png", b"dog.png"]))
    trials["ragged"], trials["ragged_index"] = np.arange(5), np.array([2, 5])
    pauses = file.create_group("intervals/invalid_times")
    pauses["start_time"], pauses["stop_time"] = np.array([5.0]), np.array([5.5])


def _write_units(group: Any) -> None:
    group["id"] = np.array([4, 9])
    group["spike_times"], group["spike_times_index"] = np.array([0.1, 0.5, 0.9, 0.2]), np.array([3, 4])
    group["electrodes"], group["electrodes_index"] = np.array([1, 0, 2]), np.array([2, 3])
    group.create_dataset("quality", data=["good", "fair"], dtype=h5py.string_dtype())
    group["waveform_mean"] = np.zeros((2, 30))
    group["obs_intervals"], group["obs_intervals_index"] = np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([1, 2])
