"""Items of work on any `concurrent.futures.Executor`, with the same numbers for any number of workers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, as_completed, wait
from dataclasses import dataclass
from typing import Any, Literal

from neurodecode.errors import NeurodecodeError
from neurodecode.pipeline.executors import ProcessExecutor, SerialExecutor

_LOST = "its worker process died (out of memory?): use fewer jobs or set compute.max_memory"
Position = tuple[int, Future[Any]]  # of an item, and what became of it

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


def map_items(
    function: Callable[[Any], tuple[State, str]],
    items: Sequence[Any],
    *,
    executor: Executor,
    on_error: Literal["abort", "continue"] = "abort",
    report: Callable[[ItemStatus], None] = lambda status: None,
) -> list[ItemStatus]:
    """Run a function over items that have a ``name``, and tell what became of each.

    When a process of `make_executor` dies, new ones are started, and the items that it may have worked on are tried once
    more, one at a time, so that only the one that kills its process is failed.

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


def _finished(executor: Executor, function: Callable[..., Any], items: Sequence[Any]) -> Generator[Position, None, None]:
    """Position and future of each item as it is finished; closing it drops the items that have not begun."""
    if isinstance(executor, SerialExecutor):  # it runs an item when it is submitted: one at a time
        yield from ((i, executor.submit(_timed, function, item)) for i, item in enumerate(items))
        return
    if isinstance(executor, ProcessExecutor):
        yield from _in_processes(executor, function, items)
        return
    futures = {executor.submit(_timed, function, item): i for i, item in enumerate(items)}
    try:
        for future in as_completed(futures):
            yield futures[future], future
    finally:
        for future in futures:
            future.cancel()


def _in_processes(pool: ProcessExecutor, function: Callable[..., Any], items: Sequence[Any]) -> Generator[Position, None, None]:
    """As many items at once as there are processes, so that it is known which ones a dying process may have had."""
    queue = deque(range(len(items)))
    running: dict[Future[Any], int] = {}
    while queue or running:
        _fill(pool, function, items, queue, running)
        wait(running, return_when=FIRST_COMPLETED)
        if any(future.done() and _is_lost(future) for future in running):
            wait(running)
        ended = {future: running.pop(future) for future in list(running) if future.done()}
        suspects = sorted(i for future, i in ended.items() if _is_lost(future))
        yield from ((i, future) for future, i in ended.items() if i not in suspects)
        if suspects:
            pool.rebuild()
        for i in suspects:
            yield i, _alone(pool, function, items[i])


def _fill(
    pool: ProcessExecutor, function: Callable[..., Any], items: Sequence[Any], queue: deque[int], running: dict[Future[Any], int]
) -> None:
    """Give each free process an item."""
    while queue and len(running) < pool.jobs:
        try:
            running[pool.submit(_timed, function, items[queue[0]])] = queue[0]
        except BrokenExecutor:  # a process died since the last look
            if running:
                return
            pool.rebuild()
            continue
        queue.popleft()


def _alone(pool: ProcessExecutor, function: Callable[..., Any], item: Any) -> Future[Any]:
    """The future of an item that is the only one at work, and whose process may die."""
    future = pool.submit(_timed, function, item)
    wait([future])
    if _is_lost(future):
        pool.rebuild()
    return future


def _is_lost(future: Future[Any]) -> bool:
    """Whether the process of an item died; the error of dask is told by its name, for dask is imported only when asked for."""
    error = None if future.cancelled() else future.exception()
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"


def _timed(function: Callable[[Any], tuple[State, str]], item: Any) -> tuple[State, str, float, BaseException | None]:
    start = time.perf_counter()
    try:
        state, reason = function(item)
    except BrokenExecutor as error:  # of the processes of a step
        return "failed", _LOST, time.perf_counter() - start, error
    except (NeurodecodeError, OSError, MemoryError) as error:
        return "failed", one_line(error), time.perf_counter() - start, error
    return state, reason, time.perf_counter() - start, None


def _status(name: str, future: Future[Any]) -> ItemStatus:
    if _is_lost(future):
        return ItemStatus(name, "failed", _LOST, 0.0, future.exception())
    state, reason, seconds, error = future.result()
    return ItemStatus(name, state, reason, seconds, error)


def one_line(error: BaseException) -> str:
    """An error message without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
