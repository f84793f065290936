"""Items of work on any `concurrent.futures.Executor`, with the same numbers for any number of workers."""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from neurodecode.errors import NeurodecodeError

State = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class ItemStatus:
    """What became of one item of work."""

    name: str
    """The item."""
    state: State
    """Whether it was computed, was there already, or failed."""
    reason: str
    """Why it ran or was skipped, or the error in one line."""
    seconds: float
    """Wall time."""
    error: BaseException | None = None
    """What it failed with."""


class SerialExecutor(Executor):
    """Runs each item at once in this process: for debugging, tests, and one job."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call `fn` now and hold its result or error.

        Parameters
        ----------
        fn : callable
            What to call.
        *args, **kwargs
            Passed to it.

        Returns
        -------
        Future
            Already finished.
        """
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # an executor hands every error to whoever asks for the result
            future.set_exception(error)
        return future


@contextmanager
def make_executor(jobs: int) -> Iterator[Executor]:
    """An executor for a number of jobs: this process for one, spawned processes for more.

    Parameters
    ----------
    jobs : int
        Items at the same time.

    Yields
    ------
    Executor
        Closed afterwards; items not yet begun are dropped if the block fails.
    """
    if jobs <= 1:
        yield SerialExecutor()
        return
    filters = list(warnings.filters)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(filters,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(filters: list[Any]) -> None:
    """Give a worker the parent's warning filters."""
    warnings.filters[:] = filters  # type: ignore[index]  # the documented list, typed as a sequence


def map_items(
    function: Callable[[Any], tuple[State, str]],
    items: Sequence[Any],
    *,
    executor: Executor,
    on_error: Literal["abort", "continue"] = "abort",
    report: Callable[[ItemStatus], None] = lambda status: None,
) -> list[ItemStatus]:
    """Run a function over items that have a ``name``, and tell what became of each.

    Parameters
    ----------
    function : callable
        Module-level function of one item; returns its state and the reason. It reads and writes its own files.
    items : sequence
        Small, picklable items; each is safe to run again.
    executor : Executor
        Where to run them.
    on_error : {"abort", "continue"}
        Whether the first failure drops the items that have not begun.
    report : callable
        Called with each `ItemStatus` as it comes in.

    Returns
    -------
    list of ItemStatus
        In the order of the items; dropped items are missing.
    """
    statuses: dict[int, ItemStatus] = {}
    finished = _finished(executor, function, items)
    for i, future in finished:
        statuses[i] = _status(items[i].name, future)
        report(statuses[i])
        if statuses[i].state == "failed" and on_error == "abort":
            finished.close()
            break
    return [statuses[i] for i in sorted(statuses)]


def _finished(
    executor: Executor, function: Callable[..., Any], items: Sequence[Any]
) -> Generator[tuple[int, Future[Any]], None, None]:
    """Position and future of each item as it is finished; closing it drops the items that have not begun."""
    if isinstance(executor, SerialExecutor):  # it runs an item when it is submitted: one at a time
        yield from ((i, executor.submit(_timed, function, item)) for i, item in enumerate(items))
        return
    futures = {executor.submit(_timed, function, item): i for i, item in enumerate(items)}
    try:
        for future in as_completed(futures):
            yield futures[future], future
    finally:
        for future in futures:
            future.cancel()


def _timed(function: Callable[[Any], tuple[State, str]], item: Any) -> tuple[State, str, float, BaseException | None]:
    start = time.perf_counter()
    try:
        state, reason = function(item)
    except (NeurodecodeError, OSError, MemoryError) as error:
        return "failed", one_line(error), time.perf_counter() - start, error
    return state, reason, time.perf_counter() - start, None


def _status(name: str, future: Future[Any]) -> ItemStatus:
    try:
        state, reason, seconds, error = future.result()
    except BrokenProcessPool as broken:
        reason = "its worker process died (out of memory?): use fewer jobs or set compute.max_memory"
        return ItemStatus(name, "failed", reason, 0.0, broken)
    return ItemStatus(name, state, reason, seconds, error)


def one_line(error: BaseException) -> str:
    """An error message without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
