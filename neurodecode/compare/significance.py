"""P values of a comparison: held-out predictions permuted within each run of each fold, alike for all targets."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.compare.fold_scores import unit_norm
from neurodecode.compare.inference import PermutationResult, permutation_null
from neurodecode.compare.prepare import Problem
from neurodecode.data.validate import as_number, check_option
from neurodecode.errors import DataError
from neurodecode.metrics.corrections import false_discovery_rate

_Floats = NDArray[np.float64]
_Matrix = NDArray[np.float32]
_LONGEST = 20  # rows of a block and of the shortest shift, as long as the noise of BOLD
CORRECTIONS = ("bh", "by", "max")


class Inference(NamedTuple):
    """How surprising a score is."""

    n_permutations: int = 0
    """Permutations; 0 for none."""
    permutation: str = "circular"
    """``circular`` or ``block``."""
    correction: str = "bh"
    """``bh``, ``by`` or ``max``."""
    random_state: int = 0
    """Seed."""

    def check(self, repeats: str) -> Inference:
        """This, or an error that says which setting cannot be."""
        check_option("permutation", self.permutation, ("circular", "block"))
        check_option("correction", self.correction, CORRECTIONS)
        n = as_number(self.n_permutations)
        if not (n >= 0 and n == int(n)):
            raise DataError(f"n_permutations must be a whole number from 0 up, got {self.n_permutations!r}")
        if n and repeats == "keep":
            raise DataError(
                f"n_permutations={self.n_permutations} needs rows that can be exchanged, and presentations of one stimulus "
                "cannot: use repeats='average'"
            )
        return self


class Scheme(NamedTuple):
    """How rows are permuted."""

    rows: NDArray[np.int64]
    """Rows that were tested, shape (n_tested,)."""
    fold: NDArray[np.int64]
    """Fold of each."""
    segments: NDArray[np.int64]
    """What each is permuted within."""
    options: dict[str, Any]
    """Arguments of `permutation_null`."""
    note: str
    """The scheme in words, with its limits."""


def scheme(problem: Problem, inference: Inference) -> Scheme:
    """Decide how rows are permuted.

    Trials are shuffled singly within their fold (within their run in it, where they were not averaged over runs); rows in
    temporal order are shifted in a circle, or exchanged in blocks, within their run in each fold. Shifts and blocks are 20 rows
    at least, and shorter where runs are too short for that.

    Parameters
    ----------
    problem : Problem
        Rows and folds.
    inference : Inference
        What was asked for.

    Returns
    -------
    Scheme
        Rows, segments and arguments.
    """
    outer, aligned = problem.outer, problem.aligned
    rows = np.flatnonzero(outer.fold >= 0)
    fold, segments = outer.fold[rows], outer.segments[rows]
    if aligned.stimuli is not None and problem.TR is None:
        averaged = bool((aligned.targets.n_presentations > 1).any())
        segments = fold if averaged or _shortest(segments) < 2 else segments
        note = "p: trials shuffled within each fold, the same for all targets"
        return Scheme(rows, fold, segments, {"method": "block", "block": 1}, note)
    shortest = _shortest(segments)
    length = min(_LONGEST, shortest // 3 if inference.permutation == "circular" else shortest // 2)
    argument = "min_shift" if inference.permutation == "circular" else "block"
    what = f"shifted in a circle by {length} rows or more" if argument == "min_shift" else f"exchanged in blocks of {length} rows"
    note = f"p: predictions {what} within each run of each fold, the same for all targets"
    if length < _LONGEST:
        note += (
            f"; the shortest run of a fold has {shortest} rows, and p is too small if responses are alike over more than {length}"
        )
    return Scheme(rows, fold, segments, {"method": inference.permutation, argument: max(length, 1)}, note)


def permuted(y: _Matrix, predicted: _Matrix, how: Scheme, inference: Inference) -> PermutationResult:
    """Hold the mean over folds of the correlation against permutations.

    Centred and scaled to norm 1 within each fold, the correlation of all rows is the mean of the correlations of the folds.

    Parameters
    ----------
    y, predicted : array of shape (n_rows, n_targets)
        Responses and held-out predictions.
    how : Scheme
        How rows are permuted.
    inference : Inference
        Number of permutations and seed.

    Returns
    -------
    PermutationResult
        Per target.
    """
    true, guess = (unit_norm(values[how.rows], how.fold) for values in (y, predicted))
    options: dict[str, Any] = {"n": int(inference.n_permutations), "groups": how.segments, "random_state": inference.random_state}
    return permutation_null(true, guess, **how.options, **options)


def corrected(p: _Floats, score: _Floats, null_max: _Floats, correction: str) -> _Floats:
    """P values corrected over targets.

    Parameters
    ----------
    p : array of shape (n_targets,)
        P values; NaN is left out.
    score : array of shape (n_targets,)
        What they belong to.
    null_max : array of shape (n_permutations,)
        Largest score of all targets in each permutation.
    correction : str
        ``bh``, ``by`` or ``max`` (Nichols and Holmes, 2002).

    Returns
    -------
    array of shape (n_targets,)
        NaN where `p` is.
    """
    if correction == "max":
        reached = len(null_max) - np.searchsorted(np.sort(null_max), score - 1e-10, side="left")
        return np.where(np.isnan(p), np.nan, (reached + 1.0) / (len(null_max) + 1.0))
    return np.asarray(false_discovery_rate(p, correction))  # type: ignore[arg-type]


def _shortest(segments: NDArray[np.int64]) -> int:
    return int(np.unique(segments, return_counts=True)[1].min())
