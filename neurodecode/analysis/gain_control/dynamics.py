"""How a population gets there: responses that settle, and gains that follow from one stimulus to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.analysis.gain_control.gains import _square, recurrent_operator
from neurodecode.errors import DataError

_Floats = NDArray[np.float64]


def settle(
    drive: ArrayLike, W: ArrayLike, g: ArrayLike, *, tau: float = 0.01, duration: float = 0.5, start: ArrayLike | None = None
) -> tuple[_Floats, _Floats]:
    r"""Integrate :math:`\tau \dot r = -r + g \circ f(s) + W r` after a stimulus begins.

    Parameters
    ----------
    drive : array of shape (n_units,)
        f(s) of the stimulus.
    W : array of shape (n_units, n_units)
        Recurrent weights.
    g : array of shape (n_units,)
        Gains.
    tau : float
        Time constant, s.
    duration : float
        How long, s.
    start : array of shape (n_units,), optional
        Responses at the beginning, by default 0.

    Returns
    -------
    times : array of shape (n_times,)
        Times of the integrator, s.
    responses : array of shape (n_times, n_units)
        Responses; the last ones approach :math:`M (f \circ g)`.

    Raises
    ------
    ConfigError
        If the network has no steady state.
    DataError
        If a time is not above 0.
    """
    from scipy.integrate import solve_ivp

    if not (tau > 0 and duration > 0):
        raise DataError(f"tau and duration must be above 0, got {tau!r} and {duration!r}")
    weights = _square("W", W)
    recurrent_operator(weights)
    leak, push = weights - np.eye(len(weights)), np.asarray(g, float) * np.asarray(drive, float)
    first = np.zeros(len(push)) if start is None else np.asarray(start, float)
    options = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-13, "max_step": duration / 20}
    found = solve_ivp(lambda _, r: (leak @ r + push) / tau, (0, duration), first, **options)
    return np.asarray(found.t), np.asarray(found.y.T)


def adapt_online(
    drives: ArrayLike,
    M: ArrayLike,
    D: ArrayLike,
    alpha: float,
    gamma: float,
    *,
    rate: float = 0.05,
    start: ArrayLike | None = None,
) -> _Floats:
    r"""Let gains follow a stream of stimuli, one step of the stochastic gradient for each.

    .. math:: g \leftarrow g - \eta_t [ f \circ M^T ( D^T (D r - f) + \alpha r ) + \gamma (g - 1) ]

    with rates that fall as :math:`\eta_t = \eta / (1 + t / t_0)`, where a tenth of the stream is :math:`t_0`, so that the gains
    come to rest at `optimal_gains` of the ensemble that the stream was drawn from.

    Parameters
    ----------
    drives : array of shape (n_samples, n_units)
        Drive f of each stimulus in turn.
    M : array of shape (n_units, n_units)
        Steady state of the recurrent network.
    D : array of shape (n_units, n_units)
        Linear decoder.
    alpha, gamma : float
        Prices, as in `optimal_gains`.
    rate : float
        :math:`\eta` over the largest curvature of a sample, so that 1 is the border of stability.
    start : array of shape (n_units,), optional
        Gains at the beginning, by default 1.

    Returns
    -------
    array of shape (n_samples, n_units)
        Gains after each stimulus.

    Raises
    ------
    DataError
        If shapes differ or the rate is not above 0.
    """
    f, operator, decoder = np.asarray(drives, float), _square("M", M), _square("D", D)
    if f.ndim != 2 or f.shape[1] != len(operator) or operator.shape != decoder.shape:
        raise DataError(f"drives, M and D do not fit each other: {f.shape}, {operator.shape}, {decoder.shape}")
    if not rate > 0:
        raise DataError(f"rate must be above 0, got {rate!r}")
    through = decoder @ operator
    B = through.T @ through + alpha * (operator.T @ operator)
    step = rate / (np.linalg.norm(B, 2) * np.max((f**2).sum(axis=1)) + gamma)
    g = np.ones(len(operator)) if start is None else np.array(start, float)
    pull, course, half = f @ through, np.empty_like(f), max(len(f) / 10, 1.0)
    for t, sample in enumerate(f):  # each step needs the one before
        gradient = sample * (B @ (sample * g) - pull[t]) + gamma * (g - 1)
        g = g - step / (1 + t / half) * gradient
        course[t] = g
    return course
