"""Noise ceilings from repeats: how much of the variance of averaged responses any model could explain."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError
from neurodecode.metrics._halves import split_half
from neurodecode.metrics._repeats import Floats, Repeats, as_trials, gather, per_target
from neurodecode.metrics.regression import pearson_r

FLOOR = 0.05
"""Reliability below which a normalised score says nothing."""


class SignalNoise(NamedTuple):
    """Variance of single trials that the stimulus explains, and that it does not, per target."""

    signal: NDArray[np.float64]
    """Shape (n_targets,), 0 or above."""
    noise: NDArray[np.float64]
    """Shape (n_targets,)."""

    def reliability(self, share: float) -> NDArray[np.float64]:
        """Share of signal in the variance of means over repeats.

        Parameters
        ----------
        share : float
            Noise variance that is left in the means: 1 / n, or its mean over stimuli.

        Returns
        -------
        NDArray[np.float64]
            Shape (n_targets,): signal / (signal + share * noise), 0 where there is no signal.
        """
        total = self.signal + share * self.noise
        return np.where(self.signal > 0, self.signal / np.where(total > 0, total, 1.0), 0.0)


def ceiling_ncsnr(data: ArrayLike, stimulus: ArrayLike | None = None) -> Floats:
    r"""Reliability rho of responses averaged over repeats, in units of variance, from the NSD noise ceiling.

    :math:`ncsnr = \sigma_s / \sigma_n` and :math:`\rho = ncsnr^2 / (ncsnr^2 + \overline{1/n})`, where :math:`\overline{1/n}`
    is the mean over stimuli of one over their repeats, :math:`(A/3 + B/2 + C) / (A + B + C)` for A stimuli shown three times,
    B shown twice and C shown once (Allen et al. 2022, Nature Neuroscience 25:116). Noise and signal are those of
    `signal_noise`. Give single trials on one scale: z-scored within each session, as NSD does.

    Parameters
    ----------
    data : array_like of shape (n_stimuli, n_repeats, n_targets, ...) or (n_trials, n_targets, ...)
        Single trials. NaN marks a missing repeat; each target is estimated from the trials it has.
    stimulus : array_like of shape (n_trials,), optional
        Stimulus of each trial; data are then trial by trial.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_targets, ...), 0 to 1; 0 where no signal was found, NaN where no stimulus was repeated. NSD files store
        100 times this.

    Raises
    ------
    DataError
        If shapes do not fit, a value is infinite, or nothing is repeated.
    """
    return per_target(lambda repeats: _signal_noise(repeats).reliability(repeats.share), data, stimulus)


def signal_noise(trials: ArrayLike, stimulus: ArrayLike) -> SignalNoise:
    r"""Estimate the variance of single trials due to the stimulus, and the rest.

    Noise is what differs between repeats, :math:`\sigma_n^2 = \sum_s (n_s - 1) v_s / \sum_s (n_s - 1)` with :math:`v_s` the
    variance over the :math:`n_s` trials of stimulus :math:`s`, which for equal repeats is the mean of :math:`v_s`; signal is
    the rest of the variance of all trials, :math:`\sigma_s^2 = \max(0, \sigma^2 - \sigma_n^2)`.

    Parameters
    ----------
    trials : array_like of shape (n_trials, n_targets)
        Single trials. NaN spreads over its target.
    stimulus : array_like of shape (n_trials,)
        Stimulus of each trial; one at least occurs twice.

    Returns
    -------
    SignalNoise
        Per target.

    Raises
    ------
    DataError
        If shapes do not fit or no stimulus is repeated.
    """
    values, labels, _ = as_trials(trials, stimulus)
    repeats = gather(np.asarray(values, np.float64), labels, np.arange(len(labels)))
    if repeats.counts.max() < 2:
        raise DataError(f"none of {len(repeats.counts)} stimuli is repeated: noise needs repeats of the same stimulus")
    return _signal_noise(repeats)


def _signal_noise(repeats: Repeats) -> SignalNoise:
    within = repeats.trials - repeats.means()[repeats.stimulus]
    noise = np.square(within).sum(axis=0) / (repeats.counts - 1).sum()
    return SignalNoise(np.maximum(repeats.trials.var(axis=0, ddof=1) - noise, 0.0), noise)


def ceiling_split_half(
    data: ArrayLike,
    stimulus: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    n_splits: int = 100,
    random_state: int | np.random.Generator = 0,
) -> Floats:
    r"""Reliability rho of responses averaged over repeats, in units of variance, from random halves of the repeats.

    :math:`\rho = 2 r_h / (1 + r_h)` (Spearman 1910, Brown 1910) with :math:`r_h` the correlation over stimuli of the means of
    the two halves: averaged over splits by Fisher's z first, corrected once. The general form is used, which is the same for
    equal halves and exact for others (three repeats make halves of one and two): :math:`r_h^{-2} = (1 + x\,\overline{1/a})
    (1 + x\,\overline{1/b})` with a and b the repeats in each half is solved for :math:`x`, noise over signal of single trials,
    and :math:`\rho = 1 / (1 + x\,\overline{1/n})`.

    Parameters
    ----------
    data : array_like of shape (n_stimuli, n_repeats, n_targets, ...) or (n_trials, n_targets, ...)
        Single trials. NaN marks a missing repeat. Stimuli shown once count in the means, but not in the halves.
    stimulus : array_like of shape (n_trials,), optional
        Stimulus of each trial; data are then trial by trial.
    groups : array_like of shape (n_trials,), optional
        Run or session of each trial: whole groups then make up the halves, so that noise which the trials of a run share
        does not count as signal. Data must be trial by trial.
    n_splits : int
        Number of random halves, 100 or more for a stable figure.
    random_state : int or Generator
        Seed of the splits; all targets share them.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_targets, ...), 0 to 1; 0 where halves do not correlate above 0, NaN where no stimulus was repeated.

    Raises
    ------
    DataError
        If shapes do not fit, a value is infinite, nothing is repeated, or no stimulus is repeated in two groups.
    """
    if n_splits < 1:
        raise DataError(f"n_splits must be at least 1, got {n_splits}: 100 random halves give a stable figure")
    codes = None if groups is None else _group_codes(groups, stimulus)
    seed = int(np.random.default_rng(random_state).integers(2**32))
    return per_target(partial(split_half, groups=codes, n_splits=n_splits, seed=seed), data, stimulus)


def _group_codes(groups: ArrayLike, stimulus: ArrayLike | None) -> NDArray[np.int64]:
    names = np.asarray(groups)
    trials = None if stimulus is None else np.asarray(stimulus).shape
    if names.shape != trials:
        raise DataError(f"groups of shape {names.shape} need the stimulus of each trial, got a stimulus of shape {trials}")
    codes = np.unique(names, return_inverse=True)[1].astype(np.int64)
    if codes.max(initial=0) < 1:
        raise DataError(
            f"all {len(codes)} trials are of one group ({names.ravel().tolist()[0]!r}): halves need two, leave groups away"
        )
    return codes


def ceiling_schoppe(data: ArrayLike, stimulus: ArrayLike | None = None) -> Floats:
    r"""Reliability rho of responses averaged over repeats, in units of variance: signal power over the power of the mean.

    :math:`SP = (var(\sum_k y_k) - \sum_k var(y_k)) / (K (K - 1))`, the mean covariance of two repeats, and
    :math:`\rho = CC_{max}^2 = SP / var(\bar y)` (Schoppe et al. 2016, Frontiers in Computational Neuroscience 10:10;
    Sahani and Linden 2003). Where repeats are missing, each covariance is taken over the stimuli that have both, which is the
    same formula where none is.

    Parameters
    ----------
    data : array_like of shape (n_stimuli, n_repeats, n_targets, ...) or (n_trials, n_targets, ...)
        Single trials: stimuli, or samples of a stimulus that goes on. NaN marks a missing repeat.
    stimulus : array_like of shape (n_trials,), optional
        Stimulus of each trial; data are then trial by trial.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_targets, ...), above 0 to 1; NaN where the signal power is not above 0, or no stimulus was repeated.

    Raises
    ------
    DataError
        If shapes do not fit, a value is infinite, or nothing is repeated.
    """
    return per_target(_schoppe, data, stimulus)


def _schoppe(repeats: Repeats) -> Floats:
    power, mean = signal_power(repeats.padded()), repeats.means().var(axis=0, ddof=1)
    signal = power > 1e-12 * mean  # below, what varies is rounding
    return np.where(signal, np.minimum(power / np.where(signal, mean, 1.0), 1.0), np.nan)


def signal_power(y: NDArray[np.float64]) -> Floats:
    """Mean over pairs of repeats of their covariance over stimuli.

    Parameters
    ----------
    y : NDArray[np.float64]
        Shape (n_stimuli, n_repeats, n_targets); NaN marks repeats that are missing, the same for all targets.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_targets,): signal power, in the unit of the responses squared. NaN if no two repeats share two stimuli.
    """
    n_repeats, missing = y.shape[1], np.isnan(y[:, :, 0])
    if not missing.any():
        return np.asarray((y.sum(axis=1).var(axis=0, ddof=1) - y.var(axis=0, ddof=1).sum(axis=0)) / (n_repeats * (n_repeats - 1)))
    total, weight = np.zeros(y.shape[2]), 0
    for i, j in zip(*np.triu_indices(n_repeats, 1), strict=True):
        both = ~(missing[:, i] | missing[:, j])
        if both.sum() > 1:
            a, b = y[both, i], y[both, j]
            total += np.sum((a - a.mean(axis=0)) * b, axis=0)
            weight += int(both.sum()) - 1
    return total / weight if weight else np.full(len(total), np.nan)


def ceiling_explainable_variance(data: ArrayLike, stimulus: ArrayLike | None = None) -> Floats:
    r"""Reliability rho of responses averaged over repeats, in units of variance, from the explainable variance.

    Repeats are z-scored over stimuli; :math:`EV = var(\bar y)`, corrected for the noise left in the mean
    :math:`s = EV - (1 - EV) / (K - 1)` (Hsu, Borst and Theunissen 2004; Schoppe et al. 2016). That is the share of signal in
    single trials, the mean correlation of two repeats; the ceiling of the mean of K is :math:`K s / (1 + (K - 1) s)`, in
    general :math:`s / (s + (1 - s)\,\overline{1/n})`.

    Parameters
    ----------
    data : array_like of shape (n_stimuli, n_repeats, n_targets, ...) or (n_trials, n_targets, ...)
        Single trials: stimuli, or volumes of a run that was repeated. NaN marks a missing repeat.
    stimulus : array_like of shape (n_trials,), optional
        Stimulus of each trial; data are then trial by trial.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_targets, ...), 0 to 1; 0 where no signal was found, NaN where no stimulus was repeated.

    Raises
    ------
    DataError
        If shapes do not fit, a value is infinite, or nothing is repeated.
    """
    return per_target(_explainable_variance, data, stimulus)


def _explainable_variance(repeats: Repeats) -> Floats:
    y = repeats.padded()
    y -= np.nanmean(y, axis=0)
    spread = np.sqrt(np.nansum(y**2, axis=0) / np.maximum((~np.isnan(y)).sum(axis=0) - 1, 1))
    single = np.clip(np.nan_to_num(signal_power(y / np.where(spread > 0, spread, 1.0))), 0.0, 1.0)
    return SignalNoise(single, 1 - single).reliability(repeats.share)


def cc_norm(repeats: ArrayLike, predicted: ArrayLike) -> Any:
    r"""Correlation of a prediction with the mean response over what noise leaves possible, in units of correlation.

    :math:`CC_{norm} = cov(\hat y, \bar y) / \sqrt{var(\hat y)\, SP}`, which is the plain correlation over
    :math:`CC_{max} = \sqrt\rho` of `ceiling_schoppe` (Schoppe et al. 2016). Chance 0, best 1; as the signal power is
    estimated it can exceed 1, and it is not clipped.

    Parameters
    ----------
    repeats : array_like of shape (n_stimuli, n_repeats) or (n_stimuli, n_repeats, n_targets)
        Measured single trials; NaN marks a missing repeat.
    predicted : array_like of shape (n_stimuli,) or (n_stimuli, n_targets)
        Prediction of the mean.

    Returns
    -------
    float or array of shape (n_targets,)
        NaN where the signal power is not above 0 or the prediction does not vary.

    Raises
    ------
    DataError
        If shapes do not fit or nothing is repeated.
    """
    y, guess = np.asarray(repeats, np.float64), np.asarray(predicted, np.float64)
    if y.ndim not in (2, 3) or guess.shape != (len(y), *y.shape[2:]) or len(y) < 3:
        raise DataError(
            f"repeats must be (n_stimuli, n_repeats[, n_targets]) and predicted without repeats, got {y.shape} and {guess.shape}"
        )
    counts = (~np.isnan(y)).sum(axis=1)
    if (counts == 0).any():
        raise DataError(f"stimulus {int(np.argwhere(counts == 0)[0, 0])} has no response: leave it out of both sides")
    rho = ceiling_schoppe(y if y.ndim == 3 else y[:, :, None]).reshape(y.shape[2:])
    return pearson_r(np.nansum(y, axis=1) / counts, guess) / np.sqrt(rho)[()]


def normalise_r(r: ArrayLike, rho: ArrayLike, floor: float = FLOOR) -> Any:
    """Correlation as a share of the largest possible one: r / sqrt(rho), not clipped.

    Chance 0, 1 for a model that explains all that the stimulus does. The ceiling of a correlation is the square root of a
    reliability, as that is a share of variance; r / rho would exceed 1 for a perfect model.

    Parameters
    ----------
    r : array_like of shape (n_targets,)
        Correlations of predictions with averaged responses.
    rho : array_like of shape (n_targets,)
        Reliability of those averages in units of variance, 0 to 1, as every function ``ceiling_...`` returns it.
    floor : float
        Targets whose reliability is lower get NaN: noise over nearly nothing is no score. See `ceiling_coverage`.

    Returns
    -------
    float or array of shape (n_targets,)
        Normalised correlations.

    Raises
    ------
    DataError
        If a reliability is above 1 (NSD stores percent) or below 0.
    """
    return _normalise(r, rho, floor, np.sqrt)


def normalise_r2(r2: ArrayLike, rho: ArrayLike, floor: float = FLOOR) -> Any:
    """Explained variance as a share of what can be explained: r² / rho, or R² / rho, not clipped.

    Chance 0, 1 for a model that explains all that the stimulus does.

    Parameters
    ----------
    r2 : array_like of shape (n_targets,)
        Squared correlations or R² of predictions of averaged responses.
    rho : array_like of shape (n_targets,)
        Reliability of those averages in units of variance, 0 to 1, as every function ``ceiling_...`` returns it.
    floor : float
        Targets whose reliability is lower get NaN. See `ceiling_coverage`.

    Returns
    -------
    float or array of shape (n_targets,)
        Normalised explained variance.

    Raises
    ------
    DataError
        If a reliability is above 1 (NSD stores percent) or below 0.
    """
    return _normalise(r2, rho, floor, np.positive)


def _normalise(score: ArrayLike, rho: ArrayLike, floor: float, unit: Any) -> Any:
    reliability = _check_rho(rho)
    above = reliability >= floor  # NaN is not
    return np.where(above, np.asarray(score, np.float64) / unit(np.where(above, reliability, 1.0)), np.nan)[()]


def ceiling_coverage(rho: ArrayLike, floor: float = FLOOR) -> float:
    """Share of targets reliable enough for a normalised score.

    Parameters
    ----------
    rho : array_like of shape (n_targets,)
        Reliability in units of variance.
    floor : float
        Lowest reliability that counts.

    Returns
    -------
    float
        0 to 1; targets without a reliability (NaN) do not reach the floor. It belongs beside every mean of normalised scores.
    """
    return float(np.mean(_check_rho(rho) >= floor))


def _check_rho(rho: ArrayLike) -> Floats:
    reliability = np.asarray(rho, np.float64)
    wrong = (reliability > 1 + 1e-6) | (reliability < 0)
    if not reliability.size or wrong.any():
        got = reliability[wrong].flat[0] if wrong.any() else reliability.shape
        raise DataError(f"a reliability is a share of variance from 0 to 1, got {got}: divide percent (as NSD stores it) by 100")
    return reliability
