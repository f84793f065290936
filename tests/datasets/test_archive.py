"""Archives: good ones come out whole, hostile ones leave nothing anywhere."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from datasets.hostile_archives import GOOD, HOSTILE, _tar, _zip, packed, plain

from neurodecode.datasets import extract
from neurodecode.errors import CorruptFileError, DataError, DiskSpaceError, FormatError, OutputExistsError


def everything(folder: Path) -> dict[str, bytes | None]:
    """All that lies below a folder."""
    return {str(p.relative_to(folder)): None if p.is_dir() else p.read_bytes() for p in sorted(folder.rglob("*"))}


def test_there_are_forty() -> None:
    assert len(HOSTILE) >= 40


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str, tmp_path: Path) -> None:
    """One clear error that names the archive; not a byte inside or outside the target."""
    archive = tmp_path / "archive.bin"
    HOSTILE[name](archive)
    (tmp_path / "outside.txt").write_text("mine")
    before = everything(tmp_path)
    outside = Path("/tmp/neurodecode_evil")
    with pytest.raises(FormatError, match=r"archive\.bin: ") as caught:
        extract(archive, tmp_path / "target")
    assert "\n" not in str(caught.value)
    assert everything(tmp_path) == before
    assert not outside.exists()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_good_tars(mode: str, tmp_path: Path) -> None:
    archive = tmp_path / "a"
    content = os.urandom(3000)
    _tar(
        ("./", b"", {"type": tarfile.DIRTYPE}), ("empty/", b"", {"type": tarfile.DIRTYPE}), plain("./b.bin", content), mode=mode
    )(archive)
    files = extract(archive, tmp_path / "target")
    assert [str(path.relative_to(tmp_path / "target")) for path in files] == ["b.bin", GOOD[0]]
    assert (tmp_path / "target" / "b.bin").read_bytes() == content
    assert (tmp_path / "target" / GOOD[0]).read_bytes() == GOOD[1]
    assert (tmp_path / "target" / "empty").is_dir()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_good_zips(compression: int, tmp_path: Path) -> None:
    archive, content = tmp_path / "a.zip", os.urandom(3000)
    _zip(packed("sub/"), packed("sub/b.bin", content=content), compression=compression)(archive)
    (tmp_path / "target").mkdir()
    files = extract(archive, tmp_path / "target")
    assert [path.name for path in files] == ["good.txt", "b.bin"]
    assert files[1].read_bytes() == content


def test_rights_are_those_of_the_user(tmp_path: Path) -> None:
    _tar(("run", b"#!", {"mode": 0o6777, "uid": 0}))(tmp_path / "a.tar")
    extract(tmp_path / "a.tar", tmp_path / "target")
    mode = stat.S_IMODE((tmp_path / "target" / "run").stat().st_mode)
    assert not mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IXUSR | stat.S_IWOTH)


def test_nothing_of_others_is_replaced(tmp_path: Path) -> None:
    _tar()(tmp_path / "a.tar")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine").write_text("mine")
    with pytest.raises(OutputExistsError, match="not an empty folder"):
        extract(tmp_path / "a.tar", tmp_path / "target")
    assert everything(tmp_path / "target") == {"mine": b"mine"}


@pytest.mark.parametrize("make", [_tar, _zip])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_files": 2}, "more than 2 members"),
        ({"max_bytes": 1000}, r"unfolds to 100\d bytes or more, at most 1000"),
    ],
)
def test_limits(make: object, options: dict, message: str, tmp_path: Path) -> None:
    member = plain if make is _tar else packed
    make(member("a", **({"content": b"x" * 500})), member("b", **({"content": b"x" * 6})))(tmp_path / "a")  # type: ignore[operator]
    with pytest.raises(FormatError, match=message):
        extract(tmp_path / "a", tmp_path / "target", **options)
    assert len(extract(tmp_path / "a", tmp_path / "target", max_files=3, max_bytes=1006)) == 3


@pytest.mark.parametrize("option", ["max_files", "max_bytes"])
def test_limits_are_numbers(option: str, tmp_path: Path) -> None:
    _tar()(tmp_path / "a")
    with pytest.raises(DataError, match=option):
        extract(tmp_path / "a", tmp_path / "target", **{option: -1})


@pytest.mark.parametrize("content", [b"", b"not an archive at all" * 100, b"\x1f\x8bxx", b"BZhxx", b"\xfd7zXZxx"])
def test_other_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(CorruptFileError, match="no whole tar or zip"):
        extract(tmp_path / "a", tmp_path / "target")
    with pytest.raises(FormatError, match="no such file"):
        extract(tmp_path / "b", tmp_path / "target")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "zip"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_truncated(mode: str, part: float, tmp_path: Path) -> None:
    archive, content = tmp_path / "a", os.urandom(40_000)
    (_zip(packed("b", content=content)) if mode == "zip" else _tar(plain("b", content), mode=mode))(archive)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * part * 0.8)])
    with pytest.raises(FormatError):
        extract(archive, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_damaged_zip(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    _zip(packed("b", content=b"y" * 1000))(archive)
    archive.write_bytes(archive.read_bytes().replace(b"y" * 500, b"z" * 500))
    with pytest.raises(CorruptFileError, match="CRC"):
        extract(archive, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    _tar()(tmp_path / "a.tar")
    monkeypatch.setattr("neurodecode.datasets.archive._write", full)
    with pytest.raises(DiskSpaceError, match="target.*bytes are free"):
        extract(tmp_path / "a.tar", tmp_path / "target")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar"]
