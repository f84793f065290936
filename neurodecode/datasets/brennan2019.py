"""Brennan & Hale 2019: people listen to the first chapter of Alice in Wonderland (EEG)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Stimuli
from neurodecode.data.convert_mne import with_montage
from neurodecode.datasets.folders import chosen, existing_root
from neurodecode.datasets.shown import files_or_words
from neurodecode.datasets.tables import read_csv
from neurodecode.errors import FormatError

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

WORDS = "AliceChapterOne-EEG.csv"
_COLUMNS = ("Word", "Segment", "onset", "offset", "Order", "Sentence")
_SOUND = "DownTheRabbitHoleFinal_SoundFile{}"
_KINDS = {"VEOG": "eog", "AUD": "misc", "Aux5": "misc"}
_REMEDY = "Take the files of the same version of the data set"


def load(root: str | Path, subject: str, *, manifest: Manifest | None = None) -> tuple[Recording, Stimuli]:
    """Open the recording of one person.

    Parameters
    ----------
    root : str or Path
        Folder with ``S01.mat`` and so on, ``proc/``, ``AliceChapterOne-EEG.csv`` and, if they were fetched, the sounds in
        ``audio/``.
    subject : str
        "01" to "49" (also "S01").
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    recording : Recording
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
        If a file, a variable or a column is missing, the files contradict each other, or the recording is not what the manifest
        expects.
    CorruptFileError
        If a file is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations
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
