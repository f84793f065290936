"""The one call from features and responses to a score per target with chance, ceiling, baseline, p value and split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.compare.assemble import Assembly
from neurodecode.compare.crossval import batches
from neurodecode.compare.fold_fit import ModelSettings
from neurodecode.compare.prepare import DELAYS_S, Problem, prepare
from neurodecode.compare.result import ComparisonResult
from neurodecode.compare.significance import Inference

_Matrix = NDArray[np.float32]


def encode(
    features: Any,
    brain: Any,
    *,
    delays_s: Sequence[float] | None = DELAYS_S,
    nuisance: Any = None,
    groups: Any = None,
    TR: float | None = None,
    repeats: str = "average",
    model: str = "auto",
    n_iter: int = 100,
    alphas: Any = None,
    cv: Any = None,
    inner_cv: Any = None,
    gap: int | None = None,
    ceiling: Any = "auto",
    n_permutations: int = 0,
    permutation: str = "circular",
    correction: str = "bh",
    backend: str = "numpy",
    device: str | None = None,
    target_batch: int | None = None,
    keep_predictions: bool = False,
    keep_weights: bool = False,
    random_state: int = 0,
) -> ComparisonResult:
    r"""Predict the responses of a brain from features, on held-out data.

    A ridge regression per target (Naselaris et al. 2011, NeuroImage 56:400), or a banded one with a penalty per feature space
    (Nunez-Elizalde et al. 2019, NeuroImage 197:482). Features and responses are z-scored with the mean and variance of the
    training rows, penalties are chosen on folds inside them, and the held-out rows give :math:`r` and :math:`R^2` per fold.

    Parameters
    ----------
    features : Responses, array_like of shape (n_samples, n_features), or a list or mapping of those
        One feature space or several.
    brain : Responses or array_like of shape (n_samples, n_targets)
        Responses (n_samples, n_units) or (n_samples, n_units, n_times); a target is a unit at a time. NaN marks missing values
        and is left out of fit and score.
    delays_s : (float, float) or None
        First and last delay in s: every multiple of the TR between them is used. They apply to series alone; trials have
        none, and asking for some is an error.
    nuisance : as `features`, optional
        Low-level features to control for. The score is that of all features together, the baseline that of these alone, and
        ``scores["gain"]`` the difference of R2: the unique variance of `features`.
    groups : str or array_like of shape (n_samples,), optional
        What is held out whole: a column of the brain's samples, or a label per sample (the run of an array). By default runs;
        stimuli where rows are trials and stimuli come several times.
    TR : float, optional
        Time between rows in s. By default `kind_of_rows` decides what rows are: a series if ``meta`` gives its rate, else trials
        if both sides have a column ``stimulus``, else a series if onsets have one step within each run.
    repeats : {"average", "keep"}
        What becomes of several presentations of a stimulus.
    model : {"auto", "ridge", "banded"}
        ``auto`` is banded for two feature spaces or more.
    n_iter : int
        Weights of the spaces that a banded model tries; see `neurodecode.linear.BandedRidgeCV`.
    alphas : array_like, optional
        Penalties to choose from.
    cv : int, splitter or iterable of (train, test), optional
        Outer folds, by default 5 (fewer where there are fewer runs); see `neurodecode.linear.resolve_folds`. Folds of your own
        number the rows as they are after the join.
    inner_cv : int, optional
        Inner folds, by default likewise.
    gap : int, optional
        Rows left out beside a block of a single run; by default the longest delay and 24 s (2 s for M/EEG), at least 20.
    ceiling : str, array_like per target or None
        A method of `noise_ceiling`, reliabilities rho in units of variance, or ``"auto"``: split halves where stimuli come
        several times and are averaged, else none.
    n_permutations : int
        Permutations of the predictions against the responses, the same for all targets; 0 gives no p value. As each fold tests
        what the others train on, the mean over folds varies by chance more than permutations of fixed predictions show (a test
        at .05 would call 12 % of null targets significant): the null is widened by `spread_of_folds`.
    permutation : {"circular", "block"}
        Shift predictions in a circle, or exchange blocks of them, within each run of each fold. Trials have no order: they are
        shuffled singly.
    correction : {"bh", "by", "max"}
        False discovery rate (Benjamini-Hochberg, or Benjamini-Yekutieli for any dependence), or the largest score of all
        targets in each permutation, which controls the probability of any false positive.
    backend : {"numpy", "torch"}
        Where the ridge is computed.
    device : str, optional
        Device of torch.
    target_batch : int, optional
        Targets at a time; by default as many as fit into 64 MB (some five copies of that are held). A memory-mapped `brain` is
        never read whole.
    keep_predictions, keep_weights : bool
        Whether the result holds held-out predictions, and weights.
    random_state : int
        Seed of permutations, band weights and split halves.

    Returns
    -------
    ComparisonResult
        Metric r, chance 0.

    Raises
    ------
    DataError
        If rows do not match or the time between them is not known; the message says what to give.
    SplitLeakError
        If a fold has one stimulus on both sides.

    Warns
    -----
    LeakWarning
        If `cv` puts neighbours in time on both sides.
    """
    inference = Inference(n_permutations, permutation, correction, random_state).check(repeats)
    settings = ModelSettings(model, alphas, inner_cv, backend, device, n_iter, random_state, keep_weights).check()
    problem = prepare(
        features, brain, nuisance=nuisance, delays_s=delays_s, groups=groups, TR=TR, cv=cv, gap=gap, repeats=repeats
    )
    assembly = Assembly(problem, settings, inference, ceiling, keep_predictions)
    for batch in batches(_models(problem), problem.aligned.targets, problem.outer, settings, target_batch):
        assembly.add(batch.columns, batch.y, batch.models["full"], batch.models.get("nuisance"))
    return assembly.result()


def _models(problem: Problem) -> dict[str, list[_Matrix]]:
    """Designs of the full model and, with nuisance features, of those alone."""
    models = {"full": list(problem.designs.values())}
    if problem.nuisance:
        models["nuisance"] = [problem.designs[name] for name in problem.nuisance]
    return models
