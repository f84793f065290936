"""Linear decoders and accuracies of simulated M/EEG, shared by its tests."""

from __future__ import annotations

import numpy as np

from neurodecode import Responses
from neurodecode.linear import RidgeCV
from neurodecode.simulate.meeg import SimulatedMEEG, candidate_ids

ALPHAS = np.geomspace(1e2, 1e6, 5)


def top_k(scores: np.ndarray, right: np.ndarray, k: int) -> float:
    """Share of rows whose right column is among the k highest, ties broken at random."""
    own = scores[np.arange(len(scores)), right][:, None]
    above, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return float(np.clip((k - above) / equal, 0, 1).mean())


def right_columns(world: SimulatedMEEG, trials: Responses) -> np.ndarray:
    """Column of the right candidate of each trial."""
    ids = candidate_ids(world.truth)
    return np.array([ids.index(stimulus) for stimulus in trials.samples["stimulus"]])


def lagged(data: np.ndarray, n_lags: int) -> np.ndarray:
    """Each sample beside the `n_lags` - 1 samples that follow it, shape (n_trials, n_times, n_sensors * n_lags)."""
    padded = np.pad(data, ((0, 0), (0, 0), (0, n_lags - 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, n_lags, axis=2)
    return np.moveaxis(windows, 1, 2).reshape(len(data), data.shape[2], -1)


def ridge_scores(world: SimulatedMEEG, trials: Responses, window: float = 0.3) -> np.ndarray:
    """Backward ridge of each subject, fitted on the training split: correlation of the prediction with each candidate."""
    targets = dict(zip(world.targets.samples["stimulus"], world.targets.data, strict=True))
    gallery = np.stack([targets[name] for name in candidate_ids(world.truth)])
    scores = np.empty((len(trials), len(gallery)))
    for subject in trials.samples["subject"].unique():
        train = world.responses.select(split="train", subject=subject)
        rows = np.flatnonzero(trials.samples["subject"] == subject)
        wanted = np.stack([targets[name] for name in train.samples["stimulus"]])
        predicted = _predict(train, wanted, trials.data[rows], window)
        scores[rows] = _standard(predicted) @ _standard(gallery).T
    return scores


def _predict(train: Responses, wanted: np.ndarray, new: np.ndarray, window: float) -> np.ndarray:
    if wanted.ndim == 2:
        model = RidgeCV(cv=3).fit(train.matrix(), wanted, groups=np.arange(len(wanted)) // 20)
        return model.predict(new.reshape(len(new), -1))
    n_lags = round(window * train.meta["sfreq"]) + 1
    x, y = lagged(train.data, n_lags), np.moveaxis(wanted, 1, 2)
    groups = np.repeat(np.arange(len(y)) // 20, y.shape[1])
    model = RidgeCV(ALPHAS, cv=3).fit(x.reshape(-1, x.shape[2]), y.reshape(-1, y.shape[2]), groups=groups)
    found = model.predict(lagged(new, n_lags).reshape(-1, x.shape[2]))
    return np.moveaxis(found.reshape(len(new), -1, y.shape[2]), 1, 2)


def _standard(values: np.ndarray) -> np.ndarray:
    flat = values.reshape(len(values), -1).astype(float)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)
