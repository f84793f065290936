"""Decoding of a stream: windows through a causal chain to a decoder, with the latency of every prediction."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses
from neurodecode.decode.stream_checks import check_causal, check_units, source_rows
from neurodecode.decode.stream_intake import Intake
from neurodecode.decode.stream_latency import LatencyReport, Timings
from neurodecode.decode.stream_meeg import MEEGWindows, is_meeg_decoder
from neurodecode.decode.stream_predict import Output, Retrieval, WindowFunction, window_function
from neurodecode.decode.stream_result import Prediction, StreamResult, tables
from neurodecode.decode.stream_windows import Preparation, Schedule, Span, WindowPlan, cut_windows, spans_within
from neurodecode.io.stream import Marker, StreamSource
from neurodecode.preprocess.causal import CausalChain
from neurodecode.preprocess.meeg_noise import RobustScale

GAP, CUT, TOO_LATE, TOO_EARLY = "gap", "cut by a restart", "no longer in memory", "before the first sample"
_MOST_BRIDGED = 1.0  # s of missing samples that are bridged at least


class StreamDecoder:
    """Decode windows of a stream as they become complete.

    Parameters
    ----------
    decoder : object
        Fitted: a `LinearDecoder`, `MEEGImageDecoder`, `SpeechDecoder`, `FoldedNetwork`, or anything that
        `neurodecode.decode.stream_predict.window_function` takes.
    chain : CausalChain
        Causal preprocessing, the one that the decoder was fitted behind.
    window : float or tuple of float
        Length in s ("the last 1 s"), or first and last time in s relative to a marker.
    hop : float, optional
        Time in s from one window to the next; None locks windows to markers.
    events : sequence of str, optional
        Labels of markers that are decoded, by default all.
    baseline : tuple of (float or None, float or None), optional
        Stretch of the window in s whose mean is taken off each channel.
    scale : RobustScale, optional
        Taken off and divided by after the baseline; fitted on training windows.
    clamp : float, optional
        Limit of absolute values after that.
    candidates : Responses, optional
        Features of candidates (``stimulus``): the best one becomes the label of each prediction.
    subject : str, optional
        Whose windows these are, for a `SpeechDecoder` or `MEEGImageDecoder` of several subjects.
    steps : iterable of dict, optional
        ``meta["steps"]`` of the responses that the decoder was fitted on, to check that they were made causally and by this
        chain.
    allow_noncausal : bool
        Go on, with a note in every report, where `steps` look ahead or come from another chain.
    settle : float, optional
        How long after a gap windows are not decoded, in s; by default the group delay of the chain.
    history : float
        How late the marker of a window may arrive after its end, in s.

    Raises
    ------
    DataError
        If decoder, chain and windows do not fit each other, or the decoder was fitted on what a stream cannot have.

    Notes
    -----
    `push` gives for any chunking what `offline` gives for the recording in one pass. A window that a gap touches is marked as
    invalid and not decoded. An object decodes one stream at a time.

    Examples
    --------
    >>> chain = CausalChain.design(train, l_freq=1.0, h_freq=30.0).fit_scale(train)  # doctest: +SKIP
    >>> plan = WindowPlan((-0.1, 0.8), events=["face", "house"])  # doctest: +SKIP
    >>> fitted = LinearDecoder().fit(cut_windows(train, chain, plan))  # doctest: +SKIP
    >>> stream = StreamDecoder(fitted, chain, (-0.1, 0.8), events=["face", "house"])  # doctest: +SKIP
    >>> result = stream.run(open_stream("lsl:EEG", markers="Task"), duration=600.0)  # doctest: +SKIP
    """

    def __init__(
        self,
        decoder: Any,
        chain: CausalChain,
        window: float | tuple[float, float],
        *,
        hop: float | None = None,
        events: Sequence[str] | None = None,
        baseline: tuple[float | None, float | None] | None = None,
        scale: RobustScale | None = None,
        clamp: float | None = None,
        candidates: Responses | None = None,
        subject: str | None = None,
        steps: Iterable[dict[str, Any]] | None = None,
        allow_noncausal: bool = False,
        settle: float | None = None,
        history: float = 5.0,
    ) -> None:
        self.decoder, self.chain, self.candidates, self.subject = decoder, chain, candidates, subject
        self.plan = WindowPlan(window, hop, events, baseline, scale, clamp)
        self.settle, self.history = chain.delay if settle is None else float(settle), float(history)
        self.notes = [] if steps is None else check_causal(list(steps), chain, allowed=allow_noncausal)
        check_units(decoder, chain)
        self._predict, compared = self._functions()
        self._retrieve = None if compared is None else Retrieval(compared)
        self._prepare = Preparation(self.plan, chain.channels, chain.output_sfreq)
        self._n_window = len(self.plan.offsets(chain.output_sfreq))
        self._decode(np.zeros((len(chain.channels), self._n_window), np.float32))  # what does not fit fails here, and is warm now
        self.reset()

    def reset(self, jitter: float = 0.0) -> None:
        """Forget the stream: the next chunk begins a new one.

        Parameters
        ----------
        jitter : float
            By how much its time stamps may be off, in s.
        """
        longest = max(_MOST_BRIDGED, self._n_window / self.chain.output_sfreq)
        self._intake = Intake(
            self.chain, self._n_window, jitter=jitter, settle=self.settle, history=self.history, max_gap=longest
        )
        self._schedule, self.timings = Schedule(self.plan, self.chain.output_sfreq), Timings()
        self._unplaced: list[Marker] = []

    # --- online ----------------------------------------------------------------------------------------------------

    def push(self, chunk: NDArray[Any], timestamps: NDArray[np.float64], markers: Sequence[Marker] = ()) -> list[Prediction]:
        """Take the next samples and decode the windows that they complete.

        Parameters
        ----------
        chunk : array of shape (n_channels, n)
            Samples of the channels of the chain, in SI units.
        timestamps : array of shape (n,)
            Their times in s.
        markers : sequence of Marker
            What happened, on the same clock; may come later than the samples, by up to `history`.

        Returns
        -------
        list of Prediction
            In the order in which the windows end.
        """
        self._unplaced += markers
        predictions: list[Prediction] = []
        begun = time.perf_counter(), time.process_time()
        for restarted in self._intake.feed(chunk, timestamps):
            spent = time.perf_counter() - begun[0], time.process_time() - begun[1]
            if restarted:
                predictions += [self._invalid(span, CUT) for span in self._schedule.restart()]
            predictions += self._due(spent)
            begun = time.perf_counter(), time.process_time()
        if not len(timestamps):
            predictions += self._due((0.0, 0.0))
        return predictions

    def follow(self, source: StreamSource, duration: float | None = None) -> Iterator[list[Prediction]]:
        """Read a source until it ends and decode it.

        Parameters
        ----------
        source : StreamSource
            From `neurodecode.io.stream.open_stream`, say.
        duration : float, optional
            Stop after so much signal, in s.

        Yields
        ------
        list of Prediction
            Those of each delivery; often none.

        Raises
        ------
        DataError
            If a channel of the chain is missing in the source, or the rate differs.
        """
        self.chain.check_rate(source.sfreq)
        rows = source_rows(source.names, self.chain.channels)
        self.reset(source.jitter)
        first = float("nan")
        while not source.ended:
            chunk, timestamps = source.read()
            if len(timestamps):
                first = timestamps[0] if np.isnan(first) else first
                self.timings.add_chunk(len(timestamps) / source.sfreq, source.now() - float(timestamps[-1]))
            yield self.push(chunk if rows is None else chunk[rows], timestamps, source.markers())
            if duration is not None and len(timestamps) and timestamps[-1] - first + 1 / source.sfreq >= duration - 1e-9:
                return

    def run(self, source: StreamSource, duration: float | None = None) -> StreamResult:
        """Decode a source to its end.

        Parameters
        ----------
        source : StreamSource
            From `neurodecode.io.stream.open_stream`, say.
        duration : float, optional
            Stop after so much signal, in s.

        Returns
        -------
        StreamResult
            All predictions and the latency.

        Raises
        ------
        DataError
            As in `follow`.
        """
        predictions = [prediction for several in self.follow(source, duration) for prediction in several]
        return StreamResult(*tables(predictions), self.latency(source))

    def latency(self, source: StreamSource | None = None) -> LatencyReport:
        """Latency of what was decoded since the last `reset`.

        Parameters
        ----------
        source : StreamSource, optional
            Where it came from.

        Returns
        -------
        LatencyReport
            Times.
        """
        intake, found = self._intake, self.timings.durations()
        return LatencyReport(
            source="chunks" if source is None else type(source).__name__,
            realtime=source is not None and source.realtime,
            duration=float(found["chunk"].sum()),
            hop=self.plan.hop,
            group_delay=self.chain.delay,
            tail=self.plan.tail,
            gaps=intake.gaps,
            lost_samples=intake.lost_samples,
            restarts=intake.restarts,
            overruns=0 if source is None else source.overruns,
            notes=[*self.notes, *([] if source is None else source.notes)],
            **found,
        )

    # --- offline ---------------------------------------------------------------------------------------------------

    def windows(self, recording: Recording | Sequence[Recording]) -> Responses:
        """Cut the windows that this decoder gets from a stream of a recording.

        Parameters
        ----------
        recording : Recording or sequence of Recording
            As it comes from the device.

        Returns
        -------
        Responses
            As `cut_windows` gives them.
        """
        return cut_windows(recording, self.chain, self.plan)

    def offline(self, recording: Recording) -> StreamResult:
        """Decode a recording in one pass: what `run` must give for a replay of it, whatever the chunks.

        Parameters
        ----------
        recording : Recording
            As it comes from the device.

        Returns
        -------
        StreamResult
            Predictions; the latency has the times of the decoder alone.
        """
        self.reset()
        windows = self.windows(recording)
        predictions = []
        for data, span in zip(np.asarray(windows.data), spans_within(self.chain, recording, self.plan), strict=True):
            output, (decoding, retrieval, processor) = self._decode(data, prepared=True)
            self.timings.add_window(0.0, decoding, retrieval, processor)
            place = self._place(span, recording.t0)
            predictions.append(Prediction(*place, True, "", *output, decoding + retrieval))
        return StreamResult(*tables(predictions), self.latency())

    # --- on disk ---------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write decoder, chain and windows as one folder: ``stream.json``, ``chain.json``, ``decoder/``.

        Parameters
        ----------
        folder : str or Path
            Appears whole or not at all; an older one of ours is replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            If the decoder is of a kind that cannot be saved.
        """
        from neurodecode.decode.stream_storage import save_stream

        return save_stream(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> StreamDecoder:
        """Read what `save` wrote; nothing in the files is executed.

        Parameters
        ----------
        folder : str or Path
            Its folder.

        Returns
        -------
        StreamDecoder
            At the beginning of a stream.

        Raises
        ------
        FormatError
            If the folder holds something else.
        CorruptFileError
            If a file is missing or damaged.
        """
        from neurodecode.decode.stream_storage import load_stream

        return load_stream(Path(folder))

    # --- helpers ---------------------------------------------------------------------------------------------------

    def _functions(self) -> tuple[WindowFunction, Responses | None]:
        """What decodes a window, and the candidates as its predictions are compared with them."""
        if not is_meeg_decoder(self.decoder):
            return window_function(self.decoder), self.candidates
        times = self.plan.offsets(self.chain.output_sfreq) / self.chain.output_sfreq
        if self.plan.hop is not None and hasattr(self.decoder, "times_"):
            times = times - times[0] + self.decoder.times_[0]  # at a hop no event says where 0 is
        windows = MEEGWindows(self.decoder, self.chain.channels, times, self.subject)
        return windows, None if self.candidates is None else windows.candidates(self.candidates)

    def _due(self, spent: tuple[float, float]) -> list[Prediction]:
        """Decode what is complete; `spent` is the time that chain and ring have just taken (wall, processor, in s)."""
        if np.isnan(self._intake.anchor):
            return []
        for marker in self._unplaced:
            self._schedule.add(marker, self._intake.anchor)
        self._unplaced = []
        return [self._one(span, spent) for span in self._schedule.due(self._intake.ring.count)]

    def _one(self, span: Span, spent: tuple[float, float]) -> Prediction:
        """The prediction of one window."""
        if span.start < self._intake.ring.oldest:
            return self._invalid(span, TOO_EARLY if span.start < 0 else TOO_LATE)
        if not self._intake.good(span.start, span.stop):
            return self._invalid(span, GAP)
        output, (decoding, retrieval, processor) = self._decode(self._intake.ring.view(span.start, span.stop))
        self.timings.add_window(spent[0], decoding, retrieval, spent[1] + processor)
        return Prediction(*self._place(span, self._intake.anchor), True, "", *output, spent[0] + decoding + retrieval)

    def _decode(self, window: NDArray[np.float32], prepared: bool = False) -> tuple[Output, tuple[float, float, float]]:
        """Output, and times in s: wall of the decoder, wall of the retrieval, processor of both."""
        start, cpu = time.perf_counter(), time.process_time()
        output = self._predict(window if prepared else self._prepare(window))
        middle = time.perf_counter()
        if self._retrieve is not None:
            output = self._retrieve(output)
        return output, (middle - start, time.perf_counter() - middle, time.process_time() - cpu)

    def _invalid(self, span: Span, reason: str) -> Prediction:
        self.timings.add_invalid(reason)
        return Prediction(*self._place(span, self._intake.anchor), False, reason, None, float("nan"), np.zeros(0), 0.0)

    def _place(self, span: Span, anchor: float) -> tuple[float, float, str | None, float]:
        """Times and marker of a window, with output 0 at the time `anchor` in s."""
        start, stop = (anchor + i / self.chain.output_sfreq for i in (span.start, span.stop - 1))
        return start, stop, span.marker and span.marker.label, span.marker.onset if span.marker else stop
