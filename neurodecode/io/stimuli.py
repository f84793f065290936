"""Stimuli of a BIDS data set: the images, sounds, films and texts below ``stimuli/`` that its events name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses, Stimuli
from neurodecode.data.stimuli import KINDS, Kind
from neurodecode.data.validate import check_columns, check_option, require
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io.film import film_rate, read_film
from neurodecode.io.guard import AGAIN, existing_file, reading
from neurodecode.io.sound import read_sound

if TYPE_CHECKING:
    from PIL.Image import Image

Shown = pd.DataFrame | Recording | Responses
_SUFFIXES: dict[tuple[Kind, ...], tuple[str, ...]] = {
    ("audio",): (".wav", ".flac", ".mp3", ".ogg", ".m4a"),
    ("video",): (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".wmv"),
    ("text",): (".txt",),
    ("image", "video"): (".gif",),
}
_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_LONGEST = 16 * 2**20  # bytes of a text
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def read_stimuli(
    root: str | Path,
    events: Shown | Sequence[Shown],
    *,
    ids: str = "stimulus",
    files: str = "stim_file",
    kind: Kind | None = None,
    size: tuple[int, int] | None = None,
) -> Stimuli:
    """Find the images, sounds, films or texts that events name, and read each when it is used.

    Parameters
    ----------
    root : str or Path
        Root of the BIDS data set, with its folder ``stimuli/``.
    events : DataFrame, Recording or Responses, or a sequence of them
        Events of one run or of many, or samples of responses; rows without a file (a fixation cross) are left out.
    ids : str
        Column with the name of the stimulus; where there is no such column, the file is its name.
    files : str
        Column with the path of the file below ``stimuli/``.
    kind : {"image", "audio", "video", "text"}, optional
        Leave the files of other kinds out; by default all must be of one kind. A GIF is an image unless you say video.
    size : tuple of int, optional
        Height and width to which the frames of films are averaged.

    Returns
    -------
    Stimuli
        Images are uint8 (H, W, 3), grey ones with three equal colours; sounds are read from WAV, films from what OpenCV reads and
        GIF, texts from UTF-8. The table has ``id``, ``file`` and every column of `events` that has one value per stimulus; that
        of films also ``sfreq``, frames per second. PNG files carry checksums, so that damage is always noticed; in other
        formats a flipped bit may show as another colour or click.

    Raises
    ------
    DataError
        If the column is missing, names no file (of this kind), files are of several kinds, or one stimulus has two files.
    FormatError
        If a path leads out of ``stimuli/`` or a file is not there; on access, if it is not of its kind, or an image is not of 8
        bits or partly transparent.
    CorruptFileError
        On access, if a file is damaged.
    """
    table = _events(events)
    check_columns(table, [files], "events")
    shown = table[table[files].notna()]
    found = _kind(shown[files].astype(str), kind, len(table), files)
    shown = shown[[found in _kinds(name) for name in shown[files].astype(str)]]
    paths = {name: stimulus_path(root, name) for name in shown[files].astype(str).unique()}
    rows = _one_row_each(shown, ids if ids in shown else files, files)
    chosen = [paths[name] for name in rows["file"]]
    if found == "video":
        rows["sfreq"] = [film_rate(path) for path in chosen]
    return Stimuli(rows["id"].tolist(), LazyFiles(chosen, _reader(found, size)), found, rows)


def image_files(folder: str | Path) -> list[Path]:
    """Images in a folder, in the order of their names.

    Parameters
    ----------
    folder : str or Path
        A folder; folders inside it are not looked into.

    Returns
    -------
    list of Path
        PNG, JPEG, BMP, TIFF and WebP files.

    Raises
    ------
    FormatError
        If there is none.
    """
    found = [path for path in sorted(Path(folder).glob("*")) if path.suffix.lower() in _IMAGES]
    if not found:
        raise FormatError(folder, f"it holds no image ({', '.join(_IMAGES)})", "Give the folder in which the images lie")
    return found


def read_image_folder(folder: str | Path) -> Stimuli:
    """Take the images of a folder, e.g. those that a generator learns, and read each when it is used.

    Parameters
    ----------
    folder : str or Path
        A folder with image files.

    Returns
    -------
    Stimuli
        Images, uint8 (H, W, 3), by the names of their files.

    Raises
    ------
    FormatError
        If there is none; on access, if one is not of 8 bits or partly transparent.
    CorruptFileError
        On access, if a file is damaged.
    """
    paths = image_files(folder)
    return Stimuli([path.name for path in paths], LazyFiles(paths, _reader("image", None)), "image")


def _events(events: Any) -> pd.DataFrame:
    """One table of one run or of many."""
    if isinstance(events, (pd.DataFrame, Recording, Responses)):
        events = [events]
    tables: list[Any] = [e.events if isinstance(e, Recording) else e.samples if isinstance(e, Responses) else e for e in events]
    if not tables or not all(isinstance(table, pd.DataFrame) for table in tables):
        raise DataError(f"events must be tables, Recordings or Responses, got {[type(e).__name__ for e in events][:5]}")
    joined: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return joined


def _kinds(name: str) -> tuple[Kind, ...]:
    """What a file may hold, by the end of its name; the first is what it is taken for."""
    suffix = PurePosixPath(name).suffix.lower()
    return next((kinds for kinds, suffixes in _SUFFIXES.items() if suffix in suffixes), ("image",))


def _kind(names: pd.Series, wanted: Kind | None, n_events: int, files: str) -> Kind:
    """The one kind of all files, or the one that was asked for."""
    if not len(names):
        raise DataError(f"column {files!r} names no file in any of {n_events} events")
    each = {name: _kinds(name) for name in names.unique()}
    if wanted is not None:
        check_option("kind", wanted, KINDS)
        if not any(wanted in kinds for kinds in each.values()):
            raise DataError(f"column {files!r} names no file of kind {wanted!r}, its files are such as {next(iter(each))!r}")
        return wanted
    first = {kinds[0]: name for name, kinds in each.items()}
    if len(first) > 1:
        raise DataError(f"files are of kinds {sorted(first)}, e.g. {list(first.values())}: choose one by kind=...")
    return next(iter(first))


def _reader(kind: Kind, size: tuple[int, int] | None) -> Callable[[Path], Any]:
    """How a file of a kind is read."""
    if kind == "image":
        require("PIL", "reading images", "demo")
        return read_image
    if kind == "video":
        return partial(read_film, size=size)
    return read_sound if kind == "audio" else read_text


def read_text(path: str | Path) -> str:
    """Read one text.

    Parameters
    ----------
    path : str or Path
        A text file in UTF-8, of at most 16 MiB.

    Returns
    -------
    str
        Its content, with line ends as ``\\n``.

    Raises
    ------
    FormatError
        If there is no such file, or it is larger.
    CorruptFileError
        If it is not UTF-8.
    """
    file = existing_file(path)
    if file.stat().st_size > _LONGEST:
        raise FormatError(file, f"it has {file.stat().st_size / 2**20:.0f} MiB, a text has at most 16", "Cut it into parts")
    with reading(file, "it is no text in UTF-8", "Save it with the encoding UTF-8"):
        return file.read_text(encoding="utf-8-sig")


def stimulus_path(root: str | Path, name: str) -> Path:
    """Path of a stimulus file that events name.

    Parameters
    ----------
    root : str or Path
        Root of the BIDS data set.
    name : str
        Path below ``stimuli/``, with forward slashes.

    Returns
    -------
    Path
        An existing file.

    Raises
    ------
    FormatError
        If the path leads out of ``stimuli/``, be it by a link out of the data set, or there is no such file.
    """
    folder, path = Path(root) / "stimuli", PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(name).anchor or "\\" in name:
        raise FormatError(folder, f"a stimulus file must lie below this folder, got {name!r}", "Correct it in the events")
    file = existing_file(folder / path)
    homes = (Path(root).resolve(), folder.resolve())  # git-annex keeps contents behind links, elsewhere in the data set
    if not any(file.resolve().is_relative_to(home) for home in homes):
        raise FormatError(file, f"it is a link out of the data set, to {file.resolve()}", "Put the file itself there")
    return file


def _one_row_each(shown: pd.DataFrame, ids: str, files: str) -> pd.DataFrame:
    """One row per stimulus, with the columns that have one value for each."""
    grouped = shown.groupby(shown[ids].astype(str).to_numpy(), sort=False)
    n_files = grouped[files].nunique()
    if (n_files > 1).any():
        raise DataError(f"stimulus {n_files.idxmax()!r} has {n_files.max()} files in {files!r}: one name is one picture")
    n_values = grouped.nunique(dropna=False)
    same = [c for c in shown if c not in (ids, files, "id", "file") and n_values[c].max() == 1]
    table = grouped[[files, *same]].first().rename(columns={files: "file"})
    return table.rename_axis("id").reset_index()


class LazyFiles(Sequence[Any]):
    """Contents of files, each read when it is indexed.

    Parameters
    ----------
    paths : sequence of Path
        The files.
    read : callable
        Reads one of them.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[Path], Any]) -> None:
        self._paths, self._read = list(paths), read

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        return self._read(self._paths[index])


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read one image.

    Parameters
    ----------
    path : str or Path
        A PNG, JPEG, BMP, GIF (its first picture), TIFF or WebP file.

    Returns
    -------
    array of shape (height, width, 3)
        Colours in uint8.

    Raises
    ------
    FormatError
        If there is no such file, it has more than 8 bits per colour, or is partly transparent.
    CorruptFileError
        If it is damaged.
    """
    from PIL import Image

    file = existing_file(path)
    try:
        with reading(file, "it is not a readable image"):
            with Image.open(file, formats=_FORMATS) as opened:
                opened.verify()  # compares the checksums of PNG, and leaves the image unusable
            with Image.open(file, formats=_FORMATS) as opened:
                opened.load()
                return _colours(opened, file)
    except (SyntaxError, Image.DecompressionBombError) as error:  # the first is what Pillow raises on broken chunks
        raise CorruptFileError(file, f"it is not a readable image ({error})", AGAIN) from error


def _colours(image: Image, file: Path) -> NDArray[np.uint8]:
    """Pixels as red, green and blue."""
    if image.mode not in _EIGHT_BITS:
        raise FormatError(file, f"its pixels are of mode {image.mode!r}, expected 8 bits per colour", "Convert it to 8 bits")
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        raise FormatError(file, f"it is partly transparent (mode {image.mode!r})", "Put it on the background it was shown on")
    return np.asarray(image.convert("RGB"), np.uint8).copy()
