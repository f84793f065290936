"""Stimuli and responses with planted response functions, for the tests of lagged models."""

from __future__ import annotations

import numpy as np

SFREQ = 100.0
LENGTHS = (400, 300, 350, 500)


def trials(
    lengths: tuple[int, ...] = LENGTHS, n_features: int = 3, n_channels: int = 5, noise: float = 1.0, seed: int = 0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Autocorrelated stimuli off zero, and responses that follow within 0.1 s, of all degrees of noise."""
    rng = np.random.default_rng(seed)
    kernels = rng.standard_normal((n_features, 10, n_channels)) * np.geomspace(1, 0.02, n_features)[:, None, None]
    stimuli, responses = [], []
    for n in lengths:
        drive = np.apply_along_axis(np.convolve, 0, rng.standard_normal((n + 4, n_features)), np.ones(5) / 5, mode="valid")
        response = noise * rng.standard_normal((n, n_channels)) * np.geomspace(0.3, 10, n_channels)
        for lag in range(10):
            response[lag:] += drive[: n - lag] @ kernels[:, lag]
        stimuli.append(drive + 0.3)
        responses.append(response - 0.7)
    return stimuli, responses


def planted(
    centres: tuple[float, ...], sfreq: float, seconds: float, snr: float, seed: int = 0
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Four trials of a slow envelope, channels that follow it with Gaussian response functions, and those functions."""
    rng = np.random.default_rng(seed)
    lags = np.arange(round(0.4 * sfreq) + 1) / sfreq
    truth = np.exp(-0.5 * ((lags[:, None] - np.array(centres)) / 0.03) ** 2)
    n = round(seconds * sfreq)
    stimuli, responses = [], []
    for _ in range(4):
        white = np.fft.rfft(rng.standard_normal(n))
        gain = 1 / (1 + (np.fft.rfftfreq(n, 1 / sfreq) / 4.0) ** 2)
        envelope = np.fft.irfft(white * gain, n)
        clean = np.stack([np.convolve(envelope, shape)[:n] for shape in truth.T], axis=1)
        responses.append(clean + clean.std() / np.sqrt(snr) * rng.standard_normal(clean.shape))
        stimuli.append(envelope[:, None])
    return stimuli, responses, truth
