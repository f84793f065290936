"""How far RDMs of subjects agree, and whether a model explains them: ceilings, permutations, bootstrap."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.compare.rdm_comparison import compare_stacks
from neurodecode.compare.rdm_design import Floats
from neurodecode.compare.rdm_embedding import (
    CENTRED,
    MEASURES,
    RANKED,
    Measure,
    as_rdms,
    as_squares,
    embed,
    pair_values,
    ranks,
    shared_pairs,
    squares_of_points,
)
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

Missing = Literal["raise", "drop"]
Masks = NDArray[np.bool_]
_TIE = 1e-10  # scores that differ by less are equal but for rounding
_MOST_UNDEFINED = 0.5  # share of draws without a score beyond which a variance says nothing


class RdmCeiling(NamedTuple):
    """Bounds of the score that the true RDM would reach with these subjects."""

    lower: float
    """Mean similarity of a subject with the pooled RDM of the others."""
    upper: float
    """Mean similarity of a subject with the pooled RDM of all."""
    lower_subjects: NDArray[np.float64]
    """The lower bound of each subject, shape (n_subjects,)."""
    upper_subjects: NDArray[np.float64]
    """The upper bound of each subject, shape (n_subjects,)."""


class Variances(NamedTuple):
    """Variance of scores under resampling, and the degrees of freedom of it."""

    models: NDArray[np.float64]
    """Of the score of each model, shape (n_models,)."""
    differences: NDArray[np.float64]
    """Of the difference between two models, shape (n_models, n_models)."""
    dof: int
    """Resampled units (the fewer of stimuli and subjects) minus 1."""
    n_used: int
    """Draws in which all scores are defined."""


def rdm_ceiling(
    rdms: ArrayLike,
    method: Measure = "spearman",
    *,
    pool: Literal["normalised", "mean"] = "normalised",
    missing: Missing = "raise",
) -> RdmCeiling:
    """Noise ceiling of RDMs: how well the best model could do.

    Parameters
    ----------
    rdms : array_like of shape (n_subjects, n_conditions, n_conditions)
        One RDM per subject, at least two.
    method : str
        Measure of `compare_rdms`.
    pool : {"normalised", "mean"}
        RDMs are pooled on the scale on which the measure compares them (ranks, z-scores, length 1), so that no RDM scores
        higher on average than the upper bound (but for tau_a, where it is so only nearly); or as they are, so that subjects with
        large distances weigh more.
    missing : {"raise", "drop"}
        What to do about pairs that are NaN in any RDM.

    Returns
    -------
    RdmCeiling
        Lower and upper bound.

    Raises
    ------
    DataError
        If there are fewer than two RDMs, or they do not fit each other.

    References
    ----------
    Nili et al. (2014), PLoS Computational Biology 10:e1003553.
    """
    check_option("method", method, MEASURES)
    check_option("pool", pool, ("normalised", "mean"))
    check_option("missing", missing, ("raise", "drop"))
    stack = as_rdms(rdms, "rdms")
    kept = shared_pairs(missing, stack)
    if len(stack) < 2:
        raise DataError(f"a ceiling needs the RDMs of at least two subjects, got {len(stack)}")
    scaled = _poolable(stack, method, kept) if pool == "normalised" else stack
    others = (scaled.sum(axis=0) - scaled) / (len(scaled) - 1)
    lower = [compare_stacks(one[None], rest[None], method, kept)[0, 0] for one, rest in zip(stack, others, strict=True)]
    upper = compare_stacks(stack, scaled.mean(axis=0)[None], method, kept)[:, 0]
    return RdmCeiling(float(np.mean(lower)), float(np.mean(upper)), np.array(lower), upper)


def _poolable(stack: Floats, measure: str, kept: Masks) -> Floats:
    """RDMs on the scale on which the measure compares them."""
    if measure in RANKED:
        return as_squares(ranks(pair_values(stack, kept)), kept)  # not normed: sums of ranks keep their ties
    values = pair_values(stack, kept)
    values = values - values.mean(axis=1, keepdims=True) if measure in CENTRED else values
    scale = np.linalg.norm(embed(stack, measure, kept, normed=False), axis=1)[:, None]
    return as_squares(values / np.where(scale > 0, scale, np.nan), kept)


def rdm_permutation_test(
    models: ArrayLike,
    data: ArrayLike,
    method: Measure = "spearman",
    *,
    n: int = 1000,
    random_state: int | np.random.Generator = 0,
    missing: Missing = "raise",
) -> Floats:
    """P value of each model: the conditions of the measured RDMs are shuffled, rows and columns together.

    The null hypothesis is that the conditions of the model have nothing to do with those of these subjects; it is silent about
    other subjects and other stimuli (`compare_models` resamples them). All models see the same shuffles.

    Parameters
    ----------
    models : array_like of shape (n_conditions, n_conditions) or (n_models, n_conditions, n_conditions)
        Model RDMs.
    data : array_like of shape (n_conditions, n_conditions) or (n_subjects, n_conditions, n_conditions)
        Measured RDMs; the score is the mean over subjects.
    method : str
        Measure of `compare_rdms`.
    n : int
        Number of shuffles.
    random_state : int or numpy.random.Generator
        Seed of the shuffles.
    missing : {"raise", "drop"}
        What to do about pairs that are NaN in any RDM.

    Returns
    -------
    array of shape (n_models,)
        ``(1 + shuffles that score at least as high) / (1 + n)``; NaN for a model that does not vary.

    Raises
    ------
    DataError
        If RDMs do not fit each other or there is no shuffle.

    References
    ----------
    Mantel (1967), Cancer Research 27:209. Nili et al. (2014), PLoS Computational Biology 10:e1003553.
    """
    check_option("method", method, MEASURES)
    check_option("missing", missing, ("raise", "drop"))
    if n < 1:
        raise DataError(f"n must be at least 1 shuffle, got {n}")
    predicted, measured = as_rdms(models, "models"), as_rdms(data, "data")
    kept = shared_pairs(missing, predicted, measured)
    score = compare_stacks(predicted, measured, method, kept).mean(axis=1)
    null = _null(predicted, measured, method, kept, n, np.random.default_rng(random_state))
    reached = np.sum(null >= score - _TIE, axis=0)
    return np.where(np.isnan(score), np.nan, (1.0 + reached) / (1.0 + n))


def _null(models: Floats, data: Floats, measure: str, kept: Masks, n: int, rng: np.random.Generator) -> Floats:
    """Scores of shuffled data, shape (n, n_models)."""
    from tqdm.auto import tqdm

    size = data.shape[1]
    rounds = tqdm(range(n), desc="shuffled conditions", disable=n * size**2 * len(data) < 10**8, leave=False)
    if measure == "tau_a" or kept.sum() < size * (size - 1):
        orders = (rng.permutation(size) for _ in rounds)
        return np.array([_shuffled_score(models, data, measure, kept, order) for order in orders])
    # a similarity is an inner product, so that the mean over subjects is one with the mean of their points
    points, mean = [squares_of_points(embed(side, measure, kept), measure, kept) for side in (models, data)]
    points, mean = points.reshape(len(models), -1), mean.mean(axis=0)
    null = np.empty((n, len(models)))
    for row in rounds:
        order = rng.permutation(size)
        null[row] = points @ mean[np.ix_(order, order)].ravel()
    return null


def _shuffled_score(models: Floats, data: Floats, measure: str, kept: Masks, order: NDArray[np.int64]) -> Floats:
    """Pairs that are missing move with their conditions, and those that then meet a missing pair are left out."""
    moved = kept[np.ix_(order, order)] & kept
    return np.asarray(compare_stacks(models, data[:, order][:, :, order], measure, moved).mean(axis=1), np.float64)


def bootstrap_variances(
    models: Floats,
    data: Floats,
    measure: str,
    kept: Masks,
    *,
    over: Literal["both", "stimuli", "subjects"],
    n: int,
    rng: np.random.Generator,
) -> Variances:
    r"""Variance of mean scores when stimuli, subjects, or both are drawn again.

    A stimulus that is drawn twice makes pairs of itself; these have no distance and are left out. Drawing both at once counts
    the interaction of subjects and stimuli three times, so the variances are combined as

    .. math:: a V_{subjects} + b V_{stimuli} - a b (V_{both} - V_{subjects} - V_{stimuli})

    with a = s / (s - 1) for s subjects and b = c / (c - 1) for c stimuli, and never below either of the first two (Schütt et
    al. 2023, eLife 12:e82566).

    Parameters
    ----------
    models : array of shape (n_models, n_conditions, n_conditions)
        Model RDMs.
    data : array of shape (n_subjects, n_conditions, n_conditions)
        Measured RDMs.
    measure : str
        Measure of `compare_rdms`.
    kept : array of bool of shape (n_conditions, n_conditions)
        Pairs that count.
    over : {"both", "stimuli", "subjects"}
        What is drawn again.
    n : int
        Number of draws.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    Variances
        Of models and of their differences.

    Raises
    ------
    DataError
        If a model does not vary in most draws.
    """
    n_subjects, n_conditions = data.shape[:2]
    of_subjects, of_stimuli = n_subjects / max(n_subjects - 1, 1), n_conditions / (n_conditions - 1)
    weights = rng.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), n) / n_subjects
    by_subject = [of_subjects * spread for spread in _spread(weights @ compare_stacks(data, models, measure, kept))]
    if over == "subjects":
        return Variances(by_subject[0], by_subject[1], n_subjects - 1, n)
    drawn = _stimulus_draws(models, data, measure, kept, n, rng)
    used = np.isfinite(drawn).all(axis=(1, 2))
    if used.mean() < 1 - _MOST_UNDEFINED:
        raise DataError(
            f"some model does not vary in {int((~used).sum())} of {n} draws of {n_conditions} conditions: leave it out, or "
            "resample subjects only"
        )
    by_stimulus = [of_stimuli * spread for spread in _spread(drawn[used].mean(axis=1))]
    if over == "stimuli":
        return Variances(by_stimulus[0], by_stimulus[1], n_conditions - 1, int(used.sum()))
    by_both = _spread(np.einsum("bs,bsm->bm", weights[used], drawn[used]))
    combined = [_combined(*three, of_subjects, of_stimuli) for three in zip(by_subject, by_stimulus, by_both, strict=True)]
    return Variances(combined[0], combined[1], min(n_subjects, n_conditions) - 1, int(used.sum()))


def _spread(scores: Floats) -> tuple[Floats, Floats]:
    """Variance over draws of each model, and of each difference."""
    covariance = np.atleast_2d(np.cov(scores, rowvar=False))
    variance = covariance.diagonal()
    return variance, np.maximum(variance + variance[:, None] - 2 * covariance, 0)


def _combined(subjects: Floats, stimuli: Floats, both: Floats, of_subjects: float, of_stimuli: float) -> Floats:
    """Variance over both from the corrected variances over each, and the raw one over both."""
    interaction = of_subjects * of_stimuli * (both - subjects / of_subjects - stimuli / of_stimuli)
    return np.asarray(np.maximum(subjects + stimuli - np.maximum(interaction, 0), np.maximum(subjects, stimuli)), np.float64)


def _stimulus_draws(models: Floats, data: Floats, measure: str, kept: Masks, n: int, rng: np.random.Generator) -> Floats:
    """Scores of each subject and model on stimuli drawn with replacement, shape (n, n_subjects, n_models)."""
    from tqdm.auto import tqdm

    size = data.shape[1]
    scores = np.full((n, len(data), len(models)), np.nan)
    for row in tqdm(range(n), desc="bootstrap", disable=n * size**2 * (len(data) + len(models)) < 10**8, leave=False):
        order = np.sort(rng.integers(size, size=size))
        pairs = kept[np.ix_(order, order)] & (order != order[:, None])
        if pairs.sum() >= 6:
            parts = [stack[:, order][:, :, order] for stack in (data, models)]
            scores[row] = compare_stacks(parts[0], parts[1], measure, pairs)
    return scores
