"""Repetition time and time of the first volume of an fMRI recording, from whichever source states them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurodecode.errors import CorruptFileError, DataError, FormatError

_LONGEST_TR = 30.0  # s; above it the value is in milliseconds, below 1 ms in some other unit
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_GIVE_TR = "Pass the repetition time in s, e.g. tr=2.0, or correct the file"


class Timing(NamedTuple):
    """When the volumes of a recording were taken."""

    tr: float
    """Repetition time in s."""
    t0: float
    """Time of the first volume in s on the clock of the events."""
    notes: list[str]
    """What the reader of a report should know about these two."""


class Stated(NamedTuple):
    """A repetition time as a header states it."""

    value: float
    """Number in the header; 0 where there is none."""
    unit: str
    """``sec``, ``msec``, ``usec`` or ``unknown``."""


def timing(path: Path, header: Stated, sidecar: Mapping[str, Any], n_volumes: int, tr: float | None = None) -> Timing:
    """Choose repetition time and time of the first volume.

    Parameters
    ----------
    path : Path
        The image, for messages.
    header : Stated
        What its header says.
    sidecar : mapping
        Fields of its JSON sidecar; ``RepetitionTime`` (s) or ``VolumeTiming`` (s) wins over the header.
    n_volumes : int
        Number of volumes.
    tr : float, optional
        Repetition time in s that the caller knows; wins over both.

    Returns
    -------
    Timing
        Repetition time, time of the first volume, and notes on what contradicted what.

    Raises
    ------
    FormatError
        If no source states a repetition time in a known unit, or the one that counts is implausible.
    DataError
        If `tr` is not a plausible number of seconds.
    """
    if tr is not None:
        repetition = _plausible(float(tr), None, "tr")
    elif sidecar.get("RepetitionTime") is not None:
        repetition = _plausible(sidecar["RepetitionTime"], path, "RepetitionTime of its sidecar")
    elif sidecar.get("VolumeTiming") is not None:
        return _from_volume_timing(path, sidecar["VolumeTiming"], n_volumes)
    else:
        repetition = _from_header(path, header)
    return Timing(repetition, start_time(path, sidecar, repetition), _contradiction(header, repetition))


def start_time(path: Path, sidecar: Mapping[str, Any], tr: float) -> float:
    """Time in s to which the first volume belongs.

    ``StartTime`` of the sidecar where it is given (fMRIPrep writes the reference time of its slice timing correction
    there); else, where ``SliceTimingCorrected`` is true, the middle of ``SliceTiming`` or half of `tr`; else 0. The slices of a
    volume that was not corrected are taken at different times, and no single time is right for all of them.
    """
    if sidecar.get("StartTime") is not None:
        return _number(path, "StartTime", sidecar["StartTime"])
    if not sidecar.get("SliceTimingCorrected"):
        return 0.0
    slices = sidecar.get("SliceTiming")
    if not slices:
        return tr / 2
    times = np.array([_number(path, "SliceTiming", value) for value in slices])
    if times.min() < 0 or times.max() > tr:
        raise FormatError(
            path,
            f"SliceTiming of its sidecar spans {times.min():g} to {times.max():g} s, beyond the repetition time of {tr:g} s",
            "Give slice times in s, from 0 to the repetition time",
        )
    return float(times.min() + times.max()) / 2


def _number(path: Path, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise FormatError(path, f"{name} of its sidecar must be a number of seconds, got {value!r}", "Correct the sidecar")
    return float(value)


def _plausible(value: Any, path: Path | None, name: str) -> float:
    """Return a repetition time between 1 ms and 30 s, or say that it is probably in another unit."""
    seconds = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else np.nan
    if 1e-3 <= seconds <= _LONGEST_TR:
        return seconds
    hint = f"; {value} ms would be {seconds / 1000:g} s" if _LONGEST_TR < seconds <= 1000 * _LONGEST_TR else ""
    what = f"{name} must lie between 0.001 and {_LONGEST_TR:g} s, got {value!r}{hint}"
    if path is None:
        raise DataError(what)
    raise FormatError(path, what, _GIVE_TR)


def _from_header(path: Path, header: Stated) -> float:
    if not np.isfinite(header.value) or header.value < 0:
        raise CorruptFileError(path, f"its header gives a repetition time of {header.value}", _GIVE_TR)
    if header.value == 0:
        raise FormatError(path, "neither its header nor a JSON sidecar gives a repetition time", _GIVE_TR)
    if header.unit not in _SECONDS:
        raise FormatError(path, f"its header gives a repetition time of {header.value:g} without a unit of time", _GIVE_TR)
    return _plausible(header.value * _SECONDS[header.unit], path, f"the repetition time of its header ({header.unit})")


def _contradiction(header: Stated, tr: float) -> list[str]:
    """A note where the header gives another repetition time; a unit that was left out or mistaken is no contradiction."""
    if not header.value > 0 or header.unit not in _SECONDS:
        return []
    stated = header.value * _SECONDS[header.unit]
    if abs(stated - tr) <= 0.01 * tr:
        return []
    if abs(stated - 1000 * tr) <= 10 * tr:
        return [f"the header gives the repetition time in ms but calls it s ({header.value:g}); {tr:g} s was used"]
    return [f"the header gives a repetition time of {stated:g} s; {tr:g} s, as stated outside of it, was used"]


def _from_volume_timing(path: Path, onsets: Any, n_volumes: int) -> Timing:
    """Repetition time of volumes whose onsets are listed one by one, which must be equally spaced."""
    times = np.array([_number(path, "VolumeTiming", value) for value in onsets])
    if len(times) != n_volumes:
        raise FormatError(
            path,
            f"VolumeTiming of its sidecar lists {len(times)} volumes, the image has {n_volumes}",
            "Correct the sidecar, or give the image that belongs to it",
        )
    steps = np.diff(times)
    if not steps.size or np.ptp(steps) > 1e-3:
        spread = f"{steps.min():g} to {steps.max():g} s" if steps.size else "a single volume"
        raise FormatError(path, f"VolumeTiming is not equally spaced ({spread})", "Only a regular clock can be a Recording")
    return Timing(_plausible(float(steps.mean()), path, "the step of VolumeTiming"), float(times[0]), [])
