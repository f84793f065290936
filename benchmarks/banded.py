"""Speed of banded ridge beside himalaya's random search: ``python benchmarks/banded.py``; the two take turns."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg  # noqa: F401  # a library must be loaded to be limited
from threadpoolctl import threadpool_limits

from neurodecode.linear import BandedRidgeCV
from neurodecode.linear.banded_search import draw_candidates

ALPHAS = np.logspace(0, 9, 10)
Problem = tuple[list[np.ndarray], np.ndarray]


def problem(n: int, p: int, n_targets: int) -> Problem:
    """Three feature spaces with the spectra of real features, and targets that lean on the first two."""
    rng = np.random.default_rng(0)
    spaces = [rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -0.5 for _ in range(3)]
    spaces = [x @ np.linalg.qr(rng.standard_normal((p, p)))[0] * 10 for x in spaces]
    y = sum(w * x @ rng.standard_normal((p, n_targets)) for w, x in zip((0.2, 0.1, 0.0), spaces, strict=True))
    y = y + y.std() * 2 * rng.standard_normal(y.shape)
    return [x.astype(np.float32) for x in spaces], y.astype(np.float32)


def folds(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Five contiguous blocks."""
    return [(np.setdiff1d(np.arange(n), test), test) for test in np.array_split(np.arange(n), 5)]


def ours(data: Problem, gammas: np.ndarray, **options: Any) -> np.ndarray:
    """Best R2 of each target."""
    model = BandedRidgeCV(gammas=gammas, alphas=ALPHAS, cv=folds(len(data[1])), form="dual", store="dual", **options)
    return model.fit(*data).cv_scores_


def peer(data: Problem, gammas: np.ndarray, backend: str) -> np.ndarray:
    """Best R2 of each target by himalaya, with the same folds, candidates, penalties and a refit."""
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import ColumnKernelizer, Kernelizer, MultipleKernelRidgeCV
    from himalaya.scoring import r2_score
    from sklearn.model_selection import PredefinedSplit

    set_backend(backend)
    ends = np.cumsum([x.shape[1] for x in data[0]])
    kernels = [(f"x{i}", Kernelizer(), slice(e - x.shape[1], e)) for i, (e, x) in enumerate(zip(ends, data[0], strict=True))]
    centred = [x - x.mean(axis=0) for x in data[0]]
    fold = np.concatenate([np.full(len(test), k) for k, (_, test) in enumerate(folds(len(data[1])))])
    params = {"alphas": ALPHAS, "n_iter": gammas.astype(np.float32), "score_func": r2_score, "progress_bar": False}
    model = MultipleKernelRidgeCV(
        kernels="precomputed", solver="random_search", solver_params=params, cv=PredefinedSplit(fold), fit_intercept=True
    )
    stack = ColumnKernelizer(kernels).fit_transform(np.hstack(centred))
    return np.asarray(model.fit(stack, data[1]).cv_scores_).max(axis=0)


def measure(call: Callable[[], np.ndarray], threads: int) -> tuple[float, float, np.ndarray]:
    """Wall and CPU seconds, and scores."""
    import torch

    torch.set_num_threads(threads)
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start, cpu = time.perf_counter(), time.process_time()
        scores = call()
        return time.perf_counter() - start, time.process_time() - cpu, scores


def main() -> None:
    """Print medians over rounds in which every candidate runs once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=800)
    parser.add_argument("--features", type=int, default=1000)
    parser.add_argument("--targets", type=int, default=2000)
    parser.add_argument("--gammas", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    data = problem(chosen.samples, chosen.features, chosen.targets)
    gammas = draw_candidates(3, chosen.gammas - 4, random_state=1)
    calls = {
        "neurodecode": lambda: ours(data, gammas),
        "himalaya numpy": lambda: peer(data, gammas, "numpy"),
        "himalaya torch": lambda: peer(data, gammas, "torch"),
        "neurodecode, coarse penalties": lambda: ours(data, gammas, search="coarse"),
        "neurodecode, coarse penalties, patience 6": lambda: ours(data, gammas, search="coarse", patience=6),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    scores = {}
    for _ in range(chosen.rounds):
        for name, call in calls.items():
            wall, cpu, scores[name] = measure(call, chosen.threads)
            seconds[name].append((wall, cpu))
    medians = {name: np.median(values, axis=0) for name, values in seconds.items()}
    best = np.min([values for name, values in medians.items() if name.startswith("himalaya")], axis=0)
    for name, (wall, cpu) in medians.items():
        off = scores[name] - scores["himalaya numpy"]
        print(
            f"{name:<45} {wall:6.2f} s wall, {cpu:6.2f} s CPU; himalaya's faster backend takes {best[0] / wall:.2f} x the wall, "
            f"{best[1] / cpu:.2f} x the CPU; score beside himalaya: mean {off.mean():+.1e}, worst {np.abs(off).max():.1e}"
        )


if __name__ == "__main__":
    main()
