"""Who is shown what and when: the trials of simulated M/EEG, and what goes wrong with some of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.simulate.truth import item_generator

_N_RUNS = 4  # of each session
_SPIKE = 100.0  # standard deviations of the noise
_MEMORY = 0.9  # of the drift from one block to the next


def stimulus_table(sizes: dict[str, int], block_size: int, prefix: str) -> pd.DataFrame:
    """Names of the stimuli of each split, in blocks that lie within one split.

    Parameters
    ----------
    sizes : dict of str to int
        Stimuli of each split.
    block_size : int
        Stimuli that always follow each other.
    prefix : str
        Start of their names.

    Returns
    -------
    DataFrame
        ``stimulus, split, block``.
    """
    split = np.repeat(list(sizes), list(sizes.values()))
    within = np.concatenate([np.arange(size) for size in sizes.values()]) // block_size
    block = [f"{name}-{number:04d}" for name, number in zip(split, within, strict=True)]
    return pd.DataFrame({"stimulus": [f"{prefix}{i:05d}" for i in range(len(split))], "split": split, "block": block})


def present(
    stimuli: pd.DataFrame, n_subjects: int, n_sessions: int, n_repeats: int, interval: float, random_state: int
) -> pd.DataFrame:
    """Order of the trials: each session shows every block once, those of the test `n_repeats` times, in a new order.

    Parameters
    ----------
    stimuli : DataFrame
        ``stimulus, split, block``, and columns that go with the stimulus.
    n_subjects, n_sessions, n_repeats : int
        Subjects, sessions of each, and presentations of test stimuli in a session.
    interval : float
        From one onset to the next, s.
    random_state : int
        Seed.

    Returns
    -------
    DataFrame
        One row per trial: ``trial``, ``row`` (of `stimuli`), ``subject, session, run, repeat, onset`` (s from the start of the
        run), and the columns of `stimuli`.
    """
    members = [np.asarray(rows) for rows in stimuli.groupby("block", sort=False).indices.values()]
    copies = np.where(stimuli["split"].iloc[[rows[0] for rows in members]] == "test", n_repeats, 1)
    shown = np.repeat(np.arange(len(members)), copies)
    parts = []
    for subject in range(n_subjects):
        rng = item_generator(random_state, f"order {subject}")
        parts += [_session(members, rng.permutation(shown), subject, session, interval) for session in range(n_sessions)]
    trials = pd.concat(parts, ignore_index=True)
    trials["repeat"] = trials.groupby(["subject", "row"]).cumcount() + 1
    trials = pd.concat([trials, stimuli.iloc[trials["row"]].reset_index(drop=True)], axis=1)
    return trials.assign(trial=np.arange(len(trials)))


def drifting(trials: pd.DataFrame, strength: float, n_sensors: int, random_state: int) -> NDArray[np.float32]:
    """A slow drift: an offset and a slope of each sensor that change from block to block and stay within one.

    Parameters
    ----------
    trials : DataFrame
        Of `present`.
    strength : float
        Standard deviation of offset and slope (per window), in units of the noise.
    n_sensors : int
        Number of sensors.
    random_state : int
        Seed.

    Returns
    -------
    NDArray[np.float32]
        Shape (n_trials, n_sensors, 2): offset at the middle of the window, slope per window.
    """
    from scipy.signal import lfilter

    shown = trials[["subject", "session", "run", "block", "repeat"]]
    new = (shown != shown.shift()).any(axis=1)
    number = np.cumsum(new.to_numpy()) - 1
    steps = item_generator(random_state, "drift").standard_normal((number[-1] + 1, n_sensors, 2))
    steps[1:] *= np.sqrt(1.0 - _MEMORY**2)
    walk = lfilter([1.0], [1.0, -_MEMORY], steps, axis=0)
    return np.asarray(strength * walk[number], np.float32)


def draw_spikes(share: float, shape: tuple[int, ...], random_state: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Spikes of 100 standard deviations of the noise.

    Parameters
    ----------
    share : float
        Share of samples that have one.
    shape : tuple of int
        Shape of the data.
    random_state : int
        Seed.

    Returns
    -------
    index : NDArray[np.int64]
        Where they are in the flattened data.
    value : NDArray[np.float32]
        What is added.
    """
    rng = item_generator(random_state, "spikes")
    n = rng.binomial(int(np.prod(shape)), share)
    index = np.unique(rng.integers(0, int(np.prod(shape)), n))
    return index, (_SPIKE * rng.choice([-1.0, 1.0], len(index))).astype(np.float32)


def _session(members: list[NDArray[Any]], order: NDArray[np.int64], subject: int, session: int, interval: float) -> pd.DataFrame:
    """Trials of one session; its runs have equal numbers of blocks."""
    rows = np.concatenate([members[block] for block in order])
    length = np.array([len(members[block]) for block in order])
    run = np.repeat(np.arange(len(order)) * _N_RUNS // len(order), length)
    within = np.concatenate([np.arange(n) for n in np.bincount(run) if n])
    named = {"subject": f"{subject + 1:02d}", "session": str(session + 1), "run": (run + 1).astype(str)}
    return pd.DataFrame({"row": rows, **named, "onset": within * interval})
