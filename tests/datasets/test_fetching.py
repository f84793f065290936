"""Fetch and verify whole data sets from a server on this machine: manifests with files, and a source that lists its own."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from datasets.fault_server import Faults, serve

from neurodecode.datasets import download as download_module
from neurodecode.datasets import fetch, verify
from neurodecode.datasets.download import Policy
from neurodecode.datasets.fetching import token_variable
from neurodecode.datasets.lock import read_lock
from neurodecode.datasets.manifest import File, Manifest, Source
from neurodecode.datasets.openneuro import list_files
from neurodecode.errors import ConfigError, CorruptFileError, DataError, DiskSpaceError, FormatError

QUICK = Policy(retries=1, backoff=0.0, timeout=5.0, local_http=True)
CONTENT = {
    "README": b"read me",
    "dataset_description.json": b"{}",
    "sub-1/func/sub-1_bold.tsv": b"one" * 100,
    "sub-1/func/sub-1_events.tsv": b"onset",
    "sub-2/func/sub-2_bold.tsv": b"two" * 100,
}
ABOUT = {
    "id": "planted",
    "title": "Planted",
    "version": "1.0.0",
    "licence": "CC-BY-4.0",
    "citation": "Nobody (2020)",
    "modality": "fmri",
    "species": "human",
    "n_subjects": 2,
}


class World(NamedTuple):
    """A server, and a data set on it."""

    url: str
    faults: Faults
    files: Manifest
    source: Manifest


def tree(content: dict[str, bytes], url: str) -> Any:
    """Answers of the archive: one folder at a time, names inside a folder without it."""

    def answer(asked: dict[str, Any]) -> Any:
        folder = asked.get("tree") or ""
        names = sorted({p.removeprefix(f"{folder}/" if folder else "").split("/")[0] for p in content if p.startswith(folder)})
        entries = []
        for name in names:
            path = f"{folder}/{name}" if folder else name
            leaf = path in content
            size = len(content[path]) if leaf else 0
            entries.append(
                {"id": path, "filename": name, "size": size, "directory": not leaf, "urls": [url + path] if leaf else []}
            )
        return {"data": {"snapshot": {"files": entries}}}

    return answer


@pytest.fixture
def world() -> Iterator[World]:
    faults = Faults(files=dict(CONTENT))
    with serve(faults) as url:
        faults.graphql = tree(CONTENT, url)
        files = tuple(
            File.model_construct(
                path=p, url=(url + p,), bytes=len(c), sha256=hashlib.sha256(c).hexdigest(), role=None, subject=None
            )
            for p, c in CONTENT.items()
        )
        size = sum(map(len, CONTENT.values()))
        listed = Manifest.model_validate(
            {**ABOUT, "access": "open", "source": Source(kind="openneuro", dataset="ds000001", tag="1.0.0")}
        )
        yield World(url, faults, listed.model_copy(update={"files": files, "source": None, "size_bytes": size}), listed)


def get(world: World, root: Path, kind: str = "files", **options: Any) -> Any:
    said: list[str] = options.pop("said", [])
    manifest = options.pop("manifest", getattr(world, kind))
    return fetch(
        manifest, root=root, progress=False, announce=said.append, _policy=QUICK, _endpoint=world.url + "graphql", **options
    )


@pytest.mark.parametrize("kind", ["files", "source"])
class TestBothKinds:
    def test_everything(self, kind: str, world: World, tmp_path: Path) -> None:
        said: list[str] = []
        done = get(world, tmp_path, kind, said=said)
        assert {p: (tmp_path / p).read_bytes() for p in done.files} == CONTENT
        assert done.n_bytes == sum(map(len, CONTENT.values()))
        assert verify(getattr(world, kind), tmp_path) == []
        for part in ("Planted, version 1.0.0", "CC-BY-4.0", "open to everyone", "Nobody (2020)", "0.0 MB in 5 files"):
            assert part in said[0]

    def test_terms_come_before_the_first_byte(self, kind: str, world: World, tmp_path: Path) -> None:
        seen: list[int] = []

        def announce(_: str) -> None:
            seen.append(len([request for request in world.faults.asked if request["path"] in CONTENT]))

        fetch(
            getattr(world, kind), root=tmp_path, progress=False, announce=announce, _policy=QUICK, _endpoint=world.url + "graphql"
        )
        assert seen == [0]

    def test_dry_run(self, kind: str, world: World, tmp_path: Path) -> None:
        done = get(world, tmp_path / "new", kind, dry_run=True)
        assert sorted(done.files) == sorted(CONTENT)
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"subjects": ["1"]}, {p for p in CONTENT if "sub-2" not in p}),
            ({"subjects": "sub-2"}, {p for p in CONTENT if "sub-1" not in p}),
            ({"only": "*_events.tsv"}, {"sub-1/func/sub-1_events.tsv"}),
            ({"subjects": ["2"], "only": ["sub-*"]}, {"sub-2/func/sub-2_bold.tsv"}),
        ],
    )
    def test_parts(self, kind: str, options: dict, expected: set[str], world: World, tmp_path: Path) -> None:
        assert set(get(world, tmp_path, kind, **options).files) == expected
        assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} >= expected
        assert verify(getattr(world, kind), tmp_path, **options) == []
        get(world, tmp_path, kind)
        assert verify(getattr(world, kind), tmp_path) == []

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"subjects": ["3"]}, "planted has no subject '3': choose from"),
            ({"only": "nothing/*"}, "none of the 5 files of planted matches"),
        ],
    )
    def test_nothing_matches(self, kind: str, options: dict, message: str, world: World, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=message):
            get(world, tmp_path, kind, **options)

    def test_again_costs_no_byte(self, kind: str, world: World, tmp_path: Path) -> None:
        get(world, tmp_path, kind)
        world.faults.asked.clear()
        get(world, tmp_path, kind)
        assert [request for request in world.faults.asked if request["path"] in CONTENT] == []

    def test_what_was_altered_is_found_and_mended(self, kind: str, world: World, tmp_path: Path) -> None:
        get(world, tmp_path, kind)
        (tmp_path / "README").write_bytes(b"read ME")
        (tmp_path / "dataset_description.json").write_bytes(b"{} ")
        (tmp_path / "sub-2/func/sub-2_bold.tsv").unlink()
        problems = verify(getattr(world, kind), tmp_path)
        assert [problem.split(":")[0] for problem in problems] == [
            "README",
            "dataset_description.json",
            "sub-2/func/sub-2_bold.tsv",
        ]
        assert "sha256 is not" in problems[0]
        assert "3 bytes, expected 2" in problems[1]
        assert "missing" in problems[2]
        get(world, tmp_path, kind)
        assert verify(getattr(world, kind), tmp_path) == []

    def test_a_full_disk_is_told_first(self, kind: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))  # type: ignore[attr-defined]
        with pytest.raises(DiskSpaceError, match="614 bytes are missing, 10 are free"):
            get(world, tmp_path, kind)
        assert list(tmp_path.iterdir()) == []


class TestLock:
    def test_written_by_the_first_fetch(self, world: World, tmp_path: Path) -> None:
        get(world, tmp_path, "source", subjects=["1"])
        lock = read_lock(tmp_path / "planted.lock.tsv")
        assert set(lock) == {p for p in CONTENT if "sub-2" not in p}
        assert lock["README"] == (7, hashlib.sha256(b"read me").hexdigest())
        get(world, tmp_path, "source")
        assert set(read_lock(tmp_path / "planted.lock.tsv")) == set(CONTENT)

    def test_keeps_what_came_before_a_failure(self, world: World, tmp_path: Path) -> None:
        del world.faults.files["sub-1/func/sub-1_events.tsv"]
        with pytest.raises(FormatError, match="answered 404"):
            get(world, tmp_path, "source")
        assert "README" in read_lock(tmp_path / "planted.lock.tsv")

    def test_a_version_that_changed_is_refused(self, world: World, tmp_path: Path) -> None:
        get(world, tmp_path, "source")
        (tmp_path / "README").unlink()
        world.faults.files["README"] = b"read it"
        with pytest.raises(CorruptFileError, match="README.*sha256 is"):
            get(world, tmp_path, "source")
        world.faults.graphql = tree({**CONTENT, "README": b"longer than before"}, world.url)
        with pytest.raises(FormatError, match="README: the archive lists 18 bytes, the lock 7"):
            get(world, tmp_path, "source")

    def test_nothing_to_verify(self, world: World, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match=r"holds no planted\.lock\.tsv.*datasets fetch planted"):
            verify(world.source, tmp_path)


class TestTokens:
    @pytest.mark.parametrize("access", ["registration", "dua"])
    def test_needed_and_sent(self, access: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        manifest = world.files.model_copy(update={"access": access})
        monkeypatch.delenv(token_variable(manifest), raising=False)
        with pytest.raises(ConfigError, match="NEURODECODE_TOKEN_PLANTED"):
            get(world, tmp_path, manifest=manifest)
        assert world.faults.asked == []
        monkeypatch.setenv("NEURODECODE_TOKEN_PLANTED", "s3cret\nX-Evil: 1")
        with pytest.raises(ConfigError) as caught:
            get(world, tmp_path, manifest=manifest)
        assert "s3cret" not in str(caught.value)
        monkeypatch.setenv("NEURODECODE_TOKEN_PLANTED", "s3cret\n")
        said: list[str] = []
        get(world, tmp_path, manifest=manifest, said=said)
        assert {request["Authorization"] for request in world.faults.asked} == {"Bearer s3cret"}
        assert "s3cret" not in said[0]

    def test_open_data_get_none(self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NEURODECODE_TOKEN_PLANTED", "s3cret")
        get(world, tmp_path)
        assert not any("Authorization" in request for request in world.faults.asked)


class TestArchive:
    SOURCE = Source(kind="openneuro", dataset="ds000001", tag="1.0.0")

    def listed(self, world: World, **options: Any) -> Any:
        return list_files(self.SOURCE, endpoint=world.url + "graphql", policy=QUICK, **options)

    def test_every_folder_is_asked_for(self, world: World) -> None:
        files = self.listed(world)
        assert [file.path for file in files] == sorted(CONTENT)
        assert files[0].urls == (world.url + "README",)
        assert [request.get("tree") for request in world.faults.asked] == [None, "sub-1", "sub-1/func", "sub-2", "sub-2/func"]
        assert world.faults.asked[0]["tag"] == "1.0.0"

    def test_folders_of_other_subjects_are_not(self, world: World) -> None:
        self.listed(world, subjects=["2"])
        assert [request.get("tree") for request in world.faults.asked] == [None, "sub-2", "sub-2/func"]

    def test_names_with_their_folder(self, world: World) -> None:
        """The archive has given names inside a folder in both ways."""
        plain = world.faults.graphql
        assert plain is not None

        def whole(asked: dict[str, Any]) -> Any:
            answer = plain(asked)
            for entry in answer["data"]["snapshot"]["files"]:
                entry["filename"] = entry["id"]
            return answer

        world.faults.graphql = whole
        assert [file.path for file in self.listed(world)] == sorted(CONTENT)

    def test_a_failure_passes(self, world: World) -> None:
        world.faults.statuses = [503]
        assert len(self.listed(world)) == 5

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            ({"errors": [{"message": "no such snapshot"}]}, "no such snapshot"),
            ({"data": {"snapshot": None}}, "does not list such files"),
            ({"data": {"snapshot": {"files": "all"}}}, "expected a list of files, got str"),
            ({"data": {"snapshot": {"files": []}}}, "lists no files"),
            ([1], "does not list"),
            (b"<html>", "does not answer"),
        ],
    )
    def test_other_answers(self, answer: Any, message: str, world: World) -> None:
        world.faults.graphql = lambda asked: answer
        with pytest.raises(FormatError, match=message):
            self.listed(world)

    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            ({"filename": "../evil"}, FormatError, "'../evil' must be relative"),
            ({"filename": "/etc/passwd"}, FormatError, "must be relative"),
            ({"urls": ["http://example.org/a"]}, DataError, "not https"),
            ({"urls": []}, FormatError, "a has urls"),
            ({"urls": None}, FormatError, "a has urls"),
            ({"size": -1}, FormatError, "size -1"),
            ({"size": None}, FormatError, "size None"),
        ],
    )
    def test_entries_that_cannot_be(self, changes: dict, error: type[Exception], message: str, world: World) -> None:
        entry = {"id": "a", "filename": "a", "size": 1, "directory": False, "urls": ["https://example.org/a"], **changes}
        world.faults.graphql = lambda asked: {"data": {"snapshot": {"files": [entry]}}}
        with pytest.raises(error, match=message):
            self.listed(world)

    def test_folders_without_end(self, world: World) -> None:
        entry = {"id": "a", "filename": "a", "size": 0, "directory": True, "urls": []}
        world.faults.graphql = lambda asked: {"data": {"snapshot": {"files": [entry]}}}
        with pytest.raises(FormatError, match="more than 20 folders deep"):
            self.listed(world)


def test_by_name_and_with_a_bar(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("neurodecode.datasets.fetching.info", lambda name: world.files)
    fetch("planted", root=tmp_path, _policy=QUICK)
    shown = capsys.readouterr()
    assert "CC-BY-4.0" in shown.err
    assert "planted: 100%" in shown.err
    assert shown.out == ""


def test_local_http_is_not_for_users(world: World, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not https"):
        fetch(world.files, root=tmp_path, progress=False, announce=lambda _: None)
    assert download_module.Policy().local_http is False
