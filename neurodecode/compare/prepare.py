"""From what the user gives to matrices, delays and folds: all that comes before the first fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.compare.inputs import Rows, as_responses, as_spaces, kind_of_rows, with_groups
from neurodecode.compare.outer import Outer, outer_folds
from neurodecode.compare.rows import Aligned, align
from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.linear.delays import Delayer

DELAYS_S = (2.0, 8.0)  # where the haemodynamic response is high; whether the user gave delays is told by the object itself


class Problem(NamedTuple):
    """All that a comparison computes with."""

    designs: dict[str, NDArray[np.float32]]
    """Feature spaces with their delays, shape (n_rows, n_features * n_delays), delays varying slowest."""
    nuisance: list[str]
    """Names of those that are nuisance."""
    brain: Responses
    """Responses of the brain."""
    aligned: Aligned
    """Rows of both."""
    outer: Outer
    """Folds."""
    delays_s: list[float] | None
    """Delays in s; None where none were used."""
    TR: float | None
    """Time between rows of a series in s."""
    notes: list[str]
    """What the reader must know."""


def prepare(
    features: Any,
    brain: Any,
    *,
    nuisance: Any = None,
    delays_s: Sequence[float] | None = DELAYS_S,
    groups: Any = None,
    TR: float | None = None,
    cv: Any = None,
    gap: int | None = None,
    repeats: str = "average",
) -> Problem:
    """Match rows, add delays, and decide what is held out.

    Parameters
    ----------
    features, brain : Responses or array_like
        As in `neurodecode.compare.encode`, like all the others; `features` may be several spaces.
    nuisance : Responses or array_like, optional
        Features to control for.
    delays_s : (float, float) or None
        First and last delay in s.
    groups : str or array_like, optional
        What is held out whole.
    TR : float, optional
        Time between rows in s.
    cv : int, splitter or iterable, optional
        Outer folds.
    gap : int, optional
        Rows left out beside a block.
    repeats : {"average", "keep"}
        What becomes of several presentations of a stimulus.

    Returns
    -------
    Problem
        Ready to fit.

    Raises
    ------
    DataError
        If the inputs do not fit each other; the message says what to give.
    SplitLeakError
        If a fold has one stimulus on both sides.
    """
    check_option("repeats", repeats, ("average", "keep"))
    spaces, extra = as_spaces(features), {} if nuisance is None else as_spaces(nuisance, "nuisance")
    _refuse_same_names(spaces, extra)
    responses = with_groups(as_responses(brain, "the brain's responses"), groups)
    every = spaces | extra
    rows = kind_of_rows(list(every.values()), responses, TR)
    delayer, note = _delayer(delays_s, rows)
    aligned = align(every, responses, rows, repeats)
    designs, valid, lag = _with_delays(aligned, delayer)
    outer = outer_folds(aligned, responses, rows, groups=groups, cv=cv, gap=gap, valid=valid, lag=lag)
    dropped = int(np.count_nonzero(~valid))
    notes = [f"rows are {rows.why}", *note, *aligned.notes, *outer.notes]
    notes += [f"{dropped} of {len(valid)} rows were left out: their delays reach out of the run"] if dropped else []
    seconds = None if delayer is None or rows.TR is None else [float(s * rows.TR) for s in delayer.steps_]
    return Problem(designs, list(extra), responses, aligned, outer, seconds, rows.TR, notes)


def _refuse_same_names(spaces: Mapping[str, Responses], extra: Mapping[str, Responses]) -> None:
    both = sorted(set(spaces) & set(extra))
    if both:
        raise DataError(f"features and nuisance both hold a space {both[0]!r}: give them different names")


def _delayer(delays_s: Sequence[float] | None, rows: Rows) -> tuple[Delayer | None, list[str]]:
    """Delays of a series; for anything else none, and an error if the user asked for some."""
    if rows.TR is not None:
        return (None, []) if delays_s is None else (_window(delays_s, rows.TR), [])
    if delays_s is None:
        return None, []
    if rows.kind == "position":
        raise DataError(
            f"delays_s={tuple(delays_s)} needs the time between rows, and nothing tells it: give TR in s for a series, or "
            "delays_s=None for rows that are not one"
        )
    if delays_s is not DELAYS_S:
        raise DataError(
            f"delays_s={tuple(delays_s)} was given, but rows are {rows.why}: delays apply to a series. Give TR if these are "
            "scans, or delays_s=None"
        )
    return None, ["responses are trials and not a series: no delays were applied"]


def _window(delays_s: Sequence[float], TR: float) -> Delayer:
    window = [float(d) for d in delays_s]
    if len(window) != 2 or not window[0] <= window[1]:
        raise DataError(f"delays_s must be the first and the last delay in s, e.g. (2, 8), got {tuple(delays_s)}")
    return Delayer.fir(window[0], window[1], 1 / TR)


def _with_delays(aligned: Aligned, delayer: Delayer | None) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.bool_], int]:
    """Designs, rows whose delays lie inside their run, and the longest delay in rows."""
    n = aligned.targets.n_rows
    if delayer is None:
        return aligned.spaces, np.ones(n, bool), 0
    designs = {name: delayer.transform(matrix, aligned.runs) for name, matrix in aligned.spaces.items()}
    return designs, delayer.valid(n, aligned.runs), int(np.abs(delayer.steps_).max())
