"""What the trainer costs per step beside a bare loop: ``python benchmarks/trainer.py``; one thread, processor time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import nn

from neurodecode.train import ArrayDataset, Trainer, clip_loss
from neurodecode.train.sampler import BatchSampler

BATCH, N_INPUTS, WIDTH, EPOCHS, N_TURNS = 128, 2000, 512, 6, 9


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
    model, times = network(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    sampler = BatchSampler(len(samples), BATCH)
    for epoch in range(EPOCHS):
        for rows in sampler.epoch(epoch):
            batch = samples.batch(rows)
            times.append(time.process_time())
            loss(model, batch, 0.0).backward()
            optimizer.step()
            optimizer.zero_grad()
    return float(np.percentile(np.diff(times), 20))  # what other programs on the machine disturb least


def trained(samples: ArrayDataset) -> float:
    """Seconds per step of the trainer."""
    times: list[float] = []

    def timed(model: nn.Module, batch: dict[str, torch.Tensor], progress: float) -> Any:
        times.append(time.process_time())
        return loss(model, batch, progress)

    Trainer(epochs=EPOCHS, batch_size=BATCH, device="cpu").fit(network(), timed, samples)
    return float(np.percentile(np.diff(times), 20))  # what other programs on the machine disturb least


def main() -> None:
    """Print the medians and their ratio."""
    torch.set_num_threads(1)
    samples = data()
    bare(samples), trained(samples)
    pairs = np.array([(bare(samples), trained(samples)) for _ in range(N_TURNS)])
    alone, ours = np.median(pairs, axis=0)
    print(f"bare loop {1e3 * alone:.2f} ms per step, Trainer {1e3 * ours:.2f} ms: {100 * (ours / alone - 1):+.1f} %")
    print(f"medians of {N_TURNS} turns of {EPOCHS * len(samples) // BATCH} steps; ratio in each: {pairs[:, 1] / pairs[:, 0]}")


if __name__ == "__main__":
    main()
