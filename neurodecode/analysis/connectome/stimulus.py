"""Whether a component goes with the stimuli: overlap of its time course, and circular shifts of it as the null."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_columns
from neurodecode.errors import DataError

_EDGE = 0.05  # share of the recording below which a shift is no other alignment


def stimulus_courses(events: pd.DataFrame, times: ArrayLike) -> dict[str, NDArray[np.bool_]]:
    """When each kind of stimulus was on.

    Parameters
    ----------
    events : DataFrame
        ``onset`` and ``duration`` in s on the clock of `times`, and ``trial_type``.
    times : array_like of shape (n_times,)
        s.

    Returns
    -------
    dict of str to array of shape (n_times,)
        Of the kinds that were on during these times, and not all the time.

    Raises
    ------
    DataError
        If a column is missing.
    """
    check_columns(events, ["onset", "duration", "trial_type"], "events")
    t = np.asarray(times, float)
    found: dict[str, NDArray[np.bool_]] = {}
    for kind, part in events.groupby(events["trial_type"].astype(str), sort=True):
        onset, end = part["onset"].to_numpy(float), (part["onset"] + part["duration"]).to_numpy(float)
        on = np.asarray(((t[:, None] >= onset) & (t[:, None] < end)).any(axis=1))
        if on.any() and not on.all():
            found[str(kind)] = on
    return found


def stimulus_overlap(courses: ArrayLike, stimuli: dict[str, NDArray[np.bool_]]) -> pd.DataFrame:
    r"""Share of a component's activity that falls into a stimulus, beside what circular shifts of it give.

    :math:`o = \sum_{t \in S} f_t / \sum_t f_t`. The p value is the share of circular shifts (all of them, by a twentieth of the
    recording or more) whose overlap is at least as large, the observed one counted.

    Parameters
    ----------
    courses : array_like of shape (n_times, n_components)
        Time factors, not below 0.
    stimuli : dict of str to array of shape (n_times,)
        As `stimulus_courses` gives them.

    Returns
    -------
    DataFrame
        ``component`` (from 1), ``stimulus, overlap, chance`` (share of the time that the stimulus was on), ``p, n_shifts``.

    Raises
    ------
    DataError
        If lengths differ.
    """
    f = np.asarray(courses, float)
    if any(len(on) != len(f) for on in stimuli.values()):
        raise DataError(f"time factors have {len(f)} times, stimuli {sorted({len(on) for on in stimuli.values()})}")
    n = len(f)
    least = max(1, int(np.ceil(_EDGE * n)))
    shifts = np.arange(least, n - least + 1)
    transformed = np.fft.rfft(f, axis=0)
    rows = []
    for name, on in stimuli.items():
        overlap = np.fft.irfft(np.conj(transformed) * np.fft.rfft(on.astype(float))[:, None], n, axis=0)
        for component in range(f.shape[1]):
            total = max(float(f[:, component].sum()), np.finfo(float).tiny)
            null = overlap[shifts, component]
            larger = int((null >= overlap[0, component] - 1e-9 * total).sum())
            rows.append(
                (component + 1, name, overlap[0, component] / total, on.mean(), (1 + larger) / (1 + len(shifts)), len(shifts))
            )
    return pd.DataFrame(rows, columns=["component", "stimulus", "overlap", "chance", "p", "n_shifts"])
