"""Response functions beside mTRFpy: ``python benchmarks/trf.py``; processor time of runs in turns, one thread.

Both choose a penalty per target among seven by leaving one trial out, and fit all trials with it. The tables of held-out scores
are compared. Memory is the peak of what a run allocates.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from neurodecode.linear import TRF

SFREQ = 64.0
LAMBDAS = np.logspace(-3, 3, 7)


class Problem(NamedTuple):
    """What is fitted."""

    name: str
    n_trials: int
    seconds: float
    n_features: int
    n_channels: int
    direction: str
    tmax: float


PROBLEMS = (
    Problem("forward, envelope, 128 channels", 20, 60.0, 1, 128, "forward", 26 / 64),
    Problem("forward, 16 bands, 128 channels", 20, 60.0, 16, 128, "forward", 26 / 64),
    Problem("backward, envelope, 16 channels", 20, 60.0, 1, 16, "backward", 16 / 64),
    Problem("backward, envelope, 64 channels", 10, 60.0, 1, 64, "backward", 16 / 64),
)


def trials(problem: Problem) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Stimuli, and responses that follow them with noise of all degrees."""
    rng = np.random.default_rng(0)
    n = round(problem.seconds * SFREQ)
    kernel = rng.standard_normal((problem.n_features, 12, problem.n_channels))
    stimuli, responses = [], []
    for _ in range(problem.n_trials):
        stimulus = rng.standard_normal((n, problem.n_features))
        response = rng.standard_normal((n, problem.n_channels)) * np.geomspace(1, 30, problem.n_channels)
        for lag in range(12):
            response[lag:] += stimulus[: n - lag] @ kernel[:, lag]
        stimuli.append(stimulus)
        responses.append(response)
    return stimuli, responses


def ours(problem: Problem, stimuli: Any, responses: Any) -> np.ndarray:
    """Held-out correlation by penalty and target, and the fit."""
    alphas = LAMBDAS * SFREQ * (problem.n_trials - 1)
    model = TRF(0.0, problem.tmax, SFREQ, problem.direction, alphas=alphas, metric="correlation").fit(stimuli, responses)
    return model.cv_scores_


def theirs(problem: Problem, stimuli: Any, responses: Any) -> np.ndarray:
    """The same by mTRFpy, whose penalty in folds is per trial of training."""
    from mtrf.model import TRF as Peer

    peer = Peer(direction=1 if problem.direction == "forward" else -1)
    lists = [list(side) for side in (stimuli, responses)]
    return np.asarray(peer.train(*lists, SFREQ, 0.0, problem.tmax, LAMBDAS, verbose=False, reg_per_y_channel=True))


def seconds(call: Callable[[], Any]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def peak(call: Callable[[], Any]) -> float:
    """Largest memory during one call, in MB."""
    tracemalloc.start()
    call()
    found = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return found


def main() -> None:
    """Run all problems."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    for problem in PROBLEMS:
        stimuli, responses = trials(problem)
        calls = [partial(f, problem, stimuli, responses) for f in (ours, theirs)]
        difference = np.abs(calls[0]() - calls[1]()).max()
        clock = np.array([[seconds(call) for call in calls] for _ in range(runs)])
        memory = [peak(call) for call in calls]
        own, other = np.median(clock, axis=0)
        print(
            f"{problem.name:<34} {own:7.2f} s against {other:7.2f} s ({np.median(clock[:, 1] / clock[:, 0]):5.1f} x), "
            f"{memory[0]:6.0f} MB against {memory[1]:6.0f} MB, scores differ by {difference:.1e}",
            flush=True,
        )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
