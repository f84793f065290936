"""The states of all global streams of random numbers: seeded for a training, given back after it, stored with a checkpoint."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def capture() -> dict[str, Any]:
    """States of Python, numpy, torch and each CUDA device as JSON values."""
    import torch

    kind, words, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002 - libraries still draw from it
    version, state, following = random.getstate()
    return {
        "python": [version, list(state), following],
        "numpy": [kind, np.asarray(words).tolist(), position, has_gauss, gauss],
        "torch": _hex(torch.get_rng_state()),
        "cuda": [_hex(state) for state in torch.cuda.get_rng_state_all()] if torch.cuda.is_available() else [],
    }


def restore(states: dict[str, Any]) -> None:
    """Set the streams to what `capture` gave; devices that are not there now are left out."""
    import torch

    version, state, following = states["python"]
    random.setstate((version, tuple(state), following))
    kind, words, position, has_gauss, gauss = states["numpy"]
    np.random.set_state((kind, np.asarray(words, dtype=np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    torch.set_rng_state(_tensor(states["torch"]))
    for device, text in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(_tensor(text), device)


@contextmanager
def seeded(seed: int, rank: int = 0) -> Iterator[None]:
    """Seed the global streams within a block and give them back after it.

    Parameters
    ----------
    seed : int
        Seed of the run.
    rank : int
        Number of the process: each gets a stream of its own.

    Yields
    ------
    None
        While they are seeded.
    """
    import torch

    before = capture()
    drawn = np.random.SeedSequence(seed, spawn_key=(rank,)).generate_state(3)
    random.seed(int(drawn[0]))
    np.random.seed(int(drawn[1]))  # noqa: NPY002
    torch.manual_seed(int(drawn[2]))
    try:
        yield
    finally:
        restore(before)


def _hex(state: Tensor) -> str:
    return state.numpy().tobytes().hex()


def _tensor(text: str) -> Tensor:
    import torch

    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
