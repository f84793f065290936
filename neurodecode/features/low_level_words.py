"""Low-level features of words: how many, how long, how rare, how surprising, and where in the sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Responses, Stimuli
from neurodecode.data.responses import group_columns
from neurodecode.data.validate import as_table, check_columns, check_option, require
from neurodecode.errors import DataError
from neurodecode.features.low_level import labelled

_UNITS = {
    "word_rate": "words",
    "word_length": "letters",
    "log_frequency": "Zipf",
    "surprisal": "bit",
    "position_in_sentence": "words",
    "sentence_end": "sentences",
    "position_in_story": "fraction",
    "pause": "s",
}
_STORIES = ("story", "stimulus", "run")
_SENTENCES = ("sentence", "segment")
_STOPS = (".", "!", "?", "…", "。", "！", "？")
_CLOSING = "\"'”’»)]}"
Frequencies = Mapping[str, float] | str
_Values = NDArray[np.float64]


def word_features(
    words: pd.DataFrame,
    features: Sequence[str] | None = None,
    *,
    frequencies: Frequencies | None = None,
    surprisal: Responses | ArrayLike | None = None,
    by: str | Sequence[str] | None = None,
) -> Responses:
    """Describe each word of a transcript by what needs no understanding.

    ==================== ==========================================================================================
    feature              value
    ==================== ==========================================================================================
    word_rate            1, so that `to_tr` gives words per TR
    word_length          letters and digits
    log_frequency        Zipf value: 3 + log10 of occurrences per million words (needs `frequencies`)
    surprisal            bits (needs `surprisal` or a column of this name)
    position_in_sentence 1 for the first word (needs a column sentence or segment, or stops at the ends of words)
    sentence_end         1 for the last word of a sentence
    position_in_story    from 0 for the first to 1 for the last word
    pause                silence before the word in s (needs onset and offset)
    ==================== ==========================================================================================

    Parameters
    ----------
    words : DataFrame
        One row per word in the order they were heard, as `neurodecode.io.read_transcript` gives them: ``word``, ``onset`` and
        ``offset`` in s, perhaps ``sentence`` or ``segment``, ``surprisal``, ``story``, ``run``.
    features : sequence of str, optional
        Which, in this order; by default all that the table allows.
    frequencies : mapping of str to number, or str, optional
        How often each word (in small letters) occurs in a corpus, see `count_words`; or a language such as ``"en"`` for the
        tables of the package wordfreq, if it is installed.
    surprisal : Responses or array_like of shape (n_words,), optional
        Of each word in bits, e.g. of `word_surprisal`. NaN (a word with nothing before it) becomes the mean of the others.
    by : str or sequence of str, optional
        Columns that tell stories apart; by default the first of ``story, stimulus, run`` that there is.

    Returns
    -------
    Responses
        One row per word, with all columns of `words`, and one unit per feature. Words without an onset keep their row, for they
        count in sentences; drop them before `to_tr`.

    Raises
    ------
    DataError
        If a word is missing, a feature is unknown or its source is not there, or the surprisal is not one number per word.

    References
    ----------
    van Heuven, W. J. B. et al. (2014). SUBTLEX-UK: the Zipf scale. Q. J. Exp. Psychol. 67, 1176-1190.
    """
    table = _word_table(words)
    makers = _makers(table, _story_numbers(table, by), frequencies, surprisal)
    for name in features or ():
        check_option("feature", name, list(_UNITS))
        if name not in makers:
            raise DataError(f"{name} cannot be computed from the columns {list(table.columns)[:12]} alone: see word_features")
    names = list(makers) if features is None else list(features)
    data = np.column_stack([makers[name]() for name in names])
    step = {"step": "features.word_features", "frequencies": frequencies if isinstance(frequencies, str) else None}
    return labelled(data, table, names, [_UNITS[name] for name in names], step, held=False)


def text_features(texts: Stimuli | Sequence[str], *, frequencies: Frequencies | None = None) -> Responses:
    """Describe whole texts: how many words and letters, how long and how rare they are on average.

    Parameters
    ----------
    texts : Stimuli or sequence of str
        Sentences, captions or single words.
    frequencies : mapping of str to number, or str, optional
        As in `word_features`.

    Returns
    -------
    Responses
        One row per text with the units ``n_words``, ``n_letters``, ``word_length`` and, given frequencies, ``log_frequency``.

    Raises
    ------
    DataError
        If these are no texts, or there are none.
    """
    ids = texts.ids if isinstance(texts, Stimuli) else [f"text{i}" for i in range(len(texts))]
    split = [str(text).split() for text in texts]
    if not split or (isinstance(texts, Stimuli) and texts.kind != "text"):
        raise DataError(f"text_features needs one text or more, got {texts!r:.80}")
    letters = [np.array([_letters(word) for word in words] or [0.0]) for words in split]
    columns = {
        "n_words": [len(w) for w in split],
        "n_letters": [c.sum() for c in letters],
        "word_length": [c.mean() for c in letters],
    }
    if frequencies is not None:
        columns["log_frequency"] = [zipf_frequencies(words, frequencies).mean() if words else 0.0 for words in split]
    units = ["words", "letters", "letters", "Zipf"][: len(columns)]
    step = {"step": "features.text_features", "frequencies": frequencies if isinstance(frequencies, str) else None}
    return labelled(np.column_stack(list(columns.values())), {"stimulus": ids}, list(columns), units, step, held=False)


def count_words(texts: Iterable[str]) -> dict[str, int]:
    """Count how often each word occurs in a corpus.

    Parameters
    ----------
    texts : iterable of str
        Documents, or lines of a file; words are what stands between spaces, in small letters, without punctuation around them.

    Returns
    -------
    dict
        Occurrences by word.
    """
    counts = Counter(_plain(word) for text in texts for word in text.split())
    counts.pop("", None)
    return dict(counts)


def zipf_frequencies(words: Sequence[str], frequencies: Frequencies) -> NDArray[np.float64]:
    r"""Give the frequency of words on the Zipf scale.

    :math:`\mathrm{Zipf} = 3 + \log_{10}\left(10^6 (c + 1) / (N + V)\right)` for a word that occurs c times in a corpus of N words
    of V kinds: words that the corpus lacks count as well (Laplace).

    Parameters
    ----------
    words : sequence of str
        Words; case and punctuation around them do not matter.
    frequencies : mapping of str to number, or str
        Occurrences by word in small letters, or a language of wordfreq.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_words,), from about 1 (once in a hundred million words) to 7.

    Raises
    ------
    DataError
        If the mapping is empty or holds something else than counts.
    MissingDependencyError
        If a language is given and wordfreq is not installed.

    References
    ----------
    van Heuven, W. J. B. et al. (2014). SUBTLEX-UK. Q. J. Exp. Psychol. 67, 1176-1190.
    """
    plain = [_plain(word) for word in words]
    if isinstance(frequencies, str):
        wordfreq = require("wordfreq", "frequencies of words by language", "compare")
        return np.array([wordfreq.zipf_frequency(word, frequencies) for word in plain])
    counts = np.array(list(frequencies.values()), float)
    if not len(counts) or not np.isfinite(counts).all() or (counts < 0).any():
        raise DataError(f"frequencies must be occurrences of 0 or more by word, got {len(counts)} entries, {counts[:5]}")
    own = np.array([float(frequencies.get(word, 0)) for word in plain])
    return np.asarray(9 + np.log10((own + 1) / (counts.sum() + len(counts))))


def _makers(
    table: pd.DataFrame, story: NDArray[np.int64], frequencies: Frequencies | None, surprisal: Any
) -> dict[str, Callable[[], _Values]]:
    """What the table allows to compute, by name."""
    words = table["word"].tolist()
    ends = _sentence_ends(table, story)
    surprisal = table.get("surprisal") if surprisal is None else surprisal
    makers: dict[str, Callable[[], _Values] | None] = {
        "word_rate": lambda: np.ones(len(words)),
        "word_length": lambda: np.array([_letters(word) for word in words]),
        "log_frequency": None if frequencies is None else lambda: zipf_frequencies(words, frequencies),
        "surprisal": None if surprisal is None else lambda: _surprisals(surprisal, len(words)),
        "position_in_sentence": None if ends is None else lambda: _position(_sentences(ends, story)),
        "sentence_end": None if ends is None else lambda: ends.astype(float),
        "position_in_story": lambda: _fraction(story),
        "pause": (lambda: _pauses(table, story)) if {"onset", "offset"} <= set(table) else None,
    }
    return {name: make for name, make in makers.items() if make is not None}


def _word_table(words: Any) -> pd.DataFrame:
    table = as_table(words, "words")
    check_columns(table, ["word"], "words")
    wrong = [i for i, word in enumerate(table["word"]) if not isinstance(word, str)]
    if wrong or not len(table):
        what = f"row {wrong[0]} holds {table['word'].iloc[wrong[0]]!r}" if wrong else "there is no row"
        raise DataError(f"each row of words needs a word, {what} ({len(wrong)} of {len(table)}): leave such rows out")
    return table


def _story_numbers(table: pd.DataFrame, by: str | Sequence[str] | None) -> NDArray[np.int64]:
    chosen = next((c for c in _STORIES if c in table), None) if by is None else by
    if chosen is None:
        return np.zeros(len(table), np.int64)
    return table.groupby(group_columns(table, chosen), sort=False, dropna=False).ngroup().to_numpy().astype(np.int64)


def _plain(word: str) -> str:
    """A word in small letters, without what stands around it."""
    letters = word.lower()
    first = next((i for i, letter in enumerate(letters) if letter.isalnum()), len(letters))
    last = next((i for i, letter in enumerate(reversed(letters)) if letter.isalnum()), 0)
    return letters[first : len(letters) - last]


def _letters(word: str) -> float:
    return float(sum(letter.isalnum() for letter in word))


def _surprisals(surprisal: Any, n_words: int) -> _Values:
    values = np.asarray(surprisal.data if isinstance(surprisal, Responses) else surprisal, float)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.shape != (n_words,) or np.isinf(values).any() or np.isnan(values).all():
        raise DataError(f"surprisal must be one number of bits for each of {n_words} words, got shape {values.shape}")
    return np.where(np.isnan(values), np.nanmean(values), values)


def _sentence_ends(table: pd.DataFrame, story: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Whether each word is the last of its sentence: by a column, or by stops; None where neither tells."""
    column = next((c for c in _SENTENCES if c in table), None)
    last = np.append(story[1:] != story[:-1], True)
    if column is not None:
        number = table[column].to_numpy()
        return np.asarray(np.append(number[1:] != number[:-1], True) | last)
    stops = np.array([word.rstrip(_CLOSING).endswith(_STOPS) for word in table["word"]])
    return stops | last if stops.any() else None


def _sentences(ends: NDArray[np.bool_], story: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of the sentence of each word."""
    begins = np.concatenate([[True], ends[:-1] | (story[1:] != story[:-1])])
    return np.cumsum(begins)


def _position(sentence: NDArray[np.int64]) -> _Values:
    """Place of each word in its sentence, from 1."""
    return np.asarray(pd.Series(sentence).groupby(sentence).cumcount() + 1, float)


def _fraction(story: NDArray[np.int64]) -> _Values:
    """Place of each word in its story, from 0 to 1."""
    grouped = pd.Series(story).groupby(story)
    return np.asarray(grouped.cumcount() / np.maximum(grouped.transform("size") - 1, 1), float)


def _pauses(table: pd.DataFrame, story: NDArray[np.int64]) -> _Values:
    """Silence before each word; 0 before the first, where words overlap, and where a time is not known."""
    ended = table.groupby(story)["offset"].transform(lambda offsets: offsets.cummax().ffill().shift())
    return np.asarray(np.nan_to_num(np.maximum(table["onset"].to_numpy(float) - ended.to_numpy(float), 0)))
