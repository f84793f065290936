"""One banded fit on some samples: the search on their folds, then the weights of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.splits import Split
from neurodecode.linear.backend import few_threads
from neurodecode.linear.banded_forms import Form
from neurodecode.linear.banded_search import Options, Search, Targets, search_bands
from neurodecode.linear.banded_solve import final_weights

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
    with few_threads(size, most=256):
        search = search_bands(form, y, folds, gammas, alphas, options)
        mean, targets = np.asarray(y.mean(axis=0, dtype=np.float64)), Targets.of(y, options.backend, form.dtype)
        gamma, alpha = gammas[search.candidate], alphas[search.alpha]
        weights = final_weights(options.backend, form.to(options.backend), partial(targets.about, mean), gamma, alpha)
    return BandedFit(search, gamma.T, alpha, mean, weights.T)
