"""Finite impulse responses: the time course of the BOLD response without assuming its shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses
from neurodecode.errors import DataError
from neurodecode.preprocess._runs import Runs, as_list, as_runs, each_run, event_samples, trial_kinds, trials
from neurodecode.preprocess.fmri_clean import HIGH_PASS
from neurodecode.preprocess.fmri_design import Confounds, baseline_regressors, confound_names, confounds_per_run, tents
from neurodecode.preprocess.fmri_glm import estimator, fit_channels, lsa_weights


def fir(
    recordings: Runs,
    *,
    window: tuple[float, float] = (0.0, 20.0),
    trial_types: str | Sequence[str] | None = None,
    high_pass: float | None = HIGH_PASS,
    confounds: Confounds = None,
) -> Responses:
    r"""Estimate the time course of the response to each trial type, run by run.

    Finite impulse response: one regressor per trial type and lag :math:`l`, the tents
    :math:`\max(0, 1 - |t - onset - l| / TR)` summed over events, so that an onset between two volumes counts for both.
    Durations play no role: what comes out is the response to the whole event.

    Parameters
    ----------
    recordings : Recording or sequence of Recording
        One run or several of the same channels, with events.
    window : tuple of float
        Lags after the onset in s, one per volume with ``window[0] <= lag < window[1]``; may begin before 0.
    trial_types : str or sequence of str, optional
        By default all. Events of other types are modelled too and left out of the result.
    high_pass : float or None
        Cut-off in Hz of the cosine drift model, by default 1/128.
    confounds : DataFrame or sequence of DataFrame, optional
        Nuisance signals of each run, (n_times, n_confounds).

    Returns
    -------
    Responses
        ``data`` (n_trial_types, n_channels, n_lags) for each run, ``times`` the lags in s; ``samples`` has subject, session,
        run, task where known, trial_type and ``n_events``. Constant channels get 0.

    Raises
    ------
    DataError
        If a run has no events, the window holds no volume, or the lags cannot be told apart.
    """
    tables = confounds_per_run(confounds, as_runs(recordings))

    def respond(i: int, run: Recording) -> Responses:
        lags = _lags(run, window)
        wanted = list(dict.fromkeys(trial_kinds(trials(run, trial_types))))
        present = trial_kinds(run.events)
        order = list(dict.fromkeys([*wanted, *present]))
        design = np.hstack([tents(run, run.events["onset"].to_numpy()[present == kind], lags) for kind in order])
        matrix = estimator(design, baseline_regressors(run, high_pass, tables[i]), lsa_weights)[: len(wanted) * len(lags)]
        data = fit_channels(run, lambda signal: matrix @ signal, len(matrix)).reshape(len(wanted), len(lags), run.n_channels)
        table = pd.DataFrame({"trial_type": wanted, "n_events": [int((present == kind).sum()) for kind in wanted]})
        named = {"window": list(window), "trial_types": as_list(trial_types), "high_pass": high_pass}
        responses = Responses(data.swapaxes(1, 2), event_samples(run, table), run.channels, lags, run.meta)
        return responses.with_step("fmri.fir", {**named, "confounds": confound_names(tables[i])})

    return each_run(recordings, respond)


def _lags(run: Recording, window: tuple[float, float]) -> NDArray[np.float64]:
    """Whole volumes inside the window, in s."""
    first, last = (int(np.ceil(edge * run.sfreq - 1e-9)) for edge in window)
    if last <= first:
        raise DataError(
            f"window {window} s holds no volume (there is one every {1 / run.sfreq:g} s): give a start and a later end"
        )
    return np.arange(first, last) / run.sfreq
