"""Banded ridge regression: feature spaces that each target weighs for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.parameters import Parameters
from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.linear.alphas import resolve_alphas
from neurodecode.linear.backend import get_backend
from neurodecode.linear.banded_fit import fit_bands
from neurodecode.linear.banded_forms import Form, make_form
from neurodecode.linear.banded_search import Options, check_candidates, draw_candidates
from neurodecode.linear.bands import Band, make_bands
from neurodecode.linear.delays import run_of
from neurodecode.linear.folds import resolve_folds
from neurodecode.linear.missing import folds_within, missing_patterns
from neurodecode.linear.product_measure import product_measure

_Array = NDArray[Any]
_BATCH = 1024  # targets at a time after the search


@dataclass(eq=False)
class BandedRidgeCV(Parameters):
    """Ridge regression with a penalty per feature space (band) and target, chosen by random search and cross-validation.

    ``coef = argmin |Y - sum_i X_i coef_i|^2 + alpha sum_i |coef_i|^2 / gamma_i`` on centred data, which is kernel ridge with
    ``K(gamma) = sum_i gamma_i K_i``. The weights ``gamma`` lie on the simplex: all bands alike (ridge), each band alone, and
    draws from Dirichlet distributions are tried, and each target keeps the best, so that no target does worse than under ridge
    in cross-validation. Delays of a band share its penalty. [1]_

    Parameters
    ----------
    bands : sequence of int, optional
        Numbers of columns of the bands, where `fit` gets one array; by default it gets a list of feature spaces.
    n_iter : int
        Random draws of weights, beside all bands alike and each alone.
    concentrations : sequence of float
        Concentrations of the Dirichlet distributions, taken in turn.
    alphas : array_like of shape (n_alphas,), optional
        Penalties to choose from, by default ten from 1e-4 to 1e5 times the mean eigenvalue of the kernel of all bands alike.
    cv : int, splitter or iterable of (train, test), optional
        Folds as `resolve_folds` takes them.
    gap : int, optional
        Samples left out around a block of a single run, as in `resolve_folds`.
    gammas : array_like of shape (n_candidates, n_bands), optional
        Weights of your own to try, instead of drawing them.
    delays : Delayer or sequence of (Delayer or None), optional
        Delays of all bands, or of each. Delayed copies are not laid out in memory; rows whose delays reach out of their run are
        dropped from the loss.
    form : str
        ``"primal"`` (features), ``"dual"`` (samples) or ``"auto"``, whichever is smaller.
    search : str
        ``"grid"`` tries every penalty with each draw, ``"coarse"`` only those beside the best of the target so far.
    patience : int, optional
        Leave a target alone once its best weights have stood for so many candidates, which costs some thousandths of R2; by
        default never.
    keep_surface : bool
        Keep the score of every candidate and penalty as `surface_`.
    store : str
        ``"coef"``, or ``"dual"`` to keep weights of samples and the features instead, which is smaller where there are many
        features.
    backend : str
        ``"numpy"`` or ``"torch"``.
    device : str, optional
        Device of torch, e.g. ``"cuda"``.
    target_batch : int, optional
        Targets at a time, by default what fits the cache.
    random_state : int or Generator
        Seed of the draws.

    Attributes
    ----------
    coef_ : array of shape (n_columns, n_targets)
        Weights, band after band, in a band delay after delay; absent with ``store="dual"``.
    intercept_ : array of shape (n_targets,)
        Offsets.
    gamma_ : array of shape (n_bands, n_targets)
        Weights of the bands chosen.
    alpha_ : array of shape (n_targets,)
        Penalty chosen.
    cv_scores_ : array of shape (n_targets,)
        R2 of what was chosen, mean over folds; it was selected on, so it is no estimate of the score on new data.
    candidates_ : array of shape (n_candidates, n_bands)
        Weights tried.
    surface_ : array of shape (n_candidates, n_alphas, n_targets)
        R2 of all, where asked for; NaN where not tried.
    alphas_ : array of shape (n_alphas,)
        Penalties tried, ascending.
    folds_ : list of Split
        Folds.
    form_ : str
        Form used.
    dual_coef_ : array of shape (n_samples, n_targets)
        Weights of samples, with ``store="dual"``.

    Raises
    ------
    DataError
        If a parameter is out of range.

    References
    ----------
    .. [1] Dupre la Tour T, Eickenberg M, Nunez-Elizalde AO, Gallant JL (2022). Feature-space selection with banded ridge
       regression. NeuroImage 264, 119728.
    """

    bands: Sequence[int] | None = None
    _: KW_ONLY
    n_iter: int = 100
    concentrations: Sequence[float] = (0.1, 1.0)
    alphas: ArrayLike | None = None
    cv: Any = None
    gap: int | None = None
    gammas: ArrayLike | None = None
    delays: Any = None
    form: str = "auto"
    search: str = "grid"
    patience: int | None = None
    keep_surface: bool = False
    store: str = "coef"
    backend: str = "numpy"
    device: str | None = None
    target_batch: int | None = None
    random_state: int | np.random.Generator = 0

    def __post_init__(self) -> None:
        check_option("form", self.form, ("auto", "primal", "dual"))
        check_option("search", self.search, ("grid", "coarse"))
        check_option("store", self.store, ("coef", "dual"))
        if self.store == "dual" and self.form == "primal":
            raise DataError(f"store={self.store!r} keeps weights of samples, which form={self.form!r} has not: use form='dual'")

    def fit(self, X: Any, Y: Any, groups: ArrayLike | None = None) -> BandedRidgeCV:
        """Search, then fit all samples.

        Parameters
        ----------
        X : sequence of (array or Responses) of shape (n_samples, n_features), or one array
            Feature spaces, finite; one array is cut into `bands`.
        Y : array_like or Responses of shape (n_samples, n_targets) or (n_samples,)
            Targets. NaN marks samples that a target lacks; targets that lack the same samples are fitted
            together.
        groups : array_like of shape (n_samples,), optional
            Run of each sample, by default the runs of `Responses`.

        Returns
        -------
        BandedRidgeCV
            This object.

        Raises
        ------
        DataError
            If shapes do not fit each other, features are not finite, a target has no value, or no fold is left.
        """
        groups = run_of(groups, X, Y)
        y, flat = _targets(Y)
        raw, valid = make_bands(X, self.bands, self.delays, groups)
        if len(valid) != len(y):
            raise DataError(f"features have {len(valid)} samples and Y {len(y)}: give one row of both per sample")
        self.folds_ = resolve_folds(len(y), groups, self.cv, self.gap)
        self.widths_, self._bands = [band.width for band in raw], [_centre(band) for band in raw]
        self.candidates_ = self._candidates(len(raw))
        wanted = "dual" if self.store == "dual" else self.form
        form = make_form(self._bands, wanted, min(len(split.train) for split in self.folds_))
        self.form_ = form.name
        self.alphas_ = np.sort(resolve_alphas(self.alphas, form.trace(), min(form.n_columns(), len(y))))
        self._start(y.shape[1], raw[0].features.dtype, len(y))
        for rows, targets in missing_patterns(y, np.arange(y.shape[1])):
            self._fit_part(raw, form, y, rows[valid[rows]], targets)
        if self.store == "coef":
            del self._bands
        return self._shape_like(flat)

    def _candidates(self, n_bands: int) -> NDArray[np.float64]:
        if self.gammas is not None:
            return check_candidates(self.gammas, n_bands)
        return draw_candidates(n_bands, self.n_iter, self.concentrations, self.random_state)

    def _start(self, n_targets: int, dtype: Any, n_samples: int) -> None:
        """Room for what is fitted."""
        n_bands = len(self.widths_)
        self.gamma_, self.alpha_ = np.full((n_bands, n_targets), np.nan), np.full(n_targets, np.nan)
        self.cv_scores_, self.intercept_ = np.full(n_targets, np.nan), np.full(n_targets, np.nan)
        if self.keep_surface:
            self.surface_ = np.full((len(self.candidates_), len(self.alphas_), n_targets), np.nan, np.float32)
        if self.store == "dual":
            self.dual_coef_ = np.zeros((n_samples, n_targets), dtype)
        else:
            self.coef_ = np.full((sum(self.widths_), n_targets), np.nan, dtype)

    def _fit_part(self, raw: list[Band], form: Form, y: Any, rows: NDArray[np.int64], targets: NDArray[np.int64]) -> None:
        """Fit targets that have the same samples."""
        options = Options(
            get_backend(self.backend, self.device), self.search == "coarse", self.patience, self.target_batch, self.keep_surface
        )
        part = y if (len(rows), len(targets)) == y.shape else y[np.ix_(rows, targets)]
        folds = folds_within(self.folds_, rows, len(y))
        fit = fit_bands(form.take(rows), part, folds, self.candidates_, self.alphas_, options)
        self.gamma_[:, targets], self.alpha_[targets], self.cv_scores_[targets] = fit.gamma, fit.alpha, fit.search.score
        if fit.search.surface is not None:
            self.surface_[:, :, targets] = fit.search.surface
        means = [band.transpose_dot(np.full((len(rows), 1), 1 / len(rows)), rows) for band in raw]
        for start in range(0, len(targets), _BATCH):
            batch = slice(start, start + _BATCH)
            weights, gamma, columns = fit.weights[:, batch], fit.gamma[:, batch].astype(fit.weights.dtype), targets[batch]
            if self.store == "dual":
                self.dual_coef_[np.ix_(rows, columns)] = weights
                shift = [b.dot(m)[rows].T @ (weights * g) for b, m, g in zip(self._bands, means, gamma, strict=True)]
            else:
                self.coef_[:, columns] = coef = self._columns(weights, gamma, rows)
                shift = [np.concatenate(means).T @ coef]
            self.intercept_[columns] = fit.mean[batch] - np.sum(shift, axis=0)[0]

    def _columns(self, weights: _Array, gamma: _Array, rows: NDArray[np.int64]) -> _Array:
        """Weights of columns."""
        if self.form_ == "primal":
            return weights
        return np.concatenate([b.transpose_dot(weights * g, rows) for b, g in zip(self._bands, gamma, strict=True)])

    def predict(self, X: Any, groups: ArrayLike | None = None) -> _Array:
        """Predict.

        Parameters
        ----------
        X : sequence of (array or Responses) of shape (n_samples, n_features), or one array
            The feature spaces of `fit`.
        groups : array_like of shape (n_samples,), optional
            Run of each sample, where there are delays.

        Returns
        -------
        array of shape (n_samples, n_targets) or (n_samples,)
            Predictions.

        Raises
        ------
        DataError
            If it is not fitted, or bands differ from those fitted.
        """
        bands = self._matching(X, groups)
        total = self.intercept_ + sum(self._part(i, band, slice(None)) for i, band in enumerate(bands))
        predicted: _Array = total.astype(bands[0].features.dtype).reshape(len(total), *self.alpha_.shape)
        return predicted

    def score(self, X: Any, Y: Any, groups: ArrayLike | None = None) -> Any:
        """R2 of the prediction.

        Parameters
        ----------
        X : sequence of (array or Responses) of shape (n_samples, n_features), or one array
            The feature spaces of `fit`.
        Y : array_like or Responses of shape (n_samples, n_targets) or (n_samples,)
            True values; NaN leaves a sample out for that target.
        groups : array_like of shape (n_samples,), optional
            Run of each sample, where there are delays.

        Returns
        -------
        array of shape (n_targets,) or float
            ``1 - sum of squared errors / sum of squares about the mean``; NaN where `Y` does not vary.
        """
        return self.score_bands(X, Y, groups).sum(axis=0)[()]

    def score_bands(self, X: Any, Y: Any, groups: ArrayLike | None = None) -> NDArray[np.float64]:
        """Share of R2 that belongs to each band, by the product measure.

        Parameters
        ----------
        X : sequence of (array or Responses) of shape (n_samples, n_features), or one array
            The feature spaces of `fit`.
        Y : array_like or Responses of shape (n_samples, n_targets) or (n_samples,)
            True values; NaN leaves a sample out for that target.
        groups : array_like of shape (n_samples,), optional
            Run of each sample, where there are delays.

        Returns
        -------
        array of shape (n_bands, n_targets) or (n_bands,)
            Shares, which add up to `score`; see `product_measure`.
        """
        bands, y = self._matching(X, run_of(groups, X, Y)), _targets(Y)[0]
        if y.shape != (len(bands[0].features), len(self.alpha_.ravel())):
            raise DataError(f"Y must have one row per sample and {self.alpha_.size} targets, got shape {y.shape}")
        shares = np.empty((len(bands), y.shape[1]))
        for start in range(0, y.shape[1], _BATCH):
            batch = slice(start, start + _BATCH)
            parts = np.stack([self._part(i, band, batch) for i, band in enumerate(bands)])
            shares[:, batch] = product_measure(y[:, batch], parts, np.atleast_1d(self.intercept_)[batch])
        return shares.reshape(len(bands), *self.alpha_.shape)

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
            If the model is not fitted, or keeps weights of samples.
        """
        from neurodecode.linear.storage import save_ridge

        if not hasattr(self, "coef_"):
            raise DataError(
                f"a {type(self).__name__} is saved with its coef_: call fit first, with store='coef' (is {self.store!r})"
            )
        return save_ridge(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> BandedRidgeCV:
        """Read a model written by `save`; nothing in the files is executed.

        Parameters
        ----------
        folder : str or Path
            Its folder.

        Returns
        -------
        BandedRidgeCV
            Fitted.

        Raises
        ------
        CorruptFileError
            If a file is missing, cut short or altered.
        FormatError
            If the folder holds something else, or a newer version.
        """
        from neurodecode.linear.storage import load_model

        return load_model(Path(folder), cls)

    def _matching(self, X: Any, groups: ArrayLike | None) -> list[Band]:
        """The feature spaces of new samples, of the same widths."""
        if not hasattr(self, "alpha_"):
            raise DataError(f"this {type(self).__name__} is not fitted: call fit first")
        bands, _ = make_bands(X, self.bands, self.delays, run_of(groups, X))
        if [band.width for band in bands] != self.widths_:
            raise DataError(f"bands have {[band.width for band in bands]} columns, fitted were {self.widths_}")
        return bands

    def _part(self, number: int, band: Band, targets: slice) -> _Array:
        """What one band predicts, before the intercept."""
        n_targets = self.alpha_.size
        if self.store == "dual":
            dual, gamma = self.dual_coef_.reshape(-1, n_targets)[:, targets], self.gamma_.reshape(-1, n_targets)[number, targets]
            return np.asarray(band.gram(self._bands[number]).astype(dual.dtype) @ (dual * gamma.astype(dual.dtype)))
        end = sum(self.widths_[: number + 1])
        here: _Array = band.dot(self.coef_.reshape(-1, n_targets)[end - self.widths_[number] : end, targets])
        return here

    def _shape_like(self, flat: bool) -> BandedRidgeCV:
        """Drop the axis of targets where Y had none."""
        for name in ("coef_", "dual_coef_", "intercept_", "gamma_", "alpha_", "cv_scores_", "surface_"):
            if flat and hasattr(self, name):
                setattr(self, name, getattr(self, name)[..., 0])
        return self


def _centre(band: Band) -> Band:
    """A band about its mean, so that single precision serves what varies."""
    mean = band.features.mean(axis=0, dtype=np.float64).astype(band.features.dtype)
    return band._replace(features=band.features - mean)


def _targets(Y: Any) -> tuple[Any, bool]:
    """Targets as a matrix, a memory map where they were one; and whether they were a single column without an axis."""
    y = Y.data if isinstance(Y, Responses) else np.asanyarray(Y)
    if y.ndim not in (1, 2) or not y.size or y.dtype.kind not in "fiub":
        raise DataError(f"Y must be real numbers of shape (n_samples, n_targets), got {y.dtype} of shape {y.shape}")
    y = y if y.dtype.kind == "f" else y.astype(np.float64)
    return y.reshape(len(y), -1), y.ndim == 1
