"""Speed of representational similarity, beside rsatoolbox: ``python benchmarks/rsa.py``; medians of interleaved rounds."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from neurodecode.compare import compare_rdms, noise_precision, rdm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import rsatoolbox

SIZES = ((40, 6, 300), (200, 4, 1000), (1000, 8, 5000))  # conditions, runs, units
LARGE = SIZES[-1]


class Seconds(NamedTuple):
    """What a call took."""

    wall: float
    """Seconds on the clock, longer where other work shares the machine."""
    cpu: float
    """Seconds of all threads of this process."""


def timed(call: Callable[[], Any]) -> tuple[Seconds, Any]:
    """Run a call once."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu), result


def interleaved(calls: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, Seconds], dict[str, Any]]:
    """Median time of each call over rounds in which each runs once, and what it returned."""
    taken: dict[str, list[Seconds]] = {name: [] for name in calls}
    results = {}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds, results[name] = timed(call)
            taken[name].append(seconds)
    return {name: Seconds(*np.median(found, axis=0)) for name, found in taken.items()}, results


def report(what: str, seconds: dict[str, Seconds], difference: float) -> None:
    """Print one line: times of both, their ratio, and by how much results differ."""
    names = list(seconds)
    times = "  ".join(f"{name} {s.wall:.4f} s wall {s.cpu:.4f} s CPU" for name, s in seconds.items())
    ratio = "" if len(names) < 2 else f"  ratio {seconds[names[1]].wall / seconds[names[0]].wall:.1f} wall"
    ratio += "" if len(names) < 2 else f" {seconds[names[1]].cpu / seconds[names[0]].cpu:.1f} CPU"
    print(f"{what:<62} {times}{ratio}  difference {difference:.1e}", flush=True)


def crossnobis(size: tuple[int, int, int], rounds: int, threads: int) -> None:
    """Whitened responses, float64: both compute the same matrix."""
    n, runs, units = size
    data = np.random.default_rng(0).standard_normal((n * runs, units))
    condition, run = np.tile(np.arange(n), runs), np.repeat(np.arange(runs), n)
    dataset = rsatoolbox.data.Dataset(data, obs_descriptors={"condition": condition, "run": run})

    def peer() -> np.ndarray:
        found = rsatoolbox.rdm.calc_rdm(dataset, method="crossnobis", descriptor="condition", cv_descriptor="run")
        return found.get_matrices()[0]

    with threadpool_limits(threads):
        calls = {"neurodecode": lambda: rdm(data, "crossnobis", condition, run), "rsatoolbox": peer}
        seconds, found = interleaved(calls, rounds)
    what = f"crossnobis {n} conditions x {runs} runs x {units} units, {threads} threads, {rounds} rounds"
    report(what, seconds, float(np.abs(found["neurodecode"] - found["rsatoolbox"]).max()))


def noise(units: int, threads: int) -> None:
    """The noise covariance, apart from the distances."""
    residuals = np.random.default_rng(0).standard_normal((2000, units))
    for method in ("ledoit_wolf", "shrunk_diagonal", "diagonal"):
        with threadpool_limits(threads):
            seconds, _ = timed(lambda method=method: noise_precision(residuals, method))  # type: ignore[misc]
        report(f"noise precision {method} 2000 residuals x {units} units, {threads} threads", {"neurodecode": seconds}, 0.0)


def comparisons(n: int, rounds: int) -> None:
    """Measures between RDMs, one model against eight subjects."""
    values = np.random.default_rng(0).random((9, n, n))
    stack = np.triu(values, 1) + np.triu(values, 1).transpose(0, 2, 1)
    upper = np.triu_indices(n, 1)
    left, right = (rsatoolbox.rdm.RDMs(part[:, upper[0], upper[1]]) for part in (stack[:1], stack[1:]))
    for ours, theirs in (("spearman", "spearman"), ("tau_a", "tau-a"), ("cosine", "cosine"), ("whitened_cosine", "cosine_cov")):
        calls = {
            "neurodecode": lambda ours=ours: compare_rdms(stack[:1], stack[1:], ours),  # type: ignore[misc]
            "rsatoolbox": lambda theirs=theirs: rsatoolbox.rdm.compare(left, right, theirs),  # type: ignore[misc]
        }
        seconds, found = interleaved(calls, rounds)
        report(f"{ours}, 1 x 8 RDMs of {n} conditions", seconds, float(np.abs(found["neurodecode"] - found["rsatoolbox"]).max()))


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the small sizes; the largest runs three")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for size in SIZES:
        crossnobis(size, 3 if size == LARGE else options.rounds, options.threads)
    noise(LARGE[2], options.threads)
    for n in (92, 300):
        comparisons(n, options.rounds)


if __name__ == "__main__":
    main()
