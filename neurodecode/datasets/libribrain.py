"""LibriBrain (2025): one person hears over fifty hours of audiobooks (MEG, 306 sensors, as HDF5 files)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
"""LibriBrain (Özdogan et al. 2025): one person listens to the Sherlock Holmes books for fifty hours (MEG)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from neurodecode.data import LazySignal, Recording, Stimuli
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import check_columns, require
from neurodecode.datasets.folders import chosen, existing_root
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.bids_tables import read_tsv
from neurodecode.io.guard import AGAIN, existing_file, reading
from neurodecode.io.hdf5_structure import check_stored
from neurodecode.io.outside import check_links
from neurodecode.data import Recording, Stimuli
from neurodecode.datasets._libribrain_signal import read_serialised
from neurodecode.datasets.folders import chosen, existing_root
from neurodecode.datasets.tables import need_columns
from neurodecode.errors import FormatError

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

_ATTRIBUTES = ("channel_names", "channel_types", "sample_frequency")
_UNITS = {"mag": "T", "grad": "T/m"}
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
    """Open one session: a chapter or so.
    """Open one run: a chapter of a book.

    Parameters
    ----------
    root : str or Path
        Folder with a folder per book, each with ``derivatives/serialised/*.h5`` and ``derivatives/events/*_events.tsv``.
    subject : str
        "0", the only one.
    task : str
        The book, e.g. ``Sherlock1``.
    session : int or str
        Session within the book.
    run : int or str
        Run within the session.
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
        306 sensors in T and T/m at 250 Hz, unread until they are used. ``events`` are words, phonemes and silences, as
        ``trial_type`` says; ``word`` is what was said, ``stimulus`` and ``block`` the sentence.
    stimuli : Stimuli
        The sentences in words: the recordings come without sound.
        306 sensors at 250 Hz in T and T/m, unread until used, as the authors filtered it (Maxwell filter, line noise, 0.1 to
        125 Hz). Of its events ``trial_type`` is word, phoneme or silence; ``word``, ``phoneme`` and ``block`` (number of the
        sentence) say what was heard, ``sound_onset`` at which second of the chapter where the file has it; the other columns of
        the file are there as well.
    stimuli : Stimuli
        The words of the chapter; the sounds are not part of the set.

    Raises
    ------
    DataError
        If there is no such subject, book or session.
    FormatError
        If a file is laid out otherwise.
        If there is no such subject, task, session or run.
    FormatError
        If a file is missing or lacks something, or the recording is not what the manifest expects.
    CorruptFileError
        If a file is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations

    home = existing_root(root)
    chosen(subject, ["0"], "subject")
    books = sorted(path.name for path in home.iterdir() if (path / "derivatives" / "serialised").is_dir())
    if not books:
        raise FormatError(home, "no folder in it has derivatives/serialised", "Fetch at least one book")
    book = home / chosen(task, books, "book")
    stem = f"sub-0_ses-{session}_task-{book.name}_run-{run}"
    path = _one(book / "derivatives" / "serialised", f"{stem}_*.h5", stem)
    table = book / "derivatives" / "events" / f"{stem}_events.tsv"
    events = read_events(table)
    signal, channels, sfreq = _open(path)
    sources = [{"file": file.relative_to(home).as_posix(), "sha256": sha256_file(file)} for file in (path, table)]
    meta = {"subject": "0", "session": str(session), "run": str(run), "task": book.name, "modality": "meg", "sources": sources}
    recording = Recording(signal, sfreq, channels, events, meta=meta)
    check_expectations(recording, manifest or info("libribrain"), root)
    spoken = events[events["trial_type"] == "word"].groupby("stimulus", sort=False)["word"].agg(" ".join)
    return recording, Stimuli(spoken.index.astype(str).tolist(), spoken.tolist(), "text")


def read_events(path: str | Path) -> pd.DataFrame:
    """Read the words, phonemes and silences of a session.

    Parameters
    ----------
    path : str or Path
        Table with ``timemeg`` (s in the recording), ``duration``, ``kind``, ``segment`` and, of words, ``sentence``.

    Returns
    -------
    DataFrame
        Events with ``onset, duration, trial_type, word, stimulus, block`` and what else the table has.

    Raises
    ------
    FormatError
        If there is no such file, or a column is missing.
    CorruptFileError
        If it is damaged.
    """
    file = existing_file(path)
    table = read_tsv(file, text=("kind", "segment", "sentence"))
    needed = ["timemeg", "duration", "kind", "segment"]
    missing = [name for name in needed if name not in table]
    if missing:
        raise FormatError(file, f"it has no column {missing[0]!r}, only {list(table)[:12]}", AGAIN)
    check_columns(table, needed, file.name)
    sentences = table["sentence"] if "sentence" in table else pd.Series(None, table.index, object)
    spoken = sentences[table["kind"].eq("word")].dropna()
    number = spoken.ne(spoken.shift()).cumsum()  # a sentence that comes again later is another one
    block = number.map(lambda n: f"{file.name.removesuffix('_events.tsv')}-sentence{n}").reindex(table.index)
    told = table.rename(columns={"segment": "word", "kind": "trial_type", "timemeg": "onset"})
    return told.assign(stimulus=block.astype(object), block=block.astype(object))


def _one(folder: Path, pattern: str, stem: str) -> Path:
    found = sorted(folder.glob(pattern)) + [p for p in [folder / f"{stem}.h5"] if p.is_file()]
    if not found:
        known = sorted({"_".join(p.stem.split("_")[:4]) for p in folder.glob("*.h5")})
        chosen(stem, known, "session")
        raise FormatError(folder, f"it has no file {pattern}", "Fetch the session")
    return found[0]


def _open(path: Path) -> tuple[LazySignal, pd.DataFrame, float]:
    """Signal that is read in stretches, channels and rate."""
    h5py = require("h5py", "reading HDF5 files", "meeg")
    check_links(path)
    with reading(path, "it is not a readable HDF5 file", AGAIN), h5py.File(path, "r") as file:
        if "data" not in file or "times" not in file:
            raise FormatError(path, f"it has no data sets 'data' and 'times', only {sorted(file)[:8]}", AGAIN)
        check_stored(file)
        attributes = {**dict(file.attrs), **dict(file["data"].attrs)}
        missing = [name for name in _ATTRIBUTES if name not in attributes]
        if missing:
            raise FormatError(path, f"its data have no attribute {missing[0]!r}, only {sorted(attributes)[:8]}", AGAIN)
        shape, n_times = tuple(file["data"].shape), len(file["times"])
        names, kinds = (_texts(attributes[name]) for name in _ATTRIBUTES[:2])
        sfreq = float(np.squeeze(attributes["sample_frequency"]))
    if shape != (len(names), n_times) or len(kinds) != len(names):
        what = f"data have shape {shape}, with {len(names)} names, {len(kinds)} kinds and {n_times} times"
        raise CorruptFileError(path, what, AGAIN)
    channels = pd.DataFrame({"name": names, "kind": kinds, "unit": [_UNITS.get(kind, "a.u.") for kind in kinds]})
    return LazySignal(_Stretches(path), (len(names), n_times)), channels, sfreq


class _Stretches:
    """Stretches of the signal, each read when it is asked for; travels between processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, start: int, stop: int) -> Any:
        h5py = require("h5py", "reading HDF5 files", "meeg")
        with reading(self.path, "it is damaged", AGAIN), h5py.File(self.path, "r") as file:
            return np.asarray(file["data"][:, start:stop], np.float32)


def _texts(values: Any) -> list[str]:
    """Names that HDF5 holds as an array, or as one text with commas."""
    if isinstance(values, (str, bytes)):
        text = values.decode() if isinstance(values, bytes) else values
        return [part.strip() for part in text.split(",")]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in np.ravel(values)]
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
