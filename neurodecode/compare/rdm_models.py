"""Several models against the RDMs of a group, with everything that a table in a paper needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.compare.rdm_comparison import compare_stacks
from neurodecode.compare.rdm_design import Floats
from neurodecode.compare.rdm_embedding import MEASURES, Measure, as_rdms, shared_pairs
from neurodecode.compare.rdm_inference import Missing, Variances, bootstrap_variances, rdm_ceiling, rdm_permutation_test
from neurodecode.compare.rdm_result import RdmComparison
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.metrics import false_discovery_rate

Pairs = NDArray[np.bool_]
_POPULATIONS = {
    "both": "new stimuli and new subjects",
    "stimuli": "new stimuli, these subjects",
    "subjects": "new subjects, these stimuli",
}


def compare_models(
    models: Mapping[str, ArrayLike],
    data: ArrayLike,
    method: Measure = "spearman",
    *,
    over: Literal["both", "stimuli", "subjects"] | None = None,
    test: Literal["bootstrap", "permutation"] = "bootstrap",
    n_bootstrap: int = 1000,
    n_permutations: int = 1000,
    correction: Literal["bh", "by"] = "bh",
    level: float = 0.95,
    pool: Literal["normalised", "mean"] = "normalised",
    missing: Missing = "raise",
    random_state: int = 0,
) -> RdmComparison:
    """Score models on the RDMs of a group, against chance, each other and the noise ceiling.

    The score of a model is its mean similarity with the RDM of each subject. Its standard error comes from the bootstrap over
    stimuli, subjects or both (see `bootstrap_variances`); interval and p values from Student's t with that error and the fewer
    of the resampled units minus 1 as degrees of freedom. Nothing of the models is fitted here: for models with weights see
    `reweighted_rsa`.

    Parameters
    ----------
    models : mapping of str to array_like of shape (n_conditions, n_conditions)
        Model RDMs by name.
    data : array_like of shape (n_subjects, n_conditions, n_conditions)
        Measured RDMs, subjects on the first axis. One RDM of shape (n_conditions, n_conditions) has no ceiling and can be
        resampled over stimuli only.
    method : str
        Measure of `compare_rdms`.
    over : {"both", "stimuli", "subjects"}, optional
        What is resampled, and so what results generalise to. By default both, or stimuli where there is one subject.
    test : {"bootstrap", "permutation"}
        Where `p` comes from: the bootstrap, or shuffled conditions (`rdm_permutation_test`), which is silent about new subjects
        and stimuli. Models are always compared by the bootstrap.
    n_bootstrap, n_permutations : int
        Number of draws and of shuffles.
    correction : {"bh", "by"}
        False discovery rate of Benjamini and Hochberg, or of Benjamini and Yekutieli.
    level : float
        Coverage of the interval.
    pool : {"normalised", "mean"}
        How subjects are pooled for the ceiling.
    missing : {"raise", "drop"}
        What to do about pairs that are NaN in any RDM: refuse them, or leave them out of all.
    random_state : int
        Seed of draws and shuffles.

    Returns
    -------
    RdmComparison
        Scores, intervals, p values, ceilings and notes.

    Raises
    ------
    DataError
        If RDMs do not fit each other, or a setting is out of range.

    References
    ----------
    Nili et al. (2014), PLoS Computational Biology 10:e1003553. Schütt et al. (2023), eLife 12:e82566.
    """
    _check(method, over, test, missing, level, n_bootstrap)
    measured, predicted = as_rdms(data, "data"), _named_rdms(models)
    resampled = _resampled(over, len(measured))
    kept = shared_pairs(missing, predicted, measured)
    scores = compare_stacks(measured, predicted, method, kept)
    seeds = [np.random.default_rng([random_state, part]) for part in range(2)]
    draws = bootstrap_variances(predicted, measured, method, kept, over=resampled, n=n_bootstrap, rng=seeds[0])
    permuted = None
    if test == "permutation":
        permuted = rdm_permutation_test(predicted, measured, method, n=n_permutations, random_state=seeds[1], missing=missing)
    low, high = _ceiling(measured, method, kept, pool)
    return RdmComparison(
        models=[str(name) for name in models],
        measure=method,
        score=scores.mean(axis=0),
        subject_scores=scores,
        ceiling_low=low,
        ceiling_high=high,
        **_tests(scores.mean(axis=0), draws, permuted, level, correction),
        level=level,
        test=_test_name(test, n_permutations, n_bootstrap, resampled),
        generalises_to=_POPULATIONS[resampled],
        n_conditions=len(kept),
        n_pairs=int(kept.sum()) // 2,
        settings={"over": resampled, "n_bootstrap": n_bootstrap, "correction": correction, "pool": pool, "missing": missing},
        seeds={"random_state": random_state},
        notes=_notes(measured, predicted, kept, draws, n_bootstrap, method),
    )


def _check(method: str, over: str | None, test: str, missing: str, level: float, n_bootstrap: int) -> None:
    check_option("method", method, MEASURES)
    check_option("over", over, (None, *_POPULATIONS))
    check_option("test", test, ("bootstrap", "permutation"))
    check_option("missing", missing, ("raise", "drop"))
    if not 0 < level < 1 or n_bootstrap < 2:
        raise DataError(f"level must lie between 0 and 1 and n_bootstrap be at least 2, got {level} and {n_bootstrap}")


def _ceiling(measured: Floats, method: Measure, kept: Pairs, pool: Literal["normalised", "mean"]) -> tuple[float, float]:
    """Bounds on the pairs that the models were scored on."""
    if len(measured) < 2:
        return float("nan"), float("nan")
    ceiling = rdm_ceiling(np.where(kept, measured, np.nan), method, pool=pool, missing="drop")
    return ceiling.lower, ceiling.upper


def _named_rdms(models: Mapping[str, ArrayLike]) -> Floats:
    if not isinstance(models, Mapping) or not models:
        raise DataError(f"models must be RDMs by name, got {type(models).__name__} of length {len(models)}: {{'name': rdm, ...}}")
    stacks = [as_rdms(model, f"model {name!r}") for name, model in models.items()]
    shapes = {name: stack.shape for name, stack in zip(models, stacks, strict=True)}
    if len(set(shapes.values())) > 1 or len(stacks[0]) > 1:
        raise DataError(f"models must be one RDM each, of the same conditions, got shapes {shapes}")
    return np.concatenate(stacks)


def _resampled(over: str | None, n_subjects: int) -> Literal["both", "stimuli", "subjects"]:
    if over in ("both", "subjects") and n_subjects < 2:
        raise DataError(f"over={over!r} draws subjects again, and there is {n_subjects}: pass over='stimuli'")
    return over or ("both" if n_subjects > 1 else "stimuli")  # type: ignore[return-value]


def _tests(
    score: Floats, draws: Variances, permuted: Floats | None, level: float, correction: Literal["bh", "by"]
) -> dict[str, Any]:
    """Interval, p and q of each model, and of each pair of models."""
    from scipy.stats import t

    error = np.sqrt(draws.models)
    half = t.ppf((1 + level) / 2, draws.dof) * error
    p = t.sf(_ratio(score, error), draws.dof) if permuted is None else permuted
    difference = np.abs(score - score[:, None])
    pair_p = np.minimum(2 * t.sf(_ratio(difference, np.sqrt(draws.differences)), draws.dof), 1)
    np.fill_diagonal(pair_p, np.nan)
    upper = np.triu_indices(len(score), 1)
    pair_q = np.full_like(pair_p, np.nan)
    pair_q[upper] = pair_q.T[upper] = false_discovery_rate(pair_p[upper], correction)
    ci = np.stack([score - half, score + half], axis=1)
    return {"ci": ci, "p": p, "q": false_discovery_rate(p, correction), "pair_p": pair_p, "pair_q": pair_q}


def _ratio(value: Floats, error: Floats) -> Floats:
    """Value in standard errors; equal models have no difference and no error, which is 0."""
    return np.divide(value, error, out=np.where(value == 0, 0.0, np.copysign(np.inf, value)), where=error > 0)


def _test_name(test: str, n_permutations: int, n_bootstrap: int, over: str) -> str:
    if test == "permutation":
        return f"{n_permutations} shuffles of the conditions, one-sided"
    resampled = "stimuli and subjects" if over == "both" else over
    return f"t test with the standard error of {n_bootstrap} draws over {resampled}, one-sided"


def _notes(measured: Floats, predicted: Floats, kept: Pairs, draws: Variances, n_bootstrap: int, measure: str) -> list[str]:
    notes = []
    n_lost = (kept.size - len(kept) - int(kept.sum())) // 2
    if n_lost:
        notes.append(f"{n_lost} pairs of conditions are missing in some RDM and were left out of all")
    if len(measured) == 1:
        notes.append("one RDM: no ceiling, and nothing generalises to other subjects")
    elif len(measured) < 5:
        notes.append(f"{len(measured)} subjects: the variance over subjects is itself badly known")
    if draws.n_used < n_bootstrap:
        notes.append(f"{n_bootstrap - draws.n_used} of {n_bootstrap} draws are left out: some model did not vary in them")
    tied = [len(np.unique(model[kept])) < 0.1 * kept.sum() / 2 for model in predicted]
    if measure == "spearman" and any(tied):
        notes.append(f"{sum(tied)} models predict many ties, which Spearman favours: compare by 'rho_a' or 'tau_a'")
    return notes
