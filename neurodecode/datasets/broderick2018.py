"""Broderick et al. (2018): nineteen people hear an audiobook, "The Old Man and the Sea" (EEG, 128 electrodes)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neurodecode.data import Recording, Stimuli
from neurodecode.data.convert_mne import with_montage
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import check_columns
from neurodecode.datasets.folders import chosen, existing_root
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.bids_tables import read_tsv
from neurodecode.io.mat import read_mat

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

EEG = "Natural Speech/EEG"
STIMULI = "Natural Speech/Stimuli"
N_RUNS = 20
_MICROVOLT = 1e-6
_BANKS = "ABCD"


def load(
    root: str | Path, subject: str, *, run: int | str = 1, words: str | Path | None = None, manifest: Manifest | None = None
) -> tuple[Recording, Stimuli]:
    """Open one run: about three minutes of the book.

    Parameters
    ----------
    root : str or Path
        Folder with ``Natural Speech/``.
    subject : str
        "1" to "19".
    run : int or str
        1 to 20.
    words : str or Path, optional
        Table of the words of this run, TSV with ``word``, ``onset`` and ``duration`` (s): the alignment was never published with
        the recordings, so that it has to be made or asked for. Without it the run itself is the only event.
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    recording : Recording
        128 electrodes (BioSemi) and two mastoids in V, 128 Hz. ``events`` have ``stimulus`` (``audioN``, the part of the book)
        and of words ``word``.
    stimuli : Stimuli
        The sound of the run where its file is there, else its name.

    Raises
    ------
    DataError
        If there is no such subject or run.
    FormatError
        If the folder or a table is laid out otherwise.
    CorruptFileError
        If a file is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations

    path = _file(root, subject, run)
    content = read_mat(path, ("eegData", "mastoids", "fs"))
    eeg, mastoids = (_as_channels(content[name], path, name, n) for name, n in (("eegData", 128), ("mastoids", 2)))
    if eeg.shape[1] != mastoids.shape[1]:
        raise CorruptFileError(path, f"eegData has {eeg.shape[1]} times, mastoids {mastoids.shape[1]}", "Fetch the file again")
    names = [f"{bank}{number}" for bank in _BANKS for number in range(1, 33)]
    channels = pd.DataFrame({"name": [*names, "M1", "M2"], "kind": ["eeg"] * 128 + ["misc"] * 2, "unit": "V"})
    data = np.concatenate([eeg, mastoids]) * _MICROVOLT
    sfreq = float(np.squeeze(content["fs"]))
    part = f"audio{run}"
    events = _events(part, data.shape[1] / sfreq, words)
    label = path.parent.name.removeprefix("Subject")
    meta = {"subject": label, "run": str(run), "modality": "eeg", "sources": [_source(path, root)]}
    recording = Recording(data.astype(np.float32), sfreq, channels, events, meta=meta)
    check_expectations(recording, manifest or info("broderick2018"), root)
    return with_montage(recording, "biosemi128"), _stimuli(root, part)


def load_runs(root: str | Path, subject: str, **options: Any) -> tuple[list[Recording], Stimuli]:
    """Open every run of a subject.

    Parameters
    ----------
    root : str or Path
        As in `load`.
    subject : str
        As in `load`.
    **options
        As in `load`, without ``run`` and ``words``.

    Returns
    -------
    recordings : list of Recording
        In the order of the runs that are there.
    stimuli : Stimuli
        Of all of them.

    Raises
    ------
    DataError
        If there is no such subject.
    FormatError
        If a file is laid out otherwise.
    """
    folder = _folder(root, subject)
    runs = [run for run in range(1, N_RUNS + 1) if (folder / f"{folder.name}_Run{run}.mat").is_file()]
    loaded = [load(root, subject, run=run, **options) for run in runs]
    stimuli = [found for _, found in loaded]
    ids = [str(name) for found in stimuli for name in found.ids]
    return [recording for recording, _ in loaded], Stimuli(ids, [found.items[0] for found in stimuli], stimuli[0].kind)


def _folder(root: str | Path, subject: str) -> Path:
    home = existing_root(root) / EEG
    if not home.is_dir():
        raise FormatError(home, "there is no such folder", "Unpack the archive so that Natural Speech/ lies in the root")
    known = sorted(path.name.removeprefix("Subject") for path in home.glob("Subject*"))
    return home / f"Subject{chosen(subject, known, 'subject')}"


def _file(root: str | Path, subject: str, run: int | str) -> Path:
    folder = _folder(root, subject)
    prefix = f"{folder.name}_Run"
    known = sorted((path.stem.removeprefix(prefix) for path in folder.glob(f"{prefix}*.mat")), key=lambda name: (len(name), name))
    return folder / f"{prefix}{chosen(str(run), known, 'run')}.mat"


def _as_channels(values: Any, path: Path, name: str, n: int) -> Any:
    """An array (n_channels, n_times) of what MATLAB holds as (n_times, n_channels)."""
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or array.shape[1] != n:
        raise FormatError(path, f"{name} has shape {array.shape}, expected (n_times, {n})", "Fetch the file again")
    return array.T


def _events(part: str, duration: float, words: str | Path | None) -> pd.DataFrame:
    whole = pd.DataFrame({"onset": [0.0], "duration": [duration], "trial_type": ["speech"], "stimulus": [part]})
    if words is None:
        return whole
    table = read_tsv(Path(words), text=("word",))
    check_columns(table, ["word", "onset", "duration"], "words")
    return table.assign(trial_type="word", stimulus=part)


def _stimuli(root: str | Path, part: str) -> Stimuli:
    from neurodecode.datasets.shown import files_or_words

    path = Path(root) / STIMULI / "Audio files" / f"{part}.wav"
    table = pd.DataFrame({"id": [part]})
    return files_or_words(table, [f"The Old Man and the Sea, {part}"], [path] if path.is_file() else None, "audio")


def _source(path: Path, root: str | Path) -> dict[str, str]:
    return {"file": path.relative_to(Path(root)).as_posix(), "sha256": sha256_file(path)}
