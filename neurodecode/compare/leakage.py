"""Does a split leak? Features without any stimulus, scored under the split that a model is to be scored with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.responses import Responses
from neurodecode.data.splits import Split, group_rows
from neurodecode.data.validate import check_length
from neurodecode.errors import DataError, LeakWarning
from neurodecode.linear import RidgeCV
from neurodecode.linear.delays import run_of
from neurodecode.linear.folds import DEFAULT_GAP, resolve_folds
from neurodecode.metrics.regression import pearson_r
from neurodecode.simulate.null_features import ar_features, oasm
from neurodecode.simulate.truth import item_generator

THRESHOLD = 0.02
_CERTAINTY = {"OASM": 0.975, "AR noise": 0.999}  # of a mean over folds, one-sided; noise fits by luck where targets are alike
_MOST_INNER = 5
_NEAR = 5  # samples
_CONSTANT = 1e-9  # of the size of the responses; predictions that vary less are the training mean
_Floats = NDArray[np.float64]

REFERENCE = (  # mean r of 600 samples of autoregressive responses, features without any stimulus, 5 folds
    ("OASM", 0.5, 0.53, 0.045, 0.003),
    ("OASM", 0.8, 0.83, 0.116, -0.003),
    ("OASM", 0.9, 0.92, 0.150, 0.001),
    ("AR noise", 0.8, 0.72, 0.028, 0.004),
    ("AR noise", 0.9, 0.86, 0.078, 0.007),
)


@dataclass(frozen=True, eq=False, repr=False)
class LeakageResult:
    """What features without any stimulus predict under a split.

    Parameters
    ----------
    scores : dict of str to array of shape (n_folds, n_targets)
        Correlation on held-out samples by features: ``OASM``, ``AR noise``, and ``yours`` where features were given. A
        constant prediction scores 0. Chance 0; both of the first are at chance unless the split leaks.
    threshold : float
        Mean r above which a split leaks, if it is also sure over folds.
    exposed : float
        Share of held-out samples with a training sample of their own run within 5 samples.
    split : str
        One sentence: what was held out.
    fold_names : list of str
        What each fold held out.
    notes : list of str
        What the reader must know.
    settings : dict
        Arguments as they were used.
    """

    scores: dict[str, _Floats]
    threshold: float
    exposed: float
    split: str
    fold_names: list[str]
    notes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def oasm_r(self) -> float:
        """Mean r of the smoothed identity over folds and targets."""
        return float(self.scores["OASM"].mean())

    @property
    def ar_r(self) -> float:
        """Mean r of autoregressive noise over folds and targets."""
        return float(self.scores["AR noise"].mean())

    @property
    def leaks(self) -> bool:
        """Whether either lies above the threshold, by more than folds differ."""
        return any(_above(self.scores[name], self.threshold, certainty) for name, certainty in _CERTAINTY.items())

    @property
    def reference(self) -> pd.DataFrame:
        """Mean r on simulated responses (600 samples, AR(1) noise): shuffled rows, blocks, and blocks with a gap of 20."""
        return pd.DataFrame(REFERENCE, columns=["features", "coefficient", "shuffled", "contiguous", "contiguous_gap"])

    def to_dataframe(self) -> pd.DataFrame:
        """One row per kind of features.

        Returns
        -------
        DataFrame
            ``features``, mean ``r``, ``sem`` over folds, ``chance`` and ``leaks`` (never for your own features).
        """
        leaks = {name: _above(self.scores[name], self.threshold, certainty) for name, certainty in _CERTAINTY.items()}
        rows = [(name, float(r.mean()), _sem(r), 0.0, leaks.get(name, False)) for name, r in self.scores.items()]
        return pd.DataFrame(rows, columns=["features", "r", "sem", "chance", "leaks"])

    def __repr__(self) -> str:
        verdict = "leaks" if self.leaks else "does not leak"
        return f"<LeakageResult: the split {verdict}; OASM r = {self.oasm_r:.3f}, AR noise r = {self.ar_r:.3f}; {self.split}>"


def leakage_check(
    brain: Any,
    *,
    cv: Any = None,
    groups: ArrayLike | None = None,
    gap: int | None = None,
    features: Any = None,
    sigma: float = 2.0,
    coefficient: float = 0.8,
    n_features: int = 300,
    threshold: float = THRESHOLD,
    max_targets: int = 500,
    random_state: int = 0,
) -> LeakageResult:
    """Score features that know nothing of the stimulus under the split that a model is to be scored with.

    Two kinds: an identity matrix smoothed within runs (OASM: Feghhi et al. 2024, arXiv 2406.01538), and autoregressive noise.
    Ridge regression takes its penalty on folds of the same kind within the training part. Where neighbouring rows stand on both
    sides, as with shuffled rows, both predict the responses well, and so would any model that varies smoothly in time.

    The correlation is found per fold and then averaged. Pooled over folds, even a prediction without information would score
    below 0, since the training mean is low where the held-out mean is high. A constant prediction has no correlation and counts
    as 0, which is what OASM gets from whole runs and from blocks with a gap.

    Reference, mean r on 600 samples of autoregressive responses with coefficient .8: OASM .83 with shuffled rows, .116 with
    contiguous blocks, -.003 with a gap of 20; noise .72, .028, .004 (`LeakageResult.reference` has more). In data that were
    published with shuffled splits, OASM reached .45 (Pereira2018), .27 (Fedorenko2016) and .50 (Blank2014) against .40, .26 and
    .05 for GPT2-XL; with contiguous folds .00 against .14, .20 and .03.

    Parameters
    ----------
    brain : Responses or array_like of shape (n_samples,) or (n_samples, n_targets)
        Responses in temporal order within each run. Targets with NaN are left out.
    cv : int, splitter or iterable of (train, test), optional
        The split to check, as `encode` and `RidgeCV` take it; by default theirs.
    groups : array_like of shape (n_samples,), optional
        Run of each sample; by default the runs of `Responses`, or one run.
    gap : int, optional
        Samples left out around a block of a single run, as in `RidgeCV`.
    features : Responses or array_like of shape (n_samples, n_features), optional
        Features of your own (delayed already), scored beside.
    sigma : float
        Smoothing of OASM in samples.
    coefficient : float
        Autoregressive coefficient of the noise, between -1 and 1.
    n_features : int
        Number of noise features.
    threshold : float
        Mean r above which the split leaks, if the lower end of its interval over folds is above 0 too (one-sided, 97.5 % for OASM
        and 99.9 % for noise, which fits by luck where targets are alike).
    max_targets : int
        Targets that are drawn where there are more. Time grows with the cube of the number of samples.
    random_state : int
        Seed of noise and targets.

    Returns
    -------
    LeakageResult
        Scores and verdict.

    Raises
    ------
    DataError
        If no target is without NaN, or shapes do not fit.
    SplitLeakError
        If a sample stands on both sides of a fold.

    Warns
    -----
    LeakWarning
        If the split leaks, with the figures and what to do.
    """
    groups = run_of(groups, brain)
    y, notes = _targets(brain, max_targets, random_state)
    folds = resolve_folds(len(y), groups, cv, gap)
    noise = item_generator(random_state, "noise features")  # not the numbers of responses simulated with the same seed
    spaces = {
        "OASM": oasm(len(y), groups, sigma=sigma),
        "AR noise": ar_features(len(y), n_features, coefficients=coefficient, groups=groups, random_state=noise),
    }
    if features is not None:
        spaces["yours"] = _matrix(features)
        check_length("features", len(spaces["yours"]), len(y), "sample of the brain")
    settings = {"sigma": sigma, "coefficient": coefficient, "n_features": n_features, "gap": gap, "random_state": random_state}
    result = LeakageResult(
        scores={name: _score(x, y, folds, groups) for name, x in spaces.items()},
        threshold=threshold,
        exposed=_exposed(len(y), folds, groups),
        split=_describe(cv, folds, groups),
        fold_names=[split.name for split in folds],
        notes=notes + _order_notes(brain, folds),
        settings=settings,
    )
    if result.exposed > 0.5 and not result.leaks:
        result.notes.append(
            f"{result.exposed:.0%} of held-out samples have a training sample of their run nearby; these responses are not alike "
            "from one sample to the next, others may be"
        )
    if result.leaks:
        warnings.warn(_message(result), LeakWarning, stacklevel=2)
    return result


def _matrix(data: Any) -> _Floats:
    """Responses or an array as (n_samples, n_columns), float64 so that a constant prediction is seen to be one."""
    values = data.matrix() if isinstance(data, Responses) else np.asarray(data)
    if values.ndim < 1 or not values.size:
        raise DataError(f"needs samples and targets, got shape {values.shape}")
    return np.asarray(values, np.float64).reshape(len(values), -1)


def _targets(brain: Any, max_targets: int, random_state: int) -> tuple[_Floats, list[str]]:
    """Targets without NaN that vary, no more than wanted."""
    every = brain.matrix() if isinstance(brain, Responses) else np.asarray(brain)
    every = every.reshape(len(every), -1) if every.ndim else every.reshape(1, 1)
    usable = np.flatnonzero(np.isfinite(every).all(axis=0) & (np.ptp(every, axis=0) > 0))
    if not usable.size:
        raise DataError(f"none of the {every.shape[1]} targets varies and is without NaN: give the samples that were recorded")
    notes = (
        [] if usable.size == every.shape[1] else [f"{every.shape[1] - usable.size} targets are constant or hold NaN: left out"]
    )
    if usable.size > max_targets:
        notes.append(f"{max_targets} of {usable.size} targets drawn at random")
        usable = np.sort(np.random.default_rng(random_state).choice(usable, max_targets, replace=False))
    return _matrix(every[:, usable]), notes


def _score(x: _Floats, y: _Floats, folds: Sequence[Split], groups: ArrayLike | None) -> _Floats:
    """Held-out correlation per fold and target; a constant prediction scores 0."""
    runs = None if groups is None else np.asarray(groups)
    scores = []
    for k, split in enumerate(folds):
        inner = _inner_folds(folds, k)
        model = RidgeCV(cv=inner or None)
        model.fit(x[split.train], y[split.train], None if inner or runs is None else runs[split.train])
        predicted = model.predict(x[split.test])
        constant = np.ptp(predicted, axis=0) <= _CONSTANT * np.abs(y).max(axis=0)
        if len(split.test) < 2:
            raise DataError(f"fold {split.name} holds out {len(split.test)} sample, a correlation needs two: take longer blocks")
        scores.append(np.where(constant, 0.0, np.nan_to_num(pearson_r(y[split.test], predicted))))
    return np.array(scores)


def _inner_folds(folds: Sequence[Split], k: int) -> list[Split]:
    """The other folds, within the training part of fold `k`: a penalty is chosen as the split itself holds out."""
    train = np.sort(folds[k].train)
    inner: list[Split] = []
    for j, other in enumerate(folds):
        sides = [np.flatnonzero(np.isin(train, side)) for side in (other.train, other.test)]
        if j != k and min(len(sides[0]), len(sides[1])) > 1 and len(inner) < _MOST_INNER:
            inner.append(Split(sides[0], sides[1], other.name))
    return inner


def _sem(r: _Floats) -> float:
    """Standard error over folds of the mean over targets; 0 with one fold."""
    return float(r.mean(axis=1).std(ddof=1) / np.sqrt(len(r))) if len(r) > 1 else 0.0


def _above(r: _Floats, threshold: float, certainty: float) -> bool:
    """Whether a mean is above the threshold, and surely above 0."""
    from scipy.stats import t

    sure = float(t.ppf(certainty, len(r) - 1)) * _sem(r) if len(r) > 1 else 0.0
    return bool(r.mean() > max(threshold, sure))


def _exposed(n_samples: int, folds: Sequence[Split], groups: ArrayLike | None) -> float:
    """Share of held-out samples with a training sample of the same run nearby."""
    runs = np.zeros(n_samples, np.int64) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    shares = []
    for split in folds:
        near = np.zeros(len(split.test), bool)
        for shift in range(-_NEAR, _NEAR + 1):
            neighbour = split.test + shift
            inside = (neighbour >= 0) & (neighbour < n_samples)
            neighbour = np.where(inside, neighbour, split.test)
            near |= inside & np.isin(neighbour, split.train) & (runs[neighbour] == runs[split.test])
        shares.append(near.mean())
    return float(np.mean(shares))


def _describe(cv: Any, folds: Sequence[Split], groups: ArrayLike | None) -> str:
    """The split in one sentence."""
    n_runs = 1 if groups is None else len(np.unique(np.asarray(groups)))
    if cv is None or isinstance(cv, (int, np.integer)):
        return (
            f"{len(folds)} folds of whole runs ({n_runs} in all)" if n_runs > 1 else f"{len(folds)} contiguous blocks of one run"
        )
    return f"{len(folds)} folds of {type(cv).__name__}" if hasattr(cv, "split") else f"{len(folds)} folds of your own"


def _order_notes(brain: Any, folds: Sequence[Split]) -> list[str]:
    """What the tables of responses say against the split or the order of rows."""
    if not isinstance(brain, Responses):
        return []
    notes, samples = [], brain.samples
    if "onset" in samples:
        onset = samples["onset"].to_numpy(float)
        if any((np.diff(onset[rows]) < 0).any() for rows in group_rows(len(onset), run_of(None, brain))):
            notes.append(
                "rows are not in the order of their onsets within runs: sort them, or neighbours are not what is smoothed"
            )
    if "stimulus" in samples:
        names = samples["stimulus"].to_numpy()
        shared = set().union(*(set(names[split.train]) & set(names[split.test]) for split in folds))
        if shared:
            notes.append(f"{len(shared)} stimuli stand on both sides of a fold: hold out by stimulus, unless that is intended")
    return notes


def _message(result: LeakageResult) -> str:
    """The warning: figures and remedy."""
    return (
        f"features without any stimulus predict these responses under the split ({result.split}): OASM r = {result.oasm_r:.3f}, "
        f"autoregressive noise r = {result.ar_r:.3f}, expected below {result.threshold:g}; {result.exposed:.0%} of held-out "
        "samples have a training sample of their run nearby. What a model scores here may be autocorrelation: hold out whole "
        f"runs (groups=), or contiguous blocks with a gap of {DEFAULT_GAP} samples or more (cv=5, gap={DEFAULT_GAP}); never "
        "shuffle rows"
    )
