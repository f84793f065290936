"""Parts of a BOLD signal: the response to events, autoregressive noise, and drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_length, check_option, check_positive
from neurodecode.errors import DataError


class _DoubleGamma(NamedTuple):
    """Shape of a haemodynamic response: delays and dispersions in s, and the weight of the undershoot."""

    delay: float
    undershoot: float
    dispersion: float
    ratio: float


_KINDS = {"glover": _DoubleGamma(6.0, 12.0, 0.9, 0.48), "spm": _DoubleGamma(6.0, 16.0, 1.0, 0.167)}
Kind = Literal["glover", "spm"]


def hrf(times: ArrayLike, kind: Kind = "glover") -> NDArray[np.float64]:
    r"""Haemodynamic response to an impulse, with an area of 1.

    :math:`h(t) = (g(t; a_1, b) - r\,g(t; a_2, b)) / (1 - r)`, :math:`g` the density of the gamma distribution (Glover 1999,
    NeuroImage 9:416; Friston et al. 1998, NeuroImage 7:30), with the constants of nilearn.

    Parameters
    ----------
    times : array_like
        Time since the impulse in s, of any shape; before it the response is 0.
    kind : {"glover", "spm"}
        Which constants.

    Returns
    -------
    NDArray[np.float64]
        Shape of `times`, in 1/s.

    Raises
    ------
    DataError
        If `kind` is unknown.
    """
    return _double_gamma("pdf", times, kind)


def hrf_integral(times: ArrayLike, kind: Kind = "glover") -> NDArray[np.float64]:
    """Response to a step at 0: the integral of `hrf`, which tends to 1.

    Parameters
    ----------
    times : array_like
        Time since the step in s, of any shape.
    kind : {"glover", "spm"}
        As in `hrf`.

    Returns
    -------
    NDArray[np.float64]
        Shape of `times`.

    Raises
    ------
    DataError
        If `kind` is unknown.
    """
    return _double_gamma("cdf", times, kind)


def convolve_events(
    onsets: ArrayLike, durations: ArrayLike, amplitudes: ArrayLike, times: ArrayLike, kind: Kind = "glover"
) -> NDArray[np.float64]:
    r"""Sum of the responses to events, exact at any time.

    An event of duration :math:`d` is a boxcar of its amplitude and answers with :math:`a\,(H(t - t_0) - H(t - t_0 - d))`,
    :math:`H` the integral of the response; one of duration 0 is an impulse of that area.

    Parameters
    ----------
    onsets : array_like of shape (n_events,)
        In s.
    durations : array_like of shape (n_events,) or float
        In s.
    amplitudes : array_like of shape (n_events,) or (n_events, n_channels)
        Height that the response to a long event reaches, in the unit of the signal.
    times : array_like of shape (n_times,)
        When the signal is wanted, in s on the same clock.
    kind : {"glover", "spm"}
        Haemodynamic response, as in `hrf`.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_times,) or (n_channels, n_times).

    Raises
    ------
    DataError
        If the arguments differ in length or a duration is negative.
    """
    start = np.asarray(onsets, float)
    length, height = np.broadcast_to(np.asarray(durations, float), start.shape), np.asarray(amplitudes, float)
    check_length("amplitudes", len(height), len(start), "event")
    if (length < 0).any():
        raise DataError(f"durations must be 0 s or more, got {length.min():g} s")
    since = np.asarray(times, float)[:, None] - start
    boxcar = hrf_integral(since, kind) - hrf_integral(since - length, kind)
    shapes = np.where(length > 0, boxcar, hrf(since, kind))
    return np.asarray((shapes @ height).T)


def ar_noise(shape: Sequence[int], coefficients: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    r"""Autoregressive Gaussian noise of variance 1, stationary from the first sample on.

    :math:`x_t = \sum_k \phi_k x_{t-k} + \epsilon_t`. The first samples are drawn from the stationary distribution, whose
    autocorrelations solve the Yule-Walker equations, so that nothing has to settle.

    Parameters
    ----------
    shape : sequence of int
        The last axis is time.
    coefficients : array_like of shape (order,) or float
        :math:`\phi_1 ... \phi_p`; empty for white noise.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    NDArray[np.float64]
        Of that shape, in standard deviations; series along the last axis are independent.

    Raises
    ------
    DataError
        If noise with these coefficients would grow without bound.
    """
    from scipy.linalg import cholesky, toeplitz
    from scipy.signal import lfilter

    phi = np.atleast_1d(np.asarray(coefficients, float))
    white, order = rng.standard_normal(tuple(shape)), len(phi)
    if not order:
        return white
    _check_stationary(phi)
    rho = _autocorrelation(phi)
    given = white[..., :order]
    first = np.asarray(given @ cholesky(toeplitz(rho[: given.shape[-1]])))
    if white.shape[-1] <= order:
        return first
    innovation = white[..., order:] * np.sqrt(1.0 - phi @ rho[1:])
    # what the filter remembers of the first samples: entry i is what they bring to sample order + i
    memory = np.stack([first[..., i:] @ phi[i:][::-1] for i in range(order)], axis=-1)
    rest, _ = lfilter([1.0], np.append(1.0, -phi), innovation, axis=-1, zi=memory)
    return np.concatenate([first, rest], axis=-1)


def drift(
    n_times: int, tr: float, rng: np.random.Generator, *, shape: Sequence[int] = (), cutoff: float = 1 / 128
) -> NDArray[np.float64]:
    """Slow drift of the scanner: a random sum of discrete cosines, of variance 1 and mean 0.

    Parameters
    ----------
    n_times : int
        Number of volumes.
    tr : float
        Repetition time in s.
    rng : numpy.random.Generator
        Source of random numbers.
    shape : sequence of int
        Number of independent drifts along each axis before time.
    cutoff : float
        Fastest frequency in Hz. The amplitude falls with the frequency, as 1/f.

    Returns
    -------
    NDArray[np.float64]
        Shape (*shape, n_times). Without any cosine (a run shorter than half a period) it is 0.

    Raises
    ------
    DataError
        If `tr` or `cutoff` is not above 0.
    """
    n_cosines = int(np.floor(2 * n_times * check_positive("tr", tr) * check_positive("cutoff", cutoff) + 1e-9))
    order = np.arange(1, min(n_cosines, n_times - 1) + 1)
    cosines = np.cos(np.pi * np.outer(order, np.arange(n_times) + 0.5) / n_times)
    weights = rng.standard_normal((*shape, len(order))) / order
    return np.asarray(weights @ cosines * np.sqrt(2 / max(np.sum(1.0 / order**2), 1e-300)))


def _double_gamma(function: Literal["pdf", "cdf"], times: ArrayLike, kind: Kind) -> NDArray[np.float64]:
    """Difference of two gamma densities, or of their integrals, scaled to an area of 1."""
    from scipy.stats import gamma

    shape = _KINDS[check_option("kind", kind, tuple(_KINDS))]
    since, evaluate = np.asarray(times, float), getattr(gamma, function)
    peak = evaluate(since, shape.delay / shape.dispersion, scale=shape.dispersion)
    undershoot = evaluate(since, shape.undershoot / shape.dispersion, scale=shape.dispersion)
    return np.asarray((peak - shape.ratio * undershoot) / (1 - shape.ratio))


def _check_stationary(phi: NDArray[np.float64]) -> None:
    """Refuse coefficients whose characteristic polynomial has a root on or outside the unit circle."""
    largest = np.abs(np.roots(np.append(1.0, -phi))).max(initial=0.0) if np.isfinite(phi).all() else np.inf
    if largest >= 1.0:
        raise DataError(
            f"autoregressive coefficients {phi.tolist()} have a root of size {largest:.3g}, expected all below 1: "
            "the noise would grow without bound"
        )


def _autocorrelation(phi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autocorrelation at lags 0 to p, from the Yule-Walker equations rho_j = sum_k phi_k rho_|j-k|."""
    order = len(phi)
    equations, constant = np.eye(order), np.zeros(order)
    for j in range(1, order + 1):
        for k in range(1, order + 1):
            if j == k:
                constant[j - 1] += phi[k - 1]
            else:
                equations[j - 1, abs(j - k) - 1] -= phi[k - 1]
    return np.append(1.0, np.linalg.solve(equations, constant))
