"""Windows that are cut when they are read: ``python benchmarks/windows.py``; processor time of a batch, the best of five."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from neurodecode.data.windowed import Cut, WindowedArray

N_TIMES = 120 * 1800  # half an hour at 120 Hz


def windows(signal: np.ndarray, cut: Cut) -> WindowedArray:
    """Three thousand windows anywhere in a signal, on a scale of their own."""
    start = np.random.default_rng(1).integers(0, N_TIMES - 400, 3000)
    shape = (1, signal.shape[0])
    return WindowedArray([signal], np.zeros(3000, np.int64), start, cut, center=np.zeros(shape), spread=np.ones(shape))


def best(call: Callable[[], Any]) -> float:
    """Shortest of five, in s."""
    found = []
    for _ in range(5):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    """A batch of brain windows and one of targets, both random rows."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(3000)[:256]
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in (("brain", (208, N_TIMES)), ("targets", (N_TIMES, 1024))):
            stored = np.lib.format.open_memmap(Path(folder) / f"{name}.npy", mode="w+", dtype=np.float32, shape=shape)
            for start in range(0, shape[0], 20_000):
                stored[start : start + 20_000] = rng.standard_normal((len(stored[start : start + 20_000]), shape[1]), np.float32)
            cut = Cut(361, 18, None, (0, 61), 20.0) if name == "brain" else Cut(343)
            array = windows(stored if name == "brain" else stored.T, cut)
            shown = f"{len(rows)} x {array.shape[1]} x {array.shape[2]}"
            print(f"{name}: {shown}: {best(lambda a=array: np.asarray(a[rows])):.2f} s", flush=True)  # type: ignore[misc]


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
