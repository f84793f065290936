"""Noise of patterns: its precision from residuals, shrunk so that it exists where units outnumber samples."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.compare.rdm_design import Codes, Floats
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

Method = Literal["ledoit_wolf", "shrunk_diagonal", "diagonal"]
METHODS = ("ledoit_wolf", "shrunk_diagonal", "diagonal")


def noise_precision(residuals: ArrayLike, method: Method = "ledoit_wolf", *, dof: float | None = None) -> Floats:
    r"""Precision (inverse covariance) of noise.

    ``"ledoit_wolf"`` shrinks the sample covariance towards a multiple of the identity, :math:`(1 - \lambda) S + \lambda
    \mathrm{tr}(S) / P \; I` with the :math:`\lambda` of Ledoit and Wolf; ``"shrunk_diagonal"`` shrinks correlations towards 0
    and leaves variances as they are, with the :math:`\lambda` of Schäfer and Strimmer; ``"diagonal"`` takes variances alone and
    never forms a matrix of units by units.

    Fit it on what is not tested: residuals of the first-level model (all runs; under normal noise they are independent of the
    estimates of the patterns), a localiser, or rest. `rdm` with ``noise="ledoit_wolf"`` does it on the training runs of each
    fold.

    Parameters
    ----------
    residuals : array_like of shape (n_samples, n_units)
        What is left when the signal is taken off, of mean 0 per unit.
    method : {"ledoit_wolf", "shrunk_diagonal", "diagonal"}
        How the covariance is estimated.
    dof : float, optional
        Degrees of freedom of the residuals: samples minus regressors. By default samples minus 1.

    Returns
    -------
    array of shape (n_units, n_units), or (n_units,) for ``"diagonal"``
        Precision in one over the squared units of the responses.

    Raises
    ------
    DataError
        If values are missing, degrees of freedom are too few, or a unit does not vary.

    References
    ----------
    Ledoit and Wolf (2004), J. Multivariate Analysis 88:365. Schäfer and Strimmer (2005), Statistical Applications in Genetics and
    Molecular Biology 4:32. Walther et al. (2016), NeuroImage 137:188.
    """
    check_option("method", method, METHODS)
    noise = np.asarray(residuals, np.float64)
    if noise.ndim != 2 or not np.isfinite(noise).all():
        raise DataError(f"residuals must be finite, of shape (n_samples, n_units), got shape {noise.shape}: leave NaN units out")
    degrees = len(noise) - 1 if dof is None else dof
    if not 0 < degrees <= len(noise):
        raise DataError(f"{len(noise)} residuals with {degrees} degrees of freedom give no covariance: at least 1 is needed")
    if method == "ledoit_wolf":
        return _inverse(_ledoit_wolf(noise, degrees))
    variance = np.einsum("ij,ij->j", noise, noise) / degrees
    flat = np.flatnonzero(variance <= 0)
    if flat.size:
        raise DataError(f"{flat.size} of {len(variance)} units do not vary, the first is unit {flat[0]}: leave them out")
    return 1 / variance if method == "diagonal" else _inverse(_shrunk_diagonal(noise, variance, degrees))


def pattern_residuals(data: NDArray[Any], condition: Codes, run: Codes | None) -> tuple[Floats, int]:
    """Rows without the mean pattern of their condition.

    Where conditions are repeated within runs, the mean of each condition in each run is taken off. Where they are not, the
    additive model of condition and run is.

    Parameters
    ----------
    data : array of shape (n_rows, n_units)
        Responses.
    condition, run : array of shape (n_rows,)
        Number of the condition and of the run of each row; without runs all rows are of one.

    Returns
    -------
    residuals : array of shape (n_rows, n_units)
        What is left.
    dof : int
        Its degrees of freedom.

    Raises
    ------
    DataError
        If nothing is left to estimate noise from.
    """
    values = np.asarray(data, np.float64)
    runs = np.zeros(len(values), np.int64) if run is None else np.unique(run, return_inverse=True)[1]
    codes = np.unique(condition, return_inverse=True)[1]
    cells = np.unique(runs * (codes.max() + 1) + codes, return_inverse=True)[1]
    if cells.max() + 1 < len(values):
        sums = np.zeros((cells.max() + 1, values.shape[1]))
        np.add.at(sums, cells, values)
        return values - (sums / np.bincount(cells)[:, None])[cells], len(values) - int(cells.max()) - 1
    design = np.concatenate([np.eye(codes.max() + 1)[codes], np.eye(runs.max() + 1)[runs][:, 1:]], axis=1)
    dof = len(values) - design.shape[1]
    if dof < 1:
        raise DataError(
            f"{len(values)} rows of {codes.max() + 1} conditions in {runs.max() + 1} training runs leave no residuals to "
            "estimate noise from: give noise=noise_precision(residuals of the first-level model)"
        )
    basis = np.linalg.qr(design)[0]
    return values - basis @ (basis.T @ values), dof


def precision_root(noise: ArrayLike, n_units: int) -> Floats:
    """A factor R of a precision, P = R R^T: patterns times R are whitened.

    Parameters
    ----------
    noise : array_like of shape (n_units, n_units) or (n_units,)
        Precision, or its diagonal.
    n_units : int
        Number of units of the patterns.

    Returns
    -------
    array of the shape of `noise`
        The factor, lower triangular, or its diagonal.

    Raises
    ------
    DataError
        If the shape does not fit, or the precision is not symmetric and positive definite.
    """
    precision = np.asarray(noise, np.float64)
    if precision.shape == (n_units,):
        if not (np.isfinite(precision).all() and (precision > 0).all()):
            raise DataError(f"noise must be positive precisions, got values from {precision.min():g} to {precision.max():g}")
        return np.sqrt(precision)
    if precision.shape != (n_units, n_units):
        raise DataError(
            f"noise must be a precision of shape ({n_units}, {n_units}) or ({n_units},), one per unit, got {precision.shape}"
        )
    if not np.allclose(precision, precision.T, rtol=1e-6, atol=1e-8 * float(np.abs(precision).max())):
        largest = float(np.abs(precision - precision.T).max())
        raise DataError(f"noise must be a symmetric precision, it differs from its transpose by up to {largest:g}")
    try:
        return np.asarray(np.linalg.cholesky(precision), np.float64)
    except np.linalg.LinAlgError as error:
        low = float(np.linalg.eigvalsh(precision)[0])
        raise DataError(f"noise must be positive definite, its lowest eigenvalue is {low:g}: shrink the covariance") from error


def _ledoit_wolf(noise: Floats, dof: float) -> Floats:
    """(1 - lambda) S + lambda m I with m the mean variance; lambda from sums that need no second matrix of units by units."""
    n, p = noise.shape
    products = noise.T @ noise
    power = np.einsum("ij,ij->i", noise, noise)
    variance = float(power.sum()) / (n * p)
    strength = float(np.einsum("ij,ij->", products, products)) / n**2
    distance = strength / p - variance**2  # of the sample covariance from m I
    error = (float(np.sum(power**2)) / n - strength) / (n * p)
    share = min(error / distance, 1.0) if distance > 0 and error > 0 else 0.0
    covariance = np.asarray(products * ((1 - share) / dof), np.float64)
    covariance[np.diag_indices(p)] += share * variance * n / dof
    return covariance


def _shrunk_diagonal(noise: Floats, variance: Floats, dof: float) -> Floats:
    """Correlations times 1 - lambda, lambda = sum of their variances / sum of their squares."""
    standard = noise / np.sqrt(variance)
    correlation = standard.T @ standard / dof
    n = len(noise)
    power = standard**2
    # sum over pairs of units of sum_k (z_ki z_kj)^2 and of r_ij^2, both without the diagonal
    squares = np.sum(power.sum(axis=1) ** 2) - np.sum(power**2)
    strength = np.sum(correlation**2) - np.sum(correlation.diagonal() ** 2)
    spread = n / dof**3 * (squares - dof**2 / n * strength)
    share = float(np.clip(spread / strength, 0, 1)) if strength > 0 else 1.0
    covariance = (1 - share) * correlation
    np.fill_diagonal(covariance, 1.0)
    scale = np.sqrt(variance)
    return np.asarray(covariance * scale * scale[:, None], np.float64)


def _inverse(covariance: Floats) -> Floats:
    """Inverse of a covariance, exactly symmetric."""
    try:
        np.linalg.cholesky(covariance)
        precision = np.linalg.inv(covariance)
    except np.linalg.LinAlgError as error:
        raise DataError(f"the covariance of {len(covariance)} units is singular: choose method='ledoit_wolf'") from error
    return np.asarray((precision + precision.T) / 2, np.float64)
