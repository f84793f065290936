"""Speech as targets of a decoder: embeddings and mel spectrograms at the rate of the brain, each block heard by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Stimuli
from neurodecode.data.responses import Responses
from neurodecode.data.speech_splits import check_context
from neurodecode.data.validate import check_columns, check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.features.audio import embed_audio, resample
from neurodecode.features.cache import embedded, stimulus_hash
from neurodecode.features.mel import mel_power
from neurodecode.features.models import Model, load_model
from neurodecode.features.units import Block, Site

RATE = 120.0  # Hz
_COLUMNS = ["stimulus", "block", "onset", "offset"]


@dataclass(frozen=True)
class SpeechPreset:
    """A published choice of network and layers.

    Parameters
    ----------
    model : str
        Id on the Hugging Face hub.
    layers : tuple of int
        Hidden states that are averaged: 0 is the input of the first block, n the output of block n; negative ones count from
        the last.
    licence : str
        Of the weights.
    source : str
        Where the choice was published.
    """

    model: str
    layers: tuple[int, ...]
    licence: str
    source: str


_XLSR = ("facebook/wav2vec2-large-xlsr-53", "Apache-2.0")
SPEECH_PRESETS = {
    "code": SpeechPreset(_XLSR[0], (14, 15, 16, 17, 18), _XLSR[1], "code of Défossez et al. (2023)"),
    "paper": SpeechPreset(_XLSR[0], (-4, -3, -2, -1), _XLSR[1], "text of Défossez et al. (2023): the last four blocks"),
    "benchmark": SpeechPreset(_XLSR[0], (21, 22, 23, 24), _XLSR[1], "a later benchmark of the same laboratory"),
}


def speech_embedding(
    audio: Stimuli,
    blocks: pd.DataFrame,
    *,
    preset: str = "code",
    model: str | Path | Model | None = None,
    layers: Sequence[int] | None = None,
    sfreq: float = RATE,
    per_block: bool = True,
    cache: str | Path | None = None,
    stored_as: str = "float32",
    **loading: Any,
) -> Responses:
    """Embed speech by wav2vec 2.0: the mean over some layers, at the rate of the brain.

    The network hears each block by itself. It attends to all that it hears, so that a pass over whole audios would write test
    speech into the targets of training. Frames (50 Hz) are brought to `sfreq` by the nearest one before, as
    ``torch.nn.functional.interpolate`` does. ``"paper"`` and ``"benchmark"`` are the same layers of a network of 24 blocks.

    Parameters
    ----------
    audio : Stimuli
        Audios by the ids that ``stimulus`` of the blocks names.
    blocks : DataFrame
        ``stimulus, block, onset, offset`` (s in the audio), from `speech_blocks` or `split_blocks`.
    preset : {"code", "paper", "benchmark"}
        Network and layers, see `SPEECH_PRESETS`.
    model : str, Path or Model, optional
        Another network: a folder, a hub id, or what `load_model` returned. Nothing is downloaded without ``download=True``.
    layers : sequence of int, optional
        Other layers.
    sfreq : float
        Frames per second, Hz.
    per_block : bool
        False embeds whole audios, which is refused where an audio holds blocks of several splits.
    cache : str or Path, optional
        Folder in which the embedding is kept; a second call opens it there.
    stored_as : {"float32", "float16"}
        Type in the cache. An hour of speech takes 1.77 GB, or 0.88 GB.
    **loading
        ``revision, download, device, dtype`` of `load_model`.

    Returns
    -------
    Responses
        One row per frame, block after block: ``audio, block, onset`` (s in the audio) and ``context_onset, context_offset``, the
        stretch of the audio that the frame depends on. Not standardised: `preprocess.meeg.speech_segments` does that.

    Raises
    ------
    DataError
        If a block does not lie in its audio, or a layer does not exist.
    SplitLeakError
        If a frame depends on audio of another split.
    FormatError
        If the network is not on this machine.

    References
    ----------
    Baevski et al. (2020), NeurIPS 33. Conneau et al. (2021), Interspeech (XLSR-53). Défossez et al. (2023), Nature Machine
    Intelligence 5:1097.
    """
    chosen = SPEECH_PRESETS[check_option("preset", preset, list(SPEECH_PRESETS))]
    rate = check_positive("sfreq", sfreq)
    picked = list(chosen.layers if layers is None else layers)
    opened = load_model(chosen.model if model is None else model, **loading)
    settings = {"layers": picked, "sfreq": rate, "per_block": per_block}
    make = partial(_embedded_blocks, audio, opened, picked, rate)
    where = {"model": opened.identity, "cache": cache, "stored_as": stored_as}
    return _features("speech_embedding", audio, blocks, per_block, settings, make, **where)


def speech_mel(
    audio: Stimuli,
    blocks: pd.DataFrame,
    *,
    n_mels: int = 120,
    n_fft: int = 512,
    hop: int = 128,
    rate: float = 16000.0,
    offset: float = 1e-5,
    sfreq: float = RATE,
    cache: str | Path | None = None,
    stored_as: str = "float32",
) -> Responses:
    r"""Compute the mel spectrogram of speech at the rate of the brain: :math:`\log_{10}(\mathrm{mel} + 10^{-5})`.

    Power of centred Hann windows that were divided by their norm, summed by triangles equally wide on the mel scale
    (:math:`2595 \log_{10}(1 + f / 700)`), 125 frames per second, brought to `sfreq` by the nearest frame before.

    Parameters
    ----------
    audio : Stimuli
        Audios by the ids that ``stimulus`` of the blocks names.
    blocks : DataFrame
        ``stimulus, block, onset, offset`` (s in the audio).
    n_mels : int
        Bands from 0 Hz to half of `rate`; the lowest, narrower than a frequency of the transform, may hold none and are constant.
    n_fft, hop : int
        Length of a window, and samples from one to the next.
    rate : float
        Rate in Hz to which audios are brought first.
    offset : float
        Added before the logarithm.
    sfreq : float
        Frames per second, Hz.
    cache : str or Path, optional
        Folder in which the spectrogram is kept.
    stored_as : {"float32", "float16"}
        Type in the cache.

    Returns
    -------
    Responses
        As from `speech_embedding`, one unit per band.

    Raises
    ------
    DataError
        If a block does not lie in its audio, or a number is out of range.
    """
    for name, value in {"n_mels": n_mels, "n_fft": n_fft, "hop": hop, "rate": rate, "offset": offset, "sfreq": sfreq}.items():
        check_positive(name, value)
    settings = {"n_mels": n_mels, "n_fft": n_fft, "hop": hop, "rate": rate, "offset": offset, "sfreq": sfreq}
    make = partial(_mel_blocks, audio, settings)
    return _features("speech_mel", audio, blocks, True, settings, make, cache=cache, stored_as=stored_as)


def _features(
    function: str, audio: Stimuli, blocks: pd.DataFrame, per_block: bool, settings: dict[str, Any], make: Any, **where: Any
) -> Responses:
    """Frames of all blocks, or opened from the cache, once no frame can leak."""
    _check(audio, blocks)
    pieces = _pieces(audio, blocks, per_block)
    if "split" in blocks:
        check_context(pieces.rename(columns={"stimulus": "audio"}), blocks)
    used = audio.select(list(dict.fromkeys(blocks["stimulus"])))
    known = {**settings, "blocks": pieces.astype({"block": str}).to_dict("list")}
    made = embedded(function, known, partial(stimulus_hash, used), partial(make, pieces), **where)
    step = {**made.meta["steps"][-1], "blocks": len(blocks)}  # each of them is in the samples
    return made.replace(meta={**made.meta, "steps": [*made.meta["steps"][:-1], step]})


def _check(audio: Stimuli, blocks: pd.DataFrame) -> None:
    if audio.kind != "audio":
        raise DataError(f"features of speech need stimuli of kind 'audio', got kind {audio.kind!r}")
    check_columns(blocks, _COLUMNS, "blocks")
    if not len(blocks) or blocks["block"].duplicated().any():
        twice = blocks["block"][blocks["block"].duplicated()].tolist()[:1]
        raise DataError(f"blocks must be at least one, each with a name of its own, got {len(blocks)} ({twice} occurs twice)")


def _pieces(audio: Stimuli, blocks: pd.DataFrame, per_block: bool) -> pd.DataFrame:
    """Blocks with the stretch of audio that is heard for each."""
    pieces = blocks[_COLUMNS].reset_index(drop=True)
    pieces = pieces.assign(stimulus=pieces["stimulus"].astype(str))
    if per_block:
        return pieces.assign(context_onset=pieces["onset"], context_offset=pieces["offset"])
    lengths = {name: _length(audio[name]) for name in pieces["stimulus"].unique()}
    return pieces.assign(context_onset=0.0, context_offset=pieces["stimulus"].map(lengths))


def _length(sound: tuple[NDArray[np.float32], float]) -> float:
    return len(sound[0]) / sound[1]


def _heard(audio: Stimuli, piece: Any) -> tuple[NDArray[np.float32], float]:
    """What is heard for a block: samples and rate."""
    samples, rate = audio[piece.stimulus]
    first, last = round(piece.context_onset * rate), round(piece.context_offset * rate)
    if not 0 <= first < last or last > len(samples) + 0.05 * rate:  # words may end a little behind the audio
        length = _length((samples, rate))
        raise DataError(
            f"block {piece.block!r} lasts from {piece.onset:g} to {piece.offset:g} s, the audio {piece.stimulus!r} has "
            f"{length:g} s: give times within the audio"
        )
    return samples[first:last], rate


def nearest_frames(values: NDArray[Any], n: int) -> NDArray[Any]:
    """Bring frames to another number by repeating or leaving out: row j is frame ``floor(j * n_frames / n)``.

    Parameters
    ----------
    values : array of shape (n_frames, n_features)
        Frames.
    n : int
        Frames wanted.

    Returns
    -------
    array of shape (n, n_features)
        A copy.
    """
    return values[np.arange(n) * len(values) // n]


def _block(piece: Any, values: NDArray[np.float32], heard: float, sfreq: float, site: Site) -> Block:
    """The frames of a block out of those of what was heard for it."""
    frames = nearest_frames(values, max(1, round(heard * sfreq)))
    first = round((piece.onset - piece.context_onset) * sfreq)
    n = max(1, round((piece.offset - piece.onset) * sfreq))
    kept = frames[first : first + n]
    table = {"audio": piece.stimulus, "block": piece.block, "onset": piece.onset + np.arange(len(kept)) / sfreq}
    context = {"context_onset": piece.context_onset, "context_offset": piece.context_offset}
    return Block({site: np.ascontiguousarray(kept, np.float32)}, pd.DataFrame({**table, **context}))


def _embedded_blocks(audio: Stimuli, model: Model, layers: list[int], sfreq: float, pieces: pd.DataFrame) -> Iterator[Block]:
    last: tuple[Any, NDArray[np.float32]] | None = None
    for piece in pieces.itertuples(index=False):
        key = (piece.stimulus, piece.context_onset, piece.context_offset)
        samples, rate = _heard(audio, piece)
        if last is None or last[0] != key:  # a whole audio is heard once for all its blocks
            one = Stimuli([str(piece.block)], [(samples, rate)], "audio")
            states = embed_audio(one, model, layers=layers, chunk_s=len(samples) / rate + 1.0, context_s=(0.0, 0.0))
            values = np.asarray(states.data).reshape(len(states), len(layers), -1)
            last = key, values.mean(axis=1, dtype=np.float64).astype(np.float32)
        yield _block(piece, last[1], len(samples) / rate, sfreq, Site("hidden_mean", 0))


def _mel_blocks(audio: Stimuli, settings: dict[str, Any], pieces: pd.DataFrame) -> Iterator[Block]:
    for piece in pieces.itertuples(index=False):
        samples, given = _heard(audio, piece)
        sound = resample(samples, given, settings["rate"])
        power = mel_power(sound, settings["rate"], int(settings["n_mels"]), int(settings["n_fft"]), int(settings["hop"]))
        values = np.log10(power + settings["offset"]).astype(np.float32)
        yield _block(piece, values, len(samples) / given, settings["sfreq"], Site("mel", 0))
