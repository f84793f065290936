"""The measurement information of MNE as a channel table and as JSON without personal data, and back."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.hashing import jsonable
from neurodecode.data.tables import fill_defaults
from neurodecode.data.validate import require
from neurodecode.errors import DataError

_UNIT_CODES = {107: "V", 112: "T", 201: "T/m", 101: "Hz", 3: "s", 1: "m", 7: "rad"}
_CODES_WITHOUT_UNIT = ("stim", "syst", "exci", "ias")  # trigger codes, which FIFF calls volts
_MEG = ("mag", "grad", "ref_meg")
_FRAMES = {0: "unknown", 1: "device", 4: "head", 5: "MRI", 2001: "MRI voxel", 2003: "MNI305"}
# What to_mne needs again; subject, dates, experimenter, device and the like stay out.
_KEPT = (
    "sfreq",
    "lowpass",
    "highpass",
    "line_freq",
    "custom_ref_applied",
    "chs",
    "dig",
    "dev_head_t",
    "ctf_head_t",
    "proc_history",
)
_KEPT_LISTS = ("projs", "comps")
_DIG_KEPT = (1, 2, 3)  # fiducials, coils and electrodes; the head shape outlines a face and stays out


def channels_from_info(info: Any) -> pd.DataFrame:
    """Channel table of an ``mne.Info``: name, kind, unit, bad, and x, y, z in m (NaN where unknown).

    Parameters
    ----------
    info : mne.Info
        Measurement information.

    Returns
    -------
    DataFrame
        One row per channel. Positions of MEG sensors are moved from the device to the head frame where the transform is known.
    """
    kinds = info.get_channel_types()
    places = np.array([_position(channel) for channel in info["chs"]]).reshape(-1, 3)
    move = info["dev_head_t"]
    if move is not None:
        sensors = np.isin(kinds, _MEG)
        places[sensors] = places[sensors] @ move["trans"][:3, :3].T + move["trans"][:3, 3]
    units = [
        "n/a" if kind in _CODES_WITHOUT_UNIT else _UNIT_CODES.get(int(channel["unit"]), "n/a")
        for kind, channel in zip(kinds, info["chs"], strict=True)
    ]
    table = pd.DataFrame({"name": info["ch_names"], "kind": kinds, "unit": units})
    return table.assign(x=places[:, 0], y=places[:, 1], z=places[:, 2], bad=table["name"].isin(info["bads"]))


def _position(channel: Any) -> NDArray[np.float64]:
    """Position in m; all zeros and non-finite values stand for "unknown" in FIFF."""
    place = np.asarray(channel["loc"][:3], float)
    known = np.isfinite(place).all() and place.any()
    return place if known else np.full(3, np.nan)


def sensor_space(info: Any) -> dict[str, Any]:
    """Describe the frame that most known positions are in.

    Parameters
    ----------
    info : mne.Info
        Measurement information.

    Returns
    -------
    dict
        ``meta["space"]`` with name, type and unit (m); the name is "unknown" where there are no positions.
    """
    placed = [channel for channel in info["chs"] if np.isfinite(_position(channel)).all()]
    frames = [_FRAMES.get(int(channel["coord_frame"]), "unknown") for channel in placed] or ["unknown"]
    name = max(sorted(set(frames)), key=frames.count)
    if name == "device" and info["dev_head_t"] is not None:
        name = "head"
    return {"name": name, "type": "sensors", "unit": "m"}


def with_positions(table: pd.DataFrame, places: Mapping[str, Any]) -> pd.DataFrame:
    """Set the positions of some channels.

    Parameters
    ----------
    table : DataFrame
        Channel table, left untouched.
    places : mapping
        (x, y, z) in m by channel name.

    Returns
    -------
    DataFrame
        A copy with ``x, y, z``; channels that are not named keep what they had, or get NaN.
    """
    for axis, name in enumerate("xyz"):
        old = table[name] if name in table else pd.Series(np.nan, index=table.index)
        new = table["name"].map({channel: float(place[axis]) for channel, place in places.items()}).astype(float)
        table = table.assign(**{name: new.where(new.notna(), old.astype(float))})
    return table


def info_to_json(info: Any) -> dict[str, Any] | None:
    """Keep what `json_to_info` needs to rebuild an ``mne.Info``, as JSON values without personal data.

    Parameters
    ----------
    info : mne.Info
        Measurement information.

    Returns
    -------
    dict or None
        Channels, coils, transforms, projectors, compensators and Maxwell filtering; subject, dates, experimenter, free text and
        the shape of the head are left out. None where MNE is too old to write its Info as JSON.
    """
    if not hasattr(info, "to_json_dict"):
        return None
    full = info.to_json_dict()
    full["dig"] = [point for point in full["dig"] or [] if _number(point["kind"]) in _DIG_KEPT] or None
    full["proc_history"] = [_maxwell(entry) for entry in full.get("proc_history") or []] or None
    kept = {name: full[name] for name in (*_KEPT, *_KEPT_LISTS) if full.get(name) is not None}
    result: dict[str, Any] = jsonable(kept)
    return result


def _maxwell(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a processing step says about Maxwell filtering, so that it is not applied twice; who did it and when stay out."""
    known = entry.get("max_info") or {}
    return {"max_info": {**{name: known.get(name) or {} for name in ("sss_info", "max_st")}, "sss_ctc": {}, "sss_cal": {}}}


def json_to_info(channels: pd.DataFrame, sfreq: float, stored: Mapping[str, Any] | None) -> Any:
    """Build an ``mne.Info`` for a channel table.

    Parameters
    ----------
    channels : DataFrame
        Channel table; names, kinds, bad marks and EEG positions (m) are taken from here.
    sfreq : float
        Sampling rate in Hz.
    stored : mapping or None
        ``meta["mne_info"]``: coils, transforms and projectors of the channels that are still there under their name.

    Returns
    -------
    mne.Info
        Fresh measurement information.

    Raises
    ------
    DataError
        If MNE does not know the kind of a channel.
    """
    mne = require("mne", "converting to M/EEG objects", "meeg")
    channels = fill_defaults(channels, {"kind": "misc", "bad": False})
    info = _plain_info(channels, sfreq)
    if stored and hasattr(mne.Info, "from_json_dict"):
        info = mne.Info.from_json_dict(_merged(info.to_json_dict(), stored, channels["kind"].tolist()))
    for channel, kind, place in zip(info["chs"], channels["kind"], _table_positions(channels), strict=True):
        if kind not in _MEG and np.isfinite(place).all():
            channel["loc"][:3] = place
    info["bads"] = channels.loc[channels["bad"].astype(bool), "name"].tolist()
    return info


def _plain_info(channels: pd.DataFrame, sfreq: float) -> Any:
    mne = require("mne", "converting to M/EEG objects", "meeg")
    kinds = channels["kind"].tolist()
    try:
        return mne.create_info(channels["name"].tolist(), sfreq, kinds, verbose="error")
    except (KeyError, ValueError) as error:
        raise DataError(f"MNE does not know one of the channel kinds {sorted(set(kinds))} ({error}); use misc") from error


def _merged(fresh: dict[str, Any], stored: Mapping[str, Any], kinds: list[str]) -> dict[str, Any]:
    """The fresh description, with what the stored one knows about the same channels."""
    known = {channel["ch_name"]: channel for channel in map(_with_nan, copy.deepcopy(list(stored["chs"])))}
    names = {channel["ch_name"] for channel in fresh["chs"]}
    chs = [
        known[channel["ch_name"]] if _same_kind(known.get(channel["ch_name"]), channel) else channel for channel in fresh["chs"]
    ]
    whole = names >= set(known)  # projectors and compensators only make sense while all their channels are there
    merged = {
        **fresh,
        **{name: stored[name] for name in _KEPT if name in stored},
        "chs": chs,
        "sfreq": fresh["sfreq"],
        "bads": [],
    }
    if whole:
        merged.update({name: stored[name] for name in ("projs", "comps") if name in stored})
    merged["lowpass"] = min(float(stored.get("lowpass") or np.inf), fresh["sfreq"] / 2)
    return merged


def _same_kind(known: Mapping[str, Any] | None, fresh: Mapping[str, Any]) -> bool:
    return known is not None and _number(known["kind"]) == _number(fresh["kind"])


def _number(code: Any) -> int:
    return int(code["value"] if isinstance(code, Mapping) else code)


def _with_nan(channel: dict[str, Any]) -> dict[str, Any]:
    """Put NaN back where JSON holds null."""
    return {**channel, "loc": [np.nan if value is None else value for value in channel["loc"]]}


def _table_positions(channels: pd.DataFrame) -> NDArray[np.float64]:
    if not {"x", "y", "z"} <= set(channels.columns):
        return np.full((len(channels), 3), np.nan)
    return channels[["x", "y", "z"]].to_numpy(float)
