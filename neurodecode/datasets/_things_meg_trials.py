"""Trials of THINGS-MEG: what was shown when, from the table of the authors and the optically corrected events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from neurodecode.data import Recording
from neurodecode.datasets.folders import chosen, existing_root
from neurodecode.datasets.tables import need_columns, read_csv
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.outside import check_name

CATCH = 999999  # code of catch trials, which have none in the files
SHOWN = 0.5  # s
_END = 32  # trigger after the last trial
_COLUMNS = ("session_nr", "run_nr", "trial_type", "image_path", "things_image_nr")
_SPLITS = {"exp": "train", "test": "test", "catch": None}
_MOST_MISMATCHES = (
    20  # trials of a run in which both tables number the image differently; more means two tables of different runs
)
_FETCH = "Fetch sourcedata/ of the data set: it says what was shown in each trial"


def attributes_file(root: str | Path, subject: str) -> tuple[Path, str]:
    """Table of the trials of a subject, and the number of the subject."""
    folder = existing_root(root) / "sourcedata"
    start = "sample_attributes_P"
    known = [path.stem.removeprefix(start) for path in sorted(folder.glob(f"{start}*.csv"))]
    if not known:
        raise FormatError(folder, f"it has no {start}*.csv", _FETCH)
    label = str(subject).removeprefix("sub-").removeprefix("BIGMEG").removeprefix("P")
    number = chosen(label, known, "subject of things_meg")
    return folder / f"{start}{number}.csv", number


def read_trials(file: Path) -> pd.DataFrame:
    """All trials of a subject in their order.

    Returns
    -------
    DataFrame
        The columns of the file, and ``stimulus`` (name of the image), ``concept``, ``split`` (train or test), ``repeat`` (how
        often the image was shown before), and ``test_concept`` (whether an image of the test set shows the same concept). Catch
        trials have no stimulus.
    """
    trials = read_csv(file, _COLUMNS)
    kinds = trials["trial_type"].astype(str)
    odd = kinds[~kinds.isin(_SPLITS)]
    if len(odd):
        raise CorruptFileError(file, f"trial {odd.index[0]} is of type {odd.iloc[0]!r}, expected {list(_SPLITS)}", _FETCH)
    shown = kinds != "catch"
    names = trials["image_path"].astype(str).str.split("/").str[-1]
    for name in names[shown].unique():
        check_name(file, name)
    stem = names.str.rsplit(".", n=1).str[0].where(shown)
    concept = stem.str.rsplit("_", n=1).str[0]
    told = trials.assign(stimulus=stem, concept=concept, split=kinds.map(_SPLITS), repeat=trials.groupby(stem).cumcount())
    return told.assign(test_concept=concept.isin(concept[kinds == "test"]))


def with_trials(recording: Recording, trials: pd.DataFrame, file: Path) -> Recording:
    """Events at the optically corrected onsets, with what was shown.

    Parameters
    ----------
    recording : Recording
        One run, with the columns of its events.tsv.
    trials : DataFrame
        The trials of this run.
    file : Path
        Table that they come from, for messages.

    Returns
    -------
    Recording
        With one event per trial.
    """
    events = recording.events
    need_columns(events, ("sample", "value"), Path(str(recording.meta["sources"][0]["file"])))
    events = events.sort_values("sample", kind="stable", ignore_index=True)
    value = pd.to_numeric(events["value"], errors="coerce")
    if len(events) == len(trials) + 1 and value.iloc[-1] == _END:
        events, value = events.iloc[:-1], value.iloc[:-1]
    if len(events) != len(trials):
        what = f"it has {len(trials)} trials of this run, the events of the recording are {len(events)}"
        raise FormatError(file, what, "Take both from the same version of the data set")
    known = trials.reset_index(drop=True)
    notes = _mismatches(value, known, file)
    duration = pd.to_numeric(events["duration"], errors="coerce")
    columns = ["trial_type", "stimulus", "concept", "split", "repeat", "test_concept", "things_image_nr"]
    told = known[columns].assign(
        onset=events["sample"].to_numpy(float) / recording.sfreq,
        duration=duration.where(duration > 0, SHOWN).to_numpy(),
        value=value.fillna(CATCH).to_numpy(np.int64),
        onset_logged=events["onset"].to_numpy(),
    )
    meta = {**recording.meta, "notes": [*recording.meta.get("notes", []), *notes]} if notes else recording.meta
    return recording.replace(events=told, meta=meta)


def _mismatches(value: pd.Series, trials: pd.DataFrame, file: Path) -> list[str]:
    """A note on trials whose code is not the number of the image; many of them mean that the rows do not belong together."""
    number = pd.to_numeric(trials["things_image_nr"], errors="coerce")
    different = value.notna() & number.notna() & (value.to_numpy() != number.to_numpy()) & trials["stimulus"].notna()
    if different.sum() > _MOST_MISMATCHES:
        what = f"{int(different.sum())} of {len(trials)} trials have another image number in it than in the events"
        raise FormatError(file, what, "Take both from the same version of the data set")
    return [f"{int(different.sum())} trials have another image number in the events"] if different.any() else []
