"""Brennan and Hale (2019): people hear the first chapter of "Alice's Adventures in Wonderland" (EEG, 60 electrodes)."""
"""Brennan & Hale 2019: people listen to the first chapter of Alice in Wonderland (EEG)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Stimuli
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import check_columns
from neurodecode.datasets.folders import chosen, existing_root
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.guard import existing_file, reading
from neurodecode.io.mat import read_mat
from neurodecode.data.convert_mne import with_montage
from neurodecode.datasets.folders import chosen, existing_root
from neurodecode.datasets.shown import files_or_words
from neurodecode.datasets.tables import read_csv
from neurodecode.errors import FormatError

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

WORDS = "AliceChapterOne-EEG.csv"
_COLUMNS = ("Word", "Segment", "onset", "offset", "Sentence")
_MICROVOLT = 1e-6
_OTHER = {"VEOG": "eog", "AUD": "misc"}
_REMEDY = "Fetch the first version of the file again; docs/datasets.md says where it comes from"


def load(root: str | Path, subject: str, *, manifest: Manifest | None = None) -> tuple[Recording, Stimuli]:
    """Open the recording of one person, with the words that were heard.
_COLUMNS = ("Word", "Segment", "onset", "offset", "Order", "Sentence")
_SOUND = "DownTheRabbitHoleFinal_SoundFile{}"
_KINDS = {"VEOG": "eog", "AUD": "misc", "Aux5": "misc"}
_REMEDY = "Take the files of the same version of the data set"


def load(root: str | Path, subject: str, *, manifest: Manifest | None = None) -> tuple[Recording, Stimuli]:
    """Open the recording of one person.

    Parameters
    ----------
    root : str or Path
        Folder with ``S01.mat`` and so on, ``proc/`` with the files of the same names that mark the words,
        ``AliceChapterOne-EEG.csv``, and the sounds in ``audio/`` where they are wanted.
    subject : str
        "01" to "49".
        Folder with ``S01.mat`` and so on, ``proc/``, ``AliceChapterOne-EEG.csv`` and, if they were fetched, the sounds in
        ``audio/``.
    subject : str
        "01" to "49" (also "S01").
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    recording : Recording
        Electrodes and an eye channel in V, and the sound as it was recorded beside (AUD); electrodes that the authors call bad
        are marked so. ``events`` are the words that the file in ``proc/`` marks: ``word``, ``sentence``, ``block`` (segment and
        sentence), ``stimulus`` (the segment), and the other columns of the table (word frequency and so on) in small letters.
    stimuli : Stimuli
        The twelve segments: their sounds where the files are there, else their words.
        In V at 500 Hz, in memory (the files are compressed), with the positions of the montage easycap-M10; channels that the
        authors rejected are bad. Of its events ``trial_type`` is sound or word; ``word``, ``block`` (number of the sentence),
        ``stimulus`` (the sound) and ``sound_onset`` (second of it) say what was heard, beside all columns of the table of words.
        Words without an event in the recording, which some people lack, are left out. A sound that began before the recording
        has a negative onset.
    stimuli : Stimuli
        The twelve sounds, read when they are indexed, or their words where ``audio/`` was not fetched.

    Raises
    ------
    DataError
        If there is no such subject.
    FormatError
        If a file or the table is laid out otherwise.
        If a file, a variable or a column is missing, the files contradict each other, or the recording is not what the manifest
        expects.
    CorruptFileError
        If a file is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations

    home = existing_root(root)
    known = sorted(path.stem.removeprefix("S") for path in home.glob("S[0-9]*.mat"))
    path = home / f"S{chosen(subject, known, 'subject')}.mat"
    words = read_words(home / WORDS)
    raw = read_mat(path, ("raw",))["raw"]
    with reading(path, "its fields do not fit each other", _REMEDY):
        names = [str(name) for name in raw["label"]]
        data = np.atleast_2d(np.asarray(raw["trial"][0] if isinstance(raw["trial"], list) else raw["trial"], np.float64))
        sfreq = float(np.squeeze(raw["hdr"]["Fs"] if "hdr" in raw else raw["fsample"]))
    if len(names) != len(data):
        raise CorruptFileError(path, f"it names {len(names)} channels and holds {len(data)}", _REMEDY)
    marks = home / "proc" / path.name
    proc = read_mat(marks, ("proc",))["proc"]
    with reading(marks, "its fields do not fit each other", _REMEDY):
        order, onsets = word_onsets(proc, sfreq)
        bad = bad_channels(proc)
    kinds = [_OTHER.get(name.upper(), "eeg") for name in names]
    units = ["V" if kind != "misc" else "a.u." for kind in kinds]
    scale = np.array([_MICROVOLT if unit == "V" else 1.0 for unit in units])
    files = (path, marks, home / WORDS)
    sources = [{"file": file.relative_to(home).as_posix(), "sha256": sha256_file(file)} for file in files]
    meta = {"subject": path.stem.removeprefix("S"), "modality": "eeg", "sources": sources}
    channels = pd.DataFrame({"name": names, "kind": kinds, "unit": units, "bad": [name in bad for name in names]})
    events = align_words(words, order, onsets, marks)
    recording = Recording((data * scale[:, None]).astype(np.float32), sfreq, channels, events, meta=meta)
    check_expectations(recording, manifest or info("brennan2019"), root)
    return recording, _stimuli(home, words)


def read_words(path: str | Path) -> pd.DataFrame:
    """Read the table of words.

    Parameters
    ----------
    path : str or Path
        ``AliceChapterOne-EEG.csv``.

    Returns
    -------
    DataFrame
        2,129 rows: ``word, segment, onset, offset`` (s within the segment), ``sentence`` and what else the table has, in small
        letters.

    Raises
    ------
    FormatError
        If a column is missing.
    CorruptFileError
        If it is no table.
    """
    file = existing_file(path)
    with reading(file, "it is not a readable CSV table", _REMEDY):
        table = pd.read_csv(file, keep_default_na=False, na_values=["", "NA", "NaN"])
    missing = [name for name in _COLUMNS if name not in table]
    if missing:
        raise FormatError(file, f"it has no column {missing[0]!r}, only {list(table)[:12]}", _REMEDY)
    check_columns(table, list(_COLUMNS), WORDS)
    return table.rename(columns=str.lower).assign(word=lambda t: t["word"].astype(str))


def word_onsets(proc: dict[str, Any], sfreq: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which words a recording has, and when.

    Parameters
    ----------
    proc : dict
        What the authors' preprocessing left: ``trl``, one row per word (first and last sample from 1 on, samples before the
        onset as a negative number, then ``varnames``), and ``varnames``, among them ``Order``, the row of the table of words.
    sfreq : float
        Sampling rate in Hz.

    Returns
    -------
    order : array of shape (n_words,)
        Number of each word in the table, from 1.
    onsets : array of shape (n_words,)
        In s from the first sample of the recording.
    """
    trials = np.atleast_2d(np.asarray(proc["trl"], float))
    more = [str(name).lower() for name in proc["varnames"]]
    order = trials[:, trials.shape[1] - len(more) + more.index("order")].astype(np.int64)
    return order, np.asarray((trials[:, 0] - 1 - trials[:, 2]) / sfreq)


def bad_channels(proc: dict[str, Any]) -> set[str]:
    """Electrodes with a high impedance, or that the authors rejected.

    Parameters
    ----------
    proc : dict
        As for `word_onsets`; the fields may be missing.

    Returns
    -------
    set of str
        Names.
    """
    found: set[str] = set()
    for field, name in (("impedence", "bads"), ("rejections", "badchans")):  # spelled so in the files
        value = proc.get(field, {}).get(name, [])
        found |= {str(part) for part in ([value] if isinstance(value, str) else value)}
    return found


def align_words(words: pd.DataFrame, order: NDArray[np.int64], onsets: NDArray[np.float64], path: Path) -> pd.DataFrame:
    """Give the words their onsets in a recording.

    Parameters
    ----------
    words : DataFrame
        As `read_words` gives it.
    order, onsets : array of shape (n_words,)
        As `word_onsets` gives them.
    path : Path
        The file that marks the words, for the message.

    Returns
    -------
    DataFrame
        Events; those before the first sample are left out: some sounds began before the recording.

    Raises
    ------
    CorruptFileError
        If a word is marked that the table does not have.
    """
    if len(order) and not (order.min() >= 1 and order.max() <= len(words)):
        raise CorruptFileError(path, f"it marks word {order.max()}, the table has {len(words)}", _REMEDY)
    marked = words.iloc[order - 1].reset_index(drop=True)
    segment = marked["segment"].astype(int)
    events = pd.DataFrame(
        {
            "onset": onsets,
            "duration": marked["offset"] - marked["onset"],
            "trial_type": "word",
            "stimulus": [f"segment{number}" for number in segment],
            "block": [f"segment{a}-sentence{b}" for a, b in zip(segment, marked["sentence"], strict=True)],
        }
    )
    more = marked.drop(columns=["onset", "offset"])
    return pd.concat([events, more], axis=1)[onsets >= 0].reset_index(drop=True)


def _stimuli(home: Path, words: pd.DataFrame) -> Stimuli:
    """Segments as sounds, or in words."""
    from neurodecode.datasets.shown import files_or_words

    spoken = words.groupby(words["segment"].astype(int))["word"].agg(" ".join)
    table = pd.DataFrame({"id": [f"segment{number}" for number in spoken.index]})
    paths = [home / "audio" / f"DownTheRabbitHoleFinal_SoundFile{number}.wav" for number in spoken.index]
    return files_or_words(table, spoken.tolist(), paths if (home / "audio").is_dir() else None, "audio")
    from neurodecode.io.meeg_open import sources

    folder = existing_root(root)
    people = sorted(path.stem[1:] for path in folder.glob("S[0-9]*.mat"))
    name = "S" + chosen(str(subject).removeprefix("S"), people, "subject")
    files = [folder / f"{name}.mat", folder / "proc" / f"{name}.mat", folder / WORDS]
    words = read_csv(files[2], _COLUMNS, texts=["Word"])
    timed, bads = _processed(files[1])
    data, sfreq, channels = _signal(files[0])
    events = _events(words, timed, sfreq, data.shape[1], files)
    channels["bad"] = channels["name"].isin(bads)
    meta = {"subject": name, "task": "alice", "modality": "eeg", "sources": sources(files, folder)}
    recording: Recording = with_montage(Recording(data, sfreq, channels, events, meta=meta), "easycap-M10")
    check_expectations(recording, manifest or info("brennan2019"), root)
    return recording, _sounds(words, folder)


def _signal(file: Path) -> tuple[NDArray[np.float32], float, pd.DataFrame]:
    """Signal in V, rate and channels of a FieldTrip structure with one trial."""
    from neurodecode.io.matlab import member, numbers, read_mat, texts

    raw = read_mat(file, ["raw"])["raw"]
    trial, labels, units = member(raw, file, "trial"), texts(member(raw, file, "label")), member(raw, file, "hdr", "chanunit")
    rate = numbers(member(raw, file, "fsample"), file, "raw.fsample")
    if np.ndim(trial) != 2 or len(trial) != len(labels) or np.asarray(trial).dtype.kind not in "fiu":
        raise FormatError(file, f"it has {len(labels)} channels, and signals of shape {np.shape(trial)}", _REMEDY)
    other = sorted(set(texts(units)) - {"uV"})
    if other or rate.shape != (1,):
        raise FormatError(file, f"its units are {other} and its rate {rate.tolist()}, expected uV and one rate", _REMEDY)
    kinds = [_KINDS.get(label, "eeg") for label in labels]
    return (
        (np.asarray(trial) * 1e-6).astype(np.float32),
        float(rate[0]),
        pd.DataFrame({"name": labels, "kind": kinds, "unit": "V"}),
    )


def _processed(file: Path) -> tuple[pd.DataFrame, set[str]]:
    """Begin of each word by its number, and the rejected channels."""
    from neurodecode.io.matlab import member, read_mat, texts

    proc = read_mat(file, ["proc"])["proc"]
    names = ["start", "stop", "offset", *texts(member(proc, file, "varnames"))]
    values = np.atleast_2d(np.asarray(member(proc, file, "trl"), float))
    if values.shape[1] != len(names) or "Order" not in names:
        what = f"proc.trl has {values.shape[1]} columns, three and proc.varnames are {names}; Order is needed"
        raise FormatError(file, what, _REMEDY)
    bads = [*texts(member(proc, file, "impedence", "bads")), *texts(member(proc, file, "rejections", "badchans"))]
    return pd.DataFrame(values, columns=names), set(bads)


def _events(words: pd.DataFrame, timed: pd.DataFrame, sfreq: float, n_times: int, files: list[Path]) -> pd.DataFrame:
    """Words that were heard, matched by their number, and the sounds they are in."""
    onset = (timed["start"] - 1 - timed["offset"]) / sfreq
    if ((onset < 0) | (onset >= n_times / sfreq)).any():
        what = f"its words begin from {onset.min():g} to {onset.max():g} s, the recording has {n_times / sfreq:g} s"
        raise FormatError(files[1], what, _REMEDY)
    begun = pd.DataFrame({"Order": timed["Order"].astype(int), "begin": onset})
    heard = words.merge(begun, on="Order", how="inner", validate="one_to_one") if begun["Order"].is_unique else words[:0]
    if len(heard) != len(timed) or heard.empty:
        what = f"{len(heard)} of its {len(timed)} numbers of words are in {WORDS} once"
        raise FormatError(files[1], what, _REMEDY)
    told: dict[str, Any] = {"word": heard["Word"], "block": heard["Sentence"].astype(int).astype(str)}
    told |= {"sound_onset": heard["onset"], "stimulus": heard["Segment"].map(lambda n: _SOUND.format(int(n)))}
    others = heard.drop(columns=["onset", "offset", "begin", "Word"])
    events = others.assign(onset=heard["begin"], duration=heard["offset"] - heard["onset"], trial_type="word", **told)
    return pd.concat([events, _sound_events(events)]).sort_values("onset", kind="stable").reset_index(drop=True)


def _sound_events(events: pd.DataFrame) -> pd.DataFrame:
    """When each sound began: the median over its words, whose last one ends it."""
    end = events["sound_onset"] + events["duration"]
    begin = (events["onset"] - events["sound_onset"]).groupby(events["stimulus"]).median()
    table = pd.DataFrame({"onset": begin, "duration": end.groupby(events["stimulus"]).max()})
    return table.rename_axis("stimulus").reset_index().assign(trial_type="sound", sound_onset=0.0)


def _sounds(words: pd.DataFrame, root: Path) -> Stimuli:
    """Every sound of the chapter in its order."""
    segments = words.groupby("Segment", sort=True)["Word"].agg(" ".join)
    ids = [_SOUND.format(int(segment)) for segment in segments.index]
    folder = root / "audio"
    paths = [folder / f"{name}.wav" for name in ids] if folder.is_dir() else None
    return files_or_words(pd.DataFrame({"id": ids, "text": segments.tolist()}), segments.tolist(), paths, "audio")
