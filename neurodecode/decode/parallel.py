"""Work shared between processes, with the same numbers for any number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError


def over_shares(function: Callable[..., Any], n_items: int, jobs: int, *arguments: Any) -> NDArray[np.float64]:
    """Call ``function(*arguments, indices=...)`` on shares of the items and join what comes back.

    Parameters
    ----------
    function : callable
        Module-level function that returns an array with one row per index.
    n_items : int
        Number of permutations, spheres, ...; at least 1.
    jobs : int
        Processes. With more than one, the calling script must be importable (``if __name__ == "__main__":``), as new
        processes are spawned.
    *arguments
        Passed on.

    Returns
    -------
    array of shape (n_items, ...)
        In the order of the indices.

    Raises
    ------
    DataError
        If `jobs` is below 1.
    """
    if jobs < 1:
        raise DataError(f"jobs must be at least 1, got {jobs}")
    shares = np.array_split(np.arange(n_items), min(jobs, n_items))
    if len(shares) == 1:
        return np.asarray(function(*arguments, indices=shares[0]))
    return np.concatenate(_spawned(function, shares, arguments))


def _spawned(function: Callable[..., Any], shares: list[NDArray[np.int64]], arguments: tuple[Any, ...]) -> list[Any]:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(len(shares), mp_context=get_context("spawn")) as executor:
        waiting = [executor.submit(function, *arguments, indices=share) for share in shares]
        return [future.result() for future in waiting]
