"""Words with their times as responses of a language model, and how surprising each one was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neurodecode.data.hashing import jsonable, sha256_json
from neurodecode.data.responses import Responses, group_columns
from neurodecode.data.validate import as_table, check_columns, check_option
from neurodecode.errors import DataError
from neurodecode.features.cache import embedded
from neurodecode.features.language import Reading, read_windows, sees_ahead, text_network, window_capacity
from neurodecode.features.models import Model, load_model
from neurodecode.features.text import check_context, weigh
from neurodecode.features.tokens import (
    Integers,
    Tokens,
    context_start,
    join_words,
    locate_words,
    plan_windows,
    tokenise,
    tokens_of_words,
)
from neurodecode.features.units import Block, Layers, Site, as_settings_layers, choose_layers

log = logging.getLogger(__name__)

POOLINGS = ("mean", "last", "first")
UNITS = ("tokens", "words")
_STORIES = ("story", "stimulus", "run")  # columns that tell texts apart unless another is named


class Story(NamedTuple):
    """The words of one text."""

    words: pd.DataFrame
    """Its rows of the table."""
    tokens: Tokens
    """Its text as tokens."""
    rows: Integers
    """First token of each word and the one behind its last, shape (n_words, 2)."""
    spans: Integers
    """First letter of each word and the one behind its last, shape (n_words, 2)."""


def embed_words(
    words: pd.DataFrame,
    model: str | Path | Model,
    *,
    layers: Layers = "all",
    pooling: str = "mean",
    context: int | None = None,
    context_unit: str = "tokens",
    window: int | None = None,
    refeed: bool | None = None,
    by: str | Sequence[str] | None = None,
    texts: Mapping[str, str] | None = None,
    join: str = " ",
    batch_size: int | None = None,
    cache: str | Path | None = None,
    stored_as: str = "float32",
    **loading: Any,
) -> Responses:
    """Embed each word of a transcript in the context that was heard before it.

    The words of a story are written out as one text, and the text is read in overlapping windows; a word is taken from a window
    in which at least `context` tokens (or words) of the same story come before it, fewer only at the begin of the story. The
    network's hidden states of the tokens of a word are pooled.

    A causal model never sees what follows a word. An encoder (BERT) would, which leaks what the listener had not heard yet: by
    default it reads, for each word, a window of its own that ends with the word.

    Parameters
    ----------
    words : DataFrame
        One row per word, in the order they were heard: ``word``, and any of ``onset, offset`` (s), ``story``, ``run``, ...
    model : str, Path or Model
        Folder, hub id, or what `load_model` returned, with a fast tokenizer.
    layers : "all", int or sequence of int
        0 is the input of the first block, n the output of block n, as in ``hidden_states`` of transformers; negative numbers
        count from the last.
    pooling : {"mean", "last", "first"}
        Over the tokens of a word.
    context : int, optional
        Least context before each word; by default half the window.
    context_unit : {"tokens", "words"}
        What `context` counts.
    window : int, optional
        Tokens read at once, special ones included; by default what the model can read, up to 1024.
    refeed : bool, optional
        Read each word in a window of its own with exactly its context before it and nothing behind it: one pass of the network
        per word. By default only for models that look ahead. False for such a model lets later words in, which is logged as a
        warning.
    by : str or sequence of str, optional
        Columns that tell stories apart; context never crosses from one to the next. ``run`` stands for subject, session and
        run. By default the first of ``story, stimulus, run`` that there is, else all words are one story.
    texts : mapping of str to str, optional
        Full text of each story, with punctuation, by the value of the one column `by`; the words are found in it in their order.
        Without it the words themselves are the text.
    join : str
        What stands between two words where there are no `texts`; ``""`` for scripts without spaces.
    batch_size : int, optional
        Windows at a time; by default about 4096 tokens. Halved when the device runs out of memory.
    cache : str or Path, optional
        Folder in which the embedding is kept; a second call opens it there.
    stored_as : {"float32", "float16"}
        Type in the cache.
    **loading
        ``revision, download, device, dtype`` of `load_model`.

    Returns
    -------
    Responses
        One row per word with all columns of `words` and ``n_tokens, text_start, text_stop`` (letters of its story's text); units
        with layer, index and site. Times pass through to `to_tr`.

    Raises
    ------
    DataError
        If a word is empty, missing in its text or without a token, a story comes in pieces, or the context is too long.
    FormatError
        If the model is not on this machine; nothing is downloaded without ``download=True``.
    CorruptFileError
        If its folder is damaged.
    """
    check_option("pooling", pooling, POOLINGS)
    opened = load_model(model, **loading)
    reader = _Reader(opened, context, check_option("context_unit", context_unit, UNITS), window, refeed)
    settings = {"layers": as_settings_layers(layers), "pooling": pooling, **reader.settings}
    table = _word_table(words)

    def blocks() -> Iterator[Block]:
        stories = list(_stories(table, opened, by, texts, join))
        readings = reader.plan(stories, text_network(opened))
        yield from _embedded_words(stories, readings, opened, layers, pooling, batch_size)

    return _responses("embed_words", table, settings, blocks, opened, (by, texts, join), cache, stored_as)


def word_surprisal(
    words: pd.DataFrame,
    model: str | Path | Model,
    *,
    context: int | None = None,
    context_unit: str = "tokens",
    window: int | None = None,
    by: str | Sequence[str] | None = None,
    texts: Mapping[str, str] | None = None,
    join: str = " ",
    batch_size: int | None = None,
    cache: str | Path | None = None,
    **loading: Any,
) -> Responses:
    """Compute the surprisal of each word of a transcript, given the words heard before it, by a causal language model.

    The surprisal is the sum over the tokens of the word, -sum_k log2 p(token_k | tokens before it), in bits. In vocabularies
    where a token begins with the space before it, that space belongs to the word that follows.

    Parameters
    ----------
    words : DataFrame
        One row per word, as in `embed_words`.
    model : str, Path or Model
        A causal language model: folder, hub id, or what `load_model` returned.
    context : int, optional
        Least context before each word; by default half the window.
    context_unit : {"tokens", "words"}
        What `context` counts.
    window : int, optional
        Tokens read at once; by default what the model can read, up to 1024.
    by : str or sequence of str, optional
        Columns that tell stories apart, as in `embed_words`.
    texts : mapping of str to str, optional
        Full text of each story, as in `embed_words`.
    join : str
        What stands between two words where there are no `texts`.
    batch_size : int, optional
        Windows at a time; by default one.
    cache : str or Path, optional
        Folder in which the surprisal is kept.
    **loading
        ``revision, download, device, dtype`` of `load_model`.

    Returns
    -------
    Responses
        One row per word with all columns of `words`, and one unit ``surprisal`` in bits. A word whose first token has nothing
        before it (the first of a story, where the model has no token for the begin of a text) is NaN.

    Raises
    ------
    DataError
        If the model is not causal; else as in `embed_words`.
    FormatError
        If the model is not on this machine.
    CorruptFileError
        If its folder is damaged.

    References
    ----------
    Levy, R. (2008). Expectation-based syntactic comprehension. Cognition 106, 1126-1177.
    """
    opened = load_model(model, **loading)
    reader = _Reader(opened, context, check_option("context_unit", context_unit, UNITS), window, False)
    table = _word_table(words)

    def blocks() -> Iterator[Block]:
        if sees_ahead(opened.language_model):
            raise DataError(f"{opened!r} sees the words that it should predict: surprisal needs a causal language model")
        stories = [_with_begin(s, opened) for s in _stories(table, opened, by, texts, join)]
        yield from _surprisals(stories, reader.plan(stories, opened.language_model.base_model), opened, batch_size or 1)

    found = _responses("word_surprisal", table, reader.settings, blocks, opened, (by, texts, join), cache, "float32")
    return found.replace(units=found.units.assign(name="surprisal", unit="bit"))


def _responses(
    function: str,
    table: pd.DataFrame,
    settings: dict[str, Any],
    blocks: Callable[[], Iterator[Block]],
    model: Model,
    layout: tuple[Any, Mapping[str, str] | None, str],
    cache: str | Path | None,
    stored_as: str,
) -> Responses:
    """Compute or open; the table, what tells stories apart and the texts are the stimuli."""

    def content() -> str:
        by, texts, join = layout
        values = jsonable({str(c): table[c].tolist() for c in table})
        return sha256_json([values, [by] if isinstance(by, str) else by and list(by), dict(texts) if texts else None, join])

    return embedded(function, settings, content, blocks, model=model.identity, cache=cache, stored_as=stored_as)


class _Reader(NamedTuple):
    """How much of a story is read at once."""

    model: Model
    context: int | None
    unit: str
    window: int | None
    refeed: bool | None

    @property
    def settings(self) -> dict[str, Any]:
        return {"context": self.context, "context_unit": self.unit, "window": self.window, "refeed": self.refeed}

    def plan(self, stories: Sequence[Story], net: Any) -> list[Reading]:
        """Windows of all stories in their order."""
        ahead = sees_ahead(net)
        if ahead and self.refeed is False:
            log.warning(
                "%r sees the words that follow (refeed=False): its embedding of a word leaks what was not heard yet", self.model
            )
        one_each = ahead if self.refeed is None else self.refeed
        return [r for i, story in enumerate(stories) for r in self._of(story, i, net, one_each)]

    def _of(self, story: Story, number: int, net: Any, one_each: bool) -> list[Reading]:
        capacity = window_capacity(self.model, net, story.tokens, self.window)
        if self.context is None:  # at most half the window, and never so much that a long word does not fit
            room = capacity - int((story.rows[:, 1] - story.rows[:, 0]).max())
            seen_from = context_start(story.rows, max(0, min(capacity // 2, room)), "tokens")
        else:
            seen_from = context_start(story.rows, check_context(self.context), self.unit)
        return [Reading(story.tokens, w, number) for w in plan_windows(story.rows, seen_from, capacity, one_each)]


def _word_table(words: pd.DataFrame) -> pd.DataFrame:
    """A copy of the table, with a word in each row."""
    table = as_table(words, "words")
    check_columns(table, ["word"], "words")
    wrong = [i for i, word in enumerate(table["word"]) if not isinstance(word, str) or not word.strip()]
    if wrong or not len(table):
        what = f"row {wrong[0]} holds {table['word'].iloc[wrong[0]]!r}" if wrong else "there is no row"
        raise DataError(
            f"each row of words needs a word with letters, {what} ({len(wrong)} of {len(table)}): leave such rows out"
        )
    return table


def _stories(
    table: pd.DataFrame, model: Model, by: str | Sequence[str] | None, texts: Mapping[str, str] | None, join: str
) -> Iterator[Story]:
    """Cut the table into stories, and each story's text into tokens."""
    for name, part in _parts(table, by):
        words = part["word"].tolist()
        text, spans = (_text_of(name, texts), None) if texts is not None else join_words(words, join)
        spans = locate_words(words, text, f"story {name!r}") if spans is None else spans
        tokens = tokenise(model.tokenizer, text, f"story {name!r}")
        yield Story(part, tokens, tokens_of_words(tokens.spans, spans, words), spans)


def _text_of(name: str, texts: Mapping[str, str]) -> str:
    if name not in texts:
        raise DataError(f"there is no text of story {name!r} among {sorted(texts)[:10]}")
    return texts[name]


def _parts(table: pd.DataFrame, by: str | Sequence[str] | None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Stretches of the table that are one story each."""
    chosen = next(([c] for c in _STORIES if c in table), []) if by is None else by
    if not len(chosen):
        yield "all", table
        return
    columns = group_columns(table, chosen if isinstance(chosen, str) or len(chosen) > 1 else chosen[0])
    number = table.groupby(columns, sort=False, dropna=False).ngroup().to_numpy()
    if (np.diff(number) < 0).any() or (np.diff(number) > 1).any():
        row = int(np.flatnonzero((np.diff(number) < 0) | (np.diff(number) > 1))[0]) + 1
        raise DataError(
            f"the words of a story must follow each other, row {row} goes back to an earlier one of {columns}: sort them"
        )
    for k in range(number[-1] + 1):
        part = table[number == k]
        yield "/".join(str(part[c].iloc[0]) for c in columns), part


def _embedded_words(
    stories: Sequence[Story], readings: Sequence[Reading], model: Model, layers: Layers, pooling: str, batch_size: int | None
) -> Iterator[Block]:
    for reading, (output, i) in read_windows(text_network(model), readings, batch_size, output_hidden_states=True):
        states = output["hidden_states"]
        weights = _word_weights(stories[reading.text], reading, pooling)
        values = {Site("hidden", k): weigh(weights, states[k][i, : weights.shape[1]]) for k in choose_layers(layers, len(states))}
        yield Block(values, _samples(stories[reading.text], reading))


def _word_weights(story: Story, reading: Reading, pooling: str) -> Any:
    """Weight of each token of a window, special ones included, in each word that is taken from it."""
    weights = np.zeros((reading.window.last_row - reading.window.first_row, len(reading.ids)), np.float32)
    for row, (first, stop) in enumerate(_inside(story, reading)):
        taken = {"mean": slice(first, stop), "last": slice(stop - 1, stop), "first": slice(first, first + 1)}[pooling]
        weights[row, taken] = 1 / (taken.stop - taken.start)
    return weights


def _inside(story: Story, reading: Reading) -> Integers:
    """Tokens of the words of a window, counted in what goes into the network."""
    window = reading.window
    return story.rows[window.first_row : window.last_row] - window.start + len(reading.tokens.prefix)


def _samples(story: Story, reading: Reading) -> pd.DataFrame:
    rows = slice(reading.window.first_row, reading.window.last_row)
    counts = story.rows[rows, 1] - story.rows[rows, 0]
    found = {"n_tokens": counts, "text_start": story.spans[rows, 0], "text_stop": story.spans[rows, 1]}
    return story.words.iloc[rows].reset_index(drop=True).assign(**found)


def _with_begin(story: Story, model: Model) -> Story:
    """Let the text begin with the token for its begin, where the model has one."""
    begin = model.tokenizer.bos_token_id
    prefix = story.tokens.prefix or (() if begin is None else (int(begin),))
    return story._replace(tokens=story.tokens._replace(prefix=prefix, suffix=()))


def _surprisals(stories: Sequence[Story], readings: Sequence[Reading], model: Model, batch_size: int) -> Iterator[Block]:
    for reading, (output, i) in read_windows(model.language_model, readings, batch_size):
        bits = _token_bits(output["logits"][i, : len(reading.ids)], reading.ids)
        story = stories[reading.text]
        values = np.array([bits[first:stop].sum() for first, stop in _inside(story, reading)])
        depth = int(model.config.num_hidden_layers)
        yield Block({Site("surprisal", depth): values[:, None].astype(np.float32)}, _samples(story, reading))


def _token_bits(logits: Any, ids: Sequence[int]) -> Any:
    """Surprisal of each token in bits; NaN for the first, which nothing precedes."""
    import torch

    targets = torch.tensor(ids[1:], device=logits.device)
    nats = torch.nn.functional.cross_entropy(logits[:-1].float(), targets, reduction="none")
    return np.concatenate([[np.nan], nats.double().cpu().numpy() / np.log(2)])
