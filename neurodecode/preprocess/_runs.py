"""Runs and their events: what the fMRI steps that turn recordings into responses share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses, concatenate
from neurodecode.data.describe import counts, identity
from neurodecode.data.responses import RUN_KEYS
from neurodecode.data.tables import cut_rows
from neurodecode.data.validate import check_columns, check_finite, suggest
from neurodecode.errors import DataError

Runs = Recording | Sequence[Recording]

BLOCK = 20_000  # channels worked on at once in float64, so that memory stays small
REMEDY = "Mark it bad (channels['bad']), mask it out, or repair it"


def as_runs(recordings: Runs) -> list[Recording]:
    """One recording or several as a list of BOLD runs, at least one."""
    runs = [recordings] if isinstance(recordings, Recording) else list(recordings)
    if not runs:
        raise DataError(f"got {recordings!r}, expected a Recording or a list of at least one")
    for run in runs:
        check_bold(run)
    return runs


def check_bold(recording: Recording) -> None:
    """Raise `DataError` if the recording says that it is something else than BOLD."""
    modality = recording.meta.get("modality", "bold")
    if modality != "bold":
        raise DataError(f"the recording is {modality!r}, the steps of preprocess.fmri are for 'bold': use those of its modality")


def name_of(recording: Recording) -> str:
    """Identity of a run for messages."""
    return identity(recording.meta) or "the recording"


def blocks(n_channels: int) -> Iterator[slice]:
    """Slices of at most `BLOCK` channels."""
    return (slice(start, min(start + BLOCK, n_channels)) for start in range(0, n_channels, BLOCK))


def check_good_finite(recording: Recording, data: NDArray[Any], where: str) -> None:
    """Raise `DataError` naming the first channel that is not marked bad and holds NaN."""
    good = ~recording.channels["bad"].to_numpy()
    names = [name for name, kept in zip(recording.names, good, strict=True) if kept]
    check_finite(data[good], names, f"{where} of {name_of(recording)}", REMEDY)


def trials(recording: Recording, trial_types: str | Sequence[str] | None = None) -> pd.DataFrame:
    """The events of a run, or those of some trial types; there must be at least one of each."""
    events = recording.events
    if not len(events):
        raise DataError(f"{name_of(recording)} has 0 events, expected at least one: add them (onset, duration in s, trial_type)")
    if trial_types is None:
        return events
    check_columns(events, ["trial_type"], f"the event table of {name_of(recording)}")
    wanted = [trial_types] if isinstance(trial_types, str) else list(trial_types)
    known = events["trial_type"].dropna().unique()
    for name in wanted:
        if name not in known:
            held = counts(events["trial_type"], 8)
            raise DataError(f"{name_of(recording)} has no event of trial_type {name!r} ({held}): {suggest(name, known)}")
    return cut_rows(events, np.flatnonzero(events["trial_type"].isin(wanted)))


def event_samples(recording: Recording, events: pd.DataFrame) -> pd.DataFrame:
    """Events as a table of samples, with subject, session, run and task in front where they are known."""
    known = {key: recording.meta[key] for key in (*RUN_KEYS, "task") if recording.meta.get(key) is not None}
    table = pd.DataFrame({key: [value] * len(events) for key, value in known.items()}, index=events.index)
    return pd.concat([table, events.drop(columns=list(known), errors="ignore")], axis=1).reset_index(drop=True)


def drop_record(n_events: int, dropped: dict[str, int]) -> dict[str, int]:
    """How many events there were, how many were kept, and how many were dropped for each reason."""
    return {"events": n_events, "kept": n_events - sum(dropped.values()), **dropped}


def each_run(recordings: Runs, respond: Callable[[int, Recording], Responses]) -> Responses:
    """Apply ``respond(index, run)`` to every run and join the responses.

    The counts in ``meta["drops"]`` add up, and a unit that is bad in one run is bad.
    """
    parts = [respond(i, run) for i, run in enumerate(as_runs(recordings))]
    if len(parts) == 1:
        return parts[0]
    names = list(dict.fromkeys(key for part in parts for key in part.meta.get("drops", {})))
    drops = {name: sum(part.meta["drops"].get(name, 0) for part in parts) for name in names}
    joined = concatenate([part.replace(meta={k: v for k, v in part.meta.items() if k != "mne_info"}) for part in parts])
    units = joined.units.assign(bad=np.any([part.units["bad"] for part in parts], axis=0))
    return joined.replace(units=units, meta={**joined.meta, "drops": drops, "steps": _common_steps(parts)})


def _common_steps(parts: Sequence[Responses]) -> list[dict[str, Any]]:
    """The steps of the runs; a parameter that differs between runs becomes the list of its values."""
    lists = [part.meta.get("steps", []) for part in parts]
    if len({tuple(step["step"] for step in steps) for steps in lists}) > 1:
        names = [[step["step"] for step in steps] for steps in lists]
        raise DataError(f"the runs went through different steps ({names}): treat all of them in the same way")
    return [_merged([steps[i] for steps in lists]) for i in range(len(lists[0]))]


def _merged(steps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    keys = list(dict.fromkeys(key for step in steps for key in step))
    values = {key: [step.get(key) for step in steps] for key in keys}
    return {key: each[0] if all(value == each[0] for value in each) else each for key, each in values.items()}


def as_list(names: str | Sequence[str] | None) -> list[str] | None:
    """One name or several as a list, for the record of a step."""
    return [names] if isinstance(names, str) else None if names is None else list(names)


def trial_kinds(events: pd.DataFrame) -> NDArray[Any]:
    """Trial type of each event as text; one kind for all where the column is missing."""
    if "trial_type" not in events:
        return np.full(len(events), "event", object)
    return events["trial_type"].fillna("n/a").astype(str).to_numpy(object)
