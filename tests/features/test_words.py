"""Words in context: aligned with their tokens, never seeing what comes later, whatever the windows and batches."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_models import byte_tokenizer, hidden_states, piece_tokenizer, transcript

from neurodecode.errors import DataError
from neurodecode.features import embed_words, load_model, to_tr, word_surprisal
from neurodecode.features.tokens import (
    Window,
    context_start,
    join_words,
    locate_words,
    plan_windows,
    tokenise,
    tokens_of_words,
)

Tiny = Callable[[str], Path]
TEXT = "the cat, unhappily, saw the 🐶 and nobody sat ."
STORY = " ".join([TEXT] * 6)


# --- arithmetic without a network ----------------------------------------------------------------------------------


def pieces_of(tokenizer: Any, words: list[str], join: str = " ") -> list[list[str]]:
    """Tokens of each word as texts."""
    text, spans = join_words(words, join)
    tokens = tokenise(tokenizer, text, "story")
    rows = tokens_of_words(tokens.spans, spans, words)
    return [[text[a:b] for a, b in tokens.spans[first:stop]] for first, stop in rows]


def test_words_that_split_into_several_tokens() -> None:
    words = ["the", "unhappily,", "the", "🐶", "ßä", "...", "cat"]
    assert pieces_of(piece_tokenizer(), words) == [
        ["the"],
        ["un", "happi", "ly", ","],
        ["the"],
        ["🐶"],
        ["ß", "ä"],
        [".", ".", "."],
        ["cat"],
    ]


@pytest.mark.parametrize("make", [piece_tokenizer, byte_tokenizer, lambda: byte_tokenizer(framed=True)])
@pytest.mark.parametrize("words", [TEXT.split(), ["cat"], ["cat", "cat", "cat"], ["don't", "“no”", "naïve", "日本", "a-b"]])
def test_every_token_of_letters_belongs_to_the_word_it_lies_in(make: Callable[[], Any], words: list[str]) -> None:
    text, spans = join_words(words, " ")
    tokens = tokenise(make(), text, "story")
    rows = tokens_of_words(tokens.spans, spans, words)
    for (first, stop), (start, end), word in zip(rows, spans, words, strict=True):
        letters = {i for a, b in tokens.spans[first:stop] for i in range(a, b)}
        assert set(range(start, end)) <= letters | {start + i for i, c in enumerate(word) if c.isspace()}
        assert max(letters) < end
    assert (rows[1:, 0] >= rows[:-1, 1]).all()


def test_special_tokens_stand_around_and_not_among_the_words() -> None:
    tokens = tokenise(piece_tokenizer(), "the cat", "story")
    assert (tokens.prefix, tokens.suffix, tokens.ids.tolist()) == ((2,), (3,), [4, 5])
    assert tokenise(byte_tokenizer(), "the cat", "story")[2:] == ((), ())


def test_a_token_that_touches_two_words_belongs_to_the_later_one() -> None:
    tokens, words = np.array([[0, 2], [2, 5], [5, 6]]), np.array([[0, 3], [3, 6]])
    assert tokens_of_words(tokens, words, ["abc", "def"]).tolist() == [[0, 1], [1, 3]]


def test_a_word_that_has_no_token_of_its_own_is_named() -> None:
    with pytest.raises(DataError, match=r"word 0 \('ab', in 'ab cd'\) has no token of its own"):
        tokens_of_words(np.array([[0, 4]]), np.array([[0, 2], [2, 4]]), ["ab", "cd"])


def test_tokens_of_blanks_belong_to_no_word() -> None:
    tokens, words = np.array([[0, 2], [2, 3], [3, 3], [3, 5]]), np.array([[0, 2], [3, 5]])
    assert tokens_of_words(tokens, words, ["ab", "cd"]).tolist() == [[0, 1], [3, 4]]


def test_words_are_found_in_their_order() -> None:
    text = "“The cat”, said the cat; the end."
    assert [text[a:b] for a, b in locate_words(["The", "cat", "the", "cat", "the", "end"], text, "s")] == [
        "The",
        "cat",
        "the",
        "cat",
        "the",
        "end",
    ]
    assert (np.diff(locate_words(["cat", "cat"], text, "s")[:, 0]) > 0).all()


@pytest.mark.parametrize("words", [["dog"], ["end", "cat"], ["cat", "cat", "cat"]])
def test_words_that_do_not_follow(words: list[str]) -> None:
    with pytest.raises(DataError, match=r"word \d \('\w+'\) is not in the text behind"):
        locate_words(words, "The cat, the cat; the end.", "story 'a'")


def singles(n: int) -> Any:
    return np.arange(n)[:, None] + np.array([0, 1])


@pytest.mark.parametrize(
    ("n", "context", "capacity", "expected"),
    [
        (5, 2, 10, [Window(0, 5, 0, 5)]),
        (10, 2, 6, [Window(0, 6, 0, 6), Window(4, 10, 6, 10)]),
        (5, 0, 2, [Window(0, 2, 0, 2), Window(2, 4, 2, 4), Window(4, 5, 4, 5)]),
        (4, 3, 4, [Window(0, 4, 0, 4)]),
    ],
)
def test_windows_overlap_by_the_context(n: int, context: int, capacity: int, expected: list[Window]) -> None:
    assert plan_windows(singles(n), context_start(singles(n), context, "tokens"), capacity) == expected


@pytest.mark.parametrize("unit", ["tokens", "words"])
@pytest.mark.parametrize("one_each", [True, False])
@pytest.mark.parametrize("context", [0, 1, 7])
def test_every_row_is_taken_once_with_its_context(rng: np.random.Generator, unit: str, one_each: bool, context: int) -> None:
    ends = np.cumsum(rng.integers(1, 4, 60))
    rows = np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1)
    seen = context_start(rows, context, unit)
    windows = plan_windows(rows, seen, 40, one_each)
    assert [i for w in windows for i in range(w.first_row, w.last_row)] == list(range(60))
    for w in windows:
        assert w.stop - w.start <= 40
        assert w.stop == rows[w.last_row - 1, 1]
        assert (seen[w.first_row : w.last_row] >= w.start).all()
    assert len(windows) == 60 if one_each else len(windows) < 20


def test_context_is_counted_in_words_or_tokens() -> None:
    rows = np.array([[0, 2], [2, 3], [3, 7], [7, 8]])
    assert context_start(rows, 2, "words").tolist() == [0, 0, 0, 2]
    assert context_start(rows, 2, "tokens").tolist() == [0, 0, 1, 5]


def test_more_context_than_a_window_holds() -> None:
    with pytest.raises(DataError, match="row 4 and its context have 5 tokens, a window has 4"):
        plan_windows(singles(6), context_start(singles(6), 4, "tokens"), 4)


# --- with a network ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["mean", "last", "first"])
def test_equal_to_a_plain_call(tiny: Tiny, pooling: str) -> None:
    table = transcript(TEXT, speaker="a")
    found = embed_words(table, tiny("gpt2"), pooling=pooling)
    made = load_model(tiny("gpt2")).tokenizer(TEXT, return_offsets_mapping=True)
    states = np.concatenate(hidden_states(tiny("gpt2"), input_ids=_tensor(made["input_ids"])), axis=2)[0]
    position = 0
    for row, word in enumerate(table["word"]):
        start = TEXT.index(word, position)
        position = start + len(word)
        own = states[[a < position and b > start for a, b in made["offset_mapping"]]]
        expected = {"mean": own.mean(0), "last": own[-1], "first": own[0]}[pooling]
        np.testing.assert_allclose(found.data[row], expected, rtol=1e-4, atol=1e-5)
        assert found.samples.loc[row, ["n_tokens", "text_start", "text_stop"]].tolist() == [len(own), start, position]
    pd.testing.assert_frame_equal(found.samples[list(table)], table)
    assert found.units["layer"].unique().tolist() == [0, 1, 2]


def _tensor(ids: list[int]) -> Any:
    import torch

    return torch.tensor([ids])


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 3}, {"batch_size": 50}])
@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_batches_make_no_difference(tiny: Tiny, kind: str, options: dict[str, Any]) -> None:
    table = transcript(" ".join(STORY.split()[:25]))
    plain = embed_words(table, tiny(kind), window=30, context=8)
    np.testing.assert_allclose(embed_words(table, tiny(kind), window=30, context=8, **options).data, plain.data, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("gpt2", {}),
        ("gpt2", {"window": 30, "context": 10}),
        ("gpt2", {"refeed": True, "context": 12}),
        ("gpt2", {"context": 4, "context_unit": "words"}),
        ("bert", {"context": 10}),
        ("bert", {}),
    ],
)
def test_what_comes_later_changes_nothing(tiny: Tiny, kind: str, options: dict[str, Any]) -> None:
    words = STORY.split()[:30]
    other = [*words[:17], "zebra", *reversed(words[18:])]
    first, second = (embed_words(transcript(" ".join(w)), tiny(kind), **options).data for w in (words, other))
    np.testing.assert_allclose(first[:17], second[:17], atol=1e-5)
    assert np.abs(first[17] - second[17]).max() > 0.01


def test_an_encoder_looks_ahead_only_when_told_to(tiny: Tiny, caplog: pytest.LogCaptureFixture) -> None:
    words = TEXT.split()
    with caplog.at_level(logging.WARNING):
        a, b = (
            embed_words(transcript(" ".join(w)), tiny("bert"), refeed=False, layers=-1).data
            for w in (words, [*words[:-1], "zebra"])
        )
    assert np.abs(a[0] - b[0]).max() > 1e-4
    assert "leaks what was not heard yet" in caplog.text


def test_an_encoder_reads_each_word_with_what_came_before(tiny: Tiny) -> None:
    found = embed_words(transcript("the cat sat"), tiny("bert"), layers=-1)
    for row, text in enumerate(["the", "the cat", "the cat sat"]):
        ids = load_model(tiny("bert")).tokenizer(text, return_tensors="pt")["input_ids"]
        expected = hidden_states(tiny("bert"), input_ids=ids)[-1][0, row + 1]
        np.testing.assert_allclose(found.data[row], expected, rtol=1e-4, atol=1e-5)


def test_context_is_at_least_what_was_asked_for(tiny: Tiny) -> None:
    """A word with exactly its context is what a plain call over that stretch gives."""
    table = transcript(STORY)
    found = embed_words(table, tiny("gpt2"), layers=-1, context=3, context_unit="words", refeed=True, pooling="last")
    tokenizer = load_model(tiny("gpt2")).tokenizer
    for row in (0, 2, 20):
        stretch = " ".join(table["word"][max(0, row - 3) : row + 1])
        ids = tokenizer(stretch if row < 4 else " " + stretch, return_tensors="pt")["input_ids"]
        expected = hidden_states(tiny("gpt2"), input_ids=ids)[-1][0, -1]
        np.testing.assert_allclose(found.data[row], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("by", "column"), [(None, "story"), ("chapter", "chapter"), (["subject", "run"], "run"), ("run", "run")])
def test_each_story_begins_anew(tiny: Tiny, by: Any, column: str) -> None:
    table = pd.concat([transcript(TEXT, subject="1", **{column: name}) for name in ("a", "b")], ignore_index=True)
    found = embed_words(table, tiny("gpt2"), by=by)
    half = len(table) // 2
    np.testing.assert_allclose(found.data[:half], found.data[half:], atol=1e-5)
    one = embed_words(table.drop(columns=column), tiny("gpt2"))
    assert np.abs(one.data[half:] - found.data[half:]).max() > 0.01


def test_words_come_to_the_clock_of_the_scans(tiny: Tiny) -> None:
    found = embed_words(transcript(TEXT), tiny("gpt2"), layers=1)
    scans = to_tr(found, TR=1.0, n_scans=4, method="mean")
    np.testing.assert_allclose(scans.data[1], np.asarray(found.data)[3:6].mean(0), atol=1e-5)
    assert scans.units["name"].tolist() == found.units["name"].tolist()


def test_a_story_in_pieces_is_refused(tiny: Tiny) -> None:
    table = pd.concat([transcript("the cat", story=s) for s in "aba"], ignore_index=True)
    with pytest.raises(DataError, match=r"row 4 goes back to an earlier one of \['story'\]"):
        embed_words(table, tiny("gpt2"))


def test_the_full_text_may_have_more_than_the_words(tiny: Tiny) -> None:
    text = "“The cat sat”, he said; the dog didn't."
    table = transcript("The cat sat he said the dog didn't", story="a")
    found = embed_words(table, tiny("gpt2"), layers=1, pooling="last", texts={"a": text})
    assert [text[a:b] for a, b in zip(found.samples["text_start"], found.samples["text_stop"], strict=True)] == table[
        "word"
    ].tolist()
    ids = load_model(tiny("gpt2")).tokenizer("“The cat sat", return_tensors="pt")["input_ids"]
    np.testing.assert_allclose(found.data[2], hidden_states(tiny("gpt2"), input_ids=ids)[1][0, -1], rtol=1e-4, atol=1e-5)
    with pytest.raises(DataError, match="there is no text of story 'a'"):
        embed_words(table, tiny("gpt2"), texts={"b": text})


def test_a_script_without_spaces(tiny: Tiny) -> None:
    table = pd.DataFrame({"word": list("日本語")})
    found = embed_words(table, tiny("gpt2"), join="")
    assert found.samples["text_start"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("word", ["", "  ", None, np.nan, 3])
def test_words_without_letters_are_refused(tiny: Tiny, word: Any) -> None:
    with pytest.raises(DataError, match="row 1 holds"):
        embed_words(pd.DataFrame({"word": ["the", word, "cat"]}), tiny("gpt2"))


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (pd.DataFrame({"words": ["a"]}), {}, "no column 'word'"),
        (pd.DataFrame({"word": []}), {}, "there is no row"),
        (transcript(TEXT), {"pooling": "max"}, "pooling='max'"),
        (transcript(TEXT), {"context_unit": "letters"}, "context_unit='letters'"),
        (transcript(TEXT), {"context": -1}, "context must be"),
        (transcript(STORY), {"context": 70}, "a window has 64"),
        (transcript(TEXT), {"window": 100}, "window=100"),
        (transcript(TEXT), {"by": "chapter"}, "no column 'chapter'"),
    ],
)
def test_wrong_arguments(tiny: Tiny, table: pd.DataFrame, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        embed_words(table, tiny("gpt2"), **options)


def test_a_vision_network_reads_no_words(tiny: Tiny, tmp_path: Path) -> None:
    from tiny_models import write_model

    folder = write_model("vit", tmp_path)
    byte_tokenizer().save_pretrained(folder)
    with pytest.raises(DataError, match="not text"):
        embed_words(transcript(TEXT), folder)


def test_the_cache_knows_words_times_and_layout(tiny: Tiny, tmp_path: Path) -> None:
    table = transcript(TEXT)
    first, again = (embed_words(table, tiny("gpt2"), cache=tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.data, again.data)
    pd.testing.assert_frame_equal(first.samples, again.samples)
    for other, options in [
        (table.assign(onset=0.0), {}),
        (table.assign(word=["a", *table["word"][1:]]), {}),
        (table, {"join": "  "}),
        (table, {"context": 2}),
        (table, {"layers": [1]}),
    ]:
        embed_words(other, tiny("gpt2"), cache=tmp_path, **options)
    assert len(list(tmp_path.glob("embed_words-*"))) == 6


# --- surprisal -----------------------------------------------------------------------------------------------------


def plain_bits(folder: Path, text: str, begin: bool = True) -> Any:
    """Surprisal of each token by a plain call, and the letters it stands for."""
    import torch
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    made = load_model(folder).tokenizer(text, return_offsets_mapping=True)
    ids = torch.tensor([[0, *made["input_ids"]]])
    with torch.no_grad():
        logp = torch.log_softmax(net(ids).logits[0].double(), dim=-1)
    return -logp[torch.arange(ids.shape[1] - 1), ids[0, 1:]].numpy() / np.log(2), made["offset_mapping"]


def test_surprisal_is_the_sum_over_tokens(tiny: Tiny) -> None:
    table = transcript(TEXT)
    found = word_surprisal(table, tiny("gpt2"))
    bits, offsets = plain_bits(tiny("gpt2"), TEXT)
    position = 0
    for row, word in enumerate(table["word"]):
        start = TEXT.index(word, position)
        position = start + len(word)
        own = [a < position and b > start for a, b in offsets]
        np.testing.assert_allclose(found.data[row, 0], bits[own].sum(), rtol=1e-4)
    assert found.units[["name", "unit"]].to_numpy().tolist() == [["surprisal", "bit"]]


@pytest.mark.parametrize("options", [{"batch_size": 4}, {"context": 10, "window": 30}])
def test_surprisal_depends_on_what_came_before_alone(tiny: Tiny, options: dict[str, Any]) -> None:
    words = STORY.split()[:30]
    other = [*words[:20], *reversed(words[20:])]
    a, b = (word_surprisal(transcript(" ".join(w)), tiny("gpt2"), **options).data for w in (words, other))
    np.testing.assert_allclose(a[:20], b[:20], rtol=1e-4)
    assert np.abs(a[20:] - b[20:]).max() > 0.01
    assert np.isfinite(a).all()


def test_without_a_begin_the_first_word_is_unknown(tiny: Tiny, tmp_path: Path) -> None:
    from tiny_models import write_model

    folder = write_model("gpt2", tmp_path)
    tokenizer = byte_tokenizer()
    tokenizer.bos_token = None
    tokenizer.save_pretrained(folder)
    table = pd.concat([transcript(TEXT, story=s) for s in "ab"], ignore_index=True)
    values = word_surprisal(table, folder).data[:, 0]
    assert np.flatnonzero(np.isnan(values)).tolist() == [0, len(table) // 2]


def test_surprisal_needs_a_causal_model(tiny: Tiny, tmp_path: Path) -> None:
    from tiny_models import SIZE, byte_tokenizer
    from transformers import BertConfig, BertLMHeadModel

    BertLMHeadModel(BertConfig(**{**SIZE, "vocab_size": 300}, is_decoder=False)).save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(DataError, match="surprisal needs a causal language model"):
        word_surprisal(transcript(TEXT), tmp_path)


def test_the_cache_of_surprisal(tiny: Tiny, tmp_path: Path) -> None:
    first, again = (word_surprisal(transcript(TEXT), tiny("gpt2"), cache=tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.data, again.data)
    assert again.units["name"].tolist() == ["surprisal"]
