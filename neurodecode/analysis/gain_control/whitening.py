r"""Gains of interneurons that whiten responses.

A population with responses y gets feedback from interneurons :math:`z = W^T y` with gains g,
:math:`y = (\alpha I + W \mathrm{diag}(g) W^T)^{-1} x`. Interneurons that see more variance than 1 raise their gain, others lower
it, until y is white (Duong, Lipshutz, Heeger, Chklovskii & Simoncelli 2023, ICML).
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve

from neurodecode.analysis.gain_control.gains import _square
from neurodecode.data import Responses
from neurodecode.errors import DataError

_Floats = NDArray[np.float64]
_MANY = 100  # units above which the squared Gram of the frame takes hundreds of MB
_DIVERGED = 200.0


class Whitening(NamedTuple):
    """Gains that were found from samples."""

    gains: _Floats
    """Gain of each interneuron, (n_frame,)."""
    course: _Floats
    """Gains after each step, (n_steps, n_frame)."""
    error: _Floats
    """Squared distance of the covariance of responses from the identity over the number of its elements, per step."""


def whitening_frame(n_units: int) -> _Floats:
    r"""A frame that whitens every covariance: the axes, and the sums of all pairs of them, n(n+1)/2 directions of length 1.

    Parameters
    ----------
    n_units : int
        Number of units n.

    Returns
    -------
    array of shape (n_units, n_units (n_units + 1) / 2)
        W.

    Raises
    ------
    DataError
        If there is no unit.
    """
    if n_units < 1:
        raise DataError(f"n_units must be at least 1, got {n_units!r}")
    i, j = np.triu_indices(n_units)
    frame = np.zeros((n_units, len(i)))
    columns = np.arange(len(i))
    frame[i, columns] = 1.0
    frame[j, columns] += i != j
    return np.asarray(frame / np.linalg.norm(frame, axis=0))


def whitening_gains(C: Any, W: ArrayLike | None = None, *, alpha: float = 1.0) -> _Floats:
    r"""Gains that whiten responses of a known covariance, in closed form.

    .. math:: g = ((W^T W)^{\circ 2})^{-1}\, \mathrm{diag}( W^T (C^{1/2} - \alpha I) W )

    For a frame of n(n+1)/2 directions whose outer products are independent, the responses are white: the covariance of y is I.

    Parameters
    ----------
    C : array of shape (n_units, n_units) or Responses
        Covariance, positive definite; of Responses the covariance over samples is taken.
    W : array of shape (n_units, n_frame), optional
        Directions of the interneurons, columns of length 1; by default `whitening_frame`.
    alpha : float
        Leak of the units.

    Returns
    -------
    array of shape (n_frame,)
        Gains; they may be negative.

    Raises
    ------
    DataError
        If the covariance is not positive definite, or outer products of the directions are not independent.
    """
    covariance = _covariance_of(C)
    frame = whitening_frame(len(covariance)) if W is None else _frame(W, len(covariance))
    if len(covariance) > _MANY and W is None:
        size = frame.shape[1] ** 2 * 8 / 1e9
        text = f"{len(covariance)} units need a system of {frame.shape[1]} gains ({size:.1f} GB)"
        warnings.warn(text, UserWarning, stacklevel=2)
    root = _square_root(covariance) - alpha * np.eye(len(covariance))
    gram = (frame.T @ frame) ** 2
    wanted = np.einsum("ik,ij,jk->k", frame, root, frame, optimize=True)
    try:
        return np.asarray(solve(gram, wanted, assume_a="pos"))
    except np.linalg.LinAlgError as error:
        raise DataError(f"the {frame.shape[1]} directions are not independent: remove some, or use whitening_frame") from error


def whitened_covariance(C: Any, g: ArrayLike, W: ArrayLike | None = None, *, alpha: float = 1.0) -> _Floats:
    r"""Covariance of the responses, :math:`A C A^T` with :math:`A = (\alpha I + W \mathrm{diag}(g) W^T)^{-1}`.

    Parameters
    ----------
    C : array of shape (n_units, n_units) or Responses
        As in `whitening_gains`.
    g : array of shape (n_frame,)
        Gains.
    W : array of shape (n_units, n_frame), optional
        As in `whitening_gains`.
    alpha : float
        Leak of the units.

    Returns
    -------
    array of shape (n_units, n_units)
        The identity where the gains whiten.
    """
    covariance = _covariance_of(C)
    frame = whitening_frame(len(covariance)) if W is None else _frame(W, len(covariance))
    through = np.linalg.inv(_feedback(frame, np.asarray(g, float), alpha))
    return np.asarray(through @ covariance @ through.T)


def whiten_online(
    C: Any,
    W: ArrayLike | None = None,
    *,
    alpha: float = 1.0,
    rate: float = 5e-3,
    batch: int = 64,
    steps: int = 1024,
    nonnegative: bool = False,
    random_state: int = 0,
) -> Whitening:
    r"""Let gains follow a stream of samples, :math:`g \leftarrow g + \eta (\overline{z^2} - 1)`.

    Parameters
    ----------
    C : array of shape (n_units, n_units) or Responses
        Covariance that Gaussian samples are drawn from.
    W : array of shape (n_units, n_frame), optional
        As in `whitening_gains`.
    alpha : float
        Leak of the units.
    rate : float
        :math:`\eta`, falling to a tenth over the steps.
    batch : int
        Samples of a step; 0 takes the covariance itself, the limit of endless batches.
    steps : int
        Steps.
    nonnegative : bool
        Keep gains at 0 or above.
    random_state : int
        Seed of the samples.

    Returns
    -------
    Whitening
        Gains, their course and the error.

    Raises
    ------
    DataError
        If a setting is out of range, or gains grow beyond 200.
    """
    if not (rate > 0 and batch >= 0 and steps >= 1):
        raise DataError(f"expected rate > 0, batch >= 0 and steps >= 1, got {rate!r}, {batch!r} and {steps!r}")
    covariance = _covariance_of(C)
    frame = whitening_frame(len(covariance)) if W is None else _frame(W, len(covariance))
    rng, root = np.random.default_rng(random_state), np.linalg.cholesky(covariance)
    g = np.zeros(frame.shape[1])
    course, error = np.empty((steps, len(g))), np.empty(steps)
    for step in range(steps):
        through = np.linalg.inv(_feedback(frame, g, alpha))
        white = through @ covariance @ through.T
        error[step] = float(((white - np.eye(len(white))) ** 2).mean())
        seen = through @ root @ rng.standard_normal((len(root), batch)) if batch else None
        variance = np.einsum("ik,ij,jk->k", frame, white, frame) if seen is None else ((frame.T @ seen) ** 2).mean(axis=1)
        g = g + rate * 0.1 ** (step / steps) * (variance - 1)
        g = np.maximum(g, 0) if nonnegative else g
        if not np.abs(g).max() < _DIVERGED:
            raise DataError(f"gains grew beyond {_DIVERGED:g} at step {step}: lower rate={rate!r} or raise batch={batch!r}")
        course[step] = g
    return Whitening(g, course, error)


def _feedback(frame: _Floats, g: _Floats, alpha: float) -> _Floats:
    return np.asarray(alpha * np.eye(len(frame)) + (frame * g) @ frame.T)


def _covariance_of(C: Any) -> _Floats:
    if isinstance(C, Responses):
        C = np.cov(C.matrix(), rowvar=False, dtype=np.float64)
    covariance = _square("C", np.atleast_2d(C))
    if not np.allclose(covariance, covariance.T, rtol=1e-8, atol=1e-12):
        raise DataError(f"C must be symmetric, its largest asymmetry is {np.abs(covariance - covariance.T).max():.3g}")
    return covariance


def _frame(W: ArrayLike, n_units: int) -> _Floats:
    frame = np.asarray(W, float)
    if frame.ndim != 2 or len(frame) != n_units or not np.allclose(np.linalg.norm(frame, axis=0), 1):
        raise DataError(f"W must be ({n_units}, n_frame) with columns of length 1, got shape {frame.shape}")
    return frame


def _square_root(covariance: _Floats) -> _Floats:
    values, vectors = np.linalg.eigh(covariance)
    if values.min() <= 0:
        raise DataError(f"C must be positive definite, its smallest eigenvalue is {values.min():.3g}: add samples or a ridge")
    return np.asarray((vectors * np.sqrt(values)) @ vectors.T)
