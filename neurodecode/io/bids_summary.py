"""What a BIDS data set holds: subjects, tasks, runs, trial types and derivatives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from neurodecode.io.bids_names import BidsFile, natural
from neurodecode.io.bids_search import MARKER, dataset_root, derivative_names, find_recordings, walk
from neurodecode.io.bids_tables import read_events
from neurodecode.io.fmri_meta import read_json

_TABLE = ("subject", "session", "task", "run", "datatype", "suffix", "n_events", "file")


class DerivativeSummary(NamedTuple):
    """One derivative of a data set."""

    name: str
    """Folder below ``derivatives/``, as `read_bids` takes it."""
    pipelines: list[str]
    """Name and version of the programs that made it."""
    spaces: list[str]
    """Spaces of its BOLD runs; ``native`` where the names state none."""
    n_recordings: int
    """Number of BOLD, EEG, MEG or iEEG files."""


class BidsSummary(NamedTuple):
    """What a BIDS data set holds."""

    name: str
    """Name in its description."""
    subjects: list[str]
    """Labels without prefix, in natural order, as all following."""
    sessions: list[str]
    """Labels; empty where there are no sessions."""
    tasks: list[str]
    """Labels."""
    runs: list[str]
    """Labels; empty where there are no runs."""
    datatypes: list[str]
    """func, eeg, meg, ieeg."""
    trial_types: dict[str, dict[str, int]]
    """Number of events of each trial type, per task."""
    derivatives: list[DerivativeSummary]
    """Derivatives found below ``derivatives/``."""
    recordings: pd.DataFrame
    """One row per recording: subject, session, task, run, datatype, suffix, n_events, file (below the root)."""


def describe_bids(root: str | Path) -> BidsSummary:
    """Summarise a BIDS data set without opening its recordings.

    Parameters
    ----------
    root : str or Path
        Folder with the ``dataset_description.json``.

    Returns
    -------
    BidsSummary
        Subjects, sessions, tasks, runs, datatypes, trial types per task, derivatives, and a table of recordings.

    Raises
    ------
    FormatError
        If `root` is no BIDS data set.
    """
    folder = dataset_root(root)
    description = read_json(folder / MARKER)
    rows, trial_types = [], dict[str, Counter[str]]()
    for group in _recordings(folder):
        events = read_events(group[0])
        counts = trial_types.setdefault(group[0].entities.get("task", ""), Counter())
        if "trial_type" in events:
            counts.update(events["trial_type"].dropna().astype(str))
        rows.append(_row(group[0], len(events)))
    table = pd.DataFrame(rows, columns=list(_TABLE))
    subjects, sessions, tasks, runs, datatypes = (_labels(table[name]) for name in _TABLE[:5])
    kinds = {task: dict(sorted(counts.items())) for task, counts in trial_types.items()}
    derivatives = [_derivative(folder, name) for name in derivative_names(folder)]
    name = str(description.get("Name", folder.name))
    return BidsSummary(name, subjects, sessions, tasks, runs, datatypes, kinds, derivatives, table)


def _recordings(root: Path, derivatives: str | None = None) -> list[list[BidsFile]]:
    """Recordings of a data set; none where it holds only other files, such as masks."""
    folder = dataset_root(root, derivatives)
    return find_recordings(folder) if any(file.suffix in ("bold", "eeg", "meg", "ieeg") for file in walk(folder)) else []


def _row(file: BidsFile, n_events: int) -> dict[str, Any]:
    keys = {"subject": "sub", "session": "ses", "task": "task", "run": "run"}
    identity = {long: file.entities.get(short) for long, short in keys.items()}
    return {**identity, "datatype": file.datatype, "suffix": file.suffix, "n_events": n_events, "file": file.relative}


def _labels(column: pd.Series) -> list[str]:
    return sorted({str(value) for value in column.dropna()}, key=natural)


def _derivative(root: Path, name: str) -> DerivativeSummary:
    groups = _recordings(root, name)
    spaces = sorted({group[0].entities.get("space", "native") for group in groups if group[0].suffix == "bold"})
    return DerivativeSummary(name, _pipelines(read_json(root / "derivatives" / name / MARKER)), spaces, len(groups))


def _pipelines(description: Mapping[str, Any]) -> list[str]:
    made_by = description.get("GeneratedBy") or [description.get("PipelineDescription") or {}]
    entries = [entry for entry in made_by if isinstance(entry, Mapping) and entry.get("Name")]
    return [" ".join(str(entry[key]) for key in ("Name", "Version") if entry.get(key)) for entry in entries]
