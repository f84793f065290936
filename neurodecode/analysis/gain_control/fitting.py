"""Six parameters of the model from control and adapted tuning."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from neurodecode.analysis.gain_control.gains import linear_readout, optimal_gains, recurrent_operator, responses, second_moment
from neurodecode.simulate.tuning_curves import gaussian_recurrence, gaussian_tuning

_Floats = NDArray[np.float64]
_STARTS = (-0.5, 0.2, 0.6)  # of the recurrent strength
_LOWEST, _HIGHEST = 1e-3, 1e3  # of both prices


class TuningParameters(NamedTuple):
    """Parameters of the unadapted tuning."""

    tuning_width: float
    """Width of the feedforward tuning, in the unit of the stimuli."""
    baseline: float
    """Its baseline, over the height of its bump."""
    recurrent_width: float
    """Width of the recurrent weights."""
    recurrent_strength: float
    """Sum of the recurrent weights to a unit."""


class Prices(NamedTuple):
    """Parameters of the gains."""

    alpha: float
    """Price of activity."""
    gamma: float
    """Price of gains that differ from 1."""


class Grid(NamedTuple):
    """Stimuli and units."""

    stimuli: _Floats
    """(n_stimuli,)"""
    preferred: _Floats
    """(n_units,)"""
    period: float
    """Length of the circle."""


class Population(NamedTuple):
    """A population before adaptation."""

    drive: _Floats
    """Feedforward tuning, (n_stimuli, n_units)."""
    operator: _Floats
    """Steady state of the network."""
    readout: _Floats
    """Linear decoder for a uniform ensemble."""


def population_of(tuning: TuningParameters, grid: Grid) -> Population:
    """Feedforward tuning, network and decoder of some parameters.

    Parameters
    ----------
    tuning : TuningParameters
        Parameters.
    grid : Grid
        Stimuli and units.

    Returns
    -------
    Population
        Its decoder is fitted for a uniform ensemble at gains of 1.
    """
    drive = gaussian_tuning(grid.stimuli, grid.preferred, tuning.tuning_width, tuning.baseline, grid.period)
    weights = gaussian_recurrence(grid.preferred, tuning.recurrent_strength, tuning.recurrent_width, grid.period)
    operator = recurrent_operator(weights)
    return Population(drive, operator, linear_readout(drive, _uniform(grid), operator))


def fit_tuning(control: _Floats, grid: Grid) -> TuningParameters:
    r"""Fit the unadapted tuning, :math:`\min \lVert r_0 - a M f \rVert^2` with a free scale a.

    Parameters
    ----------
    control : array of shape (n_stimuli, n_units)
        Control tuning, mean over sessions.
    grid : Grid
        Stimuli and units.

    Returns
    -------
    TuningParameters
        The best of three starts, from inhibition to excitation.
    """
    widest = grid.period / 3

    def residual(x: _Floats) -> _Floats:
        parameters = TuningParameters(*x)
        drive = gaussian_tuning(grid.stimuli, grid.preferred, parameters.tuning_width, parameters.baseline, grid.period)
        weights = gaussian_recurrence(grid.preferred, parameters.recurrent_strength, parameters.recurrent_width, grid.period)
        curve = drive @ np.linalg.inv(np.eye(len(weights)) - weights).T
        return np.asarray((control - _scale(control, curve) * curve).ravel())

    smallest = grid.period / 60
    bounds = ([smallest, 0.0, smallest, -2.0], [widest, 5.0, widest, 0.95])
    starts = [np.array([grid.period / 12, 0.1, grid.period / 12, strength]) for strength in _STARTS]
    options = {"bounds": bounds, "x_scale": [10, 0.1, 10, 0.5]}
    found = min((least_squares(residual, start, **options) for start in starts), key=lambda r: r.cost)
    return TuningParameters(*map(float, found.x))


def fit_prices(control: _Floats, adapted: _Floats, probability: _Floats, population: Population, grid: Grid) -> Prices:
    r"""Fit the prices on the change of tuning, :math:`\min \sum \lVert (r_1 - r_0) - (\hat r_1 - \hat r_0) \rVert^2`.

    Parameters
    ----------
    control, adapted : array of shape (n_sessions, n_stimuli, n_units)
        Tuning.
    probability : array of shape (n_sessions, n_stimuli)
        Ensemble adapted to.
    population : Population
        From the unadapted tuning.
    grid : Grid
        Stimuli and units.

    Returns
    -------
    Prices
        The best of three starts.
    """
    change = adapted - control

    def residual(x: _Floats) -> _Floats:
        prices = Prices(*np.exp(x))
        found = predicted_change(control, probability, population, prices, grid)
        return np.asarray((found - change).ravel())

    bounds = ([np.log(_LOWEST)] * 2, [np.log(_HIGHEST)] * 2)
    starts = [np.log([alpha, alpha]) for alpha in (0.1, 1.0, 10.0)]
    found = min((least_squares(residual, start, bounds=bounds) for start in starts), key=lambda r: r.cost)
    return Prices(*map(float, np.exp(found.x)))


def predicted_change(control: _Floats, probability: _Floats, population: Population, prices: Prices, grid: Grid) -> _Floats:
    """Adapted minus control tuning that the model predicts, on the scale of the control tuning.

    Parameters
    ----------
    control : array of shape (n_sessions, n_stimuli, n_units)
        Control tuning, which the scale is taken from.
    probability : array of shape (n_sessions, n_stimuli)
        Ensemble adapted to.
    population : Population
        The population.
    prices : Prices
        Prices of activity and gains.
    grid : Grid
        Stimuli and units.

    Returns
    -------
    array of shape (n_sessions, n_stimuli, n_units)
        Change.
    """
    before = tuning_in(_uniform(grid), population, prices)[0]
    kinds, place = np.unique(probability, axis=0, return_inverse=True)
    change = np.stack([tuning_in(p, population, prices)[0] - before for p in kinds])
    scale = np.array([_scale(tuning, before) for tuning in control])
    return np.asarray(scale[:, None, None] * change[place.ravel()])


def tuning_in(probability: _Floats, population: Population, prices: Prices) -> tuple[_Floats, _Floats]:
    """Tuning and gains of a population that is adapted to an ensemble.

    Parameters
    ----------
    probability : array of shape (n_stimuli,)
        The ensemble.
    population : Population
        The population.
    prices : Prices
        Prices of activity and gains.

    Returns
    -------
    tuning : array of shape (n_stimuli, n_units)
        Responses.
    gains : array of shape (n_units,)
        Gains.
    """
    moment = second_moment(population.drive, probability)
    gains = optimal_gains(moment, population.operator, population.readout, *prices)
    return responses(population.drive, population.operator, gains), gains


def explained(change: _Floats, predicted: _Floats) -> float:
    """Share of the change of tuning that a prediction explains; 0 for no change.

    Parameters
    ----------
    change, predicted : array of shape (n_sessions, n_stimuli, n_units)
        Tuning after adaptation less that before it, as found and as told.

    Returns
    -------
    float
        1 at best.
    """
    return float(1 - np.sum((change - predicted) ** 2) / np.sum(change**2))


def _uniform(grid: Grid) -> _Floats:
    return np.full(len(grid.stimuli), 1 / len(grid.stimuli))


def _scale(observed: _Floats, curve: _Floats) -> float:
    return float(np.sum(observed * curve) / np.sum(curve**2))
