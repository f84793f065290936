"""One banded fit on some samples: the search on their folds, then the weights of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.splits import Split
from neurodecode.errors import DataError
from neurodecode.linear.banded_forms import Form
from neurodecode.linear.banded_search import Options, Search, Targets, search_bands
from neurodecode.linear.banded_solve import final_weights

_SMALL = 256  # rows of a matrix that one thread factorises in a millisecond
_Rows = NDArray[np.int64]
_Floats = NDArray[np.float64]


class BandedFit(NamedTuple):
    """A banded ridge of some samples and targets."""

    search: Search
    """What was chosen."""
    gamma: _Floats
    """Weights of the bands, (n_bands, n_targets)."""
    alpha: _Floats
    """Penalties, (n_targets,)."""
    mean: _Floats
    """Mean of the targets, (n_targets,)."""
    weights: NDArray[Any]
    """Weights of samples (dual) or columns (primal), (size, n_targets)."""


def fit_bands(form: Form, y: Any, folds: Sequence[Split], gammas: _Floats, alphas: _Floats, options: Options) -> BandedFit:
    """Search weights of bands and penalties, then fit all samples.

    Parameters
    ----------
    form : Form
        The bands on these samples.
    y : array of shape (n_samples, n_targets)
        Targets without NaN.
    folds : sequence of Split
        Rows of `y` to fit and to score on.
    gammas : array of shape (n_candidates, n_bands)
        Weights of bands to try.
    alphas : array of shape (n_alphas,)
        Penalties to try.
    options : Options
        How to search.

    Returns
    -------
    BandedFit
        Choice and weights.
    """
    size = min(form.n_columns(), len(y))
    with _threads(size):
        search = search_bands(form, y, folds, gammas, alphas, options)
        mean, targets = np.asarray(y.mean(axis=0, dtype=np.float64)), Targets.of(y, options.backend, form.dtype())
        gamma, alpha = gammas[search.candidate], alphas[search.alpha]
        weights = final_weights(options.backend, form.to(options.backend), partial(targets.about, mean), gamma, alpha)
    return BandedFit(search, gamma.T, alpha, mean, weights.T)


def _threads(size: int) -> AbstractContextManager[Any]:
    """Small matrices on one thread: threads would wait for each other longer than they compute."""
    import scipy.linalg  # noqa: F401  # a library must be loaded to be limited
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1) if size <= _SMALL else nullcontext()


def missing_patterns(y: Any, valid: NDArray[np.bool_]) -> Iterator[tuple[_Rows, _Rows]]:
    """Group targets that lack the same samples; those that have none are left out.

    Parameters
    ----------
    y : array of shape (n_samples, n_targets)
        Targets; NaN marks what is missing.
    valid : array of bool of shape (n_samples,)
        Samples that may be used.

    Yields
    ------
    rows : array of shape (n_rows,)
        Samples that the targets have.
    targets : array of shape (n_part,)
        The targets.
    """
    keys = [hash(np.packbits(seen).tobytes()) for part in range(0, y.shape[1], 4096) for seen in _seen(y, valid, part)]
    _, first, kind = np.unique(np.asarray(keys, np.int64), return_index=True, return_inverse=True)
    for k, target in enumerate(first):
        rows = np.flatnonzero(np.isfinite(y[:, target]) & valid)
        if rows.size:
            yield rows, np.flatnonzero(kind == k)


def _seen(y: Any, valid: NDArray[np.bool_], start: int) -> NDArray[np.bool_]:
    """Samples that each of some targets has, (n_part, n_samples)."""
    return np.ascontiguousarray((np.isfinite(y[:, start : start + 4096]) & valid[:, None]).T)


def folds_within(folds: Sequence[Split], rows: _Rows, n_samples: int) -> list[Split]:
    """Restrict folds to some samples.

    Parameters
    ----------
    folds : sequence of Split
        Folds of all samples.
    rows : array of shape (n_rows,)
        Samples to keep, ascending.
    n_samples : int
        Number of all samples.

    Returns
    -------
    list of Split
        Folds that have at least two samples left on each side, numbered within `rows`.

    Raises
    ------
    DataError
        If no fold is left.
    """
    place = np.full(n_samples, -1)
    place[rows] = np.arange(len(rows))
    cut = [Split(place[f.train][place[f.train] >= 0], place[f.test][place[f.test] >= 0], f.name) for f in folds]
    kept = [f for f in cut if min(len(f.train), len(f.test)) >= 2]
    if not kept:
        raise DataError(
            f"{len(rows)} of {n_samples} samples are left, and none of {len(folds)} folds has two of them on both sides"
        )
    return kept
