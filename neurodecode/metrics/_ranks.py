"""Place of the right candidate among all candidates, with ties as they should count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.metrics._alike import TIE, Floats


class Places(NamedTuple):
    """Where the right candidate of each query stands."""

    greater: NDArray[np.int64]
    """Candidates that are more similar, shape (n_queries,)."""
    equal: NDArray[np.int64]
    """Candidates that are as similar, the right one included, shape (n_queries,)."""
    first: NDArray[np.int64]
    """Candidate that is most similar, shape (n_queries,)."""

    @property
    def rank(self) -> Floats:
        """Mid-rank from 0, shape (n_queries,): the mean of those that are greater and of those that are greater or equal."""
        return np.asarray(self.greater + (self.equal - 1) / 2, np.float64)

    def credit(self, ks: Sequence[int], ties: str) -> Floats:
        """Probability that the right candidate is among the top k.

        Parameters
        ----------
        ks : sequence of int
            Places that count.
        ties : str
            ``"expected"``: ties are broken at random; ``"midrank"``: the mid-rank counts as the place.

        Returns
        -------
        NDArray[np.float64]
            Shape (n_ks, n_queries).
        """
        wanted = np.asarray(ks)[:, None]
        if ties == "midrank":
            return np.asarray(self.rank < wanted, np.float64)
        return np.asarray(np.clip((wanted - self.greater) / self.equal, 0, 1), np.float64)


def places(alike: Floats, right: NDArray[np.intp]) -> Places:
    """Find the place of the right candidate of each query.

    Parameters
    ----------
    alike : NDArray[np.float64]
        Similarity of queries (rows) with candidates (columns), shape (n_queries, n_candidates).
    right : array of shape (n_queries,)
        Column of the right candidate.

    Returns
    -------
    Places
        One place per query.
    """
    lead = alike - alike[np.arange(len(alike)), right][:, None]
    rounding = TIE * np.abs(alike).max(axis=1, keepdims=True)
    equal = (np.abs(lead) <= rounding).sum(axis=1)
    return Places((lead > rounding).sum(axis=1), equal, np.argmax(alike, axis=1))
