"""Images as responses of a vision network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Stimuli
from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.features.cache import embedded, stimulus_hash
from neurodecode.features.models import Model, load_model, run_batches
from neurodecode.features.pooling import pool_states, projected
from neurodecode.features.units import Block, Layers, Site, as_settings_layers

POOLINGS = ("mean", "cls", "none", "projected")
Values = dict[Site, NDArray[np.float32]]


def embed_images(
    stimuli: Stimuli,
    model: str | Path | Model,
    *,
    layers: Layers = "all",
    pooling: str = "mean",
    batch_size: int = 32,
    cache: str | Path | None = None,
    stored_as: str = "float32",
    **loading: Any,
) -> Responses:
    """Embed images by any vision model of `transformers` (CLIP, SigLIP, DINOv2, ViT, ConvNeXt, ...).

    Parameters
    ----------
    stimuli : Stimuli
        Of kind image.
    model : str, Path or Model
        Folder, hub id, or what `load_model` returned. Images pass through its own image processor.
    layers : "all", int or sequence of int
        0 is the input of the first block, n the output of block n, as in ``hidden_states`` of transformers; negative numbers
        count from the last.
    pooling : {"mean", "cls", "none", "projected"}
        ``mean`` over patches (without class and register tokens), the class token ``cls``, every patch with units of its own
        (``none``), or the one embedding the model was trained to give, whatever the layers (``projected``).
    batch_size : int
        Images at a time; halved when the device runs out of memory.
    cache : str or Path, optional
        Folder in which the embedding is kept; a second call opens it there.
    stored_as : {"float32", "float16"}
        Type in the cache.
    **loading
        ``revision, download, device, dtype`` of `load_model`.

    Returns
    -------
    Responses
        One row per image (``stimulus``); units with layer, index, site and, for ``none``, patch_row and patch_column.

    Raises
    ------
    DataError
        If these are no images, or the model has no such layer or pooling.
    FormatError
        If the model is not on this machine; nothing is downloaded without ``download=True``.
    CorruptFileError
        If its folder is damaged.
    """
    if stimuli.kind != "image":
        raise DataError(f"embed_images needs stimuli of kind 'image', got kind {stimuli.kind!r}")
    check_option("pooling", pooling, POOLINGS)
    opened = load_model(model, **loading)
    return embedded(
        "embed_images",
        {"layers": as_settings_layers(layers), "pooling": pooling},
        partial(stimulus_hash, stimuli),
        lambda: _blocks(stimuli, opened, layers, pooling, batch_size),
        model=opened.identity,
        cache=cache,
        stored_as=stored_as,
    )


def _blocks(stimuli: Stimuli, model: Model, layers: Layers, pooling: str, batch_size: int) -> Iterator[Block]:
    def run(rows: range) -> Block:
        values = image_values([stimuli[i] for i in rows], model, layers, pooling)
        return Block(values, pd.DataFrame({"stimulus": [stimuli.ids[i] for i in rows]}))

    first: Values | None = None
    for block in run_batches(range(len(stimuli)), run, batch_size, "image"):
        first = block.values if first is None else first
        _check_same_units(first, block)
        yield block


def _check_same_units(first: Values, block: Block) -> None:
    """Images that a processor leaves in different sizes have different numbers of patches."""
    expected = {site: array.shape[1] for site, array in first.items()}
    got = {site: array.shape[1] for site, array in block.values.items()}
    if got != expected:
        name = block.samples["stimulus"].iloc[0]
        raise DataError(f"from {name!r} on, images have other patches ({got}) than the first ({expected}): make them one size")


def image_values(images: Sequence[NDArray[np.uint8]], model: Model, layers: Layers, pooling: str) -> Values:
    """Embed one batch of images.

    Parameters
    ----------
    images : sequence of array of shape (H, W, 3)
        As uint8.
    model : Model
        A vision model.
    layers : "all", int or sequence of int
        As in `embed_images`.
    pooling : {"mean", "cls", "none", "projected"}
        As in `embed_images`.

    Returns
    -------
    dict
        Array of shape (n_images, n_units) by site.

    Raises
    ------
    DataError
        If the model does not take images, or has no such layer or pooling.
    """
    pixels = to_pixels(images, model)
    if pooling == "projected":
        return projected(model, "get_image_features", pixel_values=pixels)
    net = getattr(model.net, "vision_model", model.net)
    states = net(pixel_values=pixels, output_hidden_states=True).hidden_states
    return pool_states(states, layers, pooling, pixels.shape[-2:], patch_size(model.config))


def to_pixels(images: Sequence[Any], model: Model) -> Any:
    """Prepare images, or clips, as the model wants them.

    Parameters
    ----------
    images : sequence of array of shape (H, W, 3), or of lists of them
        As uint8.
    model : Model
        A vision model.

    Returns
    -------
    tensor of shape (n_images, 3, height, width) or (n_clips, n_frames, 3, height, width)
        On its device.

    Raises
    ------
    DataError
        If the model does not take images, or these do not make one batch.
    """
    if model.net.main_input_name != "pixel_values" and not hasattr(model.net, "vision_model"):
        raise DataError(f"{model!r} takes {model.net.main_input_name}, not images: give a vision model")
    try:
        made = model.image_processor(images=list(images), return_tensors="pt", input_data_format="channels_last")
    except ValueError as error:
        raise DataError(f"the image processor of {model!r} cannot make one batch of these images: {error!s:.300}") from error
    return made["pixel_values"].to(device=model.device, dtype=next(model.net.parameters()).dtype)


def patch_size(config: Any) -> tuple[int, int] | None:
    """Height and width of a patch in pixels.

    Parameters
    ----------
    config : configuration of transformers
        Of a vision model.

    Returns
    -------
    (int, int) or None
        None where the model does not cut images into patches.
    """
    size = getattr(getattr(config, "vision_config", config), "patch_size", None)
    if size is None:
        return None
    return (int(size), int(size)) if np.ndim(size) == 0 else (int(size[-2]), int(size[-1]))
