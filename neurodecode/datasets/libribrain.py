"""LibriBrain (Özdogan et al. 2025): one person listens to the Sherlock Holmes books for fifty hours (MEG)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from neurodecode.data import Recording, Stimuli
from neurodecode.datasets._libribrain_signal import read_serialised
from neurodecode.datasets.folders import chosen, existing_root
from neurodecode.datasets.tables import need_columns
from neurodecode.errors import FormatError

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

_NAME = re.compile(r"sub-([0-9A-Za-z]+)_ses-([0-9A-Za-z]+)_task-([0-9A-Za-z]+)_run-([0-9A-Za-z]+)_proc-(.+)_meg\.h5")
_SIGNALS, _EVENTS = "derivatives/serialised", "derivatives/events"
_COLUMNS = ("kind", "segment", "timemeg", "duration")


def load(
    root: str | Path,
    subject: str = "0",
    *,
    task: str = "Sherlock1",
    session: int | str = 1,
    run: int | str = 1,
    manifest: Manifest | None = None,
) -> tuple[Recording, Stimuli]:
    """Open one run: a chapter of a book.

    Parameters
    ----------
    root : str or Path
        Folder with ``Sherlock1/`` and so on, and ``meg_sensors_information.json`` for positions.
    subject : str
        "0", the only one.
    task : str
        The book: "Sherlock1" to "Sherlock7".
    session : int or str
        The chapter.
    run : int or str
        Mostly 1.
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    recording : Recording
        306 sensors at 250 Hz in T and T/m, unread until used, as the authors filtered it (Maxwell filter, line noise, 0.1 to
        125 Hz). Of its events ``trial_type`` is word, phoneme or silence; ``word``, ``phoneme`` and ``block`` (number of the
        sentence) say what was heard, ``sound_onset`` at which second of the chapter where the file has it; the other columns of
        the file are there as well.
    stimuli : Stimuli
        The words of the chapter; the sounds are not part of the set.

    Raises
    ------
    DataError
        If there is no such subject, task, session or run.
    FormatError
        If a file is missing or lacks something, or the recording is not what the manifest expects.
    CorruptFileError
        If a file is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations
    from neurodecode.io.meeg_open import sources

    folder = existing_root(root)
    file = _file(folder, str(subject), str(task), str(session), str(run))
    stem = file.name.split("_proc-")[0]
    table = file.parents[1] / "events" / f"{stem}_events.tsv"
    sensors = folder / "meg_sensors_information.json"
    recording = read_serialised(file, sensors if sensors.is_file() else None)
    person, visit, book, number = _entities(file)
    stimulus = f"{book}_ses-{visit}"
    events = _events(table, stimulus)
    known = sources([file, table, *([sensors] if sensors.is_file() else [])], folder)
    told = {"subject": person, "session": visit, "task": book, "run": number, "sources": known}
    recording = recording.replace(events=events, meta={**recording.meta, **told})
    check_expectations(recording, manifest or info("libribrain"), root)
    text = " ".join(events["word"].dropna())
    return recording, Stimuli([stimulus], [text], "text", pd.DataFrame({"id": [stimulus]}))


def _file(folder: Path, subject: str, task: str, session: str, run: str) -> Path:
    """The recording that was asked for."""
    books = sorted(path.parents[1].name for path in folder.glob(f"*/{_SIGNALS}"))
    if not books:
        raise FormatError(folder, f"it has no folder TASK/{_SIGNALS}", "Give the folder that holds Sherlock1 and so on")
    book = chosen(task, books, "task")
    left = [path for path in sorted((folder / book / _SIGNALS).glob("*.h5")) if _NAME.fullmatch(path.name)]
    for place, asked, what in ((0, subject, "subject"), (1, session, "session"), (3, run, "run")):
        known = sorted({_entities(path)[place] for path in left}, key=lambda label: (len(label), label))
        label = chosen(asked, known, f"{what} of {book}")
        left = [path for path in left if _entities(path)[place] == label]
    if len(left) > 1:
        raise FormatError(left[0], f"it is one of {len(left)} files of this run", "Keep one of them in this folder")
    return left[0]


def _entities(file: Path) -> tuple[str, ...]:
    """Subject, session, task and run of a name."""
    found = _NAME.fullmatch(file.name)
    return found.groups()[:4] if found else ("", "", "", "")


def _events(file: Path, stimulus: str) -> pd.DataFrame:
    """The table of a run with our names."""
    from neurodecode.io.bids_tables import read_tsv
    from neurodecode.io.guard import existing_file

    texts = ("kind", "segment")
    table = read_tsv(existing_file(file), texts).replace("", np.nan)
    need_columns(table, _COLUMNS, file)
    timed = {
        name: pd.to_numeric(table[name], errors="coerce") for name in ("timemeg", "duration", "timechapter") if name in table
    }
    odd = np.flatnonzero(~np.isfinite(timed["timemeg"]))
    if len(odd):
        what = f"row {odd[0] + 1} has {table['timemeg'].iloc[odd[0]]!r} as timemeg, expected a time in s"
        raise FormatError(file, what, "Take the file as its authors published it")
    kind, nothing = table["kind"], pd.Series(np.nan, index=table.index)
    sentence = pd.to_numeric(table.get("sentenceidx", nothing), errors="coerce")
    told = {
        "onset": timed["timemeg"],
        "duration": timed["duration"].fillna(0),
        "trial_type": kind,
        "stimulus": stimulus,
        "sound_onset": timed.get("timechapter", nothing),
        "word": table["segment"].where(kind == "word"),
        "phoneme": table["segment"].where(kind == "phoneme"),
        "block": sentence.map(lambda number: f"{stimulus}:{int(number)}", na_action="ignore").astype(object),
    }
    return pd.DataFrame(told).join(table.drop(columns=[name for name in (*told, "kind", "timemeg") if name in table]))
