"""Linear discriminant analysis with automatic shrinkage, the way it is cheap when features outnumber samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]


def fit_discriminant(x: _Floats, y: NDArray[np.int64], n_classes: int) -> tuple[_Floats, _Floats]:
    """Weights of the shrinkage linear discriminant.

    ``w_k = C^-1 m_k`` and ``b_k = -m_k . w_k / 2 + log p_k`` with class means m_k, class shares p_k, and C the mean over
    classes, weighted by p_k, of the Ledoit-Wolf covariance of each class. As in scikit-learn's
    ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")`` each class is standardised before it is shrunk and
    scaled back after, so that units of measurement do not matter; the numbers are equal to that solver's. Instead of a
    least-squares solution of the (n_features, n_features) system we use that such a C is a diagonal plus a matrix of the
    rank of the samples, and solve a system of the smaller of the two sizes.

    Parameters
    ----------
    x : array of shape (..., n_samples, n_features)
        Training features; leading axes (e.g. times) are fitted one by one, all at once.
    y : array of shape (n_samples,)
        Class of each sample, 0 to n_classes - 1; each occurs.
    n_classes : int
        Number of classes.

    Returns
    -------
    coef : array of shape (..., n_classes, n_features)
        Weights of the classes; for two classes (..., 1, n_features), second minus first.
    intercept : array of shape (..., n_classes) or (..., 1)
        Offsets.

    References
    ----------
    Ledoit and Wolf (2004), J. Multivariate Analysis 88, 365; Blankertz et al. (2011), NeuroImage 56, 814.
    """
    share = np.bincount(y, minlength=n_classes) / len(y)
    means = np.stack([x[..., y == k, :].mean(axis=-2) for k in range(n_classes)], axis=-2)
    factor, diagonal = _covariance(x - means[..., y, :], y, share)
    coef = _solve(factor, diagonal, means)
    intercept = -0.5 * np.sum(means * coef, axis=-1) + np.log(share)
    if n_classes == 2:
        return coef[..., 1:, :] - coef[..., :1, :], intercept[..., 1:] - intercept[..., :1]
    return coef, intercept


def ledoit_wolf_intensity(x: _Floats) -> _Floats:
    """How far a covariance is to be shrunk to a multiple of the identity.

    Parameters
    ----------
    x : array of shape (..., n_samples, n_features)
        Centred features.

    Returns
    -------
    array of shape (...)
        Between 0 (no shrinkage) and 1; 0 for a single feature.

    References
    ----------
    Ledoit and Wolf (2004), J. Multivariate Analysis 88, 365.
    """
    n, p = x.shape[-2:]
    if p == 1:
        return np.zeros(x.shape[:-2])
    squares = x**2
    gram = x @ x.swapaxes(-1, -2) if n < p else x.swapaxes(-1, -2) @ x  # both have the same norm
    norm = np.sum(gram**2, axis=(-2, -1)) / n**2
    trace = np.sum(squares, axis=(-2, -1)) / n
    spread = np.sum(np.sum(squares, axis=-1) ** 2, axis=-1) / n
    noise = (spread - norm) / n
    distance = norm - trace**2 / p
    noise = np.minimum(noise, distance)
    return np.where(noise == 0, 0.0, noise / np.where(noise == 0, 1.0, distance))


def _covariance(deviations: _Floats, y: NDArray[np.int64], share: _Floats) -> tuple[_Floats, _Floats]:
    """Factor F (..., n_samples, n_features) and diagonal d (..., n_features) with C = F' F + diag(d)."""
    factor = np.empty_like(deviations)
    diagonal = np.zeros((*deviations.shape[:-2], deviations.shape[-1]))
    for k, p_k in enumerate(share):
        rows = y == k
        part = deviations[..., rows, :]
        variance = np.mean(part**2, axis=-2)
        scale2 = np.where(variance > 1e-20 * np.max(variance, axis=-1, keepdims=True), variance, 1.0)
        intensity = ledoit_wolf_intensity(part / np.sqrt(scale2)[..., None, :])[..., None]
        level = np.mean(variance / scale2, axis=-1, keepdims=True)
        diagonal += p_k * intensity * level * scale2
        factor[..., rows, :] = np.sqrt(p_k * (1 - intensity[..., None]) / len(y[rows])) * part
    return factor, diagonal


def _solve(factor: _Floats, diagonal: _Floats, means: _Floats) -> _Floats:
    """Rows w with w C = means."""
    n, p = factor.shape[-2:]
    if n < p and np.all(diagonal > 0):
        return _solve_by_samples(factor, diagonal, means)
    matrix = factor.swapaxes(-1, -2) @ factor
    matrix[..., np.arange(p), np.arange(p)] += diagonal
    try:
        return np.asarray(np.linalg.solve(matrix, means.swapaxes(-1, -2)).swapaxes(-1, -2))
    except np.linalg.LinAlgError:  # a feature without variance, or fewer samples than features without shrinkage
        return np.asarray(means @ np.linalg.pinv(matrix, hermitian=True))


def _solve_by_samples(factor: _Floats, diagonal: _Floats, means: _Floats) -> _Floats:
    """Woodbury: (F' F + D)^-1 = D^-1/2 (I - V' (I + V V')^-1 V) D^-1/2 with V = F D^-1/2."""
    root = np.sqrt(diagonal)[..., None, :]
    v = factor / root
    right = means / root
    inner = v @ v.swapaxes(-1, -2)
    n = inner.shape[-1]
    inner[..., np.arange(n), np.arange(n)] += 1.0
    known = np.linalg.solve(inner, v @ right.swapaxes(-1, -2))
    return (right - (v.swapaxes(-1, -2) @ known).swapaxes(-1, -2)) / root
