"""``neurodecode live``: a stream, or a file played again, to predictions as they come, and to a report of their latency."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from neurodecode.decode.stream import StreamDecoder
    from neurodecode.decode.stream_result import Prediction

JSONL, TABLE, LATENCY, FIGURE = "predictions.jsonl", "predictions.tsv", "latency.json", "latency.svg"
_PLAIN_EVERY = 5.0  # s of signal between two lines where there is no terminal


def live(
    source: Annotated[str, typer.Option(help="replay:FILE or lsl:NAME.")],
    decoder: Annotated[Path, typer.Option(help="Folder of a saved stream decoder, or of a decoder with --chain and --window.")],
    chain: Annotated[Path | None, typer.Option(help="Causal chain (JSON), where the folder has none.")] = None,
    window: Annotated[str | None, typer.Option(help="Length in s, or TMIN,TMAX in s around a marker.")] = None,
    hop: Annotated[float | None, typer.Option(help="Time in s from one window to the next.")] = None,
    events: Annotated[list[str] | None, typer.Option(help="Label of markers to decode; repeatable, by default all.")] = None,
    subject: Annotated[str | None, typer.Option(help="Whose windows these are, for a decoder of several subjects.")] = None,
    markers: Annotated[str | None, typer.Option(help="With lsl: name of the stream of markers.")] = None,
    trigger: Annotated[str | None, typer.Option(help="Channel whose codes are markers.")] = None,
    chunk: Annotated[float, typer.Option(help="With replay: length of a packet in s.")] = 0.02,
    fast: Annotated[bool, typer.Option("--fast", help="With replay: as fast as possible, not in real time.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the decoder; one is the steadiest on few cores.")] = 1,
    duration: Annotated[float | None, typer.Option(help="Stop after so much signal, in s; else at the end or by Ctrl-C.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for predictions, latency report and its figure.")] = None,
) -> None:
    """Decode a stream while it comes; everything is causal, and the latency of each part is reported."""
    from threadpoolctl import threadpool_limits

    from neurodecode.decode.stream_result import tables
    from neurodecode.io.stream import open_stream

    stream = _stream(decoder, chain, window, hop, events, subject)
    options = _source_options(source, markers, trigger, chunk, fast)
    with open_stream(source, **options) as opened, _Predictions(out) as log, _LiveLine() as line, threadpool_limits(threads):
        try:
            for predictions in stream.follow(opened, duration):
                log.add(predictions)
                line.show(stream, predictions)
        except KeyboardInterrupt:
            line.note("stopped by Ctrl-C")
        report = stream.latency(opened)
    typer.echo(report.sentence)
    for note in report.notes:
        typer.echo(f"neurodecode: note: {note}", err=True)
    if out is not None:
        _write(out, tables(log.kept)[0], report)
        typer.echo(f"predictions: {out / TABLE}")
        typer.echo(f"latency: {out / LATENCY}")


def _stream(
    folder: Path, chain: Path | None, window: str | None, hop: float | None, events: list[str] | None, subject: str | None
) -> StreamDecoder:
    """The decoder with its chain and windows, from one folder or from several options."""
    from neurodecode.decode.stream import StreamDecoder
    from neurodecode.decode.stream_storage import MARKER, load_decoder
    from neurodecode.errors import ConfigError
    from neurodecode.preprocess.causal import CausalChain

    if (folder / MARKER).is_file():
        whole = StreamDecoder.load(folder)
        if chain is not None:
            raise ConfigError(f"{folder} has a chain of its own, which the decoder was fitted behind: leave --chain {chain} out")
        if not any((window, hop, events, subject)):
            return whole
        own = vars(whole.plan) | ({"window": _window(window)} if window else {})
        own |= {"hop": hop, "events": None} if hop else {"events": events} if events else {}
        kept: dict[str, Any] = {"candidates": whole.candidates, "settle": whole.settle, "history": whole.history}
        changed = StreamDecoder(whole.decoder, whole.chain, **own, **kept, subject=subject or whole.subject)
        changed.notes = whole.notes
        return changed
    if chain is None or window is None:
        raise ConfigError(f"{folder} has no {MARKER}: give --chain and --window, got --chain {chain} and --window {window}")
    given: dict[str, Any] = {"hop": hop, "events": events, "subject": subject}
    return StreamDecoder(load_decoder(folder), CausalChain.load(chain), _window(window), **given)


def _window(text: str) -> float | tuple[float, float]:
    """A length, or two times with a comma between them."""
    from neurodecode.errors import ConfigError

    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 2):
        raise ConfigError(f"--window is a length in s or TMIN,TMAX (e.g. --window=-0.1,0.8), got {text!r}")
    return values[0] if len(values) == 1 else (values[0], values[1])


def _source_options(source: str, markers: str | None, trigger: str | None, chunk: float, fast: bool) -> dict[str, Any]:
    """Arguments of the kind of source."""
    from neurodecode.errors import ConfigError

    if source.startswith("lsl:"):
        if fast:
            raise ConfigError(f"--fast is for replay:FILE, {source!r} comes at its own pace")
        return {"markers": markers, "trigger": trigger}
    if markers is not None:
        raise ConfigError(f"--markers {markers} is for lsl:NAME; a replayed file has its own events")
    return {"chunk": chunk, "realtime": not fast, "trigger": trigger}


class _Predictions:
    """Keeps predictions and, with a folder, writes each to a line of its file as soon as it is there."""

    def __init__(self, out: Path | None) -> None:
        from neurodecode.errors import OutputExistsError

        self.kept: list[Prediction] = []
        self._path = None if out is None else out / JSONL
        self._file: Any = None
        if self._path is not None and self._path.exists():
            raise OutputExistsError(f"{self._path} holds the predictions of an earlier session: choose another --out")

    def __enter__(self) -> _Predictions:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._path, "x", encoding="utf-8", newline="\n")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, predictions: list[Prediction]) -> None:
        """Note predictions; a session that is killed keeps every whole line."""
        from neurodecode.data.hashing import jsonable

        for prediction in predictions:
            if self._file is not None:
                self._file.write(json.dumps(jsonable(prediction._asdict())) + "\n")
        if predictions and self._file is not None:
            self._file.flush()
        self.kept += [prediction._replace(values=prediction.values[:0]) for prediction in predictions]  # long sessions stay small


class _LiveLine:
    """The newest prediction, on one line that renews itself in a terminal and now and then elsewhere; all on stderr."""

    def __init__(self) -> None:
        self._status: Any = None
        self._said = float("-inf")

    def __enter__(self) -> _LiveLine:
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("waiting for samples")
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, stream: StreamDecoder, predictions: list[Prediction]) -> None:
        """Show the last of some predictions."""
        if not predictions:
            return
        last = predictions[-1]
        if self._status is not None:
            self._status.update(_line(last, stream))
        elif last.stop - self._said >= _PLAIN_EVERY:
            self._said = last.stop
            sys.stderr.write(f"[live] {_line(last, stream)}\n")

    def note(self, text: str) -> None:
        """Say something that stays."""
        sys.stderr.write(f"[live] {text}\n")


def _line(prediction: Prediction, stream: StreamDecoder) -> str:
    """One prediction in words."""
    marker = "" if prediction.marker is None else f" after {prediction.marker}"
    said = f"{prediction.label or ''} {prediction.score:.3f}".strip()
    what = said if prediction.valid else f"not decoded ({prediction.reason})"
    timings, ms = stream.timings, 1e3 * prediction.compute
    lost = sum(timings.invalid.values())
    return f"{prediction.stop:9.2f} s{marker}: {what}; {ms:.1f} ms; {timings.n_windows} windows, {lost} invalid"


def _write(out: Path, table: Any, report: Any) -> None:
    """Table, report and figure, each whole or not at all."""
    from neurodecode.data.atomic import atomic_write, write_text
    from neurodecode.data.tsv import write_table
    from neurodecode.report.figures import latency, to_svg

    with atomic_write(out / TABLE) as partial:
        write_table(partial, table)
    with atomic_write(out / FIGURE) as partial:
        partial.write_bytes(to_svg(latency(report)))
    write_text(out / LATENCY, json.dumps(report.to_dict(), indent=2) + "\n")
