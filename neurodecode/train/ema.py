"""Moving averages of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def copy_of(module: Module) -> dict[str, Tensor]:
    """A copy of all weights and buffers that are saved, by name."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def update_ema(average: dict[str, Tensor], module: Module, decay: float, n_updates: int) -> None:
    r"""Move averages towards the weights: :math:`a \leftarrow d a + (1 - d) w` with :math:`d = \min(decay, (1 + k) / (10 + k))`.

    Parameters
    ----------
    average : dict of Tensor
        By name, changed in place; whole numbers (counters) are copied.
    module : Module
        Where the weights are.
    decay : float
        Highest d, 0 to 1; the first updates forget faster, so that the first weights do not count for long.
    n_updates : int
        k, updates that were made before.
    """
    import torch

    rate = 1 - min(decay, (1 + n_updates) / (10 + n_updates))
    averaged, current = [], []
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            averaged.append(average[name])
            current.append(value.detach())
        else:
            average[name].copy_(value)
    with torch.no_grad():
        torch._foreach_lerp_(averaged, current, rate)


@contextmanager
def using(module: Module, weights: Mapping[str, Tensor] | None) -> Iterator[None]:
    """Let a module have other weights within a block.

    Parameters
    ----------
    module : Module
        The module.
    weights : mapping of Tensor or None
        By name; with None it keeps its own.

    Yields
    ------
    None
        While it has them.
    """
    if weights is None:
        yield
        return
    own = copy_of(module)
    module.load_state_dict(dict(weights))
    try:
        yield
    finally:
        module.load_state_dict(own)
