"""Which layer of which network the image metrics of the literature look at, and its output for any images."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import require, suggest
from neurodecode.errors import DataError

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class FeatureLayer(NamedTuple):
    """A layer, and the images that it is shown; change one member by ``_replace``."""

    network: str
    """Constructor in torchvision, or what else the network is."""
    weights: str
    """Weights that the published figures rest on."""
    layer: str
    """Name of the module, as in ``named_modules``; its output is taken."""
    size: int
    """Shorter side of the images in pixels."""
    score: str
    """``"two_way"`` (identification) or ``"distance"`` (1 - Pearson)."""
    mean: tuple[float, float, float] = _IMAGENET[0]
    """Subtracted from red, green and blue from 0 to 1."""
    std: tuple[float, float, float] = _IMAGENET[1]
    """What the differences are divided by."""
    interpolation: str = "bilinear"
    """``"bilinear"``, or ``"bicubic"`` (CLIP in some papers)."""


METRIC_LAYERS: dict[str, FeatureLayer] = {
    "alexnet_2": FeatureLayer("alexnet", "IMAGENET1K_V1", "features.4", 256, "two_way"),
    "alexnet_5": FeatureLayer("alexnet", "IMAGENET1K_V1", "features.11", 256, "two_way"),
    "inception": FeatureLayer("inception_v3", "DEFAULT", "avgpool", 342, "two_way"),
    "clip": FeatureLayer(
        "CLIPVisionModelWithProjection", "openai/clip-vit-large-patch14", "visual_projection", 224, "two_way", *_CLIP
    ),
    "efficientnet": FeatureLayer("efficientnet_b1", "DEFAULT", "avgpool", 255, "distance"),
    "swav": FeatureLayer("resnet50", "facebookresearch/swav resnet50", "avgpool", 224, "distance"),
}
"""The six feature metrics of the reconstruction literature (Ozcelik and VanRullen 2023, Scotti et al. 2024)."""


def layer_features(images: ArrayLike, network: Any, layer: str | FeatureLayer, *, batch_size: int = 32) -> NDArray[np.float32]:
    """Output of one layer of a torch network for images, prepared as its protocol says.

    The network is called in evaluation mode, without gradients, and is left as it was.

    Parameters
    ----------
    images : array_like of shape (n_images, height, width, n_colours)
        One or three colours: uint8, or numbers from 0 to 1.
    network : torch.nn.Module
        With weights; it takes (n_images, 3, height, width).
    layer : str or FeatureLayer
        A name of `METRIC_LAYERS`, or a layer of one's own.
    batch_size : int
        Images at once.

    Returns
    -------
    array of shape (n_images, ...)
        Features as float32.

    Raises
    ------
    DataError
        If the network has no such layer, its output is no tensor, or these are no images.
    """
    torch = require("torch", "features of images", "decode")
    from tqdm.auto import tqdm

    chosen, pixels = _chosen(layer), _pixels(images)
    modules = dict(network.named_modules())
    if chosen.layer not in modules:
        raise DataError(f"{type(network).__name__} has no layer {chosen.layer!r}: {suggest(chosen.layer, filter(None, modules))}")
    if batch_size < 1:
        raise DataError(f"batch_size must be at least 1, got {batch_size}")
    caught: list[Any] = []

    def keep(module: Any, given: Any, output: Any) -> None:
        caught.append(output.clone() if isinstance(output, torch.Tensor) else output)  # the next layer may work in place

    hook = modules[chosen.layer].register_forward_hook(keep)
    training = [module for module in modules.values() if module.training]
    starts = tqdm(range(0, len(pixels), batch_size), desc=chosen.layer, disable=len(pixels) < 10 * batch_size, leave=False)
    try:
        network.eval()
        with torch.no_grad():
            return np.concatenate([_batch(network, pixels[s : s + batch_size], chosen, caught) for s in starts])
    finally:
        hook.remove()
        for module in training:
            module.training = True


def _chosen(layer: str | FeatureLayer) -> FeatureLayer:
    if isinstance(layer, FeatureLayer):
        return layer
    if layer not in METRIC_LAYERS:
        raise DataError(f"layer={layer!r} is unknown: {suggest(layer, METRIC_LAYERS)}; or give a FeatureLayer")
    return METRIC_LAYERS[layer]


def _pixels(images: ArrayLike) -> NDArray[Any]:
    pixels = np.asarray(images)
    if pixels.ndim != 4 or not pixels.size or pixels.shape[-1] not in (1, 3):
        raise DataError(f"images must have shape (n_images, height, width, 1 or 3), got {pixels.shape}")
    return pixels


def _batch(network: Any, pixels: NDArray[Any], chosen: FeatureLayer, caught: list[Any]) -> NDArray[np.float32]:
    """Features of one batch."""
    import torch

    caught.clear()
    given = next((p for p in network.parameters() if p.is_floating_point()), torch.zeros(()))
    shown = torch.from_numpy(np.array(pixels)).to(given.device)  # a copy: memory maps cannot be written to, tensors can
    network(prepare(shown, chosen).to(given.dtype))
    if len(caught) != 1 or not isinstance(caught[0], torch.Tensor):
        raise DataError(
            f"layer {chosen.layer!r} gave {len(caught)} outputs {[type(c).__name__ for c in caught]}, expected one tensor"
        )
    return np.asarray(caught[0].float().cpu().numpy(), np.float32)


def prepare(pixels: Any, chosen: FeatureLayer) -> Any:
    """Resize and normalise images as a layer is shown them.

    Parameters
    ----------
    pixels : torch.Tensor of shape (n_images, height, width, 1 or 3)
        Bytes, or numbers from 0 to 1.
    chosen : FeatureLayer
        The protocol.

    Returns
    -------
    torch.Tensor of shape (n_images, 3, new_height, new_width)
        In float32.
    """
    import torch

    unit = (pixels / 255 if pixels.dtype == torch.uint8 else pixels).float().permute(0, 3, 1, 2)
    unit = unit.expand(-1, 3, -1, -1)  # grey is shown as three equal colours
    shorter = min(unit.shape[2:])
    size = [chosen.size * side // shorter for side in unit.shape[2:]]
    shown = torch.nn.functional.interpolate(unit, size=size, mode=chosen.interpolation, antialias=True)
    mean, std = (torch.tensor(v, device=shown.device).view(3, 1, 1) for v in (chosen.mean, chosen.std))
    return (shown - mean) / std
