"""The best that any decoder can do on simulated M/EEG: the likelihood of each candidate under the true model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_columns
from neurodecode.errors import DataError
from neurodecode.simulate.meeg_sources import filtered, source_activity
from neurodecode.simulate.truth import Truth

_Floats = NDArray[np.float64]

_TRIALS = 256  # whitened at once


def oracle_scores(truth: Truth, responses: Responses, candidates: Sequence[str] | None = None) -> _Floats:
    r"""Log-likelihood of each candidate, given each response.

    The noise is Gaussian with a known covariance over sensors times a known one over time. With its whitening W, and the
    noise-free response :math:`\mu_j` of the subject to candidate j,

    .. math:: l_j = \langle W x, W \mu_j \rangle - \tfrac12 \|W \mu_j\|^2

    up to a constant. Its maximum is the Bayes-optimal answer where all candidates are as likely: no decoder has a higher top-1
    accuracy in expectation. With random signs, :math:`\log \tfrac12 (e^{l_j^+} + e^{l_j^-})`. The mean of m responses has m
    times their log-likelihood, the covariance of its noise being that of one over m. Drift and spikes, where there are any, are
    taken out first: the ceiling is that of the clean data. Flat and missing channels are left out.

    Parameters
    ----------
    truth : Truth
        Of `simulate_speech` or `simulate_images`.
    responses : Responses
        Trials as they were simulated, not scaled, not clamped and not filtered: all of them, some, or means of repeats by
        ``average(["subject", "stimulus"])``.
    candidates : sequence of str, optional
        Ids of stimuli, by default those of the test.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_samples, n_candidates).

    Raises
    ------
    DataError
        If a candidate or a subject is unknown, or means were taken over subjects, random signs, drift or spikes.

    References
    ----------
    Green and Swets (1966), Signal Detection Theory and Psychophysics: two candidates are told apart with probability
    :math:`\Phi(\|W (\mu_1 - \mu_2)\| / 2)`.
    """
    ids = candidate_ids(truth) if candidates is None else list(candidates)
    check_columns(responses.samples, ["subject"], "samples of the responses")
    counts = _counts(truth, responses.samples)
    scores = np.empty((len(responses), len(ids)))
    for subject in responses.samples["subject"].unique():
        rows = np.flatnonzero(responses.samples["subject"] == subject)
        expected = _whitened(truth, subject, expected_responses(truth, subject, ids))
        bias = 0.5 * (expected**2).sum(axis=1)
        for part in np.array_split(rows, -(-len(rows) // _TRIALS)):
            match = _whitened(truth, subject, _clean(truth, responses, part)) @ expected.T
            match = match if "signs" not in truth.arrays else np.logaddexp(match, -match) - np.log(2.0)
            scores[part] = counts[part, None] * (match - bias)
    return scores


def oracle_top_k(truth: Truth, responses: Responses, k: Sequence[int] = (1, 5, 10), *, pooled: bool = False) -> dict[int, float]:
    """Share of responses whose stimulus is among the k likeliest of the test: the ceiling of retrieval.

    Chance k / n_candidates, best 1.

    Parameters
    ----------
    truth : Truth
        Of `simulate_speech` or `simulate_images`.
    responses : Responses
        Of test stimuli, as `oracle_scores` takes them.
    k : sequence of int
        Places that count.
    pooled : bool
        Whether all responses to a stimulus, also those of several subjects, are one question: their log-likelihoods add up. It is
        the ceiling of predictions that are averaged over trials.

    Returns
    -------
    dict of int to float
        Accuracy by k.

    Raises
    ------
    DataError
        If a response is to no stimulus of the test, or as in `oracle_scores`.
    """
    scores = oracle_scores(truth, responses)
    right = pd.Index(candidate_ids(truth)).get_indexer(pd.Index(responses.samples["stimulus"]))
    if (right < 0).any():
        row = int(np.argmin(right))
        raise DataError(
            f"sample {row} is a response to {responses.samples['stimulus'].iloc[row]!r}, which is not of the test split"
        )
    if pooled:
        stimuli, group = np.unique(right, return_inverse=True)
        sums = np.zeros((len(stimuli), scores.shape[1]))
        np.add.at(sums, group, scores)
        scores, right = sums, stimuli
    better = (scores > scores[np.arange(len(scores)), right][:, None]).sum(axis=1)
    return {place: float(np.mean(better < place)) for place in k}


def expected_responses(truth: Truth, subject: str, stimuli: Sequence[str]) -> _Floats:
    """Response of a subject to each stimulus, without noise; with random signs, that of a positive sign.

    Parameters
    ----------
    truth : Truth
        Of `simulate_speech` or `simulate_images`.
    subject : str
        Name of the subject.
    stimuli : sequence of str
        Ids of stimuli.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_stimuli, n_sensors, n_times).

    Raises
    ------
    DataError
        If the subject or a stimulus is unknown.
    """
    number = _subject_number(truth, subject)
    rows = pd.Index(truth["stimuli"]["stimulus"]).get_indexer(pd.Index(stimuli))
    if (rows < 0).any():
        raise DataError(f"stimulus {stimuli[int(np.argmin(rows))]!r} is none of the {len(truth['stimuli'])} that were simulated")
    activity = source_activity(truth["features"][rows], truth["weights"], truth["rectified"], truth["kernels"])
    reference = truth["reference"][number] if "signs" in truth.arrays else 0.0
    return np.asarray(truth["mixing"][number] @ activity + reference)


def candidate_ids(truth: Truth) -> list[str]:
    """Stimuli of the test, in the order of the columns of `oracle_scores`.

    Parameters
    ----------
    truth : Truth
        Of `simulate_speech` or `simulate_images`.

    Returns
    -------
    list of str
        Their ids.
    """
    table = truth["stimuli"]
    return [str(name) for name in table["stimulus"][table["split"] == "test"]]


def _subject_number(truth: Truth, subject: str) -> int:
    names = list(truth["subjects"]["subject"])
    if subject not in names:
        raise DataError(f"subject {subject!r} was not simulated, there are {names}")
    return names.index(subject)


def _whitened(truth: Truth, subject: str, data: NDArray[Any]) -> _Floats:
    """Data (n, n_sensors, n_times) of usable channels with noise that is white, flattened."""
    number = _subject_number(truth, subject)
    usable = truth["usable"][number]
    covariance = truth["noise_covariance"][number][np.ix_(usable, usable)]
    across = np.linalg.inv(np.linalg.cholesky(covariance))
    white = filtered(across @ np.asarray(data[:, usable], float), 1.0 / truth["noise_power"])
    return white.reshape(len(data), -1)


def _counts(truth: Truth, samples: pd.DataFrame) -> _Floats:
    """How many trials each response is the mean of."""
    counts = samples["n_averaged"].to_numpy(float) if "n_averaged" in samples else np.ones(len(samples))
    changing = [name for name in ("signs", "drift", "spike_index") if name in truth.arrays]
    if changing and (counts > 1).any():
        raise DataError(
            f"{changing} change from trial to trial, means over up to {counts.max():g} trials have no known likelihood"
        )
    return counts


def _clean(truth: Truth, responses: Responses, rows: NDArray[np.intp]) -> NDArray[Any]:
    """Some trials without drift and spikes."""
    data = np.asarray(responses.data[rows], float)
    if "trial" in responses.samples:
        data -= nuisance(truth, responses.samples["trial"].to_numpy()[rows], data.shape[1:])
    return data


def nuisance(truth: Truth, trials: NDArray[np.int64], shape: tuple[int, ...]) -> _Floats:
    """Drift and spikes of some trials.

    Parameters
    ----------
    truth : Truth
        Of `simulate_speech` or `simulate_images`.
    trials : array of shape (n_samples,)
        Numbers of trials.
    shape : tuple of int
        Sensors and times.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_samples, n_sensors, n_times); a single 0 of three dimensions where there is neither.
    """
    if not {"drift", "spike_index"} & set(truth.arrays):
        return np.zeros((1, 1, 1))
    added = np.zeros((len(trials), *shape))
    if "drift" in truth.arrays:
        offset, slope = np.moveaxis(truth["drift"][trials].astype(float), -1, 0)
        added += offset[..., None] + slope[..., None] * np.linspace(-0.5, 0.5, shape[1])
    if "spike_index" in truth.arrays:
        size = int(np.prod(shape))
        index = truth["spike_index"]
        first, last = np.searchsorted(index, trials * size), np.searchsorted(index, (trials + 1) * size)
        taken = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
        place = np.repeat(np.arange(len(trials)), last - first) * size + index[taken] % size
        added.reshape(-1)[place] += truth["spike_value"][taken]
    return added
