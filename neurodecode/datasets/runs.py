"""Runs of a subject in a BIDS data set."""

from __future__ import annotations

from pathlib import Path

from neurodecode.data.validate import suggest
from neurodecode.errors import DataError
from neurodecode.io import bids_files


def run_labels(root: str | Path, subject: str, task: str, datatype: str) -> list[str]:
    """Labels of the runs of a task that the raw data set has recordings of, in natural order; at least one."""
    suffix = "bold" if datatype == "func" else datatype
    files = bids_files(root, task=task, datatype=datatype, suffix=suffix)
    label = str(subject).removeprefix("sub-")
    runs = dict.fromkeys(file.entities["run"] for file in files if file.entities["sub"] == label and "run" in file.entities)
    if not runs:
        known = {file.entities["sub"] for file in files}
        raise DataError(f"{root} has no runs of task {task!r} of subject {label!r}: {suggest(label, known)}")
    return list(runs)
