"""What time stamps say about a stream: where it began, how it drifts, and which samples never came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_DRIFT_TIME = 10.0  # s over which the clock follows its time stamps


class Stretch(NamedTuple):
    """Samples of a chunk that follow each other without a gap."""

    start: int
    """First sample of the chunk."""
    stop: int
    """The sample after the last."""
    missing: int
    """How many samples were lost before the first."""
    restart: bool
    """Whether counting begins anew with the first: the clock jumped back, or the gap was too long."""


class StreamClock:
    """Counts samples, lost ones included, and knows when each was taken.

    A time stamp that is off by more than the jitter means lost samples. Smaller deviations are followed slowly, so that
    the clock keeps to a device whose true rate is not quite the nominal one.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz.
    jitter : float
        By how much time stamps may be off in s; at least 0.6 of a sample is allowed.
    max_missing : int
        After a longer gap, and after a jump back, everything begins anew.
    """

    def __init__(self, sfreq: float, jitter: float = 0.0, max_missing: int = 2**62) -> None:
        self.sfreq, self._tolerance, self._max_missing = sfreq, max(jitter, 0.6 / sfreq), max_missing
        self.count, self.anchor = 0, float("nan")

    def place(self, timestamps: NDArray[np.float64]) -> Iterator[Stretch]:
        """Cut a chunk where samples are missing, and count on.

        Parameters
        ----------
        timestamps : array of shape (n,)
            Times of the samples of the chunk in s.

        Yields
        ------
        Stretch
            One where nothing is missing. `count` and `anchor` are those at its end.
        """
        if np.isnan(self.anchor) and len(timestamps):
            self.anchor = float(timestamps[0])
        start, missing, restart = 0, 0, False
        off = self._deviation(timestamps)
        while (wrong := np.abs(off[start:]) > self._tolerance).any():
            at = start + int(np.argmax(wrong))
            if at > start:
                self.count += at - start
                yield Stretch(start, at, max(missing, 0), restart)
            missing = round(off[at] * self.sfreq)
            restart = not 0 < missing <= self._max_missing
            self.count += missing
            if restart:
                self.count, self.anchor = 0, float(timestamps[at])
            off[at:] = self._deviation(timestamps[at:])
            start = at
        if len(timestamps):
            self.count += len(timestamps) - start
            yield Stretch(start, len(timestamps), max(missing, 0), restart)
            self._follow(off[start:])

    def reset(self) -> None:
        """Forget the stream."""
        self.count, self.anchor = 0, float("nan")

    def _deviation(self, timestamps: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much each of the next samples is late, in s."""
        return timestamps - self.anchor - (self.count + np.arange(len(timestamps))) / self.sfreq

    def _follow(self, off: NDArray[np.float64]) -> None:
        """Move the clock towards what the time stamps say."""
        mean = float(off.mean())
        if abs(mean) * self.sfreq > 1e-6:  # less is rounding
            self.anchor += mean * -float(np.expm1(-len(off) / self.sfreq / _DRIFT_TIME))
