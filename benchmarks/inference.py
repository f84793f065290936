"""Time and memory of permutation tests beside a plain loop: ``python benchmarks/inference.py [n_targets]``."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from neurodecode.compare import block_bootstrap, permutation_test, sign_flip_test

N_SAMPLES, N_PERMUTATIONS, N_LOOP = 300, 1000, 20


def measure(what: str, call: Callable[[], object], scale: float = 1.0) -> None:
    """Print wall time, processor time and the highest memory of the process so far."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    wall, cpu = (time.perf_counter() - wall) * scale, (time.process_time() - cpu) * scale
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{what:<72} {wall:8.2f} s wall {cpu:8.2f} s CPU {peak:8.0f} MB", flush=True)


def loop(y: np.ndarray, y_hat: np.ndarray, n: int) -> np.ndarray:
    """Roll all predictions and correlate, once per permutation."""
    rng = np.random.default_rng(0)
    y, y_hat = ((part - part.mean(axis=0)) / part.std(axis=0) for part in (y, y_hat))
    score, reached = np.mean(y * y_hat, axis=0), np.zeros(y.shape[1])
    for _ in range(n):
        reached += np.einsum("ij,ij->j", y, np.roll(y_hat, rng.integers(20, 281), axis=0)) / len(y) >= score
    return (reached + 1) / (n + 1)


def main() -> None:
    """Print one line per test; the loop is timed on a few permutations and scaled up."""
    n_targets = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rng = np.random.default_rng(0)
    y, y_hat = (rng.standard_normal((N_SAMPLES, n_targets), dtype=np.float32) for _ in range(2))
    size = f"{N_PERMUTATIONS} x {N_SAMPLES} samples x {n_targets} targets"
    for n_runs in (1, 3):
        groups = np.repeat(np.arange(n_runs), N_SAMPLES // n_runs)
        for method in ("circular", "block"):

            def test(method: str = method, groups: np.ndarray = groups) -> object:
                return permutation_test(y, y_hat, method, n=N_PERMUTATIONS, groups=groups)  # type: ignore[arg-type]

            measure(f"permutation_test, {method}, {n_runs} run(s), {size}", test)
    measure(f"block_bootstrap, {size}", lambda: block_bootstrap(y, n=N_PERMUTATIONS))
    measure(f"sign_flip_test, 20 subjects x {n_targets} targets, 1000 flips", lambda: sign_flip_test(y[:20], n=1000))
    measure(f"plain loop, circular, 1 run, {size} ({N_LOOP} timed)", lambda: loop(y, y_hat, N_LOOP), N_PERMUTATIONS / N_LOOP)


if __name__ == "__main__":
    main()
