"""Tuning curves of a population on a circle, its recurrent weights, and ensembles of stimuli."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError

_Floats = NDArray[np.float64]


def circular_distance(a: ArrayLike, b: ArrayLike, period: float = 180.0) -> _Floats:
    """Signed distance of every a from every b on a circle, in (-period/2, period/2].

    Parameters
    ----------
    a : array of shape (n,)
        Places, e.g. orientations in degrees.
    b : array of shape (m,)
        Places.
    period : float
        Length of the circle: 180 for orientations, 360 for directions.

    Returns
    -------
    array of shape (n, m)
        ``a - b``, wrapped.
    """
    difference = np.subtract.outer(np.asarray(a, float), np.asarray(b, float))
    return np.asarray(period / 2 - np.mod(period / 2 - difference, period))


def gaussian_tuning(
    stimuli: ArrayLike, preferred: ArrayLike, width: float = 15.0, baseline: float = 0.1, period: float = 180.0
) -> _Floats:
    r"""Feedforward tuning :math:`f_i(s) = b + \exp(-d(s, \theta_i)^2 / 2 \sigma_f^2)`.

    Parameters
    ----------
    stimuli : array of shape (n_stimuli,)
        Stimuli s.
    preferred : array of shape (n_units,)
        Preferred stimuli :math:`\theta`.
    width : float
        :math:`\sigma_f`, in the unit of the stimuli.
    baseline : float
        b.
    period : float
        Length of the circle.

    Returns
    -------
    array of shape (n_stimuli, n_units)
        Drive of each unit.
    """
    return np.asarray(baseline + np.exp(-(circular_distance(stimuli, preferred, period) ** 2) / (2 * width**2)))


def gaussian_recurrence(preferred: ArrayLike, strength: float = 0.5, width: float = 15.0, period: float = 180.0) -> _Floats:
    r"""Recurrent weights that fall off with the distance of preferences; each row sums to `strength`, the diagonal included.

    Parameters
    ----------
    preferred : array of shape (n_units,)
        Preferred stimuli.
    strength : float
        w, the sum of a row: positive excites, negative inhibits.
    width : float
        :math:`\sigma_W`, in the unit of the stimuli.
    period : float
        Length of the circle.

    Returns
    -------
    array of shape (n_units, n_units)
        W.
    """
    near = np.exp(-(circular_distance(preferred, preferred, period) ** 2) / (2 * width**2))
    return np.asarray(strength * near / near.sum(axis=1, keepdims=True))


def biased_ensemble(
    stimuli: ArrayLike, adapter: float = 90.0, share: float = 0.3, width: float = 3.0, period: float = 180.0
) -> _Floats:
    """Probabilities of stimuli of which some are shown far more often than the others.

    Parameters
    ----------
    stimuli : array of shape (n_stimuli,)
        Stimuli, evenly spaced over the circle.
    adapter : float
        The stimulus that is shown most often.
    share : float
        Mass of the Gaussian around the adapter, 0 to 1; the rest is uniform.
    width : float
        Standard deviation of that Gaussian.
    period : float
        Length of the circle.

    Returns
    -------
    array of shape (n_stimuli,)
        Sums to 1.

    Raises
    ------
    DataError
        If the share is no probability.
    """
    if not 0 <= share <= 1:
        raise DataError(f"share must be a probability from 0 to 1, got {share!r}")
    near = np.exp(-(circular_distance(stimuli, [adapter], period)[:, 0] ** 2) / (2 * width**2))
    return np.asarray((1 - share) / len(near) + share * near / near.sum())
