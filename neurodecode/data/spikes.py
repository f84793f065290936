"""Events of units in continuous time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import describe
from neurodecode.data.intervals import Intervals, check_intervals
from neurodecode.data.recording import Recording, meta_with_step
from neurodecode.data.tables import channel_table, event_table, row_mask
from neurodecode.data.validate import as_meta, assign, check_positive
from neurodecode.errors import DataError


@dataclass(frozen=True, eq=False, repr=False)
class SpikeTrains:
    """Spikes of many units.

    Parameters
    ----------
    times : array_like of shape (n_spikes,)
        Spike times in s, finite; kept sorted.
    unit : array_like of int, shape (n_spikes,)
        Row of `channels` that fired each spike.
    channels : DataFrame
        One row per unit, ``name`` unique; see `Recording`.
    events : DataFrame, optional
        ``onset`` and ``duration`` in s on the same clock.
    valid : Intervals, optional
        Stretches of recording, by default from the first to just after the last spike.
    meta : mapping, optional
        As in `Recording`.

    Raises
    ------
    DataError
        If members do not fit each other.
    """

    times: NDArray[np.float64]
    unit: NDArray[np.int64]
    channels: pd.DataFrame
    events: pd.DataFrame = None  # type: ignore[assignment]  # None stands for "no events" and becomes an empty table
    valid: Intervals = None  # type: ignore[assignment]  # None stands for "first to last spike"
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assign(self, channels=channel_table(self.channels, None))
        times, unit = _check_spikes(np.asarray(self.times), np.asarray(self.unit), len(self.channels))
        order = np.argsort(times, kind="stable")
        assign(self, times=times[order])
        assign(self, unit=unit[order])
        assign(self, events=event_table(self.events))
        ends = [(times.min(), np.nextafter(times.max(), np.inf))] if len(times) else []
        assign(self, valid=Intervals.from_pairs(ends) if self.valid is None else check_intervals(self.valid))
        assign(self, meta=as_meta(self.meta))

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.channels)

    def counts(self) -> NDArray[np.int64]:
        """Count the spikes of each unit.

        Returns
        -------
        NDArray[np.int64]
            Shape (n_units,).
        """
        return np.bincount(self.unit, minlength=self.n_units)

    def crop(self, tmin: float, tmax: float) -> SpikeTrains:
        """Keep spikes, events and valid stretches with tmin <= t < tmax.

        Parameters
        ----------
        tmin, tmax : float
            Window in s.

        Returns
        -------
        SpikeTrains
            All units, also those that do not fire in the window.

        Raises
        ------
        DataError
            If the window is not finite or has no length.
        """
        first, last = np.searchsorted(self.times, [tmin, tmax])
        onset = self.events["onset"]
        return replace(
            self,
            times=self.times[first:last],
            unit=self.unit[first:last],
            events=self.events[(onset >= tmin) & (onset < tmax)],
            valid=self.valid.intersection(Intervals([tmin], [tmax])),
        )

    def pick(self, **conditions: Any) -> SpikeTrains:
        """Keep some units.

        Parameters
        ----------
        **conditions
            Column of `channels` = wanted value or values, e.g. ``region="hippocampus"``.

        Returns
        -------
        SpikeTrains
            The units that meet every condition, in the order they had.

        Raises
        ------
        DataError
            If a column is unknown or nothing is left.
        """
        keep = row_mask(self.channels, conditions, "channels")
        if not keep.any():
            raise DataError(f"no unit is left for {conditions} among {self.n_units}")
        number, inside = np.cumsum(keep) - 1, keep[self.unit]
        return replace(
            self,
            times=self.times[inside],
            unit=number[self.unit[inside]],
            channels=self.channels[keep],
            valid=self.valid,
        )

    def bin(self, width: float, tmin: float | None = None, tmax: float | None = None) -> Recording:
        """Count spikes in bins of one width.

        Parameters
        ----------
        width : float
            Bin width in s.
        tmin, tmax : float, optional
            Window in s, by default the ends of `valid`; a last bin that would pass `tmax` is left out.

        Returns
        -------
        Recording
            Counts, (n_units, n_bins). A sample is at the centre of its bin: bin i holds the spikes with
            ``tmin + i * width <= t < tmin + (i + 1) * width``, and ``t0 = tmin + width / 2``.

        Raises
        ------
        DataError
            If the width is not above 0 or no bin fits.
        """
        width = check_positive("width", width)
        start = self._edge(self.valid.start, tmin, 0)
        n_bins = int(np.floor((self._edge(self.valid.end, tmax, -1) - start) / width + 1e-9))
        if n_bins < 1:
            raise DataError(f"no bin of {width} s fits between tmin={start:g} s and tmax={tmax}")
        index = np.floor((self.times - start) / width + 1e-9).astype(np.int64)
        inside = (index >= 0) & (index < n_bins)
        counts = np.bincount(self.unit[inside] * n_bins + index[inside], minlength=self.n_units * n_bins)
        return Recording(
            counts.reshape(self.n_units, n_bins),
            1 / width,
            self.channels.assign(unit="count"),
            self.events,
            t0=start + width / 2,
            valid=self.valid,
            meta=meta_with_step(self.meta, "bin", {"width": width}),
        )

    def _edge(self, borders: NDArray[np.float64], given: float | None, which: int) -> float:
        """The border that was given, or the first or last of `valid`."""
        if given is not None:
            return float(given)
        if not len(borders):
            raise DataError("there are no spikes and no valid stretch: give tmin and tmax in s")
        return float(borders[which])

    def __repr__(self) -> str:
        return describe.titled(
            "SpikeTrains",
            self.meta,
            [
                f"{self.n_units} units, {len(self.times)} spikes in {self.valid.duration:g} s",
                f"{len(self.events)} events; {describe.memory(self.times.nbytes + self.unit.nbytes)}",
            ],
        )


def _check_spikes(times: NDArray[Any], unit: NDArray[Any], n_units: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Times in s and rows of channels, one pair per spike."""
    if times.ndim != 1 or times.shape != unit.shape:
        raise DataError(f"times and unit must be two lists of one length, got shapes {times.shape} and {unit.shape}")
    if not len(times):
        return np.zeros(0), np.zeros(0, np.int64)
    if times.dtype.kind not in "fiu" or not np.isfinite(times).all():
        odd = 0 if times.dtype.kind not in "fiu" else np.flatnonzero(~np.isfinite(times))[0]
        raise DataError(f"spike {odd} has no finite time in s, got {times[odd]!r}; drop it")
    if unit.dtype.kind not in "iu" or unit.min() < 0 or unit.max() >= n_units:
        got = f"{unit.min()} to {unit.max()}" if unit.dtype.kind in "iu" else f"dtype {unit.dtype}"
        raise DataError(f"unit must hold row numbers of channels, 0 to {n_units - 1}, got {got}")
    return times.astype(np.float64, copy=False), unit.astype(np.int64, copy=False)
