"""Other rules of adaptation, to compare the model with: none, a scalar, free gains, a separable rule, reweighted normalisation.

A rival is fitted on control and adapted tuning of some sessions and predicts adapted tuning of another session from its control
tuning. All arrays are (n_sessions, n_stimuli, n_units); probabilities are (n_sessions, n_stimuli).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

_Floats = NDArray[np.float64]
Rule = Callable[[_Floats, _Floats], _Floats]
_STEPS, _PUSH = 300, 0.5  # of the homeostasis of products


def no_change(control: _Floats, adapted: _Floats, probability: _Floats) -> Rule:
    """Adapted tuning is control tuning: explains nothing of the difference, by definition.

    Parameters
    ----------
    control, adapted : array of shape (n_sessions, n_stimuli, n_units)
        Tuning before and after adaptation.
    probability : array of shape (n_sessions, n_stimuli)
        How often each stimulus was shown while adapting.

    Returns
    -------
    Rule
        Tuning from control tuning and a probability of stimuli.
    """
    return lambda tuning, p: tuning


def scalar_gain(control: _Floats, adapted: _Floats, probability: _Floats) -> Rule:
    r"""One gain for all units, :math:`r_1 = c\, r_0`.

    Parameters
    ----------
    control, adapted : array of shape (n_sessions, n_stimuli, n_units)
        Tuning before and after adaptation.
    probability : array of shape (n_sessions, n_stimuli)
        How often each stimulus was shown while adapting.

    Returns
    -------
    Rule
        Tuning from control tuning and a probability of stimuli.
    """
    c = float(np.sum(control * adapted) / np.sum(control**2))
    return lambda tuning, p: c * tuning


def independent_gains(control: _Floats, adapted: _Floats, probability: _Floats) -> Rule:
    r"""A free gain of each unit without recurrence, :math:`r_{1,i} = c_i r_{0,i}`: as many parameters as units.

    Parameters
    ----------
    control, adapted : array of shape (n_sessions, n_stimuli, n_units)
        Tuning before and after adaptation.
    probability : array of shape (n_sessions, n_stimuli)
        How often each stimulus was shown while adapting.

    Returns
    -------
    Rule
        Tuning from control tuning and a probability of stimuli.
    """
    c = np.sum(control * adapted, axis=(0, 1)) / np.sum(control**2, axis=(0, 1))
    return lambda tuning, p: c * tuning


def separable_rule(control: _Floats, adapted: _Floats, probability: _Floats) -> Rule:
    r"""A factor of the unit times a factor of the stimulus, :math:`r_1(s, i) = u_i v_s r_0(s, i)` (Benucci et al. 2013).

    Parameters
    ----------
    control, adapted : array of shape (n_sessions, n_stimuli, n_units)
        Tuning before and after adaptation.
    probability : array of shape (n_sessions, n_stimuli)
        How often each stimulus was shown while adapting.

    Returns
    -------
    Rule
        Tuning from control tuning and a probability of stimuli.
    """
    u, v = np.ones(control.shape[2]), np.ones(control.shape[1])
    for _ in range(100):
        base = control * v[:, None]
        u = np.sum(base * adapted, axis=(0, 1)) / np.sum(base**2, axis=(0, 1))
        base = control * u
        v = np.sum(base * adapted, axis=(0, 2)) / np.sum(base**2, axis=(0, 2))
    factor = np.outer(v, u)
    return lambda tuning, p: factor * tuning


def reweighted_normalisation(control: _Floats, adapted: _Floats, probability: _Floats) -> Rule:
    r"""Normalisation whose weights bring the mean products of responses back to those of the control ensemble.

    :math:`r_i = d_i / (1 + \sum_j w_{ij} d_j)`, with equal weights before adaptation, from which the drive d follows; then
    :math:`w_{ij} \leftarrow w_{ij} + \eta (E_{p_1}[r_i r_j] - E_{p_0}[r_i r_j])` until the products are restored. One parameter
    is fitted: the share of that change. After Westrick, Heeger & Landy (2016), whose model differs in detail.

    Parameters
    ----------
    control, adapted : array of shape (n_sessions, n_stimuli, n_units)
        Tuning before and after adaptation.
    probability : array of shape (n_sessions, n_stimuli)
        How often each stimulus was shown while adapting.

    Returns
    -------
    Rule
        Tuning from control tuning and a probability of stimuli.
    """

    def misfit(share: float) -> float:
        return float(np.sum((_reweighted(control, probability, share) - adapted) ** 2))

    best = float(minimize_scalar(misfit, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-3}).x)
    return lambda tuning, p: _reweighted(tuning, p, best)


def _reweighted(control: _Floats, probability: _Floats, share: float) -> _Floats:
    """Adapted tuning of each session, from its control tuning."""
    return np.stack([_one_session(tuning, p, share) for tuning, p in zip(control, probability, strict=True)])


def _one_session(control: _Floats, p: _Floats, share: float) -> _Floats:
    n = control.shape[1]
    unit = 0.5 / max(float(control.mean(axis=1).max()), 1e-12)  # the pool stays below its limit of 1
    r0 = np.maximum(control * unit, 0)
    pool = r0.mean(axis=1)
    drive = r0 * (1 + (pool / (1 - pool)))[:, None]
    goal, weights, r = r0.T @ r0 / len(r0), np.full((n, n), 1 / n), r0
    for _ in range(_STEPS):
        weights = np.maximum(weights + _PUSH * ((r * p[:, None]).T @ r - goal), 0)
        r = drive / (1 + drive @ weights.T)
    mixed = (1 - share) / n + share * weights
    return np.asarray(drive / (1 + drive @ mixed.T) / unit)


RIVALS: dict[str, Callable[[_Floats, _Floats, _Floats], Rule]] = {
    "no change": no_change,
    "scalar gain": scalar_gain,
    "independent gains": independent_gains,
    "separable (Benucci)": separable_rule,
    "normalisation reweighting (Westrick)": reweighted_normalisation,
}
