"""What the trainer costs per step beside a bare loop: ``python benchmarks/trainer.py``; runs in turn, one thread."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import nn

from neurodecode.train import ArrayDataset, Trainer, clip_loss
from neurodecode.train.sampler import BatchSampler

BATCH, N_INPUTS, WIDTH, EPOCHS, N_TURNS = 128, 2000, 512, 6, 5


def network() -> nn.Module:
    """A small decoder, as for a region of a few thousand voxels."""
    torch.manual_seed(0)
    layers = [nn.Linear(N_INPUTS, WIDTH), nn.LayerNorm(WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH)]
    return nn.Sequential(*layers)


def data(n: int = 640) -> ArrayDataset:
    """Random samples."""
    rng = np.random.default_rng(0)
    return ArrayDataset("train", x=rng.standard_normal((n, N_INPUTS), np.float32), y=rng.standard_normal((n, WIDTH), np.float32))


def loss(model: nn.Module, batch: dict[str, torch.Tensor], progress: float) -> torch.Tensor:
    """Contrastive."""
    return clip_loss(model(batch["x"]), batch["y"])


def bare(samples: ArrayDataset) -> float:
    """Seconds per step of the shortest loop that computes the same."""
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    sampler, n = BatchSampler(len(samples), BATCH), 0
    start = time.perf_counter()
    for epoch in range(EPOCHS):
        for rows in sampler.epoch(epoch):
            loss(model, samples.batch(rows), 0.0).backward()
            optimizer.step()
            optimizer.zero_grad()
            n += 1
    return (time.perf_counter() - start) / n


def trained(samples: ArrayDataset) -> float:
    """Seconds per step of the trainer, from the first to the last."""
    times: list[float] = []

    def timed(model: nn.Module, batch: dict[str, torch.Tensor], progress: float) -> Any:
        times.append(time.perf_counter())
        return loss(model, batch, progress)

    Trainer(epochs=EPOCHS, batch_size=BATCH, device="cpu").fit(network(), timed, samples)
    return (times[-1] - times[0]) / (len(times) - 1)


def main() -> None:
    """Print the medians and their ratio."""
    torch.set_num_threads(1)
    samples = data()
    bare(samples), trained(samples)
    pairs = np.array([(bare(samples), trained(samples)) for _ in range(N_TURNS)])
    alone, ours = np.median(pairs, axis=0)
    print(f"bare loop {1e3 * alone:.2f} ms per step, Trainer {1e3 * ours:.2f} ms: {100 * (ours / alone - 1):+.1f} %")
    print(f"medians of {N_TURNS} turns of {EPOCHS * len(samples) // BATCH} steps; best of each: {1e3 * pairs.min(axis=0)} ms")


if __name__ == "__main__":
    main()
