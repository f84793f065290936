"""Recordings of a BIDS data set: raw or preprocessed fMRI, EEG, MEG and iEEG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neurodecode.data import Recording
from neurodecode.errors import DataError, FormatError
from neurodecode.io.bids_bold import read_bold
from neurodecode.io.bids_names import BidsFile, explain_nothing, select, wanted
from neurodecode.io.bids_search import dataset_root, derivative_names, walk

_BOLD = (".nii", ".nii.gz", ".func.gii", ".dtseries.nii", ".ptseries.nii")
_MEEG = {
    "eeg": (".edf", ".bdf", ".vhdr", ".set", ".cnt"),
    "ieeg": (".edf", ".bdf", ".vhdr", ".set", ".mefd", ".nwb"),
    "meg": (".fif", ".ds", ".sqd", ".con", ".kdf", ".raw", ".ave", ".mrk", ".chn", ".dat", ".raw.mhd"),
}
_VERSIONS = ("space", "res", "den", "desc", "echo", "part", "rec", "proc")  # the same run in another form


def read_bids(
    root: str | Path,
    *,
    subject: Any = None,
    task: Any = None,
    session: Any = None,
    run: Any = None,
    datatype: Any = None,
    derivatives: str | Path | None = None,
    space: Any = None,
    desc: Any = None,
    mask: Any = None,
    tr: float | None = None,
    **entities: Any,
) -> Recording:
    """Open the one recording that matches.

    Parameters
    ----------
    root : str or Path
        Folder with the ``dataset_description.json`` of the raw data.
    subject, task, session, run, datatype, space, desc : str, int or list, optional
        What the file name must have. Labels may carry their prefix (``"sub-01"``); run 1 is also run 01; ``space="native"``
        stands for names without a space. Of preprocessed volumes ``desc`` is ``preproc`` by default.
    derivatives : str or Path, optional
        Name of a pipeline below ``derivatives/`` (e.g. ``"fmriprep"``), or a folder; by default the raw data.
    mask : "auto", str, Path, Mask or array of bool of shape (x, y, z), optional
        Voxels of BOLD volumes that become channels, by default all. ``"auto"`` is the ``desc-brain_mask`` of the same space and
        resolution.
    tr : float, optional
        Repetition time of BOLD runs in s, where neither sidecar nor header states it.
    **entities
        Any other entity: ``res``, ``hemi``, ``echo``, ``den``, ``acq``, ``suffix``, ``extension``, ...

    Returns
    -------
    Recording
        With channels, events and ``meta``; the two surfaces of a BOLD run are one recording.

    Raises
    ------
    DataError
        If nothing matches (with the labels that exist) or several recordings do (with their paths).
    FormatError
        If `root` is no BIDS data set, or files contradict each other.
    CorruptFileError
        If a file is damaged.
    """
    named = {"subject": subject, "session": session, "datatype": datatype, "task": task, "run": run}
    question = wanted(**named, **entities, space=space, desc=desc)
    groups = find_recordings(root, derivatives, question)
    if len(groups) > 1:
        raise DataError(
            f"{len(groups)} recordings match {_asked(question)}: {_listed(groups)}. Narrow it down, or use read_bids_all"
        )
    return _open(groups[0], dataset_root(root), mask, tr)


def read_bids_all(
    root: str | Path,
    *,
    subject: Any = None,
    task: Any = None,
    session: Any = None,
    run: Any = None,
    datatype: Any = None,
    derivatives: str | Path | None = None,
    space: Any = None,
    desc: Any = None,
    mask: Any = None,
    tr: float | None = None,
    **entities: Any,
) -> list[Recording]:
    """Open every recording that matches, in the order of the files.

    Parameters
    ----------
    root : str or Path
        Folder with the ``dataset_description.json`` of the raw data.
    subject, task, session, run, datatype, space, desc : str, int or list, optional
        As in `read_bids`.
    derivatives : str or Path, optional
        As in `read_bids`.
    mask : "auto", str, Path, Mask or array of bool of shape (x, y, z), optional
        As in `read_bids`.
    tr : float, optional
        As in `read_bids`.
    **entities
        As in `read_bids`.

    Returns
    -------
    list of Recording
        At least one; run 2 before run 10.

    Raises
    ------
    DataError
        If nothing matches, or a run matches in several versions (spaces, resolutions, echoes), which would count it twice.
    FormatError
        If `root` is no BIDS data set, or files contradict each other.
    CorruptFileError
        If a file is damaged.
    """
    named = {"subject": subject, "session": session, "datatype": datatype, "task": task, "run": run}
    question = wanted(**named, **entities, space=space, desc=desc)
    groups = find_recordings(root, derivatives, question)
    _refuse_versions(groups)
    return [_open(group, dataset_root(root), mask, tr) for group in groups]


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
        Accepted labels per entity, as `bids_names.wanted` makes them.

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
    files = [file for file in walk(folder) if _is_recording(file, question)]
    if derivatives is not None and "desc" not in question:
        files = [file for file in files if _is_default(file)]
    found = select(files, question)
    if not files:
        more = derivative_names(folder)
        remedy = f"Its derivatives are {more}: pass derivatives=" if more else "Expected files like sub-01/func/..._bold.nii.gz"
        raise FormatError(folder, "this data set holds no recording of BOLD, EEG, MEG or iEEG", remedy)
    if not found:
        raise DataError(f"{folder}: no recording matches {_asked(question)}: {explain_nothing(files, question)}")
    return _grouped(found)


def _is_recording(file: BidsFile, question: Mapping[str, tuple[str, ...]]) -> bool:
    if file.datatype == "func":
        return file.suffix == "bold" and file.extension in _BOLD
    return file.suffix == file.datatype and file.extension in _MEEG.get(file.datatype, ())


def _is_default(file: BidsFile) -> bool:
    """Of preprocessed volumes the default is ``desc-preproc``; surfaces and grayordinates of fMRIPrep have no ``desc``."""
    return file.entities.get("desc", "preproc") == "preproc"


def _grouped(files: Iterable[BidsFile]) -> list[list[BidsFile]]:
    groups: dict[Any, list[BidsFile]] = {}
    for file in files:
        key = (file.path.parent, file.without("hemi", "split"), file.extension)
        groups.setdefault(key, []).append(file)
    return list(groups.values())


def _refuse_versions(groups: Sequence[Sequence[BidsFile]]) -> None:
    """Refuse the same run in several spaces or forms: it would stand on both sides of a split."""
    seen: dict[Any, list[BidsFile]] = {}
    for first, *_ in groups:
        run = (first.datatype, first.without("hemi", "split", *_VERSIONS))
        seen.setdefault(run, []).append(first)
    for files in seen.values():
        if len(files) > 1:
            names = ", ".join(file.relative for file in files)
            keys = [key for key in _VERSIONS if len({file.entities.get(key) for file in files}) > 1] or ["extension"]
            raise DataError(
                f"one run matches in {len(files)} versions: {names}. Choose one with {' or '.join(f'{k}=' for k in keys)}"
            )


def _open(group: Sequence[BidsFile], root: Path, mask: Any, tr: float | None) -> Recording:
    if group[0].datatype == "func":
        return read_bold(group, mask=mask, tr=tr)
    from neurodecode.io.meeg import read_bids_meeg  # MNE loads only for what needs it

    return read_bids_meeg(group[0].root if group[0].root != root else root, group[0].path)


def _asked(question: Mapping[str, Sequence[str]]) -> str:
    return " ".join(f"{key}={'|'.join(labels)}" for key, labels in question.items()) or "this data set"


def _listed(groups: Sequence[Sequence[BidsFile]], most: int = 12) -> str:
    names = ["+".join(file.relative if i == 0 else file.path.name for i, file in enumerate(group)) for group in groups]
    return ", ".join(names[:most]) + (f", and {len(names) - most} more" if len(names) > most else "")
