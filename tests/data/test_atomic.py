"""An output appears whole or not at all."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from neurodecode.data.atomic import atomic_folder, atomic_write, write_text
from neurodecode.errors import (
    ConfigError,
    CorruptFileError,
    DataError,
    DiskSpaceError,
    FormatError,
    MissingDependencyError,
    NeurodecodeError,
    OutputExistsError,
    SplitLeakError,
)


def fill(folder: Path, text: str = "new") -> None:
    (folder / "data.txt").write_text(text)
    (folder / "meta.json").write_text("{}")


def failing(code: int) -> Callable[..., None]:
    def fail(*args: object, **options: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


class TestFile:
    def test_appears_when_the_block_ends(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "down" / "bold.nii.gz"
        with atomic_write(path) as partial:
            assert partial.name.endswith(".nii.gz")
            assert partial.parent == path.parent
            partial.write_text("x")
            assert not path.exists()
        assert path.read_text() == "x"
        assert [p.name for p in path.parent.iterdir()] == ["bold.nii.gz"]

    def test_replaces_an_older_one_only_in_the_end(self, tmp_path: Path) -> None:
        write_text(tmp_path / "a.txt", "old")
        with atomic_write(tmp_path / "a.txt") as partial:
            partial.write_text("new")
            assert (tmp_path / "a.txt").read_text() == "old"
        assert (tmp_path / "a.txt").read_text() == "new"

    @pytest.mark.parametrize("stop", [ValueError("wrong"), KeyboardInterrupt(), SystemExit(1)])
    def test_a_broken_off_write_leaves_the_older_file(self, tmp_path: Path, stop: BaseException) -> None:
        write_text(tmp_path / "a.txt", "old")
        with pytest.raises(type(stop)), atomic_write(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            raise stop
        assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
        assert (tmp_path / "a.txt").read_text() == "old"

    def test_text_has_plain_line_ends_and_utf8(self, tmp_path: Path) -> None:
        write_text(tmp_path / "a.txt", "µV\n²\n")
        assert (tmp_path / "a.txt").read_bytes() == "µV\n²\n".encode()

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            (errno.ENOSPC, r"no room to write \(\d+ bytes free\). Free some space"),
            (errno.EDQUOT, "no room to write"),
            (errno.EROFS, "cannot be written .*Choose a folder you may write to"),
            (errno.EACCES, "cannot be written"),
        ],
    )
    @pytest.mark.parametrize("at", ["fsync", "replace"])
    def test_a_full_or_forbidden_disk_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, message: str, at: str
    ) -> None:
        write_text(tmp_path / "a.txt", "old")
        monkeypatch.setattr(os, at, failing(code))
        with pytest.raises(DiskSpaceError, match=f"a.txt: {message}") as caught:
            write_text(tmp_path / "a.txt", "new")
        assert isinstance(caught.value.__cause__, OSError)
        assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
        assert (tmp_path / "a.txt").read_text() == "old"

    def test_other_errors_of_the_system_pass_as_they_are(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "replace", failing(errno.EIO))
        with pytest.raises(OSError, match="Input/output") as caught:
            write_text(tmp_path / "a.txt", "new")
        assert not isinstance(caught.value, NeurodecodeError)

    def test_a_full_disk_is_told_once_through_nested_writes(self, tmp_path: Path) -> None:
        with pytest.raises(DiskSpaceError) as caught, atomic_folder(tmp_path / "f"), atomic_write(tmp_path / "a.txt"):
            raise OSError(errno.ENOSPC, "full")
        assert caught.value.__cause__ is not caught.value
        assert list(tmp_path.iterdir()) == []


class TestFolder:
    def test_appears_when_the_block_ends(self, tmp_path: Path) -> None:
        with atomic_folder(tmp_path / "deep" / "out") as partial:
            fill(partial)
            assert not (tmp_path / "deep" / "out").exists()
        assert sorted(p.name for p in (tmp_path / "deep" / "out").iterdir()) == ["data.txt", "meta.json"]
        assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]

    def test_replaces_one_of_ours_with_all_its_members(self, tmp_path: Path) -> None:
        with atomic_folder(tmp_path / "out") as partial:
            fill(partial)
            (partial / "only_in_the_old.txt").write_text("x")
        with atomic_folder(tmp_path / "out") as partial:
            fill(partial, "newer")
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["data.txt", "meta.json"]
        assert [p.name for p in tmp_path.iterdir()] == ["out"]

    def test_an_empty_folder_is_filled(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        with atomic_folder(tmp_path / "out") as partial:
            fill(partial)
        assert (tmp_path / "out" / "data.txt").read_text() == "new"

    @pytest.mark.parametrize("foreign", ["folder", "file"])
    def test_what_is_not_ours_is_never_replaced(self, tmp_path: Path, foreign: str) -> None:
        target = tmp_path / "thesis"
        if foreign == "folder":
            target.mkdir()
            (target / "chapter1.tex").write_text("precious")
        else:
            target.write_text("precious")
        with pytest.raises(OutputExistsError, match="was not written by neurodecode .no meta.json"), atomic_folder(target):
            pytest.fail("the block must not run")
        kept = target / "chapter1.tex" if foreign == "folder" else target
        assert kept.read_text() == "precious"
        assert [p.name for p in tmp_path.iterdir()] == ["thesis"]

    @pytest.mark.parametrize("stop", [ValueError("wrong"), KeyboardInterrupt()])
    def test_a_broken_off_write_leaves_the_older_folder(self, tmp_path: Path, stop: BaseException) -> None:
        with atomic_folder(tmp_path / "out") as partial:
            fill(partial, "old")
        with pytest.raises(type(stop)), atomic_folder(tmp_path / "out") as partial:
            fill(partial)
            raise stop
        assert [p.name for p in tmp_path.iterdir()] == ["out"]
        assert (tmp_path / "out" / "data.txt").read_text() == "old"

    def test_a_swap_that_fails_half_way_puts_the_older_folder_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with atomic_folder(tmp_path / "out") as partial:
            fill(partial, "old")
        real, calls = os.replace, []

        def second_fails(source: Path, target: Path) -> None:
            calls.append(source)
            if len(calls) == 2:
                raise OSError(errno.ENOSPC, "full")
            real(source, target)

        monkeypatch.setattr(os, "replace", second_fails)
        with pytest.raises(DiskSpaceError), atomic_folder(tmp_path / "out") as partial:
            fill(partial)
        assert [p.name for p in tmp_path.iterdir()] == ["out"]
        assert (tmp_path / "out" / "data.txt").read_text() == "old"

    def test_a_link_keeps_pointing_to_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "big_disk").mkdir()
        (tmp_path / "out").symlink_to(tmp_path / "big_disk")
        for text in ("first", "second"):
            with atomic_folder(tmp_path / "out") as partial:
                fill(partial, text)
        assert (tmp_path / "out").is_symlink()
        assert (tmp_path / "big_disk" / "data.txt").read_text() == "second"
        assert sorted(p.name for p in tmp_path.iterdir()) == ["big_disk", "out"]

    @pytest.mark.parametrize("at", ["os.fsync", "os.replace"])
    def test_a_killed_process_leaves_nothing_under_the_final_name(self, tmp_path: Path, at: str) -> None:
        code = f"""
import os, signal, sys
from neurodecode.data.atomic import atomic_folder
{at} = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
with atomic_folder(sys.argv[1]) as partial:
    (partial / "meta.json").write_text("{{}}")
"""
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=False)
        assert done.returncode == -signal.SIGKILL
        assert not (tmp_path / "out").exists()
        with atomic_folder(tmp_path / "out") as partial:  # what the killed process left does not stand in the way
            fill(partial)


class TestErrors:
    """Errors travel between processes and are caught as a family."""

    @pytest.mark.parametrize(
        "error",
        [
            NeurodecodeError("a"),
            DataError("a"),
            FormatError("a.edf", "what", "Remedy"),
            CorruptFileError("a.edf", "what", "Remedy"),
            SplitLeakError("a"),
            ConfigError("a"),
            DiskSpaceError("a"),
            OutputExistsError("a"),
            MissingDependencyError("mne", "reading", "meeg"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_survive_a_process_border(self, error: NeurodecodeError) -> None:
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)
        assert isinstance(again, NeurodecodeError)

    def test_a_file_error_has_path_what_and_remedy(self) -> None:
        error = CorruptFileError(Path("a.edf"), "it ends early", "Copy it again")
        assert str(error) == "a.edf: it ends early. Copy it again"
        assert (error.path, error.what, error.remedy) == ("a.edf", "it ends early", "Copy it again")
        assert isinstance(error, FormatError)

    @pytest.mark.parametrize(
        ("ours", "builtin"),
        [
            (DataError, ValueError),
            (ConfigError, ValueError),
            (DiskSpaceError, OSError),
            (OutputExistsError, FileExistsError),
            (MissingDependencyError, ImportError),
        ],
    )
    def test_are_also_what_python_calls_them(self, ours: type, builtin: type) -> None:
        assert issubclass(ours, builtin)
