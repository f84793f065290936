"""From BOLD runs to responses: block averages, or single-trial betas where events are short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses
from neurodecode.data.blocks import join_events
from neurodecode.data.clock import first_sample_from
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.preprocess._runs import Runs, as_list, as_runs, check_bold, drop_record, each_run, event_samples, name_of, trials
from neurodecode.preprocess.fmri_glm import betas

NO_VOLUME = "without a volume"
BLOCK_FROM = 10.0  # s; shorter events overlap in the response and need a model


def responses(
    recordings: Runs,
    *,
    method: Literal["auto", "block_average", "lss", "lsa"] = "auto",
    lag: float = 5.0,
    trial_types: str | Sequence[str] | None = None,
    beta_options: Mapping[str, Any] | None = None,
) -> Responses:
    """Turn events into responses in the way that suits their length.

    Parameters
    ----------
    recordings : Recording or sequence of Recording
        One run or several of the same channels, with events.
    method : {"auto", "block_average", "lss", "lsa"}
        "auto" averages blocks where every event of every run lasts 10 s or more, else it estimates betas by `lss`.
    lag : float
        Delay of the response in s, for block averages.
    trial_types : str or sequence of str, optional
        Values of the event column ``trial_type`` to keep, by default all events.
    beta_options : mapping, optional
        Other arguments of `betas`: ``hrf``, ``high_pass``, ``confounds``, ``noise_model``, ``others``.

    Returns
    -------
    Responses
        Of `block_average` or `betas`; the step ``fmri.responses`` says which and why.

    Raises
    ------
    DataError
        As those two; or if `beta_options` are given while blocks are averaged.
    """
    check_option("method", method, ("auto", "block_average", "lss", "lsa"))
    lengths = np.concatenate([trials(run, trial_types)["duration"] for run in as_runs(recordings)])
    chosen = method if method != "auto" else "block_average" if lengths.min() >= BLOCK_FROM else "lss"
    reason = f"events last {lengths.min():g} to {lengths.max():g} s" if method == "auto" else "asked for"
    if chosen == "block_average":
        if beta_options:
            raise DataError(f"{sorted(beta_options)} do not apply to block averages ({reason}): use clean, or method='lss'")
        made = block_average(recordings, lag=lag, trial_types=trial_types)
    else:
        made = betas(recordings, method=chosen, trial_types=trial_types, **(beta_options or {}))
    return made.with_step("fmri.responses", {"method": chosen, "reason": reason})


def block_average(
    recordings: Runs,
    *,
    lag: float = 5.0,
    duration: float | None = None,
    trial_types: str | Sequence[str] | None = None,
) -> Responses:
    """Average the volumes of each block, moved by the lag of the haemodynamic response.

    A block takes the volumes at ``onset + lag <= t < onset + duration + lag``, ``t`` on the clock of the recording (its `t0`
    counts) and inside its valid stretches.

    Parameters
    ----------
    recordings : Recording or sequence of Recording
        One run or several of the same channels, with events.
    lag : float
        Delay of the response in s, by default 5.
    duration : float, optional
        Length of every block in s, by default that of each event.
    trial_types : str or sequence of str, optional
        Values of the event column ``trial_type`` to keep, by default all events.

    Returns
    -------
    Responses
        ``data`` (n_blocks, n_channels); ``samples`` has subject, session, run, task where known, every event column and
        ``n_volumes``. ``meta["drops"]`` counts the events, the kept ones, and those without a volume. NaN spreads.

    Raises
    ------
    DataError
        If a run has no events, or none of them has a volume.
    """

    def respond(_: int, run: Recording) -> Responses:
        return _block_average(run, lag, duration, trial_types)

    return each_run(recordings, respond)


def _block_average(run: Recording, lag: float, duration: float | None, trial_types: str | Sequence[str] | None) -> Responses:
    events = trials(run, trial_types)
    lengths = events["duration"].to_numpy() if duration is None else np.full(len(events), float(duration))
    windows = block_volumes(run, events["onset"].to_numpy() + lag, lengths)
    kept = [i for i, window in enumerate(windows) if window.size]
    if not kept:
        raise DataError(
            f"none of the {len(events)} events of {name_of(run)} has a volume in its window moved by lag={lag:g} s; "
            f"durations are {lengths.min():g} to {lengths.max():g} s, the run spans {run.t0:g} to {run.t0 + run.duration:g} s. "
            "Give duration=, or use betas for short events"
        )
    data = read_signal(run.data)
    means = np.stack([data[:, windows[i]].mean(axis=1, dtype=np.float64) for i in kept])
    samples = event_samples(run, events.iloc[kept]).assign(n_volumes=[windows[i].size for i in kept])
    drops = drop_record(len(events), {NO_VOLUME: len(events) - len(kept)})
    parameters = {"lag": lag, "duration": duration, "trial_types": as_list(trial_types), "drops": drops}
    responses = Responses(means, samples, run.channels, meta={**run.meta, "drops": drops})
    return responses.with_step("fmri.block_average", parameters)


def join_blocks(recording: Recording, *, gap: float = 4.0, column: str = "trial_type") -> Recording:
    """Join consecutive events of one kind to blocks, where a data set lists every picture of a block.

    Parameters
    ----------
    recording : Recording
        One run with events.
    gap : float
        Longest pause between the end of an event and the next onset of its block, in s; the pauses between blocks are longer.
    column : str
        Column of the events whose value the events of a block share.

    Returns
    -------
    Recording
        One event per block, with the number of its events as ``n_events``; columns that vary within a block are left out.

    Raises
    ------
    DataError
        If `gap` is negative, or the events lack the column.
    """
    check_bold(recording)
    joined = join_events(recording.events, gap, column)
    parameters = {"gap": gap, "column": column, "n_events": len(recording.events), "n_blocks": len(joined)}
    return recording.with_step("fmri.join_blocks", parameters, events=joined)


def block_volumes(run: Recording, starts: NDArray[np.float64], lengths: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Volumes of each window [start, start + length) in s that lie inside the run and its valid stretches.

    Parameters
    ----------
    run : Recording
        One run.
    starts, lengths : array of shape (n_windows,)
        Windows in s.

    Returns
    -------
    list of NDArray[np.intp]
        Indices of volumes, one array per window; empty where there is none.
    """
    usable = run.valid.contains(run.times + 1e-9)
    bounds = [
        (max(0, first_sample_from(start, run.sfreq, run.t0)), first_sample_from(start + length, run.sfreq, run.t0))
        for start, length in zip(starts, lengths, strict=True)
    ]
    return [first + np.flatnonzero(usable[first : max(stop, first)]) for first, stop in bounds]
