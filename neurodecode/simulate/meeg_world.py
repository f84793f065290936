"""The heads behind simulated M/EEG: sensors, mixing of the sources, and noise whose covariance is known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.validate import as_number, check_positive
from neurodecode.errors import DataError
from neurodecode.simulate.lead_fields import draw_dipoles, lead_field_of, of_subject, sensor_table
from neurodecode.simulate.meeg_sources import filtered, pink_power, source_activity
from neurodecode.simulate.truth import item_generator

_Floats = NDArray[np.float64]

_BACKGROUND, _WHITE = 60, 0.1  # dipoles of the brain's own activity, and share of white noise of the sensors
_REFERENCE = (0.15, 0.1)  # s, latency and standard deviation of the source that carries the sign


class Heads(NamedTuple):
    """How to make the heads of a simulation."""

    n_subjects: int
    """Number of subjects."""
    n_sensors: int
    """Number of sensors."""
    lead_field: str
    """``"sphere"`` or ``"disc"``."""
    montage: str
    """Montage of MNE."""
    kind: str
    """``"eeg"`` or ``"mag"``."""
    flat: int
    """Flat channels of each subject."""
    missing: int
    """Missing channels of each subject."""


class Sources(NamedTuple):
    """What the sources follow."""

    weights: _Floats
    """Shape (n_sources, n_features), rows of length 1."""
    rectified: NDArray[np.bool_]
    """Shape (n_sources,): which follow the absolute value."""
    kernels: _Floats
    """Shape (n_sources, n_lags): response functions."""


def draw_sources(
    n_sources: int, n_features: int, rectified: float, rng: np.random.Generator
) -> tuple[_Floats, NDArray[np.bool_]]:
    """Weights of the sources, and which of them are rectified.

    Parameters
    ----------
    n_sources, n_features : int
        Shape of the weights.
    rectified : float
        Share of rectified sources, 0 to 1.
    rng : Generator
        Random numbers.

    Returns
    -------
    weights : NDArray[np.float64]
        Shape (n_sources, n_features), rows of length 1.
    rectified : NDArray[np.bool_]
        Shape (n_sources,); the last sources are.

    Raises
    ------
    DataError
        If the share is none.
    """
    share = as_number(rectified)
    if not 0 <= share <= 1:
        raise DataError(f"rectified must be a share of the sources from 0 to 1, got {rectified!r}")
    weights = rng.standard_normal((n_sources, n_features))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return weights, np.arange(n_sources) >= n_sources - round(share * n_sources)


def build_heads(
    heads: Heads, sources: Sources, examples: NDArray[Any], snr: float, n_times: int, random_state: int
) -> tuple[pd.DataFrame, dict[str, NDArray[Any]]]:
    """Sensors, and per subject the mixing of the sources and the covariance of the noise.

    The noise has a variance of 1, mean over sensors; the mixing is scaled so that the variance of the responses over the examples
    is `snr`, mean over sensors and times. What all examples have in common does not count.

    Parameters
    ----------
    heads : Heads
        How to make them.
    sources : Sources
        The sources.
    examples : array of shape (n_stimuli, n_features[, n_times])
        Stimuli that define the variance of the signal, at least two.
    snr : float
        Variance of the signal over that of the noise.
    n_times : int
        Samples of a response.
    random_state : int
        Seed.

    Returns
    -------
    sensors : DataFrame
        Of `sensor_table`.
    arrays : dict
        ``mixing`` (n_subjects, n_sensors, n_sources), ``noise_covariance`` (n_subjects, n_sensors, n_sensors), ``noise_power``
        (n_times // 2 + 1,), ``usable`` and ``missing`` (n_subjects, n_sensors).

    Raises
    ------
    DataError
        If a number does not fit.
    """
    _check_numbers(heads, snr)
    sensors = sensor_table(heads.lead_field, heads.n_sensors, heads.montage, heads.kind, item_generator(random_state, "sensors"))
    patterns, covariance = _anatomy(heads, len(sources.weights), sensors, random_state)
    activity = source_activity(examples, *sources)
    activity -= activity.mean(axis=0)
    drive = np.einsum("nkt,nlt->kl", activity, activity) / (len(activity) * n_times)
    power = np.einsum("sck,kl,scl->s", patterns, drive, patterns) / heads.n_sensors
    mixing = patterns * np.sqrt(snr / power)[:, None, None]
    flat, missing = _broken(heads, random_state)
    arrays = {"mixing": mixing, "noise_covariance": covariance, "noise_power": pink_power(n_times)}
    return sensors, {**arrays, "usable": ~(flat | missing), "missing": missing, **sources._asdict()}


def reference_source(sensors: pd.DataFrame, heads: Heads, snr: float, times: _Floats, random_state: int) -> dict[str, _Floats]:
    """A source that every trial activates, and whose sign the trial turns.

    Parameters
    ----------
    sensors : DataFrame
        Of `build_heads`.
    heads : Heads
        How they were made.
    snr : float
        Its power over that of the noise, mean over sensors and times.
    times : array of shape (n_times,)
        Time of the samples, s.
    random_state : int
        Seed.

    Returns
    -------
    dict
        ``reference`` (n_subjects, n_sensors, n_times).
    """
    rng = item_generator(random_state, "reference")
    group = draw_dipoles(heads.lead_field, 1, rng)
    own = [of_subject(group, heads.lead_field, rng) for _ in range(heads.n_subjects)]
    patterns = np.stack([lead_field_of(sensors, heads.lead_field, dipole) for dipole in own])
    course = np.exp(-0.5 * ((times - _REFERENCE[0]) / _REFERENCE[1]) ** 2) * (times >= 0)
    course *= np.sqrt(check_positive("reference_snr", snr) * heads.n_sensors / np.mean(course**2))
    return {"reference": patterns * course}


def draw_noise(covariance: _Floats, power: _Floats, n_trials: int, n_times: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Gaussian noise with a covariance over sensors and a power over frequencies, the same for each trial.

    Parameters
    ----------
    covariance : array of shape (n_sensors, n_sensors)
        Over sensors.
    power : array of shape (n_times // 2 + 1,)
        Over frequencies.
    n_trials, n_times : int
        Trials, and samples of each.
    rng : Generator
        Random numbers.

    Returns
    -------
    NDArray[np.float32]
        Shape (n_trials, n_sensors, n_times).
    """
    white = rng.standard_normal((n_trials, len(covariance), n_times), dtype=np.float32)
    return np.asarray(np.linalg.cholesky(covariance).astype(np.float32) @ filtered(white, power))


def _check_numbers(heads: Heads, snr: float) -> None:
    if as_number(snr) < 0 or not np.isfinite(as_number(snr)):
        raise DataError(f"snr must be a power ratio of at least 0, got {snr!r}")
    if heads.n_subjects < 1 or heads.flat < 0 or heads.missing < 0 or heads.flat + heads.missing >= heads.n_sensors:
        raise DataError(
            f"expected at least one subject with a working sensor, got n_subjects={heads.n_subjects}, "
            f"n_sensors={heads.n_sensors}, flat={heads.flat}, missing={heads.missing}"
        )


def _anatomy(heads: Heads, n_sources: int, sensors: pd.DataFrame, random_state: int) -> tuple[_Floats, _Floats]:
    """Patterns of the sources (n_subjects, n_sensors, n_sources), and covariance of the noise of each subject."""
    group = draw_dipoles(heads.lead_field, n_sources, item_generator(random_state, "sources"))
    people = [item_generator(random_state, f"subject {s}") for s in range(heads.n_subjects)]
    own = [of_subject(group, heads.lead_field, rng) for rng in people]
    other = [draw_dipoles(heads.lead_field, _BACKGROUND, rng) for rng in people]
    joined = type(group)(*(np.concatenate(parts) for parts in zip(*own, *other, strict=True)))
    seen = lead_field_of(sensors, heads.lead_field, joined)
    cut = heads.n_subjects * n_sources
    patterns = np.stack(np.split(seen[:, :cut], heads.n_subjects, axis=1))
    background = np.stack(np.split(seen[:, cut:], heads.n_subjects, axis=1))
    brain = background @ background.transpose(0, 2, 1) * (heads.n_sensors / _BACKGROUND)
    return patterns, (1.0 - _WHITE) * brain + _WHITE * np.eye(heads.n_sensors)


def _broken(heads: Heads, random_state: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Flat and missing channels of each subject, both (n_subjects, n_sensors)."""
    draws = item_generator(random_state, "channels").random((heads.n_subjects, heads.n_sensors))
    rank = draws.argsort(axis=1).argsort(axis=1)
    return rank < heads.flat, (rank >= heads.flat) & (rank < heads.flat + heads.missing)
