"""Sources of simulated M/EEG: what of a stimulus they follow, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

_Floats = NDArray[np.float64]

_WIDTH = 0.03  # s, standard deviation of a response function
_CUTOFF = 4.0  # Hz, of the features of speech


def speech_features(n_stimuli: int, n_features: int, n_times: int, sfreq: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Features that change as slowly as those of speech: noise with a gain of 1 / (1 + (f / 4 Hz)^2).

    Parameters
    ----------
    n_stimuli, n_features, n_times : int
        Shape of the result.
    sfreq : float
        Samples per second, Hz.
    rng : Generator
        Random numbers.

    Returns
    -------
    NDArray[np.float32]
        Shape (n_stimuli, n_features, n_times), of variance 1.
    """
    gain = 1.0 / (1.0 + (fft.rfftfreq(n_times, 1.0 / sfreq) / _CUTOFF) ** 2)
    white = rng.standard_normal((n_stimuli, n_features, n_times), dtype=np.float32)
    return filtered(white, gain**2 / mean_power(gain**2, n_times))


def image_latents(
    concept: NDArray[np.int64], n_features: int, rank: int, spread: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Embeddings of images on the unit sphere: a few dimensions, and clusters of concepts in them.

    Parameters
    ----------
    concept : array of shape (n_images,)
        Number of the concept of each image, from 0.
    n_features : int
        Dimensions of the embedding.
    rank : int
        Dimensions that are in use.
    spread : float
        Standard deviation within a concept over that between concepts.
    rng : Generator
        Random numbers.

    Returns
    -------
    NDArray[np.float32]
        Shape (n_images, n_features), rows of length 1.
    """
    basis = np.linalg.qr(rng.standard_normal((n_features, rank)))[0]
    centres = rng.standard_normal((int(concept.max()) + 1, rank))
    latent = centres[concept] + spread * rng.standard_normal((len(concept), rank))
    return np.asarray(latent @ basis.T / np.linalg.norm(latent, axis=1, keepdims=True), np.float32)


def response_functions(centres: _Floats, times: _Floats) -> _Floats:
    """Gaussian response functions of 30 ms standard deviation.

    Parameters
    ----------
    centres : array of shape (n_sources,)
        Latencies of the peaks, s.
    times : array of shape (n_times,)
        Time after the stimulus, s.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_sources, n_times), each of length 1; 0 before the stimulus.
    """
    shape = np.exp(-0.5 * ((times - centres[:, None]) / _WIDTH) ** 2) * (times >= 0)
    return np.asarray(shape / np.linalg.norm(shape, axis=1, keepdims=True))


def source_activity(features: NDArray[Any], weights: _Floats, rectified: NDArray[np.bool_], kernels: _Floats) -> _Floats:
    r"""Activity of each source: :math:`u_k = m_k \cdot Y`, or its absolute value, through the response function of the source.

    Parameters
    ----------
    features : array of shape (n_stimuli, n_features, n_times) or (n_stimuli, n_features)
        Features that change with time are convolved with the response functions, from silence on; others are multiplied.
    weights : array of shape (n_sources, n_features)
        :math:`m_k`.
    rectified : array of bool of shape (n_sources,)
        Which sources follow the absolute value.
    kernels : array of shape (n_sources, n_lags)
        Response functions; their lags are the times of the result for features without time.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_stimuli, n_sources, n_times).
    """
    drive = np.tensordot(features, weights, ((1,), (1,)))
    drive = np.where(rectified, np.abs(drive), drive)
    if features.ndim == 2:
        return np.asarray(drive[..., None] * kernels)
    n_times = features.shape[2]
    length = fft.next_fast_len(n_times + kernels.shape[1] - 1, real=True)
    spectrum = fft.rfft(np.moveaxis(drive, 1, 2), length) * fft.rfft(kernels, length)
    return np.asarray(fft.irfft(spectrum, length)[..., :n_times])


def mean_power(power: _Floats, n_times: int) -> float:
    """Variance of circulant noise with the power of each frequency of `scipy.fft.rfft`.

    Parameters
    ----------
    power : array of shape (n_times // 2 + 1,)
        Power of each frequency.
    n_times : int
        Samples of the noise.

    Returns
    -------
    float
        Mean over all frequencies, the negative ones included.
    """
    twice = np.full(len(power), 2.0)
    twice[0] = 1.0
    if n_times % 2 == 0:
        twice[-1] = 1.0
    return float(twice @ power / n_times)


def filtered(data: NDArray[Any], power: _Floats) -> NDArray[Any]:
    """Multiply the spectrum of data with the root of a power, so that white noise of variance 1 gets that power.

    Parameters
    ----------
    data : array of shape (..., n_times)
        Signals; their precision is kept.
    power : array of shape (n_times // 2 + 1,)
        Power of each frequency.

    Returns
    -------
    NDArray
        Of the shape and the precision of `data`.
    """
    gain = np.sqrt(power).astype(data.dtype)
    return np.asarray(fft.irfft(fft.rfft(data) * gain, data.shape[-1]))


def pink_power(n_times: int) -> _Floats:
    """Power of 1 / f, of variance 1; the mean over time has the power of the lowest frequency.

    Parameters
    ----------
    n_times : int
        Samples of the noise.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_times // 2 + 1,).
    """
    power = 1.0 / np.maximum(np.arange(n_times // 2 + 1), 1)
    return np.asarray(power / mean_power(power, n_times))
