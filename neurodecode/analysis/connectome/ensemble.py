"""Several starts for each number of components: sorted by error, aligned to the best, and how far they agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.analysis.connectome.factorise import Settings, factorise
from neurodecode.analysis.connectome.factors import NTF
from neurodecode.errors import DataError
from neurodecode.metrics.clustering import factor_match_chance, match_factors


class Ensemble(NamedTuple):
    """Factorisations from several starts for each rank."""

    ranks: list[int]
    """Numbers of components, increasing."""
    fits: list[list[NTF]]
    """For each rank its factorisations, that of least error first, components of the others in its order."""
    errors: NDArray[np.float64]
    """Relative errors, shape (n_ranks, n_restarts), increasing along the second axis."""
    similarity: NDArray[np.float64]
    """Factor match score of each fit with the best one of its rank, shape (n_ranks, n_restarts); the first column is 1."""
    component_similarity: list[NDArray[np.float64]]
    """For each rank and component of the best fit: mean similarity of its partners in the other fits, shape (rank,)."""
    chance: NDArray[np.float64]
    """Score of the best fit with a shuffled one, shape (n_ranks,): `similarity` without agreement."""

    def best(self, rank: int) -> NTF:
        """The fit of least error.

        Parameters
        ----------
        rank : int
            One of `ranks`.

        Returns
        -------
        NTF
            Factorisation.

        Raises
        ------
        DataError
            If the rank was not fitted.
        """
        if rank not in self.ranks:
            raise DataError(f"rank {rank!r} was not fitted, these were: {self.ranks}")
        return self.fits[self.ranks.index(rank)][0]

    @property
    def stability(self) -> NDArray[np.float64]:
        """Mean factor match score of the other fits with the best one, shape (n_ranks,); read it against `chance`."""
        return np.asarray(self.similarity[:, 1:].mean(axis=1))


def fit_ensemble(
    tensor: Any,
    ranks: int | Iterable[int],
    n_restarts: int = 10,
    *,
    mask: ArrayLike | None = None,
    executor: Executor | None = None,
    random_state: int = 0,
    backend: str = "numpy",
    device: str | None = None,
    max_sweeps: int = 500,
    tol: float = 1e-6,
) -> Ensemble:
    """Factorise from several random starts for each number of components.

    Parameters
    ----------
    tensor : array_like, AffinityTensor or SeparableAffinity
        As in `ntf_hals`.
    ranks : int or iterable of int
        Numbers of components.
    n_restarts : int
        Starts per rank, two or more.
    mask : array_like of bool, optional
        Observed cells, of the shape of the tensor or one that broadcasts to it.
    executor : concurrent.futures.Executor, optional
        Runs the fits in parallel, e.g. a ``ThreadPoolExecutor``; the numbers are the same without.
    random_state : int
        Seed; each fit has its own, drawn from it, its rank and its number.
    backend : str
        As in `ntf_hals`.
    device : str, optional
        As in `ntf_hals`.
    max_sweeps : int
        As in `ntf_hals`.
    tol : float
        As in `ntf_hals`.

    Returns
    -------
    Ensemble
        Sorted and aligned, with the agreement between starts and its chance level.

    Raises
    ------
    DataError
        If there are fewer than two starts, a rank is out of its range, or as in `ntf_hals`.
    """
    wanted = sorted({ranks} if isinstance(ranks, (int, np.integer)) else set(ranks))
    if not wanted or n_restarts < 2:
        raise DataError(f"an ensemble needs one rank or more and two starts or more, got {wanted} and {n_restarts!r}")
    jobs = [(rank, start) for rank in wanted for start in range(n_restarts)]
    settings = Settings(backend, device, max_sweeps, tol)
    calls = [(tensor, rank, mask, settings, [random_state, rank, start]) for rank, start in jobs]
    if executor is None:
        fits = [_fit(*call) for call in calls]
    else:
        fits = [future.result() for future in [executor.submit(_fit, *call) for call in calls]]
    return _collect([int(rank) for rank in wanted], [fits[k : k + n_restarts] for k in range(0, len(fits), n_restarts)])


def align(fit: NTF, reference: NTF) -> NTF:
    """Bring the components of a fit into the order of another one.

    Parameters
    ----------
    fit : NTF
        Factorisation.
    reference : NTF
        Of the same rank.

    Returns
    -------
    NTF
        The same components, each where its partner stands.

    Raises
    ------
    DataError
        If modes differ.
    """
    order = match_factors(reference, fit).second
    return NTF(fit.weights[order], [factor[:, order] for factor in fit.factors], fit.error)


def _fit(tensor: Any, rank: int, mask: Any, settings: Settings, seed: list[int]) -> NTF:
    return factorise(tensor, rank, mask, settings, np.random.default_rng(seed)).ntf


def _collect(ranks: list[int], runs: Sequence[Sequence[NTF]]) -> Ensemble:
    fits, similarity, components, chance = [], [], [], []
    for rank, run in zip(ranks, runs, strict=True):
        ordered = sorted(run, key=lambda fit: fit.error)
        best = ordered[0]
        matches = [match_factors(best, fit) for fit in ordered]
        fits.append([best, *(align(fit, best) for fit in ordered[1:])])
        similarity.append([match.score for match in matches])
        components.append(np.mean([match.similarity for match in matches[1:]], axis=0))
        chance.append(factor_match_chance(best, ordered[1], n_shuffles=20, random_state=rank))
    errors = np.array([[fit.error for fit in run] for run in fits])
    return Ensemble(ranks, fits, errors, np.array(similarity), components, np.array(chance))
