"""EEG, MEG and iEEG: everything that MNE reads, alone or in a BIDS folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from neurodecode.data import Recording, Responses
from neurodecode.data.tables import from_bids
from neurodecode.data.validate import require
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.bids_names import BidsFile
from neurodecode.io.bids_search import bids_file
from neurodecode.io.bids_tables import applicable, events_path, read_events, read_tsv, sidecar
from neurodecode.io.electrodes import place_electrodes
from neurodecode.io.guard import AGAIN
from neurodecode.io.meeg_lengths import check_fdt, check_length
from neurodecode.io.meeg_open import READERS, check_before, defaults, files_of, finished, must_preload, open_mne, sources
from neurodecode.io.mne_calls import mne_reading
from neurodecode.io.outside import check_parts
from neurodecode.io.sniff import header_beside, sniff, unsupported

_ENTITIES = {"sub": "subject", "ses": "session", "task": "task", "run": "run", "acq": "acquisition"}
_ENTITIES |= {"proc": "processing", "recording": "recording", "desc": "description"}
_OURS = ("name", "kind", "unit", "bad")  # of the channel table, settled by MNE-BIDS from channels.tsv


def read_meeg(path: str | Path, *, strict: bool = True, **options: Any) -> Recording | Responses:
    """Read a recording of EEG, MEG or iEEG.

    Parameters
    ----------
    path : str or Path
        FIF, EDF, BDF, GDF, BrainVision (.vhdr), EEGLAB (.set), Neuroscan or ANT CNT, KIT, CTF (.ds), EGI (.mff), SNIRF and
        what else MNE reads. The format is told by content; a recording in one file may have any name.
    strict : bool
        Compare the length of the file with what its header states, and refuse what MNE would only warn of. With False, what
        is there is read and ``meta["notes"]`` says what was wrong.
    **options
        Passed to MNE's reader of that format, e.g. ``mrk, elp, hsp`` (KIT: marker, electrode and head shape files), ``eog``,
        ``data_format``. ``eog`` is "auto" by default for EEGLAB and CNT, so that channels named EOG are of kind eog.

    Returns
    -------
    Recording or Responses
        Signal in V, T or T/m, read when it is indexed; t = 0 s is the first sample. FIF and EEGLAB files of epochs give
        `Responses`. Positions are NaN where the file has none: see `neurodecode.data.convert.with_montage`.

    Raises
    ------
    FormatError
        If the content is not a recording that MNE reads, or needs a package or an option.
    CorruptFileError
        If the file is damaged, a part is missing, or header and length contradict each other.
    DataError
        If an option does not exist for this format.

    Notes
    -----
    No reader can see changed samples, a BrainVision file cut at a whole sample without ``DataPoints``, markers cut at the end of
    a line, or another type of the only data buffer of a FIF file; a known sha256 finds them (see ``docs/damage.md``).
    """
    file = Path(path)
    kind = sniff(file)
    if kind not in READERS or header_beside(file):
        raise unsupported(file, kind)
    with mne_reading(file, strict=strict) as notes:
        check_before(file, kind)
        if strict:
            check_length(file, kind, options)
        obj = open_mne(file, kind, options)
        check_parts(file, obj)
        if strict and kind == "eeglab":
            check_fdt(file, obj)
    files = files_of(obj, file, kind, options)
    result: Recording | Responses = finished(obj, file, files, notes, strict=strict)
    return result


def read_bids_meeg(
    root: str | Path, path: str | Path, *, strict: bool = True, space: str | None = None, **options: Any
) -> Recording:
    """Read one recording of EEG, MEG or iEEG of a BIDS data set, with its sidecars.

    Parameters
    ----------
    root : str or Path
        Folder of the data set (or of the derivative) that the file belongs to.
    path : str or Path
        Data file or folder below `root`.
    strict : bool
        As in `read_meeg`.
    space : str, optional
        Of several electrodes.tsv of iEEG the one with this ``space-`` label; by default a template space comes first.
    **options
        Passed to MNE's reader, or to `neurodecode.io.nwb.read_nwb_series` for NWB.

    Returns
    -------
    Recording
        Types, units and bad marks of channels.tsv, whose other columns are kept; positions of electrodes.tsv; all columns of
        events.tsv (without one, the events inside the file); ``meta`` with the entities, ``line_freq`` and the sources.

    Raises
    ------
    FormatError
        If the file is not a recording, or names in channels.tsv do not fit it.
    CorruptFileError
        If the file or a sidecar is damaged.
    """
    file = bids_file(path)
    if sniff(file.path) == "nwb":
        recording = _read_bids_nwb(file, options)
    else:
        recording = _read_with_mne_bids(file, strict=strict, options=options)
    if file.datatype == "ieeg":
        recording = place_electrodes(recording, file, space)
    if strict:
        _check_duration(file, recording)
    events = read_events(file) if events_path(file) else recording.events
    return recording.replace(events=events, meta={**recording.meta, **_bids_meta(file, Path(root), recording)})


def _check_duration(file: BidsFile, recording: Recording) -> None:
    """Refuse a recording shorter than its sidecar states, to the digits that the sidecar gives."""
    stated = sidecar(file).get("RecordingDuration")
    if not isinstance(stated, (int, float)) or isinstance(stated, bool):
        return
    decimals = str(float(stated)).partition(".")[2].rstrip("0")
    rounding = 10.0 ** -len(decimals) + 2 / recording.sfreq  # some writers state the time of the last sample
    if recording.duration < stated - rounding:
        what = f"it lasts {recording.duration:.6g} s, RecordingDuration of its sidecar states {stated:.6g} s"
        raise CorruptFileError(file.path, what, f"{AGAIN}; where the sidecar is wrong, correct it")


def _bids_meta(file: BidsFile, root: Path, recording: Recording) -> dict[str, Any]:
    line_freq = sidecar(file).get("PowerLineFrequency")
    meta: dict[str, Any] = {_ENTITIES[key]: label for key, label in file.entities.items() if key in _ENTITIES}
    meta["modality"] = file.datatype
    if isinstance(line_freq, (int, float)):
        meta["line_freq"] = float(line_freq)
    return meta


def _read_with_mne_bids(file: BidsFile, *, strict: bool, options: dict[str, Any]) -> Recording:
    mne_bids = require("mne_bids", "reading BIDS data sets of M/EEG", "meeg")
    kind = sniff(file.path)
    if kind not in READERS or header_beside(file.path):
        raise unsupported(file.path, kind)
    given = {**defaults(file.path, kind), **options}
    with mne_reading(file.path, strict=strict) as notes:
        check_before(file.path, kind)
        if strict:
            check_length(file.path, kind, options)
        bids_path = mne_bids.get_bids_path_from_fname(file.path, check=False).update(root=file.root, datatype=file.datatype)
        raw = mne_bids.read_raw_bids(bids_path, extra_params=given, verbose="warning")
        check_parts(file.path, raw)
        if must_preload(file.path, kind):
            raw.load_data(verbose="warning")
        if strict and kind == "eeglab":
            check_fdt(file.path, raw)
    files = files_of(raw, file.path, kind, options)
    recording: Recording = finished(raw, file.path, files, notes, strict=strict)
    return _with_channel_columns(recording, file).replace(meta={**recording.meta, "sources": sources(files, file.root)})


def _with_channel_columns(recording: Recording, file: BidsFile) -> Recording:
    """Add the columns of channels.tsv that the channel table does not have yet."""
    table = channels_tsv(file)
    if table is None:
        return recording
    fresh = [name for name in table if name not in recording.channels and name not in _OURS]
    columns = table.set_index("name")[fresh].reindex(recording.names).reset_index(drop=True)
    return recording.replace(channels=recording.channels.join(columns))


def channels_tsv(file: BidsFile) -> pd.DataFrame | None:
    """The channels.tsv that applies to a data file, with our column names, or None.

    Parameters
    ----------
    file : BidsFile
        Data file.

    Returns
    -------
    DataFrame or None
        ``name, kind, unit, bad`` and whatever else it has.

    Raises
    ------
    FormatError
        If it has no names, or a name occurs twice.
    """
    paths = list(applicable(file, file.root, "channels", ".tsv"))
    if not paths:
        return None
    table = from_bids(read_tsv(paths[-1], ("name", "type", "units", "status")))
    if "name" not in table or table["name"].duplicated().any():
        what = f"column 'name' is missing or has a name twice, the columns are {list(table)}"
        raise FormatError(paths[-1], what, "Give each channel one row")
    return table


# --- NWB in BIDS, which MNE-BIDS does not read ---------------------------------------------------------------------


def _read_bids_nwb(file: BidsFile, options: dict[str, Any]) -> Recording:
    from neurodecode.io.nwb import read_nwb_series

    recording = _from_first_sample(read_nwb_series(file.path, **options))
    table = channels_tsv(file)
    meta = {**recording.meta, "sources": sources([file.path], file.root)}
    return recording.replace(channels=recording.channels if table is None else _renamed(recording, table, file), meta=meta)


def _from_first_sample(recording: Recording) -> Recording:
    """The same on the clock of BIDS, on which the first sample is 0 s; an NWB file may start at any time."""
    events = recording.events.assign(onset=recording.events["onset"] - recording.t0)
    return recording.replace(t0=0.0, events=events, valid=recording.valid.shift(-recording.t0))


def _renamed(recording: Recording, table: pd.DataFrame, file: BidsFile) -> pd.DataFrame:
    """Channels of an NWB series as channels.tsv has them: by name, or row by row where the file has no names of its own."""
    own = recording.channels
    if set(own["name"]) <= set(table["name"]):
        table = table.set_index("name", drop=False).loc[own["name"]].reset_index(drop=True)
    elif len(table) != len(own):
        what = f"channels.tsv has {len(table)} rows and other names, the series has {len(own)} channels"
        raise FormatError(file.path, what, "Give channels.tsv one row per channel, in the order of the series")
    others = own.drop(columns=[name for name in own if name in table])
    return table.assign(unit="V").join(others)
