"""Streams of the Lab Streaming Layer, through mne-lsl."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import check_positive, require
from neurodecode.errors import DataError
from neurodecode.io.stream import Marker, StreamSource, Triggers

__all__ = ["LSLSource"]

_POLL, _PATIENCE = 1e-3, 0.1  # s between two looks for samples, and s after which `read` gives up for now
_PREFIXES = {"": 1.0, "milli": 1e-3, "micro": 1e-6, "nano": 1e-9, "pico": 1e-12, "femto": 1e-15}
_SYMBOLS = {"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
_TO_SI = {
    **{f"{prefix}{word}": factor for prefix, factor in _PREFIXES.items() for word in ("volt", "volts", "tesla", "teslas")},
    **{f"{symbol}{unit}": factor for symbol, factor in _SYMBOLS.items() for unit in ("V", "T", "T/m")},
}


class LSLSource(StreamSource):
    """A stream of the Lab Streaming Layer.

    Parameters
    ----------
    name : str
        Name of the stream.
    stype : str, optional
        Its type, e.g. ``"EEG"``, where several streams have one name.
    markers : str, optional
        Name of a second stream whose texts are the markers.
    trigger : str, optional
        Channel of the stream whose codes become markers.
    timeout : float
        How long to look for a stream, and after how long without samples a stream has ended, in s.
    bufsize : float
        Signal in s that is kept while nobody reads; what is older is lost.
    jitter : float
        By how much time stamps may be off in s. Fewer lost samples than this cannot be told from a late packet.

    Raises
    ------
    DataError
        If there is no such stream (the message lists those there are), several have the name, or the rate is irregular.
    MissingDependencyError
        If mne-lsl is not installed.

    Notes
    -----
    Chunks are views of the buffer of the inlet. Time stamps are moved to the clock of this machine, and not smoothed: a
    smoothing of time stamps hides lost samples. Units are converted to V, T and T/m where the stream states them; where it
    does not, values are passed on as they are and `notes` says so.
    """

    def __init__(
        self,
        name: str,
        *,
        stype: str | None = None,
        markers: str | None = None,
        trigger: str | None = None,
        timeout: float = 5.0,
        bufsize: float = 10.0,
        jitter: float = 0.02,
    ) -> None:
        self._lsl: Any = require("mne_lsl.lsl", "streams of the laboratory", "live")
        self._timeout, self._bufsize = check_positive("timeout", timeout), check_positive("bufsize", bufsize)
        self._inlet = self._connect(name, stype)
        info = self._inlet.get_sinfo(timeout=self._timeout)
        self.sfreq, self.jitter, self.notes = float(info.sfreq), float(jitter), []
        if self.sfreq <= 0:
            raise DataError(f"the stream {name!r} has no regular rate (got {self.sfreq:g} Hz): only regular signals are decoded")
        self.names = [str(n) for n in info.get_channel_names() or [f"channel{i}" for i in range(info.n_channels)]]
        self._factors = self._to_si(info.get_channel_units() or [None] * info.n_channels)
        self._marks = None if markers is None else self._connect(markers, None)
        self._triggers = None if trigger is None else Triggers(self.names, trigger)
        self._found: list[Marker] = []
        self._heard = time.perf_counter()

    def read(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Give the samples that have arrived, waiting up to 0.1 s for the first of them."""
        most, given_up = max(1, round(self._bufsize * self.sfreq)), time.perf_counter() + _PATIENCE
        samples, timestamps = self._inlet.pull_chunk(timeout=0.0, max_samples=most)
        while not len(timestamps) and time.perf_counter() < given_up:
            time.sleep(_POLL)
            samples, timestamps = self._inlet.pull_chunk(timeout=0.0, max_samples=most)
        if len(timestamps):
            self._heard = time.perf_counter()
        self.ended = time.perf_counter() - self._heard > self._timeout
        chunk = samples.reshape(len(timestamps), len(self.names)).T
        if self._triggers is not None:
            self._found += self._triggers.find(chunk, timestamps)
        return (chunk if self._factors is None else chunk * self._factors), timestamps

    def markers(self) -> list[Marker]:
        """Give the markers that have arrived."""
        found, self._found = self._found, []
        if self._marks is not None:
            texts, times = self._marks.pull_chunk(timeout=0.0, max_samples=1024)
            found += [Marker(float(t), str(text[0])) for text, t in zip(texts, times, strict=True)]
        return found

    def now(self) -> float:
        """Time on the clock of this machine, to which time stamps are moved."""
        return float(self._lsl.local_clock())

    def close(self) -> None:
        """Close the inlets."""
        for inlet in (self._inlet, self._marks):
            if inlet is not None:
                inlet.close_stream()

    # --- helpers ---------------------------------------------------------------------------------------------------

    def _connect(self, name: str, stype: str | None) -> Any:
        """An open inlet of the one stream of that name."""
        found = self._lsl.resolve_streams(timeout=self._timeout, name=name, stype=stype)
        if len(found) != 1:
            seen = found or self._lsl.resolve_streams(timeout=1.0)
            listed = ", ".join(f"{s.name!r} ({s.stype}, {s.n_channels} channels, {s.sfreq:g} Hz)" for s in seen) or "none at all"
            raise DataError(f"expected one stream named {name!r}, found {len(found)}; on the network there are: {listed}")
        inlet = self._lsl.StreamInlet(found[0], max_buffered=int(np.ceil(self._bufsize)), processing_flags=["clocksync"])
        inlet.open_stream(timeout=self._timeout)
        return inlet

    def _to_si(self, units: list[Any]) -> NDArray[np.float64] | None:
        """Factor from each channel to SI units, shape (n_channels, 1); None where all are 1."""
        factors = np.array([_factor(unit) for unit in units])
        unknown = [name for name, factor in zip(self.names, factors, strict=True) if np.isnan(factor)]
        if unknown:
            self.notes.append(f"{len(unknown)} channels of the stream state no unit (e.g. {unknown[0]!r}): taken as they come")
        factors = np.where(np.isnan(factors), 1.0, factors)
        return None if np.all(factors == 1) else factors[:, None]


def _factor(unit: Any) -> float:
    """What a unit or a power of ten ("microvolts", "uV", "-6") is in SI units; NaN where it says nothing."""
    text = str(unit).strip()
    if text in _TO_SI or text.lower() in _TO_SI:
        return _TO_SI[text] if text in _TO_SI else _TO_SI[text.lower()]
    digits = text.removeprefix("-")
    return 10.0 ** int(text) if digits.isdigit() and len(digits) < 3 else float("nan")
