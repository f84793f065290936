"""Language models read windows of tokens: how long a window may be, and what comes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from neurodecode.errors import DataError
from neurodecode.features.models import Model, run_batches
from neurodecode.features.tokens import Tokens, Window

LONGEST = 1024  # tokens at once unless more are asked for: models that could read a whole book would fill any memory
_BUDGET = 4096  # tokens in a batch


class Reading(NamedTuple):
    """What is read at once."""

    tokens: Tokens
    """The text it belongs to."""
    window: Window
    """The stretch of its tokens."""
    text: int
    """Number of the text."""

    @property
    def ids(self) -> list[int]:
        """Tokens that go into the network, special ones included."""
        body = self.tokens.ids[self.window.start : self.window.stop].tolist()
        return [*self.tokens.prefix, *body, *self.tokens.suffix]


def text_network(model: Model) -> Any:
    """Take the part of a network that reads text: the text tower of CLIP, the encoder of T5, or all of it.

    Parameters
    ----------
    model : Model
        An opened model.

    Returns
    -------
    torch.nn.Module
        Takes ``input_ids`` and ``attention_mask``.

    Raises
    ------
    DataError
        If the model reads no text.
    """
    net = model.net
    part = getattr(net, "text_model", None) or (net.get_encoder() if net.config.is_encoder_decoder else net)
    if part is net and net.main_input_name != "input_ids":
        raise DataError(f"{model!r} takes {net.main_input_name}, not text: give a language model")
    return part


def most_tokens(model: Model, net: Any) -> int:
    """Largest number of tokens, special ones included, that a model can read at once.

    Parameters
    ----------
    model : Model
        An opened model.
    net : torch.nn.Module
        Its network that reads text.

    Returns
    -------
    int
        From positions of the network and what its tokenizer says; `LONGEST` where neither does.
    """
    config = getattr(model.config, "text_config", model.config)
    limits = [getattr(config, "max_position_embeddings", None) or LONGEST, model.tokenizer.model_max_length]
    table = getattr(getattr(net, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    if table is not None and padding is not None:  # RoBERTa counts positions from behind that of padding
        limits.append(table.num_embeddings - padding - 1)
    return int(min(limits))


def sees_ahead(net: Any) -> bool:
    """Whether what comes later changes what a network says of earlier tokens; found by trying, not by its name.

    Parameters
    ----------
    net : torch.nn.Module
        Takes ``input_ids`` and ``attention_mask``.

    Returns
    -------
    bool
        False for causal models.
    """
    import torch

    n_words, device = net.get_input_embeddings().num_embeddings, next(net.parameters()).device
    first = torch.arange(6, device=device)[None] % n_words
    other = torch.cat([first[:, :3], first[:, 3:] + 1], dim=1) % n_words
    with torch.no_grad():
        a, b = (net(input_ids=ids, attention_mask=torch.ones_like(ids))[0][:, :3].float() for ids in (first, other))
    return bool((a - b).abs().max() > 1e-4 * a.abs().max())


def window_capacity(model: Model, net: Any, tokens: Tokens, window: int | None) -> int:
    """Tokens of the text itself that fit into one window.

    Parameters
    ----------
    model : Model
        A language model.
    net : torch.nn.Module
        Its network that reads text.
    tokens : Tokens
        A text, for its special tokens.
    window : int or None
        Tokens at once that were asked for, special ones included; None for the model's most, up to `LONGEST`.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    DataError
        If the model cannot read so many, or no token is left.
    """
    most = most_tokens(model, net)
    asked = min(most, LONGEST) if window is None else window
    room = asked - len(tokens.prefix) - len(tokens.suffix)
    if asked > most or room < 1:
        raise DataError(f"window={asked} tokens, expected {asked - room + 1} to {most}, the most that {model!r} reads at once")
    return room


def read_windows(net: Any, readings: Sequence[Reading], batch_size: int | None, **options: Any) -> Iterator[tuple[Reading, Any]]:
    """Run a network over windows, several at a time.

    Parameters
    ----------
    net : torch.nn.Module
        Takes ``input_ids`` and ``attention_mask``.
    readings : sequence of Reading
        What to read.
    batch_size : int or None
        Windows at a time; None for as many as make 4096 tokens.
    **options
        For the network, e.g. ``output_hidden_states=True``.

    Yields
    ------
    reading : Reading
        In their order.
    output : tuple of (mapping of tensors, int)
        What the network gave for the batch, and the row of it.
    """
    longest = max(len(r.ids) for r in readings)
    size = max(1, _BUDGET // longest) if batch_size is None else batch_size

    def run(batch: Sequence[Reading]) -> Any:
        return batch, net(**padded([r.ids for r in batch], net), **options)

    for batch, output in run_batches(readings, run, size, "window"):
        yield from ((reading, (output, i)) for i, reading in enumerate(batch))


def padded(batch: Sequence[Sequence[int]], net: Any) -> dict[str, Any]:
    """Fill rows of tokens up at their end to one length.

    Parameters
    ----------
    batch : sequence of sequence of int
        Tokens.
    net : torch.nn.Module
        For its device and its number for padding.

    Returns
    -------
    dict
        ``input_ids`` and ``attention_mask``, tensors of shape (n_rows, longest).
    """
    import torch

    fill = getattr(net.config, "pad_token_id", None) or 0
    ids = np.full((len(batch), max(map(len, batch))), fill, np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(batch):
        ids[i, : len(row)], mask[i, : len(row)] = row, 1
    device = next(net.parameters()).device
    return {"input_ids": torch.from_numpy(ids).to(device), "attention_mask": torch.from_numpy(mask).to(device)}
