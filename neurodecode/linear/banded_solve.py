"""Ridge of one gamma: the hat operators of a fold, what they leave unexplained, and the weights of the final fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.splits import Split
from neurodecode.linear.banded_forms import Form, System

_ROWS = 128  # held-out samples whose squares are added up in single precision
_WORST_CONDITION = 1e6  # beyond, a factorisation in single precision loses what the penalty adds


def hat_operators(system: System, alphas: NDArray[np.float64]) -> NDArray[Any]:
    """Map what was trained on to predictions: ``H_alpha = cross (gram + alpha I)^-1``.

    Parameters
    ----------
    system : System
        One fold.
    alphas : array of shape (n_alphas,)
        Penalties.

    Returns
    -------
    array of shape (n_alphas, n_test, size)
        One operator per penalty; NaN where the penalty is too small for a factorisation.
    """
    hat = np.empty((len(alphas), *system.cross.shape), system.cross.dtype)
    for k, alpha in enumerate(alphas):
        hat[k] = ridge_solve(system.gram, float(alpha), system.cross.T).T
    if system.scale is not None:
        hat *= system.scale
    return hat


def ridge_solve(gram: NDArray[Any], alpha: float, known: NDArray[Any]) -> NDArray[Any]:
    """Solve ``(gram + alpha I) x = known`` by Cholesky, in double precision where single would not do.

    Parameters
    ----------
    gram : array of shape (size, size)
        Symmetric, not negative.
    alpha : float
        Penalty.
    known : array of shape (size, n_columns)
        Right-hand sides.

    Returns
    -------
    array of shape (size, n_columns)
        Solution, of the dtype of `known`; NaN where the matrix is not positive definite even in double precision.
    """
    from scipy.linalg.lapack import dposv, sposv

    single = gram.dtype == np.float32 and np.trace(gram, dtype=np.float64) <= _WORST_CONDITION * alpha
    for solve, dtype in ((sposv, np.float32), (dposv, np.float64)) if single else ((dposv, np.float64),):
        matrix = np.array(gram, dtype, order="F")
        matrix.flat[:: len(matrix) + 1] += alpha
        _, x, failed = solve(matrix, known, lower=1, overwrite_a=1)
        if not failed:
            return np.asarray(x, known.dtype)
    return np.full(known.shape, np.nan, known.dtype)


def residuals(hat: NDArray[Any], form: Form, y: NDArray[Any], fold: Split, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of squared errors on the held-out samples of a fold.

    Parameters
    ----------
    hat : array of shape (n_alphas, n_test, size)
        Of `hat_operators`.
    form : Form
        The bands.
    y : array of shape (n_samples, n_targets)
        Targets.
    fold : Split
        Rows.
    mean : array of shape (n_targets,)
        Mean of the targets over the training samples.

    Returns
    -------
    array of shape (n_alphas, n_targets)
        Sums, in double precision.
    """
    centred = (y - mean).astype(hat.dtype, copy=False)
    predicted = (hat.reshape(-1, hat.shape[2]) @ form.known(centred, fold.train)).reshape(*hat.shape[:2], -1)
    predicted -= centred[fold.test]
    total = np.zeros((len(hat), predicted.shape[2]))
    for start in range(0, predicted.shape[1], _ROWS):
        part = predicted[:, start : start + _ROWS]
        total += np.einsum("avt,avt->at", part, part)
    return total


def final_weights(
    form: Form, y: Any, mean: NDArray[np.float64], gammas: NDArray[np.float64], alphas: NDArray[np.float64]
) -> NDArray[Any]:
    """Fit all samples, targets of one gamma and penalty together.

    Parameters
    ----------
    form : Form
        The bands.
    y : array of shape (n_samples, n_targets)
        Targets.
    mean : array of shape (n_targets,)
        Their mean.
    gammas : array of shape (n_targets, n_bands)
        Weights of bands of each target.
    alphas : array of shape (n_targets,)
        Penalty of each target.

    Returns
    -------
    array of shape (size, n_targets)
        Weights of samples (dual) or of columns (primal).
    """
    rows = np.arange(len(y))
    kinds, kind = np.unique(gammas, axis=0, return_inverse=True)
    weights: NDArray[Any] | None = None
    for k, gamma in enumerate(kinds):
        here = np.flatnonzero(kind.ravel() == k)
        system = form.system(form.mix(gamma), rows, rows[:0])
        scale = 1 if system.scale is None else system.scale[:, None]
        for alpha in np.unique(alphas[here]):
            targets = here[alphas[here] == alpha]
            centred = (y[:, targets] - mean[targets]).astype(system.gram.dtype, copy=False)
            found = scale * ridge_solve(system.gram, float(alpha), scale * form.known(centred, rows))
            weights = np.empty((len(found), len(alphas)), found.dtype) if weights is None else weights
            weights[:, targets] = found
    return np.empty((len(y), 0)) if weights is None else weights
