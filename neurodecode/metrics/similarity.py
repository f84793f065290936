"""Similarity of two representations whatever their units: CKA, Procrustes, canonical correlation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.metrics._pairs import Folds, centred, comparison_folds, paired, weighted_mean

Floats = NDArray[np.float64]
_RANK = 1e-10  # singular values below this share of the largest are rounding


class Procrustes(NamedTuple):
    """How well one representation is turned into another; `float` of it is the similarity."""

    similarity: float
    """Chance 0 on held-out samples, best 1."""
    angle: float
    """Arc cosine of the similarity, in radian: 0 at best, pi / 2 at chance."""
    distance: float
    """sqrt(2 - 2 similarity): 0 at best, sqrt(2) at chance."""
    fold_similarities: NDArray[np.float64]
    """Similarity of each fold, shape (n_folds,)."""

    def __float__(self) -> float:
        return self.similarity


class CanonicalCorrelation(NamedTuple):
    """Correlations of pairs of directions; `float` of it is the similarity."""

    similarity: float
    """Mean correlation, weighted as asked for. Chance 0 on held-out samples, best 1."""
    correlations: NDArray[np.float64]
    """Correlation of each pair of directions on held-out samples, mean over folds, shape (n_components,)."""
    train_correlations: NDArray[np.float64]
    """The same on the samples that the directions were fitted on: what overfitting adds is the difference."""
    fold_similarities: NDArray[np.float64]
    """Similarity of each fold, shape (n_folds,)."""

    def __float__(self) -> float:
        return self.similarity


class _HSIC(NamedTuple):
    """Independence criterion of X and Y, of X with itself, and of Y with itself."""

    xy: float
    xx: float
    yy: float


def cka(
    X: Responses | ArrayLike,
    Y: Responses | ArrayLike,
    debiased: bool = True,
    batch_size: int | None = None,
    random_state: int | np.random.Generator = 0,
) -> float:
    r"""Centred kernel alignment of two representations of the same samples, with linear kernels.

    :math:`CKA = HSIC(K, L) / \sqrt{HSIC(K, K)\, HSIC(L, L)}` (Kornblith et al. 2019) with the unbiased

    .. math:: HSIC_1 = \frac{1}{n (n - 3)} \left[ tr(\tilde K \tilde L) + \frac{1^\top \tilde K 1\; 1^\top \tilde L 1}
       {(n - 1)(n - 2)} - \frac{2}{n - 2} 1^\top \tilde K \tilde L 1 \right]

    where the tilde sets the diagonal to 0 (Song et al. 2012). Chance 0, best 1. The biased form is near 1 for any two
    representations that have more units than samples (.95 for independent noise of 100 samples and 2000 units).
    Invariant to rotation, to offsets and to one scale for all units.

    Parameters
    ----------
    X : Responses or array_like of shape (n_samples, n_units_x)
        One representation. NaN is refused.
    Y : Responses or array_like of shape (n_samples, n_units_y)
        The other one, of the same samples in the same order.
    debiased : bool
        Whether to use the unbiased criterion.
    batch_size : int, optional
        Average the three criteria over random batches of about so many samples, before the ratio is taken (Nguyen et al.
        2021): unbiased again, and memory for one batch only, so that X and Y can be memory maps.
    random_state : int or Generator
        Seed of the batches.

    Returns
    -------
    float
        Debiased: around 0 without relation, so it can be negative. NaN where a representation does not vary, or no more than
        noise would.

    Raises
    ------
    DataError
        If shapes do not fit, a value is not finite, there are fewer than 4 samples, or batches are asked of the biased form.
    """
    x, y = paired(X, Y, 4)
    if batch_size is not None and not (debiased and batch_size >= 4):
        raise DataError(
            f"batches need debiased=True and at least 4 samples each, got debiased={debiased}, batch_size={batch_size}"
        )
    parts = [_hsic(centred(x[rows]), centred(y[rows]), debiased) for rows in _batches(len(x), batch_size, random_state)]
    xy, xx, yy = np.mean(parts, axis=0)
    return float(xy / np.sqrt(xx * yy)) if min(xx, yy) > 0 else float("nan")


def _batches(n: int, size: int | None, random_state: int | np.random.Generator) -> Iterator[Any]:
    """Rows of each batch, sorted as disks like it; sizes differ by one at most."""
    if size is None:
        yield slice(None)
        return
    order = np.random.default_rng(random_state).permutation(n)
    for rows in np.array_split(order, max(1, n // size)):
        yield np.sort(rows)


def _hsic(x: Floats, y: Floats, debiased: bool) -> _HSIC:
    """All three criteria, through n x n or through p x p, whichever is less work."""
    n, p, q = len(x), x.shape[1], y.shape[1]
    norms = np.einsum("ij,ij->i", x, x), np.einsum("ij,ij->i", y, y)
    if n * (p + q) < p * q + p * p + q * q:
        grams = x @ x.T, y @ y.T
        traces = _HSIC(*(float(np.vdot(grams[a], grams[b])) for a, b in ((0, 1), (0, 0), (1, 1))))
        sums = [gram.sum(axis=1) for gram in grams]
    else:
        traces = _HSIC(*(float(np.sum((a.T @ b) ** 2)) for a, b in ((x, y), (x, x), (y, y))))
        sums = [side @ side.sum(axis=0) for side in (x, y)]
    if not debiased:
        return traces
    pairs = ((0, 1), (0, 0), (1, 1))
    off = [row - norm for row, norm in zip(sums, norms, strict=True)]  # row sums without the diagonal
    return _HSIC(*(_hsic1(n, t - float(norms[a] @ norms[b]), off[a], off[b]) for t, (a, b) in zip(traces, pairs, strict=True)))


def _hsic1(n: int, trace: float, k: Floats, m: Floats) -> float:
    """The unbiased criterion from the trace of the product and the row sums of two kernels without diagonal."""
    return float(trace + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k @ m)) / (n * (n - 3))


def procrustes(
    X: Responses | ArrayLike,
    Y: Responses | ArrayLike,
    *,
    folds: Folds = 5,
    groups: ArrayLike | None = None,
    gap: int | None = None,
) -> Procrustes:
    r"""Similarity of two representations after the best rotation and reflection.

    On centred X and Y of Frobenius norm 1, :math:`\max_R \langle X R, Y \rangle = \|X^\top Y\|_*`, the nuclear norm, with
    :math:`R = U V^\top` from the singular vectors of :math:`X^\top Y` (Schonemann 1966; Williams et al. 2021). That number
    grows with the number of units without any relation, so by default R is fitted on training samples and
    :math:`\langle X R, Y \rangle / (\|X\| \|Y\|)` taken on held-out ones. Chance 0, best 1. Of different widths the narrower
    side is padded with units of zeros, which the rectangular R amounts to.

    Parameters
    ----------
    X : Responses or array_like of shape (n_samples, n_units_x)
        One representation. NaN is refused.
    Y : Responses or array_like of shape (n_samples, n_units_y)
        The other one, of the same samples in the same order.
    folds : int, sequence of (train, test), or None
        Number of contiguous blocks that are held out in turn, or rows of your own. None fits and scores all samples: the
        published measure, whose chance is above 0.
    groups : array_like of shape (n_samples,), optional
        Run, story or category of each sample: each is held out as a whole, instead of blocks.
    gap : int, optional
        Samples left out of the fit on both sides of a block, by default 20 or half a block. 0 if samples have no order.

    Returns
    -------
    Procrustes
        Similarity (also ``float(result)``), angle, distance, and the similarity of each fold. NaN where a side is constant.

    Raises
    ------
    DataError
        If shapes do not fit, a value is not finite, or folds are too small.
    SplitLeakError
        If a row stands on both sides of a fold of your own.
    """
    x, y = paired(X, Y, 3)
    rows = comparison_folds(len(x), folds, groups, gap)
    found = [_turned(x[train], y[train], x[test], y[test]) for train, test in rows]
    value = weighted_mean(found, rows)
    within = float(np.clip(value, -1, 1)) if np.isfinite(value) else value
    return Procrustes(value, float(np.arccos(within)), float(np.sqrt(2 - 2 * within)), np.array(found))


def _turned(x: NDArray[Any], y: NDArray[Any], x_test: NDArray[Any], y_test: NDArray[Any]) -> float:
    """Similarity of test samples after the rotation that fits the training samples best."""
    left, values, right = _cross_singular(centred(x), centred(y))
    keep = values > _RANK * values.max(initial=0.0)
    a, b = centred(x_test), centred(y_test)
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.vdot(a @ left[:, keep], b @ right[:, keep])) / norm if norm > 0 else float("nan")


def _cross_singular(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Singular vectors and values of X'Y, through the samples where they are fewer than the units."""
    if len(x) >= min(x.shape[1], y.shape[1]):
        u, s, vt = np.linalg.svd(x.T @ y, full_matrices=False)
        return u, s, vt.T
    (qx, rx), (qy, ry) = (np.linalg.qr(side.T) for side in (x, y))
    u, s, vt = np.linalg.svd(rx @ ry.T)
    return qx @ u, s, qy @ vt.T


def cca(
    X: Responses | ArrayLike,
    Y: Responses | ArrayLike,
    *,
    n_components: int | None = None,
    penalty: float = 0.1,
    variance: float = 1.0,
    mean: Literal["plain", "projection"] = "plain",
    folds: Folds = 5,
    groups: ArrayLike | None = None,
    gap: int | None = None,
) -> CanonicalCorrelation:
    r"""Canonical correlations of two representations, regularised and on held-out samples.

    Directions a, b that maximise :math:`a^\top S_{xy} b` under :math:`a^\top (S_{xx} + \lambda_x I) a = 1` and the same for
    b; :math:`\lambda` is `penalty` times the mean variance of a direction that is not empty (Vinod 1976). Each pair is
    correlated on held-out samples: without that, and without a penalty, all correlations are 1 as soon as units outnumber
    samples. Chance 0, best 1.

    Parameters
    ----------
    X : Responses or array_like of shape (n_samples, n_units_x)
        One representation. NaN is refused.
    Y : Responses or array_like of shape (n_samples, n_units_y)
        The other one, of the same samples in the same order.
    n_components : int, optional
        Pairs of directions, by default all, or 10 where there are more.
    penalty : float
        Ridge penalty as a share of the mean variance; 0 for plain canonical correlation.
    variance : float
        Share of the variance of each side that is kept, by principal components of the training samples, before the fit:
        .99 gives SVCCA (Raghu et al. 2017).
    mean : {"plain", "projection"}
        How correlations are averaged: alike, or weighted by how much of X each direction carries, as in PWCCA (Morcos et
        al. 2018).
    folds : int, sequence of (train, test), or None
        As in `procrustes`.
    groups : array_like of shape (n_samples,), optional
        As in `procrustes`.
    gap : int, optional
        As in `procrustes`.

    Returns
    -------
    CanonicalCorrelation
        Similarity (also ``float(result)``), the correlation of each pair, held out and in training, and each fold.

    Raises
    ------
    DataError
        If shapes do not fit, a value is not finite, folds are too small, or an argument is out of its range.
    SplitLeakError
        If a row stands on both sides of a fold of your own.
    """
    x, y = paired(X, Y, 3)
    check_option("mean", mean, ("plain", "projection"))
    if not penalty >= 0 or not 0 < variance <= 1 or (n_components is not None and n_components < 1):
        raise DataError(
            f"needed are penalty >= 0, 0 < variance <= 1, n_components >= 1: got {penalty}, {variance}, {n_components}"
        )
    rows = comparison_folds(len(x), folds, groups, gap)
    fits = [_Directions.fit(x[train], y[train], penalty, variance, n_components or 10) for train, _ in rows]
    n = min(fit.a.shape[1] for fit in fits)
    held = np.array([fit.correlations(x[test], y[test])[:n] for fit, (_, test) in zip(fits, rows, strict=True)])
    trained = np.array([fit.correlations(x[train], y[train])[:n] for fit, (train, _) in zip(fits, rows, strict=True)])
    weights = [fit.weights[:n] if mean == "projection" else np.ones(n) for fit in fits]
    scores = [float(np.average(r, weights=w)) for r, w in zip(held, weights, strict=True)]
    heavy = [len(test) for _, test in rows]
    return CanonicalCorrelation(
        weighted_mean(scores, rows), np.average(held, axis=0, weights=heavy), trained.mean(axis=0), np.array(scores)
    )


class _Directions(NamedTuple):
    """Pairs of directions and how much of X each carries."""

    a: Floats
    b: Floats
    weights: Floats

    @classmethod
    def fit(cls, x: NDArray[Any], y: NDArray[Any], penalty: float, variance: float, n: int) -> _Directions:
        """Fit on training samples."""
        (x_white, x_map), (y_white, y_map) = (_whitened(centred(side), penalty, variance) for side in (x, y))
        u, _, vt = np.linalg.svd(x_white.T @ y_white, full_matrices=False)
        a, b = x_map @ u[:, :n], y_map @ vt[:n].T
        variates = centred(x) @ a
        weights = np.abs((variates / np.linalg.norm(variates, axis=0)).T @ centred(x)).sum(axis=1)
        return cls(a, b, weights)

    def correlations(self, x: NDArray[Any], y: NDArray[Any]) -> Floats:
        """Correlation of each pair; 0 where one does not vary."""
        p, q = centred(x) @ self.a, centred(y) @ self.b
        norm = np.linalg.norm(p, axis=0) * np.linalg.norm(q, axis=0)
        return np.asarray(np.sum(p * q, axis=0) / np.where(norm > 0, norm, np.inf))


def _whitened(x: Floats, penalty: float, variance: float) -> tuple[Floats, Floats]:
    """Directions of about unit variance, and the map from units to them."""
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    if not s[0] > 0:
        raise DataError(f"a representation of shape {x.shape} is constant in the samples it is fitted on: there is no direction")
    share = np.cumsum(s**2) / np.sum(s**2)
    keep = (s > _RANK * s[0]) & (np.arange(len(s)) <= np.searchsorted(share, variance - 1e-12))
    s, shrunk = s[keep], np.sqrt(s[keep] ** 2 + penalty * np.mean(s[keep] ** 2))
    return u[:, keep] * (s / shrunk), vt[keep].T / shrunk
