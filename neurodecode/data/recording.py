"""Continuous signal on a regular clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import describe
from neurodecode.data.clock import first_sample_from, inside_samples, sample_times
from neurodecode.data.intervals import Intervals, check_intervals
from neurodecode.data.lazy import LazySignal, read_signal
from neurodecode.data.tables import channel_table, event_table, row_mask
from neurodecode.data.validate import as_float32, as_meta, as_number, assign, check_index, check_positive, suggest
from neurodecode.errors import DataError


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """A signal of many channels, sample i being at time ``t0 + i / sfreq``.

    Parameters
    ----------
    data : array of shape (n_channels, n_times)
        Signal as float32 (other numbers are converted), in SI units; a memory map or a `LazySignal` stays unread.
        NaN is allowed and marks missing samples; what cannot handle it says so.
    sfreq : float
        Sampling rate in Hz; 1 / TR for fMRI.
    channels : DataFrame
        One row per channel: ``name`` (unique), ``kind`` (eeg, mag, ecog, bold, ...), ``unit`` (V, T, ...), ``bad``,
        ``x, y, z`` (m in device spaces, mm in template spaces), ``region``, and any other column. Voxels carry ``i, j, k``.
    events : DataFrame, optional
        ``onset`` and ``duration`` in s on the same clock as `t0`, with ``trial_type``, ``stimulus`` and any other column.
    t0 : float
        Time of the first sample in s.
    valid : Intervals, optional
        Stretches that may be used, by default all of the recording.
    meta : mapping, optional
        ``subject, session, run, task, modality, space, sources, steps``: JSON values only.

    Raises
    ------
    DataError
        If members do not fit each other; the message says what was expected and what came.
    """

    data: Any
    sfreq: float
    channels: pd.DataFrame
    events: pd.DataFrame = None  # type: ignore[assignment]  # None stands for "no events" and becomes an empty table
    t0: float = 0.0
    valid: Intervals = None  # type: ignore[assignment]  # None stands for "all of it"
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assign(self, data=as_float32(self.data, "data of a Recording (n_channels, n_times)", (2,)))
        assign(self, sfreq=check_positive("sfreq", self.sfreq))
        if not np.isfinite(as_number(self.t0)):
            raise DataError(f"t0 must be a finite time in s, got {self.t0!r}")
        assign(self, t0=float(self.t0))
        assign(self, channels=channel_table(self.channels, self.data.shape[0]))
        assign(self, events=event_table(self.events))
        assign(self, valid=self._whole() if self.valid is None else check_intervals(self.valid))
        assign(self, meta=as_meta(self.meta))

    def _whole(self) -> Intervals:
        """The stretch from the first sample to one sample after the last."""
        return Intervals.from_pairs([(self.t0, self.t0 + self.n_times / self.sfreq)])

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return int(self.data.shape[0])

    @property
    def n_times(self) -> int:
        """Number of samples per channel."""
        return int(self.data.shape[1])

    @property
    def times(self) -> NDArray[np.float64]:
        """Time of each sample in s, shape (n_times,)."""
        return sample_times(self.n_times, self.sfreq, self.t0)

    @property
    def duration(self) -> float:
        """Length in s: n_times / sfreq."""
        return self.n_times / self.sfreq

    @property
    def names(self) -> list[str]:
        """Channel names."""
        return self.channels["name"].tolist()

    def crop(self, tmin: float | None = None, tmax: float | None = None) -> Recording:
        """Keep the samples with tmin <= t < tmax, and the events and valid stretches inside.

        Parameters
        ----------
        tmin, tmax : float, optional
            Window in s on the recording's own clock; by default its ends.

        Returns
        -------
        Recording
            A view where the signal is in memory; of a lazy signal only this stretch is read.

        Raises
        ------
        DataError
            If no sample lies inside the window.
        """
        if any(edge is not None and np.isnan(as_number(edge)) for edge in (tmin, tmax)):
            raise DataError(f"tmin and tmax must be times in s, got {tmin!r} and {tmax!r}")
        start = 0 if tmin is None else max(0, first_sample_from(tmin, self.sfreq, self.t0))
        stop = self.n_times if tmax is None else min(self.n_times, first_sample_from(tmax, self.sfreq, self.t0))
        if stop <= start:
            raise DataError(
                f"no sample lies in [{tmin}, {tmax}) s; the recording spans [{self.t0:g}, {self.t0 + self.duration:g}) s"
            )
        begin, end = self.t0 + start / self.sfreq, self.t0 + stop / self.sfreq
        return replace(
            self,
            data=self.data[:, start:stop],
            t0=begin,
            events=self.events[inside_samples(self.events["onset"], start, stop, self.sfreq, self.t0)],
            valid=self.valid.intersection(Intervals([begin], [end])),
        )

    def pick(self, channels: str | Sequence[Any] | NDArray[Any] | None = None, **conditions: Any) -> Recording:
        """Keep some channels: by name, index or mask, and by conditions on the columns of the channel table.

        Parameters
        ----------
        channels : str, sequence or array, optional
            One name, names, row numbers, or a mask of shape (n_channels,).
        **conditions
            Column = wanted value or values, e.g. ``kind="eeg"``, ``bad=False``.

        Returns
        -------
        Recording
            Channels in the order asked for.

        Raises
        ------
        DataError
            If a name or column is unknown, or nothing is left.
        """
        rows = np.arange(self.n_channels) if channels is None else self._rows(channels)
        keep = row_mask(self.channels, conditions, "channels")
        rows = rows[keep[rows]]
        if not rows.size:
            raise DataError(
                f"no channel is left for {conditions or channels}; kinds here: {describe.counts(self.channels['kind'])}"
            )
        data = self.data.take_rows(rows) if isinstance(self.data, LazySignal) else self.data[rows]
        return replace(self, data=data, channels=self.channels.iloc[rows])

    def _rows(self, channels: str | Sequence[Any] | NDArray[Any]) -> NDArray[np.intp]:
        """Row numbers of channels given by name, number or mask."""
        wanted = np.atleast_1d(np.asarray(channels))
        if wanted.dtype.kind not in "OUS":
            return check_index(wanted, self.n_channels, "channels")
        index = {name: i for i, name in enumerate(self.names)}
        for name in wanted:
            if str(name) not in index:
                raise DataError(f"there is no channel {str(name)!r}: {suggest(str(name), index)}")
        return np.array([index[str(name)] for name in wanted], dtype=np.intp)

    def load(self) -> Recording:
        """Read the signal into memory.

        Returns
        -------
        Recording
            A copy that needs its file no more.
        """
        return replace(self, data=np.array(read_signal(self.data)))

    def replace(self, **members: Any) -> Recording:
        """Exchange some members.

        Parameters
        ----------
        **members
            New values by name.

        Returns
        -------
        Recording
            A copy, checked again as a whole.
        """
        return replace(self, **members)

    def with_step(self, name: str, parameters: Mapping[str, Any], **members: Any) -> Recording:
        """Exchange some members and append the step that did it to ``meta["steps"]``.

        Parameters
        ----------
        name : str
            Name of the step, e.g. ``meeg.filter``.
        parameters : mapping
            JSON values by name: all that is needed to repeat the step.
        **members
            New values by name.

        Returns
        -------
        Recording
            A copy, checked again as a whole.
        """
        return replace(self, **{"meta": meta_with_step(self.meta, name, parameters), **members})

    def __repr__(self) -> str:
        held = "not in memory" if isinstance(self.data, (LazySignal, np.memmap)) else "in memory"
        n_bad = int(self.channels["bad"].sum())
        bad = f"; {n_bad} bad" if n_bad else ""
        typed = "trial_type" in self.events and len(self.events)
        kinds = f" ({describe.counts(self.events['trial_type'])})" if typed else ""
        lines = [
            f"{self.n_channels} channels ({describe.counts(self.channels['kind'])}{bad})"
            f", unit {describe.counts(self.channels['unit'], 2)}",
            f"{self.n_times} samples at {self.sfreq:g} Hz = {self.duration:g} s from t0 = {self.t0:g} s",
            f"{len(self.events)} events{kinds}",
            f"{describe.memory(self.data.nbytes)} {held}; {len(self.meta.get('steps', []))} steps applied",
        ]
        return describe.titled("Recording", self.meta, lines)


def meta_with_step(meta: Mapping[str, Any], name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Append a step to what is known about an object.

    Parameters
    ----------
    meta : mapping
        The `meta` of an object.
    name : str
        Name of the step.
    parameters : mapping
        JSON values by name.

    Returns
    -------
    dict
        A copy whose ``steps`` end with this step and its parameters.
    """
    return {**meta, "steps": [*meta.get("steps", []), {"step": name, **parameters}]}
