"""Single-trial betas: the amplitude of the response of each channel to each event of a BOLD run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_option, require
from neurodecode.errors import DataError
from neurodecode.preprocess._runs import (
    Runs,
    as_list,
    as_runs,
    blocks,
    check_good_finite,
    drop_record,
    each_run,
    event_samples,
    name_of,
    trial_kinds,
    trials,
)
from neurodecode.preprocess.fmri_clean import HIGH_PASS
from neurodecode.preprocess.fmri_design import (
    HRFS,
    Confounds,
    baseline_regressors,
    confound_names,
    confounds_per_run,
    hrf_lag,
    hrf_regressors,
)

OUTSIDE = "response peak outside the run"
Weights = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_LOST = 1e-6  # a regressor of which less than this part is left was a sum of the others


def betas(
    recordings: Runs,
    *,
    method: Literal["lss", "lsa"] = "lss",
    hrf: Literal["glover", "spm"] = "glover",
    high_pass: float | None = HIGH_PASS,
    confounds: Confounds = None,
    noise_model: Literal["ols", "ar1"] = "ols",
    others: Literal["one", "by_trial_type"] = "one",
    trial_types: str | Sequence[str] | None = None,
) -> Responses:
    r"""Estimate the amplitude of the response to each single event, run by run.

    A trial's regressor is its boxcar convolved with the `hrf` at the times of the volumes (`t0` counts). Drifts and confounds
    are projected out of regressors and signal (Frisch, Waugh and Lovell), giving :math:`\tilde X, \tilde Y`; then

    - ``lsa``, least squares all: :math:`\hat\beta = (\tilde X^T \tilde X)^{-1} \tilde X^T \tilde Y`, all trials in one model;
    - ``lss``, least squares separate: for trial :math:`j` the first coefficient of the model
      :math:`[\tilde x_j, \sum_{i \ne j} \tilde x_i]`, one model per trial, all solved from the same :math:`\tilde X^T \tilde X`
      and :math:`\tilde X^T \tilde Y` (Mumford et al. 2012, NeuroImage 59:2636). Better where responses overlap.

    Parameters
    ----------
    recordings : Recording or sequence of Recording
        One run or several of the same channels, with events.
    method : {"lss", "lsa"}
        See above.
    hrf : {"glover", "spm"}
        Canonical haemodynamic response of nilearn.
    high_pass : float or None
        Cut-off in Hz of the cosine drift model, by default 1/128.
    confounds : DataFrame or sequence of DataFrame, optional
        Nuisance signals of each run, (n_times, n_confounds). They are better given here than to `clean`, which takes them out
        of the signal but not out of the regressors.
    noise_model : {"ols", "ar1"}
        Independent noise, or autoregressive noise of order 1 that is whitened: one coefficient per channel, estimated by
        nilearn from the residuals of the model with all trials (`lsa`) or with one regressor per group of trials (`lss`).
    others : {"one", "by_trial_type"}
        In `lss`, model the other trials with one regressor or with one per trial type.
    trial_types : str or sequence of str, optional
        Trials to estimate, by default all events. Events of other types become nuisance regressors, one per type.

    Returns
    -------
    Responses
        ``data`` (n_trials, n_channels) in the unit of the signal; ``samples`` has subject, session, run, task where known and
        every event column. A trial whose response peaks outside the run is dropped; ``meta["drops"]`` counts them. Constant
        channels get 0, bad channels with NaN stay NaN.

    Raises
    ------
    DataError
        If a run has no usable event, a good channel holds NaN, or the design cannot tell the trials apart.
    """
    check_option("method", method, ("lss", "lsa"))
    check_option("hrf", hrf, HRFS)
    check_option("noise_model", noise_model, ("ols", "ar1"))
    check_option("others", others, ("one", "by_trial_type"))
    tables = confounds_per_run(confounds, as_runs(recordings))
    options = {"method": method, "hrf": hrf, "high_pass": high_pass, "noise_model": noise_model, "others": others}

    def respond(i: int, run: Recording) -> Responses:
        kept, nuisance, drops = _sorted_events(run, hrf, trial_types)
        design = hrf_regressors(run, kept, hrf)
        groups = np.zeros(len(kept), int) if others == "one" else pd.factorize(trial_kinds(kept))[0]
        nuisance = np.hstack([nuisance, baseline_regressors(run, high_pass, tables[i])])
        data = _trial_betas(run, design, nuisance, groups, method, noise_model)
        named = {"confounds": confound_names(tables[i]), "trial_types": as_list(trial_types), "drops": drops}
        responses = Responses(data, event_samples(run, kept), run.channels, meta={**run.meta, "drops": drops})
        return responses.with_step("fmri.betas", {**options, **named})

    return each_run(recordings, respond)


def lss_weights(gram: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    r"""Weights that turn :math:`X^T Y` into least-squares-separate betas.

    Parameters
    ----------
    gram : array of shape (n_trials, n_trials)
        :math:`X^T X` of the trial regressors, nuisance already projected out.
    groups : array of int of shape (n_trials,)
        The other trials of each group share one regressor; all equal in the original method.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_trials, n_trials): ``betas = weights @ X.T @ Y``.
    """
    n = len(gram)
    members = (groups[:, None] == np.unique(groups)).astype(np.float64)
    weights = np.empty((n, n))
    for j in range(n):
        model = np.column_stack([np.zeros(n), members])
        model[j] = 0.0
        model[j, 0] = 1.0
        weights[j] = np.linalg.pinv(model.T @ gram @ model, hermitian=True)[0] @ model.T
    return weights


def lsa_weights(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Weights that turn :math:`X^T Y` into least-squares-all betas.

    Parameters
    ----------
    gram : array of shape (n_trials, n_trials)
        :math:`X^T X` of the regressors, nuisance already projected out.

    Returns
    -------
    NDArray[np.float64]
        Its inverse.

    Raises
    ------
    DataError
        If the regressors are not linearly independent.
    """
    rank = int(np.linalg.matrix_rank(gram, tol=1e-9 * np.linalg.norm(gram, 2), hermitian=True))
    if rank < len(gram):
        raise DataError(
            f"only {rank} of {len(gram)} regressors can be told apart in one model: events follow each other too regularly "
            "or too fast for the volumes. For single trials use method='lss'; for a time course shorten the window"
        )
    return np.asarray(np.linalg.inv(gram))


def estimator(design: NDArray[np.float64], nuisance: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    r"""The matrix that turns a signal into betas, nuisance projected out.

    Parameters
    ----------
    design : array of shape (n_times, n_regressors)
        Regressors of interest.
    nuisance : array of shape (n_times, n_nuisance)
        Constant, drifts, confounds, other events.
    weights : callable
        `lss_weights` or `lsa_weights` of the Gram matrix.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_regressors, n_times): ``betas = estimator @ signal``.

    Raises
    ------
    DataError
        If a regressor is wholly explained by the nuisance, or nothing is left to estimate from.
    """
    scale = np.linalg.norm(nuisance, axis=0)
    left, values, _ = np.linalg.svd(nuisance[:, scale > 0] / scale[scale > 0], full_matrices=False)
    basis = left[:, values > 1e-10 * values[0]]
    if basis.shape[1] + 1 >= len(design):
        raise DataError(f"{basis.shape[1]} nuisance regressors explain all {len(design)} volumes: take fewer confounds")
    residual = design - basis @ (basis.T @ design)
    lost = np.linalg.norm(residual, axis=0) <= _LOST * np.linalg.norm(design, axis=0)
    if lost.any():
        raise DataError(
            f"regressor {int(np.argmax(lost))} of {design.shape[1]} has no volume of its own, or drifts, confounds "
            "and other events explain it: lower high_pass, take fewer confounds, or leave out events at the end of the run"
        )
    return np.asarray(weights(residual.T @ residual) @ residual.T)


def fit_channels(run: Recording, fit: Callable[[NDArray[np.float64]], NDArray[np.float64]], n_rows: int) -> NDArray[np.float32]:
    """Apply a fit to the channels of a run, some at a time.

    Parameters
    ----------
    run : Recording
        One run, data (n_channels, n_times).
    fit : callable
        Takes a signal of shape (n_times, n_some) and returns (n_rows, n_some).
    n_rows : int
        Coefficients per channel.

    Returns
    -------
    NDArray[np.float32]
        Shape (n_rows, n_channels); 0 for constant channels, NaN for bad channels with NaN.

    Raises
    ------
    DataError
        If a good channel holds NaN.
    """
    data = read_signal(run.data)
    check_good_finite(run, data, "the signal")
    result = np.zeros((n_rows, run.n_channels), np.float32)
    for part in blocks(run.n_channels):
        signal = data[part].astype(np.float64).T
        result[:, part][:, np.isnan(signal).any(axis=0)] = np.nan
        usable = np.ptp(signal, axis=0) > 0  # False where NaN
        if usable.any():
            result[:, np.flatnonzero(usable) + part.start] = fit(signal[:, usable])
    return result


def _trial_betas(
    run: Recording,
    design: NDArray[np.float64],
    nuisance: NDArray[np.float64],
    groups: NDArray[np.int64],
    method: str,
    noise_model: str,
) -> NDArray[np.float32]:
    weights: Weights = lsa_weights if method == "lsa" else lambda gram: lss_weights(gram, groups)
    if noise_model == "ols":
        matrix = estimator(design, nuisance, weights)
        return fit_channels(run, lambda signal: matrix @ signal, design.shape[1])
    pooled = design if method == "lsa" else design @ (groups[:, None] == np.unique(groups))

    def whitened_fit(signal: NDArray[np.float64]) -> NDArray[np.float64]:
        result = np.empty((design.shape[1], signal.shape[1]))
        rhos = _autocorrelations(signal, np.hstack([pooled, nuisance]))
        for rho in np.unique(rhos):
            matrix = estimator(_whiten(design, rho), _whiten(nuisance, rho), weights)
            result[:, rhos == rho] = matrix @ _whiten(signal[:, rhos == rho], rho)
        return result

    return fit_channels(run, whitened_fit, design.shape[1])


def _autocorrelations(signal: NDArray[np.float64], model: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autoregressive coefficient of each channel, in steps of 0.01 as nilearn bins them."""
    first_level = require("nilearn.glm.first_level", "noise models", "fmri")
    labels, _ = first_level.run_glm(signal, model, noise_model="ar1")
    return np.array([float(label) for label in labels])


def _whiten(columns: NDArray[np.float64], rho: float) -> NDArray[np.float64]:
    """Take `rho` times the previous volume off each volume; the first stays, as in nilearn."""
    white = columns.copy()
    white[1:] -= rho * columns[:-1]
    return white


def _sorted_events(
    run: Recording, hrf: Literal["glover", "spm"], trial_types: str | Sequence[str] | None
) -> tuple[pd.DataFrame, NDArray[np.float64], dict[str, int]]:
    """Trials to estimate, regressors of all other events, and the count of dropped trials."""
    wanted = trials(run, trial_types)
    peak = wanted["onset"] + hrf_lag(hrf)
    inside = (peak <= run.times[-1]) & (peak + wanted["duration"] >= run.t0)
    if not inside.any():
        raise DataError(
            f"none of the {len(wanted)} events of {name_of(run)} has its response peak inside the run ({run.t0:g} to "
            f"{run.times[-1]:g} s; onsets {wanted['onset'].min():g} to {wanted['onset'].max():g} s): are onsets in s?"
        )
    rest = [wanted[~inside]]
    if trial_types is not None:
        unwanted = run.events[~run.events["trial_type"].isin(as_list(trial_types) or [])]
        rest += [group for _, group in unwanted.groupby(trial_kinds(unwanted), sort=False)]
    nuisance = [hrf_regressors(run, group, hrf).sum(axis=1) for group in rest]
    return wanted[inside], np.column_stack(nuisance), drop_record(len(wanted), {OUTSIDE: int((~inside).sum())})
