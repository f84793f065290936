"""Speed of the data objects and their store: ``python benchmarks/bench_data.py``; best of several repeats, one core."""

from __future__ import annotations

import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Intervals, Recording, Responses, Stimuli, load, save
from neurodecode.data.splits import by_run, contiguous_blocks


def measure(what: str, call: Callable[[], Any], number: int, target: float | None = None) -> None:
    """Print the time of one call in microseconds, beside its target where there is one."""
    seconds = min(timeit.repeat(call, number=number, repeat=5)) / number
    aim = "" if target is None else f"   target {target * 1e6:.0f}: {'met' if seconds <= target else 'MISSED'}"
    print(f"{what:<58} {seconds * 1e6:>12.1f} us{aim}")


def epochs() -> Responses:
    """Two hundred trials of 64 channels and 500 samples, as a data loader sees them."""
    samples = pd.DataFrame({"trial_type": ["a", "b"] * 100, "run": np.arange(200) // 20, "onset": 2.0 * np.arange(200)})
    data = np.random.default_rng(0).standard_normal((200, 64, 500)).astype(np.float32)
    return Responses(data, samples, pd.DataFrame({"name": [f"c{i}" for i in range(64)]}), np.arange(500) / 500)


def main() -> None:
    """Run all measurements."""
    e = epochs()
    recording = Recording(e.data.reshape(64, -1), 500.0, {"name": [f"c{i}" for i in range(64)]}, e.samples)
    starts = np.arange(0, 40_000, 2.0)
    stretches = Intervals(starts, starts + 1)
    stimuli = Stimuli([f"s{i}" for i in range(100_000)], range(100_000), "image")  # type: ignore[arg-type]
    chosen = stimuli.ids[::10]
    measure("Responses(200 x 64 x 500)", lambda: Responses(e.data, e.samples, e.units, e.times), 200, 1e-3)
    measure("Responses.select(one trial)", lambda: e.select(7), 2000, 20e-6)
    measure("Responses.select(trial_type=...)", lambda: e.select(trial_type="a"), 20)
    measure("Responses.average('trial_type')", lambda: e.average("trial_type"), 5)
    measure("Recording(64 x 100 000)", lambda: recording.replace(), 200)
    measure("Recording.crop", lambda: recording.crop(10.0, 20.0), 200)
    measure("Intervals.intersection (20 000 x 20 000)", lambda: stretches.intersection(stretches.shift(0.5)), 5)
    measure("Stimuli.select (10 000 of 100 000)", lambda: stimuli.select(chosen), 2)
    measure("by_run (10 runs, every window compared)", lambda: by_run(e), 5)
    measure("contiguous_blocks (200 samples)", lambda: contiguous_blocks(e.samples["onset"], 5, 10.0), 50)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "epochs"
        measure("save (25.6 MB, with sha256 and sync)", lambda: save(e, place), 1)
        measure("load, every member verified", lambda: load(place), 2)
        measure("load, sizes only", lambda: load(place, verify=False), 20)


if __name__ == "__main__":
    main()
