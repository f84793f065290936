"""Weights that bring events to a clock: one sparse matrix per run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import check_option

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Method = Literal["lanczos", "box", "last", "mean", "sinc"]
METHODS: tuple[Method, ...] = ("lanczos", "box", "last", "mean", "sinc")
_SLACK = 1e-6  # of a scan: an onset written as a whole scan begins that scan
_COVERED = 0.5  # of its weight: below, a mean of held values would stand for time in which there are none
_Times = NDArray[np.float64]
_Entries = tuple[NDArray[np.int64], NDArray[np.int64], _Times]  # scan, event, weight


def clock_weights(
    onsets: _Times,
    offsets: _Times,
    starts: _Times,
    *,
    width: float,
    method: Method = "lanczos",
    held: bool = False,
    cutoff: float,
    window: float = 3.0,
    reference: float = 0.5,
) -> csr_array:
    """Weight of each event on each scan.

    Parameters
    ----------
    onsets, offsets : array of shape (n_events,)
        Begin and end of the events in s, in any order.
    starts : array of shape (n_scans,)
        Start of each scan in s, ascending, at least `width` apart.
    width : float
        Length of a scan in s.
    method : {"lanczos", "box", "last", "mean", "sinc"}
        Weights, as in `neurodecode.features.to_tr`.
    held : bool
        Whether rows become weighted means of values that last from onset to offset.
    cutoff : float
        Rate of the sinc in Hz.
    window : float
        Lobes of the Lanczos kernel on each side.
    reference : float
        Time that a scan stands for, as a fraction of its width.

    Returns
    -------
    scipy.sparse.csr_array of shape (n_scans, n_events)
        In float64.

    Raises
    ------
    DataError
        If the method is unknown.
    """
    from scipy.sparse import csr_array

    check_option("method", method, METHODS)
    centres = starts + reference * width
    if method in ("lanczos", "sinc"):
        at = (onsets + offsets) / 2 if held else onsets
        entries = _kernel(at, centres, cutoff, window if method == "lanczos" else np.inf)
        mass = cutoff * (offsets - onsets) if held else None
    elif method == "box":
        entries = _overlap(onsets, offsets, centres - width / 2, width)
        mass = (offsets - onsets) / width if held else None
    else:
        entries = _beginning(onsets, centres - width / 2, width, last=method == "last")
        mass = None
    scan, event, weight = entries
    weight = weight if mass is None else weight * mass[event]
    matrix = csr_array((weight, (scan, event)), shape=(len(starts), len(onsets)))
    return _as_means(matrix) if mass is not None else matrix


def _kernel(at: _Times, centres: _Times, cutoff: float, window: float) -> _Entries:
    """Lanczos-windowed sinc of the distance; without a window where it is infinite."""
    order = np.argsort(at, kind="stable")
    reach, ordered = window / cutoff, at[order]
    scan, place = _pairs(np.searchsorted(ordered, centres - reach), np.searchsorted(ordered, centres + reach, side="right"))
    x = cutoff * (centres[scan] - ordered[place])
    return scan, order[place], np.sinc(x) * np.sinc(x / window)


def _overlap(onsets: _Times, offsets: _Times, starts: _Times, width: float) -> _Entries:
    """The part of each event that lies in each scan; an event without a duration lies where it begins."""
    lasting = np.where(offsets > onsets, np.searchsorted(starts, offsets), 0)
    event, scan = _pairs(np.searchsorted(starts + width, onsets, side="right"), lasting)
    inside = np.minimum(offsets[event], starts[scan] + width) - np.maximum(onsets[event], starts[scan])
    weight = np.maximum(inside, 0) / (offsets - onsets)[event]
    instants = np.flatnonzero(offsets <= onsets)
    begins = _scan_of(onsets[instants], starts, width)
    instants, begins = instants[begins >= 0], begins[begins >= 0]
    joined = zip((scan, event, weight), (begins, instants, np.ones(len(instants))), strict=True)
    scan, event, weight = (np.concatenate(pair) for pair in joined)
    return scan, event, weight


def _beginning(onsets: _Times, starts: _Times, width: float, *, last: bool) -> _Entries:
    """The events that begin in a scan: the last of them, or each with its part of a mean."""
    scan = _scan_of(onsets, starts, width)
    event = np.argsort(onsets, kind="stable")
    event = event[scan[event] >= 0]
    scan = scan[event]
    if last:
        final = np.append(scan[1:] != scan[:-1], True)[: len(scan)]
        return scan[final], event[final], np.ones(int(final.sum()))
    return scan, event, 1 / np.bincount(scan, minlength=len(starts))[scan]


def _scan_of(times: _Times, starts: _Times, width: float) -> NDArray[np.int64]:
    """Scan in which each time lies, -1 where it lies in none."""
    slack = _SLACK * width
    scan = np.searchsorted(starts - slack, times, side="right") - 1
    inside = (scan >= 0) & (times < (starts[scan] if len(starts) else 0) + width - slack)
    return np.where(inside, scan, -1)


def _pairs(first: NDArray[Any], stop: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of each range, and each number in it, for ranges from `first` to before `stop`."""
    counts = np.maximum(stop - first, 0)
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - first, counts)


def _as_means(matrix: csr_array) -> csr_array:
    """Rows divided by their sum; rows that hold too little of it become 0."""
    total = np.asarray(matrix.sum(axis=1)).ravel()
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total >= _COVERED)
    return (matrix.T.multiply(scale)).T.tocsr()
