r"""Gains that trade an accurate representation against activity, in closed form.

Responses of a recurrent population with feedforward drive f(s) and a gain of each unit are linear in the gains,
:math:`r = M (f \circ g)` with :math:`M = (I - W)^{-1}`. The gains minimise, over an ensemble of stimuli,

.. math:: L(g) = E_s[\lVert f - D r \rVert^2 + \alpha \lVert r \rVert^2] + \gamma \lVert g - 1 \rVert^2 ,

a quadratic. The form of the model follows Duong, Simoncelli, Chklovskii & Lipshutz (2023, arXiv:2305.19869); the algebra and all
default values are ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import nnls

from neurodecode.data.validate import check_option
from neurodecode.errors import ConfigError, DataError

_Floats = NDArray[np.float64]


def recurrent_operator(W: ArrayLike) -> _Floats:
    r"""Steady state of a recurrent network, :math:`M = (I - W)^{-1}`.

    Parameters
    ----------
    W : array of shape (n_units, n_units)
        Recurrent weights, from columns to rows.

    Returns
    -------
    array of shape (n_units, n_units)
        M.

    Raises
    ------
    ConfigError
        If the network has no steady state: an eigenvalue of W has a real part of 1 or more.
    """
    weights = _square("W", W)
    largest = float(np.linalg.eigvals(weights).real.max(initial=-np.inf))
    if not largest < 1:
        raise ConfigError(f"the recurrent weights have an eigenvalue with real part {largest:.3g}, expected below 1: weaken them")
    return np.asarray(np.linalg.inv(np.eye(len(weights)) - weights))


def second_moment(tuning: ArrayLike, probability: ArrayLike) -> _Floats:
    r"""Second moment of the drive over an ensemble, :math:`C = E_p[f f^T]`.

    Parameters
    ----------
    tuning : array of shape (n_stimuli, n_units)
        Drive f of each unit by each stimulus.
    probability : array of shape (n_stimuli,)
        p, sums to 1.

    Returns
    -------
    array of shape (n_units, n_units)
        C.

    Raises
    ------
    DataError
        If shapes differ, or p is no probability.
    """
    f, p = np.asarray(tuning, float), as_probability(probability)
    if f.ndim != 2 or len(f) != len(p):
        raise DataError(f"tuning must be (n_stimuli, n_units) with {len(p)} stimuli as the probability, got {f.shape}")
    return np.asarray((f * p[:, None]).T @ f)


def as_probability(values: ArrayLike) -> _Floats:
    """Return probabilities that sum to 1, or raise `DataError`.

    Parameters
    ----------
    values : array of shape (n_stimuli,)
        Not negative, with a sum of 1 within 1e-6.

    Returns
    -------
    array of shape (n_stimuli,)
        Brought to a sum of exactly 1.

    Raises
    ------
    DataError
        If they are none.
    """
    p = np.asarray(values, float)
    if p.ndim != 1 or not len(p) or not np.isfinite(p).all() or p.min() < 0 or abs(p.sum() - 1) > 1e-6:
        low = p.min() if p.size else "nothing"
        raise DataError(
            f"probabilities must be a vector of at least 0 that sums to 1, got {p.shape}, from {low}, sum {p.sum():g}"
        )
    return np.asarray(p / p.sum())


def linear_readout(tuning: ArrayLike, probability: ArrayLike, M: ArrayLike, *, ridge: float = 1e-6) -> _Floats:
    r"""Decoder of the drive from responses at gains of 1, :math:`D = E[f r^T] (E[r r^T] + \lambda I)^{-1}`, then frozen.

    Parameters
    ----------
    tuning : array of shape (n_stimuli, n_units)
        Drive f.
    probability : array of shape (n_stimuli,)
        Ensemble that the decoder is for, as a rule the unbiased one.
    M : array of shape (n_units, n_units)
        Steady state of the network, see `recurrent_operator`.
    ridge : float
        :math:`\lambda`.

    Returns
    -------
    array of shape (n_units, n_units)
        D.

    Raises
    ------
    DataError
        If shapes differ, or the ridge is not above 0.
    """
    if not ridge > 0:
        raise DataError(f"ridge must be above 0, got {ridge!r}")
    C, operator = second_moment(tuning, probability), _square("M", M)
    moment = operator @ C @ operator.T + ridge * np.eye(len(C))
    return np.asarray(cho_solve(cho_factor(moment), operator @ C).T)


def optimal_gains(C: ArrayLike, M: ArrayLike, D: ArrayLike, alpha: float, gamma: float, *, nonnegative: str = "auto") -> _Floats:
    r"""Gains that minimise L over an ensemble.

    .. math::

        g^* = (B \circ C + \gamma I)^{-1} \left( ((D M)^T \circ C) 1 + \gamma 1 \right), \qquad
        B = M^T (D^T D + \alpha I) M

    B and C are positive semi-definite, so their elementwise product is, and the solution is unique for :math:`\gamma > 0`.

    Parameters
    ----------
    C : array of shape (n_units, n_units)
        Second moment of the drive over the ensemble, see `second_moment`.
    M : array of shape (n_units, n_units)
        Steady state of the recurrent network, :math:`(I - W)^{-1}`.
    D : array of shape (n_units, n_units)
        Linear decoder of the drive from responses, see `linear_readout`.
    alpha : float
        Price of activity, at least 0.
    gamma : float
        Price of gains that differ from 1, above 0.
    nonnegative : {"auto", "always", "never"}
        Where the quadratic has its minimum at a negative gain, solve it for gains of at least 0 instead ("auto" and "always"
        give the same), or give the negative gain back.

    Returns
    -------
    array of shape (n_units,)
        Gains. Control gains differ from 1, too: compare gains between ensembles.

    Raises
    ------
    DataError
        If shapes differ or a price is out of range.
    """
    check_option("nonnegative", nonnegative, ("auto", "always", "never"))
    A, b = quadratic(C, M, D, alpha, gamma)
    try:
        factor = cholesky(A, lower=True)
    except LinAlgError as error:
        raise DataError(f"the quadratic of the gains is not positive definite at gamma={gamma!r}: is C a covariance?") from error
    whitened = solve_triangular(factor, b, lower=True)
    gains = solve_triangular(factor, whitened, lower=True, trans="T")
    if nonnegative == "never" or gains.min() >= 0:
        return np.asarray(gains)
    return np.asarray(nnls(factor.T, whitened)[0])


def quadratic(C: ArrayLike, M: ArrayLike, D: ArrayLike, alpha: float, gamma: float) -> tuple[_Floats, _Floats]:
    r"""The quadratic of the gains: :math:`L(g) = g^T A g - 2 b^T g + const`.

    Parameters
    ----------
    C, M, D : array of shape (n_units, n_units)
        As in `optimal_gains`.
    alpha, gamma : float
        As in `optimal_gains`.

    Returns
    -------
    A : array of shape (n_units, n_units)
        :math:`B \circ C + \gamma I`.
    b : array of shape (n_units,)
        :math:`((D M)^T \circ C) 1 + \gamma 1`.

    Raises
    ------
    DataError
        If shapes differ or a price is out of range.
    """
    moment, operator, decoder = (_square(name, value) for name, value in (("C", C), ("M", M), ("D", D)))
    if not moment.shape == operator.shape == decoder.shape:
        raise DataError(f"C, M and D must have one shape, got {moment.shape}, {operator.shape} and {decoder.shape}")
    if not (alpha >= 0 and gamma > 0):
        raise DataError(f"expected alpha >= 0 and gamma > 0, got {alpha!r} and {gamma!r}")
    through = decoder @ operator
    B = through.T @ through + alpha * (operator.T @ operator)
    return B * moment + gamma * np.eye(len(moment)), (through.T * moment).sum(axis=1) + gamma


def gain_gradient(g: ArrayLike, C: ArrayLike, M: ArrayLike, D: ArrayLike, alpha: float, gamma: float) -> _Floats:
    r"""Gradient of L, :math:`2 (A g - b)`: zero at `optimal_gains`.

    Parameters
    ----------
    g : array of shape (n_units,)
        Gains.
    C, M, D : array of shape (n_units, n_units)
        As in `optimal_gains`.
    alpha, gamma : float
        As in `optimal_gains`.

    Returns
    -------
    array of shape (n_units,)
        Gradient.
    """
    A, b = quadratic(C, M, D, alpha, gamma)
    return np.asarray(2 * (A @ np.asarray(g, float) - b))


def responses(tuning: ArrayLike, M: ArrayLike, g: ArrayLike) -> _Floats:
    r"""Steady responses :math:`r(s) = M (f(s) \circ g)`.

    Parameters
    ----------
    tuning : array of shape (n_stimuli, n_units)
        Drive f.
    M : array of shape (n_units, n_units)
        Steady state of the network.
    g : array of shape (n_units,)
        Gains.

    Returns
    -------
    array of shape (n_stimuli, n_units)
        Responses.
    """
    return np.asarray((np.asarray(tuning, float) * np.asarray(g, float)) @ np.asarray(M, float).T)


def _square(name: str, value: ArrayLike) -> _Floats:
    array = np.asarray(value, float)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not np.isfinite(array).all():
        raise DataError(f"{name} must be a finite square matrix, got shape {array.shape}")
    return array
