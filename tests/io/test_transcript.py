"""Transcripts of four kinds: words with their times, damage refused by name, any text ends in a documented error."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io import read_transcript, transcript
from neurodecode.io.transcript_textgrid import textgrid_tiers

WORDS = [(0.0, 0.5, ""), (0.5, 0.9, "Das"), (0.9, 1.0, "sp"), (1.0, 1.75, 'ist "gut"'), (1.75, 2.5, "größer"), (2.5, 3.0, "")]
PHONES = [(0.5, 0.7, "D"), (0.7, 0.9, "AA1"), (1.0, 1.75, "IH0"), (1.75, 2.5, "G")]
Entries = list[tuple[float, float, str]]


def long_form(tiers: dict[str, Entries], end: float = 3.0) -> str:
    """A TextGrid as Praat writes it."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", f"xmax = {end} ", "tiers? <exists> "]
    lines += [f"size = {len(tiers)} ", "item []: "]
    for t, (name, entries) in enumerate(tiers.items(), start=1):
        head = f'    item [{t}]:|        class = "IntervalTier" |        name = "{name}" |        xmin = 0 |        xmax = {end} '
        lines += [*head.split("|"), f"        intervals: size = {len(entries)} "]
        for i, (begin, stop, label) in enumerate(entries, start=1):
            lines += [f"        intervals [{i}]:", f"            xmin = {begin} ", f"            xmax = {stop} "]
            lines += ['            text = "' + label.replace('"', '""') + '" ']
    return "\n".join(lines) + "\n"


def short_form(tiers: dict[str, Entries], end: float = 3.0) -> str:
    """The same without the words around the values."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", str(end), "<exists>", str(len(tiers))]
    for name, entries in tiers.items():
        lines += ['"IntervalTier"', f'"{name}"', "0", str(end), str(len(entries))]
        for begin, stop, label in entries:
            lines += [str(begin), str(stop), '"' + label.replace('"', '""') + '"']
    return "\n".join(lines) + "\n"


WHISPER = {
    "text": " Das ist gut",
    "segments": [
        {
            "id": 0,
            "start": 0.5,
            "end": 1.7,
            "text": " Das ist",
            "words": [
                {"word": " Das", "start": 0.5, "end": 0.9, "probability": 0.75},
                {"word": " ist", "start": 1.0, "end": 1.7, "probability": 0.5},
            ],
        },
        {
            "id": 1,
            "start": 1.6,
            "end": 2.0,
            "text": " gut",
            "words": [{"word": " gut", "start": 1.6, "end": 2.0, "probability": 1}],
        },
    ],
    "language": "de",
}
WHISPERX = {
    "segments": [
        {
            "start": 0.5,
            "end": 1.0,
            "text": "a 5",
            "speaker": "S0",
            "words": [{"word": "a", "start": 0.5, "end": 0.6, "score": 0.9}, {"word": "5"}],
        },
        {
            "start": 0.55,
            "end": 1.0,
            "text": "b",
            "words": [{"word": "b", "start": 0.55, "end": 1.0, "score": 0.2, "speaker": "S1"}],
        },
    ],
    "word_segments": [],
}
GENTLE = {
    "transcript": "One two, three",
    "words": [
        {"case": "success", "word": "One", "alignedWord": "one", "start": 0.25, "end": 0.5, "startOffset": 0, "endOffset": 3},
        {"case": "not-found-in-audio", "word": "two", "startOffset": 4, "endOffset": 7},
        {"case": "success", "word": "three", "alignedWord": "three", "start": 1.0, "end": 1.5, "startOffset": 9, "endOffset": 14},
    ],
}
TABLE = "onset\tduration\tword\tspeaker\n0.5\t0.25\tDas\tA\n1.0\t0.5\tist\tA\n"


def put(folder: Path, content: str | bytes | dict[str, Any], name: str = "story.txt") -> Path:
    """Write a file."""
    path = folder / name
    content = json.dumps(content) if isinstance(content, dict) else content
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- TextGrid ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom"])
@pytest.mark.parametrize("form", [long_form, short_form])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_textgrids_of_all_forms(form: Any, encoding: str, newline: str, tmp_path: Path) -> None:
    text = form({"words": WORDS, "phones": PHONES}).replace("\n", newline)
    content = b"\xfe\xff" + text.encode("utf-16-be") if encoding == "utf-16-be-bom" else text.encode(encoding)
    words = read_transcript(put(tmp_path, content))
    assert words["word"].tolist() == ["Das", 'ist "gut"', "größer"]
    assert words["onset"].tolist() == [0.5, 1.0, 1.75]
    assert words["offset"].tolist() == [0.9, 1.75, 2.5]
    assert list(words.columns) == ["onset", "offset", "word", "overlap"]
    assert not words["overlap"].any()


def test_phones_of_each_word(tmp_path: Path) -> None:
    words = read_transcript(put(tmp_path, long_form({"words": WORDS, "phones": PHONES})), phones=True)
    assert words["phones"].tolist() == ["D AA1", "IH0", "G"]
    named = put(tmp_path, long_form({"words": WORDS, "MAU": PHONES}))
    assert read_transcript(named, phones="MAU")["phones"].tolist() == ["D AA1", "IH0", "G"]
    assert read_transcript(named, tier="MAU")["word"].tolist() == ["D", "AA1", "IH0", "G"]


def test_two_speakers_are_merged_in_time(tmp_path: Path) -> None:
    tiers = {"Anna - words": [(0.0, 1.0, "a"), (2.0, 3.0, "c")], "Ben - words": [(0.5, 2.5, "b")], "Anna - phones": PHONES}
    words = read_transcript(put(tmp_path, short_form(tiers)))
    assert words["word"].tolist() == ["a", "b", "c"]
    assert words["speaker"].tolist() == ["Anna", "Ben", "Anna"]
    assert not words["overlap"].any(), "two speakers may speak at once"


def test_the_only_tier_needs_no_name(tmp_path: Path) -> None:
    assert read_transcript(put(tmp_path, short_form({"Mary": WORDS})))["word"].tolist()[0] == "Das"


def test_silences_are_chosen(tmp_path: Path) -> None:
    path = put(tmp_path, short_form({"words": WORDS}))
    assert "sp" in read_transcript(path, silences=())["word"].tolist()
    assert read_transcript(path, silences=("SP", "das"))["word"].tolist()[0] == 'ist "gut"'


def test_points_and_a_grid_without_tiers(tmp_path: Path) -> None:
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n3\n'
    points = f'{head}<exists>\n1\n"TextTier"\n"words"\n0\n3\n2\n0.5\n"a"\n1.5\n"b"\n'
    words = read_transcript(put(tmp_path, points))
    assert words["onset"].tolist() == words["offset"].tolist() == [0.5, 1.5]
    assert textgrid_tiers(put(tmp_path, f"{head}<absent>\n")) == []


@pytest.mark.parametrize(
    ("tiers", "options", "message"),
    [
        ({"words": WORDS}, {"tier": "word"}, "no tier 'word', did you mean 'words'"),
        ({"a": WORDS, "b": WORDS}, {}, r"no tier 'words', choose from \['a', 'b'\]"),
        ({"words": WORDS}, {"phones": True}, "no tier 'phones'"),
        ({"words": [(0.0, 1.0, " "), (1.0, 2.0, "SIL")]}, {}, "no words among 2 entries"),
    ],
)
def test_tiers_that_are_not_there(tiers: Any, options: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        read_transcript(put(tmp_path, short_form(tiers)), **options)


def test_two_tiers_of_one_name(tmp_path: Path) -> None:
    text = short_form({"words": WORDS, "x": WORDS}).replace('"x"', '"words"')
    with pytest.raises(FormatError, match="2 tiers 'words'"):
        read_transcript(put(tmp_path, text), tier="words")


@pytest.mark.parametrize("form", [long_form, short_form])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_every_truncation_of_a_textgrid_is_noticed(form: Any, encoding: str, tmp_path: Path) -> None:
    whole = form({"words": WORDS, "phones": PHONES}).encode(encoding)
    last = whole.rstrip(b" \n\0")
    for size in range(0, len(last) - 1, 17):
        with pytest.raises(FormatError, match="story"):
            read_transcript(put(tmp_path, whole[:size]))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"TextGrid"', '"Pitch"', "it is no TextGrid"),
        ("size = 2", "size = 3", "breaks off before the kind of tier 3"),
        ("size = 2", "size = 1", "left over behind its last tier"),
        ("size = 6", "size = 5", "must be an? text in quotes|left over|kind of tier"),
        ("size = 6", "size = 99999999", "99999999|1e\\+08"),
        ("size = 6", "size = -1", "is -1, and"),
        ("size = 6", "size = 2.5", "is 2.5, and"),
        ("IntervalTier", "Interval", "must be an IntervalTier or a TextTier, it is 'Interval'"),
        ("xmin = 0.9", "xmin = null", "must be a number"),
        ("xmax = 1.75", "xmax = 0.25", "ends before it begins: onset 1 s, offset 0.25 s"),
        ("xmax = 1.75", "xmax = 1e999", "two finite times"),
        ("<exists>", "1", "must be a flag"),
    ],
)
def test_altered_textgrids(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = long_form({"words": WORDS, "phones": PHONES})
    assert old in text
    with pytest.raises(FormatError, match=message) as caught:
        read_transcript(put(tmp_path, text.replace(old, new, 1)))
    assert "story.txt" in str(caught.value)
    assert len(caught.value.remedy) > 10


def test_binary_and_other_encodings(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="binary TextGrid.*Save it as text"):
        read_transcript(put(tmp_path, b"ooBinaryFile\x08TextGrid" + bytes(40)))
    with pytest.raises(CorruptFileError, match="neither UTF-8 nor UTF-16"):
        read_transcript(put(tmp_path, long_form({"words": WORDS}).encode("latin-1")))


# --- JSON ----------------------------------------------------------------------------------------------------------


def test_whisper(tmp_path: Path) -> None:
    words = read_transcript(put(tmp_path, WHISPER))
    assert words["word"].tolist() == ["Das", "ist", "gut"]
    assert words["confidence"].tolist() == [0.75, 0.5, 1.0]
    assert words["segment"].tolist() == [0, 0, 1]
    np.testing.assert_allclose(words["overlap"], [0, 0, 0.1])
    assert "speaker" not in words


def test_whisperx_keeps_words_without_times_at_their_place(tmp_path: Path) -> None:
    words = read_transcript(put(tmp_path, WHISPERX))
    assert words["word"].tolist() == ["a", "5", "b"]
    assert words["onset"].isna().tolist() == [False, True, False]
    assert words["speaker"].tolist() == ["S0", "S0", "S1"]
    assert not words["overlap"].any()


def test_whisper_timestamped(tmp_path: Path) -> None:
    segment = {"words": [{"text": "a", "start": 0, "end": 1, "confidence": 0.5}]}
    words = read_transcript(put(tmp_path, {"segments": [segment]}))
    assert words[["onset", "offset", "word", "confidence"]].iloc[0].tolist() == [0.0, 1.0, "a", 0.5]


def test_segments_without_words_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="2 segments have no times of words.*--word_timestamps True"):
        read_transcript(put(tmp_path, {"segments": [{"start": 0, "end": 1, "text": "a"}] * 2}))


def test_gentle_flags_what_it_did_not_find(tmp_path: Path) -> None:
    words = read_transcript(put(tmp_path, GENTLE))
    assert words["word"].tolist() == ["One", "two", "three"]
    np.testing.assert_array_equal(words["onset"], [0.25, np.nan, 1.0])
    np.testing.assert_array_equal(words["offset"], [0.5, np.nan, 1.5])


def test_a_stated_format_goes_before_the_content(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no field 'words'"):
        read_transcript(put(tmp_path, WHISPER), format="gentle")
    with pytest.raises(DataError, match="format='elan' is unknown"):
        read_transcript(put(tmp_path, WHISPER), format="elan")


@pytest.mark.parametrize("content", [WHISPER, WHISPERX, GENTLE])
def test_every_truncation_of_json_is_noticed(content: dict[str, Any], tmp_path: Path) -> None:
    whole = json.dumps(content)
    for size in range(0, len(whole) - 1, 7):
        with pytest.raises(FormatError, match="story"):
            read_transcript(put(tmp_path, whole[:size]))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ({"word": "a", "start": "0", "end": 1}, "start of the word 'a' must be a finite number, got '0'"),
        ({"word": "a", "start": True, "end": 1}, "got True"),
        ({"word": "a", "start": 0, "end": float("nan")}, "end of the word 'a' must be a finite number, got nan"),
        ({"word": "a", "start": 2, "end": 1}, "ends before it begins"),
        ({"word": 5, "start": 0, "end": 1}, "must be texts, got 5"),
        ({"word": "\ud800", "start": 0, "end": 1}, "must be texts"),
        ({"word": "a", "start": 0, "end": 1, "probability": "x"}, "confidence of the word"),
        ({"word": "a", "start": 0, "end": 1, "speaker": 3}, "must be texts, got 3"),
        ("a", "'words' must be a list of named fields"),
        ({"start": 0, "end": 1}, "no words among 1"),
    ],
)
def test_words_of_the_wrong_kind(word: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        read_transcript(put(tmp_path, {"segments": [{"words": [word]}]}))


# --- tables --------------------------------------------------------------------------------------------------------


def test_events_are_a_transcript(tmp_path: Path) -> None:
    words = read_transcript(put(tmp_path, TABLE))
    assert words["offset"].tolist() == [0.75, 1.5]
    assert words["word"].tolist() == ["Das", "ist"]
    assert words["speaker"].tolist() == ["A", "A"]


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("word\tonset\toffset\n1\t0.5\t1\n2\t0\t1\n", None, ["2", "1"]),
        ("onset\tduration\ttrial_type\n0\t1\tyes\n2\t1\tn/a\n", None, ["yes"]),
        ("onset\toffset\tlemma\tword\n0\t1\tbe\tis\n", "lemma", ["be"]),
        ("onset\toffset\tword\n0\t1\tnan\n1\t2\tnull\n", None, ["nan", "null"]),
    ],
)
def test_columns_of_words(text: str, column: str | None, expected: list[str], tmp_path: Path) -> None:
    assert read_transcript(put(tmp_path, text), column=column)["word"].tolist() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("onset\tduration\tvalue\n0\t1\t2\n", "no column 'word'"),
        ("onset\tword\n0\ta\n", r"needs the columns onset and offset or duration, it has \['onset', 'word'\]"),
        ("onset\tduration\tword\nzero\t1\ta\n", "column 'onset' must hold seconds"),
        ("onset\tduration\tword\n0\tinf\ta\n", "two finite times"),
        ("onset\tduration\tword\n0\tn/a\ta\n", "two finite times, or none: onset 0 s, offset nan s"),
        ("onset\tduration\tword\n0\t-1\ta\n", "ends before it begins"),
        ("onset\tduration\tword\n0\t1\n", "row 1 has 2 values"),
        ("onset\tduration\tword\n", "no words among 0"),
        ("so it goes", "it is no transcript, it begins with b'so it goes'"),
        ("\0\0\0", "it is no transcript"),
        ("", "0 bytes"),
    ],
)
def test_tables_that_do_not_fit(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        read_transcript(put(tmp_path, text))


def test_a_file_beyond_reason_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "_LARGEST", 10)
    with pytest.raises(FormatError, match="Cut it into runs"):
        read_transcript(put(tmp_path, TABLE))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        read_transcript(tmp_path / "gone.TextGrid")


@pytest.mark.parametrize(
    "text",
    [
        '{"segments": ' + "[" * 100_000,
        '{"words": [{"case": "success", "word": "a", "start": ' + "1" * 10_000 + ', "end": 1}]}',
        'File type = "ooTextFile"' + '"' * 200_001,
        'File type = "ooTextFile" "TextGrid" 0 1 <exists> 999999999999999999999',
        'File type = "ooTextFile" ' + "<" * 200_000,
        'File type = "ooTextFile" ' + "1" * 200_000 + "e",
    ],
)
def test_hostile_files_are_refused_at_once(text: str, tmp_path: Path) -> None:
    start = time.process_time()
    with pytest.raises(CorruptFileError, match="story"):
        read_transcript(put(tmp_path, text))
    assert time.process_time() - start < 2


# --- anything ------------------------------------------------------------------------------------------------------

WHOLE = [long_form({"words": WORDS}), short_form({"words": WORDS}), json.dumps(WHISPER), json.dumps(GENTLE), TABLE]
pieces = st.sampled_from([*'" \t\n{}[]<>,:01.-', "exists", "IntervalTier", "NaN", "1e999", "words", "start", "\0", "ü", "null"])


@st.composite
def damaged(draw: Any) -> bytes:
    """A file with a piece cut out, put in, or turned; or no file at all."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.binary(min_size=1, max_size=80))
    whole = draw(st.sampled_from(WHOLE)).encode(draw(st.sampled_from(["utf-8", "utf-16"])))
    first = draw(st.integers(0, len(whole)))
    stop = draw(st.integers(first, min(len(whole), first + 30)))
    middle = draw(st.one_of(st.lists(pieces, max_size=4).map(lambda parts: "".join(parts).encode()), st.binary(max_size=4)))
    return whole[:first] + middle + whole[stop:] if draw(st.booleans()) else whole[: first + 1] + middle


@pytest.mark.parametrize("n", [60, pytest.param(5000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("format", ["auto", "textgrid", "whisper", "gentle", "tsv"])
def test_anything_ends_in_words_or_in_a_documented_error(n: int, format: Any, tmp_path: Path) -> None:
    def check(content: bytes) -> None:
        path = put(tmp_path, content or b"\n")
        words, message = None, ""
        try:
            words = read_transcript(path, format)
        except FormatError as error:
            message = str(error)
        if words is None:
            assert "story.txt" in message
            return
        assert isinstance(words, pd.DataFrame)
        assert len(words)
        assert words["word"].str.len().gt(0).all()
        timed = words.dropna(subset=["onset"])
        assert np.isfinite(timed[["onset", "offset"]]).all(axis=None)
        assert (timed["offset"] >= timed["onset"]).all()
        assert timed["onset"].is_monotonic_increasing

    quiet = settings(max_examples=n, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    quiet(given(damaged())(check))()
