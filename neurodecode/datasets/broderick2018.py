"""Broderick et al. 2018: nineteen people listen to twenty passages of The Old Man and the Sea (EEG)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Stimuli
from neurodecode.data.convert_mne import with_montage
from neurodecode.data.validate import require
from neurodecode.datasets.folders import chosen, existing_root
from neurodecode.datasets.shown import files_or_words
from neurodecode.errors import DataError, FormatError

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

_HOME = "Natural Speech"
_REMEDY = "Take the file as its authors published it"


def load(
    root: str | Path,
    subject: str,
    *,
    run: int | str = 1,
    audio: str | Path | None = None,
    manifest: Manifest | None = None,
) -> tuple[Recording, Stimuli]:
    """Open one run of one person.

    Parameters
    ----------
    root : str or Path
        Folder that holds ``Natural Speech/EEG`` and ``Natural Speech/Stimuli``.
    subject : str
        "1" to "19" (also "Subject1").
    run : int or str
        1 to 20.
    audio : str or Path, optional
        Folder of ``audio1.wav`` and so on, which the authors send on request. Without it the stimuli are words.
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    recording : Recording
        128 channels in V at 128 Hz with the positions of the montage biosemi128, and the mastoids M1 and M2 of kind misc. Its
        events are the sound, which begins with the recording, and its words: ``word``, ``block`` (run and number of the
        sentence), ``stimulus`` and ``sound_onset`` (second of the sound). Words behind the end of a recording that was stopped
        early are left out, which ``meta["notes"]`` says.
    stimuli : Stimuli
        The sound of the run, read when it is indexed, or its words.

    Raises
    ------
    DataError
        If there is no such subject or run.
    FormatError
        If a file or a variable is missing, the files contradict each other, or the recording is not what the manifest expects.
    CorruptFileError
        If a file is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations
    from neurodecode.io.meeg_open import sources

    folder = existing_root(root)
    person, number = _place(folder, subject, run)
    file = folder / _HOME / "EEG" / person / f"{person}_Run{number}.mat"
    text = folder / _HOME / "Stimuli" / "Text" / f"Run{number}.mat"
    recording = _signal(file)
    words = _words(text, number)
    told = {"subject": person, "run": number, "task": "listening", "modality": "eeg", "sources": sources([file, text], folder)}
    recording = recording.replace(meta={**recording.meta, **told, "notes": _late(words, recording.duration, text)})
    recording = recording.replace(events=_events(words[words["onset"] < recording.duration], number))
    check_expectations(recording, manifest or info("broderick2018"), root)
    heard = " ".join(words["word"])
    table = pd.DataFrame({"id": [_sound(number)], "text": [heard]})
    return recording, files_or_words(table, [heard], [Path(audio) / f"{_sound(number)}.wav"] if audio else None, "audio")


def load_envelope(root: str | Path, run: int | str = 1) -> Recording:
    """Open the envelope of a sound that the authors published.

    Parameters
    ----------
    root : str or Path
        As in `load`.
    run : int or str
        As in `load`.

    Returns
    -------
    Recording
        One channel ``envelope`` without a unit at 128 Hz, which begins with the sound.

    Raises
    ------
    FormatError
        If there is no such file, or it lacks the envelope.
    CorruptFileError
        If it is damaged.
    """
    from neurodecode.io.matlab import numbers, read_mat
    from neurodecode.io.meeg_open import sources

    folder = existing_root(root)
    file = folder / _HOME / "Stimuli" / "Envelopes" / f"audio{_number(run)}_128Hz.mat"
    values = numbers(read_mat(file, ["env"])["env"], file, "env")
    channels = pd.DataFrame({"name": ["envelope"], "kind": ["misc"], "unit": ["a.u."]})
    meta = {"stimulus": _sound(_number(run)), "modality": "audio", "sources": sources([file], folder)}
    return Recording(values[None, :].astype(np.float32), 128.0, channels, meta=meta)


def _place(folder: Path, subject: str, run: int | str) -> tuple[str, str]:
    """Names of a subject and a run that are there."""
    people = sorted(path.name.removeprefix("Subject") for path in (folder / _HOME / "EEG").glob("Subject[0-9]*"))
    if not people:
        what = "it has no folders of subjects"
        raise FormatError(folder / _HOME / "EEG", what, "Give the folder that holds 'Natural Speech', and extract its archives")
    person = "Subject" + chosen(str(subject).removeprefix("Subject"), people, "subject")
    there = (folder / _HOME / "EEG" / person).glob(f"{person}_Run[0-9]*.mat")
    runs = sorted((path.stem.removeprefix(f"{person}_Run") for path in there), key=lambda name: (len(name), name))
    return person, chosen(_number(run), runs, f"run of {person}")


def _number(run: int | str) -> str:
    """A run as files name it."""
    text = str(run).removeprefix("Run")
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise DataError(f"there is no run {run!r}: runs are numbers from 1")
    return str(int(text))


def _sound(number: str) -> str:
    """Name of the sound of a run."""
    return f"audio{number}"


def _signal(file: Path) -> Recording:
    """Microvolts of the scalp and the mastoids as V."""
    from neurodecode.io.matlab import numbers, read_mat

    values = read_mat(file, ["eegData", "mastoids", "fs"])
    scalp, mastoids = (np.asarray(values[name]) for name in ("eegData", "mastoids"))
    rate = numbers(values["fs"], file, "fs")
    fits = scalp.ndim == mastoids.ndim == 2 and len(scalp) == len(mastoids) and (scalp.shape[1], mastoids.shape[1]) == (128, 2)
    if not fits or rate.shape != (1,) or {scalp.dtype.kind, mastoids.dtype.kind} - set("fiu"):
        what = f"eegData has the shape {scalp.shape}, mastoids {mastoids.shape}, fs is {rate.tolist()}"
        raise FormatError(file, f"{what}, expected times by 128, times by 2 and one rate", _REMEDY)
    mne = require("mne", "the names of the electrodes", "meeg")
    names = [*mne.channels.make_standard_montage("biosemi128").ch_names, "M1", "M2"]
    channels = pd.DataFrame({"name": names, "kind": ["eeg"] * 128 + ["misc"] * 2, "unit": "V"})
    data = (np.hstack([scalp, mastoids]).T * 1e-6).astype(np.float32)
    placed: Recording = with_montage(Recording(data, float(rate[0]), channels), "biosemi128")
    return placed


def _words(file: Path, number: str) -> pd.DataFrame:
    """Words with begin, end and sentence."""
    from neurodecode.io.matlab import numbers, read_mat, texts

    values = read_mat(file, ["wordVec", "onset_time", "offset_time", "sentence_boundaries"])
    words = texts(values["wordVec"])
    begin, end, bounds = (numbers(values[name], file, name) for name in ("onset_time", "offset_time", "sentence_boundaries"))
    if not len(words) == len(begin) == len(end) or not words:
        what = f"it has {len(words)} words, {len(begin)} begins and {len(end)} ends"
        raise FormatError(file, what, _REMEDY)
    wrong = np.flatnonzero(~((begin >= 0) & (end >= begin)))
    if len(wrong):
        what = f"word {wrong[0]}, {words[wrong[0]]!r}, begins at {begin[wrong[0]]:g} s and ends at {end[wrong[0]]:g} s"
        raise FormatError(file, what, _REMEDY)
    sentence = _sentences(begin, end, bounds)
    blocks = [f"{number}:{i}" for i in sentence]
    return pd.DataFrame({"word": words, "onset": begin, "duration": end - begin, "sentence": sentence, "block": blocks})


def _sentences(begin: NDArray[Any], end: NDArray[Any], bounds: NDArray[Any]) -> NDArray[Any]:
    """Number of the sentence of each word: bounds are times in s, or numbers of last words where they reach beyond the end."""
    if len(bounds) and (bounds == bounds.round()).all() and bounds.max() > end.max():
        return np.searchsorted(np.sort(bounds), np.arange(1, len(begin) + 1), side="left")
    return np.searchsorted(np.sort(bounds), begin + 1e-6, side="right")


def _late(words: pd.DataFrame, seconds: float, file: Path) -> list[str]:
    """What is told of words behind the end of the recording."""
    late = int((words["onset"] >= seconds).sum())
    if late == len(words):
        what = f"its first word begins at {words['onset'].min():g} s, the recording has {seconds:g} s"
        raise FormatError(file, what, "Take the files of the same run")
    return [f"{late} words begin after the end of the recording and were left out"] if late else []


def _events(words: pd.DataFrame, number: str) -> pd.DataFrame:
    """The sound up to its last word, and the words."""
    end = float((words["onset"] + words["duration"]).max())
    sound = pd.DataFrame([{"onset": 0.0, "duration": end, "trial_type": "sound", "sound_onset": 0.0}])
    told = words.assign(trial_type="word", sound_onset=words["onset"])
    return pd.concat([sound, told], ignore_index=True).assign(stimulus=_sound(number))
