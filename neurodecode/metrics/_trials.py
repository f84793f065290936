"""Predicted and true embeddings of trials, and the candidates that they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Responses
from neurodecode.errors import DataError
from neurodecode.metrics._alike import as_rows

_SAME = 1e-5  # targets of one candidate may differ by this share of the largest value


class Trials(NamedTuple):
    """Trials and the candidates among which each is looked for."""

    predicted: list[NDArray[Any]]
    """Of each seed, shape (n_trials, n_features)."""
    gallery: NDArray[Any]
    """Target of each candidate, shape (n_candidates, n_features)."""
    code: NDArray[np.intp]
    """Candidate of each trial, shape (n_trials,)."""
    ids: NDArray[Any]
    """Name of each candidate, shape (n_candidates,)."""
    first: NDArray[np.intp]
    """First trial of each candidate, shape (n_candidates,)."""

    @property
    def repeats(self) -> NDArray[np.int64]:
        """Trials of each candidate, shape (n_candidates,)."""
        return np.bincount(self.code, minlength=len(self.ids))

    def of_candidates(self, labels: ArrayLike, name: str) -> NDArray[Any]:
        """Labels of candidates from labels of trials.

        Parameters
        ----------
        labels : array_like of shape (n_trials,)
            Label of each trial.
        name : str
            What they are, for the message.

        Returns
        -------
        array of shape (n_candidates,)
            Label of each candidate.

        Raises
        ------
        DataError
            If there is not one per trial, or trials of one candidate differ.
        """
        given = per_trial(labels, len(self.code), name)
        own = given[self.first]
        other = np.flatnonzero(given != own[self.code])
        if other.size:
            trial = int(other[0])
            code = self.code[trial]
            stimulus, expected, got = (v.tolist()[i] for v, i in ((self.ids, code), (own, code), (given, trial)))
            raise DataError(f"{name}: candidate {stimulus!r} is {expected!r} and, in trial {trial}, {got!r}")
        return own


def per_trial(labels: ArrayLike, n: int, name: str) -> NDArray[Any]:
    """Check labels of trials.

    Parameters
    ----------
    labels : array_like of shape (n_trials,)
        Labels.
    n : int
        Number of trials.
    name : str
        What they are, for the message.

    Returns
    -------
    array of shape (n_trials,)
        The labels.

    Raises
    ------
    DataError
        If there is not one per trial.
    """
    given = np.asarray(labels)
    if given.shape != (n,):
        raise DataError(f"{name} must have one value for each of {n} trials, got shape {given.shape}")
    return given


def as_trials(
    predicted: Responses | ArrayLike, targets: Responses | ArrayLike, candidate_ids: ArrayLike | None, seed_axis: int | None
) -> Trials:
    """Pair predictions with candidates, each candidate once.

    Parameters
    ----------
    predicted : Responses or array_like of shape (n_trials, ...)
        Predictions, with an axis of seeds where `seed_axis` says so.
    targets : Responses or array_like of shape (n_trials, ...)
        Targets in the order of the trials.
    candidate_ids : array_like of shape (n_trials,), optional
        Name of the candidate of each trial.
    seed_axis : int, optional
        Axis of `predicted` that counts seeds.

    Returns
    -------
    Trials
        Candidates in order of first appearance.

    Raises
    ------
    DataError
        If shapes do not fit, a value is NaN, one candidate has two targets, or there are fewer than two candidates.
    """
    made = predicted.matrix() if isinstance(predicted, Responses) else np.asarray(predicted)
    true = as_rows(targets.matrix() if isinstance(targets, Responses) else targets, "targets")
    seeds = [made] if seed_axis is None else list(np.moveaxis(made, seed_axis, 0))
    rows = [as_rows(seed, "predicted") for seed in seeds]
    if not rows or rows[0].shape != true.shape:
        raise DataError(
            f"predicted and targets must have one shape, got {np.shape(made)} (seed_axis={seed_axis}) and {true.shape}"
        )
    names = _names(predicted, candidate_ids, len(true))
    _, first, code = np.unique(names, return_index=True, return_inverse=True)
    order = np.argsort(first)
    first, code = first[order], np.argsort(order)[code.ravel()]
    if len(first) < 2:
        raise DataError(f"retrieval needs at least two candidates, got {len(first)} of {len(true)} trials")
    _refuse_two_targets(true, first, code, names)
    gallery = true if len(first) == len(true) else true[first]
    return Trials(rows, gallery, code, names[first], first)


def _names(predicted: Any, candidate_ids: ArrayLike | None, n: int) -> NDArray[Any]:
    if candidate_ids is not None:
        return per_trial(candidate_ids, n, "candidate_ids")
    if isinstance(predicted, Responses) and "stimulus" in predicted.samples:
        return predicted.samples["stimulus"].astype(str).to_numpy()
    return np.arange(n)


def _refuse_two_targets(true: NDArray[Any], first: NDArray[np.intp], code: NDArray[np.intp], names: NDArray[Any]) -> None:
    again = np.setdiff1d(np.arange(len(true)), first)
    limit = _SAME * max(abs(float(true.max())), abs(float(true.min())))
    for trial in again:
        gap = float(np.abs(true[trial].astype(np.float64) - true[first[code[trial]]]).max())
        if gap > limit:
            name, before = names.tolist()[trial], first[code[trial]]
            raise DataError(f"candidate {name!r} has two targets: trials {before} and {trial} differ by up to {gap:.3g}")


def n_identical(gallery: NDArray[Any]) -> int:
    """Count candidates whose target another candidate has, too.

    Parameters
    ----------
    gallery : array of shape (n_candidates, n_features)
        Targets.

    Returns
    -------
    int
        Number of candidates beyond the first of each target.
    """
    return len(gallery) - len({(row + 0.0).tobytes() for row in gallery})  # + 0.0: -0 is 0


def averages(predicted: NDArray[Any], code: NDArray[np.intp], n: int, groups: Sequence[NDArray[np.intp]]) -> NDArray[np.float32]:
    """Average the predictions of each candidate: within each group first, then over groups.

    Parameters
    ----------
    predicted : array of shape (n_trials, n_features)
        Predictions.
    code : array of shape (n_trials,)
        Candidate of each trial.
    n : int
        Number of candidates.
    groups : sequence of arrays of shape (n_trials_of_group,)
        Trials of each group; candidates need not occur in all.

    Returns
    -------
    NDArray[np.float32]
        Shape (n_candidates, n_features).
    """
    parts: list[list[NDArray[np.intp]]] = [[] for _ in range(n)]
    for rows in groups:
        order = rows[np.argsort(code[rows], kind="stable")]
        for part in np.split(order, np.flatnonzero(np.diff(code[order])) + 1):
            parts[code[part[0]]].append(part)
    found = np.empty((n, predicted.shape[1]), np.float32)
    for row, trials in zip(found, parts, strict=True):
        means = [predicted[part].mean(axis=0, dtype=np.float64) for part in trials]
        row[:] = means[0] if len(means) == 1 else np.mean(means, axis=0)
    return found
