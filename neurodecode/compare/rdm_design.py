"""Which row of the responses is which condition in which run, and the mean pattern of each, a batch of units at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_length
from neurodecode.errors import DataError

_BATCH_BYTES = 16 * 2**20  # of float64 patterns: they stay in the cache while they are centred and summed
_NAMES = ("stimulus", "trial_type")  # columns that name a condition, the first that exists

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class Design(NamedTuple):
    """Responses and what was shown in each row."""

    data: NDArray[Any]
    """Responses, shape (n_rows, n_units); may be a memory map."""
    labels: NDArray[Any]
    """Name of each condition, in the order of the RDM, shape (n_conditions,)."""
    condition: Codes
    """Number of the condition of each row, shape (n_rows,)."""
    run: Codes | None
    """Number of the run of each row, shape (n_rows,); None where runs are not known."""

    @property
    def n_conditions(self) -> int:
        """Number of rows and columns of the RDM."""
        return len(self.labels)

    @property
    def n_units(self) -> int:
        """Number of units in a pattern."""
        return int(self.data.shape[1])


class Cells(NamedTuple):
    """Rows in the order of their cell: a condition, or a condition in a run."""

    order: Codes
    """Rows sorted by cell, shape (n_rows,)."""
    starts: Codes
    """Where in `order` each cell that has rows begins."""
    counts: Codes
    """Rows per cell that has any."""
    held: Codes
    """Which cells have rows, in ascending order."""
    n_cells: int
    """Cells there could be."""


def conditions_of(data: Responses | ArrayLike, conditions: str | ArrayLike | None = None) -> NDArray[Any]:
    """Names of the rows and columns of an RDM, in their order.

    Conditions are sorted, numbers by value and texts by their characters, whatever the order of the trials: RDMs of two
    recordings of the same conditions have the same order. Rows without names (an array and no `conditions`) stay as they are.

    Parameters
    ----------
    data : Responses or array_like of shape (n_samples, n_units)
        What `rdm` was given.
    conditions : str or array_like of shape (n_samples,), optional
        What `rdm` was given.

    Returns
    -------
    array of shape (n_conditions,)
        Values of the column, or row numbers.

    Raises
    ------
    DataError
        If a column is unknown, a length differs or a row has no condition.
    """
    return design_of(data, conditions, None).labels


def design_of(data: Responses | ArrayLike, conditions: str | ArrayLike | None, runs: str | ArrayLike | None) -> Design:
    """Responses with the condition and the run of each row.

    Parameters
    ----------
    data : Responses or array_like of shape (n_samples, n_units)
        Responses; of those with a time axis each unit at each time is a unit.
    conditions : str or array_like of shape (n_samples,), optional
        Column of `samples`, or the condition of each row. By default ``stimulus``, else ``trial_type``, else each row is one.
    runs : str or array_like of shape (n_samples,), optional
        The same for runs; by default ``run`` where there is such a column.

    Returns
    -------
    Design
        With conditions in sorted order.

    Raises
    ------
    DataError
        If a column is unknown, a length differs, a row has no condition, or the data are no matrix of numbers.
    """
    values = _matrix(data)
    samples = data.samples if isinstance(data, Responses) else pd.DataFrame(index=range(len(values)))
    if conditions is None:
        conditions = next((name for name in _NAMES if name in samples), None)
    labels, condition = _numbered(samples, conditions, "conditions")
    if isinstance(data, Responses) and (isinstance(runs, str) or (runs is None and "run" in samples)):
        return Design(values, labels, condition, data.groups(runs or "run"))
    run = None if runs is None else _numbered(samples, runs, "runs")[1]
    return Design(values, labels, condition, run)


def cells_by_condition(design: Design) -> Cells:
    """One cell per condition, whatever the run.

    Parameters
    ----------
    design : Design
        Rows.

    Returns
    -------
    Cells
        As many as conditions; each has rows.
    """
    return _cells(design.condition, design.n_conditions)


def cells_by_run(design: Design) -> Cells:
    """One cell per condition and run, runs varying fastest.

    Parameters
    ----------
    design : Design
        Rows with runs.

    Returns
    -------
    Cells
        As many as conditions times runs; those of a condition that is missing in a run have no rows.

    Raises
    ------
    DataError
        If runs are not known, or there is only one.
    """
    run = design.run
    if run is None or run.max() < 1:
        got = "no runs" if run is None else "one run"
        raise DataError(f"crossnobis multiplies patterns of different runs and got {got}: give runs, at least two of them")
    n_runs = int(run.max()) + 1
    return _cells(design.condition * n_runs + run, n_runs * design.n_conditions)


def mean_patterns(design: Design, cells: Cells, scale: Floats | None = None) -> Iterator[tuple[slice, Floats]]:
    """Mean pattern of each cell, a batch of units at a time.

    Parameters
    ----------
    design : Design
        Rows.
    cells : Cells
        Which rows are averaged.
    scale : array of shape (n_units,), optional
        Factor of each unit.

    Yields
    ------
    tuple of slice and array of shape (n_cells, n_units_of_batch)
        The units, and their means in float64, 0 in cells without rows; an array that the caller may change.
    """
    for units in unit_batches(design.n_units, len(cells.order)):
        rows = np.take(design.data[:, units], cells.order, axis=0).astype(np.float64, copy=False)
        if len(cells.starts) < len(rows):
            rows = np.add.reduceat(rows, cells.starts, axis=0) / cells.counts[:, None]
        if len(rows) < cells.n_cells:
            rows, filled = np.zeros((cells.n_cells, rows.shape[1])), rows
            rows[cells.held] = filled
        if scale is not None:
            rows *= scale[units]
        yield units, rows


def all_patterns(design: Design, cells: Cells) -> Floats:
    """Mean pattern of each cell over all units, for what needs them at once.

    Parameters
    ----------
    design : Design
        Rows.
    cells : Cells
        Which rows are averaged.

    Returns
    -------
    array of shape (n_cells, n_units)
        Means in float64; 0 in cells without rows.
    """
    patterns = np.empty((cells.n_cells, design.n_units))
    for units, rows in mean_patterns(design, cells):
        patterns[:, units] = rows
    return patterns


def unit_batches(n_units: int, n_rows: int) -> Iterator[slice]:
    """Units in batches that take 16 MiB.

    Parameters
    ----------
    n_units, n_rows : int
        Shape of what is cut.

    Yields
    ------
    slice
        Units of a batch.
    """
    width = max(1, _BATCH_BYTES // (8 * n_rows))
    for low in range(0, n_units, width):
        yield slice(low, min(low + width, n_units))


def check_units(design: Design) -> None:
    """Name the first value that is missing.

    Parameters
    ----------
    design : Design
        Rows.

    Raises
    ------
    DataError
        If a value is NaN or infinite.
    """
    for row, values in enumerate(design.data):
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise DataError(
                f"row {row} (condition {design.labels[design.condition[row]]!r}) holds NaN or infinite values in {bad.size} of "
                f"{design.n_units} units, the first is unit {bad[0]}: pass missing='drop' to leave such units out of all rows"
            )


def without_missing_units(design: Design) -> Design:
    """Leave out units that are NaN or infinite in any row.

    Parameters
    ----------
    design : Design
        Rows.

    Returns
    -------
    Design
        With the units that are finite in all rows.

    Raises
    ------
    DataError
        If none is left.
    """
    kept = np.ones(design.n_units, bool)
    for values in design.data:
        kept &= np.isfinite(values)
    if not kept.any():
        raise DataError(f"each of {design.n_units} units holds NaN or infinite values in some row: leave those rows out instead")
    return design if kept.all() else design._replace(data=design.data[:, kept])


def _matrix(data: Responses | ArrayLike) -> NDArray[Any]:
    values = data.matrix() if isinstance(data, Responses) else data if isinstance(data, np.ndarray) else np.asarray(data)
    if values.ndim != 2 or not values.size or values.dtype.kind not in "fiub":
        raise DataError(f"data must be numbers of shape (n_samples, n_units), got {values.dtype} of shape {values.shape}")
    return values


def _numbered(samples: pd.DataFrame, by: str | ArrayLike | None, what: str) -> tuple[NDArray[Any], Codes]:
    """Values in sorted order, and the number of that of each row."""
    if by is None:
        return np.arange(len(samples)), np.arange(len(samples))
    if isinstance(by, str) and by not in samples:
        raise DataError(f"{what}={by!r} is no column of samples, which has {list(samples.columns)}: give a column or an array")
    column = pd.Series(samples[by] if isinstance(by, str) else np.asarray(by).tolist())
    check_length(what, len(column), len(samples), "row of data")
    if column.isna().any():
        row = int(np.argmax(column.isna()))
        raise DataError(f"row {row} has no value in {what} ({int(column.isna().sum())} rows have none): select the others first")
    plain = column.to_numpy()
    labels, codes = np.unique(plain if plain.dtype.kind in "fiub" else plain.astype(str), return_inverse=True)
    return labels, codes.astype(np.int64)


def _cells(codes: Codes, n_cells: int) -> Cells:
    counts = np.bincount(codes, minlength=n_cells)
    held = np.flatnonzero(counts)
    starts = np.cumsum(counts[held]) - counts[held]
    return Cells(np.argsort(codes, kind="stable"), starts, counts[held], held, n_cells)
