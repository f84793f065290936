"""Optimal gains of 255 units and 511 stimuli: ``python benchmarks/gain_control.py``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from neurodecode.analysis.gain_control import gain_gradient, linear_readout, optimal_gains, recurrent_operator, second_moment
from neurodecode.simulate.tuning_curves import biased_ensemble, gaussian_recurrence, gaussian_tuning

N_UNITS, N_STIMULI = 255, 511


def median_ms(function: Callable[[], object], repeats: int = 7) -> float:
    """Median wall time in ms."""
    function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds)


def main() -> None:
    """Print rows of a table."""
    stimuli, preferred = (180 * np.arange(n) / n for n in (N_STIMULI, N_UNITS))
    drive, M = gaussian_tuning(stimuli, preferred), recurrent_operator(gaussian_recurrence(preferred))
    D = linear_readout(drive, np.full(N_STIMULI, 1 / N_STIMULI), M)
    p = biased_ensemble(stimuli)

    def closed() -> np.ndarray:
        return optimal_gains(second_moment(drive, p), M, D, 1.0, 1.0)

    def searched() -> np.ndarray:
        C = second_moment(drive, p)
        through = D @ M
        A = (through.T @ through + M.T @ M) * C + np.eye(N_UNITS)
        b = (through.T * C).sum(axis=1) + 1
        options = {"gtol": 1e-10, "ftol": 1e-15}
        start = np.ones(N_UNITS)
        return minimize(lambda g: (g @ A @ g - 2 * b @ g, 2 * (A @ g - b)), start, jac=True, method="L-BFGS-B", options=options).x

    C = second_moment(drive, p)
    slope = np.abs(gain_gradient(closed(), C, M, D, 1.0, 1.0)).max()
    apart = np.abs(closed() - searched()).max()
    print("| what | figure |\n|---|---|")
    print(f"| moment of the drive and gains, {N_UNITS} units, {N_STIMULI} stimuli | {median_ms(closed):.1f} ms |")
    print(f"| the same by L-BFGS of scipy | {median_ms(searched):.1f} ms |")
    print(f"| largest gradient at the closed form; largest difference from L-BFGS | {slope:.1e}; {apart:.1e} |")


if __name__ == "__main__":
    main()
