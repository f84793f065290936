"""Finding the files of a BIDS data set and of its derivatives."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurodecode.data.validate import suggest
from neurodecode.errors import DataError, FormatError
from neurodecode.io.bids_names import (
    DATATYPES,
    BidsFile,
    asked,
    explain_nothing,
    natural,
    parse_name,
    same_label,
    select,
    wanted,
)
from neurodecode.io.fmri_meta import read_json

MARKER = "dataset_description.json"
_BOLD = (".nii", ".nii.gz", ".func.gii", ".dtseries.nii", ".ptseries.nii")
_MEEG = {
    "eeg": (".edf", ".bdf", ".vhdr", ".set", ".cnt"),
    "ieeg": (".edf", ".bdf", ".vhdr", ".set", ".mefd", ".nwb"),
    "meg": (".fif", ".ds", ".sqd", ".con", ".kdf", ".raw", ".raw.mhd"),
}
_PARTS = (".json", ".vmrk", ".eeg", ".fdt")  # sidecars, and files that belong to another one
_NO_DATA = ("calibration", "crosstalk")  # acq- of the two files beside an Elekta recording


def bids_files(
    root: str | Path,
    *,
    subject: Any = None,
    session: Any = None,
    task: Any = None,
    run: Any = None,
    datatype: Any = None,
    derivatives: str | Path | None = None,
    space: Any = None,
    desc: Any = None,
    res: Any = None,
    hemi: Any = None,
    echo: Any = None,
    suffix: Any = None,
    extension: Any = None,
    **entities: Any,
) -> list[BidsFile]:
    """List files of a BIDS data set.

    Parameters
    ----------
    root : str or Path
        Folder with the ``dataset_description.json``.
    subject, session, task, run, datatype : str, int or list, optional
        What the name must have; a list accepts any of its values. Labels may carry their prefix (``"sub-01"``); run 1 is also
        run 01.
    derivatives : str or Path, optional
        Name of a pipeline below ``derivatives/``, or a folder; by default the raw data.
    space, desc, res, hemi, echo, suffix, extension : str, int or list, optional
        Further parts of the name; ``space="native"`` stands for names without a space. Sidecars (.json) and second files of a
        recording (.vmrk and .eeg of BrainVision, .fdt of EEGLAB) are listed only where `extension` asks for them.
    **entities
        Any other entity of BIDS, e.g. ``acq``, ``den``, ``label``, ``part``.

    Returns
    -------
    list of BidsFile
        In the order of their paths, run 2 before run 10; empty where nothing matches.

    Raises
    ------
    FormatError
        If `root` is no BIDS data set or the derivative does not exist.
    DataError
        If an entity is unknown.
    """
    named = {"subject": subject, "session": session, "datatype": datatype, "task": task, "run": run, "echo": echo, "hemi": hemi}
    image = {"space": space, "res": res, "desc": desc, "suffix": suffix, "extension": extension}
    question = wanted(**named, **entities, **image)
    found = select(walk(dataset_root(root, derivatives), question.get("sub"), Path(root)), question)
    return found if extension is not None else [file for file in found if file.extension not in _PARTS]


def dataset_root(root: str | Path, derivatives: str | Path | None = None) -> Path:
    """Folder of a data set or of one of its derivatives, checked to be one.

    Parameters
    ----------
    root : str or Path
        Folder of the raw data set.
    derivatives : str or Path, optional
        Name of a pipeline below ``derivatives/``, or a folder.

    Returns
    -------
    Path
        The folder that holds the ``dataset_description.json``.

    Raises
    ------
    FormatError
        If there is none, with the nearest one that exists.
    """
    folder = Path(root)
    if derivatives is None:
        return _checked(folder)
    below = folder / "derivatives" / derivatives  # an absolute path of a derivative replaces what stands before it
    if below.is_dir():
        return _checked(below)
    if Path(derivatives).is_dir():
        return _checked(Path(derivatives))
    names = derivative_names(_checked(folder))
    hint = suggest(str(derivatives), names) if names else "it has none"
    raise FormatError(below, f"there are no derivatives {str(derivatives)!r}", f"Derivatives of {folder}: {hint}")


def derivative_names(root: Path) -> list[str]:
    """Names of the derivatives of a data set: folders in ``derivatives/`` with a description of their own."""
    folder = root / "derivatives"
    found = [path.parent.name for path in folder.glob(f"*/{MARKER}")] if folder.is_dir() else []
    return sorted(found, key=natural)


def raw_root(root: Path) -> Path | None:
    """Data set that a derivative lies in; None where it lies in none."""
    return next((folder for folder in absolute(root).parents if (folder / MARKER).is_file()), None)


def raw_of(file: BidsFile) -> Path | None:
    """Root of the raw data set that a derivative file belongs to; None for a raw file."""
    return file.raw or raw_root(file.root)


def is_derivative(root: Path) -> bool:
    """Whether a data set calls itself a derivative, or lies where derivatives lie."""
    return read_json(root / MARKER).get("DatasetType") == "derivative" or absolute(root).parent.name == "derivatives"


def absolute(path: Path) -> Path:
    """The path from the root of the file system; links stay, because git-annex keeps the content of every file elsewhere."""
    return Path(os.path.abspath(path))


def bids_file(path: str | Path) -> BidsFile:
    """Take a file of a BIDS data set by its path.

    Parameters
    ----------
    path : str or Path
        A file below a ``dataset_description.json``.

    Returns
    -------
    BidsFile
        With the nearest data set above it as its root.

    Raises
    ------
    FormatError
        If the name does not follow BIDS or no data set lies above it.
    """
    file = absolute(Path(path))
    root = next((folder for folder in file.parents if (folder / MARKER).is_file()), None)
    if root is None:
        raise FormatError(path, f"no folder above it has a {MARKER}", "Give a file of a BIDS data set")
    found = _parsed(file, root)
    if found is None:
        raise FormatError(path, "its name does not follow BIDS", "Rename it like sub-01_task-rest_bold.nii.gz")
    return found


def walk(root: Path, subjects: tuple[str, ...] | None = None, raw: Path | None = None) -> Iterator[BidsFile]:
    """All files of the subjects of a data set, in natural order of their names; `raw` is the raw data set of a derivative."""
    raw = None if raw is None or absolute(raw) == absolute(root) else raw
    for subject in _folders(root, "sub-"):
        if subjects is not None and not any(same_label("sub", subject.name[4:], label) for label in subjects):
            continue
        for session in (subject, *_folders(subject, "ses-")):
            for datatype in DATATYPES:
                folder = session / datatype
                entries = sorted(folder.iterdir(), key=lambda path: natural(path.name)) if folder.is_dir() else []
                yield from (replace(file, raw=raw) for path in entries if (file := _parsed(path, root)) is not None)


def _folders(parent: Path, prefix: str) -> list[Path]:
    return sorted((path for path in parent.glob(f"{prefix}*") if path.is_dir()), key=lambda path: natural(path.name))


def _parsed(path: Path, root: Path) -> BidsFile | None:
    name = parse_name(path.name)
    if name is None or "sub" not in name.entities or (path.is_dir() and not name.extension):
        return None
    return BidsFile(path, root, name.entities, name.suffix, name.extension, path.parent.name)


def _checked(folder: Path) -> Path:
    if (folder / MARKER).is_file():
        return folder
    if not folder.is_dir():
        raise FormatError(folder, "there is no such folder", "Check the path: the root of a BIDS data set was expected")
    candidates = [
        *(p for p in absolute(folder).parents if (p / MARKER).is_file()),
        *(p.parent for p in folder.glob(f"*/{MARKER}")),
    ]
    hint = f"Did you mean {candidates[0]}?" if candidates else f"A BIDS root has a {MARKER} with Name and BIDSVersion"
    raise FormatError(folder, f"this is not the root of a BIDS data set: it has no {MARKER}", hint)


def find_recordings(
    root: str | Path, derivatives: str | Path | None = None, question: Mapping[str, tuple[str, ...]] | None = None
) -> list[list[BidsFile]]:
    """Data files of the recordings that match, those of one recording together.

    Parameters
    ----------
    root : str or Path
        Folder of the raw data set.
    derivatives : str or Path, optional
        Name of a pipeline, or a folder.
    question : mapping, optional
        Accepted labels per entity, as `neurodecode.io.bids_names.wanted` makes them.

    Returns
    -------
    list of list of BidsFile
        Left and right surface together, and the parts of a split MEG file; at least one recording.

    Raises
    ------
    DataError
        If nothing matches.
    FormatError
        If there is no recording at all.
    """
    question = question or {}
    folder = dataset_root(root, derivatives)
    files = [file for file in walk(folder, raw=Path(root)) if _is_recording(file)]
    if not files:
        more = derivative_names(folder)
        remedy = f"Its derivatives are {more}: pass derivatives=" if more else "Expected files like sub-01/func/..._bold.nii.gz"
        raise FormatError(folder, "this data set holds no recording of BOLD, EEG, MEG or iEEG", remedy)
    found = select(files, question)
    if not found:
        raise DataError(f"{folder}: no recording matches {asked(question)}: {explain_nothing(files, question)}")
    return _grouped(found if "desc" in question or not is_derivative(folder) else _default(folder, found))


def _is_recording(file: BidsFile) -> bool:
    if file.entities.get("acq") in _NO_DATA:
        return False
    if file.datatype == "func":
        return file.suffix == "bold" and file.extension in _BOLD
    return file.suffix == file.datatype and file.extension in _MEEG.get(file.datatype, ())


def _default(folder: Path, files: list[BidsFile]) -> list[BidsFile]:
    """Of preprocessed volumes those with ``desc-preproc``; surfaces and grayordinates of fMRIPrep have no ``desc``."""
    kept = [file for file in files if file.suffix != "bold" or file.entities.get("desc", "preproc") == "preproc"]
    if not kept:
        there = ", ".join(sorted({file.entities["desc"] for file in files}))
        raise DataError(f"{folder}: no BOLD run has desc-preproc, there are desc {there}: pass desc=")
    return kept


def _grouped(files: Iterable[BidsFile]) -> list[list[BidsFile]]:
    groups: dict[Any, list[BidsFile]] = {}
    for file in files:
        key = (file.path.parent, file.without("hemi", "split"), file.extension)
        groups.setdefault(key, []).append(file)
    return list(groups.values())
