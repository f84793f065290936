"""One file over HTTP: resumed where it broke off, checked before it gets its name."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from neurodecode.data.atomic import atomic_write, write_text
from neurodecode.datasets.content import N_BYTES, check_content
from neurodecode.datasets.disk import room
from neurodecode.datasets.lock import Locked
from neurodecode.errors import CorruptFileError, DataError, FormatError

_log = logging.getLogger(__name__)
CHUNK = 256 * 1024  # bytes; what a broken connection may cost is at most one
_MOST_ATTEMPTS = 200  # of which only those without a new byte count against `Policy.retries`
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
LOCAL = ("127.0.0.1", "::1", "localhost")


class Remote(NamedTuple):
    """A file as a manifest or an archive lists it."""

    path: str
    """Below the root of the data set, with forward slashes."""
    urls: tuple[str, ...]
    """Addresses, tried in this order."""
    bytes: int
    """Size."""
    sha256: str | None = None
    """Hash in hexadecimal digits; None until the first verified fetch."""


@dataclass(frozen=True)
class Policy:
    """How patient a download is.

    Parameters
    ----------
    retries : int
        Attempts in a row that may bring no new byte, after the first.
    backoff : float
        Wait before the first of them in s; it doubles up to a minute.
    timeout : float
        Longest silence of the server in s.
    local_http : bool
        Allow http:// to this machine itself, for tests.
    """

    retries: int = 5
    backoff: float = 1.0
    timeout: float = 30.0
    local_http: bool = False


class _AgainError(Exception):
    """The attempt broke off in a way that another one may mend."""


class _GiveUpError(Exception):
    """This address will not give the file."""


def download(
    remote: Remote,
    root: Path,
    *,
    token: str | None = None,
    policy: Policy | None = None,
    on_bytes: Callable[[int], object] | None = None,
) -> Locked:
    """Fetch a file, or find that it is there already.

    Parameters
    ----------
    remote : Remote
        The file.
    root : Path
        Folder of the data set.
    token : str, optional
        Sent as ``Authorization: Bearer``; never stored, never logged, and not passed on to another host.
    policy : Policy, optional
        Retries, waits and time-outs.
    on_bytes : callable, optional
        Called with the number of bytes that were added (negative where a part is thrown away).

    Returns
    -------
    Locked
        Size and sha256 of the file that now has its name.

    Raises
    ------
    CorruptFileError
        If what came is not what was announced; nothing is left of it.
    FormatError
        If no address gives the file; what came so far is kept for the next attempt.
    DiskSpaceError
        If there is no room.
    """
    from filelock import FileLock

    target, work = root / remote.path, work_file(root, remote.path)
    told = on_bytes or (lambda n: None)
    with room(target):
        work.parent.mkdir(parents=True, exist_ok=True)
    with room(target), FileLock(work.with_suffix(".lock")):
        if (found := present(target, remote)) is not None:
            told(found.bytes)
            return found
        return _from_any_address(remote, target, _Transfer(remote, work.with_suffix(".part"), token, policy or Policy(), told))


def work_file(root: Path, path: str) -> Path:
    """Name, but for its suffix, of the part, the side file and the lock of a download; never longer than a file name may be."""
    return root / ".neurodecode" / "downloads" / hashlib.sha256(path.encode()).hexdigest()[:40]


def present(target: Path, remote: Remote) -> Locked | None:
    """Size and sha256 of a file that is there already and right; None where it is missing or another one."""
    if not target.is_file() or target.stat().st_size != remote.bytes or remote.sha256 is None:
        return None
    sha256 = _hash(target)
    return Locked(remote.bytes, sha256) if sha256 == remote.sha256 else None


def check_address(url: str, local_http: bool = False) -> None:
    """Raise `DataError` unless an address is https, or http to this machine where that is allowed."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (local_http and parts.scheme == "http" and parts.hostname in LOCAL):
        raise DataError(f"the address {without_query(url)!r} is not https: data are fetched over verified connections only")


def without_query(url: str) -> str:
    """An address for messages: what stands behind the question mark may be secret."""
    return url.partition("?")[0]


def _from_any_address(remote: Remote, target: Path, transfer: _Transfer) -> Locked:
    """Try the addresses in turn until one gives the right file."""
    reasons = []
    for url in remote.urls:
        try:
            transfer.complete(url)
            locked = transfer.verify(url)
        except _GiveUpError as error:
            reasons.append((f"{without_query(url)}: {error}", transfer.wrong))
            continue
        _put_in_place(transfer.part, target)
        transfer.side.unlink(missing_ok=True)
        return locked
    what = f"it could not be fetched ({'; '.join(reason for reason, _ in reasons)})"
    if any(wrong for _, wrong in reasons):
        raise CorruptFileError(target, what, "Nothing was kept of it. Try again later, or report it to the data set's authors")
    raise FormatError(target, what, "Check the connection and run the same command again: it goes on where it stopped")


class _Transfer:
    """The part of a file that is there, and what is known about where it came from."""

    def __init__(self, remote: Remote, part: Path, token: str | None, policy: Policy, told: Callable[[int], object]) -> None:
        self.remote, self.part, self.side = remote, part, part.with_suffix(".json")
        self._token, self._policy, self._told = token, policy, told
        self._counted = 0
        self.wrong = False

    def complete(self, url: str) -> None:
        """Fetch until the part has all bytes; give up after too many attempts that brought none."""
        idle = 0
        for _ in range(_MOST_ATTEMPTS):
            before = self._size()
            try:
                self._attempt(url)
                return
            except _WrongContentError as error:
                self._discard()
                self.wrong = True
                raise _GiveUpError(str(error)) from error
            except _AgainError as error:
                idle = 0 if self._size() > before else idle + 1
                if idle > self._policy.retries:
                    raise _GiveUpError(f"{error}, {idle} times in a row") from error
                _log.info("%s: %s; trying again", self.remote.path, error)
                if idle:
                    time.sleep(min(60.0, self._policy.backoff * 2 ** (idle - 1)))
        raise _GiveUpError(f"it broke off {_MOST_ATTEMPTS} times")

    def verify(self, url: str) -> Locked:
        """Size and hash of the complete part; a wrong one is deleted."""
        sha256 = _hash(self.part)
        if self.remote.sha256 not in (None, sha256):
            self._discard()
            self.wrong = True
            raise _GiveUpError(f"its sha256 is {sha256}, expected {self.remote.sha256}")
        return Locked(self.remote.bytes, sha256)

    def _attempt(self, url: str) -> None:
        """One request for what is missing, through pooch's downloader."""
        import requests
        from pooch import HTTPDownloader

        check_address(url, self._policy.local_http)
        headers = self._headers(url)
        self._count(self._size())
        with open(self.part, "ab") as file:
            sink = _Sink(file, self.remote, self._count)
            answer = _Answer(self, url, file)
            get = HTTPDownloader(
                chunk_size=CHUNK, headers=headers, hooks={"response": answer.check}, timeout=self._policy.timeout
            )
            try:
                if self._size() < self.remote.bytes or not self.remote.bytes:
                    get(url, sink, None)
            except (requests.exceptions.SSLError, requests.exceptions.InvalidURL, requests.exceptions.TooManyRedirects) as error:
                raise _GiveUpError(f"{type(error).__name__}: {_one_line(error)}") from error
            except requests.exceptions.RequestException as error:
                raise _AgainError(f"the connection broke ({type(error).__name__})") from error
        if self._size() != self.remote.bytes:
            raise _AgainError(f"it ended after {self._size()} of {self.remote.bytes} bytes")

    def _headers(self, url: str) -> dict[str, str]:
        """Ask for the rest only where the server can tell that it is still the same file; else from the beginning."""
        state, size = self._state(), self._size()
        mark = state.get("etag") or state.get("last_modified")
        headers = {"Accept-Encoding": "identity", "User-Agent": "neurodecode"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if size and state.get("url") == without_query(url) and isinstance(mark, str) and size <= self.remote.bytes:
            return {**headers, "Range": f"bytes={size}-", "If-Range": mark}
        self._discard()
        return headers

    def remember(self, url: str, headers: Any) -> None:
        """Write beside the part which version of the file it is; a weak etag names no bytes and is not used."""
        etag = headers.get("ETag", "")
        strong = etag if etag.startswith('"') else None
        state = {"url": without_query(url), "etag": strong, "last_modified": headers.get("Last-Modified")}
        write_text(self.side, json.dumps({**state, "bytes": self.remote.bytes}))

    def _state(self) -> dict[str, Any]:
        try:
            state = json.loads(self.side.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return state if isinstance(state, dict) and state.get("bytes") == self.remote.bytes else {}

    def same_version(self, headers: Any) -> bool:
        """Whether the rest that a server sends is of the version that the part is of."""
        state, etag = self._state(), headers.get("ETag")
        return etag is None or state.get("etag") in (None, etag)

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _count(self, size: int) -> None:
        """Tell how many bytes there are now."""
        self._told(size - self._counted)
        self._counted = size

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.side.unlink(missing_ok=True)
        self._count(0)


class _WrongContentError(Exception):
    """The bytes that come are not the file."""


class _Answer:
    """Looks at status and headers of each answer, redirections too, before a byte of it is stored."""

    def __init__(self, transfer: _Transfer, url: str, file: IO[bytes]) -> None:
        self._transfer, self._url, self._file = transfer, url, file

    def check(self, response: Any, *_: Any, **__: Any) -> None:
        """Called by requests with every answer."""
        if response.is_redirect:
            self._check_redirect(response)
        elif response.status_code == 206:
            self._check_rest(response.headers)
        elif response.status_code == 200:
            self._check_whole(response)
        else:
            self._refuse(response.status_code)

    def _check_redirect(self, response: Any) -> None:
        try:
            policy = self._transfer._policy
            check_address(urljoin(response.url, response.headers["Location"]), policy.local_http)
        except DataError as error:
            raise _GiveUpError(f"it redirects elsewhere: {error}") from error

    def _check_rest(self, headers: Any) -> None:
        have, total = self._file.tell(), self._transfer.remote.bytes
        match = _RANGE.fullmatch(headers.get("Content-Range", ""))
        right = match is not None and int(match[1]) == have and match[3] in ("*", str(total)) and int(match[2]) < total
        if not right or not self._transfer.same_version(headers):
            self._start_again()
            raise _AgainError(f"the server sent another part ({headers.get('Content-Range')!r}) than the one from byte {have} on")

    def _check_whole(self, response: Any) -> None:
        self._start_again()
        length, total = response.headers.get("Content-Length"), self._transfer.remote.bytes
        if length is not None and length != str(total):
            page = "html" in response.headers.get("Content-Type", "")
            raise _WrongContentError(f"the server sends {length} bytes{' of a web page' if page else ''}, expected {total}")
        self._transfer.remember(self._url, response.headers)

    def _refuse(self, status: int) -> None:
        if status in _TRANSIENT:
            raise _AgainError(f"the server answered {status}")
        if status == 416:
            self._start_again()
            raise _AgainError("the server has no such part")
        hint = ": access is refused, check the token and the terms" if status in (401, 403) else ""
        raise _GiveUpError(f"the server answered {status}{hint}")

    def _start_again(self) -> None:
        self._file.truncate(0)
        self._transfer.side.unlink(missing_ok=True)


class _Sink:
    """Where pooch writes to: refuses what is not the file at its first bytes, and anything past its end."""

    def __init__(self, file: IO[bytes], remote: Remote, count: Callable[[int], object]) -> None:
        self._file, self._remote, self._count = file, remote, count

    def write(self, chunk: bytes) -> None:
        """Append a chunk."""
        size = os.fstat(self._file.fileno()).st_size
        if not size and (fault := check_content(self._remote.path, chunk[:N_BYTES])):
            raise _WrongContentError(fault)
        if size + len(chunk) > self._remote.bytes:
            raise _WrongContentError(f"the server sends more than the {self._remote.bytes} bytes it should have")
        self._file.write(chunk)
        self._file.flush()
        self._count(size + len(chunk))

    def flush(self) -> None:
        """Nothing: each chunk is written at once."""


def _put_in_place(part: Path, target: Path) -> None:
    """Give a complete file its name, in one step and on the disk."""
    with atomic_write(target) as partial:
        os.replace(part, partial)


def _hash(path: Path) -> str:
    """Read and hash a file anew, whatever was remembered about it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
