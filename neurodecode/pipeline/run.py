"""Run a pipeline: plan its units, prepare each, decode each subject, write results and report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from neurodecode.errors import FormatError, NeurodecodeError, SplitLeakError
from neurodecode.pipeline.collect import collect, results_table, sentence
from neurodecode.pipeline.config import Config
from neurodecode.pipeline.execute import ItemStatus, SerialExecutor, make_executor, map_items
from neurodecode.pipeline.outputs import describe_output, write_outputs
from neurodecode.pipeline.plan import Unit, check_compute, find_units, jobs_within, prepare_items, subject_items
from neurodecode.pipeline.step import Item, run_item, why_run_item


class ProgressLike(Protocol):
    """What the runner tells about its progress."""

    def stage(self, title: str, total: int) -> None:
        """A stage of `total` units begins."""

    def __call__(self, status: ItemStatus) -> None:
        """A unit is finished."""


class Silent:
    """No progress is shown."""

    def stage(self, title: str, total: int) -> None:
        """A stage begins."""

    def __call__(self, status: ItemStatus) -> None:
        """A unit is finished."""


@dataclass(frozen=True)
class RunResults:
    """What a run found."""

    results: dict[str, Any]
    """Content of ``results.json``."""
    sentence: str
    """The main result in one line, with its chance level."""
    statuses: list[ItemStatus]
    """What became of each unit."""

    @property
    def failed(self) -> list[str]:
        """Units that failed, each with its reason."""
        return [f"{s.name} ({s.reason})" for s in self.statuses if s.state == "failed"]


def plan(config: Config, data: str | Path, out: str | Path) -> list[tuple[str, str]]:
    """Say what a run would do, without doing it.

    Parameters
    ----------
    config : FMRIDecoding, MEEGDecoding or IEEGQuality
        Configuration.
    data, out : str or Path
        BIDS folder and output folder.

    Returns
    -------
    list of (name, reason)
        Every unit of work, and why it would run or be skipped.
    """
    check_compute(config)
    units = find_units(config, Path(data))
    items = prepare_items(config, units, Path(data), Path(out))
    planned = [(item.name, why_run_item(item) or "skipped: outputs are there and verified") for item in items]
    return planned + [(item.name, "after its runs") for item in subject_items(config, units, Path(out), jobs=1)]


def run_pipeline(
    config: Config,
    data: str | Path,
    out: str | Path,
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    on_error: Literal["abort", "continue"] = "abort",
    progress: ProgressLike | None = None,
) -> RunResults:
    """Run a pipeline on a BIDS folder; what is finished and unchanged is not computed again.

    Parameters
    ----------
    config : FMRIDecoding, MEEGDecoding or IEEGQuality
        Configuration, see `neurodecode.pipeline.load_config`.
    data : str or Path
        BIDS folder.
    out : str or Path
        Folder for derivatives, ``results.json``, ``report.html`` and the rest; becomes a BIDS derivative.
    jobs : int
        Units at the same time; the numbers do not depend on it.
    executor : Executor, optional
        Any `concurrent.futures.Executor` instead of own processes.
    on_error : {"abort", "continue"}
        Stop at the first run that fails, or leave it out and say so.
    progress : callable, optional
        Told about stages and units.

    Returns
    -------
    RunResults
        Results, the main sentence, and what became of each unit.

    Raises
    ------
    NeurodecodeError
        The first failure, with ``on_error="abort"``, or if nothing is left.
    """
    start, shown = time.perf_counter(), progress or Silent()
    check_compute(config)
    root, target = Path(data), Path(out)
    units = find_units(config, root)
    jobs = jobs_within(config, units, root, jobs)
    describe_output(config, root, target)
    with _executor(executor, min(jobs, len(units))) as pool:
        prepared = _stage("prepare", prepare_items(config, units, root, target), pool, on_error, shown)
    kept = [u for u, s in zip(units, prepared, strict=True) if s.state != "failed"]
    _refuse_copies(kept, target)
    items = subject_items(config, kept, target, jobs=jobs)
    with _executor(executor if len(items) > 1 else SerialExecutor(), min(jobs, len(items))) as pool:
        decoded = _stage("decode", items, pool, on_error, shown)
    statuses = prepared + decoded
    contents = collect(config, root, target, kept, statuses)
    results = results_table(config, contents, statuses)
    write_outputs(config, target, contents, results, time.perf_counter() - start)
    return RunResults(results, sentence(results), statuses)


def _executor(given: Executor | None, jobs: int) -> AbstractContextManager[Executor]:
    return nullcontext(given) if given is not None else make_executor(jobs)


def _stage(title: str, items: Sequence[Item], pool: Executor, on_error: Any, progress: ProgressLike) -> list[ItemStatus]:
    progress.stage(title, len(items))
    statuses = map_items(run_item, items, executor=pool, on_error=on_error, report=progress)
    failed = [s for s in statuses if s.state == "failed"]
    if failed and (on_error == "abort" or len(failed) == len(statuses)):
        raise _named(failed[0])
    return statuses


def _named(status: ItemStatus) -> Exception:
    """The error of a unit, with the name of the unit in front where the message does not have it."""
    if isinstance(status.error, FormatError):  # it names its file
        return status.error
    kind = type(status.error) if isinstance(status.error, NeurodecodeError) else NeurodecodeError
    text = status.reason if status.name in status.reason else f"{status.name}: {status.reason}"
    return kind(text)


def _refuse_copies(units: Sequence[Unit], out: Path) -> None:
    """Refuse a data set in which one signal stands twice, whatever its files are called."""
    seen: dict[str, str] = {}
    for unit in units:
        digest = (out / unit.output / "signal.sha256").read_text(encoding="utf-8").strip()
        if digest in seen:
            raise SplitLeakError(
                f"{seen[digest]} and {unit.source} hold the same recording, number for number: remove one of them"
            )
        seen[digest] = unit.source
