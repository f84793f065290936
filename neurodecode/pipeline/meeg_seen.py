"""Windows of images out of a public data set: recordings are filtered and resampled once, epochs stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses, Stimuli, load, save
from neurodecode.data.hashing import sha256_json
from neurodecode.data.validate import check_columns
from neurodecode.errors import ConfigError, DataError
from neurodecode.pipeline.config_meeg import ImageFeatures, ImagesInput
from neurodecode.pipeline.meeg_windows import Windows, write_look
from neurodecode.pipeline.prepare import write_digest, write_signal_hash
from neurodecode.pipeline.step import Step

_PARTS = ("training", "test")  # of THINGS-EEG2


def prepare_seen(parameters: Mapping[str, Any], folder: Path) -> None:
    """Filter and resample a recording, or make the plain copy of published epochs.

    Parameters
    ----------
    parameters : mapping
        ``input``, ``options`` (of the loader), ``subject``, ``root`` and ``source``.
    folder : Path
        Where ``recording/`` or ``converted/``, and the report's data go.
    """
    wanted = ImagesInput(**parameters["input"])
    seen = _raw(wanted, parameters, folder) if wanted.data == "raw" else _epochs(wanted, parameters, folder)
    table = seen.groupby("trial_type", sort=True)["stimulus"].agg(trials="size", images="nunique").reset_index()
    table.insert(0, "recording", parameters["source"])
    summary = f"{parameters['source']}: {len(seen)} trials, {seen['stimulus'].nunique()} images"
    write_look(parameters["source"], {"What was seen": table}, summary, [], folder)


def _raw(wanted: ImagesInput, parameters: Mapping[str, Any], folder: Path) -> pd.DataFrame:
    from neurodecode import datasets
    from neurodecode.preprocess._channels import DATA_KINDS
    from neurodecode.preprocess.meeg_images import image_signal

    opened, _ = datasets.load(str(wanted.dataset), parameters["root"], parameters["subject"], **parameters["options"])
    assert isinstance(opened, Recording)
    recording = opened.pick(kind=list(DATA_KINDS)).load()
    write_signal_hash(recording, folder)
    events = recording.events[recording.events["stimulus"].notna()].reset_index(drop=True)
    save(image_signal(recording, wanted.preset).replace(events=events), folder / "recording")
    return events


def _epochs(wanted: ImagesInput, parameters: Mapping[str, Any], folder: Path) -> pd.DataFrame:
    """Samples of a subject; pickles that were not converted yet are, into the output."""
    from neurodecode import datasets
    from neurodecode.datasets.plain_copies import has_copy

    root, subject = Path(parameters["root"]), parameters["subject"]
    pickles = [Path(file) for file in parameters["files"] if Path(file).match("sub-*/*.npy")]
    if wanted.dataset == "things_eeg2" and not all(map(has_copy, pickles)):
        datasets.things_eeg2.convert(root, subject, converted=folder / "converted", progress=False)
    parts = _opened(wanted, root, subject, folder)
    digest = sha256_json([[part.meta.get("sources"), list(part.data.shape)] for part, _ in parts] + [subject])
    write_digest(digest, folder)
    samples = pd.concat([part.samples for part, _ in parts], ignore_index=True)
    return samples.assign(trial_type=samples.get("trial_type", samples["split"]))


def seen_windows(parameters: Mapping[str, Any]) -> Windows:
    """Cut all prepared recordings, or join all epochs, split them, and embed the images.

    Parameters
    ----------
    parameters : mapping
        ``input``, ``features`` and, of each part, ``prepared`` with its folder, subject and options; ``root``, ``device`` and
        ``cache``.

    Returns
    -------
    Windows
        Responses unread.
    """
    wanted = ImagesInput(**parameters["input"])
    responses, stimuli = _cut(wanted, parameters) if wanted.data == "raw" else _joined(wanted, parameters)
    shown = responses.samples["stimulus"].astype(str).unique().tolist()
    images = stimuli.select(shown) if stimuli.kind == "image" else None
    targets = _targets(ImageFeatures(**parameters["features"]), images, shown, parameters)
    concepts = responses.samples.drop_duplicates("stimulus").set_index("stimulus")["concept"]
    told = targets.samples.assign(concept=targets.samples["stimulus"].map(concepts))
    return Windows(responses, targets.replace(samples=told), images, None)


def _cut(wanted: ImagesInput, parameters: Mapping[str, Any]) -> tuple[Responses, Stimuli]:
    from neurodecode.data.stimuli import joined_stimuli
    from neurodecode.preprocess.meeg_images import image_preset, image_windows
    from neurodecode.preprocess.meeg_layout import with_layout

    prepared = parameters["prepared"]
    recordings = [load(Path(part["folder"]) / "recording") for part in prepared]
    trials = pd.concat([recording.events for recording in recordings], ignore_index=True)
    names = np.split(split_of(wanted, trials), np.cumsum([len(recording.events) for recording in recordings])[:-1])
    events = [recording.events.assign(split=part) for recording, part in zip(recordings, names, strict=True)]
    windows = image_windows(recordings, events, preset=replace(image_preset(wanted.preset), band=None, line=False))
    shown = [_images(wanted, parameters["root"], part) for part in {part["subject"]: part for part in prepared}.values()]
    return with_layout(windows), joined_stimuli(shown)


def _images(wanted: ImagesInput, root: str, part: Mapping[str, Any]) -> Stimuli:
    """All images that a subject saw."""
    from neurodecode import datasets

    loaded = datasets.load(str(wanted.dataset), root, part["subject"], images=wanted.images, **part["options"])
    return loaded[1]


def _joined(wanted: ImagesInput, parameters: Mapping[str, Any]) -> tuple[Responses, Stimuli]:
    from neurodecode.data.responses import concatenate
    from neurodecode.data.stimuli import joined_stimuli
    from neurodecode.data.stimulus_splits import with_split
    from neurodecode.preprocess.meeg_layout import with_layout

    opened = [
        pair
        for part in parameters["prepared"]
        for pair in _opened(wanted, Path(parameters["root"]), part["subject"], Path(part["folder"]))
    ]
    joined = concatenate([responses for responses, _ in opened], lazy=True)
    zero_shot = wanted.split.get("protocol", "zero_shot") == "zero_shot"
    split = with_split(joined, split_of(wanted, joined.samples), zero_shot=zero_shot)
    return with_layout(split), joined_stimuli([stimuli for _, stimuli in opened])


def _opened(wanted: ImagesInput, root: Path, subject: str, folder: Path) -> list[tuple[Responses, Stimuli]]:
    """Epochs of a subject with their images: one part, or training and test."""
    from neurodecode import datasets

    copies = folder / "converted"
    options: dict[str, Any] = {"data": "preprocessed", "images": wanted.images, "converted": copies if copies.is_dir() else None}
    each = [{"part": part} for part in _PARTS] if wanted.dataset == "things_eeg2" else [{}]
    found = [datasets.load(str(wanted.dataset), root, subject, **options, **more) for more in each]
    return [(responses, stimuli) for responses, stimuli in found if isinstance(responses, Responses)]


def split_of(wanted: ImagesInput, trials: pd.DataFrame) -> NDArray[Any]:
    """The published split of a data set.

    Parameters
    ----------
    wanted : ImagesInput
        Data set, and the arguments of its split.
    trials : DataFrame
        Trials of all subjects.

    Returns
    -------
    array of str of shape (n_trials,)
        ``"train"``, ``"validation"``, ``"test"`` or ``"excluded"``.
    """
    from neurodecode.data.stimulus_splits import things_eeg2_split, things_meg_split

    if wanted.dataset == "things_meg":
        return things_meg_split(trials, **wanted.split)
    return things_eeg2_split(trials, part="split", **wanted.split)


def _targets(wanted: ImageFeatures, images: Stimuli | None, shown: Sequence[str], parameters: Mapping[str, Any]) -> Responses:
    """Embeddings of the images that were shown: read, or computed."""
    if wanted.targets is not None:
        return _stored(wanted.targets, shown)
    if wanted.model is None or images is None:
        raise ConfigError("input.images: there are no images in the data folder; name theirs, or embeddings in features.targets")
    from neurodecode.features import embed_images
    from neurodecode.io.weight_sets import as_pinned

    layers: Any = "all" if wanted.pooling == "projected" else wanted.layers
    options: dict[str, Any] = {"layers": layers, "pooling": wanted.pooling, "cache": parameters["cache"]}
    model, revision = as_pinned(wanted.model)
    loading: dict[str, Any] = {"revision": revision, "download": wanted.download, "device": parameters["device"]}
    return embed_images(images, model, **options, **loading)


def _stored(folder: str, shown: Sequence[str]) -> Responses:
    """Embeddings of the images that were shown, out of a folder that may hold more."""
    table = load(folder)
    if not isinstance(table, Responses):
        raise DataError(f"features.targets must be a folder of Responses, got {type(table).__name__}: {folder}")
    check_columns(table.samples, ["stimulus"], "samples of features.targets")
    row = pd.Index(table.samples["stimulus"].astype(str)).get_indexer(pd.Index(shown))
    if (row < 0).any():
        name = shown[int(np.argmax(row < 0))]
        raise DataError(f"features.targets lacks {int((row < 0).sum())} of {len(shown)} images, e.g. {name!r}: {folder}")
    return table.select(row)


PREPARE_SEEN = Step("prepare_seen", 1, prepare_seen)
