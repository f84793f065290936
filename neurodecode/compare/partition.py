"""Variance partitioning: which feature space explains what, target by target, from nested cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.compare.fold_fit import standard
from neurodecode.compare.outer import inner_gap
from neurodecode.compare.partition_result import Subset, VariancePartition, subsets
from neurodecode.compare.prepare import DELAYS_S, Problem, prepare
from neurodecode.data.splits import Split
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.linear.alphas import resolve_alphas
from neurodecode.linear.backend import get_backend
from neurodecode.linear.banded_fit import fit_bands
from neurodecode.linear.banded_forms import Form, make_form
from neurodecode.linear.banded_search import Options, draw_candidates
from neurodecode.linear.bands import Band
from neurodecode.linear.folds import resolve_folds
from neurodecode.linear.missing import folds_within, missing_patterns
from neurodecode.linear.product_measure import product_measure

METHODS = ("inclusion_exclusion", "shapley", "product_measure")
_MOST_SPACES = 4  # 15 combinations to fit
_BATCH = 4096  # targets at a time
_Floats = NDArray[np.float64]


class Settings(NamedTuple):
    """How each combination of spaces is fitted."""

    n_iter: int
    """Random draws of weights of the spaces."""
    alphas: Any
    """Penalties, or None."""
    inner_cv: Any
    """Inner folds."""
    options: Options
    """How to search."""
    random_state: int
    """Seed of the draws."""


def variance_partition(
    spaces: Any,
    brain: Any,
    *,
    method: str = "inclusion_exclusion",
    delays_s: Sequence[float] | None = DELAYS_S,
    groups: Any = None,
    TR: float | None = None,
    repeats: str = "average",
    n_iter: int = 20,
    alphas: Any = None,
    cv: Any = None,
    inner_cv: Any = None,
    gap: int | None = None,
    backend: str = "numpy",
    device: str | None = None,
    random_state: int = 0,
) -> VariancePartition:
    """Divide the variance that feature spaces explain on held-out data among them, for each target.

    Every combination of spaces is fitted by banded ridge on the training part of the same outer folds, weights of spaces and
    penalties chosen on inner folds, and scored on the held-out part. [1]_ The product measure [2]_ divides the R2 of the one fit
    of all spaces instead, which is as fast as one fit, but depends on how that fit happened to spread what they share.

    Parameters
    ----------
    spaces : mapping or list of Responses or array_like of shape (n_samples, n_features)
        Two feature spaces or more, at most four unless by the product measure. Standardised on each training part.
    brain : Responses or array_like of shape (n_samples, n_targets)
        Responses; NaN is left out, target by target.
    method : {"inclusion_exclusion", "shapley", "product_measure"}
        Division that ``parts`` of the result gives. The first two fit the same combinations, and their results hold both.
    delays_s : (float, float) or None
        First and last delay in s, as in `neurodecode.compare.encode`.
    groups : str or array_like of shape (n_samples,), optional
        What is held out whole, as in `neurodecode.compare.encode`.
    TR : float, optional
        Time between rows in s.
    repeats : {"average", "keep"}
        What becomes of several presentations of a stimulus.
    n_iter : int
        Random draws of weights of the spaces in each combination, beside all alike and each alone.
    alphas : array_like of shape (n_alphas,), optional
        Penalties, by default ten from 1e-4 to 1e5 times the mean eigenvalue of the kernel of all spaces alike.
    cv : int, splitter or iterable of (train, test), optional
        Outer folds, by default 5 (fewer where there are fewer runs).
    inner_cv : int, optional
        Number of inner folds, by default 5, or one per group where there are fewer.
    gap : int, optional
        Rows left out beside a block of a single run.
    backend : {"numpy", "torch"}
        Where the ridge is computed.
    device : str, optional
        Device of torch.
    random_state : int
        Seed of the draws.

    Returns
    -------
    VariancePartition
        Unique, shared, joint and single R2, Shapley values and product measure. Shared variance may be negative, and stays so.

    Raises
    ------
    DataError
        If there are fewer than two spaces or too many, or rows do not match.
    SplitLeakError
        If a fold has one stimulus on both sides.

    References
    ----------
    .. [1] de Heer WA, Huth AG, Griffiths TL, Gallant JL, Theunissen FE (2017). The hierarchical cortical organization of human
       speech processing. J Neurosci 37, 6539-6557.
    .. [2] Dupre la Tour T, Eickenberg M, Nunez-Elizalde AO, Gallant JL (2022). Feature-space selection with banded ridge
       regression. NeuroImage 264, 119728.
    """
    check_option("method", method, METHODS)
    settings = Settings(n_iter, alphas, inner_cv, Options(get_backend(backend, device)), int(random_state))
    problem = prepare(spaces, brain, delays_s=delays_s, groups=groups, TR=TR, cv=cv, gap=gap, repeats=repeats)
    names = list(problem.designs)
    if len(names) < 2 or (len(names) > _MOST_SPACES and method != "product_measure"):
        raise DataError(f"{method} divides variance among 2 to {_MOST_SPACES} feature spaces, got {len(names)}: {names}")
    every = tuple(range(len(names)))
    shares = _shares(problem, [every] if method == "product_measure" else subsets(len(names)), settings)
    means = {subset: _mean_over_folds(values) for subset, values in shares.items()}
    r2 = {subset: values.sum(axis=0) for subset, values in means.items()}
    return VariancePartition(
        names,
        method,
        r2[every],
        r2,
        means[every],
        shares[every].sum(axis=1),
        [split.name for split in problem.outer.splits],
        problem.outer.sentence,
        units=problem.brain.units,
        times=problem.brain.times,
        settings={"n_iter": n_iter, "random_state": int(random_state), "delays_s": problem.delays_s, "backend": backend},
        notes=problem.notes,
    )


def _shares(problem: Problem, combinations: Sequence[Subset], settings: Settings) -> dict[Subset, _Floats]:
    """Product measure of each space in each combination, whose sum is R2: (n_folds, n_spaces of it, n_targets)."""
    from tqdm.auto import tqdm

    splits, targets = problem.outer.splits, problem.aligned.targets
    shares = {s: np.full((len(splits), len(s), targets.n_targets), np.nan) for s in combinations}
    with tqdm(total=len(splits) * len(shares), desc="combinations of spaces", disable=None, delay=2.0, leave=False) as bar:
        for number, split in enumerate(splits):
            form, inner = _form(problem, split), _inner_folds(problem, split, settings)
            alphas = _alphas(form, len(split.train), settings)
            for subset, kept in shares.items():
                part = form.pick(subset)
                for start in range(0, targets.n_targets, _BATCH):
                    columns = slice(start, start + _BATCH)
                    y = targets.read(columns)
                    _score(part, y[split.train], y[split.test], inner, alphas, settings, kept[number, :, columns])
                bar.update()
    return shares


def _form(problem: Problem, split: Split) -> Form:
    """All spaces on the rows of a fold, training rows first, standardised by them."""
    bands = []
    for design in problem.designs.values():
        scale = standard(design[split.train])
        bands.append(Band(scale.apply(np.concatenate([design[split.train], design[split.test]]))))
    return make_form(bands, "auto", len(split.train))


def _inner_folds(problem: Problem, split: Split, settings: Settings) -> list[Split]:
    outer, n_train = problem.outer, len(split.train)
    groups = None if outer.groups is None else outer.groups[split.train]
    return resolve_folds(n_train, groups, settings.inner_cv, inner_gap(outer, n_train))


def _alphas(form: Form, n_train: int, settings: Settings) -> _Floats:
    """Penalties, the same for all combinations, so that what is fitted together is never worse than a part of it by the grid."""
    trace = form.take(np.arange(n_train)).trace()
    return np.sort(resolve_alphas(settings.alphas, trace, min(form.n_columns(), n_train)))


def _score(
    form: Form,
    train: NDArray[Any],
    test: NDArray[Any],
    inner: Sequence[Split],
    alphas: _Floats,
    settings: Settings,
    kept: _Floats,
) -> None:
    """Fit targets on the training rows and write the share of each space in the variance of the test rows into `kept`."""
    n_train, n_bands = len(train), len(kept)
    held_out = np.arange(n_train, n_train + len(test))
    gammas = draw_candidates(n_bands, settings.n_iter, random_state=settings.random_state)
    for rows, targets in missing_patterns(train, np.flatnonzero(np.isfinite(train).any(axis=0))):
        known = form.take(rows)
        fit = fit_bands(known, train[np.ix_(rows, targets)], folds_within(inner, rows, n_train), gammas, alphas, settings.options)
        parts = np.stack(form.parts(fit.weights, fit.gamma, rows, held_out))
        kept[:, targets] = product_measure(test[:, targets], parts, fit.mean)


def _mean_over_folds(values: _Floats) -> _Floats:
    """Mean over the folds in which a target varies, (n_folds, ...) to (...); NaN where it varies in none."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
