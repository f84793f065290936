"""Stimuli of a BIDS data set: the images below ``stimuli/`` that its events name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Stimuli
from neurodecode.data.validate import check_columns, require
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io.guard import AGAIN, existing_file, reading

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def read_stimuli(root: str | Path, events: pd.DataFrame, *, ids: str = "stimulus", files: str = "stim_file") -> Stimuli:
    """Find the images that events name, and read each when it is used.

    Parameters
    ----------
    root : str or Path
        Root of the BIDS data set, with its folder ``stimuli/``.
    events : DataFrame
        Events, or samples of responses; rows without a file (a fixation cross) are left out.
    ids : str
        Column with the name of the stimulus; where there is no such column, the file is its name.
    files : str
        Column with the path of the file below ``stimuli/``.

    Returns
    -------
    Stimuli
        Of kind image, uint8 (H, W, 3); grey images have three equal colours. Its table has ``id``, ``file`` and every column
        of `events` that has one value per stimulus. PNG files carry checksums, so that damage is always noticed; in other
        formats a flipped bit may show as another colour.

    Raises
    ------
    DataError
        If the column is missing, names no file, or one stimulus has two files.
    FormatError
        If a path leads out of ``stimuli/`` or a file is not there; on access, if it is no 8-bit image or partly transparent.
    CorruptFileError
        On access, if a file is damaged.
    """
    require("PIL", "reading images", "demo")
    check_columns(events, [files], "events")
    shown = events[events[files].notna()]
    if not len(shown):
        raise DataError(f"column {files!r} names no file in any of {len(events)} events")
    paths = {name: stimulus_path(root, name) for name in shown[files].astype(str).unique()}
    table = _one_row_each(shown, ids if ids in shown else files, files)
    return Stimuli(table["id"].tolist(), _Images([paths[name] for name in table["file"]]), "image", table)


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
        If the path leads out of ``stimuli/``, or there is no such file.
    """
    folder, path = Path(root) / "stimuli", PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(name).anchor or "\\" in name:
        raise FormatError(folder, f"a stimulus file must lie below this folder, got {name!r}", "Correct it in the events")
    return existing_file(folder / path)


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


class _Images(Sequence[Any]):
    """Images in files, each read when it is indexed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        return read_image(self._paths[index])


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
