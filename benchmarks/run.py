"""Measure the figures of docs/benchmarks.md: ``python benchmarks/run.py [NAME ...]``; each line names what was run."""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

DECODED = {"haxby_objects": "haxby2001", "eeg_faces": "muse_n170", "eeg_p300": "muse_p300"}
HEAVY = ("torch", "sklearn", "scipy", "pandas", "mne", "nibabel", "matplotlib")


class Row(NamedTuple):
    """One line of the table."""

    what: str
    """What was measured."""
    figure: str
    """The figure, with chance or limit."""
    seconds: float
    """Wall time of the command."""
    command: str
    """What was run."""


def timed(command: list[str]) -> tuple[str, float]:
    """Standard output and wall time of a command that must succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout, time.perf_counter() - start


def neurodecode(*arguments: str) -> tuple[str, float]:
    """Run the command line of the interpreter that runs this file."""
    return timed([sys.executable, "-c", "from neurodecode.cli import main; main()", *arguments])


def run_pipeline(name: str, out: Path, *more: str) -> tuple[dict, float]:
    """Run a named pipeline on its recordings; its results and wall time."""
    _, seconds = neurodecode("run", name, "--data", str(data(DECODED[name])), "--out", str(out), *more)
    return json.loads((out / "results.json").read_text(encoding="utf-8")), seconds


def data(name: str) -> Path:
    """Folder of a set of real recordings."""
    root = os.environ.get("NEURODECODE_TEST_DATA")
    if not root:
        raise SystemExit("NEURODECODE_TEST_DATA is not set: it names the folder of real recordings")
    return Path(root) / name


def start_up(scratch: Path) -> Iterator[Row]:
    """Import and help: the median of five, and what the import loads."""
    code = f"import neurodecode, sys; print([m for m in {HEAVY} if m in sys.modules])"
    bare = float(np.median([timed([sys.executable, "-c", "pass"])[1] for _ in range(5)]))
    runs = [timed([sys.executable, "-c", code]) for _ in range(5)]
    seconds = float(np.median([s for _, s in runs])) - bare
    yield Row(
        "import",
        f"{seconds:.3f} s beyond Python itself; heavy packages loaded: {runs[0][0].strip()}",
        seconds,
        "import neurodecode",
    )
    seconds = float(np.median([neurodecode("--help")[1] for _ in range(5)]))
    yield Row("help", f"{seconds:.2f} s", seconds, "neurodecode --help")


def scores(scratch: Path) -> Iterator[Row]:
    """The decoding pipelines on their recordings."""
    for name, folder in DECODED.items():
        found, seconds = run_pipeline(name, scratch / name, "--jobs", "2")
        figure = f"{found['metric']} {found['score']:.3f}, chance {found['chance']:.3f}, p = {found['p_value']:.3f}"
        figure += f", {found['baseline_name']} {found['baseline']:.3f}"
        yield Row(name, figure, seconds, f"neurodecode run {name} --data {folder} --out OUT --jobs 2")


def null(scratch: Path, n_seeds: int = 20) -> Iterator[Row]:
    """The same pipelines with labels shuffled within runs: the mean over seeds must be at chance."""
    for name, folder in DECODED.items():
        settings = ["--set", "decode.n_permutations=0", "--set", "decode.time_resolved=false"]
        runs = [run_pipeline(name, scratch / name, *settings, "--set", f"decode.permute_labels={k}") for k in range(n_seeds)]
        values = np.array([found["score"] for found, _ in runs])
        error = values.std(ddof=1) / np.sqrt(n_seeds)
        chance = runs[0][0]["chance"]
        z = (values.mean() - chance) / error
        figure = f"mean {values.mean():.3f} ± {error:.3f} over {n_seeds} seeds, chance {chance:.3f}, z = {z:.1f}"
        command = f"neurodecode run {name} --data {folder} --out OUT --set decode.permute_labels=SEED"
        yield Row(f"{name}, labels shuffled", figure, sum(s for _, s in runs), command)


def repeats(scratch: Path) -> Iterator[Row]:
    """One job against two: equal bytes."""
    seconds = [run_pipeline("eeg_faces", scratch / jobs, "--jobs", jobs)[1] for jobs in ("1", "2")]
    names = [
        p.relative_to(scratch / "1") for p in sorted((scratch / "1").rglob("*")) if p.is_file() and p.name != "provenance.json"
    ]
    different = [str(n) for n in names if not filecmp.cmp(scratch / "1" / n, scratch / "2" / n, shallow=False)]
    figure = f"{len(names) - len(different)} of {len(names)} files equal" + (f"; different: {different}" if different else "")
    yield Row(
        "one job against two", figure, sum(seconds), "neurodecode run eeg_faces --data muse_n170 --out OUT --jobs 1, then 2"
    )


BENCHMARKS: dict[str, Callable[[Path], Iterator[Row]]] = {"start": start_up, "scores": scores, "null": null, "repeats": repeats}


def main() -> None:
    """Print the rows of the table as they are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(BENCHMARKS)}; by default all")
    chosen = parser.parse_args().names or list(BENCHMARKS)
    unknown = sorted(set(chosen) - set(BENCHMARKS))
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    print("| what | figure | wall | command |\n|---|---|---|---|")
    for name in chosen:
        with tempfile.TemporaryDirectory() as scratch:
            for row in BENCHMARKS[name](Path(scratch)):
                print(f"| {row.what} | {row.figure} | {row.seconds:.1f} s | `{row.command}` |", flush=True)


if __name__ == "__main__":
    main()
