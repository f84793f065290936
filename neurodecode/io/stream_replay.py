"""A recording played again as a stream, at its own pace or as fast as it is read."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import LazySignal, Recording
from neurodecode.data.validate import check_positive
from neurodecode.errors import DataError, FormatError
from neurodecode.io.stream import Marker, StreamSource, Triggers, event_markers

__all__ = ["ReplaySource"]

_IN_MEMORY = 2**30  # bytes of a recording on disk that are read before it begins
_AHEAD = 10.0  # s of a larger one that are read at once


class ReplaySource(StreamSource):
    """A recording as a stream of packets.

    Parameters
    ----------
    recording : Recording, str or Path
        What to play; a file is opened with `neurodecode.io.read`, one of a BIDS data set with its sidecars.
    chunk : float
        Length of a packet in s, at least one sample.
    realtime : bool
        Deliver a packet when its last sample would have been recorded, several at once to who comes late; otherwise one packet
        per call, without waiting.
    lost : collection of int
        Numbers of packets that never arrive: for tests of what follows.
    bufsize : float
        In real time: s of signal that are kept for who comes late. What is older is thrown away, as a device does, and
        counted in `overruns`.
    trigger : str, optional
        Channel whose codes become markers; by default markers are the events of the recording.

    Raises
    ------
    DataError
        If an argument is out of range, or the file does not hold a continuous recording.
    FormatError
        If the file is not read here.

    Examples
    --------
    >>> with ReplaySource("eeg.set", chunk=0.05) as source:  # doctest: +SKIP
    ...     chunk, timestamps = source.read()
    """

    def __init__(
        self,
        recording: Recording | str | Path,
        *,
        chunk: float = 0.02,
        realtime: bool = False,
        lost: Collection[int] = (),
        bufsize: float = 10.0,
        trigger: str | None = None,
    ) -> None:
        played = recording if isinstance(recording, Recording) else _opened(Path(recording))
        played = played.load() if isinstance(played.data, LazySignal) and played.data.nbytes <= _IN_MEMORY else played
        self.recording, self.names, self.sfreq = played, played.names, played.sfreq
        self.realtime, self.notes = bool(realtime), []
        self._size = max(1, round(check_positive("chunk", chunk) * self.sfreq))
        self._kept = max(self._size, round(check_positive("bufsize", bufsize) * self.sfreq))
        self._lost = {int(number) for number in lost}
        self._triggers = None if trigger is None else Triggers(self.names, trigger)
        self._markers = [] if trigger is not None else event_markers(played)
        self._found: list[Marker] = []
        self._next, self._begun = 0, float("nan")
        self._block: NDArray[Any] = np.zeros((played.n_channels, 0), np.float32)
        self._block_start = 0

    def read(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Give the next packet or, in real time, all that are due; the last packet may be shorter."""
        start, stop = self._span()
        self._next = stop
        self.ended = stop >= self.recording.n_times
        chunk = self._signal(start, stop)
        timestamps = self.recording.t0 + np.arange(start, stop) / self.sfreq
        if self._triggers is not None:
            self._found += self._triggers.find(chunk, timestamps)
        return chunk, timestamps

    def markers(self) -> list[Marker]:
        """Give the events up to the last sample that was delivered."""
        reached = self.recording.t0 + self._next / self.sfreq
        while self._markers and self._markers[0].onset < reached:
            self._found.append(self._markers.pop(0))
        found, self._found = self._found, []
        return found

    def now(self) -> float:
        """In real time, the time that has passed since the first call of `read`, on the clock of the recording."""
        return self.recording.t0 + time.perf_counter() - self._begun if self.realtime else float("nan")

    # --- which samples ---------------------------------------------------------------------------------------------

    def _span(self) -> tuple[int, int]:
        """First sample of the next delivery, and the one after its last."""
        n_times, start = self.recording.n_times, self._after_lost(self._next)
        if not self.realtime:
            return start, min(start + self._size, n_times)
        due = self._wait_for(min(start + self._size, n_times)) if start < n_times else n_times
        if due - start > self._kept:
            start = min(self._after_lost((due - self._kept) // self._size * self._size), due)
            self.overruns += 1
        gaps = [p * self._size for p in self._lost if start < p * self._size < due]
        return start, min([due, *gaps])

    def _after_lost(self, start: int) -> int:
        """The first sample from `start` on that is not in a lost packet."""
        while start < self.recording.n_times and start // self._size in self._lost:
            start = min(start + self._size, self.recording.n_times)
        return start

    def _wait_for(self, stop: int) -> int:
        """Wait until the packet that ends before sample `stop` has been recorded; how far whole packets reach by then."""
        if np.isnan(self._begun):
            self._signal(0, 1)  # what is slow the first time does not count
            self._begun = time.perf_counter()
        time.sleep(max(0.0, self._begun + stop / self.sfreq - time.perf_counter()))
        recorded = int((time.perf_counter() - self._begun) * self.sfreq + 1e-6)
        return stop if recorded < stop + self._size else min(recorded // self._size * self._size, self.recording.n_times)

    # --- from where ------------------------------------------------------------------------------------------------

    def _signal(self, start: int, stop: int) -> NDArray[Any]:
        """Samples of all channels; a recording on disk is read in long stretches."""
        data = self.recording.data
        if not isinstance(data, LazySignal):
            return np.asarray(data[:, start:stop])
        if start < self._block_start or stop > self._block_start + self._block.shape[1]:
            self._block, self._block_start = data[:, start : max(stop, start + round(_AHEAD * self.sfreq))], start
        return self._block[:, start - self._block_start : stop - self._block_start]


def _opened(path: Path) -> Recording:
    """The continuous recording in a file."""
    from neurodecode.io.bids_search import bids_file
    from neurodecode.io.meeg import read_bids_meeg
    from neurodecode.io.read import read

    try:
        root = bids_file(path).root
    except (FormatError, DataError):
        root = None
    found = read(path) if root is None else read_bids_meeg(root, path)
    if not isinstance(found, Recording):
        raise DataError(f"{path} holds {type(found).__name__}, only a continuous recording can be played")
    return found
