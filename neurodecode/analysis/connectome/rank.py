"""How many components: error on cells that were held out, agreement of starts, and core consistency."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.analysis.connectome.core import core_consistency
from neurodecode.analysis.connectome.ensemble import Ensemble, fit_ensemble
from neurodecode.analysis.connectome.factorise import Settings, factorise
from neurodecode.analysis.connectome.factors import NTF, Array
from neurodecode.analysis.connectome.observed import Observed
from neurodecode.analysis.connectome.subsets import Cells, as_cells, correlation_time
from neurodecode.errors import DataError

STABLE = 0.9  # mean factor match score of the starts with the best one


class HeldOut(NamedTuple):
    """Cells of which nothing is seen in training."""

    bounds: NDArray[np.intp]
    """Shape (n_blocks + 1,): where blocks of time begin, and the number of times."""
    cells: NDArray[np.bool_]
    """Shape (n_blocks, n_samples, n_pairs): whether a cell is held out."""


class RankCurves(NamedTuple):
    """Evidence for a number of components; no curve decides alone."""

    ranks: list[int]
    """Numbers of components."""
    test_error: NDArray[np.float64]
    """Squared error of held-out cells over their squared norm, shape (n_ranks, n_repeats); 1 for a model that is 0, best 0."""
    train_error: NDArray[np.float64]
    """The same of the other cells."""
    stability: NDArray[np.float64]
    """Mean factor match score of the starts with the best one, shape (n_ranks,); 1 for a single component without meaning it."""
    chance: NDArray[np.float64]
    """Chance level of `stability`."""
    core_consistency: NDArray[np.float64]
    """In percent, shape (n_ranks,); 100 where the components do not mix, a third indicator only."""
    by_error: int
    """Fewest components whose test error is within one standard error of the least."""
    rank: int
    """Most components up to `by_error` that are stable; `by_error` where none is."""
    agreed: bool
    """Whether that is `by_error` itself, and stable."""
    block: int
    """Frames that are held out together."""
    ensemble: Ensemble
    """The fits to all cells."""


def rank_curves(
    tensor: Any,
    ranks: Iterable[int] = range(1, 9),
    *,
    mask: ArrayLike | None = None,
    n_restarts: int = 10,
    n_repeats: int = 5,
    fraction: float = 0.1,
    block: int | None = None,
    executor: Executor | None = None,
    random_state: int = 0,
    backend: str = "numpy",
) -> RankCurves:
    """Compare numbers of components.

    A tenth of the cells (block of time, sample, pair) is held out, in blocks longer than the affinities are correlated with
    themselves, so that no neighbour in time tells the answer. The fewest components within one standard error of the least error
    are proposed (the rule of Breiman et al. 1984), and kept if restarts agree on them.

    Parameters
    ----------
    tensor : array_like, AffinityTensor or SeparableAffinity
        As in `ntf_hals`, of the modes time, sample and pair.
    ranks : iterable of int
        Numbers of components to compare.
    mask : array_like of bool, optional
        Observed cells, (n_samples, n_pairs).
    n_restarts : int
        Starts on all cells, for the stability.
    n_repeats : int
        Draws of held-out cells, two or more.
    fraction : float
        Share of the cells that is held out, above 0 to 0.5.
    block : int, optional
        Frames that are held out together, by default twice the correlation time.
    executor : concurrent.futures.Executor, optional
        Runs fits in parallel.
    random_state : int
        Seed.
    backend : str
        As in `ntf_hals`.

    Returns
    -------
    RankCurves
        Curves, and the rank that they propose together.

    Raises
    ------
    DataError
        If there are fewer than two repeats, a share is out of its range, or as in `ntf_hals`.
    """
    wanted, cells = sorted(set(ranks)), as_cells(tensor, mask)
    if not wanted or n_repeats < 2 or not 0 < fraction <= 0.5:
        raise DataError(f"needed: a rank, two repeats, a fraction above 0 to 0.5; got {wanted}, {n_repeats!r}, {fraction!r}")
    length = 2 * correlation_time(cells, random_state) if block is None else int(block)
    draws = [hold_out(cells, fraction, length, np.random.default_rng([random_state, k])) for k in range(n_repeats)]
    calls = [(cells, draw, rank, backend, [random_state, k, rank]) for rank in wanted for k, draw in enumerate(draws)]
    if executor is None:
        errors = [held_out_error(*call) for call in calls]
    else:
        errors = [future.result() for future in [executor.submit(held_out_error, *call) for call in calls]]
    train, test = np.array(errors).reshape(len(wanted), n_repeats, 2).transpose(2, 0, 1)
    options: dict[str, Any] = {"mask": cells.mask, "executor": executor, "random_state": random_state, "backend": backend}
    ensemble = fit_ensemble(cells.source, wanted, n_restarts, **options)
    consistency = np.array([core_consistency(cells, ensemble.best(rank)) for rank in wanted])
    by_error, rank, agreed = propose_rank(wanted, test, ensemble.stability)
    return RankCurves(
        wanted, test, train, ensemble.stability, ensemble.chance, consistency, by_error, rank, agreed, length, ensemble
    )


def propose_rank(ranks: list[int], test_error: NDArray[np.float64], stability: NDArray[np.float64]) -> tuple[int, int, bool]:
    """Fewest components within one standard error of the least test error, and as many of them as are stable.

    Parameters
    ----------
    ranks : list of int
        Numbers of components, increasing.
    test_error : array of shape (n_ranks, n_repeats)
        Errors of held-out cells.
    stability : array of shape (n_ranks,)
        Agreement of starts.

    Returns
    -------
    by_error, rank : int
        Proposed by the error alone, and by both.
    agreed : bool
        Whether both are the same and stable.
    """
    mean = test_error.mean(axis=1)
    least = int(np.argmin(mean))
    standard_error = test_error[least].std(ddof=1) / np.sqrt(test_error.shape[1])
    chosen = int(np.flatnonzero(mean <= mean[least] + standard_error)[0])
    stable = np.flatnonzero(stability[: chosen + 1] >= STABLE)
    both = int(stable[-1]) if len(stable) else chosen
    return ranks[chosen], ranks[both], both == chosen and bool(len(stable))


def hold_out(cells: Cells, fraction: float, block: int, rng: np.random.Generator) -> HeldOut:
    """Draw cells (block of time, sample, pair) to be held out.

    Parameters
    ----------
    cells : Cells
        Tensor and mask.
    fraction : float
        Share of the observed cells.
    block : int
        Frames of a block; the borders of blocks are shifted at random.
    rng : Generator
        Random numbers.

    Returns
    -------
    HeldOut
        Blocks and cells.

    Raises
    ------
    DataError
        If there are fewer than three blocks.
    """
    n_times, n_samples, n_pairs = cells.shape
    if block < 1 or n_times < 3 * block:
        raise DataError(f"blocks of {block} frames of {n_times} are too few to hold any out: three or more are needed")
    inner = np.arange(int(rng.integers(1, block + 1)), n_times, block)
    bounds = np.r_[0, inner, n_times]
    drawn = rng.random((len(bounds) - 1, n_samples, n_pairs), dtype=np.float32) < fraction
    return HeldOut(bounds, drawn & cells.mask)


def held_out_error(
    cells: Cells, held_out: HeldOut, rank: int, backend: str = "numpy", seed: int | list[int] = 0
) -> tuple[float, float]:
    """Fit without some cells, and predict them.

    Parameters
    ----------
    cells : Cells
        Tensor and mask.
    held_out : HeldOut
        Cells of which nothing is seen.
    rank : int
        Components.
    backend : str
        As in `ntf_hals`.
    seed : int or list of int
        Of the start.

    Returns
    -------
    train, test : float
        Squared error over squared norm, of the cells that were seen and of those that were not.

    Raises
    ------
    DataError
        If no cell is held out, or all that are hold 0.
    """
    seen = Observed(held_out.bounds, ~held_out.cells & cells.mask)
    fit = factorise(cells.source, rank, seen, Settings(backend), np.random.default_rng(seed)).ntf
    residual, norm = 0.0, 0.0
    for rows, observed in zip(_blocks(held_out.bounds), held_out.cells, strict=True):
        samples, pairs = np.nonzero(observed)
        for k in range(0, len(samples), 2**16):
            some = slice(k, k + 2**16)
            true = cells.part(rows).courses(samples[some], pairs[some]).astype(np.float64)
            residual += float(np.square(true - _model(fit, rows, samples[some], pairs[some])).sum())
            norm += float(np.square(true).sum())
    if norm == 0:
        raise DataError(f"{int(held_out.cells.sum())} held-out cells hold nothing to predict: hold out more, or shorter blocks")
    return fit.error**2, residual / norm


def _blocks(bounds: NDArray[np.intp]) -> list[slice]:
    return [slice(a, b) for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]


def _model(fit: NTF, rows: slice, samples: NDArray[np.intp], pairs: NDArray[np.intp]) -> Array:
    time, sample, pair = fit.factors
    return np.asarray((time[rows].astype(np.float64) * fit.weights) @ (sample[samples] * pair[pairs]).T.astype(np.float64))
