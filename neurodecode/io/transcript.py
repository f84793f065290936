"""Transcripts: which word was heard or read when, from the files that aligners and annotators write."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.validate import check_option, suggest
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.bids_tables import read_tsv
from neurodecode.io.guard import AGAIN, existing_file
from neurodecode.io.transcript_json import read_gentle, read_whisper
from neurodecode.io.transcript_textgrid import read_textgrid

Format = Literal["auto", "textgrid", "whisper", "gentle", "tsv"]
FORMATS: tuple[Format, ...] = ("auto", "textgrid", "whisper", "gentle", "tsv")
SILENCES = ("sp", "sil", "<eps>", "<sil>", "<p:>")  # what forced aligners write where nobody speaks
_LARGEST = 64 * 2**20  # bytes; an hour of speech takes some two
_WORD_COLUMNS = ("word", "text", "label", "trial_type")


def read_transcript(
    path: str | Path,
    format: Format = "auto",
    *,
    tier: str | None = None,
    phones: str | bool = False,
    column: str | None = None,
    silences: Collection[str] = SILENCES,
) -> pd.DataFrame:
    """Read the words of a transcript with their times.

    ======== ===========================================================================================================
    format   what it is
    ======== ===========================================================================================================
    textgrid Praat TextGrid, long or short text form, UTF-8 or UTF-16, as the Montreal Forced Aligner and others write it
    whisper  JSON of openai-whisper with ``--word_timestamps True``, of whisper-timestamped, or of WhisperX
    gentle   JSON of Gentle
    tsv      ``onset`` with ``duration`` or ``offset`` in s and a column of words, with a header; BIDS events are such tables
    ======== ===========================================================================================================

    Parameters
    ----------
    path : str or Path
        The file.
    format : {"auto", "textgrid", "whisper", "gentle", "tsv"}
        By default found by the content.
    tier : str, optional
        TextGrid: name of the tier. By default those named words (``words``, ``Anna - words``: several become speakers), or the
        only tier of intervals. With a tier of phones, phones take the place of words.
    phones : str or bool
        TextGrid: name of the tier of phones, or True for the one named phones; its labels become a column.
    column : str, optional
        TSV: the column of words, by default the first of word, text, label, trial_type.
    silences : collection of str
        Labels that stand for silence, compared in small letters; they are left out, as empty ones are.

    Returns
    -------
    DataFrame
        ``onset`` and ``offset`` in s, ``word``, and ``overlap``: by how many s a word begins before an earlier one of the same
        speaker has ended. Where the file has them: ``speaker``, ``confidence`` (0 to 1), ``segment`` (number of the sentence or
        utterance), ``phones``, and the other columns of a TSV. Words are ordered by onset. A word that the aligner heard but
        did not find has NaN as onset and offset, and stays at its place in the text.

    Raises
    ------
    FormatError
        If there is no such file, it is none of these formats, has no words or more than 64 MiB, or the tier or column is not
        in it; the message says what is there.
    CorruptFileError
        If it is damaged: broken off, times that are no numbers, words that end before they begin.

    Notes
    -----
    A TextGrid states its counts and JSON its end, so that a file that was cut is noticed; a TSV file states neither: rows missing
    at its end are found by a known sha256 only.
    """
    check_option("format", format, FORMATS)
    file = existing_file(path)
    if file.stat().st_size > _LARGEST:
        size = file.stat().st_size / 2**20
        raise FormatError(file, f"it has {size:.0f} MiB, a transcript has less than {_LARGEST // 2**20}", "Cut it into runs")
    kind = _sniff(file) if format == "auto" else format
    if kind == "textgrid":
        table = read_textgrid(file, tier, phones)
    elif kind == "tsv":
        table = _read_tsv(file, column)
    else:
        table = read_gentle(file) if kind == "gentle" else read_whisper(file)
    return _checked(file, table, {label.lower() for label in silences})


def _sniff(file: Path) -> str:
    """Format by content: TextGrids say what they are, JSON begins with a brace, and a table has a header."""
    with open(file, "rb") as opened:
        head = opened.read(2**20)
    plain = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if b"ooTextFile" in plain[:200] or b"ooBinaryFile" in plain[:200]:
        return "textgrid"
    if plain.startswith(b"{"):
        return "gentle" if b'"alignedWord"' in plain or b'"case"' in plain else "whisper"
    if b"onset" in plain.split(b"\n", 1)[0]:
        return "tsv"
    expected = "expected a TextGrid, the JSON of Whisper or Gentle, or a table with a column onset"
    raise FormatError(file, f"it is no transcript, it begins with {plain[:20]!r}; {expected}", "Convert it to one of these")


def _read_tsv(file: Path, column: str | None) -> pd.DataFrame:
    """A table of events with a column of words."""
    table = read_tsv(file, ("word", "text", "label", "trial_type", "speaker", *([column] if column else [])))
    names = list(map(str, table.columns))
    word = next((name for name in ([column] if column else _WORD_COLUMNS) if name in table), None)
    if word is None:
        wanted = column or "word"
        raise FormatError(file, f"it has no column {wanted!r}, {suggest(wanted, names)}", "Name the column of words: column=...")
    for name in [n for n in ("onset", "offset", "duration") if n in table]:
        if table[name].dtype.kind not in "iuf" and table[name].notna().any():
            raise CorruptFileError(file, f"column {name!r} must hold seconds, it holds text", "Correct it: numbers, or n/a")
    if "onset" not in table or not {"offset", "duration"} & set(names):
        raise FormatError(file, f"it needs the columns onset and offset or duration, it has {names}", "Add them, in s")
    ends = table["offset"] if "offset" in table else table["onset"] + table["duration"]
    others = [name for name in names if name not in ("onset", "offset", "duration", "word", word)]
    return pd.DataFrame({"onset": table["onset"], "offset": ends, "word": table[word], **{name: table[name] for name in others}})


def _checked(file: Path, table: pd.DataFrame, silences: set[str]) -> pd.DataFrame:
    """Words that are text, at times that are times, in their order."""
    texts = table["word"].map(lambda word: word.strip(), na_action="ignore")
    table = table.assign(word=texts)[texts.notna() & (texts != "") & ~texts.str.lower().isin(silences)]
    if not len(table):
        raise FormatError(file, f"it has no words among {len(texts)} entries", "Check the tier or column, and the silences")
    onsets, offsets = (table[name].to_numpy(float) for name in ("onset", "offset"))
    _check_times(file, table["word"].tolist(), onsets, offsets)
    table = table.assign(onset=onsets, offset=offsets).iloc[_order(onsets)].reset_index(drop=True)
    table.insert(3, "overlap", _overlaps(table))
    return table


def _check_times(file: Path, words: list[str], onsets: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
    """Both times finite, or both missing, and in this order."""
    odd = np.isinf(onsets) | np.isinf(offsets) | (np.isnan(onsets) != np.isnan(offsets))
    for wrong, what in ((odd, "must have two finite times, or none"), (offsets < onsets, "ends before it begins")):
        if wrong.any():
            i = int(np.argmax(wrong))
            times = f"onset {onsets[i]:g} s, offset {offsets[i]:g} s"
            raise CorruptFileError(file, f"word {i + 1}, {words[i]!r:.40}, {what}: {times} ({int(wrong.sum())} are wrong)", AGAIN)


def _order(onsets: NDArray[np.float64]) -> NDArray[np.intp]:
    """By onset; a word without one stays behind the word before it."""
    latest = np.fmax.accumulate(np.where(np.isnan(onsets), -np.inf, onsets))
    return np.argsort(np.where(np.isnan(onsets), latest, onsets), kind="stable")


def _overlaps(table: pd.DataFrame) -> NDArray[np.float64]:
    """By how many seconds each word begins before an earlier one of its speaker has ended."""
    overlap = np.zeros(len(table))
    speakers = table["speaker"] if "speaker" in table else pd.Series("", index=table.index)
    for _, rows in table.groupby(speakers, sort=False, dropna=False).groups.items():
        ended = np.fmax.accumulate(table["offset"].to_numpy()[rows])[:-1]
        overlap[rows[1:]] = np.nan_to_num(np.maximum(ended - table["onset"].to_numpy()[rows[1:]], 0))
    return overlap
