"""Work for executors in tests: here, because a spawned worker finds only modules on the path, which test files are not."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from neurodecode.errors import DataError


@dataclass(frozen=True)
class Job:
    """A number to work on."""

    name: str
    number: int


def double(job: Job):
    """Fail for negative numbers, as a step would."""
    if job.number < 0:
        raise DataError(f"{job.number} is negative")
    return "done", str(2 * job.number)


def die(job: Job):
    """Kill the worker, as the operating system does when memory is out."""
    if job.number == 1:
        os._exit(9)
    time.sleep(0.2)
    return "done", "alive"


def bug(job: Job):
    """An error that is not ours."""
    raise ZeroDivisionError(job.name)


@dataclass(frozen=True)
class CountedJob:
    """What one item does, and where it counts how often it was begun."""

    name: str
    folder: str
    dies: int = 0


def count_or_die(job: CountedJob) -> tuple[str, str]:
    """Count, and kill the worker as often as told."""
    path = Path(job.folder) / job.name
    with open(path, "a") as file:
        file.write("x")
    if path.stat().st_size <= job.dies:
        time.sleep(0.2)  # the other workers are busy by now
        os._exit(9)
    time.sleep(0.05)
    return "done", "computed"


def embed_and_count(folder: str) -> float:
    """Embed into a shared cache, and count how often that had to be computed."""
    import numpy as np
    import pandas as pd

    from neurodecode.features.cache import embedded
    from neurodecode.features.units import Block, Site

    def blocks():
        with open(Path(folder) / "calls", "a") as file:
            file.write("x")
        time.sleep(0.5)  # the others ask meanwhile
        yield Block({Site("hidden", 0): np.arange(6, dtype=np.float32).reshape(3, 2)}, pd.DataFrame({"stimulus": list("abc")}))

    return float(np.sum(embedded("embed_things", {}, lambda: "key", blocks, cache=Path(folder) / "cache").data))
