"""Quality of BOLD runs: signal to noise over time, head motion, volumes to leave out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.lazy import read_signal
from neurodecode.data.responses import RUN_KEYS
from neurodecode.data.validate import check_length
from neurodecode.preprocess._runs import Runs, as_runs, blocks, name_of
from neurodecode.preprocess.fmri_confounds import MOTION, SCRUB_ABOVE, framewise_displacement, n_non_steady_state
from neurodecode.preprocess.fmri_design import Confounds, confounds_per_run


def quality(recordings: Runs, confounds: Confounds = None) -> pd.DataFrame:
    """Describe each run in one row.

    Parameters
    ----------
    recordings : Recording or sequence of Recording
        Runs before `clean`: afterwards their mean is gone, and the temporal signal-to-noise ratio is given as NaN.
    confounds : DataFrame or sequence of DataFrame, optional
        Whole confounds table of each run, (n_times, n_columns).

    Returns
    -------
    DataFrame
        Columns subject, session, run, task (as far as known), ``n_volumes``, ``tr`` (s), ``duration`` (s), ``n_channels``,
        ``n_constant`` and ``n_nan`` (channels), ``tsnr_median``, ``tsnr_5``, ``tsnr_95`` (percentiles over channels of mean
        over standard deviation after a linear detrend), and from the confounds ``mean_fd``, ``max_fd`` (framewise
        displacement in mm), ``n_fd_above_0.5``, ``n_non_steady_state`` (volumes); NaN where unknown.

    Raises
    ------
    DataError
        If the number of tables or their length does not fit the runs.
    """
    runs = as_runs(recordings)
    tables = confounds_per_run(confounds, runs)
    return pd.DataFrame([_row(run, table) for run, table in zip(runs, tables, strict=True)])


def tsnr(recording: Recording) -> NDArray[np.float64]:
    """Temporal signal-to-noise ratio of each channel: mean over standard deviation after a linear detrend.

    Parameters
    ----------
    recording : Recording
        One run before `clean`.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_channels,); NaN for channels that are constant or hold NaN, and for runs that were cleaned.
    """
    result = np.full(recording.n_channels, np.nan)
    if any(step.get("step") == "fmri.clean" for step in recording.meta.get("steps", [])):
        return result
    from scipy.signal import detrend

    data = read_signal(recording.data)
    for part in blocks(recording.n_channels):
        signal = data[part].astype(np.float64)
        usable = np.ptp(signal, axis=1) > 0
        if usable.any():
            noise = detrend(signal[usable], axis=1).std(axis=1, ddof=2)
            result[np.flatnonzero(usable) + part.start] = signal[usable].mean(axis=1) / noise
    return result


def _row(run: Recording, table: pd.DataFrame | None) -> dict[str, Any]:
    data = read_signal(run.data)
    missing = np.isnan(data).any(axis=1)
    known = {key: run.meta[key] for key in (*RUN_KEYS, "task") if run.meta.get(key) is not None}
    size = {"n_volumes": run.n_times, "tr": 1 / run.sfreq, "duration": run.duration, "n_channels": run.n_channels}
    counts = {"n_constant": int((np.ptp(data, axis=1) == 0).sum()), "n_nan": int(missing.sum())}
    ratio = tsnr(run)
    ratio = ratio[np.isfinite(ratio)]
    spread = np.percentile(ratio, [50, 5, 95]) if ratio.size else np.full(3, np.nan)
    named = dict(zip(("tsnr_median", "tsnr_5", "tsnr_95"), spread.tolist(), strict=True))
    return {**known, **size, **counts, **named, **_motion(run, table)}


def _motion(run: Recording, table: pd.DataFrame | None) -> dict[str, float]:
    unknown = float("nan")
    motion = {"mean_fd": unknown, "max_fd": unknown, f"n_fd_above_{SCRUB_ABOVE:g}": unknown, "n_non_steady_state": unknown}
    if table is None:
        return motion
    check_length(f"confounds of {name_of(run)}", len(table), run.n_times, "volume")
    motion["n_non_steady_state"] = n_non_steady_state(table)
    if set(MOTION) <= set(table):
        moved = framewise_displacement(table)
        moved_far = int((moved > SCRUB_ABOVE).sum())
        motion |= {"mean_fd": moved[1:].mean(), "max_fd": moved.max(), f"n_fd_above_{SCRUB_ABOVE:g}": moved_far}
    return motion
