"""Signals that ask for a checkpoint and an end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Request:
    """What was asked for since the block began."""

    def __init__(self) -> None:
        self.signal: int = 0  # number of the first signal; 0 for none

    def __call__(self, number: int, frame: Any) -> None:
        """Remember the signal; the training looks at the next border between steps."""
        self.signal = self.signal or number


@contextmanager
def watching() -> Iterator[Request]:
    """Catch SIGTERM and SIGUSR1 within a block; the handlers from before come back after it.

    Only the main thread can catch signals: elsewhere, and for a signal that the system does not have, nothing is caught.

    Yields
    ------
    Request
        Holds the number of the first signal.
    """
    request = Request()
    names = ("SIGTERM", "SIGUSR1") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, request) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
