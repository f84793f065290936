"""What the trainer costs per step beside a bare loop: ``python benchmarks/trainer.py``; one thread, processor time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import nn

from neurodecode.train import ArrayDataset, Trainer, clip_loss
from neurodecode.train.sampler import BatchSampler

BATCH, N_INPUTS, WIDTH, EPOCHS = 128, 2000, 512, 50


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


def bare_steps(samples: ArrayDataset) -> Iterator[None]:
    """Step after step of the shortest loop that computes the same."""
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    sampler = BatchSampler(len(samples), BATCH)
    for epoch in count():
        for rows in sampler.epoch(epoch):
            loss(model, samples.batch(rows), 0.0).backward()
            optimizer.step()
            optimizer.zero_grad()
            yield


def main() -> None:
    """Let both do steps in turn, so that other programs on the machine disturb them alike; a line is logged at each step."""
    torch.set_num_threads(1)
    samples = data()
    other, times, mark = bare_steps(samples), [], [0.0]

    def alternate(record: dict[str, Any]) -> None:
        end = time.process_time()
        next(other)
        times.append((time.process_time() - end, end - mark[0]))
        mark[0] = time.process_time()

    Trainer(epochs=EPOCHS, batch_size=BATCH, device="cpu", log_every=1).fit(network(), loss, samples, callbacks=[alternate])
    alone, ours = np.array(times[5:]).T
    ratio = np.sort([np.median(part) for part in np.random.default_rng(0).choice(ours / alone, (1000, len(ours)))])
    print(
        f"bare loop {1e3 * np.median(alone):.2f} ms per step, Trainer {1e3 * np.median(ours):.2f} ms, {len(ours)} pairs of steps"
    )
    print(f"median ratio {np.median(ours / alone):.3f}, 95 % interval {ratio[25]:.3f} to {ratio[975]:.3f}")


if __name__ == "__main__":
    main()
