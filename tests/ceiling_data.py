"""Repeated responses whose signal and noise are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from neurodecode.data import Responses


class Planted(NamedTuple):
    """Repeats and what was put into them."""

    data: np.ndarray
    """Shape (n_stimuli, n_repeats, n_targets)."""
    signal: np.ndarray
    """The true model's prediction, shape (n_stimuli, n_targets)."""
    share: np.ndarray
    """Share of signal in the variance of single trials, shape (n_targets,)."""

    def rho(self, left: float) -> np.ndarray:
        """Reliability of means in which `left` of the noise is left."""
        return self.share / (self.share + (1 - self.share) * left)


def planted(n_stimuli: int, n_repeats: int, n_targets: int, seed: int = 0) -> Planted:
    """Targets from noisy to clean, single trials of variance 1."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.1, 0.7, n_targets)
    signal = rng.standard_normal((n_stimuli, n_targets)) * np.sqrt(share)
    noise = rng.standard_normal((n_stimuli, n_repeats, n_targets)) * np.sqrt(1 - share)
    return Planted(signal[:, None] + noise, signal, share)


def without_some(data: np.ndarray) -> np.ndarray:
    """A third of the stimuli with all repeats, a third with one less, a third with one only."""
    less, third = data.copy(), len(data) // 3
    less[third : 2 * third, -1] = np.nan
    less[2 * third :, 1:] = np.nan
    return less


def as_trials(data: np.ndarray, seed: int | None = None, **columns: object) -> Responses:
    """The same trial by trial, in another order if a seed is given; missing repeats are no trials."""
    stimulus, repeat = np.divmod(np.arange(data.shape[0] * data.shape[1]), data.shape[1])
    samples = pd.DataFrame({"stimulus": [f"image{s}" for s in stimulus], "repeat": repeat, **columns})
    trials = data.reshape(len(samples), *data.shape[2:])
    order = np.arange(len(samples)) if seed is None else np.random.default_rng(seed).permutation(len(samples))
    order = order[~np.isnan(trials[order].reshape(len(order), -1)).all(axis=1)]
    times = np.arange(trials.shape[2]) / 10 if trials.ndim == 3 else None
    return Responses(trials[order], samples.iloc[order], pd.DataFrame({"name": [f"v{i}" for i in range(trials.shape[1])]}), times)
