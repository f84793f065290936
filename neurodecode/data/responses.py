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
from neurodecode.data.tables import cut_rows, fill_defaults, row_mask
from neurodecode.data.validate import as_float32, as_table, assign, check_columns, check_length, check_unique
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
        assign(self, times=_check_times(self.times, self.data.shape), meta=dict(self.meta or {}))

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
        """Data as (n_samples, n_features): each unit at each time is a feature, units varying slowest."""
        return np.asarray(self.data).reshape(self.n_samples, -1)

    def select(
        self, samples: Any = None, *, units: Any = None, tmin: float | None = None, tmax: float | None = None, **conditions: Any
    ) -> Responses:
        """Cut all members together.

        Parameters
        ----------
        samples : array_like, slice or int, optional
            Rows: indices, a slice, or a mask of shape (n_samples,).
        units : array_like or slice, optional
            Columns: indices, a slice, or a mask of shape (n_units,).
        tmin, tmax : float, optional
            Keep response times with tmin <= t < tmax, in s.
        **conditions
            Column of `samples` = wanted value or values, e.g. ``trial_type=["face", "house"]``.

        Returns
        -------
        Responses
            Views wherever numpy would give one.
        """
        data, table, parts = self.data, self.samples, {}
        if samples is not None or conditions:
            rows = self._rows(samples, conditions)
            data, table = data[rows], cut_rows(table, rows)
        if units is not None:
            data, parts["units"] = data[:, units], cut_rows(self.units, units)
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
        if not conditions:
            return slice(samples, samples + 1) if isinstance(samples, (int, np.integer)) else samples
        rows = np.arange(self.n_samples) if samples is None else np.atleast_1d(np.arange(self.n_samples)[samples])
        kept = rows[row_mask(self.samples, conditions, "samples")[rows]]
        if not kept.size:
            raise DataError(f"no sample is left for {conditions} among {self.n_samples}")
        return kept

    def _need_times(self) -> NDArray[np.float64]:
        if self.times is None:
            raise DataError(f"these Responses have no time axis (shape {self.data.shape}); tmin and tmax do not apply")
        return self.times

    def _window(self, tmin: float | None, tmax: float | None) -> slice:
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
        """
        columns = [by] if isinstance(by, str) else list(by)
        check_columns(self.samples, columns, "samples")
        labels = self._labels(columns)
        n = np.bincount(labels)
        order = np.argsort(labels, kind="stable")
        flat = np.asarray(self.data).reshape(self.n_samples, -1)
        sums = np.add.reduceat(flat[order], np.concatenate([[0], np.cumsum(n)[:-1]]), axis=0, dtype=np.float64)
        mean = (sums / n[:, None]).reshape(len(n), *self.data.shape[1:])
        grouped = self.samples.groupby(labels, sort=True)
        constant = [c for c in self.samples if (grouped[c].nunique(dropna=False) == 1).all()]
        table = grouped[constant].first().assign(n_averaged=n) if constant else pd.DataFrame({"n_averaged": n})
        meta = meta_with_step(self.meta, "average", {"by": columns})
        return replace(self, data=mean, samples=table, meta=meta)

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
        """
        return self._labels(group_columns(self.samples, by))

    def _labels(self, columns: Sequence[str]) -> NDArray[np.int64]:
        labels = self.samples.groupby(list(columns), sort=False, dropna=False).ngroup()
        return labels.to_numpy().astype(np.int64)

    def replace(self, **members: Any) -> Responses:
        """A copy with some members exchanged, checked again as a whole."""
        return replace(self, **members)

    def with_step(self, name: str, parameters: dict[str, Any], **members: Any) -> Responses:
        """A copy with some members exchanged and the step that did it appended to ``meta["steps"]``."""
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
                f"{describe.memory(self.data.nbytes)}{' not in memory' if isinstance(self.data, np.memmap) else ''}",
            ],
        )


def group_columns(samples: pd.DataFrame, by: str | Sequence[str]) -> list[str]:
    """Columns that make the groups of `by` unique: ``"run"`` becomes subject, session and run where they exist."""
    if isinstance(by, str) and by in RUN_KEYS:
        upper = RUN_KEYS[: RUN_KEYS.index(by)]
        columns = [c for c in upper if c in samples] + [by]
    else:
        columns = [by] if isinstance(by, str) else list(by)
    check_columns(samples, columns, "samples")
    return columns


def concatenate(parts: Sequence[Responses]) -> Responses:
    """Join responses of the same units (and times) sample by sample.

    Parameters
    ----------
    parts : sequence of Responses
        At least one; unit names and times must be equal.

    Returns
    -------
    Responses
        Samples in the order given; `meta` keeps the entries on which all parts agree.

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
    data = np.concatenate([np.asarray(part.data) for part in parts])
    samples = pd.concat([part.samples for part in parts], ignore_index=True)
    meta = {k: v for k, v in first.meta.items() if all(p.meta.get(k) == v for p in parts)}
    return Responses(data, samples, first.units, first.times, meta)


def _same_times(a: NDArray[np.float64] | None, b: NDArray[np.float64] | None) -> bool:
    if a is None or b is None:
        return a is None and b is None
    return len(a) == len(b) and bool(np.allclose(a, b, rtol=0, atol=1e-6))


def _unit_table(table: Any) -> pd.DataFrame:
    units = as_table(table, "units")
    if "name" not in units:
        units.insert(0, "name", [f"unit{i}" for i in range(len(units))])
    units = fill_defaults(units, {"name": "n/a"}).assign(name=units["name"].astype(str))
    check_unique(units["name"], "unit names")
    return units


def _check_times(times: Any, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    if len(shape) == 2:
        if times is not None:
            raise DataError(f"times were given for data of shape {shape}, which has no time axis")
        return None
    if times is None:
        raise DataError(f"data of shape {shape} has a time axis: give times, {shape[2]} values in s")
    values = np.asarray(times, float)
    if values.shape != (shape[2],) or not np.all(np.diff(values) > 0):
        raise DataError(f"times must be {shape[2]} increasing values in s, got shape {values.shape}")
    return values
