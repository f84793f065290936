"""Signals that arrive bit by bit: one interface for a stream of the laboratory and for a file that is played again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.validate import check_option, suggest
from neurodecode.errors import DataError

__all__ = ["Marker", "StreamSource", "Triggers", "event_markers", "open_stream"]


class Marker(NamedTuple):
    """Something that happened, on the clock of the stream."""

    onset: float
    """Time in s."""
    label: str
    """What it was."""


class StreamSource:
    """What a stream is to those who read it. Kinds of streams fill in `read`, and `markers` where they have any.

    Attributes
    ----------
    names : list of str
        Channels, in the order of the rows of a chunk.
    sfreq : float
        Nominal rate in Hz.
    jitter : float
        By how much time stamps may be off in s: what is off by more is taken for lost samples.
    realtime : bool
        Whether samples come at the pace of a clock.
    ended : bool
        Whether no more samples will come.
    overruns : int
        How often samples were thrown away because nobody fetched them in time.
    notes : list of str
        What a reader of results has to know about where they come from.
    """

    names: list[str]
    sfreq: float
    jitter: float = 0.0
    realtime: bool = True
    ended: bool = False
    overruns: int = 0
    notes: list[str]

    def read(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Give the samples that have come since the last call, waiting a little for the first of them.

        Returns
        -------
        chunk : array of shape (n_channels, n)
            Signal in SI units; n is 0 where nothing came. The next call may write over it.
        timestamps : array of shape (n,)
            Time of each sample in s on the clock of the stream.
        """
        raise NotImplementedError

    def markers(self) -> list[Marker]:
        """Give the markers that have come since the last call, in their order."""
        return []

    def now(self) -> float:
        """Time in s on the clock of the stream; NaN where it has none that runs."""
        return float("nan")

    def close(self) -> None:
        """Let go of the stream."""

    def __enter__(self) -> StreamSource:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Triggers:
    """Markers from a channel of the stream that holds trigger codes.

    A marker stands where the code changes to another one than 0, and its label is the code.

    Parameters
    ----------
    names : list of str
        Channels of the stream.
    channel : str
        The one with the codes.

    Raises
    ------
    DataError
        If there is no such channel.
    """

    def __init__(self, names: list[str], channel: str) -> None:
        if channel not in names:
            raise DataError(f"there is no trigger channel {channel!r}: {suggest(channel, names)}")
        self._row, self._last = names.index(channel), 0

    def find(self, chunk: NDArray[Any], timestamps: NDArray[np.float64]) -> list[Marker]:
        """Markers in the next samples.

        Parameters
        ----------
        chunk : array of shape (n_channels, n)
            Samples.
        timestamps : array of shape (n,)
            Their times in s.

        Returns
        -------
        list of Marker
            One per change to a code.
        """
        if not chunk.shape[1]:
            return []
        codes = np.rint(chunk[self._row]).astype(np.int64)
        changed = codes != np.concatenate([[self._last], codes[:-1]])
        self._last = int(codes[-1])
        return [Marker(float(timestamps[i]), str(codes[i])) for i in np.flatnonzero(changed & (codes != 0))]


def event_markers(recording: Recording) -> list[Marker]:
    """Give the events of a recording as markers.

    Parameters
    ----------
    recording : Recording
        With or without events.

    Returns
    -------
    list of Marker
        One per event, in their order; the label is ``trial_type``, or "event" where there is no such column.
    """
    table = recording.events
    labels = table["trial_type"].fillna("n/a").astype(str) if "trial_type" in table else ["event"] * len(table)
    return [Marker(float(onset), str(label)) for onset, label in zip(table["onset"], labels, strict=True)]


def open_stream(address: str, **options: Any) -> StreamSource:
    """Open a stream by a text.

    Parameters
    ----------
    address : str
        ``replay:FILE`` plays a recording that `neurodecode.io.read` reads (with its BIDS sidecars, if it has any), ``lsl:NAME``
        connects to a stream of the Lab Streaming Layer.
    **options
        Arguments of `neurodecode.io.stream_replay.ReplaySource` or `neurodecode.io.stream_lsl.LSLSource`.

    Returns
    -------
    StreamSource
        To be closed, or used in a ``with``.

    Raises
    ------
    DataError
        If the text names neither, an option is unknown, or there is no such stream.
    FormatError
        If the file is no recording.
    """
    kind, found, name = address.partition(":")
    if not found or not name:
        raise DataError(f"a source is replay:FILE or lsl:NAME, got {address!r}")
    check_option("kind of source", kind, ["replay", "lsl"])
    if kind == "lsl":
        from neurodecode.io.stream_lsl import LSLSource

        return LSLSource(name, **options)
    from neurodecode.io.stream_replay import ReplaySource

    return ReplaySource(Path(name), **options)
