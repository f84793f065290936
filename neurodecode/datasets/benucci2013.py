"""Benucci et al. (2013): tuning of populations of cat V1 before and after adaptation to a frequent orientation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses, Stimuli
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import require
from neurodecode.errors import DataError, FormatError
from neurodecode.io.guard import existing_file, reading
from neurodecode.io.mat_structure import check_mat

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

FILE = "BenucciTuningData.mat"
SHARES = (0.5, 0.35, 0.35, 0.5, 0.5, 0.5, 0.5, 0.4, 0.4, 0.3, 0.3)  # how often the adapter was shown, by session
ADAPTER = 0.0  # degrees
_REMEDY = "Ask the authors for the file again"


def load(
    root: str | Path, subject: str = "all", *, normalise: bool = True, manifest: Manifest | None = None
) -> tuple[Responses, Stimuli]:
    """Open the tuning curves.

    Parameters
    ----------
    root : str or Path
        Folder with ``BenucciTuningData.mat``.
    subject : str
        Number of a session, "1" to "11", or "all".
    normalise : bool
        Take from each unit the minimum of its unadapted tuning, and divide by the height of that, also after adaptation, as the
        authors' readers do.
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    responses : Responses
        A row per session, ensemble (``control`` or ``adapted``) and ``orientation`` (degrees); ``probability`` is that of the
        orientation in the ensemble. Units are bins of neurons with their ``preferred`` orientation. The two ends of the circle,
        which stand both in the file, are averaged to one.
    stimuli : Stimuli
        The gratings in words.

    Raises
    ------
    DataError
        If there is no such session.
    FormatError
        If the file is not there or laid out otherwise.
    CorruptFileError
        If it is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations

    path = existing_file(Path(root) / FILE)
    sessions = read_sessions(path)
    known = [str(number + 1) for number in range(len(sessions))]
    if subject != "all" and subject not in known:
        raise DataError(f"there is no session {subject!r}: choose from {known} or 'all'")
    chosen = known if subject == "all" else [subject]
    n_units, n_stimuli = sessions[0].shape[:2]
    orientation, preferred = (-90 + 180 * np.arange(n) / n for n in (n_stimuli, n_units))
    rows, data = [], []
    for name in chosen:
        tuning = _normalised(sessions[int(name) - 1]) if normalise else sessions[int(name) - 1]
        share = SHARES[int(name) - 1] if len(sessions) == len(SHARES) else np.nan
        for ensemble, curves in zip(("control", "adapted"), np.moveaxis(tuning, -1, 0), strict=True):
            p = np.full(n_stimuli, 1 / n_stimuli) if ensemble == "control" else ensemble_of(orientation, share)
            part = pd.DataFrame({"orientation": orientation, "probability": p})
            rows.append(part.assign(session=name, ensemble=ensemble))
            data.append(curves.T)
    samples = pd.concat(rows, ignore_index=True)
    samples["stimulus"] = [f"grating{value:g}" for value in samples["orientation"]]
    meta = {"subject": subject, "modality": "spikes", "sources": [{"file": FILE, "sha256": sha256_file(path)}]}
    units = pd.DataFrame({"name": [f"bin{value:g}" for value in preferred], "preferred": preferred})
    responses = Responses(np.concatenate(data), samples, units, meta=meta)
    check_expectations(responses, manifest or info("benucci2013"), root)
    ids = [f"grating{value:g}" for value in orientation]
    return responses, Stimuli(ids, [f"grating at {value:g} degrees" for value in orientation], "text")


def ensemble_of(orientation: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Probability of each orientation: half of the share on the adapter, a quarter on each neighbour, the rest elsewhere alike.

    Parameters
    ----------
    orientation : array of shape (n_stimuli,)
        Degrees, evenly spaced, each once.
    share : float
        How often the adapter was shown.

    Returns
    -------
    array of shape (n_stimuli,)
        Sums to 1.
    """
    near = np.abs((orientation - ADAPTER + 90) % 180 - 90)
    order = np.argsort(near, kind="stable")
    p = np.full(len(orientation), (1 - share) / (len(orientation) - 3))
    p[order[0]], p[order[1:3]] = share / 2, share / 4
    return p


def read_sessions(path: Path) -> list[NDArray[np.float64]]:
    """Read the tuning of each session, with the two ends of the circle averaged.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of array of shape (n_units, n_stimuli, 2)
        Before and after adaptation.

    Raises
    ------
    FormatError
        If there is no ``resps``, or sessions differ in shape.
    CorruptFileError
        If the file is damaged.
    """
    loadmat = require("scipy.io", "reading MAT files", "meeg").loadmat
    check_mat(path)
    with reading(path, "it is not a readable MAT file", _REMEDY):
        content = loadmat(path, variable_names=["resps"])
    if "resps" not in content:
        raise FormatError(path, "it has no variable 'resps'", _REMEDY)
    with reading(path, "its cells are no arrays of numbers", _REMEDY):
        sessions = [np.asarray(cell, float) for cell in np.ravel(content["resps"])]
    shapes = {session.shape for session in sessions}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3 or next(iter(shapes))[2] != 2 or min(next(iter(shapes))[:2]) < 5:
        raise FormatError(path, f"sessions must be arrays (units, stimuli, 2) of one shape, got {sorted(shapes)}", _REMEDY)
    return [_closed(_closed(session, 0), 1) for session in sessions]


def _closed(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """The first and the last entry are the same place on the circle: their mean, once."""
    moved = np.moveaxis(values, axis, 0)
    joined = np.concatenate([(moved[:1] + moved[-1:]) / 2, moved[1:-1]])
    return np.moveaxis(joined, 0, axis)


def _normalised(tuning: NDArray[np.float64]) -> NDArray[np.float64]:
    low = tuning[..., :1].min(axis=1, keepdims=True)
    height = tuning[..., :1].max(axis=1, keepdims=True) - low
    return np.asarray((tuning - low) / height)
