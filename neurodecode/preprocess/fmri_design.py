"""Design matrices of BOLD runs: responses to events, drifts and confounds, at the times of the volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.validate import check_length, check_option, require
from neurodecode.preprocess.fmri_clean import check_confounds, drifts

HRFS = ("glover", "spm")
Confounds = pd.DataFrame | Sequence[pd.DataFrame | None] | None


def hrf_lag(hrf: Literal["glover", "spm"] = "glover") -> float:
    """Time from a short event to the peak of its haemodynamic response.

    Parameters
    ----------
    hrf : {"glover", "spm"}
        Canonical response of nilearn.

    Returns
    -------
    float
        Lag in s, about 5.

    Raises
    ------
    DataError
        If the name is unknown.
    """
    check_option("hrf", hrf, HRFS)
    first_level = require("nilearn.glm.first_level", "haemodynamic responses", "fmri")
    rate = 100
    kernel = getattr(first_level, f"{hrf}_hrf")(1.0, oversampling=rate)
    return round(float(np.argmax(kernel)) / rate, 2)


def hrf_regressors(recording: Recording, events: pd.DataFrame, hrf: str) -> NDArray[np.float64]:
    """One regressor per event: its boxcar convolved with a canonical response, at the times of the volumes.

    Parameters
    ----------
    recording : Recording
        One run; its `t0` is the time of the first volume.
    events : DataFrame
        ``onset`` and ``duration`` in s on the clock of the recording; a duration of 0 is an impulse.
    hrf : {"glover", "spm"}
        Canonical response of nilearn.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_times, n_events).
    """
    first_level = require("nilearn.glm.first_level", "haemodynamic responses", "fmri")
    times = np.arange(recording.n_times) / recording.sfreq  # relative to the first volume, where nilearn's grid is exact
    design = np.zeros((recording.n_times, len(events)))
    for j, (onset, duration) in enumerate(zip(events["onset"] - recording.t0, events["duration"], strict=True)):
        condition = np.array([[onset], [duration], [1.0]])
        design[:, j] = first_level.compute_regressor(condition, hrf, times, min_onset=min(-24.0, onset))[0][:, 0]
    return design


def baseline_regressors(run: Recording, high_pass: float | None, confounds: pd.DataFrame | None) -> NDArray[np.float64]:
    """The constant, drifts and confounds of a run.

    Parameters
    ----------
    run : Recording
        One run.
    high_pass : float or None
        Cut-off of the drift model in Hz.
    confounds : DataFrame of shape (n_times, n_confounds) or None
        Nuisance signals.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_times, n_regressors).
    """
    return np.hstack([np.ones((run.n_times, 1)), drifts(run, high_pass), check_confounds(confounds, run, high_pass)])


def confounds_per_run(confounds: Confounds, runs: Sequence[Recording]) -> list[pd.DataFrame | None]:
    """One confounds table, or none, for each run.

    Parameters
    ----------
    confounds : DataFrame, sequence of DataFrame, or None
        As the user gave them.
    runs : sequence of Recording
        The runs.

    Returns
    -------
    list of DataFrame or None
        As long as `runs`.

    Raises
    ------
    DataError
        If their number differs.
    """
    if confounds is None:
        return [None] * len(runs)
    tables: list[pd.DataFrame | None] = [confounds] if isinstance(confounds, pd.DataFrame) else list(confounds)
    check_length("the list of confounds", len(tables), len(runs), "run")
    return tables


def confound_names(table: pd.DataFrame | None) -> list[str]:
    """Names of the confounds for the record of a step."""
    return [] if table is None else [str(name) for name in table.columns]


def tents(recording: Recording, onsets: NDArray[np.float64], lags: NDArray[np.float64]) -> NDArray[np.float64]:
    """Regressors of a finite impulse response: tents one volume wide to each side, summed over events.

    Parameters
    ----------
    recording : Recording
        One run; its `t0` is the time of the first volume.
    onsets : array of shape (n_events,)
        In s.
    lags : array of shape (n_lags,)
        In s after the onset.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_times, n_lags).
    """
    away = recording.times[:, None, None] - onsets[:, None] - lags
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(away) * recording.sfreq).sum(axis=1))
