"""Cross-validation on arrays: outputs of every held-out sample, their scores, and the same for permuted labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.splits import Split
from neurodecode.decode.fitting import (
    FitSettings,
    Training,
    coordinates,
    feature_weights,
    fit,
    fit_each,
    haufe_pattern,
    outputs,
    prepare,
)
from neurodecode.metrics import (
    balanced_accuracy,
    between_group_permutation,
    pearson_r,
    roc_auc,
    within_group_permutation,
)

_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything a validation needs, as arrays; it travels to other processes.

    Parameters
    ----------
    x : array of shape (n_samples, n_features) or (n_samples, n_units, n_times)
        Features.
    y : array of shape (n_samples,)
        Classes 0 to n_classes - 1, or target values.
    n_classes : int or None
        Number of classes; None for regression.
    splits : list of Split
        Folds; each sample is tested at most once.
    groups : array of shape (n_samples,)
        Groups that are held out, kept together in inner folds too.
    blocks : array of shape (n_samples,)
        Groups within which, or between which, labels are permuted.
    between : bool
        Whether labels move with whole blocks.
    settings : FitSettings
        Parameters of the fit.
    seed : int
        Seed of the permutations.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    n_classes: int | None
    splits: list[Split]
    groups: NDArray[np.int64]
    blocks: NDArray[np.int64]
    between: bool
    settings: FitSettings
    seed: int = 0

    @property
    def n_outputs(self) -> int:
        """Number of values a model gives per sample."""
        return 1 if self.n_classes is None or self.n_classes == 2 else self.n_classes


class Evaluation(NamedTuple):
    """What the unpermuted labels gave."""

    outputs: _Floats
    """Decision values or predictions of held-out samples, (n_samples, n_outputs); NaN where never tested."""
    baseline: _Floats
    """The same of the baseline."""
    patterns: _Floats
    """Mean over folds of the Haufe patterns, (n_outputs, n_features)."""
    alphas: list[float]
    """Ridge penalty of each fold."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread, so that numbers do not depend on how many processes share the work."""
    import scipy.linalg  # noqa: F401  # a library must be loaded to be limited
    import sklearn.linear_model  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def permuted_labels(problem: Problem, index: int) -> NDArray[Any]:
    """Labels of permutation `index`, the same in any order and any number of processes."""
    rng = np.random.default_rng(np.random.SeedSequence(problem.seed, spawn_key=(index,)))
    permute = between_group_permutation if problem.between else within_group_permutation
    return permute(problem.y, problem.blocks, rng)


def evaluate(problem: Problem) -> Evaluation:
    """Fit and test each fold with the labels as they are."""
    n = len(problem.y)
    result, baseline = np.full((2, n, problem.n_outputs), np.nan)
    patterns = np.zeros((problem.n_outputs, problem.x.shape[1]))
    alphas: list[float] = []
    for split in problem.splits:
        training = prepare_fold(problem, split)
        test = coordinates(training, problem.x[split.test].astype(float))
        weights = fit(training, problem.y[split.train], problem.n_classes, problem.settings)
        result[split.test] = outputs(test, weights)
        baseline[split.test] = baseline_outputs(training.x, problem.y[split.train], test, problem.n_classes)
        coef = feature_weights(training, weights)[0]
        patterns += haufe_pattern(problem.x[split.train].astype(float), coef) / len(problem.splits)
        alphas += [] if weights.alpha is None else [weights.alpha]
    return Evaluation(result, baseline, patterns, alphas)


def outputs_of(problem: Problem, labels: NDArray[Any]) -> _Floats:
    """Held-out outputs for many label vectors; features of a fold are prepared once for all of them.

    Parameters
    ----------
    problem : Problem
        Its own labels are not used.
    labels : array of shape (n_labels, n_samples)
        Label vectors.

    Returns
    -------
    array of shape (n_labels, n_samples, n_outputs)
        Decision values or predictions.
    """
    result = np.full((*labels.shape, problem.n_outputs), np.nan)
    for split in problem.splits:
        training = prepare_fold(problem, split)
        test = coordinates(training, problem.x[split.test].astype(float))
        for k, weights in enumerate(fit_each(training, labels[:, split.train], problem.n_classes, problem.settings)):
            result[k, split.test] = outputs(test, weights)
    return result


def null_scores(problem: Problem, pooled: bool, indices: NDArray[np.int64]) -> _Floats:
    """Scores of the permutations `indices`: labels permuted, the whole fit repeated."""
    labels = np.stack([permuted_labels(problem, int(k)) for k in indices])
    with one_thread():
        results = outputs_of(problem, labels)
    return np.array([overall_score(problem, y, out, pooled) for y, out in zip(labels, results, strict=True)])


def prepare_fold(problem: Problem, split: Split) -> Training:
    """The training features of a fold, prepared without labels."""
    return prepare(problem.x[split.train].astype(float), problem.groups[split.train], problem.settings)


def baseline_outputs(train: _Floats, y: NDArray[Any], test: _Floats, n_classes: int | None) -> _Floats:
    """Outputs of the simplest decoder: the nearest class mean, or for regression the mean of the training target.

    Parameters
    ----------
    train : array of shape (n_train, n_features)
        Standardised training features.
    y : array of shape (n_train,)
        Training labels.
    test : array of shape (n_test, n_features)
        Held-out features on the same scale.
    n_classes : int or None
        Number of classes; None for regression.

    Returns
    -------
    array of shape (n_test, n_outputs)
        Half the squared Euclidean distance with its sign turned, up to a constant per sample; second minus first for two
        classes.
    """
    if n_classes is None:
        return np.full((len(test), 1), y.mean())
    means = np.stack([train[y == k].mean(axis=0) for k in range(n_classes)])
    nearness: _Floats = test @ means.T - 0.5 * np.sum(means**2, axis=1)
    return nearness[:, 1:] - nearness[:, :1] if n_classes == 2 else nearness


def score_outputs(y: NDArray[Any], values: _Floats, n_classes: int | None) -> Any:
    """The metric of the problem for outputs of shape (n_samples, n_outputs, ...); NaN where it is not defined.

    A regression that predicts one value for all samples has correlation 0 here: it knows nothing.
    """
    if n_classes == 2:
        return roc_auc(y == 1, values[:, 0])
    if n_classes is not None:
        return balanced_accuracy(y, values.argmax(axis=1))
    if len(y) < 3 or np.ptp(y) == 0:  # two points correlate by -1 or 1 whatever was predicted
        return np.full(values.shape[2:], np.nan)[()]
    return np.nan_to_num(pearson_r(y, values[:, 0]))[()]


def fold_scores(problem: Problem, y: NDArray[Any], values: _Floats) -> _Floats:
    """Score of each fold, (n_folds, ...) for outputs (n_samples, n_outputs, ...)."""
    return np.stack([score_outputs(y[s.test], values[s.test], problem.n_classes) for s in problem.splits])


def overall_score(problem: Problem, y: NDArray[Any], values: _Floats, pooled: bool) -> Any:
    """Mean over folds or, if `pooled`, the score over all held-out samples together."""
    scores = fold_scores(problem, y, values)
    defined = ~np.isnan(scores)  # permuted labels may leave a fold with one class
    if pooled or not defined.any():
        tested = np.concatenate([s.test for s in problem.splits])
        return score_outputs(y[tested], values[tested], problem.n_classes)
    return np.where(defined, scores, 0.0).sum(axis=0) / np.maximum(defined.sum(axis=0), 1)


def needs_pooling(problem: Problem) -> bool:
    """Whether some fold cannot be scored alone (one class, or too few values)."""
    blank = np.zeros((len(problem.y), problem.n_outputs))
    return bool(np.isnan(fold_scores(problem, problem.y, blank)).any())
