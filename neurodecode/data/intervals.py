"""Stretches of time, half open: a time t lies inside where start <= t < end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError


@dataclass(frozen=True, eq=False)
class Intervals:
    """Sorted, disjoint stretches of time in s.

    Parameters
    ----------
    start, end : array_like of shape (n,)
        Borders in s with start < end. Overlapping or touching stretches are merged.

    Raises
    ------
    DataError
        If the borders differ in number, are not finite, or an end is not after its start.

    Examples
    --------
    >>> Intervals([0, 2], [1, 3]).contains([0.5, 1.5, 2.0])
    array([ True, False,  True])
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]

    def __init__(self, start: ArrayLike, end: ArrayLike) -> None:
        begin, stop = np.atleast_1d(np.asarray(start, float)), np.atleast_1d(np.asarray(end, float))
        if begin.ndim != 1 or begin.shape != stop.shape:
            raise DataError(f"start and end must be two lists of one length, got shapes {begin.shape} and {stop.shape}")
        wrong = np.flatnonzero(~(np.isfinite(begin) & np.isfinite(stop) & (stop > begin)))
        if wrong.size:
            i = wrong[0]
            raise DataError(f"interval {i} must be finite and end after its start, got [{begin[i]}, {stop[i]})")
        begin, stop = _merge(begin, stop)
        object.__setattr__(self, "start", begin)
        object.__setattr__(self, "end", stop)

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[float, float]]) -> Intervals:
        """Build from (start, end) pairs in s; pairs of no length are left out."""
        kept = [(a, b) for a, b in pairs if b > a]
        return cls([a for a, _ in kept], [b for _, b in kept])

    def __len__(self) -> int:
        return len(self.start)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervals) and np.array_equal(self.start, other.start) and np.array_equal(self.end, other.end)

    def __repr__(self) -> str:
        shown = ", ".join(f"[{a:g}, {b:g})" for a, b in list(zip(self.start, self.end, strict=True))[:4])
        return f"Intervals({len(self)}: {shown}{', ...' if len(self) > 4 else ''}; {self.duration:g} s)"

    @property
    def duration(self) -> float:
        """Total length in s."""
        return float(np.sum(self.end - self.start))

    def contains(self, times: ArrayLike) -> NDArray[np.bool_]:
        """Whether each time in s lies inside a stretch."""
        t = np.asarray(times, float)
        i = np.searchsorted(self.start, t, side="right") - 1
        return (i >= 0) & (t < np.append(self.end, -np.inf)[i])

    def covers(self, start: ArrayLike, end: ArrayLike) -> NDArray[np.bool_]:
        """Whether each window [start, end] in s lies inside one stretch as a whole."""
        begin, stop = np.asarray(start, float), np.asarray(end, float)
        i = np.searchsorted(self.start, begin, side="right") - 1
        return (i >= 0) & (stop <= np.append(self.end, -np.inf)[i])

    def intersection(self, other: Intervals) -> Intervals:
        """Stretches that lie in both."""
        pairs = [
            (max(a, c), min(b, d))
            for a, b in zip(self.start, self.end, strict=True)
            for c, d in zip(other.start, other.end, strict=True)
        ]
        return Intervals.from_pairs(pairs)

    def union(self, other: Intervals) -> Intervals:
        """Stretches that lie in either."""
        return Intervals(np.append(self.start, other.start), np.append(self.end, other.end))

    def complement(self, start: float, end: float) -> Intervals:
        """The gaps inside the window [start, end) in s."""
        inside = self.intersection(Intervals([start], [end]))
        return Intervals.from_pairs(zip([start, *inside.end], [*inside.start, end], strict=True))

    def shift(self, seconds: float) -> Intervals:
        """All stretches moved by a number of seconds."""
        return Intervals(self.start + seconds, self.end + seconds)


def _merge(start: NDArray[np.float64], end: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    reach = np.maximum.accumulate(end) if len(end) else end
    new = np.ones(len(start), bool)
    new[1:] = start[1:] > reach[:-1]
    last = np.flatnonzero(np.append(new, True)[1:]) if len(start) else np.zeros(0, int)
    return start[new], reach[last]
