"""Every fold of one or several models on the same targets, a batch of targets at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.compare.fold_fit import FoldFit, ModelSettings, fit_fold
from neurodecode.compare.fold_scores import held_out_scores
from neurodecode.compare.outer import Outer, inner_gap
from neurodecode.compare.rows import Targets
from neurodecode.data.validate import check_positive

_Floats = NDArray[np.float64]
_Matrix = NDArray[np.float32]
_BATCH_BYTES = 2**26  # of the responses of a batch; of its copies four or five are held at once


class BatchScores(NamedTuple):
    """One model on one batch of targets; arrays of folds have one row per fold."""

    r: _Floats
    """Correlation per fold and target."""
    R2: _Floats
    """R2 per fold and target."""
    R2_mean: _Floats
    """R2 of predicting the training mean."""
    alpha: _Floats
    """Penalty."""
    inner: _Floats
    """R2 on the inner folds."""
    predicted: _Matrix
    """Held-out predictions, z-scored with the training rows of their fold, shape (n_rows, n_targets); NaN where never tested."""
    mean: _Floats
    """Mean of the training responses per fold and target."""
    scale: _Floats
    """Standard deviation of the training responses per fold and target."""
    weights: _Matrix | None
    """Mean over folds, shape (n_features, n_targets), where asked for."""
    product: _Floats | None
    """Product measure, mean over folds, shape (n_spaces, n_targets)."""
    gamma: _Floats | None
    """Weights of the spaces, mean over folds, shape (n_spaces, n_targets)."""


class Batch(NamedTuple):
    """All models on one batch of targets."""

    columns: slice
    """Which targets."""
    y: _Matrix
    """Their responses, shape (n_rows, n_targets)."""
    models: dict[str, BatchScores]
    """Scores by name of the model."""


def batches(
    models: Mapping[str, Sequence[_Matrix]], targets: Targets, outer: Outer, settings: ModelSettings, target_batch: int | None
) -> Iterator[Batch]:
    """Score models on the same folds.

    Parameters
    ----------
    models : mapping of str to sequence of array of shape (n_rows, n_features)
        Feature spaces, delays included, of each model.
    targets : Targets
        Responses, of which one batch is in memory at a time.
    outer : Outer
        Folds.
    settings : ModelSettings
        How penalties are found.
    target_batch : int or None
        Targets at a time; by default as many as keep a batch of responses below 64 MB, and more where fits are so large that the
        factorisation of the features, which is repeated for each batch, would cost more than the responses.

    Yields
    ------
    Batch
        In the order of the targets.
    """
    from tqdm.auto import tqdm

    if target_batch is not None:
        check_positive("target_batch", target_batch)
    widest = max(sum(design.shape[1] for design in designs) for designs in models.values())
    size = target_batch or max(64, _BATCH_BYTES // (4 * len(models) * targets.n_rows), 2 * min(targets.n_rows, widest))
    starts = range(0, targets.n_targets, size)
    with tqdm(total=len(starts) * len(models) * len(outer.splits), desc="encode", unit="fold", disable=None, leave=False) as bar:
        for start in starts:
            columns = slice(start, min(start + size, targets.n_targets))
            y = targets.read(columns)
            scored = {}
            for name, designs in models.items():
                fits = []
                for split in outer.splits:
                    fits.append(fit_fold(designs, y, split, outer.groups, inner_gap(outer, len(split.train)), settings))
                    bar.update()
                scored[name] = collect(fits, y.shape, outer)
            yield Batch(columns, y, scored)


def collect(fits: Sequence[FoldFit], shape: tuple[int, ...], outer: Outer) -> BatchScores:
    """Score the predictions of all folds.

    Parameters
    ----------
    fits : sequence of FoldFit
        One per fold.
    shape : tuple of int
        Rows and targets.
    outer : Outer
        The folds.

    Returns
    -------
    BatchScores
        Scores per fold, and predictions of all rows.
    """
    predicted = np.full(shape, np.nan, np.float32)
    scores, baselines = [], []
    for split, fit in zip(outer.splits, fits, strict=True):
        predicted[split.test] = fit.predicted
        scores.append(held_out_scores(fit.true, fit.predicted))
        baselines.append(held_out_scores(fit.true, np.zeros_like(fit.true)).R2)
    products = [fit.product for fit in fits if fit.product is not None]
    weights = [fit.weights for fit in fits if fit.weights is not None]
    gammas = [fit.gamma for fit in fits if fit.gamma is not None]
    return BatchScores(
        np.stack([s.r for s in scores]),
        np.stack([s.R2 for s in scores]),
        np.stack(baselines),
        np.stack([fit.alpha for fit in fits]),
        np.stack([fit.inner for fit in fits]),
        predicted,
        np.stack([fit.standard.mean for fit in fits]),
        np.stack([fit.standard.scale for fit in fits]),
        np.mean(weights, axis=0) if weights else None,
        np.mean(products, axis=0) if products else None,
        np.mean(gammas, axis=0) if gammas else None,
    )
