"""Events of MOUS: sounds with their alignment, and words on the screen, from the log of the experiment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from neurodecode.datasets.tables import need_columns
from neurodecode.errors import FormatError

_CONDITIONS = {"ZINNEN": "sentence", "WOORDEN": "word_list"}
_PAUSES = ("FIX", "QUESTION", "ISI", *_CONDITIONS)
_START = re.compile(r"Start File\s+(?:.*[/\\])?([0-9]{1,4})\.wav", re.IGNORECASE)
_WORD = re.compile(r"[0-9]+\s+(\S.*?)\s+([0-9]+)")  # place in the sentence, word, ms on the screen
_TIERS = {"word": "ORT-MAU", "phoneme": "MAU"}
_LETTERS_COMPARED = 45
_REMEDY = "Take the events of the authors, and compare the task with that of the person"


def heard(events: pd.DataFrame, file: Path, alignment: Callable[[str], Path]) -> pd.DataFrame:
    """Sounds, and their words and phonemes.

    Parameters
    ----------
    events : DataFrame
        As the recording has them: onset, type and value.
    file : Path
        The recording.
    alignment : callable
        Gives the TextGrid of a number; sounds without one have no words.

    Returns
    -------
    DataFrame
        Events in the order of their onsets.

    Raises
    ------
    FormatError
        If no sound is found.
    CorruptFileError
        If an alignment is damaged.
    """
    need_columns(events, ("onset", "type", "value"), file)
    sounds: list[dict[str, Any]] = []
    condition = None
    for onset, value in zip(events["onset"], events["value"].astype(str), strict=True):
        condition = _CONDITIONS.get(_bare(value), condition)
        start = _START.search(value)
        if start:
            number = str(int(start[1]))
            known = {"condition": condition, "stimulus": number, "block": number}
            sounds.append({"onset": onset, "logged": onset, "duration": 0.0, "trial_type": "sound", "sound_onset": 0.0, **known})
        elif sounds and "audio onset" in value.lower() and sounds[-1]["onset"] == sounds[-1]["logged"]:
            sounds[-1]["onset"] = onset
        elif sounds and "end of file" in value.lower() and not sounds[-1]["duration"]:
            sounds[-1]["duration"] = onset - sounds[-1]["onset"]
    if not sounds:
        raise FormatError(file, f"none of its {len(events)} events is the start of a sound", _REMEDY)
    parts = [part for sound in sounds for part in _aligned(sound, alignment(sound["stimulus"]))]
    table = pd.concat([pd.DataFrame(sounds).drop(columns="logged"), *parts])
    return _complete(table)


def _aligned(sound: Mapping[str, Any], path: Path) -> list[pd.DataFrame]:
    """Words and phonemes of a sound, at their time in the recording."""
    from neurodecode.io.transcript import read_transcript

    if not path.is_file():
        return []
    known = {name: sound[name] for name in ("condition", "stimulus", "block")}
    parts = []
    for kind, tier in _TIERS.items():
        spoken = read_transcript(path, "textgrid", tier=tier).dropna(subset=["onset"])
        times = {"onset": sound["onset"] + spoken["onset"], "duration": spoken["offset"] - spoken["onset"]}
        parts.append(
            pd.DataFrame({**times, "sound_onset": spoken["onset"], kind: spoken["word"]}).assign(trial_type=kind, **known)
        )
    return parts


def read(events: pd.DataFrame, file: Path, texts: Mapping[str, str]) -> pd.DataFrame:
    """Words on the screen.

    Parameters
    ----------
    events : DataFrame
        As the recording has them: onset, type and value.
    file : Path
        The recording.
    texts : mapping
        Sentences and lists by number.

    Returns
    -------
    DataFrame
        Words in their order; a sentence whose beginning no text has is named by its own words.

    Raises
    ------
    FormatError
        If no word is found.
    """
    need_columns(events, ("onset", "type", "value"), file)
    numbers = {_letters(text): number for number, text in reversed(list(texts.items()))}
    sequences: list[list[dict[str, Any]]] = [[]]
    condition = None
    for onset, kind, value in zip(events["onset"], events["type"].astype(str), events["value"].astype(str), strict=True):
        condition = _CONDITIONS.get(_bare(value), condition)
        word = _WORD.fullmatch(value.strip()) if kind == "Picture" else None
        if _bare(value) in _PAUSES:
            sequences.append([])
        elif word:
            told = {"word": word[1], "condition": condition, "trial_type": "word"}
            sequences[-1].append({"onset": onset, "duration": int(word[2]) / 1000, **told})
    rows = [row for sequence in sequences if sequence for row in _named(sequence, numbers)]
    if not rows:
        raise FormatError(file, f"none of its {len(events)} events is a word", _REMEDY)
    return _complete(pd.DataFrame(rows))


def _named(sequence: list[dict[str, Any]], numbers: Mapping[str, str]) -> list[dict[str, Any]]:
    """Words with the number of their sentence."""
    text = " ".join(row["word"] for row in sequence)
    name = numbers.get(_letters(text), text)
    return [{**row, "stimulus": name, "block": name} for row in sequence]


def _letters(text: str) -> str:
    """The beginning of a text as it is compared: small letters without points and spaces."""
    return re.sub(r"[\W_]+", "", text.lower())[:_LETTERS_COMPARED]


def _bare(value: str) -> str:
    """A value without its numbers, in capitals."""
    return value.strip("0123456789 ").upper()


def _complete(table: pd.DataFrame) -> pd.DataFrame:
    """All columns, in the order of the onsets."""
    missing = {name: None for name in ("word", "phoneme", "sound_onset") if name not in table}
    return table.assign(**missing).sort_values("onset", kind="stable").reset_index(drop=True)
