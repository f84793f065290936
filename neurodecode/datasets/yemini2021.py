"""Yemini et al. (2021): calcium in every named neuron of the head of *C. elegans* while it tastes and smells (NeuroPAL)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Stimuli
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import suggest
from neurodecode.errors import DataError
from neurodecode.io.guard import reading
from neurodecode.io.matlab import read_mat

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

FILE = "Head_Activity_OH16230.mat"
STIMULI = {"butanone": "2-butanone", "nacl": "sodium chloride, 160 mM", "pentanedione": "2,3-pentanedione"}
_FIELDS = ("neurons", "norm_traces", "is_L", "files", "fps", "stim_names", "stim_times", "stims")
_REMEDY = "Fetch the file again; docs/datasets.md says where it comes from"


def load(root: str | Path, subject: str, *, file: str = FILE, manifest: Manifest | None = None) -> tuple[Recording, Stimuli]:
    """Open the head of one worm.

    Parameters
    ----------
    root : str or Path
        Folder with the MAT files of the authors.
    subject : str
        ``worm1`` and so on, in the order of the file; `subjects` lists them.
    file : str
        Which file: ``Head_Activity_OH16230.mat`` (21 worms) or ``Head_Activity_OH15500.mat``.
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    recording : Recording
        One channel per neuron that was found in this worm, with ``name`` as the field names it (L and R for sides) and ``kind``
        calcium: fluorescence that the authors brought to one scale. Neurons that were not found are no channels. ``events`` are
        the three stimuli in the order of this worm.
    stimuli : Stimuli
        The three substances in words.

    Raises
    ------
    DataError
        If there is no such worm.
    FormatError
        If the file is not there or is not laid out as described.
    CorruptFileError
        If it is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations

    path, content = _open(root, file)
    worms = _worms(content)
    if subject not in worms:
        raise DataError(f"there is no worm {subject!r} in {file}: {suggest(subject, worms)}")
    with reading(path, "its cells do not fit each other", _REMEDY):
        names, traces = neurons_of(content, worms.index(subject))
        events = stimuli_of(content, worms.index(subject), traces.shape[1])
    channels = pd.DataFrame({"name": names, "kind": "calcium", "unit": "a.u."})
    source = {"file": file, "sha256": sha256_file(path)}
    meta = {"subject": subject, "modality": "calcium", "species": "C. elegans", "sources": [source]}
    recording = Recording(traces, float(np.squeeze(content["fps"])), channels, events, meta=meta)
    check_expectations(recording, manifest or info("yemini2021"), root)
    return recording, Stimuli(list(STIMULI), list(STIMULI.values()), "text")


def subjects(root: str | Path, *, file: str = FILE) -> list[str]:
    """Name the worms of a file.

    Parameters
    ----------
    root : str or Path
        As in `load`.
    file : str
        As in `load`.

    Returns
    -------
    list of str
        ``worm1`` and so on.

    Raises
    ------
    FormatError
        If the file is not there or is not laid out as described.
    """
    return _worms(_open(root, file)[1])


def neurons_of(content: dict[str, Any], worm: int) -> tuple[list[str], NDArray[np.float32]]:
    """Neurons that were found in one worm, and their traces.

    Parameters
    ----------
    content : dict
        The file: ``neurons`` (classes of neurons), ``norm_traces`` and ``is_L`` of each class, with one cell per worm, or two
        where the class has a left and a right neuron, first all of one side.
    worm : int
        Its number in the file.

    Returns
    -------
    names : list of str
        Class, and L or R where it has sides.
    traces : array of shape (n_neurons, n_times)
        Fluorescence, NaN at the end of traces that are shorter than others.
    """
    n_worms = len(_cells(content["files"]))
    found: dict[str, NDArray[np.float32]] = {}
    classes = zip(_cells(content["neurons"]), _cells(content["norm_traces"]), _cells(content["is_L"]), strict=True)
    for name, traces, sides in classes:
        flags = np.asarray(sides, float).ravel()
        cells = _cells(traces)
        for place in range(worm, len(cells), n_worms):
            trace = np.asarray(cells[place], np.float32).ravel()
            if trace.size > 1 and np.isfinite(trace).any():
                found[str(name) + _side(flags[place])] = trace
    if not found:
        raise DataError(f"worm {worm + 1} of {n_worms} has no neuron with a trace")
    longest = max(map(len, found.values()))
    padded = [np.pad(trace, (0, longest - len(trace)), constant_values=np.nan) for trace in found.values()]
    return list(found), np.stack(padded)


def stimuli_of(content: dict[str, Any], worm: int, n_times: int) -> pd.DataFrame:
    """Stimuli of one worm in the order in which it met them.

    Parameters
    ----------
    content : dict
        The file: ``stim_names``, ``stims`` (number of the stimulus in each place, per worm) and ``stim_times`` (begin and end of
        each place). Times are in s; where one lies beyond the recording they are frames.
    worm : int
        Its number in the file.
    n_times : int
        Frames of the recording.

    Returns
    -------
    DataFrame
        ``onset`` and ``duration`` in s, ``trial_type`` and ``stimulus``.
    """
    fps = float(np.squeeze(content["fps"]))
    names = [str(name).strip().lower() for name in _cells(content["stim_names"])]
    times = np.asarray(content["stim_times"], float).reshape(-1, 2)
    times = times / fps if times.max() > n_times / fps else times
    order = np.atleast_2d(np.asarray(content["stims"], int))[worm]
    shown = [next(key for key in STIMULI if key in names[number - 1]) for number in order]
    onset, end = times[:, 0], times[:, 1]
    return pd.DataFrame({"onset": onset, "duration": end - onset, "trial_type": shown, "stimulus": shown})


def _open(root: str | Path, file: str) -> tuple[Path, dict[str, Any]]:
    path = Path(root) / file
    return path, read_mat(path, _FIELDS)


def _worms(content: dict[str, Any]) -> list[str]:
    return [f"worm{number + 1}" for number in range(len(_cells(content["files"])))]


def _cells(value: Any) -> list[Any]:
    """A cell array as a list; a single text is one cell."""
    return [value] if isinstance(value, str) else list(value)


def _side(is_left: float) -> str:
    return "" if np.isnan(is_left) else "L" if is_left else "R"
