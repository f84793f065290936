"""Texts as responses: equal to a plain call of the network, whatever the windows and batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import hidden_states, pictures

from neurodecode.data import Stimuli
from neurodecode.errors import DataError, NeurodecodeError
from neurodecode.features import embed_text, load_model
from neurodecode.features.language import most_tokens, sees_ahead, text_network

Tiny = Callable[[str], Path]
TEXTS = ["the cat sat on the mat", "nobody saw it, nobody", "a dog 🐶 ran"]


def texts(*items: str) -> Stimuli:
    return Stimuli([f"text{i}" for i in range(len(items))], list(items), "text")


def plain(folder: Path, text: str) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Which tokens are special, and the hidden states of one text."""
    made = load_model(folder).tokenizer(text, return_tensors="pt", return_special_tokens_mask=True)
    part = {"clip": "text_model", "t5": "encoder"}.get(folder.name)
    states = hidden_states(folder, part, input_ids=made["input_ids"], attention_mask=made["attention_mask"])
    return made["special_tokens_mask"][0].numpy().astype(bool), tuple(s[0] for s in states)


@pytest.mark.parametrize("kind", ["gpt2", "bert", "clip", "t5"])
@pytest.mark.parametrize("pooling", ["mean", "mean_all", "last"])
def test_equal_to_a_plain_call(tiny: Tiny, kind: str, pooling: str) -> None:
    found = embed_text(texts(*TEXTS), tiny(kind), pooling=pooling)
    for row, text in enumerate(TEXTS):
        special, states = plain(tiny(kind), text)
        own = {
            "mean": lambda s, k=special: s[~k].mean(0),
            "mean_all": lambda s: s.mean(0),
            "last": lambda s, k=special: s[~k][-1],
        }
        expected = np.concatenate([own[pooling](s) for s in states])
        np.testing.assert_allclose(found.data[row], expected, rtol=1e-4, atol=1e-5)
    assert found.samples["stimulus"].tolist() == ["text0", "text1", "text2"]


def test_the_special_token_before_a_text(tiny: Tiny) -> None:
    found = embed_text(texts(*TEXTS), tiny("bert"), pooling="cls", layers=-1)
    np.testing.assert_allclose(found.data[1], plain(tiny("bert"), TEXTS[1])[1][-1][0], rtol=1e-4, atol=1e-5)
    with pytest.raises(DataError, match="no special token before a text"):
        embed_text(texts(*TEXTS), tiny("gpt2"), pooling="cls")


def test_one_row_per_token_with_its_letters(tiny: Tiny) -> None:
    found = embed_text(texts("the unhappily", "sat"), tiny("bert"), pooling="none")
    letters = ["the", "un", "happi", "ly", "sat"]
    rows = found.samples
    assert [
        text[a:b] for text, a, b in zip(["the unhappily"] * 4 + ["sat"], rows["text_start"], rows["text_stop"], strict=True)
    ] == letters
    assert rows["token"].tolist() == [0, 1, 2, 3, 0]
    special, states = plain(tiny("bert"), "the unhappily")
    np.testing.assert_allclose(found.data[:4], np.concatenate([s[~special] for s in states], axis=1), rtol=1e-4, atol=1e-5)


def test_the_joint_space_of_clip(tiny: Tiny) -> None:
    import torch
    from transformers import CLIPModel

    found = embed_text(texts(*TEXTS), tiny("clip"), pooling="projected", batch_size=2)
    net, tokenizer = CLIPModel.from_pretrained(tiny("clip")).eval(), load_model(tiny("clip")).tokenizer
    for row, text in enumerate(TEXTS):
        with torch.no_grad():
            expected = net.text_projection(net.text_model(**tokenizer(text, return_tensors="pt")).pooler_output)[0].numpy()
        np.testing.assert_allclose(found.data[row], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, None])
@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_batches_make_no_difference(tiny: Tiny, kind: str, batch_size: int | None) -> None:
    items = texts("a", *TEXTS, "the cat " * 8)
    whole = embed_text(items, tiny(kind), batch_size=5)
    np.testing.assert_allclose(embed_text(items, tiny(kind), batch_size=batch_size).data, whole.data, atol=1e-5)


LONG = "the cat sat on the mat and nobody saw it " * 8


def test_a_long_text_is_read_in_windows_with_context(tiny: Tiny) -> None:
    """Each token is what a plain call over its own window gives."""
    found = embed_text(texts(LONG), tiny("gpt2"), pooling="none", layers=-1, window=30, context=12)
    ids = load_model(tiny("gpt2")).tokenizer(LONG, return_tensors="pt")["input_ids"]
    assert len(found) == ids.shape[1] > 64
    starts = [0, *range(30 - 12, ids.shape[1], 18)]
    for k, start in enumerate(starts):
        first = 0 if k == 0 else start + 12
        if first >= ids.shape[1]:
            break
        state = hidden_states(tiny("gpt2"), input_ids=ids[:, start : start + 30])[-1][0]
        np.testing.assert_allclose(found.data[first : start + 30], state[first - start :], rtol=1e-4, atol=1e-5)


def test_the_mean_of_a_long_text_is_that_of_its_tokens(tiny: Tiny) -> None:
    options: dict[str, Any] = {"window": 30, "context": 12, "batch_size": 2}
    tokens = embed_text(texts(LONG), tiny("gpt2"), pooling="none", **options)
    for pooling, expected in (("mean", np.mean(tokens.data, axis=0)), ("last", tokens.data[-1])):
        np.testing.assert_allclose(embed_text(texts(LONG), tiny("gpt2"), pooling=pooling, **options).data[0], expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean_all", "projected"])
def test_what_stands_for_one_window_needs_a_text_that_fits(tiny: Tiny, pooling: str) -> None:
    with pytest.raises(DataError, match=r"'text1' has \d+ tokens, \d+ fit"):
        embed_text(texts("the cat", LONG), tiny("clip" if pooling == "projected" else "bert"), pooling=pooling)


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_empty_texts_are_refused(tiny: Tiny, text: str) -> None:
    with pytest.raises(DataError, match="text1: the text is empty"):
        embed_text(texts("the cat", text), tiny("gpt2"))


@pytest.mark.parametrize(("kind", "ahead"), [("gpt2", False), ("clip", False), ("bert", True), ("t5", True)])
def test_whether_a_model_looks_ahead_is_tried(tiny: Tiny, kind: str, ahead: bool) -> None:
    assert sees_ahead(text_network(load_model(tiny(kind)))) is ahead


@pytest.mark.parametrize(("kind", "most"), [("gpt2", 64), ("bert", 40), ("clip", 40), ("t5", 1024)])
def test_how_much_a_model_reads_at_once(tiny: Tiny, kind: str, most: int) -> None:
    model = load_model(tiny(kind))
    assert most_tokens(model, text_network(model)) == most


def test_roberta_counts_positions_from_behind_padding(tmp_path: Path) -> None:
    from tiny_models import TEXT, piece_tokenizer
    from transformers import RobertaConfig, RobertaModel

    RobertaModel(RobertaConfig(**{**TEXT, "pad_token_id": 1})).save_pretrained(tmp_path)
    tokenizer = piece_tokenizer()
    tokenizer.model_max_length = 10**9
    tokenizer.save_pretrained(tmp_path)
    model = load_model(tmp_path)
    assert most_tokens(model, model.net) == 38
    assert embed_text(texts("a " * 36), tmp_path).n_samples == 1


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("gpt2", {"pooling": "max"}, "pooling='max'"),
        ("gpt2", {"window": 65}, "window=65"),
        ("bert", {"window": 2}, "window=2 tokens, expected 3 to 40"),
        ("gpt2", {"context": -1}, "context"),
        ("gpt2", {"context": 2.5}, "context"),
        ("gpt2", {"context": 70}, "window has 64"),
        ("gpt2", {"layers": 9}, "no layer 9"),
        ("vit", {}, "tokenizer"),
    ],
)
def test_wrong_arguments(tiny: Tiny, kind: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(NeurodecodeError, match=message):
        embed_text(texts(LONG), tiny(kind), **options)


def test_only_texts(tiny: Tiny) -> None:
    with pytest.raises(DataError, match="kind 'image'"):
        embed_text(pictures(1), tiny("gpt2"))


def test_the_cache(tiny: Tiny, tmp_path: Path) -> None:
    first, again = (embed_text(texts(*TEXTS), tiny("gpt2"), cache=tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.data, again.data)
    embed_text(texts(*TEXTS), tiny("gpt2"), cache=tmp_path, context=3)
    assert len(list(tmp_path.glob("embed_text-*"))) == 2
