"""Where the noise ceiling of a comparison comes from."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.compare.ceilings import noise_ceiling
from neurodecode.compare.prepare import Problem
from neurodecode.data.responses import Responses
from neurodecode.errors import DataError

_Floats = NDArray[np.float64]


class Ceiling(NamedTuple):
    """A method or values."""

    method: str | None = None
    """A method of `noise_ceiling`."""
    rho: _Floats | None = None
    """Reliabilities per target, shape (n_targets,), where they were given."""
    name: str | None = None
    """What the result calls it."""
    notes: tuple[str, ...] = ()
    """Why there is none."""


def plan_ceiling(ceiling: Any, problem: Problem) -> Ceiling:
    """Decide where the ceiling comes from.

    Parameters
    ----------
    ceiling : str, array_like per target or None
        As in `neurodecode.compare.encode`.
    problem : Problem
        Rows, and how often each was seen.

    Returns
    -------
    Ceiling
        A method, values, or neither.

    Raises
    ------
    DataError
        If an array does not have one value per target, or a method has no repeats to work with.
    """
    if ceiling is None:
        return Ceiling()
    if not isinstance(ceiling, str):
        return Ceiling(rho=_given(ceiling, problem), name="given")
    counts = problem.aligned.targets.n_presentations
    if (counts > 1).any():
        halves = "split halves of the repeats, Spearman-Brown corrected"
        return Ceiling("split_half", name=halves) if ceiling == "auto" else Ceiling(ceiling, name=ceiling)
    if ceiling != "auto":
        raise DataError(f"ceiling={ceiling!r} needs stimuli that were repeated and averaged: pass reliabilities, or None")
    return Ceiling(notes=("no stimulus was averaged over repeats, so there is no noise ceiling: scores are not normalised",))


def estimate_ceiling(method: str, problem: Problem, columns: slice, random_state: int) -> _Floats:
    """Reliability of the averages that were scored, from the trials behind them.

    Parameters
    ----------
    method : str
        A method of `noise_ceiling`.
    problem : Problem
        Rows and responses.
    columns : slice
        Which targets.
    random_state : int
        Seed of random halves.

    Returns
    -------
    array of shape (n_columns,)
        Rho in units of variance.
    """
    targets = problem.aligned.targets
    trials = np.asarray(targets.data[:, columns])[targets.order]
    stimulus = np.repeat(np.arange(targets.n_rows), targets.n_presentations)
    data = Responses(trials, pd.DataFrame({"stimulus": stimulus}), pd.DataFrame(index=range(trials.shape[1])))
    options: dict[str, Any] = {"method": method, "random_state": random_state}
    return np.asarray(noise_ceiling(data, **options), np.float64)


def _given(ceiling: Any, problem: Problem) -> _Floats:
    rho, expected = np.asarray(ceiling, np.float64), tuple(problem.brain.data.shape[1:])
    if rho.shape != expected:
        raise DataError(f"ceiling must have one reliability per target, of shape {expected}, got {rho.shape}")
    return rho.ravel()
