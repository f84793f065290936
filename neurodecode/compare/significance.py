"""P values of a comparison: held-out predictions permuted within each run of each fold, alike for all targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.compare.fold_scores import unit_norm
from neurodecode.compare.prepare import Problem
from neurodecode.compare.resampling import Plan, block_plan, circular_plan, target_batches
from neurodecode.data.splits import Split, group_rows
from neurodecode.data.validate import as_number, check_option
from neurodecode.errors import DataError
from neurodecode.metrics.corrections import false_discovery_rate

_Floats = NDArray[np.float64]
_Matrix = NDArray[np.float32]
_LONGEST = 20  # rows of a block and of the shortest shift, as long as the noise of BOLD
_TIE = 1e-10  # scores that differ by less are equal but for rounding
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
        """Refuse settings that cannot be.

        Parameters
        ----------
        repeats : str
            What became of several presentations of a stimulus.

        Returns
        -------
        Inference
            This.

        Raises
        ------
        DataError
            Naming the setting.
        """
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
    plan: Plan
    """Permutations."""
    spread: float
    """What the null is stretched by, see `spread_of_folds`."""
    settings: dict[str, Any]
    """Method and its length in rows."""
    note: str
    """The scheme in words, with its limits."""


class Tested(NamedTuple):
    """A batch of targets against their permutations."""

    score: _Floats
    """Sum over folds of the correlations, shape (n_targets,)."""
    p: _Floats
    """P values, shape (n_targets,)."""
    null_max: _Floats
    """Largest score of all targets in each permutation, shape (n_permutations,)."""


def scheme(problem: Problem, inference: Inference) -> Scheme:
    """Decide how rows are permuted.

    Trials are shuffled singly within their fold (within their run in it, where they were not averaged over runs). Rows in
    temporal order are shifted in a circle, or exchanged in blocks of 20 rows (a third of the run where runs are short), within
    their run in each fold. The shortest shift is 20 rows, or a thirtieth of the run: a null without the shifts that are near 0
    is too narrow where those are a good part of all.

    Parameters
    ----------
    problem : Problem
        Rows and folds.
    inference : Inference
        What was asked for.

    Returns
    -------
    Scheme
        Rows and permutations.
    """
    outer, aligned = problem.outer, problem.aligned
    rows = np.flatnonzero(outer.fold >= 0)
    fold, segments = outer.fold[rows], outer.segments[rows]
    method, where = inference.permutation, "within each run of each fold"
    shortest = _shortest(segments)
    if aligned.stimuli is not None and problem.TR is None:
        averaged = bool((aligned.targets.n_presentations > 1).any())
        if averaged or shortest < 2:
            segments, where = fold, "within each fold"
        method, length, what = "block", 1, "trials shuffled"
    elif method == "circular":
        length = max(1, min(_LONGEST, shortest // 30))
        what = f"predictions shifted in a circle by {length} rows or more"
    else:
        length = max(1, min(_LONGEST, shortest // 3))
        what = f"predictions exchanged in blocks of {length} rows"
    stretches = group_rows(len(rows), segments)
    draw = circular_plan if method == "circular" else block_plan
    plan = draw(stretches, int(inference.n_permutations), length, np.random.default_rng(inference.random_state))
    spread = spread_of_folds(outer.splits, outer.fold)
    note = (
        f"p: {what} {where}, the same for all targets; the null is {spread:.2f} times as wide, as folds test and train each other"
    )
    return Scheme(rows, fold, plan, spread, {"method": method, "rows": length, "spread": spread}, note)


def spread_of_folds(splits: Sequence[Split], fold: NDArray[np.int64]) -> float:
    r"""How much wider the mean score of folds varies by chance than scores of fixed predictions.

    With features that explain nothing, the score of fold f is :math:`\sum_g y_f' K_{fg} y_g` over the folds g that it was
    trained on, and that of fold g holds the same term again, since the kernel :math:`K_{fg}` of a ridge is the same both ways.
    Permutations of predictions take the two for independent. A fraction s of pairs of rows in which each tests what the other
    trains makes the variance 1 + s times as large: twice for k folds that test each row once, not at all for one split.

    Parameters
    ----------
    splits : sequence of Split
        Folds.
    fold : array of shape (n_rows,)
        Fold that tests each row, -1 for none.

    Returns
    -------
    float
        :math:`\sqrt{1 + s}`, from 1 to 1.41.
    """
    trains = np.zeros((len(splits), len(splits)))  # rows tested by a fold (columns) that another one (rows) trains on
    for number, split in enumerate(splits):
        tested = fold[split.train]
        trains[number] = np.bincount(tested[tested >= 0], minlength=len(splits))
    pairs = sum(len(split.train) * len(split.test) for split in splits)
    return float(np.sqrt(1 + min(1.0, float((trains * trains.T).sum()) / pairs)))


def permuted(y: _Matrix, predicted: _Matrix, how: Scheme) -> Tested:
    """Hold the correlations of folds against permutations.

    Centred and scaled to norm 1 within each fold, responses times predictions sum up to the sum of the correlations of the folds.

    Parameters
    ----------
    y, predicted : array of shape (n_rows, n_targets)
        Responses and held-out predictions.
    how : Scheme
        How rows are permuted.

    Returns
    -------
    Tested
        Per target; p is ``(b + 1) / (n + 1)``, b of n permutations reaching the score.
    """
    score, p = np.empty(y.shape[1]), np.empty(y.shape[1])
    null_max = np.full(how.plan.take.shape[0], -np.inf)
    for batch in target_batches(how.plan, len(how.rows), y.shape[1]):
        true, guess = (unit_norm(values[how.rows, batch], how.fold).astype(np.float64) for values in (y, predicted))
        score[batch] = np.sum(true * guess, axis=0)
        null = how.spread * (how.plan.take @ how.plan.terms(true, guess))
        p[batch] = (np.sum(null >= score[batch] - _TIE, axis=0) + 1.0) / (len(null) + 1.0)
        null_max = np.fmax(null_max, null.max(axis=1))
    return Tested(score, p, null_max)


def corrected(p: _Floats, score: _Floats, null_max: _Floats, correction: str) -> _Floats:
    """P values corrected over targets.

    Parameters
    ----------
    p : array of shape (n_targets,)
        P values; NaN is left out.
    score : array of shape (n_targets,)
        What they belong to, as in `Tested`.
    null_max : array of shape (n_permutations,)
        As in `Tested`, over all targets.
    correction : str
        ``bh``, ``by`` or ``max`` (Nichols and Holmes, 2002).

    Returns
    -------
    array of shape (n_targets,)
        NaN where `p` is.
    """
    if correction == "max":
        reached = len(null_max) - np.searchsorted(np.sort(null_max), score - _TIE, side="left")
        return np.where(np.isnan(p), np.nan, (reached + 1.0) / (len(null_max) + 1.0))
    return np.asarray(false_discovery_rate(p, correction))  # type: ignore[arg-type]


def _shortest(segments: NDArray[np.int64]) -> int:
    return int(np.unique(segments, return_counts=True)[1].min())
