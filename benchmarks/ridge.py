"""Ridge with a penalty per target beside himalaya and scikit-learn: ``python benchmarks/ridge.py``.

All have the same penalties; ours and himalaya's have the same five blocks and score R2. scikit-learn has no folds of its own that
are as fast: it scores by leave-one-out, which leaks between neighbouring samples. Candidates take turns, and medians are compared
with the faster of himalaya's two backends. For more features than samples, himalaya's kernel ridge is taken, which like ours
leaves the weights of features to whoever asks for them; a row of its own has them computed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from neurodecode.linear import RidgeCV
from neurodecode.linear.backend import get_backend
from neurodecode.linear.solve import Settings, prepare_features

SIZES = [(1000, 300, 4000), (1500, 800, 8000), (1000, 3000, 8000), (2000, 500, 2000)]
ALPHAS = np.logspace(0, 6, 10).astype(np.float32)
PEERS = ("himalaya numpy", "himalaya torch")
BARS = {"primal": {"himalaya": 1.2, "scikit-learn": 1.5}, "dual": {"himalaya": 0.95, "scikit-learn": 4.0}}
COARSE_BAR, MEAN_BARS = 1.5, {"himalaya": 1.4, "scikit-learn": 2.0}
Size = tuple[int, int, int]


class Problem(NamedTuple):
    """Features, targets and folds."""

    x: np.ndarray
    y: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]


class Found(NamedTuple):
    """One run."""

    wall: float
    cpu: float
    score: np.ndarray | None


def problem(size: Size, spectrum: float) -> Problem:
    """Gaussian features whose standard deviations fall as rank to the power of minus `spectrum`, and noisy targets."""
    n, p, n_targets = size
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p), dtype=np.float32) * np.arange(1, p + 1, dtype=np.float32) ** -np.float32(spectrum)
    x *= np.float32(np.sqrt(p) / np.linalg.norm(x.std(axis=0)))
    y = x @ rng.standard_normal((p, n_targets), dtype=np.float32) / np.float32(np.sqrt(p))
    y += rng.standard_normal(y.shape, dtype=np.float32)
    return Problem(x, y, [(np.setdiff1d(np.arange(n), test), test) for test in np.array_split(np.arange(n), 5)])


def ours(data: Problem, backend: str = "numpy", search: str = "grid", coef: bool = False) -> np.ndarray:
    """Best R2 of each target."""
    model = RidgeCV(ALPHAS, cv=data.folds, backend=backend, search=search).fit(data.x, data.y)
    if coef:
        assert model.coef_.shape == (data.x.shape[1], data.y.shape[1])
    return model.cv_scores_.max(axis=0)


def himalaya(data: Problem, backend: str) -> np.ndarray:
    """Best R2 of each target, by himalaya."""
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV as Dual
    from himalaya.ridge import RidgeCV as Primal
    from himalaya.scoring import r2_score
    from sklearn.model_selection import PredefinedSplit

    chosen = set_backend(backend)
    fold = np.concatenate([np.full(len(test), k) for k, (_, test) in enumerate(data.folds)])
    kind = Dual if data.x.shape[1] > len(data.x) else Primal
    params = {"score_func": r2_score} if kind is Dual else {"score_func": r2_score, "warn": False}
    model = kind(alphas=ALPHAS, cv=PredefinedSplit(fold), fit_intercept=True, solver_params=params)
    model.fit(chosen.asarray(data.x), chosen.asarray(data.y))
    return np.asarray(chosen.to_numpy(model.cv_scores_))


def sklearn(data: Problem) -> None:
    """scikit-learn's RidgeCV, by leave-one-out."""
    from sklearn.linear_model import RidgeCV as Peer

    Peer(ALPHAS, alpha_per_target=True).fit(data.x, data.y)


def candidates(dual: bool) -> dict[str, Callable[[Problem], Any]]:
    """Who takes part."""
    found: dict[str, Callable[[Problem], Any]] = {
        "neurodecode": ours,
        "himalaya numpy": lambda data: himalaya(data, "numpy"),
        "neurodecode, coarse": lambda data: ours(data, search="coarse"),
        "himalaya torch": lambda data: himalaya(data, "torch"),
        "neurodecode, torch": lambda data: ours(data, backend="torch"),
        "scikit-learn": sklearn,
    }
    return {**found, "neurodecode, with coef_": lambda data: ours(data, coef=True)} if dual else found


def run(call: Callable[[Problem], Any], data: Problem, threads: int) -> Found:
    """One run of one candidate."""
    import torch

    torch.set_num_threads(threads)
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cpu, start = time.process_time(), time.perf_counter()
        score = call(data)
        return Found(time.perf_counter() - start, time.process_time() - cpu, score)


def status(name: str) -> int:
    """A figure of this process, in bytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


def memory(name: str, size: Size, spectrum: float) -> int:
    """Memory that one run takes beyond its data, in a process of its own."""
    command = [sys.executable, __file__, "--memory-of", name, "--sizes", "x".join(map(str, size)), "--spectrum", str(spectrum)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def measure_memory(name: str, size: Size, spectrum: float) -> None:
    """Print what the run of one candidate takes at its peak, after a small run that loads its libraries."""
    call = candidates(size[1] > size[0])[name]
    small = (60, 90, 5) if size[1] > size[0] else (60, 5, 5)
    run(call, problem(small, spectrum), 1)
    data = problem(size, spectrum)
    before = status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts anew
    run(call, data, 1)
    print(status("VmHWM") - before)


def arithmetic(data: Problem) -> tuple[float, int]:
    """Multiply-adds of our fit in units of 2e9, with the penalties that were solved."""
    (n, p), n_targets = data.x.shape, data.y.shape[1]
    features = prepare_features(data.x, RidgeCV(ALPHAS, cv=data.folds).fit(data.x, data.y[:, :1]).folds_, ALPHAS, Settings(),
                                get_backend(), np.float32)  # fmt: skip
    d, total = features.design.width, float(n * p * n_targets if p <= n else 0)
    most = 0
    for hats in (h for group in features.hats() for h in group):
        n_solved, n_test, known = hats.operators.shape
        most = max(most, n_solved)
        total += n_solved * n_test * known * n_targets
        total += len(ALPHAS) * known**3 / 6 + n_solved * n_test * known**2 + (n - n_test) * p * min(p, n - n_test) / 2
    total += len(ALPHAS) * d**3 / 6 + d**2 * n_targets
    return 2 * total / 1e9, most


def product_rate(threads: int, clock: str) -> float:
    """Speed of a large product of matrices in single precision, in 1e9 operations per second of the clock."""
    now = time.perf_counter if clock == "wall" else time.process_time
    a = np.random.default_rng(0).standard_normal((2000, 2000), dtype=np.float32)
    with threadpool_limits(threads):
        seconds = []
        for _ in range(5):
            start = now()
            a @ a
            seconds.append(now() - start)
    return 2 * 2.0**3 / min(seconds)


def verdict(value: float, bar: float) -> str:
    """A ratio beside its bar."""
    return f"{value:5.2f} x ({'met' if value >= bar else 'MISSED'}: {bar})"


def compare(size: Size, threads: int, runs: int, clock: str, spectrum: float) -> dict[str, float]:
    """Print one table, and return ratios to the peers."""
    data, form = problem(size, spectrum), "dual" if size[1] > size[0] else "primal"
    calls = candidates(form == "dual")
    found: dict[str, list[Found]] = {name: [] for name in calls}
    warm = problem((60, 90, 5) if form == "dual" else (60, 5, 5), spectrum)
    for call in calls.values():  # loads libraries
        run(call, warm, threads)
    for _ in range(runs):
        for name, call in calls.items():
            found[name].append(run(call, data, threads))
    median = {name: float(np.median([getattr(f, clock) for f in of])) for name, of in found.items()}
    other = {"wall": "cpu", "cpu": "wall"}[clock]
    best = min(PEERS, key=lambda name: median[name])
    work, n_solved = arithmetic(data)
    limit = work / product_rate(threads, clock)
    print(f"\n{size[0]} x {size[1]} x {size[2]} ({form}), {threads} thread(s): {work:.0f} GFLOP with {n_solved} of {len(ALPHAS)} "
          f"penalties solved, {limit:.2f} s at the speed of a large product")  # fmt: skip
    for name, of in found.items():
        score = of[-1].score
        beside = (
            "" if score is None else f", score {score.mean():.5f}, off himalaya {np.abs(score - found[best][-1].score).max():.0e}"
        )
        values = f"{median[name]:6.2f} s {clock} ({np.median([getattr(f, other) for f in of]):6.2f} s {other})"
        print(f"  {name:<25} {values} {median[name] / limit:6.2f} x limit{beside}")
    ratio = {"himalaya": median[best] / median["neurodecode"], "scikit-learn": median["scikit-learn"] / median["neurodecode"]}
    for peer, value in ratio.items():
        print(f"  beside {peer if peer != 'himalaya' else best}: {verdict(value, BARS[form][peer])}")
    print(f"  coarse beside {best}: {verdict(median[best] / median['neurodecode, coarse'], COARSE_BAR)}")
    return ratio


def compare_memory(size: Size, spectrum: float) -> None:
    """Print memory beyond the data."""
    taken = {name: memory(name, size, spectrum) / 2**20 for name in ("neurodecode", *PEERS)}
    word = "met" if taken["neurodecode"] <= min(taken[name] for name in PEERS) else "MISSED"
    print(f"  memory beyond the data, MB: {', '.join(f'{k} {v:.0f}' for k, v in taken.items())} ({word}: not above himalaya)")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--sizes", nargs="*", help="samples x features x targets, e.g. 1000x300x4000")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu for a machine that is not quiet")
    parser.add_argument("--spectrum", type=float, default=0.0, help="how fast standard deviations of features fall")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes: list[Any] = [tuple(map(int, s.split("x"))) for s in given.sizes] if given.sizes else SIZES
    if given.memory_of:
        measure_memory(given.memory_of, sizes[0], given.spectrum)
        return
    for threads in given.threads:
        ratios = []
        for size in sizes:
            found = compare(size, threads, given.runs, given.clock, given.spectrum)
            ratios += [found] if size[1] <= size[0] else []
            if not given.no_memory and threads == given.threads[0]:
                compare_memory(size, given.spectrum)
        for peer, bar in MEAN_BARS.items() if ratios else []:
            mean = float(np.exp(np.mean([np.log(r[peer]) for r in ratios])))
            print(f"\n{threads} thread(s), primal, geometric mean beside {peer}: {verdict(mean, bar)}")


if __name__ == "__main__":
    main()
