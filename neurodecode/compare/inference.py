"""Is a prediction better than chance, although neighbouring samples are alike? Permutations that keep the autocorrelation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.compare.resampling import Plan, block_plan, circular_plan, target_batches
from neurodecode.data.responses import Responses
from neurodecode.data.splits import group_rows
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.linear.delays import run_of
from neurodecode.metrics.corrections import false_discovery_rate, tail_p_values

_Floats = NDArray[np.float64]
_TIE = 1e-10  # scores that differ by less are equal but for rounding
_LONGEST_SHIFT, _RUN_OF_SHIFTS = 20, 15  # shortest shift: samples, or this part of a run
_CONSTANT = 1e-12  # of the size of a series; below, what varies is rounding
Method = Literal["circular", "block"]
Statistic = Literal["r", "r2", "spearman"]


@dataclass(frozen=True, eq=False, repr=False)
class PermutationResult:
    """Scores of predictions against those of permuted predictions.

    Parameters
    ----------
    score : array per target
        The statistic of the prediction as it is; NaN where either side is constant or holds NaN.
    p : array per target
        ``(b + 1) / (n_permutations + 1)``, b the permutations that reach the score; one-sided, uniform at chance, NaN with the
        score. With `tail`, small ones come from a fitted null (`tail_p_values`).
    p_max : array per target
        The same against the largest score of all targets in each permutation: controls the probability of any false positive.
    null_mean, null_sd : array per target
        Mean and standard deviation of the scores of permutations.
    null_max : array of shape (n_permutations,)
        Largest score of all targets in each permutation.
    n_permutations : int
        How many were made, which is fewer than asked for where there are no more different ones.
    method : str
        What was permuted, in words.
    statistic : str
        ``"r"``, ``"r2"`` or ``"spearman"``.
    settings : dict
        Arguments as they were used; ``random_state`` is None for a generator.
    """

    score: _Floats
    p: _Floats
    p_max: _Floats
    null_mean: _Floats
    null_sd: _Floats
    null_max: _Floats
    n_permutations: int
    method: str
    statistic: str
    settings: dict[str, Any] = field(default_factory=dict)

    def to_dataframe(self, fdr: Literal["bh", "by"] = "bh") -> pd.DataFrame:
        """One row per target.

        Parameters
        ----------
        fdr : {"bh", "by"}
            Which false discovery rate stands in ``q``.

        Returns
        -------
        DataFrame
            ``score, chance`` (the mean of the null), ``null_sd, p, q, p_max``.
        """
        columns = {"score": self.score, "chance": self.null_mean, "null_sd": self.null_sd, "p": self.p}
        columns |= {"q": false_discovery_rate(self.p, fdr), "p_max": self.p_max}
        return pd.DataFrame({name: np.ravel(values) for name, values in columns.items()})

    def __repr__(self) -> str:
        n, positive = np.size(self.p), int(np.sum(false_discovery_rate(self.p) < 0.05))
        what = f"{positive} of {n} targets with q < .05 (Benjamini-Hochberg)"
        return f"<PermutationResult {what}; {self.n_permutations} permutations: {self.method}>"


def permutation_test(
    y: Any,
    y_hat: Any,
    method: Method = "circular",
    n: int = 1000,
    block: int = 20,
    *,
    min_shift: int | None = None,
    groups: ArrayLike | None = None,
    statistic: Statistic = "r",
    random_state: int | np.random.Generator = 0,
) -> Any:
    """P value of each target: how often a prediction that is out of step with the responses does as well.

    `permutation_null` does the same and returns the null as well; the parameters and what raises are described there.

    Parameters
    ----------
    y, y_hat : Responses or array_like of shape (n_samples,) or (n_samples, ...)
        Measured and predicted responses in temporal order.
    method : {"circular", "block"}
        Shift predictions in a circle, or exchange blocks of them.
    n : int
        Number of permutations, the same for all targets.
    block : int
        Length of a block in samples.
    min_shift : int, optional
        Shortest circular shift in samples.
    groups : array_like of shape (n_samples,), optional
        Run of each sample.
    statistic : {"r", "r2", "spearman"}
        Score.
    random_state : int or numpy.random.Generator
        Seed.

    Returns
    -------
    float or array
        P values, of the shape of a sample of `y`.

    Notes
    -----
    The test holds for predictions of one model on data that it was not fitted to. Predictions gathered from several folds are not
    independent of each other, as each fold tests what the others train on: taken together, a test at .05 calls about 12 % of null
    targets significant. `neurodecode.compare.encode` widens its null for that; for folds of your own, test a held-out run.
    """
    options: dict[str, Any] = {"groups": groups, "statistic": statistic, "random_state": random_state}
    found = permutation_null(y, y_hat, method, n, block, min_shift=min_shift, **options)
    return found.p[()]


def permutation_null(
    y: Any,
    y_hat: Any,
    method: Method = "circular",
    n: int = 1000,
    block: int = 20,
    *,
    min_shift: int | None = None,
    groups: ArrayLike | None = None,
    statistic: Statistic = "r",
    tail: bool = False,
    random_state: int | np.random.Generator = 0,
) -> PermutationResult:
    r"""Score predictions against permutations that keep the autocorrelation of both series.

    Neighbouring scans, samples and words are alike, so there are fewer independent samples than rows: with autoregressive series
    of coefficient .8 and 300 rows, the two-sided p value of a textbook correlation, or of shuffled rows, is below .05 in 37 % of
    unrelated pairs (the one-sided in 21 %). Here predictions are shifted in a circle (7 %) or cut into blocks that are exchanged
    (6 %), within each run, and :math:`p = (b + 1) / (m + 1)` with b of m permutations reaching the score.

    What is left above 5 % comes from the borders of blocks and from `min_shift`. Short shifts are left out because an effect
    that is there shows in them too, which costs power; but the covariances of a run at all of its shifts sum to 0, so that the
    others are lower where that at 0 is high. With a shortest shift of 20 the error is 7 % in one run of 300 samples, but 9 % in
    eight of 120 and 14 % in four of 75; with 1/15 of the run it is 6 to 8 % in each, with 1 it is 5 %. Blocks must be longer than
    the autocorrelation: with 5 samples the error is 10 %.

    One run of 300 samples has 261 circular shifts of 20 samples or more, and no more are made: p is at least 1 / 262, whatever
    `n`. The r and the R2 of one target have the same p value, as
    both grow with the covariance, and permutations keep means and variances.

    Parameters
    ----------
    y, y_hat : Responses or array_like of shape (n_samples,) or (n_samples, ...)
        Measured and predicted responses in temporal order, of one shape; further axes are targets. They may be memory maps:
        targets are read in batches.
    method : {"circular", "block"}
        Shift predictions in a circle, each run by a shift of its own, or exchange blocks of them within each run.
    n : int
        Number of permutations, the same for all targets, which keeps the dependence between targets for `p_max`.
    block : int
        Length of a block in samples; 10 to 20 at 1.5 to 2 s per scan.
    min_shift : int, optional
        Shortest circular shift in samples, by default 20, or 1/15 of the shortest run where that is less.
    groups : array_like of shape (n_samples,), optional
        Run of each sample; by default the runs of `Responses`, or one run. Predictions never move to another run.
    statistic : {"r", "r2", "spearman"}
        Pearson correlation, share of variance explained (about the mean of these samples), or correlation of ranks.
    tail : bool
        Estimate small p values from a fitted null (on Fisher's z for correlations; see `tail_p_values`).
    random_state : int or numpy.random.Generator
        Seed of the permutations.

    Returns
    -------
    PermutationResult
        Scores, p values per target and over all targets, and a summary of the null.

    Raises
    ------
    DataError
        If shapes differ, a run is too short, or an argument is unknown.
    """
    check_option("statistic", statistic, ("r", "r2", "spearman"))
    measured, predicted, shape, groups = _as_series(y, y_hat, groups)
    runs = group_rows(len(measured), groups)
    shortest = max(1, min(_LONGEST_SHIFT, min(map(len, runs)) // _RUN_OF_SHIFTS)) if min_shift is None else int(min_shift)
    plan, words = _plan(runs, method, n, block, shortest, np.random.default_rng(random_state))
    null_max = np.full(plan.take.shape[0], -np.inf)
    parts = []
    for batch in target_batches(plan, *measured.shape):
        part, scores = _test_batch(measured[:, batch], predicted[:, batch], plan, statistic, tail)
        null_max = np.fmax(null_max, scores.max(axis=1, initial=-np.inf))
        parts.append(part)
    score, p, mean, sd = (np.concatenate(member).reshape(shape) for member in zip(*parts, strict=True))
    settings: dict[str, Any] = {"method": method, "n": n, "block": block, "min_shift": shortest, "tail": tail}
    settings["random_state"] = None if isinstance(random_state, np.random.Generator) else int(random_state)
    return PermutationResult(
        score=score,
        p=p,
        p_max=_against_largest(score, null_max),
        null_mean=mean,
        null_sd=sd,
        null_max=null_max,
        n_permutations=len(null_max),
        method=words,
        statistic=statistic,
        settings=settings,
    )


class _Tested(NamedTuple):
    """One batch of targets; each member has the shape (n_targets,)."""

    score: _Floats
    p: _Floats
    null_mean: _Floats
    null_sd: _Floats


def _as_series(y: Any, y_hat: Any, groups: ArrayLike | None) -> tuple[Any, Any, tuple[int, ...], ArrayLike | None]:
    """Both series as (n_samples, n_targets), the shape of a sample, and the runs."""
    groups = run_of(groups, y)
    measured, predicted = (part.data if isinstance(part, Responses) else np.asanyarray(part) for part in (y, y_hat))
    if measured.shape != predicted.shape or measured.ndim < 1 or len(measured) < 2 or not measured.size:
        raise DataError(f"y and y_hat must have one shape (n_samples, ...), got {measured.shape} and {predicted.shape}")
    return measured.reshape(len(measured), -1), predicted.reshape(len(predicted), -1), measured.shape[1:], groups


def _plan(
    runs: list[NDArray[np.int64]], method: str, n: int, block: int, min_shift: int, rng: np.random.Generator
) -> tuple[Plan, str]:
    """Permutations, and what they are in words."""
    if n < 1:
        raise DataError(f"n must be at least one permutation, got {n!r}")
    where = f"within each of {len(runs)} runs" if len(runs) > 1 else "within the run"
    if check_option("method", method, ("circular", "block")) == "block":
        return block_plan(runs, n, block, rng), f"blocks of {block} samples exchanged {where}"
    return circular_plan(runs, n, min_shift, rng), f"predictions shifted in a circle by {min_shift} samples or more {where}"


def _test_batch(y: Any, y_hat: Any, plan: Plan, statistic: Statistic, tail: bool) -> tuple[_Tested, _Floats]:
    """Score and null of a batch; the null holds -inf where a target has no score."""
    measured, predicted = (_centred(part, statistic == "spearman") for part in (y, y_hat))
    defined = measured.varies & predicted.varies
    length = np.where(defined, np.sqrt(measured.power * predicted.power), 1.0)
    r = np.sum(measured.values * predicted.values, axis=0) / length
    null = plan.take @ (plan.terms(measured.values, predicted.values) / length)
    p = tail_p_values(_fisher_z(r), _fisher_z(null)) if tail else (np.sum(null >= r - _TIE, axis=0) + 1.0) / (len(null) + 1.0)
    if statistic == "r2":  # 1 - |y - y_hat|^2 / |y|^2 of centred series, less what the means differ: grows with r
        power = np.where(defined, measured.power, 1.0)
        lost = (predicted.power + len(y) * (measured.mean - predicted.mean) ** 2) / power
        r, null = (2.0 * length / power * value - lost for value in (r, null))
    tested = _Tested(r, p, null.mean(axis=0), null.std(axis=0))
    null[:, ~defined] = -np.inf
    return _Tested(*(np.where(defined, member, np.nan) for member in tested)), null


class _Centred(NamedTuple):
    """A batch of series less their means."""

    values: _Floats
    mean: _Floats
    power: _Floats
    varies: NDArray[np.bool_]


def _centred(values: Any, ranks: bool) -> _Centred:
    """Centre each series; one that is constant or holds NaN becomes 0."""
    from scipy.stats import rankdata

    series = np.asarray(values, np.float64)
    finite = np.isfinite(series).all(axis=0)
    series = np.where(finite, series, 0.0)
    series = rankdata(series, axis=0) if ranks else series
    mean, size = series.mean(axis=0), np.abs(series).max(axis=0)
    series = series - mean
    power = np.sum(series**2, axis=0)
    varies = finite & (power > (_CONSTANT * size) ** 2 * len(series))
    return _Centred(series * varies, mean, power, varies)


def _fisher_z(r: _Floats) -> _Floats:
    """Correlations on a scale without ends."""
    return np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))


def _against_largest(score: _Floats, null_max: _Floats) -> _Floats:
    """P values against the largest score of each permutation; NaN scores stay NaN."""
    reached = len(null_max) - np.searchsorted(np.sort(null_max), score - _TIE, side="left")
    return np.where(np.isnan(score), np.nan, (reached + 1.0) / (len(null_max) + 1.0))
