"""Which windows of a stream are decoded, and what is done to each: the same online and offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses, concatenate
from neurodecode.data.clock import nearest_sample
from neurodecode.data.responses import RUN_KEYS
from neurodecode.data.validate import check_positive
from neurodecode.errors import DataError
from neurodecode.io.stream import Marker, event_markers
from neurodecode.preprocess.causal import CausalChain
from neurodecode.preprocess.meeg_epochs import subtract_baseline
from neurodecode.preprocess.meeg_noise import RobustScale, robust_scale


class Span(NamedTuple):
    """One window as samples of what the chain gives."""

    start: int
    """First sample, counted from the beginning of the pass; negative where the window began before it."""
    stop: int
    """The sample after the last."""
    marker: Marker | None
    """What the window is locked to; None for windows at a fixed hop."""


@dataclass(frozen=True, eq=False)
class WindowPlan:
    """Windows at a fixed hop, or around markers.

    Parameters
    ----------
    window : float or tuple of float
        Length in s of a window that ends now, or its first and last time in s relative to the marker (both ends included, as in
        `neurodecode.preprocess.meeg.epochs`).
    hop : float, optional
        Time in s from one window to the next; None locks windows to markers.
    events : sequence of str, optional
        Labels of markers that are decoded, by default all.
    baseline : tuple of (float or None, float or None), optional
        Stretch in s whose mean is taken off each channel of each window; times are those of `window`, and count up to 0 where
        it is a length.
    scale : RobustScale, optional
        Centre and spread of each channel, taken off and divided by after the baseline; fitted on training windows.
    clamp : float, optional
        Limit of the absolute values after all that.

    Raises
    ------
    DataError
        If the window is empty, windows around markers have no first and last time, or a number is out of range.
    """

    window: float | tuple[float, float]
    hop: float | None = None
    events: Sequence[str] | None = None
    baseline: tuple[float | None, float | None] | None = None
    scale: RobustScale | None = None
    clamp: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.window, (int, float)):
            check_positive("window", self.window)
            if self.hop is None:
                raise DataError(f"windows around markers need (tmin, tmax) in s, got window={self.window!r}; or give a hop")
        elif len(self.window) != 2 or not self.window[0] < self.window[1]:
            raise DataError(f"window must be a length or (tmin, tmax) in s with tmin < tmax, got {self.window!r}")
        for name in ("hop", "clamp"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))
        if self.hop is not None and self.events is not None:
            raise DataError(f"events={list(self.events)} name markers, but hop={self.hop} s asks for windows without them")

    def offsets(self, sfreq: float) -> NDArray[np.int64]:
        """Samples of a window relative to its marker, or to its last sample.

        Parameters
        ----------
        sfreq : float
            Rate in Hz of what the chain gives.

        Returns
        -------
        array of shape (n_window,)
            Whole numbers.

        Raises
        ------
        DataError
            If there is not a single sample, or the hop is shorter than one.
        """
        if isinstance(self.window, (int, float)):
            n = round(self.window * sfreq)
            offsets = np.arange(1 - n, 1)
        else:
            offsets = np.arange(round(self.window[0] * sfreq), round(self.window[1] * sfreq) + 1)
        if not len(offsets) or (self.hop is not None and self.hop * sfreq < 1 - 1e-9):
            raise DataError(f"window {self.window!r} s and hop {self.hop} s must hold at least one sample at {sfreq:g} Hz")
        return offsets

    @property
    def tail(self) -> float:
        """How long after its marker a window ends, in s; 0 for windows at a fixed hop."""
        return 0.0 if self.hop is not None or isinstance(self.window, (int, float)) else float(self.window[1])

    def wants(self, marker: Marker) -> bool:
        """Say whether a window is locked to a marker.

        Parameters
        ----------
        marker : Marker
            What happened.

        Returns
        -------
        bool
            Never for windows at a fixed hop.
        """
        return self.hop is None and (self.events is None or marker.label in self.events)

    def parameters(self) -> dict[str, Any]:
        """Arguments as JSON values."""
        window = self.window if isinstance(self.window, (int, float)) else list(self.window)
        pairs = {
            name: None if value is None else list(value) for name, value in (("events", self.events), ("baseline", self.baseline))
        }
        scale = None if self.scale is None else {name: np.asarray(value).tolist() for name, value in vars(self.scale).items()}
        return {"window": window, "hop": self.hop, **pairs, "scale": scale, "clamp": self.clamp}

    @classmethod
    def from_parameters(cls, values: dict[str, Any]) -> WindowPlan:
        """Make a plan of what `parameters` gave.

        Parameters
        ----------
        values : dict
            JSON values.

        Returns
        -------
        WindowPlan
            Equal to the one it came from.
        """
        scale = values["scale"]
        found = (
            None if scale is None else RobustScale(scale["names"], *(np.asarray(scale[n], float) for n in ("center", "spread")))
        )
        pair = {n: tuple(values[n]) if isinstance(values[n], list) else values[n] for n in ("window", "baseline")}
        return cls(**pair, hop=values["hop"], events=values["events"], scale=found, clamp=values["clamp"])


class Schedule:
    """Which windows are complete.

    Parameters
    ----------
    plan : WindowPlan
        What is asked for.
    sfreq : float
        Rate in Hz of the samples that are counted.
    """

    def __init__(self, plan: WindowPlan, sfreq: float) -> None:
        self._plan, self._sfreq = plan, sfreq
        self._offsets = plan.offsets(sfreq)
        self._number, self._waiting = 0, list[Span]()

    def add(self, marker: Marker, anchor: float) -> None:
        """Ask for the window around a marker, where one is wanted.

        Parameters
        ----------
        marker : Marker
            What happened.
        anchor : float
            Time in s of sample 0.
        """
        if self._plan.wants(marker):
            self._waiting.append(self.place(marker, anchor))

    def place(self, marker: Marker, anchor: float) -> Span:
        """Give the window around a marker (its time in s), with sample 0 at the time `anchor` in s."""
        at = int(nearest_sample(marker.onset, self._sfreq, anchor))
        return Span(at + int(self._offsets[0]), at + int(self._offsets[-1]) + 1, marker)

    def due(self, count: int) -> Iterator[Span]:
        """Give, once each, the windows that the first `count` samples hold, in the order in which they end."""
        if self._plan.hop is not None:
            while (stop := self._stop(self._number, self._plan.hop)) <= count:
                self._number += 1
                yield Span(stop - len(self._offsets), stop, None)
        elif self._waiting:
            ready = sorted((span for span in self._waiting if span.stop <= count), key=lambda span: span.stop)
            self._waiting = [span for span in self._waiting if span.stop > count]
            yield from ready

    def restart(self) -> list[Span]:
        """Count samples from 0 again; give the windows that can never be complete now."""
        cut, self._waiting, self._number = self._waiting, [], 0
        return cut

    def _stop(self, number: int, hop: float) -> int:
        return len(self._offsets) + int(nearest_sample(number * hop, self._sfreq))


class Preparation:
    """Baseline, scale and clamp of one window, without new memory for each.

    Parameters
    ----------
    plan : WindowPlan
        What is asked for.
    channels : sequence of str
        Rows of a window.
    sfreq : float
        Rate in Hz.
    """

    def __init__(self, plan: WindowPlan, channels: Sequence[str], sfreq: float) -> None:
        offsets = plan.offsets(sfreq)
        self._inside = None if plan.baseline is None else _baseline_samples(offsets / sfreq, plan.baseline)
        self._scale = None
        if plan.scale is not None:
            if list(plan.scale.names) != list(channels):
                raise DataError(f"scale is of {list(plan.scale.names)!s:.80}, the chain gives {list(channels)!s:.80}")
            self._scale = [np.asarray(v, np.float32)[:, None] for v in (plan.scale.center, plan.scale.spread)]
        self._clamp = plan.clamp
        self._idle = self._inside is None and self._scale is None and self._clamp is None
        self._buffer = np.empty((len(channels), len(offsets)), np.float32)

    def __call__(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the window as the decoder wants it; valid until the next call.

        Parameters
        ----------
        window : array of shape (n_channels, n_window)
            As the chain gave it; not changed.

        Returns
        -------
        array of shape (n_channels, n_window)
            The same array where nothing has to be done.
        """
        if self._idle:
            return window
        out = self._buffer
        level = 0.0 if self._inside is None else window[:, self._inside].mean(axis=1, keepdims=True, dtype=np.float64)
        np.subtract(window, level, out=out, casting="same_kind")
        if self._scale is not None:
            np.subtract(out, self._scale[0], out=out)
            np.divide(out, self._scale[1], out=out)
        if self._clamp is not None:
            np.clip(out, -self._clamp, self._clamp, out=out)
        return out


def cut_windows(recording: Recording | Sequence[Recording], chain: CausalChain, plan: WindowPlan) -> Responses:
    """Cut from recordings the windows that a stream of them would give: what a decoder for live use is fitted on.

    Parameters
    ----------
    recording : Recording or sequence of Recording
        As they come from the device, with events where the plan locks windows to markers.
    chain : CausalChain
        Causal preprocessing.
    plan : WindowPlan
        Which windows, and what is done to each.

    Returns
    -------
    Responses
        ``data`` (n_windows, n_channels, n_window); ``samples`` has subject, session and run where known, ``onset`` (of the event,
        or of the last sample of the window, in s), and of events all columns. Windows that are not whole are left out.

    Raises
    ------
    DataError
        If no window is left.
    """
    parts = [_cut(part, chain, plan) for part in ([recording] if isinstance(recording, Recording) else recording)]
    return parts[0] if len(parts) == 1 else concatenate(parts)


def spans_within(chain: CausalChain, recording: Recording, plan: WindowPlan) -> list[Span]:
    """Give the windows of a recording that are whole, in the order in which `cut_windows` cuts them.

    Parameters
    ----------
    chain : CausalChain
        Causal preprocessing.
    recording : Recording
        As it comes from the device.
    plan : WindowPlan
        Which windows.

    Returns
    -------
    list of Span
        Samples of what the chain gives.
    """
    n_times, schedule = chain.n_outputs(recording.n_times), Schedule(plan, chain.output_sfreq)
    if plan.hop is not None:
        return list(schedule.due(n_times))
    spans = [schedule.place(marker, recording.t0) for marker in event_markers(recording) if plan.wants(marker)]
    return [span for span in spans if span.start >= 0 and span.stop <= n_times]


def _cut(recording: Recording, chain: CausalChain, plan: WindowPlan) -> Responses:
    done, spans = chain.run(recording), spans_within(chain, recording, plan)
    if not spans:
        raise DataError(
            f"no window of {plan.window!r} s fits into {done.n_times} samples at {done.sfreq:g} Hz ({len(done.events)} events)"
        )
    data = np.stack([done.data[:, span.start : span.stop] for span in spans])
    known = {key: recording.meta[key] for key in RUN_KEYS if recording.meta.get(key) is not None}
    samples = _samples(done, spans).drop(columns=list(known), errors="ignore").assign(**known)
    found = Responses(data, samples, done.channels, plan.offsets(done.sfreq) / done.sfreq, done.meta)
    return _prepared(found, plan)


def _samples(done: Recording, spans: list[Span]) -> pd.DataFrame:
    """The events of the windows; where there are none, the time of the last sample."""
    if spans[0].marker is None:
        return pd.DataFrame({"onset": [done.t0 + (span.stop - 1) / done.sfreq for span in spans]})
    places: dict[Marker, list[int]] = {}
    for i, marker in enumerate(event_markers(done)):
        places.setdefault(marker, []).append(i)  # two events may look alike
    return done.events.iloc[[places[span.marker].pop(0) for span in spans if span.marker]].reset_index(drop=True)


def _prepared(responses: Responses, plan: WindowPlan) -> Responses:
    """Baseline, scale and clamp of all windows, by the functions for `Responses`."""
    done = responses.with_step("causal.windows", {n: v for n, v in plan.parameters().items() if n != "scale"})
    if plan.baseline is not None and done.times is not None:
        done = done.replace(data=subtract_baseline(np.asarray(done.data), done.times, plan.baseline))
    if plan.scale is not None:
        done = robust_scale(done, plan.scale, clamp=None)
    return done if plan.clamp is None else done.replace(data=np.clip(done.data, -plan.clamp, plan.clamp))


def _baseline_samples(times: NDArray[np.float64], window: tuple[float | None, float | None]) -> slice:
    """The samples whose mean `subtract_baseline` takes off."""
    one = np.eye(len(times), dtype=np.float32)  # window t is 1 at sample t alone: its mean tells whether t counts
    inside = np.flatnonzero(one[:, 0] != subtract_baseline(one, times, window)[:, 0])
    return slice(int(inside[0]), int(inside[-1]) + 1)
