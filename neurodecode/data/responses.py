"""Responses locked to samples: the table that decoders, analyses and comparisons work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import describe
from neurodecode.data.recording import meta_with_step
from neurodecode.data.tables import as_texts, cut_rows, row_mask
from neurodecode.data.validate import (
    as_float32,
    as_meta,
    as_table,
    assign,
    check_columns,
    check_index,
    check_length,
    check_unique,
)
from neurodecode.data.windowed import joined_windows
from neurodecode.errors import DataError

RUN_KEYS = ("subject", "session", "run")  # a run is unique only within its subject and session


@dataclass(frozen=True, eq=False, repr=False)
class Responses:
    """What each unit did on each sample (trial, block, word, stimulus).

    Parameters
    ----------
    data : array of shape (n_samples, n_units) or (n_samples, n_units, n_times)
        Responses as float32 (other numbers are converted); may be a memory map. NaN is allowed and marks missing values.
    samples : DataFrame
        One row per sample: ``trial_type, stimulus, subject, session, run, repeat, onset`` (s) and any other column.
    units : DataFrame
        One row per unit (neuron, voxel, sensor, model unit): ``name`` is unique and made up where missing.
    times : array_like of shape (n_times,), optional
        Time of each response sample in s relative to the event; required for three-dimensional data.
    meta : mapping, optional
        As in `Recording`.

    Raises
    ------
    DataError
        If members do not fit each other; the message says what was expected and what came.
    """

    data: Any
    samples: pd.DataFrame
    units: pd.DataFrame
    times: NDArray[np.float64] | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assign(self, data=as_float32(self.data, "data of Responses (n_samples, n_units[, n_times])", (2, 3)))
        assign(self, samples=as_table(self.samples, "samples"), units=_unit_table(self.units))
        check_length("samples", len(self.samples), self.data.shape[0], "row of data")
        check_length("units", len(self.units), self.data.shape[1], "column of data")
        assign(self, times=_check_times(self.times, self.data.shape), meta=as_meta(self.meta))

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return int(self.data.shape[0])

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.data.shape[1])

    def __len__(self) -> int:
        return self.n_samples

    def matrix(self) -> NDArray[np.float32]:
        """Lay the data out as a matrix: each unit at each time is a feature, units varying slowest.

        Returns
        -------
        NDArray[np.float32]
            Shape (n_samples, n_features).
        """
        return np.asarray(self.data).reshape(self.n_samples, -1)

    def select(
        self, samples: Any = None, *, units: Any = None, tmin: float | None = None, tmax: float | None = None, **conditions: Any
    ) -> Responses:
        """Cut all members together.

        Parameters
        ----------
        samples : array_like, slice or int, optional
            Rows: indices, a slice, or a mask of shape (n_samples,).
        units : array_like, slice or int, optional
            Columns: indices, a slice, or a mask of shape (n_units,); none of them twice.
        tmin, tmax : float, optional
            Keep response times with tmin <= t < tmax, in s.
        **conditions
            Column of `samples` = wanted value or values, e.g. ``trial_type=["face", "house"]``.

        Returns
        -------
        Responses
            Views wherever numpy would give one.

        Raises
        ------
        DataError
            If an index is out of range, a mask has another length, a column is unknown, or a condition or a window
            leaves nothing.
        """
        data, table = self.data, self.samples
        parts: dict[str, Any] = {}
        if samples is not None or conditions:
            rows = self._rows(samples, conditions)
            data, table = data[rows], cut_rows(table, rows)
        if units is not None:
            columns = self._columns(units)
            data, parts["units"] = data[:, columns], cut_rows(self.units, columns)
        if tmin is not None or tmax is not None:
            window = self._window(tmin, tmax)
            data, parts["times"] = data[:, :, window], self._need_times()[window]
        return self._unchecked(data=data, samples=table, **parts)

    def _unchecked(self, **members: Any) -> Responses:
        """A cut of a checked object needs no second check: a data loader takes one trial at a time."""
        part: Responses = object.__new__(Responses)
        part.__dict__.update({**self.__dict__, **members})
        return part

    def _rows(self, samples: Any, conditions: dict[str, Any]) -> Any:
        """Rows as a slice where possible, else as row numbers."""
        if not conditions and isinstance(samples, slice):
            return samples
        if not conditions and isinstance(samples, (int, np.integer)) and 0 <= samples < self.n_samples:
            return slice(samples, samples + 1)
        rows = check_index(slice(None) if samples is None else samples, self.n_samples, "samples")
        if not conditions:
            return rows
        kept = rows[row_mask(self.samples, conditions, "samples")[rows]]
        if not kept.size:
            raise DataError(f"no sample is left for {conditions} among {self.n_samples}")
        whole = isinstance(self.data, np.memmap) and kept[-1] - kept[0] == len(kept) - 1 and bool(np.all(np.diff(kept) == 1))
        return slice(int(kept[0]), int(kept[-1]) + 1) if whole else kept  # a stretch of a memory map stays one

    def _columns(self, units: Any) -> Any:
        """Columns as a slice where possible, else as column numbers."""
        if isinstance(units, slice):
            return units
        columns = check_index(units, self.n_units, "units")
        if len(np.unique(columns)) < len(columns):
            raise DataError(f"units must not be taken twice, got {len(columns)} of {len(np.unique(columns))} different units")
        return columns

    def _need_times(self) -> NDArray[np.float64]:
        """The time axis, or an error that says there is none."""
        if self.times is None:
            raise DataError(f"these Responses have no time axis (shape {self.data.shape}); tmin and tmax do not apply")
        return self.times

    def _window(self, tmin: float | None, tmax: float | None) -> slice:
        """The response samples with tmin <= t < tmax."""
        times = self._need_times()
        low, high = (-np.inf if tmin is None else tmin), (np.inf if tmax is None else tmax)
        first, last = np.searchsorted(times, [low - 1e-9, high - 1e-9])
        if last <= first:
            raise DataError(f"no response time lies in [{tmin}, {tmax}) s; they span {times[0]:g} to {times[-1]:g} s")
        return slice(int(first), int(last))

    def average(self, by: str | Sequence[str] = "stimulus") -> Responses:
        """Mean over the samples that share the value of one or more columns.

        Parameters
        ----------
        by : str or sequence of str
            Columns of `samples`.

        Returns
        -------
        Responses
            One sample per value, in order of first appearance. Columns that do not vary within a value are kept, and
            ``n_averaged`` counts. NaN spreads: a mean over a missing value is missing.

        Raises
        ------
        DataError
            If a column is unknown or there are no samples.
        """
        columns = [by] if isinstance(by, str) else list(by)
        check_columns(self.samples, columns, "samples")
        labels = self._labels(columns)
        if not len(labels):
            raise DataError(f"there are no samples to average by {columns}: data have shape {self.data.shape}")
        n = np.bincount(labels)
        order = np.argsort(labels, kind="stable")
        flat = np.asarray(self.data).reshape(self.n_samples, -1)
        sums = np.add.reduceat(flat[order], np.concatenate([[0], np.cumsum(n)[:-1]]), axis=0, dtype=np.float64)
        mean = (sums / n[:, None]).reshape(len(n), *self.data.shape[1:])
        table = cut_rows(self.samples[self._constant(labels)], order[np.cumsum(n) - n]).assign(n_averaged=n)
        return self.with_step("average", {"by": columns}, data=mean, samples=table)

    def _constant(self, labels: NDArray[np.int64]) -> list[str]:
        """Columns of `samples` that do not vary within a label."""
        different = self.samples.groupby(labels).nunique(dropna=False)
        return [str(name) for name in self.samples if (different[name] <= 1).all()]

    def groups(self, by: str | Sequence[str] = "run") -> NDArray[np.int64]:
        """Number of the group of each sample, counted from 0 in order of appearance.

        Parameters
        ----------
        by : str or sequence of str
            Columns of `samples`. ``"run"`` stands for the unique (subject, session, run) and ``"session"`` for the unique
            (subject, session), as far as those columns exist: run 1 of two subjects is not one run.

        Returns
        -------
        NDArray[np.int64]
            Shape (n_samples,).

        Raises
        ------
        DataError
            If a column is unknown, or none is named.
        """
        return self._labels(group_columns(self.samples, by))

    def _labels(self, columns: Sequence[str]) -> NDArray[np.int64]:
        """Number of each sample's combination of values, in order of appearance; missing is a value of its own."""
        labels = self.samples.groupby(list(columns), sort=False, dropna=False).ngroup()
        return labels.to_numpy().astype(np.int64)

    def replace(self, **members: Any) -> Responses:
        """Exchange some members.

        Parameters
        ----------
        **members
            New values by name.

        Returns
        -------
        Responses
            A copy, checked again as a whole.
        """
        return replace(self, **members)

    def with_step(self, name: str, parameters: dict[str, Any], **members: Any) -> Responses:
        """Exchange some members and append the step that did it to ``meta["steps"]``.

        Parameters
        ----------
        name : str
            Name of the step, e.g. ``fmri.block_average``.
        parameters : dict
            JSON values by name: all that is needed to repeat the step.
        **members
            New values by name.

        Returns
        -------
        Responses
            A copy, checked again as a whole.
        """
        return replace(self, **{"meta": meta_with_step(self.meta, name, parameters), **members})

    def __repr__(self) -> str:
        span = "" if self.times is None else f" x {len(self.times)} times ({self.times[0]:g} to {self.times[-1]:g} s)"
        kinds = f" ({describe.counts(self.samples['trial_type'], 8)})" if "trial_type" in self.samples else ""
        return describe.titled(
            "Responses",
            self.meta,
            [
                f"{self.n_samples} samples{kinds} x {self.n_units} units{span}",
                f"sample columns: {', '.join(map(str, self.samples.columns))}",
                f"{describe.memory(self.data.nbytes)}{'' if type(self.data) is np.ndarray else ' not in memory'}",
            ],
        )


def group_columns(samples: pd.DataFrame, by: str | Sequence[str]) -> list[str]:
    """Find the columns that make groups unique.

    Parameters
    ----------
    samples : DataFrame
        Samples of `Responses`.
    by : str or sequence of str
        ``"run"`` becomes subject, session and run, ``"session"`` becomes subject and session, as far as they exist;
        other names stand for themselves.

    Returns
    -------
    list of str
        Columns of `samples`.

    Raises
    ------
    DataError
        If a column is unknown, or none is named.
    """
    if isinstance(by, str) and by in RUN_KEYS:
        upper = RUN_KEYS[: RUN_KEYS.index(by)]
        columns = [c for c in upper if c in samples] + [by]
    else:
        columns = [by] if isinstance(by, str) else list(by)
    if not columns:
        raise DataError(f"name at least one column to group by, got {by!r}; samples has {list(samples.columns)}")
    check_columns(samples, columns, "samples")
    return columns


def concatenate(parts: Sequence[Responses], *, lazy: bool = False) -> Responses:
    """Join responses of the same units (and times) sample by sample.

    Parameters
    ----------
    parts : sequence of Responses
        At least one; unit names and times must be equal.
    lazy : bool
        Leave windows (three dimensions) where they are until they are used, e.g. memory maps that together exceed memory.

    Returns
    -------
    Responses
        Samples in the order given; a unit is bad where any part says so; `meta` keeps the entries on which all parts agree.
        Where their ``steps`` differ (in what was dropped from each run, say), those of all parts stand one after the other.

    Raises
    ------
    DataError
        If there is nothing to join or units or times differ.
    """
    if not parts:
        raise DataError("there are no Responses to concatenate, expected at least one")
    first = parts[0]
    for i, part in enumerate(parts[1:], start=1):
        if part.units["name"].tolist() != first.units["name"].tolist():
            raise DataError(
                f"part {i} has other units than part 0 ({part.n_units} against {first.n_units}): pick common units first"
            )
        if not _same_times(part.times, first.times):
            raise DataError(f"part {i} has other response times than part 0: cut both to one window and rate first")
    arrays = [part.data for part in parts]
    data = joined_windows(arrays) if lazy and first.times is not None else np.concatenate([np.asarray(a) for a in arrays])
    samples = pd.concat([part.samples for part in parts], ignore_index=True)
    meta = {k: v for k, v in first.meta.items() if all(p.meta.get(k) == v for p in parts)}
    if "steps" not in meta and any("steps" in p.meta for p in parts):
        meta["steps"] = [step for p in parts for step in p.meta.get("steps", [])]
    units = first.units.assign(bad=np.any([p.units["bad"] for p in parts], axis=0)) if "bad" in first.units else first.units
    return Responses(data, samples, units, first.times, meta)


def _same_times(a: NDArray[np.float64] | None, b: NDArray[np.float64] | None) -> bool:
    """Whether two time axes are one, but for a microsecond."""
    if a is None or b is None:
        return a is None and b is None
    return len(a) == len(b) and bool(np.allclose(a, b, rtol=0, atol=1e-6))


def _unit_table(table: Any) -> pd.DataFrame:
    """Check a table of units and make names up where there are none."""
    units = as_table(table, "units")
    if "name" not in units:
        units.insert(0, "name", [f"unit{i}" for i in range(len(units))])
    units = units.assign(name=as_texts(units["name"]))
    check_unique(units["name"], "unit names")
    return units


def _check_times(times: Any, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """The time axis that belongs to data of this shape, or None."""
    if len(shape) == 2:
        if times is not None:
            raise DataError(f"times were given for data of shape {shape}, which has no time axis")
        return None
    if times is None:
        raise DataError(f"data of shape {shape} has a time axis: give times, {shape[2]} values in s")
    values = np.asarray(times, float)
    if values.shape != (shape[2],) or not np.all(np.isfinite(values)) or not np.all(np.diff(values) > 0):
        raise DataError(f"times must be {shape[2]} increasing, finite values in s, got shape {values.shape}: {values!s:.80}")
    return values
