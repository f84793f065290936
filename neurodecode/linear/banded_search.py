"""Random search over the weights of bands: one factorisation per candidate, fold and penalty, and the best kept per target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.splits import Split
from neurodecode.errors import DataError
from neurodecode.linear.backend import Backend
from neurodecode.linear.banded_forms import Form
from neurodecode.linear.banded_solve import make_operators, squared_errors

_Floats = NDArray[np.float64]
_TILE_BYTES = 8 << 20  # predictions of one tile of targets stay in the cache of the processor


class Options(NamedTuple):
    """How to search."""

    backend: Backend
    """Who does the algebra."""
    coarse: bool = False
    """After the uniform and single bands try only the penalties beside the best of each target."""
    patience: int | None = None
    """Leave targets alone whose best has stood for so many candidates."""
    target_batch: int | None = None
    """Targets at a time."""
    keep_surface: bool = False
    """Keep the score of every candidate and penalty."""


class Search(NamedTuple):
    """What the search found."""

    candidate: NDArray[np.int64]
    """Best row of the candidates per target, (n_targets,)."""
    alpha: NDArray[np.int64]
    """Best penalty per target, (n_targets,)."""
    score: _Floats
    """Its R2, mean over folds, (n_targets,); NaN for targets that vary in no fold."""
    surface: NDArray[np.float32] | None
    """R2 of all, (n_candidates, n_alphas, n_targets), NaN where not tried; None unless asked for."""


def draw_candidates(
    n_bands: int, n_iter: int, concentrations: Sequence[float] = (0.1, 1.0), random_state: int | np.random.Generator = 0
) -> _Floats:
    """Weights of bands to try: all bands alike, each band alone, then draws from Dirichlet distributions.

    All bands alike is ridge regression of all features, so that the best candidate is never worse than it in cross-validation.

    Parameters
    ----------
    n_bands : int
        Number of bands.
    n_iter : int
        Number of draws.
    concentrations : sequence of float
        Concentrations, taken in turn: below 1 favours few bands, 1 is uniform over the simplex.
    random_state : int or Generator
        Seed.

    Returns
    -------
    array of shape (1 + n_bands + n_iter, n_bands)
        Rows that add up to 1; a single row for a single band.

    Raises
    ------
    DataError
        If a number is out of range.
    """
    if n_iter < 0 or not len(concentrations) or not min(concentrations) > 0:
        raise DataError(f"draws need n_iter of at least 0 and concentrations above 0, got {n_iter} and {list(concentrations)}")
    if n_bands == 1:
        return np.ones((1, 1))
    rng = np.random.default_rng(random_state)
    draws = [rng.dirichlet(np.full(n_bands, concentrations[k % len(concentrations)])) for k in range(n_iter)]
    return np.vstack([np.full((1, n_bands), 1 / n_bands), np.eye(n_bands), *draws])


def check_candidates(gammas: ArrayLike, n_bands: int) -> _Floats:
    """Check weights of bands of your own.

    Parameters
    ----------
    gammas : array_like of shape (n_candidates, n_bands)
        Weights, not negative, each row adding up to 1.
    n_bands : int
        Number of bands.

    Returns
    -------
    array of shape (n_candidates, n_bands)
        The weights.

    Raises
    ------
    DataError
        If they are none.
    """
    rows = np.asarray(gammas, float)
    if rows.ndim != 2 or rows.shape[1] != n_bands or not len(rows):
        raise DataError(f"gammas must have the shape (n_candidates, {n_bands}), got {rows.shape}")
    if not np.all(rows >= 0) or np.any(np.abs(rows.sum(axis=1) - 1) > 1e-6):
        raise DataError(f"each row of gammas must be weights of at least 0 that add up to 1, got sums {rows.sum(axis=1)}")
    return rows


def search_bands(form: Form, y: Any, folds: Sequence[Split], gammas: _Floats, alphas: _Floats, options: Options) -> Search:
    """Find the best weights of bands and penalty of each target.

    Parameters
    ----------
    form : Form
        The bands.
    y : array of shape (n_samples, n_targets)
        Targets without NaN; may be a memory map.
    folds : sequence of Split
        Rows to fit and to score on.
    gammas : array of shape (n_candidates, n_bands)
        Weights to try.
    alphas : array of shape (n_alphas,)
        Penalties to try, ascending.
    options : Options
        How to search.

    Returns
    -------
    Search
        The first of equally good candidates, and the largest of equally good penalties.
    """
    from tqdm.auto import tqdm

    targets = Targets.of(y, options.backend, form.dtype)
    form, tile = form.to(options.backend), options.target_batch or _tile(options.backend, len(alphas), folds)
    truth = [_Truth.of(y, fold) for fold in folds]
    state = _State.start(len(gammas), len(alphas), y.shape[1], options.keep_surface)
    n_first = 1 + gammas.shape[1]
    for number, gamma in enumerate(tqdm(gammas, desc="weights of bands", disable=None, delay=2.0, leave=False)):
        narrow = options.coarse and number >= n_first
        patience = options.patience if number >= n_first else None
        jobs = list(_jobs(state, len(alphas), state.active(number, patience), narrow, tile))
        if jobs:
            state.update(number, jobs, _mean_scores(form, targets, truth, gamma, alphas, jobs))
    return state.result()


class Targets(NamedTuple):
    """Targets where the algebra is done."""

    values: Any
    """(n_samples, n_targets): on a device all of them, else as they came, which may be a memory map."""
    backend: Backend
    """Who does the algebra."""
    dtype: Any
    """Precision."""

    @classmethod
    def of(cls, y: Any, backend: Backend, dtype: Any) -> Targets:
        """Bring targets to the device, if there is one.

        Parameters
        ----------
        y : array of shape (n_samples, n_targets)
            Targets; may be a memory map.
        backend : Backend
            Who does the algebra.
        dtype : numpy dtype
            Precision.

        Returns
        -------
        Targets
            Read a batch at a time by `about`.
        """
        here = isinstance(backend.asarray(np.zeros(1), dtype), np.ndarray)
        return cls(y if here else backend.asarray(y, dtype), backend, dtype)

    def about(self, mean: _Floats, targets: Any) -> Any:
        """Subtract a mean from some targets.

        Parameters
        ----------
        mean : array of shape (n_targets,)
            Mean of every target.
        targets : slice or array of int
            Which.

        Returns
        -------
        array of shape (n_samples, n_part)
            On the device, in the precision of the algebra.
        """
        part = self.values[:, targets]
        double = "32" not in str(part.dtype)
        return self.backend.asarray(part - self.backend.asarray(mean[targets], np.float64 if double else np.float32), self.dtype)


class _Job(NamedTuple):
    """Targets and the penalties to try on them."""

    targets: Any
    """Columns: a slice where they lie side by side."""
    alphas: slice
    """Penalties."""


class _Truth(NamedTuple):
    """What is known of the targets on one fold."""

    fold: Split
    """Rows."""
    mean: _Floats
    """Mean of the training samples, (n_targets,)."""
    total: _Floats
    """Sum of squares about the mean of the held-out samples, (n_targets,); 0 where they do not vary."""

    @classmethod
    def of(cls, y: Any, fold: Split) -> _Truth:
        """Measure, a stretch of targets at a time."""
        mean, total = np.empty(y.shape[1]), np.empty(y.shape[1])
        for start in range(0, y.shape[1], 4096):
            part = slice(start, start + 4096)
            mean[part] = y[fold.train, part].mean(axis=0, dtype=np.float64)
            held = np.asarray(y[fold.test, part], np.float64)
            total[part] = np.where(np.ptp(held, axis=0) > 0, np.sum((held - held.mean(axis=0)) ** 2, axis=0), 0.0)
        return cls(fold, mean, total)


class _State:
    """Running best of each target."""

    def __init__(self, candidate: Any, alpha: Any, score: Any, surface: Any) -> None:
        self.candidate, self.alpha, self.score, self.surface = candidate, alpha, score, surface

    @classmethod
    def start(cls, n_candidates: int, n_alphas: int, n_targets: int, keep: bool) -> _State:
        """Nothing tried yet: the first candidate at the largest penalty."""
        surface = np.full((n_candidates, n_alphas, n_targets), np.nan, np.float32) if keep else None
        last = np.full(n_targets, n_alphas - 1)
        return cls(np.zeros(n_targets, np.int64), last, np.full(n_targets, -np.inf), surface)

    def update(self, number: int, jobs: list[_Job], scores: list[_Floats]) -> None:
        """Take over what is better."""
        for job, table in zip(jobs, scores, strict=True):
            if self.surface is not None:
                self.surface[number][job.alphas, job.targets] = table
            table = np.where(np.isnan(table), -np.inf, table)
            best = len(table) - 1 - np.argmax(table[::-1], axis=0)
            value = table[best, np.arange(table.shape[1])]
            better = value > self.score[job.targets]
            self.candidate[job.targets] = np.where(better, number, self.candidate[job.targets])
            self.alpha[job.targets] = np.where(better, best + job.alphas.start, self.alpha[job.targets])
            self.score[job.targets] = np.where(better, value, self.score[job.targets])

    def active(self, number: int, patience: int | None) -> NDArray[np.int64]:
        """Targets whose best candidate is not older than `patience`."""
        fresh = np.ones(len(self.score), bool) if patience is None else number - self.candidate <= patience
        return np.flatnonzero(fresh)

    def result(self) -> Search:
        """What was found."""
        score = np.where(np.isfinite(self.score), self.score, np.nan)
        return Search(self.candidate, self.alpha, score, self.surface)


def _tile(backend: Backend, n_alphas: int, folds: Sequence[Split]) -> int:
    """Targets whose predictions fit the cache, or keep a device busy."""
    rows = n_alphas * max(len(fold.test) for fold in folds)
    return max(backend.tile // 4, min(8192, _TILE_BYTES // (4 * rows)))


def _jobs(state: _State, n_alphas: int, active: NDArray[np.int64], narrow: bool, tile: int) -> Iterator[_Job]:
    """Batches of targets; those of similar penalties together where only near penalties are tried."""
    if narrow:
        active = active[np.argsort(state.alpha[active], kind="stable")]
    for start in range(0, len(active), tile):
        targets: Any = active[start : start + tile]
        low, high = (int(state.alpha[targets].min()) - 1, int(state.alpha[targets].max()) + 2) if narrow else (0, n_alphas)
        if len(active) == len(state.score) and not narrow:
            targets = slice(start, start + len(targets))
        yield _Job(targets, slice(max(low, 0), min(high, n_alphas)))


def _mean_scores(
    form: Form, y: Targets, truth: Sequence[_Truth], gamma: _Floats, alphas: _Floats, jobs: Sequence[_Job]
) -> list[_Floats]:
    """R2 of one candidate, mean over the folds in which a target varies: (n_alphas, n_targets) per job."""
    mixed = form.mix(gamma)
    scores = [np.zeros((j.alphas.stop - j.alphas.start, len(truth[0].mean[j.targets]))) for j in jobs]
    for one in truth:
        system = form.system(mixed, one.fold.train, one.fold.test)
        made: dict[tuple[int, int], Any] = {}
        for job, score in zip(jobs, scores, strict=True):
            window = (job.alphas.start, job.alphas.stop)
            if window not in made:
                made[window] = make_operators(y.backend, system, alphas[job.alphas], form.dtype)
            left = squared_errors(y.backend, made[window], form, y.about(one.mean, job.targets), one.fold)
            total = one.total[job.targets]
            score += np.where(total > 0, 1 - left / np.where(total > 0, total, 1.0), 0.0)
    n_folds = np.sum([t.total > 0 for t in truth], axis=0)
    with np.errstate(invalid="ignore"):
        return [score / n_folds[job.targets] for job, score in zip(jobs, scores, strict=True)]
