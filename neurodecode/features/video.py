"""Videos as responses of a video network, clip by clip, or of a vision network, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
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
from neurodecode.features.image import Values, image_values, patch_size, to_pixels
from neurodecode.features.models import Model, load_model, run_batches
from neurodecode.features.pooling import pool_states
from neurodecode.features.units import Block, Layers, Site, as_settings_layers, mean_row

POOLINGS = ("mean", "cls", "projected", "time")


class Clip(NamedTuple):
    """Frames that a network sees at once."""

    frames: NDArray[np.int64]
    """Their numbers, shape (n_frames,)."""
    onset: float
    """Begin of the first frame, in s."""
    offset: float
    """End of the last frame, in s."""


def embed_video(
    stimuli: Stimuli,
    model: str | Path | Model,
    *,
    sfreq: float | Sequence[float] | None = None,
    layers: Layers = "all",
    pooling: str = "mean",
    every: int = 1,
    average: bool = False,
    batch_size: int | None = None,
    cache: str | Path | None = None,
    stored_as: str = "float32",
    **loading: Any,
) -> Responses:
    """Embed videos by a video network (VideoMAE and its kin), or frame by frame by any vision network (CLIP, DINOv2, ...).

    A video network sees clips of as many frames as it was trained with, one clip behind the other; frames at the end that do not
    fill a clip are left out, and a video shorter than one clip is stretched to it by repeating frames. Each clip is seen as a
    whole, so that its responses belong to its offset.

    Parameters
    ----------
    stimuli : Stimuli
        Of kind video.
    model : str, Path or Model
        Folder, hub id, or what `load_model` returned. Frames pass through its own image processor.
    sfreq : float or sequence of float, optional
        Frames per second of all videos or of each; by default the column ``sfreq`` of the table of stimuli.
    layers : "all", int or sequence of int
        0 is the input of the first block, n the output of block n, as in ``hidden_states`` of transformers; negative numbers
        count from the last.
    pooling : {"mean", "cls", "projected", "time"}
        As in `embed_images`; ``time``, for video networks, is the mean over the places of each moment (a pair of frames in
        VideoMAE), one row per moment.
    every : int
        Take each so-manieth frame.
    average : bool
        One row per video: the mean over its rows.
    batch_size : int, optional
        Clips (4) or frames (32) at a time; halved when the device runs out of memory.
    cache : str or Path, optional
        Folder in which the embedding is kept; a second call opens it there.
    stored_as : {"float32", "float16"}
        Type in the cache.
    **loading
        ``revision, download, device, dtype`` of `load_model`.

    Returns
    -------
    Responses
        Samples with ``stimulus, onset, offset`` (s from the begin of the video), one per frame, clip or moment, or with
        ``stimulus, n_averaged``. Units with layer, index and site.

    Raises
    ------
    DataError
        If these are no videos, their rate is not known, or the model has no such layer or pooling.
    FormatError
        If the model is not on this machine; nothing is downloaded without ``download=True``.
    CorruptFileError
        If its folder is damaged.
    """
    if stimuli.kind != "video":
        raise DataError(f"embed_video needs stimuli of kind 'video', got kind {stimuli.kind!r}")
    check_option("pooling", pooling, POOLINGS)
    if int(every) != every or every < 1:
        raise DataError(f"every must be a whole number of at least 1, got {every!r}")
    rates = _rates(stimuli, sfreq)
    opened = load_model(model, **loading)
    settings = {"layers": as_settings_layers(layers), "pooling": pooling, "every": every, "average": average, "sfreq": rates}
    return embedded(
        "embed_video",
        settings,
        partial(stimulus_hash, stimuli),
        lambda: _blocks(stimuli, rates, opened, layers, pooling, every, average, batch_size),
        model=opened.identity,
        cache=cache,
        stored_as=stored_as,
    )


def _rates(stimuli: Stimuli, sfreq: float | Sequence[float] | None) -> list[float]:
    """Frames per second of each video."""
    if sfreq is None and "sfreq" not in stimuli.table:
        raise DataError(
            f"the frame rate of these {len(stimuli)} videos is not known: give sfreq, or a column 'sfreq' in their table"
        )
    given = np.asarray(stimuli.table["sfreq"] if sfreq is None else sfreq)
    if given.ndim > 1 or given.size not in (1, len(stimuli)):
        raise DataError(f"sfreq must be one number or one for each of {len(stimuli)} videos, got shape {given.shape}")
    return [check_positive("sfreq", rate) for rate in np.broadcast_to(given.ravel(), (len(stimuli),)).tolist()]


def _blocks(
    stimuli: Stimuli,
    rates: Sequence[float],
    model: Model,
    layers: Layers,
    pooling: str,
    every: int,
    average: bool,
    batch_size: int | None,
) -> Iterator[Block]:
    n_frames = getattr(model.config, "num_frames", None)
    if n_frames is None and pooling == "time":
        raise DataError(f"pooling='time' needs a network that sees several frames at once, got {model!r}")
    size = batch_size or (32 if n_frames is None else 4)
    for i, (name, rate) in enumerate(zip(stimuli.ids, rates, strict=True)):
        video = stimuli[i]
        if not len(video):
            raise DataError(f"{name!r} has no frames (shape {video.shape})")
        clips = plan_clips(len(video), n_frames or 1, every, rate)
        found = run_batches(
            clips, partial(_seen, video, name, model, layers, pooling), size, "frame" if n_frames is None else "clip"
        )
        yield from [_averaged(name, found)] if average else found


def plan_clips(n_frames: int, per_clip: int, every: int, sfreq: float) -> list[Clip]:
    """Cut a video into clips that follow each other.

    Parameters
    ----------
    n_frames : int
        Frames of the video.
    per_clip : int
        Frames of a clip.
    every : int
        Take each so-manieth frame.
    sfreq : float
        Frames per second.

    Returns
    -------
    list of Clip
        At least one.
    """
    taken = np.arange(0, n_frames, every)
    if len(taken) < per_clip:
        spread = np.linspace(0, len(taken) - 1, per_clip).round().astype(np.int64)
        return [Clip(taken[spread], 0.0, n_frames / sfreq)]
    whole = taken[: len(taken) // per_clip * per_clip].reshape(-1, per_clip)
    return [Clip(frames, frames[0] / sfreq, min(frames[-1] + every, n_frames) / sfreq) for frames in whole]


def _seen(video: NDArray[np.uint8], name: str, model: Model, layers: Layers, pooling: str, clips: Sequence[Clip]) -> Block:
    """Responses to some clips of one video."""
    times = pd.DataFrame({"stimulus": name, "onset": [c.onset for c in clips], "offset": [c.offset for c in clips]})
    if getattr(model.config, "num_frames", None) is None:
        return Block(image_values([video[c.frames[0]] for c in clips], model, layers, pooling), times)
    return _clip_responses([video[c.frames] for c in clips], times, model, layers, pooling)


def _clip_responses(clips: Sequence[NDArray[np.uint8]], times: pd.DataFrame, model: Model, layers: Layers, pooling: str) -> Block:
    if pooling == "projected":
        raise DataError(f"{model!r} is a video network without an embedding of its own: use pooling='mean'")
    pixels = to_pixels([list(clip) for clip in clips], model)
    states = model.net(pixel_values=pixels, output_hidden_states=True).hidden_states
    n_moments = len(clips[0]) // int(np.ravel(getattr(model.config, "tubelet_size", 1))[0])
    column = (n_moments * pixels.shape[-2], pixels.shape[-1])  # moments of a clip as one tall image: patches count the same way
    values = pool_states(states, layers, "none" if pooling == "time" else pooling, column, patch_size(model.config))
    return Block(values, times) if pooling != "time" else _moments(values, times, n_moments)


def _moments(values: Values, times: pd.DataFrame, n_moments: int) -> Block:
    """Mean over the places of each moment, and the times of the moments."""
    means: Values = {}
    for site, flat in values.items():
        n_patches = int(np.prod(site.grid or (1, 1)))
        places = flat.reshape(len(flat) * n_moments, n_patches // n_moments, -1)
        means[Site(site.name, site.layer)] = places.mean(1)
    length = (times["offset"] - times["onset"]).to_numpy()[:, None] / n_moments
    onset = (times["onset"].to_numpy()[:, None] + length * np.arange(n_moments)).ravel()
    offset = onset + np.repeat(length.ravel(), n_moments)
    return Block(means, pd.DataFrame({"stimulus": times["stimulus"].iloc[0], "onset": onset, "offset": offset}))


def _averaged(name: str, blocks: Iterator[Block]) -> Block:
    means, n = mean_row(block.values for block in blocks)
    return Block(means, pd.DataFrame({"stimulus": [name], "n_averaged": [n]}))
