"""Progress of a run: a live bar with ETA in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from neurodecode.pipeline.execute import ItemStatus


class Progress:
    """Shows each finished unit and the time that is left; everything goes to stderr."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._done = self._total = 0

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=Console(stderr=True))
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def stage(self, title: str, total: int) -> None:
        """Begin a stage of so many units."""
        self._done, self._total = 0, total
        if self._bar is not None:
            self._task = self._bar.add_task(title, total=total)

    def __call__(self, status: ItemStatus) -> None:
        """Show what became of a unit, and why."""
        self._done += 1
        line = f"[{self._done}/{self._total}] {status.name}: {status.state} ({status.reason}; {status.seconds:.1f} s)"
        if self._bar is not None:
            self._bar.console.print(line, highlight=False, markup=False)
            self._bar.advance(self._task)
        else:
            sys.stderr.write(line + "\n")
