"""Ridge regression with a penalty per target, chosen on folds that cannot leak."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.parameters import Parameters
from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.linear.backend import few_threads, get_backend
from neurodecode.linear.delays import run_of
from neurodecode.linear.folds import resolve_folds
from neurodecode.linear.matrix import check_features, from_samples
from neurodecode.linear.missing import folds_within, missing_patterns
from neurodecode.linear.scoring import Errors
from neurodecode.linear.solve import Features, Settings, Solution, intercepts, prepare_features, solve_targets

_Array = NDArray[Any]
_AT_ONCE = 2**26  # bytes of predictions that are scored at once


@dataclass(eq=False)
class RidgeCV(Parameters):
    """Ridge regression of many targets, each with its own penalty chosen by cross-validation.

    ``coef = argmin |Y - X coef|^2 + alpha |coef|^2`` on centred data. Penalties are compared by R2 on whole runs or contiguous
    blocks that were held out, never on shuffled samples. Equations are solved by Cholesky factors, in features or in samples,
    whichever are fewer; predictions are computed for as few penalties as determine those at the others (see `search`).

    Parameters
    ----------
    alphas : array_like of shape (n_alphas,), optional
        Penalties to choose from, by default ten from 1e-4 to 1e5 times the mean eigenvalue of the centred ``X'X``, so that they
        do not depend on the units of features.
    cv : int, splitter or iterable of (train, test), optional
        Folds, as `resolve_folds` takes them.
    gap : int, optional
        Samples left out around a block of a single run, as in `resolve_folds`.
    form : str
        ``"primal"`` (features are the unknowns), ``"dual"`` (samples) or ``"auto"``, whichever are fewer in training.
    search : str
        ``"grid"`` scores each penalty to 1e-5 of R2 or better. ``"coarse"`` solves only those penalties from which the others
        follow to about 1e-4 of R2.
    fit_intercept : bool
        Whether features and targets are centred.
    backend : str
        ``"numpy"`` or ``"torch"``; the results agree to rounding.
    device : str, optional
        Device of torch, e.g. ``"cuda"``.
    target_batch : int, optional
        Targets read at once, by default as many as make 64 MB.
    keep_coef : bool
        Whether weights are fitted; without, there are penalties and scores alone, and memory does not grow with features times
        targets.

    Attributes
    ----------
    coef_ : array of shape (n_features, n_targets)
        Weights. In dual form they are computed when first asked for.
    dual_coef_ : array of shape (n_samples, n_targets)
        In dual form: weights of the samples, ``coef_ = X' dual_coef_``.
    X_fit_, X_mean_ : array of shape (n_samples, n_features) and (n_features,)
        In dual form: the features fitted on, not copied, and what they are centred by.
    intercept_ : array of shape (n_targets,)
        Offsets.
    alpha_ : array of shape (n_targets,)
        Penalty chosen: of the highest mean R2, the largest of equals.
    alphas_ : array of shape (n_alphas,)
        Penalties compared.
    cv_scores_ : array of shape (n_alphas, n_targets)
        Mean over folds of R2 on the held-out samples, about their own mean; NaN where a target never varies there.
    form_ : str
        ``"primal"`` or ``"dual"``.
    precision_ : str
        Precision of the factors: ``"float64"`` for data of double precision, and where a condition number is above 1e3.
    folds_ : list of Split
        Folds.

    Notes
    -----
    Double precision is used throughout where X and Y both come in it, else single precision. In single precision a form that is
    forced against the smaller side loses digits at penalties far below the eigenvalues. NaN in targets marks missing
    samples: targets that lack the same samples are fitted together on those they have. NaN in features is refused. A target
    of one dimension gives attributes without the axis of targets. A memory map of targets is read in batches and may be larger
    than memory; in dual form a memory map of features is read in parts, too, and is kept by reference.

    References
    ----------
    Hoerl and Kennard (1970), Technometrics 12, 55.

    Examples
    --------
    >>> model = RidgeCV().fit(X, Y, groups=run)  # doctest: +SKIP
    >>> model.alpha_, model.score(X_test, Y_test)  # doctest: +SKIP
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
    keep_coef: bool = True

    def __post_init__(self) -> None:
        check_option("form", self.form, ["auto", "primal", "dual"])
        check_option("search", self.search, ["grid", "coarse"])
        check_option("backend", self.backend, ["numpy", "torch"])
        if self.target_batch is not None and self.target_batch < 1:
            raise DataError(f"target_batch must be at least 1, or None, got {self.target_batch}")

    def fit(self, X: Any, Y: Any, groups: ArrayLike | None = None) -> RidgeCV:
        """Choose penalties and fit all samples.

        Parameters
        ----------
        X : array_like or Responses of shape (n_samples, n_features)
            Features, finite.
        Y : array_like or Responses of shape (n_samples, n_targets) or (n_samples,)
            Targets; NaN where a sample is missing.
        groups : array_like of shape (n_samples,), optional
            Run of each sample, by default the runs of `Responses`. Runs are held out whole.

        Returns
        -------
        RidgeCV
            This object.

        Raises
        ------
        DataError
            If shapes do not fit, features are not finite, a target has no value, or penalties are out of range.
        SplitLeakError
            If a sample stands on both sides of a fold of your own.
        """
        x, y = _matrix("X", X, (2,)), _matrix("Y", Y, (1, 2))
        if len(x) != len(y):
            raise DataError(f"X has {len(x)} samples and Y {len(y)}: give one row of both per sample")
        for name in ("coef_", "dual_coef_", "intercept_"):
            self.__dict__.pop(name, None)
        flat, y = y.ndim == 1, y.reshape(len(y), -1)
        self.folds_ = resolve_folds(len(x), run_of(groups, X, Y), self.cv, self.gap)
        dtype = np.float64 if x.dtype == y.dtype == np.float64 else np.float32
        settings = Settings(self.form, self.search, self.fit_intercept, self.target_batch, self.keep_coef)
        with few_threads(min(x.shape), most=400):
            return self._fit(x, y, settings, dtype)._drop_axis() if flat else self._fit(x, y, settings, dtype)

    def _fit(self, x: Any, y: Any, settings: Settings, dtype: Any) -> RidgeCV:
        """Features first, then targets, then those with missing samples."""
        features = prepare_features(x, self.folds_, self.alphas, settings, get_backend(self.backend, self.device), dtype)
        self.form_, self.alphas_ = features.design.form, features.design.alphas
        self.precision_ = "float64" if "64" in str(features.design.gram.dtype) else "float32"
        solution = solve_targets(features, y, best_r2)
        self._keep(features, solution)
        self._fit_missing(x, y, features, solution)
        return self

    def _keep(self, features: Features, solution: Solution) -> None:
        """Results of the targets without gaps."""
        self.alpha_, self.cv_scores_ = self.alphas_[solution.best], solution.errors.r2
        if solution.weights is None:
            return
        self.intercept_ = intercepts(features, solution)
        if self.form_ == "primal":
            self.coef_ = solution.weights.T
        else:
            self.dual_coef_, self.X_fit_, self.X_mean_ = solution.weights.T, features.x, features.mean

    def _fit_missing(self, x: _Array, y: Any, features: Features, solution: Solution) -> None:
        """Fit targets with gaps on the samples they have."""
        design, settings = features.design, features.settings._replace(form=self.form_)
        for rows, members in missing_patterns(y, solution.unclear):
            folds = folds_within(self.folds_, rows, len(x))
            part = prepare_features(np.asarray(x[rows]), folds, self.alphas_, settings, design.backend, design.dtype)
            found = solve_targets(part, np.asarray(y[:, members])[rows], best_r2)
            self.alpha_[members], self.cv_scores_[:, members] = self.alphas_[found.best], found.errors.r2
            if found.weights is None:
                continue
            self.intercept_[members] = intercepts(part, found)
            if self.form_ == "primal":
                self.coef_[:, members] = found.weights.T
            else:
                self.dual_coef_[:, members] = 0
                self.dual_coef_[np.ix_(rows, members)] = found.weights.T

    def _drop_axis(self) -> RidgeCV:
        """Give results of a single target no axis of targets."""
        for name in ("coef_", "dual_coef_", "intercept_", "alpha_", "cv_scores_"):
            if name in self.__dict__:
                setattr(self, name, self.__dict__[name][..., 0])
        return self

    @cached_property
    def coef_(self) -> _Array:
        """Weights from those of the samples: ``X' dual_coef_``, some features at a time."""
        self._check_fitted()
        dual = self.dual_coef_
        found = from_samples(dual.reshape(len(dual), -1).T, self.X_fit_, self.X_mean_)
        return found.T if dual.ndim == 2 else found[0]

    def predict(self, X: Any) -> _Array:
        """Predict targets.

        Parameters
        ----------
        X : array_like or Responses of shape (n_samples, n_features)
            Features, finite.

        Returns
        -------
        array of shape (n_samples, n_targets) or (n_samples,)
            Predictions.

        Raises
        ------
        DataError
            If the model is not fitted, was fitted without weights or on another number of features, or features are not finite.
        """
        self._check_fitted()
        x = _matrix("X", X, (2,))
        n_features = len(self.coef_) if "coef_" in self.__dict__ else self.X_fit_.shape[1]
        if x.shape[1] != n_features:
            raise DataError(f"X has {x.shape[1]} features, the model was fitted on {n_features}")
        check_features(x)
        weights = self.coef_
        return np.asarray(x.astype(weights.dtype, copy=False) @ weights + self.intercept_.astype(weights.dtype))

    def score(self, X: Any, Y: Any) -> Any:
        """R2 of each target on these samples, about their mean.

        Parameters
        ----------
        X : array_like or Responses of shape (n_samples, n_features)
            Features.
        Y : array_like or Responses of shape (n_samples, n_targets) or (n_samples,)
            Targets; samples where a target is NaN do not count for it.

        Returns
        -------
        float or array of shape (n_targets,)
            Best 1; 0 for predicting the mean of these samples; NaN where a target does not vary.

        Raises
        ------
        DataError
            As in `predict`, or if Y has another shape than the predictions.
        """
        predicted, y = self.predict(X), _matrix("Y", Y, (1, 2))
        if y.shape != predicted.shape:
            raise DataError(f"Y has shape {y.shape}, the predictions have {predicted.shape}")
        flat, wide = y.reshape(len(y), -1), predicted.reshape(len(y), -1)
        step = max(1, _AT_ONCE // (8 * len(y)))
        found = [_r2(flat[:, a : a + step], wide[:, a : a + step]) for a in range(0, flat.shape[1], step)]
        scores: Any = np.concatenate(found).reshape(y.shape[1:])[()]
        return scores

    def save(self, folder: str | Path) -> Path:
        """Write the fitted model as ``config.json`` and ``weights.npz``.

        Parameters
        ----------
        folder : str or Path
            Appears whole or not at all; an older model of that name is replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            If the model is not fitted.
        """
        from neurodecode.linear.storage import save_ridge

        self._check_fitted()
        return save_ridge(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> RidgeCV:
        """Read a model written by `save`; nothing in the files is executed.

        Parameters
        ----------
        folder : str or Path
            Its folder.

        Returns
        -------
        RidgeCV
            Fitted, its weights those of the features whatever the form was.

        Raises
        ------
        CorruptFileError
            If a file is missing, cut short or altered.
        FormatError
            If the folder holds something else, or a newer version.
        """
        from neurodecode.linear.storage import load_ridge

        return load_ridge(Path(folder))

    def _check_fitted(self) -> None:
        if not hasattr(self, "alpha_"):
            raise DataError(f"this {type(self).__name__} is not fitted yet: call fit first, or load one")
        if not hasattr(self, "intercept_"):
            raise DataError(
                f"this {type(self).__name__} has keep_coef={self.keep_coef}: it knows penalties and scores, no weights"
            )


def best_r2(errors: Errors, alphas: NDArray[np.float64]) -> NDArray[np.int64]:
    """The penalty of the highest mean R2; the largest of equals, and of all where a target does not vary.

    Parameters
    ----------
    errors : Errors
        What cross-validation found.
    alphas : array of shape (n_alphas,)
        Penalties.

    Returns
    -------
    array of shape (n_targets,)
        Numbers of penalties.
    """
    falling = np.argsort(-alphas, kind="stable")
    return np.asarray(falling[np.argmax(np.nan_to_num(errors.r2[falling], nan=-np.inf), axis=0)])


def _matrix(name: str, data: Any, ndims: tuple[int, ...]) -> _Array:
    """Real numbers as an array, a memory map where they were one."""
    held: _Array = data.data if isinstance(data, Responses) else np.asanyarray(data)
    if held.ndim not in ndims or 0 in held.shape or held.dtype.kind not in "fiub":
        shapes = " or ".join(
            {1: "(n_samples,)", 2: f"(n_samples, n_{'features' if name == 'X' else 'targets'})"}[k] for k in ndims
        )
        raise DataError(f"{name} must be real numbers of shape {shapes}, got {held.dtype} of shape {held.shape}")
    return held


def _r2(true: _Array, predicted: _Array) -> NDArray[np.float64]:
    """Share of the variance explained on the samples that are there; NaN where a target does not vary."""
    y = true.astype(np.float64)
    seen = ~np.isnan(y)
    n = np.maximum(seen.sum(axis=0), 1)
    left = np.where(seen, y - predicted, 0.0)
    centred = np.where(seen, y - np.where(seen, y, 0.0).sum(axis=0) / n, 0.0)
    total = np.sum(centred**2, axis=0)
    varies = total > 1e-24 * np.sum(np.where(seen, y, 0.0) ** 2, axis=0)
    return np.where(varies, 1 - np.sum(left**2, axis=0) / np.where(varies, total, 1.0), np.nan)
