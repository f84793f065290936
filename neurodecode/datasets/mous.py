"""MOUS (Schoffelen et al. 2019): 204 people listen to or read Dutch sentences and word lists (MEG)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from neurodecode.data import Recording, Stimuli
from neurodecode.datasets._mous_events import heard, read
from neurodecode.datasets.shown import files_or_words
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io.guard import AGAIN, existing_file, reading

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

_TASKS = {"A": "auditory", "V": "visual"}
_SOUND = "EQ_Ramp_Int2_Int1LPF{:03d}"


def load(
    root: str | Path, subject: str, *, run: int | str | None = None, manifest: Manifest | None = None
) -> tuple[Recording, Stimuli]:
    """Open the task of one person.

    Parameters
    ----------
    root : str or Path
        Folder of the data set, with ``sub-A2002/`` and so on, ``stimuli/`` and, for words that were heard,
        ``derivatives/phonemes/``.
    subject : str
        "A2002" and so on listened, "V1001" and so on read.
    run : int or str, optional
        Needed where the task of a person is in two files.
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    recording : Recording
        CTF at 1200 Hz in T, unread until used. Of its events ``trial_type`` is sound, word or phoneme: of listeners the sounds,
        and their words and phonemes where there is an alignment of the sound (TextGrid); of readers the words. ``word``,
        ``phoneme``, ``condition`` (sentence, word_list) and ``sound_onset`` (second of the sound) say what it was;
        ``stimulus`` and ``block`` are the number of the sentence or list in ``stimuli/stimuli.txt``, the same for listeners and
        readers and whatever their order. Fixations, questions and triggers are left out: `neurodecode.io.read_bids` has them.
    stimuli : Stimuli
        Of listeners the sounds, read when they are indexed, where ``stimuli/audio_files/`` was fetched; else texts.

    Raises
    ------
    DataError
        If there is no such subject or run.
    FormatError
        If the folder is no BIDS data set, a file is missing, no events are found, or the recording is not what the manifest
        expects.
    CorruptFileError
        If a file is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations
    from neurodecode.io import read_bids

    folder, label = Path(root), str(subject).removeprefix("sub-")
    if label[:1] not in _TASKS:
        raise DataError(f"there is no subject {str(subject)!r}: listeners are A2002 and so on, readers V1001 and so on")
    task = _TASKS[label[:1]]
    recording = read_bids(root, subject=label, task=task, run=run, datatype="meg")
    file = folder / str(recording.meta["sources"][0]["file"])
    texts = _texts(folder / "stimuli" / "stimuli.txt")
    if task == "auditory":
        events = heard(recording.events, file, lambda number: _alignment(folder, number))
    else:
        events = read(recording.events, file, texts)
    recording = recording.replace(events=events)
    check_expectations(recording, manifest or info("mous"), root)
    return recording, _stimuli(events, texts, folder, task)


def _texts(file: Path) -> dict[str, str]:
    """Each sentence or list by its number."""
    with reading(existing_file(file), "it is no text in UTF-8"), open(file, encoding="utf-8-sig") as opened:
        lines = [line.split(maxsplit=1) for line in opened if line.strip()]
    wrong = [line for line in lines if len(line) != 2 or not (line[0].isascii() and line[0].isdecimal())]
    if wrong or not lines:
        what = f"its lines must be a number and a text, got {' '.join(wrong[0])[:80]!r}" if wrong else "it has no lines"
        raise CorruptFileError(file, what, AGAIN)
    return {str(int(number)): text.strip() for number, text in lines}


def _alignment(root: Path, number: str) -> Path:
    """Where the words and phonemes of a sound are."""
    return root / "derivatives" / "phonemes" / f"{_SOUND.format(int(number))}.TextGrid"


def _stimuli(events: pd.DataFrame, texts: dict[str, str], root: Path, task: str) -> Stimuli:
    """What was heard or read, in the order of its first time."""
    table = events.drop_duplicates("stimulus")[["stimulus", "condition"]].rename(columns={"stimulus": "id"})
    ids = table["id"].tolist()
    unknown = [name for name in ids if name.isdecimal() and name not in texts]
    if unknown:
        what = f"it has no line of number {unknown[0]}, which the events name"
        raise FormatError(root / "stimuli" / "stimuli.txt", what, "Take the file of the same version")
    words = [texts.get(name, name) for name in ids]
    folder = root / "stimuli" / "audio_files"
    has_sounds = task == "auditory" and folder.is_dir()
    paths = [folder / f"{_SOUND.format(int(name))}.wav" for name in ids] if has_sounds else None
    return files_or_words(table.assign(text=words).reset_index(drop=True), words, paths, "audio")
