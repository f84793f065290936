"""Stretches of time, half open: a time t lies inside where start <= t < end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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
        """Build from pairs; those of no length are left out.

        Parameters
        ----------
        pairs : iterable of (float, float)
            Start and end in s.

        Returns
        -------
        Intervals
            Sorted and merged.
        """
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
        """Tell which times lie inside a stretch.

        Parameters
        ----------
        times : array_like of shape (...)
            Times in s.

        Returns
        -------
        NDArray[np.bool_]
            Same shape as `times`; False for NaN.
        """
        t = np.asarray(times, float)
        i = np.searchsorted(self.start, t, side="right") - 1
        inside: NDArray[np.bool_] = (i >= 0) & (t < np.append(self.end, -np.inf)[i])
        return inside

    def covers(self, start: ArrayLike, end: ArrayLike) -> NDArray[np.bool_]:
        """Tell which windows lie inside one stretch as a whole.

        Parameters
        ----------
        start, end : array_like of one shape
            Borders of the windows in s.

        Returns
        -------
        NDArray[np.bool_]
            Same shape as `start`.
        """
        begin, stop = np.asarray(start, float), np.asarray(end, float)
        i = np.searchsorted(self.start, begin, side="right") - 1
        whole: NDArray[np.bool_] = (i >= 0) & (stop <= np.append(self.end, -np.inf)[i])
        return whole

    def intersection(self, other: Intervals) -> Intervals:
        """Keep what lies in both.

        Parameters
        ----------
        other : Intervals
            Stretches on the same clock.

        Returns
        -------
        Intervals
            Possibly none.
        """
        first = np.searchsorted(other.end, self.start, side="right")  # the stretches of `other` that reach into each of ours
        after = np.searchsorted(other.start, self.end, side="left")
        n = np.maximum(after - first, 0)
        mine = np.repeat(np.arange(len(self)), n)
        theirs = np.repeat(first, n) + np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        return Intervals(np.maximum(self.start[mine], other.start[theirs]), np.minimum(self.end[mine], other.end[theirs]))

    def union(self, other: Intervals) -> Intervals:
        """Keep what lies in either.

        Parameters
        ----------
        other : Intervals
            Stretches on the same clock.

        Returns
        -------
        Intervals
            Sorted and merged.
        """
        return Intervals(np.append(self.start, other.start), np.append(self.end, other.end))

    def complement(self, start: float, end: float) -> Intervals:
        """Keep the gaps inside the window [start, end).

        Parameters
        ----------
        start, end : float
            Borders of the window in s.

        Returns
        -------
        Intervals
            What `self` leaves out of the window.
        """
        inside = self.intersection(Intervals([start], [end]))
        return Intervals.from_pairs(zip([start, *inside.end], [*inside.start, end], strict=True))

    def shift(self, seconds: float) -> Intervals:
        """Move all stretches.

        Parameters
        ----------
        seconds : float
            Forward where positive.

        Returns
        -------
        Intervals
            As many stretches of the same length.
        """
        return Intervals(self.start + seconds, self.end + seconds)


def check_intervals(valid: Any) -> Intervals:
    """Return `valid` if it is an `Intervals`.

    Parameters
    ----------
    valid : Intervals
        The member of a `Recording` or `SpikeTrains`.

    Returns
    -------
    Intervals
        `valid`.

    Raises
    ------
    DataError
        If it is anything else.
    """
    if not isinstance(valid, Intervals):
        raise DataError(f"valid must be Intervals([start, ...], [end, ...]) in s, got {type(valid).__name__}")
    return valid


def _merge(start: NDArray[np.float64], end: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sort stretches and join those that overlap or touch."""
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    reach = np.maximum.accumulate(end) if len(end) else end
    new = np.ones(len(start), bool)
    new[1:] = start[1:] > reach[:-1]
    last = np.flatnonzero(np.append(new, True)[1:]) if len(start) else np.zeros(0, int)
    return start[new], reach[last]
