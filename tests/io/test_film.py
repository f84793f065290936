"""Films: frames and rate as they were written, damage and endless ones refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from neurodecode.errors import CorruptFileError, FormatError, MissingDependencyError
from neurodecode.io import film
from neurodecode.io.film import film_rate, read_film

LEVELS = np.arange(20, 200, 6)


def frames() -> np.ndarray:
    """Thirty frames that get brighter, the left half redder."""
    made = np.broadcast_to(LEVELS[:, None, None, None], (30, 32, 48, 3)).astype(np.uint8).copy()
    made[:, :, :24, 0] += 50
    return made


def write_avi(path: Path, codec: str = "MJPG") -> Path:
    """A film of 12 frames per second."""
    cv2: Any = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 12.0, (48, 32))
    assert writer.isOpened()
    for frame in frames():
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def write_gif(path: Path, duration: int | list[int] = 50) -> Path:
    """The same as an animated GIF."""
    first, *rest = [Image.fromarray(frame) for frame in frames()]
    first.save(path, save_all=True, append_images=rest, duration=duration, loop=0)
    return path


@pytest.mark.parametrize(("name", "codec"), [("x.avi", "MJPG"), ("x.mp4", "mp4v")])
def test_frames_and_rate(name: str, codec: str, tmp_path: Path) -> None:
    path = write_avi(tmp_path / name, codec)
    read = read_film(path)
    assert read.dtype == np.uint8
    assert read.shape == (30, 32, 48, 3)
    np.testing.assert_allclose(read[:, 8:24, 28:44], frames()[:, 8:24, 28:44], atol=12)
    assert (read[:, 16, 8, 0] > read[:, 16, 8, 2] + 20).all(), "colours are red, green, blue"
    assert film_rate(path) == pytest.approx(12)


def test_gif(tmp_path: Path) -> None:
    path = write_gif(tmp_path / "x.gif")
    np.testing.assert_allclose(read_film(path), frames(), atol=8)
    assert film_rate(path) == 20


def test_frames_are_averaged_to_a_size(tmp_path: Path) -> None:
    read = read_film(write_gif(tmp_path / "x.gif"), size=(16, 12))
    assert read.shape == (30, 16, 12, 3)
    np.testing.assert_allclose(read[:, 0, 0], frames()[:, 0, 0], atol=8)


def test_a_gif_of_uneven_frames_has_no_rate(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"last \[50, 100\] ms"):
        film_rate(write_gif(tmp_path / "x.gif", [50] * 15 + [100] * 15))


@pytest.mark.parametrize("part", [0.05, 0.2, 0.5, 0.8])
@pytest.mark.parametrize("name", ["x.avi", "x.mp4", "x.gif"])
def test_a_film_that_was_cut_is_noticed(name: str, part: float, tmp_path: Path) -> None:
    path = tmp_path / name
    write_gif(path) if name == "x.gif" else write_avi(path, "mp4v" if name == "x.mp4" else "MJPG")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(CorruptFileError, match=r"x\."):
        read_film(path)


@pytest.mark.parametrize("name", ["x.avi", "x.mp4", "x.gif"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"no film at all" * 20])
def test_other_files_are_no_films(name: str, content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    (tmp_path / name).write_bytes(content)
    for read in (read_film, film_rate):
        with pytest.raises(CorruptFileError, match=r"x\."):
            read(tmp_path / name)  # type: ignore[operator]


def test_a_film_that_does_not_fit_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film, "_LARGEST", 10 * 32 * 48 * 3)
    with pytest.raises(FormatError, match="its first 11 frames.*smaller size"):
        read_film(write_gif(tmp_path / "x.gif"))


def test_without_a_decoder_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.mp4").write_bytes(b"0000")
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingDependencyError, match=r"neurodecode\[compare\]"):
        read_film(tmp_path / "x.mp4")
