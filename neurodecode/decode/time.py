"""When a target can be decoded: at each time, and from each time to every other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.splits import Split
from neurodecode.data.validate import check_positive
from neurodecode.decode.evaluation import Problem, fold_scores, one_thread, overall_score, permuted_labels
from neurodecode.decode.features import location_and_scale
from neurodecode.decode.fitting import Training, feature_weights, fit, fit_classes, prepare
from neurodecode.decode.linear import LinearDecoder
from neurodecode.decode.parallel import over_shares
from neurodecode.decode.result import GeneralizationResult, TimeResolvedResult
from neurodecode.decode.validation import Setup, check_permutations
from neurodecode.errors import DataError
from neurodecode.metrics import maximum_statistic_p_values

_Floats = NDArray[np.float64]
_PREPARED_VALUES = 2**17  # training values prepared at once (1 MB): few enough to stay in the cache
_OUTPUT_VALUES = 2**23  # outputs kept at once (64 MB)


def time_resolved(
    responses: Responses,
    target: str = "trial_type",
    groups: str | Sequence[str] = "run",
    *,
    decoder: LinearDecoder | None = None,
    window: float | None = None,
    n_permutations: int = 199,
    n_splits: int | None = None,
    gap: float | None = None,
    jobs: int = 1,
) -> TimeResolvedResult:
    """Train and test a decoder at each time of the responses.

    Parameters
    ----------
    responses : Responses
        With a time axis.
    target : str
        Column of `samples` to decode.
    groups : str or sequence of str
        Columns whose groups are held out, as in `LinearDecoder.cross_validate`.
    decoder : LinearDecoder, optional
        By default the shrinkage discriminant, which is fitted at all times at once.
    window : float, optional
        Average each unit over this many seconds, centred on each time, before decoding. A score then tells about the whole
        window: an onset appears up to half a window early.
    n_permutations : int
        Permutations for p values that are corrected over times by the maximum statistic; 0 for none. Each repeats the
        fit at every time: with hundreds of sensors consider fewer, or a lower rate.
    n_splits : int, optional
        Number of folds, as in `LinearDecoder.cross_validate`.
    gap : float, optional
        Gap of the blocks of a single run in s, as in `LinearDecoder.cross_validate`.
    jobs : int
        Processes for the permutations.

    Returns
    -------
    TimeResolvedResult
        Scores per fold and time.

    Raises
    ------
    DataError
        If there is no time axis, or as in `LinearDecoder.cross_validate`.
    SplitLeakError
        As in `LinearDecoder.cross_validate`.
    """
    check_permutations(n_permutations)
    setup = _set_up(responses, target, groups, decoder, window, n_splits, gap)
    problem, n_times = setup.problem, setup.problem.x.shape[2]
    scores, mean = np.zeros((len(problem.splits), n_times)), np.zeros(n_times)
    with one_thread():
        for times in _chunks(n_times, problem.x.shape[0] * problem.x.shape[1], _PREPARED_VALUES):
            values = time_outputs(problem, [prepare_times(problem, s, times) for s in problem.splits], problem.y, times)
            scores[:, times] = fold_scores(problem, problem.y, values)
            mean[times] = overall_score(problem, problem.y, values, setup.pooled)
    p_values = None
    if n_permutations:
        null = over_shares(null_time_scores, n_permutations, jobs, problem, setup.pooled)
        p_values = maximum_statistic_p_values(mean, null)
    names, split = [s.name for s in problem.splits], setup.folds.sentence
    return TimeResolvedResult(
        _times(responses), scores, mean, setup.metric, setup.chance, p_values, split, names, target, _notes(setup, window)
    )


def generalise_over_time(
    responses: Responses,
    target: str = "trial_type",
    groups: str | Sequence[str] = "run",
    *,
    decoder: LinearDecoder | None = None,
    window: float | None = None,
    n_splits: int | None = None,
    gap: float | None = None,
) -> GeneralizationResult:
    """Train a decoder at each time and test it at every time, on held-out groups.

    Whether one pattern is sustained (a square), or a chain of patterns follows (a diagonal); King and Dehaene (2014).

    Parameters
    ----------
    responses : Responses
        With a time axis.
    target : str
        Column of `samples` to decode.
    groups : str or sequence of str
        Columns whose groups are held out, as in `LinearDecoder.cross_validate`.
    decoder : LinearDecoder, optional
        By default the shrinkage discriminant, which is fitted at all times at once.
    window : float, optional
        Average each unit over this many seconds, as in `time_resolved`.
    n_splits : int, optional
        Number of folds, as in `LinearDecoder.cross_validate`.
    gap : float, optional
        Gap of the blocks of a single run in s, as in `LinearDecoder.cross_validate`.

    Returns
    -------
    GeneralizationResult
        Scores (n_folds, n_train, n_test).

    Raises
    ------
    DataError
        If there is no time axis, or as in `LinearDecoder.cross_validate`.
    SplitLeakError
        As in `LinearDecoder.cross_validate`.

    References
    ----------
    King and Dehaene (2014), Trends in Cognitive Sciences 18, 203.
    """
    setup = _set_up(responses, target, groups, decoder, window, n_splits, gap)
    problem, n_times = setup.problem, setup.problem.x.shape[2]
    scores, mean = np.zeros((len(problem.splits), n_times, n_times)), np.zeros((n_times, n_times))
    with one_thread():
        for times in _chunks(n_times, len(problem.y) * problem.n_outputs * n_times, _OUTPUT_VALUES):
            values = _outputs_everywhere(problem, times)
            scores[:, times] = fold_scores(problem, problem.y, values)
            mean[times] = overall_score(problem, problem.y, values, setup.pooled)
    t = _times(responses)
    notes = _notes(setup, window)
    return GeneralizationResult(t, t, scores, mean, setup.metric, setup.chance, setup.folds.sentence, target, notes)


def smooth(data: NDArray[Any], width: int) -> NDArray[np.float64]:
    """Centred moving mean over the last axis; at the ends over the samples there are.

    Parameters
    ----------
    data : array of shape (..., n_times)
        Responses.
    width : int
        Number of samples, odd.

    Returns
    -------
    array of shape (..., n_times)
        Smoothed copy.
    """
    n, half = data.shape[-1], width // 2
    sums = np.concatenate([np.zeros((*data.shape[:-1], 1)), np.cumsum(data, axis=-1, dtype=float)], axis=-1)
    first, last = np.maximum(np.arange(n) - half, 0), np.minimum(np.arange(n) + half + 1, n)
    return np.asarray((sums[..., last] - sums[..., first]) / (last - first))


def prepare_times(problem: Problem, split: Split, times: slice) -> list[Training]:
    """Training features of a fold, one entry per time, or a single one with a leading time axis for ``"lda"``."""
    x = np.moveaxis(problem.x[split.train, :, times].astype(float), 2, 0)
    groups, settings = problem.groups[split.train], problem.settings
    if not _fits_all_times(problem):
        return [prepare(part, groups, settings) for part in x]
    mean, scale = location_and_scale(x, settings.scale)
    return [Training((x - mean[:, None]) / scale[:, None], mean, scale, None, None, groups)]


def fit_times(problem: Problem, prepared: list[Training], y: NDArray[Any]) -> tuple[_Floats, _Floats]:
    """Weights (n_times, n_outputs, n_units) and offsets (n_times, n_outputs) of features as they came in."""
    if not _fits_all_times(problem):
        fitted = [feature_weights(p, fit(p, y, problem.n_classes, problem.settings)) for p in prepared]
        return np.stack([coef for coef, _ in fitted]), np.stack([offset for _, offset in fitted])
    (part,) = prepared
    coef, intercept = fit_classes(part.x, y, int(problem.n_classes or 0), problem.settings)
    coef = coef / part.scale[:, None]
    return coef, intercept - np.sum(coef * part.mean[:, None], axis=-1)


def time_outputs(problem: Problem, prepared: list[list[Training]], y: NDArray[Any], times: slice) -> _Floats:
    """Held-out outputs (n_samples, n_outputs, n_times) of labels `y`, each time with its own fit."""
    values = np.full((len(y), problem.n_outputs, times.stop - times.start), np.nan)
    for split, parts in zip(problem.splits, prepared, strict=True):
        coef, intercept = fit_times(problem, parts, y[split.train])
        test = np.moveaxis(problem.x[split.test, :, times].astype(float), 2, 0)
        values[split.test] = np.moveaxis(test @ coef.swapaxes(-1, -2) + intercept[:, None], 0, 2)
    return values


def null_time_scores(problem: Problem, pooled: bool, indices: NDArray[np.int64]) -> _Floats:
    """Scores (n_indices, n_times) under permuted labels, the whole fit repeated."""
    labels = [permuted_labels(problem, int(k)) for k in indices]
    n_times = problem.x.shape[2]
    scores = np.zeros((len(labels), n_times))
    with one_thread():
        for times in _chunks(n_times, problem.x.shape[0] * problem.x.shape[1], _PREPARED_VALUES):
            prepared = [prepare_times(problem, s, times) for s in problem.splits]
            for k, y in enumerate(labels):
                scores[k, times] = overall_score(problem, y, time_outputs(problem, prepared, y, times), pooled)
    return scores


def _outputs_everywhere(problem: Problem, times: slice) -> _Floats:
    """Held-out outputs (n_samples, n_outputs, n_train_times, n_times) of decoders trained at `times`."""
    n_train = times.stop - times.start
    values = np.full((len(problem.y), problem.n_outputs, n_train, problem.x.shape[2]), np.nan)
    for split in problem.splits:
        coef, intercept = fit_times(problem, prepare_times(problem, split, times), problem.y[split.train])
        test = problem.x[split.test].astype(float)
        values[split.test] = np.einsum("sku,nut->nkst", coef, test, optimize=True) + intercept.T[:, :, None]
    return values


def _set_up(
    responses: Responses,
    target: str,
    groups: str | Sequence[str],
    decoder: LinearDecoder | None,
    window: float | None,
    n_splits: int | None,
    gap: float | None,
) -> Setup:
    used = decoder or LinearDecoder("classification", estimator="lda")
    smoothed = responses.replace(data=smooth(np.asarray(responses.data), _width(responses, window))) if window else responses
    _times(smoothed)
    return used.set_up(smoothed, target, groups, n_splits=n_splits, gap=gap, flat=False)


def _width(responses: Responses, window: float) -> int:
    """Odd number of samples nearest to a window in s."""
    times = _times(responses)
    step = float(np.median(np.diff(times))) if len(times) > 1 else np.inf
    return 2 * int(check_positive("window", window) / step / 2) + 1


def _times(responses: Responses) -> _Floats:
    if responses.times is None:
        raise DataError(f"responses have no time axis (shape {responses.data.shape}): cut epochs first, or use cross_validate")
    return responses.times


def _fits_all_times(problem: Problem) -> bool:
    settings = problem.settings
    return settings.estimator == "lda" and (settings.n_features is None or settings.n_features >= problem.x.shape[1])


def _chunks(n_times: int, values_per_time: int, most: int) -> Iterator[slice]:
    step = max(1, most // max(values_per_time, 1))
    return (slice(start, min(start + step, n_times)) for start in range(0, n_times, step))


def _notes(setup: Setup, window: float | None) -> list[str]:
    smoothed = [f"responses averaged over {window:g} s around each time"] if window else []
    return [*setup.notes, *smoothed]
