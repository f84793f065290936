"""Download from a server that fails in every way: the right file, or one clear error and nothing under its name."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from datasets.fault_server import Faults, serve

from neurodecode.datasets.content import check_content
from neurodecode.datasets.download import CHUNK, Policy, Remote, check_address, download, work_file
from neurodecode.errors import CorruptFileError, DataError, DiskSpaceError, FormatError

QUICK = Policy(retries=2, backoff=0.0, timeout=5.0, local_http=True)
CONTENT = np.random.default_rng(0).bytes(3 * CHUNK + 12345)
NAME = "sub-1/func/data.npy"


@pytest.fixture
def faults() -> Faults:
    return Faults(files={NAME: b"\x93NUMPY" + CONTENT})


def remote(url: str, faults: Faults, name: str = NAME, hashed: bool = True) -> Remote:
    content = faults.files[name]
    return Remote(name, (url + name,), len(content), hashlib.sha256(content).hexdigest() if hashed else None)


def leftovers(root: Path) -> list[str]:
    """Everything below a root that is not a lock."""
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and p.suffix != ".lock")


def test_the_file_and_nothing_else(faults: Faults, tmp_path: Path) -> None:
    counted: list[int] = []
    with serve(faults) as url:
        wanted = remote(url, faults)
        locked = download(wanted, tmp_path, policy=QUICK, on_bytes=counted.append)
        assert (tmp_path / NAME).read_bytes() == faults.files[NAME]
        assert locked == (wanted.bytes, wanted.sha256)
        assert sum(counted) == wanted.bytes
        assert leftovers(tmp_path) == [NAME]
        assert download(wanted, tmp_path, policy=QUICK) == locked
    assert len(faults.asked) == 1, "what is there and right is not fetched again"
    assert faults.asked[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("hashed", [True, False])
def test_fifty_drops(hashed: bool, faults: Faults, tmp_path: Path) -> None:
    """Wherever the connection breaks: the right bytes, at most one chunk of them twice."""
    total = len(faults.files[NAME])
    for i, drop in enumerate(np.linspace(0, total - 1, 50).astype(int)):
        faults.drops, faults.sent, faults.asked[:] = [int(drop)], 0, []
        with serve(faults) as url:
            download(remote(url, faults, hashed=hashed), tmp_path / str(i), policy=QUICK)
        assert (tmp_path / str(i) / NAME).read_bytes() == faults.files[NAME]
        assert faults.sent - total <= CHUNK
        assert len(faults.asked) == 2
        (tmp_path / str(i) / NAME).unlink()


def test_many_drops_of_one_file(faults: Faults, tmp_path: Path) -> None:
    """As long as each attempt brings something, it goes on: more drops than retries."""
    faults.drops = [CHUNK // 2 * 3] * 12
    with serve(faults) as url:
        download(remote(url, faults), tmp_path, policy=QUICK)
    assert (tmp_path / NAME).read_bytes() == faults.files[NAME]
    assert all("Range" in request for request in faults.asked[1:])


def test_a_later_call_goes_on(faults: Faults, tmp_path: Path) -> None:
    faults.drops = [2 * CHUNK, 0, 0, 0]
    with serve(faults) as url:
        wanted = remote(url, faults)
        with pytest.raises(FormatError, match=r"data\.npy.*3 times in a row.*same command again") as caught:
            download(wanted, tmp_path, policy=QUICK)
        assert not isinstance(caught.value, CorruptFileError)
        assert not (tmp_path / NAME).exists()
        kept = work_file(tmp_path, NAME).with_suffix(".part").stat().st_size
        assert kept >= CHUNK
        faults.asked.clear()
        download(wanted, tmp_path, policy=QUICK)
    assert faults.asked[0]["Range"] == f"bytes={kept}-"
    assert faults.asked[0]["If-Range"] == '"one"'
    assert (tmp_path / NAME).read_bytes() == faults.files[NAME]


def test_another_version_starts_again(faults: Faults, tmp_path: Path) -> None:
    """The file changed between two attempts: never a mix of both."""
    old = faults.files[NAME]
    new = old[:10] + bytes(len(old) - 10)
    faults.drops, faults.etag = [2 * CHUNK], lambda n: f'"{n}"'
    with serve(faults) as url:
        wanted = Remote(NAME, (url + NAME,), len(new), hashlib.sha256(new).hexdigest())
        faults.files[NAME] = old
        faults.etag = lambda n: '"old"'
        faults.drops = [2 * CHUNK, 0, 0, 0]
        with pytest.raises(FormatError):
            download(wanted, tmp_path, policy=QUICK)
        faults.files[NAME], faults.etag = new, lambda n: '"new"'
        download(wanted, tmp_path, policy=QUICK)
    assert (tmp_path / NAME).read_bytes() == new


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"ranges": False}, 1),  # the server sends all of it again
        ({"etag": lambda n: None}, 1),  # nothing says which version the part is of
        ({"etag": lambda n: 'W/"weak"'}, 1),  # a weak mark names no bytes
        ({"shift": 7}, 2),  # another part than the one asked for: thrown away
        ({"etag": lambda n: f'"{n}"'}, 1),  # another version each time
    ],
)
def test_without_trustworthy_parts_it_begins_again(changes: dict, more: int, faults: Faults, tmp_path: Path) -> None:
    vars(faults).update(changes, drops=[2 * CHUNK])
    with serve(faults) as url:
        download(remote(url, faults), tmp_path, policy=QUICK)
    assert (tmp_path / NAME).read_bytes() == faults.files[NAME]
    assert len(faults.asked) == 1 + more


def test_a_server_that_ignores_if_range(faults: Faults, tmp_path: Path) -> None:
    """A part of another version is recognised by its mark."""
    faults.if_range, faults.drops = False, [CHUNK * 2]
    faults.etag = lambda n: '"a"' if n == 1 else '"b"'
    with serve(faults) as url:
        download(remote(url, faults), tmp_path, policy=QUICK)
    assert (tmp_path / NAME).read_bytes() == faults.files[NAME]
    assert ["Range" in request for request in faults.asked] == [False, True, False]


@pytest.mark.parametrize("statuses", [[503], [500, 502], [429, 504], [408]])
def test_errors_of_the_server_pass(statuses: list[int], faults: Faults, tmp_path: Path) -> None:
    faults.statuses = list(statuses)
    with serve(faults) as url:
        download(remote(url, faults), tmp_path, policy=QUICK)
    assert (tmp_path / NAME).read_bytes() == faults.files[NAME]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"statuses": [503] * 9}, FormatError, "answered 503, 3 times in a row"),
        ({"statuses": [404]}, FormatError, "answered 404"),
        ({"statuses": [403]}, FormatError, "answered 403: access is refused"),
        ({"html": 9}, CorruptFileError, "of a web page, expected"),
        ({"longer": 10}, CorruptFileError, "sends more than"),
        ({"pause": 0.5}, FormatError, "connection broke"),
        ({"redirect": "http://example.com/data.npy"}, FormatError, "redirects elsewhere.*not https"),
        ({"redirect": "ftp://example.com/data.npy"}, FormatError, "redirects elsewhere"),
    ],
)
def test_one_clear_error(changes: dict, error: type[Exception], message: str, faults: Faults, tmp_path: Path) -> None:
    vars(faults).update(changes)
    policy = Policy(retries=2, backoff=0.0, timeout=0.2 if "pause" in changes else 5.0, local_http=True)
    with serve(faults) as url, pytest.raises(error, match=message) as caught:
        download(remote(url, faults), tmp_path, policy=policy)
    assert type(caught.value) is error
    assert "data.npy" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / NAME).exists()
    assert not [name for name in leftovers(tmp_path) if (tmp_path / name).stat().st_size > 200]


def test_a_page_of_the_right_length_is_no_image(tmp_path: Path) -> None:
    page = b"<html>" + b" " * 500
    faults = Faults(files={"a.nii.gz": page})
    with serve(faults) as url, pytest.raises(CorruptFileError, match=r"a\.nii\.gz.*web page"):
        download(remote(url, faults, "a.nii.gz"), tmp_path, policy=QUICK)
    assert leftovers(tmp_path) == []


def test_a_wrong_hash_leaves_nothing(faults: Faults, tmp_path: Path) -> None:
    with serve(faults) as url, pytest.raises(CorruptFileError, match="sha256 is .*, expected 0000"):
        download(remote(url, faults)._replace(sha256="0" * 64), tmp_path, policy=QUICK)
    assert leftovers(tmp_path) == []


def test_the_next_address_is_tried(faults: Faults, tmp_path: Path) -> None:
    faults.files["bad.npy"] = b"\x93NUMPY" + bytes(len(CONTENT))
    with serve(faults) as url:
        wanted = remote(url, faults)
        urls = (url + "missing.npy", url + "bad.npy", url + NAME)
        download(wanted._replace(urls=urls), tmp_path, policy=QUICK)
    assert (tmp_path / NAME).read_bytes() == faults.files[NAME]
    assert [request["path"] for request in faults.asked] == ["missing.npy", "bad.npy", NAME]


def test_an_altered_file_is_fetched_again(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / NAME).parent.mkdir(parents=True)
    (tmp_path / NAME).write_bytes(bytes(len(faults.files[NAME])))
    with serve(faults) as url:
        download(remote(url, faults), tmp_path, policy=QUICK)
    assert (tmp_path / NAME).read_bytes() == faults.files[NAME]


def test_an_empty_file(tmp_path: Path) -> None:
    faults = Faults(files={"README": b""})
    with serve(faults) as url:
        download(remote(url, faults, "README"), tmp_path, policy=QUICK)
    assert (tmp_path / "README").read_bytes() == b""


@pytest.mark.parametrize("state", [b"", b"[1]", b"{", b"[" * 100_000, json.dumps({"bytes": 1}).encode()])
def test_a_damaged_side_file_is_ignored(state: bytes, faults: Faults, tmp_path: Path) -> None:
    work = work_file(tmp_path, NAME)
    work.parent.mkdir(parents=True)
    work.with_suffix(".part").write_bytes(b"other bytes")
    work.with_suffix(".json").write_bytes(state)
    with serve(faults) as url:
        download(remote(url, faults), tmp_path, policy=QUICK)
    assert (tmp_path / NAME).read_bytes() == faults.files[NAME]


def test_eight_at_once_fetch_it_once(faults: Faults, tmp_path: Path) -> None:
    with serve(faults) as url, ThreadPoolExecutor(8) as pool:
        wanted = remote(url, faults)
        locked = list(pool.map(lambda _: download(wanted, tmp_path, policy=QUICK), range(8)))
    assert len(set(locked)) == 1
    assert len(faults.asked) == 1
    assert (tmp_path / NAME).read_bytes() == faults.files[NAME]


def test_a_token_goes_to_the_server_and_nowhere_else(faults: Faults, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    faults.statuses = [503, 403]
    with caplog.at_level(logging.DEBUG), serve(faults) as url, pytest.raises(FormatError) as caught:
        download(remote(url + "", faults), tmp_path, token="s3cret", policy=QUICK)
    assert [request["Authorization"] for request in faults.asked] == ["Bearer s3cret"] * 2
    assert "s3cret" not in caplog.text + str(caught.value)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"s3cret" in p.read_bytes()]


def test_what_follows_the_question_mark_is_not_told(faults: Faults, tmp_path: Path) -> None:
    with serve(faults) as url:
        wanted = remote(url, faults)
        signed = wanted._replace(urls=(f"{url}nothing.npy?signature=s3cret",))
        with pytest.raises(FormatError, match="nothing.npy: the server answered 404") as caught:
            download(signed, tmp_path, policy=QUICK)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://example.com/a", "ftp://example.com/a", "file:///etc/passwd", "http://127.0.0.1/a"])
def test_only_https(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not https"):
        download(Remote("a", (url,), 1), tmp_path)
    with pytest.raises(DataError, match="not https"):
        check_address("http://127.0.0.1.example.com/", local_http=True)


def test_a_full_disk_is_told(faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neurodecode.datasets.download._Sink.write", full)
    with serve(faults) as url, pytest.raises(DiskSpaceError, match=r"data\.npy.*bytes are free"):
        download(remote(url, faults), tmp_path, policy=QUICK)
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize(
    ("name", "head", "wrong"),
    [
        ("a.nii.gz", gzip.compress(b"x", mtime=0), False),
        ("a.nii.gz", b"504 Gateway", True),
        ("a.nii", (348).to_bytes(4, "little"), False),
        ("a.nii", (348).to_bytes(4, "big"), False),
        ("a.nii", b"abcd", True),
        ("a.tsv", b"onset\tduration\n", False),
        ("a.tsv", b"\n <!DOCTYPE html>", True),
        ("a.json", b'<?xml version="1.0"?><Error>', True),
        ("a.html", b"<html>", False),
        ("a.gii", b'<?xml version="1.0"?><GIFTI', False),
        ("a.set", b"MATLAB 5.0 MAT-file", False),
        ("a.set", b"\x89HDF\r\n", False),
        ("a.set", b"EEG", True),
        ("a.bdf", b"\xffBIOSEMI", False),
        ("a.edf", b"0       ", False),
        ("a.zip", b"P", False),  # all there is of a first chunk
        ("a.npy", b"", False),
    ],
)
def test_first_bytes(name: str, head: bytes, wrong: bool) -> None:
    assert (check_content(name, head) is not None) is wrong
