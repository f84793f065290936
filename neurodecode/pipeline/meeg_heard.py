"""Windows of speech out of a public data set: each recording is filtered and resampled once, and cut when it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from neurodecode.data import Recording, Responses, Stimuli, load, save
from neurodecode.errors import DataError, FormatError
from neurodecode.pipeline.config_meeg import SpeechFeatures, SpeechInput
from neurodecode.pipeline.meeg_windows import Windows, write_look
from neurodecode.pipeline.prepare import write_signal_hash
from neurodecode.pipeline.step import Step

_BY_SENTENCE = ("mous",)  # sentences come in another order for each subject: split by their ids
_EVENTS = ["onset", "duration", "trial_type", "stimulus", "start", "word", "block"]


def prepare_heard(parameters: Mapping[str, Any], folder: Path) -> None:
    """Bring a recording of somebody who heard speech to the rate of its features.

    Parameters
    ----------
    parameters : mapping
        ``input``, ``options`` (of the loader), ``subject``, ``root`` and ``source``.
    folder : Path
        Where ``recording/`` and the report's data go; ``meta["sounds"]`` of the recording has the hash of each sound.
    """
    from neurodecode.preprocess import meeg
    from neurodecode.preprocess._channels import DATA_KINDS

    wanted = SpeechInput(**parameters["input"])
    recording, sounds = _open(wanted, parameters["root"], parameters["subject"], parameters["options"])
    recording = recording.pick(kind=list(DATA_KINDS)).load()
    write_signal_hash(recording, folder)
    filtered = recording if wanted.band is None else meeg.filter(recording, *wanted.band)
    resampled = filtered if filtered.sfreq == wanted.sfreq else meeg.resample(filtered, wanted.sfreq)
    events = heard_events(resampled.events)
    heard = events["stimulus"].unique().tolist()
    meta = {**resampled.meta, "sounds": {name: sounds.digest(name) for name in heard}}
    save(resampled.replace(events=events, meta=meta), folder / "recording")
    words = events[events["trial_type"] == "word"]
    told = {"recording": parameters["source"], "seconds": round(recording.duration, 1), "channels": len(recording.names)}
    table = pd.DataFrame([{**told, "sounds": len(heard), "words": len(words), "sentences": words["block"].nunique()}])
    summary = f"{parameters['source']}: {recording.duration:.0f} s at {recording.sfreq:g} Hz, {len(words)} words"
    write_look(parameters["source"], {"What was heard": table}, summary, resampled.meta.get("steps", []), folder)


def heard_events(events: pd.DataFrame) -> pd.DataFrame:
    """Sounds and words whose place in a sound is known: marks that align the two clocks.

    Parameters
    ----------
    events : DataFrame
        Of a loader of `neurodecode.datasets`: ``trial_type, stimulus, sound_onset, word, block``.

    Returns
    -------
    DataFrame
        ``start`` is the second of the sound.
    """
    known = events["trial_type"].isin(["sound", "word"]) & events["stimulus"].notna() & events["sound_onset"].notna()
    table = events[known].rename(columns={"sound_onset": "start"}).sort_values("onset", kind="stable")
    missing = {name: None for name in _EVENTS if name not in table}
    return table.assign(**missing)[_EVENTS].reset_index(drop=True)


def heard_windows(parameters: Mapping[str, Any]) -> Windows:
    """Cut all prepared recordings, and compute the features of what was heard.

    Parameters
    ----------
    parameters : mapping
        ``input``, ``features`` and, of each recording, ``prepared`` with its folder, subject and options; ``root``,
        ``device`` and ``cache``.

    Returns
    -------
    Windows
        Unread: what they are cut from are memory maps.
    """
    from neurodecode.data.stimulus_splits import speech_blocks, split_blocks
    from neurodecode.preprocess import meeg

    wanted, prepared = SpeechInput(**parameters["input"]), parameters["prepared"]
    recordings = [load(Path(part["folder"]) / "recording") for part in prepared]
    words = spoken_words([recording.events for recording in recordings])
    uid = "sentence" if wanted.dataset in _BY_SENTENCE else None
    blocks = split_blocks(speech_blocks(words, uid=uid), similarity=wanted.similarity)
    sounds = _sounds(wanted, parameters["root"], prepared, recordings)
    features = _features(SpeechFeatures(**parameters["features"]), sounds, blocks, wanted.sfreq, parameters)
    pairs = meeg.speech_segments(recordings, features, blocks, words, lag=0.0)  # the decoder cuts its lag itself
    return Windows(meeg.with_layout(pairs.responses), pairs.targets, None, None)


def spoken_words(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Words of each sound, which several recordings tell: some lack a few.

    Parameters
    ----------
    tables : sequence of DataFrame
        From `heard_events`.

    Returns
    -------
    DataFrame
        ``stimulus, word, onset`` (s in the sound), ``duration, sentence``, sound by sound.

    Raises
    ------
    DataError
        If there is no word.
    """
    told = pd.concat([table[table["trial_type"] == "word"] for table in tables], ignore_index=True)
    if not len(told):
        raise DataError(f"none of the {len(tables)} recordings has a word whose place in its sound is known")
    words = told.drop(columns="onset").rename(columns={"start": "onset", "block": "sentence"})
    words = words.assign(_ms=(1000 * words["onset"]).round()).drop_duplicates(["stimulus", "_ms"])
    columns = ["stimulus", "word", "onset", "duration", "sentence"]
    return words.sort_values(["stimulus", "onset"], kind="stable")[columns].reset_index(drop=True)


def _open(wanted: SpeechInput, root: str, subject: str, options: Mapping[str, Any]) -> tuple[Recording, Stimuli]:
    """A recording, unread, and the sounds that were heard in it."""
    from neurodecode import datasets

    recording, sounds = datasets.load(str(wanted.dataset), root, subject, **options, **wanted.options)
    assert isinstance(recording, Recording)
    if sounds.kind != "audio":
        remedy = (
            f"See `neurodecode datasets info {wanted.dataset}` for where the sounds go, or name their folder in input.options"
        )
        raise FormatError(Path(root), f"the sounds that sub-{subject} heard are not there, only their words", remedy)
    return recording, sounds


def _sounds(wanted: SpeechInput, root: str, prepared: Sequence[Mapping[str, Any]], recordings: Sequence[Recording]) -> Stimuli:
    """All sounds, read when they are indexed; only recordings in which a new one was heard are opened again."""
    from neurodecode.data.stimuli import joined_stimuli

    parts: list[Stimuli] = []
    known: set[str] = set()
    for part, recording in zip(prepared, recordings, strict=True):
        heard = list(recording.meta["sounds"])
        if not known.issuperset(heard):
            parts.append(_open(wanted, root, part["subject"], part["options"])[1].select(heard))
            known.update(heard)
    return joined_stimuli(parts)


def _features(
    wanted: SpeechFeatures, sounds: Stimuli, blocks: pd.DataFrame, sfreq: float, parameters: Mapping[str, Any]
) -> Responses:
    from neurodecode.features import SPEECH_PRESETS, speech_embedding, speech_mel
    from neurodecode.io.weight_sets import as_pinned

    shared: dict[str, Any] = {"sfreq": sfreq, "cache": parameters["cache"], "stored_as": wanted.stored_as}
    if wanted.kind == "mel":
        return speech_mel(sounds, blocks, n_mels=wanted.n_mels, **shared)
    model, revision = as_pinned(wanted.model or SPEECH_PRESETS[wanted.preset].model)
    loading: dict[str, Any] = {"model": model, "revision": revision, "download": wanted.download, "device": parameters["device"]}
    return speech_embedding(sounds, blocks, preset=wanted.preset, **loading, **shared)


PREPARE_HEARD = Step("prepare_heard", 1, prepare_heard)
