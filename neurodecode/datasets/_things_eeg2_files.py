"""Files of THINGS-EEG2: where they lie, what is in their pickles, and the plain copies that are made of these once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from neurodecode.data import LazySignal, Recording, save
from neurodecode.datasets.folders import chosen, existing_root
from neurodecode.datasets.plain_copies import is_current, open_copy, origin, write_responses
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.guard import AGAIN
from neurodecode.io.outside import check_name
from neurodecode.io.plain_pickle import read_plain_pickle

Data = Literal["preprocessed", "raw"]
Part = Literal["training", "test"]
_PLACES: dict[str, tuple[str, ...]] = {
    "preprocessed": ("eeg_dataset/preprocessed_data", "preprocessed_data", "."),
    "raw": ("eeg_dataset/raw_data", "raw_data", "."),
}
_NAMES = {"preprocessed": "preprocessed_eeg_{part}.npy", "raw": "raw_eeg_{part}.npy"}
_IMAGE_PLACES = ("image_set", ".")
_KEYS = {
    "preprocessed": ("preprocessed_eeg_data", "ch_names", "times"),
    "raw": ("raw_eeg_data", "ch_names", "ch_types", "sfreq"),
}
_BLOCK = 64 * 2**20  # bytes that are converted at a time
SHOWN = 0.1  # s that an image stood


class ImageList(NamedTuple):
    """The images of one part, in the order of their numbers."""

    ids: list[str]
    """Names of the files without their ending."""
    concepts: list[str]
    """What they show, without the number in front."""
    paths: list[Path]
    """Where the files would be."""


def subject_folders(base: Path, data: Data) -> list[Path]:
    """Folders of all subjects, in the first of the layouts of the authors and others that there is."""
    layouts = (sorted(path for path in (base / place).glob("sub-*") if path.is_dir()) for place in _PLACES[data])
    return next((folders for folders in layouts if folders), [])


def subject_folder(root: str | Path, subject: str, data: Data) -> tuple[Path, str]:
    """Folder and label of a subject."""
    base = existing_root(root)
    folders = {folder.name.removeprefix("sub-"): folder for folder in subject_folders(base, data)}
    if folders:
        label = chosen(subject, list(folders), "subject of things_eeg2")
        return folders[label], label
    where = ", ".join(place for place in _PLACES[data] if place != ".")
    raise FormatError(base, f"it has no folders sub-XX of {data} data, neither in itself nor in {where}", "Give the right folder")


def sources(folder: Path, data: Data) -> list[Path]:
    """The pickles of a subject that are there."""
    pattern = _NAMES[data].format(part="*")
    return sorted(folder.glob(pattern if data == "preprocessed" else f"ses-*/{pattern}"))


def part_file(folder: Path, data: Data, part: Part, session: int | str) -> Path:
    """The pickle of a part, which need not be there once it was converted."""
    if data == "preprocessed":
        return folder / _NAMES[data].format(part=part)
    names = sorted(path.name.removeprefix("ses-") for path in folder.glob("ses-*") if path.is_dir())
    label = chosen(str(session), names, f"session in {folder.name} of things_eeg2")
    return folder / f"ses-{label}" / _NAMES[data].format(part=part)


# --- plain copies --------------------------------------------------------------------------------------------------


def open_plain(file: Path, verify: bool) -> Any:
    """The plain copy of a pickle, which `convert_file` made, or `FormatError` that says how to make it."""
    what = "neurodecode.datasets.things_eeg2.convert(root, subject)"
    return open_copy(file, verify, f"The files are pickles: run {what} once, which reads them without executing anything")


def convert_file(file: Path, folder: Path, subject: str, data: Data) -> None:
    """Write the plain copy of a pickle, unless there is one of a file of this size."""
    if is_current(file, folder):
        return
    values = read_plain_pickle(file)
    _check_keys(values, data, file)
    name = file.name if data == "preprocessed" else f"{file.parent.name}/{file.name}"
    meta = {"subject": subject, "modality": "eeg", **origin(file, name)}
    (_write_epochs if data == "preprocessed" else _write_raw)(values, file, folder, meta)


def _check_keys(values: Any, data: Data, file: Path) -> None:
    if not isinstance(values, dict):
        raise FormatError(file, f"it holds a {type(values).__name__}, expected a dictionary", "Take the file of the authors")
    lacking = [key for key in _KEYS[data] if key not in values]
    if lacking:
        raise FormatError(file, f"it has no {lacking[0]!r}, its keys are {sorted(map(str, values))}", "Take the authors' file")


def _array(values: dict[str, Any], key: str, ndim: int, file: Path) -> Any:
    """An array of numbers of the dictionary."""
    array = values[key]
    if not isinstance(array, np.ndarray) or array.ndim != ndim or array.dtype.kind != "f":
        got = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise FormatError(file, f"{key} is {got}, expected numbers with {ndim} dimensions", "Take the file of the authors")
    return array


def _texts(values: Any, n: int, what: str, file: Path) -> list[str]:
    """As many texts as expected."""
    texts = [str(value) for value in values]
    if len(texts) != n:
        raise CorruptFileError(file, f"it has {n} channels and {len(texts)} {what}", AGAIN)
    return texts


def _write_epochs(values: dict[str, Any], file: Path, folder: Path, meta: dict[str, Any]) -> None:
    """Responses (images x repeats, channels, times) in float32, block by block."""
    data = _array(values, "preprocessed_eeg_data", 4, file)
    n_images, n_repeats, n_channels, n_times = data.shape
    names = _texts(values["ch_names"], n_channels, "names", file)
    times = np.asarray(values["times"], np.float64)
    if times.shape != (n_times,):
        raise CorruptFileError(file, f"it has {n_times} samples and times of shape {times.shape}", AGAIN)
    shape = (n_images * n_repeats, n_channels, n_times)
    samples = pd.DataFrame({"image": np.repeat(np.arange(n_images), n_repeats), "repeat": np.tile(range(n_repeats), n_images)})
    units = pd.DataFrame({"name": names, "kind": "eeg", "unit": "a.u."})
    write_responses(folder, shape, _blocks(data), samples, units, times, meta)


def _blocks(data: Any) -> Iterator[Any]:
    """The numbers, some images at a time."""
    step = max(1, _BLOCK // max(1, data[0].nbytes if len(data) else 1))
    return (data[start : start + step] for start in range(0, len(data), step))


def _write_raw(values: dict[str, Any], file: Path, folder: Path, meta: dict[str, Any]) -> None:
    """A recording with the codes of its channel stim as events."""
    data = _array(values, "raw_eeg_data", 2, file)
    names = _texts(values["ch_names"], len(data), "names", file)
    kinds = _texts(values["ch_types"], len(data), "types", file)
    if "stim" not in names:
        raise FormatError(file, f"it has no channel 'stim', its channels are {names[:8]} ...", "Take the file of the authors")
    units = ["n/a" if kind == "stim" else "V" for kind in kinds]
    sfreq = float(values["sfreq"])
    known = {key: values[key] for key in ("highpass", "lowpass") if isinstance(values.get(key), (int, float))}
    recording = Recording(
        LazySignal(lambda start, stop: data[:, start:stop], data.shape),
        sfreq,
        pd.DataFrame({"name": names, "kind": kinds, "unit": units}),
        _codes(np.asarray(data[names.index("stim")]), sfreq),
        meta={**meta, "session": file.parent.name.removeprefix("ses-"), "filter": known},
    )
    save(recording, folder)


def _codes(stim: Any, sfreq: float) -> pd.DataFrame:
    """Where a code begins, and which."""
    begins = np.flatnonzero((stim != 0) & (stim != np.concatenate([[0], stim[:-1]])))
    return pd.DataFrame({"onset": begins / sfreq, "duration": SHOWN, "value": stim[begins].astype(np.int64)})


# --- images --------------------------------------------------------------------------------------------------------


def image_metadata(root: Path) -> list[Path]:
    """Where the list of the images lies; the first is read."""
    return [root / place / "image_metadata.npy" for place in _IMAGE_PLACES if (root / place / "image_metadata.npy").is_file()]


def image_list(root: Path, part: Part) -> ImageList:
    """The images of a part: row i of image_metadata.npy has the code i + 1.

    Raises
    ------
    FormatError
        If image_metadata.npy is missing, or is not what the authors published.
    """
    found = image_metadata(root)
    if not found:
        what = f"there is no image_metadata.npy, neither in it nor in {_IMAGE_PLACES[0]}/"
        raise FormatError(root, what, "Fetch it: without it nobody knows which image a code stands for")
    file, short = found[0], "train" if part == "training" else "test"
    files, concepts = (_names(read_plain_pickle(file), f"{short}_img_{what}", file) for what in ("files", "concepts"))
    if len(files) != len(concepts):
        raise CorruptFileError(file, f"it has {len(files)} files and {len(concepts)} concepts", AGAIN)
    folder = file.parent / f"{part}_images"
    paths = [folder / concept / name for concept, name in zip(concepts, files, strict=True)]
    return ImageList([Path(name).stem for name in files], [_unnumbered(name) for name in concepts], paths)


def _names(values: Any, key: str, file: Path) -> list[str]:
    """Names of files or folders, none of which leads elsewhere."""
    names = values.get(key) if isinstance(values, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FormatError(file, f"it has no list of texts {key}", "Take the file of the authors")
    for name in set(names):
        check_name(file, name)
    return names


def _unnumbered(concept: str) -> str:
    """``00001_aardvark`` is aardvark."""
    number, _, name = concept.partition("_")
    return name if number.isdecimal() and name else concept
