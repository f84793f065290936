"""From and to the objects of MNE-Python: Raw and Epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.convert_mne_info import channels_from_info, info_to_json, json_to_info, sensor_space, with_positions
from neurodecode.data.hashing import jsonable
from neurodecode.data.intervals import Intervals
from neurodecode.data.lazy import LazySignal, read_signal
from neurodecode.data.recording import Recording
from neurodecode.data.responses import Responses
from neurodecode.data.validate import require, suggest
from neurodecode.errors import DataError

_UNUSABLE = ("bad", "edge")  # MNE's rule: annotations that begin so are left out of epochs
_MODALITIES = {
    "meg": {"mag", "grad", "ref_meg"},
    "ieeg": {"ecog", "seeg", "dbs"},
    "eeg": {"eeg", "csd"},
}


def from_mne(obj: Any) -> Recording | Responses:
    """Turn an MNE object into one of ours.

    Parameters
    ----------
    obj : mne.io.BaseRaw or mne.BaseEpochs
        A Raw that is not preloaded stays unread; an Epochs object is read.

    Returns
    -------
    Recording or Responses
        Of a Raw: a `Recording` whose first sample is t = 0 s whatever ``first_samp``; annotations become events
        (``trial_type`` is the description), those that begin with "bad" or "edge" are cut out of ``valid`` as well.
        Of Epochs: `Responses` with the metadata, ``trial_type``, ``onset`` (s), ``sample`` and ``value`` of each epoch.
        Units are SI; positions are in m in the head frame, NaN where unknown. ``meta["mne_info"]`` keeps coils,
        transforms and projectors without anything that names a person.

    Raises
    ------
    DataError
        If `obj` is neither.
    """
    mne = require("mne", "converting M/EEG objects", "meeg")
    if isinstance(obj, mne.io.BaseRaw):
        return _from_raw(obj)
    if isinstance(obj, mne.BaseEpochs):
        return _from_epochs(obj)
    raise DataError(f"from_mne takes a Raw or an Epochs object, got {type(obj).__name__}; average and others are not supported")


def to_mne(obj: Recording | Responses) -> Any:
    """Turn one of our objects into MNE's.

    Parameters
    ----------
    obj : Recording or Responses
        Responses need a time axis; a lazy signal is read.

    Returns
    -------
    mne.io.RawArray or mne.EpochsArray
        Of a Recording: events become annotations (with onsets from the first sample), stretches outside ``valid`` become
        "BAD_invalid" annotations. Of Responses: ``samples`` become the metadata; event codes come from ``value`` where it
        agrees with ``trial_type``. Coils and transforms are kept where ``meta["mne_info"]`` has them.

    Raises
    ------
    DataError
        If `obj` is neither, has no time axis, or MNE does not know the kind of a channel.
    """
    require("mne", "converting to M/EEG objects", "meeg")
    if isinstance(obj, Recording):
        return _to_raw(obj)
    if isinstance(obj, Responses):
        return _to_epochs(obj)
    raise DataError(f"to_mne takes a Recording or Responses, got {type(obj).__name__}")


def with_montage(obj: Recording | Responses, name: str) -> Any:
    """Give EEG channels the positions of a standard montage, for maps of recordings that came without positions.

    Parameters
    ----------
    obj : Recording or Responses
        Input, left untouched.
    name : str
        A standard montage of MNE, e.g. "standard_1020" or "biosemi64"; names are compared without regard to case.

    Returns
    -------
    Recording or Responses
        A copy with ``x, y, z`` (m, head frame) filled in; channels the montage does not know keep what they had.

    Raises
    ------
    DataError
        If the montage is unknown or has none of the channels.
    """
    mne = require("mne", "standard montages", "meeg")
    builtin = _builtin_name(name, mne.channels.get_builtin_montages())
    member = "channels" if isinstance(obj, Recording) else "units"
    table = getattr(obj, member)
    montage = mne.channels.make_standard_montage(builtin)
    spelled = {standard.lower(): standard for standard in montage.ch_names}
    found = [str(channel) for channel in table["name"] if str(channel).lower() in spelled]
    if not found:
        raise DataError(f"montage {name!r} has none of the channels {table['name'].tolist()[:8]}; rename them or use another")
    info = mne.create_info(found, 1.0, "eeg").set_montage(montage, match_case=False, on_missing="ignore", verbose="error")
    places = {channel["ch_name"]: channel["loc"][:3] for channel in info["chs"]}
    meta = {"space": {**obj.meta.get("space", {}), "name": "head", "type": "sensors"}}
    placed = obj.replace(**{member: with_positions(table, places)}, meta={**obj.meta, **meta})
    return placed.with_step("montage", {"name": name, "channels": len(found)})


def _builtin_name(name: str, known: Sequence[str]) -> str:
    """The name a montage has in this version of MNE: "standard_1020" and "colin27_1020" are one montage."""
    spellings = (name, name.replace("standard_", "colin27_"), name.replace("colin27_", "standard_"))
    found = [spelling for spelling in spellings if spelling in known]
    if not found:
        raise DataError(f"montage {name!r} is unknown: {suggest(name, ['standard_1020', 'standard_1005', *known])}")
    return found[0]


def modality_of(kinds: Any) -> str | None:
    """Tell the modality from the kinds of channels.

    Parameters
    ----------
    kinds : iterable of str
        Kinds as in a channel table.

    Returns
    -------
    str or None
        "meg", "ieeg" or "eeg", the first that has a channel; None where none has.
    """
    present = set(kinds)
    return next((modality for modality, members in _MODALITIES.items() if present & members), None)


# --- Raw -----------------------------------------------------------------------------------------------------------


def _from_raw(raw: Any) -> Recording:
    def read(start: int, stop: int) -> NDArray[Any]:
        block: NDArray[Any] = raw.get_data(start=start, stop=stop, verbose="warning")
        return block

    shape = (len(raw.ch_names), int(raw.n_times))
    data = read(0, raw.n_times) if raw.preload else LazySignal(read, shape)
    sfreq = float(raw.info["sfreq"])
    events = _events_of(raw.annotations, float(raw.first_time))
    unusable = _unusable(events)
    valid = Intervals([0.0], [raw.n_times / sfreq])
    if len(unusable):
        valid = unusable.complement(0.0, raw.n_times / sfreq)
    return Recording(data, sfreq, channels_from_info(raw.info), events, valid=valid, meta=_meta(raw.info))


def _meta(info: Any) -> dict[str, Any]:
    stored = info_to_json(info)
    meta = {
        "modality": modality_of(info.get_channel_types()),
        "line_freq": info["line_freq"],
        "space": sensor_space(info),
        "mne_info": stored,
    }
    return {name: value for name, value in meta.items() if value is not None}


def _events_of(annotations: Any, first_time: float) -> pd.DataFrame:
    """Annotations as events; their onsets count from the start of acquisition, ours from the first sample."""
    table = pd.DataFrame(
        {
            "onset": np.asarray(annotations.onset, float) - first_time,
            "duration": np.asarray(annotations.duration, float),
            "trial_type": [str(text) for text in annotations.description],
        }
    )
    if any(len(names) for names in annotations.ch_names):
        table["channel"] = [",".join(names) or None for names in annotations.ch_names]
    extras = pd.DataFrame([dict(extra or {}) for extra in getattr(annotations, "extras", None) or []])
    return table.join(extras[[name for name in extras if name not in table]])


def _unusable(events: pd.DataFrame) -> Intervals:
    """Stretches that events named BAD... or EDGE... mark."""
    if not len(events) or "trial_type" not in events:
        return Intervals([], [])
    marked = events[events["trial_type"].astype(str).str.lower().str.startswith(_UNUSABLE)]
    return Intervals.from_pairs(zip(marked["onset"], marked["onset"] + marked["duration"], strict=True))


def _to_raw(recording: Recording) -> Any:
    mne = require("mne", "converting to M/EEG objects", "meeg")
    info = json_to_info(_in_meters(recording.channels, recording.meta), recording.sfreq, recording.meta.get("mne_info"))
    raw = mne.io.RawArray(np.asarray(read_signal(recording.data), np.float64), info, verbose="error")
    return raw.set_annotations(_annotations(recording), emit_warning=False)


def _in_meters(table: pd.DataFrame, meta: Mapping[str, Any]) -> pd.DataFrame:
    """The table with positions in m: contacts in template spaces are in mm with us, in MNE everything is in m."""
    space = meta.get("space") or {}
    if space.get("unit") != "mm":
        return table
    return table.assign(**{axis: table[axis] * 1e-3 for axis in "xyz" if axis in table})


def _annotations(recording: Recording) -> Any:
    mne = require("mne", "converting to M/EEG objects", "meeg")
    events = recording.events
    begin, end = recording.t0, recording.t0 + recording.duration
    unmarked = recording.valid.complement(begin, end).intersection(_unusable(events).complement(begin, end))
    names = events["trial_type"].fillna("n/a").astype(str) if "trial_type" in events else ["event"] * len(events)
    channels = [tuple(text.split(",")) if isinstance(text, str) else () for text in events.get("channel", [None] * len(events))]
    extras = _extras(events, len(unmarked)) if "extras" in signature(mne.Annotations).parameters else {}
    return mne.Annotations(
        np.concatenate([events["onset"], unmarked.start]) - recording.t0,
        np.concatenate([events["duration"].fillna(0.0), unmarked.end - unmarked.start]),
        [*names, *["BAD_invalid"] * len(unmarked)],
        ch_names=[*channels, *[()] * len(unmarked)] if any(channels) else None,
        **extras,
    )


def _extras(events: pd.DataFrame, n_more: int) -> dict[str, Any]:
    """The other columns of the events, in the form that newer versions of MNE keep with each annotation."""
    others = events.drop(columns=["onset", "duration", "trial_type", "channel"], errors="ignore")
    return {"extras": [*jsonable(others.to_dict("records")), *[{}] * n_more]} if len(others.columns) else {}


# --- Epochs --------------------------------------------------------------------------------------------------------


def _from_epochs(epochs: Any) -> Responses:
    labels = {code: str(name) for name, code in epochs.event_id.items()}
    sample, code = epochs.events[:, 0], epochs.events[:, 2]
    known = {
        "trial_type": [labels[value] for value in code],
        "onset": sample / float(np.ravel(getattr(epochs, "_raw_sfreq", epochs.info["sfreq"]))[0]),  # the rate before decimation
        "sample": sample.astype(np.int64),
        "value": code.astype(np.int64),
    }
    samples = pd.DataFrame() if epochs.metadata is None else epochs.metadata.reset_index(drop=True)
    samples = samples.assign(**{name: values for name, values in known.items() if name not in samples})
    data = epochs.get_data(copy=False, verbose="error")
    return Responses(data, samples, channels_from_info(epochs.info), epochs.times, _meta(epochs.info))


def _to_epochs(responses: Responses) -> Any:
    mne = require("mne", "converting to M/EEG objects", "meeg")
    if responses.times is None or len(responses.times) < 2:
        raise DataError(f"an Epochs object needs a time axis, these Responses have shape {tuple(responses.data.shape)}")
    times = responses.times
    sfreq = (len(times) - 1) / float(times[-1] - times[0])
    stored = responses.meta.get("mne_info")
    if stored and np.isclose(stored["sfreq"], sfreq, rtol=1e-6):
        sfreq = float(stored["sfreq"])  # rounding of the times must not change the rate
    codes, event_id = _event_codes(responses.samples)
    events = np.column_stack([_event_samples(responses, sfreq), np.zeros_like(codes), codes])
    return mne.EpochsArray(
        np.asarray(responses.data, np.float64),
        json_to_info(_in_meters(responses.units, responses.meta), sfreq, stored),
        events=events,
        tmin=float(times[0]),
        event_id=event_id,
        metadata=responses.samples,
        baseline=None,
        proj=False,
        verbose="error",
    )


def _event_codes(samples: pd.DataFrame) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Code of each sample: its ``value`` where that is one whole number per trial type, else numbers from 1."""
    names = samples["trial_type"].fillna("n/a").astype(str) if "trial_type" in samples else pd.Series(["1"] * len(samples))
    value = samples.get("value")
    if value is not None and value.dtype.kind in "iu":
        pairs = pd.DataFrame({"name": names, "value": value}).drop_duplicates()
        if pairs["name"].is_unique and pairs["value"].is_unique:
            return value.to_numpy(np.int64), dict(zip(pairs["name"], pairs["value"].astype(int), strict=True))
    codes, found = pd.factorize(names, sort=True)
    return codes.astype(np.int64) + 1, {str(name): i + 1 for i, name in enumerate(found)}


def _event_samples(responses: Responses, sfreq: float) -> NDArray[np.int64]:
    """Sample number of each event; consecutive numbers where the onsets of several runs would collide."""
    samples = responses.samples
    numbers = np.arange(len(samples), dtype=np.int64) * len(responses.times if responses.times is not None else [0])
    if "sample" in samples and samples["sample"].dtype.kind in "iu":
        numbers = samples["sample"].to_numpy(np.int64)
    elif "onset" in samples and np.isfinite(onset := samples["onset"].to_numpy(float)).all():
        numbers = np.round(onset * sfreq).astype(np.int64)
    if len(np.unique(numbers)) < len(numbers):
        numbers = np.arange(len(samples), dtype=np.int64)
    return numbers
