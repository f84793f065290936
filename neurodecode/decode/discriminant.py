"""Linear discriminant analysis with automatic shrinkage, the way it is cheap when features outnumber samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]


def fit_discriminant(
    x: _Floats, y: NDArray[np.int64], n_classes: int, products: _Floats | None = None
) -> tuple[_Floats, _Floats]:
    """Weights of the shrinkage linear discriminant.

    ``w_k = C^-1 m_k`` and ``b_k = -m_k . w_k / 2 + log p_k`` with class means m_k, class shares p_k, and C the mean over
    classes, weighted by p_k, of the Ledoit-Wolf covariance of each class. As in scikit-learn's
    ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")`` each class is standardised before it is shrunk and
    scaled back after, so that units of measurement do not matter; the numbers are equal to that solver's. Instead of a
    least-squares solution of the (n_features, n_features) system we use, where samples are fewer, that such a C is a
    diagonal plus a matrix of their rank.

    Parameters
    ----------
    x : array of shape (..., n_samples, n_features)
        Training features; leading axes (e.g. times) are fitted one by one, all at once.
    y : array of shape (n_samples,)
        Class of each sample, 0 to n_classes - 1; each occurs.
    n_classes : int
        Number of classes.
    products : array of shape (..., n_features, n_features), optional
        ``x' x`` where it is known from a fit of other labels; spares the products of the largest class. `x` should be
        centred then, lest digits are lost.

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
    counts = np.bincount(y, minlength=n_classes)
    means = np.stack([x[..., y == k, :].mean(axis=-2) for k in range(n_classes)], axis=-2)
    parts = [x[..., y == k, :] - means[..., k, None, :] for k in range(n_classes)]
    solve = _solve_by_samples if x.shape[-2] < x.shape[-1] else _solve_by_features
    coef = solve(parts, means, counts, products)
    intercept = -0.5 * np.sum(means * coef, axis=-1) + np.log(counts / len(y))
    if n_classes == 2:
        return coef[..., 1:, :] - coef[..., :1, :], intercept[..., 1:] - intercept[..., :1]
    return coef, intercept


def ledoit_wolf_intensity(x: _Floats, norm: _Floats | None = None) -> _Floats:
    """How far a covariance is to be shrunk to a multiple of the identity.

    Parameters
    ----------
    x : array of shape (..., n_samples, n_features)
        Centred features.
    norm : array of shape (...), optional
        Sum of squares of the entries of the covariance, where it is known already.

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
    if norm is None:
        gram = x @ x.swapaxes(-1, -2) if n < p else x.swapaxes(-1, -2) @ x  # both have the same norm
        norm = np.sum(gram**2, axis=(-2, -1)) / n**2
    energy = np.sum(x**2, axis=-1)
    trace = np.sum(energy, axis=-1) / n
    noise = (np.sum(energy**2, axis=-1) / n - norm) / n
    distance = norm - trace**2 / p
    noise = np.minimum(noise, distance)
    return np.where(noise == 0, 0.0, noise / np.where(noise == 0, 1.0, distance))


def _class_scale(part: _Floats) -> tuple[_Floats, _Floats]:
    """Variance of each feature within a class, and what to divide by: 1 where it does not vary."""
    variance = np.mean(part**2, axis=-2)
    return variance, np.where(variance > 1e-20 * np.max(variance, axis=-1, keepdims=True), variance, 1.0)


def _solve_by_samples(parts: list[_Floats], means: _Floats, counts: NDArray[np.int64], _: _Floats | None) -> _Floats:
    """Rows w with w C = means for C = F' F + diag(d), by a system of the size of the samples.

    Woodbury: ``C^-1 = D^-1/2 (I - V' (I + V V')^-1 V) D^-1/2`` with ``V = F D^-1/2``.
    """
    factors, diagonal = [], np.zeros_like(means[..., 0, :])
    for part, share in zip(parts, counts / counts.sum(), strict=True):
        variance, scale2 = _class_scale(part)
        intensity = ledoit_wolf_intensity(part / np.sqrt(scale2)[..., None, :])[..., None]
        diagonal += share * intensity * np.mean(variance / scale2, axis=-1, keepdims=True) * scale2
        factors.append(np.sqrt(share * (1 - intensity[..., None]) / part.shape[-2]) * part)
    factor = np.concatenate(factors, axis=-2)
    if not np.all(diagonal > 0):
        return _solve_symmetric(factor.swapaxes(-1, -2) @ factor + diagonal[..., None] * np.eye(diagonal.shape[-1]), means)
    root = np.sqrt(diagonal)[..., None, :]
    v, right = factor / root, means / root
    inner = _with_diagonal(v @ v.swapaxes(-1, -2), np.ones(v.shape[-2]))
    known = _solve_symmetric(inner, right @ v.swapaxes(-1, -2))
    return np.asarray((right - known @ v) / root)


def _solve_by_features(parts: list[_Floats], means: _Floats, counts: NDArray[np.int64], products: _Floats | None) -> _Floats:
    """Rows w with w C = means, by a system of the size of the features."""
    matrix = np.zeros((*means.shape[:-2], means.shape[-1], means.shape[-1]))
    for part, covariance, share in zip(parts, _covariances(parts, means, counts, products), counts / counts.sum(), strict=True):
        variance, scale2 = _class_scale(part)
        weight = 1 / scale2
        norm = np.sum(weight * (covariance**2 @ weight[..., None])[..., 0], axis=-1)
        intensity = ledoit_wolf_intensity(part / np.sqrt(scale2)[..., None, :], norm)[..., None]
        matrix += share * (1 - intensity[..., None]) * covariance
        _with_diagonal(matrix, share * intensity * np.mean(variance / scale2, axis=-1, keepdims=True) * scale2)
    return _solve_symmetric(matrix, means)


def _covariances(parts: list[_Floats], means: _Floats, counts: NDArray[np.int64], products: _Floats | None) -> list[_Floats]:
    """Covariance of each class; that of the largest is what the others and the means leave of `products`."""
    derived = int(np.argmax(counts)) if products is not None else -1
    found = [p.swapaxes(-1, -2) @ p / p.shape[-2] if k != derived else np.zeros(0) for k, p in enumerate(parts)]
    if products is not None:
        weighted = means * counts[:, None]
        left = products - weighted.swapaxes(-1, -2) @ means
        for k, covariance in enumerate(found):
            left -= counts[k] * covariance if k != derived else 0.0
        found[derived] = left / counts[derived]
    return found


def _with_diagonal(matrix: _Floats, values: _Floats) -> _Floats:
    """Add to the diagonal, in place."""
    p = matrix.shape[-1]
    matrix[..., np.arange(p), np.arange(p)] += values
    return matrix


def _solve_symmetric(matrix: _Floats, right: _Floats) -> _Floats:
    """Rows w with w matrix = right; the pseudo-inverse where the matrix is singular."""
    from scipy.linalg import cho_factor, cho_solve

    try:
        if matrix.ndim == 2:
            return np.asarray(cho_solve(cho_factor(matrix, lower=True, check_finite=False), right.T, check_finite=False).T)
        return np.asarray(np.linalg.solve(matrix, right.swapaxes(-1, -2)).swapaxes(-1, -2))
    except np.linalg.LinAlgError:  # a feature that varies in no class, or fewer samples than features and no shrinkage
        return np.asarray(right @ np.linalg.pinv(matrix, hermitian=True))
