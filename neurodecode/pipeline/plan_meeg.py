"""Units of work of the pipelines that find speech and images in M/EEG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodecode.datasets.parts import Part, parts
from neurodecode.errors import ConfigError
from neurodecode.features.speech import SPEECH_PRESETS
from neurodecode.io.model_files import find_model
from neurodecode.io.weight_sets import as_pinned
from neurodecode.pipeline.config_meeg import ImagesInput, MEEGImages, Retrieving, SpeechFeatures
from neurodecode.pipeline.meeg_heard import PREPARE_HEARD
from neurodecode.pipeline.meeg_retrieve import FIND_IMAGES, FIND_SPEECH
from neurodecode.pipeline.meeg_seen import PREPARE_SEEN
from neurodecode.pipeline.meeg_windows import LOOK_AT_WINDOWS, members_of
from neurodecode.pipeline.prepare import SIGNAL_HASH
from neurodecode.pipeline.step import Item

if TYPE_CHECKING:
    from neurodecode.pipeline.planning import Unit

_BLOCKS = {"decoder", "retrieval"}
_LATER = {"subjects", "simulate", "split", "similarity"}  # of the input: what prepared recordings do not depend on


def parts_of(config: Retrieving, root: Path) -> list[Part]:
    """What of the data set of a configuration lies in a folder; a folder of windows is one part.

    Parameters
    ----------
    config : MEEGSpeech or MEEGImages
        Configuration.
    root : Path
        The data.

    Returns
    -------
    list of Part
        At least one.
    """
    chosen = config.input
    if chosen.dataset is None:
        name = root.resolve().name
        return [Part(name, name, {}, tuple(Path(path) for path in members_of(root).values()))]
    check_features(config)
    data = chosen.data if isinstance(chosen, ImagesInput) else "raw"
    return parts(chosen.dataset, root, data=data, subjects=chosen.subjects)


def check_features(config: Retrieving) -> None:
    """See to it that what makes the features is here, before hours go into the recordings.

    Parameters
    ----------
    config : MEEGSpeech or MEEGImages
        Configuration with a data set.

    Raises
    ------
    ConfigError
        If neither a model nor embeddings of the images are named, or the images are not.
    FormatError
        If the model is not on this machine, and may not be fetched.
    """
    wanted = config.features
    if isinstance(wanted, SpeechFeatures):
        if wanted.kind == "wav2vec":
            _need_model(wanted.model or SPEECH_PRESETS[wanted.preset].model, wanted.download)
        return
    if wanted.targets is not None:
        return
    if wanted.model is None:
        raise ConfigError("features: name a vision model in features.model, or a folder of embeddings in features.targets")
    if config.input.dataset == "things_meg" and config.input.images is None:
        raise ConfigError("input.images: name the folder of the THINGS images, or a folder of embeddings in features.targets")
    _need_model(wanted.model, wanted.download)


def _need_model(model: str, download: bool) -> None:
    name, revision = as_pinned(model)
    if not download:
        find_model(name, revision=revision)


def window_items(config: Retrieving, units: Sequence[Unit], out: Path) -> list[Item]:
    """An item per recording or subject of a data set, or the one that looks at a folder of windows.

    Parameters
    ----------
    config : MEEGSpeech or MEEGImages
        Configuration.
    units : sequence of Unit
        From `parts_of`.
    out : Path
        Output folder.

    Returns
    -------
    list of Item
        One per unit.
    """
    return [_prepare(config, unit, out) for unit in units]


def _prepare(config: Retrieving, unit: Unit, out: Path) -> Item:
    output, images = str(out / unit.output), isinstance(config, MEEGImages)
    if config.input.dataset is None:
        return Item(unit.name, LOOK_AT_WINDOWS, unit.inputs, {"source": unit.source}, output, {"path": unit.root})
    told = {"source": unit.source, "subject": unit.subject, "options": unit.options}
    parameters = {**told, "input": config.input.model_dump(mode="json", exclude=_LATER)}
    step = PREPARE_SEEN if images else PREPARE_HEARD
    return Item(unit.name, step, unit.inputs, parameters, output, {"root": unit.root, "files": list(unit.inputs.values())})


def retrieve_items(config: Retrieving, units: Sequence[Unit], out: Path) -> list[Item]:
    """The item that trains and looks up: one for all subjects, who share a network.

    Parameters
    ----------
    config : MEEGSpeech or MEEGImages
        Configuration.
    units : sequence of Unit
        From `parts_of`.
    out : Path
        Output folder.

    Returns
    -------
    list of Item
        One.
    """
    images, prepared = isinstance(config, MEEGImages), config.input.dataset is not None
    name = Path(units[0].root).resolve().name
    inputs = _prepared_files(config, units, out) if prepared else units[0].inputs
    blocks = _BLOCKS | ({"zero_shot", "course", "pictures"} if images else set()) | ({"input", "features"} if prepared else set())
    common: dict[str, Any] = {"seed": config.compute.seed, "title": config.title, "source": name}
    places = [{"folder": str(out / unit.output), "subject": unit.subject, "options": unit.options} for unit in units]
    return [
        Item(
            name=f"{name} decode",
            step=FIND_IMAGES if images else FIND_SPEECH,
            inputs=inputs,
            parameters={**config.model_dump(mode="json", include=blocks), **common},
            output=str(out / f"{name}_desc-decoded"),
            unkeyed={
                "path": units[0].root,
                "root": units[0].root,
                "prepared": places if prepared else None,
                "device": config.compute.device,
                "training": str(out / "training"),
                "cache": str(out / "features"),
                "files": inputs,
            },
        )
    ]


def _prepared_files(config: Retrieving, units: Sequence[Unit], out: Path) -> dict[str, str]:
    """What says which signals are decoded: each has the hashes of its members, or of its sources."""
    recordings = not isinstance(config.input, ImagesInput) or config.input.data == "raw"
    member = "recording/meta.json" if recordings else SIGNAL_HASH
    return {unit.name: str(out / unit.output / member) for unit in units}
