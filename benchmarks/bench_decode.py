"""Speed of decoding with permutations, beside scikit-learn: ``python benchmarks/bench_decode.py``; one core, CPU seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from neurodecode.data import Responses
from neurodecode.decode import LinearDecoder, generalise_over_time, searchlight, time_resolved

N_PERMUTATIONS = 199
Problem = tuple[np.ndarray, np.ndarray, np.ndarray]


def objects() -> Problem:
    """As the Haxby slice: 64 blocks, 530 voxels, 8 classes, 8 runs."""
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(8), 8)
    x = rng.standard_normal((64, 530)) + 0.15 * rng.standard_normal((8, 530))[y]
    return x.astype(np.float32), y, np.repeat(np.arange(8), 8)


def epochs(n_channels: int = 4, n_times: int = 231) -> Problem:
    """As the Muse sets: 770 epochs of 4 channels and 231 samples, 2 classes, 4 runs."""
    rng = np.random.default_rng(0)
    y, run = rng.integers(0, 2, 770), np.arange(770) * 4 // 770
    x = rng.standard_normal((770, n_channels, n_times)).cumsum(axis=2)
    x += 0.5 * y[:, None, None] * np.sin(np.arange(n_times) / 20)
    return x.astype(np.float32), y, run


def responses(problem: Problem) -> Responses:
    """The problem as an object."""
    x, y, run = problem
    units = pd.DataFrame({"name": [f"u{i}" for i in range(x.shape[1])]})
    units = units.assign(x=3.0 * (units.index % 23), y=3.0 * (units.index // 23), z=0.0)
    times = np.arange(x.shape[2]) / 256 if x.ndim == 3 else None
    return Responses(x, pd.DataFrame({"trial_type": y, "run": run}), units, times)


def peer_cross_validation(problem: Problem, model: Any, scoring: str) -> Any:
    """One cross-validation by scikit-learn."""
    x, y, run = problem
    flat = x.reshape(len(x), -1).astype(float)
    return cross_val_score(model, flat, y, groups=run, cv=LeaveOneGroupOut(), scoring=scoring)


def measure(what: str, call: Callable[[], Any], times: float = 1.0) -> None:
    """Print CPU seconds (not disturbed by other work on the machine), multiplied where only a part was run."""
    wall, start = time.perf_counter(), time.process_time()
    with threadpool_limits(1):
        call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - start
    print(f"{what:<95} {cpu * times:8.2f} s CPU {wall * times:8.2f} s wall", flush=True)


def main() -> None:
    """Run all, ours before the peer's."""
    small, large = objects(), epochs()
    chosen = LinearDecoder(C=0.01, n_features=500)
    best = make_pipeline(StandardScaler(), SelectKBest(k=500), LogisticRegression(C=0.01, max_iter=999))
    shrunk = LinearDecoder(estimator="lda")
    peer = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
    runs = N_PERMUTATIONS + 1
    measure("warm up", lambda: chosen.cross_validate(responses(small), n_permutations=1))
    name = "64 x 530, 8 classes, 8 folds, best 500 by F, logistic, 199 permutations"
    measure(name, lambda: chosen.cross_validate(responses(small), n_permutations=N_PERMUTATIONS))
    measure(
        "  scikit-learn (10 of 200 run)",
        lambda: [peer_cross_validation(small, best, "balanced_accuracy") for _ in range(10)],
        runs / 10,
    )
    name = "770 x 924, 2 classes, 4 folds, shrinkage discriminant, 199 permutations"
    measure(name, lambda: shrunk.cross_validate(responses(large), n_permutations=N_PERMUTATIONS))
    measure("  scikit-learn (2 of 200 run)", lambda: [peer_cross_validation(large, peer, "roc_auc") for _ in range(2)], runs / 2)
    name = "770 x 924, ridge of 17 penalties, 4 folds, 199 permutations"
    measure(name, lambda: LinearDecoder("regression").cross_validate(responses(large), n_permutations=N_PERMUTATIONS))
    name = "770 x 4 x 231 over time, discriminant, 4 folds, 199 permutations"
    measure(name, lambda: time_resolved(responses(large), n_permutations=N_PERMUTATIONS))
    measure("770 x 4 x 231 from 231 times to 231 times", lambda: generalise_over_time(responses(large)))
    measure("64 x 530 searchlight of 7 mm, 8 classes, 8 folds", lambda: searchlight(responses(small), radius_mm=7.0))


if __name__ == "__main__":
    main()
