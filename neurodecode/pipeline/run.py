"""Run a pipeline: plan its units, prepare each, decode each subject, write results and report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from neurodecode.data.cache import hold, sweep_locks
from neurodecode.data.leftovers import sweep
from neurodecode.errors import FormatError, NeurodecodeError, SplitLeakError
from neurodecode.pipeline.collect import collect, results_table, sentence
from neurodecode.pipeline.config import Comparing, Config
from neurodecode.pipeline.execute import ItemStatus, State, map_items
from neurodecode.pipeline.executors import SerialExecutor, make_executor
from neurodecode.pipeline.generator import generator_items
from neurodecode.pipeline.outputs import describe_output, write_outputs
from neurodecode.pipeline.planning import Unit, check_compute, find_units, jobs_within, prepare_items, subject_items
from neurodecode.pipeline.prepare import SIGNAL_HASH
from neurodecode.pipeline.step import Item, check_item, run_item, why_run_item


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
    units = find_units(config, data_of(config, Path(data)))
    items = [*prepare_items(config, units, Path(data), Path(out)), *generator_items(config, Path(data), Path(out))]
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

    Several processes may run into the same output folder at once. What a killed run has left there is removed.

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
    start = time.perf_counter()
    root = data_of(config, Path(data))
    done = _compute(config, root, Path(out), run_item, jobs, executor, on_error, progress or Silent())
    return _join(config, root, Path(out), done, start)


def data_of(config: Config, data: Path) -> Path:
    """The data folder; what a configuration wants simulated is written there first."""
    if getattr(config.input, "simulate", None) is None:
        return data
    from neurodecode.pipeline.config_connectome import Connectome
    from neurodecode.pipeline.connectome import simulate_traces
    from neurodecode.pipeline.meeg_windows import simulate_windows

    return simulate_traces(config, data) if isinstance(config, Connectome) else simulate_windows(config, data)  # type: ignore[arg-type]


def run_participants(
    config: Config,
    data: str | Path,
    out: str | Path,
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    on_error: Literal["abort", "continue"] = "continue",
    progress: ProgressLike | None = None,
) -> list[ItemStatus]:
    """Prepare and decode each subject and leave results and report to `join_participants`: the participant level of BIDS.

    Calls for different subjects, or for the same, may run at once into the same output folder.

    Parameters
    ----------
    config : FMRIDecoding, MEEGDecoding or IEEGQuality
        Configuration; ``config.input.subjects`` chooses the subjects.
    data : str or Path
        BIDS folder.
    out : str or Path
        Output folder.
    jobs : int
        Units at the same time; the numbers do not depend on it.
    executor : Executor, optional
        Any `concurrent.futures.Executor` instead of own processes.
    on_error : {"abort", "continue"}
        Stop at the first run that fails, or finish the others.
    progress : callable, optional
        Told about stages and units.

    Returns
    -------
    list of ItemStatus
        What became of each unit.

    Raises
    ------
    NeurodecodeError
        The first failure, with ``on_error="abort"``.
    """
    done = _compute(config, Path(data), Path(out), run_item, jobs, executor, on_error, progress or Silent())
    return done.prepared + done.decoded


def join_participants(config: Config, data: str | Path, out: str | Path, *, progress: ProgressLike | None = None) -> RunResults:
    """Write results and report from what `run_participants` has finished: the group level of BIDS.

    Parameters
    ----------
    config : FMRIDecoding, MEEGDecoding or IEEGQuality
        The configuration of the participants.
    data : str or Path
        BIDS folder.
    out : str or Path
        Output folder of the participants.
    progress : callable, optional
        Told about stages and units.

    Returns
    -------
    RunResults
        As `run_pipeline` gives them; a unit that is not finished is left out and named as failed.

    Raises
    ------
    NeurodecodeError
        If nothing is finished.
    """
    start = time.perf_counter()
    done = _compute(config, Path(data), Path(out), check_item, 1, SerialExecutor(), "continue", progress or Silent())
    return _join(config, Path(data), Path(out), done, start)


class _Done(NamedTuple):
    """Runs that could be prepared, and what became of all units."""

    kept: list[Unit]
    prepared: list[ItemStatus]
    decoded: list[ItemStatus]


def _compute(
    config: Config,
    root: Path,
    out: Path,
    function: Callable[[Item], tuple[State, str]],
    jobs: int,
    executor: Executor | None,
    on_error: Literal["abort", "continue"],
    progress: ProgressLike,
) -> _Done:
    """Prepare each run and decode each subject, or, with `check_item`, look whether that was done."""
    check_compute(config)
    units = find_units(config, root)
    jobs = jobs_within(config, units, root, jobs)
    describe_output(config, root, out)
    sweep(out)
    sweep_locks(out)

    def stage(title: str, items: Sequence[Item], given: Executor | None) -> list[ItemStatus]:
        progress.stage(title, len(items))
        with _executor(given, min(jobs, len(items))) as pool:
            statuses = map_items(function, items, executor=pool, on_error=on_error, report=progress)
        failed = [s for s in statuses if s.state == "failed"]
        if failed and on_error == "abort":
            raise _named(failed[0])
        return statuses

    prepared = stage("prepare", prepare_items(config, units, root, out), executor)
    kept = [u for u, s in zip(units, prepared, strict=True) if s.state != "failed"]
    _refuse_copies(kept, out)
    training = generator_items(config, root, out)
    trained = stage("train", training, SerialExecutor()) if training else []
    items = subject_items(config, kept, out, jobs=jobs)
    work = "compare" if isinstance(config, Comparing) else "decode"
    return _Done(kept, [*prepared, *trained], stage(work, items, executor if len(items) > 1 else SerialExecutor()))


def _executor(given: Executor | None, jobs: int) -> AbstractContextManager[Executor]:
    return nullcontext(given) if given is not None else make_executor(jobs)


def _join(config: Config, root: Path, out: Path, done: _Done, start: float) -> RunResults:
    """Write results and report; one process at a time."""
    for statuses in (done.prepared, done.decoded):
        if statuses and all(s.state == "failed" for s in statuses):
            raise _named(statuses[0])
    statuses = done.prepared + done.decoded
    with hold(out / ".results.lock"):
        contents = collect(config, root, out, done.kept, statuses)
        results = results_table(config, contents, statuses)
        write_outputs(config, out, contents, results, time.perf_counter() - start)
    return RunResults(results, sentence(results), statuses)


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
        digest = (out / unit.output / SIGNAL_HASH).read_text(encoding="utf-8").strip()
        if digest in seen:
            raise SplitLeakError(
                f"{seen[digest]} and {unit.source} hold the same recording, number for number: remove one of them"
            )
        seen[digest] = unit.source
