"""Sounds as responses of a speech network, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Stimuli
from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.features.cache import embedded, stimulus_hash
from neurodecode.features.models import Model, load_model, run_batches
from neurodecode.features.pooling import to_numpy
from neurodecode.features.units import Block, Layers, Site, as_settings_layers, choose_layers, mean_row

POOLINGS = ("none", "mean")
_MAX_DENOMINATOR = 10_000  # of the ratio of two rates


class Chunk(NamedTuple):
    """A stretch of a sound that a network hears at once, and the frames that are taken from it."""

    start: int
    """First sample heard."""
    stop: int
    """Behind the last sample heard."""
    first: int
    """First frame taken, counted from the begin of the sound."""
    last: int
    """Behind the last frame taken."""


class Frames(NamedTuple):
    """How a network cuts a sound into frames."""

    hop: int
    """Samples from one frame to the next."""
    width: int
    """Samples that the convolutions of one frame see."""
    rate: float
    """Samples per second."""

    def count(self, n_samples: int) -> int:
        """Number of whole frames in so many samples."""
        return max(0, (n_samples - self.width) // self.hop + 1)


def embed_audio(
    stimuli: Stimuli,
    model: str | Path | Model,
    *,
    layers: Layers = "all",
    pooling: str = "none",
    chunk_s: float = 20.0,
    context_s: tuple[float, float] = (4.0, 4.0),
    batch_size: int = 4,
    cache: str | Path | None = None,
    stored_as: str = "float32",
    **loading: Any,
) -> Responses:
    """Embed sounds by a speech network: wav2vec 2.0, HuBERT, WavLM and their kin, or the encoder of Whisper.

    Channels are averaged and the sound is resampled to the rate of the model. A sound longer than a chunk with its context is
    heard in chunks, each with some sound before and behind it. These networks hear what follows a frame, up to the end of the
    context behind: for features that do not, take short chunks with ``context_s=(4, 0)``. The convolutions of wav2vec 2.0 base
    normalise over what is heard at once, the loudness is normalised over the whole sound, and Whisper counts its positions from
    the begin of each chunk, so that chunks are not quite what the whole sound would give.

    Parameters
    ----------
    stimuli : Stimuli
        Of kind audio.
    model : str, Path or Model
        Folder, hub id, or what `load_model` returned.
    layers : "all", int or sequence of int
        0 is the input of the first block, n the output of block n, as in ``hidden_states`` of transformers; negative numbers
        count from the last.
    pooling : {"none", "mean"}
        One row per frame, or one per sound.
    chunk_s : float
        New sound per chunk, in s.
    context_s : (float, float)
        Sound before and behind each chunk that is heard too, in s.
    batch_size : int
        Chunks at a time; only chunks of one length are put together. Halved when the device runs out of memory.
    cache : str or Path, optional
        Folder in which the embedding is kept; a second call opens it there.
    stored_as : {"float32", "float16"}
        Type in the cache.
    **loading
        ``revision, download, device, dtype`` of `load_model`.

    Returns
    -------
    Responses
        For frames, samples with ``stimulus, frame, onset, offset`` (s from the begin of the sound: what the convolutions of the
        frame see); else ``stimulus, n_frames``. Units with layer, index and site.

    Raises
    ------
    DataError
        If these are no sounds, one is shorter than a frame, or the model is of another kind.
    FormatError
        If the model is not on this machine; nothing is downloaded without ``download=True``.
    CorruptFileError
        If its folder is damaged.
    """
    if stimuli.kind != "audio":
        raise DataError(f"embed_audio needs stimuli of kind 'audio', got kind {stimuli.kind!r}")
    check_option("pooling", pooling, POOLINGS)
    spans = _check_spans(chunk_s, context_s)
    opened = load_model(model, **loading)
    settings = {"layers": as_settings_layers(layers), "pooling": pooling, "chunk_s": spans[1], "context_s": [spans[0], spans[2]]}
    return embedded(
        "embed_audio",
        settings,
        partial(stimulus_hash, stimuli),
        lambda: _blocks(stimuli, opened, layers, pooling, spans, batch_size),
        model=opened.identity,
        cache=cache,
        stored_as=stored_as,
    )


def _check_spans(chunk_s: float, context_s: Sequence[float]) -> tuple[float, float, float]:
    """Seconds before, of and behind a chunk."""
    context = np.asarray(context_s, float)
    if context.shape != (2,) or not np.isfinite(context).all() or (context < 0).any():
        raise DataError(f"context_s must be two times in s of at least 0, before and behind a chunk, got {context_s!r}")
    return float(context[0]), check_positive("chunk_s", chunk_s), float(context[1])


def _blocks(
    stimuli: Stimuli, model: Model, layers: Layers, pooling: str, spans: tuple[float, float, float], batch_size: int
) -> Iterator[Block]:
    network = _Whisper(model) if model.config.model_type == "whisper" else _Waveform(model)
    frames = network.frames
    for i, name in enumerate(stimuli.ids):
        samples, rate = stimuli[i]
        sound = resample(samples, rate, frames.rate)
        if not network.count(len(sound)):
            raise DataError(f"{name!r} has {len(sound)} samples at {frames.rate:g} Hz, a frame of {model!r} needs {frames.width}")
        chunks = plan_chunks(network.count(len(sound)), len(sound), frames, spans, network.longest)
        values = _heard(network, sound, chunks, layers, batch_size)
        if pooling == "mean":
            means, n = mean_row(values)
            yield Block(means, pd.DataFrame({"stimulus": [name], "n_frames": [n]}))
            continue
        for chunk, part in zip(chunks, values, strict=True):
            yield Block(part, _frame_rows(name, np.arange(chunk.first, chunk.last), frames))


def _heard(network: Any, sound: NDArray[np.float32], chunks: list[Chunk], layers: Layers, batch_size: int) -> Iterator[Any]:
    """Responses to each chunk in order; chunks of one length go together."""
    prepared = network.prepare(sound)
    lengths = np.array([c.stop - c.start for c in chunks])
    edges = [0, *(np.flatnonzero(np.diff(lengths)) + 1).tolist(), len(chunks)]
    for a, b in pairwise(edges):

        def run(batch: list[Chunk]) -> list[dict[Site, NDArray[np.float32]]]:
            states = network.states([prepared[c.start : c.stop] for c in batch])
            chosen = choose_layers(layers, len(states))
            cuts = [slice(c.first - c.start // network.frames.hop, c.last - c.start // network.frames.hop) for c in batch]
            return [{Site("hidden", k): to_numpy(states[k][i, cut]) for k in chosen} for i, cut in enumerate(cuts)]

        for parts in run_batches(chunks[a:b], run, batch_size, "chunk"):
            yield from parts


def _frame_rows(name: str, frame: NDArray[np.int64], frames: Frames) -> pd.DataFrame:
    onset = frame * frames.hop / frames.rate
    return pd.DataFrame({"stimulus": name, "frame": frame, "onset": onset, "offset": onset + frames.width / frames.rate})


def plan_chunks(
    n_frames: int, n_samples: int, frames: Frames, spans: tuple[float, float, float], longest: int | None = None
) -> list[Chunk]:
    """Cut a sound into chunks whose edges lie on frames.

    Parameters
    ----------
    n_frames : int
        Frames of the whole sound.
    n_samples : int
        Its samples.
    frames : Frames
        How the network cuts it.
    spans : (float, float, float)
        Seconds before, of and behind a chunk.
    longest : int, optional
        Most samples that can be heard at once.

    Returns
    -------
    list of Chunk
        One, of the whole sound, where it is no longer than one chunk with its context.

    Raises
    ------
    DataError
        If a chunk with its context is longer than can be heard at once.
    """
    before, new, behind = (round(s * frames.rate / frames.hop) for s in spans)
    total = (before + max(new, 1) + behind) * frames.hop + frames.width - frames.hop
    if longest is not None and total > longest:
        raise DataError(
            f"chunk_s + context_s are {total / frames.rate:g} s, this model hears at most {longest / frames.rate:g} s at once: "
            "choose less"
        )
    if n_samples <= total:
        return [Chunk(0, n_samples, 0, n_frames)]
    chunks = []
    for first in range(0, n_frames, max(new, 1)):
        last = min(first + max(new, 1), n_frames)
        start, stop = max(0, first - before) * frames.hop, min(n_samples, (last + behind - 1) * frames.hop + frames.width)
        chunks.append(Chunk(start, stop, first, last))
    return chunks


def resample(samples: NDArray[np.float32], rate: float, target: float) -> NDArray[np.float32]:
    """Average the channels of a sound and bring it to another rate.

    Parameters
    ----------
    samples : array of shape (n_samples,) or (n_samples, n_channels)
        The sound.
    rate, target : float
        Its rate and the one wanted, in Hz.

    Returns
    -------
    array of shape (round up of n_samples * target / rate,)
        Filtered against aliasing by a linear-phase filter (`scipy.signal.resample_poly`).

    Raises
    ------
    DataError
        If a sample is not finite.
    """
    mono = samples.mean(1, dtype=np.float32) if samples.ndim == 2 else samples
    if not np.isfinite(mono).all():
        raise DataError(f"a sound holds {int((~np.isfinite(mono)).sum())} samples that are NaN or infinite, of {len(mono)}")
    ratio = Fraction(target / rate).limit_denominator(_MAX_DENOMINATOR)
    if ratio == 1:
        return np.asarray(mono, np.float32)
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(mono.astype(np.float64), ratio.numerator, ratio.denominator), np.float32)


class _Waveform:
    """Networks that hear the waveform through convolutions."""

    longest: int | None = None

    def __init__(self, model: Model) -> None:
        kernels, strides = (getattr(model.config, name, None) for name in ("conv_kernel", "conv_stride"))
        if kernels is None or strides is None or model.net.main_input_name != "input_values":
            raise DataError(
                f"{model!r} is of type {model.config.model_type!r}, expected one that hears waveforms through convolutions "
                "(wav2vec2, hubert, wavlm, unispeech, data2vec-audio) or whisper"
            )
        self._model = model
        hops = np.cumprod([1, *strides])
        width = 1 + int(sum((k - 1) * h for k, h in zip(kernels, hops[:-1], strict=True)))
        self.frames = Frames(int(hops[-1]), width, float(model.feature_extractor.sampling_rate))

    def count(self, n_samples: int) -> int:
        """Frames of a sound."""
        return self.frames.count(n_samples)

    def prepare(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """The whole sound in the loudness that the model expects."""
        made = self._model.feature_extractor(sound, sampling_rate=int(self.frames.rate), return_tensors="np")
        return np.asarray(made["input_values"][0], np.float32)

    def states(self, sounds: list[NDArray[np.float32]]) -> Any:
        """Hidden states of sounds of one length."""
        import torch

        net = self._model.net
        batch = torch.from_numpy(np.stack(sounds)).to(device=self._model.device, dtype=next(net.parameters()).dtype)
        states = net(batch, output_hidden_states=True).hidden_states
        if states[0].shape[1] != self.count(batch.shape[1]):
            expected = self.count(batch.shape[1])
            raise DataError(
                f"{self._model!r} gives {states[0].shape[1]} frames for {batch.shape[1]} samples, expected {expected}"
            )
        return states


class _Whisper:
    """The encoder of Whisper, which hears 30 s at once, filled up with silence."""

    def __init__(self, model: Model) -> None:
        extractor = model.feature_extractor
        self._model, self.longest = model, int(extractor.n_samples)
        self.frames = Frames(2 * extractor.hop_length, 2 * extractor.hop_length, float(extractor.sampling_rate))

    def count(self, n_samples: int) -> int:
        """Frames that lie in the sound and not in the silence behind it."""
        return -(-n_samples // self.frames.hop)

    def prepare(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Each chunk is scaled on its own, by its loudest part, as the model was trained."""
        return sound

    def states(self, sounds: list[NDArray[np.float32]]) -> Any:
        """Hidden states of the encoder."""
        made = self._model.feature_extractor(sounds, sampling_rate=int(self.frames.rate), return_tensors="pt")
        encoder = self._model.net.get_encoder()
        features = made["input_features"].to(device=self._model.device, dtype=next(encoder.parameters()).dtype)
        return encoder(features, output_hidden_states=True).hidden_states
