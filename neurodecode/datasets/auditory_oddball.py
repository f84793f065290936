"""OpenNeuro ds003061: thirteen people press a button at rare tones among frequent ones and noise (EEG, P300)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from neurodecode.data import Recording, Stimuli
from neurodecode.data.validate import check_columns

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

SOUNDS = {"standard": "tone of 500 Hz", "oddball": "tone of 1000 Hz, the target", "noise": "white noise"}
_ANSWERED = "_with_reponse"  # spelled so in the files


def load(root: str | Path, subject: str, *, run: int | str = 1, manifest: Manifest | None = None) -> tuple[Recording, Stimuli]:
    """Open one run.

    Parameters
    ----------
    root : str or Path
        Folder that ``datasets.fetch("auditory_oddball", root=...)`` wrote.
    subject : str
        "001" to "013".
    run : int or str
        1 to 3.
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    recording : Recording
        In V, unread until it is used. ``events`` are sounds and button presses: ``trial_type`` is standard, oddball, noise or
        response; ``stimulus`` names the sound; ``answered`` says whether the button was pressed at it; ``value`` is what the file
        says. Events that the authors mark as irrelevant ("ignore", "condition 5") are left out.
    stimuli : Stimuli
        The three sounds in words.

    Raises
    ------
    DataError
        If there is no such subject or run.
    FormatError
        If the folder is no BIDS data set, or the run is not what the manifest expects.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations
    from neurodecode.io import read_bids

    recording = read_bids(root, subject=subject, task="P300", run=run, datatype="eeg")
    recording = recording.replace(events=_sounds(recording.events))
    check_expectations(recording, manifest or info("auditory_oddball"), root)
    return recording, Stimuli(list(SOUNDS), list(SOUNDS.values()), "text")


def load_runs(root: str | Path, subject: str, **options: Any) -> tuple[list[Recording], Stimuli]:
    """Open every run of a subject.

    Parameters
    ----------
    root : str or Path
        As in `load`.
    subject : str
        As in `load`.
    **options
        As in `load`, without ``run``.

    Returns
    -------
    recordings : list of Recording
        In the order of the runs, unread until used.
    stimuli : Stimuli
        The three sounds in words.

    Raises
    ------
    DataError
        If there is no such subject.
    FormatError
        If the folder is no BIDS data set, or a run is not what the manifest expects.
    """
    from neurodecode.datasets.runs import run_labels

    loaded = [load(root, subject, run=run, **options) for run in run_labels(root, subject, "P300", "eeg")]
    return [recording for recording, _ in loaded], loaded[0][1]


def _sounds(events: pd.DataFrame) -> pd.DataFrame:
    """Sounds and presses: the kind of an event stands in ``value``, ``trial_type`` only says stimulus or response."""
    check_columns(events, ["trial_type", "value"], "events of auditory_oddball")
    value = events["value"].astype(object)
    sound = value.map(lambda text: str(text).removesuffix(_ANSWERED)).where(events["trial_type"].eq("stimulus"))
    sound = sound.where(sound.isin(SOUNDS))
    kind = sound.fillna("response")
    answered = value.map(lambda text: str(text).endswith(_ANSWERED)) & sound.notna()
    told = events.assign(trial_type=kind, stimulus=sound, answered=answered)
    return told[sound.notna() | events["trial_type"].eq("response")].reset_index(drop=True)
