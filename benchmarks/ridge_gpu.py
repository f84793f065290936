"""Ridge of many targets on a GPU: ``python benchmarks/ridge_gpu.py``; 100 000 targets, 5000 features and 10 000 samples."""

from __future__ import annotations

import argparse
import time

import numpy as np

from neurodecode.linear import RidgeCV

GOAL = 15.0  # s from memory of the host, five folds, ten penalties


def problem(n: int, p: int, n_targets: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian features, and targets of which a tenth of the variance follows them."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p), dtype=np.float32)
    y = rng.standard_normal((n, n_targets), dtype=np.float32)
    y[:, : min(p, n_targets)] += np.float32(1 / 3) * x[:, : min(p, n_targets)]
    return x, y


def main() -> None:
    """Print seconds and memory of the device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=5000)
    parser.add_argument("--targets", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--search", choices=["grid", "coarse"], default="grid")
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    import torch

    if given.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error(
            f"torch {torch.__version__} finds no GPU here: run this where torch.cuda.is_available(), or give --device cpu"
        )
    x, y = problem(given.samples, given.features, given.targets)
    model = RidgeCV(np.logspace(0, 6, 10), backend="torch", device=given.device, search=given.search)
    model.fit(x[:, :10], y[:, :10])  # loads libraries
    for _ in range(given.runs):
        start = time.perf_counter()
        model.fit(x, y)
        print(
            f"{model.form_}, factors in {model.precision_}: {time.perf_counter() - start:.2f} s (goal {GOAL:.0f} s)", flush=True
        )
    if given.device.startswith("cuda"):
        print(f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GB of the device at the peak")


if __name__ == "__main__":
    main()
