"""Ridge regression with a penalty per target, chosen on folds that cannot leak."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError
from neurodecode.linear.folds import resolve_folds


@dataclass(eq=False)
class RidgeCV:
    """Ridge regression of many targets, each with its own penalty chosen by cross-validation.

    ``coef = argmin |Y - X coef|^2 + alpha |coef|^2`` on centred data.

    Parameters
    ----------
    alphas : array_like of shape (n_alphas,), optional
        Penalties to choose from, by default ten from 1e-4 to 1e5 times the mean eigenvalue of ``X'X``.
    cv : int, splitter or iterable of (train, test), optional
        Folds as `resolve_folds` takes them.
    gap : int, optional
        Samples left out around a block of a single run, as in `resolve_folds`.
    form : str
        ``"primal"`` (features), ``"dual"`` (samples) or ``"auto"``, whichever is smaller.
    search : str
        ``"grid"`` or ``"coarse"``.
    fit_intercept : bool
        Whether to centre features and targets.
    backend : str
        ``"numpy"`` or ``"torch"``.
    device : str, optional
        Device of torch.
    target_batch : int, optional
        Targets at a time.
    """

    alphas: ArrayLike | None = None
    cv: Any = None
    _: KW_ONLY
    gap: int | None = None
    form: str = "auto"
    search: str = "grid"
    fit_intercept: bool = True
    backend: str = "numpy"
    device: str | None = None
    target_batch: int | None = None

    def fit(self, X: Any, Y: Any, groups: ArrayLike | None = None) -> RidgeCV:
        """Fit.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Features.
        Y : array_like of shape (n_samples, n_targets) or (n_samples,)
            Targets.
        groups : array_like of shape (n_samples,), optional
            Run of each sample.

        Returns
        -------
        RidgeCV
            This object.
        """
        x, y = np.asarray(getattr(X, "data", X)), np.asarray(getattr(Y, "data", Y))
        self._flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        if len(x) != len(y):
            raise DataError(f"X has {len(x)} samples and Y {len(y)}: give one row of both per sample")
        dtype = np.float64 if x.dtype == y.dtype == np.float64 else np.float32
        x, y = x.astype(dtype), y.astype(dtype)
        self.folds_ = resolve_folds(len(x), groups, self.cv, self.gap)
        n_train = min(len(split.train) for split in self.folds_)
        self.form_ = self.form if self.form != "auto" else ("primal" if x.shape[1] <= n_train else "dual")
        centred = x - x.mean(axis=0, dtype=float) if self.fit_intercept else x
        scale = float(np.sum(np.square(centred, dtype=float))) / min(x.shape)
        self.alphas_ = scale * np.logspace(-4, 5, 10) if self.alphas is None else np.asarray(self.alphas, float)
        scores = [
            [_r2(y[s.test], self._predict(x[s.test], *self._solve(x[s.train], y[s.train], a))) for s in self.folds_]
            for a in self.alphas_
        ]
        table = np.nan_to_num(np.mean(scores, axis=1))
        best = table.argmax(axis=0)
        coef, intercept = np.empty((x.shape[1], y.shape[1]), dtype), np.empty(y.shape[1])
        for k in np.unique(best):
            coef[:, best == k], intercept[best == k] = self._solve(x, y[:, best == k], self.alphas_[k])
        self.coef_, self.intercept_, self.alpha_, self.cv_scores_ = coef, intercept, self.alphas_[best], table
        if self._flat:
            self.coef_, self.intercept_, self.alpha_ = coef[:, 0], intercept[0], self.alpha_[0]
            self.cv_scores_ = table[:, 0]
        return self

    def _solve(self, x: NDArray[Any], y: NDArray[Any], alpha: float) -> tuple[NDArray[Any], NDArray[Any]]:
        mx, my = (x.mean(axis=0), y.mean(axis=0)) if self.fit_intercept else (np.zeros(x.shape[1]), np.zeros(y.shape[1]))
        xc, yc = (x - mx).astype(float), (y - my).astype(float)
        if self.form_ == "primal":
            coef = np.linalg.solve(xc.T @ xc + alpha * np.eye(x.shape[1]), xc.T @ yc)
        else:
            coef = xc.T @ np.linalg.solve(xc @ xc.T + alpha * np.eye(len(x)), yc)
        return coef.astype(x.dtype), my - mx @ coef

    @staticmethod
    def _predict(x: NDArray[Any], coef: NDArray[Any], intercept: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(x @ coef + intercept)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        array of shape (n_samples, n_targets)
            Predictions.
        """
        return self._predict(np.asarray(getattr(X, "data", X)), self.coef_, self.intercept_)

    def score(self, X: Any, Y: Any) -> Any:
        """R2 per target.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Features.
        Y : array_like of shape (n_samples, n_targets)
            Targets.

        Returns
        -------
        array of shape (n_targets,)
            R2.
        """
        return _r2(np.asarray(getattr(Y, "data", Y)), self.predict(X))


def _r2(true: NDArray[Any], predicted: NDArray[Any]) -> NDArray[np.float64]:
    """Share of the variance explained; NaN where `true` does not vary."""
    total = np.sum((true - true.mean(axis=0)) ** 2, axis=0, dtype=float)
    left = np.sum((true - predicted) ** 2, axis=0, dtype=float)
    return np.where(total > 0, 1 - left / np.where(total > 0, total, 1.0), np.nan)
