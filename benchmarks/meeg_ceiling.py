"""Ceiling and ridge of simulated M/EEG: ``python benchmarks/meeg_ceiling.py [speech|small|images|signs] ...``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from meeg_data import ridge_scores, right_columns, top_k

from neurodecode.simulate.meeg import SimulatedMEEG, oracle_scores, simulate_images, simulate_speech

SEEDS = (0, 1, 2)
SNRS = (0.1, 0.02, 0.008, 0.003, 0.001)
LARGE: dict[str, Any] = {"n_sensors": 32, "n_features": 12, "n_sources": 12, "sfreq": 40.0, "n_train": 300, "n_validation": 40}


def worlds(what: str) -> Iterator[tuple[str, Any, dict[str, Any], tuple[int, int]]]:
    """Name, generator, arguments and places of each row."""
    if what == "speech":
        yield from ((f"disc, snr {snr:g}", simulate_speech, {**LARGE, "lead_field": "disc", "snr": snr}, (1, 10)) for snr in SNRS)
    elif what == "small":
        for head in ("disc", "sphere"):
            for share, snrs in ((0.5, (0.05, 0.02, 0.008)), (1.0, (0.3, 0.1))):
                for snr in snrs:
                    given = {"lead_field": head, "rectified": share, "snr": snr}
                    yield f"{head}, rectified {share:g}, snr {snr:g}", simulate_speech, given, (1, 10)
    elif what == "images":
        for repeats, snr in ((1, 0.3), (1, 0.1), (1, 0.025), (4, 0.025)):
            yield f"{repeats} repeats averaged, snr {snr:g}", simulate_images, {"snr": snr, "n_repeats": repeats}, (1, 5)
    else:
        yield from (
            (f"random signs, snr {snr:g}", simulate_images, {"snr": snr, "random_signs": True}, (1, 5)) for snr in (0.3, 0.1)
        )


def accuracies(world: SimulatedMEEG, places: tuple[int, int]) -> list[float]:
    """Top-k of the oracle, then of the ridge of each subject."""
    test = world.responses.select(split="test")
    if "signs" not in world.truth.arrays:
        test = test.average(["subject", "stimulus"])
    right = right_columns(world, test)
    both = oracle_scores(world.truth, test), ridge_scores(world, test)
    return [top_k(scores, right, k) for scores in both for k in places]


def main() -> None:
    """Print a row for each world: mean and range over seeds."""
    for what in sys.argv[1:] or ["speech", "small", "images", "signs"]:
        for name, simulate, given, places in worlds(what):
            start = time.process_time()
            found = np.array([accuracies(simulate(**given, random_state=seed), places) for seed in SEEDS])
            cells = [f"{m:.3f} ({a:.3f} to {b:.3f})" for m, a, b in zip(found.mean(0), found.min(0), found.max(0), strict=True)]
            print(f"| {what}: {name} | {' | '.join(cells)} | {time.process_time() - start:.0f} s |", flush=True)


if __name__ == "__main__":
    main()
