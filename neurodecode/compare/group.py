"""Does a score hold in the population that the subjects come from? Signs flipped at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.metrics.corrections import false_discovery_rate

_Floats = NDArray[np.float64]
_TIE = 1e-9  # of the statistic; flips that differ by less are equal but for rounding
_WIDEST = 4096
Alternative = Literal["greater", "two-sided"]


@dataclass(frozen=True, eq=False, repr=False)
class SignFlipResult:
    """Mean over subjects against its value under flipped signs.

    Parameters
    ----------
    mean : array per target
        Mean over subjects of the score less chance. NaN where a subject has none.
    t : array per target
        One-sample t of the same; infinite where subjects do not differ.
    p : array per target
        Share of flips that reach the statistic. Chance uniform, never 0.
    p_max : array per target
        The same against the largest statistic of all targets in each flip: controls the probability of any false positive.
    n_subjects : int
        Subjects.
    n_flips : int
        Patterns of signs that were tried, with the one as it is.
    exact : bool
        Whether these are all there are.
    """

    mean: _Floats
    t: _Floats
    p: _Floats
    p_max: _Floats
    n_subjects: int
    n_flips: int
    exact: bool

    def to_dataframe(self) -> pd.DataFrame:
        """One row per target.

        Returns
        -------
        DataFrame
            ``mean, t, p, q`` (Benjamini-Hochberg), ``p_max``.
        """
        columns = {"mean": self.mean, "t": self.t, "p": self.p, "q": false_discovery_rate(self.p), "p_max": self.p_max}
        return pd.DataFrame({name: np.ravel(values) for name, values in columns.items()})

    def __repr__(self) -> str:
        positive, kind = int(np.sum(self.p_max < 0.05)), "all" if self.exact else "random"
        what = f"{positive} of {np.size(self.p)} targets with p_max < .05"
        return f"<SignFlipResult {what}; {self.n_subjects} subjects, {kind} {self.n_flips} flips>"


def sign_flip_test(
    scores: ArrayLike,
    *,
    chance: ArrayLike = 0.0,
    n: int = 10_000,
    alternative: Alternative = "greater",
    random_state: int | np.random.Generator = 0,
) -> SignFlipResult:
    """Test scores of subjects against chance by flipping their signs (Fisher's randomisation of a paired difference).

    It is a test of random effects: it speaks about the population of subjects, and assumes that without an effect a subject's
    score lies as likely above chance as below, by as much. With few subjects p cannot be small: at least ``1 / 2^n_subjects``.
    Over many targets `p_max` takes the largest t of each flip (Nichols and Holmes, 2002, Human Brain Mapping 15:1).

    Parameters
    ----------
    scores : array_like of shape (n_subjects,) or (n_subjects, ...)
        Mean score of each subject, or the difference between two models; further axes are targets.
    chance : float or array_like of shape (...)
        Subtracted first; one value, or one per target.
    n : int
        Most flips. All ``2^n_subjects`` are tried where that is no more, else `n - 1` at random and the pattern as it is.
    alternative : {"greater", "two-sided"}
        Whether scores below chance count too.
    random_state : int or numpy.random.Generator
        Seed of random flips.

    Returns
    -------
    SignFlipResult
        Mean, t and p values per target.

    Raises
    ------
    DataError
        If there are fewer than two subjects or two flips, or the alternative is unknown.
    """
    check_option("alternative", alternative, ("greater", "two-sided"))
    values: Any = np.asarray(scores, float) - np.asarray(chance, float)
    if values.ndim < 1 or len(values) < 2 or n < 2:
        raise DataError(f"needs two subjects and two flips at least, got scores of shape {values.shape} and n={n}")
    shape, values = values.shape[1:], values.reshape(len(values), -1)
    signs = _signs(len(values), n, np.random.default_rng(random_state))
    largest, parts = np.full(len(signs), -np.inf), []
    for start in range(0, values.shape[1], _WIDEST):
        part = values[:, start : start + _WIDEST]
        found, null = _t(np.ones((1, len(part))), part)[0], _t(signs, part)
        parts.append((found, *_reached(found, null, alternative)))
        largest = np.fmax(largest, parts[-1][2])
    t, p = (np.concatenate([part[k] for part in parts]) for k in range(2))
    aim = np.abs(t) if alternative == "two-sided" else t
    reached = len(largest) - np.searchsorted(np.sort(largest), aim - _slack(aim), side="left")
    p_max = np.where(np.isnan(t), np.nan, reached / len(signs))
    mean, t, p, p_max = (member.reshape(shape) for member in (values.mean(axis=0), t, p, p_max))
    return SignFlipResult(mean, t, p, p_max, len(values), len(signs), exact=len(signs) == 2 ** len(values))


def _signs(n_subjects: int, n: int, rng: np.random.Generator) -> _Floats:
    """Patterns of signs, the first without any flip, shape (n_flips, n_subjects)."""
    if n_subjects < 60 and 2**n_subjects <= n:
        flipped = (np.arange(2**n_subjects)[:, None] >> np.arange(n_subjects)) & 1
        return 1.0 - 2.0 * flipped.astype(np.float64)
    return np.concatenate([np.ones((1, n_subjects)), rng.choice([-1.0, 1.0], (n - 1, n_subjects))])


def _t(signs: _Floats, values: _Floats) -> _Floats:
    """One-sample t of flipped values, shape (n_flips, n_targets); flips keep the sum of squares."""
    n = len(values)
    mean, square = signs @ values / n, np.mean(values**2, axis=0)
    variance = np.maximum(square - mean**2, 0.0) * n / (n - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = mean / np.sqrt(variance / n)
    return np.where((mean == 0) & (variance == 0), 0.0, t)


def _slack(t: _Floats) -> _Floats:
    """What rounding may take from a statistic; none from an infinite one."""
    return np.where(np.isfinite(t), _TIE * np.maximum(1.0, np.abs(t)), 0.0)


def _reached(found: _Floats, null: _Floats, alternative: Alternative) -> tuple[_Floats, _Floats]:
    """P value of each target, and the largest statistic of each flip."""
    if alternative == "two-sided":
        found, null = np.abs(found), np.abs(null)
    p = np.where(np.isnan(found), np.nan, np.mean(null >= found - _slack(found), axis=0))
    return p, np.nan_to_num(null, nan=-np.inf, posinf=np.inf, neginf=-np.inf).max(axis=1, initial=-np.inf)
