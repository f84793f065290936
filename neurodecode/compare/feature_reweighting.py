"""Feature-reweighted RSA: how much of each feature's RDM a brain shows, fitted and scored on different stimuli and subjects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.compare.rdm_comparison import compare_stacks
from neurodecode.compare.rdm_design import Codes, Floats
from neurodecode.compare.rdm_embedding import MEASURES, Measure, as_rdms, embed, shared_pairs
from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

Pairs = NDArray[np.bool_]
_FEWEST = 4  # stimuli of a test fold: six pairs


@dataclass(frozen=True, eq=False, repr=False)
class ReweightedRsa:
    """How well a weighted sum of RDMs explains measured ones on stimuli and subjects that it was not fitted on.

    Parameters
    ----------
    components : list of str
        Names of the RDMs that are weighted.
    measure : str
        How RDMs were compared (see `compare_rdms`).
    score : float
        Mean of `fold_scores`.
    fold_scores : array of shape (n_repeats, n_subject_folds, n_stimulus_folds)
        Score on the pairs of held-out stimuli in held-out subjects.
    baseline : float
        The same for the sum of all components with equal weights: what weighting must beat.
    baseline_fold_scores : array of shape (n_repeats, n_subject_folds, n_stimulus_folds)
        The baseline of each fold.
    weights : array of shape (n_components,)
        Mean over folds of the weights, each scaled to a sum of 1: shares of the components, each at unit length.
    fold_weights : array of shape (n_repeats, n_subject_folds, n_stimulus_folds, n_components)
        The weights of each fold.
    split : str
        One sentence: what was held out.
    chance, best : float
        Value of the measure without any information, and of equal RDMs.
    settings : dict
        Arguments as they were used.
    notes : list of str
        What the reader must know.
    """

    components: list[str]
    measure: str
    score: float
    fold_scores: Floats
    baseline: float
    baseline_fold_scores: Floats
    weights: Floats
    fold_weights: Floats
    split: str
    chance: float = 0.0
    best: float = 1.0
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per fold.

        Returns
        -------
        DataFrame
            ``repeat``, ``subject_fold``, ``stimulus_fold``, ``score``, ``baseline`` and ``weight:NAME`` of each component.
        """
        index = pd.MultiIndex.from_product(
            [range(n) for n in self.fold_scores.shape], names=["repeat", "subject_fold", "stimulus_fold"]
        )
        weights = self.fold_weights.reshape(-1, len(self.components))
        table = pd.DataFrame({"score": self.fold_scores.ravel(), "baseline": self.baseline_fold_scores.ravel()}, index=index)
        shares = {f"weight:{name}": weights[:, i] for i, name in enumerate(self.components)}
        return table.assign(**shares).reset_index()

    def __repr__(self) -> str:
        best = np.argsort(-self.weights)[:3]
        shares = ", ".join(f"{self.components[i]} {self.weights[i]:.2f}" for i in best)
        return (
            f"<ReweightedRsa of {len(self.components)} components: {self.measure} {self.score:.3f}, chance {self.chance:g}, "
            f"equal weights {self.baseline:.3f}; largest shares {shares}\n  {self.split}>"
        )


def feature_rdms(features: Responses | ArrayLike, groups: ArrayLike | None = None) -> Floats:
    """One RDM per feature, or per group of features: squared differences, summed within a group.

    With non-negative weights on these the weighted squared Euclidean distance between stimuli is any that weighting the
    features can reach.

    Parameters
    ----------
    features : Responses or array_like of shape (n_conditions, n_features)
        Features of each condition, in the order of the measured RDMs.
    groups : array_like of shape (n_features,), optional
        Group of each feature; by default each is its own. Groups are sorted.

    Returns
    -------
    array of shape (n_groups, n_conditions, n_conditions)
        RDMs; they take 8 n_groups n_conditions^2 bytes.

    Raises
    ------
    DataError
        If features are not finite, or groups have another length.
    """
    values = features.matrix() if isinstance(features, Responses) else np.asarray(features)
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise DataError(f"features must be finite numbers of shape (n_conditions, n_features), got shape {values.shape}")
    codes = np.arange(values.shape[1]) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if codes.shape != (values.shape[1],):
        raise DataError(f"groups must name the group of each of {values.shape[1]} features, got shape {codes.shape}")
    values = values - values.mean(axis=0)
    found = np.empty((int(codes.max()) + 1, len(values), len(values)))
    for group in range(len(found)):
        part = values[:, codes == group]
        power = np.sum(part**2, axis=1)
        found[group] = np.maximum(power + power[:, None] - 2 * part @ part.T, 0)
        np.fill_diagonal(found[group], 0)
    return found


def reweighted_rsa(
    components: ArrayLike,
    data: ArrayLike,
    method: Measure = "pearson",
    *,
    names: list[str] | None = None,
    n_stimulus_folds: int = 3,
    n_subject_folds: int | None = None,
    n_repeats: int = 10,
    stimulus_groups: ArrayLike | None = None,
    random_state: int = 0,
) -> ReweightedRsa:
    r"""Fit non-negative weights of RDMs and score their sum on other stimuli and other subjects.

    On the pairs of training stimuli, and the mean of the training subjects (each scaled to one length), the weights
    minimise :math:`|y - \sum_k w_k x_k|^2` with :math:`w_k \ge 0`; for correlations all sides are centred over pairs, for
    whitened measures the norm is that of V^-1. The score is the mean similarity of the weighted sum with each test subject on
    pairs of which *both* stimuli are new. Stimuli have no order in time, so they are dealt into folds at random; what belongs
    together (several pictures of one object) is kept together by `stimulus_groups`.

    Parameters
    ----------
    components : array_like of shape (n_components, n_conditions, n_conditions)
        RDMs to weight, e.g. of `feature_rdms` or of the layers of a network.
    data : array_like of shape (n_subjects, n_conditions, n_conditions)
        Measured RDMs; one alone is split over stimuli only.
    method : str
        Measure of `compare_rdms`. Weights for ``spearman``, ``rho_a`` and ``tau_a`` are those for ``pearson``.
    names : list of str, optional
        Names of the components.
    n_stimulus_folds : int
        Folds of stimuli; each must hold at least four.
    n_subject_folds : int, optional
        Folds of subjects; by default each subject is one.
    n_repeats : int
        How often stimuli are dealt anew.
    stimulus_groups : array_like of shape (n_conditions,), optional
        Stimuli of one group are never on both sides.
    random_state : int
        Seed of the folds.

    Returns
    -------
    ReweightedRsa
        Scores, the baseline of equal weights, and weights.

    Raises
    ------
    DataError
        If RDMs do not fit each other, pairs are missing, or folds are too small.

    References
    ----------
    Khaligh-Razavi and Kriegeskorte (2014), PLoS Computational Biology 10:e1003915. Kaniuth and Hebart (2022), NeuroImage
    257:119294.
    """
    check_option("method", method, MEASURES)
    parts, measured = as_rdms(components, "components"), as_rdms(data, "data")
    shared_pairs("raise", parts, measured)
    shown = [f"component{i}" for i in range(len(parts))] if names is None else list(names)
    if len(shown) != len(parts):
        raise DataError(f"names must name {len(parts)} components, got {len(shown)}")
    rng = np.random.default_rng(random_state)
    groups = _groups(stimulus_groups, parts.shape[1])
    subjects = _subject_folds(len(measured), n_subject_folds, rng)
    folds = [_stimulus_folds(groups, n_stimulus_folds, rng) for _ in range(n_repeats)]
    parts = _unit(parts)
    found = [[[_fold(parts, measured, s, f, method) for f in repeat] for s in subjects] for repeat in folds]
    scores, baseline, weights = (np.array([[[f[i] for f in s] for s in r] for r in found]) for i in range(3))
    return ReweightedRsa(
        components=shown,
        measure=method,
        score=float(scores.mean()),
        fold_scores=scores,
        baseline=float(baseline.mean()),
        baseline_fold_scores=baseline,
        weights=weights.mean(axis=(0, 1, 2)),
        fold_weights=weights,
        split=_split_text(len(measured), len(subjects), n_stimulus_folds, n_repeats),
        settings={"n_stimulus_folds": n_stimulus_folds, "n_subject_folds": len(subjects), "n_repeats": n_repeats}
        | {"random_state": random_state},
        notes=[] if len(measured) > 1 else ["one RDM: weights were fitted and scored on the same subject"],
    )


def non_negative_weights(components: Floats, target: Floats, method: str, kept: Pairs) -> Floats:
    """Non-negative weights of RDMs whose sum comes closest to a target RDM.

    Parameters
    ----------
    components : array of shape (n_components, n_conditions, n_conditions)
        RDMs.
    target : array of shape (n_conditions, n_conditions)
        The RDM to explain.
    method : str
        Measure that decides on centring and norm; the scale of the target does not matter.
    kept : array of bool of shape (n_conditions, n_conditions)
        Pairs that count.

    Returns
    -------
    array of shape (n_components,)
        Weights of sum 1; equal ones where no component helps.
    """
    from scipy.optimize import nnls

    linear = method if method in ("cosine", "whitened_cosine", "whitened_correlation") else "pearson"
    points = embed(np.concatenate([components, target[None]]), linear, kept, normed=False)
    # the same least squares with as many rows as there are columns
    triangle: Floats = np.asarray(np.linalg.qr(points.T, mode="r"))
    weights = nnls(triangle[:, :-1], triangle[:, -1])[0]
    total = float(weights.sum())
    return np.asarray(weights / total if total > 0 else np.full(len(components), 1 / len(components)), np.float64)


def _fold(parts: Floats, measured: Floats, test_subjects: Codes, test: Codes, method: str) -> tuple[float, float, Floats]:
    """Score, baseline and weights of one fold."""
    train = np.setdiff1d(np.arange(parts.shape[1]), test)
    fitted = np.setdiff1d(np.arange(len(measured)), test_subjects) if len(measured) > 1 else test_subjects
    teachers = measured[fitted][:, train][:, :, train]
    target = np.mean(_unit(teachers), axis=0)
    weights = non_negative_weights(parts[:, train][:, :, train], target, method, ~np.eye(len(train), dtype=bool))
    held = parts[:, test][:, :, test]
    models = np.stack([np.tensordot(weights, held, 1), held.mean(axis=0)])
    scores = compare_stacks(models, measured[test_subjects][:, test][:, :, test], method, ~np.eye(len(test), dtype=bool))
    return float(scores[0].mean()), float(scores[1].mean()), weights


def _unit(rdms: Floats) -> Floats:
    """RDMs of length 1; one of zeros stays."""
    return np.asarray(rdms / np.maximum(np.linalg.norm(rdms, axis=(1, 2)), np.finfo(float).tiny)[:, None, None], np.float64)


def _groups(groups: ArrayLike | None, n: int) -> Codes:
    codes = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if codes.shape != (n,):
        raise DataError(f"stimulus_groups must name the group of each of {n} stimuli, got shape {codes.shape}")
    return codes.astype(np.int64)


def _stimulus_folds(groups: Codes, n_folds: int, rng: np.random.Generator) -> list[Codes]:
    n_groups = int(groups.max()) + 1
    if not 2 <= n_folds <= n_groups:
        raise DataError(f"n_stimulus_folds must lie between 2 and {n_groups} (groups of stimuli), got {n_folds}")
    dealt = np.empty(n_groups, np.int64)
    dealt[rng.permutation(n_groups)] = np.arange(n_groups) % n_folds
    folds = [np.flatnonzero(dealt[groups] == fold) for fold in range(n_folds)]
    smallest, largest = min(map(len, folds)), max(map(len, folds))
    if smallest < _FEWEST or len(groups) - largest < _FEWEST:
        raise DataError(
            f"{n_folds} folds of {len(groups)} stimuli leave {smallest} to score and {len(groups) - largest} to fit, at least "
            f"{_FEWEST} of each are needed: use fewer folds"
        )
    return folds


def _subject_folds(n_subjects: int, n_folds: int | None, rng: np.random.Generator) -> list[Codes]:
    if n_subjects == 1 and n_folds in (None, 1):
        return [np.zeros(1, np.int64)]
    count = n_subjects if n_folds is None else n_folds
    if not 2 <= count <= n_subjects:
        raise DataError(f"n_subject_folds must lie between 2 and {n_subjects} (subjects), got {n_folds}")
    return [np.sort(part) for part in np.array_split(rng.permutation(n_subjects), count)]


def _split_text(n_subjects: int, n_subject_folds: int, n_stimulus_folds: int, n_repeats: int) -> str:
    stimuli = f"{n_stimulus_folds} random folds of stimuli, dealt {n_repeats} times; pairs with both stimuli held out"
    if n_subjects == 1:
        return f"{stimuli}; one subject, the same on both sides"
    return f"{stimuli}, in subjects held out in {n_subject_folds} folds"
