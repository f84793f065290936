"""Speed and memory of similarities beside the plain way: ``python benchmarks/similarity.py``; medians of five, one thread."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import ot
from threadpoolctl import threadpool_limits

from neurodecode.metrics import cka, soft_match


def measure(what: str, call: Callable[[], float], repeats: int = 5) -> None:
    """Print the value, the median wall time and the highest memory beyond what was there before."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        value = call()
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{what:<62} {value:8.5f} {np.median(seconds):9.3f} s {peak / 2**20:9.1f} MB", flush=True)


def representations(n: int, p: int, q: int, noise: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of units that share ten latent variables, float32."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((n, 10))
    sides = [latent @ rng.standard_normal((10, k)) + noise * rng.standard_normal((n, k)) for k in (p, q)]
    return sides[0].astype(np.float32), sides[1].astype(np.float32)


def plain_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Debiased, through the two n x n kernels whatever the widths."""
    n = len(x)
    kernels = [side.astype(float) @ side.astype(float).T for side in (x, y)]
    for kernel in kernels:
        np.fill_diagonal(kernel, 0)

    def criterion(k: np.ndarray, m: np.ndarray) -> float:
        middle = k.sum() * m.sum() / ((n - 1) * (n - 2))
        return float(np.sum(k * m) + middle - 2 / (n - 2) * (k.sum(axis=0) @ m.sum(axis=1)))

    k, m = kernels
    return criterion(k, m) / np.sqrt(criterion(k, k) * criterion(m, m))


def pot(x: np.ndarray, y: np.ndarray) -> float:
    """Soft matching by the linear programme of POT, given the correlations."""
    p, q = x.shape[1], y.shape[1]
    cost = 1 - np.corrcoef(x.T, y.T)[:p, p:]
    return 1 - float(ot.emd2(np.full(p, 1 / p), np.full(q, 1 / q), cost, numItermax=10**7))


def kernel_alignment() -> None:
    """Tall, wide and streamed."""
    for n, p, q in ((5000, 300, 200), (500, 5000, 4000)):
        x, y = representations(n, p, q)
        size = f"CKA {n} samples, {p} and {q} units"
        measure(f"{size}: kernels of samples", lambda x=x, y=y: plain_cka(x, y))  # type: ignore[misc]
        measure(f"{size}: this", lambda x=x, y=y: cka(x, y))  # type: ignore[misc]
        for batch in (1000, 100):
            if batch < n:
                measure(f"{size}: batches of {batch}", lambda x=x, y=y, b=batch: cka(x, y, batch_size=b))  # type: ignore[misc]


def matching() -> None:
    """Equal and unequal numbers of units; the last beyond what the exact programme is taken for."""
    for p, q in ((500, 500), (500, 400), (1000, 800)):
        x, y = representations(400, p, q)
        size = f"soft matching of {p} with {q} units"
        measure(f"{size}: POT", lambda x=x, y=y: pot(x, y), 3)  # type: ignore[misc]
        plans: dict[str, dict[str, Any]] = {"this": {}, "half of the mass": {"mass": 0.5}, "Sinkhorn": {"solver": "sinkhorn"}}
        for name, options in plans.items():
            measure(f"{size}: {name}", lambda x=x, y=y, o=options: float(soft_match(x, y, folds=None, **o)), 3)  # type: ignore[misc]


def main() -> None:
    """Run all."""
    with threadpool_limits(1):
        kernel_alignment()
        matching()


if __name__ == "__main__":
    main()
