"""Manifests: what is right is read, what is wrong is one line that names it; nothing else is ever raised."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from house.source import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodecode import datasets
from neurodecode.datasets.lock import Locked, read_lock, write_lock
from neurodecode.datasets.manifest import Manifest, parse_manifest, read_manifest
from neurodecode.errors import CorruptFileError, DataError, FormatError

FILE = {"path": "sub-1/a.npy", "url": ["https://example.org/a.npy"], "bytes": 3, "sha256": "0" * 64}
GOOD: dict[str, Any] = {
    "id": "planted",
    "title": "Planted",
    "version": "1.0.0",
    "licence": "CC0-1.0",
    "access": "open",
    "citation": "Nobody (2020)",
    "modality": "eeg",
    "species": "human",
    "n_subjects": 1,
    "size_bytes": 3,
    "files": [FILE],
}
SOURCE = {"kind": "openneuro", "dataset": "ds000105", "tag": "1.0.0"}
MANUAL = {"page": "https://example.org/form", "steps": ["Sign the form."], "layout": ["S*.mat", "proc/*.mat"]}


class Plain(yaml.SafeDumper):
    """Writes everything out, without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dumped(values: Any) -> str:
    return yaml.dump(values, Dumper=Plain, allow_unicode=True)


def changed(**changes: Any) -> dict[str, Any]:
    """The good manifest with other fields; None takes one out."""
    return {key: value for key, value in {**deepcopy(GOOD), **changes}.items() if value is not None}


def file(**changes: Any) -> dict[str, Any]:
    return changed(files=[{**FILE, **changes}])


def test_a_good_one(tmp_path: Path) -> None:
    path = tmp_path / "planted.yaml"
    path.write_text(yaml.safe_dump(GOOD), encoding="utf-8")
    manifest = read_manifest(path)
    assert manifest.files[0].path == "sub-1/a.npy"
    assert manifest.access == "open"
    with pytest.raises(ValueError, match="frozen"):
        manifest.title = "other"  # type: ignore[misc]
    with pytest.raises(FormatError, match="expected the name of the file"):
        read_manifest(path.rename(tmp_path / "other.yaml"))
    with pytest.raises(FormatError, match="cannot be read"):
        read_manifest(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (changed(version="latest"), "version: version 'latest' may change"),
        (changed(version=1.0), "version: .*string, got 1.0"),
        (changed(licence=None), "licence: Field required"),
        (changed(licence=""), "licence: .*at least 1"),
        (changed(access="free"), "access: .*'open', 'registration' or 'dua', got 'free'"),
        (changed(license="MIT"), "license: Extra inputs"),
        (changed(modality="smell"), "modality"),
        (changed(n_subjects=0), "n_subjects: .*greater than 0, got 0"),
        (changed(id="No Name"), "id: .*pattern"),
        (changed(doi="doi:10.1/a"), "doi"),
        (changed(files=None), "has either files or a source or manual steps, planted has none"),
        (changed(source=SOURCE), "planted has files and source"),
        (changed(manual=MANUAL), "planted has files and manual"),
        (changed(files=None, size_bytes=None, manual={**MANUAL, "page": "http://example.org"}), "manual.page"),
        (changed(files=None, size_bytes=None, manual={**MANUAL, "steps": []}), "manual.steps"),
        (changed(files=None, size_bytes=None, manual={**MANUAL, "layout": ["../*"]}), "manual.layout"),
        (changed(files=None, size_bytes=None, source={**SOURCE, "tag": "2.0.0"}), "must be the tag of the source"),
        (changed(files=None, source={**SOURCE, "tag": "latest"}), "source.tag"),
        (changed(files=None, source={**SOURCE, "dataset": "ds1"}), "source.dataset"),
        (changed(files=None, source={**SOURCE, "kind": "ftp"}), "source.kind"),
        (changed(size_bytes=4), "size_bytes is 4, the files have 3 bytes"),
        (changed(size_bytes=None), "size_bytes is None"),
        (changed(size_bytes=-1), "size_bytes"),
        (changed(size_bytes=2**70), "size_bytes is"),
        (file(bytes=None), r"files\.0\.bytes"),
        (file(bytes="3"), r"files\.0\.bytes"),
        (file(bytes=3.0), r"files\.0\.bytes"),
        (file(sha256="0" * 63), r"files\.0\.sha256: .*pattern"),
        (file(sha256="G" * 64), r"files\.0\.sha256"),
        (file(sha256="0" * 64 + "\n"), r"files\.0\.sha256"),
        (file(url=[]), r"files\.0\.url"),
        (file(url="https://example.org"), r"files\.0\.url"),
        (file(url=["http://example.org/a"]), r"files\.0\.url\.0: the address 'http://example.org/a' must begin with https"),
        (file(url=["https://me:secret@example.org/a"]), "without user name or password"),
        (file(url=["https:///a"]), "name a host"),
        (file(url=["https://[::1/a"]), "name a host"),
        (file(url=["https://example.org/a b"]), "the address"),
        *((file(path=p), "the path") for p in ("/a", "../a", "a/../b", "a//b", "./a", "a\\b", "C:/a", "", ".", "a\n", "a/")),
        (changed(files=[FILE, FILE], size_bytes=6), "same file"),
        (changed(files=[FILE, {**FILE, "path": "SUB-1/A.npy"}], size_bytes=6), "same file on some file systems"),
        (changed(files=[{**FILE, "path": "caf\u00e9"}, {**FILE, "path": "cafe\u0301"}], size_bytes=6), "same file"),
        (changed(files=[FILE, {**FILE, "path": "sub-1/a.npy/b"}], size_bytes=6), "lies inside it"),
        (changed(expect={"sfreq": 0}), r"expect\.sfreq"),
        (changed(expect={"sfreq": float("nan")}), r"expect\.sfreq"),
        (changed(expect={"shape": {"eeg": [0]}}), r"expect\.shape"),
        (changed(expect={"n_events": {"face": -1}}), r"expect\.n_events"),
        (changed(splits={"test": {"ids_file": "../ids.tsv", "sha256": "0" * 64}}), r"splits\.test\.ids_file"),
        (changed(known_issues=[{"files": "*", "text": "a"}]), r"known_issues\.0\.handling"),
        (changed(known_issues=[{"files": "*", "text": "a", "handling": "b", "waives": ["all"]}]), "waives"),
        ([], "expected a mapping, got list"),
        ("text", "expected a mapping, got str"),
        (None, "expected a mapping, got NoneType"),
        ({1: 2}, "Keys should be strings|Field required"),
    ],
)
def test_one_line_says_what_is_wrong(values: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        parse_manifest(dumped(values), "planted.yaml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("planted.yaml: ")


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: &x [1]\nb: *x",
        "!!python/object/apply:os.system ['true']",
        "a: 2001-99-99",
        "{" * 2000,
        "[" * 5000,
        "a: \x00",
        "? [1]\n: 2",
        "0x" + "f" * 6000,
        "title: 0x" + "f" * 6000,
        "title: " + "9" * 6000,
        "a: !!binary =",
        "a: !!int x",
    ],
)
def test_what_is_no_yaml(text: str) -> None:
    with pytest.raises(FormatError):
        parse_manifest(text)


def test_a_bomb_of_aliases_is_not_unfolded() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    with pytest.raises(FormatError, match="alias"):
        parse_manifest("\n".join(rows))


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["latest", "../a", "0" * 64])
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3))
FIELDS = st.sampled_from([*Manifest.model_fields, "other"])
ALMOST = st.builds(lambda base, changes: {**base, **changes}, st.just(GOOD), st.dictionaries(FIELDS, VALUES, max_size=3))
IN_FILE = st.builds(lambda name, value: file(**{name: value}), st.sampled_from([*FILE, "role", "subject", "x"]), VALUES)
TEXTS = st.text(max_size=60) | st.text(alphabet="abc:{}[]-&*!|>%@`'\"\n \t#,?", max_size=60)


def only_documented_errors(text: str) -> None:
    assert "\n" not in complaint(lambda: parse_manifest(text))


def complaint(call: Callable[[], object]) -> str:
    """What a documented error says; any other error passes on and fails the test."""
    try:
        call()
    except FormatError as error:
        return str(error)
    return ""


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=ALMOST | IN_FILE | VALUES)
def test_any_value(values: Any) -> None:
    only_documented_errors(dumped(values))


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_any_text(text: str) -> None:
    only_documented_errors(text)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=ALMOST | IN_FILE | VALUES, text=TEXTS)
def test_two_thousand(values: Any, text: str) -> None:
    only_documented_errors(dumped(values))
    only_documented_errors(text)


@settings(max_examples=200, deadline=None)
@given(
    content=st.binary(max_size=80)
    | st.builds(lambda t: b"path\tbytes\tsha256\n" + t.encode(), st.text("a/.\t01f\n", max_size=90))
)
def test_any_lock(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("lock") / "a.lock.tsv"
    path.write_bytes(content)
    said = complaint(lambda: read_lock(path))
    assert not said or "a.lock.tsv" in said


def test_locks_come_back(tmp_path: Path) -> None:
    entries = {"sub-1/b": Locked(3, "1" * 64), "README": Locked(0, "2" * 64)}
    write_lock(tmp_path / "a.lock.tsv", entries)
    assert read_lock(tmp_path / "a.lock.tsv") == entries
    assert list(read_lock(tmp_path / "a.lock.tsv")) == ["README", "sub-1/b"]
    assert read_lock(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("../a\t1\t" + "0" * 64, "line 2: the path"),
        ("a\t-1\t" + "0" * 64, "line 2: expected"),
        ("a\t1\tabc", "line 2: expected"),
        ("a\t1", "line 2: expected"),
        ("a\t1\t" + "0" * 64 + "\na\t1\t" + "0" * 64, "line 3: 'a' is there twice"),
    ],
)
def test_wrong_locks(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.lock.tsv"
    path.write_text(f"path\tbytes\tsha256\n{line}\n")
    with pytest.raises(CorruptFileError, match=message):
        read_lock(path)


# --- what comes with the package ---------------------------------------------------------------------------------------


def test_names() -> None:
    names = "auditory_oddball benucci2013 brennan2019 broderick2018 celegans_neural haxby2001 libribrain meg_masc mous "
    names += "things_eeg2 things_meg yemini2021"
    assert datasets.list() == tuple(names.split())
    with pytest.raises(DataError, match="did you mean 'haxby2001'"):
        datasets.info("haxby2002")
    with pytest.raises(DataError, match="no data set '../haxby2001'"):
        datasets.load("../haxby2001", ".", "1")


def test_the_json_schema_is_that_of_the_model() -> None:
    written = json.loads((ROOT / "data_manifests" / "manifest.schema.json").read_text(encoding="utf-8"))
    assert written == Manifest.model_json_schema(), "write Manifest.model_json_schema() to data_manifests/manifest.schema.json"


@pytest.mark.parametrize("name", datasets.list())
def test_facts(name: str) -> None:
    manifest = datasets.info(name)
    assert manifest.id == name
    assert manifest.doi is not None
    if manifest.source is None:
        assert manifest.manual is not None
    else:
        assert manifest.doi.endswith(f"{manifest.source.dataset}.v{manifest.source.tag}")


# --- Croissant ---------------------------------------------------------------------------------------------------------


def check_croissant(described: dict[str, Any]) -> None:
    """What Croissant 1.0 demands of a data set, and of each of its files."""
    assert described["@type"] == "sc:Dataset"
    assert described["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert {"@context", "name", "description", "license", "url", "version", "citeAs"} <= described.keys()
    assert described["distribution"]
    known = {entry["@id"] for entry in described["distribution"]}
    assert len(known) == len(described["distribution"])
    for entry in described["distribution"]:
        assert {"@id", "name", "encodingFormat"} <= entry.keys()
        assert entry.get("containedIn", {"@id": next(iter(known))})["@id"] in known
        if entry["@type"] == "cr:FileObject":
            assert {"contentUrl", "sha256"} <= entry.keys()
        else:
            assert entry["@type"] == "cr:FileSet"
            assert {"includes", "containedIn"} <= entry.keys()
    json.dumps(described)


@pytest.mark.parametrize("name", datasets.list())
def test_croissant_of_a_source(name: str) -> None:
    described = datasets.to_croissant(datasets.info(name), {"sub-1/a.nii.gz": Locked(5, "a" * 64)})
    check_croissant(described)
    assert described["distribution"][-1]["contentSize"] == "5 B"
    assert described["distribution"][-1]["encodingFormat"] == "application/gzip"


def test_croissant_of_files() -> None:
    described = datasets.to_croissant(Manifest.model_validate(GOOD))
    check_croissant(described)
    assert described["distribution"][0]["contentUrl"] == FILE["url"][0]
    assert described["distribution"][0]["sha256"] == FILE["sha256"]
