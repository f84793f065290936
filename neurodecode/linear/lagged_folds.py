"""Folds of lagged models: whole trials, or blocks of one trial with a gap, in terms of moments that folds share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.splits import Split
from neurodecode.linear.blocks import stretches
from neurodecode.linear.folds import resolve_folds
from neurodecode.linear.lagged_moments import Moments, Span

MOST_TRIAL_FOLDS = 20  # leave one trial out up to here; more trials are dealt out to as many folds
_MOST_MEMORY = 2**31  # bytes of moments kept; beyond, they are computed again for each fold


def trial_folds(lengths: Sequence[int], groups: ArrayLike | None, cv: Any, gap: int | None, n_lags: int) -> list[Split]:
    """Folds of trials; of samples, in contiguous blocks, where there is but one trial.

    Parameters
    ----------
    lengths : sequence of int
        Samples of each trial.
    groups : array_like of shape (n_trials,) or None
        Trials of one name are held out together, by default each alone.
    cv : int, splitter, iterable of (train, test) or None
        As in `resolve_folds`, in numbers of trials; None leaves out one group of trials at a time, or a twentieth of them.
    gap : int or None
        Samples left out around a block of a single trial, by default as many as there are lags.
    n_lags : int
        Number of lags.

    Returns
    -------
    list of Split
        Rows are trials, or the samples of the only trial.

    Raises
    ------
    DataError
        If there are too few trials or samples.
    SplitLeakError
        If a trial stands on both sides of a fold of your own.
    """
    if len(lengths) == 1:
        return resolve_folds(lengths[0], None, cv, n_lags if gap is None else gap)
    names = np.arange(len(lengths)) if groups is None else np.asarray(groups)
    own = cv if cv is not None else max(2, min(MOST_TRIAL_FOLDS, len(np.unique(names))))
    return resolve_folds(len(lengths), names, own, gap)


class FoldMoments:
    """Moments of the training and held-out part of each fold, as sums over the parts of the data that folds share.

    Parameters
    ----------
    measure : function of a list of Span
        Moments of some stretches.
    folds : list of Split
        From `trial_folds`.
    lengths : sequence of int
        Samples of each trial.
    margin : tuple of int
        Samples that are left out at the start and at the end of each trial.
    width : int
        Number of lagged inputs.

    Attributes
    ----------
    total : Moments
        Of all data.
    """

    def __init__(
        self,
        measure: Callable[[list[Span]], Moments],
        folds: list[Split],
        lengths: Sequence[int],
        margin: tuple[int, int],
        width: int,
    ) -> None:
        self._measure = measure
        n = lengths[0] if len(lengths) == 1 else len(lengths)
        kinds, self._trains, self._tests = _signatures(folds, n)
        n_parts = self._trains.shape[1]
        self._spans = [_spans(np.flatnonzero(kinds == kind), lengths, margin) for kind in range(n_parts)]
        self._keep = 8 * n_parts * width**2 <= _MOST_MEMORY
        self._kept: dict[int, Moments] = {}
        self.total = self._part(0)
        for k in range(1, n_parts):
            self.total = self.total.plus(self._part(k))

    def train(self, fold: int) -> Moments:
        """Moments of what a fold trains on.

        Parameters
        ----------
        fold : int
            Its number.

        Returns
        -------
        Moments
            All but what it holds out.
        """
        found = self.total
        for k in np.flatnonzero(~self._trains[fold]).tolist():
            found = found.plus(self._part(k), -1.0)
        return found

    def test(self, fold: int) -> Moments:
        """Moments of what a fold holds out.

        Parameters
        ----------
        fold : int
            Its number.

        Returns
        -------
        Moments
            Of its held-out part.
        """
        first, *others = np.flatnonzero(self._tests[fold]).tolist()
        found = self._part(first)
        for k in others:
            found = found.plus(self._part(k))
        return found

    def _part(self, k: int) -> Moments:
        if k in self._kept:
            return self._kept[k]
        found = self._measure(self._spans[k])
        if self._keep:
            self._kept[k] = found
        return found


def _signatures(folds: list[Split], n: int) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Part of each row, and which fold trains on and holds out which part, (n,), (n_folds, n_parts) twice."""
    trains, tests = np.zeros((2, len(folds), n), bool)
    for k, fold in enumerate(folds):
        trains[k, fold.train], tests[k, fold.test] = True, True
    packed = np.packbits(np.concatenate([trains, tests, np.ones((1, n), bool)]), axis=0)
    _, first, kinds = np.unique(packed, axis=1, return_index=True, return_inverse=True)
    return kinds.ravel(), trains[:, first], tests[:, first]


def _spans(rows: NDArray[np.int64], lengths: Sequence[int], margin: tuple[int, int]) -> list[Span]:
    """Stretches of trials, without what is left out at the ends of each trial."""
    if len(lengths) == 1:
        wanted = [Span(0, part.start, part.stop) for part in stretches(rows)]
    else:
        wanted = [Span(trial, 0, lengths[trial]) for trial in rows.tolist()]
    cut = [Span(s.trial, max(s.start, margin[0]), min(s.stop, lengths[s.trial] - margin[1])) for s in wanted]
    return [span for span in cut if span.start < span.stop]
