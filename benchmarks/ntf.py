"""Non-negative factorisation beside tensorly: ``python benchmarks/ntf.py``; without the tensor: ``... ntf.py traces``.

Runs in turns, same tensor, same threads. Per sweep: the difference between runs of many and of few sweeps from one start. To
equal error: the time of one run, start included, of just the sweeps after which the true error is within .1 % of the lowest that
any run reached. tensorly's own error is not asked for while the clock runs.
"""

from __future__ import annotations

import argparse
import logging
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from neurodecode.analysis.connectome import NTF, ntf_hals
from neurodecode.analysis.connectome.affinity import AffinityTensor, affinity_tensor
from neurodecode.analysis.connectome.factorise import Settings, factorise
from neurodecode.analysis.connectome.implicit import SeparableProblem
from neurodecode.analysis.connectome.kernels import get_kernels
from neurodecode.simulate import planted_tensor

SIZES = {"960 x 21 x 1225, rank 6": (50, 6), "960 x 21 x 4950, rank 8": (100, 8)}
FEW, MANY, STRIDE, LONGEST = 3, 18, 5, 150
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


def ours(tensor: np.ndarray, rank: int, sweeps: int, seed: int, backend: str = "numpy", init: Any = None) -> NTF:
    """So many sweeps from a start of the seed, or from factors."""
    return factorise(tensor, rank, None, Settings(backend, None, sweeps, 0.0), seed, init).ntf


def theirs(tensor: np.ndarray, rank: int, sweeps: int, seed: int, backend: str = "numpy", init: Any = "random") -> Any:
    """The same by tensorly."""
    import tensorly as tl
    from tensorly.decomposition import non_negative_parafac_hals

    tl.set_backend({"torch": "pytorch"}.get(backend, backend))
    init = tl.cp_tensor.CPTensor((None, [tl.tensor(f) for f in init])) if isinstance(init, list) else init
    found = non_negative_parafac_hals(tl.tensor(tensor), rank, n_iter_max=sweeps, tol=None, init=init, random_state=seed)
    return NTF(np.ones(rank), [np.array(tl.to_numpy(factor)) for factor in found.factors], 0.0)


def true_error(tensor: np.ndarray, fit: NTF) -> float:
    """Relative error, rebuilt a block of times after the other and summed in double precision."""
    time_course, *others = (np.asarray(factor, np.float32) for factor in fit.factors)
    rest = np.einsum("wr,pr->rwp", *others).reshape(len(fit.weights), -1)
    left = norm2 = 0.0
    for start in range(0, len(tensor), 16):
        rows = tensor[start : start + 16].reshape(-1, rest.shape[1])
        left += np.square(
            rows - (time_course[start : start + 16] * fit.weights.astype(np.float32)) @ rest, dtype=np.float64
        ).sum()
        norm2 += np.square(rows, dtype=np.float64).sum()
    return float(np.sqrt(left / norm2))


def seconds(clock: Callable[[], float], call: Callable[[], Any]) -> float:
    """Time of one call."""
    start = clock()
    call()
    return clock() - start


def per_sweep(clock: Callable[[], float], solver: Callable[..., Any], tensor: np.ndarray, rank: int) -> float:
    """Time of one more sweep."""
    init = [np.random.default_rng(0).random((dim, rank), np.float32) for dim in tensor.shape]
    start = NTF(np.ones(rank), init, 0.0) if solver.func is ours else init  # type: ignore[attr-defined]
    few, many = (seconds(clock, partial(solver, tensor, rank, n, 0, init=start)) for n in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def peer_errors(tensor: np.ndarray, rank: int, seed: int) -> np.ndarray:
    """True error of tensorly after each few sweeps, until it rests."""
    errors: list[float] = []
    init: Any = "random"
    while len(errors) < LONGEST // STRIDE and (len(errors) < 3 or errors[-3] - errors[-1] > 1e-5 * errors[-1]):
        fit = theirs(tensor, rank, STRIDE, seed, init=init)
        errors.append(true_error(tensor, fit))
        init = fit.factors
    return np.array(errors)


def sweeps_needed(tensor: np.ndarray, rank: int, seed: int) -> tuple[int | None, int | None]:
    """Sweeps to equal error: ours, theirs; None where that local minimum is not as low."""
    own = factorise(tensor, rank, None, Settings(max_sweeps=LONGEST), seed).errors
    peer = peer_errors(tensor, rank, seed)
    target = 1.001 * min(own.min(), peer.min())
    counts = [
        (int(np.argmax(errors <= target)) + 1) * step if errors.min() <= target else None
        for errors, step in ((own, 1), (peer, STRIDE))
    ]
    return counts[0], counts[1]


def beside_tensorly(clock: Callable[[], float], n_runs: int, n_seeds: int) -> None:
    """Both sizes: time per sweep, and to equal error."""
    solvers = {
        f"{name}, {backend}": partial(f, backend=backend)
        for name, f in (("ours", ours), ("tensorly", theirs))
        for backend in ("numpy", "torch")
    }
    for size, (n_neurons, rank) in SIZES.items():
        tensor = planted_tensor(n_neurons, 960, 21, rank).tensor
        sweep = np.array([[per_sweep(clock, solver, tensor, rank) for solver in solvers.values()] for _ in range(n_runs)])
        needed = [sweeps_needed(tensor, rank, seed) for seed in range(n_seeds)]
        both = [(seed, counts) for seed, counts in enumerate(needed) if None not in counts]
        whole = np.array(
            [
                [
                    seconds(clock, partial(solver, tensor, rank, counts[solver.func is theirs], seed))
                    for solver in solvers.values()
                ]
                for seed, counts in both
            ]
        )
        print(f"{size}; sweeps to equal error (ours, tensorly) by seed: {needed}")
        print(f"  tensorly's time to equal error over ours by seed, numpy: {np.round(whole[:, 2] / whole[:, 0], 1).tolist()}")
        for k, name in enumerate(solvers):
            ratios = [f"{np.median(part[:, k] / part[:, k - 2]):.1f} x" for part in (sweep, whole) if k > 1]
            own = f"{1e3 * np.median(sweep[:, k]):7.1f} ms per sweep, {np.median(whole[:, k]):6.2f} s to equal error"
            print(f"  {name:<16} {own}  {' and '.join(ratios)}", flush=True)


def traces(clock: Callable[[], float]) -> None:
    """Factorisations that never build pairs: equality, memory beyond the traces, time."""
    for n_names, n_times, n_sweeps, compared in ((1000, 2000, 5, True), (5000, 2000, 2, False)):
        implicit = wandering(n_names, n_times)
        tracemalloc.start()
        taken = seconds(clock, partial(ntf_hals, implicit, 8, max_sweeps=n_sweeps, random_state=0))
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        print(
            f"{n_names} neurons, {n_times} times, rank 8, {n_sweeps} sweeps and start: {taken:.1f} s, {peak:.0f} MB", flush=True
        )
        if compared:
            compare(implicit)


def wandering(n_names: int, n_times: int) -> AffinityTensor:
    """Traces of one animal that share a few drives."""
    rng = np.random.default_rng(0)
    drives = np.cumsum(rng.standard_normal((8, n_times)), axis=1)
    steps = rng.random((n_names, 8)) ** 4 @ drives + np.cumsum(rng.standard_normal((n_names, n_times)), axis=1)
    return affinity_tensor(steps[None].astype(np.float32), sfreq=4.0, path="implicit")


def compare(implicit: AffinityTensor) -> None:
    """Everything that a sweep takes from the traces, beside the same products with the tensor."""
    assert implicit.separable is not None
    tensor, problem = pair_products(implicit)[:, 0], SeparableProblem(implicit.separable, None, get_kernels())
    factors = [np.random.default_rng(1).random((8, dim), np.float32) for dim in problem.shape]
    against_pairs = problem.against_pairs(factors[2])[:, :, 0]
    left = problem.advance(factors, 1)  # improves times and samples, and sums over these
    course = factors[0] * factors[1]
    pairs = {
        "norm": (problem.norm2, np.square(tensor, dtype=np.float64).sum()),
        "summed over pairs": (against_pairs, (tensor @ factors[2].T).T),
        "summed over times": (left, course @ tensor),
    }
    for name, (found, expected) in pairs.items():
        print(f"  beside the dense tensor, {name}: within {np.abs(found - expected).max() / np.abs(expected).max():.1e}")


def pair_products(implicit: AffinityTensor) -> np.ndarray:
    """The tensor itself."""
    assert implicit.separable is not None
    tensor = np.zeros((len(implicit.times), 1, len(implicit.pairs)), np.float32)
    for side in implicit.separable[:2]:
        for row, values in zip(tensor[:, 0], side[:, 0], strict=True):
            row += values[implicit.pairs[:, 0]] * values[implicit.pairs[:, 1]]
    return tensor


def main() -> None:
    """Run what is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=["tensorly", "traces", []], help="tensorly by default")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3, help="starts of the runs to equal error")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # few sweeps do not converge, which is meant
    torch.set_num_threads(given.threads)
    with threadpool_limits(given.threads):
        if "tensorly" in given.parts or not given.parts:
            beside_tensorly(CLOCKS[given.clock], given.runs, given.seeds)
        if "traces" in given.parts:
            traces(CLOCKS[given.clock])


if __name__ == "__main__":
    main()
