"""From chunks with time stamps to a ring of preprocessed samples, each known to be good or touched by a gap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.decode.stream_buffer import RingBuffer
from neurodecode.decode.stream_clock import StreamClock
from neurodecode.preprocess.causal import CausalChain


class Intake:
    """Takes what a source delivers and keeps the newest output of the chain.

    Samples that are missing, by the time stamps or as NaN, are bridged by the last value before them, so that the filters
    stay in step with the clock. What comes out meanwhile, and until `settle` later, is marked.

    Parameters
    ----------
    chain : CausalChain
        Begins a pass of its own.
    n_window : int
        Longest stretch that is viewed, in samples of the output.
    jitter : float
        Of the time stamps, in s.
    settle : float
        How long after a gap the output is not trusted, in s.
    history : float
        How far back windows may begin that are asked for late, in s.
    max_gap : float
        A longer gap is not bridged: everything begins anew.
    """

    def __init__(
        self, chain: CausalChain, n_window: int, *, jitter: float, settle: float, history: float, max_gap: float
    ) -> None:
        self._chain = chain.fresh()
        self._clock = StreamClock(chain.sfreq, jitter, round(max_gap * chain.sfreq))
        self._rate = chain.output_sfreq
        self._piece = max(1, n_window, round(history * self._rate))  # outputs between two looks for windows that are due
        self.ring = RingBuffer(len(chain.channels), n_window + self._piece)
        self._good = RingBuffer(1, n_window + self._piece, np.bool_)
        self._settle = round(settle * self._rate)
        self._held: NDArray[Any] = np.zeros((len(chain.channels), 0))
        self._untrusted = 0  # number of the first output that is trusted again
        self.gaps = self.lost_samples = self.restarts = 0

    @property
    def anchor(self) -> float:
        """Time of output 0 in s on the clock of the stream."""
        return self._clock.anchor

    def good(self, start: int, stop: int) -> bool:
        """Whether no gap touches the outputs `start` to `stop` - 1."""
        return bool(self._good.view(start, stop).all())

    def feed(self, chunk: NDArray[Any], timestamps: NDArray[np.float64]) -> Iterator[bool]:
        """Take a chunk bit by bit.

        Parameters
        ----------
        chunk : array of shape (n_channels, n)
            Samples of the channels of the chain.
        timestamps : array of shape (n,)
            Their times in s.

        Yields
        ------
        bool
            Each time that windows may have become complete: whether samples are counted from 0 again since the last time.
        """
        for start, stop, missing, restart in self._clock.place(timestamps):
            self.gaps += missing > 0 or restart
            self.lost_samples += missing
            if restart:
                self._begin_anew()
                yield True
            elif missing:
                yield from self._bridge(missing)
            yield from self._samples(chunk[:, start:stop])

    def _begin_anew(self) -> None:
        """A new pass of the chain, with nothing before it."""
        self._chain.reset()
        self.ring.clear()
        self._good.clear()
        self._untrusted, self._held = 0, self._held[:, :0]
        self.restarts += 1

    def _samples(self, part: NDArray[Any]) -> Iterator[bool]:
        """Samples in a row; NaN in any channel is a gap in all."""
        finite = np.isfinite(part).all(axis=0)
        if finite.all():
            yield from self._push(part, lost=False)
            return
        edges = np.flatnonzero(np.diff(finite)) + 1
        for piece in np.split(np.arange(len(finite)), edges):
            if finite[piece[0]]:
                yield from self._push(part[:, piece], lost=False)
            else:
                self.gaps += 1
                self.lost_samples += len(piece)
                yield from self._bridge(len(piece))

    def _bridge(self, missing: int) -> Iterator[bool]:
        held = self._held if self._held.size else np.zeros((len(self._chain.channels), 1))
        yield from self._push(np.repeat(held, missing, axis=1), lost=True)

    def _push(self, part: NDArray[Any], *, lost: bool) -> Iterator[bool]:
        """Run the chain on samples and lay its output into the ring, a stretch at a time that no window outgrows."""
        outputs = self._chain.process(part)
        self._held = np.array(part[:, -1:])
        for start in range(0, outputs.shape[1], self._piece):
            piece = outputs[:, start : start + self._piece]
            numbers = np.arange(self.ring.count, self.ring.count + piece.shape[1])
            self._good.push((numbers >= self._untrusted)[None] & (not lost))
            self.ring.push(piece)
            yield False
        if lost:
            self._untrusted = self.ring.count + self._settle
