"""Whether components come back in other animals: starts may agree on noise, halves of the data do not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.analysis.connectome.factorise import Settings, factorise
from neurodecode.analysis.connectome.factors import NTF, Array
from neurodecode.analysis.connectome.subsets import Cells, as_cells, correlation_time
from neurodecode.errors import DataError
from neurodecode.metrics.clustering import match_factors

Halves = tuple[Cells, Cells]


class Reproducibility(NamedTuple):
    """Agreement of components between halves of the data."""

    score: NDArray[np.float64]
    """``(similarity - chance) / (1 - chance)`` of each component of the reference, shape (rank,): chance 0, best 1."""
    similarity: NDArray[np.float64]
    """Product of the cosines of its partners in the two halves, mean over splits, shape (rank,)."""
    chance: NDArray[np.float64]
    """The same with the rows of the factors of one half shuffled, shape (rank,); near 1 for a component that is everywhere."""
    split: str
    """What was halved: ``samples``, or ``times`` where there is one sample."""


def reproducibility(
    tensor: Any,
    reference: NTF,
    *,
    mask: ArrayLike | None = None,
    n_splits: int = 5,
    n_restarts: int = 3,
    n_shuffles: int = 20,
    backend: str = "numpy",
    random_state: int = 0,
) -> Reproducibility:
    """Factorise halves of the samples, and compare what was found for each component of a reference.

    Halves share no data, so that noise has no reason to come back, while several starts on the same data may well agree on
    noise. Time courses and pairs are compared; with one sample, alternating blocks of time are halved and pairs compared.

    Parameters
    ----------
    tensor : array_like, AffinityTensor or SeparableAffinity
        As in `ntf_hals`, of the modes time, sample and pair.
    reference : NTF
        Factorisation of all of it.
    mask : array_like of bool, optional
        Observed cells, (n_samples, n_pairs).
    n_splits : int
        Random halvings.
    n_restarts : int
        Starts per half; the best is taken.
    n_shuffles : int
        Shuffles for the chance level.
    backend : str
        As in `ntf_hals`.
    random_state : int
        Seed.

    Returns
    -------
    Reproducibility
        Per component of the reference.

    Raises
    ------
    DataError
        If a number is below 1, or the reference is of another tensor.
    """
    cells = as_cells(tensor, mask)
    found = tuple(len(factor) for factor in reference.factors)
    if min(n_splits, n_restarts, n_shuffles) < 1 or found != cells.shape:
        raise DataError(
            f"needed: at least one split, start and shuffle, got {n_splits}, {n_restarts}, {n_shuffles}; and a reference of "
            f"the shape {cells.shape}, got {found}"
        )
    modes, split = ((0, 2), "samples") if cells.shape[1] > 1 else ((1, 2), "times")
    values = np.zeros((2, n_splits, len(reference.weights)))
    for k in range(n_splits):
        rng = np.random.default_rng([random_state, k])
        halves = _halve_samples(cells, rng) if split == "samples" else _halve_times(cells, rng)
        fits = [_best(half, len(reference.weights), n_restarts, backend, rng) for half in halves]
        both = np.stack([half.mask.any(axis=0) for half in halves]).all(axis=0)  # pairs that both halves know
        values[:, k] = _compare(reference, fits, modes, both, n_shuffles, rng)
    similarity, chance = values.mean(axis=1)
    return Reproducibility((similarity - chance) / np.maximum(1 - chance, 1e-12), similarity, chance, split)


def _halve_samples(cells: Cells, rng: np.random.Generator) -> Halves:
    order = rng.permutation(cells.shape[1])
    middle = len(order) // 2
    return cells.part(samples=np.sort(order[:middle])), cells.part(samples=np.sort(order[middle:]))


def _halve_times(cells: Cells, rng: np.random.Generator) -> Halves:
    """Alternating blocks, longer than the affinities are correlated with themselves."""
    n_times = cells.shape[0]
    length = min(2 * correlation_time(cells), max(n_times // 4, 1))
    odd = ((np.arange(n_times) + int(rng.integers(2 * length))) // length) % 2 == 1
    return cells.part(times=np.flatnonzero(odd)), cells.part(times=np.flatnonzero(~odd))


def _best(half: Cells, rank: int, n_restarts: int, backend: str, rng: np.random.Generator) -> NTF:
    fits = [factorise(half.source, rank, half.mask, Settings(backend), rng).ntf for _ in range(n_restarts)]
    return min(fits, key=lambda fit: fit.error)


def _compare(
    reference: NTF, fits: list[NTF], modes: tuple[int, int], both: Any, n_shuffles: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Similarity of the two partners of each component, and with one of them shuffled."""

    def parts(fit: NTF) -> list[Array]:
        return [fit.factors[mode][both] if mode == 2 else fit.factors[mode] for mode in modes]

    a, b = ([mode[:, match_factors(parts(reference), parts(fit)).second] for mode in parts(fit)] for fit in fits)
    shuffled = [_products(a, [rng.permuted(mode, axis=0) for mode in b]) for _ in range(n_shuffles)]
    return _products(a, b), np.mean(shuffled, axis=0)


def _products(a: list[Array], b: list[Array]) -> Array:
    """Product over modes of the cosines of columns."""
    sizes = [np.linalg.norm(x, axis=0) * np.linalg.norm(y, axis=0) for x, y in zip(a, b, strict=True)]
    cosines = [(x * y).sum(axis=0) / np.where(size > 0, size, 1) for x, y, size in zip(a, b, sizes, strict=True)]
    return np.asarray(np.prod(cosines, axis=0))
