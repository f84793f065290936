"""Sums of products of lagged signals, from which a response function, its folds and their scores follow without the signals.

With ``L`` lags of ``F`` inputs the matrix of products has ``(L F)^2`` entries, but an entry at two lags differs from that at the
next two only by what leaves and enters at the borders of the stretch:

    G[l+1, m+1] = G[l, m] + x(a-1-l) x(a-1-m)' - x(b-1-l) x(b-1-m)'        summed over a <= t < b

so that one product of the signals gives the first row of blocks and the recursion all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_AT_ONCE = 2**23  # bytes of lagged inputs that exist at once


class Span(NamedTuple):
    """A stretch of one trial."""

    trial: int
    """Its number."""
    start: int
    """First sample."""
    stop: int
    """Sample after the last."""


class Moments(NamedTuple):
    """Sums over samples t of products of inputs ``x(t - lag)`` and targets ``y(t)``, in double precision."""

    xx: _Floats
    """Products of lagged inputs, (n_lags * n_inputs, n_lags * n_inputs), one block of inputs per lag."""
    xy: _Floats
    """Products of targets with lagged inputs, (n_targets, n_lags * n_inputs)."""
    yy: _Floats
    """Squares of targets, (n_targets,)."""
    x: _Floats
    """Lagged inputs, (n_lags * n_inputs,)."""
    y: _Floats
    """Targets, (n_targets,)."""
    n: float
    """Number of samples."""

    def plus(self, other: Moments, sign: float = 1.0) -> Moments:
        """Moments of two parts together.

        Parameters
        ----------
        other : Moments
            Of the same lags, inputs and targets.
        sign : float
            -1 takes `other` away.

        Returns
        -------
        Moments
            The sum.
        """
        pairs: Any = zip(self, other, strict=True)
        return Moments(*(a + sign * b for a, b in pairs))


def lagged_rows(x: Any, lags: NDArray[np.int64], start: int, stop: int) -> _Floats:
    """Some rows of the matrix of lagged inputs, as `Delayer.transform` lays them out: 0 outside the trial.

    Parameters
    ----------
    x : array of shape (n_times, n_inputs)
        One trial.
    lags : array of shape (n_lags,)
        Lags in samples; row t takes ``x[t - lag]``.
    start, stop : int
        Rows.

    Returns
    -------
    array of shape (stop - start, n_lags * n_inputs)
        One block of inputs per lag.
    """
    n, n_inputs = x.shape
    rows = np.zeros((stop - start, len(lags), n_inputs))
    for k, lag in enumerate(lags.tolist()):
        first, last = max(start - lag, 0), min(stop - lag, n)
        if first < last:
            rows[first + lag - start : last + lag - start, k] = x[first:last]
    return rows.reshape(stop - start, -1)


def lagged_moments(inputs: Sequence[Any], targets: Sequence[Any], lags: NDArray[np.int64], spans: Sequence[Span]) -> Moments:
    """Moments of some stretches of trials.

    Parameters
    ----------
    inputs : sequence of array of shape (n_times_i, n_inputs)
        Trials.
    targets : sequence of array of shape (n_times_i, n_targets)
        The same trials.
    lags : array of shape (n_lags,)
        Consecutive lags in samples, ascending.
    spans : sequence of Span
        Stretches to sum over. Inputs outside a stretch, but inside its trial, enter where a lag reaches them.

    Returns
    -------
    Moments
        Sums.
    """
    n_inputs, n_targets, n_lags = inputs[0].shape[1], targets[0].shape[1], len(lags)
    width = n_lags * n_inputs
    found, yy = np.zeros((n_inputs + n_targets + 1, width)), np.zeros((2, n_targets))
    step = max(64, _AT_ONCE // (8 * width))
    for span in spans:
        for start in range(span.start, span.stop, step):
            stop = min(start + step, span.stop)
            rows, y = lagged_rows(inputs[span.trial], lags, start, stop), np.asarray(targets[span.trial][start:stop], np.float64)
            found += np.hstack([rows[:, :n_inputs], y, np.ones((stop - start, 1))]).T @ rows
            yy += np.einsum("tc,tc->c", y, y), y.sum(axis=0)
    edges = [_borders(inputs, lags, spans, side) for side in (0, 1)]
    xx = _all_blocks(found[:n_inputs].reshape(n_inputs, n_lags, n_inputs), *edges)
    n = float(sum(span.stop - span.start for span in spans))
    return Moments(xx, found[n_inputs:-1], yy[0], found[-1], yy[1], n)


def _borders(inputs: Sequence[Any], lags: NDArray[np.int64], spans: Sequence[Span], side: int) -> _Floats:
    """Inputs that enter (0, before the start) or leave (1, at the end) when lags grow by one, (n_spans, n_lags - 1, n_inputs)."""
    found = np.zeros((len(spans), len(lags) - 1, inputs[0].shape[1]))
    for row, span in zip(found, spans, strict=True):
        rows = (span.stop if side else span.start) - 1 - lags[:-1]
        inside = (rows >= 0) & (rows < len(inputs[span.trial]))
        row[inside] = inputs[span.trial][rows[inside]]
    return found


def _all_blocks(first: _Floats, entering: _Floats, leaving: _Floats) -> _Floats:
    """All blocks of the products of lagged inputs from those with the first lag, (n_inputs, n_lags, n_inputs)."""
    n_inputs, n_lags, _ = first.shape
    blocks = np.empty((n_lags, n_inputs, n_lags, n_inputs))
    blocks[0] = first
    for k in range(n_lags - 1):
        change = np.tensordot(entering[:, k], entering[:, k:], (0, 0)) - np.tensordot(leaving[:, k], leaving[:, k:], (0, 0))
        blocks[k + 1, :, k + 1 :] = blocks[k, :, k:-1] + change
    for k in range(n_lags - 1):
        blocks[k + 1 :, :, k] = blocks[k, :, k + 1 :].transpose(1, 2, 0)
    return blocks.reshape(n_lags * n_inputs, -1)
