"""Words, tokens and the stretches of text that a language model reads at once: arithmetic without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError

Integers = NDArray[np.int64]


class Tokens(NamedTuple):
    """A text as tokens."""

    ids: Integers
    """Number of each token, shape (n_tokens,), without special ones."""
    spans: Integers
    """First letter and the one behind the last of each token, shape (n_tokens, 2)."""
    prefix: tuple[int, ...]
    """Special tokens that the model expects before a text."""
    suffix: tuple[int, ...]
    """Special tokens that it expects behind."""


class Window(NamedTuple):
    """A stretch of tokens read at once, and the rows that are taken from it."""

    start: int
    """First token."""
    stop: int
    """Behind the last token."""
    first_row: int
    """First row taken."""
    last_row: int
    """Behind the last row taken."""


def tokenise(tokenizer: Any, text: str, name: str) -> Tokens:
    """Cut a text into tokens and keep the letters each one stands for.

    Parameters
    ----------
    tokenizer : fast tokenizer of transformers
        It knows character offsets.
    text : str
        The whole text.
    name : str
        What the text is, for the message.

    Returns
    -------
    Tokens
        Never truncated.

    Raises
    ------
    DataError
        If the text is empty or has no token.
    """
    if not text.strip():
        raise DataError(f"{name}: the text is empty ({text!r}), so there is nothing to embed: leave it out")
    made = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True, truncation=False, verbose=False)
    special = np.asarray(made["special_tokens_mask"], bool)
    ids, own = np.asarray(made["input_ids"], np.int64), np.flatnonzero(~special)
    if not own.size:
        raise DataError(f"{name}: the tokenizer finds no token in {text[:80]!r}")
    first, stop = int(own[0]), int(own[-1]) + 1
    spans = np.asarray(made["offset_mapping"], np.int64)[first:stop]
    return Tokens(ids[first:stop], spans, tuple(ids[:first].tolist()), tuple(ids[stop:].tolist()))


def join_words(words: Sequence[str], join: str) -> tuple[str, Integers]:
    """Write words one after the other.

    Parameters
    ----------
    words : sequence of str
        At least one.
    join : str
        What stands between two words.

    Returns
    -------
    text : str
        The text.
    spans : array of shape (n_words, 2)
        First letter and the one behind the last of each word.
    """
    lengths = np.array([len(word) for word in words])
    start = np.concatenate([[0], np.cumsum(lengths[:-1] + len(join))])
    return join.join(words), np.stack([start, start + lengths], axis=1)


def locate_words(words: Sequence[str], text: str, name: str) -> Integers:
    """Find words in a text, each one behind the word before it.

    Parameters
    ----------
    words : sequence of str
        As spelled in the text.
    text : str
        The whole text, with its punctuation.
    name : str
        What the text is, for the message.

    Returns
    -------
    array of shape (n_words, 2)
        First letter and the one behind the last of each word.

    Raises
    ------
    DataError
        Naming the first word that does not follow.
    """
    spans, behind = np.zeros((len(words), 2), np.int64), 0
    for i, word in enumerate(words):
        start = text.find(word, behind)
        if start < 0:
            near = text[max(0, behind - 20) : behind + 40]
            raise DataError(f"{name}: word {i} ({word!r}) is not in the text behind {near!r}: spell both alike")
        spans[i], behind = (start, start + len(word)), start + len(word)
    return spans


def tokens_of_words(token_spans: Integers, word_spans: Integers, words: Sequence[str]) -> Integers:
    """Give each token to the last word that it touches, so that no word sees letters of a later one.

    Parameters
    ----------
    token_spans : array of shape (n_tokens, 2)
        Letters of each token, in their order.
    word_spans : array of shape (n_words, 2)
        Letters of each word, in their order, not overlapping.
    words : sequence of str
        The words, for the message.

    Returns
    -------
    array of shape (n_words, 2)
        First token of each word and the one behind its last.

    Raises
    ------
    DataError
        If a word has no token of its own, naming it.
    """
    owner = np.searchsorted(word_spans[:, 0], token_spans[:, 1], side="left") - 1
    touches = (owner >= 0) & (word_spans[owner, 1] > token_spans[:, 0]) & (token_spans[:, 1] > token_spans[:, 0])
    token, owner = np.flatnonzero(touches), owner[touches]
    every = np.arange(len(word_spans))
    first, stop = np.searchsorted(owner, every, side="left"), np.searchsorted(owner, every, side="right")
    empty = np.flatnonzero(first == stop)
    if empty.size:
        i = int(empty[0])
        near = " ".join(words[max(0, i - 2) : i + 3])
        raise DataError(f"word {i} ({words[i]!r}, in {near!r}) has no token of its own: join it with its neighbour")
    return np.stack([token[first], token[stop - 1] + 1], axis=1)


def plan_windows(rows: Integers, seen_from: Integers, capacity: int, one_each: bool = False) -> list[Window]:
    """Cover rows with as few windows as possible, each row with at least its context before it in the window.

    Parameters
    ----------
    rows : array of shape (n_rows, 2)
        First token of each row and the one behind its last, in their order.
    seen_from : array of shape (n_rows,)
        First token that must be in the window of each row.
    capacity : int
        Largest number of tokens in a window.
    one_each : bool
        Give each row a window of its own that ends with it, so that nothing behind it is seen.

    Returns
    -------
    list of Window
        In the order of the rows.

    Raises
    ------
    DataError
        If a row and its context do not fit into one window.
    """
    needed = rows[:, 1] - seen_from
    if needed.max() > capacity:
        worst = int(needed.argmax())
        raise DataError(f"row {worst} and its context have {needed[worst]} tokens, a window has {capacity}: ask for less context")
    windows, i = [], 0
    while i < len(rows):
        start = int(seen_from[i])
        last = i + 1 if one_each else int(np.searchsorted(rows[:, 1], start + capacity, side="right"))
        windows.append(Window(start, int(rows[last - 1, 1]), i, last))
        i = last
    return windows


def context_start(rows: Integers, context: int, unit: str) -> Integers:
    """First token that each row must see.

    Parameters
    ----------
    rows : array of shape (n_rows, 2)
        First token of each row and the one behind its last.
    context : int
        Tokens, or words, before the row.
    unit : {"tokens", "words"}
        What is counted.

    Returns
    -------
    array of shape (n_rows,)
        Never below 0: a text has nothing before its begin.
    """
    if unit == "tokens":
        return np.maximum(rows[:, 0] - context, 0)
    start: Integers = rows[np.maximum(np.arange(len(rows)) - context, 0), 0]
    return start
