"""A file server on this machine that fails in chosen ways: stdlib only."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HTML = b"<!DOCTYPE html><html><body>504 Gateway Time-out</body></html>"


@dataclass
class Faults:
    """What goes wrong, and what was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    """Content by path, without the leading slash."""
    drops: list[int] = field(default_factory=list)
    """Bytes of an answer's body after which the connection is cut, one entry per answer."""
    statuses: list[int] = field(default_factory=list)
    """Status of the first answers."""
    html: int = 0
    """So many answers are a web page with status 200."""
    etag: Callable[[int], str | None] = lambda n: '"one"'
    """Mark of the version, by number of the request."""
    ranges: bool = True
    """Whether parts are sent at all."""
    if_range: bool = True
    """Whether a part of another version than the one asked for is refused."""
    shift: int = 0
    """Parts begin so many bytes later than asked for, and say so."""
    pause: float = 0.0
    """s before an answer."""
    longer: int = 0
    """So many bytes too many, without a stated length."""
    redirect: str | None = None
    """Where every request is sent to."""
    graphql: Callable[[dict[str, Any]], Any] | None = None
    """Answer to a query of the archive."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Path and headers of each request."""
    sent: int = 0
    """Bytes of bodies."""


class _Handler(BaseHTTPRequestHandler):
    faults: Faults
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        faults, path = self.faults, self.path.lstrip("/").partition("?")[0]
        faults.asked.append({"path": path, **dict(self.headers)})
        time.sleep(faults.pause)
        if faults.redirect:
            return self._answer(302, b"", {"Location": faults.redirect})
        if faults.statuses and (status := faults.statuses.pop(0)) != 200:
            return self._answer(status, b"busy", {})
        if faults.html:
            faults.html -= 1
            return self._answer(200, HTML, {"Content-Type": "text/html"})
        if path not in faults.files:
            return self._answer(404, b"nothing", {})
        return self._file(faults.files[path])

    def _file(self, content: bytes) -> None:
        faults = self.faults
        etag = faults.etag(len(faults.asked))
        headers = {} if etag is None else {"ETag": etag}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not asked or not faults.ranges or (faults.if_range and self.headers.get("If-Range") != etag):
            return self._answer(200, content + b"x" * faults.longer, headers, stated=not faults.longer)
        start = int(asked[1]) + faults.shift
        if start >= len(content):
            return self._answer(416, b"", {})
        part = content[start:]
        return self._answer(206, part, {**headers, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str], stated: bool = True) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if stated:
            self.send_header("Content-Length", str(len(body)))
        cut = self.faults.drops.pop(0) if self.faults.drops and status in (200, 206) else None
        self.close_connection = True
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body[:cut])
        self.faults.sent += len(body[:cut])

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.faults.asked.append({"path": "graphql", **query["variables"]})
        if self.faults.statuses and (status := self.faults.statuses.pop(0)) != 200:
            return self._answer(status, b"busy", {})
        assert self.faults.graphql is not None
        answer = self.faults.graphql(query["variables"])
        return self._answer(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode(), {})


@contextmanager
def serve(faults: Faults) -> Iterator[str]:
    """Serve while the block runs; gives the address, with a slash at its end."""
    handler = type("Handler", (_Handler,), {"faults": faults})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
