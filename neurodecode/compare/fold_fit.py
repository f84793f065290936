"""One fold of a comparison: standardise on the training rows, choose penalties inside them, predict the held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.compare.fold_scores import column_slabs
from neurodecode.data.splits import Split
from neurodecode.data.validate import check_option

_Floats = NDArray[np.float64]
_Matrix = NDArray[np.float32]


class ModelSettings(NamedTuple):
    """How penalties are found."""

    model: str = "auto"
    """``ridge`` (one penalty per target), ``banded`` (one per space and target), or ``auto``: banded for two spaces or more."""
    alphas: Any = None
    """Penalties to choose from; None for the grid of the ridge."""
    inner_cv: Any = None
    """Inner folds, as in `neurodecode.linear.resolve_folds`."""
    backend: str = "numpy"
    """``numpy`` or ``torch``."""
    device: str | None = None
    """Device of torch."""
    n_iter: int = 100
    """Draws of the weights of spaces, for a banded model."""
    random_state: int = 0
    """Seed of those draws."""
    keep_weights: bool = False
    """Whether weights are wanted."""

    def check(self) -> ModelSettings:
        """Refuse settings that are unknown.

        Returns
        -------
        ModelSettings
            This.

        Raises
        ------
        DataError
            Naming the setting.
        """
        check_option("model", self.model, ("auto", "ridge", "banded"))
        check_option("backend", self.backend, ("numpy", "torch"))
        return self

    def is_banded(self, n_spaces: int) -> bool:
        """Whether a model has a penalty for each of its spaces.

        Parameters
        ----------
        n_spaces : int
            How many it has.

        Returns
        -------
        bool
            False for a plain ridge.
        """
        return self.model == "banded" or (self.model == "auto" and n_spaces > 1)


class Standard(NamedTuple):
    """Mean and standard deviation of training rows."""

    mean: _Floats
    """Per column, of the values that are not NaN."""
    scale: _Floats
    """Per column; 1 where nothing varies."""

    def apply(self, values: _Matrix) -> _Matrix:
        """Put other rows on the same scale.

        Parameters
        ----------
        values : array of shape (n_rows, n_columns)
            Rows; NaN stays.

        Returns
        -------
        array of shape (n_rows, n_columns)
            Columns whose training rows have mean 0 and variance 1.
        """
        scaled = values - self.mean.astype(np.float32)
        scaled /= self.scale.astype(np.float32)
        return scaled


class FoldFit(NamedTuple):
    """What one fold gives for a batch of targets."""

    true: _Matrix
    """Held-out responses, z-scored with the training rows, shape (n_test, n_targets)."""
    predicted: _Matrix
    """Their predictions on the same scale, on which strongly shrunk ones keep all their digits; 0 is the training mean."""
    standard: Standard
    """That scale."""
    alpha: _Floats
    """Penalty per target."""
    inner: _Floats
    """R2 on the inner folds at that penalty."""
    weights: _Matrix | None
    """Weights of the standardised features on the standardised responses, shape (n_features, n_targets), where asked for."""
    product: _Floats | None
    """Product measure of each space, shape (n_spaces, n_targets); None for a plain ridge."""
    gamma: _Floats | None
    """Weight of each space's kernel, shape (n_spaces, n_targets); None for a plain ridge."""


def standard(values: _Matrix) -> Standard:
    """Mean and standard deviation of each column.

    Parameters
    ----------
    values : array of shape (n_rows, n_columns)
        Training rows; NaN is left out.

    Returns
    -------
    Standard
        A column without any value has mean 0; one that does not vary has scale 1.
    """
    mean, variance = np.empty(values.shape[1]), np.empty(values.shape[1])
    for columns in column_slabs(*values.shape):
        part = np.asarray(values[:, columns], np.float64)
        known = np.isfinite(part)
        count = np.maximum(known.sum(axis=0), 1)
        part[~known] = 0.0
        mean[columns] = part.sum(axis=0) / count
        part -= mean[columns]
        part[~known] = 0.0
        variance[columns] = np.einsum("ij,ij->j", part, part) / count
    varies = variance > 1e-12 * mean**2
    return Standard(mean, np.where(varies, np.sqrt(np.where(varies, variance, 1.0)), 1.0))


def fit_fold(
    designs: Sequence[_Matrix], y: _Matrix, split: Split, groups: NDArray[np.int64] | None, gap: int, settings: ModelSettings
) -> FoldFit:
    """Fit the training rows of a fold and predict its test rows.

    Parameters
    ----------
    designs : sequence of array of shape (n_rows, n_features)
        Feature spaces with their delays.
    y : array of shape (n_rows, n_targets)
        Responses; NaN marks missing ones.
    split : Split
        Rows of both sides.
    groups : array of shape (n_rows,) or None
        What the inner folds hold out whole.
    gap : int
        Rows left out beside an inner block.
    settings : ModelSettings
        How penalties are found.

    Returns
    -------
    FoldFit
        Predictions and what led to them.
    """
    scales = [standard(design[split.train]) for design in designs]
    train, test = (
        [scale.apply(design[rows]) for scale, design in zip(scales, designs, strict=True)] for rows in (split.train, split.test)
    )
    target = y[split.train]
    of_y = standard(target)
    target = of_y.apply(target)
    inner_groups = None if groups is None else groups[split.train]
    banded = settings.is_banded(len(designs))
    model = _model(banded, gap, settings)
    given, asked = (train, test) if banded else (np.concatenate(train, axis=1), np.concatenate(test, axis=1))
    model.fit(given, _without_empty(target), groups=inner_groups)
    true, predicted = of_y.apply(y[split.test]), np.asarray(model.predict(asked), np.float32)
    return FoldFit(
        true,
        np.where(np.isfinite(target).any(axis=0), predicted, np.float32(np.nan)),
        of_y,
        np.asarray(model.alpha_, np.float64),
        np.asarray(model.cv_scores_, np.float64).reshape(-1, y.shape[1]).max(axis=0),
        np.asarray(model.coef_, np.float32) if settings.keep_weights else None,
        np.asarray(model.score_bands(test, true), np.float64) if banded else None,
        np.asarray(model.gamma_, np.float64) if banded else None,
    )


def _without_empty(target: _Matrix) -> _Matrix:
    """Targets without any training value are fitted as zeros, and their predictions thrown away."""
    empty = ~np.isfinite(target).any(axis=0)
    return np.where(empty, np.float32(0), target) if empty.any() else target


def _model(banded: bool, gap: int, settings: ModelSettings) -> Any:
    shared: dict[str, Any] = {"alphas": settings.alphas, "cv": settings.inner_cv, "gap": gap}
    shared |= {"backend": settings.backend, "device": settings.device}
    if banded:
        from neurodecode.linear.banded import BandedRidgeCV

        return BandedRidgeCV(n_iter=settings.n_iter, random_state=settings.random_state, **shared)
    from neurodecode.linear.ridge import RidgeCV

    return RidgeCV(**shared)
