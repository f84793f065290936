"""Recordings of a BIDS data set: raw or preprocessed fMRI, EEG, MEG and iEEG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neurodecode.data import Recording
from neurodecode.errors import DataError
from neurodecode.io.bids_bold import read_bold
from neurodecode.io.bids_names import BidsFile, asked, wanted
from neurodecode.io.bids_search import find_recordings

__all__ = ["find_recordings", "open_recording", "read_bids", "read_bids_all"]

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
    subject, task, session, run, datatype : str, int or list, optional
        What the file name must have. Labels may carry their prefix (``"sub-01"``); run 1 is also run 01.
    derivatives : str or Path, optional
        Name of a pipeline below ``derivatives/`` (e.g. ``"fmriprep"``), or a folder; by default the raw data.
    space, desc : str or list, optional
        What the file name must have. ``space="native"`` stands for names without a space. Of preprocessed volumes ``desc`` is
        ``preproc`` by default.
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
            f"{len(groups)} recordings match {asked(question)}: {_listed(groups)}. Narrow it down, or use read_bids_all"
        )
    return open_recording(groups[0], root, mask, tr)


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
    subject, task, session, run, datatype : str, int or list, optional
        As in `read_bids`.
    derivatives : str or Path, optional
        As in `read_bids`.
    space, desc : str or list, optional
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
    return [open_recording(group, root, mask, tr) for group in groups]


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


def open_recording(group: Sequence[BidsFile], root: str | Path, mask: Any = None, tr: float | None = None) -> Recording:
    """Open one recording that `find_recordings` found.

    Parameters
    ----------
    group : sequence of BidsFile
        Its files.
    root : str or Path
        Folder of the raw data set.
    mask : "auto", str, Path, Mask or array of bool of shape (x, y, z), optional
        As in `read_bids`.
    tr : float, optional
        As in `read_bids`.

    Returns
    -------
    Recording
        As of `read_bids`.

    Raises
    ------
    DataError
        If `mask` or `tr` is given for what is not BOLD.
    """
    if group[0].datatype == "func":
        return read_bold(group, Path(root), mask=mask, tr=tr)
    if mask is not None or tr is not None:
        raise DataError(f"mask= and tr= are for BOLD runs, {group[0].path.name} is {group[0].datatype}: leave them out")
    from neurodecode.io.meeg import read_bids_meeg  # MNE loads only for what needs it

    recording: Recording = read_bids_meeg(group[0].root, group[0].path)
    return recording


def _listed(groups: Sequence[Sequence[BidsFile]], most: int = 12) -> str:
    names = ["+".join(file.relative if i == 0 else file.path.name for i, file in enumerate(group)) for group in groups]
    return ", ".join(names[:most]) + (f", and {len(names) - most} more" if len(names) > most else "")
