"""Cutting a recording into epochs around its events, and the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses
from neurodecode.data.clock import nearest_sample
from neurodecode.data.describe import counts
from neurodecode.data.responses import RUN_KEYS
from neurodecode.data.tables import cut_rows
from neurodecode.data.validate import check_columns, check_option, check_positive, suggest
from neurodecode.errors import DataError
from neurodecode.preprocess._channels import REMEDY, as_units, pick_rows

OUTSIDE, INVALID, MISSING, TOO_LARGE = "outside the recording", "outside the valid stretches", "NaN", "peak-to-peak"


def epochs(
    recording: Recording,
    tmin: float = -0.2,
    tmax: float = 0.8,
    baseline: tuple[float | None, float | None] | None = (-0.2, 0.0),
    *,
    trial_types: str | Sequence[str] | None = None,
    reject_peak_to_peak: float | Mapping[str, float] | None = None,
    picks: str | Sequence[str] | None = None,
    drop_bad: bool = True,
    on_nan: Literal["raise", "drop"] = "raise",
) -> Responses:
    """Cut a window around each event.

    The event stands at the sample nearest to its onset; the window holds the samples ``round(tmin * sfreq)`` to
    ``round(tmax * sfreq)`` relative to it, both included, as in MNE. Windows may overlap; splits check that overlapping ones
    never stand on both sides.

    Parameters
    ----------
    recording : Recording
        Signal with events.
    tmin, tmax : float
        Window in s relative to the onset.
    baseline : tuple of (float or None, float or None), optional
        Window in s (both ends included, None for the end of the epoch) whose mean is taken off each channel of each epoch;
        None takes nothing off.
    trial_types : str or sequence of str, optional
        Values of the event column ``trial_type`` to keep, by default all events.
    reject_peak_to_peak : float or mapping, optional
        Drop epochs in which a used channel spans more than this, in the unit of the channel (V, T, T/m); a mapping gives
        one value per kind, e.g. ``{"eeg": 100e-6}``.
    picks : str or sequence of str, optional
        Channel kinds or names, by default all data channels (eeg, mag, grad, ecog, seeg, dbs).
    drop_bad : bool
        Leave bad channels out.
    on_nan : {"raise", "drop"}
        What to do with an epoch in which a used channel holds NaN.

    Returns
    -------
    Responses
        ``data`` (n_epochs, n_channels, n_times); ``samples`` has subject, session, run, task where known and every event
        column. ``meta["drops"]`` counts the events, the kept ones, and the dropped ones by reason.

    Raises
    ------
    DataError
        If there are no events, none is left (with the count of each reason), or NaN is met while `on_nan` is "raise".
    """
    check_option("on_nan", on_nan, ("raise", "drop"))
    rows = pick_rows(recording, picks, "epochs", drop_bad=drop_bad)
    offsets = _offsets(tmin, tmax, recording.sfreq)
    events = _wanted_events(recording, trial_types)
    starts = nearest_sample(events["onset"].to_numpy(), recording.sfreq, recording.t0) + offsets[0]
    reasons = _place_reasons(recording, starts, len(offsets))
    data = _cut(recording, rows, starts[reasons == ""], len(offsets))
    data, reasons = _drop_missing(recording, data, rows, reasons, on_nan)
    times = offsets / recording.sfreq
    data = subtract_baseline(data, times, baseline)
    data, reasons = _drop_large(data, reasons, _limits(recording, rows, reject_peak_to_peak))
    drops = _drop_record(reasons)
    _need_epochs(drops, tmin, tmax, recording)
    parameters = {
        "tmin": tmin,
        "tmax": tmax,
        "baseline": baseline and list(baseline),
        "trial_types": [trial_types] if isinstance(trial_types, str) else trial_types and list(trial_types),
        "reject_peak_to_peak": dict(reject_peak_to_peak) if isinstance(reject_peak_to_peak, Mapping) else reject_peak_to_peak,
        "bad_channels_left_out": _left_out(recording, drop_bad),
        "drops": drops,
    }
    samples = _samples(cut_rows(events, np.flatnonzero(reasons == "")), recording.meta)
    responses = Responses(data, samples, as_units(recording.channels, rows), times, {**recording.meta, "drops": drops})
    return responses.with_step("meeg.epochs", parameters)


def baseline(responses: Responses, tmin: float | None = -0.2, tmax: float | None = 0.0) -> Responses:
    """Take the mean of a window off each unit of each sample.

    Parameters
    ----------
    responses : Responses
        With a time axis, data (n_samples, n_units, n_times).
    tmin, tmax : float or None
        Window in s, both ends included; None is the end of the epoch.

    Returns
    -------
    Responses
        The same samples and units.

    Raises
    ------
    DataError
        If there is no time axis or no response time lies in the window.
    """
    if responses.times is None:
        raise DataError(f"baseline needs responses with a time axis, got data of shape {responses.data.shape}")
    data = subtract_baseline(np.asarray(responses.data), responses.times, (tmin, tmax))
    return responses.with_step("meeg.baseline", {"tmin": tmin, "tmax": tmax}, data=data)


def subtract_baseline(
    data: NDArray[np.float32], times: NDArray[np.float64], window: tuple[float | None, float | None] | None
) -> NDArray[np.float32]:
    """Take the mean over a window (s, both ends included, half a sample of tolerance) off the last axis."""
    if window is None:
        return data
    low, high = (-np.inf if window[0] is None else window[0]), (np.inf if window[1] is None else window[1])
    tolerance = 0.5 * float(np.diff(times).min(initial=2e-6))
    inside = (times >= low - tolerance) & (times <= high + tolerance)
    if not inside.any() or low > high:
        raise DataError(
            f"the baseline {window[0]} to {window[1]} s has no sample in the epoch ({times[0]:g} to {times[-1]:g} s): "
            "choose a baseline inside the epoch, or None"
        )
    level = data[..., inside].mean(axis=-1, keepdims=True, dtype=np.float64)
    return np.asarray(data - level, np.float32)


def _offsets(tmin: float, tmax: float, sfreq: float) -> NDArray[np.int64]:
    """Samples of the window relative to the event, both ends included."""
    if not tmin < tmax:
        raise DataError(f"tmin must be below tmax, got {tmin} and {tmax} s")
    return np.arange(round(tmin * sfreq), round(tmax * sfreq) + 1)


def _wanted_events(recording: Recording, trial_types: str | Sequence[str] | None) -> pd.DataFrame:
    events = recording.events
    if not len(events):
        raise DataError("the recording has no events to cut epochs around (0 rows): add them, or use the continuous signal")
    if trial_types is None:
        return events
    check_columns(events, ["trial_type"], "events")
    wanted = [trial_types] if isinstance(trial_types, str) else list(trial_types)
    for value in wanted:
        if not (events["trial_type"] == value).any():
            raise DataError(
                f"no event has trial_type {value!r} (there are {counts(events['trial_type'], 12)}): "
                f"{suggest(str(value), events['trial_type'].dropna().unique())}"
            )
    return cut_rows(events, np.flatnonzero(events["trial_type"].isin(wanted)))


def _place_reasons(recording: Recording, starts: NDArray[np.int64], n_times: int) -> NDArray[Any]:
    """For each event, why its window cannot be cut ("" where it can)."""
    begin = recording.t0 + starts / recording.sfreq
    end = recording.t0 + (starts + n_times - 1) / recording.sfreq
    valid = recording.valid.covers(begin + 1e-9, end + 1e-9)
    inside = (starts >= 0) & (starts + n_times <= recording.n_times)
    return np.where(~inside, OUTSIDE, np.where(~valid, INVALID, "")).astype(object)


def _cut(recording: Recording, rows: NDArray[np.intp], starts: NDArray[np.int64], n_times: int) -> NDArray[np.float32]:
    """Windows of some channels, shape (n_windows, n_rows, n_times); a lazy signal is read window by window."""
    data = np.empty((len(starts), len(rows), n_times), np.float32)
    for window, start in zip(data, starts, strict=True):
        window[:] = recording.data[:, int(start) : int(start) + n_times][rows]
    return data


def _drop_missing(
    recording: Recording, data: NDArray[np.float32], rows: NDArray[np.intp], reasons: NDArray[Any], on_nan: str
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    finite = np.all(np.isfinite(data), axis=2)
    if on_nan == "raise" and not finite.all():
        lost = (~finite).sum(axis=0)
        worst = int(np.argmax(lost))
        raise DataError(
            f"epochs: channel {recording.names[rows[worst]]!r} holds NaN or infinite values in {lost[worst]} of {len(data)} "
            f"epochs ({int((lost > 0).sum())} of {len(rows)} used channels do). {REMEDY} Or pass on_nan='drop'"
        )
    return _drop(data, reasons, ~np.all(finite, axis=1), MISSING)


def _drop_large(
    data: NDArray[np.float32], reasons: NDArray[Any], limits: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    span = np.ptp(data, axis=2) if len(data) else np.zeros(data.shape[:2])
    return _drop(data, reasons, np.any(span > limits, axis=1), TOO_LARGE)


def _drop(
    data: NDArray[np.float32], reasons: NDArray[Any], unwanted: NDArray[np.bool_], reason: str
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Take windows out of the data and write down why; `unwanted` counts only the windows still there."""
    named = reasons.copy()
    named[np.flatnonzero(reasons == "")[unwanted]] = reason
    return (data[~unwanted] if unwanted.any() else data), named


def _limits(recording: Recording, rows: NDArray[np.intp], limit: float | Mapping[str, float] | None) -> NDArray[np.float64]:
    """Largest peak-to-peak span of each used channel."""
    kinds = recording.channels["kind"].iloc[rows]
    if limit is None:
        return np.full(len(rows), np.inf)
    if not isinstance(limit, Mapping):
        return np.full(len(rows), check_positive("reject_peak_to_peak", limit))
    for kind, value in limit.items():
        check_option("kind in reject_peak_to_peak", kind, sorted(kinds.unique()))
        check_positive(f"reject_peak_to_peak[{kind!r}]", value)
    return np.array([limit.get(kind, np.inf) for kind in kinds], float)


def _drop_record(reasons: NDArray[Any]) -> dict[str, int]:
    """How many events there were, how many epochs were kept, and how many were dropped for each reason."""
    record = {"events": len(reasons), "kept": int((reasons == "").sum())}
    return record | {reason: int((reasons == reason).sum()) for reason in (OUTSIDE, INVALID, MISSING, TOO_LARGE)}


def _need_epochs(drops: dict[str, int], tmin: float, tmax: float, recording: Recording) -> None:
    if not drops["kept"]:
        why = ", ".join(f"{n} {reason}" for reason, n in drops.items() if n and reason not in ("events", "kept"))
        span = f"{recording.t0:g} to {recording.t0 + recording.duration:g} s"
        raise DataError(
            f"no epoch is left of {drops['events']} events ({why}) for a window of {tmin} to {tmax} s in a recording of {span}: "
            "check onsets, valid stretches and the rejection threshold"
        )


def _left_out(recording: Recording, drop_bad: bool) -> list[str]:
    return recording.channels.loc[recording.channels["bad"], "name"].tolist() if drop_bad else []


def _samples(events: pd.DataFrame, meta: Mapping[str, Any]) -> pd.DataFrame:
    """The events as samples, with the identity of the run in front."""
    identity = {key: meta[key] for key in (*RUN_KEYS, "task") if meta.get(key) is not None}
    rest = events[[column for column in events if column not in identity]]
    table = pd.DataFrame({key: [value] * len(events) for key, value in identity.items()})
    return pd.concat([table, rest], axis=1)
