"""Haxby et al. (2001): six people look at faces, houses, cats, chairs, shoes, scissors, bottles and scrambled pictures (fMRI)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodecode.data import Recording, Stimuli
from neurodecode.data.blocks import join_events

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

CATEGORIES = ("bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe")
GAP = 4.0  # s; pictures of a block begin 2 s apart, blocks are 12 s apart


def load(
    root: str | Path,
    subject: str,
    *,
    run: int | str = 1,
    blocks: bool = True,
    derivatives: str | Path | None = None,
    space: str | None = None,
    mask: Any = None,
    manifest: Manifest | None = None,
) -> tuple[Recording, Stimuli]:
    """Open one run.

    Parameters
    ----------
    root : str or Path
        Folder that ``datasets.fetch("haxby2001", root=...)`` wrote.
    subject : str
        "1" to "6".
    run : int or str
        1 to 12; one run shows each category in one block.
    blocks : bool
        Join the 12 pictures of 0.5 s of a block to one event; False leaves one event per picture.
    derivatives : str or Path, optional
        As in `neurodecode.io.read_bids`: ``"fmriprep"`` for what fMRIPrep made of the data, by default the raw BOLD.
    space : str, optional
        As in `neurodecode.io.read_bids`.
    mask : "auto", str, Path, Mask or array of bool of shape (x, y, z), optional
        As in `neurodecode.io.read_bids`; by default all 40 x 64 x 64 voxels.
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    recording : Recording
        Unread until it is used. ``events`` has ``stimulus`` (the category) and, of blocks, ``n_events``.
    stimuli : Stimuli
        The categories as text: which picture was shown when was never published.

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

    recording = read_bids(
        root,
        subject=subject,
        task="objectviewing",
        run=run,
        datatype="func",
        suffix="bold",
        derivatives=derivatives,
        space=space,
        mask=mask,
    )
    changed = {"shape"} if derivatives is not None or mask is not None else set()
    check_expectations(recording, manifest or info("haxby2001"), root, leave_out=changed)
    events = recording.events
    if len(events):
        events = events.assign(stimulus=events["trial_type"])
        events = join_events(events, GAP) if blocks else events
    return recording.replace(events=events), Stimuli(CATEGORIES, CATEGORIES, "text")


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
        The categories as text.

    Raises
    ------
    DataError
        If there is no such subject.
    FormatError
        If the folder is no BIDS data set, or a run is not what the manifest expects.
    """
    from neurodecode.datasets.runs import run_labels

    loaded = [load(root, subject, run=run, **options) for run in run_labels(root, subject, "objectviewing", "func")]
    return [recording for recording, _ in loaded], loaded[0][1]
