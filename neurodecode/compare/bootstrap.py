"""Is one model better than another on the same samples? Blocks of paired losses, drawn with replacement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.compare.resampling import bootstrap_plan, target_batches
from neurodecode.data.splits import group_rows
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class BootstrapResult:
    """Mean difference between paired samples, and how sure it is.

    Parameters
    ----------
    difference : array per target
        Mean over samples; of losses, above 0 where the second model is better. NaN where a sample is NaN.
    low, high : array per target
        Ends of the percentile interval.
    p : array per target
        Two-sided: how often the mean of a resample is as far from `difference` as that is from 0. Chance uniform.
    level : float
        Coverage of the interval.
    n_resamples : int
        Resamples behind it.
    block : int
        Length of a block in samples.
    """

    difference: _Floats
    low: _Floats
    high: _Floats
    p: _Floats
    level: float
    n_resamples: int
    block: int

    def to_dataframe(self) -> pd.DataFrame:
        """One row per target.

        Returns
        -------
        DataFrame
            ``difference, low, high, p``.
        """
        columns = {"difference": self.difference, "low": self.low, "high": self.high, "p": self.p}
        return pd.DataFrame({name: np.ravel(values) for name, values in columns.items()})

    def __repr__(self) -> str:
        above, below = int(np.sum(self.low > 0)), int(np.sum(self.high < 0))
        where = f"above 0 in {above}, below 0 in {below} of {np.size(self.p)} targets"
        return f"<BootstrapResult difference {where} ({self.level:.0%} interval, {self.n_resamples} resamples)>"


def paired_bootstrap(
    y: ArrayLike,
    y_hat_a: ArrayLike,
    y_hat_b: ArrayLike,
    *,
    loss: Literal["squared", "absolute"] = "squared",
    block: int = 20,
    n: int = 1000,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    random_state: int | np.random.Generator = 0,
) -> BootstrapResult:
    """Hold the losses of two models on the same samples against each other.

    Parameters
    ----------
    y : array_like of shape (n_samples,) or (n_samples, ...)
        Measured responses in temporal order; further axes are targets.
    y_hat_a, y_hat_b : array_like of the same shape
        Held-out predictions of both models.
    loss : {"squared", "absolute"}
        Of the difference between measured and predicted.
    block : int
        Length of a block in samples, above the autocorrelation.
    n : int
        Number of resamples.
    groups : array_like of shape (n_samples,), optional
        Run of each sample; a block never spans two.
    level : float
        Coverage of the interval, between 0 and 1.
    random_state : int or numpy.random.Generator
        Seed.

    Returns
    -------
    BootstrapResult
        Of the loss of A minus the loss of B, in units of the loss: above 0 where B is better.

    Raises
    ------
    DataError
        If shapes differ or an argument is unknown.
    """
    truth, a, b = (np.asarray(values, float) for values in (y, y_hat_a, y_hat_b))
    if not truth.shape == a.shape == b.shape:
        raise DataError(f"y and both predictions must have one shape, got {truth.shape}, {a.shape} and {b.shape}")
    power = {"squared": 2, "absolute": 1}[check_option("loss", loss, ("squared", "absolute"))]
    difference = np.abs(truth - a) ** power - np.abs(truth - b) ** power
    return block_bootstrap(difference, block=block, n=n, groups=groups, level=level, random_state=random_state)


def block_bootstrap(
    differences: ArrayLike,
    *,
    block: int = 20,
    n: int = 1000,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    random_state: int | np.random.Generator = 0,
) -> BootstrapResult:
    """Mean of autocorrelated samples with an interval: the circular block bootstrap.

    Blocks of each run are drawn with replacement from anywhere in it, in a circle (Politis and Romano 1992, in: Exploring the
    limits of bootstrap), the same ones for all targets. Blocks must be longer than the autocorrelation, and there must be many
    of them: with few the interval is too narrow.

    Parameters
    ----------
    differences : array_like of shape (n_samples,) or (n_samples, ...)
        One value per sample, in temporal order; further axes are targets.
    block : int
        Length of a block in samples.
    n : int
        Number of resamples.
    groups : array_like of shape (n_samples,), optional
        Run of each sample; a block never spans two.
    level : float
        Coverage of the interval, between 0 and 1.
    random_state : int or numpy.random.Generator
        Seed.

    Returns
    -------
    BootstrapResult
        Mean, interval and p value per target.

    Raises
    ------
    DataError
        If there are fewer than two samples, or an argument is out of range.
    """
    values: Any = np.asanyarray(differences)
    if values.ndim < 1 or len(values) < 2 or not 0 < level < 1 or n < 1:
        raise DataError(
            f"needs two samples, n of 1 or more and a level in (0, 1), got shape {values.shape}, n={n}, level={level}"
        )
    shape, values = values.shape[1:], values.reshape(len(values), -1)
    plan = bootstrap_plan(group_rows(len(values), groups), n, block, np.random.default_rng(random_state))
    ends = (0.5 - level / 2, 0.5 + level / 2)
    parts = []
    for batch in target_batches(plan, *values.shape):
        part = np.asarray(values[:, batch], np.float64)
        mean = part.mean(axis=0)
        drawn = plan.take @ plan.terms(part - mean, np.ones_like(part)) / len(part)  # centred, so that sums keep their digits
        low, high = np.quantile(drawn, ends, axis=0) + mean
        p = (np.sum(np.abs(drawn) >= np.abs(mean), axis=0) + 1.0) / (n + 1.0)
        parts.append([np.where(np.isfinite(mean), member, np.nan) for member in (mean, low, high, p)])
    mean, low, high, p = (np.concatenate(member).reshape(shape) for member in zip(*parts, strict=True))
    return BootstrapResult(mean, low, high, p, level, n, block)
