"""Targets that lack samples, grouped by which they lack, so that each group is one ordinary fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.splits import Split
from neurodecode.errors import DataError

_Rows = NDArray[np.int64]
_AT_ONCE = 1024  # targets


def missing_patterns(y: Any, targets: _Rows) -> Iterator[tuple[_Rows, _Rows]]:
    """Group targets that lack the same samples.

    Parameters
    ----------
    y : array of shape (n_samples, n_targets)
        All targets; NaN marks what is missing.
    targets : array of shape (n_part,)
        Those to look at.

    Yields
    ------
    rows : array of shape (n_rows,)
        Samples that the targets of a group have.
    members : array of shape (n_members,)
        The targets of the group.

    Raises
    ------
    DataError
        If a value is infinite, or a target has no value at all.
    """
    groups: dict[bytes, list[int]] = {}
    for start in range(0, len(targets), _AT_ONCE):
        some = targets[start : start + _AT_ONCE]
        values = np.asarray(y[:, some])
        if np.isinf(values).any():
            row, column = np.argwhere(np.isinf(values))[0]
            raise DataError(
                f"Y holds infinite values, the first in sample {row} of target {some[column]}: mark what is missing by NaN"
            )
        for target, seen in zip(some, np.packbits(~np.isnan(values), axis=0).T, strict=True):
            groups.setdefault(seen.tobytes(), []).append(int(target))
    for pattern, members in groups.items():
        rows = np.flatnonzero(np.unpackbits(np.frombuffer(pattern, np.uint8), count=len(y)))
        if not len(rows):
            raise DataError(f"{len(members)} targets have no value at all, the first is target {members[0]}: leave them out")
        yield rows, np.asarray(members)


def folds_within(folds: Sequence[Split], rows: _Rows, n_samples: int) -> list[Split]:
    """Restrict folds to some samples.

    Parameters
    ----------
    folds : sequence of Split
        Folds of all samples.
    rows : array of shape (n_rows,)
        Samples to keep, ascending.
    n_samples : int
        Number of all samples.

    Returns
    -------
    list of Split
        Folds that have at least two samples left on each side, numbered within `rows`.

    Raises
    ------
    DataError
        If no fold is left.
    """
    place = np.full(n_samples, -1)
    place[rows] = np.arange(len(rows))
    cut = [Split(place[f.train][place[f.train] >= 0], place[f.test][place[f.test] >= 0], f.name) for f in folds]
    kept = [f for f in cut if min(len(f.train), len(f.test)) >= 2]
    if not kept:
        raise DataError(
            f"{len(rows)} of {n_samples} samples are left, and none of {len(folds)} folds has two of them on both sides: "
            "leave such targets out, or give other folds"
        )
    return kept
