"""MEG-MASC (Gwilliams et al. 2023): twenty-seven people listen to four stories, twice (MEG)."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neurodecode.data import Recording, Stimuli
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import suggest
from neurodecode.datasets.shown import files_or_words
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io.bids_search import bids_file
from neurodecode.io.bids_tables import events_path
from neurodecode.io.outside import check_name

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

STORIES = ("lw1", "cable_spool_fort", "easy_money", "the_black_willow")
_LONGEST = 4096  # characters of a description
_TAKEN = ("onset", "duration", "sample", "value", "kind", "sound", "start", "sequence_id")
_POSITIONS = "Fetch it beside the recording, or pass head=False for positions in the frame of the device"


def load(
    root: str | Path,
    subject: str,
    *,
    session: int | str = 0,
    story: int | str = 0,
    head: bool = True,
    manifest: Manifest | None = None,
) -> tuple[Recording, Stimuli]:
    """Open one story of one session.

    Parameters
    ----------
    root : str or Path
        Folder of the data set, with ``sub-01/`` and so on and ``stimuli/``.
    subject : str
        "01" to "27".
    session : int or str
        0 or 1: both have the same content; some people have only one.
    story : int or str
        0 to 3, or one of ``lw1``, ``cable_spool_fort``, ``easy_money`` and ``the_black_willow``.
    head : bool
        Place the sensors in the frame of the head, by the marker coils and the digitised points beside the recording. With False
        they stay in the frame of the device.
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    recording : Recording
        In T, unread until used. Of its events ``trial_type`` is sound, word or phoneme; ``word``, ``phoneme`` and ``condition``
        (sentence, word_list, ...) say what was heard, ``stimulus`` in which sound, ``sound_onset`` at which second of it;
        ``block`` names the sentence or list, the same for all people and both sessions; ``session`` and ``repeat`` count these.
        All else that the file says of an event is a column as well.
    stimuli : Stimuli
        The sounds of the story, read when they are indexed, or their words where ``stimuli/audio/`` was not fetched.

    Raises
    ------
    DataError
        If there is no such subject, session or story.
    FormatError
        If the folder is no BIDS data set, a file is missing, or the recording is not what the manifest expects.
    CorruptFileError
        If a file is damaged, or the description of an event cannot be read.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations
    from neurodecode.io import read_bids

    number = _story(story)
    recording = read_bids(root, subject=subject, session=str(session), task=str(number), datatype="meg")
    file = Path(root) / str(recording.meta["sources"][0]["file"])
    recording = _in_head(recording, file, Path(root)) if head else _in_device(recording)
    events = _described(recording.events, _table(file))
    visit = str(recording.meta["session"])
    told = events.assign(session=visit, repeat=int(visit) if visit.isdecimal() else 0)
    recording = recording.replace(events=told, meta={**recording.meta, "story": STORIES[number]})
    check_expectations(recording, manifest or info("meg_masc"), root)
    return recording, _sounds(told, Path(root), _table(file))


def _story(story: int | str) -> int:
    """Number of a story."""
    text = str(story).lower()
    if text.isdecimal() and int(text) < len(STORIES):
        return int(text)
    if text not in STORIES:
        raise DataError(f"there is no story {story!r}: {suggest(text, STORIES)}")
    return STORIES.index(text)


def _table(file: Path) -> Path:
    """The events of a recording."""
    return events_path(bids_file(file)) or file


# --- events --------------------------------------------------------------------------------------------------------


def _described(events: pd.DataFrame, file: Path) -> pd.DataFrame:
    """Events whose ``trial_type`` holds a dictionary as text, with a column per key."""
    if "trial_type" not in events:
        raise FormatError(file, f"it has no column 'trial_type', its columns are {list(events)}", "Take the file of the authors")
    rows = [_description(text, row, file) for row, text in enumerate(events["trial_type"])]
    told = pd.DataFrame({key: [row.get(key) for row in rows] for key in dict.fromkeys(k for row in rows for k in row)})
    if "kind" not in told:
        raise FormatError(file, f"none of its {len(rows)} descriptions has the key 'kind'", "Take the file of the authors")
    sound = told["sound"] if "sound" in told else pd.Series(None, index=told.index, dtype=object)
    stimulus = sound.map(lambda name: _sound_name(str(name), file), na_action="ignore").ffill()
    others = told.drop(columns=[name for name in _TAKEN if name in told])
    begun = pd.to_numeric(told["start"], errors="coerce") if "start" in told else np.nan
    kept = events[[name for name in events if name != "trial_type" and name not in others]].reset_index(drop=True)
    named = kept.assign(trial_type=told["kind"], stimulus=stimulus, sound_onset=begun, block=_blocks(told, stimulus))
    missing = {name: None for name in ("word", "phoneme", "condition") if name not in others}
    return named.join(others).assign(**missing)


def _description(text: Any, row: int, file: Path) -> dict[str, Any]:
    """The dictionary that a text writes out; it is parsed and never evaluated."""
    try:
        value = ast.literal_eval(str(text)) if len(str(text)) <= _LONGEST else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        what = f"the description of event {row} cannot be read ({type(error).__name__}): {str(text)[:80]!r}"
        raise CorruptFileError(file, what, "Take the file of the authors") from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise CorruptFileError(file, f"event {row} is no dictionary: {str(text)[:80]!r}", "Take the file of the authors")
    return value


def _sound_name(path: str, file: Path) -> str:
    """Name of a sound without folder and ending: events say ``lw1_0.0.wav`` of the file ``lw1_0.wav``."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1].lower().removesuffix(".wav").removesuffix(".0")
    check_name(file, name)
    return name


def _blocks(told: pd.DataFrame, stimulus: pd.Series) -> pd.Series:
    """Name of the sentence or list that each word and phoneme belongs to: sound, condition and number."""
    if "sequence_id" not in told:
        return pd.Series(None, index=told.index, dtype=object)
    number = pd.to_numeric(told["sequence_id"], errors="coerce")
    condition = told["condition"].fillna("sentence") if "condition" in told else "sentence"
    names = stimulus.astype(str) + ":" + condition + ":" + number.fillna(-1).astype(int).astype(str)
    return names.where(number.notna() & told["kind"].isin(["word", "phoneme"]), None)


# --- positions and sounds ------------------------------------------------------------------------------------------


def _in_head(recording: Recording, file: Path, root: Path) -> Recording:
    """Sensors in the frame of the head; the files of the coils and points become sources."""
    from neurodecode.io.fastscan import read_fastscan
    from neurodecode.io.meeg import read_meeg

    stem, visit = file.name.removesuffix("_meg.con"), "_".join(file.name.split("_")[:2])
    parts = [f"{stem}_markers.mrk", f"{visit}_acq-ELP_headshape.pos", f"{visit}_acq-HSP_headshape.pos"]
    markers, coils, shape = paths = [file.with_name(name) for name in parts]
    for path in paths:
        if not path.is_file():
            raise FormatError(path, "there is no such file, without which nobody knows where the head was", _POSITIONS)
    placed = read_meeg(file, mrk=markers, elp=read_fastscan(coils), hsp=read_fastscan(shape))
    assert isinstance(placed, Recording)
    known = [*recording.meta["sources"], *({"file": p.relative_to(root).as_posix(), "sha256": sha256_file(p)} for p in paths)]
    meta = {**recording.meta, "sources": known, "space": placed.meta["space"], "mne_info": placed.meta["mne_info"]}
    places = placed.channels[["x", "y", "z"]]
    return recording.replace(channels=recording.channels.assign(**places), meta=meta)


def _in_device(recording: Recording) -> Recording:
    """The frame by its name: MNE calls it that of the head for want of coils, with the identity as the transformation."""
    space = {**(recording.meta.get("space") or {}), "name": "device"}
    return recording.replace(meta={**recording.meta, "space": space})


def _sounds(events: pd.DataFrame, root: Path, file: Path) -> Stimuli:
    """The sounds of a run in their order."""
    ids = events["stimulus"].dropna().unique().tolist()
    if not ids:
        raise FormatError(file, f"none of its {len(events)} events names a sound", "Take the file of the authors")
    words = events[events["trial_type"] == "word"]
    texts = [" ".join(words.loc[words["stimulus"] == name, "word"].astype(str)) for name in ids]
    folder = root / "stimuli" / "audio"
    paths = [folder / f"{name}.wav" for name in ids] if folder.is_dir() else None
    return files_or_words(pd.DataFrame({"id": ids, "text": texts}), texts, paths, "audio")
