"""What adaptation does to tuning: six effects, each a number that can be read off tuning curves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.analysis.gain_control.gains import as_probability
from neurodecode.errors import DataError
from neurodecode.simulate.tuning_curves import circular_distance

_Floats = NDArray[np.float64]


class Adaptation(NamedTuple):
    """Tuning after adaptation beside tuning before, unit by unit, and of the population."""

    preferred: _Floats
    """Preferred stimulus of each unit before adaptation, (n_units,)."""
    max_ratio: _Floats
    """Largest response, adapted over control, (n_units,): below 1 near the adapter."""
    min_ratio: _Floats
    """Smallest response, adapted over control, (n_units,): below 1 near the adapter."""
    repulsion: _Floats
    """Shift of the preferred stimulus away from the adapter, (n_units,); negative towards it."""
    covariance_distance: tuple[float, float]
    """Distance of the covariance in the biased ensemble from that in the control ensemble, without adaptation and with it."""
    mean_variation: tuple[float, float]
    """Coefficient of variation over units of the mean response in the biased ensemble, without adaptation and with it."""

    def at(self, stimulus: float, period: float = 180.0) -> dict[str, float]:
        """The effects on the unit that is tuned to a stimulus, as a rule the adapter.

        Parameters
        ----------
        stimulus : float
            In the unit of the stimuli, e.g. degrees.
        period : float
            Of the stimuli.

        Returns
        -------
        dict of str to float
            ``max_ratio``, ``min_ratio`` and ``repulsion``.
        """
        unit = int(np.argmin(np.abs(circular_distance(self.preferred, [stimulus], period)[:, 0])))
        names = ("max_ratio", "min_ratio", "repulsion")
        return {name: float(getattr(self, name)[unit]) for name in names}


def preferred_stimulus(tuning: ArrayLike, stimuli: ArrayLike, period: float = 180.0) -> _Floats:
    r"""Circular mean of a tuning curve above its minimum, :math:`\arg \sum_s (r(s) - \min r)\, e^{2 \pi i s / P}`.

    Parameters
    ----------
    tuning : array of shape (n_stimuli, n_units)
        Responses to evenly spaced stimuli.
    stimuli : array of shape (n_stimuli,)
        The stimuli, each once.
    period : float
        P, the length of the circle.

    Returns
    -------
    array of shape (n_units,)
        From 0 to P.
    """
    above = np.asarray(tuning, float) - np.min(tuning, axis=0)
    around = np.exp(2j * np.pi / period * np.asarray(stimuli, float)) @ above
    return np.asarray(np.mod(np.angle(around) * period / (2 * np.pi), period))


def check_stimuli(stimuli: ArrayLike, period: float = 180.0) -> _Floats:
    """Return stimuli on a circle, or raise `DataError` where one stands twice under two numbers.

    Parameters
    ----------
    stimuli : array of shape (n_stimuli,)
        E.g. orientations in degrees.
    period : float
        Length of the circle.

    Returns
    -------
    array of shape (n_stimuli,)
        As they are.

    Raises
    ------
    DataError
        If two are the same on the circle, as -90 and 90 degrees of orientation are.
    """
    s = np.asarray(stimuli, float)
    near = np.abs(circular_distance(s, s, period)) < 1e-9 * period
    twice = np.argwhere(np.triu(near, 1))
    if len(twice):
        a, b = s[twice[0]]
        raise DataError(f"stimuli {a:g} and {b:g} are the same on a circle of {period:g}: leave one of them out")
    return s


def adaptation_signatures(
    control: ArrayLike,
    adapted: ArrayLike,
    stimuli: ArrayLike,
    biased: ArrayLike,
    *,
    adapter: float,
    unbiased: ArrayLike | None = None,
    period: float = 180.0,
) -> Adaptation:
    r"""Measure what adaptation to a biased ensemble did to the tuning of a population.

    Covariances are those under an ensemble, centred there and divided by the standard deviations of the control responses under
    the control ensemble; the distance is :math:`\lVert C_1 - C_0 \rVert / \lVert C_0 \rVert` in the Frobenius norm.

    Parameters
    ----------
    control, adapted : array of shape (n_stimuli, n_units)
        Tuning before and after adaptation.
    stimuli : array of shape (n_stimuli,)
        Stimuli on a circle, each once.
    biased : array of shape (n_stimuli,)
        Probability of each stimulus in the ensemble adapted to.
    adapter : float
        The stimulus that is shown most often.
    unbiased : array of shape (n_stimuli,), optional
        Probabilities in the control ensemble, by default uniform.
    period : float
        Length of the circle.

    Returns
    -------
    Adaptation
        Per unit and of the population.

    Raises
    ------
    DataError
        If shapes differ, or a stimulus stands twice.
    """
    before, after, s = np.asarray(control, float), np.asarray(adapted, float), check_stimuli(stimuli, period)
    p1 = as_probability(biased)
    p0 = np.full(len(s), 1 / len(s)) if unbiased is None else as_probability(unbiased)
    if before.shape != after.shape or before.ndim != 2 or not len(before) == len(s) == len(p1) == len(p0):
        shapes = f"{before.shape}, {after.shape}, {len(s)}, {len(p1)}, {len(p0)}"
        raise DataError(f"tuning and stimuli do not fit each other: {shapes}")
    first, second = (preferred_stimulus(tuning, s, period) for tuning in (before, after))
    shift = np.diag(circular_distance(second, first, period))
    side = np.sign(circular_distance(first, [adapter], period)[:, 0])
    scale = np.sqrt(p0 @ (before - p0 @ before) ** 2)
    reference = _covariance(before, p0, scale)
    distances = tuple(_distance(_covariance(tuning, p1, scale), reference) for tuning in (before, after))
    spread = tuple(float(np.std(p1 @ tuning) / np.mean(p1 @ tuning)) for tuning in (before, after))
    ratios = (after.max(axis=0) / before.max(axis=0), after.min(axis=0) / before.min(axis=0))
    return Adaptation(first, *ratios, side * shift, (distances[0], distances[1]), (spread[0], spread[1]))


def _covariance(tuning: _Floats, p: _Floats, scale: _Floats) -> _Floats:
    centred = (tuning - p @ tuning) / scale
    return np.asarray((centred * p[:, None]).T @ centred)


def _distance(a: _Floats, b: _Floats) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))
