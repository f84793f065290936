"""Speed and memory of `encode` beside a loop over himalaya: ``python benchmarks/encode.py``; equal scores, the two take turns."""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from himalaya.ridge import RidgeCV as HimalayaRidgeCV
from himalaya.scoring import r2_score
from threadpoolctl import threadpool_limits

from neurodecode.compare import encode
from neurodecode.linear import Delayer, resolve_folds
from neurodecode.metrics import pearson_r

ALPHAS = np.logspace(-1, 6, 10)
SIZES = ((600, 20, 2000, 6), (1200, 100, 4000, 6), (2000, 200, 8000, 8))  # scans, features, voxels, runs
Problem = tuple[np.ndarray, np.ndarray, np.ndarray]


def problem(n: int, p: int, n_targets: int, n_runs: int) -> Problem:
    """Smooth features, and voxels that follow them after two to four scans."""
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.standard_normal((n, p)), axis=0).astype(np.float32)
    x = np.diff(x, axis=0, prepend=0) + 0.1 * x / x.std()
    drive = np.roll(x, 3, axis=0) @ rng.standard_normal((p, n_targets))
    y = drive / drive.std(axis=0) + 2 * rng.standard_normal((n, n_targets))
    return x.astype(np.float32), y.astype(np.float32), np.arange(n) * n_runs // n


def ours(data: Problem) -> np.ndarray:
    """Correlation per voxel."""
    x, y, runs = data
    return encode(x, y, TR=2.0, groups=runs, alphas=ALPHAS).score


def peer(data: Problem) -> np.ndarray:
    """The same with himalaya's ridge inside the same folds."""
    x, y, runs = data
    delayer = Delayer([1, 2, 3, 4])
    design, valid = delayer.transform(x, runs), delayer.valid(len(x), runs)
    scores = []
    for split in resolve_folds(len(x), runs):
        train, test = split.train[valid[split.train]], split.test[valid[split.test]]
        mean, scale = design[train].mean(axis=0), design[train].std(axis=0)
        target = (y[train] - y[train].mean(axis=0)) / y[train].std(axis=0)
        inner = [(s.train, s.test) for s in resolve_folds(len(train), runs[train])]
        model = HimalayaRidgeCV(alphas=ALPHAS, cv=inner, fit_intercept=True, solver_params={"score_func": r2_score})
        predicted = model.fit((design[train] - mean) / scale, target).predict((design[test] - mean) / scale)
        scores.append(pearson_r(y[test], predicted))
    return np.mean(scores, axis=0)


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """Wall time and what came out."""
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def against_peer(n_runs: int, threads: int, sizes: Sequence[tuple[int, int, int, int]]) -> None:
    """Median of interleaved runs, per size."""
    for size in sizes:
        data = problem(*size)
        times: dict[str, list[float]] = {"ours": [], "peer": []}
        scores = {}
        with threadpool_limits(threads):
            for _ in range(n_runs):
                for name, call in (("ours", ours), ("peer", peer)):
                    took, scores[name] = seconds(partial(call, data))
                    times[name].append(took)
        a, b = (float(np.median(times[name])) for name in ("ours", "peer"))
        apart = np.abs(scores["ours"] - scores["peer"])  # where two penalties tie, each may take the other one
        same = f"|dr| median {np.median(apart):.0e}, below 1e-4 in {100 * np.mean(apart < 1e-4):.0f} %"
        what = "{} scans x {} features x 4 delays x {} voxels, {} runs".format(*size)
        print(f"{what:<70} ours {a:7.2f} s  himalaya loop {b:7.2f} s  ratio {b / a:4.2f}  {same}", flush=True)


def permutations(threads: int) -> None:
    """What 1000 permutations cost beside the fit."""
    x, y, runs = problem(600, 20, 20000, 6)
    with threadpool_limits(threads):
        plain, _ = seconds(lambda: encode(x, y, TR=2.0, groups=runs, alphas=ALPHAS))
        tested, _ = seconds(lambda: encode(x, y, TR=2.0, groups=runs, alphas=ALPHAS, n_permutations=1000))
    print(f"{'600 scans x 20000 voxels, 1000 permutations':<70} {tested - plain:7.2f} s beside {plain:.2f} s of fits", flush=True)


def anonymous_megabytes() -> float:
    """Memory of this process that no file backs, in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return float(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1e3


def memory(megabytes: int) -> None:
    """Most anonymous memory while responses of a size are a memory map."""
    n = 1000
    n_targets = megabytes * 10**6 // (4 * n)
    with tempfile.TemporaryDirectory() as folder:
        mapped = np.lib.format.open_memmap(Path(folder) / "y.npy", "w+", np.float32, (n, n_targets))
        for start in range(0, n, 50):
            mapped[start : start + 50] = np.random.default_rng(start).standard_normal((50, n_targets), np.float32)
        mapped.flush()
        y = np.load(Path(folder) / "y.npy", mmap_mode="r")
        most, before, done = [0.0], anonymous_megabytes(), threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                most[0] = max(most[0], anonymous_megabytes())

        watcher = threading.Thread(target=watch)
        watcher.start()
        x = problem(n, 20, 1, 5)[0]
        took, _ = seconds(lambda: encode(x, y, TR=2.0, delays_s=(0, 0), groups=np.arange(n) // 200, alphas=ALPHAS))
        done.set()
        watcher.join()
    what = f"responses of {megabytes} MB as a memory map"
    print(f"{what:<70} {took:7.2f} s, {most[0] - before:.0f} MB of anonymous memory at most", flush=True)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="interleaved runs")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the memory map")
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many of the sizes, the smallest first")
    options = parser.parse_args()
    against_peer(options.repeats, options.threads, SIZES[: options.sizes])
    permutations(options.threads)
    memory(options.megabytes)


if __name__ == "__main__":
    main()
