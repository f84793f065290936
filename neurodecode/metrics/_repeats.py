"""Repeated measurements in one form: trials of one stimulus side by side, targets that lack the same trials together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError

Floats = NDArray[np.float64]
_BLOCK = 2**23  # values of a block of targets in float64: 64 MB


class Repeats(NamedTuple):
    """Trials of the same targets, none missing, those of one stimulus side by side."""

    trials: Floats
    """Shape (n_trials, n_targets)."""
    stimulus: NDArray[np.int64]
    """Number of the stimulus of each trial, never decreasing, shape (n_trials,)."""
    counts: NDArray[np.int64]
    """Trials of each stimulus, at least one, shape (n_stimuli,)."""
    rows: NDArray[np.int64]
    """Where each trial stood in the data, shape (n_trials,)."""

    @property
    def starts(self) -> NDArray[np.int64]:
        """First trial of each stimulus, shape (n_stimuli,)."""
        return np.cumsum(self.counts) - self.counts

    @property
    def share(self) -> float:
        """Noise variance that is left in means over repeats: the mean of 1 / n over stimuli."""
        return float(np.mean(1 / self.counts))

    def means(self) -> Floats:
        """Average over the repeats of each stimulus.

        Returns
        -------
        NDArray[np.float64]
            Shape (n_stimuli, n_targets).
        """
        return np.add.reduceat(self.trials, self.starts, axis=0) / self.counts[:, None]

    def padded(self) -> Floats:
        """Stand repeats on an axis of their own.

        Returns
        -------
        NDArray[np.float64]
            Shape (n_stimuli, n_repeats, n_targets), NaN where a stimulus was shown less often.
        """
        full = np.full((len(self.counts), int(self.counts.max()), self.trials.shape[1]), np.nan)
        full[self.stimulus, np.arange(len(self.trials)) - self.starts[self.stimulus]] = self.trials
        return full


def gather(trials: Floats, stimulus: NDArray[np.int64], rows: NDArray[np.int64]) -> Repeats:
    """Put the chosen trials of each stimulus side by side.

    Parameters
    ----------
    trials : NDArray[np.float64]
        Shape (n_trials, n_targets).
    stimulus : NDArray[np.int64]
        Number of the stimulus of each trial, shape (n_trials,).
    rows : NDArray[np.int64]
        Trials to take, shape (n_rows,).

    Returns
    -------
    Repeats
        Stimuli numbered anew, those without a trial left out.
    """
    order = np.argsort(stimulus[rows], kind="stable")
    _, numbers, counts = np.unique(stimulus[rows], return_inverse=True, return_counts=True)
    return Repeats(trials[rows[order]], numbers[order].astype(np.int64), counts.astype(np.int64), rows[order])


def per_target(solve: Callable[[Repeats], Floats], data: ArrayLike, stimulus: ArrayLike | None) -> Floats:
    """Solve for each target from the trials it has; NaN where no stimulus is repeated.

    Targets that lack the same trials are solved together (in NSD, those of one subject), in blocks that fit into memory.

    Parameters
    ----------
    solve : callable
        From `Repeats` to one number per target.
    data : array_like of shape (n_stimuli, n_repeats, n_targets, ...) or (n_trials, n_targets, ...)
        Single trials; NaN marks a missing one.
    stimulus : array_like of shape (n_trials,), optional
        Stimulus of each trial; data are then trial by trial.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_targets, ...).

    Raises
    ------
    DataError
        If shapes do not fit, a value is infinite, or nothing is repeated for any target.
    """
    trials, labels, shape = as_trials(data, stimulus)
    found, repeated = np.full(trials.shape[1], np.nan), False
    for columns, rows in _patterns(trials):
        part = gather(np.asarray(trials[:, columns], np.float64), labels, rows)
        if part.counts.max(initial=0) > 1:
            found[columns], repeated = solve(part), True
    if not repeated:
        raise DataError(f"no target has two repeats of one of the {len(np.unique(labels))} stimuli: noise needs repeats")
    return found.reshape(shape)


def as_trials(data: ArrayLike, stimulus: ArrayLike | None) -> tuple[NDArray[np.floating], NDArray[np.int64], tuple[int, ...]]:
    """Lay data out trial by trial.

    Parameters
    ----------
    data : array_like of shape (n_stimuli, n_repeats, n_targets, ...) or (n_trials, n_targets, ...)
        Single trials.
    stimulus : array_like of shape (n_trials,), optional
        Stimulus of each trial; data are then trial by trial.

    Returns
    -------
    tuple
        Data of shape (n_trials, n_targets), number of the stimulus of each trial, shape of the targets.

    Raises
    ------
    DataError
        If these are not real numbers or shapes do not fit.
    """
    values = np.asarray(data)
    if values.dtype.kind not in "fiub":
        raise DataError(f"repeats must be real numbers, got dtype {values.dtype}")
    if stimulus is None:
        if values.ndim < 3 or not values.size:
            raise DataError(f"data must be (n_stimuli, n_repeats, n_targets), got shape {values.shape}: or name each stimulus")
        labels = np.repeat(np.arange(len(values)), values.shape[1])
        shape = values.shape[2:]
    else:
        names = np.asarray(stimulus)
        if values.ndim < 2 or not values.size or names.shape != values.shape[:1]:
            raise DataError(f"data must be (n_trials, n_targets) with a stimulus per trial, got {values.shape} and {names.shape}")
        labels, shape = np.unique(names, return_inverse=True)[1], values.shape[1:]
    real = values if values.dtype.kind == "f" else values.astype(np.float64)
    return real.reshape(len(labels), -1), labels.astype(np.int64), shape


def _patterns(trials: NDArray[np.floating]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Targets that have the same trials, and these trials."""
    width = max(1, _BLOCK // len(trials))
    for start in range(0, trials.shape[1], width):
        block = trials[:, start : start + width]
        present = ~np.isnan(block)
        if np.isinf(block).any():
            raise DataError(
                f"target {start + int(np.argmax(np.isinf(block).any(axis=0)))} holds infinite values: mark them as NaN"
            )
        _, pattern = np.unique(np.packbits(present, axis=0), axis=1, return_inverse=True)
        for number in np.unique(pattern):
            columns = np.flatnonzero(pattern.ravel() == number)
            yield columns + start, np.flatnonzero(present[:, columns[0]])
