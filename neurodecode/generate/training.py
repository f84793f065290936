"""A short training of the small generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.generate.conditions import simulate_decoding
from neurodecode.generate.network import N_TIMES, scheduler
from neurodecode.train.ema import copy_of, update_ema

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import ModuleDict

_DECAY = 0.998  # of the moving average of the weights
_MAX_NORM = 1.0  # of the gradient


class Lesson(NamedTuple):
    """What is learned, and how."""

    patches: Tensor
    """Images as patches, (n_images, channels, rows, columns)."""
    coordinates: Tensor
    """Standardised coordinates of the images, (n_images, n_components)."""
    steps: int
    """Number of steps."""
    batch_size: int
    """Images of a step."""
    learning_rate: float
    """Highest rate of the one-cycle schedule."""
    seed: int
    """Seed of batches, noise and times."""


def train_denoiser(network: ModuleDict, lesson: Lesson) -> NDArray[np.float64]:
    """Train the network in place; it ends with the moving average of its weights.

    Mean squared error of the velocity (Salimans, Ho, ICLR 2022) at random times, told what a decoder might say of the image.

    Parameters
    ----------
    network : torch.nn.ModuleDict
        Built by `build_network`; trained where its weights lie.
    lesson : Lesson
        Images and settings.

    Returns
    -------
    array of shape (steps,)
        Loss of each step.
    """
    import torch
    from tqdm.auto import tqdm

    weights, device = list(network.parameters()), next(network.parameters()).device
    optimizer = torch.optim.AdamW(weights, lesson.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lesson.learning_rate, total_steps=lesson.steps)
    noising, draw = scheduler("DDPMScheduler"), torch.Generator().manual_seed(lesson.seed)
    average, losses = copy_of(network), np.zeros(lesson.steps)
    network.train()
    for step in tqdm(range(lesson.steps), desc="training the generator", disable=None, leave=False):
        loss = _loss(network, noising, [part.to(device) for part in _batch(lesson, draw)])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(weights, _MAX_NORM)
        optimizer.step()
        schedule.step()
        update_ema(average, network, _DECAY, step)
        losses[step] = loss.detach()
    network.load_state_dict(average)
    network.eval()
    return losses


def _batch(lesson: Lesson, draw: torch.Generator) -> list[Tensor]:
    """Images, conditions, noise and times of one step; drawn on the CPU, so that they are the same on every device."""
    import torch

    rows = torch.randint(len(lesson.patches), (lesson.batch_size,), generator=draw)
    images = lesson.patches[rows]
    means, uncertainties = simulate_decoding(lesson.coordinates[rows], draw)
    times = torch.randint(N_TIMES, (lesson.batch_size,), generator=draw)
    return [images, torch.cat([means, uncertainties], dim=1), torch.randn(images.shape, generator=draw), times]


def _loss(network: ModuleDict, noising: Any, batch: list[Tensor]) -> Tensor:
    images, conditions, noise, times = batch
    noisy = noising.add_noise(images, noise, times)
    wanted = noising.get_velocity(images, noise, times)
    told = network["condition"](conditions)
    error: Tensor = network["denoiser"](noisy, times, class_labels=told).sample - wanted
    return (error**2).mean()
