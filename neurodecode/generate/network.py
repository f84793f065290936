"""The network of the small generator, and the way from noise to a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import require
from neurodecode.errors import DataError
from neurodecode.generate.compaction import Compaction

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import ModuleDict

N_TIMES = 1000
_SCHEDULE = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}
_WIDTH = 256  # of the layer that reads the conditions
_GROUPS = 8  # of channels that are normalised together
AT_ONCE = 64  # pictures; always as many, so that a picture is the same whichever others are made with it


def build_network(how: Compaction, channels: Sequence[int], patch: int, n_components: int, seed: int) -> ModuleDict:
    """Build the network with random weights.

    A UNet of diffusers over patches of pixels, without attention, which gets the conditions where it gets the time.

    Parameters
    ----------
    how : Compaction
        Size and channels of the images inside.
    channels : sequence of int
        Width of each level; each has half the height and width of the one before.
    patch : int
        Side of the patches that become channels.
    n_components : int
        Components of the embedding.
    seed : int
        Seed of the weights; the global seed stays as it is.

    Returns
    -------
    torch.nn.ModuleDict
        ``condition`` and ``denoiser``.

    Raises
    ------
    DataError
        If widths are no multiples of 8.
    """
    torch, diffusers = (require(name, "TinyDiffusion", "decode") for name in ("torch", "diffusers"))
    if not channels or any(c < 1 or c % _GROUPS for c in channels) or patch < 1:
        raise DataError(f"channels must be multiples of {_GROUPS} and patch at least 1, got {tuple(channels)} and {patch}")
    inside, depth = how.n_channels * patch**2, len(channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        denoiser = diffusers.UNet2DModel(
            in_channels=inside,
            out_channels=inside,
            layers_per_block=1,
            block_out_channels=tuple(channels),
            down_block_types=("DownBlock2D",) * depth,
            up_block_types=("UpBlock2D",) * depth,
            norm_num_groups=_GROUPS,
            add_attention=False,
            class_embed_type="identity",
            resnet_time_scale_shift="scale_shift",  # after the normalisation, which would undo a mere shift
        )
        read = torch.nn.Linear(2 * n_components, _WIDTH)
        condition = torch.nn.Sequential(read, torch.nn.SiLU(), torch.nn.Linear(_WIDTH, 4 * channels[0]))
    network: ModuleDict = torch.nn.ModuleDict({"condition": condition, "denoiser": denoiser})
    return network


def scheduler(name: str) -> Any:
    """A scheduler of diffusers with the schedule of the small generator.

    Parameters
    ----------
    name : {"DDPMScheduler", "DDIMScheduler"}
        For training, for sampling.

    Returns
    -------
    object
        The scheduler.
    """
    diffusers = require("diffusers", "TinyDiffusion", "decode")
    extra = {"timestep_spacing": "trailing"} if name == "DDIMScheduler" else {}
    return getattr(diffusers, name)(N_TIMES, clip_sample=True, **_SCHEDULE, **extra)


def to_patches(images: Tensor, patch: int, depth: int) -> Tensor:
    """Pad images to what the network can halve, and turn patches into channels.

    Parameters
    ----------
    images : Tensor of shape (n, n_channels, height, width)
        Pixels.
    patch, depth : int
        Side of a patch and levels of the network.

    Returns
    -------
    Tensor of shape (n, n_channels * patch**2, padded height / patch, padded width / patch)
        Patches.
    """
    import torch

    unit = patch * 2 ** (depth - 1)
    height, width = images.shape[-2:]
    padded = torch.nn.functional.pad(images, (0, -width % unit, 0, -height % unit), mode="replicate")
    return torch.nn.functional.pixel_unshuffle(padded, patch)


def from_patches(patches: Tensor, patch: int, size: tuple[int, int]) -> Tensor:
    """Undo `to_patches`.

    Parameters
    ----------
    patches : Tensor of shape (n, n_channels * patch**2, rows, columns)
        Patches.
    patch : int
        Side of a patch.
    size : tuple of int
        Height and width without padding.

    Returns
    -------
    Tensor of shape (n, n_channels, *size)
        Pixels.
    """
    import torch

    return torch.nn.functional.pixel_shuffle(patches, patch)[..., : size[0], : size[1]]


def denoise(network: ModuleDict, start: Tensor, conditions: Tensor, times: Sequence[int], steps: int, guidance: float) -> Tensor:
    """Walk from noise to pictures, without further noise.

    With weight w, ``v = v_none + w (v_conditions - v_none)``, where none stands for conditions of which nothing is known.

    Parameters
    ----------
    network : torch.nn.ModuleDict
        Trained.
    start : Tensor of shape (n, channels, rows, columns)
        Patches at the first time.
    conditions : Tensor of shape (n, 2 * n_components)
        Standardised means and uncertainties.
    times : sequence of int
        Times to visit, descending.
    steps : int
        Steps of the whole way.
    guidance : float
        w.

    Returns
    -------
    Tensor
        Shape of `start`.
    """
    import torch

    walk = scheduler("DDIMScheduler")
    walk.set_timesteps(steps)
    half = conditions.shape[1] // 2
    nothing = torch.cat([torch.zeros_like(conditions[:, :half]), torch.ones_like(conditions[:, half:])], dim=1)
    told = network["condition"](torch.cat([conditions, nothing]) if guidance != 1 else conditions)
    x = start
    for time in times:
        velocity = network["denoiser"](x.repeat(len(told) // len(x), 1, 1, 1), time, class_labels=told).sample
        if guidance != 1:
            informed, free = velocity.chunk(2)
            velocity = free + guidance * (informed - free)
        x = walk.step(velocity, time, x).prev_sample
    return x


def sampling_times(steps: int, strength: float) -> list[int]:
    """Times that are visited, descending.

    Parameters
    ----------
    steps : int
        Steps from noise alone.
    strength : float
        Share of the way that is gone, above 0 and at most 1.

    Returns
    -------
    list of int
        At least one time.

    Raises
    ------
    DataError
        If a number is out of range.
    """
    if not 1 <= steps <= N_TIMES or not 0 < strength <= 1:
        raise DataError(f"steps must be 1 to {N_TIMES} and strength above 0 and at most 1, got {steps} and {strength}")
    walk = scheduler("DDIMScheduler")
    walk.set_timesteps(steps)
    return [int(t) for t in walk.timesteps[steps - max(round(steps * strength), 1) :]]


def start_noise(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Noise that depends on each sample's own seed.

    Parameters
    ----------
    seeds : sequence of int
        One per sample.
    shape : tuple of int
        Shape of one sample.

    Returns
    -------
    Tensor of shape (n_samples, *shape)
        Standard normal.
    """
    import torch

    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def in_batches(n: int) -> list[NDArray[np.int64]]:
    """Rows of each batch; the last is filled up with its own last row.

    Parameters
    ----------
    n : int
        Number of rows.

    Returns
    -------
    list of array of shape (64,)
        Row numbers.
    """
    rows = np.minimum(np.arange(-(-n // AT_ONCE) * AT_ONCE), n - 1)
    return list(rows.reshape(-1, AT_ONCE))
