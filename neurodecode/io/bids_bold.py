"""One BOLD run of a BIDS data set with all that belongs to it: timing, events, confounds, mask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Recording
from neurodecode.data.hashing import sha256_file
from neurodecode.errors import DataError, FormatError
from neurodecode.io.bids_names import BidsFile, same_label, select
from neurodecode.io.bids_search import absolute, bids_file, derivative_names, is_derivative, raw_of, walk
from neurodecode.io.bids_tables import confounds_path, events_path, read_events, read_tsv, sidecar
from neurodecode.io.fmri import read_cifti, read_gifti, read_nifti

_FROM_RAW = ("RepetitionTime", "VolumeTiming", "SliceTiming")  # a derivative without them was made of a raw run that has them


def read_bold(files: Sequence[BidsFile], home: Path, *, mask: Any = None, tr: float | None = None) -> Recording:
    """Open one BOLD run.

    Parameters
    ----------
    files : sequence of BidsFile
        One volume or CIFTI file, or the two surfaces of a run.
    home : Path
        Root of the raw data set; paths in ``meta`` are relative to it.
    mask : "auto", str, Path, Mask or array of bool of shape (x, y, z), optional
        Voxels that become channels (volumes only). ``"auto"`` is the ``desc-brain_mask`` of the same space and resolution.
    tr : float, optional
        Repetition time in s, where neither sidecar nor header states it.

    Returns
    -------
    Recording
        With events, and with the path of its confounds in ``meta["confounds"]``.

    Raises
    ------
    FormatError
        If the files that belong to the run contradict each other; both are named.
    """
    first = files[0]
    fields = bold_sidecar(first)
    if first.extension.startswith(".nii"):
        inside = find_mask(first) if isinstance(mask, str) and mask == "auto" else mask
        recording = read_nifti(first.path, mask=inside, tr=tr, sidecar=fields)
    elif mask is not None and not (isinstance(mask, str) and mask == "auto"):
        raise DataError(f"a mask selects voxels, {first.path.name} holds surfaces: pick the vertices with Recording.pick")
    elif first.extension.endswith(".gii"):
        recording = read_gifti([file.path for file in files], tr=tr, sidecar=fields)
    else:
        recording = read_cifti(first.path, tr=tr, sidecar=fields)
    events = _events(first, recording)
    return recording.replace(events=events, meta={**recording.meta, **_meta(files, home, recording, events)})


def bold_sidecar(file: BidsFile) -> dict[str, Any]:
    """Sidecar fields of a BOLD file; timing that a derivative leaves out is taken from its raw run."""
    fields, home = sidecar(file), raw_of(file)
    if home is None:
        return fields
    raw = sidecar(BidsFile(file.path, home, file.entities, "bold", file.extension, file.datatype))
    return {**{key: raw[key] for key in _FROM_RAW if key in raw}, **fields}


def find_mask(file: BidsFile) -> Path:
    """Brain mask of a BOLD file: ``desc-brain_mask`` of the same subject, space and resolution.

    Parameters
    ----------
    file : BidsFile
        A volume. The mask of a derivative is looked for in the same derivative, that of a raw run in all derivatives of its data
        set.

    Returns
    -------
    Path
        The mask with the most entities in common with the file.

    Raises
    ------
    FormatError
        If there is none.
    DataError
        If several derivatives have one.
    """
    roots = [file.root, *(file.root / "derivatives" / name for name in derivative_names(file.root))]
    question: dict[str, tuple[str, ...]] = {key: (file.entities[key],) for key in ("sub", "ses") if key in file.entities}
    question |= {"suffix": ("mask",), "extension": (".nii.gz", ".nii"), "desc": ("brain",), "datatype": (file.datatype,)}
    masks = [mask for root in roots for mask in select(walk(root, (file.entities["sub"],)), question) if _same_grid(mask, file)]
    if not masks:
        where = ", ".join(str(root) for root in roots)
        grid = (
            " ".join(f"{key}-{file.entities[key]}" for key in ("space", "res", "den") if key in file.entities)
            or "the native space"
        )
        raise FormatError(
            file.path, f"no desc-brain_mask of {grid} was found in {where}", "Give mask= a file, or None for all voxels"
        )
    most = max(len(mask.entities) for mask in masks)
    best = [mask.path for mask in masks if len(mask.entities) == most]
    if len(best) > 1:
        raise DataError(f"{len(best)} brain masks fit {file.path.name}: {', '.join(map(str, best))}; give mask= one of them")
    return best[0]


def _same_grid(mask: BidsFile, file: BidsFile) -> bool:
    grid = all(mask.entities.get(key) == file.entities.get(key) for key in ("space", "res", "den"))
    return grid and all(same_label(key, file.entities.get(key), label) for key, label in mask.without("desc"))


def _events(file: BidsFile, recording: Recording) -> pd.DataFrame:
    """Events of a run, checked to be in seconds of this run."""
    events, end = read_events(file), recording.t0 + recording.duration
    if len(events) and float(np.median(events["onset"])) >= end:
        raise FormatError(
            events_path(file) or file.path,
            f"its events start at {events['onset'].min():g} to {events['onset'].max():g}, "
            f"the {recording.n_times} volumes of {file.path} end at {end:g} s",
            "Onsets must be seconds from the first volume of this run",
        )
    return events


def _meta(files: Sequence[BidsFile], home: Path, recording: Recording, events: pd.DataFrame) -> dict[str, Any]:
    first = files[0]
    meta: dict[str, Any] = {"preprocessed": is_derivative(first.root)}
    meta["sources"] = [{"file": relative(file.path, home), "sha256": sha256_file(file.path)} for file in files]
    if table := events_path(first):
        meta["sources"].append({"file": relative(table, home), "sha256": sha256_file(table)})
    if confounds := confounds_path(first):
        _check_rows(confounds, first, recording.n_times)
        meta["confounds"] = relative(confounds, home)
    late = int((events["onset"] >= recording.t0 + recording.duration).sum())
    if late:
        meta["notes"] = [
            *recording.meta.get("notes", []),
            f"{late} of {len(events)} events start after the last volume",
        ]
    return meta


def _check_rows(table: Path, file: BidsFile, n_volumes: int) -> None:
    rows = len(read_tsv(table))
    if rows != n_volumes:
        raise FormatError(
            table,
            f"it has {rows} rows, {file.path} has {n_volumes} volumes",
            "They belong to different runs, or volumes were cut from one of them only",
        )


def relative(path: Path, home: Path) -> str:
    """Path below the root of the raw data set, or below its own data set where it lies elsewhere."""
    file, base = absolute(path), absolute(home)
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else bids_file(path).relative
