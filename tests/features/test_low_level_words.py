"""Features of words: each value by hand, sentences and stories kept apart, sources said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Responses, Stimuli
from neurodecode.errors import DataError, MissingDependencyError
from neurodecode.features import count_words, text_features, to_tr, word_features, zipf_frequencies

STORY = "Once there was a fox. Where did it go? Nobody-knows, they said."


def heard(text: str = STORY, **columns: object) -> pd.DataFrame:
    """Words of 0.3 s, one each half second."""
    words = text.split()
    onsets = 0.5 * np.arange(len(words))
    return pd.DataFrame({"onset": onsets, "offset": onsets + 0.3, "word": words, **columns})


def column(responses: Responses, name: str) -> list[float]:
    """One feature."""
    return responses.data[:, responses.units["name"].tolist().index(name)].tolist()


def test_features_by_hand() -> None:
    out = word_features(heard())
    names = ["word_rate", "word_length", "position_in_sentence", "sentence_end", "position_in_story", "pause"]
    assert out.units["name"].tolist() == names
    assert out.units["unit"].tolist() == ["words", "letters", "words", "sentences", "fraction", "s"]
    assert column(out, "word_rate") == [1.0] * 12
    assert column(out, "word_length") == [4, 5, 3, 1, 3, 5, 3, 2, 2, 11, 4, 4]
    assert column(out, "position_in_sentence") == [1, 2, 3, 4, 5, 1, 2, 3, 4, 1, 2, 3]
    assert np.flatnonzero(column(out, "sentence_end")).tolist() == [4, 8, 11]
    np.testing.assert_allclose(column(out, "position_in_story"), np.arange(12) / 11, rtol=1e-6)
    np.testing.assert_allclose(column(out, "pause"), [0] + [0.2] * 11, atol=1e-6)
    assert out.samples["word"].tolist() == STORY.split()
    assert out.meta["held"] is False


def test_word_rate_on_scans_counts_words() -> None:
    words = heard()
    rate = to_tr(word_features(words, ["word_rate"]), TR=1.3, n_scans=10, method="box")
    assert rate.data.sum() == pytest.approx(12, abs=1e-5)


def test_sentences_by_a_column_go_before_stops() -> None:
    out = word_features(heard(segment=[0] * 3 + [1] * 9), ["position_in_sentence", "sentence_end"])
    assert column(out, "position_in_sentence") == [1, 2, 3, *range(1, 10)]
    assert np.flatnonzero(column(out, "sentence_end")).tolist() == [2, 11]


def test_without_stops_there_are_no_sentences() -> None:
    plain = heard("no stops at all")
    assert "sentence_end" not in word_features(plain).units["name"].tolist()
    with pytest.raises(DataError, match="sentence_end cannot be computed from the columns"):
        word_features(plain, ["sentence_end"])


@pytest.mark.parametrize("word", ['end."', "end!)", "end…", "终。", "end.”"])
def test_stops_within_quotes(word: str) -> None:
    assert column(word_features(heard(f"an {word} and more"), ["sentence_end"]), "sentence_end") == [0, 1, 0, 1]


@pytest.mark.parametrize("story", ["story", "stimulus", "run"])
def test_stories_are_apart(story: str) -> None:
    words = heard(**{story: ["a"] * 3 + ["b"] * 9})
    out = word_features(words, ["position_in_sentence", "position_in_story", "pause"])
    assert column(out, "position_in_sentence")[:5] == [1, 2, 3, 1, 2]
    np.testing.assert_allclose(column(out, "position_in_story")[:4], [0, 0.5, 1, 0])
    assert column(out, "pause")[3] == 0
    one = word_features(words, ["position_in_story"], by=["word"])
    assert column(one, "position_in_story") == [0.0] * 12


def test_pauses_where_words_overlap_or_have_no_time() -> None:
    words = pd.DataFrame({"onset": [0, 1, 1.5, np.nan, 4], "offset": [0.5, 3, 2, np.nan, 5], "word": list("abcde")})
    assert column(word_features(words, ["pause"]), "pause") == [0, 0.5, 0, 0, 1]


def test_surprisal_of_a_column_an_array_or_a_model() -> None:
    bits = np.append(np.nan, np.arange(11.0))
    expected = [5.0, *range(11)]
    assert column(word_features(heard(surprisal=bits)), "surprisal") == expected
    assert column(word_features(heard(), surprisal=bits), "surprisal") == expected
    model = Responses(bits[:, None], heard(), {"name": ["surprisal"]})
    assert column(word_features(heard(), surprisal=model), "surprisal") == expected


@pytest.mark.parametrize("bits", [np.ones(3), np.full(12, np.nan), np.full(12, np.inf), np.ones((12, 2))])
def test_surprisal_that_does_not_fit(bits: np.ndarray) -> None:
    with pytest.raises(DataError, match="one number of bits for each of 12 words"):
        word_features(heard(), surprisal=bits)


def test_frequencies_on_the_zipf_scale() -> None:
    counts = {"the": 999_999, "fox": 999, "a": 0}
    corpus = 1_000_998 + 3
    zipf = zipf_frequencies(["The", "“fox,”", "wug"], counts)
    np.testing.assert_allclose(zipf, 9 + np.log10(np.array([1e6, 1e3, 1]) / corpus))
    assert column(word_features(heard("the fox", surprisal=[1, 2]), frequencies=counts), "log_frequency") == pytest.approx(
        zipf[:2]
    )


def test_a_corpus_is_counted() -> None:
    assert count_words(["The fox, the (fox)!", "don't -- Don't"]) == {"the": 2, "fox": 2, "don't": 2}


@pytest.mark.parametrize("counts", [{}, {"a": -1}, {"a": np.nan}])
def test_frequencies_that_are_none(counts: dict[str, float]) -> None:
    with pytest.raises(DataError, match="occurrences of 0 or more"):
        zipf_frequencies(["a"], counts)


def test_a_language_needs_wordfreq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "wordfreq", None)
    with pytest.raises(MissingDependencyError, match="wordfreq"):
        zipf_frequencies(["a"], "en")


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        (heard().drop(columns="word"), {}, "no column 'word'"),
        (heard().iloc[:0], {}, "there is no row"),
        (heard(word=[None, *"abcdefghijk"]), {}, "row 0 holds"),
        (heard(), {"features": ["word_count"]}, "feature='word_count' is unknown"),
        (heard(), {"features": ["log_frequency"]}, "log_frequency cannot be computed"),
        (heard().drop(columns="offset"), {"features": ["pause"]}, "pause cannot be computed"),
        (heard(), {"by": "chapter"}, "no column 'chapter'"),
    ],
)
def test_what_is_missing_is_named(words: pd.DataFrame, options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        word_features(words, **options)


def test_features_of_texts() -> None:
    texts = Stimuli(["x", "y", "z"], ["the quick fox", "wug", ""], "text")
    out = text_features(texts, frequencies={"the": 9, "quick": 9, "fox": 9})
    assert out.units["name"].tolist() == ["n_words", "n_letters", "word_length", "log_frequency"]
    np.testing.assert_allclose(out.data[:, :3], [[3, 11, 11 / 3], [1, 3, 3], [0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(out.data[:, 3], [9 + np.log10(1 / 3), 9 + np.log10(1 / 30), 0], rtol=1e-6)
    assert out.samples["stimulus"].tolist() == ["x", "y", "z"]
    assert text_features(["one text"]).data.shape == (1, 3)


def test_images_are_no_texts() -> None:
    with pytest.raises(DataError, match="one text or more"):
        text_features(Stimuli(["x"], [np.zeros((2, 2, 3), np.uint8)], "image"))
    with pytest.raises(DataError, match="one text or more"):
        text_features([])
