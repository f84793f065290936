"""Whole texts as responses of a language model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Stimuli
from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.features.cache import embedded, stimulus_hash
from neurodecode.features.language import Reading, padded, read_windows, text_network, window_capacity
from neurodecode.features.models import Model, load_model, run_batches
from neurodecode.features.pooling import projected, to_numpy
from neurodecode.features.tokens import Tokens, context_start, plan_windows, tokenise
from neurodecode.features.units import Block, Layers, Site, as_settings_layers, choose_layers

POOLINGS = ("mean", "mean_all", "last", "cls", "none", "projected")
_IN_ONE = ("mean_all", "cls", "projected")  # special tokens stand for one window, not for a longer text


def embed_text(
    stimuli: Stimuli,
    model: str | Path | Model,
    *,
    layers: Layers = "all",
    pooling: str = "mean",
    window: int | None = None,
    context: int | None = None,
    batch_size: int | None = None,
    cache: str | Path | None = None,
    stored_as: str = "float32",
    **loading: Any,
) -> Responses:
    """Embed texts by any causal or encoder language model of `transformers`, one row per text or per token.

    A text longer than the window is read in overlapping windows: each token is taken from a window in which at least `context`
    tokens come before it. Causal models never see what follows a token; encoders see the rest of their window.

    Parameters
    ----------
    stimuli : Stimuli
        Of kind text; none may be empty.
    model : str, Path or Model
        Folder, hub id, or what `load_model` returned, with a fast tokenizer.
    layers : "all", int or sequence of int
        0 is the input of the first block, n the output of block n, as in ``hidden_states`` of transformers; negative numbers
        count from the last.
    pooling : {"mean", "mean_all", "last", "cls", "none", "projected"}
        ``mean`` over the tokens of the text; ``mean_all`` also over the special tokens around it, as sentence embeddings do;
        its ``last`` token; the special token before it (``cls``); one row per token (``none``); the embedding that CLIP and
        the like compare with images (``projected``).
    window : int, optional
        Tokens read at once, special ones included; by default what the model can read, up to 1024.
    context : int, optional
        Tokens before each token where the text allows; by default half the window.
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
        Samples with ``stimulus, n_tokens``, or for ``none`` with ``stimulus, token, text_start, text_stop`` (letters of the
        text). Units with layer, index and site.

    Raises
    ------
    DataError
        If these are no texts, one is empty, or one is too long for its pooling.
    FormatError
        If the model is not on this machine; nothing is downloaded without ``download=True``.
    CorruptFileError
        If its folder is damaged.
    """
    if stimuli.kind != "text":
        raise DataError(f"embed_text needs stimuli of kind 'text', got kind {stimuli.kind!r}")
    check_option("pooling", pooling, POOLINGS)
    opened = load_model(model, **loading)
    return embedded(
        "embed_text",
        {"layers": as_settings_layers(layers), "pooling": pooling, "window": window, "context": context},
        partial(stimulus_hash, stimuli),
        lambda: _blocks(stimuli, opened, layers, pooling, window, context, batch_size),
        model=opened.identity,
        cache=cache,
        stored_as=stored_as,
    )


def _blocks(
    stimuli: Stimuli, model: Model, layers: Layers, pooling: str, window: int | None, context: int | None, batch_size: int | None
) -> Iterator[Block]:
    texts = [tokenise(model.tokenizer, text, name) for name, text in zip(stimuli.ids, stimuli, strict=True)]
    readings = [r for i, tokens in enumerate(texts) for r in _readings(i, tokens, model, window, context)]
    if pooling in _IN_ONE:
        _check_in_one(readings, stimuli.ids, pooling)
    if pooling == "projected":
        yield from _projected(readings, stimuli.ids, model, batch_size or 32)
        return
    total: dict[Site, Any] = {}
    for reading, values in _pooled(readings, model, layers, pooling, batch_size):
        name, tokens = stimuli.ids[reading.text], reading.tokens
        if pooling == "none":
            yield Block(values, _token_rows(name, reading))
            continue
        total = {site: total.get(site, 0) + value for site, value in values.items()}
        if reading.window.last_row == len(tokens.ids):
            yield Block(total, pd.DataFrame({"stimulus": [name], "n_tokens": [len(tokens.ids)]}))
            total = {}


def _readings(text: int, tokens: Tokens, model: Model, window: int | None, context: int | None) -> list[Reading]:
    """Windows of one text: each token is a row."""
    capacity = window_capacity(model, text_network(model), tokens, window)
    rows = np.arange(len(tokens.ids))[:, None] + np.array([0, 1])
    before = check_context(capacity // 2 if context is None else context)
    return [Reading(tokens, w, text) for w in plan_windows(rows, context_start(rows, before, "tokens"), capacity)]


def check_context(context: Any) -> int:
    """Return a number of tokens or words of context if it is a whole number of at least 0.

    Parameters
    ----------
    context : int
        What was asked for.

    Returns
    -------
    int
        The same.

    Raises
    ------
    DataError
        If it is not such a number.
    """
    if isinstance(context, bool) or not isinstance(context, int | np.integer) or context < 0:
        raise DataError(f"context must be a whole number of at least 0, got {context!r}")
    return int(context)


def _check_in_one(readings: list[Reading], names: list[str] | Any, pooling: str) -> None:
    longer = [r for r in readings if r.window.last_row < len(r.tokens.ids)]
    if longer:
        n, fits = len(longer[0].tokens.ids), longer[0].window.stop
        raise DataError(
            f"text {names[longer[0].text]!r} has {n} tokens, {fits} fit into a window: pooling={pooling!r} needs texts that fit; "
            "use 'mean' or 'last', or cut the text"
        )


def _pooled(
    readings: list[Reading], model: Model, layers: Layers, pooling: str, batch_size: int | None
) -> Iterator[tuple[Reading, dict[Site, Any]]]:
    """Share of each window in its text: weighted sums of hidden states."""
    net = text_network(model)
    for reading, (output, i) in read_windows(net, readings, batch_size, output_hidden_states=True):
        states = output["hidden_states"]
        weights = _weights(reading, pooling)
        chosen = choose_layers(layers, len(states))
        yield reading, {Site("hidden", k): weigh(weights, states[k][i, : weights.shape[1]]) for k in chosen}


def weigh(weights: Any, states: Any) -> Any:
    """Multiply weights of tokens with hidden states.

    Parameters
    ----------
    weights : array of shape (n_rows, n_tokens)
        Weight of each token in each row.
    states : tensor of shape (n_tokens, d)
        Hidden states.

    Returns
    -------
    array of shape (n_rows, d)
        As float32.
    """
    import torch

    return to_numpy(torch.from_numpy(weights).to(states.device) @ states.float())


def _weights(reading: Reading, pooling: str) -> Any:
    """Weight of each token of a window, special ones included, in the rows it gives."""
    before, n = len(reading.tokens.prefix), len(reading.tokens.ids)
    window, length = reading.window, len(reading.ids)
    new = np.arange(window.first_row, window.last_row) - window.start + before
    weights = np.zeros((len(new) if pooling == "none" else 1, length), np.float32)
    if pooling == "none":
        weights[np.arange(len(new)), new] = 1
    elif pooling == "mean":
        weights[0, new] = 1 / n
    elif pooling == "mean_all":
        weights[0] = 1 / length
    elif pooling == "last":
        weights[0, new[-1]] = float(window.last_row == n)
    elif not before:
        raise DataError(
            f"this model puts no special token before a text (its tokens begin {reading.ids[:3]}): use 'mean' or 'last'"
        )
    else:
        weights[0, 0] = 1
    return weights


def _token_rows(name: str, reading: Reading) -> pd.DataFrame:
    rows = np.arange(reading.window.first_row, reading.window.last_row)
    start, stop = reading.tokens.spans[rows].T
    return pd.DataFrame({"stimulus": name, "token": rows, "text_start": start, "text_stop": stop})


def _projected(readings: list[Reading], names: Any, model: Model, batch_size: int) -> Iterator[Block]:
    def run(batch: list[Reading]) -> Block:
        inputs = padded([r.ids for r in batch], text_network(model))
        samples = {"stimulus": [names[r.text] for r in batch], "n_tokens": [len(r.tokens.ids) for r in batch]}
        return Block(projected(model, "get_text_features", **inputs), pd.DataFrame(samples))

    yield from run_batches(readings, run, batch_size, "text")
