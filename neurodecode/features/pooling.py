"""From the hidden states of a vision network to one row per image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError
from neurodecode.features.models import Model
from neurodecode.features.units import Layers, Site, choose_layers


def pool_states(
    states: Sequence[Any], layers: Layers, pooling: str, pixels: Sequence[int], patch: tuple[int, int] | None
) -> dict[Site, NDArray[np.float32]]:
    """Pool hidden states over the tokens or the places of each image.

    Parameters
    ----------
    states : sequence of tensor of shape (n_images, n_tokens, d) or (n_images, d, height, width)
        Hidden states of all layers, the input first; class and register tokens come before the patches.
    layers : "all", int or sequence of int
        Layers to keep.
    pooling : {"mean", "cls", "none"}
        Mean over patches, class token, or every patch.
    pixels : (int, int)
        Height and width of the images that went in.
    patch : (int, int) or None
        Height and width of a patch.

    Returns
    -------
    dict
        Array of shape (n_images, n_units) by site.

    Raises
    ------
    DataError
        If there is no such layer, or no class token.
    """
    n_special = _n_special(states[0], pixels, patch)
    return dict(_pooled(states[k], k, pooling, n_special, pixels) for k in choose_layers(layers, len(states)))


def _pooled(state: Any, layer: int, pooling: str, n_special: int, pixels: Sequence[int]) -> tuple[Site, NDArray[np.float32]]:
    grid = tuple(state.shape[-2:]) if state.ndim == 4 else None
    tokens = state.flatten(2).transpose(1, 2) if state.ndim == 4 else state
    tokens = tokens.float()
    if pooling == "cls":
        if not n_special:
            raise DataError(f"this model has no class token (layer {layer} has shape {tuple(state.shape)}): use pooling='mean'")
        return Site("hidden", layer), to_numpy(tokens[:, 0])
    patches = tokens[:, n_special:]
    if pooling == "mean":
        return Site("hidden", layer), to_numpy(patches.mean(1))
    grid = grid or _grid(patches.shape[1], pixels)
    return Site("hidden", layer, grid), to_numpy(patches.flatten(1))


def _n_special(first: Any, pixels: Sequence[int], patch: tuple[int, int] | None) -> int:
    """Tokens that are no patches: what is left over when the patches of the image are counted."""
    if first.ndim == 4:
        return 0
    if patch is None:
        raise DataError(f"the model does not say its patch_size, so patches among {first.shape[1]} tokens cannot be told apart")
    n_patches = (pixels[0] // patch[0]) * (pixels[1] // patch[1])
    if not 0 <= first.shape[1] - n_patches < n_patches + 8:
        raise DataError(
            f"expected at least {n_patches} tokens for {tuple(pixels)} pixels in patches of {patch}, got {first.shape[1]}"
        )
    return int(first.shape[1] - n_patches)


def _grid(n_patches: int, pixels: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of patches of one layer, of the shape of the image."""
    rows = round(float(np.sqrt(n_patches * pixels[0] / pixels[1])))
    if not rows or n_patches % rows:
        raise DataError(f"{n_patches} patches do not fill an image of {tuple(pixels)} pixels in rows and columns")
    return rows, n_patches // rows


def projected(model: Model, method: str, **inputs: Any) -> dict[Site, NDArray[np.float32]]:
    """Take the one embedding that a model was trained to give.

    Parameters
    ----------
    model : Model
        A model with a joint space (CLIP, SigLIP), or with a pooled output.
    method : str
        Name of the method of the joint space: ``get_image_features`` or ``get_text_features``.
    **inputs
        Tensors for the network.

    Returns
    -------
    dict
        Array of shape (n_images, n_units) under its site.

    Raises
    ------
    DataError
        If the model gives no such embedding, or its weights do not hold the layers that make it.
    """
    net = model.net
    output = getattr(net, method)(**inputs) if hasattr(net, method) else net(**inputs)
    pooled = output if not hasattr(output, "keys") else output.get("pooler_output")
    absent = [name for name in net.missing_parameters if "pooler" in name]
    if pooled is None or absent:
        why = f"its weights lack {absent[0]}" if absent else f"{type(net).__name__} has none"
        raise DataError(f"{model!r} gives no embedding of its own: {why}. Use another pooling")
    return {Site("projection", _depth(model.config, method)): to_numpy(pooled.float().flatten(1))}


def _depth(config: Any, method: str) -> int:
    """Number of the last layer."""
    part = getattr(config, "vision_config" if "image" in method else "text_config", config)
    return int(getattr(part, "num_hidden_layers", None) or len(getattr(part, "depths", ())))


def to_numpy(tensor: Any) -> NDArray[np.float32]:
    """Copy a tensor into an array.

    Parameters
    ----------
    tensor : tensor
        On any device, of any type of number.

    Returns
    -------
    array
        As float32.
    """
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return array
