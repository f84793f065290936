"""The JSON of speech recognisers and aligners: Whisper and its relatives, and Gentle."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.fmri_meta import read_json
from neurodecode.io.guard import AGAIN

_COLUMNS = ("onset", "offset", "word", "speaker", "confidence", "segment")
_WORD_TIMES = "Run whisper with --word_timestamps True, or align the text with WhisperX"


def read_whisper(file: Path) -> pd.DataFrame:
    """Words of openai-whisper, whisper-timestamped or WhisperX.

    Parameters
    ----------
    file : Path
        JSON with ``segments``, each with ``words``.

    Returns
    -------
    DataFrame
        ``onset, offset, word, segment``, and ``speaker`` and ``confidence`` where the file has them.

    Raises
    ------
    FormatError
        If it has no segments, or segments without words.
    CorruptFileError
        If it is no valid JSON, or a word or time is not of its kind.
    """
    segments = _list(file, read_json(file), "segments")
    timed = [(i, s) for i, s in enumerate(segments) if "words" in s]
    if segments and not timed:
        raise FormatError(file, f"its {len(segments)} segments have no times of words", _WORD_TIMES)
    rows = []
    for number, segment in timed:
        for word in _list(file, segment, "words"):
            confidence = next((word[k] for k in ("probability", "score", "confidence") if k in word), None)
            speaker = word.get("speaker", segment.get("speaker"))
            text = word.get("word", word.get("text"))
            rows.append(_row(file, word, text, speaker=_text(file, speaker), confidence=confidence, segment=number))
    return _table(rows)


def read_gentle(file: Path) -> pd.DataFrame:
    """Words of Gentle.

    Parameters
    ----------
    file : Path
        JSON with ``words``, each with its ``case``.

    Returns
    -------
    DataFrame
        ``onset, offset, word``; NaN where the word was not found in the sound. A word that the text has and the sound has not
        stays, what the sound has and the text has not does not occur.

    Raises
    ------
    FormatError
        If it has no words.
    CorruptFileError
        If it is no valid JSON, or a word or time is not of its kind.
    """
    words = _list(file, read_json(file), "words")
    rows = []
    for word in words:
        found = word.get("case", "success") == "success"
        rows.append(_row(file, word if found else {}, word.get("word")))
    return _table(rows)


def _list(file: Path, fields: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of named fields."""
    if name not in fields:
        raise FormatError(file, f"it has no field {name!r}, its fields are {list(fields)[:10]}", "Give the JSON of the aligner")
    items = fields[name]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise CorruptFileError(file, f"{name!r} must be a list of named fields, got {items!r:.60}", AGAIN)
    return items


def _row(file: Path, word: dict[str, Any], text: Any, **more: Any) -> dict[str, Any]:
    """One word; times are missing together where the aligner found none."""
    if "start" in word and "end" in word:
        onset, offset = (_number(file, word[key], key, text) for key in ("start", "end"))
    else:
        onset = offset = math.nan
    if more.get("confidence") is not None:
        more["confidence"] = _number(file, more["confidence"], "confidence", text)
    return {"onset": onset, "offset": offset, "word": _text(file, text) or "", **more}


def _number(file: Path, value: Any, name: str, word: Any) -> float:
    """A number that is one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise CorruptFileError(file, f"{name} of the word {word!r:.40} must be a finite number, got {value!r:.40}", AGAIN)
    return float(value)


def _text(file: Path, value: Any) -> str | None:
    """A text that can be written again, or None."""
    if value is None:
        return None
    if not isinstance(value, str) or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise CorruptFileError(file, f"words and speakers must be texts, got {value!r:.40}", AGAIN)
    return value


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a table, without the columns that no row fills."""
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.drop(columns=[name for name in _COLUMNS[3:] if table[name].isna().all()])
