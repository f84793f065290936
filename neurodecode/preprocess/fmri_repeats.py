"""Repeats of stimuli: averages, noise ceilings, and the scale of runs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import check_columns, check_finite
from neurodecode.errors import DataError
from neurodecode.metrics.ceilings import signal_noise
from neurodecode.preprocess._runs import REMEDY


class NoiseCeiling(NamedTuple):
    """How much of each unit's responses the stimulus can explain.

    Parameters
    ----------
    ncsnr : NDArray[np.float64]
        Shape (n_units,): standard deviation of the signal over that of the noise of single trials. 0 where the noise is as
        large as everything, infinite where the repeats are equal.
    noise_ceiling : NDArray[np.float64]
        Shape (n_units,): percent of the variance of responses averaged over repeats that the stimulus explains, 0 to 100.
    signal_variance, noise_variance : NDArray[np.float64]
        Shape (n_units,).
    n_repeats : NDArray[np.int64]
        Shape (n_stimuli,): trials of each stimulus.
    """

    ncsnr: NDArray[np.float64]
    noise_ceiling: NDArray[np.float64]
    signal_variance: NDArray[np.float64]
    noise_variance: NDArray[np.float64]
    n_repeats: NDArray[np.int64]


def average_repeats(responses: Responses, by: str = "stimulus") -> Responses:
    """Average the trials of the same stimulus, within each subject.

    Parameters
    ----------
    responses : Responses
        Single trials.
    by : str
        Column of `samples` that names the stimulus.

    Returns
    -------
    Responses
        One sample per subject and stimulus with ``n_averaged``, in order of first appearance. NaN spreads.

    Raises
    ------
    DataError
        If the column is not there or does not name the stimulus of every trial.
    """
    _stimuli(responses, by)
    columns = [by] if by == "subject" or "subject" not in responses.samples else ["subject", by]
    return responses.average(columns)


def ncsnr(responses: Responses, by: str = "stimulus", n_averaged: float | None = None) -> NoiseCeiling:
    r"""Estimate the signal-to-noise ratio and noise ceiling of each unit from repeats.

    With the variances of signal and noise of `neurodecode.metrics.signal_noise`, :math:`ncsnr = \sigma_s / \sigma_n` and
    :math:`NC = 100\, ncsnr^2 / (ncsnr^2 + \overline{1/n_s})` (Allen et al. 2022, Nature Neuroscience 25:116).

    Parameters
    ----------
    responses : Responses
        Single trials, data (n_samples, n_units), on one scale over runs (see `standardise_runs`).
    by : str
        Column of `samples` that names the stimulus.
    n_averaged : float, optional
        Trials averaged in the responses to be explained; by default those at hand. With unequal repeats :math:`1/n` is then
        the mean of :math:`1/n_s` over stimuli, as in the paper. Stimuli shown once add to the signal, not to the noise.

    Returns
    -------
    NoiseCeiling
        Per unit.

    Raises
    ------
    DataError
        If there is a time axis, a value is NaN, or no stimulus is repeated.
    """
    data, labels, counts = _repeats(responses, by)
    found = signal_noise(data, labels)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(found.signal > 0, np.sqrt(found.signal / found.noise), 0.0)
    ceiling = 100 * found.reliability(float(np.mean(1 / counts)) if n_averaged is None else 1 / n_averaged)
    return NoiseCeiling(ratio, ceiling, found.signal, found.noise, counts)


def standardise_runs(responses: Responses, by: str = "run") -> Responses:
    """Give each unit mean 0 and standard deviation 1 over the samples of each run, or of each session.

    The scale is estimated on all samples of a run, test samples included, but never on their labels (transductive). Keep
    whole runs on one side of a split; to scale with training samples only, let the decoder do it.

    Parameters
    ----------
    responses : Responses
        Single trials with subject, session, run where known.
    by : str
        ``"run"``, ``"session"``, or another column of `samples`.

    Returns
    -------
    Responses
        Same samples; a unit that is constant in a run becomes 0 there. NaN spreads over its unit and run.

    Raises
    ------
    DataError
        If a run has fewer than two samples.
    """
    groups = responses.groups(by)
    sizes = np.bincount(groups)
    if (sizes < 2).any():
        run = responses.samples[by].iloc[int(np.argmax(sizes[groups] < 2))]
        raise DataError(f"{by} {run!r} has 1 sample, at least 2 are needed to scale it: leave it out or scale over sessions")
    data = np.array(responses.data, np.float64)
    for group in range(len(sizes)):
        data[groups == group] = _zscore(data[groups == group])
    parameters = {"by": by, "n_runs": len(sizes), "note": f"scale of a {by} estimated on all of its samples (transductive)"}
    return responses.with_step("fmri.standardise_runs", parameters, data=data)


def _zscore(part: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = part - part.mean(axis=0)
    spread = part.std(axis=0, ddof=1)
    flat = spread <= 1e-6 * np.abs(part).max(axis=0)
    return np.where(flat, 0.0, centred / np.where(flat, 1.0, spread))


def _stimuli(responses: Responses, by: str) -> pd.Series:
    check_columns(responses.samples, [by], "samples")
    names = responses.samples[by]
    if names.isna().any():
        row = int(np.flatnonzero(names.isna())[0])
        raise DataError(f"sample {row} has no {by!r} ({names.iloc[row]}): drop it, {int(names.isna().sum())} samples lack one")
    return names


def _repeats(responses: Responses, by: str) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Single trials in float64, the number of their stimulus, and the trials per stimulus."""
    names = _stimuli(responses, by)
    if responses.times is not None:
        raise DataError(f"ncsnr takes one value per trial and unit, got data of shape {responses.data.shape}: average the times")
    held = responses.samples["subject"].unique().tolist() if "subject" in responses.samples else []
    if len(held) > 1:
        raise DataError(f"the responses are from subjects {held}: estimate the noise ceiling of each by itself")
    data = np.asarray(responses.data, np.float64)
    check_finite(data.T, responses.units["name"].tolist(), "ncsnr", REMEDY)
    labels = pd.factorize(names)[0]
    counts = np.bincount(labels)
    if counts.max(initial=0) < 2:
        raise DataError(f"none of the {len(counts)} values of {by!r} is repeated: noise needs repeats of the same stimulus")
    return data, labels.astype(np.int64), counts.astype(np.int64)
