"""Films: their rate from the header, their frames when they are used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import require
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.guard import AGAIN, existing_file, reading

_LARGEST = 8 * 2**30  # bytes of frames in memory
_FORMAT = "Convert it, for instance with `ffmpeg -i FILE FILE.mp4`"
_MISSING = 2  # frames by which the count in a header may be off; containers without one estimate it from the duration


def film_rate(path: str | Path) -> float:
    """Frames per second that a film states.

    Parameters
    ----------
    path : str or Path
        A video file, or an animated GIF.

    Returns
    -------
    float
        Rate in Hz.

    Raises
    ------
    FormatError
        If there is no such file, it is no film, or its frames last differently long.
    CorruptFileError
        If it is damaged.
    """
    file = existing_file(path)
    if file.suffix.lower() == ".gif":
        return _gif_rate(file)
    capture = _open(file)
    rate = float(capture.get(require("cv2", "reading films", "compare").CAP_PROP_FPS))
    capture.release()
    if not 0 < rate < 1000:
        raise CorruptFileError(file, f"its rate is {rate:g} frames per second", AGAIN)
    return rate


def read_film(path: str | Path, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read all frames of a film.

    Parameters
    ----------
    path : str or Path
        A file that OpenCV reads (MP4, AVI, MOV, MKV, WebM), or an animated GIF. Its sound is not read.
    size : tuple of int, optional
        Height and width to which frames are averaged, to save memory.

    Returns
    -------
    array of shape (n_frames, height, width, 3)
        Colours in uint8.

    Raises
    ------
    FormatError
        If there is no such file, it is no film, or its frames take more than 8 GB.
    CorruptFileError
        If it is damaged, or ends before the number of frames that it states.
    MissingDependencyError
        If OpenCV is not installed.
    """
    file = existing_file(path)
    frames = _gif_frames(file) if file.suffix.lower() == ".gif" else _frames(file)
    kept: list[NDArray[np.uint8]] = []
    for frame in frames:
        kept.append(frame if size is None else _resized(frame, size))
        if len(kept) * kept[-1].nbytes > _LARGEST:
            what = f"its first {len(kept)} frames of {kept[-1].shape[:2]} take {_LARGEST / 2**30:.0f} GiB"
            raise FormatError(file, what, "Give a smaller size, such as size=(96, 128), or cut it")
    return np.stack(kept)


def _open(file: Path) -> Any:
    cv2 = require("cv2", "reading films", "compare")
    with reading(file, "it is not a readable film"):
        capture = cv2.VideoCapture(str(file))
    if not capture.isOpened():
        raise CorruptFileError(file, "it is not a film that can be opened", f"{AGAIN}. {_FORMAT}")
    return capture


def _frames(file: Path) -> Iterator[NDArray[np.uint8]]:
    """Frames one by one; an end before the count of the header is damage."""
    cv2 = require("cv2", "reading films", "compare")
    capture = _open(file)
    stated, n = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0
    try:
        while True:
            with reading(file, "it is not a readable film"):
                there, frame = capture.read()
            if not there:
                break
            n += 1
            yield np.ascontiguousarray(frame[..., ::-1])  # from blue, green, red
    finally:
        capture.release()
    if n == 0 or n < stated - _MISSING:
        raise CorruptFileError(file, f"it ends after {n} of the {stated} frames that it states", AGAIN)


def _resized(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.fromarray(frame).resize((size[1], size[0]), Image.Resampling.BOX))


def _gif_frames(file: Path) -> Iterator[NDArray[np.uint8]]:
    from PIL import Image

    try:
        with reading(file, "it is not a readable film"), Image.open(file, formats=("GIF",)) as image:
            for n in range(getattr(image, "n_frames", 1)):
                image.seek(n)
                yield np.asarray(image.convert("RGB"), np.uint8).copy()
    except (SyntaxError, Image.DecompressionBombError) as error:
        raise CorruptFileError(file, f"it is not a readable film ({error})", AGAIN) from error


def _gif_rate(file: Path) -> float:
    from PIL import Image

    with reading(file, "it is not a readable film"), Image.open(file, formats=("GIF",)) as image:
        lasting = set()
        for n in range(getattr(image, "n_frames", 1)):
            image.seek(n)
            lasting.add(image.info.get("duration", 0))
    if len(lasting) > 1 or not min(lasting):
        raise FormatError(file, f"its frames last {sorted(lasting)} ms, expected one time above 0 for all", _FORMAT)
    return float(1000 / min(lasting))
